//! The steady state of a hall whose loads don't change: every tray does a constant share of its work, which follows from
//! where it stands, and every reading follows from that by the same figures that the plant is calibrated by.
//!
//! It has no state, so a hall of any size costs nothing; what goes into a rack's shelves is what its boxes draw and what
//! the conversions lose.

use super::Kind;
use super::layout::{At, COMPUTE, Layout, RACK, SHELVES, SWITCHES};
use crate::config::Clock;
use crate::physics::quantity::{BoxId, Quantity, Readings};

/// Watts of an accelerator at rest and at full work.
const GPU: (f64, f64) = (75.0, 1200.0);
/// Watts of a processor.
const CPU: (f64, f64) = (60.0, 300.0);
/// Watts of a DPU, which its tray feeds.
const DPU: (f64, f64) = (45.0, 90.0);
/// Watts of a tray's other parts: adapters, drives, fans.
const REST: f64 = 250.0;
/// Watts of a switch tray.
const SWITCH: (f64, f64) = (700.0, 1300.0);
/// Rectifiers of a shelf.
const RECTIFIERS: f64 = 6.0;
/// Kelvin a watt between coolant and junction: 0.035 within the package, and the cold plate.
const GPU_KELVIN: f64 = 0.035 + 0.005;
const CPU_KELVIN: f64 = 0.1;
/// Maximum operating temperature of an accelerator.
const GPU_MOST: f64 = 87.0;
/// Coolant at the trays.
const SUPPLY: f64 = 30.0;
/// By which a tray at full work warms it.
const RISE: f64 = 10.0;
/// Air at the inlets.
const INLET: f64 = 24.0;
/// The bus bar, and the mains.
const BUS: f64 = 50.0;
const MAINS: f64 = 277.0;
/// Fans' speed at rest and at full work.
const FAN: (f64, f64) = (4_000.0, 9_000.0);

/// The hall.
pub struct Steady {
    layout: Layout,
    clock: Clock,
    since: rack::Time,
}

fn between(range: (f64, f64), share: f64) -> f64 {
    range.0 + (range.1 - range.0) * share
}

/// Behind the bus bar's converters: 48 V to 12 V loses 2 % and 13 W.
fn converted(watts: f64) -> f64 {
    (watts + 13.0) / 0.98
}

/// In front of a rectifier: 4 % and 17 W.
fn rectified(watts: f64) -> f64 {
    (watts + 17.0) / 0.96
}

/// The share of its work that a tray does: 0.3 to 0.95, the same for the DPUs in it.
fn work(at: At) -> f64 {
    let n = (at.tray().index.wrapping_mul(2_654_435_761) >> 16) % 1_000;
    0.3 + 0.65 * f64::from(n) / 999.0
}

/// Watts that a box draws; of a DPU, out of its tray's.
fn watts(at: At) -> f64 {
    let share = work(at);
    match at.kind {
        Kind::ComputeTray => {
            converted(4.0 * between(GPU, share) + 2.0 * between(CPU, share) + 2.0 * between(DPU, share) + REST)
        }
        Kind::Dpu => between(DPU, share),
        Kind::SwitchTray => converted(between(SWITCH, share)),
        Kind::PowerShelf => 0.0,
    }
}

impl Steady {
    /// A hall that began to draw power now.
    pub fn new(layout: Layout, clock: Clock) -> Steady {
        let since = clock();
        Steady { layout, clock, since }
    }

    /// Watts out of each shelf of a rack: they share alike.
    fn shelf(&self, rack: u32) -> f64 {
        let first = (rack - 1) * RACK;
        let boxes = (first..(first + RACK).min(self.layout.bmcs())).map(At::of);
        let drawn: f64 = boxes.filter(|at| at.kind != Kind::Dpu).map(watts).sum();
        drawn / f64::from(SHELVES)
    }
}

impl Readings for Steady {
    fn find(&self, name: &str) -> Option<BoxId> {
        self.layout.index_of(name).map(BoxId)
    }

    fn read(&self, of: BoxId, what: Quantity) -> Option<f64> {
        use Quantity::*;
        let at = At::of(of.0);
        let share = work(at);
        let (tray, shelf) = (at.kind == Kind::ComputeTray, at.kind == Kind::PowerShelf);
        let liquid = tray || at.kind == Kind::SwitchTray;
        let gpu = between(GPU, share);
        let chip = match at.kind {
            Kind::ComputeTray => gpu,
            _ => between(SWITCH, share) * 0.4,
        };
        let junction = SUPPLY + chip * GPU_KELVIN;
        let out = || self.shelf(at.rack) / RECTIFIERS;
        Some(match what {
            TotalWatts if shelf => rectified(out()) * RECTIFIERS,
            TotalWatts => watts(at),
            SupplyInputWatts(0..6) if shelf => rectified(out()),
            SupplyOutputWatts(0..6) if shelf => out(),
            SupplyInputVolts(0..6) if shelf => MAINS,
            SupplyInputAmps(0..6) if shelf => rectified(out()) / MAINS,
            BusVolts => BUS,
            BusAmps if shelf => out() * RECTIFIERS / BUS,
            BusAmps => watts(at) / BUS,
            CpuWatts(0..2) if tray => between(CPU, share),
            CpuCelsius(0..2) if tray => SUPPLY + between(CPU, share) * CPU_KELVIN,
            CpuCelsius(0) if at.kind == Kind::Dpu => INLET + between(DPU, share) * 0.5,
            CpuCelsius(0) if liquid => INLET + 25.0,
            GpuWatts(0..4) if tray => gpu,
            GpuCelsius(0..4) if tray => junction,
            GpuCelsius(0..2) if liquid => junction,
            GpuMemoryCelsius(0..4) if tray => junction + 3.0,
            GpuMarginKelvin(0..4) if tray => GPU_MOST - junction,
            GpuJoules(0..4) if tray => {
                let millis = (self.clock)().as_millis() - self.since.as_millis();
                gpu * millis.max(0) as f64 / 1e3
            }
            InletCelsius => INLET,
            FanRpm(0..8) => between(FAN, share).round(),
            FanPercent => between((30.0, 80.0), share).round(),
            WorkPercent => share * 100.0,
            CoolantSupplyCelsius if liquid => SUPPLY,
            CoolantReturnCelsius if liquid => SUPPLY + RISE * share,
            Leak(_) => 0.0,
            _ => return None,
        })
    }
}

// what the rack's figures count on
const _: () = assert!(COMPUTE == 18 && SWITCHES == 9);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use super::*;

    fn hall() -> Steady {
        Steady::new(Layout::of(2 * RACK).unwrap(), Arc::new(|| rack::Time::from_millis(0)))
    }

    #[test]
    fn what_shelves_take_is_what_boxes_draw_and_conversions_lose() {
        let hall = hall();
        let read = |at: At, q| hall.read(BoxId(at.index), q).unwrap();
        let boxes: Vec<At> = hall.layout.bays().take(RACK as usize).collect();
        let drawn: f64 = boxes
            .iter()
            .filter(|a| matches!(a.kind, Kind::ComputeTray | Kind::SwitchTray))
            .map(|a| read(*a, Quantity::TotalWatts))
            .sum();
        let shelves = boxes.iter().filter(|a| a.kind == Kind::PowerShelf);
        let (mut taken, mut given) = (0.0, 0.0);
        for shelf in shelves {
            taken += read(*shelf, Quantity::TotalWatts);
            given += (0..6)
                .map(|n| read(*shelf, Quantity::SupplyOutputWatts(n)))
                .sum::<f64>();
        }
        assert!((given - drawn).abs() < 1e-6 * drawn, "{given} {drawn}");
        let lost = (drawn + 17.0 * 48.0) / 0.96 - drawn;
        assert!((taken - given - lost).abs() < 1e-6 * drawn);
        assert!((60e3..132e3).contains(&taken), "a rack takes {taken} W");
    }

    #[test]
    fn every_blank_of_every_document_is_a_reading_that_is_there() {
        let hall = hall();
        for (at, text) in [
            (At::of(0), include_str!("compute-tray.json")),
            (At::of(1), include_str!("dpu.json")),
            (At::of(54), include_str!("switch-tray.json")),
            (At::of(63), include_str!("power-shelf.json")),
        ] {
            for word in text.split("{read.").skip(1) {
                let name = word.split('}').next().unwrap().replace("[n]", "0");
                let quantity = super::super::bay::quantity(&name).unwrap_or_else(|| panic!("{name}"));
                assert!(hall.read(BoxId(at.index), quantity).is_some(), "{:?} {name}", at.kind);
            }
        }
        crate::hall::Shapes::read().unwrap();
    }
}
