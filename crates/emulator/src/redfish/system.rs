//! The computer system: processors, memory, storage, ports, firmware settings.

use serde_json::{Value, json};

use super::{at, collection, fine};
use crate::emulated::{Emulated, RESETS};
use crate::layout::ServerSpec;
use crate::model::Power;

const S: &str = "/redfish/v1/Systems/1";
/// What the boot override may name.
pub(super) fn targets(spec: &ServerSpec) -> &'static [&'static str] {
    match spec.machine {
        true => &crate::vm::TARGETS,
        false => &["None", "Pxe", "UefiHttp", "Hdd", "Cd", "BiosSetup"],
    }
}

/// How its firmware boots.
pub(super) fn mode(spec: &ServerSpec) -> &'static str {
    if spec.machine { "Legacy" } else { "UEFI" }
}

/// What its processors are called.
fn processor(spec: &ServerSpec) -> &'static str {
    if spec.machine { "QEMU" } else { "Emulated 16C" }
}

pub(super) fn get(rack: &Emulated, i: usize, segments: &[&str]) -> Option<Value> {
    let spec = &rack.servers[i].spec;
    let number = |n: &str, count: u32| n.parse::<u32>().ok().filter(|n| *n < count);
    Some(match segments {
        [] => collection("ComputerSystemCollection", "Systems", [S.to_string()]),
        ["1"] => system(rack, i),
        ["1", "Processors"] => {
            let cpus = (0..spec.build.sockets).map(|n| format!("{S}/Processors/CPU{n}"));
            let gpus = (0..spec.gpus).map(|n| format!("{S}/Processors/GPU{n}"));
            collection("ProcessorCollection", "Processors", cpus.chain(gpus))
        }
        ["1", "Processors", id] if id.starts_with("CPU") => {
            number(&id[3..], spec.build.sockets)?;
            json!({
                "@odata.type": "#Processor.v1_18_0.Processor",
                "Id": id, "Name": id, "Socket": id, "ProcessorType": "CPU", "ProcessorArchitecture": "x86",
                "InstructionSet": "x86-64", "Manufacturer": "Busbar", "Model": processor(spec),
                "MaxSpeedMHz": 3200, "TotalCores": spec.build.cores, "TotalThreads": spec.build.cores * spec.build.threads,
                "Status": fine(),
            })
        }
        ["1", "Processors", id] if id.starts_with("GPU") => {
            let n = number(&id[3..], spec.gpus)?;
            json!({
                "@odata.type": "#Processor.v1_18_0.Processor",
                "Id": id, "Name": id, "ProcessorType": "GPU", "Manufacturer": "Busbar", "Model": "Emulated 80GB",
                "ProcessorArchitecture": "OEM", "TotalCores": 132, "TotalThreads": 132 * 2048,
                "SerialNumber": format!("{}G{n}", spec.serial), "Status": fine(),
                "Links": {"PCIeDevice": at(format!("/redfish/v1/Chassis/1/PCIeDevices/GPU{n}"))},
                "EnvironmentMetrics": at(format!("{S}/Processors/GPU{n}/EnvironmentMetrics")),
            })
        }
        ["1", "Processors", id, "EnvironmentMetrics"] => super::limits::gpu(
            rack,
            i,
            &rack.view(i),
            number(id.strip_prefix("GPU")?, spec.gpus)? as usize,
        ),
        ["1", "Memory"] => collection(
            "MemoryCollection",
            "Memory",
            (0..spec.build.dimms).map(|n| format!("{S}/Memory/DIMM{n}")),
        ),
        ["1", "Memory", id] => {
            let n = number(id.strip_prefix("DIMM")?, spec.build.dimms)?;
            json!({
                "@odata.type": "#Memory.v1_17_0.Memory",
                "Id": id, "Name": id, "MemoryType": "DRAM", "MemoryDeviceType": "DDR5", "BaseModuleType": "RDIMM",
                "CapacityMiB": spec.build.dimm_gib * 1024, "OperatingSpeedMhz": 4800, "ErrorCorrection": "MultiBitECC",
                "Manufacturer": "Busbar", "PartNumber": "EMU-DDR5", "SerialNumber": format!("{}M{n}", spec.serial),
                "DeviceLocator": id, "Status": fine(),
            })
        }
        ["1", "Storage"] => collection("StorageCollection", "Storage", [format!("{S}/Storage/1")]),
        ["1", "Storage", "1"] => {
            let drives: Vec<Value> = (0..spec.drives.len()).map(|n| at(drive(n))).collect();
            json!({
                "@odata.type": "#Storage.v1_15_0.Storage",
                "Id": "1", "Name": "Drives", "Status": fine(),
                "Drives@odata.count": drives.len(), "Drives": drives,
                "Controllers": at(format!("{S}/Storage/1/Controllers")), "Volumes": at(format!("{S}/Storage/1/Volumes")),
                "Links": {"Enclosures": [at("/redfish/v1/Chassis/1")]},
            })
        }
        ["1", "Storage", "1", "Controllers"] => collection(
            "StorageControllerCollection",
            "Controllers",
            [format!("{S}/Storage/1/Controllers/1")],
        ),
        ["1", "Storage", "1", "Controllers", "1"] => json!({
            "@odata.type": "#StorageController.v1_8_0.StorageController",
            "Id": "1", "Name": "Drives of the processor", "Manufacturer": "Busbar", "Model": "Emulated pass-through",
            "SupportedRAIDTypes": ["None"], "SupportedDeviceProtocols": ["NVMe", "SATA"], "Status": fine(),
        }),
        ["1", "Storage", "1", "Volumes"] => {
            let paths = (0..spec.drives.len()).map(|n| format!("{S}/Storage/1/Volumes/{n}"));
            let mut volumes = collection("VolumeCollection", "Volumes", paths);
            volumes["@Redfish.OperationApplyTimeSupport"] = json!({
                "@odata.type": "#Settings.v1_3_5.OperationApplyTimeSupport", "SupportedValues": ["Immediate"],
            });
            volumes
        }
        ["1", "Storage", "1", "Volumes", id] => {
            let n = number(id, spec.drives.len() as u32)? as usize;
            json!({
                "@odata.type": "#Volume.v1_10_0.Volume",
                "Id": id, "Name": format!("All of {}", spec.drives[n].name), "RAIDType": "None",
                "CapacityBytes": spec.drives[n].size, "BlockSizeBytes": 512, "Status": fine(),
                "Links": {"Drives": [at(drive(n))]},
            })
        }
        ["1", "EthernetInterfaces"] => collection(
            "EthernetInterfaceCollection",
            "Ethernet Interfaces",
            (0..spec.macs.len()).map(|n| format!("{S}/EthernetInterfaces/NIC{n}")),
        ),
        ["1", "EthernetInterfaces", id] => {
            let n = number(id.strip_prefix("NIC")?, spec.macs.len() as u32)? as usize;
            json!({
                "@odata.type": "#EthernetInterface.v1_10_0.EthernetInterface",
                "Id": id, "Name": id, "InterfaceEnabled": true,
                "MACAddress": spec.macs[n].to_string(), "PermanentMACAddress": spec.macs[n].to_string(),
                "LinkStatus": if n == 0 { "LinkUp" } else { "LinkDown" },
                "SpeedMbps": if n == 0 { json!(25_000) } else { Value::Null },
                "Status": fine(),
            })
        }
        ["1", "Bios"] => json!({
            "@odata.type": "#Bios.v1_2_0.Bios",
            "Id": "Bios", "Name": "BIOS Settings",
            "Attributes": {"Turbo": rack.view(i).turbo[0]},
            "@Redfish.Settings": {
                "@odata.type": "#Settings.v1_3_5.Settings",
                "SettingsObject": at(format!("{S}/Bios/Settings")),
                "SupportedApplyTimes": ["OnReset"],
            },
        }),
        ["1", "Bios", "Settings"] => json!({
            "@odata.type": "#Bios.v1_2_0.Bios",
            "Id": "Settings", "Name": "BIOS Settings for the next start",
            "Attributes": {"Turbo": rack.view(i).turbo[1]},
        }),
        ["1", "SecureBoot"] if !spec.machine => json!({
            "@odata.type": "#SecureBoot.v1_1_0.SecureBoot",
            "Id": "SecureBoot", "Name": "UEFI Secure Boot", "SecureBootEnable": false,
            "SecureBootCurrentBoot": "Disabled", "SecureBootMode": "UserMode",
        }),
        ["1", "LogServices"] => collection("LogServiceCollection", "Logs", [format!("{S}/LogServices/SEL")]),
        ["1", "LogServices", "SEL"] => json!({
            "@odata.type": "#LogService.v1_5_0.LogService",
            "Id": "SEL", "Name": "System Event Log", "LogEntryType": "Event", "OverWritePolicy": "WrapsWhenFull",
            "MaxNumberOfRecords": 64, "ServiceEnabled": true, "Status": fine(),
            "Entries": at(format!("{S}/LogServices/SEL/Entries")),
            "Actions": {"#LogService.ClearLog": {
                "target": format!("{S}/LogServices/SEL/Actions/LogService.ClearLog"),
            }},
        }),
        ["1", "LogServices", "SEL", "Entries"] => {
            let entries = rack.servers[i].core.log();
            let entries = entries.iter().map(|e| format!("{S}/LogServices/SEL/Entries/{}", e.id));
            collection("LogEntryCollection", "Log Entries", entries)
        }
        ["1", "LogServices", "SEL", "Entries", id] => {
            let entry = rack.servers[i]
                .core
                .log()
                .into_iter()
                .find(|e| e.id.to_string() == *id)?;
            json!({
                "@odata.type": "#LogEntry.v1_15_0.LogEntry",
                "Id": id, "Name": "Log Entry", "EntryType": "Event", "Created": entry.at.to_string(),
                "Severity": entry.severity, "MessageId": entry.message_id, "Message": entry.text,
            })
        }
        _ => return None,
    })
}

pub(super) fn drive(n: usize) -> String {
    format!("/redfish/v1/Chassis/1/Drives/{n}")
}

fn system(rack: &Emulated, i: usize) -> Value {
    let (spec, view) = (&rack.servers[i].spec, rack.view(i));
    let devices: Vec<Value> = (0..spec.gpus)
        .map(|n| at(format!("/redfish/v1/Chassis/1/PCIeDevices/GPU{n}")))
        .collect();
    let state = if view.power == Power::Off {
        "Disabled"
    } else {
        "Enabled"
    };
    let mut system = json!({
        "@odata.type": "#ComputerSystem.v1_26_0.ComputerSystem",
        "Id": "1", "Name": spec.place, "SystemType": "Physical", "Manufacturer": "Busbar", "Model": spec.model(),
        "SKU": "EMU", "SerialNumber": spec.serial, "PartNumber": "EMU-1", "UUID": spec.uuid.to_string(),
        "AssetTag": view.tag, "HostName": view.host_name, "PowerState": view.power.word(),
        "LocationIndicatorActive": view.led, "BiosVersion": super::update::version(rack, crate::emulated::Bmc::Server(i), "BIOS"), "PowerRestorePolicy": "AlwaysOff",
        "Status": {"State": state, "Health": "OK", "HealthRollup": "OK"},
        "BootProgress": {"LastState": view.activity.progress()},
        "Boot": {
            "BootSourceOverrideTarget": view.boot.target,
            "BootSourceOverrideTarget@Redfish.AllowableValues": targets(spec),
            "BootSourceOverrideEnabled": view.boot.enabled,
            "BootSourceOverrideMode": mode(spec),
            "HttpBootUri": if view.boot.uri.is_empty() { Value::Null } else { json!(view.boot.uri) },
        },
        "ProcessorSummary": {
            "Count": spec.build.sockets, "CoreCount": spec.build.sockets * spec.build.cores,
            "LogicalProcessorCount": spec.build.processors(), "Model": processor(spec),
            "Status": fine(),
        },
        "MemorySummary": {"TotalSystemMemoryGiB": spec.memory_gib(), "Status": fine()},
        "SerialConsole": crate::console::offered(rack, i),
        "PCIeDevices": devices, "PCIeDevices@odata.count": spec.gpus,
        "Links": {"Chassis": [at("/redfish/v1/Chassis/1")], "ManagedBy": [at("/redfish/v1/Managers/BMC")]},
        "Actions": {"#ComputerSystem.Reset": {
            "target": format!("{S}/Actions/ComputerSystem.Reset"),
            "ResetType@Redfish.AllowableValues": RESETS,
        }},
    });
    for part in [
        "Processors",
        "Memory",
        "Storage",
        "EthernetInterfaces",
        "Bios",
        "SecureBoot",
        "LogServices",
    ] {
        if part == "SecureBoot" && spec.machine {
            continue;
        }
        system[part] = at(format!("{S}/{part}"));
    }
    system
}
