//! The loop that keeps caps and firmware settings as someone wants them: compares, sets what differs, says what can't be.
//! A BMC that loses a cap in a restart gets it again; a cap on trial is undone when nobody keeps it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use hardware::capability::Cap;
use hardware::{Driver, Receipt};
use plan::settings::{self, CapStep};
use rack::request::Who;
use rack::setting::{CapView, CapWish, Settings, SettingsRequest, SettingsView, Trial};
use rack::shed::Shed;
use rack::{Level, Node, NodeId, Place};
use store::Txn;
use tokio::task::JoinSet;

use crate::House;
use crate::act::WISH;
use crate::house::HouseError;
use crate::keys;
use crate::live::Sight;
use crate::no_bmc::must_have_bmc;

/// How often a box with a wish is compared: a BMC may lose a cap whenever it restarts.
const EVERY: Duration = Duration::from_secs(60);
/// Boxes at once.
const AT_ONCE: usize = 64;
/// Attributes that one box may be wished.
const ATTRIBUTES: usize = 256;
/// Longest trial: a week.
const TRIAL: u64 = 7 * 86_400;

/// What is kept up on one box: what someone wants of it, and what is taken from its machine so that nothing trips.
struct Due {
    id: NodeId,
    /// What someone wants.
    wanted: Settings,
    /// The same with the lower of both caps.
    kept: Settings,
    shed: Option<Arc<Shed>>,
}

/// Keeps the wishes, for ever. A box that hangs is waited for beside the others.
pub async fn run(house: House) -> Result<(), store::Error> {
    let mut revisions = house.revisions();
    let mut busy: BTreeSet<NodeId> = BTreeSet::new();
    let mut tasks: JoinSet<NodeId> = JoinSet::new();
    loop {
        if let Err(error) = house.end_trials().await {
            tracing::warn!(%error, "the end of a trial can't be written; it is tried again");
        }
        for due in house.settings_due() {
            if tasks.len() < AT_ONCE && busy.insert(due.id.clone()) {
                let house = house.clone();
                tasks.spawn(async move {
                    house.tend_settings(&due).await;
                    due.id
                });
            }
        }
        let waits = house.record(|r| !r.settings.is_empty() || !r.world.sheds.is_empty());
        tokio::select! {
            biased;
            Some(ended) = tasks.join_next(), if !tasks.is_empty() => match ended {
                Ok(id) => drop(busy.remove(&id)),
                Err(panic) => return Err(store::Error::Unavailable {
                    what: "keep the settings of a box".into(),
                    reason: format!("its task ended: {panic}"),
                }),
            },
            () = revisions.changed() => {}
            () = tokio::time::sleep(EVERY / 4), if waits => {}
        }
    }
}

impl House {
    fn settings_due(&self) -> Vec<Due> {
        let now = self.now();
        let due = |id: &NodeId, wanted: Option<&Arc<Settings>>, shed: Option<&Arc<Shed>>| {
            let wanted = wanted.map(|s| Settings::clone(s)).unwrap_or_default();
            let kept = Settings {
                cap: settings::kept_cap(wanted.cap, shed.map(AsRef::as_ref)),
                ..wanted.clone()
            };
            (kept.cap.is_some() || !kept.bios.is_empty()).then(|| Due {
                id: id.clone(),
                wanted,
                kept,
                shed: shed.cloned(),
            })
        };
        let all: Vec<Due> = self.record(|r| {
            let ids: BTreeSet<&NodeId> = r.settings.keys().chain(r.world.sheds.keys()).collect();
            let both = |id: &NodeId| due(id, r.settings.get(id), r.world.sheds.get(id));
            ids.into_iter().filter_map(both).collect()
        });
        // A new wish is due at once; what was tended to is compared again after a while.
        let is_due = |due: &Due| {
            let look = |sight: &Sight| {
                sight.kept.as_ref() != Some(&due.kept) || sight.tended.is_none_or(|t| !now.within(t, EVERY))
            };
            self.inner.live.peek(&due.id, look)
        };
        all.into_iter().filter(is_due).collect()
    }

    async fn end_trials(&self) -> Result<(), store::Error> {
        let now = self.now();
        let over: Vec<Arc<Settings>> = self.record(|r| r.settings.values().cloned().collect());
        for settings in over {
            let (Some(id), Some(after)) = (&settings.node, settings::after_trial(&settings, now)) else {
                continue;
            };
            let key = keys::setting(id);
            let place = self
                .world()
                .nodes
                .get(id)
                .map(|n| n.place.to_string())
                .unwrap_or_default();
            let event = self.event(Level::Info, place, "the cap on trial was not kept and is undone");
            let txn = Txn::new().check(&key, self.unchanged(&key)).put(&key, &after)?;
            match self.commit(self.tell(txn, &event)?).await {
                Ok(_) => {}
                // Someone kept or changed it in this very moment: the next round sees what holds.
                Err(store::Error::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn tend_settings(&self, due: &Due) {
        let world = self.world();
        let Some(node) = world.nodes.get(&due.id) else { return };
        let before = self.inner.live.sight(&due.id).settings;
        let because = match &due.shed {
            Some(shed) if shed.is_over() => "there is power for it again",
            Some(shed) => shed.because.as_str(),
            None => "it is wanted so",
        };
        let seen = tokio::time::timeout(WISH, self.keep_settings(node, due, because)).await;
        let (mut view, is_kept) = seen.unwrap_or_else(|_| {
            let late = SettingsView {
                unfulfilled: vec![format!("its BMC was not done in {} s", WISH.as_secs())],
                ..SettingsView::default()
            };
            (late, false)
        });
        view.wanted = due.wanted.clone();
        if view.caps.is_empty() {
            view.caps = before.caps;
        }
        let news = view.unfulfilled != before.unfulfilled && !view.unfulfilled.is_empty();
        let why = view.unfulfilled.join("; ");
        let now = self.now();
        self.inner.live.update(&due.id, |s| {
            s.settings = view;
            s.kept = Some(due.kept.clone());
            s.tended = Some(now);
        });
        if news {
            let event = self.event(
                Level::Warning,
                &node.place,
                format!("its settings are not as wanted: {why}"),
            );
            if let Ok(txn) = self.tell(Txn::new(), &event) {
                let _ = self.commit(txn).await;
            }
        }
        if let Some(over) = due.shed.as_ref().filter(|s| is_kept && s.is_over()) {
            self.forget_shed(&due.id, over).await;
        }
    }

    /// Everything that was taken from a machine is given back, and its box shows it.
    async fn forget_shed(&self, id: &NodeId, over: &Shed) {
        let key = keys::shed(id);
        let expect = self.record(|r| r.world.sheds.get(id).filter(|s| ***s == *over).map(|_| ()));
        if expect.is_some() {
            let _ = self
                .commit(Txn::new().check(&key, self.unchanged(&key)).delete(&key))
                .await;
        }
    }

    /// Compares, sets what differs, and says what is seen afterwards, and whether the cap is the one that is kept up.
    async fn keep_settings(&self, node: &Node, due: &Due, because: &str) -> (SettingsView, bool) {
        let mut view = SettingsView::default();
        let bmc = match self.bmc_of(node).await {
            Ok(bmc) => bmc,
            Err(error) => {
                view.unfulfilled.push(error.to_string());
                return (view, false);
            }
        };
        let mut is_kept = true;
        if due.kept.cap.is_some()
            && let Err(why) = self.keep_cap(node, bmc.as_ref(), due, because, &mut view).await
        {
            is_kept = false;
            view.unfulfilled.push(why);
        }
        if !due.kept.bios.is_empty()
            && let Err(why) = self.keep_bios(node, bmc.as_ref(), &due.kept, &mut view).await
        {
            view.unfulfilled.push(why);
        }
        (view, is_kept)
    }

    async fn keep_cap(
        &self,
        node: &Node,
        bmc: &dyn Driver,
        due: &Due,
        because: &str,
        view: &mut SettingsView,
    ) -> Result<(), String> {
        let caps = bmc.caps().ok_or("this box has no power cap")?;
        view.caps = shown(caps.caps(&node.bmc).await.map_err(|e| e.to_string())?);
        let (step, cannot) = settings::step(due.wanted.cap, due.shed.as_deref(), &view.caps);
        view.unfulfilled.extend(cannot);
        let watts = match step {
            CapStep::Fine => return Ok(()),
            CapStep::Impossible(why) => return Err(why),
            CapStep::Set(watts) => watts,
        };
        if !node.armed {
            return Err(format!("it is not armed: busbar arm {}", node.place));
        }
        let what = watts.map_or_else(|| "cap lifted".to_owned(), |w| format!("cap {w:.0} W"));
        let permit = self
            .permit(&node.id, node.place.as_ref(), what, because, "busbar")
            .await
            .map_err(|e| e.to_string())?;
        let receipt = caps
            .set_cap(&node.bmc, "system", watts, &permit)
            .await
            .map_err(|e| e.to_string())?;
        if let Receipt::Blocked { by } = receipt {
            return Err(format!("the BMC can't set the cap now: {by}"));
        }
        view.caps = shown(caps.caps(&node.bmc).await.map_err(|e| e.to_string())?);
        Ok(())
    }

    async fn keep_bios(
        &self,
        node: &Node,
        bmc: &dyn Driver,
        wanted: &Settings,
        view: &mut SettingsView,
    ) -> Result<(), String> {
        let bios = bmc.bios().ok_or("this box does not let its BIOS settings be read")?;
        let seen = bios.settings(&node.bmc).await.map_err(|e| e.to_string())?;
        let missing = settings::bios(&wanted.bios, &seen.now, &seen.pending);
        let of_interest = |map: std::collections::BTreeMap<String, serde_json::Value>| {
            map.into_iter().filter(|(k, _)| wanted.bios.contains_key(k)).collect()
        };
        (view.bios, view.pending) = (of_interest(seen.now), of_interest(seen.pending));
        if missing.is_empty() {
            return Ok(());
        }
        if !node.armed {
            return Err(format!("it is not armed: busbar arm {}", node.place));
        }
        let names: Vec<&str> = missing.keys().map(String::as_str).collect();
        let what = format!("BIOS {}", names.join(", "));
        let permit = self
            .permit(&node.id, node.place.as_ref(), what, "it is wanted so", "busbar")
            .await
            .map_err(|e| e.to_string())?;
        match bios
            .set(&node.bmc, &missing, &permit)
            .await
            .map_err(|e| e.to_string())?
        {
            Receipt::Blocked { by } => Err(format!("the BMC can't take BIOS settings now: {by}")),
            _ => {
                view.pending.extend(missing);
                Ok(())
            }
        }
    }

    /// What is wanted of a node, and how far it is, read from its BMC now.
    pub async fn settings(&self, place: &Place, with_bios: bool) -> Result<SettingsView, HouseError> {
        let node = self.node_at(place)?;
        let wanted = self.record(|r| r.settings.get(&node.id).map(|s| Settings::clone(s)));
        let mut view = SettingsView {
            wanted: wanted.unwrap_or_default(),
            ..self.inner.live.sight(&node.id).settings
        };
        let bmc = self.bmc_of(&node).await?;
        if let Some(caps) = bmc.caps() {
            view.caps = shown(caps.caps(&node.bmc).await?);
        }
        if with_bios && let Some(bios) = bmc.bios() {
            let seen = bios.settings(&node.bmc).await?;
            (view.bios, view.pending) = (seen.now, seen.pending);
        }
        Ok(view)
    }

    /// Changes what is wanted of a node; with `dry_run` only says what would be.
    pub async fn want(&self, who: &Who, request: SettingsRequest, dry_run: bool) -> Result<Settings, HouseError> {
        let invalid = |what: &str| HouseError::Invalid { what: what.into() };
        let place = request.place.clone().ok_or_else(|| invalid("no place was named"))?;
        let node = self.node_at(&place)?;
        if request.cap.is_some() || request.bios.values().any(|v| !v.is_null()) {
            must_have_bmc(&node, "power cap and no BIOS setting")?;
        }
        if let Some(CapWish::Watts(w)) = request.cap
            && !(w.is_finite() && w > 0.0)
        {
            return Err(invalid("a cap is a number of watts above zero, or `none`"));
        }
        if request.bios.len() > ATTRIBUTES {
            return Err(invalid("more than 256 BIOS attributes in one request"));
        }
        if request.try_seconds.is_some_and(|s| s == 0 || s > TRIAL) {
            return Err(invalid("a trial takes from a second to a week"));
        }
        if request.try_seconds.is_some() && request.cap.is_none() {
            return Err(invalid("only a cap can be tried"));
        }
        let now = self.now();
        let key = keys::setting(&node.id);
        let after = self
            .transact(|_| {
                let before = self.record(|r| r.settings.get(&node.id).map(|s| Settings::clone(s)));
                let mut after = before.clone().unwrap_or_default();
                after.node = Some(node.id.clone());
                if request.keep || request.cap.is_some() {
                    // A second trial still falls back to what held before the first.
                    let first = after.trial.take().map_or(after.cap, |t| t.before);
                    if let (Some(cap), Some(seconds)) = (request.cap, request.try_seconds) {
                        after.trial = Some(Trial {
                            until: now + Duration::from_secs(seconds),
                            before: first,
                        });
                        after.cap = Some(cap);
                    } else if let Some(cap) = request.cap {
                        after.cap = Some(cap);
                    }
                }
                for (name, value) in &request.bios {
                    if value.is_null() {
                        after.bios.remove(name);
                    } else {
                        after.bios.insert(name.clone(), value.clone());
                    }
                }
                if dry_run || before.as_ref() == Some(&after) {
                    return Ok((Txn::new(), after));
                }
                let what = format!("wants {}", in_words(&after));
                let txn = Txn::new().check(&key, self.unchanged(&key)).put(&key, &after)?;
                Ok((self.tell(txn, &self.audit(who, &place, what))?, after))
            })
            .await?;
        Ok(after)
    }

    /// The node at a place.
    pub(crate) fn node_at(&self, place: &Place) -> Result<Arc<Node>, HouseError> {
        self.world()
            .node_at(place)
            .cloned()
            .ok_or_else(|| HouseError::NotFound {
                kind: "node",
                name: place.to_string(),
            })
    }
}

fn in_words(settings: &Settings) -> String {
    let mut words = Vec::new();
    match settings.cap {
        Some(CapWish::Watts(w)) => words.push(format!("a cap of {w:.0} W")),
        Some(CapWish::Lifted) => words.push("no cap".into()),
        None => {}
    }
    if let Some(trial) = &settings.trial {
        words.push(format!("until {} unless kept", trial.until));
    }
    // Values may be secrets (a setup password), so only names are told.
    words.extend(settings.bios.keys().map(|name| format!("BIOS {name}")));
    if words.is_empty() {
        "nothing".into()
    } else {
        words.join(", ")
    }
}

pub(crate) fn shown(caps: Vec<Cap>) -> Vec<CapView> {
    let view = |c: Cap| CapView {
        id: c.id,
        watts: c.watts,
        lowest: c.range.map(|r| r.0),
        highest: c.range.map(|r| r.1),
        writable: c.writable,
    };
    caps.into_iter().map(view).collect()
}
