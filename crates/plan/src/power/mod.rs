//! The one-line diagram of racks: which PDU feeds which box by which cord, and what each carries, from what is written down
//! and what was read just now. Nothing is guessed: what is not known is null, and said.
//!
//! Cords are what someone wrote down with a box; where nobody did, an outlet whose label is the box's own name counts too.
//! [`crate::whatif`] forecasts from what comes out.

mod cord;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rack::free::Rating;
use rack::intent::{BoxKind, Intent};
use rack::power::{Carries, FedBox, Line, OneLine, Pdu, SOFT, Supply};
use rack::request::DeviceView;
use rack::{Health, PartKind, Place, Reading, Time, Unit};

use crate::elevation::{SeenNode, model};
use cord::Outlets;

/// Watts that are one meter's noise beside another's: what is less is accounted for.
const NOISE: f64 = 0.03;
/// The least that is called loose, in watts.
const LOOSE: f64 = 25.0;
/// Places that are named in a sentence.
const NAMED: usize = 4;

/// What is recorded and seen.
pub struct Sight<'a> {
    /// Now.
    pub at: Time,
    /// How old a reading may be that is used.
    pub age: Duration,
    /// What can become machines.
    pub nodes: Vec<SeenNode<'a>>,
    /// What can't, PDUs among them.
    pub devices: Vec<SeenDevice>,
    /// What was written down.
    pub intents: Vec<&'a Intent>,
}

/// A device, and when its outlets were read.
pub struct SeenDevice {
    /// The device.
    pub view: DeviceView,
    /// When its outlets were read.
    pub outlets_read: Option<Time>,
}

impl Sight<'_> {
    fn fresh(&self, readings: &[Reading], name: &str, unit: Unit) -> Option<f64> {
        Reading::named(readings, name, unit, self.at, self.age)
    }
}

/// The one-line diagram of what is seen.
pub fn one_line(sight: &Sight) -> OneLine {
    let outlets = Outlets::of(sight);
    let mut notes = outlets.notes.clone();
    let mut boxes = boxes(sight);
    for fed in &mut boxes {
        fed.cords = outlets.cords_of(&fed.place);
        cord::settle(fed, &outlets, &mut notes);
        cord::once(fed, &outlets);
    }
    boxes.sort_by(|a, b| a.place.cmp(&b.place));
    let mut pdus: BTreeMap<Place, Pdu> = BTreeMap::new();
    for device in sight.devices.iter().filter(|d| d.view.kind == "pdu") {
        pdus.insert(
            device.view.place.clone(),
            pdu(sight, device, outlets.carries(&device.view.place)),
        );
    }
    for cord in boxes.iter().flat_map(|b| &b.cords) {
        pdus.entry(cord.pdu.clone()).or_insert_with(|| unseen(cord.pdu.clone()));
    }
    let mut pdus: Vec<Pdu> = pdus.into_values().collect();
    for pdu in &mut pdus {
        beside(pdu, &boxes);
    }
    notes.extend(not_known(&pdus, &boxes, sight));
    OneLine {
        at: sight.at,
        headline: headline(&pdus, &boxes),
        pdus,
        boxes,
        notes,
    }
}

/// Everything that draws power for itself; cords come later.
fn boxes(sight: &Sight) -> Vec<FedBox> {
    let servers = sight.nodes.iter().map(|n| server(sight, n));
    let passes_on = |kind: &str| matches!(kind, "pdu" | "power-shelf" | "transfer-switch");
    let others = sight.devices.iter().filter(|d| !passes_on(&d.view.kind));
    let mut all: Vec<FedBox> = servers.chain(others.map(|d| other(sight, &d.view))).collect();
    let there: BTreeSet<Place> = all
        .iter()
        .map(|b| b.place.clone())
        .chain(sight.devices.iter().map(|d| d.view.place.clone()))
        .collect();
    for intent in &sight.intents {
        let fed = intent
            .boxes
            .iter()
            .filter(|b| b.kind != BoxKind::Pdu && !b.outlets.is_empty());
        for meant in fed {
            let place = Place::new(&intent.rack, &meant.slot);
            if !there.contains(&place) {
                all.push(FedBox {
                    model: model(meant.maker.as_deref(), meant.model.as_deref()),
                    ..blank(place, meant.kind.as_str())
                });
            }
        }
    }
    all
}

fn blank(place: Place, kind: &str) -> FedBox {
    FedBox {
        place,
        kind: kind.to_owned(),
        model: None,
        machine: None,
        state: None,
        nice: None,
        power: None,
        silent: None,
        health: Health::Unknown,
        watts: None,
        by_outlets: false,
        taken: None,
        cap: None,
        floor: None,
        armed: false,
        shed: None,
        supplies: Vec::new(),
        cords: Vec::new(),
    }
}

fn server(sight: &Sight, seen: &SeenNode) -> FedBox {
    let node = seen.node;
    let watts = sight.fresh(&seen.readings, "watts", Unit::Watts);
    let supply = |part: &rack::Part| match part.kind {
        PartKind::Supply { watts } => Some(Supply {
            id: part.id.clone(),
            rated: watts,
            health: part.health,
        }),
        _ => None,
    };
    FedBox {
        model: model(node.identity.maker.as_deref(), node.identity.model.as_deref()),
        machine: node.holder.clone(),
        state: seen.machine.map(|m| m.status.state.to_string()),
        nice: seen.machine.map(|m| m.ask.nice),
        power: seen.power,
        silent: seen.silent.clone(),
        health: node.health,
        watts,
        taken: watts.and_then(|_| taken(&seen.readings)),
        cap: seen.cap,
        floor: seen.floor,
        armed: node.armed,
        shed: seen.shed.clone(),
        supplies: node.parts.iter().filter_map(supply).collect(),
        ..blank(node.place.clone(), "server")
    }
}

fn other(sight: &Sight, device: &DeviceView) -> FedBox {
    let watts = sight.fresh(&device.readings, "watts", Unit::Watts);
    FedBox {
        model: model(device.maker.as_deref(), device.model.as_deref()),
        health: device.health,
        watts,
        taken: watts.and_then(|_| taken(&device.readings)),
        ..blank(device.place.clone(), &device.kind)
    }
}

fn taken(readings: &[Reading]) -> Option<Time> {
    readings.iter().find(|r| r.name == "watts").map(|r| r.taken)
}

fn pdu(sight: &Sight, device: &SeenDevice, carries: Carries) -> Pdu {
    let view = &device.view;
    let watts = sight.fresh(&view.readings, "watts", Unit::Watts);
    let rated = (!view.mains.is_empty()).then(|| view.mains.iter().map(Rating::watts).fold(0.0, std::ops::Add::add));
    Pdu {
        model: model(view.maker.as_deref(), view.model.as_deref()),
        found: true,
        health: view.health,
        carries,
        watts: watts.or((carries == Carries::No).then_some(0.0)),
        taken: watts.and_then(|_| taken(&view.readings)).or(device.outlets_read),
        mains: view.mains.clone(),
        rated,
        soft: rated.map(|r| r * SOFT),
        lines: lines(sight, view),
        outlets: (!view.outlets.is_empty()).then(|| u32::try_from(view.outlets.len()).unwrap_or(u32::MAX)),
        ..unseen(view.place.clone())
    }
}

fn unseen(place: Place) -> Pdu {
    Pdu {
        place,
        model: None,
        found: false,
        health: Health::Unknown,
        carries: Carries::Unknown,
        watts: None,
        taken: None,
        mains: Vec::new(),
        rated: None,
        soft: None,
        lines: Vec::new(),
        outlets: None,
        loose: None,
        partners: Vec::new(),
    }
}

/// Amperes of the lines of its inputs, beside what each may carry when there is one input.
fn lines(sight: &Sight, view: &DeviceView) -> Vec<Line> {
    let rated = match view.mains.as_slice() {
        [one] => Some(one.amps),
        _ => None,
    };
    let amps = view.readings.iter().filter(|r| r.unit == Unit::Amperes);
    amps.map(|r| Line {
        name: r.name.clone(),
        amps: r.fresh(sight.at, sight.age),
        rated,
    })
    .collect()
}

/// Who feeds the same boxes, and what no cord accounts for.
fn beside(pdu: &mut Pdu, boxes: &[FedBox]) {
    let mut partners = BTreeSet::new();
    let mut sum = Some(0.0);
    for fed in boxes {
        let mine = fed.cords.iter().filter(|c| c.pdu == pdu.place);
        let mut any = false;
        for cord in mine {
            any = true;
            sum = sum.zip(cord.watts).map(|(a, b)| a + b);
        }
        if any {
            partners.extend(fed.cords.iter().map(|c| c.pdu.clone()).filter(|p| *p != pdu.place));
        }
    }
    pdu.partners = partners.into_iter().collect();
    pdu.loose = pdu.watts.zip(sum).map(|(watts, sum)| {
        let rest = watts - sum;
        if rest > LOOSE.max(watts * NOISE) { rest } else { 0.0 }
    });
}

/// `r1/u1, r1/u2 and 7 more`.
pub(crate) fn named<'a>(places: impl IntoIterator<Item = &'a Place>) -> String {
    let all: Vec<&Place> = places.into_iter().collect();
    let some: Vec<&str> = all.iter().take(NAMED).map(|p| p.as_ref()).collect();
    match (some.as_slice(), all.len().saturating_sub(NAMED)) {
        ([], _) => "none".to_owned(),
        ([one], 0) => (*one).to_owned(),
        ([first @ .., last], 0) => format!("{} and {last}", first.join(", ")),
        (some, more) => format!("{} and {more} more", some.join(", ")),
    }
}

fn not_known(pdus: &[Pdu], boxes: &[FedBox], sight: &Sight) -> Vec<String> {
    let mut notes = Vec::new();
    let corded = boxes.iter().any(|b| !b.cords.is_empty());
    let loose: Vec<&Place> = boxes.iter().filter(|b| b.cords.is_empty()).map(|b| &b.place).collect();
    if !corded && !boxes.is_empty() {
        notes.push(
            "nobody wrote down which PDU feeds what: outlets = [\"pdu-a/3\"] under a box's [[bmc]] in the rack file"
                .into(),
        );
    } else if !loose.is_empty() {
        notes.push(format!("nobody wrote down what feeds {}", named(loose)));
    }
    let say = |places: Vec<&Place>, what: &str| (!places.is_empty()).then(|| format!("{what} {}", named(places)));
    let of = |keep: &dyn Fn(&Pdu) -> bool| pdus.iter().filter(|p| keep(p)).map(|p| &p.place).collect::<Vec<_>>();
    notes.extend(say(of(&|p| !p.found), "cords are written down to what was not found:"));
    notes.extend(say(of(&|p| p.found && p.rated.is_none()), "no rating is told by"));
    notes.extend(say(of(&|p| p.found && p.watts.is_none()), "no watts are told by"));
    let silent = boxes.iter().filter(|b| !b.cords.is_empty() && b.watts.is_none());
    notes.extend(say(silent.map(|b| &b.place).collect(), "no watts are told of"));
    for pdu in pdus {
        if let Some(loose) = pdu.loose.filter(|w| *w > 0.0) {
            notes.push(format!(
                "{loose:.0} W of {} go where nobody wrote a cord down",
                pdu.place
            ));
        }
    }
    let shelves = sight
        .devices
        .iter()
        .filter(|d| d.view.kind == "power-shelf")
        .map(|d| &d.view.place);
    notes.extend(say(
        shelves.collect(),
        "who hangs on the bus bar is not written down; it is fed by",
    ));
    notes
}

fn headline(pdus: &[Pdu], boxes: &[FedBox]) -> String {
    if pdus.is_empty() {
        return "No PDU was found here, and no cord is written down.".into();
    }
    let mut said = Vec::new();
    let dark: Vec<&Place> = pdus
        .iter()
        .filter(|p| p.carries == Carries::No)
        .map(|p| &p.place)
        .collect();
    if !dark.is_empty() {
        said.push(format!("{} carries nothing.", named(dark)));
    }
    let without: Vec<&Place> = boxes.iter().filter(|b| is_dark(b)).map(|b| &b.place).collect();
    if !without.is_empty() {
        said.push(format!(
            "{} {} no power.",
            named(without.iter().copied()),
            if without.len() == 1 { "has" } else { "have" }
        ));
    }
    let shares = pdus
        .iter()
        .filter_map(|p| Some((p.watts? / p.rated.filter(|r| *r > 0.0)?, &p.place)));
    let most = shares.max_by(|a, b| a.0.total_cmp(&b.0));
    match most {
        Some((share, at)) if share > SOFT => {
            said.push(format!(
                "{at} carries {:.0} % of its rating: more than the 80 % for good.",
                share * 100.0
            ));
        }
        Some((share, at)) if pdus.len() > 1 => {
            said.push(format!("The fullest is {at}, at {:.0} % of its rating.", share * 100.0));
        }
        Some((share, at)) => said.push(format!("{at} carries {:.0} % of its rating.", share * 100.0)),
        None => said.push("No PDU tells both its load and its rating.".into()),
    }
    let corded: Vec<&FedBox> = boxes.iter().filter(|b| !b.cords.is_empty()).collect();
    let two = corded.iter().filter(|b| inputs(b) > 1).count();
    if !corded.is_empty() {
        said.push(match (corded.len(), two) {
            (1, 1) => "The one box has power from two PDUs or more.".to_owned(),
            (_, 0) => "No box has power from a second PDU.".to_owned(),
            (all, two) if all == two => format!("All {all} boxes have power from two PDUs or more."),
            (all, two) => format!("{two} of {all} boxes have power from two PDUs or more."),
        });
    }
    said.join(" ")
}

/// PDUs that a box gets power from, as far as is known.
fn inputs(fed: &FedBox) -> usize {
    let live = fed.cords.iter().filter(|c| c.carries != Carries::No).map(|c| &c.pdu);
    live.collect::<BTreeSet<_>>().len()
}

/// Cords of a box through which it gets power now, by their places in its list.
pub(crate) fn live(fed: &FedBox) -> impl Iterator<Item = usize> {
    (0..fed.cords.len()).filter(|c| fed.cords[*c].carries != Carries::No)
}

/// How what a box draws is shared among some of its cords: as they share now, else in equal parts.
pub(crate) fn shares(fed: &FedBox, cords: &[usize]) -> Vec<f64> {
    let watts: Option<Vec<f64>> = cords.iter().map(|c| fed.cords[*c].watts).collect();
    let watts = watts
        .filter(|w| w.iter().all(|w| *w > 0.0))
        .unwrap_or_else(|| vec![1.0; cords.len()]);
    let sum = watts.iter().fold(0.0, |a, b| a + b);
    watts.into_iter().map(|w| w / sum).collect()
}

/// How many times as much the fullest line of a PDU carries as its lines do on average: a breaker trips by any of them.
pub(crate) fn fullest(pdu: &Pdu) -> f64 {
    let amps: Option<Vec<f64>> = input_lines(pdu).map(|l| l.amps).collect();
    unequal(&amps.unwrap_or_default())
}

/// Lines of a PDU's input that tell what they are rated for.
pub(crate) fn input_lines(pdu: &Pdu) -> impl Iterator<Item = &Line> {
    pdu.lines
        .iter()
        .filter(|l| l.rated.is_some() && l.name.contains("-line"))
}

/// How many times as much the fullest of these lines carries as they do on average.
pub fn unequal(amps: &[f64]) -> f64 {
    let sum = amps.iter().fold(0.0, |a, b| a + b);
    let most = amps.iter().copied().fold(0.0, f64::max);
    if sum > 0.0 {
        (most * amps.len() as f64 / sum).max(1.0)
    } else {
        1.0
    }
}

/// Watts that a PDU carries: as it tells, else what flows through its cords when each is known.
pub(crate) fn carried(line: &OneLine, n: usize) -> Option<f64> {
    let pdu = &line.pdus[n];
    let summed = || {
        let cords = line.boxes.iter().flat_map(|b| &b.cords);
        let mut mine = cords.filter(|c| c.pdu == pdu.place).peekable();
        mine.peek()?;
        mine.try_fold(0.0, |sum, c| Some(sum + c.watts?))
    };
    pdu.watts.or_else(summed)
}

/// Whether all of its cords were seen to carry nothing.
pub(crate) fn is_dark(fed: &FedBox) -> bool {
    !fed.cords.is_empty() && fed.cords.iter().all(|c| c.carries == Carries::No)
}
