//! The enclosure: power, heat, fans, drives, adapters, PCIe devices. Every figure comes from one state.

use serde_json::{Value, json};

use super::{at, collection, fine, round};
use crate::emulated::{Bmc, Emulated, Server};
use crate::layout::ServerSpec;
use crate::model::Power;
use crate::physics::kinds::{Cooled, Kind};
use crate::physics::{Quantity as Q, Unit};

const C: &str = "/redfish/v1/Chassis/1";
const JOULES_A_KWH: f64 = 3_600_000.0;

/// The sensors of a box, by their Redfish names.
fn sensors(kind: &Kind) -> Vec<(String, Q)> {
    let mut all: Vec<(String, Q)> = vec![
        ("Inlet".into(), Q::InletCelsius),
        ("CPU".into(), Q::CpuCelsius(0)),
        ("Exhaust".into(), Q::ExhaustCelsius),
        ("TotalPower".into(), Q::TotalWatts),
        ("TotalEnergy".into(), Q::TotalJoules),
    ];
    if kind.cooled == Cooled::Tank {
        all.remove(2);
    }
    all.extend((1..kind.cpus).map(|n| (format!("CPU{n}"), Q::CpuCelsius(n))));
    all.push(("DIMM".into(), Q::DimmCelsius));
    all.extend((0..kind.gpus).map(|n| (format!("GPU{n}"), Q::GpuCelsius(n))));
    all.extend((0..kind.gpus).map(|n| (format!("GPU{n}Power"), Q::GpuWatts(n))));
    if matches!(kind.cooled, Cooled::Plates(_)) {
        all.push(("CoolantSupply".into(), Q::CoolantSupplyCelsius));
        all.push(("CoolantReturn".into(), Q::CoolantReturnCelsius));
        all.push(("CoolantFlow".into(), Q::CoolantFlow));
    }
    all
}

/// `ReadingType` of a sensor.
fn kind_of(what: Q) -> &'static str {
    match what.unit() {
        Unit::Watts => "Power",
        Unit::Joules => "EnergykWh",
        Unit::LitresPerMinute => "LiquidFlowLPM",
        _ => "Temperature",
    }
}

/// What a sensor reads, in the unit that Redfish tells it in.
fn read(rack: &Emulated, server: &Server, what: Q) -> Option<f64> {
    let value = rack.sense(server.body, what)?;
    Some(match what.unit() {
        Unit::Joules => value / JOULES_A_KWH,
        _ => round(value),
    })
}

fn excerpt(rack: &Emulated, server: &Server, id: &str) -> Value {
    let what = sensors(&server.spec.kind).into_iter().find(|(name, _)| name == id);
    let reading = what.and_then(|(_, what)| read(rack, server, what));
    json!({"DataSourceUri": format!("{C}/Sensors/{id}"), "Reading": reading})
}

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
            "Temperatures": sensors(&spec.kind).iter().filter(|(_, q)| kind_of(*q) == "Temperature").enumerate().map(|(n, (id, q))| json!({
                "@odata.id": format!("{C}/Thermal#/Temperatures/{n}"), "MemberId": n.to_string(), "Name": id,
                "ReadingCelsius": read(rack, server, *q), "Status": fine(), "PhysicalContext": context(*q),
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
        ["PowerSubsystem", "PowerSupplies"] => collection(
            "PowerSupplyCollection",
            "Power Supplies",
            (0..supplies).map(|n| format!("{C}/PowerSubsystem/PowerSupplies/{n}")),
        ),
        ["PowerSubsystem", "PowerSupplies", id] => {
            let n = below(id, supplies)?;
            json!({
                "@odata.type": "#PowerSupply.v1_5_0.PowerSupply",
                "Id": id, "Name": format!("PSU {n}"), "PowerSupplyType": "AC", "PowerCapacityWatts": capacity,
                "SerialNumber": format!("{}P{n}", spec.serial), "Model": "Emulated PSU", "Manufacturer": "Busbar",
                "FirmwareVersion": super::update::version(rack, Bmc::Server(i), &format!("PSU{n}")),
                "Status": health(view.fed[n]),
                "Metrics": at(format!("{C}/PowerSubsystem/PowerSupplies/{n}/Metrics")),
            })
        }
        ["PowerSubsystem", "PowerSupplies", id, "Metrics"] => {
            let n = below(id, supplies)?;
            json!({
                "@odata.type": "#PowerSupplyMetrics.v1_1_0.PowerSupplyMetrics",
                "Id": "Metrics", "Name": format!("PSU {n} Metrics"), "Status": health(view.fed[n]),
                "InputPowerWatts": {"Reading": sense(Q::SupplyInputWatts(n as u8)).map(round)},
                "InputVoltage": {"Reading": sense(Q::SupplyInputVolts(n as u8)).map(round)},
                "OutputPowerWatts": {"Reading": sense(Q::SupplyOutputWatts(n as u8)).map(round)},
                "EnergykWh": {"Reading": sense(Q::SupplyJoules(n as u8)).map(|j| j / JOULES_A_KWH)},
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
            "TemperatureSummaryCelsius": {"Intake": excerpt(rack, server, "Inlet"), "Exhaust": excerpt(rack, server, "Exhaust")},
        }),
        ["EnvironmentMetrics"] => json!({
            "@odata.type": "#EnvironmentMetrics.v1_3_0.EnvironmentMetrics",
            "Id": "EnvironmentMetrics", "Name": "Environment Metrics",
            "TemperatureCelsius": excerpt(rack, server, "Inlet"), "PowerWatts": excerpt(rack, server, "TotalPower"),
            "EnergykWh": excerpt(rack, server, "TotalEnergy"),
            "PowerLimitWatts": super::limits::limit(view.physics.cap, super::limits::whole(spec)),
        }),
        ["Sensors"] => collection(
            "SensorCollection",
            "Sensors",
            sensors(&spec.kind).iter().map(|(s, _)| format!("{C}/Sensors/{s}")),
        ),
        ["Sensors", id] => {
            let (_, what) = sensors(&spec.kind).into_iter().find(|(name, _)| name == id)?;
            let unit = if what.unit() == Unit::Joules {
                "kW.h"
            } else {
                what.unit().ucum()
            };
            json!({
                "@odata.type": "#Sensor.v1_8_0.Sensor",
                "Id": id, "Name": id, "Reading": read(rack, server, what), "ReadingType": kind_of(what),
                "ReadingUnits": unit, "Status": fine(),
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

/// Where a sensor sits.
fn context(what: Q) -> &'static str {
    match what {
        Q::InletCelsius => "Intake",
        Q::CpuCelsius(_) => "CPU",
        Q::ExhaustCelsius => "Exhaust",
        Q::DimmCelsius => "Memory",
        Q::GpuCelsius(_) => "GPU",
        Q::CoolantSupplyCelsius | Q::CoolantReturnCelsius => "LiquidInlet",
        _ => "SystemBoard",
    }
}

/// A fan that stands still in a server that is on has failed.
fn turns(rpm: Option<u64>, power: Power) -> Value {
    health(power != Power::On || rpm != Some(0))
}
