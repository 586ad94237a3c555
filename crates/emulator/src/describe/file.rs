//! Reading a description from a file. Everything that is wrong is told, each with its line and with what would be right.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;

use super::{As, BoxAt, Cord, Described, Door, Feed, Loop, Pdu, Room, Shelf};
use crate::physics::breaker::Curve;
use crate::physics::circuit::{IMMERSION, PG25, WATER};
use crate::physics::kinds::{ALL, Cooled, Kind};
use crate::physics::load::Trace;

/// Mistakes that are told of one file.
const MOST_MISTAKES: usize = 12;
/// Boxes of one description.
const MOST_BOXES: usize = 2000;

/// One thing that can't be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong, and what would be right.
    pub why: String,
}

/// A description that can't be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct BadRack(pub Vec<Mistake>);

impl fmt::Display for BadRack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, m) in self.0.iter().enumerate() {
            let end = if n + 1 < self.0.len() { "\n" } else { "" };
            write!(f, "line {}: {}{end}", m.line, m.why)?;
        }
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default = "r1")]
    name: Spanned<String>,
    #[serde(default)]
    about: String,
    #[serde(default = "units")]
    units: u32,
    #[serde(default)]
    room: RoomIn,
    door: Option<DoorIn>,
    #[serde(default, rename = "loop")]
    loops: Vec<LoopIn>,
    #[serde(default, rename = "feed")]
    feeds: Vec<FeedIn>,
    #[serde(default, rename = "pdu")]
    pdus: Vec<PduIn>,
    #[serde(default, rename = "shelf")]
    shelves: Vec<ShelfIn>,
    #[serde(default, rename = "box")]
    boxes: Vec<BoxIn>,
}

fn r1() -> Spanned<String> {
    Spanned::new(0..0, "r1".into())
}
fn units() -> u32 {
    42
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RoomIn {
    celsius: f64,
    cubic_metres: f64,
    steel_kilograms: f64,
    cooling_watts: Option<f64>,
    restart_seconds: f64,
}

impl Default for RoomIn {
    fn default() -> Self {
        RoomIn {
            celsius: 22.0,
            cubic_metres: 60.0,
            steel_kilograms: 500.0,
            cooling_watts: None,
            restart_seconds: 150.0,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DoorIn {
    effectiveness: f64,
    water_celsius: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LoopIn {
    name: Spanned<String>,
    #[serde(default)]
    fluid: Fluid,
    litres: f64,
    litres_per_minute: f64,
    supply_celsius: f64,
    water_celsius: f64,
    water_litres_per_minute: Option<f64>,
    #[serde(default = "effectiveness")]
    effectiveness: f64,
    #[serde(default = "pumps")]
    pumps: u8,
    #[serde(default)]
    pump_watts: f64,
}

fn effectiveness() -> f64 {
    0.8
}
fn pumps() -> u8 {
    2
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "lowercase")]
enum Fluid {
    #[default]
    Pg25,
    Water,
    Immersion,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FeedIn {
    name: Spanned<String>,
    #[serde(default = "volts")]
    volts: f64,
    #[serde(default = "phases")]
    phases: Spanned<u8>,
    amps: Spanned<f64>,
    #[serde(default)]
    curve: Curve,
    transfer_millis: Option<f64>,
    ups_watts: Option<f64>,
    ups_minutes: Option<f64>,
}

fn volts() -> f64 {
    230.0
}
fn phases() -> Spanned<u8> {
    Spanned::new(0..0, 3)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PduIn {
    name: Spanned<String>,
    feed: Spanned<String>,
    outlets: Spanned<usize>,
    #[serde(default)]
    branches: usize,
    #[serde(default = "branch_amps")]
    branch_amps: f64,
}

fn branch_amps() -> f64 {
    16.0
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ShelfIn {
    name: Spanned<String>,
    feed: Spanned<String>,
    bus: String,
    rectifiers: u8,
    watts: f64,
    #[serde(default)]
    battery_joules: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BoxIn {
    slot: Spanned<String>,
    kind: Spanned<String>,
    #[serde(default = "one")]
    height: u32,
    #[serde(default = "one")]
    count: u32,
    #[serde(default)]
    cords: Vec<Spanned<String>>,
    on: Option<Spanned<String>>,
    gpus: Option<u8>,
    load: Option<Spanned<LoadIn>>,
}

fn one() -> u32 {
    1
}

#[derive(Deserialize)]
#[serde(untagged)]
enum LoadIn {
    Number(f64),
    Named(String),
}

/// What has been found out while a file is read.
struct Reader<'a> {
    text: &'a str,
    mistakes: Vec<Mistake>,
}

impl Reader<'_> {
    fn line(&self, at: usize) -> usize {
        1 + self.text.as_bytes().iter().take(at).filter(|b| **b == b'\n').count()
    }

    fn wrong(&mut self, span: Range<usize>, why: String) {
        let line = self.line(span.start);
        let mistake = Mistake { line, why };
        if self.mistakes.len() < MOST_MISTAKES && !self.mistakes.contains(&mistake) {
            self.mistakes.push(mistake);
        }
    }

    /// The place of a name in a list, or a mistake.
    fn pick(&mut self, what: &str, name: &Spanned<String>, all: &[String]) -> Option<usize> {
        let found = all.iter().position(|a| a == name.get_ref());
        if found.is_none() {
            let there = if all.is_empty() {
                "the file has none".to_owned()
            } else {
                format!("there are {}", all.join(", "))
            };
            self.wrong(name.span(), format!("there is no {what} `{}`; {there}", name.get_ref()));
        }
        found
    }

    /// Names must differ.
    fn names(&mut self, what: &str, all: &[&Spanned<String>]) -> Vec<String> {
        for (n, name) in all.iter().enumerate() {
            if let Some(first) = all[..n].iter().find(|a| a.get_ref() == name.get_ref()) {
                let line = self.line(first.span().start);
                self.wrong(
                    name.span(),
                    format!("the {what} `{}` is there already, on line {line}", name.get_ref()),
                );
            }
            if name.get_ref().parse::<rack::Name>().is_err() {
                let why = "a name is lower-case letters, digits and dashes";
                self.wrong(name.span(), format!("`{}` is no name: {why}", name.get_ref()));
            }
        }
        all.iter().map(|n| n.get_ref().clone()).collect()
    }
}

/// Reads a description.
pub fn read(text: &str) -> Result<Described, BadRack> {
    let file: File = toml::from_str(text).map_err(|e| {
        let at = e.span().map_or(0, |s| s.start);
        let line = 1 + text.as_bytes().iter().take(at).filter(|b| **b == b'\n').count();
        let why = e.message().replace('\n', " ");
        BadRack(vec![Mistake { line, why }])
    })?;
    let mut r = Reader {
        text,
        mistakes: Vec::new(),
    };
    let described = r.described(&file);
    if r.mistakes.is_empty() {
        Ok(described)
    } else {
        r.mistakes.sort_by_key(|m| m.line);
        Err(BadRack(r.mistakes))
    }
}

impl Reader<'_> {
    fn described(&mut self, file: &File) -> Described {
        self.names("rack", &[&file.name]);
        let loop_names = self.names("loop", &file.loops.iter().map(|l| &l.name).collect::<Vec<_>>());
        let feed_names = self.names("feed", &file.feeds.iter().map(|f| &f.name).collect::<Vec<_>>());
        let pdu_names = self.names("PDU", &file.pdus.iter().map(|p| &p.name).collect::<Vec<_>>());
        self.names("shelf", &file.shelves.iter().map(|s| &s.name).collect::<Vec<_>>());
        let feeds = file.feeds.iter().map(|f| self.feed(f)).collect();
        let pdus = file
            .pdus
            .iter()
            .map(|p| Pdu {
                name: p.name.get_ref().clone(),
                feed: self.pick("feed", &p.feed, &feed_names).unwrap_or_default(),
                outlets: self.within("outlets", &p.outlets, 1, 200),
                branches: p.branches.min(24),
                branch_amps: p.branch_amps,
            })
            .collect();
        let shelves = file
            .shelves
            .iter()
            .map(|s| Shelf {
                name: s.name.get_ref().clone(),
                feed: self.pick("feed", &s.feed, &feed_names).unwrap_or_default(),
                bus: s.bus.clone(),
                rectifiers: s.rectifiers.clamp(1, 8),
                watts: s.watts,
                battery: s.battery_joules.max(0.0),
            })
            .collect();
        let mut described = Described {
            name: file.name.get_ref().clone(),
            about: file.about.clone(),
            room: Room {
                celsius: file.room.celsius.clamp(5.0, 40.0),
                cubic_metres: file.room.cubic_metres.clamp(0.5, 1e5),
                steel: file.room.steel_kilograms.clamp(0.0, 1e6),
                cooling: file.room.cooling_watts.unwrap_or(0.0),
                restart: file.room.restart_seconds.clamp(1.0, 3600.0),
            },
            door: file.door.as_ref().map(|d| Door {
                effectiveness: d.effectiveness.clamp(0.0, 0.95),
                water: d.water_celsius,
            }),
            loops: file.loops.iter().map(coolant).collect(),
            feeds,
            pdus,
            shelves,
            boxes: Vec::new(),
        };
        self.boxes(file, &mut described, &loop_names, &pdu_names);
        self.amps(file, &described);
        if file.room.cooling_watts.is_none() {
            let all: f64 = described.boxes.iter().map(|b| b.kind.wall().1).sum();
            // half as much again as what it can draw
            described.room.cooling = 1.5 * all + 2000.0;
        }
        described
    }

    fn within(&mut self, what: &str, n: &Spanned<usize>, least: usize, most: usize) -> usize {
        let value = *n.get_ref();
        if !(least..=most).contains(&value) {
            self.wrong(n.span(), format!("{what} is {least} to {most}, not {value}"));
        }
        value.clamp(least, most)
    }

    fn feed(&mut self, f: &FeedIn) -> Feed {
        let phases = *f.phases.get_ref();
        if ![1, 3].contains(&phases) {
            self.wrong(f.phases.span(), format!("a feed has 1 phase or 3, not {phases}"));
        }
        let amps = *f.amps.get_ref();
        if !(amps.is_finite() && amps > 0.0) {
            self.wrong(f.amps.span(), format!("a breaker of {amps} A can't be"));
        }
        Feed {
            name: f.name.get_ref().clone(),
            volts: f.volts.clamp(50.0, 500.0),
            phases,
            amps,
            curve: f.curve,
            transfer: f.transfer_millis,
            ups: f.ups_watts.map(|w| (w.max(1.0), f.ups_minutes.unwrap_or(5.0))),
        }
    }

    fn boxes(&mut self, file: &File, d: &mut Described, loop_names: &[String], pdu_names: &[String]) {
        // unit → line of who stands there
        let mut taken: BTreeMap<u32, usize> = BTreeMap::new();
        // outlet → line of who hangs there
        let mut plugged: BTreeMap<(usize, usize), usize> = BTreeMap::new();
        let buses: Vec<&str> = file.shelves.iter().map(|s| s.bus.as_str()).collect();
        for b in &file.boxes {
            let line = self.line(b.slot.span().start);
            let Some(kind) = self.kind(b) else { continue };
            let on = b.on.as_ref().and_then(|name| self.pick("loop", name, loop_names));
            self.loop_fits(b, &kind, on);
            let load = self.load(b);
            if b.cords.len() > usize::from(kind.supply.count) {
                let span = b.cords[0].span();
                let (n, cords) = (kind.supply.count, b.cords.len());
                self.wrong(span, format!("`{}` has {n} power inlets, and here are {cords} cords", kind.name));
            }
            let first: Option<u32> = b.slot.get_ref().strip_prefix('u').and_then(|n| n.parse().ok());
            if first.is_none() && b.count > 1 {
                self.wrong(b.slot.span(), "several boxes need a first unit: `slot = \"u1\"`".into());
            }
            for n in 0..b.count.min(MOST_BOXES as u32) {
                let slot = match first {
                    Some(first) => {
                        let unit = first.saturating_add(n * b.height.max(1));
                        self.stand(b, unit, file.units, line, &mut taken);
                        format!("u{unit}")
                    }
                    None => b.slot.get_ref().clone(),
                };
                let cords = b
                    .cords
                    .iter()
                    .filter_map(|c| self.cord(c, n, line, d, pdu_names, &buses, &mut plugged))
                    .collect();
                d.boxes.push(BoxAt {
                    place: format!("{}/{slot}", d.name),
                    kind,
                    cords,
                    on,
                    moves: kind.name == "cdu",
                    load: load.clone(),
                    as_: As::of(&kind),
                });
            }
        }
        if d.boxes.len() > MOST_BOXES {
            self.wrong(0..0, format!("a description holds {MOST_BOXES} boxes, not {}", d.boxes.len()));
        }
    }

    fn kind(&mut self, b: &BoxIn) -> Option<Kind> {
        let found = Kind::named(b.kind.get_ref());
        if found.is_none() {
            let all: Vec<&str> = ALL.iter().map(|k| k.name).collect();
            self.wrong(
                b.kind.span(),
                format!("there is no kind `{}`; there are {}", b.kind.get_ref(), all.join(", ")),
            );
        }
        let mut kind = found?;
        kind.gpus = b.gpus.map_or(kind.gpus, |n| n.min(16));
        Some(kind)
    }

    fn loop_fits(&mut self, b: &BoxIn, kind: &Kind, on: Option<usize>) {
        let needs = kind.cooled != Cooled::Air || kind.name == "cdu";
        if needs && on.is_none() && b.on.is_none() {
            let why = format!("`{}` needs a loop or a tank: `on = \"NAME\"` and a [[loop]] of that name", kind.name);
            self.wrong(b.kind.span(), why);
        }
        if let Some(name) = b.on.as_ref().filter(|_| !needs) {
            self.wrong(name.span(), format!("`{}` is cooled by air and goes on no loop", kind.name));
        }
    }

    fn load(&mut self, b: &BoxIn) -> Trace {
        let Some(load) = &b.load else {
            return Trace::Constant(0.0);
        };
        let text = match load.get_ref() {
            LoadIn::Number(n) => n.to_string(),
            LoadIn::Named(name) => name.clone(),
        };
        Trace::named(&text, 1).unwrap_or_else(|e| {
            self.wrong(load.span(), e.to_string());
            Trace::Constant(0.0)
        })
    }

    /// Two things can't be in one unit, nor one above the rack.
    fn stand(&mut self, b: &BoxIn, unit: u32, units: u32, line: usize, taken: &mut BTreeMap<u32, usize>) {
        for u in unit..unit.saturating_add(b.height.clamp(1, 60)) {
            if u == 0 || u > units {
                let why = format!("u{u} is not in a rack of {units} units; free: {}", free(taken, units));
                return self.wrong(b.slot.span(), why);
            }
            if let Some(other) = taken.insert(u, line) {
                let why = format!("u{u} is taken by the box of line {other}; free: {}", free(taken, units));
                return self.wrong(b.slot.span(), why);
            }
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn cord(
        &mut self,
        cord: &Spanned<String>,
        n: u32,
        line: usize,
        d: &Described,
        pdus: &[String],
        buses: &[&str],
        plugged: &mut BTreeMap<(usize, usize), usize>,
    ) -> Option<Cord> {
        let text = cord.get_ref();
        let Some((pdu, outlet)) = text.split_once('/') else {
            if buses.contains(&text.as_str()) {
                return Some(Cord::Bus(text.clone()));
            }
            let why = format!("a cord goes to an outlet (`pdu-a/3`) or to a bus bar, not to `{text}`");
            self.wrong(cord.span(), why);
            return None;
        };
        let pdu = self.pick("PDU", &Spanned::new(cord.span(), pdu.to_owned()), pdus)?;
        let outlets = d.pdus[pdu].outlets;
        let number = outlet.parse::<usize>().ok().map(|o| o + n as usize);
        let Some(number) = number.filter(|o| (1..=outlets).contains(o)) else {
            let last = number.map_or_else(|| outlet.to_owned(), |n| n.to_string());
            let why = format!("`{}` has outlets 1 to {outlets}, not {last}", pdus[pdu]);
            self.wrong(cord.span(), why);
            return None;
        };
        if let Some(other) = plugged.insert((pdu, number), line) {
            let open: Vec<String> = (1..=outlets)
                .filter(|o| !plugged.contains_key(&(pdu, *o)))
                .map(|o| o.to_string())
                .take(8)
                .collect();
            let open = if open.is_empty() { "none".into() } else { open.join(", ") };
            let why = format!("outlet {number} of `{}` is taken by the box of line {other}; free: {open}", pdus[pdu]);
            self.wrong(cord.span(), why);
        }
        Some(Cord::Outlet(pdu, number - 1))
    }

    /// At full load and with everything whole, no feed may carry more than its breaker.
    fn amps(&mut self, file: &File, d: &Described) {
        let mut watts = vec![0.0; d.feeds.len()];
        let mut on_bus: BTreeMap<&str, f64> = BTreeMap::new();
        for b in &d.boxes {
            let pumps = b.on.filter(|_| b.moves).map_or(0.0, |l| d.loops[l].pump_watts * f64::from(d.loops[l].pumps));
            let full = b.kind.wall().1 + pumps;
            for cord in &b.cords {
                let part = full / b.cords.len() as f64;
                match cord {
                    Cord::Outlet(pdu, _) => watts[d.pdus[*pdu].feed] += part,
                    Cord::Bus(bus) => *on_bus.entry(bus).or_default() += part,
                }
            }
        }
        for (n, s) in d.shelves.iter().enumerate() {
            let all: Vec<&Shelf> = d.shelves.iter().filter(|o| o.bus == s.bus).collect();
            let bus = on_bus.get(s.bus.as_str()).copied().unwrap_or_default();
            let can: f64 = all.iter().map(|s| s.watts * f64::from(s.rectifiers)).sum();
            if bus > can {
                let why = format!(
                    "the boxes on the bus bar `{}` draw up to {bus:.0} W, its shelves give {can:.0} W: {:.0} W more of \
                     rectifiers, or fewer boxes",
                    s.bus,
                    bus - can
                );
                self.wrong(file.shelves[n].name.span(), why);
            }
            watts[s.feed] += (bus / all.len() as f64 + 17.0 * f64::from(s.rectifiers)) / 0.96;
        }
        for (n, (feed, watts)) in d.feeds.iter().zip(watts).enumerate() {
            let can = feed.volts * f64::from(feed.phases) * feed.amps;
            let amps = watts / (feed.volts * f64::from(feed.phases));
            if watts > can {
                let why = format!(
                    "`{}` carries {:.0} A a phase, and what hangs on it draws up to {amps:.1} A ({watts:.0} W of {can:.0} W): \
                     a feed of {:.0} A holds it within 80 %, or take {:.0} W off it",
                    feed.name,
                    feed.amps,
                    (amps / 0.8).ceil(),
                    watts - can
                );
                self.wrong(file.feeds[n].amps.span(), why);
            }
        }
    }
}

fn coolant(l: &LoopIn) -> Loop {
    let flow = l.litres_per_minute.clamp(0.1, 1e5);
    Loop {
        name: l.name.get_ref().clone(),
        heat: match l.fluid {
            Fluid::Pg25 => PG25,
            Fluid::Water => WATER,
            Fluid::Immersion => IMMERSION,
        },
        litres: l.litres.clamp(1.0, 1e6),
        litres_per_minute: flow,
        supply: l.supply_celsius,
        water: l.water_celsius,
        water_flow: l.water_litres_per_minute.unwrap_or(flow * 1.5),
        effectiveness: l.effectiveness.clamp(0.05, 0.95),
        pumps: l.pumps.clamp(1, 8),
        pump_watts: l.pump_watts.clamp(0.0, 1e5),
    }
}

/// Free units as runs: `u3-u9, u40`.
fn free(taken: &BTreeMap<u32, usize>, units: u32) -> String {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for u in (1..=units).filter(|u| !taken.contains_key(u)) {
        match runs.last_mut() {
            Some((_, end)) if *end + 1 == u => *end = u,
            _ => runs.push((u, u)),
        }
    }
    let words: Vec<String> = runs
        .iter()
        .map(|(a, b)| if a == b { format!("u{a}") } else { format!("u{a}-u{b}") })
        .collect();
    if words.is_empty() { "none".into() } else { words.join(", ") }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::describe::RACKS;
    use crate::physics::{Quantity, Readings};

    #[test]
    fn every_rack_that_comes_with_it_can_be_and_runs_cool_at_full_load() {
        for (name, text) in RACKS {
            let described = read(text).unwrap_or_else(|e| panic!("{name}: {e}"));
            let mut made = described.plant();
            for it in &made.boxes {
                made.plant.set_on(*it, true);
                made.plant.set_load(*it, Trace::Constant(1.0));
            }
            let start = made.plant.account();
            made.plant.advance(3600.0);
            let now = made.plant.account();
            let off = now.came - now.went - (now.stored - start.stored);
            assert!((off / now.came).abs() < 1e-6, "{name}: {off} J of {} J", now.came);
            for (it, b) in made.boxes.iter().zip(&described.boxes) {
                let work = made.plant.read(*it, Quantity::WorkPercent).unwrap();
                assert!(work > 99.0, "{name} {}: does {work} % at full load", b.place);
            }
            let events: Vec<_> = made.plant.events();
            let bad = events.iter().find(|e| matches!(e.what, crate::physics::Happened::Gear(_) | crate::physics::Happened::TooHot));
            assert!(bad.is_none(), "{name}: {bad:?}");
        }
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_line_and_what_would_fit() {
        let base = "[[feed]]\nname = \"f\"\namps = 16\nphases = 1\n[[pdu]]\nname = \"p\"\nfeed = \"f\"\noutlets = 4\n";
        let with = |more: &str| read(&format!("{base}{more}")).map(|_| ()).unwrap_err();
        let cases = [
            // from line 9 on
            ("[[box]]\nslot = \"u1\"\nkind = \"toaster\"", 11, "there are server-2s"),
            ("[[box]]\nslot = \"u1\"\nkind = \"n100\"\ncords = [\"p/5\"]", 12, "outlets 1 to 4, not 5"),
            ("[[box]]\nslot = \"u1\"\nkind = \"n100\"\ncords = [\"q/1\"]", 12, "there is no PDU `q`; there are p"),
            ("[[box]]\nslot = \"u1\"\ncount = 2\nkind = \"n100\"\n[[box]]\nslot = \"u2\"\nkind = \"n100\"", 14, "u2 is taken by the box of line 10; free: u3-u42"),
            ("[[box]]\nslot = \"u43\"\nkind = \"n100\"", 10, "not in a rack of 42 units; free: u1-u42"),
            ("[[box]]\nslot = \"u1\"\nkind = \"server-8gpu\"\ncords = [\"p/1\"]", 3, "draws up to"),
            ("[[box]]\nslot = \"u1\"\nkind = \"n100\"\ncords = [\"p/1\"]\n[[box]]\nslot = \"u2\"\nkind = \"n100\"\ncords = [\"p/1\"]", 16, "taken by the box of line 10; free: 2, 3, 4"),
            ("[[box]]\nslot = \"u1\"\nkind = \"n100\"\ncolour = \"red\"", 12, "unknown field `colour`"),
            ("[[box]]\nslot = \"u1\"\nkind = \"gb200-compute\"", 11, "needs a loop"),
            ("[[box]]\nslot = \"u1\"\nkind = \"n100\"\nload = 1.5", 12, "0 to 1, not 1.5"),
            ("[[box]]\nslot = \"u1\"\nkind = \"n100\"\ncords = [\"p/1\", \"p/2\"]", 12, "1 power inlets"),
            ("[[pdu]]\nname = \"p\"\nfeed = \"g\"\noutlets = 4", 10, "there already, on line 6"),
        ];
        for (more, line, why) in cases {
            let bad = with(more);
            let found = bad.0.iter().any(|m| m.line == line && m.why.contains(why));
            assert!(found, "{more}: {bad}");
        }
        assert_eq!(with("[[pdu]]\nname = \"x\"\nfeed = \"g\"\noutlets = 0\n").0.len(), 2, "all that is wrong is told");
        assert!(read("[[box]\n").unwrap_err().0[0].line == 1);
    }
}
