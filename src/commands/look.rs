//! Commands that only look.

use anyhow::Result;
use rack::request::{EventView, MachineView, NodeView, Summary, Verdict, Why};
use rack::{Name, Place};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cli::Cli;
use crate::client::{Client, Failure, fail};
use crate::commands::truth;
use crate::output::{self, Table, plain, span};

/// Longest wait of one poll, in seconds.
const WAIT: u64 = 30;

/// What may stand in a path of the API as it is.
fn in_path(text: &str) -> Result<&str> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "/._-:".contains(c);
    if !text.is_empty() && text.chars().all(fits) && !text.split('/').any(|s| s == "..") {
        return Ok(text);
    }
    Err(fail("BB0301", format!("there is no `{}`", plain(text)), "busbar ls"))
}

pub async fn overview(cli: &Cli) -> Result<u8> {
    let asked = async { Client::new(cli)?.get("/v1/status").await }.await;
    let status = match asked {
        Ok(status) => status,
        Err(e) if !cli.json && e.downcast_ref::<Failure>().is_some_and(|f| f.0.code == "BB0601") => {
            output::text(format!(
                "No daemon answers ({e}).\n\n  busbar up --emulate                    try it, without hardware\n  \
                 busbar up --interface IF --rack FILE   on a real rack\n  busbar help                            every command"
            ));
            return Ok(9);
        }
        Err(e) => return Err(e),
    };
    if cli.json {
        output::json(&status, false)?;
        return Ok(0);
    }
    let s: Summary = serde_json::from_value(status)?;
    let mut next = vec!["busbar ls", "busbar ps", "busbar doctor"];
    for r in &s.racks {
        let kind = if r.emulated { " (emulated)" } else { "" };
        output::text(format!(
            "rack {}{kind}: {} nodes, {} armed, {} free, {} silent, {} other boxes",
            r.name, r.nodes, r.armed, r.free, r.silent, r.devices
        ));
        if r.armed == 0 {
            next.insert(0, "busbar arm RACK");
        }
    }
    if s.racks.is_empty() {
        next.insert(0, "busbar discover ADDRESS --credential NAME");
    } else if s.images.is_empty() {
        next.insert(0, "busbar image add NAME FILE");
    }
    let machines: Vec<String> = s.machines.iter().map(|(state, n)| format!("{n} {state}")).collect();
    output::text(format!(
        "machines: {}",
        if machines.is_empty() {
            "none".into()
        } else {
            machines.join(", ")
        }
    ));
    output::text(format!("next:  {}", next[..3].join("   ·   ")));
    Ok(0)
}

/// Shows a list once, or again at every change.
pub(super) async fn list(
    cli: &Cli,
    client: &Client,
    path: &str,
    watch: bool,
    keep: impl Fn(&Value) -> bool,
    show: impl Fn(Vec<Value>) -> Result<String>,
) -> Result<u8> {
    let mut after = None;
    loop {
        let (all, change): (Vec<Value>, _) = client.poll(path, after, WAIT).await?;
        let all: Vec<Value> = all.into_iter().filter(&keep).collect();
        if cli.json {
            output::json(&all, watch)?;
        } else {
            let clear = if watch && output::terminal() {
                "\x1b[H\x1b[J"
            } else {
                ""
            };
            output::text(format!("{clear}{}", show(all)?));
        }
        if !watch {
            return Ok(0);
        }
        // A rack of 1,000 nodes changes all the time; more often than this can't be read.
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        after = change;
    }
}

pub(super) fn number(value: Option<f64>, unit: &str) -> String {
    value.map_or_else(|| "—".into(), |v| format!("{v:.0}{unit}"))
}

pub async fn ls(cli: &Cli, client: &Client, place: Option<&Place>, filter: Option<&str>, watch: bool) -> Result<u8> {
    let expr = filter.map(truth::filter).transpose()?;
    if let (Some(expr), Some(text)) = (&expr, filter) {
        truth::check(client, expr, text).await?;
        if !watch {
            return truth::ls(cli, client, place, expr).await;
        }
    }
    let inside = |v: &Value| {
        place.is_none_or(|p| {
            v["place"]
                .as_str()
                .and_then(|s| s.parse::<Place>().ok())
                .is_some_and(|n| n.is_in(p))
        })
    };
    let inside = |v: &Value| inside(v) && expr.as_ref().is_none_or(|e| truth::meant(e, v));
    let code = list(cli, client, "/v1/nodes", watch, &inside, nodes).await?;
    if cli.json || watch {
        return Ok(code);
    }
    let mut others: Vec<Value> = serde_json::from_value(client.get("/v1/devices").await?)?;
    others.retain(&inside);
    if !others.is_empty() {
        output::text(format!("\n{}", truth::devices(others)?));
    }
    Ok(code)
}

/// What `ls` shows of nodes.
pub fn nodes(all: Vec<Value>) -> Result<String> {
    let mut table = Table::new(&[
        "PLACE", "POWER", "HELD BY", ">CORES", ">MEMORY", ">GPUS", ">WATTS", ">READ", "HEALTH", "ARMED", "",
    ]);
    for view in all {
        let v: NodeView = serde_json::from_value(view)?;
        let watts = v.live.readings.iter().find(|r| r.name == "watts");
        let note = match (&v.live.silent, &v.node.cordoned) {
            (Some(silent), _) => format!(
                "no answer from BMC{}: {silent}",
                v.live
                    .seen
                    .map(|s| format!(" for {}", span(output::now().since(s))))
                    .unwrap_or_default()
            ),
            (None, Some(why)) => format!("cordoned: {why}"),
            _ if v.node.abilities.no_bmc => "no BMC".into(),
            _ => String::new(),
        };
        table.row(vec![
            v.node.place.to_string(),
            v.live
                .power
                .map_or_else(|| "?".into(), |p| format!("{p:?}").to_lowercase()),
            v.node.holder.as_ref().map_or_else(|| "—".into(), ToString::to_string),
            format!("{}c", v.node.cores()),
            v.node.memory().to_string(),
            v.node.gpus().to_string(),
            output::reading(watts),
            output::age(watts),
            format!("{:?}", v.node.health).to_lowercase(),
            if v.node.armed { "yes" } else { "no" }.into(),
            note,
        ]);
    }
    Ok(table.to_string())
}

pub async fn tree(cli: &Cli, client: &Client, place: Option<&Place>) -> Result<u8> {
    #[derive(Deserialize)]
    struct Tree {
        nodes: Vec<NodeView>,
        devices: Vec<rack::request::DeviceView>,
    }
    let mut answer = client.get("/v1/tree").await?;
    for list in ["nodes", "devices"] {
        let inside = |v: &Value| {
            let at = v["place"].as_str().and_then(|s| s.parse::<Place>().ok());
            place.is_none_or(|p| at.is_some_and(|a| a.is_in(p)))
        };
        if let Some(all) = answer[list].as_array_mut() {
            all.retain(inside);
        }
    }
    if cli.json {
        output::json(&answer, false)?;
        return Ok(0);
    }
    let tree: Tree = serde_json::from_value(answer)?;
    if let Some(place) = place.filter(|_| tree.nodes.is_empty() && tree.devices.is_empty()) {
        return Err(fail("BB0301", format!("nothing stands at {place}"), "busbar ls"));
    }
    // A rack is shown by its parts; one box with everything that can be read of it.
    let whole = place.is_some_and(|p| p.slot().is_some());
    for v in &tree.nodes {
        let n = &v.node;
        let model = n.identity.model.as_deref().unwrap_or("—");
        let holder = n.holder.as_ref().map(|h| format!("  ← {h}")).unwrap_or_default();
        output::text(plain(&format!("{}  {model}{holder}", n.place)));
        let serial = |s: &Option<String>| {
            s.as_ref()
                .filter(|_| whole)
                .map(|s| format!("  serial {s}"))
                .unwrap_or_default()
        };
        for part in &n.parts {
            branch(
                &part.id,
                &format!("{}{}", part.model.as_deref().unwrap_or("—"), serial(&part.serial)),
            );
        }
        if whole {
            for f in &n.firmware {
                branch(
                    &format!("firmware/{}", f.id),
                    &format!("{}  {}", f.version.as_deref().unwrap_or("—"), f.name),
                );
            }
            n.outlets
                .iter()
                .for_each(|o| branch("fed by", &format!("{}/outlet{}", o.pdu, o.outlet)));
            readings(&v.live.readings);
        }
    }
    for d in &tree.devices {
        output::text(plain(&format!(
            "{}  {} {}  {}",
            d.place,
            d.kind,
            d.model.as_deref().unwrap_or("—"),
            format!("{:?}", d.health).to_lowercase()
        )));
        if whole {
            for o in &d.outlets {
                let power = o.power.map_or_else(|| "?".into(), |p| format!("{p:?}").to_lowercase());
                let label = o.label.as_deref().unwrap_or_default();
                branch(
                    &format!("outlet{}", o.id),
                    &format!("{power}  {}  {label}", number(o.watts, " W")),
                );
            }
            readings(&d.readings);
        }
    }
    Ok(0)
}

fn branch(name: &str, what: &str) {
    output::text(plain(&format!("  {name:<10} {}", what.trim_end())));
}

fn readings(all: &[rack::Reading]) {
    for r in all {
        branch(&r.name, &format!("{} {}", output::reading(Some(r)), r.unit));
    }
}

pub async fn cat(cli: &Cli, client: &Client, path: &str) -> Result<u8> {
    let path = in_path(path)?;
    if path.starts_with("proof/") {
        output::json(&client.get(&format!("/v1/proofs/{path}")).await?, false)?;
        return Ok(0);
    }
    let one = client.get(&format!("/v1/cat/{path}")).await?;
    if cli.json {
        output::json(&one, false)?;
        return Ok(0);
    }
    let taken = one["taken"].as_str().and_then(|t| t.parse::<jiff::Timestamp>().ok());
    let age = taken.map(|t| output::now().since(rack::Time::from_millis(t.as_millisecond())));
    if let Some(age) = age.filter(|a| *a > output::OLD) {
        output::note(format!("read {} ago", span(age)));
    }
    match &one["value"] {
        Value::Null => {
            output::note("no reading");
            return Ok(1);
        }
        Value::String(s) => output::text(plain(s)),
        other => output::json(other, false)?,
    }
    Ok(0)
}

/// Asks why.
pub async fn asked(client: &Client, about: &str) -> Result<Value> {
    client.get(&format!("/v1/why/{}", in_path(about)?)).await
}

/// An answer, line by line.
pub fn told(why: &Why) -> Vec<String> {
    let mut lines = vec![why.headline.clone()];
    lines.extend(why.because.iter().map(|b| format!("  because {b}")));
    lines.extend(why.next.iter().map(|n| format!("  next: {n}")));
    lines.extend(why.ways_out.iter().map(|o| format!("  way out: {o}")));
    lines.iter().map(|l| plain(l)).collect()
}

/// Prints why.
pub async fn why(cli: &Cli, client: &Client, about: &str) -> Result<u8> {
    let answer = asked(client, about).await?;
    if cli.json {
        output::json(&answer, false)?;
        return Ok(0);
    }
    told(&serde_json::from_value(answer)?).iter().for_each(output::text);
    Ok(0)
}

pub async fn dmesg(cli: &Cli, client: &Client, follow: bool) -> Result<u8> {
    let mut after = 0;
    loop {
        let wait = if follow && after > 0 {
            format!("&wait={WAIT}")
        } else {
            String::new()
        };
        let answer = client.get(&format!("/v1/events?after={after}{wait}")).await?;
        let events: Vec<EventView> = serde_json::from_value(answer)?;
        for e in &events {
            if cli.json {
                output::json(e, true)?;
                continue;
            }
            let because = e
                .event
                .because
                .as_ref()
                .map(|b| format!(" because {b}"))
                .unwrap_or_default();
            let level = format!("{:?}", e.event.level).to_lowercase();
            output::text(plain(&format!(
                "{} {level:<7} {}: {}{because} [{}]",
                e.event.at, e.event.about, e.event.what, e.event.by
            )));
        }
        if events.is_empty() && !follow {
            return Ok(0);
        }
        if events.is_empty() && after == 0 {
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
        after = events.last().map_or(after, |e| e.sequence);
    }
}

pub async fn trace(cli: &Cli, client: &Client, name: &Name) -> Result<u8> {
    let answer = client.get(&format!("/v1/machines/{name}")).await?;
    let view: MachineView = serde_json::from_value(answer)?;
    let phases = &view.machine.status.timeline;
    if cli.json {
        output::json(&json!({"name": name, "timeline": phases}), false)?;
        return Ok(0);
    }
    let took = |p: &rack::machine::Phase| p.ended.unwrap_or_else(output::now).since(p.began);
    let longest = phases
        .iter()
        .map(took)
        .max()
        .unwrap_or_default()
        .as_secs_f64()
        .max(0.001);
    let mut table = Table::new(&["PHASE", ">SECONDS", ">BYTES", ""]);
    for p in phases {
        /// Width of the longest bar.
        const BAR: f64 = 40.0;
        let bar = "█".repeat((took(p).as_secs_f64() / longest * BAR).round() as usize);
        let bytes = p.bytes.map_or_else(|| "—".into(), |b| b.decimal());
        table.row(vec![
            p.name.clone(),
            format!("{:.1}", took(p).as_secs_f64()),
            bytes,
            bar,
        ]);
    }
    output::text(table);
    Ok(0)
}

pub async fn doctor(cli: &Cli, client: &Client) -> Result<u8> {
    let summary: Summary = serde_json::from_value(client.get("/v1/status").await?)?;
    if cli.json {
        output::json(&summary.checks, false)?;
    } else {
        let mut table = Table::new(&["CHECK", "", "FOUND", "TRY"]);
        for c in &summary.checks {
            let verdict = format!("{:?}", c.verdict).to_lowercase();
            table.row(vec![
                c.name.clone(),
                verdict,
                c.found.clone(),
                c.hint.clone().unwrap_or_default(),
            ]);
        }
        output::text(table);
    }
    Ok(u8::from(summary.checks.iter().any(|c| c.verdict == Verdict::Failed)))
}
