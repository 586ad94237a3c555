//! What can go wrong in a store, and what to do next.

use crate::{Expect, Revision};
use std::path::PathBuf;

/// Why the store did not do it. `Clone`, since one failed group commit answers every transaction in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A check of the transaction did not hold; nothing was written.
    #[error("{key} has changed: expected {expected}, found {}; read it again and decide anew", Found(.found))]
    Conflict {
        /// The key whose check failed.
        key: String,
        /// What the transaction relied on.
        expected: Expect,
        /// The object's revision, or `None` when there is none.
        found: Option<Revision>,
    },
    /// The history that a watch asked for is not here.
    #[error(
        "the changes after revision {from} are not kept here (the oldest kept is {oldest}); list again and watch from that list's revision"
    )]
    Compacted {
        /// The revision the reader had seen last.
        from: Revision,
        /// The oldest revision which is still in the history.
        oldest: Revision,
    },
    /// No space left, on the disk or under the store's own limit; nothing was written, and reads go on.
    #[error(
        "no space left to write to the store {path}; free space on its file system (`df -h`), then repeat: writing resumes by itself"
    )]
    Full {
        /// The store's file.
        path: PathBuf,
    },
    /// The store could not answer. For a commit, the outcome is unknown.
    #[error("could not {what}: {reason}")]
    Unavailable {
        /// What was attempted, on what.
        what: String,
        /// Why not, and what to do next.
        reason: String,
    },
    /// Another process has this store open (two controllers never act on one rack).
    #[error("the store {path} is in use by {holder}; stop it first: two daemons must never act on one rack")]
    InUse {
        /// The store's file.
        path: PathBuf,
        /// Who holds it, as far as is known.
        holder: String,
    },
    /// The input breaks a bound or a form; nothing was done.
    #[error("{what} is refused: {reason}")]
    Invalid {
        /// The input.
        what: String,
        /// Why it is refused, and what is taken.
        reason: String,
    },
    /// The file is damaged, or is no store at all.
    #[error(
        "{what} is damaged or not a Busbar store: {reason}; keep a copy of the file, then restore the last backup (`busbar restore`)"
    )]
    Corrupt {
        /// The file or object.
        what: String,
        /// What was found.
        reason: String,
    },
    /// The file was written by a newer version.
    #[error("{what} has schema version {found}, this program knows up to {known}; run the newer busbar that wrote it")]
    TooNew {
        /// The file.
        what: String,
        /// The file's version.
        found: i64,
        /// The newest version known here.
        known: i64,
    },
    /// An object's value has not the shape that the reader expects.
    #[error("{key} (revision {revision}) can't be read as what was expected: {reason}; look at it with `busbar cat`")]
    Decode {
        /// The object's key.
        key: String,
        /// The revision read.
        revision: Revision,
        /// What the decoder says.
        reason: String,
    },
}

struct Found<'a>(&'a Option<Revision>);

impl std::fmt::Display for Found<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            None => f.write_str("nothing"),
            Some(revision) => write!(f, "revision {revision}"),
        }
    }
}
