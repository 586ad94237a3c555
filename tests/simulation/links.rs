//! The wires between the house and the rack, in one thread: the same requests and packets as over sockets, carried by
//! function calls under the virtual clock, and broken as luck has it.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use boot::desk::Desk as _;
use bytes::Bytes;
use control::House;
use control::env::{Dial, Probe, Random};
use emulator::net::{Net, NetError};
use hardware::transport::{Limits, Transport, TransportError};
use hardware::wol::{Heard, Shout};
use hardware::{Credential, Driver, Mode, Redfish, Wol};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::faults::{Fate, Luck};
use crate::truth::Audit;

/// What of the daemon can be reached over the network while it lives.
pub struct Daemon {
    /// Cancelled when it dies.
    pub life: CancellationToken,
    pub house: House,
    pub http: Router,
    pub dhcp: boot::dhcp::Config,
}

/// Everything that is between the house and the rack. Cheap to clone.
#[derive(Clone)]
pub struct Wires {
    pub luck: Luck,
    pub audit: Audit,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    daemon: Option<Arc<Daemon>>,
    rack: Option<Arc<emulator::Emulated>>,
    bmcs: Option<Router>,
    logins: BTreeSet<Ipv4Addr>,
}

impl Wires {
    pub fn new(luck: Luck, audit: Audit) -> Wires {
        Wires {
            luck,
            audit,
            inner: Arc::default(),
        }
    }

    fn with<R>(&self, f: impl FnOnce(&mut Inner) -> R) -> R {
        f(&mut self.inner.lock().expect("nothing panics under this lock"))
    }

    /// Plugs the rack in.
    pub fn plug(&self, rack: Arc<emulator::Emulated>) {
        let bmcs = emulator::redfish::router(Arc::clone(&rack));
        self.with(|i| (i.rack, i.bmcs) = (Some(rack), Some(bmcs)));
    }

    /// The daemon starts, or (`None`) is gone.
    pub fn daemon(&self, daemon: Option<Daemon>) {
        let before = self.with(|i| std::mem::replace(&mut i.daemon, daemon.map(Arc::new)));
        if let Some(before) = before {
            before.life.cancel();
        }
    }

    fn alive(&self) -> Option<Arc<Daemon>> {
        self.with(|i| i.daemon.clone())
    }

    /// The daemon dies here: whatever called gets no further.
    async fn die(&self) -> ! {
        self.luck.death.notify_one();
        std::future::pending().await
    }

    async fn ask_bmc(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError> {
        let lost = |why: &str| TransportError::Failed(why.to_owned());
        let address: Ipv4Addr = request
            .uri()
            .host()
            .and_then(|h| h.parse().ok())
            .ok_or_else(|| lost("no such host"))?;
        let bmcs = self
            .with(|i| i.bmcs.clone())
            .ok_or_else(|| lost("the rack is not plugged in"))?;
        let (mut head, body) = request.into_parts();
        head.uri = head
            .uri
            .path_and_query()
            .map_or("/", |p| p.as_str())
            .parse()
            .map_err(|_| lost("no path"))?;
        let mut request = http::Request::from_parts(head, Body::from(body));
        request.extensions_mut().insert(emulator::serve::Peer {
            local: SocketAddr::from((address, 8443)),
            remote: SocketAddr::from(([127, 0, 0, 1], 40_000)),
        });
        let response = bmcs.oneshot(request).await.map_err(|e| lost(&e.to_string()))?;
        if response
            .extensions()
            .get::<emulator::serve::CloseConnection>()
            .is_some()
        {
            return Err(lost("connection reset"));
        }
        let (head, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 4 << 20)
            .await
            .map_err(|e| lost(&e.to_string()))?;
        Ok(http::Response::from_parts(head, body))
    }
}

impl Transport for Wires {
    fn send(
        &self,
        request: http::Request<Bytes>,
        limits: Limits,
    ) -> hardware::transport::Future<'_, Result<http::Response<Bytes>, TransportError>> {
        Box::pin(async move {
            let lost = || TransportError::Failed("connection reset".into());
            self.audit.request(&request);
            let fate = self.luck.contact();
            let work = async {
                match fate {
                    Fate::DieBefore => self.die().await,
                    Fate::Lost => return Err(lost()),
                    Fate::Late(millis) => tokio::time::sleep(Duration::from_millis(millis)).await,
                    Fate::Status(code) => {
                        let response = http::Response::builder().status(code).body(Bytes::from_static(b"{}"));
                        return response.map_err(|_| lost());
                    }
                    Fate::Fine | Fate::Broken | Fate::DieAfter => {}
                }
                let mut response = self.ask_bmc(request).await?;
                if fate == Fate::DieAfter {
                    self.die().await;
                }
                if fate == Fate::Broken {
                    let half = response.body().len() / 2;
                    *response.body_mut() = response.body().slice(..half);
                }
                Ok(response)
            };
            match tokio::time::timeout(limits.timeout, work).await {
                Ok(result) => result,
                Err(_) => Err(TransportError::Timeout),
            }
        })
    }
}

impl Dial for Wires {
    fn driver(
        &self,
        url: &str,
        _pin: Option<&str>,
        credential: Credential,
        mode: Mode,
    ) -> Result<Arc<dyn Driver>, String> {
        if url.starts_with("wol://") {
            let wol = Wol::new(url, Arc::new(self.clone()), credential, mode);
            return Ok(Arc::new(wol.map_err(|e| e.to_string())?));
        }
        Ok(Arc::new(Redfish::new(url, Arc::new(self.clone()), credential, mode)))
    }

    fn certificate<'a>(&'a self, _url: &'a str) -> control::env::Future<'a, Result<Option<String>, String>> {
        Box::pin(async { Ok(None) })
    }
}

impl Shout for Wires {
    /// A packet that is lost looks like any other to whoever sent it.
    fn shout<'a>(&'a self, packet: &'a [u8], _to: SocketAddrV4) -> Heard<'a> {
        Box::pin(async move {
            let Some(mac) = emulator::wake::called(packet) else {
                return Ok(());
            };
            self.audit.wake(mac);
            let fate = self.luck.contact();
            match fate {
                Fate::DieBefore => self.die().await,
                Fate::Lost | Fate::Broken => return Ok(()),
                Fate::Status(_) => return Err(std::io::ErrorKind::NetworkUnreachable.into()),
                Fate::Late(millis) => tokio::time::sleep(Duration::from_millis(millis)).await,
                Fate::Fine | Fate::DieAfter => {}
            }
            if let Some(rack) = self.with(|i| i.rack.clone()) {
                rack.wake(mac);
            }
            if fate == Fate::DieAfter {
                self.die().await;
            }
            Ok(())
        })
    }
}

impl Probe for Wires {
    fn login(&self, address: IpAddr) -> control::env::Future<'_, bool> {
        let open = match address {
            IpAddr::V4(a) => self.with(|i| i.logins.contains(&a)),
            IpAddr::V6(_) => false,
        };
        let fate = self.luck.contact();
        if matches!(fate, Fate::DieBefore | Fate::DieAfter) {
            self.luck.death.notify_one();
        }
        let fine = matches!(fate, Fate::Fine | Fate::Late(_));
        Box::pin(async move { open && fine })
    }
}

impl Random for Wires {
    fn fill(&self, bytes: &mut [u8]) {
        self.luck.fill(bytes);
    }
}

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
            return blob(daemon, digest, &head.headers);
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
        let daemon = self.alive().ok_or("connection refused")?;
        let fate = self.luck.contact();
        match fate {
            Fate::Lost | Fate::Broken => return Err("connection reset".into()),
            Fate::DieBefore => {
                self.luck.death.notify_one();
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
            self.luck.death.notify_one();
            return Err("connection reset".into());
        }
        answer
    }
}

/// A blob, or its rest, for whoever shows the right token.
fn blob(daemon: &Daemon, digest: &str, headers: &http::HeaderMap) -> Result<http::Response<Body>, String> {
    let header = |name: &str| {
        headers
            .get(name)
            .and_then(|v| v.to_str().ok())
            .unwrap_or_default()
            .to_owned()
    };
    let token = header("authorization");
    let path = match daemon.house.blob(token.trim_start_matches("Bearer "), digest) {
        Ok(path) => path,
        Err(_) => {
            return http::Response::builder()
                .status(403)
                .body(Body::empty())
                .map_err(|e| e.to_string());
        }
    };
    let bytes = std::fs::read(path).map_err(|e| e.to_string())?;
    let from = header("range")
        .trim_start_matches("bytes=")
        .trim_end_matches('-')
        .parse::<usize>()
        .ok();
    let mut answer = http::Response::builder();
    if let Some(from) = from {
        answer = answer.status(206).header(
            "content-range",
            format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len()),
        );
    }
    answer
        .body(Body::from(bytes[from.unwrap_or(0).min(bytes.len())..].to_vec()))
        .map_err(|e| e.to_string())
}

impl Net for Wires {
    fn dhcp(&self, _relay: Ipv4Addr, packet: Vec<u8>) -> emulator::net::Future<'_, Option<Vec<u8>>> {
        Box::pin(async move {
            let daemon = self.alive()?;
            let fate = self.luck.contact();
            if matches!(fate, Fate::DieBefore | Fate::DieAfter) {
                self.luck.death.notify_one();
            }
            if fate != Fate::Fine {
                tokio::time::sleep(Duration::from_secs(4)).await;
                return None;
            }
            let query = boot::dhcp::parse(&packet).ok()?;
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
