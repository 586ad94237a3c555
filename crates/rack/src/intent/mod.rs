//! What a rack should be, as its owner wrote it down or a source of truth tells: boxes at units, what they are made of,
//! and what they are wired to. Never changed by what is seen; `plan::fsck` compares the two.
//!
//! Everything but a box's slot may be left out: what nobody wrote down is not checked.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::node::{Neighbour, OutletRef};
use crate::{Bytes, Mac, Name, Place, Time};

mod check;

/// Most boxes of one rack: 60 units of eight sleds each, and what hangs at its sides.
pub const BOXES: usize = 1000;
/// Most ports, outlets or firmware wishes of one box.
pub const LINES: usize = 1024;
/// Longest text of a maker, model, serial, name or version.
pub const TEXT: usize = 128;
/// Highest rack, in units.
pub const UNITS: f64 = 100.0;

/// What one rack should be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Intent {
    /// The rack.
    pub rack: Name,
    /// Its height in units, when told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub units: Option<f64>,
    /// What stands in it, by slot.
    #[serde(default)]
    pub boxes: Vec<IntendedBox>,
}

/// One box as it should be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IntendedBox {
    /// Its slot: the second step of its place.
    pub slot: Name,
    /// What it is.
    #[serde(default, skip_serializing_if = "BoxKind::is_server")]
    pub kind: BoxKind,
    /// Lowest unit that it takes, counted from below; nothing when it hangs at the side or nobody wrote it down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<f64>,
    /// How many units it takes; 1 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<f64>,
    /// The side that it is mounted on.
    #[serde(default, skip_serializing_if = "Face::is_front")]
    pub face: Face,
    /// Whether it leaves the units behind it free.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub half_depth: bool,
    /// What others call it: its host name, the name in a source of truth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Maker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maker: Option<String>,
    /// Model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Serial number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// The owner's own number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asset: Option<String>,
    /// Address of its BMC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bmc: Option<String>,
    /// What it is made of.
    #[serde(default, skip_serializing_if = "Bill::is_empty")]
    pub bill: Bill,
    /// Versions wanted, by the id or name of the firmware; `bios` and `bmc` are understood everywhere.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub firmware: BTreeMap<String, String>,
    /// PDU outlets that feed it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outlets: Vec<OutletRef>,
    /// Its network ports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<Port>,
}

impl IntendedBox {
    /// A server of which nothing is known but where it stands.
    pub fn at(slot: Name) -> IntendedBox {
        IntendedBox {
            slot,
            kind: BoxKind::Server,
            unit: None,
            height: None,
            face: Face::Front,
            half_depth: false,
            name: None,
            maker: None,
            model: None,
            serial: None,
            asset: None,
            bmc: None,
            bill: Bill::default(),
            firmware: BTreeMap::new(),
            outlets: Vec::new(),
            ports: Vec::new(),
        }
    }

    fn takes(&self) -> Option<(f64, f64)> {
        let from = self.unit?;
        Some((from, from + self.height.unwrap_or(1.0)))
    }
}

/// What a box is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BoxKind {
    /// Becomes machines.
    #[default]
    Server,
    /// Feeds others.
    Pdu,
    /// Connects others.
    Switch,
    /// Stands there; Busbar does not look for it.
    Other,
}

impl BoxKind {
    fn is_server(&self) -> bool {
        *self == BoxKind::Server
    }

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            BoxKind::Server => "server",
            BoxKind::Pdu => "pdu",
            BoxKind::Switch => "switch",
            BoxKind::Other => "other",
        }
    }
}

/// A side of a rack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Face {
    /// The cold aisle's side.
    #[default]
    Front,
    /// The hot aisle's side.
    Rear,
}

impl Face {
    fn is_front(&self) -> bool {
        *self == Face::Front
    }
}

/// A bill of materials: at least this. What is absent is not checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Bill {
    /// Sockets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processors: Option<u32>,
    /// Cores of all sockets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cores: Option<u32>,
    /// Memory in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Bytes>,
    /// Drives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drives: Option<u32>,
    /// All drives together, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage: Option<Bytes>,
    /// Graphics or compute accelerators.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpus: Option<u32>,
    /// Network ports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nics: Option<u32>,
}

impl Bill {
    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        *self == Bill::default()
    }
}

/// A network port and where its cable should end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Port {
    /// As the box or its label calls it.
    pub id: String,
    /// Its address, when known: what a port is found by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<Mac>,
    /// The other end of its cable: a slot of this rack, a place or a switch's name, and the port there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Neighbour>,
}

/// What a node was made of when someone last agreed to it: what a change of parts is measured against.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Baseline {
    /// Its parts then.
    #[schema(value_type = Vec<crate::Part>)]
    pub parts: crate::node::Parts,
    /// When that was.
    pub at: Time,
}

/// Since when what is wrong with a rack is wrong, by the key of the finding.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Drift {
    /// When each was seen first.
    pub since: BTreeMap<String, Time>,
}

/// Serials that boards carry when nobody wrote one: not identities.
const NO_SERIAL: &[&str] = &[
    "0",
    "00000000",
    "0123456789",
    "1234567890",
    "default string",
    "empty",
    "n/a",
    "na",
    "none",
    "not available",
    "not specified",
    "system serial number",
    "to be filled by o.e.m.",
    "unknown",
    "xxxxxxxx",
];

/// Whether a serial number tells one box from another.
pub fn tells_apart(serial: &str) -> bool {
    !NO_SERIAL.contains(&serial.trim().to_ascii_lowercase().as_str())
}

impl Intent {
    /// An empty rack.
    pub fn of(rack: Name) -> Intent {
        Intent {
            rack,
            units: None,
            boxes: Vec::new(),
        }
    }

    /// The box at a slot.
    pub fn at(&self, slot: &str) -> Option<&IntendedBox> {
        self.boxes.iter().find(|b| b.slot.as_str() == slot)
    }

    /// Where a box stands.
    pub fn place(&self, of: &IntendedBox) -> Place {
        Place::new(&self.rack, &of.slot)
    }

    /// Sorts everything, so that two that mean the same are the same.
    pub fn sort(&mut self) {
        let rack = self.rack.clone();
        self.boxes.sort_by_cached_key(|b| Place::new(&rack, &b.slot));
        for b in &mut self.boxes {
            // One unit is what is meant when nobody says a height.
            b.height = b.height.filter(|h| *h != 1.0);
            b.outlets.sort();
            b.outlets.dedup();
            b.ports.sort_by(|x, y| x.id.cmp(&y.id));
        }
    }
}
