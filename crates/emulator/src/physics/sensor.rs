//! What a sensor tells of a true value: noise, rounding, and nothing newer than its last refresh.
//!
//! The noise of a reading follows from a seed, the box, the quantity and the refresh that it belongs to, so that asking
//! twice within a refresh tells the same, asking never changes anything, and the same rack tells the same again.

use std::collections::HashMap;

use super::load::unit;
use super::quantity::{BoxId, Quantity, Readings, Unit};

/// How sensors of one kind are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SensorKind {
    /// Standard deviation of its noise, as a share of the value.
    pub noise: f64,
    /// The same, in units.
    pub noise_units: f64,
    /// What it rounds to.
    pub grain: f64,
    /// Seconds between refreshes.
    pub refresh: f64,
}

impl SensorKind {
    /// The sensor that boxes have for this. Power is metered within 1 % and to a watt, once a second; temperatures are
    /// whole degrees from digital sensors; fans tell in steps of 60 rpm, as tachometers of two pulses a turn counted
    /// over half a second do.
    pub fn of(what: Quantity) -> SensorKind {
        let s = |noise, noise_units, grain, refresh| SensorKind {
            noise,
            noise_units,
            grain,
            refresh,
        };
        match (what, what.unit()) {
            (Quantity::FanPercent | Quantity::WorkPercent, _) => s(0.0, 0.0, 1.0, 1.0),
            (_, Unit::Watts) => s(0.005, 0.0, 1.0, 1.0),
            (_, Unit::Joules) => s(0.0, 0.0, 1.0, 1.0),
            (_, Unit::Volts) => s(0.002, 0.0, 0.1, 1.0),
            (_, Unit::Amps) => s(0.005, 0.0, 0.001, 1.0),
            (
                Quantity::CoolantSupplyCelsius
                | Quantity::CoolantReturnCelsius
                | Quantity::FacilitySupplyCelsius
                | Quantity::FacilityReturnCelsius,
                _,
            ) => s(0.0, 0.03, 0.01, 1.0),
            (_, Unit::Celsius | Unit::Kelvin) => s(0.0, 0.15, 1.0, 1.0),
            (_, Unit::Rpm) => s(0.004, 0.0, 60.0, 1.0),
            (_, Unit::Percent) => s(0.0, 0.0, 1.0, 1.0),
            (_, Unit::LitresPerMinute | Unit::Kilopascals | Unit::Litres) => s(0.005, 0.0, 0.1, 1.0),
            (_, Unit::CubicMetresPerSecond) => s(0.01, 0.0, 0.0001, 1.0),
            (_, Unit::State) => s(0.0, 0.0, 1.0, 1.0),
        }
    }
}

/// A sensor that has lost its way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drift {
    /// Units that are added for each hour since `since`.
    pub per_hour: f64,
    /// Units that are added at once.
    pub offset: f64,
    /// The plant's second at which it began.
    pub since: f64,
}

/// The sensors of a plant: what they told at their last refresh.
#[derive(Debug, Clone, Default)]
pub struct Sensors {
    seed: u64,
    drifts: HashMap<(BoxId, Quantity), Drift>,
    told: HashMap<(BoxId, Quantity), (f64, f64)>,
}

impl Sensors {
    /// Sensors whose noise follows from this seed.
    pub fn new(seed: u64) -> Sensors {
        Sensors {
            seed,
            ..Sensors::default()
        }
    }

    /// Makes a sensor drift, or puts it right.
    pub fn set_drift(&mut self, of: BoxId, what: Quantity, drift: Option<Drift>) {
        self.told.remove(&(of, what));
        match drift {
            Some(drift) => self.drifts.insert((of, what), drift),
            None => self.drifts.remove(&(of, what)),
        };
    }

    /// Puts every sensor of a box right.
    pub fn set_right(&mut self, of: BoxId) {
        self.drifts.retain(|(of_, _), _| *of_ != of);
        self.told.retain(|(of_, _), _| *of_ != of);
    }

    /// Forgets what was told of a box: something was done to it by whom its BMC knows of, and it looks again.
    pub fn look_again(&mut self, of: BoxId) {
        self.told.retain(|(of_, _), _| *of_ != of);
    }

    /// The same of all boxes.
    pub fn all_look_again(&mut self) {
        self.told.clear();
    }

    /// What the sensor tells at this second of the plant.
    pub fn tell(&mut self, plant: &impl Readings, now: f64, of: BoxId, what: Quantity) -> Option<f64> {
        let kind = SensorKind::of(what);
        let fresh = |at: f64| (now / kind.refresh).floor() == (at / kind.refresh).floor();
        if let Some((_, value)) = self.told.get(&(of, what)).filter(|(at, _)| fresh(*at)) {
            return Some(*value);
        }
        let drift = self.drifts.get(&(of, what));
        let off = drift.map_or(0.0, |d| d.offset + d.per_hour * (now - d.since).max(0.0) / 3600.0);
        let value = of_true(
            plant.read(of, what)?,
            off,
            kind,
            self.luck(of, what, (now / kind.refresh) as u64),
        );
        self.told.insert((of, what), (now, value));
        Some(value)
    }

    /// A number around 0 with deviation 1, in reach of 3: the sum of uniform ones.
    fn luck(&self, of: BoxId, what: Quantity, refresh: u64) -> f64 {
        let name = what.to_string().bytes().fold(0xcbf2_9ce4_8422_2325u64, |h, b| {
            (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3)
        });
        let seed = self.seed ^ name ^ u64::from(of.0).rotate_left(40);
        let sum: f64 = (0..4)
            .map(|n| unit(seed, refresh.wrapping_mul(4).wrapping_add(n)))
            .sum();
        (sum - 2.0) * 3f64.sqrt()
    }
}

/// What a sensor makes of a true value. Nothing stays nothing: a dead supply reads 0, not noise.
fn of_true(value: f64, off: f64, kind: SensorKind, luck: f64) -> f64 {
    if value == 0.0 && off == 0.0 {
        return 0.0;
    }
    let noisy = value + off + luck * (kind.noise * value.abs() + kind.noise_units);
    let told = (noisy / kind.grain).round() * kind.grain;
    // what the grain's own digits add
    (told * 1e4).round() / 1e4
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Always(f64);
    impl Readings for Always {
        fn find(&self, _: &str) -> Option<BoxId> {
            Some(BoxId(0))
        }
        fn read(&self, _: BoxId, _: Quantity) -> Option<f64> {
            Some(self.0)
        }
    }

    #[test]
    fn noise_is_as_large_as_told_and_the_same_again() {
        let what = Quantity::TotalWatts;
        let tell = |seed| {
            let mut sensors = Sensors::new(seed);
            let all = (0..2000).map(|n| sensors.tell(&Always(600.0), f64::from(n), BoxId(3), what));
            all.flatten().collect::<Vec<f64>>()
        };
        let told = tell(1);
        assert_eq!(told, tell(1));
        assert_ne!(told, tell(2));
        let mean = told.iter().sum::<f64>() / 2000.0;
        let deviation = (told.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 2000.0).sqrt();
        assert!((mean - 600.0).abs() < 0.5, "{mean}");
        // 0.5 % of 600 W, and rounding to a watt adds 0.3
        assert!((2.7..3.4).contains(&deviation), "{deviation}");
        assert!(told.iter().all(|v| v.fract() == 0.0 && (v - 600.0).abs() < 12.0));
    }

    #[test]
    fn it_tells_nothing_newer_than_its_refresh_and_drifts_as_told() {
        let mut sensors = Sensors::new(1);
        let what = Quantity::CpuCelsius(0);
        let first = sensors.tell(&Always(50.0), 10.0, BoxId(0), what);
        assert_eq!(sensors.tell(&Always(90.0), 10.9, BoxId(0), what), first);
        assert!(sensors.tell(&Always(90.0), 11.0, BoxId(0), what) > Some(80.0));
        let drift = Drift {
            per_hour: 36.0,
            offset: 0.0,
            since: 0.0,
        };
        sensors.set_drift(BoxId(0), what, Some(drift));
        let told = sensors.tell(&Always(50.0), 1000.0, BoxId(0), what).unwrap_or_default();
        assert!((told - 60.0).abs() <= 1.0, "{told}");
        sensors.set_right(BoxId(0));
        let told = sensors.tell(&Always(50.0), 1002.0, BoxId(0), what).unwrap_or_default();
        assert!((told - 50.0).abs() <= 1.0, "{told}");
    }
}
