//! The one-line diagram as limits and what weighs on them.

use std::time::Duration;

use rack::power::{Carries, FedBox, OneLine};
use rack::shed::{Halt, Shed};
use rack::{State, Time};

use super::allot::{Item, Limit};
use super::{EVEN, Rules, passed};
use crate::power::{carried, fullest, input_lines, live, shares};

/// Watts and share by which a box may draw more than its cap before that is taken not to hold.
const OVER: (f64, f64) = (15.0, 1.05);

/// What a limit is of.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct On {
    /// The PDU, by its place in the list.
    pub pdu: usize,
    /// The one that would have failed before, if it is not as of now.
    pub losing: Option<usize>,
    /// Watts that it is rated for.
    pub rated: f64,
    /// How many times as much as its lines on average the fullest carries.
    pub fullest: f64,
    /// How many times what a box draws more counts.
    pub more: f64,
    /// Watts from which something is done.
    pub act: f64,
}

/// Limits, and the machines that can give up watts.
#[derive(Debug, Default)]
pub(crate) struct Scene {
    pub limits: Vec<Limit>,
    /// What each limit is of.
    pub of: Vec<On>,
    pub items: Vec<Item>,
    /// The box of each item, by its place in the list.
    pub boxes: Vec<usize>,
}

impl Scene {
    /// Limits that are over what something is done from.
    pub fn over(&self) -> Vec<usize> {
        (0..self.limits.len())
            .filter(|l| self.limits[*l].load > self.of[*l].act)
            .collect()
    }
}

/// Watts of a box now, by its cords when all tell.
pub(crate) fn watts(fed: &FedBox) -> Option<f64> {
    let cords: Option<f64> = live(fed)
        .map(|c| fed.cords[c].watts)
        .try_fold(0.0, |sum, w| Some(sum + w?));
    cords.filter(|_| live(fed).next().is_some()).or(fed.watts)
}

/// What is taken from the machine that holds a box now.
pub(crate) fn shed(fed: &FedBox) -> Option<&Shed> {
    fed.shed
        .as_ref()
        .filter(|s| fed.machine.as_ref() == Some(&s.machine) && !s.is_over())
}

/// Watts that a box will draw once what was ordered takes hold.
fn expected(fed: &FedBox, watts: f64, rules: &Rules, now: Time) -> f64 {
    let Some(shed) = shed(fed) else { return watts };
    let pending = |within: Duration| !passed(now, shed.changed, within);
    match (shed.stop, shed.cap) {
        (Some(Halt::Cut), _) if pending(rules.cut) => 0.0,
        (Some(Halt::Ask), _) if pending(rules.ask) => 0.0,
        (None, Some(cap)) if pending(rules.settle) => watts.min(cap),
        _ => watts,
    }
}

/// The lowest that a box can be held to, unless it was seen not to keep its cap.
fn floor(fed: &FedBox, watts: f64, rules: &Rules, now: Time) -> Option<f64> {
    let ignored = shed(fed).is_some_and(|s| {
        let over = |cap: f64| watts > (cap * OVER.1).max(cap + OVER.0);
        s.stop.is_none() && s.cap.is_some_and(over) && passed(now, s.changed, rules.settle)
    });
    fed.floor.filter(|_| !ignored)
}

/// Whether Busbar may take anything from it, and can.
pub(crate) fn gives(fed: &FedBox) -> bool {
    fed.armed && fed.machine.is_some() && fed.nice.is_some() && fed.silent.is_none()
}

/// Whether its machine runs: what only comes up would be left half-made.
pub(crate) fn is_stoppable(fed: &FedBox) -> bool {
    fed.state.as_deref() == Some(&State::Running.to_string())
}

/// All of it; boxes for which `whole` says what they would draw if nothing were taken from them, at that.
pub(crate) fn scene(line: &OneLine, rules: &Rules, whole: impl Fn(&FedBox) -> Option<f64>) -> Scene {
    let mut scene = Scene::default();
    let through: Vec<f64> = line.boxes.iter().map(|b| watts(b).unwrap_or(0.0)).collect();
    let draws: Vec<f64> = line
        .boxes
        .iter()
        .zip(&through)
        .map(|(fed, now)| whole(fed).unwrap_or_else(|| expected(fed, *now, rules, line.at)))
        .collect();
    for n in 0..line.pdus.len() {
        let pdu = &line.pdus[n];
        let (Some(rated), Some(load)) = (pdu.rated.filter(|r| *r > 0.0), carried(line, n)) else {
            continue;
        };
        if pdu.carries == Carries::No {
            continue;
        }
        let fullest = fullest(pdu);
        // which line a box hangs on nothing tells: what it will draw more may all be on the fullest
        let more = if fullest > EVEN {
            input_lines(pdu).count() as f64
        } else {
            1.0
        };
        let losing = pdu
            .partners
            .iter()
            .filter_map(|p| line.pdus.iter().position(|x| x.place == *p));
        let losing = losing.filter(|p| line.pdus[*p].carries != Carries::No);
        for gone in std::iter::once(None).chain(losing.map(Some)) {
            // as if all lines carried what the fullest one does; what moves moves to the same line
            let mut all = load * fullest;
            for (b, fed) in line.boxes.iter().enumerate() {
                let (then, now) = (share(line, fed, n, gone), share(line, fed, n, None));
                let change = draws[b] - through[b];
                all += change * then * if rises(fed, change) { more } else { 1.0 };
                all += through[b] * (then - now) * fullest;
            }
            let ahead = rules.ahead();
            scene.limits.push(Limit {
                load: all,
                aim: rated
                    * if gone.is_some() {
                        ahead - rules.band()
                    } else {
                        rules.aim
                    },
                cut: gone.is_none().then_some(rated),
            });
            scene.of.push(On {
                pdu: n,
                losing: gone,
                rated,
                fullest,
                more,
                act: rated * if gone.is_some() { ahead } else { rules.act },
            });
        }
    }
    for (b, fed) in line.boxes.iter().enumerate().filter(|(_, f)| gives(f)) {
        let is_stopped = shed(fed).is_some_and(|s| s.stop.is_some());
        if (is_stopped && whole(fed).is_none()) || watts(fed).is_none() {
            continue;
        }
        let weighs = |l: usize| {
            let on = &scene.of[l];
            let counts = if rises(fed, draws[b] - through[b]) {
                on.more
            } else {
                1.0
            };
            Some((l, counts * share(line, fed, on.pdu, on.losing))).filter(|(_, s)| *s > 0.0)
        };
        scene.items.push(Item {
            nice: fed.nice.unwrap_or_default(),
            draw: draws[b],
            floor: floor(fed, through[b], rules, line.at),
            stoppable: is_stopped || is_stoppable(fed),
            weighs: (0..scene.of.len()).filter_map(weighs).collect(),
        });
        scene.boxes.push(b);
    }
    scene
}

/// Whether a box that draws draws more. What one that starts will draw is seen soon enough, and it starts alone.
fn rises(fed: &FedBox, change: f64) -> bool {
    change > 0.0 && shed(fed).is_none_or(|s| s.stop.is_none())
}

/// The part of a box's watts that comes through a PDU, when another is gone.
fn share(line: &OneLine, fed: &FedBox, pdu: usize, gone: Option<usize>) -> f64 {
    let is_gone = |c: &usize| gone.is_some_and(|g| fed.cords[*c].pdu == line.pdus[g].place);
    let left: Vec<usize> = live(fed).filter(|c| !is_gone(c)).collect();
    let mine = left.iter().zip(shares(fed, &left));
    mine.filter(|(c, _)| fed.cords[**c].pdu == line.pdus[pdu].place)
        .map(|(_, s)| s)
        .fold(0.0, |a, b| a + b)
}
