//! Taking out of a captured tree what tells whose box it is.
//!
//! Two passes: the first learns what must not be told, by the names of properties (`redact.toml`) and by the shape of
//! texts; the second replaces each of these everywhere, also inside other texts and in paths. A value always becomes the
//! same replacement, of the same length and kind of characters, derived from it by HMAC with a salt that is not kept.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::CaptureError;
use super::store::{place, put};
use crate::redfish::json;

mod hide;
mod shape;

pub use hide::Hidden;

/// Files of one tree, and folders below each other: what a capture can have made, twice over.
const FILES: usize = 100_000;
const DEPTH: usize = 48;

/// Rules by the name of a property.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    secrets: Vec<String>,
    blobs: Vec<String>,
    identity: Vec<String>,
    tags: Vec<String>,
    public: Vec<String>,
    keep: Vec<String>,
    usual: Vec<String>,
}

/// What is done with a property's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Secret,
    Blob,
    Identity,
    Tag,
}

fn rules() -> &'static Rules {
    static RULES: std::sync::LazyLock<Rules> = std::sync::LazyLock::new(|| {
        let mut rules: Rules = toml::from_str(include_str!("redact.toml")).expect("redact.toml is part of the program");
        let all = [
            &mut rules.secrets,
            &mut rules.blobs,
            &mut rules.identity,
            &mut rules.tags,
            &mut rules.public,
            &mut rules.keep,
            &mut rules.usual,
        ];
        all.into_iter().flatten().for_each(|p| p.make_ascii_lowercase());
        rules
    });
    &RULES
}

impl Rules {
    fn kind(&self, name: &str) -> Kind {
        let name = name.to_ascii_lowercase();
        let any = |list: &[String]| list.iter().any(|p| fits(p, &name));
        if any(&self.secrets) {
            Kind::Secret
        } else if any(&self.blobs) {
            Kind::Blob
        } else if name.contains('@') || any(&self.keep) {
            Kind::Plain
        } else if any(&self.identity) {
            Kind::Identity
        } else if any(&self.tags) {
            Kind::Tag
        } else {
            Kind::Plain
        }
    }
}

fn fits(pattern: &str, name: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(_), Some(_)) => name.contains(pattern.trim_matches('*')),
        (Some(end), None) => name.ends_with(end),
        (None, Some(start)) => name.starts_with(start),
        (None, None) => name == pattern,
    }
}

/// Empties passwords, tokens and keys; whether there were any. For every capture.
pub fn without_secrets(value: &mut Value) -> bool {
    fn within(value: &mut Value, secret: bool) -> bool {
        match value {
            Value::String(text) if secret && !text.is_empty() => {
                text.clear();
                true
            }
            Value::Array(items) => items.iter_mut().fold(false, |any, v| within(v, secret) | any),
            Value::Object(map) => map.iter_mut().fold(false, |any, (name, v)| {
                let secret = rules().kind(name) == Kind::Secret && !v.is_object();
                within(v, secret) | any
            }),
            _ => false,
        }
    }
    within(value, false)
}

/// Learns from a document what must not be told.
fn learn(hidden: &mut Hidden, value: &Value, name: &str, kind: Kind) {
    match value {
        Value::String(text) => {
            if rules().public.iter().any(|p| p.eq_ignore_ascii_case(name)) {
                return hidden.leave(text);
            }
            match kind {
                Kind::Identity => hidden.add(text),
                Kind::Tag if text.len() == 7 && text.bytes().all(|b| b.is_ascii_alphanumeric()) => hidden.add(text),
                _ => {}
            }
            // the numbers of versions look like IPv4 addresses
            let version = ["Version", "Revision", "Firmware"].iter().any(|w| name.contains(w));
            shape::scan(text, !version, &mut |found| hidden.add(found));
        }
        Value::Number(number) if kind == Kind::Identity => hidden.add(&number.to_string()),
        Value::Array(items) => items.iter().for_each(|v| learn(hidden, v, name, kind)),
        Value::Object(map) => {
            for (name, v) in map {
                let mut kind = rules().kind(name);
                // `UUID: {...}` names an object, whose own properties tell what they are
                if v.is_object() && kind != Kind::Plain {
                    kind = Kind::Plain;
                }
                learn(hidden, v, name, kind);
            }
        }
        _ => {}
    }
}

/// Replaces what must not be told, in values and in names.
fn replace(hidden: &Hidden, value: &mut Value, kind: Kind) {
    match value {
        Value::String(text) => {
            if kind == Kind::Blob && !text.is_empty() || shape::is_blob(text) {
                *text = "REDACTED".to_owned();
            } else if let Some(new) = hidden.replace(text) {
                *text = new;
            }
        }
        Value::Number(number) if kind == Kind::Identity => {
            let new = hidden.replace(&number.to_string()).and_then(|n| n.parse::<u64>().ok());
            if let Some(new) = new {
                *value = new.into();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|v| replace(hidden, v, kind)),
        Value::Object(map) => {
            let renamed = map.keys().any(|k| hidden.replace(k).is_some());
            if renamed {
                let old = std::mem::take(map);
                map.extend(old.into_iter().map(|(k, v)| (hidden.replace(&k).unwrap_or(k), v)));
            }
            for (name, v) in map.iter_mut() {
                replace(hidden, v, rules().kind(name));
            }
        }
        _ => {}
    }
}

/// Every file of a tree: the path of its resource, and the file.
fn files(folder: &Path) -> Result<Vec<(String, PathBuf)>, CaptureError> {
    let mut found = Vec::new();
    let mut open = vec![(folder.join("redfish"), "/redfish".to_owned(), 0)];
    while let Some((at, path, depth)) = open.pop() {
        let listed = std::fs::read_dir(&at).map_err(|source| CaptureError::Write {
            path: at.clone(),
            source,
        })?;
        for entry in listed.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && depth < DEPTH => {
                    open.push((entry.path(), format!("{path}/{name}"), depth + 1));
                }
                Ok(kind) if kind.is_file() && name.starts_with("index.") && found.len() < FILES => {
                    found.push((path.clone(), entry.path()));
                }
                _ => {}
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Writes a tree without what tells whose it is. Says what was hidden, so that a caller's own notes can be treated alike.
pub fn tree(from: &Path, to: &Path, salt: [u8; 32]) -> Result<Hidden, CaptureError> {
    let read = |path: &Path| {
        std::fs::read(path).map_err(|source| CaptureError::Write {
            path: path.to_owned(),
            source,
        })
    };
    let all = files(from)?;
    let mut hidden = Hidden::new(salt);
    for (path, file) in &all {
        let body = read(file)?;
        match json::parse_whole(&body) {
            Ok(document) => learn(&mut hidden, &document, "", Kind::Plain),
            Err(_) => shape::scan(&String::from_utf8_lossy(&body), true, &mut |found| hidden.add(found)),
        }
        shape::scan(path, false, &mut |found| hidden.add(found));
    }
    hidden.settle();
    for (path, file) in &all {
        let body = read(file)?;
        let path = hidden.replace(path).unwrap_or_else(|| path.clone());
        let Some(at) = place(to, &path) else { continue };
        let Some(name) = file.file_name() else { continue };
        put(&at.join(name), &document(&hidden, body))?;
    }
    Ok(hidden)
}

/// One document by itself, as [`tree`] treats it; for fuzzing.
#[doc(hidden)]
pub fn alone(body: Vec<u8>, salt: [u8; 32]) -> Vec<u8> {
    let mut hidden = Hidden::new(salt);
    match json::parse_whole(&body) {
        Ok(document) => learn(&mut hidden, &document, "", Kind::Plain),
        Err(_) => shape::scan(&String::from_utf8_lossy(&body), true, &mut |found| hidden.add(found)),
    }
    hidden.settle();
    document(&hidden, body)
}

/// One document. What is not quite JSON stays so, as that is worth knowing of a box; what is none at all is text.
fn document(hidden: &Hidden, body: Vec<u8>) -> Vec<u8> {
    let as_text = |body: &[u8]| {
        let text = String::from_utf8_lossy(body).into_owned();
        hidden.replace(&text).unwrap_or(text).into_bytes()
    };
    let strict = serde_json::from_slice::<Value>(&body).is_ok();
    let Ok(mut document) = json::parse_whole(&body) else {
        return as_text(&body);
    };
    let was = document.clone();
    let secrets = without_secrets(&mut document);
    replace(hidden, &mut document, Kind::Plain);
    if document == was {
        return body;
    }
    // texts escaped in a way that a plain search would miss, and whole texts taken out, need the document itself
    let text = as_text(&body);
    match (strict || secrets, json::parse_whole(&text)) {
        (false, Ok(same)) if same == document => text,
        _ => serde_json::to_vec_pretty(&document).unwrap_or_default(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn redacted(documents: &[(&str, Value)]) -> (tempfile::TempDir, String) {
        let from = tempfile::tempdir().unwrap();
        let to = tempfile::tempdir().unwrap();
        for (path, document) in documents {
            put(
                &place(from.path(), path).unwrap().join("index.json"),
                document.to_string().as_bytes(),
            )
            .unwrap();
        }
        tree(from.path(), to.path(), [7; 32]).unwrap();
        let mut all = String::new();
        for (path, file) in files(to.path()).unwrap() {
            all += &format!("{path}\n{}\n", std::fs::read_to_string(file).unwrap());
        }
        (to, all)
    }

    #[test]
    fn the_same_value_becomes_the_same_other_one_everywhere_and_what_is_common_stays() {
        let (_folder, all) = redacted(&[
            ("/redfish/v1", json!({"UUID": "4c4c4544-0051-3510-8052-b4c04f4e3732"})),
            (
                "/redfish/v1/Chassis/CN7475",
                json!({"@odata.id": "/redfish/v1/Chassis/CN7475", "SerialNumber": "CN7475", "Model": "R750", "PartNumber": "0P28JC",
                    "FirmwareVersion": "1.2.3.4", "Name": "board CN7475", "AssetTag": "Unknown",
                    "Password": "hunter2", "UserName": "root", "IPv4Addresses": [{"Address": "10.1.2.3", "SubnetMask": "255.255.255.0"}],
                    "MACAddress": "AA:BB:CC:0D:0E:0F", "Text": "at aabbcc0d0e0f, ada@example.org from 10.1.2.3",
                    "Key": "k", "CertificateString": "-----BEGIN CERTIFICATE-----\nMII"}),
            ),
        ]);
        for gone in [
            "CN7475", "4c4c4544", "hunter2", "10.1.2.3", "AA:BB", "aabbcc0d", "ada@", "MII",
        ] {
            assert!(!all.contains(gone), "{gone} in {all}");
        }
        for kept in ["R750", "0P28JC", "1.2.3.4", "Unknown", "\"root\"", "255.255.255.0"] {
            assert!(all.contains(kept), "{kept} not in {all}");
        }
        let path = all.lines().find(|l| l.starts_with("/redfish/v1/Chassis/")).unwrap();
        let serial = path.rsplit('/').next().unwrap();
        assert_eq!(serial.len(), 6);
        assert!(
            all.contains(&format!("\"board {serial}\"")) && all.contains(&format!("\"SerialNumber\": \"{serial}\""))
        );
        let mac: String = all
            .split("\"MACAddress\": \"")
            .nth(1)
            .unwrap()
            .chars()
            .take(17)
            .collect();
        let bare = mac.replace(':', "").to_ascii_lowercase();
        assert!(all.contains(&format!("at {bare}")), "{mac} and {all}");
    }

    #[test]
    fn secrets_go_from_every_capture_and_settings_about_them_stay() {
        let mut document = json!({"Password": "x", "MinPasswordLength": 8, "PasswordExpiration": "never",
            "Keys": [{"Key": "y", "Name": "z"}], "AuthToken": "t", "Nested": {"TrapCommunityName": "u", "CommunityName": "v"}});
        assert!(without_secrets(&mut document));
        assert_eq!(
            document,
            json!({"Password": "", "MinPasswordLength": 8, "PasswordExpiration": "never", "Keys": [{"Key": "", "Name": "z"}],
                "AuthToken": "", "Nested": {"TrapCommunityName": "u", "CommunityName": ""}})
        );
        assert!(!without_secrets(&mut document));
    }

    #[test]
    fn broken_json_is_redacted_and_stays_broken() {
        let from = tempfile::tempdir().unwrap();
        let to = tempfile::tempdir().unwrap();
        let at = place(from.path(), "/redfish/v1").unwrap().join("index.json");
        put(&at, b"{\"SerialNumber\": \"J900ABCD\",}").unwrap();
        tree(from.path(), to.path(), [1; 32]).unwrap();
        let text = std::fs::read_to_string(to.path().join("redfish/v1/index.json")).unwrap();
        assert!(text.ends_with("\",}") && !text.contains("J900ABCD"), "{text}");
    }

    #[test]
    fn a_secret_behind_a_flood_is_a_secret() {
        let flood = format!(
            "{{\"x\": [{}{{\"Password\": \"hunter2!\", \"SerialNumber\": \"J900ABCD\"}}]}}",
            "0,".repeat(300_000)
        );
        let told = String::from_utf8(alone(flood.into_bytes(), [1; 32])).unwrap();
        assert!(!told.contains("hunter2!") && !told.contains("J900ABCD"));
    }

    proptest! {
        #[test]
        fn after_redaction_no_sensitive_value_occurs_anywhere(
            serials in proptest::collection::vec("[A-Z0-9]{6,14}", 1..6),
            mac in proptest::array::uniform6(any::<u8>()),
            ip in proptest::array::uniform4(1u8..250),
            uuid in any::<u128>(),
            around in "[ -~]{0,12}",
        ) {
            prop_assume!(ip[0] != 127 && ip[0] != 255);
            let mac: Vec<String> = mac.iter().map(|b| format!("{b:02x}")).collect();
            let mac = mac.join(":");
            let ip = format!("{}.{}.{}.{}", ip[0], ip[1], ip[2], ip[3]);
            let uuid = format!("{uuid:032x}");
            let uuid = format!("{}-{}-{}-{}-{}", &uuid[..8], &uuid[8..12], &uuid[12..16], &uuid[16..20], &uuid[20..]);
            let mut documents = vec![("/redfish/v1".to_owned(), json!({"UUID": uuid, "HostName": "rack-box-17"}))];
            for s in &serials {
                let path = format!("/redfish/v1/Chassis/{s}");
                documents.push((path.clone(), json!({"@odata.id": path, "SerialNumber": s, "MACAddress": mac, "x": [ip, uuid],
                    "Description": format!("{around} {s} {around} {mac} ({ip}) {}", s.to_ascii_lowercase())})));
            }
            let documents: Vec<(&str, Value)> = documents.iter().map(|(p, d)| (p.as_str(), d.clone())).collect();
            let (_folder, all) = redacted(&documents);
            let low = all.to_ascii_lowercase();
            for s in serials.iter().filter(|s| !rules().usual.contains(&s.to_ascii_lowercase())) {
                prop_assert!(!low.contains(&s.to_ascii_lowercase()), "{} in {}", s, all);
            }
            prop_assert!(!low.contains(&mac) && !low.contains(&uuid) && !low.contains("rack-box-17"), "{}", all);
            prop_assert!(!all.contains(&format!("({ip})")) && !all.contains(&format!("\"{ip}\"")), "{}", all);
        }
    }
}
