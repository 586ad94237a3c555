//! What each command does.

pub mod capture;
pub mod console;
mod emulate;
pub mod export;
pub mod firmware;
mod follow;
mod free;
mod hall;
pub mod hardware;
pub mod import;
mod keep;
mod local;
mod look;
mod machine;
pub mod netbox;
pub mod nice;
mod ps;
pub mod sensors;
mod spark;
mod top;
mod truth;
pub mod whatif;

use anyhow::Result;

use crate::cli::{Cli, Command};
use crate::client::Client;

/// Commands that need no daemon; `None` for the others.
pub fn offline(cli: &Cli) -> Option<Result<u8>> {
    Some(match cli.command.as_ref()? {
        Command::Restore { file, state } => local::restore(cli, file, state.as_deref()),
        Command::Kit(kit) => local::kit(cli, kit),
        Command::Completions { shell } => local::completions(*shell),
        Command::Explain { code } => local::explain(cli, code),
        Command::Version => local::version(cli),
        _ => return None,
    })
}

/// Commands that ask the daemon.
pub async fn online(cli: &Cli) -> Result<u8> {
    let Some(command) = &cli.command else {
        return look::overview(cli).await;
    };
    match command {
        Command::Emulate { what: Some(what), .. } => return emulate::emulate(cli, what).await,
        Command::Emulate { trees, what: None } => {
            return match trees.hall {
                Some(bmcs) => hall::serve(cli, trees, bmcs).await,
                None => capture::serve(cli, trees).await,
            };
        }
        Command::Capture(options) => return capture::capture(cli, options).await,
        _ => {}
    }
    let client = &Client::new(cli)?;
    match command {
        Command::Ls { place, filter, watch } => look::ls(cli, client, place.as_ref(), filter.as_deref(), *watch).await,
        Command::Fsck(options) => truth::fsck(cli, client, options).await,
        Command::Import(what) => import::run(cli, client, what).await,
        Command::Export(what) => export::run(cli, client, what).await,
        Command::Tree { place } => look::tree(cli, client, place.as_ref()).await,
        Command::Cat { path } => look::cat(cli, client, path).await,
        Command::Ps { watch, all } => ps::ps(cli, client, *watch, *all).await,
        Command::Why { about } => look::why(cli, client, about).await,
        Command::Dmesg { follow } => look::dmesg(cli, client, *follow).await,
        Command::Trace { name } => look::trace(cli, client, name).await,
        Command::Doctor => look::doctor(cli, client).await,
        Command::Run(options) => machine::run(cli, client, options).await,
        Command::Rm(options) => machine::rm(cli, client, options).await,
        Command::Kill { signal, names, dry_run } => machine::kill(cli, client, signal, names, *dry_run).await,
        Command::Nice(options) => nice::nice(cli, client, options).await,
        Command::Cap(options) => hardware::cap(cli, client, options).await,
        Command::Bios(options) => hardware::bios(cli, client, options).await,
        Command::Sensors(options) => sensors::sensors(cli, client, options).await,
        Command::Free { rack } => free::free(cli, client, rack.as_ref()).await,
        Command::Whatif(what) => whatif::whatif(cli, client, what).await,
        Command::Top => top::top(cli, client).await,
        Command::Locate { of, off } => hardware::locate(cli, client, of, !off).await,
        Command::Log { of, lines } => hardware::log(cli, client, of, *lines).await,
        Command::Console(options) => console::console(cli, client, options).await,
        Command::Outlet(what) => hardware::outlet(cli, client, what).await,
        Command::Firmware(what) => firmware::firmware(cli, client, what).await,
        Command::Arm(options) => keep::arm(cli, client, options, true).await,
        Command::Disarm(options) => keep::arm(cli, client, options, false).await,
        Command::Cordon { place, why, dry_run } => keep::cordon(cli, client, place, Some(why), *dry_run).await,
        Command::Uncordon { place, dry_run } => keep::cordon(cli, client, place, None, *dry_run).await,
        Command::Discover {
            targets,
            rack,
            credential,
            slot,
        } => {
            let body = serde_json::json!({"targets": targets, "rack": rack, "credential": credential, "slot": slot});
            keep::discover(cli, client, body).await
        }
        Command::Credential(what) => keep::credential(cli, client, what).await,
        Command::Trust { place } => keep::trust(cli, client, place).await,
        Command::Image(what) => keep::image(cli, client, what).await,
        Command::Token(what) => keep::token(cli, client, what).await,
        Command::Dump { file } => keep::dump(cli, client, file).await,
        _ => Ok(0),
    }
}
