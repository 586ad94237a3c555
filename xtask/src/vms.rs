//! `cargo xtask vms`: the README's section on real machines in the emulated rack, done as its reader would: as nobody, who
//! has no rights, with Debian's QEMU and a Debian image. Beside the commands it looks at what they come to: a login, watts
//! that follow what the machine computes, a cap that slows it, cables that take it away, and nothing left of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::command::{cmd, output, run};
use crate::daemon::until_within;
use crate::debian;
use crate::image::{self, Variant};
use crate::process::Process;
use crate::test::{Count, Tally};

/// What the README tells its reader to do.
const README: &str = include_str!("../../README.md");
const SECTION: &str = "## Real machines in the emulated rack";
/// The API's port; the machines' logins follow from it.
const PORT: u16 = 27_961;
/// From nothing to a login, on two cores that compute four others and may compile besides.
const LOGIN: Duration = Duration::from_secs(15 * 60);
/// For what takes a minute on an idle machine.
const PATIENCE: Duration = Duration::from_secs(300);
/// The user and the group of who has no rights.
const NOBODY: u32 = 65_534;
/// The README's cap, and what its sensor may be beside it.
const CAP: f64 = 330.0;
/// Work for all of them until it is stopped.
const BUSY: &str = "for n in 1 2; do (while :; do :; done) </dev/null >/dev/null 2>&1 & done";

/// Checks, and prints what failed; an error if anything did.
pub fn run_alone() -> Result<()> {
    count().told("a real machine in the emulated rack is not what it should be")
}

/// All checks. What could not be run is one that failed.
pub fn count() -> Count {
    Tally::of(walk)
}

/// The commands of the section, without what is said of them.
fn commands() -> Vec<&'static str> {
    let section = README.split(SECTION).nth(1).unwrap_or_default();
    let block = section.split("```").nth(1).unwrap_or_default();
    let lines = block.lines().filter(|line| line.starts_with("busbar "));
    lines
        .map(|line| line.split(" # ").next().unwrap_or(line).trim())
        .collect()
}

/// Whoever tries it: a folder, and a program in it.
struct Reader {
    folder: PathBuf,
}

impl Drop for Reader {
    fn drop(&mut self) {
        // Err: it stays in the folder for what is temporary
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Reader {
    /// A program as they start it: as nobody where this is root.
    fn program(&self, program: &str) -> Command {
        let mut command = if debian::is_root() {
            let id = NOBODY.to_string();
            let mut command = Command::new("setpriv");
            command.args(["--reuid", &id, "--regid", &id, "--clear-groups", "--", program]);
            command
        } else {
            Command::new(program)
        };
        command
            .current_dir(&self.folder)
            .env("HOME", &self.folder)
            .env("BUSBAR_STATE", self.folder.join("state"))
            .env_remove("BUSBAR_CONTEXT");
        command
    }

    fn busbar(&self, arguments: &[&str]) -> Command {
        let mut command = self.program("./busbar");
        command.args(arguments);
        command
    }

    fn json(&self, arguments: &[&str]) -> Result<Value> {
        let text = output(self.busbar(arguments).arg("--json"))?;
        Ok(serde_json::from_str(&text)?)
    }

    fn up(&self) -> Result<Process> {
        let mut up = self.busbar(&words(&commands(), " up ")?);
        up.args(["--listen", &format!("127.0.0.1:{PORT}")]);
        let mut daemon = Process::start("busbar", &self.folder, &mut up)?;
        daemon.until(PATIENCE, || {
            self.json(&["ls"])
                .is_ok_and(|v| v.as_array().is_some_and(|all| all.len() == 2))
        })?;
        Ok(daemon)
    }

    /// A command of the README, in its words but for what is this reader's own.
    fn told(&self, part: &str) -> Result<String> {
        let all = commands();
        let words = words(&all, part)?;
        let took = Instant::now();
        let said = output(&mut self.busbar(&words))?;
        let last = said.trim().lines().last().unwrap_or_default();
        println!(
            "        busbar {} ({:.1} s): {last}",
            words.join(" "),
            took.elapsed().as_secs_f64()
        );
        Ok(said)
    }

    /// Does something in the machine, by the login that was told.
    fn login(&self, told: &str, what: &str) -> Result<String> {
        let port = told
            .split_whitespace()
            .skip_while(|w| *w != "-p")
            .nth(1)
            .context("no port is told")?;
        let whom = told.split_whitespace().last().context("nobody is told")?;
        let mut ssh = self.program("ssh");
        ssh.args([
            "-i",
            "key",
            "-p",
            port,
            "-o",
            "BatchMode=yes",
            "-o",
            "ConnectTimeout=10",
            "-o",
            "LogLevel=ERROR",
        ]);
        ssh.args(["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]);
        output(ssh.args([whom, what]))
    }

    fn watts(&self) -> Result<f64> {
        let sensors = self.json(&["sensors", "r1/u1"])?;
        let all = sensors["r1/u1"].as_array().context("a list of readings")?;
        let watts = all.iter().find(|r| r["name"] == "watts").context("its watts")?;
        watts["value"].as_f64().context("a number")
    }

    /// QEMUs of this reader's rack.
    fn processes(&self) -> Vec<u32> {
        let pattern = format!("qemu-system.*{}", self.folder.display());
        let found = Command::new("pgrep").args(["-f", "--", &pattern]).output();
        let said = found.map(|o| String::from_utf8_lossy(&o.stdout).into_owned());
        said.unwrap_or_default()
            .lines()
            .filter_map(|l| l.parse().ok())
            .collect()
    }

    fn machines(&self) -> usize {
        self.processes().len()
    }

    /// In how many of so many looks its one machine is stopped (proc(5): state `T`).
    fn still(&self, looks: u32) -> Result<u32> {
        let pid = *self.processes().first().context("no machine runs")?;
        let mut still = 0;
        for _ in 0..looks {
            // no divisor of its turns
            sleep(Duration::from_millis(37));
            let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
            still += u32::from(stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T')));
        }
        Ok(still)
    }

    fn gone(&self) -> Result<()> {
        until_within("the end of the machine", PATIENCE, || self.machines() == 0)
    }

    fn state(&self) -> Option<String> {
        let all = self.json(&["ps"]).ok()?;
        all[0]["status"]["state"].as_str().map(str::to_owned)
    }
}

/// The one command that has this part, in words.
fn words<'a>(all: &[&'a str], part: &str) -> Result<Vec<&'a str>> {
    let mut found = all.iter().filter(|c| c.contains(part));
    match (found.next(), found.next()) {
        (Some(command), None) => Ok(command.split_whitespace().skip(1).collect()),
        _ => bail!("the README has not one command with `{part}` in \"{SECTION}\""),
    }
}

fn prepare() -> Result<Reader> {
    debian::install()?;
    image::build()?;
    let binary = crate::daemon::built()?;
    if debian::is_root() {
        // as udev has it on every Debian; containers forget
        run(&mut cmd("chmod 666 /dev/net/tun"))?;
    }
    let folder = std::env::temp_dir().join(format!("busbar-vms-{}", std::process::id()));
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir(&folder)?;
    let reader = Reader { folder };
    let at = |name: &str| reader.folder.join(name);
    fs::copy(binary, at("busbar"))?;
    fs::copy(image::file(Variant::NoCloud), at("debian-12.raw"))?;
    run(Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(at("key")))?;
    if debian::is_root() {
        run(Command::new("chown").args(["-R", "nobody:nogroup"]).arg(&reader.folder))?;
    }
    Ok(reader)
}

fn walk(tally: &mut Tally) -> Result<()> {
    let reader = prepare()?;
    let reached = scenario(tally, &reader);
    if reached.is_err() {
        println!(
            "{}",
            fs::read_to_string(reader.folder.join("busbar.log")).unwrap_or_default()
        );
    }
    reached
}

fn scenario(tally: &mut Tally, reader: &Reader) -> Result<()> {
    let mut daemon = reader.up()?;
    tally.check("the rack is up, for nobody, and its machines are found", Ok(()));
    reader.told("image add")?;
    let began = Instant::now();
    let said = reader.told(" run ")?;
    ensure!(began.elapsed() < LOGIN, "the login took {:?}", began.elapsed());
    let told = said.trim().lines().last().unwrap_or_default().to_owned();
    println!("        `busbar run` → login: {:.1} s", began.elapsed().as_secs_f64());
    tally.check(
        "the login that is told lets in, to a Debian kernel on two processors",
        {
            let kernel = reader.login(&told, "uname -v; nproc; hostname");
            kernel.and_then(|k| {
                let right = k.contains("Debian") && k.contains("\n2\n") && k.contains("web-1");
                ensure!(right, "{k}");
                Ok(())
            })
        },
    );
    tally.check("the serial console has what it printed", {
        let mut printed = reader.told(" console ")?;
        let said = until_within("the login on its serial line", PATIENCE, || {
            printed = output(&mut reader.busbar(&["console", "web-1", "--no-follow"])).unwrap_or_default();
            printed.contains("SeaBIOS") && printed.contains("login:")
        });
        said.context(printed)
    });
    work(tally, reader, &told)?;

    reader.told("emulate fault")?;
    tally.check("one cable of two is not missed", {
        match reader.machines() {
            1 => Ok(()),
            n => Err(anyhow::anyhow!("{n} machines run")),
        }
    });
    output(&mut reader.busbar(&["emulate", "fault", "r1/u1", "pull-cable", "supply=1"]))?;
    tally.check("without the other it is gone", reader.gone());
    reader.told("emulate clear")?;
    until_within("the machine to be known as stopped", PATIENCE, || {
        reader.state().as_deref() == Some("stopped")
    })?;
    output(&mut reader.busbar(&["kill", "-CONT", "web-1"]))?;
    tally.check("with both it starts again, from its disk", again(reader, &told));

    // SIGKILL: no word of farewell
    daemon.kill()?;
    tally.check("the daemon is killed, and takes its machines along", reader.gone());
    let mut daemon = reader.up()?;
    tally.check("the daemon is back, and its machine with it", again(reader, &told));

    reader.told("kill -TERM")?;
    tally.check("a machine that is asked to stop stops by itself", {
        let stopped = until_within("the machine to stop", PATIENCE, || {
            reader.state().as_deref() == Some("stopped")
        });
        stopped.and_then(|()| reader.gone())
    });
    reader.told(" rm ")?;
    let disk = reader.folder.join("state/emulator/r1-u1-nvme0n1.img");
    tally.check("its disk holds nothing but zeroes", zeroes(&disk));
    // SIGTERM: an end in order
    daemon.end()?;
    tally.check("nothing is left of the rack", reader.gone());
    Ok(())
}

/// What the machine computes is what its box draws, and a cap takes from both.
fn work(tally: &mut Tally, reader: &Reader, told: &str) -> Result<()> {
    reader.told(" sensors ")?;
    let idle = settled(reader)?;
    reader.login(told, BUSY)?;
    let busy = settled(reader)?;
    let free = reader.still(200)?;
    println!("        {idle:.0} W idle, {busy:.0} W busy");
    tally.check("what it computes is what it draws", {
        if busy > idle + 50.0 {
            Ok(())
        } else {
            Err(anyhow::anyhow!("{idle} W idle and {busy} W busy"))
        }
    });
    reader.told(" cap ")?;
    tally.check("a cap holds", {
        let held = until_within("the cap", PATIENCE, || reader.watts().is_ok_and(|w| w <= CAP));
        held.with_context(|| format!("it draws {:?} W", reader.watts()))
    });
    // what else its box is asked to do leaves the machine less than it wants, however little this host gives it
    output(&mut reader.busbar(&["emulate", "load", "r1/u1", "full"]))?;
    let held = reader.still(200)?;
    println!("        it stands still in {held} of 200 looks under the cap, in {free} of 200 without");
    tally.check("and slows what is computed", {
        if free == 0 && held >= 40 {
            Ok(())
        } else {
            Err(anyhow::anyhow!(
                "it stands still in {free} of 200 looks without it and {held} with it"
            ))
        }
    });
    output(&mut reader.busbar(&["emulate", "load", "r1/u1", "idle"]))?;
    reader.login(told, "pkill -f '[d]one'")?;
    output(&mut reader.busbar(&["cap", "r1/u1", "none"])).map(drop)
}

/// Its watts, once two looks in a row are near each other.
fn settled(reader: &Reader) -> Result<f64> {
    /// Longer than two readings are apart.
    const APART: Duration = Duration::from_secs(11);
    let mut last = f64::NAN;
    for _ in 0..20 {
        sleep(APART);
        let now = reader.watts()?;
        if (now - last).abs() < 15.0 {
            return Ok(now);
        }
        last = now;
    }
    Ok(last)
}

/// A login answers, in a machine that has just started.
fn again(reader: &Reader, told: &str) -> Result<()> {
    until_within("the login", LOGIN, || reader.login(told, "true").is_ok())
}

fn zeroes(disk: &Path) -> Result<()> {
    let size = fs::metadata(disk)?.len().to_string();
    output(Command::new("cmp").args(["--bytes", &size]).arg(disk).arg("/dev/zero")).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_has_each_command_once() {
        let all = commands();
        for part in [
            " up ",
            "image add",
            " run ",
            " console ",
            " sensors ",
            " cap ",
            "emulate fault",
            "emulate clear",
            "kill -TERM",
            " rm ",
        ] {
            assert!(words(&all, part).is_ok(), "{part} in {all:?}");
        }
    }
}
