//! Power limits: of the whole server in both dialects (`Power` and `EnvironmentMetrics`), and of each accelerator.

use serde_json::{Value, json};

use super::act::{unknown, wrong};
use super::{Answer, document, missing, plain, round};
use crate::emulated::{Bmc, Emulated, View};
use crate::layout::ServerSpec;
use crate::physics::Quantity;

/// What a limit may be, in watts.
pub(super) type Range = (f64, f64);

/// The least cap at the wall that can always be held, and the most that is ever drawn, in whole watts.
pub(super) fn whole(spec: &ServerSpec) -> Range {
    let (least, most) = spec.kind.wall();
    (least.ceil(), most.ceil())
}

/// A limit as an excerpt of `Control`.
pub(super) fn limit(set: Option<f64>, range: Range) -> Value {
    json!({
        "SetPoint": set.unwrap_or(range.1), "AllowableMin": range.0, "AllowableMax": range.1,
        "ControlMode": if set.is_some() { "Automatic" } else { "Disabled" },
    })
}

pub(super) fn gpu(rack: &Emulated, i: usize, view: &View, n: usize) -> Value {
    let cap = view.physics.gpu_caps.get(n).copied().flatten();
    let server = &rack.servers[i];
    let sense = |what| rack.sense(server.body, what);
    let (watts, celsius) = (sense(Quantity::GpuWatts(n as u8)), sense(Quantity::GpuCelsius(n as u8)));
    json!({
        "@odata.type": "#EnvironmentMetrics.v1_3_0.EnvironmentMetrics",
        "Id": "EnvironmentMetrics", "Name": "Environment Metrics",
        "PowerWatts": {"Reading": watts.map(round)}, "TemperatureCelsius": {"Reading": celsius.map(round)},
        "PowerLimitWatts": limit(cap, server.spec.kind.gpu.caps),
    })
}

pub(super) fn patch(rack: &Emulated, i: usize, path: &str, segments: &[&str], body: &Value) -> Answer {
    let bmc = Bmc::Server(i);
    if document(rack, bmc, path).is_none() {
        return Err(missing(path));
    }
    let map = body.as_object().cloned().unwrap_or_default();
    let accelerator = match segments {
        ["Systems", _, "Processors", id, _] => id.strip_prefix("GPU").and_then(|n| n.parse::<usize>().ok()),
        _ => None,
    };
    let spec = &rack.servers[i].spec;
    let range = accelerator.map_or_else(|| whole(spec), |_| spec.kind.gpu.caps);
    let physics = rack.view(i).physics;
    let now = match accelerator {
        Some(n) => physics.gpu_caps.get(n).copied().flatten(),
        None => physics.cap,
    };
    let key = if segments.last() == Some(&"Power") {
        "PowerControl"
    } else {
        "PowerLimitWatts"
    };
    if let Some(other) = map.keys().find(|k| *k != key && !k.starts_with('@')) {
        return Err(unknown(other));
    }
    let wanted = &body[key];
    let new = match key {
        "PowerControl" => {
            let watts = &wanted[0]["PowerLimit"]["LimitInWatts"];
            let there = wanted[0]["PowerLimit"].get("LimitInWatts").is_some();
            number(watts, range, there).ok_or_else(|| wrong("LimitInWatts", watts))?
        }
        _ => environment(wanted, now, range)?,
    };
    let of = rack.servers[i].body;
    rack.physics(|b| match accelerator {
        Some(n) => b.plant.set_gpu_cap(of, n, new),
        None => b.plant.set_cap(of, new),
    });
    let text = "One or more resource properties have changed.";
    let kind = "ResourceEvent.1.3.ResourceChanged";
    rack.servers[i].core.emit((rack.config.clock)(), kind, text, path);
    Ok(plain(&document(rack, bmc, path).unwrap_or_default()))
}

/// `None` when it is not a limit; null lifts it.
fn number(value: &Value, range: Range, there: bool) -> Option<Option<f64>> {
    match value {
        Value::Null if there => Some(None),
        _ => value.as_f64().filter(|w| (range.0..=range.1).contains(w)).map(Some),
    }
}

/// A set point alone is meant to be held; a mode alone switches the one that is set.
fn environment(wanted: &Value, now: Option<f64>, range: Range) -> Result<Option<f64>, axum::response::Response> {
    let map = wanted.as_object().filter(|m| !m.is_empty());
    let map = map.ok_or_else(|| wrong("PowerLimitWatts", wanted))?;
    let mut new = now;
    if let Some(set) = map.get("SetPoint") {
        new = number(set, range, true).ok_or_else(|| wrong("SetPoint", set))?;
    }
    match map.get("ControlMode").map(|m| (m, m.as_str())) {
        None => {}
        Some((_, Some("Disabled"))) => new = None,
        Some((_, Some("Automatic"))) => new = new.or(Some(range.1)),
        Some((mode, _)) => return Err(wrong("ControlMode", mode)),
    }
    match map.keys().find(|k| !matches!(k.as_str(), "SetPoint" | "ControlMode")) {
        Some(other) => Err(unknown(other)),
        None => Ok(new),
    }
}
