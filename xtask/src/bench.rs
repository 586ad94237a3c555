//! `cargo xtask bench`: what Busbar takes, as ratios to what the same machine can do at best, in the same run.
//!
//! Every row has its own yardstick, measured next to it: `dd` for a write, `/bin/true` for a command, `/healthz` for
//! an answer, SQLite alone for a commit. Absolute seconds depend on who else uses the machine; ratios much less so.
//! The binary is driven by its command line and its API only. Start at [`run`]; the rows are in the order of the
//! README in `benches`.

mod poll;
mod top;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::clock;
use crate::command::output;
use crate::daemon::{Home, emptied};
use crate::process::{Process, Used, free_port};

/// Where the emulated machine's seconds are written down.
const LIFE: &str = include_str!("../../crates/emulator/src/life.rs");
const EMULATED: &str = include_str!("../../crates/emulator/src/emulated/power.rs");
/// Repetitions of what takes seconds, and of what takes milliseconds.
const WRITES: usize = 3;
const STARTS: usize = 50;
const ANSWERS: usize = 100;
/// Emulated servers in the big rack, and how long they may take to be found.
const NODES: usize = 1000;
const FOUND: Duration = Duration::from_secs(300);
/// How long a daemon may take until its API answers.
const READY: Duration = Duration::from_secs(180);

#[derive(clap::Args)]
pub struct Args {
    /// A built `busbar`; without it, target/.../release/busbar is looked for
    #[arg(long)]
    busbar: Option<PathBuf>,
    /// A built `commits` example of the store; without it, that row is left out
    #[arg(long)]
    commits: Option<PathBuf>,
    /// Only this part: install, list, poll, start or top
    #[arg(long)]
    only: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// One line of the table.
struct Row {
    what: String,
    ours: f64,
    limit: f64,
    unit: &'static str,
    yardstick: String,
    command: &'static str,
}

impl Row {
    /// How much more than the yardstick: 1 is the best that there is.
    fn ratio(&self) -> f64 {
        self.ours / self.limit
    }
}

pub fn run(args: &Args) -> Result<()> {
    let binary = match &args.busbar {
        Some(path) => path.clone(),
        None => crate::target().join("x86_64-unknown-linux-gnu/release/busbar"),
    };
    let binary = fs::canonicalize(&binary)
        .with_context(|| format!("{}: build it with `cargo build --release`", binary.display()))?;
    let folder = emptied(&crate::target().join("bench"))?;

    let load = load()?;
    let mut rows = Vec::new();
    let mut notes = Vec::new();
    let wanted = |part| args.only.as_deref().is_none_or(|only| only == part);
    if wanted("list") {
        listing(&binary, &folder, &mut rows, &mut notes)?;
    }
    if wanted("poll") {
        poll::sweeps(&binary, &folder, &mut rows, &mut notes)?;
    }
    if wanted("top") {
        top::cost(&binary, &folder, &mut rows, &mut notes)?;
    }
    if wanted("start") {
        starts(&binary, &folder, &mut rows)?;
    }
    if wanted("install") {
        let disk = writes(&binary, &folder, &mut rows)?;
        phases(&binary, &folder, disk, &mut rows)?;
    }
    if let Some(commits) = &args.commits {
        store(commits, &folder, &mut rows)?;
    }
    notes.push(format!("load average before {load}, after {}", self::load()?));
    notes.push(format!("{} cores", thread::available_parallelism()?));
    let _ = fs::remove_dir_all(&folder);
    print(&rows, &notes, args.json);
    Ok(())
}

fn print(rows: &[Row], notes: &[String], as_json: bool) {
    if as_json {
        let rows: Vec<Value> = rows
            .iter()
            .map(|r| {
                json!({"what": r.what, "ours": r.ours, "limit": r.limit, "unit": r.unit, "ratio": r.ratio(),
                       "yardstick": r.yardstick, "command": r.command})
            })
            .collect();
        println!("{:#}", json!({"rows": rows, "notes": notes}));
        return;
    }
    println!("| what | ours | yardstick | | ratio | command |\n|---|--:|--:|---|--:|---|");
    for r in rows {
        println!(
            "| {} | {:.2} {u} | {:.2} {u} | {} | {:.2} | `{}` |",
            r.what,
            r.ours,
            r.limit,
            r.yardstick,
            r.ratio(),
            r.command,
            u = r.unit
        );
    }
    notes.iter().for_each(|note| println!("\n{note}"));
}

/// The write of an image into an emulated drive, against `dd` of the same raw bytes into the same folder, by turns.
/// Gives the seconds of `dd`.
fn writes(binary: &Path, folder: &Path, rows: &mut Vec<Row>) -> Result<f64> {
    let daemon = Daemon::start(binary, folder, &["--speed", "50"])?;
    let raw = raw(&daemon, folder)?;
    let copy = daemon.home.state().join("emulator/dd.raw");
    let (mut ours, mut dd) = (Vec::new(), Vec::new());
    for n in 0..WRITES {
        let mut command = Command::new("dd");
        command
            .arg(format!("if={}", raw.display()))
            .arg(format!("of={}", copy.display()))
            .args(["bs=1M", "conv=fsync"]);
        dd.push(seconds(&mut command)?);
        fs::remove_file(&copy)?;
        let name = format!("write-{n}");
        output(&mut daemon.command(&["run", "demo", "--name", &name]))?;
        ours.push(phase(&daemon.timeline(&name)?, "write")?);
    }
    let dd = median(&mut dd);
    rows.push(Row {
        what: format!("image write, {} MB raw", fs::metadata(&raw)?.len() / 1_000_000),
        ours: median(&mut ours),
        limit: dd,
        unit: "s",
        yardstick: format!("`dd bs=1M conv=fsync`, median of {WRITES} by turns"),
        command: "busbar run demo; busbar trace NAME --json",
    });
    Ok(dd)
}

/// The image's raw bytes, read back from the drive of a first machine, which warms up everything as well.
fn raw(daemon: &Daemon, folder: &Path) -> Result<PathBuf> {
    output(&mut daemon.command(&["run", "demo", "--name", "first"]))?;
    let mut drives = Vec::new();
    for entry in fs::read_dir(daemon.home.state().join("emulator"))? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().ends_with(".img") {
            drives.push((entry.metadata()?.blocks(), entry.path()));
        }
    }
    // the others are empty
    let (_, drive) = drives.into_iter().max().context("the emulated rack has drives")?;
    let raw = folder.join("demo.raw");
    std::io::copy(
        &mut fs::File::open(drive)?.take(daemon.raw_bytes()?),
        &mut fs::File::create(&raw)?,
    )?;
    Ok(raw)
}

/// One machine at real speed, from the call to the login, phase by phase.
fn phases(binary: &Path, folder: &Path, disk: f64, rows: &mut Vec<Row>) -> Result<()> {
    let daemon = Daemon::start(binary, folder, &["--speed", "1"])?;
    let net = loopback(daemon.raw_bytes()?)?;
    output(&mut daemon.command(&["run", "demo", "--name", "real-speed"]))?;
    let timeline = daemon.timeline("real-speed")?;
    let took = |name| phase(&timeline, name);
    let (power_on, post) = (constant(EMULATED, "POWER_ON")?, constant(LIFE, "POST")?);
    let limits = [
        ("power", took("power")?, power_on, "POWER_ON"),
        (
            "firmware and kernel",
            took("firmware and kernel")?,
            post + constant(LIFE, "KERNEL")?,
            "POST + KERNEL",
        ),
        (
            "write",
            took("write")?,
            disk.max(net),
            "the slower of `dd` and a plain GET of the raw bytes",
        ),
        (
            "restart and first boot",
            took("restart")? + took("first boot")?,
            power_on + post + constant(LIFE, "SYSTEM")?,
            "POWER_ON + POST + SYSTEM",
        ),
    ];
    let command = "busbar up --emulate --speed 1; busbar run demo; busbar trace NAME --json";
    for (what, ours, limit, yardstick) in limits {
        rows.push(Row {
            what: format!("to a login: {what}"),
            ours,
            limit,
            unit: "s",
            yardstick: yardstick.to_owned(),
            command,
        });
    }
    rows.push(Row {
        what: "to a login: all of it".to_owned(),
        ours: timeline.iter().map(|step| step.1).sum(),
        limit: limits.iter().map(|limit| limit.2).sum(),
        unit: "s",
        yardstick: "the sum of the limits".to_owned(),
        command,
    });
    Ok(())
}

/// A big rack: until all is found, then its list against the smallest answer that the same API can give.
fn listing(binary: &Path, folder: &Path, rows: &mut Vec<Row>, notes: &mut Vec<String>) -> Result<()> {
    let begun = Instant::now();
    let nodes = NODES.to_string();
    let daemon = Daemon::start(binary, folder, &["--nodes", &nodes, "--speed", "50"])?;
    let body = found(&daemon, NODES, begun)?;
    notes.push(format!(
        "{NODES} emulated nodes: all in the list {:.1} s after the daemon's start; the list is {:.2} MB",
        begun.elapsed().as_secs_f64(),
        body.len() as f64 / 1e6
    ));
    let mut floor = daemon.answers("/healthz")?;
    let mut list = daemon.answers("/v1/nodes")?;
    floor.append(&mut daemon.answers("/healthz")?);
    for (what, share) in [("p50", 0.50), ("p99", 0.99)] {
        rows.push(Row {
            what: format!("GET /v1/nodes, {NODES} nodes, {what}"),
            ours: quantile(&mut list, share) * 1e3,
            limit: quantile(&mut floor, share) * 1e3,
            unit: "ms",
            yardstick: format!("GET /healthz, {what}, one kept TLS connection"),
            command: "curl -K - (one connection, 100 times)",
        });
    }
    notes.push(format!(
        "{NODES} emulated nodes: {} MB resident",
        daemon.used()?.resident / 1000
    ));
    Ok(())
}

/// Waits until a rack of so many nodes is found; gives their list.
fn found(daemon: &Daemon, nodes: usize, begun: Instant) -> Result<String> {
    loop {
        let body = daemon.get("/v1/nodes").unwrap_or_else(|_| "[]".to_owned());
        let found = serde_json::from_str::<Vec<Value>>(&body)?.len();
        // the rack has a node in a box of its own besides
        if found >= nodes {
            return Ok(body);
        }
        if begun.elapsed() > FOUND {
            bail!(
                "{found} of {nodes} emulated nodes after {FOUND:?}; see {}",
                daemon.process.log.display()
            );
        }
        thread::sleep(Duration::from_millis(250));
    }
}

/// A command's start and end against that of the smallest program.
fn starts(binary: &Path, folder: &Path, rows: &mut Vec<Row>) -> Result<()> {
    let daemon = Daemon::start(binary, folder, &["--speed", "50"])?;
    let (mut version, mut ps, mut nothing) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..STARTS {
        nothing.push(seconds(&mut Command::new("/bin/true"))?);
        version.push(seconds(&mut daemon.command(&["--version"]))?);
        ps.push(seconds(&mut daemon.command(&["ps", "--json"]))?);
    }
    let limit = median(&mut nothing) * 1e3;
    for (what, mut times, command) in [
        ("busbar --version", version, "busbar --version"),
        ("busbar ps --json", ps, "busbar ps --json"),
    ] {
        rows.push(Row {
            what: what.to_owned(),
            ours: median(&mut times) * 1e3,
            limit,
            unit: "ms",
            yardstick: format!("`/bin/true`, median of {STARTS} by turns"),
            command,
        });
    }
    Ok(())
}

/// The store's own bench: milliseconds for a commit, against SQLite alone.
fn store(commits: &Path, folder: &Path, rows: &mut Vec<Row>) -> Result<()> {
    let text = output(Command::new(commits).arg(folder).arg("2"))?;
    for line in text.lines() {
        let words: Vec<f64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        if let [writers, rate, _p99, alone, _ratio] = words[..] {
            rows.push(Row {
                what: format!("durable commit, {writers} writers"),
                ours: 1e3 / rate,
                limit: 1e3 / alone,
                unit: "ms",
                yardstick: "SQLite alone, one row a transaction, one writer".to_owned(),
                command: "cargo run --release -p store --example commits",
            });
        }
    }
    Ok(())
}

/// A daemon with an emulated rack of its own; it ends with the value.
struct Daemon {
    process: Process,
    home: Home,
}

impl Daemon {
    /// One with an emulated rack, ready when it has the example image, which is taken in after the API answers.
    fn start(binary: &Path, folder: &Path, arguments: &[&str]) -> Result<Self> {
        let words = [&["--emulate"], arguments].concat();
        Self::ready(binary, folder, &words, (&["image", "ls", "--json"], "\"demo\""))
    }

    /// One without.
    fn beside(binary: &Path, folder: &Path, arguments: &[&str]) -> Result<Self> {
        Self::ready(binary, folder, arguments, (&["ls", "--json"], "["))
    }

    fn ready(binary: &Path, folder: &Path, arguments: &[&str], when: (&[&str], &str)) -> Result<Self> {
        let home = Home::new(binary, folder);
        let _ = fs::remove_dir_all(home.state());
        let _ = fs::remove_file(home.context());
        let listen = format!("127.0.0.1:{}", free_port(23_400..25_000)?);
        let mut up = home.command(&["up", "--listen", &listen]);
        let mut process = Process::start("daemon", folder, up.args(arguments))?;
        process.until(READY, || home.call(when.0).is_ok_and(|text| text.contains(when.1)))?;
        Ok(Self { process, home })
    }

    fn command(&self, arguments: &[&str]) -> Command {
        self.home.command(arguments)
    }

    /// Length of the example image, unpacked.
    fn raw_bytes(&self) -> Result<u64> {
        let images = self.home.json(&["image", "ls"])?;
        images[0]["raw"].as_u64().context("an image has a length")
    }

    /// Phases of a machine's making, with their seconds.
    fn timeline(&self, name: &str) -> Result<Vec<(String, f64)>> {
        let trace = self.home.json(&["trace", name])?;
        let steps = trace["timeline"].as_array().context("a trace has a timeline")?;
        steps
            .iter()
            .map(|step| {
                let name = step["name"].as_str().context("a step has a name")?;
                Ok((
                    name.to_owned(),
                    clock::seconds(&step["ended"])? - clock::seconds(&step["began"])?,
                ))
            })
            .collect()
    }

    fn get(&self, path: &str) -> Result<String> {
        self.home.ask(path, 1, "")
    }

    /// Seconds of each answer over one kept connection; the first, which made it, is left out.
    fn answers(&self, path: &str) -> Result<Vec<f64>> {
        let times = "write-out = \"%{num_connects} %{time_total}\\n\"\n";
        let text = self.home.ask(path, ANSWERS + 1, times)?;
        let kept: Vec<f64> = text
            .lines()
            .filter_map(|line| line.strip_prefix("0 ")?.parse().ok())
            .collect();
        if kept.len() != ANSWERS {
            bail!("{path}: {} of {ANSWERS} answers over the kept connection", kept.len());
        }
        Ok(kept)
    }

    fn used(&self) -> Result<Used> {
        self.process.used()
    }
}

/// Seconds of a plain GET of so many bytes over loopback: curl, from the simplest server.
fn loopback(bytes: u64) -> Result<f64> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/", listener.local_addr()?);
    let server = thread::spawn(move || -> std::io::Result<()> {
        let (mut stream, _) = listener.accept()?;
        let _ = stream.read(&mut [0; 4096])?;
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {bytes}\r\n\r\n")?;
        std::io::copy(&mut std::io::repeat(0xa5).take(bytes), &mut stream)?;
        Ok(())
    });
    let time = output(Command::new("curl").args(["-s", "-o", "/dev/null", "-w", "%{time_total}", &url]))?;
    server.join().ok().context("the server of the plain GET")??;
    Ok(time.trim().parse()?)
}

/// A constant of the emulator, from its source, so that it can't drift from it.
fn constant(source: &str, name: &str) -> Result<f64> {
    let pattern = format!("const {name}: f64 = ");
    let value = source.split(&pattern).nth(1).and_then(|rest| rest.split(';').next());
    Ok(value.with_context(|| format!("the emulator has no {name}"))?.parse()?)
}

fn phase(timeline: &[(String, f64)], name: &str) -> Result<f64> {
    let step = timeline.iter().find(|step| step.0 == name);
    Ok(step.with_context(|| format!("the trace has no {name}"))?.1)
}

fn seconds(command: &mut Command) -> Result<f64> {
    let begun = Instant::now();
    output(command)?;
    Ok(begun.elapsed().as_secs_f64())
}

fn median(times: &mut [f64]) -> f64 {
    quantile(times, 0.5)
}

/// The value that such a share of all is not above.
pub fn quantile(times: &mut [f64], share: f64) -> f64 {
    times.sort_by(f64::total_cmp);
    let last = times.len().saturating_sub(1);
    times
        .get((last as f64 * share).round() as usize)
        .copied()
        .unwrap_or_default()
}

fn load() -> Result<String> {
    let text = fs::read_to_string("/proc/loadavg")?;
    Ok(text.split_whitespace().take(3).collect::<Vec<_>>().join(" "))
}
