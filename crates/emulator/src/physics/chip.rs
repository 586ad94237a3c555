//! A chip on its sink: junction → die → sink or cold plate → whatever flows by.
//!
//! Two heat capacities and two conductances, solved exactly for constant power and surroundings, so that the length of a
//! step does not matter. The heat that leaves is what came in less what is stored: computed once.

use serde::{Deserialize, Serialize};

/// The kind of a chip. Watts, °C, J/K, K/W.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChipKind {
    /// Drawn when it is on and has nothing to do.
    pub idle: f64,
    /// Drawn at full load.
    pub full: f64,
    /// Least and most that its own cap can be set to.
    pub caps: (f64, f64),
    /// Junction to sink.
    pub junction: f64,
    /// Sink to the full flow.
    pub sink: f64,
    /// Heat capacity of the die and its lid.
    pub die_store: f64,
    /// Of the sink or cold plate.
    pub sink_store: f64,
    /// Hottest that it may work at for ever.
    pub most: f64,
    /// Clocks are halved from here on, until it is `RELIEF` cooler.
    pub slowdown: f64,
    /// It switches the box off.
    pub shutdown: f64,
    /// Memory above the die for each watt of the chip; 0 without memory of its own.
    pub memory: f64,
}

/// Kelvin below slowdown at which clocks come back.
pub const RELIEF: f64 = 9.0;
/// Dynamic power left at half the clock: the voltage falls with it.
pub const THROTTLED: f64 = 0.3;
/// Work left at half the clock.
pub const THROTTLED_WORK: f64 = 0.5;
/// Conductance grows with the flow to this power.
pub const FLOW_POWER: f64 = 0.8;

/// What changes on a chip.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Chip {
    /// Junction, °C.
    pub die: f64,
    /// Sink, °C.
    pub sink: f64,
    /// Drawn now.
    pub watts: f64,
    /// Drawn since the start.
    pub joules: f64,
    /// Its own cap.
    pub cap: Option<f64>,
    /// Whether its clocks are halved.
    pub throttled: bool,
}

impl Chip {
    /// A chip that has long been off.
    pub fn cold(celsius: f64) -> Chip {
        Chip {
            die: celsius,
            sink: celsius,
            watts: 0.0,
            joules: 0.0,
            cap: None,
            throttled: false,
        }
    }

    /// What it would draw at this load, its own cap and heat counted.
    pub fn wants(&self, kind: &ChipKind, load: f64) -> f64 {
        let heat = if self.throttled { THROTTLED } else { 1.0 };
        let wanted = kind.idle + (kind.full - kind.idle) * load * heat;
        self.cap.map_or(wanted, |cap| wanted.min(cap.max(kind.idle)))
    }

    /// Lets `seconds` pass; says the joules that went over into the flow at `around` °C, with conductance `out` (W/K).
    pub fn step(&mut self, kind: &ChipKind, around: f64, out: f64, seconds: f64) -> f64 {
        let (c1, c2, g) = (kind.die_store, kind.sink_store, 1.0 / kind.junction);
        let p = self.watts;
        // where it would come to rest, and how far from it each part is
        let rest_sink = around + p / out;
        let rest_die = rest_sink + p / g;
        let (x, y) = (self.die - rest_die, self.sink - rest_sink);
        let half = -0.5 * (g / c1 + (g + out) / c2);
        let det = g * out / (c1 * c2);
        let root = (half * half - det).max(0.0).sqrt();
        // both eigenvalues are negative; the slow one from the product, which loses no digits
        let fast = half - root;
        let slow = det / fast;
        let (ef, es) = ((fast * seconds).exp(), (slow * seconds).exp());
        // exp(At) = (es (A − fast) − ef (A − slow)) / (slow − fast)
        let d = slow - fast;
        let (one, a) = ((slow * ef - fast * es) / d, (es - ef) / d);
        let (nx, ny) = (
            one * x + a * (g / c1) * (y - x),
            one * y + a * (g * x - (g + out) * y) / c2,
        );
        let (die, sink) = (rest_die + nx, rest_sink + ny);
        let kept = c1 * (die - self.die) + c2 * (sink - self.sink);
        self.die = die;
        self.sink = sink;
        self.joules += p * seconds;
        p * seconds - kept
    }

    /// Heat in it above 0 °C, joules.
    pub fn stored(&self, kind: &ChipKind) -> f64 {
        kind.die_store * self.die + kind.sink_store * self.sink
    }

    /// Halves its clocks or gives them back; says whether it must be switched off.
    pub fn watch(&mut self, kind: &ChipKind) -> bool {
        if self.die >= kind.slowdown {
            self.throttled = true;
        } else if self.die < kind.slowdown - RELIEF {
            self.throttled = false;
        }
        self.die >= kind.shutdown
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::physics::kinds::H100;

    #[test]
    fn it_comes_to_rest_where_the_resistances_say() {
        let mut chip = Chip::cold(22.0);
        chip.watts = 700.0;
        let out = 1.0 / H100.sink;
        chip.step(&H100, 22.0, out, 1e6);
        assert!((chip.sink - (22.0 + 700.0 * H100.sink)).abs() < 1e-9);
        assert!((chip.die - chip.sink - 700.0 * H100.junction).abs() < 1e-9);
    }

    #[test]
    fn one_step_and_many_agree_and_no_heat_is_lost() {
        let (mut one, mut many) = (Chip::cold(22.0), Chip::cold(22.0));
        one.watts = 700.0;
        many.watts = 700.0;
        let before = one.stored(&H100);
        let gone = one.step(&H100, 25.0, 11.0, 600.0);
        let gone_in_parts: f64 = (0..6000).map(|_| many.step(&H100, 25.0, 11.0, 0.1)).sum();
        assert!((one.die - many.die).abs() < 1e-8 && (one.sink - many.sink).abs() < 1e-8);
        assert!((gone - gone_in_parts).abs() < 1e-4);
        assert!((700.0 * 600.0 - gone - (one.stored(&H100) - before)).abs() < 1e-6);
    }

    #[test]
    fn with_an_all_but_insulated_sink_it_heats_like_its_heat_capacity() {
        let mut chip = Chip::cold(50.0);
        chip.watts = 300.0;
        chip.step(&H100, 20.0, 1e-6, 60.0);
        let mean = (chip.stored(&H100)) / (H100.die_store + H100.sink_store);
        assert!((mean - (50.0 + 300.0 * 60.0 / (H100.die_store + H100.sink_store))).abs() < 0.01);
    }
}
