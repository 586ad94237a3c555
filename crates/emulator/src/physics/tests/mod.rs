//! Racks for the tests, and what must hold of every one.
#![allow(clippy::unwrap_used)]

mod energy;
mod events;
mod figures;

use super::breaker::Curve;
use super::circuit::{AIR, Circuit, Cooler, Leak, PG25, Pumps, Steel, WATER};
use super::gear::{Gear, GearId, Phases, Piece};
use super::kinds::Kind;
use super::load::Trace;
use super::{BoxId, Plant, Quantity, Readings};

/// A room of so many cubic metres, cooled to this temperature.
pub(super) fn room(cubic_metres: f64, celsius: f64, capacity: f64) -> Circuit {
    Circuit {
        name: "room".into(),
        heat: AIR,
        cold: celsius,
        hot: celsius,
        cold_volume: cubic_metres / 2.0,
        hot_volume: cubic_metres / 2.0,
        filling: 1.0,
        steel: None,
        cooler: Cooler {
            set_point: celsius,
            effectiveness: 0.8,
            capacity,
            water: celsius - 12.0,
            water_flow: 1e6,
            lag: 20.0,
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

/// Steel of so many kilograms, washed so well.
pub(super) fn steel(kilograms: f64, conductance: f64, celsius: f64) -> Steel {
    Steel {
        store: kilograms * 490.0,
        conductance,
        celsius,
    }
}

/// A loop of so many litres and litres a minute, which comes out at 25 °C.
pub(super) fn coolant(litres: f64, flow: f64, heat: f64, supply: f64) -> Circuit {
    Circuit {
        heat,
        name: "cdu-loop".into(),
        cold: supply,
        hot: supply,
        cold_volume: litres / 2.0,
        hot_volume: litres / 2.0,
        cooler: Cooler {
            set_point: supply,
            capacity: 1e6,
            water: supply - 10.0,
            water_flow: 1.5 * flow / 60.0 * WATER,
            lag: 15.0,
            ..room(1.0, supply, 1e6).cooler
        },
        pumps: Some(Pumps {
            stopped: 0,
            count: 3,
            needed: 2,
            litres_per_minute: flow,
            watts: 900.0,
            rpm: 4200.0,
            speed: 1.0,
            fed: true,
        }),
        ..room(1.0, supply, 1e6)
    }
}

/// A feed with its breaker and a PDU behind it; its outlets follow.
pub(super) fn feed(plant: &mut Plant, name: &str, amps: f64, outlets: usize) -> Vec<GearId> {
    let source = plant.add_gear(
        Piece::new(name, Gear::Source { on: true }, &[], Phases::Three, 230.0),
        None,
    );
    let breaker = Gear::Breaker {
        amps,
        curve: Curve::Hydraulic,
        heat: [0.0; 3],
        tripped: false,
    };
    let breaker = plant.add_gear(
        Piece::new(&format!("{name}-breaker"), breaker, &[source], Phases::Three, 230.0),
        None,
    );
    let pdu = Piece::new(&format!("pdu-{name}"), Gear::Pdu, &[breaker], Phases::Three, 230.0);
    let pdu = plant.add_gear(pdu, None);
    (0..outlets)
        .map(|n| {
            let phases = Phases::One((n % 3) as u8);
            plant.add_gear(Piece::new("", Gear::Outlet { on: true }, &[pdu], phases, 230.0), None)
        })
        .collect()
}

/// One box in a room that never warms, with two feeds that never trip, on and loaded.
pub(super) fn alone(kind: &Kind, inlet: f64, load: f64) -> (Plant, BoxId) {
    let mut plant = Plant::new();
    let air = plant.add_circuit(room(1e7, inlet, 1e9));
    let a = feed(&mut plant, "a", 1e4, 1);
    let b = feed(&mut plant, "b", 1e4, 1);
    let kind = Kind {
        recirculation: 0.0,
        ..*kind
    };
    let it = plant.add_box("box", &kind, air, None, &[a[0], b[0]]);
    plant.set_on(it, true);
    plant.set_load(it, Trace::Constant(load));
    (plant, it)
}

pub(super) fn read(plant: &Plant, of: BoxId, what: Quantity) -> f64 {
    plant.read(of, what).unwrap_or_else(|| panic!("no {what}"))
}

/// A liquid rack of so many compute trays and switch trays on shelves, with its coolant unit.
pub(super) fn liquid(trays: usize, switches: usize, litres: f64) -> (Plant, Vec<BoxId>, BoxId) {
    use super::kinds::{CDU, GB200_TRAY, NVLINK_TRAY};
    let mut plant = Plant::new();
    let mut air = room(200.0, 22.0, 60_000.0);
    air.steel = Some(steel(1500.0, 300.0, 22.0));
    let air = plant.add_circuit(air);
    let loop_ = plant.add_circuit(coolant(litres, 200.0, PG25, 25.0));
    let source = plant.add_gear(
        Piece::new("feed", Gear::Source { on: true }, &[], Phases::Three, 240.0),
        None,
    );
    let shelves: Vec<GearId> = (0..8)
        .map(|n| {
            let shelf = Gear::Shelf {
                count: 6,
                failed: 0,
                capacity: 5500.0,
                fixed: 17.0,
                gain: 0.96,
                battery: None,
                off: false,
            };
            plant.add_gear(
                Piece::new(&format!("shelf-{n}"), shelf, &[source], Phases::Three, 240.0),
                Some(air),
            )
        })
        .collect();
    let bus = plant.add_gear(Piece::new("bus", Gear::Bus, &shelves, Phases::Three, 50.0), None);
    let outlets = feed(&mut plant, "a", 63.0, 2);
    let boxes: Vec<BoxId> = (0..trays + switches)
        .map(|n| {
            let kind = if n < trays { GB200_TRAY } else { NVLINK_TRAY };
            let it = plant.add_box(&format!("t{n}"), &kind, air, Some(loop_), &[bus]);
            plant.set_on(it, true);
            plant.set_load(it, Trace::Constant(1.0));
            it
        })
        .collect();
    let cdu = plant.add_box("cdu", &CDU, air, None, &outlets);
    plant.set_pumps(cdu, loop_);
    plant.set_on(cdu, true);
    (plant, boxes, cdu)
}
