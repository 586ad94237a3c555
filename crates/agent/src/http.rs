//! The daemon over HTTP: `POST /agent/v1/poll?wait=SECONDS` and blobs by range, with the boot's bearer token.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use futures_util::StreamExt;
use rack::agent::{AgentState, Order};
use reqwest::{Client, Response, StatusCode, Url};

use crate::seam::{Blob, Daemon, DaemonError, Future};

/// A connection that does not come about in this time is tried again.
const CONNECT: Duration = Duration::from_secs(5);
/// Largest answer to a poll: an order is under a KiB.
const ORDER_LIMIT: usize = 64 << 10;

/// The daemon at a URL. The token is never printed.
pub struct HttpDaemon {
    client: Client,
    url: Url,
    token: String,
}

impl fmt::Debug for HttpDaemon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpDaemon")
            .field("url", &self.url.as_str())
            .finish_non_exhaustive()
    }
}

/// A daemon that can't be spoken to at all.
#[derive(Debug, thiserror::Error)]
#[error("cannot speak to the daemon at {url}: {why}; give busbar.url=http://ADDRESS:PORT")]
pub struct BadDaemon {
    url: String,
    why: String,
}

impl HttpDaemon {
    /// The daemon at `url`, whose host is an address: there is no resolver in the boot kit.
    pub fn new(url: &str, token: &str) -> Result<HttpDaemon, BadDaemon> {
        HttpDaemon::bound(url, token, None)
    }

    /// The same, spoken to from a given local address (as an emulated server on a loopback address does).
    pub fn bound(url: &str, token: &str, local: Option<IpAddr>) -> Result<HttpDaemon, BadDaemon> {
        let bad = |why: String| BadDaemon {
            url: url.to_string(),
            why,
        };
        let parsed = Url::parse(url).map_err(|e| bad(e.to_string()))?;
        match parsed.host_str() {
            Some(host) if host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() => {}
            _ => return Err(bad("its host is not an IP address".to_string())),
        }
        // Err: someone installed a provider before, which is as good
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .no_proxy()
            .tls_certs_only([])
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .tcp_keepalive(Duration::from_secs(15))
            .local_address(local)
            .build()
            .map_err(|e| bad(chain(&e)))?;
        Ok(HttpDaemon {
            client,
            url: parsed,
            token: token.to_string(),
        })
    }

    fn at(&self, path: &str) -> Result<Url, DaemonError> {
        let url = self
            .url
            .join(path)
            .map_err(|e| DaemonError::Unreachable(format!("bad path {path}: {e}")))?;
        // a path that names another host would carry the token to it
        if url.origin() != self.url.origin() {
            return Err(DaemonError::Refused(format!("{path} leads away from the daemon")));
        }
        Ok(url)
    }

    async fn ask(&self, state: &AgentState, wait: Duration) -> Result<Order, DaemonError> {
        let mut url = self.at("/agent/v1/poll")?;
        url.query_pairs_mut().append_pair("wait", &wait.as_secs().to_string());
        let answer = self
            .client
            .post(url)
            .bearer_auth(&self.token)
            .json(state)
            .send()
            .await
            .map_err(unreachable)?;
        let mut answer = accept(answer, StatusCode::OK)?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > ORDER_LIMIT {
                return Err(DaemonError::Unreachable(format!(
                    "its answer is longer than {ORDER_LIMIT} bytes"
                )));
            }
            body.extend_from_slice(&chunk);
        }
        serde_json::from_slice(&body).map_err(|e| DaemonError::Unreachable(format!("its answer is not an order: {e}")))
    }

    async fn open(&self, path: &str, offset: u64) -> Result<Blob, DaemonError> {
        let mut request = self.client.get(self.at(path)?).bearer_auth(&self.token);
        let mut expected = StatusCode::OK;
        if offset > 0 {
            request = request.header("range", format!("bytes={offset}-"));
            expected = StatusCode::PARTIAL_CONTENT;
        }
        let answer = accept(request.send().await.map_err(unreachable)?, expected)?;
        if offset > 0 {
            let range = answer
                .headers()
                .get("content-range")
                .and_then(|v| v.to_str().ok())
                .unwrap_or_default();
            if !range.starts_with(&format!("bytes {offset}-")) {
                return Err(DaemonError::Unreachable(format!(
                    "asked for bytes from {offset}, got `{range}`"
                )));
            }
        }
        Ok(Box::pin(answer.bytes_stream().map(|chunk| chunk.map_err(unreachable))))
    }
}

impl Daemon for HttpDaemon {
    fn poll<'a>(&'a self, state: &'a AgentState, wait: Duration) -> Future<'a, Result<Order, DaemonError>> {
        Box::pin(self.ask(state, wait))
    }

    fn blob<'a>(&'a self, path: &'a str, offset: u64) -> Future<'a, Result<Blob, DaemonError>> {
        Box::pin(self.open(path, offset))
    }
}

/// 401, 403 and 410 say that this boot is not known (any more); all else may pass.
fn accept(answer: Response, expected: StatusCode) -> Result<Response, DaemonError> {
    match answer.status() {
        status if status == expected => Ok(answer),
        status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::GONE) => {
            Err(DaemonError::Refused(status.to_string()))
        }
        status => Err(DaemonError::Unreachable(format!("it answered {status}"))),
    }
}

fn unreachable(e: reqwest::Error) -> DaemonError {
    DaemonError::Unreachable(chain(&e))
}

/// An error with its causes, without the URL (whose query may hold what is not for logs).
fn chain(e: &dyn std::error::Error) -> String {
    let mut text = e.to_string();
    let mut source = e.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
