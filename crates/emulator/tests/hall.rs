//! A data hall: each kind of box is discovered by the real driver over a real socket; what is done to one is not done to its
//! like; and a box costs little.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use emulator::hall::{Config, Hall, Handle, Layout};
use emulator::{Action, Credential, Fault, Selector};
use hardware::{DeviceKind, Found, FoundSystem, HttpTransport, Mode, Pin, Redfish};
use rack::node::BmcAddress;
use rack::{Part, PartKind, Time};
use reqwest::StatusCode;
use serde_json::{Value, json};

const TRAY: usize = 0;
const DPU: usize = 1;
const SWITCH: usize = 54;
const SHELF: usize = 63;

fn config(bmcs: u32) -> Config {
    Config {
        layout: Layout::of(bmcs).unwrap(),
        port: 0,
        tls: true,
        credential: Some(Credential {
            user: "admin".into(),
            password: "secret".into(),
        }),
        speed: 100.0,
        clock: Arc::new(|| Time::from_millis(1_790_000_000_000)),
        idle: Duration::from_secs(15),
        control: Some("127.0.0.1:0".parse().unwrap()),
    }
}

async fn hall(bmcs: u32) -> Handle {
    Hall::start(config(bmcs)).await.unwrap()
}

fn url(hall: &Handle, n: usize) -> String {
    let at = Layout::of(71).unwrap().addresses()[n];
    format!("https://{at}:{}", hall.port)
}

fn bmc(hall: &Handle, n: usize) -> Redfish {
    let credential = hardware::Credential {
        user: "admin".into(),
        password: "secret".into(),
    };
    let transport = HttpTransport::new(Pin::Learn).unwrap();
    Redfish::new(&url(hall, n), Arc::new(transport), credential, Mode::Observe)
}

async fn found(hall: &Handle, n: usize) -> Found {
    let found = bmc(hall, n).discover().await.unwrap();
    assert!(found.problems.is_empty(), "{:?}", found.problems);
    found
}

fn machine(found: &Found) -> &FoundSystem {
    let machines: Vec<&FoundSystem> = found.systems.iter().filter(|s| s.is_machine).collect();
    assert_eq!(machines.len(), 1, "{machines:#?}");
    machines[0]
}

async fn watts(hall: &Handle, n: usize, system: &FoundSystem) -> Option<f64> {
    let bmc = bmc(hall, n);
    let at = BmcAddress {
        url: url(hall, n),
        system: system.system.clone(),
        manager: system.manager.clone(),
        chassis: system.chassis.clone(),
        credential: "hall".parse().unwrap(),
        certificate: None,
    };
    let readings = bmc.readings(&at, Time::from_millis(0)).await.unwrap();
    assert_eq!(readings[0].name, "watts");
    assert!(readings.iter().any(|r| r.name == "inlet"), "{readings:?}");
    readings[0].value
}

fn count(parts: &[Part], kind: fn(&PartKind) -> bool) -> usize {
    parts.iter().filter(|p| kind(&p.kind)).count()
}

fn client() -> reqwest::Client {
    // Err: another test was first
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .tls_danger_accept_invalid_certs(true)
        .timeout(Duration::from_secs(20))
        .build()
        .unwrap()
}

async fn get(url: &str) -> Value {
    let answer = client()
        .get(url)
        .basic_auth("admin", Some("secret"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::OK, "{url}");
    serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
}

#[tokio::test]
async fn every_kind_is_discovered_by_the_driver() {
    let hall = hall(71).await;
    let tray = found(&hall, TRAY).await;
    let tray = machine(&tray);
    assert_eq!(count(&tray.parts, |k| matches!(k, PartKind::Gpu { .. })), 4);
    assert_eq!(
        count(&tray.parts, |k| matches!(k, PartKind::Processor { cores: 72, .. })),
        2
    );
    assert_eq!(count(&tray.parts, |k| matches!(k, PartKind::Drive { .. })), 5);
    assert_eq!(count(&tray.parts, |k| matches!(k, PartKind::Memory { .. })), 2);
    let told = watts(&hall, TRAY, tray).await.unwrap();
    assert!((1_000.0..7_000.0).contains(&told), "{told} W");

    // the card that the tray shows is the box that answers for itself
    let dpu = found(&hall, DPU).await;
    let dpu = machine(&dpu);
    let card = tray.parts.iter().find(|p| p.id == "riser_slot1_dpu").unwrap();
    assert_eq!((&card.serial, card.serial.is_some()), (&dpu.identity.serial, true));
    assert_eq!(watts(&hall, DPU, dpu).await, None, "a card has no meter");

    let switch = found(&hall, SWITCH).await;
    assert!(watts(&hall, SWITCH, machine(&switch)).await.is_some_and(|w| w > 500.0));

    let shelf = found(&hall, SHELF).await;
    assert!(shelf.systems.is_empty());
    assert_eq!(
        (shelf.devices.len(), shelf.devices[0].kind),
        (1, DeviceKind::PowerShelf)
    );
    assert!(shelf.devices[0].watts.is_some_and(|w| (3_000.0..33_000.0).contains(&w)));
}

#[tokio::test]
async fn two_of_a_kind_differ_in_what_is_their_own() {
    let hall = hall(10).await;
    let (one, other) = (found(&hall, 0).await, found(&hall, 3).await);
    let (one, other) = (machine(&one), machine(&other));
    assert_ne!(one.identity.serial, other.identity.serial);
    assert_ne!(one.identity.uuid, other.identity.uuid);
    assert_eq!(one.identity.model, other.identity.model);
    let macs = |s: &FoundSystem| -> Vec<_> { s.parts.iter().filter_map(Part::mac).collect() };
    assert!(macs(one).len() == 2 && macs(one).iter().all(|m| !macs(other).contains(m)));
    let serials = |s: &FoundSystem| -> Vec<String> { s.parts.iter().filter_map(|p| p.serial.clone()).collect() };
    let mine = serials(one);
    assert!(mine.len() > 12 && mine.iter().all(|s| !serials(other).contains(s)));
}

#[tokio::test]
async fn what_is_done_to_one_is_not_done_to_its_like() {
    let hall = hall(6).await;
    let system = format!("{}/redfish/v1/Systems/System_0", url(&hall, 0));
    let neighbour = format!("{}/redfish/v1/Systems/System_0", url(&hall, 3));
    let post = client().post(format!("{system}/Actions/ComputerSystem.Reset"));
    let reset = post
        .basic_auth("admin", Some("secret"))
        .body(json!({"ResetType": "ForceOff"}).to_string());
    assert_eq!(reset.send().await.unwrap().status(), StatusCode::NO_CONTENT);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(get(&system).await["PowerState"], "Off");
    assert_eq!(get(&neighbour).await["PowerState"], "On");
    let power = "/redfish/v1/Chassis/Chassis_0/Sensors/Chassis_0_TotalHSC_Power_0";
    assert_eq!(get(&format!("{}{power}", url(&hall, 0))).await["Reading"], 0);
    assert!(
        get(&format!("{}{power}", url(&hall, 3))).await["Reading"]
            .as_f64()
            .unwrap()
            > 1_000.0
    );

    // what carries readings has another tag with each of them, as real services' has: a precondition is tried elsewhere
    let patch = |at: &str, tag: &str, body: Value| {
        let patch = client().patch(at).basic_auth("admin", Some("secret"));
        patch.header("if-match", tag.to_owned()).body(body.to_string()).send()
    };
    let asset = |tag: &str| patch(&neighbour, tag, json!({"AssetTag": "a-7"}));
    assert_eq!(
        asset("\"other\"").await.unwrap().status(),
        StatusCode::PRECONDITION_FAILED
    );
    let head = client()
        .get(&neighbour)
        .basic_auth("admin", Some("secret"))
        .send()
        .await
        .unwrap();
    let tag = head.headers()["etag"].to_str().unwrap().to_owned();
    assert_eq!(asset(&tag).await.unwrap().status(), StatusCode::OK);
    assert_eq!(asset(&tag).await.unwrap().status(), StatusCode::PRECONDITION_FAILED);

    // a limit is set on one; its readings go on being read
    let metrics = "/redfish/v1/Systems/HGX_Baseboard_0/Processors/GPU_2/EnvironmentMetrics";
    let (mine, theirs) = (
        format!("{}{metrics}", url(&hall, 3)),
        format!("{}{metrics}", url(&hall, 0)),
    );
    let limit = |watts: u32| patch(&mine, "*", json!({"PowerLimitWatts": {"SetPoint": watts}}));
    assert_eq!(limit(100).await.unwrap().status(), StatusCode::BAD_REQUEST);
    assert_eq!(limit(700).await.unwrap().status(), StatusCode::OK);
    let after = get(&mine).await;
    assert_eq!(after["PowerLimitWatts"]["SetPoint"], 700);
    assert!(after["PowerWatts"]["Reading"].as_f64().unwrap() > 75.0);
    assert_eq!(get(&theirs).await["PowerLimitWatts"]["SetPoint"], 1200);
}

#[tokio::test]
async fn queries_sessions_and_passwords_are_as_of_other_boxes() {
    let hall = hall(3).await;
    let at = url(&hall, 0);
    let sensors = get(&format!(
        "{at}/redfish/v1/Chassis/Chassis_0/Sensors?$expand=.($levels=1)"
    ))
    .await;
    let members = sensors["Members"].as_array().unwrap();
    assert_eq!(members.len(), 24);
    assert!(members.iter().all(|m| m["Reading"].is_number()), "{members:?}");
    let cpu = get(&format!("{at}/redfish/v1/Chassis/HGX_CPU_0/Sensors")).await;
    assert_eq!(cpu["Members@odata.count"], 74);

    let login = |password: &str| {
        let body = json!({"UserName": "admin", "Password": password}).to_string();
        client()
            .post(format!("{at}/redfish/v1/SessionService/Sessions"))
            .body(body)
            .send()
    };
    assert_eq!(login("wrong").await.unwrap().status(), StatusCode::UNAUTHORIZED);
    let opened = login("secret").await.unwrap();
    let token = opened.headers()["x-auth-token"].clone();
    let asked = client()
        .get(format!("{at}/redfish/v1/Systems"))
        .header("x-auth-token", token);
    assert_eq!(asked.send().await.unwrap().status(), StatusCode::OK);

    let change = format!("{at}/redfish/v1/AccountService/Accounts/1/Actions/ManagerAccount.ChangePassword");
    let post = client().post(change).basic_auth("admin", Some("secret"));
    let changed = post
        .body(json!({"NewPassword": "new"}).to_string())
        .send()
        .await
        .unwrap();
    assert_eq!(changed.status(), StatusCode::NO_CONTENT);
    assert_eq!(login("secret").await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert_eq!(login("new").await.unwrap().status(), StatusCode::CREATED);
    // and nobody else's
    get(&format!("{}/redfish/v1/Systems", url(&hall, 1))).await;
}

#[tokio::test]
async fn who_has_vanished_says_not_a_word_and_comes_back() {
    let hall = hall(3).await;
    let on = Selector {
        at: "r1/c1-dpu*".into(),
        ..Selector::default()
    };
    let fault = Fault {
        id: 0,
        on,
        action: Action::Vanish,
        count: None,
        hits: 0,
        since: None,
    };
    let id = hall.hall.set_fault(fault).unwrap().id;
    let control = format!("http://{}/faults/{id}/boxes", hall.control.unwrap());
    let hit = client().get(control).send().await.unwrap().bytes().await.unwrap();
    let hit: Vec<String> = serde_json::from_slice(&hit).unwrap();
    assert_eq!(hit, ["r1/c1-dpu1", "r1/c1-dpu2"]);
    get(&format!("{}/redfish/v1", url(&hall, TRAY))).await;
    let root = format!("{}/redfish/v1", url(&hall, DPU));
    let waits = tokio::spawn(client().get(&root).send());
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!waits.is_finished());
    hall.hall.clear_faults(Some(id));
    assert!(
        waits.await.unwrap().is_err(),
        "what it was told while it was gone is lost"
    );
    get(&root).await;
}

fn fault(text: &str) -> Fault {
    serde_json::from_str(text).unwrap()
}

/// Through the endpoint: what is set, or why not.
async fn set(hall: &Handle, fault: Value) -> Result<u64, String> {
    let post = client().post(format!("http://{}/faults", hall.control.unwrap()));
    let post = post.header("content-type", "application/json").body(fault.to_string());
    let answer = post.send().await.unwrap();
    let ok = answer.status().is_success();
    let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    match ok {
        true => Ok(body["id"].as_u64().unwrap()),
        false => Err(body["detail"].as_str().unwrap().to_owned()),
    }
}

#[tokio::test]
async fn what_happens_to_a_rack_happens_to_its_boxes_and_to_no_other_rack() {
    let hall = hall(71 * 2).await;
    let sensor = |name: &str| format!("{}/redfish/v1/Chassis/powershelf/{name}", url(&hall, SHELF));
    let rectifier = sensor("PowerSubsystem/PowerSupplies/2");
    assert_eq!(get(&rectifier).await["Status"]["Health"], "OK");
    let id = set(
        &hall,
        json!({"on": {"at": "r1/p1"}, "action": "fail_supply", "supply": 2}),
    )
    .await
    .unwrap();
    assert_eq!(get(&rectifier).await["Status"]["Health"], "Critical");
    assert_eq!(get(&sensor("Sensors/power_p2_pout")).await["Reading"], 0.0);
    assert_eq!(found(&hall, SHELF).await.devices[0].health, rack::Health::Critical);
    assert_eq!(found(&hall, SHELF + 1).await.devices[0].health, rack::Health::Ok);
    let hit = get(&format!("http://{}/faults/{id}/boxes", hall.control.unwrap())).await;
    assert_eq!(hit, json!(["r1/p1"]));
    assert_eq!(hall.hall.clear_faults(Some(id)), 1);
    assert_eq!(get(&rectifier).await["Status"]["Health"], "OK");

    // the loop is nobody's own: trays tell of it
    let detector = |n: usize| {
        let of = "Chassis/Chassis_0/ThermalSubsystem/LeakDetection/LeakDetectors/Chassis_0_LeakDetector_0";
        let at = format!("{}/redfish/v1/{of}", url(&hall, n));
        async move { get(&at).await["DetectorState"].clone() }
    };
    assert_eq!(detector(TRAY).await, "OK");
    set(
        &hall,
        json!({"on": {"at": "r1/coolant"}, "action": "leak", "litres_per_minute": 60.0}),
    )
    .await
    .unwrap();
    // a hundred times real time
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(detector(TRAY).await, "Critical");
    hall.hall.clear_faults(None);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(detector(TRAY).await, "OK");

    // without feeds nobody in the rack answers, in the next all do; trays come back switched off
    let dark = set(&hall, json!({"on": {"at": "r1/feed-*"}, "action": "lose_feed"}))
        .await
        .unwrap();
    let root = |n: usize| client().get(format!("{}/redfish/v1", url(&hall, n))).send();
    for n in [TRAY, DPU, SWITCH, SHELF] {
        assert!(root(n).await.is_err(), "{n}");
    }
    let next = hall.hall.boxes()[71].name();
    assert_eq!(next, "r2/c1");
    let other = Layout::of(142).unwrap().addresses()[71];
    let other = client().get(format!("https://{other}:{}/redfish/v1", hall.port)).send();
    assert_eq!(other.await.unwrap().status(), StatusCode::OK);
    hall.hall.clear_faults(Some(dark));
    let power = |n: usize, system: &'static str| {
        let at = format!("{}/redfish/v1/Systems/{system}", url(&hall, n));
        async move { get(&at).await["PowerState"].clone() }
    };
    assert_eq!(power(TRAY, "System_0").await, "Off");
    assert_eq!(found(&hall, SHELF).await.devices[0].health, rack::Health::Ok);
}

#[tokio::test]
async fn a_fault_that_a_hall_can_t_have_is_refused_in_words() {
    let hall = hall(6).await;
    for (wrong, why) in [
        (json!({"action": "stuck_post"}), "run no firmware"),
        (
            json!({"on": {"at": "r1/c9"}, "action": "pull_cable", "supply": 7}),
            "`r1/c9` has supplies 0 to 0",
        ),
        (
            json!({"on": {"at": "r9/feed-a"}, "action": "lose_feed"}),
            "r1 to r1 have c1 to c18",
        ),
        (
            json!({"on": {"at": "r1/c1-dpu1"}, "action": "fail_fan"}),
            "there is no `r1/c1-dpu1`",
        ),
        (
            json!({"on": {"at": "r1/p1"}, "action": "leak", "litres_per_minute": 1.0}),
            "`r1/p1` has no coolant",
        ),
        (
            json!({"on": {"at": "r1/feed-a"}, "action": "lose_feed", "count": 2}),
            "leave `count` out",
        ),
    ] {
        let refused = set(&hall, wrong).await.unwrap_err();
        assert!(refused.contains(why), "{refused}");
    }
    assert!(hall.hall.faults().is_empty());
    assert!(
        hall.hall
            .set_fault(fault(r#"{"action": "hang", "on": {"at": "r1/c1"}}"#))
            .is_ok()
    );
}

#[test]
fn documents_are_there_once_for_each_kind_and_a_box_is_small() {
    let hall = Hall::build(&config(710)).unwrap();
    let boxes = hall.boxes();
    for n in [TRAY, DPU, SWITCH, SHELF] {
        let (here, there) = (boxes[n].shape(), boxes[n + 71 * 7].shape());
        assert!(
            Arc::ptr_eq(here, there),
            "{} and {}",
            boxes[n].name(),
            boxes[n + 71 * 7].name()
        );
        assert!(here.resources() > 30);
    }
    assert!(boxes[TRAY].shape().resources() > 250);
    assert!(hall.shapes().size() < 4 << 20, "{} bytes", hall.shapes().size());
    let largest = boxes.iter().map(|b| b.size()).max().unwrap();
    assert!(largest < 2048, "a box takes {largest} bytes");
}

#[tokio::test]
async fn more_than_files_may_be_open_is_refused_with_what_to_do() {
    let wanted = emulator::hall::layout::MOST;
    match Hall::start(config(wanted)).await {
        Err(error) => assert!(error.to_string().contains("ulimit -Hn"), "{error}"),
        Ok(_) => eprintln!("SKIPPED: this process may have {wanted} files open"),
    }
}
