//! The tables, and how a file of an older version gets them.
//!
//! `PRAGMA user_version` counts the migrations that a file has had. They only go forward, each in a transaction of its
//! own; what is written here once is never edited, as files made by it exist. `PRAGMA application_id` says whose file it is.

use super::fault::Doing;
use crate::{Error, Revision};
use rusqlite::{Connection, TransactionBehavior};
use std::path::Path;

/// "BSBR": marks a SQLite file as a Busbar store.
pub(crate) const APPLICATION_ID: i64 = 0x4253_4252;

/// A history row's id is its revision, shifted by this, plus its place in the commit (fewer than
/// [`crate::TXN_WRITES_MAX`]): rows are only appended, and a revision's rows lie together without a second index.
pub(super) const ORDINAL_BITS: u32 = 10;
const _: () = assert!(crate::TXN_WRITES_MAX <= 1 << ORDINAL_BITS);

/// In order; a file of version *n* has had the first *n*.
const MIGRATIONS: &[&str] = &[
    // 1: the objects as they are now, and the revision of the last commit.
    "CREATE TABLE object (
        key TEXT NOT NULL PRIMARY KEY,
        revision INTEGER NOT NULL,
        value BLOB NOT NULL
    );
    CREATE TABLE state (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        revision INTEGER NOT NULL
    );
    INSERT INTO state (id, revision) VALUES (1, 0);",
    // 2: what each commit changed (value NULL: deleted), from the revision after state.compacted on.
    "CREATE TABLE change (
        id INTEGER PRIMARY KEY,
        key TEXT NOT NULL,
        value BLOB,
        revision INTEGER GENERATED ALWAYS AS (id >> 10) VIRTUAL
    );
    ALTER TABLE state ADD COLUMN compacted INTEGER NOT NULL DEFAULT 0;
    UPDATE state SET compacted = revision;",
];

/// The version that this program writes.
pub(crate) const VERSION: i64 = MIGRATIONS.len() as i64;

/// Where the store stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct State {
    /// The last commit.
    pub(crate) revision: Revision,
    /// The history holds every commit after this one.
    pub(crate) compacted: Revision,
}

pub(crate) fn state(conn: &Connection) -> rusqlite::Result<State> {
    conn.prepare_cached("SELECT revision, compacted FROM state WHERE id = 1")?
        .query_row([], |row| {
            Ok(State {
                revision: row.get(0)?,
                compacted: row.get(1)?,
            })
        })
}

pub(crate) fn version(conn: &Connection) -> rusqlite::Result<i64> {
    conn.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Refuses a file of another program, of a newer version, or none that SQLite can read; returns its version.
pub(crate) fn check_owner(conn: &Connection, path: &Path) -> Result<i64, Error> {
    let doing = Doing::new("open the store", path);
    let read = || {
        let owner: i64 = conn.pragma_query_value(None, "application_id", |row| row.get(0))?;
        let things: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        Ok((owner, things, version(conn)?))
    };
    let (owner, things, found) = read().map_err(|e| doing.failed(e))?;
    match (owner, found) {
        (0, 0) if things == 0 => Ok(0),
        (APPLICATION_ID, found) if found > VERSION => Err(doing.too_new(found, VERSION)),
        (APPLICATION_ID, found) if found >= 1 => Ok(found),
        _ => Err(doing.corrupt("it is the database of another program")),
    }
}

/// Brings the file to [`VERSION`].
pub(crate) fn migrate(conn: &mut Connection, path: &Path) -> Result<(), Error> {
    let doing = Doing::new("migrate the store", path);
    let found = version(conn).map_err(|e| doing.failed(e))?;
    for (index, sql) in MIGRATIONS
        .iter()
        .enumerate()
        .skip(usize::try_from(found).unwrap_or(usize::MAX))
    {
        let to = index as i64 + 1;
        step(conn, sql, to).map_err(|e| doing.failed(e))?;
        if found > 0 {
            tracing::info!(store = %path.display(), from = to - 1, to, "migrated the store");
        }
    }
    Ok(())
}

fn step(conn: &mut Connection, sql: &str, to: i64) -> rusqlite::Result<()> {
    let txn = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    txn.execute_batch(sql)?;
    txn.pragma_update(None, "application_id", APPLICATION_ID)?;
    txn.pragma_update(None, "user_version", to)?;
    txn.commit()
}

/// Everything that a file of `version` declares, as SQLite keeps it: what a restored file is compared with.
pub(crate) fn declared(version: i64) -> rusqlite::Result<Vec<(String, String, Option<String>)>> {
    let mut conn = Connection::open_in_memory()?;
    for (index, sql) in MIGRATIONS
        .iter()
        .enumerate()
        .take(usize::try_from(version).unwrap_or(0))
    {
        step(&mut conn, sql, index as i64 + 1)?;
    }
    declarations(&conn)
}

/// What a file declares: type, name and SQL of each table, index, view and trigger.
pub(crate) fn declarations(conn: &Connection) -> rusqlite::Result<Vec<(String, String, Option<String>)>> {
    conn.prepare("SELECT type, name, sql FROM sqlite_schema ORDER BY type, name")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect()
}
