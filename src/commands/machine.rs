//! Commands that change machines.

use std::collections::BTreeMap;
use std::io::{BufRead, IsTerminal};
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Result;
use rack::request::{MachineView, RunRequest};
use rack::{Name, Place, State};
use reqwest::Method;
use serde_json::json;

use super::follow::{End, Follow, follow};
use super::look;
use crate::cli::{Cli, RmOptions, RunOptions};
use crate::client::{Client, Failure, fail};
use crate::context::Context;
use crate::output::{self, plain};

/// Asks before something dies; without a terminal it must have been said already.
pub fn confirm(what: &str, yes: bool) -> Result<()> {
    if yes {
        return Ok(());
    }
    output::note(what);
    if !std::io::stdin().is_terminal() {
        return Err(fail("BB0101", "nobody is here to be asked", "the same with --yes"));
    }
    eprint!("Go on? [y/N] ");
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    if ["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str()) {
        return Ok(());
    }
    Err(fail(
        "BB0502",
        "not confirmed; nothing was changed",
        "the same with --yes",
    ))
}

fn read(path: &PathBuf) -> Result<String> {
    std::fs::read_to_string(path).map_err(|e| {
        fail(
            "BB0101",
            format!("{} can't be read: {e}", path.display()),
            "busbar run --help",
        )
    })
}

/// Lines of the named key files, or of all in `~/.ssh`.
fn keys(named: &[PathBuf]) -> Result<Vec<String>> {
    let mut files = named.to_vec();
    if named.is_empty() {
        let home = std::env::var_os("HOME").unwrap_or_default();
        let folder = std::fs::read_dir(PathBuf::from(home).join(".ssh"));
        let all = folder.into_iter().flatten().flatten().map(|e| e.path());
        files = all.filter(|p| p.extension().is_some_and(|e| e == "pub")).collect();
        files.sort();
    }
    let mut lines = Vec::new();
    for file in &files {
        let text = read(file)?;
        lines.extend(
            text.lines()
                .map(str::trim)
                .filter(|l| !l.is_empty() && !l.starts_with('#'))
                .map(str::to_owned),
        );
    }
    Ok(lines)
}

pub async fn run(cli: &Cli, client: &Client, o: &RunOptions) -> Result<u8> {
    let request = RunRequest {
        name: o.name.clone(),
        image: Some(o.image.clone()),
        on: o.on.clone(),
        cores: o.cores,
        memory: o.memory,
        disk: o.disk,
        gpus: o.gpu,
        host_name: None,
        ssh_keys: keys(&o.ssh_key)?,
        user_data: o.user_data.as_ref().map(read).transpose()?,
        login: o.login.clone(),
        nice: o.nice,
        wait_seconds: o.wait.as_secs(),
    };
    let dry = if o.dry_run { "?dry_run=true" } else { "" };
    let answer = client
        .call(
            Method::POST,
            &format!("/v1/machines{dry}"),
            Some(serde_json::to_value(&request)?),
        )
        .await?;
    let view: MachineView = serde_json::from_value(answer.clone())?;
    let name = view.machine.name.clone();
    let place = view
        .machine
        .status
        .place
        .as_ref()
        .map_or_else(|| "no place yet".into(), ToString::to_string);
    if o.dry_run || o.detach {
        if cli.json {
            output::json(&answer, false)?;
        } else if o.dry_run {
            output::text(format!("Would run {name} on {place}. Nothing was changed."));
        } else {
            output::text(format!("{name} on {place}; follow with: busbar ps --watch"));
        }
        return Ok(0);
    }
    if !cli.json {
        output::text(format!("{name} on {place}, image {}", view.machine.ask.image.name));
        if request.ssh_keys.is_empty() {
            output::note("no SSH key is given to it: --ssh-key FILE");
        }
    }
    let how = Follow {
        goal: State::Running,
        limit: o.timeout,
        quiet: cli.json,
        told: 0,
    };
    match follow(client, &name, how).await? {
        End::Detached => {
            output::note(format!(
                "Detached; the work goes on. Come back with: busbar ps --watch, busbar trace {name}"
            ));
            Ok(0)
        }
        End::Late => Err(fail(
            "BB0503",
            format!("{name} does not run yet; the work goes on"),
            format!("busbar why {name}"),
        )),
        End::Rests(None) => Err(fail(
            "BB0402",
            format!("{name} was given back meanwhile"),
            "busbar dmesg",
        )),
        End::Rests(Some(view)) => {
            if cli.json {
                output::json(&view, false)?;
            }
            let status = &view.machine.status;
            if status.state != State::Running {
                if !cli.json {
                    look::why(cli, client, name.as_str()).await?;
                }
                return Ok(1);
            }
            if !cli.json {
                output::text(login(&view, &doors()));
            }
            Ok(0)
        }
    }
}

/// Distributions whose cloud images name their first user after themselves.
const NAMESAKES: [&str; 7] = ["debian", "ubuntu", "fedora", "rocky", "almalinux", "alpine", "arch"];

/// The first user of an image, as far as it is known: who asked said it, or its name tells the distribution.
fn first_user<'a>(login: Option<&'a str>, image: &str) -> Option<&'a str> {
    login.or_else(|| NAMESAKES.into_iter().find(|n| image.starts_with(n)))
}

/// Logins that the daemon of this host lets through, by place.
fn doors() -> BTreeMap<Place, SocketAddr> {
    let context = Context::load(&Context::path());
    context.ok().flatten().map(|c| c.logins).unwrap_or_default()
}

/// The command that logs in.
fn login(view: &MachineView, doors: &BTreeMap<Place, SocketAddr>) -> String {
    let m = &view.machine;
    let user = first_user(m.ask.login.as_deref(), m.ask.image.name.as_str());
    let user = user.map(|u| format!("{u}@")).unwrap_or_default();
    let door = m.status.place.as_ref().and_then(|p| doors.get(p));
    match m.status.address {
        Some(_) if let Some(door) = door => {
            format!("{} is up: ssh -p {} {user}{}", m.name, door.port(), door.ip())
        }
        None => format!("{} is up; its address is not known", m.name),
        Some(a) if a.is_loopback() => format!("{} is up: ssh -p 2222 {user}{a}", m.name),
        Some(a) => format!("{} is up: ssh {user}{a}", m.name),
    }
}

pub async fn rm(cli: &Cli, client: &Client, o: &RmOptions) -> Result<u8> {
    let (mut all, mut before) = (Vec::new(), Vec::new());
    for name in &o.names {
        let view: MachineView = serde_json::from_value(client.get(&format!("/v1/machines/{name}")).await?)?;
        let place = view
            .machine
            .status
            .place
            .as_ref()
            .map(|p| format!(" on {p}"))
            .unwrap_or_default();
        all.push(format!("  {name}{place}: its disks will be wiped"));
        before.push(view);
    }
    if o.dry_run {
        if cli.json {
            output::json(&before, false)?;
            return Ok(0);
        }
        output::text(format!("Would remove:\n{}\nNothing was changed.", all.join("\n")));
        return Ok(0);
    }
    confirm(&format!("This ends for good:\n{}", all.join("\n")), o.yes)?;
    let force = if o.force { "?force=true" } else { "" };
    let (mut done, mut failed) = (Vec::new(), None);
    for (name, was) in o.names.iter().zip(&before) {
        match client
            .call(Method::DELETE, &format!("/v1/machines/{name}{force}"), None)
            .await
        {
            Ok(_) => done.push((name, was)),
            Err(e) => {
                let problem = e.downcast::<Failure>()?.0;
                output::note(format!("{name}: {}", output::problem(&problem)));
                failed = Some(problem.exit());
            }
        }
    }
    let partly = |code: u8| if done.is_empty() { code } else { 7 };
    let mut code = failed.map_or(0, partly);
    let mut views = Vec::new();
    for (name, was) in done.iter().filter(|_| !o.detach) {
        let timeline = &was.machine.status.timeline;
        let how = Follow {
            goal: State::Released,
            limit: o.wait,
            quiet: cli.json,
            told: timeline.iter().filter(|p| p.ended.is_some()).count(),
        };
        match follow(client, name, how).await? {
            End::Detached => {
                output::note("Detached; the work goes on. Come back with: busbar ps --watch");
                return Ok(code);
            }
            End::Late => {
                return Err(fail(
                    "BB0503",
                    format!("{name} is not given back yet; the work goes on"),
                    format!("busbar why {name}"),
                ));
            }
            End::Rests(Some(view)) if view.machine.status.state == State::Held => {
                if !cli.json {
                    look::why(cli, client, name.as_str()).await?;
                }
                views.push(view);
                code = 1;
            }
            End::Rests(view) => {
                if !cli.json {
                    given_back(client, was, view.as_deref()).await?;
                }
                views.extend(view);
            }
        }
    }
    if cli.json {
        output::json(&views, false)?;
    }
    Ok(code)
}

/// What became of a machine that is gone, and of the node that it had.
async fn given_back(client: &Client, was: &MachineView, now: Option<&MachineView>) -> Result<()> {
    let name = &was.machine.name;
    let Some(key) = now.and_then(|v| v.machine.status.proof.as_ref()) else {
        output::text(format!("{name} is given back; nothing was ever written for it"));
        return Ok(());
    };
    output::text(format!("{name} is wiped and given back"));
    proof(client, key).await
}

/// In words, how a disk was wiped.
fn method(m: rack::agent::WipeMethod) -> &'static str {
    use rack::agent::WipeMethod;
    match m {
        WipeMethod::NvmeSanitize => "NVMe sanitize",
        WipeMethod::NvmeFormat => "NVMe format with secure erase",
        WipeMethod::AtaSecureErase => "ATA secure erase",
        WipeMethod::Discard => "discard, zeroes verified",
        WipeMethod::Overwrite => "overwritten with zeroes",
    }
}

/// What was proven, disk by disk.
async fn proof(client: &Client, key: &str) -> Result<()> {
    let proof = client.get(&format!("/v1/proofs/{key}")).await?;
    for disk in proof["disks"].as_array().into_iter().flatten() {
        let d: rack::agent::DiskWipe = serde_json::from_value(disk.clone())?;
        let clean = if d.clean { "clean" } else { "NOT CLEAN" };
        let line = format!(
            "  {} {}: {}, {} samples read back: {clean}",
            d.disk,
            d.size.decimal(),
            method(d.method),
            d.samples
        );
        output::text(plain(&line));
    }
    output::text(format!("  busbar cat {key}"));
    Ok(())
}

pub async fn kill(cli: &Cli, client: &Client, signal: &str, names: &[Name], dry_run: bool) -> Result<u8> {
    let word = match signal.trim_start_matches("SIG") {
        "TERM" => "term",
        "KILL" => "kill",
        "CONT" => "cont",
        other => {
            return Err(fail(
                "BB0101",
                format!("a machine can't be sent `{}`", plain(other)),
                "busbar kill -TERM | -KILL | -CONT NAME",
            ));
        }
    };
    let dry = if dry_run { "?dry_run=true" } else { "" };
    for name in names {
        let path = format!("/v1/machines/{name}/signal{dry}");
        let answer = client
            .call(Method::POST, &path, Some(json!({ "signal": word })))
            .await?;
        if cli.json {
            output::json(&answer, true)?;
        } else if dry_run {
            output::text(format!("Would send {word} to {name}. Nothing was changed."));
        } else {
            output::text(format!("{name}: {word}"));
        }
    }
    Ok(0)
}
