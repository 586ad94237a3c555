//! Cords: who hangs where, whether anything flows there, and how much.

use std::collections::BTreeMap;
use std::time::Duration;

use rack::power::{Carries, Cord, CordSource, FedBox};
use rack::request::OutletView;
use rack::{Place, PowerState, Time, Unit};

use super::Sight;

/// A cord that carries less than this, in watts, while another of its box carries what that draws, carries nothing: a
/// supply that sleeps still draws more.
const NOTHING: f64 = 1.0;
/// From this draw on, in watts, it can be told which of a box's cords carry.
const DRAWS: f64 = 20.0;

/// PDUs that were read further apart than this do not show one moment.
const APART: Duration = Duration::from_secs(5);
/// Share by which meters of one thing differ.
const NOISE: f64 = 1.05;

/// What the PDUs tell of their outlets, and what hangs there.
pub(super) struct Outlets<'a> {
    seen: BTreeMap<&'a Place, Vec<&'a OutletView>>,
    read: BTreeMap<&'a Place, Time>,
    carries: BTreeMap<&'a Place, Carries>,
    written: BTreeMap<Place, Vec<(Place, String, CordSource)>>,
    /// What is wrong with what was written down.
    pub notes: Vec<String>,
}

impl<'a> Outlets<'a> {
    pub fn of(sight: &'a Sight) -> Outlets<'a> {
        let mut all = Outlets {
            seen: BTreeMap::new(),
            read: BTreeMap::new(),
            carries: BTreeMap::new(),
            written: written(sight),
            notes: Vec::new(),
        };
        for device in sight.devices.iter().filter(|d| d.view.kind == "pdu") {
            let view = &device.view;
            let is_fresh = device.outlets_read.is_some_and(|t| sight.at.within(t, sight.age));
            let outlets: Vec<&OutletView> = view.outlets.iter().filter(|_| is_fresh).collect();
            let amps: Vec<Option<f64>> = view
                .readings
                .iter()
                .filter(|r| r.unit == Unit::Amperes)
                .map(|r| r.fresh(sight.at, sight.age))
                .collect();
            let draws = sight
                .fresh(&view.readings, "watts", Unit::Watts)
                .is_some_and(|w| w > 0.0);
            all.carries.insert(&view.place, carries(draws, &outlets, &amps));
            all.seen.insert(&view.place, outlets);
            all.read.extend(device.outlets_read.map(|at| (&view.place, at)));
        }
        all.label(sight);
        all
    }

    /// Outlets whose label is the name of a box of which nobody wrote down a cord.
    fn label(&mut self, sight: &'a Sight) {
        let places = sight.nodes.iter().map(|n| &n.node.place);
        let places = places.chain(
            sight
                .devices
                .iter()
                .filter(|d| d.view.kind != "pdu")
                .map(|d| &d.view.place),
        );
        let unknown: Vec<&Place> = places.filter(|p| !self.written.contains_key(*p)).collect();
        for (pdu, outlets) in &self.seen {
            for outlet in outlets {
                let says = |p: &&&Place| {
                    let label = outlet.label.as_deref();
                    label == Some(p.as_ref()) || (p.rack() == pdu.rack() && label.is_some() && label == p.slot())
                };
                if let Some(place) = unknown.iter().find(says) {
                    let cord = ((*pdu).clone(), outlet.id.clone(), CordSource::Label);
                    self.written.entry((*place).clone()).or_default().push(cord);
                }
            }
        }
    }

    /// Whether anything comes out of a PDU.
    pub fn carries(&self, pdu: &Place) -> Carries {
        self.carries.get(pdu).copied().unwrap_or(Carries::Unknown)
    }

    /// The cords of a box, with what their outlets tell.
    pub fn cords_of(&self, place: &Place) -> Vec<Cord> {
        let written = self.written.get(place).map(Vec::as_slice).unwrap_or_default();
        written
            .iter()
            .map(|(pdu, id, source)| {
                let told = self.outlet(pdu, id);
                let carries = match told.and_then(|o| o.power) {
                    Some(PowerState::On) => self.carries(pdu),
                    Some(PowerState::Off) => Carries::No,
                    _ => self.carries(pdu),
                };
                let watts = told.and_then(|o| o.watts);
                Cord {
                    pdu: pdu.clone(),
                    outlet: id.clone(),
                    source: *source,
                    carries,
                    watts: if carries == Carries::No { Some(0.0) } else { watts },
                    told: watts.is_some(),
                }
            })
            .collect()
    }

    fn outlet(&self, pdu: &Place, id: &str) -> Option<&'a OutletView> {
        self.seen.get(pdu)?.iter().find(|o| o.id == id).copied()
    }

    fn lacks(&self, cord: &Cord) -> bool {
        let outlets = self.seen.get(&cord.pdu);
        outlets.is_some_and(|o| !o.is_empty() && o.iter().all(|o| o.id != cord.outlet))
    }
}

/// What someone wrote down: with the node, else with the box that should stand there.
fn written(sight: &Sight) -> BTreeMap<Place, Vec<(Place, String, CordSource)>> {
    let mut all = BTreeMap::new();
    let mut note = |place: Place, outlets: &[rack::node::OutletRef]| {
        let cords = outlets
            .iter()
            .map(|o| (o.pdu.clone(), o.outlet.clone(), CordSource::Recorded));
        if !outlets.is_empty() {
            all.insert(place, cords.collect());
        }
    };
    for intent in &sight.intents {
        for meant in &intent.boxes {
            note(Place::new(&intent.rack, &meant.slot), &meant.outlets);
        }
    }
    for seen in &sight.nodes {
        note(seen.node.place.clone(), &seen.node.outlets);
    }
    all
}

/// A PDU is dark when every outlet is seen off, or every line is seen without current while nothing is told to flow.
fn carries(draws: bool, outlets: &[&OutletView], amps: &[Option<f64>]) -> Carries {
    let flows = |o: &&OutletView| o.watts.is_some_and(|w| w > 0.0) || o.amps.is_some_and(|a| a > 0.0);
    if draws || outlets.iter().any(flows) {
        return Carries::Yes;
    }
    let off = |o: &&OutletView| o.power == Some(PowerState::Off);
    if !outlets.is_empty() && outlets.iter().all(off) {
        return Carries::No;
    }
    if outlets.iter().any(|o| o.power == Some(PowerState::On)) || amps.iter().flatten().any(|a| *a > 0.0) {
        return Carries::Yes;
    }
    match !amps.is_empty() && amps.iter().all(|a| *a == Some(0.0)) {
        true => Carries::No,
        false => Carries::Unknown,
    }
}

/// Which cords of a box carry, what it draws if only they tell, and what goes through those that don't.
pub(super) fn settle(fed: &mut FedBox, outlets: &Outlets, notes: &mut Vec<String>) {
    for cord in fed.cords.iter().filter(|c| outlets.lacks(c)) {
        notes.push(format!(
            "{} is written down at outlet {} of {}, which has none of that name",
            fed.place, cord.outlet, cord.pdu
        ));
    }
    let told: f64 = fed
        .cords
        .iter()
        .filter(|c| c.told)
        .filter_map(|c| c.watts)
        .fold(0.0, std::ops::Add::add);
    if told >= DRAWS {
        for cord in &mut fed.cords {
            if cord.told && cord.carries != Carries::No && cord.watts.is_some_and(|w| w < NOTHING) {
                (cord.carries, cord.watts) = (Carries::No, Some(0.0));
                notes.push(format!("nothing flows from {}/{} to {}, which draws through its other cords: its plug or supply may be out", cord.pdu, cord.outlet, fed.place));
            }
        }
    }
    // what is off still draws for its BMC: one that is silent and draws nothing has no input that carries
    if fed.silent.is_some() && told < NOTHING && fed.cords.iter().all(|c| c.told || c.carries == Carries::No) {
        for cord in &mut fed.cords {
            (cord.carries, cord.watts) = (Carries::No, Some(0.0));
        }
    }
    let untold = fed.cords.iter().filter(|c| c.watts.is_none()).count();
    match (fed.watts, untold) {
        (None, 0) if !fed.cords.is_empty() => {
            fed.watts = Some(told);
            fed.by_outlets = true;
        }
        (Some(watts), 1..) => {
            // what the others tell is not theirs; redundant supplies share the rest in equal parts
            let each = (watts - told).max(0.0) / untold as f64;
            for cord in fed.cords.iter_mut().filter(|c| c.watts.is_none()) {
                cord.watts = Some(each);
            }
        }
        _ => {}
    }
}

/// What moved from one PDU to another is on both until both were read again: then a box draws what its BMC tells, and no more.
pub(super) fn once(fed: &mut FedBox, outlets: &Outlets) {
    let read = |c: &&Cord| c.told && c.carries != Carries::No;
    let times = || fed.cords.iter().filter(read).filter_map(|c| outlets.read.get(&c.pdu));
    let is_one_moment = times()
        .max()
        .zip(times().min())
        .is_none_or(|(last, first)| last.since(*first) <= APART);
    let told = fed.cords.iter().filter_map(|c| c.watts).fold(0.0, std::ops::Add::add);
    if let (false, Some(watts)) = (is_one_moment, fed.watts)
        && told > watts * NOISE
    {
        for cord in &mut fed.cords {
            cord.watts = cord.watts.map(|w| w * watts / told);
        }
    }
}
