//! The metadata service: what a machine's own system asks about itself, in the dialects of EC2 and of NoCloud.
//!
//! Who asks is known by address alone, and gets the one [`Instance`] that the desk has for it; there is no path that
//! names another. It may not know how an instance came to be. User data may hold secrets: it goes to its machine and
//! into no log. Start at [`router`]; the content is made in `tree` and `nocloud`, both pure, and shown to
//! people by `preview`.

mod nocloud;
mod preview;
mod token;
mod tree;

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Extension, State};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use serde_json::json;

pub use preview::preview;
pub use token::{TTL_MAX_SECONDS, TokenKey};
pub use tree::VERSIONS;

use crate::desk::{Caller, Desk, Instance};
pub use crate::serve::Peer;

/// Carries a session token.
const TOKEN: &str = "x-aws-ec2-metadata-token";
/// Asks for a token's life, and tells it.
const TOKEN_TTL: &str = "x-aws-ec2-metadata-token-ttl-seconds";
/// Added by proxies: whoever shows it doesn't ask for itself.
const FORWARDED: &str = "x-forwarded-for";

const TOKEN_PATH: &str = "/latest/api/token";

struct Service {
    desk: Arc<dyn Desk>,
    key: TokenKey,
}

/// Serves `/`, `/nocloud/…`, and below each of [`VERSIONS`] EC2's tree. It needs a [`Peer`] among the request's
/// extensions.
pub fn router(desk: Arc<dyn Desk>, key: TokenKey) -> axum::Router {
    let mut router = axum::Router::new()
        .route("/", any(versions))
        .route(TOKEN_PATH, any(new_token))
        .route("/nocloud/{*file}", any(seed));
    for version in VERSIONS {
        router = router
            .route(&format!("/{version}"), any(read))
            .route(&format!("/{version}/"), any(read))
            .route(&format!("/{version}/{{*path}}"), any(read));
    }
    router.with_state(Arc::new(Service { desk, key }))
}

/// Somebody that the desk knows.
struct Known {
    caller: Caller,
    address: IpAddr,
    instance: Arc<Instance>,
}

impl Service {
    fn know(&self, peer: &Peer) -> Result<Known, Refusal> {
        // A socket that serves both families shows IPv4 callers as mapped addresses.
        let address = peer.remote.ip().to_canonical();
        let caller = Caller {
            address: Some(address),
            ..Caller::default()
        };
        let instance = self.desk.instance(&caller).ok_or_else(|| {
            tracing::debug!(%address, "metadata refused: no machine has this address");
            Refusal::new(
                StatusCode::NOT_FOUND,
                "no machine of this rack has the address that you ask from",
            )
        })?;
        Ok(Known {
            caller,
            address,
            instance,
        })
    }

    /// Somebody who may read: with a method that reads, and a token.
    fn authorise(&self, peer: &Peer, method: &Method, headers: &HeaderMap) -> Result<Known, Refusal> {
        only_reading(method)?;
        let known = self.know(peer)?;
        let token = headers.get(TOKEN).and_then(|v| v.to_str().ok()).unwrap_or_default();
        if self.key.opens(token, known.address, &known.instance.id) {
            Ok(known)
        } else {
            Err(Refusal::new(
                StatusCode::UNAUTHORIZED,
                "get a token with PUT /latest/api/token and show it in X-aws-ec2-metadata-token",
            ))
        }
    }
}

async fn new_token(
    State(service): State<Arc<Service>>,
    Extension(peer): Extension<Peer>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    if method != Method::PUT {
        return Err(Refusal::allowing("PUT"));
    }
    not_forwarded(&headers)?;
    let known = service.know(&peer)?;
    let asked = headers.get(TOKEN_TTL).and_then(|v| v.to_str().ok());
    let ttl = asked
        .and_then(|v| v.parse::<u64>().ok())
        .filter(|ttl| (1..=TTL_MAX_SECONDS).contains(ttl))
        .ok_or(Refusal::new(
            StatusCode::BAD_REQUEST,
            "say in X-aws-ec2-metadata-token-ttl-seconds for how many seconds, 1 to 21600",
        ))?;
    let mut answer = text(service.key.seal(known.address, &known.instance.id, ttl));
    answer.headers_mut().insert(TOKEN_TTL, HeaderValue::from(ttl));
    Ok(answer)
}

/// Versions are no secret of any machine, but the session protocol holds for them too.
async fn versions(
    State(service): State<Arc<Service>>,
    Extension(peer): Extension<Peer>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    service.authorise(&peer, &method, &headers)?;
    Ok(text(VERSIONS.join("\n")))
}

async fn read(
    State(service): State<Arc<Service>>,
    Extension(peer): Extension<Peer>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let known = service.authorise(&peer, &method, &headers)?;
    // The route's first segment is a version, and all versions are the same tree.
    let below_root = uri.path().trim_start_matches('/');
    let path = below_root.split_once('/').map_or("", |(_, path)| path);
    let tree = tree::tree(&known.instance);
    let missing = Refusal::new(StatusCode::NOT_FOUND, "there is no such metadata");
    let node = tree.find(path).ok_or(missing)?;
    service.desk.metadata_seen(&known.caller);
    if wants_json(&headers) {
        return Ok(answer(StatusCode::OK, "application/json", node.json().to_string()));
    }
    Ok(match path.trim_matches('/') {
        "user-data" => answer(StatusCode::OK, "application/octet-stream", node.text()),
        _ => text(node.text()),
    })
}

/// cloud-init's NoCloud can't show a token; a proxy on the machine is refused all the same.
async fn seed(
    State(service): State<Arc<Service>>,
    Extension(peer): Extension<Peer>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    only_reading(&method)?;
    not_forwarded(&headers)?;
    let known = service.know(&peer)?;
    let name = uri.path().strip_prefix("/nocloud/").unwrap_or_default();
    let file = nocloud::file(&known.instance, name.trim_matches('/')).ok_or(Refusal::new(
        StatusCode::NOT_FOUND,
        "a seed has meta-data, user-data, vendor-data and network-config",
    ))?;
    service.desk.metadata_seen(&known.caller);
    Ok(text(file))
}

fn only_reading(method: &Method) -> Result<(), Refusal> {
    match *method {
        Method::GET | Method::HEAD => Ok(()),
        _ => Err(Refusal::allowing("GET, HEAD")),
    }
}

fn not_forwarded(headers: &HeaderMap) -> Result<(), Refusal> {
    if headers.contains_key(FORWARDED) {
        return Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "this is only told to whoever asks for itself, not through a proxy",
        ));
    }
    Ok(())
}

fn wants_json(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok());
    accept.is_some_and(|accept| accept.split(',').any(|kind| kind.trim() == "application/json"))
}

/// An answer that refuses, as RFC 9457 writes it. All of it is fixed text: it can't tell what the caller didn't know.
#[derive(Clone, Copy)]
struct Refusal {
    status: StatusCode,
    detail: &'static str,
    allow: Option<&'static str>,
}

impl Refusal {
    const fn new(status: StatusCode, detail: &'static str) -> Self {
        let allow = None;
        Self { status, detail, allow }
    }

    const fn allowing(methods: &'static str) -> Self {
        Self {
            status: StatusCode::METHOD_NOT_ALLOWED,
            detail: "this can't be done here",
            allow: Some(methods),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or_default();
        let status = self.status.as_u16();
        let body = json!({"type": "about:blank", "title": title, "status": status, "detail": self.detail});
        let mut refused = answer(self.status, "application/problem+json", body.to_string());
        if let Some(methods) = self.allow {
            refused
                .headers_mut()
                .insert(header::ALLOW, HeaderValue::from_static(methods));
        }
        refused
    }
}

fn text(body: String) -> Response {
    answer(StatusCode::OK, "text/plain", body)
}

fn answer(status: StatusCode, kind: &'static str, body: String) -> Response {
    let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-store")];
    (status, headers, body).into_response()
}

#[cfg(test)]
mod tests;
