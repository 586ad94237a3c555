//! The plant: everything that a description names, and how time passes for it.

use std::collections::{HashMap, VecDeque};

use super::body::{Body, Demand};
use super::chip::Chip;
use super::circuit::Circuit;
use super::gear::{Gear, GearId, Piece};
use super::kinds::{Cooled, Kind};
use super::load::Trace;
use super::quantity::BoxId;

/// Shortest and longest step inside, seconds. It is short after anything has happened and grows while all is quiet.
const STEP: (f64, f64) = (0.25, 30.0);
/// Kelvin that anything may change by in a step that is followed by a longer one; twice that, by a shorter one.
pub(super) const QUIET: f64 = 0.3;
/// Events that wait to be fetched.
const MOST_EVENTS: usize = 4096;

/// A supply of a box.
#[derive(Debug, Clone, PartialEq)]
pub struct Supply {
    /// What it is plugged into; `None` when the cable is pulled.
    pub gear: Option<GearId>,
    /// Where its cable belongs.
    pub home: Option<GearId>,
    /// Whether it is broken.
    pub failed: bool,
    /// Whether it has input.
    pub fed: bool,
    /// Watts into it.
    pub into: f64,
    /// Watts out of it.
    pub out: f64,
    /// Joules into it since the start.
    pub joules: f64,
}

/// What a [`BoxId`] stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thing {
    /// A box with supplies.
    Body(u32),
    /// A PDU, a shelf, an uninterruptible supply, a source.
    Gear(GearId),
    /// A circuit: a room, a loop.
    Circuit(u8),
}

/// A heat exchanger in a rack's rear door: it takes ε of what the air leaving boxes is above its water.
#[derive(Debug, Clone, PartialEq)]
pub struct Door {
    /// ε.
    pub effectiveness: f64,
    /// Its water, °C.
    pub water: f64,
    /// Whether water flows.
    pub works: bool,
    /// Joules taken since the start.
    pub removed: f64,
    /// Watts taken now.
    pub taking: f64,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The plant's second.
    pub second: f64,
    /// To what: its name.
    pub to: String,
    /// Which box, if it is one.
    pub body: Option<BoxId>,
    /// What.
    pub what: Happened,
}

/// What can happen by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happened {
    /// A box has no input any more.
    Dark,
    /// It has input again.
    Lit,
    /// One supply has lost its input, or has it again.
    Supply(u8, bool),
    /// Heat has switched it off.
    TooHot,
    /// It asks for more than its supplies give, and is off.
    Overloaded,
    /// A piece of gear says so.
    Gear(&'static str),
}

/// A rack, or a row of them, with its power and cooling.
#[derive(Debug, Clone, Default)]
pub struct Plant {
    /// Seconds since the start.
    pub now: f64,
    pub(super) kinds: Vec<Kind>,
    pub(super) gear: Vec<Piece>,
    /// The circuit that each piece's loss heats; `None` for those elsewhere.
    pub(super) gear_air: Vec<Option<u8>>,
    pub(super) bodies: Vec<Body>,
    pub(super) chips: Vec<Chip>,
    pub(super) supplies: Vec<Supply>,
    pub(super) circuits: Vec<Circuit>,
    pub(super) door: Option<Door>,
    pub(super) things: Vec<Thing>,
    pub(super) names: HashMap<String, BoxId>,
    /// A PDU's outlets and branch breakers.
    pub(super) behind_pdu: HashMap<GearId, (Vec<GearId>, Vec<GearId>)>,
    pub(super) body_names: Vec<String>,
    /// Joules lost in gear that stands elsewhere.
    pub(super) outside: f64,
    events: VecDeque<Event>,
    pub(super) demands: Vec<Demand>,
    pub(super) behind: Vec<[f64; 3]>,
    step: f64,
    pub(super) dirty: bool,
}

impl Plant {
    /// An empty one, to add to. Parents are added before what hangs on them.
    pub fn new() -> Plant {
        Plant {
            step: STEP.0,
            dirty: true,
            ..Plant::default()
        }
    }

    /// Adds a piece of gear; its loss heats this circuit, or what is elsewhere.
    pub fn add_gear(&mut self, piece: Piece, air: Option<u8>) -> GearId {
        let id = self.gear.len() as GearId;
        if !piece.name.is_empty() {
            self.name(&piece.name.clone(), Thing::Gear(id));
        }
        if let Some(pdu) = self.pdu_before(&piece) {
            let behind = self.behind_pdu.entry(pdu).or_default();
            match piece.gear {
                Gear::Outlet { .. } => behind.0.push(id),
                Gear::Breaker { .. } => behind.1.push(id),
                _ => {}
            }
        }
        self.gear.push(piece);
        self.gear_air.push(air);
        self.dirty = true;
        id
    }

    fn pdu_before(&self, piece: &Piece) -> Option<GearId> {
        let parent = *piece.parents.first()?;
        let before = &self.gear[usize::from(parent)];
        match before.gear {
            Gear::Pdu => Some(parent),
            _ => self.pdu_before(before),
        }
    }

    /// Adds a circuit.
    pub fn add_circuit(&mut self, circuit: Circuit) -> u8 {
        let id = self.circuits.len() as u8;
        self.name(&circuit.name.clone(), Thing::Circuit(id));
        self.circuits.push(circuit);
        id
    }

    /// Gives the rack a rear door.
    pub fn set_door(&mut self, effectiveness: f64, water: f64) {
        self.door = Some(Door {
            effectiveness,
            water,
            works: true,
            removed: 0.0,
            taking: 0.0,
        });
    }

    /// Adds a box in this air (or tank) and on this loop, plugged into these pieces.
    pub fn add_box(&mut self, name: &str, kind: &Kind, air: u8, plates: Option<u8>, cords: &[GearId]) -> BoxId {
        let of = self.kinds.iter().position(|k| k == kind).unwrap_or_else(|| {
            self.kinds.push(*kind);
            self.kinds.len() - 1
        });
        let celsius = self.circuits[usize::from(air)].cold;
        let coolant = plates.map_or(celsius, |p| self.circuits[usize::from(p)].cold);
        let chip = Chip::cold(if matches!(kind.cooled, Cooled::Plates(_)) {
            coolant
        } else {
            celsius
        });
        let body = Body {
            kind: of as u16,
            air,
            plates: plates.filter(|_| matches!(kind.cooled, Cooled::Plates(_))),
            pumps: None,
            chips: self.chips.len() as u32,
            supplies: self.supplies.len() as u32,
            wanted: false,
            comes_back: true,
            on: false,
            live: false,
            too_hot: false,
            base: 0.0,
            trace: Trace::Constant(0.0),
            since: self.now,
            cap: None,
            fan: 0.0,
            fans_failed: 0,
            fan_held: None,
            board: celsius,
            inlet: celsius,
            exhaust: celsius,
            out: 0.0,
            into: 0.0,
            joules: 0.0,
            to_plates: 0.0,
            work: 0.0,
        };
        for _ in 0..kind.cpus + kind.gpus {
            self.chips.push(chip.clone());
        }
        for n in 0..usize::from(kind.supply.count) {
            let gear = cords.get(n).copied();
            self.supplies.push(Supply {
                gear,
                home: gear,
                failed: false,
                fed: false,
                into: 0.0,
                out: 0.0,
                joules: 0.0,
            });
        }
        self.bodies.push(body);
        self.body_names.push(name.to_owned());
        self.demands.push(Demand::default());
        self.dirty = true;
        self.name(name, Thing::Body(self.bodies.len() as u32 - 1))
    }

    /// A box that moves a loop with its pumps.
    pub fn set_pumps(&mut self, of: BoxId, circuit: u8) {
        if let Some(Thing::Body(n)) = self.thing(of) {
            self.bodies[n as usize].pumps = Some(circuit);
        }
    }

    fn name(&mut self, name: &str, thing: Thing) -> BoxId {
        let id = BoxId(self.things.len() as u32);
        self.things.push(thing);
        self.names.insert(name.to_owned(), id);
        id
    }

    pub(super) fn thing(&self, of: BoxId) -> Option<Thing> {
        self.things.get(of.0 as usize).copied()
    }

    /// The name of a box.
    pub fn name_of(&self, of: BoxId) -> &str {
        match self.thing(of) {
            Some(Thing::Body(n)) => &self.body_names[n as usize],
            Some(Thing::Gear(n)) => &self.gear[usize::from(n)].name,
            Some(Thing::Circuit(n)) => &self.circuits[usize::from(n)].name,
            None => "",
        }
    }

    /// What a box stands for.
    pub fn what(&self, of: BoxId) -> Option<Thing> {
        self.thing(of)
    }

    /// All boxes, in the order in which they were added.
    pub fn all(&self) -> impl Iterator<Item = BoxId> + use<> {
        (0..self.things.len() as u32).map(BoxId)
    }

    /// The state of a box with supplies.
    pub fn body(&self, of: BoxId) -> Option<&Body> {
        match self.thing(of)? {
            Thing::Body(n) => self.bodies.get(n as usize),
            _ => None,
        }
    }

    /// Its kind.
    pub fn kind(&self, of: BoxId) -> Option<&Kind> {
        self.kinds.get(usize::from(self.body(of)?.kind))
    }

    /// A box's supplies.
    pub fn supplies(&self, of: BoxId) -> &[Supply] {
        let Some((body, kind)) = self.body(of).zip(self.kind(of)) else {
            return &[];
        };
        let first = body.supplies as usize;
        &self.supplies[first..first + usize::from(kind.supply.count)]
    }

    /// A box's chips: processors, then accelerators.
    pub fn chips(&self, of: BoxId) -> &[Chip] {
        let Some((body, kind)) = self.body(of).zip(self.kind(of)) else {
            return &[];
        };
        let first = body.chips as usize;
        &self.chips[first..first + usize::from(kind.cpus + kind.gpus)]
    }

    /// Pieces of gear.
    pub fn gear(&self) -> &[Piece] {
        &self.gear
    }

    /// Circuits.
    pub fn circuits(&self) -> &[Circuit] {
        &self.circuits
    }

    /// What has happened since this was last asked, oldest first.
    pub fn events(&mut self) -> Vec<Event> {
        self.events.drain(..).collect()
    }

    /// Seconds that may pass at once now without anything being late that is known of.
    pub fn grain(&self) -> f64 {
        self.step.min(self.next_event()).max(STEP.0)
    }

    /// Whether something was changed from outside that watts do not show yet.
    pub fn changed(&self) -> bool {
        self.dirty
    }

    /// Something was changed from outside: the next step is a short one.
    pub(super) fn touch(&mut self) {
        self.dirty = true;
        self.step = STEP.0;
    }

    pub(super) fn tell(&mut self, to: Thing, what: Happened) {
        let (name, body) = match to {
            Thing::Body(n) => (self.body_names[n as usize].clone(), self.id_of(to)),
            Thing::Gear(n) => (self.gear[usize::from(n)].name.clone(), self.id_of(to)),
            Thing::Circuit(n) => (self.circuits[usize::from(n)].name.clone(), self.id_of(to)),
        };
        if self.events.len() == MOST_EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(Event {
            second: self.now,
            to: name,
            body,
            what,
        });
    }

    fn id_of(&self, thing: Thing) -> Option<BoxId> {
        let n = self.things.iter().position(|t| *t == thing)?;
        Some(BoxId(n as u32))
    }

    /// Lets time pass. Steps inside are as short as what goes on asks for.
    pub fn advance(&mut self, seconds: f64) {
        let until = self.now + seconds.max(0.0);
        while self.now < until {
            self.settle_power();
            let mut step = (until - self.now).min(self.step).min(self.next_event());
            // what is left over by rounding is no step
            if until - self.now - step < 1e-6 {
                step = until - self.now;
            }
            let whole = step >= self.step;
            let (moved, happened) = self.pass(step);
            self.now += step;
            if happened {
                self.touch();
            } else if moved > 2.0 * QUIET {
                self.step = (self.step * 0.5).max(STEP.0);
            } else if moved < QUIET && (whole || self.step < 2.0) {
                self.step = (self.step * 1.5).min(STEP.1);
            }
        }
        self.settle();
    }

    /// Brings watts up to what was changed from outside, without letting time pass.
    pub fn settle(&mut self) {
        if self.dirty {
            self.settle_power();
        }
    }

    /// Seconds until a load changes, a breaker trips or a battery is empty.
    fn next_event(&self) -> f64 {
        let gear = self.gear.iter().map(Piece::event_in).fold(f64::INFINITY, f64::min);
        let loads = self.bodies.iter().filter(|b| b.on);
        let load = loads
            .map(|b| b.trace.holds((self.now - b.since).max(0.0)))
            .fold(f64::INFINITY, f64::min);
        gear.min(load).max(1e-3)
    }
}
