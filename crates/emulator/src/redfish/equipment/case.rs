//! The enclosure of a coolant unit, a shelf, or a box that has nothing else to tell.

use serde_json::{Value, json};

use super::super::sensor::{self, excerpt, sensors};
use super::super::supply::Supplies;
use super::super::{at, collection, fine, round};
use crate::emulated::{Bmc, Emulated};
use crate::equipment::Job;
use crate::physics::Quantity as Q;

const C: &str = "/redfish/v1/Chassis/1";

pub(super) fn get(rack: &Emulated, i: usize, segments: &[&str]) -> Option<Value> {
    let it = &rack.equipment[i];
    let spec = &it.spec;
    let kind = spec.kind();
    let (count, watts) = spec.supplies();
    let fans = kind.map_or(0, |k| k.fans);
    let sense = |what| rack.sense(it.body, what);
    let supplies = Supplies {
        rack,
        bmc: Bmc::Equipment(i),
        body: it.body,
        name: if kind.is_some() { "PSU" } else { "Rectifier" },
        serial: &spec.serial,
        count,
        watts,
    };
    // of a shelf nothing is known but its power
    let own: Vec<(String, Q)> = match kind {
        Some(kind) => {
            let fans = (0..fans).map(|n| (format!("Fan{n}"), Q::FanRpm(n)));
            sensors(kind).into_iter().chain(fans).collect()
        }
        None => vec![
            ("TotalPower".into(), Q::TotalWatts),
            ("TotalEnergy".into(), Q::TotalJoules),
        ],
    };
    let segments = match segments {
        [] => return Some(collection("ChassisCollection", "Chassis", [C.to_string()])),
        ["1", rest @ ..] => rest,
        _ => return None,
    };
    Some(match segments {
        [] => {
            let mut chassis = json!({
                "@odata.type": "#Chassis.v1_26_0.Chassis",
                "Id": "1", "Name": spec.place, "Manufacturer": "Busbar", "Model": spec.model(),
                "ChassisType": if matches!(spec.job, Job::Shelf { .. }) { "Shelf" } else { "RackMount" },
                "SerialNumber": spec.serial, "Status": super::state(rack, i),
                "PowerState": if rack.is_on(it.body) { "On" } else { "Off" },
                "PowerSubsystem": at(format!("{C}/PowerSubsystem")), "Sensors": at(format!("{C}/Sensors")),
                "EnvironmentMetrics": at(format!("{C}/EnvironmentMetrics")),
                "Links": {"ManagedBy": [at("/redfish/v1/Managers/BMC")]},
            });
            if fans > 0 {
                chassis["ThermalSubsystem"] = at(format!("{C}/ThermalSubsystem"));
            }
            if matches!(spec.job, Job::Cooling { .. }) {
                chassis["LeakDetectors"] = at(format!("{C}/LeakDetectors"));
            }
            if matches!(spec.job, Job::Shelf { .. }) {
                chassis["Links"]["PowerDistribution"] = at("/redfish/v1/PowerEquipment/PowerShelves/1");
            }
            chassis
        }
        ["PowerSubsystem"] => json!({
            "@odata.type": "#PowerSubsystem.v1_1_0.PowerSubsystem",
            "Id": "PowerSubsystem", "Name": "Power Subsystem", "CapacityWatts": watts * f64::from(count),
            "Status": fine(), "PowerSupplies": at(format!("{C}/PowerSubsystem/PowerSupplies")),
        }),
        ["PowerSubsystem", "PowerSupplies", rest @ ..] => return supplies.get(rest),
        ["ThermalSubsystem"] if fans > 0 => json!({
            "@odata.type": "#ThermalSubsystem.v1_2_0.ThermalSubsystem",
            "Id": "ThermalSubsystem", "Name": "Thermal Subsystem", "Status": fine(),
            "Fans": at(format!("{C}/ThermalSubsystem/Fans")),
        }),
        ["ThermalSubsystem", "Fans"] if fans > 0 => collection(
            "FanCollection",
            "Fans",
            (0..fans).map(|n| format!("{C}/ThermalSubsystem/Fans/{n}")),
        ),
        ["ThermalSubsystem", "Fans", id] => {
            let n = id.parse::<u8>().ok().filter(|n| *n < fans)?;
            let rpm = sense(Q::FanRpm(n))?;
            // they are told to turn whenever the box is on
            let stands = rpm == 0.0 && sense(Q::FanPercent)? > 0.0;
            json!({
                "@odata.type": "#Fan.v1_5_0.Fan",
                "Id": id, "Name": format!("Fan {n}"),
                "Status": if stands { json!({"State": "Enabled", "Health": "Critical"}) } else { fine() },
                "SpeedPercent": {"Reading": round(rpm / kind?.fan_rpm * 100.0), "SpeedRPM": rpm},
            })
        }
        ["LeakDetectors", rest @ ..] => match &spec.job {
            Job::Cooling { moves, .. } => return super::cooling::detectors(rack, i, moves, rest),
            _ => return None,
        },
        ["EnvironmentMetrics"] => {
            let mut metrics = json!({
                "@odata.type": "#EnvironmentMetrics.v1_3_0.EnvironmentMetrics",
                "Id": "EnvironmentMetrics", "Name": "Environment Metrics",
                "PowerWatts": excerpt(rack, it.body, "TotalPower"), "EnergykWh": excerpt(rack, it.body, "TotalEnergy"),
            });
            if kind.is_some() {
                metrics["TemperatureCelsius"] = excerpt(rack, it.body, "Inlet");
            }
            metrics
        }
        ["Sensors"] => collection(
            "SensorCollection",
            "Sensors",
            own.iter().map(|(name, _)| format!("{C}/Sensors/{name}")),
        ),
        ["Sensors", id] => {
            let (_, what) = own.into_iter().find(|(name, _)| name == id)?;
            sensor::document(rack, it.body, id, what)
        }
        _ => return None,
    })
}
