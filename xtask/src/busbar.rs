//! Busbar as its user meets it: every command line that the scenario types, in one place.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use serde_json::Value;

use crate::command::{self, output};
use crate::daemon::Home;
use crate::lab::{BMC_PASSWORD, BMC_USER, BRIDGE, GATEWAY, Lab, Machine};

/// Builds the boot kit into the folder that follows.
pub const BUILD_KIT: [&str; 3] = ["kit", "build", "--output"];

/// The boot kit, kept from one run to the next.
pub fn kit() -> PathBuf {
    crate::scratch().join("kit")
}

/// The rack that the machines stand in.
pub const RACK: &str = "r1";

/// Where a machine stands: one rack unit each, in order.
pub fn place(machine: &Machine) -> String {
    format!("{RACK}/{}", slot(machine))
}

fn slot(machine: &Machine) -> &'static str {
    if machine.name == "bios" { "u1" } else { "u2" }
}

/// A busbar binary, and what its daemon is told.
pub struct Busbar {
    /// holds rack file and password as well
    home: Home,
}

impl Busbar {
    /// Writes down the rack and its password, as its owner would.
    pub fn new(binary: &Path, folder: &Path, machines: &[Machine]) -> Result<Self> {
        let busbar = Self {
            home: Home::new(binary, folder),
        };
        let slots: Vec<String> = machines
            .iter()
            .map(|machine| format!("\"{}\" = \"{}\"", machine.uuid, slot(machine)))
            .collect();
        fs::write(
            busbar.file("rack.toml"),
            format!(
                "[rack]\nname = \"{RACK}\"\ncredential = \"bench\"\n\n\
                 [network]\nfirst = \"10.77.0.100\"\nlast = \"10.77.0.199\"\n\n\
                 [[bmc]]\naddress = \"{}\"\nslots = {{ {} }}\n",
                Lab::bmc_url(),
                slots.join(", ")
            ),
        )?;
        fs::write(busbar.file("password"), BMC_PASSWORD)?;
        Ok(busbar)
    }

    /// The daemon.
    pub fn up(&self) -> Command {
        let mut up = self.command(&["up", "--interface", BRIDGE, "--listen", &format!("{GATEWAY}:7400")]);
        up.arg("--rack").arg(self.file("rack.toml")).arg("--kit").arg(kit());
        up
    }

    /// Gives the daemon the BMC's password.
    pub fn set_credential(&self) -> Result<()> {
        let mut set = self.command(&["credential", "set", "bench", "--user", BMC_USER, "--password-file"]);
        output(set.arg(self.file("password"))).map(drop)
    }

    /// Asks for a machine; with `follow`, comes back when it runs.
    pub fn run(&self, ask: &Ask, follow: bool) -> Result<()> {
        let mut run = self.command(&["run", ask.image, "--name", ask.name, "--on", ask.place]);
        run.arg("--ssh-key")
            .arg(ask.ssh_key)
            .arg("--user-data")
            .arg(ask.user_data)
            .args(["--login", ask.login]);
        if follow {
            command::run(run.args(["--timeout", "15m"]))
        } else {
            output(run.arg("--detach")).map(drop)
        }
    }

    /// Gives a machine back, and comes back when it is.
    pub fn remove(&self, name: &str) -> Result<()> {
        command::run(&mut self.command(&["rm", name, "--yes", "--wait", "15m"]))
    }

    /// A record of proof, by its key.
    pub fn proof(&self, key: &str) -> Result<Value> {
        self.json(&["cat", key])
    }

    /// Any other command: what it printed, or an error with what it said.
    pub fn call(&self, arguments: &[&str]) -> Result<String> {
        self.home.call(arguments)
    }

    /// A command's answer with `--json`.
    pub fn json(&self, arguments: &[&str]) -> Result<Value> {
        self.home.json(arguments)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        self.home.command(arguments)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.home.folder.join(name)
    }
}

/// What a machine is asked for with.
pub struct Ask<'a> {
    pub image: &'a str,
    pub name: &'a str,
    pub place: &'a str,
    pub login: &'a str,
    pub ssh_key: &'a Path,
    pub user_data: &'a Path,
}
