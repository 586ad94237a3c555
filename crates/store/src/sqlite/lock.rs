//! One process for one store file: a second daemon is refused, not queued.
//!
//! The lock is `flock(2)` on a file of its own, `<store>-lock`: the kernel drops it when the process dies, however it
//! dies. It is not on the database itself, because closing any descriptor of that file would drop SQLite's POSIX locks
//! (<https://www.sqlite.org/howtocorrupt.html>, §2.2). The file stays behind on purpose: removing it would let two
//! processes lock two different files of one name.

use super::MODE;
use super::fault::Doing;
use crate::Error;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// What is read of the holder's note: a process id and a newline.
const NOTE_BYTES_MAX: u64 = 16;

/// Held while the store is open.
pub(super) struct Lock(#[expect(dead_code, reason = "the lock lasts as long as the open file")] File);

impl Lock {
    pub(super) fn take(store: &Path) -> Result<Self, Error> {
        let doing = Doing::new("lock the store", store);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(MODE);
        let mut file = options.open(beside(store, "-lock")).map_err(|e| doing.io(&e))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::InUse {
                    path: store.to_owned(),
                    holder: holder(&file),
                });
            }
            Err(TryLockError::Error(e)) => return Err(doing.io(&e)),
        }
        // Only a note for whoever is refused; a full disk must not keep a store from being opened and read.
        if let Err(e) = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())) {
            tracing::debug!(store = %store.display(), error = %e, "could not note the process id in the lock file");
        }
        Ok(Self(file))
    }
}

fn holder(file: &File) -> String {
    let mut note = String::new();
    match file.take(NOTE_BYTES_MAX).read_to_string(&mut note) {
        Ok(_) if note.trim().parse::<u32>().is_ok() => format!("process {}", note.trim()),
        _ => "another process".to_owned(),
    }
}

/// The path of a file which belongs to the store, such as `state.db-wal`.
pub(super) fn beside(store: &Path, suffix: &str) -> PathBuf {
    let mut name = store.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
