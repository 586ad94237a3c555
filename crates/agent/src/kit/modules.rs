//! Which drivers the kit has, and the index by which the agent finds them.
//!
//! All that is hard is done here, when the kit is built: which modules are wanted, what they depend on, which devices
//! they serve. The first process only matches and loads.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{KitError, elf};

/// The drivers of the kit. What needs firmware from Debian's non-free packages to work at all is left out.
pub const WANTED: &[&str] = &[
    // virtual machines
    "virtio_pci",
    "virtio_mmio",
    "virtio_blk",
    "virtio_scsi",
    "virtio_net",
    "vmxnet3",
    "ena",
    "hv_vmbus",
    "hv_netvsc",
    "hv_storvsc",
    // ports: Intel, Broadcom, Mellanox/NVIDIA, Realtek, Marvell, Cisco, and the PHYs they ask for by name
    "e1000",
    "e1000e",
    "igb",
    "igc",
    "ixgbe",
    "i40e",
    "ice",
    "bnxt_en",
    "tg3",
    "broadcom",
    "mlx4_core",
    "mlx4_en",
    "mlx5_core",
    "r8169",
    "realtek",
    "atlantic",
    "enic",
    // disks: NVMe (also behind Intel VMD), SATA, and the controllers of server makers
    "nvme",
    "vmd",
    "ahci",
    "ata_piix",
    "ata_generic",
    "sd_mod",
    "megaraid_sas",
    "mpt3sas",
    "mpi3mr",
    "smartpqi",
    "hpsa",
    "aacraid",
];

/// The index in the initramfs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Index {
    /// Modules by name.
    pub files: BTreeMap<String, Module>,
    /// Which device asks for which module: pattern and name.
    pub aliases: Vec<(String, String)>,
}

/// A module in the initramfs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Module {
    /// Its path.
    pub file: String,
    /// What must be loaded before it.
    pub depends: Vec<String>,
}

/// The drivers that were picked.
#[derive(Debug, Default)]
pub struct Drivers {
    /// The index.
    pub index: Index,
    /// Files of the initramfs: path and content, in order.
    pub contents: BTreeMap<String, Vec<u8>>,
}

/// Picks the wanted drivers and all that they depend on from `/lib/modules/VERSION`. A driver that this kernel has built in,
/// or has not, is passed over.
pub fn pick(folder: &Path) -> Result<Drivers, KitError> {
    let mut all = BTreeMap::new();
    walk(&folder.join("kernel"), &mut all, 0)?;
    let mut drivers = Drivers::default();
    let mut todo: Vec<String> = WANTED.iter().map(|name| (*name).to_string()).collect();
    while let Some(name) = todo.pop() {
        let Some(path) = all.get(&name).filter(|_| !drivers.index.files.contains_key(&name)) else {
            continue;
        };
        let content = unpacked(path)?;
        let info = elf::module_info(&content).ok_or_else(|| KitError::Bad {
            path: path.clone(),
            why: "it is not a module of this machine".to_string(),
        })?;
        let mut depends = Vec::new();
        for (key, value) in info {
            match key.as_str() {
                // built-in ones are told too, and are not to be loaded
                "depends" => depends.extend(value.split(',').map(plain).filter(|d| all.contains_key(d))),
                "alias" => drivers.index.aliases.push((value, name.clone())),
                _ => {}
            }
        }
        todo.extend(depends.iter().cloned());
        let file = format!("busbar/modules/{name}.ko");
        drivers.index.files.insert(
            name,
            Module {
                file: format!("/{file}"),
                depends,
            },
        );
        drivers.contents.insert(file, content);
    }
    drivers.index.aliases.sort();
    Ok(drivers)
}

/// Names are written with `-` and `_` alike.
fn plain(name: &str) -> String {
    name.trim().replace('-', "_")
}

fn walk(folder: &Path, all: &mut BTreeMap<String, PathBuf>, depth: u32) -> Result<(), KitError> {
    // the kernel's tree is nine deep; links are not followed
    if depth > 16 {
        return Ok(());
    }
    for entry in fs::read_dir(folder).map_err(KitError::file("list", folder))? {
        let entry = entry.map_err(KitError::file("list", folder))?;
        let path = entry.path();
        if entry.file_type().is_ok_and(|t| t.is_dir()) {
            walk(&path, all, depth + 1)?;
        } else if let Some((stem, "" | ".xz" | ".zst")) = entry.file_name().to_str().and_then(|n| n.split_once(".ko")) {
            all.insert(plain(stem), path);
        }
    }
    Ok(())
}

/// A module's bytes; Debian packs them since 13.
fn unpacked(path: &Path) -> Result<Vec<u8>, KitError> {
    match path.extension().and_then(|e| e.to_str()) {
        Some("xz") => super::fetch::run("xz", "xz-utils", |c| c.arg("-dc").arg(path), "is the file whole?"),
        Some("zst") => {
            let packed = fs::read(path).map_err(KitError::file("read", path))?;
            zstd::decode_all(&packed[..]).map_err(KitError::file("unpack", path))
        }
        _ => fs::read(path).map_err(KitError::file("read", path)),
    }
}

/// Whether a device's `modalias` fits a module's pattern (`*` and `?`, as in fnmatch).
pub fn matches(pattern: &str, alias: &str) -> bool {
    let (pattern, alias) = (pattern.as_bytes(), alias.as_bytes());
    let (mut p, mut a) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while a < alias.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p + 1, a));
                p += 1;
            }
            Some(c) if *c == b'?' || *c == alias[a] => (p, a) = (p + 1, a + 1),
            _ => {
                // the last star takes one more
                let Some((after, taken)) = star else { return false };
                star = Some((after, taken + 1));
                (p, a) = (after, taken + 1);
            }
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::kit::elf::tests::module;

    #[test]
    fn a_device_finds_its_driver() {
        let virtio = "pci:v00001AF4d00001041sv00001AF4sd00001100bc02sc00i00";
        assert!(matches("pci:v00001AF4d*sv*sd*bc*sc*i*", virtio));
        assert!(!matches("pci:v00008086d*sv*sd*bc*sc*i*", virtio));
        assert!(matches("pci:v*d*sv*sd*bc02sc00i*", virtio));
        assert!(!matches("pci:v*d*sv*sd*bc01sc08i02*", virtio));
        assert!(matches("scsi:t-0x00*", "scsi:t-0x00"));
        assert!(matches("a?c", "abc") && !matches("a?c", "ac") && !matches("", "x") && matches("*", ""));
    }

    #[test]
    fn drivers_come_with_all_they_depend_on_and_no_others() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("kernel/drivers");
        fs::create_dir_all(&folder).unwrap();
        let put = |name: &str, info: &str| fs::write(folder.join(name), module(info)).unwrap();
        put(
            "nvme.ko",
            "alias=pci:v*d*sv*sd*bc01sc08i02*\0depends=nvme-core,built_in\0",
        );
        put("nvme-core.ko", "depends=t10-pi\0");
        put("t10-pi.ko", "depends=\0");
        put("parport.ko", "depends=\0alias=x\0");
        let drivers = pick(root.path()).unwrap();
        let names: Vec<_> = drivers.index.files.keys().map(String::as_str).collect();
        assert_eq!(names, ["nvme", "nvme_core", "t10_pi"]);
        assert_eq!(drivers.index.files["nvme"].depends, ["nvme_core"]);
        assert_eq!(drivers.index.aliases.len(), 1);
        assert!(drivers.contents.contains_key("busbar/modules/t10_pi.ko"));
    }
}
