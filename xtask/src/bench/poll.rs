//! What watching a rack takes: a daemon that only looks at a thousand BMCs, which another process emulates.
//!
//! A sweep is every BMC looked at and its readings read once. The yardstick is `curl`, which asks each of the same BMCs for
//! one document.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::{Daemon, NODES, Row};
use crate::clock::seconds;
use crate::command::{cmd, output};

/// Where the period of readings is written down.
const ENV: &str = include_str!("../../../crates/control/src/env.rs");
/// Sweeps that are counted.
const SWEEPS: u32 = 4;
/// For a whole inventory of every box, before anything is counted.
const FOUND: Duration = Duration::from_secs(600);
/// A look may come so much later than it should, as the emulator works on the same cores.
const LATE: Duration = Duration::from_secs(30);
/// The login of the emulated rack.
const LOGIN: (&str, &str) = ("admin", "emulated");

pub fn sweeps(binary: &Path, folder: &Path, rows: &mut Vec<Row>, notes: &mut Vec<String>) -> Result<()> {
    let (far, near) = (folder.join("far"), folder.join("near"));
    fs::create_dir_all(&far)?;
    fs::create_dir_all(&near)?;
    let rack = Daemon::start(binary, &far, &["--nodes", &NODES.to_string()])?;
    let watched: Vec<String> = nodes(&rack)?
        .iter()
        .filter_map(|n| Some(n["bmc"]["url"].as_str()?.to_owned()))
        .collect();
    let file = near.join("rack.toml");
    let mut text = "[rack]\nname = \"far\"\ncredential = \"far\"\n".to_owned();
    for (n, url) in watched.iter().enumerate() {
        write!(text, "\n[[bmc]]\naddress = \"{url}\"\nslot = \"u{n}\"\n")?;
    }
    fs::write(&file, text)?;
    let daemon = Daemon::beside(binary, &near, &["--rack", &file.display().to_string()])?;
    let password = near.join("password");
    fs::write(&password, LOGIN.1)?;
    let mut set = daemon.command(&["credential", "set", "far", "--user", LOGIN.0, "--password-file"]);
    output(set.arg(&password))?;

    let begun = Instant::now();
    while nodes(&daemon)?.len() < watched.len() {
        if begun.elapsed() > FOUND {
            bail!(
                "{} of {} nodes were found in {} s",
                nodes(&daemon)?.len(),
                watched.len(),
                FOUND.as_secs()
            );
        }
        sleep(Duration::from_secs(5));
    }
    let found = begun.elapsed();
    let period = period()?;
    // what follows a discovery, event streams and the first readings, is over after two sweeps
    sleep(period * 2);
    let before = daemon.used()?.cpu;
    let begun = Instant::now();
    sleep(period * SWEEPS);
    let spent = daemon.used()?.cpu - before;
    let sweeps = begun.elapsed().as_secs_f64() / period.as_secs_f64();
    let all = nodes(&daemon)?;
    let seen = all.iter().map(|n| seconds(&n["live"]["seen"]));
    let seen = seen.collect::<Result<Vec<f64>>>()?;
    let apart = seen.iter().copied().fold(0.0, f64::max) - seen.iter().copied().fold(f64::MAX, f64::min);
    if apart > (period + LATE).as_secs_f64() {
        bail!("not every node was looked at in a sweep: the looks are {apart:.0} s apart");
    }
    rows.push(Row {
        what: format!("sweep of {} BMCs, CPU time", all.len()),
        ours: spent / sweeps,
        limit: plain(&near, &all)?,
        unit: "s",
        yardstick: "`curl` of one document of each, CPU time".to_owned(),
        command: "busbar up --rack FILE; /proc/PID/stat",
    });
    notes.push(format!(
        "{} nodes of another process were found {:.0} s after the daemon had the password; it then holds {} MB",
        all.len(),
        found.as_secs_f64(),
        daemon.used()?.resident / 1000
    ));
    Ok(())
}

/// The daemon's nodes.
fn nodes(daemon: &Daemon) -> Result<Vec<Value>> {
    let text = output(&mut daemon.command(&["ls", "--json"]))?;
    Ok(serde_json::from_str(&text)?)
}

/// A BMC that tells of changes is looked at as often as readings are read.
fn period() -> Result<Duration> {
    let text = ENV
        .split("readings: Duration::from_secs(")
        .nth(1)
        .and_then(|rest| rest.split(')').next());
    Ok(Duration::from_secs(
        text.context("the daemon has a period of readings")?.parse()?,
    ))
}

/// Seconds of CPU time that `curl` takes for one document of each BMC.
fn plain(folder: &Path, nodes: &[Value]) -> Result<f64> {
    let file = folder.join("curl");
    let mut text = format!("silent\nfail\ninsecure\nuser = \"{}:{}\"\n", LOGIN.0, LOGIN.1);
    for node in nodes {
        let word = |key: &str| node["bmc"][key].as_str().with_context(|| format!("a BMC has a {key}"));
        write!(
            text,
            "url = \"{}{}\"\noutput = \"/dev/null\"\n",
            word("url")?,
            word("system")?
        )?;
    }
    fs::write(&file, text)?;
    let mut shell = cmd("sh -c");
    let told = output(shell.arg("curl -K \"$0\" && times").arg(&file))?;
    // the second line is of children: `0m0.25s 0m0.10s`
    let line = told.lines().last().context("`times` prints two lines")?;
    line.split_whitespace().try_fold(0.0, |sum, word| {
        let (minutes, seconds) = word
            .trim_end_matches('s')
            .split_once('m')
            .context("minutes and seconds")?;
        Ok(sum + minutes.parse::<f64>()? * 60.0 + seconds.parse::<f64>()?)
    })
}
