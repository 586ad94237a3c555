//! `busbar nice`: who gives up watts first when a PDU would trip. Shown, and changed.

use std::cmp::{Ordering, Reverse};

use anyhow::Result;
use clap::Args;
use rack::request::MachineView;
use rack::{Name, State};
use reqwest::Method;
use serde_json::json;

use super::ps::{capped, given, stat, taken};
use crate::cli::Cli;
use crate::client::{Client, Failure, fail};
use crate::output::{self, Table, plain};

/// A shed order, and whose.
#[derive(Args)]
pub struct NiceOptions {
    /// From -20, which gives up watts last, to 19, which gives them up first; without it the order is shown
    #[arg(long, short, allow_hyphen_values = true, requires = "names",
        value_parser = clap::value_parser!(i8).range(-20..=19))]
    pub nice: Option<i8>,
    /// Machines
    pub names: Vec<Name>,
    #[arg(long, requires = "nice")]
    pub dry_run: bool,
}

pub async fn nice(cli: &Cli, client: &Client, o: &NiceOptions) -> Result<u8> {
    let answer = client.get("/v1/machines").await?;
    let mut all: Vec<MachineView> = serde_json::from_value(answer)?;
    all.retain(|v| v.machine.status.state != State::Released);
    match o.nice {
        Some(nice) => renice(cli, client, o, nice, all).await,
        None => show(cli, &o.names, all),
    }
}

/// Shows the order, of all machines or of some.
fn show(cli: &Cli, names: &[Name], mut all: Vec<MachineView>) -> Result<u8> {
    if let Some(none) = names.iter().find(|n| !all.iter().any(|v| v.machine.name == **n)) {
        return Err(fail("BB0301", format!("there is no machine `{none}`"), "busbar ps"));
    }
    all.retain(|v| names.is_empty() || names.contains(&v.machine.name));
    all.sort_by_key(|v| Reverse(v.machine.ask.nice));
    if cli.json {
        output::json(&all, false)?;
    } else {
        output::text(table(&all));
    }
    Ok(0)
}

/// Machines in the order in which they give up watts.
fn table(all: &[MachineView]) -> Table {
    let mut table = Table::new(&["NAME", ">NI", "STAT", "WHERE", ">WATTS/CAP", "GIVES UP"]);
    for v in all {
        let status = &v.machine.status;
        table.row(vec![
            v.machine.name.to_string(),
            v.machine.ask.nice.to_string(),
            stat(status.state, v.shed.as_ref()),
            status.place.as_ref().map_or_else(|| "—".into(), ToString::to_string),
            capped(v.watts, v.cap),
            taken(v.shed.as_ref()).map_or_else(String::new, given),
        ]);
    }
    table
}

/// Changes it, and says where each stands in its rack from now on.
async fn renice(cli: &Cli, client: &Client, o: &NiceOptions, nice: i8, mut all: Vec<MachineView>) -> Result<u8> {
    let dry = if o.dry_run { "?dry_run=true" } else { "" };
    let (mut done, mut failed) = (0, None);
    for name in &o.names {
        let path = format!("/v1/machines/{name}/nice{dry}");
        let answer = match client.call(Method::POST, &path, Some(json!({ "nice": nice }))).await {
            Ok(answer) => answer,
            Err(e) if o.names.len() > 1 => {
                let problem = e.downcast::<Failure>()?.0;
                output::note(format!("{name}: {}", output::problem(&problem)));
                failed = Some(problem.exit());
                continue;
            }
            Err(e) => return Err(e),
        };
        done += 1;
        if cli.json {
            output::json(&answer, true)?;
        }
        let now: MachineView = serde_json::from_value(answer)?;
        let at = all.iter().position(|v| v.machine.name == *name);
        let was = at.map(|n| std::mem::replace(&mut all[n], now.clone()));
        if !cli.json {
            let was = was.map_or(nice, |v| v.machine.ask.nice);
            output::text(plain(&said(&now, was, &all, o.dry_run)));
        }
    }
    Ok(match (failed, done) {
        (None, _) => 0,
        (Some(code), 0) => code,
        (Some(_), _) => 7,
    })
}

/// What its order is, what it was, and who of its rack gives up watts before and after it.
fn said(now: &MachineView, was: i8, all: &[MachineView], dry: bool) -> String {
    let (name, nice) = (&now.machine.name, now.machine.ask.nice);
    let head = match dry {
        true => format!("{name} would have nice {nice} (has {was})"),
        false => format!("{name} has nice {nice} (was {was})"),
    };
    let rack = |v: &MachineView| v.machine.status.place.as_ref().map(|p| p.rack().to_owned());
    let own = rack(now);
    let others = all.iter().filter(|v| v.machine.name != *name && rack(v) == own);
    let others: Vec<i8> = others.map(|v| v.machine.ask.nice).collect();
    let when = match own {
        Some(rack) => format!("when {rack} runs short of power, {}", order(nice, &others)),
        None => "it has no place yet, so there is nothing that it could give up".into(),
    };
    let shed = taken(now.shed.as_ref()).map_or_else(String::new, |s| format!(" It is {} now.", s.in_words()));
    let end = if dry { " Nothing was changed." } else { "" };
    format!("{head}: {when}.{shed}{end}")
}

/// When a machine of this nice gives up watts, among others.
fn order(nice: i8, others: &[i8]) -> String {
    let count = |order| others.iter().filter(|other| (*other).cmp(&nice) == order).count();
    // highest first
    let (before, along, after) = (count(Ordering::Greater), count(Ordering::Equal), count(Ordering::Less));
    let told = [("after", before), ("along with", along), ("before", after)];
    let mut told = told.iter().filter(|(_, n)| *n > 0);
    let Some((when, n)) = told.next() else {
        return "it gives up watts alone".into();
    };
    let rest: String = told.map(|(when, n)| format!(", {when} {n}")).collect();
    let others = output::counted(*n, "other", "others");
    format!("it gives up watts {when} {others}{rest}")
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::Command;

    fn parsed(words: &str) -> Result<NiceOptions, clap::Error> {
        let words = words.split(' ').map(std::ffi::OsString::from);
        let cli = Cli::try_parse_from(crate::cli::signals(words))?;
        match cli.command {
            Some(Command::Nice(options)) => Ok(options),
            _ => panic!("not nice"),
        }
    }

    #[test]
    fn numbers_below_zero_are_numbers_and_names_come_behind() {
        for (words, nice, names) in [
            ("busbar nice -n -10 web-3", Some(-10), 1),
            ("busbar nice -n-20 web-3 db-1", Some(-20), 2),
            ("busbar nice web-3 --nice=19 --dry-run", Some(19), 1),
            ("busbar nice web-3", None, 1),
            ("busbar nice", None, 0),
        ] {
            let options = parsed(words).unwrap();
            assert_eq!((options.nice, options.names.len()), (nice, names), "{words}");
        }
        for wrong in [
            "busbar nice -n 20 web-3",
            "busbar nice -n -21 web-3",
            "busbar nice -n 300 web-3",
            "busbar nice -n high web-3",
            "busbar nice -n 5",
            "busbar nice --dry-run web-3",
            "busbar nice -n -10 -5",
        ] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_highest_gives_up_first_and_equal_ones_together() {
        for (nice, others, told) in [
            (0, &[][..], "it gives up watts alone"),
            (0, &[5], "it gives up watts after 1 other"),
            (
                -10,
                &[0, 0, 19, -10, -20],
                "it gives up watts after 3 others, along with 1, before 1",
            ),
            (19, &[0, -5], "it gives up watts before 2 others"),
        ] {
            assert_eq!(order(nice, others), told);
        }
    }
}
