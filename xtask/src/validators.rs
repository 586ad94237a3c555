//! DMTF's conformance tools against the emulated BMCs: `cargo xtask validators`.
//!
//! The tools and OpenStack's profile come from PyPI. The schemas are not there: they are taken from
//! `redfish-csdl-2025.4.tar.xz` in the folder that `BUSBAR_CORPUS` names, and without it nothing is validated, which is
//! said aloud. OCP's profiles have no package and ask for properties that no schema has, so they are left out.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::command::{cmd, run, shown};
use crate::peers;
use crate::test::Count;

/// The three tools.
const TOOLS: [&str; 3] = [
    "redfish-service-validator==3.1.8",
    "redfish-protocol-validator==1.3.2",
    "redfish-interop-validator==3.0.4",
];
/// What has the profile in its source package.
const IRONIC: &str = "ironic==39.0.0";
const PROFILE: &str = "redfish-interop-profiles/OpenStackIronicProfile.v1_2_0.json";
/// The schemas, and the folder that they unpack to.
const SCHEMAS: &str = "redfish-csdl-2025.4.tar.xz";
const SCHEMA_FOLDER: &str = "SchemaFiles";
/// Seconds that one tool may take; the longest takes under 30 on a machine with two cores.
const PATIENCE: u32 = 300;
/// A plain server, the one with accelerators, and a PDU, in the rack that is emulated unless told otherwise.
const SERVER: &str = "127.10.1.1";
const GPU_SERVER: &str = "127.10.1.10";
const PDU: &str = "127.10.1.200";
/// A rack with coolant and shelves, and in it a switch tray, the coolant unit and the first shelf: switch trays come first.
const LIQUID: &str = "nvl72";
const SWITCH_TRAY: &str = "127.10.251.1";
const COOLANT_UNIT: &str = "127.10.251.10";
const SHELF: &str = "127.10.251.11";
/// What the rack of the example lets in.
const LOGIN: [&str; 4] = ["-u", "admin", "-p", "emulated"];
/// The tools must reach loopback directly, and must not be told to trust certificates of others: `requests` takes a
/// bundle from the environment over `verify=False`.
const NOT_INHERITED: [&str; 8] = [
    "http_proxy",
    "https_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
];

/// Validates, and prints what failed; an error if anything did.
pub fn run_alone() -> Result<()> {
    count().told("the emulated BMCs do not conform")
}

/// The checks of all tools. What could not be run is one that failed.
pub fn count() -> Count {
    Count::of_all(validate())
}

fn validate() -> Result<Count> {
    let Some(corpus) = std::env::var_os("BUSBAR_CORPUS").map(PathBuf::from) else {
        println!("SKIPPED: BUSBAR_CORPUS names no folder with {SCHEMAS}");
        return Ok(Count::default());
    };
    let archive = corpus.join(SCHEMAS);
    if !archive.exists() {
        println!("SKIPPED: there is no {}", archive.display());
        return Ok(Count::default());
    }
    let folder = tools(&archive).context("installing the validators")?;
    let reports = crate::target().join("validators");
    if reports.exists() {
        fs::remove_dir_all(&reports)?;
    }
    fs::create_dir_all(&reports)?;
    let rack = Rack::start("")?;
    let mut total = Count::default();
    let mut add = |count: Count| {
        total.passed += count.passed;
        total.failed += count.failed;
    };
    let services = |rack: &Rack, host: &str| {
        let validator = rack.tool(&folder, "rf_service_validator", host);
        summed(validator, &reports, |command, reports| {
            command.arg("--logdir").arg(reports).arg("--skipschema");
            command.arg("--schema_directory").arg(folder.join(SCHEMA_FOLDER));
        })
    };
    let protocol = |rack: &Rack, host: &str| {
        let validator = rack.tool(&folder, "rf_protocol_validator", host);
        summed(validator, &reports, |command, reports| {
            command.args(["--no-cert-check", "--avoid-http-redirect", "--report-type", "tsv"]);
            command.arg("--report-dir").arg(reports);
        })
    };
    for host in [SERVER, GPU_SERVER, PDU] {
        add(services(&rack, host)?);
    }
    for host in [SERVER, PDU] {
        add(protocol(&rack, host)?);
    }
    for host in [SERVER, GPU_SERVER] {
        let validator = rack.tool(&folder, "rf_interop_validator", host);
        add(summed(validator, &reports, |command, reports| {
            command
                .arg("--logdir")
                .arg(reports)
                .arg(folder.join("ironic").join(PROFILE));
        })?);
    }
    // two racks can't have the same addresses at one time
    drop(rack);
    let rack = Rack::start(LIQUID)?;
    for host in [SWITCH_TRAY, COOLANT_UNIT, SHELF] {
        add(services(&rack, host)?);
    }
    add(protocol(&rack, COOLANT_UNIT)?);
    println!("reports: {}", reports.display());
    Ok(total)
}

/// A folder with the tools, the schemas and the profile.
fn tools(schemas: &Path) -> Result<PathBuf> {
    peers::once("validators", &format!("{}_{IRONIC}", TOOLS.join("_")), |folder| {
        run(cmd("/usr/bin/python3 -m venv --clear").arg(folder))?;
        let pip = |line: &str| {
            let mut command = Command::new(folder.join("bin/pip"));
            command.args(line.split(' ')).arg("--disable-pip-version-check");
            command
        };
        run(pip("install --quiet").args(TOOLS))?;
        let ironic = folder.join("ironic");
        fs::create_dir_all(&ironic)?;
        run(pip("download --quiet --no-deps --no-binary ironic")
            .arg(IRONIC)
            .arg("--dest")
            .arg(&ironic))?;
        let packed = fs::read_dir(&ironic)?.next().context("pip downloaded nothing")??.path();
        run(cmd("tar --extract --strip-components 1 --wildcards --file")
            .arg(packed)
            .arg("--directory")
            .arg(&ironic)
            .arg(format!("*/{PROFILE}")))?;
        run(cmd("tar --extract --xz --file")
            .arg(schemas)
            .arg("--directory")
            .arg(folder))
    })
}

/// The emulated rack, over TLS, with machines that find no daemon.
struct Rack {
    child: Child,
    /// Held open: it goes on to print the addresses of all its boxes.
    _out: BufReader<ChildStdout>,
    port: String,
}

impl Rack {
    /// The rack of this name; the usual one when empty.
    fn start(name: &str) -> Result<Rack> {
        run(cmd("cargo build --locked --quiet -p emulator --example rack").current_dir(crate::root()))?;
        let mut command = cmd("cargo run --locked --quiet -p emulator --example rack -- 0 https");
        if !name.is_empty() {
            command.arg(name);
        }
        let mut child = command
            .current_dir(crate::root())
            .stdout(Stdio::piped())
            .spawn()
            .context("starting the emulated rack")?;
        let out = child.stdout.take().context("the emulated rack has no output")?;
        let mut line = String::new();
        let mut out = BufReader::new(out);
        out.read_line(&mut line)?;
        let port = line.rsplit(':').next().and_then(|rest| rest.split('/').next());
        let port = port.unwrap_or_default().to_string();
        let rack = Rack { child, _out: out, port };
        if rack.port.parse::<u16>().is_err() {
            bail!("the emulated rack did not say its port but `{}`", line.trim());
        }
        Ok(rack)
    }

    fn tool(&self, folder: &Path, name: &str, host: &str) -> Command {
        let mut command = cmd("timeout --kill-after 5");
        command.arg(PATIENCE.to_string()).arg(folder.join("bin").join(name));
        command
            .args(LOGIN)
            .arg("-r")
            .arg(format!("https://{host}:{}", self.port));
        NOT_INHERITED.iter().for_each(|name| {
            command.env_remove(name);
        });
        command
    }
}

impl Drop for Rack {
    fn drop(&mut self) {
        // Err: it has ended already
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a tool and reads its closing counts. All that it printed is shown when something failed.
fn summed(mut command: Command, reports: &Path, arguments: impl FnOnce(&mut Command, &Path)) -> Result<Count> {
    let reports = reports.join(fs::read_dir(reports)?.count().to_string());
    fs::create_dir_all(&reports)?;
    arguments(&mut command, &reports);
    eprintln!("+ {}", shown(&command));
    let out = command.stdin(Stdio::null()).current_dir(&reports).output()?;
    let text = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
    // a tool exits with 1 when there are failures: the counts say it better
    let [pass, warn, fail, untested] = counts(&text).with_context(|| {
        let last: Vec<&str> = text.lines().rev().take(20).collect();
        let last: Vec<&str> = last.into_iter().rev().collect();
        format!("the tool ended with {} and no counts:\n{}", out.status, last.join("\n"))
    })?;
    println!("pass {pass}, warn {warn}, fail {fail}, not tested {untested}");
    if fail > 0 {
        println!("{text}");
    }
    Ok(Count {
        passed: pass,
        failed: fail,
    })
}

/// Pass, warn, fail and not tested, from `Summary - PASS: 1, WARN: 2, …` or from the row under a table's heading.
fn counts(text: &str) -> Option<[u64; 4]> {
    let numbers = |line: &str| -> Option<[u64; 4]> {
        let words = line.split(|c: char| !c.is_ascii_digit()).filter(|w| !w.is_empty());
        let all: Vec<u64> = words.map(str::parse).collect::<Result<_, _>>().ok()?;
        all.try_into().ok()
    };
    let mut lines = text.lines().map(str::trim);
    while let Some(line) = lines.next() {
        // coloured on a terminal, but not in a pipe
        if let Some(at) = line.find("Summary - PASS:") {
            return numbers(&line[at..]);
        }
        if line.starts_with('|') && line.contains("PASS") && line.contains("NOT TESTED") {
            return lines.take(2).find_map(numbers);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::counts;

    #[test]
    fn counts_are_read_from_both_kinds_of_summary() {
        let line = "noise 1 2 3 4\nSummary - PASS: 290, WARN: 1, FAIL: 2, NOT_TESTED: 50\nReport output:";
        assert_eq!(counts(line), Some([290, 1, 2, 50]));
        let table = "\
+--------------+--------------+--------------+--------------+
|     PASS     |     WARN     |     FAIL     |  NOT TESTED  |
+--------------+--------------+--------------+--------------+
|     1113     |      17      |      0       |     2278     |
+--------------+--------------+--------------+--------------+";
        assert_eq!(counts(table), Some([1113, 17, 0, 2278]));
        assert_eq!(counts("Traceback (most recent call last):"), None);
    }
}
