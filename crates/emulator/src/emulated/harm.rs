//! Faults that happen to the plant: done when they are set (or, for lost power, when a request comes), undone when they
//! are cleared.

use super::Emulated;
use super::bench::Bench;
use crate::faults::{Action, Fault, TooMany, glob};
use crate::physics::act::NoSuch;
use crate::physics::sensor::Drift;
use crate::physics::{Quantity, Readings};

/// A fault that can't be set.
#[derive(Debug, thiserror::Error)]
pub enum BadFault {
    /// What it hits is not there.
    #[error(transparent)]
    NoSuch(#[from] NoSuch),
    /// There is no room for it.
    #[error(transparent)]
    TooMany(#[from] TooMany),
    /// It happens inside what Busbar does not emulate here.
    #[error(
        "servers are machines of QEMU here, whose disks and network are their own: `{0}` can't be done to them; pull a \
         cable, fail a fan, trip a breaker, hang a BMC instead"
    )]
    Inside(&'static str),
    /// It is not counted.
    #[error("this fault holds from when it is set until it is cleared: leave `count` out")]
    Counted,
}

impl Emulated {
    /// Sets a fault, and does it if it is one of the plant's.
    pub fn set_fault(&self, fault: Fault) -> Result<Fault, BadFault> {
        if self.config.machines.is_some()
            && let Some(word) = fault.action.inside()
        {
            return Err(BadFault::Inside(word));
        }
        if fault.action.physical() {
            if fault.count.is_some() {
                return Err(BadFault::Counted);
            }
            self.physics(|b| harm(b, &fault, true))?;
        }
        let physical = fault.action.physical().then(|| fault.clone());
        self.faults.set(fault).map_err(|e| {
            if let Some(fault) = physical {
                // it has just been done, so it can be undone
                let _ = self.physics(|b| harm(b, &fault, false));
            }
            e.into()
        })
    }

    /// Clears one fault, or all, and undoes what they did to the plant; says how many.
    pub fn clear_faults(&self, id: Option<u64>) -> usize {
        let (gone, stay): (Vec<Fault>, Vec<Fault>) = self
            .faults
            .list()
            .into_iter()
            .partition(|f| id.is_none_or(|id| f.id == id));
        let cleared = self.faults.clear(id);
        for fault in gone.iter().filter(|f| f.action == Action::LosePower && f.hits > 0) {
            let hit = |i: &usize| fault.on.names(&self.servers[*i].spec.place);
            (0..self.servers.len()).filter(hit).for_each(|i| self.feed_all(i, true));
        }
        self.physics(|b| {
            for fault in gone.iter().filter(|f| f.action.physical()) {
                // what was there when it was set is there now
                let _ = harm(b, fault, false);
            }
            // what another fault still holds is held
            for fault in stay.iter().filter(|f| f.action.physical()) {
                let _ = harm(b, fault, true);
            }
        });
        cleared
    }
}

/// Does or undoes a fault on everything that its selector names. A pattern passes over what it can't hit; a name does not.
fn harm(bench: &mut Bench, fault: &Fault, on: bool) -> Result<(), NoSuch> {
    let pattern = fault.on.at.as_str();
    let all: Vec<String> = bench.plant.all().map(|id| bench.plant.name_of(id).to_owned()).collect();
    let hit: Vec<&String> = all.iter().filter(|name| glob(pattern, name)).collect();
    if hit.is_empty() {
        let there = bench.plant.some_names();
        return Err(NoSuch(format!(
            "there is no `{pattern}` in this rack; there are {there}"
        )));
    }
    let mut last = Ok(());
    let mut done = false;
    for name in hit {
        match one(bench, name, &fault.action, on) {
            Ok(()) => done = true,
            Err(e) => last = Err(e),
        }
    }
    if done { Ok(()) } else { last }
}

fn one(bench: &mut Bench, name: &str, action: &Action, on: bool) -> Result<(), NoSuch> {
    let plant = &mut bench.plant;
    match action {
        Action::PullCable { supply } => plant.pull_cable(name, *supply, on),
        Action::FailSupply { supply } => plant.fail_supply(name, *supply, on),
        Action::FailFan { fan } => plant.fail_fan(name, *fan, on),
        Action::StopPump { pump } => plant.stop_pump(name, *pump, on),
        Action::StopCooling => plant.stop_cooling(name, on),
        Action::TripBreaker => plant.trip(name, on),
        Action::LoseFeed => plant.lose_feed(name, on),
        Action::Leak { litres_per_minute } => plant.leak(name, if on { *litres_per_minute } else { 0.0 }),
        Action::DriftSensor {
            sensor,
            per_hour,
            offset,
        } => {
            let what = Quantity::named(sensor).ok_or_else(|| {
                NoSuch(format!(
                    "there is no quantity `{sensor}`: InletCelsius, GpuCelsius3, TotalWatts, …"
                ))
            })?;
            let of = plant.find(name).filter(|of| plant.read(*of, what).is_some());
            let of = of.ok_or_else(|| NoSuch(format!("`{name}` has no `{sensor}`")))?;
            let drift = Drift {
                per_hour: *per_hour,
                offset: *offset,
                since: plant.now,
            };
            bench.sensors.set_drift(of, what, on.then_some(drift));
            Ok(())
        }
        _ => Ok(()),
    }
}
