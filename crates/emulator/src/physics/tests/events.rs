//! What happens by itself: breakers trip when the curve says, what hangs on them goes dark, switches change over, batteries
//! run out, heat switches off.

use super::*;
use crate::physics::gear::Battery;
use crate::physics::kinds::{SERVER_2S, SERVER_8GPU};
use crate::physics::quantity::Quantity::*;
use crate::physics::{Happened, Plant};

/// Two feeds of so many amps, and servers on both that draw so much of one feed together.
fn two_feeds(amps: f64, load: f64, boxes: usize) -> (Plant, Vec<BoxId>) {
    let mut plant = Plant::new();
    let air = plant.add_circuit(room(1000.0, 22.0, 1e6));
    let a = feed(&mut plant, "a", amps, boxes);
    let b = feed(&mut plant, "b", amps, boxes);
    let boxes = (0..boxes)
        .map(|n| {
            let it = plant.add_box(&format!("u{n}"), &SERVER_2S, air, None, &[a[n], b[n]]);
            plant.set_on(it, true);
            plant.set_load(it, Trace::Constant(load));
            it
        })
        .collect();
    (plant, boxes)
}

fn when(plant: &mut Plant, what: impl Fn(&Happened) -> bool) -> Option<f64> {
    plant.events().into_iter().find(|e| what(&e.what)).map(|e| e.second)
}

#[test]
fn a_breaker_trips_when_the_curve_says_after_the_other_feed_is_lost_and_all_goes_dark() {
    for (share, seconds, tolerance) in [
        (1.1, 1020.0, 0.10),
        (1.4, 58.0, 0.05),
        (1.6, 14.9, 0.05),
        (2.0, 1.6, 0.15),
    ] {
        // what one phase carries when the other feed is gone
        let (mut plant, boxes) = two_feeds(1e4, 0.7, 9);
        plant.advance(600.0);
        plant.lose_feed("b", true).unwrap();
        plant.advance(60.0);
        let amps = read(&plant, plant.find("pdu-a").unwrap(), PhaseAmps(0));
        let (mut plant, _) = {
            let (mut plant, _) = two_feeds(amps / share, 0.7, 9);
            plant.advance(600.0);
            (plant, boxes)
        };
        plant.lose_feed("b", true).unwrap();
        let start = plant.now;
        plant.events();
        plant.advance(3000.0);
        let dark = when(&mut plant, |h| *h == Happened::Dark).unwrap() - start;
        assert!(
            (dark / seconds - 1.0).abs() < tolerance,
            "{share}: {dark} s, not {seconds} s"
        );
    }
}

#[test]
fn servers_stay_off_when_power_is_back_until_someone_starts_them() {
    let (mut plant, boxes) = two_feeds(63.0, 0.5, 3);
    plant.starts_itself(boxes[0], false);
    plant.advance(60.0);
    for feed in ["a", "b"] {
        plant.lose_feed(feed, true).unwrap();
    }
    plant.advance(1.0);
    assert!(boxes.iter().all(|b| read(&plant, *b, TotalWatts) == 0.0));
    plant.lose_feed("a", false).unwrap();
    plant.advance(1.0);
    assert!(read(&plant, boxes[0], TotalWatts) < 20.0);
    assert!(read(&plant, boxes[1], TotalWatts) > 200.0);
    plant.set_on(boxes[0], true);
    plant.advance(1.0);
    assert!(read(&plant, boxes[0], TotalWatts) > 200.0);
}

#[test]
fn a_pulled_cable_moves_the_load_over_and_an_outlet_that_is_off_too() {
    let (mut plant, boxes) = two_feeds(63.0, 0.8, 2);
    plant.advance(600.0);
    let both = read(&plant, boxes[0], TotalWatts);
    plant.pull_cable("u0", 1, true).unwrap();
    plant.set_outlet("pdu-a", 1, false).unwrap();
    plant.advance(1.0);
    assert_eq!(read(&plant, boxes[0], SupplyInputWatts(1)), 0.0);
    // one supply loses less than two
    let one = read(&plant, boxes[0], TotalWatts);
    assert!(one < both && one > both - 25.0, "{both} {one}");
    assert_eq!(read(&plant, boxes[1], SupplyInputVolts(0)), 0.0);
    let pdu = plant.find("pdu-a").unwrap();
    assert_eq!(read(&plant, pdu, OutletLive(1)), 0.0);
    assert!((read(&plant, pdu, OutletWatts(0)) - one).abs() < 1e-9);
    assert!(plant.pull_cable("u0", 7, true).is_err() && plant.set_outlet("pdu-a", 99, true).is_err());
    let unknown = plant.pull_cable("u99", 0, true).unwrap_err().to_string();
    assert!(unknown.contains("u99") && unknown.contains("u0"), "{unknown}");
}

#[test]
fn a_box_that_asks_for_more_than_one_supply_gives_goes_off_with_the_other() {
    let mut plant = Plant::new();
    let air = plant.add_circuit(room(1000.0, 22.0, 1e6));
    let a = feed(&mut plant, "a", 1000.0, 1);
    let b = feed(&mut plant, "b", 1000.0, 1);
    let mut kind = SERVER_8GPU;
    kind.supply.capacity = 6000.0;
    let it = plant.add_box("gpu", &kind, air, None, &[a[0], b[0]]);
    plant.set_on(it, true);
    plant.set_load(it, Trace::Constant(1.0));
    plant.advance(60.0);
    assert!(read(&plant, it, TotalWatts) > 7000.0);
    plant.lose_feed("b", true).unwrap();
    plant.advance(1.0);
    assert!(read(&plant, it, TotalWatts) < 100.0);
    assert!(plant.events().iter().any(|e| e.what == Happened::Overloaded));
}

#[test]
fn a_transfer_switch_is_not_felt_by_a_supply_that_holds_up_longer_and_is_by_one_that_does_not() {
    for (millis, felt) in [(8.0, false), (30.0, true)] {
        let mut plant = Plant::new();
        let air = plant.add_circuit(room(1000.0, 22.0, 1e6));
        let piece = |name: &str, gear, parents: &[GearId]| Piece::new(name, gear, parents, Phases::One(0), 230.0);
        let one = plant.add_gear(piece("one", Gear::Source { on: true }, &[]), None);
        let two = plant.add_gear(piece("two", Gear::Source { on: true }, &[]), None);
        let gear = Gear::Transfer {
            takes: 0,
            millis,
            moved: false,
        };
        let switch = plant.add_gear(piece("switch", gear, &[one, two]), None);
        let outlet = plant.add_gear(piece("", Gear::Outlet { on: true }, &[switch]), None);
        let it = plant.add_box("box", &SERVER_2S, air, None, &[outlet]);
        plant.starts_itself(it, false);
        plant.advance(1.0);
        plant.set_on(it, true);
        plant.advance(60.0);
        assert!(read(&plant, it, TotalWatts) > 200.0);
        plant.lose_feed("one", true).unwrap();
        plant.advance(10.0);
        assert_eq!(read(&plant, it, TotalWatts) < 100.0, felt, "{millis} ms");
        // it stays where it is when the first comes back
        plant.lose_feed("one", false).unwrap();
        plant.advance(10.0);
        let second = plant.find("two").unwrap();
        assert!(read(&plant, second, TotalWatts) > 1.0);
    }
}

#[test]
fn a_battery_lasts_as_long_as_its_charge_and_is_charged_again() {
    let mut plant = Plant::new();
    let air = plant.add_circuit(room(1000.0, 22.0, 1e6));
    let piece = |name: &str, gear, parents: &[GearId]| Piece::new(name, gear, parents, Phases::One(0), 230.0);
    let source = plant.add_gear(piece("utility", Gear::Source { on: true }, &[]), None);
    let gear = Gear::Ups {
        capacity: 3000.0,
        fixed: 20.0,
        gain: 0.95,
        battery: Battery {
            joules: 300_000.0,
            full: 300_000.0,
            charge: 200.0,
            carries: false,
        },
        overload: 0.0,
        off: false,
    };
    let ups = plant.add_gear(piece("ups", gear, &[source]), None);
    let outlet = plant.add_gear(piece("", Gear::Outlet { on: true }, &[ups]), None);
    let it = plant.add_box("box", &SERVER_2S, air, None, &[outlet]);
    plant.set_on(it, true);
    plant.set_load(it, Trace::Constant(0.5));
    plant.hold_fans("box", Some(0.5)).unwrap();
    plant.advance(3600.0);
    let watts = read(&plant, it, TotalWatts);
    plant.lose_feed("utility", true).unwrap();
    let start = plant.now;
    plant.events();
    plant.advance(3600.0);
    let dark = when(&mut plant, |h| *h == Happened::Dark).unwrap() - start;
    // closed form: charge over what the inverter draws; 1 %
    let wanted = 300_000.0 / ((watts + 20.0) / 0.95);
    assert!((dark / wanted - 1.0).abs() < 0.01, "{dark} s, not {wanted} s");
    let ups = plant.find("ups").unwrap();
    assert_eq!(read(&plant, ups, BatteryPercent), 0.0);
    plant.lose_feed("utility", false).unwrap();
    plant.advance(7200.0);
    assert!(read(&plant, ups, BatteryPercent) > 95.0);
    assert!(read(&plant, it, TotalWatts) > 200.0);
}

#[test]
fn a_room_without_cooling_throttles_before_it_switches_off_and_work_shrinks() {
    let (mut plant, it) = alone(&SERVER_8GPU, 22.0, 1.0);
    plant.advance(1200.0);
    let work = read(&plant, it, WorkPercent);
    assert!(work > 99.0);
    plant.fail_fan("box", None, true).unwrap();
    let mut throttled = false;
    for _ in 0..600 {
        plant.advance(1.0);
        throttled |= (1.0..60.0).contains(&read(&plant, it, WorkPercent));
    }
    assert!(throttled);
    assert_eq!(read(&plant, it, WorkPercent), 0.0);
    assert!(plant.events().iter().any(|e| e.what == Happened::TooHot));
    // it stays off until someone starts it, and goes off again while it has no air
    plant.advance(3600.0);
    assert!(read(&plant, it, TotalWatts) < 100.0);
    plant.set_on(it, true);
    plant.advance(1.0);
    assert!(read(&plant, it, TotalWatts) > 1000.0);
}

#[test]
fn a_leak_wets_its_detector_and_at_last_the_chips_throttle() {
    let (mut plant, boxes, cdu) = liquid(4, 0, 120.0);
    plant.advance(1800.0);
    assert_eq!(read(&plant, cdu, Leak(0)), 0.0);
    plant.leak("cdu", 6.0).unwrap();
    plant.advance(1.0);
    assert_eq!(read(&plant, cdu, Leak(0)), 1.0);
    plant.advance(10.0);
    assert_eq!(read(&plant, cdu, Leak(0)), 2.0);
    let mut throttled = false;
    for _ in 0..1200 {
        plant.advance(1.0);
        throttled |= plant.chips(boxes[0]).iter().any(|c| c.throttled);
    }
    assert!(throttled && read(&plant, cdu, CoolantFlow) < 5.0);
}
