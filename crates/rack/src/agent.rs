//! What the agent and the daemon say to each other.
//!
//! One question, asked again and again: the agent posts its whole state, the daemon answers with the order that
//! holds now. Nothing depends on a message that was lost or came twice, so either side may die and start again
//! (invariant I6). `POST /agent/v1/poll?wait=SECONDS`, JSON both ways, bearer token from the kernel command line.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Bytes, Mac, image::Packing, node::DriveBus};

/// Everything the agent knows, each time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AgentState {
    /// `boot_id` of the running kernel: tells a reboot from a pause.
    pub boot_id: String,
    /// Busbar's version in the boot kit.
    pub version: String,
    /// What it found on the machine.
    pub hardware: FoundHardware,
    /// What it does now.
    pub work: Work,
}

/// A machine seen from inside.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct FoundHardware {
    /// SMBIOS type 1 UUID, as firmware writes it.
    pub uuid: Option<String>,
    /// SMBIOS type 1 serial number.
    pub serial: Option<String>,
    /// SMBIOS manufacturer.
    pub maker: Option<String>,
    /// SMBIOS product name.
    pub model: Option<String>,
    /// Logical processors.
    pub threads: u32,
    /// Memory that the kernel sees.
    pub memory: Bytes,
    /// Disks that can be written.
    pub disks: Vec<FoundDisk>,
    /// Network ports.
    pub nics: Vec<FoundNic>,
    /// PCI functions as `vendor:device class`.
    pub pci: Vec<String>,
    /// `uefi` or `bios`.
    pub firmware: String,
}

/// A disk seen from inside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FoundDisk {
    /// Kernel name: `nvme0n1`, `sda`, `vda`.
    pub name: String,
    /// Capacity.
    pub size: Bytes,
    /// How it is attached.
    pub bus: DriveBus,
    /// Model, when told.
    pub model: Option<String>,
    /// Serial, when told.
    pub serial: Option<String>,
    /// Whether it turns.
    pub rotational: bool,
}

/// A network port seen from inside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FoundNic {
    /// Kernel name.
    pub name: String,
    /// Its address.
    pub mac: Mac,
    /// Carrier.
    pub link: bool,
}

/// What the agent does now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "work", rename_all = "snake_case")]
pub enum Work {
    /// Waits for an order.
    Ready,
    /// Carries one out.
    Busy {
        /// Its id.
        order: String,
        /// `write`, `check`, `wipe`, `read back`: for people.
        phase: String,
        /// Bytes done.
        done: Bytes,
        /// Bytes in all.
        total: Bytes,
    },
    /// Carried it out.
    Done {
        /// Its id.
        order: String,
        /// What came of it.
        outcome: Outcome,
    },
    /// Could not carry it out.
    Failed {
        /// Its id.
        order: String,
        /// What went wrong, and on what; without secrets.
        error: String,
        /// Whether trying the same again could help (a broken connection) or not (a disk too small).
        again: bool,
    },
}

/// What came of an order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// The image is on the disk, synced, and both digests were right.
    Installed {
        /// On which disk.
        disk: String,
        /// Bytes written to it.
        written: Bytes,
        /// Milliseconds of writing.
        millis: u64,
    },
    /// Every disk was wiped and samples read back.
    Wiped {
        /// One record for each disk.
        disks: Vec<DiskWipe>,
    },
}

/// The record of proof for one disk: method and standard names of NIST SP 800-88 Rev. 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DiskWipe {
    /// Kernel name.
    pub disk: String,
    /// Model, when told.
    pub model: Option<String>,
    /// Serial, when told.
    pub serial: Option<String>,
    /// Capacity.
    pub size: Bytes,
    /// What was done.
    pub method: WipeMethod,
    /// How many samples were read back.
    pub samples: u32,
    /// Bytes read back in all.
    pub sampled: Bytes,
    /// Whether every sample held nothing of before.
    pub clean: bool,
    /// Milliseconds it took.
    pub millis: u64,
}

/// Ways to wipe a disk, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WipeMethod {
    /// NVMe Sanitize: crypto erase or block erase.
    NvmeSanitize,
    /// NVMe Format with secure erase.
    NvmeFormat,
    /// ATA Security Erase.
    AtaSecureErase,
    /// Discard that the device promises to read as zeroes, then zeroes where samples show otherwise.
    Discard,
    /// Zeroes written over the whole disk.
    Overwrite,
}

/// What the daemon wants now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "order", rename_all = "snake_case")]
pub enum Order {
    /// Nothing: ask again.
    Wait,
    /// Write an image.
    Install {
        /// Names this order: the same id is never carried out twice.
        id: String,
        /// Where the blob is served: a path on the daemon that gave the order.
        path: String,
        /// `sha256:…` of the blob, checked while writing.
        digest: String,
        /// Size of the blob.
        stored: Bytes,
        /// How it is packed.
        packing: Packing,
        /// `sha256:…` of what lands on the disk, checked while writing.
        raw_digest: String,
        /// Size on the disk.
        raw: Bytes,
        /// The disk to write to by kernel name; the smallest that fits when `None`.
        disk: Option<String>,
    },
    /// Wipe every disk.
    Wipe {
        /// Names this order.
        id: String,
    },
    /// Sync and switch the machine off.
    PowerOff,
}

impl Order {
    /// The order's id, for those that are carried out once.
    pub fn id(&self) -> Option<&str> {
        match self {
            Order::Install { id, .. } | Order::Wipe { id } => Some(id),
            Order::Wait | Order::PowerOff => None,
        }
    }
}
