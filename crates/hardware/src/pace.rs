//! How hard one BMC is pressed, and when it is left alone.
//!
//! [`Pace`] is additive increase, multiplicative decrease (as TCP does it) over the number of requests in flight;
//! [`Breaker`] stops asking a BMC that does not answer, but for one probe now and then.

use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// Requests in flight at the start: what every BMC stands.
pub const START: f64 = 2.0;
/// And at most: past this, measured BMCs answer slower, not more.
pub const MOST: f64 = 8.0;
/// Failures in a row after which a BMC counts as silent.
pub const FAILURES: u32 = 3;
/// First pause of an open breaker; doubles up to [`LONGEST_PAUSE`]. A BMC restarts in one to five minutes.
pub const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// Longest pause between probes, so that a returning BMC is seen within a minute.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Limits the requests in flight.
pub struct Pace {
    state: Mutex<(f64, usize)>,
    freed: Notify,
}

/// A place among the requests in flight; given back when dropped.
pub struct Place<'a>(&'a Pace);

impl Default for Pace {
    fn default() -> Self {
        Pace {
            state: Mutex::new((START, 0)),
            freed: Notify::new(),
        }
    }
}

impl Pace {
    /// Waits for a place.
    pub async fn enter(&self) -> Place<'_> {
        loop {
            let freed = self.freed.notified();
            {
                let mut s = self.lock();
                if (s.1 as f64) < s.0.floor() {
                    s.1 += 1;
                    return Place(self);
                }
            }
            freed.await;
        }
    }

    /// The BMC coped: one more for each round of answers.
    pub fn eased(&self) {
        let mut s = self.lock();
        s.0 = (s.0 + 1.0 / s.0).min(MOST);
        drop(s);
        self.freed.notify_one();
    }

    /// The BMC did not: half as many.
    pub fn strained(&self) {
        let mut s = self.lock();
        s.0 = (s.0 / 2.0).max(1.0);
    }

    /// Requests that may be in flight now.
    pub fn limit(&self) -> usize {
        self.lock().0 as usize
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, (f64, usize)> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.lock().1 -= 1;
        self.0.freed.notify_one();
    }
}

#[derive(Debug, Clone)]
struct Trouble {
    since: Instant,
    why: String,
    failures: u32,
    pause: Duration,
    closed_until: Instant,
}

/// Opens after [`FAILURES`] failures in a row; then lets one probe through after each pause.
#[derive(Default)]
pub struct Breaker {
    state: Mutex<(Option<Instant>, Option<Trouble>)>,
}

impl Breaker {
    /// Whether to ask now; the reason when not.
    pub fn admit(&self, now: Instant) -> Result<(), String> {
        let mut s = self.lock();
        let Some(t) = s.1.as_mut().filter(|t| t.failures >= FAILURES) else {
            return Ok(());
        };
        if now < t.closed_until {
            return Err(format!(
                "silent for {} s ({}), so it is asked only now and then",
                (now - t.since).as_secs(),
                t.why
            ));
        }
        // Should the probe be dropped unanswered, the next one is let through after another pause.
        t.closed_until = now + t.pause;
        Ok(())
    }

    /// It answered.
    pub fn answered(&self, now: Instant) {
        *self.lock() = (Some(now), None);
    }

    /// It did not.
    pub fn failed(&self, now: Instant, why: &str) {
        let mut s = self.lock();
        let t = s.1.get_or_insert_with(|| Trouble {
            since: now,
            why: String::new(),
            failures: 0,
            pause: FIRST_PAUSE,
            closed_until: now,
        });
        why.clone_into(&mut t.why);
        t.failures = t.failures.saturating_add(1);
        if t.failures >= FAILURES {
            t.closed_until = now + t.pause;
            t.pause = (t.pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Whether one more failure opens it for the first time.
    pub fn is_at_the_brink(&self) -> bool {
        self.lock().1.as_ref().is_some_and(|t| t.failures + 1 == FAILURES)
    }

    /// Last answer, and since when and why it is silent.
    pub fn state(&self) -> (Option<Instant>, Option<(Instant, String)>) {
        let s = self.lock();
        (
            s.0,
            s.1.as_ref()
                .filter(|t| t.failures >= FAILURES)
                .map(|t| (t.since, t.why.clone())),
        )
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, (Option<Instant>, Option<Trouble>)> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn pace_grows_slowly_and_halves_at_once() {
        let pace = Pace::default();
        for _ in 0..100 {
            pace.eased();
        }
        assert_eq!(pace.limit(), 8);
        pace.strained();
        assert_eq!(pace.limit(), 4);
        for _ in 0..9 {
            pace.strained();
        }
        assert_eq!(pace.limit(), 1);
        let held = pace.enter().await;
        assert!(
            tokio::time::timeout(Duration::from_millis(1), pace.enter())
                .await
                .is_err()
        );
        drop(held);
        pace.enter().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_bmc_is_probed_once_a_pause_until_it_answers() {
        let b = Breaker::default();
        for _ in 0..FAILURES {
            assert!(b.admit(Instant::now()).is_ok());
            b.failed(Instant::now(), "refused");
        }
        assert!(b.admit(Instant::now()).is_err());
        tokio::time::advance(FIRST_PAUSE).await;
        assert!(b.admit(Instant::now()).is_ok(), "a probe");
        assert!(b.admit(Instant::now()).is_err(), "only one");
        b.answered(Instant::now());
        assert!(b.admit(Instant::now()).is_ok());
        assert!(b.state().1.is_none());
    }
}
