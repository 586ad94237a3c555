//! What the daemon counts of its own work, since it started: exchanges with BMCs, looks, commits. Numbers only; what they
//! are called outside is `api`'s.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
pub use hardware::tally::Outcome;
use hardware::tally::Tally;
use hardware::transport::{ByteStream, Future, Limits, Transport, TransportError, Upgraded};
use tokio::time::Instant;

use crate::House;

/// Upper ends of the classes of a [`Durations`], in seconds.
pub const CLASSES: [f64; 12] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];

/// How long something took, in classes.
#[derive(Debug, Default)]
pub struct Durations {
    classes: [AtomicU64; CLASSES.len()],
    longer: AtomicU64,
    micros: AtomicU64,
}

impl Durations {
    /// Counts one.
    pub fn took(&self, time: Duration) {
        let class = CLASSES.iter().position(|c| time.as_secs_f64() <= *c);
        class
            .map_or(&self.longer, |i| &self.classes[i])
            .fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// How many were in each class or a lower one, how many there were, and the sum of their seconds.
    pub fn cumulative(&self) -> ([u64; CLASSES.len()], u64, f64) {
        let mut below = 0;
        let classes = self.classes.each_ref().map(|c| {
            below += c.load(Ordering::Relaxed);
            below
        });
        let seconds = Duration::from_micros(self.micros.load(Ordering::Relaxed)).as_secs_f64();
        (classes, below + self.longer.load(Ordering::Relaxed), seconds)
    }
}

/// What is spoken with a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP.
    Redfish,
    /// IPMI 2.0.
    Ipmi,
    /// SNMP.
    Snmp,
}

impl Protocol {
    /// Every one.
    pub const ALL: [Protocol; 3] = [Protocol::Redfish, Protocol::Ipmi, Protocol::Snmp];

    /// One word.
    pub fn word(self) -> &'static str {
        match self {
            Protocol::Redfish => "redfish",
            Protocol::Ipmi => "ipmi",
            Protocol::Snmp => "snmp",
        }
    }
}

/// Exchanges over one protocol.
#[derive(Debug, Default)]
pub struct Exchanges {
    ended: [AtomicU64; Outcome::ALL.len()],
    /// How long they took, however they ended.
    pub durations: Durations,
}

impl Exchanges {
    /// How many ended so.
    pub fn ended(&self, outcome: Outcome) -> u64 {
        self.ended[outcome as usize].load(Ordering::Relaxed)
    }
}

impl Tally for Exchanges {
    fn exchanged(&self, took: Duration, outcome: Outcome) {
        self.durations.took(took);
        self.ended[outcome as usize].fetch_add(1, Ordering::Relaxed);
    }
}

fn outcome<T>(answer: &Result<http::Response<T>, TransportError>) -> Outcome {
    match answer {
        Ok(a) if a.status().is_client_error() => Outcome::Refused,
        Ok(a) if a.status().is_server_error() => Outcome::Failed,
        Ok(_) => Outcome::Ok,
        Err(TransportError::Timeout) => Outcome::Timeout,
        Err(_) => Outcome::Unreachable,
    }
}

/// Every count.
#[derive(Debug)]
pub struct Meters {
    started: Instant,
    exchanges: [Arc<Exchanges>; Protocol::ALL.len()],
    /// Looks at nodes and discoveries.
    pub look: Durations,
    /// Looks that are due and wait for a place.
    pub due: AtomicU64,
    /// Looks under way.
    pub looking: AtomicU64,
    /// Commits that were made.
    pub commit: Durations,
    /// Commits that something else was faster than.
    pub conflicts: AtomicU64,
    /// Commits that failed.
    pub failures: AtomicU64,
}

impl Default for Meters {
    fn default() -> Self {
        Meters {
            started: Instant::now(),
            exchanges: Default::default(),
            look: Durations::default(),
            due: AtomicU64::default(),
            looking: AtomicU64::default(),
            commit: Durations::default(),
            conflicts: AtomicU64::default(),
            failures: AtomicU64::default(),
        }
    }
}

impl Meters {
    /// Exchanges over this protocol; whoever speaks it counts there.
    pub fn exchanges(&self, over: Protocol) -> &Arc<Exchanges> {
        &self.exchanges[over as usize]
    }

    /// Since they count.
    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    /// Counts what became of a commit that began at `began`.
    pub(crate) fn committed<T>(&self, began: Instant, result: &Result<T, store::Error>) {
        match result {
            Ok(_) => self.commit.took(began.elapsed()),
            Err(store::Error::Conflict { .. }) => drop(self.conflicts.fetch_add(1, Ordering::Relaxed)),
            Err(_) => drop(self.failures.fetch_add(1, Ordering::Relaxed)),
        }
    }
}

/// A way to a BMC that is counted.
pub struct Metered<T> {
    inner: T,
    exchanges: Arc<Exchanges>,
}

impl<T> Metered<T> {
    /// Counts what goes over `inner`.
    pub fn new(inner: T, meters: &Meters) -> Metered<T> {
        Metered {
            inner,
            exchanges: Arc::clone(meters.exchanges(Protocol::Redfish)),
        }
    }

    /// Waits for an answer, and counts it.
    async fn count<A>(
        &self,
        answer: Future<'_, Result<http::Response<A>, TransportError>>,
    ) -> Result<http::Response<A>, TransportError> {
        let began = Instant::now();
        let answer = answer.await;
        self.exchanges.exchanged(began.elapsed(), outcome(&answer));
        answer
    }
}

impl<T: Transport> Transport for Metered<T> {
    fn send(
        &self,
        request: http::Request<Bytes>,
        limits: Limits,
    ) -> Future<'_, Result<http::Response<Bytes>, TransportError>> {
        Box::pin(self.count(self.inner.send(request, limits)))
    }

    fn stream(
        &self,
        request: http::Request<Bytes>,
        limits: Limits,
    ) -> Future<'_, Result<http::Response<ByteStream>, TransportError>> {
        Box::pin(self.count(self.inner.stream(request, limits)))
    }

    fn upgrade(
        &self,
        request: http::Request<Bytes>,
        limits: Limits,
    ) -> Future<'_, Result<http::Response<Option<Upgraded>>, TransportError>> {
        Box::pin(self.count(self.inner.upgrade(request, limits)))
    }
}

impl House {
    /// What the daemon counts of its own work.
    pub fn meters(&self) -> &Meters {
        &self.inner.meters
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_hold_what_is_not_longer_and_everything_is_counted() {
        let durations = Durations::default();
        for millis in [1, 2, 30, 60_000] {
            durations.took(Duration::from_millis(millis));
        }
        let (classes, count, seconds) = durations.cumulative();
        assert_eq!(
            (classes[0], classes[1], classes[4], classes[11], count),
            (1, 2, 3, 3, 4)
        );
        assert!((seconds - 60.033).abs() < 1e-6);
    }

    #[test]
    fn an_exchange_is_counted_by_how_it_ended() {
        let answer = |status| Ok(http::Response::builder().status(status).body(()).unwrap());
        for (answer, ended) in [
            (answer(200), Outcome::Ok),
            (answer(404), Outcome::Refused),
            (answer(503), Outcome::Failed),
            (Err(TransportError::Timeout), Outcome::Timeout),
            (Err(TransportError::Failed("reset".into())), Outcome::Unreachable),
        ] {
            let exchanges = Exchanges::default();
            exchanges.exchanged(Duration::from_millis(3), outcome(&answer));
            assert_eq!(exchanges.ended(ended), 1);
            assert_eq!(Outcome::ALL.map(|o| exchanges.ended(o)).iter().sum::<u64>(), 1);
            assert_eq!(exchanges.durations.cumulative().1, 1);
        }
    }
}
