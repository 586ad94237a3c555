//! The physics of a hall: a plant for each rack, all of them like the one in `racks/nvl72.toml`, each with what was done to
//! it. A plant is brought up to the present when one of its boxes is asked, so that a hall that nobody asks costs nothing.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::Kind;
use super::layout::{At, COMPUTE, Layout, SHELVES, SWITCHES};
use crate::describe::file::{BadRack, read};
use crate::physics::kinds::{GB200_TRAY, NVLINK_TRAY};
use crate::physics::load::{BadTrace, Trace};
use crate::physics::sensor::Sensors;
use crate::physics::{BoxId, Plant, Quantity, Readings as _};

const DESCRIPTION: &str = include_str!("../../../../racks/nvl72.toml");
/// After so long a rack that was switched on is as warm as it gets.
const WARM: f64 = 7200.0;
/// What a rack is warm from: the mean of what it does.
const MEAN: f64 = 0.8;
/// Seconds by which the work of two racks next to each other is apart.
const APART: f64 = 1.7;
/// Of so many racks none does the same as another at the same time.
const PHASES: u32 = 7;
/// Sensors look no more often than that, in seconds.
const REFRESH: f64 = 1.0;

/// One rack.
struct Rack {
    plant: Plant,
    sensors: Sensors,
    /// Up to when time has passed in it.
    at: Instant,
}

/// Where the boxes of every rack are in their plant.
struct Places {
    trays: Vec<BoxId>,
    switches: Vec<BoxId>,
    shelves: Vec<BoxId>,
}

/// Every rack.
pub(super) struct Plants {
    racks: Vec<Mutex<Rack>>,
    places: Places,
    speed: f64,
}

/// A description that does not have the boxes of a hall's rack.
#[derive(Debug, thiserror::Error)]
pub enum BadPlant {
    /// Not a description.
    #[error(transparent)]
    Rack(#[from] BadRack),
    /// Not a load.
    #[error(transparent)]
    Load(#[from] BadTrace),
    /// Not this rack.
    #[error("racks/nvl72.toml has {0} {1}: a hall's rack has {2}")]
    Boxes(usize, &'static str, u32),
}

impl Plants {
    /// As many racks as the hall has, all of them on and warm, and each at a training job of its own.
    pub(super) fn new(layout: Layout, speed: f64) -> Result<Plants, BadPlant> {
        let described = read(DESCRIPTION)?;
        let mut made = described.plant();
        let of = |kind: &str| -> Vec<BoxId> {
            let all = described.boxes.iter().zip(&made.boxes);
            all.filter(|(b, _)| b.kind.name == kind).map(|(_, id)| *id).collect()
        };
        let (trays, switches) = (of(GB200_TRAY.name), of(NVLINK_TRAY.name));
        let named = |name: &str| {
            made.plant
                .find(name)
                .or_else(|| made.plant.find(&format!("{}/{name}", described.name)))
        };
        let shelves: Vec<BoxId> = described.shelves.iter().filter_map(|s| named(&s.name)).collect();
        let places = Places {
            trays,
            switches,
            shelves,
        };
        for (found, what, wanted) in [
            (&places.trays, GB200_TRAY.name, COMPUTE),
            (&places.switches, NVLINK_TRAY.name, SWITCHES),
            (&places.shelves, "shelves", SHELVES),
        ] {
            if found.len() != wanted as usize {
                return Err(BadPlant::Boxes(found.len(), what, wanted));
            }
        }
        for id in &made.boxes {
            made.plant.set_on(*id, true);
        }
        let work =
            |plant: &mut Plant, trace: &Trace| places.trays.iter().for_each(|t| plant.set_load(*t, trace.clone()));
        work(&mut made.plant, &Trace::Constant(MEAN));
        made.plant.advance(WARM);
        work(&mut made.plant, &Trace::named("training", 0)?);
        // what happened until then is nobody's news
        made.plant.events();
        let mut phases = vec![made.plant.clone()];
        for _ in 1..PHASES.min(layout.racks()) {
            made.plant.advance(APART);
            phases.push(made.plant.clone());
        }
        let at = Instant::now();
        let racks = (0..layout.racks()).map(|n| {
            Mutex::new(Rack {
                plant: phases[n as usize % phases.len()].clone(),
                sensors: Sensors::new(n.into()),
                at,
            })
        });
        Ok(Plants {
            racks: racks.collect(),
            places,
            speed,
        })
    }

    /// The rack of a box, as it is now.
    fn rack(&self, at: At) -> Option<MutexGuard<'_, Rack>> {
        let rack = self.racks.get(at.rack as usize - 1)?;
        let mut rack = rack.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let passed = (now - rack.at).as_secs_f64() * self.speed;
        if passed >= REFRESH {
            rack.plant.advance(passed);
            rack.at = now;
        }
        Some(rack)
    }

    /// The body of a box in its plant; a DPU's is its tray's.
    fn body(&self, at: At) -> Option<BoxId> {
        let all = match at.kind {
            Kind::ComputeTray | Kind::Dpu => &self.places.trays,
            Kind::SwitchTray => &self.places.switches,
            Kind::PowerShelf => &self.places.shelves,
        };
        all.get(at.number as usize - 1).copied()
    }

    /// What a sensor of a box tells.
    pub(super) fn read(&self, at: At, what: Quantity) -> Option<f64> {
        use Quantity::{BoardCelsius, CpuCelsius, InletCelsius};
        let mut rack = self.rack(at)?;
        let (of, what) = match (at.kind, what) {
            // a card has the temperature of what is not a chip with a plate of its own, and no meter
            (Kind::Dpu, CpuCelsius(0)) => (self.body(at)?, BoardCelsius),
            (Kind::Dpu, InletCelsius) => (self.body(at)?, InletCelsius),
            (Kind::Dpu, _) => return None,
            (Kind::SwitchTray, CpuCelsius(0)) => (self.body(at)?, BoardCelsius),
            // shelves breathe what the trays between them do
            (Kind::PowerShelf, InletCelsius) => (*self.places.trays.first()?, InletCelsius),
            (_, what) => (self.body(at)?, what),
        };
        let Rack { plant, sensors, .. } = &mut *rack;
        sensors.tell(plant, plant.now, of, what)
    }

    /// Switches a tray; a DPU and a shelf have no switch that the plant knows.
    pub(super) fn set_on(&self, at: At, on: bool) {
        if let (Kind::ComputeTray | Kind::SwitchTray, Some(of)) = (at.kind, self.body(at))
            && let Some(mut rack) = self.rack(at)
        {
            rack.plant.set_on(of, on);
            rack.sensors.look_again(of);
        }
    }

    /// Caps one accelerator of a tray.
    pub(super) fn cap(&self, at: At, gpu: usize, watts: Option<f64>) {
        if let (Kind::ComputeTray, Some(of)) = (at.kind, self.body(at))
            && let Some(mut rack) = self.rack(at)
        {
            rack.plant.set_gpu_cap(of, gpu, watts);
            rack.sensors.look_again(of);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use super::super::bay::quantity;
    use super::*;

    fn plants(bmcs: u32) -> Plants {
        Plants::new(Layout::of(bmcs).unwrap(), 1.0).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn every_blank_of_every_document_is_a_reading_that_is_there() {
        let plants = plants(71);
        for (at, text) in [
            (At::of(0), include_str!("compute-tray.json")),
            (At::of(1), include_str!("dpu.json")),
            (At::of(54), include_str!("switch-tray.json")),
            (At::of(63), include_str!("power-shelf.json")),
        ] {
            for word in text.split("{read.").skip(1) {
                let name = word.split('}').next().unwrap().replace("[n]", "0");
                let what = quantity(&name).unwrap_or_else(|| panic!("{name}"));
                assert!(plants.read(at, what).is_some(), "{:?} {name}", at.kind);
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn shelves_give_what_trays_take_and_a_tray_that_is_off_takes_little() {
        let plants = plants(142);
        let sum = |kind: Kind, rack: u32| -> f64 {
            let all = (0..142).map(At::of).filter(|a| a.kind == kind && a.rack == rack);
            all.map(|a| plants.read(a, Quantity::TotalWatts).unwrap()).sum()
        };
        let drawn = |rack| sum(Kind::ComputeTray, rack) + sum(Kind::SwitchTray, rack);
        let (before, given) = (drawn(1), sum(Kind::PowerShelf, 1));
        assert!((60e3..140e3).contains(&before), "{before} W");
        assert!((0.9..1.0).contains(&(before / given)), "{before} W of {given} W");
        plants.set_on(At::of(0), false);
        tokio::time::sleep(Duration::from_secs(60)).await;
        let tray = |n| plants.read(At::of(n), Quantity::TotalWatts).unwrap();
        assert!(
            tray(0) < 200.0 && tray(3) > 1_000.0,
            "{} W beside {} W",
            tray(0),
            tray(3)
        );
        assert!(tray(71) > 1_000.0, "the next rack goes on: {} W", tray(71));
        // one accelerator is held back; all of them are at work at some time within a step of the job
        plants.cap(At::of(3), 1, Some(400.0));
        let mut most = [0.0_f64; 2];
        for _ in 0..15 {
            tokio::time::sleep(Duration::from_secs(1)).await;
            for (n, most) in most.iter_mut().enumerate() {
                *most = most.max(plants.read(At::of(3), Quantity::GpuWatts(n as u8)).unwrap());
            }
        }
        assert!(most[0] > 600.0 && most[1] < 430.0, "{most:?} W");
    }
}
