//! `export`: what a rack is, told to others: what is written down with what is seen over it.

pub mod csv;
mod netbox;
mod rackfile;

use anyhow::Result;
use clap::Subcommand;
use rack::Name;

use crate::cli::Cli;
use crate::client::Client;
use crate::commands::import::seen;
use crate::output;

/// Where it goes.
#[derive(Subcommand)]
pub enum Export {
    /// The table that `import csv` reads
    Csv {
        #[arg(long)]
        rack: Name,
    },
    /// The rack file that `busbar up --rack` reads
    Rackfile {
        #[arg(long)]
        rack: Name,
    },
    /// NetBox, over REST: creates what is not there, changes what differs, deletes nothing
    #[command(
        before_help = "busbar export netbox https://netbox.example --netbox-token-file token --rack r1 --site lab --dry-run"
    )]
    Netbox {
        #[command(flatten)]
        at: crate::commands::netbox::At,
        #[arg(long)]
        rack: Name,
        /// The site that the rack stands in, by its slug; made when it is not there
        #[arg(long)]
        site: String,
        /// Delete devices of the rack that are not here, and cables that go elsewhere
        #[arg(long)]
        prune: bool,
        /// Only show what would change
        #[arg(long)]
        dry_run: bool,
    },
}

/// Exports.
pub async fn run(cli: &Cli, client: &Client, what: &Export) -> Result<u8> {
    match what {
        Export::Csv { rack } => {
            let intent = seen(client, rack).await?;
            let mut out = Vec::new();
            csv::write(&intent, &mut out)?;
            output::text(String::from_utf8_lossy(&out));
            Ok(0)
        }
        Export::Rackfile { rack } => {
            let intent = seen(client, rack).await?;
            let nodes = serde_json::from_value(client.get("/v1/nodes").await?)?;
            output::text(rackfile::text(&intent, nodes));
            Ok(0)
        }
        Export::Netbox {
            at,
            rack,
            site,
            prune,
            dry_run,
        } => {
            let intent = seen(client, rack).await?;
            let nodes = serde_json::from_value(client.get("/v1/nodes").await?)?;
            let options = netbox::Options {
                site,
                prune: *prune,
                dry_run: *dry_run,
            };
            netbox::run(cli, at, &intent, nodes, &options).await
        }
    }
}
