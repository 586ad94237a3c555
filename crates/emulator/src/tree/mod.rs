//! A tree of documents as a live box: what lies in a folder in the layout of DMTF's mockup server is served as it lies, or
//! documents that many boxes share are filled with what is this box's own ([`template`]); what is written to it changes it
//! in memory.
//!
//! [`Shape`] is what boxes of a kind have in common, [`Tree`] is one box; [`router`] answers for it and can be called
//! without a socket; [`start`] puts trees on sockets. Time is tokio's: changes that take a while are noted with their
//! moment and made when somebody asks ([`power`]).

// an answer that refuses is as large as one that grants
#![allow(clippy::result_large_err)]

mod act;
mod files;
mod patch;
mod power;
mod shape;
mod template;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Map, Value, json};
use tokio::task::JoinSet;
use tokio::time::Instant;

pub use files::BadTree;
pub use shape::Shape;
pub use template::{BadTemplate, Fill};

use crate::config::{Clock, Credential, StartError};
use crate::faults::{Action, Faults};
use crate::query;
use crate::redfish::core::BmcCore;
use crate::redfish::{closed, error, events, fail, missing, not_allowed, plain, put, typed};
use files::{canonical, status_of};

/// Largest request body.
const BODY: usize = 1 << 20;
/// Resources that are kept changed.
const CHANGED: usize = 10_000;

/// How trees are served.
#[derive(Clone)]
pub struct Options {
    /// What is let in; anyone when absent.
    pub credential: Option<Credential>,
    /// How many times faster than real things take place.
    pub speed: f64,
    /// The faults that hit it, by the tree's name.
    pub faults: Arc<Faults>,
    /// Wall time.
    pub clock: Clock,
}

struct Live {
    changed: HashMap<String, Arc<Value>>,
    /// Firmware settings that wait for a boot, by the path of their settings object.
    settings: HashMap<String, Map<String, Value>>,
    later: Vec<(Instant, power::Later)>,
    powered: power::Powered,
    silent_until: Option<Instant>,
    password: Option<String>,
    next: u64,
}

/// One box.
pub struct Tree {
    name: Box<str>,
    shape: Arc<Shape>,
    /// What is this box's own in the documents that it shares; a captured tree has nothing to fill in.
    fill: Option<Box<dyn Fill>>,
    options: Arc<Options>,
    core: BmcCore,
    live: Mutex<Live>,
}

impl Tree {
    /// Reads the folder that holds `redfish`.
    pub fn open(name: &str, folder: &Path, options: Options) -> Result<Arc<Tree>, BadTree> {
        Ok(Arc::new(Tree::of(name, Shape::open(folder)?, None, Arc::new(options))))
    }

    /// A box of a shape that others have as well.
    pub fn of(name: &str, shape: Arc<Shape>, fill: Option<Box<dyn Fill>>, options: Arc<Options>) -> Tree {
        Tree {
            name: name.into(),
            shape,
            fill,
            core: BmcCore::new(name, 0),
            options,
            live: Mutex::new(Live {
                changed: HashMap::new(),
                settings: HashMap::new(),
                later: Vec::new(),
                powered: HashMap::new(),
                silent_until: None,
                password: None,
                next: 0,
            }),
        }
    }

    /// What faults name it by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Bytes that it takes by itself, about: not what it shares with others, nor its sessions and connections.
    pub fn size(&self) -> usize {
        let own = self.fill.as_deref().map_or(0, size_of_val);
        let live = self.lock();
        let changed = live
            .changed
            .iter()
            .map(|(path, d)| path.len() + d.to_string().len() * 2);
        size_of::<Tree>() + self.name.len() + own + changed.sum::<usize>()
    }

    /// What it has in common with boxes like it.
    pub fn shape(&self) -> &Arc<Shape> {
        &self.shape
    }

    /// Resources that it has.
    pub fn resources(&self) -> usize {
        self.shape.resources()
    }

    fn lock(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn scaled(&self, time: Duration) -> Duration {
        time.div_f64(self.options.speed.max(0.001))
    }

    fn emit(&self, message: &str, text: &str, origin: &str) {
        self.core.emit((self.options.clock)(), message, text, origin);
    }

    /// The document at a path as it is kept: as the shape has it, or as it was changed. Blanks are blank.
    fn document(&self, path: &str) -> Option<Value> {
        let path = canonical(path);
        let changed = self.lock().changed.get(path).cloned();
        match changed {
            Some(document) => Some((*document).clone()),
            None => self.shape.document(path),
        }
    }

    /// The document at a path as it is shown: what is this box's own is filled in, and readings follow the power.
    fn shown(&self, path: &str) -> Option<Value> {
        let mut document = self.document(path)?;
        if let Some(with) = &self.fill {
            template::fill(&mut document, with.as_ref());
        }
        if self.unpowered(canonical(path), &document) {
            power::darken(&mut document, &self.shape.nothing);
        }
        Some(document)
    }

    /// The text of a document that nothing was done to, without the detour over the document.
    fn untouched(&self, path: &str) -> Option<String> {
        let (template, with) = (self.shape.template(path)?, self.fill.as_ref()?);
        {
            let live = self.lock();
            if live.changed.contains_key(path) || !live.powered.is_empty() {
                return None;
            }
        }
        Some(template.text(with.as_ref()))
    }

    /// Changes a resource in memory.
    fn change(&self, path: &str, how: impl FnOnce(&mut Value)) {
        let path = canonical(path);
        let Some(mut document) = self.document(path).filter(Value::is_object) else {
            return;
        };
        how(&mut document);
        if let Some(with) = &self.fill {
            with.changed(path, &document);
        }
        let mut live = self.lock();
        live.next += 1;
        if document.get("@odata.etag").is_some() {
            document["@odata.etag"] = json!(format!("\"{}\"", live.next));
        }
        if self.shape.systems.iter().any(|s| s == path)
            && let Some(state) = document["PowerState"].as_str()
        {
            live.powered.insert(path.to_owned(), state != "Off");
        }
        if live.changed.len() < CHANGED || live.changed.contains_key(path) {
            live.changed.insert(path.to_owned(), Arc::new(document));
        }
    }

    fn set_password(&self, user: &str, password: &str) {
        if self.options.credential.as_ref().is_some_and(|c| c.user == user) {
            self.lock().password = Some(password.to_owned());
        }
    }

    fn is_right(&self, user: &str, password: &str) -> bool {
        let now = self.lock().password.clone();
        match &self.options.credential {
            None => true,
            Some(c) => c.user == user && password == now.as_deref().unwrap_or(&c.password),
        }
    }

    fn admits(&self, headers: &HeaderMap) -> bool {
        if let Some(token) = headers.get("x-auth-token").and_then(|v| v.to_str().ok()) {
            return self.core.admits(token);
        }
        if self.options.credential.is_none() {
            return true;
        }
        let basic = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
        let coded = basic.and_then(|v| v.strip_prefix("Basic ")).unwrap_or_default();
        let decoded = base64::engine::general_purpose::STANDARD
            .decode(coded.trim())
            .unwrap_or_default();
        let pair = String::from_utf8_lossy(&decoded).into_owned();
        pair.split_once(':')
            .is_some_and(|(user, password)| self.is_right(user, password))
    }
}

/// A box's routes.
pub fn router(tree: Arc<Tree>) -> Router {
    Router::new().fallback(answer).with_state(tree)
}

/// Answers one request.
pub(crate) async fn answer(State(tree): State<Arc<Tree>>, request: Request<Body>) -> Response {
    tree.settle();
    if tree.lock().silent_until.is_some_and(|t| t > Instant::now()) {
        return closed();
    }
    let head = *request.method() == Method::HEAD;
    let action = tree
        .options
        .faults
        .on_request(&tree.name, request.method().as_str(), request.uri().path());
    let refuse = action == Some(Action::WrongPassword);
    if action == Some(Action::LosePower) {
        tree.reset_bmc();
        for system in &tree.shape.systems {
            tree.change(system, |d| d["PowerState"] = json!("Off"));
        }
        return closed();
    }
    if let Some(action) = action
        && let Some(failed) = fail(action, &tree.options.faults, &tree.name).await
    {
        return failed;
    }
    let mut response = serve(&tree, request, refuse).await.unwrap_or_else(|refusal| refusal);
    response
        .headers_mut()
        .insert("odata-version", HeaderValue::from_static("4.0"));
    if head {
        return response.map(|_| Body::empty());
    }
    response
}

async fn serve(tree: &Arc<Tree>, request: Request<Body>, refuse: bool) -> Result<Response, Response> {
    let (parts, body) = request.into_parts();
    let path = canonical(parts.uri.path()).to_owned();
    let path = path.as_str();
    let read = matches!(parts.method, Method::GET | Method::HEAD);
    let door = parts.method == Method::POST && tree.shape.sessions.as_deref() == Some(path);
    let open = matches!(
        path,
        "/redfish" | "/redfish/v1" | "/redfish/v1/odata" | "/redfish/v1/$metadata"
    );
    let passes = door || open && read;
    if !passes && (refuse || !tree.admits(&parts.headers)) {
        let text = "There is no valid session established.";
        return Err(error(StatusCode::UNAUTHORIZED, "NoValidSession", text, &[]));
    }
    if read {
        return get(tree, path, parts.uri.query().unwrap_or_default(), &parts.headers);
    }
    let limited = http_body_util::Limited::new(body, BODY).collect().await;
    let body = limited.map_err(|_| {
        let text = "The supplied payload is too large.";
        error(StatusCode::PAYLOAD_TOO_LARGE, "PayloadTooLarge", text, &[])
    })?;
    let body = body.to_bytes();
    let value = match body.is_empty() {
        true => json!({}),
        false => serde_json::from_slice(&body).map_err(|_| {
            let text = "The request body was malformed JSON.";
            error(StatusCode::BAD_REQUEST, "MalformedJSON", text, &[])
        })?,
    };
    match parts.method {
        Method::POST if door => login(tree, &value),
        Method::POST if tree.is_action(path) => tree.act(path, &value),
        Method::PATCH => {
            // of two writers who saw the same version one writes
            let _one = tree.core.one_writes();
            let now = current(tree, path).ok_or_else(|| missing(path))?;
            if now.1.get("Members").is_some() {
                return Err(not_allowed("GET, HEAD"));
            }
            let wanted = parts.headers.get(header::IF_MATCH).map(HeaderValue::as_bytes);
            if wanted.is_some_and(|w| w != b"*" && w != now.0.as_bytes()) {
                let text = "The ETag supplied did not match the ETag required to change this resource.";
                return Err(error(StatusCode::PRECONDITION_FAILED, "PreconditionFailed", text, &[]));
            }
            tree.patch(path, &value)?;
            get(tree, path, "", &HeaderMap::new())
        }
        Method::DELETE => match session(tree, path) {
            Some(id) if tree.core.close(id) => Ok(StatusCode::NO_CONTENT.into_response()),
            _ if tree.document(path).is_some() => Err(not_allowed("GET, HEAD, PATCH")),
            _ => Err(missing(path)),
        },
        _ if tree.document(path).is_some() => Err(not_allowed("GET, HEAD, PATCH")),
        _ => Err(missing(path)),
    }
}

/// The ETag of a resource as it is now, and the resource.
fn current(tree: &Tree, path: &str) -> Option<(String, Value)> {
    let document = tree.shown(path)?;
    Some((etag(&document), document))
}

fn etag(document: &Value) -> String {
    if let Some(own) = document["@odata.etag"].as_str() {
        return own.to_owned();
    }
    digest(&document.to_string())
}

fn digest(text: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    let hex: String = digest.as_ref()[..8].iter().map(|b| format!("{b:02x}")).collect();
    format!("\"{hex}\"")
}

fn get(tree: &Arc<Tree>, path: &str, query: &str, headers: &HeaderMap) -> Result<Response, Response> {
    if tree.shape.stream.as_deref() == Some(path) {
        return Ok(events(&tree.core, headers));
    }
    if let Some(made) = tree.task(path).or_else(|| session_document(tree, path)) {
        return Ok(plain(&made));
    }
    if query.is_empty()
        && let Some(text) = tree.untouched(path)
    {
        let tag = digest(&text);
        if headers.get(header::IF_NONE_MATCH).map(HeaderValue::as_bytes) == Some(tag.as_bytes()) {
            return Ok(StatusCode::NOT_MODIFIED.into_response());
        }
        let mut response = typed("application/json;charset=utf-8", Body::from(text));
        put(&mut response, header::ETAG, &tag);
        return Ok(response);
    }
    let entry = tree.shape.entry(path);
    if entry.is_none() && tree.shape.template(path).is_none() {
        return match path {
            "/redfish" => Ok(plain(&json!({"v1": "/redfish/v1/"}))),
            // an action is there, but only to be posted to
            _ if tree.is_action(path) => Err(not_allowed("POST")),
            _ => Err(missing(path)),
        };
    }
    let captured = || Body::from(tree.shape.bytes(path).unwrap_or_default());
    if entry.is_some_and(|e| e.xml) {
        return Ok(typed("application/xml", captured()));
    }
    let told = entry.and_then(|e| e.status);
    let Some((tag, mut document)) = current(tree, path) else {
        // no JSON at all: exactly what the box answered
        let mut response = typed("application/json", captured());
        status(&mut response, told);
        return Ok(response);
    };
    let known = headers.get(header::IF_NONE_MATCH).map(HeaderValue::as_bytes);
    if known == Some(tag.as_bytes()) {
        return Ok(StatusCode::NOT_MODIFIED.into_response());
    }
    let status_now = told.or_else(|| status_of(&document));
    let shaped = query::shape(tree.shape.claims, &|path| tree.shown(path), &mut document, query)?;
    let touched = entry.is_none() || tree.lock().changed.contains_key(path) || tree.unpowered(path, &document);
    let mut response = match shaped || touched {
        true => plain(&document),
        false => typed("application/json;charset=utf-8", captured()),
    };
    status(&mut response, status_now);
    put(&mut response, header::ETAG, &tag);
    Ok(response)
}

fn status(response: &mut Response, code: Option<u16>) {
    if let Some(status) = code.and_then(|c| StatusCode::from_u16(c).ok()) {
        *response.status_mut() = status;
    }
}

fn login(tree: &Tree, body: &Value) -> Result<Response, Response> {
    let (user, password) = (body["UserName"].as_str(), body["Password"].as_str());
    let (Some(user), Some(password)) = (user, password) else {
        let text = "The properties UserName and Password are required.";
        return Err(error(StatusCode::BAD_REQUEST, "PropertyMissing", text, &["UserName"]));
    };
    if !tree.is_right(user, password) {
        let text = "The user name or password is not right.";
        return Err(error(StatusCode::UNAUTHORIZED, "ResourceAtUriUnauthorized", text, &[]));
    }
    let Some((id, token)) = tree.core.open(user) else {
        let text = "The session could not be opened: there are as many as this service has room for.";
        let status = StatusCode::SERVICE_UNAVAILABLE;
        return Err(error(status, "SessionLimitExceeded", text, &[]));
    };
    let at = format!("{}/{id}", tree.shape.sessions.as_deref().unwrap_or_default());
    let mut response = plain(&session_document(tree, &at).unwrap_or_default());
    *response.status_mut() = StatusCode::CREATED;
    put(&mut response, header::LOCATION, &at);
    put(&mut response, header::HeaderName::from_static("x-auth-token"), &token);
    Ok(response)
}

/// The number of a session that was opened here.
fn session(tree: &Tree, path: &str) -> Option<u64> {
    let rest = path.strip_prefix(tree.shape.sessions.as_deref()?)?;
    rest.strip_prefix('/')?.parse().ok()
}

fn session_document(tree: &Tree, path: &str) -> Option<Value> {
    let id = session(tree, path)?;
    let open = tree.core.sessions().into_iter().find(|s| s.id == id)?;
    Some(json!({
        "@odata.id": path,
        "@odata.type": "#Session.v1_7_1.Session",
        "Id": id.to_string(),
        "Name": "User Session",
        "UserName": open.user,
    }))
}

/// Trees on sockets.
pub struct Served {
    /// Each tree's address, in order.
    pub at: Vec<SocketAddr>,
    tasks: JoinSet<()>,
}

impl Served {
    /// Stops them.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}

/// Serves each tree at a port of its own, counting up from `listen`.
pub async fn start(trees: &[Arc<Tree>], listen: SocketAddr, tls: bool) -> Result<Served, StartError> {
    let tls = tls.then(|| crate::serve::certificate(None)).transpose()?;
    let (mut at, mut tasks) = (Vec::new(), JoinSet::new());
    for (n, tree) in trees.iter().enumerate() {
        let mut here = listen;
        if listen.port() != 0 {
            here.set_port(listen.port().saturating_add(n as u16));
        }
        let listener = tokio::net::TcpListener::bind(here)
            .await
            .map_err(|source| StartError::Listen { at: here, source })?;
        at.push(listener.local_addr().unwrap_or(here));
        tasks.spawn(crate::serve::serve(listener, tls.clone(), router(tree.clone())));
    }
    Ok(Served { at, tasks })
}

/// Trees by the address that they answer at, beside a rack.
pub(crate) type ByAddress = HashMap<IpAddr, Arc<Tree>>;
