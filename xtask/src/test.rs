//! `cargo xtask test`: every check there is, one after the other, and one closing line.
//!
//! A failed step does not stop those after it: one run shows everything that is wrong.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::command::{cmd, output, shown};
use crate::{console, debian, failures, licences, netbox, peers, real, scale, simulate, soak, validators, vms, watch};

#[derive(clap::Args)]
pub struct Args {
    /// Run whole what an ordinary run samples: 3,000 simulated rack-days, an hour of bad luck
    #[arg(long)]
    all: bool,
    /// Leave out the real-machine scenario
    #[arg(long)]
    no_real: bool,
}

/// How many checks a step made. A step that isn't a test run is one check itself.
#[derive(Clone, Copy, Default, PartialEq, Debug)]
pub struct Count {
    pub passed: u64,
    pub failed: u64,
}

impl Count {
    /// One check, by its outcome.
    pub fn of(outcome: &Result<()>) -> Self {
        Self {
            passed: outcome.is_ok().into(),
            failed: outcome.is_err().into(),
        }
    }

    /// What checks came to. What could not be run is one that failed.
    pub fn of_all(outcome: Result<Self>) -> Self {
        outcome.unwrap_or_else(|error| {
            failures::tell(format_args!("error: {error:#}"));
            Self { passed: 0, failed: 1 }
        })
    }

    /// Prints it, for a chore that runs alone; an error that says what is wrong if any check failed.
    pub fn told(self, wrong: &str) -> Result<()> {
        println!("{} passed, {} failed", self.passed, self.failed);
        if self.failed > 0 {
            bail!("{wrong}");
        }
        Ok(())
    }

    fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

/// Checks that were made.
#[derive(Default)]
pub struct Tally(pub Count);

impl Tally {
    /// What checks come to that may end early. What could not be run is one that failed.
    pub fn of(checks: impl FnOnce(&mut Self) -> Result<()>) -> Count {
        let mut tally = Self::default();
        if let Err(error) = checks(&mut tally) {
            failures::tell(format_args!("error: {error:#}"));
            tally.0.failed += 1;
        }
        tally.0
    }

    /// Makes one.
    pub fn check(&mut self, what: &str, outcome: Result<()>) {
        match &outcome {
            Ok(()) => println!("ok      {what}"),
            Err(error) => failures::tell(format_args!("FAILED  {what}: {error:#}")),
        }
        self.0.add(Count::of(&outcome));
    }
}

struct Step {
    name: &'static str,
    count: Count,
    took: Duration,
}

/// Runs every step; an error if any check failed.
pub fn run(args: &Args) -> Result<()> {
    debian::expect_debian()?;
    let mut steps = Vec::new();
    let mut step = |name, check: &mut dyn FnMut() -> Count| {
        println!("\n=== {name}");
        let start = Instant::now();
        let count = check();
        steps.push(Step {
            name,
            count,
            took: start.elapsed(),
        });
    };
    let one = |outcome: Result<()>| {
        if let Err(error) = &outcome {
            failures::tell(format_args!("error: {error:#}"));
        }
        Count::of(&outcome)
    };

    step("packages", &mut || one(debian::install()));
    step("format", &mut || one(cargo("fmt --all --check", &[])));
    step("lints", &mut || {
        one(cargo("clippy --locked --workspace --all-targets -- -D warnings", &[]))
    });
    step("documentation", &mut || {
        one(cargo(
            "doc --locked --workspace --no-deps --document-private-items",
            &[("RUSTDOCFLAGS", "-D warnings")],
        ))
    });
    step("licences", &mut || one(licences::check()));
    step("no aws-lc", &mut || one(nothing_depends_on("aws-lc-sys")));
    let mut peers = Vec::new();
    step("peers", &mut || one(peers::environment().map(|found| peers = found)));
    if args.all {
        peers.push(("BUSBAR_SEEDS", "1000".into()));
    }
    step("tests", &mut || tests(&peers));
    step("validators", &mut || validators::count());
    step("simulation", &mut || simulate::count(args.all));
    step("watch", &mut || watch::count());
    step("console", &mut || console::count());
    let minutes = if args.all { soak::WHOLE } else { soak::SAMPLE };
    step("soak", &mut || soak::count(&soak::Args::of(minutes)));
    step("scale", &mut || scale::count(&scale::Args::of(scale::SAMPLE, args.all)));
    if args.all {
        step("NetBox", &mut || one(netbox::check()));
    }
    if !args.no_real {
        step("real machines", &mut || real::count(&real::Args::default()));
        step("machines in the rack", &mut || vms::count());
    }

    summary(&steps)
}

fn summary(steps: &[Step]) -> Result<()> {
    println!("\n{:<20} {:>8} {:>8} {:>9}", "step", "passed", "failed", "seconds");
    let mut total = Count::default();
    for Step { name, count, took } in steps {
        println!(
            "{name:<20} {:>8} {:>8} {:>9.1}",
            count.passed,
            count.failed,
            took.as_secs_f64()
        );
        total.add(*count);
    }
    let seconds: f64 = steps.iter().map(|step| step.took.as_secs_f64()).sum();
    println!(
        "{:<20} {:>8} {:>8} {seconds:>9.1}\n",
        "total", total.passed, total.failed
    );
    for line in failures::all() {
        println!("{line}");
    }
    println!("{} passed, {} failed", total.passed, total.failed);
    if total.failed > 0 {
        std::process::exit(1);
    }
    Ok(())
}

fn cargo(line: &str, environment: &[(&str, &str)]) -> Result<()> {
    crate::command::run(
        cmd("cargo")
            .args(line.split(' '))
            .envs(environment.iter().copied())
            .current_dir(crate::root()),
    )
}

/// The TLS library that needs cmake and a C++ compiler, and whose licences aren't on the list, must
/// not come back by a dependency's default features.
fn nothing_depends_on(package: &str) -> Result<()> {
    let tree = output(
        cmd("cargo tree --locked --workspace --prefix none --edges all --target all").current_dir(crate::root()),
    )?;
    let found: Vec<&str> = tree
        .lines()
        .filter(|line| line.split(' ').next() == Some(package))
        .collect();
    if !found.is_empty() {
        bail!("{package} is in the dependency graph: see `cargo tree -i {package}`");
    }
    println!("{package} is not in the dependency graph");
    Ok(())
}

/// Unit, integration and documentation tests; with nextest where it is installed.
fn tests(peers: &[(&str, PathBuf)]) -> Count {
    let nextest = output(cmd("cargo nextest --version").current_dir(crate::root())).is_ok();
    let lines: &[&str] = if nextest {
        &[
            "nextest run --locked --workspace --no-fail-fast",
            "test --locked --workspace --doc --no-fail-fast",
        ]
    } else {
        &["test --locked --workspace --no-fail-fast"]
    };
    let mut total = Count::default();
    for line in lines {
        let mut command = cmd("cargo");
        command
            .args(line.split(' '))
            .envs(peers.iter().map(|(name, value)| (name, value)));
        total.add(counted(command));
    }
    total
}

/// Runs, passes what it prints on, and adds up the results in it. A failure that printed no failed
/// test (it did not compile, say) counts as one.
pub fn counted(mut command: Command) -> Count {
    let mut count = Count::default();
    let outcome = || -> Result<()> {
        let name = shown(&command);
        eprintln!("+ {name}");
        // nextest reports on standard error
        let (reader, writer) = std::io::pipe()?;
        command
            .current_dir(crate::root())
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .stdin(Stdio::null());
        let mut child = command.spawn().with_context(|| format!("starting `{name}`"))?;
        // the command holds the pipe's writing end: let go of it, or the reader never ends
        drop(command);
        for line in BufReader::new(reader).split(b'\n') {
            let line = line?;
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            if is_failure(&line) {
                failures::keep(&line);
            }
            if let Some(result) = result_in(&line) {
                count.add(result);
            }
        }
        let status = child.wait()?;
        if !status.success() {
            bail!("the tests failed: {status}");
        }
        Ok(())
    };
    if let Err(error) = outcome() {
        failures::tell(format_args!("error: {error:#}"));
        count.failed = count.failed.max(1);
    }
    count
}

/// The result in one line of libtest (`test result: ok. 3 passed; 0 failed; …`) or of nextest
/// (`Summary [ 1.2s] 3 tests run: 3 passed, 0 skipped`).
fn result_in(line: &str) -> Option<Count> {
    let line = line.trim();
    let tail = match line.strip_prefix("test result: ") {
        Some(tail) => tail.split_once(". ")?.1,
        None => line.strip_prefix("Summary [")?.split_once(" run: ")?.1,
    };
    let mut count = Count::default();
    for part in tail.split([';', ',']) {
        let mut words = part.split_whitespace();
        match (words.next().and_then(|number| number.parse::<u64>().ok()), words.next()) {
            (Some(number), Some("passed")) => count.passed += number,
            (Some(number), Some("failed" | "timed")) => count.failed += number,
            _ => {}
        }
    }
    Some(count)
}

/// Whether a line names what failed: one of libtest (`test a::b ... FAILED`), of nextest (`FAIL [ 0.1s] …`, `TIMEOUT [ 60s] …`),
/// or of a chore (`FAILED  …`).
fn is_failure(line: &str) -> bool {
    let line = line.trim();
    ["FAIL [", "TIMEOUT [", "SIGABRT [", "SIGSEGV [", "FAILED  "]
        .iter()
        .any(|start| line.starts_with(start))
        || (line.starts_with("test ") && line.ends_with(" ... FAILED"))
}

#[cfg(test)]
mod tests {
    use super::{Count, is_failure, result_in};

    #[test]
    fn what_failed_is_named_again_at_the_end() {
        for (line, named) in [
            ("test plan::free ... FAILED", true),
            ("test plan::free ... ok", false),
            ("        FAIL [   0.104s] rack place::tests::counts", true),
            ("     TIMEOUT [  60.004s] busbar::verbs rotation", true),
            ("        PASS [   0.104s] rack place::tests::counts", false),
            ("FAILED  seed 1: rest broken", true),
        ] {
            assert_eq!(is_failure(line), named, "{line}");
        }
    }

    #[test]
    fn results_are_read_from_both_test_runners() {
        let count = |passed, failed| Some(Count { passed, failed });
        for (line, expected) in [
            (
                "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.3s",
                count(12, 0),
            ),
            (
                "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out",
                count(3, 2),
            ),
            ("     Summary [   0.022s] 7 tests run: 7 passed, 0 skipped", count(7, 0)),
            (
                "     Summary [   0.022s] 7 tests run: 5 passed (1 slow), 1 failed, 1 timed out, 0 skipped",
                count(5, 2),
            ),
            ("test a_test_result: ok. 5 passed", None),
            ("running 3 tests", None),
        ] {
            assert_eq!(result_in(line), expected, "{line}");
        }
    }
}
