//! How long things may take and how often they are tried: the numbers behind the life cycle, in one place.

use std::time::Duration;

use rack::{Bytes, Machine, Stage, State};

/// Limits of the life cycle. The defaults are for real servers; a rack of software keeps them too, as it is only faster.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// For the BMC to say who it is.
    pub verify: Duration,
    /// For the power to change once it was told to.
    pub power: Duration,
    /// For a boot setting to be taken.
    pub boot_setting: Duration,
    /// From power-on to the agent's first word: firmware of large servers tests memory for minutes.
    pub firmware: Duration,
    /// For the agent to stop its machine before the power is cut.
    pub settle: Duration,
    /// From the installed system's power-on to its login.
    pub first_boot: Duration,
    /// For a system to stop when asked.
    pub graceful: Duration,
    /// For a BMC to come back from its own reset.
    pub bmc_reset: Duration,
    /// The agent's longest silence while it works.
    pub agent_silence: Duration,
    /// For an agent's work, before its bytes count.
    pub work: Duration,
    /// The slowest disk or network that is still waited for, in bytes a second.
    pub slowest: u64,
    /// How soon the same act is sent again when nothing changed.
    pub repeat: Duration,
    /// How often the BMC is looked at while a change is awaited.
    pub look: Duration,
    /// How often it is looked at while only an agent or a login is awaited.
    pub idle_look: Duration,
    /// Tries before the next rung of the ladder is the last.
    pub tries: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            verify: Duration::from_secs(90),
            power: Duration::from_secs(120),
            boot_setting: Duration::from_secs(90),
            firmware: Duration::from_secs(900),
            settle: Duration::from_secs(90),
            first_boot: Duration::from_secs(900),
            graceful: Duration::from_secs(120),
            bmc_reset: Duration::from_secs(420),
            agent_silence: Duration::from_secs(90),
            work: Duration::from_secs(600),
            slowest: 5_000_000,
            repeat: Duration::from_secs(15),
            look: Duration::from_secs(1),
            idle_look: Duration::from_secs(15),
            tries: 4,
        }
    }
}

impl Policy {
    /// How long `machine` may stay in `stage`.
    pub fn limit(&self, machine: &Machine, state: State, stage: Stage) -> Duration {
        match stage {
            Stage::Rest => Duration::MAX,
            Stage::Verify => self.verify,
            Stage::PowerOff if matches!(state, State::Draining | State::Running) => self.graceful + self.power,
            Stage::PowerOff | Stage::PowerOn | Stage::Start => self.power,
            Stage::SetNetwork | Stage::SetDisk => self.boot_setting,
            Stage::AwaitAgent => self.firmware,
            Stage::Settle => self.settle + self.power,
            Stage::AwaitLogin => self.first_boot,
            // A BMC that lost its power starts as one that was reset does.
            Stage::ResetBmc | Stage::CycleOutlets => self.bmc_reset,
            Stage::Work => self.work + self.moving(machine, state),
        }
    }

    /// Time for the bytes of an order at the slowest speed that is waited for.
    fn moving(&self, machine: &Machine, state: State) -> Duration {
        // A wipe covers whole disks, whose sizes a BMC may not tell: a day bounds it, silence is noticed long before.
        const WIPE: Duration = Duration::from_secs(86_400);
        let Bytes(raw) = machine.ask.image.raw;
        if state == State::Wiping {
            WIPE
        } else {
            Duration::from_secs(raw / self.slowest.max(1))
        }
    }
}
