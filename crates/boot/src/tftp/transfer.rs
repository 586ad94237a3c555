//! One transfer: from request to the last acknowledgement, packet in, packets out.

use std::time::Duration;

use bytes::Bytes;

/// Largest block: what fits an Ethernet frame without fragments (BOOT: fragments halve the speed and firmware drops them).
const BLOCK: u16 = 1468;
/// Without the option (RFC 1350).
const PLAIN_BLOCK: u16 = 512;
/// Largest window: more only fills the switch's buffers.
const WINDOW: u16 = 16;
/// Before a packet is sent again.
const AGAIN: Duration = Duration::from_secs(1);
/// The longest that a client may ask for instead, in seconds: [`TRIES`] of them are how long one that is gone is kept.
const LONGEST_AGAIN: u64 = 5;
/// Sent so often in vain, the client is gone.
const TRIES: u32 = 6;

/// A read request, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Which file.
    pub file: String,
    /// Options, lower case, in their order.
    pub options: Vec<(String, u64)>,
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Not a packet of TFTP's.
    #[error("not a TFTP request")]
    Garbage,
    /// Only reading is offered.
    #[error("this server only gives files")]
    Write,
    /// Nothing that a transfer starts with. Must not be answered: an error that answers an error, or whatever someone sends in
    /// another server's name, goes back and forth for ever (CVE-2024-2169).
    #[error("not a request")]
    Stray,
    /// Netascii is for terminals.
    #[error("only octet mode is served")]
    Mode,
}

/// Reads a first packet.
pub fn parse(packet: &[u8]) -> Result<Request, Refused> {
    /// Far more than any firmware sends.
    const LONGEST: usize = 512;
    let (opcode, rest) = packet.split_at_checked(2).ok_or(Refused::Stray)?;
    match opcode {
        [0, 1] if packet.len() <= LONGEST => {}
        [0, 1] => return Err(Refused::Garbage),
        [0, 2] => return Err(Refused::Write),
        _ => return Err(Refused::Stray),
    }
    let mut strings = rest.split(|b| *b == 0).map(std::str::from_utf8);
    let mut string = || strings.next().and_then(Result::ok);
    let file = string().filter(|f| !f.is_empty()).ok_or(Refused::Garbage)?.to_owned();
    if !string().ok_or(Refused::Garbage)?.eq_ignore_ascii_case("octet") {
        return Err(Refused::Mode);
    }
    let mut options = Vec::new();
    while let (Some(name), Some(value)) = (string(), string()) {
        // An option that makes no sense is left out, as if it had not been asked for (RFC 2347).
        if let Ok(value) = value.parse() {
            options.push((name.to_ascii_lowercase(), value));
        }
    }
    Ok(Request { file, options })
}

/// What comes next in a transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Send these, then wait so long for an answer.
    Send(Vec<Vec<u8>>, Duration),
    /// Nothing to send: go on waiting.
    Wait,
    /// It is over.
    Over,
}

/// A transfer.
#[derive(Debug, Clone)]
pub struct Transfer {
    data: Bytes,
    block: u16,
    window: u16,
    again: Duration,
    /// The option acknowledgement, until the client has answered it.
    oack: Option<Vec<u8>>,
    /// Blocks that are acknowledged.
    acked: u64,
    tries: u32,
}

impl Transfer {
    /// Begins one; what comes first is [`Transfer::resend`].
    pub fn new(request: &Request, data: Bytes) -> Transfer {
        let mut t = Transfer {
            data,
            block: PLAIN_BLOCK,
            window: 1,
            again: AGAIN,
            oack: None,
            acked: 0,
            tries: 0,
        };
        let mut oack = vec![0, 6];
        for (name, value) in &request.options {
            let agreed = match (name.as_str(), *value) {
                ("blksize", v @ 8..) => {
                    t.block = u16::try_from(v).unwrap_or(u16::MAX).min(BLOCK);
                    u64::from(t.block)
                }
                ("windowsize", v @ 1..) => {
                    t.window = u16::try_from(v).unwrap_or(u16::MAX).min(WINDOW);
                    u64::from(t.window)
                }
                // Agreed to as it is or not at all (RFC 2349): no other number may be answered.
                ("timeout", v @ 1..=LONGEST_AGAIN) => {
                    t.again = Duration::from_secs(v);
                    v
                }
                ("tsize", _) => t.data.len() as u64,
                _ => continue,
            };
            oack.extend(name.as_bytes());
            oack.push(0);
            oack.extend(agreed.to_string().as_bytes());
            oack.push(0);
        }
        t.oack = (oack.len() > 2).then_some(oack);
        t
    }

    /// Blocks in all: the last one is shorter than the others, and empty when the file ends with a full one.
    fn blocks(&self) -> u64 {
        self.data.len() as u64 / u64::from(self.block) + 1
    }

    /// What is sent first, and again when nothing came in time.
    pub fn resend(&mut self) -> Next {
        if self.tries >= TRIES {
            return Next::Over;
        }
        self.tries += 1;
        match &self.oack {
            Some(oack) => Next::Send(vec![oack.clone()], self.again),
            None => Next::Send(self.window(), self.again),
        }
    }

    /// A packet from the client.
    pub fn receive(&mut self, packet: &[u8]) -> Next {
        let [0, opcode, a, b, ..] = *packet else {
            return Next::Wait;
        };
        match opcode {
            4 => self.acknowledged(u16::from_be_bytes([a, b])),
            5 => Next::Over,
            _ => Next::Wait,
        }
    }

    fn acknowledged(&mut self, number: u16) -> Next {
        if self.oack.is_some() {
            if number != 0 {
                return Next::Wait;
            }
            self.oack = None;
            self.tries = 0;
            return self.resend();
        }
        // Numbers wrap after 65,535 blocks; within a window the distance tells which block is meant.
        let distance = u64::from(number.wrapping_sub(self.acked as u16));
        // A duplicate is not answered: answering each would send everything twice from then on (the Sorcerer's
        // Apprentice, RFC 1123 §4.2.3.1).
        if distance == 0 || distance > u64::from(self.window) || self.acked + distance > self.blocks() {
            return Next::Wait;
        }
        self.acked += distance;
        self.tries = 0;
        if self.acked == self.blocks() {
            Next::Over
        } else {
            self.resend()
        }
    }

    fn window(&self) -> Vec<Vec<u8>> {
        let last = (self.acked + u64::from(self.window)).min(self.blocks());
        (self.acked + 1..=last).map(|n| self.packet(n)).collect()
    }

    fn packet(&self, number: u64) -> Vec<u8> {
        let size = usize::from(self.block);
        let from = ((number - 1) as usize).saturating_mul(size).min(self.data.len());
        let to = (from + size).min(self.data.len());
        let mut packet = vec![0, 3];
        packet.extend((number as u16).to_be_bytes());
        packet.extend(&self.data[from..to]);
        packet
    }
}

/// An error packet.
pub fn error_packet(code: u8, text: &str) -> Vec<u8> {
    let mut packet = vec![0, 5, 0, code];
    packet.extend(text.bytes().filter(|b| *b != 0));
    packet.push(0);
    packet
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn request(options: &[(&str, &str)]) -> Vec<u8> {
        let mut p = b"\0\x01undionly.kpxe\0octet\0".to_vec();
        for (name, value) in options {
            p.extend(format!("{name}\0{value}\0").as_bytes());
        }
        p
    }

    /// A client that takes a whole file, losing packets as told.
    fn fetch(options: &[(&str, &str)], data: &[u8], lost: &[bool]) -> Option<Vec<u8>> {
        let parsed = parse(&request(options)).expect("parses");
        let mut transfer = Transfer::new(&parsed, Bytes::copy_from_slice(data));
        let block = usize::from(transfer.block);
        let mut lost = lost.iter().copied();
        let (mut got, mut number) = (Vec::new(), 0u16);
        let mut next = transfer.resend();
        for _ in 0..100_000 {
            match next {
                Next::Over => return None,
                Next::Wait => next = transfer.resend(),
                Next::Send(packets, _) => {
                    let mut ended = false;
                    let mut heard = false;
                    for packet in packets {
                        if lost.next().unwrap_or(false) {
                            continue;
                        }
                        heard = true;
                        if packet[1] == 3 && packet[2..4] == number.wrapping_add(1).to_be_bytes() {
                            number = number.wrapping_add(1);
                            got.extend(&packet[4..]);
                            ended = packet.len() < block + 4;
                        }
                    }
                    if ended {
                        return Some(got);
                    }
                    let mut ack = vec![0, 4];
                    ack.extend(number.to_be_bytes());
                    next = if heard {
                        transfer.receive(&ack)
                    } else {
                        transfer.resend()
                    };
                }
            }
        }
        panic!("the transfer does not end");
    }

    #[test]
    fn a_file_arrives_whole_with_every_option_and_size() {
        for length in [0, 1, 511, 512, 513, 1468, 70_000, 40_000_000] {
            let data: Vec<u8> = (0..length).map(|i: u32| (i * 7) as u8).collect();
            let options: &[&[(&str, &str)]] = &[&[("blksize", "1468"), ("tsize", "0"), ("windowsize", "8")], &[]];
            for options in &options[..if length > 1_000_000 { 1 } else { 2 }] {
                assert!(
                    fetch(options, &data, &[]).is_some_and(|got| got == data),
                    "{length} {options:?}"
                );
            }
        }
    }

    #[test]
    fn requests_that_are_none_are_refused() {
        assert_eq!(parse(b""), Err(Refused::Stray));
        assert_eq!(parse(&error_packet(1, "no such file")), Err(Refused::Stray));
        assert_eq!(parse(b"\0\x02x\0octet\0"), Err(Refused::Write));
        assert_eq!(parse(b"\0\x01x\0netascii\0"), Err(Refused::Mode));
        assert_eq!(parse(b"\0\x01\0octet\0"), Err(Refused::Garbage));
        assert_eq!(parse(b"\0\x01x"), Err(Refused::Garbage));
        assert_eq!(parse(&[0, 1, 0xff, 0xfe, 0]), Err(Refused::Garbage));
    }

    #[test]
    fn what_is_agreed_about_waiting_is_what_is_done() {
        for (asked, agreed) in [
            ("1", Some(1)),
            ("3", Some(3)),
            ("5", Some(5)),
            ("6", None),
            ("255", None),
            ("0", None),
        ] {
            let parsed = parse(&request(&[("timeout", asked), ("tsize", "0")])).expect("parses");
            let Next::Send(packets, wait) = Transfer::new(&parsed, Bytes::from_static(b"x")).resend() else {
                panic!("an option acknowledgement comes first");
            };
            let told = packets[0]
                .windows(8)
                .position(|w| w == b"timeout\0")
                .map(|at| u64::from(packets[0][at + 8] - b'0'));
            assert_eq!(told, agreed, "{asked}");
            assert_eq!(wait, Duration::from_secs(agreed.unwrap_or(1)), "{asked}");
        }
    }

    #[test]
    fn a_client_that_is_gone_is_given_up() {
        let mut transfer = Transfer::new(&parse(&request(&[])).expect("parses"), Bytes::from_static(b"x"));
        for _ in 0..TRIES {
            assert!(matches!(transfer.resend(), Next::Send(..)));
        }
        assert_eq!(transfer.resend(), Next::Over);
    }

    proptest! {
        #[test]
        fn lost_packets_only_cost_time(data in prop::collection::vec(any::<u8>(), 0..20_000), lost in prop::collection::vec(prop::bool::weighted(0.2), 0..40), window in 1u32..20) {
            let window = window.to_string();
            // Six losses of the same packet in a row end a transfer, rightly; it never ends with a wrong file.
            if let Some(got) = fetch(&[("windowsize", &window)], &data, &lost) {
                prop_assert_eq!(got, data);
            }
        }

        #[test]
        fn no_packet_panics(first in prop::collection::vec(any::<u8>(), 0..600), more in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..8), 0..20)) {
            let _ = parse(&first);
            let mut transfer = Transfer::new(&parse(&request(&[("blksize", "9")])).expect("parses"), Bytes::from_static(b"some data"));
            for packet in more {
                let _ = transfer.receive(&packet);
            }
        }
    }
}
