//! Redfish (DSP0266) as each BMC, PDU, coolant unit and shelf serves it. The local address of a connection says who is asked ([`Peer`]).
//!
//! A resource is a function from the state to a document; what holds for all of them (authentication, ETags,
//! `what may be asked, HEAD, 405) is here, once.

// an answer that refuses is as large as one that grants
#![allow(clippy::result_large_err)]

pub(crate) mod core;
pub(crate) use update::booted;

pub(crate) mod accounts;
mod act;
mod chassis;
mod circuit;
mod equipment;
mod events;
mod limits;
mod manager;
mod pdu;
mod root;
mod sensor;
mod supply;
mod system;
mod update;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use futures_util::stream::{self, StreamExt};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};

use crate::emulated::{Bmc, Emulated};
use crate::faults::{Action, Faults};
use crate::query;
use crate::serve::{CloseConnection, Peer};

/// Largest request body; the largest that means anything is under a KiB.
const BODY: usize = 64 << 10;
/// Between two comments on a quiet event stream.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Largest body that a fault answers with.
const HUGE: u64 = 1 << 32;

/// All BMCs' routes.
pub fn router(rack: Arc<Emulated>) -> Router {
    Router::new().fallback(answer).with_state(rack)
}

pub(crate) type Answer = Result<Response, Response>;

async fn answer(State(rack): State<Arc<Emulated>>, request: Request<Body>) -> Response {
    let peer = request.extensions().get::<Peer>().copied();
    let at = peer.map(|p| p.local.ip());
    if let Some(tree) = at.and_then(|at| rack.tree(at)) {
        return crate::tree::answer(State(tree), request).await;
    }
    let Some(bmc) = at.and_then(|at| rack.at(at)) else {
        return closed();
    };
    if !rack.answers(bmc) {
        return closed();
    }
    let head = *request.method() == Method::HEAD;
    let mut response = faulty(&rack, bmc, request).await;
    let headers = response.headers_mut();
    headers.insert("odata-version", HeaderValue::from_static("4.0"));
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-cache"));
    if head {
        let (parts, _) = response.into_parts();
        return Response::from_parts(parts, Body::empty());
    }
    response
}

pub(crate) fn closed() -> Response {
    let mut response = Response::new(Body::empty());
    response.extensions_mut().insert(CloseConnection);
    response
}

async fn faulty(rack: &Arc<Emulated>, bmc: Bmc, request: Request<Body>) -> Response {
    let action = rack
        .faults
        .on_request(rack.name(bmc), request.method().as_str(), request.uri().path());
    let refuse = action == Some(Action::WrongPassword);
    if action == Some(Action::LosePower) {
        match bmc {
            Bmc::Server(i) => rack.feed_all(rack.servers[i].body, false),
            Bmc::Equipment(i) => rack.feed_all(rack.equipment[i].body, false),
            Bmc::Pdu(_) => {}
        }
        return closed();
    }
    if let Some(action) = action
        && let Some(failed) = fail(action, &rack.faults, rack.name(bmc)).await
    {
        return failed;
    }
    serve(rack, bmc, request, refuse)
        .await
        .unwrap_or_else(|refusal| refusal)
}

/// What a fault answers in place of the BMC; `None` when the BMC goes on.
pub(crate) async fn fail(action: Action, faults: &Faults, at: &str) -> Option<Response> {
    match action {
        Action::Hang | Action::Vanish => {
            faults.hangs(at).await;
            Some(closed())
        }
        Action::Delay { millis } => {
            tokio::time::sleep(Duration::from_millis(millis)).await;
            None
        }
        Action::Status { code } => {
            let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            Some(error(status, "GeneralError", "The emulated BMC was told to fail.", &[]))
        }
        Action::Reset => Some(closed()),
        Action::BrokenJson => {
            let broken = "{\"@odata.id\": \"/redfish/v1\", \"Members\": [{\"@od";
            Some(typed("application/json", Body::from(broken)))
        }
        Action::HugeBody { bytes } => {
            const PIECE: &[u8] = &[b' '; 64 << 10];
            let pieces = bytes.min(HUGE).div_ceil(PIECE.len() as u64) as usize;
            let body = stream::iter((0..pieces).map(|_| Ok::<_, Infallible>(bytes::Bytes::from_static(PIECE))));
            Some(typed("application/json", Body::from_stream(body)))
        }
        // the two that need the box itself are its own to do; the others act inside machines, never on a request
        Action::WrongPassword
        | Action::LosePower
        | Action::IgnoreReset
        | Action::DropDhcp
        | Action::DiskError
        | Action::SlowDisk { .. }
        | Action::StuckPost
        // nor do those that happened to the plant
        | Action::PullCable { .. }
        | Action::FailSupply { .. }
        | Action::FailFan { .. }
        | Action::StopPump { .. }
        | Action::StopCooling
        | Action::TripBreaker
        | Action::LoseFeed
        | Action::Leak { .. }
        | Action::DriftSensor { .. } => None,
    }
}

async fn serve(rack: &Arc<Emulated>, bmc: Bmc, request: Request<Body>, refuse: bool) -> Answer {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().trim_end_matches('/').to_string();
    let query = parts.uri.query().unwrap_or_default().to_string();
    let read = matches!(parts.method, Method::GET | Method::HEAD);
    // what DSP0266 §13.3.1 leaves open to all, and the door itself
    let sessions = "/redfish/v1/SessionService/Sessions";
    let open = matches!(
        path.as_str(),
        "/redfish" | "/redfish/v1" | "/redfish/v1/odata" | "/redfish/v1/$metadata"
    );
    let door = parts.method == Method::POST && (path == sessions || path == format!("{sessions}/Members"));
    let passes = door || (open && read);
    let by = admitted(rack, bmc, &parts.headers).filter(|_| !refuse);
    if !passes && by.is_none() {
        let mut response = error(
            StatusCode::UNAUTHORIZED,
            "NoValidSession",
            "There is no valid session established.",
            &[],
        );
        response.headers_mut().insert(
            header::WWW_AUTHENTICATE,
            HeaderValue::from_static("Basic realm=\"Redfish\""),
        );
        return Err(response);
    }
    if parts
        .headers
        .get("odata-version")
        .is_some_and(|v| v.as_bytes() != b"4.0")
    {
        let text = "Only version 4.0 of OData is spoken here.";
        return Err(error(StatusCode::PRECONDITION_FAILED, "PreconditionFailed", text, &[]));
    }
    if path == crate::console::PATH
        && parts.method == Method::GET
        && let Bmc::Server(i) = bmc
    {
        // a keystroke may do to the system whatever a reset may
        return match by.is_some_and(|by| by.may(&["Systems", "1"])) {
            true => crate::console::websocket(rack, i, parts).await,
            false => Err(accounts::denied()),
        };
    }
    match path.as_str() {
        "/redfish" if read => return Ok(plain(&json!({"v1": "/redfish/v1/"}))),
        "/redfish/v1/odata" if read => return Ok(plain(&root::odata())),
        "/redfish/v1/$metadata" if read => return Ok(typed("application/xml", Body::from(root::METADATA))),
        "/redfish/v1/EventService/SSE" if parts.method == Method::GET => {
            return events::stream(rack, bmc, &parts.headers);
        }
        _ => {}
    }
    let Some(rest) = path
        .strip_prefix("/redfish/v1")
        .filter(|r| r.is_empty() || r.starts_with('/'))
    else {
        return Err(missing(&path));
    };
    let segments: Vec<&str> = rest.split('/').filter(|s| !s.is_empty()).collect();
    if read {
        let Some(mut document) = document(rack, bmc, &path) else {
            // an action is there, but only to be posted to
            return Err(if act::is_action(&segments) {
                not_allowed("POST")
            } else {
                missing(&path)
            });
        };
        let tag = etag(&document);
        if parts
            .headers
            .get(header::IF_NONE_MATCH)
            .is_some_and(|v| v.as_bytes() == tag.as_bytes())
        {
            return Ok(StatusCode::NOT_MODIFIED.into_response());
        }
        let at = |path: &str| self::document(rack, bmc, path);
        query::shape(query::Claims::ALL, &at, &mut document, &query)?;
        let mut response = plain(&document);
        put(&mut response, header::ETAG, &tag);
        put(&mut response, header::ALLOW, act::allowed(bmc, &segments));
        put(
            &mut response,
            header::LINK,
            "</redfish/v1/JsonSchemas>; rel=describedby",
        );
        return Ok(response);
    }
    if !door && by.as_ref().is_some_and(|by| !by.may(&segments)) {
        return Err(accounts::denied());
    }
    if parts.method == Method::POST && path == update::PUSH {
        return update::push(rack, bmc, &parts.headers, body).await;
    }
    let body = http_body_util::Limited::new(body, BODY).collect().await.map_err(|_| {
        error(
            StatusCode::PAYLOAD_TOO_LARGE,
            "PayloadTooLarge",
            "The supplied payload is too large.",
            &[],
        )
    })?;
    let body = body.to_bytes();
    let value: Value = if body.is_empty() {
        json!({})
    } else {
        serde_json::from_slice(&body).map_err(|_| {
            error(
                StatusCode::BAD_REQUEST,
                "MalformedJSON",
                "The request body was malformed JSON.",
                &[],
            )
        })?
    };
    if !act::allowed(bmc, &segments)
        .split(", ")
        .any(|m| m == parts.method.as_str())
    {
        let there = document(rack, bmc, &path).is_some() || act::is_action(&segments);
        return Err(if there {
            not_allowed(act::allowed(bmc, &segments))
        } else {
            missing(&path)
        });
    }
    let _one = rack.core(bmc).one_writes();
    if let Some(wanted) = parts.headers.get(header::IF_MATCH)
        && wanted.as_bytes() != b"*"
        && let Some(document) = document(rack, bmc, &path)
        && wanted.as_bytes() != etag(&document).as_bytes()
    {
        let text = "The ETag supplied did not match the ETag required to change this resource.";
        return Err(error(StatusCode::PRECONDITION_FAILED, "PreconditionFailed", text, &[]));
    }
    act::act(rack, bmc, &parts.method, &path, &segments, value, by.as_ref())
}

/// Who asks.
fn admitted(rack: &Emulated, bmc: Bmc, headers: &HeaderMap) -> Option<accounts::Account> {
    let core = rack.core(bmc);
    if let Some(token) = headers.get("x-auth-token").and_then(|v| v.to_str().ok()) {
        return core.by_token(token);
    }
    let basic = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
    let coded = basic.and_then(|v| v.strip_prefix("Basic "))?;
    let decoded = base64::engine::general_purpose::STANDARD.decode(coded.trim()).ok()?;
    let pair = String::from_utf8(decoded).ok()?;
    let (user, password) = pair.split_once(':')?;
    core.login(user, password)
}

/// The document at a path, when there is one.
pub(crate) fn document(rack: &Emulated, bmc: Bmc, path: &str) -> Option<Value> {
    let rest = path.trim_end_matches('/').strip_prefix("/redfish/v1")?;
    let segments: Vec<&str> = rest.split('/').filter(|s| !s.is_empty()).collect();
    let mut document = match (segments.as_slice(), bmc) {
        (["Systems", rest @ ..], Bmc::Server(i)) => system::get(rack, i, rest),
        (["Chassis", rest @ ..], Bmc::Server(i)) => chassis::get(rack, i, rest),
        (["PowerEquipment", rest @ ..], Bmc::Pdu(i)) => pdu::get(rack, i, rest),
        (["Chassis" | "PowerEquipment" | "ThermalEquipment", ..], Bmc::Equipment(i)) => {
            equipment::get(rack, i, &segments)
        }
        (["Managers", rest @ ..], _) => manager::get(rack, bmc, rest),
        (rest, _) => root::get(rack, bmc, rest),
    }?;
    if let Some(map) = document.as_object_mut() {
        let id = if segments.is_empty() {
            "/redfish/v1/".to_string()
        } else {
            format!("/redfish/v1{rest}")
        };
        map.insert("@odata.id".to_string(), Value::String(id));
    }
    Some(document)
}

fn etag(document: &Value) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, document.to_string().as_bytes());
    let hex: String = digest.as_ref()[..8].iter().map(|b| format!("{b:02x}")).collect();
    format!("\"{hex}\"")
}

/// A stream of events without a subscription, as captured boxes have it.
pub(crate) fn events(core: &core::BmcCore, headers: &HeaderMap) -> Response {
    let after = headers
        .get("last-event-id")
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.parse().ok());
    let (kept, live) = core.subscribe(after);
    let live = stream::unfold(live, |mut live| async move {
        loop {
            match live.recv().await {
                Ok(event) => return Some((event, live)),
                // the reader was too slow: it goes on with what is left
                Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {}
                Err(tokio::sync::broadcast::error::RecvError::Closed) => return None,
            }
        }
    });
    let all = stream::iter(kept)
        .chain(live)
        .map(|e| Ok::<_, Infallible>(Event::default().id(e.id.to_string()).data(e.event().to_string())));
    Sse::new(all)
        .keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
        .into_response()
}

pub(crate) fn typed(content: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(content));
    response
}

pub(crate) fn plain(value: &Value) -> Response {
    typed("application/json;charset=utf-8", Body::from(value.to_string()))
}

pub(crate) fn put(response: &mut Response, name: header::HeaderName, value: &str) {
    if let Ok(value) = value.parse() {
        response.headers_mut().insert(name, value);
    }
}

/// An error body (DSP0266 §8.6) with one message of the Base registry.
pub(crate) fn error(status: StatusCode, message: &str, text: &str, arguments: &[&str]) -> Response {
    let id = format!("Base.1.18.{message}");
    let body = json!({"error": {
        "code": id,
        "message": text,
        "@Message.ExtendedInfo": [{
            "@odata.type": "#Message.v1_2_0.Message",
            "MessageId": id,
            "Message": text,
            "MessageArgs": arguments,
            "MessageSeverity": "Critical",
            "Resolution": "Correct the request and submit it again.",
        }],
    }});
    let mut response = plain(&body);
    *response.status_mut() = status;
    response
}

pub(crate) fn missing(path: &str) -> Response {
    let text = format!("The resource at the URI '{path}' was not found.");
    error(StatusCode::NOT_FOUND, "ResourceMissingAtURI", &text, &[path])
}

pub(crate) fn not_allowed(allow: &str) -> Response {
    let text = "The HTTP method is not allowed on this resource.";
    let mut response = error(StatusCode::METHOD_NOT_ALLOWED, "OperationNotAllowed", text, &[]);
    put(&mut response, header::ALLOW, allow);
    response
}

/// A link.
pub(crate) fn at(path: impl AsRef<str>) -> Value {
    json!({"@odata.id": path.as_ref()})
}

/// A collection.
pub(crate) fn collection(kind: &str, name: &str, members: impl IntoIterator<Item = String>) -> Value {
    let members: Vec<Value> = members.into_iter().map(at).collect();
    json!({
        "@odata.type": format!("#{kind}.{kind}"),
        "Name": name,
        "Members@odata.count": members.len(),
        "Members": members,
    })
}

/// A healthy part that is there.
pub(crate) fn fine() -> Value {
    json!({"State": "Enabled", "Health": "OK"})
}

/// One decimal, as sensors have.
pub(crate) fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}
