//! Servers that are real machines: each is a QEMU under the emulated BMC. Power comes from the plant and goes with it,
//! the serial line and the disks are the machine's, and what it computes is what the plant's processors do: the draw of
//! a box follows from the time that QEMU's threads run ([`usage`]), and a box that is throttled by its cap or its heat
//! runs that much slower. Firmware, loader, kernel and network are nobody's imitation. QEMU computes in software: where
//! a daemon is tried, the processor's virtualization is often missing, or there and broken (nested).
//!
//! Every boot is a QEMU of its own: a restart in the machine ends it (`-no-reboot`), and the next one starts by the boot
//! order of the BMC. Two never meet on one disk: who starts waits until the one before is gone.

mod line;
mod monitor;
mod run;
mod usage;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::process::{Child, Command};
use tokio::sync::mpsc;

pub(crate) use line::TARGETS;
pub(crate) use run::live;

/// What the machines need of their host.
#[derive(Clone)]
pub struct Machines {
    /// QEMU: `qemu-system-x86_64`.
    pub program: PathBuf,
    /// Where their control sockets are made.
    pub folder: PathBuf,
    /// For each server, the tap device of its first port.
    pub taps: Vec<String>,
    /// Starts a process where the taps are.
    pub start: Arc<dyn Start>,
}

impl fmt::Debug for Machines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Machines")
            .field("program", &self.program)
            .field("taps", &self.taps)
            .finish_non_exhaustive()
    }
}

/// Starts processes in the machines' network.
pub trait Start: Send + Sync + 'static {
    /// Starts one.
    fn start(&self, command: Command) -> crate::net::Future<'_, io::Result<Child>>;
}

/// What a machine that runs is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tell {
    /// The power button was pushed (ACPI): the system stops if it listens; then it starts `again`, or stays off.
    Button { again: bool },
}

/// A server's place for its machine.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    /// Held as long as a QEMU has the disks.
    taken: Arc<tokio::sync::Mutex<()>>,
    told: Mutex<Option<mpsc::Sender<Tell>>>,
}

impl Slot {
    /// Tells the machine that runs; nobody is told when none does.
    pub(crate) fn tell(&self, what: Tell) {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(told) = told.as_ref() {
            // Err: it is told already, or just gone
            let _ = told.try_send(what);
        }
    }

    fn listen(&self) -> mpsc::Receiver<Tell> {
        let (sender, told) = mpsc::channel(4);
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        told
    }
}

/// Longest path of a UNIX socket (unix(7): 108 bytes with the NUL).
const SOCKET_PATH: usize = 107;

impl Machines {
    /// Where the machine at this place is controlled.
    fn monitor(&self, place: &str) -> Result<PathBuf, TooLong> {
        let path = self.folder.join(format!("{}.qmp", place.replace('/', "-")));
        if path.as_os_str().len() > SOCKET_PATH {
            return Err(TooLong(path));
        }
        Ok(path)
    }

    /// Whether their sockets' paths are short enough, before anything starts.
    pub fn check(&self, places: &[&str]) -> Result<(), TooLong> {
        places.iter().try_for_each(|p| self.monitor(p).map(drop))
    }
}

/// A socket's path that the kernel can't take.
#[derive(Debug, thiserror::Error)]
#[error(
    "{} is longer than the {SOCKET_PATH} bytes that the path of a socket may have: choose a shorter --state",
    .0.display()
)]
pub struct TooLong(PathBuf);
