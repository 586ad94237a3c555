//! Coolant units, shelves and boxes without processors, read by the real driver over real sockets: what happens to the
//! plant is seen at the box that stands there.
#![allow(clippy::unwrap_used)]

mod common;

use std::net::Ipv4Addr;
use std::sync::Arc;

use emulator::{Emulated, Fault, Handle, RackLayout};
use hardware::{DeviceKind, FoundDevice, HttpTransport, Mode, Pin, Redfish};
use rack::{Health, Unit};

/// A liquid rack in small: two trays, a switch tray, two shelves on one bar, a coolant unit with a spare pump.
const SMALL: &str = include_str!("small.toml");

async fn start(text: &str) -> Handle {
    let described = emulator::describe::file::read(text).unwrap();
    let layout = RackLayout {
        described: Some(Arc::new(described)),
        ..RackLayout::default()
    };
    let rack = Emulated::start(common::config(layout)).await.unwrap();
    // what has stood for an hour is as it stays; from here on it stands still but for what tests do
    rack.rack.set_speed(0.0);
    rack.rack.step(3600.0).await;
    rack
}

fn address(rack: &Handle, place: &str) -> Ipv4Addr {
    let it = rack.rack.equipment.iter().find(|e| e.spec.place == place);
    it.unwrap_or_else(|| panic!("no {place}")).spec.bmc
}

/// The one device that the driver finds behind a box of this place.
async fn device(rack: &Handle, place: &str) -> FoundDevice {
    provider();
    let url = format!("http://{}:{}", address(rack, place), rack.port);
    let credential = hardware::Credential {
        user: "admin".into(),
        password: "secret".into(),
    };
    let transport = HttpTransport::new(Pin::Learn).unwrap();
    let bmc = Redfish::new(&url, Arc::new(transport), credential, Mode::Observe);
    let found = bmc.discover().await.unwrap();
    assert!(found.problems.is_empty(), "{:?}", found.problems);
    assert!(found.systems.is_empty());
    let [device] = <[FoundDevice; 1]>::try_from(found.devices).unwrap();
    device
}

fn provider() {
    // Err: another test was first
    let _ = rustls::crypto::ring::default_provider().install_default();
}

fn http() -> reqwest::Client {
    provider();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

async fn get(rack: &Handle, place: &str, path: &str) -> serde_json::Value {
    let http = http();
    let url = format!("http://{}:{}{path}", address(rack, place), rack.port);
    let answer = http.get(url).basic_auth("admin", Some("secret")).send().await.unwrap();
    answer.json().await.unwrap()
}

fn reading(device: &FoundDevice, name: &str) -> Option<f64> {
    let found = device.readings.iter().find(|r| r.0 == name);
    found.unwrap_or_else(|| panic!("no {name} in {:?}", device.readings)).1
}

fn fault(rack: &Handle, text: &str) -> u64 {
    let fault: Fault = serde_json::from_str(text).unwrap();
    rack.rack.set_fault(fault).unwrap().id
}

#[tokio::test]
async fn a_coolant_unit_tells_what_it_moves_and_takes_away() {
    let rack = start(SMALL).await;
    let cdu = device(&rack, "r1/cdu").await;
    assert_eq!((cdu.kind, cdu.health), (DeviceKind::Cooling, Health::Ok));
    let heat = reading(&cdu, "primary-heat").unwrap();
    let (supply, back) = (
        reading(&cdu, "secondary-supply").unwrap(),
        reading(&cdu, "secondary-return").unwrap(),
    );
    let flow = reading(&cdu, "secondary-flow").unwrap();
    assert!((supply - 25.0).abs() < 0.5 && back > supply, "{supply} {back} °C");
    assert!((flow - 40.0).abs() < 1.0, "{flow} l/min");
    // what flows back warm is what is taken away: flow × heat × kelvin, as precise as its sensors
    let carried = flow / 60.0 * emulator::physics::circuit::PG25 * (back - supply);
    assert!((carried / heat - 1.0).abs() < 0.2, "{carried} W of {heat} W");
    assert!(
        cdu.watts.is_some_and(|w| (500.0..1200.0).contains(&w)),
        "{:?}",
        cdu.watts
    );
    assert!(reading(&cdu, "secondary-supply-pressure").unwrap() > 200.0);
    assert!(
        cdu.readings.iter().all(|r| r.0 != "primary-flow"),
        "what the plant does not know is not told"
    );
    let id = fault(&rack, r#"{"on":{"at":"r1/cdu"},"action":"pull_cable","supply":1}"#);
    assert_eq!(
        device(&rack, "r1/cdu").await.health,
        Health::Critical,
        "one supply is dark"
    );
    rack.rack.clear_faults(Some(id));
    assert_eq!(device(&rack, "r1/cdu").await.health, Health::Ok);
    rack.stop().await;
}

#[tokio::test]
async fn a_pump_that_stops_is_seen_and_when_all_do_the_flow_is_gone() {
    let rack = start(SMALL).await;
    let one = fault(&rack, r#"{"on":{"at":"r1/cdu"},"action":"stop_pump","pump":1}"#);
    rack.rack.step(60.0).await;
    let cdu = device(&rack, "r1/cdu").await;
    assert_eq!((cdu.health, reading(&cdu, "pump1")), (Health::Critical, Some(0.0)));
    assert!(reading(&cdu, "pump0").is_some_and(|rpm| rpm > 4000.0));
    assert!(
        reading(&cdu, "secondary-flow").unwrap() > 38.0,
        "the spare makes up for it"
    );
    fault(&rack, r#"{"on":{"at":"coolant"},"action":"stop_pump"}"#);
    rack.rack.step(60.0).await;
    let cdu = device(&rack, "r1/cdu").await;
    assert!(reading(&cdu, "secondary-flow").unwrap() < 1.0);
    rack.rack.clear_faults(None);
    rack.rack.step(60.0).await;
    let cdu = device(&rack, "r1/cdu").await;
    assert_eq!((cdu.health, one), (Health::Ok, 1));
    assert!(reading(&cdu, "secondary-flow").unwrap() > 38.0);
    rack.stop().await;
}

#[tokio::test]
async fn a_leak_is_moist_then_wet_and_the_fill_goes_down() {
    let rack = start(SMALL).await;
    let leak = r#"{"on":{"at":"coolant"},"action":"leak","litres_per_minute":0.2}"#;
    let id = fault(&rack, leak);
    rack.rack.step(30.0).await;
    assert_eq!(device(&rack, "r1/cdu").await.health, Health::Warning);
    rack.rack.step(180.0).await;
    assert_eq!(device(&rack, "r1/cdu").await.health, Health::Critical);
    rack.rack.clear_faults(Some(id));
    rack.rack.step(10.0).await;
    assert_eq!(device(&rack, "r1/cdu").await.health, Health::Ok);
    // a third of the loop on the floor, then mended and filled up
    let id = fault(
        &rack,
        r#"{"on":{"at":"coolant"},"action":"leak","litres_per_minute":20}"#,
    );
    rack.rack.step(66.0).await;
    let fill = "/redfish/v1/ThermalEquipment/CDUs/1/Reservoirs/1";
    let low = get(&rack, "r1/cdu", fill).await;
    assert_eq!(low["FluidLevelStatus"], "Critical", "{low}");
    let told = reading(&device(&rack, "r1/cdu").await, "reservoir1-level");
    assert_eq!(told, low["FluidLevelPercent"]["Reading"].as_f64());
    assert!(
        (60.0..67.0).contains(&low["FluidLevelPercent"]["Reading"].as_f64().unwrap()),
        "{low}"
    );
    rack.rack.clear_faults(Some(id));
    rack.rack.step(10.0).await;
    assert_eq!(get(&rack, "r1/cdu", fill).await["FluidLevelStatus"], "OK");
    assert_eq!(device(&rack, "r1/cdu").await.health, Health::Ok);
    rack.stop().await;
}

#[tokio::test]
async fn cooling_that_stops_warms_the_loop() {
    let rack = start(SMALL).await;
    let id = fault(&rack, r#"{"on":{"at":"coolant"},"action":"stop_cooling"}"#);
    rack.rack.step(300.0).await;
    let cdu = device(&rack, "r1/cdu").await;
    assert!(reading(&cdu, "secondary-supply").unwrap() > 26.0, "{:?}", cdu.readings);
    assert_eq!(reading(&cdu, "primary-heat"), Some(0.0));
    rack.rack.clear_faults(Some(id));
    rack.rack.step(600.0).await;
    let cdu = device(&rack, "r1/cdu").await;
    assert!(reading(&cdu, "secondary-supply").unwrap() < 25.5, "{:?}", cdu.readings);
    rack.stop().await;
}

#[tokio::test]
async fn a_shelf_tells_what_it_takes_and_gives_and_which_rectifier_has_failed() {
    let rack = start(SMALL).await;
    let shelf = device(&rack, "r1/shelf-1").await;
    assert_eq!((shelf.kind, shelf.health), (DeviceKind::PowerShelf, Health::Ok));
    let (into, out) = (shelf.watts.unwrap(), reading(&shelf, "dc-watts").unwrap());
    assert!(out > 100.0 && out < into, "{out} W of {into} W");
    assert!((reading(&shelf, "dc-volts").unwrap() - 50.0).abs() < 1.0);
    let amps = reading(&shelf, "ac1-line1-amps").unwrap();
    assert!((amps * 230.0 * 3.0 / into - 1.0).abs() < 0.1, "{amps} A of {into} W");

    let id = fault(&rack, r#"{"on":{"at":"shelf-1"},"action":"fail_supply","supply":2}"#);
    assert_eq!(device(&rack, "r1/shelf-1").await.health, Health::Critical);
    assert_eq!(device(&rack, "r1/shelf-2").await.health, Health::Ok);
    rack.rack.clear_faults(Some(id));
    assert_eq!(device(&rack, "r1/shelf-1").await.health, Health::Ok);

    // without its feed it gives nothing, and its controller lives by the bar that the other shelf feeds
    fault(&rack, r#"{"on":{"at":"feed-a"},"action":"lose_feed"}"#);
    let dark = device(&rack, "r1/shelf-1").await;
    assert_eq!((dark.health, dark.watts), (Health::Critical, None));
    let other = device(&rack, "r1/shelf-2").await;
    assert!(other.watts.unwrap() > 1.5 * into, "{:?} beside {into} W", other.watts);
    fault(&rack, r#"{"on":{"at":"feed-b"},"action":"lose_feed"}"#);
    let at = emulator::emulated::Bmc::Equipment;
    let answers = |place: &str| {
        let n = rack.rack.equipment.iter().position(|e| e.spec.place == place);
        rack.rack.answers(at(n.unwrap()))
    };
    assert!(!answers("r1/shelf-1") && !answers("r1/cdu") && !answers("r1/u3"));
    rack.stop().await;
}

#[tokio::test]
async fn boxes_without_processors_are_enclosures_with_power_and_air() {
    let text = include_str!("../../../racks/composable.toml");
    let rack = start(text).await;
    for (place, watts) in [
        ("r1/u12", 400.0..3000.0),
        ("r1/u18", 300.0..900.0),
        ("r1/u22", 200.0..600.0),
        ("r1/u42", 150.0..300.0),
    ] {
        let it = device(&rack, place).await;
        assert_eq!((it.kind, it.health), (DeviceKind::Enclosure, Health::Ok), "{place}");
        assert!(it.watts.is_some_and(|w| watts.contains(&w)), "{place}: {:?}", it.watts);
        let inlet = reading(&it, "inlet").unwrap();
        assert!((20.0..30.0).contains(&inlet), "{place}: {inlet} °C");
        assert!(
            it.readings.iter().any(|r| r.2 == Unit::Rpm && r.1 > Some(0.0)),
            "{place}"
        );
    }
    fault(&rack, r#"{"on":{"at":"r1/u12"},"action":"pull_cable","supply":0}"#);
    assert_eq!(device(&rack, "r1/u12").await.health, Health::Critical);
    rack.stop().await;
}

#[tokio::test]
async fn a_unit_that_heat_shut_off_says_so_until_its_power_is_taken_away_and_given_back() {
    let rack = start(SMALL).await;
    let id = fault(&rack, r#"{"on":{"at":"room"},"action":"stop_cooling"}"#);
    for _ in 0..20 {
        rack.rack.step(1800.0).await;
        if !cdu_is_on(&rack).await {
            break;
        }
    }
    assert_eq!(device(&rack, "r1/cdu").await.health, Health::Critical);
    rack.rack.clear_faults(Some(id));
    rack.rack.step(3600.0).await;
    assert!(!cdu_is_on(&rack).await, "it stays off by itself");
    for pdu in 0..2 {
        rack.rack.set_outlet(pdu, 0, false).unwrap();
    }
    rack.rack.step(1.0).await;
    for pdu in 0..2 {
        rack.rack.set_outlet(pdu, 0, true).unwrap();
    }
    rack.rack.step(60.0).await;
    let cdu = device(&rack, "r1/cdu").await;
    assert_eq!(cdu.health, Health::Ok);
    assert!(reading(&cdu, "secondary-flow").unwrap() > 38.0);
    rack.stop().await;
}

async fn cdu_is_on(rack: &Handle) -> bool {
    get(rack, "r1/cdu", "/redfish/v1/Chassis/1").await["PowerState"] == "On"
}

#[tokio::test]
async fn a_box_that_loses_its_power_at_a_request_has_it_again_once_that_is_cleared() {
    let rack = start(SMALL).await;
    let id = fault(&rack, r#"{"on":{"at":"r1/cdu"},"action":"lose_power"}"#);
    let http = http();
    let url = format!("http://{}:{}/redfish/v1", address(&rack, "r1/cdu"), rack.port);
    assert!(http.get(&url).send().await.is_err());
    rack.rack.step(60.0).await;
    assert_eq!(
        rack.rack
            .truth_of("r1/cdu", emulator::physics::Quantity::PumpRpm(0))
            .map(f64::round),
        Some(0.0)
    );
    rack.rack.clear_faults(Some(id));
    rack.rack.step(60.0).await;
    assert_eq!(device(&rack, "r1/cdu").await.health, Health::Ok);
    rack.stop().await;
}

#[tokio::test]
async fn what_moves_a_tanks_fluid_is_a_coolant_unit_too() {
    let rack = start(include_str!("../../../racks/immersion.toml")).await;
    let unit = device(&rack, "r1/pump").await;
    assert_eq!((unit.kind, unit.health), (DeviceKind::Cooling, Health::Ok));
    assert!((reading(&unit, "secondary-supply").unwrap() - 38.0).abs() < 0.5);
    let fill = get(&rack, "r1/pump", "/redfish/v1/ThermalEquipment/CDUs/1/Reservoirs/1").await;
    assert_eq!(
        (fill["ReservoirType"].as_str(), fill["CapacityLiters"].as_f64()),
        (Some("Immersion"), Some(900.0))
    );
    rack.stop().await;
}

#[tokio::test]
async fn a_pdu_on_one_phase_tells_of_one_phase() {
    let rack = start(include_str!("../../../racks/home-lab.toml")).await;
    let http = http();
    let at = format!("http://{}:{}", rack.rack.pdus[0].spec.bmc, rack.port);
    let mains = http.get(format!("{at}/redfish/v1/PowerEquipment/RackPDUs/1/Mains/AC1"));
    let mains = mains.basic_auth("admin", Some("secret")).send().await.unwrap();
    let mains: serde_json::Value = mains.json().await.unwrap();
    assert_eq!(mains["PolyPhaseCurrentAmps"], serde_json::Value::Null);
    assert!(mains["CurrentAmps"]["Reading"].as_f64().unwrap() > 0.0, "{mains}");
    assert!(mains["Voltage"]["Reading"].as_f64().unwrap() > 220.0, "{mains}");
    rack.stop().await;
}
