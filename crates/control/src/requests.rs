//! What users ask of the house: machines, arming, cordons, credentials; and what they are shown.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use plan::events::Wanted;
use plan::lifecycle;
use rack::request::{
    ArmRequest, CredentialRequest, DeviceView, EventView, MachineView, MadeOf, NodeLive, NodeView, Progress,
    RunRequest, Signal, Who, Why,
};
use rack::{Ask, Desired, Machine, Name, Node, NodeId, Place, Reading, State, Status, Unit};
use store::Txn;

use crate::House;
use crate::house::HouseError;
use crate::keys;
use crate::record::StoredCredential;

/// Longest user data that is taken; EC2 takes 16 KiB, cloud-init has no limit of its own.
pub const USER_DATA: usize = 256 * 1024;
/// Most keys for one machine, and the longest of them.
const SSH_KEYS: usize = 64;
const SSH_KEY: usize = 16 * 1024;
/// Longest wait for parts that can be asked for: a week.
const WAIT: u64 = 7 * 86_400;

impl House {
    /// What is seen of a node now.
    pub fn live(&self, node: &NodeId) -> NodeLive {
        self.inner.live.view(node)
    }

    /// Looks at what is seen of a node, without a copy. Nothing is awaited in `look`.
    pub fn look_at<R>(&self, node: &NodeId, look: impl FnOnce(&NodeLive) -> R) -> R {
        self.inner.live.peek(node, |sight| look(&sight.view))
    }

    /// How old a reading may be that is used: three times as long as readings are apart (invariant I7). Devices are read
    /// every half minute at most.
    pub fn reading_age(&self) -> Duration {
        self.inner.env.config.readings.max(Duration::from_secs(30)) * 3
    }

    /// Why no machine would be placed on a node now, in words.
    pub fn unfit(&self, node: &Node) -> Vec<String> {
        plan::place::unfit(node).iter().map(ToString::to_string).collect()
    }

    /// A node as it is shown.
    pub fn node_view(&self, node: &Node) -> NodeView {
        NodeView {
            node: node.clone(),
            unfit: self.unfit(node),
            live: self.live(&node.id),
        }
    }

    /// A machine as it is shown; user data left out.
    pub fn machine_view(&self, name: &Name) -> Option<MachineView> {
        self.world().machines.get(name).map(|m| self.show(m))
    }

    fn show(&self, machine: &Machine) -> MachineView {
        let mut shown = machine.clone();
        shown.ask.user_data = None;
        let status = &machine.status;
        let live = status.node.as_ref().map(|id| self.live(id)).unwrap_or_default();
        let world = self.world();
        let node = status.node.as_ref().and_then(|id| world.nodes.get(id));
        let policy = &self.inner.env.config.policy;
        let budget = |phase: &rack::machine::Phase| {
            let limit = lifecycle::budget(policy, machine, &phase.name)?;
            Some((phase.name.clone(), limit.as_secs()))
        };
        let (now, age) = (self.now(), self.inner.env.config.readings * 3);
        let reading = |name: &str, unit: Unit| Reading::named(&live.readings, name, unit, now, age);
        MachineView {
            progress: self.progress(&machine.name),
            watts: reading("watts", Unit::Watts),
            inlet: reading("inlet", Unit::Celsius),
            power: live.power,
            cap: node.and_then(|n| self.cap_of(&n.id)),
            shed: world.shed_of(machine).map(|s| s.as_ref().clone()),
            made_of: node.map(|n| MadeOf::from(n.as_ref())),
            budgets: status.timeline.iter().filter_map(budget).collect(),
            machine: shown,
        }
    }

    /// Every PDU and other box that is no machine, in the order of places.
    pub fn devices(&self) -> Vec<DeviceView> {
        self.devices_where(|_| true)
    }

    /// Those of them that stand where they are asked for.
    pub(crate) fn devices_where(&self, keep: impl Fn(&Place) -> bool) -> Vec<DeviceView> {
        let kept = |d: &&Arc<DeviceView>| keep(&d.place);
        let recorded: Vec<Arc<DeviceView>> = self.record(|r| r.devices.values().filter(kept).cloned().collect());
        let seen = |d: &DeviceView| {
            let sight = self.inner.live.device(&d.place);
            DeviceView {
                health: sight.health,
                readings: sight.readings,
                outlets: sight.outlets,
                ..d.clone()
            }
        };
        recorded.iter().map(|d| seen(d)).collect()
    }

    /// How far the agent of a machine is.
    pub fn progress(&self, machine: &Name) -> Option<Progress> {
        let world = self.world();
        let machine = world.machines.get(machine)?;
        let sight = self.inner.live.sight(machine.status.node.as_ref()?);
        let (state, at, _) = sight.agent?;
        match state.work {
            rack::agent::Work::Busy {
                phase,
                done,
                total,
                order,
            } if order == plan::order::order_id(machine) => Some(Progress { phase, done, total, at }),
            _ => None,
        }
    }

    /// Sequence number of the latest event; zero when there was none.
    pub fn last_event(&self) -> u64 {
        self.record(|r| r.events.back().map_or(0, |e| e.sequence))
    }

    /// Events after a sequence number, oldest first.
    pub fn events(&self, after: u64, limit: usize) -> Vec<EventView> {
        self.events_of(after, limit, &Wanted::default())
    }

    /// The first of those that are wanted after a sequence number, oldest first.
    pub fn events_of(&self, after: u64, limit: usize, wanted: &Wanted) -> Vec<EventView> {
        self.record(|r| wanted.first(&r.events, after, limit).cloned().collect())
    }

    /// The latest of those that are wanted before a sequence number, oldest first.
    pub fn events_before(&self, before: u64, after: u64, limit: usize, wanted: &Wanted) -> Vec<EventView> {
        self.record(|r| {
            let last = wanted.last(&r.events, after, before, limit);
            let mut found: Vec<EventView> = last.cloned().collect();
            found.reverse();
            found
        })
    }

    /// Accepts a machine; with `dry_run` only says where it would go. A machine that fits now is bound in the same
    /// transaction, so that of two that want one node the second is refused, not left waiting.
    pub async fn run(&self, who: &Who, request: RunRequest, dry_run: bool) -> Result<MachineView, HouseError> {
        check(&request)?;
        let mut bytes = [0; 16];
        self.inner.env.random.fill(&mut bytes);
        let uid = uuid::Builder::from_random_bytes(bytes).into_uuid();
        let machine = self
            .transact(|world| {
                let mut machine = self.accept(world, &request, uid)?;
                let step = plan::next(
                    world,
                    &machine,
                    &lifecycle::Observed::default(),
                    &self.inner.env.config.policy,
                    self.now(),
                );
                let key = keys::machine(&machine.name);
                let mut txn = Txn::new().check(&key, self.unchanged(&key));
                if let Some(lifecycle::NodeChange::Hold(id)) = &step.node
                    && let Some(node) = world.nodes.get(id)
                {
                    let held = Node {
                        holder: Some(machine.name.clone()),
                        ..Node::clone(node)
                    };
                    let key = keys::node(id);
                    txn = txn.check(&key, self.unchanged(&key)).put(&key, &held)?;
                } else if request.wait_seconds == 0 {
                    let refusal = plan::place(world, &machine.ask, &[]).err().unwrap_or_else(|| {
                        let headline = "it was placed and lost its place at once".into();
                        Box::new(plan::Refusal {
                            headline,
                            candidates: Vec::new(),
                            fits_if: Vec::new(),
                        })
                    });
                    return Err(HouseError::Refused(refusal));
                }
                machine.status = step.status;
                txn = txn.put(&key, &machine)?;
                let at = machine
                    .status
                    .place
                    .as_ref()
                    .map(|p| format!(", on {p}"))
                    .unwrap_or_default();
                txn = self.tell(
                    txn,
                    &self.audit(who, &machine.name, format!("run {}{at}", machine.ask.image.name)),
                )?;
                Ok((if dry_run { Txn::new() } else { txn }, machine))
            })
            .await?;
        Ok(self.show(&machine))
    }

    /// The machine that a request describes, not placed yet.
    fn accept(&self, world: &rack::World, request: &RunRequest, uid: uuid::Uuid) -> Result<Machine, HouseError> {
        let image = request.image.as_ref().ok_or_else(|| HouseError::Invalid {
            what: "no image was named: busbar image ls".into(),
        })?;
        let image = world.images.get(image).ok_or_else(|| HouseError::NotFound {
            kind: "image",
            name: image.to_string(),
        })?;
        let taken = |n: &Name| world.machines.get(n).is_some_and(|m| m.status.state != State::Released);
        let name = match &request.name {
            Some(name) if taken(name) => {
                let what = format!("there is a machine `{name}` already: busbar rm {name}, or choose another name");
                return Err(HouseError::Conflict { what });
            }
            Some(name) => name.clone(),
            None => (1..)
                .filter_map(|n| format!("{}-{n}", image.name).parse::<Name>().ok())
                .find(|n| !taken(n))
                .ok_or_else(|| HouseError::Invalid {
                    what: "no name is free: give one with --name".into(),
                })?,
        };
        let now = self.now();
        let ask = Ask {
            image: rack::Image::clone(image),
            on: request.on.clone(),
            cores: request.cores,
            memory: request.memory,
            disk: request.disk,
            gpus: request.gpus,
            host_name: request.host_name.clone(),
            ssh_keys: request.ssh_keys.clone(),
            user_data: request.user_data.clone(),
            login: request.login.clone(),
            nice: request.nice,
        };
        let deadline = now + Duration::from_secs(request.wait_seconds.min(WAIT));
        Ok(Machine {
            name,
            uid,
            created: now,
            ask,
            desired: Desired::Running,
            hurry: false,
            status: Status::new(now, deadline),
        })
    }

    /// Changes one machine, by a user's wish.
    async fn wish(
        &self,
        who: &Who,
        name: &Name,
        what: &str,
        dry_run: bool,
        change: impl Fn(&mut Machine) -> Result<(), HouseError>,
    ) -> Result<MachineView, HouseError> {
        let key = keys::machine(name);
        let machine = self
            .transact(|world| {
                let before = world.machines.get(name).ok_or_else(|| HouseError::NotFound {
                    kind: "machine",
                    name: name.to_string(),
                })?;
                let mut after = Machine::clone(before);
                change(&mut after)?;
                if dry_run || after == **before {
                    return Ok((Txn::new(), after));
                }
                let txn = Txn::new().check(&key, self.unchanged(&key)).put(&key, &after)?;
                Ok((self.tell(txn, &self.audit(who, name, what))?, after))
            })
            .await?;
        Ok(self.show(&machine))
    }

    /// Wants a machine wiped and given back. Repeating it is harmless, and tries again where a wipe was given up.
    pub async fn release(&self, who: &Who, name: &Name, force: bool) -> Result<MachineView, HouseError> {
        let now = self.now();
        let policy = self.inner.env.config.policy.clone();
        self.wish(who, name, "rm", false, |machine| {
            if machine.status.state == State::Released {
                return Ok(());
            }
            machine.hurry |= force;
            let on_its_way = matches!(machine.status.held_from, Some(State::Draining | State::Wiping));
            if machine.status.state == State::Held && machine.desired == Desired::Released && on_its_way {
                machine.status = lifecycle::retry(machine, &policy, Duration::ZERO, now);
            }
            machine.desired = Desired::Released;
            Ok(())
        })
        .await
    }

    /// A power verb.
    pub async fn signal(&self, who: &Who, name: &Name, signal: Signal) -> Result<MachineView, HouseError> {
        self.signal_or_check(who, name, signal, false).await
    }

    /// A power verb; with `dry_run` only says whether it would be taken.
    pub async fn signal_or_check(
        &self,
        who: &Who,
        name: &Name,
        signal: Signal,
        dry_run: bool,
    ) -> Result<MachineView, HouseError> {
        /// How long a held machine waits for parts when it is tried again.
        const WAIT_AGAIN: Duration = Duration::from_secs(600);
        let now = self.now();
        let policy = self.inner.env.config.policy.clone();
        self.wish(
            who,
            name,
            &format!("kill -{signal:?}").to_uppercase().replace("KILL -", "kill -"),
            dry_run,
            |machine| {
                let (state, desired) = (machine.status.state, machine.desired);
                match (signal, state) {
                    (_, State::Released | State::Draining | State::Wiping) => {
                        return Err(HouseError::Conflict {
                            what: format!("{name} is {state}: it is on its way out"),
                        });
                    }
                    (Signal::Cont, State::Held) => machine.status = lifecycle::retry(machine, &policy, WAIT_AGAIN, now),
                    (Signal::Cont, _) if desired != Desired::Released => machine.desired = Desired::Running,
                    (Signal::Term, State::Running) => machine.desired = Desired::Stopped,
                    (Signal::Kill, State::Running) => machine.desired = Desired::Killed,
                    // what gave up its power would start again by itself
                    (Signal::Term | Signal::Kill, State::Stopped) if desired == Desired::Running => {
                        machine.desired = Desired::Stopped;
                    }
                    (Signal::Term | Signal::Kill, State::Stopped) => {}
                    _ => {
                        let what =
                            format!("{name} is {state}: only what runs can be stopped; `busbar rm {name}` cancels it");
                        return Err(HouseError::Conflict { what });
                    }
                }
                Ok(())
            },
        )
        .await
    }

    /// Changes a machine's shed order; with `dry_run` only says whether it would be taken.
    pub async fn renice(&self, who: &Who, name: &Name, nice: i8, dry_run: bool) -> Result<MachineView, HouseError> {
        check_nice(nice)?;
        self.wish(who, name, &format!("nice {nice}"), dry_run, |machine| {
            if machine.status.state == State::Released {
                let what = format!("{name} is released: nothing of it is left to shed");
                return Err(HouseError::Conflict { what });
            }
            machine.ask.nice = nice;
            Ok(())
        })
        .await
    }

    /// Arms or disarms a place; answers with the nodes that it changed.
    pub async fn arm(&self, who: &Who, request: ArmRequest, dry_run: bool) -> Result<Vec<Arc<Node>>, HouseError> {
        let ArmRequest { place, armed } = request;
        let stops = !armed && !dry_run;
        if stops {
            // before it is recorded, so that nothing is written once it is; who still may is told so when it next acts
            let world = self.world();
            let inside = world.nodes.values().filter(|n| n.place.is_in(&place));
            let urls: HashSet<&str> = inside.map(|n| n.bmc.url.as_str()).collect();
            self.inner.fleet.observe(|url| !urls.contains(url));
        }
        let done = self
            .transact(|world| {
                let inside: Vec<&Arc<Node>> = world.nodes.values().filter(|n| n.place.is_in(&place)).collect();
                if inside.is_empty() {
                    return Err(HouseError::NotFound {
                        kind: "place",
                        name: place.to_string(),
                    });
                }
                if let Some(held) = inside.iter().find(|n| !armed && n.holder.is_some()) {
                    let by = held.holder.as_ref().map(ToString::to_string).unwrap_or_default();
                    return Err(HouseError::Policy {
                        what: format!(
                            "{} is held by {by}: disarmed, it could not be wiped or stopped any more",
                            held.place
                        ),
                        hint: format!("busbar rm {by}"),
                    });
                }
                let mut txn = Txn::new();
                let mut changed = Vec::new();
                for node in inside.into_iter().filter(|n| n.armed != armed) {
                    let after = Node {
                        armed,
                        ..Node::clone(node)
                    };
                    let key = keys::node(&node.id);
                    txn = txn.check(&key, self.unchanged(&key)).put(&key, &after)?;
                    changed.push(Arc::new(after));
                }
                if !changed.is_empty() {
                    let what = format!("{}, {} nodes", if armed { "armed" } else { "disarmed" }, changed.len());
                    txn = self.tell(txn, &self.audit(who, &place, what))?;
                }
                Ok((if dry_run { Txn::new() } else { txn }, changed))
            })
            .await;
        if stops {
            self.inner.fleet.observe(|url| self.record(|r| r.may_write_to(url)));
        }
        done
    }

    /// Takes a node out of use, or (`why` is `None`) puts it back.
    pub async fn cordon(&self, who: &Who, place: &Place, why: Option<String>) -> Result<Arc<Node>, HouseError> {
        self.transact(|world| {
            let node = world.node_at(place).ok_or_else(|| HouseError::NotFound {
                kind: "node",
                name: place.to_string(),
            })?;
            let after = Arc::new(Node {
                cordoned: why.clone(),
                ..Node::clone(node)
            });
            let key = keys::node(&node.id);
            let txn = Txn::new().check(&key, self.unchanged(&key)).put(&key, after.as_ref())?;
            let what = why
                .as_ref()
                .map_or_else(|| "uncordoned".to_owned(), |w| format!("cordoned: {w}"));
            Ok((self.tell(txn, &self.audit(who, place, what))?, after))
        })
        .await
    }

    /// Seals and stores a credential.
    pub async fn set_credential(&self, who: &Who, name: &Name, request: CredentialRequest) -> Result<(), HouseError> {
        if request.user.is_empty() || request.user.len() > 256 || request.password.len() > 1024 {
            return Err(HouseError::Invalid {
                what: "a user name has 1 to 256 bytes, a password at most 1024".into(),
            });
        }
        let key = keys::credential(name);
        let plain = serde_json::to_vec(&request).map_err(|e| HouseError::Invalid { what: e.to_string() })?;
        self.transact(|_| {
            let sealed = self
                .inner
                .env
                .secrets
                .seal(&key, &plain, |b| self.inner.env.random.fill(b));
            let stored = StoredCredential {
                name: name.clone(),
                sealed,
                next: None,
                moved: Default::default(),
            };
            let txn = Txn::new().check(&key, self.unchanged(&key)).put(&key, &stored)?;
            Ok((
                self.tell(txn, &self.audit(who, format!("credential {name}"), "set"))?,
                (),
            ))
        })
        .await
    }

    /// Names of the credentials.
    pub fn credentials(&self) -> Vec<Name> {
        self.record(|r| r.credentials.keys().cloned().collect())
    }

    /// Why a machine or a place is as it is.
    pub fn why(&self, about: &str) -> Result<Why, HouseError> {
        let missing = || HouseError::NotFound {
            kind: "machine, node or PDU",
            name: about.chars().take(80).collect(),
        };
        let world = self.world();
        if let Some(machine) = about.parse::<Name>().ok().and_then(|n| world.machines.get(&n)) {
            return Ok(plan::why::machine(&world, machine, self.now()));
        }
        let place: Place = about.parse().map_err(|_| missing())?;
        if self.record(|r| r.devices.get(&place).is_some_and(|d| d.kind == "pdu")) {
            let rack = place.rack().parse().map_err(|_| missing())?;
            return plan::why::pdu(&self.one_line(&rack)?, &place).ok_or_else(missing);
        }
        let node = world
            .nodes
            .values()
            .find(|n| place.is_in(&n.place))
            .ok_or_else(missing)?;
        Ok(plan::why::node(&world, node, &self.live(&node.id), self.now()))
    }

    /// A proof of a wipe by its key.
    pub async fn proof(&self, key: &str) -> Result<serde_json::Value, HouseError> {
        let missing = || HouseError::NotFound {
            kind: "proof",
            name: key.chars().take(120).collect(),
        };
        if !key.starts_with("proof/") {
            return Err(missing());
        }
        let object = self.inner.env.store.get(key).await?.ok_or_else(missing)?;
        serde_json::from_slice(&object.value).map_err(|e| HouseError::Failed {
            what: format!("{key} can't be read: {e}"),
            hint: "busbar doctor".into(),
        })
    }

    /// Writes a backup of everything to one file.
    pub async fn backup(&self, who: &Who, to: &Path) -> Result<(), HouseError> {
        let event = self.audit(who, "busbar", "dump");
        self.commit(self.tell(Txn::new(), &event)?).await?;
        Ok(self.inner.env.store.backup(to).await?)
    }
}

/// A shed order is one of those that `nice` knows.
fn check_nice(nice: i8) -> Result<(), HouseError> {
    if (-20..=19).contains(&nice) {
        return Ok(());
    }
    Err(HouseError::Invalid {
        what: format!("nice is {nice}, but runs from -20 (shed last) to 19 (shed first)"),
    })
}

/// Whether a request makes sense by itself.
fn check(request: &RunRequest) -> Result<(), HouseError> {
    let invalid = |what: String| Err(HouseError::Invalid { what });
    check_nice(request.nice)?;
    if request.ssh_keys.len() > SSH_KEYS {
        return invalid(format!(
            "{} SSH keys were given, at most {SSH_KEYS} are taken",
            request.ssh_keys.len()
        ));
    }
    for key in &request.ssh_keys {
        let kinds = ["ssh-", "ecdsa-", "sk-", "cert-authority"];
        let one_line = !key.chars().any(char::is_control) && key.len() <= SSH_KEY;
        if !one_line || !kinds.iter().any(|k| key.contains(k)) {
            let start: String = key.chars().filter(|c| !c.is_control()).take(30).collect();
            return invalid(format!(
                "`{start}…` is not one line of a public SSH key (the content of a .pub file)"
            ));
        }
    }
    if request.user_data.as_ref().is_some_and(|d| d.len() > USER_DATA) {
        return invalid(format!("user data is larger than {} KiB", USER_DATA / 1024));
    }
    let label = |h: &str| h.len() <= 253 && h.split('.').all(|l| l.parse::<Name>().is_ok());
    if request.host_name.as_deref().is_some_and(|h| !label(h)) {
        return invalid("the host name is not a DNS name in lower case (RFC 1123)".into());
    }
    if request.login.as_deref().is_some_and(|l| {
        l.is_empty() || l.len() > 32 || !l.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    }) {
        return invalid("the login is not a user name".into());
    }
    Ok(())
}
