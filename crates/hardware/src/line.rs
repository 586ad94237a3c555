//! What every client keeps of its device, whatever it speaks: the address, whether it may be written to, how much was
//! asked, whether it answers.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::found::Contact;
use crate::pace::Breaker;
use crate::permit::Mode;

/// The line to one device.
pub struct Line {
    url: String,
    armed: AtomicBool,
    requests: AtomicU32,
    /// Stops asking a device that does not answer.
    pub breaker: Breaker,
}

impl Line {
    /// A line to the device at `url`; nothing is sent.
    pub fn new(url: &str, mode: Mode) -> Line {
        Line {
            url: url.to_owned(),
            armed: AtomicBool::new(mode == Mode::Act),
            requests: AtomicU32::new(0),
            breaker: Breaker::default(),
        }
    }

    /// The address it was made for.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whether the device may be written to.
    pub fn mode(&self) -> Mode {
        if self.armed.load(Ordering::SeqCst) {
            Mode::Act
        } else {
            Mode::Observe
        }
    }

    /// Arms or disarms it.
    pub fn set_mode(&self, mode: Mode) {
        self.armed.store(mode == Mode::Act, Ordering::SeqCst);
    }

    /// Requests sent so far.
    pub fn requests(&self) -> u32 {
        self.requests.load(Ordering::Relaxed)
    }

    /// One more request leaves.
    pub fn count(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether the device answers, and since when not.
    pub fn contact(&self) -> Contact {
        match self.breaker.state() {
            (_, Some((since, why))) => Contact::Silent { since, why },
            (Some(at), None) => Contact::Answers { at },
            (None, None) => Contact::Unknown,
        }
    }
}
