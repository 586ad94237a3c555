//! What goes wrong, and when the daemon dies: one die for everything, from one seed.

use std::sync::{Arc, Mutex};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use store::memory::Fault;
use tokio::sync::Notify;

/// One seed's luck. Shared by everything that touches the outside.
#[derive(Clone)]
pub struct Luck {
    inner: Arc<Mutex<Inner>>,
    /// Fires when the daemon must die.
    pub death: Arc<Notify>,
}

struct Inner {
    random: StdRng,
    /// Out of a thousand contacts with the outside, how many go wrong; 0 once luck has turned.
    bad: u32,
    /// Out of a thousand contacts, at how many the daemon dies.
    deadly: u32,
    /// The daemon dies at this contact.
    crash_at: Option<u64>,
    contacts: u64,
    faults: u64,
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

impl Luck {
    pub fn new(seed: u64, bad: u32, deadly: u32, crash_at: Option<u64>) -> Luck {
        let random = StdRng::seed_from_u64(seed);
        let inner = Inner {
            random,
            bad,
            deadly,
            crash_at,
            contacts: 0,
            faults: 0,
        };
        Luck {
            inner: Arc::new(Mutex::new(inner)),
            death: Arc::default(),
        }
    }

    fn with<R>(&self, f: impl FnOnce(&mut Inner) -> R) -> R {
        f(&mut self.inner.lock().expect("nothing panics under this lock"))
    }

    /// A number below `n`.
    pub fn below(&self, n: u64) -> u64 {
        self.with(|i| i.random.random_range(0..n))
    }

    /// Random bytes for ids and keys.
    pub fn fill(&self, bytes: &mut [u8]) {
        self.with(|i| i.random.fill(bytes));
    }

    /// From now on nothing goes wrong.
    pub fn turn_good(&self) {
        self.with(|i| (i.bad, i.deadly, i.crash_at) = (0, 0, None));
    }

    /// Contacts with the outside so far.
    pub fn contacts(&self) -> u64 {
        self.with(|i| i.contacts)
    }

    /// Faults so far.
    pub fn faults(&self) -> u64 {
        self.with(|i| i.faults)
    }

    /// What happens at this contact. Whoever asks sees to it: on the two deaths, by `death`.
    pub fn contact(&self) -> Fate {
        self.with(|i| {
            i.contacts += 1;
            if i.crash_at == Some(i.contacts) {
                return if i.contacts % 2 == 0 {
                    Fate::DieBefore
                } else {
                    Fate::DieAfter
                };
            }
            if i.random.random_range(0..1000) < i.deadly {
                return if i.random.random_range(0..2) == 0 {
                    Fate::DieBefore
                } else {
                    Fate::DieAfter
                };
            }
            if i.random.random_range(0..1000) >= i.bad {
                return Fate::Fine;
            }
            i.faults += 1;
            match i.random.random_range(0..5) {
                0 => Fate::Lost,
                1 => Fate::Late(i.random.random_range(1..40_000)),
                2 => Fate::Status(503),
                3 => Fate::Status(500),
                _ => Fate::Broken,
            }
        })
    }

    /// What happens to a commit. It can fail, or happen without the daemon hearing of it.
    pub fn commit(&self) -> Fault {
        match self.contact() {
            Fate::Lost | Fate::Status(503) => Fault::FailBefore,
            Fate::DieBefore => {
                self.death.notify_one();
                Fault::FailBefore
            }
            Fate::Broken => Fault::FailAfter,
            Fate::DieAfter => {
                self.death.notify_one();
                Fault::FailAfter
            }
            Fate::Fine | Fate::Late(_) | Fate::Status(_) => Fault::None,
        }
    }
}
