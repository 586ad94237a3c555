//! What the rack is made of, as plain data. Serials, UUIDs and hardware addresses follow from the seed.

use std::net::Ipv4Addr;

use rack::Mac;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Servers in one rack; further ones go to the next rack, so that each has an address of its own.
const SERVERS_IN_RACK: u32 = 40;
/// First host part of the PDUs' addresses, above those of 42 rack units.
const PDU_HOST: u8 = 200;
/// Most servers that addresses 127.10.R.U can tell apart.
pub const MOST_SERVERS: u32 = SERVERS_IN_RACK * 250;

/// A rack, or several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RackLayout {
    /// Plain servers.
    pub servers: u32,
    /// Servers with accelerators, above the plain ones.
    pub gpu_servers: u32,
    /// Servers without a BMC, above the others: woken by a magic packet, booting from the network before their disk.
    pub bare_servers: u32,
    /// Power distribution units, each feeding one supply of every server.
    pub pdus: u8,
    /// How a server is built.
    pub build: Build,
    /// Air temperature at the inlets.
    pub inlet_celsius: f64,
}

/// How each server is built.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Build {
    /// Processor sockets.
    pub sockets: u32,
    /// Cores in each.
    pub cores: u32,
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

impl Default for Build {
    fn default() -> Self {
        Build {
            sockets: 2,
            cores: 16,
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
        }
    }
}

/// A layout that can't be built.
#[derive(Debug, thiserror::Error)]
pub enum BadLayout {
    /// Not TOML of this form.
    #[error("cannot read the emulated rack's description: {0}")]
    Toml(#[from] toml::de::Error),
    /// Too many for the address plan.
    #[error("{0} emulated servers are more than the {MOST_SERVERS} that 127.10.R.U can tell apart: ask for fewer")]
    TooMany(u64),
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
    /// Ports, the first one boots.
    pub macs: [Mac; 2],
    /// Hardware address of the BMC.
    pub bmc_mac: Mac,
    /// Drives.
    pub drives: Vec<DriveSpec>,
    /// Accelerators.
    pub gpus: u32,
    /// How it is built.
    pub build: Build,
}

impl ServerSpec {
    /// Product name.
    pub fn model(&self) -> &'static str {
        match self.bmc {
            None => "Emulated bare",
            Some(_) if self.gpus > 0 => "Emulated GPU 8",
            Some(_) => "Emulated 2S",
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
    /// Which supply of each server it feeds, from 0.
    pub feeds: usize,
}

impl RackLayout {
    /// Reads a description.
    pub fn from_toml(text: &str) -> Result<RackLayout, BadLayout> {
        let layout: RackLayout = toml::from_str(text)?;
        layout.check()?;
        Ok(layout)
    }

    /// A rack of so many plain servers.
    pub fn of(servers: u32) -> RackLayout {
        RackLayout {
            servers,
            gpu_servers: 0,
            ..RackLayout::default()
        }
    }

    /// Whether it can be built.
    pub fn check(&self) -> Result<(), BadLayout> {
        let all = u64::from(self.servers) + u64::from(self.gpu_servers) + u64::from(self.bare_servers);
        if all > u64::from(MOST_SERVERS) {
            Err(BadLayout::TooMany(all))
        } else {
            Ok(())
        }
    }

    /// Its servers.
    pub fn build_servers(&self, seed: u64) -> Vec<ServerSpec> {
        (0..self.servers + self.gpu_servers + self.bare_servers)
            .map(|i| self.server(seed, i))
            .collect()
    }

    fn server(&self, seed: u64, i: u32) -> ServerSpec {
        let (rack, unit) = (1 + i / SERVERS_IN_RACK, 1 + i % SERVERS_IN_RACK);
        // the first one without a BMC
        let bare = self.servers + self.gpu_servers;
        let place = format!("r{rack}/u{unit}");
        let uuid = derived(seed, &place);
        let b = uuid.as_bytes();
        // locally administered, unicast; the place is in it so that no two are equal whatever the seed
        let mac = |n: u8| Mac([0x02, b[0], b[1], rack as u8, unit as u8, n]);
        let serial = format!("EMU{:02X}{:02X}{:02X}{rack:03}{unit:02}", b[2], b[3], b[4]);
        let mut drives = vec![DriveSpec {
            name: "nvme0n1",
            size: self.build.nvme_gb * 1_000_000_000 / 4096 * 4096,
            nvme: true,
            serial: format!("{serial}N0"),
        }];
        if i % 3 == 2 {
            let size = self.build.sata_gb * 1_000_000_000 / 4096 * 4096;
            drives.push(DriveSpec {
                name: "sda",
                size,
                nvme: false,
                serial: format!("{serial}S0"),
            });
        }
        ServerSpec {
            bmc: (i < bare).then_some(Ipv4Addr::new(127, 10, rack as u8, unit as u8)),
            place,
            uuid,
            serial,
            macs: [mac(0), mac(1)],
            bmc_mac: mac(0xff),
            drives,
            gpus: if (self.servers..bare).contains(&i) {
                self.build.gpus
            } else {
                0
            },
            build: self.build.clone(),
        }
    }

    /// Its PDUs.
    pub fn build_pdus(&self, seed: u64) -> Vec<PduSpec> {
        (0..self.pdus.min(2))
            .map(|i| {
                let name = format!("pdu-{}", (b'a' + i) as char);
                let id = derived(seed, &name).simple().to_string().to_uppercase();
                PduSpec {
                    bmc: Ipv4Addr::new(127, 10, 1, PDU_HOST + i),
                    serial: format!("PDU{}", &id[..8]),
                    name,
                    feeds: usize::from(i),
                }
            })
            .collect()
    }
}

fn derived(seed: u64, name: &str) -> Uuid {
    Uuid::new_v5(
        &Uuid::NAMESPACE_OID,
        format!("busbar emulator {seed} {name}").as_bytes(),
    )
}
