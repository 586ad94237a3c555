//! Watts, temperatures and fans out of three power models: old `Power` and `Thermal`, new `PowerSubsystem` and
//! `ThermalSubsystem`, and services with nothing but `EnvironmentMetrics` and `Sensors`.
//!
//! One rule above all: zero or null watts is "no reading", never zero (HARDWARE: zero or null from a running box).

use std::sync::{Arc, PoisonError};

use rack::node::BmcAddress;
use rack::{Reading, Time, Unit};
use serde_json::Value;

use crate::error::Error;
use crate::found::{Raw, reading};
use crate::redfish::crawl::{Crawl, Resource};
use crate::redfish::device::positive;
use crate::redfish::json::{at, last, link, list, number, text};
use crate::redfish::part::absent;
use crate::redfish::{Redfish, sources};

/// Most power that one box is believed to draw; a reading above is a sensor's mistake.
const MOST_WATTS: f64 = 1_000_000.0;
/// Sixteen bits, all set: what is left in a register that was never written.
const UNREAD: f64 = 65_535.0;
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
        let key = format!("{path} {}", at.system);
        let root = self.root().await?;
        let crawl = Crawl::new(&self.client, &root);
        let known = self
            .sensors
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&key)
            .cloned();
        let raw = match known {
            Some(plan) => sources::by_plan(&crawl, plan, Some(&at.system)).await,
            None => None,
        };
        let (raw, plan) = match raw {
            Some(by_plan) => by_plan,
            None => {
                // What a plan asks for in vain is looked for anew, and a box that answers nothing must say so.
                let doc = self.client.get(path).await?.body;
                let crawl = Crawl::new(&self.client, &root);
                sources::look(&crawl, path, &doc, Some(&at.system)).await
            }
        };
        self.sensors
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key, plan);
        Ok(raw.into_iter().map(|r| reading(r, now)).collect())
    }
}

/// All readings of a chassis; `system` tells its own entry where one chassis has entries for several.
pub async fn chassis(crawl: &Crawl<'_>, path: &str, doc: &Value, system: Option<&str>) -> Vec<Raw> {
    sources::look(crawl, path, doc, system).await.0
}

/// Everything that a chassis told, before it is made sense of.
#[derive(Default)]
pub(crate) struct Told {
    pub power: Option<Arc<Value>>,
    pub thermal: Option<Arc<Value>>,
    pub metrics: Option<Arc<Value>>,
    /// Metrics of each supply that is there; none for one that has none.
    pub supplies: Vec<Option<Arc<Value>>>,
    pub sensors: Vec<Resource>,
    /// Whether other machines stand in the chassis: what is of all of them is of none.
    pub shared: bool,
}

/// Where watts come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    Control,
    Metrics,
    OldSupplies,
    Supplies,
    Sensors,
}

impl Told {
    /// The watts, and where they come from: the box's own figure, else the sum of its supplies, else a sensor for the whole.
    pub fn watts(&self, system: Option<&str>) -> Option<(f64, From)> {
        let power = self.power.as_deref();
        if let Some(watts) = power.and_then(|p| control(p, system, self.shared)) {
            return Some((watts, From::Control));
        }
        if self.shared {
            return None;
        }
        let metrics = self.metrics.as_deref();
        if let Some(watts) = sane(metrics.and_then(|m| positive(&m["PowerWatts"]))) {
            return Some((watts, From::Metrics));
        }
        let old: Vec<Option<f64>> = power
            .map(|p| list(&p["PowerSupplies"]))
            .unwrap_or_default()
            .iter()
            .map(input)
            .collect();
        if let Some(watts) = sane(sum(&old)) {
            return Some((watts, From::OldSupplies));
        }
        let new: Vec<Option<f64>> = self.supplies.iter().map(|m| m.as_deref().and_then(metered)).collect();
        if let Some(watts) = sane(sum(&new)) {
            return Some((watts, From::Supplies));
        }
        let whole = self.sensors.iter().find_map(|(_, s)| total(s));
        let watts = whole.or_else(|| sane(rectifiers(&self.sensors)))?;
        Some((watts, From::Sensors))
    }

    /// Temperatures and fans: of the old model, else of the sensors.
    pub fn climate(&self) -> Vec<Raw> {
        let old: Vec<Raw> = self.thermal.as_deref().map(old_thermal).unwrap_or_default();
        if old.is_empty() {
            self.sensors.iter().filter_map(|(p, s)| sensor(p, s)).collect()
        } else {
            old
        }
    }

    /// Readings as they are shown, the watts first.
    pub fn readings(&self, path: &str, system: Option<&str>) -> Vec<Raw> {
        let watts = self.watts(system).map(|w| w.0);
        let mut out = self.climate();
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
}

/// Supplies sum up to the box only when each of them told.
fn sum(supplies: &[Option<f64>]) -> Option<f64> {
    let all: Option<Vec<f64>> = supplies.iter().copied().collect();
    all.filter(|v| !v.is_empty()).map(|v| v.iter().sum())
}

/// What a supply draws, as its metrics say.
fn metered(metrics: &Value) -> Option<f64> {
    sane(positive(&metrics["InputPowerWatts"]).or_else(|| positive(&metrics["OutputPowerWatts"])))
}

/// Whether a sensor is worth asking for again: for the watts, and for temperatures and fans where those come from sensors.
pub(crate) fn of_use(path: &str, doc: &Value, rectified: bool, climate: bool) -> bool {
    (rectified && is_rectifier(doc)) || total(doc).is_some() || (climate && sensor(path, doc).is_some())
}

fn sane(watts: Option<f64>) -> Option<f64> {
    watts.filter(|w| *w > 0.0 && *w < MOST_WATTS && *w != UNREAD)
}

/// `PowerControl`: the entry of the system, else the one for the whole box, unless other boxes share it. The parts of a
/// box (processors, memory) have entries of their own on some. An entry that is switched off measures nothing.
fn control(power: &Value, system: Option<&str>, shared: bool) -> Option<f64> {
    let entries: Vec<&Value> = list(&power["PowerControl"]).iter().filter(|e| measures(e)).collect();
    let mine = |e: &&&Value| {
        list(&e["RelatedItem"])
            .iter()
            .filter_map(link)
            .any(|l| Some(l.as_str()) == system)
    };
    let name = |e: &Value| text(&e["Name"]).unwrap_or_default().to_ascii_lowercase();
    let part = |e: &Value| {
        [
            "cpu",
            "memory",
            "gpu",
            "fan",
            "accelerator",
            "processor",
            "dimm",
            "drive",
            "hdd",
            "pcie",
        ]
        .iter()
        .any(|w| name(e).contains(w))
    };
    let told = |e: &&Value| sane(number(&e["PowerConsumedWatts"]));
    if entries.len() > 1 || shared {
        let of_system = entries.iter().filter(|e| !part(e)).find(mine);
        if let Some(watts) = of_system.and_then(told) {
            return Some(watts);
        }
    }
    if shared {
        return None;
    }
    let whole: Vec<&Value> = entries.into_iter().filter(|e| !part(e)).collect();
    let total = whole.iter().find(|e| name(e).contains("total"));
    told(total.or(whole.first())?)
}

/// Whether a sensor or a meter is at work: it may complain, but what is absent or switched off reads nothing.
fn measures(doc: &Value) -> bool {
    !matches!(
        at(doc, "Status/State").as_str(),
        Some("Absent" | "Disabled" | "UnavailableOffline")
    )
}

/// What a supply draws, in the old model.
fn input(supply: &Value) -> Option<f64> {
    if absent(supply) {
        return Some(0.0);
    }
    let names = ["PowerInputWatts", "PowerOutputWatts", "LastPowerOutputWatts"];
    names.iter().find_map(|n| sane(number(&supply[*n])))
}

/// Whether a sensor is of what one rectifier or supply draws.
fn is_rectifier(doc: &Value) -> bool {
    let supply = matches!(
        doc["PhysicalContext"].as_str(),
        Some("Rectifier" | "PowerSupply" | "PowerSupplyBay")
    );
    let input = doc["PhysicalSubContext"].as_str() == Some("Input");
    supply && input && doc["ReadingType"].as_str() == Some("Power") && measures(doc)
}

/// What all rectifiers or supplies draw: the sum of their input sensors, when each of them tells.
pub(crate) fn rectifiers(sensors: &[Resource]) -> Option<f64> {
    let inputs: Vec<Option<f64>> = sensors
        .iter()
        .filter(|(_, s)| is_rectifier(s))
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
    (watts && whole && measures(doc)).then(|| sane(number(&doc["Reading"])))?
}

/// `Thermal`: temperatures and fans in one document.
fn old_thermal(thermal: &Value) -> Vec<Raw> {
    let mut out = Vec::new();
    for t in list(&thermal["Temperatures"]).iter().filter(|t| measures(t)) {
        let name = text(&t["Name"]).unwrap_or_default();
        out.extend(temperature(
            &name,
            &t["PhysicalContext"],
            number(&t["ReadingCelsius"]).or_else(|| number(&t["CurrentReading"])),
        ));
    }
    for (n, f) in list(&thermal["Fans"]).iter().enumerate().filter(|(_, f)| measures(f)) {
        let value = ["Reading", "ReadingRPM", "CurrentReading"]
            .iter()
            .find_map(|n| number(&f[*n]));
        let percent = ["ReadingUnits", "Units"].iter().any(|n| f[*n] == "Percent");
        out.push((
            format!("fan{}", n + 1),
            value.filter(|v| *v >= 0.0),
            if percent { Unit::Percent } else { Unit::Rpm },
        ));
    }
    out
}

fn sensor(path: &str, doc: &Value) -> Option<Raw> {
    if !measures(doc) {
        return None;
    }
    let name = text(&doc["Name"]).unwrap_or_else(|| last(path).to_owned());
    let value = number(&doc["Reading"]);
    // Coolant of a box that has no air to speak of; at the box, and not at one of its cold plates.
    let liquid = match doc["PhysicalContext"].as_str() {
        Some("LiquidInlet") => Some("coolant-supply"),
        Some("LiquidOutlet") => Some("coolant-return"),
        _ => None,
    };
    if let (Some(name), Some("Temperature")) = (liquid, doc["ReadingType"].as_str()) {
        return Some((name.into(), value, Unit::Celsius));
    }
    match (doc["ReadingType"].as_str(), doc["ReadingUnits"].as_str()) {
        (Some("Temperature"), _) | (None, Some("Cel")) => temperature(&name, &doc["PhysicalContext"], value),
        (Some("Rotational"), _) | (None, Some("RPM")) => Some((slug(&name), value, Unit::Rpm)),
        _ => None,
    }
}

/// The two temperatures that anything is decided by; a box has up to two hundred others.
fn temperature(name: &str, context: &Value, value: Option<f64>) -> Option<Raw> {
    let lower = name.to_ascii_lowercase();
    // A running processor at exactly 0 or -1 °C, or past 200: no sensor there.
    let value = value.filter(|v| *v > -50.0 && *v < 200.0 && *v != 0.0 && *v != -1.0);
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

/// A name as it can stand in a path: `CPU 1 Temp` is `cpu1`, and so is `02-CPU 1`.
fn slug(name: &str) -> String {
    let named = match name.split_once('-') {
        Some((number, rest)) if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) => rest,
        _ => name,
    };
    let lower = named
        .to_ascii_lowercase()
        .replace("temperature", "")
        .replace("temp", "");
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
        for odd in [json!(0), json!(null), json!("0"), json!(-1), json!(1e9), json!(65535)] {
            assert_eq!(
                control(&json!({"PowerControl": [{"PowerConsumedWatts": odd}]}), None, false),
                None
            );
        }
        assert_eq!(
            control(&json!({"PowerControl": [{"PowerConsumedWatts": "614"}]}), None, false),
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
        assert_eq!(control(&power, Some("/redfish/v1/Systems/2"), true), Some(200.0));
        assert_eq!(control(&power, Some("/redfish/v1/Systems/3"), true), None);
        assert_eq!(control(&power, None, false), Some(100.0));
    }

    #[test]
    fn an_entry_that_is_switched_off_measures_nothing() {
        let power = json!({"PowerControl": [{"PowerConsumedWatts": 100, "Status": {"State": "Disabled", "Health": "Critical"}}]});
        assert_eq!(control(&power, None, false), None);
    }

    #[test]
    fn the_total_is_the_box_wherever_it_stands() {
        let power = json!({"PowerControl": [
            {"Name": "Baseboard", "PowerConsumedWatts": 60},
            {"Name": "Total Power", "PowerConsumedWatts": 310},
        ]});
        assert_eq!(control(&power, None, false), Some(310.0));
    }
}
