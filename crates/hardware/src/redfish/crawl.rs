//! Walking the resources of a service: links, collections, paging and expansion, all bounded.
//!
//! A [`Crawl`] lives for one discovery or one reading. It fetches each resource at most once, also when several ask at
//! the same time, so cycles cost nothing, and turns what fails into a [`Problem`] instead of an error: one bad member never costs the rest.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use serde_json::Value;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use crate::error::Error;
use crate::found::Problem;
use crate::redfish::client::Client;
use crate::redfish::json;

/// Resources fetched in one crawl. The largest box measured has 4,680, most of them logs and sensors not read here.
pub const RESOURCES: usize = 3_000;
/// Questions of one crawl: a collection may be asked for again in another way.
pub const REQUESTS: usize = 2 * RESOURCES;
/// Memory for the documents of one crawl, in bytes. The largest tree measured has 18 MB of text in all.
pub const MEMORY: usize = 256 << 20;
/// Time for one crawl; what is not read by then becomes a problem.
pub const BUDGET: Duration = Duration::from_secs(600);
/// Members read of one collection.
pub const MEMBERS: usize = 512;
/// Pages read of one collection.
pub const PAGES: usize = 32;
/// Reads of one collection that wait for their turn. One slow member must not hold up the others behind it.
const WAITING: usize = 64;
/// Problems kept; more say nothing new.
pub const PROBLEMS: usize = 200;

/// One resource with its path.
pub type Resource = (String, Arc<Value>);

/// What became of one path: nothing yet, a document, or none.
type Seen = Arc<OnceCell<Option<Arc<Value>>>>;

/// One walk.
pub struct Crawl<'a> {
    client: &'a Client,
    expand: Option<&'static str>,
    deadline: Instant,
    seen: Mutex<HashMap<String, Seen>>,
    problems: Mutex<Vec<Problem>>,
    asked: AtomicUsize,
    held: AtomicUsize,
}

impl<'a> Crawl<'a> {
    /// A walk with the service whose root is given. `ProtocolFeaturesSupported.ExpandQuery` says whether `$expand`
    /// is understood (DSP0266 §7.3.3); only one level is asked for, as deeper ones time out on large boxes.
    pub fn new(client: &'a Client, root: &Value) -> Crawl<'a> {
        let query = json::at(root, "ProtocolFeaturesSupported/ExpandQuery");
        let says = |name: &str| json::truth(&query[name]) == Some(true);
        let expand = match (says("NoLinks"), says("Levels"), says("ExpandAll")) {
            (true, true, _) => Some("?$expand=.($levels=1)"),
            (true, false, _) => Some("?$expand=."),
            (false, true, true) => Some("?$expand=*($levels=1)"),
            _ => None,
        };
        Crawl {
            client,
            expand,
            deadline: Instant::now() + BUDGET,
            seen: Mutex::new(HashMap::new()),
            problems: Mutex::new(Vec::new()),
            asked: AtomicUsize::new(0),
            held: AtomicUsize::new(0),
        }
    }

    /// Whether the service gives a collection with its members in one answer.
    pub fn expands(&self) -> bool {
        self.expand.is_some()
    }

    /// Notes something that went wrong without being fatal.
    pub fn problem(&self, path: &str, what: impl Into<String>) {
        let mut problems = self.problems.lock().unwrap_or_else(PoisonError::into_inner);
        if problems.len() < PROBLEMS {
            problems.push(Problem {
                path: path.to_owned(),
                what: what.into(),
            });
        }
    }

    /// What went wrong so far.
    pub fn into_problems(self) -> Vec<Problem> {
        self.problems.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn seen(&self, path: &str) -> Seen {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.entry(path.to_owned()).or_default().clone()
    }

    /// Remembers a resource that was read by other means.
    pub fn keep(&self, path: &str, doc: Arc<Value>) {
        // Whoever reads it now keeps what it reads: both are the same resource.
        let _ = self.seen(path).set(Some(doc));
    }

    /// The resource at `path`, from this walk's memory or from the service. An error becomes a problem.
    pub async fn read(&self, path: &str) -> Option<Arc<Value>> {
        self.read_by(path, None).await
    }

    /// The same, by a query that brings more with it; without the query where that brings less.
    async fn read_by(&self, path: &str, query: Option<&str>) -> Option<Arc<Value>> {
        let cell = self.seen(path);
        let read = async {
            if let Some(query) = query
                && let Ok(doc) = self.fetch(&format!("{path}{query}")).await
                && !hollow(&doc)
            {
                return Some(Arc::new(doc));
            }
            // Services that claim to expand fail at it here and there: then one by one.
            match self.fetch(path).await {
                Ok(doc) => Some(Arc::new(doc)),
                Err(e) => {
                    self.problem(path, e.to_string());
                    None
                }
            }
        };
        cell.get_or_init(|| read).await.clone()
    }

    async fn fetch(&self, path: &str) -> Result<Value, Error> {
        let count = self.seen.lock().unwrap_or_else(PoisonError::into_inner).len();
        if path.contains("/LogServices") {
            return Err(self.client.broken(path, "logs are never read"));
        }
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        if count >= RESOURCES || asked >= REQUESTS {
            return Err(self
                .client
                .broken(path, "the service has more resources than are read in one go"));
        }
        if Instant::now() >= self.deadline {
            return Err(self.client.broken(path, "the time for one inventory was up"));
        }
        let full = || {
            self.client
                .broken(path, "with it the inventory is larger than anything sensible")
        };
        if self.held.load(Ordering::Relaxed) >= MEMORY {
            return Err(full());
        }
        let body = self.client.get(path).await?.body;
        let weight = json::weight(&body);
        if self.held.fetch_add(weight, Ordering::Relaxed) + weight > MEMORY {
            return Err(full());
        }
        Ok(body)
    }

    /// The resource that the property `name` of `doc` links to.
    pub async fn follow(&self, doc: &Value, name: &str) -> Option<Resource> {
        let value = json::at(doc, name);
        let path = json::link(value)?;
        // Some services put the whole resource in place of the link.
        if is_whole(value) {
            return Some((path, Arc::new(value.clone())));
        }
        let doc = self.read(&path).await?;
        Some((path, doc))
    }

    /// All resources that an array of links leads to.
    pub async fn all(&self, links: &[Value]) -> Vec<Resource> {
        let paths: Vec<String> = links.iter().filter_map(json::link).take(MEMBERS).collect();
        self.each(paths).await
    }

    /// Members of the collection that `name` of `doc` leads to ([`json::leads`]).
    pub async fn members(&self, doc: &Value, name: &str) -> Vec<Resource> {
        match json::leads(doc, name) {
            Some(path) => self.collection(&path).await,
            None => Vec::new(),
        }
    }

    /// Members of the collection at `path`.
    pub async fn collection(&self, path: &str) -> Vec<Resource> {
        let mut whole: HashMap<String, Arc<Value>> = HashMap::new();
        let mut paths: Vec<String> = Vec::new();
        let mut pages = HashSet::new();
        let mut next = Some(path.to_owned());
        for page in 0..PAGES {
            let Some(at) = next.take() else { break };
            if !pages.insert(at.clone()) {
                self.problem(&at, "the pages of a collection lead in a circle");
                break;
            }
            let query = self.expand.filter(|_| page == 0);
            let doc = self.read_by(&at, query).await;
            let Some(doc) = doc else { break };
            let mut unusable = 0;
            for member in json::list(&doc["Members"]) {
                // A collection that names itself is none of its own members.
                let Some(path) = json::link(member).filter(|p| !pages.contains(p)) else {
                    unusable += 1;
                    continue;
                };
                if paths.len() >= MEMBERS {
                    self.problem(&at, format!("more than {MEMBERS} members; the rest is left out"));
                    return self.assemble(paths, whole).await;
                }
                if is_whole(member) {
                    whole.insert(path.clone(), Arc::new(member.clone()));
                }
                if !paths.contains(&path) {
                    paths.push(path);
                }
            }
            if unusable > 0 {
                self.problem(&at, format!("{unusable} members without a usable @odata.id"));
            }
            next = ["Members@odata.nextLink", "@odata.nextLink"]
                .iter()
                .find_map(|n| json::link(&doc[*n]));
        }
        if next.is_some() {
            self.problem(path, format!("more than {PAGES} pages; the rest is left out"));
        }
        self.assemble(paths, whole).await
    }

    async fn assemble(&self, paths: Vec<String>, whole: HashMap<String, Arc<Value>>) -> Vec<Resource> {
        for (path, doc) in whole {
            self.keep(&path, doc);
        }
        self.each(paths).await
    }

    async fn each(&self, paths: Vec<String>) -> Vec<Resource> {
        let reads = paths.into_iter().map(|path| async move {
            let doc = self.read(&path).await?;
            Some((path, doc))
        });
        // The client's pace decides how many are in flight; this bounds how many wait for it.
        futures_util::stream::iter(reads)
            .buffered(WAITING)
            .filter_map(|r| async move { r })
            .collect()
            .await
    }
}

/// Walks started at one time; the client's pace decides how many requests are under way.
const AT_ONCE: usize = 8;

/// What becomes of each item, several at one time, in their order.
pub async fn at_once<T, R, F: Future<Output = R>>(items: Vec<T>, work: impl Fn(T) -> F) -> Vec<R> {
    let work = items.into_iter().map(work);
    futures_util::stream::iter(work).buffered(AT_ONCE).collect().await
}

/// Whether a collection counts members and shows none.
fn hollow(collection: &Value) -> bool {
    json::list(&collection["Members"]).is_empty() && json::count(&collection["Members@odata.count"]).unwrap_or(0) > 0
}

/// Whether this is a resource and not just a link to one.
pub(crate) fn is_whole(value: &Value) -> bool {
    value
        .as_object()
        .is_some_and(|o| o.keys().filter(|k| !k.starts_with('@')).count() >= 2)
}
