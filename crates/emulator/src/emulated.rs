//! The rack itself: its servers with their state, and what may be done to them.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

use crate::config::{Config, Credential, StartError};
use crate::disks::Drive;
use crate::faults::{Action, Faults};
use crate::layout::{PduSpec, ServerSpec};
use crate::life;
use crate::model::{Activity, BARE_STANDBY_WATTS, Draw, Physics, Power};
use crate::redfish::core::BmcCore;
use crate::serial::Serial;

/// Lines of serial console that are told at most.
const CONSOLE_LINES: usize = 500;
/// Seconds that power takes to come up behind the supplies.
pub const POWER_ON: f64 = 3.0;
/// Seconds that an installed system takes to stop.
pub const SHUTDOWN: f64 = 8.0;
/// Seconds that a BMC takes to start again.
pub const BMC_RESET: f64 = 30.0;

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
    pub(crate) physics: Physics,
    pub(crate) fed: [bool; 2],
    pub(crate) tag: String,
    pub(crate) led: bool,
    pub(crate) host_name: String,
    pub(crate) address: Option<Ipv4Addr>,
    pub(crate) boots: u64,
    pub(crate) turbo: [bool; 2],
    pub(crate) bmc_back: Option<Instant>,
    since: Instant,
    generation: u64,
    task: Option<AbortHandle>,
}

/// A state as it was at one moment.
#[derive(Debug, Clone)]
pub struct View {
    /// Power state.
    pub power: Power,
    /// What runs.
    pub activity: Activity,
    /// Heat and fans.
    pub physics: Physics,
    /// Watts.
    pub draw: Draw,
    /// Which supplies have input.
    pub fed: [bool; 2],
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
    state: Mutex<State>,
}

/// A power distribution unit.
pub struct Pdu {
    /// How it is built.
    pub spec: PduSpec,
    pub(crate) core: BmcCore,
}

/// Who answers at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bmc {
    /// The BMC of the server with this index.
    Server(usize),
    /// The PDU with this index.
    Pdu(usize),
}

/// A rack made of software.
pub struct Emulated {
    /// What it was started with.
    pub config: Config,
    /// Its servers.
    pub servers: Vec<Server>,
    /// Its PDUs.
    pub pdus: Vec<Pdu>,
    /// The faults that are set.
    pub faults: Arc<Faults>,
    by_address: HashMap<IpAddr, Bmc>,
    pub(crate) ssh: crate::console::Port,
    trees: std::sync::OnceLock<crate::tree::ByAddress>,
    saving: Mutex<()>,
    lives: Mutex<JoinSet<()>>,
}

/// A reset that can't be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// There is no such reset.
    Unknown,
    /// Not in this power state.
    NotNow,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    on: bool,
    os: bool,
    address: Option<Ipv4Addr>,
    boot: Boot,
}

/// Resets that a server knows.
pub const RESETS: [&str; 7] = [
    "On",
    "ForceOff",
    "GracefulShutdown",
    "GracefulRestart",
    "ForceRestart",
    "PowerCycle",
    "PushPowerButton",
];

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
        let mut servers = Vec::new();
        for spec in config.layout.build_servers(config.seed) {
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
            let mut state = State::new(config.layout.inlet_celsius, saved.get(&spec.place));
            if spec.bmc.is_none() {
                state.physics.standby = BARE_STANDBY_WATTS;
            }
            let state = Mutex::new(state);
            servers.push(Server {
                core: core(&spec.serial),
                serial: Serial::new(),
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
                spec,
            })
            .collect();
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
        let rack = Arc::new(Emulated {
            config,
            servers,
            pdus,
            faults: Arc::default(),
            ssh: Default::default(),
            trees: Default::default(),
            by_address,
            saving: Mutex::new(()),
            lives: Mutex::default(),
        });
        crate::redfish::accounts::restore(&rack);
        for (i, server) in rack.servers.iter().enumerate() {
            if let Some(was) = saved.get(&server.spec.place).filter(|s| s.on) {
                // an agent died with the process, a system goes on where it was
                rack.begin(i, if was.os { life::From::Os } else { life::From::Post });
            }
        }
        Ok(rack)
    }

    /// Addresses of all BMCs and PDUs, for discovery.
    pub fn addresses(&self) -> Vec<Ipv4Addr> {
        self.servers
            .iter()
            .filter_map(|s| s.spec.bmc)
            .chain(self.pdus.iter().map(|p| p.spec.bmc))
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
        }
    }

    pub(crate) fn name(&self, bmc: Bmc) -> &str {
        match bmc {
            Bmc::Server(i) => &self.servers[i].spec.place,
            Bmc::Pdu(i) => &self.pdus[i].spec.name,
        }
    }

    /// Where a BMC is; the unspecified address for a server that has none.
    pub(crate) fn address(&self, bmc: Bmc) -> Ipv4Addr {
        match bmc {
            Bmc::Server(i) => self.servers[i].spec.bmc.unwrap_or(Ipv4Addr::UNSPECIFIED),
            Bmc::Pdu(i) => self.pdus[i].spec.bmc,
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
            Bmc::Server(i) => {
                let state = self.state(i);
                state.fed != [false; 2] && state.bmc_back.is_none_or(|t| t <= Instant::now())
            }
        }
    }

    pub(crate) fn state(&self, i: usize) -> MutexGuard<'_, State> {
        let server = &self.servers[i];
        let mut state = server.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let seconds = (now - state.since).as_secs_f64() * self.config.speed;
        state.since = now;
        let (on, activity, fed) = (state.power != Power::Off, state.activity, state.fed);
        state.physics.advance(seconds, on, activity, server.spec.gpus, fed);
        state
    }

    /// A server as it is now.
    pub fn view(&self, i: usize) -> View {
        let s = self.state(i);
        let on = s.power != Power::Off;
        View {
            power: s.power,
            activity: s.activity,
            draw: s.physics.draw(on, s.activity, self.servers[i].spec.gpus, s.fed),
            physics: s.physics.clone(),
            fed: s.fed,
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

    /// Lets seconds of the rack's time pass.
    pub(crate) async fn pause(&self, seconds: f64) {
        tokio::time::sleep(self.scaled(seconds)).await;
    }

    pub(crate) fn scaled(&self, seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds / self.config.speed.max(0.001))
    }

    pub(crate) fn set_activity(&self, i: usize, activity: Activity) {
        self.state(i).activity = activity;
        self.save();
    }

    pub(crate) fn set_power(&self, i: usize, power: Power) {
        self.state(i).power = power;
        self.save();
        let core = &self.servers[i].core;
        let text = format!("The power state of the server is now {}.", power.word());
        core.emit(
            (self.config.clock)(),
            "ResourceEvent.1.3.ResourceStateChanged",
            &text,
            "/redfish/v1/Systems/1",
        );
    }

    /// Starts a server's life; the one before, if any, ends.
    pub(crate) fn begin(self: &Arc<Self>, i: usize, from: life::From) {
        let rack = self.clone();
        let mut lives = self.lives.lock().unwrap_or_else(PoisonError::into_inner);
        while lives.try_join_next().is_some() {}
        let mut state = self.state(i);
        if let Some(before) = state.task.take() {
            before.abort();
        }
        state.generation += 1;
        state.boots += u64::from(from == life::From::Off);
        state.task = Some(lives.spawn(life::run(rack, i, from)));
    }

    /// Off at once. From a server's own life, which ends by itself, `abort` is false.
    pub(crate) fn off(&self, i: usize, abort: bool) {
        {
            let mut state = self.state(i);
            state.generation += 1;
            if let Some(task) = state.task.take()
                && abort
            {
                task.abort();
            }
            state.activity = Activity::Nothing;
        }
        if self.state(i).power != Power::Off {
            self.set_power(i, Power::Off);
        }
    }

    /// Sets whether a supply of a server has input.
    pub fn feed(&self, i: usize, supply: usize, on: bool) {
        let (was, is) = {
            let mut state = self.state(i);
            let was = state.fed;
            state.fed[supply.min(1)] = on;
            (was, state.fed)
        };
        if was == is {
            return;
        }
        if is == [false; 2] {
            self.servers[i].serial.hang_up();
            self.off(i, true);
        } else if was == [false; 2] {
            // a BMC boots from nothing as long as after a reset
            self.reset_bmc(i);
        }
        let (severity, text) = match on {
            true => ("OK", format!("Power supply {supply} has input again.")),
            false => ("Critical", format!("Power supply {supply} has lost its input.")),
        };
        let origin = format!("/redfish/v1/Chassis/1/PowerSubsystem/PowerSupplies/{supply}");
        let kind = "ResourceEvent.1.3.ResourceStatusChangedCritical";
        let kind = if on {
            "ResourceEvent.1.3.ResourceStatusChangedOK"
        } else {
            kind
        };
        let core = &self.servers[i].core;
        core.tell((self.config.clock)(), severity, kind, &text, &origin);
    }

    /// Resets a server, as `ComputerSystem.Reset` does.
    pub fn reset(self: &Arc<Self>, i: usize, kind: &str) -> Result<(), Refused> {
        if !RESETS.contains(&kind) {
            return Err(Refused::Unknown);
        }
        let place = &self.servers[i].spec.place;
        if self.faults.inside(place, |a| *a == Action::IgnoreReset).is_some() {
            return Ok(());
        }
        let (power, activity) = {
            let s = self.state(i);
            (s.power, s.activity)
        };
        let up = matches!(power, Power::On | Power::PoweringOn);
        match kind {
            "On" if power == Power::PoweringOff => Err(Refused::NotNow),
            "On" if up => Ok(()),
            "On" => {
                self.power_on(i);
                Ok(())
            }
            "ForceOff" => {
                self.off(i, true);
                Ok(())
            }
            "PushPowerButton" if power == Power::Off => {
                self.power_on(i);
                Ok(())
            }
            _ if !up => Err(Refused::NotNow),
            "ForceRestart" => {
                self.set_activity(i, Activity::Post);
                self.begin(i, life::From::Post);
                Ok(())
            }
            "PowerCycle" => {
                self.off(i, true);
                self.power_on(i);
                Ok(())
            }
            // asks the system, by ACPI: firmware and the agent do not listen
            _ if activity != Activity::Os => Ok(()),
            _ => {
                self.shut_down(i, kind == "GracefulRestart");
                Ok(())
            }
        }
    }

    pub(crate) fn power_on(self: &Arc<Self>, i: usize) {
        self.set_power(i, Power::PoweringOn);
        self.begin(i, life::From::Off);
    }

    fn shut_down(self: &Arc<Self>, i: usize, again: bool) {
        self.set_power(i, Power::PoweringOff);
        let rack = self.clone();
        let mut lives = self.lives.lock().unwrap_or_else(PoisonError::into_inner);
        let generation = self.state(i).generation;
        lives.spawn(async move {
            rack.say(i, "systemd-shutdown: sending SIGTERM to remaining processes");
            rack.pause(SHUTDOWN).await;
            // switched off by hand meanwhile
            if rack.state(i).generation != generation {
                return;
            }
            if again {
                rack.set_power(i, Power::On);
                rack.set_activity(i, Activity::Post);
                rack.begin(i, life::From::Post);
            } else {
                rack.off(i, true);
            }
        });
    }

    /// The BMC starts again and does not answer meanwhile; the server goes on.
    pub fn reset_bmc(&self, i: usize) {
        let back = Instant::now() + self.scaled(BMC_RESET);
        self.state(i).bmc_back = Some(back);
        self.servers[i].core.forget_sessions();
        self.servers[i].serial.hang_up();
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
    fn new(inlet: f64, saved: Option<&Saved>) -> State {
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
            physics: Physics::cold(inlet),
            fed: [true; 2],
            tag: String::new(),
            led: false,
            host_name: String::new(),
            address: saved.and_then(|s| s.address),
            boots: 0,
            turbo: [true; 2],
            bmc_back: None,
            since: Instant::now(),
            generation: 0,
            task: None,
        }
    }
}
