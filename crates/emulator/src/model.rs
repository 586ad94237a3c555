//! The physics of one server: power follows what it does, heat follows power, fans follow heat. No clock, no sockets.
//!
//! Every lag is of first order and solved exactly, so that one step of an hour and 3,600 steps of a second agree while
//! the load stays the same. Figures after Dell R750 and DGX H100: see the constants.

use serde::{Deserialize, Serialize};

/// Drawn by the BMC and the supplies of a server that is off.
pub const STANDBY_WATTS: f64 = 12.0;
/// Drawn by a server without a BMC that is off: its supplies and the network port that listens.
pub const BARE_STANDBY_WATTS: f64 = 2.0;
/// A two-socket server in firmware or idle.
const IDLE_WATTS: f64 = 180.0;
/// What full load adds.
const LOAD_WATTS: f64 = 420.0;
/// One idle accelerator (DGX H100: 72-76 W).
const GPU_IDLE_WATTS: f64 = 74.0;
/// What full load adds to it.
const GPU_LOAD_WATTS: f64 = 553.0;
/// A supply turns (p + 17 W)/0.96 at its input into p.
const SUPPLY_WATTS: f64 = 17.0;
const EFFICIENCY: f64 = 0.96;
/// Fans at full speed; power goes with the cube of speed.
const FAN_WATTS: f64 = 90.0;
/// Processor above inlet, for each watt of the base server at full air flow.
const KELVIN_PER_WATT: f64 = 0.07;
/// Heat capacity of the heat sinks, as a time.
const HEAT_SECONDS: f64 = 45.0;
/// Fans run up and down in this time.
const FAN_SECONDS: f64 = 8.0;
/// Slowest fans, as a share of full speed.
const FAN_LEAST: f64 = 0.25;
/// Fans at full speed.
pub const FAN_RPM: f64 = 18_600.0;
/// Volume heat of air times flow at full speed: 0.085 m³/s × 1,200 J/(m³ K).
const AIR_WATTS_PER_KELVIN: f64 = 102.0;

/// Power states of Redfish's `ComputerSystem`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Power {
    /// Off.
    Off,
    /// On its way up.
    PoweringOn,
    /// On.
    On,
    /// On its way down.
    PoweringOff,
}

impl Power {
    /// As Redfish spells it.
    pub fn word(self) -> &'static str {
        match self {
            Power::Off => "Off",
            Power::PoweringOn => "PoweringOn",
            Power::On => "On",
            Power::PoweringOff => "PoweringOff",
        }
    }
}

/// What runs on a server that is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activity {
    /// Nothing: it is off.
    Nothing,
    /// Power-on self test.
    Post,
    /// Looking for something to boot.
    Firmware,
    /// The agent.
    Agent,
    /// The installed system, starting.
    Booting,
    /// The installed system.
    Os,
    /// Stays in firmware: setup, or nothing to boot.
    Stays,
}

impl Activity {
    /// Share of full load.
    fn load(self) -> f64 {
        match self {
            Activity::Nothing => 0.0,
            Activity::Post => 0.35,
            Activity::Firmware | Activity::Stays => 0.1,
            Activity::Agent => 0.3,
            Activity::Booting => 0.45,
            Activity::Os => 0.15,
        }
    }
    /// `BootProgress.LastState` of Redfish.
    pub fn progress(self) -> &'static str {
        match self {
            Activity::Nothing => "None",
            Activity::Post => "SystemHardwareInitializationComplete",
            Activity::Firmware => "OSBootStarted",
            Activity::Agent | Activity::Os => "OSRunning",
            Activity::Booting => "OSBootStarted",
            Activity::Stays => "SetupEntered",
        }
    }
}

/// The physical state of one server.
#[derive(Debug, Clone, PartialEq)]
pub struct Physics {
    /// Watts at the wall while it is off.
    pub standby: f64,
    /// Air at the inlet.
    pub inlet: f64,
    /// Processor temperature.
    pub cpu: f64,
    /// Fan speed, share of full.
    pub fan: f64,
    /// Share of full load that is given from outside over the activity's own, 0 to 1.
    pub load: f64,
    /// Joules drawn through each supply since the start.
    pub joules: [f64; 2],
    /// Watts at the wall that it must not draw more than.
    pub cap: Option<f64>,
    /// The same for each accelerator; those that are not in it have none.
    pub gpu_caps: Vec<Option<f64>>,
}

/// Input watts by supply, and what they turn into.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Draw {
    /// Into each supply.
    pub input: [f64; 2],
    /// Out of both.
    pub output: f64,
}

impl Draw {
    /// Watts at the wall.
    pub fn total(&self) -> f64 {
        self.input[0] + self.input[1]
    }
}

impl Physics {
    /// A server that has been off for long.
    pub fn cold(inlet: f64) -> Physics {
        Physics {
            standby: STANDBY_WATTS,
            inlet,
            cpu: inlet,
            fan: 0.0,
            load: 0.0,
            joules: [0.0; 2],
            cap: None,
            gpu_caps: Vec::new(),
        }
    }

    /// Watts behind the supplies.
    fn output(&self, on: bool, activity: Activity, gpus: u32) -> f64 {
        if !on {
            return self.standby * 0.8;
        }
        let load = (activity.load() + self.load).clamp(0.0, 1.0);
        let gpu: f64 = (0..gpus as usize).map(|n| self.gpu(true, n)).sum();
        let fans = FAN_WATTS * self.fan.powi(3);
        let wanted = IDLE_WATTS + LOAD_WATTS * load + gpu + fans;
        // clocks are lowered until the cap is held, and can't be lowered below idle
        let least = IDLE_WATTS + f64::from(gpus) * GPU_IDLE_WATTS + fans;
        let cap = self.cap.map(|cap| cap * EFFICIENCY - 2.0 * SUPPLY_WATTS);
        cap.map_or(wanted, |cap| wanted.min(cap.max(least)))
    }

    /// Watts of one accelerator under its own cap.
    pub fn gpu(&self, on: bool, n: usize) -> f64 {
        if !on {
            return 0.0;
        }
        let wanted = GPU_IDLE_WATTS + GPU_LOAD_WATTS * self.load.clamp(0.0, 1.0);
        let cap = self.gpu_caps.get(n).copied().flatten();
        cap.map_or(wanted, |cap| wanted.min(cap.max(GPU_IDLE_WATTS)))
    }

    /// The least cap at the wall that can always be held, and the most that is ever drawn.
    pub fn caps(gpus: u32) -> (f64, f64) {
        let wall = |watts: f64| ((watts + 2.0 * SUPPLY_WATTS) / EFFICIENCY).ceil();
        let least = IDLE_WATTS + FAN_WATTS + f64::from(gpus) * GPU_IDLE_WATTS;
        (wall(least), wall(least + LOAD_WATTS + f64::from(gpus) * GPU_LOAD_WATTS))
    }

    /// The same of one accelerator.
    pub fn gpu_range() -> (f64, f64) {
        (GPU_IDLE_WATTS, GPU_IDLE_WATTS + GPU_LOAD_WATTS)
    }

    /// What it draws now, given which supplies have input.
    pub fn draw(&self, on: bool, activity: Activity, gpus: u32, fed: [bool; 2]) -> Draw {
        let fed_count = fed.iter().filter(|f| **f).count();
        if fed_count == 0 {
            return Draw {
                input: [0.0; 2],
                output: 0.0,
            };
        }
        let output = self.output(on, activity, gpus);
        let share = output / fed_count as f64;
        // rectifier of the HARDWARE notes: (p + 17 W)/0.96 at work; in standby the loss is part of the figure
        let each = if on {
            (share + SUPPLY_WATTS) / EFFICIENCY
        } else {
            self.standby / fed_count as f64
        };
        Draw {
            input: fed.map(|f| if f { each } else { 0.0 }),
            output,
        }
    }

    /// Lets `seconds` pass with everything else as it is.
    pub fn advance(&mut self, seconds: f64, on: bool, activity: Activity, gpus: u32, fed: [bool; 2]) {
        if seconds <= 0.0 {
            return;
        }
        let draw = self.draw(on, activity, gpus, fed);
        for (sum, watts) in self.joules.iter_mut().zip(draw.input) {
            *sum += watts * seconds;
        }
        let base = draw.output - f64::from(gpus) * GPU_IDLE_WATTS * f64::from(u8::from(on));
        let rise = if on {
            base.max(0.0) * KELVIN_PER_WATT / self.fan.max(FAN_LEAST).powf(0.8)
        } else {
            0.5
        };
        self.cpu = lag(self.cpu, self.inlet + rise, seconds, HEAT_SECONDS);
        let wanted = if on {
            (FAN_LEAST + (self.cpu - 40.0).max(0.0) / 50.0).min(1.0)
        } else {
            0.0
        };
        self.fan = lag(self.fan, wanted, seconds, FAN_SECONDS);
    }

    /// Air at the outlet for this draw.
    pub fn exhaust(&self, watts: f64) -> f64 {
        self.inlet + watts / (AIR_WATTS_PER_KELVIN * self.fan.max(0.15))
    }
}

fn lag(now: f64, target: f64, seconds: f64, tau: f64) -> f64 {
    target + (now - target) * (-seconds / tau).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_load_draws_more_and_a_dead_feed_moves_the_load_over() {
        let mut p = Physics::cold(22.0);
        let mut last = p.draw(false, Activity::Nothing, 0, [true; 2]).total();
        assert_eq!(last, STANDBY_WATTS);
        for load in [0.0, 0.2, 0.5, 0.8] {
            p.load = load;
            let now = p.draw(true, Activity::Os, 8, [true; 2]).total();
            assert!(now > last);
            last = now;
        }
        let one = p.draw(true, Activity::Os, 8, [true, false]);
        assert_eq!(one.input[1], 0.0);
        assert!(
            one.input[0] > last / 2.0 && one.total() < last,
            "one supply loses less than two"
        );
        assert_eq!(p.draw(true, Activity::Os, 8, [false; 2]).total(), 0.0);
    }

    #[test]
    fn a_cap_is_held_at_every_load_and_an_accelerators_own_holds_it_alone() {
        let mut p = Physics::cold(22.0);
        let (least, most) = Physics::caps(8);
        for cap in [least, (least + most) / 2.0, most] {
            p.cap = Some(cap);
            for load in [0.0, 0.5, 1.0] {
                p.load = load;
                p.advance(600.0, true, Activity::Os, 8, [true; 2]);
                let drawn = p.draw(true, Activity::Os, 8, [true; 2]).total();
                assert!(drawn <= cap + 1e-6, "{drawn} of {cap}");
            }
        }
        let whole = p.draw(true, Activity::Os, 8, [true; 2]).output;
        p.gpu_caps = vec![Some(300.0)];
        let less = p.draw(true, Activity::Os, 8, [true; 2]).output;
        assert!((whole - less - 327.0).abs() < 1.0, "{whole} {less}");
    }

    #[test]
    fn heat_follows_power_and_settles() {
        let mut p = Physics::cold(22.0);
        let mut before = p.cpu;
        for _ in 0..20 {
            p.advance(5.0, true, Activity::Os, 0, [true; 2]);
        }
        assert!(p.cpu > before + 10.0 && p.cpu < 90.0, "{}", p.cpu);
        for _ in 0..400 {
            before = p.cpu;
            p.advance(5.0, true, Activity::Os, 0, [true; 2]);
        }
        assert!((p.cpu - before).abs() < 0.1);
        p.advance(3600.0, false, Activity::Nothing, 0, [true; 2]);
        assert!(p.cpu < 23.0 && p.fan < 0.01);
    }
}
