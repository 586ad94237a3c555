//! A rack to try things on, alone on its network.

use std::net::Ipv4Addr;
use std::sync::Arc;

use axum::body::Body;
use emulator::disks::Disks;
use emulator::net::{Future, Net, NetError};
use emulator::{Config, Credential, RackLayout};
use http::Request;

/// A network on which nobody answers.
pub struct Nobody;

impl Net for Nobody {
    fn dhcp(&self, _: Ipv4Addr, _: Vec<u8>) -> Future<'_, Option<Vec<u8>>> {
        Box::pin(async { None })
    }
    fn http(&self, from: Ipv4Addr, _: Request<bytes::Bytes>) -> Future<'_, Result<http::Response<Body>, NetError>> {
        Box::pin(async move { Err(nobody("ask", from)) })
    }
    fn login(&self, from: Ipv4Addr) -> Future<'_, Result<Box<dyn Send + Sync>, NetError>> {
        Box::pin(async move { Err(nobody("listen", from)) })
    }
}

fn nobody(attempt: &str, from: Ipv4Addr) -> NetError {
    NetError {
        attempt: attempt.into(),
        from,
        why: "nobody".into(),
    }
}

/// A rack on any port, in memory, without anybody to talk to.
pub fn config(layout: RackLayout) -> Config {
    Config {
        layout,
        port: 0,
        tls: false,
        disks: Disks::Memory,
        state: None,
        speed: 1.0,
        seed: 7,
        relay: Ipv4Addr::LOCALHOST,
        metadata: "http://127.0.0.1:9".into(),
        net: Arc::new(Nobody),
        credential: Credential {
            user: "admin".into(),
            password: "secret".into(),
        },
        control: None,
        machines: None,
        clock: Arc::new(|| rack::Time::from_millis(0)),
    }
}
