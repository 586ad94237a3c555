//! The last day of every reading, in memory: lost with the process, like everything that is only seen.
//!
//! A box's readings of one look are one row: one time for all, names once for all boxes of a kind. Rows are collected in a
//! small open block ([`block`]), which is packed by columns when it is full ([`mod@column`]). [`archive`] is all boxes, bounded
//! by age, bytes and counts, without clock or lock; here stands the lock, and what the house asks. A look that failed has
//! no row, and a sensor without a reading has none in its row: gaps stay gaps (invariant I7).

pub mod archive;
pub mod block;
mod column;
mod fold;
#[cfg(test)]
mod tests;
mod trend;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rack::history::{HistoryView, SeriesView};
use rack::{NodeId, Place, Reading, Time};

use crate::House;
use crate::house::HouseError;
use archive::{Archive, Holding, Limits, Track, seconds};
use fold::Steps;

/// Whose readings they are: a node wherever it stands, another box by its place.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Of {
    /// A node.
    Node(NodeId),
    /// A PDU, a coolant unit, …
    Device(Place),
}

/// What was read, behind its lock. Nothing is awaited or unpacked under it.
pub struct History {
    archive: Mutex<Archive<Of>>,
    limits: Limits,
}

impl Default for History {
    fn default() -> Self {
        let limits = Limits::default();
        History {
            archive: Mutex::new(Archive::new(limits)),
            limits,
        }
    }
}

impl History {
    fn with<R>(&self, look: impl FnOnce(&mut Archive<Of>) -> R) -> R {
        look(&mut self.archive.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Keeps what one look read.
    pub fn note(&self, of: &Of, readings: &[Reading]) {
        self.with(|a| a.note(of, readings));
    }
}

/// What is asked of the history.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ask {
    /// Only readings of this name.
    pub reading: Option<String>,
    /// From when; a day ago when absent.
    pub from: Option<Time>,
    /// Until when; now when absent.
    pub to: Option<Time>,
    /// Seconds of a step.
    pub step: Option<u32>,
}

/// Most values of one answer, of all its steps and readings: about 2 MB of JSON.
const VALUES: usize = 50_000;

/// Drops what is too old and what is of boxes that are gone, for ever.
pub async fn run(house: House) -> Result<(), store::Error> {
    const PERIOD: Duration = Duration::from_secs(60);
    loop {
        tokio::time::sleep(PERIOD).await;
        let world = house.world();
        let devices: std::collections::HashSet<Place> = house.record(|r| r.devices.keys().cloned().collect());
        let known = |of: &Of| match of {
            Of::Node(id) => world.nodes.contains_key(id),
            Of::Device(place) => devices.contains(place),
        };
        let now = house.now();
        house.inner.history.with(|a| a.sweep(now, known));
    }
}

impl House {
    /// What the history holds; goes through all of it.
    pub fn history_holding(&self) -> Holding {
        self.inner.history.with(|a| a.holding())
    }

    /// Boxes and bytes that the history holds.
    pub fn history_size(&self) -> (usize, usize) {
        self.inner.history.with(|a| (a.boxes(), a.bytes()))
    }

    /// The readings of a box, or of every box of a rack, over time.
    pub fn history(&self, place: &Place, ask: &Ask) -> Result<HistoryView, HouseError> {
        let boxes = self.boxes_in(place);
        if boxes.is_empty() {
            return Err(HouseError::NotFound {
                kind: "place",
                name: place.to_string(),
            });
        }
        let apart = u32::try_from(self.inner.env.config.readings.as_secs()).unwrap_or(u32::MAX);
        let steps = steps(ask, self.now(), self.inner.history.limits.age, apart)?;
        let tracks = self.tracks_of(boxes);
        let mut chosen = Vec::new();
        for (place, track) in &tracks {
            let sensors = track.sensors().into_iter();
            let wanted = sensors.filter(|s| ask.reading.as_deref().is_none_or(|r| r == &*s.name));
            chosen.extend(wanted.map(|sensor| (place, track, sensor)));
        }
        let values = chosen.len().saturating_mul(steps.count as usize);
        if values > VALUES {
            let span = u64::from(steps.to() - steps.from);
            let fits = (span * chosen.len() as u64).div_ceil(VALUES as u64);
            let what = format!(
                "{} readings in {} steps of {} s are {values} values, and an answer has {VALUES} at most: ask for one reading, \
                 a shorter time, or steps of {fits} s and more",
                chosen.len(),
                steps.count,
                steps.step
            );
            return Err(HouseError::Invalid { what });
        }
        if let Some(name) = ask.reading.as_deref().filter(|_| chosen.is_empty()) {
            return Err(HouseError::NotFound {
                kind: "reading",
                name: format!("{place}/{name}"),
            });
        }
        let series = |(place, track, sensor): (&Place, &Track, block::Sensor)| -> SeriesView {
            let rows = track.rows(&sensor, steps.from, steps.to());
            steps.fold(place.clone(), &sensor.name, sensor.unit, &rows)
        };
        let time = |s: u32| Time::from_millis(i64::from(s) * 1000);
        Ok(HistoryView {
            from: time(steps.from),
            to: time(steps.to()),
            step_seconds: steps.step,
            kept_seconds: self.inner.history.limits.age,
            read_seconds: apart,
            series: chosen.into_iter().map(series).collect(),
        })
    }

    /// What every box at `place` or in it told.
    pub(crate) fn tracks(&self, place: &Place) -> Vec<(Place, Track)> {
        self.tracks_of(self.boxes_in(place))
    }

    fn tracks_of(&self, boxes: Vec<(Place, Of)>) -> Vec<(Place, Track)> {
        self.inner.history.with(|a| {
            let found = |(place, of): (Place, Of)| Some((place, a.track(&of)?));
            boxes.into_iter().filter_map(found).collect()
        })
    }

    /// Every box at `place` or in it, as people count places.
    fn boxes_in(&self, place: &Place) -> Vec<(Place, Of)> {
        let world = self.world();
        let nodes = world.nodes.values().filter(|n| n.place.is_in(place));
        let mut all: Vec<(Place, Of)> = nodes.map(|n| (n.place.clone(), Of::Node(n.id.clone()))).collect();
        self.record(|r| {
            let inside = r.devices.keys().filter(|p| p.is_in(place));
            all.extend(inside.map(|p| (p.clone(), Of::Device(p.clone()))));
        });
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    }
}

/// The steps that are meant, or what is wrong with them.
fn steps(ask: &Ask, now: Time, age: u32, apart: u32) -> Result<Steps, HouseError> {
    let invalid = |what: &str| HouseError::Invalid { what: what.into() };
    let at = |time: Time| seconds(time).ok_or_else(|| invalid("from and to are times between 1970 and 2106"));
    let now = at(now)?;
    // The last step ends after now, so that it holds what was just read.
    let to = ask.to.map(at).transpose()?.unwrap_or(now.saturating_add(1));
    let oldest = now.saturating_sub(age);
    let from = ask.from.map(at).transpose()?.unwrap_or_else(|| to.saturating_sub(age));
    if from >= to {
        return Err(invalid("from is not before to"));
    }
    if ask.step == Some(0) {
        return Err(invalid("a step has one second at least"));
    }
    // Nothing is kept from before, nor from after now: no steps are made for it.
    let (from, to) = (from.clamp(oldest, now), to.clamp(oldest, now.saturating_add(1)));
    Ok(Steps::over(from, to.max(from + 1), ask.step, apart))
}
