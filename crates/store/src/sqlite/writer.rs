//! The only writer: a thread that commits many waiting transactions with one fsync.
//!
//! An fsync costs milliseconds, and while one runs, others queue. So the thread takes whatever waits, applies each
//! transaction with its own checks and its own revision, in the order of arrival, and commits once. A conflict is an
//! answer to its own transaction only. Nobody is answered before the commit is durable: a conflict is judged against
//! what came before it in the group, which counts only if it is kept.
//!
//! If the group can't be kept, it is rolled back and its members are tried one by one, so that only those fail which
//! can't be written.

use super::Options;
use super::fault::{Doing, durability_lost, unavailable};
use super::schema::{ORDINAL_BITS, State};
use crate::limits::{REVISION_MAX, TXN_BYTES_MAX};
use crate::watch::Feed;
use crate::{Batch, Change, Error, Revision, Txn, Write};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

/// Most transactions that wait to be taken; those who come later wait to hand theirs in.
const QUEUE_MAX: usize = 1024;
/// Most transactions in one group: keeps the first one's wait short, and the group's memory small.
const GROUP_MAX: usize = 256;
/// Most bytes of transactions handed in and not answered, in units of [`PERMIT_BYTES`].
const QUEUE_BYTES_MAX: usize = 4 * TXN_BYTES_MAX;
/// A semaphore counts in u32; kilobytes are fine enough.
const PERMIT_BYTES: usize = 1 << 10;
/// Most commits of history that are dropped at a time: what each commit pays is bounded.
const PRUNE_STEP: u64 = 1024;

/// The handle by which transactions reach the thread.
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Job>>,
    bytes: Arc<Semaphore>,
    thread: Option<JoinHandle<()>>,
    doing: Doing,
}

struct Job {
    txn: Txn,
    answer: oneshot::Sender<Result<Revision, Error>>,
    _bytes: OwnedSemaphorePermit,
}

impl Writer {
    pub(super) fn start(
        conn: Connection,
        path: &Path,
        state: State,
        options: &Options,
        feed: Arc<Feed>,
    ) -> Result<Self, Error> {
        let doing = Doing::new("commit to the store", path);
        let history = Bounds {
            revisions: options.history_revisions_max,
            bytes: options.history_bytes_max,
        };
        let kept = history_bytes(&conn, None).map_err(|e| doing.failed(e))?;
        let place = Place {
            state,
            history_bytes: kept,
        };
        let mut engine = Engine {
            conn,
            place,
            history,
            feed,
            doing: doing.clone(),
            dead: None,
        };
        let (queue, jobs) = mpsc::channel(QUEUE_MAX);
        let thread = thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || engine.serve(jobs))
            .map_err(|e| {
                unavailable(
                    &doing,
                    format!("its thread can't be started ({e}); raise the process limit"),
                )
            })?;
        let bytes = Arc::new(Semaphore::new(QUEUE_BYTES_MAX / PERMIT_BYTES));
        Ok(Self {
            queue: Some(queue),
            bytes,
            thread: Some(thread),
            doing,
        })
    }

    /// Hands the transaction in and waits for the disk. Dropped before it is handed in, it never happens; after, it
    /// happens whole, with nobody to tell.
    pub(super) async fn commit(&self, txn: Txn, bytes: usize) -> Result<Revision, Error> {
        let stopped = || unavailable(&self.doing, "its writer has stopped; restart the daemon");
        let units = u32::try_from(bytes.div_ceil(PERMIT_BYTES)).unwrap_or(u32::MAX);
        let permit = self
            .bytes
            .clone()
            .acquire_many_owned(units)
            .await
            .map_err(|_| stopped())?;
        let (answer, answered) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or_else(stopped)?;
        queue
            .send(Job {
                txn,
                answer,
                _bytes: permit,
            })
            .await
            .map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())?
    }

    /// Finishes what was handed in, and closes the file.
    pub(super) fn stop(&mut self) {
        self.queue = None;
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the store's writer had panicked");
        }
    }
}

#[derive(Clone, Copy)]
struct Bounds {
    revisions: u64,
    bytes: u64,
}

/// What a commit moves, and a rollback puts back.
#[derive(Clone, Copy)]
struct Place {
    state: State,
    history_bytes: u64,
}

struct Engine {
    conn: Connection,
    place: Place,
    history: Bounds,
    feed: Arc<Feed>,
    doing: Doing,
    /// Set when the disk failed under a commit: nothing is written any more.
    dead: Option<Error>,
}

/// A group that is durable: an answer for each member, and what to publish.
struct Done {
    answers: Vec<Result<Revision, Error>>,
    batches: Vec<Batch>,
}

impl Engine {
    fn serve(&mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut group = Vec::with_capacity(GROUP_MAX);
        while let Some(first) = jobs.blocking_recv() {
            group.push(first);
            while group.len() < GROUP_MAX {
                let Ok(job) = jobs.try_recv() else { break };
                group.push(job);
            }
            let answers = self.commit(&group);
            for (job, answer) in group.drain(..).zip(answers) {
                // The caller may be gone: its commit stands all the same.
                drop(job.answer.send(answer));
            }
        }
    }

    /// One answer for each member, in order.
    fn commit(&mut self, group: &[Job]) -> Vec<Result<Revision, Error>> {
        match self.attempt(group) {
            Ok(answers) => answers,
            Err(_) if group.len() > 1 && self.dead.is_none() => group
                .iter()
                .flat_map(|job| self.commit(std::slice::from_ref(job)))
                .collect(),
            Err(error) => group.iter().map(|_| Err(error.clone())).collect(),
        }
    }

    fn attempt(&mut self, group: &[Job]) -> Result<Vec<Result<Revision, Error>>, Error> {
        if let Some(dead) = &self.dead {
            return Err(dead.clone());
        }
        let mut place = self.place;
        match write(&mut self.conn, group, &mut place, self.history) {
            Ok(done) => {
                self.place = place;
                self.feed.publish(done.batches);
                Ok(done.answers)
            }
            Err(Failed::Before(error)) => Err(self.doing.failed(error)),
            Err(Failed::Committing(error)) if durability_lost(&error) => {
                let dead = unavailable(
                    &self.doing,
                    format!(
                        "the disk failed while committing ({error}), and nothing more is written; look at `dmesg`, then restart the daemon"
                    ),
                );
                tracing::error!(error = %dead, "the store has stopped writing");
                self.dead = Some(dead.clone());
                Err(dead)
            }
            Err(Failed::Committing(error)) => Err(self.doing.failed(error)),
        }
    }
}

enum Failed {
    Before(rusqlite::Error),
    Committing(rusqlite::Error),
}

impl From<rusqlite::Error> for Failed {
    fn from(error: rusqlite::Error) -> Self {
        Self::Before(error)
    }
}

/// Applies the group in one database transaction; any error rolls all of it back.
fn write(conn: &mut Connection, group: &[Job], place: &mut Place, history: Bounds) -> Result<Done, Failed> {
    let before = place.state;
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut done = Done {
        answers: Vec::with_capacity(group.len()),
        batches: Vec::new(),
    };
    for job in group {
        done.answers.push(match apply(&tx, &job.txn, place)? {
            Ok(batch) => {
                done.batches.extend(batch);
                Ok(place.state.revision)
            }
            Err(refusal) => Err(refusal),
        });
    }
    prune(&tx, place, history)?;
    if place.state == before {
        // Only refusals, and transactions that changed nothing: no reason to touch the disk.
        tx.rollback()?;
        return Ok(done);
    }
    tx.prepare_cached("UPDATE state SET revision = ?1, compacted = ?2 WHERE id = 1")?
        .execute((place.state.revision, place.state.compacted))?;
    tx.commit().map_err(Failed::Committing)?;
    Ok(done)
}

/// Outer error: the database failed. Inner error: this transaction is refused, and has written nothing.
fn apply(conn: &Connection, txn: &Txn, place: &mut Place) -> rusqlite::Result<Result<Option<Batch>, Error>> {
    for check in &txn.checks {
        let found = conn
            .prepare_cached("SELECT revision FROM object WHERE key = ?1")?
            .query_row([&check.key], |row| row.get(0))
            .optional()?;
        if let Err(conflict) = check.judge(found) {
            return Ok(Err(conflict));
        }
    }
    let revision = place.state.revision + 1;
    if revision > REVISION_MAX && !txn.writes.is_empty() {
        return Ok(Err(Error::Invalid {
            what: "transaction".into(),
            reason: "this store's revisions are used up; start a new store".into(),
        }));
    }
    let mut changes = Vec::with_capacity(txn.writes.len());
    for write in &txn.writes {
        let (key, value) = match write {
            Write::Put { key, value } => {
                conn.prepare_cached(
                    "INSERT INTO object (key, revision, value) VALUES (?1, ?2, ?3)
                     ON CONFLICT (key) DO UPDATE SET revision = excluded.revision, value = excluded.value",
                )?
                .execute((key, revision, value))?;
                (key, Some(value.as_slice()))
            }
            Write::Delete { key } => {
                match conn
                    .prepare_cached("DELETE FROM object WHERE key = ?1")?
                    .execute([key])?
                {
                    0 => continue,
                    _ => (key, None),
                }
            }
        };
        let id = revision << ORDINAL_BITS | changes.len() as u64;
        conn.prepare_cached("INSERT INTO change (id, key, value) VALUES (?1, ?2, ?3)")?
            .execute((id, key, value))?;
        changes.push(Change {
            revision,
            key: key.clone(),
            value: value.map(Arc::from),
        });
    }
    if changes.is_empty() {
        return Ok(Ok(None));
    }
    let batch = Batch { revision, changes };
    place.state.revision = revision;
    place.history_bytes += batch.bytes() as u64;
    Ok(Ok(Some(batch)))
}

/// Drops the oldest history beyond its bounds, a bounded part at a time.
fn prune(conn: &Connection, place: &mut Place, history: Bounds) -> rusqlite::Result<()> {
    let State { revision, compacted } = place.state;
    let surplus = (revision - compacted).saturating_sub(history.revisions);
    let mut until = compacted + surplus.min(PRUNE_STEP);
    if until == compacted && place.history_bytes > history.bytes {
        // By bytes: the oldest half, rather than a scan at each of many small steps.
        until = (compacted + (revision - compacted).div_ceil(2)).min(compacted + PRUNE_STEP);
    }
    if until == compacted {
        return Ok(());
    }
    place.history_bytes = place.history_bytes.saturating_sub(history_bytes(conn, Some(until))?);
    conn.prepare_cached("DELETE FROM change WHERE id < ?1")?
        .execute([(until + 1) << ORDINAL_BITS])?;
    place.state.compacted = until;
    Ok(())
}

/// The bytes of keys and values in the history: all of it, or up to a revision.
fn history_bytes(conn: &Connection, until: Option<Revision>) -> rusqlite::Result<u64> {
    let end = until.map_or(i64::MAX as u64, |until| (until + 1) << ORDINAL_BITS);
    conn.prepare_cached(
        "SELECT coalesce(sum(octet_length(key) + coalesce(octet_length(value), 0)), 0) FROM change WHERE id < ?1",
    )?
    .query_row([end], |row| row.get(0))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::sqlite::{connect, create, prepare};
    use crate::watch::{Log, Recent};
    use crate::{Expect, TXN_WRITES_MAX};
    use rusqlite::OpenFlags;

    fn engine(path: &Path, bytes_max: u64) -> Engine {
        create(path).unwrap();
        let mut conn = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
        let options = Options {
            bytes_max,
            ..Options::default()
        };
        prepare(&conn, &options).unwrap();
        crate::sqlite::schema::migrate(&mut conn, path).unwrap();
        let state = crate::sqlite::schema::state(&conn).unwrap();
        let history = Bounds {
            revisions: options.history_revisions_max,
            bytes: options.history_bytes_max,
        };
        let feed = Arc::new(Feed::new(Log::new(0, 100, 1 << 20)));
        let doing = Doing::new("commit to the store", path);
        Engine {
            conn,
            place: Place {
                state,
                history_bytes: 0,
            },
            history,
            feed,
            doing,
            dead: None,
        }
    }

    fn group(txns: Vec<Txn>) -> Vec<Job> {
        let permits = Arc::new(Semaphore::new(txns.len()));
        let permit = || permits.clone().try_acquire_owned().unwrap();
        txns.into_iter()
            .map(|txn| Job {
                txn,
                answer: oneshot::channel().0,
                _bytes: permit(),
            })
            .collect()
    }

    #[test]
    fn one_that_does_not_fit_fails_alone_and_leaves_no_trace_in_its_group() {
        let folder = tempfile::tempdir().unwrap();
        let mut engine = engine(&folder.path().join("state.db"), 256 << 10);
        let small = |key: &str| Txn::new().check(key, Expect::Absent).put(key, "x").unwrap();
        let large = Txn::new()
            .put("a/half", "x")
            .unwrap()
            .put("a/large", &"x".repeat(500_000))
            .unwrap();
        let answers = engine.commit(&group(vec![small("a/1"), large, small("a/1"), small("a/2")]));
        assert_eq!(answers[0], Ok(1));
        assert!(matches!(answers[1], Err(Error::Full { .. })), "{answers:?}");
        assert!(
            matches!(answers[2], Err(Error::Conflict { found: Some(1), .. })),
            "{answers:?}"
        );
        assert_eq!(answers[3], Ok(2), "the one that failed took no revision");
        let keys: String = engine
            .conn
            .query_row("SELECT group_concat(key) FROM object ORDER BY key", [], |row| {
                row.get(0)
            })
            .unwrap();
        assert_eq!(keys, "a/1,a/2");
        let Recent::Batches(published) = engine.feed.log().after(0) else {
            panic!("nothing was published")
        };
        assert_eq!(published.iter().map(|batch| batch.revision).collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn once_the_disk_failed_under_a_commit_nothing_more_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let mut engine = engine(&folder.path().join("state.db"), 1 << 20);
        let dead = unavailable(&engine.doing, "the disk failed");
        engine.dead = Some(dead.clone());
        let answers = engine.commit(&group(vec![Txn::new().delete("a/1"), Txn::new().delete("a/2")]));
        assert_eq!(answers, [Err(dead.clone()), Err(dead)]);
    }

    #[test]
    fn the_largest_transaction_has_a_history_row_for_each_write() {
        let folder = tempfile::tempdir().unwrap();
        let mut engine = engine(&folder.path().join("state.db"), 16 << 20);
        for revision in 1..=2 {
            let txn = (0..TXN_WRITES_MAX)
                .try_fold(Txn::new(), |txn, n| txn.put(format!("a/{n}"), &n))
                .unwrap();
            assert_eq!(engine.commit(&group(vec![txn])), [Ok(revision)]);
        }
        let sql = "SELECT count(*), count(DISTINCT revision) FROM change WHERE revision IN (1, 2)";
        let rows: (usize, usize) = engine
            .conn
            .query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        assert_eq!(rows, (2 * TXN_WRITES_MAX, 2));
    }
}
