//! A plant made of a description.

use super::{Cord, Described, Loop, Pdu};
use crate::physics::circuit::{AIR, Circuit, Cooler, Leak, PUMP_RPM, Pumps, Steel, WATER};
use crate::physics::gear::{Battery, Gear, GearId, Phases, Piece};
use crate::physics::kinds::Cooled;
use crate::physics::{BoxId, Plant};

/// Steel, J/(kg·K).
const STEEL: f64 = 490.0;
/// W/K between air and a kilogram of steel: sheet of a millimetre and a half, both sides, 5 W/(m²·K).
const WASHED: f64 = 0.85;
/// Supplies that give more than this hang on all three phases.
const ONE_PHASE: f64 = 3700.0;

/// A plant, and where the description's boxes stand in it.
pub struct Made {
    /// The plant.
    pub plant: Plant,
    /// As in [`Described::boxes`].
    pub boxes: Vec<BoxId>,
}

impl Described {
    /// Makes the plant. Servers are off until somebody starts them; what has no power button is on and does what it is asked
    /// to.
    pub fn plant(&self) -> Made {
        let mut plant = Plant::new();
        let air = plant.add_circuit(self.air());
        let loops: Vec<u8> = self.loops.iter().map(|l| plant.add_circuit(circuit(l))).collect();
        if let Some(door) = &self.door {
            plant.set_door(door.effectiveness, door.water);
        }
        let feeds: Vec<GearId> = (0..self.feeds.len()).map(|n| self.add_feed(&mut plant, n)).collect();
        let outlets: Vec<Vec<GearId>> = self
            .pdus
            .iter()
            .enumerate()
            .map(|(n, pdu)| self.add_pdu(&mut plant, n, pdu, feeds[pdu.feed]))
            .collect();
        let buses = self.add_buses(&mut plant, &feeds, air);
        let mut boxes = Vec::new();
        for b in &self.boxes {
            let cords: Vec<GearId> = b
                .cords
                .iter()
                .filter_map(|c| match c {
                    Cord::Outlet(pdu, n) => outlets[*pdu].get(*n).copied(),
                    Cord::Bus(name) => buses.iter().find(|(bus, _)| bus == name).map(|(_, id)| *id),
                })
                .collect();
            let on = b.on.map(|n| loops[n]);
            let at = match b.kind.cooled {
                Cooled::Tank => on.unwrap_or(air),
                _ => air,
            };
            let it = plant.add_box(&b.place, &b.kind, at, on, &cords);
            if let Some(loop_) = on.filter(|_| b.moves) {
                plant.set_pumps(it, loop_);
            }
            let started = b.as_.is_server();
            plant.starts_itself(it, !started);
            if !started {
                plant.set_on(it, true);
            }
            plant.set_load(it, b.load.clone());
            boxes.push(it);
        }
        plant.settle();
        Made { plant, boxes }
    }

    fn air(&self) -> Circuit {
        let r = &self.room;
        Circuit {
            name: "room".into(),
            heat: AIR,
            cold: r.celsius,
            hot: r.celsius,
            cold_volume: r.cubic_metres / 2.0,
            hot_volume: r.cubic_metres / 2.0,
            filling: 1.0,
            steel: (r.steel > 0.0).then_some(Steel {
                store: r.steel * STEEL,
                conductance: r.steel * WASHED,
                celsius: r.celsius,
            }),
            cooler: Cooler {
                set_point: r.celsius,
                effectiveness: 0.8,
                capacity: r.cooling,
                // chilled water
                water: r.celsius - 12.0,
                water_flow: r.cooling / 5.0,
                lag: r.restart / 3.0,
                works: true,
                open: 0.0,
                taking: 0.0,
            },
            pumps: None,
            leak: Leak::default(),
            flow: 0.0,
            gain: 0.0,
            removed: 0.0,
            leaked: 0.0,
        }
    }

    /// Source, transfer switch, uninterruptible supply, breaker; says which piece is the feed.
    fn add_feed(&self, plant: &mut Plant, n: usize) -> GearId {
        let f = &self.feeds[n];
        let phases = if f.phases == 3 { Phases::Three } else { Phases::One(0) };
        let mut add = |name: &str, gear: Gear, parents: &[GearId]| {
            plant.add_gear(Piece::new(name, gear, parents, phases, f.volts), None)
        };
        let mut last = add(&f.name, Gear::Source { on: true }, &[]);
        if let Some(millis) = f.transfer {
            let second = add(&format!("{}-second", f.name), Gear::Source { on: true }, &[]);
            let switch = Gear::Transfer {
                takes: 0,
                millis,
                moved: false,
            };
            last = add(&format!("{}-transfer", f.name), switch, &[last, second]);
        }
        if let Some((watts, minutes)) = f.ups {
            let full = watts * minutes * 60.0;
            let ups = Gear::Ups {
                capacity: watts,
                fixed: 0.01 * watts,
                gain: 0.96,
                battery: Battery {
                    joules: full,
                    full,
                    charge: 0.1 * watts,
                    carries: false,
                },
                overload: 0.0,
                off: false,
            };
            last = add(&format!("{}-ups", f.name), ups, &[last]);
        }
        let breaker = Gear::Breaker {
            amps: f.amps,
            curve: f.curve,
            heat: [0.0; 3],
            tripped: false,
        };
        add(&format!("{}-breaker", f.name), breaker, &[last])
    }

    fn add_pdu(&self, plant: &mut Plant, n: usize, pdu: &Pdu, feed: GearId) -> Vec<GearId> {
        let f = &self.feeds[pdu.feed];
        let three = f.phases == 3;
        let phases = if three { Phases::Three } else { Phases::One(0) };
        let it = plant.add_gear(Piece::new(&pdu.name, Gear::Pdu, &[feed], phases, f.volts), None);
        let branches: Vec<GearId> = (0..pdu.branches)
            .map(|b| {
                let breaker = Gear::Breaker {
                    amps: pdu.branch_amps,
                    curve: f.curve,
                    heat: [0.0; 3],
                    tripped: false,
                };
                let name = format!("{}-b{}", pdu.name, b + 1);
                plant.add_gear(Piece::new(&name, breaker, &[it], phases, f.volts), None)
            })
            .collect();
        (0..pdu.outlets)
            .map(|o| {
                let hungry = self
                    .boxes
                    .iter()
                    .any(|b| b.kind.supply.capacity > ONE_PHASE && b.cords.contains(&Cord::Outlet(n, o)));
                let phases = match (three, hungry) {
                    (true, true) => Phases::Three,
                    (true, false) => Phases::One((o % 3) as u8),
                    (false, _) => Phases::One(0),
                };
                let run = (o * branches.len()) / pdu.outlets;
                let parent = branches.get(run).copied().unwrap_or(it);
                plant.add_gear(
                    Piece::new("", Gear::Outlet { on: true }, &[parent], phases, f.volts),
                    None,
                )
            })
            .collect()
    }

    fn add_buses(&self, plant: &mut Plant, feeds: &[GearId], air: u8) -> Vec<(String, GearId)> {
        let mut buses: Vec<(String, Vec<GearId>)> = Vec::new();
        for s in &self.shelves {
            let f = &self.feeds[s.feed];
            let battery = (s.battery > 0.0).then_some(Battery {
                joules: s.battery,
                full: s.battery,
                charge: 0.05 * s.watts,
                carries: false,
            });
            let shelf = Gear::Shelf {
                count: s.rectifiers,
                failed: 0,
                capacity: s.watts,
                fixed: 17.0,
                gain: 0.96,
                battery,
                off: false,
            };
            let phases = if f.phases == 3 { Phases::Three } else { Phases::One(0) };
            let piece = Piece::new(&s.name, shelf, &[feeds[s.feed]], phases, f.volts);
            let id = plant.add_gear(piece, Some(air));
            match buses.iter_mut().find(|(name, _)| *name == s.bus) {
                Some((_, shelves)) => shelves.push(id),
                None => buses.push((s.bus.clone(), vec![id])),
            }
        }
        let add = |(name, shelves): (String, Vec<GearId>)| {
            let piece = Piece::new(&name, Gear::Bus, &shelves, Phases::Three, 50.0);
            let id = plant.add_gear(piece, None);
            (name, id)
        };
        buses.into_iter().map(add).collect()
    }
}

fn circuit(l: &Loop) -> Circuit {
    Circuit {
        name: l.name.clone(),
        heat: l.fluid.heat(),
        cold: l.supply,
        hot: l.supply,
        cold_volume: l.litres / 2.0,
        hot_volume: l.litres / 2.0,
        filling: 1.0,
        steel: None,
        cooler: Cooler {
            set_point: l.supply,
            effectiveness: l.effectiveness,
            capacity: f64::INFINITY,
            water: l.water,
            water_flow: l.water_flow / 60.0 * WATER,
            lag: 15.0,
            works: true,
            open: 0.0,
            taking: 0.0,
        },
        pumps: Some(Pumps {
            stopped: 0,
            count: l.pumps,
            needed: l.pumps.saturating_sub(1).max(1),
            litres_per_minute: l.litres_per_minute,
            watts: l.pump_watts,
            rpm: PUMP_RPM,
            speed: 0.0,
            fed: false,
        }),
        leak: Leak::default(),
        flow: 0.0,
        gain: 0.0,
        removed: 0.0,
        leaked: 0.0,
    }
}
