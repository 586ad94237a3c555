//! A table as people keep it: one box a row, its columns by name in the first line, in any order.
//!
//! Errors name line and column, as many as fit a screen, so that a file is mended at once and not a mistake at a time.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use anyhow::Result;
use rack::intent::{BOXES, BoxKind, Face, IntendedBox, Intent, Port};
use rack::node::{Neighbour, OutletRef};
use rack::{Bytes, Name};

use crate::client::fail;
use crate::output::counted;

/// Columns that are understood.
pub const COLUMNS: [&str; 24] = [
    "rack",
    "slot",
    "kind",
    "unit",
    "height",
    "face",
    "depth",
    "name",
    "maker",
    "model",
    "serial",
    "asset",
    "bmc",
    "processors",
    "cores",
    "memory",
    "drives",
    "storage",
    "gpus",
    "nics",
    "firmware",
    "outlets",
    "ports",
    "units",
];
/// Mistakes that are told of one file.
const TOLD: usize = 20;
/// Largest file that is read.
const FILE: u64 = 256 << 20;
/// Most lines that are read: a table of every box of a large site.
const LINES: u64 = 1_000_000;

/// One mistake.
#[derive(Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Line of the file, from 1.
    pub line: u64,
    /// Column of the table, from 1, with its name.
    pub column: Option<(usize, &'static str)>,
    /// What is wrong.
    pub what: String,
}

impl std::fmt::Display for Mistake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.column {
            Some((n, name)) => write!(f, "line {}, column {n} ({name}): {}", self.line, self.what),
            None => write!(f, "line {}: {}", self.line, self.what),
        }
    }
}

/// Reads a file.
pub fn read(rack: &Name, file: &Path) -> Result<Intent> {
    let bad = |what: String| fail("BB0101", what, "busbar export csv --rack r1 shows how it is written");
    let opened = std::fs::File::open(file).map_err(|e| bad(format!("{} can't be read: {e}", file.display())))?;
    parse(rack, opened.take(FILE)).map_err(|wrong| {
        let mut text = format!("{} has {}", file.display(), counted(wrong.len(), "mistake", "mistakes"));
        if wrong.len() >= TOLD {
            text = format!("{} has {TOLD} mistakes or more", file.display());
        }
        for m in &wrong {
            text += &format!("\n  {m}");
        }
        bad(text)
    })
}

/// Reads a table. Rows of other racks are passed over.
pub fn parse(rack: &Name, from: impl Read) -> Result<Intent, Vec<Mistake>> {
    let mut reader = ::csv::ReaderBuilder::new()
        .trim(::csv::Trim::All)
        .flexible(true)
        .from_reader(from);
    let one = |line: u64, column, what: String| vec![Mistake { line, column, what }];
    let head = reader
        .headers()
        .map_err(|e| one(line_of(&e), None, e.to_string()))?
        .clone();
    let mut columns = Vec::new();
    for (i, name) in head.iter().enumerate() {
        let name = name.trim_start_matches('\u{feff}').to_ascii_lowercase();
        let Some(known) = COLUMNS.iter().find(|c| **c == name) else {
            let near = plan::near::nearest(&name, COLUMNS).map(|n| format!("; did you mean `{n}`?"));
            let what = format!(
                "column {} is `{}`, which is none{}",
                i + 1,
                shown(&name),
                near.unwrap_or_default()
            );
            return Err(one(1, None, what));
        };
        if columns.contains(known) {
            return Err(one(1, None, format!("`{known}` is there twice")));
        }
        columns.push(*known);
    }
    if !columns.contains(&"slot") {
        return Err(one(
            1,
            None,
            "there is no column `slot`: the first line names the columns".into(),
        ));
    }
    let mut intent = Intent::of(rack.clone());
    let mut lines: Vec<u64> = Vec::new();
    let mut wrong = Vec::new();
    let mut row = ::csv::StringRecord::new();
    let mut read = 0;
    loop {
        match reader.read_record(&mut row) {
            Ok(true) => {}
            Ok(false) => break,
            Err(e) => {
                wrong.push(Mistake {
                    line: line_of(&e),
                    column: None,
                    what: e.to_string(),
                });
                break;
            }
        }
        read += 1;
        let line = row.position().map_or(0, ::csv::Position::line);
        if row.len() > columns.len() {
            let what = format!("{} columns, where the first line names {}", row.len(), columns.len());
            wrong.push(Mistake {
                line,
                column: None,
                what,
            });
        } else {
            match cells(rack, &mut intent, &columns, &row) {
                Ok(Some(b)) => {
                    intent.boxes.push(b);
                    lines.push(line);
                }
                Ok(None) => {}
                Err((column, what)) => wrong.push(Mistake { line, column, what }),
            }
        }
        if intent.boxes.len() > BOXES || read > LINES {
            let what = format!("more than {BOXES} boxes in one rack, or {LINES} lines in one table");
            wrong.push(Mistake {
                line,
                column: None,
                what,
            });
        }
        if wrong.len() >= TOLD || intent.boxes.len() > BOXES || read > LINES {
            break;
        }
    }
    if wrong.is_empty() {
        let line = |i: &Option<usize>| i.and_then(|i| lines.get(i)).copied().unwrap_or(1);
        let checked = intent.check().into_iter().take(TOLD);
        wrong.extend(checked.map(|(i, what)| Mistake {
            line: line(&i),
            column: None,
            what,
        }));
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    intent.sort();
    Ok(intent)
}

fn line_of(e: &::csv::Error) -> u64 {
    e.position().map_or(1, ::csv::Position::line)
}

fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(40).collect()
}

type Wrong = (Option<(usize, &'static str)>, String);

fn cells(
    rack: &Name,
    intent: &mut Intent,
    columns: &[&'static str],
    row: &::csv::StringRecord,
) -> Result<Option<IntendedBox>, Wrong> {
    let mut b: Option<IntendedBox> = None;
    // The slot comes first, whatever its column: it is what the other cells are of.
    for wanted in [true, false] {
        for (i, (column, cell)) in columns.iter().zip(row.iter()).enumerate() {
            let at = |what: String| (Some((i + 1, *column)), what);
            if *column == "rack" && !cell.is_empty() && cell != rack.as_str() {
                return Ok(None);
            }
            if (*column == "slot") != wanted {
                continue;
            }
            if wanted {
                b = Some(IntendedBox::at(cell.parse().map_err(|e| at(format!("{e}")))?));
            } else if let Some(b) = b.as_mut().filter(|_| !cell.is_empty()) {
                set(rack, intent, b, column, cell).map_err(at)?;
            }
        }
    }
    b.map(Some).ok_or((None, "a row without a slot".to_owned()))
}

fn set(rack: &Name, intent: &mut Intent, b: &mut IntendedBox, column: &str, cell: &str) -> Result<(), String> {
    let not = |like: &str| format!("`{}` is not {like}", shown(cell));
    let text = || Some(cell.to_owned());
    let count = || cell.parse::<u32>().map(Some).map_err(|_| not("a count"));
    let number = || cell.parse::<f64>().map(Some).map_err(|_| not("a number"));
    let size = || cell.parse::<Bytes>().map(Some).map_err(|_| not("a size: 256G, 2TB"));
    match column {
        "kind" => {
            let all = [BoxKind::Server, BoxKind::Pdu, BoxKind::Switch, BoxKind::Other];
            let found = all.into_iter().find(|k| k.as_str().eq_ignore_ascii_case(cell));
            b.kind = found.ok_or_else(|| not("server, pdu, switch or other"))?;
        }
        "unit" => b.unit = number()?,
        "height" => b.height = number()?,
        "units" => intent.units = number()?,
        "face" => {
            b.face = match cell.to_ascii_lowercase().as_str() {
                "front" => Face::Front,
                "rear" => Face::Rear,
                _ => return Err(not("front or rear")),
            }
        }
        "depth" => {
            b.half_depth = match cell.to_ascii_lowercase().as_str() {
                "full" => false,
                "half" => true,
                _ => return Err(not("full or half")),
            }
        }
        "name" => b.name = text(),
        "maker" => b.maker = text(),
        "model" => b.model = text(),
        "serial" => b.serial = text(),
        "asset" => b.asset = text(),
        "bmc" => b.bmc = text(),
        "processors" => b.bill.processors = count()?,
        "cores" => b.bill.cores = count()?,
        "memory" => b.bill.memory = size()?,
        "drives" => b.bill.drives = count()?,
        "storage" => b.bill.storage = size()?,
        "gpus" => b.bill.gpus = count()?,
        "nics" => b.bill.nics = count()?,
        "firmware" => b.firmware = pairs(cell).ok_or_else(|| not("like bmc=6.10;bios=2.1"))?,
        "outlets" => {
            for one in cell.split(';') {
                b.outlets
                    .push(outlet(rack, one.trim()).ok_or_else(|| not("like pdu-a/3;pdu-b/3"))?);
            }
        }
        "ports" => {
            for one in cell.split(';') {
                b.ports
                    .push(port(one.trim()).ok_or_else(|| not("like nic1=aa:bb:cc:dd:ee:ff>sw1 Eth1/7;nic2"))?);
            }
        }
        _ => {}
    }
    Ok(())
}

fn pairs(text: &str) -> Option<BTreeMap<String, String>> {
    let pair = |p: &str| {
        p.split_once('=')
            .map(|(k, v)| (k.trim().to_owned(), v.trim().to_owned()))
    };
    text.split(';').map(pair).collect()
}

fn outlet(rack: &Name, text: &str) -> Option<OutletRef> {
    let (pdu, outlet) = text.rsplit_once('/')?;
    let pdu = if pdu.contains('/') {
        pdu.to_owned()
    } else {
        format!("{rack}/{pdu}")
    };
    Some(OutletRef {
        pdu: pdu.parse().ok()?,
        outlet: outlet.to_owned(),
    })
}

/// `nic1`, `nic1=MAC`, `nic1>sw1 Eth1/7`, `nic1=MAC>sw1 Eth1/7`.
fn port(text: &str) -> Option<Port> {
    let (own, to) = text.split_once('>').map_or((text, None), |(own, to)| (own, Some(to)));
    let (id, mac) = own.split_once('=').map_or((own, None), |(id, mac)| (id, Some(mac)));
    let to = match to {
        None => None,
        Some(to) => {
            let (system, port) = to.trim().split_once(' ')?;
            Some(Neighbour {
                system: system.to_owned(),
                port: port.trim().to_owned(),
            })
        }
    };
    let mac = match mac {
        None => None,
        Some(mac) => Some(mac.trim().parse().ok()?),
    };
    Some(Port {
        id: id.trim().to_owned(),
        mac,
        to,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Intent, Vec<String>> {
        parse(&"r1".parse().expect("a name"), text.as_bytes()).map_err(|w| w.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_table_in_any_order_becomes_a_rack_and_the_same_table_again() {
        let text = "serial,slot,unit,height,memory,firmware,outlets,ports,rack\n\
            S1,u1,1,2,256G,bmc=6.10;bios=2.1,pdu-a/3;pdu-b/3,nic1=02:00:00:00:00:01>sw1 Eth1/7;nic2,r1\n\
            S2,u3,3,1,,,,,r1\nS9,u1,1,1,,,,,r9\n";
        let intent = of(text).expect("reads");
        assert_eq!(intent.boxes.len(), 2);
        assert_eq!(intent.boxes[0].bill.memory, Some(Bytes::gib(256)));
        let mut out = Vec::new();
        crate::commands::export::csv::write(&intent, &mut out).expect("writes");
        assert_eq!(of(&String::from_utf8(out).expect("text")), Ok(intent));
    }

    #[test]
    fn each_mistake_is_told_with_line_and_column() {
        for (text, told) in [
            (
                "slot,seriall\n",
                "line 1: column 2 is `seriall`, which is none; did you mean `serial`?",
            ),
            (
                "serial\n",
                "line 1: there is no column `slot`: the first line names the columns",
            ),
            ("slot,unit\nu1,one\n", "line 2, column 2 (unit): `one` is not a number"),
            (
                "slot,memory\nu1,1G\nu2,lots\n",
                "line 3, column 2 (memory): `lots` is not a size: 256G, 2TB",
            ),
            (
                "slot,unit,height\nu1,1,2\nu2,2,1\n",
                "line 3: u2 takes unit 2, which u1 takes too",
            ),
            ("slot\nu1\nu1\n", "line 3: slot u1 is given to boxes 1 and 2"),
            (
                "slot,serial\nu1,N/A\n",
                "line 2: `N/A` is what boards say that have no serial; leave it out",
            ),
            (
                "slot,ports\nu1,nic1=zz\n",
                "line 2, column 2 (ports): `nic1=zz` is not like nic1=aa:bb:cc:dd:ee:ff>sw1 Eth1/7;nic2",
            ),
            ("slot\nu1,2,3\n", "line 2: 3 columns, where the first line names 1"),
        ] {
            assert_eq!(of(text).expect_err(text), [told.to_owned()], "{text}");
        }
        assert!(of("slot\nU 1\n").expect_err("no name")[0].starts_with("line 2, column 1 (slot): `U 1` is not a name"));
        assert!(of("slot\n\"u1\nu2").is_err());
    }

    #[test]
    fn a_million_lines_and_binary_rubbish_are_bounded() {
        let many = "slot\n".to_owned() + &"u1\n".repeat(1_000_001);
        let wrong = of(&many).expect_err("too many");
        assert!(
            wrong.len() == 1 && wrong[0].contains("more than 1000 boxes"),
            "{wrong:?}"
        );
        let elsewhere = "rack,slot\n".to_owned() + &"r9,u1\n".repeat(1_000_002);
        assert!(of(&elsewhere).expect_err("too many")[0].contains("1000000 lines"));
        let rubbish: Vec<u8> = (0..100_000u32).map(|i| ((i * 7919) >> 3) as u8).collect();
        assert!(parse(&"r1".parse().expect("a name"), rubbish.as_slice()).is_err());
        let bad = "slot,unit\n".to_owned() + &"u1,x\n".repeat(500);
        assert_eq!(of(&bad).expect_err("bad").len(), 20);
    }
}
