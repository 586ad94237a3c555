//! What a rack is started with, and why it may not start.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use rack::Time;

use crate::disks::Disks;
use crate::layout::{BadLayout, RackLayout};
use crate::net::Net;
use crate::vm::{Machines, TooLong};

/// Tells the wall time for what is shown to people; waiting goes through tokio.
pub type Clock = Arc<dyn Fn() -> Time + Send + Sync>;

/// What every BMC lets in. The password is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// User name.
    pub user: String,
    /// Password. Secret.
    pub password: String,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// What a rack is started with.
#[derive(Clone)]
pub struct Config {
    /// What it is made of.
    pub layout: RackLayout,
    /// The port that every BMC answers on, at its own address.
    pub port: u16,
    /// HTTPS with a self-signed certificate, or HTTP.
    pub tls: bool,
    /// Where drives keep their bytes.
    pub disks: Disks,
    /// The file in which power states survive a restart of the process.
    pub state: Option<PathBuf>,
    /// How many times faster than real everything in the rack takes place.
    pub speed: f64,
    /// What serials and hardware addresses are derived from.
    pub seed: u64,
    /// The relay agent's address, from which DHCP is asked.
    pub relay: Ipv4Addr,
    /// The daemon's metadata service: `http://127.0.0.1:8169`.
    pub metadata: String,
    /// The network that firmware, agent and systems use.
    pub net: Arc<dyn Net>,
    /// What BMCs let in.
    pub credential: Credential,
    /// Where the control endpoint listens, on loopback.
    pub control: Option<SocketAddr>,
    /// Wall time.
    pub clock: Clock,
    /// Servers are machines of QEMU, if this is given; their drives are files then.
    pub machines: Option<Arc<Machines>>,
}

/// Why a rack does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The description.
    #[error(transparent)]
    Layout(#[from] BadLayout),
    /// A drive.
    #[error("cannot open the drive {name} of the emulated rack: {source}; check the folder and its free space")]
    Drive {
        /// Which.
        name: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A socket.
    #[error("cannot listen on {at} for the emulated rack: {source}; is another one running?")]
    Listen {
        /// Where.
        at: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// A captured tree.
    #[error(transparent)]
    Tree(#[from] crate::tree::BadTree),
    /// A machine's socket.
    #[error(transparent)]
    Socket(#[from] TooLong),
    /// More captured trees than there are addresses for.
    #[error("more than 254 captured trees can't stand beside one rack: name fewer")]
    TooManyTrees,
    /// The documents of a hall.
    #[error(transparent)]
    Template(#[from] crate::tree::BadTemplate),
    /// The racks of a hall.
    #[error(transparent)]
    Plant(#[from] crate::hall::BadPlant),
    /// More BMCs than files may be open.
    #[error(
        "{bmcs} emulated BMCs take {wanted} open files and this process may have {limit}: raise the limit (ulimit -Hn), \
         or emulate fewer"
    )]
    Files {
        /// How many BMCs.
        bmcs: u32,
        /// Files that they take.
        wanted: u64,
        /// How many may be open.
        limit: u64,
    },
    /// The certificate.
    #[error("cannot make the emulated BMCs' certificate: {0}")]
    Certificate(String),
}
