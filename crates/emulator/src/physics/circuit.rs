//! What carries heat away from boxes and goes round: a room's air, a loop of coolant, a tank's fluid.
//!
//! Each has a cold leg, from which boxes draw, and a hot one, to which they give; a flow between them; perhaps steel that
//! the hot leg washes; and a cooler, which takes heat from the hot leg to the facility's water and sends the rest on. A
//! cooler is an exchanger of some effectiveness (ε-NTU, Q = ε·C_min·(T_hot − T_water)) behind a valve that seeks the set
//! point with a lag. Each flux is taken at the middle of a short step and moved once.

/// Joules in a litre of water with a quarter of propylene glycol, for each kelvin.
pub const PG25: f64 = 3980.0;
/// In a litre of water.
pub const WATER: f64 = 4180.0;
/// In a litre of a single-phase immersion fluid.
pub const IMMERSION: f64 = 1750.0;
/// In a cubic metre of air.
pub const AIR: f64 = 1200.0;
/// Share of the nominal flow that moves by itself when no pump turns.
const BY_ITSELF: f64 = 0.005;
/// A loop that has lost more than this share of its filling draws air.
const DRAWS_AIR: f64 = 0.3;
/// Pumps' full speed, revolutions a minute.
pub const PUMP_RPM: f64 = 4200.0;
/// Pumps run up and down in this time, seconds.
const PUMP_LAG: f64 = 2.0;
/// A valve that has nothing behind it closes in this time.
const SHUT_LAG: f64 = 3.0;

/// The cooler of a circuit.
#[derive(Debug, Clone, PartialEq)]
pub struct Cooler {
    /// What it seeks to send out, °C.
    pub set_point: f64,
    /// ε of the exchanger with its valve wide open.
    pub effectiveness: f64,
    /// Most that it can take, watts.
    pub capacity: f64,
    /// Facility water that comes, °C.
    pub water: f64,
    /// Its flow times its heat, W/K.
    pub water_flow: f64,
    /// The valve's lag, seconds; after a stop it takes as long to come back.
    pub lag: f64,
    /// Whether it works.
    pub works: bool,
    /// How far open the valve is, 0 to 1.
    pub open: f64,
    /// Taken now, watts.
    pub taking: f64,
}

/// Steel in a room: it takes heat from the hot leg and gives it back.
#[derive(Debug, Clone, PartialEq)]
pub struct Steel {
    /// J/K.
    pub store: f64,
    /// To the hot leg, W/K.
    pub conductance: f64,
    /// °C.
    pub celsius: f64,
}

/// The pumps of a circuit.
#[derive(Debug, Clone, PartialEq)]
pub struct Pumps {
    /// Which are broken or stopped.
    pub stopped: u8,
    /// How many there are, at most 8.
    pub count: u8,
    /// How many give the whole flow.
    pub needed: u8,
    /// Litres a minute of the whole flow.
    pub litres_per_minute: f64,
    /// Watts of one at full speed.
    pub watts: f64,
    /// Revolutions a minute at full speed.
    pub rpm: f64,
    /// Speed of those that run, 0 to 1.
    pub speed: f64,
    /// Whether they have power; set by the plant.
    pub fed: bool,
}

/// A leak: litres a minute, and what it has come to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Leak {
    /// Litres a minute.
    pub rate: f64,
    /// Litres that have gone.
    pub gone: f64,
}

/// A circuit.
#[derive(Debug, Clone, PartialEq)]
pub struct Circuit {
    /// Its name: `room`, `r1/cdu`.
    pub name: String,
    /// Joules in a litre (of fluid) or cubic metre (of air), for each kelvin.
    pub heat: f64,
    /// °C.
    pub cold: f64,
    /// °C.
    pub hot: f64,
    /// Litres, or cubic metres, in the cold leg when it is full.
    pub cold_volume: f64,
    /// In the hot leg.
    pub hot_volume: f64,
    /// Share of the filling that is there.
    pub filling: f64,
    /// Steel, if any.
    pub steel: Option<Steel>,
    /// What takes the heat.
    pub cooler: Cooler,
    /// What moves it; a room's air is moved by its boxes.
    pub pumps: Option<Pumps>,
    /// What it loses.
    pub leak: Leak,
    /// W/K that goes round now.
    pub flow: f64,
    /// What boxes give it in this step, watts.
    pub gain: f64,
    /// Joules that the cooler has taken.
    pub removed: f64,
    /// Joules that went with what leaked, above 0 °C.
    pub leaked: f64,
}

impl Circuit {
    /// W/K of the nominal flow of its pumps.
    pub fn nominal(&self) -> f64 {
        self.pumps
            .as_ref()
            .map_or(0.0, |p| p.litres_per_minute / 60.0 * self.heat)
    }

    /// Flow as a share of the pumps' nominal one.
    pub fn share(&self) -> f64 {
        let Some(pumps) = &self.pumps else { return 1.0 };
        let running = f64::from(pumps.count.saturating_sub(pumps.stopped.count_ones() as u8));
        let whole = (running / f64::from(pumps.needed.max(1))).min(1.0) * pumps.speed;
        let air = ((self.filling - (1.0 - DRAWS_AIR) + 0.1) / 0.1).clamp(0.0, 1.0);
        (whole * air).max(BY_ITSELF)
    }

    /// Watts that its pumps draw.
    pub fn pump_watts(&self) -> f64 {
        self.pumps.as_ref().map_or(0.0, |p| {
            let running = f64::from(p.count.saturating_sub(p.stopped.count_ones() as u8));
            running * p.watts * p.speed.powi(3)
        })
    }

    /// Heat capacity of each leg, J/K.
    pub fn stores(&self) -> (f64, f64) {
        let full = self.heat * self.filling;
        (self.cold_volume * full, self.hot_volume * full)
    }

    /// Heat in it above 0 °C, joules.
    pub fn stored(&self) -> f64 {
        let (cold, hot) = self.stores();
        cold * self.cold + hot * self.hot + self.steel.as_ref().map_or(0.0, |s| s.store * s.celsius)
    }

    /// 0 dry, 1 moist, 2 wet: a rope detector under the loop.
    pub fn detector(&self) -> u8 {
        match self.leak.gone {
            g if g > 0.5 => 2,
            g if g > 0.02 => 1,
            _ => 0,
        }
    }

    /// The shortest time in which a leg is exchanged, seconds.
    fn grain(&self) -> f64 {
        let (cold, hot) = self.stores();
        let c = &self.cooler;
        let taken = c.effectiveness * self.flow.min(c.water_flow);
        let steel = self.steel.as_ref().map_or(0.0, |s| s.conductance);
        (cold / self.flow.max(1e-9)).min(hot / (self.flow + taken + steel).max(1e-9))
    }

    /// What the cooler takes from a hot leg of this temperature, watts.
    fn takes(&self, hot: f64) -> f64 {
        let c = &self.cooler;
        let at_most = c.effectiveness * self.flow.min(c.water_flow) * (hot - c.water);
        (c.open * at_most).clamp(0.0, c.capacity)
    }

    fn move_valve(&mut self, seconds: f64) {
        let hot = self.hot;
        let flow = self.flow;
        let c = &mut self.cooler;
        let at_most = (c.effectiveness * flow.min(c.water_flow) * (hot - c.water)).min(c.capacity);
        let wanted = flow * (hot - c.set_point);
        let (target, lag) = match c.works {
            false => (0.0, SHUT_LAG),
            true if at_most <= 0.0 => (if wanted > 0.0 { 1.0 } else { 0.0 }, c.lag),
            true => ((wanted / at_most).clamp(0.0, 1.0), c.lag),
        };
        c.open = target + (c.open - target) * (-seconds / lag).exp();
    }

    /// Lets `seconds` pass with [`Circuit::gain`] going into the hot leg.
    pub fn step(&mut self, seconds: f64) {
        if let Some(p) = &mut self.pumps {
            let target = f64::from(u8::from(p.fed));
            p.speed = target + (p.speed - target) * (-seconds / PUMP_LAG).exp();
            self.flow = self.nominal() * self.share();
        }
        let steps = (seconds / (0.4 * self.grain())).ceil().clamp(1.0, 4000.0);
        let h = seconds / steps;
        let before = self.removed;
        for _ in 0..steps as u32 {
            self.move_valve(h);
            self.short_step(h);
        }
        self.cooler.taking = (self.removed - before) / seconds;
        self.lose(seconds);
    }

    /// The explicit midpoint rule: second order, and what one leg loses the other gains.
    fn short_step(&mut self, h: f64) {
        let (cold_store, hot_store) = self.stores();
        let rates = |cold: f64, hot: f64, steel: f64| {
            let taken = self.takes(hot);
            let to_steel = self.steel.as_ref().map_or(0.0, |s| s.conductance * (hot - steel));
            (self.flow * (hot - cold), taken, to_steel)
        };
        let steel = self.steel.as_ref().map_or(0.0, |s| s.celsius);
        let store = self.steel.as_ref().map_or(1.0, |s| s.store);
        let (round, taken, to_steel) = rates(self.cold, self.hot, steel);
        let cold = self.cold + 0.5 * h * (round - taken) / cold_store;
        let hot = self.hot + 0.5 * h * (self.gain - round - to_steel) / hot_store;
        let (round, taken, to_steel) = rates(cold, hot, steel + 0.5 * h * to_steel / store);
        self.cold += h * (round - taken) / cold_store;
        self.hot += h * (self.gain - round - to_steel) / hot_store;
        self.removed += h * taken;
        if let Some(s) = &mut self.steel {
            s.celsius += h * to_steel / s.store;
        }
    }

    /// What leaks takes its heat along, from both legs alike.
    fn lose(&mut self, seconds: f64) {
        let full = self.cold_volume + self.hot_volume;
        // a loop never runs quite dry: what stands in the plates stays
        let left = full * (self.filling - 0.05).max(0.0);
        let litres = (self.leak.rate / 60.0 * seconds).min(left);
        if litres <= 0.0 {
            return;
        }
        let mean = (self.cold * self.cold_volume + self.hot * self.hot_volume) / full;
        self.leaked += litres * self.heat * mean;
        self.leak.gone += litres;
        self.filling -= litres / full;
    }

    /// Fills in what is missing, as warm as what is there: what leaked comes back by the books.
    pub fn fill_up(&mut self) {
        let before = self.stored();
        self.filling = 1.0;
        self.leaked -= self.stored() - before;
    }

    /// Litres, or cubic metres, that are in it.
    pub fn litres(&self) -> f64 {
        (self.cold_volume + self.hot_volume) * self.filling
    }

    /// Facility water behind the cooler, °C.
    pub fn water_return(&self) -> f64 {
        self.cooler.water + self.cooler.taking / self.cooler.water_flow.max(1e-9)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A loop of so many litres and litres a minute.
    pub(crate) fn looped(litres: f64, flow: f64) -> Circuit {
        Circuit {
            name: "loop".into(),
            heat: PG25,
            cold: 25.0,
            hot: 25.0,
            cold_volume: litres / 2.0,
            hot_volume: litres / 2.0,
            filling: 1.0,
            steel: None,
            cooler: Cooler {
                set_point: 25.0,
                effectiveness: 0.8,
                capacity: 1e6,
                water: 15.0,
                water_flow: flow / 60.0 * WATER,
                lag: 10.0,
                works: true,
                open: 0.0,
                taking: 0.0,
            },
            pumps: Some(Pumps {
                stopped: 0,
                count: 3,
                needed: 2,
                litres_per_minute: flow,
                watts: 0.0,
                rpm: 4200.0,
                speed: 1.0,
                fed: true,
            }),
            leak: Leak::default(),
            flow: flow / 60.0 * PG25,
            gain: 0.0,
            removed: 0.0,
            leaked: 0.0,
        }
    }

    #[test]
    fn a_loop_of_60_litres_that_loses_its_cooling_at_120_kw_gains_10_kelvin_in_20_seconds() {
        for (litres, wanted) in [(60.0, 20.0), (200.0, 66.0)] {
            let mut it = looped(litres, 600.0);
            it.cooler.works = false;
            it.gain = 120_000.0;
            let start = it.stored();
            let mut seconds = 0.0;
            while (it.cold + it.hot) / 2.0 < 35.0 {
                it.step(0.1);
                seconds += 0.1;
            }
            // closed form: C ΔT / P; 2 %
            assert!(f64::abs(seconds / wanted - 1.0) < 0.02, "{litres} l: {seconds} s");
            assert!((it.stored() - start - 120_000.0 * seconds).abs() < 1.0);
        }
    }

    #[test]
    fn it_holds_its_set_point_and_warms_by_what_the_flow_says() {
        let mut it = looped(120.0, 180.0);
        it.gain = 100_000.0;
        it.step(3600.0);
        it.step(60.0);
        assert!((it.cold - 25.0).abs() < 0.05, "{}", it.cold);
        let kelvin = 100_000.0 / (180.0 / 60.0 * PG25);
        assert!((it.hot - it.cold - kelvin).abs() < 0.01, "{} {}", it.hot, it.cold);
        assert!((it.cooler.taking - 100_000.0).abs() < 500.0);
    }

    #[test]
    fn a_pump_that_fails_is_made_up_for_by_the_spare_and_two_are_not() {
        let mut it = looped(120.0, 180.0);
        it.pumps.as_mut().expect("it has pumps").stopped = 1;
        assert_eq!(it.share(), 1.0);
        it.pumps.as_mut().expect("it has pumps").stopped = 3;
        assert_eq!(it.share(), 0.5);
    }

    #[test]
    fn what_leaks_takes_its_heat_along_and_an_empty_loop_moves_nothing() {
        let mut it = looped(60.0, 180.0);
        it.cooler.works = false;
        it.leak.rate = 12.0;
        let start = it.stored();
        it.step(60.0);
        assert!((it.litres() - 48.0).abs() < 1e-9);
        assert!((start - it.stored() - it.leaked).abs() / start < 1e-12);
        assert_eq!(it.detector(), 2);
        it.step(600.0);
        assert_eq!(it.share(), BY_ITSELF);
        let books = it.stored() + it.leaked;
        it.fill_up();
        assert_eq!((it.litres(), it.share()), (60.0, 1.0));
        assert!((it.stored() + it.leaked - books).abs() / books < 1e-12);
    }
}
