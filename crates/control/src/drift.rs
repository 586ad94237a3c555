//! What racks should be: kept, compared with what is recorded and seen, and told of once when they part.
//!
//! The loop compares every rack when something changed, and remembers since when each finding holds; a finding that is
//! new or gone is an event, one that goes on is not. What a box was made of when it was found first (or when someone
//! agreed to it) is its baseline. A BMC's silence is told where it is noticed and is no drift.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use plan::fsck::{Compared, Finding, Kind, Report, Seen, parts};
use rack::intent::{Baseline, Drift, Intent};
use rack::request::{DeviceView, NodeLive, Who};
use rack::{Level, Name, Node, NodeId, Place};
use store::Txn;

use crate::House;
use crate::house::HouseError;
use crate::keys;

/// How often racks are compared while they change: what someone can walk to is not urgent, and a rack of 1,000 boxes
/// that is discovered changes all the time.
const EVERY: Duration = Duration::from_secs(30);
/// Findings of one rack that are events in one round; the rest is told as a number, and `busbar fsck` shows all.
const TOLD: usize = 20;
/// Baselines that are written in one transaction.
const TOGETHER: usize = 100;
/// Reasons that a refused intent is told with.
const REASONS: usize = 10;

/// Compares, for ever.
pub async fn run(house: House) -> Result<(), store::Error> {
    let mut revisions = house.revisions();
    loop {
        revisions.borrow_and_update();
        let compared = house.compare_all().await;
        tokio::time::sleep(EVERY).await;
        match compared {
            // What was not written is found again in the next round.
            Err(error) => tracing::warn!(%error, "what racks should be could not be compared; done again"),
            Ok(()) => revisions.changed().await,
        }
    }
}

/// Everything that stands somewhere, at one moment.
struct Boxes {
    nodes: Vec<(Arc<Node>, NodeLive)>,
    devices: Vec<Arc<DeviceView>>,
}

impl Boxes {
    fn gather(house: &House) -> Boxes {
        let live = |id: &NodeId| {
            house.inner.live.peek(id, |s| NodeLive {
                silent: s.view.silent.clone(),
                seen: s.view.seen,
                ..NodeLive::default()
            })
        };
        let world = house.world();
        Boxes {
            nodes: world.nodes.values().map(|n| (Arc::clone(n), live(&n.id))).collect(),
            devices: house.record(|r| r.devices.values().cloned().collect()),
        }
    }

    fn seen(&self) -> Seen<'_> {
        let nodes = self.nodes.iter().map(|(node, live)| (node.as_ref(), live.clone()));
        Seen::new(nodes, self.devices.iter().map(Arc::as_ref))
    }
}

impl House {
    /// Every rack that something stands in or should.
    fn racks(&self) -> BTreeSet<Name> {
        let world = self.world();
        let mut racks: BTreeSet<Name> = world
            .nodes
            .values()
            .filter_map(|n| n.place.rack().parse().ok())
            .collect();
        self.record(|r| {
            racks.extend(r.intents.keys().cloned());
            racks.extend(r.devices.keys().filter_map(|p| p.rack().parse().ok()));
        });
        racks
    }

    async fn compare_all(&self) -> Result<(), store::Error> {
        self.keep_baselines().await?;
        let boxes = Boxes::gather(self);
        let seen = boxes.seen();
        for rack in self.racks() {
            self.note_drift(&rack, &seen).await?;
        }
        Ok(())
    }

    /// Tells of drift at once, after someone changed what should be. What fails is done by the loop.
    async fn note_drift_now(&self, rack: &Name) {
        let boxes = Boxes::gather(self);
        if let Err(error) = self.note_drift(rack, &boxes.seen()).await {
            tracing::warn!(%rack, %error, "what it should be could not be compared; done again");
        }
    }

    /// Gives every node a baseline, and adds to it what only an agent could see.
    async fn keep_baselines(&self) -> Result<(), store::Error> {
        let world = self.world();
        let baselines = self.record(|r| r.baselines.clone());
        let due = |node: &&Arc<Node>| match baselines.get(&node.id) {
            None => true,
            Some(base) => parts::completed(base, node).is_some(),
        };
        let due: Vec<&Arc<Node>> = world.nodes.values().filter(due).collect();
        for some in due.chunks(TOGETHER) {
            let mut txn = Txn::new();
            for node in some {
                let key = keys::baseline(&node.id);
                let made = match baselines.get(&node.id) {
                    None => Some(self.baseline(node)),
                    Some(base) => parts::completed(base, node),
                };
                if let Some(made) = made {
                    txn = txn.check(&key, self.unchanged(&key)).put(&key, &made)?;
                }
            }
            match self.commit(txn).await {
                // Someone agreed to something in this very moment: the next round goes on from there.
                Ok(_) | Err(store::Error::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn baseline(&self, node: &Node) -> Baseline {
        Baseline {
            parts: node.parts.clone(),
            at: self.now(),
        }
    }

    /// Tells of findings that are new or gone, and remembers since when.
    async fn note_drift(&self, rack: &Name, seen: &Seen<'_>) -> Result<(), store::Error> {
        let place: Place = Place::whole(rack);
        let before = self.record(|r| r.drifts.get(rack).cloned()).unwrap_or_default();
        let report = self.compare(&place, &before, seen);
        let now = self.now();
        let found: BTreeMap<String, &Finding> = report
            .findings
            .iter()
            .filter(|f| f.kind != Kind::Silent)
            .map(|f| (f.key(), f))
            .collect();
        let since = found
            .keys()
            .map(|k| (k.clone(), before.since.get(k).copied().unwrap_or(now)));
        let after = Drift { since: since.collect() };
        if after == *before {
            return Ok(());
        }
        let mut events = Vec::new();
        for (_, f) in found.iter().filter(|(k, _)| !before.since.contains_key(*k)) {
            events.push(self.event(Level::Warning, &f.place, format!("not as it should be: {}", f.what)));
        }
        for key in before.since.keys().filter(|k| !found.contains_key(*k)) {
            let (place, rest) = key.split_once(' ').unwrap_or((key, ""));
            events.push(self.event(Level::Info, place, format!("as it should be again: {}", rest.trim())));
        }
        let more = events.len().saturating_sub(TOLD);
        events.truncate(TOLD);
        if more > 0 {
            let what = format!("{more} more changes of what is not as it should be: busbar fsck {rack}");
            events.push(self.event(Level::Warning, rack, what));
        }
        let key = keys::drift(rack);
        let mut txn = Txn::new().check(&key, self.unchanged(&key)).put(&key, &after)?;
        for event in &events {
            txn = self.tell(txn, event)?;
        }
        match self.commit(txn).await {
            Ok(_) | Err(store::Error::Conflict { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn compare(&self, place: &Place, drift: &Drift, seen: &Seen) -> Report {
        let rack = place.rack().parse::<Name>().ok();
        let intent = rack.and_then(|r| self.intent(&r));
        // only those of nodes are asked for, by their ids
        let baselines = |id: &NodeId| self.record(|r| r.baselines.get(id).cloned());
        plan::fsck::fsck(&Compared {
            place,
            intent: intent.as_deref(),
            seen,
            baselines: &baselines,
            since: &drift.since,
        })
    }

    /// What differs at a place, and in it.
    pub fn fsck(&self, place: &Place) -> Result<Report, HouseError> {
        let rack: Option<Name> = place.rack().parse().ok();
        let drift = self.record(|r| rack.as_ref().and_then(|n| r.drifts.get(n).cloned()));
        let boxes = Boxes::gather(self);
        let report = self.compare(place, &drift.unwrap_or_default(), &boxes.seen());
        if report.compared == 0 && report.findings.is_empty() && !report.intended {
            return Err(HouseError::NotFound {
                kind: "place",
                name: place.to_string(),
            });
        }
        Ok(report)
    }

    /// Agrees to what boxes are made of now: from here on changes count anew. Answers how many.
    pub async fn agree(&self, who: &Who, place: &Place) -> Result<usize, HouseError> {
        let accepted = self
            .transact(|world| {
                let mut txn = Txn::new();
                let here: Vec<_> = world.nodes.values().filter(|n| n.place.is_in(place)).collect();
                if here.is_empty() {
                    return Err(HouseError::NotFound {
                        kind: "place",
                        name: place.to_string(),
                    });
                }
                for node in &here {
                    let key = keys::baseline(&node.id);
                    txn = txn.check(&key, self.unchanged(&key)).put(&key, &self.baseline(node))?;
                }
                let event = self.audit(
                    who,
                    place,
                    format!("agrees to the parts of {} boxes as they are", here.len()),
                );
                Ok((self.tell(txn, &event)?, here.len()))
            })
            .await?;
        if let Ok(rack) = place.rack().parse() {
            self.note_drift_now(&rack).await;
        }
        Ok(accepted)
    }

    /// What a rack should be.
    pub fn intent(&self, rack: &Name) -> Option<Arc<Intent>> {
        self.record(|r| r.intents.get(rack).cloned())
    }

    /// Writes down what a rack should be. Outlets go to the boxes that they feed, unless the rack file says otherwise.
    pub async fn set_intent(&self, who: &Who, mut intent: Intent, dry_run: bool) -> Result<Intent, HouseError> {
        let wrong = intent.check();
        if !wrong.is_empty() {
            let slot = |i: &Option<usize>| i.and_then(|i| intent.boxes.get(i)).map(|b| format!("{}: ", b.slot));
            let told = wrong
                .iter()
                .take(REASONS)
                .map(|(i, w)| format!("{}{w}", slot(i).unwrap_or_default()));
            let mut what = told.collect::<Vec<_>>().join("; ");
            if wrong.len() > REASONS {
                what += &format!("; and {} more", wrong.len() - REASONS);
            }
            return Err(HouseError::Invalid { what });
        }
        intent.sort();
        if dry_run {
            return Ok(intent);
        }
        self.transact(|world| {
            let key = keys::intent(&intent.rack);
            let mut txn = Txn::new().check(&key, self.unchanged(&key)).put(&key, &intent)?;
            for b in intent.boxes.iter().filter(|b| !b.outlets.is_empty()) {
                let Some(node) = world.node_at(&intent.place(b)) else {
                    continue;
                };
                let told = self.record(|r| {
                    r.bmcs
                        .get(&keys::bmc(&node.bmc.url))
                        .is_some_and(|w| !w.outlets.is_empty())
                });
                if told || node.outlets == b.outlets {
                    continue;
                }
                let after = Node {
                    outlets: b.outlets.clone(),
                    ..Node::clone(node)
                };
                let key = keys::node(&node.id);
                txn = txn.check(&key, self.unchanged(&key)).put(&key, &after)?;
            }
            let event = self.audit(
                who,
                &intent.rack,
                format!("writes down what it should be: {} boxes", intent.boxes.len()),
            );
            Ok((self.tell(txn, &event)?, ()))
        })
        .await?;
        self.note_drift_now(&intent.rack).await;
        Ok(intent)
    }

    /// Forgets what a rack should be.
    pub async fn drop_intent(&self, who: &Who, rack: &Name) -> Result<(), HouseError> {
        self.transact(|_| {
            if self.intent(rack).is_none() {
                return Err(HouseError::NotFound {
                    kind: "intent of rack",
                    name: rack.to_string(),
                });
            }
            let key = keys::intent(rack);
            let txn = Txn::new().check(&key, self.unchanged(&key)).delete(&key);
            let event = self.audit(who, rack, "forgets what it should be".to_owned());
            Ok((self.tell(txn, &event)?, ()))
        })
        .await?;
        self.note_drift_now(rack).await;
        Ok(())
    }

    /// The outlets that someone wrote down for a place.
    pub(crate) fn outlets_intended(&self, place: &Place) -> Vec<rack::node::OutletRef> {
        let rack = place.rack().parse::<Name>().ok();
        let intent = rack.and_then(|r| self.intent(&r));
        let found = intent.and_then(|i| i.at(place.slot()?).map(|b| b.outlets.clone()));
        found.unwrap_or_default()
    }
}
