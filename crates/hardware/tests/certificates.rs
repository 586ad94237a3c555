//! Trust by first use, against a real TLS server with a self-signed certificate.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::{Arc, Mutex};

use common::bmc;
use hardware::{Error, HttpTransport, Mode, Pin};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

fn acceptor() -> TlsAcceptor {
    let made = rcgen::generate_simple_self_signed(vec!["bmc".into()]).unwrap();
    let certificate = CertificateDer::from(made.cert.der().to_vec());
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key.into())
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// A BMC that closes after each answer; what it shows can be changed, and what it was told is kept.
#[derive(Clone)]
struct Bmc {
    acceptor: Arc<Mutex<TlsAcceptor>>,
    told: Arc<Mutex<Vec<u8>>>,
}

async fn serve() -> (String, Bmc) {
    let bmc = Bmc {
        acceptor: Arc::new(Mutex::new(acceptor())),
        told: Arc::default(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let served = bmc.clone();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let bmc = served.clone();
            let acceptor = bmc.acceptor.lock().unwrap().clone();
            tokio::spawn(async move {
                let Ok(mut tls) = acceptor.accept(socket).await else {
                    return;
                };
                let mut buffer = [0; 4096];
                if let Ok(n @ 1..) = tls.read(&mut buffer).await {
                    bmc.told.lock().unwrap().extend_from_slice(&buffer[..n]);
                    let body = "{\"Name\": \"Root\"}";
                    let head = format!(
                        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                        body.len()
                    );
                    let _ = tls.write_all(head.as_bytes()).await;
                    let _ = tls.shutdown().await;
                }
            });
        }
    });
    (url, bmc)
}

#[tokio::test]
async fn a_certificate_that_changes_under_way_is_refused_and_gets_no_password() {
    let (url, served) = serve().await;
    let bmc = bmc(&url, HttpTransport::new(Pin::Learn).unwrap(), Mode::Observe);
    bmc.discover().await.unwrap();
    assert!(!served.told.lock().unwrap().is_empty());
    *served.acceptor.lock().unwrap() = acceptor();
    served.told.lock().unwrap().clear();
    for _ in 0..5 {
        let error = bmc.discover().await.expect_err("another certificate");
        assert!(matches!(error, Error::CertificateChanged { .. }), "{error}");
    }
    assert!(served.told.lock().unwrap().is_empty(), "nothing is said to a stranger");
}

#[tokio::test]
async fn the_first_certificate_is_learned_and_another_one_is_refused() {
    let (url, _) = serve().await;
    let first = Arc::new(HttpTransport::new(Pin::Learn).unwrap());
    let known = hardware::Redfish::new(&url, first.clone(), common::credential(), Mode::Observe);
    known.discover().await.unwrap();
    let fingerprint = first.fingerprint().expect("it was seen");
    assert_eq!(fingerprint.len(), 64);

    let same = HttpTransport::new(Pin::Expect(fingerprint.to_ascii_uppercase())).unwrap();
    bmc(&url, same, Mode::Observe).discover().await.unwrap();

    let (other, _) = serve().await;
    let pinned = HttpTransport::new(Pin::Expect(fingerprint.clone())).unwrap();
    let error = bmc(&other, pinned, Mode::Observe)
        .discover()
        .await
        .expect_err("another certificate");
    assert!(
        matches!(&error, Error::CertificateChanged { expected, seen, .. } if *expected == fingerprint && seen != expected),
        "{error}"
    );
    assert!(error.to_string().contains("busbar trust"));
}
