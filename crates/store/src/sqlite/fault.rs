//! SQLite's errors, as the store's.

use crate::Error;
use rusqlite::{ErrorCode, ffi};
use std::path::{Path, PathBuf};

/// What is being attempted on which file: the first half of an error message.
#[derive(Debug, Clone)]
pub(super) struct Doing {
    what: &'static str,
    path: PathBuf,
}

impl Doing {
    pub(super) fn new(what: &'static str, path: &Path) -> Self {
        Self {
            what,
            path: path.to_owned(),
        }
    }

    pub(super) fn failed(&self, error: rusqlite::Error) -> Error {
        if no_space(&error) {
            return Error::Full {
                path: self.path.clone(),
            };
        }
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => self.corrupt(error),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => unavailable(
                self,
                format!("another program keeps it locked ({error}); close it (a `sqlite3` session?) and repeat"),
            ),
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => unavailable(
                self,
                format!("{error}; check the owner and mode of the file and its folder"),
            ),
            Some(ErrorCode::SystemIoFailure) => unavailable(
                self,
                format!("{error}; look at the kernel log (`dmesg`) for errors of the disk"),
            ),
            // A row of another shape than the schema allows: no code of ours wrote it.
            None => match error {
                rusqlite::Error::ToSqlConversionFailure(reason) => unavailable(self, reason.to_string()),
                _ => self.corrupt(error),
            },
            Some(_) => unavailable(self, format!("{error}; repeat, and report it if it stays")),
        }
    }

    pub(super) fn io(&self, error: &std::io::Error) -> Error {
        use std::io::ErrorKind::{QuotaExceeded, StorageFull};
        if matches!(error.kind(), StorageFull | QuotaExceeded) {
            return Error::Full {
                path: self.path.clone(),
            };
        }
        unavailable(
            self,
            format!("{error}; check that the folder exists and its owner and mode"),
        )
    }

    pub(super) fn corrupt(&self, reason: impl ToString) -> Error {
        Error::Corrupt {
            what: self.path.display().to_string(),
            reason: reason.to_string(),
        }
    }

    pub(super) fn too_new(&self, found: i64, known: i64) -> Error {
        Error::TooNew {
            what: self.path.display().to_string(),
            found,
            known,
        }
    }
}

pub(super) fn unavailable(doing: &Doing, reason: impl Into<String>) -> Error {
    Error::Unavailable {
        what: format!("{} {}", doing.what, doing.path.display()),
        reason: reason.into(),
    }
}

/// SQLite says "full" in two ways: as such, and when the shared-memory file beside the database can't grow.
fn no_space(error: &rusqlite::Error) -> bool {
    error
        .sqlite_error()
        .is_some_and(|e| e.code == ErrorCode::DiskFull || e.extended_code == ffi::SQLITE_IOERR_SHMSIZE)
}

/// Whether the disk failed under a commit. What is on it is then unknown, and a later fsync that succeeds proves
/// nothing, as the kernel may have dropped the pages which it couldn't write.
pub(super) fn durability_lost(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure) && !no_space(error)
}
