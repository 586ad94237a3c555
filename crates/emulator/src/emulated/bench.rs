//! The rack's plant under its servers: time passes for it as it does for the rack, servers say what they do, and what
//! happens to the plant happens to them. Between a sensor's reading and the plant's truth stands [`Emulated::sense`] and
//! nothing else.

use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use tokio::time::Instant;

use super::{Draw, Emulated, Heat};
use crate::faults::{Action, Fault};
use crate::model::Activity;
use crate::model::Power;
use crate::physics::act::NoSuch;
use crate::physics::gear::{Gear, Piece};
use crate::physics::load::Trace;
use crate::physics::quantity::Quantity as Q;
use crate::physics::sensor::Sensors;
use crate::physics::{BoxId, Event, Happened, Plant, Quantity, Readings};

/// Seconds of the rack that pass unlooked-at, and how many more for each box: looking costs what the plant's size is.
const UNSEEN: (f64, f64) = (0.05, 0.001);
/// Seconds of the rack between looks when nobody asks.
const LOOKS: (f64, f64) = (1.0, 30.0);
/// Fastest that a rack may run.
pub const MOST_SPEED: f64 = 10_000.0;
/// Longest step that can be asked for, seconds.
pub const MOST_STEP: f64 = 7.0 * 86_400.0;

/// The plant and its sensors.
pub(crate) struct Bench {
    pub(crate) plant: Plant,
    pub(crate) sensors: Sensors,
}

/// The rack's own time: it runs at some speed, stands still at 0, and may be put forward.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    at: Instant,
    seconds: f64,
    speed: f64,
}

impl Pace {
    pub(crate) fn new(speed: f64) -> Pace {
        Pace {
            at: Instant::now(),
            seconds: 0.0,
            speed,
        }
    }

    fn now(&self) -> f64 {
        self.seconds + self.at.elapsed().as_secs_f64() * self.speed
    }
}

impl Emulated {
    fn pace(&self) -> std::sync::MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The rack's time: seconds since it was built.
    pub fn seconds(&self) -> f64 {
        self.pace().now()
    }

    /// How many times faster than real the rack runs; 0 stands still.
    pub fn speed(&self) -> f64 {
        self.pace().speed
    }

    /// Lets it run at another speed from now on.
    pub fn set_speed(&self, speed: f64) {
        {
            let mut pace = self.pace();
            *pace = Pace {
                at: Instant::now(),
                seconds: pace.now(),
                speed: speed.clamp(0.0, MOST_SPEED),
            };
        }
        self.paced.notify_waiters();
    }

    /// Puts the rack forward by so many seconds, a second at a time, so that servers do on the way what they would have.
    pub async fn step(&self, seconds: f64) {
        let mut left = seconds.clamp(0.0, MOST_STEP);
        while left > 0.0 {
            let part = left.min(1.0);
            self.pace().seconds += part;
            left -= part;
            self.paced.notify_waiters();
            self.physics(|_| ());
            // lives that waited for this second go on in it
            for _ in 0..4 {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Real time that so many seconds of the rack take at its present speed.
    pub(crate) fn scaled(&self, seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds / self.speed().max(0.001))
    }

    /// Lets seconds of the rack's time pass.
    pub(crate) async fn pause(&self, seconds: f64) {
        let until = self.seconds() + seconds;
        loop {
            let paced = self.paced.notified();
            tokio::pin!(paced);
            // from here on a change of pace is not missed
            paced.as_mut().enable();
            let (now, speed) = (self.seconds(), self.speed());
            // timers count milliseconds
            if now + 1e-3 * speed.min(1.0) >= until {
                return;
            }
            if speed <= 0.0 {
                paced.await;
                continue;
            }
            let left = Duration::from_secs_f64((until - now) / speed);
            tokio::select! {
                () = tokio::time::sleep(left) => {}
                () = paced => {}
            }
        }
    }

    /// Does something with the plant as it is now, and lets servers know what happened to them.
    pub(crate) fn physics<T>(&self, with: impl FnOnce(&mut Bench) -> T) -> T {
        let now = self.seconds();
        let (done, events) = {
            let mut bench = self.bench.lock().unwrap_or_else(PoisonError::into_inner);
            let due = now - bench.plant.now;
            if due >= UNSEEN.0 + UNSEEN.1 * self.servers.len() as f64 {
                bench.plant.advance(due);
            }
            let done = with(&mut bench);
            if bench.plant.changed() {
                bench.plant.settle();
                bench.sensors.all_look_again();
            }
            (done, bench.plant.events())
        };
        events.into_iter().for_each(|e| self.happened(e));
        done
    }

    /// A reading as a BMC's sensor tells it.
    pub fn sense(&self, of: BoxId, what: Quantity) -> Option<f64> {
        self.physics(|b| {
            let now = b.plant.now;
            b.sensors.tell(&b.plant, now, of, what)
        })
    }

    /// The same of the box of this name: `r1/u3`, `pdu-a`.
    pub fn sense_of(&self, name: &str, what: Quantity) -> Option<f64> {
        let of = self.physics(|b| b.plant.find(name))?;
        self.sense(of, what)
    }

    /// The true value, which no BMC knows.
    pub fn truth_of(&self, name: &str, what: Quantity) -> Option<f64> {
        self.physics(|b| b.plant.read(b.plant.find(name)?, what))
    }

    /// Looks at the plant when nobody asks, so that breakers trip and heat switches off in time. Ends with the rack.
    pub(crate) async fn look_on(rack: Weak<Emulated>) {
        loop {
            let Some(wait) = rack.upgrade().map(|r| r.physics(|b| b.plant.grain())) else {
                return;
            };
            let Some(rack) = rack.upgrade() else { return };
            let paced = Arc::clone(&rack.paced);
            let speed = rack.speed();
            let wait = rack.scaled(wait.clamp(LOOKS.0, LOOKS.1));
            drop(rack);
            if speed <= 0.0 {
                // stepping looks by itself; whoever wakes the rack wakes this
                let _ = tokio::time::timeout(Duration::from_secs(60), paced.notified()).await;
            } else {
                tokio::time::sleep(wait).await;
            }
        }
    }

    fn happened(&self, event: Event) {
        let server = event.body.and_then(|of| self.servers.iter().position(|s| s.body == of));
        let other = event.body.and_then(|of| self.equipment.iter().find(|e| e.body == of));
        let core = match (server, other) {
            (Some(i), _) => &self.servers[i].core,
            (None, Some(other)) => &other.core,
            (None, None) => {
                tracing::info!(at = event.to, second = event.second, "emulated rack: {:?}", event.what);
                return;
            }
        };
        let critical = "ResourceEvent.1.3.ResourceStatusChangedCritical";
        let tell = |severity: &'static str, kind: &'static str, text: &str, origin: &str| {
            core.tell((self.config.clock)(), severity, kind, text, origin);
        };
        let off = || {
            if let Some(i) = server {
                self.off(i, true);
            }
        };
        match event.what {
            Happened::Dark => {
                if let Some(i) = server {
                    self.servers[i].serial.hang_up();
                }
                off();
            }
            // a BMC boots from nothing as long as after a reset
            Happened::Lit => match server {
                Some(i) => self.reset_bmc(i),
                None => core.forget_sessions(),
            },
            Happened::Supply(supply, on) => {
                let origin = format!("/redfish/v1/Chassis/1/PowerSubsystem/PowerSupplies/{supply}");
                if on {
                    let text = format!("Power supply {supply} has input again.");
                    tell("OK", "ResourceEvent.1.3.ResourceStatusChangedOK", &text, &origin);
                } else {
                    let text = format!("Power supply {supply} has lost its input.");
                    tell("Critical", critical, &text, &origin);
                }
            }
            Happened::TooHot => {
                let text = "It was switched off: a temperature is beyond its limit.";
                tell("Critical", critical, text, "/redfish/v1/Chassis/1/ThermalSubsystem");
                off();
            }
            Happened::Overloaded => {
                let text = "It was switched off: it draws more than its power supplies give.";
                tell("Critical", critical, text, "/redfish/v1/Chassis/1/PowerSubsystem");
                off();
            }
            Happened::Gear(what) => tell("Critical", critical, what, "/redfish/v1/Chassis/1/PowerSubsystem"),
        }
    }

    /// Whether any supply of a server has input.
    pub fn live(&self, i: usize) -> bool {
        let of = self.servers[i].body;
        self.physics(|b| b.plant.body(of).is_some_and(|b| b.live))
    }

    /// Sets whether a supply of a server has its cable.
    pub fn feed(&self, i: usize, supply: usize, on: bool) {
        let place = &self.servers[i].spec.place;
        // a supply that is not there has no cable either
        let _ = self.physics(|b| b.plant.pull_cable(place, supply as u8, !on));
    }

    /// Sets whether every supply of a box has its cable.
    pub(crate) fn feed_all(&self, of: BoxId, on: bool) {
        self.physics(|b| {
            let name = b.plant.name_of(of).to_owned();
            for supply in 0..b.plant.supplies(of).len() {
                // its supplies have just been counted
                let _ = b.plant.pull_cable(&name, supply as u8, !on);
            }
        });
    }

    /// Whether a box is on, or a shelf gives: what its controller knows without a sensor.
    pub(crate) fn is_on(&self, of: BoxId) -> bool {
        self.physics(|b| match b.plant.body(of) {
            Some(body) => body.on,
            None => b.plant.gives(of),
        })
    }

    /// Switches an outlet of a PDU, from 0.
    pub fn set_outlet(&self, pdu: usize, outlet: usize, on: bool) -> Result<(), NoSuch> {
        let name = &self.pdus[pdu].spec.name;
        self.physics(|b| b.plant.set_outlet(name, outlet, on))
    }

    /// What boxes are asked to do; says which.
    pub fn set_load(&self, at: &str, trace: &Trace) -> Result<Vec<String>, NoSuch> {
        self.physics(|b| {
            let all = b.plant.all().filter(|id| b.plant.body(*id).is_some());
            let hit: Vec<BoxId> = all.filter(|id| crate::faults::glob(at, b.plant.name_of(*id))).collect();
            if hit.is_empty() {
                return Err(NoSuch(format!(
                    "there is no box `{at}`; there are {}",
                    b.plant.some_names()
                )));
            }
            hit.iter().for_each(|id| b.plant.set_load(*id, trace.clone()));
            Ok(hit.iter().map(|id| b.plant.name_of(*id).to_owned()).collect())
        })
    }

    /// Breakers that are open by themselves: no fault that is set holds them so.
    pub fn tripped(&self) -> Vec<String> {
        let held = |f: &Fault| (f.action == Action::TripBreaker).then(|| f.on.at.clone());
        let held: Vec<String> = self.faults.list().iter().filter_map(held).collect();
        self.physics(|b| {
            let held: Vec<&str> = held.iter().filter_map(|at| b.plant.breaker_before(at)).collect();
            let open = |p: &&Piece| matches!(p.gear, Gear::Breaker { tripped: true, .. });
            let all = b.plant.gear().iter().filter(open).map(|p| p.name.clone());
            all.filter(|name| !held.contains(&name.as_str())).collect()
        })
    }

    /// Someone comes and closes what tripped by itself.
    pub fn close_tripped(&self) {
        for name in self.tripped() {
            // its breaker has just been seen
            let _ = self.physics(|b| b.plant.trip(&name, false));
        }
    }

    /// Tells the plant what a server does.
    pub(crate) fn tell_plant(&self, i: usize) {
        let of = self.servers[i].body;
        let (power, activity) = {
            let state = self.state(i);
            (state.power, state.activity)
        };
        self.physics(|b| {
            b.plant.set_on(of, power != Power::Off);
            if activity != Activity::Virtual {
                b.plant.set_base(of, activity.load());
            }
        });
    }

    /// Tells the plant how busy a server's machine is, as a share of its processors.
    pub(crate) fn set_machine_load(&self, i: usize, share: f64) {
        let of = self.servers[i].body;
        self.physics(|b| b.plant.set_base(of, share));
    }

    /// The share of what its machine wants to do that a server lets it do: its cap and its heat take from it.
    pub(crate) fn machine_work(&self, i: usize) -> f64 {
        let of = self.servers[i].body;
        self.physics(|b| {
            let now = b.plant.now;
            b.plant.body(of).map_or(1.0, |body| {
                let wanted = (body.load(now) + f64::from(body.base)).min(1.0);
                if wanted > 0.0 { body.work / wanted } else { 1.0 }
            })
        })
    }

    /// What a server draws and how warm it is, in truth.
    pub(crate) fn heat(&self, i: usize) -> (Draw, Heat, Vec<bool>) {
        let of = self.servers[i].body;
        self.physics(|b| {
            let p = &b.plant;
            let read = |q| p.read(of, q).unwrap_or_default();
            let supplies = p.supplies(of);
            let cpus = usize::from(self.servers[i].spec.kind.cpus);
            let draw = Draw {
                input: supplies.iter().map(|s| s.into).collect(),
                output: p.body(of).map_or(0.0, |b| b.out),
            };
            let heat = Heat {
                inlet: read(Q::InletCelsius),
                cpu: read(Q::CpuCelsius(0)),
                exhaust: read(Q::ExhaustCelsius),
                fan: read(Q::FanPercent) / 100.0,
                joules: supplies.iter().map(|s| s.joules).collect(),
                cap: p.body(of).and_then(|b| b.cap),
                gpu_caps: p.chips(of).iter().skip(cpus).map(|c| c.cap).collect(),
                work: read(Q::WorkPercent) / 100.0,
            };
            (draw, heat, supplies.iter().map(|s| s.fed).collect())
        })
    }
}
