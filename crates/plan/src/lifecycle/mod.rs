//! A machine's life: `next(world, machine, observed, now)` says what it becomes and what is done about it.
//!
//! The states are DESIGN.md's eleven. Inside a state, a [`Stage`] is one thing that is made true and then *seen* to be
//! true: an act is asked for only while what is seen differs from what is wanted. That is why a crash between an act and
//! its record is harmless: the next look finds the act done, or does it again (invariant I6).
//!
//! Bring-up: `Pending → Placed → Composing(Verify) → Booting(PowerOff SetNetwork PowerOn AwaitAgent) → Installing(Work
//! Settle SetDisk Start AwaitLogin) → Running`. A stopped machine starts by `Booting(Start AwaitLogin)`. The way out, from
//! anywhere: `Draining(PowerOff) → Wiping(PowerOff … Work Settle SetDisk) → Released`, or straight to `Released` when
//! nothing was written. A failure climbs the ladder ([`ladder`]) and ends in `Held`, which says why and every way out.
//!
//! The caller commits `status`, `desired` and `node` in one transaction, then carries out `act`, then asks again when
//! anything changes or at `wake`.

mod ladder;
mod stage;
#[cfg(test)]
pub(crate) mod tests;

use rack::agent::DiskWipe;
use rack::shed::Halt;
use rack::{
    AgentState, BootTarget, Desired, Level, Machine, Node, NodeId, PowerState, ResetKind, Stage, State, Status,
};
use rack::{Time, World};
use std::net::IpAddr;

pub use ladder::retry;

use crate::Policy;

/// What is seen of a machine and its node, as far as anything is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Observed<'a> {
    /// The last look at the BMC.
    pub seen: Option<Seen>,
    /// Why the BMC doesn't answer, if it doesn't.
    pub silent: Option<&'a str>,
    /// The last act sent to it in this stage, and what came of it.
    pub last: Option<&'a Attempt>,
    /// The agent of this boot, and when it last spoke.
    pub agent: Option<(&'a AgentState, Time)>,
    /// When the login was last seen to answer.
    pub login: Option<Time>,
    /// The node's address on the boot network.
    pub address: Option<IpAddr>,
}

/// One look at a BMC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// When it answered.
    pub at: Time,
    /// Power state, when told.
    pub power: Option<PowerState>,
    /// Whether it is still the box that is recorded.
    pub same: bool,
}

/// An act that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Which.
    pub act: Act,
    /// When it was answered.
    pub at: Time,
    /// What came of it: in words when it failed.
    pub result: Result<(), Failure>,
}

/// Why an act failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// In words.
    pub why: String,
    /// Whether the same act can be sent again with hope.
    pub again: bool,
}

/// What is done about a machine. Each is safe to repeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Look at the BMC.
    Look,
    /// Change the power.
    Power(ResetKind),
    /// Set the next boot.
    Boot(BootTarget),
    /// Reset the BMC itself.
    ResetBmc,
    /// Cut the power at every outlet that feeds the box, then give it back.
    CycleOutlets,
    /// Try the login.
    Probe,
}

/// What happens to the node in the same transaction.
#[derive(Debug, Clone, PartialEq)]
pub enum NodeChange {
    /// The machine takes it.
    Hold(NodeId),
    /// It is about to netboot once more: old tokens die.
    NewBoot,
    /// It is about to be written to: its data is the machine's from now on.
    Use,
    /// It was wiped, with this proof.
    Wiped(Vec<DiskWipe>),
    /// The machine leaves it.
    Free,
    /// The machine leaves it, and nothing new comes until someone has looked.
    Cordon(String),
}

/// What comes next.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// What the machine becomes.
    pub status: Status,
    /// What its owner's wish becomes, when the world has overruled it.
    pub desired: Option<Desired>,
    /// What happens to its node.
    pub node: Option<NodeChange>,
    /// What is done, once the above is committed.
    pub act: Option<Act>,
    /// When to ask again if nothing changes before.
    pub wake: Option<Time>,
    /// What to tell, if anything happened.
    pub event: Option<(Level, String)>,
}

/// What `machine` becomes, given everything recorded and everything seen.
pub fn next(world: &World, machine: &Machine, observed: &Observed<'_>, policy: &Policy, now: Time) -> Step {
    let step = Draft {
        world,
        machine,
        observed,
        policy,
        now,
    };
    if let Some(status) = redated(&machine.status, now) {
        return Step {
            wake: Some(now),
            ..step.rest(status)
        };
    }
    match (machine.status.state, wanted(world, machine)) {
        (State::Released, _) => step.rest(machine.status.clone()),
        (State::Held, Desired::Released)
            if !matches!(machine.status.held_from, Some(State::Draining | State::Wiping)) =>
        {
            step.drain()
        }
        (State::Held, _) => step.rest(machine.status.clone()),
        (State::Pending, Desired::Released) => step.released("given back before it was placed"),
        (State::Pending, _) => step.place(),
        (State::Placed, Desired::Released) => step.drain(),
        (State::Placed, _) => step.enter(
            State::Composing,
            Stage::Verify,
            "checks that the box is the one recorded",
        ),
        (State::Draining | State::Wiping, _) => step.drive(),
        (_, Desired::Released) => step.drain(),
        (State::Running, Desired::Running) => step.watch(),
        (State::Running, Desired::Stopped | Desired::Killed) => step.stop(),
        (State::Stopped, Desired::Running) => step.enter(State::Booting, Stage::Start, "is started again"),
        (State::Stopped, _) => step.rest(machine.status.clone()),
        // A wish to stop what is only just coming up waits until it is up: half-installed is no place to rest.
        (State::Composing | State::Booting | State::Installing, _) => step.drive(),
    }
}

/// What is wanted of a machine now: what its owner wants, unless it is stopped so that nothing trips. That passes, and
/// the wish stays as it is.
pub(crate) fn wanted(world: &World, machine: &Machine) -> Desired {
    let halt = world.shed_of(machine).and_then(|s| s.stop);
    match (machine.desired, halt) {
        (Desired::Running, Some(Halt::Ask)) => Desired::Stopped,
        (Desired::Running, Some(Halt::Cut)) => Desired::Killed,
        (desired, _) => desired,
    }
}

/// The step in the making.
struct Draft<'a> {
    world: &'a World,
    machine: &'a Machine,
    observed: &'a Observed<'a>,
    policy: &'a Policy,
    now: Time,
}

impl Draft<'_> {
    fn status(&self) -> Status {
        self.machine.status.clone()
    }

    fn node(&self) -> Option<&Node> {
        self.world.node_of(self.machine).map(AsRef::as_ref)
    }

    /// Stays as it is until something changes.
    fn rest(&self, status: Status) -> Step {
        Step {
            status,
            desired: None,
            node: None,
            act: None,
            wake: None,
            event: None,
        }
    }

    /// Enters a stage, and a state when it is another one.
    fn enter(&self, state: State, stage: Stage, reason: &str) -> Step {
        let mut status = self.status();
        move_to(&mut status, self.machine, self.policy, state, stage, reason, self.now);
        let event = (state != self.machine.status.state).then(|| (Level::Info, format!("{state}: {reason}")));
        Step {
            wake: Some(self.now),
            event,
            ..self.rest(status)
        }
    }

    fn place(&self) -> Step {
        match crate::place(self.world, &self.machine.ask, &self.machine.status.avoid) {
            Ok(id) => {
                let place = self.world.nodes.get(&id).map(|n| n.place.clone());
                let at = place.as_ref().map(ToString::to_string).unwrap_or_default();
                let why = match crate::place::fitting(self.world, &self.machine.ask, &self.machine.status.avoid) {
                    0 | 1 => "the only one that fits".to_owned(),
                    n => format!("the tightest of {n} that fit"),
                };
                let mut step = self.enter(State::Placed, Stage::Rest, &format!("bound to {at}, {why}"));
                step.status.node = Some(id.clone());
                step.status.place = place;
                step.status.deadline = self.now + self.policy.verify;
                step.node = Some(NodeChange::Hold(id));
                step
            }
            Err(refusal) if self.now >= self.machine.status.deadline => {
                self.hold(format!("found no place in time: {}", refusal.headline))
            }
            Err(refusal) => {
                let mut status = self.status();
                status.reason = format!("waits for parts: {}", refusal.headline);
                Step {
                    wake: Some(status.deadline),
                    ..self.rest(status)
                }
            }
        }
    }

    /// The way out begins, or is over at once when there is nothing to stop or wipe.
    fn drain(&self) -> Step {
        if self.machine.status.node.is_none() {
            return self.released("given back; it had no parts");
        }
        let mut step = self.enter(State::Draining, Stage::PowerOff, "its system is asked to stop");
        step.status.tries = 1;
        step.status.rung = rack::machine::Rung::Gentle;
        step.status.failure = None;
        step
    }

    fn released(&self, why: &str) -> Step {
        let mut step = self.enter(State::Released, Stage::Rest, why);
        let bound = step.status.node.take().is_some();
        step.node = bound.then_some(NodeChange::Free);
        step.wake = None;
        step
    }

    fn hold(&self, why: String) -> Step {
        let from = self.machine.status.state;
        let mut step = self.enter(State::Held, Stage::Rest, &why);
        step.status.held_from = Some(from);
        step.status.failure = Some(why.clone());
        step.wake = None;
        step.event = Some((Level::Error, format!("held: {why}")));
        step
    }

    /// A running machine is only watched: power seen off is taken as its owner's wish.
    fn watch(&self) -> Step {
        let off = self
            .observed
            .seen
            .filter(|s| s.at > self.machine.status.since && s.power == Some(PowerState::Off));
        if off.is_some() {
            let mut step = self.enter(
                State::Stopped,
                Stage::Rest,
                "was switched off from outside; `busbar kill -CONT` starts it",
            );
            step.desired = Some(Desired::Stopped);
            step.wake = None;
            return step;
        }
        if self.machine.status.stage != Stage::Rest {
            let mut step = self.enter(
                State::Running,
                Stage::Rest,
                "goes on running: the wish to stop it was taken back",
            );
            step.wake = None;
            return step;
        }
        let mut status = self.status();
        if status.address.is_none() {
            status.address = self.observed.address;
        }
        self.rest(status)
    }

    /// A running machine is asked to stop, or switched off.
    fn stop(&self) -> Step {
        if self.machine.status.stage != Stage::PowerOff {
            let listens = |n: &Node| n.abilities.reset.contains(&ResetKind::GracefulShutdown);
            let how = match wanted(self.world, self.machine) {
                Desired::Stopped if self.node().is_some_and(listens) => "is asked to stop",
                Desired::Stopped => "is switched off: nothing there could pass a request on",
                _ => "is switched off",
            };
            return self.enter(State::Running, Stage::PowerOff, how);
        }
        self.drive()
    }
}

/// Moves a status on: since, deadline, reason and timeline together, so that none is ever forgotten.
fn move_to(
    status: &mut Status,
    machine: &Machine,
    policy: &Policy,
    state: State,
    stage: Stage,
    reason: &str,
    now: Time,
) {
    if status.state != state {
        status.since = now;
    }
    status.state = state;
    status.stage = stage;
    status.stage_since = now;
    status.deadline = now
        + policy
            .limit(machine, state, stage)
            .min(std::time::Duration::from_secs(40 * 365 * 86_400));
    status.reason = reason.to_owned();
    if state != State::Held {
        status.held_from = None;
    }
    turn_page(status, now);
}

/// A stage that begins in the future was entered before the clock stepped back: it begins now, and has its whole limit.
/// Otherwise its deadline would be as far away as the clock stepped, and nothing would be tried harder meanwhile.
fn redated(status: &Status, now: Time) -> Option<Status> {
    if status.state == State::Released || status.stage_since <= now {
        return None;
    }
    let mut status = status.clone();
    status.deadline = now + status.stage_since.until(status.deadline);
    status.since = status.since.min(now);
    status.stage_since = now;
    Some(status)
}

/// Longest timeline that is kept: retries repeat their phases, and the latest matter.
const TIMELINE: usize = 64;

/// Ends the open phase of the timeline and begins the next, when it is another one.
fn turn_page(status: &mut Status, now: Time) {
    let name = phase(status.state, status.stage);
    let open = status
        .timeline
        .last()
        .filter(|p| p.ended.is_none())
        .map(|p| p.name.clone());
    if open.as_deref() == name {
        return;
    }
    if let Some(last) = status.timeline.last_mut().filter(|p| p.ended.is_none()) {
        last.ended = Some(now);
    }
    if let Some(name) = name {
        status.timeline.push(rack::machine::Phase {
            name: name.to_owned(),
            began: now,
            ended: None,
            bytes: None,
        });
    }
    let excess = status.timeline.len().saturating_sub(TIMELINE);
    status.timeline.drain(..excess);
}

/// What a state and stage are called in the timeline; `None` where no time is spent on the way to anything.
pub fn phase(state: State, stage: Stage) -> Option<&'static str> {
    Some(match (state, stage) {
        (State::Running | State::Stopped | State::Released | State::Held, Stage::Rest) => return None,
        (State::Pending, _) => "place",
        (_, Stage::Verify | Stage::Rest) => "check",
        (State::Draining | State::Running, Stage::PowerOff) => "stop",
        (_, Stage::PowerOff | Stage::SetNetwork | Stage::PowerOn) => "power",
        (_, Stage::AwaitAgent) => "firmware and kernel",
        (State::Wiping, Stage::Work) => "wipe",
        (_, Stage::Work) => "write",
        (State::Wiping, Stage::Settle | Stage::SetDisk) => "park",
        (_, Stage::Settle | Stage::SetDisk | Stage::Start) => "restart",
        (_, Stage::AwaitLogin) => "first boot",
        (_, Stage::ResetBmc) => "BMC reset",
        (_, Stage::CycleOutlets) => "outlet cycle",
    })
}

/// How long a phase of the timeline may take in one try: what its stages may take one after the other. `None` where it is as
/// long as someone wished to wait, or the name is none of ours.
pub fn budget(policy: &Policy, machine: &Machine, phase: &str) -> Option<std::time::Duration> {
    let stages: &[(State, Stage)] = match phase {
        "check" => &[(State::Composing, Stage::Verify)],
        "stop" => &[(State::Draining, Stage::PowerOff)],
        "power" => &[
            (State::Booting, Stage::PowerOff),
            (State::Booting, Stage::SetNetwork),
            (State::Booting, Stage::PowerOn),
        ],
        "firmware and kernel" => &[(State::Booting, Stage::AwaitAgent)],
        "wipe" => &[(State::Wiping, Stage::Work)],
        "write" => &[(State::Installing, Stage::Work)],
        "park" => &[(State::Wiping, Stage::Settle), (State::Wiping, Stage::SetDisk)],
        "restart" => &[
            (State::Installing, Stage::Settle),
            (State::Installing, Stage::SetDisk),
            (State::Installing, Stage::Start),
        ],
        "first boot" => &[(State::Installing, Stage::AwaitLogin)],
        "BMC reset" => &[(State::Booting, Stage::ResetBmc)],
        "outlet cycle" => &[(State::Booting, Stage::CycleOutlets)],
        _ => return None,
    };
    Some(
        stages
            .iter()
            .map(|(state, stage)| policy.limit(machine, *state, *stage))
            .sum(),
    )
}
