//! A NetBox, over REST: lists page by page, bounded; writes one by one. What its objects mean is in `import::netbox` and
//! `export::netbox`.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::client::{fail, read};

/// Objects of one page: NetBox's own largest by default is 1,000; 200 devices take a second.
const PAGE: usize = 200;
/// Most objects of one list.
const ITEMS: usize = 100_000;
/// For one answer: creating a device from a large type takes NetBox seconds.
const TIMEOUT: Duration = Duration::from_secs(120);
/// Tries of a list whose server is busy.
const TRIES: u32 = 4;

/// Which NetBox.
#[derive(Args, Clone)]
pub struct At {
    /// Its address
    pub netbox: String,
    /// A file with a token of NetBox's (`--token-file` is the daemon's)
    #[arg(long)]
    pub netbox_token_file: PathBuf,
    /// A PEM file with the authority that signed its certificate; the system's when absent
    #[arg(long)]
    pub ca: Option<PathBuf>,
}

/// A NetBox.
pub struct Netbox {
    http: reqwest::Client,
    url: String,
    authorization: String,
}

impl Netbox {
    /// From the command line.
    pub fn new(at: &At) -> Result<Netbox> {
        let unreadable =
            |p: &PathBuf, e: std::io::Error| fail("BB0101", format!("{} can't be read: {e}", p.display()), "");
        let token = std::fs::read_to_string(&at.netbox_token_file).map_err(|e| unreadable(&at.netbox_token_file, e))?;
        let token = token.trim();
        // Tokens of version 2 name themselves and are sent as bearers; those of version 1 are bare.
        let scheme = if token.starts_with("nbt_") { "Bearer" } else { "Token" };
        let mut http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none());
        if let Some(ca) = &at.ca {
            let pem = std::fs::read(ca).map_err(|e| unreadable(ca, e))?;
            http = http.tls_certs_only(reqwest::Certificate::from_pem_bundle(&pem)?);
        }
        let url = at.netbox.trim_end_matches('/').trim_end_matches("/api").to_owned();
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Err(fail(
                "BB0101",
                format!("`{url}` is not an address of a NetBox"),
                "https://netbox.example",
            ));
        }
        Ok(Netbox {
            http: http.build()?,
            url,
            authorization: format!("{scheme} {token}"),
        })
    }

    /// Every object of a list; `query` as NetBox writes it.
    pub async fn all(&self, path: &str, query: &str) -> Result<Vec<Value>> {
        let mut found = Vec::new();
        loop {
            // Pages by our own count: `next` may name a host that only NetBox knows.
            let page = format!("/api/{path}/?{query}&limit={PAGE}&offset={}", found.len());
            let mut answer = self.call(Method::GET, &page, None).await?;
            let total = answer["count"].as_u64().unwrap_or(0) as usize;
            let Some(Value::Array(some)) = answer.get_mut("results").map(Value::take) else {
                return Err(fail(
                    "BB0502",
                    format!("{}{page} answered no list", self.url),
                    "is this a NetBox?",
                ));
            };
            let none = some.is_empty();
            found.extend(some);
            if total > ITEMS || found.len() > ITEMS {
                return Err(fail(
                    "BB0101",
                    format!("{path} has more than {ITEMS} objects"),
                    "name one --rack or --site",
                ));
            }
            if none || found.len() >= total {
                return Ok(found);
            }
        }
    }

    /// One call; an answer that is no success is an error with NetBox's own words.
    pub async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let mut tries = 0;
        loop {
            tries += 1;
            let mut request = self.http.request(method.clone(), format!("{}{path}", self.url));
            request = request
                .header("authorization", &self.authorization)
                .header("accept", "application/json");
            if let Some(body) = body {
                request = request.json(body);
            }
            let again = method == Method::GET && tries < TRIES;
            let answer = match request.send().await {
                Ok(answer) if again && [429, 502, 503, 504].contains(&answer.status().as_u16()) => None,
                Ok(answer) => Some(answer),
                Err(e) if again && !e.is_builder() => None,
                Err(e) => {
                    let reason = std::iter::successors(std::error::Error::source(&e), |s| s.source()).last();
                    let reason = reason.map_or_else(|| e.to_string(), ToString::to_string);
                    let what = format!("no NetBox answers at {}: {reason}", self.url);
                    return Err(fail(
                        "BB0501",
                        what,
                        "--ca names the authority of a certificate that is not public",
                    ));
                }
            };
            let Some(answer) = answer else {
                tokio::time::sleep(Duration::from_millis(500) * 2u32.pow(tries)).await;
                continue;
            };
            let status = answer.status();
            let bytes = read(answer).await?;
            if !status.is_success() {
                let said: String = String::from_utf8_lossy(&bytes)
                    .chars()
                    .filter(|c| !c.is_control())
                    .take(400)
                    .collect();
                let hint = match status {
                    StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => "a token that may write, for an export",
                    _ => "",
                };
                return Err(fail(
                    "BB0502",
                    format!("NetBox answered {method} {path} with {status}: {said}"),
                    hint,
                ));
            }
            if bytes.is_empty() {
                return Ok(Value::Null);
            }
            return serde_json::from_slice(&bytes).map_err(|e| {
                fail(
                    "BB0502",
                    format!("{}{path} answered no JSON: {e}", self.url),
                    "is this a NetBox?",
                )
            });
        }
    }
}

/// Everything of one or more racks.
#[derive(Debug, Default, Clone)]
pub struct Snapshot {
    /// Racks.
    pub racks: Vec<Value>,
    /// Their devices.
    pub devices: Vec<Value>,
    /// The types of those.
    pub types: Vec<Value>,
    /// Network ports.
    pub interfaces: Vec<Value>,
    /// Power inlets.
    pub inlets: Vec<Value>,
    /// Power outlets.
    pub outlets: Vec<Value>,
    /// Inventory items.
    pub items: Vec<Value>,
    /// Modules.
    pub modules: Vec<Value>,
    /// The types of those.
    pub module_types: Vec<Value>,
}

impl Snapshot {
    /// Reads racks with all that stands in them.
    pub async fn read(netbox: &Netbox, racks: Vec<Value>) -> Result<Snapshot> {
        let mut s = Snapshot::default();
        for rack in &racks {
            let id = id(rack);
            let of = format!("rack_id={id}");
            s.devices.extend(
                netbox
                    .all("dcim/devices", &format!("{of}&exclude=config_context"))
                    .await?,
            );
            s.interfaces.extend(netbox.all("dcim/interfaces", &of).await?);
            s.inlets.extend(netbox.all("dcim/power-ports", &of).await?);
            s.outlets.extend(netbox.all("dcim/power-outlets", &of).await?);
            s.items.extend(netbox.all("dcim/inventory-items", &of).await?);
            s.modules.extend(netbox.all("dcim/modules", &of).await?);
        }
        s.racks = racks;
        s.types = netbox.by_ids("dcim/device-types", &s.devices, "device_type").await?;
        s.module_types = netbox.by_ids("dcim/module-types", &s.modules, "module_type").await?;
        Ok(s)
    }
}

impl Netbox {
    async fn by_ids(&self, path: &str, of: &[Value], field: &str) -> Result<Vec<Value>> {
        /// Ids in one query: addresses of some servers end at 4 KiB.
        const IDS: usize = 100;
        let mut ids: Vec<i64> = of.iter().map(|o| id(&o[field])).filter(|i| *i > 0).collect();
        ids.sort_unstable();
        ids.dedup();
        let mut found = Vec::new();
        for some in ids.chunks(IDS) {
            let query: Vec<String> = some.iter().map(|i| format!("id={i}")).collect();
            found.extend(self.all(path, &query.join("&")).await?);
        }
        Ok(found)
    }
}

/// An object's id; 0 when it has none.
pub fn id(object: &Value) -> i64 {
    object["id"].as_i64().unwrap_or(0)
}

/// As NetBox makes slugs, and as names of racks and slots are here.
pub fn slug(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars().flat_map(char::to_lowercase) {
        if c.is_ascii_alphanumeric() {
            out.push(c);
        } else if !out.ends_with('-') {
            out.push('-');
        }
    }
    let out: String = out.trim_matches('-').chars().take(50).collect();
    let out = out.trim_matches('-');
    if out.is_empty() { "unknown".into() } else { out.into() }
}

/// What may stand in a query as it is, and the rest in per cents.
pub fn query(text: &str) -> String {
    let byte = |b: u8| match b {
        b if b.is_ascii_alphanumeric() || b"-._~".contains(&b) => (b as char).to_string(),
        b => format!("%{b:02X}"),
    };
    text.bytes().map(byte).collect()
}
