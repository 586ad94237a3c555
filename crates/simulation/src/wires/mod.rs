//! The wires between the house and the rack, in one thread: the same requests and packets as over sockets, carried by
//! function calls under the virtual clock, and broken as luck has it. [`to_rack`] is what the house sends, [`to_house`]
//! what the rack asks it.

mod to_house;
mod to_rack;

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};

use axum::Router;
use bytes::Bytes;
use control::House;
use control::env::{Dial, Probe, Random};
use hardware::{Credential, Driver, Mode, Redfish, Wol};
use tokio_util::sync::CancellationToken;

use crate::rig::Rig;
use crate::truth::Verdict;
use crate::truth::witness::Witness;
use crate::weather::{Fate, Met, Weather};

pub use to_house::FIRMWARE;

/// What of the daemon can be reached over the network while it lives.
pub struct Daemon {
    /// Cancelled when it dies.
    pub life: CancellationToken,
    /// The house.
    pub house: House,
    /// What it answers over HTTP.
    pub http: Router,
    /// How it answers DHCP.
    pub dhcp: boot::dhcp::Config,
}

/// Everything that is between the house and the rack. Cheap to clone.
#[derive(Clone)]
pub struct Wires {
    /// What goes wrong on them.
    pub weather: Weather,
    /// The rack at their end.
    pub rig: Arc<Rig>,
    verdict: Verdict,
    witness: Arc<Mutex<Witness>>,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    daemon: Option<Arc<Daemon>>,
    /// The rack's BMCs, for as long as it is this rack.
    bmcs: Option<(Arc<emulator::Emulated>, Router)>,
    logins: BTreeSet<Ipv4Addr>,
    /// Answers of BMCs that do not refresh them, by the event that made it so.
    frozen: HashMap<(usize, String), http::Response<Bytes>>,
}

impl Wires {
    /// Between a house that is not there yet and this rack.
    pub fn new(weather: Weather, rig: Arc<Rig>, verdict: Verdict, witness: Arc<Mutex<Witness>>) -> Wires {
        Wires {
            weather,
            rig,
            verdict,
            witness,
            inner: Arc::default(),
        }
    }

    fn with<R>(&self, f: impl FnOnce(&mut Inner) -> R) -> R {
        f(&mut self.inner.lock().expect("nothing panics under this lock"))
    }

    /// The daemon starts, or (`None`) is gone.
    pub fn daemon(&self, daemon: Option<Daemon>) {
        let before = self.with(|i| std::mem::replace(&mut i.daemon, daemon.map(Arc::new)));
        if let Some(before) = before {
            before.life.cancel();
        }
    }

    /// The BMCs of the rack as it is now; none while it is down.
    fn bmcs(&self) -> Option<Router> {
        let rack = self.rig.rack()?;
        self.with(|i| {
            if let Some((_, bmcs)) = i.bmcs.as_ref().filter(|(of, _)| Arc::ptr_eq(of, &rack)) {
                return Some(bmcs.clone());
            }
            let bmcs = emulator::redfish::router(Arc::clone(&rack));
            i.bmcs = Some((rack, bmcs.clone()));
            Some(bmcs)
        })
    }

    fn alive(&self) -> Option<Arc<Daemon>> {
        self.with(|i| i.daemon.clone())
    }

    /// The daemon dies here: whatever called gets no further.
    async fn die(&self) -> ! {
        self.weather.death.notify_one();
        std::future::pending().await
    }

    /// I4: what `look` finds wrong with something that leaves for hardware.
    fn audit(&self, look: impl FnOnce(&mut Witness) -> Result<(), String>) {
        let found = look(&mut self.witness.lock().expect("nothing panics under this lock"));
        self.verdict
            .holds("I4", found.is_ok(), || found.err().unwrap_or_default());
    }

    fn contact(&self, with: Met) -> Fate {
        if self.weather.spins() {
            self.verdict
                .broken("spin", format!("the house asks {with:?} for ever, and no time passes"));
        }
        self.weather.contact(with)
    }
}

impl Dial for Wires {
    fn driver(
        &self,
        url: &str,
        _pin: Option<&str>,
        credential: Credential,
        mode: Mode,
    ) -> Result<Arc<dyn Driver>, String> {
        if url.starts_with("wol://") {
            let wol = Wol::new(url, Arc::new(self.clone()), credential, mode);
            return Ok(Arc::new(wol.map_err(|e| e.to_string())?));
        }
        Ok(Arc::new(Redfish::new(url, Arc::new(self.clone()), credential, mode)))
    }

    fn certificate<'a>(&'a self, _url: &'a str) -> control::env::Future<'a, Result<Option<String>, String>> {
        Box::pin(async { Ok(None) })
    }
}

impl Probe for Wires {
    fn login(&self, address: IpAddr) -> control::env::Future<'_, bool> {
        let open = match address {
            IpAddr::V4(a) => self.with(|i| i.logins.contains(&a)),
            IpAddr::V6(_) => false,
        };
        let fate = self.contact(Met::Login);
        if matches!(fate, Fate::DieBefore | Fate::DieAfter) {
            self.weather.death.notify_one();
        }
        let fine = matches!(fate, Fate::Fine | Fate::Late(_));
        Box::pin(async move { open && fine })
    }
}

impl Random for Wires {
    fn fill(&self, bytes: &mut [u8]) {
        self.weather.fill(bytes);
    }
}
