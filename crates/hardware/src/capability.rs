//! What a device can be asked and told, one small trait for each ability.
//!
//! A [`Driver`] is one device on the network: a BMC, a PDU. It says which capabilities it truly has; what stands above
//! asks for the capability it needs and never for the protocol. Each act is idempotent as far as the device allows,
//! observes before it acts, and answers with a [`Receipt`].

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use futures_util::Stream;
use rack::node::{BmcAddress, Firmware};
use rack::{BootTarget, Health, Reading, ResetKind, Time};

use crate::error::Error;
use crate::found::{Contact, Found, Glance, HardwareEvent, Outlet, Receipt, TaskState};
use crate::line::Line;
use crate::permit::{Mode, Permit};

/// What a driver answers, when it does.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// One device on the network.
pub trait Driver: Send + Sync {
    /// Its address, its mode, and whether it answers.
    fn line(&self) -> &Line;
    /// The address it was made for.
    fn url(&self) -> &str {
        self.line().url()
    }
    /// Whether it may be written to.
    fn mode(&self) -> Mode {
        self.line().mode()
    }
    /// Arms or disarms it. Disarmed, nothing that changes anything is sent from the next request on.
    fn set_mode(&self, mode: Mode) {
        self.line().set_mode(mode);
    }
    /// Requests that were sent so far.
    fn requests(&self) -> u32 {
        self.line().requests()
    }
    /// Whether it answers, and since when not.
    fn contact(&self) -> Contact {
        self.line().contact()
    }
    /// Everything that stands behind the address. Fails only when the device itself can't be read; what fails below
    /// becomes a [`crate::Problem`]. Takes from seconds to minutes.
    fn discover(&self) -> Answer<'_, Found>;

    /// Switching systems.
    fn power(&self) -> Option<&dyn Power> {
        None
    }
    /// Saying what a system boots from.
    fn boot(&self) -> Option<&dyn BootOrder> {
        None
    }
    /// Reading sensors.
    fn sensors(&self) -> Option<&dyn Sensors> {
        None
    }
    /// Limiting watts.
    fn caps(&self) -> Option<&dyn PowerCap> {
        None
    }
    /// Inserting images.
    fn media(&self) -> Option<&dyn VirtualMedia> {
        None
    }
    /// The light that shows someone in the aisle which box it is.
    fn indicator(&self) -> Option<&dyn Indicator> {
        None
    }
    /// The log that the device keeps itself.
    fn log(&self) -> Option<&dyn EventLog> {
        None
    }
    /// Events as they happen.
    fn events(&self) -> Option<&dyn Events> {
        None
    }
    /// Firmware settings.
    fn bios(&self) -> Option<&dyn Bios> {
        None
    }
    /// Firmware versions and updates.
    fn firmware(&self) -> Option<&dyn FirmwareUpdate> {
        None
    }
    /// Accounts of the device.
    fn accounts(&self) -> Option<&dyn Accounts> {
        None
    }
    /// Serial consoles.
    fn console(&self) -> Option<&dyn Console> {
        None
    }
    /// Switching outlets.
    fn outlets(&self) -> Option<&dyn Outlets> {
        None
    }
}

/// Switching systems.
pub trait Power: Send + Sync {
    /// A short look: identity, power, boot override. At most two requests.
    fn glance<'a>(&'a self, at: &'a BmcAddress) -> Answer<'a, Glance>;
    /// Switches or resets a system. [`Receipt::Done`] when it was so already.
    fn reset<'a>(&'a self, at: &'a BmcAddress, kind: ResetKind, permit: &'a Permit) -> Answer<'a, Receipt>;
    /// Restarts the device itself; it is silent for minutes then.
    fn reset_manager<'a>(&'a self, at: &'a BmcAddress, permit: &'a Permit) -> Answer<'a, Receipt>;
}

/// Saying what a system boots from.
pub trait BootOrder: Send + Sync {
    /// Sets what the system boots from next. Read back before it counts.
    fn set_boot<'a>(&'a self, at: &'a BmcAddress, target: BootTarget, permit: &'a Permit) -> Answer<'a, Receipt>;
}

/// Reading sensors.
pub trait Sensors: Send + Sync {
    /// Watts, inlet, CPU temperatures and fans. There is always one named `watts`; without a value when the box does
    /// not tell. `now` is the time that the readings carry.
    fn readings<'a>(&'a self, at: &'a BmcAddress, now: Time) -> Answer<'a, Vec<Reading>>;
}

/// A limit on watts.
#[derive(Debug, Clone, PartialEq)]
pub struct Cap {
    /// What is limited: `system`, or a part of it such as `gpu3`. Unique on its system.
    pub id: String,
    /// Watts in force; nothing when there is no limit, whatever number the device shows beside it.
    pub watts: Option<f64>,
    /// Lowest and highest that it takes, when told.
    pub range: Option<(f64, f64)>,
    /// Whether it can be set.
    pub writable: bool,
}

/// Limiting watts.
pub trait PowerCap: Send + Sync {
    /// Every limit of a system; empty when it has none.
    fn caps<'a>(&'a self, at: &'a BmcAddress) -> Answer<'a, Vec<Cap>>;
    /// Sets the limit named `id`, or lifts it. [`Receipt::Done`] only when the device shows it afterwards.
    fn set_cap<'a>(
        &'a self,
        at: &'a BmcAddress,
        id: &'a str,
        watts: Option<f64>,
        permit: &'a Permit,
    ) -> Answer<'a, Receipt>;
}

/// Inserting images.
pub trait VirtualMedia: Send + Sync {
    /// Inserts the image at `url` as a CD.
    fn insert<'a>(&'a self, at: &'a BmcAddress, url: &'a str, permit: &'a Permit) -> Answer<'a, Receipt>;
    /// Ejects the image at `url`, or every image when it is empty.
    fn eject<'a>(&'a self, at: &'a BmcAddress, url: &'a str, permit: &'a Permit) -> Answer<'a, Receipt>;
}

/// The light that shows someone in the aisle which box it is.
pub trait Indicator: Send + Sync {
    /// Whether it is lit or blinking; nothing when the device does not tell.
    fn is_lit<'a>(&'a self, at: &'a BmcAddress) -> Answer<'a, Option<bool>>;
    /// Lights it, or puts it out.
    fn light<'a>(&'a self, at: &'a BmcAddress, on: bool, permit: &'a Permit) -> Answer<'a, Receipt>;
}

/// One line of a device's own log.
#[derive(Debug, Clone, PartialEq)]
pub struct LogEntry {
    /// As the device counts it.
    pub id: String,
    /// When, by the device's clock, when it says so in a form that can be read.
    pub at: Option<Time>,
    /// How bad.
    pub severity: Health,
    /// In words.
    pub message: String,
    /// Message id with its registry, when told.
    pub message_id: Option<String>,
}

/// The log that the device keeps itself.
pub trait EventLog: Send + Sync {
    /// The newest entries, newest first, at most `most` and at most what the driver's own bound allows.
    fn entries<'a>(&'a self, at: &'a BmcAddress, most: usize) -> Answer<'a, Vec<LogEntry>>;
}

/// Records in the order they came; ends when the connection does.
pub type EventStream = Pin<Box<dyn Stream<Item = HardwareEvent> + Send>>;

/// Events as they happen.
pub trait Events: Send + Sync {
    /// Opens the stream, after `last` where the device keeps them. Open it again with the last id seen.
    fn stream<'a>(&'a self, last: Option<&'a str>) -> Answer<'a, EventStream>;
}

/// Firmware settings of a system.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BiosSettings {
    /// As they are.
    pub now: BTreeMap<String, serde_json::Value>,
    /// As they will be after the next boot, where they differ.
    pub pending: BTreeMap<String, serde_json::Value>,
}

/// Firmware settings.
pub trait Bios: Send + Sync {
    /// Reads them.
    fn settings<'a>(&'a self, at: &'a BmcAddress) -> Answer<'a, BiosSettings>;
    /// Asks for values from the next boot on. [`Receipt::Done`] when they hold already or are pending;
    /// an attribute that is unknown or read-only is refused before anything is sent.
    fn set<'a>(
        &'a self,
        at: &'a BmcAddress,
        wanted: &'a BTreeMap<String, serde_json::Value>,
        permit: &'a Permit,
    ) -> Answer<'a, Receipt>;
}

/// Where a firmware image comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum FirmwareImage {
    /// The device fetches it itself.
    Pull {
        /// `http://` or `https://`, reachable for the device.
        url: String,
    },
    /// It is sent to the device.
    Push {
        /// File name; some devices look at it.
        name: String,
        /// The file.
        bytes: Bytes,
    },
}

/// Firmware versions and updates.
pub trait FirmwareUpdate: Send + Sync {
    /// Versions of everything that the device tells of.
    fn versions(&self) -> Answer<'_, Vec<Firmware>>;
    /// Starts an update of `targets` (ids of [`Firmware`]; empty leaves the choice to the device). The receipt names
    /// the task to follow with [`FirmwareUpdate::task`].
    fn update<'a>(&'a self, image: &'a FirmwareImage, targets: &'a [String], permit: &'a Permit)
    -> Answer<'a, Receipt>;
    /// Looks at a task that [`Receipt::Accepted`] named.
    fn task<'a>(&'a self, uri: &'a str) -> Answer<'a, TaskState>;
}

/// Accounts of the device.
pub trait Accounts: Send + Sync {
    /// Gives the account that the driver logs in with another password. From then on the driver uses it. The old one
    /// still holds when this fails with anything but a timeout; after one, both are tried before the answer.
    fn set_password<'a>(&'a self, new: &'a str, permit: &'a Permit) -> Answer<'a, Receipt>;
    /// Asks what only an account that is let in is told: an error when it is not, or when nothing answers.
    fn log_in(&self) -> Answer<'_, ()>;
}

/// A serial console: what the machine prints, and what is typed.
pub struct ConsoleStream {
    /// What it prints, as it comes. Ends when the console does.
    pub output: Pin<Box<dyn Stream<Item = Bytes> + Send>>,
    /// What is typed. Dropping it closes the console.
    pub input: tokio::sync::mpsc::Sender<Bytes>,
}

/// Serial consoles.
pub trait Console: Send + Sync {
    /// Opens the console of a system. Devices have few of them: drop the stream to give it back.
    fn open<'a>(&'a self, at: &'a BmcAddress, permit: &'a Permit) -> Answer<'a, ConsoleStream>;
    /// Why the console that was open last has ended, when it is known.
    fn ended(&self) -> Option<String> {
        None
    }
    /// The SHA-256 of the SSH host key that the console is known by, where it is reached by SSH.
    fn host_key(&self) -> Option<String> {
        None
    }
    /// Only this host key from now on; with nothing, the first that is seen.
    fn expect_host_key(&self, fingerprint: Option<&str>) {
        let _ = fingerprint;
    }
}

/// What an outlet is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutletOrder {
    /// Power on.
    On,
    /// Power off.
    Off,
    /// Off, a pause, on.
    Cycle,
}

/// Switching outlets.
pub trait Outlets: Send + Sync {
    /// Outlets of the device at `path` ([`crate::FoundDevice::path`]), with what they draw now.
    fn outlets<'a>(&'a self, path: &'a str) -> Answer<'a, Vec<Outlet>>;
    /// Switches the outlet `id` ([`Outlet::id`]). Read back before it counts as done.
    fn switch<'a>(&'a self, path: &'a str, id: &'a str, order: OutletOrder, permit: &'a Permit) -> Answer<'a, Receipt>;
}
