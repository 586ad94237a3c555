//! The house: what the API and the loops share, and the loops' owner.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rack::{Event, Level, Node, Time, World};
use store::{Expect, Revision, Txn};
use tokio::task::JoinSet;

use crate::bell::{Bell, Listener};
use crate::consoles::Consoles;
use crate::env::Env;
use crate::fleet::Fleet;
use crate::history::{self, History};
use crate::live::Live;
use crate::meters::Meters;
use crate::record::{EVENTS, Record};
use crate::{consoles, drift, events, inventory, keys, machines, pressure, rollouts, settings};

/// Why a request was not done.
#[derive(Debug, thiserror::Error)]
pub enum HouseError {
    /// There is no such thing.
    #[error("there is no {kind} `{name}`")]
    NotFound {
        /// `machine`, `image`, `place`, …
        kind: &'static str,
        /// What was asked for.
        name: String,
    },
    /// It does not fit.
    #[error("{0}")]
    Refused(Box<plan::Refusal>),
    /// Someone else changed it meanwhile, or the name is taken.
    #[error("{what}")]
    Conflict {
        /// What collided.
        what: String,
    },
    /// The request makes no sense.
    #[error("{what}")]
    Invalid {
        /// What is wrong with it.
        what: String,
    },
    /// Policy forbids it: not armed, in use, wrong role.
    #[error("{what}")]
    Policy {
        /// What forbids it.
        what: String,
        /// The command that would change that.
        hint: String,
    },
    /// Hardware did not answer.
    #[error("{0}")]
    Unreachable(String),
    /// The state could not be written.
    #[error("the state can't be written: {0}")]
    Store(#[from] store::Error),
    /// It was tried and failed.
    #[error("{what}")]
    Failed {
        /// What was tried, on what, and how it failed.
        what: String,
        /// What to do next.
        hint: String,
    },
}

impl From<hardware::Error> for HouseError {
    /// A driver's error names the device, what was asked of it and what to do.
    fn from(error: hardware::Error) -> HouseError {
        HouseError::Unreachable(error.to_string())
    }
}

/// Refuses what would write to a node that nobody armed.
pub(crate) fn must_be_armed(node: &Node) -> Result<(), HouseError> {
    if node.armed {
        return Ok(());
    }
    Err(HouseError::Policy {
        what: format!("{} is not armed", node.place),
        hint: format!("busbar arm {}", node.place),
    })
}

/// How far adding an image has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddProgress {
    /// Bytes read.
    pub done: u64,
    /// Bytes in all.
    pub total: u64,
}

/// The house. Cheap to clone.
#[derive(Clone)]
pub struct House {
    pub(crate) inner: Arc<Inner>,
}

/// What every clone shares.
pub(crate) struct Inner {
    pub env: Env,
    pub live: Live,
    pub fleet: Fleet,
    pub consoles: Consoles,
    pub history: History,
    pub meters: Arc<Meters>,
    /// One rotation at a time: a second one that began meanwhile would leave a box with the password of the first.
    pub rotating: tokio::sync::Mutex<()>,
    record: RwLock<Record>,
    pub revision: Arc<Bell>,
    sequence: AtomicU64,
}

/// How often a transaction is made anew after a conflict before the request is given back: each conflict means that
/// someone else got on, so this many in a row is a livelock.
pub(crate) const ATTEMPTS: usize = 16;

impl House {
    /// Reads everything that is recorded. The loops run only in [`House::run_loops`].
    pub async fn open(env: Env) -> Result<House, store::Error> {
        let (revision, objects) = env.store.list("").await?;
        let record = Record::of(revision, objects);
        let sequence = record.events.back().map_or(0, |e| e.sequence);
        let fleet = Fleet::new(env.dial.clone());
        let meters = env.dial.meters().unwrap_or_default();
        let inner = Inner {
            env,
            live: Live::default(),
            fleet,
            consoles: Consoles::default(),
            history: History::default(),
            meters,
            rotating: tokio::sync::Mutex::default(),
            record: RwLock::new(record),
            revision: Bell::new(revision),
            sequence: AtomicU64::new(sequence),
        };
        Ok(House { inner: Arc::new(inner) })
    }

    /// Runs the loops until one fails for good. Dropping this future at any await stops them all, and nothing is lost.
    pub async fn run_loops(&self) -> Result<(), store::Error> {
        let mut loops = JoinSet::new();
        let following = self.clone();
        loops.spawn(async move { following.follow().await });
        loops.spawn(machines::run(self.clone()));
        loops.spawn(inventory::run(self.clone()));
        loops.spawn(events::run(self.clone()));
        loops.spawn(settings::run(self.clone()));
        loops.spawn(pressure::run(self.clone()));
        loops.spawn(drift::run(self.clone()));
        loops.spawn(rollouts::run(self.clone()));
        loops.spawn(consoles::run(self.clone()));
        loops.spawn(history::run(self.clone()));
        match loops.join_next().await {
            Some(Ok(ended)) => ended,
            Some(Err(panic)) => Err(store::Error::Unavailable {
                what: "keep the control loops running".into(),
                reason: format!("one of them ended: {panic}; this is a defect: start the daemon again and report it"),
            }),
            None => Ok(()),
        }
    }

    /// Keeps the record current with the store, and wakes whoever is concerned.
    async fn follow(&self) -> Result<(), store::Error> {
        loop {
            let from = self.inner.revision.number();
            let mut watch = self.inner.env.store.watch(from).await?;
            loop {
                match watch.next().await {
                    Ok(batch) => self.apply(&batch),
                    Err(store::Error::Compacted { .. }) => break,
                    Err(error) => return Err(error),
                }
            }
            // Too slow, or too long away: read everything again and go on from there.
            let (revision, objects) = self.inner.env.store.list("").await?;
            let record = Record::of(revision, objects);
            *self.inner.record.write().unwrap_or_else(PoisonError::into_inner) = record;
            self.inner.revision.ring(revision);
            machines::wake_all(self);
            self.inner.live.bump();
        }
    }

    fn apply(&self, batch: &store::Batch) {
        self.inner
            .record
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .apply(batch);
        self.inner.revision.ring(batch.revision);
        for change in &batch.changes {
            machines::wake_for(self, &change.key);
        }
        self.inner.live.bump();
    }

    /// Reads from the record. Nothing is awaited in `read`.
    pub(crate) fn record<R>(&self, read: impl FnOnce(&Record) -> R) -> R {
        read(&self.inner.record.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The snapshot that decisions are made from.
    pub fn world(&self) -> Arc<World> {
        self.record(|r| Arc::clone(&r.world))
    }

    /// Counts up with each change of the world or of what is seen; for long polls.
    pub fn changes(&self) -> Listener {
        self.inner.live.changes()
    }

    /// Counts the store's revisions as the record catches up with them.
    pub(crate) fn revisions(&self) -> Listener {
        self.inner.revision.listen()
    }

    /// Now.
    pub fn now(&self) -> Time {
        self.inner.env.clock.now()
    }

    /// What an object's next write relies on: that it is still as it was in the snapshot.
    pub(crate) fn unchanged(&self, key: &str) -> Expect {
        self.record(|r| r.revisions.get(key).copied())
            .map_or(Expect::Absent, Expect::At)
    }

    /// Adds an event to a transaction, and lets the oldest go.
    pub(crate) fn tell(&self, txn: Txn, event: &Event) -> Result<Txn, store::Error> {
        let sequence = self.inner.sequence.fetch_add(1, Ordering::Relaxed) + 1;
        let txn = txn.put(keys::event(sequence), event)?;
        let oldest = sequence.saturating_sub(EVENTS);
        Ok(if oldest > 0 {
            txn.delete(keys::event(oldest))
        } else {
            txn
        })
    }

    /// An event that Busbar itself is the author of.
    pub(crate) fn event(&self, level: Level, about: impl ToString, what: impl Into<String>) -> Event {
        Event {
            at: self.now(),
            level,
            about: about.to_string(),
            what: what.into(),
            because: None,
            cause: None,
            by: "busbar".into(),
        }
    }

    /// Commits what the record does not show, so that nothing waits for it.
    pub(crate) async fn commit_unshown(&self, txn: Txn) -> Result<Revision, store::Error> {
        let began = tokio::time::Instant::now();
        let committed = self.inner.env.store.commit(txn).await;
        self.inner.meters.committed(began, &committed);
        committed
    }

    /// Commits, and returns once the record shows it, so that the next read sees what was written.
    pub(crate) async fn commit(&self, txn: Txn) -> Result<Revision, store::Error> {
        /// The watch is fed by the same commit: if it takes longer than this, the loop that follows it is gone.
        const SHOWN: Duration = Duration::from_secs(30);
        let mut shown = self.revisions();
        let revision = self.commit_unshown(txn).await?;
        let _ = tokio::time::timeout(SHOWN, shown.wait_for(|r| r >= revision)).await;
        Ok(revision)
    }

    /// Waits until the record has moved past what a conflicting transaction was made from.
    pub(crate) async fn catch_up(&self, made_from: Revision) {
        const MOVED: Duration = Duration::from_secs(1);
        let mut shown = self.revisions();
        let _ = tokio::time::timeout(MOVED, shown.wait_for(|r| r > made_from)).await;
    }

    /// Makes a transaction from the record and commits it; made anew when something else was faster.
    pub(crate) async fn transact<T>(
        &self,
        mut make: impl FnMut(&World) -> Result<(Txn, T), HouseError>,
    ) -> Result<T, HouseError> {
        for _ in 0..ATTEMPTS {
            let world = self.world();
            let (txn, result) = make(&world)?;
            match self.commit(txn).await {
                Ok(_) => return Ok(result),
                Err(store::Error::Conflict { .. }) => self.catch_up(world.revision).await,
                Err(error) => return Err(error.into()),
            }
        }
        Err(HouseError::Conflict {
            what: "it is being changed by others all the time; try again".into(),
        })
    }
}
