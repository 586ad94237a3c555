//! What stands on the wire: RMCP and session headers, messages, serial data (IPMI 2.0 §13). Pure: bytes in, bytes out.
//!
//! Every byte that is read here may come from anyone who can send a UDP packet: nothing indexes without looking.

/// RMCP version 1.0, sequence 255 (no RMCP acknowledge), class IPMI (§13.1.3).
const RMCP: [u8; 4] = [0x06, 0x00, 0xff, 0x07];
/// Session header of IPMI 1.5 without authentication.
const NO_AUTH: u8 = 0x00;
/// Session header of RMCP+.
const RMCP_PLUS: u8 = 0x06;
/// The largest packet that is read: an Ethernet frame's worth; messages of IPMI are far smaller.
pub const MOST: usize = 1500;
/// Address of the BMC, and of a console that talks to it (§5.5).
const BMC: u8 = 0x20;
const CONSOLE: u8 = 0x81;

/// Payload types (§13.27.3).
pub mod payload {
    /// A request or its answer.
    pub const IPMI: u8 = 0x00;
    /// Serial over LAN.
    pub const SOL: u8 = 0x01;
    /// Open Session Request.
    pub const OPEN_REQUEST: u8 = 0x10;
    /// Open Session Response.
    pub const OPEN_RESPONSE: u8 = 0x11;
    /// RAKP Message 1.
    pub const RAKP1: u8 = 0x12;
    /// RAKP Message 2.
    pub const RAKP2: u8 = 0x13;
    /// RAKP Message 3.
    pub const RAKP3: u8 = 0x14;
    /// RAKP Message 4.
    pub const RAKP4: u8 = 0x15;
}

/// Why bytes are no packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Fewer bytes than the header promises.
    #[error("cut short")]
    Short,
    /// Not RMCP of class IPMI, or a session header that is not known here.
    #[error("not an IPMI packet")]
    Foreign,
    /// A checksum does not match.
    #[error("wrong checksum")]
    Checksum,
    /// Integrity or confidentiality failed.
    #[error("not from the session's peer")]
    Forged,
}

/// A packet taken apart, before its integrity is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Payload type, without its flags.
    pub payload: u8,
    /// Whether the body is encrypted.
    pub encrypted: bool,
    /// Whether a trailer with an authentication code follows.
    pub authenticated: bool,
    /// Session that it belongs to, as its receiver counts; 0 outside of sessions.
    pub session: u32,
    /// Sequence number within the session.
    pub sequence: u32,
    /// The payload.
    pub body: &'a [u8],
    /// All bytes after the RMCP header: what the authentication code covers, and itself.
    pub rest: &'a [u8],
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32, Malformed> {
    let four = bytes.get(at..at + 4).ok_or(Malformed::Short)?;
    Ok(u32::from_le_bytes([four[0], four[1], four[2], four[3]]))
}

impl<'a> Packet<'a> {
    /// Takes a UDP payload apart.
    pub fn parse(bytes: &'a [u8]) -> Result<Packet<'a>, Malformed> {
        let rest = bytes.get(4..).ok_or(Malformed::Short)?;
        // The class byte's upper bit marks an RMCP acknowledge.
        if bytes[0] != RMCP[0] || bytes[3] != RMCP[3] {
            return Err(Malformed::Foreign);
        }
        match rest.first() {
            Some(&NO_AUTH) => {
                let length = usize::from(*rest.get(9).ok_or(Malformed::Short)?);
                Ok(Packet {
                    payload: payload::IPMI,
                    encrypted: false,
                    authenticated: false,
                    session: u32_at(rest, 5)?,
                    sequence: u32_at(rest, 1)?,
                    body: rest.get(10..10 + length).ok_or(Malformed::Short)?,
                    rest,
                })
            }
            Some(&RMCP_PLUS) => {
                let kind = *rest.get(1).ok_or(Malformed::Short)?;
                let two = rest.get(10..12).ok_or(Malformed::Short)?;
                let length = usize::from(u16::from_le_bytes([two[0], two[1]]));
                Ok(Packet {
                    payload: kind & 0x3f,
                    encrypted: kind & 0x80 != 0,
                    authenticated: kind & 0x40 != 0,
                    session: u32_at(rest, 2)?,
                    sequence: u32_at(rest, 6)?,
                    body: rest.get(12..12 + length).ok_or(Malformed::Short)?,
                    rest,
                })
            }
            Some(_) => Err(Malformed::Foreign),
            None => Err(Malformed::Short),
        }
    }
}

/// A message outside of any session, in the header of IPMI 1.5 that every BMC reads.
pub fn without_session(message: &[u8]) -> Vec<u8> {
    let mut out = RMCP.to_vec();
    out.push(NO_AUTH);
    out.extend([0; 8]);
    out.push(u8::try_from(message.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(message);
    out
}

/// An RMCP+ packet up to and including its payload; the integrity trailer follows, where there is one.
pub fn rmcp_plus(kind: u8, session: u32, sequence: u32, body: &[u8]) -> Vec<u8> {
    let mut out = RMCP.to_vec();
    out.extend([RMCP_PLUS, kind]);
    out.extend(session.to_le_bytes());
    out.extend(sequence.to_le_bytes());
    out.extend(u16::try_from(body.len()).unwrap_or(u16::MAX).to_le_bytes());
    out.extend_from_slice(body);
    out
}

/// Two's complement, so that the sum of all bytes is zero (§13.8).
fn checksum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0u8, |sum, b| sum.wrapping_sub(*b))
}

/// A request to the BMC (§13.8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Network function; even.
    pub netfn: u8,
    /// Logical unit that is asked.
    pub lun: u8,
    /// Command.
    pub command: u8,
    /// Its data.
    pub data: Vec<u8>,
}

impl Request {
    /// As it goes into a packet; `sequence` (6 bits) comes back in the answer.
    pub fn encode(&self, sequence: u8) -> Vec<u8> {
        let mut out = vec![BMC, self.netfn << 2 | (self.lun & 3)];
        out.push(checksum(&out));
        out.extend([CONSOLE, sequence << 2, self.command]);
        out.extend_from_slice(&self.data);
        out.push(checksum(&out[3..]));
        out
    }

    /// Reads a request, as a BMC does, with its sequence.
    pub fn decode(bytes: &[u8]) -> Result<(Request, u8), Malformed> {
        let (head, tail) = halves(bytes)?;
        Ok((
            Request {
                netfn: head[1] >> 2,
                lun: head[1] & 3,
                command: tail[2],
                data: tail[3..tail.len() - 1].to_vec(),
            },
            tail[1] >> 2,
        ))
    }

    /// The answer to it, as a BMC writes it.
    pub fn answer(&self, sequence: u8, code: u8, data: &[u8]) -> Vec<u8> {
        let mut out = vec![CONSOLE, (self.netfn | 1) << 2];
        out.push(checksum(&out));
        out.extend([BMC, sequence << 2 | (self.lun & 3), self.command, code]);
        out.extend_from_slice(data);
        out.push(checksum(&out[3..]));
        out
    }
}

/// An answer of the BMC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// Network function; odd.
    pub netfn: u8,
    /// Command that it answers.
    pub command: u8,
    /// Sequence of the request.
    pub sequence: u8,
    /// Completion code (§5.2).
    pub code: u8,
    /// What follows it.
    pub data: Vec<u8>,
}

impl Response {
    /// Reads an answer.
    pub fn decode(bytes: &[u8]) -> Result<Response, Malformed> {
        let (head, tail) = halves(bytes)?;
        if tail.len() < 5 {
            return Err(Malformed::Short);
        }
        Ok(Response {
            netfn: head[1] >> 2,
            command: tail[2],
            sequence: tail[1] >> 2,
            code: tail[3],
            data: tail[4..tail.len() - 1].to_vec(),
        })
    }
}

/// Both checksummed halves of a message: 3 bytes, and at least 4.
fn halves(bytes: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let (head, tail) = bytes.split_at_checked(3).ok_or(Malformed::Short)?;
    if tail.len() < 4 {
        return Err(Malformed::Short);
    }
    if checksum(head) != 0 || checksum(tail) != 0 {
        return Err(Malformed::Checksum);
    }
    Ok((head, tail))
}

/// A piece of serial data, either way (§15.9).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Serial {
    /// 1 to 15; 0 for one that only acknowledges.
    pub sequence: u8,
    /// Sequence that it acknowledges; 0 for none.
    pub acknowledges: u8,
    /// Bytes that were taken of the piece acknowledged.
    pub accepted: u8,
    /// Flags: [`Serial::NACK`] and others.
    pub status: u8,
    /// The characters.
    pub data: Vec<u8>,
}

impl Serial {
    /// Not all was taken: `accepted` tells how much.
    pub const NACK: u8 = 0x40;
    /// From the BMC: nothing can be taken now.
    pub const UNAVAILABLE: u8 = 0x20;
    /// From the BMC: the console is closed, by someone else or by an error.
    pub const CLOSED: u8 = 0x10;

    /// As it goes into a packet.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![
            self.sequence & 0x0f,
            self.acknowledges & 0x0f,
            self.accepted,
            self.status,
        ];
        out.extend_from_slice(&self.data);
        out
    }

    /// Reads one.
    pub fn decode(bytes: &[u8]) -> Result<Serial, Malformed> {
        let (head, data) = bytes.split_at_checked(4).ok_or(Malformed::Short)?;
        Ok(Serial {
            sequence: head[0] & 0x0f,
            acknowledges: head[1] & 0x0f,
            accepted: head[2],
            status: head[3],
            data: data.to_vec(),
        })
    }
}

/// A completion code in words (§5.2, table 5-2).
pub fn completion(code: u8) -> &'static str {
    match code {
        0x00 => "done",
        0xc0 => "busy",
        0xc1 => "it does not know the command",
        0xc2 => "the command is not valid for this part of it",
        0xc3 => "it timed out inside",
        0xc4 => "out of space",
        0xc5 => "the reservation was cancelled",
        0xc6 => "the request was cut short",
        0xc7 => "the length of the request is wrong",
        0xc8 => "the request is too long",
        0xc9 => "a parameter is out of range",
        0xca => "it can't return so many bytes at once",
        0xcb => "there is no such sensor, record or part",
        0xcc => "a field of the request is not valid",
        0xcd => "the command is not allowed for this sensor or record",
        0xce => "it has no answer to give",
        0xcf => "it holds the request for a duplicate",
        0xd0 => "its sensor records are being updated",
        0xd1 => "its firmware is being updated",
        0xd2 => "it is starting",
        0xd3 => "the part that was meant is not there",
        0xd4 => "the account has too little privilege, or the command is blocked by the firmware firewall",
        0xd5 => "not possible in its present state",
        0xd6 => "the part of it that was meant is disabled",
        0xff => "an error without a name",
        _ => "an error of this command",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_request_is_written_as_the_specification_shows_it() {
        // Get Channel Authentication Capabilities for channel 0Eh, administrator, as ipmitool 1.8.19 sends it.
        let request = Request {
            netfn: 0x06,
            lun: 0,
            command: 0x38,
            data: vec![0x8e, 0x04],
        };
        let packet = without_session(&request.encode(0));
        let golden = [
            0x06, 0x00, 0xff, 0x07, 0x00, 0, 0, 0, 0, 0, 0, 0, 0, 0x09, 0x20, 0x18, 0xc8, 0x81, 0x00, 0x38, 0x8e, 0x04,
            0xb5,
        ];
        assert_eq!(packet, golden);
        let parsed = Packet::parse(&golden).unwrap();
        assert_eq!(Request::decode(parsed.body).unwrap(), (request, 0));
    }

    #[test]
    fn a_changed_byte_is_noticed() {
        let request = Request {
            netfn: 0,
            lun: 0,
            command: 1,
            data: vec![],
        };
        let good = request.answer(7, 0, &[1, 2, 3]);
        assert_eq!(Response::decode(&good).unwrap().data, [1, 2, 3]);
        for i in 0..good.len() {
            let mut bad = good.clone();
            bad[i] ^= 0x10;
            assert_eq!(Response::decode(&bad), Err(Malformed::Checksum), "byte {i}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Packet::parse(&bytes).map(|p| (Request::decode(p.body), Response::decode(p.body), Serial::decode(p.body)));
            let mut framed = RMCP.to_vec();
            framed.extend(bytes);
            let _ = Packet::parse(&framed).map(|p| (Request::decode(p.body), Response::decode(p.body), Serial::decode(p.body)));
        }

        #[test]
        fn an_answer_reads_back_as_written(netfn in 0u8..32, command: u8, sequence in 0u8..64, code: u8, data in proptest::collection::vec(any::<u8>(), 0..64)) {
            let request = Request { netfn: netfn * 2, lun: 0, command, data: vec![] };
            let read = Response::decode(&request.answer(sequence, code, &data)).unwrap();
            prop_assert_eq!(read, Response { netfn: netfn * 2 + 1, command, sequence, code, data });
        }
    }
}
