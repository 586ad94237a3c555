//! What can be done to a plant from outside: by who runs it, and by bad luck.

use super::gear::{Gear, GearId};
use super::load::Trace;
use super::plant::{Happened, Plant, Thing};
use super::quantity::{BoxId, Readings};

/// Something that is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoSuch(pub String);

type Done = Result<(), NoSuch>;

/// Nobody opens a pipe wider than this, litres a minute.
pub const MOST_LEAK: f64 = 1000.0;

impl Plant {
    fn called(&self, name: &str) -> Result<Thing, NoSuch> {
        let found = self.find(name).and_then(|id| self.thing(id));
        found.ok_or_else(|| {
            NoSuch(format!(
                "there is no `{name}` in this rack; there are {}",
                self.some_names()
            ))
        })
    }

    /// A few names, for who got one wrong.
    pub fn some_names(&self) -> String {
        const MOST: usize = 24;
        let all: Vec<&str> = self.all().take(MOST).map(|id| self.name_of(id)).collect();
        let more = if self.things.len() > MOST { ", …" } else { "" };
        format!("{}{more}", all.join(", "))
    }

    fn body_called(&mut self, name: &str) -> Result<usize, NoSuch> {
        match self.called(name)? {
            Thing::Body(n) => Ok(n as usize),
            _ => Err(NoSuch(format!("`{name}` is no box with supplies"))),
        }
    }

    fn gear_called(&self, name: &str) -> Result<GearId, NoSuch> {
        match self.called(name)? {
            Thing::Gear(n) => Ok(n),
            _ => Err(NoSuch(format!("`{name}` is no electrical gear"))),
        }
    }

    /// The loop that goes by this name, or that the box of this name moves or drinks from; a room's air by the room's.
    fn circuit_called(&mut self, name: &str) -> Result<usize, NoSuch> {
        match self.called(name)? {
            Thing::Circuit(n) => Ok(usize::from(n)),
            Thing::Body(n) => {
                let body = &self.bodies[n as usize];
                let loop_ = body.pumps.or(body.plates);
                loop_
                    .map(usize::from)
                    .ok_or_else(|| NoSuch(format!("`{name}` has no coolant")))
            }
            Thing::Gear(_) => Err(NoSuch(format!("`{name}` has no coolant"))),
        }
    }

    /// Who starts this box: itself when its input is there, or whoever looks after it.
    pub fn starts_itself(&mut self, of: BoxId, itself: bool) {
        if let Some(Thing::Body(n)) = self.thing(of) {
            self.bodies[n as usize].comes_back = itself;
            self.touch();
        }
    }

    /// Switches a box on or off; on is forgotten while it has no input. A box that was too hot may try again.
    pub fn set_on(&mut self, of: BoxId, on: bool) {
        let Some(Thing::Body(n)) = self.thing(of) else { return };
        let body = &mut self.bodies[n as usize];
        let live = body.live || body.comes_back;
        if (body.wanted, body.on) == (on && live, on && live) && !(on && body.too_hot) {
            return;
        }
        body.wanted = on && live;
        body.on = body.wanted && body.live;
        body.too_hot &= !on;
        self.touch();
    }

    /// What runs on a box, as a load of its processors.
    pub fn set_base(&mut self, of: BoxId, load: f64) {
        let Some(Thing::Body(n)) = self.thing(of) else { return };
        let body = &mut self.bodies[n as usize];
        if body.base != load as f32 {
            body.base = load as f32;
            self.touch();
        }
    }

    /// What a box is asked to do, from now on.
    pub fn set_load(&mut self, of: BoxId, trace: Trace) {
        let now = self.now;
        let Some(Thing::Body(n)) = self.thing(of) else { return };
        let body = &mut self.bodies[n as usize];
        body.trace = trace;
        body.since = now;
        self.touch();
    }

    /// Caps a box's watts at the wall.
    pub fn set_cap(&mut self, of: BoxId, watts: Option<f64>) {
        let Some(Thing::Body(n)) = self.thing(of) else { return };
        self.bodies[n as usize].cap = watts;
        self.touch();
    }

    /// Caps one accelerator.
    pub fn set_gpu_cap(&mut self, of: BoxId, gpu: usize, watts: Option<f64>) {
        let Some((body, kind)) = self.body(of).zip(self.kind(of)) else {
            return;
        };
        if gpu < usize::from(kind.gpus) {
            let chip = body.chips as usize + usize::from(kind.cpus) + gpu;
            self.chips[chip].cap = watts;
            self.touch();
        }
    }

    /// Switches a PDU's outlet, from 0.
    pub fn set_outlet(&mut self, pdu: &str, outlet: usize, on: bool) -> Done {
        let id = self.gear_called(pdu)?;
        let all = self.outlets(id);
        let outlet = *all.get(outlet).ok_or_else(|| {
            NoSuch(format!(
                "`{pdu}` has outlets 1 to {}, none is {}",
                all.len(),
                outlet + 1
            ))
        })?;
        if let Gear::Outlet { on: was } = &mut self.gear[usize::from(outlet)].gear {
            *was = on;
        }
        self.touch();
        Ok(())
    }

    /// Pulls a box's power cable, or plugs it in where it belongs; supplies count from 0.
    pub fn pull_cable(&mut self, name: &str, supply: u8, pulled: bool) -> Done {
        let n = self.body_called(name)?;
        let body = &self.bodies[n];
        let count = self.kinds[usize::from(body.kind)].supply.count;
        if supply >= count {
            return Err(NoSuch(format!(
                "`{name}` has supplies 0 to {}, not {supply}",
                count - 1
            )));
        }
        let s = &mut self.supplies[body.supplies as usize + usize::from(supply)];
        s.gear = if pulled { None } else { s.home };
        self.touch();
        Ok(())
    }

    /// Breaks a supply of a box or a rectifier of a shelf, or makes it whole.
    pub fn fail_supply(&mut self, name: &str, supply: u8, failed: bool) -> Done {
        if let Thing::Gear(n) = self.called(name)? {
            return match &mut self.gear[usize::from(n)].gear {
                Gear::Shelf {
                    count, failed: bits, ..
                } if supply < *count => {
                    set_bit(bits, supply, failed);
                    self.touch();
                    Ok(())
                }
                _ => Err(NoSuch(format!("`{name}` has no rectifier {supply}"))),
            };
        }
        let n = self.body_called(name)?;
        let body = &self.bodies[n];
        if supply >= self.kinds[usize::from(body.kind)].supply.count {
            return Err(NoSuch(format!("`{name}` has no supply {supply}")));
        }
        self.supplies[body.supplies as usize + usize::from(supply)].failed = failed;
        self.touch();
        Ok(())
    }

    /// Stops a fan for good, or repairs it; all of them when none is named.
    pub fn fail_fan(&mut self, name: &str, fan: Option<u8>, failed: bool) -> Done {
        let n = self.body_called(name)?;
        let fans = self.kinds[usize::from(self.bodies[n].kind)].fans;
        if fan.is_some_and(|f| f >= fans) || fans == 0 {
            return Err(NoSuch(format!("`{name}` has {fans} fans, counted from 0")));
        }
        let bits = &mut self.bodies[n].fans_failed;
        let mask = fan.map_or((1u32 << fans) as u16 - 1, |f| 1 << f);
        *bits = if failed { *bits | mask } else { *bits & !mask };
        self.touch();
        Ok(())
    }

    /// Holds the fans of a box at a share of full speed, or lets them follow the heat.
    pub fn hold_fans(&mut self, name: &str, share: Option<f64>) -> Done {
        let n = self.body_called(name)?;
        self.bodies[n].fan_held = share.map(|s| s.clamp(0.0, 1.0) as f32);
        self.touch();
        Ok(())
    }

    /// Stops a pump, or lets it run; all of them when none is named.
    pub fn stop_pump(&mut self, name: &str, pump: Option<u8>, stopped: bool) -> Done {
        let n = self.circuit_called(name)?;
        let pumps = self.circuits[n].pumps.as_mut();
        let pumps = pumps.ok_or_else(|| NoSuch(format!("`{name}` has no pumps")))?;
        if pump.is_some_and(|p| p >= pumps.count) {
            return Err(NoSuch(format!("`{name}` has {} pumps, counted from 0", pumps.count)));
        }
        match pump {
            Some(p) => set_bit(&mut pumps.stopped, p, stopped),
            None => (0..pumps.count).for_each(|p| set_bit(&mut pumps.stopped, p, stopped)),
        }
        self.touch();
        Ok(())
    }

    /// Stops what cools a room, a loop or a tank, or lets it work again.
    pub fn stop_cooling(&mut self, name: &str, stopped: bool) -> Done {
        let n = self.circuit_called(name)?;
        self.circuits[n].cooler.works = !stopped;
        if stopped {
            self.circuits[n].cooler.open = 0.0;
        }
        self.touch();
        Ok(())
    }

    /// Opens a leak of so many litres a minute; at 0 it is mended and mopped up, and what was lost is filled in again.
    pub fn leak(&mut self, name: &str, litres_per_minute: f64) -> Done {
        let n = self.circuit_called(name)?;
        let circuit = &mut self.circuits[n];
        if circuit.pumps.is_none() {
            return Err(NoSuch(format!("`{name}` holds no liquid")));
        }
        circuit.leak.rate = litres_per_minute.clamp(0.0, MOST_LEAK);
        if litres_per_minute <= 0.0 {
            circuit.leak.gone = 0.0;
            circuit.fill_up();
        }
        self.touch();
        Ok(())
    }

    /// Trips a breaker, or closes it again; what has one goes by its name.
    pub fn trip(&mut self, name: &str, open: bool) -> Done {
        let id = self.gear_called(name)?;
        // a PDU's or a shelf's own breaker is the first one before it
        let breaker = self.breaker_of(id);
        let id = breaker.ok_or_else(|| NoSuch(format!("`{name}` has no breaker")))?;
        if let Gear::Breaker { tripped, heat, .. } = &mut self.gear[usize::from(id)].gear {
            *tripped = open;
            if !open {
                *heat = [0.0; 3];
            }
        }
        if open {
            self.tell(Thing::Gear(id), Happened::Gear("tripped"));
        }
        self.touch();
        Ok(())
    }

    /// The name of the breaker that trips for this piece of gear.
    pub fn breaker_before(&self, name: &str) -> Option<&str> {
        let breaker = self.breaker_of(self.gear_called(name).ok()?)?;
        Some(&self.gear[usize::from(breaker)].name)
    }

    fn breaker_of(&self, id: GearId) -> Option<GearId> {
        let piece = &self.gear[usize::from(id)];
        match piece.gear {
            Gear::Breaker { .. } => Some(id),
            _ => self.breaker_of(*piece.parents.first()?),
        }
    }

    /// Takes a source away, or brings it back.
    pub fn lose_feed(&mut self, name: &str, lost: bool) -> Done {
        let id = self.gear_called(name)?;
        let source = self.source_of(id);
        if let Gear::Source { on } = &mut self.gear[usize::from(source)].gear {
            *on = !lost;
        }
        self.touch();
        Ok(())
    }

    fn source_of(&self, id: GearId) -> GearId {
        match self.gear[usize::from(id)].parents.first() {
            Some(parent) => self.source_of(*parent),
            None => id,
        }
    }
}

fn set_bit(bits: &mut u8, n: u8, on: bool) {
    *bits = if on { *bits | 1 << n } else { *bits & !(1 << n) };
}
