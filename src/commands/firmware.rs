//! `busbar firmware`: versions, and updates in waves.

use anyhow::Result;
use clap::{Args, Subcommand};
use rack::request::NodeView;
use rack::rollout::{Rollout, UpdateState};
use rack::{Name, Place};
use reqwest::Method;
use serde_json::{Value, json};

use super::machine::confirm;
use crate::cli::Cli;
use crate::client::{Client, fail};
use crate::output::{self, Table, plain, span};

#[derive(Subcommand)]
pub enum Firmware {
    /// Versions
    Ls {
        /// Only here
        place: Option<Place>,
    },
    /// Update boxes in waves; each version is read back
    #[command(
        before_help = "busbar firmware update r1 --component bios --to 2.4 --image http://10.0.0.1/bios-2.4.bin --wave 4"
    )]
    Update(UpdateOptions),
    /// How far updates are
    Status { name: Option<Name> },
    /// Start nothing more of an update
    Stop { name: Name },
}

#[derive(Args)]
pub struct UpdateOptions {
    /// Racks or nodes
    #[arg(required = true)]
    pub places: Vec<Place>,
    /// Which firmware: an id of `busbar firmware ls`
    #[arg(long)]
    pub component: String,
    /// The version that must be read back
    #[arg(long, value_name = "VERSION")]
    pub to: String,
    /// Where each BMC fetches the image
    #[arg(long)]
    pub image: String,
    /// What to call it; made from component and version when absent
    #[arg(long)]
    pub name: Option<Name>,
    /// How many at once
    #[arg(long, default_value_t = 1)]
    pub wave: u32,
    /// How many failures stop it
    #[arg(long, default_value_t = 1)]
    pub failures: u32,
    /// Nodes that a machine holds too
    #[arg(long)]
    pub in_use: bool,
    /// Don't ask
    #[arg(long, short)]
    pub yes: bool,
    #[arg(long)]
    pub dry_run: bool,
}

pub async fn firmware(cli: &Cli, client: &Client, what: &Firmware) -> Result<u8> {
    match what {
        Firmware::Ls { place } => versions(cli, client, place.as_ref()).await,
        Firmware::Update(o) => update(cli, client, o).await,
        Firmware::Status { name } => status(cli, client, name.as_ref()).await,
        Firmware::Stop { name } => {
            let answer = client
                .call(Method::DELETE, &format!("/v1/rollouts/{name}"), None)
                .await?;
            if cli.json {
                output::json(&answer, false)?;
            } else {
                output::text(format!(
                    "{name} starts nothing more; what is under way is followed to its end"
                ));
            }
            Ok(0)
        }
    }
}

async fn versions(cli: &Cli, client: &Client, only: Option<&Place>) -> Result<u8> {
    let mut nodes: Vec<NodeView> = serde_json::from_value(client.get("/v1/nodes").await?)?;
    nodes.retain(|n| only.is_none_or(|o| n.node.place.is_in(o)));
    if cli.json {
        let map: serde_json::Map<String, Value> = nodes
            .iter()
            .map(|n| (n.node.place.to_string(), json!(n.node.firmware)))
            .collect();
        output::json(&map, false)?;
        return Ok(0);
    }
    let mut table = Table::new(&["PLACE", "COMPONENT", "VERSION", "NAME", ""]);
    for n in &nodes {
        for f in &n.node.firmware {
            table.row(vec![
                n.node.place.to_string(),
                f.component(),
                f.version.clone().unwrap_or_else(|| "—".into()),
                f.name.clone(),
                if f.updateable { String::new() } else { "fixed".into() },
            ]);
        }
    }
    output::text(table);
    Ok(if nodes.is_empty() { 3 } else { 0 })
}

async fn update(cli: &Cli, client: &Client, o: &UpdateOptions) -> Result<u8> {
    let made = || {
        let text = format!("{}-{}", o.component, o.to).to_ascii_lowercase();
        let mapped: String = text
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .collect();
        mapped.trim_matches('-').parse::<Name>().ok()
    };
    let Some(name) = o.name.clone().or_else(made) else {
        let what = "no name could be made from the component and its version: give one with --name";
        return Err(fail("BB0101", what, "busbar firmware update --name NAME"));
    };
    let body = json!({
        "name": name, "image": o.image, "component": o.component, "version": o.to, "places": o.places,
        "wave": o.wave, "failures": o.failures, "in_use": o.in_use,
    });
    let foreseen = client
        .call(Method::POST, "/v1/rollouts?dry_run=true", Some(body.clone()))
        .await?;
    let plan: Rollout = serde_json::from_value(foreseen.clone())?;
    let waiting = plan.nodes.values().filter(|u| u.state == UpdateState::Waiting).count();
    if o.dry_run {
        if cli.json {
            output::json(&foreseen, false)?;
        } else {
            output::text(table(&plan));
            output::text(format!(
                "Nothing was changed: {waiting} of {} would be updated",
                plan.nodes.len()
            ));
        }
        return Ok(0);
    }
    let what = format!(
        "{} boxes get {} {}; each is out of use meanwhile, and may restart.",
        waiting, o.component, o.to
    );
    confirm(&what, o.yes)?;
    let answer = client.call(Method::POST, "/v1/rollouts", Some(body)).await?;
    if cli.json {
        output::json(&answer, false)?;
    } else {
        output::text(format!(
            "{name}: {waiting} of {} to be updated, {} at once\n\n  busbar firmware status {name}",
            plan.nodes.len(),
            o.wave
        ));
    }
    Ok(0)
}

async fn status(cli: &Cli, client: &Client, name: Option<&Name>) -> Result<u8> {
    let mut rollouts: Vec<Rollout> = serde_json::from_value(client.get("/v1/rollouts").await?)?;
    rollouts.retain(|r| name.is_none_or(|n| r.ask.name == *n));
    if let (Some(name), true) = (name, rollouts.is_empty()) {
        return Err(fail(
            "BB0301",
            format!("there is no rollout `{name}`"),
            "busbar firmware status",
        ));
    }
    if cli.json {
        output::json(&rollouts, false)?;
        return Ok(0);
    }
    for r in &rollouts {
        let over = r.nodes.values().filter(|u| u.state.is_over()).count();
        let stopped = r
            .stopped
            .as_ref()
            .map(|w| format!(", stopped: {w}"))
            .unwrap_or_default();
        output::text(plain(&format!(
            "{}: {over} of {} over{stopped}",
            r.ask.name,
            r.nodes.len()
        )));
        output::text(table(r));
    }
    let failed = |u: &rack::rollout::Update| matches!(u.state, UpdateState::Failed { .. });
    Ok(if rollouts.iter().any(|r| r.nodes.values().any(failed)) {
        7
    } else {
        0
    })
}

fn table(rollout: &Rollout) -> String {
    let mut table = Table::new(&["PLACE", "STATE", "", ">SINCE"]);
    let mut updates: Vec<_> = rollout.nodes.values().collect();
    updates.sort_by(|a, b| a.place.cmp(&b.place));
    for u in updates {
        let (state, note) = match &u.state {
            UpdateState::Waiting => ("waiting", String::new()),
            UpdateState::Sent { task: None } => ("sent", String::new()),
            UpdateState::Sent { task: Some(_) } => ("flashing", String::new()),
            UpdateState::Applied { restarted: false } => ("applied", "its version is awaited".into()),
            UpdateState::Applied { restarted: true } => ("restarted", "its version is awaited".into()),
            UpdateState::Done => ("done", String::new()),
            UpdateState::Current => ("current", "had it already".into()),
            UpdateState::Failed { why } => ("failed", why.clone()),
            UpdateState::Skipped { why } => ("skipped", why.clone()),
        };
        table.row(vec![
            u.place.to_string(),
            state.into(),
            note,
            span(output::now().since(u.since)),
        ]);
    }
    table.to_string()
}
