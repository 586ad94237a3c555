//! The daemon that is soaked: started, killed, measured, and spoken to by its command line.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::command::cmd;
use crate::daemon::{Home, emptied};
use crate::process::{Process, Used, free_port};

/// How long it may take until it answers. A store is opened and a rack of this size read anew.
const READY: Duration = Duration::from_secs(120);
/// No command may take longer: the daemon answers in seconds even when a box hangs for as long as it is waited for (30 s, and
/// again for a login before it).
const COMMAND: u32 = 150;

/// A daemon and its folder; it ends with the value.
pub struct Daemon {
    process: Process,
    home: Home,
    arguments: Vec<String>,
}

impl Daemon {
    /// Starts one in an empty folder.
    pub fn start(binary: &Path, folder: &Path, more: &[String]) -> Result<Daemon> {
        let home = Home::new(binary, &emptied(folder)?);
        let mut arguments = ["up", "--emulate", "--listen"].map(str::to_owned).to_vec();
        arguments.push(format!("127.0.0.1:{}", free_port(25_000..26_600)?));
        arguments.extend_from_slice(more);
        Ok(Daemon {
            process: ready(&home, &arguments)?,
            home,
            arguments,
        })
    }

    /// SIGKILL, and another life on the folder that it has.
    pub fn restart(&mut self) -> Result<()> {
        self.process.kill()?;
        self.process = ready(&self.home, &self.arguments)?;
        Ok(())
    }

    /// Every emulated controller shows another certificate from the next life on, as one does that was replaced.
    pub fn forget_certificates(&self) -> Result<()> {
        let certificate = self.home.state().join("emulator/state.cert.pem");
        fs::remove_file(&certificate).with_context(|| certificate.display().to_string())
    }

    /// An error when it has ended by itself.
    pub fn lives(&mut self) -> Result<()> {
        self.process.lives()
    }

    /// What it holds now.
    pub fn size(&self) -> Result<Used> {
        self.process.used()
    }

    /// What it logs, of all its lives.
    pub fn log(&self) -> &Path {
        &self.process.log
    }

    /// Runs `busbar` with these words.
    pub fn ask(&self, words: &[&str]) -> Result<Output> {
        ask(&self.home, words)
    }

    /// The answer of a command with `--json`, which must be success or a finding (`doctor`).
    pub fn json(&self, words: &[&str]) -> Result<Value> {
        let answer = self.ask(&[words, &["--json"]].concat())?;
        let text = String::from_utf8_lossy(&answer.stdout);
        serde_json::from_str(&text).with_context(|| {
            let said = String::from_utf8_lossy(&answer.stderr).into_owned();
            format!("`busbar {}` printed no JSON: {text}{said}", words.join(" "))
        })
    }

    /// Machines that are not given back yet, with their states.
    pub fn machines(&self) -> Result<BTreeMap<String, String>> {
        let all = self.json(&["ps"])?;
        let all = all.as_array().context("`busbar ps` prints a list")?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Ok(all
            .iter()
            .map(|m| (text(&m["name"]), text(&m["status"]["state"])))
            .collect())
    }

    /// What it logged when it panicked.
    pub fn no_panic(&self) -> Result<String> {
        let log = String::from_utf8_lossy(&fs::read(self.log())?).into_owned();
        match log.lines().find(|line| line.contains("panicked at")) {
            Some(line) => bail!("{line}"),
            None => Ok(format!("{} lines", log.lines().count())),
        }
    }
}

/// Starts it, and waits until it has the image that machines are made of, and its rack answers.
fn ready(home: &Home, arguments: &[String]) -> Result<Process> {
    let mut up = home.command(&[]);
    let mut process = Process::start("daemon", &home.folder, up.args(arguments).env("RUST_LOG", "info"))?;
    process.until(READY, || {
        let has_image = |answer: Output| String::from_utf8_lossy(&answer.stdout).contains("\"demo\"");
        ask(home, &["image", "ls", "--json"]).is_ok_and(has_image)
            && ask(home, &["emulate", "ls"]).is_ok_and(|answer| answer.status.success())
    })?;
    Ok(process)
}

fn ask(home: &Home, words: &[&str]) -> Result<Output> {
    let mut command = cmd("timeout --kill-after 5");
    command.arg(COMMAND.to_string()).arg(&home.binary).args(words);
    home.at_home(&mut command);
    command.output().context("running busbar")
}
