//! Remembers objects at revisions (floor 4).
//!
//! An *object* is a JSON value under a key `kind/name`. Every commit takes the next *revision*, and each object
//! carries the revision of its last write. A transaction says what it relied on ([`Check`]) and what it changes
//! ([`Write`]): it commits whole if every check still holds, or not at all. A watch replays every commit after a
//! revision, in order and without a gap, so that a loop which lists once and watches from there never misses a change.
//!
//! This crate knows nothing of racks, HTTP or control loops: keys and values are opaque to it.
//!
//! Two engines stand behind [`Store`]: [`sqlite::Sqlite`], one durable file, and [`memory::Memory`], deterministic and
//! without threads, for simulated time. Start reading at [`Store`], then `txn.rs`, then `sqlite/writer.rs`, where
//! commits become durable, and `watch.rs`, where they are replayed.

mod error;
mod limits;
pub mod memory;
pub mod sqlite;
mod txn;
mod typed;
mod watch;

pub use error::Error;
pub use limits::{
    HISTORY_BYTES_MAX, HISTORY_REVISIONS_MAX, KEY_BYTES_MAX, TXN_BYTES_MAX, TXN_CHECKS_MAX, TXN_WRITES_MAX,
    VALUE_BYTES_MAX,
};
pub use memory::Memory;
pub use sqlite::{Sqlite, restore};
pub use txn::{Batch, Change, Check, Expect, Object, Revision, Txn, Write};
pub use typed::{get_as, list_as};
pub use watch::Watch;

use std::path::Path;
use std::pin::Pin;

/// What the methods of [`Store`] return: boxed, so that the trait can be used as `dyn Store`.
pub type Future<'a, T> = Pin<Box<dyn std::future::Future<Output = T> + Send + 'a>>;

/// Objects at revisions. Every method may be dropped at any await: a dropped commit happened whole or not at all.
pub trait Store: Send + Sync + 'static {
    /// The object under `key`, or `None`. Sees every commit acknowledged before the call.
    fn get<'a>(&'a self, key: &'a str) -> Future<'a, Result<Option<Object>, Error>>;

    /// Every object whose key starts with `prefix` (the empty prefix: all), ordered by key, as of the revision returned.
    fn list<'a>(&'a self, prefix: &'a str) -> Future<'a, Result<(Revision, Vec<Object>), Error>>;

    /// Commits `txn` and returns its revision, once it is durable.
    ///
    /// All checks hold at the moment of the commit, or the answer is [`Error::Conflict`] and nothing is written. A
    /// transaction that changes nothing (no write, or only deletes of absent keys) takes no revision: the answer is then
    /// the current one.
    ///
    /// # Errors
    /// After [`Error::Conflict`], [`Error::Invalid`] and [`Error::Full`] nothing was written. After
    /// [`Error::Unavailable`] the outcome is unknown: read again before repeating what can't be repeated.
    fn commit(&self, txn: Txn) -> Future<'_, Result<Revision, Error>>;

    /// Every commit with a revision above `from`, in order, without a gap.
    ///
    /// # Errors
    /// [`Error::Compacted`] when the history after `from` is no longer here (or never was: a revision from the future
    /// belongs to another life of the store). The caller lists again and watches from the revision of that list.
    fn watch(&self, from: Revision) -> Future<'_, Result<Watch, Error>>;

    /// Writes one consistent file at `to`, mode 0600, whole or not at all. [`restore`] makes a store of it again.
    fn backup<'a>(&'a self, to: &'a Path) -> Future<'a, Result<(), Error>>;
}
