//! The chores of this repository, as commands: `cargo xtask test` checks everything on a fresh
//! Debian machine, `cargo xtask real` runs the real-machine scenario alone, `cargo xtask image`
//! builds the Debian image that the scenario installs.
//!
//! Nothing here is part of the product: the scenario drives the `busbar` binary as a user would,
//! by its command line only. Start at [`mod@test`], or at [`real`] for the scenario.

mod bench;
mod busbar;
mod clock;
mod command;
mod console;
mod daemon;
mod debian;
mod failures;
mod image;
mod lab;
mod licences;
mod netbox;
mod peers;
mod process;
mod real;
mod scale;
mod scenario;
mod simulate;
mod soak;
mod test;
mod validators;
mod vms;
mod watch;

use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Busbar's own chores", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Check everything: format, lints, docs, licences, every test, the real-machine scenario
    Test(test::Args),
    /// Run the real-machine scenario: two virtual machines behind sushy-tools, from nothing to a login and back
    Real(real::Args),
    /// Build the Debian images that the scenario installs (as root), and print where they are
    Image,
    /// Measure, as ratios to what the machine can do at best
    Bench(bench::Args),
    /// Import from and export to a real NetBox, installed for it (five CPU-minutes at the first run)
    Netbox,
    /// Check the licence of every dependency
    Licences,
    /// Run DMTF's conformance tools against the emulated BMCs
    Validators,
    /// Tell stories of racks in simulated time: days of bad luck in seconds, each from a seed
    Simulate(simulate::Args),
    /// Scrape and query the metrics with Debian's Prometheus, and look at `busbar top` in tmux
    Watch,
    /// Build the web console, compare it with what is committed, and try it in Debian's Chromium
    Console,
    /// Put real machines of QEMU into the emulated rack, as nobody, by the README
    Vms,
    /// Leave a rack alone with bad luck, and see it come to rest
    Soak(soak::Args),
    /// Watch a data hall of emulated BMCs, and print what that takes
    Scale(scale::Args),
    /// The scenario itself, already inside its own namespaces
    #[command(hide = true)]
    Scenario(scenario::Args),
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().chore {
        Chore::Test(args) => test::run(&args),
        Chore::Real(args) => real::run(&args),
        Chore::Image => {
            image::build()?;
            image::Variant::ALL
                .iter()
                .for_each(|&variant| println!("{}", image::file(variant).display()));
            Ok(())
        }
        Chore::Bench(args) => bench::run(&args),
        Chore::Netbox => netbox::check(),
        Chore::Licences => licences::check(),
        Chore::Validators => validators::run_alone(),
        Chore::Simulate(args) => simulate::run(&args),
        Chore::Watch => watch::run_alone(),
        Chore::Console => console::run_alone(),
        Chore::Vms => vms::run_alone(),
        Chore::Soak(args) => soak::run(&args),
        Chore::Scale(args) => scale::run(&args),
        Chore::Scenario(args) => scenario::run(&args),
    }
}

/// The root of the checkout: the parent of this crate's folder.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the crate lies in the workspace")
}

/// Where builds go: `CARGO_TARGET_DIR` as Cargo itself reads it, else `target`.
fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// The scratch folder of the real-machine scenario.
fn scratch() -> PathBuf {
    target().join("real")
}
