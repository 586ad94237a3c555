//! The two processes that are measured: the emulator with its hall, and the daemon that watches it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::command::output;
use crate::process::{Used, curl, free_port, used};

/// How long either may take until it answers.
const READY: Duration = Duration::from_secs(120);
/// The login of every emulated BMC.
const LOGIN: (&str, &str) = ("admin", "emulated");
/// What the daemon is asked for by the second, at most.
const ASK: Duration = Duration::from_millis(100);

/// An emulator; it ends with the value.
pub struct Emulator {
    child: Child,
    /// Rack files, one for each rack.
    pub racks: Vec<PathBuf>,
    control: String,
}

impl Emulator {
    /// Starts a hall of so many BMCs.
    pub fn start(binary: &Path, folder: &Path, bmcs: u32) -> Result<Emulator> {
        let (racks, log) = (folder.join("racks"), folder.join("emulator.log"));
        let _ = fs::remove_dir_all(&racks);
        let password = password(folder)?;
        let child = Command::new(binary)
            .args(["emulate", "--json", "--tls", "--user", LOGIN.0])
            .args(["--hall", &bmcs.to_string()])
            .args(["--listen", &format!("127.0.0.1:{}", free_port(21_000..22_400)?)])
            .args(["--control", "127.0.0.1:0"])
            .arg("--password-file")
            .arg(password)
            .arg("--rack-files")
            .arg(&racks)
            .stdin(Stdio::null())
            .stdout(fs::File::create(&log)?)
            .stderr(fs::File::create(folder.join("emulator.err"))?)
            .spawn()
            .context("starting the emulator")?;
        let mut emulator = Emulator {
            child,
            racks: Vec::new(),
            control: String::new(),
        };
        let begun = Instant::now();
        let told: Value = loop {
            if let Some(line) = fs::read_to_string(&log)?.lines().next() {
                break serde_json::from_str(line)?;
            }
            if begun.elapsed() > READY || emulator.child.try_wait()?.is_some() {
                let said = fs::read_to_string(folder.join("emulator.err"))?;
                bail!("the emulator is not ready: {said}");
            }
            sleep(ASK);
        };
        emulator.control = told["control"]
            .as_str()
            .context("the emulator has a control endpoint")?
            .to_owned();
        for entry in fs::read_dir(&racks)? {
            emulator.racks.push(entry?.path());
        }
        emulator.racks.sort();
        Ok(emulator)
    }

    pub fn used(&self) -> Result<Used> {
        used(&self.child, "emulator")
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

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A daemon that only watches; it ends with the value.
pub struct Daemon {
    child: Option<Child>,
    binary: PathBuf,
    folder: PathBuf,
    port: u16,
}

impl Daemon {
    /// An empty one, which has the password and watches nothing yet; and what it uses then.
    pub fn prepare(binary: &Path, folder: &Path) -> Result<(Daemon, Used)> {
        let _ = fs::remove_dir_all(folder.join("state"));
        let _ = fs::remove_file(folder.join("context.json"));
        let mut daemon = Daemon {
            child: None,
            binary: binary.to_owned(),
            folder: folder.to_owned(),
            port: free_port(23_400..25_000)?,
        };
        daemon.up(&[])?;
        let begun = Instant::now();
        while daemon.status().is_err() {
            daemon.waits(begun)?;
        }
        let mut set = Command::new(binary);
        set.args(["credential", "set", "hall", "--user", LOGIN.0, "--password-file"]);
        daemon.at_home(set.arg(password(folder)?));
        output(&mut set)?;
        let empty = daemon.used()?;
        daemon.down()?;
        Ok((daemon, empty))
    }

    /// Starts it on the folder that it has.
    pub fn up(&mut self, racks: &[PathBuf]) -> Result<()> {
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.join("daemon.log"))?;
        let mut command = Command::new(&self.binary);
        command.args(["up", "--listen", &format!("127.0.0.1:{}", self.port)]);
        for rack in racks {
            command.arg("--rack").arg(rack);
        }
        self.at_home(&mut command);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        self.child = Some(command.spawn().context("starting the daemon")?);
        Ok(())
    }

    /// Asks it to end, and waits for that.
    pub fn down(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            output(Command::new("kill").arg(child.id().to_string()))?;
            child.wait()?;
        }
        Ok(())
    }

    /// A pause between two questions; an error when it has ended, or does not answer at all.
    pub fn waits(&mut self, since: Instant) -> Result<()> {
        sleep(ASK);
        let ended = self.child.as_mut().map(Child::try_wait).transpose()?.flatten();
        if ended.is_some() || since.elapsed() > READY {
            let log = fs::read_to_string(self.folder.join("daemon.log"))?;
            let tail: Vec<&str> = log.lines().rev().take(10).collect();
            bail!("the daemon is not ready: {}", tail.join("\n"));
        }
        Ok(())
    }

    pub fn used(&self) -> Result<Used> {
        used(self.child.as_ref().context("the daemon was stopped")?, "daemon")
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
        curl(
            &self.folder.join("context.json"),
            path,
            times,
            &format!("compressed\n{more}"),
        )
    }

    fn at_home(&self, command: &mut Command) {
        command
            .env("HOME", &self.folder)
            .env("BUSBAR_STATE", self.folder.join("state"))
            .env("BUSBAR_CONTEXT", self.folder.join("context.json"))
            .env("NO_COLOR", "1");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn password(folder: &Path) -> Result<PathBuf> {
    let file = folder.join("password");
    fs::write(&file, LOGIN.1)?;
    Ok(file)
}
