//! `busbar emulate`: what the emulated rack is and does, bad luck for it, work for it, and its pace: `/v1/lab` of the daemon.

use std::time::Duration;

use anyhow::Result;
use emulator::Fault;
use emulator::control::{BoxStatus, Cleared, LoadRequest, Loaded, PaceStatus, RackStatus};
use reqwest::Method;
use serde_json::{Value, json};

use crate::cli::{Cli, Emulate};
use crate::client::{Client, fail};
use crate::output::{self, Table, plain};

const RACK: &str = "/v1/lab/rack";
const FAULTS: &str = "/v1/lab/faults";

pub async fn emulate(cli: &Cli, what: &Emulate) -> Result<u8> {
    let daemon = Client::new(cli)?;
    match what {
        Emulate::Ls { .. } if cli.json => {
            output::json(&daemon.get(RACK).await?, false)?;
        }
        Emulate::Ls { at } => {
            let rack: RackStatus = serde_json::from_value(daemon.get(RACK).await?)?;
            show(&rack, at);
        }
        Emulate::Faults => {
            let all = daemon.get(FAULTS).await?;
            if cli.json {
                output::json(&all, false)?;
            } else {
                let all: Vec<Fault> = serde_json::from_value(all)?;
                all.iter().for_each(|f| output::text(line(f)));
            }
        }
        Emulate::Fault { file: Some(file), .. } => return from_file(cli, &daemon, file).await,
        Emulate::Fault { words, file: None } => {
            let set = daemon.call(Method::POST, FAULTS, Some(fault(words)?)).await?;
            tell(cli, &set, || Ok(line(&serde_json::from_value(set.clone())?)))?;
        }
        Emulate::Clear { id: None, all: false } => {
            let what = "say which fault is cleared, by its number in `busbar emulate faults`, or --all";
            return Err(fail("BB0101", what, "busbar emulate clear --all"));
        }
        Emulate::Clear { id, .. } => {
            let path = id.map_or_else(|| FAULTS.to_owned(), |id| format!("{FAULTS}/{id}"));
            let cleared = daemon.call(Method::DELETE, &path, None).await?;
            tell(cli, &cleared, || {
                let n = serde_json::from_value::<Cleared>(cleared.clone())?.cleared;
                Ok(format!("{} cleared", output::counted(n, "fault", "faults")))
            })?;
        }
        Emulate::Load { at, load } => {
            let request = LoadRequest {
                at: at.clone(),
                ..work(load)?
            };
            let loaded = daemon.call(Method::PUT, "/v1/lab/load", Some(json!(request))).await?;
            tell(cli, &loaded, || {
                let places = serde_json::from_value::<Loaded>(loaded.clone())?.places;
                Ok(format!("{load} on {}", places.join(", ")))
            })?;
        }
        Emulate::Speed { speed } => {
            let body = json!({"speed": speed});
            pace(cli, &daemon.call(Method::PUT, "/v1/lab/speed", Some(body)).await?)?;
        }
        Emulate::Step { by } => {
            let body = json!({"seconds": by.as_secs_f64()});
            pace(cli, &daemon.call(Method::POST, "/v1/lab/step", Some(body)).await?)?;
        }
    }
    Ok(0)
}

fn tell(cli: &Cli, answer: &Value, line: impl FnOnce() -> Result<String>) -> Result<()> {
    if cli.json {
        output::json(answer, false)
    } else {
        output::text(line()?);
        Ok(())
    }
}

fn pace(cli: &Cli, answer: &Value) -> Result<()> {
    tell(cli, answer, || {
        let pace: PaceStatus = serde_json::from_value(answer.clone())?;
        let at = output::span(Duration::from_secs_f64(pace.seconds.max(0.0)));
        Ok(match pace.speed {
            0.0 => format!("the rack stands still at {at}; busbar emulate step 60s puts it forward"),
            speed => format!("the rack is at {at} and runs {speed} times faster than real"),
        })
    })
}

/// A number or a trace's name as it is; anything that is a file, by what is in it.
fn work(load: &str) -> Result<LoadRequest> {
    let none = LoadRequest {
        at: String::new(),
        load: None,
        csv: None,
    };
    if emulator::physics::load::Trace::named(load, 0).is_ok() || !std::path::Path::new(load).exists() {
        return Ok(LoadRequest {
            load: Some(load.to_owned()),
            ..none
        });
    }
    let csv = std::fs::read_to_string(load).map_err(|e| {
        fail(
            "BB0101",
            format!("cannot read {load}: {e}"),
            "busbar emulate load --help",
        )
    })?;
    Ok(LoadRequest { csv: Some(csv), ..none })
}

/// `r1/u3 pull-cable supply=1`, or JSON.
fn fault(words: &[String]) -> Result<Value> {
    let bad = |why: String| fail("BB0101", why, "busbar emulate fault --help");
    let fault: Value = match words {
        [one] if one.trim_start().starts_with('{') => {
            serde_json::from_str(one).map_err(|e| bad(format!("the fault can't be read: {e}")))?
        }
        [at, action, more @ ..] => {
            let mut fault = json!({"on": {"at": at}, "action": action.replace('-', "_")});
            for word in more {
                let (key, value) = word
                    .split_once('=')
                    .ok_or_else(|| bad(format!("`{word}` is no `key=value`")))?;
                let number = serde_json::from_str::<serde_json::Number>(value).map(Value::Number);
                fault[key] = number.unwrap_or_else(|_| Value::String(value.to_owned()));
            }
            fault
        }
        _ => return Err(bad("a fault is told as PLACE ACTION [key=value …], or as JSON".into())),
    };
    // here rather than there: the reason is nearer to who typed it
    serde_json::from_value::<Fault>(fault.clone()).map_err(|e| bad(format!("the fault can't be read: {e}")))?;
    Ok(fault)
}

/// Sets all faults of a file, or none.
async fn from_file(cli: &Cli, daemon: &Client, file: &std::path::Path) -> Result<u8> {
    let name = file.display();
    let bad = |why: String| fail("BB0101", why, "busbar emulate fault --help");
    let text = std::fs::read_to_string(file).map_err(|e| bad(format!("cannot read {name}: {e}")))?;
    let faults = emulator::faults::file::read(&text).map_err(|e| bad(format!("{name} is refused:\n{e}")))?;
    let mut set: Vec<Fault> = Vec::new();
    for (line, fault) in faults {
        match daemon.call(Method::POST, FAULTS, Some(json!(fault))).await {
            Ok(answer) => set.push(serde_json::from_value(answer)?),
            Err(e) => {
                for fault in &set {
                    daemon
                        .call(Method::DELETE, &format!("{FAULTS}/{}", fault.id), None)
                        .await?;
                }
                return Err(bad(format!("{name} is refused:\nline {line}: {e}")));
            }
        }
    }
    if cli.json {
        output::json(&set, false)?;
    } else {
        set.iter().for_each(|f| output::text(line(f)));
    }
    Ok(0)
}

/// `fault 3: pull_cable supply 1 on r1/u3`.
fn line(fault: &Fault) -> String {
    let told = serde_json::to_value(fault).unwrap_or_default();
    let own = ["id", "on", "action", "count", "hits", "since"];
    let how: Vec<String> = told
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, value)| !own.contains(&key.as_str()) && !value.is_null())
        .map(|(key, value)| {
            format!(
                " {key} {}",
                value.as_str().map_or_else(|| value.to_string(), str::to_owned)
            )
        })
        .collect();
    let action = told["action"].as_str().unwrap_or_default();
    let at = if fault.on.at.is_empty() {
        "everything"
    } else {
        &fault.on.at
    };
    let times = fault.count.map_or_else(String::new, |n| format!(", {n} times"));
    plain(&format!("fault {}: {action}{} on {at}{times}", fault.id, how.concat()))
}

fn show(rack: &RackStatus, at: &str) {
    let shown = |name: &str| at.is_empty() || emulator::faults::glob(at, name);
    let number = |n: Option<f64>, unit: &str| n.map_or_else(|| "—".to_owned(), |n| format!("{n:.0}{unit}"));
    let boxes: Vec<&BoxStatus> = rack.boxes.iter().filter(|b| shown(&b.place)).collect();
    if !boxes.is_empty() {
        let head = [
            "WHERE", "KIND", "STATE", ">WATTS", ">WORK", ">HOTTEST", ">IN", ">OUT", ">FANS",
        ];
        let mut table = Table::new(&head);
        for b in boxes {
            table.row(vec![
                b.place.clone(),
                b.kind.clone(),
                state(b),
                number(Some(b.watts), ""),
                number(Some(b.work), "%"),
                number(b.hottest, "°C"),
                number(Some(b.inlet), "°C"),
                number(b.exhaust, "°C"),
                number(b.fans, "%"),
            ]);
        }
        output::text(table);
    }
    let gear: Vec<_> = rack.gear.iter().filter(|g| shown(&g.name)).collect();
    if !gear.is_empty() {
        let mut table = Table::new(&["POWER", "WHAT", "LIVE", ">WATTS", ">AMPS", ">OF", ">HEAT/CHARGE"]);
        for g in gear {
            table.row(vec![
                g.name.clone(),
                g.what.clone(),
                if g.live { "yes" } else { "dark" }.to_owned(),
                number(Some(g.watts), ""),
                format!("{:.1}", g.amps),
                number(g.rated, " A"),
                number(g.percent, "%"),
            ]);
        }
        output::text(table);
    }
    let circuits: Vec<_> = rack.circuits.iter().filter(|c| shown(&c.name)).collect();
    if !circuits.is_empty() {
        let mut table = Table::new(&["COOLING", ">COLD", ">HOT", ">TAKES", ">FLOW", ">LITRES"]);
        for c in circuits {
            let flow = match c.litres {
                Some(_) => format!("{:.0} l/min", c.flow),
                None => format!("{:.2} m³/s", c.flow),
            };
            table.row(vec![
                c.name.clone(),
                format!("{:.1}°C", c.cold),
                format!("{:.1}°C", c.hot),
                number(Some(c.removed), " W"),
                flow,
                number(c.litres, ""),
            ]);
        }
        output::text(table);
    }
}

/// What runs, and what is wrong.
fn state(b: &BoxStatus) -> String {
    let runs = b.activity.map(|a| format!("{a:?}").to_lowercase());
    let mut words = vec![match (b.on, runs) {
        (true, Some(runs)) => runs,
        (true, None) => "on".to_owned(),
        (false, _) => "off".to_owned(),
    }];
    if b.fed.0 == 0 {
        words.push("no input".into());
    } else if b.fed.0 < b.fed.1 {
        words.push(format!("{} of {} supplies", b.fed.0, b.fed.1));
    }
    if b.too_hot {
        words.push("too hot".into());
    }
    if b.throttled > 0 {
        words.push(format!("{} throttled", output::counted(b.throttled, "chip", "chips")));
    }
    words.join(", ")
}
