//! A coolant unit (DSP0268 `CoolingUnit`): what it moves, what it takes the heat to, its pumps, its fill, and whether it
//! leaks. Flow of the facility's water is not told: the plant's exchanger knows what it is rated for, not what flows.

use serde_json::{Value, json};

use super::super::sensor::{excerpt, tell};
use super::super::{at, collection, fine, round};
use crate::describe::{Fluid, Loop};
use crate::emulated::{Bmc, Emulated};
use crate::physics::Quantity as Q;
use crate::physics::circuit::PUMP_RPM;

const U: &str = "/redfish/v1/ThermalEquipment/CDUs/1";
const DETECTORS: &str = "/redfish/v1/Chassis/1/LeakDetectors";
/// Shares of its capacity below which its level is a warning, and critical: at 70 % the pumps begin to draw air.
const LOW: (f64, f64) = (90.0, 70.0);

pub(super) fn get(rack: &Emulated, i: usize, moves: &Loop, segments: &[&str]) -> Option<Value> {
    let it = &rack.equipment[i];
    let spec = &it.spec;
    let sense = |what| rack.sense(it.body, what);
    // hundredths, as sensors of coolant have
    let celsius = |what| sense(what).map(|v: f64| (v * 100.0).round() / 100.0);
    Some(match segments {
        [] => json!({
            "@odata.type": "#ThermalEquipment.v1_0_0.ThermalEquipment",
            "Id": "ThermalEquipment", "Name": "Thermal Equipment", "Status": fine(),
            "CDUs": at("/redfish/v1/ThermalEquipment/CDUs"),
        }),
        ["CDUs"] => collection("CoolingUnitCollection", "Coolant Distribution Units", [U.to_string()]),
        ["CDUs", "1"] => {
            let mut unit = json!({
                "@odata.type": "#CoolingUnit.v1_1_0.CoolingUnit",
                "Id": "1", "Name": spec.place, "EquipmentType": "CDU", "Manufacturer": "Busbar", "Model": spec.model(),
                "SerialNumber": spec.serial, "Status": super::state(rack, i), "Coolant": coolant(moves.fluid),
                "FirmwareVersion": super::super::update::version(rack, Bmc::Equipment(i), "BMC"),
                "Links": {
                    "Chassis": [at("/redfish/v1/Chassis/1")], "ManagedBy": [at("/redfish/v1/Managers/BMC")],
                },
            });
            let parts = [
                "PrimaryCoolantConnectors",
                "SecondaryCoolantConnectors",
                "Pumps",
                "LeakDetection",
                "Reservoirs",
                "EnvironmentMetrics",
            ];
            for part in parts {
                unit[part] = at(format!("{U}/{part}"));
            }
            unit
        }
        [
            "CDUs",
            "1",
            side @ ("PrimaryCoolantConnectors" | "SecondaryCoolantConnectors"),
        ] => collection(
            "CoolantConnectorCollection",
            "Coolant Connectors",
            [format!("{U}/{side}/1")],
        ),
        ["CDUs", "1", "PrimaryCoolantConnectors", "1"] => {
            let mut water = connector("Facility water", Fluid::Water, moves.water_flow);
            let readings = [
                ("SupplyTemperatureCelsius", celsius(Q::FacilitySupplyCelsius)),
                ("ReturnTemperatureCelsius", celsius(Q::FacilityReturnCelsius)),
                ("HeatRemovedkW", sense(Q::HeatRemovedWatts).map(|w| w / 1000.0)),
            ];
            tell(&mut water, readings);
            water
        }
        ["CDUs", "1", "SecondaryCoolantConnectors", "1"] => {
            let mut to_boxes = connector(&moves.name, moves.fluid, moves.litres_per_minute);
            let readings = [
                ("SupplyTemperatureCelsius", celsius(Q::CoolantSupplyCelsius)),
                ("ReturnTemperatureCelsius", celsius(Q::CoolantReturnCelsius)),
                ("FlowLitersPerMinute", sense(Q::CoolantFlow).map(round)),
                ("SupplyPressurekPa", sense(Q::CoolantPressure).map(round)),
            ];
            tell(&mut to_boxes, readings);
            to_boxes
        }
        ["CDUs", "1", "Pumps"] => collection(
            "PumpCollection",
            "Pumps",
            (0..moves.pumps).map(|n| format!("{U}/Pumps/{n}")),
        ),
        ["CDUs", "1", "Pumps", id] => {
            let n = id.parse::<u8>().ok().filter(|n| *n < moves.pumps)?;
            let rpm = sense(Q::PumpRpm(n))?;
            let works = sense(Q::PumpWorks(n))? > 0.5;
            json!({
                "@odata.type": "#Pump.v1_0_0.Pump",
                "Id": id, "Name": format!("Pump {n}"), "PumpType": "Liquid",
                "Status": if works { fine() } else { json!({"State": "UnavailableOffline", "Health": "Critical"}) },
                "PumpSpeedPercent": {"Reading": round(rpm / PUMP_RPM * 100.0), "SpeedRPM": rpm},
            })
        }
        ["CDUs", "1", "LeakDetection"] => json!({
            "@odata.type": "#LeakDetection.v1_2_0.LeakDetection",
            "Id": "LeakDetection", "Name": "Leak Detection", "Status": fine(),
            "LeakDetectorGroups": [{
                "GroupName": moves.name, "Status": {"State": "Enabled", "Health": leak(rack, i)?},
                "Detectors": [{"DataSourceUri": detector(), "DetectorState": leak(rack, i)?}],
            }],
        }),
        ["CDUs", "1", "Reservoirs"] => collection("ReservoirCollection", "Reservoirs", [format!("{U}/Reservoirs/1")]),
        ["CDUs", "1", "Reservoirs", "1"] => {
            let percent = round(sense(Q::CoolantLitres)? / moves.litres * 100.0);
            let level = match percent {
                p if p < LOW.1 => "Critical",
                p if p < LOW.0 => "Warning",
                _ => "OK",
            };
            let tank = moves.fluid == Fluid::Immersion;
            json!({
                "@odata.type": "#Reservoir.v1_0_0.Reservoir",
                "Id": "1", "Name": format!("Fill of {}", moves.name), "Coolant": coolant(moves.fluid),
                "ReservoirType": if tank { "Immersion" } else { "Inline" }, "CapacityLiters": moves.litres,
                "FluidLevelStatus": level, "FluidLevelPercent": {"Reading": percent},
                "Status": {"State": "Enabled", "Health": level},
            })
        }
        ["CDUs", "1", "EnvironmentMetrics"] => json!({
            "@odata.type": "#EnvironmentMetrics.v1_3_0.EnvironmentMetrics",
            "Id": "EnvironmentMetrics", "Name": "Environment Metrics",
            "TemperatureCelsius": excerpt(rack, it.body, "Inlet"), "PowerWatts": excerpt(rack, it.body, "TotalPower"),
            "EnergykWh": excerpt(rack, it.body, "TotalEnergy"),
        }),
        _ => return None,
    })
}

fn detector() -> String {
    format!("{DETECTORS}/0")
}

/// `OK`, `Warning` or `Critical`.
fn leak(rack: &Emulated, i: usize) -> Option<&'static str> {
    let told = rack.sense(rack.equipment[i].body, Q::Leak(0))?;
    Some(match told {
        wet if wet > 1.5 => "Critical",
        moist if moist > 0.5 => "Warning",
        _ => "OK",
    })
}

/// The rope under the loop, which the schema has in the chassis: what is below `…/LeakDetectors`.
pub(super) fn detectors(rack: &Emulated, i: usize, moves: &Loop, segments: &[&str]) -> Option<Value> {
    Some(match segments {
        [] => collection("LeakDetectorCollection", "Leak Detectors", [detector()]),
        ["0"] => {
            let state = leak(rack, i)?;
            json!({
                "@odata.type": "#LeakDetector.v1_2_0.LeakDetector",
                "Id": "0", "Name": format!("Rope under {}", moves.name), "LeakDetectorType": "Moisture",
                "DetectorState": state, "Status": {"State": "Enabled", "Health": state},
            })
        }
        _ => return None,
    })
}

/// A pair of pipes, without readings.
fn connector(name: &str, fluid: Fluid, rated: f64) -> Value {
    json!({
        "@odata.type": "#CoolantConnector.v1_0_0.CoolantConnector",
        "Id": "1", "Name": name, "Status": fine(), "CoolantConnectorType": "Pair", "Coolant": coolant(fluid),
        "RatedFlowLitersPerMinute": rated,
    })
}

fn coolant(fluid: Fluid) -> Value {
    match fluid {
        Fluid::Water => json!({"CoolantType": "Water"}),
        Fluid::Pg25 => json!({"CoolantType": "Water", "AdditiveName": "Propylene glycol", "AdditivePercent": 25}),
        Fluid::Immersion => json!({"CoolantType": "Dielectric"}),
    }
}
