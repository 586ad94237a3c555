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
    pane.keys(&["s", "r"])?;
    tally.check("top: sorted otherwise", pane.shows(&["heat by inlet, reversed"]));
    pane.keys(&["?"])?;
    tally.check("top: help", pane.shows(&["never zero"]));
    pane.keys(&["?"])?;
    output(&mut pane.tmux(&["resize-window", "-x", "120", "-y", "40"]))?;
    tally.check(
        "top: a larger window is filled",
        until_within("a wider frame", PATIENCE, || {
            pane.seen(false).lines().any(|l| l.chars().count() == 120)
        }),
    );
    tally.check("top: colours", {
        let seen = pane.seen(true);
        if seen.contains("\u{1b}[3") {
            Ok(())
        } else {
            Err(anyhow::anyhow!("none in\n{seen}"))
        }
    });
    pane.keys(&["q"])?;
    tally.check("top: the terminal is given back", given_back(&pane));
    pane.keys(&[&format!("NO_COLOR=1 LC_ALL=C {top}"), "Enter"])?;
    tally.check("top: only ASCII in such a locale", {
        let shown = pane.shows(&["[1 rack]", "+-", "|"]);
        shown.and_then(|()| {
            let seen = pane.seen(true);
            ensure!(seen.is_ascii(), "{seen}");
            let coloured = ["[31m", "[33m", "[35m", "[36m"].iter().find(|c| seen.contains(**c));
            ensure!(coloured.is_none(), "coloured with NO_COLOR:\n{seen}");
            Ok(())
        })
    });
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

/// The shell is back, and what is typed is echoed: the terminal is as it was.
fn given_back(pane: &Pane) -> Result<()> {
    // What is typed while it leaves is still its own.
    let front = || output(&mut pane.tmux(&["display-message", "-p", "#{pane_current_command}"]));
    until_within("the shell", PATIENCE, || front().is_ok_and(|f| f.trim() == "sh"))?;
    pane.keys(&["echo again $((20 + 3))", "Enter"])?;
    pane.shows(&["echo again $((20 + 3))", "again 23"])
}
