//! The desk: where a machine's questions are answered from what is recorded.

use std::future::Future as StdFuture;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use rack::Mac;
use rack::agent::{AgentState, Order};

/// A boxed future, so that the seam is object safe.
pub type Future<'a, T> = Pin<Box<dyn StdFuture<Output = T> + Send + 'a>>;

/// Who asks, as far as the question tells. Any of it may be wrong or missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caller {
    /// Hardware address, from DHCP or from iPXE's `${net0/mac}`.
    pub mac: Option<Mac>,
    /// SMBIOS UUID, from iPXE's `${uuid}`.
    pub uuid: Option<String>,
    /// SMBIOS serial number, from iPXE's `${serial}`.
    pub serial: Option<String>,
    /// The address that the question came from.
    pub address: Option<IpAddr>,
}

/// What a machine that netboots should do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextBoot {
    /// Start the boot kit, whose agent shows this token.
    Agent {
        /// Bearer token of this one boot. Secret.
        token: String,
    },
    /// Go on to its own disk.
    Disk {
        /// Why, for the log of whoever watches the serial console.
        why: String,
    },
}

/// Why the desk gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// The token is of an earlier boot, or of none.
    #[error("this boot is not expected: {0}")]
    Refused(String),
    /// There is no such thing.
    #[error("there is no {0}")]
    Missing(String),
    /// Can't be answered now; ask again.
    #[error("cannot answer now: {0}")]
    Later(String),
}

/// One machine's metadata, from which every dialect is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// `i-` and 17 hexadecimal digits of the machine's uid: new for each machine, so that cloud-init runs once for each.
    pub id: String,
    /// Host name.
    pub host_name: String,
    /// Public keys, one `authorized_keys` line each.
    pub ssh_keys: Vec<String>,
    /// User data as it was given. May hold secrets.
    pub user_data: Option<String>,
    /// Hardware address of the boot port.
    pub mac: Mac,
    /// Its address.
    pub address: Ipv4Addr,
    /// Length of its network's prefix.
    pub prefix: u8,
    /// Rack, as the availability zone.
    pub zone: String,
    /// Place, as the host id.
    pub place: String,
    /// Image name.
    pub image: String,
}

/// Answers from what is recorded. `control` implements it over the world.
pub trait Desk: Send + Sync + 'static {
    /// The address for a MAC on the boot network, the same each time; `None` when it gets none (the pool is exhausted). It is
    /// durable before this returns.
    fn lease(&self, mac: Mac) -> Future<'_, Result<Option<Ipv4Addr>, DeskError>>;
    /// The address that a MAC has on the boot network. Never gives one out: whoever can send packets could use up the pool
    /// with questions. A desk that keeps no record knows of none.
    fn lease_of(&self, _mac: Mac) -> Option<Ipv4Addr> {
        None
    }
    /// Whose address this is.
    fn mac_of(&self, address: Ipv4Addr) -> Option<Mac>;
    /// What the caller should boot now.
    fn next_boot(&self, caller: &Caller) -> NextBoot;
    /// The caller's metadata, when it is a machine of ours.
    fn instance(&self, caller: &Caller) -> Option<Arc<Instance>>;
    /// Notes that the installed system of this caller asked for its metadata.
    fn metadata_seen(&self, caller: &Caller);
    /// Takes an agent's state and gives the order that holds; may hold the answer back for `wait` while there is none.
    fn poll<'a>(
        &'a self,
        token: &'a str,
        from: Option<IpAddr>,
        state: AgentState,
        wait: Duration,
    ) -> Future<'a, Result<Order, DeskError>>;
    /// The file of an image's blob, for whoever shows the token of a boot that installs.
    fn blob(&self, token: &str, digest: &str) -> Result<PathBuf, DeskError>;
}

/// A desk for tests of this crate.
#[cfg(test)]
pub(crate) mod testing {
    use std::collections::BTreeMap;
    use std::sync::{Mutex, MutexGuard};

    use super::*;

    /// Gives 10.77.0.100 and the MAC's last byte; knows the token `good`, the old token `old` and the blob `file`.
    #[derive(Debug, Default)]
    pub struct TestDesk {
        leases: Mutex<BTreeMap<Mac, Ipv4Addr>>,
        file: PathBuf,
    }

    impl TestDesk {
        /// With this file as the blob `file`.
        pub fn with_blob(file: &std::path::Path) -> TestDesk {
            TestDesk {
                file: file.into(),
                ..TestDesk::default()
            }
        }

        /// What was given out.
        pub fn leases(&self) -> MutexGuard<'_, BTreeMap<Mac, Ipv4Addr>> {
            self.leases.lock().expect("no test panics with it")
        }

        fn check(token: &str) -> Result<(), DeskError> {
            match token {
                "good" => Ok(()),
                _ => Err(DeskError::Refused("the node was booted again since".into())),
            }
        }
    }

    impl Desk for TestDesk {
        fn lease(&self, mac: Mac) -> Future<'_, Result<Option<Ipv4Addr>, DeskError>> {
            let address = Ipv4Addr::new(10, 77, 0, 100u8.wrapping_add(mac.0[5]));
            self.leases().insert(mac, address);
            Box::pin(async move { Ok(Some(address)) })
        }

        fn lease_of(&self, mac: Mac) -> Option<Ipv4Addr> {
            self.leases().get(&mac).copied()
        }

        fn mac_of(&self, _: Ipv4Addr) -> Option<Mac> {
            None
        }

        fn next_boot(&self, _: &Caller) -> NextBoot {
            NextBoot::Agent { token: "good".into() }
        }

        fn instance(&self, _: &Caller) -> Option<Arc<Instance>> {
            None
        }

        fn metadata_seen(&self, _: &Caller) {}

        fn poll<'a>(
            &'a self,
            token: &'a str,
            _: Option<IpAddr>,
            _: AgentState,
            _: Duration,
        ) -> Future<'a, Result<Order, DeskError>> {
            Box::pin(async move { Self::check(token).map(|()| Order::Wait) })
        }

        fn blob(&self, token: &str, digest: &str) -> Result<PathBuf, DeskError> {
            Self::check(token)?;
            match digest {
                "file" => Ok(self.file.clone()),
                _ => Err(DeskError::Missing(format!("blob {digest}"))),
            }
        }
    }
}
