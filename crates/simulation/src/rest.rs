//! A rack at rest: once luck is good, everything comes to rest, by itself or by the way out that `busbar why` names, and
//! then everything can be given back with its disks proven wiped. The like in real time is `cargo xtask soak`.

use std::time::Duration;

use control::House;
use rack::request::{OutletRequest, OutletVerb, OutletView, Signal, Verdict as Found};
use rack::setting::CapWish;
use rack::{Name, State};
use tokio::time::{Instant, sleep};

use crate::city::City;
use crate::users::{arm, place, set_up, who};

/// In this time everything must come to rest, and in the same once more everything must be given back.
const GOOD: Duration = Duration::from_secs(12 * 3600);
/// How often someone comes by and takes the ways out.
const ROUND: Duration = Duration::from_secs(120);

impl City {
    /// Luck has turned.
    pub(crate) async fn rest(&self) {
        let begun = Instant::now();
        self.disarmed(|d| d.clear());
        self.one_life(async |house: &House| {
            set_up(self, house).await;
            self.comes_to(house, "rest", async || {
                self.helps(house, false).await;
                self.stirs(house)
            })
            .await;
            self.count(|t| t.rest = begun.elapsed().as_secs());
            // Every machine there is: one whose acceptance was never heard of by its user is there all the same.
            self.comes_to(house, "give back", async || {
                self.helps(house, true).await;
                let machine = house
                    .world()
                    .machines
                    .values()
                    .find(|m| m.status.state != State::Released)
                    .cloned();
                machine.map(|m| explained(house, &m.name))
            })
            .await;
            self.is_clean(house);
        })
        .await;
    }

    /// Waits until nothing is wrong any more.
    async fn comes_to(&self, house: &House, what: &'static str, wrong: impl AsyncFn() -> Option<String>) {
        let begun = Instant::now();
        loop {
            sleep(ROUND).await;
            match wrong().await {
                None => return self.verdict.looked("rest", 1),
                Some(why) if begun.elapsed() > GOOD => {
                    let doctor = house.summary().checks.into_iter().find(|c| c.verdict == Found::Failed);
                    let doctor = doctor
                        .map(|c| format!("; the doctor finds {}", c.found))
                        .unwrap_or_default();
                    self.verdict.broken(
                        "rest",
                        format!("no {what} in {} h: {why}{doctor}", GOOD.as_secs() / 3600),
                    );
                    return std::future::pending().await;
                }
                Some(_) => {}
            }
        }
    }

    /// Someone comes by: closes breakers, arms, switches outlets on, ends what is half done, and takes the way out of what is held.
    async fn helps(&self, house: &House, give_back: bool) {
        self.rig.close_tripped();
        arm(self, house).await;
        let world = house.world();
        for node in world.nodes.values().filter(|n| n.cordoned.is_some()) {
            let _ = house.cordon(&who(), &node.place, None).await;
        }
        for device in house.devices() {
            for outlet in device.outlets.iter().filter(|o| o.power == Some(rack::PowerState::Off)) {
                let (pdu, outlet) = (device.place.clone(), outlet.id.clone());
                let request = OutletRequest {
                    pdu,
                    outlet,
                    order: OutletVerb::On,
                };
                let _ = house.switch_outlet(&who(), &request, true).await;
            }
        }
        if finding(house, "credentials").is_some() {
            let _ = house.rotate(&who(), &"default".parse().expect("a name")).await;
        }
        for machine in world.machines.values() {
            let name = &machine.name;
            let state = machine.status.state;
            let waits_for_parts = machine.status.held_from.is_none_or(|from| from == State::Pending);
            if state == State::Released {
                continue;
            }
            if give_back || (state == State::Held && waits_for_parts) {
                let _ = house.release(&who(), name, false).await;
            } else if state == State::Held {
                let _ = house.signal(&who(), name, Signal::Cont).await;
            }
        }
    }

    /// What is not at rest.
    fn stirs(&self, house: &House) -> Option<String> {
        let world = house.world();
        if world.nodes.len() != self.story.nodes as usize {
            return Some(format!("{} of {} nodes are known", world.nodes.len(), self.story.nodes));
        }
        let rests = |s: State| matches!(s, State::Running | State::Stopped | State::Released);
        if let Some(machine) = world.machines.values().find(|m| !rests(m.status.state)) {
            return Some(explained(house, &machine.name));
        }
        let waits = |m: &rack::Machine| m.status.state == State::Stopped && m.desired == rack::Desired::Running;
        if let Some(machine) = world.machines.values().find(|m| waits(m)) {
            return Some(format!("{} stays stopped: {}", machine.name, machine.status.reason));
        }
        if let Some(shed) = world.sheds.values().next() {
            let (place, machine, what) = (&shed.place, &shed.machine, shed.in_words());
            return Some(format!(
                "{machine} on {place} is {what} since {}: {}",
                shed.since, shed.because
            ));
        }
        if let Some(capped) = self.capped(house) {
            return Some(capped);
        }
        if let Some(rollout) = house.rollouts().iter().find(|r| !r.is_over()) {
            let open = rollout.nodes.values().find(|u| !u.state.is_over());
            return Some(format!("the rollout {} is not over: {open:?}", rollout.ask.name));
        }
        for device in house.devices() {
            let feeds = |outlet: &str| {
                let at = |o: &rack::node::OutletRef| o.pdu == device.place && o.outlet == outlet;
                world.nodes.values().any(|n| n.outlets.iter().any(at))
            };
            let is_off = |o: &&OutletView| o.power != Some(rack::PowerState::On) && feeds(&o.id);
            if let Some(outlet) = device.outlets.iter().find(is_off) {
                return Some(format!("outlet {}/{} is {:?}", device.place, outlet.id, outlet.power));
            }
        }
        ["invariants", "BMCs", "credentials", "armed"]
            .iter()
            .find_map(|check| finding(house, check))
    }

    /// A box whose cap is none that anyone wished.
    fn capped(&self, house: &House) -> Option<String> {
        let rack = self.rig.rack()?;
        let world = house.world();
        world.nodes.values().find_map(|node| {
            let i = rack.find(node.place.as_str())?;
            let (least, most) = rack.servers[i].spec.kind.wall();
            // at its highest a cap holds a box to nothing
            let cap = rack.view(i).physics.cap.filter(|w| *w < most.floor());
            let wish = match self.witness(|w| w.wished_cap(&node.id)) {
                Some(CapWish::Watts(w)) if (least.ceil()..most.floor()).contains(&w) => Some(w),
                // what the box does not take is told to whoever wishes it, and nothing is done
                Some(CapWish::Watts(_)) => return None,
                Some(CapWish::Lifted) | None => None,
            };
            let same = cap
                .zip(wish)
                .map_or(cap.is_none() && wish.is_none(), |(a, b)| (a - b).abs() < 1.5);
            (!same).then(|| format!("{} is capped at {cap:?} W, and {wish:?} is wished", node.place))
        })
    }

    /// Nothing is held, every disk is proven clean, nothing was lost.
    fn is_clean(&self, house: &House) {
        let world = house.world();
        for node in world.nodes.values() {
            let free = node.holder.is_none() && rack::invariants::may_be_given(node);
            self.verdict.holds("rest", free, || {
                format!(
                    "{} is not free and clean: held by {:?}, {:?}",
                    node.place, node.holder, node.tenancy
                )
            });
        }
        for unit in 1..=self.story.nodes {
            let there = world.node_at(&place(&format!("u{unit}"))).is_some();
            self.verdict.holds("rest", there, || format!("u{unit} is lost"));
        }
        self.witness(|w| w.all_there());
    }
}

fn explained(house: &House, name: &Name) -> String {
    let world = house.world();
    let state = world
        .machines
        .get(name)
        .map(|m| format!("{} ({:?})", m.status.state, m.status.stage));
    let why = house
        .why(name.as_str())
        .map(|w| format!("{} because {:?}, next {:?}", w.headline, w.because, w.next));
    format!(
        "{name} is {}: {}",
        state.unwrap_or_default(),
        why.unwrap_or_else(|e| e.to_string())
    )
}

/// What the doctor finds in a check.
fn finding(house: &House, check: &str) -> Option<String> {
    let checks = house.summary().checks;
    let bad = checks.into_iter().find(|c| c.name == check && c.verdict != Found::Ok)?;
    Some(format!("{}: {}", bad.name, bad.found))
}
