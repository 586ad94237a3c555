//! A box of the emulated rack is captured, redacted, served again from the folder, and found by the daemon.

#![allow(clippy::unwrap_used)]

mod common;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use common::{BUSBAR, PASSWORD, Rack};
use serde_json::Value;

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The commands of the README's section, in order, without what is said of them.
fn readme() -> Vec<&'static str> {
    let text = include_str!("../README.md");
    let section = text.split("## Adding hardware").nth(1).unwrap();
    let block = section.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    block.lines().map(|l| l.split('#').next().unwrap().trim()).collect()
}

#[test]
fn a_captured_box_is_emulated_from_its_folder_and_found_as_the_readme_says() {
    let rack = Rack::start(1, 50.0);
    let at = |name: &str| rack.folder.path().join(name).display().to_string();
    std::fs::write(at("password"), PASSWORD).unwrap();
    let [capture, emulate, set, discover, up] = readme()[..] else {
        panic!("{:?}", readme());
    };
    let real = format!("https://127.10.1.1:{}", rack.port + 1043);
    let capture = capture
        .replace("10.0.0.12", &real)
        .replace("root", "admin")
        .replace("box", &at("box"));
    let capture = format!("{} --password-file {}", words(&capture), at("password"));
    let said = rack.busbar(&capture).ok().out;
    assert!(
        said.contains("values are replaced") && said.contains("resources in"),
        "{said}"
    );
    assert!(
        !std::path::Path::new(&at("box.unredacted")).exists(),
        "nothing that is not redacted is left"
    );
    assert_eq!(
        rack.busbar(&capture).code,
        5,
        "a finished one is not mixed with another"
    );

    let seen = |place: &str| rack.busbar(&format!("cat {place}/identity --json")).ok().json()["value"].clone();
    let was = seen("r1/u1");
    let serial = was["serial"].as_str().unwrap();
    for entry in walk(&at("box")) {
        let text = std::fs::read_to_string(&entry).unwrap();
        assert!(!text.contains(serial), "{serial} is in {entry}");
    }

    let emulate = emulate
        .replace("box", &at("box"))
        .replace("127.0.0.1:8000", "127.0.0.1:0");
    let mut child = Command::new(BUSBAR)
        .args(words(&emulate).split_whitespace())
        .arg("--json")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let _running = Running(child);
    let told: Value = serde_json::from_str(&line).unwrap();
    let url = told["url"].as_str().unwrap();

    rack.busbar(&format!("{} --password-file {}", words(set), at("password")))
        .ok();
    rack.busbar(&words(discover).replace("http://127.0.0.1:8000", url)).ok();
    let nodes = rack.busbar("ls r2 --json").ok().json();
    let place = nodes[0]["place"].as_str().unwrap().to_owned();
    let found = seen(&place);
    assert_eq!((&found["maker"], &found["model"]), (&was["maker"], &was["model"]));
    assert_ne!(found["serial"], was["serial"]);
    assert_eq!(
        found["serial"].as_str().unwrap().len(),
        serial.len(),
        "of the same shape"
    );
    assert!(up.starts_with("busbar up --emulate --tree "), "{up}");
}

#[test]
fn captured_boxes_stand_beside_the_emulated_rack() {
    let Some(corpus) = std::env::var_os("BUSBAR_CORPUS") else {
        eprintln!("SKIPPED: BUSBAR_CORPUS names no folder with redfish-trees.tar.xz");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let tree = "hpe-proliant-dl385gen10plusv2-ilo5-2.72";
    let archive = std::path::Path::new(&corpus).join("redfish-trees.tar.xz");
    let mut tar = Command::new("tar");
    tar.arg("xJf").arg(archive).arg("-C").arg(folder.path());
    assert!(
        tar.arg("--wildcards")
            .arg(format!("*{tree}*"))
            .status()
            .unwrap()
            .success()
    );
    let tree = folder.path().join(tree);
    let rack = Rack::start_with(1, 50.0, &["--tree", tree.to_str().unwrap()]);
    rack.until("the captured box is found", || {
        let nodes = rack.busbar("ls trees --json");
        nodes.code == 0 && nodes.json().as_array().is_some_and(|n| n.len() == 1)
    });
}

/// A command line without the program's name.
fn words(line: &str) -> String {
    line.strip_prefix("busbar ").unwrap().to_owned()
}

fn walk(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.display().to_string();
        if path.is_dir() {
            found.extend(walk(&name));
        } else {
            found.push(name);
        }
    }
    found
}
