//! The real-machine scenario: a machine, from nothing, by one command, and back; twice, once under each
//! kind of firmware. Each claim that it checks is one line of the report.
//!
//! Runs inside the namespaces that [`crate::real`] makes, and talks to Busbar by its command line only.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::busbar::{self, Busbar, RACK};
use crate::command::output;
use crate::image::{self, Variant};
use crate::lab::{BMC_PASSWORD, Daemon, Firmware, Lab, Machine};
use crate::test::Count;

#[derive(clap::Args)]
pub struct Args {
    /// The binary to test
    #[arg(long)]
    busbar: PathBuf,
    /// Leave everything running at the end
    #[arg(long)]
    keep: bool,
    /// One machine only
    #[arg(long)]
    only: Option<Firmware>,
}

/// From power-on to a login, on a machine whose two cores emulate two others and compile besides.
const LOGIN_DEADLINE: Duration = Duration::from_secs(15 * 60);
/// Netboot again and write 4 GB of zeroes, should the disk know nothing better.
const WIPE_DEADLINE: Duration = Duration::from_secs(10 * 60);
/// Reading two systems from one BMC.
const DISCOVERY_DEADLINE: Duration = Duration::from_secs(60);
/// An SSH server that listens may still be making its keys.
const SSH_DEADLINE: Duration = Duration::from_secs(120);
/// The share of the image that is written when the daemon is killed.
const KILL_AT: f64 = 0.2;

/// What the image's first user is called.
const LOGIN: &str = "debian";
const USER_DATA: &str = "#cloud-config\nwrite_files:\n- path: /etc/busbar-scenario\n  content: user data arrived\n";

/// Counts the lines that [`run`] left behind.
pub fn read_report(file: &Path) -> Count {
    let text = fs::read_to_string(file).unwrap_or_default();
    let lines = |verdict: &str| text.lines().filter(|line| line.starts_with(verdict)).count() as u64;
    Count {
        passed: lines("ok"),
        failed: lines("FAILED"),
    }
}

/// Builds the bench, runs the scenario, shows every log if a check failed.
pub fn run(args: &Args) -> Result<()> {
    let lab = Lab::start().context("building the bench")?;
    let machines: Vec<Machine> = lab
        .machines()
        .into_iter()
        .filter(|machine| args.only.is_none_or(|only| only == machine.firmware))
        .collect();
    let busbar = Busbar::new(&args.busbar, &lab.folder, &lab.machines())?;
    let mut scenario = Scenario {
        daemon: Daemon::start("busbar", &lab.folder, &mut busbar.up())?,
        busbar,
        lab,
        report: File::create(crate::scratch().join("report"))?,
        start: Instant::now(),
        times: Vec::new(),
    };
    let outcome = scenario.play(&machines);
    if outcome.is_err() {
        scenario.lab.print_logs();
    }
    scenario.print_times();
    if args.keep {
        println!("kept; look around with:  nsenter --target $(pgrep --newest --full 'xtask scenario') --all");
        println!("the end of standard input (Ctrl-D) tears it down");
        std::io::stdin().read_to_end(&mut Vec::new())?;
    }
    outcome
}

struct Scenario {
    lab: Lab,
    busbar: Busbar,
    daemon: Daemon,
    report: File,
    start: Instant,
    /// what took how long, machine by machine
    times: Vec<(String, Duration)>,
}

impl Scenario {
    fn play(&mut self, machines: &[Machine]) -> Result<()> {
        self.check("the daemon starts and answers", |s| {
            s.busbar.credential()?;
            s.wait("`busbar ls`", DISCOVERY_DEADLINE, |s| Ok(s.busbar.json(&["ls"]).ok()))
                .map(drop)
        })?;
        for machine in machines {
            self.check(
                &format!("the {} system is found behind the BMC's one address", machine.name),
                |s| {
                    s.wait("discovery", DISCOVERY_DEADLINE, |s| Ok(s.node(machine).ok()))
                        .map(drop)
                },
            )?;
        }
        for variant in Variant::ALL {
            self.check(&format!("the image {} is taken into the store", variant.name()), |s| {
                let file = image::file(variant);
                s.busbar
                    .call(&["image", "add", variant.name(), &file.to_string_lossy()])
                    .map(drop)
            })?;
        }
        self.check("a rack that isn't armed is not touched", |s| {
            let name = machines[0].name;
            let refused = s.busbar.call(&[
                "run",
                Variant::NoCloud.name(),
                "--name",
                name,
                "--on",
                &busbar::place(&machines[0]),
            ]);
            ensure!(refused.is_err(), "a machine was accepted on a rack that is not armed");
            let asked = s.lab.requests_to_bmc()?;
            ensure!(
                asked.iter().all(|method| method == "GET"),
                "the BMC was sent more than GETs: {asked:?}"
            );
            Ok(())
        })?;
        self.check("the rack is armed", |s| {
            s.busbar.call(&["arm", RACK, "--yes"]).map(drop)
        })?;

        for (number, machine) in machines.iter().enumerate() {
            let killed = number + 1 == machines.len();
            self.life(machine, killed)
                .with_context(|| format!("the {} machine", machine.name))?;
        }
        self.check("the BMC's password is in no log", |s| {
            s.lab.expect_in_no_log(BMC_PASSWORD)
        })
    }

    /// One machine: run, log in, give back.
    fn life(&mut self, machine: &Machine, killed: bool) -> Result<()> {
        let name = format!("{}-1", machine.name);
        // each firmware with another data source, so that both are crawled
        let variant = if machine.firmware == Firmware::Bios {
            Variant::NoCloud
        } else {
            Variant::Ec2
        };
        let (key, user_data) = (self.lab.ssh_key()?, self.lab.folder.join("user-data"));
        fs::write(&user_data, USER_DATA)?;

        let begin = Instant::now();
        self.check(&format!("{name}: `busbar run` is accepted"), |s| {
            let place = busbar::place(machine);
            let (public, user_data) = (format!("{key}.pub"), user_data.to_string_lossy().into_owned());
            let run = [
                "run",
                variant.name(),
                "--name",
                &name,
                "--on",
                &place,
                "--ssh-key",
                &public,
                "--user-data",
                &user_data,
            ];
            s.busbar.call(&run).map(drop)
        })?;
        if killed {
            self.check(
                &format!("{name}: the daemon is killed in the middle of the install, and started again"),
                |s| {
                    s.wait("the image to be half written", LOGIN_DEADLINE, |s| {
                        s.written(&name).map(|share| share.filter(|&share| share > KILL_AT))
                    })?;
                    s.daemon.kill()?;
                    s.daemon = Daemon::start("busbar", &s.lab.folder, &mut s.busbar.up())?;
                    Ok(())
                },
            )?;
        }
        self.check(&format!("{name}: the machine runs"), |s| {
            s.wait("the machine to run", LOGIN_DEADLINE, |s| {
                s.state(&name).map(|state| (state == "running").then_some(()))
            })
        })?;
        let address = self.machine(&name)?["status"]["address"]
            .as_str()
            .context("a running machine has no address")?
            .to_owned();
        let ssh = |command: &str| output(&mut ssh(&key, &address, command));
        self.check(
            &format!("{name}: the given key logs in, and the host is called {name}"),
            |s| {
                let host = s.wait("a login", SSH_DEADLINE, |_| Ok(ssh("hostname").ok()))?;
                ensure!(host.trim() == name, "the host is called {host}");
                Ok(())
            },
        )?;
        self.took(format!("{name}: `busbar run` → SSH login"), begin);
        self.check(
            &format!("{name}: cloud-init finished without an error, and applied the user data"),
            |_| {
                let status = ssh("cloud-init status --wait --long || true")?;
                ensure!(status.contains("status: done"), "cloud-init says: {status}");
                let source = ssh("cloud-id")?;
                let expected = if machine.firmware == Firmware::Bios {
                    "nocloud"
                } else {
                    "aws"
                };
                ensure!(
                    source.trim() == expected,
                    "cloud-init's data source is {source}, not {expected}"
                );
                let text = ssh("cat /etc/busbar-scenario")?;
                ensure!(text.trim() == "user data arrived", "the user data wrote: {text}");
                Ok(())
            },
        )?;
        println!("{}", self.busbar.call(&["trace", &name])?);

        let begin = Instant::now();
        self.check(&format!("{name}: `busbar rm` gives the machine back"), |s| {
            s.busbar.call(&["rm", &name, "--yes"])?;
            s.wait("the machine to be released", WIPE_DEADLINE, |s| {
                Ok(s.is_free(machine)?.then_some(()))
            })
        })?;
        self.took(format!("{name}: `busbar rm` → free"), begin);
        self.check(
            &format!("{name}: the record of proof says that the disk is clean"),
            |s| s.expect_proof(machine),
        )?;
        self.check(&format!("{name}: the disk's file holds nothing but zeroes"), |_| {
            expect_zeroes(&machine.disk)
        })
    }

    /// One claim: reported, with its time. The scenario ends at the first that fails, as the others rest on it.
    fn check(&mut self, claim: &str, check: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        let begin = Instant::now();
        let outcome = check(self);
        let verdict = if outcome.is_ok() { "ok" } else { "FAILED" };
        let line = format!("{verdict:<7} {claim} ({:.1} s)", begin.elapsed().as_secs_f64());
        println!("{line}");
        writeln!(self.report, "{line}")?;
        outcome.with_context(|| format!("failed: {claim}"))
    }

    /// Asks until there is an answer; an error after the deadline, or once the daemon is gone.
    fn wait<T>(
        &mut self,
        what: &str,
        deadline: Duration,
        mut ask: impl FnMut(&mut Self) -> Result<Option<T>>,
    ) -> Result<T> {
        let begin = Instant::now();
        loop {
            self.daemon.expect_running()?;
            if let Some(answer) = ask(self)? {
                return Ok(answer);
            }
            if begin.elapsed() > deadline {
                bail!("waited {deadline:?} for {what}");
            }
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    /// The machine of that name, as `busbar ps` shows it.
    fn machine(&self, name: &str) -> Result<Value> {
        find(&self.busbar.json(&["ps"])?, |machine| machine["name"] == name)
            .with_context(|| format!("`busbar ps` does not show {name}"))
    }

    /// Its state, in one word; an error, with the reason, once it is held.
    fn state(&self, name: &str) -> Result<String> {
        let machine = self.machine(name)?;
        let state = machine["status"]["state"]
            .as_str()
            .context("a machine without a state")?;
        if state == "held" {
            bail!("{name} is held:\n{}", self.busbar.call(&["why", name])?);
        }
        Ok(state.to_owned())
    }

    /// The share of its image that is written, while it is being written.
    fn written(&self, name: &str) -> Result<Option<f64>> {
        ensure!(
            self.state(name)? != "running",
            "{name} was installed before it could be disturbed"
        );
        let progress = &self.machine(name)?["progress"];
        let bytes = |field: &str| progress[field].as_f64();
        Ok((progress["phase"] == "write")
            .then(|| Some(bytes("done")? / bytes("total")?))
            .flatten())
    }

    /// The node that the machine is, as `busbar ls` shows it.
    fn node(&self, machine: &Machine) -> Result<Value> {
        let place = busbar::place(machine);
        find(&self.busbar.json(&["ls"])?, |node| node["place"] == place.as_str())
            .with_context(|| format!("`busbar ls` does not show {place}"))
    }

    fn is_free(&self, machine: &Machine) -> Result<bool> {
        let node = self.node(machine)?;
        Ok(node["holder"].is_null() && node["tenancy"]["data"] == "wiped")
    }

    fn expect_proof(&self, machine: &Machine) -> Result<()> {
        let node = self.node(machine)?;
        let key = node["tenancy"]["proof"]
            .as_str()
            .context("the node names no record of proof")?;
        let proof = self.busbar.proof(key)?;
        let disks = proof["disks"]
            .as_array()
            .context("the record of proof names no disks")?;
        ensure!(disks.len() == 1, "one disk was there to wipe: {proof}");
        ensure!(
            disks[0]["clean"] == true && disks[0]["samples"].as_u64() > Some(0),
            "not proven clean: {proof}"
        );
        ensure!(
            disks[0]["size"].as_u64() == Some(fs::metadata(&machine.disk)?.len()),
            "of another size: {proof}"
        );
        Ok(())
    }

    fn took(&mut self, what: String, since: Instant) {
        self.times.push((what, since.elapsed()));
    }

    fn print_times(&self) {
        println!();
        for (what, time) in &self.times {
            println!("{:>7.1} s  {what}", time.as_secs_f64());
        }
        println!("{:>7.1} s  the whole scenario\n", self.start.elapsed().as_secs_f64());
    }
}

/// The first object of a list, or of the list inside an answer, that is the one.
fn find(answer: &Value, is_it: impl Fn(&Value) -> bool) -> Option<Value> {
    let list = answer
        .as_array()
        .or_else(|| answer.as_object()?.values().find_map(Value::as_array))?;
    list.iter().find(|object| is_it(object)).cloned()
}

/// A command on an installed machine; its host key is new with every machine.
fn ssh(key: &str, address: &str, command: &str) -> Command {
    let mut ssh = Command::new("ssh");
    ssh.args(["-F", "/dev/null", "-i", key]);
    for option in [
        "BatchMode=yes",
        "ConnectTimeout=5",
        "StrictHostKeyChecking=no",
        "UserKnownHostsFile=/dev/null",
        "LogLevel=ERROR",
    ] {
        ssh.args(["-o", option]);
    }
    ssh.arg(format!("{LOGIN}@{address}")).arg(command);
    ssh
}

/// Reads the whole file that is a machine's disk.
fn expect_zeroes(disk: &Path) -> Result<()> {
    const CHUNK: usize = 1 << 20;
    let zeroes = vec![0; CHUNK];
    let mut chunk = vec![0; CHUNK];
    let mut file = File::open(disk)?;
    let mut offset = 0;
    loop {
        let length = file.read(&mut chunk)?;
        if length == 0 {
            return Ok(());
        }
        ensure!(
            chunk[..length] == zeroes[..length],
            "there is data of before in the MiB at byte {offset} of {}",
            disk.display()
        );
        offset += length;
    }
}
