//! Talks to the daemon's API, and says what went wrong as the API does.

use std::time::Duration;

use anyhow::Result;
use api::problem::Problem;
use reqwest::{Method, Response};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::cli::Cli;
use crate::context::{self, Context};

/// A command that failed: what it exits with is in the problem's code.
#[derive(Debug)]
pub struct Failure(pub Box<Problem>);

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.detail)
    }
}

impl std::error::Error for Failure {}

/// A failure of this code.
pub fn fail(code: &str, detail: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
    Failure(Box::new(Problem::new(code, detail).hint(hint))).into()
}

/// Longest answer that is read into memory: 2,000 nodes are 20 MB.
const ANSWER: usize = 256 << 20;
/// Longest that a connection takes to be made.
const CONNECT: Duration = Duration::from_secs(5);
/// Longest that an answer takes: the API's own bound for slow work and some.
const TIMEOUT: Duration = Duration::from_secs(3700);

/// The daemon.
pub struct Client {
    http: reqwest::Client,
    url: String,
    token: String,
}

impl Client {
    /// From the context file and what overrides it.
    pub fn new(cli: &Cli) -> Result<Client> {
        let path = Context::path();
        let context = Context::load(&path)?;
        let token = match (&cli.token_file, std::env::var("BUSBAR_TOKEN")) {
            (Some(file), _) => Some(std::fs::read_to_string(file).map_err(|e| {
                fail(
                    "BB0101",
                    format!("{} can't be read: {e}", file.display()),
                    "busbar token show-context",
                )
            })?),
            (None, Ok(token)) => Some(token),
            _ => context.as_ref().map(|c| c.token.clone()),
        };
        let Some(url) = cli.url.clone().or_else(|| context.as_ref().map(|c| c.url.clone())) else {
            let what = format!("no daemon is known: there is no {}", path.display());
            return Err(fail("BB0601", what, "busbar up --emulate"));
        };
        let mut roots = Vec::new();
        if let Some(pem) = context.as_ref().and_then(|c| c.ca_pem.as_ref()) {
            roots = reqwest::Certificate::from_pem_bundle(pem.as_bytes())?;
        }
        let http = reqwest::Client::builder()
            .tls_certs_only(roots)
            .no_proxy()
            .connect_timeout(CONNECT)
            .timeout(TIMEOUT)
            .build()?;
        let token = token.unwrap_or_default().trim().to_owned();
        Ok(Client {
            http,
            url: url.trim_end_matches('/').to_owned(),
            token,
        })
    }

    /// The link that logs a browser in with this client's token.
    pub fn link(&self) -> Result<String> {
        if self.token.is_empty() {
            let what = "there is no token to log in with";
            return Err(fail("BB0201", what, "busbar token show-context"));
        }
        context::link(&self.url, &self.token)
    }

    /// Sends a request; an answer that is no success is a [`Failure`].
    pub async fn send(&self, method: Method, path: &str, body: Option<&Value>, accept: &str) -> Result<Response> {
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.url))
            .bearer_auth(&self.token)
            .header("accept", accept);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.map_err(|e| {
            let reason = std::iter::successors(std::error::Error::source(&e), |s| s.source()).last();
            let reason = reason.map_or_else(|| e.to_string(), ToString::to_string);
            fail(
                "BB0601",
                format!("no daemon answers at {}: {reason}", self.url),
                "busbar up",
            )
        })?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let status = answer.status();
        let bytes = read(answer).await?;
        let problem = serde_json::from_slice::<Problem>(&bytes)
            .unwrap_or_else(|_| Problem::new("BB0502", format!("{} answered {status}", self.url)));
        Err(Failure(Box::new(problem)).into())
    }

    /// A request and its JSON answer (null for none).
    pub async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value> {
        let answer = self.send(method, path, body.as_ref(), "application/json").await?;
        let bytes = read(answer).await?;
        Ok(if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes)?
        })
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Result<Value> {
        self.call(Method::GET, path, None).await
    }

    /// A long poll: what it is, and the count to wait on next.
    pub async fn poll<T: DeserializeOwned>(
        &self,
        path: &str,
        after: Option<u64>,
        wait: u64,
    ) -> Result<(T, Option<u64>)> {
        let query = after.map(|a| format!("?after={a}&wait={wait}")).unwrap_or_default();
        let answer = self
            .send(Method::GET, &format!("{path}{query}"), None, "application/json")
            .await?;
        let change = answer.headers().get("busbar-change").and_then(|v| v.to_str().ok());
        let change = change.and_then(|v| v.parse().ok());
        Ok((serde_json::from_slice(&read(answer).await?)?, change))
    }
}

/// The body of an answer, bounded.
pub async fn read(mut answer: Response) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        if bytes.len() + chunk.len() > ANSWER {
            return Err(fail("BB0502", "the answer is larger than 256 MiB", "busbar doctor"));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}
