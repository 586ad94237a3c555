//! A rack that is left alone with bad luck: `cargo xtask soak`.
//!
//! The built `busbar` watches emulated servers, PDUs and every captured box of the corpus (`redfish-trees.tar.xz` in the folder
//! that `BUSBAR_CORPUS` names; without it the captured ones are left out, which is said aloud). While users make machines, switch
//! them, give them back and ask things of boxes, faults come and go, the daemon is killed and controllers are replaced. Then luck
//! turns: faults are cleared, and everything must come to rest, by itself or by the way out that `busbar why` names, with
//! nothing lost. It is driven by the command line only. Start at [`soak`]; the daemon is in [`daemon`], what happens in
//! [`luck`], what a rack at rest is in [`rest`].

mod daemon;
mod luck;
mod rest;

use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::command::{cmd, run as run_command};
use crate::daemon::built;
use crate::failures;
use crate::peers;
use crate::test::Count;
use daemon::Daemon;
use luck::Luck;

/// What an ordinary run samples, and what a whole one lasts.
pub const SAMPLE: u64 = 2;
pub const WHOLE: u64 = 60;
/// Seed when none is given: a failure in one run is tried again in the next.
const SEED: u64 = 1;
/// Emulated servers beside the one with accelerators.
const NODES: usize = 8;
/// How much faster than real they are: a machine is made within seconds.
const SPEED: &str = "50";
/// Pause between two acts.
const BETWEEN: Duration = Duration::from_millis(400);
/// How often the daemon is killed in a run, never more often than [`SHORTEST_LIFE`] allows.
const KILLS: u32 = 5;
/// How long after its start a daemon has met every box, with connections and event streams: from then on nothing may grow.
const WARM: Duration = Duration::from_secs(25);
const SHORTEST_LIFE: Duration = Duration::from_secs(30);

#[derive(clap::Args)]
pub struct Args {
    /// How long faults come and go, before everything must come to rest
    #[arg(long, default_value_t = SAMPLE)]
    minutes: u64,
    /// Which bad luck
    #[arg(long, default_value_t = SEED)]
    seed: u64,
    /// A built `busbar`, instead of a debug build of this tree
    #[arg(long)]
    busbar: Option<PathBuf>,
}

impl Args {
    /// What `cargo xtask test` runs.
    pub fn of(minutes: u64) -> Args {
        Args {
            minutes,
            seed: SEED,
            busbar: None,
        }
    }
}

/// Soaks, and prints what came of it; an error if anything failed.
pub fn run(args: &Args) -> Result<()> {
    count(args).told("the soaked rack did not come to rest")
}

/// Each command and each check at the end counts. What could not be run is one that failed.
pub fn count(args: &Args) -> Count {
    Count::of_all(soak(args))
}

fn soak(args: &Args) -> Result<Count> {
    let binary = match &args.busbar {
        Some(path) => std::fs::canonicalize(path).with_context(|| path.display().to_string())?,
        None => built()?,
    };
    let trees = trees()?;
    let mut daemon = Daemon::start(&binary, &crate::target().join("soak"), &up(&trees))?;
    let before = rest::settle(&daemon, NODES + 1, !trees.is_empty())?;
    println!(
        "{} nodes, {} of them captured boxes' (of {} trees)",
        before.nodes.len(),
        before
            .nodes
            .values()
            .filter(|place| place.starts_with("trees/"))
            .count(),
        trees.len()
    );
    println!("{} PDUs and other boxes", before.devices.len());
    let mut luck = Luck::new(args, &before);
    let begun = Instant::now();
    let lasts = Duration::from_secs(args.minutes * 60);
    let life = (lasts / (KILLS + 1)).max(SHORTEST_LIFE);
    let (mut size, mut alive) = (None, Instant::now());
    let mut kills = 0;
    while begun.elapsed() < lasts {
        luck.act(&mut daemon)?;
        // the last life is the longest: what grows is seen in it
        if begun.elapsed() > life * (kills + 1) && begun.elapsed() + life * 2 <= lasts {
            kills += 1;
            luck.may_replace_controllers(&daemon)?;
            daemon.restart()?;
            luck.restarted();
            (size, alive) = (None, Instant::now());
        }
        if size.is_none() && alive.elapsed() > WARM {
            size = Some(daemon.size()?);
        }
        sleep(BETWEEN);
    }
    luck.turn(&daemon)?;
    let size = size.context("the run was too short to see what grows")?;
    let mut checks = rest::checks(&daemon, &before, size);
    checks.push(("no panic in the log".into(), daemon.no_panic()));
    luck.print(kills);
    let mut count = luck.count();
    for (what, outcome) in &checks {
        match outcome {
            Ok(found) => println!("ok      {what}: {found}"),
            Err(error) => failures::tell(format_args!("FAILED  {what}: {error:#}")),
        }
        count.passed += u64::from(outcome.is_ok());
        count.failed += u64::from(outcome.is_err());
    }
    println!("seed {}, log {}", args.seed, daemon.log().display());
    Ok(count)
}

/// What the daemon is told.
fn up(trees: &[PathBuf]) -> Vec<String> {
    let mut all: Vec<String> = ["--nodes", &NODES.to_string(), "--speed", SPEED]
        .map(str::to_owned)
        .into();
    for tree in trees {
        all.extend(["--tree".to_owned(), tree.display().to_string()]);
    }
    all
}

/// Every captured tree, unpacked.
fn trees() -> Result<Vec<PathBuf>> {
    const ARCHIVE: &str = "redfish-trees.tar.xz";
    let corpus = std::env::var_os("BUSBAR_CORPUS").map(PathBuf::from);
    let Some(archive) = corpus.map(|c| c.join(ARCHIVE)).filter(|a| a.exists()) else {
        println!("SKIPPED: captured boxes, as BUSBAR_CORPUS names no folder with {ARCHIVE}; emulated ones only");
        return Ok(Vec::new());
    };
    let length = std::fs::metadata(&archive)?.len();
    let folder = peers::once("trees", &format!("of-{length}-bytes"), |folder| {
        run_command(cmd("tar xJf").arg(&archive).arg("-C").arg(folder))
    })?;
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)?
        .map(|entry| entry.map(|e| e.path()))
        .collect::<std::io::Result<_>>()?;
    found.retain(|path| path.is_dir());
    found.sort();
    Ok(found)
}
