//! Energy in is energy out and stored, whatever is done; and the length of steps does not matter.

use proptest::prelude::*;

use super::*;
use crate::physics::gear::Battery;
use crate::physics::kinds::{ALL, CDU, GB200_TRAY, SERVER_2S, SERVER_8GPU};
use crate::physics::quantity::Quantity::*;

/// What is done between two stretches of time.
#[derive(Debug, Clone)]
enum Deed {
    Load(usize, f64),
    Named(usize, &'static str),
    On(usize, bool),
    Cap(usize, Option<f64>),
    Feed(bool, bool),
    Cable(usize, bool),
    Fans(usize, bool),
    Pumps(bool),
    Cooling(bool, bool),
    Leak(f64),
    Trip(bool, bool),
    Door(bool),
}

fn deed() -> impl Strategy<Value = Deed> {
    let n = 0usize..6;
    prop_oneof![
        (n.clone(), 0.0..1.0f64).prop_map(|(n, l)| Deed::Load(n, l)),
        (n.clone(), prop_oneof![Just("training"), Just("inference")]).prop_map(|(n, l)| Deed::Named(n, l)),
        (n.clone(), any::<bool>()).prop_map(|(n, o)| Deed::On(n, o)),
        (n.clone(), proptest::option::of(100.0..3000.0f64)).prop_map(|(n, c)| Deed::Cap(n, c)),
        (any::<bool>(), any::<bool>()).prop_map(|(a, l)| Deed::Feed(a, l)),
        (n.clone(), any::<bool>()).prop_map(|(n, p)| Deed::Cable(n, p)),
        (n, any::<bool>()).prop_map(|(n, f)| Deed::Fans(n, f)),
        any::<bool>().prop_map(Deed::Pumps),
        (any::<bool>(), any::<bool>()).prop_map(|(r, s)| Deed::Cooling(r, s)),
        // at 0 it is mended, and the loop filled up
        prop_oneof![0.0..30.0f64, Just(0.0)].prop_map(Deed::Leak),
        (any::<bool>(), any::<bool>()).prop_map(|(a, o)| Deed::Trip(a, o)),
        any::<bool>().prop_map(Deed::Door),
    ]
}

/// Any kinds of boxes, behind a transfer switch and an uninterruptible supply on one side and a plain feed on the other,
/// and liquid ones on shelves with batteries.
fn any_rack(kinds: &[usize], volume: f64, steel_kilograms: f64, battery: f64, door: Option<f64>) -> Plant {
    let mut plant = Plant::new();
    let mut air = room(volume, 22.0, 40_000.0);
    air.steel = Some(steel(steel_kilograms, 0.5 * steel_kilograms, 20.0));
    let air = plant.add_circuit(air);
    let loop_ = plant.add_circuit(coolant(80.0, 120.0, PG25, 27.0));
    let mut tank = coolant(900.0, 400.0, crate::physics::circuit::IMMERSION, 35.0);
    tank.name = "tank".into();
    let tank = plant.add_circuit(tank);
    let piece = |name: &str, gear, parents: &[GearId]| Piece::new(name, gear, parents, Phases::Three, 230.0);
    let utility = plant.add_gear(piece("utility", Gear::Source { on: true }, &[]), None);
    let generator = plant.add_gear(piece("generator", Gear::Source { on: true }, &[]), None);
    let switch = Gear::Transfer {
        takes: 0,
        millis: 8.0,
        moved: false,
    };
    let switch = plant.add_gear(piece("switch", switch, &[utility, generator]), None);
    let battery = Battery {
        joules: battery,
        full: 2.0 * battery,
        charge: 2000.0,
        carries: false,
    };
    let ups = Gear::Ups {
        capacity: 40_000.0,
        fixed: 300.0,
        gain: 0.95,
        battery: battery.clone(),
        overload: 0.0,
        off: false,
    };
    let ups = plant.add_gear(piece("ups", ups, &[switch]), None);
    let breaker = Gear::Breaker {
        amps: 63.0,
        curve: Curve::Hydraulic,
        heat: [0.0; 3],
        tripped: false,
    };
    let breaker = plant.add_gear(piece("breaker", breaker, &[ups]), None);
    let shelf = Gear::Shelf {
        count: 6,
        failed: 0,
        capacity: 5500.0,
        fixed: 17.0,
        gain: 0.96,
        battery: Some(battery),
        off: false,
    };
    let shelves: Vec<GearId> = ["shelf-0", "shelf-1"]
        .map(|n| plant.add_gear(piece(n, shelf.clone(), &[breaker]), Some(air)))
        .into();
    let bus = plant.add_gear(piece("bus", Gear::Bus, &shelves), None);
    let b = feed(&mut plant, "b", 63.0, 8);
    let one: Vec<GearId> = (0..8)
        .map(|n| {
            let outlet = Piece::new("", Gear::Outlet { on: true }, &[breaker], Phases::One(n % 3), 230.0);
            plant.add_gear(outlet, None)
        })
        .collect();
    for (n, kind) in kinds.iter().enumerate() {
        let kind = ALL[kind % ALL.len()];
        let dc = kind.supply.count == 1 && kind.supply.fixed == GB200_TRAY.supply.fixed;
        let at = match kind.cooled {
            crate::physics::kinds::Cooled::Tank => tank,
            _ => air,
        };
        let cords = if dc { vec![bus] } else { vec![one[n], b[n]] };
        let it = plant.add_box(&format!("u{n}"), &kind, at, Some(loop_), &cords);
        plant.set_on(it, true);
        plant.set_load(it, Trace::Constant(0.5));
    }
    for (name, moves) in [("cdu", loop_), ("tank-pump", tank)] {
        let it = plant.add_box(name, &CDU, air, None, &[one[7], b[7]]);
        plant.set_pumps(it, moves);
        plant.set_on(it, true);
    }
    if let Some(water) = door {
        plant.set_door(0.6, water);
    }
    plant
}

fn apply(plant: &mut Plant, deed: &Deed) {
    let name = |n: &usize| format!("u{n}");
    let find = |plant: &Plant, n: &usize| plant.find(&format!("u{n}"));
    match deed {
        Deed::Load(n, load) => find(plant, n)
            .into_iter()
            .for_each(|it| plant.set_load(it, Trace::Constant(*load))),
        Deed::Named(n, text) => {
            let trace = Trace::named(text, 3).unwrap();
            find(plant, n)
                .into_iter()
                .for_each(|it| plant.set_load(it, trace.clone()));
        }
        Deed::On(n, on) => find(plant, n).into_iter().for_each(|it| plant.set_on(it, *on)),
        Deed::Cap(n, watts) => find(plant, n).into_iter().for_each(|it| plant.set_cap(it, *watts)),
        Deed::Feed(utility, lost) => plant.lose_feed(if *utility { "utility" } else { "b" }, *lost).unwrap(),
        Deed::Cable(n, pulled) => drop(plant.pull_cable(&name(n), 0, *pulled)),
        Deed::Fans(n, failed) => drop(plant.fail_fan(&name(n), None, *failed)),
        Deed::Pumps(stopped) => plant.stop_pump("cdu", Some(0), *stopped).unwrap(),
        Deed::Cooling(air, stopped) => plant.stop_cooling(if *air { "room" } else { "cdu" }, *stopped).unwrap(),
        Deed::Leak(rate) => plant.leak("cdu", *rate).unwrap(),
        Deed::Trip(first, open) => plant.trip(if *first { "breaker" } else { "b-breaker" }, *open).unwrap(),
        Deed::Door(works) => {
            if let Some(door) = &mut plant.door {
                door.works = *works;
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn energy_in_is_energy_out_and_stored(
        kinds in proptest::collection::vec(0usize..64, 1..6),
        volume in 3.0..300.0f64,
        kilograms in 50.0..2000.0f64,
        battery in 1e4..1e7f64,
        door in proptest::option::of(14.0..20.0f64),
        deeds in proptest::collection::vec((deed(), 0.01..2000.0f64), 1..12),
    ) {
        let mut plant = any_rack(&kinds, volume, kilograms, battery, door);
        let start = plant.account();
        for (deed, seconds) in &deeds {
            apply(&mut plant, deed);
            plant.advance(*seconds);
            let now = plant.account();
            let stored = now.stored - start.stored;
            let off = now.came - now.went - stored;
            // relative to what moved: energy in, or what was stored to begin with and came out
            let scale = now.came + now.went + stored.abs() + 1.0;
            prop_assert!((off / scale).abs() < 1e-6, "{off} J of {scale} J after {deed:?}");
            for chip in &plant.chips {
                prop_assert!(chip.watts >= 0.0 && chip.die.is_finite() && chip.die > 0.0);
            }
            prop_assert!(plant.gear.iter().all(|p| p.into.iter().all(|w| *w >= 0.0)));
        }
    }
}

#[test]
fn one_step_of_an_hour_and_3600_of_a_second_agree() {
    let make = || {
        let mut plant = any_rack(&[0, 3, 7, 8], 80.0, 400.0, 3e6, None);
        plant.set_load(plant.find("u1").unwrap(), Trace::Constant(0.9));
        plant
    };
    let (mut one, mut many) = (make(), make());
    one.advance(3600.0);
    (0..3600).for_each(|_| many.advance(1.0));
    for name in ["u0", "u1", "u2", "u3"] {
        let it = one.find(name).unwrap();
        for what in [CpuCelsius(0), GpuCelsius(0), BoardCelsius, ExhaustCelsius] {
            if let (Some(a), Some(b)) = (one.read(it, what), many.read(it, what)) {
                assert!((a - b).abs() < 0.1, "{name} {what}: {a} and {b}");
            }
        }
        let (a, b) = (read(&one, it, TotalJoules), read(&many, it, TotalJoules));
        assert!((a / b - 1.0).abs() < 1e-3, "{name}: {a} J and {b} J");
    }
}

#[test]
fn at_rest_and_off_everything_is_as_warm_as_what_surrounds_it() {
    let (mut plant, it) = alone(&SERVER_2S, 22.0, 1.0);
    plant.advance(1800.0);
    plant.set_on(it, false);
    plant.lose_feed("a", true).unwrap();
    plant.lose_feed("b", true).unwrap();
    plant.advance(86_400.0);
    for what in [CpuCelsius(0), BoardCelsius, ExhaustCelsius] {
        assert!((read(&plant, it, what) - 22.0).abs() < 0.01, "{what}");
    }
    assert_eq!(read(&plant, it, TotalWatts), 0.0);
}

#[test]
fn a_cap_is_held_at_every_load_and_an_accelerators_own_holds_it_alone() {
    let (mut plant, it) = alone(&SERVER_8GPU, 22.0, 0.0);
    let (least, most) = SERVER_8GPU.wall();
    for cap in [least, (least + most) / 2.0, most] {
        plant.set_cap(it, Some(cap));
        for load in [0.0, 0.5, 1.0] {
            plant.set_load(it, Trace::Constant(load));
            plant.advance(600.0);
            let drawn = read(&plant, it, TotalWatts);
            assert!(drawn <= cap + 0.01, "{drawn} of {cap}");
        }
    }
    plant.set_cap(it, None);
    plant.advance(600.0);
    let (whole, work) = (read(&plant, it, GpuWatts(0)), read(&plant, it, WorkPercent));
    plant.set_gpu_cap(it, 0, Some(300.0));
    plant.advance(1.0);
    assert_eq!(
        (whole, read(&plant, it, GpuWatts(0)), read(&plant, it, GpuWatts(1))),
        (700.0, 300.0, 700.0)
    );
    assert!(read(&plant, it, WorkPercent) < work - 5.0);
}
