//! The plant: everything that a description names, and how time passes for it.

use std::collections::{HashMap, VecDeque};

use super::body::{Around, Body, Demand};
use super::chip::Chip;
use super::circuit::Circuit;
use super::gear::{Gear, GearId, Piece};
use super::kinds::{Cooled, Kind};
use super::load::Trace;
use super::quantity::BoxId;

/// Shortest and longest step inside, seconds. It is short after anything has happened and grows while all is quiet.
const STEP: (f64, f64) = (0.25, 30.0);
/// Kelvin that anything may change by in a step that is followed by a longer one; twice that, by a shorter one.
const QUIET: f64 = 0.3;
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
    pub(super) body_names: Vec<String>,
    /// Joules lost in gear that stands elsewhere.
    pub(super) outside: f64,
    events: VecDeque<Event>,
    demands: Vec<Demand>,
    behind: Vec<[f64; 3]>,
    step: f64,
    dirty: bool,
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
        self.gear.push(piece);
        self.gear_air.push(air);
        self.dirty = true;
        id
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
        self.step
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

    /// Who lives, and who draws what. Until nobody changes: a box that asks for too much goes off, which others see.
    fn settle_power(&mut self) {
        // each round switches something off or on; more rounds than this mean a loop, which then waits for the next step
        for _ in 0..4 {
            self.wake();
            if !self.draw() {
                break;
            }
        }
        self.dirty = false;
    }

    fn wake(&mut self) {
        for n in 0..self.gear.len() {
            let (before, rest) = self.gear.split_at_mut(n);
            rest[0].wake(|p| before[usize::from(p)].live);
            let moved = match &mut rest[0].gear {
                Gear::Transfer { moved, millis, .. } if *moved => {
                    *moved = false;
                    Some(*millis)
                }
                _ => None,
            };
            if let Some(millis) = moved {
                self.blink(n as GearId, millis);
            }
        }
        for n in 0..self.bodies.len() {
            self.wake_body(n);
        }
    }

    /// Boxes behind a transfer switch that hold up for less than it takes go down with it.
    fn blink(&mut self, switch: GearId, millis: f64) {
        let mut dark = vec![false; self.gear.len()];
        dark[usize::from(switch)] = true;
        for n in usize::from(switch) + 1..self.gear.len() {
            let piece = &self.gear[n];
            // a battery, or another way in, bridges it
            dark[n] = piece.battery().is_none_or(|b| b.joules <= 0.0)
                && !piece.parents.is_empty()
                && piece.parents.iter().all(|p| dark[usize::from(*p)]);
        }
        for n in 0..self.bodies.len() {
            let body = &self.bodies[n];
            let kind = &self.kinds[usize::from(body.kind)];
            let first = body.supplies as usize;
            let mut fed = self.supplies[first..first + usize::from(kind.supply.count)]
                .iter()
                .filter(|s| s.fed)
                .peekable();
            let hit = fed.peek().is_some() && fed.all(|s| s.gear.is_some_and(|g| dark[usize::from(g)]));
            if hit && kind.supply.hold_up < millis && body.on {
                self.bodies[n].on = false;
                self.tell(Thing::Body(n as u32), Happened::Dark);
                self.tell(Thing::Body(n as u32), Happened::Lit);
            }
        }
        self.tell(Thing::Gear(switch), Happened::Gear("changed over"));
    }

    fn wake_body(&mut self, n: usize) {
        let body = &self.bodies[n];
        let count = self.kinds[usize::from(body.kind)].supply.count;
        let first = body.supplies as usize;
        let mut any = false;
        for s in 0..count {
            let supply = &mut self.supplies[first + usize::from(s)];
            let fed = !supply.failed && supply.gear.is_some_and(|g| self.gear[usize::from(g)].live);
            any |= fed;
            if supply.fed != fed {
                supply.fed = fed;
                self.tell(Thing::Body(n as u32), Happened::Supply(s, fed));
            }
        }
        let body = &mut self.bodies[n];
        if body.live != any {
            body.live = any;
            if !any {
                body.on = false;
            }
            self.tell(Thing::Body(n as u32), if any { Happened::Lit } else { Happened::Dark });
        }
        let body = &mut self.bodies[n];
        body.on = body.live && body.wanted && !body.too_hot && (body.on || body.comes_back);
    }

    /// Passes watts up; says whether a box went off under its load.
    fn draw(&mut self) -> bool {
        self.behind.clear();
        self.behind.resize(self.gear.len(), [0.0; 3]);
        let mut overloaded = Vec::new();
        for n in 0..self.bodies.len() {
            let body = &mut self.bodies[n];
            let kind = &self.kinds[usize::from(body.kind)];
            let first = body.supplies as usize;
            let supplies = &mut self.supplies[first..first + usize::from(kind.supply.count)];
            let fed = supplies.iter().filter(|s| s.fed).count() as u8;
            let chips = body.chips as usize;
            let chips = &mut self.chips[chips..chips + usize::from(kind.cpus + kind.gpus)];
            let pumps = body.pumps.map_or(0.0, |c| self.circuits[usize::from(c)].pump_watts());
            let demand = body.demand(kind, chips, self.now, fed, pumps);
            body.out = demand.watts();
            self.demands[n] = demand;
            body.into = 0.0;
            let mut most = 0.0f64;
            for s in 0..supplies.len() {
                let out = body.out * share(supplies, s, fed, kind.supply.first);
                let supply = &mut supplies[s];
                supply.out = out;
                supply.into = match (supply.fed, body.on) {
                    (false, _) => 0.0,
                    (true, true) => (out + kind.supply.fixed) / kind.supply.gain,
                    (true, false) => kind.standby / f64::from(fed),
                };
                most = most.max(out);
                body.into += supply.into;
                if let Some(gear) = supply.gear.filter(|_| supply.fed) {
                    self.behind[usize::from(gear)][0] += supply.into;
                }
            }
            if body.on && most > kind.supply.capacity {
                overloaded.push(n);
            }
        }
        for n in &overloaded {
            self.bodies[*n].on = false;
            self.bodies[*n].wanted = false;
            self.tell(Thing::Body(*n as u32), Happened::Overloaded);
        }
        if !overloaded.is_empty() {
            return true;
        }
        for n in (0..self.gear.len()).rev() {
            let behind = self.behind[n];
            let (before, rest) = self.gear.split_at_mut(n);
            let piece = &mut rest[0];
            piece.draw(behind);
            let into = piece.into;
            let mut give = |to: GearId, part: f64| {
                for (sum, watts) in self.behind[usize::from(to)].iter_mut().zip(into) {
                    *sum += watts * part;
                }
            };
            match &piece.gear {
                Gear::Bus => {
                    let alive = |p: &&GearId| before[usize::from(**p)].live;
                    let living = piece.parents.iter().filter(alive).count() as f64;
                    piece.parents.iter().filter(alive).for_each(|p| give(*p, 1.0 / living));
                }
                Gear::Transfer { takes, .. } => piece
                    .parents
                    .get(usize::from(*takes))
                    .into_iter()
                    .for_each(|p| give(*p, 1.0)),
                _ => piece.parents.first().into_iter().for_each(|p| give(*p, 1.0)),
            }
        }
        false
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

    /// Lets one step pass with everything as it stands; says by how many kelvin anything changed, and whether something
    /// happened.
    fn pass(&mut self, seconds: f64) -> (f64, bool) {
        let mut happened = false;
        let mut moved = 0.0f64;
        for n in 0..self.gear.len() {
            let lost = self.gear[n].lost * seconds;
            match self.gear_air[n] {
                Some(air) => self.circuits[usize::from(air)].gain += lost,
                None => self.outside += lost,
            }
            if let Some(what) = self.gear[n].step(seconds) {
                self.tell(Thing::Gear(n as GearId), Happened::Gear(what));
                happened = true;
            }
        }
        let door_before = self.door.as_ref().map_or(0.0, |d| d.removed);
        for n in 0..self.bodies.len() {
            let (change, off) = self.pass_body(n, seconds);
            moved = moved.max(change);
            if off {
                let body = &mut self.bodies[n];
                body.too_hot = true;
                body.wanted = false;
                body.on = false;
                self.tell(Thing::Body(n as u32), Happened::TooHot);
                happened = true;
            }
        }
        if let Some(d) = &mut self.door {
            d.taking = (d.removed - door_before) / seconds;
        }
        self.set_flows();
        for c in &mut self.circuits {
            // gathered as joules; spread evenly over the step
            c.gain /= seconds;
            let before = (c.cold, c.hot);
            c.step(seconds);
            c.gain = 0.0;
            moved = moved.max((c.cold - before.0).abs()).max((c.hot - before.1).abs());
        }
        (moved, happened)
    }

    fn pass_body(&mut self, n: usize, seconds: f64) -> (f64, bool) {
        let body = &mut self.bodies[n];
        let kind = &self.kinds[usize::from(body.kind)];
        let first = body.chips as usize;
        let chips = &mut self.chips[first..first + usize::from(kind.cpus + kind.gpus)];
        let supplies = body.supplies as usize;
        for s in &mut self.supplies[supplies..supplies + usize::from(kind.supply.count)] {
            s.joules += s.into * seconds;
        }
        let room = &self.circuits[usize::from(body.air)];
        let mixed = room.cold + kind.recirculation * (room.hot - room.cold);
        let coolant = body.plates.map(|p| &self.circuits[usize::from(p)]);
        let around = Around {
            air: mixed,
            air_share: room.share(),
            coolant: coolant.map_or(mixed, |c| c.cold),
            coolant_share: coolant.map_or(1.0, Circuit::share),
        };
        let before = chips.iter().map(|c| c.die).fold(body.board, f64::max);
        let throttled = chips.iter().filter(|c| c.throttled).count();
        let lost = body.into - body.out;
        let gone = body.step(kind, chips, &self.demands[n], lost, &around, seconds);
        let after = chips.iter().map(|c| c.die).fold(body.board, f64::max);
        let off = body.watch(kind, chips);
        let turned = throttled != chips.iter().filter(|c| c.throttled).count();
        let mut to_air = gone.air;
        if let Some(door) = self.door.as_mut().filter(|d| d.works && kind.cooled != Cooled::Tank) {
            let stream = super::circuit::AIR * kind.air * body.flow(kind);
            let most = stream * (body.exhaust - door.water).max(0.0) * seconds;
            let taken = door.effectiveness * most;
            door.removed += taken;
            to_air -= taken;
        }
        self.circuits[usize::from(body.air)].gain += to_air;
        if let Some(loop_) = body.plates.or(body.pumps) {
            self.circuits[usize::from(loop_)].gain += gone.plates;
        }
        // a change of clocks is as good as a change of load
        let moved = (after - before).abs() + if turned { 10.0 * QUIET } else { 0.0 };
        (moved, off)
    }

    /// A room's air goes round as fast as its boxes move it; a loop's as its pumps do, while they have power.
    fn set_flows(&mut self) {
        for c in self.circuits.iter_mut().filter(|c| c.pumps.is_none()) {
            c.flow = 0.0;
        }
        for body in &self.bodies {
            let kind = &self.kinds[usize::from(body.kind)];
            if kind.cooled != Cooled::Tank {
                let stream = super::circuit::AIR * kind.air * body.flow(kind) * (1.0 - kind.recirculation);
                self.circuits[usize::from(body.air)].flow += stream;
            }
            if let Some(pumps) = body.pumps.and_then(|c| self.circuits[usize::from(c)].pumps.as_mut()) {
                pumps.fed = body.on;
            }
        }
    }
}

/// Share of the load that a supply takes.
fn share(supplies: &[Supply], n: usize, fed: u8, first: f64) -> f64 {
    if !supplies[n].fed {
        return 0.0;
    }
    let all = f64::from(fed);
    // the bias of the first is told for two; alone it takes all
    match (supplies[0].fed, n, fed) {
        (_, _, 1) => 1.0,
        (true, 0, _) => first,
        (true, ..) => (1.0 - first) / (all - 1.0),
        (false, ..) => 1.0 / all,
    }
}
