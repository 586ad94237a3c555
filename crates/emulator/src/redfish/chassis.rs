//! The enclosure: power, heat, fans, drives, adapters, PCIe devices. Every figure comes from one state.

use serde_json::{Value, json};

use super::sensor::{self, excerpt, sensors};
use super::supply::Supplies;
use super::{at, collection, fine, round};
use crate::emulated::{Bmc, Emulated};
use crate::layout::ServerSpec;
use crate::model::Power;
use crate::physics::Quantity as Q;

const C: &str = "/redfish/v1/Chassis/1";

pub(super) fn get(rack: &Emulated, i: usize, segments: &[&str]) -> Option<Value> {
    let server = &rack.servers[i];
    let spec = &server.spec;
    if !matches!(segments, [] | ["1", ..]) {
        return None;
    }
    let view = rack.view(i);
    let below = |n: &str, count: usize| n.parse::<usize>().ok().filter(|n| *n < count);
    let sense = |what| rack.sense(server.body, what);
    let supplies = usize::from(spec.kind.supply.count);
    let fans = usize::from(spec.kind.fans);
    let capacity = spec.kind.supply.capacity;
    let psus = Supplies {
        rack,
        bmc: Bmc::Server(i),
        body: server.body,
        name: "PSU",
        serial: &spec.serial,
        count: spec.kind.supply.count,
        watts: capacity,
    };
    let rpm = |n: usize| sense(Q::FanRpm(n as u8)).map(|r| r.round() as u64);
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
                "PowerConsumedWatts": sense(Q::TotalWatts).map(round), "PowerCapacityWatts": capacity * supplies as f64, "Status": fine(),
                "PowerLimit": {"LimitInWatts": view.physics.cap, "LimitException": "NoAction"},
            }],
            "PowerSupplies": (0..supplies).map(|n| json!({
                "@odata.id": format!("{C}/Power#/PowerSupplies/{n}"), "MemberId": n.to_string(),
                "Name": format!("PSU {n}"), "PowerCapacityWatts": capacity,
                "PowerInputWatts": sense(Q::SupplyInputWatts(n as u8)).map(round),
                "LineInputVoltage": sense(Q::SupplyInputVolts(n as u8)).map(|v| v.round()), "SerialNumber": format!("{}P{n}", spec.serial),
                "Status": health(view.fed[n]),
            })).collect::<Vec<_>>(),
        }),
        ["Thermal"] => json!({
            "@odata.type": "#Thermal.v1_7_0.Thermal",
            "Id": "Thermal", "Name": "Thermal",
            "Temperatures": sensors(&spec.kind).iter().filter(|(_, q)| sensor::kind_of(*q) == "Temperature").enumerate().map(|(n, (id, q))| json!({
                "@odata.id": format!("{C}/Thermal#/Temperatures/{n}"), "MemberId": n.to_string(), "Name": id,
                "ReadingCelsius": sensor::read(rack, server.body, *q), "Status": fine(), "PhysicalContext": sensor::context(*q),
            })).collect::<Vec<_>>(),
            "Fans": (0..fans).map(|n| json!({
                "@odata.id": format!("{C}/Thermal#/Fans/{n}"), "MemberId": n.to_string(), "Name": format!("Fan {n}"),
                "Reading": rpm(n), "ReadingUnits": "RPM", "Status": turns(rpm(n), view.power),
            })).collect::<Vec<_>>(),
        }),
        ["PowerSubsystem"] => json!({
            "@odata.type": "#PowerSubsystem.v1_1_0.PowerSubsystem",
            "Id": "PowerSubsystem", "Name": "Power Subsystem", "CapacityWatts": capacity * supplies as f64, "Status": fine(),
            "PowerSupplies": at(format!("{C}/PowerSubsystem/PowerSupplies")),
        }),
        ["PowerSubsystem", "PowerSupplies", rest @ ..] => return psus.get(rest),
        ["ThermalSubsystem"] => json!({
            "@odata.type": "#ThermalSubsystem.v1_2_0.ThermalSubsystem",
            "Id": "ThermalSubsystem", "Name": "Thermal Subsystem", "Status": fine(),
            "Fans": at(format!("{C}/ThermalSubsystem/Fans")),
            "ThermalMetrics": at(format!("{C}/ThermalSubsystem/ThermalMetrics")),
        }),
        ["ThermalSubsystem", "Fans"] => collection(
            "FanCollection",
            "Fans",
            (0..fans).map(|n| format!("{C}/ThermalSubsystem/Fans/{n}")),
        ),
        ["ThermalSubsystem", "Fans", id] => {
            let n = below(id, fans)?;
            let percent = rpm(n).map(|r| round(r as f64 / spec.kind.fan_rpm * 100.0));
            json!({
                "@odata.type": "#Fan.v1_5_0.Fan",
                "Id": id, "Name": format!("Fan {n}"), "Status": turns(rpm(n), view.power),
                "SpeedPercent": {"Reading": percent, "SpeedRPM": rpm(n)},
            })
        }
        ["ThermalSubsystem", "ThermalMetrics"] => json!({
            "@odata.type": "#ThermalMetrics.v1_3_0.ThermalMetrics",
            "Id": "ThermalMetrics", "Name": "Thermal Metrics",
            "TemperatureSummaryCelsius": {"Intake": excerpt(rack, server.body, "Inlet"), "Exhaust": excerpt(rack, server.body, "Exhaust")},
        }),
        ["EnvironmentMetrics"] => json!({
            "@odata.type": "#EnvironmentMetrics.v1_3_0.EnvironmentMetrics",
            "Id": "EnvironmentMetrics", "Name": "Environment Metrics",
            "TemperatureCelsius": excerpt(rack, server.body, "Inlet"), "PowerWatts": excerpt(rack, server.body, "TotalPower"),
            "EnergykWh": excerpt(rack, server.body, "TotalEnergy"),
            "PowerLimitWatts": super::limits::limit(view.physics.cap, super::limits::whole(spec)),
        }),
        ["Sensors"] => collection(
            "SensorCollection",
            "Sensors",
            sensors(&spec.kind).iter().map(|(s, _)| format!("{C}/Sensors/{s}")),
        ),
        ["Sensors", id] => {
            let (_, what) = sensors(&spec.kind).into_iter().find(|(name, _)| name == id)?;
            sensor::document(rack, server.body, id, what)
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

/// A fan that stands still in a server that is on has failed.
fn turns(rpm: Option<u64>, power: Power) -> Value {
    health(power != Power::On || rpm != Some(0))
}
