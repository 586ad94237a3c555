//! Watching, from the command line and over the API: histories, what is left, one frame of `top`, metrics.

#![allow(clippy::unwrap_used)]

mod common;

use common::Rack;
use serde_json::Value;

/// The commands of a section of the README, without what is said of them.
fn readme(of: &str) -> Vec<&'static str> {
    let text = include_str!("../README.md");
    let section = text.split(&format!("\n## {of}\n")).nth(1).unwrap();
    let block = section.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    block
        .lines()
        .map(|l| l.split(['#', '|']).next().unwrap().trim())
        .collect()
}

fn watched() -> Rack {
    let rack = Rack::start(2, 50.0);
    rack.until("its readings are there", || {
        let vitals = rack.busbar("top --json").ok().json();
        let boxes = vitals["boxes"].as_array().unwrap();
        let told = |b: &&Value| b["watts"].is_number();
        boxes.len() >= 5 && boxes.iter().filter(told).count() >= 3
    });
    rack
}

#[test]
fn every_command_of_the_readmes_sections_works() {
    let rack = watched();
    for line in readme("Watching") {
        rack.busbar(line.strip_prefix("busbar ").unwrap()).ok();
    }
    rack.busbar("run demo --name web-1").ok();
    for line in readme("When there is not enough power") {
        rack.busbar(&line.strip_prefix("busbar ").unwrap().replace('\'', ""))
            .ok();
    }
    let frame = rack.busbar("top").ok().out;
    assert!(frame.starts_with("power ") && frame.contains("r1/pdu-a"), "{frame}");
    let free = rack.busbar("free r1").ok().out;
    assert!(free.contains("unknown") && free.contains("cores"), "{free}");
}

#[test]
fn a_history_has_what_was_read_and_nothing_from_before() {
    let rack = watched();
    let view = rack
        .busbar("sensors r1/u1/watts --history --since 10m --json")
        .ok()
        .json();
    let series = &view["series"][0];
    let read = |of: &Value| -> f64 {
        of.as_array()
            .unwrap()
            .iter()
            .filter_map(Value::as_f64)
            .fold(0.0, f64::max)
    };
    assert!(read(&series["samples"]) >= 1.0);
    assert_eq!(
        series["mean"][0],
        Value::Null,
        "nothing was read ten minutes ago: {view}"
    );
    let (min, mean, max) = (read(&series["min"]), read(&series["mean"]), read(&series["max"]));
    assert!(0.0 < min && min <= mean && mean <= max, "{view}");
    let all = rack.busbar("sensors r1 --history --reading watts --json").ok().json();
    assert!(all["series"].as_array().unwrap().len() >= 3, "{all}");

    // all boxes together, as `busbar top` starts with
    let token = rack.token();
    let trend = rack.api("GET", "/v1/history?from=60s&step=60", Some(&token), Vec::new());
    let trend: Value = serde_json::from_str(&trend.body).unwrap();
    let last = |name: &str| trend[name].as_array().unwrap().iter().rev().find_map(Value::as_f64);
    assert!(last("watts") > Some(max) && last("hottest") > Some(20.0), "{trend}");
    let long = rack.api("GET", "/v1/history?step=1", Some(&token), Vec::new());
    assert!(long.status == 400 && long.body.contains("240 at most"), "{long:?}");

    // an answer has an end, and what is wrong is said
    let far = rack.busbar("sensors r1 --history --since 1d --step 1s");
    assert!(far.code == 2 && far.err.contains("steps of"), "{far:?}");
    assert_eq!(rack.busbar("sensors r1/u1/colour --history").code, 3);
    assert_eq!(rack.busbar("sensors r9/u1 --history").code, 3);
    assert_eq!(rack.busbar("sensors --history").code, 2);
    for (query, field) in [
        ("from=yesterday", "from"),
        ("step=0", "step"),
        ("from=1s&to=1h", "from"),
        ("x=1", "x"),
    ] {
        let answer = rack.api("GET", &format!("/v1/history/r1/u1?{query}"), Some(&token), Vec::new());
        assert!(
            answer.status == 400 && answer.body.contains(field),
            "{query}: {answer:?}"
        );
    }
}

#[test]
fn metrics_are_told_to_whoever_may_look_in_one_rack_or_all_and_end() {
    let rack = watched();
    let token = rack.token();
    let ask = |query: &str| {
        let answer = rack.api("GET", &format!("/metrics{query}"), Some(&token), Vec::new());
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body
    };
    assert_eq!(rack.api("GET", "/metrics", None, Vec::new()).status, 401);
    let (some, all) = (ask(""), ask("?readings=all"));
    assert!(some.contains("busbar_node_power_watts{place=\"r1/u1\"} "), "{some}");
    assert!(!some.contains("busbar_reading_"), "{some}");
    assert!(
        all.contains("busbar_reading_temperature_celsius{place=\"r1/u1\",reading=\"inlet\"}"),
        "{all}"
    );
    assert!(!ask("?rack=r2").contains("place="));
    let wrong = rack.api("GET", "/metrics?readings=some", Some(&token), Vec::new());
    assert_eq!(wrong.status, 400, "{wrong:?}");
}

#[test]
fn a_forecast_is_what_then_really_happens() {
    let rack = Rack::start(3, 50.0);
    rack.until("the image is there", || rack.busbar("image ls").out.contains("demo"));
    rack.until("four servers and two PDUs are found", || {
        rack.busbar("ls").out.matches("r1/").count() >= 6
    });
    for slot in ["u1", "u2", "u3"] {
        rack.busbar(&format!("run demo --name on-{slot} --on r1/{slot} --detach"))
            .ok();
    }
    // what runs idles, so that nothing moves but what the failure moves
    let watts = |of: &str| {
        let said = rack.busbar(&format!("cat r1/{of}/watts")).out;
        said.trim().parse::<f64>().unwrap_or(0.0)
    };
    rack.until("all three run", || {
        let ps = rack.busbar("ps --json").ok().json();
        let running = |m: &&Value| m["status"]["state"] == "running";
        ps.as_array().unwrap().iter().filter(running).count() == 3
    });
    // one has both inputs, one the first alone, one the second alone
    rack.busbar("emulate fault r1/u2 pull-cable supply=1").ok();
    rack.busbar("emulate fault r1/u3 pull-cable supply=0").ok();
    rack.until("that is read, as what all draw is", || {
        let carried = watts("pdu-a") + watts("pdu-b");
        let all: f64 = ["u1", "u2", "u3", "u4"].into_iter().map(watts).sum();
        let text = rack.busbar("whatif fail r1/pdu-a").out;
        let is_near = (carried - all).abs() < 0.03 * all;
        is_near && watts("u1") > 200.0 && text.starts_with("1 machine dies: on-u2.") && !text.contains("on-u3")
    });

    let forecast = rack.busbar("whatif fail pdu-a --json").ok().json();
    let list = |of: &str| forecast[of].as_array().unwrap().clone();
    let dies: Vec<Value> = list("dies").into_iter().map(|v| v["machine"].clone()).collect();
    assert_eq!(dies, ["on-u2"], "{forecast}");
    assert_eq!(forecast["weaker"][0]["place"], "r1/u1", "{forecast}");
    let load = list("loads").into_iter().find(|l| l["pdu"] == "r1/pdu-b").unwrap();
    let (before, after) = (load["before"].as_f64().unwrap(), load["after"].as_f64().unwrap());
    assert!(after > 1.2 * before, "{load}");
    let text = rack.busbar("whatif fail r1/pdu-a").ok().out;
    assert!(
        text.starts_with("1 machine dies: on-u2.") && text.ends_with("Nothing was changed.\n"),
        "{text}"
    );

    rack.busbar("emulate fault pdu-a trip-breaker").ok();
    let truth = || -> std::collections::BTreeMap<String, f64> {
        let all = rack.busbar("emulate ls --json").ok().json();
        let of = |b: &Value| (b["place"].as_str().unwrap().to_owned(), b["watts"].as_f64().unwrap());
        all["boxes"].as_array().unwrap().iter().map(of).collect()
    };
    rack.until("what hung on it alone is dark", || truth()["r1/u2"] == 0.0);
    let now = truth();
    assert!(now["r1/u1"] > 200.0 && now["r1/u3"] > 200.0, "{now:?}");
    let carried: f64 = now.values().sum();
    assert!(
        (carried / after - 1.0).abs() < 0.05,
        "forecast {after} W, it is {carried} W: {now:?}"
    );
    println!("forecast {after:.0} W on pdu-b, in truth {carried:.0} W");
    rack.until("the PDU is read so", || (watts("pdu-b") / after - 1.0).abs() < 0.05);

    // the diagram knows what is dark, and losing the other one too is the end
    rack.until("the end is foretold", || {
        let dark = rack.busbar("whatif fail r1/pdu-b").out;
        dark.contains("dark already") && [" on-u1 ", " on-u3 "].iter().all(|m| dark.contains(m))
    });
    let unknown = rack.busbar("whatif fail r1/pdu-z");
    assert!(unknown.code == 3 && unknown.err.contains("BB0301"), "{unknown:?}");
    assert_eq!(rack.busbar("whatif fail r1").code, 2);
}
