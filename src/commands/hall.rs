//! `emulate --hall`: a data hall of BMCs, served until it is told to stop. Needs no daemon; a daemon watches it by the rack
//! files that are written on request.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use emulator::hall::{Config, Hall, Handle, Layout};
use serde_json::json;

use super::keep::password;
use crate::cli::{Cli, TreeOptions};
use crate::client::fail;
use crate::output;

pub async fn serve(cli: &Cli, options: &TreeOptions, bmcs: u32) -> Result<u8> {
    let fix = "busbar emulate --hall 71 --listen 127.0.0.1:8443 --tls";
    let credential = match &options.user {
        Some(user) => Some(emulator::Credential {
            user: user.clone(),
            password: password(options.password_file.as_deref())?,
        }),
        None => None,
    };
    if let Some(at) = options.control.filter(|at| !at.ip().is_loopback()) {
        let what = format!("faults can't be set at {at}: name a loopback address, whoever reaches it may set them");
        return Err(fail(
            "BB0101",
            what,
            "busbar emulate --hall 71 --control 127.0.0.1:8081",
        ));
    }
    let layout = Layout::of(bmcs).map_err(|e| fail("BB0101", e.to_string(), fix))?;
    let config = Config {
        layout,
        port: options.listen.port(),
        tls: options.tls,
        credential,
        speed: options.speed,
        clock: Arc::new(output::now),
        idle: std::time::Duration::from_secs(options.idle),
        control: options.control,
    };
    let served = Hall::start(config)
        .await
        .map_err(|e| fail("BB0502", e.to_string(), fix))?;
    let files = match &options.rack_files {
        Some(folder) => {
            write(folder, &served, options.tls).with_context(|| format!("writing to {}", folder.display()))?
        }
        None => 0,
    };
    let (port, control) = (served.port, served.control.map(|at| format!("http://{at}")));
    if cli.json {
        let told = json!({"bmcs": bmcs, "racks": layout.racks(), "port": port, "control": control});
        output::json(&told, true)?;
    } else {
        let racks = layout.racks();
        output::text(format!(" {bmcs} BMCs in {racks} racks answer at 127.20.RACK.N:{port}"));
        if let Some(control) = control {
            output::text(format!(" faults   {control}/faults"));
        }
        if let (Some(folder), 1..) = (&options.rack_files, files) {
            let folder = folder.display();
            output::text(format!(
                " try      busbar up $(printf -- ' --rack %s' {folder}/*.toml)\n          busbar credential set hall --user USER"
            ));
        }
    }
    crate::up::told_to_stop().await;
    Ok(0)
}

/// Writes a file for each rack; says how many.
fn write(folder: &Path, served: &Handle, tls: bool) -> std::io::Result<usize> {
    std::fs::create_dir_all(folder)?;
    let files = served.rack_files(tls);
    for (name, text) in &files {
        std::fs::write(folder.join(format!("{name}.toml")), text)?;
    }
    Ok(files.len())
}
