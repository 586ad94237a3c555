//! `cargo xtask simulate`: many stories, or one.

use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use clap::Parser;
use simulation::campaign::{self, Failure, Plan, Report, run_all};
use simulation::{Size, Story, shrink};

/// Simulated racks are made of many small objects, as the real daemon is.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Between two lines of progress.
const PROGRESS: Duration = Duration::from_secs(10);

/// Racks in simulated time: the whole house against an emulated rack, with bad luck, from seeds
#[derive(Parser)]
struct Args {
    /// How many seeds
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first of them
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Hours of bad luck in each; what comes after it is added
    #[arg(long, default_value_t = 24)]
    hours: u64,
    /// Nodes of each rack, 1 to 40; racks of all sizes without it
    #[arg(long)]
    nodes: Option<u32>,
    /// Stories at once; as many as there are processors without it
    #[arg(long)]
    threads: Option<usize>,
    /// No story is begun after so many minutes, and none is shrunk for longer than a third of them
    #[arg(long)]
    minutes: Option<u64>,
    /// How many failing stories are shrunk
    #[arg(long, default_value_t = 3)]
    shrink: usize,
    /// Tell only this seed's story
    #[arg(long)]
    seed: Option<u64>,
    /// And of it only these events, as numbers from 0
    #[arg(long, value_delimiter = ',', requires = "seed")]
    keep: Option<Vec<usize>>,
    /// Tell this story, as a failing one printed itself
    #[arg(long, conflicts_with = "seed")]
    story: Option<Story>,
    /// Print the story of the seed, and tell nothing
    #[arg(long, requires = "seed")]
    print: bool,
}

impl Args {
    fn size(&self) -> Size {
        self.nodes.map_or(Size::Any, Size::Of)
    }

    fn one(&self) -> Option<Story> {
        let seed = self.seed.map(|seed| {
            let mut story = Story::of_seed(seed, self.hours, self.size());
            if let Some(keep) = &self.keep {
                let events = std::mem::take(&mut story.events);
                let kept = events.into_iter().enumerate().filter(|(i, _)| keep.contains(i));
                story.events = kept.map(|(_, event)| event).collect();
            }
            story
        });
        self.story.clone().or(seed)
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    match args.one() {
        Some(story) if args.print => {
            println!("{story}");
            ExitCode::SUCCESS
        }
        Some(story) => tell(&story, args.shrink > 0 && args.story.is_none()),
        None => tell_many(&args),
    }
}

/// One story, and a smaller one if it fails and is not small already.
fn tell(story: &Story, smaller: bool) -> ExitCode {
    let (begun, before) = (Instant::now(), campaign::busy());
    let outcome = simulation::run(story);
    print(&Report {
        tally: outcome.tally,
        took: begun.elapsed(),
        busy: campaign::busy().saturating_sub(before),
        ..Report::default()
    });
    println!("digest {:016x}", outcome.digest);
    let Some(broken) = outcome.broken else {
        println!("nothing is broken");
        return ExitCode::SUCCESS;
    };
    println!("{broken}");
    if smaller {
        let small = shrink(story, &broken, campaign::SHRINKING, |story| {
            simulation::run(story).broken
        });
        println!(
            "{} events of {} are enough, found in {} tries:",
            small.story.events.len(),
            story.events.len(),
            small.tries
        );
        println!("{}\n{}", small.broken, line(&small.story));
    }
    ExitCode::FAILURE
}

fn tell_many(args: &Args) -> ExitCode {
    let threads = args
        .threads
        .or_else(|| std::thread::available_parallelism().ok().map(Into::into))
        .unwrap_or(1);
    let plan = Plan {
        first: args.first,
        seeds: args.seeds,
        hours: args.hours,
        size: args.size(),
        threads,
        shrinks: args.shrink,
        within: args.minutes.map(|m| Duration::from_secs(m * 60)),
    };
    let told = Mutex::new(Instant::now());
    let report = run_all(&plan, &|report, failure| {
        if let Some(failure) = failure {
            print_failure(&plan, failure);
        }
        let mut told = told.lock().expect("nothing panics under this lock");
        if told.elapsed() >= PROGRESS {
            *told = Instant::now();
            let (tally, failed) = (&report.tally, report.failures.len());
            let seconds = report.took.as_secs();
            println!(
                "{seconds:>5} s: {} of {} stories, {:.1} rack-days, {failed} failed",
                tally.stories,
                plan.seeds,
                tally.rack_days()
            );
        }
    });
    print(&report);
    for failure in &report.failures {
        print_failure(&plan, failure);
    }
    let (all, failed) = (report.tally.stories, report.failures.len() as u64);
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    println!("test result: {verdict}. {} passed; {failed} failed", all - failed);
    if report.failures.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// One line that tells a story again.
fn line(story: &Story) -> String {
    format!("cargo xtask simulate --story '{story}'")
}

fn print_failure(plan: &Plan, failure: &Failure) {
    println!("FAILED  seed {}: {}", failure.seed, failure.broken);
    match &failure.small {
        Some(small) => println!(
            "        {} in {} events ({} tries):\n{}",
            small.broken,
            small.story.events.len(),
            small.tries,
            line(&small.story)
        ),
        None => {
            let nodes = if let Size::Of(nodes) = plan.size {
                format!(" --nodes {nodes}")
            } else {
                String::new()
            };
            println!(
                "        cargo xtask simulate --seed {} --hours {}{nodes}",
                failure.seed, plan.hours
            );
        }
    }
}

fn print(report: &Report) {
    let t = &report.tally;
    let per_core = t.seconds as f64 / report.busy.as_secs_f64().max(1e-9);
    println!("\n{:<22} {:>12}", "event", "times");
    t.events
        .iter()
        .for_each(|(kind, times)| println!("{kind:<22} {times:>12}"));
    println!("\n{:<22} {:>12}", "invariant", "looks");
    t.looks.iter().for_each(|(id, times)| println!("{id:<22} {times:>12}"));
    println!();
    for (what, number) in [
        ("contacts", t.contacts),
        ("of them disturbed", t.faults),
        ("commits", t.commits),
        ("asked and done", t.done),
        ("asked and refused", t.refused),
        ("asked and unheard", t.unheard),
        ("machines accepted", t.accepted),
        ("installs", t.installs),
        ("wipes proven", t.wipes),
        ("machines capped", t.capped),
        ("machines stopped", t.stopped),
        ("stories that shed", t.shedding),
        ("breakers tripped", t.tripped),
        ("longest way to rest, s", t.rest),
    ] {
        println!("{what:<22} {number:>12}");
    }
    let node_days = t.node_seconds as f64 / 86_400.0;
    println!(
        "\n{} stories, {:.1} rack-days ({node_days:.1} node-days) in {:.1} s",
        t.stories,
        t.rack_days(),
        report.took.as_secs_f64()
    );
    println!(
        "{per_core:.0} times real time for each second of processor; {:.0} by the clock on the wall",
        t.seconds as f64 / report.took.as_secs_f64().max(1e-9)
    );
}
