//! The sockets of the BMCs: one listener on `lo` for all of them, else one for each.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use crate::config::StartError;

/// Connections at once: some for each of 1,000 BMCs, and far from the usual limit of open files.
const CONNECTIONS: usize = 8192;
/// Files that are open beside connections: listeners, what the process has anyway.
const OTHER_FILES: u64 = 256;
/// A handshake or a request's head that does not come about in this time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// Waiting connections; Linux caps it by `somaxconn`.
const BACKLOG: i32 = 4096;
/// What is read at once of a connection that says nothing.
const UNHEARD: usize = 512;

pub use boot::serve::Peer;

/// Put into a response's extensions to close the connection instead of sending it.
#[derive(Debug, Clone, Copy)]
pub struct CloseConnection;

/// The listener on `lo`, whose accepted sockets tell by their local address which BMC is meant; where binding to a device
/// is not allowed, a listener for each address.
pub(crate) fn listen(port: u16, addresses: &[Ipv4Addr]) -> Result<(Vec<TcpListener>, u16), StartError> {
    let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    if let Ok(listener) = bind(any, true) {
        let port = listener.local_addr().map(|a| a.port()).unwrap_or(port);
        return Ok((vec![listener], port));
    }
    let (mut listeners, mut port) = (Vec::new(), port);
    for address in addresses {
        let at = SocketAddr::from((*address, port));
        let listener = bind(at, false).map_err(|source| StartError::Listen { at, source })?;
        port = listener.local_addr().map(|a| a.port()).unwrap_or(port);
        listeners.push(listener);
    }
    Ok((listeners, port))
}

fn bind(at: SocketAddr, lo: bool) -> std::io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if lo {
        // no privilege since Linux 5.7; without it the rack would answer on every interface
        socket.bind_device(Some(b"lo"))?;
    }
    socket.bind(&at.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into())
}

/// The BMCs' certificate. It is kept beside the rack's state, as whoever pins it at first use must find it again after a
/// restart; a rack without state has a new one each time.
pub(crate) fn certificate(state: Option<&Path>) -> Result<Arc<rustls::ServerConfig>, StartError> {
    let bad = |e: &dyn std::fmt::Display| StartError::Certificate(e.to_string());
    let kept = state.map(|s| (s.with_extension("cert.pem"), s.with_extension("key.pem")));
    if let Some((certificate, key)) = kept.as_ref().filter(|(c, k)| c.exists() && k.exists()) {
        let read = |path: &Path| std::fs::read_to_string(path).map_err(|e| bad(&e));
        return boot::serve::tls_config(&read(certificate)?, &read(key)?).map_err(|e| bad(&e));
    }
    let (certificate, key) = boot::serve::self_signed(vec!["bmc.emulated".to_string()]).map_err(|e| bad(&e))?;
    if let Some((certificate_file, key_file)) = kept {
        std::fs::write(key_file, &key).map_err(|e| bad(&e))?;
        std::fs::write(certificate_file, &certificate).map_err(|e| bad(&e))?;
    }
    boot::serve::tls_config(&certificate, &key).map_err(|e| bad(&e))
}

/// Connections that as many BMCs may have at once, each one of its own at least: the process's limit of open files is
/// raised as far as it goes.
pub(crate) fn places(bmcs: u32) -> Result<usize, StartError> {
    let limit = open_files();
    let wanted = u64::from(bmcs) + OTHER_FILES;
    match limit.checked_sub(OTHER_FILES) {
        Some(places) if wanted <= limit => Ok(usize::try_from(places).unwrap_or(usize::MAX)),
        _ => Err(StartError::Files { bmcs, wanted, limit }),
    }
}

/// Files that this process may have open, its limit raised as far as it goes.
fn open_files() -> u64 {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    let before = limit.current;
    limit.current = limit.maximum;
    let now = setrlimit(Resource::Nofile, limit).map_or(before, |()| limit.maximum);
    // none: as many as there is memory for
    now.unwrap_or(u64::MAX)
}

/// The same certificate with sessions that callers keep themselves: who comes back is known without a table of thousands.
pub(crate) fn resumable(tls: Arc<rustls::ServerConfig>) -> Result<Arc<rustls::ServerConfig>, StartError> {
    let mut config = rustls::ServerConfig::clone(&tls);
    config.ticketer = rustls::crypto::ring::Ticketer::new().map_err(|e| StartError::Certificate(e.to_string()))?;
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    config.send_tls13_tickets = 1;
    Ok(Arc::new(config))
}

/// Who is not there.
pub(crate) trait Gate: Send + Sync {
    /// Nothing when whoever is called answers, else what ends when it does again.
    fn silent(&self, peer: &Peer) -> Option<crate::net::Future<'_, ()>>;
}

/// Everybody is there.
struct Open;

impl Gate for Open {
    fn silent(&self, _: &Peer) -> Option<crate::net::Future<'_, ()>> {
        None
    }
}

/// Accepts connections for ever.
pub(crate) async fn serve(listener: TcpListener, tls: Option<Arc<rustls::ServerConfig>>, router: Router) {
    let many = Many {
        places: CONNECTIONS,
        gate: Arc::new(Open),
        frugal: None,
    };
    serve_many(listener, tls, router, many).await;
}

/// How the connections of many BMCs are served.
#[derive(Clone)]
pub(crate) struct Many {
    /// Connections at once.
    pub(crate) places: usize,
    /// Who is there.
    pub(crate) gate: Arc<dyn Gate>,
    /// For how long connections are kept between requests without their buffers ([`crate::idle`]); none can be upgraded
    /// then. With their buffers when absent.
    pub(crate) frugal: Option<Duration>,
}

/// The same for many BMCs.
pub(crate) async fn serve_many(
    listener: TcpListener,
    tls: Option<Arc<rustls::ServerConfig>>,
    router: Router,
    Many { places, gate, frugal }: Many,
) {
    let tls = tls.map(TlsAcceptor::from);
    let places = Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS)));
    let mut open = tokio::task::JoinSet::new();
    loop {
        while open.try_join_next().is_some() {}
        let Ok(place) = places.clone().acquire_owned().await else {
            return;
        };
        let (stream, remote) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(e) => {
                // out of descriptors: others must close first
                tracing::warn!("emulated BMC: accept: {e}");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Ok(local) = stream.local_addr() else { continue };
        let _ = stream.set_nodelay(true);
        let (router, tls, peer) = (router.clone(), tls.clone(), Peer { local, remote });
        let gate = Arc::clone(&gate);
        open.spawn(async move {
            let _place = place;
            if let Some(back) = gate.silent(&peer) {
                // what is said is taken and lost; a caller that gives up, and the box's return, both end it
                tokio::select! {
                    () = unheard(stream) => {}
                    () = back => {}
                }
                return;
            }
            match (tls, frugal) {
                (None, None) => Box::pin(connection(stream, peer, router)).await,
                (None, Some(quiet)) => crate::idle::serve(stream, peer, router, quiet).await,
                (Some(tls), _) => {
                    // in a box: what a handshake takes is not kept for as long as the connection
                    let stream = tokio::time::timeout(PATIENCE, Box::pin(tls.accept(stream))).await;
                    match (stream, frugal) {
                        (Ok(Ok(stream)), Some(quiet)) => crate::idle::serve(stream, peer, router, quiet).await,
                        (Ok(Ok(stream)), None) => Box::pin(connection(stream, peer, router)).await,
                        _ => {}
                    }
                }
            }
        });
    }
}

/// Reads until the caller gives up.
async fn unheard(mut stream: tokio::net::TcpStream) {
    let mut lost = [0; UNHEARD];
    while matches!(stream.read(&mut lost).await, Ok(n) if n > 0) {}
}

async fn connection(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, peer: Peer, router: Router) {
    let service = hyper::service::service_fn(move |request: http::Request<hyper::body::Incoming>| {
        let router = router.clone();
        async move {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(peer);
            let response = router.oneshot(request).await.unwrap_or_else(|e: Infallible| match e {});
            match response.extensions().get::<CloseConnection>() {
                Some(_) => Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset)),
                None => Ok(response),
            }
        }
    });
    // Err: the caller went away, or a fault closed the connection
    let _ = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
}
