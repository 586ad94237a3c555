//! What booting machines fetch over HTTP: iPXE's script, the boot kit, an image's blob; and where the agent reports.

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Extension, Path as UrlPath, Query, State};
use axum::http::header::{ACCEPT_RANGES, AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, IF_RANGE, RANGE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use rack::Order;
use rack::agent::AgentState;
use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;

use crate::desk::{Caller, Desk, DeskError};
use crate::ipxe;
use crate::serve::Peer;

/// The largest state that an agent posts: a machine with hundreds of disks.
const STATE: usize = 256 * 1024;
/// How long an agent's question may be held back.
const WAIT: Duration = Duration::from_secs(30);
/// Bytes that a blob is read in: large enough to keep a fast disk and a fast link busy, small enough for 1,000 at once.
const CHUNK: usize = 256 * 1024;

/// Files of the boot kit, held in memory: they are small, and sent to every machine that boots.
#[derive(Debug, Clone)]
pub struct Kit {
    files: Arc<Vec<(&'static str, Bytes)>>,
}

/// Why there is no kit.
#[derive(Debug, thiserror::Error)]
#[error("the boot kit in {folder} has no `{file}`: {source}; build one with `busbar kit build`")]
pub struct NoKit {
    folder: PathBuf,
    file: &'static str,
    source: io::Error,
}

/// The kit's files: kernel, initramfs with the agent, iPXE for BIOS and for UEFI.
const FILES: [&str; 4] = ["kernel", "initrd", "undionly.kpxe", "snponly.efi"];

impl Kit {
    /// Reads a kit's folder.
    pub fn load(folder: &Path) -> Result<Kit, NoKit> {
        let read = |file: &'static str| {
            let bytes = std::fs::read(folder.join(file));
            bytes.map(|b| (file, Bytes::from(b))).map_err(|source| NoKit {
                folder: folder.into(),
                file,
                source,
            })
        };
        Ok(Kit {
            files: Arc::new(FILES.into_iter().map(read).collect::<Result<_, _>>()?),
        })
    }

    /// A kit for racks whose firmware runs nothing of it: boot loaders only have to be there, for UEFI's HTTP boot too.
    pub fn in_memory(kernel: &'static [u8], initrd: &'static [u8]) -> Kit {
        let loader: &[u8] = b"stands for iPXE on an emulated rack";
        let files = [kernel, initrd, loader, loader].map(Bytes::from_static);
        Kit {
            files: Arc::new(FILES.into_iter().zip(files).collect()),
        }
    }

    /// What is served by TFTP: the boot loaders.
    pub fn tftp_files(&self) -> crate::tftp::Files {
        let loaders = self.files.iter().filter(|(name, _)| name.contains('.'));
        loaders
            .map(|(name, bytes)| ((*name).to_owned(), bytes.clone()))
            .collect()
    }

    fn get(&self, name: &str) -> Option<Bytes> {
        self.files.iter().find(|(n, _)| *n == name).map(|(_, b)| b.clone())
    }
}

struct Shared {
    desk: Arc<dyn Desk>,
    kit: Kit,
}

/// The routes. Every request carries a [`Peer`].
pub fn router(desk: Arc<dyn Desk>, kit: Kit) -> Router {
    Router::new()
        .route("/boot/script", get(script))
        .route("/boot/{file}", get(file))
        .route("/agent/v1/poll", post(poll))
        .route("/agent/v1/blob/{digest}", get(blob))
        .layer(axum::extract::DefaultBodyLimit::max(STATE))
        .with_state(Arc::new(Shared { desk, kit }))
}

#[derive(Debug, Default, Deserialize)]
struct Asked {
    mac: Option<String>,
    uuid: Option<String>,
    serial: Option<String>,
    platform: Option<String>,
}

async fn script(
    State(shared): State<Arc<Shared>>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Response {
    // The address that the caller reached us at is the one that it can reach us at.
    let host = headers
        .get("host")
        .and_then(|h| h.to_str().ok())
        .filter(|h| plain_host(h));
    let base = format!("http://{}", host.map_or_else(|| peer.local.to_string(), str::to_owned));
    let bare = asked.platform.is_none() && asked.mac.is_none();
    let text = if bare {
        ipxe::who(&base)
    } else {
        let caller = Caller {
            mac: asked.mac.as_deref().and_then(|m| m.parse().ok()),
            uuid: asked.uuid.filter(|u| u.len() <= 64),
            serial: asked.serial.filter(|s| s.len() <= 128),
            address: Some(peer.remote.ip()),
        };
        let next = shared.desk.next_boot(&caller);
        tracing::info!(from = %peer.remote.ip(), mac = ?caller.mac, agent = matches!(next, crate::desk::NextBoot::Agent { .. }), "netboot");
        ipxe::script(&next, &base, asked.platform.as_deref().unwrap_or_default(), caller.mac)
    };
    ([(CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
}

/// Whether a `Host` header can be put into a script as it is.
fn plain_host(host: &str) -> bool {
    !host.is_empty() && host.len() <= 64 && host.chars().all(|c| c.is_ascii_alphanumeric() || ".:-[]".contains(c))
}

async fn file(State(shared): State<Arc<Shared>>, UrlPath(name): UrlPath<String>) -> Response {
    match shared.kit.get(&name) {
        Some(bytes) => ([(CONTENT_TYPE, "application/octet-stream")], bytes).into_response(),
        None => problem(StatusCode::NOT_FOUND, "there is no such file in the boot kit"),
    }
}

#[derive(Debug, Default, Deserialize)]
struct Waits {
    #[serde(default)]
    wait: u64,
}

async fn poll(
    State(shared): State<Arc<Shared>>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    Query(waits): Query<Waits>,
    body: Bytes,
) -> Response {
    let Some(token) = bearer(&headers) else {
        return problem(StatusCode::UNAUTHORIZED, "a boot token is needed");
    };
    let state: AgentState = match serde_json::from_slice(&body) {
        Ok(state) => state,
        Err(error) => return problem(StatusCode::BAD_REQUEST, &format!("not an agent's state: {error}")),
    };
    let from: IpAddr = peer.remote.ip();
    let wait = Duration::from_secs(waits.wait).min(WAIT);
    let answer: Result<Order, DeskError> = shared.desk.poll(token, Some(from), state, wait).await;
    match answer {
        Ok(order) => Json(order).into_response(),
        Err(error) => refused(&error),
    }
}

async fn blob(State(shared): State<Arc<Shared>>, headers: HeaderMap, UrlPath(digest): UrlPath<String>) -> Response {
    let Some(token) = bearer(&headers) else {
        return problem(StatusCode::UNAUTHORIZED, "a boot token is needed");
    };
    let path = match shared.desk.blob(token, &digest) {
        Ok(path) => path,
        Err(error) => return refused(&error),
    };
    // No validator was given that a condition could name, so none holds (RFC 9110 §13.1.5).
    let range = headers.get(RANGE).filter(|_| !headers.contains_key(IF_RANGE));
    match send_file(&path, range.and_then(|r| r.to_str().ok())).await {
        Ok(response) => response,
        Err(error) => {
            tracing::error!(%digest, %error, "a blob can't be read");
            problem(StatusCode::SERVICE_UNAVAILABLE, "the blob can't be read now")
        }
    }
}

/// A file, or a range of it (RFC 9110 §14): a broken download goes on where it ended.
async fn send_file(path: &Path, range: Option<&str>) -> io::Result<Response> {
    let mut file = tokio::fs::File::open(path).await?;
    let size = file.metadata().await?.len();
    let part = match part(range, size) {
        Part::Whole => None,
        Part::Bytes(first, last) => Some((first, last)),
        Part::Beyond => {
            let whole = [(CONTENT_RANGE, format!("bytes */{size}"))];
            return Ok((StatusCode::RANGE_NOT_SATISFIABLE, whole).into_response());
        }
    };
    let (from, length) = part.map_or((0, size), |(first, last)| (first, last - first + 1));
    file.seek(io::SeekFrom::Start(from)).await?;
    let body = Body::from_stream(ReaderStream::with_capacity(file.take(length), CHUNK));
    let mut response = Response::builder()
        .header(CONTENT_TYPE, "application/octet-stream")
        .header(ACCEPT_RANGES, "bytes")
        .header(CONTENT_LENGTH, length);
    if let Some((first, last)) = part {
        response = response
            .status(StatusCode::PARTIAL_CONTENT)
            .header(CONTENT_RANGE, format!("bytes {first}-{last}/{size}"));
    }
    response.body(body).map_err(io::Error::other)
}

/// What of a file is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// All of it.
    Whole,
    /// From the first byte to the last, both included.
    Bytes(u64, u64),
    /// Nothing that it has.
    Beyond,
}

/// Reads a `Range` header. One that is malformed, or of another unit, is as good as none (RFC 9110 §14.2), and so is one of
/// several ranges: a server may ignore any.
fn part(range: Option<&str>, size: u64) -> Part {
    let Some((first, last)) = range.and_then(|r| {
        let (unit, set) = r.split_once('=')?;
        unit.eq_ignore_ascii_case("bytes").then_some(())?;
        set.trim_matches([' ', '\t']).split_once('-')
    }) else {
        return Part::Whole;
    };
    // A number too large for us is larger than any file.
    let number = |digits: &str| {
        let some = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        some.then(|| digits.parse().unwrap_or(u64::MAX))
    };
    match (number(first), number(last)) {
        (None, Some(suffix)) if first.is_empty() => match suffix.min(size) {
            0 => Part::Beyond,
            length => Part::Bytes(size - length, size - 1),
        },
        (Some(first), Some(last)) if last < first => Part::Whole,
        (Some(first), Some(_)) if first >= size => Part::Beyond,
        (Some(first), Some(last)) => Part::Bytes(first, last.min(size - 1)),
        (Some(first), None) if last.is_empty() && first >= size => Part::Beyond,
        (Some(first), None) if last.is_empty() => Part::Bytes(first, size - 1),
        _ => Part::Whole,
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers
        .get(AUTHORIZATION)?
        .to_str()
        .ok()?
        .strip_prefix("Bearer ")
        .filter(|t| t.len() <= 512)
}

fn refused(error: &DeskError) -> Response {
    let status = match error {
        DeskError::Refused(_) => StatusCode::FORBIDDEN,
        DeskError::Missing(_) => StatusCode::NOT_FOUND,
        DeskError::Later(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    problem(status, &error.to_string())
}

fn problem(status: StatusCode, detail: &str) -> Response {
    let body = serde_json::json!({ "status": status.as_u16(), "detail": detail });
    (status, [(CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::testing::TestDesk;
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;

    async fn ask(
        file: &Path,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> (StatusCode, HeaderMap, String) {
        let desk = TestDesk::with_blob(file);
        let mut request = http::Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Body::from(body)).expect("a request");
        request.extensions_mut().insert(Peer {
            local: "10.77.0.1:7480".parse().expect("parses"),
            remote: "10.77.0.50:4000".parse().expect("parses"),
        });
        let kit = Kit::in_memory(b"the kernel", b"the initrd");
        let answer = router(Arc::new(desk), kit).oneshot(request).await.expect("is answered");
        let (head, body) = answer.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        (
            head.status,
            head.headers,
            String::from_utf8(body.to_vec()).expect("text"),
        )
    }

    #[tokio::test]
    async fn a_script_leads_back_to_the_host_that_was_asked() {
        for (host, base) in [
            ("boot.example:80", "http://boot.example:80/"),
            ("evil host ${x}", "http://10.77.0.1:7480/"),
            ("", "http://10.77.0.1:7480/"),
        ] {
            for path in ["/boot/script", "/boot/script?mac=52-54-00-00-00-01&platform=efi"] {
                let (status, _, text) = ask(Path::new(""), "GET", path, &[("host", host)], Vec::new()).await;
                assert_eq!(status, StatusCode::OK);
                assert!(
                    text.starts_with("#!ipxe") && text.contains(base) && !text.contains("evil"),
                    "{text}"
                );
            }
        }
    }

    #[tokio::test]
    async fn the_kit_has_its_files_and_no_others() {
        let (status, _, text) = ask(Path::new(""), "GET", "/boot/kernel", &[], Vec::new()).await;
        assert_eq!((status, text.as_str()), (StatusCode::OK, "the kernel"));
        for path in ["/boot/none", "/boot/..%2fkernel"] {
            assert_eq!(
                ask(Path::new(""), "GET", path, &[], Vec::new()).await.0,
                StatusCode::NOT_FOUND
            );
        }
    }

    #[tokio::test]
    async fn a_poll_needs_a_token_that_holds_and_a_state_of_bounded_size() {
        let state = serde_json::to_vec(&AgentState {
            boot_id: "b".into(),
            version: "1".into(),
            hardware: rack::agent::FoundHardware::default(),
            work: rack::agent::Work::Ready,
        })
        .expect("is written");
        let (good, old) = (("authorization", "Bearer good"), ("authorization", "Bearer old"));
        for (headers, body, want) in [
            (vec![], state.clone(), 401),
            (vec![("authorization", "Basic good")], state.clone(), 401),
            (vec![old], state.clone(), 403),
            (vec![good], b"{}".to_vec(), 400),
            (vec![good], vec![b' '; STATE + 1], 413),
            (vec![good], state, 200),
        ] {
            let (status, ..) = ask(Path::new(""), "POST", "/agent/v1/poll", &headers, body).await;
            assert_eq!(status.as_u16(), want, "{headers:?}");
        }
    }

    #[tokio::test]
    async fn a_blob_is_sent_whole_or_from_where_a_download_ended() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("blob");
        std::fs::write(&file, b"0123456789").expect("is written");
        let good = ("authorization", "Bearer good");
        for (range, status, about, text) in [
            (None, 200, None, "0123456789"),
            (Some("bytes=4-"), 206, Some("bytes 4-9/10"), "456789"),
            (Some("bytes=2-5"), 206, Some("bytes 2-5/10"), "2345"),
            (Some("bytes=-3"), 206, Some("bytes 7-9/10"), "789"),
            (Some("bytes=10-"), 416, Some("bytes */10"), ""),
            (Some("nonsense"), 200, None, "0123456789"),
        ] {
            let mut headers = vec![good];
            headers.extend(range.map(|r| ("range", r)));
            let (got, head, body) = ask(&file, "GET", "/agent/v1/blob/file", &headers, Vec::new()).await;
            assert_eq!((got.as_u16(), body.as_str()), (status, text), "{range:?}");
            assert_eq!(
                head.get(CONTENT_RANGE).map(|h| h.to_str().expect("text")),
                about,
                "{range:?}"
            );
        }
        let conditional = [good, ("range", "bytes=4-"), ("if-range", "\"x\"")];
        assert_eq!(
            ask(&file, "GET", "/agent/v1/blob/file", &conditional, Vec::new())
                .await
                .0,
            StatusCode::OK
        );
        assert_eq!(
            ask(&file, "GET", "/agent/v1/blob/none", &[good], Vec::new()).await.0,
            StatusCode::NOT_FOUND
        );
        assert_eq!(
            ask(&file, "GET", "/agent/v1/blob/file", &[], Vec::new()).await.0,
            StatusCode::UNAUTHORIZED
        );
    }

    #[test]
    fn ranges_are_read_as_rfc_9110_says() {
        use Part::{Beyond, Bytes as Some_, Whole};
        for (range, size, want) in [
            ("bytes=0-0", 10, Some_(0, 0)),
            ("Bytes=8-99", 10, Some_(8, 9)),
            ("bytes=-99", 10, Some_(0, 9)),
            ("bytes=0-99999999999999999999999", 10, Some_(0, 9)),
            ("bytes=99999999999999999999999-", 10, Beyond),
            ("bytes=-0", 10, Beyond),
            ("bytes=-5", 0, Beyond),
            ("bytes=0-", 0, Beyond),
            ("bytes=5-2", 10, Whole),
            ("bytes=+1-2", 10, Whole),
            ("bytes=-", 10, Whole),
            ("bytes=1-2,4-5", 10, Whole),
            ("bytes=x-", 10, Whole),
            ("lines=1-2", 10, Whole),
        ] {
            assert_eq!(part(Some(range), size), want, "{range} of {size}");
        }
    }
}
