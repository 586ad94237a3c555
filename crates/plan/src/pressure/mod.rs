//! Who gives up watts before a breaker trips, and who gets them back.
//!
//! A PDU that carries more than [`Rules::act`] of its rating is brought down to [`Rules::aim`]: machines are capped, those of
//! nice 19 first and of −20 last, down to the lowest cap that their boxes take ([`mod@allot`]). Only where all caps together would leave
//! more than the rating, which trips in the end, machines are stopped, in the same order and as few as are enough; asked to when
//! the breaker gives them the time ([`mod@breaker`]). What would come to a PDU if another failed, and would trip it before anyone could
//! react, is capped ahead. Nothing is taken from boxes that are not armed, and nothing on a guess: a PDU of which nothing is known
//! takes nothing and gives nothing back.
//!
//! What is taken is recorded beside the machine ([`Shed`]) and never in what its owner wants. It is given back in the opposite
//! order once the PDUs for whose sake it was taken have been below the aim for a while, as much as fits; what does not fit yet
//! only since nobody knows on which line it will come follows step by step, each as soon as the last has shown.
//!
//! The numbers follow Dynamo (ISCA 2016: three bands, priority groups), CapMaestro (HPCA 2019: both feeds of a box) and
//! Flex (ISCA 2021: what a failed feed moves).

pub(crate) mod allot;
pub(crate) mod breaker;
pub(crate) mod scene;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rack::power::{Carries, FedBox, OneLine};
use rack::shed::{Halt, Shed};
use rack::{Place, Time};

use crate::power::{carried, fullest};
use allot::{Allot, allot};
use breaker::Heat;
use scene::{On, Scene, scene, watts};

/// Watts, and share of what a machine drew, that are worth giving back by themselves.
const WORTH: (f64, f64) = (20.0, 0.05);
/// Watts and share of its cap by which a box stays below it that is not held back by it.
const NEAR: (f64, f64) = (15.0, 0.05);
/// How many times as much as on average the fullest line of a PDU may carry and all be called even.
const EVEN: f64 = 1.05;
/// Watts by which a cap that is lowered differs: BMCs take whole ones.
const STEP: f64 = 1.0;

/// How much is too much, and how long things take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// Share of its rating from which something is done about a PDU.
    pub act: f64,
    /// Share to which it is brought, and below which something may be given back.
    pub aim: f64,
    /// How long it takes to see a change and have it answered, at most.
    pub react: Duration,
    /// For a cap to take hold.
    pub settle: Duration,
    /// For a power cut to take hold.
    pub cut: Duration,
    /// For a system to stop when it is asked to. A breaker that trips sooner leaves no time to ask.
    pub ask: Duration,
    /// How long a PDU has been below the aim before a cap is raised.
    pub hold: Duration,
    /// The same before a machine that was stopped is started.
    pub rest: Duration,
}

impl Default for Rules {
    fn default() -> Self {
        Rules {
            act: 0.90,
            aim: 0.85,
            react: Duration::from_secs(35),
            settle: Duration::from_secs(15),
            cut: Duration::from_secs(30),
            ask: Duration::from_secs(180),
            hold: Duration::from_secs(60),
            rest: Duration::from_secs(300),
        }
    }
}

impl Rules {
    /// Share of its rating that a breaker carries three times as long as it takes to react.
    pub(crate) fn ahead(&self) -> f64 {
        breaker::carried_for(3 * self.react)
    }

    fn band(&self) -> f64 {
        self.act - self.aim
    }
}

/// What is remembered of PDUs between decisions. Lost with the process: then breakers that are over are taken to be warm, and
/// nothing is given back before the time for that has passed anew.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Memory {
    pdus: BTreeMap<Place, Watched>,
    /// Capped boxes that draw less than their caps let them.
    slack: BTreeMap<Place, Slack>,
    /// Capped boxes whose cap was last raised: the rest follows as soon as that has shown in the readings.
    raised: BTreeSet<Place>,
}

#[derive(Debug, Clone, PartialEq)]
struct Slack {
    since: Time,
    /// Most that it drew since then, in watts.
    most: f64,
}

#[derive(Debug, Clone, PartialEq)]
struct Watched {
    heat: Heat,
    /// Since when it is below the aim.
    calm: Option<Time>,
}

impl Memory {
    fn see(&mut self, line: &OneLine, rules: &Rules) {
        self.see_pdus(line, rules);
        let capped = |place: &Place| line.boxes.iter().any(|b| b.place == *place && scene::shed(b).is_some());
        self.raised.retain(capped);
        let slack = std::mem::take(&mut self.slack);
        for fed in &line.boxes {
            let cap = scene::shed(fed).filter(|s| s.stop.is_none()).and_then(|s| s.cap);
            let Some((now, cap)) = watts(fed).zip(cap) else {
                continue;
            };
            if now + NEAR.0.max(cap * NEAR.1) < cap {
                let before = slack.get(&fed.place).filter(|s| s.since <= line.at);
                let (since, most) = before.map_or((line.at, now), |s| (s.since, s.most.max(now)));
                self.slack.insert(fed.place.clone(), Slack { since, most });
            }
        }
    }

    /// From these something was taken just now.
    fn lowered(&mut self, sheds: &[Shed]) {
        for shed in sheds {
            self.raised.remove(&shed.place);
        }
    }

    /// Watts that a box from which something is taken would draw without that: what it drew before, unless it has not even drawn
    /// what it is left with for a while.
    fn wants(&self, fed: &FedBox, now: Time, rules: &Rules) -> Option<f64> {
        let shed = scene::shed(fed)?;
        let slack = self.slack.get(&fed.place);
        let wants = match slack.filter(|s| passed(now, s.since, rules.rest)) {
            Some(slack) => slack.most,
            None => shed.drew,
        };
        Some(watts(fed).map_or(wants, |now| wants.max(now)))
    }

    fn see_pdus(&mut self, line: &OneLine, rules: &Rules) {
        for (n, pdu) in line.pdus.iter().enumerate() {
            let load = carried(line, n).filter(|_| pdu.carries != Carries::No);
            let Some(share) = load
                .zip(pdu.rated.filter(|r| *r > 0.0))
                .map(|(w, r)| w * fullest(pdu) / r)
            else {
                self.pdus.remove(&pdu.place);
                continue;
            };
            let before = self.pdus.get(&pdu.place);
            let calm = before
                .and_then(|w| w.calm)
                .filter(|since| *since <= line.at)
                .unwrap_or(line.at);
            let heat = before.map_or_else(|| Heat::first(share, line.at), |w| w.heat.then(share, line.at));
            let calm = (share < rules.aim).then_some(calm);
            self.pdus.insert(pdu.place.clone(), Watched { heat, calm });
        }
    }

    /// How long all of these have been below the aim; none of a PDU that is there and of which that is not known.
    fn calm(&self, line: &OneLine, pdus: &[Place]) -> Duration {
        let one = |place: &Place| match self.pdus.get(place) {
            Some(watched) => watched.calm.map_or(Duration::ZERO, |since| line.at.since(since)),
            None if line.pdus.iter().any(|p| p.place == *place) => Duration::ZERO,
            None => Duration::MAX,
        };
        pdus.iter().map(one).min().unwrap_or(Duration::MAX)
    }
}

/// What is decided.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Decision {
    /// Records that change, as they become. One that is over ([`Shed::is_over`]) is given back.
    pub sheds: Vec<Shed>,
    /// Whether this must be looked at often: something is over its limit, or what was decided has to take hold.
    pub tight: bool,
    /// PDUs that carry more than they are rated for with everything taken that can be.
    pub helpless: Vec<Place>,
}

/// What is taken from whom now, and given back.
pub fn decide(line: &OneLine, memory: &mut Memory, rules: &Rules) -> Decision {
    memory.see(line, rules);
    let mut sheds: Vec<Shed> = line.boxes.iter().filter_map(|b| orphan(b, line.at)).collect();
    let now = scene(line, rules, |_| None);
    let over = now.over();
    let taken = line.boxes.iter().any(|b| scene::shed(b).is_some());
    if !over.is_empty() {
        sheds.extend(take(line, &now, memory, rules));
        memory.lowered(&sheds);
    } else if taken {
        let whole = scene(line, rules, |fed| memory.wants(fed, line.at, rules));
        let lacking = out_of_order(line, whole);
        sheds.extend(take(line, &lacking, memory, rules));
        memory.lowered(&sheds);
        if sheds.is_empty() {
            sheds = give(line, memory, rules);
            memory.raised.extend(sheds.iter().map(|s| s.place.clone()));
        }
    }
    let lately = |b: &FedBox| b.shed.as_ref().is_some_and(|s| !passed(line.at, s.changed, rules.hold));
    Decision {
        tight: !over.is_empty() || !sheds.is_empty() || line.boxes.iter().any(lately),
        helpless: if over.is_empty() {
            Vec::new()
        } else {
            helpless(line, &now)
        },
        sheds,
    }
}

/// Whether so much time has passed since `then`. What lies in the future, since the clock stepped back, is of no known age, and is
/// waited for no longer.
pub(crate) fn passed(now: Time, then: Time, time: Duration) -> bool {
    then > now || now.since(then) >= time
}

/// PDUs that would trip whatever is taken.
fn helpless(line: &OneLine, now: &Scene) -> Vec<Place> {
    let left = allot(&now.items, &now.limits);
    let level: Vec<f64> = now
        .items
        .iter()
        .zip(&left)
        .map(|(item, allotted)| item.left_with(*allotted))
        .collect();
    let too_much = |l: &usize| {
        let limit = &now.limits[*l];
        limit
            .cut
            .is_some_and(|cut| allot::load(&now.items, limit, *l, &level) > cut)
    };
    let over = (0..now.limits.len()).filter(too_much);
    over.map(|l| line.pdus[now.of[l].pdu].place.clone()).collect()
}

/// A record whose machine does not hold the box any more, or whose box nobody may write to: nothing holds it.
fn orphan(fed: &FedBox, now: Time) -> Option<Shed> {
    let shed = fed.shed.as_ref().filter(|s| !s.is_over())?;
    let gone = fed.machine.as_ref() != Some(&shed.machine);
    gone.then(|| given_back(shed, now))
}

fn given_back(shed: &Shed, now: Time) -> Shed {
    Shed {
        cap: None,
        stop: None,
        changed: now,
        ..shed.clone()
    }
}

/// What must be taken in a scene beyond what is taken already.
fn take(line: &OneLine, scene: &Scene, memory: &Memory, rules: &Rules) -> Vec<Shed> {
    let over = scene.over();
    if over.is_empty() {
        return Vec::new();
    }
    let left = |on: &On| memory.pdus.get(&line.pdus[on.pdu].place).and_then(|w| w.heat.left());
    let soonest = over
        .iter()
        .filter(|l| scene.of[**l].losing.is_none())
        .filter_map(|l| left(&scene.of[*l]))
        .min();
    let halt = if soonest.is_some_and(|left| left < rules.ask) {
        Halt::Cut
    } else {
        Halt::Ask
    };
    let mut all = Vec::new();
    for (i, allotted) in allot(&scene.items, &scene.limits).into_iter().enumerate() {
        let fed = &line.boxes[scene.boxes[i]];
        let before = scene::shed(fed);
        let (had_cap, had_stop) = (before.and_then(|s| s.cap), before.and_then(|s| s.stop));
        let (cap, stop) = match allotted {
            Allot::Full => continue,
            Allot::Cap(watts) => (Some(had_cap.map_or(watts, |had| had.min(watts))), had_stop),
            Allot::Stop => (had_cap, Some(had_stop.map_or(halt, |had| had.max(halt)))),
        };
        let lower = cap.is_some_and(|cap| had_cap.is_none_or(|had| cap <= had - STEP));
        if !lower && stop == had_stop {
            continue;
        }
        let mine = scene.items[i]
            .weighs
            .iter()
            .map(|(l, _)| *l)
            .filter(|l| over.contains(l));
        let worst = mine.max_by(|a, b| strain(scene, *a).total_cmp(&strain(scene, *b)));
        all.extend(worst.and_then(|l| shed(line, fed, &scene.of[l], scene.limits[l].load, (cap, stop))));
    }
    // one that was asked to stop and takes longer than its breaker has
    for fed in &line.boxes {
        let waits = scene::shed(fed).filter(|s| s.stop == Some(Halt::Ask) && halt == Halt::Cut);
        let weighs = |l: &&usize| {
            fed.cords
                .iter()
                .any(|c| c.pdu == line.pdus[scene.of[**l].pdu].place && c.carries != Carries::No)
        };
        let draws = watts(fed).is_some_and(|w| fed.shed.as_ref().is_some_and(|s| w > s.drew / 4.0));
        if let (Some(waits), true, true) = (waits, draws, over.iter().any(|l| weighs(&l))) {
            all.push(Shed {
                stop: Some(Halt::Cut),
                changed: line.at,
                ..waits.clone()
            });
        }
    }
    all
}

/// How far a limit is over what something is done from.
fn strain(scene: &Scene, l: usize) -> f64 {
    scene.limits[l].load / scene.of[l].act
}

/// The record of what is taken from a box for the sake of a limit.
fn shed(line: &OneLine, fed: &FedBox, on: &On, load: f64, (cap, stop): (Option<f64>, Option<Halt>)) -> Option<Shed> {
    let before = scene::shed(fed);
    let pdu = &line.pdus[on.pdu].place;
    let share = load / on.rated * 100.0;
    let what = if on.fullest > EVEN { "the fullest line of " } else { "" };
    let mut pdus = before.map(|s| s.pdus.clone()).unwrap_or_default();
    if !pdus.contains(pdu) {
        pdus.push(pdu.clone());
    }
    let drew = watts(fed).unwrap_or_default();
    Some(Shed {
        place: fed.place.clone(),
        machine: fed.machine.clone()?,
        nice: fed.nice.unwrap_or_default(),
        cap,
        stop,
        drew: before.map_or(drew, |s| s.drew.max(drew)),
        // what an earlier record gave back and its BMC has not shown yet is still what it gets again
        before: fed.shed.as_ref().and_then(|s| s.before),
        pdus,
        because: match on.losing {
            None => format!("{what}{pdu} carries {share:.0} % of its rating"),
            Some(gone) => format!(
                "{what}{pdu} would carry {share:.0} % of its rating without {}",
                line.pdus[gone].place
            ),
        },
        since: before.map_or(line.at, |s| s.since),
        changed: line.at,
    })
}

/// Of what the limits would be with all given back, those for which someone gives up watts while another of lower priority
/// could: a shed order that changed, or a machine that came later.
fn out_of_order(line: &OneLine, mut whole: Scene) -> Scene {
    let fed = |i: usize| &line.boxes[whole.boxes[i]];
    let wrong = |l: usize| {
        let on = |i: &usize| whole.items[*i].weighs.iter().any(|(on, _)| *on == l);
        let taken = (0..whole.items.len())
            .filter(on)
            .filter_map(|i| Some((whole.items[i].nice, scene::shed(fed(i))?)));
        let highest = taken.map(|(nice, _)| nice).min();
        let stops = (0..whole.items.len())
            .filter(on)
            .filter_map(|i| scene::shed(fed(i)))
            .any(|s| s.stop.is_some());
        let could = |i: &usize| {
            let item = &whole.items[*i];
            let gives = item.floor.is_some_and(|f| f < item.draw) || (stops && item.stoppable);
            scene::shed(fed(*i)).is_none() && gives
        };
        let free = (0..whole.items.len())
            .filter(on)
            .filter(could)
            .map(|i| whole.items[i].nice)
            .max();
        highest.zip(free).is_some_and(|(highest, free)| highest < free)
    };
    let right: Vec<usize> = (0..whole.limits.len()).filter(|l| !wrong(*l)).collect();
    for l in right {
        whole.of[l].act = f64::INFINITY;
    }
    whole
}

/// What is given back now.
fn give(line: &OneLine, memory: &Memory, rules: &Rules) -> Vec<Shed> {
    let waited = |shed: &Shed, time: Duration| {
        // how a box's watts fall on the lines of a PDU is known only once it draws them: what was held back for that
        let since = if memory.raised.contains(&shed.place) {
            rules.settle
        } else {
            time
        };
        memory.calm(line, &shed.pdus) >= time && passed(line.at, shed.changed, since)
    };
    let stopped = line.boxes.iter().filter_map(scene::shed).filter(|s| s.stop.is_some());
    // one at a time, the highest priority first: what it draws when it runs is only known once it does
    let next = stopped
        .filter(|s| waited(s, rules.rest))
        .min_by_key(|s| (s.nice, &s.place));
    let next = next.map(|s| s.place.clone());
    let whole = scene(line, rules, |fed| match scene::shed(fed) {
        Some(s) if s.stop.is_some() && next.as_ref() != Some(&s.place) => None,
        _ => memory.wants(fed, line.at, rules),
    });
    let mut all = Vec::new();
    for (i, allotted) in allot(&whole.items, &whole.limits).into_iter().enumerate() {
        let Some(shed) = scene::shed(&line.boxes[whole.boxes[i]]) else {
            continue;
        };
        if shed.stop.is_none() && !waited(shed, rules.hold) {
            continue;
        }
        let cap = match allotted {
            Allot::Full => None,
            Allot::Cap(watts) => Some(watts),
            Allot::Stop => continue,
        };
        let more = |had: f64| cap.is_none_or(|cap| cap - had >= WORTH.0.max(shed.drew * WORTH.1));
        if shed.stop.is_some() || shed.cap.is_none_or(more) {
            all.push(Shed {
                cap,
                stop: None,
                changed: line.at,
                ..shed.clone()
            });
        }
    }
    all
}
