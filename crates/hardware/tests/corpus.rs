//! Every captured tree is discovered without an error and comes out as its golden inventory says, which was reviewed by
//! eye; there are watts, or an explicit "no reading". `BUSBAR_RENEW=1` writes the goldens anew.
//!
//! The trees are not part of the repository: `BUSBAR_CORPUS` names the folder that has `redfish-trees.tar.xz`.
#![allow(clippy::unwrap_used)]

mod common;
mod golden;

use std::path::{Path, PathBuf};

use common::{Folder, address, bmc, unpack};
use hardware::Driver;
use hardware::Mode;
use rack::Time;

/// What is in a folder, in order.
fn folders(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    let mut all: Vec<_> = entries.collect();
    all.sort();
    all
}

#[tokio::test(start_paused = true)]
async fn every_tree_is_discovered_as_its_golden_inventory_says() {
    let Some(trees) = unpack() else { return };
    let folders = folders(trees.path());
    assert!(!folders.is_empty());
    let mut differ = Vec::new();
    for folder in folders {
        let tree = folder.file_name().unwrap().to_string_lossy().into_owned();
        let transport = Folder::new(&folder);
        let asked = transport.asked.clone();
        let url = "https://bmc.test";
        let bmc = bmc(url, transport, Mode::Observe);
        let found = bmc.discover().await.unwrap_or_else(|e| panic!("{tree}: {e}"));
        assert!(
            !found.systems.is_empty() || !found.devices.is_empty(),
            "{tree} shows nothing"
        );
        let mut text = format!("{} requests\n", found.requests);
        for s in &found.systems {
            let at = address(url, s);
            // The first reading finds out what is worth asking for; what a poll costs is what the second one does.
            bmc.readings(&at, Time::from_millis(0))
                .await
                .unwrap_or_else(|e| panic!("{tree}: {e}"));
            let before = bmc.requests();
            let readings = bmc
                .readings(&at, Time::from_millis(0))
                .await
                .unwrap_or_else(|e| panic!("{tree}: {e}"));
            let polled = bmc.requests() - before;
            let caps = bmc.caps(&at).await.unwrap_or_else(|e| panic!("{tree}: {e}"));
            text += &golden::system(s, &readings, polled, &caps);
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
        found.devices.iter().for_each(|d| text += &golden::device(d));
        text += &golden::problems(&found.problems);
        if !golden::same(&tree, &text) {
            differ.push(tree.clone());
        }
        let asked = asked.lock().unwrap();
        assert!(
            asked.iter().all(|(method, _)| method == http::Method::GET),
            "{tree}: observing sends GET only"
        );
        assert!(
            asked.iter().all(|(_, path)| !path.contains("LogServices")),
            "{tree}: logs are never read in a discovery"
        );
    }
    assert!(
        differ.is_empty(),
        "other than golden: {differ:?}; look, then BUSBAR_RENEW=1 writes them"
    );
}

/// Draws of which paths are slow.
const DRAWS: u32 = 2;

/// What a whole inventory costs on boxes that answer as real ones do. Printed with `--nocapture`; the bound is the
/// promise: a crawl of the largest box takes 45 minutes.
#[tokio::test(start_paused = true)]
async fn an_inventory_takes_a_minute_where_a_crawl_takes_hours() {
    let Some(trees) = unpack() else { return };
    let folders = folders(trees.path());
    println!(
        "{:<45} {:>9} {:>9} {:>15} {:>15}",
        "tree", "resources", "requests", "s, 1 in 300 slow", "s, 1 in 100 slow"
    );
    for folder in folders {
        let tree = folder.file_name().unwrap().to_string_lossy().into_owned();
        let mut requests = 0;
        let mut seconds = [0.0f64; 2];
        for (taken, slowest_of) in seconds.iter_mut().zip([300, 100]) {
            // Which paths are slow is chance: the worst of some draws counts.
            for salt in 0..DRAWS {
                let mut transport = Folder::new(&folder);
                transport.slow = true;
                (transport.slowest_of, transport.salt) = (slowest_of, salt);
                let bmc = bmc("https://bmc.test", transport, Mode::Observe);
                let start = tokio::time::Instant::now();
                let found = bmc.discover().await.unwrap_or_else(|e| panic!("{tree}: {e}"));
                *taken = taken.max(start.elapsed().as_secs_f64());
                requests = found.requests;
            }
        }
        let [rare, often] = seconds;
        println!(
            "{tree:<45} {:>9} {requests:>9} {rare:>15.1} {often:>15.1}",
            resources(&folder)
        );
        assert!(rare <= 60.0, "{tree} took {rare} simulated seconds");
    }
}

fn resources(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    entries
        .map(|p| {
            if p.is_dir() {
                resources(&p)
            } else {
                usize::from(p.ends_with("index.json"))
            }
        })
        .sum()
}
