//! Transports for tests: a folder of captured answers, a recorder, and helpers.
#![allow(clippy::unwrap_used, dead_code)]

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use hardware::transport::{Future, Limits, Transport, TransportError};
use hardware::{Credential, FoundSystem, Mode, Permit, Redfish};
use rack::node::BmcAddress;

/// Serves `<folder>/redfish/v1/.../index.json`, as DMTF's mockup server does; notes what was asked.
pub struct Folder {
    pub at: PathBuf,
    pub asked: Arc<Mutex<Vec<(http::Method, String)>>>,
}

impl Folder {
    pub fn new(at: impl Into<PathBuf>) -> Folder {
        Folder {
            at: at.into(),
            asked: Arc::default(),
        }
    }
}

impl Transport for Folder {
    fn send(
        &self,
        request: http::Request<Bytes>,
        limits: Limits,
    ) -> Future<'_, Result<http::Response<Bytes>, TransportError>> {
        Box::pin(async move {
            let path = request.uri().path().trim_matches('/').to_owned();
            self.asked
                .lock()
                .unwrap()
                .push((request.method().clone(), path.clone()));
            let read = |status: u16, body: Vec<u8>| {
                http::Response::builder()
                    .status(status)
                    .body(Bytes::from(body))
                    .unwrap()
            };
            if request.method() != http::Method::GET {
                return Ok(read(405, Vec::new()));
            }
            match std::fs::read(self.at.join(path).join("index.json")) {
                Ok(body) if body.len() > limits.body => Err(TransportError::TooLarge(limits.body)),
                Ok(body) => Ok(read(200, body)),
                Err(_) => Ok(read(404, b"{\"error\": {\"message\": \"no such resource\"}}".to_vec())),
            }
        })
    }
}

pub fn credential() -> Credential {
    Credential {
        user: "admin".into(),
        password: "password".into(),
    }
}

pub fn bmc(url: &str, transport: impl Transport, mode: Mode) -> Redfish {
    Redfish::new(url, Arc::new(transport), credential(), mode)
}

pub fn permit() -> Permit {
    Permit::recorded("audit/1".into(), "node-1".parse().unwrap())
}

pub fn address(url: &str, system: &FoundSystem) -> BmcAddress {
    BmcAddress {
        url: url.into(),
        system: system.system.clone(),
        manager: system.manager.clone(),
        chassis: system.chassis.clone(),
        credential: "lab".parse().unwrap(),
        certificate: None,
    }
}
