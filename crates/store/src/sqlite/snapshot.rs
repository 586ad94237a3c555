//! One file of a store, and a store of that file.
//!
//! Files are written under a temporary name, forced to the disk and then renamed: a name never shows half a file.

use super::fault::{Doing, unavailable};
use super::lock::{Lock, beside};
use super::{MODE, connect, resolve, schema};
use crate::limits::{self, KEY_BYTES_MAX, REVISION_MAX, VALUE_BYTES_MAX};
use crate::{Error, Object, Revision};
use rusqlite::{Connection, OpenFlags};
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// What a restored store adds to its revision. The store that was lost may have gone on after the backup; a reader that
/// resumes from one of those revisions must be told to list again, and never be given another commit under a number
/// that it has seen. (etcd does the same: `etcdutl snapshot restore --bump-revision --mark-compacted`.)
const RESTORE_STEP: Revision = 1_000_000_000;

/// A file on its way to its name; removed if it doesn't get there.
struct Temp {
    path: PathBuf,
    to: PathBuf,
    doing: Doing,
}

impl Temp {
    fn create(to: &Path, doing: &Doing) -> Result<Self, Error> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = beside(to, &format!(".{}-{number}.tmp", std::process::id()));
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(MODE)
            .open(&path)
            .map_err(|e| doing.io(&e))?;
        Ok(Self {
            path,
            to: to.to_owned(),
            doing: doing.clone(),
        })
    }

    /// Makes an exact and compact copy of the database behind `conn`, as of now, while others read and write it.
    fn fill(&self, conn: &Connection) -> Result<(), Error> {
        let name = self.path.to_str().ok_or_else(|| Error::Invalid {
            what: format!("path {}", self.to.display()),
            reason: "SQLite takes names in UTF-8 only".into(),
        })?;
        conn.execute("VACUUM INTO ?1", [name])
            .map(drop)
            .map_err(|e| self.doing.failed(e))
    }

    fn open(&self) -> Result<Connection, Error> {
        connect(&self.path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(|e| self.doing.failed(e))
    }

    fn finish(self) -> Result<(), Error> {
        let keep = || {
            File::open(&self.path)?.sync_all()?;
            fs::rename(&self.path, &self.to)?;
            sync_folder(&self.to)
        };
        keep().map_err(|e| self.doing.io(&e))
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        // After the rename there is nothing under this name; whatever else keeps it, the error that led here is told.
        let _ = fs::remove_file(&self.path);
        let _ = fs::remove_file(beside(&self.path, "-journal"));
    }
}

/// Makes a change of names in a file's folder durable.
pub(super) fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// Copies the store `own`, open as `conn`, to the file `to`.
pub(super) fn write_copy(conn: &Connection, own: &Path, to: &Path) -> Result<(), Error> {
    let doing = Doing::new("write the backup", to);
    let to = resolve(to, &doing)?;
    if ["", "-wal", "-shm", "-lock", "-journal"]
        .iter()
        .any(|suffix| beside(own, suffix) == to)
    {
        return Err(Error::Invalid {
            what: format!("backup to {}", to.display()),
            reason: "it belongs to the running store itself; give another path".into(),
        });
    }
    let temp = Temp::create(&to, &doing)?;
    temp.fill(conn)?;
    temp.finish()
}

/// Writes a store of the given objects to the file `to`.
pub(crate) fn write_objects(to: &Path, revision: Revision, objects: &[Object]) -> Result<(), Error> {
    let doing = Doing::new("write the backup", to);
    let to = resolve(to, &doing)?;
    let temp = Temp::create(&to, &doing)?;
    let mut conn = temp.open()?;
    schema::migrate(&mut conn, &to)?;
    let mut insert = || {
        let tx = conn.transaction()?;
        for Object { key, revision, value } in objects {
            tx.prepare_cached("INSERT INTO object (key, revision, value) VALUES (?1, ?2, ?3)")?
                .execute((key, revision, &value[..]))?;
        }
        tx.execute("UPDATE state SET revision = ?1, compacted = ?1", [revision])?;
        tx.commit()
    };
    insert().map_err(|e| doing.failed(e))?;
    drop(conn);
    temp.finish()
}

/// Makes a new store at `to` from the backup `file`, after checking every page and every object of it.
///
/// The new store's revision is far above the backup's, and its history is empty: every watch from before answers
/// [`Error::Compacted`], and its reader lists again. Objects keep their revisions. Blocks, as it reads the whole file.
///
/// # Errors
/// [`Error::Invalid`] if there is a store at `to`; [`Error::InUse`] if a process has it open; [`Error::Corrupt`] or
/// [`Error::TooNew`] if `file` is no sound backup. Nothing is left at `to` then.
pub fn restore(file: &Path, to: &Path) -> Result<(), Error> {
    let doing = Doing::new("restore the store", to);
    let to = resolve(to, &doing)?;
    let _lock = Lock::take(&to)?;
    // A log without its database would be applied to whatever database comes under its name.
    for taken in [to.clone(), beside(&to, "-wal"), beside(&to, "-journal")] {
        if fs::metadata(&taken).is_ok_and(|found| found.len() > 0) {
            return Err(Error::Invalid {
                what: format!("restore to {}", to.display()),
                reason: format!(
                    "{} is there; move it away first, or restore to another path",
                    taken.display()
                ),
            });
        }
    }
    let source = Doing::new("read the backup", file);
    let real = fs::canonicalize(file).map_err(|e| unavailable(&source, format!("{e}; check the path")))?;
    let conn = connect(&real, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(|e| source.failed(e))?;
    examine(&conn, &real, &source)?;

    let temp = Temp::create(&to, &doing)?;
    temp.fill(&conn)?;
    let mut copy = temp.open()?;
    schema::migrate(&mut copy, &to)?;
    let mut step = || {
        let tx = copy.transaction()?;
        tx.execute("DELETE FROM change", [])?;
        tx.execute(
            "UPDATE state SET revision = revision + ?1, compacted = revision + ?1",
            [RESTORE_STEP],
        )?;
        tx.commit()
    };
    step().map_err(|e| doing.failed(e))?;
    drop(copy);
    temp.finish()
}

/// Refuses a backup that is damaged, or that holds anything which a store would not have written.
fn examine(conn: &Connection, path: &Path, doing: &Doing) -> Result<(), Error> {
    let version = schema::check_owner(conn, path)?;
    if version == 0 {
        return Err(doing.corrupt("it is empty"));
    }
    let sound: String = conn
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        .map_err(|e| doing.failed(e))?;
    if sound != "ok" {
        return Err(doing.corrupt(sound));
    }
    // A trigger or a view would be run by the daemon later.
    let same = || Ok(schema::declarations(conn)? == schema::declared(version)?);
    if !same().map_err(|e| doing.failed(e))? {
        return Err(doing.corrupt("it declares other tables, views or triggers than a store does"));
    }
    let revision: Revision = conn
        .query_row("SELECT revision FROM state WHERE id = 1", [], |row| row.get(0))
        .map_err(|e| doing.failed(e))?;
    if revision > REVISION_MAX - RESTORE_STEP {
        return Err(doing.corrupt(format!("its revision {revision} is out of range")));
    }
    // Sizes first: what is too large is not read at all.
    let large: u64 = conn
        .query_row(
            "SELECT count(*) FROM object WHERE octet_length(key) > ?1 OR octet_length(value) > ?2",
            (KEY_BYTES_MAX, VALUE_BYTES_MAX),
            |row| row.get(0),
        )
        .map_err(|e| doing.failed(e))?;
    if large > 0 {
        return Err(doing.corrupt(format!("{large} objects are larger than a store takes")));
    }
    let mut statement = conn
        .prepare("SELECT key, revision, value FROM object")
        .map_err(|e| doing.failed(e))?;
    let mut rows = statement.query([]).map_err(|e| doing.failed(e))?;
    while let Some(row) = rows.next().map_err(|e| doing.failed(e))? {
        let Object {
            key,
            revision: at,
            value,
        } = super::reader::object(row).map_err(|e| doing.failed(e))?;
        limits::key(&key)
            .and_then(|()| limits::value(&key, &value))
            .map_err(|e| doing.corrupt(e))?;
        if !(1..=revision).contains(&at) {
            return Err(doing.corrupt(format!("{key} has revision {at}, the store {revision}")));
        }
    }
    Ok(())
}
