//! A daemon with an emulated rack for chores that check it against programs of others, and those programs' own life.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::command::{cmd, output, run};

/// For a server to answer; NetBox imports for ten seconds on an idle machine.
const PATIENCE: Duration = Duration::from_secs(180);

/// A program that ends with the run.
pub struct Server(pub Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

/// A port that is free now.
pub fn free() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Waits until something is so.
pub fn until(what: &str, ready: impl FnMut() -> bool) -> Result<()> {
    until_within(what, PATIENCE, ready)
}

/// The same, no longer than `patience`.
pub fn until_within(what: &str, patience: Duration, mut ready: impl FnMut() -> bool) -> Result<()> {
    let began = Instant::now();
    while !ready() {
        ensure!(
            began.elapsed() < patience,
            "{what} does not answer after {} s",
            patience.as_secs()
        );
        sleep(Duration::from_millis(300));
    }
    Ok(())
}

/// A Busbar with an emulated rack, as its user has it.
pub struct Busbar {
    /// The program.
    pub binary: PathBuf,
    /// Its state, log and the client's context.
    pub folder: PathBuf,
    _daemon: Server,
}

impl Busbar {
    /// The program, as its user has set it up.
    pub fn command(binary: &Path, folder: &Path) -> Command {
        let mut command = Command::new(binary);
        command
            .env("BUSBAR_STATE", folder.join("state"))
            .env("BUSBAR_CONTEXT", folder.join("context.json"));
        command
    }

    /// Builds it, and starts its daemon on `port` in a folder of its own; comes back when its rack is found. The ports of
    /// the rack follow from that one.
    pub fn up(folder: &Path, nodes: u32, port: u16) -> Result<Busbar> {
        run(cmd("cargo build --locked --quiet --package busbar").current_dir(crate::root()))?;
        let binary = crate::target().join("x86_64-unknown-linux-gnu/debug/busbar");
        let folder = folder.join("busbar");
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        let mut up = Self::command(&binary, &folder);
        up.args(["up", "--emulate", "--speed", "50", "--nodes", &nodes.to_string()]);
        up.args(["--listen", &format!("127.0.0.1:{port}")]);
        let log = fs::File::create(folder.join("log"))?;
        let daemon = Server(up.stdout(log.try_clone()?).stderr(log).spawn()?);
        let busbar = Busbar {
            binary,
            folder,
            _daemon: daemon,
        };
        let boxes = nodes as usize + 1;
        until("the emulated rack", || {
            busbar
                .call(&["ls", "--json"])
                .ok()
                .and_then(|t| serde_json::from_str::<Vec<Value>>(&t).ok())
                .is_some_and(|all| all.len() >= boxes)
        })?;
        Ok(busbar)
    }

    /// What a command prints.
    pub fn call(&self, arguments: &[&str]) -> Result<String> {
        output(Self::command(&self.binary, &self.folder).args(arguments))
    }

    /// The same, and how long it took is told.
    pub fn timed(&self, what: &str, arguments: &[&str]) -> Result<String> {
        let began = Instant::now();
        let said = self.call(arguments)?;
        let last = said.trim().lines().last().unwrap_or_default();
        println!("{what:<34} {:>6.1} s   {last}", began.elapsed().as_secs_f64());
        Ok(said)
    }
}
