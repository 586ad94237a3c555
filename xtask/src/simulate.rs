//! Racks in simulated time: `cargo xtask simulate`. The work is `crates/simulation`'s, built as fast as what is shipped and as
//! wary as a debug build (profile `simulate`), so that a rack's day takes a second.

use std::process::Command;

use anyhow::Result;

use crate::command::{cmd, run as run_command};
use crate::test::{Count, counted};

/// Hours of bad luck in each story of an ordinary run.
const HOURS: &str = "24";
/// Rack-days of an ordinary run, on racks of 1 to 40 nodes, and of a whole one: a story is a day and a little.
const SAMPLE: u64 = 200;
/// Minutes after which an ordinary run begins no further story: a slow machine tells fewer, and says how many.
const LASTS: &str = "4";
const WHOLE: u64 = 3000;

#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub struct Args {
    /// What `simulate --help` tells
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

/// Tells stories, as the arguments say.
pub fn run(args: &Args) -> Result<()> {
    run_command(simulation().args(&args.args))
}

/// What `cargo xtask test` runs: each story counts as one check.
pub fn count(whole: bool) -> Count {
    let days = if whole { WHOLE } else { SAMPLE };
    let mut command = simulation();
    command.args(["--hours", HOURS, "--seeds", &days.to_string()]);
    if !whole {
        command.args(["--minutes", LASTS]);
    }
    counted(command)
}

fn simulation() -> Command {
    let mut command = cmd("cargo run --locked --quiet --profile simulate --package simulation --bin simulate --");
    command.current_dir(crate::root());
    command
}
