//! `import`: what a rack should be, from a table, a source of truth, device types, or what is seen. Each makes an
//! [`Intent`], shows what would change, and hands it to the daemon. Start at [`run`].

mod csv;
mod device_types;
mod diff;
pub mod netbox;

pub use self::csv::COLUMNS;

use std::path::PathBuf;

use anyhow::Result;
use clap::Subcommand;
use rack::Name;
use rack::intent::Intent;
use rack::request::{DeviceView, NodeView};
use reqwest::Method;

use crate::cli::Cli;
use crate::client::{Client, Failure, fail};
use crate::output::{self, counted, plain};

/// Where it comes from.
#[derive(Subcommand)]
pub enum Import {
    /// A table: slot, unit, height, maker, model, serial, asset, bmc, cores, memory, firmware, outlets, ports, …
    #[command(before_help = "busbar import csv rack.csv --rack r1 --dry-run")]
    Csv {
        file: PathBuf,
        #[arg(long)]
        rack: Name,
        /// Only show what would change
        #[arg(long)]
        dry_run: bool,
    },
    /// NetBox, over REST
    #[command(before_help = "busbar import netbox https://netbox.example --netbox-token-file token --rack r1")]
    Netbox {
        #[command(flatten)]
        at: crate::commands::netbox::At,
        /// Every rack of this site, by its slug
        #[arg(long)]
        site: Option<String>,
        /// Only this rack, by its name there
        #[arg(long)]
        rack: Option<String>,
        /// Only show what would change
        #[arg(long)]
        dry_run: bool,
    },
    /// Heights, depths and ports from NetBox device-type files (YAML), for boxes that are written down
    #[command(before_help = "busbar import device-types devicetype-library/device-types --rack r1")]
    DeviceTypes {
        /// A file or a folder of them
        path: PathBuf,
        #[arg(long)]
        rack: Name,
        /// Only show what would change
        #[arg(long)]
        dry_run: bool,
    },
    /// What is seen: the rack is right as it is
    Seen {
        #[arg(long)]
        rack: Name,
        /// Only show what would change
        #[arg(long)]
        dry_run: bool,
    },
}

/// Imports.
pub async fn run(cli: &Cli, client: &Client, what: &Import) -> Result<u8> {
    match what {
        Import::Csv { file, rack, dry_run } => {
            let made = csv::read(rack, file)?;
            put(cli, client, vec![made], *dry_run).await
        }
        Import::Netbox {
            at,
            site,
            rack,
            dry_run,
        } => {
            let (made, notes) = netbox::fetch(at, site.as_deref(), rack.as_deref()).await?;
            notes.iter().for_each(|n| output::note(plain(n)));
            put(cli, client, made, *dry_run).await
        }
        Import::DeviceTypes { path, rack, dry_run } => {
            let mut intent = stored(client, rack).await?.ok_or_else(|| nothing(rack))?;
            let (types, notes) = device_types::read(path)?;
            notes.iter().for_each(|n| output::note(plain(n)));
            let completed = device_types::complete(&mut intent, &types);
            output::note(format!(
                "{} device types read, {completed} boxes are of them",
                types.len()
            ));
            put(cli, client, vec![intent], *dry_run).await
        }
        Import::Seen { rack, dry_run } => {
            let made = seen(client, rack).await?;
            put(cli, client, vec![made], *dry_run).await
        }
    }
}

fn nothing(rack: &Name) -> anyhow::Error {
    let hint = format!("busbar import seen --rack {rack}");
    fail("BB0301", format!("nobody wrote down what {rack} should be"), hint)
}

/// What is written down of a rack.
pub async fn stored(client: &Client, rack: &Name) -> Result<Option<Intent>> {
    match client.get(&format!("/v1/racks/{rack}/intent")).await {
        Ok(value) => Ok(Some(serde_json::from_value(value)?)),
        Err(e) if e.downcast_ref::<Failure>().is_some_and(|f| f.0.code == "BB0301") => Ok(None),
        Err(e) => Err(e),
    }
}

/// What is written down, with what is seen over it.
pub async fn seen(client: &Client, rack: &Name) -> Result<Intent> {
    let before = stored(client, rack).await?;
    let nodes: Vec<NodeView> = serde_json::from_value(client.get("/v1/nodes").await?)?;
    let devices: Vec<DeviceView> = serde_json::from_value(client.get("/v1/devices").await?)?;
    let nodes: Vec<&rack::Node> = nodes.iter().map(|v| &v.node).collect();
    let made = plan::adopt::adopt(rack, before.as_ref(), &nodes, &devices.iter().collect::<Vec<_>>());
    if made.boxes.is_empty() {
        return Err(fail("BB0301", format!("nothing stands in {rack}"), "busbar ls"));
    }
    Ok(made)
}

/// Shows what changes, and hands it over.
async fn put(cli: &Cli, client: &Client, mut all: Vec<Intent>, dry_run: bool) -> Result<u8> {
    let mut changed = 0;
    for intent in &mut all {
        intent.sort();
        let before = stored(client, &intent.rack).await?;
        let lines = diff::lines(before.as_ref(), intent);
        changed += lines.len();
        if !cli.json {
            output::text(format!(
                "{}: {}, {}",
                intent.rack,
                counted(intent.boxes.len(), "box", "boxes"),
                counted(lines.len(), "change", "changes")
            ));
            lines.iter().for_each(|l| output::text(plain(&format!("  {l}"))));
        }
        let dry = if dry_run { "?dry_run=true" } else { "" };
        let path = format!("/v1/racks/{}/intent{dry}", intent.rack);
        client
            .call(Method::PUT, &path, Some(serde_json::to_value(&*intent)?))
            .await?;
    }
    if cli.json {
        output::json(&all, false)?;
    } else if dry_run {
        output::text("Nothing was changed: --dry-run.");
    } else if changed > 0 {
        output::text("next:  busbar fsck");
    }
    Ok(0)
}
