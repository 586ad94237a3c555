//! A `busbar` with a folder of its own, and a daemon with an emulated rack for chores that check it against programs of
//! others.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::command::{cmd, output, run, shown};
use crate::process::{Process, curl};

/// For a server to answer; NetBox imports for ten seconds on an idle machine.
const PATIENCE: Duration = Duration::from_secs(180);

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

/// A debug build of this tree.
pub fn built() -> Result<PathBuf> {
    run(cmd("cargo build --locked --quiet --package busbar").current_dir(crate::root()))?;
    Ok(crate::target().join("x86_64-unknown-linux-gnu/debug/busbar"))
}

/// A folder with nothing in it, by its whole path.
pub fn emptied(folder: &Path) -> Result<PathBuf> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    Ok(fs::canonicalize(folder)?)
}

/// A program `busbar`, and the folder that its user has: state, context, logs.
pub struct Home {
    /// The program.
    pub binary: PathBuf,
    /// The folder.
    pub folder: PathBuf,
}

impl Home {
    /// In that folder.
    pub fn new(binary: &Path, folder: &Path) -> Home {
        Home {
            binary: binary.to_owned(),
            folder: folder.to_owned(),
        }
    }

    /// What its daemon keeps.
    pub fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// How its client finds the daemon.
    pub fn context(&self) -> PathBuf {
        self.folder.join("context.json")
    }

    /// Where each of them is, for a command.
    pub fn environment(&self) -> [(&'static str, PathBuf); 3] {
        [
            ("HOME", self.folder.clone()),
            ("BUSBAR_STATE", self.state()),
            ("BUSBAR_CONTEXT", self.context()),
        ]
    }

    /// `busbar` with these words.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(words);
        self.at_home(&mut command);
        command
    }

    /// Any command that calls it.
    pub fn at_home(&self, command: &mut Command) {
        command
            .envs(self.environment())
            .env("NO_COLOR", "1")
            .stdin(Stdio::null());
    }

    /// What a command prints.
    pub fn call(&self, words: &[&str]) -> Result<String> {
        output(&mut self.command(words))
    }

    /// A command's answer with `--json`.
    pub fn json(&self, words: &[&str]) -> Result<Value> {
        let mut command = self.command(words);
        let text = output(command.arg("--json"))?;
        serde_json::from_str(&text).with_context(|| format!("`{}` printed no JSON: {text}", shown(&command)))
    }

    /// What the API answers, see [`curl`].
    pub fn ask(&self, path: &str, times: usize, more: &str) -> Result<String> {
        curl(&self.context(), path, times, more)
    }
}

/// A Busbar with an emulated rack, as its user has it.
pub struct Busbar {
    /// The program, its state, log and the client's context.
    pub home: Home,
    _daemon: Process,
}

impl Busbar {
    /// Builds it, and starts its daemon on `port` in a folder of its own; comes back when its rack is found. The ports of
    /// the rack follow from that one.
    pub fn up(folder: &Path, nodes: u32, port: u16) -> Result<Busbar> {
        let home = Home::new(&built()?, &emptied(&folder.join("busbar"))?);
        let mut up = home.command(&["up", "--emulate", "--speed", "50", "--nodes", &nodes.to_string()]);
        up.args(["--listen", &format!("127.0.0.1:{port}")]);
        let mut daemon = Process::start("daemon", &home.folder, &mut up)?;
        let boxes = nodes as usize + 1;
        daemon.until(PATIENCE, || {
            let all = home.json(&["ls"]).unwrap_or_default();
            all.as_array().is_some_and(|all| all.len() >= boxes)
        })?;
        Ok(Busbar { home, _daemon: daemon })
    }

    /// What a command prints.
    pub fn call(&self, arguments: &[&str]) -> Result<String> {
        self.home.call(arguments)
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
