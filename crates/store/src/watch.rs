//! Replays commits to readers, in order and without a gap, in bounded memory.
//!
//! There is one log of the latest commits for all readers, and no queue for each: a [`Watch`] is a position. A reader
//! that falls behind the log reads from the engine's history instead; one that falls behind that is told so
//! ([`Error::Compacted`]). Gaps can't happen, as a position only moves to the revision right after it.

use crate::{Batch, Error, Future, Revision};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Most commits that a watch takes at a time from the log: bounds what one slow reader holds.
const STRIDE: usize = 64;

/// The latest commits, up to a number and a sum of bytes. Holds every revision in `floor+1 ..= floor+len`.
pub(crate) struct Log {
    floor: Revision,
    batches: VecDeque<Arc<Batch>>,
    bytes: usize,
    batches_max: usize,
    bytes_max: usize,
}

/// What the log has for a position.
pub(crate) enum Recent {
    /// The commits right after it; at least one.
    Batches(Vec<Arc<Batch>>),
    /// Nothing has happened after it.
    Nothing,
    /// What comes after it is older than the log.
    Older,
}

impl Log {
    /// An empty log which starts after `floor`.
    pub(crate) fn new(floor: Revision, batches_max: usize, bytes_max: usize) -> Self {
        Self {
            floor,
            batches: VecDeque::new(),
            bytes: 0,
            batches_max,
            bytes_max,
        }
    }

    /// The last revision that is no longer here.
    pub(crate) fn floor(&self) -> Revision {
        self.floor
    }

    /// The last revision seen.
    pub(crate) fn head(&self) -> Revision {
        self.floor + self.batches.len() as u64
    }

    pub(crate) fn push(&mut self, batch: Batch) {
        assert_eq!(
            batch.revision,
            self.head() + 1,
            "commits are published in order, without a gap"
        );
        self.bytes += batch.bytes();
        self.batches.push_back(Arc::new(batch));
        while self.batches.len() > self.batches_max || self.bytes > self.bytes_max {
            let Some(oldest) = self.batches.pop_front() else { break };
            self.bytes -= oldest.bytes();
            self.floor = oldest.revision;
        }
    }

    pub(crate) fn after(&self, from: Revision) -> Recent {
        if from < self.floor {
            return Recent::Older;
        }
        // A reader may be ahead of the log for a moment: it listed a commit that is durable and not yet published.
        let skip = usize::try_from(from - self.floor).unwrap_or(usize::MAX);
        let batches: Vec<_> = self.batches.iter().skip(skip).take(STRIDE).cloned().collect();
        if batches.is_empty() {
            Recent::Nothing
        } else {
            Recent::Batches(batches)
        }
    }
}

/// Where an engine keeps what its log has dropped.
pub(crate) trait History: Send + Sync + 'static {
    /// Some of the commits right after `from`, which is older than the log; at least one, and a bounded number.
    fn after(&self, from: Revision) -> Future<'_, Result<Vec<Arc<Batch>>, Error>>;
}

#[derive(Clone, Copy)]
struct Head {
    revision: Revision,
    closed: bool,
}

/// The log, and a bell that wakes the readers.
pub(crate) struct Feed {
    log: Mutex<Log>,
    head: watch::Sender<Head>,
}

impl Feed {
    pub(crate) fn new(log: Log) -> Self {
        let head = Head {
            revision: log.head(),
            closed: false,
        };
        Self {
            log: Mutex::new(log),
            head: watch::Sender::new(head),
        }
    }

    pub(crate) fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows commits to every reader. They must be durable by now.
    pub(crate) fn publish(&self, batches: impl IntoIterator<Item = Batch>) {
        let mut log = self.log();
        for batch in batches {
            log.push(batch);
        }
        let revision = log.head();
        drop(log);
        self.head.send_modify(|head| head.revision = revision);
    }

    /// The store is gone: readers get what is in the log, then an error.
    pub(crate) fn close(&self) {
        self.head.send_modify(|head| head.closed = true);
    }
}

/// A reader's place in the sequence of commits. See [`crate::Store::watch`].
pub struct Watch {
    seen: Revision,
    taken: VecDeque<Arc<Batch>>,
    feed: Arc<Feed>,
    bell: watch::Receiver<Head>,
    history: Arc<dyn History>,
}

impl Watch {
    pub(crate) fn new(from: Revision, feed: Arc<Feed>, history: Arc<dyn History>) -> Self {
        let bell = feed.head.subscribe();
        Self {
            seen: from,
            taken: VecDeque::new(),
            feed,
            bell,
            history,
        }
    }

    /// The revision of the last commit returned: where to resume from.
    #[must_use]
    pub fn seen(&self) -> Revision {
        self.seen
    }

    /// The next commit; waits until there is one. Can be dropped and called again: nothing is lost.
    ///
    /// # Errors
    /// [`Error::Compacted`] when this reader was too slow and the history has moved past it: list again.
    /// [`Error::Unavailable`] when the store was closed, or its history can't be read.
    pub async fn next(&mut self) -> Result<Batch, Error> {
        loop {
            if let Some(batch) = self.taken.pop_front() {
                if batch.revision != self.seen + 1 {
                    return Err(Error::Corrupt {
                        what: "history".into(),
                        reason: format!("revision {} follows {}", batch.revision, self.seen),
                    });
                }
                self.seen = batch.revision;
                return Ok(Arc::unwrap_or_clone(batch));
            }
            // The bell is read before the log: what is published in between rings it again.
            let closed = self.bell.borrow_and_update().closed;
            let recent = self.feed.log().after(self.seen);
            match recent {
                Recent::Batches(batches) => self.taken.extend(batches),
                Recent::Older => self.taken.extend(self.history.after(self.seen).await?),
                Recent::Nothing if closed => return Err(closed_error()),
                Recent::Nothing => self.bell.changed().await.map_err(|_| closed_error())?,
            }
        }
    }
}

fn closed_error() -> Error {
    Error::Unavailable {
        what: "watch the store".into(),
        reason: "it was closed; open it again and resume from the last revision seen".into(),
    }
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Watch(after {})", self.seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Change;

    fn batch(revision: Revision, bytes: usize) -> Batch {
        let value = Some(Arc::from(vec![b'1'; bytes]));
        Batch {
            revision,
            changes: vec![Change {
                revision,
                key: "a/b".into(),
                value,
            }],
        }
    }

    #[test]
    fn the_log_drops_its_oldest_by_number_and_by_bytes() {
        let mut log = Log::new(5, 3, 100);
        for revision in 6..=9 {
            log.push(batch(revision, 1));
        }
        assert_eq!((log.floor(), log.head(), log.bytes), (6, 9, 12));
        log.push(batch(10, 90));
        assert_eq!((log.floor(), log.head()), (8, 10));
        log.push(batch(11, 200));
        assert_eq!(
            (log.floor(), log.head(), log.bytes),
            (11, 11, 0),
            "one that never fits is for the history"
        );
        assert!(matches!(log.after(10), Recent::Older));
        assert!(matches!(log.after(11), Recent::Nothing));
        assert!(
            matches!(log.after(12), Recent::Nothing),
            "ahead of the log is not an error"
        );
    }
}
