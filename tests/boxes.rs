//! Verbs for boxes, tried from the command line on the emulated rack: readings, outlets, lights, logs, BIOS settings.

#![allow(clippy::unwrap_used)]

mod common;

use common::Rack;

/// The commands of the README's section, without what is said of them.
fn readme() -> Vec<&'static str> {
    let text = include_str!("../README.md");
    let section = text.split("## Boxes").nth(1).unwrap();
    let block = section.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    block.lines().map(|l| l.split('#').next().unwrap().trim()).collect()
}

#[test]
fn boxes_are_read_lit_and_set_from_the_command_line() {
    let rack = Rack::start(2, 50.0);
    rack.until("its outlets are seen", || {
        rack.busbar("outlet ls r1").ok().out.contains("r1/pdu-a/1")
    });

    // A daemon that has just started has not read every box yet.
    rack.until("its readings are there, each with its time", || {
        let sensors = rack.busbar("sensors r1/u1 --json").ok().json();
        let readings = sensors["r1/u1"].as_array().unwrap();
        readings.iter().any(|r| r["name"] == "watts" && r["taken"].is_string())
    });

    assert!(rack.busbar("locate r1/u1").ok().out.contains("r1/u1 is lit"));
    assert!(rack.busbar("locate r1/u1 --off").ok().out.contains("is dark again"));

    // What is wanted holds from the next boot on, and nothing that the box does not know is sent.
    assert!(rack.busbar("bios r1/u1 Turbo=false").ok().out.contains("Turbo=false"));
    rack.until("the setting waits for the next boot", || {
        let seen = rack.busbar("bios r1/u1 --json").ok().json();
        seen["pending"]["Turbo"] == false && seen["bios"]["Turbo"] == true
    });
    rack.busbar("bios r1/u2 Nonsense=1").ok();
    rack.until("it says that there is no such attribute", || {
        let seen = rack.busbar("bios r1/u2");
        seen.code == 1 && seen.err.contains("Nonsense")
    });

    for line in readme() {
        rack.busbar(line.strip_prefix("busbar ").unwrap()).ok();
    }

    // Each supply hangs on an outlet of its own: one going dark is seen, and nobody's machine is on it.
    assert!(rack.busbar("outlet off r1/pdu-a/1 --yes").ok().out.contains("is off"));
    rack.until("the outlet is seen off", || {
        let all = rack.busbar("outlet ls r1/pdu-a --json").ok().json();
        let mine = all[0]["outlets"].as_array().unwrap();
        mine.iter().any(|o| o["id"] == "1" && o["power"] == "off")
    });
    assert!(rack.busbar("outlet on r1/pdu-a/1").ok().out.contains("is on"));
    let unknown = rack.busbar("outlet off r1/pdu-a/77 --yes");
    assert_eq!(
        unknown.code, 8,
        "an outlet that nobody wrote down could feed anything: {}",
        unknown.err
    );

    assert!(
        rack.busbar("log r1/u1")
            .ok()
            .out
            .contains("resource properties have changed")
    );
    assert!(rack.busbar("firmware ls r1/u1").ok().out.contains("BIOS"));
    let dry = "firmware update r1 --component BIOS --to E2 --image http://127.0.0.1:1/x --dry-run";
    assert!(rack.busbar(dry).ok().out.contains("would be updated"));
    // Nothing here may be capped, and that is said instead of a table without rows being taken for an answer.
    let refused = rack.busbar("cap r1/u1 lots");
    assert_eq!(refused.code, 2, "{}", refused.err);
}

/// Captured boxes of four dialects, served as live ones: a cap is set, shown and lifted through the whole house, and one
/// that the box does not take is refused in words.
#[test]
fn a_cap_is_set_and_lifted_in_each_dialect_of_captured_boxes() {
    let Some(corpus) = std::env::var_os("BUSBAR_CORPUS") else {
        eprintln!("SKIPPED: BUSBAR_CORPUS names no folder with redfish-trees.tar.xz");
        return;
    };
    let trees = [
        "dell-poweredge-r750-idrac9-6.00",
        "dmtf-public-rackmount1",
        "hpe-cray-ex235a-mi250x-node",
        "gigabyte-h262-z63-ami-megarac",
    ];
    let folder = tempfile::tempdir().unwrap();
    let archive = std::path::Path::new(&corpus).join("redfish-trees.tar.xz");
    let mut tar = std::process::Command::new("tar");
    tar.arg("xJf")
        .arg(archive)
        .arg("-C")
        .arg(folder.path())
        .arg("--wildcards");
    assert!(tar.args(trees.map(|t| format!("*{t}*"))).status().unwrap().success());
    let mut more = Vec::new();
    for tree in trees {
        more.extend(["--tree".to_owned(), folder.path().join(tree).display().to_string()]);
    }
    let more: Vec<&str> = more.iter().map(String::as_str).collect();
    let rack = Rack::start_with(1, 50.0, &more);
    let places = || -> Vec<String> {
        let all = rack.busbar("ls trees --json");
        let nodes = if all.code == 0 {
            all.json()
        } else {
            serde_json::Value::Null
        };
        let place = |n: &serde_json::Value| n["place"].as_str().unwrap().to_owned();
        nodes
            .as_array()
            .map(|a| a.iter().map(place).collect())
            .unwrap_or_default()
    };
    rack.until("the captured boxes are found", || places().len() == trees.len());
    rack.busbar("arm trees --yes").ok();
    let system = |place: &str| {
        let seen = rack.busbar(&format!("cap {place} --json")).json();
        seen["caps"]
            .as_array()
            .unwrap()
            .iter()
            .find(|c| c["id"] == "system")
            .unwrap()
            .clone()
    };
    for place in places() {
        rack.busbar(&format!("cap {place} 900W")).ok();
        rack.until(&format!("the cap of {place} holds"), || {
            system(&place)["watts"] == 900.0
        });
        rack.busbar(&format!("cap {place} none")).ok();
        rack.until(&format!("the cap of {place} is lifted"), || {
            system(&place)["watts"].is_null()
        });
    }
    let picky = "trees/hpe-cray-ex235a-mi250x-node";
    rack.busbar(&format!("cap {picky} 100W")).ok();
    rack.until("the box says what it takes", || {
        let seen = rack.busbar(&format!("cap {picky}"));
        seen.code == 1 && seen.err.contains("764 to 2754 W")
    });
}
