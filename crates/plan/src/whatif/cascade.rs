//! Rounds of a failure, until nothing more goes.

use std::collections::BTreeMap;

use rack::power::{Carries, FedBox, OneLine};

use super::taken::Taken;

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
    /// PDUs to which more may move than is counted.
    pub at_least: Vec<bool>,
    /// Watts that move from one PDU to another, by their places in the list.
    pub moves: BTreeMap<(usize, usize), f64>,
}

/// Lets it happen.
pub(super) fn run(line: &OneLine, taken: Taken) -> End {
    let mut end = End {
        taken,
        ..End::default()
    };
    let mut tripped: BTreeMap<usize, f64> = BTreeMap::new();
    // each round but the last takes a PDU
    for round in 1..=line.pdus.len() as u32 + 1 {
        end.dead = dead(line, &end.taken);
        loads(line, &mut end);
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

/// What a PDU carries, if that trips it.
fn overload(line: &OneLine, end: &End, n: usize) -> Option<f64> {
    let pdu = &line.pdus[n];
    if end.taken.pdus.contains_key(&n) {
        return None;
    }
    let (after, rated) = (end.after[n]?, pdu.rated?);
    (after > rated && after > pdu.watts.unwrap_or(0.0) + GROWTH).then_some(after)
}

/// Cords of a box through which it gets power now.
pub(super) fn now(fed: &FedBox) -> impl Iterator<Item = usize> {
    (0..fed.cords.len()).filter(|c| fed.cords[*c].carries != Carries::No)
}

/// Those that are left.
pub(super) fn left<'a>(line: &'a OneLine, taken: &'a Taken, b: usize) -> impl Iterator<Item = usize> + 'a {
    let fed = &line.boxes[b];
    now(fed).filter(move |c| {
        let gone = taken.pdus.keys().any(|n| line.pdus[*n].place == fed.cords[*c].pdu);
        !gone && !taken.cords.contains(&(b, *c))
    })
}

fn dead(line: &OneLine, taken: &Taken) -> BTreeMap<usize, Death> {
    let mut all = BTreeMap::new();
    for (b, fed) in line.boxes.iter().enumerate() {
        let (had, has) = (now(fed).count(), left(line, taken, b).count());
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
        let had: Vec<usize> = now(fed).collect();
        let left: Vec<usize> = match end.dead.contains_key(&b) {
            true => Vec::new(),
            false => left(line, &end.taken, b).collect(),
        };
        if left.len() == had.len() {
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
            change[at(*c)] += moved * share;
            end.at_least[at(*c)] |= unknown;
            for (from, watts) in &lost {
                if let Some(watts) = watts.filter(|w| *w > 0.0) {
                    *end.moves.entry((*from, at(*c))).or_default() += watts * share;
                }
            }
        }
    }
    let carried = |n: usize| line.pdus[n].watts.or_else(|| summed(line, n));
    end.after = (0..line.pdus.len())
        .map(|n| match end.taken.pdus.contains_key(&n) {
            true => Some(0.0),
            false => carried(n).map(|w| (w + change[n]).max(0.0)),
        })
        .collect();
}

/// What flows through the cords of a PDU that tells no watts, when each is known.
pub(super) fn summed(line: &OneLine, n: usize) -> Option<f64> {
    let mut cords = line
        .boxes
        .iter()
        .flat_map(|b| &b.cords)
        .filter(|c| c.pdu == line.pdus[n].place)
        .peekable();
    cords.peek()?;
    cords.try_fold(0.0, |sum, c| Some(sum + c.watts?))
}

/// How what is lost is shared among the cords that are left: as they share now, else in equal parts.
fn shares(fed: &FedBox, left: &[usize]) -> Vec<f64> {
    let watts: Option<Vec<f64>> = left.iter().map(|c| fed.cords[*c].watts).collect();
    let watts = watts
        .filter(|w| w.iter().all(|w| *w > 0.0))
        .unwrap_or_else(|| vec![1.0; left.len()]);
    let sum = watts.iter().fold(0.0, |a, b| a + b);
    watts.into_iter().map(|w| w / sum).collect()
}
