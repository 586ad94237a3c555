//! Transports for tests: a folder of captured answers, a recorder, and helpers.
#![allow(clippy::unwrap_used, dead_code)]

pub mod tree;

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
    /// Answers in the time of a real BMC, under a paused clock.
    pub slow: bool,
    /// Of how many paths one answers at its slowest.
    pub slowest_of: u32,
    /// Another number, other slow paths.
    pub salt: u32,
}

impl Folder {
    pub fn new(at: impl Into<PathBuf>) -> Folder {
        Folder {
            at: at.into(),
            asked: Arc::default(),
            slow: false,
            slowest_of: 300,
            salt: 0,
        }
    }

    /// A collection with its members in it; those that can't be read stay links (DSP0266 §7.3.3).
    fn expanded(&self, body: Vec<u8>) -> Vec<u8> {
        let Ok(mut doc) = serde_json::from_slice::<serde_json::Value>(&body) else {
            return body;
        };
        for member in doc["Members"].as_array_mut().into_iter().flatten() {
            let path = member["@odata.id"]
                .as_str()
                .unwrap_or_default()
                .trim_matches('/')
                .to_owned();
            let file = std::fs::read(self.at.join(path).join("index.json"));
            if let Some(whole) = file.ok().and_then(|b| serde_json::from_slice(&b).ok()) {
                *member = whole;
            }
        }
        serde_json::to_vec(&doc).unwrap()
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
            if self.slow {
                tokio::time::sleep(answer_time(&path, self.slowest_of, self.salt)).await;
            }
            let expand = request.uri().query().is_some_and(|q| q.contains("$expand"));
            let file = std::fs::read(self.at.join(path).join("index.json"));
            match file.map(|body| if expand { self.expanded(body) } else { body }) {
                Ok(body) if body.len() > limits.body => Err(TransportError::TooLarge(limits.body)),
                Ok(body) => Ok(read(200, body)),
                Err(_) => Ok(read(404, b"{\"error\": {\"message\": \"no such resource\"}}".to_vec())),
            }
        })
    }
}

/// The captured trees; none, said aloud, where they are not at hand.
pub fn unpack() -> Option<tempfile::TempDir> {
    let Some(corpus) = std::env::var_os("BUSBAR_CORPUS") else {
        eprintln!("SKIPPED: BUSBAR_CORPUS names no folder with redfish-trees.tar.xz");
        return None;
    };
    let temp = tempfile::tempdir().unwrap();
    let archive = std::path::Path::new(&corpus).join("redfish-trees.tar.xz");
    let status = std::process::Command::new("tar")
        .arg("xJf")
        .arg(archive)
        .arg("-C")
        .arg(temp.path())
        .status()
        .unwrap();
    assert!(status.success(), "tar could not unpack the corpus");
    Some(temp)
}

/// Measured: 0.5 s for an answer, 21 s for one of many (paths decide, so that a run is repeatable).
pub fn answer_time(path: &str, slowest_of: u32, salt: u32) -> std::time::Duration {
    let hash = path
        .bytes()
        .fold(7 + salt, |h, b| h.wrapping_mul(31).wrapping_add(b.into()));
    let ms = if hash % slowest_of == 0 {
        21_000
    } else {
        250 + u64::from(hash % 500)
    };
    std::time::Duration::from_millis(ms)
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
