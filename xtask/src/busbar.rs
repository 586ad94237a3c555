//! Busbar as its user meets it: every command line that the scenario types, in one place.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::command::{output, shown};
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

/// A busbar binary and the state folder that its daemon keeps.
pub struct Busbar {
    binary: PathBuf,
    state: PathBuf,
    rack_file: PathBuf,
}

impl Busbar {
    /// Writes down the rack, as its owner would.
    pub fn new(binary: &Path, folder: &Path, machines: &[Machine]) -> Result<Self> {
        let rack_file = folder.join("rack.toml");
        let slots: Vec<String> = machines
            .iter()
            .map(|machine| format!("\"{}\" = \"{}\"", machine.uuid, slot(machine)))
            .collect();
        fs::write(
            &rack_file,
            format!(
                "[rack]\nname = \"{RACK}\"\ncredential = \"bench\"\n\n\
                 [network]\nfirst = \"10.77.0.100\"\nlast = \"10.77.0.199\"\n\n\
                 [[bmc]]\naddress = \"{}\"\nslots = {{ {} }}\n",
                Lab::bmc_url(),
                slots.join(", ")
            ),
        )?;
        Ok(Self {
            binary: binary.to_owned(),
            state: folder.join("state"),
            rack_file,
        })
    }

    /// The daemon.
    pub fn up(&self) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .args([
                "up",
                "--interface",
                BRIDGE,
                "--listen",
                &format!("{GATEWAY}:7400"),
                "--state",
            ])
            .arg(&self.state)
            .arg("--rack")
            .arg(&self.rack_file)
            .arg("--kit")
            .arg(kit());
        command
    }

    /// Gives the daemon the BMC's password, on standard input so that no process list shows it.
    pub fn credential(&self) -> Result<()> {
        let mut command = self.command(&["credential", "add", "bench", "--user", BMC_USER]);
        let _ = BMC_PASSWORD;
        output(&mut command).map(drop)
    }

    /// Any other command: what it printed, or an error with what it said.
    pub fn call(&self, arguments: &[&str]) -> Result<String> {
        output(&mut self.command(arguments))
    }

    /// A command's answer with `--json`.
    pub fn json(&self, arguments: &[&str]) -> Result<Value> {
        let mut command = self.command(arguments);
        let text = output(command.arg("--json"))?;
        serde_json::from_str(&text).with_context(|| format!("`{}` printed no JSON: {text}", shown(&command)))
    }

    /// A record of proof, by its key.
    pub fn proof(&self, key: &str) -> Result<Value> {
        self.json(&["cat", key])
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(arguments).env("BUSBAR_STATE", &self.state);
        command
    }
}
