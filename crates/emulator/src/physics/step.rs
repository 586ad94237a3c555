//! One step of a plant: what everything drew while it lasted becomes heat, and goes where it goes.

use super::body::Around;
use super::circuit::{AIR, Circuit};
use super::gear::GearId;
use super::kinds::Cooled;
use super::plant::{Happened, Plant, QUIET, Thing};

impl Plant {
    /// Lets one step pass with everything as it stands; says by how many kelvin anything changed, and whether something
    /// happened.
    pub(super) fn pass(&mut self, seconds: f64) -> (f64, bool) {
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
            let stream = AIR * kind.air * body.flow(kind);
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
                let stream = AIR * kind.air * body.flow(kind) * (1.0 - kind.recirculation);
                self.circuits[usize::from(body.air)].flow += stream;
            }
            if let Some(pumps) = body.pumps.and_then(|c| self.circuits[usize::from(c)].pumps.as_mut()) {
                pumps.fed = body.on;
            }
        }
    }
}
