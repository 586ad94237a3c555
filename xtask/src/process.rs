//! Programs in the background: started with a log, waited for, measured, ended; free ports for them, and what the API of a
//! daemon answers to `curl`.

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::command::{output, shown};

/// Between two looks at a program that is waited for.
const LOOK: Duration = Duration::from_millis(100);
/// How long a program that was asked to end may take; a database writes back what it holds.
const GRACE: Duration = Duration::from_secs(30);
/// Lines of a log that are told when its program failed.
const TOLD: usize = 10;

/// Ports that follow from that of the API, and must be free as well.
const DERIVED: [u16; 5] = [0, 80, 81, 82, 1043];
/// Ticks of `/proc/PID/stat` in a second (`getconf CLK_TCK`); the kernel fixes it for programs.
const TICKS: f64 = 100.0;

/// A base port whose derived ones are free as well.
pub fn free_port(among: std::ops::Range<u16>) -> Result<u16> {
    let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    among
        .step_by(7)
        .find(|base| DERIVED.iter().all(|more| free(base + more)))
        .context("no free ports")
}

/// What a process has used so far, and holds.
#[derive(Clone, Copy, Debug)]
pub struct Used {
    /// Seconds of CPU time.
    pub cpu: f64,
    /// Resident memory, KiB.
    pub resident: u64,
    /// Open files.
    pub files: u64,
}

/// Asks the kernel what a process uses; an error when it has gone.
pub fn used(id: u32) -> Result<Used> {
    let gone = || format!("process {id} has gone");
    let of = |file: &str| format!("/proc/{id}/{file}");
    let stat = fs::read_to_string(of("stat")).with_context(gone)?;
    // the name of the program may hold blanks; user and system time are fields 14 and 15, the 12th and 13th behind it
    let (_, rest) = stat.rsplit_once(')').with_context(gone)?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = |n: usize| -> Result<f64> { Ok(fields.get(n).context("a short stat")?.parse()?) };
    let status = fs::read_to_string(of("status")).with_context(gone)?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let resident = line.and_then(|line| line.split_whitespace().next());
    Ok(Used {
        cpu: (ticks(11)? + ticks(12)?) / TICKS,
        resident: resident.with_context(gone)?.parse()?,
        files: fs::read_dir(of("fd"))?.count() as u64,
    })
}

/// A program that runs in the background; it ends with the value.
pub struct Process {
    name: &'static str,
    child: Child,
    /// What it prints and says, of all its lives.
    pub log: PathBuf,
}

impl Process {
    /// Starts a program whose output goes to `<name>.log`, appended.
    pub fn start(name: &'static str, folder: &Path, command: &mut Command) -> Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let file = fs::OpenOptions::new().create(true).append(true).open(&log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("starting `{}`", shown(command)))?;
        Ok(Self { name, child, log })
    }

    /// An error once the program has ended by itself.
    pub fn lives(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("{} ended by itself: {status}{}", self.name, self.last()),
        }
    }

    /// Waits until it is ready; an error once it has ended, or is not ready in time.
    pub fn until(&mut self, patience: Duration, mut ready: impl FnMut() -> bool) -> Result<()> {
        let began = Instant::now();
        while !ready() {
            self.waits(began, patience)?;
        }
        Ok(())
    }

    /// A pause between two questions; an error once it has ended, or was waited for too long.
    pub fn waits(&mut self, since: Instant, patience: Duration) -> Result<()> {
        sleep(LOOK);
        self.lives()?;
        if since.elapsed() > patience {
            bail!("{} is not ready in {} s{}", self.name, patience.as_secs(), self.last());
        }
        Ok(())
    }

    /// The end of its log, and where that is.
    fn last(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        let last = &lines[lines.len().saturating_sub(TOLD)..];
        format!(": see {}, which ends with\n{}", self.log.display(), last.join("\n"))
    }

    /// Asks the kernel; an error when the process has gone.
    pub fn used(&self) -> Result<Used> {
        used(self.id()).with_context(|| format!("{} has gone", self.name))
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL: no chance to tidy up.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// SIGTERM, and SIGKILL when that does not end it.
    pub fn end(&mut self) -> Result<()> {
        if self.child.try_wait()?.is_some() {
            return Ok(());
        }
        output(Command::new("kill").arg(self.child.id().to_string()))?;
        let began = Instant::now();
        while self.child.try_wait()?.is_none() {
            if began.elapsed() > GRACE {
                return self.kill();
            }
            sleep(LOOK);
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Err: it has ended already
        let _ = self.end();
    }
}

/// Asks the API of the daemon that a context file tells of, so many times over one connection; what it answers to one
/// question is given back. `more` is further configuration for curl, which all goes over its standard input: the token
/// is on no command line.
pub fn curl(context: &Path, path: &str, times: usize, more: &str) -> Result<String> {
    let told: Value = serde_json::from_str(&fs::read_to_string(context)?)?;
    let field = |key: &str| told[key].as_str().with_context(|| format!("the context has no {key}"));
    let ca = context.with_extension("pem");
    fs::write(&ca, field("ca_pem")?)?;
    let mut config = format!(
        "silent\nfail\ncacert = \"{}\"\nheader = \"Authorization: Bearer {}\"\n{more}",
        ca.display(),
        field("token")?
    );
    for _ in 0..times {
        config += &format!("url = \"{}{path}\"\n", field("url")?);
        if times > 1 {
            config += "output = \"/dev/null\"\n";
        }
    }
    let mut child = Command::new("curl")
        .args(["-K", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("starting `curl`")?;
    let mut stdin = child.stdin.take().context("curl has a standard input")?;
    stdin.write_all(config.as_bytes())?;
    drop(stdin);
    let out = child.wait_with_output()?;
    if !out.status.success() {
        bail!("`curl` of {path} failed: {}", out.status);
    }
    Ok(String::from_utf8(out.stdout)?)
}
