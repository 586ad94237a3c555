//! What is known of makers, as data: `pdus.toml`, read once.

use std::sync::OnceLock;

use rack::{Health, PowerState, Unit};
use serde::Deserialize;

use crate::snmp::agent::{Oid, Value};

/// One family of PDUs.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Unique.
    pub name: String,
    /// Who makes them, where the device does not say so itself.
    pub maker: String,
    /// `sysObjectID` starts with one of these.
    pub objects: Vec<Oid>,
    /// And there is something below this.
    pub probe: Oid,
    /// The PDUs behind one agent.
    pub units: Units,
    /// Their outlets.
    pub outlets: Option<Outlets>,
    /// What they measure: inlets, phases, banks.
    #[serde(default)]
    pub measured: Vec<Measured>,
}

/// The PDUs behind one agent: linked units have one address.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Units {
    /// A column with a row for each; without it there is one.
    pub rows: Option<Oid>,
    /// What someone called it.
    pub label: Option<Oid>,
    /// Who made it.
    pub maker: Option<Oid>,
    /// The first of each that says something counts.
    #[serde(default)]
    pub model: Vec<Oid>,
    /// Serial numbers.
    #[serde(default)]
    pub serial: Vec<Oid>,
    /// Firmware versions.
    #[serde(default)]
    pub firmware: Vec<Oid>,
    /// Its state.
    pub health: Option<Healths>,
    /// Watts through it; the first that has a value counts.
    #[serde(default)]
    pub watts: Vec<Quantity>,
    /// Energy since its counter was reset.
    #[serde(default)]
    pub kwh: Vec<Quantity>,
}

/// Numbers that tell a health.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Healths {
    /// The object.
    pub oid: Oid,
    /// Works.
    #[serde(default)]
    pub ok: Vec<i64>,
    /// Needs a look.
    #[serde(default)]
    pub warning: Vec<i64>,
    /// Needs a look now.
    #[serde(default)]
    pub critical: Vec<i64>,
}

impl Healths {
    /// The health that a value means.
    pub fn of(&self, value: Option<&Value>) -> Health {
        let Some(n) = value.and_then(Value::number) else {
            return Health::Unknown;
        };
        if self.ok.contains(&n) {
            Health::Ok
        } else if self.warning.contains(&n) {
            Health::Warning
        } else if self.critical.contains(&n) {
            Health::Critical
        } else {
            Health::Unknown
        }
    }
}

/// A measured number. A negative one is no reading: so every one of these MIBs says "not measured".
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quantity {
    /// The column, or the scalar.
    pub oid: Oid,
    /// Times this; hundredths are 0.01.
    #[serde(default = "one")]
    pub scale: f64,
    /// A column with the number of decimal digits, at the same index.
    pub digits: Option<Oid>,
    /// Which sensor, as the last number of the index.
    pub sensor: Option<u32>,
    /// Of a unit: all rows whose index starts with the unit's are added up.
    #[serde(default)]
    pub sum: bool,
    /// Only rows where that column says so; for a sum.
    pub only: Option<Only>,
}

fn one() -> f64 {
    1.0
}

/// A condition on a row.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Only {
    /// The column.
    pub oid: Oid,
    /// The row counts when its value is one of these, or
    #[serde(default)]
    pub is: Vec<i64>,
    /// when it has a value and that is none of these.
    #[serde(default)]
    pub not: Vec<i64>,
}

impl Only {
    /// Whether the row with that value counts.
    pub fn admits(&self, value: Option<&Value>) -> bool {
        match value.and_then(Value::number) {
            Some(n) if !self.is.is_empty() => self.is.contains(&n),
            Some(n) => !self.not.contains(&n),
            None => false,
        }
    }
}

/// Which unit a row belongs to. Without either it is the only one.
#[derive(Debug, Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Its index starts with that of the unit.
    #[serde(default)]
    pub prefix: bool,
    /// A column holds the index of the unit.
    #[serde(default)]
    pub columns: Vec<Oid>,
}

/// The outlets.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outlets {
    /// Their unit.
    #[serde(default)]
    pub place: Place,
    /// What the PDU calls them; without it the index counts.
    #[serde(default)]
    pub id: Vec<Oid>,
    /// What someone wrote on them.
    #[serde(default)]
    pub label: Vec<Oid>,
    /// On or off.
    pub state: Option<States>,
    /// Orders.
    pub control: Option<Control>,
    /// Watts drawn.
    #[serde(default)]
    pub watts: Vec<Quantity>,
    /// Amperes drawn.
    #[serde(default)]
    pub amps: Vec<Quantity>,
}

/// Numbers that tell a power state.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct States {
    /// The object.
    pub oid: Oid,
    /// On.
    pub on: Vec<i64>,
    /// Off.
    pub off: Vec<i64>,
    /// Off, and about to be on.
    #[serde(default)]
    pub turning_on: Vec<i64>,
    /// On, and about to be off.
    #[serde(default)]
    pub turning_off: Vec<i64>,
}

impl States {
    /// The state that a value means.
    pub fn of(&self, value: Option<&Value>) -> Option<PowerState> {
        let n = value?.number()?;
        [
            (&self.on, PowerState::On),
            (&self.off, PowerState::Off),
            (&self.turning_on, PowerState::PoweringOn),
            (&self.turning_off, PowerState::PoweringOff),
        ]
        .into_iter()
        .find_map(|(values, state)| values.contains(&n).then_some(state))
    }
}

/// How outlets are switched.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Control {
    /// Switches on.
    pub on: Order,
    /// Switches off.
    pub off: Order,
    /// Off, a pause, on; by the PDU itself.
    pub reboot: Option<Order>,
    /// For PDUs that have an object for each outlet instead of a column: their last numbers, in order of the outlets.
    #[serde(default)]
    pub instances: Vec<String>,
    /// Tells whether the outlet can be switched; without it, or when the device has no such object, it can.
    pub able: Option<Able>,
}

/// An integer that is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// The column.
    pub oid: Oid,
    /// The integer.
    pub value: i64,
}

/// Whether an outlet can be switched.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Able {
    /// The object.
    pub oid: Oid,
    /// Numbers that mean yes.
    #[serde(default)]
    pub yes: Vec<i64>,
    /// A bit that means yes.
    pub bit: Option<u32>,
}

impl Able {
    /// Whether the value means yes.
    pub fn of(&self, value: Option<&Value>) -> bool {
        match (value, self.bit) {
            (None | Some(Value::Missing), _) => true,
            (Some(v), Some(bit)) => v.bit(bit),
            (Some(v), None) => v.number().is_some_and(|n| self.yes.contains(&n)),
        }
    }
}

/// A table of things that are measured.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// `phase`, `bank`, `line`: with a number behind it, the start of the names of its readings.
    pub name: String,
    /// Their unit.
    #[serde(default)]
    pub place: Place,
    /// A column with the number; without it the index counts.
    pub number: Option<Oid>,
    /// Only some rows.
    pub only: Option<Only>,
    /// Amperes.
    pub amps: Option<Quantity>,
    /// Volts.
    pub volts: Option<Quantity>,
    /// Watts.
    pub watts: Option<Quantity>,
    /// Energy.
    pub kwh: Option<Quantity>,
}

impl Measured {
    /// What it measures, with names and units.
    pub fn quantities(&self) -> impl Iterator<Item = (&Quantity, &'static str, Unit)> {
        [
            (&self.amps, "amps", Unit::Amperes),
            (&self.volts, "volts", Unit::Volts),
            (&self.watts, "watts", Unit::Watts),
            (&self.kwh, "kwh", Unit::KilowattHours),
        ]
        .into_iter()
        .filter_map(|(q, name, unit)| Some((q.as_ref()?, name, unit)))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    profile: Vec<Profile>,
}

/// All of them; where two fit, the earlier one counts.
pub fn all() -> &'static [Profile] {
    static ALL: OnceLock<Vec<Profile>> = OnceLock::new();
    ALL.get_or_init(|| {
        toml::from_str::<File>(include_str!("pdus.toml"))
            .expect("the data that comes with the program is read in a test")
            .profile
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_is_well_formed() {
        let mut names: Vec<&str> = all().iter().map(|p| p.name.as_str()).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count, "names are unique");
        for p in all() {
            let start: Oid = "1.3.6.1.4.1".parse().expect("an OID");
            assert!(p.objects.iter().all(|o| o.after(&start).is_some()), "{}", p.name);
            for q in p.units.watts.iter().chain(&p.units.kwh) {
                assert!(!(q.sum && q.oid.is_scalar()), "{}: a scalar has no rows", p.name);
            }
            if let Some(outlets) = &p.outlets {
                assert!(!outlets.place.prefix || outlets.place.columns.is_empty(), "{}", p.name);
                let Some(control) = &outlets.control else { continue };
                assert_ne!(
                    (&control.on.oid, control.on.value),
                    (&control.off.oid, control.off.value),
                    "{}: on and off are two orders",
                    p.name
                );
                assert!(outlets.state.is_some(), "{}: what is switched is read back", p.name);
                assert!(control.instances.iter().all(|i| i.parse::<Oid>().is_ok()), "{}", p.name);
            }
        }
    }
}
