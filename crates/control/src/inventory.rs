//! The loop that looks: power and reach of every node every few seconds, readings less often, the whole inventory
//! seldom, and services that were not found yet. Nodes are independent: one that hangs takes one place of many.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use rack::{Node, Time};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::House;
use crate::env::Config;
use crate::live::Sight;
use crate::record::WatchedBmc;

/// How often the loop looks at what is due; far below every period that it serves.
const TICK: Duration = Duration::from_secs(1);
/// How long a service that did not answer is left alone before it is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(30);
/// No node is worked on for longer: the rest of the rack needs its place.
const LONGEST: Duration = Duration::from_secs(600);

/// What the loop does for one node or service.
#[derive(Debug, Clone)]
enum Job {
    Look(Arc<Node>),
    Discover(Arc<WatchedBmc>),
}

/// Looks at what is due, for ever.
pub async fn run(house: House) -> Result<(), store::Error> {
    let mut tried: HashMap<String, Instant> = HashMap::new();
    let mut busy: HashSet<String> = HashSet::new();
    let mut jobs: JoinSet<String> = JoinSet::new();
    // What is due is worked out once a tick, not for each look that ends: with a thousand nodes that would be most of the work.
    let mut waiting: VecDeque<(String, Job)> = VecDeque::new();
    let mut tick = Instant::now();
    loop {
        while jobs.len() < house.inner.env.config.at_once {
            let Some((name, job)) = waiting.pop_front() else { break };
            tried.insert(name.clone(), Instant::now());
            busy.insert(name.clone());
            let house = house.clone();
            jobs.spawn(async move {
                let _ = tokio::time::timeout(LONGEST, work(&house, job)).await;
                name
            });
        }
        tokio::select! {
            biased;
            Some(ended) = jobs.join_next(), if !jobs.is_empty() => match ended {
                Ok(name) => drop(busy.remove(&name)),
                Err(panic) => return Err(store::Error::Unavailable {
                    what: "look at a node".into(),
                    reason: format!("the look ended: {panic}"),
                }),
            },
            () = tokio::time::sleep_until(tick) => {
                tick = Instant::now() + TICK;
                waiting = due(&house, &tried, &busy).into();
            }
        }
    }
}

/// What is due now, the longest untouched first.
fn due(house: &House, tried: &HashMap<String, Instant>, busy: &HashSet<String>) -> Vec<(String, Job)> {
    let now = house.now();
    let config = &house.inner.env.config;
    // By the timer: whatever the clock on the wall does, nothing goes unwatched for it.
    let since = |name: &str| tried.get(name).map_or(Duration::MAX, Instant::elapsed);
    let mut found: Vec<(Duration, String, Job)> = Vec::new();
    let world = house.world();
    for node in world.nodes.values() {
        let name = node.id.to_string();
        let waited = since(&name);
        let is_due = |sight: &Sight| sight.poked || waited >= pace(sight, config, now);
        if !busy.contains(&name) && house.inner.live.peek(&node.id, is_due) {
            found.push((waited, name, Job::Look(Arc::clone(node))));
        }
    }
    let bmcs: Vec<(String, Arc<WatchedBmc>)> =
        house.record(|r| r.bmcs.iter().map(|(k, b)| (k.clone(), Arc::clone(b))).collect());
    let devices: HashSet<String> = house.record(|r| r.devices.values().map(|d| d.url.clone()).collect());
    let known: HashMap<&str, Time> = world
        .nodes
        .values()
        .map(|n| (n.bmc.url.as_str(), n.inventoried))
        .collect();
    for (key, bmc) in bmcs {
        let waited = since(&key);
        // A service with nodes is read whole seldom: what changes often has looks and readings of its own. A PDU is read
        // as often as readings are, as its outlets and watts are in it. One that did not answer yet is asked again and again.
        let period = if known.contains_key(bmc.url.as_str()) {
            config.inventory
        } else if devices.contains(&bmc.url) {
            config.readings
        } else {
            ASK_AGAIN
        };
        let just_found = known
            .get(bmc.url.as_str())
            .is_some_and(|at| now.since(*at) < config.inventory);
        if just_found && waited == Duration::MAX {
            continue;
        }
        if !busy.contains(&key) && waited >= period {
            found.push((waited, key, Job::Discover(bmc)));
        }
    }
    found.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    found.into_iter().map(|(_, name, job)| (name, job)).collect()
}

/// How long a node is left alone: what just changed is looked at more often, what tells of its changes itself less.
fn pace(sight: &Sight, config: &Config, now: Time) -> Duration {
    /// A power state that just changed often changes again: a reset, a boot that fails. A BMC that just fell silent is
    /// most often one that restarts, or a cable that is put back.
    const LIVELY: Duration = Duration::from_secs(120);
    let poll = config.poll;
    let lately = |at: Option<Time>| at.is_some_and(|t| now.since(t) < LIVELY);
    if sight.view.silent.is_some() && !lately(sight.view.seen) {
        poll.max(ASK_AGAIN)
    } else if sight.view.silent.is_some() || lately(sight.turned) {
        poll / 4
    } else if sight.told {
        // Readings are no events: they are still read as often as they should be.
        poll.max(config.readings)
    } else {
        poll
    }
}

async fn work(house: &House, job: Job) {
    match job {
        Job::Look(node) => {
            house.inner.live.note(&node.id, |s| s.poked = false);
            house.look(&node).await;
            if house.inner.live.peek(&node.id, |s| s.view.silent.is_none()) {
                house.read(&node).await;
            }
        }
        Job::Discover(bmc) => {
            if let Err(error) = house.discover_one(WatchedBmc::clone(&bmc)).await {
                tracing::info!(url = %bmc.url, %error, "no discovery; asked again later");
            }
        }
    }
}

impl House {
    /// Reads a node's readings when they are due.
    async fn read(&self, node: &Node) {
        let now = self.now();
        let period = self.inner.env.config.readings;
        let due = |s: &Sight| s.read.is_none_or(|t| t > now || now.since(t) >= period);
        if !self.inner.live.peek(&node.id, due) {
            return;
        }
        let Ok(bmc) = self.bmc_of(node).await else { return };
        self.inner.live.note(&node.id, |s| s.read = Some(now));
        if node.abilities.no_bmc {
            let watts = self.watts_around(node).await;
            self.inner.live.update(&node.id, |s| s.view.readings = vec![watts]);
            return;
        }
        let Some(sensors) = bmc.sensors() else { return };
        match sensors.readings(&node.bmc, now).await {
            Ok(readings) => self.inner.live.update(&node.id, |s| s.view.readings = readings),
            Err(error) => tracing::debug!(place = %node.place, %error, "no readings"),
        }
    }
}
