//! Writing down what a service answers, as a folder in the layout of DMTF's mockup server.
//!
//! [`capture`] follows every link with `GET` alone and keeps each answer as it came: `<path>/index.json`, and its status in
//! `index.status` where that was not 200. Logs are bounded to their newest entries; what has a file is not asked again, so a
//! capture goes on where it was. [`redact`] takes out, from a whole tree at once, what tells whose box it is.

pub mod redact;
mod store;

use std::collections::{HashSet, VecDeque};
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use http::header::CONTENT_TYPE;
use serde_json::Value;
use tokio::time::Instant;

use crate::error::Error;
use crate::found::Contact;
use crate::redfish::client::Client;
use crate::redfish::json;
use store::Store;

/// Resources asked for unless told otherwise; the largest box measured has 4,680.
pub const RESOURCES: usize = 10_000;
/// Bytes kept unless told otherwise.
pub const BYTES: u64 = 1 << 30;
/// Entries kept of each log, the newest.
pub const LOG_ENTRIES: usize = 20;
/// Pages read of one collection.
const PAGES: usize = 256;
/// Members kept of one collection.
const MEMBERS: usize = 10_000;
/// Requests that wait for their turn; the client's pace decides how many are under way.
const WAITING: usize = 8;
/// Times that one resource is asked for again after it could not be had.
const ROUNDS: u32 = 3;
/// A service that says nothing for so long is given up on; a BMC restarts in one to five minutes.
const SILENCE: Duration = Duration::from_secs(360);
/// Between two looks at a service that is silent.
const PAUSE: Duration = Duration::from_secs(5);

/// What to capture, and how much.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the tree is written.
    pub folder: PathBuf,
    /// Schemas and message registries too; they are the same for everybody and large.
    pub schemas: bool,
    /// At most so many resources.
    pub resources: usize,
    /// At most so many bytes.
    pub bytes: u64,
    /// For at most so long.
    pub time: Duration,
}

/// How far a capture is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Resources that have a file.
    pub kept: usize,
    /// Of these, that were there from an earlier run.
    pub known: usize,
    /// Resources that are known of and still to be asked for.
    pub waiting: usize,
    /// Bytes written.
    pub bytes: u64,
}

/// What came of a capture.
#[derive(Debug, Clone)]
pub struct Captured {
    /// How far it came.
    pub progress: Progress,
    /// Requests sent.
    pub requests: u32,
    /// What answered with an error, or not at all: the path, and the status or why.
    pub failed: Vec<(String, String)>,
    /// Why it is not whole, if so; another run in the same folder goes on.
    pub unfinished: Option<String>,
}

/// Why there is no capture.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The service.
    #[error(transparent)]
    Service(#[from] Error),
    /// The folder.
    #[error("cannot write {path}: {source}")]
    Write {
        /// What.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Captures everything that the service shows, within bounds.
pub async fn capture(
    client: &Client,
    options: &Options,
    told: &(dyn Fn(Progress) + Send + Sync),
) -> Result<Captured, CaptureError> {
    let mut walk = Walk {
        store: Store::open(&options.folder)?,
        options,
        seen: HashSet::new(),
        open: VecDeque::new(),
        progress: Progress::default(),
        failed: Vec::new(),
    };
    let deadline = Instant::now() + options.time;
    let mut unfinished = None;
    walk.learn("/redfish/v1");
    EXTRAS.iter().for_each(|path| walk.learn(path));
    let mut silent: Option<Instant> = None;
    let mut asking = FuturesUnordered::new();
    loop {
        while asking.len() < WAITING && unfinished.is_none() {
            let Some((path, round)) = walk.open.pop_front() else {
                break;
            };
            if walk.had(&path) {
                continue;
            }
            asking.push(async move { (ask(client, &path).await, path, round) });
        }
        let Some((answer, path, round)) = asking.next().await else {
            break;
        };
        match answer {
            Ok(pages) => {
                silent = None;
                walk.keep(&path, pages)?;
            }
            // nothing was ever had: the address or the password is wrong, and the folder stays as it was
            Err(e) if walk.progress.kept == 0 && (path == "/redfish/v1" || e.status() == Some(401)) => {
                return Err(e.into());
            }
            Err(e) if e.is_transient() && round < ROUNDS => {
                walk.open.push_back((path, round + 1));
                if matches!(client.line.contact(), Contact::Silent { .. }) {
                    let since = *silent.get_or_insert_with(Instant::now);
                    if since.elapsed() > SILENCE {
                        unfinished = Some(format!("the service fell silent ({e})"));
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            }
            Err(e) => walk.failed.push((path, e.to_string())),
        }
        walk.progress.waiting = walk.open.len() + asking.len();
        told(walk.progress);
        if walk.progress.kept >= options.resources {
            unfinished
                .get_or_insert_with(|| format!("{} resources are kept, as many as were asked for", options.resources));
        } else if walk.progress.bytes >= options.bytes {
            unfinished.get_or_insert_with(|| format!("{} bytes are kept, as many as were asked for", options.bytes));
        } else if Instant::now() >= deadline {
            unfinished.get_or_insert_with(|| "the time was up".to_owned());
        }
    }
    walk.failed.sort();
    Ok(Captured {
        progress: walk.progress,
        requests: client.line.requests(),
        failed: walk.failed,
        unfinished: unfinished.filter(|_| !walk.open.is_empty()),
    })
}

/// One resource: its answer, and the pages that follow it.
async fn ask(client: &Client, path: &str) -> Result<Vec<http::Response<Bytes>>, Error> {
    // the root is where its trailing slash is (DSP0266 §6.3); everything else has none
    let at = if path == "/redfish/v1" { "/redfish/v1/" } else { path };
    let mut pages = vec![client.raw(at).await?];
    let mut seen = HashSet::new();
    while pages.len() < PAGES && !is_log(path) {
        let next = pages.last().and_then(|p| next_page(p.body()));
        let Some(next) = next.filter(|n| seen.insert(n.clone())) else {
            break;
        };
        pages.push(client.raw(&next).await?);
    }
    Ok(pages)
}

fn next_page(body: &[u8]) -> Option<String> {
    let document = json::parse_whole(body).ok()?;
    NEXT.iter().find_map(|n| json::link(&document[*n]))
}

const NEXT: [&str; 2] = ["Members@odata.nextLink", "@odata.nextLink"];

/// What nothing links to (DSP0266 §6.3); not missed where it is not there.
const EXTRAS: [&str; 3] = ["/redfish", "/redfish/v1/odata", "/redfish/v1/$metadata"];

/// A status that another run may find gone.
fn passing(status: u16) -> bool {
    matches!(status, 429 | 502 | 503 | 504)
}

/// Whether this is a collection of log entries.
fn is_log(path: &str) -> bool {
    path.contains("/LogServices/") && path.ends_with("/Entries")
}

struct Walk<'a> {
    store: Store,
    options: &'a Options,
    seen: HashSet<String>,
    open: VecDeque<(String, u32)>,
    progress: Progress,
    failed: Vec<(String, String)>,
}

impl Walk<'_> {
    /// Notes a resource to ask for, once.
    fn learn(&mut self, path: &str) {
        let path = path.split('?').next().unwrap_or_default().trim_end_matches('/');
        if self.wanted(path) && self.seen.len() < 2 * self.options.resources && self.seen.insert(path.to_owned()) {
            self.open.push_back((path.to_owned(), 0));
        }
    }

    fn wanted(&self, path: &str) -> bool {
        let beyond = |collection: &str| path.strip_prefix(collection).is_some_and(|rest| rest.len() > 1);
        let schema = [
            "/redfish/v1/JsonSchemas",
            "/redfish/v1/Schemas",
            "/redfish/v1/SchemaStore",
            "/redfish/v1/Registries",
        ]
        .iter()
        .any(|c| beyond(c))
            || path.starts_with("/redfish/v1/schema")
            || path.contains("/RegistryStore");
        // who is logged in now is nobody's business, and our own session among them
        let session = path.contains("/SessionService/Sessions/");
        !session && (self.options.schemas || !schema)
    }

    /// Whether an earlier run has it; then its links are followed from there.
    fn had(&mut self, path: &str) -> bool {
        let Some((status, body)) = self.store.read(path).filter(|(s, _)| !passing(*s)) else {
            return false;
        };
        self.progress.kept += 1;
        self.progress.known += 1;
        self.note(path, status);
        self.follow(path, &body);
        true
    }

    fn note(&mut self, path: &str, status: u16) {
        if status != 200 {
            self.failed.push((path.to_owned(), format!("HTTP {status}")));
        }
    }

    fn keep(&mut self, path: &str, mut pages: Vec<http::Response<Bytes>>) -> Result<(), CaptureError> {
        let rest = pages.split_off(1.min(pages.len()));
        let Some(first) = pages.pop() else { return Ok(()) };
        let kind = first.headers().get(CONTENT_TYPE).and_then(|v| v.to_str().ok());
        let xml = kind.is_some_and(|k| k.contains("xml"));
        let status = first.status().as_u16();
        if status != 200 && EXTRAS.contains(&path) {
            return Ok(());
        }
        let rest = rest
            .iter()
            .filter(|p| p.status().is_success())
            .map(|p| p.body().as_ref());
        let mut body = bounded(path, first.body(), rest);
        if let Ok(mut document) = json::parse_whole(&body)
            && redact::without_secrets(&mut document)
        {
            body = serde_json::to_vec_pretty(&document).unwrap_or_default();
        }
        let written = self.store.write(path, status, xml, &body)?;
        if !written {
            let why = "its path can't be the name of a file";
            self.failed.push((path.to_owned(), why.to_owned()));
            return Ok(());
        }
        self.progress.kept += 1;
        self.progress.bytes += body.len() as u64;
        self.note(path, status);
        self.follow(path, &body);
        Ok(())
    }

    fn follow(&mut self, path: &str, body: &[u8]) {
        let Ok(document) = json::parse_whole(body) else { return };
        let mut found = Vec::new();
        links(&document, &mut found);
        let entries = format!("{path}/");
        for link in found {
            // an entry's own attachments can be as large as the log
            if path.contains("/LogServices/") && path.contains("/Entries/") && !link.starts_with(&entries) {
                continue;
            }
            self.learn(&link);
        }
    }
}

/// Every path that a document leads to. Targets of actions and event streams are no resources and not among them.
fn links(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|v| links(v, into)),
        Value::Object(map) => {
            for (name, v) in map {
                let leads = matches!(
                    name.as_str(),
                    "@odata.id" | "@Redfish.ActionInfo" | "DataSourceUri" | "href"
                );
                match v {
                    Value::String(raw) if leads => into.extend(json::path(raw)),
                    _ => links(v, into),
                }
            }
        }
        _ => {}
    }
}

/// One document of all pages, or of the newest entries of a log; the very bytes of the answer when there is one page only.
fn bounded<'a>(path: &str, first: &[u8], rest: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let rest: Vec<Value> = rest.filter_map(|b| json::parse_whole(b).ok()).collect();
    let log = is_log(path);
    let document = json::parse_whole(first).ok().filter(|d| d["Members"].is_array());
    let Some(mut document) = document else {
        return first.to_vec();
    };
    let mut members = json::list(&document["Members"]).to_vec();
    for page in &rest {
        members.extend(json::list(&page["Members"]).iter().cloned());
    }
    members.truncate(MEMBERS);
    let paged = NEXT.iter().any(|n| document.get(*n).is_some());
    if log && members.len() > LOG_ENTRIES {
        members = newest(members);
    } else if !paged {
        return first.to_vec();
    }
    for name in NEXT {
        if let Some(map) = document.as_object_mut() {
            map.remove(name);
        }
    }
    document["Members@odata.count"] = members.len().into();
    document["Members"] = Value::Array(members);
    serde_json::to_vec_pretty(&document).unwrap_or_else(|_| first.to_vec())
}

/// The newest entries, in the order of the log: by their time where they tell it, else by their numbers.
fn newest(members: Vec<Value>) -> Vec<Value> {
    let age = |m: &Value| -> Option<String> { json::text(&m["Created"]) };
    let number = |m: &Value| -> Option<u64> { json::last(&json::link(m)?).parse().ok() };
    let ends = (members.first(), members.last());
    let rising = match ends {
        (Some(a), Some(b)) if age(a).is_some() && age(b).is_some() => age(a) <= age(b),
        (Some(a), Some(b)) if number(a).is_some() && number(b).is_some() => number(a) <= number(b),
        _ => false,
    };
    let skip = if rising { members.len() - LOG_ENTRIES } else { 0 };
    members.into_iter().skip(skip).take(LOG_ENTRIES).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_newest_entries_of_a_log_are_kept_whichever_way_it_is_sorted() {
        let path = "/redfish/v1/Systems/1/LogServices/SEL/Entries";
        let entry = |n: u32| json!({"@odata.id": format!("{path}/{n}")});
        let log = |list: Vec<u32>| {
            let members: Vec<Value> = list.into_iter().map(entry).collect();
            json!({"Members": members, "Members@odata.nextLink": format!("{path}?$skip=50")}).to_string()
        };
        for list in [(1..=50).collect::<Vec<u32>>(), (1..=50).rev().collect()] {
            let body = bounded(path, log(list).as_bytes(), std::iter::empty());
            let kept = json::parse_whole(&body).unwrap();
            assert_eq!(kept["Members@odata.count"], 20);
            assert!(kept["Members"].as_array().unwrap().contains(&entry(50)));
            assert!(kept.get("Members@odata.nextLink").is_none());
        }
    }

    #[test]
    fn pages_become_one_collection_and_a_single_page_stays_as_it_came() {
        let one = br#"{"Members" : [ {"@odata.id":"/redfish/v1/a"} ] }"#;
        assert_eq!(bounded("/redfish/v1/X", one, std::iter::empty()), one);
        let first = br#"{"Members":[1],"@odata.nextLink":"/redfish/v1/X?p=2"}"#;
        let second: &[u8] = br#"{"Members":[2]}"#;
        let whole = json::parse_whole(&bounded("/redfish/v1/X", first, [second].into_iter())).unwrap();
        assert_eq!(whole, json!({"Members": [1, 2], "Members@odata.count": 2}));
    }
}
