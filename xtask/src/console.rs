//! `cargo xtask console`: the web console from its source to a browser. Its types, lints and unit tests; that the committed
//! `console/dist`, which the binary embeds, is what its source builds; then Debian's Chromium against a real daemon with an
//! emulated rack. Screenshots are for eyes, in `target/console`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::command::{cmd, output, run};
use crate::test::{Count, Tally};
use crate::{debian, failures, process};

/// Oldest Node that Vite runs on; Debian 13 has a newer one.
const NODE: (u32, u32) = (20, 19);
/// Where Debian puts it.
const CHROMIUM: &str = "/usr/bin/chromium";
/// Lines of a reason that are told once more at the end.
const LINES: usize = 6;
/// Ports of the daemon and its rack.
const PORTS: std::ops::Range<u16> = 27_600..27_700;

/// Checks, and prints what failed; an error if anything did.
pub fn run_alone() -> Result<()> {
    count().told("the console is not as it should be")
}

/// All checks. What could not be run is one that failed.
pub fn count() -> Count {
    Tally::of(console)
}

fn console(tally: &mut Tally) -> Result<()> {
    prepare()?;
    let scratch = crate::target().join("console");
    fs::create_dir_all(&scratch)?;
    let scratch = scratch.canonicalize()?;
    // a browser of Playwright's own is never fetched: Debian's is looked at
    run(npm("ci --no-audit --no-fund").env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1"))?;
    run(npm("ci --no-audit --no-fund").current_dir(folder().join("openapi")))?;
    tally.check("the lock files name no registry", nameless());
    tally.check(
        "schema.d.ts is what openapi.json says",
        run(npm("run check").current_dir(folder().join("openapi"))),
    );
    tally.check("types, and that they are those of the API", run(&mut npm("run check")));
    tally.check("lints", run(&mut npm("run lint")));
    unit_tests(tally, &scratch)?;
    tally.check("console/dist is what its source builds", built(&scratch));
    browser(tally, &scratch)
}

/// A command of npm's in the console's folder.
fn npm(line: &str) -> Command {
    let mut command = cmd("npm");
    command.args(line.split(' ')).current_dir(folder()).env("NO_COLOR", "1");
    command
}

fn folder() -> PathBuf {
    crate::root().join("console")
}

/// Node, npm and a browser, from Debian where they are missing.
fn prepare() -> Result<()> {
    debian::install_also(&[
        ("chromium", "the browser that the console is tried in"),
        ("fonts-dejavu-core", "letters for it"),
    ])?;
    // whoever has a newer Node than Debian's keeps it
    if output(&mut cmd("npm --version")).is_err() {
        debian::install_also(&[
            ("nodejs", "to build the console and drive the browser"),
            ("npm", "to fetch what that takes"),
        ])?;
    }
    let version = output(&mut cmd("node --version"))?;
    let mut numbers = version.trim().trim_start_matches('v').split('.').map(str::parse::<u32>);
    let (Some(Ok(major)), Some(Ok(minor))) = (numbers.next(), numbers.next()) else {
        bail!("`node --version` says `{}`", version.trim());
    };
    ensure!(
        (major, minor) >= NODE,
        "Node {}.{} or newer is needed to build the console, and this is {}: Debian 13 has one, nodejs.org as well",
        NODE.0,
        NODE.1,
        version.trim()
    );
    Ok(())
}

/// Who builds this elsewhere has another registry, and a lock file that names ours would send them there.
fn nameless() -> Result<()> {
    for lock in ["package-lock.json", "openapi/package-lock.json"] {
        ensure!(
            !fs::read_to_string(folder().join(lock))?.contains("\"resolved\""),
            "{lock} names where packages came from: npm install with console/.npmrc in its place"
        );
    }
    Ok(())
}

fn unit_tests(tally: &mut Tally, scratch: &Path) -> Result<()> {
    let report = scratch.join("unit.json");
    let _ = fs::remove_file(&report);
    let mut test = npm("exec -- vitest run --reporter=default --reporter=json");
    test.arg(format!("--outputFile.json={}", report.display()));
    let outcome = run(&mut test);
    add(
        tally,
        "unit tests",
        outcome,
        &report,
        &["/numPassedTests"],
        &["/numFailedTests", "/numFailedTestSuites"],
    )
}

/// Adds what a runner's report counts; a runner that failed without a failed test counts as one.
fn add(
    tally: &mut Tally,
    what: &str,
    outcome: Result<()>,
    report: &Path,
    passed: &[&str],
    failed: &[&str],
) -> Result<()> {
    let text = fs::read_to_string(report).with_context(|| format!("{what}: no report"));
    let Ok(report) = text.and_then(|text| Ok(serde_json::from_str::<Value>(&text)?)) else {
        tally.check(what, outcome.and_then(|()| bail!("they wrote no report")));
        return Ok(());
    };
    let sum = |of: &[&str]| -> u64 {
        of.iter()
            .filter_map(|at| report.pointer(at).and_then(Value::as_u64))
            .sum()
    };
    let count = Count {
        passed: sum(passed),
        failed: sum(failed),
    };
    if count.failed == 0 {
        // nothing passed either: there was nothing to run, which is a fault of this chore
        tally.check(
            what,
            outcome.and_then(|()| {
                ensure!(count.passed > 0, "none were run");
                Ok(())
            }),
        );
    } else {
        failures::tell(format_args!("FAILED  {what}: {} of them", count.failed));
        for line in failing(&report) {
            failures::tell(format_args!("FAILED  {line}"));
        }
    }
    tally.0.passed += count.passed;
    tally.0.failed += count.failed;
    Ok(())
}

/// What failed and the first words of why, out of a report of Playwright's (`specs`) or Vitest's (`assertionResults`).
fn failing(report: &Value) -> Vec<String> {
    let specs = under(report, "specs").into_iter().filter(|spec| spec["ok"] == false);
    let specs = specs.map(|spec| {
        let errors = under(spec, "errors");
        let why = errors.first().and_then(|e| e["message"].as_str());
        (spec["file"].as_str(), spec["title"].as_str(), why)
    });
    let units = under(report, "assertionResults")
        .into_iter()
        .filter(|unit| unit["status"] == "failed")
        .map(|unit| {
            (
                None,
                unit["fullName"].as_str(),
                unit.pointer("/failureMessages/0").and_then(Value::as_str),
            )
        });
    let line = |(file, title, why): (Option<&str>, Option<&str>, Option<&str>)| {
        let why = why.unwrap_or("no reason is told").lines();
        let why: Vec<&str> = why.map(str::trim).filter(|l| !l.is_empty()).take(LINES).collect();
        let place = file.map_or(String::new(), |file| format!("{file}: "));
        format!("{place}{}: {}", title.unwrap_or("a test"), why.join(" | "))
    };
    specs.chain(units).map(line).collect()
}

/// The members of every list called `name`, however deep it lies.
fn under<'a>(value: &'a Value, name: &str) -> Vec<&'a Value> {
    match value {
        Value::Array(all) => all.iter().flat_map(|v| under(v, name)).collect(),
        Value::Object(fields) => {
            let here = fields.get(name).and_then(Value::as_array).into_iter().flatten();
            let below = fields.iter().filter(|(key, _)| *key != name);
            here.chain(below.flat_map(|(_, v)| under(v, name))).collect()
        }
        _ => Vec::new(),
    }
}

/// Builds it beside what is committed, and compares every byte.
fn built(scratch: &Path) -> Result<()> {
    let fresh = scratch.join("dist");
    let mut build = npm("exec -- vite build --emptyOutDir --outDir");
    run(build.arg(&fresh))?;
    let (kept, fresh) = (files(&folder().join("dist"))?, files(&fresh)?);
    let names = kept.keys().chain(fresh.keys());
    let other: Vec<String> = names
        .filter(|name| kept.get(*name) != fresh.get(*name))
        .map(|name| name.display().to_string())
        .collect();
    ensure!(
        other.is_empty(),
        "it differs in {}: `npm run build` in console/, and commit console/dist",
        other.join(", ")
    );
    Ok(())
}

/// Every file below a folder, by its path there.
fn files(root: &Path) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(root).expect("it was listed below it").to_owned();
                found.insert(name, fs::read(&path)?);
            }
        }
    }
    Ok(found)
}

/// The browser's tests; each starts from a daemon as its user has it.
fn browser(tally: &mut Tally, scratch: &Path) -> Result<()> {
    run(cmd("cargo build --locked --quiet --package busbar").current_dir(crate::root()))?;
    let binary = crate::target()
        .join("x86_64-unknown-linux-gnu/debug/busbar")
        .canonicalize()?;
    let report = scratch.join("browser.json");
    let _ = fs::remove_file(&report);
    let mut test = npm("exec -- playwright test --reporter=list,json");
    test.env("CONSOLE_BUSBAR", binary)
        .env("CONSOLE_SCRATCH", scratch)
        .env("CONSOLE_CHROMIUM", CHROMIUM)
        .env("CONSOLE_PORT", process::free_port(PORTS)?.to_string())
        .env("PLAYWRIGHT_JSON_OUTPUT_NAME", &report);
    let outcome = run(&mut test);
    println!("screenshots are in {}", scratch.join("shots").display());
    add(
        tally,
        "browser tests",
        outcome,
        &report,
        &["/stats/expected"],
        &["/stats/unexpected", "/stats/flaky"],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reports_numbers_are_added_and_a_missing_report_is_a_failure() {
        let folder = std::env::temp_dir().join(format!("console-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let report = folder.join("report.json");
        let mut tally = Tally::default();
        add(&mut tally, "x", Ok(()), &report, &["/a"], &["/b"]).unwrap();
        assert_eq!(tally.0, Count { passed: 0, failed: 1 });
        fs::write(&report, r#"{"a": 3, "b": 0}"#).unwrap();
        add(&mut tally, "x", Ok(()), &report, &["/a"], &["/b"]).unwrap();
        assert_eq!(tally.0, Count { passed: 4, failed: 1 });
        fs::write(&report, r#"{"a": 0, "b": 2}"#).unwrap();
        add(&mut tally, "x", Ok(()), &report, &["/a"], &["/b"]).unwrap();
        assert_eq!(tally.0, Count { passed: 4, failed: 3 });
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn what_failed_is_named_with_its_reason() {
        let browser = serde_json::json!({ "suites": [{ "suites": [{ "specs": [
            { "title": "goes well", "ok": true, "file": "a.spec.ts" },
            { "title": "does not", "ok": false, "file": "a.spec.ts", "tests": [{ "results": [
                { "errors": [{ "message": "Error: x\n\n  expected 1" }] }] }] },
        ] }] }] });
        assert_eq!(failing(&browser), ["a.spec.ts: does not: Error: x | expected 1"]);
        let units = serde_json::json!({ "testResults": [{ "assertionResults": [
            { "fullName": "a sum", "status": "failed", "failureMessages": ["2 is not 3"] },
            { "fullName": "another", "status": "passed", "failureMessages": [] },
        ] }] });
        assert_eq!(failing(&units), ["a sum: 2 is not 3"]);
    }
}
