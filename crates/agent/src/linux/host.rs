//! [`Host`] over sysfs, block devices and `reboot(2)`.

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rack::agent::{FoundDisk, FoundHardware, WipeMethod};
use rustix::system::{RebootCommand, reboot};
use tracing::{error, info};

use super::disk::LinuxDisk;
use super::inventory::{self, text};
use super::{ioctl, nvme};
use crate::seam::{Disk, Future, Host, HostError};

/// Tries to have the partition table read again: someone (the kernel itself) may still hold the disk.
const SETTLE_TRIES: u32 = 20;
const SETTLE_PAUSE: Duration = Duration::from_millis(250);

/// The machine that this process runs on.
#[derive(Debug)]
pub struct LinuxHost {
    boot: String,
    root: PathBuf,
}

impl LinuxHost {
    /// This machine.
    #[allow(clippy::new_without_default)] // looking at a machine is not a default
    pub fn new() -> LinuxHost {
        let boot = text("/proc/sys/kernel/random/boot_id").unwrap_or_else(|| "unknown".to_string());
        LinuxHost {
            boot,
            root: PathBuf::from("/"),
        }
    }
}

/// Runs what blocks on a thread of its own.
fn blocking<T: Send + 'static>(
    attempt: &str,
    on: &str,
    act: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Future<'static, Result<T, HostError>> {
    let (attempt, on) = (attempt.to_string(), on.to_string());
    Box::pin(async move {
        let done = tokio::task::spawn_blocking(act)
            .await
            .unwrap_or_else(|e| Err(io::Error::other(e)));
        done.map_err(|source| HostError { attempt, on, source })
    })
}

impl Host for LinuxHost {
    fn boot_id(&self) -> String {
        self.boot.clone()
    }

    fn found(&self) -> Future<'_, Result<FoundHardware, HostError>> {
        let root = self.root.clone();
        blocking("take inventory", "sysfs", move || Ok(inventory::hardware(&root)))
    }

    fn open<'a>(&'a self, disk: &'a FoundDisk) -> Future<'a, Result<Box<dyn Disk>, HostError>> {
        let (name, size) = (disk.name.clone(), disk.size.0);
        blocking("open", &disk.name, move || {
            Ok(Box::new(LinuxDisk::open(&name, size)?) as Box<dyn Disk>)
        })
    }

    fn erase<'a>(&'a self, disk: &'a FoundDisk) -> Future<'a, Result<Option<WipeMethod>, HostError>> {
        let name = disk.name.clone();
        blocking("erase", &disk.name, move || {
            let folder = Path::new("/sys/block").join(&name);
            let Some(namespace) = text(folder.join("nsid")).and_then(|t| t.parse().ok()) else {
                return Ok(None);
            };
            let device = OpenOptions::new().read(true).write(true).open(format!("/dev/{name}"))?;
            nvme::erase(&device, &name, namespace)
        })
    }

    fn settle<'a>(&'a self, disk: &'a FoundDisk) -> Future<'a, Result<(), HostError>> {
        let name = disk.name.clone();
        blocking("read the partition table", &disk.name, move || {
            let device = OpenOptions::new().read(true).open(format!("/dev/{name}"))?;
            let mut tried = 0;
            loop {
                tried += 1;
                match ioctl::read_partitions(&device) {
                    Ok(()) => return Ok(()),
                    // a disk that takes no partitions
                    Err(e) if e.kind() == io::ErrorKind::InvalidInput => return Ok(()),
                    Err(e) if tried == SETTLE_TRIES => return Err(e),
                    Err(_) => std::thread::sleep(SETTLE_PAUSE),
                }
            }
        })
    }

    fn power_off(&self) -> Future<'_, ()> {
        Box::pin(async {
            info!("switching off");
            rustix::fs::sync();
            if let Err(e) = reboot(RebootCommand::PowerOff) {
                error!("cannot switch off: {e}");
            }
        })
    }
}
