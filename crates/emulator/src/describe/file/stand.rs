//! Where boxes stand and what they hang on: two things can't be in one unit or on one outlet.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;

use super::Reader;
use super::form::{BoxIn, File, LoadIn};
use crate::describe::{As, BoxAt, Cord, Described};
use crate::physics::kinds::{ALL, Cooled, Kind};
use crate::physics::load::Trace;

/// Boxes of one description.
const MOST_BOXES: usize = 2000;

impl Reader<'_> {
    pub(super) fn boxes(&mut self, file: &File, d: &mut Described, loop_names: &[String], pdu_names: &[String]) {
        // unit → line of who stands there
        let mut taken: BTreeMap<u32, usize> = BTreeMap::new();
        // outlet → line of who hangs there
        let mut plugged: BTreeMap<(usize, usize), usize> = BTreeMap::new();
        for unit in file.shelves.iter().filter_map(|s| s.unit.as_ref()) {
            let (at, span) = (*unit.get_ref(), unit.span());
            self.stand(span, at..at.saturating_add(1), file.units, &mut taken);
        }
        let buses: Vec<&str> = file.shelves.iter().map(|s| s.bus.as_str()).collect();
        for b in &file.boxes {
            let line = self.line(b.slot.span().start);
            let Some(kind) = self.kind(b) else { continue };
            let on = b.on.as_ref().and_then(|name| self.pick("loop", name, loop_names));
            self.loop_fits(b, &kind, on);
            let load = self.load(b);
            let as_ = self.as_(b, &kind);
            if b.cords.len() > usize::from(kind.supply.count) {
                let span = b.cords[0].span();
                let (n, cords) = (kind.supply.count, b.cords.len());
                self.wrong(
                    span,
                    format!("`{}` has {n} power inlets, and here are {cords} cords", kind.name),
                );
            }
            let first: Option<u32> = b.slot.get_ref().strip_prefix('u').and_then(|n| n.parse().ok());
            if first.is_none() && b.count > 1 {
                self.wrong(b.slot.span(), "several boxes need a first unit: `slot = \"u1\"`".into());
            }
            let height = b.height.clamp(1, 60);
            let told = b.unit.as_ref().map(|u| *u.get_ref());
            if let (Some(unit), Some(first)) = (&b.unit, first) {
                let why = format!("the slot says u{first} already: leave `unit` out");
                self.wrong(unit.span(), why);
            }
            for n in 0..b.count.min(MOST_BOXES as u32) {
                let unit = first.map(|first| first.saturating_add(n * height));
                let slot = unit.map_or_else(|| b.slot.get_ref().clone(), |unit| format!("u{unit}"));
                let unit = unit.or(told);
                if let Some(unit) = unit {
                    let units = unit..unit.saturating_add(height);
                    self.stand(b.slot.span(), units, file.units, &mut taken);
                }
                let cords = b
                    .cords
                    .iter()
                    .filter_map(|c| self.cord(c, n, line, d, pdu_names, &buses, &mut plugged))
                    .collect();
                d.boxes.push(BoxAt {
                    place: format!("{}/{slot}", d.name),
                    unit,
                    height,
                    kind,
                    cords,
                    on,
                    moves: kind.name == "cdu",
                    load: load.clone(),
                    as_,
                });
            }
        }
        if d.boxes.len() > MOST_BOXES {
            self.wrong(
                0..0,
                format!("a description holds {MOST_BOXES} boxes, not {}", d.boxes.len()),
            );
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
            let why = format!(
                "`{}` needs a loop or a tank: `on = \"NAME\"` and a [[loop]] of that name",
                kind.name
            );
            self.wrong(b.kind.span(), why);
        }
        if let Some(name) = b.on.as_ref().filter(|_| !needs) {
            self.wrong(
                name.span(),
                format!("`{}` is cooled by air and goes on no loop", kind.name),
            );
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

    /// Who it is; `managed = false` leaves out the controller of a box without processors.
    fn as_(&mut self, b: &BoxIn, kind: &Kind) -> As {
        match As::of(kind) {
            as_ if b.managed => as_,
            As::Managed | As::Load => As::Load,
            as_ => {
                let why = format!(
                    "`managed = false` is for boxes that no machine runs on, not for `{}`; a server without a BMC is \
                     `server-bare`",
                    kind.name
                );
                self.wrong(b.slot.span(), why);
                as_
            }
        }
    }

    /// Two things can't be in one unit, nor one above the rack.
    fn stand(&mut self, span: Range<usize>, wants: Range<u32>, units: u32, taken: &mut BTreeMap<u32, usize>) {
        let line = self.line(span.start);
        for u in wants {
            if u == 0 || u > units {
                let why = format!("u{u} is not in a rack of {units} units; free: {}", free(taken, units));
                return self.wrong(span, why);
            }
            if let Some(other) = taken.insert(u, line) {
                let why = format!("u{u} is taken by the box of line {other}; free: {}", free(taken, units));
                return self.wrong(span, why);
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
            let open = if open.is_empty() {
                "none".into()
            } else {
                open.join(", ")
            };
            let why = format!(
                "outlet {number} of `{}` is taken by the box of line {other}; free: {open}",
                pdus[pdu]
            );
            self.wrong(cord.span(), why);
        }
        Some(Cord::Outlet(pdu, number - 1))
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
    if words.is_empty() {
        "none".into()
    } else {
        words.join(", ")
    }
}
