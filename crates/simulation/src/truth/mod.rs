//! What must hold, checked against the physical truth and not only against what is recorded. [`witness`] sees every
//! commit (it stands in the [`store`]'s way), [`audit`] every request that leaves for hardware; the first thing that is broken ends the story.

pub mod audit;
mod order;
pub mod store;
pub mod witness;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

/// What is broken: an invariant, or the daemon itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// `I1` … `I10`, `rest`, `loops`, `panic`.
    pub id: &'static str,
    /// What of what, in words.
    pub what: String,
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} broken: {}", self.id, self.what)
    }
}

/// The first thing that was found broken, and how often each was looked at.
type Seen = (Option<Broken>, BTreeMap<&'static str, u64>);

/// What was found so far. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Verdict {
    inner: Arc<Mutex<Seen>>,
    rung: Arc<Notify>,
}

impl Verdict {
    fn with<R>(&self, f: impl FnOnce(&mut Seen) -> R) -> R {
        f(&mut self.inner.lock().expect("nothing panics under this lock"))
    }

    /// Something is broken.
    pub fn broken(&self, id: &'static str, what: impl Into<String>) {
        let what = what.into();
        self.with(|i| _ = i.0.get_or_insert(Broken { id, what }));
        self.rung.notify_one();
    }

    /// An invariant was looked at so many times.
    pub fn looked(&self, id: &'static str, times: u64) {
        self.with(|i| *i.1.entry(id).or_default() += times);
    }

    /// An invariant is looked at.
    pub fn holds(&self, id: &'static str, so: bool, what: impl FnOnce() -> String) {
        self.looked(id, 1);
        if !so {
            self.broken(id, what());
        }
    }

    /// Waits until something is broken.
    pub async fn falls(&self) {
        while self.first().is_none() {
            self.rung.notified().await;
        }
    }

    /// The first thing that was found broken.
    pub fn first(&self) -> Option<Broken> {
        self.with(|i| i.0.clone())
    }

    /// How often each invariant was looked at.
    pub fn looks(&self) -> BTreeMap<&'static str, u64> {
        self.with(|i| i.1.clone())
    }
}
