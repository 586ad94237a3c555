//! The one place that writes to standard output: tables for people, JSON for programs.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use anyhow::Result;
use api::problem::Problem;
use rack::Time;
use serde::Serialize;

/// A table with its head.
pub struct Table {
    rows: Vec<Vec<String>>,
    right: Vec<bool>,
}

impl Table {
    /// A table with these columns; a name that starts with `>` is aligned right.
    pub fn new(head: &[&str]) -> Table {
        Table {
            right: head.iter().map(|h| h.starts_with('>')).collect(),
            rows: vec![head.iter().map(|h| h.trim_start_matches('>').to_owned()).collect()],
        }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: Vec<String>) {
        // Names from BMCs are hostile: no control characters reach a terminal.
        self.rows.push(cells.iter().map(|c| plain(c)).collect());
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let count = |s: &str| s.chars().count();
        let width = |i: usize| {
            self.rows
                .iter()
                .filter_map(|r| r.get(i))
                .map(|c| count(c))
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.right.len()).map(width).collect();
        for row in &self.rows {
            let mut line = String::new();
            for (i, cell) in row.iter().enumerate() {
                let pad = " ".repeat(widths.get(i).copied().unwrap_or(0).saturating_sub(count(cell)));
                let right = self.right.get(i).copied().unwrap_or(false);
                line += &if right {
                    format!(" {pad}{cell} ")
                } else {
                    format!(" {cell}{pad} ")
                };
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// Text without control characters.
pub fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

/// `1 box`, `2 boxes`.
pub fn counted(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// Prints text; a reader that has gone is no error.
pub fn text(text: impl std::fmt::Display) {
    let _ = writeln!(std::io::stdout().lock(), "{}", text.to_string().trim_end_matches('\n'));
}

/// Prints JSON; compact, one line, for streams.
pub fn json(value: &impl Serialize, line: bool) -> Result<()> {
    let made = if line {
        serde_json::to_string(value)?
    } else {
        serde_json::to_string_pretty(value)?
    };
    text(made);
    Ok(())
}

/// Says something beside the output.
pub fn note(text: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Whether someone watches.
pub fn terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// `48 s`, `6 m`, `3 h 40`, `6 d`.
pub fn span(d: Duration) -> String {
    match d.as_secs() {
        s @ 0..100 => format!("{s} s"),
        s @ 100..6000 => format!("{} m", s / 60),
        s @ 6000..172_800 => format!("{} h {:02}", s / 3600, s / 60 % 60),
        s => format!("{} d", s / 86_400),
    }
}

/// The time now; only for ages that are shown.
pub fn now() -> Time {
    Time::from_millis(jiff::Timestamp::now().as_millisecond())
}

/// Older than this a reading is old: readings are taken every few seconds.
pub const OLD: Duration = Duration::from_secs(60);

/// Whether a reading is too old to be believed as it is.
pub fn old(reading: &rack::Reading) -> bool {
    now().since(reading.taken) > OLD
}

/// A reading's value: in brackets when it is old, a dash when there is none.
pub fn reading(reading: Option<&rack::Reading>) -> String {
    match reading.and_then(|r| Some((r, r.value?))) {
        None => "—".into(),
        Some((r, value)) if old(r) => format!("({value:.0})"),
        Some((_, value)) => format!("{value:.0}"),
    }
}

/// How long ago a reading was taken.
pub fn age(reading: Option<&rack::Reading>) -> String {
    reading.map_or_else(|| "no reading".into(), |r| span(now().since(r.taken)))
}

/// A problem as people read it.
pub fn problem(p: &Problem) -> String {
    let mut out = String::new();
    if let Some(refusal) = &p.refusal {
        out += &format!("Refused: {}.   exit {}\n", plain(&refusal.headline), p.exit());
        for (i, way) in refusal.fits_if.iter().enumerate() {
            out += &format!("  {:<9} {}\n", if i == 0 { "fits if" } else { "" }, plain(way));
        }
        /// More than this only hides what matters: `--json` has them all.
        const SHOWN: usize = 8;
        for candidate in refusal.candidates.iter().take(SHOWN) {
            let because: Vec<String> = candidate.because.iter().map(|b| plain(&b.to_string())).collect();
            out += &format!("  {:<9} {}\n", candidate.place, because.join(", "));
        }
        if refusal.candidates.len() > SHOWN {
            out += &format!("  and {} more: --json\n", refusal.candidates.len() - SHOWN);
        }
        return out + "Nothing was changed.";
    }
    // What policy or the present state forbids was decided before anything was done.
    let refused = matches!(p.code.as_str(), "BB0202" | "BB0402" | "BB0403");
    if refused {
        out += &format!("Refused: {}.   exit {}", plain(&p.detail), p.exit());
    } else {
        // Some details point at a place in a text, and need their lines.
        let lines: Vec<String> = p.detail.lines().map(plain).collect();
        out += &format!("{}: {}", p.code, lines.join("\n"));
    }
    if let Some(hint) = &p.hint {
        out += &format!("\n  try  {}", plain(hint));
    }
    if refused {
        out += "\nNothing was changed.";
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_aligned_and_shows_no_control_characters() {
        let mut table = Table::new(&["NAME", ">WATTS"]);
        table.row(vec!["web-3".into(), "412".into()]);
        table.row(vec!["\x1b[31mx".into(), "—".into()]);
        assert_eq!(table.to_string(), " NAME   WATTS\n web-3    412\n [31mx      —\n");
    }

    #[test]
    fn spans_are_short() {
        let shown: Vec<String> = [48, 360, 13_200, 600_000].map(|s| span(Duration::from_secs(s))).into();
        assert_eq!(shown, ["48 s", "6 m", "3 h 40", "6 d"]);
    }

    #[test]
    fn a_refusal_says_what_would_fit() {
        let refusal = plan::Refusal {
            headline: "no 4 GPUs".into(),
            candidates: vec![],
            fits_if: vec!["--gpu 2".into()],
        };
        let p = Problem {
            refusal: Some(refusal),
            ..Problem::new("BB0401", "x")
        };
        assert_eq!(
            problem(&p),
            "Refused: no 4 GPUs.   exit 4\n  fits if   --gpu 2\nNothing was changed."
        );
    }
}
