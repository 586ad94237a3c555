//! What users do and what bad luck does, one thing after the other, from one seed.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::daemon::Daemon;
use super::rest::Before;
use super::{Args, NODES};
use crate::failures;
use crate::test::Count;

/// Machines at once, faults at once: more, and nothing would ever run; fewer, and nothing would ever meet.
const MACHINES: usize = 6;
const FAULTS: usize = 5;
/// How long a fault lasts, in seconds.
const LASTS: std::ops::Range<u64> = 4..40;
/// Runs from this length on have faults that only the longest deadlines of the life cycle end (15 minutes for firmware).
const SLOW_FAULTS: u64 = 10;
/// Exit codes that a daemon in bad luck may answer with: failed, not found, refused, conflict, too late, partly done, not
/// allowed, a box did not answer. Not 2 (the command does not exist), and nothing that a panic or a signal gives.
const FAIR: [i32; 8] = [1, 3, 4, 5, 6, 7, 8, 9];
/// What is said when it is the daemon that does not answer.
const NO_DAEMON: &str = "BB0601";

/// What happens next, from one seed.
pub(super) struct Luck {
    state: u64,
    places: Vec<String>,
    /// PDUs and what else is no machine, captured ones too.
    devices: Vec<String>,
    slow: bool,
    made: u64,
    /// How many times all controllers were replaced.
    replaced: u32,
    /// Faults that are set, and when each ends.
    faults: Vec<(u64, Instant)>,
    /// By kind of act: how many were done, were refused, failed.
    told: BTreeMap<&'static str, [u64; 3]>,
}

impl Luck {
    pub fn new(args: &Args, before: &Before) -> Luck {
        Luck {
            state: args.seed,
            places: before.nodes.values().cloned().collect(),
            devices: before.devices.clone(),
            slow: args.minutes >= SLOW_FAULTS,
            made: 0,
            replaced: 0,
            faults: Vec::new(),
            told: BTreeMap::new(),
        }
    }

    /// SplitMix64.
    fn below(&mut self, limit: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit.max(1)
    }

    fn one_of<T: Clone>(&mut self, all: &[T]) -> Option<T> {
        let n = self.below(all.len() as u64) as usize;
        all.get(n).cloned()
    }

    /// Does one thing that a user or bad luck does.
    pub fn act(&mut self, daemon: &mut Daemon) -> Result<()> {
        daemon.lives()?;
        self.end_faults(daemon)?;
        match self.below(14) {
            0..=2 => self.fault(daemon),
            3..=4 => self.make(daemon),
            5 => self.with_machine(daemon, "rm", &["rm", "", "--yes", "--detach"]),
            6 => {
                let signal = ["-TERM", "-KILL", "-CONT", "-CONT"];
                let signal = self.one_of(&signal).unwrap_or("-CONT");
                self.with_machine(daemon, "kill", &["kill", signal, ""])
            }
            7 => {
                let cap = self.one_of(&["none", "600W", "900W", "100kW"]).unwrap_or("none");
                self.with_place(daemon, "cap", &["cap", "", cap])
            }
            8 => {
                let dark = ["locate", "", "--off"];
                let words = if self.below(2) == 0 { &dark[..] } else { &dark[..2] };
                self.with_place(daemon, "locate", words)
            }
            9 => {
                let turbo = self.one_of(&["Turbo=false", "Turbo=true"]).unwrap_or("Turbo=true");
                self.with_place(daemon, "bios", &["bios", "", turbo])
            }
            10 => self.outlet(daemon),
            11 => {
                let all = [&self.places[..], &self.devices].concat();
                self.with_one_of(daemon, "trust", &["trust", ""], &all)
            }
            12 => {
                let words: [&[&str]; 4] = [&["sensors", ""], &["why", ""], &["outlet", "ls", ""], &["cat", ""]];
                let words = self.one_of(&words).unwrap_or(&["sensors", ""]);
                self.with_one_of(daemon, "read", words, &self.devices.clone())
            }
            _ => {
                let verb = self.one_of(&["log", "sensors", "why", "ls", "cat"]).unwrap_or("ls");
                self.with_place(daemon, "read", &[verb, ""])
            }
        }
    }

    /// Runs a command, and counts how it ended.
    fn tell(&mut self, daemon: &Daemon, kind: &'static str, words: &[&str]) -> Result<Option<String>> {
        let answer = daemon.ask(&[words, &["--json"]].concat())?;
        let code = answer.status.code().unwrap_or(-1);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let said = text(&answer.stdout) + &text(&answer.stderr);
        let column = match code {
            0 => 0,
            code if FAIR.contains(&code) && !said.contains(NO_DAEMON) => 1,
            _ => 2,
        };
        if column == 2 {
            failures::tell(format_args!(
                "FAILED  busbar {}: exit {code}: {}",
                words.join(" "),
                said.trim()
            ));
        }
        self.told.entry(kind).or_default()[column] += 1;
        Ok((code == 0).then(|| text(&answer.stdout)))
    }

    fn with_place(&mut self, daemon: &Daemon, kind: &'static str, words: &[&str]) -> Result<()> {
        self.with_one_of(daemon, kind, words, &self.places.clone())
    }

    fn with_one_of(&mut self, daemon: &Daemon, kind: &'static str, words: &[&str], all: &[String]) -> Result<()> {
        match self.one_of(all) {
            Some(place) => self.tell(daemon, kind, &filled(words, &place)).map(drop),
            None => Ok(()),
        }
    }

    fn with_machine(&mut self, daemon: &Daemon, kind: &'static str, words: &[&str]) -> Result<()> {
        let machines: Vec<String> = daemon.machines()?.into_keys().collect();
        match self.one_of(&machines) {
            Some(name) => self.tell(daemon, kind, &filled(words, &name)).map(drop),
            None => Ok(()),
        }
    }

    fn make(&mut self, daemon: &Daemon) -> Result<()> {
        if daemon.machines()?.len() >= MACHINES {
            return Ok(());
        }
        self.made += 1;
        let name = format!("m{}", self.made);
        // captured boxes have no software that could boot
        let words = ["run", "demo", "--name", &name, "--on", "r1", "--detach"];
        self.tell(daemon, "run", &words).map(drop)
    }

    /// Outlet n of each PDU feeds server n. Cutting what a machine uses is refused, unless it is insisted on.
    fn outlet(&mut self, daemon: &Daemon) -> Result<()> {
        let pdu = self.one_of(&["a", "b"]).unwrap_or("a");
        let outlet = format!("r1/pdu-{pdu}/{}", self.below(NODES as u64 + 1) + 1);
        let verb = self.one_of(&["off", "on", "on"]).unwrap_or("on");
        let words = ["outlet", verb, &outlet, "--yes"];
        let words = if verb == "off" { &words[..] } else { &words[..3] };
        self.tell(daemon, "outlet", words).map(drop)
    }

    fn fault(&mut self, daemon: &Daemon) -> Result<()> {
        if self.faults.len() >= FAULTS {
            return Ok(());
        }
        let mut kinds = vec![
            json!({"action": "hang"}),
            json!({"action": "delay", "millis": 3000}),
            json!({"action": "status", "code": 500}),
            json!({"action": "status", "code": 503}),
            json!({"action": "reset"}),
            json!({"action": "broken_json"}),
            json!({"action": "huge_body", "bytes": 50_000_000}),
            json!({"action": "wrong_password"}),
            json!({"action": "ignore_reset", "count": 1}),
            json!({"action": "slow_disk", "millis": 500}),
            json!({"action": "disk_error", "count": 1}),
            json!({"action": "lose_power", "count": 1}),
            json!({"action": "pull_cable", "supply": 0}),
            json!({"action": "fail_supply", "supply": 1}),
            json!({"action": "fail_fan", "fan": 0}),
            json!({"action": "trip_breaker"}),
        ];
        if self.slow {
            kinds.extend([
                json!({"action": "drop_dhcp", "count": 3}),
                json!({"action": "stuck_post", "count": 1}),
            ]);
        }
        let mut places = [&self.places[..], &self.devices].concat();
        places.extend(["pdu-a", "pdu-b", "r1/*"].map(str::to_owned));
        let (Some(mut fault), Some(place)) = (self.one_of(&kinds), self.one_of(&places)) else {
            return Ok(());
        };
        fault["on"] = json!({"at": place});
        let Some(told) = self.tell(daemon, "fault", &["emulate", "fault", &fault.to_string()])? else {
            return Ok(());
        };
        let told: Value = serde_json::from_str(&told)?;
        let id = told["id"].as_u64().context("a fault has an id")?;
        let lasts = LASTS.start + self.below(LASTS.end - LASTS.start);
        self.faults.push((id, Instant::now() + Duration::from_secs(lasts)));
        Ok(())
    }

    fn end_faults(&mut self, daemon: &Daemon) -> Result<()> {
        let now = Instant::now();
        let (over, on): (Vec<_>, Vec<_>) = self.faults.drain(..).partition(|fault| fault.1 <= now);
        self.faults = on;
        for (id, _) in over {
            self.tell(daemon, "clear", &["emulate", "clear", &id.to_string()])?;
        }
        Ok(())
    }

    /// The emulator is in the daemon's process: its faults died with it.
    pub fn restarted(&mut self) {
        self.faults.clear();
    }

    /// Now and then all controllers are replaced while the daemon is dead: they show another certificate when it starts.
    pub fn may_replace_controllers(&mut self, daemon: &Daemon) -> Result<()> {
        if self.replaced == 0 || self.below(2) == 0 {
            daemon.forget_certificates()?;
            self.replaced += 1;
        }
        Ok(())
    }

    /// Luck turns: no faults, and whoever replaced controllers says that it was on purpose.
    pub fn turn(&mut self, daemon: &Daemon) -> Result<()> {
        for (id, _) in std::mem::take(&mut self.faults) {
            self.tell(daemon, "clear", &["emulate", "clear", &id.to_string()])?;
        }
        if self.replaced > 0 {
            for place in [&self.places[..], &self.devices].concat() {
                self.tell(daemon, "trust", &["trust", &place])?;
            }
        }
        Ok(())
    }

    pub fn count(&self) -> Count {
        let sum = |columns: &[usize]| {
            let each = self.told.values().map(|t| columns.iter().map(|c| t[*c]).sum::<u64>());
            each.sum()
        };
        Count {
            passed: sum(&[0, 1]),
            failed: sum(&[2]),
        }
    }

    pub fn print(&self, kills: u32) {
        println!("\n{:<10} {:>8} {:>8} {:>8}", "act", "done", "refused", "failed");
        for (kind, [done, refused, failed]) in &self.told {
            println!("{kind:<10} {done:>8} {refused:>8} {failed:>8}");
        }
        println!("{:<10} {kills:>8}", "kill -9");
        println!("{:<10} {:>8}\n", "replaced", self.replaced);
    }
}

/// The words, with `name` where there is none.
fn filled<'a>(words: &[&'a str], name: &'a str) -> Vec<&'a str> {
    words
        .iter()
        .map(|word| if word.is_empty() { name } else { word })
        .collect()
}
