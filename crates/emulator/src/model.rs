//! The states of a server: its power, and what runs on it.

use serde::{Deserialize, Serialize};

/// Power states of Redfish's `ComputerSystem`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Power {
    /// Off.
    Off,
    /// On its way up.
    PoweringOn,
    /// On.
    On,
    /// On its way down.
    PoweringOff,
}

impl Power {
    /// As Redfish spells it.
    pub fn word(self) -> &'static str {
        match self {
            Power::Off => "Off",
            Power::PoweringOn => "PoweringOn",
            Power::On => "On",
            Power::PoweringOff => "PoweringOff",
        }
    }
}

/// What runs on a server that is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Activity {
    /// Nothing: it is off.
    Nothing,
    /// Power-on self test.
    Post,
    /// Looking for something to boot.
    Firmware,
    /// The agent.
    Agent,
    /// The installed system, starting.
    Booting,
    /// The installed system.
    Os,
    /// Stays in firmware: setup, or nothing to boot.
    Stays,
    /// A machine of QEMU, which alone knows.
    Virtual,
}

impl Activity {
    /// Load of its processors, as a share of full.
    pub fn load(self) -> f64 {
        match self {
            Activity::Nothing => 0.0,
            // told by what its process does
            Activity::Virtual => 0.0,
            Activity::Post => 0.35,
            Activity::Firmware | Activity::Stays => 0.1,
            Activity::Agent => 0.3,
            Activity::Booting => 0.45,
            Activity::Os => 0.15,
        }
    }
    /// `BootProgress.LastState` of Redfish.
    pub fn progress(self) -> &'static str {
        match self {
            Activity::Nothing | Activity::Virtual => "None",
            Activity::Post => "SystemHardwareInitializationComplete",
            Activity::Firmware => "OSBootStarted",
            Activity::Agent | Activity::Os => "OSRunning",
            Activity::Booting => "OSBootStarted",
            Activity::Stays => "SetupEntered",
        }
    }
}
