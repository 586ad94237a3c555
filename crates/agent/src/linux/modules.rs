//! Drivers: loads what the hardware asks for from the kit's initramfs.
//!
//! The kit's builder resolved everything (`kit::modules`); what is left is to match each device's `modalias` against the
//! index and to load the module after those it depends on.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use tracing::{info, warn};

use crate::kit::modules::{Index, matches};

/// Where the kit's builder puts the index.
pub(super) const INDEX: &str = "/busbar/modules.json";
/// Devices have settled when nothing new came for so long.
const QUIET: Duration = Duration::from_millis(600);
/// Waits no longer than this: a controller with many dead disks. What comes later is found by the chores.
const LONGEST: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(50);

/// The kit's drivers, and which are loaded.
pub(super) struct Modules {
    index: Index,
    loaded: BTreeSet<String>,
    asked: BTreeSet<String>,
}

impl Modules {
    /// Reads the index; a kernel with everything built in has none.
    pub(super) fn read(path: &Path) -> Modules {
        let index = fs::read(path)
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok())
            .unwrap_or_else(|| {
                warn!("no index of drivers at {}: only built-in ones serve", path.display());
                Index {
                    files: BTreeMap::new(),
                    aliases: Vec::new(),
                }
            });
        Modules {
            index,
            loaded: BTreeSet::new(),
            asked: BTreeSet::new(),
        }
    }

    /// Loads drivers until no new device turns up for a while.
    pub(super) fn settle(&mut self) {
        let began = Instant::now();
        let mut changed = began;
        let mut last = 0;
        while changed.elapsed() < QUIET && began.elapsed() < LONGEST {
            let news = self.load_wanted();
            let devices = count("/sys/class/block") + count("/sys/class/net");
            if news || devices != last {
                (changed, last) = (Instant::now(), devices);
            }
            std::thread::sleep(POLL);
        }
        info!("{} drivers loaded", self.loaded.len());
    }

    /// Loads what devices ask for now. Whether there was any new.
    pub(super) fn load_wanted(&mut self) -> bool {
        let mut news = false;
        for alias in wanted() {
            if !self.asked.insert(alias.clone()) {
                continue;
            }
            let names: Vec<String> = self
                .index
                .aliases
                .iter()
                .filter(|(p, _)| matches(p, &alias))
                .map(|(_, n)| n.clone())
                .collect();
            for name in names {
                news |= self.load(&name, 0);
            }
        }
        news
    }

    fn load(&mut self, name: &str, depth: u32) -> bool {
        // chains of the kernel are five deep; the index is of our own making, but a ring must not hang a machine
        if depth > 16 || !self.loaded.insert(name.to_string()) {
            return false;
        }
        let Some(module) = self.index.files.get(name).cloned() else {
            return false;
        };
        for dependency in &module.depends {
            self.load(dependency, depth + 1);
        }
        let done = fs::File::open(&module.file).and_then(|file| Ok(rustix::system::finit_module(file, c"", 0)?));
        match done {
            Ok(()) => true,
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => false,
            Err(e) => {
                warn!("cannot load driver {name}: {e}");
                false
            }
        }
    }
}

/// What devices ask for: `/sys/bus/*/devices/*/modalias`.
fn wanted() -> Vec<String> {
    let mut all = Vec::new();
    for bus in fs::read_dir("/sys/bus").into_iter().flatten().flatten() {
        for device in fs::read_dir(bus.path().join("devices")).into_iter().flatten().flatten() {
            if let Ok(alias) = fs::read_to_string(device.path().join("modalias")) {
                all.push(alias.trim_end().to_string());
            }
        }
    }
    all
}

fn count(folder: &str) -> usize {
    fs::read_dir(folder).map_or(0, Iterator::count)
}
