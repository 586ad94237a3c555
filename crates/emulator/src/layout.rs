//! What the rack is made of, as plain data: so many servers of one build, or what a description says
//! ([`crate::describe`]). Serials, UUIDs and hardware addresses follow from the seed.

mod in_code;

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

use rack::Mac;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::describe::file::BadRack;
use crate::describe::{As, BoxAt, Cord, Described, RACKS};
use crate::equipment::MOST_EQUIPMENT;
use crate::physics::kinds::Kind;

/// Units that servers take in one rack, the two above are left for switches; further ones go to the next rack, so that each
/// has an address of its own.
const FOR_SERVERS: u32 = 40;
/// Units of a rack.
const UNITS: u32 = 42;
/// Units of a box with eight accelerators in air; others take one.
const GPU_BOX: u32 = 8;
/// Racks that addresses tell apart.
const RACKS_AT_MOST: u32 = 250;
/// First host part of the PDUs' addresses, above those of 42 rack units.
const PDU_HOST: u8 = 200;
/// Most servers that addresses 127.10.R.U can tell apart.
pub const MOST_SERVERS: u32 = FOR_SERVERS * RACKS_AT_MOST;

/// A rack, or several.
#[derive(Debug, Clone, PartialEq)]
pub struct RackLayout {
    /// Plain servers.
    pub servers: u32,
    /// Servers with accelerators, above the plain ones.
    pub gpu_servers: u32,
    /// Servers without a BMC, above the others: woken by a magic packet, booting from the network before their disk.
    pub bare_servers: u32,
    /// Power distribution units that answer on the network, each feeding one supply of every server; a supply that none
    /// feeds hangs on a strip of sockets.
    pub pdus: u8,
    /// How a server is built.
    pub build: Build,
    /// Air temperature that the room's cooling blows.
    pub inlet_celsius: f64,
    /// Whether servers are machines of QEMU, which have what `build` says and nothing else.
    pub machines: bool,
    /// What a file says, instead of all the above but `build`.
    pub described: Option<Arc<Described>>,
}

/// How each server is built.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Build {
    /// Processor sockets.
    pub sockets: u32,
    /// Cores in each.
    pub cores: u32,
    /// Threads of each core.
    pub threads: u32,
    /// Memory modules.
    pub dimms: u32,
    /// GiB of each.
    pub dimm_gib: u64,
    /// Size of the NVMe drive.
    pub nvme_gb: u64,
    /// Size of the SATA drive that every third server has.
    pub sata_gb: u64,
    /// Accelerators in a GPU server.
    pub gpus: u32,
}

impl Build {
    /// Logical processors.
    pub fn processors(&self) -> u32 {
        self.sockets * self.cores * self.threads
    }
}

impl Default for Build {
    fn default() -> Self {
        Build {
            sockets: 2,
            cores: 16,
            threads: 2,
            dimms: 8,
            dimm_gib: 32,
            nvme_gb: 64,
            sata_gb: 32,
            gpus: 8,
        }
    }
}

impl Default for RackLayout {
    fn default() -> Self {
        RackLayout {
            servers: 9,
            gpu_servers: 1,
            bare_servers: 0,
            pdus: 2,
            build: Build::default(),
            inlet_celsius: 22.0,
            machines: false,
            described: None,
        }
    }
}

/// A layout that can't be built.
#[derive(Debug, thiserror::Error)]
pub enum BadLayout {
    /// A file that says what can't be.
    #[error("the emulated rack's description {name} can't be:\n{bad}")]
    Described {
        /// Its name.
        name: String,
        /// Why.
        bad: BadRack,
    },
    /// A file that can't be read.
    #[error(
        "cannot read the emulated rack's description {name}: {source}; Busbar comes with {}",
        rack_names()
    )]
    File {
        /// Its name.
        name: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Too many for the address plan.
    #[error("{0} emulated servers are more than the {MOST_SERVERS} that 127.10.R.U can tell apart: ask for fewer")]
    TooMany(u64),
    /// The same of what is no server.
    #[error(
        "{0} coolant units, shelves and boxes without processors are more than the {MOST_EQUIPMENT} that there are \
         addresses for: take some out, or say `managed = false` of boxes that nobody asks"
    )]
    TooMuchEquipment(usize),
}

/// One drive of a server.
#[derive(Debug, Clone, PartialEq)]
pub struct DriveSpec {
    /// Kernel name.
    pub name: &'static str,
    /// Bytes.
    pub size: u64,
    /// NVMe, else SATA.
    pub nvme: bool,
    /// Serial number.
    pub serial: String,
}

/// One server.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerSpec {
    /// `r1/u1`.
    pub place: String,
    /// Where its BMC answers, if it has one.
    pub bmc: Option<Ipv4Addr>,
    /// SMBIOS UUID.
    pub uuid: Uuid,
    /// Serial number.
    pub serial: String,
    /// Ports, the first one boots; a machine of QEMU has no other.
    pub macs: Vec<Mac>,
    /// Hardware address of the BMC.
    pub bmc_mac: Mac,
    /// Drives.
    pub drives: Vec<DriveSpec>,
    /// Accelerators.
    pub gpus: u32,
    /// Whether it is a machine of QEMU.
    pub machine: bool,
    /// How it is built.
    pub build: Build,
    /// What it draws, and how its heat leaves.
    pub kind: Kind,
    /// The outlets of PDUs that its supplies hang on: the PDU's name, and the outlet, from 1.
    pub outlets: Vec<(String, usize)>,
}

impl ServerSpec {
    /// Product name.
    pub fn model(&self) -> String {
        match self.bmc {
            None => "Emulated bare".into(),
            Some(_) if self.machine => "Emulated QEMU".into(),
            Some(_) if self.gpus > 0 => format!("Emulated GPU {}", self.gpus),
            Some(_) => format!("Emulated {}S", self.build.sockets),
        }
    }
    /// GiB of memory.
    pub fn memory_gib(&self) -> u64 {
        u64::from(self.build.dimms) * self.build.dimm_gib
    }
}

/// One power distribution unit.
#[derive(Debug, Clone, PartialEq)]
pub struct PduSpec {
    /// `pdu-a`.
    pub name: String,
    /// Where it answers.
    pub bmc: Ipv4Addr,
    /// Serial number.
    pub serial: String,
    /// For each outlet, the place of what hangs on it.
    pub outlets: Vec<Option<String>>,
    /// Its branch breakers, amps of each.
    pub branches: Vec<f64>,
    /// Phases of its inlet: 1 or 3.
    pub phases: u8,
    /// Rated amps of each.
    pub amps: f64,
    /// Volts of a phase against neutral.
    pub volts: f64,
}

/// The names of the racks that Busbar comes with.
pub fn rack_names() -> String {
    RACKS.map(|(name, _)| name).join(", ")
}

impl RackLayout {
    /// What a file says, or a rack that Busbar comes with, by its name.
    pub fn named(name: &str) -> Result<RackLayout, BadLayout> {
        let own = RACKS
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, text)| (*text).to_owned());
        let text = match own {
            Some(text) => text,
            None => std::fs::read_to_string(Path::new(name)).map_err(|source| BadLayout::File {
                name: name.to_owned(),
                source,
            })?,
        };
        let described = crate::describe::file::read(&text).map_err(|bad| BadLayout::Described {
            name: name.to_owned(),
            bad,
        })?;
        Ok(RackLayout {
            described: Some(Arc::new(described)),
            ..RackLayout::default()
        })
    }

    /// A rack of so many plain servers.
    pub fn of(servers: u32) -> RackLayout {
        RackLayout {
            servers,
            gpu_servers: 0,
            ..RackLayout::default()
        }
    }

    /// A rack of so many servers that are machines of QEMU: two processors, 1 GiB, and a drive of 10 GB each.
    pub fn machines(servers: u32) -> RackLayout {
        RackLayout {
            machines: true,
            build: Build {
                cores: 1,
                threads: 1,
                dimms: 1,
                dimm_gib: 1,
                nvme_gb: 10,
                ..Build::default()
            },
            ..RackLayout::of(servers)
        }
    }

    /// Whether it can be built.
    pub fn check(&self) -> Result<(), BadLayout> {
        if let Some(described) = &self.described {
            let all = crate::equipment::count(described);
            return match all > MOST_EQUIPMENT {
                true => Err(BadLayout::TooMuchEquipment(all)),
                false => Ok(()),
            };
        }
        let all = u64::from(self.servers) + u64::from(self.gpu_servers) + u64::from(self.bare_servers);
        if all > u64::from(MOST_SERVERS) || self.stand().last().is_some_and(|s| s.rack > RACKS_AT_MOST) {
            Err(BadLayout::TooMany(all))
        } else {
            Ok(())
        }
    }

    /// The description that it comes to.
    pub fn describe(&self) -> Arc<Described> {
        self.described.clone().unwrap_or_else(|| Arc::new(self.in_code()))
    }

    /// Its servers: each with where it stands in the description's boxes.
    pub fn build_servers(&self, seed: u64) -> Vec<(usize, ServerSpec)> {
        let described = self.describe();
        let boxes = described.boxes.iter().enumerate().filter(|(_, b)| b.as_.is_server());
        boxes
            .enumerate()
            .map(|(i, (at, b))| (at, self.server(seed, i, b, &described)))
            .collect()
    }

    fn server(&self, seed: u64, i: usize, at: &BoxAt, described: &Described) -> ServerSpec {
        let digits = |text: &str| text.trim_start_matches(|c: char| !c.is_ascii_digit()).parse().ok();
        let (rack, slot) = at.place.split_once('/').unwrap_or(("r1", &at.place));
        // a rack of another name is the first; what has no unit is told by its number
        let rack: u8 = digits(rack).filter(|r| *r > 0 && self.described.is_none()).unwrap_or(1);
        let unit: u8 = digits(slot)
            .filter(|u| (1..PDU_HOST).contains(u))
            .unwrap_or(100 + (i % 100) as u8);
        let uuid = derived(seed, &at.place);
        let b = uuid.as_bytes();
        // locally administered, unicast; the place is in it so that no two are equal whatever the seed
        let mac = |n: u8| Mac([0x02, b[0], b[1], rack, unit, n]);
        let serial = format!("EMU{:02X}{:02X}{:02X}{rack:03}{unit:02}", b[2], b[3], b[4]);
        let mut drives = vec![DriveSpec {
            name: "nvme0n1",
            size: self.build.nvme_gb * 1_000_000_000 / 4096 * 4096,
            nvme: true,
            serial: format!("{serial}N0"),
        }];
        if i % 3 == 2 && !self.machines {
            let size = self.build.sata_gb * 1_000_000_000 / 4096 * 4096;
            drives.push(DriveSpec {
                name: "sda",
                size,
                nvme: false,
                serial: format!("{serial}S0"),
            });
        }
        let managed = |pdu: usize| described.pdus.get(pdu).filter(|p| p.managed);
        let outlets = at.cords.iter().filter_map(|c| match c {
            Cord::Outlet(pdu, n) => Some((managed(*pdu)?.name.clone(), n + 1)),
            Cord::Bus(_) => None,
        });
        ServerSpec {
            bmc: (at.as_ == As::Server).then_some(Ipv4Addr::new(127, 10, rack, unit)),
            place: at.place.clone(),
            uuid,
            serial,
            macs: (0..if self.machines { 1 } else { 2 }).map(mac).collect(),
            bmc_mac: mac(0xff),
            drives,
            gpus: u32::from(at.kind.gpus),
            machine: self.machines,
            build: Build {
                sockets: u32::from(at.kind.cpus),
                ..self.build.clone()
            },
            kind: at.kind,
            outlets: outlets.collect(),
        }
    }

    /// Its PDUs that answer on the network.
    pub fn build_pdus(&self, seed: u64) -> Vec<PduSpec> {
        let described = self.describe();
        let pdus = described.pdus.iter().enumerate().filter(|(_, p)| p.managed);
        let plugged = |pdu: usize, outlet: usize| {
            let there = |b: &&BoxAt| b.cords.contains(&Cord::Outlet(pdu, outlet));
            described.boxes.iter().find(there).map(|b| b.place.clone())
        };
        // by place first: asking for each outlet of a thousand would take a million looks
        let in_code = self.described.is_none();
        let label = |pdu: usize, outlet: usize| match in_code {
            true => described.boxes.get(outlet).map(|b| b.place.clone()),
            false => plugged(pdu, outlet),
        };
        pdus.zip(0u8..)
            .map(|((n, pdu), i)| {
                let id = derived(seed, &pdu.name).simple().to_string().to_uppercase();
                PduSpec {
                    bmc: Ipv4Addr::new(127, 10, 1, PDU_HOST.saturating_add(i)),
                    serial: format!("PDU{}", &id[..8]),
                    name: pdu.name.clone(),
                    outlets: (0..pdu.outlets).map(|o| label(n, o)).collect(),
                    branches: vec![pdu.branch_amps; pdu.branches],
                    phases: described.feeds[pdu.feed].phases,
                    amps: described.feeds[pdu.feed].amps,
                    volts: described.feeds[pdu.feed].volts,
                }
            })
            .collect()
    }
}

pub(crate) fn derived(seed: u64, name: &str) -> Uuid {
    Uuid::new_v5(
        &Uuid::NAMESPACE_OID,
        format!("busbar emulator {seed} {name}").as_bytes(),
    )
}
