//! Many stories, side by side: each is a thread of its own kind and shares nothing.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::city::run;
use crate::shrink::{Small, shrink};
use crate::story::{Size, Story};
use crate::tally::Tally;
use crate::truth::Broken;

/// How long a failing story is shrunk at most, where no end is set to the whole; else a third of that.
pub const SHRINKING: Duration = Duration::from_secs(3600);

/// What is told.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The first seed.
    pub first: u64,
    /// How many.
    pub seeds: u64,
    /// Hours of bad luck in each.
    pub hours: u64,
    /// Servers in each.
    pub size: Size,
    /// Stories at once.
    pub threads: usize,
    /// How many failing stories are shrunk; the rest is told by its seed.
    pub shrinks: usize,
    /// No story is begun later.
    pub within: Option<Duration>,
}

/// A story that failed.
#[derive(Debug, Clone)]
pub struct Failure {
    /// Its seed.
    pub seed: u64,
    /// What is broken.
    pub broken: Broken,
    /// A small story that fails in the same way, once it is found.
    pub small: Option<Small>,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Report {
    /// What happened.
    pub tally: Tally,
    /// What failed.
    pub failures: Vec<Failure>,
    /// How long it took.
    pub took: Duration,
    /// How long its threads were on a processor for stories, shrinking left out.
    pub busy: Duration,
}

/// Tells them all. `progress` is called now and then, and with each failure.
pub fn run_all(plan: &Plan, progress: &(dyn Fn(&Report, Option<&Failure>) + Sync)) -> Report {
    let begun = Instant::now();
    let next = AtomicU64::new(plan.first);
    let report = Mutex::new(Report::default());
    std::thread::scope(|scope| {
        for _ in 0..plan.threads.max(1) {
            scope.spawn(|| worker(plan, begun, &next, &report, progress));
        }
    });
    let mut report = report.into_inner().expect("a story's panic is caught in it");
    report.took = begun.elapsed();
    report.failures.sort_by_key(|f| f.seed);
    report
}

/// How long this thread was on a processor.
pub fn busy() -> Duration {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let part = |n: i64| u64::try_from(n).unwrap_or(0);
    Duration::new(part(spent.tv_sec), u32::try_from(spent.tv_nsec).unwrap_or(0))
}

fn worker(
    plan: &Plan,
    begun: Instant,
    next: &AtomicU64,
    report: &Mutex<Report>,
    progress: &(dyn Fn(&Report, Option<&Failure>) + Sync),
) {
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= plan.first + plan.seeds || plan.within.is_some_and(|w| begun.elapsed() > w) {
            return;
        }
        let story = Story::of_seed(seed, plan.hours, plan.size);
        let before = self::busy();
        let outcome = run(&story);
        let busy = self::busy().saturating_sub(before);
        let failing = {
            let mut report = report.lock().expect("a story's panic is caught in it");
            report.tally.add(&outcome.tally);
            report.busy += busy;
            report.took = begun.elapsed();
            let shrinks = report.failures.len() < plan.shrinks;
            let failing = outcome.broken.map(|broken| {
                (
                    Failure {
                        seed,
                        broken,
                        small: None,
                    },
                    shrinks,
                )
            });
            report.failures.extend(failing.iter().map(|(f, _)| f.clone()));
            progress(&report, failing.as_ref().map(|(f, _)| f));
            failing
        };
        if let Some((failure, true)) = failing {
            let lasts = plan.within.map_or(SHRINKING, |within| within / 3);
            let small = shrink(&story, &failure.broken, lasts, |story| run(story).broken);
            let mut report = report.lock().expect("a story's panic is caught in it");
            let mine = report.failures.iter_mut().find(|f| f.seed == seed);
            mine.into_iter().for_each(|f| f.small = Some(small.clone()));
            progress(
                &report,
                Some(&Failure {
                    small: Some(small),
                    ..failure
                }),
            );
        }
    }
}
