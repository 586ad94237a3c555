//! The seam to the network: one request in, one bounded answer out. Tests and the simulation put their own here.
//!
//! [`HttpTransport`] is the real one. BMC certificates are self-signed, so trust is by first use: the fingerprint
//! seen first is reported, stored by the caller, and expected from then on.

use std::error::Error as StdError;
use std::future::Future as StdFuture;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin as StdPin;
use std::sync::{Arc, LazyLock, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use http::header::{self, HeaderValue};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{HttpConnector, dns};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CipherSuite, DigitallySignedStruct, SignatureScheme, SupportedCipherSuite};

use crate::resolve;

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
/// Idle connections are dropped before most BMCs drop them, so that none is reused while it dies, and before those of a
/// thousand BMCs add up (40 KiB each): what is watched closely is asked again within this time, all else much later.
const IDLE_TIMEOUT: Duration = Duration::from_secs(6);
/// Idle connections kept for one BMC; the pace allows 8 at once.
const IDLE_CONNECTIONS: usize = 8;
const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("busbar/", env!("CARGO_PKG_VERSION")));

/// HTTP/1.1 over TCP or TLS for one BMC.
///
/// The parts of `hyper` themselves, as there is one for every BMC of a hall: a client for the whole web holds several times
/// the memory and takes longer over each request.
pub struct HttpTransport {
    client: Client<HttpsConnector<HttpConnector<Resolver>>, Full<Bytes>>,
    pins: Arc<Pins>,
}

impl HttpTransport {
    /// A transport that accepts certificates by `pin`.
    pub fn new(pin: Pin) -> Result<HttpTransport, TransportError> {
        static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| {
            let mut provider = rustls::crypto::ring::default_provider();
            // of equally good ones, first that whose hash processors have instructions for
            let quick = |s: &SupportedCipherSuite| s.suite() != CipherSuite::TLS13_AES_128_GCM_SHA256;
            provider.cipher_suites.sort_by_key(quick);
            Arc::new(provider)
        });
        let (expected, learn) = match pin {
            Pin::Learn => (None, true),
            Pin::Expect(hex) => (Some(hex.to_ascii_lowercase().replace(':', "")), false),
        };
        let pins = Arc::new(Pins {
            provider: PROVIDER.clone(),
            learn,
            state: Mutex::new(Seen { expected, last: None }),
        });
        let mut tls = rustls::ClientConfig::builder_with_provider(PROVIDER.clone())
            .with_safe_default_protocol_versions()
            .map_err(|e| TransportError::Failed(e.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(pins.clone())
            .with_no_client_auth();
        // Every connection shows its certificate. To resume spares nothing that can be measured, and keeps 10 KiB for each BMC.
        tls.resumption = Resumption::disabled();
        let mut tcp = HttpConnector::new_with_resolver(Resolver);
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        tcp.set_nodelay(true);
        // the other scheme is told apart by TLS around it
        tcp.enforce_http(false);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .build(HttpsConnector::from((tcp, Arc::new(tls))));
        Ok(HttpTransport { client, pins })
    }

    /// SHA-256 of the certificate seen last, in hexadecimal: what to store, or what to show before `busbar trust`.
    pub fn fingerprint(&self) -> Option<String> {
        self.pins.state.lock().ok().and_then(|s| s.last.clone())
    }

    /// What an error means: the last of its chain of sources tells.
    fn failed(&self, error: &(dyn StdError + 'static)) -> TransportError {
        let chain = || std::iter::successors(Some(error), |e: &&(dyn StdError + 'static)| (*e).source());
        let timed_out = |e: &(dyn StdError + 'static)| {
            e.downcast_ref::<io::Error>()
                .is_some_and(|e| e.kind() == io::ErrorKind::TimedOut)
        };
        if chain().any(timed_out) {
            return TransportError::Timeout;
        }
        let text = chain().last().map(ToString::to_string).unwrap_or_default();
        if text.contains(CHANGED)
            && let Ok(s) = self.pins.state.lock()
            && let (Some(expected), Some(seen)) = (&s.expected, &s.last)
        {
            return TransportError::CertificateChanged {
                expected: expected.clone(),
                seen: seen.clone(),
            };
        }
        TransportError::Failed(text)
    }

    async fn head(&self, request: http::Request<Bytes>) -> Result<http::Response<Incoming>, TransportError> {
        let mut request = request.map(Full::new);
        request.headers_mut().insert(header::USER_AGENT, USER_AGENT);
        self.client.request(request).await.map_err(|e| self.failed(&e))
    }
}

/// Names of BMCs; addresses need none.
#[derive(Clone)]
struct Resolver;

impl tower_service::Service<dns::Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Future<'static, io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: dns::Name) -> Self::Future {
        Box::pin(async move {
            let all = resolve::all(name.as_str()).await?;
            // the port comes from the URL
            let all: Vec<SocketAddr> = all.into_iter().map(|ip| SocketAddr::new(ip, 0)).collect();
            Ok(all.into_iter())
        })
    }
}

impl Transport for HttpTransport {
    fn send(
        &self,
        request: http::Request<Bytes>,
        limits: Limits,
    ) -> Future<'_, Result<http::Response<Bytes>, TransportError>> {
        Box::pin(async move {
            let exchange = async {
                let (head, mut incoming) = self.head(request).await?.into_parts();
                let told = incoming.size_hint().lower();
                if told > limits.body as u64 {
                    return Err(TransportError::TooLarge(limits.body));
                }
                let mut body = BytesMut::with_capacity(told as usize);
                while let Some(frame) = incoming.frame().await {
                    let Ok(chunk) = frame.map_err(|e| self.failed(&e))?.into_data() else {
                        continue;
                    };
                    if body.len() + chunk.len() > limits.body {
                        return Err(TransportError::TooLarge(limits.body));
                    }
                    body.extend_from_slice(&chunk);
                }
                Ok(http::Response::from_parts(head, body.freeze()))
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
            Ok(response.map(|body| {
                let chunks = body.into_data_stream();
                let chunks = futures_util::TryStreamExt::map_err(chunks, |e| TransportError::Failed(e.to_string()));
                Box::pin(chunks) as ByteStream
            }))
        })
    }

    fn upgrade(
        &self,
        request: http::Request<Bytes>,
        limits: Limits,
    ) -> Future<'_, Result<http::Response<Option<Upgraded>>, TransportError>> {
        Box::pin(async move {
            let exchange = async {
                let mut response = self.head(request).await?;
                if response.status() != http::StatusCode::SWITCHING_PROTOCOLS {
                    return Ok(response.map(|_| None));
                }
                let io = hyper::upgrade::on(&mut response).await.map_err(|e| self.failed(&e))?;
                Ok(response.map(|_| Some(Box::new(TokioIo::new(io)) as Upgraded)))
            };
            tokio::time::timeout(limits.timeout, exchange)
                .await
                .map_err(|_| TransportError::Timeout)?
        })
    }
}

/// Marks our refusal in the text that rustls carries through `hyper`.
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
