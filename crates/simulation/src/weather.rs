//! What luck is like at this moment: which contacts with the outside go wrong, and when the daemon dies. Events of the
//! story change it; everything that touches the outside asks it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use store::memory::Fault;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::dice::{Dice, mixed};
use crate::story::{Event, Lie, What};

/// Contacts in one instant of virtual time after which the house is said to spin: a rack's worth of requests is thousands.
const SPINS: u64 = 2_000_000;

/// Shared by everything that touches the outside. Cheap to clone.
#[derive(Clone)]
pub struct Weather {
    inner: Arc<Mutex<Inner>>,
    /// Fires when the daemon must die.
    pub death: Arc<Notify>,
}

struct Inner {
    seed: u64,
    /// Ids and keys that the daemon makes.
    ids: Dice,
    contacts: u64,
    faults: u64,
    /// When the last contact was, and how many there were at that instant.
    instant: (Instant, u64),
    /// At which contact the daemon dies, and how long it is down then.
    dies: Option<(u64, u64)>,
    down: u64,
    before: u32,
    after: u32,
    /// What lasts, by the event that began it.
    noise: BTreeMap<usize, Noise>,
    full: BTreeSet<usize>,
    blobs: BTreeSet<usize>,
    vanished: BTreeMap<usize, (u64, u32)>,
    lies: BTreeMap<usize, (u32, Lie)>,
}

/// Contacts that go wrong follow from who is met for the how manieth time, so that a story with one event less goes on
/// much as before.
struct Noise {
    /// When it began, which tells it from others.
    at: u64,
    per_mille: u32,
    met: HashMap<u64, u64>,
}

/// What happens at a contact with the outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Fine,
    /// The daemon dies before the other side hears of it.
    DieBefore,
    /// The daemon dies after the other side has acted, without hearing of it.
    DieAfter,
    /// The answer is lost.
    Lost,
    /// It takes this many milliseconds.
    Late(u64),
    /// An HTTP error status.
    Status(u16),
    /// An answer that is cut off.
    Broken,
}

/// Whom a contact is with.
#[derive(Debug, Clone, Copy)]
pub enum Met {
    /// A BMC or a PDU.
    Bmc(Ipv4Addr),
    /// A server's firmware, agent or system.
    Server(Ipv4Addr),
    /// The login of a system.
    Login,
    /// A network port that is woken.
    Port(rack::Mac),
    /// The store.
    Store,
}

impl Met {
    fn number(self) -> u64 {
        match self {
            Met::Bmc(at) => mixed(&[1, u32::from(at).into()]),
            Met::Server(at) => mixed(&[2, u32::from(at).into()]),
            Met::Login => 3,
            Met::Port(mac) => mac.0.iter().fold(4, |sum, byte| sum << 8 | u64::from(*byte)),
            Met::Store => 5,
        }
    }
}

impl Weather {
    /// Good weather.
    pub fn new(seed: u64) -> Weather {
        let inner = Inner {
            seed,
            ids: Dice::new(seed ^ 0x1d5),
            contacts: 0,
            faults: 0,
            instant: (Instant::now(), 0),
            dies: None,
            down: 0,
            before: 0,
            after: 0,
            noise: BTreeMap::new(),
            full: BTreeSet::new(),
            blobs: BTreeSet::new(),
            vanished: BTreeMap::new(),
            lies: BTreeMap::new(),
        };
        Weather {
            inner: Arc::new(Mutex::new(inner)),
            death: Arc::default(),
        }
    }

    fn with<R>(&self, f: impl FnOnce(&mut Inner) -> R) -> R {
        f(&mut self.inner.lock().expect("nothing panics under this lock"))
    }

    /// An event that changes the weather begins.
    pub fn begins(&self, number: usize, event: &Event) {
        let at = event.at;
        self.with(|i| match event.what {
            What::Noise { per_mille, .. } => {
                let met = HashMap::new();
                _ = i.noise.insert(number, Noise { at, per_mille, met });
            }
            What::Full { .. } => _ = i.full.insert(number),
            What::Blobs { .. } => _ = i.blobs.insert(number),
            What::Vanish { percent, .. } => _ = i.vanished.insert(number, (at, percent)),
            What::Lie { unit, lie, .. } => _ = i.lies.insert(number, (unit, lie)),
            What::StoreBefore { commits } => i.before += commits,
            What::StoreAfter { commits } => i.after += commits,
            What::Die { contact: 0, down } => {
                i.down = down;
                self.death.notify_one();
            }
            What::Die { contact, down } => i.dies = Some((i.contacts + contact, down)),
            _ => {}
        });
    }

    /// What lasts is over.
    pub fn ends(&self, event: usize) {
        self.with(|i| {
            i.noise.remove(&event);
            i.full.remove(&event);
            i.blobs.remove(&event);
            i.vanished.remove(&event);
            i.lies.remove(&event);
        });
    }

    /// From now on nothing goes wrong.
    pub fn clears(&self) {
        self.with(|i| {
            i.noise.clear();
            i.full.clear();
            i.blobs.clear();
            i.vanished.clear();
            i.lies.clear();
            (i.dies, i.before, i.after) = (None, 0, 0);
        });
    }

    /// Random bytes for ids and keys.
    pub fn fill(&self, bytes: &mut [u8]) {
        self.with(|i| i.ids.fill(bytes));
    }

    /// Contacts so far, and how many of them went wrong.
    pub fn contacts(&self) -> (u64, u64) {
        self.with(|i| (i.contacts, i.faults))
    }

    /// Whether the house asks for ever without any time passing.
    pub fn spins(&self) -> bool {
        self.with(|i| i.instant.1 > SPINS)
    }

    /// How long the daemon that just died is down.
    pub fn down(&self) -> u64 {
        self.with(|i| i.down)
    }

    /// What happens at this contact. Whoever asks sees to it: on the two deaths, by `death`.
    pub fn contact(&self, with: Met) -> Fate {
        self.with(|i| {
            i.contacts += 1;
            let now = Instant::now();
            i.instant = (now, if i.instant.0 == now { i.instant.1 + 1 } else { 0 });
            if let Some((_, down)) = i.dies.take_if(|(at, _)| *at <= i.contacts) {
                i.down = down;
                return if i.contacts % 2 == 0 {
                    Fate::DieBefore
                } else {
                    Fate::DieAfter
                };
            }
            for noise in i.noise.values_mut() {
                let times = noise.met.entry(with.number()).or_default();
                *times += 1;
                let mut dice = Dice::new(mixed(&[i.seed, noise.at, with.number(), *times]));
                if dice.below(1000) >= u64::from(noise.per_mille) {
                    continue;
                }
                i.faults += 1;
                return match dice.below(5) {
                    0 => Fate::Lost,
                    1 => Fate::Late(1 + dice.below(40_000)),
                    2 => Fate::Status(503),
                    3 => Fate::Status(500),
                    _ => Fate::Broken,
                };
            }
            Fate::Fine
        })
    }

    /// What happens to a commit. It can fail, or happen without the daemon hearing of it.
    pub fn commit(&self) -> Fault {
        let fate = self.contact(Met::Store);
        if matches!(fate, Fate::DieBefore | Fate::DieAfter) {
            self.death.notify_one();
        }
        let told = self.with(|i| {
            if !i.full.is_empty() {
                Some(Fault::FailBefore)
            } else if i.before > 0 {
                i.before -= 1;
                Some(Fault::FailBefore)
            } else if i.after > 0 {
                i.after -= 1;
                Some(Fault::FailAfter)
            } else {
                None
            }
        });
        told.unwrap_or(match fate {
            Fate::Lost | Fate::Status(503) | Fate::DieBefore => Fault::FailBefore,
            Fate::Broken | Fate::DieAfter => Fault::FailAfter,
            Fate::Fine | Fate::Late(_) | Fate::Status(_) => Fault::None,
        })
    }

    /// Whether this BMC can't be reached: the same ones as long as it lasts.
    pub fn is_gone(&self, at: Ipv4Addr) -> bool {
        self.with(|i| {
            let number = u64::from(u32::from(at));
            let mut all = i.vanished.values();
            all.any(|(at, percent)| Dice::new(mixed(&[i.seed, *at, number])).below(100) < u64::from(*percent))
        })
    }

    /// What the BMC of this unit says that is not so, and since which event.
    pub fn lie(&self, unit: u32) -> Option<(usize, Lie)> {
        self.with(|i| {
            i.lies
                .iter()
                .find(|(_, (of, _))| *of == unit)
                .map(|(event, (_, lie))| (*event, *lie))
        })
    }

    /// Whether blobs of images are damaged.
    pub fn blobs_fail(&self) -> bool {
        self.with(|i| !i.blobs.is_empty())
    }
}
