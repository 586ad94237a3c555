//! What drivers find and answer, in words of their own: nothing here knows a protocol.

use rack::node::{Abilities, Firmware};
use rack::{BootTarget, Health, Identity, Part, PowerState, Reading, Time, Unit};
use tokio::time::Instant;

/// One outlet of a PDU: as it is read, and as it is shown.
pub use rack::request::OutletView as Outlet;

/// A value before it has a time: name, value, unit. No value is "no reading".
pub type Raw = (String, Option<f64>, Unit);

/// A value, now that it has a time.
pub fn reading((name, value, unit): Raw, taken: Time) -> Reading {
    Reading {
        name,
        value,
        unit,
        taken,
    }
}

/// Something that could not be read, and did not stop the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Which resource.
    pub path: String,
    /// What went wrong.
    pub what: String,
}

/// Everything behind one address.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Systems; those that are no machine too.
    pub systems: Vec<FoundSystem>,
    /// PDUs, shelves, cooling, enclosures.
    pub devices: Vec<FoundDevice>,
    /// What could not be read.
    pub problems: Vec<Problem>,
    /// Requests it took.
    pub requests: u32,
}

/// One `ComputerSystem`.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundSystem {
    /// What it says it is.
    pub identity: Identity,
    /// What it can be told.
    pub abilities: Abilities,
    /// What it is made of.
    pub parts: Vec<Part>,
    /// Worst of its parts.
    pub health: Health,
    /// On or off, when told.
    pub power: Option<PowerState>,
    /// Path of the system.
    pub system: String,
    /// Path of its manager.
    pub manager: Option<String>,
    /// Path of the chassis that its power and temperatures are read from.
    pub chassis: Option<String>,
    /// Whether it can be switched or booted; if neither, it is a part of another one.
    pub is_machine: bool,
    /// Firmware of the box and its parts, as its update service tells.
    pub firmware: Vec<Firmware>,
}

/// A short look.
#[derive(Debug, Clone, PartialEq)]
pub struct Glance {
    /// To see that the path still leads to the same box.
    pub identity: Identity,
    /// On or off, when told.
    pub power: Option<PowerState>,
    /// The override in force; [`BootTarget::None`] when there is none, nothing when it is untold or another.
    pub boot: Option<BootTarget>,
    /// What the system says of itself, without its parts.
    pub health: Health,
}

/// What a device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceKind {
    /// A PDU in a rack.
    RackPdu,
    /// A PDU for a row.
    FloorPdu,
    /// Rectifiers for a rack.
    PowerShelf,
    /// A transfer switch between two feeds.
    TransferSwitch,
    /// A coolant distribution unit or another piece of thermal equipment.
    Cooling,
    /// A chassis with a BMC of its own but no system: a blade enclosure, a drive box.
    Enclosure,
}

/// One device.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundDevice {
    /// What it is.
    pub kind: DeviceKind,
    /// Its name there.
    pub name: String,
    /// Its path at this discovery.
    pub path: String,
    /// Maker, model, serial.
    pub identity: Identity,
    /// Of the device itself.
    pub health: Health,
    /// Watts through it now, when told.
    pub watts: Option<f64>,
    /// What else it measures: coolant temperatures, flow, pressure, phase currents, leaks.
    pub readings: Vec<Raw>,
    /// Its outlets, when it has some.
    pub outlets: Vec<Outlet>,
    /// What each input of a PDU is rated for; empty when it does not tell that of all.
    pub mains: Vec<rack::free::Rating>,
}

/// What became of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Receipt {
    /// It is so, as the BMC itself shows.
    Done,
    /// The BMC took it; look again to see it done.
    Accepted {
        /// Path of its task, when it made one.
        task: Option<String>,
    },
    /// Not now, for a reason that something else must lift.
    Blocked {
        /// The reason.
        by: String,
    },
}

/// A task of a BMC.
#[derive(Debug, Clone, PartialEq)]
pub enum TaskState {
    /// Under way.
    Running {
        /// 0 to 100, when told.
        percent: Option<f64>,
    },
    /// Done well.
    Done,
    /// Ended otherwise.
    Failed {
        /// What the BMC says.
        why: String,
    },
}

/// Whether the BMC answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contact {
    /// Nothing was asked yet, or too little to tell.
    Unknown,
    /// It answered, last at this instant.
    Answers {
        /// Last answer.
        at: Instant,
    },
    /// It did not answer several times in a row; it is asked only now and then.
    Silent {
        /// First failure.
        since: Instant,
        /// The latest one.
        why: String,
    },
}

/// One record of an event.
#[derive(Debug, Clone, PartialEq)]
pub struct HardwareEvent {
    /// `id` of the server-sent event: give it to [`crate::Redfish::events`] to go on after it.
    pub id: Option<String>,
    /// `MessageId`, with its registry.
    pub message_id: Option<String>,
    /// What the BMC says, in words.
    pub message: Option<String>,
    /// `OK`, `Warning` or `Critical`.
    pub severity: Option<String>,
    /// Path of the resource that it is about.
    pub origin: Option<String>,
}
