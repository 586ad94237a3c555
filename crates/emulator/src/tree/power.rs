//! Power of what a tree shows: states that follow resets after a while, and readings that follow the states.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::Tree;

/// Power comes up behind the supplies.
const ON: Duration = Duration::from_secs(2);
/// It goes at once, but is told a moment later.
const OFF: Duration = Duration::from_secs(1);
/// A system that is asked to stop takes longer.
const SHUTDOWN: Duration = Duration::from_secs(5);
/// A BMC that starts again does not answer for so long.
const BMC: Duration = Duration::from_secs(20);
/// Changes that are to come, of all systems of a tree together.
const PENDING: usize = 256;

/// Something that will be so.
#[derive(Debug, Clone)]
pub(super) enum Later {
    /// A resource has this power state.
    Power(String, &'static str),
    /// A system starts: what was set for one boot is used up, what waits for a boot takes effect.
    Boot(String),
    /// A property of a resource has this value.
    Set(String, &'static str, Value),
}

/// How a reset that can't be done is refused.
pub(super) enum Refused {
    /// Not in this state.
    NotNow(String),
    /// More is under way than is kept.
    Busy,
}

impl Tree {
    /// Resets a system, or a chassis or another part with a power state of its own.
    pub(super) fn reset(&self, path: &str, kind: &str) -> Result<(), Refused> {
        use Later::{Boot, Power};
        let state = self
            .document(path)
            .and_then(|d| d["PowerState"].as_str().map(str::to_owned));
        let on = state.as_deref().is_none_or(|s| matches!(s, "On" | "PoweringOn"));
        let to = |after: Duration, state| (after, Power(path.to_owned(), state));
        let boot = |after: Duration| (after, Boot(path.to_owned()));
        let steps = match kind {
            "On" | "ForceOn" if on => vec![],
            "On" | "ForceOn" | "PushPowerButton" if !on => vec![to(ON, "On"), boot(ON)],
            // services differ in what they say of an `off` for what is off: most take it
            "ForceOff" | "GracefulShutdown" if !on => vec![],
            "ForceOff" => vec![to(OFF, "Off")],
            "GracefulShutdown" | "PushPowerButton" => vec![to(SHUTDOWN, "Off")],
            "PowerCycle" | "FullPowerCycle" => vec![to(OFF, "Off"), to(OFF + ON, "On"), boot(OFF + ON)],
            _ if !on => return Err(Refused::NotNow(state.unwrap_or_default())),
            "GracefulRestart" => vec![boot(SHUTDOWN)],
            "Nmi" | "Pause" | "Resume" | "Suspend" => vec![],
            _ => vec![boot(OFF)],
        };
        // the chassis that a system fills goes with it
        let mut all = steps.clone();
        for chassis in self.linked(path, "Chassis") {
            if self.document(&chassis).is_some_and(|d| d["PowerState"].is_string()) {
                all.extend(steps.iter().filter_map(|(after, later)| match later {
                    Power(_, state) => Some((*after, Power(chassis.clone(), state))),
                    _ => None,
                }));
            }
        }
        self.later(all)
    }

    /// The BMC starts again: its sessions are gone, and it says nothing for a while.
    pub(super) fn reset_bmc(&self) {
        self.core.forget_sessions();
        self.lock().silent_until = Some(Instant::now() + self.scaled(BMC));
    }

    /// Whoever it stands for has lost its power, or was switched off by its heat: what was on is off.
    pub(crate) fn went_off(&self) {
        for system in &self.shape.systems {
            let on = self
                .document(system)
                .is_some_and(|d| d["PowerState"].as_str().is_some_and(|s| s != "Off"));
            if on {
                self.change(system, |d| d["PowerState"] = json!("Off"));
                let text = format!("The power state of resource '{system}' has changed to Off.");
                self.emit("ResourceEvent.1.3.ResourceStateChanged", &text, system);
            }
        }
    }

    /// Puts changes down that come after so long.
    pub(super) fn later(&self, steps: Vec<(Duration, Later)>) -> Result<(), Refused> {
        let now = Instant::now();
        let mut state = self.lock();
        if state.later.len() + steps.len() > PENDING {
            return Err(Refused::Busy);
        }
        state
            .later
            .extend(steps.into_iter().map(|(after, what)| (now + self.scaled(after), what)));
        Ok(())
    }

    /// Makes so what should be so by now. Called before each answer, so no task runs beside and a paused clock is enough.
    pub(super) fn settle(&self) {
        let now = Instant::now();
        let due: Vec<Later> = {
            let mut state = self.lock();
            let (mut due, rest): (Vec<_>, Vec<_>) = state.later.drain(..).partition(|(at, _)| *at <= now);
            state.later = rest;
            due.sort_by_key(|(at, _)| *at);
            due.into_iter().map(|(_, what)| what).collect()
        };
        for what in due {
            match what {
                Later::Power(path, power) => {
                    self.change(&path, |d| d["PowerState"] = json!(power));
                    let text = format!("The power state of resource '{path}' has changed to {power}.");
                    self.emit("ResourceEvent.1.3.ResourceStateChanged", &text, &path);
                }
                Later::Boot(path) => self.boot(&path),
                Later::Set(path, name, value) => {
                    self.change(&path, |d| d[name] = value);
                }
            }
        }
    }

    fn boot(&self, path: &str) {
        let Some(system) = self.document(path) else { return };
        if system["Boot"]["BootSourceOverrideEnabled"] == "Once" {
            self.change(path, |d| {
                d["Boot"]["BootSourceOverrideEnabled"] = json!("Disabled");
                if d["Boot"]["BootSourceOverrideTarget"].is_string() {
                    d["Boot"]["BootSourceOverrideTarget"] = json!("None");
                }
            });
        }
        // firmware settings that waited for a boot (DSP0266 §9.10, @Redfish.Settings)
        let Some(bios) = link(&system["Bios"]) else { return };
        let Some(now) = self.document(&bios) else { return };
        let Some(settings) = link(&now["@Redfish.Settings"]["SettingsObject"]) else {
            return;
        };
        let pending = self.lock().settings.remove(super::files::canonical(&settings));
        if let Some(pending) = pending {
            self.change(&bios, |d| {
                pending
                    .into_iter()
                    .for_each(|(name, value)| d["Attributes"][name.as_str()] = value)
            });
        }
    }

    /// Whether what a resource tells of has no power: an outlet that is off, or a box whose systems are all off.
    pub(super) fn unpowered(&self, path: &str, document: &Value) -> bool {
        let state = document["PowerState"].as_str();
        if path.contains("/Outlets/") {
            return state == Some("Off");
        }
        // as captured, readings are what they were; only what was switched here changes them
        let changed = match &self.lock().powered {
            changed if changed.is_empty() => return false,
            changed => changed.clone(),
        };
        let systems = &self.shape.systems;
        let of = |system: &String| changed.get(system).copied();
        let mine: Vec<&String> = systems
            .iter()
            .filter(|s| {
                let own = path.starts_with(s.as_str());
                own || self.linked(s, "Chassis").iter().any(|c| path.starts_with(c.as_str()))
            })
            .collect();
        let judged = if mine.is_empty() {
            systems.iter().collect()
        } else {
            mine
        };
        !judged.is_empty() && judged.iter().all(|s| of(s) == Some(false))
    }

    /// Paths that `Links/<name>` of a resource leads to.
    pub(super) fn linked(&self, path: &str, name: &str) -> Vec<String> {
        let Some(document) = self.document(path) else {
            return Vec::new();
        };
        let list = document["Links"][name].as_array().cloned().unwrap_or_default();
        list.iter().filter_map(link).collect()
    }
}

/// Which systems were switched here, and how they stand.
pub(super) type Powered = HashMap<String, bool>;

/// Where a link leads.
pub(super) fn link(value: &Value) -> Option<String> {
    Some(super::files::canonical(value.get("@odata.id")?.as_str()?).to_owned())
}

/// Readings that fall to nothing without power: `null` where the maker writes null for what can't be read, else 0.
pub(super) fn darken(document: &mut Value, nothing: &Value) {
    let units = document["ReadingUnits"].as_str().unwrap_or_default().to_owned();
    let kind = document["ReadingType"].as_str().unwrap_or_default().to_owned();
    let flows = matches!(units.as_str(), "W" | "A" | "RPM" | "Watts" | "Amps" | "VA")
        || matches!(kind.as_str(), "Power" | "Current" | "Rotational" | "ApparentPower");
    if flows && document["Reading"].is_number() {
        document["Reading"] = nothing.clone();
    }
    walk(document, nothing);
}

fn walk(value: &mut Value, nothing: &Value) {
    const SINGLE: [&str; 8] = [
        "PowerConsumedWatts",
        "PowerOutputWatts",
        "PowerInputWatts",
        "LastPowerOutputWatts",
        "AverageConsumedWatts",
        "MaxConsumedWatts",
        "MinConsumedWatts",
        "SpeedRPM",
    ];
    const EXCERPTS: [&str; 7] = [
        "PowerWatts",
        "CurrentAmps",
        "InputPowerWatts",
        "InputCurrentAmps",
        "OutputPowerWatts",
        "FanSpeedsPercent",
        "SpeedPercent",
    ];
    match value {
        Value::Array(items) => items.iter_mut().for_each(|v| walk(v, nothing)),
        Value::Object(map) => {
            for (name, v) in map.iter_mut() {
                if SINGLE.contains(&name.as_str()) && v.is_number() {
                    *v = nothing.clone();
                } else if EXCERPTS.contains(&name.as_str()) || name == "Fans" {
                    readings(v, nothing);
                }
                walk(v, nothing);
            }
        }
        _ => {}
    }
}

fn readings(value: &mut Value, nothing: &Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|v| readings(v, nothing)),
        Value::Object(map) => {
            for name in ["Reading", "ReadingRPM"] {
                if let Some(v) = map.get_mut(name).filter(|v| v.is_number()) {
                    *v = nothing.clone();
                }
            }
            map.values_mut()
                .filter(|v| v.is_object())
                .for_each(|v| readings(v, nothing));
        }
        _ => {}
    }
}
