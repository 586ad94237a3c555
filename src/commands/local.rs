//! Commands that need no daemon.

use std::path::Path;

use anyhow::Result;
use clap::CommandFactory;
use serde_json::json;

use crate::cli::{Cli, Kit, default_state};
use crate::client::fail;
use crate::output;

pub fn restore(cli: &Cli, file: &Path, state: Option<&Path>) -> Result<u8> {
    let state = state.map_or_else(default_state, Path::to_owned);
    std::fs::create_dir_all(&state)?;
    let to = state.join("busbar.db");
    store::restore(file, &to).map_err(|e| fail("BB0502", e.to_string(), "busbar restore FILE --state FOLDER"))?;
    if cli.json {
        output::json(&json!({ "state": state }), false)?;
    } else {
        output::text(format!(
            "restored to {}; start with: busbar up --state {}",
            to.display(),
            state.display()
        ));
    }
    Ok(0)
}

pub fn kit(cli: &Cli, kit: &Kit) -> Result<u8> {
    let Kit::Build {
        output: out,
        binary,
        no_strip,
    } = kit;
    let binary = binary.clone().map_or_else(std::env::current_exe, Ok)?;
    let spec = agent::kit::KitSpec {
        out: out.clone(),
        binary,
        kernel: agent::kit::Kernel::default(),
        strip: !no_strip,
    };
    let built =
        agent::kit::build(&spec).map_err(|e| fail("BB0502", e.to_string(), "busbar kit build --output FOLDER"))?;
    if cli.json {
        output::json(&built, false)?;
    } else {
        output::text(format!(
            "kernel {}, {} drivers, in {}",
            built.kernel,
            built.drivers,
            built.folder.display()
        ));
    }
    Ok(0)
}

pub fn completions(shell: clap_complete::Shell) -> Result<u8> {
    let mut made = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "busbar", &mut made);
    output::text(String::from_utf8_lossy(&made));
    Ok(0)
}

pub fn explain(cli: &Cli, code: &str) -> Result<u8> {
    let shown = output::plain(code);
    let row = api::problem::find(code)
        .ok_or_else(|| fail("BB0301", format!("there is no code `{shown}`"), "busbar explain BB0401"))?;
    if cli.json {
        let all = json!({"code": row.code, "title": row.title, "status": row.status, "exit": row.exit, "explain": row.explain});
        output::json(&all, false)?;
    } else {
        output::text(format!(
            "{}: {} (exit {}, HTTP {})\n{}",
            row.code, row.title, row.exit, row.status, row.explain
        ));
    }
    Ok(0)
}

pub fn version(cli: &Cli) -> Result<u8> {
    if cli.json {
        output::json(&json!({"version": env!("CARGO_PKG_VERSION")}), false)?;
    } else {
        output::text(concat!("busbar ", env!("CARGO_PKG_VERSION")));
    }
    Ok(0)
}
