//! Pulling from a registry (distribution-spec v1.1 §Pulling; token protocol of the Docker registry).
//!
//! Nothing that a registry says is trusted: documents are bounded and checked against what pointed to them, and a blob
//! is cut off where its size was promised to end. It only fetches; `ingest` checks the blob's digest.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use reqwest::{Response, Url};
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::sync::mpsc::Sender;

use super::oci::{self, DEPTH_MAX, DOCKER_LIST, DOCKER_MANIFEST, DOCUMENT_MAX, Descriptor, INDEX, MANIFEST, Next};
use super::{Error, Login, Reference};

/// How long a registry may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long it may be silent, in an answer too.
const READ_TIMEOUT: Duration = Duration::from_secs(60);
/// Redirects that are followed: registries send blobs to a store of objects, some by way of another host.
const REDIRECTS_MAX: usize = 5;
/// How often a download that breaks off is taken up again without a byte of progress between.
const RETRIES_MAX: u32 = 5;
/// Pause before a download is taken up again; doubles each time.
const RETRY_PAUSE: Duration = Duration::from_millis(500);
/// Longest answer of a token service.
const TOKEN_ANSWER_MAX: u64 = 1 << 20;

/// One image in a registry, and what it takes to ask for it.
pub(super) struct Registry {
    client: reqwest::Client,
    reference: Reference,
    login: Option<Login>,
    scheme: &'static str,
    /// The `Authorization` that was found to work.
    authorization: Mutex<Option<HeaderValue>>,
}

impl Registry {
    pub(super) fn new(reference: Reference, login: Option<Login>, plain: bool) -> Result<Self, Error> {
        // A second call fails as there is a provider already, which is what is wanted.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let plain = plain || reference.is_loopback();
        let client = reqwest::Client::builder()
            .https_only(!plain)
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .redirect(reqwest::redirect::Policy::limited(REDIRECTS_MAX))
            .user_agent(concat!("busbar/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(fetching(&reference.to_string()))?;
        let scheme = if plain { "http" } else { "https" };
        Ok(Self {
            client,
            reference,
            login,
            scheme,
            authorization: Mutex::new(None),
        })
    }

    /// Follows the reference's documents to its disk.
    pub(super) async fn find_layer(&self) -> Result<Descriptor, Error> {
        let what = self.reference.to_string();
        let mut promised: Option<Descriptor> = None;
        for _ in 0..DEPTH_MAX {
            let digest = promised.as_ref().map(|d| &d.digest).or(self.reference.digest.as_ref());
            let place = digest.map_or_else(|| self.reference.tag.clone(), ToString::to_string);
            let bytes = self.document(&place).await?;
            match (&promised, digest) {
                (Some(promised), _) => promised.check(&bytes, &what)?,
                (None, Some(digest)) => {
                    Descriptor::new("", digest.clone(), bytes.len() as u64).check(&bytes, &what)?;
                }
                (None, None) => {}
            }
            match oci::follow(&bytes, None, &what)? {
                Next::Disk(layer) => return Ok(layer),
                Next::Document(next) => {
                    oci::bounded(&next, &what)?;
                    promised = Some(next);
                }
            }
        }
        Err(Error::NotADisk {
            what,
            why: "its indexes are nested too deeply".to_owned(),
        })
    }

    async fn document(&self, place: &str) -> Result<Vec<u8>, Error> {
        let accept = [INDEX, MANIFEST, DOCKER_LIST, DOCKER_MANIFEST].join(", ");
        let headers = HeaderMap::from_iter([(header::ACCEPT, value(&accept)?)]);
        let answer = self.get(&format!("manifests/{place}"), headers).await?;
        if answer.status() != StatusCode::OK {
            return Err(refused(&answer));
        }
        body(answer, DOCUMENT_MAX).await
    }

    /// Sends the blob's bytes, taking it up again where it breaks off.
    pub(super) async fn fetch(&self, layer: &Descriptor, chunks: Sender<Bytes>) -> Result<(), Error> {
        let path = format!("blobs/{}", layer.digest);
        let mut sent = 0;
        let mut retries = 0;
        loop {
            let before = sent;
            let broken = match self.fetch_from(&path, layer.size, &mut sent, &chunks).await {
                Ok(()) if sent == layer.size => return Ok(()),
                // A whole answer that is too short may be one that was cut; when the rest is empty, it is all there is.
                Ok(()) if sent > before => continue,
                Ok(()) => {
                    let what = self.reference.to_string();
                    return Err(Error::WrongSize {
                        what,
                        wanted: layer.size,
                        found: sent,
                    });
                }
                Err(e @ (Error::Fetch { .. } | Error::Status { status: 500.., .. })) => e,
                Err(e) => return Err(e),
            };
            retries = if sent > before { 1 } else { retries + 1 };
            if retries > RETRIES_MAX {
                return Err(broken);
            }
            tracing::warn!(image = %self.reference, at = sent, "download broke off; taking it up again");
            tokio::time::sleep(RETRY_PAUSE * 2u32.pow(retries - 1)).await;
        }
    }

    async fn fetch_from(&self, path: &str, size: u64, sent: &mut u64, chunks: &Sender<Bytes>) -> Result<(), Error> {
        let mut headers = HeaderMap::new();
        if *sent > 0 {
            headers.insert(header::RANGE, value(&format!("bytes={sent}-"))?);
        }
        let mut answer = self.get(path, headers).await?;
        // A registry that doesn't know ranges begins anew: what was sent already is passed over.
        let mut skip = match answer.status() {
            StatusCode::OK => *sent,
            StatusCode::PARTIAL_CONTENT if *sent > 0 && starts_at(&answer, *sent) => 0,
            _ => return Err(refused(&answer)),
        };
        let url = told(&answer);
        while let Some(mut chunk) = answer.chunk().await.map_err(fetching(&url))? {
            let passed = usize::try_from(skip).unwrap_or(usize::MAX).min(chunk.len());
            skip -= passed as u64;
            let mut chunk = chunk.split_off(passed);
            let left = usize::try_from(size - *sent).unwrap_or(usize::MAX);
            let longer = chunk.len() > left;
            chunk.truncate(left);
            *sent += chunk.len() as u64;
            chunks.send(chunk).await.map_err(|_| Error::Stopped)?;
            if longer {
                let found = *sent + 1;
                return Err(Error::WrongSize {
                    what: url,
                    wanted: size,
                    found,
                });
            }
        }
        Ok(())
    }

    /// Asks below the repository; shows who asks when the registry wants to know.
    async fn get(&self, path: &str, headers: HeaderMap) -> Result<Response, Error> {
        let Reference { host, repository, .. } = &self.reference;
        let url = format!("{}://{host}/v2/{repository}/{path}", self.scheme);
        let known = self.authorization.lock().await.clone();
        let answer = self.ask(&url, &headers, known).await?;
        if answer.status() != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        let authorization = self.authorize(&answer).await?;
        *self.authorization.lock().await = Some(authorization.clone());
        let answer = self.ask(&url, &headers, Some(authorization)).await?;
        match answer.status() {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(Error::Login(host.clone())),
            _ => Ok(answer),
        }
    }

    async fn ask(&self, url: &str, headers: &HeaderMap, authorization: Option<HeaderValue>) -> Result<Response, Error> {
        let mut request = self.client.get(url).headers(headers.clone());
        if let Some(authorization) = authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        request.send().await.map_err(fetching(url))
    }

    /// Does as the registry's challenge says (RFC 9110 §11.6.1).
    async fn authorize(&self, answer: &Response) -> Result<HeaderValue, Error> {
        let refused = || Error::Login(self.reference.host.clone());
        let asked = answer.headers().get_all(header::WWW_AUTHENTICATE);
        let challenges: Vec<Challenge> = asked.iter().filter_map(|v| Challenge::read(v.to_str().ok()?)).collect();
        let basic = self
            .login
            .as_ref()
            .map(|l| STANDARD.encode(format!("{}:{}", l.user, l.password)));
        let Some(bearer) = challenges.iter().find(|c| c.scheme == "bearer") else {
            // Only to the registry itself: one that redirects to a host which asks gets nothing.
            let ours = answer.url().host_str() == self.url().as_ref().and_then(Url::host_str);
            let asked = ours && challenges.iter().any(|c| c.scheme == "basic");
            let basic = basic.filter(|_| asked).ok_or_else(refused)?;
            return secret(&format!("Basic {basic}"));
        };
        let mut url = bearer
            .get("realm")
            .and_then(|r| Url::parse(r).ok())
            .ok_or_else(refused)?;
        let scope = format!("repository:{}:pull", self.reference.repository);
        url.query_pairs_mut()
            .append_pair("scope", bearer.get("scope").unwrap_or(&scope));
        if let Some(service) = bearer.get("service") {
            url.query_pairs_mut().append_pair("service", service);
        }
        let basic = basic.map(|b| secret(&format!("Basic {b}"))).transpose()?;
        let answer = self.ask(url.as_str(), &HeaderMap::new(), basic).await?;
        if answer.status() != StatusCode::OK {
            return Err(refused());
        }
        let granted: Granted = serde_json::from_slice(&body(answer, TOKEN_ANSWER_MAX).await?).map_err(|_| refused())?;
        let token = granted.token.or(granted.access_token).ok_or_else(refused)?;
        secret(&format!("Bearer {token}"))
    }

    fn url(&self) -> Option<Url> {
        Url::parse(&format!("{}://{}", self.scheme, self.reference.host)).ok()
    }
}

/// What a token service grants.
#[derive(Deserialize)]
struct Granted {
    token: Option<String>,
    access_token: Option<String>,
}

/// One way to show who asks.
#[derive(Debug, PartialEq, Eq)]
struct Challenge {
    scheme: String,
    parameters: Vec<(String, String)>,
}

impl Challenge {
    /// Reads `Bearer realm="…",service="…"`.
    fn read(told: &str) -> Option<Self> {
        let (scheme, mut rest) = told.trim().split_once(' ').unwrap_or((told.trim(), ""));
        let mut parameters = Vec::new();
        while let Some((name, after)) = rest.split_once('=') {
            let (value, after) = match after.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"')?,
                None => after.split_at(after.find(',').unwrap_or(after.len())),
            };
            let name = name.trim_matches(|c: char| c == ',' || c.is_whitespace());
            parameters.push((name.to_ascii_lowercase(), value.to_owned()));
            rest = after;
        }
        let scheme = scheme.to_ascii_lowercase();
        (!scheme.is_empty()).then_some(Self { scheme, parameters })
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.parameters
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    }
}

async fn body(mut answer: Response, most: u64) -> Result<Vec<u8>, Error> {
    let url = told(&answer);
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(fetching(&url))? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() as u64 > most {
            let why = format!("its answer is longer than {most} bytes");
            return Err(Error::NotADisk { what: url, why });
        }
    }
    Ok(bytes)
}

fn starts_at(answer: &Response, at: u64) -> bool {
    let range = answer
        .headers()
        .get(header::CONTENT_RANGE)
        .and_then(|v| v.to_str().ok());
    range.is_some_and(|range| range.starts_with(&format!("bytes {at}-")))
}

/// Where an answer came from, without the query: object stores put secrets there.
fn told(answer: &Response) -> String {
    let mut url = answer.url().clone();
    url.set_query(None);
    url.to_string()
}

fn refused(answer: &Response) -> Error {
    Error::Status {
        url: told(answer),
        status: answer.status().as_u16(),
    }
}

fn fetching(url: &str) -> impl FnOnce(reqwest::Error) -> Error {
    let url = url.split('?').next().unwrap_or_default().to_owned();
    move |source| Error::Fetch {
        url,
        source: source.without_url(),
    }
}

fn value(text: &str) -> Result<HeaderValue, Error> {
    HeaderValue::from_str(text).map_err(|_| Error::Login(String::from("the registry")))
}

fn secret(text: &str) -> Result<HeaderValue, Error> {
    let mut value = value(text)?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn challenges_are_read_as_registries_write_them() {
        let told = r#"Bearer realm="https://auth.x/token?a=b",service="x, y",scope="repository:a/b:pull,push""#;
        let challenge = Challenge::read(told).unwrap();
        assert_eq!(challenge.scheme, "bearer");
        assert_eq!(challenge.get("realm"), Some("https://auth.x/token?a=b"));
        assert_eq!(challenge.get("service"), Some("x, y"));
        assert_eq!(challenge.get("scope"), Some("repository:a/b:pull,push"));
        assert_eq!(Challenge::read("Basic realm=x").unwrap().get("realm"), Some("x"));
        assert_eq!(Challenge::read("Bearer realm=\"x"), None);
        assert_eq!(Challenge::read(""), None);
    }

    proptest! {
        #[test]
        fn no_challenge_panics(told in ".{0,200}") {
            let _ = Challenge::read(&told);
        }
    }
}
