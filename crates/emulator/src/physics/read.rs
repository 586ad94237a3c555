//! What can be read of a plant: the true values, before any sensor.

use super::body::Body;
use super::circuit::{AIR, Circuit};
use super::gear::{Gear, GearId, Piece};
use super::kinds::{Cooled, Kind};
use super::plant::{Plant, Thing};
use super::quantity::{BoxId, Quantity, Readings};

/// Behind a server's supplies.
const INNER_VOLTS: f64 = 12.0;
/// On a shelf's bus bar.
const BAR_VOLTS: f64 = 50.0;
/// Behind the pumps at full speed.
const PRESSURE: f64 = 250.0;

impl Readings for Plant {
    fn find(&self, name: &str) -> Option<BoxId> {
        self.names.get(name).copied()
    }

    fn read(&self, of: BoxId, what: Quantity) -> Option<f64> {
        match self.thing(of)? {
            Thing::Body(n) => self.read_body(of, self.bodies.get(n as usize)?, what),
            Thing::Gear(n) => self.read_gear(n, what),
            Thing::Circuit(n) => self.read_circuit(self.circuits.get(usize::from(n))?, what),
        }
    }
}

impl Plant {
    /// The volts at a supply's input.
    fn input_volts(&self, gear: Option<GearId>) -> f64 {
        gear.map(|g| &self.gear[usize::from(g)])
            .filter(|p| p.live)
            .map_or(0.0, |p| match p.gear {
                Gear::Bus | Gear::Shelf { .. } => BAR_VOLTS,
                _ => p.volts,
            })
    }

    fn read_body(&self, of: BoxId, body: &Body, what: Quantity) -> Option<f64> {
        use Quantity::*;
        let kind = &self.kinds[usize::from(body.kind)];
        let supply = |n: u8| self.supplies(of).get(usize::from(n));
        let chips = self.chips(of);
        let cpu = |n: u8| chips.get(usize::from(n)).filter(|_| n < kind.cpus);
        let gpu = |n: u8| {
            chips
                .get(usize::from(kind.cpus) + usize::from(n))
                .filter(|_| n < kind.gpus)
        };
        let loop_ = body.plates.or(body.pumps).map(|c| &self.circuits[usize::from(c)]);
        let busy = (body.load(self.now) + f64::from(body.base)).clamp(0.0, 1.0);
        let powered = f64::from(u8::from(body.on));
        match what {
            TotalWatts => Some(body.into),
            TotalJoules => Some(body.joules),
            SupplyInputWatts(n) => supply(n).map(|s| s.into),
            SupplyOutputWatts(n) => supply(n).map(|s| s.out),
            SupplyInputVolts(n) => supply(n).map(|s| if s.failed { 0.0 } else { self.input_volts(s.gear) }),
            SupplyInputAmps(n) => supply(n).map(|s| s.into / self.input_volts(s.gear).max(1.0)),
            SupplyJoules(n) => supply(n).map(|s| s.joules),
            SupplyWorks(n) => supply(n).map(|s| f64::from(u8::from(s.fed))),
            BusVolts => Some(INNER_VOLTS * f64::from(u8::from(body.live))),
            BusAmps => Some(body.out / INNER_VOLTS),
            CpuCelsius(n) => cpu(n).map(|c| c.die),
            CpuWatts(n) => cpu(n).map(|c| c.watts),
            GpuCelsius(n) => gpu(n).map(|c| c.die),
            GpuWatts(n) => gpu(n).map(|c| c.watts),
            GpuJoules(n) => gpu(n).map(|c| c.joules),
            GpuMarginKelvin(n) => gpu(n).map(|c| kind.gpu.most - c.die),
            GpuMemoryCelsius(n) => gpu(n)
                .filter(|_| kind.gpu.memory > 0.0)
                .map(|c| c.die + kind.gpu.memory * c.watts),
            DimmCelsius => (kind.dimms > 0.0).then(|| body.board + 0.15 * self.dimm_watts(kind, busy, powered) / 4.0),
            DimmWatts => (kind.dimms > 0.0).then(|| self.dimm_watts(kind, busy, powered)),
            InletCelsius => Some(body.inlet),
            ExhaustCelsius => (kind.cooled != Cooled::Tank).then_some(body.exhaust),
            BoardCelsius => Some(body.board),
            AirFlow => (kind.cooled != Cooled::Tank).then(|| kind.air * body.flow(kind)),
            FanRpm(n) if n < kind.fans => Some(match body.fans_failed >> n & 1 {
                0 => body.fan * kind.fan_rpm,
                _ => 0.0,
            }),
            FanPercent if kind.fans > 0 => Some(body.fan * 100.0),
            WorkPercent => Some(body.work * 100.0),
            CoolantSupplyCelsius => loop_.map(|c| c.cold),
            CoolantReturnCelsius => loop_.map(|c| match body.pumps {
                Some(_) => c.hot,
                None => c.cold + body.to_plates / (self.plate_flow(kind, c) / 60.0 * c.heat).max(1e-9),
            }),
            CoolantFlow => loop_.map(|c| match body.pumps {
                Some(_) => c.flow / c.heat * 60.0,
                None => self.plate_flow(kind, c),
            }),
            HeatRemovedWatts if body.pumps.is_none() => loop_.map(|_| body.to_plates),
            CoolantPressure
            | CoolantLitres
            | FacilitySupplyCelsius
            | FacilityReturnCelsius
            | PumpRpm(_)
            | PumpWorks(_)
            | HeatRemovedWatts
                if body.pumps.is_some() =>
            {
                loop_.and_then(|c| self.read_circuit(c, what))
            }
            Leak(0) => loop_.map(|c| f64::from(c.detector())),
            _ => None,
        }
    }

    /// Litres a minute through one box's plates.
    fn plate_flow(&self, kind: &Kind, c: &Circuit) -> f64 {
        match kind.cooled {
            Cooled::Plates(litres) => litres * c.share(),
            _ => 0.0,
        }
    }

    fn dimm_watts(&self, kind: &Kind, busy: f64, powered: f64) -> f64 {
        powered * (kind.dimms + kind.dimms_load * busy)
    }

    fn read_circuit(&self, c: &Circuit, what: Quantity) -> Option<f64> {
        use Quantity::*;
        let moved = c.flow / c.heat;
        Some(match what {
            InletCelsius if c.pumps.is_none() => c.cold,
            ExhaustCelsius if c.pumps.is_none() => c.hot,
            AirFlow if c.heat == AIR => moved,
            CoolantSupplyCelsius => c.cold,
            CoolantReturnCelsius => c.hot,
            CoolantFlow if c.pumps.is_some() => moved * 60.0,
            CoolantLitres if c.pumps.is_some() => c.litres(),
            CoolantPressure => {
                let p = c.pumps.as_ref()?;
                PRESSURE * c.share().powi(2).min(1.0) * f64::from(u8::from(p.speed > 0.01))
            }
            PumpRpm(n) => {
                let p = c.pumps.as_ref().filter(|p| n < p.count)?;
                if p.stopped >> n & 1 == 1 { 0.0 } else { p.rpm * p.speed }
            }
            PumpWorks(n) => {
                let p = c.pumps.as_ref().filter(|p| n < p.count)?;
                f64::from(1 - (p.stopped >> n & 1))
            }
            FacilitySupplyCelsius => c.cooler.water,
            FacilityReturnCelsius => c.water_return(),
            HeatRemovedWatts => c.cooler.taking,
            Leak(0) => f64::from(c.detector()),
            _ => return None,
        })
    }

    /// Whether a piece of gear has voltage before it, or whatever it feeds has: a bus bar that others feed too.
    pub fn has_voltage(&self, of: BoxId) -> bool {
        let Some(Thing::Gear(id)) = self.thing(of) else {
            return false;
        };
        let behind = |p: &Piece| p.live && p.parents.contains(&id);
        self.gear.get(usize::from(id)).is_some_and(|p| p.fed) || self.gear.iter().any(behind)
    }

    /// Whether a piece of gear has voltage behind it.
    pub fn gives(&self, of: BoxId) -> bool {
        let Some(Thing::Gear(id)) = self.thing(of) else {
            return false;
        };
        self.gear.get(usize::from(id)).is_some_and(|p| p.live)
    }

    /// A PDU's outlets.
    pub fn outlets(&self, of: GearId) -> &[GearId] {
        self.behind_pdu.get(&of).map_or(&[], |b| &b.0)
    }

    /// A PDU's branch breakers.
    pub fn branches(&self, of: GearId) -> &[GearId] {
        self.behind_pdu.get(&of).map_or(&[], |b| &b.1)
    }

    fn read_gear(&self, id: GearId, what: Quantity) -> Option<f64> {
        use Quantity::*;
        let piece = self.gear.get(usize::from(id))?;
        let nth = |all: &[GearId], n: u16| all.get(usize::from(n)).map(|g| &self.gear[usize::from(*g)]);
        let outlet = |n| nth(self.outlets(id), n);
        let branch = |n: u8| nth(self.branches(id), n.into());
        let most_amps = |p: &Piece| (0..3).map(|n| p.amps(n)).fold(0.0, f64::max);
        match what {
            TotalWatts => Some(piece.watts()),
            TotalJoules => Some(piece.joules),
            PhaseAmps(n) if piece.phases.has(n) => Some(piece.amps(usize::from(n))),
            PhaseVolts(n) if piece.phases.has(n) => Some(if piece.fed { piece.volts } else { 0.0 }),
            OutletWatts(n) => outlet(n).map(Piece::watts),
            OutletAmps(n) => outlet(n).map(|p| p.watts() / p.volts),
            OutletVolts(n) => outlet(n).map(|p| if p.live { p.volts } else { 0.0 }),
            OutletJoules(n) => outlet(n).map(|p| p.joules),
            OutletLive(n) => outlet(n).map(|p| f64::from(u8::from(p.live))),
            BranchAmps(n) => branch(n).map(most_amps),
            BranchHeatPercent(n) => branch(n).and_then(|p| match &p.gear {
                Gear::Breaker { heat, .. } => Some(heat.iter().fold(0.0, |a: f64, b| a.max(*b)) * 100.0),
                _ => None,
            }),
            BranchClosed(n) => branch(n).and_then(|p| match p.gear {
                Gear::Breaker { tripped, .. } => Some(f64::from(u8::from(!tripped))),
                _ => None,
            }),
            BatteryPercent => piece.battery().map(|b| b.joules / b.full * 100.0),
            _ => self.read_shelf(piece, what),
        }
    }

    fn read_shelf(&self, piece: &Piece, what: Quantity) -> Option<f64> {
        use Quantity::*;
        let Gear::Shelf { count, failed, .. } = &piece.gear else {
            return None;
        };
        let working = f64::from(u32::from(*count) - failed.count_ones()).max(1.0);
        let works = |n: u8| n < *count && failed >> n & 1 == 0 && piece.live;
        match what {
            SupplyInputWatts(n) if n < *count => Some(if works(n) { piece.watts() / working } else { 0.0 }),
            SupplyOutputWatts(n) if n < *count => Some(if works(n) { piece.out / working } else { 0.0 }),
            SupplyWorks(n) if n < *count => Some(f64::from(u8::from(piece.fed && failed >> n & 1 == 0))),
            SupplyInputVolts(n) if n < *count => Some(if piece.fed { piece.volts } else { 0.0 }),
            SupplyInputAmps(n) if n < *count => Some(if works(n) {
                piece.watts() / working / piece.volts
            } else {
                0.0
            }),
            BusVolts => Some(if piece.live { BAR_VOLTS } else { 0.0 }),
            BusAmps => Some(piece.out / BAR_VOLTS),
            _ => None,
        }
    }
}
