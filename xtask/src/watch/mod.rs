//! `cargo xtask watch`: what people and programs watch a rack with, against the real ones. Debian's Prometheus scrapes the
//! metrics and is queried ([`prometheus`]); `busbar top` runs in tmux, whose pane is looked at ([`terminal`]).

mod prometheus;
mod terminal;

use std::fs;

use anyhow::{Context as _, Result};

use crate::daemon::Busbar;
use crate::test::{Count, Tally};

/// Servers of the emulated rack, beside its one GPU box.
const NODES: u32 = 3;
/// The daemon's port; those of its rack follow from it.
const PORT: u16 = 27_531;

/// Checks, and prints what failed; an error if anything did.
pub fn run_alone() -> Result<()> {
    count().told("what is watched is not what is")
}

/// All checks. What could not be run is one that failed.
pub fn count() -> Count {
    Tally::of(watch)
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
