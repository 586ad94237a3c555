//! Sensors of a box (DSP0268 `Sensor`), and excerpts of them.

use serde_json::{Value, json};

use super::{fine, round};
use crate::emulated::Emulated;
use crate::physics::kinds::{Cooled, Kind};
use crate::physics::{BoxId, Quantity as Q, Unit};

/// Where a box's sensors are.
const SENSORS: &str = "/redfish/v1/Chassis/1/Sensors";
/// Joules of a kilowatt-hour.
pub(super) const JOULES_A_KWH: f64 = 3_600_000.0;

/// The sensors of a box, by their Redfish names.
pub(super) fn sensors(kind: &Kind) -> Vec<(String, Q)> {
    let mut all: Vec<(String, Q)> = vec![("Inlet".into(), Q::InletCelsius)];
    if kind.cpus > 0 {
        all.push(("CPU".into(), Q::CpuCelsius(0)));
    }
    if kind.cooled != Cooled::Tank {
        all.push(("Exhaust".into(), Q::ExhaustCelsius));
    }
    all.push(("TotalPower".into(), Q::TotalWatts));
    all.push(("TotalEnergy".into(), Q::TotalJoules));
    all.extend((1..kind.cpus).map(|n| (format!("CPU{n}"), Q::CpuCelsius(n))));
    if kind.dimms > 0.0 {
        all.push(("DIMM".into(), Q::DimmCelsius));
    }
    all.extend((0..kind.gpus).map(|n| (format!("GPU{n}"), Q::GpuCelsius(n))));
    all.extend((0..kind.gpus).map(|n| (format!("GPU{n}Power"), Q::GpuWatts(n))));
    if matches!(kind.cooled, Cooled::Plates(_)) {
        all.push(("CoolantSupply".into(), Q::CoolantSupplyCelsius));
        all.push(("CoolantReturn".into(), Q::CoolantReturnCelsius));
        all.push(("CoolantFlow".into(), Q::CoolantFlow));
    }
    all
}

/// Where a sensor that others quote is, and what it measures.
fn quoted(id: &str) -> Option<Q> {
    Some(match id {
        "Inlet" => Q::InletCelsius,
        "Exhaust" => Q::ExhaustCelsius,
        "TotalPower" => Q::TotalWatts,
        "TotalEnergy" => Q::TotalJoules,
        _ => return None,
    })
}

/// `ReadingType` of a sensor.
pub(super) fn kind_of(what: Q) -> &'static str {
    match what.unit() {
        Unit::Watts => "Power",
        Unit::Joules => "EnergykWh",
        Unit::LitresPerMinute => "LiquidFlowLPM",
        Unit::Rpm => "Rotational",
        _ => "Temperature",
    }
}

/// Where a sensor sits.
pub(super) fn context(what: Q) -> &'static str {
    match what {
        Q::InletCelsius => "Intake",
        Q::CpuCelsius(_) => "CPU",
        Q::ExhaustCelsius => "Exhaust",
        Q::DimmCelsius => "Memory",
        Q::GpuCelsius(_) => "GPU",
        Q::FanRpm(_) => "Fan",
        Q::CoolantSupplyCelsius => "LiquidInlet",
        Q::CoolantReturnCelsius => "LiquidOutlet",
        _ => "SystemBoard",
    }
}

/// What a sensor reads, in the unit that Redfish tells it in.
pub(super) fn read(rack: &Emulated, of: BoxId, what: Q) -> Option<f64> {
    let value = rack.sense(of, what)?;
    Some(match what.unit() {
        Unit::Joules => value / JOULES_A_KWH,
        _ => round(value),
    })
}

/// A sensor of a box.
pub(super) fn document(rack: &Emulated, of: BoxId, id: &str, what: Q) -> Value {
    let unit = if what.unit() == Unit::Joules {
        "kW.h"
    } else {
        what.unit().ucum()
    };
    json!({
        "@odata.type": "#Sensor.v1_8_0.Sensor",
        "Id": id, "Name": id, "Reading": read(rack, of, what), "ReadingType": kind_of(what),
        "ReadingUnits": unit, "PhysicalContext": context(what), "Status": fine(),
    })
}

/// What a sensor that is quoted elsewhere reads, and where it is.
pub(super) fn excerpt(rack: &Emulated, of: BoxId, id: &str) -> Value {
    let reading = quoted(id).and_then(|what| read(rack, of, what));
    json!({"DataSourceUri": format!("{SENSORS}/{id}"), "Reading": reading})
}

/// Adds readings to a document; what is not known is left out.
pub(super) fn tell(document: &mut Value, readings: impl IntoIterator<Item = (&'static str, Option<f64>)>) {
    for (name, reading) in readings {
        if let Some(reading) = reading {
            document[name] = json!({ "Reading": reading });
        }
    }
}
