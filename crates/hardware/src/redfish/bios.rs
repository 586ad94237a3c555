//! Firmware settings of a system: `Bios` and the settings object behind it (DSP0266 §9.11): what is asked for holds from
//! the next boot on.

use std::collections::BTreeMap;

use rack::node::BmcAddress;
use serde_json::{Value, json};

use crate::capability::BiosSettings;
use crate::error::Error;
use crate::found::Receipt;
use crate::permit::Permit;
use crate::redfish::Redfish;
use crate::redfish::json::{at, link, texts};

/// Attributes kept of one system; the largest set measured has 1,100.
const MOST: usize = 4_096;

/// `Bios` of a system, and where changes to it are written.
struct Bios {
    path: String,
    doc: Value,
    pending: Option<(String, Value)>,
}

fn attributes(doc: &Value) -> BTreeMap<String, Value> {
    let Some(map) = doc["Attributes"].as_object() else {
        return BTreeMap::new();
    };
    let plain = |v: &Value| v.is_string() || v.is_number() || v.is_boolean();
    map.iter()
        .filter(|(_, v)| plain(v))
        .take(MOST)
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect()
}

impl Redfish {
    async fn bios_of(&self, at_: &BmcAddress) -> Result<Bios, Error> {
        let system = self.client.get(&at_.system).await?.body;
        let path = link(&system["Bios"]).ok_or_else(|| self.client.not_offered("BIOS settings", Vec::new()))?;
        let doc = self.client.get(&path).await?.body;
        let pending = match link(at(&doc, "@Redfish.Settings/SettingsObject")) {
            // Some answer 404 until something is pending: the path is where changes go all the same.
            Some(p) => {
                let now = self.client.get(&p).await.map(|a| a.body).unwrap_or(Value::Null);
                Some((p, now))
            }
            None => None,
        };
        Ok(Bios { path, doc, pending })
    }

    /// See [`crate::capability::Bios::settings`].
    pub async fn bios_settings(&self, at: &BmcAddress) -> Result<BiosSettings, Error> {
        let bios = self.bios_of(at).await?;
        let now = attributes(&bios.doc);
        let mut pending = bios.pending.map(|(_, doc)| attributes(&doc)).unwrap_or_default();
        // Some show every attribute there, and some only what changes.
        pending.retain(|name, value| now.get(name) != Some(value));
        Ok(BiosSettings { now, pending })
    }

    /// See [`crate::capability::Bios::set`].
    pub async fn set_bios(
        &self,
        at_: &BmcAddress,
        wanted: &BTreeMap<String, Value>,
        permit: &Permit,
    ) -> Result<Receipt, Error> {
        let bios = self.bios_of(at_).await?;
        let now = attributes(&bios.doc);
        if let Some(unknown) = wanted.keys().find(|name| !now.contains_key(*name)) {
            let near = |n: &&String| n.to_ascii_lowercase().contains(&unknown.to_ascii_lowercase());
            let mut have: Vec<String> = now.keys().filter(near).take(5).cloned().collect();
            if have.is_empty() {
                have = now.keys().take(5).cloned().chain(["…".to_owned()]).collect();
            }
            return Err(self.client.not_offered(&format!("a BIOS attribute `{unknown}`"), have));
        }
        let pending = bios
            .pending
            .as_ref()
            .map(|(_, doc)| attributes(doc))
            .unwrap_or_default();
        let mut missing = serde_json::Map::new();
        for (name, value) in wanted {
            if pending.get(name).or_else(|| now.get(name)) != Some(value) {
                missing.insert(name.clone(), value.clone());
            }
        }
        if missing.is_empty() {
            return Ok(Receipt::Done);
        }
        let mut body = json!({ "Attributes": missing });
        let times = texts(at(&bios.doc, "@Redfish.Settings/SupportedApplyTimes"));
        if times.iter().any(|t| t == "OnReset") {
            body["@Redfish.SettingsApplyTime"] = json!({"ApplyTime": "OnReset"});
        }
        let path = bios.pending.as_ref().map_or(&bios.path, |(p, _)| p);
        let etag = match self.client.get(path).await {
            Ok(answer) => answer.etag(),
            Err(Error::Rejected { status: 404, .. }) => None,
            Err(e) => return Err(e),
        };
        match self.client.patch(path, &body, etag.as_deref(), permit).await {
            Ok(answer) => Ok(crate::redfish::act::receipt(&answer)),
            Err(Error::Rejected {
                status: 409 | 503,
                message,
                ..
            }) => Ok(Receipt::Blocked { by: message }),
            Err(e) => Err(e),
        }
    }
}
