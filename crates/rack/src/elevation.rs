//! A rack as it is drawn: which box stands at which unit, and one thing about each, shown by its shade or its class.
//! Decided once by `plan::elevation`, drawn by the console and as a picture. `GET /v1/racks/{rack}/elevation`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::intent::Face;
use crate::shed::Shed;
use crate::{Health, Name, Place, PowerState, Time};

/// What boxes are told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// Watts at the wall.
    #[default]
    Power,
    /// Watts as a share of the box's cap.
    Share,
    /// Inlet temperature.
    Inlet,
    /// The hottest temperature in the box.
    Hottest,
    /// Who has it, or why nobody can.
    Use,
    /// Worst health of its parts.
    Health,
    /// How old its readings are.
    Age,
    /// Whether its firmware is as wished, or as that of its like.
    Firmware,
}

impl By {
    /// All of them, in the order in which they are offered.
    pub const ALL: [By; 8] = [
        By::Power,
        By::Share,
        By::Inlet,
        By::Hottest,
        By::Use,
        By::Health,
        By::Age,
        By::Firmware,
    ];

    /// As it is written in a link.
    pub fn as_str(self) -> &'static str {
        match self {
            By::Power => "power",
            By::Share => "share",
            By::Inlet => "inlet",
            By::Hottest => "hottest",
            By::Use => "use",
            By::Health => "health",
            By::Age => "age",
            By::Firmware => "firmware",
        }
    }

    /// Whether boxes are told apart by class, not by a number.
    pub fn is_classed(self) -> bool {
        matches!(self, By::Use | By::Health | By::Firmware)
    }
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What can't be shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("by: `{0}` is none of power, share, inlet, hottest, use, health, age, firmware")]
pub struct BadBy(String);

impl FromStr for By {
    type Err = BadBy;

    fn from_str(text: &str) -> Result<By, BadBy> {
        By::ALL.into_iter().find(|by| by.as_str() == text).ok_or_else(|| {
            let shown = text.chars().filter(|c| !c.is_control()).take(40).collect();
            BadBy(shown)
        })
    }
}

/// One rack as it is drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Elevation {
    /// The rack.
    pub rack: Name,
    /// Its height in units.
    pub units: u32,
    /// What boxes are told apart by.
    pub by: By,
    /// Unit of the numbers; empty where there are classes.
    pub unit: String,
    /// What it is as of.
    pub at: Time,
    /// Whether that is a moment of the last day, of which readings alone are kept.
    pub past: bool,
    /// What shades and classes mean.
    pub legend: Legend,
    /// What stands at units, from below, as people count places.
    pub boxes: Vec<DrawnBox>,
    /// PDUs at the sides.
    pub flanks: Vec<Flank>,
    /// What has no unit: coolant units, shelves, boxes that nobody gave one.
    pub feet: Vec<DrawnBox>,
    /// The rack in three numbers.
    pub totals: Totals,
}

/// What shades and classes mean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Legend {
    /// The number at shade 0; null where there are classes.
    pub low: Option<f64>,
    /// The number at shade 1; null where there are classes.
    pub high: Option<f64>,
    /// In words.
    pub label: String,
    /// Classes that can appear, worst last; empty where there are shades.
    pub classes: Vec<ClassLabel>,
}

/// What a class means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClassLabel {
    /// The class.
    pub class: Class,
    /// In words.
    pub label: String,
    /// Boxes of it.
    pub boxes: u32,
}

/// How a box is shown where no number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// As it should be.
    Ok,
    /// A machine has it.
    Used,
    /// A machine could have it.
    Free,
    /// Nothing is placed on it: not armed, cordoned, not clean.
    Closed,
    /// Not told.
    Unknown,
    /// Needs a look.
    Warning,
    /// Needs a look now.
    Critical,
}

impl Class {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Class::Ok => "ok",
            Class::Used => "used",
            Class::Free => "free",
            Class::Closed => "closed",
            Class::Unknown => "unknown",
            Class::Warning => "warning",
            Class::Critical => "critical",
        }
    }
}

impl From<Health> for Class {
    fn from(health: Health) -> Class {
        match health {
            Health::Unknown => Class::Unknown,
            Health::Ok => Class::Ok,
            Health::Warning => Class::Warning,
            Health::Critical => Class::Critical,
        }
    }
}

/// One box.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DrawnBox {
    /// Where it stands.
    pub place: Place,
    /// Its lowest unit, counted from below; null in the feet.
    pub unit: Option<f64>,
    /// How many units it takes.
    pub height: f64,
    /// The side that it is mounted on.
    pub face: Face,
    /// Whether it is seen from that side alone.
    pub half_depth: bool,
    /// Which of `columns` equal columns it takes, counted from the left as seen from the front: boxes that share a unit stand side by side.
    pub column: u32,
    /// How many columns share the width.
    pub columns: u32,
    /// `server`, `switch`, `pdu`, `cooling`, …
    pub kind: String,
    /// Maker and model, when told.
    pub model: Option<String>,
    /// What others call it, as it was written down.
    pub name: Option<String>,
    /// Whether it was found; what is only written down was not.
    pub found: bool,
    /// Which machine holds it.
    pub machine: Option<Name>,
    /// That machine's state.
    pub state: Option<String>,
    /// Why that machine is held, when it is.
    pub held: Option<String>,
    /// What is taken from that machine so that nothing trips.
    pub shed: Option<Shed>,
    /// On or off at the last answer.
    pub power: Option<PowerState>,
    /// Worst health of its parts; null for a moment of the past.
    pub health: Option<Health>,
    /// Why its BMC does not answer, when it does not.
    pub silent: Option<String>,
    /// Whether Busbar may write to it.
    pub armed: bool,
    /// Why nothing is placed on it, when someone or a failure took it out of use.
    pub cordoned: Option<String>,
    /// What it is told apart by; null when it is not known.
    pub value: Option<DrawnValue>,
    /// Why there is no value: `no reading`, `no cap`, `not found`, `not kept`, …
    pub missing: Option<String>,
    /// What is in it that people look for: its accelerators.
    pub cells: Vec<Cell>,
}

/// What a box is told apart by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DrawnValue {
    /// The number; null where there are classes.
    pub number: Option<f64>,
    /// As people read it, with its unit.
    pub text: String,
    /// Place on the palette, 0 to 1; null where there are classes, and for the watts of what feeds others.
    pub shade: Option<f64>,
    /// The class, where no number is.
    pub class: Option<Class>,
    /// Seconds since it was read; null for what is recorded.
    pub age: Option<u64>,
    /// When it was read.
    pub taken: Option<Time>,
}

/// A slot inside a box.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Cell {
    /// The part's id.
    pub name: String,
    /// `gpu`
    pub kind: String,
    /// Place on the palette; null when nothing tells.
    pub shade: Option<f64>,
    /// The class, where no number is.
    pub class: Option<Class>,
    /// As people read it; empty when nothing tells.
    pub text: String,
}

/// A PDU at a side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Flank {
    /// Where it hangs.
    pub place: Place,
    /// `pdu`
    pub kind: String,
    /// Maker and model, when told.
    pub model: Option<String>,
    /// Whether it was found.
    pub found: bool,
    /// Its health; null for a moment of the past.
    pub health: Option<Health>,
    /// What it is told apart by.
    pub value: Option<DrawnValue>,
    /// Why there is no value.
    pub missing: Option<String>,
    /// Its outlets, as people count them.
    pub outlets: Vec<DrawnOutlet>,
}

/// One outlet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DrawnOutlet {
    /// As the PDU counts it.
    pub outlet: String,
    /// What someone wrote on it.
    pub label: Option<String>,
    /// Whether it is on; null when not told.
    pub on: Option<bool>,
    /// What it feeds, as its owner wrote down.
    pub feeds: Option<Place>,
    /// Watts drawn.
    pub watts: Option<f64>,
}

/// The rack in three numbers.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct Totals {
    /// Watts of all servers that tell theirs; null when none does.
    pub watts: Option<f64>,
    /// Servers that don't tell theirs.
    pub unknown: u32,
    /// Warmest inlet in °C.
    pub inlet_max: Option<f64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_boxes_are_told_apart_by_reads_back_as_written() {
        for by in By::ALL {
            assert_eq!(by.as_str().parse::<By>(), Ok(by));
            assert_eq!(serde_json::to_string(&by).unwrap(), format!("\"{by}\""));
        }
        let refused = "colour\u{7}".parse::<By>().unwrap_err().to_string();
        assert!(refused.starts_with("by: `colour` is none of power"), "{refused}");
    }
}
