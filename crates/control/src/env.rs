//! What the house stands on: clock, randomness, network and disk, passed in from the first day. The daemon passes the
//! real ones, the simulation its own, and the loops can't tell.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hardware::{Credential, Driver, Mode};
use rack::Time;

use crate::secrets::Secrets;

/// A boxed future, so that the seams are object safe.
pub type Future<'a, T> = Pin<Box<dyn std::future::Future<Output = T> + Send + 'a>>;

/// Tells the time.
pub trait Clock: Send + Sync + 'static {
    /// Now.
    fn now(&self) -> Time;
}

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Time {
        let since = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        Time::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// Time as tokio's timers count it: exact under a paused runtime, which is how the simulation runs.
#[derive(Debug, Clone, Copy)]
pub struct TimerClock {
    base: Time,
    start: tokio::time::Instant,
}

impl TimerClock {
    /// A clock that shows `base` now.
    pub fn starting_at(base: Time) -> Self {
        TimerClock {
            base,
            start: tokio::time::Instant::now(),
        }
    }
}

impl Clock for TimerClock {
    fn now(&self) -> Time {
        self.base + self.start.elapsed()
    }
}

/// Opens connections to BMCs.
pub trait Dial: Send + Sync + 'static {
    /// A driver for the device at `url`, by the protocol that it names; nothing is sent yet. `pin` is the SHA-256 of the
    /// certificate that it must show.
    fn driver(
        &self,
        url: &str,
        pin: Option<&str>,
        credential: Credential,
        mode: Mode,
    ) -> Result<Arc<dyn Driver>, String>;
    /// What its exchanges are counted by, when they are.
    fn meters(&self) -> Option<Arc<crate::meters::Meters>> {
        None
    }
    /// The SHA-256 of the certificate that the service at `url` shows now, when it speaks TLS.
    fn certificate<'a>(&'a self, url: &'a str) -> Future<'a, Result<Option<String>, String>>;
}

/// Tries whether a login answers.
pub trait Probe: Send + Sync + 'static {
    /// Whether an SSH server introduces itself at `address`.
    fn login(&self, address: IpAddr) -> Future<'_, bool>;
}

/// Where random bytes come from.
pub trait Random: Send + Sync + 'static {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}

/// The network that machines boot from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootNetwork {
    /// The daemon's own address on it.
    pub server: Ipv4Addr,
    /// Length of its prefix.
    pub prefix: u8,
    /// First address that is given out.
    pub first: Ipv4Addr,
    /// Last address that is given out.
    pub last: Ipv4Addr,
}

/// What can be set.
#[derive(Debug, Clone)]
pub struct Config {
    /// Limits of the life cycle.
    pub policy: plan::Policy,
    /// The boot network, if machines boot here.
    pub network: Option<BootNetwork>,
    /// How often a node that does nothing is looked at.
    pub poll: Duration,
    /// How often a node's readings are read.
    pub readings: Duration,
    /// How often a node's whole inventory is read again.
    pub inventory: Duration,
    /// How many BMCs are talked to at once; each has a limit of its own besides.
    pub at_once: usize,
    /// How many event streams of BMCs are kept open; each is an idle connection. None where polling is all there is.
    pub streams: usize,
    /// How many serial consoles are held open and recorded. None where nobody looks at them.
    pub consoles: usize,
    /// The state folder, for the doctor's free space and for what consoles printed.
    pub state: PathBuf,
    /// Racks that are made of software.
    pub emulated: Vec<rack::Name>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            policy: plan::Policy::default(),
            network: None,
            poll: Duration::from_secs(20),
            readings: Duration::from_secs(30),
            inventory: Duration::from_secs(6 * 3600),
            at_once: 64,
            streams: 1024,
            consoles: 0,
            state: PathBuf::new(),
            emulated: Vec::new(),
        }
    }
}

/// What the house stands on.
#[derive(Clone)]
pub struct Env {
    /// The store.
    pub store: Arc<dyn store::Store>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Randomness, for tokens and ids.
    pub random: Arc<dyn Random>,
    /// Connections to BMCs.
    pub dial: Arc<dyn Dial>,
    /// The login probe.
    pub probe: Arc<dyn Probe>,
    /// Keys.
    pub secrets: Arc<Secrets>,
    /// The image store; the simulation has none, its images are only records.
    pub images: Option<Arc<boot::images::ImageStore>>,
    /// Settings.
    pub config: Arc<Config>,
}
