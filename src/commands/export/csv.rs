//! The table that `import csv` reads.

use std::io::Write;

use anyhow::Result;
use rack::Bytes;
use rack::intent::{BoxKind, Face, IntendedBox, Intent, Port};

use crate::commands::import::COLUMNS;

/// Writes every box as a row.
pub fn write(intent: &Intent, to: impl Write) -> Result<()> {
    let mut out = ::csv::Writer::from_writer(to);
    out.write_record(COLUMNS)?;
    for b in &intent.boxes {
        out.write_record(COLUMNS.map(|c| safe(cell(intent, b, c))))?;
    }
    out.flush()?;
    Ok(())
}

/// A cell that a spreadsheet would run as a formula is none (serials come from BMCs, which are hostile).
fn safe(cell: String) -> String {
    let formula = cell.starts_with(['=', '+', '@', '\t', '\r']) || (cell.starts_with('-') && cell.len() > 1);
    if formula { format!("'{cell}") } else { cell }
}

fn cell(intent: &Intent, b: &IntendedBox, column: &str) -> String {
    let text = |t: &Option<String>| t.clone().unwrap_or_default();
    let number = |n: Option<f64>| n.map(|n| n.to_string()).unwrap_or_default();
    let count = |n: Option<u32>| n.map(|n| n.to_string()).unwrap_or_default();
    // In bytes where a suffix would round.
    let size = |s: Option<Bytes>| match s {
        None => String::new(),
        Some(s) if s.to_string().parse() == Ok(s) => s.to_string(),
        Some(s) => s.0.to_string(),
    };
    match column {
        "rack" => intent.rack.to_string(),
        "slot" => b.slot.to_string(),
        "kind" if b.kind == BoxKind::Server => String::new(),
        "kind" => b.kind.as_str().to_owned(),
        "unit" => number(b.unit),
        "height" => number(b.height),
        "units" => number(intent.units),
        "face" if b.face == Face::Rear => "rear".into(),
        "depth" if b.half_depth => "half".into(),
        "name" => text(&b.name),
        "maker" => text(&b.maker),
        "model" => text(&b.model),
        "serial" => text(&b.serial),
        "asset" => text(&b.asset),
        "bmc" => text(&b.bmc),
        "processors" => count(b.bill.processors),
        "cores" => count(b.bill.cores),
        "memory" => size(b.bill.memory),
        "drives" => count(b.bill.drives),
        "storage" => size(b.bill.storage),
        "gpus" => count(b.bill.gpus),
        "nics" => count(b.bill.nics),
        "firmware" => {
            let all: Vec<String> = b.firmware.iter().map(|(k, v)| format!("{k}={v}")).collect();
            all.join(";")
        }
        "outlets" => {
            let own = format!("{}/", intent.rack);
            let one = |o: &rack::node::OutletRef| {
                format!(
                    "{}/{}",
                    o.pdu.as_str().strip_prefix(&own).unwrap_or(o.pdu.as_str()),
                    o.outlet
                )
            };
            b.outlets.iter().map(one).collect::<Vec<_>>().join(";")
        }
        "ports" => b.ports.iter().map(port).collect::<Vec<_>>().join(";"),
        _ => String::new(),
    }
}

fn port(p: &Port) -> String {
    let mac = p.mac.map(|m| format!("={m}")).unwrap_or_default();
    let to =
        p.to.as_ref()
            .map(|t| format!(">{} {}", t.system, t.port))
            .unwrap_or_default();
    format!("{}{mac}{to}", p.id)
}
