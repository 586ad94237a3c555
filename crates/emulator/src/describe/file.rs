//! Reading a description from a file. Everything that is wrong is told, each with its line and with what would be right.

mod amps;
mod form;
mod stand;

use std::fmt;
use std::ops::Range;

use toml::Spanned;

use form::{FeedIn, File, LoopIn};

use super::{Described, Door, Feed, Loop, Pdu, Room, Shelf};

/// Mistakes that are told of one file.
const MOST_MISTAKES: usize = 12;

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
                managed: p.managed,
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
                unit: s.unit.as_ref().map(|u| *u.get_ref()),
            })
            .collect();
        let mut described = Described {
            name: file.name.get_ref().clone(),
            about: file.about.clone(),
            units: file.units,
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
}

fn coolant(l: &LoopIn) -> Loop {
    let flow = l.litres_per_minute.clamp(0.1, 1e5);
    Loop {
        name: l.name.get_ref().clone(),
        fluid: l.fluid,
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

#[cfg(test)]
mod tests;
