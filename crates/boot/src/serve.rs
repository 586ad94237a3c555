//! One accept loop for the whole house: plain or TLS, with both ends of the connection told to every handler.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

/// Both ends of the connection that a request came by: an extension of every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Our end: the address that was asked.
    pub local: SocketAddr,
    /// Their end: who asks.
    pub remote: SocketAddr,
}

/// Bounds of a listener.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at once; more wait in the backlog.
    pub connections: usize,
    /// For the TLS handshake and for the head of a request: a client that is slower holds a place for nothing.
    pub patience: Duration,
    /// For open requests after the house was told to stop.
    pub farewell: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections: 4096,
            patience: Duration::from_secs(20),
            farewell: Duration::from_secs(3),
        }
    }
}

/// Serves `app` until `stop`; then lets open requests end, and ends those that don't.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Arc<rustls::ServerConfig>>,
    app: Router,
    limits: Limits,
    stop: CancellationToken,
) {
    /// A listener that can't accept now (out of file descriptors) is left alone for this long.
    const PAUSE: Duration = Duration::from_millis(100);
    let acceptor = tls.map(TlsAcceptor::from);
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut open = JoinSet::new();
    loop {
        while open.try_join_next().is_some() {}
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            place = Arc::clone(&places).acquire_owned() => {
                let Ok(place) = place else { break };
                tokio::select! {
                    biased;
                    () = stop.cancelled() => break,
                    accepted = listener.accept() => accepted.map(|(stream, remote)| (stream, remote, place)),
                }
            }
        };
        let Ok((stream, remote, place)) = accepted else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let Ok(local) = stream.local_addr() else { continue };
        // Answers are small and asked for one after the other: waiting to fill a segment only adds latency.
        let _ = stream.set_nodelay(true);
        let (app, acceptor, stop) = (app.clone(), acceptor.clone(), stop.clone());
        open.spawn(async move {
            let _place = place;
            let peer = Peer { local, remote };
            match acceptor {
                None => connection(stream, app, peer, limits, stop).await,
                Some(acceptor) => {
                    if let Ok(Ok(stream)) = tokio::time::timeout(limits.patience, acceptor.accept(stream)).await {
                        connection(stream, app, peer, limits, stop).await;
                    }
                }
            }
        });
    }
    let ended = async { while open.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.farewell, ended).await.is_err() {
        tracing::debug!(left = open.len(), "connections are cut");
        open.shutdown().await;
    }
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    app: Router,
    peer: Peer,
    limits: Limits,
    stop: CancellationToken,
) {
    let service = hyper::service::service_fn(move |request: http::Request<hyper::body::Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(peer);
        app.clone().oneshot(request)
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.patience)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(connection);
    tokio::select! {
        biased;
        _ = connection.as_mut() => {}
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

/// Why a certificate can't be used.
#[derive(Debug, thiserror::Error)]
#[error("the certificate can't be used: {0}; remove the files to have new ones made")]
pub struct BadCertificate(String);

/// TLS with a certificate chain and its key, both in PEM.
pub fn tls_config(certificate: &str, key: &str) -> Result<Arc<rustls::ServerConfig>, BadCertificate> {
    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let bad = |e: &dyn std::fmt::Display| BadCertificate(e.to_string());
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(certificate.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|e| bad(&e))?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|e| bad(&e))?;
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| bad(&e))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|e| bad(&e))?;
    Ok(Arc::new(config))
}

/// A certificate for `names` that signs itself, and its key, both in PEM.
pub fn self_signed(names: Vec<String>) -> Result<(String, String), BadCertificate> {
    let made = rcgen::generate_simple_self_signed(names).map_err(|e| BadCertificate(e.to_string()))?;
    Ok((made.cert.pem(), made.signing_key.serialize_pem()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Extension;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    #[tokio::test]
    async fn a_handler_knows_both_ends_and_a_stop_ends_the_loop() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let at = listener.local_addr().expect("has an address");
        let app = Router::new().route(
            "/",
            axum::routing::get(|Extension(p): Extension<Peer>| async move { p.local.to_string() }),
        );
        let stop = CancellationToken::new();
        let task = tokio::spawn(serve(listener, None, app, Limits::default(), stop.clone()));
        let mut stream = tokio::net::TcpStream::connect(at).await.expect("connects");
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .await
            .expect("writes");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("reads");
        assert!(answer.ends_with(&at.to_string()), "{answer}");
        stop.cancel();
        task.await.expect("ends");
    }

    #[tokio::test]
    async fn who_never_ends_a_request_or_its_head_holds_no_place_for_ever() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let at = listener.local_addr().expect("has an address");
        let (began, mut begun) = tokio::sync::mpsc::channel::<()>(1);
        let endless = move || {
            let began = began.clone();
            async move {
                let _ = began.send(()).await;
                std::future::pending::<&'static str>().await
            }
        };
        let app = Router::new().route("/", axum::routing::get(endless));
        let limits = Limits {
            patience: Duration::from_millis(100),
            farewell: Duration::from_millis(100),
            ..Limits::default()
        };
        let stop = CancellationToken::new();
        let task = tokio::spawn(serve(listener, None, app, limits, stop.clone()));
        let enough = Duration::from_secs(10);
        let mut slow = tokio::net::TcpStream::connect(at).await.expect("connects");
        slow.write_all(b"GET / HTTP/1.1\r\nHost:").await.expect("writes");
        let mut answer = Vec::new();
        let closed = tokio::time::timeout(enough, slow.read_to_end(&mut answer)).await;
        assert!(closed.is_ok(), "a slow head is cut off");
        let mut held = tokio::net::TcpStream::connect(at).await.expect("connects");
        held.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            .await
            .expect("writes");
        begun.recv().await.expect("the handler runs");
        stop.cancel();
        task.await.expect("ends");
        // The handler held the only other sender: that it is gone shows that the handler is.
        let gone = tokio::time::timeout(enough, begun.recv()).await;
        assert_eq!(gone, Ok(None));
    }

    #[tokio::test]
    async fn requests_are_answered_over_tls_and_plain_ones_are_not() {
        use rustls::pki_types::pem::PemObject as _;
        use rustls::pki_types::{CertificateDer, ServerName};
        let (certificate, key) = self_signed(vec!["localhost".into()]).expect("is made");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let at = listener.local_addr().expect("has an address");
        let app = Router::new().route("/", axum::routing::get(|| async { "over TLS" }));
        let tls = tls_config(&certificate, &key).expect("is used");
        tokio::spawn(serve(
            listener,
            Some(tls),
            app,
            Limits::default(),
            CancellationToken::new(),
        ));
        let ask: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

        let mut roots = rustls::RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(certificate.as_bytes()).expect("is PEM"))
            .expect("is a certificate");
        let client = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("has versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").expect("is a name");
        let stream = tokio::net::TcpStream::connect(at).await.expect("connects");
        let connector = tokio_rustls::TlsConnector::from(Arc::new(client));
        let mut stream = connector.connect(name, stream).await.expect("shakes hands");
        stream.write_all(ask).await.expect("writes");
        let mut answer = Vec::new();
        // Whether the end of TLS is told or only the connection's: what was read counts.
        let _ = stream.read_to_end(&mut answer).await;
        assert!(answer.ends_with(b"over TLS"));

        let mut plain = tokio::net::TcpStream::connect(at).await.expect("connects");
        plain.write_all(ask).await.expect("writes");
        let mut answer = Vec::new();
        let _ = plain.read_to_end(&mut answer).await;
        assert!(!answer.starts_with(b"HTTP"));
    }

    #[test]
    fn a_certificate_that_was_made_can_be_used() {
        let (certificate, key) = self_signed(vec!["localhost".into(), "127.0.0.1".into()]).expect("is made");
        tls_config(&certificate, &key).expect("is used");
        assert!(tls_config("nonsense", &key).is_err());
    }
}
