//! Commands for boxes: caps, BIOS settings, lights, logs, outlets, firmware.

use anyhow::Result;
use clap::{Args, Subcommand};
use rack::request::{DeviceView, MachineView, NodeView};
use rack::setting::{CapWish, LogLine, Settings, SettingsView};
use rack::{Health, Name, Place};
use reqwest::Method;
use serde_json::{Value, json};

use super::machine::confirm;
use crate::cli::{Cli, duration};
use crate::client::{Client, fail};
use crate::output::{self, Table, plain};

#[derive(Args)]
pub struct CapOptions {
    /// A machine, or a node's place
    pub of: String,
    /// `600W`, or `none` to lift it; without it the caps are shown
    #[arg(value_parser = watts)]
    pub cap: Option<CapWish>,
    /// Undo it after so long, unless it is kept
    #[arg(long = "try", value_name = "TIME", value_parser = duration)]
    pub trial: Option<std::time::Duration>,
    /// Keep what is on trial
    #[arg(long, conflicts_with_all = ["cap", "trial"])]
    pub keep: bool,
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Args)]
pub struct BiosOptions {
    /// A machine, or a node's place
    pub of: String,
    /// Attributes to want: `LogicalProc=Disabled`; without any they are shown
    pub attributes: Vec<String>,
    /// Take a wish back
    #[arg(long, value_name = "ATTRIBUTE")]
    pub unset: Vec<String>,
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Subcommand)]
pub enum Outlet {
    /// Outlets, what is plugged in, what it draws
    Ls {
        /// Only of this PDU
        pdu: Option<Place>,
    },
    /// Switch one on
    On(OutletOptions),
    /// Switch one off
    Off(OutletOptions),
    /// Off, a pause, on
    Cycle(OutletOptions),
}

#[derive(Args)]
pub struct OutletOptions {
    /// `r1/pdu-a/3`
    pub outlet: String,
    /// The machine on it may lose its power
    #[arg(long)]
    pub in_use: bool,
    /// Don't ask
    #[arg(long, short)]
    pub yes: bool,
}

/// `600`, `600W`, `1.2kW`, `none`.
fn watts(text: &str) -> Result<CapWish, String> {
    if text.eq_ignore_ascii_case("none") {
        return Ok(CapWish::Lifted);
    }
    let lower = text.to_ascii_lowercase();
    let (number, factor) = match (lower.strip_suffix("kw"), lower.strip_suffix('w')) {
        (Some(n), _) => (n, 1000.0),
        (_, Some(n)) => (n, 1.0),
        _ => (lower.as_str(), 1.0),
    };
    match number.trim().parse::<f64>() {
        Ok(w) if w.is_finite() && w > 0.0 => Ok(CapWish::Watts(w * factor)),
        _ => Err(format!("`{text}` is not a cap: write 600W, 1.2kW or none")),
    }
}

/// The place of a machine's node, or the place itself.
async fn place(client: &Client, of: &str) -> Result<Place> {
    if of.contains('/') {
        return of
            .parse()
            .map_err(|e| fail("BB0101", format!("`{}`: {e}", plain(of)), "busbar ls"));
    }
    let name: Name = of
        .parse()
        .map_err(|e| fail("BB0101", format!("`{}`: {e}", plain(of)), "busbar ps"))?;
    let view: MachineView = serde_json::from_value(client.get(&format!("/v1/machines/{name}")).await?)?;
    let at = view.machine.status.place;
    at.ok_or_else(|| {
        fail(
            "BB0402",
            format!("{name} has no place yet"),
            format!("busbar why {name}"),
        )
    })
}

/// A value that fits a table: some firmware keeps whole lists in one attribute.
fn short(text: &str) -> String {
    const WIDTH: usize = 40;
    if text.chars().count() <= WIDTH {
        return text.to_owned();
    }
    text.chars().take(WIDTH - 1).chain(['…']).collect()
}

/// A number of watts, or a dash.
fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "—".into(), |v| format!("{v:.0}"))
}

pub async fn cap(cli: &Cli, client: &Client, o: &CapOptions) -> Result<u8> {
    let place = place(client, &o.of).await?;
    if o.cap.is_none() && !o.keep {
        let answer = client.get(&format!("/v1/settings/{place}")).await?;
        if cli.json {
            output::json(&answer, false)?;
            return Ok(0);
        }
        let view: SettingsView = serde_json::from_value(answer)?;
        let mut table = Table::new(&["CAP", ">WATTS", ">LOWEST", ">HIGHEST", "", "WANTED"]);
        for c in &view.caps {
            let wanted = if c.id == "system" {
                wish(&view.wanted)
            } else {
                String::new()
            };
            let fixed = if c.writable { "" } else { "fixed" };
            table.row(vec![
                c.id.clone(),
                c.watts.map_or_else(|| "none".into(), |w| format!("{w:.0}")),
                number(c.lowest),
                number(c.highest),
                fixed.into(),
                wanted,
            ]);
        }
        output::text(table);
        view.unfulfilled.iter().for_each(|why| output::note(plain(why)));
        return Ok(u8::from(!view.unfulfilled.is_empty()));
    }
    let body = json!({"place": place, "cap": o.cap, "keep": o.keep, "try_seconds": o.trial.map(|t| t.as_secs())});
    want(cli, client, &place, body, o.dry_run).await
}

async fn want(cli: &Cli, client: &Client, place: &Place, body: Value, dry: bool) -> Result<u8> {
    let path = if dry {
        "/v1/settings?dry_run=true"
    } else {
        "/v1/settings"
    };
    let answer = client.call(Method::POST, path, Some(body)).await?;
    if cli.json {
        output::json(&answer, false)?;
        return Ok(0);
    }
    let wanted: Settings = serde_json::from_value(answer)?;
    let mut words = vec![format!("cap {}", wish(&wanted))];
    words.extend(wanted.bios.iter().map(|(k, v)| format!("{k}={v}")));
    let head = if dry {
        "Nothing was changed: would be wanted of"
    } else {
        "Wanted of"
    };
    output::text(plain(&format!("{head} {place}: {}", words.join(", "))));
    Ok(0)
}

fn wish(wanted: &Settings) -> String {
    let cap = match wanted.cap {
        None => "as it is".into(),
        Some(CapWish::Lifted) => "none".into(),
        Some(CapWish::Watts(w)) => format!("{w:.0} W"),
    };
    match &wanted.trial {
        Some(t) => format!("{cap} until {}", t.until),
        None => cap,
    }
}

pub async fn bios(cli: &Cli, client: &Client, o: &BiosOptions) -> Result<u8> {
    let place = place(client, &o.of).await?;
    if o.attributes.is_empty() && o.unset.is_empty() {
        let answer = client.get(&format!("/v1/settings/{place}?bios=true")).await?;
        if cli.json {
            output::json(&answer, false)?;
            return Ok(0);
        }
        let view: SettingsView = serde_json::from_value(answer)?;
        let mut table = Table::new(&["ATTRIBUTE", "NOW", "NEXT BOOT", "WANTED"]);
        let shown = |v: Option<&Value>| match v {
            None => String::new(),
            Some(Value::String(s)) => short(s),
            Some(other) => other.to_string(),
        };
        for (name, now) in &view.bios {
            table.row(vec![
                name.clone(),
                shown(Some(now)),
                shown(view.pending.get(name)),
                shown(view.wanted.bios.get(name)),
            ]);
        }
        output::text(table);
        view.unfulfilled.iter().for_each(|why| output::note(plain(why)));
        return Ok(u8::from(!view.unfulfilled.is_empty()));
    }
    let mut wanted = serde_json::Map::new();
    for line in &o.attributes {
        let Some((name, value)) = line.split_once('=').filter(|(n, _)| !n.is_empty()) else {
            let what = format!("`{}` is not ATTRIBUTE=VALUE", plain(line));
            return Err(fail("BB0101", what, format!("busbar bios {place}")));
        };
        // Numbers and truth values are what BIOS registries know besides text.
        let value = match serde_json::from_str::<Value>(value) {
            Ok(v @ (Value::Bool(_) | Value::Number(_))) => v,
            _ => Value::String(value.to_owned()),
        };
        wanted.insert(name.to_owned(), value);
    }
    wanted.extend(o.unset.iter().map(|name| (name.clone(), Value::Null)));
    want(cli, client, &place, json!({"place": place, "bios": wanted}), o.dry_run).await
}

pub async fn locate(cli: &Cli, client: &Client, of: &str, on: bool) -> Result<u8> {
    let place = place(client, of).await?;
    let body = json!({"place": place, "on": on});
    let answer = client.call(Method::POST, "/v1/locate", Some(body)).await?;
    if cli.json {
        output::json(&answer, false)?;
    } else {
        let word = if on {
            "is lit: look for the light"
        } else {
            "is dark again"
        };
        output::text(format!("{place} {word}"));
    }
    Ok(0)
}

pub async fn log(cli: &Cli, client: &Client, of: &str, lines: usize) -> Result<u8> {
    let place = place(client, of).await?;
    let answer = client.get(&format!("/v1/logs/{place}?most={lines}")).await?;
    let entries: Vec<LogLine> = serde_json::from_value(answer)?;
    for e in entries.iter().rev() {
        if cli.json {
            output::json(e, true)?;
            continue;
        }
        let at = e.at.map_or_else(|| "no time".into(), |t| t.to_string());
        let severity = match e.severity {
            Health::Unknown => "",
            Health::Ok => "ok",
            Health::Warning => "warning",
            Health::Critical => "critical",
        };
        output::text(plain(&format!("{at} {severity:<8} {}", e.message)));
    }
    Ok(0)
}

pub async fn outlet(cli: &Cli, client: &Client, what: &Outlet) -> Result<u8> {
    let (options, verb) = match what {
        Outlet::Ls { pdu } => return outlets(cli, client, pdu.as_ref()).await,
        Outlet::On(o) => (o, "on"),
        Outlet::Off(o) => (o, "off"),
        Outlet::Cycle(o) => (o, "cycle"),
    };
    let split = options.outlet.rsplit_once('/').filter(|(p, _)| p.contains('/'));
    let Some((pdu, outlet)) = split else {
        let what = format!("`{}` is not an outlet: write r1/pdu-a/3", plain(&options.outlet));
        return Err(fail("BB0101", what, "busbar outlet ls"));
    };
    if verb != "on" {
        confirm(&format!("What {} feeds loses that power.", options.outlet), options.yes)?;
    }
    let path = if options.in_use {
        "/v1/outlets?in_use=true"
    } else {
        "/v1/outlets"
    };
    let body = json!({"pdu": pdu, "outlet": outlet, "order": verb});
    let answer = client.call(Method::POST, path, Some(body)).await?;
    if cli.json {
        output::json(&answer, false)?;
    } else {
        let done = if verb == "cycle" { "was cycled" } else { "is" };
        let state = if verb == "cycle" { "" } else { verb };
        output::text(format!("{} {done} {state}", options.outlet).trim_end());
    }
    Ok(0)
}

async fn outlets(cli: &Cli, client: &Client, only: Option<&Place>) -> Result<u8> {
    let mut devices: Vec<DeviceView> = serde_json::from_value(client.get("/v1/devices").await?)?;
    devices.retain(|d| !d.outlets.is_empty() && only.is_none_or(|o| d.place.is_in(o)));
    if cli.json {
        output::json(&devices, false)?;
        return Ok(0);
    }
    let nodes: Vec<NodeView> = serde_json::from_value(client.get("/v1/nodes").await?)?;
    let mut table = Table::new(&["OUTLET", "STATE", ">WATTS", ">AMPS", "FEEDS", "LABEL"]);
    for d in &devices {
        for o in &d.outlets {
            let feeds = nodes
                .iter()
                .find(|n| n.node.outlets.iter().any(|r| r.pdu == d.place && r.outlet == o.id));
            table.row(vec![
                format!("{}/{}", d.place, o.id),
                o.power.map_or_else(|| "—".into(), |p| format!("{p:?}").to_lowercase()),
                number(o.watts),
                o.amps.map_or_else(|| "—".into(), |a| format!("{a:.1}")),
                feeds.map_or_else(|| "—".into(), |n| n.node.place.to_string()),
                o.label.clone().unwrap_or_default(),
            ]);
        }
    }
    output::text(table);
    Ok(if devices.is_empty() { 3 } else { 0 })
}

/// Prints what a rotation came to.
pub async fn rotate(cli: &Cli, client: &Client, name: &Name) -> Result<u8> {
    let answer = client
        .call(Method::POST, &format!("/v1/credentials/{name}/rotate"), None)
        .await?;
    let rotated: rack::request::Rotated = serde_json::from_value(answer.clone())?;
    if cli.json {
        output::json(&answer, false)?;
    } else {
        output::text(format!("{} BMCs have the new password of {name}", rotated.done.len()));
        rotated.left.iter().for_each(|l| output::note(plain(l)));
        if !rotated.left.is_empty() {
            output::note(format!(
                "the others keep the old one: busbar credential rotate {name} goes on"
            ));
        }
    }
    Ok(match (rotated.done.is_empty(), rotated.left.is_empty()) {
        (_, true) => 0,
        (true, false) => 9,
        (false, false) => 7,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cap_is_read_as_people_write_it() {
        assert_eq!(watts("600W"), Ok(CapWish::Watts(600.0)));
        assert_eq!(watts("1.2kW"), Ok(CapWish::Watts(1200.0)));
        assert_eq!(watts("none"), Ok(CapWish::Lifted));
        for bad in ["", "W", "-5", "0", "lots", "1e999"] {
            assert!(watts(bad).is_err(), "{bad}");
        }
    }
}
