//! Follows every commit and checks the invariants after each.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use control::House;
use control::record::Record;
use futures_util::FutureExt as _;
use rack::setting::CapWish;
use rack::{Event, Level, Name, Node, NodeId, Tenancy, Time, World};
use store::{Batch, Store as _, Watch, memory::Memory};
use tokio::time::Instant;

use super::Verdict;
use super::order::{self, Taken};
use crate::rig::{PASSWORD, Rig};

/// How much later than a deadline a loop may wake: a late answer from a BMC, and a pause after a store error.
const GRACE: Duration = Duration::from_secs(180);
/// Longer than any story.
const FOR_EVER: Duration = Duration::from_secs(100 * 366 * 86_400);
/// Lines of the audit log that are remembered: no permit is used so late.
const REMEMBERED: Duration = Duration::from_secs(600);

/// What was seen of the commits so far.
pub struct Witness {
    watch: Watch,
    record: Record,
    verdict: Verdict,
    rig: Arc<Rig>,
    now: Box<dyn Fn() -> Time + Send>,
    /// Commits, installs begun, wipes proven, and those of boxes without a BMC.
    pub commits: u64,
    pub installs: u64,
    pub wipes: u64,
    pub bare: u64,
    /// Prints each commit: `BUSBAR_STORY_LOG=1`, for who looks for what went wrong, and when.
    tells: bool,
    /// Everything that was committed, as one number.
    digest: DefaultHasher,
    /// Machines whose install order may be carried out, by node: whose data its disks may hold.
    used: BTreeMap<NodeId, Name>,
    /// The daemon while it lives, for what it sees.
    pub house: Option<House>,
    /// Machines that were capped, and stopped, so that nothing trips.
    pub shed: (u64, u64),
    /// Machines that a user was told are accepted.
    pub accepted: BTreeSet<Name>,
    /// The audit log's latest lines, when they were committed.
    pub audits: VecDeque<(Instant, Event)>,
    /// Until when the daemon is down, or can't write: nothing that it should have written by then is missed.
    excused: Instant,
}

impl Witness {
    /// Sees every commit to `store` from now on. `now` is the daemon's clock.
    pub async fn of(store: &Memory, rig: Arc<Rig>, verdict: Verdict, now: Box<dyn Fn() -> Time + Send>) -> Witness {
        Witness {
            watch: store.watch(0).await.expect("a new store has all of its history"),
            record: Record::default(),
            verdict,
            rig,
            now,
            commits: 0,
            installs: 0,
            wipes: 0,
            bare: 0,
            tells: std::env::var_os("BUSBAR_STORY_LOG").is_some(),
            digest: DefaultHasher::new(),
            used: BTreeMap::new(),
            house: None,
            shed: (0, 0),
            accepted: BTreeSet::new(),
            audits: VecDeque::new(),
            excused: Instant::now(),
        }
    }

    /// What is recorded now.
    pub fn world(&self) -> Arc<World> {
        Arc::clone(&self.record.world)
    }

    /// Everything that was committed, as one number.
    pub fn digest(&self) -> u64 {
        self.digest.finish()
    }

    /// The daemon was away, or could not write: deadlines that passed meanwhile are seen when it is back.
    pub fn excuse(&mut self) {
        self.excuse_for(Duration::ZERO);
    }

    /// The same of a daemon that is away for so long from now on.
    pub fn excuse_for(&mut self, away: Duration) {
        self.excused = self.excused.max(Instant::now() + away + GRACE);
    }

    /// Sees whatever was committed and not seen yet.
    pub fn catch_up(&mut self) {
        while let Some(next) = self.watch.next().now_or_never() {
            match next {
                Ok(batch) => self.see(&batch),
                Err(error) => return self.verdict.broken("I6", format!("the history has a gap: {error}")),
            }
        }
    }

    fn see(&mut self, batch: &Batch) {
        self.commits += 1;
        for change in &batch.changes {
            change.key.hash(&mut self.digest);
            change.value.hash(&mut self.digest);
            if self.tells {
                let value = change.value.as_deref().map(String::from_utf8_lossy);
                println!("{} {} {}", batch.revision, change.key, value.unwrap_or_default());
            }
            self.secrets(change);
        }
        let taken: Vec<Taken> = batch.changes.iter().filter_map(|c| self.taken(c)).collect();
        self.record.apply(batch);
        self.look();
        self.in_order(&taken);
        let world = self.world();
        for change in &batch.changes {
            match change.key.split_once('/') {
                Some(("node", id)) => {
                    let node = id.parse::<NodeId>().ok().and_then(|id| world.nodes.get(&id).cloned());
                    node.into_iter().for_each(|node| self.data(&node));
                }
                Some(("event", _)) => self.event(change),
                _ => {}
            }
        }
    }

    /// What is recorded, at this moment.
    pub fn look(&mut self) {
        self.all_there();
        let world = self.world();
        let excused = Instant::now() < self.excused;
        let grace = if excused { FOR_EVER } else { GRACE };
        for id in ["I1", "I2", "I5"] {
            self.verdict.looked(id, 1);
        }
        for broken in rack::invariants::check(&world, (self.now)(), grace) {
            self.verdict
                .broken(broken.id, format!("{}, at revision {}", broken.what, world.revision));
        }
    }

    /// What a change takes from a machine so that nothing trips.
    fn taken(&self, change: &store::Change) -> Option<Taken> {
        let id: NodeId = change.key.strip_prefix("shed/")?.parse().ok()?;
        let shed = serde_json::from_slice(change.value.as_deref()?).ok()?;
        order::taken(self.record.world.sheds.get(&id).map(AsRef::as_ref), &shed)
    }

    /// I9: it is taken in the order of `nice`.
    fn in_order(&mut self, taken: &[Taken]) {
        for one in taken {
            self.shed.0 += u64::from(one.cap);
            self.shed.1 += u64::from(one.stop);
        }
        let Some(house) = self.house.as_ref().filter(|_| !taken.is_empty()) else {
            return;
        };
        let Ok(line) = house.one_line(&"r1".parse().expect("a name")) else {
            return;
        };
        let world = self.world();
        for one in taken {
            let wrong = order::wrong(&line, &world, one);
            self.verdict.holds("I9", wrong.is_none(), || wrong.unwrap_or_default());
        }
    }

    /// The cap that someone wished for a node, if anyone did.
    pub fn wished_cap(&self, node: &NodeId) -> Option<CapWish> {
        self.record.settings.get(node)?.cap
    }

    /// I10: what is written down never holds a password in the clear.
    fn secrets(&self, change: &store::Change) {
        let shown = change.value.as_deref().is_some_and(|value| {
            let first = PASSWORD.as_bytes()[0];
            let starts = value.iter().enumerate().filter(|(_, byte)| **byte == first);
            starts
                .into_iter()
                .any(|(at, _)| value[at..].starts_with(PASSWORD.as_bytes()))
        });
        self.verdict
            .holds("I10", !shown, || format!("the password stands in {}", change.key));
    }

    fn event(&mut self, change: &store::Change) {
        let event = change
            .value
            .as_deref()
            .and_then(|v| serde_json::from_slice::<Event>(v).ok());
        let now = Instant::now();
        if let Some(event) = event.filter(|e| e.level == Level::Audit) {
            self.audits.push_back((now, event));
        }
        while self.audits.front().is_some_and(|(at, _)| *at + REMEMBERED < now) {
            self.audits.pop_front();
        }
    }

    /// I2 against the disks themselves: what is recorded as clean holds nothing.
    fn data(&mut self, node: &Node) {
        let before = self.used.get(&node.id).cloned();
        let drives_are_blank = || {
            let rack = self.rig.rack()?;
            let i = rack.find(node.place.as_str())?;
            Some(rack.servers[i].drives.iter().all(|d| d.is_blank().unwrap_or(false)))
        };
        let clean = !rack::invariants::may_be_given(node) || drives_are_blank().unwrap_or(true);
        self.verdict.holds("I2", clean, || {
            format!(
                "{} is recorded as clean ({:?}) and holds data",
                node.place, node.tenancy
            )
        });
        match (&node.tenancy, before) {
            (Tenancy::Used { by }, None) => {
                self.installs += 1;
                self.used.insert(node.id.clone(), by.clone());
            }
            (Tenancy::Used { by }, Some(owner)) => {
                let what = || format!("{} changed hands unwiped, from {owner} to {by}", node.place);
                self.verdict.holds("I2", *by == owner, what);
            }
            (Tenancy::Wiped { .. }, Some(_)) => {
                self.wipes += 1;
                self.bare += u64::from(node.abilities.no_bmc);
                self.used.remove(&node.id);
            }
            (Tenancy::Fresh, Some(owner)) => {
                self.verdict
                    .broken("I2", format!("{} forgot that it held data of {owner}", node.place));
            }
            _ => {}
        }
    }

    /// I6: everything that was accepted is there.
    pub fn all_there(&self) {
        for name in &self.accepted {
            let there = self.record.world.machines.contains_key(name);
            self.verdict
                .holds("I6", there, || format!("{name} was accepted and is lost"));
        }
    }
}
