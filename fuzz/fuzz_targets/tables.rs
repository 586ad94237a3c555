//! Any file that describes a rack: a table, a device type, a NetBox's answers, a rack file. What is taken obeys the rules
//! that a rack has. The importers are a part of the command line, so that their files are taken in here as they are.
#![no_main]
#![allow(dead_code)]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;

#[path = "../../src/commands/import/csv.rs"]
mod csv_;
#[path = "../../src/commands/import/device_types.rs"]
mod device_types;
#[path = "../../src/commands/import/netbox.rs"]
mod netbox_import;
#[path = "../../src/commands/netbox.rs"]
mod netbox;
#[path = "../../crates/control/src/rackfile.rs"]
mod rackfile;
#[path = "../../crates/control/src/targets.rs"]
mod targets;

/// Where the importers look for a NetBox.
mod commands {
    pub(crate) use crate::netbox;
}

/// What the files above take of the rest of their crates.
mod client {
    pub fn fail(code: &str, detail: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
        anyhow::anyhow!("{code} {} {}", detail.into(), hint.into())
    }

    pub async fn read(answer: reqwest::Response) -> anyhow::Result<Vec<u8>> {
        Ok(answer.bytes().await?.to_vec())
    }
}

/// As above.
mod output {
    pub fn counted(n: usize, one: &str, many: &str) -> String {
        format!("{n} {}", if n == 1 { one } else { many })
    }
}

/// As above.
mod record {
    use std::collections::BTreeMap;

    use rack::Name;
    use rack::node::OutletRef;

    #[derive(Debug, Clone, PartialEq)]
    pub struct WatchedBmc {
        pub url: String,
        pub rack: Name,
        pub slots: BTreeMap<String, Name>,
        pub credential: Name,
        pub certificate: Option<String>,
        pub outlets: Vec<OutletRef>,
    }
}

fn netbox_answers(document: &Value) -> netbox::Snapshot {
    let list = |name: &str| document[name].as_array().cloned().unwrap_or_default();
    netbox::Snapshot {
        racks: list("racks"),
        devices: list("devices"),
        types: list("types"),
        interfaces: list("interfaces"),
        inlets: list("inlets"),
        outlets: list("outlets"),
        items: list("items"),
        modules: list("modules"),
        module_types: list("module_types"),
    }
}

fuzz_target!(|bytes: &[u8]| {
    let rack: rack::Name = "r1".parse().expect("a name");
    match csv_::parse(&rack, bytes) {
        Ok(intent) => assert!(intent.check().is_empty(), "{:?}", intent.check()),
        Err(wrong) => assert!(!wrong.is_empty() && wrong.len() <= 21),
    }
    if let Ok(document) = serde_json::from_slice::<Value>(bytes)
        && let Ok((intents, _)) = netbox_import::intents(&netbox_answers(&document))
    {
        for intent in intents {
            let _ = intent.check();
        }
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(kind) = device_types::parse(text) {
        let mut intent = rack::intent::Intent::of(rack);
        let _ = device_types::complete(&mut intent, &[kind]);
    }
    match rackfile::parse("rack.toml", text) {
        Ok(file) => drop(file.watched()),
        Err(e) => assert!(e.to_string().starts_with("rack.toml")),
    }
});
