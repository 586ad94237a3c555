//! `busbar top` in a real terminal: tmux' own server, a pane of 80 by 24, and what stands in it.

use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::command::output;
use crate::daemon::{Busbar, until_within};
use crate::test::Tally;

/// For a frame: a fault is seen within two looks.
const PATIENCE: Duration = Duration::from_secs(60);

/// A tmux server of its own, which ends with the run.
struct Pane {
    socket: String,
}

impl Pane {
    fn open(busbar: &Busbar, environment: &[(&str, &str)]) -> Result<Pane> {
        let pane = Pane {
            socket: format!("busbar-watch-{}", std::process::id()),
        };
        let mut shell = pane.tmux(&["-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24"]);
        for (name, value) in busbar.home.environment() {
            shell.args(["-e", &format!("{name}={}", value.display())]);
        }
        for (name, value) in environment {
            shell.args(["-e", &format!("{name}={value}")]);
        }
        output(shell.arg("sh"))?;
        Ok(pane)
    }

    fn tmux(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("tmux");
        command.args(["-u", "-L", &self.socket]).args(arguments);
        command
    }

    fn keys(&self, keys: &[&str]) -> Result<()> {
        output(self.tmux(&["send-keys"]).args(keys)).map(drop)
    }

    /// What stands in it; with `attributes`, escape sequences too.
    fn seen(&self, attributes: bool) -> String {
        let mut capture = self.tmux(&["capture-pane", "-p"]);
        if attributes {
            capture.arg("-e");
        }
        output(&mut capture).unwrap_or_default()
    }

    /// That this does not stand in it.
    fn lacks(&self, unwanted: &str) -> Result<()> {
        let seen = self.seen(false);
        ensure!(!seen.contains(unwanted), "{unwanted} is in\n{seen}");
        Ok(())
    }

    /// Waits until all of this stands in it.
    fn shows(&self, wanted: &[&str]) -> Result<()> {
        let shown = until_within("the pane", PATIENCE, || {
            let seen = self.seen(false);
            wanted.iter().all(|w| seen.contains(w))
        });
        shown.map_err(|e| e.context(format!("{wanted:?} is not in\n{}", self.seen(false))))
    }
}

impl Drop for Pane {
    fn drop(&mut self) {
        // Err: it has ended already
        let _ = self.tmux(&["kill-server"]).output();
    }
}

/// Everything.
pub fn check(tally: &mut Tally, busbar: &Busbar) -> Result<()> {
    let top = format!("{} top", busbar.home.binary.display());
    let pane = Pane::open(busbar, &[("LC_ALL", "C.UTF-8")])?;
    pane.keys(&[&top, "Enter"])?;
    tally.check(
        "top: the rack pane",
        pane.shows(&["[1 rack]", "r1/u1", "r1/pdu-a", "INLET", "┌"]),
    );
    pane.keys(&["2"])?;
    tally.check(
        "top: the power pane",
        pane.shows(&["[2 power]", "power by watts", "████"]),
    );
    pane.keys(&["Right"])?;
    tally.check("top: the heat pane", pane.shows(&["[3 heat]", "HOTTEST", "FAN RPM"]));
    pane.keys(&[">", "r"])?;
    tally.check("top: sorted otherwise", pane.shows(&["heat by inlet, reversed"]));
    pane.keys(&["?"])?;
    tally.check("top: help", pane.shows(&["never zero", "after 5 minutes"]));
    pane.keys(&["?", "/", "u2", "Enter"])?;
    tally.check("top: a filter", {
        let shown = pane.shows(&["only `u2`", "r1/u2"]);
        shown.and_then(|()| pane.lacks("r1/u3"))
    });
    pane.keys(&["Escape"])?;
    acts(tally, busbar, &pane)?;
    output(&mut pane.tmux(&["resize-window", "-x", "120", "-y", "40"]))?;
    tally.check(
        "top: a larger window is filled",
        until_within("a wider frame", PATIENCE, || {
            pane.seen(false).lines().any(|l| l.chars().count() == 120)
        }),
    );
    tally.check("top: colours", {
        let seen = pane.seen(true);
        // by the names that a terminal of sixteen knows, not by a palette's numbers
        if is_coloured(&seen) && !seen.contains("38;") {
            Ok(())
        } else {
            Err(anyhow::anyhow!("none in\n{seen}"))
        }
    });
    pane.keys(&["q"])?;
    tally.check("top: the terminal is given back", given_back(&pane));
    pane.keys(&[&format!("NO_COLOR=1 LC_ALL=C {top}"), "Enter"])?;
    tally.check("top: only ASCII in such a locale", {
        let shown = pane.shows(&["[1 rack]", "--+", "|"]);
        shown.and_then(|()| {
            let seen = pane.seen(true);
            ensure!(seen.is_ascii(), "{seen}");
            ensure!(!is_coloured(&seen), "coloured with NO_COLOR:\n{seen}");
            Ok(())
        })
    });
    pane.keys(&["q"])?;
    given_back(&pane)?;
    let token = busbar.call(&["token", "make", "looker", "--role", "reader"])?;
    pane.keys(&[&format!("LC_ALL=C BUSBAR_TOKEN={} {top}", token.trim()), "Enter"])?;
    pane.shows(&["[1 rack]", "reader"])?;
    pane.keys(&["A"])?;
    tally.check(
        "top: a reader is told that it may not act",
        pane.shows(&["`looker` is a reader", "read-only, reader"]),
    );
    let fault = r#"{"on":{"at":"r1/u2"},"action":"hang"}"#;
    let set: serde_json::Value = serde_json::from_str(&busbar.call(&["emulate", "fault", fault, "--json"])?)?;
    tally.check(
        "top: a fault is seen as it happens",
        pane.shows(&["silent: ", "1 silent"]),
    );
    busbar.call(&["emulate", "clear", &set["id"].to_string()])?;
    // TERM as a supervisor sends it
    let pid = output(&mut pane.tmux(&["display-message", "-p", "#{pane_pid}"]))?;
    let child = output(Command::new("pgrep").args(["-P", pid.trim()]))?;
    output(Command::new("kill").args(["-TERM", child.trim()]))?;
    tally.check("top: the terminal is given back after SIGTERM", given_back(&pane));
    let piped = busbar.call(&["top"])?;
    tally.check("top: a pipe gets one frame", {
        let plain = piped.starts_with("power ") && piped.contains("r1/u1") && !piped.contains('\u{1b}');
        if plain { Ok(()) } else { Err(anyhow::anyhow!("{piped}")) }
    });
    Ok(())
}

/// Machines, boxes, events, and keys that act once they are armed.
fn acts(tally: &mut Tally, busbar: &Busbar, pane: &Pane) -> Result<()> {
    busbar.call(&["run", "demo", "--name", "web", "--on", "r1/u1"])?;
    pane.keys(&["4"])?;
    tally.check(
        "top: a machine, in the columns of `busbar ps`",
        pane.shows(&["STAT", "MADE OF", "IMAGE", "web", "r1/u1", "demo", "web: running"]),
    );
    pane.keys(&["Enter"])?;
    let why = busbar.call(&["why", "web"])?;
    let headline = why.lines().next().unwrap_or_default().to_owned();
    tally.check(
        "top: why, as `busbar why` says it",
        pane.shows(&["busbar why web", headline.get(..40).unwrap_or(&headline)]),
    );
    pane.keys(&["q", "s"])?;
    tally.check(
        "top: nothing acts before it is armed",
        pane.shows(&["read-only: A arms the keys"]),
    );
    pane.keys(&["A"])?;
    tally.check("top: armed", pane.shows(&["ARMED: keys act", "s stop  k off"]));
    tally.check("top: armed is red, and reversed", {
        let seen = pane.seen(true);
        let bar = seen.lines().next().unwrap_or_default();
        if bar.contains("\u{1b}[31m") && bar.contains(";7m") {
            Ok(())
        } else {
            Err(anyhow::anyhow!("{bar:?}"))
        }
    });
    pane.keys(&["k"])?;
    tally.check(
        "top: an act is asked first",
        pane.shows(&["busbar kill -KILL web", "is lost", "type web and Enter"]),
    );
    pane.keys(&["wep", "Enter"])?;
    tally.check(
        "top: another name does nothing",
        pane.shows(&["`wep` is not its name; nothing was changed"]),
    );
    pane.keys(&["k", "web", "Enter"])?;
    tally.check(
        "top: what was confirmed is done",
        pane.shows(&["accepted: busbar kill -KILL web", "web: stopped"]),
    );
    let machines: serde_json::Value = serde_json::from_str(&busbar.call(&["ps", "--json"])?)?;
    tally.check("top: and the daemon says so too", {
        let state = &machines[0]["status"]["state"];
        if state == "stopped" {
            Ok(())
        } else {
            Err(anyhow::anyhow!("{state}"))
        }
    });
    pane.keys(&["5", "/", "u3", "Enter", "d"])?;
    tally.check("top: a cordon asks why", pane.shows(&["busbar cordon r1/u3", "why?"]));
    pane.keys(&["loud fan", "Enter"])?;
    tally.check(
        "top: a box is cordoned",
        pane.shows(&["r1/u3 is cordoned", "cordoned: loud fan"]),
    );
    pane.keys(&["d", "y"])?;
    tally.check("top: and put back", pane.shows(&["r1/u3 is uncordoned"]));
    pane.keys(&["Escape"])?;
    // a key right behind it would be one with Alt
    tally.check("top: without a filter all are there", pane.shows(&["r1/pdu-a"]));
    pane.keys(&["6"])?;
    tally.check(
        "top: events, newest first",
        pane.shows(&["audit", "r1/u3:", "uncordon"]),
    );
    pane.keys(&["A"])?;
    tally.check("top: disarmed", pane.shows(&["read-only again", "A arm"]));
    busbar.call(&["rm", "web", "--yes"])?;
    Ok(())
}

/// The shell is back, and what is typed is echoed: the terminal is as it was.
fn given_back(pane: &Pane) -> Result<()> {
    // What is typed while it leaves is still its own.
    let front = || output(&mut pane.tmux(&["display-message", "-p", "#{pane_current_command}"]));
    until_within("the shell", PATIENCE, || front().is_ok_and(|f| f.trim() == "sh"))?;
    pane.keys(&["echo again $((20 + 3))", "Enter"])?;
    pane.shows(&["echo again $((20 + 3))", "again 23"])
}

/// Whether any letter has a colour (ECMA-48 §8.3.117, `SGR` 30 to 37 and what terminals added: 38, 90 to 97); 39 takes it away.
fn is_coloured(seen: &str) -> bool {
    seen.split("\u{1b}[").skip(1).any(|rest| {
        let numbers = rest.split('m').next().unwrap_or_default().split(';');
        let mut numbers = numbers.filter_map(|n| n.parse::<u8>().ok());
        numbers.any(|n| matches!(n, 30..=38 | 90..=97))
    })
}

#[cfg(test)]
mod tests {
    use super::is_coloured;

    #[test]
    fn a_colour_is_told_from_its_end() {
        for (seen, expected) in [
            ("plain", false),
            ("\u{1b}[1mbold\u{1b}[0m\u{1b}[39m\u{1b}[49m", false),
            ("\u{1b}[7;31mred", true),
            ("\u{1b}[92mgreen", true),
            ("\u{1b}[38;5;1mone of 256", true),
        ] {
            assert_eq!(is_coloured(seen), expected, "{seen:?}");
        }
    }
}
