//! The engine for simulated time: a map in memory, deterministic, without threads, files or waiting.
//!
//! Clones share one state, so that a controller which "restarts" in a simulation opens the same store again. Faults
//! come from a hook that is asked at each commit: the simulation decides, by its seed, which one fails and how.

use crate::limits::{self, HISTORY_BYTES_MAX, HISTORY_REVISIONS_MAX, REVISION_MAX};
use crate::sqlite::snapshot;
use crate::watch::{Feed, History, Log, Watch};
use crate::{Batch, Change, Error, Future, Object, Revision, Store, Txn, Write};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What the fault hook does to a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: it goes on.
    None,
    /// It fails with [`Error::Unavailable`], and nothing is written.
    FailBefore,
    /// It commits, and the caller gets [`Error::Unavailable`] all the same, as when an answer is lost. A transaction
    /// whose checks don't hold is still answered with [`Error::Conflict`].
    FailAfter,
}

type Hook = Box<dyn FnMut(&Txn) -> Fault + Send>;

/// The store in memory. Clones share the state.
#[derive(Clone)]
pub struct Memory {
    shared: Arc<Shared>,
    feed: Arc<Feed>,
}

struct Shared {
    map: Mutex<Map>,
    hook: Mutex<Hook>,
}

#[derive(Default)]
struct Map {
    revision: Revision,
    objects: BTreeMap<String, (Revision, Arc<[u8]>)>,
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

impl Memory {
    /// An empty store that never fails.
    #[must_use]
    pub fn new() -> Self {
        Self::with_faults(Box::new(|_| Fault::None))
    }

    /// An empty store; `hook` is asked about each valid transaction, before its checks.
    #[must_use]
    pub fn with_faults(hook: Hook) -> Self {
        Self::build(hook, HISTORY_REVISIONS_MAX)
    }

    /// An empty store which remembers only the last `revisions` commits, so that slow readers meet
    /// [`Error::Compacted`] soon.
    #[must_use]
    pub fn with_history(revisions: u64) -> Self {
        Self::build(Box::new(|_| Fault::None), revisions.min(HISTORY_REVISIONS_MAX))
    }

    fn build(hook: Hook, revisions: u64) -> Self {
        let bounded = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let log = Log::new(0, bounded(revisions), bounded(HISTORY_BYTES_MAX));
        let shared = Shared {
            map: Mutex::default(),
            hook: Mutex::new(hook),
        };
        Self {
            shared: Arc::new(shared),
            feed: Arc::new(Feed::new(log)),
        }
    }

    fn map(&self) -> MutexGuard<'_, Map> {
        self.shared.map.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn commit_now(&self, txn: &Txn) -> Result<Revision, Error> {
        limits::txn(txn)?;
        let fault = (self.shared.hook.lock().unwrap_or_else(PoisonError::into_inner))(txn);
        if fault == Fault::FailBefore {
            return Err(injected("the fault hook failed it before it was written"));
        }
        let mut map = self.map();
        if map.revision >= REVISION_MAX {
            return Err(injected("revisions are used up; restore a backup into a new store"));
        }
        if let Some(batch) = map.apply(txn)? {
            self.feed.publish([batch]);
        }
        if fault == Fault::FailAfter {
            return Err(injected("the fault hook lost the answer; it may have been written"));
        }
        Ok(map.revision)
    }

    fn get_now(&self, key: &str) -> Result<Option<Object>, Error> {
        limits::key(key)?;
        let map = self.map();
        Ok(map.objects.get(key).map(|(revision, value)| Object {
            key: key.to_owned(),
            revision: *revision,
            value: value.clone(),
        }))
    }

    fn list_now(&self, prefix: &str) -> Result<(Revision, Vec<Object>), Error> {
        limits::prefix(prefix)?;
        let map = self.map();
        let end = limits::prefix_end(prefix).map_or(Bound::Unbounded, Bound::Excluded);
        let range = map
            .objects
            .range::<String, _>((Bound::Included(prefix.to_owned()), end));
        let objects = range
            .map(|(key, (revision, value))| Object {
                key: key.clone(),
                revision: *revision,
                value: value.clone(),
            })
            .collect();
        Ok((map.revision, objects))
    }

    fn watch_now(&self, from: Revision) -> Result<Watch, Error> {
        let log = self.feed.log();
        if from < log.floor() || from > log.head() {
            return Err(Error::Compacted {
                from,
                oldest: log.floor() + 1,
            });
        }
        drop(log);
        Ok(Watch::new(
            from,
            self.feed.clone(),
            Arc::new(Forgotten(self.feed.clone())),
        ))
    }
}

impl Map {
    /// Applies a transaction whole, or answers the first check that doesn't hold. `None`: it changed nothing.
    fn apply(&mut self, txn: &Txn) -> Result<Option<Batch>, Error> {
        for check in &txn.checks {
            check.judge(self.objects.get(&check.key).map(|(revision, _)| *revision))?;
        }
        let revision = self.revision + 1;
        let mut changes = Vec::new();
        for write in &txn.writes {
            let (key, value) = match write {
                Write::Put { key, value } => {
                    let value: Arc<[u8]> = Arc::from(value.as_slice());
                    self.objects.insert(key.clone(), (revision, value.clone()));
                    (key, Some(value))
                }
                Write::Delete { key } if self.objects.remove(key).is_some() => (key, None),
                Write::Delete { .. } => continue,
            };
            changes.push(Change {
                revision,
                key: key.clone(),
                value,
            });
        }
        if changes.is_empty() {
            return Ok(None);
        }
        self.revision = revision;
        Ok(Some(Batch { revision, changes }))
    }
}

impl Store for Memory {
    fn get<'a>(&'a self, key: &'a str) -> Future<'a, Result<Option<Object>, Error>> {
        Box::pin(async move { self.get_now(key) })
    }

    fn list<'a>(&'a self, prefix: &'a str) -> Future<'a, Result<(Revision, Vec<Object>), Error>> {
        Box::pin(async move { self.list_now(prefix) })
    }

    fn commit(&self, txn: Txn) -> Future<'_, Result<Revision, Error>> {
        Box::pin(async move { self.commit_now(&txn) })
    }

    fn watch(&self, from: Revision) -> Future<'_, Result<Watch, Error>> {
        Box::pin(async move { self.watch_now(from) })
    }

    /// Writes a store file, as SQLite's backup does, in the caller's thread: a simulation has no other.
    fn backup<'a>(&'a self, to: &'a Path) -> Future<'a, Result<(), Error>> {
        Box::pin(async move {
            let (revision, objects) = self.list_now("")?;
            snapshot::write_objects(to, revision, &objects)
        })
    }
}

/// There is no history but the log: what is older is gone.
struct Forgotten(Arc<Feed>);

impl History for Forgotten {
    fn after(&self, from: Revision) -> Future<'_, Result<Vec<Arc<Batch>>, Error>> {
        let oldest = self.0.log().floor() + 1;
        Box::pin(async move { Err(Error::Compacted { from, oldest }) })
    }
}

fn injected(reason: &str) -> Error {
    Error::Unavailable {
        what: "commit to the store in memory".into(),
        reason: reason.into(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Expect;

    #[tokio::test(start_paused = true)]
    async fn a_commit_that_fails_after_is_there_and_one_that_fails_before_is_not() {
        let mut faults = [Fault::FailBefore, Fault::FailAfter, Fault::None].into_iter();
        let store = Memory::with_faults(Box::new(move |_| faults.next().unwrap_or(Fault::None)));
        let mut watch = store.watch(0).await.unwrap();
        let txn = |n: u32| Txn::new().check("a/b", Expect::Absent).put("a/b", &n).unwrap();
        assert!(matches!(store.commit(txn(1)).await, Err(Error::Unavailable { .. })));
        assert_eq!(store.get("a/b").await.unwrap(), None);
        assert!(matches!(store.commit(txn(2)).await, Err(Error::Unavailable { .. })));
        assert_eq!(store.get("a/b").await.unwrap().unwrap().decode::<u32>().unwrap(), 2);
        assert_eq!(watch.next().await.unwrap().revision, 1);
        assert!(matches!(
            store.commit(txn(3)).await,
            Err(Error::Conflict { found: Some(1), .. })
        ));
    }

    #[tokio::test(start_paused = true)]
    async fn a_clone_is_the_same_store() {
        let store = Memory::new();
        let again = store.clone();
        store.commit(Txn::new().put("a/b", &1).unwrap()).await.unwrap();
        drop(store);
        assert_eq!(again.list("a/").await.unwrap().1.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_is_too_slow_is_told_so() {
        let store = Memory::with_history(2);
        let mut slow = store.watch(0).await.unwrap();
        for n in 0..3 {
            store.commit(Txn::new().put("a/b", &n).unwrap()).await.unwrap();
        }
        assert_eq!(slow.next().await, Err(Error::Compacted { from: 0, oldest: 2 }));
        let mut again = store.watch(1).await.unwrap();
        assert_eq!(again.next().await.unwrap().revision, 2);
        assert!(
            matches!(store.watch(4).await, Err(Error::Compacted { .. })),
            "the future is another life's"
        );
    }
}
