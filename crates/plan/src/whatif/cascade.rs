//! Rounds of a failure, until nothing more goes.

use std::collections::{BTreeMap, BTreeSet};

use rack::power::{FedBox, OneLine};

use super::taken::Taken;
use crate::power::{carried, fullest, live, shares};
use crate::pressure::Rules;
use crate::pressure::allot::{Allot, Item, Limit, allot};
use crate::pressure::breaker::seconds_to_trip;
use crate::pressure::scene::{gives, is_stoppable, watts};

/// Watts by which a load must grow before it trips anything: below that, nothing moved there.
const GROWTH: f64 = 1.0;
/// Of a box's input, the least that its supplies give out: what they are rated for is their output. The best of 80 PLUS, at
/// half load and 230 V, lose 4 %; the lowest that is certified, a tenth.
const EFFICIENCY: f64 = 0.9;

/// Why a box is gone.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Death {
    /// It fails by itself.
    Itself,
    /// No cord is left to it.
    Dark,
    /// What is left of its supplies gives less than it draws.
    Overloaded {
        /// What it draws, in watts.
        watts: f64,
        /// What they give, in watts.
        rated: f64,
    },
}

/// Where it ends.
#[derive(Debug, Default)]
pub(super) struct End {
    /// PDUs and cords that are gone.
    pub taken: Taken,
    /// Boxes that are gone, each with the reason.
    pub dead: BTreeMap<usize, Death>,
    /// Watts of each PDU at the end; of one that trips, those that tripped it; null when they are not known.
    pub after: Vec<Option<f64>>,
    /// Watts of each PDU before any machine gave up some for its sake; null when none does.
    pub peak: Vec<Option<f64>>,
    /// PDUs to which more may move than is counted.
    pub at_least: Vec<bool>,
    /// Watts that move from one PDU to another, by their places in the list.
    pub moves: BTreeMap<(usize, usize), f64>,
    /// Boxes whose machines give up watts: what they are left with, and what share of their watts that is.
    pub given: BTreeMap<usize, (Allot, f64)>,
    /// PDUs that trip before anyone could react.
    pub at_once: BTreeSet<usize>,
}

/// Lets it happen.
pub(super) fn run(line: &OneLine, taken: Taken, rules: &Rules) -> End {
    let mut end = End {
        taken,
        peak: vec![None; line.pdus.len()],
        ..End::default()
    };
    let mut tripped: BTreeMap<usize, f64> = BTreeMap::new();
    // each round but the last takes a PDU
    for round in 1..=line.pdus.len() as u32 + 1 {
        end.dead = dead(line, &end.taken);
        loads(line, &mut end);
        relieve(line, &mut end, rules);
        let over: Vec<(usize, f64)> = (0..line.pdus.len())
            .filter_map(|n| Some((n, overload(line, &end, n)?)))
            .collect();
        if over.is_empty() {
            break;
        }
        for (n, watts) in over {
            end.taken.pdus.insert(n, round);
            tripped.insert(n, watts);
        }
    }
    for (n, watts) in tripped {
        end.after[n] = Some(watts);
    }
    end
}

/// Lets machines give up watts where that is decided in time: as `pressure` would, for PDUs to which something moved.
fn relieve(line: &OneLine, end: &mut End, rules: &Rules) {
    let mut limits = Vec::new();
    let mut of = Vec::new();
    let mut peaks = Vec::new();
    for (n, pdu) in line
        .pdus
        .iter()
        .enumerate()
        .filter(|(n, _)| !end.taken.pdus.contains_key(n))
    {
        let (Some(rated), Some(after)) = (pdu.rated.filter(|r| *r > 0.0), end.after[n]) else {
            continue;
        };
        let grew = after > carried(line, n).unwrap_or(0.0) + GROWTH;
        // by its fullest line, as `pressure` sees it
        let load = after * fullest(pdu);
        if !grew || load <= rules.act * rated {
            continue;
        }
        if seconds_to_trip(load / rated) < rules.react.as_secs_f64() {
            end.at_once.insert(n);
            continue;
        }
        of.push(n);
        peaks.push(after);
        limits.push(Limit {
            load,
            aim: rules.aim * rated,
            cut: Some(rated),
        });
    }
    let (boxes, items): (Vec<(usize, f64)>, Vec<Item>) =
        (0..line.boxes.len()).filter_map(|b| item(line, end, b, &of)).unzip();
    let allotted = allot(&items, &limits);
    if allotted.iter().all(|a| *a == Allot::Full) {
        return;
    }
    for ((item, allotted), (b, watts)) in items.iter().zip(allotted).zip(boxes) {
        if allotted != Allot::Full {
            end.given
                .insert(b, (allotted, item.left_with(allotted) / watts.max(1.0)));
        }
    }
    for (n, peak) in of.into_iter().zip(peaks) {
        end.peak[n] = Some(end.peak[n].unwrap_or(0.0).max(peak));
    }
    loads(line, end);
}

/// A box whose machine can give up watts, with what it draws now, as it weighs on these PDUs by what is left of its cords.
fn item(line: &OneLine, end: &End, b: usize, of: &[usize]) -> Option<((usize, f64), Item)> {
    let fed = &line.boxes[b];
    if end.dead.contains_key(&b) || !gives(fed) {
        return None;
    }
    let watts = watts(fed)?;
    let left: Vec<usize> = left(line, &end.taken, b).collect();
    let through: Vec<(usize, f64)> = left.iter().copied().zip(shares(fed, &left)).collect();
    let weighs = |(l, n): (usize, &usize)| {
        let mine = through.iter().filter(|(c, _)| fed.cords[*c].pdu == line.pdus[*n].place);
        (l, mine.map(|(_, share)| share).fold(0.0, |a, b| a + b))
    };
    let kept = end.given.get(&b).map_or(1.0, |(_, kept)| *kept);
    let item = Item {
        nice: fed.nice.unwrap_or_default(),
        draw: watts * kept,
        floor: fed.floor,
        stoppable: is_stoppable(fed),
        weighs: of
            .iter()
            .enumerate()
            .map(weighs)
            .filter(|(_, share)| *share > 0.0)
            .collect(),
    };
    Some(((b, watts), item))
}

/// What a PDU carries, if that trips it.
fn overload(line: &OneLine, end: &End, n: usize) -> Option<f64> {
    let pdu = &line.pdus[n];
    if end.taken.pdus.contains_key(&n) {
        return None;
    }
    let (after, rated) = (end.after[n]?, pdu.rated?);
    (after > rated && after > pdu.watts.unwrap_or(0.0) + GROWTH).then_some(after)
}

/// Those that are left.
pub(super) fn left<'a>(line: &'a OneLine, taken: &'a Taken, b: usize) -> impl Iterator<Item = usize> + 'a {
    let fed = &line.boxes[b];
    live(fed).filter(move |c| {
        let gone = taken.pdus.keys().any(|n| line.pdus[*n].place == fed.cords[*c].pdu);
        !gone && !taken.cords.contains(&(b, *c))
    })
}

fn dead(line: &OneLine, taken: &Taken) -> BTreeMap<usize, Death> {
    let mut all = BTreeMap::new();
    for (b, fed) in line.boxes.iter().enumerate() {
        let (had, has) = (live(fed).count(), left(line, taken, b).count());
        if taken.boxes.contains(&b) {
            all.insert(b, Death::Itself);
        } else if had > 0 && has == 0 {
            all.insert(b, Death::Dark);
        } else if has < had
            && let Some((watts, rated)) = short(fed, has)
        {
            all.insert(b, Death::Overloaded { watts, rated });
        }
    }
    all
}

/// What a box draws and what its supplies give behind so many of its cords, when that is too little.
fn short(fed: &FedBox, cords: usize) -> Option<(f64, f64)> {
    let (watts, rated) = (fed.watts?, rated(fed, cords)?);
    (watts * EFFICIENCY > rated).then_some((watts, rated))
}

/// What the supplies of a box give at most behind so many of its cords, in watts, when all tell it. Where there are more
/// supplies than cords, each cord feeds as many as the others.
pub(super) fn rated(fed: &FedBox, cords: usize) -> Option<f64> {
    let each: Option<Vec<f64>> = fed.supplies.iter().map(|s| s.rated.filter(|r| *r > 0.0)).collect();
    let each = each.filter(|e| !e.is_empty())?;
    Some(each.iter().fold(0.0, |a, b| a + b) * cords as f64 / fed.cords.len() as f64)
}

/// What each PDU carries then.
fn loads(line: &OneLine, end: &mut End) {
    let index: BTreeMap<_, _> = line.pdus.iter().enumerate().map(|(n, p)| (&p.place, n)).collect();
    let mut change = vec![0.0; line.pdus.len()];
    end.at_least = vec![false; line.pdus.len()];
    end.moves.clear();
    for (b, fed) in line.boxes.iter().enumerate() {
        let had: Vec<usize> = live(fed).collect();
        let left: Vec<usize> = match end.dead.contains_key(&b) {
            true => Vec::new(),
            false => left(line, &end.taken, b).collect(),
        };
        let kept = end.given.get(&b).map_or(1.0, |(_, kept)| *kept);
        if left.len() == had.len() && kept >= 1.0 {
            continue;
        }
        let at = |c: usize| index[&fed.cords[c].pdu];
        let lost: Vec<(usize, Option<f64>)> = had
            .iter()
            .filter(|c| !left.contains(c))
            .map(|c| (at(*c), fed.cords[*c].watts))
            .collect();
        for (pdu, watts) in &lost {
            change[*pdu] -= watts.unwrap_or(0.0);
        }
        // a live PDU that loses load of unknown size carries less than is said, which is no surprise
        let moved = lost.iter().filter_map(|(_, w)| *w).fold(0.0, |a, b| a + b);
        let unknown = lost.iter().any(|(_, w)| w.is_none());
        for (c, share) in left.iter().zip(shares(fed, &left)) {
            let had = fed.cords[*c].watts.unwrap_or(0.0);
            change[at(*c)] += kept * (had + moved * share) - had;
            end.at_least[at(*c)] |= unknown;
            for (from, watts) in &lost {
                if let Some(watts) = watts.filter(|w| *w > 0.0) {
                    *end.moves.entry((*from, at(*c))).or_default() += kept * watts * share;
                }
            }
        }
    }
    end.after = (0..line.pdus.len())
        .map(|n| match end.taken.pdus.contains_key(&n) {
            true => Some(0.0),
            false => carried(line, n).map(|w| (w + change[n]).max(0.0)),
        })
        .collect();
}
