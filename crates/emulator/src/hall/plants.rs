//! The physics of a hall: a plant for each rack, all of them like the one in `racks/nvl72.toml`, each with what was done to
//! it. A plant is brought up to the present when one of its boxes is asked, so that a hall that nobody asks costs nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::Kind;
use super::layout::{At, COMPUTE, Layout, SHELVES, SWITCHES};
use crate::describe::file::{BadRack, read};
use crate::faults::Fault;
use crate::harm::{Tally, harm};
use crate::physics::act::NoSuch;
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
    /// Everything by its name in a rack of the hall (`c1`, `p8`, `coolant`, `feed-a`), and in its plant.
    names: Vec<(String, String)>,
}

/// Every rack.
pub(super) struct Plants {
    racks: Vec<Mutex<Rack>>,
    places: Places,
    speed: f64,
    /// Whether anything ever happened to a plant from outside: until then no box has lost its power or its cool.
    harmed: AtomicBool,
}

/// How a box of the hall stands in its plant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stand {
    /// Whether its controller has power.
    pub(super) lit: bool,
    /// Whether it is on; as its controller has it when absent.
    pub(super) on: Option<bool>,
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
        let numbered = |all: &[BoxId], id: BoxId, letter: char| {
            let n = all.iter().position(|i| *i == id)?;
            Some(format!("{letter}{}", n + 1))
        };
        let own = format!("{}/", described.name);
        let named = |id: BoxId| {
            let plant = made.plant.name_of(id);
            let told = numbered(&trays, id, 'c')
                .or_else(|| numbered(&switches, id, 's'))
                .or_else(|| numbered(&shelves, id, 'p'))
                .unwrap_or_else(|| plant.strip_prefix(&own).unwrap_or(plant).to_owned());
            (told, plant.to_owned())
        };
        let names = made.plant.all().map(named).collect();
        let places = Places {
            trays,
            switches,
            shelves,
            names,
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
            harmed: AtomicBool::new(false),
        })
    }

    /// The rack of a box, as it is now.
    fn rack(&self, at: At) -> Option<MutexGuard<'_, Rack>> {
        let rack = self.racks.get(at.rack as usize - 1)?;
        Some(self.present(rack))
    }

    fn present<'a>(&self, rack: &'a Mutex<Rack>) -> MutexGuard<'a, Rack> {
        let mut rack = rack.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let passed = (now - rack.at).as_secs_f64() * self.speed;
        if passed >= REFRESH {
            rack.plant.advance(passed);
            rack.at = now;
        }
        rack
    }

    /// What a fault names, rack by rack: where in the list of racks, and as which of its names.
    fn named<'a>(&'a self, fault: &'a Fault) -> impl Iterator<Item = (usize, &'a (String, String), String)> {
        (0..self.racks.len()).flat_map(move |n| {
            let all = self.places.names.iter();
            let told = all.map(move |name| (n, name, format!("r{}/{}", n + 1, name.0)));
            told.filter(|(_, _, told)| fault.on.names(told))
        })
    }

    /// Everything that a fault names, by its name in the hall.
    pub(super) fn names(&self, fault: &Fault) -> Vec<String> {
        self.named(fault).map(|(_, _, told)| told).collect()
    }

    /// Does or undoes a fault on everything that it names.
    pub(super) fn harm(&self, fault: &Fault, on: bool) -> Result<(), NoSuch> {
        let mut tally = Tally::default();
        for (n, (_, name), told) in self.named(fault) {
            let mut rack = self.present(&self.racks[n]);
            let Rack { plant, sensors, .. } = &mut *rack;
            let done = harm(plant, sensors, name, &fault.action, on);
            if plant.changed() {
                self.harmed.store(true, Ordering::Relaxed);
                plant.settle();
                sensors.all_look_again();
            }
            // who set it knows the box by another name than the plant does
            tally.note(done.map_err(|e| NoSuch(e.0.replace(&format!("`{name}`"), &format!("`{told}`")))));
        }
        tally.end(|| {
            let boxes = COMPUTE + SWITCHES + SHELVES;
            let numbered = |name: &str| (1..=boxes).any(|n| ["c", "s", "p"].iter().any(|l| *name == format!("{l}{n}")));
            let others = self.places.names.iter().map(|n| n.0.as_str()).filter(|n| !numbered(n));
            NoSuch(format!(
                "there is no `{}` in the plants of this hall; r1 to r{} have c1 to c{COMPUTE}, s1 to s{SWITCHES}, p1 to \
                 p{SHELVES}, {} each",
                fault.on.at,
                self.racks.len(),
                others.collect::<Vec<_>>().join(", ")
            ))
        })
    }

    /// How a box stands, once anything has happened to a plant; before, all of them have power and are as they were set.
    pub(super) fn stand(&self, at: At) -> Option<Stand> {
        if !self.harmed.load(Ordering::Relaxed) {
            return None;
        }
        let of = self.body(at)?;
        let rack = self.rack(at)?;
        let body = rack.plant.body(of);
        Some(match at.kind {
            Kind::ComputeTray | Kind::SwitchTray => Stand {
                lit: body?.live,
                on: Some(body?.on),
            },
            // a card lives by its tray's input, whether the tray is on or not
            Kind::Dpu => Stand {
                lit: body?.live,
                on: None,
            },
            Kind::PowerShelf => Stand {
                lit: rack.plant.has_voltage(of),
                on: None,
            },
        })
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
