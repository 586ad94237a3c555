//! The thin HTTP client of one Redfish service: retries, pace, circuit breaker, and the one gate that keeps
//! [`Mode::Observe`] honest. It knows requests and documents, nothing of systems or chassis. Below: [`session`] (who it
//! is to the service) and `refusal` (what was not answered well, in words).

mod refusal;
pub mod session;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_MATCH, LOCATION};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde_json::Value;
use tokio::time::Instant;

use crate::error::Error;
use crate::line::Line;
use crate::pace::Pace;
use crate::permit::{Credential, Mode, Permit};
use crate::redfish::json;
use crate::transport::{ByteStream, Limits, Transport, TransportError, Upgraded};
use refusal::MESSAGE;
use session::{Brakes, ROUNDS, Session};

/// For one exchange. The slowest good answer measured took 21 s.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// For one document. The largest measured, an expanded collection, has 2.4 MB.
pub const BODY_LIMIT: usize = 16 << 20;
/// Tries of a `GET` that fails in passing.
pub const TRIES: u32 = 3;
/// Pause before the second try; doubles.
pub const FIRST_BACKOFF: Duration = Duration::from_millis(500);
/// Longest `Retry-After` waited for here; longer ones are the caller's to wait for.
pub const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(10);
/// For the question whether a service that failed to answer something answers at all.
pub const PROBE_TIMEOUT: Duration = Duration::from_secs(10);
/// Where a service begins.
const ROOT: &str = "/redfish/v1/";
/// The kind of nearly every body.
const JSON: &str = "application/json";
/// Bytes a second that the slowest BMC takes.
const SLOWEST_UPLOAD: u64 = 50_000;

/// An answer whose status is a success.
#[derive(Debug)]
pub struct Answer {
    /// 2xx.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// The document; null for an empty body.
    pub body: Value,
}

impl Answer {
    /// `ETag` of the resource, from the header or the body (DSP0266 §6.5).
    pub fn etag(&self) -> Option<String> {
        let header = self.headers.get(ETAG).and_then(|v| v.to_str().ok());
        header.or_else(|| self.body["@odata.etag"].as_str()).map(str::to_owned)
    }

    /// `Location`, as a path of the service: the monitor of a task, or a new resource.
    pub fn location(&self) -> Option<String> {
        let raw = self.headers.get(LOCATION)?.to_str().ok()?;
        let local = raw
            .split_once("://")
            .and_then(|(_, rest)| rest.find('/').map(|i| &rest[i..]));
        json::path(local.unwrap_or(raw))
    }
}

/// One Redfish service.
pub struct Client {
    /// What is kept of every device.
    pub line: Line,
    transport: Arc<dyn Transport>,
    credential: Mutex<Credential>,
    session: tokio::sync::Mutex<Session>,
    brakes: Mutex<Brakes>,
    pace: Pace,
}

impl Client {
    /// A client for the service at `url`.
    pub fn new(url: &str, transport: Arc<dyn Transport>, credential: Credential, mode: Mode) -> Client {
        Client {
            line: Line::new(url.trim_end_matches('/'), mode),
            transport,
            credential: Mutex::new(credential),
            session: tokio::sync::Mutex::new(Session::Unknown),
            brakes: Mutex::default(),
            pace: Pace::default(),
        }
    }

    /// Requests that may be in flight now.
    pub fn limit(&self) -> usize {
        self.pace.limit()
    }

    /// Reads a document; tries again when it fails in passing.
    pub async fn get(&self, path: &str) -> Result<Answer, Error> {
        let mut backoff = FIRST_BACKOFF;
        for attempt in 1.. {
            let error = match self.exchange(Method::GET, path, None, None).await {
                Ok(answer) if answer.body.is_object() => return Ok(answer),
                Ok(_) => return Err(self.broken(path, "the document is empty or no object")),
                Err(e) => e,
            };
            let pause = match &error {
                Error::Busy {
                    retry_after: Some(d), ..
                } if *d > LONGEST_RETRY_AFTER => return Err(error),
                Error::Busy {
                    retry_after: Some(d), ..
                } => (*d).max(backoff),
                _ => backoff,
            };
            if attempt >= TRIES || !worth_another_try(&error) {
                return Err(error);
            }
            tokio::time::sleep(pause).await;
            backoff *= 2;
        }
        unreachable!("the loop returns")
    }

    /// Sends a `POST` once. A failure leaves open whether it was done: observe before repeating it.
    pub async fn post(&self, path: &str, body: &Value, permit: &Permit) -> Result<Answer, Error> {
        tracing::info!(bmc = %self.line.url(), path, audit = permit.key(), node = %permit.node(), "POST");
        self.exchange(Method::POST, path, Some((JSON, body.to_string().into())), None)
            .await
    }

    /// Sends a file once, in a body of its own kind. Slow BMCs take 50 kB a second, and so long it may take.
    pub async fn upload(&self, path: &str, kind: &str, body: Bytes, permit: &Permit) -> Result<Answer, Error> {
        tracing::info!(bmc = %self.line.url(), path, bytes = body.len(), audit = permit.key(), node = %permit.node(), "POST");
        self.exchange(Method::POST, path, Some((kind, body)), None).await
    }

    /// Changes a resource. `etag` guards against a change in between; when that is refused as out of date (412), a
    /// fresh one is fetched once. Where that is out of date too, the tag covers readings, which never stand still (Lenovo
    /// XCC's `Power`, community.general #11261): it guards nothing, and the change is made to whatever is there
    /// (RFC 9110 §13.1.1).
    pub async fn patch(&self, path: &str, body: &Value, etag: Option<&str>, permit: &Permit) -> Result<Answer, Error> {
        tracing::info!(bmc = %self.line.url(), path, audit = permit.key(), node = %permit.node(), "PATCH");
        let body = || Some((JSON, Bytes::from(body.to_string())));
        match self.exchange(Method::PATCH, path, body(), etag).await {
            // 428: the service insists on If-Match, which a GET without an ETag header can hide.
            Err(Error::Rejected { status: 412 | 428, .. }) => {
                let fresh = self.get(path).await?.etag();
                match self.exchange(Method::PATCH, path, body(), fresh.as_deref()).await {
                    Err(Error::Rejected { status: 412, .. }) if fresh.is_some() => {
                        self.exchange(Method::PATCH, path, body(), Some("*")).await
                    }
                    other => other,
                }
            }
            other => other,
        }
    }

    /// Opens a body that keeps coming.
    pub async fn stream(&self, path: &str, last_event_id: Option<&str>) -> Result<ByteStream, Error> {
        self.gate(&Method::GET, path)?;
        let mut request = self.request(Method::GET, path, JSON, Bytes::new())?;
        request
            .headers_mut()
            .insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        if let Some(id) = last_event_id.and_then(|id| HeaderValue::from_str(id).ok()) {
            request.headers_mut().insert("Last-Event-ID", id);
        }
        self.authorize(&mut request, path).await?;
        let limits = Limits {
            timeout: REQUEST_TIMEOUT,
            body: BODY_LIMIT,
        };
        let answer = self
            .transport
            .stream(request, limits)
            .await
            .map_err(|e| self.transport_error(path, e))?;
        if !answer.status().is_success() {
            return Err(self.status_error(path, answer.status(), answer.headers(), b""));
        }
        Ok(answer.into_body())
    }

    /// Asks for another protocol on the connection (RFC 9110 §7.8), with the service's own login.
    pub async fn upgrade(
        &self,
        method: Method,
        path: &str,
        headers: impl IntoIterator<Item = (http::HeaderName, HeaderValue)>,
    ) -> Result<(http::response::Parts, Upgraded), Error> {
        self.gate(&method, path)?;
        let mut request = self.request(method, path, JSON, Bytes::new())?;
        request.headers_mut().extend(headers);
        self.authorize(&mut request, path).await?;
        self.line.count();
        let limits = Limits {
            timeout: REQUEST_TIMEOUT,
            body: MESSAGE,
        };
        let answer = self.transport.upgrade(request, limits).await;
        let (head, switched) = answer.map_err(|e| self.transport_error(path, e))?.into_parts();
        match switched {
            Some(io) => Ok((head, io)),
            None if head.status.is_success() => Err(self.broken(path, "it answers without switching protocols")),
            None => Err(self.status_error(path, head.status, &head.headers, b"")),
        }
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, Bytes)>,
        etag: Option<&str>,
    ) -> Result<Answer, Error> {
        for round in 0..ROUNDS {
            let (kind, bytes) = body.clone().unwrap_or((JSON, Bytes::new()));
            let mut request = self.request(method.clone(), path, kind, bytes)?;
            if let Some(tag) = etag.and_then(|t| HeaderValue::from_str(t).ok()) {
                request.headers_mut().insert(IF_MATCH, tag);
            }
            // The root may be read by anyone (DSP0266 §9.2), but some services ask for a password even there.
            let token = self.authorize(&mut request, path).await?;
            let result = self.send(request, path).await;
            match (&result, token) {
                // A session that timed out: 401 says that nothing was done, so even a POST may be repeated.
                (Err(Error::Unauthorized { .. }), Some(used))
                    if round + 1 < ROUNDS && self.renew(&used, round == 0).await => {}
                (Err(Error::Unauthorized { .. }), token) => {
                    self.refused(token.is_some());
                    return result;
                }
                (Ok(_), _) if !is_root(path) => {
                    self.accepted();
                    return result;
                }
                _ => return result,
            }
        }
        unreachable!("the last round returns")
    }

    fn request(&self, method: Method, path: &str, kind: &str, body: Bytes) -> Result<http::Request<Bytes>, Error> {
        let mut builder = http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.line.url()));
        builder = builder
            .header(ACCEPT, "application/json")
            .header("OData-Version", "4.0");
        if !body.is_empty() {
            builder = builder.header(CONTENT_TYPE, kind);
        }
        builder
            .body(body)
            .map_err(|e| self.unreachable(path, &format!("not an address: {e}")))
    }

    /// The gate of invariant I4: nothing passes but `GET`, unless the driver is armed.
    fn gate(&self, method: &Method, path: &str) -> Result<(), Error> {
        if method != Method::GET && self.line.mode() == Mode::Observe {
            let (address, path) = (self.line.url().to_owned(), path.to_owned());
            return Err(Error::NotArmed {
                address,
                method: method.to_string(),
                path,
            });
        }
        self.line
            .breaker
            .admit(Instant::now())
            .map_err(|why| self.unreachable(path, &why))
    }

    /// What the service answers, as it came and whatever its status: for captures. Tries again when it fails in passing,
    /// and is an error only when there was no answer, or when user and password are refused from the start.
    pub async fn raw(&self, path: &str) -> Result<http::Response<Bytes>, Error> {
        let mut backoff = FIRST_BACKOFF;
        for attempt in 1.. {
            let mut request = self.request(Method::GET, path, JSON, Bytes::new())?;
            self.authorize(&mut request, path).await?;
            match self.deliver(request, path).await {
                Ok((head, body)) => {
                    if head.status == StatusCode::UNAUTHORIZED && !self.is_known() {
                        self.refused(false);
                        return Err(self.status_error(path, head.status, &head.headers, &body));
                    }
                    if head.status.is_success() {
                        self.pace.eased();
                        if !is_root(path) {
                            self.accepted();
                        }
                    }
                    let busy = matches!(head.status.as_u16(), 429 | 502 | 503 | 504);
                    if !busy || attempt >= TRIES {
                        return Ok(http::Response::from_parts(head, body));
                    }
                    self.pace.strained();
                }
                Err(error) if attempt >= TRIES || !worth_another_try(&error) => return Err(error),
                Err(_) => {}
            }
            tokio::time::sleep(backoff).await;
            backoff *= 2;
        }
        unreachable!("the loop returns")
    }

    /// The one place where a request leaves.
    async fn deliver(
        &self,
        request: http::Request<Bytes>,
        path: &str,
    ) -> Result<(http::response::Parts, Bytes), Error> {
        let _place = self.pace.enter().await;
        self.gate(request.method(), path)?;
        self.line.count();
        let uploading = Duration::from_secs(request.body().len() as u64 / SLOWEST_UPLOAD);
        let limits = Limits {
            timeout: REQUEST_TIMEOUT + uploading,
            body: BODY_LIMIT,
        };
        // The transport keeps the time too; this one holds for every transport and under a paused clock.
        let result = tokio::time::timeout(limits.timeout, self.transport.send(request, limits))
            .await
            .unwrap_or(Err(TransportError::Timeout));
        let answer = match result {
            Ok(answer) => answer,
            Err(e) => {
                self.missed(path, &e).await;
                return Err(self.transport_error(path, e));
            }
        };
        self.line.breaker.answered(Instant::now());
        Ok(answer.into_parts())
    }

    /// An exchange failed. What fails three times in a row may be a service that is gone, or one resource that it can't
    /// give: before all others are left unasked for it, the root is asked whether anyone is there.
    async fn missed(&self, path: &str, e: &TransportError) {
        match e {
            TransportError::Timeout | TransportError::Failed(_) => {}
            TransportError::TooLarge(_) => return self.line.breaker.answered(Instant::now()),
            TransportError::CertificateChanged { .. } => return,
        }
        self.pace.strained();
        if !is_root(path) && self.line.breaker.is_at_the_brink() && self.answers_at_all().await {
            self.line.breaker.answered(Instant::now());
        } else {
            self.line.breaker.failed(Instant::now(), &e.to_string());
        }
    }

    /// Whether the root is answered, whatever the answer. It is open to anyone (DSP0266 §13.1), so no password is sent.
    async fn answers_at_all(&self) -> bool {
        let Ok(request) = self.request(Method::GET, ROOT, JSON, Bytes::new()) else {
            return false;
        };
        self.line.count();
        let limits = Limits {
            timeout: PROBE_TIMEOUT,
            body: BODY_LIMIT,
        };
        let answer = tokio::time::timeout(limits.timeout, self.transport.send(request, limits)).await;
        matches!(answer, Ok(Ok(_)))
    }

    /// Sends a request and reads the answer, which must be a success.
    pub async fn send(&self, request: http::Request<Bytes>, path: &str) -> Result<Answer, Error> {
        let (head, body) = self.deliver(request, path).await?;
        if !head.status.is_success() {
            let error = self.status_error(path, head.status, &head.headers, &body);
            if matches!(error, Error::Busy { .. }) {
                self.pace.strained();
            }
            return Err(error);
        }
        self.pace.eased();
        // Nothing compressed was asked for, and what swells is never unpacked.
        if let Some(how) = head.headers.get(CONTENT_ENCODING).filter(|how| *how != "identity") {
            let how = String::from_utf8_lossy(how.as_bytes())
                .chars()
                .take(20)
                .collect::<String>();
            return Err(self.broken(path, &format!("it is packed ({how:?}), which was not asked for")));
        }
        let body = if body.iter().all(u8::is_ascii_whitespace) {
            Value::Null
        } else {
            match json::parse(&body) {
                Ok(v) => v,
                // sushy-tools and others answer a write with a text; the status counts.
                Err(_) if head.status != StatusCode::OK => Value::Null,
                Err(what) => return Err(self.broken(path, &what)),
            }
        };
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body,
        })
    }
}

/// Whether the same question, asked again at once, may do better. One that was silent for [`REQUEST_TIMEOUT`] has not failed
/// in passing, and asking it two more times holds its caller for minutes.
fn worth_another_try(error: &Error) -> bool {
    error.is_transient() && !matches!(error, Error::Timeout { .. })
}

fn is_root(path: &str) -> bool {
    path.trim_end_matches('/') == "/redfish/v1"
}
