//! Daemons that chores start and measure: free ports for them, what they have used, and what their API answers to `curl`.

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// Ports that follow from that of the API, and must be free as well.
const DERIVED: [u16; 5] = [0, 80, 81, 82, 1043];
/// Ticks of `/proc/PID/stat` in a second (`getconf CLK_TCK`); the kernel fixes it for programs.
const TICKS: f64 = 100.0;

/// A base port whose derived ones are free as well.
pub fn free_port(among: std::ops::Range<u16>) -> Result<u16> {
    let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    among
        .step_by(7)
        .find(|base| DERIVED.iter().all(|more| free(base + more)))
        .context("no free ports")
}

/// What a process has used so far, and holds.
#[derive(Clone, Copy, Debug)]
pub struct Used {
    /// Seconds of CPU time.
    pub cpu: f64,
    /// Resident memory, KiB.
    pub resident: u64,
    /// Open files.
    pub files: u64,
}

/// Asks the kernel; an error when the process has gone.
pub fn used(child: &Child, who: &str) -> Result<Used> {
    let gone = || format!("the {who} has gone");
    let read = |file: &str| fs::read_to_string(format!("/proc/{}/{file}", child.id())).with_context(gone);
    let stat = read("stat")?;
    // the name of the program may hold blanks; user and system time are fields 14 and 15, the 12th and 13th behind it
    let (_, rest) = stat.rsplit_once(')').with_context(gone)?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = |n: usize| -> Result<f64> { Ok(fields.get(n).context("a short stat")?.parse()?) };
    let status = read("status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let resident = line.and_then(|line| line.split_whitespace().next());
    Ok(Used {
        cpu: (ticks(11)? + ticks(12)?) / TICKS,
        resident: resident.with_context(gone)?.parse()?,
        files: fs::read_dir(format!("/proc/{}/fd", child.id()))?.count() as u64,
    })
}

/// Asks the API of the daemon that a context file tells of, so many times over one connection; what it answers to one
/// question is given back. `more` is further configuration for curl, which all goes over its standard input: the token
/// is on no command line.
pub fn curl(context: &Path, path: &str, times: usize, more: &str) -> Result<String> {
    let told: Value = serde_json::from_str(&fs::read_to_string(context)?)?;
    let field = |key: &str| told[key].as_str().with_context(|| format!("the context has no {key}"));
    let ca = context.with_extension("pem");
    fs::write(&ca, field("ca_pem")?)?;
    let mut config = format!(
        "silent\nfail\ncacert = \"{}\"\nheader = \"Authorization: Bearer {}\"\n{more}",
        ca.display(),
        field("token")?
    );
    for _ in 0..times {
        config += &format!("url = \"{}{path}\"\n", field("url")?);
        if times > 1 {
            config += "output = \"/dev/null\"\n";
        }
    }
    let mut child = Command::new("curl")
        .args(["-K", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("starting `curl`")?;
    let mut stdin = child.stdin.take().context("curl has a standard input")?;
    stdin.write_all(config.as_bytes())?;
    drop(stdin);
    let out = child.wait_with_output()?;
    if !out.status.success() {
        bail!("`curl` of {path} failed: {}", out.status);
    }
    Ok(String::from_utf8(out.stdout)?)
}
