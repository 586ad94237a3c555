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

    let sensors = rack.busbar("sensors r1/u1 --json").ok().json();
    let readings = sensors["r1/u1"].as_array().unwrap();
    assert!(
        readings.iter().any(|r| r["name"] == "watts" && r["taken"].is_string()),
        "{sensors}"
    );

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
