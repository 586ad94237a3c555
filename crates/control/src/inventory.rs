//! The loop that looks: power and reach of every node every few seconds, readings less often, the whole inventory
//! seldom, and services that were not found yet. Nodes are independent: one that hangs takes one place of many.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rack::{Health, Node, NodeId, Place, Reading, Time, World};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::House;
use crate::env::Config;
use crate::history::Of;
use crate::keys;
use crate::live::{Live, Sight};
use crate::record::WatchedBmc;

/// How often the loop looks at what is due; far below every period that it serves.
const TICK: Duration = Duration::from_secs(1);
/// How often services are looked through for those that are due: their periods are longer than those of nodes.
const SERVICES: Duration = Duration::from_secs(5);
/// How long a service that did not answer is left alone before it is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(30);
/// A service whose BMC says that something broke, or is whole again, is read whole at once, so that both are seen when they
/// follow each other, but no more than [`HURRIES`] times in so long: one that never falls silent costs an inventory a minute.
const HURRY: Duration = Duration::from_secs(180);
/// How often what is not well is read whole, if that is more often than all is: not every BMC tells when it is mended.
const ILL: Duration = Duration::from_secs(600);
/// See [`HURRY`].
const HURRIES: usize = 3;
/// How often a service is read that tells of something that may trip any moment.
const HURRIED: Duration = Duration::from_secs(2);
/// What is told of a hundred parts one by one is read once they have been told.
const APART: Duration = Duration::from_secs(5);
/// A box that takes longer is waited for beside the others: what costs us is its first questions, and one BMC in ten that
/// hangs must not hold up the rest.
const PATIENT: Duration = Duration::from_secs(3);
/// How many boxes are waited for at most, each with a few connections.
const WAITED_FOR: usize = 1024;
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
    let mut book = Book::default();
    let mut jobs: JoinSet<Job> = JoinSet::new();
    // What is due is worked out once a tick, not for each look that ends: with a thousand nodes that would be most of the work.
    let mut waiting: VecDeque<Job> = VecDeque::new();
    let mut tick = Instant::now();
    loop {
        while book.has_room(house.inner.env.config.at_once) {
            let Some(job) = waiting.pop_front() else { break };
            book.begins(&job, &house.inner.live);
            let house = house.clone();
            jobs.spawn(async move {
                let began = Instant::now();
                let _ = tokio::time::timeout(LONGEST, work(&house, &job)).await;
                house.inner.meters.look.took(began.elapsed());
                job
            });
        }
        let meters = &house.inner.meters;
        meters.due.store(waiting.len() as u64, Ordering::Relaxed);
        meters.looking.store(jobs.len() as u64, Ordering::Relaxed);
        tokio::select! {
            biased;
            Some(ended) = jobs.join_next(), if !jobs.is_empty() => match ended {
                Ok(job) => book.ended(&job),
                Err(panic) => return Err(store::Error::Unavailable {
                    what: "look at a node".into(),
                    reason: format!("the look ended: {panic}"),
                }),
            },
            () = tokio::time::sleep_until(tick) => {
                tick = Instant::now() + TICK;
                waiting = book.due(&house).into();
            }
        }
    }
}

/// When each was tried last, and what is being worked on.
#[derive(Default)]
struct Book {
    nodes: HashMap<NodeId, Tried>,
    services: HashMap<String, Tried>,
    services_at: Option<Instant>,
    /// When each thing that is being worked on was begun.
    begun: Vec<Instant>,
}

/// By a clock that nobody sets: wall time that steps back must not stop the looking.
struct Tried {
    at: Instant,
    busy: bool,
    /// When it was last read whole out of turn, because of what its BMC said: the latest times, newest last.
    hurried: Vec<Instant>,
}

/// Whether a service is read whole now: when its period is over, or out of turn when what is recorded of it is known to be
/// `outdated`. One that was read before this process began (`just_found`) waits for its next turn.
fn is_due(tried: Option<&Tried>, period: Duration, just_found: bool, outdated: bool) -> bool {
    let hurried = tried.map_or(&[][..], |t| &t.hurried);
    let lately = hurried.iter().filter(|at| at.elapsed() < HURRY).count();
    let settled = hurried.last().is_none_or(|at| at.elapsed() >= APART);
    if outdated && settled && lately < HURRIES {
        return true;
    }
    match tried {
        None => !just_found,
        Some(tried) => tried.at.elapsed() >= period,
    }
}

impl Book {
    fn has_room(&self, at_once: usize) -> bool {
        let fresh = self.begun.iter().filter(|at| at.elapsed() < PATIENT).count();
        fresh < at_once && self.begun.len() < at_once + WAITED_FOR
    }

    fn begins(&mut self, job: &Job, live: &Live) {
        let at = Instant::now();
        self.begun.push(at);
        let mut tried = Tried {
            at,
            busy: true,
            hurried: Vec::new(),
        };
        match job {
            Job::Look(node) => drop(self.nodes.insert(node.id.clone(), tried)),
            Job::Discover(bmc) => {
                if let Some(before) = self.services.get_mut(&bmc.url) {
                    tried.hurried = std::mem::take(&mut before.hurried);
                }
                if live.is_outdated(&bmc.url) {
                    tried.hurried.retain(|at| at.elapsed() < HURRY);
                    tried.hurried.push(at);
                }
                self.services.insert(bmc.url.clone(), tried);
            }
        }
    }

    fn ended(&mut self, job: &Job) {
        let tried = match job {
            Job::Look(node) => self.nodes.get_mut(&node.id),
            Job::Discover(bmc) => self.services.get_mut(&bmc.url),
        };
        if let Some(tried) = tried {
            tried.busy = false;
            if let Some(at) = self.begun.iter().position(|at| *at == tried.at) {
                self.begun.swap_remove(at);
            }
        }
    }

    /// What is due now, the longest untouched first.
    fn due(&mut self, house: &House) -> Vec<Job> {
        let (now, config) = (house.now(), &house.inner.env.config);
        let world = house.world();
        let mut found: Vec<(Duration, Job)> = Vec::new();
        self.nodes
            .retain(|id, tried| tried.busy || world.nodes.contains_key(id));
        for node in world.nodes.values() {
            let tried = self.nodes.get(&node.id);
            if tried.is_some_and(|t| t.busy) {
                continue;
            }
            let waited = tried.map_or(Duration::MAX, |t| t.at.elapsed());
            let is_due = |sight: &Sight| sight.poked || waited >= pace(sight, config, now);
            if house.inner.live.peek(&node.id, is_due) {
                found.push((waited, Job::Look(Arc::clone(node))));
            }
        }
        let mut hurried: HashSet<String> = HashSet::new();
        for url in house.inner.live.hurried() {
            let tried = self.services.get(&url);
            let waited = tried.map_or(Duration::MAX, |t| t.at.elapsed());
            if waited >= HURRIED
                && tried.is_none_or(|t| !t.busy)
                && let Some(bmc) = house.record(|r| r.bmcs.get(&keys::bmc(&url)).cloned())
            {
                hurried.insert(url);
                found.push((waited, Job::Discover(bmc)));
            }
        }
        if self.services_at.is_none_or(|at| at.elapsed() >= SERVICES) {
            self.services_at = Some(Instant::now());
            self.services_due(house, &world, &hurried, &mut found);
        }
        let place = |job: &Job| match job {
            Job::Look(node) => (true, node.id.as_str().to_owned()),
            Job::Discover(bmc) => (false, bmc.url.clone()),
        };
        found.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| place(&a.1).cmp(&place(&b.1))));
        found.into_iter().map(|(_, job)| job).collect()
    }

    fn services_due(
        &mut self,
        house: &House,
        world: &World,
        hurried: &HashSet<String>,
        found: &mut Vec<(Duration, Job)>,
    ) {
        let now = house.now();
        let config = &house.inner.env.config;
        let services: Vec<Arc<WatchedBmc>> = house.record(|r| r.bmcs.values().cloned().collect());
        let watched: HashSet<&str> = services.iter().map(|s| s.url.as_str()).collect();
        self.services
            .retain(|url, tried| tried.busy || watched.contains(url.as_str()));
        let (devices, places): (HashSet<String>, HashSet<Place>) = house.record(|r| {
            r.devices
                .iter()
                .map(|(place, d)| (d.url.clone(), place.clone()))
                .unzip()
        });
        let live = &house.inner.live;
        live.keep_services(|url| watched.contains(url));
        live.keep_only(|id| world.nodes.contains_key(id), |place| places.contains(place));
        let mut known: HashMap<&str, (Time, Health, &NodeId)> = HashMap::new();
        for node in world.nodes.values() {
            let first = (node.inventoried, node.health, &node.id);
            let (at, health, _) = known.entry(&node.bmc.url).or_insert(first);
            *at = node.inventoried;
            *health = node.health.max(*health);
        }
        for bmc in &services {
            let tried = self.services.get(&bmc.url);
            if tried.is_some_and(|t| t.busy) || hurried.contains(&bmc.url) {
                continue;
            }
            let inventory = |health: Health| match health {
                Health::Warning | Health::Critical => config.inventory.min(ILL),
                Health::Ok | Health::Unknown => config.inventory,
            };
            let node = known.get(bmc.url.as_str());
            let inventoried = node.map(|(at, health, _)| (at, inventory(*health)));
            // A service with nodes is read whole seldom: what changes often has looks and readings of its own. A PDU is read
            // as often as readings are, as its outlets and watts are in it. One that did not answer yet is asked again and again.
            let period = if let Some((_, inventory)) = inventoried {
                inventory
            } else if devices.contains(&bmc.url) {
                config.readings
            } else {
                ASK_AGAIN
            };
            let just_found = inventoried.is_some_and(|(at, inventory)| now.since(*at) < inventory);
            // whoever does not answer is looked at, and read once it does
            let answers = || node.is_none_or(|(.., id)| live.peek(id, |s| s.view.silent.is_none()));
            let outdated = live.is_outdated(&bmc.url) && answers();
            if is_due(tried, period, just_found, outdated) {
                let waited = tried.map_or(Duration::MAX, |t| t.at.elapsed());
                found.push((waited, Job::Discover(Arc::clone(bmc))));
            }
        }
    }
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

async fn work(house: &House, job: &Job) {
    match job {
        Job::Look(node) => {
            house.inner.live.note(&node.id, |s| s.poked = false);
            house.look(node).await;
            if house.inner.live.peek(&node.id, |s| s.view.silent.is_none()) {
                house.read(node).await;
            }
        }
        Job::Discover(bmc) => {
            let began = Instant::now();
            match house.discover_one(WatchedBmc::clone(bmc)).await {
                Ok(_) => house.inner.live.renewed(&bmc.url, began),
                Err(error) => tracing::info!(url = %bmc.url, %error, "no discovery; asked again later"),
            }
        }
    }
}

impl House {
    /// Reads a node's readings when they are due.
    async fn read(&self, node: &Node) {
        let now = self.now();
        let period = self.inner.env.config.readings;
        let due = |s: &Sight| s.read.is_none_or(|at| at.elapsed() >= period);
        if !self.inner.live.peek(&node.id, due) {
            return;
        }
        let Ok(bmc) = self.bmc_of(node).await else { return };
        self.inner.live.note(&node.id, |s| s.read = Some(Instant::now()));
        if node.abilities.no_bmc {
            let watts = self.watts_around(node).await;
            self.keep_readings(node, vec![watts]);
            return;
        }
        let Some(sensors) = bmc.sensors() else { return };
        match sensors.readings(&node.bmc, now).await {
            Ok(readings) => self.keep_readings(node, readings),
            Err(error) => tracing::debug!(place = %node.place, %error, "no readings"),
        }
        self.learn_caps(node, bmc.as_ref()).await;
    }

    /// Shows what was read, and remembers it.
    fn keep_readings(&self, node: &Node, readings: Vec<Reading>) {
        self.inner.history.note(&Of::Node(node.id.clone()), &readings);
        self.inner.live.update(&node.id, |s| s.view.readings = readings);
    }
}

#[cfg(test)]
mod tests;
