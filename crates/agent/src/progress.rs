//! How far the work is, and how it fails: shared between the work and the loop that reports it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::seam::HostError;

/// How far the work is. Written by the work, read by the loop that reports it.
#[derive(Debug, Default)]
pub struct Progress {
    phase: Mutex<&'static str>,
    done: AtomicU64,
    total: AtomicU64,
}

impl Progress {
    /// A new phase begins, of `total` bytes.
    pub fn begin(&self, phase: &'static str, total: u64) {
        *self.phase.lock().expect("no holder panics") = phase;
        self.done.store(0, Ordering::Relaxed);
        self.total.store(total, Ordering::Relaxed);
    }

    /// So many bytes of the phase are done.
    pub fn at(&self, done: u64) {
        self.done.store(done, Ordering::Relaxed);
    }

    /// So many more bytes are done.
    pub fn add(&self, more: u64) {
        self.done.fetch_add(more, Ordering::Relaxed);
    }

    /// Phase, bytes done (never more than all), bytes in all.
    pub fn read(&self) -> (&'static str, u64, u64) {
        let total = self.total.load(Ordering::Relaxed);
        let done = self.done.load(Ordering::Relaxed).min(total);
        (*self.phase.lock().expect("no holder panics"), done, total)
    }
}

/// Why an order could not be carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct Failure {
    /// What went wrong and on what; without secrets.
    pub error: String,
    /// Whether the same order could succeed another time.
    pub again: bool,
}

impl Failure {
    /// The same would fail again.
    pub fn lasting(error: impl Into<String>) -> Failure {
        Failure {
            error: error.into(),
            again: false,
        }
    }

    /// Another time it may work.
    pub fn passing(error: impl Into<String>) -> Failure {
        Failure {
            error: error.into(),
            again: true,
        }
    }
}

impl From<HostError> for Failure {
    /// A disk that fails once often works after a power cycle: the ladder of retries is the daemon's.
    fn from(e: HostError) -> Failure {
        Failure::passing(e.to_string())
    }
}
