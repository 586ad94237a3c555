//! `busbar free`: what is left of each resource.

use anyhow::Result;
use rack::free::{FreeRow, FreeView};
use rack::{Bytes, Name};

use crate::cli::Cli;
use crate::client::Client;
use crate::output::{self, Table, plain};

pub async fn free(cli: &Cli, client: &Client, rack: Option<&Name>) -> Result<u8> {
    let query = rack.map(|r| format!("?rack={r}")).unwrap_or_default();
    let answer = client.get(&format!("/v1/free{query}")).await?;
    if cli.json {
        output::json(&answer, false)?;
        return Ok(0);
    }
    let view: FreeView = serde_json::from_value(answer)?;
    output::text(table(&view));
    for row in &view.rows {
        let notes = row.notes.join("; ");
        if !notes.is_empty() {
            output::text(plain(&format!(" {}: {notes}", name(row))));
        }
    }
    Ok(0)
}

fn name(row: &FreeRow) -> String {
    row.resource.replace('_', " ")
}

fn table(view: &FreeView) -> Table {
    let mut table = Table::new(&["", ">TOTAL", ">RESERVED", ">USED", ">FREE", ">LARGEST PIECE"]);
    for row in &view.rows {
        let number = |v: Option<f64>| match (v, row.unit.as_str()) {
            (None, _) => "unknown".to_owned(),
            (Some(v), "bytes") => Bytes(v as u64).to_string(),
            (Some(v), "") if v.fract() != 0.0 => format!("{v:.1}"),
            (Some(v), "") => format!("{v:.0}"),
            (Some(v), unit) => format!("{v:.0} {unit}"),
        };
        let cells = [row.total, row.reserved, row.used, row.free, row.largest].map(number);
        table.row([name(row)].into_iter().chain(cells).collect());
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_said_and_sizes_are_written_as_people_do() {
        let row = |resource: &str, unit: &str, total, free| FreeRow {
            resource: resource.into(),
            unit: unit.into(),
            total,
            reserved: None,
            used: None,
            free,
            largest: None,
            notes: Vec::new(),
        };
        let gib = (1_u64 << 30) as f64;
        let view = FreeView {
            rows: vec![
                row("memory", "bytes", Some(512.0 * gib), Some(0.0)),
                row("rack_units", "", Some(42.0), Some(6.5)),
            ],
        };
        let text = table(&view).to_string();
        assert!(
            text.contains("512G") && text.contains("0B") && text.contains("6.5"),
            "{text}"
        );
        assert_eq!(text.matches("unknown").count(), 6, "{text}");
    }
}
