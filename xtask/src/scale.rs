//! A data hall that one daemon watches, on one machine with the emulator: `cargo xtask scale --bmcs N`.
//!
//! `busbar emulate --hall N` answers for N BMCs; `busbar up` is given their rack files and only watches. Measured is how long
//! it takes until all are discovered, inventoried and ready (power seen and readings read), what both processes use, how
//! soon lists begin and a daemon that starts again is whole, and what changes for the others when one BMC in ten hangs and
//! when half of all vanish. Driven by command line and API only. What must hold on any machine makes it fail (nothing lost,
//! memory); what depends on who else uses the machine is printed beside its goal. Start at [`run`].

mod process;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::clock::{now, seconds};
use crate::daemon::{built, emptied};
use crate::failures;
use crate::process::Used;
use crate::test::Count;
use process::{Daemon, Emulator};

/// What `cargo xtask test` runs.
pub const SAMPLE: u32 = 1_000;
/// From how many on memory for each is a limit and not only told.
const JUDGED: u32 = 5_000;
/// The hall that the goals are for: 250 racks.
const WHOLE: u32 = 17_750;
/// Most memory for one BMC, in either process.
const KIB: f64 = 60.0;
/// A BMC that is not looked at for so long is not watched.
const FRESH: f64 = 60.0;
/// What is late beside that while the machine is busy with something else.
const LATE: f64 = 30.0;
/// How long everything may take until it is ready, for each BMC; the goal is 600 s for the whole hall, on a machine that
/// has nothing else to do and a release build.
const PATIENCE_FOR_EACH: Duration = Duration::from_millis(150);
const PATIENCE: Duration = Duration::from_secs(120);
/// What follows a discovery (event streams, first readings) is over after so long.
const SETTLE: Duration = Duration::from_secs(20);
/// Lists whose first bytes are timed.
const LISTS: usize = 20;
/// Nodes in the list whose first byte is timed.
const LISTED: u32 = 10_000;
/// One BMC in so many hangs.
const HANGING: u32 = 10;

#[derive(clap::Args)]
pub struct Args {
    /// How many BMCs
    #[arg(long, default_value_t = SAMPLE, conflicts_with = "racks")]
    bmcs: u32,
    /// How many racks of 71, instead
    #[arg(long)]
    racks: Option<u32>,
    /// Seconds over which the steady state is measured
    #[arg(long, default_value_t = 60)]
    steady: u64,
    /// Let half of all vanish and come back, too
    #[arg(long)]
    vanish: bool,
    /// What one in ten does in the second round: hang, fail, vanish; none for no second round
    #[arg(long, default_value = "hang")]
    faulty: String,
    /// A built `busbar`, instead of a debug build of this tree
    #[arg(long)]
    busbar: Option<PathBuf>,
}

impl Args {
    /// What `cargo xtask test` runs; a whole run lets half of all vanish as well.
    pub fn of(bmcs: u32, vanish: bool) -> Args {
        Args {
            bmcs,
            racks: None,
            steady: 20,
            vanish,
            faulty: "hang".to_owned(),
            busbar: None,
        }
    }
}

/// One line of the table.
struct Row {
    what: String,
    value: String,
    goal: String,
    /// Whether a limit that holds on any machine was kept; none for what is only printed.
    kept: Option<bool>,
}

#[derive(Default)]
struct Table {
    rows: Vec<Row>,
}

impl Table {
    /// Printed only.
    fn told(&mut self, what: impl Into<String>, value: String, goal: impl Into<String>) {
        self.add(what, value, goal, None);
    }

    /// Must hold.
    fn must(&mut self, what: impl Into<String>, value: String, goal: impl Into<String>, kept: bool) {
        self.add(what, value, goal, Some(kept));
    }

    fn add(&mut self, what: impl Into<String>, value: String, goal: impl Into<String>, kept: Option<bool>) {
        let row = Row {
            what: what.into(),
            value,
            goal: goal.into(),
            kept,
        };
        // a run takes minutes: what is known is shown
        eprintln!("  {}: {}", row.what, row.value);
        self.rows.push(row);
    }

    fn count(&self) -> Count {
        let of = |kept| self.rows.iter().filter(|r| r.kept == Some(kept)).count() as u64;
        Count {
            passed: of(true),
            failed: of(false),
        }
    }

    fn print(&self) {
        println!("\n| what | measured | goal | |\n|---|--:|--:|---|");
        for r in &self.rows {
            let mark = match r.kept {
                Some(true) => "kept",
                Some(false) => "**broken**",
                None => "",
            };
            let row = format!("| {} | {} | {} | {mark} |", r.what, r.value, r.goal);
            println!("{row}");
            if r.kept == Some(false) {
                failures::keep(&row);
            }
        }
    }
}

/// Runs, and prints the table; an error if a limit that holds anywhere was broken.
pub fn run(args: &Args) -> Result<()> {
    let count = count(args);
    println!("\n{} passed, {} failed", count.passed, count.failed);
    if count.failed > 0 {
        std::process::exit(1);
    }
    Ok(())
}

/// The same, counted.
pub fn count(args: &Args) -> Count {
    Count::of_all(scale(args))
}

fn scale(args: &Args) -> Result<Count> {
    let binary = match &args.busbar {
        Some(path) => fs::canonicalize(path).with_context(|| path.display().to_string())?,
        None => built()?,
    };
    let folder = emptied(&crate::target().join("scale"))?;
    let bmcs = args.racks.map_or(args.bmcs, |racks| racks.saturating_mul(71));
    let fault = match args.faulty.as_str() {
        "none" => None,
        "hang" => Some(json!({"action": "hang", "on": {"one_in": HANGING}})),
        "fail" => Some(json!({"action": "status", "code": 500, "on": {"one_in": HANGING}})),
        "vanish" => Some(json!({"action": "vanish", "on": {"one_in": HANGING}})),
        other => bail!("`{other}` is none of hang, fail, vanish, none"),
    };
    let mut table = Table::default();
    let alone = Emulator::start(&binary, &folder, 1)?.used()?;
    let healthy = whole(args, &binary, &folder, bmcs, alone, &mut table)?;
    if let Some(fault) = fault {
        faulty(args, &binary, &folder, bmcs, &fault, healthy, &mut table)?;
    }
    let load = fs::read_to_string("/proc/loadavg")?;
    let load: Vec<&str> = load.split_whitespace().take(3).collect();
    table.print();
    println!(
        "\n{bmcs} BMCs, {} cores, load average at the end {}",
        std::thread::available_parallelism()?,
        load.join(" ")
    );
    Ok(table.count())
}

/// The first round: all are well.
fn whole(args: &Args, binary: &Path, folder: &Path, bmcs: u32, alone: Used, table: &mut Table) -> Result<(f64, f64)> {
    let emulator = Emulator::start(binary, folder, bmcs)?;
    let (mut daemon, empty) = Daemon::prepare(binary, folder)?;
    let begun = Instant::now();
    let since = emulator.used()?.cpu;
    daemon.up(&emulator.racks)?;
    let ready = until_ready(&mut daemon, bmcs, begun, &|_| true)?;
    let goal = |seconds: f64| format!("{:.0} s", seconds * f64::from(bmcs) / f64::from(WHOLE));
    table.must(
        "BMCs discovered, inventoried, ready",
        format!("{} of {bmcs}", ready.boxes),
        format!("{bmcs}"),
        ready.boxes == bmcs as usize,
    );
    table.told("all ready after", format!("{:.1} s", ready.seconds), goal(600.0));
    for (share, seconds) in ready.shares {
        table.told(format!("{share} % inventoried after"), format!("{seconds:.1} s"), "");
    }
    let (e, d) = (emulator.used()?, daemon.used()?);
    table.told("CPU time until then, daemon", format!("{:.1} s", d.cpu), "");
    table.told("CPU time until then, emulator", format!("{:.1} s", e.cpu - since), "");
    table.told(
        "open files, daemon and emulator",
        format!("{} and {}", d.files, e.files),
        "",
    );
    memory("all ready", bmcs, (&d, &empty), (&e, &alone), false, table);

    sleep(SETTLE);
    let (e0, d0) = (emulator.used()?, daemon.used()?);
    let began = Instant::now();
    sleep(Duration::from_secs(args.steady));
    let (e1, d1) = (emulator.used()?, daemon.used()?);
    let over = began.elapsed().as_secs_f64();
    let core = |from: Used, to: Used| format!("{:.2} cores", (to.cpu - from.cpu) / over);
    let share = f64::from(bmcs) / f64::from(WHOLE);
    table.told(
        format!("steady state over {over:.0} s, daemon"),
        core(d0, d1),
        format!("{share:.2} cores"),
    );
    table.told(format!("steady state over {over:.0} s, emulator"), core(e0, e1), "");
    let oldest = oldest(&daemon)?;
    table.must(
        "oldest reading of any node",
        format!("{oldest:.0} s"),
        format!("{FRESH:.0} s"),
        oldest <= FRESH + LATE,
    );
    // of fewer, what any number takes (the daemon's 1,024 event streams above all) would be most
    memory(
        "steady state",
        bmcs,
        (&d1, &empty),
        (&e1, &alone),
        bmcs >= JUDGED,
        table,
    );

    lists(&daemon, table)?;

    let all = boxes(&daemon)?.len();
    daemon.down()?;
    let begun = Instant::now();
    daemon.up(&emulator.racks)?;
    let answers = loop {
        match daemon.status() {
            Ok(status) if told(&status) >= all => break begun.elapsed(),
            _ => daemon.waits(begun)?,
        }
    };
    table.told(
        "restart until the API has them all",
        format!("{:.2} s", answers.as_secs_f64()),
        "2 s",
    );
    let again = boxes(&daemon)?.len();
    table.must(
        "BMCs after the restart",
        format!("{again}"),
        format!("{all}"),
        again == all,
    );

    if args.vanish {
        vanish(&mut daemon, &emulator, bmcs, table)?;
    }
    Ok((ready.seconds, over))
}

/// Half of all vanish, and come back.
fn vanish(daemon: &mut Daemon, emulator: &Emulator, bmcs: u32, table: &mut Table) -> Result<()> {
    let begun = Instant::now();
    until_ready(daemon, bmcs, begun, &|_| true)?;
    let (id, gone) = emulator.fault(&json!({"action": "vanish", "on": {"one_in": 2}}))?;
    let begun = Instant::now();
    let limit = patience(bmcs);
    // devices are not told apart by whether they answer
    let nodes = gone.iter().filter(|place| !place.contains("/p")).count();
    let silent = |status: &Value| sum(status, &["silent"]);
    loop {
        let seen = silent(&daemon.status()?);
        if seen >= nodes {
            table.told(
                format!("half vanish ({nodes} nodes): all of them told as silent after"),
                format!("{:.0} s", begun.elapsed().as_secs_f64()),
                "",
            );
            break;
        }
        if begun.elapsed() > limit {
            table.told(
                "half vanish: told as silent",
                format!("{seen} of {nodes} after {limit:?}"),
                "",
            );
            break;
        }
        sleep(Duration::from_secs(1));
    }
    emulator.clear(id)?;
    let begun = Instant::now();
    let mut left = silent(&daemon.status()?);
    while left > 0 && begun.elapsed() < limit {
        sleep(Duration::from_secs(1));
        left = silent(&daemon.status()?);
    }
    let after = begun.elapsed().as_secs_f64();
    table.must(
        "half come back: silent still",
        format!("{left} after {after:.0} s"),
        "0",
        left == 0,
    );
    Ok(())
}

/// The second round: one in ten is not well from the start.
fn faulty(
    args: &Args,
    binary: &Path,
    folder: &Path,
    bmcs: u32,
    fault: &Value,
    (before, _): (f64, f64),
    table: &mut Table,
) -> Result<()> {
    let emulator = Emulator::start(binary, folder, bmcs)?;
    let (id, hit) = emulator.fault(fault)?;
    let (mut daemon, _) = Daemon::prepare(binary, folder)?;
    let begun = Instant::now();
    daemon.up(&emulator.racks)?;
    let others = bmcs as usize - hit.len();
    let ready = until_ready(&mut daemon, others as u32, begun, &|place| {
        hit.binary_search_by(|h| h.as_str().cmp(place)).is_err()
    })?;
    let what = &args.faulty;
    table.must(
        format!("{} of {bmcs} {what}: others ready", hit.len()),
        format!("{} of {others}", ready.boxes),
        format!("{others}"),
        ready.boxes == others,
    );
    let expected = before * others as f64 / f64::from(bmcs);
    table.told(
        format!("{what}: others ready after"),
        format!(
            "{:.1} s, {:+.0} %",
            ready.seconds,
            (ready.seconds / expected - 1.0) * 100.0
        ),
        format!("{expected:.1} s, +10 %"),
    );
    emulator.clear(id)?;
    let cleared = Instant::now();
    let all = until_ready(&mut daemon, bmcs, cleared, &|_| true)?;
    table.must(
        format!("{what} no more: ready"),
        format!("{} of {bmcs} after {:.0} s", all.boxes, all.seconds),
        format!("{bmcs}"),
        all.boxes == bmcs as usize,
    );
    Ok(())
}

fn patience(bmcs: u32) -> Duration {
    PATIENCE + PATIENCE_FOR_EACH * bmcs
}

/// Resident memory for each BMC, beyond what the same program takes without any.
fn memory(when: &str, bmcs: u32, daemon: (&Used, &Used), emulator: (&Used, &Used), must: bool, table: &mut Table) {
    for (who, (now, base)) in [("daemon", daemon), ("emulator", emulator)] {
        let each = (now.resident as f64 - base.resident as f64) / f64::from(bmcs);
        table.add(
            format!("memory for each BMC, {when}, {who}"),
            format!(
                "{each:.1} KiB ({:.0} MiB in all, {:.0} without)",
                now.resident as f64 / 1024.0,
                base.resident as f64 / 1024.0
            ),
            format!("{KIB:.0} KiB"),
            must.then_some(each <= KIB),
        );
    }
}

fn lists(daemon: &Daemon, table: &mut Table) -> Result<()> {
    let pages = format!("/v1/nodes?limit={LISTED}");
    let (path, mut times) = match daemon.first_bytes(&pages, LISTS) {
        Ok(times) => (pages.as_str(), times),
        Err(_) => ("/v1/nodes", daemon.first_bytes("/v1/nodes", LISTS)?),
    };
    for (what, share) in [("p50", 0.5), ("p99", 0.99)] {
        let seconds = crate::bench::quantile(&mut times, share);
        table.told(
            format!("GET {path}, first byte, {what} of {LISTS}"),
            format!("{:.1} ms", seconds * 1e3),
            "5 ms",
        );
    }
    Ok(())
}

/// What came of waiting.
struct Ready {
    boxes: usize,
    seconds: f64,
    /// After how many seconds 50, 90 and 99 % of the nodes were inventoried.
    shares: Vec<(u32, f64)>,
}

/// Waits until so many boxes among those that `counts` are ready, or for as long as is fair.
fn until_ready(daemon: &mut Daemon, bmcs: u32, begun: Instant, counts: &dyn Fn(&str) -> bool) -> Result<Ready> {
    let wall = now() - begun.elapsed().as_secs_f64();
    let limit = patience(bmcs);
    let mut started = false;
    loop {
        match daemon.status() {
            Ok(status) => {
                started = true;
                let late = begun.elapsed() > limit;
                if told(&status) >= bmcs as usize || late {
                    let asked = Instant::now();
                    let ready = boxes(daemon)?;
                    let ready: Vec<Option<f64>> = ready
                        .into_iter()
                        .filter(|(place, b)| counts(place) && b.ready)
                        .map(|(_, b)| b.discovered.map(|at| at - wall))
                        .collect();
                    if ready.len() >= bmcs as usize || late {
                        let mut found: Vec<f64> = ready.iter().copied().flatten().collect();
                        let shares = [50, 90, 99];
                        return Ok(Ready {
                            boxes: ready.len(),
                            seconds: asked.duration_since(begun).as_secs_f64(),
                            shares: shares
                                .map(|s| (s, crate::bench::quantile(&mut found, f64::from(s) / 100.0)))
                                .to_vec(),
                        });
                    }
                    // the list of a hall is large: it is not asked for more often than it is worth
                    sleep(asked.elapsed() * 4);
                }
                sleep(Duration::from_millis(500));
            }
            Err(_) if !started => daemon.waits(begun)?,
            Err(error) if begun.elapsed() > limit => return Err(error),
            // too busy to answer in time is not gone
            Err(_) => sleep(Duration::from_secs(1)),
        }
    }
}

/// A number of each rack, summed up.
fn sum(status: &Value, names: &[&str]) -> usize {
    let racks = status["racks"].as_array().map(Vec::as_slice).unwrap_or_default();
    let of = |rack: &Value| names.iter().filter_map(|n| rack[*n].as_u64()).sum::<u64>();
    racks.iter().map(of).sum::<u64>() as usize
}

/// Nodes and devices that are known.
fn told(status: &Value) -> usize {
    sum(status, &["nodes", "devices"])
}

/// What the daemon knows of one box.
struct Known {
    ready: bool,
    /// Seconds since 1970.
    discovered: Option<f64>,
}

/// Every box that the daemon knows, by place.
fn boxes(daemon: &Daemon) -> Result<BTreeMap<String, Known>> {
    let mut all = BTreeMap::new();
    for (path, node) in [("/v1/nodes", true), ("/v1/devices", false)] {
        let list = daemon.get(path)?;
        for one in list.as_array().context("the API lists")? {
            let place = one["place"].as_str().context("a box has a place")?.to_owned();
            let readings = if node {
                &one["live"]["readings"]
            } else {
                &one["readings"]
            };
            let read = readings.as_array().is_some_and(|r| !r.is_empty());
            let known = Known {
                ready: read && (!node || one["live"]["power"].is_string() && one["live"]["silent"].is_null()),
                discovered: seconds(&one["discovered"]).ok(),
            };
            all.insert(place, known);
        }
    }
    Ok(all)
}

/// Seconds since the reading of any node that was read the longest ago.
fn oldest(daemon: &Daemon) -> Result<f64> {
    let list = daemon.get("/v1/nodes")?;
    let now = now();
    let mut oldest = 0.0_f64;
    for node in list.as_array().context("the API lists")? {
        let taken = seconds(&node["live"]["readings"][0]["taken"]);
        let at = taken.with_context(|| format!("{} has no reading", node["place"]))?;
        oldest = oldest.max(now - at);
    }
    Ok(oldest)
}
