//! `fsck`: what a rack is, against what it should be; and `ls --where`.

use std::collections::BTreeMap;

use anyhow::Result;
use plan::filter::{Expr, fields};
use plan::fsck::Report;
use rack::Place;
use rack::request::{DeviceView, NodeView, Summary};
use reqwest::Method;
use serde_json::{Value, json};

use crate::cli::{Cli, FsckOptions};
use crate::client::{Client, fail};
use crate::output::{self, Table, counted, plain, span};

/// Boxes of one request to look anew: what one discovery may name.
const TOGETHER: usize = 1000;

/// Compares, and exits with 1 when something differs.
pub async fn fsck(cli: &Cli, client: &Client, options: &FsckOptions) -> Result<u8> {
    let places = match &options.place {
        Some(place) => vec![place.clone()],
        None => racks(client).await?,
    };
    let mut all = Report::default();
    let mut unwritten = Vec::new();
    for place in &places {
        if options.live {
            look_anew(client, place).await?;
        }
        if options.accept {
            let body = json!({"place": place});
            let answer = client.call(Method::POST, "/v1/fsck/accept", Some(body)).await?;
            output::note(format!(
                "{place}: agreed to the parts of {} boxes as they are",
                answer["boxes"]
            ));
        }
        let report: Report = serde_json::from_value(client.get(&format!("/v1/fsck?place={place}")).await?)?;
        all.compared += report.compared;
        all.intended |= report.intended;
        if !report.intended {
            unwritten.push(place.rack().to_owned());
        }
        all.findings.extend(report.findings);
    }
    if cli.json {
        output::json(&all, false)?;
    } else {
        show(&all);
        for rack in &unwritten {
            output::note(format!(
                "nobody wrote down what {rack} should be: busbar import seen --rack {rack}"
            ));
        }
    }
    Ok(u8::from(!all.findings.is_empty()))
}

fn show(report: &Report) {
    if report.findings.is_empty() {
        output::text(format!("{}, nothing differs", counted(report.compared, "box", "boxes")));
        return;
    }
    let mut table = Table::new(&["PLACE", "KIND", ">SINCE", "WHAT", "NEXT"]);
    for f in &report.findings {
        let kind = format!("{:?}", f.kind).to_lowercase();
        let since = f.since.map_or_else(|| "now".into(), |t| span(output::now().since(t)));
        table.row(vec![f.place.to_string(), kind, since, f.what.clone(), f.next.clone()]);
    }
    output::text(table);
    output::text(format!(
        "{}, {}",
        counted(report.compared, "box", "boxes"),
        counted(report.findings.len(), "difference", "differences")
    ));
}

async fn racks(client: &Client) -> Result<Vec<Place>> {
    let summary: Summary = serde_json::from_value(client.get("/v1/status").await?)?;
    let places: Vec<Place> = summary.racks.iter().map(|r| Place::whole(&r.name)).collect();
    if places.is_empty() {
        return Err(fail(
            "BB0301",
            "there is no rack yet",
            "busbar discover ADDRESS --credential NAME",
        ));
    }
    Ok(places)
}

/// Reads the inventories at a place anew, each with the credential that it was found with.
async fn look_anew(client: &Client, place: &Place) -> Result<()> {
    let nodes: Vec<NodeView> = serde_json::from_value(client.get("/v1/nodes").await?)?;
    let mut by_credential: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for n in nodes.iter().map(|v| &v.node).filter(|n| n.place.is_in(place)) {
        by_credential
            .entry(n.bmc.credential.to_string())
            .or_default()
            .push(n.bmc.url.clone());
    }
    for (credential, mut urls) in by_credential {
        urls.sort();
        urls.dedup();
        for some in urls.chunks(TOGETHER) {
            let body = json!({"targets": some, "rack": place.rack(), "credential": credential});
            let answer = client.call(Method::POST, "/v1/discover", Some(body)).await?;
            for problem in answer["problems"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
            {
                output::note(plain(problem));
            }
        }
    }
    Ok(())
}

/// Reads `--where`.
pub fn filter(text: &str) -> Result<Expr> {
    plan::filter::parse(text).map_err(|m| {
        let what = format!("--where, {m}\n  {}\n  {}^", plain(text), " ".repeat(m.column - 1));
        fail("BB0101", what, "busbar ls --where 'health!=ok and gpu>=4'")
    })
}

/// Whether a node or another box is meant.
pub fn meant(expr: &Expr, value: &Value) -> bool {
    if value.get("parts").is_some() {
        let node: Option<NodeView> = serde_json::from_value(value.clone()).ok();
        node.is_some_and(|n| expr.matches(&|name| fields::node(&n, name)))
    } else {
        let device: Option<DeviceView> = serde_json::from_value(value.clone()).ok();
        device.is_some_and(|d| expr.matches(&|name| fields::device(&d, name)))
    }
}

/// The nodes and other boxes that are meant.
pub async fn ls(cli: &Cli, client: &Client, place: Option<&Place>, expr: &Expr) -> Result<u8> {
    let here = |v: &Value| {
        let at = v["place"].as_str().and_then(|s| s.parse::<Place>().ok());
        place.is_none_or(|p| at.is_some_and(|a| a.is_in(p))) && meant(expr, v)
    };
    let of = async |path: &str| -> Result<Vec<Value>> {
        let all: Vec<Value> = serde_json::from_value(client.get(path).await?)?;
        Ok(all.into_iter().filter(here).collect())
    };
    let (nodes, devices) = (of("/v1/nodes").await?, of("/v1/devices").await?);
    if cli.json {
        output::json(&[nodes, devices].concat(), false)?;
        return Ok(0);
    }
    let others = devices.len();
    if !nodes.is_empty() || others == 0 {
        output::text(super::look::nodes(nodes)?);
    }
    if others > 0 {
        output::text(self::devices(devices)?);
    }
    Ok(0)
}

/// What `ls` shows of boxes that are no machines.
pub fn devices(all: Vec<Value>) -> Result<String> {
    let mut table = Table::new(&["PLACE", "KIND", "MAKER", "MODEL", ">WATTS", ">READ", "HEALTH"]);
    for device in all {
        let d: DeviceView = serde_json::from_value(device)?;
        let watts = d.readings.iter().find(|r| r.name == "watts");
        let word = |t: &Option<String>| t.clone().unwrap_or_else(|| "—".into());
        table.row(vec![
            d.place.to_string(),
            d.kind.clone(),
            word(&d.maker),
            word(&d.model),
            output::reading(watts),
            output::age(watts),
            format!("{:?}", d.health).to_lowercase(),
        ]);
    }
    Ok(table.to_string())
}

/// Refuses fields that none of these boxes has.
pub async fn check(client: &Client, expr: &Expr, text: &str) -> Result<()> {
    let nodes: Vec<NodeView> = serde_json::from_value(client.get("/v1/nodes").await?)?;
    let devices: Vec<DeviceView> = serde_json::from_value(client.get("/v1/devices").await?)?;
    let mut others: Vec<String> = nodes.iter().flat_map(fields::others_of).collect();
    others.extend(
        devices
            .iter()
            .flat_map(|d| d.readings.iter().map(|r| r.name.to_ascii_lowercase())),
    );
    others.sort();
    others.dedup();
    fields::check(expr, &others).map_err(|m| {
        let what = format!("--where, {m}\n  {}\n  {}^", plain(text), " ".repeat(m.column - 1));
        fail("BB0101", what, "busbar ls --where 'health!=ok and gpu>=4'")
    })
}
