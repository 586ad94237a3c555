//! A box: what it draws, and where its heat goes.
//!
//! Air comes in, passes boards, memory and drives, then the processors, then (partly warmed by them) the accelerators,
//! and leaves with what fans and supplies lose. Each part gives its heat to the air that reaches it; chips on cold plates
//! give theirs to the loop; in a tank everything goes to the fluid. Air inside a box holds no heat of its own.

use super::chip::{Chip, FLOW_POWER, THROTTLED, THROTTLED_WORK};
use super::circuit::AIR;
use super::kinds::{Cooled, Kind};
use super::load::Trace;

/// Fans run up and down in this time, seconds.
const FAN_LAG: f64 = 4.0;

/// What changes on a box.
#[derive(Debug, Clone, PartialEq)]
pub struct Body {
    /// Where its kind stands in the plant's list.
    pub kind: u16,
    /// The circuit of its air, or of the tank that it lies in.
    pub air: u8,
    /// The loop of its cold plates.
    pub plates: Option<u8>,
    /// The loop that its pumps move, of a coolant unit.
    pub pumps: Option<u8>,
    /// Its first chip in the plant's list: processors, then accelerators.
    pub chips: u32,
    /// Its first supply.
    pub supplies: u32,
    /// Whether someone wants it on.
    pub wanted: bool,
    /// Whether it comes back by itself with its input, as a switch does; a server is started by who looks after it.
    pub comes_back: bool,
    /// Whether it is on.
    pub on: bool,
    /// Whether any supply has input.
    pub live: bool,
    /// Whether heat has switched it off.
    pub too_hot: bool,
    /// Load of the processors by what runs: firmware, an agent.
    pub base: f32,
    /// What it is asked to do over that.
    pub trace: Trace,
    /// The plant's second at which the trace began.
    pub since: f64,
    /// Watts at the wall that it must not draw more than.
    pub cap: Option<f64>,
    /// Fans' speed, share of full.
    pub fan: f64,
    /// Fans that have failed.
    pub fans_failed: u16,
    /// Fans held at this speed.
    pub fan_held: Option<f32>,
    /// Boards, °C.
    pub board: f64,
    /// Air in, °C.
    pub inlet: f64,
    /// Air out, °C.
    pub exhaust: f64,
    /// Watts behind the supplies.
    pub out: f64,
    /// Watts at the wall.
    pub into: f64,
    /// Joules into it since the start.
    pub joules: f64,
    /// Watts into the loop of its plates.
    pub to_plates: f64,
    /// Share of full load that is really done.
    pub work: f64,
}

/// What a box draws behind its supplies, without its chips.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Demand {
    /// Boards and memory.
    pub board: f64,
    /// Fans.
    pub fans: f64,
    /// Pumps.
    pub pumps: f64,
    /// Chips.
    pub chips: f64,
}

impl Demand {
    /// All of it.
    pub fn watts(&self) -> f64 {
        self.board + self.fans + self.pumps + self.chips
    }
}

/// What a box is surrounded by in a step.
#[derive(Debug, Clone, Copy)]
pub struct Around {
    /// Air, or the tank's fluid, °C.
    pub air: f64,
    /// Share of the tank's nominal flow; 1 in air.
    pub air_share: f64,
    /// Coolant that comes, °C.
    pub coolant: f64,
    /// Share of its nominal flow.
    pub coolant_share: f64,
}

/// Joules that left a box in a step.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Gone {
    /// Into air, or the tank.
    pub air: f64,
    /// Into the loop of its plates.
    pub plates: f64,
}

impl Body {
    /// Working fans as a share of all.
    pub fn fans_working(&self, kind: &Kind) -> f64 {
        if kind.fans == 0 {
            return 1.0;
        }
        1.0 - f64::from(self.fans_failed.count_ones()) / f64::from(kind.fans)
    }

    /// Flow as a share of what all fans move at full speed.
    pub fn flow(&self, kind: &Kind) -> f64 {
        (self.fan * self.fans_working(kind)).max(kind.still)
    }

    /// The trace's load at this second of the plant.
    pub fn load(&self, now: f64) -> f64 {
        self.trace.at((now - self.since).max(0.0)).clamp(0.0, 1.0)
    }

    /// Decides what it draws behind its supplies. `fed` supplies have input.
    pub fn demand(&mut self, kind: &Kind, chips: &mut [Chip], now: f64, fed: u8, pumps: f64) -> Demand {
        if !self.on {
            for chip in chips {
                chip.watts = 0.0;
            }
            self.work = 0.0;
            // in standby the supplies' loss is part of the figure
            return Demand {
                board: if self.live { kind.standby * 0.8 } else { 0.0 },
                ..Demand::default()
            };
        }
        let load = self.load(now);
        let busy = (load + f64::from(self.base)).clamp(0.0, 1.0);
        let mut demand = Demand {
            board: kind.board + kind.dimms + (kind.board_load + kind.dimms_load) * busy,
            fans: kind.fan_watts * self.fans_working(kind) * self.fan.powi(3),
            pumps,
            chips: 0.0,
        };
        let cpus = usize::from(kind.cpus);
        let (mut idle, mut wanted, mut unhindered, mut done) = (0.0, 0.0, 0.0, 0.0);
        for (n, chip) in chips.iter_mut().enumerate() {
            let (of, share) = if n < cpus { (&kind.cpu, busy) } else { (&kind.gpu, load) };
            chip.watts = chip.wants(of, share);
            idle += of.idle;
            wanted += chip.watts;
            let clocks = if chip.throttled {
                THROTTLED_WORK / THROTTLED
            } else {
                1.0
            };
            done += (chip.watts - of.idle) * clocks;
            unhindered += (of.full - of.idle) * share;
        }
        // clocks are lowered until the cap is held, and can't be lowered below idle
        let fixed = f64::from(fed) * kind.supply.fixed;
        let room = self.cap.map(|cap| cap * kind.supply.gain - fixed - demand.watts());
        let dynamic = wanted - idle;
        let kept = match room {
            Some(room) if dynamic > 0.0 => ((room - idle) / dynamic).clamp(0.0, 1.0),
            _ => 1.0,
        };
        for (n, chip) in chips.iter_mut().enumerate() {
            let least = if n < cpus { kind.cpu.idle } else { kind.gpu.idle };
            chip.watts = least + (chip.watts - least) * kept;
        }
        demand.chips = idle + dynamic * kept;
        self.work = match unhindered > 0.0 {
            true => busy * (done * kept / unhindered).clamp(0.0, 1.0),
            false => busy,
        };
        demand
    }

    /// Lets `seconds` pass; `demand` is what it draws and `lost` what its supplies lose.
    pub fn step(
        &mut self,
        kind: &Kind,
        chips: &mut [Chip],
        demand: &Demand,
        lost: f64,
        around: &Around,
        seconds: f64,
    ) -> Gone {
        self.joules += self.into * seconds;
        let tank = kind.cooled == Cooled::Tank;
        let share = if tank {
            around.air_share.max(kind.still)
        } else {
            self.flow(kind)
        };
        let eased = share.powf(FLOW_POWER);
        // W/K that the air carries past
        let stream = AIR * kind.air * share;
        let warms = |joules: f64| if tank { 0.0 } else { joules / (stream * seconds) };
        let mut gone = Gone::default();
        self.inlet = around.air;

        let out = (eased / kind.board_kelvin).min(if tank { f64::INFINITY } else { stream });
        let rest = around.air + demand.board / out;
        let board = rest + (self.board - rest) * (-seconds * out / kind.board_store).exp();
        let from_board = demand.board * seconds - kind.board_store * (board - self.board);
        self.board = board;
        gone.air += from_board;
        let before_cpus = around.air + warms(from_board);

        let plates = matches!(kind.cooled, Cooled::Plates(_));
        let coolant = around.coolant_share.powf(FLOW_POWER);
        let (cpus, gpus) = chips.split_at_mut(usize::from(kind.cpus));
        let mut pass = |chips: &mut [Chip], of: &super::chip::ChipKind, air: f64| {
            let mut to_air = 0.0;
            for chip in chips {
                if plates {
                    gone.plates += chip.step(of, around.coolant, coolant / of.sink, seconds);
                } else {
                    let most = if tank { f64::INFINITY } else { stream };
                    to_air += chip.step(of, air, (eased / of.sink).min(most), seconds);
                }
            }
            gone.air += to_air;
            to_air
        };
        let from_cpus = pass(cpus, &kind.cpu, before_cpus);
        pass(gpus, &kind.gpu, before_cpus + kind.gpu_behind * warms(from_cpus));
        gone.air += (demand.fans + lost) * seconds;
        gone.plates += demand.pumps * seconds;
        self.to_plates = gone.plates / seconds;
        self.exhaust = around.air + warms(gone.air);
        if !tank {
            self.turn_fans(kind, cpus, gpus, seconds);
        }
        gone
    }

    fn turn_fans(&mut self, kind: &Kind, cpus: &[Chip], gpus: &[Chip], seconds: f64) {
        let ramp = |hottest: f64, (from, to): (f64, f64)| {
            kind.fan_least + (1.0 - kind.fan_least) * ((hottest - from) / (to - from)).clamp(0.0, 1.0)
        };
        let hottest = |chips: &[Chip]| chips.iter().map(|c| c.die).fold(f64::MIN, f64::max);
        let target = if !self.on || kind.fans == 0 {
            0.0
        } else if let Some(held) = self.fan_held {
            f64::from(held)
        } else if self.fans_failed != 0 {
            // a BMC that misses a fan turns up the others
            1.0
        } else {
            let asked = ramp(hottest(cpus), kind.cpu_ramp).max(ramp(hottest(gpus), kind.gpu_ramp));
            let board = ramp(self.board, (45.0, 70.0));
            // warm air coming in makes everything worse: from 30 °C on
            asked.max(board).max(ramp(self.inlet, (30.0, 45.0)))
        };
        self.fan = target + (self.fan - target) * (-seconds / FAN_LAG).exp();
    }

    /// Throttling, and whether heat has switched it off by now.
    pub fn watch(&mut self, kind: &Kind, chips: &mut [Chip]) -> bool {
        let cpus = usize::from(kind.cpus);
        let mut off = self.inlet >= kind.inlet.1;
        for (n, chip) in chips.iter_mut().enumerate() {
            off |= chip.watch(if n < cpus { &kind.cpu } else { &kind.gpu });
        }
        off && self.on
    }
}
