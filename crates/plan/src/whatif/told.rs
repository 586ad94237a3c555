//! What is said of where a failure ends.

use std::collections::BTreeSet;

use rack::power::{Carries, Cord, Fate, FedBox, Forecast, Given, Load, Move, OneLine, SOFT, Victim, Weaker};
use rack::shed::Halt;
use rack::{Health, Place};

use super::cascade::{Death, End, left, rated};
use crate::power::{carried, live, named};
use crate::pressure::allot::Allot;
use crate::pressure::breaker::seconds_to_trip;
use crate::pressure::scene::{gives, watts};

/// Least watts of a move that is told.
const MOVED: f64 = 0.5;

pub(super) fn forecast(line: &OneLine, fails: &[Place], end: &End, assumed: Vec<String>) -> Forecast {
    let dies = dies(line, end);
    let weaker = weaker(line, end);
    let loads: Vec<Load> = (0..line.pdus.len()).map(|n| load(line, end, n)).collect();
    let corded = line.boxes.iter().filter(|b| !b.cords.is_empty()).count();
    let moves = end.moves.iter().filter(|(_, w)| **w >= MOVED);
    Forecast {
        at: line.at,
        fails: fails.to_vec(),
        headline: headline(&dies, &gives_up(line, end), &weaker, &loads, corded == line.boxes.len()),
        unaffected: u32::try_from(corded.saturating_sub(dies.len() + weaker.len())).unwrap_or(0),
        moves: moves
            .map(|((from, to), watts)| Move {
                from: line.pdus[*from].place.clone(),
                to: line.pdus[*to].place.clone(),
                watts: *watts,
            })
            .collect(),
        unknown: unknown(line, end),
        assumed: all_assumed(line, end, assumed),
        dies,
        sheds: gives_up(line, end),
        weaker,
        loads,
    }
}

fn dies(line: &OneLine, end: &End) -> Vec<Victim> {
    let mut all: Vec<Victim> = end
        .dead
        .iter()
        .map(|(b, death)| {
            let fed = &line.boxes[*b];
            Victim {
                place: fed.place.clone(),
                machine: fed.machine.clone(),
                state: fed.state.clone(),
                nice: fed.nice,
                power: fed.power,
                watts: fed.watts,
                because: because(fed, death),
            }
        })
        .collect();
    // machines first, those that are shed last before the others
    all.sort_by(|a, b| (a.machine.is_none(), a.nice, &a.place).cmp(&(b.machine.is_none(), b.nice, &b.place)));
    all
}

/// Who gives up watts, in the order in which they do.
fn gives_up(line: &OneLine, end: &End) -> Vec<Given> {
    let full = |n: &usize| end.peak[*n].is_some();
    let on: Vec<&Place> = (0..line.pdus.len()).filter(full).map(|n| &line.pdus[n].place).collect();
    let living = end.given.iter().filter(|(b, _)| !end.dead.contains_key(b));
    let given = living.filter_map(|(b, (allotted, _))| {
        let fed = &line.boxes[*b];
        let hangs = |p: &&Place| fed.cords.iter().any(|c| c.pdu == **p);
        let (cap, stop) = match allotted {
            Allot::Full => return None,
            Allot::Cap(watts) => (Some(*watts), None),
            Allot::Stop => (None, Some(Halt::Cut)),
        };
        Some(Given {
            place: fed.place.clone(),
            machine: fed.machine.clone()?,
            nice: fed.nice.unwrap_or_default(),
            watts: watts(fed)?,
            cap,
            stop,
            because: format!("to keep {} below its limit", named(on.iter().copied().filter(hangs))),
        })
    });
    let mut all: Vec<Given> = given.collect();
    all.sort_by(|a, b| (b.nice, b.stop, &a.place).cmp(&(a.nice, a.stop, &b.place)));
    all
}

fn because(fed: &FedBox, death: &Death) -> String {
    let inputs: BTreeSet<&Place> = live(fed).map(|c| &fed.cords[c].pdu).collect();
    match death {
        Death::Itself => "it is what fails".into(),
        Death::Dark if inputs.len() == 1 => format!("{} is its only input", named(inputs)),
        Death::Dark => format!("its inputs are gone: {}", named(inputs)),
        Death::Overloaded { watts, rated } => {
            format!("it draws {watts:.0} W, and what is left of its supplies gives {rated:.0} W")
        }
    }
}

fn weaker(line: &OneLine, end: &End) -> Vec<Weaker> {
    let mut all = Vec::new();
    for (b, fed) in line.boxes.iter().enumerate().filter(|(b, _)| !end.dead.contains_key(b)) {
        let left: Vec<&Cord> = left(line, &end.taken, b).map(|c| &fed.cords[c]).collect();
        let had = live(fed).count();
        if left.len() < had {
            let on: BTreeSet<&Place> = left.iter().map(|c| &c.pdu).collect();
            all.push(Weaker {
                place: fed.place.clone(),
                machine: fed.machine.clone(),
                left: u32::try_from(left.len()).unwrap_or(u32::MAX),
                of: u32::try_from(had).unwrap_or(u32::MAX),
                on: on.into_iter().cloned().collect(),
            });
        }
    }
    all
}

fn load(line: &OneLine, end: &End, n: usize) -> Load {
    let pdu = &line.pdus[n];
    let mut load = Load {
        pdu: pdu.place.clone(),
        rated: pdu.rated,
        before: carried(line, n),
        after: end.after[n],
        peak: end.peak[n],
        at_least: end.at_least[n],
        fate: Fate::Unknown,
        round: None,
        trips_in: None,
        because: None,
    };
    let round = end.taken.pdus.get(&n).copied();
    let share = load.share(load.after);
    let relieved = load.share(load.peak).filter(|s| *s > 1.0);
    load.fate = match (round, share) {
        (Some(0), _) => Fate::Fails,
        (Some(_), _) => Fate::Trips,
        (None, _) if pdu.carries == Carries::No => Fate::Dark,
        (None, None) => Fate::Unknown,
        (None, Some(_)) if relieved.is_some() => Fate::Relieved,
        (None, Some(share)) if share > SOFT => Fate::Soft,
        (None, Some(_)) => Fate::Fine,
    };
    if let (Fate::Trips, Some(share)) = (load.fate, share) {
        load.round = round;
        load.trips_in = Some(seconds_to_trip(share));
        let soon = if end.at_once.contains(&n) {
            ", which trips it before anyone could react"
        } else {
            ""
        };
        load.because = Some(format!("it would carry {:.0} % of its rating{soon}", share * 100.0));
    }
    if let (Fate::Relieved, Some(peak)) = (load.fate, relieved) {
        load.trips_in = Some(seconds_to_trip(peak));
        load.because = Some(format!("{:.0} % of its rating would come to it", peak * 100.0));
    }
    if load.because.is_none() {
        load.because = uneven(line, n, &load);
    }
    load
}

/// A line that would carry more than it may while the three together do not, if they stay as unequal as they are.
fn uneven(line: &OneLine, n: usize, load: &Load) -> Option<String> {
    let (before, after) = (load.before.filter(|w| *w > 0.0)?, load.after?);
    let lines = line.pdus[n].lines.iter();
    let then = lines.filter_map(|l| Some((l.amps? * after / before / l.rated?, l)));
    let (share, worst) = then.max_by(|a, b| a.0.total_cmp(&b.0))?;
    let whole = load.share(Some(after)).unwrap_or(0.0);
    (share > SOFT && whole <= SOFT && after > before).then(|| {
        format!(
            "{} would be at {:.0} % of its amperes, if its lines stay as unequal as they are",
            worst.name,
            share * 100.0
        )
    })
}

fn headline(dies: &[Victim], sheds: &[Given], weaker: &[Weaker], loads: &[Load], all_corded: bool) -> String {
    let mut said = Vec::new();
    let machines: Vec<&str> = dies
        .iter()
        .filter_map(|v| v.machine.as_ref())
        .map(AsRef::as_ref)
        .collect();
    let empty = dies.len() - machines.len();
    let boxes = |n: usize| format!("{n} {}", if n == 1 { "box" } else { "boxes" });
    said.push(match (machines.as_slice(), empty) {
        ([], 0) if all_corded => "Nothing dies.".to_owned(),
        ([], 0) => "Nothing dies whose cords are written down.".to_owned(),
        ([], _) => format!(
            "No machine dies; {} without one {} dark.",
            boxes(empty),
            if empty == 1 { "goes" } else { "go" }
        ),
        (some, _) => {
            let more = if empty > 0 {
                format!(
                    "; {} without one {} dark too",
                    boxes(empty),
                    if empty == 1 { "goes" } else { "go" }
                )
            } else {
                String::new()
            };
            let (count, dies) = if some.len() == 1 {
                ("1 machine".to_owned(), "dies")
            } else {
                (format!("{} machines", some.len()), "die")
            };
            let names = if some.len() > 6 {
                format!("{} and {} more", some[..6].join(", "), some.len() - 6)
            } else {
                some.join(", ")
            };
            format!("{count} {dies}: {names}{more}.")
        }
    });
    said.extend(given_in_words(sheds));
    if !weaker.is_empty() {
        let (go, goes) = (boxes(weaker.len()), if weaker.len() == 1 { "goes" } else { "go" });
        let last = weaker.iter().filter(|w| w.left == 1).count();
        said.push(match last == weaker.len() {
            true => format!("{go} {goes} on with one input."),
            false => format!("{go} {goes} on with fewer inputs, {last} of them with one."),
        });
    }
    for load in loads.iter().filter(|l| l.fate == Fate::Trips) {
        let at = load.share(load.after).unwrap_or_default() * 100.0;
        said.push(format!(
            "{} trips at {at:.0} % of its rating{}.",
            load.pdu,
            load.trips_in.map(soon).unwrap_or_default()
        ));
    }
    let changed = |l: &&Load| matches!(l.fate, Fate::Soft | Fate::Fine | Fate::Relieved) && l.after > l.before;
    let most = loads
        .iter()
        .filter(changed)
        .filter_map(|l| Some((l.share(l.after)?, l)));
    if let Some((share, load)) = most.max_by(|a, b| a.0.total_cmp(&b.0)) {
        let from = load.share(load.before).unwrap_or_default() * 100.0;
        let over = if load.fate == Fate::Soft {
            ", more than the 80 % for good"
        } else {
            ""
        };
        let over = match load.share(load.peak) {
            Some(peak) => format!(", {:.0} % without that", peak * 100.0),
            None => over.to_owned(),
        };
        let least = if load.at_least { "at least " } else { "" };
        said.push(format!(
            "{} goes from {from:.0} to {least}{:.0} % of its rating{over}.",
            load.pdu,
            share * 100.0
        ));
    }
    said.join(" ")
}

/// `2 machines are stopped and 1 capped by shed order.`
fn given_in_words(sheds: &[Given]) -> Option<String> {
    let stopped = sheds.iter().filter(|g| g.stop.is_some()).count();
    let are = |n: usize| {
        if n == 1 {
            "1 machine is".to_owned()
        } else {
            format!("{n} machines are")
        }
    };
    Some(match (stopped, sheds.len() - stopped) {
        (0, 0) => return None,
        (0, n) => format!("{} capped by shed order.", are(n)),
        (n, 0) => format!("{} stopped by shed order.", are(n)),
        (n, capped) => format!("{} stopped and {capped} capped by shed order.", are(n)),
    })
}

/// ` within 58 s`, in words that promise no more than the curve does.
fn soon(seconds: f64) -> String {
    match seconds {
        s if s < 120.0 => format!(", in {:.0} s or more", s.max(1.0)),
        s if s < 7200.0 => format!(", in {:.0} min or more", s / 60.0),
        _ => ", after hours".to_owned(),
    }
}

/// What is not known that would change what is said.
fn unknown(line: &OneLine, end: &End) -> Vec<String> {
    let mut notes = Vec::new();
    let mut say = |places: Vec<&Place>, before: &str, after: &str| {
        if !places.is_empty() {
            notes.push(format!("{before}{}{after}", named(places)));
        }
    };
    let loose: Vec<&Place> = line
        .boxes
        .iter()
        .filter(|b| b.cords.is_empty())
        .map(|b| &b.place)
        .collect();
    say(loose, "whether they notice: nobody wrote down what feeds ", "");
    let moving =
        |b: usize| live(&line.boxes[b]).count() > left(line, &end.taken, b).count() && !end.dead.contains_key(&b);
    let silent = (0..line.boxes.len()).filter(|b| moving(*b) && line.boxes[*b].cords.iter().any(|c| c.watts.is_none()));
    say(
        silent.map(|b| &line.boxes[b].place).collect(),
        "how much moves with ",
        ": nothing tells what they draw",
    );
    let weak: Vec<(usize, &FedBox)> = line.boxes.iter().enumerate().filter(|(b, _)| moving(*b)).collect();
    let tight = weak.iter().filter(|(b, fed)| {
        let gives = rated(fed, left(line, &end.taken, *b).count());
        fed.watts.zip(gives).is_some_and(|(draws, gives)| draws > gives)
    });
    say(
        tight.map(|(_, fed)| &fed.place).collect(),
        "whether what is left of their supplies is enough: at its limit is ",
        "",
    );
    let ill = weak
        .iter()
        .filter(|(_, fed)| fed.supplies.iter().any(|s| s.health > Health::Ok));
    say(
        ill.map(|(_, fed)| &fed.place).collect(),
        "whether they go on, because a supply is not well: ",
        "",
    );
    let gone = |n: &usize| end.taken.pdus.contains_key(n);
    for n in (0..line.pdus.len()).filter(gone) {
        let pdu = &line.pdus[n];
        if let Some(loose) = pdu.loose.filter(|w| *w > 0.0) {
            notes.push(format!(
                "what becomes of {loose:.0} W of {} that no cord accounts for",
                pdu.place
            ));
        } else if pdu.loose.is_none() && pdu.watts.is_none() {
            notes.push(format!(
                "whether {} feeds more than is written down: it tells no watts",
                pdu.place
            ));
        }
    }
    let uncapped = line.boxes.iter().enumerate().filter(|(b, fed)| {
        let asked = !end.given.is_empty() && !end.dead.contains_key(b) && !end.given.contains_key(b);
        let stopped = end.given.get(b).is_some_and(|(allotted, _)| *allotted == Allot::Stop);
        (asked || stopped) && gives(fed) && fed.floor.is_none()
    });
    let uncapped: Vec<&Place> = uncapped.map(|(_, fed)| &fed.place).collect();
    if !uncapped.is_empty() {
        notes.push(format!(
            "which caps they take, so that only a stop is counted on: {}",
            named(uncapped)
        ));
    }
    let gains = |n: &usize| !gone(n) && end.moves.keys().any(|(_, to)| to == n);
    let unrated: Vec<&Place> = (0..line.pdus.len())
        .filter(gains)
        .map(|n| &line.pdus[n])
        .filter(|p| p.rated.is_none())
        .map(|p| &p.place)
        .collect();
    let mut say = |places: Vec<&Place>, before: &str, after: &str| {
        if !places.is_empty() {
            notes.push(format!("{before}{}{after}", named(places)));
        }
    };
    say(unrated, "whether it trips: no rating is told by ", "");
    notes
}

fn all_assumed(line: &OneLine, end: &End, mut assumed: Vec<String>) -> Vec<String> {
    let weak =
        |b: usize| left(line, &end.taken, b).count() < live(&line.boxes[b]).count() && !end.dead.contains_key(&b);
    let moving: Vec<usize> = (0..line.boxes.len()).filter(|b| weak(*b)).collect();
    let unseen: BTreeSet<&Place> = moving
        .iter()
        .flat_map(|b| left(line, &end.taken, *b).map(|c| &line.boxes[*b].cords[c]))
        .filter(|c| c.carries == Carries::Unknown)
        .map(|c| &c.pdu)
        .collect();
    if !unseen.is_empty() {
        assumed.push(format!("that {} carries: it was not seen to just now", named(unseen)));
    }
    let halved = moving.iter().any(|b| {
        line.boxes[*b]
            .cords
            .iter()
            .any(|c| !c.told && c.watts.is_some_and(|w| w > 0.0))
    });
    if halved {
        assumed.push("supplies share a box's load in equal parts where outlets don't tell".into());
    }
    let labels = moving.iter().any(|b| {
        line.boxes[*b]
            .cords
            .iter()
            .any(|c| c.source == rack::power::CordSource::Label)
    });
    if labels {
        assumed.push("what the label of an outlet names hangs on it, where nobody wrote it down".into());
    }
    if !end.given.is_empty() {
        assumed.push("BMCs take caps at once, and boxes keep to them".into());
    }
    if !moving.is_empty() {
        assumed.push("machines go on drawing what they draw now".into());
    }
    if line
        .pdus
        .iter()
        .enumerate()
        .any(|(n, _)| end.taken.pdus.get(&n).is_some_and(|round| *round > 0))
    {
        assumed.push("breakers are cold and hydraulic-magnetic, which is the soonest that they trip; more than the rating trips them in the end".into());
    }
    assumed
}
