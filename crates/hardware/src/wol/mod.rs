//! A box without a BMC: it is woken through its network port (Wake-on-LAN), and that is all that can be told to it.
//!
//! [`Wol`] is the driver for `wol://MAC` and `wol://MAC/BROADCAST`; [`packet`] is what it sends. Nothing behind such an
//! address ever answers: whether the box is on, what it is made of and how its power is cut come from elsewhere (its
//! outlets, its agent, its login), which this driver knows nothing of and makes up nothing about.
//!
//! A credential whose user is `secureon` carries the SecureOn password of the port, six bytes in hexadecimal. Any other
//! credential is not for this box, and nothing of it is sent.

pub mod packet;

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use rack::node::{Abilities, BmcAddress, Part, PartKind};
use rack::{Health, Identity, Mac, ResetKind};
use tokio::net::UdpSocket;

use crate::capability::{Answer, Driver, Power};
use crate::error::Error;
use crate::found::{Found, FoundSystem, Glance, Receipt};
use crate::line::Line;
use crate::permit::{Credential, Mode, Permit};

/// How often a wake-up is sent: nothing acknowledges it, and a switch may lose one while it learns.
const TIMES: u32 = 3;
/// Between two of them.
const PAUSE: Duration = Duration::from_millis(500);
/// The user of a credential that is a SecureOn password.
const SECURE_ON: &str = "secureon";

/// Sends one packet to everyone on a network: the seam that a simulation replaces.
pub trait Shout: Send + Sync {
    /// Sends `packet` to the broadcast address `to`, once. That it was sent says nothing of who heard it.
    fn shout<'a>(&'a self, packet: &'a [u8], to: SocketAddrV4) -> Heard<'a>;
}

/// What becomes of a [`Shout`].
pub type Heard<'a> = Pin<Box<dyn Future<Output = std::io::Result<()>> + Send + 'a>>;

/// UDP of this host.
pub struct Udp;

impl Shout for Udp {
    fn shout<'a>(&'a self, packet: &'a [u8], to: SocketAddrV4) -> Heard<'a> {
        Box::pin(async move {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
            socket.set_broadcast(true)?;
            socket.send_to(packet, to).await?;
            Ok(())
        })
    }
}

/// A box that can be woken.
pub struct Wol {
    line: Line,
    shout: Arc<dyn Shout>,
    target: packet::Target,
    password: Option<[u8; 6]>,
}

impl Wol {
    /// The box at `url`, woken through `shout`. Nothing is sent.
    ///
    /// # Errors
    /// When the URL names no network port, or the password is none of SecureOn's.
    pub fn new(url: &str, shout: Arc<dyn Shout>, credential: Credential, mode: Mode) -> Result<Wol, Error> {
        let unreachable = |why: String| Error::Unreachable {
            address: url.to_owned(),
            path: "waking it".into(),
            why,
        };
        let target = packet::target(url).map_err(unreachable)?;
        let password = (credential.user == SECURE_ON).then(|| credential.password.parse::<Mac>());
        let password = password
            .transpose()
            .map_err(|_| {
                unreachable("a SecureOn password is six bytes in hexadecimal, such as 01-23-45-67-89-ab".into())
            })?
            .map(|m| m.0);
        Ok(Wol {
            line: Line::new(url, mode),
            shout,
            target,
            password,
        })
    }

    async fn wake(&self) -> Result<(), Error> {
        let failed = |e: std::io::Error| Error::Unreachable {
            address: self.line.url().to_owned(),
            path: "waking it".into(),
            why: format!("sending to {}: {e}", self.target.to),
        };
        let packet = packet::magic(self.target.mac, self.password);
        for time in 0..TIMES {
            if time > 0 {
                tokio::time::sleep(PAUSE).await;
            }
            self.line.count();
            self.shout.shout(&packet, self.target.to).await.map_err(failed)?;
        }
        Ok(())
    }
}

impl Driver for Wol {
    fn line(&self) -> &Line {
        &self.line
    }

    fn discover(&self) -> Answer<'_, Found> {
        let port = Part {
            id: "nic1".into(),
            kind: PartKind::Nic {
                mac: Some(self.target.mac),
                link: None,
                mbps: None,
                neighbour: None,
            },
            maker: None,
            model: None,
            serial: None,
            firmware: None,
            health: Health::Unknown,
        };
        let system = FoundSystem {
            identity: Identity::default(),
            abilities: Abilities {
                reset: vec![ResetKind::On],
                no_bmc: true,
                ..Abilities::default()
            },
            parts: vec![port],
            health: Health::Unknown,
            power: None,
            system: self.target.mac.to_string(),
            manager: None,
            chassis: None,
            is_machine: true,
            firmware: Vec::new(),
        };
        let found = Found {
            systems: vec![system],
            devices: Vec::new(),
            problems: Vec::new(),
            requests: 0,
        };
        Box::pin(async move { Ok(found) })
    }

    fn power(&self) -> Option<&dyn Power> {
        Some(self)
    }
}

impl Power for Wol {
    /// Nothing is asked, as nothing would answer: power is untold.
    fn glance<'a>(&'a self, _at: &'a BmcAddress) -> Answer<'a, Glance> {
        Box::pin(async {
            Ok(Glance {
                identity: Identity::default(),
                power: None,
                boot: None,
                health: Health::Unknown,
            })
        })
    }

    /// [`ResetKind::On`] wakes it; a box that is on already takes no notice. Never [`Receipt::Done`]: nobody tells.
    fn reset<'a>(&'a self, _at: &'a BmcAddress, kind: ResetKind, _permit: &'a Permit) -> Answer<'a, Receipt> {
        Box::pin(async move {
            if self.line.mode() == Mode::Observe {
                return Err(Error::NotArmed {
                    address: self.line.url().to_owned(),
                    method: "magic packet".into(),
                    path: self.target.mac.to_string(),
                });
            }
            if kind != ResetKind::On {
                return Err(Error::NotOffered {
                    address: self.line.url().to_owned(),
                    what: format!("reset {kind:?}: it has no BMC"),
                    have: vec!["On".into()],
                });
            }
            self.wake().await?;
            Ok(Receipt::Accepted { task: None })
        })
    }

    fn reset_manager<'a>(&'a self, _at: &'a BmcAddress, _permit: &'a Permit) -> Answer<'a, Receipt> {
        Box::pin(async { Err(Error::lacks(self.line.url(), "a BMC to restart")) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credential(user: &str, password: &str) -> Credential {
        Credential {
            user: user.into(),
            password: password.into(),
        }
    }

    fn address() -> BmcAddress {
        BmcAddress {
            url: String::new(),
            system: String::new(),
            manager: None,
            chassis: None,
            credential: "default".parse().expect("a name"),
            certificate: None,
        }
    }

    fn permit() -> Permit {
        Permit::recorded("audit@1".into(), "n1".parse().expect("an id"))
    }

    async fn woken(credential: Credential) -> Vec<Vec<u8>> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a socket");
        let at = socket.local_addr().expect("its address");
        let url = format!("wol://52-54-00-12-34-56/{at}");
        let wol = Wol::new(&url, Arc::new(Udp), credential, Mode::Act).expect("a driver");
        let power = wol.power().expect("power");
        let receipt = power.reset(&address(), ResetKind::On, &permit()).await;
        assert_eq!(receipt, Ok(Receipt::Accepted { task: None }));
        let mut all = Vec::new();
        for _ in 0..TIMES {
            let mut packet = vec![0; 200];
            let n = socket.recv(&mut packet).await.expect("a packet");
            packet.truncate(n);
            all.push(packet);
        }
        all
    }

    #[tokio::test]
    async fn a_wake_up_is_sent_a_few_times_and_carries_only_a_password_that_is_meant_for_it() {
        let mac = Mac([0x52, 0x54, 0x00, 0x12, 0x34, 0x56]);
        // The credential of the other boxes' BMCs must not be shouted into the network.
        let plain = woken(credential("root", "52-54-00-12-34-99")).await;
        assert!(plain.iter().all(|p| *p == packet::magic(mac, None)));
        let secured = woken(credential("secureon", "01-02-03-04-05-06")).await;
        assert!(
            secured
                .iter()
                .all(|p| *p == packet::magic(mac, Some([1, 2, 3, 4, 5, 6])))
        );
        assert!(
            Wol::new(
                "wol://52-54-00-12-34-56",
                Arc::new(Udp),
                credential("secureon", "hunter2"),
                Mode::Act
            )
            .is_err()
        );
    }

    #[tokio::test]
    async fn unarmed_or_told_anything_but_on_it_sends_nothing() {
        let wol = Wol::new(
            "wol://52-54-00-12-34-56",
            Arc::new(Udp),
            credential("", ""),
            Mode::Observe,
        )
        .expect("a driver");
        let refused = wol.reset(&address(), ResetKind::On, &permit()).await;
        assert!(matches!(refused, Err(Error::NotArmed { .. })), "{refused:?}");
        wol.set_mode(Mode::Act);
        let refused = wol.reset(&address(), ResetKind::ForceOff, &permit()).await;
        assert!(matches!(refused, Err(Error::NotOffered { .. })), "{refused:?}");
        assert_eq!(wol.requests(), 0);
        let found = wol.discover().await.expect("found");
        assert_eq!(found.systems[0].power, None);
        assert!(wol.boot().is_none() && wol.sensors().is_none());
    }
}
