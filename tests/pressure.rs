//! What is done when there is not enough power: the whole daemon, a rack whose feeds carry less than its boxes ask for, and a PDU
//! that trips. Breakers are those of the emulated rack, and nobody tells the daemon what they carry but the PDUs.

#![allow(clippy::unwrap_used)]

mod common;

use common::Rack;
use serde_json::Value;

/// Three servers behind two PDUs of 1,150 W: an idle machine draws 290 W, one that works 700, and none can be held to less than 317.
const SMALL: &str = r#"
about = "three servers on two small feeds"

[room]
celsius = 22
cubic_metres = 60
steel_kilograms = 500

[[feed]]
name = "feed-a"
volts = 230
phases = 1
amps = 5
curve = "hydraulic"

[[feed]]
name = "feed-b"
volts = 230
phases = 1
amps = 5
curve = "hydraulic"

[[pdu]]
name = "pdu-a"
feed = "feed-a"
outlets = 4

[[pdu]]
name = "pdu-b"
feed = "feed-b"
outlets = 4

[[box]]
slot = "u1"
count = 3
kind = "server-2s"
cords = ["pdu-a/1", "pdu-b/1"]
"#;

fn machine(rack: &Rack, name: &str) -> Value {
    let all = rack.busbar("ps --json").ok().json();
    let all = all.as_array().unwrap();
    all.iter().find(|m| m["name"] == name).unwrap().clone()
}

fn state(rack: &Rack, name: &str) -> String {
    machine(rack, name)["status"]["state"].as_str().unwrap().to_owned()
}

fn line(rack: &Rack) -> Value {
    let answer = rack.api("GET", "/v1/racks/r1/power", Some(&rack.token()), Vec::new());
    serde_json::from_str(&answer.body).unwrap()
}

/// Share of its rating that a PDU carries.
fn share(rack: &Rack, place: &str) -> f64 {
    let line = line(rack);
    let pdu = line["pdus"]
        .as_array()
        .unwrap()
        .iter()
        .find(|p| p["place"] == place)
        .unwrap();
    pdu["watts"].as_f64().unwrap_or(0.0) / pdu["rated"].as_f64().unwrap()
}

/// How long it took from the fault to what was decided, beside what a breaker gives.
fn how_soon(rack: &Rack) -> String {
    let events = rack.busbar("dmesg --json").ok().out;
    let events: Vec<Value> = events.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let at = |about: &str, what: &str| -> rack::Time {
        let said = |e: &&Value| e["about"] == about && e["what"].as_str().unwrap().contains(what);
        events.iter().find(said).unwrap()["at"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap()
    };
    let took = at("low", "stopped, it drew").since(at("pdu-b", "fault trip_breaker"));
    let because = machine(rack, "low")["shed"]["because"].as_str().unwrap().to_owned();
    let share = because
        .split_whitespace()
        .find_map(|word| word.parse::<f64>().ok())
        .unwrap()
        / 100.0;
    format!(
        "{:.1} s from the lost PDU to who stops; a cold breaker at {:.0} % holds {:.0} s",
        took.as_secs_f64(),
        share * 100.0,
        1626.0 / (share.powi(10) - 1.0)
    )
}

#[test]
fn the_lowest_priority_gives_way_before_a_breaker_trips_and_gets_back_what_it_gave() {
    let rack = Rack::described(SMALL, 50.0);
    for (name, nice) in [("low", 15), ("middle", 0), ("high", -15)] {
        rack.busbar(&format!("run demo --name {name} --nice={nice}")).ok();
    }
    rack.busbar("emulate speed 1").ok();
    rack.until("all boxes are known to take caps", || {
        let line = line(&rack);
        let boxes = line["boxes"].as_array().unwrap();
        boxes
            .iter()
            .filter(|b| b["floor"].is_number() && b["machine"].is_string())
            .count()
            == 3
    });
    let place = |name: &str| machine(&rack, name)["status"]["place"].as_str().unwrap().to_owned();
    rack.busbar(&format!("emulate load {} full", place("middle"))).ok();
    rack.busbar(&format!("emulate load {} 0.5", place("high"))).ok();
    rack.until("its work is seen, and the PDUs carry it", || {
        machine(&rack, "middle")["watts"].as_f64() > Some(650.0)
            && machine(&rack, "high")["watts"].as_f64() > Some(450.0)
            && share(&rack, "r1/pdu-a") > 0.55
    });
    assert!(
        machine(&rack, "low")["shed"].is_null(),
        "there is power for all of them"
    );
    let foretold = rack.busbar("whatif fail r1/pdu-b").ok().out;
    assert!(foretold.contains("low") && foretold.contains("GIVES UP"), "{foretold}");

    // two of them can't be capped: their BMCs answer nobody
    let deaf = ["middle", "high"].map(|name| {
        let set = rack
            .busbar(&format!("emulate fault {} reset --json", place(name)))
            .ok()
            .json();
        set["id"].as_u64().unwrap()
    });
    rack.until("both are silent", || {
        let line = line(&rack);
        let boxes = line["boxes"].as_array().unwrap();
        boxes.iter().filter(|b| b["silent"].is_string()).count() == 2
    });
    rack.busbar("emulate fault pdu-b trip_breaker").ok();
    rack.until("the lowest priority is stopped", || state(&rack, "low") == "stopped");
    deaf.iter()
        .for_each(|id| drop(rack.busbar(&format!("emulate clear {id}")).ok()));
    rack.until("the next is capped once it can be", || {
        machine(&rack, "middle")["shed"]["cap"].is_number()
    });
    let low = machine(&rack, "low");
    assert_eq!(
        (&low["desired"], low["shed"]["nice"].as_i64()),
        (&Value::from("running"), Some(15))
    );
    assert!(low["shed"]["stop"].is_string() && low["shed"]["because"].as_str().unwrap().contains("r1/pdu-a carries"));
    rack.until("what is left keeps within what pdu-a carries", || {
        let share = share(&rack, "r1/pdu-a");
        share > 0.5 && share < 0.9
    });
    println!("{}", how_soon(&rack));
    // its owner is told why, and what would change it
    let why = rack.busbar("why low").ok().out;
    for said in [
        "stopped since",
        "r1/pdu-a carries",
        "started as far as there is room",
        "busbar nice -n 10 low",
    ] {
        assert!(why.contains(said), "{said}: {why}");
    }
    let why = rack.busbar("why r1/pdu-a").ok().out;
    for said in [
        "r1/pdu-a carries",
        "low is stopped, it drew",
        "r1/pdu-b, which feeds the same boxes, carries nothing",
    ] {
        assert!(why.contains(said), "{said}: {why}");
    }
    let metrics = rack.api("GET", "/metrics", Some(&rack.token()), Vec::new()).body;
    assert!(metrics.contains("busbar_machines_shed{how=\"stopped\"} 1"), "{metrics}");
    let high = machine(&rack, "high");
    assert!(high["shed"].is_null() && high["status"]["state"] == "running", "{high}");

    // who has to give way is up to people, and a change is followed without waiting for the next trouble
    rack.busbar("nice -n 19 high").ok();
    rack.busbar("nice -n -20 middle").ok();
    rack.until("another one gives way", || {
        machine(&rack, "high")["shed"]["cap"].is_number()
    });
    rack.busbar("nice -n -15 high").ok();
    rack.busbar("nice -n 0 middle").ok();

    rack.busbar("emulate clear --all").ok();
    rack.until("caps are lifted", || {
        ["middle", "high"]
            .iter()
            .all(|m| machine(&rack, m)["shed"].is_null() && machine(&rack, m)["cap"].is_null())
    });
    assert_eq!(state(&rack, "low"), "stopped", "what was stopped waits longer");
    let told = rack.busbar("dmesg").ok().out;
    for said in [
        "low: stopped, it drew",
        "middle: capped at",
        "middle: its cap is lifted",
    ] {
        assert!(told.contains(said), "{said}: {told}");
    }
    assert!(!told.contains("high: stopped"), "{told}");
    // whoever does not want to wait for it says so
    rack.busbar("kill -TERM low").ok();
    rack.until("it stays off", || machine(&rack, "low")["desired"] == "stopped");
}
