//! The console's files, and what a browser is told with every answer.
//!
//! `console/dist` is inside the binary: nothing is read from a disk, so no path leads out of it. A page's path is not a
//! file's: whatever has no dot in its last step is the one page, which reads its own address.

use std::collections::HashMap;
use std::io::Write as _;
use std::sync::OnceLock;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, REFERRER_POLICY,
    VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use control::House;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::drawing;
use crate::elevation::{hash_tag, matches};
use crate::problem::Problem;

/// Scripts, styles and pictures of our own and nothing else; no frame around us (CSP Level 3).
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
     font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// The page.
const INDEX: &str = "index.html";
/// Where the build puts files whose names change with their content.
const HASHED: &str = "assets/";

#[derive(rust_embed::RustEmbed)]
#[folder = "../../console/dist"]
struct Dist;

/// One file as it is answered.
#[derive(Debug, Clone)]
pub struct Asset {
    plain: Bytes,
    gzip: Option<Bytes>,
    tag: String,
    kind: &'static str,
    cache: &'static str,
}

/// Files by their path below the root.
#[derive(Debug, Default)]
pub struct Assets(HashMap<String, Asset>);

impl Assets {
    /// What is built into this binary.
    pub fn built() -> &'static Assets {
        static BUILT: OnceLock<Assets> = OnceLock::new();
        BUILT.get_or_init(|| {
            let file = |name: std::borrow::Cow<'static, str>| {
                let bytes = Dist::get(&name)?.data;
                let bytes = match bytes {
                    std::borrow::Cow::Borrowed(bytes) => Bytes::from_static(bytes),
                    std::borrow::Cow::Owned(bytes) => bytes.into(),
                };
                Some((name.into_owned(), bytes))
            };
            Assets::of(Dist::iter().filter_map(file))
        })
    }

    /// These files.
    pub fn of(files: impl Iterator<Item = (String, Bytes)>) -> Assets {
        // what keeps an empty folder is not of the console
        let shown = files.filter(|(name, _)| !name.split('/').any(|step| step.starts_with('.')));
        let asset = |(name, plain): (String, Bytes)| {
            let asset = Asset {
                gzip: smaller(&plain),
                tag: hash_tag("", &plain),
                kind: kind(&name),
                cache: if name.starts_with(HASHED) {
                    "public, max-age=31536000, immutable"
                } else {
                    "no-cache"
                },
                plain,
            };
            (name, asset)
        };
        Assets(shown.map(asset).collect())
    }

    /// The file at a path, or the page when the path is a page's; nothing when there is neither.
    fn at(&self, path: &str) -> Option<&Asset> {
        let path = path.trim_start_matches('/');
        let file = self.0.get(path).filter(|_| !path.is_empty());
        let last = path.rsplit('/').next().unwrap_or_default();
        file.or_else(|| self.0.get(INDEX).filter(|_| !last.contains('.')))
    }

    #[cfg(test)]
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// Compressed, when that makes it smaller.
fn smaller(plain: &[u8]) -> Option<Bytes> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(plain).ok()?;
    let packed = gzip.finish().ok()?;
    (packed.len() < plain.len()).then(|| packed.into())
}

fn kind(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/vnd.microsoft.icon",
        Some("woff2") => "font/woff2",
        Some("json" | "map") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

impl Asset {
    fn answer(&self, headers: &HeaderMap, method: &Method) -> Response {
        let mut answer = Response::new(Body::empty());
        let packed = self.gzip.as_ref().filter(|_| takes_gzip(headers));
        // a strong validator is of one encoding (RFC 9110 §8.8.3.3)
        let tag = match packed {
            Some(_) => self.tag.trim_end_matches('"').to_owned() + "-gz\"",
            None => self.tag.clone(),
        };
        let told = answer.headers_mut();
        let mut tell = |name, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                told.insert(name, value);
            }
        };
        tell(ETAG, &tag);
        tell(CACHE_CONTROL, self.cache);
        tell(VARY, "accept-encoding");
        if matches(headers, &tag) {
            *answer.status_mut() = StatusCode::NOT_MODIFIED;
            return answer;
        }
        tell(CONTENT_TYPE, self.kind);
        if packed.is_some() {
            tell(CONTENT_ENCODING, "gzip");
        }
        if method != Method::HEAD {
            *answer.body_mut() = Body::from(packed.unwrap_or(&self.plain).clone());
        }
        answer
    }
}

/// Whether the client reads gzip: named, and not refused by a weight of zero (RFC 9110 §12.5.3).
fn takes_gzip(headers: &HeaderMap) -> bool {
    let sent = headers
        .get_all(ACCEPT_ENCODING)
        .into_iter()
        .filter_map(|v| v.to_str().ok());
    sent.flat_map(|v| v.split(',')).any(|coding| {
        let mut words = coding.split(';').map(str::trim);
        let named = words.next().is_some_and(|c| c.eq_ignore_ascii_case("gzip"));
        let weight = words
            .find_map(|w| w.strip_prefix("q="))
            .and_then(|q| q.parse::<f64>().ok());
        named && weight != Some(0.0)
    })
}

/// What no other route takes: a file of the console, a rack's picture, a page.
pub async fn other(State(house): State<House>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    serve(Assets::built(), &house, &parts).await
}

/// The same, of given files.
pub async fn serve(assets: &Assets, house: &House, parts: &axum::http::request::Parts) -> Response {
    let path = parts.uri.path();
    let nothing = || Problem::not_found("route", "this path").into_response();
    if path == "/v1" || path.starts_with("/v1/") {
        return nothing();
    }
    if parts.method != Method::GET && parts.method != Method::HEAD {
        return Problem::new("BB0405", "this path does not take this method").into_response();
    }
    if let Some(asset) = assets.at(path) {
        return asset.answer(&parts.headers, &parts.method);
    }
    if let Some(rack) = path
        .strip_prefix('/')
        .and_then(|p| p.strip_suffix(".svg"))
        .filter(|r| !r.contains('/'))
    {
        return drawing::drawing(house, parts, rack).into_response();
    }
    if assets.0.is_empty() && path == "/" {
        return Problem::new("BB0301", "the console is not built into this busbar")
            .hint("cargo xtask console")
            .into_response();
    }
    nothing()
}

/// Tells the browser to guess nothing, to send our addresses nowhere, and to run nothing but what we made.
pub fn guard(answer: &mut Response) {
    let headers = answer.headers_mut();
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}
