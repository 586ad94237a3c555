//! From documents to caps, purely: see [`paths`].
//!
//! A reported limit is often no limit: it counts only when its control
//! mode and its range agree with it, and when the box does not draw more than it (measured on boxes that show
//! `LimitInWatts 500, HardPowerOff` and draw kilowatts).

use serde_json::{Value, json};

use crate::capability::Cap;
use crate::redfish::crawl::Resource;
use crate::redfish::json::{at, last, link, list, number, text};
use crate::redfish::quirks::{CapAttributes, LimitPlaceholder, Quirks};

/// The cap of the whole box.
pub const SYSTEM: &str = "system";
/// Caps closer than this are the same: BMCs round.
const SAME: f64 = 1.0;
/// Most that one box is believed to be limited to, in watts.
const MOST: f64 = 1_000_000.0;

/// How a cap is written.
#[derive(Debug, Clone, PartialEq)]
enum Dialect {
    /// `Power.PowerControl[n].PowerLimit` (DSP0268, deprecated `Power`).
    PowerControl {
        /// n.
        entry: usize,
        /// A number that says nothing here, as a quirk tells.
        placeholder: Option<LimitPlaceholder>,
    },
    /// `EnvironmentMetrics.PowerLimitWatts`.
    Environment,
    /// A `Control`.
    Control,
    /// Attributes of the manager, as a quirk says.
    Attributes(CapAttributes),
}

/// A cap, and where it is written.
#[derive(Debug, Clone, PartialEq)]
pub struct CapPath {
    /// What is shown of it.
    pub cap: Cap,
    /// Where it is written.
    pub path: String,
    dialect: Dialect,
}

/// What the caps of a system are read from.
#[derive(Debug, Default)]
pub struct Documents {
    /// `Power` of the chassis.
    pub power: Option<Resource>,
    /// `EnvironmentMetrics` of the chassis.
    pub environment: Option<Resource>,
    /// `Controls` of the chassis.
    pub controls: Vec<Resource>,
    /// Ids of parts with their `EnvironmentMetrics`.
    pub parts: Vec<(String, Resource)>,
    /// Names of modules inside the box with their `Controls`.
    pub module_controls: Vec<(String, Resource)>,
    /// Attributes of the manager that a quirk names.
    pub attributes: Option<Resource>,
    /// What is known of boxes like this one.
    pub quirks: Quirks,
}

/// Every cap of the system at `system`, the whole box's first. Of several ways to cap the same thing the newest counts.
pub fn paths(documents: &Documents, system: &str) -> Vec<CapPath> {
    let mut out: Vec<CapPath> = Vec::new();
    let mut add = |path: Option<CapPath>| {
        let Some(new) = path else { return };
        match out.iter_mut().find(|o| o.cap.id == new.cap.id) {
            // A way that can be written beats one that can't.
            Some(known) if !known.cap.writable && new.cap.writable => *known = new,
            Some(_) => {}
            None => out.push(new),
        }
    };
    // A limit of the environment whose control counts in percent is none in watts.
    let percent = |source: &str| {
        documents
            .controls
            .iter()
            .any(|(path, doc)| path == source && !in_watts(doc))
    };
    if let (Some((path, doc)), Some(names)) = (&documents.attributes, &documents.quirks.cap_attributes) {
        add(by_attributes(path, doc, names));
    }
    if let Some((path, doc)) = &documents.environment {
        let source = link(at(doc, "PowerLimitWatts/DataSourceUri")).unwrap_or_default();
        if !percent(&source) {
            add(limit(
                SYSTEM.into(),
                path,
                &doc["PowerLimitWatts"],
                Dialect::Environment,
            ));
        }
    }
    for (path, doc) in &documents.controls {
        if limits_power(path, doc) {
            add(limit(control_id(path, doc), path, doc, Dialect::Control));
        }
    }
    if let Some((path, doc)) = &documents.power {
        add(power_control(
            path,
            doc,
            system,
            documents.quirks.limit_placeholder.as_ref(),
        ));
    }
    for (module, (path, doc)) in &documents.module_controls {
        if limits_power(path, doc) {
            let id = Some(control_id(path, doc)).filter(|id| id != SYSTEM);
            add(limit(id.unwrap_or_else(|| module.clone()), path, doc, Dialect::Control));
        }
    }
    for (id, (path, doc)) in &documents.parts {
        add(limit(id.clone(), path, &doc["PowerLimitWatts"], Dialect::Environment));
    }
    out.sort_by_key(|p| p.cap.id != SYSTEM);
    out
}

/// Whether a `Control` is one to cap by.
fn limits_power(path: &str, doc: &Value) -> bool {
    let power = doc["ControlType"].as_str() == Some("Power") || doc["ControlType"].is_null();
    // The twin that outlives a restart wears the BMC's flash; what is wanted is set again after one anyway.
    let lasting = last(path).to_ascii_lowercase().contains("nonvolatile");
    power && in_watts(doc) && !lasting
}

fn in_watts(control: &Value) -> bool {
    match text(&control["SetPointUnits"]) {
        None => true,
        Some(unit) => unit.to_ascii_lowercase().starts_with('w'),
    }
}

/// What a control limits: the box, or a part of it by its own name.
fn control_id(path: &str, doc: &Value) -> String {
    let name = last(path).to_ascii_lowercase();
    let of_box = matches!(
        doc["PhysicalContext"].as_str(),
        None | Some("Chassis" | "SystemBoard" | "PowerSupplyBay")
    );
    if of_box {
        return SYSTEM.into();
    }
    let short = ["powerlimit", "powervolatile"]
        .iter()
        .fold(name.clone(), |n, word| n.replace(word, ""));
    let short = short.trim_matches(['_', '-']).to_owned();
    if short.is_empty() { name } else { short }
}

/// A limit with a set point, a range and a control mode: `PowerLimitWatts` (DSP0268, ControlExcerpt), or a `Control`.
fn limit(id: String, path: &str, doc: &Value, dialect: Dialect) -> Option<CapPath> {
    doc.as_object()?;
    let bound = |names: [&str; 2]| names.iter().find_map(|n| number(&doc[*n]));
    let range = bound(["AllowableMin", "SettingRangeMin"]).zip(bound(["AllowableMax", "SettingRangeMax"]));
    let range = range.filter(|(low, high)| *high > 0.0 && low <= high && *high < MOST);
    let mode = doc["ControlMode"].as_str();
    let set = number(&doc["SetPoint"]).or_else(|| number(&doc["Reading"]));
    let off = matches!(mode, Some("Disabled"));
    let agrees = |w: &f64| range.is_none_or(|(low, high)| *w >= low - SAME && *w <= high + SAME);
    let watts = set.filter(|w| !off && *w > 0.0 && *w < MOST).filter(agrees);
    if range.is_none() && set.is_none() && mode.is_none() {
        return None;
    }
    Some(CapPath {
        cap: Cap {
            id,
            watts,
            range,
            // A control that someone drives by hand elsewhere says so.
            writable: !matches!(mode, Some("Manual")) || set.is_some(),
        },
        path: path.to_owned(),
        dialect,
    })
}

/// The entry of a system in `PowerControl`: on a blade chassis each blade has its own.
fn power_control(path: &str, power: &Value, system: &str, placeholder: Option<&LimitPlaceholder>) -> Option<CapPath> {
    let entries = list(&power["PowerControl"]);
    let mine = entries
        .iter()
        .position(|e| entries.len() > 1 && list(&e["RelatedItem"]).iter().filter_map(link).any(|l| l == system));
    let whole = |e: &Value| {
        let name = text(&e["Name"]).unwrap_or_default().to_ascii_lowercase();
        !["cpu", "memory", "gpu", "fan", "accelerator"]
            .iter()
            .any(|w| name.contains(w))
    };
    let index = mine.or_else(|| entries.iter().position(whole))?;
    entry(path, power, index, placeholder)
}

/// One entry of `PowerControl`.
fn entry(path: &str, power: &Value, index: usize, placeholder: Option<&LimitPlaceholder>) -> Option<CapPath> {
    let entry = list(&power["PowerControl"]).get(index)?;
    let limit = &entry["PowerLimit"];
    limit.as_object()?;
    let drawn = number(&entry["PowerConsumedWatts"]);
    let capacity = number(&entry["PowerCapacityWatts"]);
    // Here is no control mode, so the numbers around it must agree: a box that draws more than its limit has none. A
    // capacity that is told as zero was never filled in.
    let agrees = |w: &f64| {
        drawn.is_none_or(|d| d <= *w * 1.05)
            && capacity.is_none_or(|c| c <= 0.0 || c >= *w)
            && placeholder.is_none_or(|p| *w != p.watts || limit["LimitException"].as_str() != Some(&p.exception))
    };
    Some(CapPath {
        cap: Cap {
            id: SYSTEM.into(),
            watts: number(&limit["LimitInWatts"])
                .filter(|w| *w > 0.0 && *w < MOST)
                .filter(agrees),
            range: None,
            writable: limit.get("LimitInWatts").is_some(),
        },
        path: path.to_owned(),
        dialect: Dialect::PowerControl {
            entry: index,
            placeholder: placeholder.cloned(),
        },
    })
}

/// A cap whose switch, watts and range are attributes of the manager.
fn by_attributes(path: &str, doc: &Value, names: &CapAttributes) -> Option<CapPath> {
    let value = |name: &str| doc["Attributes"].get(name).unwrap_or(&Value::Null);
    let on = text(value(&names.switch))? == names.on;
    let range = number(value(&names.lowest)).zip(number(value(&names.highest)));
    Some(CapPath {
        cap: Cap {
            id: SYSTEM.into(),
            watts: number(value(&names.watts)).filter(|w| on && *w > 0.0 && *w < MOST),
            range: range.filter(|(low, high)| low < high),
            writable: true,
        },
        path: path.to_owned(),
        dialect: Dialect::Attributes(names.clone()),
    })
}

impl CapPath {
    /// Bodies to try until one shows.
    pub fn bodies(&self, watts: Option<f64>) -> Vec<Value> {
        let highest = self.cap.range.map(|r| json!(r.1));
        match (&self.dialect, watts) {
            (Dialect::PowerControl { entry, .. }, _) => {
                // An empty object leaves its element as it is (DSP0266 §7.8.3).
                let mut entries = vec![json!({}); *entry];
                entries.push(json!({"PowerLimit": {"LimitInWatts": watts}}));
                vec![json!({"PowerControl": entries})]
            }
            (Dialect::Attributes(names), Some(watts)) => {
                // Watts are whole numbers there.
                let watts = watts.round() as i64;
                vec![json!({"Attributes": {&names.watts: watts, &names.switch: &names.on}})]
            }
            (Dialect::Attributes(names), None) => vec![json!({"Attributes": {&names.switch: &names.off}})],
            (dialect, Some(watts)) => [
                json!({"SetPoint": watts, "ControlMode": "Automatic"}),
                json!({"SetPoint": watts}),
            ]
            .map(|b| dialect.wrap(b))
            .to_vec(),
            (dialect, None) => {
                let mut bodies = vec![json!({"ControlMode": "Disabled"})];
                bodies.extend(highest.map(|h| json!({"SetPoint": h})));
                bodies.push(json!({"SetPoint": null}));
                bodies.into_iter().map(|b| dialect.wrap(b)).collect()
            }
        }
    }

    /// The same cap in a newer copy of the document that it is written in.
    pub fn again(&self, doc: &Value) -> Option<CapPath> {
        match &self.dialect {
            Dialect::PowerControl { entry, placeholder } => self::entry(&self.path, doc, *entry, placeholder.as_ref()),
            Dialect::Environment => limit(
                self.cap.id.clone(),
                &self.path,
                &doc["PowerLimitWatts"],
                Dialect::Environment,
            ),
            Dialect::Control => limit(self.cap.id.clone(), &self.path, doc, Dialect::Control),
            Dialect::Attributes(names) => by_attributes(&self.path, doc, names),
        }
    }

    /// Whether what is shown is what was wanted. A limit at the highest that the box takes limits nothing.
    pub fn is(&self, watts: Option<f64>) -> bool {
        match (self.cap.watts, watts) {
            (None, None) => true,
            (Some(now), Some(wanted)) => (now - wanted).abs() <= SAME,
            (Some(now), None) => self.cap.range.is_some_and(|(_, high)| now >= high - SAME),
            (None, Some(_)) => false,
        }
    }
}

impl Dialect {
    fn wrap(&self, body: Value) -> Value {
        match self {
            Dialect::Environment => json!({"PowerLimitWatts": body}),
            _ => body,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redfish::quirks;
    use std::sync::Arc;

    const SYSTEM_PATH: &str = "/redfish/v1/Systems/1";

    fn resource(path: &str, doc: Value) -> Resource {
        (format!("/redfish/v1/{path}"), Arc::new(doc))
    }

    fn power(entries: Value) -> Documents {
        Documents {
            power: Some(resource("Chassis/1/Power", json!({ "PowerControl": entries }))),
            ..Documents::default()
        }
    }

    fn control(path: &str, doc: Value) -> Documents {
        Documents {
            controls: vec![resource(path, doc)],
            ..Documents::default()
        }
    }

    fn only(documents: &Documents) -> Cap {
        let all = paths(documents, SYSTEM_PATH);
        assert_eq!(all.len(), 1, "{all:?}");
        all[0].cap.clone()
    }

    #[test]
    fn a_reported_limit_counts_only_when_the_numbers_around_it_agree() {
        let entry = |limit: Value, drawn: Value, capacity: Value| {
            power(json!([{"PowerConsumedWatts": drawn, "PowerCapacityWatts": capacity,
                "PowerLimit": {"LimitInWatts": limit, "LimitException": "HardPowerOff"}}]))
        };
        for (limit, drawn, capacity, watts) in [
            (json!(1205), json!(614), json!(6720), Some(1205.0)),
            (json!(500), json!(2900), json!(6000), None),
            (json!(900), json!(100), json!(0), Some(900.0)),
            (json!(9000), json!(614), json!(6720), None),
            (json!(null), json!(531), json!(3200), None),
            (json!(0), json!(531), json!(3200), None),
        ] {
            assert_eq!(only(&entry(limit, drawn, capacity)).watts, watts);
        }
    }

    #[test]
    fn a_disabled_control_with_a_range_is_no_cap_and_can_be_set() {
        let node = json!({"ControlType": "Power", "SetPoint": 0, "SettingRangeMin": 764, "SettingRangeMax": 2754,
            "ControlMode": "Disabled", "PhysicalContext": "Chassis"});
        let cap = only(&control("Chassis/Node0/Controls/NodePowerLimit", node));
        assert_eq!(
            (cap.id.as_str(), cap.watts, cap.range),
            ("system", None, Some((764.0, 2754.0)))
        );
        let gpu = json!({"ControlType": "Power", "SetPoint": 300, "SettingRangeMin": 100, "SettingRangeMax": 560,
            "ControlMode": "Automatic", "PhysicalContext": "Accelerator"});
        let cap = only(&control("Chassis/Node0/Controls/Accelerator1PowerLimit", gpu));
        assert_eq!((cap.id.as_str(), cap.watts), ("accelerator1", Some(300.0)));
    }

    #[test]
    fn a_control_in_percent_is_no_cap_in_watts() {
        let mut documents = control(
            "Chassis/C/Controls/PowerLimit_0",
            json!({"ControlType": "Power", "SetPoint": 0, "SetPointUnits": "%", "AllowableMin": 0, "AllowableMax": 1000}),
        );
        documents.environment = Some(resource(
            "Chassis/C/EnvironmentMetrics",
            json!({"PowerLimitWatts": {"AllowableMin": 0, "AllowableMax": 1000,
                "DataSourceUri": "/redfish/v1/Chassis/C/Controls/PowerLimit_0"}}),
        ));
        assert!(paths(&documents, SYSTEM_PATH).is_empty());
    }

    #[test]
    fn a_blade_is_capped_by_its_own_entry_and_leaves_the_others() {
        let documents = power(json!([
            {"Name": "a", "RelatedItem": [{"@odata.id": "/redfish/v1/Systems/0"}], "PowerLimit": {"LimitInWatts": null}},
            {"Name": "b", "RelatedItem": [{"@odata.id": SYSTEM_PATH}], "PowerLimit": {"LimitInWatts": 400}},
        ]));
        let all = paths(&documents, SYSTEM_PATH);
        assert_eq!(all[0].cap.watts, Some(400.0));
        assert_eq!(
            all[0].bodies(Some(350.0)),
            [json!({"PowerControl": [{}, {"PowerLimit": {"LimitInWatts": 350.0}}]})]
        );
    }

    #[test]
    fn of_the_volatile_twins_the_volatile_one_is_written() {
        let twin = json!({"ControlType": "Power", "SetPoint": 300, "SetPointUnits": "W", "AllowableMin": 50,
            "AllowableMax": 300, "ControlMode": "Automatic", "PhysicalContext": "CPU"});
        let documents = Documents {
            controls: vec![
                resource("Chassis/CPU_0/Controls/CPU_0_TDPPowerNonvolatile_0", twin.clone()),
                resource("Chassis/CPU_0/Controls/CPU_0_TDPPowerVolatile_0", twin),
            ],
            ..Documents::default()
        };
        let all = paths(&documents, SYSTEM_PATH);
        assert_eq!(all.len(), 1);
        assert!(all[0].path.ends_with("CPU_0_TDPPowerVolatile_0"));
    }

    #[test]
    fn a_limit_whose_own_switch_is_off_is_none_and_is_set_through_the_attributes() {
        let mut documents = power(json!([{"PowerConsumedWatts": 614, "PowerCapacityWatts": 6720,
            "PowerLimit": {"LimitInWatts": 1205}}]));
        documents.quirks = quirks::of(Some("Dell Inc."), None, None);
        documents.attributes = Some(resource(
            "Managers/1/Attributes",
            json!({"Attributes": {"ServerPwr.1.PowerCapSetting": "Disabled", "ServerPwr.1.PowerCapValue": 1205,
                "ServerPwr.1.PowerCapMinThres": 898, "ServerPwr.1.PowerCapMaxThres": 1441}}),
        ));
        let all = paths(&documents, SYSTEM_PATH);
        assert_eq!((all[0].cap.watts, all[0].cap.range), (None, Some((898.0, 1441.0))));
        let attributes = &all[0].bodies(Some(1000.0))[0]["Attributes"];
        assert_eq!(attributes["ServerPwr.1.PowerCapSetting"], "Enabled");
        assert_eq!(attributes["ServerPwr.1.PowerCapValue"], 1000);
    }

    #[test]
    fn a_placeholder_limit_is_none() {
        let mut documents = power(
            json!([{"PowerConsumedWatts": 100, "PowerCapacityWatts": 0, "PowerLimit":
            {"LimitInWatts": 500, "LimitException": "HardPowerOff"}}]),
        );
        assert_eq!(only(&documents).watts, Some(500.0));
        documents.quirks = quirks::of(Some("GIGABYTE"), None, None);
        assert_eq!(only(&documents).watts, None);
    }

    #[test]
    fn a_limit_at_its_highest_is_lifted_already() {
        let documents = control(
            "Chassis/1/Controls/PowerLimit",
            json!({"ControlType": "Power", "SetPoint": 900, "AllowableMin": 100, "AllowableMax": 900,
                "ControlMode": "Automatic"}),
        );
        let all = paths(&documents, SYSTEM_PATH);
        assert!(all[0].is(None) && all[0].is(Some(900.0)) && !all[0].is(Some(500.0)));
    }

    #[test]
    fn modules_of_a_baseboard_are_capped_by_their_own_names() {
        let control = |name: &str, context: &str, watts: u32| -> Resource {
            let doc = json!({"ControlType": "Power", "PhysicalContext": context, "SetPoint": watts, "SetPointUnits": "W",
                "AllowableMin": 50, "AllowableMax": 5600, "ControlMode": "Automatic"});
            (
                format!("/redfish/v1/Chassis/M/Controls/{name}"),
                std::sync::Arc::new(doc),
            )
        };
        let documents = Documents {
            module_controls: vec![
                ("module_0".into(), control("TotalGPU_Power_0", "GPUSubsystem", 5600)),
                ("module_0".into(), control("Cpu_PowerNonvolatile_0", "CPU", 300)),
                ("module_1".into(), control("Limit", "Chassis", 900)),
            ],
            ..Documents::default()
        };
        let found: Vec<(String, Option<f64>)> = paths(&documents, "/s")
            .into_iter()
            .map(|p| (p.cap.id, p.cap.watts))
            .collect();
        // a module's limit never passes for the limit of the whole box
        assert_eq!(
            found,
            [
                ("totalgpu_power_0".into(), Some(5600.0)),
                ("module_1".into(), Some(900.0))
            ]
        );
    }
}
