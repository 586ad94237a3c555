//! Faults that happen to a plant: how they are set, done, undone and cleared, for whatever has plants: a rack has one, a
//! hall one for each of its racks.

use crate::faults::{Action, Fault, Faults, TooMany};
use crate::physics::act::NoSuch;
use crate::physics::sensor::{Drift, Sensors};
use crate::physics::{Plant, Quantity, Readings};

/// A fault that can't be set.
#[derive(Debug, thiserror::Error)]
pub enum BadFault {
    /// What it hits is not there.
    #[error(transparent)]
    NoSuch(#[from] NoSuch),
    /// There is no room for it.
    #[error(transparent)]
    TooMany(#[from] TooMany),
    /// It is not counted.
    #[error("this fault holds from when it is set until it is cleared: leave `count` out")]
    Counted,
    /// Nothing here has it.
    #[error("nothing here takes `{0}`: {1}")]
    NotHere(&'static str, &'static str),
}

/// Sets a fault, and does it by `apply` if it is one of a plant's.
pub(crate) fn set(
    faults: &Faults,
    fault: Fault,
    apply: impl Fn(&Fault, bool) -> Result<(), NoSuch>,
) -> Result<Fault, BadFault> {
    if fault.action.physical() {
        if fault.count.is_some() {
            return Err(BadFault::Counted);
        }
        apply(&fault, true)?;
    }
    let physical = fault.action.physical().then(|| fault.clone());
    faults.set(fault).map_err(|e| {
        if let Some(fault) = physical {
            // it has just been done, so it can be undone
            let _ = apply(&fault, false);
        }
        e.into()
    })
}

/// Clears one fault, or all, and undoes by `apply` what they did; gives how many, and which.
pub(crate) fn clear(
    faults: &Faults,
    id: Option<u64>,
    apply: impl Fn(&Fault, bool) -> Result<(), NoSuch>,
) -> (usize, Vec<Fault>) {
    let all = faults.list().into_iter();
    let (gone, stay): (Vec<Fault>, Vec<Fault>) = all.partition(|f| id.is_none_or(|id| f.id == id));
    let cleared = faults.clear(id);
    for fault in gone.iter().filter(|f| f.action.physical()) {
        // what was there when it was set is there now
        let _ = apply(fault, false);
    }
    // what another fault still holds is held
    let undone = gone.iter().any(|f| f.action.physical());
    for fault in stay.iter().filter(|f| undone && f.action.physical()) {
        let _ = apply(fault, true);
    }
    (cleared, gone)
}

/// What came of a fault at all that its selector names: a pattern passes over what it can't hit, a name does not.
#[derive(Default)]
pub(crate) struct Tally {
    done: bool,
    refused: Option<NoSuch>,
}

impl Tally {
    /// Notes what came of one.
    pub(crate) fn note(&mut self, one: Result<(), NoSuch>) {
        match one {
            Ok(()) => self.done = true,
            Err(e) => self.refused = Some(e),
        }
    }

    /// What is said of all; `nobody` when nothing was named.
    pub(crate) fn end(self, nobody: impl FnOnce() -> NoSuch) -> Result<(), NoSuch> {
        match (self.done, self.refused) {
            (true, _) => Ok(()),
            (false, Some(refused)) => Err(refused),
            (false, None) => Err(nobody()),
        }
    }
}

/// Does or undoes a fault on what the plant calls `name`.
pub(crate) fn harm(
    plant: &mut Plant,
    sensors: &mut Sensors,
    name: &str,
    action: &Action,
    on: bool,
) -> Result<(), NoSuch> {
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
            sensors.set_drift(of, what, on.then_some(drift));
            Ok(())
        }
        _ => Ok(()),
    }
}
