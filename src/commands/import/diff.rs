//! What an import changes, line by line.

use rack::intent::{IntendedBox, Intent};
use serde_json::{Map, Value};

/// Changes of a rack: `+ u3 …`, `- u4`, `~ u5 serial: A → B`. Empty when both say the same.
pub fn lines(before: Option<&Intent>, after: &Intent) -> Vec<String> {
    let mut out = Vec::new();
    let old = before.map(|i| i.boxes.as_slice()).unwrap_or_default();
    if before.is_some_and(|b| b.units != after.units) {
        out.push("~ units of the rack".to_owned());
    }
    for b in old.iter().filter(|b| after.at(b.slot.as_str()).is_none()) {
        out.push(format!("- {} {}", b.slot, title(b)));
    }
    for b in &after.boxes {
        match old.iter().find(|o| o.slot == b.slot) {
            None => out.push(format!("+ {} {}", b.slot, title(b))),
            Some(o) => out.extend(fields(o, b).into_iter().map(|f| format!("~ {} {f}", b.slot))),
        }
    }
    out
}

fn title(b: &IntendedBox) -> String {
    let serial = b.serial.as_ref().map(|s| format!("serial {s}"));
    let words = [
        Some(b.kind.as_str().to_owned()),
        b.maker.clone(),
        b.model.clone(),
        serial,
    ];
    words.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn fields(old: &IntendedBox, new: &IntendedBox) -> Vec<String> {
    let map = |b: &IntendedBox| match serde_json::to_value(b) {
        Ok(Value::Object(map)) => map,
        _ => Map::new(),
    };
    let (old, new) = (map(old), map(new));
    let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
    names.sort();
    names.dedup();
    let short = |v: Option<&Value>| match v {
        None => "—".to_owned(),
        Some(Value::String(s)) => s.clone(),
        Some(v) => v.to_string().chars().take(120).collect(),
    };
    let changed = names.into_iter().filter(|n| old.get(*n) != new.get(*n));
    changed
        .map(|n| format!("{n}: {} → {}", short(old.get(n)), short(new.get(n))))
        .collect()
}
