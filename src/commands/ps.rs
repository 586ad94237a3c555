//! `busbar ps`: every machine in a line.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use rack::request::{MachineView, NodeView, Progress};
use rack::shed::Shed;
use rack::{Place, State};
use serde_json::Value;

use super::look::{list, number};
use crate::cli::Cli;
use crate::client::Client;
use crate::output::{self, Table, span};

/// What the mark behind a state means.
const LEGEND: &str = " <  gives up watts so that nothing trips: busbar why NAME";

/// What `ps` shows; `made` tells what stands at a place.
fn machines(all: Vec<Value>, made: &BTreeMap<Place, String>) -> Result<String> {
    let mut table = Table::new(&[
        "NAME",
        "STAT",
        ">NI",
        "WHERE",
        "MADE OF",
        ">WATTS/CAP",
        ">TEMP",
        "IMAGE",
        "",
    ]);
    let mut marked = false;
    for view in all {
        let v: MachineView = serde_json::from_value(view)?;
        let (m, s) = (&v.machine, &v.machine.status);
        let shed = taken(v.shed.as_ref());
        marked |= shed.is_some();
        let place = s.place.as_ref();
        table.row(vec![
            m.name.to_string(),
            stat(s.state, shed),
            m.ask.nice.to_string(),
            place.map_or_else(|| "—".into(), ToString::to_string),
            place.and_then(|p| made.get(p)).cloned().unwrap_or_else(|| "—".into()),
            capped(v.watts, v.cap),
            number(v.inlet, "°C"),
            m.ask.image.name.to_string(),
            note(
                v.progress.as_ref(),
                s.state,
                &s.reason,
                shed,
                output::now().since(s.since),
            ),
        ]);
    }
    let legend = if marked { format!("{LEGEND}\n") } else { String::new() };
    Ok(format!("{table}{legend}"))
}

/// What is taken from a machine; nothing when all of it is given back.
pub fn taken(shed: Option<&Shed>) -> Option<&Shed> {
    shed.filter(|s| !s.is_over())
}

/// What is taken, and why: `capped at 300 W because r1/pdu-b carries 104 % of its rating`.
pub fn given(shed: &Shed) -> String {
    format!("{} because {}", shed.in_words(), shed.because)
}

/// A state in a letter, and a mark behind it when Busbar took watts from the machine.
pub fn stat(state: State, shed: Option<&Shed>) -> String {
    let mark = if taken(shed).is_some() { "<" } else { "" };
    format!("{}{mark}", state.letter())
}

/// Watts, and what they are capped at: `412/600`.
pub fn capped(watts: Option<f64>, cap: Option<f64>) -> String {
    let cap = cap.map_or_else(String::new, |w| format!("/{w:.0}"));
    format!("{}{cap}", number(watts, ""))
}

/// What is said behind a machine's row, when its state began so long ago: how far it is, or why it is as it is.
pub fn note(progress: Option<&Progress>, state: State, reason: &str, shed: Option<&Shed>, passed: Duration) -> String {
    match (progress, state) {
        (Some(p), _) if p.total.0 > 0 => format!(
            "{} {} %, {}",
            p.phase,
            p.done.0.saturating_mul(100) / p.total.0,
            span(passed)
        ),
        (_, State::Running | State::Stopped) => taken(shed).map_or_else(String::new, given),
        (_, State::Released) => String::new(),
        _ => reason.to_owned(),
    }
}

/// What a node is made of: `64c 256G + 2 gpu`.
pub fn parts(node: &rack::Node) -> String {
    let gpus = match node.gpus() {
        0 => String::new(),
        n => format!(" + {n} gpu"),
    };
    format!("{}c {}{gpus}", node.cores(), node.memory())
}

pub async fn ps(cli: &Cli, client: &Client, watch: bool, released: bool) -> Result<u8> {
    let keep = |v: &Value| released || v["status"]["state"] != "released";
    let mut made = BTreeMap::new();
    if !cli.json {
        // Parts hardly ever change, so they are asked for once.
        let nodes: Vec<NodeView> = serde_json::from_value(client.get("/v1/nodes").await?)?;
        made.extend(nodes.into_iter().map(|v| (v.node.place.clone(), parts(&v.node))));
    }
    list(cli, client, "/v1/machines", watch, keep, |all| machines(all, &made)).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shed(cap: Option<f64>, stop: Option<&str>) -> Value {
        json!({
            "node": "9b2f0f5e-5f0c-5d9e-8f0e-000000000001", "place": "r1/u1", "machine": "web-1", "nice": 0, "cap": cap, "stop": stop,
            "drew": 612.0, "before": null, "pdus": ["r1/pdu-b"], "because": "r1/pdu-b carries 104 % of its rating",
            "since": "2026-11-29T00:00:00Z", "changed": "2026-11-29T00:00:00Z",
        })
    }

    fn machine(name: &str, state: &str, watts: Option<f64>, cap: Option<f64>, shed: Value) -> Value {
        let at = "2026-11-29T00:00:00Z";
        json!({
            "name": name, "uid": "9b2f0f5e-5f0c-5d9e-8f0e-000000000002", "created": at, "desired": "running",
            "ask": {"nice": -10, "image": {
                "name": "demo", "digest": "sha256:0", "stored": 1, "packing": "raw", "raw_digest": "sha256:0", "raw": 1,
                "source": "demo", "added": at,
            }},
            "status": {
                "state": state, "stage": "rest", "since": at, "stage_since": at, "deadline": at, "rung": "gentle", "tries": 0,
                "reason": "", "failure": null, "node": null, "place": "r1/u1", "disk": null, "touched": true, "address": null,
                "avoid": [], "held_from": null, "proof": null, "timeline": [],
            },
            "progress": null, "watts": watts, "inlet": 22.0, "power": "on", "cap": cap, "shed": shed,
        })
    }

    #[test]
    fn who_gives_up_watts_is_marked_and_said_and_nobody_else() {
        let made = BTreeMap::from([("r1/u1".parse().unwrap(), "32c 256G".to_owned())]);
        let free = vec![
            machine("web-1", "running", Some(366.4), None, Value::Null),
            machine("web-2", "running", None, Some(400.0), shed(None, None)),
        ];
        let text = machines(free, &made).unwrap();
        assert_eq!(
            text,
            " NAME   STAT   NI  WHERE  MADE OF   WATTS/CAP  TEMP  IMAGE\n \
             web-1  R     -10  r1/u1  32c 256G        366  22°C  demo\n \
             web-2  R     -10  r1/u1  32c 256G      —/400  22°C  demo\n",
        );
        let short = vec![
            machine("web-1", "running", Some(301.0), Some(300.0), shed(Some(300.0), None)),
            machine("web-2", "stopped", Some(12.0), None, shed(None, Some("cut"))),
        ];
        let text = machines(short, &made).unwrap();
        for line in [
            " web-1  R<    -10  r1/u1  32c 256G    301/300  22°C  demo   capped at 300 W because r1/pdu-b carries 104 % of its rating",
            " web-2  T<    -10  r1/u1  32c 256G         12  22°C  demo   stopped because r1/pdu-b carries 104 % of its rating",
            LEGEND,
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\n{text}");
        }
    }
}
