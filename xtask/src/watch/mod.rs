//! `cargo xtask watch`: what people and programs watch a rack with, against the real ones. Debian's Prometheus scrapes the
//! metrics and is queried ([`prometheus`]); `busbar top` runs in tmux, whose pane is looked at ([`terminal`]).

mod prometheus;
mod terminal;

use std::fs;

use anyhow::{Context as _, Result, bail};

use crate::daemon::Busbar;
use crate::failures;
use crate::test::{Count, Tally};

/// Servers of the emulated rack, beside its one GPU box.
const NODES: u32 = 3;
/// The daemon's port; those of its rack follow from it.
const PORT: u16 = 27_531;

/// Checks, and prints what failed; an error if anything did.
pub fn run_alone() -> Result<()> {
    let count = count();
    println!("{} passed, {} failed", count.passed, count.failed);
    if count.failed > 0 {
        bail!("what is watched is not what is");
    }
    Ok(())
}

/// All checks. What could not be run is one that failed.
pub fn count() -> Count {
    let mut tally = Tally::default();
    if let Err(error) = watch(&mut tally) {
        failures::tell(format_args!("error: {error:#}"));
        tally.0.failed += 1;
    }
    tally.0
}

fn watch(tally: &mut Tally) -> Result<()> {
    crate::debian::install_also(&[
        ("prometheus", "what metrics are made for; not started as a service here"),
        ("tmux", "the terminal that `busbar top` is looked at in"),
        ("curl", "a client of the metrics"),
    ])?;
    let folder = crate::target().join("watch");
    fs::create_dir_all(&folder)?;
    let folder = folder.canonicalize()?;
    let busbar = Busbar::up(&folder, NODES, PORT).context("starting busbar")?;
    prometheus::check(tally, &busbar, &folder, PORT)?;
    terminal::check(tally, &busbar)
}
