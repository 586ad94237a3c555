//! The agent's loop: post the whole state, take the order that holds, carry it out, ask again.
//!
//! Level-triggered (`rack::agent`): nothing depends on one message. The loop and the work are futures of one task, so
//! that a slow answer never holds up the work, and dropping [`run`] stops both. The work leaves the disk such that it
//! may be dropped at any await.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use rack::Bytes;
use rack::agent::{AgentState, FoundHardware, Order, Outcome, Work};
use tokio::time::{Instant, sleep, timeout};
use tracing::{info, warn};

use crate::progress::{Failure, Progress};
use crate::seam::{Daemon, DaemonError, Future as Boxed, Host};
use crate::{install, wipe};

/// How long the daemon may hold an answer back while there is nothing to do. Below the minute after which middle boxes
/// and sockets forget an idle connection.
const IDLE_WAIT: Duration = Duration::from_secs(25);
/// Between two reports while at work, and the least time of a round when the daemon answers at once.
const ROUND: Duration = Duration::from_secs(1);
/// Over the wait, how long an answer may take.
const ANSWER: Duration = Duration::from_secs(15);
/// Backoff of a daemon that does not answer: from the first to the last.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));
/// How many order ids are remembered. One boot carries out one or two.
const REMEMBERED: usize = 64;

type Job<'a> = Boxed<'a, Result<Outcome, Failure>>;

/// The order in hand and those of before.
struct Hands<'a> {
    job: Option<(String, Job<'a>)>,
    /// What is reported while nothing is in hand.
    last: Work,
    seen: VecDeque<String>,
}

/// Runs the agent until the daemon says power off, or refuses this boot. Drop it to stop it.
pub async fn run(host: &dyn Host, daemon: &dyn Daemon) {
    let progress = Progress::default();
    let mut hands = Hands {
        job: None,
        last: Work::Ready,
        seen: VecDeque::new(),
    };
    let mut hardware: Option<FoundHardware> = None;
    let mut backoff = BACKOFF.0;
    loop {
        match hands.meanwhile(host.found()).await {
            Ok(found) => hardware = Some(found),
            Err(e) => warn!("cannot look at the hardware: {e}"),
        }
        let Some(found) = hardware.clone() else {
            sleep(ROUND).await;
            continue;
        };
        let state = AgentState {
            boot_id: host.boot_id(),
            version: env!("CARGO_PKG_VERSION").to_string(),
            hardware: found,
            work: hands.work(&progress),
        };
        let wait = if hands.job.is_some() { Duration::ZERO } else { IDLE_WAIT };
        let asked = Instant::now();
        let answer = hands.meanwhile(timeout(wait + ANSWER, daemon.poll(&state, wait))).await;
        let order = match answer {
            Ok(Ok(order)) => order,
            Ok(Err(DaemonError::Refused(why))) => {
                warn!("the daemon refuses this boot ({why}): switching off");
                drop(hands.job.take());
                return host.power_off().await;
            }
            Ok(Err(e @ DaemonError::Unreachable(_))) => {
                warn!("{e}; asking again in {} s", backoff.as_secs());
                hands.pause(backoff).await;
                backoff = (backoff * 2).min(BACKOFF.1);
                continue;
            }
            Err(_) => {
                warn!(
                    "the daemon took too long to answer; asking again in {} s",
                    backoff.as_secs()
                );
                hands.pause(backoff).await;
                backoff = (backoff * 2).min(BACKOFF.1);
                continue;
            }
        };
        backoff = BACKOFF.0;
        if order == Order::PowerOff {
            info!("the daemon says: power off");
            drop(hands.job.take());
            return host.power_off().await;
        }
        if hands.take(host, daemon, order, &progress) {
            continue;
        }
        if hands.job.is_some() {
            hands.pause(ROUND).await;
        } else {
            sleep(ROUND.saturating_sub(asked.elapsed())).await;
        }
    }
}

impl<'a> Hands<'a> {
    /// Begins an order that was never begun before. Whether it did.
    fn take(&mut self, host: &'a dyn Host, daemon: &'a dyn Daemon, order: Order, progress: &'a Progress) -> bool {
        let Some(id) = order.id().map(str::to_string) else {
            return false;
        };
        if self.seen.contains(&id) {
            return false;
        }
        if let Some((old, job)) = self.job.take() {
            warn!("order {old} no longer holds: dropped for {id}");
            drop(job);
        }
        if self.seen.len() == REMEMBERED {
            self.seen.pop_front();
        }
        self.seen.push_back(id.clone());
        progress.begin("start", 0);
        let job: Job<'a> = match order {
            Order::Install {
                path,
                digest,
                stored,
                packing,
                raw_digest,
                raw,
                disk,
                ..
            } => {
                info!(
                    "order {id}: install {} onto {}",
                    raw.decimal(),
                    disk.as_deref().unwrap_or("the smallest disk")
                );
                let image = install::Image {
                    path,
                    digest,
                    stored: stored.0,
                    packing,
                    raw_digest,
                    raw: raw.0,
                };
                Box::pin(async move { install::install(host, daemon, &image, disk.as_deref(), progress).await })
            }
            Order::Wipe { id } => {
                info!("order {id}: wipe every disk");
                Box::pin(async move { wipe::wipe(host, &id, progress).await })
            }
            Order::Wait | Order::PowerOff => return false,
        };
        self.job = Some((id, job));
        true
    }

    /// What is reported.
    fn work(&self, progress: &Progress) -> Work {
        match &self.job {
            None => self.last.clone(),
            Some((id, _)) => {
                let (phase, done, total) = progress.read();
                Work::Busy {
                    order: id.clone(),
                    phase: phase.to_string(),
                    done: Bytes(done),
                    total: Bytes(total),
                }
            }
        }
    }

    /// Runs `other` to its end, and the work beside it.
    async fn meanwhile<T>(&mut self, other: impl Future<Output = T>) -> T {
        let mut other = pin!(other);
        if let Some((_, job)) = &mut self.job {
            tokio::select! {
                // in this order, so that a simulated run is the same each time
                biased;
                result = job => self.finish(result),
                value = &mut other => return value,
            }
        }
        other.await
    }

    /// Lets the work go on for `time`, or until it ends.
    async fn pause(&mut self, time: Duration) {
        match &mut self.job {
            None => sleep(time).await,
            Some((_, job)) => {
                if let Ok(result) = timeout(time, job).await {
                    self.finish(result);
                }
            }
        }
    }

    fn finish(&mut self, result: Result<Outcome, Failure>) {
        let Some((order, _)) = self.job.take() else { return };
        self.last = match result {
            Ok(outcome) => {
                info!("order {order}: done");
                Work::Done { order, outcome }
            }
            Err(Failure { error, again }) => {
                warn!("order {order} failed: {error}");
                Work::Failed { order, error, again }
            }
        };
    }
}
