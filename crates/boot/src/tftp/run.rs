//! The sockets around [`super::Transfer`].

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use tokio::net::UdpSocket;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Next, Request, Transfer, error_packet, parse};

/// Transfers at once: a rack that is switched on together. More are dropped, and firmware asks again.
const TRANSFERS: usize = 512;

/// The files that are served, by name. Nothing else is reachable.
pub type Files = BTreeMap<String, Bytes>;

/// Why TFTP does not start.
#[derive(Debug, thiserror::Error)]
#[error(
    "can't serve TFTP on {on}: {source}; run as root or give the binary CAP_NET_BIND_SERVICE, and stop any other TFTP server"
)]
pub struct RunError {
    on: SocketAddr,
    source: std::io::Error,
}

/// Opens the port on an address.
pub async fn bind(address: Ipv4Addr) -> Result<UdpSocket, RunError> {
    let on = SocketAddr::from((address, 69));
    UdpSocket::bind(on).await.map_err(|source| RunError { on, source })
}

/// Serves until `stop`.
pub async fn run(socket: UdpSocket, files: Files, stop: CancellationToken) {
    let files = Arc::new(files);
    let local = socket
        .local_addr()
        .map(|a| a.ip())
        .unwrap_or(Ipv4Addr::UNSPECIFIED.into());
    let mut transfers = JoinSet::new();
    let mut buffer = [0; 1024];
    loop {
        let (length, from) = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            Some(_) = transfers.join_next(), if !transfers.is_empty() => continue,
            Ok(received) = socket.recv_from(&mut buffer) => received,
        };
        match parse(&buffer[..length]) {
            Err(why) => drop(socket.send_to(&error_packet(4, &why.to_string()), from).await),
            Ok(request) => match find(&files, &request) {
                None => drop(socket.send_to(&error_packet(1, "no such file"), from).await),
                Some(data) if transfers.len() < TRANSFERS => {
                    tracing::debug!(%from, file = request.file, "TFTP");
                    drop(transfers.spawn(transfer(SocketAddr::new(local, 0), from, Transfer::new(&request, data))));
                }
                Some(_) => {}
            },
        }
    }
}

/// A file by its name; firmware may put slashes before it.
fn find(files: &Files, request: &Request) -> Option<Bytes> {
    files.get(request.file.trim_start_matches('/')).cloned()
}

/// Carries one transfer out, from a port of its own (RFC 1350 §4).
async fn transfer(local: SocketAddr, to: SocketAddr, mut transfer: Transfer) {
    let Ok(socket) = UdpSocket::bind(local).await else {
        return;
    };
    // Packets from anyone else are dropped by the kernel from here on.
    if socket.connect(to).await.is_err() {
        return;
    }
    let mut next = transfer.resend();
    let mut buffer = [0; 1024];
    let mut patience = std::time::Duration::from_secs(1);
    let mut due = tokio::time::Instant::now();
    loop {
        match next {
            Next::Over => return,
            Next::Wait => {}
            Next::Send(packets, wait) => {
                patience = wait;
                due = tokio::time::Instant::now() + patience;
                for packet in packets {
                    if socket.send(&packet).await.is_err() {
                        break;
                    }
                }
            }
        }
        next = match tokio::time::timeout_at(due, socket.recv(&mut buffer)).await {
            Ok(Ok(length)) => transfer.receive(&buffer[..length]),
            // The client's port is closed: it has gone.
            Ok(Err(_)) => return,
            Err(_) => {
                due = tokio::time::Instant::now() + patience;
                transfer.resend()
            }
        };
    }
}
