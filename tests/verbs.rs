//! Verbs that change what a box is, through the whole house and over sockets: firmware in waves, a shared password renewed,
//! firmware settings kept up, caps.

#![allow(clippy::unwrap_used)]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::{PASSWORD, Rack};
use serde_json::Value;

/// A rack in which a machine is made within seconds.
const FAST: f64 = 50.0;

/// Where BMCs fetch an image of their own firmware; it is not there at first.
struct Web {
    url: String,
    there: Arc<AtomicBool>,
}

impl Web {
    fn start() -> Web {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url = format!("http://{}/bmc", listener.local_addr().unwrap());
        let there = Arc::new(AtomicBool::new(false));
        let is_there = Arc::clone(&there);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                while lines.next().is_some_and(|l| l.is_ok_and(|l| !l.is_empty())) {}
                let (status, body) = if is_there.load(Ordering::SeqCst) {
                    ("200 OK", "busbar-firmware BMC 2.0.0\nbytes")
                } else {
                    ("404 Not Found", "")
                };
                let length = body.len();
                // Err: the BMC has hung up, and says so itself
                let _ = write!(
                    stream,
                    "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
                );
            }
        });
        Web { url, there }
    }
}

fn update<'a>(rollout: &'a Value, place: &str) -> &'a Value {
    let all = rollout["nodes"].as_object().unwrap();
    &all.values().find(|u| u["place"] == place).unwrap()["state"]
}

#[test]
fn firmware_goes_in_waves_stops_when_its_budget_is_spent_and_spares_boxes_in_use() {
    let rack = Rack::start(3, FAST);
    let web = Web::start();
    rack.busbar("run demo --name web --on r1/u3").ok();
    let roll = |name: &str, more: &str| {
        let words = "firmware update r1/u1 r1/u2 r1/u3 --component BMC --to 2.0.0 --yes --name";
        rack.busbar(&format!("{words} {name} --image {} {more}", web.url)).ok();
    };
    let seen = |name: &str| -> Value {
        let all = rack.busbar(&format!("firmware status {name} --json")).json();
        all[0].clone()
    };
    let version = |place: &str| -> Value {
        let all = rack.busbar(&format!("firmware ls {place} --json")).ok().json();
        let parts = all[place].as_array().unwrap().clone();
        let bmc = parts
            .iter()
            .find(|p| p["id"].as_str().unwrap().ends_with("BMC"))
            .unwrap();
        bmc["version"].clone()
    };

    roll("first", "--wave 1 --failures 1");
    rack.until("it stops", || !seen("first")["stopped"].is_null());
    let stopped = seen("first");
    let mut states = ["r1/u1", "r1/u2"].map(|place| update(&stopped, place)["state"].to_string());
    states.sort();
    assert_eq!(
        states,
        ["\"failed\"", "\"waiting\""],
        "one failure is all that may be: {stopped}"
    );
    assert!(
        update(&stopped, "r1/u3").to_string().contains("web uses it"),
        "{stopped}"
    );
    assert!(
        ["r1/u1", "r1/u2", "r1/u3"]
            .iter()
            .all(|place| version(place) == "1.0.0")
    );

    // What was wrong is put right, and whoever asks says that boxes in use are meant too.
    web.there.store(true, Ordering::SeqCst);
    roll("second", "--wave 3 --in-use");
    rack.until("each version is read back", || {
        ["r1/u1", "r1/u2", "r1/u3"]
            .iter()
            .all(|place| version(place) == "2.0.0")
    });
    assert_eq!(rack.busbar("ps --json").ok().json()[0]["status"]["state"], "running");
    rack.until("every box is back in use", || {
        let all = rack.busbar("ls --json").ok().json();
        all.as_array().unwrap().iter().all(|n| n["cordoned"].is_null())
    });
}

/// Whether a BMC lets this password in.
fn lets_in(rack: &Rack, address: &str, password: &str) -> bool {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let url = format!("https://{address}:{}/redfish/v1/Managers", rack.port + 1043);
    runtime.block_on(async {
        let client = reqwest::Client::builder()
            .tls_danger_accept_invalid_certs(true)
            .no_proxy()
            .build()
            .unwrap();
        let answer = client
            .get(url)
            .basic_auth("admin", Some(password))
            .send()
            .await
            .unwrap();
        answer.status().is_success()
    })
}

#[test]
fn a_rotation_that_a_crash_cuts_in_two_is_finished_and_the_old_password_is_dead() {
    let mut rack = Rack::start(4, FAST);
    let bmcs = ["127.10.1.1", "127.10.1.2", "127.10.1.3", "127.10.1.4", "127.10.1.200"];
    assert!(bmcs.iter().all(|b| lets_in(&rack, b, PASSWORD)));
    // Slow enough to be caught in the middle.
    rack.with(&[
        "emulate",
        "fault",
        r#"{"on":{"at":"r1/*"},"action":"delay","millis":200}"#,
    ])
    .ok();
    let half = |rack: &Rack| {
        let known = bmcs.iter().filter(|b| lets_in(rack, b, PASSWORD)).count();
        (1..bmcs.len()).contains(&known)
    };
    std::thread::scope(|s| {
        s.spawn(|| rack.busbar("credential rotate emulated"));
        rack.until("some have the new password", || half(&rack));
        let pid = rack.pid();
        std::process::Command::new("kill")
            .args(["-9", &pid.to_string()])
            .status()
            .unwrap();
    });
    rack.kill();
    rack.up();
    let doctor = || rack.busbar("doctor").out;
    assert!(half(&rack), "it was cut in the middle");
    assert!(
        doctor().contains("the rotation of emulated is not finished"),
        "{}",
        doctor()
    );
    let silent = || {
        let all = rack.busbar("ls --json").ok().json();
        all.as_array().unwrap().iter().any(|n| !n["live"]["silent"].is_null())
    };
    rack.busbar("run demo --name web --on r1/u1").ok();
    assert!(!silent(), "each is still spoken to with what it has");
    rack.busbar("credential rotate emulated").ok();
    assert!(bmcs.iter().all(|b| !lets_in(&rack, b, PASSWORD)));
    assert!(!doctor().contains("not finished"));
    rack.busbar("rm web --yes").ok();
    assert!(!silent());
}

#[test]
fn a_pdu_that_feeds_nothing_recorded_takes_a_new_password_once_its_rack_is_armed() {
    const RACK: &str = r#"
        [[feed]]
        name = "feed-a"
        volts = 230
        phases = 1
        amps = 32

        [[pdu]]
        name = "pdu-a"
        feed = "feed-a"
        outlets = 4

        [[pdu]]
        name = "pdu-spare"
        feed = "feed-a"
        outlets = 4

        [[box]]
        slot = "u1"
        count = 2
        kind = "server-2s"
        cords = ["pdu-a/1"]
    "#;
    let rack = Rack::described(RACK, FAST);
    rack.until("both PDUs are seen", || {
        let all = rack.busbar("outlet ls r1 --json").json();
        all.as_array().is_some_and(|all| all.len() == 2)
    });
    rack.busbar("disarm r1/u2").ok();
    let half = rack.busbar("credential rotate emulated --json");
    assert_eq!(half.code, 7, "{half:?}");
    let left = half.json()["left"].as_array().unwrap().clone();
    // the node that is not armed, and the PDU that stands in a rack which is not armed whole
    assert_eq!(
        (left.len(), half.json()["done"].as_array().unwrap().len()),
        (2, 2),
        "{left:?}"
    );
    assert!(
        left.iter().all(|l| l.as_str().unwrap().ends_with(": busbar arm r1")),
        "{left:?}"
    );
    rack.busbar("arm r1 --yes").ok();
    rack.busbar("credential rotate emulated").ok();
    let audit = rack.api("GET", "/v1/events", Some(&rack.token()), Vec::new()).body;
    assert!(audit.contains(r#""about":"r1/pdu-spare""#), "{audit}");
}

#[test]
fn a_controller_that_was_replaced_is_spoken_to_again_once_its_new_certificate_is_trusted() {
    let mut rack = Rack::start(1, FAST);
    let pdu_is_read = |rack: &Rack| rack.busbar("outlet off r1/pdu-a/2 --yes").code == 0;
    rack.until("the PDU is read", || pdu_is_read(&rack));
    rack.kill();
    std::fs::remove_file(rack.folder.path().join("state/emulator/state.cert.pem")).unwrap();
    rack.up();
    let why = || rack.busbar("ls r1/u1 --json").json()[0]["live"]["silent"].to_string();
    rack.until("the other certificate is told", || {
        why().contains("`busbar trust` for its place")
    });
    assert!(!pdu_is_read(&rack));
    for place in ["r1/u1", "r1/pdu-a"] {
        rack.busbar(&format!("trust {place}")).ok();
    }
    rack.until("the BMC answers", || why() == "null");
    rack.until("the PDU answers", || pdu_is_read(&rack));
    assert_eq!(rack.busbar("trust r1/u40").code, 3);
}

#[test]
fn a_firmware_setting_is_wanted_pending_and_read_back_after_the_next_boot() {
    let rack = Rack::start(1, FAST);
    let seen = || rack.busbar("bios r1/u1 --json").ok().json();
    rack.until("its settings are seen", || seen()["bios"]["Turbo"] == true);
    rack.busbar("bios r1/u1 Turbo=false").ok();
    rack.until("it waits for a boot", || seen()["pending"]["Turbo"] == false);
    assert_eq!(seen()["bios"]["Turbo"], true);
    rack.busbar("run demo --name web --on r1/u1").ok();
    rack.until("it holds", || seen()["bios"]["Turbo"] == false);
    rack.until("nothing is pending", || seen()["pending"]["Turbo"].is_null());
}

#[test]
fn a_cap_is_held_read_back_and_refused_beyond_what_the_box_takes() {
    let rack = Rack::start(1, FAST);
    let watts = || {
        let all = rack.busbar("cap r1/u1 --json").json();
        let caps = all["caps"].as_array().cloned().unwrap_or_default();
        caps.iter().find(|c| c["id"] == "system").map(|c| c["watts"].clone())
    };
    rack.busbar("cap r1/u1 600W").ok();
    rack.until("it holds", || watts() == Some(600.0.into()));
    rack.busbar("cap r1/u1 100kW").ok();
    rack.until("the box's range is said", || {
        let seen = rack.busbar("cap r1/u1");
        seen.code == 1 && seen.err.contains(" W")
    });
    assert_eq!(watts(), Some(600.0.into()), "what was set before still holds");
    rack.busbar("cap r1/u1 none").ok();
    rack.until("it is lifted", || watts() == Some(Value::Null));
}
