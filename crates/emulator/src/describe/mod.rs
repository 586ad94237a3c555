//! A rack's description: what stands where, what it is plugged into, what cools it. A file (`racks/*.toml`) is read by
//! [`mod@file`], which refuses what can't be with the line and the reason; `busbar up --emulate --nodes N` makes one in code
//! ([`crate::layout`]). [`plant`] makes a plant of it, [`mod@intent`] what its owner would write down of it.

pub mod file;
pub mod intent;
pub mod plant;

use serde::Deserialize;

use crate::physics::breaker::Curve;
use crate::physics::circuit::{IMMERSION, PG25, WATER};
use crate::physics::kinds::Kind;
use crate::physics::load::Trace;

/// A rack that can be.
#[derive(Debug, Clone, PartialEq)]
pub struct Described {
    /// Its name: `r1`.
    pub name: String,
    /// What it is, in a line.
    pub about: String,
    /// Its height.
    pub units: u32,
    /// Its air.
    pub room: Room,
    /// Its rear door.
    pub door: Option<Door>,
    /// Loops and tanks.
    pub loops: Vec<Loop>,
    /// Feeds.
    pub feeds: Vec<Feed>,
    /// PDUs.
    pub pdus: Vec<Pdu>,
    /// Shelves of rectifiers.
    pub shelves: Vec<Shelf>,
    /// Boxes, bottom up.
    pub boxes: Vec<BoxAt>,
}

/// The air that boxes breathe. What cools it stands elsewhere, on feeds of its own: what that draws is nobody's watts here,
/// as nothing measured says how much it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Room {
    /// What its cooling blows, °C.
    pub celsius: f64,
    /// Its share of the room, m³.
    pub cubic_metres: f64,
    /// Steel that the air washes, kg.
    pub steel: f64,
    /// What its cooling can take, W.
    pub cooling: f64,
    /// Seconds that the cooling takes to come back.
    pub restart: f64,
}

/// A heat exchanger in the rear door: a passive one, through which the fans of boxes push. It draws nothing; of doors with
/// fans there is no measured figure to go by.
#[derive(Debug, Clone, PartialEq)]
pub struct Door {
    /// ε.
    pub effectiveness: f64,
    /// Its water, °C.
    pub water: f64,
}

/// A loop of coolant, or a tank of fluid, with its pumps and its exchanger. Its pumps draw their watts through the unit that
/// moves it; what cools and moves the facility's water stands elsewhere, and draws nothing here.
#[derive(Debug, Clone, PartialEq)]
pub struct Loop {
    /// Its name.
    pub name: String,
    /// What goes round in it.
    pub fluid: Fluid,
    /// All of it.
    pub litres: f64,
    /// At full speed.
    pub litres_per_minute: f64,
    /// What it seeks to supply, °C.
    pub supply: f64,
    /// Facility water, °C.
    pub water: f64,
    /// Its flow, l/min.
    pub water_flow: f64,
    /// ε of the exchanger.
    pub effectiveness: f64,
    /// Pumps, one of them spare when there are more than one.
    pub pumps: u8,
    /// Watts of one.
    pub pump_watts: f64,
}

/// What goes round in a loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fluid {
    /// Water with a quarter of propylene glycol.
    #[default]
    Pg25,
    /// Water.
    Water,
    /// A dielectric that boxes lie in, of one phase.
    Immersion,
}

impl Fluid {
    /// J/(l·K).
    pub fn heat(self) -> f64 {
        match self {
            Fluid::Pg25 => PG25,
            Fluid::Water => WATER,
            Fluid::Immersion => IMMERSION,
        }
    }
}

/// A feed: a source with a breaker, perhaps behind a transfer switch and an uninterruptible supply.
#[derive(Debug, Clone, PartialEq)]
pub struct Feed {
    /// Its name.
    pub name: String,
    /// Phase to neutral.
    pub volts: f64,
    /// 1 or 3.
    pub phases: u8,
    /// Of its breaker.
    pub amps: f64,
    /// How that trips.
    pub curve: Curve,
    /// A second source behind a transfer switch, and the milliseconds that it takes.
    pub transfer: Option<f64>,
    /// Watts, and minutes at that, of an uninterruptible supply.
    pub ups: Option<(f64, f64)>,
}

/// A PDU.
#[derive(Debug, Clone, PartialEq)]
pub struct Pdu {
    /// Its name.
    pub name: String,
    /// Which feed.
    pub feed: usize,
    /// How many.
    pub outlets: usize,
    /// Branch breakers, which the outlets are shared out to in runs.
    pub branches: usize,
    /// Amps of each.
    pub branch_amps: f64,
    /// Whether it answers on the network; a strip of sockets does not.
    pub managed: bool,
}

/// A shelf of rectifiers on a bus bar.
#[derive(Debug, Clone, PartialEq)]
pub struct Shelf {
    /// Its name.
    pub name: String,
    /// The feed that it takes all phases of.
    pub feed: usize,
    /// The bus bar that it gives to.
    pub bus: String,
    /// How many.
    pub rectifiers: u8,
    /// Watts of each.
    pub watts: f64,
    /// Joules of a battery on the bar; 0 for none.
    pub battery: f64,
    /// The unit that it takes, where it is told.
    pub unit: Option<u32>,
}

/// Where a box's cord goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cord {
    /// An outlet of a PDU, from 0.
    Outlet(usize, usize),
    /// A bus bar.
    Bus(String),
}

/// A box in its place.
#[derive(Debug, Clone, PartialEq)]
pub struct BoxAt {
    /// `r1/u3`.
    pub place: String,
    /// The lowest unit that it takes; none beside the rack, or at its side.
    pub unit: Option<u32>,
    /// How many units it takes.
    pub height: u32,
    /// What it is.
    pub kind: Kind,
    /// A cord for each supply.
    pub cords: Vec<Cord>,
    /// The loop of its cold plates, the tank that it lies in, or the loop that it moves.
    pub on: Option<usize>,
    /// Whether its pumps move that loop.
    pub moves: bool,
    /// What it is asked to do.
    pub load: Trace,
    /// Who it is to whoever manages it.
    pub as_: As,
}

/// What a box is to whoever manages it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum As {
    /// A server behind a BMC.
    Server,
    /// A server without one.
    Bare,
    /// A box with a controller that answers for it and no machine in it: a coolant unit, a switch, accelerators, drives.
    Managed,
    /// A load in its place: nothing on the network.
    Load,
}

impl As {
    /// What boxes of this kind are.
    pub fn of(kind: &Kind) -> As {
        match kind.name {
            "server-bare" | "n100" => As::Bare,
            "ex-blade" => As::Load,
            _ if kind.cpus > 0 => As::Server,
            _ => As::Managed,
        }
    }

    /// Whether machines run on it, which somebody starts.
    pub fn is_server(self) -> bool {
        matches!(self, As::Server | As::Bare)
    }
}

/// Racks that come with Busbar: name and text.
pub const RACKS: [(&str, &str); 6] = [
    ("home-lab", include_str!("../../../../racks/home-lab.toml")),
    ("colo", include_str!("../../../../racks/colo.toml")),
    ("gpu-air", include_str!("../../../../racks/gpu-air.toml")),
    ("nvl72", include_str!("../../../../racks/nvl72.toml")),
    ("composable", include_str!("../../../../racks/composable.toml")),
    ("immersion", include_str!("../../../../racks/immersion.toml")),
];
