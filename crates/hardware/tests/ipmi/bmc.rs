//! A BMC of our own: what `ipmi_sim` lacks (suite 17, DCMI, boot flags that keep their valid bit), and faults. It has
//! sockets in memory, so that time can stand still.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};

use hardware::ipmi::crypt::{Handshake, Keys, Suite};
use hardware::ipmi::packet::{Packet, Request, Serial, payload, rmcp_plus, without_session};
use hardware::ipmi::udp::{Channel, Datagrams, Doing};
use tokio::sync::mpsc;

pub struct Bmc {
    pub user: &'static str,
    pub password: [u8; 20],
    pub suites: Vec<Suite>,
    /// Highest privilege of the user.
    pub most: u8,
    /// Packets that come in and are lost, by their count.
    pub lose: Vec<u32>,
    /// Packets whose answer is lost, by their count.
    pub hush: Vec<u32>,
    /// Answers that go out and are lost, by command.
    pub mute: Vec<(u8, u8)>,
    /// Commands that are never answered.
    pub deaf: Vec<(u8, u8)>,
    pub dead: bool,
    pub on: bool,
    pub lit: bool,
    pub boot: [u8; 5],
    pub watts: u16,
    pub limit: (bool, u16),
    /// Commands carried out.
    pub done: Vec<(u8, u8)>,
    /// Reservations that fail before one holds.
    pub unsteady: u32,
    /// Characters taken of the next piece of serial data; the rest is refused.
    pub takes: Vec<u8>,
    /// What was typed.
    pub typed: Vec<u8>,
    /// Whether the console is open.
    pub console: bool,
    /// Last piece of serial data received and answered.
    pub last: (u8, Serial),
    pub serial: Option<u32>,
    pub packets: u32,
    pub opening: HashMap<u32, Handshake>,
    pub open: HashMap<u32, Open>,
    pub random: u8,
}

pub struct Open {
    keys: Keys,
    console: u32,
    sent: u32,
    seen: Vec<u32>,
}

pub fn padded(password: &str) -> [u8; 20] {
    let mut out = [0; 20];
    out[..password.len()].copy_from_slice(password.as_bytes());
    out
}

fn le(bytes: &[u8]) -> u32 {
    u32::from_le_bytes(bytes[..4].try_into().unwrap())
}

impl Bmc {
    pub fn new() -> Bmc {
        Bmc {
            user: "admin",
            password: padded("secret"),
            suites: vec![Suite::Seventeen, Suite::Three],
            most: 4,
            lose: vec![],
            hush: vec![],
            mute: vec![],
            deaf: vec![],
            dead: false,
            on: true,
            lit: false,
            boot: [0; 5],
            watts: 412,
            limit: (false, 0),
            done: vec![],
            unsteady: 0,
            takes: vec![],
            typed: vec![],
            console: false,
            last: (0, Serial::default()),
            serial: None,
            packets: 0,
            opening: HashMap::new(),
            open: HashMap::new(),
            random: 0,
        }
    }

    /// As after a restart: no session is known.
    pub fn restart(&mut self) {
        self.open.clear();
    }

    fn sixteen(&mut self) -> [u8; 16] {
        self.random = self.random.wrapping_add(1);
        [self.random; 16]
    }

    /// What it answers to a packet.
    pub fn answer(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        self.packets += 1;
        if self.dead || self.lose.contains(&self.packets) {
            return None;
        }
        let p = Packet::parse(bytes).ok()?;
        let b = p.body;
        match (p.payload, p.session) {
            (payload::IPMI, 0) => {
                let (r, sequence) = Request::decode(b).unwrap();
                Some(without_session(&r.answer(
                    sequence,
                    0,
                    &[1, 0x80, 0x04, 0x02, 0, 0, 0, 0],
                )))
            }
            (payload::OPEN_REQUEST, _) => {
                let algorithms = [b[12], b[20], b[28]];
                let suite = self.suites.iter().find(|s| s.algorithms() == algorithms).copied();
                let mut out = vec![b[0], if suite.is_some() { 0 } else { 0x04 }, b[1], 0];
                out.extend(&b[4..8]);
                if let Some(suite) = suite {
                    let bmc = 0x1000 + u32::try_from(self.opening.len()).unwrap();
                    out.extend(bmc.to_le_bytes());
                    out.extend(&b[8..32]);
                    let shake = Handshake {
                        suite,
                        console: le(&b[4..]),
                        bmc,
                        console_random: [0; 16],
                        bmc_random: self.sixteen(),
                        guid: [0x42; 16],
                        role: 0,
                        user: vec![],
                        password: self.password,
                    };
                    self.opening.insert(bmc, shake);
                }
                Some(rmcp_plus(payload::OPEN_RESPONSE, 0, 0, &out))
            }
            (payload::RAKP1, _) => {
                let (user, most) = (self.user, self.most);
                let shake = self.opening.get_mut(&le(&b[4..]))?;
                shake.console_random.copy_from_slice(&b[8..24]);
                (shake.role, shake.user) = (b[24], b[28..].to_vec());
                let status = if shake.user != user.as_bytes() {
                    0x0d
                } else if b[24] & 0x0f > most {
                    0x0a
                } else {
                    0
                };
                let mut out = vec![b[0], status, 0, 0];
                out.extend(shake.console.to_le_bytes());
                if status == 0 {
                    out.extend(shake.bmc_random);
                    out.extend(shake.guid);
                    out.extend(shake.rakp2());
                }
                Some(rmcp_plus(payload::RAKP2, 0, 0, &out))
            }
            (payload::RAKP3, _) => {
                let id = le(&b[4..]);
                let shake = self.opening.get(&id)?;
                let good = b[1] == 0 && b[8..] == shake.rakp3();
                let mut out = vec![b[0], if good { 0 } else { 0x0f }, 0, 0];
                out.extend(shake.console.to_le_bytes());
                if good {
                    out.extend(shake.rakp4());
                    let open = Open {
                        keys: shake.keys(),
                        console: shake.console,
                        sent: 0,
                        seen: vec![],
                    };
                    self.open.insert(id, open);
                }
                Some(rmcp_plus(payload::RAKP4, 0, 0, &out))
            }
            (payload::IPMI, id) => {
                let open = self.open.get_mut(&id)?;
                let body = open.keys.open(&p).ok()?;
                if open.seen.contains(&p.sequence) {
                    return None;
                }
                open.seen.push(p.sequence);
                let (r, sequence) = Request::decode(&body).ok()?;
                if self.deaf.contains(&(r.netfn, r.command)) {
                    return None;
                }
                let (code, data) = self.run(&r);
                self.done.push((r.netfn, r.command));
                if let Some(i) = self.mute.iter().position(|m| *m == (r.netfn, r.command)) {
                    self.mute.remove(i);
                    return None;
                }
                let open = self.open.get_mut(&id)?;
                open.sent += 1;
                let message = r.answer(sequence, code, &data);
                Some(
                    open.keys
                        .seal(payload::IPMI, open.console, open.sent, &message, [7; 16]),
                )
            }
            (payload::SOL, id) => {
                let open = self.open.get_mut(&id)?;
                let body = open.keys.open(&p).ok()?;
                self.serial = Some(id);
                let piece = Serial::decode(&body).ok().filter(|s| s.sequence != 0)?;
                // A piece that was seen gets its answer again, under the same number: that is what a lost one needs.
                if piece.sequence != self.last.0 {
                    let most = self.takes.pop().unwrap_or(u8::MAX);
                    let took = piece.data.len().min(most.into());
                    self.typed.extend(&piece.data[..took]);
                    let answer = Serial {
                        sequence: if took == 0 { 0 } else { self.last.1.sequence % 15 + 1 },
                        acknowledges: piece.sequence,
                        accepted: u8::try_from(took).unwrap(),
                        status: if took < piece.data.len() { Serial::NACK } else { 0 },
                        data: piece.data[..took].to_vec(),
                    };
                    // What was refused whole may come again under its number.
                    self.last = (if took == 0 { 0 } else { piece.sequence }, answer);
                }
                open.sent += 1;
                Some(
                    open.keys
                        .seal(payload::SOL, open.console, open.sent, &self.last.1.encode(), [7; 16]),
                )
            }
            _ => None,
        }
    }

    /// The last piece of serial data once more, as a BMC sends it that missed the acknowledgement.
    fn repeat(&mut self) -> Option<Vec<u8>> {
        let open = self.open.get_mut(&self.serial?)?;
        open.sent += 1;
        Some(
            open.keys
                .seal(payload::SOL, open.console, open.sent, &self.last.1.encode(), [7; 16]),
        )
    }

    fn run(&mut self, r: &Request) -> (u8, Vec<u8>) {
        let d = r.data.as_slice();
        match (r.netfn, r.command) {
            (0x00, 0x01) => {
                let light = if self.lit { 0x60 } else { 0x40 };
                (0, vec![u8::from(self.on), 0, light, 0])
            }
            (0x00, 0x02) => {
                match d[0] {
                    0 => self.on = false,
                    1 => self.on = true,
                    _ => {}
                }
                (0, vec![])
            }
            (0x00, 0x04) => {
                self.lit = d[1] & 1 != 0;
                (0, vec![])
            }
            (0x00, 0x08) if d[0] == 5 => {
                self.boot.copy_from_slice(&d[1..6]);
                (0, vec![])
            }
            (0x00, 0x08) => (0x80, vec![]),
            (0x00, 0x09) => (0, [&[1, 5], self.boot.as_slice()].concat()),
            (0x06, 0x01) => (0, vec![0x20, 1, 2, 0x31, 2, 0xbf, 0x57, 1, 0, 0, 0, 0, 0, 0, 0]),
            (0x06, 0x02 | 0x3c) => (0, vec![]),
            (0x06, 0x3b) => (0, vec![d[0]]),
            (0x06, 0x44) => (0, vec![2, 2, 0, 0x34]),
            (0x06, 0x46) => {
                let name = if d[0] == 2 { self.user } else { "" };
                let mut out = name.as_bytes().to_vec();
                out.resize(16, 0);
                (0, out)
            }
            (0x06, 0x47) if d[1] == 2 => {
                self.password = padded("");
                self.password[..d.len() - 2].copy_from_slice(&d[2..]);
                (0, vec![])
            }
            (0x06, 0x47) => {
                let given = padded(std::str::from_utf8(&d[2..]).unwrap());
                (if given == self.password { 0 } else { 0x80 }, vec![])
            }
            (0x06, 0x48) if self.console => (0x80, vec![]),
            (0x06, 0x48) => {
                self.console = true;
                (0, vec![0, 0, 0, 0, 12, 0, 255, 0, 0x6f, 2, 0xff, 0xff])
            }
            (0x06, 0x49) => {
                self.console = false;
                (0, vec![])
            }
            (0x0a, 0x20) => (0, vec![0x51, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            (0x0a, 0x22) => (0, vec![1, 0]),
            // One sensor without a reading, in pieces of at most 16 bytes; the reservation fails at times.
            (0x0a, 0x23) if self.unsteady > 0 => {
                self.unsteady -= 1;
                (0xc5, vec![])
            }
            (0x0a, 0x23) if d[5] > 16 => (0xca, vec![]),
            (0x0a, 0x23) => {
                let mut record = vec![1, 0, 0x51, 1, 49, 0x20, 0, 1, 0x37, 1, 0, 0, 1, 1];
                record.resize(47, 0);
                (record[21], record[24]) = (1, 1);
                record.extend([0xc6, b'A', b'm', b'b', b'i', b'e', b'n']);
                let from = usize::from(d[4]);
                let to = (from + usize::from(d[5])).min(record.len());
                (0, [&[0xff, 0xff], &record[from..to]].concat())
            }
            (0x04, 0x2d) => (0, vec![0, 0xe0, 0, 0]),
            (0x2c, 0x02) if self.watts > 0 => {
                let mut out = vec![0xdc];
                out.extend(self.watts.to_le_bytes());
                out.resize(17, 0);
                out.push(0x40);
                (0, out)
            }
            (0x2c, 0x03) => {
                let mut out = vec![0xdc, 0, 0, 0];
                out.extend(self.limit.1.to_le_bytes());
                out.extend([0x70, 0x17, 0, 0, 0, 0, 5, 0]);
                (if self.limit.0 { 0 } else { 0x80 }, out)
            }
            (0x2c, 0x04) => {
                self.limit.1 = u16::from_le_bytes([d[5], d[6]]);
                (if self.limit.1 < 200 { 0x84 } else { 0 }, vec![0xdc])
            }
            (0x2c, 0x05) => {
                self.limit.0 = d[1] == 1;
                (0, vec![0xdc])
            }
            _ => (0xc1, vec![]),
        }
    }
}

/// The network in memory.
#[derive(Clone)]
pub struct Wire(pub Arc<Mutex<Bmc>>);

struct Socket {
    bmc: Arc<Mutex<Bmc>>,
    out: mpsc::UnboundedSender<Vec<u8>>,
    back: tokio::sync::Mutex<mpsc::UnboundedReceiver<Vec<u8>>>,
}

impl Datagrams for Wire {
    fn connect<'a>(&'a self, _host: &'a str, _port: u16) -> Doing<'a, Box<dyn Channel>> {
        let (out, back) = mpsc::unbounded_channel();
        let socket = Socket {
            bmc: self.0.clone(),
            out,
            back: tokio::sync::Mutex::new(back),
        };
        Box::pin(async move { Ok(Box::new(socket) as Box<dyn Channel>) })
    }

    fn random(&self, bytes: &mut [u8]) -> io::Result<()> {
        bytes.copy_from_slice(&[9; 16][..bytes.len()]);
        Ok(())
    }
}

impl Channel for Socket {
    fn send<'a>(&'a self, packet: &'a [u8]) -> Doing<'a, ()> {
        let mut bmc = self.bmc.lock().unwrap();
        let answer = bmc.answer(packet).filter(|_| !bmc.hush.contains(&bmc.packets));
        let repeated = bmc.repeat().filter(|_| answer.is_some());
        drop(bmc);
        if let Some(again) = repeated {
            let _ = self.out.send(again);
        }
        if let Some(answer) = answer {
            // Twice, as networks do: the second must not be taken for an answer to something else.
            let _ = self.out.send(answer.clone());
            let _ = self.out.send(answer);
        }
        Box::pin(async { Ok(()) })
    }

    fn receive<'a>(&'a self, buffer: &'a mut [u8]) -> Doing<'a, usize> {
        Box::pin(async move {
            let packet = self
                .back
                .lock()
                .await
                .recv()
                .await
                .ok_or_else(|| io::Error::other("closed"))?;
            buffer[..packet.len()].copy_from_slice(&packet);
            Ok(packet.len())
        })
    }
}
