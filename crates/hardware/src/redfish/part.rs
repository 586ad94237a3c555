//! From one resource to one [`Part`]: pure, tolerant, and without a word on makers.

use rack::node::DriveBus;
use rack::{Bytes, Health, Mac, Part, PartKind};
use serde_json::Value;

use crate::redfish::json::{at, count, last, list, number, serial, text};
use crate::redfish::network;

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
        serial: serial(&doc["SerialNumber"]),
        firmware: text(&doc["FirmwareVersion"])
            .or_else(|| text(at(doc, "FirmwareVersion/Current/VersionString")))
            .or_else(|| text(&doc["Revision"])),
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

/// A member of `Memory`. Empty slots give nothing; so does memory that belongs to an accelerator. Services from before
/// the schema had memory call its size `SizeMB` and say what is in the slot in a word of their own.
pub fn memory(path: &str, doc: &Value) -> Option<Part> {
    let mib = ["CapacityMiB", "SizeMB", "MemorySizeMB"]
        .iter()
        .find_map(|n| count(&doc[*n]))
        .filter(|n| *n > 0 && *n < 1 << 32)?;
    let device = text(&doc["MemoryDeviceType"]).unwrap_or_default();
    if absent(doc) || device.starts_with("HBM") || device.starts_with("GDDR") {
        return None;
    }
    let mut module = part(
        path,
        doc,
        PartKind::Memory {
            size: Bytes(self::module(mib) << 20),
        },
    );
    if module.health == Health::Unknown && doc["DIMMStatus"] == "GoodInUse" {
        module.health = Health::Ok;
    }
    Some(module)
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

/// A `Drive`, or a member of `SimpleStorage.Devices`, or what a maker's own storage model calls a disk drive.
pub fn drive(path: &str, doc: &Value) -> Option<Part> {
    if absent(doc) {
        return None;
    }
    let size = count(&doc["CapacityBytes"])
        .or_else(|| count(&doc["CapacityMiB"]).map(|m| m.saturating_mul(1 << 20)))
        .or_else(|| count(&doc["CapacityGB"]).map(|g| g.saturating_mul(1_000_000_000)))?;
    let told = doc["Protocol"].as_str().or_else(|| doc["InterfaceType"].as_str());
    let bus = match told {
        Some("NVMe" | "PCIe" | "NVMeOverFabrics") => DriveBus::Nvme,
        Some("SATA" | "AHCI") => DriveBus::Sata,
        Some("SAS") => DriveBus::Sas,
        // Its place says what it does not: a backplane or a bay for nothing else.
        _ if path.to_ascii_lowercase().contains("nvme") => DriveBus::Nvme,
        _ => DriveBus::Other,
    };
    Some(part(path, doc, PartKind::Drive { size: Bytes(size), bus }))
}

/// Addresses of a port or of one of its functions, each once. All zeroes, all ones and group addresses are nobody's.
pub fn macs(doc: &Value) -> Vec<Mac> {
    let single = [
        &doc["PermanentMACAddress"],
        at(doc, "Ethernet/PermanentMACAddress"),
        &doc["MACAddress"],
        at(doc, "Ethernet/MACAddress"),
        &doc["MacAddress"],
    ];
    let listed = [
        list(at(doc, "Ethernet/AssociatedMACAddresses")),
        list(&doc["AssociatedNetworkAddresses"]),
    ];
    let mut found = Vec::new();
    for value in single.into_iter().chain(listed.into_iter().flatten()) {
        let mac = text(value).and_then(|m| m.parse::<Mac>().ok());
        if let Some(mac) = mac.filter(|m| m.0 != [0; 6] && m.0[0] & 1 == 0)
            && !found.contains(&mac)
        {
            found.push(mac);
        }
    }
    found
}

/// A member of `EthernetInterfaces`, or of a network adapter's ports or functions. What tells no address is a port too:
/// whoever asks knows whether that is enough.
pub fn nic(path: &str, doc: &Value) -> Option<Part> {
    if at(doc, "Status/State") == "Absent" {
        return None;
    }
    let link = match doc["LinkStatus"].as_str() {
        Some("LinkUp" | "Up") => Some(true),
        Some("LinkDown" | "Down" | "NoLink") => Some(false),
        _ => None,
    };
    let gbps = || number(&doc["CurrentSpeedGbps"]).map(|g| (g * 1000.0) as u64);
    let mbps = count(&doc["SpeedMbps"])
        .or_else(|| count(&doc["CurrentLinkSpeedMbps"]))
        .or_else(gbps)
        .filter(|n| *n > 0);
    let mut port = part(
        path,
        doc,
        PartKind::Nic {
            mac: macs(doc).first().copied(),
            link,
            mbps,
            neighbour: network::neighbour(doc),
        },
    );
    port.serial = port.serial.filter(|s| s.parse::<Mac>().is_err());
    Some(port)
}

/// A network adapter as the port of which nothing more is known.
pub fn adapter(path: &str, doc: &Value) -> Part {
    let mut card = part(
        path,
        doc,
        PartKind::Nic {
            mac: None,
            link: None,
            mbps: None,
            neighbour: None,
        },
    );
    card.firmware = card.firmware.or_else(|| network::firmware(doc));
    card
}

/// A power supply, old model or new.
pub fn supply(path: &str, doc: &Value) -> Option<Part> {
    let watts = ["PowerCapacityWatts", "CapacityWatts"]
        .iter()
        .find_map(|n| number(&doc[*n]))
        .filter(|w| *w > 0.0);
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
        assert_eq!(nic("/redfish/v1/n/1", &slot), None);
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
    fn an_address_that_is_nobodys_is_no_address() {
        let port = json!({"MACAddress": "00:00:00:00:00:00", "AssociatedNetworkAddresses": [
            "FF:FF:FF:FF:FF:FF", "88e9:a4ff:ff80:9da2", "00620B4C2850", "00:62:0b:4c:28:50", "",
        ]});
        let found: Vec<String> = macs(&port).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["00:62:0b:4c:28:50"]);
    }

    #[test]
    fn sizes_are_found_under_their_older_names() {
        let size = |p: Option<Part>| match p.map(|p| p.kind) {
            Some(PartKind::Memory { size } | PartKind::Drive { size, .. }) => size.0,
            _ => 0,
        };
        assert_eq!(size(memory("/redfish/v1/m/1", &json!({"SizeMB": 16384}))), 16 << 30);
        assert_eq!(size(drive("/redfish/v1/d/1", &json!({"CapacityMiB": 1024}))), 1 << 30);
        assert_eq!(
            size(drive("/redfish/v1/d/1", &json!({"CapacityGB": 480}))),
            480_000_000_000
        );
    }

    #[test]
    fn numbers_come_as_strings_too() {
        let part = memory("/redfish/v1/Memory/DIMM1", &json!({"CapacityMiB": "32768"}));
        assert_eq!(part.map(|p| p.kind), Some(PartKind::Memory { size: Bytes::gib(32) }));
    }
}
