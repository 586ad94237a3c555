//! A number that many wait for. Those who wait are woken in the order in which they came: tokio's `watch` wakes them by chance,
//! and a simulated run would not be the same each time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// The number, and who waits for it.
pub(crate) struct Bell {
    number: AtomicU64,
    rung: Notify,
}

impl Bell {
    /// Shows this number now.
    pub fn new(number: u64) -> Arc<Bell> {
        Arc::new(Bell {
            number: AtomicU64::new(number),
            rung: Notify::new(),
        })
    }

    /// The number now.
    pub fn number(&self) -> u64 {
        self.number.load(Ordering::Acquire)
    }

    /// Shows another number, and wakes everyone.
    pub fn ring(&self, number: u64) {
        self.number.store(number, Ordering::Release);
        self.rung.notify_waiters();
    }

    /// Shows the number after it, and wakes everyone.
    pub fn count(&self) {
        self.number.fetch_add(1, Ordering::AcqRel);
        self.rung.notify_waiters();
    }

    /// Someone who has seen the number as it is now.
    pub fn listen(self: &Arc<Self>) -> Listener {
        Listener {
            seen: self.number(),
            bell: Arc::clone(self),
        }
    }
}

/// Someone who waits for the number to change.
pub struct Listener {
    bell: Arc<Bell>,
    seen: u64,
}

impl Listener {
    /// The number now, which is seen by that.
    pub fn borrow_and_update(&mut self) -> u64 {
        self.seen = self.bell.number();
        self.seen
    }

    /// Waits until the number is such.
    pub async fn wait_for(&mut self, such: impl Fn(u64) -> bool) -> u64 {
        let bell = Arc::clone(&self.bell);
        loop {
            // before the number is looked at, so that what rings in between is heard
            let rung = bell.rung.notified();
            tokio::pin!(rung);
            rung.as_mut().enable();
            let number = self.borrow_and_update();
            if such(number) {
                return number;
            }
            rung.await;
        }
    }

    /// Waits until the number is another one than was seen.
    pub async fn changed(&mut self) {
        let seen = self.seen;
        self.wait_for(|number| number != seen).await;
    }
}
