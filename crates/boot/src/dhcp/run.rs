//! The sockets around [`super::answer`].

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use rack::Mac;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Config, Kind, Mode, Query, To, answer, parse, query};
use crate::desk::Desk;

/// Packets from one MAC that are answered in [`WINDOW`]: a boot needs about ten, an attacker wants thousands.
const BURST: u32 = 40;
const WINDOW: Duration = Duration::from_secs(10);
/// MACs whose packets are counted; with more, counting starts over.
const COUNTED: usize = 16_384;

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
    let ports: &[u16] = if mode == Mode::Proxy { &[67, 4011] } else { &[67] };
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
            Ok(query) => query,
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
        let (socket, desk, config) = (Arc::clone(&socket), Arc::clone(&desk), Arc::clone(&config));
        tasks.spawn(async move { one(&socket, desk.as_ref(), &config, &query, from).await });
    }
}

async fn one(socket: &UdpSocket, desk: &dyn Desk, config: &Config, query: &Query, from: SocketAddr) {
    if query.kind == Kind::Decline {
        tracing::warn!(mac = %query.mac, address = ?query.requested, "an address is used by someone else: find who, or change the range");
    }
    let lease = match config.mode {
        Mode::Proxy => None,
        Mode::Server => match desk.lease(query.mac).await {
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

/// Where on the wire an answer goes.
fn destination(to: To, from: SocketAddr) -> SocketAddr {
    const CLIENT: u16 = 68;
    const RELAY: u16 = 67;
    let at = |address: Ipv4Addr, port: u16| SocketAddr::V4(SocketAddrV4::new(address, port));
    match to {
        // A proxy's client asks port 4011 from a port of its own.
        To::Broadcast => at(Ipv4Addr::BROADCAST, CLIENT),
        To::Client(_) if from.port() != CLIENT => from,
        To::Client(address) => at(address, CLIENT),
        To::Relay { address, same_port } => at(address, if same_port { from.port() } else { RELAY }),
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
