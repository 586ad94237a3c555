//! What answers beside servers and PDUs: [`cooling`] units, [`shelf`], and what both have in common with boxes that have
//! nothing else to tell ([`case`]): an enclosure with power, supplies, fans and temperatures.

mod case;
mod cooling;
mod shelf;

use serde_json::{Value, json};

use super::fine;
use crate::emulated::Emulated;
use crate::equipment::Job;

/// Names of the equipment services in the root, of this box.
pub(super) fn services(rack: &Emulated, i: usize) -> &'static [&'static str] {
    match rack.equipment[i].spec.job {
        Job::Cooling { .. } => &["Chassis", "ThermalEquipment"],
        Job::Shelf { .. } => &["Chassis", "PowerEquipment"],
        Job::Enclosure(_) => &["Chassis"],
    }
}

/// Whether it does what it is for: what has shut itself off, or gives nothing, is critical.
fn state(rack: &Emulated, i: usize) -> Value {
    match rack.is_on(rack.equipment[i].body) {
        true => fine(),
        false => json!({"State": "UnavailableOffline", "Health": "Critical"}),
    }
}

/// The document at a path of this box, below `/redfish/v1`.
pub(super) fn get(rack: &Emulated, i: usize, segments: &[&str]) -> Option<Value> {
    let it = &rack.equipment[i];
    match (segments, &it.spec.job) {
        (["Chassis", rest @ ..], _) => case::get(rack, i, rest),
        (["ThermalEquipment", rest @ ..], Job::Cooling { moves, .. }) => cooling::get(rack, i, moves, rest),
        (["PowerEquipment", rest @ ..], Job::Shelf { shelf, phases }) => shelf::get(rack, i, shelf, *phases, rest),
        _ => None,
    }
}
