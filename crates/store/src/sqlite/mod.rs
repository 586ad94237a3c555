//! The durable engine: one SQLite file, owned by one process.
//!
//! - `lock.rs` makes sure of the one process; `schema.rs` brings the file to the schema of this program.
//! - `writer.rs` is the only writer: a thread which commits many waiting transactions with one fsync.
//! - `reader.rs` holds a few connections for reads, which see the last commit and never wait for the writer (WAL).
//! - `snapshot.rs` makes one file of a store, and a store of that file.
//!
//! The file is in WAL mode with `synchronous=FULL`: what was acknowledged survives a loss of power. Beside it lie
//! `-wal` and `-shm`, which belong to it, and `-lock`.

mod fault;
mod lock;
mod reader;
mod schema;
pub(crate) mod snapshot;
mod writer;

pub use snapshot::restore;

use crate::watch::{Feed, History, Log, Watch};
use crate::{Error, Future, Object, Revision, Store, Txn, limits};
use fault::{Doing, unavailable};
use lock::Lock;
use reader::Readers;
use rusqlite::{Connection, OpenFlags};
use std::fs::{self, OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use writer::Writer;

/// How long to wait for another program (an operator's `sqlite3`) which holds the file's write lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// What the write-ahead log is cut back to after a burst.
const WAL_BYTES_KEPT: i64 = 64 << 20;
/// The largest the database file may grow, unless told otherwise: far more than a rack's records, and no surprise for
/// the disk that it shares.
const FILE_BYTES_MAX: u64 = 16 << 30;
/// Only the owner: the file holds sealed credentials and token hashes.
const MODE: u32 = 0o600;
/// Commits kept in memory for readers that keep up; the rest is read from the history table.
const LOG_BATCHES_MAX: usize = 1024;
/// Most bytes of those.
const LOG_BYTES_MAX: usize = 16 << 20;

/// How to open a store.
#[derive(Debug, Clone)]
pub struct Options {
    /// The largest the database file may grow, in bytes; above it commits answer [`Error::Full`].
    pub bytes_max: u64,
    /// How many of the last revisions a watch can resume from.
    pub history_revisions_max: u64,
    /// Most bytes of keys and values which that history may hold.
    pub history_bytes_max: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            bytes_max: FILE_BYTES_MAX,
            history_revisions_max: limits::HISTORY_REVISIONS_MAX,
            history_bytes_max: limits::HISTORY_BYTES_MAX,
        }
    }
}

/// The store in one SQLite file. Dropping it finishes the commits that were handed in and closes the file.
pub struct Sqlite {
    path: PathBuf,
    readers: Arc<Readers>,
    feed: Arc<Feed>,
    writer: Writer,
    // Last, so that the file is closed before another process may open it.
    _lock: Lock,
}

impl Sqlite {
    /// Opens the store at `path`, and makes it if there is none. Blocks: for start-up, not for a loop.
    ///
    /// # Errors
    /// [`Error::InUse`] if another process has it; [`Error::TooNew`] if a newer version wrote it; [`Error::Corrupt`] if
    /// it is damaged or another program's; [`Error::Unavailable`] if the file can't be made or opened.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::open_with(path, &Options::default())
    }

    /// As [`Sqlite::open`], with bounds of one's own.
    ///
    /// # Errors
    /// As [`Sqlite::open`].
    pub fn open_with(path: impl AsRef<Path>, options: &Options) -> Result<Self, Error> {
        let path = resolve(path.as_ref(), &Doing::new("open the store", path.as_ref()))?;
        let lock = Lock::take(&path)?;
        create(&path)?;
        let doing = Doing::new("open the store", &path);
        let mut conn = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(|e| doing.failed(e))?;
        // Before anything is written: a file of another program or of a newer version is left as it was found.
        schema::check_owner(&conn, &path)?;
        prepare(&conn, options).map_err(|e| doing.failed(e))?;
        schema::migrate(&mut conn, &path)?;
        let state = schema::state(&conn).map_err(|e| doing.failed(e))?;
        let feed = Arc::new(Feed::new(Log::new(state.revision, LOG_BATCHES_MAX, LOG_BYTES_MAX)));
        let readers = Arc::new(Readers::new(&path));
        let writer = Writer::start(conn, &path, state, options, feed.clone())?;
        Ok(Self {
            path,
            readers,
            feed,
            writer,
            _lock: lock,
        })
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        // The writer's connection closes last: only it can fold the write-ahead log into the file.
        self.readers.close();
        self.writer.stop();
        self.feed.close();
    }
}

impl Store for Sqlite {
    fn get<'a>(&'a self, key: &'a str) -> Future<'a, Result<Option<Object>, Error>> {
        Box::pin(async move {
            limits::key(key)?;
            let key = key.to_owned();
            self.readers
                .run("read from the store", move |conn| reader::get(conn, &key))
                .await
        })
    }

    fn list<'a>(&'a self, prefix: &'a str) -> Future<'a, Result<(Revision, Vec<Object>), Error>> {
        Box::pin(async move {
            limits::prefix(prefix)?;
            let prefix = prefix.to_owned();
            self.readers
                .run("list the store", move |conn| reader::list(conn, &prefix))
                .await
        })
    }

    fn commit(&self, txn: Txn) -> Future<'_, Result<Revision, Error>> {
        Box::pin(async move {
            let bytes = limits::txn(&txn)?;
            self.writer.commit(txn, bytes).await
        })
    }

    fn watch(&self, from: Revision) -> Future<'_, Result<Watch, Error>> {
        Box::pin(async move {
            let history: Arc<dyn History> = self.readers.clone();
            // The file is asked, not the log: a list may have seen a commit which is not yet published.
            let state = self.readers.run("watch the store", schema::state).await?;
            if from < state.compacted || from > state.revision {
                return Err(Error::Compacted {
                    from,
                    oldest: state.compacted + 1,
                });
            }
            Ok(Watch::new(from, self.feed.clone(), history))
        })
    }

    fn backup<'a>(&'a self, to: &'a Path) -> Future<'a, Result<(), Error>> {
        Box::pin(async move {
            let (own, to) = (self.path.clone(), to.to_owned());
            self.readers
                .call("back up the store", move |conn| snapshot::write_copy(conn, &own, &to))
                .await
        })
    }
}

impl std::fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sqlite({})", self.path.display())
    }
}

/// One name for one file, whatever symbolic links lead to it: the lock goes by name.
fn resolve(path: &Path, doing: &Doing) -> Result<PathBuf, Error> {
    if let Ok(real) = fs::canonicalize(path) {
        return Ok(real);
    }
    let name = path
        .file_name()
        .ok_or_else(|| unavailable(doing, "it names no file; give the path of a file"))?;
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let folder = fs::canonicalize(folder)
        .map_err(|e| unavailable(doing, format!("its folder can't be used ({e}); make the folder first")))?;
    Ok(folder.join(name))
}

/// Makes the file if it isn't there, for its owner only; an existing one is closed to others.
fn create(path: &Path) -> Result<(), Error> {
    let doing = Doing::new("create the store", path);
    match OpenOptions::new().write(true).create_new(true).mode(MODE).open(path) {
        Ok(_) => snapshot::sync_folder(path).map_err(|e| doing.io(&e)),
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
            fs::set_permissions(path, Permissions::from_mode(MODE)).map_err(|e| doing.io(&e))
        }
        Err(e) => Err(doing.io(&e)),
    }
}

/// A connection that trusts nothing in the file.
fn connect(path: &Path, mode: OpenFlags) -> rusqlite::Result<Connection> {
    let conn = Connection::open_with_flags(path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    conn.busy_timeout(BUSY_TIMEOUT)?;
    conn.pragma_update(None, "trusted_schema", false)?;
    conn.pragma_update(None, "cell_size_check", true)?;
    Ok(conn)
}

/// The writer's settings: what is acknowledged is on the disk.
fn prepare(conn: &Connection, options: &Options) -> rusqlite::Result<()> {
    conn.pragma_update_and_check(None, "journal_mode", "WAL", |row| {
        match row.get::<_, String>(0)?.as_str() {
            "wal" => Ok(()),
            other => Err(rusqlite::Error::ToSqlConversionFailure(
                format!("the file system takes journal mode {other} only; put the store on a local disk").into(),
            )),
        }
    })?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.pragma_update_and_check(None, "journal_size_limit", WAL_BYTES_KEPT, |_| Ok(()))?;
    let page: u64 = conn.pragma_query_value(None, "page_size", |row| row.get(0))?;
    let pages = i64::try_from(options.bytes_max / page.max(1))
        .unwrap_or(i64::MAX)
        .clamp(1, 0xffff_fffe);
    conn.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_writer_forces_each_commit_to_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        create(&path).unwrap();
        let conn = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
        prepare(&conn, &Options::default()).unwrap();
        let text = |name| {
            conn.pragma_query_value(None, name, |row| row.get::<_, String>(0))
                .unwrap()
        };
        let number = |name| conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(text("journal_mode"), "wal");
        assert_eq!(
            number("synchronous"),
            2,
            "FULL: https://www.sqlite.org/pragma.html#pragma_synchronous"
        );
        assert_eq!(number("trusted_schema"), 0);
        assert_eq!(
            number("max_page_count") * number("page_size"),
            i64::try_from(FILE_BYTES_MAX).unwrap()
        );
    }
}
