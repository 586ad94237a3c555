//! What follows a failure: gentle, hard, after a reset of the BMC, after a power cut at the outlets, on other parts, held.

use std::time::Duration;

use rack::machine::Rung;
use rack::{Level, Machine, Stage, State, Status, Time};

use super::{Draft, NodeChange, Step, move_to};
use crate::Policy;

impl Draft<'_> {
    /// Climbs one rung after `why`; `again` is false when trying the same on the same parts can't help.
    pub(super) fn fail(&self, why: String, again: bool) -> Step {
        let status = &self.machine.status;
        // What is being stopped on its owner's wish goes back to running: a signal is no promise.
        if status.state == State::Running {
            let mut step = self.enter(State::Running, Stage::Rest, &format!("did not stop: {why}"));
            step.desired = Some(rack::Desired::Running);
            let way_out = if self.only_wakes() {
                "shut it down from inside, or write down its outlets in the rack file"
            } else {
                "`busbar kill -KILL` switches it off"
            };
            step.event = Some((Level::Warning, format!("did not stop: {why}; {way_out}")));
            return step;
        }
        // A node that is proven wiped is given back even when its BMC won't switch it off: it holds no data, and its
        // agent switches off by itself when its token dies.
        if status.state == State::Wiping && !status.touched {
            let mut step = self.released("wiped and given back; it could not be switched off");
            step.event = Some((Level::Warning, format!("wiped and given back, but {why}")));
            return step;
        }
        let spent = status.tries >= self.policy.tries;
        if again && !spent {
            return self.once_more(why);
        }
        if self.other_parts_allowed() {
            return self.other_parts(why);
        }
        self.hold(why)
    }

    fn once_more(&self, why: String) -> Step {
        let rung = match self.machine.status.rung {
            Rung::Gentle => Rung::Hard,
            Rung::Hard => Rung::BmcReset,
            _ => Rung::Outlet,
        };
        let resets = self.node().is_some_and(|n| n.abilities.manager_reset);
        let fed = self.node().is_some_and(|n| !n.outlets.is_empty());
        let (state, mut stage) = restart(&self.machine.status);
        match rung {
            Rung::Outlet if fed => stage = Stage::CycleOutlets,
            Rung::BmcReset | Rung::Outlet if resets => stage = Stage::ResetBmc,
            _ => {}
        }
        let tries = self.machine.status.tries + 1;
        let mut step = self.enter(state, stage, &format!("try {tries}: {why}"));
        step.status.tries = tries;
        step.status.rung = rung;
        step.status.failure = Some(why.clone());
        step.event = Some((Level::Warning, format!("try {tries} of {}: {why}", self.policy.tries)));
        step
    }

    /// Other parts are tried only while nothing was written, and never against a wish for this very node.
    fn other_parts_allowed(&self) -> bool {
        let status = &self.machine.status;
        let free = self.machine.ask.on.as_ref().is_none_or(|on| on.slot().is_none());
        !status.touched && free && matches!(status.state, State::Composing | State::Booting)
    }

    fn other_parts(&self, why: String) -> Step {
        // As long as the first wait for parts: after this, someone must look.
        const ELSEWHERE: Duration = Duration::from_secs(60);
        let mut step = self.enter(State::Pending, Stage::Rest, &format!("looks for other parts: {why}"));
        step.status.deadline = self.now + ELSEWHERE;
        step.status.avoid.extend(step.status.node.take());
        step.status.place = None;
        step.status.address = None;
        step.status.tries = 1;
        step.status.rung = Rung::Gentle;
        step.status.failure = Some(why.clone());
        step.node = Some(NodeChange::Cordon(format!("{} failed on it: {why}", self.machine.name)));
        step.event = Some((Level::Warning, format!("looks for other parts: {why}")));
        step
    }
}

/// Where a try begins again: as early as what was seen may no longer hold, no earlier.
pub(super) fn restart(status: &Status) -> (State, Stage) {
    match status.state {
        State::Held | State::Pending => (State::Pending, Stage::Rest),
        State::Composing | State::Placed => (State::Composing, Stage::Verify),
        State::Booting if status.disk.is_some() => (State::Booting, Stage::Settle),
        State::Booting => (State::Booting, Stage::PowerOff),
        State::Installing if status.disk.is_some() => (State::Installing, Stage::Settle),
        State::Installing => (State::Booting, Stage::PowerOff),
        other => (other, Stage::PowerOff),
    }
}

/// A held machine is tried again on its owner's word, from the beginning of what failed. A machine that is not held
/// stays as it is.
pub fn retry(machine: &Machine, policy: &Policy, wait: Duration, now: Time) -> Status {
    let mut status = machine.status.clone();
    let Some(from) = status.held_from.filter(|_| status.state == State::Held) else {
        return status;
    };
    let (state, stage) = match (from, status.node.is_some()) {
        (State::Draining | State::Wiping, true) => (State::Draining, Stage::PowerOff),
        (_, false) => (State::Pending, Stage::Rest),
        _ => restart(&Status {
            state: from,
            ..status.clone()
        }),
    };
    status.tries = 1;
    status.rung = Rung::Gentle;
    status.avoid.clear();
    move_to(
        &mut status,
        machine,
        policy,
        state,
        stage,
        "is tried again on its owner's word",
        now,
    );
    if state == State::Pending {
        status.deadline = now + wait;
    }
    status
}
