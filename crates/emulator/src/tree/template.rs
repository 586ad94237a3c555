//! Documents that many boxes share: written once, with blanks that each box fills when it answers.
//!
//! A blank stands in a string as `{name}`. A string that is nothing but a blank becomes whatever the blank's value is, a
//! number or null as well; elsewhere the value is written into the string. The text of an answer is put together from
//! pieces, so that a `GET` costs neither parsing nor a copy of the document.

use std::collections::HashMap;
use std::fmt::Write as _;

use serde_json::{Map, Value, json};

/// What one box fills the blanks of its documents with.
pub trait Fill: Send + Sync {
    /// The value of a blank as it is now; null for what can't be told.
    fn value(&self, blank: &str) -> Value;

    /// A document of the box was changed: whoever fills in what follows from it may want to know.
    fn changed(&self, path: &str, document: &Value) {
        let _ = (path, document);
    }
}

/// One document.
#[derive(Debug)]
pub(super) struct Template {
    /// With its blanks.
    pub(super) document: Value,
    pieces: Vec<Piece>,
}

/// A piece of a document's text.
#[derive(Debug)]
enum Piece {
    Text(Box<str>),
    /// A whole value.
    Value(Box<str>),
    /// A word within a string.
    Word(Box<str>),
}

/// Documents by their path.
pub(super) type Templates = HashMap<Box<str>, Template>;

/// Why a text is no set of documents.
#[derive(Debug, thiserror::Error)]
pub enum BadTemplate {
    /// Not JSON.
    #[error("the documents are not JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// Not an object of objects.
    #[error("`{0}` is not a document: each path must lead to an object")]
    NoDocument(String),
    /// A range that is none.
    #[error("`{0}`: a range is written [0-3]")]
    Range(String),
    /// Two documents at one path.
    #[error("{0} is there twice")]
    Twice(String),
}

/// Reads documents, out of one text or several: objects of paths below `/redfish/v1`. `[0-3]` in a path makes one document for each number, which
/// `[n]` in the path's rest and in the document stands for; a second range's is `[m]`. A document whose type is a
/// collection gets the documents right below it as its members, links may leave `/redfish/v1/` out, and `//` is a comment.
pub(super) fn read(texts: &[&str]) -> Result<Templates, BadTemplate> {
    let mut found: Vec<(String, Value)> = Vec::new();
    for text in texts {
        let all: Map<String, Value> = serde_json::from_str(text)?;
        for (path, document) in all.into_iter().filter(|(path, _)| path != "//") {
            if !document.is_object() {
                return Err(BadTemplate::NoDocument(path));
            }
            numbered(&path, &document, &["n", "m"], &mut found)?;
        }
    }
    let mut children: HashMap<&str, Vec<&str>> = HashMap::new();
    for (path, _) in &found {
        if let Some((above, _)) = path.rsplit_once('/') {
            children.entry(above).or_default().push(path);
        }
    }
    let members: HashMap<String, Value> = children
        .into_iter()
        .map(|(above, mut below)| {
            below.sort_by_key(|p| natural(p));
            (
                above.to_owned(),
                below.into_iter().map(|p| json!({"@odata.id": full(p)})).collect(),
            )
        })
        .collect();
    let mut out = Templates::new();
    for (path, mut document) in found {
        links(&mut document);
        let kind = document["@odata.type"].as_str().unwrap_or_default();
        if kind.ends_with("Collection") && document.get("Members").is_none() {
            let members = members.get(&path).cloned().unwrap_or_else(|| json!([]));
            document["Members@odata.count"] = json!(members.as_array().map_or(0, Vec::len));
            document["Members"] = members;
        }
        let full = full(&path);
        document["@odata.id"] = json!(full);
        if out.insert(full.clone().into(), Template::new(document)).is_some() {
            return Err(BadTemplate::Twice(full));
        }
    }
    Ok(out)
}

/// Digits in a path by their value, so that `CPU_10` comes behind `CPU_9`: words, each with the number behind it.
fn natural(path: &str) -> Vec<(&str, u64)> {
    let mut out = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        let word = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let digits = &rest[word..];
        let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
        out.push((&rest[..word], digits[..end].parse().unwrap_or_default()));
        rest = &digits[end..];
    }
    out
}

/// A path from the root of the server.
fn full(path: &str) -> String {
    match path {
        "" => "/redfish/v1".to_owned(),
        path if path.starts_with('/') => path.to_owned(),
        path => format!("/redfish/v1/{path}"),
    }
}

fn numbered(path: &str, document: &Value, names: &[&str], out: &mut Vec<(String, Value)>) -> Result<(), BadTemplate> {
    let bad = || BadTemplate::Range(path.to_owned());
    let Some((before, rest)) = path.split_once('[') else {
        out.push((path.to_owned(), document.clone()));
        return Ok(());
    };
    let (range, behind) = rest.split_once(']').ok_or_else(bad)?;
    let (from, to) = range.split_once('-').ok_or_else(bad)?;
    let (from, to): (u32, u32) = (from.parse().map_err(|_| bad())?, to.parse().map_err(|_| bad())?);
    let (name, names) = names.split_first().ok_or_else(bad)?;
    let mark = format!("[{name}]");
    for n in from..=to {
        let mut document = document.clone();
        let n = n.to_string();
        replace(&mut document, &mark, &n);
        numbered(
            &format!("{before}{n}{}", behind.replace(&mark, &n)),
            &document,
            names,
            out,
        )?;
    }
    Ok(())
}

fn replace(value: &mut Value, mark: &str, with: &str) {
    match value {
        Value::String(text) if text.contains(mark) => *text = text.replace(mark, with),
        Value::Array(items) => items.iter_mut().for_each(|v| replace(v, mark, with)),
        Value::Object(map) => map.values_mut().for_each(|v| replace(v, mark, with)),
        _ => {}
    }
}

fn links(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(links),
        Value::Object(map) => {
            for (key, v) in map.iter_mut() {
                let leads = matches!(key.as_str(), "@odata.id" | "target" | "@Redfish.ActionInfo")
                    || key.ends_with("Uri") && v.as_str().is_some_and(|u| !u.is_empty());
                match v {
                    Value::String(path) if leads => *path = full(path),
                    _ => links(v),
                }
            }
        }
        _ => {}
    }
}

/// The next blank in a text: where it begins, its name, and where it ends.
fn blank(text: &str) -> Option<(usize, &str, usize)> {
    let mut from = 0;
    loop {
        let at = from + text.get(from..)?.find('{')?;
        let rest = &text[at + 1..];
        if rest.starts_with(|c: char| c.is_ascii_lowercase())
            && let Some(end) = rest.find('}')
        {
            return Some((at, &rest[..end], at + end + 2));
        }
        from = at + 1;
    }
}

impl Template {
    fn new(document: Value) -> Template {
        let text = document.to_string();
        let (mut pieces, mut rest) = (Vec::new(), text.as_str());
        while let Some((at, name, end)) = blank(rest) {
            let whole = rest[..at].ends_with('"') && rest[end..].starts_with('"') && !rest[..at].ends_with("\\\"");
            let (before, behind) = if whole { (at - 1, end + 1) } else { (at, end) };
            pieces.push(Piece::Text(rest[..before].into()));
            pieces.push(if whole {
                Piece::Value(name.into())
            } else {
                Piece::Word(name.into())
            });
            rest = &rest[behind..];
        }
        pieces.push(Piece::Text(rest.into()));
        Template { document, pieces }
    }

    /// The text of the document, filled.
    pub(super) fn text(&self, fill: &dyn Fill) -> String {
        let mut out = String::with_capacity(1024);
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                // writing to a string can't fail
                Piece::Value(name) => drop(write!(out, "{}", fill.value(name))),
                Piece::Word(name) => match fill.value(name) {
                    Value::String(word) => {
                        let quoted = Value::String(word).to_string();
                        out.push_str(&quoted[1..quoted.len() - 1]);
                    }
                    other => drop(write!(out, "{other}")),
                },
            }
        }
        out
    }

    /// Bytes that it takes, about.
    pub(super) fn size(&self) -> usize {
        let pieces = self.pieces.iter().map(|p| match p {
            Piece::Text(t) | Piece::Value(t) | Piece::Word(t) => t.len() + size_of::<Piece>(),
        });
        pieces.sum::<usize>() * 2
    }
}

/// Fills the blanks of a document.
pub(super) fn fill(value: &mut Value, with: &dyn Fill) {
    match value {
        Value::String(text) => {
            let Some((at, name, end)) = blank(text) else { return };
            if at == 0 && end == text.len() {
                *value = with.value(name);
                return;
            }
            let (mut out, mut rest) = (String::new(), text.as_str());
            while let Some((at, name, end)) = blank(rest) {
                out.push_str(&rest[..at]);
                match with.value(name) {
                    Value::String(word) => out.push_str(&word),
                    other => drop(write!(out, "{other}")),
                }
                rest = &rest[end..];
            }
            out.push_str(rest);
            *text = out;
        }
        Value::Array(items) => items.iter_mut().for_each(|v| fill(v, with)),
        Value::Object(map) => map.values_mut().for_each(|v| fill(v, with)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    struct Box1;

    impl Fill for Box1 {
        fn value(&self, blank: &str) -> Value {
            match blank {
                "serial" => json!("A\"1"),
                "watts" => json!(12.5),
                _ => Value::Null,
            }
        }
    }

    const TEXT: &str = r##"{
        "//": "where it is from",
        "": {"Chassis": {"@odata.id": "Chassis"}, "Name": "root {}"},
        "Chassis": {"@odata.type": "X.ChassisCollection"},
        "Chassis/GPU_[0-10]": {"Id": "GPU_[n]", "SerialNumber": "{serial}", "Name": "GPU [n] of {serial} ({watts} W)",
            "Reading": "{watts}", "Nothing": "{gone}", "Actions": {"#X.Reset": {"target": "Chassis/GPU_[n]/Actions/X.Reset"}}},
        "Chassis/GPU_[0-10]/Sensors/S_[n]_[1-2]": {"Id": "[n] [m]"}
    }"##;

    #[test]
    fn paths_with_ranges_become_many_documents_and_collections_find_their_members() {
        let all = read(&[TEXT]).unwrap();
        assert_eq!(all.len(), 2 + 11 + 22);
        let members = &all["/redfish/v1/Chassis"].document;
        assert_eq!(members["Members@odata.count"], 11);
        assert_eq!(members["Members"][10]["@odata.id"], "/redfish/v1/Chassis/GPU_10");
        let root = &all["/redfish/v1"].document;
        assert_eq!(root["Chassis"]["@odata.id"], "/redfish/v1/Chassis");
        assert_eq!(all["/redfish/v1/Chassis/GPU_3/Sensors/S_3_2"].document["Id"], "3 2");
    }

    #[test]
    fn text_and_document_are_filled_alike() {
        let all = read(&[TEXT]).unwrap();
        for template in all.values() {
            let mut document = template.document.clone();
            fill(&mut document, &Box1);
            assert_eq!(template.text(&Box1), document.to_string());
        }
        let text = all["/redfish/v1/Chassis/GPU_2"].text(&Box1);
        let gpu: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(gpu["Name"], "GPU 2 of A\"1 (12.5 W)");
        assert_eq!((&gpu["Reading"], &gpu["Nothing"]), (&json!(12.5), &Value::Null));
        assert_eq!(
            gpu["Actions"]["#X.Reset"]["target"],
            "/redfish/v1/Chassis/GPU_2/Actions/X.Reset"
        );
    }

    #[test]
    fn what_is_no_set_of_documents_is_refused() {
        for (text, why) in [
            ("[]", "not JSON"),
            (r#"{"a": 1}"#, "`a` is not a document"),
            (r#"{"a[0-x]": {}}"#, "a range"),
            (r#"{"a[0-1][0-1][0-1]": {}}"#, "a range"),
            (r#"{"a[0-1]": {}, "a1": {}}"#, "twice"),
        ] {
            let said = read(&[text]).unwrap_err().to_string();
            assert!(said.contains(why), "{text}: {said}");
        }
    }
}
