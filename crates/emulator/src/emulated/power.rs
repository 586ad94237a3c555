//! Power of a server: feeds, resets, and what follows from them for what runs on it.

use std::sync::{Arc, PoisonError};

use super::Emulated;
use crate::faults::Action;
use crate::life;
use crate::model::{Activity, Power};

/// Seconds that power takes to come up behind the supplies.
pub const POWER_ON: f64 = 3.0;
/// Seconds that an installed system takes to stop.
pub const SHUTDOWN: f64 = 8.0;
/// Seconds that a BMC takes to start again.
pub const BMC_RESET: f64 = 30.0;

/// A reset that can't be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// There is no such reset.
    Unknown,
    /// Not in this power state.
    NotNow,
}

/// Resets that a server knows.
pub const RESETS: [&str; 7] = [
    "On",
    "ForceOff",
    "GracefulShutdown",
    "GracefulRestart",
    "ForceRestart",
    "PowerCycle",
    "PushPowerButton",
];

impl Emulated {
    pub(crate) fn set_power(&self, i: usize, power: Power) {
        self.state(i).power = power;
        self.tell_plant(i);
        self.save();
        let core = &self.servers[i].core;
        let text = format!("The power state of the server is now {}.", power.word());
        core.emit(
            (self.config.clock)(),
            "ResourceEvent.1.3.ResourceStateChanged",
            &text,
            "/redfish/v1/Systems/1",
        );
    }

    /// Starts a server's life; the one before, if any, ends.
    pub(crate) fn begin(self: &Arc<Self>, i: usize, from: life::From) {
        let rack = self.clone();
        let mut lives = self.lives.lock().unwrap_or_else(PoisonError::into_inner);
        while lives.try_join_next().is_some() {}
        let mut state = self.state(i);
        if let Some(before) = state.task.take() {
            before.abort();
        }
        state.generation += 1;
        state.boots += u64::from(from == life::From::Off);
        state.task = Some(lives.spawn(life::run(rack, i, from)));
    }

    /// Off at once. From a server's own life, which ends by itself, `abort` is false.
    pub(crate) fn off(&self, i: usize, abort: bool) {
        {
            let mut state = self.state(i);
            state.generation += 1;
            if let Some(task) = state.task.take()
                && abort
            {
                task.abort();
            }
            state.activity = Activity::Nothing;
        }
        if self.state(i).power != Power::Off {
            self.set_power(i, Power::Off);
        }
    }

    /// Resets a server, as `ComputerSystem.Reset` does.
    pub fn reset(self: &Arc<Self>, i: usize, kind: &str) -> Result<(), Refused> {
        if !RESETS.contains(&kind) {
            return Err(Refused::Unknown);
        }
        let place = &self.servers[i].spec.place;
        if self.faults.inside(place, |a| *a == Action::IgnoreReset).is_some() {
            return Ok(());
        }
        let (power, activity) = {
            let s = self.state(i);
            (s.power, s.activity)
        };
        let up = matches!(power, Power::On | Power::PoweringOn);
        match kind {
            "On" if power == Power::PoweringOff => Err(Refused::NotNow),
            "On" if up => Ok(()),
            "On" => {
                self.power_on(i);
                Ok(())
            }
            "ForceOff" => {
                self.off(i, true);
                Ok(())
            }
            "PushPowerButton" if power == Power::Off => {
                self.power_on(i);
                Ok(())
            }
            _ if !up => Err(Refused::NotNow),
            "ForceRestart" => {
                self.set_activity(i, Activity::Post);
                self.begin(i, life::From::Post);
                Ok(())
            }
            "PowerCycle" => {
                self.off(i, true);
                self.power_on(i);
                Ok(())
            }
            _ if activity == Activity::Virtual => {
                let again = kind == "GracefulRestart";
                self.servers[i].slot.tell(crate::vm::Tell::Button { again });
                Ok(())
            }
            // asks the system, by ACPI: firmware and the agent do not listen
            _ if activity != Activity::Os => Ok(()),
            _ => {
                self.shut_down(i, kind == "GracefulRestart");
                Ok(())
            }
        }
    }

    /// Without input nothing comes on.
    pub(crate) fn power_on(self: &Arc<Self>, i: usize) {
        if !self.live(i) {
            return;
        }
        self.set_power(i, Power::PoweringOn);
        self.begin(i, life::From::Off);
    }

    fn shut_down(self: &Arc<Self>, i: usize, again: bool) {
        self.set_power(i, Power::PoweringOff);
        let rack = self.clone();
        let mut lives = self.lives.lock().unwrap_or_else(PoisonError::into_inner);
        let generation = self.state(i).generation;
        lives.spawn(async move {
            rack.say(i, "systemd-shutdown: sending SIGTERM to remaining processes");
            rack.pause(SHUTDOWN).await;
            // switched off by hand meanwhile
            if rack.state(i).generation != generation {
                return;
            }
            if again {
                rack.set_power(i, Power::On);
                rack.set_activity(i, Activity::Post);
                rack.begin(i, life::From::Post);
            } else {
                rack.off(i, true);
            }
        });
    }

    /// The BMC starts again and does not answer meanwhile; the server goes on.
    pub fn reset_bmc(&self, i: usize) {
        let back = self.seconds() + BMC_RESET;
        self.state(i).bmc_back = Some(back);
        self.servers[i].core.forget_sessions();
        self.servers[i].serial.hang_up();
    }
}
