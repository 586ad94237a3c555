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
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use crate::config::StartError;

/// Connections at once: some for each of 1,000 BMCs, and far from the usual limit of open files.
const CONNECTIONS: usize = 8192;
/// A handshake or a request's head that does not come about in this time.
const PATIENCE: Duration = Duration::from_secs(20);
/// Waiting connections; Linux caps it by `somaxconn`.
const BACKLOG: i32 = 1024;

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

/// Accepts connections for ever.
pub(crate) async fn serve(listener: TcpListener, tls: Option<Arc<rustls::ServerConfig>>, router: Router) {
    let tls = tls.map(TlsAcceptor::from);
    let places = Arc::new(Semaphore::new(CONNECTIONS));
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
        open.spawn(async move {
            let _place = place;
            match tls {
                None => connection(stream, peer, router).await,
                Some(tls) => {
                    if let Ok(Ok(stream)) = tokio::time::timeout(PATIENCE, tls.accept(stream)).await {
                        connection(stream, peer, router).await;
                    }
                }
            }
        });
    }
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
