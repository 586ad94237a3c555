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
    /// SMBIOS UUID, from iPXE's `${uuid}` or DHCP option 97.
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
