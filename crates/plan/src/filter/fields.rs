//! What can be asked of nodes and other boxes.

use rack::request::{DeviceView, NodeView};
use rack::{PartKind, Reading, Tenancy};

use super::{Expr, Field, How, Mistake, flag, number, size};
use crate::{adopt, fsck};

/// What kind of value a field has, to refuse a comparison that can never hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Size,
    Flag,
}

/// Every field with a name of its own. Readings (`watts`, `inlet`, `psu1`), `firmware.NAME` and `PART.health`,
/// `PART.model`, `PART.serial`, `PART.firmware` come on top.
const FIELDS: &[(&str, Kind)] = &[
    ("place", Kind::Text),
    ("rack", Kind::Text),
    ("slot", Kind::Text),
    ("kind", Kind::Text),
    ("state", Kind::Text),
    ("power", Kind::Text),
    ("health", Kind::Text),
    ("maker", Kind::Text),
    ("model", Kind::Text),
    ("serial", Kind::Text),
    ("uuid", Kind::Text),
    ("bios", Kind::Text),
    ("bmc", Kind::Text),
    ("holder", Kind::Text),
    ("cordoned", Kind::Text),
    ("armed", Kind::Flag),
    ("silent", Kind::Flag),
    ("cores", Kind::Number),
    ("processors", Kind::Number),
    ("memory", Kind::Size),
    ("drives", Kind::Number),
    ("storage", Kind::Size),
    ("gpu", Kind::Number),
    ("gpus", Kind::Number),
    ("gpu.model", Kind::Text),
    ("nics", Kind::Number),
    ("mac", Kind::Text),
    ("parts", Kind::Number),
    ("outlets", Kind::Number),
    ("watts", Kind::Number),
];

/// Why an expression can hold for no box, whatever the boxes are: an unknown field, or a value of the wrong kind.
/// `others` are fields that only these boxes have, readings and parts.
///
/// # Errors
/// Names the column and the nearest field.
pub fn check(expr: &Expr, others: &[String]) -> Result<(), Mistake> {
    for (field, column, compared) in expr.fields() {
        let wrong = |what: String| Mistake { column, what };
        let known = FIELDS.iter().find(|(name, _)| *name == field);
        if known.is_none() && !field.starts_with("firmware.") && !others.iter().any(|o| o == field) {
            let names = FIELDS
                .iter()
                .map(|(name, _)| *name)
                .chain(others.iter().map(String::as_str));
            let near = crate::near::nearest(field, names);
            let hint = near.map_or_else(String::new, |n| format!("; did you mean `{n}`?"));
            return Err(wrong(format!("there is no field `{field}`{hint}")));
        }
        let (Some((_, kind)), Some((how, value))) = (known, compared) else {
            continue;
        };
        let fits = match kind {
            Kind::Text => true,
            _ if matches!(how, How::Holds | How::Lacks) => *kind == Kind::Number,
            Kind::Number => number(value).is_some(),
            Kind::Size => size(value).is_some(),
            Kind::Flag => flag(&value.to_ascii_lowercase()).is_some(),
        };
        if !fits {
            let like = match kind {
                Kind::Size => "a size: 256G",
                Kind::Flag => "yes or no",
                _ => "a number",
            };
            return Err(wrong(format!("`{field}` is compared with {like}, not with `{value}`")));
        }
    }
    Ok(())
}

/// Names of fields that only this node has.
pub fn others_of(v: &NodeView) -> Vec<String> {
    let readings = v.live.readings.iter().map(|r| r.name.to_ascii_lowercase());
    let parts = v.node.parts.iter().flat_map(|p| {
        let id = p.id.to_ascii_lowercase();
        ["health", "model", "maker", "serial", "firmware"].map(|f| format!("{id}.{f}"))
    });
    readings.chain(parts).collect()
}

fn text(t: &Option<String>) -> Option<Field> {
    t.clone().map(Field::Text)
}

fn word(value: impl serde::Serialize) -> Option<Field> {
    serde_json::to_value(value)
        .ok()?
        .as_str()
        .map(|s| Field::Text(s.to_owned()))
}

fn count(n: impl Into<u64>) -> Option<Field> {
    Some(Field::Number(n.into() as f64))
}

fn reading(readings: &[Reading], name: &str) -> Option<Field> {
    let found = readings.iter().find(|r| r.name.eq_ignore_ascii_case(name))?;
    found.value.map(Field::Number)
}

/// In one word, what can be done with a node.
pub fn state(v: &NodeView) -> &'static str {
    match &v.node {
        _ if v.live.silent.is_some() => "silent",
        n if n.holder.is_some() => "held",
        n if n.cordoned.is_some() => "cordoned",
        n if !n.armed => "unarmed",
        n if matches!(n.tenancy, Tenancy::Used { .. }) => "unwiped",
        _ => "free",
    }
}

/// A node's field.
pub fn node(v: &NodeView, name: &str) -> Option<Field> {
    let n = &v.node;
    let bill = adopt::bill(n);
    match name {
        "place" => Some(Field::Text(n.place.to_string())),
        "rack" => Some(Field::Text(n.place.rack().to_owned())),
        "slot" => n.place.slot().map(|s| Field::Text(s.to_owned())),
        "kind" => Some(Field::Text("node".into())),
        "state" => Some(Field::Text(state(v).into())),
        "power" => v.live.power.and_then(word),
        "health" => word(n.health),
        "maker" => text(&n.identity.maker),
        "model" => text(&n.identity.model),
        "serial" => text(&n.identity.serial),
        "uuid" => text(&n.identity.uuid),
        "bios" => text(&n.identity.bios),
        "bmc" => Some(Field::Text(n.bmc.url.clone())),
        "holder" => n.holder.as_ref().map(|h| Field::Text(h.to_string())),
        "cordoned" => text(&n.cordoned),
        "armed" => Some(Field::Flag(n.armed)),
        "silent" => Some(Field::Flag(v.live.silent.is_some())),
        "cores" => count(n.cores()),
        "processors" => count(bill.processors.unwrap_or(0)),
        "memory" => Some(Field::Size(n.memory().0)),
        "drives" => count(bill.drives.unwrap_or(0)),
        "storage" => Some(Field::Size(bill.storage.unwrap_or_default().0)),
        "gpu" | "gpus" => count(n.gpus()),
        "gpu.model" => {
            let gpus = n.parts.iter().filter(|p| matches!(p.kind, PartKind::Gpu { .. }));
            Some(Field::Many(gpus.filter_map(|p| text(&p.model)).collect()))
        }
        "nics" => count(bill.nics.unwrap_or(0)),
        "mac" => Some(Field::Many(n.macs().map(|m| Field::Text(m.to_string())).collect())),
        "parts" => count(n.parts.len() as u64),
        "outlets" => count(n.outlets.len() as u64),
        other => reading(&v.live.readings, other).or_else(|| of_part(v, other)),
    }
}

fn of_part(v: &NodeView, name: &str) -> Option<Field> {
    if let Some(wish) = name.strip_prefix("firmware.") {
        let all: Vec<Field> = fsck::versions(&v.node, wish)
            .into_iter()
            .filter_map(|(_, version)| version.map(|v| Field::Text(v.to_owned())))
            .collect();
        return (!all.is_empty()).then_some(Field::Many(all));
    }
    let (id, what) = name.rsplit_once('.')?;
    let part = v.node.parts.iter().find(|p| p.id.eq_ignore_ascii_case(id))?;
    match what {
        "health" => word(part.health),
        "model" => text(&part.model),
        "maker" => text(&part.maker),
        "serial" => text(&part.serial),
        "firmware" => text(&part.firmware),
        _ => None,
    }
}

/// Another box's field.
pub fn device(d: &DeviceView, name: &str) -> Option<Field> {
    match name {
        "place" => Some(Field::Text(d.place.to_string())),
        "rack" => Some(Field::Text(d.place.rack().to_owned())),
        "slot" => d.place.slot().map(|s| Field::Text(s.to_owned())),
        "kind" => Some(Field::Text(d.kind.clone())),
        "health" => word(d.health),
        "maker" => text(&d.maker),
        "model" => text(&d.model),
        "serial" => text(&d.serial),
        "bmc" => Some(Field::Text(d.url.clone())),
        "outlets" => count(d.outlets.len() as u64),
        other if other.starts_with("firmware.") => text(&d.firmware),
        other => reading(&d.readings, other),
    }
}
