//! Who has voltage and who draws what: life goes down the electrical tree, and watts up it.

use super::gear::{Gear, GearId};
use super::plant::{Happened, Plant, Supply, Thing};

impl Plant {
    /// Who lives, and who draws what. Until nobody changes: a box that asks for too much goes off, which others see.
    pub(super) fn settle_power(&mut self) {
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
                // whoever has no power button is let out of what it shut itself off for by taking its power away
                if body.comes_back && body.too_hot {
                    (body.too_hot, body.wanted) = (false, true);
                }
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
