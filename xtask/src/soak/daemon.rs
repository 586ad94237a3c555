//! The daemon that is soaked: started, killed, measured, and spoken to by its command line.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::command::cmd;
use crate::process::{Used, free_port, used};

/// How long it may take until it answers. A store is opened and a rack of this size read anew.
const READY: Duration = Duration::from_secs(120);
/// No command may take longer: the daemon answers in seconds even when a box hangs for as long as it is waited for (30 s, and
/// again for a login before it).
const COMMAND: u32 = 150;
/// A daemon and its folder; it ends with the value.
pub struct Daemon {
    child: Option<Child>,
    binary: PathBuf,
    folder: PathBuf,
    arguments: Vec<String>,
    /// What it logs, of all its lives.
    pub log: PathBuf,
}

impl Daemon {
    /// Starts one in an empty folder.
    pub fn start(binary: &Path, folder: &Path, more: &[String]) -> Result<Daemon> {
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        fs::create_dir_all(folder)?;
        let folder = fs::canonicalize(folder)?;
        let mut arguments = ["up", "--emulate", "--listen"].map(str::to_owned).to_vec();
        arguments.push(format!("127.0.0.1:{}", free_port(25_000..26_600)?));
        arguments.extend_from_slice(more);
        let mut daemon = Daemon {
            child: None,
            binary: binary.to_owned(),
            log: folder.join("log"),
            folder,
            arguments,
        };
        daemon.up()?;
        Ok(daemon)
    }

    /// Starts it on the folder that it has, and waits until it has the image that machines are made of, and its rack answers.
    pub fn up(&mut self) -> Result<()> {
        let log = fs::OpenOptions::new().create(true).append(true).open(&self.log)?;
        let mut command = self.command();
        command
            .args(&self.arguments)
            .env("RUST_LOG", "info")
            .stdout(log.try_clone()?)
            .stderr(log);
        self.child = Some(command.spawn().context("starting the daemon")?);
        let begun = Instant::now();
        loop {
            let answer = self.ask(&["image", "ls", "--json"])?;
            let has_image = String::from_utf8_lossy(&answer.stdout).contains("\"demo\"");
            if has_image && self.ask(&["emulate", "ls"])?.status.success() {
                return Ok(());
            }
            self.lives()?;
            if begun.elapsed() > READY {
                bail!(
                    "the daemon was not ready in {} s: see {}",
                    READY.as_secs(),
                    self.log.display()
                );
            }
            sleep(Duration::from_millis(200));
        }
    }

    /// SIGKILL.
    pub fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// An error when it has ended by itself.
    pub fn lives(&mut self) -> Result<()> {
        if let Some(child) = &mut self.child
            && let Some(status) = child.try_wait()?
        {
            bail!("the daemon ended by itself: {status}: see {}", self.log.display());
        }
        Ok(())
    }

    /// What it holds now.
    pub fn size(&self) -> Result<Used> {
        used(self.child.as_ref().context("the daemon was killed")?, "daemon")
    }

    /// Runs `busbar` with these words.
    pub fn ask(&self, words: &[&str]) -> Result<Output> {
        let mut command = cmd("timeout --kill-after 5");
        command.arg(COMMAND.to_string()).arg(&self.binary).args(words);
        self.at_home(&mut command);
        command.output().context("running busbar")
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
        let log = String::from_utf8_lossy(&fs::read(&self.log)?).into_owned();
        match log.lines().find(|line| line.contains("panicked at")) {
            Some(line) => bail!("{line}"),
            None => Ok(format!("{} lines", log.lines().count())),
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        self.at_home(&mut command);
        command
    }

    fn at_home(&self, command: &mut Command) {
        command
            .env("HOME", &self.folder)
            .env("BUSBAR_STATE", self.folder.join("state"))
            .env("BUSBAR_CONTEXT", self.folder.join("context.json"))
            .env("NO_COLOR", "1")
            .stdin(Stdio::null());
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Err: it has ended already
        let _ = self.kill();
    }
}
