//! The two processes that are measured: the emulator with its hall, and the daemon that watches it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::command::output;
use crate::daemon::Home;
use crate::process::{Process, Used, free_port};

/// How long either may take until it answers.
const READY: Duration = Duration::from_secs(120);
/// The login of every emulated BMC.
const LOGIN: (&str, &str) = ("admin", "emulated");

/// An emulator; it ends with the value.
pub struct Emulator {
    process: Process,
    /// Rack files, one for each rack.
    pub racks: Vec<PathBuf>,
    control: String,
}

impl Emulator {
    /// Starts a hall of so many BMCs.
    pub fn start(binary: &Path, folder: &Path, bmcs: u32) -> Result<Emulator> {
        let racks = folder.join("racks");
        let _ = fs::remove_dir_all(&racks);
        let _ = fs::remove_file(folder.join("emulator.log"));
        let password = password(folder)?;
        let mut emulate = Command::new(binary);
        emulate
            .args(["emulate", "--json", "--tls", "--user", LOGIN.0])
            .args(["--hall", &bmcs.to_string()])
            .args(["--listen", &format!("127.0.0.1:{}", free_port(21_000..22_400)?)])
            .args(["--control", "127.0.0.1:0"])
            .arg("--password-file")
            .arg(password)
            .arg("--rack-files")
            .arg(&racks);
        let mut process = Process::start("emulator", folder, &mut emulate)?;
        let log = process.log.clone();
        let mut control = None;
        process.until(READY, || {
            control = fs::read_to_string(&log).ok().and_then(|text| told(&text));
            control.is_some()
        })?;
        let entries = fs::read_dir(&racks)?.map(|entry| Ok(entry?.path()));
        let mut racks = entries.collect::<Result<Vec<_>>>()?;
        racks.sort();
        Ok(Emulator {
            process,
            racks,
            control: control.context("the emulator has a control endpoint")?,
        })
    }

    pub fn used(&self) -> Result<Used> {
        self.process.used()
    }

    /// Sets a fault; says its number, and the places that it hits.
    pub fn fault(&self, fault: &Value) -> Result<(u64, Vec<String>)> {
        let url = format!("{}/faults", self.control);
        let mut post = Command::new("curl");
        post.args([
            "-sf",
            "-H",
            "content-type: application/json",
            "-d",
            &fault.to_string(),
            &url,
        ]);
        let set: Value = serde_json::from_str(&output(&mut post)?)?;
        let id = set["id"].as_u64().context("a fault has a number")?;
        let hit = output(Command::new("curl").args(["-sf", &format!("{url}/{id}/boxes")]))?;
        Ok((id, serde_json::from_str(&hit)?))
    }

    /// Clears a fault.
    pub fn clear(&self, id: u64) -> Result<()> {
        let url = format!("{}/faults/{id}", self.control);
        output(Command::new("curl").args(["-sf", "-X", "DELETE", &url]))?;
        Ok(())
    }
}

/// Where it is controlled, from the line that it prints when it is ready.
fn told(text: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with('{'))?;
    let told: Value = serde_json::from_str(line).ok()?;
    Some(told["control"].as_str()?.to_owned())
}

/// A daemon that only watches; it ends with the value.
pub struct Daemon {
    process: Option<Process>,
    home: Home,
    port: u16,
}

impl Daemon {
    /// An empty one, which has the password and watches nothing yet; and what it uses then.
    pub fn prepare(binary: &Path, folder: &Path) -> Result<(Daemon, Used)> {
        let _ = fs::remove_dir_all(folder.join("state"));
        let _ = fs::remove_file(folder.join("context.json"));
        let mut daemon = Daemon {
            process: None,
            home: Home::new(binary, folder),
            port: free_port(23_400..25_000)?,
        };
        daemon.up(&[])?;
        let begun = Instant::now();
        while daemon.status().is_err() {
            daemon.waits(begun)?;
        }
        let words = ["credential", "set", "hall", "--user", LOGIN.0, "--password-file"];
        output(daemon.home.command(&words).arg(password(folder)?))?;
        let empty = daemon.used()?;
        daemon.down()?;
        Ok((daemon, empty))
    }

    /// Starts it on the folder that it has.
    pub fn up(&mut self, racks: &[PathBuf]) -> Result<()> {
        let listen = format!("127.0.0.1:{}", self.port);
        let mut command = self.home.command(&["up", "--listen", &listen]);
        for rack in racks {
            command.arg("--rack").arg(rack);
        }
        self.process = Some(Process::start("daemon", &self.home.folder, &mut command)?);
        Ok(())
    }

    /// Asks it to end, and waits for that.
    pub fn down(&mut self) -> Result<()> {
        self.process.take().map_or(Ok(()), |mut process| process.end())
    }

    /// A pause between two questions; an error when it has ended, or does not answer at all.
    pub fn waits(&mut self, since: Instant) -> Result<()> {
        let process = self.process.as_mut().context("the daemon was stopped")?;
        process.waits(since, READY)
    }

    pub fn used(&self) -> Result<Used> {
        self.process.as_ref().context("the daemon was stopped")?.used()
    }

    /// What it says of itself in few words.
    pub fn status(&self) -> Result<Value> {
        self.get("/v1/status")
    }

    pub fn get(&self, path: &str) -> Result<Value> {
        Ok(serde_json::from_str(&self.curl(path, 1, "")?)?)
    }

    /// Seconds until the first byte of each of so many answers over one kept connection.
    pub fn first_bytes(&self, path: &str, times: usize) -> Result<Vec<f64>> {
        let text = self.curl(
            path,
            times + 1,
            "write-out = \"%{num_connects} %{time_starttransfer}\\n\"\n",
        )?;
        let kept = text.lines().filter_map(|line| line.strip_prefix("0 ")?.parse().ok());
        Ok(kept.collect())
    }

    fn curl(&self, path: &str, times: usize, more: &str) -> Result<String> {
        self.home.ask(path, times, &format!("compressed\n{more}"))
    }
}

fn password(folder: &Path) -> Result<PathBuf> {
    let file = folder.join("password");
    fs::write(&file, LOGIN.1)?;
    Ok(file)
}
