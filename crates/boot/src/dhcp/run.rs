//! The sockets around [`super::answer()`].

use std::collections::{HashMap, HashSet};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use rack::Mac;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::answer::boot_file;
use super::{Config, Kind, Mode, Query, To, answer, parse, query};
use crate::desk::Desk;

/// Packets from one MAC that are answered in [`WINDOW`]: a boot needs about ten, an attacker wants thousands.
const BURST: u32 = 40;
const WINDOW: Duration = Duration::from_secs(10);
/// MACs whose packets are counted; with more, counting starts over.
const COUNTED: usize = 16_384;
/// MACs that are told of in the log as having no boot file; more are passed over, so that nobody can fill the log.
const TOLD: usize = 1024;
/// Where a proxy's clients ask for their boot file (PXE 2.1 §2.2.3).
const BOOT_SERVER: u16 = 4011;

/// Where DHCP is listened to.
pub enum Sockets {
    /// Directly on a network interface: port 67, and 4011 as a proxy.
    Interface(Vec<UdpSocket>),
    /// Only for relays, at any address and port.
    Relay(UdpSocket),
}

/// Why DHCP does not start.
#[derive(Debug, thiserror::Error)]
#[error("can't serve DHCP on {on}: {source}{hint}")]
pub struct RunError {
    on: String,
    source: std::io::Error,
    hint: &'static str,
}

/// Opens the ports on an interface. Needs CAP_NET_BIND_SERVICE and CAP_NET_RAW.
pub fn bind(interface: &str, mode: Mode) -> Result<Sockets, RunError> {
    let open = |port: u16| -> std::io::Result<UdpSocket> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_reuse_address(true)?;
        socket.set_broadcast(true)?;
        socket.bind_device(Some(interface.as_bytes()))?;
        socket.set_nonblocking(true)?;
        socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)).into())?;
        UdpSocket::from_std(socket.into())
    };
    let ports: &[u16] = if mode == Mode::Proxy { &[67, BOOT_SERVER] } else { &[67] };
    let sockets = ports.iter().map(|p| open(*p)).collect::<std::io::Result<Vec<_>>>();
    sockets.map(Sockets::Interface).map_err(|source| {
        let hint = match source.kind() {
            std::io::ErrorKind::PermissionDenied => {
                "; run as root, or give the binary CAP_NET_BIND_SERVICE and CAP_NET_RAW"
            }
            std::io::ErrorKind::AddrInUse => "; another DHCP server runs here: stop it, or use --dhcp proxy",
            _ => "",
        };
        RunError {
            on: interface.to_owned(),
            source,
            hint,
        }
    })
}

/// Answers until `stop`.
pub async fn run(sockets: Sockets, desk: Arc<dyn Desk>, config: Config, stop: CancellationToken) {
    let config = Arc::new(config);
    let (sockets, direct) = match sockets {
        Sockets::Interface(sockets) => (sockets, true),
        Sockets::Relay(socket) => (vec![socket], false),
    };
    let mut tasks = tokio::task::JoinSet::new();
    for socket in sockets {
        tasks.spawn(listen(
            Arc::new(socket),
            direct,
            Arc::clone(&desk),
            Arc::clone(&config),
            stop.clone(),
        ));
    }
    while tasks.join_next().await.is_some() {}
}

async fn listen(
    socket: Arc<UdpSocket>,
    direct: bool,
    desk: Arc<dyn Desk>,
    config: Arc<Config>,
    stop: CancellationToken,
) {
    /// Queries whose address is being made durable; more are dropped, and clients ask again.
    const IN_FLIGHT: usize = 1024;
    let mut buffer = [0; query::LARGEST + 1];
    let mut counts = Counts::default();
    let mut told = Told::default();
    let boot_server = direct && socket.local_addr().is_ok_and(|a| a.port() == BOOT_SERVER);
    let mut tasks = tokio::task::JoinSet::new();
    loop {
        let (length, from) = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            Some(_) = tasks.join_next(), if !tasks.is_empty() => continue,
            received = socket.recv_from(&mut buffer) => match received {
                Ok(received) => received,
                // An ICMP error from an earlier answer, or a full queue: nothing to do about it.
                Err(_) => {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    continue;
                }
            },
        };
        let query = match parse(&buffer[..length]) {
            Ok(query) => Query { boot_server, ..query },
            Err(why) => {
                tracing::debug!(%from, %why, "a packet is not answered");
                continue;
            }
        };
        if query.giaddr.is_unspecified() != direct
            || !counts.allow(query.mac, Instant::now())
            || tasks.len() >= IN_FLIGHT
        {
            continue;
        }
        if query.netboots() && boot_file(&config, &query).is_none() && told.is_news(query.mac) {
            tracing::info!(
                mac = %query.mac,
                arch = ?query.arch,
                class = %String::from_utf8_lossy(&query.class).escape_debug(),
                "netboots with an architecture that the boot kit has nothing for: it gets no boot file"
            );
        }
        let (socket, desk, config) = (Arc::clone(&socket), Arc::clone(&desk), Arc::clone(&config));
        tasks.spawn(async move { one(&socket, desk.as_ref(), &config, &query, from).await });
    }
}

async fn one(socket: &UdpSocket, desk: &dyn Desk, config: &Config, query: &Query, from: SocketAddr) {
    if query.kind == Kind::Decline {
        tracing::warn!(mac = %query.mac, address = ?query.requested, "an address is used by someone else: find who, or change the range");
    }
    let lease = match wanted(config, query) {
        Wanted::Nothing => None,
        Wanted::Known => desk.lease_of(query.mac),
        Wanted::Given => match desk.lease(query.mac).await {
            Ok(lease) => lease,
            Err(error) => {
                tracing::warn!(mac = %query.mac, %error, "no address is given; the client asks again");
                return;
            }
        },
    };
    let Some(reply) = answer(config, query, lease) else {
        return;
    };
    let to = destination(reply.to, from);
    tracing::debug!(mac = %query.mac, kind = ?query.kind, arch = ?query.arch, ipxe = query.ipxe, ?lease, %to, "DHCP");
    if let Err(error) = socket.send_to(&reply.bytes, to).await {
        tracing::warn!(mac = %query.mac, %to, %error, "a DHCP reply could not be sent");
    }
}

/// What is needed of the desk for an answer.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    /// Nothing.
    Nothing,
    /// The address that the client has, if it has one.
    Known,
    /// An address, a new one if need be.
    Given,
}

/// An address is given to who asks everyone for one, and to who takes our offer. A client that comes back with an address
/// (INIT-REBOOT, a renewal) may have it of another server: one that we don't know gets neither an address nor an answer
/// (RFC 2131 §4.3.2).
fn wanted(config: &Config, query: &Query) -> Wanted {
    match (config.mode, query.kind) {
        (Mode::Server, Kind::Discover) => Wanted::Given,
        (Mode::Server, Kind::Request) => match query.server {
            Some(server) if server == config.server => Wanted::Given,
            Some(_) => Wanted::Nothing,
            None => Wanted::Known,
        },
        _ => Wanted::Nothing,
    }
}

/// Where on the wire an answer goes.
fn destination(to: To, from: SocketAddr) -> SocketAddr {
    const CLIENT: u16 = 68;
    const RELAY: u16 = 67;
    let at = |address: Ipv4Addr, port: u16| SocketAddr::V4(SocketAddrV4::new(address, port));
    match to {
        To::Sender if !from.ip().is_unspecified() => from,
        To::Broadcast | To::Sender => at(Ipv4Addr::BROADCAST, CLIENT),
        To::Client(_) if from.port() != CLIENT => from,
        To::Client(address) => at(address, CLIENT),
        To::Relay { address, same_port } => at(address, if same_port { from.port() } else { RELAY }),
    }
}

/// MACs that the log told of.
#[derive(Default)]
struct Told(HashSet<Mac>);

impl Told {
    fn is_news(&mut self, mac: Mac) -> bool {
        self.0.len() < TOLD && self.0.insert(mac)
    }
}

/// Packets of each MAC in the present window.
#[derive(Default)]
struct Counts {
    began: Option<Instant>,
    seen: HashMap<Mac, u32>,
}

impl Counts {
    fn allow(&mut self, mac: Mac, now: Instant) -> bool {
        if self.began.is_none_or(|b| now - b >= WINDOW) || self.seen.len() >= COUNTED {
            self.began = Some(now);
            self.seen.clear();
        }
        let count = self.seen.entry(mac).or_default();
        *count += 1;
        *count <= BURST
    }
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
