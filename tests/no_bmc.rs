//! A machine without a BMC, from the command line on the emulated rack: woken by magic packets over the rack's network, cut
//! at the outlets of emulated PDUs, installed, logged in to, stopped, started and given back wiped.

#![allow(clippy::unwrap_used)]

mod common;

use common::Rack;

const PLACE: &str = "r1/u18";

/// The section of the README.
fn section() -> &'static str {
    include_str!("../README.md")
        .split("## A machine without a BMC")
        .nth(1)
        .unwrap()
}

fn block(kind: &str) -> &'static str {
    let start = format!("```{kind}\n");
    section()
        .split(start.as_str())
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap()
}

#[test]
fn a_machine_without_a_bmc_is_run_stopped_started_and_given_back() {
    let rack = Rack::start_with(9, 50.0, &["--bare", "1"]);
    let node = || {
        let all = rack.busbar(&format!("ls {PLACE} --json")).ok().json();
        all[0].clone()
    };
    let power = || node()["live"]["power"].clone();
    rack.until("its outlets show that it is off", || power() == "off");

    // Nothing is made up: a sleeping box draws a little, and that is all there is to read.
    rack.until("what it draws is read", || {
        let sensors = rack.busbar(&format!("sensors {PLACE} --json")).ok().json();
        let readings = sensors[PLACE].as_array().unwrap().clone();
        readings.len() == 1 && readings[0]["name"] == "watts" && readings[0]["value"].as_f64().is_some_and(|w| w < 5.0)
    });
    let why = rack.busbar(&format!("why {PLACE}")).ok().out;
    for told in [
        "no BMC",
        "boot override: none",
        "sensors: no reading but",
        "r1/pdu-a/11 and r1/pdu-b/11",
    ] {
        assert!(why.contains(told), "{told}: {why}");
    }
    for (verb, lacks) in [
        (format!("locate {PLACE}"), "no light"),
        (format!("log {PLACE}"), "no log"),
        (format!("cap {PLACE} 600W"), "no power cap"),
        (format!("bios {PLACE} Turbo=false"), "no BIOS setting"),
        (format!("trust {PLACE}"), "no certificate"),
    ] {
        let refused = rack.busbar(&verb);
        assert_ne!(refused.code, 0);
        for told in ["has no BMC", lacks, "busbar why r1/u18"] {
            assert!(refused.err.contains(told), "{verb}: {}", refused.err);
        }
    }
    assert!(rack.busbar(&format!("ls {PLACE}")).ok().out.contains("no BMC"));

    for line in block("sh").lines() {
        let command = line.split('#').next().unwrap().trim().strip_prefix("busbar ").unwrap();
        let answer = rack.busbar(command).ok();
        match command.split_whitespace().next().unwrap() {
            "run" => {
                assert!(answer.out.contains("web-2 is up"), "{}", answer.out);
                rack.until("it is seen to run", || power() == "on");
                // Its agent told what no BMC could.
                let seen = node();
                assert_eq!(seen["identity"]["model"], "Emulated bare", "{seen}");
                assert!(seen["identity"]["serial"].as_str().unwrap().starts_with("EMU"));
            }
            "kill" if command.contains("KILL") => {
                rack.until("it is stopped, at outlets that are off", || {
                    let pdus = rack.busbar("outlet ls r1 --json").ok().json();
                    let mine = |pdu: &serde_json::Value| {
                        let all = pdu["outlets"].as_array().unwrap();
                        all.iter().any(|o| o["id"] == "11" && o["power"] == "off")
                    };
                    let stopped = rack.busbar("ps --json").ok().json()[0]["status"]["state"] == "stopped";
                    stopped && pdus.as_array().unwrap().iter().all(mine)
                });
            }
            "kill" => rack.until("it runs again", || {
                rack.busbar("ps --json").ok().json()[0]["status"]["state"] == "running"
            }),
            "rm" => assert!(answer.out.contains("wiped"), "{}", answer.out),
            _ => {}
        }
    }
    // It is the same node afterwards, wiped, and free for the next one.
    let after = node();
    assert_eq!(after["tenancy"]["data"], "wiped", "{after}");
    assert!(after["holder"].is_null());
    let log = rack.busbar("dmesg --json").ok().out;
    assert!(
        log.contains("outlet r1/pdu-a/11 Off"),
        "every switch is in the audit log: {log}"
    );
    assert!(log.contains("reset On"), "and every wake-up");
}

/// The lines of the README are a rack file, and such a box can be discovered by hand too.
#[test]
fn a_box_without_a_bmc_is_written_down_as_the_readme_says() {
    let text = format!("[rack]\nname = \"r1\"\n{}", block("toml"));
    let file = control::rackfile::parse("README.md", &text).unwrap();
    let watched = file.watched();
    assert_eq!(watched[0].url, "wol://52-54-00-12-34-56/10.77.0.255");
    assert_eq!(watched[0].outlets.len(), 2);

    let example = control::rackfile::parse("example.toml", include_str!("../racks/example.toml")).unwrap();
    assert!(example.watched().iter().any(|w| w.url.starts_with("wol://")));

    let rack = Rack::start(1, 50.0);
    let found = rack
        .busbar("discover wol://52-54-00-12-34-56/127.255.255.255:9 --rack r2 --slot u1")
        .ok();
    assert!(found.out.contains("r2/u1"), "{}", found.out);
    let why = rack.busbar("why r2/u1").ok().out;
    assert!(
        why.contains("by hand only") && why.contains("outlets = [\"pdu-a/3\"]"),
        "{why}"
    );
    let bad = rack.busbar("discover wol://10.0.0.1 --rack r2");
    assert!(bad.err.contains("wol://52-54-00-12-34-56"), "{}", bad.err);
}
