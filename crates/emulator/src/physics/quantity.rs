//! What a sensor can be asked of: the quantities of the physical model, and how they are asked for.
//!
//! A BMC's sensor is bound to a [`BoxId`] and a [`Quantity`]; what it answers is what [`Readings::read`] tells of them at
//! that moment, made into what a real sensor would tell of it by [`super::sensor`].

use std::fmt;

/// Something in a rack that has readings: a server, a tray, a power shelf, a PDU, a coolant unit, a room. Given by
/// [`Readings::find`], and the same for as long as the plant lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BoxId(pub u32);

/// What can be read of a box. Numbers count from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Quantity {
    /// Watts into the box: at its supplies, at a PDU's inlet, into a shelf, of a coolant unit's own pumps.
    TotalWatts,
    /// Watt-hours times 3,600 into the box since the start.
    TotalJoules,
    /// Watts into one supply, or into one rectifier of a shelf.
    SupplyInputWatts(u8),
    /// Watts out of it.
    SupplyOutputWatts(u8),
    /// Volts at its input, 0 without input.
    SupplyInputVolts(u8),
    /// Amps at its input.
    SupplyInputAmps(u8),
    /// Joules into one supply since the start.
    SupplyJoules(u8),
    /// 1 when a supply, or a rectifier of a shelf, has input and is not broken, else 0.
    SupplyWorks(u8),
    /// Volts behind the supplies: 12 in a server, 48-54 on a shelf's bus bar, 0 when it is dead.
    BusVolts,
    /// Amps behind the supplies.
    BusAmps,
    /// A processor's junction.
    CpuCelsius(u8),
    /// Its watts.
    CpuWatts(u8),
    /// An accelerator's junction.
    GpuCelsius(u8),
    /// Its watts.
    GpuWatts(u8),
    /// Its memory's junction.
    GpuMemoryCelsius(u8),
    /// Kelvin between an accelerator and its maximum operating temperature; negative beyond it.
    GpuMarginKelvin(u8),
    /// Joules into an accelerator since the start.
    GpuJoules(u8),
    /// The hottest memory module.
    DimmCelsius,
    /// Watts of all memory modules.
    DimmWatts,
    /// Air (or the tank's fluid) at the inlet.
    InletCelsius,
    /// Air at the outlet.
    ExhaustCelsius,
    /// Boards, drives and adapters: what is not a chip with a sink of its own.
    BoardCelsius,
    /// Air through the box, m³/s.
    AirFlow,
    /// One fan's speed.
    FanRpm(u8),
    /// The fans' speed that is asked for, 0 to 100 % of full.
    FanPercent,
    /// Share of full load that is really done, 0 to 100 %: what is asked for, less what caps and heat take away.
    WorkPercent,
    /// Coolant that comes to the box, or out of the coolant unit.
    CoolantSupplyCelsius,
    /// Coolant that leaves it, or comes back to the unit.
    CoolantReturnCelsius,
    /// Coolant through the box or the unit, l/min.
    CoolantFlow,
    /// Coolant's pressure behind the pumps, above the surroundings, kPa.
    CoolantPressure,
    /// Coolant in the loop, litres.
    CoolantLitres,
    /// Facility water that comes to a coolant unit.
    FacilitySupplyCelsius,
    /// Facility water that leaves it.
    FacilityReturnCelsius,
    /// One pump's speed.
    PumpRpm(u8),
    /// 1 when a pump would turn if it had power, 0 when it is broken or stopped.
    PumpWorks(u8),
    /// A leak detector: 0 dry, 1 moist (warning), 2 wet (critical).
    Leak(u8),
    /// Heat that leaves by a coolant unit, a rear door or a room's cooling, watts; of a box: heat into its coolant.
    HeatRemovedWatts,
    /// Watts at an outlet.
    OutletWatts(u16),
    /// Amps at an outlet.
    OutletAmps(u16),
    /// Volts at an outlet, 0 when it is dead.
    OutletVolts(u16),
    /// Joules through an outlet since the start.
    OutletJoules(u16),
    /// 1 when an outlet is live, else 0.
    OutletLive(u16),
    /// Amps of one phase at a PDU's or a feed's inlet.
    PhaseAmps(u8),
    /// Volts of one phase, 0 when it is dead.
    PhaseVolts(u8),
    /// Amps through a branch breaker.
    BranchAmps(u8),
    /// Heat memory of a branch breaker, 0 to 100 %: it trips at 100.
    BranchHeatPercent(u8),
    /// 1 when a branch breaker is closed, 0 when it has tripped.
    BranchClosed(u8),
    /// Charge of an uninterruptible supply's or a shelf's battery, 0 to 100 %.
    BatteryPercent,
}

/// What a reading counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    /// W.
    Watts,
    /// J.
    Joules,
    /// V.
    Volts,
    /// A.
    Amps,
    /// °C.
    Celsius,
    /// K, of differences.
    Kelvin,
    /// Revolutions a minute.
    Rpm,
    /// 0-100.
    Percent,
    /// l/min.
    LitresPerMinute,
    /// m³/s.
    CubicMetresPerSecond,
    /// kPa.
    Kilopascals,
    /// l.
    Litres,
    /// A state told as a number.
    State,
}

impl Unit {
    /// As Redfish spells it in `ReadingUnits` (UCUM, DSP0266 §9.1.6); joules are told as kilowatt-hours there.
    pub fn ucum(self) -> &'static str {
        match self {
            Unit::Watts => "W",
            Unit::Joules => "J",
            Unit::Volts => "V",
            Unit::Amps => "A",
            Unit::Celsius => "Cel",
            Unit::Kelvin => "K",
            Unit::Rpm => "{rev}/min",
            Unit::Percent => "%",
            Unit::LitresPerMinute => "L/min",
            Unit::CubicMetresPerSecond => "m3/s",
            Unit::Kilopascals => "kPa",
            Unit::Litres => "L",
            Unit::State => "",
        }
    }
}

impl Quantity {
    /// What it counts in.
    pub fn unit(self) -> Unit {
        use Quantity::*;
        match self {
            TotalWatts | SupplyInputWatts(_) | SupplyOutputWatts(_) | CpuWatts(_) | GpuWatts(_) | DimmWatts
            | HeatRemovedWatts | OutletWatts(_) => Unit::Watts,
            TotalJoules | SupplyJoules(_) | GpuJoules(_) | OutletJoules(_) => Unit::Joules,
            SupplyInputVolts(_) | BusVolts | PhaseVolts(_) | OutletVolts(_) => Unit::Volts,
            SupplyInputAmps(_) | BusAmps | OutletAmps(_) | PhaseAmps(_) | BranchAmps(_) => Unit::Amps,
            CpuCelsius(_)
            | GpuCelsius(_)
            | GpuMemoryCelsius(_)
            | DimmCelsius
            | InletCelsius
            | ExhaustCelsius
            | BoardCelsius
            | CoolantSupplyCelsius
            | CoolantReturnCelsius
            | FacilitySupplyCelsius
            | FacilityReturnCelsius => Unit::Celsius,
            GpuMarginKelvin(_) => Unit::Kelvin,
            FanRpm(_) | PumpRpm(_) => Unit::Rpm,
            FanPercent | WorkPercent | BranchHeatPercent(_) | BatteryPercent => Unit::Percent,
            CoolantFlow => Unit::LitresPerMinute,
            AirFlow => Unit::CubicMetresPerSecond,
            CoolantPressure => Unit::Kilopascals,
            CoolantLitres => Unit::Litres,
            Leak(_) | OutletLive(_) | BranchClosed(_) | SupplyWorks(_) | PumpWorks(_) => Unit::State,
        }
    }
}

impl Quantity {
    /// The quantity of this name: `GpuCelsius3`, and `GpuCelsius` for the first.
    pub fn named(text: &str) -> Option<Quantity> {
        use Quantity::*;
        let plain = [
            TotalWatts,
            TotalJoules,
            BusVolts,
            BusAmps,
            DimmCelsius,
            DimmWatts,
            InletCelsius,
            ExhaustCelsius,
            BoardCelsius,
            AirFlow,
            FanPercent,
            WorkPercent,
            CoolantSupplyCelsius,
            CoolantReturnCelsius,
            CoolantFlow,
            CoolantPressure,
            CoolantLitres,
            FacilitySupplyCelsius,
            FacilityReturnCelsius,
            HeatRemovedWatts,
            BatteryPercent,
        ];
        let counted: [fn(u16) -> Quantity; 27] = [
            |n| SupplyInputWatts(n as u8),
            |n| SupplyOutputWatts(n as u8),
            |n| SupplyInputVolts(n as u8),
            |n| SupplyInputAmps(n as u8),
            |n| SupplyJoules(n as u8),
            |n| SupplyWorks(n as u8),
            |n| CpuCelsius(n as u8),
            |n| CpuWatts(n as u8),
            |n| GpuCelsius(n as u8),
            |n| GpuWatts(n as u8),
            |n| GpuMemoryCelsius(n as u8),
            |n| GpuMarginKelvin(n as u8),
            |n| GpuJoules(n as u8),
            |n| FanRpm(n as u8),
            |n| PumpRpm(n as u8),
            |n| PumpWorks(n as u8),
            |n| Leak(n as u8),
            |n| PhaseAmps(n as u8),
            |n| PhaseVolts(n as u8),
            |n| BranchAmps(n as u8),
            |n| BranchHeatPercent(n as u8),
            |n| BranchClosed(n as u8),
            OutletWatts,
            OutletAmps,
            OutletVolts,
            OutletJoules,
            OutletLive,
        ];
        let word = text.trim_end_matches(|c: char| c.is_ascii_digit());
        let n = if word == text {
            0
        } else {
            text[word.len()..].parse().ok()?
        };
        let counted = counted.into_iter().map(|make| make(n));
        plain
            .into_iter()
            .filter(|q| q.to_string() == text)
            .chain(counted.filter(|q| q.to_string() == format!("{word}{n}")))
            .next()
    }
}

impl fmt::Display for Quantity {
    /// Its name and number, as `--json` and fault files spell it: `GpuCelsius3`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{self:?}");
        f.write_str(&text.replace(['(', ')'], ""))
    }
}

/// What can be read of a plant, at the moment that it stands at.
pub trait Readings {
    /// The box with this name: `r1/u3`, `pdu-a`, `r1/cdu`.
    fn find(&self, name: &str) -> Option<BoxId>;
    /// The true value; `None` when the box has no such thing.
    fn read(&self, of: BoxId, what: Quantity) -> Option<f64>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantity_has_a_name_and_a_unit() {
        assert_eq!(Quantity::GpuCelsius(3).to_string(), "GpuCelsius3");
        assert_eq!(Quantity::InletCelsius.to_string(), "InletCelsius");
        for q in [
            Quantity::GpuCelsius(3),
            Quantity::InletCelsius,
            Quantity::BranchClosed(200),
        ] {
            assert_eq!(Quantity::named(&q.to_string()), Some(q));
        }
        assert_eq!(Quantity::named("FanRpm"), Some(Quantity::FanRpm(0)));
        assert_eq!(Quantity::named("Colour"), None);
        assert_eq!(Quantity::CoolantFlow.unit().ucum(), "L/min");
    }
}
