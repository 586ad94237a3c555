//! Watts, temperatures and fans out of three power models: old `Power` and `Thermal`, new `PowerSubsystem` and
//! `ThermalSubsystem`, and services with nothing but `EnvironmentMetrics` and `Sensors`.
//!
//! One rule above all: zero or null watts is "no reading", never zero (HARDWARE: zero or null from a running box).

use std::sync::PoisonError;

use rack::node::BmcAddress;
use rack::{Reading, Time, Unit};
use serde_json::Value;

use crate::error::Error;
use crate::found::{Raw, reading};
use crate::redfish::Redfish;
use crate::redfish::crawl::{Crawl, Resource};
use crate::redfish::device::positive;
use crate::redfish::json::{last, link, list, number, text};
use crate::redfish::part::absent;

/// Most power that one box is believed to draw; a reading above is a sensor's mistake.
const MOST_WATTS: f64 = 1_000_000.0;
/// A temperature whose place says intake but whose name does not: the inlet when nothing is named so.
const INTAKE: &str = "intake";
/// Readings kept of one box.
const MOST: usize = 128;

impl Redfish {
    /// Watts, inlet, CPU temperatures and fans. There is always one named `watts`; without a value when the box does
    /// not tell. `now` is the time that the readings carry.
    pub async fn readings(&self, at: &BmcAddress, now: Time) -> Result<Vec<Reading>, Error> {
        let Some(path) = at.chassis.as_deref() else {
            return Ok(vec![reading(("watts".into(), None, Unit::Watts), now)]);
        };
        let root = self.root().await?;
        let doc = self.client.get(path).await?.body;
        let crawl = Crawl::new(&self.client, &root);
        let known = self
            .sensors
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(path)
            .cloned();
        let mut plan = known.unwrap_or_default();
        let raw = chassis_by(&crawl, path, &doc, Some(&at.system), &mut plan).await;
        self.sensors
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(path.to_owned(), plan);
        Ok(raw.into_iter().map(|r| reading(r, now)).collect())
    }
}

/// Sensors that were of use at the last reading: where a service must be asked for each of them, only these are asked
/// for, until one of them fails. Empty when nothing is known yet.
pub type Plan = Vec<String>;

/// Most sensors that are remembered of one chassis.
const PLANNED: usize = 64;

/// All readings of a chassis; `system` tells its own entry where one chassis has entries for several.
pub async fn chassis(crawl: &Crawl<'_>, path: &str, doc: &Value, system: Option<&str>) -> Vec<Raw> {
    chassis_by(crawl, path, doc, system, &mut Plan::new()).await
}

/// The sensors of a chassis: those of the plan, else all, which then make the plan.
async fn planned(crawl: &Crawl<'_>, doc: &Value, plan: &mut Plan) -> Vec<Resource> {
    if !plan.is_empty() && !crawl.expands() {
        let links: Vec<Value> = plan.iter().map(|p| Value::String(p.clone())).collect();
        let sensors = crawl.all(&links).await;
        if sensors.len() == plan.len() {
            return sensors;
        }
        plan.clear();
    }
    let sensors = crawl.members(doc, "Sensors").await;
    let supply_inputs = rectifiers(&sensors).is_some();
    let of_use = |(path, s): &&Resource| {
        total(s).is_some()
            || sensor(path, s).is_some()
            || (supply_inputs && s["PhysicalSubContext"].as_str() == Some("Input"))
    };
    *plan = sensors
        .iter()
        .filter(of_use)
        .map(|(p, _)| p.clone())
        .take(PLANNED)
        .collect();
    sensors
}

async fn chassis_by(crawl: &Crawl<'_>, path: &str, doc: &Value, system: Option<&str>, plan: &mut Plan) -> Vec<Raw> {
    let power = crawl.follow(doc, "Power").await.map(|p| p.1);
    let thermal = crawl.follow(doc, "Thermal").await.map(|t| t.1);
    let mut watts = power.as_deref().and_then(|p| control(p, system));
    if watts.is_none()
        && let Some((_, metrics)) = crawl.follow(doc, "EnvironmentMetrics").await
    {
        watts = sane(positive(&metrics["PowerWatts"]));
    }
    let mut supplies = Vec::new();
    if watts.is_none() {
        supplies.extend(
            power
                .as_deref()
                .map(|p| list(&p["PowerSupplies"]))
                .unwrap_or_default()
                .iter()
                .map(input),
        );
    }
    if watts.is_none()
        && supplies.iter().all(Option::is_none)
        && let Some((_, subsystem)) = crawl.follow(doc, "PowerSubsystem").await
    {
        for (_, supply) in crawl.members(&subsystem, "PowerSupplies").await {
            if let Some((_, metrics)) = crawl.follow(&supply, "Metrics").await {
                supplies.push(sane(
                    positive(&metrics["InputPowerWatts"]).or_else(|| positive(&metrics["OutputPowerWatts"])),
                ));
            }
        }
    }
    let mut out: Vec<Raw> = thermal.as_deref().map(old_thermal).unwrap_or_default();
    let needs_sensors = (watts.is_none() && supplies.iter().all(Option::is_none)) || out.is_empty();
    if needs_sensors {
        let sensors = planned(crawl, doc, plan).await;
        if watts.is_none() {
            watts = sensors
                .iter()
                .find_map(|(_, s)| total(s))
                .or_else(|| sane(rectifiers(&sensors)));
        }
        if out.is_empty() {
            out = sensors.iter().filter_map(|(p, s)| sensor(p, s)).collect();
        }
    }
    // Supplies sum up to the box only when each of them told.
    let sum = || {
        supplies
            .iter()
            .copied()
            .collect::<Option<Vec<f64>>>()
            .filter(|v| !v.is_empty())
            .map(|v| v.iter().sum())
    };
    let watts = watts.or_else(|| sane(sum()));
    tracing::debug!(path, ?watts, readings = out.len(), "readings");
    out.insert(0, ("watts".into(), watts, Unit::Watts));
    if !out.iter().any(|r| r.0 == "inlet")
        && let Some(intake) = out.iter_mut().find(|r| r.0 == INTAKE)
    {
        intake.0 = "inlet".into();
    }
    out.retain(|r| r.0 != INTAKE);
    out.truncate(MOST);
    tell_apart(&mut out);
    out
}

fn sane(watts: Option<f64>) -> Option<f64> {
    watts.filter(|w| *w > 0.0 && *w < MOST_WATTS)
}

/// `PowerControl`: the entry of the system, else the only one or the first for a whole box. The parts of a box
/// (processors, memory) have entries of their own on some.
fn control(power: &Value, system: Option<&str>) -> Option<f64> {
    let entries = list(&power["PowerControl"]);
    let mine = entries.iter().find(|e| {
        entries.len() > 1
            && list(&e["RelatedItem"])
                .iter()
                .filter_map(link)
                .any(|l| Some(l.as_str()) == system)
    });
    let part = |e: &&Value| {
        let name = text(&e["Name"]).unwrap_or_default().to_ascii_lowercase();
        !["cpu", "memory", "gpu", "fan", "accelerator"]
            .iter()
            .any(|w| name.contains(w))
    };
    let entry = mine.or_else(|| entries.iter().find(part))?;
    sane(number(&entry["PowerConsumedWatts"]))
}

fn input(supply: &Value) -> Option<f64> {
    if absent(supply) {
        return Some(0.0);
    }
    let names = ["PowerInputWatts", "PowerOutputWatts", "LastPowerOutputWatts"];
    names.iter().find_map(|n| sane(number(&supply[*n])))
}

/// What all rectifiers or supplies draw: the sum of their input sensors, when each of them tells.
fn rectifiers(sensors: &[Resource]) -> Option<f64> {
    let mine = |(_, s): &&Resource| {
        let supply = matches!(
            s["PhysicalContext"].as_str(),
            Some("Rectifier" | "PowerSupply" | "PowerSupplyBay")
        );
        let input = s["PhysicalSubContext"].as_str() == Some("Input");
        supply && input && s["ReadingType"].as_str() == Some("Power") && !absent(s)
    };
    let inputs: Vec<Option<f64>> = sensors
        .iter()
        .filter(mine)
        .map(|(_, s)| number(&s["Reading"]))
        .collect();
    let all: Option<Vec<f64>> = inputs.into_iter().collect();
    all.filter(|v| !v.is_empty()).map(|v| v.iter().sum())
}

/// A `Sensor` for the power of the whole box.
fn total(doc: &Value) -> Option<f64> {
    let watts =
        doc["ReadingType"].as_str() == Some("Power") || matches!(doc["ReadingUnits"].as_str(), Some("W" | "Watts"));
    let name = text(&doc["Name"])
        .or_else(|| text(&doc["Id"]))
        .unwrap_or_default()
        .to_ascii_lowercase();
    let whole = ["total", "chassis power", "system power", "node power", "input power"]
        .iter()
        .any(|w| name.contains(w))
        && !["gpu", "cpu", "fan", "mem", "psu", "ps1", "ps2"]
            .iter()
            .any(|w| name.contains(w));
    let whole = whole || ["node", "chassis", "system"].contains(&name.as_str());
    (watts && whole && !absent(doc)).then(|| sane(number(&doc["Reading"])))?
}

/// `Thermal`: temperatures and fans in one document.
fn old_thermal(thermal: &Value) -> Vec<Raw> {
    let mut out = Vec::new();
    for t in list(&thermal["Temperatures"]).iter().filter(|t| !absent(t)) {
        let name = text(&t["Name"]).unwrap_or_default();
        out.extend(temperature(&name, &t["PhysicalContext"], number(&t["ReadingCelsius"])));
    }
    for (n, f) in list(&thermal["Fans"]).iter().enumerate().filter(|(_, f)| !absent(f)) {
        let value = number(&f["Reading"]).or_else(|| number(&f["ReadingRPM"]));
        let percent = f["ReadingUnits"].as_str() == Some("Percent");
        out.push((
            format!("fan{}", n + 1),
            value.filter(|v| *v >= 0.0),
            if percent { Unit::Percent } else { Unit::Rpm },
        ));
    }
    out
}

fn sensor(path: &str, doc: &Value) -> Option<Raw> {
    if absent(doc) {
        return None;
    }
    let name = text(&doc["Name"]).unwrap_or_else(|| last(path).to_owned());
    let value = number(&doc["Reading"]);
    match (doc["ReadingType"].as_str(), doc["ReadingUnits"].as_str()) {
        (Some("Temperature"), _) | (None, Some("Cel")) => temperature(&name, &doc["PhysicalContext"], value),
        (Some("Rotational"), _) | (None, Some("RPM")) => Some((slug(&name), value, Unit::Rpm)),
        _ => None,
    }
}

/// The two temperatures that anything is decided by; a box has up to two hundred others.
fn temperature(name: &str, context: &Value, value: Option<f64>) -> Option<Raw> {
    let lower = name.to_ascii_lowercase();
    // A running processor at exactly 0 °C, or past 200: no sensor there.
    let value = value.filter(|v| *v > -50.0 && *v < 200.0 && *v != 0.0);
    let margin = ["margin", "delta", "tjmax", "limit"].iter().any(|w| lower.contains(w));
    if margin {
        return None;
    }
    if context.as_str() == Some("VoltageRegulator") {
        return None;
    }
    let named = ["inlet", "ambient", "intake"].iter().any(|w| lower.contains(w));
    let box_wide = matches!(
        context.as_str(),
        None | Some("Room" | "SystemBoard" | "Chassis" | "Intake" | "Ambient")
    );
    if named && box_wide {
        return Some(("inlet".into(), value, Unit::Celsius));
    }
    let cpu = matches!(context.as_str(), Some("CPU" | "CPUSubsystem")) || lower.contains("cpu");
    let other = ["dimm", "mem", "vr", "gpu", "dts"].iter().any(|w| lower.contains(w));
    // Some firmware says `Intake` of every sensor: a name that says what it is counts more.
    let elsewhere = cpu
        || other
        || ["outlet", "exhaust", "psu", "hdd", "nvme", "m2"]
            .iter()
            .any(|w| lower.contains(w));
    if let (Some("Intake" | "Ambient"), false) = (context.as_str(), elsewhere) {
        return Some((INTAKE.into(), value, Unit::Celsius));
    }
    (cpu && !other).then(|| (slug(name), value, Unit::Celsius))
}

/// A name as it can stand in a path: `CPU 1 Temp` is `cpu1`.
fn slug(name: &str) -> String {
    let lower = name.to_ascii_lowercase().replace("temperature", "").replace("temp", "");
    lower.chars().filter(char::is_ascii_alphanumeric).take(40).collect()
}

fn tell_apart(out: &mut [Raw]) {
    let mut seen = std::collections::HashSet::new();
    for r in out {
        let base = if r.0.is_empty() {
            "sensor".to_owned()
        } else {
            r.0.clone()
        };
        r.0.clone_from(&base);
        let mut n = 2;
        while !seen.insert(r.0.clone()) {
            r.0 = format!("{base}.{n}");
            n += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn zero_watts_is_no_reading() {
        for odd in [json!(0), json!(null), json!("0"), json!(-3), json!(1e9)] {
            assert_eq!(
                control(&json!({"PowerControl": [{"PowerConsumedWatts": odd}]}), None),
                None
            );
        }
        assert_eq!(
            control(&json!({"PowerControl": [{"PowerConsumedWatts": "614"}]}), None),
            Some(614.0)
        );
    }

    #[test]
    fn a_name_counts_more_than_a_context_that_is_said_of_everything() {
        let at = |name: &str| temperature(name, &json!("Intake"), Some(40.0)).map(|r| r.0);
        assert_eq!(at("CPU0_TEMP").as_deref(), Some("cpu0"));
        assert_eq!(at("DIMM_P0_A0"), None);
        assert_eq!(at("MB_TEMP1").as_deref(), Some(INTAKE));
        assert_eq!(at("INLET_TEMP").as_deref(), Some("inlet"));
    }

    #[test]
    fn a_blade_gets_its_own_watts_and_a_box_not_its_processors() {
        let power = json!({"PowerControl": [
            {"Name": "CPU Sub-system Power", "PowerConsumedWatts": 99},
            {"Name": "a", "PowerConsumedWatts": 100, "RelatedItem": [{"@odata.id": "/redfish/v1/Systems/1"}]},
            {"Name": "b", "PowerConsumedWatts": 200, "RelatedItem": [{"@odata.id": "/redfish/v1/Systems/2"}]},
        ]});
        assert_eq!(control(&power, Some("/redfish/v1/Systems/2")), Some(200.0));
        assert_eq!(control(&power, None), Some(100.0));
    }
}
