//! Every captured tree is discovered without an error and yields watts or an explicit "no reading".
//!
//! The trees are not part of the repository: `BUSBAR_CORPUS` names the folder that has `redfish-trees.tar.xz`.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;
use std::process::Command;

use common::{Folder, address, bmc};
use hardware::{FoundSystem, Mode};
use rack::{PartKind, Time};

fn unpack() -> Option<tempfile::TempDir> {
    let Some(corpus) = std::env::var_os("BUSBAR_CORPUS") else {
        eprintln!("SKIPPED: BUSBAR_CORPUS names no folder with redfish-trees.tar.xz");
        return None;
    };
    let temp = tempfile::tempdir().unwrap();
    let archive = Path::new(&corpus).join("redfish-trees.tar.xz");
    let status = Command::new("tar")
        .arg("xJf")
        .arg(archive)
        .arg("-C")
        .arg(temp.path())
        .status()
        .unwrap();
    assert!(status.success(), "tar could not unpack the corpus");
    Some(temp)
}

fn row(s: &FoundSystem, watts: Option<f64>, inlet: Option<f64>) -> String {
    let n = |f: fn(&PartKind) -> bool| s.parts.iter().filter(|p| f(&p.kind)).count();
    let mut cores = 0;
    let mut memory = 0;
    for p in &s.parts {
        match p.kind {
            PartKind::Processor { cores: c, .. } => cores += c,
            PartKind::Memory { size } => memory += size.0,
            _ => {}
        }
    }
    format!(
        "  {} {} | {} | {} | cores {cores} mem {} nics {} disks {} gpus {} psu {} fan {} | {watts:?} W {inlet:?} °C | {:?} {:?} | reset {} boot {:?} once {} vm {} mgr {} | chassis {:?}",
        if s.is_machine { "machine" } else { "no machine" },
        s.identity.maker.as_deref().unwrap_or("-"),
        s.identity.model.as_deref().unwrap_or("-"),
        s.identity
            .serial
            .as_deref()
            .or(s.identity.uuid.as_deref())
            .unwrap_or("-"),
        rack::Bytes(memory),
        n(|k| matches!(k, PartKind::Nic { .. })),
        n(|k| matches!(k, PartKind::Drive { .. })),
        n(|k| matches!(k, PartKind::Gpu { .. })),
        n(|k| matches!(k, PartKind::Supply { .. })),
        n(|k| matches!(k, PartKind::Fan)),
        s.power,
        s.health,
        s.abilities.reset.len(),
        s.abilities.boot,
        s.abilities.boot_once,
        s.abilities.virtual_media,
        s.abilities.manager_reset,
        s.chassis,
    )
}

#[tokio::test(start_paused = true)]
async fn every_tree_is_discovered() {
    let Some(trees) = unpack() else { return };
    let mut folders: Vec<_> = std::fs::read_dir(trees.path())
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    folders.sort();
    assert!(!folders.is_empty());
    for folder in folders {
        let tree = folder.file_name().unwrap().to_string_lossy().into_owned();
        let transport = Folder::new(&folder);
        let asked = transport.asked.clone();
        let url = "https://bmc.test";
        let bmc = bmc(url, transport, Mode::Observe);
        let found = bmc.discover().await.unwrap_or_else(|e| panic!("{tree}: {e}"));
        println!("{tree}: {} requests, {} problems", found.requests, found.problems.len());
        assert!(
            !found.systems.is_empty() || !found.devices.is_empty(),
            "{tree} shows nothing"
        );
        for s in &found.systems {
            let at = address(url, s);
            let readings = bmc
                .readings(&at, Time::from_millis(0))
                .await
                .unwrap_or_else(|e| panic!("{tree}: {e}"));
            let value = |name: &str| readings.iter().find(|r| r.name == name).and_then(|r| r.value);
            println!("{}", row(s, value("watts"), value("inlet")));
            println!(
                "    {} readings: {:?}",
                readings.len(),
                readings
                    .iter()
                    .take(8)
                    .map(|r| (r.name.as_str(), r.value))
                    .collect::<Vec<_>>()
            );
            assert_eq!(
                readings[0].name, "watts",
                "{tree}: watts, or an explicit absence of them"
            );
            assert!(
                readings[0].value.is_none_or(|w| w > 0.0),
                "{tree}: zero watts is no reading"
            );
            let mut ids: Vec<_> = s.parts.iter().map(|p| &p.id).collect();
            ids.sort();
            ids.dedup();
            assert_eq!(ids.len(), s.parts.len(), "{tree}: part ids are unique");
            bmc.glance(&at).await.unwrap_or_else(|e| panic!("{tree}: {e}"));
        }
        for d in &found.devices {
            println!(
                "  {:?} {} | {:?} {:?} {:?} | {:?} W | {} outlets {:?}",
                d.kind,
                d.name,
                d.identity.maker,
                d.identity.model,
                d.identity.serial,
                d.watts,
                d.outlets.len(),
                d.outlets.first()
            );
        }
        for p in found.problems.iter().take(6) {
            println!("    problem {}: {}", p.path, p.what);
        }
        let asked = asked.lock().unwrap();
        assert!(
            asked.iter().all(|(method, _)| method == http::Method::GET),
            "{tree}: observing sends GET only"
        );
        assert!(
            asked.iter().all(|(_, path)| !path.contains("LogServices")),
            "{tree}: logs are never read"
        );
    }
}
