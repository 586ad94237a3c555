//! The real machine: the duties of the first process, and [`Host`](crate::seam::Host) over sysfs and block devices.
//!
//! [`init`] is what the kernel of the boot kit starts. It mounts the kernel's own file systems, opens the consoles, loads the
//! drivers that the hardware asks for, gets an address by DHCP, and runs the agent. Nothing here decides what is done to
//! a disk: that is [`crate::install`] and [`crate::wipe`].

mod console;
mod dhcp;
mod disk;
mod host;
mod inventory;
mod ioctl;
mod modules;
mod net;
mod netlink;
mod nvme;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;

use rack::Mac;
use rustix::mount::{MountFlags, mount};
use rustix::system::{RebootCommand, reboot};
use tracing::{error, info, warn};

pub use host::LinuxHost;

use crate::http::HttpDaemon;

/// How long a person has to read the last words before the machine starts anew.
const LAST_WORDS: Duration = Duration::from_secs(10);
/// How often late devices are looked for, and dead children buried.
const CHORES: Duration = Duration::from_secs(2);

/// What the kernel command line tells the agent.
#[derive(Clone, Default, PartialEq, Eq)]
struct CommandLine {
    /// `busbar.url=`: the daemon.
    url: Option<String>,
    /// `busbar.token=`: bearer token of this boot. Secret.
    token: Option<String>,
    /// `busbar.mac=`, or pxelinux's and iPXE's `BOOTIF=01-…`: the port that the machine booted from.
    mac: Option<Mac>,
}

impl CommandLine {
    fn parse(text: &str) -> CommandLine {
        let mut line = CommandLine::default();
        for word in text.split_ascii_whitespace() {
            match word.split_once('=') {
                Some(("busbar.url", url)) => line.url = Some(url.to_string()),
                Some(("busbar.token", token)) => line.token = Some(token.to_string()),
                Some(("busbar.mac", mac)) => line.mac = mac.parse().ok(),
                // 01 is the hardware type: Ethernet
                Some(("BOOTIF", mac)) => line.mac = line.mac.or(mac.get(3..).and_then(|m| m.parse().ok())),
                _ => {}
            }
        }
        line
    }
}

/// The first process. Call it when the program was started as `/init`; it never returns, and never leaves the machine
/// dead: whatever goes wrong is printed, and the machine starts anew.
pub fn init() -> ! {
    let ended = catch_unwind(AssertUnwindSafe(agent));
    match ended {
        Ok(Ok(())) => info!("the agent is done"),
        Ok(Err(e)) => error!("{e}"),
        // the panic itself was printed by the standard hook
        Err(_) => error!("the agent broke"),
    }
    error!("starting anew in {} s", LAST_WORDS.as_secs());
    std::thread::sleep(LAST_WORDS);
    rustix::fs::sync();
    let failed = reboot(RebootCommand::Restart);
    error!("cannot restart: {failed:?}");
    loop {
        std::thread::sleep(LAST_WORDS);
    }
}

/// What keeps the agent from running.
#[derive(Debug, thiserror::Error)]
enum InitError {
    #[error("cannot mount {on}: {source}")]
    Mount { on: &'static str, source: std::io::Error },
    #[error("the kernel command line has no {0}: the boot script must give it")]
    Missing(&'static str),
    #[error("{0}")]
    Daemon(#[from] crate::http::BadDaemon),
    #[error("cannot start the runtime: {0}")]
    Runtime(std::io::Error),
}

fn agent() -> Result<(), InitError> {
    for (kind, on, flags) in [
        (
            "proc",
            "/proc",
            MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC,
        ),
        (
            "sysfs",
            "/sys",
            MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC,
        ),
        ("devtmpfs", "/dev", MountFlags::NOSUID | MountFlags::NOEXEC),
        ("tmpfs", "/run", MountFlags::NOSUID | MountFlags::NODEV),
    ] {
        let made = std::fs::create_dir_all(on);
        let done = made.and_then(|()| Ok(mount(kind, on, kind, flags, None)?));
        match done {
            // the kernel may have mounted devtmpfs before
            Err(e) if e.raw_os_error() == Some(rustix::io::Errno::BUSY.raw_os_error()) => {}
            done => done.map_err(|source| InitError::Mount { on, source })?,
        }
    }
    console::start();
    info!(
        "Busbar {} on {}",
        env!("CARGO_PKG_VERSION"),
        rustix::system::uname().release().to_string_lossy()
    );
    let line = CommandLine::parse(&std::fs::read_to_string("/proc/cmdline").unwrap_or_default());
    let url = line.url.ok_or(InitError::Missing("busbar.url"))?;
    let token = line.token.ok_or(InitError::Missing("busbar.token"))?;

    let mut drivers = modules::Modules::read(Path::new(modules::INDEX));
    drivers.settle();
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(CHORES);
            drivers.load_wanted();
            // the agent starts no process; orphans of the kernel's helpers are not worth more than this
            while let Ok(Some(_)) = rustix::process::wait(rustix::process::WaitOptions::NOHANG) {}
        }
    });
    net::up(line.mac);

    let daemon = HttpDaemon::new(&url, &token)?;
    info!("the daemon is at {url}");
    let threads = std::thread::available_parallelism().map_or(2, |n| n.get().clamp(2, 8));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .map_err(InitError::Runtime)?;
    let host = LinuxHost::new();
    runtime.block_on(crate::run(&host, &daemon));
    warn!("the machine was to be off by now");
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_command_line_names_daemon_token_and_port() {
        let line = CommandLine::parse(
            "quiet busbar.url=http://10.0.0.1:7480 busbar.token=s=ecret BOOTIF=01-52-54-00-12-34-56 console=ttyS0\n",
        );
        assert_eq!(line.url.as_deref(), Some("http://10.0.0.1:7480"));
        assert_eq!(line.token.as_deref(), Some("s=ecret"));
        assert_eq!(line.mac, Some(Mac([0x52, 0x54, 0, 0x12, 0x34, 0x56])));
        let both = CommandLine::parse("busbar.mac=02:00:00:00:00:01 BOOTIF=01-52-54-00-12-34-56");
        assert_eq!(both.mac, Some(Mac([2, 0, 0, 0, 0, 1])));
        assert!(CommandLine::parse("BOOTIF=é busbar.mac=x") == CommandLine::default());
    }
}
