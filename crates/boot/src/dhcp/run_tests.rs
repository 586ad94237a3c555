use super::*;
use crate::desk::testing::TestDesk;

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const LOCALHOST: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// A packet as a relay on this host passes it on. Each is of a MAC of its own.
fn relayed(kind: u8, mac: u8, options: &[(u8, &[u8])]) -> Vec<u8> {
    let mut p = vec![0; 240];
    p[..4].copy_from_slice(&[1, 1, 6, 1]);
    p[7] = mac;
    p[24..28].copy_from_slice(&LOCALHOST.octets());
    p[28..34].copy_from_slice(&[0x52, 0x54, 0, 0, 0, mac]);
    p[236..240].copy_from_slice(&[99, 130, 83, 99]);
    p.extend([53, 1, kind]);
    for (code, data) in options {
        p.extend([*code, data.len() as u8]);
        p.extend(*data);
    }
    // Relay information with sub-option 19: answers go to the port that this came from (RFC 8357).
    p.extend([82, 4, 19, 2, 0, 0]);
    p.push(255);
    p
}

/// The type of a reply.
fn kind_of(reply: &[u8]) -> Option<u8> {
    let at = reply.get(240..)?.windows(3).position(|w| w[..2] == [53, 1])?;
    Some(reply[240 + at + 2])
}

struct Relay {
    socket: UdpSocket,
    server: SocketAddr,
}

impl Relay {
    async fn send(&self, packet: &[u8]) {
        self.socket.send_to(packet, self.server).await.expect("is sent");
    }

    async fn receive(&self) -> Vec<u8> {
        let mut buffer = [0; 1500];
        let received = tokio::time::timeout(Duration::from_secs(10), self.socket.recv_from(&mut buffer)).await;
        let (length, from) = received.expect("an answer comes").expect("is read");
        assert_eq!(from, self.server);
        buffer[..length].to_vec()
    }
}

/// A server for relays on loopback, and a relay.
async fn started(desk: &Arc<TestDesk>) -> (Relay, CancellationToken) {
    let server = UdpSocket::bind((LOCALHOST, 0)).await.expect("binds");
    let relay = Relay {
        socket: UdpSocket::bind((LOCALHOST, 0)).await.expect("binds"),
        server: server.local_addr().expect("has an address"),
    };
    let stop = CancellationToken::new();
    let config = Config::new(SERVER, 24, "http://10.77.0.1:7480");
    tokio::spawn(run(
        Sockets::Relay(server),
        Arc::clone(desk) as Arc<dyn Desk>,
        config,
        stop.clone(),
    ));
    (relay, stop)
}

#[tokio::test]
async fn a_relay_on_a_port_of_its_own_is_answered_there() {
    let desk = Arc::new(TestDesk::default());
    let (relay, _stop) = started(&desk).await;
    relay.send(&relayed(1, 7, &[])).await;
    let offer = relay.receive().await;
    assert_eq!((kind_of(&offer), &offer[16..20]), (Some(2), &[10, 77, 0, 107][..]));
    relay
        .send(&relayed(3, 7, &[(50, &[10, 77, 0, 107]), (54, &SERVER.octets())]))
        .await;
    let ack = relay.receive().await;
    assert_eq!((kind_of(&ack), &ack[16..20]), (Some(5), &[10, 77, 0, 107][..]));
}

#[tokio::test]
async fn only_who_asks_us_for_an_address_is_given_one() {
    let desk = Arc::new(TestDesk::default());
    let (relay, _stop) = started(&desk).await;
    let other = [10, 77, 0, 2];
    // INIT-REBOOT of a stranger, a request that takes another server's offer, a refusal, a farewell, a question.
    relay.send(&relayed(3, 1, &[(50, &[10, 77, 0, 101])])).await;
    relay.send(&relayed(3, 2, &[(50, &other), (54, &other)])).await;
    relay.send(&relayed(4, 3, &[(50, &[10, 77, 0, 103])])).await;
    relay.send(&relayed(7, 4, &[(54, &SERVER.octets())])).await;
    relay.send(&relayed(8, 5, &[])).await;
    // What is answered after them shows that they were not.
    relay.send(&relayed(1, 6, &[])).await;
    let first = relay.receive().await;
    assert_eq!((kind_of(&first), first[33]), (Some(2), 6));
    assert_eq!(desk.leases().keys().map(|m| m.0[5]).collect::<Vec<_>>(), [6]);
    // Who has one may come back to it.
    relay.send(&relayed(3, 6, &[(50, &[10, 77, 0, 106])])).await;
    let ack = relay.receive().await;
    assert_eq!((kind_of(&ack), &ack[16..20]), (Some(5), &[10, 77, 0, 106][..]));
    relay.send(&relayed(3, 6, &[(50, &[10, 77, 0, 99])])).await;
    assert_eq!(kind_of(&relay.receive().await), Some(6));
}

#[test]
fn a_client_of_port_4011_is_answered_where_it_is() {
    let from: SocketAddr = "10.77.0.50:2070".parse().expect("parses");
    assert_eq!(destination(To::Sender, from), from);
    let nobody: SocketAddr = "0.0.0.0:68".parse().expect("parses");
    assert_eq!(
        destination(To::Sender, nobody),
        "255.255.255.255:68".parse().expect("parses")
    );
}

#[test]
fn the_log_tells_of_each_stranger_once_and_not_of_endless_ones() {
    let mut told = Told::default();
    let mac = |n: usize| Mac([0, 0, 0, 0, (n >> 8) as u8, n as u8]);
    assert!(told.is_news(mac(1)) && !told.is_news(mac(1)));
    let news = (0..5000).filter(|n| told.is_news(mac(*n))).count();
    assert_eq!(news, TOLD - 1);
}
