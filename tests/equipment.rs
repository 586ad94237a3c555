//! Coolant units and power shelves of the emulated rack, seen through the daemon: as devices with readings, and what a fault
//! does to them.

#![allow(clippy::unwrap_used)]

mod common;

use common::Rack;
use serde_json::Value;

fn device(rack: &Rack, place: &str) -> Value {
    let all = rack.busbar(&format!("tree {place} --json")).ok().json();
    all["devices"][0].clone()
}

fn reading(device: &Value, name: &str) -> Option<f64> {
    let mut all = device["readings"].as_array()?.iter();
    all.find(|r| r["name"] == name)?["value"].as_f64()
}

#[test]
fn a_coolant_unit_and_shelves_are_devices_and_what_happens_to_them_is_seen() {
    let rack = Rack::described(include_str!("../crates/emulator/tests/small.toml"), 50.0);
    rack.until("all of them are found", || {
        let all = rack.busbar("ls r1").ok().out;
        ["r1/cdu", "r1/shelf-1", "r1/shelf-2", "r1/u3", "r1/pdu-a"]
            .iter()
            .all(|p| all.contains(p))
    });
    rack.until("what they tell is read", || {
        let (cdu, shelf) = (device(&rack, "r1/cdu"), device(&rack, "r1/shelf-1"));
        cdu["health"] == "ok"
            && cdu["kind"] == "cooling"
            && reading(&cdu, "secondary-flow").is_some_and(|v| v > 35.0)
            && reading(&cdu, "watts").is_some_and(|v| v > 300.0)
            && shelf["health"] == "ok"
            && shelf["kind"] == "power-shelf"
            && reading(&shelf, "dc-volts").is_some_and(|v| (48.0..52.0).contains(&v))
    });
    // where readings are shown, these are
    let sensors = rack.busbar("sensors r1 --reading secondary-supply").ok().out;
    assert!(sensors.contains("r1/cdu/secondary-supply"), "{sensors}");
    let free = rack.busbar("free r1").ok().out;
    assert!(free.contains("coolant units take away"), "{free}");
    let history = rack
        .busbar("sensors r1/cdu --history --reading secondary-flow --json")
        .ok()
        .json();
    assert!(history.to_string().contains("secondary-flow"), "{history}");
    let metrics = rack.api("GET", "/metrics", Some(&rack.token()), Vec::new()).body;
    for line in [
        "busbar_device_health{place=\"r1/cdu\",kind=\"cooling\"} 0",
        "busbar_device_power_watts{place=\"r1/shelf-1\",kind=\"power-shelf\"}",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }

    let fault = |words: &str| {
        let set = rack.busbar(&format!("emulate fault {words} --json")).ok().json();
        set["id"].as_u64().unwrap()
    };
    let healthy = |place: &str| device(&rack, place)["health"] == "ok";
    let clear = |id: u64| rack.busbar(&format!("emulate clear {id}")).ok();

    let id = fault("r1/cdu stop_pump");
    rack.until("a unit without pumps is critical and moves nothing", || {
        let cdu = device(&rack, "r1/cdu");
        cdu["health"] == "critical" && reading(&cdu, "secondary-flow").is_some_and(|v| v < 1.0)
    });
    clear(id);
    rack.until("its pumps are back", || healthy("r1/cdu"));

    let id = fault("coolant leak litres_per_minute=5");
    rack.until("the leak is seen", || device(&rack, "r1/cdu")["health"] == "critical");
    clear(id);
    rack.until("it is mended, and the loop is full again", || healthy("r1/cdu"));

    let id = fault("coolant stop_cooling");
    rack.until("the loop warms and nothing is taken away", || {
        let cdu = device(&rack, "r1/cdu");
        reading(&cdu, "primary-heat") == Some(0.0) && reading(&cdu, "secondary-supply").is_some_and(|v| v > 26.0)
    });
    clear(id);

    let id = fault("shelf-2 fail_supply supply=4");
    rack.until("the rectifier is seen", || {
        device(&rack, "r1/shelf-2")["health"] == "critical"
    });
    assert!(healthy("r1/shelf-1"));
    clear(id);
    rack.until("and its return", || healthy("r1/shelf-2"));
}

#[test]
fn what_lost_all_power_is_well_again_once_that_is_mended() {
    let rack = Rack::start(2, 50.0);
    let health = || -> Vec<String> {
        let all = rack.busbar("ls --json").ok().json();
        let nodes = all["nodes"].as_array().or(all.as_array()).cloned().unwrap_or_default();
        nodes
            .iter()
            .map(|n| n["health"].as_str().unwrap_or_default().to_owned())
            .collect()
    };
    let all = |is: &str| health().len() == 3 && health().iter().all(|h| h == is);
    rack.until("all are found, and well", || all("ok"));
    // Their BMCs tell of it, so that nobody waits for the next inventory; what is told before they are listened to is lost.
    rack.until("one of two supplies is missed", || {
        rack.busbar("emulate clear --all").ok();
        rack.busbar("emulate fault r1/pdu-a trip-breaker").ok();
        std::thread::sleep(std::time::Duration::from_secs(3));
        all("critical")
    });
    let fits = rack.busbar("run demo --on r1/u1 --dry-run");
    assert!(fits.code == 0, "another supply is there: {fits:?}");
    rack.busbar("emulate fault r1/pdu-b trip-breaker").ok();
    rack.until("nobody answers any more", || {
        rack.busbar("ls r1").out.matches("no answer from BMC").count() >= 3
    });
    rack.busbar("emulate clear --all").ok();
    // BMCs that start tell of nothing: that they are back is what makes them be read
    rack.until("all are well again", || all("ok"));
}
