//! The edge: packets and randomness come in through here, so that a simulation can bring its own.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::pin::Pin;
use std::time::Duration;

use ring::rand::SecureRandom;
use tokio::time::Instant;

use crate::ipmi::packet::MOST;

/// Waited for an answer before the packet is sent again; doubles. BMCs answer within 10 ms to 1 s.
pub const FIRST_WAIT: Duration = Duration::from_secs(1);
/// Waited in all. A BMC under load needs up to 5 s for a record; one that restarts needs minutes, which is for the
/// circuit breaker.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// A future of this seam.
pub type Doing<'a, T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send + 'a>>;

/// Where packets come from and go to.
pub trait Datagrams: Send + Sync {
    /// A channel to one peer, on a port of its own. `host` is an address or a name.
    fn connect<'a>(&'a self, host: &'a str, port: u16) -> Doing<'a, Box<dyn Channel>>;
    /// Fills `bytes` with what nobody can predict.
    fn random(&self, bytes: &mut [u8]) -> io::Result<()>;
}

/// A channel to one peer. Packets get lost, doubled and reordered on it.
pub trait Channel: Send + Sync {
    /// Sends a packet.
    fn send<'a>(&'a self, packet: &'a [u8]) -> Doing<'a, ()>;
    /// Waits for a packet of the peer; tells its length. Nothing is lost when this is dropped while it waits.
    fn receive<'a>(&'a self, buffer: &'a mut [u8]) -> Doing<'a, usize>;
}

/// Sockets of the system.
#[derive(Debug, Clone, Copy, Default)]
pub struct Udp;

impl Datagrams for Udp {
    fn connect<'a>(&'a self, host: &'a str, port: u16) -> Doing<'a, Box<dyn Channel>> {
        Box::pin(async move {
            let peer = match host.parse::<IpAddr>() {
                Ok(address) => address,
                Err(_) => crate::resolve::first(host).await?,
            };
            let any: IpAddr = match peer {
                IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
                IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
            };
            let socket = tokio::net::UdpSocket::bind((any, 0)).await?;
            // Connected: the kernel drops what comes from elsewhere, and tells when nobody listens there.
            socket.connect((peer, port)).await?;
            Ok(Box::new(socket) as Box<dyn Channel>)
        })
    }

    fn random(&self, bytes: &mut [u8]) -> io::Result<()> {
        ring::rand::SystemRandom::new()
            .fill(bytes)
            .map_err(|_| io::Error::other("the system has no randomness"))
    }
}

impl Channel for tokio::net::UdpSocket {
    fn send<'a>(&'a self, packet: &'a [u8]) -> Doing<'a, ()> {
        Box::pin(async move { tokio::net::UdpSocket::send(self, packet).await.map(|_| ()) })
    }

    fn receive<'a>(&'a self, buffer: &'a mut [u8]) -> Doing<'a, usize> {
        Box::pin(self.recv(buffer))
    }
}

/// Why an exchange has no answer.
#[derive(Debug)]
pub enum Lost {
    /// Nothing that was accepted came in time.
    Silence(Duration),
    /// The network said no.
    Network(io::Error),
}

/// Sends what `make` makes until `accept` takes an answer. `make` is told the number of the try, so that it can choose
/// between the same packet, which a BMC carries out once at most (§6.12.13), and a fresh one. Both work on `state`.
pub async fn exchange<S, T>(
    channel: &dyn Channel,
    state: &mut S,
    mut make: impl FnMut(&mut S, u32) -> io::Result<Vec<u8>>,
    mut accept: impl FnMut(&mut S, &[u8]) -> Option<T>,
) -> Result<T, Lost> {
    let deadline = Instant::now() + DEADLINE;
    let mut wait = FIRST_WAIT;
    let mut buffer = vec![0; MOST];
    for attempt in 0.. {
        channel
            .send(&make(state, attempt).map_err(Lost::Network)?)
            .await
            .map_err(Lost::Network)?;
        let until = (Instant::now() + wait).min(deadline);
        loop {
            match tokio::time::timeout_at(until, channel.receive(&mut buffer)).await {
                Ok(Ok(length)) => {
                    if let Some(answer) = buffer.get(..length).and_then(|bytes| accept(state, bytes)) {
                        return Ok(answer);
                    }
                }
                Ok(Err(e)) => return Err(Lost::Network(e)),
                Err(_) if until >= deadline => return Err(Lost::Silence(DEADLINE)),
                Err(_) => break,
            }
            // A peer that floods must not hold the timer off.
            if Instant::now() >= deadline {
                return Err(Lost::Silence(DEADLINE));
            }
        }
        wait *= 2;
    }
    Err(Lost::Silence(DEADLINE))
}
