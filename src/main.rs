//! The `busbar` binary: the command line, the daemon (`up`), and the first process of the boot kit.
//!
//! Start at [`cli`] for the words and at [`commands`] for what they do; both are clients of the API like any other.

mod cli;
mod client;
mod commands;
mod context;
mod output;
mod up;

use std::process::ExitCode;

use api::problem::Problem;
use clap::Parser;

use cli::{Cli, Command};
use client::Failure;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let as_init = std::env::args_os().next().is_some_and(|name| name == "/init");
    if std::process::id() == 1 && as_init {
        agent::init();
    }
    // A second provider is an error of ours that changes nothing: the first one stays.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let cli = Cli::parse_from(cli::signals(std::env::args_os()));
    let json = cli.json;
    match run(cli) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            let problem = match error.downcast::<Failure>() {
                Ok(failure) => *failure.0,
                Err(error) => Problem::new("BB0502", format!("{error:#}")),
            };
            if json {
                let _ = output::json(&problem, false);
            } else {
                output::note(output::problem(&problem));
            }
            ExitCode::from(problem.exit())
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<u8> {
    if let Some(Command::Up(options)) = cli.command {
        log(options.log_json);
        if options.vms.is_some() {
            up::space::enter()?;
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        return runtime.block_on(up::run(options)).map(|()| 0);
    }
    if let Some(done) = commands::offline(&cli) {
        return done;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(commands::online(&cli))
}

/// The daemon's log, on standard error.
fn log(json: bool) {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(filter);
    if json {
        log.json().init();
    } else {
        log.with_ansi(std::env::var_os("NO_COLOR").is_none()).init();
    }
}
