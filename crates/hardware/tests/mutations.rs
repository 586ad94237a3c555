//! Discovery of trees that were bent at random: no panic, a bounded number of requests, figures that can be believed, ids
//! that are unique, and a result that can be kept.
//!
//! A small tree of our own, and every captured one where `BUSBAR_CORPUS` names the folder with them. `BUSBAR_MUTATIONS` is
//! the number of bent trees of our own (256 when absent); of each captured one there are a sixty-fourth as many, and the same ones in each run.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;
use std::sync::atomic::Ordering;

use common::tree::{Canned, Tree, healthy};
use common::{address, bmc};
use hardware::Mode;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rack::{Time, Unit};
use serde_json::{Value, json};

/// One thing that is done to a tree: which document, where in it, and what.
#[derive(Debug, Clone)]
struct Bend {
    document: prop::sample::Index,
    place: prop::sample::Index,
    other: prop::sample::Index,
    how: u8,
}

fn bend() -> impl Strategy<Value = Bend> {
    (
        any::<prop::sample::Index>(),
        any::<prop::sample::Index>(),
        any::<prop::sample::Index>(),
        0u8..16,
    )
        .prop_map(|(document, place, other, how)| Bend {
            document,
            place,
            other,
            how,
        })
}

/// Every place in a document, as steps.
fn places(value: &Value, at: &str, out: &mut Vec<String>) {
    let step = |s: &str| format!("{at}/{}", s.replace('~', "~0").replace('/', "~1"));
    match value {
        Value::Object(map) => map.iter().for_each(|(k, v)| {
            out.push(step(k));
            places(v, &step(k), out);
        }),
        Value::Array(items) => items.iter().enumerate().for_each(|(i, v)| {
            out.push(step(&i.to_string()));
            places(v, &step(&i.to_string()), out);
        }),
        _ => {}
    }
}

/// Values that nobody expects.
fn odd(n: usize) -> Value {
    match n % 16 {
        0 => Value::Null,
        1 => json!(-1),
        2 => json!(u64::MAX),
        3 => json!(1e308),
        4 => json!("NaN"),
        5 => json!("1e400"),
        6 => json!([]),
        7 => json!({}),
        8 => json!(true),
        9 => json!("x".repeat(100_000)),
        10 => json!("\u{0}\u{202e}\u{1b}[31m\u{fffd}"),
        11 => json!([[[[[[]]]]]]),
        12 => json!(i64::MIN),
        13 => json!("999999999 W"),
        14 => json!(0.0),
        _ => json!(["0", 0, null, {"@odata.id": 7}]),
    }
}

fn apply(tree: &mut Tree, texts: &mut Canned, bend: &Bend) {
    let paths: Vec<String> = tree.keys().cloned().collect();
    let path = bend.document.get(&paths);
    let target = bend.other.get(&paths).clone();
    let n = bend.other.index(1 << 20);
    let doc = tree.get_mut(path).unwrap();
    let mut all = Vec::new();
    places(doc, "", &mut all);
    if all.is_empty() {
        return;
    }
    let place = bend.place.get(&all).clone();
    let another = all[n % all.len()].clone();
    let (parent, last) = place.rsplit_once('/').unwrap();
    match bend.how {
        0..=2 => *doc.pointer_mut(&place).unwrap() = odd(n),
        3 | 4 => match doc.pointer_mut(parent).unwrap() {
            Value::Object(map) => drop(map.remove(&last.replace("~1", "/").replace("~0", "~"))),
            Value::Array(items) => items.clear(),
            _ => {}
        },
        5 | 6 => *doc.pointer_mut(&place).unwrap() = json!({"@odata.id": target}),
        7 => {
            let from = doc.pointer(&another).cloned().unwrap_or_default();
            *doc.pointer_mut(&place).unwrap() = from;
        }
        8 => doc["Members"] = json!([{"@odata.id": target}, {"@odata.id": path}, 7, {"@odata.id": "/redfish/v1"}]),
        9 => doc["Members@odata.nextLink"] = target.into(),
        10 => {
            // A number as a text, a text as a number.
            let value = doc.pointer_mut(&place).unwrap();
            *value = match &*value {
                Value::Number(n) => n.to_string().into(),
                Value::String(s) => s.len().into(),
                other => other.to_string().into(),
            };
        }
        11 => {
            // The same thing many times.
            if let Value::Array(items) = doc.pointer_mut(parent).unwrap() {
                let one = items[0].clone();
                items.extend(std::iter::repeat_n(one, 3_000));
            }
        }
        12 => {
            let whole = tree.get(&target).cloned().unwrap_or_default();
            *tree.get_mut(path).unwrap().pointer_mut(&place).unwrap() = whole;
        }
        13 => {
            let text = doc.to_string().into_bytes();
            let cut = n % text.len().max(1);
            texts.texts.insert(path.clone(), text[..cut].to_vec());
        }
        14 => {
            let mut text = doc.to_string().into_bytes();
            let at = n % text.len().max(1);
            text[at] = text[at].wrapping_add((n >> 8) as u8 | 1);
            texts.texts.insert(path.clone(), text);
        }
        _ => drop(tree.remove(path)),
    }
}

/// The most a box draws that anyone has built; a device of a whole row, ten times as much.
const ABSURD: f64 = 1_000_000.0;

async fn survives(tree: &Tree, bends: &[Bend]) -> Result<(), TestCaseError> {
    let mut tree = tree.clone();
    let mut own = Canned::default();
    for b in bends {
        apply(&mut tree, &mut own, b);
        if tree.is_empty() {
            return Ok(());
        }
    }
    let mut service = Canned::of(&tree);
    service.texts.extend(own.texts);
    let most = 6_000.min(40 * service.texts.len() + 600);
    let asked = service.asked.clone();
    let url = "https://bmc.test";
    let bmc = bmc(url, service, Mode::Observe);
    let Ok(found) = bmc.discover().await else {
        return Ok(());
    };
    prop_assert!(
        asked.load(Ordering::Relaxed) <= most,
        "{} requests",
        asked.load(Ordering::Relaxed)
    );
    prop_assert!(found.problems.len() <= 200);
    for d in &found.devices {
        prop_assert!(
            d.watts.is_none_or(|w| w > 0.0 && w < 10.0 * ABSURD),
            "{} draws {:?}",
            d.path,
            d.watts
        );
        let watts = d.readings.iter().filter(|r| r.2 == Unit::Watts);
        prop_assert!(d.readings.iter().all(|r| r.1.is_none_or(f64::is_finite)));
        prop_assert!(
            watts.filter_map(|r| r.1).all(|w| w.abs() < 10.0 * ABSURD),
            "{:?}",
            d.readings
        );
        prop_assert!(
            d.outlets
                .iter()
                .filter_map(|o| o.watts)
                .all(|w| (0.0..10.0 * ABSURD).contains(&w)),
            "{:?}",
            d.outlets
        );
    }
    let mut paths: Vec<&str> = found.systems.iter().map(|s| s.system.as_str()).collect();
    paths.sort_unstable();
    paths.dedup();
    prop_assert_eq!(paths.len(), found.systems.len(), "a system is told once");
    for s in &found.systems {
        let mut ids: Vec<&str> = s.parts.iter().map(|p| p.id.as_str()).collect();
        prop_assert!(ids.iter().all(|id| !id.is_empty() && id.len() <= 80), "{ids:?}");
        ids.sort_unstable();
        ids.dedup();
        prop_assert_eq!(ids.len(), s.parts.len(), "{:?}", ids);
        serde_json::to_string(&(&s.parts, &s.identity, &s.abilities, s.power, &s.firmware)).unwrap();
        let at = address(url, s);
        let text = serde_json::to_string(&at).unwrap();
        prop_assert!(serde_json::from_str::<rack::node::BmcAddress>(&text).is_ok());
        let _ = bmc.glance(&at).await;
        let _ = bmc.caps(&at).await;
        if let Ok(readings) = bmc.readings(&at, Time::from_millis(0)).await {
            prop_assert!(readings.len() <= 130);
            prop_assert_eq!(&readings[0].name, "watts");
            let mut names: Vec<&str> = readings.iter().map(|r| r.name.as_str()).collect();
            names.sort_unstable();
            names.dedup();
            prop_assert_eq!(names.len(), readings.len(), "{:?}", names);
            for r in &readings {
                prop_assert!(r.value.is_none_or(f64::is_finite), "{r:?}");
                prop_assert!(
                    r.unit != Unit::Watts || r.value.is_none_or(|w| w > 0.0 && w < ABSURD),
                    "{r:?}"
                );
            }
            let text = serde_json::to_string(&readings).unwrap();
            prop_assert!(serde_json::from_str::<Vec<rack::Reading>>(&text).is_ok(), "{text}");
        }
    }
    Ok(())
}

fn run(tree: &Tree, cases: u32) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 200,
        ..Config::default()
    };
    let outcome = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
        .run(&prop::collection::vec(bend(), 1..24), |bends| {
            runtime.block_on(survives(tree, &bends))
        });
    if let Err(e) = outcome {
        panic!("{e}");
    }
}

fn cases() -> u32 {
    std::env::var("BUSBAR_MUTATIONS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(256)
}

#[test]
fn a_bent_tree_is_survived() {
    run(&healthy(), cases());
}

/// The documents of a captured tree, but for its logs and schemas.
fn load(folder: &Path, path: &str, tree: &mut Tree) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name == "index.json" {
            if let Ok(doc) = serde_json::from_slice(&std::fs::read(entry.path()).unwrap()) {
                tree.insert(path.to_owned(), doc);
            }
        } else if entry.path().is_dir()
            && !["LogServices", "Registries", "JsonSchemas", "schema"].contains(&name.as_str())
        {
            load(&entry.path(), &format!("{path}/{name}"), tree);
        }
    }
}

#[test]
fn captured_trees_that_were_bent_are_survived() {
    let Some(trees) = common::unpack() else { return };
    for folder in std::fs::read_dir(trees.path()).unwrap().flatten() {
        let mut tree = Tree::new();
        load(&folder.path().join("redfish"), "/redfish", &mut tree);
        println!("{}: {} documents", folder.file_name().to_string_lossy(), tree.len());
        run(&tree, (cases() / 64).max(1));
    }
}
