//! The sockets around [`super::Transfer`].

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::net::UdpSocket;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Next, Refused, Request, Transfer, error_packet, parse};

/// Bounds of the service.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// Transfers at once: a rack that is switched on together. More are dropped, and firmware asks again.
    transfers: usize,
    /// Transfers at once to one address: firmware asks for a file's size, breaks off and asks again, on a few ports at most.
    each: usize,
    /// For one transfer: a boot loader of a megabyte in the smallest common blocks over a slow link takes less.
    time: Duration,
}

const LIMITS: Limits = Limits {
    transfers: 512,
    each: 8,
    time: Duration::from_secs(180),
};

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
    run_within(LIMITS, socket, files, stop).await;
}

async fn run_within(limits: Limits, socket: UdpSocket, files: Files, stop: CancellationToken) {
    /// A socket that can't be read now is left alone for this long.
    const PAUSE: Duration = Duration::from_millis(10);
    let files = Arc::new(files);
    let local = socket
        .local_addr()
        .map(|a| a.ip())
        .unwrap_or(Ipv4Addr::UNSPECIFIED.into());
    let mut transfers = JoinSet::new();
    let clients = Clients::default();
    let mut buffer = [0; 1024];
    loop {
        let (length, from) = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            Some(_) = transfers.join_next(), if !transfers.is_empty() => continue,
            received = socket.recv_from(&mut buffer) => match received {
                Ok(received) => received,
                Err(_) => {
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            },
        };
        match parse(&buffer[..length]) {
            Err(Refused::Stray) => {}
            Err(why) => drop(socket.send_to(&error_packet(4, &why.to_string()), from).await),
            Ok(request) => match find(&files, &request) {
                None => drop(socket.send_to(&error_packet(1, "no such file"), from).await),
                Some(data) => {
                    let Some(place) = clients.enter(from, limits) else {
                        continue;
                    };
                    tracing::debug!(%from, file = request.file, "TFTP");
                    let transfer = transfer(SocketAddr::new(local, 0), from, Transfer::new(&request, data));
                    drop(transfers.spawn(async move {
                        let _place = place;
                        if tokio::time::timeout(limits.time, transfer).await.is_err() {
                            tracing::info!(%from, "a TFTP transfer took too long and is given up");
                        }
                    }));
                }
            },
        }
    }
}

/// Who is being sent something.
#[derive(Debug, Default, Clone)]
struct Clients(Arc<Mutex<Places>>);

#[derive(Debug, Default)]
struct Places {
    taken: HashSet<SocketAddr>,
    each: HashMap<IpAddr, usize>,
}

impl Clients {
    /// A place for a transfer. None for an address and port that has one: its request was sent again, because our first packet
    /// was lost or late, and the transfer under way sends that again.
    fn enter(&self, from: SocketAddr, limits: Limits) -> Option<Place> {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let each = places.each.get(&from.ip()).copied().unwrap_or(0);
        if places.taken.len() >= limits.transfers || each >= limits.each || !places.taken.insert(from) {
            return None;
        }
        places.each.insert(from.ip(), each + 1);
        Some(Place(self.clone(), from))
    }
}

/// One client's place, given back when this goes.
#[derive(Debug)]
struct Place(Clients, SocketAddr);

impl Drop for Place {
    fn drop(&mut self) {
        let mut places = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        places.taken.remove(&self.1);
        if let Some(each) = places.each.get_mut(&self.1.ip()) {
            *each -= 1;
            if *each == 0 {
                places.each.remove(&self.1.ip());
            }
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
    let mut patience = Duration::from_secs(1);
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Blocks of 512 bytes enough that no test takes them all.
    const ENDLESS: usize = 40_000_000;
    const ASK: &[u8] = b"\0\x01file\0octet\0";

    async fn started(limits: Limits, length: usize) -> (SocketAddr, CancellationToken) {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("binds");
        let at = socket.local_addr().expect("has an address");
        let data: Vec<u8> = (0..length).map(|i| (i * 7) as u8).collect();
        let files = Files::from([("file".to_owned(), Bytes::from(data))]);
        let stop = CancellationToken::new();
        tokio::spawn(run_within(limits, socket, files, stop.clone()));
        (at, stop)
    }

    async fn client() -> UdpSocket {
        UdpSocket::bind("127.0.0.1:0").await.expect("binds")
    }

    async fn receive(client: &UdpSocket) -> (Vec<u8>, SocketAddr) {
        let mut buffer = [0; 2000];
        let received = tokio::time::timeout(Duration::from_secs(10), client.recv_from(&mut buffer)).await;
        let (length, from) = received.expect("an answer comes").expect("is read");
        (buffer[..length].to_vec(), from)
    }

    fn ack(block: &[u8]) -> Vec<u8> {
        vec![0, 4, block[2], block[3]]
    }

    #[tokio::test]
    async fn a_file_is_fetched_over_sockets() {
        let (at, _stop) = started(LIMITS, 5000).await;
        let client = client().await;
        client
            .send_to(b"\0\x01/file\0octet\0tsize\x000\0blksize\x001468\0", at)
            .await
            .expect("is sent");
        let (oack, from) = receive(&client).await;
        assert_eq!(oack, b"\0\x06tsize\x005000\0blksize\x001468\0");
        assert_ne!(from, at, "a transfer has a port of its own");
        client.send_to(&[0, 4, 0, 0], from).await.expect("is sent");
        let mut got: Vec<u8> = Vec::new();
        loop {
            let (block, from) = receive(&client).await;
            client.send_to(&ack(&block), from).await.expect("is sent");
            got.extend(&block[4..]);
            if block.len() < 1472 {
                break;
            }
        }
        assert!(got.len() == 5000 && got.iter().enumerate().all(|(i, b)| *b == (i * 7) as u8));
    }

    #[tokio::test]
    async fn errors_and_garbage_are_never_answered() {
        let (at, _stop) = started(LIMITS, 10).await;
        let client = client().await;
        for packet in [
            &error_packet(1, "no such file")[..],
            b"",
            b"x",
            &[0, 3, 0, 1, 9],
            &[0, 4, 0, 1],
            &[0, 6, 1],
            &[1, 1, 1],
        ] {
            client.send_to(packet, at).await.expect("is sent");
        }
        // The first answer is the one to what was sent last.
        client.send_to(b"\0\x02x\0octet\0", at).await.expect("is sent");
        let (answer, _) = receive(&client).await;
        assert_eq!(answer, error_packet(4, &Refused::Write.to_string()));
        client.send_to(b"\0\x01none\0octet\0", at).await.expect("is sent");
        assert_eq!(receive(&client).await.0, error_packet(1, "no such file"));
    }

    #[tokio::test]
    async fn a_repeated_request_starts_no_second_transfer() {
        let (at, _stop) = started(LIMITS, ENDLESS).await;
        let client = client().await;
        for _ in 0..3 {
            client.send_to(ASK, at).await.expect("is sent");
        }
        let (mut block, first) = receive(&client).await;
        for number in 1..50u16 {
            assert_eq!(block[..4], [[0, 3], number.to_be_bytes()].concat()[..]);
            client.send_to(&ack(&block), first).await.expect("is sent");
            client.send_to(ASK, at).await.expect("is sent");
            let (next, from) = receive(&client).await;
            assert_eq!(from, first, "all comes from one transfer");
            block = next;
        }
    }

    #[test]
    fn an_address_has_so_many_transfers_and_no_more() {
        let limits = Limits {
            transfers: 4,
            each: 2,
            ..LIMITS
        };
        let at = |address: &str| address.parse::<SocketAddr>().expect("parses");
        let clients = Clients::default();
        let first = clients.enter(at("10.0.0.1:1"), limits).expect("a place");
        let _second = clients.enter(at("10.0.0.1:2"), limits).expect("a place");
        assert!(clients.enter(at("10.0.0.1:3"), limits).is_none(), "one address has two");
        let _third = clients.enter(at("10.0.0.2:1"), limits).expect("a place");
        drop(first);
        let _again = clients
            .enter(at("10.0.0.1:1"), limits)
            .expect("a place that was given back");
        let _fourth = clients.enter(at("10.0.0.3:1"), limits).expect("a place");
        assert!(
            clients.enter(at("10.0.0.4:1"), limits).is_none(),
            "there are four in all"
        );
    }

    #[tokio::test]
    async fn a_transfer_that_takes_for_ever_is_given_up() {
        let limits = Limits {
            time: Duration::from_millis(200),
            ..LIMITS
        };
        let (at, _stop) = started(limits, ENDLESS).await;
        let client = client().await;
        client.send_to(ASK, at).await.expect("is sent");
        let (mut block, first) = receive(&client).await;
        // A client that dawdles; once its place is free, what it asks for again comes from another port.
        let second = async {
            loop {
                client.send_to(&ack(&block), first).await.expect("is sent");
                tokio::time::sleep(Duration::from_millis(5)).await;
                client.send_to(ASK, at).await.expect("is sent");
                let (next, from) = receive(&client).await;
                if from != first {
                    return next;
                }
                block = next;
            }
        };
        let began = tokio::time::timeout(Duration::from_secs(20), second)
            .await
            .expect("the first one ends");
        assert_eq!(began[..4], [0, 3, 0, 1]);
    }
}
