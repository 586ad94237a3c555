//! Every box's rows, bounded by age, bytes and count. No clock and no lock: what is asked of it is all that it knows.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::Hash;
use std::sync::Arc;

use rack::{Reading, Time, Unit};

use super::block::{Open, Rows, Schema, Sealed, Sensor};
use super::column::LARGEST;

/// What the history may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Rows that are older are dropped, in seconds.
    pub age: u32,
    /// Bytes of all boxes together; the oldest blocks are dropped first.
    pub bytes: usize,
    /// Boxes.
    pub boxes: usize,
    /// Sensors of one box. Larger ones than any that was captured have fewer; a box that makes up names has no end.
    pub sensors: usize,
}

impl Default for Limits {
    /// A day, and room for the 17,750 BMCs of a hall with 20 sensors each, read once a minute, twice over.
    fn default() -> Self {
        Limits {
            age: 86_400,
            bytes: 512 << 20,
            boxes: 50_000,
            sensors: 512,
        }
    }
}

/// A name that is longer is cut off.
const NAME: usize = 96;
/// A clock that is set back by less leaves a gap; by more, and what it told before was wrong.
const STEP_BACK: u32 = 300;
/// Values are kept to a thousandth of their unit: finer than any sensor in a rack.
const FINE: f64 = 1000.0;

/// What one box told.
#[derive(Debug, Clone, Default)]
pub struct Track {
    sealed: VecDeque<Sealed>,
    open: Option<Open>,
}

impl Track {
    fn bytes(&self) -> usize {
        // keys and the map's own slots are counted with the boxes they are of
        size_of::<Track>()
            + self.open.as_ref().map_or(0, Open::bytes)
            + self.sealed.iter().map(Sealed::bytes).sum::<usize>()
    }

    fn last(&self) -> Option<u32> {
        let sealed = self.sealed.back().map(|b| b.last);
        self.open.as_ref().map(|o| o.last).or(sealed)
    }

    /// Time of the oldest row.
    pub fn first(&self) -> Option<u32> {
        let open = self.open.as_ref().map(|o| o.first);
        self.sealed.front().map(|b| b.first).or(open)
    }

    /// Its sensors, those first that it has had longest.
    pub fn sensors(&self) -> Vec<Sensor> {
        let mut seen = HashSet::new();
        let schemas = self.sealed.iter().map(|b| &b.schema);
        let mut last: Option<&Schema> = None;
        let mut all = Vec::new();
        for schema in schemas.chain(self.open.as_ref().map(|o| &o.schema)) {
            if last.is_some_and(|l| Arc::ptr_eq(l, schema)) {
                continue;
            }
            all.extend(schema.iter().filter(|s| seen.insert(*s)).cloned());
            last = Some(schema);
        }
        all
    }

    /// The rows of one sensor in the seconds `from..to`.
    pub fn rows(&self, sensor: &Sensor, from: u32, to: u32) -> Rows {
        let index = |schema: &Schema| schema.iter().position(|s| s == sensor);
        let mut all = Rows::default();
        let mut add = |found: Rows| {
            for (at, value) in found.times.into_iter().zip(found.values) {
                if (from..to).contains(&at) {
                    all.times.push(at);
                    all.values.push(value);
                }
            }
        };
        for block in self.sealed.iter().filter(|b| b.last >= from && b.first < to) {
            if let Some(i) = index(&block.schema) {
                add(block.column(i));
            }
        }
        if let Some(open) = &self.open
            && let Some(i) = index(&open.schema)
        {
            add(open.column(i));
        }
        all
    }

    /// What each sensor last told in the `age` seconds before a moment.
    pub fn at(&self, moment: Time, age: u32) -> Vec<Reading> {
        let Some(moment) = seconds(moment) else {
            return Vec::new();
        };
        let last = |sensor: Sensor| {
            let rows = self.rows(&sensor, moment.saturating_sub(age), moment.saturating_add(1));
            let (taken, value) = (*rows.times.last()?, *rows.values.last()?);
            Some(Reading {
                name: sensor.name.into(),
                value: value.map(float),
                unit: sensor.unit,
                taken: Time::from_millis(i64::from(taken) * 1000),
            })
        };
        self.sensors().into_iter().filter_map(last).collect()
    }
}

/// Everything that is kept, by a key that a box keeps when it is moved.
#[derive(Debug)]
pub struct Archive<K> {
    limits: Limits,
    tracks: HashMap<K, Track>,
    schemas: HashSet<Schema>,
    bytes: usize,
}

/// What an archive holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Holding {
    /// Boxes.
    pub boxes: usize,
    /// Values, missing ones too.
    pub samples: usize,
    /// Bytes, without the allocator's own.
    pub bytes: usize,
}

impl<K: Eq + Hash + Clone> Archive<K> {
    /// An empty one.
    pub fn new(limits: Limits) -> Archive<K> {
        Archive {
            limits,
            tracks: HashMap::new(),
            schemas: HashSet::new(),
            bytes: 0,
        }
    }

    /// Adds what a box told. Readings of one look share its time, so an older one among them was not of this look and is
    /// none; what is no newer than the last row is known already.
    pub fn note(&mut self, key: &K, readings: &[Reading]) {
        let Some(taken) = readings.iter().map(|r| r.taken).max() else {
            return;
        };
        let Some(at) = seconds(taken) else { return };
        if !self.tracks.contains_key(key) && self.tracks.len() >= self.limits.boxes {
            return;
        }
        let mut track = self.tracks.remove(key).unwrap_or_default();
        let before = track.bytes();
        match track.last() {
            Some(last) if at <= last && last - at <= STEP_BACK => {}
            Some(last) if at <= last => {
                track.sealed.retain(|b| b.last < at);
                track.open = None;
                self.append(&mut track, at, taken, readings);
            }
            _ => self.append(&mut track, at, taken, readings),
        }
        expire(&mut track, at.saturating_sub(self.limits.age));
        let known = self.tracks.insert(key.clone(), track);
        debug_assert!(known.is_none(), "it was taken out above");
        let after = self.tracks.get(key).map_or(0, Track::bytes);
        let was = if before == size_of::<Track>() { 0 } else { before };
        self.bytes = (self.bytes + after).saturating_sub(was);
        if self.bytes > self.limits.bytes {
            self.shed();
        }
    }

    fn append(&mut self, track: &mut Track, at: u32, taken: Time, readings: &[Reading]) {
        let told: Vec<(&str, Unit, Option<i64>)> = readings
            .iter()
            .take(self.limits.sensors)
            .map(|r| {
                (
                    cut(&r.name),
                    r.unit,
                    r.value.filter(|_| r.taken == taken).and_then(fixed),
                )
            })
            .collect();
        let full = track.open.as_ref().is_some_and(Open::is_full);
        if full && let Some(open) = track.open.take() {
            track.sealed.push_back(open.seal(|s| self.share(s)));
        }
        let mut new: Vec<Sensor> = Vec::new();
        {
            let known: &[Sensor] = track.open.as_ref().map_or(&[], |o| &o.schema);
            let mut find = Finder::default();
            for (name, unit, _) in &told {
                let is = |s: &Sensor| &*s.name == *name && s.unit == *unit;
                if find.among(known, is).is_none()
                    && known.len() + new.len() < self.limits.sensors
                    && !new.iter().any(is)
                {
                    let name = (*name).into();
                    new.push(Sensor { name, unit: *unit });
                }
            }
        }
        if !new.is_empty() || track.open.is_none() {
            // A block has the same columns from its first row to its last. Those of the one before go on, so that a sensor
            // that comes and goes makes two blocks of each, not one for each row.
            let old = track.open.take();
            let mut sensors = old.as_ref().map_or_else(Vec::new, |o| o.schema.to_vec());
            sensors.extend(new);
            if let Some(open) = old {
                track.sealed.push_back(open.seal(|s| self.share(s)));
            }
            track.open = Some(Open::new(self.share(sensors), at));
        }
        if let Some(open) = &mut track.open {
            let mut find = Finder::default();
            let value = |s: &Sensor| {
                let found = find.among(&told, |t| t.0 == &*s.name && t.1 == s.unit)?;
                told[found].2
            };
            let row: Vec<Option<i64>> = open.schema.iter().map(value).collect();
            open.push(at, &row);
        }
    }

    /// The one copy of a list of columns.
    fn share(&mut self, sensors: Vec<Sensor>) -> Schema {
        if let Some(known) = self.schemas.get(&sensors[..]) {
            return Arc::clone(known);
        }
        let schema: Schema = sensors.into();
        self.bytes += weight(&schema);
        self.schemas.insert(Arc::clone(&schema));
        schema
    }

    /// Drops what is too old at `now`, boxes that are no longer `known`, and columns that nothing has.
    pub fn sweep(&mut self, now: Time, known: impl Fn(&K) -> bool) {
        let horizon = seconds(now).unwrap_or(0).saturating_sub(self.limits.age);
        self.tracks.retain(|key, track| {
            expire(track, horizon);
            known(key) && (track.open.is_some() || !track.sealed.is_empty())
        });
        self.tidy();
    }

    /// Drops unused columns and counts anew.
    fn tidy(&mut self) {
        self.schemas.retain(|s| Arc::strong_count(s) > 1);
        let schemas: usize = self.schemas.iter().map(weight).sum();
        self.bytes = schemas + self.tracks.values().map(Track::bytes).sum::<usize>();
    }

    /// Drops the oldest blocks until an eighth is free, so that this is seldom done.
    fn shed(&mut self) {
        self.tidy();
        let mut excess = self.bytes.saturating_sub(self.limits.bytes / 8 * 7);
        let mut ages: Vec<(u32, usize)> = Vec::new();
        for track in self.tracks.values() {
            ages.extend(track.sealed.iter().map(|b| (b.last, b.bytes())));
            ages.extend(track.open.iter().map(|o| (o.last, o.bytes() + size_of::<Track>())));
        }
        ages.sort_unstable();
        let mut horizon = 0;
        for (last, bytes) in ages {
            if excess == 0 {
                break;
            }
            horizon = last.saturating_add(1);
            excess = excess.saturating_sub(bytes);
        }
        self.tracks.retain(|_, track| {
            expire(track, horizon);
            track.open.is_some() || !track.sealed.is_empty()
        });
        self.tidy();
    }

    /// What a box told, without a copy of it: only lists and the open block are.
    pub fn track(&self, key: &K) -> Option<Track> {
        self.tracks.get(key).cloned()
    }

    /// What is held. Goes through everything.
    pub fn holding(&self) -> Holding {
        let samples = |t: &Track| {
            let open = t.open.as_ref().map_or(0, Open::samples);
            open + t.sealed.iter().map(Sealed::samples).sum::<usize>()
        };
        Holding {
            boxes: self.tracks.len(),
            samples: self.tracks.values().map(samples).sum(),
            bytes: self.bytes,
        }
    }

    /// Bytes that are held.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Boxes that are held.
    pub fn boxes(&self) -> usize {
        self.tracks.len()
    }
}

/// Sensors keep their order from look to look, so a search begins where the last one ended.
#[derive(Default)]
struct Finder {
    next: usize,
}

impl Finder {
    fn among<T>(&mut self, list: &[T], is: impl Fn(&T) -> bool) -> Option<usize> {
        let here = list.get(self.next).filter(|t| is(t)).map(|_| self.next);
        let found = here.or_else(|| list.iter().position(is))?;
        self.next = found + 1;
        Some(found)
    }
}

fn expire(track: &mut Track, horizon: u32) {
    while track.sealed.front().is_some_and(|b| b.last < horizon) {
        track.sealed.pop_front();
    }
    if track.open.as_ref().is_some_and(|o| o.last < horizon) {
        track.open = None;
    }
}

/// Bytes of a list of columns.
fn weight(schema: &Schema) -> usize {
    size_of_val(&schema[..]) + schema.iter().map(|s| s.name.len()).sum::<usize>()
}

fn cut(name: &str) -> &str {
    &name[..name.floor_char_boundary(NAME)]
}

/// Whole seconds since the Unix epoch, before the year 2106.
pub fn seconds(time: Time) -> Option<u32> {
    u32::try_from(time.as_millis().div_euclid(1000)).ok()
}

/// A value in thousandths; nothing that no sensor can mean.
fn fixed(value: f64) -> Option<i64> {
    let scaled = (value * FINE).round();
    (scaled.abs() <= LARGEST as f64).then_some(scaled as i64)
}

/// What [`fixed`] made.
pub fn float(fixed: i64) -> f64 {
    fixed as f64 / FINE
}
