//! `busbar sensors`: readings with their age, and how they came to be what they are.

use std::time::Duration;

use anyhow::Result;
use clap::Args;
use rack::history::{HistoryView, SeriesView};
use rack::request::{DeviceView, NodeView};
use rack::{Place, Reading};
use serde_json::{Value, json};

use super::spark::{ascii, spark};
use crate::cli::{Cli, duration};
use crate::client::{Client, fail};
use crate::output::{self, Table, plain, span};

#[derive(Args)]
pub struct SensorsOptions {
    /// Only in here, or one reading: r1/u1/watts
    pub of: Option<String>,
    /// How they were, from the last 24 hours
    #[arg(long)]
    pub history: bool,
    /// How far back: 15m, 8h; an hour when absent
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub since: Option<Duration>,
    /// Length of a step: 60s, 15m
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub step: Option<Duration>,
    /// Only readings of this name
    #[arg(long, value_name = "NAME")]
    pub reading: Option<String>,
}

/// Width of a drawn history.
const WIDTH: usize = 40;

pub async fn sensors(cli: &Cli, client: &Client, o: &SensorsOptions) -> Result<u8> {
    if o.history || o.since.is_some() || o.step.is_some() {
        return history(cli, client, o).await;
    }
    let only: Option<Place> = o.of.as_deref().map(place).transpose()?;
    let nodes: Vec<NodeView> = serde_json::from_value(client.get("/v1/nodes").await?)?;
    let devices: Vec<DeviceView> = serde_json::from_value(client.get("/v1/devices").await?)?;
    let nodes = nodes.into_iter().map(|n| (n.node.place, n.live.readings));
    let devices = devices.into_iter().map(|d| (d.place, d.readings));
    let mut all: Vec<(Place, Vec<Reading>)> = nodes.chain(devices).collect();
    if let Some(only) = &only {
        let wanted = |place: &Place, r: &Reading| {
            let named = || only.to_string().strip_prefix(&format!("{place}/")) == Some(&r.name);
            place.is_in(only) || named()
        };
        all.iter_mut()
            .for_each(|(place, readings)| readings.retain(|r| wanted(place, r)));
        all.retain(|(place, readings)| place.is_in(only) || !readings.is_empty());
    }
    if let Some(name) = &o.reading {
        all.iter_mut()
            .for_each(|(_, readings)| readings.retain(|r| r.name == *name));
    }
    if cli.json {
        let map: serde_json::Map<String, Value> = all.iter().map(|(p, r)| (p.to_string(), json!(r))).collect();
        output::json(&map, false)?;
        return Ok(0);
    }
    let mut table = Table::new(&["READING", ">VALUE", "", ">AGE"]);
    for (place, readings) in &all {
        for r in readings {
            let age = output::now().since(r.taken);
            let old = if age > output::OLD { " old" } else { "" };
            table.row(vec![
                format!("{place}/{}", r.name),
                r.value.map_or_else(|| "no reading".into(), |v| format!("{v:.1}")),
                r.unit.to_string(),
                format!("{}{old}", span(age)),
            ]);
        }
    }
    output::text(table);
    Ok(if all.is_empty() { 3 } else { 0 })
}

fn place(text: &str) -> Result<Place> {
    text.parse()
        .map_err(|e| fail("BB0101", format!("`{}`: {e}", plain(text)), "busbar ls"))
}

/// What may stand in a query as it is.
fn in_query(text: &str) -> Result<&str> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "/._-: ".contains(c);
    if !text.is_empty() && text.chars().all(fits) && !text.split('/').any(|s| s == "..") {
        return Ok(text);
    }
    Err(fail(
        "BB0301",
        format!("there is no `{}`", plain(text)),
        "busbar sensors",
    ))
}

async fn history(cli: &Cli, client: &Client, o: &SensorsOptions) -> Result<u8> {
    let Some(of) = o.of.as_deref() else {
        let what = "the history of which box? Name one, or a rack and --reading";
        return Err(fail("BB0101", what, "busbar sensors r1 --history --reading watts"));
    };
    const HOUR: Duration = Duration::from_secs(3600);
    let since = o.since.unwrap_or(HOUR).as_secs();
    let mut path = format!("/v1/history/{}?from={since}s", in_query(of)?.replace(' ', "%20"));
    if let Some(step) = o.step {
        path += &format!("&step={}", step.as_secs());
    }
    if let Some(reading) = &o.reading {
        path += &format!("&reading={}", in_query(reading)?.replace(' ', "%20"));
    }
    let answer = client.get(&path).await?;
    if cli.json {
        output::json(&answer, false)?;
        return Ok(0);
    }
    let view: HistoryView = serde_json::from_value(answer)?;
    output::text(table(&view, ascii()));
    output::note(format!(
        "{} in steps of {}; a blank is a step without a reading",
        span(view.to.since(view.from)),
        span(Duration::from_secs(view.step_seconds.into()))
    ));
    Ok(if view.series.is_empty() { 3 } else { 0 })
}

/// A row for each reading.
fn table(view: &HistoryView, ascii: bool) -> Table {
    let mut table = Table::new(&["READING", ">LAST", "", ">MIN", ">MEAN", ">MAX", "HISTORY"]);
    for s in &view.series {
        let number = |v: Option<f64>| v.map_or_else(|| if ascii { "-" } else { "—" }.to_owned(), |v| format!("{v:.1}"));
        table.row(vec![
            format!("{}/{}", s.place, s.name),
            number(s.last.map(|(_, v)| v)),
            s.unit.to_string(),
            number(s.min.iter().flatten().copied().reduce(f64::min)),
            number(mean(s)),
            number(s.max.iter().flatten().copied().reduce(f64::max)),
            format!("|{}|", spark(&s.mean, WIDTH, ascii)),
        ]);
    }
    table
}

/// The mean of all values, not of the steps.
fn mean(series: &SeriesView) -> Option<f64> {
    let steps = series.mean.iter().zip(&series.samples);
    let (sum, count) = steps.fold((0.0, 0_u32), |(sum, count), (mean, n)| {
        (sum + mean.unwrap_or(0.0) * f64::from(*n), count + n)
    });
    (count > 0).then(|| sum / f64::from(count))
}

#[cfg(test)]
mod tests {
    use rack::{Time, Unit};

    use super::*;

    #[test]
    fn a_history_is_drawn_with_its_gap_and_without_one_number_that_was_not_read() {
        let series = |mean: Vec<Option<f64>>, samples: Vec<u32>| SeriesView {
            place: "r1/u1".parse().unwrap(),
            name: "watts".into(),
            unit: Unit::Watts,
            min: mean.clone(),
            max: mean.clone(),
            last: None,
            missed: vec![0; samples.len()],
            samples,
            mean,
        };
        let view = HistoryView {
            from: Time::from_millis(0),
            to: Time::from_millis(180_000),
            step_seconds: 60,
            kept_seconds: 86_400,
            read_seconds: 30,
            series: vec![
                series(vec![Some(100.0), None, Some(200.0)], vec![1, 0, 3]),
                series(vec![None; 3], vec![0; 3]),
            ],
        };
        let text = table(&view, false).to_string();
        assert!(text.contains("175.0") && text.contains("|▁ █|"), "{text}");
        assert!(text.lines().nth(2).unwrap().contains("—"), "{text}");
        assert!(table(&view, true).to_string().is_ascii());
    }
}
