//! The one seam through which firmware, agent and systems speak: DHCP through a relay, HTTP from a leased address, and
//! the login port. [`RealNet`] uses sockets; a simulation calls functions.

use std::future::Future as StdFuture;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpSocket, UdpSocket};

/// A boxed future, so that the seam is object safe.
pub type Future<'a, T> = Pin<Box<dyn StdFuture<Output = T> + Send + 'a>>;

/// A DHCP reply that does not come in this time is lost; firmware waits 4 s first (RFC 2131 §4.1).
const DHCP_PATIENCE: Duration = Duration::from_secs(4);
/// A connection and the head of its answer; the daemon holds answers back for 25 s.
const HTTP_PATIENCE: Duration = Duration::from_secs(60);
/// Largest DHCP message over UDP that is taken.
const DATAGRAM: usize = 1500;
/// What the emulated system says to whoever connects: an SSH identification (RFC 4253 §4.2).
const BANNER: &[u8] = b"SSH-2.0-busbar-emulated\r\n";

/// Why the network did not answer.
#[derive(Debug, thiserror::Error)]
#[error("{attempt} from {from}: {why}")]
pub struct NetError {
    /// What was attempted.
    pub attempt: String,
    /// By whom.
    pub from: Ipv4Addr,
    /// Why it failed.
    pub why: String,
}

/// The network as emulated machines see it.
pub trait Net: Send + Sync + 'static {
    /// Sends a DHCP message as a relay agent at this address does, and waits for the reply.
    fn dhcp(&self, relay: Ipv4Addr, packet: Vec<u8>) -> Future<'_, Option<Vec<u8>>>;
    /// Asks over HTTP from a leased address. The URI is absolute; a `Host` header that is set stays.
    fn http(&self, from: Ipv4Addr, request: Request<Bytes>) -> Future<'_, Result<Response<Body>, NetError>>;
    /// Opens the login port at this address; it closes when the guard is dropped.
    fn login(&self, at: Ipv4Addr) -> Future<'_, Result<Box<dyn Send + Sync>, NetError>>;
}

/// The network of this host.
#[derive(Debug, Clone)]
pub struct RealNet {
    /// Where the daemon takes relayed DHCP.
    pub dhcp: SocketAddr,
    /// The port of logins.
    pub login_port: u16,
}

struct Listening(tokio::task::AbortHandle);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl RealNet {
    async fn ask_dhcp(&self, relay: Ipv4Addr, packet: Vec<u8>) -> std::io::Result<Vec<u8>> {
        let socket = UdpSocket::bind((relay, 0)).await?;
        socket.connect(self.dhcp).await?;
        socket.send(&packet).await?;
        let mut reply = vec![0; DATAGRAM];
        let n = tokio::time::timeout(DHCP_PATIENCE, socket.recv(&mut reply)).await??;
        reply.truncate(n);
        Ok(reply)
    }

    async fn ask_http(from: Ipv4Addr, request: Request<Bytes>) -> Result<Response<Body>, String> {
        let (mut head, body) = request.into_parts();
        let uri = head.uri.clone();
        if uri.scheme_str() != Some("http") {
            return Err(format!(
                "{uri} is not an http URL: emulated firmware has no certificates"
            ));
        }
        let host: Ipv4Addr = uri
            .host()
            .and_then(|h| h.parse().ok())
            .ok_or_else(|| format!("the host of {uri} is not an IPv4 address: emulated firmware has no resolver"))?;
        let at = SocketAddr::from((host, uri.port_u16().unwrap_or(80)));
        let socket = TcpSocket::new_v4().map_err(|e| e.to_string())?;
        socket.bind((from, 0).into()).map_err(|e| format!("binding: {e}"))?;
        let stream = socket
            .connect(at)
            .await
            .map_err(|e| format!("connecting to {at}: {e}"))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|e| e.to_string())?;
        // ends with its one request: the sender is dropped after it
        tokio::spawn(connection);
        if !head.headers.contains_key(http::header::HOST)
            && let Some(authority) = uri.authority()
            && let Ok(value) = authority.as_str().parse()
        {
            head.headers.insert(http::header::HOST, value);
        }
        head.uri = uri
            .path_and_query()
            .map_or("/", |p| p.as_str())
            .parse()
            .map_err(|e: http::uri::InvalidUri| e.to_string())?;
        let answer = sender
            .send_request(Request::from_parts(head, Full::new(body)))
            .await
            .map_err(|e| e.to_string())?;
        Ok(answer.map(Body::new))
    }
}

impl Net for RealNet {
    fn dhcp(&self, relay: Ipv4Addr, packet: Vec<u8>) -> Future<'_, Option<Vec<u8>>> {
        Box::pin(async move { self.ask_dhcp(relay, packet).await.ok() })
    }

    fn http(&self, from: Ipv4Addr, request: Request<Bytes>) -> Future<'_, Result<Response<Body>, NetError>> {
        Box::pin(async move {
            // the path may carry a token in its query: it is left out
            let attempt = format!("{} {}", request.method(), request.uri().path());
            let bad = |why: String| NetError {
                attempt: attempt.clone(),
                from,
                why,
            };
            match tokio::time::timeout(HTTP_PATIENCE, RealNet::ask_http(from, request)).await {
                Ok(answer) => answer.map_err(bad),
                Err(_) => Err(bad("no answer".to_string())),
            }
        })
    }

    fn login(&self, at: Ipv4Addr) -> Future<'_, Result<Box<dyn Send + Sync>, NetError>> {
        Box::pin(async move {
            let listener = TcpListener::bind((at, self.login_port)).await.map_err(|e| NetError {
                attempt: format!("listening on port {} for logins", self.login_port),
                from: at,
                why: e.to_string(),
            })?;
            let task = tokio::spawn(async move {
                loop {
                    match listener.accept().await {
                        Ok((mut stream, _)) => {
                            // Err: the caller has gone already
                            let _ = stream.write_all(BANNER).await;
                            let _ = stream.shutdown().await;
                        }
                        Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                    }
                }
            });
            Ok(Box::new(Listening(task.abort_handle())) as Box<dyn Send + Sync>)
        })
    }
}
