//! From one resource to one [`Part`]: pure, tolerant, and without a word on makers.

use rack::node::DriveBus;
use rack::{Bytes, Health, Mac, Part, PartKind};
use serde_json::Value;

use crate::redfish::json::{at, count, last, list, number, text};

/// Health of a leaf. Absent parts say `Critical` at times; absent is no reading. Roll-ups are never looked at.
pub fn health(doc: &Value) -> Health {
    let status = &doc["Status"];
    if absent(doc) {
        return Health::Unknown;
    }
    match status["Health"].as_str() {
        Some("OK") => Health::Ok,
        Some("Warning") => Health::Warning,
        Some("Critical") => Health::Critical,
        _ => Health::Unknown,
    }
}

/// Whether there is nothing in this slot. A part that is switched off or offline is there when it complains.
pub fn absent(doc: &Value) -> bool {
    let complains = matches!(at(doc, "Status/Health").as_str(), Some("Warning" | "Critical"));
    match at(doc, "Status/State").as_str() {
        Some("Absent") => true,
        Some("Disabled" | "UnavailableOffline") => !complains,
        _ => false,
    }
}

fn part(path: &str, doc: &Value, kind: PartKind) -> Part {
    Part {
        id: id(path, doc),
        kind,
        maker: text(&doc["Manufacturer"]),
        model: text(&doc["Model"]).or_else(|| text(&doc["PartNumber"])),
        serial: text(&doc["SerialNumber"]),
        firmware: text(&doc["FirmwareVersion"]).or_else(|| text(&doc["Revision"])),
        health: health(doc),
    }
}

/// Last step of the path, else the `MemberId` of an array element, in lower case and with harmless characters.
fn id(path: &str, doc: &Value) -> String {
    let raw = match last(path) {
        "" => text(&doc["MemberId"]).or_else(|| text(&doc["Id"])).unwrap_or_default(),
        step => step.to_owned(),
    };
    raw.chars()
        .take(64)
        .map(|c| {
            if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':') {
                c.to_ascii_lowercase()
            } else {
                '-'
            }
        })
        .collect()
}

/// A member of `Processors`: a socket, or an accelerator.
pub fn processor(path: &str, doc: &Value) -> Option<Part> {
    if absent(doc) {
        return None;
    }
    match doc["ProcessorType"].as_str() {
        None | Some("CPU") => {
            let cores = count(&doc["TotalCores"]).unwrap_or(0) as u32;
            let threads = count(&doc["TotalThreads"]).map_or(cores, |n| n as u32);
            Some(part(path, doc, PartKind::Processor { cores, threads }))
        }
        Some("GPU" | "Accelerator") => Some(part(
            path,
            doc,
            PartKind::Gpu {
                memory: gpu_memory(doc),
            },
        )),
        // Cores and threads listed as processors, FPGAs and the like: nothing that is planned with.
        Some(_) => None,
    }
}

fn gpu_memory(doc: &Value) -> Option<Bytes> {
    let mib = count(at(doc, "MemorySummary/TotalMemorySizeMiB"));
    let listed = || {
        list(&doc["ProcessorMemory"])
            .iter()
            .filter_map(|m| count(&m["CapacityMiB"]))
            .max()
    };
    mib.or_else(listed).map(|m| Bytes(m << 20))
}

/// A member of `Memory`. Empty slots give nothing; so does memory that belongs to an accelerator.
pub fn memory(path: &str, doc: &Value) -> Option<Part> {
    let mib = count(&doc["CapacityMiB"]).filter(|n| *n > 0 && *n < 1 << 32)?;
    let device = text(&doc["MemoryDeviceType"]).unwrap_or_default();
    if absent(doc) || device.starts_with("HBM") || device.starts_with("GDDR") {
        return None;
    }
    Some(part(
        path,
        doc,
        PartKind::Memory {
            size: Bytes(module(mib) << 20),
        },
    ))
}

/// A module's size in MiB. Some firmware counts 16 GiB as 16,384 million bytes and divides: 15,625 "MiB". Modules come in
/// whole GiB, so a number that is only whole when it is read that way was meant that way.
fn module(mib: u64) -> u64 {
    let meant = mib as f64 * (1u64 << 20) as f64 / 1e6;
    let whole = |m: f64| m >= 1024.0 && (m / 1024.0).fract() == 0.0;
    if !whole(mib as f64) && whole(meant) {
        meant as u64
    } else {
        mib
    }
}

/// A `Drive`, or a member of `SimpleStorage.Devices`.
pub fn drive(path: &str, doc: &Value) -> Option<Part> {
    if absent(doc) {
        return None;
    }
    let size = Bytes(count(&doc["CapacityBytes"])?);
    let bus = match doc["Protocol"].as_str() {
        Some("NVMe" | "PCIe" | "NVMeOverFabrics") => DriveBus::Nvme,
        Some("SATA" | "AHCI") => DriveBus::Sata,
        Some("SAS") => DriveBus::Sas,
        _ => DriveBus::Other,
    };
    Some(part(path, doc, PartKind::Drive { size, bus }))
}

/// A member of `EthernetInterfaces`, or of a network adapter's ports or functions.
pub fn nic(path: &str, doc: &Value) -> Option<Part> {
    let mac = [
        &doc["PermanentMACAddress"],
        &doc["MACAddress"],
        &doc["MacAddress"],
        at(doc, "Ethernet/PermanentMACAddress"),
        at(doc, "Ethernet/MACAddress"),
        at(doc, "AssociatedNetworkAddresses/0"),
        list(&doc["AssociatedNetworkAddresses"]).first().unwrap_or(&Value::Null),
        list(at(doc, "Ethernet/AssociatedMACAddresses"))
            .first()
            .unwrap_or(&Value::Null),
    ]
    .into_iter()
    .filter_map(text)
    .find_map(|m| m.parse::<Mac>().ok())?;
    let link = match doc["LinkStatus"].as_str() {
        Some("LinkUp" | "Up") => Some(true),
        Some("LinkDown" | "Down" | "NoLink") => Some(false),
        _ => None,
    };
    let gbps = || number(&doc["CurrentSpeedGbps"]).map(|g| (g * 1000.0) as u64);
    let mbps = count(&doc["SpeedMbps"]).or_else(gbps).filter(|n| *n > 0);
    Some(part(
        path,
        doc,
        PartKind::Nic {
            mac: Some(mac),
            link,
            mbps,
            neighbour: neighbour(doc),
        },
    ))
}

/// A power supply, old model or new.
pub fn supply(path: &str, doc: &Value) -> Option<Part> {
    let watts = number(&doc["PowerCapacityWatts"]).filter(|w| *w > 0.0);
    (!absent(doc)).then(|| part(path, doc, PartKind::Supply { watts }))
}

/// A fan, old model or new.
pub fn fan(path: &str, doc: &Value) -> Option<Part> {
    (!absent(doc)).then(|| part(path, doc, PartKind::Fan))
}

/// A leak detector. Its own state counts beside its status: boxes show `OK` in one and `Critical` in the other.
pub fn leak_detector(path: &str, doc: &Value) -> Option<Part> {
    if absent(doc) {
        return None;
    }
    let state = match doc["DetectorState"].as_str() {
        Some("OK") => Health::Ok,
        Some("Warning") => Health::Warning,
        Some("Critical") => Health::Critical,
        _ => Health::Unknown,
    };
    let mut detector = part(path, doc, PartKind::LeakDetector);
    detector.health = detector.health.max(state);
    Some(detector)
}

/// Who is at the other end of a port's cable, as it hears by LLDP (DSP0268 Port, `LLDPReceive`).
pub fn neighbour(port: &Value) -> Option<rack::node::Neighbour> {
    let heard = at(port, "Ethernet/LLDPReceive");
    Some(rack::node::Neighbour {
        system: text(&heard["SystemName"]).or_else(|| text(&heard["ChassisId"]))?,
        port: text(&heard["PortId"])?,
    })
}

/// A PCIe device that is an accelerator.
pub fn gpu(path: &str, doc: &Value) -> Option<Part> {
    (!absent(doc)).then(|| {
        part(
            path,
            doc,
            PartKind::Gpu {
                memory: gpu_memory(doc),
            },
        )
    })
}

/// A PCIe device.
pub fn pcie(path: &str, doc: &Value) -> Option<Part> {
    (!absent(doc)).then(|| part(path, doc, PartKind::Pcie))
}

/// Makes ids unique and names nameless elements, so that a part can be addressed on its node.
pub fn tell_apart(parts: &mut [Part]) {
    let mut seen = std::collections::HashSet::new();
    for part in parts {
        let prefix = match part.kind {
            PartKind::Processor { .. } => "cpu",
            PartKind::Memory { .. } => "dimm",
            PartKind::Drive { .. } => "disk",
            PartKind::Nic { .. } => "nic",
            PartKind::Gpu { .. } => "gpu",
            PartKind::Pcie => "pcie",
            PartKind::Supply { .. } => "psu",
            PartKind::Fan => "fan",
            PartKind::LeakDetector => "leak",
        };
        // `1` and `0` say nothing beside the parts of other kinds.
        if part.id.is_empty() || part.id.bytes().all(|b| b.is_ascii_digit()) {
            part.id = format!("{prefix}{}", part.id);
        }
        let base = part.id.clone();
        let mut n = 2;
        while !seen.insert(part.id.clone()) {
            part.id = format!("{base}.{n}");
            n += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_empty_slot_is_neither_critical_nor_a_part() {
        let slot = json!({"Status": {"State": "Absent", "Health": "Critical"}, "CapacityMiB": null});
        assert_eq!(health(&slot), Health::Unknown);
        assert_eq!(memory("/redfish/v1/m/1", &slot), None);
        assert_eq!(supply("/redfish/v1/p/1", &slot), None);
    }

    #[test]
    fn a_module_counted_in_millions_of_bytes_has_whole_gibibytes() {
        for (mib, meant) in [
            (15_625, 16_384),
            (31_250, 32_768),
            (16_384, 16_384),
            (12_000, 12_000),
            (512, 512),
        ] {
            assert_eq!(module(mib), meant);
        }
    }

    #[test]
    fn what_is_offline_and_complains_is_there() {
        let pump = json!({"Status": {"State": "UnavailableOffline", "Health": "Critical"}});
        assert_eq!(health(&pump), Health::Critical);
        assert_eq!(
            health(&json!({"Status": {"State": "Disabled", "Health": null}})),
            Health::Unknown
        );
    }

    #[test]
    fn a_leak_shows_under_a_status_that_is_ok() {
        let detector = json!({"DetectorState": "Critical", "Status": {"State": "Enabled", "Health": "OK"}});
        let part = leak_detector("/redfish/v1/x/LeakDetector_1", &detector);
        assert_eq!(part.map(|p| p.health), Some(Health::Critical));
    }

    #[test]
    fn a_rollup_is_not_believed() {
        assert_eq!(health(&json!({"Status": {"HealthRollup": "OK"}})), Health::Unknown);
    }

    #[test]
    fn numbers_come_as_strings_too() {
        let part = memory("/redfish/v1/Memory/DIMM1", &json!({"CapacityMiB": "32768"}));
        assert_eq!(part.map(|p| p.kind), Some(PartKind::Memory { size: Bytes::gib(32) }));
    }
}
