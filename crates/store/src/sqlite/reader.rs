//! Reads: a few connections of their own, used on the runtime's blocking threads.

use super::fault::{Doing, unavailable};
use super::{connect, schema};
use crate::watch::History;
use crate::{Batch, Change, Error, Future, Object, Revision, limits};
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, TransactionBehavior};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Semaphore;
use tokio::task;

/// Most reads at a time. Reads come from memory on every hot path; a few connections serve the rest.
const READERS_MAX: usize = 4;
/// Most commits of history that a watch reads at a time.
const HISTORY_BATCHES: usize = 256;
/// Stop reading more history once this many bytes are held.
const HISTORY_BYTES: usize = 8 << 20;

/// The connections for reads. They are opened when first needed.
pub(super) struct Readers {
    path: PathBuf,
    permits: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Connection>>>,
}

impl Readers {
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            permits: Arc::new(Semaphore::new(READERS_MAX)),
            idle: Arc::default(),
        }
    }

    pub(super) fn close(&self) {
        self.permits.close();
        lock(&self.idle).clear();
    }

    /// As [`Readers::call`], for what fails in SQLite only.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        what: &'static str,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let doing = Doing::new(what, &self.path);
        self.call(what, move |conn| read(conn).map_err(|e| doing.failed(e)))
            .await
    }

    /// Runs `read` with a connection, on a blocking thread. Dropping the future lets it end by itself.
    pub(super) async fn call<T: Send + 'static>(
        &self,
        what: &'static str,
        read: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let doing = Doing::new(what, &self.path);
        let permit = self
            .permits
            .clone()
            .acquire_owned()
            .await
            .map_err(|_| unavailable(&doing, "it was closed; open it again"))?;
        let (path, idle) = (self.path.clone(), self.idle.clone());
        let work = task::spawn_blocking(move || {
            let taken = lock(&idle).pop();
            let conn = match taken {
                Some(conn) => conn,
                None => {
                    connect(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(|e| Doing::new(what, &path).failed(e))?
                }
            };
            let answer = read(&conn);
            // A connection that met an error is not trusted with the next read. A closed store keeps none.
            let semaphore = permit.semaphore().clone();
            if answer.is_ok() {
                let mut idle = lock(&idle);
                if !semaphore.is_closed() {
                    idle.push(conn);
                }
            }
            drop(permit);
            answer
        });
        work.await
            .map_err(|e| unavailable(&doing, format!("the read did not end ({e}); repeat")))?
    }
}

fn lock(idle: &Mutex<Vec<Connection>>) -> MutexGuard<'_, Vec<Connection>> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn object(row: &Row<'_>) -> rusqlite::Result<Object> {
    let value = row.get_ref(2)?.as_blob()?;
    Ok(Object {
        key: row.get(0)?,
        revision: row.get(1)?,
        value: Arc::from(value),
    })
}

pub(super) fn get(conn: &Connection, key: &str) -> rusqlite::Result<Option<Object>> {
    conn.prepare_cached("SELECT key, revision, value FROM object WHERE key = ?1")?
        .query_row([key], object)
        .optional()
}

/// The revision and the objects come from one read transaction, so that they belong together.
pub(super) fn list(conn: &Connection, prefix: &str) -> rusqlite::Result<(Revision, Vec<Object>)> {
    let snapshot = rusqlite::Transaction::new_unchecked(conn, TransactionBehavior::Deferred)?;
    let state = schema::state(&snapshot)?;
    let end = limits::prefix_end(prefix);
    let objects = snapshot
        .prepare_cached(
            "SELECT key, revision, value FROM object WHERE key >= ?1 AND (?2 IS NULL OR key < ?2) ORDER BY key",
        )?
        .query_map((prefix, end), object)?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    Ok((state.revision, objects))
}

impl History for Readers {
    fn after(&self, from: Revision) -> Future<'_, Result<Vec<Arc<Batch>>, Error>> {
        Box::pin(async move {
            let doing = Doing::new("read the history of the store", &self.path);
            self.call("read the history of the store", move |conn| {
                let (state, batches) = history(conn, from).map_err(|e| doing.failed(e))?;
                if from < state.compacted {
                    return Err(Error::Compacted {
                        from,
                        oldest: state.compacted + 1,
                    });
                }
                if batches.is_empty() {
                    return Err(doing.corrupt(format!("no change after revision {from}, though it is not compacted")));
                }
                Ok(batches)
            })
            .await
        })
    }
}

fn history(conn: &Connection, from: Revision) -> rusqlite::Result<(schema::State, Vec<Arc<Batch>>)> {
    let snapshot = rusqlite::Transaction::new_unchecked(conn, TransactionBehavior::Deferred)?;
    let state = schema::state(&snapshot)?;
    let mut batches: Vec<Batch> = Vec::new();
    let mut bytes = 0;
    let mut statement = snapshot.prepare_cached("SELECT id, key, value FROM change WHERE id >= ?1 ORDER BY id")?;
    let mut rows = statement.query([(from + 1) << schema::ORDINAL_BITS])?;
    while let Some(row) = rows.next()? {
        let revision = row.get::<_, u64>(0)? >> schema::ORDINAL_BITS;
        let value = row.get_ref(2)?.as_blob_or_null()?.map(Arc::from);
        let change = Change {
            revision,
            key: row.get(1)?,
            value,
        };
        let size = change.key.len() + change.value.as_ref().map_or(0, |v| v.len());
        let full = batches.len() >= HISTORY_BATCHES || bytes >= HISTORY_BYTES;
        match batches.last_mut() {
            Some(batch) if batch.revision == revision => batch.changes.push(change),
            // Only whole commits: one that is begun is read to its end.
            Some(_) if full => break,
            _ => batches.push(Batch {
                revision,
                changes: vec![change],
            }),
        }
        bytes += size;
    }
    Ok((state, batches.into_iter().map(Arc::new).collect()))
}
