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

use crate::busbar::{self, Ask, Busbar, RACK};
use crate::command::output;
use crate::failures;
use crate::image::{self, Variant};
use crate::lab::{self, BMC_PASSWORD, Firmware, Lab, Machine};
use crate::process::Process;
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

/// Deadlines, for a machine whose two cores emulate two others and may compile besides. From power-on to a login:
const LOGIN: Duration = Duration::from_secs(15 * 60);
/// The daemon's start, with its store to open.
const DAEMON: Duration = Duration::from_secs(30);
/// Reading two systems from one BMC.
const DISCOVERY: Duration = Duration::from_secs(60);
/// An SSH server that listens may still be making its keys, and the user may not be there yet.
const SSH: Duration = Duration::from_secs(120);
/// The share of the image that is written when the daemon is killed.
const KILL_AT: f64 = 0.2;

/// What the image's first user is called.
const USER: &str = "debian";
const USER_DATA: &str = "#cloud-config\nwrite_files:\n- path: /etc/busbar-scenario\n  content: user data arrived\n";

/// Counts the lines that [`run`] left behind.
pub fn read_report(file: &Path) -> Count {
    let text = fs::read_to_string(file).unwrap_or_default();
    for line in text.lines().filter(|line| line.starts_with("FAILED")) {
        failures::keep(line);
    }
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
        daemon: lab::start("busbar", &lab.folder, &mut busbar.up())?,
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
    daemon: Process,
    report: File,
    start: Instant,
    /// what took how long, machine by machine
    times: Vec<(String, Duration)>,
}

impl Scenario {
    fn play(&mut self, machines: &[Machine]) -> Result<()> {
        self.check("the daemon starts and answers", |s| {
            s.answers().and_then(|()| s.busbar.set_credential())
        })?;
        for machine in machines {
            let claim = format!("the {} system is found behind the BMC's one address", machine.name);
            self.check(&claim, |s| {
                s.wait("discovery", DISCOVERY, |s| Ok(s.node(machine).ok())).map(drop)
            })?;
        }
        for variant in Variant::ALL {
            self.check(&format!("the image {} is taken into the store", variant.name()), |s| {
                let file = image::file(variant);
                s.busbar
                    .call(&["image", "add", variant.name(), &file.to_string_lossy()])
                    .map(drop)
            })?;
        }
        self.check("a rack that is not armed is refused, and was only read", |s| {
            let place = busbar::place(&machines[0]);
            let run = s.busbar.call(&[
                "run",
                Variant::NoCloud.name(),
                "--name",
                "too-early",
                "--on",
                &place,
                "--detach",
            ]);
            ensure!(run.is_err(), "a machine was accepted on a rack that is not armed");
            let asked = s.lab.requests_to_bmc()?;
            ensure!(
                !asked.is_empty() && asked.iter().all(|method| method == "GET"),
                "the BMC was sent {asked:?}"
            );
            Ok(())
        })?;
        self.check("the rack is armed", |s| {
            s.busbar.call(&["arm", RACK, "--yes"]).map(drop)
        })?;

        for (number, machine) in machines.iter().enumerate() {
            let life = Life::new(machine, &self.lab)?;
            let killed = number + 1 == machines.len();
            let begin = Instant::now();
            if killed {
                self.run_through_a_kill(&life)?
            } else {
                self.run(&life)?
            }
            self.log_in(&life)?;
            self.took(format!("{}: `busbar run` → SSH login", life.name), begin);
            self.check_first_boot(&life)?;
            self.give_back(&life)?;
        }
        self.check("the BMC's password is in no log", |s| {
            s.lab.expect_in_no_log(BMC_PASSWORD)
        })
    }

    fn run(&mut self, life: &Life) -> Result<()> {
        let claim = format!("{}: `busbar run` follows the machine until it runs", life.name);
        self.check(&claim, |s| s.busbar.run(&life.ask(), true))
    }

    fn run_through_a_kill(&mut self, life: &Life) -> Result<()> {
        let name = &life.name;
        self.check(&format!("{name}: `busbar run` is accepted"), |s| {
            s.busbar.run(&life.ask(), false)
        })?;
        self.check(
            &format!("{name}: the daemon is killed in the middle of the install, and started again"),
            |s| {
                s.wait("the image to be half written", LOGIN, |s| {
                    Ok(s.written(name)?.filter(|&share| share > KILL_AT))
                })?;
                s.daemon.kill()?;
                s.daemon = lab::start("busbar", &s.lab.folder, &mut s.busbar.up())?;
                s.answers()
            },
        )?;
        self.check(&format!("{name}: the machine runs all the same"), |s| {
            s.wait("the machine to run", LOGIN, |s| {
                Ok((s.state(name)? == "running").then_some(()))
            })
        })
    }

    fn log_in(&mut self, life: &Life) -> Result<()> {
        let name = &life.name;
        self.check(
            &format!("{name}: the given key logs in, and the host is called {name}"),
            |s| {
                let host = s.wait("a login", SSH, |s| Ok(s.ssh(life, "hostname").ok()))?;
                ensure!(host.trim() == name, "the host is called {host}");
                Ok(())
            },
        )
    }

    fn check_first_boot(&mut self, life: &Life) -> Result<()> {
        let claim = format!(
            "{}: cloud-init found its data, finished without an error, and applied the user data",
            life.name
        );
        self.check(&claim, |s| {
            let status = s.ssh(life, "cloud-init status --wait --long || true")?;
            ensure!(status.contains("status: done"), "cloud-init says: {status}");
            let platform = s.ssh(life, "cloud-id")?;
            ensure!(
                platform.trim() == life.platform,
                "cloud-init found itself on {platform}, not on {}",
                life.platform
            );
            let text = s.ssh(life, "cat /etc/busbar-scenario")?;
            ensure!(text.trim() == "user data arrived", "the user data wrote: {text}");
            println!("{}", s.busbar.call(&["trace", &life.name])?);
            Ok(())
        })
    }

    fn give_back(&mut self, life: &Life) -> Result<()> {
        let name = &life.name;
        let begin = Instant::now();
        self.check(&format!("{name}: `busbar rm` gives the machine back"), |s| {
            s.busbar.remove(name)
        })?;
        self.took(format!("{name}: `busbar rm` → given back"), begin);
        self.check(
            &format!("{name}: the node is free again, and the record of proof says that its disk is clean"),
            |s| {
                let node = s.node(life.machine)?;
                ensure!(
                    node["holder"].is_null() && node["tenancy"]["data"] == "wiped",
                    "the node is not free: {node}"
                );
                let key = node["tenancy"]["proof"]
                    .as_str()
                    .context("the node names no record of proof")?;
                expect_clean(&s.busbar.proof(key)?, fs::metadata(&life.machine.disk)?.len())
            },
        )?;
        self.check(&format!("{name}: the disk's file holds nothing but zeroes"), |_| {
            expect_zeroes(&life.machine.disk)
        })
    }

    fn answers(&mut self) -> Result<()> {
        self.wait("the daemon to answer", DAEMON, |s| Ok(s.busbar.json(&["ps"]).ok()))
            .map(drop)
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
            self.daemon.lives()?;
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

    /// Runs a command on the installed machine.
    fn ssh(&self, life: &Life, command: &str) -> Result<String> {
        let machine = self.machine(&life.name)?;
        let address = machine["status"]["address"]
            .as_str()
            .context("a running machine has no address")?;
        output(&mut ssh(&life.key, address, command))
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

/// One machine's life, and what it is asked for with.
struct Life<'a> {
    machine: &'a Machine,
    name: String,
    place: String,
    image: Variant,
    /// what cloud-init must find itself on: each firmware another, so that both crawls are tried
    platform: &'static str,
    key: PathBuf,
    public_key: PathBuf,
    user_data: PathBuf,
}

impl<'a> Life<'a> {
    fn new(machine: &'a Machine, lab: &Lab) -> Result<Self> {
        let (image, platform) = match machine.firmware {
            Firmware::Bios => (Variant::NoCloud, "nocloud"),
            Firmware::Uefi => (Variant::Ec2, "aws"),
        };
        let key = lab.ssh_key()?;
        let user_data = lab.folder.join("user-data");
        fs::write(&user_data, USER_DATA)?;
        Ok(Self {
            machine,
            name: format!("{}-1", machine.name),
            place: busbar::place(machine),
            image,
            platform,
            public_key: key.with_extension("pub"),
            key,
            user_data,
        })
    }

    fn ask(&self) -> Ask<'_> {
        Ask {
            image: self.image.name(),
            name: &self.name,
            place: &self.place,
            login: USER,
            ssh_key: &self.public_key,
            user_data: &self.user_data,
        }
    }
}

/// What a record of proof must say of the one disk that was there.
fn expect_clean(proof: &Value, size: u64) -> Result<()> {
    let disks = proof["disks"]
        .as_array()
        .context("the record of proof names no disks")?;
    ensure!(disks.len() == 1, "one disk was there to wipe: {proof}");
    ensure!(
        disks[0]["clean"] == true && disks[0]["samples"].as_u64() > Some(0),
        "not proven clean: {proof}"
    );
    ensure!(
        disks[0]["size"].as_u64() == Some(size),
        "of another size than {size}: {proof}"
    );
    Ok(())
}

/// The first object of a list, or of the list inside an answer, that is the one.
fn find(answer: &Value, is_it: impl Fn(&Value) -> bool) -> Option<Value> {
    let list = answer
        .as_array()
        .or_else(|| answer.as_object()?.values().find_map(Value::as_array))?;
    list.iter().find(|object| is_it(object)).cloned()
}

/// A command on an installed machine; its host key is new with every machine.
fn ssh(key: &Path, address: &str, command: &str) -> Command {
    let mut ssh = Command::new("ssh");
    ssh.args(["-F", "/dev/null", "-i"]).arg(key);
    for option in [
        "BatchMode=yes",
        "ConnectTimeout=5",
        "StrictHostKeyChecking=no",
        "UserKnownHostsFile=/dev/null",
        "LogLevel=ERROR",
    ] {
        ssh.args(["-o", option]);
    }
    ssh.arg(format!("{USER}@{address}")).arg(command);
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
