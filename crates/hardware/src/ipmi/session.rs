//! A session of RMCP+: how it is opened (IPMI 2.0 §13.17 to §13.24), and its packets in both directions.

use std::io;

use crate::ipmi::command;
use crate::ipmi::crypt::{BLOCK, Handshake, Keys, PASSWORD, Suite, same};
use crate::ipmi::packet::{Packet, Request, Response, payload, rmcp_plus, without_session};
use crate::ipmi::udp::{Channel, Datagrams, Lost, exchange};
use crate::permit::Credential;

/// Look the user up by its name alone, not by name and privilege (§13.20): the latter fails where a name has an
/// entry for each privilege that one asks for.
const BY_NAME: u8 = 0x10;
/// Longest user name (§22.28).
const USER: usize = 16;
/// Sequence numbers behind the highest seen that may still come (§6.12.13).
const WINDOW: u32 = 16;

/// Privileges of a session (§6.8).
pub mod privilege {
    /// Reads most.
    pub const USER: u8 = 2;
    /// Reads all, and switches.
    pub const OPERATOR: u8 = 3;
    /// Does all.
    pub const ADMINISTRATOR: u8 = 4;
}

/// Why a session was not opened.
#[derive(Debug)]
pub enum Refused {
    /// No answer.
    Lost(Lost),
    /// User or password are wrong.
    Credentials,
    /// The account may not have so much privilege.
    Privilege,
    /// The BMC found the console's proof wrong, though its own was right: so the password is, and a repeated message
    /// made it choose another random number.
    Crossed,
    /// The BMC knows no such suite.
    Suite,
    /// It has no IPMI 2.0, or wants what is not offered here.
    NotOffered(&'static str),
    /// Another reason, in words.
    Other(String),
}

impl From<Lost> for Refused {
    fn from(lost: Lost) -> Self {
        Refused::Lost(lost)
    }
}

/// A status of RMCP+ and RAKP (§13.24, table 13-15).
fn refused(status: u8) -> Refused {
    match status {
        0x04 | 0x05 | 0x10 | 0x11 => Refused::Suite,
        0x09 | 0x0a => Refused::Privilege,
        0x0c | 0x0d => Refused::Credentials,
        0x0f => Refused::Crossed,
        0x01 | 0x0b => Refused::Other("it has no session left".into()),
        other => Refused::Other(format!("status {other:#04x} of the session's opening")),
    }
}

/// An open session.
pub struct Session {
    keys: Keys,
    console: u32,
    bmc: u32,
    sent: u32,
    /// Highest sequence received, and which of those before it were.
    seen: (u32, u32),
    request: u8,
    /// GUID of the system, as its opening told.
    pub guid: [u8; 16],
}

/// Asks what the BMC's channel can do, outside of a session (§22.13).
async fn capabilities(channel: &dyn Channel) -> Result<(), Refused> {
    let c = command::AUTH_CAPABILITIES;
    let request = Request {
        netfn: c.netfn,
        lun: 0,
        command: c.code,
        // This channel; with the data of IPMI 2.0.
        data: vec![0x8e, privilege::ADMINISTRATOR],
    };
    let answer = exchange(
        channel,
        &mut (),
        |(), n| {
            let sequence = u8::try_from(n % 64).unwrap_or(0);
            Ok(without_session(&request.encode(sequence)))
        },
        |(), bytes| {
            let packet = Packet::parse(bytes).ok().filter(|p| p.session == 0)?;
            Response::decode(packet.body).ok().filter(|r| r.command == c.code)
        },
    )
    .await?;
    let ([_, types, status, extended, ..], 0) = (answer.data.as_slice(), answer.code) else {
        return Err(Refused::NotOffered("IPMI 2.0"));
    };
    if types & 0x80 == 0 || extended & 0x02 == 0 {
        return Err(Refused::NotOffered("IPMI 2.0 (only IPMI 1.5)"));
    }
    if status & 0x20 != 0 {
        return Err(Refused::NotOffered(
            "sessions without its BMC key (Kg); clear that key in its settings",
        ));
    }
    Ok(())
}

/// Sends one message of the opening and waits for the matching one.
async fn step(channel: &dyn Channel, kind: u8, answer: u8, body: &[u8]) -> Result<Vec<u8>, Lost> {
    let packet = rmcp_plus(kind, 0, 0, body);
    exchange(
        channel,
        &mut (),
        |(), _| Ok(packet.clone()),
        |(), bytes| {
            let p = Packet::parse(bytes).ok()?;
            let mine = p.payload == answer && !p.encrypted && p.body.len() >= 2 && p.body.first() == body.first();
            mine.then(|| p.body.to_vec())
        },
    )
    .await
}

impl Session {
    /// Opens a session with one suite and one privilege. `tag` marks the messages of this try, so that a late answer to
    /// another one is not taken for theirs.
    pub async fn open(
        channel: &dyn Channel,
        datagrams: &dyn Datagrams,
        credential: &Credential,
        suite: Suite,
        privilege: u8,
        tag: u8,
    ) -> Result<Session, Refused> {
        if credential.user.len() > USER || credential.password.len() > PASSWORD {
            return Err(Refused::Credentials);
        }
        let random = |bytes: &mut [u8]| datagrams.random(bytes).map_err(|e| Refused::Lost(Lost::Network(e)));
        let mut console = [0; 4];
        random(&mut console)?;
        // 0 stands for no session.
        let console = u32::from_le_bytes(console).max(1);
        let [auth, integrity, confidentiality] = suite.algorithms();
        let mut open = vec![tag, privilege, 0, 0];
        open.extend(console.to_le_bytes());
        for (kind, algorithm) in [(0, auth), (1, integrity), (2, confidentiality)] {
            open.extend([kind, 0, 0, 8, algorithm, 0, 0, 0]);
        }
        let answer = step(channel, payload::OPEN_REQUEST, payload::OPEN_RESPONSE, &open).await?;
        if answer[1] != 0 {
            return Err(refused(answer[1]));
        }
        let (Some(echo), Some(bmc), Some(agreed)) = (four(&answer, 4), four(&answer, 8), answer.get(12..36)) else {
            return Err(Refused::Other(
                "its answer to the session's opening is cut short".into(),
            ));
        };
        if echo != console || [agreed[4], agreed[12], agreed[20]] != suite.algorithms() {
            return Err(Refused::Suite);
        }
        let mut shake = Handshake {
            suite,
            console,
            bmc,
            console_random: [0; 16],
            bmc_random: [0; 16],
            guid: [0; 16],
            role: privilege | BY_NAME,
            user: credential.user.clone().into_bytes(),
            password: padded(&credential.password),
        };
        random(&mut shake.console_random)?;
        let mut one = vec![tag, 0, 0, 0];
        one.extend(bmc.to_le_bytes());
        one.extend(shake.console_random);
        one.extend([shake.role, 0, 0, u8::try_from(shake.user.len()).unwrap_or(0)]);
        one.extend(&shake.user);
        let two = step(channel, payload::RAKP1, payload::RAKP2, &one).await?;
        if two[1] != 0 {
            return Err(refused(two[1]));
        }
        let (Some(echo), Some(random), Some(guid), Some(code)) =
            (four(&two, 4), sixteen(&two, 8), sixteen(&two, 24), two.get(40..))
        else {
            return Err(Refused::Other("its RAKP message 2 is cut short".into()));
        };
        (shake.bmc_random, shake.guid) = (random, guid);
        if echo != console || !same(code, &shake.rakp2()) {
            return Err(Refused::Credentials);
        }
        let mut three = vec![tag, 0, 0, 0];
        three.extend(bmc.to_le_bytes());
        three.extend(shake.rakp3());
        let four_ = step(channel, payload::RAKP3, payload::RAKP4, &three).await?;
        if four_[1] != 0 {
            return Err(refused(four_[1]));
        }
        if four(&four_, 4) != Some(console) || !same(four_.get(8..).unwrap_or_default(), &shake.rakp4()) {
            return Err(Refused::Other(
                "its RAKP message 4 does not prove the session's key".into(),
            ));
        }
        let mut session = Session {
            keys: shake.keys(),
            console,
            bmc,
            sent: 0,
            seen: (0, 0),
            request: 0,
            guid,
        };
        // A session starts with the privilege of a user (§13.16).
        if privilege != privilege::USER {
            let answer = session
                .ask(channel, datagrams, command::SET_PRIVILEGE, 0, &[privilege], false)
                .await?;
            match answer.code {
                0 => {}
                0x80 | 0x81 => {
                    session.close(channel, datagrams).await;
                    return Err(Refused::Privilege);
                }
                code => {
                    return Err(Refused::Other(crate::ipmi::packet::completion(code).into()));
                }
            }
        }
        Ok(session)
    }

    /// Asks what the BMC offers, then opens a session with the best of `suites` and of `privileges` that it takes.
    pub async fn negotiate(
        channel: &dyn Channel,
        datagrams: &dyn Datagrams,
        credential: &Credential,
        suites: &[Suite],
        privileges: &[u8],
    ) -> Result<Session, Refused> {
        capabilities(channel).await?;
        let mut tag = [0];
        datagrams.random(&mut tag).map_err(Lost::Network)?;
        let mut open = async |suite, privilege| {
            tag[0] = tag[0].wrapping_add(1);
            Session::open(channel, datagrams, credential, suite, privilege, tag[0]).await
        };
        let mut last = Refused::Suite;
        'suites: for suite in suites {
            for privilege in privileges {
                let opened = match open(*suite, *privilege).await {
                    Err(Refused::Crossed) => open(*suite, *privilege).await,
                    other => other,
                };
                match opened {
                    Ok(session) => return Ok(session),
                    Err(e @ Refused::Privilege) => last = e,
                    // Some old BMCs are silent about a suite that they don't know, though they answered before.
                    Err(e @ (Refused::Suite | Refused::Lost(Lost::Silence(_)))) => {
                        last = e;
                        continue 'suites;
                    }
                    Err(e) => return Err(e),
                }
            }
            return Err(last);
        }
        Err(last)
    }

    /// The suite in use.
    pub fn suite(&self) -> Suite {
        self.keys.suite()
    }

    /// A packet to send.
    pub fn wrap(&mut self, datagrams: &dyn Datagrams, kind: u8, body: &[u8]) -> io::Result<Vec<u8>> {
        let mut iv = [0; BLOCK];
        datagrams.random(&mut iv)?;
        self.sent = self.sent.wrapping_add(1).max(1);
        Ok(self.keys.seal(kind, self.bmc, self.sent, body, iv))
    }

    /// Payload type and payload of a packet that came; nothing when it is not of this session, or came before.
    pub fn unwrap(&mut self, bytes: &[u8]) -> Option<(u8, Vec<u8>)> {
        let packet = Packet::parse(bytes).ok().filter(|p| p.session == self.console)?;
        let body = self.keys.open(&packet).ok()?;
        let (highest, before) = self.seen;
        if packet.sequence > highest {
            let moved = packet.sequence - highest;
            let shifted = if moved < u32::BITS {
                before << moved | 1 << (moved - 1)
            } else {
                0
            };
            self.seen = (packet.sequence, shifted);
        } else {
            let back = highest - packet.sequence;
            if back == 0 || back > WINDOW || before & 1 << (back - 1) != 0 {
                return None;
            }
            self.seen.1 |= 1 << (back - 1);
        }
        Some((packet.payload, body))
    }

    /// The next request, ready to be wrapped, and its sequence.
    pub fn next(&mut self, command: command::Command, lun: u8, data: &[u8]) -> (Vec<u8>, u8) {
        self.request = (self.request + 1) % 64;
        let request = Request {
            netfn: command.netfn,
            lun,
            command: command.code,
            data: data.to_vec(),
        };
        (request.encode(self.request), self.request)
    }

    /// Sends a command and waits for its answer. With `once`, a repeated packet is the very same one, which a BMC that
    /// has seen it drops: so it is carried out at most once, and a lost answer stays lost.
    pub async fn ask(
        &mut self,
        channel: &dyn Channel,
        datagrams: &dyn Datagrams,
        command: command::Command,
        lun: u8,
        data: &[u8],
        once: bool,
    ) -> Result<Response, Lost> {
        let (message, sequence) = self.next(command, lun, data);
        let first = self.wrap(datagrams, payload::IPMI, &message).map_err(Lost::Network)?;
        exchange(
            channel,
            self,
            |session, n| {
                if n == 0 || once {
                    Ok(first.clone())
                } else {
                    session.wrap(datagrams, payload::IPMI, &message)
                }
            },
            |session, bytes| {
                let (kind, body) = session.unwrap(bytes)?;
                let answer = Response::decode(&body).ok().filter(|_| kind == payload::IPMI)?;
                let mine =
                    answer.sequence == sequence && answer.command == command.code && answer.netfn == command.netfn | 1;
                mine.then_some(answer)
            },
        )
        .await
    }

    /// Gives the session back (§22.19); whether that arrives does not matter, as the BMC forgets idle ones by itself.
    pub async fn close(&mut self, channel: &dyn Channel, datagrams: &dyn Datagrams) {
        let (message, _) = self.next(command::CLOSE_SESSION, 0, &self.bmc.to_le_bytes());
        if let Ok(packet) = self.wrap(datagrams, payload::IPMI, &message) {
            let _ = channel.send(&packet).await;
        }
    }
}

/// A password as its bytes count.
pub fn padded(password: &str) -> [u8; PASSWORD] {
    let mut out = [0; PASSWORD];
    out.iter_mut().zip(password.bytes()).for_each(|(o, b)| *o = b);
    out
}

fn four(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes)
}

fn sixteen(bytes: &[u8], at: usize) -> Option<[u8; 16]> {
    bytes.get(at..at + 16)?.try_into().ok()
}
