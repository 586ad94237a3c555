//! A file of faults: `[[fault]]` tables in TOML, refused whole with the line and the reason when one can't be.

use serde::Deserialize;
use toml::Spanned;

use super::Fault;
use crate::describe::file::{BadRack, Mistake};

/// Faults of one file.
const MOST_IN_FILE: usize = 256;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    fault: Vec<Spanned<toml::Table>>,
}

/// Reads a file; each fault with the line that it stands on.
pub fn read(text: &str) -> Result<Vec<(usize, Fault)>, BadRack> {
    let line = |at: usize| 1 + text.as_bytes().iter().take(at).filter(|b| **b == b'\n').count();
    let one = |line, why: String| BadRack(vec![Mistake { line, why }]);
    let file: File = toml::from_str(text).map_err(|e| {
        let at = e.span().map_or(0, |s| s.start);
        one(line(at), e.message().replace('\n', " "))
    })?;
    if file.fault.is_empty() {
        return Err(one(1, "there is no [[fault]] in it".into()));
    }
    if file.fault.len() > MOST_IN_FILE {
        return Err(one(
            1,
            format!("{MOST_IN_FILE} faults fit in a file, not {}", file.fault.len()),
        ));
    }
    let mut faults = Vec::new();
    let mut mistakes = Vec::new();
    for table in &file.fault {
        let start = line(table.span().start);
        match of_table(table.get_ref()) {
            Ok(fault) => faults.push((start, fault)),
            Err((key, why)) => {
                // the line of the key, if it is one that is wrong
                let below = text.lines().skip(start - 1).enumerate();
                let at = below.take_while(|(n, l)| *n == 0 || !l.trim_start().starts_with("[["));
                let named = |l: &str| !key.is_empty() && l.trim_start().starts_with(&key);
                let found = at.into_iter().find(|(_, l)| named(l)).map_or(0, |(n, _)| n);
                mistakes.push(Mistake {
                    line: start + found,
                    why,
                });
            }
        }
    }
    if mistakes.is_empty() {
        Ok(faults)
    } else {
        Err(BadRack(mistakes))
    }
}

/// A fault, or the key that is wrong and why.
fn of_table(table: &toml::Table) -> Result<Fault, (String, String)> {
    let fault: Fault = toml::Value::Table(table.clone())
        .try_into()
        .map_err(|e: toml::de::Error| {
            let why = e.message().replace('\n', " ");
            let key = ["action", "on", "count"]
                .into_iter()
                .find(|k| why.contains(k) || (*k == "action" && why.contains("variant")));
            (key.unwrap_or_default().to_owned(), why)
        })?;
    // what the action does not know is a mistake, not a wish
    let known = serde_json::to_value(&fault).unwrap_or_default();
    match table.keys().find(|k| known.get(k.as_str()).is_none()) {
        Some(key) => Err((key.clone(), format!("the action knows no `{key}`"))),
        None => Ok(fault),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::faults::Action;

    #[test]
    fn faults_are_read_with_their_lines() {
        let text = "# bad luck\n[[fault]]\non = { at = \"r1/u3\" }\naction = \"fail_fan\"\nfan = 1\n\n[[fault]]\naction = \"hang\"\ncount = 2\n";
        let faults = read(text).unwrap();
        assert_eq!(faults[0].0, 2);
        assert_eq!(faults[0].1.action, Action::FailFan { fan: Some(1) });
        assert_eq!((faults[1].0, faults[1].1.count), (7, Some(2)));
    }

    #[test]
    fn a_file_with_errors_is_refused_with_line_and_reason() {
        let cases = [
            ("[[fault]]\naction = \"explode\"\n", 2, "explode"),
            (
                "[[fault]]\naction = \"hang\"\n[[fault]]\naction = \"fail_fan\"\nfann = 1\n",
                5,
                "fann",
            ),
            ("[[fault]]\naction = \"leak\"\n", 1, "litres_per_minute"),
            ("[[fault]]\naction = hang\n", 2, ""),
            ("[[faults]]\naction = \"hang\"\n", 1, "faults"),
            ("", 1, "no [[fault]]"),
        ];
        for (text, line, why) in cases {
            let bad = read(text).unwrap_err();
            assert!(bad.0[0].line == line && bad.0[0].why.contains(why), "{text}: {bad}");
        }
    }
}
