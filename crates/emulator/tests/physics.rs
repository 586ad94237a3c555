//! What happens to the plant happens to the servers in it, and what BMCs read of it comes through sensors.

#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use emulator::emulated::Bmc;
use emulator::model::{Activity, Power};
use emulator::physics::Quantity;
use emulator::{Emulated, Fault, RackLayout};
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use common::config;

/// A rack whose server 0 runs a system.
async fn running(layout: RackLayout) -> Arc<Emulated> {
    let rack = Emulated::build(config(layout)).unwrap();
    rack.servers[0].drives[0].write(510, &[0x55, 0xaa]).unwrap();
    rack.reset(0, "On").unwrap();
    seconds(400).await;
    assert_eq!(rack.view(0).activity, Activity::Os);
    rack
}

async fn seconds(n: u64) {
    tokio::time::sleep(Duration::from_secs(n)).await;
}

fn fault(rack: &Emulated, text: &str) -> Result<Fault, String> {
    rack.set_fault(serde_json::from_str(text).unwrap())
        .map_err(|e| e.to_string())
}

async fn control(rack: &Arc<Emulated>, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/json")
        .body(Body::from(body.to_string()))
        .unwrap();
    let answer = emulator::control::router(rack.clone()).oneshot(request).await.unwrap();
    let status = answer.status();
    let bytes = axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap_or_default())
}

#[tokio::test(start_paused = true)]
async fn a_breaker_that_trips_darkens_its_outlets_and_with_the_second_the_server_and_its_bmc() {
    let rack = running(RackLayout::default()).await;
    let pdu = |rack: &Emulated, n: usize, what| {
        let name = &rack.pdus[n].spec.name;
        let found = rack.truth_of(name, what);
        found.unwrap()
    };
    fault(&rack, r#"{"on":{"at":"pdu-b"},"action":"trip_breaker"}"#).unwrap();
    let view = rack.view(0);
    assert_eq!((view.fed.clone(), view.power), (vec![true, false], Power::On));
    assert_eq!(pdu(&rack, 1, Quantity::OutletLive(0)), 0.0);
    assert!((pdu(&rack, 0, Quantity::OutletWatts(0)) - view.draw.total()).abs() < 1e-6);
    // by its place, as everything else names it
    let set = fault(&rack, r#"{"on":{"at":"r1/pdu-a"},"action":"trip_breaker"}"#).unwrap();
    assert_eq!(set.on.at, "pdu-a");
    assert!(fault(&rack, r#"{"on":{"at":"r2/pdu-a"},"action":"trip_breaker"}"#).is_err());
    assert_eq!(
        (rack.view(0).power, rack.view(0).activity),
        (Power::Off, Activity::Nothing)
    );
    assert!(!rack.answers(Bmc::Server(0)));
    assert_eq!(rack.view(0).draw.total(), 0.0);
    rack.reset(0, "On").unwrap();
    assert_eq!(rack.view(0).power, Power::Off, "without input nothing comes on");
    assert_eq!(rack.clear_faults(None), 2);
    assert!(!rack.answers(Bmc::Server(0)), "its BMC starts");
    seconds(31).await;
    assert!(rack.answers(Bmc::Server(0)));
    assert_eq!(rack.view(0).power, Power::Off, "until someone switches it on");
}

#[tokio::test(start_paused = true)]
async fn a_box_without_air_is_switched_off_by_heat_when_nobody_looks() {
    let rack = running(RackLayout {
        servers: 0,
        ..RackLayout::default()
    })
    .await;
    let (status, answer) = control(&rack, Method::PUT, "/load", json!({"at": "r1/*", "load": "full"})).await;
    assert_eq!((status, &answer["places"]), (StatusCode::OK, &json!(["r1/u1"])));
    seconds(600).await;
    let hot = rack.view(0);
    assert!(hot.draw.total() > 8000.0 && hot.physics.work > 0.99, "{hot:?}");
    fault(&rack, r#"{"on":{"at":"r1/u1"},"action":"fail_fan"}"#).unwrap();
    let mut least = 1.0f64;
    while rack.view(0).power == Power::On && rack.seconds() < 3600.0 {
        least = least.min(rack.view(0).physics.work);
        seconds(1).await;
    }
    assert!(least < 0.7, "throttled, less is done: {least}");
    assert_eq!(rack.view(0).power, Power::Off);
    let (_, all) = control(&rack, Method::GET, "/rack", Value::Null).await;
    assert_eq!(all["boxes"][0]["too_hot"], true);
}

#[tokio::test(start_paused = true)]
async fn what_sensors_tell_is_near_the_truth_until_they_drift() {
    let rack = running(RackLayout::of(1)).await;
    let body = |what| {
        (
            rack.sense_of("r1/u1", what).unwrap(),
            rack.truth_of("r1/u1", what).unwrap(),
        )
    };
    for (what, near) in [
        (Quantity::TotalWatts, 10.0),
        (Quantity::CpuCelsius(0), 1.5),
        (Quantity::InletCelsius, 1.5),
        (Quantity::FanRpm(0), 200.0),
    ] {
        let (told, truth) = body(what);
        assert!((told - truth).abs() <= near, "{what}: {told} {truth}");
    }
    let text = r#"{"on":{"at":"r1/u1"},"action":"drift_sensor","sensor":"InletCelsius","per_hour":6}"#;
    let id = fault(&rack, text).unwrap().id;
    seconds(3600).await;
    let (told, truth) = body(Quantity::InletCelsius);
    assert!((4.0..8.0).contains(&(told - truth)), "{told} {truth}");
    rack.clear_faults(Some(id));
    let (told, truth) = body(Quantity::InletCelsius);
    assert!((told - truth).abs() <= 1.5);
}

#[tokio::test(start_paused = true)]
async fn a_rack_that_stands_still_moves_when_it_is_stepped() {
    let rack = Emulated::build(config(RackLayout::of(1))).unwrap();
    let (status, _) = control(&rack, Method::PUT, "/speed", json!({"speed": 0})).await;
    assert_eq!(status, StatusCode::OK);
    rack.reset(0, "On").unwrap();
    seconds(3600).await;
    assert_eq!(rack.view(0).power, Power::PoweringOn);
    let (status, pace) = control(&rack, Method::POST, "/step", json!({"seconds": 5})).await;
    assert_eq!((status, pace["speed"].as_f64()), (StatusCode::OK, Some(0.0)));
    assert_eq!((rack.view(0).power, rack.view(0).activity), (Power::On, Activity::Post));
    let cool = rack.view(0).physics.cpu;
    let (_, pace) = control(&rack, Method::POST, "/step", json!({"seconds": 300})).await;
    assert!((pace["seconds"].as_f64().unwrap() - 305.0).abs() < 0.01);
    assert_eq!(rack.view(0).activity, Activity::Stays);
    assert!(rack.view(0).physics.cpu > cool + 3.0);
    control(&rack, Method::PUT, "/speed", json!({"speed": 60})).await;
    let before = rack.seconds();
    seconds(10).await;
    assert!((rack.seconds() - before - 600.0).abs() < 1.0);
    for (path, body) in [
        ("/speed", json!({"speed": -1})),
        ("/load", json!({"at": "r1/u1", "load": "much"})),
    ] {
        let (status, problem) = control(&rack, Method::PUT, path, body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(problem["detail"].is_string());
    }
}

#[tokio::test(start_paused = true)]
async fn a_fault_that_hits_nothing_is_refused_and_says_what_there_is() {
    let rack = Emulated::build(config(RackLayout::of(2))).unwrap();
    for (text, why) in [
        (r#"{"on":{"at":"r9/u1"},"action":"fail_fan"}"#, "r1/u1"),
        (r#"{"on":{"at":"r1/u1"},"action":"fail_fan","fan":9}"#, "4 fans"),
        (
            r#"{"on":{"at":"r1/u1"},"action":"leak","litres_per_minute":1}"#,
            "no coolant",
        ),
        (r#"{"on":{"at":"r1/u1"},"action":"fail_fan","count":2}"#, "count"),
        (
            r#"{"on":{"at":"r1/u1"},"action":"drift_sensor","sensor":"Mood"}"#,
            "Mood",
        ),
    ] {
        let refused = fault(&rack, text).unwrap_err();
        assert!(refused.contains(why), "{refused}");
    }
    assert!(rack.faults.list().is_empty());
}

#[tokio::test(start_paused = true)]
async fn every_described_rack_starts_and_has_an_address_for_each_of_its_boxes() {
    for name in emulator::layout::rack_names().split(", ") {
        let rack = Emulated::build(config(RackLayout::named(name).unwrap())).unwrap();
        let addresses: std::collections::BTreeSet<_> = rack.addresses().into_iter().collect();
        let bmcs = rack.servers.iter().filter(|s| s.spec.bmc.is_some()).count();
        assert_eq!(addresses.len(), bmcs + rack.pdus.len() + rack.equipment.len(), "{name}");
        let (status, all) = control(&rack, Method::GET, "/rack", Value::Null).await;
        assert_eq!(status, StatusCode::OK);
        assert!(all["boxes"].as_array().unwrap().len() >= rack.servers.len(), "{name}");
    }
    let none = RackLayout::named("nowhere.toml").unwrap_err().to_string();
    assert!(none.contains("colo"), "{none}");
}

#[tokio::test]
async fn a_tripped_branch_is_told_by_its_pdu_over_redfish() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let rack = Emulated::start(config(RackLayout::named("gpu-air").unwrap()))
        .await
        .unwrap();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let pdu = rack.rack.pdus[0].spec.bmc;
    let get = async |path: &str| {
        let url = format!("http://{pdu}:{}/redfish/v1/PowerEquipment/RackPDUs/1/{path}", rack.port);
        let answer = http.get(url).basic_auth("admin", Some("secret")).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        answer.json::<Value>().await.unwrap()
    };
    assert_eq!(get("Branches").await["Members"].as_array().unwrap().len(), 4);
    assert_eq!(get("Branches/1").await["BreakerState"], "Normal");
    assert!(
        get("Mains/AC1").await["PolyPhaseVoltage"]["Line1ToNeutral"]["Reading"]
            .as_f64()
            .unwrap()
            > 220.0
    );
    fault(&rack.rack, r#"{"on":{"at":"pdu-a-b1"},"action":"trip_breaker"}"#).unwrap();
    let branch = get("Branches/1").await;
    assert_eq!(
        (&branch["BreakerState"], &branch["Status"]["Health"]),
        (&json!("Tripped"), &json!("Critical"))
    );
    assert_eq!(get("Outlets/1").await["PowerState"], "Off");
    assert_eq!(get("Outlets/8").await["PowerState"], "On");
    assert_eq!(get("Mains/AC1").await["Status"]["Health"], "OK");
    fault(&rack.rack, r#"{"on":{"at":"pdu-a"},"action":"trip_breaker"}"#).unwrap();
    assert_eq!(get("Mains/AC1").await["Status"]["Health"], "Critical");
    rack.stop().await;
}

#[tokio::test]
async fn where_there_is_no_plant_its_faults_are_refused() {
    let faults = Arc::<emulator::faults::Faults>::default();
    let set = async |body: Value| {
        let request = Request::post("/faults")
            .header("content-type", "application/json")
            .body(Body::from(body.to_string()))
            .unwrap();
        let answer = emulator::control::faults(Arc::clone(&faults)).oneshot(request).await;
        answer.unwrap().status()
    };
    assert_eq!(set(json!({"action": "hang"})).await, StatusCode::OK);
    assert_eq!(set(json!({"action": "stop_cooling"})).await, StatusCode::CONFLICT);
    assert_eq!(faults.list().len(), 1);
}

/// What the endpoint says of where a fault can be set is what the rack takes, wherever something else than usual stands.
#[tokio::test(start_paused = true)]
async fn every_fault_can_be_set_where_it_is_said_to_be() {
    for name in ["colo", "composable", "immersion", "nvl72"] {
        let rack = Emulated::build(config(RackLayout::named(name).unwrap())).unwrap();
        let (status, kinds) = control(&rack, Method::GET, "/kinds", Value::Null).await;
        assert_eq!(status, StatusCode::OK);
        let kinds = kinds.as_array().unwrap().clone();
        assert!(
            kinds.len() > 10 && !kinds.iter().any(|k| k["action"] == "vanish"),
            "{name}"
        );
        for kind in kinds {
            for spot in kind["at"].as_array().unwrap() {
                let mut fault = json!({"on": {"at": spot["place"]}, "action": kind["action"]});
                for parameter in kind["parameters"].as_array().unwrap() {
                    let listed = spot["values"].as_array().unwrap().last();
                    let value = match parameter["listed"].as_bool().unwrap() {
                        true => listed.unwrap().as_str().unwrap(),
                        false => &parameter["usual"].to_string(),
                    };
                    let value = serde_json::from_str::<serde_json::Number>(value).map(Value::Number);
                    let text = || listed.cloned().unwrap_or_default();
                    fault[parameter["name"].as_str().unwrap()] = value.unwrap_or_else(|_| text());
                }
                let whole = |v: &Value| v.as_f64().filter(|n| n.fract() == 0.0).map(|n| n as u64);
                for field in ["millis", "code", "bytes"] {
                    if let Some(n) = whole(&fault[field]) {
                        fault[field] = n.into();
                    }
                }
                fault.as_object_mut().unwrap().retain(|_, v| !v.is_null());
                let (status, answer) = control(&rack, Method::POST, "/faults", fault.clone()).await;
                assert_eq!(status, StatusCode::OK, "{name}: {fault}: {answer}");
            }
            rack.clear_faults(None);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn it_is_told_what_would_be_dark_without_a_piece_of_gear() {
    let rack = running(RackLayout::default()).await;
    let gear = async |name: &str| {
        let (_, told) = control(&rack, Method::GET, "/rack", Value::Null).await;
        let all = told["gear"].as_array().unwrap();
        all.iter().find(|g| g["name"] == name).unwrap().clone()
    };
    let b = gear("pdu-b").await;
    assert_eq!((&b["breaker"], &b["last"]), (&"feed-b-breaker".into(), &json!([])));
    assert!(b["behind"].as_array().unwrap().contains(&"r1/u1".into()), "{b}");
    fault(&rack, r#"{"on":{"at":"r1/u1"},"action":"pull_cable","supply":0}"#).unwrap();
    assert_eq!(gear("feed-b").await["last"], json!(["r1/u1"]));
    assert_eq!(gear("feed-a").await["last"], json!([]));
    fault(&rack, r#"{"on":{"at":"feed-b"},"action":"lose_feed"}"#).unwrap();
    assert_eq!(gear("pdu-b").await["last"], json!([]), "what is dark can't become so");
    assert_eq!(rack.view(0).power, Power::Off);
}
