//! The loop that carries firmware rollouts on: starts what `plan::rollout` says, follows each BMC's task, reads the
//! version back. While a box is updated nothing is placed on it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use hardware::capability::{FirmwareImage, FirmwareUpdate};
use hardware::{Error, Receipt, TaskState};
use plan::rollout::{self, RolloutStep, SHOWS};
use rack::node::Firmware;
use rack::request::Who;
use rack::rollout::{Rollout, RolloutRequest, Update, UpdateState};
use rack::{Level, Name, Node, NodeId, PowerState, ResetKind};
use store::Txn;

use crate::House;
use crate::act::WISH;
use crate::house::HouseError;
use crate::keys;

/// How often an update that is under way is looked at: flashing takes minutes.
const EVERY: Duration = Duration::from_secs(10);
/// Boxes at once, over all rollouts.
const AT_ONCE: usize = 32;
/// Nodes in one rollout.
const NODES: usize = 20_000;
/// Longest URL of an image.
const URL: usize = 1024;

/// Carries rollouts on, for ever.
pub async fn run(house: House) -> Result<(), store::Error> {
    let mut revisions = house.revisions();
    loop {
        let active: Vec<Arc<Rollout>> =
            house.record(|r| r.rollouts.values().filter(|r| !r.is_over()).cloned().collect());
        for rollout in &active {
            if let Err(error) = house.advance(rollout).await {
                tracing::warn!(rollout = %rollout.ask.name, %error, "a rollout waits");
            }
        }
        if active.is_empty() {
            revisions.changed().await;
        } else {
            tokio::time::sleep(EVERY).await;
        }
    }
}

impl House {
    async fn advance(&self, rollout: &Rollout) -> Result<(), HouseError> {
        let name = &rollout.ask.name;
        for step in rollout::next(rollout, &self.world(), self.now()) {
            match step {
                RolloutStep::Becomes(id, state) => self.becomes(name, &id, state).await?,
                RolloutStep::Stop(why) => self.stop_rollout_because(name, why, None).await?,
                RolloutStep::Start(id) => match self.begin_update(name, &id).await {
                    Ok(()) => {}
                    Err(HouseError::Policy { what, .. }) => {
                        self.becomes(name, &id, UpdateState::Skipped { why: what }).await?;
                    }
                    Err(error) => return Err(error),
                },
            }
        }
        let Some(rollout) = self.record(|r| r.rollouts.get(name).cloned()) else {
            return Ok(());
        };
        let mut under_way: Vec<(NodeId, Update)> = Vec::new();
        for (id, update) in &rollout.nodes {
            if update.state.is_under_way() {
                under_way.push((id.clone(), update.clone()));
            }
        }
        let rollout = &rollout;
        let results: Vec<Result<(), HouseError>> = futures_util::stream::iter(under_way)
            .map(|(id, update)| async move { self.follow_update(&rollout.ask, &id, &update).await })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        results.into_iter().collect()
    }

    /// The node is out of use before its BMC hears anything, and in the same transaction its turn is recorded.
    async fn begin_update(&self, name: &Name, id: &NodeId) -> Result<(), HouseError> {
        let (key, node_key) = (keys::rollout(name), keys::node(id));
        let now = self.now();
        self.transact(|world| {
            let Some(mut rollout) = self.record(|r| r.rollouts.get(name).map(|r| Rollout::clone(r))) else {
                return Ok((Txn::new(), ()));
            };
            let node = world.nodes.get(id).ok_or_else(|| HouseError::Policy {
                what: "it is no longer known".into(),
                hint: String::new(),
            })?;
            if let Some(holder) = node.holder.as_ref().filter(|_| !rollout.ask.in_use) {
                return Err(HouseError::Policy {
                    what: format!("{holder} took it"),
                    hint: String::new(),
                });
            }
            let Some(update) = rollout.nodes.get_mut(id) else {
                return Ok((Txn::new(), ()));
            };
            if update.state != UpdateState::Waiting {
                return Ok((Txn::new(), ()));
            }
            update.state = UpdateState::Sent { task: None };
            update.since = now;
            let mut txn = Txn::new()
                .check(&key, self.unchanged(&key))
                .put(&key, &rollout)?
                .check(&node_key, self.unchanged(&node_key));
            if node.cordoned.is_none() {
                let out = Node {
                    cordoned: Some(cordon(name)),
                    ..Node::clone(node)
                };
                txn = txn.put(&node_key, &out)?;
            }
            Ok((txn, ()))
        })
        .await
    }

    async fn follow_update(&self, ask: &RolloutRequest, id: &NodeId, update: &Update) -> Result<(), HouseError> {
        let world = self.world();
        let Some(node) = world.nodes.get(id) else {
            let why = "it is no longer known".into();
            return self.becomes(&ask.name, id, UpdateState::Failed { why }).await;
        };
        let next = tokio::time::timeout(WISH, self.next_of_update(ask, node, update)).await;
        match next {
            Ok(Ok(Some(state))) => self.becomes(&ask.name, id, state).await,
            Ok(Ok(None)) | Err(_) => Ok(()),
            // A BMC that flashes itself is silent for minutes: only the deadline ends the wait for it.
            Ok(Err(error)) if error.is_transient() => Ok(()),
            Ok(Err(error)) => {
                let why = error.to_string();
                self.becomes(&ask.name, id, UpdateState::Failed { why }).await
            }
        }
    }

    /// What an update becomes after one more look; nothing while it goes on.
    async fn next_of_update(
        &self,
        ask: &RolloutRequest,
        node: &Node,
        update: &Update,
    ) -> Result<Option<UpdateState>, Error> {
        let other = |e: HouseError| Error::Unreachable {
            address: node.bmc.url.clone(),
            path: String::new(),
            why: e.to_string(),
        };
        let bmc = self.bmc_of(node).await.map_err(other)?;
        let lacks = || Error::lacks(bmc.url(), "firmware updates");
        let firmware = bmc.firmware().ok_or_else(lacks)?;
        match &update.state {
            UpdateState::Sent { task: None } => {
                // After a crash the order may have been taken already: what is read back decides.
                let mine = of_component(firmware, ask).await?;
                if mine.iter().any(|f| is_wanted(f, ask)) {
                    return Ok(Some(UpdateState::Done));
                }
                let what = format!("firmware {} {}", ask.component, ask.version);
                let because = format!("rollout {}", ask.name);
                let permit = self
                    .permit(&node.id, node.place.as_ref(), what, &because, "busbar")
                    .await
                    .map_err(|e| other(e.into()))?;
                let image = FirmwareImage::Pull { url: ask.image.clone() };
                let targets: Vec<String> = mine.into_iter().map(|f| f.id).take(1).collect();
                Ok(match firmware.update(&image, &targets, &permit).await? {
                    Receipt::Accepted { task: Some(task) } => Some(UpdateState::Sent { task: Some(task) }),
                    Receipt::Accepted { task: None } | Receipt::Done => Some(UpdateState::Applied { restarted: false }),
                    // Another update is under way: asked again until the deadline.
                    Receipt::Blocked { .. } => None,
                })
            }
            UpdateState::Sent { task: Some(task) } => Ok(match firmware.task(task).await? {
                TaskState::Running { .. } => None,
                TaskState::Done => Some(UpdateState::Applied { restarted: false }),
                TaskState::Failed { why } => Some(UpdateState::Failed { why }),
            }),
            UpdateState::Applied { restarted } => {
                if of_component(firmware, ask).await?.iter().any(|f| is_wanted(f, ask)) {
                    if *restarted && node.holder.is_none() {
                        self.switch(node, ask, ResetKind::ForceOff).await?;
                    }
                    return Ok(Some(UpdateState::Done));
                }
                let waited = self.now().since(update.since);
                if *restarted || waited < SHOWS {
                    return Ok(None);
                }
                // Firmware of the box itself often holds from its next start on.
                let on = self.live(&node.id).power == Some(PowerState::On);
                self.switch(node, ask, if on { ResetKind::ForceRestart } else { ResetKind::On })
                    .await?;
                Ok(Some(UpdateState::Applied { restarted: true }))
            }
            _ => Ok(None),
        }
    }

    async fn switch(&self, node: &Node, ask: &RolloutRequest, kind: ResetKind) -> Result<(), Error> {
        let lost = |e: String| Error::Unreachable {
            address: node.bmc.url.clone(),
            path: String::new(),
            why: e,
        };
        let bmc = self.bmc_of(node).await.map_err(|e| lost(e.to_string()))?;
        let Some(power) = bmc.power() else {
            return Err(Error::lacks(bmc.url(), "switching"));
        };
        let because = format!("rollout {}", ask.name);
        let permit = self
            .permit(
                &node.id,
                node.place.as_ref(),
                format!("reset {kind:?}"),
                &because,
                "busbar",
            )
            .await
            .map_err(|e| lost(e.to_string()))?;
        power.reset(&node.bmc, kind, &permit).await.map(|_| ())
    }

    /// Records what an update becomes; one that is over gives its node back to use.
    async fn becomes(&self, name: &Name, id: &NodeId, state: UpdateState) -> Result<(), HouseError> {
        let (key, node_key) = (keys::rollout(name), keys::node(id));
        let now = self.now();
        let mut bmc = None;
        self.transact(|world| {
            let Some(mut rollout) = self.record(|r| r.rollouts.get(name).map(|r| Rollout::clone(r))) else {
                return Ok((Txn::new(), ()));
            };
            let Some(update) = rollout.nodes.get_mut(id) else {
                return Ok((Txn::new(), ()));
            };
            if update.state == state && update.since <= now {
                return Ok((Txn::new(), ()));
            }
            update.state = state.clone();
            update.since = now;
            let place = update.place.clone();
            let mut txn = Txn::new().check(&key, self.unchanged(&key)).put(&key, &rollout)?;
            if let Some(node) = world.nodes.get(id).filter(|_| state.is_over()) {
                bmc = Some(node.bmc.url.clone());
                if node.cordoned.as_deref() == Some(cordon(name).as_str()) {
                    let back = Node {
                        cordoned: None,
                        ..Node::clone(node)
                    };
                    txn = txn.check(&node_key, self.unchanged(&node_key)).put(&node_key, &back)?;
                }
            }
            let (level, what) = match &state {
                UpdateState::Done => (
                    Level::Info,
                    format!("{} is {}", rollout.ask.component, rollout.ask.version),
                ),
                UpdateState::Failed { why } => (Level::Error, format!("rollout {name} failed: {why}")),
                UpdateState::Skipped { why } => (Level::Warning, format!("rollout {name} leaves it out: {why}")),
                _ => return Ok((txn, ())),
            };
            Ok((self.tell(txn, &self.event(level, &place, what))?, ()))
        })
        .await?;
        // The inventory is read again, so that every view shows the version that holds.
        if let Some(known) = bmc.and_then(|url| self.record(|r| r.bmcs.get(&keys::bmc(&url)).cloned()))
            && state == UpdateState::Done
            && let Err(error) = self.discover_one(crate::record::WatchedBmc::clone(&known)).await
        {
            tracing::info!(url = %known.url, %error, "the inventory is read again later");
        }
        Ok(())
    }

    /// Accepts a rollout; with `dry_run` only says which boxes it would touch.
    pub async fn roll_out(&self, who: &Who, ask: RolloutRequest, dry_run: bool) -> Result<Rollout, HouseError> {
        let invalid = |what: String| HouseError::Invalid { what };
        let fetchable = ask.image.starts_with("http://") || ask.image.starts_with("https://");
        if !fetchable || ask.image.len() > URL || ask.image.chars().any(|c| c.is_control() || c == ' ') {
            return Err(invalid(
                "the image is an http:// or https:// URL that the BMCs can reach".into(),
            ));
        }
        if ask.version.is_empty() || ask.component.is_empty() {
            return Err(invalid(
                "a rollout needs a component and the version that is read back afterwards: busbar firmware ls PLACE"
                    .into(),
            ));
        }
        let key = keys::rollout(&ask.name);
        let now = self.now();
        self.transact(|world| {
            if self.record(|r| r.rollouts.get(&ask.name).is_some_and(|r| !r.is_over())) {
                return Err(HouseError::Conflict {
                    what: format!("rollout {} is under way: busbar firmware status {}", ask.name, ask.name),
                });
            }
            let mut nodes = std::collections::BTreeMap::new();
            for node in world
                .nodes
                .values()
                .filter(|n| ask.places.iter().any(|p| n.place.is_in(p)))
            {
                let update = Update {
                    place: node.place.clone(),
                    state: UpdateState::Waiting,
                    since: now,
                };
                nodes.insert(node.id.clone(), update);
            }
            if nodes.is_empty() || nodes.len() > NODES {
                return Err(HouseError::NotFound {
                    kind: "node in",
                    name: ask
                        .places
                        .iter()
                        .map(ToString::to_string)
                        .collect::<Vec<_>>()
                        .join(", "),
                });
            }
            let rollout = Rollout {
                ask: ask.clone(),
                created: now,
                by: who.name.to_string(),
                stopped: None,
                nodes,
            };
            if dry_run {
                return Ok((Txn::new(), foreseen(rollout, world)));
            }
            let what = format!(
                "firmware {} {} for {} nodes",
                ask.component,
                ask.version,
                rollout.nodes.len()
            );
            let txn = Txn::new().check(&key, self.unchanged(&key)).put(&key, &rollout)?;
            let about = format!("rollout {}", ask.name);
            Ok((self.tell(txn, &self.audit(who, about, what))?, rollout))
        })
        .await
    }

    /// Every rollout that is kept.
    pub fn rollouts(&self) -> Vec<Arc<Rollout>> {
        self.record(|r| r.rollouts.values().cloned().collect())
    }

    /// Starts nothing more of a rollout; what is under way is followed to its end.
    pub async fn stop_rollout(&self, who: &Who, name: &Name) -> Result<(), HouseError> {
        self.stop_rollout_because(name, format!("{} said so", who.name), Some(who))
            .await
    }

    async fn stop_rollout_because(&self, name: &Name, why: String, who: Option<&Who>) -> Result<(), HouseError> {
        let key = keys::rollout(name);
        self.transact(|_| {
            let mut rollout = self
                .record(|r| r.rollouts.get(name).map(|r| Rollout::clone(r)))
                .ok_or_else(|| HouseError::NotFound {
                    kind: "rollout",
                    name: name.to_string(),
                })?;
            if rollout.stopped.is_some() {
                return Ok((Txn::new(), ()));
            }
            rollout.stopped = Some(why.clone());
            let about = format!("rollout {name}");
            let event = match who {
                Some(who) => self.audit(who, about, "stopped"),
                None => self.event(Level::Error, about, format!("stopped: {why}")),
            };
            let txn = Txn::new().check(&key, self.unchanged(&key)).put(&key, &rollout)?;
            Ok((self.tell(txn, &event)?, ()))
        })
        .await
    }
}

/// The rollout after the steps that need no BMC: what a dry run shows.
fn foreseen(mut rollout: Rollout, world: &rack::World) -> Rollout {
    let mut everyone = rollout.clone();
    everyone.ask.wave = u32::MAX;
    for step in rollout::next(&everyone, world, rollout.created) {
        if let RolloutStep::Becomes(id, state) = step
            && let Some(update) = rollout.nodes.get_mut(&id)
        {
            update.state = state;
        }
    }
    rollout
}

fn cordon(name: &Name) -> String {
    format!("firmware rollout {name}")
}

/// The firmware that is to be updated; some boxes tell of it more than once.
async fn of_component(firmware: &dyn FirmwareUpdate, ask: &RolloutRequest) -> Result<Vec<Firmware>, Error> {
    let mut all = firmware.versions().await?;
    all.retain(|f| f.component() == ask.component);
    Ok(all)
}

fn is_wanted(firmware: &Firmware, ask: &RolloutRequest) -> bool {
    firmware.version.as_deref() == Some(ask.version.as_str())
}
