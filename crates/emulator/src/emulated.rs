//! The rack itself: its servers with their state, and what may be done to them.

mod bench;
mod harm;
mod power;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::task::{AbortHandle, JoinSet};

use bench::{Bench, Pace};
pub use bench::{MOST_SPEED, MOST_STEP};
pub use power::{BMC_RESET, POWER_ON, RESETS, Refused, SHUTDOWN};

use crate::config::{Config, Credential, StartError};
use crate::disks::Drive;
use crate::equipment::{EquipmentSpec, Job};
use crate::faults::Faults;
use crate::layout::{PduSpec, ServerSpec};
use crate::life;
use crate::model::{Activity, Power};
use crate::physics::sensor::Sensors;
use crate::physics::{BoxId, Readings as _};
use crate::redfish::core::BmcCore;
use crate::serial::Serial;

/// Lines of serial console that are told at most.
const CONSOLE_LINES: usize = 500;
/// What a server boots next, against its usual order.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Boot {
    /// `None`, `Pxe`, `UefiHttp`, `Hdd`, `Cd`, `BiosSetup`.
    pub target: String,
    /// `Disabled`, `Once`, `Continuous`.
    pub enabled: String,
    /// Where UEFI HTTP boot goes.
    pub uri: String,
}

/// What changes on a server.
pub(crate) struct State {
    pub(crate) power: Power,
    pub(crate) activity: Activity,
    pub(crate) boot: Boot,
    pub(crate) media: Option<String>,
    pub(crate) tag: String,
    pub(crate) led: bool,
    pub(crate) host_name: String,
    pub(crate) address: Option<Ipv4Addr>,
    pub(crate) boots: u64,
    pub(crate) turbo: [bool; 2],
    /// The rack's second at which its BMC is back.
    pub(crate) bmc_back: Option<f64>,
    generation: u64,
    task: Option<AbortHandle>,
}

/// What a server draws, in truth.
#[derive(Debug, Clone, PartialEq)]
pub struct Draw {
    /// Watts into each supply.
    pub input: Vec<f64>,
    /// Watts out of all.
    pub output: f64,
}

impl Draw {
    /// Watts at the wall.
    pub fn total(&self) -> f64 {
        self.input.iter().sum()
    }
}

/// How warm a server is, and what holds it back, in truth.
#[derive(Debug, Clone, PartialEq)]
pub struct Heat {
    /// Air that comes in, °C.
    pub inlet: f64,
    /// First processor, °C.
    pub cpu: f64,
    /// Air that goes out, °C.
    pub exhaust: f64,
    /// Fans' speed, as a share of full.
    pub fan: f64,
    /// Joules into each supply since the start.
    pub joules: Vec<f64>,
    /// Watts at the wall that it must not draw more than.
    pub cap: Option<f64>,
    /// The same for each accelerator.
    pub gpu_caps: Vec<Option<f64>>,
    /// Share of full load that is done: caps and heat take from it.
    pub work: f64,
}

/// A state as it was at one moment.
#[derive(Debug, Clone)]
pub struct View {
    /// Power state.
    pub power: Power,
    /// What runs.
    pub activity: Activity,
    /// Heat and fans.
    pub physics: Heat,
    /// Watts.
    pub draw: Draw,
    /// Which supplies have input.
    pub fed: Vec<bool>,
    /// What it boots next.
    pub boot: Boot,
    /// The medium in its virtual drive.
    pub media: Option<String>,
    /// Asset tag.
    pub tag: String,
    /// Whether its location light is lit.
    pub led: bool,
    /// Host name of its system.
    pub host_name: String,
    /// Its address on the boot network.
    pub address: Option<Ipv4Addr>,
    /// How often it has started.
    pub boots: u64,
    /// The turbo setting of its firmware: now, and from the next start on.
    pub turbo: [bool; 2],
}

/// A server.
pub struct Server {
    /// How it is built.
    pub spec: ServerSpec,
    /// Its drives, as in `spec`.
    pub drives: Vec<Drive>,
    pub(crate) core: BmcCore,
    pub(crate) serial: Serial,
    /// What it is in the plant.
    pub(crate) body: BoxId,
    /// Of its machine, if servers are machines.
    pub(crate) slot: crate::vm::Slot,
    state: Mutex<State>,
}

/// A power distribution unit.
pub struct Pdu {
    /// How it is built.
    pub spec: PduSpec,
    pub(crate) core: BmcCore,
    /// What it is in the plant.
    pub(crate) body: BoxId,
}

/// A coolant unit, a power shelf, a box without processors.
pub struct Equipment {
    /// How it is built.
    pub spec: EquipmentSpec,
    pub(crate) core: BmcCore,
    /// What it is in the plant.
    pub(crate) body: BoxId,
}

/// Who answers at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bmc {
    /// The BMC of the server with this index.
    Server(usize),
    /// The PDU with this index.
    Pdu(usize),
    /// The coolant unit, shelf or other box with this index.
    Equipment(usize),
}

/// A rack made of software.
pub struct Emulated {
    /// What it was started with.
    pub config: Config,
    /// Its servers.
    pub servers: Vec<Server>,
    /// Its PDUs.
    pub pdus: Vec<Pdu>,
    /// What else answers.
    pub equipment: Vec<Equipment>,
    /// The faults that are set.
    pub faults: Arc<Faults>,
    by_address: HashMap<IpAddr, Bmc>,
    pub(crate) ssh: crate::console::Port,
    trees: std::sync::OnceLock<crate::tree::ByAddress>,
    saving: Mutex<()>,
    lives: Mutex<JoinSet<()>>,
    bench: Mutex<Bench>,
    pace: Mutex<Pace>,
    paced: Arc<tokio::sync::Notify>,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    on: bool,
    os: bool,
    address: Option<Ipv4Addr>,
    boot: Boot,
}

impl Emulated {
    /// Builds the rack without any socket.
    pub fn build(config: Config) -> Result<Arc<Emulated>, StartError> {
        config.layout.check()?;
        let saved: HashMap<String, Saved> = config
            .state
            .as_ref()
            .and_then(|path| std::fs::read(path).ok())
            .and_then(|text| serde_json::from_slice(&text).ok())
            .unwrap_or_default();
        let Credential { user, password } = config.credential.clone();
        let core = |serial: &str| BmcCore::new(serial, config.seed).with_administrator(&user, &password);
        let mut made = config.layout.describe().plant();
        let mut servers = Vec::new();
        for (at, spec) in config.layout.build_servers(config.seed) {
            let mut drives = Vec::new();
            for d in &spec.drives {
                let name = format!("{}-{}", spec.place, d.name);
                drives.push(
                    config
                        .disks
                        .open(&name, d.size)
                        .map_err(|source| StartError::Drive { name, source })?,
                );
            }
            let state = State::new(saved.get(&spec.place));
            let body = made.boxes[at];
            made.plant.set_on(body, state.power != Power::Off);
            made.plant.set_base(body, state.activity.load());
            let state = Mutex::new(state);
            servers.push(Server {
                core: core(&spec.serial),
                serial: Serial::new(),
                slot: Default::default(),
                body,
                spec,
                drives,
                state,
            });
        }
        let pdus: Vec<Pdu> = config
            .layout
            .build_pdus(config.seed)
            .into_iter()
            .map(|spec| Pdu {
                core: core(&spec.serial),
                body: made.plant.find(&spec.name).unwrap_or(BoxId(u32::MAX)),
                spec,
            })
            .collect();
        let described = config.layout.describe();
        let equipment: Vec<Equipment> = crate::equipment::build(&described, config.seed)
            .into_iter()
            .map(|spec| Equipment {
                core: core(&spec.serial),
                body: made.plant.find(&spec.name).unwrap_or(BoxId(u32::MAX)),
                spec,
            })
            .collect();
        // the first look tells everybody that there is power: no news
        made.plant.settle();
        made.plant.events();
        let mut by_address = HashMap::new();
        by_address.extend(
            servers
                .iter()
                .enumerate()
                .filter_map(|(i, s)| Some((IpAddr::V4(s.spec.bmc?), Bmc::Server(i)))),
        );
        by_address.extend(
            pdus.iter()
                .enumerate()
                .map(|(i, p)| (IpAddr::V4(p.spec.bmc), Bmc::Pdu(i))),
        );
        by_address.extend(
            equipment
                .iter()
                .enumerate()
                .map(|(i, e)| (IpAddr::V4(e.spec.bmc), Bmc::Equipment(i))),
        );
        if let Some(machines) = &config.machines {
            let places: Vec<&str> = servers.iter().map(|s| s.spec.place.as_str()).collect();
            machines.check(&places)?;
        }
        let rack = Arc::new(Emulated {
            bench: Mutex::new(Bench {
                plant: made.plant,
                sensors: Sensors::new(config.seed),
            }),
            pace: Mutex::new(Pace::new(config.speed)),
            paced: Arc::default(),
            config,
            servers,
            pdus,
            equipment,
            faults: Arc::default(),
            ssh: Default::default(),
            trees: Default::default(),
            by_address,
            saving: Mutex::new(()),
            lives: Mutex::default(),
        });
        crate::redfish::accounts::restore(&rack);
        // without a runtime nothing goes on by itself
        if tokio::runtime::Handle::try_current().is_ok() {
            rack.spawn(Emulated::look_on(Arc::downgrade(&rack)));
        }
        for (i, server) in rack.servers.iter().enumerate() {
            if let Some(was) = saved.get(&server.spec.place).filter(|s| s.on) {
                // an agent died with the process, a system goes on where it was
                rack.begin(i, if was.os { life::From::Os } else { life::From::Post });
            }
        }
        Ok(rack)
    }

    /// Addresses of all that answers, for discovery.
    pub fn addresses(&self) -> Vec<Ipv4Addr> {
        self.servers
            .iter()
            .filter_map(|s| s.spec.bmc)
            .chain(self.pdus.iter().map(|p| p.spec.bmc))
            .chain(self.equipment.iter().map(|e| e.spec.bmc))
            .collect()
    }

    /// Who answers at this address.
    pub fn at(&self, address: IpAddr) -> Option<Bmc> {
        self.by_address.get(&address).copied()
    }

    /// Boxes served from captured trees, which answer beside the rack; told once, at the start.
    pub(crate) fn set_trees(&self, trees: crate::tree::ByAddress) {
        let _ = self.trees.set(trees);
    }

    /// The captured tree that answers at this address.
    pub(crate) fn tree(&self, address: IpAddr) -> Option<Arc<crate::tree::Tree>> {
        self.trees.get()?.get(&address).cloned()
    }

    /// The server at this place.
    pub fn find(&self, place: &str) -> Option<usize> {
        self.servers.iter().position(|s| s.spec.place == place)
    }

    pub(crate) fn core(&self, bmc: Bmc) -> &BmcCore {
        match bmc {
            Bmc::Server(i) => &self.servers[i].core,
            Bmc::Pdu(i) => &self.pdus[i].core,
            Bmc::Equipment(i) => &self.equipment[i].core,
        }
    }

    pub(crate) fn name(&self, bmc: Bmc) -> &str {
        match bmc {
            Bmc::Server(i) => &self.servers[i].spec.place,
            Bmc::Pdu(i) => &self.pdus[i].spec.name,
            Bmc::Equipment(i) => &self.equipment[i].spec.name,
        }
    }

    /// Where a BMC is; the unspecified address for a server that has none.
    pub(crate) fn address(&self, bmc: Bmc) -> Ipv4Addr {
        match bmc {
            Bmc::Server(i) => self.servers[i].spec.bmc.unwrap_or(Ipv4Addr::UNSPECIFIED),
            Bmc::Pdu(i) => self.pdus[i].spec.bmc,
            Bmc::Equipment(i) => self.equipment[i].spec.bmc,
        }
    }

    /// Something that goes on beside requests, and ends with the rack.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut lives = self.lives.lock().unwrap_or_else(PoisonError::into_inner);
        while lives.try_join_next().is_some() {}
        lives.spawn(work);
    }

    /// Whether a BMC answers: it has power and is not starting.
    pub fn answers(&self, bmc: Bmc) -> bool {
        match bmc {
            Bmc::Pdu(_) => true,
            Bmc::Equipment(i) => {
                let Equipment { spec, body, .. } = &self.equipment[i];
                self.physics(|b| match spec.job {
                    // its controller lives by either side
                    Job::Shelf { .. } => b.plant.has_voltage(*body),
                    _ => b.plant.body(*body).is_some_and(|b| b.live),
                })
            }
            Bmc::Server(i) => {
                let live = self.live(i);
                let back = self.state(i).bmc_back;
                live && back.is_none_or(|t| t <= self.seconds())
            }
        }
    }

    pub(crate) fn state(&self, i: usize) -> MutexGuard<'_, State> {
        self.servers[i].state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A server as it is now.
    pub fn view(&self, i: usize) -> View {
        let (draw, physics, fed) = self.heat(i);
        let s = self.state(i);
        View {
            power: s.power,
            activity: s.activity,
            draw,
            physics,
            fed,
            boot: s.boot.clone(),
            media: s.media.clone(),
            tag: s.tag.clone(),
            led: s.led,
            host_name: s.host_name.clone(),
            address: s.address,
            boots: s.boots,
            turbo: s.turbo,
        }
    }

    /// The last lines of a server's serial console.
    pub fn console(&self, i: usize) -> Vec<String> {
        self.servers[i].serial.lines(CONSOLE_LINES)
    }

    pub(crate) fn say(&self, i: usize, line: impl Into<String>) {
        let line = line.into();
        tracing::debug!(place = %self.servers[i].spec.place, "{line}");
        self.servers[i].serial.say(&line);
    }

    pub(crate) fn set_activity(&self, i: usize, activity: Activity) {
        self.state(i).activity = activity;
        self.tell_plant(i);
        self.save();
    }

    /// Files of the state are written one after the other.
    pub(crate) fn one_saves(&self) -> std::sync::MutexGuard<'_, ()> {
        self.saving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the power states down, whole or not at all.
    pub(crate) fn save(&self) {
        let Some(path) = &self.config.state else { return };
        let _one = self.one_saves();
        let all: HashMap<&str, Saved> = self
            .servers
            .iter()
            .enumerate()
            .map(|(i, s)| {
                let state = self.state(i);
                let on = matches!(state.power, Power::On | Power::PoweringOn);
                let os = state.activity == Activity::Os;
                (
                    s.spec.place.as_str(),
                    Saved {
                        on,
                        os,
                        address: state.address,
                        boot: next_boot(&state),
                    },
                )
            })
            .collect();
        let written = serde_json::to_vec(&all).map_err(std::io::Error::from).and_then(|text| {
            let new = path.with_extension("new");
            std::fs::write(&new, text)?;
            std::fs::rename(&new, path)
        });
        if let Err(e) = written {
            tracing::warn!(
                "cannot save the emulated rack's power states to {}: {e}",
                path.display()
            );
        }
    }

    /// Ends every server's life, as the end of the process would; what was saved stays.
    pub fn stop(&self) {
        self.servers.iter().for_each(|s| s.serial.hang_up());
        self.lives.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
    }
}

/// What a server boots when this process is gone and comes back. An agent lives in memory that is this process's: its
/// server boots over the network once more, as it was told to for the boot that was cut short. A real one would go on.
fn next_boot(state: &State) -> Boot {
    match state.activity {
        Activity::Firmware | Activity::Agent => Boot {
            target: "Pxe".into(),
            enabled: "Once".into(),
            uri: String::new(),
        },
        _ => state.boot.clone(),
    }
}

impl State {
    fn new(saved: Option<&Saved>) -> State {
        let on = saved.is_some_and(|s| s.on);
        let plain = Boot {
            target: "None".into(),
            enabled: "Disabled".into(),
            uri: String::new(),
        };
        State {
            power: if on { Power::On } else { Power::Off },
            activity: if on { Activity::Post } else { Activity::Nothing },
            boot: saved.map_or(plain, |s| s.boot.clone()),
            media: None,
            tag: String::new(),
            led: false,
            host_name: String::new(),
            address: saved.and_then(|s| s.address),
            boots: 0,
            turbo: [true; 2],
            bmc_back: None,
            generation: 0,
            task: None,
        }
    }
}
