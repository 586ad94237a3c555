//! What is shown of a box: a number on a scale, or a class, or why there is neither.

use std::collections::BTreeMap;
use std::time::Duration;

use rack::elevation::{By, Class, DrawnValue};
use rack::intent::IntendedBox;
use rack::request::DeviceView;
use rack::{Health, Node, Part, Reading, Time, Unit, invariants};

use super::{Rack, SeenNode};
use crate::fsck;

/// What is shown, before it has its place on the palette.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shown {
    /// A number, its text, and when it was read; nothing when it is recorded.
    Number(f64, String, Option<Time>),
    /// A class and its text.
    Class(Class, String),
    /// Why there is nothing.
    Missing(&'static str),
}

impl Shown {
    /// The number, when it is one.
    pub fn number(&self) -> Option<f64> {
        match self {
            Shown::Number(number, ..) => Some(*number),
            _ => None,
        }
    }

    /// The class, when it is one.
    pub fn class(&self) -> Option<Class> {
        match self {
            Shown::Class(class, _) => Some(*class),
            _ => None,
        }
    }

    /// As it is answered: the value, or why there is none. `units` is what the number is spread over on the palette.
    pub fn value(self, scale: &Scale, units: f64, at: Time) -> (Option<DrawnValue>, Option<String>) {
        match self {
            Shown::Missing(why) => (None, Some(why.to_owned())),
            Shown::Class(class, text) => {
                let value = DrawnValue {
                    number: None,
                    text,
                    shade: None,
                    class: Some(class),
                    age: None,
                    taken: None,
                };
                (Some(value), None)
            }
            Shown::Number(number, text, taken) => {
                let value = DrawnValue {
                    number: Some(number),
                    text,
                    shade: Some(scale.shade(number / units)),
                    class: None,
                    age: taken.map(|t| at.since(t).as_secs()),
                    taken,
                };
                (Some(value), None)
            }
        }
    }
}

/// From which number to which the palette reaches.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    /// At shade 0.
    pub low: f64,
    /// At shade 1.
    pub high: f64,
}

impl Scale {
    /// Temperatures and shares are the same colour in every rack and at every time; watts reach to what one unit of height draws
    /// here, rounded up, so that neither a rack of small boxes is all dark nor what stands beside a large one.
    pub fn of(by: By, age: Duration, numbers: impl Iterator<Item = f64>) -> Scale {
        let (low, high) = match by {
            By::Power => (0.0, nice(numbers.fold(0.0, f64::max))),
            By::Share => (0.0, 100.0),
            // from a cold aisle to what no class of ASHRAE allows (TC 9.9, class A4: 45 °C)
            By::Inlet => (15.0, 45.0),
            // from a box at rest to where processors and accelerators hold back
            By::Hottest => (20.0, 100.0),
            By::Age => (0.0, age.as_secs_f64().max(1.0)),
            By::Use | By::Health | By::Firmware => (0.0, 1.0),
        };
        Scale { low, high }
    }

    fn shade(&self, number: f64) -> f64 {
        let share = (number - self.low) / (self.high - self.low);
        // a thousandth is finer than a screen shows, and keeps answers alike that look alike
        (share.clamp(0.0, 1.0) * 1000.0).round() / 1000.0
    }
}

/// The next round number: 100, 120, 150, 200, 300, 400, 600, 800, 1000, 1200, …
fn nice(highest: f64) -> f64 {
    const LEAST: f64 = 100.0;
    if !highest.is_finite() || highest <= LEAST {
        return LEAST;
    }
    let power = 10f64.powf(highest.log10().floor());
    let steps = [1.0, 1.2, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0];
    let round = steps.into_iter().map(|s| s * power).find(|r| *r >= highest);
    round.unwrap_or(highest)
}

/// Unit of the numbers.
pub(super) fn unit(by: By) -> &'static str {
    match by {
        By::Power => "W",
        By::Share => "%",
        By::Inlet | By::Hottest => "°C",
        By::Age => "s",
        By::Use | By::Health | By::Firmware => "",
    }
}

/// What is shown, in words.
pub(super) fn label(by: By) -> &'static str {
    match by {
        By::Power => "watts per unit of height",
        By::Share => "watts as a share of the cap",
        By::Inlet => "°C at the inlet",
        By::Hottest => "°C at the hottest part",
        By::Use => "who has it",
        By::Health => "worst health of its parts",
        By::Age => "seconds since it was read",
        By::Firmware => "firmware as wished, or as its like",
    }
}

/// A class, in words.
pub(super) fn class_label(by: By, class: Class) -> &'static str {
    match (by, class) {
        (By::Firmware, Class::Ok) => "as wished, or as its like",
        (By::Firmware, Class::Warning) => "differs",
        (_, Class::Ok) => "ok",
        (_, Class::Used) => "a machine has it",
        (_, Class::Free) => "free",
        (_, Class::Closed) => "nothing is placed on it",
        (_, Class::Unknown) => "not told",
        (_, Class::Warning) => "needs a look",
        (_, Class::Critical) => "needs a look now",
    }
}

/// A reading by its name and unit.
pub(super) fn named<'a>(readings: &'a [Reading], name: &str, unit: Unit) -> Option<&'a Reading> {
    readings.iter().find(|r| r.name == name && r.unit == unit)
}

/// Versions of BIOS and BMC by model, each with how many have it.
type Versions<'a> = BTreeMap<(&'a str, &'static str), BTreeMap<&'a str, usize>>;

/// What boxes of one model have, to tell which of them differs.
pub(super) fn versions_of_models<'a>(rack: &'a Rack) -> Versions<'a> {
    let mut all = Versions::new();
    if rack.by == By::Firmware {
        for node in &rack.nodes {
            for (what, version) in own_versions(node.node) {
                let model = node.node.identity.model.as_deref().unwrap_or_default();
                *all.entry((model, what)).or_default().entry(version).or_default() += 1;
            }
        }
    }
    all
}

fn own_versions(node: &Node) -> impl Iterator<Item = (&'static str, &str)> {
    let bios = node.identity.bios.as_deref().map(|v| ("BIOS", v));
    let bmc = node.identity.bmc_firmware.as_deref().map(|v| ("BMC", v));
    bios.into_iter().chain(bmc)
}

/// What is told about a box by.
pub(super) struct Context<'a> {
    pub rack: &'a Rack<'a>,
    pub like: &'a Versions<'a>,
}

impl Context<'_> {
    /// What is shown of a node.
    pub fn of_node(&self, seen: &SeenNode, meant: Option<&IntendedBox>) -> Shown {
        if self.rack.past && (self.rack.by.is_classed() || self.rack.by == By::Share) {
            return Shown::Missing("not kept");
        }
        match self.rack.by {
            By::Share => self.share(seen),
            By::Use => used(seen),
            By::Health => health(seen.node.health),
            By::Firmware => self.firmware(seen.node, meant),
            _ => self.of_readings(&seen.readings),
        }
    }

    /// What is shown of another box.
    pub fn of_device(&self, device: &DeviceView) -> Shown {
        match self.rack.by {
            By::Health | By::Firmware if self.rack.past => Shown::Missing("not kept"),
            By::Health => health(device.health),
            By::Firmware => match &device.firmware {
                // nothing is wished of it, and it is compared with none
                Some(version) => Shown::Class(Class::Unknown, version.clone()),
                None => Shown::Missing("not told"),
            },
            By::Use | By::Share => Shown::Missing("not a machine"),
            _ => self.of_readings(&device.readings),
        }
    }

    /// What is shown of a part: what readings tell that are named after it.
    pub fn of_part(&self, seen: &SeenNode, part: &Part) -> Shown {
        let named = |r: &&Reading| {
            let rest = strip(&r.name, &part.id);
            // `gpu1` is not `gpu12`
            rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()))
        };
        let highest = |unit| {
            let of_part = seen.readings.iter().filter(named).filter(|r| r.unit == unit);
            self.highest(of_part)
        };
        match self.rack.by {
            By::Power => highest(Unit::Watts),
            By::Hottest => highest(Unit::Celsius),
            By::Health if !self.rack.past => health(part.health),
            By::Firmware if !self.rack.past => match &part.firmware {
                Some(version) => Shown::Class(Class::Unknown, version.clone()),
                None => Shown::Missing("not told"),
            },
            _ => Shown::Missing("not told"),
        }
    }

    fn highest<'r>(&self, readings: impl Iterator<Item = &'r Reading>) -> Shown {
        let fresh = readings.filter_map(|r| Some((r.fresh(self.rack.at, self.rack.age)?, r)));
        match fresh.max_by(|a, b| a.0.total_cmp(&b.0)) {
            Some((value, reading)) => self.number(value, reading.taken),
            None => Shown::Missing("no reading"),
        }
    }

    fn of_readings(&self, readings: &[Reading]) -> Shown {
        match self.rack.by {
            By::Power => self.highest(named(readings, "watts", Unit::Watts).into_iter()),
            By::Inlet => self.highest(named(readings, "inlet", Unit::Celsius).into_iter()),
            By::Hottest => self.highest(readings.iter().filter(|r| r.unit == Unit::Celsius)),
            By::Age => match readings.iter().map(|r| r.taken).max() {
                Some(taken) => self.number(self.rack.at.since(taken).as_secs() as f64, taken),
                None => Shown::Missing("no reading"),
            },
            By::Share | By::Use | By::Health | By::Firmware => Shown::Missing("no reading"),
        }
    }

    fn number(&self, value: f64, taken: Time) -> Shown {
        Shown::Number(value, text(self.rack.by, value), Some(taken))
    }

    fn share(&self, seen: &SeenNode) -> Shown {
        let Some(cap) = seen.cap.filter(|c| *c > 0.0) else {
            return Shown::Missing("no cap");
        };
        let watts = named(&seen.readings, "watts", Unit::Watts);
        match watts.and_then(|r| Some((r.fresh(self.rack.at, self.rack.age)?, r.taken))) {
            Some((watts, taken)) => self.number(watts / cap * 100.0, taken),
            None => Shown::Missing("no reading"),
        }
    }

    /// Compared with what was wished; where nothing was, with what boxes of the same model have.
    fn firmware(&self, node: &Node, meant: Option<&IntendedBox>) -> Shown {
        let told: Vec<String> = own_versions(node).map(|(what, v)| format!("{what} {v}")).collect();
        let text = told.join(", ");
        let wishes = meant.map(|m| &m.firmware).filter(|f| !f.is_empty());
        let mut differs = Vec::new();
        for (wish, wanted) in wishes.into_iter().flatten() {
            let seen = fsck::versions(node, wish);
            let other = seen
                .iter()
                .any(|(_, v)| v.is_none_or(|v| !v.eq_ignore_ascii_case(wanted)));
            if other || seen.is_empty() {
                differs.push(format!("{wish} {wanted} is wished"));
            }
        }
        if wishes.is_none() {
            let model = node.identity.model.as_deref().unwrap_or_default();
            for (what, version) in own_versions(node) {
                let Some(like) = self.like.get(&(model, what)) else {
                    continue;
                };
                let (same, all) = (like.get(version).copied().unwrap_or(0), like.values().sum::<usize>());
                let most = like.iter().max_by_key(|(v, n)| (**n, **v != version)).map(|(v, _)| *v);
                if let Some(most) = most.filter(|m| same * 2 <= all && *m != version) {
                    differs.push(format!("others of its model have {what} {most}"));
                }
            }
        }
        match (text.is_empty(), differs.is_empty()) {
            (true, false) => Shown::Class(Class::Warning, differs.join("; ")),
            (false, false) => Shown::Class(Class::Warning, format!("{text}; {}", differs.join("; "))),
            (true, true) => Shown::Class(Class::Unknown, "not told".to_owned()),
            (false, true) => Shown::Class(Class::Ok, text),
        }
    }
}

/// What follows `prefix`, whatever its case.
fn strip<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let start = text.get(..prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

fn health(health: Health) -> Shown {
    let text = match health {
        Health::Unknown => "not told",
        Health::Ok => "ok",
        Health::Warning => "warning",
        Health::Critical => "critical",
    };
    Shown::Class(health.into(), text.to_owned())
}

/// Who has a box, or why nobody can: the order in which it is asked when something is placed.
fn used(seen: &SeenNode) -> Shown {
    let node = seen.node;
    let (class, text) = if let Some(machine) = &node.holder {
        let held = seen.machine.is_some_and(|m| m.status.state == rack::State::Held);
        (if held { Class::Warning } else { Class::Used }, machine.to_string())
    } else if node.cordoned.is_some() {
        (Class::Closed, "cordoned".to_owned())
    } else if !node.armed {
        (Class::Closed, "not armed".to_owned())
    } else if seen.silent.is_some() {
        (Class::Unknown, "silent".to_owned())
    } else if !invariants::may_be_given(node) {
        (Class::Closed, "not clean".to_owned())
    } else {
        (Class::Free, "free".to_owned())
    };
    Shown::Class(class, text)
}

/// Three digits of it: more say nothing.
fn watts(value: f64) -> String {
    let kilo = value / 1000.0;
    match value.round() {
        ..1000.0 => format!("{value:.0} W"),
        ..9_995.0 => format!("{kilo:.2} kW"),
        ..99_950.0 => format!("{kilo:.1} kW"),
        _ => format!("{kilo:.0} kW"),
    }
}

/// A number as people read it.
fn text(by: By, value: f64) -> String {
    match by {
        By::Power => watts(value),
        By::Share => format!("{value:.0} %"),
        By::Inlet | By::Hottest => format!("{value:.0} °C"),
        By::Age if value < 120.0 => format!("{value:.0} s"),
        By::Age if value < 7200.0 => format!("{:.0} m", (value / 60.0).floor()),
        By::Age => format!("{:.0} h", (value / 3600.0).floor()),
        By::Use | By::Health | By::Firmware => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_ends_at_a_round_number_that_nothing_exceeds() {
        for (highest, end) in [
            (0.0, 100.0),
            (99.0, 100.0),
            (101.0, 120.0),
            (1042.0, 1200.0),
            (366.0, 400.0),
            (401.0, 600.0),
            (1000.0, 1000.0),
            (9_900.0, 10_000.0),
            (f64::INFINITY, 100.0),
        ] {
            assert_eq!(nice(highest), end, "{highest}");
        }
    }

    #[test]
    fn numbers_are_read_as_people_write_them() {
        assert_eq!(text(By::Power, 366.4), "366 W");
        assert_eq!(text(By::Power, 999.6), "1.00 kW");
        assert_eq!(text(By::Power, 8_491.0), "8.49 kW");
        assert_eq!(text(By::Power, 9_996.0), "10.0 kW");
        assert_eq!(text(By::Power, 12_340.0), "12.3 kW");
        assert_eq!(text(By::Power, 123_400.0), "123 kW");
        assert_eq!(text(By::Age, 119.0), "119 s");
        assert_eq!(text(By::Age, 190.0), "3 m");
        assert_eq!(text(By::Age, 7300.0), "2 h");
    }
}
