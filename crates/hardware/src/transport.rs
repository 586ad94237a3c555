//! The seam to the network: one request in, one bounded answer out. Tests and the simulation put their own here.
//!
//! [`HttpTransport`] is the real one. BMC certificates are self-signed, so trust is by first use: the fingerprint
//! seen first is reported, stored by the caller, and expected from then on.

use std::future::Future as StdFuture;
use std::pin::Pin as StdPin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};

/// A boxed future, so that [`Transport`] can be a trait object.
pub type Future<'a, T> = StdPin<Box<dyn StdFuture<Output = T> + Send + 'a>>;

/// A body that keeps coming, as server-sent events do.
pub type ByteStream = StdPin<Box<dyn Stream<Item = Result<Bytes, TransportError>> + Send>>;

/// How a request gets to a BMC.
pub trait Transport: Send + Sync + 'static {
    /// Sends `request`, whose URI is absolute, and reads the whole answer within `limits`.
    fn send(
        &self,
        request: http::Request<Bytes>,
        limits: Limits,
    ) -> Future<'_, Result<http::Response<Bytes>, TransportError>>;

    /// Sends `request` and hands out the body as it comes; `limits.timeout` bounds the wait for the head.
    fn stream(
        &self,
        request: http::Request<Bytes>,
        limits: Limits,
    ) -> Future<'_, Result<http::Response<ByteStream>, TransportError>> {
        let _ = (request, limits);
        Box::pin(async { Err(TransportError::Failed("this transport has no streams".into())) })
    }

    /// Sends `request`, which asks for another protocol, and hands out the connection when it was switched (101).
    fn upgrade(
        &self,
        request: http::Request<Bytes>,
        limits: Limits,
    ) -> Future<'_, Result<http::Response<Option<Upgraded>>, TransportError>> {
        let _ = (request, limits);
        Box::pin(async { Err(TransportError::Failed("this transport switches no protocols".into())) })
    }
}

/// A connection that speaks another protocol than HTTP from here on.
pub type Upgraded = Box<dyn ReadWrite>;

/// Both directions of a connection.
pub trait ReadWrite: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin {}

impl<T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin> ReadWrite for T {}

/// Bounds of one exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For the whole exchange.
    pub timeout: Duration,
    /// Bytes of the body, enforced while reading.
    pub body: usize,
}

/// An exchange that failed below HTTP.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// The time was up.
    #[error("no answer within the time limit")]
    Timeout,
    /// The body went past its bound.
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    /// Another certificate than the one expected.
    #[error("the certificate is {seen}, not {expected}; run `busbar trust` if it was replaced on purpose")]
    CertificateChanged {
        /// What was expected.
        expected: String,
        /// What was shown.
        seen: String,
    },
    /// Anything else: refused, reset, no route, not HTTP.
    #[error("{0}")]
    Failed(String),
}

/// Which certificate to accept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pin {
    /// The first that is seen; the same from then on.
    Learn,
    /// Only the one with this SHA-256, in hexadecimal.
    Expect(String),
}

/// Connecting alone; a BMC that does not answer a SYN in this time is off.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(8);
/// Idle connections are dropped before most BMCs drop them, so that none is reused while it dies.
const IDLE_TIMEOUT: Duration = Duration::from_secs(15);
/// Idle connections kept for one BMC; the pace allows 8 at once.
const IDLE_CONNECTIONS: usize = 8;

/// HTTP/1.1 over TCP or TLS for one BMC.
pub struct HttpTransport {
    client: reqwest::Client,
    pins: Arc<Pins>,
}

impl HttpTransport {
    /// A transport that accepts certificates by `pin`.
    pub fn new(pin: Pin) -> Result<HttpTransport, TransportError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let (expected, learn) = match pin {
            Pin::Learn => (None, true),
            Pin::Expect(hex) => (Some(hex.to_ascii_lowercase().replace(':', "")), false),
        };
        let pins = Arc::new(Pins {
            provider: provider.clone(),
            learn,
            state: Mutex::new(Seen { expected, last: None }),
        });
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| TransportError::Failed(e.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(pins.clone())
            .with_no_client_auth();
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .http1_only()
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .user_agent(concat!("busbar/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| TransportError::Failed(e.to_string()))?;
        Ok(HttpTransport { client, pins })
    }

    /// SHA-256 of the certificate seen last, in hexadecimal: what to store, or what to show before `busbar trust`.
    pub fn fingerprint(&self) -> Option<String> {
        self.pins.state.lock().ok().and_then(|s| s.last.clone())
    }

    fn failed(&self, e: &reqwest::Error) -> TransportError {
        if e.is_timeout() {
            return TransportError::Timeout;
        }
        let mut text = String::new();
        let mut source: Option<&dyn std::error::Error> = std::error::Error::source(e);
        while let Some(s) = source {
            text = s.to_string();
            source = s.source();
        }
        if text.contains(CHANGED)
            && let Ok(s) = self.pins.state.lock()
            && let (Some(expected), Some(seen)) = (&s.expected, &s.last)
        {
            return TransportError::CertificateChanged {
                expected: expected.clone(),
                seen: seen.clone(),
            };
        }
        TransportError::Failed(if text.is_empty() { e.to_string() } else { text })
    }

    async fn head(&self, request: http::Request<Bytes>) -> Result<reqwest::Response, TransportError> {
        let request = reqwest::Request::try_from(request).map_err(|e| TransportError::Failed(e.to_string()))?;
        self.client.execute(request).await.map_err(|e| self.failed(&e))
    }
}

fn with_body<B>(response: &reqwest::Response, body: B) -> http::Response<B> {
    let mut out = http::Response::new(body);
    *out.status_mut() = response.status();
    *out.headers_mut() = response.headers().clone();
    out
}

impl Transport for HttpTransport {
    fn send(
        &self,
        request: http::Request<Bytes>,
        limits: Limits,
    ) -> Future<'_, Result<http::Response<Bytes>, TransportError>> {
        Box::pin(async move {
            let exchange = async {
                let mut response = self.head(request).await?;
                if response.content_length().is_some_and(|n| n > limits.body as u64) {
                    return Err(TransportError::TooLarge(limits.body));
                }
                let mut body = BytesMut::new();
                while let Some(chunk) = response.chunk().await.map_err(|e| self.failed(&e))? {
                    if body.len() + chunk.len() > limits.body {
                        return Err(TransportError::TooLarge(limits.body));
                    }
                    body.extend_from_slice(&chunk);
                }
                Ok(with_body(&response, body.freeze()))
            };
            tokio::time::timeout(limits.timeout, exchange)
                .await
                .map_err(|_| TransportError::Timeout)?
        })
    }

    fn stream(
        &self,
        request: http::Request<Bytes>,
        limits: Limits,
    ) -> Future<'_, Result<http::Response<ByteStream>, TransportError>> {
        Box::pin(async move {
            let response = tokio::time::timeout(limits.timeout, self.head(request))
                .await
                .map_err(|_| TransportError::Timeout)??;
            let head = with_body(&response, ());
            let body: ByteStream = Box::pin(futures_util::StreamExt::map(response.bytes_stream(), |chunk| {
                chunk.map_err(|e| TransportError::Failed(e.to_string()))
            }));
            Ok(head.map(|()| body))
        })
    }

    fn upgrade(
        &self,
        request: http::Request<Bytes>,
        limits: Limits,
    ) -> Future<'_, Result<http::Response<Option<Upgraded>>, TransportError>> {
        Box::pin(async move {
            let exchange = async {
                let response = self.head(request).await?;
                let head = with_body(&response, ());
                if head.status() != http::StatusCode::SWITCHING_PROTOCOLS {
                    return Ok(head.map(|()| None));
                }
                let io = response.upgrade().await.map_err(|e| self.failed(&e))?;
                Ok(head.map(|()| Some(Box::new(io) as Upgraded)))
            };
            tokio::time::timeout(limits.timeout, exchange)
                .await
                .map_err(|_| TransportError::Timeout)?
        })
    }
}

/// Marks our refusal in the text that rustls carries through reqwest.
const CHANGED: &str = "certificate differs from the pinned one";

struct Seen {
    expected: Option<String>,
    last: Option<String>,
}

struct Pins {
    provider: Arc<CryptoProvider>,
    learn: bool,
    state: Mutex<Seen>,
}

impl std::fmt::Debug for Pins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pins")
    }
}

impl ServerCertVerifier for Pins {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let digest = ring::digest::digest(&ring::digest::SHA256, end_entity);
        let seen: String = digest.as_ref().iter().map(|b| format!("{b:02x}")).collect();
        let mut state = self
            .state
            .lock()
            .map_err(|_| rustls::Error::General("poisoned".into()))?;
        state.last = Some(seen.clone());
        match &state.expected {
            Some(expected) if *expected != seen => Err(rustls::Error::General(CHANGED.into())),
            Some(_) => Ok(ServerCertVerified::assertion()),
            None if self.learn => {
                state.expected = Some(seen);
                Ok(ServerCertVerified::assertion())
            }
            None => Err(rustls::Error::General(CHANGED.into())),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
