//! What went wrong in a run, told at once and once more at its end: between the two lie thousands of lines.

use std::fmt::Display;
use std::sync::{Mutex, PoisonError};

static FAILURES: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Prints it, and keeps it for the end.
pub fn tell(what: impl Display) {
    let line = what.to_string();
    println!("{line}");
    keep(&line);
}

/// Keeps what was printed already; the same line once.
pub fn keep(line: &str) {
    let mut all = FAILURES.lock().unwrap_or_else(PoisonError::into_inner);
    let line = line.trim();
    if !all.iter().any(|known| known == line) {
        all.push(line.to_owned());
    }
}

/// All of them, in order.
pub fn all() -> Vec<String> {
    FAILURES.lock().unwrap_or_else(PoisonError::into_inner).clone()
}
