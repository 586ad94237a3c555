//! The log, on every console that the kernel has: the serial line that a BMC carries and the screen alike.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Mutex;

use rustix::fs::OFlags;
use tracing_subscriber::fmt::time;

/// Sends the log to all consoles from here on.
pub(super) fn start() {
    let active = std::fs::read_to_string("/sys/class/tty/console/active").unwrap_or_default();
    let mut names: Vec<&str> = active.split_ascii_whitespace().collect();
    if names.is_empty() {
        names.push("console");
    }
    // a serial line with nobody at its end must not stop the agent
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits() as i32;
    let open = |name: &&str| {
        OpenOptions::new()
            .write(true)
            .custom_flags(flags)
            .open(format!("/dev/{name}"))
            .ok()
    };
    let consoles = Consoles(names.iter().filter_map(open).collect());
    let done = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::INFO)
        .with_timer(time::uptime())
        .with_ansi(false)
        .with_target(false)
        .with_writer(Mutex::new(consoles))
        .try_init();
    if let Err(e) = done {
        eprintln!("no log: {e}");
    }
}

struct Consoles(Vec<File>);

impl Write for Consoles {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        for console in &mut self.0 {
            // a console that is full loses the line: the daemon has the state anyway
            let _ = console.write_all(line);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
