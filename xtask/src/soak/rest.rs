//! A rack at rest: what it is before luck turns bad, and what it must be again afterwards.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::daemon::Daemon;
use crate::clock::{now, seconds};
use crate::process::Used;

/// For every box to be read once; the largest captured ones answer thousands of requests.
const DISCOVERY: Duration = Duration::from_secs(300);
/// Captured boxes are found side by side: when none was added for so long, all are there.
const STEADY: Duration = Duration::from_secs(20);
/// For everything to come to rest. The longest deadline of the life cycle is that of firmware (15 minutes), and a machine
/// may go through it twice before the ladder ends.
const REST: Duration = Duration::from_secs(40 * 60);
/// Between two looks.
const LOOK: Duration = Duration::from_secs(2);
/// Where a machine may stay.
const AT_REST: [&str; 3] = ["running", "stopped", "released"];
/// What a process may have grown to, beside half of what it was: caches that fill, connections to boxes that it has met.
const MORE_KB: u64 = 128 << 10;
const MORE_FILES: u64 = 64;
/// Both ends of a box's event stream and of a kept connection to it, as the emulator is in the same process.
const FILES_OF_A_BOX: u64 = 4;

/// What was there before.
pub struct Before {
    /// Places of nodes by id.
    pub nodes: BTreeMap<String, String>,
    /// Places of PDUs and of what else is no machine.
    pub devices: Vec<String>,
    /// Checks of the doctor that were not fine already, as loopback has no bench to stand on.
    pub findings: Vec<String>,
}

/// A check, and what it found.
pub type Check = (String, Result<String>);

/// Waits until every box was read, and arms them all.
pub fn settle(daemon: &Daemon, servers: usize, trees: bool) -> Result<Before> {
    let (begun, mut since, mut seen) = (Instant::now(), Instant::now(), 0);
    loop {
        // an empty rack is no list but a hint
        let now = nodes(daemon).map_or(0, |all| all.len());
        if now != seen {
            (since, seen) = (Instant::now(), now);
        }
        if now >= servers && (!trees || (now > servers && since.elapsed() >= STEADY)) {
            break;
        }
        if begun.elapsed() > DISCOVERY {
            bail!("{now} nodes were found in {} s", DISCOVERY.as_secs());
        }
        sleep(LOOK);
    }
    if trees {
        let armed = daemon.ask(&["arm", "trees", "--yes"])?;
        if !armed.status.success() {
            bail!("arming: {}", String::from_utf8_lossy(&armed.stderr));
        }
    }
    Ok(Before {
        nodes: nodes(daemon)?,
        devices: devices(daemon)?.iter().map(place).collect(),
        findings: findings(daemon)?.into_iter().map(|(name, _)| name).collect(),
    })
}

/// What must be so when everything is fine again.
pub fn checks(daemon: &Daemon, before: &Before, size: Used) -> Vec<Check> {
    let rest = |what: &str, so: &dyn Fn() -> Result<Option<String>>| (what.to_owned(), wait(so));
    let mut checks = vec![
        ("every outlet is on".to_owned(), outlets_on(daemon)),
        rest("every BMC answers", &|| {
            let all = daemon.json(&["ls"])?;
            let silent = |n: &&Value| !n["live"]["silent"].is_null();
            let one = all.as_array().context("`busbar ls` prints a list")?.iter().find(silent);
            Ok(one.map(|n| format!("{} is silent: {}", n["place"], n["live"]["silent"])))
        }),
        rest("every PDU and other box is read", &|| {
            let all = devices(daemon)?;
            let unread = |d: &&Value| !d["readings"].as_array().is_some_and(|all| all.iter().any(fresh));
            let one = all.iter().find(unread);
            Ok(one.map(|d| format!("{} has no fresh reading: {}", place(d), d["readings"])))
        }),
        rest("every machine runs, or is stopped", &|| {
            let machines = daemon.machines()?;
            let stuck = machines.iter().find(|(_, state)| !AT_REST.contains(&state.as_str()));
            let Some((name, state)) = stuck else { return Ok(None) };
            if state == "held" {
                // the way out that `busbar why` names; whoever looks takes it
                daemon.ask(&["kill", "-CONT", name])?;
            }
            Ok(Some(why(daemon, name, state)))
        }),
    ];
    checks.push(("every machine is given back".to_owned(), give_back(daemon)));
    checks.push(rest("no node is held", &|| {
        let all = daemon.json(&["ls"])?;
        let held = |n: &&Value| !n["holder"].is_null();
        let one = all.as_array().context("`busbar ls` prints a list")?.iter().find(held);
        Ok(one.map(|n| format!("{} is held by {}", n["place"], n["holder"])))
    }));
    checks.push(rest("the doctor finds nothing new", &|| {
        let new = findings(daemon)?;
        let one = new.into_iter().find(|(name, _)| !before.findings.contains(name));
        Ok(one.map(|(name, found)| format!("{name}: {found}")))
    }));
    // a daemon that was measured while no controller was trusted had a connection to none
    let boxes = before.nodes.len() + before.devices.len();
    let more_files = MORE_FILES + FILES_OF_A_BOX * boxes as u64;
    checks.push(("no node was lost".to_owned(), same_nodes(daemon, before)));
    checks.push(("no other box was lost".to_owned(), same_devices(daemon, before)));
    checks.push((
        "memory is bounded".to_owned(),
        bounded(daemon, size, "kB", MORE_KB, |s| s.resident),
    ));
    checks.push((
        "open files are bounded".to_owned(),
        bounded(daemon, size, "files", more_files, |s| s.files),
    ));
    checks
}

/// Waits until nothing is wrong any more; the error is what still is.
fn wait(wrong: &dyn Fn() -> Result<Option<String>>) -> Result<String> {
    let begun = Instant::now();
    loop {
        match wrong()? {
            None => return Ok(format!("after {} s", begun.elapsed().as_secs())),
            Some(what) if begun.elapsed() > REST => bail!("not in {} s: {what}", REST.as_secs()),
            Some(_) => sleep(LOOK),
        }
    }
}

fn outlets_on(daemon: &Daemon) -> Result<String> {
    wait(&|| {
        let pdus = daemon.json(&["outlet", "ls", "r1"])?;
        for pdu in pdus.as_array().context("`busbar outlet ls` prints a list")? {
            for outlet in pdu["outlets"].as_array().into_iter().flatten() {
                if outlet["power"] == "off" {
                    let place = pdu["place"].as_str().context("a PDU has a place")?;
                    let id = format!("{place}/{}", outlet["id"].as_str().unwrap_or_default());
                    daemon.ask(&["outlet", "on", &id])?;
                    return Ok(Some(format!("{id} is off")));
                }
            }
        }
        Ok(None)
    })
}

/// The proof that nothing is stuck: every machine can be given back.
fn give_back(daemon: &Daemon) -> Result<String> {
    let all: Vec<String> = daemon.machines()?.into_keys().collect();
    for name in &all {
        let answer = daemon.ask(&["rm", name, "--yes", "--detach"])?;
        if !answer.status.success() {
            bail!("rm {name}: {}", String::from_utf8_lossy(&answer.stderr).trim());
        }
    }
    let took = wait(&|| {
        let left = daemon.machines()?;
        let Some((name, state)) = left.iter().find(|(_, state)| *state != "released") else {
            return Ok(None);
        };
        if state == "held" {
            daemon.ask(&["kill", "-CONT", name])?;
        }
        Ok(Some(why(daemon, name, state)))
    })?;
    Ok(format!("{} of them {took}", all.len()))
}

fn why(daemon: &Daemon, name: &str, state: &str) -> String {
    let why = daemon.json(&["why", name]).unwrap_or_default();
    format!(
        "{name} is {state}: {} because {}, next {}",
        why["headline"], why["because"], why["next"]
    )
}

fn nodes(daemon: &Daemon) -> Result<BTreeMap<String, String>> {
    let all = daemon.json(&["ls"])?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = all
        .as_array()
        .with_context(|| format!("`busbar ls` printed no list: {all}"))?;
    Ok(all.iter().map(|n| (text(&n["id"]), text(&n["place"]))).collect())
}

/// PDUs and what else is no machine.
fn devices(daemon: &Daemon) -> Result<Vec<Value>> {
    let mut tree = daemon.json(&["tree"])?;
    match tree["devices"].take() {
        Value::Array(all) => Ok(all),
        other => bail!("`busbar tree` printed no devices: {other}"),
    }
}

fn place(device: &Value) -> String {
    device["place"].as_str().unwrap_or_default().to_owned()
}

/// Whether a reading was taken lately: three times as long ago as readings are apart, at most.
fn fresh(reading: &Value) -> bool {
    const FRESH: f64 = 90.0;
    seconds(&reading["taken"]).is_ok_and(|taken| now() - taken < FRESH)
}

/// Checks of the doctor that are not fine: name, and what it found.
fn findings(daemon: &Daemon) -> Result<Vec<(String, String)>> {
    let all = daemon.json(&["doctor"])?;
    let all = all
        .as_array()
        .or_else(|| all["checks"].as_array())
        .context("the doctor prints a list")?
        .clone();
    let bad = all.iter().filter(|c| c["verdict"] != "ok");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok(bad.map(|c| (text(&c["name"]), text(&c["found"]))).collect())
}

fn same_nodes(daemon: &Daemon, before: &Before) -> Result<String> {
    let after = nodes(daemon)?;
    if after != before.nodes {
        let gone: Vec<_> = before.nodes.iter().filter(|n| after.get(n.0) != Some(n.1)).collect();
        let new: Vec<_> = after.iter().filter(|n| before.nodes.get(n.0) != Some(n.1)).collect();
        bail!("gone or moved: {gone:?}; new: {new:?}");
    }
    Ok(format!("{} are there", after.len()))
}

fn same_devices(daemon: &Daemon, before: &Before) -> Result<String> {
    let after: Vec<String> = devices(daemon)?.iter().map(place).collect();
    if after != before.devices {
        bail!("there were {:?}, now {after:?}", before.devices);
    }
    Ok(format!("{} are there", after.len()))
}

fn bounded(daemon: &Daemon, was: Used, unit: &str, more: u64, of: impl Fn(Used) -> u64) -> Result<String> {
    let (was, is) = (of(was), of(daemon.size()?));
    if is > was + was / 2 + more {
        bail!("{is} {unit}, and {was} at the start");
    }
    Ok(format!("{was} {unit}, then {is}"))
}
