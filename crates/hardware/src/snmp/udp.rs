//! The edge: an [`Agent`] over UDP. Packets are made and read by `snmp2`.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use snmp2::v3::{Auth, AuthProtocol, Cipher, Security};
use snmp2::{AsyncSession, Pdu, Value as Wire};
use tokio::sync::Mutex;

use crate::permit::Credential;
use crate::snmp::agent::{Agent, Bindings, Oid, Reply, Trouble, Value};

/// Waited for each answer before the question is sent again. PDU agents answer in 5 ms to 1 s, and lose packets.
const WAITS: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(3)];
/// Waited for the answer to a write, which is sent once.
const WRITE_WAIT: Duration = Duration::from_secs(5);
/// Answers read for one question: a clock that was set or a discovery takes one round more (RFC 3414 §4).
const ROUNDS: usize = 3;
/// Shortest passphrase of SNMPv3 (RFC 3414 §11.2).
const PASSPHRASE: usize = 8;
/// The user that stands for SNMPv2c.
pub const COMMUNITY: &str = "community";
/// Between the passphrases of authentication and of privacy.
pub const SEPARATOR: &str = "::";
/// Digests of SNMPv3 in the order that they are tried: RFC 7860, then RFC 3414.
const DIGESTS: [AuthProtocol; 2] = [AuthProtocol::Sha256, AuthProtocol::Sha1];

/// An agent at an address.
pub struct UdpAgent {
    host: String,
    port: u16,
    credential: Credential,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    session: Option<AsyncSession>,
    /// Which of [`DIGESTS`] the agent knows the user by.
    digest: usize,
}

enum Question<'a> {
    Get(&'a [Oid]),
    Next(&'a Oid),
    Bulk(&'a Oid, u32),
    Set(&'a Oid, i64),
}

impl UdpAgent {
    /// An agent; nothing is sent before the first question.
    pub fn new(host: &str, port: u16, credential: Credential) -> UdpAgent {
        UdpAgent {
            host: host.to_owned(),
            port,
            credential,
            open: Mutex::default(),
        }
    }

    async fn connect(&self, digest: AuthProtocol) -> Result<AsyncSession, Trouble> {
        let address = match self.host.parse::<IpAddr>() {
            Ok(address) => address,
            Err(_) => crate::resolve::first(&self.host)
                .await
                .map_err(|e| Trouble::Silent(format!("`{}` is no address and can't be resolved: {e}", self.host)))?,
        };
        let to = SocketAddr::new(address, self.port);
        let first = first_id()?;
        let c = &self.credential;
        let session = if c.user.is_empty() || c.user == COMMUNITY {
            AsyncSession::new_v2c(to, c.password.as_bytes(), first).await
        } else {
            AsyncSession::new_v3(to, first, security(c, digest)?).await
        };
        session.map_err(|e| Trouble::Silent(e.to_string()))
    }

    async fn ask(&self, question: Question<'_>) -> Result<Bindings, Trouble> {
        let waits: &[Duration] = match question {
            Question::Set(..) => &[WRITE_WAIT],
            _ => &WAITS,
        };
        let mut open = self.open.lock().await;
        let mut last = Trouble::Silent(String::new());
        for wait in waits {
            match tokio::time::timeout(*wait, self.once(&mut open, &question)).await {
                Ok(Ok(bindings)) => return Ok(bindings),
                Ok(Err(t @ (Trouble::Status { .. } | Trouble::Refused(_)))) => return Err(t),
                Ok(Err(t)) => last = t,
                Err(_) => {
                    last = Trouble::Silent(format!(
                        "no answer within {} s, as when it is off, or when community or user are wrong",
                        waits.iter().sum::<Duration>().as_secs()
                    ));
                }
            }
            // A late answer would be taken for that of the next question: another port does not hear it.
            open.session = None;
        }
        Err(last)
    }

    async fn once(&self, open: &mut Open, question: &Question<'_>) -> Result<Bindings, Trouble> {
        loop {
            let digest = *DIGESTS.get(open.digest).unwrap_or(&DIGESTS[0]);
            let answer = match self.opened(open, digest).await {
                Ok(session) => exchange(session, question).await,
                Err(t) => Err(t),
            };
            match answer {
                // The agent does not say what is wrong; an older one knows the user by the older digest only.
                Err(Trouble::Refused(_)) if open.digest + 1 < DIGESTS.len() && self.has_user() => {
                    open.session = None;
                    open.digest += 1;
                }
                Err(Trouble::Refused(why)) => {
                    *open = Open::default();
                    return Err(Trouble::Refused(why));
                }
                other => return other,
            }
        }
    }

    fn has_user(&self) -> bool {
        !self.credential.user.is_empty() && self.credential.user != COMMUNITY
    }

    async fn opened<'o>(&self, open: &'o mut Open, digest: AuthProtocol) -> Result<&'o mut AsyncSession, Trouble> {
        if open.session.is_none() {
            let mut session = self.connect(digest).await?;
            session.init().await.map_err(trouble)?;
            open.session = Some(session);
        }
        open.session
            .as_mut()
            .ok_or_else(|| Trouble::Silent("no session".into()))
    }
}

impl Agent for UdpAgent {
    fn get<'a>(&'a self, oids: &'a [Oid]) -> Reply<'a> {
        Box::pin(self.ask(Question::Get(oids)))
    }

    fn get_next<'a>(&'a self, oid: &'a Oid) -> Reply<'a> {
        Box::pin(self.ask(Question::Next(oid)))
    }

    fn get_bulk<'a>(&'a self, oid: &'a Oid, most: u32) -> Reply<'a> {
        Box::pin(self.ask(Question::Bulk(oid, most)))
    }

    fn set<'a>(&'a self, oid: &'a Oid, value: i64) -> Reply<'a> {
        Box::pin(self.ask(Question::Set(oid, value)))
    }
}

/// Request ids start where nobody can guess, so that answers can't be made up blindly.
fn first_id() -> Result<i32, Trouble> {
    let mut bytes = [0; 4];
    ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes)
        .map_err(|_| Trouble::Silent("the system has no randomness".into()))?;
    // Positive: agents are seen that mirror a negative one wrongly.
    Ok(i32::from_be_bytes(bytes) & i32::MAX)
}

/// Always authenticated, and encrypted unless the passphrase for that is empty on purpose.
fn security(c: &Credential, digest: AuthProtocol) -> Result<Security, Trouble> {
    let (auth, private) = match c.password.split_once(SEPARATOR) {
        Some((auth, private)) => (auth, private),
        None => (c.password.as_str(), c.password.as_str()),
    };
    if auth.len() < PASSPHRASE || (!private.is_empty() && private.len() < PASSPHRASE) {
        return Err(Trouble::Refused(format!(
            "a passphrase of SNMPv3 has at least {PASSPHRASE} characters (RFC 3414 §11.2)"
        )));
    }
    let level = if private.is_empty() {
        Auth::AuthNoPriv
    } else {
        Auth::AuthPriv {
            cipher: Cipher::Aes128,
            privacy_password: private.as_bytes().to_vec(),
        }
    };
    Ok(Security::new(c.user.as_bytes(), auth.as_bytes())
        .with_auth_protocol(digest)
        .with_auth(level))
}

async fn exchange(session: &mut AsyncSession, question: &Question<'_>) -> Result<Bindings, Trouble> {
    let mut last = Trouble::Broken("it has no clock that holds".into());
    for _ in 0..ROUNDS {
        let answer = match question {
            Question::Get(oids) => {
                let wire = oids.iter().map(wire_oid).collect::<Result<Vec<_>, _>>()?;
                let refs: Vec<&snmp2::Oid<'_>> = wire.iter().collect();
                session.get_many(&refs).await
            }
            Question::Next(oid) => session.getnext(&wire_oid(oid)?).await,
            Question::Bulk(oid, most) => session.getbulk(&[&wire_oid(oid)?], 0, *most).await,
            Question::Set(oid, value) => session.set(&[(&wire_oid(oid)?, Wire::Integer(*value))]).await,
        };
        match answer {
            Ok(pdu) => return bindings(pdu),
            // RFC 3414 §3.2: nothing was done with the question, so a write may go out again.
            Err(snmp2::Error::AuthUpdated) => last = trouble(snmp2::Error::AuthUpdated),
            Err(e) => return Err(trouble(e)),
        }
    }
    Err(last)
}

fn wire_oid(oid: &Oid) -> Result<snmp2::Oid<'static>, Trouble> {
    let numbers: Vec<u64> = oid.numbers().iter().map(|n| u64::from(*n)).collect();
    snmp2::Oid::from(&numbers).map_err(|_| Trouble::Broken(format!("{oid} can't be sent")))
}

fn bindings(pdu: Pdu<'_>) -> Result<Bindings, Trouble> {
    if pdu.error_status != 0 {
        return Err(Trouble::Status {
            status: pdu.error_status,
        });
    }
    pdu.varbinds
        .map(|(name, value)| Ok((own_oid(&name).ok_or_else(odd_name)?, own(value))))
        .collect()
}

/// What one packet says; for fuzzing.
#[doc(hidden)]
pub fn read(packet: &[u8]) -> Result<Bindings, Trouble> {
    Pdu::from_bytes(packet).map_err(trouble).and_then(bindings)
}

fn odd_name() -> Trouble {
    Trouble::Broken("it answers with the name of an object that is none".into())
}

fn own_oid(oid: &snmp2::Oid<'_>) -> Option<Oid> {
    let numbers: Option<Vec<u32>> = oid.iter()?.map(|n| u32::try_from(n).ok()).collect();
    Oid::new(numbers?)
}

fn own(value: Wire<'_>) -> Value {
    match value {
        Wire::Integer(n) => Value::Number(n),
        Wire::Counter32(n) | Wire::Unsigned32(n) | Wire::Timeticks(n) => Value::Number(n.into()),
        Wire::Counter64(n) => i64::try_from(n).map_or(Value::Missing, Value::Number),
        Wire::OctetString(bytes) => Value::Octets(bytes.to_vec()),
        Wire::ObjectIdentifier(oid) => own_oid(&oid).map_or(Value::Missing, Value::Name),
        Wire::EndOfMibView => Value::End,
        _ => Value::Missing,
    }
}

fn trouble(e: snmp2::Error) -> Trouble {
    match e {
        snmp2::Error::AuthFailure(kind) => Trouble::Refused(kind.to_string()),
        snmp2::Error::Send | snmp2::Error::Receive => Trouble::Silent("nothing listens at its port".into()),
        e => Trouble::Broken(format!("its answer is no SNMP, or one to something else ({e})")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An answer to a walk, as an agent sent it.
    fn good() -> Vec<u8> {
        let mut bytes = vec![0x30, 0x2b, 0x02, 0x01, 0x01, 0x04, 0x06];
        bytes.extend(b"public");
        bytes.extend([0xa2, 0x1e, 0x02, 0x01, 0x05, 0x02, 0x01, 0x00, 0x02, 0x01, 0x00]);
        bytes.extend([
            0x30, 0x13, 0x30, 0x11, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x02, 0x01, 0x01, 0x05, 0x00,
        ]);
        bytes.extend([0x04, 0x05]);
        bytes.extend(b"pdu-1");
        bytes
    }

    #[test]
    fn an_answer_is_read() {
        let got = read(&good()).unwrap();
        assert_eq!(got[0].0.to_string(), "1.3.6.1.2.1.1.5.0");
        assert_eq!(got[0].1.text().unwrap(), "pdu-1");
    }

    proptest! {
        #[test]
        fn any_packet_is_read_or_refused_but_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
        }

        #[test]
        fn a_bent_answer_never_panics(at in 0usize..45, with in any::<u8>(), cut in 0usize..46) {
            let mut bytes = good();
            if let Some(b) = bytes.get_mut(at) { *b = with; }
            bytes.truncate(cut);
            let _ = read(&bytes);
        }
    }

    #[test]
    fn passphrases_are_one_or_two_and_never_short() {
        let with = |password: &str| {
            let c = Credential {
                user: "ops".into(),
                password: password.into(),
            };
            security(&c, AuthProtocol::Sha1).map(|_| ())
        };
        assert!(with("long-enough").is_ok());
        assert!(with("long-enough::other-enough").is_ok());
        assert!(with("long-enough::").is_ok(), "not encrypted, on purpose");
        assert!(matches!(with("short"), Err(Trouble::Refused(_))));
        assert!(matches!(with("long-enough::short"), Err(Trouble::Refused(_))));
    }
}
