//! The enclosure: power, heat, fans, drives, adapters, PCIe devices. Every figure comes from one state.

use serde_json::{Value, json};

use super::{at, collection, fine, round};
use crate::emulated::{Bmc, Emulated, View};
use crate::layout::ServerSpec;
use crate::model::{FAN_RPM, Power};

const C: &str = "/redfish/v1/Chassis/1";
/// Fans of a server.
const FANS: usize = 4;
/// Watts that a supply can give.
const CAPACITY: u32 = 2400;
const SENSORS: [&str; 5] = ["Inlet", "CPU", "Exhaust", "TotalPower", "TotalEnergy"];

fn sensor(view: &View, id: &str) -> Option<(f64, &'static str, &'static str)> {
    let watts = view.draw.total();
    Some(match id {
        "Inlet" => (view.physics.inlet, "Temperature", "Cel"),
        "CPU" => (view.physics.cpu, "Temperature", "Cel"),
        "Exhaust" => (view.physics.exhaust(watts), "Temperature", "Cel"),
        "TotalPower" => (watts, "Power", "W"),
        "TotalEnergy" => (
            view.physics.joules.iter().sum::<f64>() / 3_600_000.0,
            "EnergykWh",
            "kW.h",
        ),
        _ => return None,
    })
}

fn excerpt(view: &View, id: &str) -> Value {
    let reading = sensor(view, id).map(|s| round(s.0));
    json!({"DataSourceUri": format!("{C}/Sensors/{id}"), "Reading": reading})
}

pub(super) fn get(rack: &Emulated, i: usize, segments: &[&str]) -> Option<Value> {
    let spec = &rack.servers[i].spec;
    if !matches!(segments, [] | ["1", ..]) {
        return None;
    }
    let view = rack.view(i);
    let below = |n: &str, count: usize| n.parse::<usize>().ok().filter(|n| *n < count);
    let rpm = (view.physics.fan * FAN_RPM).round() as u64;
    Some(match segments.get(1..).unwrap_or_default() {
        [] if segments.is_empty() => collection("ChassisCollection", "Chassis", [C.to_string()]),
        [] => {
            let mut chassis = json!({
                "@odata.type": "#Chassis.v1_23_0.Chassis",
                "Id": "1", "Name": spec.place, "ChassisType": "RackMount", "Manufacturer": "Busbar",
                "Model": spec.model(), "SerialNumber": spec.serial, "AssetTag": view.tag,
                "LocationIndicatorActive": view.led,
                "PowerState": if view.power == Power::Off { "Off" } else { "On" }, "Status": fine(),
                "Links": {
                    "ComputerSystems": [at("/redfish/v1/Systems/1")],
                    "ManagedBy": [at("/redfish/v1/Managers/BMC")],
                },
            });
            let parts = [
                "Power",
                "Thermal",
                "PowerSubsystem",
                "ThermalSubsystem",
                "Sensors",
                "EnvironmentMetrics",
                "NetworkAdapters",
                "Drives",
                "PCIeDevices",
            ];
            for part in parts {
                chassis[part] = at(format!("{C}/{part}"));
            }
            chassis
        }
        ["Power"] => json!({
            "@odata.type": "#Power.v1_7_0.Power",
            "Id": "Power", "Name": "Power",
            "PowerControl": [{
                "@odata.id": format!("{C}/Power#/PowerControl/0"), "MemberId": "0", "Name": "System Power",
                "PowerConsumedWatts": round(view.draw.total()), "PowerCapacityWatts": CAPACITY * 2, "Status": fine(),
                "PowerLimit": {"LimitInWatts": view.physics.cap, "LimitException": "NoAction"},
            }],
            "PowerSupplies": (0..2).map(|n| json!({
                "@odata.id": format!("{C}/Power#/PowerSupplies/{n}"), "MemberId": n.to_string(),
                "Name": format!("PSU {n}"), "PowerCapacityWatts": CAPACITY, "PowerInputWatts": round(view.draw.input[n]),
                "LineInputVoltage": if view.fed[n] { 230 } else { 0 }, "SerialNumber": format!("{}P{n}", spec.serial),
                "Status": health(view.fed[n]),
            })).collect::<Vec<_>>(),
        }),
        ["Thermal"] => json!({
            "@odata.type": "#Thermal.v1_7_0.Thermal",
            "Id": "Thermal", "Name": "Thermal",
            "Temperatures": SENSORS[..3].iter().enumerate().map(|(n, id)| json!({
                "@odata.id": format!("{C}/Thermal#/Temperatures/{n}"), "MemberId": n.to_string(), "Name": id,
                "ReadingCelsius": sensor(&view, id).map(|s| round(s.0)), "Status": fine(),
                "PhysicalContext": (["Intake", "CPU", "Exhaust"][n]),
            })).collect::<Vec<_>>(),
            "Fans": (0..FANS).map(|n| json!({
                "@odata.id": format!("{C}/Thermal#/Fans/{n}"), "MemberId": n.to_string(), "Name": format!("Fan {n}"),
                "Reading": rpm, "ReadingUnits": "RPM", "Status": fine(),
            })).collect::<Vec<_>>(),
        }),
        ["PowerSubsystem"] => json!({
            "@odata.type": "#PowerSubsystem.v1_1_0.PowerSubsystem",
            "Id": "PowerSubsystem", "Name": "Power Subsystem", "CapacityWatts": CAPACITY * 2, "Status": fine(),
            "PowerSupplies": at(format!("{C}/PowerSubsystem/PowerSupplies")),
        }),
        ["PowerSubsystem", "PowerSupplies"] => collection(
            "PowerSupplyCollection",
            "Power Supplies",
            (0..2).map(|n| format!("{C}/PowerSubsystem/PowerSupplies/{n}")),
        ),
        ["PowerSubsystem", "PowerSupplies", id] => {
            let n = below(id, 2)?;
            json!({
                "@odata.type": "#PowerSupply.v1_5_0.PowerSupply",
                "Id": id, "Name": format!("PSU {n}"), "PowerSupplyType": "AC", "PowerCapacityWatts": CAPACITY,
                "SerialNumber": format!("{}P{n}", spec.serial), "Model": "Emulated PSU", "Manufacturer": "Busbar",
                "FirmwareVersion": super::update::version(rack, Bmc::Server(i), &format!("PSU{n}")),
                "Status": health(view.fed[n]),
                "Metrics": at(format!("{C}/PowerSubsystem/PowerSupplies/{n}/Metrics")),
            })
        }
        ["PowerSubsystem", "PowerSupplies", id, "Metrics"] => {
            let n = below(id, 2)?;
            json!({
                "@odata.type": "#PowerSupplyMetrics.v1_1_0.PowerSupplyMetrics",
                "Id": "Metrics", "Name": format!("PSU {n} Metrics"), "Status": health(view.fed[n]),
                "InputPowerWatts": {"Reading": round(view.draw.input[n])},
                "InputVoltage": {"Reading": if view.fed[n] { 230.0 } else { 0.0 }},
                "EnergykWh": {"Reading": view.physics.joules[n] / 3_600_000.0},
            })
        }
        ["ThermalSubsystem"] => json!({
            "@odata.type": "#ThermalSubsystem.v1_2_0.ThermalSubsystem",
            "Id": "ThermalSubsystem", "Name": "Thermal Subsystem", "Status": fine(),
            "Fans": at(format!("{C}/ThermalSubsystem/Fans")),
            "ThermalMetrics": at(format!("{C}/ThermalSubsystem/ThermalMetrics")),
        }),
        ["ThermalSubsystem", "Fans"] => collection(
            "FanCollection",
            "Fans",
            (0..FANS).map(|n| format!("{C}/ThermalSubsystem/Fans/{n}")),
        ),
        ["ThermalSubsystem", "Fans", id] => json!({
            "@odata.type": "#Fan.v1_5_0.Fan",
            "Id": id, "Name": format!("Fan {}", below(id, FANS)?), "Status": fine(),
            "SpeedPercent": {"Reading": round(view.physics.fan * 100.0), "SpeedRPM": rpm},
        }),
        ["ThermalSubsystem", "ThermalMetrics"] => json!({
            "@odata.type": "#ThermalMetrics.v1_3_0.ThermalMetrics",
            "Id": "ThermalMetrics", "Name": "Thermal Metrics",
            "TemperatureSummaryCelsius": {"Intake": excerpt(&view, "Inlet"), "Exhaust": excerpt(&view, "Exhaust")},
        }),
        ["EnvironmentMetrics"] => json!({
            "@odata.type": "#EnvironmentMetrics.v1_3_0.EnvironmentMetrics",
            "Id": "EnvironmentMetrics", "Name": "Environment Metrics",
            "TemperatureCelsius": excerpt(&view, "Inlet"), "PowerWatts": excerpt(&view, "TotalPower"),
            "EnergykWh": excerpt(&view, "TotalEnergy"),
            "PowerLimitWatts": super::limits::limit(view.physics.cap, super::limits::whole(spec.gpus)),
        }),
        ["Sensors"] => collection(
            "SensorCollection",
            "Sensors",
            SENSORS.map(|s| format!("{C}/Sensors/{s}")),
        ),
        ["Sensors", id] => {
            let (reading, kind, unit) = sensor(&view, id)?;
            json!({
                "@odata.type": "#Sensor.v1_8_0.Sensor",
                "Id": id, "Name": id, "Reading": round(reading), "ReadingType": kind, "ReadingUnits": unit, "Status": fine(),
            })
        }
        ["NetworkAdapters"] => collection(
            "NetworkAdapterCollection",
            "Network Adapters",
            [format!("{C}/NetworkAdapters/NIC")],
        ),
        ["NetworkAdapters", "NIC"] => json!({
            "@odata.type": "#NetworkAdapter.v1_9_0.NetworkAdapter",
            "Id": "NIC", "Name": "Network Adapter", "Manufacturer": "Busbar", "Model": "Emulated 2x25G",
            "SerialNumber": format!("{}N", spec.serial), "Status": fine(),
            "Ports": at(format!("{C}/NetworkAdapters/NIC/Ports")),
        }),
        ["NetworkAdapters", "NIC", "Ports"] => collection(
            "PortCollection",
            "Ports",
            (0..spec.macs.len()).map(|n| format!("{C}/NetworkAdapters/NIC/Ports/{n}")),
        ),
        ["NetworkAdapters", "NIC", "Ports", id] => {
            let n = below(id, spec.macs.len())?;
            json!({
                "@odata.type": "#Port.v1_9_0.Port",
                "Id": id, "Name": format!("Port {n}"), "PortId": id, "PortProtocol": "Ethernet",
                "LinkStatus": if n == 0 { "LinkUp" } else { "LinkDown" }, "MaxSpeedGbps": 25,
                "Ethernet": ethernet(spec, n), "Status": fine(),
            })
        }
        ["Drives"] => collection(
            "DriveCollection",
            "Drives",
            (0..spec.drives.len()).map(super::system::drive),
        ),
        ["Drives", id] => {
            let drive = &spec.drives[below(id, spec.drives.len())?];
            json!({
                "@odata.type": "#Drive.v1_17_0.Drive",
                "Id": id, "Name": drive.name, "CapacityBytes": drive.size, "MediaType": "SSD",
                "Protocol": if drive.nvme { "NVMe" } else { "SATA" }, "SerialNumber": drive.serial,
                "Manufacturer": "Busbar", "Model": if drive.nvme { "Emulated NVMe" } else { "Emulated SATA" },
                "BlockSizeBytes": 512, "Revision": super::update::version(rack, Bmc::Server(i), &format!("Drive{id}")), "FailurePredicted": false, "Status": fine(),
            })
        }
        ["PCIeDevices"] => collection(
            "PCIeDeviceCollection",
            "PCIe Devices",
            (0..spec.gpus).map(|n| format!("{C}/PCIeDevices/GPU{n}")),
        ),
        ["PCIeDevices", id] => {
            let n = below(id.strip_prefix("GPU")?, spec.gpus as usize)?;
            json!({
                "@odata.type": "#PCIeDevice.v1_11_0.PCIeDevice",
                "Id": id, "Name": id, "DeviceType": "SingleFunction", "Manufacturer": "Busbar",
                "Model": "Emulated 80GB", "SerialNumber": format!("{}G{n}", spec.serial), "FirmwareVersion": "1.0",
                "Status": fine(),
            })
        }
        _ => return None,
    })
}

/// The port, and what it hears by LLDP: the first port hangs on the rack's switch, the second on nothing.
fn ethernet(spec: &ServerSpec, n: usize) -> Value {
    let mut ethernet = json!({"AssociatedMACAddresses": [spec.macs[n].to_string()]});
    if n == 0 {
        let (rack, unit) = spec.place.split_once('/').unwrap_or((&spec.place, ""));
        ethernet["LLDPEnabled"] = json!(true);
        ethernet["LLDPReceive"] = json!({
            "ChassisId": format!("{rack}/sw0"), "ChassisIdSubtype": "LocalAssign",
            "PortId": octets(&format!("Ethernet{}", unit.trim_start_matches('u'))), "PortIdSubtype": "IfName",
            "SystemName": format!("{rack}/sw0"),
        });
    }
    ethernet
}

/// As the schema has a port's identifier, whatever its subtype: `45:74:68`.
fn octets(text: &str) -> String {
    text.bytes().map(|b| format!("{b:02X}")).collect::<Vec<_>>().join(":")
}

fn health(fed: bool) -> Value {
    if fed {
        fine()
    } else {
        json!({"State": "UnavailableOffline", "Health": "Critical"})
    }
}
