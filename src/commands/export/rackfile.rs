//! The rack file that `busbar up --rack` reads: one `[[bmc]]` for each service.

use std::collections::BTreeMap;

use rack::intent::Intent;
use rack::request::NodeView;
use toml::{Table, Value};

/// The file's text.
pub fn text(intent: &Intent, nodes: Vec<NodeView>) -> String {
    /// A slot, who stands there, and what feeds it.
    type Line = (String, Option<String>, Vec<String>);
    let mut services: BTreeMap<String, Vec<Line>> = BTreeMap::new();
    let own = format!("{}/", intent.rack);
    let mut credentials: BTreeMap<String, String> = BTreeMap::new();
    for n in &nodes {
        credentials.insert(n.node.bmc.url.clone(), n.node.bmc.credential.to_string());
    }
    for b in &intent.boxes {
        let Some(bmc) = &b.bmc else { continue };
        let node = nodes.iter().find(|n| n.node.place == intent.place(b));
        let identity = node.and_then(|n| n.node.identity.uuid.clone().or_else(|| n.node.identity.serial.clone()));
        let outlet = |o: &rack::node::OutletRef| {
            format!(
                "{}/{}",
                o.pdu.as_str().strip_prefix(&own).unwrap_or(o.pdu.as_str()),
                o.outlet
            )
        };
        let outlets = b.outlets.iter().map(outlet).collect();
        services
            .entry(bmc.clone())
            .or_default()
            .push((b.slot.to_string(), identity, outlets));
    }
    let mut bmcs = Vec::new();
    for (url, boxes) in services {
        let mut line = Table::new();
        line.insert("address".into(), Value::String(url.clone()));
        if let Some(credential) = credentials.get(&url).filter(|c| *c != "default") {
            line.insert("credential".into(), Value::String(credential.clone()));
        }
        if let [(slot, _, outlets)] = boxes.as_slice() {
            line.insert("slot".into(), Value::String(slot.clone()));
            if !outlets.is_empty() {
                line.insert(
                    "outlets".into(),
                    Value::Array(outlets.iter().cloned().map(Value::String).collect()),
                );
            }
        } else {
            let slots = boxes
                .iter()
                .filter_map(|(slot, id, _)| Some((id.clone()?, Value::String(slot.clone()))));
            line.insert("slots".into(), Value::Table(slots.collect()));
        }
        bmcs.push(Value::Table(line));
    }
    let mut rack = Table::new();
    rack.insert("name".into(), Value::String(intent.rack.to_string()));
    let mut file = Table::new();
    file.insert("rack".into(), Value::Table(rack));
    file.insert("bmc".into(), Value::Array(bmcs));
    toml::to_string_pretty(&file).unwrap_or_default()
}
