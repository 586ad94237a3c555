//! Each stage: what it wants to see, what it does while it doesn't, and what comes after.

use rack::agent::{DiskWipe, Outcome, Work};
use rack::machine::Rung;
use rack::{BootTarget, Desired, Level, PowerState, ResetKind, Stage, State, Time};

use super::{Act, Attempt, Draft, NodeChange, Seen, Step};
use crate::order::order_id;

impl Draft<'_> {
    /// Moves a machine on that is on its way: to the next stage when this one's wish is seen, up the ladder when it is
    /// late or impossible, else the act that brings it about.
    pub(super) fn drive(&self) -> Step {
        let status = &self.machine.status;
        if self.node().is_none() {
            return self.hold("its node is no longer known".into());
        }
        let step = match status.stage {
            Stage::Verify => self.verify(),
            Stage::PowerOff => self.power_off(),
            Stage::SetNetwork => self.set_boot(self.network(), Stage::PowerOn),
            Stage::PowerOn => self.power_on(Stage::AwaitAgent),
            Stage::AwaitAgent => self.await_agent(),
            Stage::Work => self.work(),
            Stage::Settle => self.settle(),
            Stage::SetDisk => self.set_boot(BootTarget::Hdd, Stage::Start),
            Stage::Start => self.power_on(Stage::AwaitLogin),
            Stage::AwaitLogin => self.await_login(),
            Stage::ResetBmc => self.restart_bmc(Act::ResetBmc, "a reset of its BMC"),
            Stage::CycleOutlets => self.restart_bmc(Act::CycleOutlets, "a power cut at its outlets"),
            Stage::Rest => self.begin(),
        };
        let still_here = step.status.state == status.state && step.status.stage == status.stage;
        if still_here && self.now >= status.deadline {
            let took = self.now.since(status.stage_since).as_secs();
            return self.fail(format!("{} after {took} s", self.late()), true);
        }
        step
    }

    /// A state that is driven but has no stage yet starts where its tries start.
    fn begin(&self) -> Step {
        let (state, stage) = super::ladder::restart(&self.machine.status);
        self.enter(state, stage, "goes on")
    }

    /// What was waited for in vain.
    fn late(&self) -> String {
        let silent = self
            .observed
            .silent
            .map(|s| format!("; its BMC is silent: {s}"))
            .unwrap_or_default();
        let refused = match self.observed.last {
            Some(Attempt { result: Err(f), .. }) => format!("; last answer: {}", f.why),
            _ => String::new(),
        };
        let what = match self.machine.status.stage {
            Stage::Verify => "the BMC did not say who it is",
            Stage::PowerOff => "the power did not go off",
            Stage::SetNetwork | Stage::SetDisk => "the boot setting was not taken",
            Stage::PowerOn | Stage::Start => "the power did not come on",
            Stage::AwaitAgent => "no agent came up over the network",
            Stage::Work => "the agent was not done",
            Stage::Settle => "the agent's machine did not go off",
            Stage::AwaitLogin => "no login answered",
            Stage::ResetBmc => "the BMC did not come back from its reset",
            Stage::CycleOutlets => "the BMC did not come back after the power cut",
            Stage::Rest => "nothing happened",
        };
        format!("{what}{silent}{refused}")
    }

    /// Waits in this stage, doing `act` if it is due.
    fn wait(&self, act: Option<Act>, every: std::time::Duration, reason: String) -> Step {
        let mut status = self.status();
        status.reason = match self.observed.silent {
            Some(why) => format!("{reason}; its BMC is silent: {why}"),
            None => reason,
        };
        let wake = (self.now + every).min(status.deadline);
        Step {
            act,
            wake: Some(wake),
            ..self.rest(status)
        }
    }

    /// A look at the BMC that is newer than this stage and than the last act in it.
    fn fresh(&self) -> Option<Seen> {
        let after = self.observed.last.map_or(self.machine.status.stage_since, |l| l.at);
        self.observed
            .seen
            .filter(|s| s.at >= after.max(self.machine.status.stage_since))
    }

    /// `act`, unless it was sent so lately that its effect may still come; then a look.
    fn unless_just_sent(&self, act: Act) -> Act {
        match self.observed.last {
            Some(l) if l.act == act && self.now.since(l.at) < self.policy.repeat => Act::Look,
            _ => act,
        }
    }

    /// The failure of the last act, when sending it again is hopeless.
    fn hopeless(&self, act: Act) -> Option<String> {
        match self.observed.last {
            Some(Attempt {
                act: sent,
                result: Err(f),
                ..
            }) if *sent == act && !f.again => Some(f.why.clone()),
            _ => None,
        }
    }

    fn verify(&self) -> Step {
        match self.fresh() {
            None => self.wait(Some(Act::Look), self.policy.look, "asks the BMC who it is".into()),
            Some(seen) if !seen.same => self.fail("another box answers at this BMC's address".into(), false),
            Some(_) => self.enter(
                State::Booting,
                Stage::PowerOff,
                "is switched off to boot from the network",
            ),
        }
    }

    fn power_off(&self) -> Step {
        let status = &self.machine.status;
        let Some(seen) = self.fresh() else {
            return self.wait(
                Some(Act::Look),
                self.policy.look,
                "looks whether the power is off".into(),
            );
        };
        if seen.power == Some(PowerState::Off) {
            return self.after_power_off();
        }
        if self.only_wakes() {
            return self.off_by_hand(seen);
        }
        let asked_for = self.now.since(status.stage_since);
        // Only an installed system can stop on request; a firmware or an agent would ignore it.
        let listens = status.disk.is_some() && !self.machine.hurry;
        let polite = match (status.state, super::wanted(self.world, self.machine)) {
            (State::Running, Desired::Stopped) => true,
            (State::Draining, _) => listens && asked_for < self.policy.graceful,
            _ => false,
        };
        let offered = |kind| self.node().is_some_and(|n| n.abilities.reset.contains(&kind));
        let kind = if polite && offered(ResetKind::GracefulShutdown) {
            ResetKind::GracefulShutdown
        } else {
            ResetKind::ForceOff
        };
        let act = Act::Power(kind);
        if let Some(why) = self.hopeless(act) {
            return self.fail(why, true);
        }
        self.wait(
            Some(self.unless_just_sent(act)),
            self.policy.look,
            "waits for the power to go off".into(),
        )
    }

    /// Nothing of ours switches such a box off. One that shows no sign of life may be off: the agent that comes up next is
    /// the proof, and nothing is written before. Only a stop that someone waits for needs to be *seen*.
    fn off_by_hand(&self, seen: Seen) -> Step {
        if seen.power.is_none() && self.machine.status.state != State::Running {
            return self.after_power_off();
        }
        let reason = "waits for someone to shut it down: it has no BMC and no outlets that are written down";
        self.wait(Some(Act::Look), self.policy.look, reason.into())
    }

    /// Whether the node's power can't be taken away.
    pub(super) fn only_wakes(&self) -> bool {
        self.node().is_some_and(rack::Node::only_wakes)
    }

    /// Whether the node has no BMC.
    fn no_bmc(&self) -> bool {
        self.node().is_some_and(|n| n.abilities.no_bmc)
    }

    fn after_power_off(&self) -> Step {
        match self.machine.status.state {
            State::Running => {
                let shed = self.world.shed_of(self.machine).filter(|s| s.stop.is_some());
                let why = match shed.filter(|_| self.machine.desired == rack::Desired::Running) {
                    Some(shed) => format!("gave up its power: {}; starts again when there is room", shed.because),
                    None => "was stopped; `busbar kill -CONT` starts it".into(),
                };
                let mut step = self.enter(State::Stopped, Stage::Rest, &why);
                step.wake = None;
                step
            }
            State::Draining if !self.machine.status.touched => self.released("given back; nothing was written to it"),
            State::Draining => self.enter(State::Wiping, Stage::SetNetwork, "is wiped"),
            state => self.enter(state, Stage::SetNetwork, "next boot is set to the network"),
        }
    }

    /// The network boot to ask for: PXE, which is the floor that every BMC has; on a harder try the other way.
    fn network(&self) -> BootTarget {
        let offers = |t| self.node().is_some_and(|n| n.abilities.boot.contains(&t));
        let hard = self.machine.status.rung != Rung::Gentle && self.machine.status.tries.is_multiple_of(2);
        if offers(BootTarget::UefiHttp) && (hard || !offers(BootTarget::Pxe)) {
            BootTarget::UefiHttp
        } else {
            BootTarget::Pxe
        }
    }

    fn set_boot(&self, target: BootTarget, then: Stage) -> Step {
        let act = Act::Boot(target);
        let status = &self.machine.status;
        let taken = self
            .observed
            .last
            .is_some_and(|l| l.act == act && l.result.is_ok() && l.at >= status.stage_since);
        // Without a BMC nothing can be set: the box asks the network at each start, and the desk says what it boots.
        if taken || self.no_bmc() {
            if status.state == State::Wiping && then == Stage::Start {
                return self.released("wiped, proven and given back");
            }
            let mut step = self.enter(status.state, then, "is switched on");
            step.node = (then == Stage::PowerOn).then_some(NodeChange::NewBoot);
            return step;
        }
        if let Some(why) = self.hopeless(act) {
            return self.fail(why, true);
        }
        let where_to = if then == Stage::Start {
            "its disk"
        } else {
            "the network"
        };
        let reason = format!("sets the next boot to {where_to}");
        self.wait(Some(act), self.policy.repeat, reason)
    }

    fn power_on(&self, then: Stage) -> Step {
        let Some(seen) = self.fresh() else {
            return self.wait(
                Some(Act::Look),
                self.policy.look,
                "looks whether the power is on".into(),
            );
        };
        let act = Act::Power(ResetKind::On);
        // A wake-up is never acknowledged: after it was sent, the agent or the login is what is waited for.
        let woken = self.no_bmc()
            && seen.power.is_none()
            && self
                .observed
                .last
                .is_some_and(|l| l.act == act && l.result.is_ok() && l.at >= self.machine.status.stage_since);
        if seen.power == Some(PowerState::On) || woken {
            let what = if then == Stage::AwaitAgent {
                "waits for the agent"
            } else {
                "waits for the login"
            };
            return self.enter(self.machine.status.state, then, what);
        }
        if let Some(why) = self.hopeless(act) {
            return self.fail(why, true);
        }
        self.wait(
            Some(self.unless_just_sent(act)),
            self.policy.look,
            "waits for the power to come on".into(),
        )
    }

    fn await_agent(&self) -> Step {
        if self.observed.agent.is_some() {
            let wiping = self.machine.status.state == State::Wiping;
            let mut step = if wiping {
                self.enter(State::Wiping, Stage::Work, "its disks are wiped")
            } else {
                self.enter(State::Installing, Stage::Work, "the image is written to its disk")
            };
            if !wiping {
                // From the moment that the order may be read, the disks may hold this machine's data.
                step.status.touched = true;
                step.node = Some(NodeChange::Use);
            }
            step.status.address = self.observed.address.or(step.status.address);
            return step;
        }
        if let Some(step) = self.went_off() {
            return step;
        }
        let look = self.look_if_old();
        self.wait(
            look,
            self.policy.idle_look,
            "waits for firmware and kernel to bring the agent up".into(),
        )
    }

    /// The power was seen off while something should be running on it.
    fn went_off(&self) -> Option<Step> {
        let off = self.fresh().is_some_and(|s| s.power == Some(PowerState::Off));
        off.then(|| self.fail("the power went off".into(), true))
    }

    fn look_if_old(&self) -> Option<Act> {
        let old = self
            .observed
            .seen
            .is_none_or(|s| self.now.since(s.at) >= self.policy.idle_look);
        old.then_some(Act::Look)
    }

    fn work(&self) -> Step {
        let id = order_id(self.machine);
        let Some((agent, spoke)) = self.observed.agent else {
            return self.silent_agent(self.machine.status.stage_since);
        };
        match &agent.work {
            Work::Done { order, outcome } if *order == id => self.done(outcome),
            Work::Failed { order, error, again } if *order == id => self.fail(error.clone(), *again),
            Work::Busy {
                order,
                phase,
                done,
                total,
            } if *order == id => {
                let percent = done.0.saturating_mul(100) / total.0.max(1);
                self.working(spoke, format!("{phase}, {} of {}", tenth(percent), total.decimal()))
            }
            _ => self.working(spoke, "the agent has its order".into()),
        }
    }

    fn working(&self, spoke: Time, reason: String) -> Step {
        if self.now.since(spoke) > self.policy.agent_silence {
            return self.silent_agent(spoke);
        }
        self.wait(None, self.policy.agent_silence, reason)
    }

    fn silent_agent(&self, since: Time) -> Step {
        let silence = self.now.since(since);
        if silence > self.policy.agent_silence {
            return self.fail(format!("the agent fell silent {} s ago", silence.as_secs()), true);
        }
        self.wait(
            None,
            self.policy.agent_silence,
            "waits for the agent's next word".into(),
        )
    }

    fn done(&self, outcome: &Outcome) -> Step {
        match (self.machine.status.state, outcome) {
            (State::Installing, Outcome::Installed { disk, written, .. }) => {
                let mut step = self.enter(State::Installing, Stage::Settle, "restarts from its disk");
                step.status.disk = Some(disk.clone());
                let write = step.status.timeline.iter_mut().rev().find(|p| p.name == "write");
                if let Some(phase) = write {
                    phase.bytes = Some(*written);
                }
                step.event = Some((Level::Info, format!("{} written to {disk}", written.decimal())));
                step
            }
            (State::Wiping, Outcome::Wiped { disks }) => self.wiped(disks),
            _ => self.fail("the agent answered another order than it was given".into(), true),
        }
    }

    /// A wipe proves nothing about a disk that the agent did not see: there must be a clean record for each drive.
    fn wiped(&self, disks: &[DiskWipe]) -> Step {
        if let Some(dirty) = disks.iter().find(|d| !d.clean) {
            return self.fail(
                format!("{} still holds data after {:?}", dirty.disk, dirty.method),
                true,
            );
        }
        let drives = self.node().map_or(0, |n| n.drives().count()).max(1);
        if disks.len() < drives {
            let why = format!(
                "the agent wiped {} disks of {drives}: the others are not seen from inside",
                disks.len()
            );
            return self.fail(why, true);
        }
        let mut step = self.enter(State::Wiping, Stage::Settle, "wiped and proven; is switched off");
        step.status.touched = false;
        step.status.disk = None;
        step.event = Some((
            Level::Info,
            format!("{} disks wiped, samples read back clean", disks.len()),
        ));
        step.node = Some(NodeChange::Wiped(disks.to_vec()));
        step
    }

    fn settle(&self) -> Step {
        let Some(seen) = self.fresh() else {
            return self.wait(
                Some(Act::Look),
                self.policy.look,
                "looks whether the agent has stopped".into(),
            );
        };
        if seen.power == Some(PowerState::Off) {
            return self.enter(
                self.machine.status.state,
                Stage::SetDisk,
                "next boot is set to its disk",
            );
        }
        let status = &self.machine.status;
        // An agent stops by itself; nothing listens when this is a later try.
        let in_time = self.now.since(status.stage_since) < self.policy.settle;
        let patient = status.tries == 1 && in_time;
        if self.only_wakes() {
            // The agent was told to stop: a box that nothing more is heard of is taken to be off, which the next boot proves.
            return if seen.power.is_none() && !in_time {
                self.enter(
                    status.state,
                    Stage::SetDisk,
                    "its agent has fallen silent, as it was told",
                )
            } else {
                self.wait(
                    Some(Act::Look),
                    self.policy.look,
                    "waits for the agent's machine to go off".into(),
                )
            };
        }
        let act = if patient {
            Act::Look
        } else {
            self.unless_just_sent(Act::Power(ResetKind::ForceOff))
        };
        self.wait(
            Some(act),
            self.policy.look,
            "waits for the agent's machine to go off".into(),
        )
    }

    fn await_login(&self) -> Step {
        let since = self.machine.status.stage_since;
        if self.observed.login.is_some_and(|at| at >= since) {
            let mut step = self.enter(State::Running, Stage::Rest, "a login answers");
            step.status.tries = 1;
            step.status.rung = Rung::Gentle;
            step.status.failure = None;
            step.status.address = self.observed.address.or(step.status.address);
            step.wake = None;
            return step;
        }
        if let Some(step) = self.went_off() {
            return step;
        }
        let act = self
            .look_if_old()
            .or(self.observed.address.is_some().then_some(Act::Probe));
        let mut step = self.wait(act, self.policy.look, "waits for the installed system's login".into());
        step.status.address = self.observed.address.or(step.status.address);
        step
    }

    /// The rungs that take the BMC down: `act` once, then looks until it answers again.
    fn restart_bmc(&self, act: Act, what: &str) -> Step {
        let status = &self.machine.status;
        let sent = self
            .observed
            .last
            .filter(|l| l.act == act && l.at >= status.stage_since);
        match sent {
            Some(l) if l.result.is_ok() && self.fresh().is_some() => {
                let (state, stage) = super::ladder::restart(status);
                self.enter(state, stage, "its BMC is back")
            }
            Some(l) if l.result.is_ok() => self.wait(
                Some(Act::Look),
                self.policy.repeat,
                "waits for its BMC to come back".into(),
            ),
            _ => match self.hopeless(act) {
                // That this rung is missing is no reason to stop: the harder try goes on without.
                Some(_) => {
                    let (state, stage) = super::ladder::restart(status);
                    self.enter(state, stage, &format!("goes on without {what}"))
                }
                None => self.wait(
                    Some(self.unless_just_sent(act)),
                    self.policy.repeat,
                    format!("asks for {what}"),
                ),
            },
        }
    }
}

/// Percent in steps of ten, so that a reason that is recorded does not change with every byte.
fn tenth(percent: u64) -> String {
    format!("{} %", percent / 10 * 10)
}
