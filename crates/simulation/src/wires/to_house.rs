//! What the rack asks the house: addresses, scripts, kernels, orders of agents, metadata, blobs of images; and firmware
//! images, which some other server of the same network has.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::body::Body;
use boot::desk::Desk as _;
use bytes::Bytes;
use emulator::net::{Net, NetError};
use tower::ServiceExt as _;

use super::{Daemon, Wires};
use crate::weather::{Fate, Met};

/// Where firmware images are fetched: `http://firmware.example/bios/3` has version 3 of the BIOS.
pub const FIRMWARE: &str = "http://firmware.example/";
/// How long firmware waits for a DHCP answer.
const NO_ANSWER: Duration = Duration::from_secs(4);

/// A login port that is open while this lives.
struct Open(Wires, Ipv4Addr);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.with(|i| i.logins.remove(&self.1));
    }
}

impl Wires {
    /// One request to the daemon; what it serves from a file is read here at once, as threads know no virtual time.
    async fn ask_daemon(
        &self,
        daemon: &Daemon,
        from: Ipv4Addr,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Body>, String> {
        let (mut head, body) = request.into_parts();
        let path = head.uri.path_and_query().map_or("/", |p| p.as_str()).to_owned();
        if let Some(digest) = path.strip_prefix("/agent/v1/blob/") {
            return self.blob(daemon, digest, &head.headers);
        }
        head.uri = path.parse().map_err(|_| "no path")?;
        let mut request = http::Request::from_parts(head, Body::from(body));
        request.extensions_mut().insert(boot::serve::Peer {
            local: SocketAddr::from(([127, 0, 0, 1], 7480)),
            remote: SocketAddr::from((from, 40_000)),
        });
        daemon.http.clone().oneshot(request).await.map_err(|e| e.to_string())
    }

    async fn exchange(&self, from: Ipv4Addr, request: http::Request<Bytes>) -> Result<http::Response<Body>, String> {
        if let Some(image) = request.uri().to_string().strip_prefix(FIRMWARE) {
            let (part, version) = image.split_once('/').unwrap_or_default();
            let text = format!("busbar-firmware {part} {version}\n");
            return Ok(http::Response::new(Body::from(text)));
        }
        let daemon = self.alive().ok_or("connection refused")?;
        let fate = self.contact(Met::Server(from));
        match fate {
            Fate::Lost | Fate::Broken => return Err("connection reset".into()),
            Fate::DieBefore => {
                self.weather.death.notify_one();
                return Err("connection reset".into());
            }
            Fate::Late(millis) => tokio::time::sleep(Duration::from_millis(millis)).await,
            Fate::Status(code) => {
                let answer = http::Response::builder().status(code).body(Body::empty());
                return answer.map_err(|e| e.to_string());
            }
            Fate::Fine | Fate::DieAfter => {}
        }
        // What a daemon has begun for a caller ends with the daemon.
        let answer = tokio::select! {
            biased;
            () = daemon.life.cancelled() => Err("connection reset".into()),
            answer = self.ask_daemon(&daemon, from, request) => answer,
        };
        if fate == Fate::DieAfter {
            self.weather.death.notify_one();
            return Err("connection reset".into());
        }
        answer
    }

    /// A blob, or its rest, for whoever shows the right token.
    fn blob(&self, daemon: &Daemon, digest: &str, headers: &http::HeaderMap) -> Result<http::Response<Body>, String> {
        let header = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let status = |code: u16| http::Response::builder().status(code);
        let token = header("authorization").trim_start_matches("Bearer ").to_owned();
        let Ok(path) = daemon.house.blob(&token, digest) else {
            return status(403).body(Body::empty()).map_err(|e| e.to_string());
        };
        let bytes = std::fs::read(path).map_err(|e| e.to_string())?;
        let range = header("range").trim_start_matches("bytes=").trim_end_matches('-');
        let from = range.parse::<usize>().ok();
        let rest = &bytes[from.unwrap_or(0).min(bytes.len())..];
        if self.weather.blobs_fail() {
            // a disk that can't be read, or a file that ends where the disk was full
            return match from {
                None if rest.len() > 1 => Ok(http::Response::new(Body::from(rest[..rest.len() / 2].to_vec()))),
                _ => status(500).body(Body::empty()).map_err(|e| e.to_string()),
            };
        }
        let mut answer = http::Response::builder();
        if let Some(from) = from {
            let range = format!("bytes {from}-{}/{}", bytes.len().saturating_sub(1), bytes.len());
            answer = answer.status(206).header("content-range", range);
        }
        answer.body(Body::from(rest.to_vec())).map_err(|e| e.to_string())
    }
}

impl Net for Wires {
    fn dhcp(&self, _relay: Ipv4Addr, packet: Vec<u8>) -> emulator::net::Future<'_, Option<Vec<u8>>> {
        Box::pin(async move {
            let daemon = self.alive()?;
            let query = boot::dhcp::parse(&packet).ok()?;
            let fate = self.contact(Met::Port(query.mac));
            if matches!(fate, Fate::DieBefore | Fate::DieAfter) {
                self.weather.death.notify_one();
            }
            if fate != Fate::Fine {
                tokio::time::sleep(NO_ANSWER).await;
                return None;
            }
            let lease = tokio::select! {
                biased;
                () = daemon.life.cancelled() => return None,
                lease = daemon.house.lease(query.mac) => lease.ok()?,
            };
            boot::dhcp::answer(&daemon.dhcp, &query, lease).map(|reply| reply.bytes)
        })
    }

    fn http(
        &self,
        from: Ipv4Addr,
        request: http::Request<Bytes>,
    ) -> emulator::net::Future<'_, Result<http::Response<Body>, NetError>> {
        Box::pin(async move {
            let attempt = format!("{} {}", request.method(), request.uri().path());
            self.exchange(from, request)
                .await
                .map_err(|why| NetError { attempt, from, why })
        })
    }

    fn login(&self, at: Ipv4Addr) -> emulator::net::Future<'_, Result<Box<dyn Send + Sync>, NetError>> {
        self.with(|i| {
            i.logins.insert(at);
        });
        let guard: Box<dyn Send + Sync> = Box::new(Open(self.clone(), at));
        Box::pin(async move { Ok(guard) })
    }
}
