//! A node: one server as its BMC describes it, with its parts, and who holds it.

use std::net::IpAddr;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Bytes, Mac, Name, NodeId, Place, Time};

/// One server: what can become a machine. Its readings and its power state change all the time and live in memory,
/// not here; what is here is written to the store when it changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Node {
    /// Lasting identity.
    pub id: NodeId,
    /// Where it stands. Several systems behind one BMC get places of their own.
    pub place: Place,
    /// Maker, model, serial, UUID as the BMC tells them.
    pub identity: Identity,
    /// How to reach it.
    pub bmc: BmcAddress,
    /// What it is made of.
    #[schema(value_type = Vec<Part>)]
    pub parts: Parts,
    /// Worst health of its parts; computed from the leaves, never taken from a roll-up.
    pub health: Health,
    /// What its BMC can be told.
    pub abilities: Abilities,
    /// Whether Busbar may write to it (invariant I4). False until someone arms it.
    pub armed: bool,
    /// The machine that holds it, if any (invariant I1).
    pub holder: Option<Name>,
    /// What is known of the data on its disks (invariant I2).
    pub tenancy: Tenancy,
    /// Why nothing new is placed on it, when someone or a failure took it out of use.
    pub cordoned: Option<String>,
    /// How often it was told to netboot; makes each boot's token its own.
    pub boots: u64,
    /// PDU outlets that feed it, as its owner wrote them down: the last rung of the ladder.
    #[serde(default)]
    pub outlets: Vec<OutletRef>,
    /// Firmware of the box and its parts, as its BMC tells.
    #[serde(default)]
    pub firmware: Vec<Firmware>,
    /// When it was found first.
    pub discovered: Time,
    /// When the inventory was last read in full.
    pub inventoried: Time,
}

/// What a box is made of, shared by all that tell of it: what is recorded and what was agreed to are most often the same,
/// and are most of what a box takes in memory. A change copies it.
#[derive(Debug, Clone, Default)]
pub struct Parts(Arc<Vec<Part>>);

impl Parts {
    /// Shares the list of another box's record when it says the same.
    pub fn share(&mut self, other: &Parts) {
        if self == other {
            self.0 = Arc::clone(&other.0);
        }
    }

    /// Whether both are one list in memory.
    pub fn is_shared_with(&self, other: &Parts) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl PartialEq for Parts {
    fn eq(&self, other: &Parts) -> bool {
        self.is_shared_with(other) || self.0 == other.0
    }
}

impl From<Vec<Part>> for Parts {
    fn from(parts: Vec<Part>) -> Parts {
        Parts(Arc::new(parts))
    }
}

impl Serialize for Parts {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Parts {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Parts, D::Error> {
        Vec::deserialize(deserializer).map(Parts::from)
    }
}

impl<'a> IntoIterator for &'a Parts {
    type Item = &'a Part;
    type IntoIter = std::slice::Iter<'a, Part>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl Deref for Parts {
    type Target = Vec<Part>;

    fn deref(&self) -> &Vec<Part> {
        &self.0
    }
}

impl DerefMut for Parts {
    fn deref_mut(&mut self) -> &mut Vec<Part> {
        Arc::make_mut(&mut self.0)
    }
}

impl Node {
    /// Sum of the sockets' cores.
    pub fn cores(&self) -> u32 {
        self.parts
            .iter()
            .filter_map(|p| {
                if let PartKind::Processor { cores, .. } = p.kind {
                    Some(cores)
                } else {
                    None
                }
            })
            .sum()
    }

    /// Sum of the memory modules.
    pub fn memory(&self) -> Bytes {
        Bytes(
            self.parts
                .iter()
                .filter_map(|p| {
                    if let PartKind::Memory { size } = p.kind {
                        Some(size.0)
                    } else {
                        None
                    }
                })
                .sum(),
        )
    }

    /// Number of graphics or compute accelerators.
    pub fn gpus(&self) -> u32 {
        self.parts
            .iter()
            .filter(|p| matches!(p.kind, PartKind::Gpu { .. }))
            .count() as u32
    }

    /// Whether nothing here can take its power away: no BMC, and no outlet that anyone wrote down.
    pub fn only_wakes(&self) -> bool {
        self.abilities.no_bmc && self.outlets.is_empty()
    }

    /// The drives that the BMC knows of. Some BMCs see no drives; the agent then does.
    pub fn drives(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter().filter(|p| matches!(p.kind, PartKind::Drive { .. }))
    }

    /// Sum of those drives.
    pub fn storage(&self) -> Bytes {
        let size = |p: &Part| match p.kind {
            PartKind::Drive { size, .. } => Some(size.0),
            _ => None,
        };
        Bytes(self.parts.iter().filter_map(size).sum())
    }

    /// Addresses of its network ports.
    pub fn macs(&self) -> impl Iterator<Item = Mac> {
        self.parts.iter().filter_map(Part::mac)
    }
}

impl Part {
    /// Its address, when it is a network port that tells it.
    pub fn mac(&self) -> Option<Mac> {
        match self.kind {
            PartKind::Nic { mac, .. } => mac,
            _ => None,
        }
    }
}

/// What a BMC says a box is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Identity {
    /// `UUID` of the system.
    pub uuid: Option<String>,
    /// `SerialNumber`.
    pub serial: Option<String>,
    /// `Manufacturer`.
    pub maker: Option<String>,
    /// `Model`.
    pub model: Option<String>,
    /// BIOS or UEFI version.
    pub bios: Option<String>,
    /// BMC firmware version.
    pub bmc_firmware: Option<String>,
}

/// Where a node's BMC answers. The path of the system is a hint from the last discovery, not an identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BmcAddress {
    /// `https://host:port`.
    pub url: String,
    /// `@odata.id` of its ComputerSystem at the last discovery.
    pub system: String,
    /// `@odata.id` of its Manager, when one was found.
    pub manager: Option<String>,
    /// `@odata.id` of its Chassis, when one was found.
    pub chassis: Option<String>,
    /// Name of the credential to use; the secret itself is sealed in the store.
    pub credential: Name,
    /// SHA-256 of the certificate that it showed first, in hexadecimal; another one is refused.
    pub certificate: Option<String>,
}

/// One outlet of a PDU.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct OutletRef {
    /// Where the PDU stands.
    pub pdu: Place,
    /// As the PDU counts it.
    pub outlet: String,
}

/// One piece of firmware.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct Firmware {
    /// As the device names it: last step of its path.
    pub id: String,
    /// What it is for, in words.
    pub name: String,
    /// Its version, when told.
    pub version: Option<String>,
    /// Whether it can be updated by the device.
    pub updateable: bool,
}

impl Firmware {
    /// Its id without its version: some devices put the one into the other, and an update must not change what is updated.
    pub fn component(&self) -> String {
        match self.version.as_deref().filter(|v| v.len() > 1) {
            Some(version) => self.id.replace(version, ""),
            None => self.id.clone(),
        }
    }
}

/// Who is at the other end of a cable, as LLDP tells (IEEE 802.1AB).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct Neighbour {
    /// System name, else chassis id.
    pub system: String,
    /// Port id.
    pub port: String,
}

/// Health as Redfish counts it, from the leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// The part says nothing of its health, or is absent.
    #[default]
    Unknown,
    /// Works.
    Ok,
    /// Needs a look.
    Warning,
    /// Needs a look now.
    Critical,
}

/// A component of a node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Part {
    /// Short, unique on its node, last step of its path: `cpu1`, `dimm3`, `disk0`, `nic1`, `gpu2`, `psu1`.
    pub id: String,
    /// What it is, with what matters of that kind.
    pub kind: PartKind,
    /// Maker, when told.
    pub maker: Option<String>,
    /// Model, when told.
    pub model: Option<String>,
    /// Serial number, when told.
    pub serial: Option<String>,
    /// Firmware version, when told.
    pub firmware: Option<String>,
    /// Its own health.
    pub health: Health,
}

/// What a part is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PartKind {
    /// A socket.
    Processor {
        /// Cores in it.
        cores: u32,
        /// Hardware threads in it.
        threads: u32,
    },
    /// A memory module, or all memory where modules are not told apart.
    Memory {
        /// Its capacity.
        size: Bytes,
    },
    /// A disk.
    Drive {
        /// Its capacity.
        size: Bytes,
        /// How it is attached.
        bus: DriveBus,
    },
    /// A network port.
    Nic {
        /// Its permanent address.
        mac: Option<Mac>,
        /// Link up, down or not told.
        link: Option<bool>,
        /// Negotiated or nominal speed in Mbit/s.
        mbps: Option<u64>,
        /// Who is at the other end of its cable, when it hears one.
        #[serde(default)]
        neighbour: Option<Neighbour>,
    },
    /// A graphics or compute accelerator.
    Gpu {
        /// Its own memory, when told.
        memory: Option<Bytes>,
    },
    /// Another PCIe device.
    Pcie,
    /// A power supply.
    Supply {
        /// Rated output in watts.
        watts: Option<f64>,
    },
    /// A fan.
    Fan,
    /// A rope or spot that notices coolant where none should be. Critical health is a leak.
    LeakDetector,
}

/// How a drive is attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DriveBus {
    /// NVMe over PCIe.
    Nvme,
    /// SATA.
    Sata,
    /// SAS.
    Sas,
    /// Paravirtual (virtio), as in virtual machines.
    Virtio,
    /// Not told, or another.
    Other,
}

/// What a BMC offers, so that nothing is asked of it that it can't do.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Abilities {
    /// Reset values that it takes.
    pub reset: Vec<ResetKind>,
    /// Boot override targets that it takes.
    pub boot: Vec<BootTarget>,
    /// Whether the override can be for one boot only.
    pub boot_once: bool,
    /// Whether an image can be inserted as a drive.
    pub virtual_media: bool,
    /// Whether its manager can be reset.
    pub manager_reset: bool,
    /// Whether its power can be limited.
    #[serde(default)]
    pub cap: bool,
    /// Whether it has a light to be found by.
    #[serde(default)]
    pub indicator: bool,
    /// Whether its serial console can be reached.
    #[serde(default)]
    pub console: bool,
    /// Whether it has no BMC at all: it is woken through its network port, its power is cut at its outlets, and it boots by
    /// its firmware's own order, which must try the network first. Nothing tells of its power for certain.
    #[serde(default)]
    pub no_bmc: bool,
}

/// `ResetType` values of DSP0268 that Busbar uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ResetKind {
    /// Switch on.
    On,
    /// Cut power at once.
    ForceOff,
    /// Ask the system to stop.
    GracefulShutdown,
    /// Ask the system to stop, then start it.
    GracefulRestart,
    /// Reset at once.
    ForceRestart,
    /// Off, then on.
    PowerCycle,
    /// Press the power button.
    PushPowerButton,
    /// Non-maskable interrupt.
    Nmi,
}

/// Where a system is told to boot from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BootTarget {
    /// No override.
    None,
    /// The network by PXE.
    Pxe,
    /// The network by UEFI HTTP boot.
    UefiHttp,
    /// The first disk.
    Hdd,
    /// A CD, or virtual media in its place.
    Cd,
    /// Firmware setup.
    BiosSetup,
}

/// `PowerState` of DSP0268.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PowerState {
    /// Running.
    On,
    /// Off, standby power only.
    Off,
    /// On its way to on.
    PoweringOn,
    /// On its way to off.
    PoweringOff,
    /// Paused.
    Paused,
}

/// What is known of the data on a node's disks. A node is given out only in the first two states (invariant I2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "data", rename_all = "snake_case")]
pub enum Tenancy {
    /// Never given out by Busbar: its disks hold what they held when it was armed, whose owner agreed by arming it.
    Fresh,
    /// Wiped after its last owner; the record of proof has this key.
    Wiped {
        /// Key of the proof in the store.
        proof: String,
    },
    /// Holds, or may hold, the data of this machine.
    Used {
        /// Name of that machine.
        by: Name,
    },
}

/// A lease of an address on the boot network: one for each MAC, kept for good, so that a machine keeps its address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AddressLease {
    /// Whose it is.
    pub mac: Mac,
    /// The address.
    #[schema(value_type = String)]
    pub address: IpAddr,
    /// When it was first given.
    pub given: Time,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_is_the_same_before_and_after_its_update() {
        let of = |id: &str, version: &str| Firmware {
            id: id.into(),
            name: "BIOS".into(),
            version: Some(version.into()),
            updateable: true,
        };
        let before = of("Installed-159-1.8.2__BIOS.Setup.1-1", "1.8.2");
        let after = of("Installed-159-1.9.0__BIOS.Setup.1-1", "1.9.0");
        assert_eq!(before.component(), after.component());
        assert_eq!(of("BIOS", "2").component(), "BIOS");
    }
}
