//! What the machine is made of, from sysfs and SMBIOS.

use std::fs;
use std::path::{Path, PathBuf};

use rack::Bytes;
use rack::agent::{FoundDisk, FoundHardware, FoundNic};
use rack::node::DriveBus;

/// Most disks, ports or functions that are told: a broken sysfs must not make a report without end.
const MOST: usize = 4096;

/// A sysfs attribute without its end of line; `None` when it is missing or empty.
pub(super) fn text(path: impl AsRef<Path>) -> Option<String> {
    let raw = fs::read(path).ok()?;
    let text = String::from_utf8_lossy(&raw)
        .trim_matches(|c: char| c.is_whitespace() || c == '\0')
        .to_string();
    (!text.is_empty()).then_some(text)
}

pub(super) fn hardware(root: &Path) -> FoundHardware {
    let dmi = |name: &str| text(root.join("sys/class/dmi/id").join(name));
    FoundHardware {
        uuid: dmi("product_uuid"),
        serial: dmi("product_serial"),
        maker: dmi("sys_vendor"),
        model: dmi("product_name"),
        threads: std::thread::available_parallelism().map_or(1, |n| n.get() as u32),
        memory: memory(root),
        disks: entries(&root.join("sys/block"))
            .iter()
            .filter_map(|path| disk(path))
            .collect(),
        nics: entries(&root.join("sys/class/net"))
            .iter()
            .filter_map(|path| nic(path))
            .collect(),
        pci: entries(&root.join("sys/bus/pci/devices"))
            .iter()
            .filter_map(|path| pci(path))
            .collect(),
        firmware: if root.join("sys/firmware/efi").exists() {
            "uefi"
        } else {
            "bios"
        }
        .to_string(),
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut all: Vec<_> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|e| e.path())
        .take(MOST)
        .collect();
    all.sort();
    all
}

fn memory(root: &Path) -> Bytes {
    let info = fs::read_to_string(root.join("proc/meminfo")).unwrap_or_default();
    let kib = info.lines().find_map(|line| {
        line.strip_prefix("MemTotal:")?
            .trim()
            .strip_suffix("kB")?
            .trim()
            .parse()
            .ok()
    });
    Bytes(kib.unwrap_or(0u64) << 10)
}

/// A disk that can be written: not removable, not read-only, not made of others.
fn disk(path: &Path) -> Option<FoundDisk> {
    let name = path.file_name()?.to_str()?.to_string();
    let virtual_ones = ["loop", "ram", "zram", "sr", "fd", "dm-", "md", "nbd"];
    if virtual_ones.iter().any(|prefix| name.starts_with(prefix))
        || (name.starts_with("mmcblk") && name.contains("boot"))
    {
        return None;
    }
    let is = |attribute: &str| text(path.join(attribute)).as_deref() == Some("1");
    if is("removable") || is("ro") || is("hidden") {
        return None;
    }
    // always in units of 512 bytes, whatever the disk's own block is
    let size = text(path.join("size"))?.parse::<u64>().ok()?.checked_mul(512)?;
    if size == 0 {
        return None;
    }
    let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let vendor = text(path.join("device/vendor"));
    Some(FoundDisk {
        bus: bus(&name, &real.to_string_lossy(), vendor.as_deref()),
        size: Bytes(size),
        model: text(path.join("device/model")),
        serial: text(path.join("device/serial"))
            .or_else(|| text(path.join("serial")))
            .or_else(|| page_80(path)),
        rotational: is("queue/rotational"),
        name,
    })
}

fn bus(name: &str, real: &str, vendor: Option<&str>) -> DriveBus {
    match () {
        () if name.starts_with("nvme") => DriveBus::Nvme,
        () if real.contains("/virtio") => DriveBus::Virtio,
        // a SATA drive behind a SAS controller answers through its translator
        () if real.contains("/ata") || vendor == Some("ATA") => DriveBus::Sata,
        () if real.contains("/end_device-") => DriveBus::Sas,
        () => DriveBus::Other,
    }
}

/// SCSI vital product data, page 80h: unit serial number (SPC-5 §7.7.18), after four bytes of header.
fn page_80(path: &Path) -> Option<String> {
    let raw = fs::read(path.join("device/vpd_pg80")).ok()?;
    let serial = String::from_utf8_lossy(raw.get(4..)?).trim().to_string();
    (!serial.is_empty()).then_some(serial)
}

fn nic(path: &Path) -> Option<FoundNic> {
    if !path.join("device").exists() {
        return None;
    }
    Some(FoundNic {
        name: path.file_name()?.to_str()?.to_string(),
        mac: text(path.join("address"))?.parse().ok()?,
        link: text(path.join("carrier")).as_deref() == Some("1"),
    })
}

fn pci(path: &Path) -> Option<String> {
    let id = |name: &str| text(path.join(name)).map(|t| t.trim_start_matches("0x").to_string());
    Some(format!("{}:{} {}", id("vendor")?, id("device")?, id("class")?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn put(root: &Path, path: &str, content: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    #[test]
    fn disks_that_can_be_written_are_found_and_no_others() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        for (name, removable, ro, size) in [
            ("sda", "0", "0", "2048"),
            ("sdb", "1", "0", "2048"),
            ("sdc", "0", "1", "2048"),
            ("sdd", "0", "0", "0"),
            ("loop0", "0", "0", "8"),
        ] {
            put(root, &format!("sys/block/{name}/removable"), removable);
            put(root, &format!("sys/block/{name}/ro"), ro);
            put(root, &format!("sys/block/{name}/size"), size);
        }
        put(root, "sys/block/sda/device/model", "QEMU HARDDISK   \n");
        put(root, "sys/block/sda/device/vendor", "ATA     \n");
        put(root, "sys/block/sda/device/vpd_pg80", "\0\u{80}X serial-1 ");
        put(root, "proc/meminfo", "MemTotal:        1024 kB\n");
        put(root, "sys/bus/pci/devices/0000:00:01.0/vendor", "0x8086\n");
        put(root, "sys/bus/pci/devices/0000:00:01.0/device", "0x100e\n");
        put(root, "sys/bus/pci/devices/0000:00:01.0/class", "0x020000\n");
        let found = hardware(root);
        assert_eq!(found.disks.len(), 1, "{:?}", found.disks);
        let disk = &found.disks[0];
        assert_eq!(
            (disk.name.as_str(), disk.size.0, disk.bus),
            ("sda", 1 << 20, DriveBus::Sata)
        );
        assert_eq!(
            (disk.model.as_deref(), disk.serial.as_deref()),
            (Some("QEMU HARDDISK"), Some("serial-1"))
        );
        assert_eq!(found.memory.0, 1 << 20);
        assert_eq!(found.pci, ["8086:100e 020000"]);
        assert_eq!(found.firmware, "bios");
    }
}
