//! A DHCP client (RFC 2131): one lease on one link, and its renewal.
//!
//! An ordinary UDP socket bound to the link serves: the broadcast flag (§4.1) makes servers answer to 255.255.255.255,
//! which Linux takes without an address. [`ask`] and [`answer`] are functions from values to packets and back.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use dhcproto::v4::{DhcpOption, Flags, Message, MessageType, OptionCode};
use dhcproto::{Decodable, Decoder, Encodable};
use rack::Mac;
use socket2::{Domain, Protocol, Socket, Type};

/// What a server leased to us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lease {
    pub(super) address: Ipv4Addr,
    pub(super) prefix: u8,
    pub(super) router: Option<Ipv4Addr>,
    pub(super) server: Ipv4Addr,
    pub(super) time: Duration,
}

/// When an answer may still come, for each send (RFC 2131 §4.1 doubles from 4 s; links here are short).
const WAITS: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
];
/// A server that tells no time means for ever; an hour keeps it honest.
const DEFAULT_TIME: Duration = Duration::from_secs(3600);
/// Below this a renewal would be a load of its own.
const LEAST_TIME: Duration = Duration::from_secs(60);

/// Gets a lease, or `None` when no server answers in a quarter of a minute. `xid` tells our answers from others'.
pub(super) fn lease(link: &str, mac: Mac, xid: u32) -> io::Result<Option<Lease>> {
    let socket = socket(link)?;
    let Some(offer) = exchange(&socket, &ask(mac, xid, Asked::Any), xid, mac, MessageType::Offer)? else {
        return Ok(None);
    };
    let request = ask(mac, xid, Asked::Offered(&offer));
    exchange(&socket, &request, xid, mac, MessageType::Ack)
}

/// Asks for the same lease again.
pub(super) fn renew(link: &str, mac: Mac, xid: u32, held: &Lease) -> io::Result<Option<Lease>> {
    exchange(
        &socket(link)?,
        &ask(mac, xid, Asked::Held(held)),
        xid,
        mac,
        MessageType::Ack,
    )
}

fn socket(link: &str) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    socket.set_broadcast(true)?;
    socket.bind_device(Some(link.as_bytes()))?;
    socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, 68)).into())?;
    Ok(socket)
}

fn exchange(socket: &Socket, packet: &[u8], xid: u32, mac: Mac, want: MessageType) -> io::Result<Option<Lease>> {
    let everyone = SocketAddr::from((Ipv4Addr::BROADCAST, 67)).into();
    for wait in WAITS {
        // a link without carrier, or a full queue, passes
        if socket.send_to(packet, &everyone).is_err() {
            std::thread::sleep(wait);
            continue;
        }
        let until = Instant::now() + wait;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            socket.set_read_timeout(Some(left))?;
            let mut buffer = [0u8; 1500];
            let Ok(length) = io::Read::read(&mut &*socket, &mut buffer) else {
                continue;
            };
            match answer(&buffer[..length], xid, mac) {
                Some((kind, lease)) if kind == want => return Ok(Some(lease)),
                Some((MessageType::Nak, _)) => return Ok(None),
                _ => {}
            }
        }
    }
    Ok(None)
}

/// What is asked for.
enum Asked<'a> {
    /// Any address: DISCOVER.
    Any,
    /// What a server offered: REQUEST, naming server and address.
    Offered(&'a Lease),
    /// What is held: REQUEST, with the address in `ciaddr` and naming neither (RFC 2131 §4.3.2).
    Held(&'a Lease),
}

/// A packet to servers.
fn ask(mac: Mac, xid: u32, asked: Asked<'_>) -> Vec<u8> {
    let mut message = Message::default();
    message
        .set_xid(xid)
        .set_chaddr(&mac.0)
        .set_flags(Flags::default().set_broadcast());
    if let Asked::Held(lease) = asked {
        message.set_ciaddr(lease.address);
    }
    let options = message.opts_mut();
    let kind = if let Asked::Any = asked {
        MessageType::Discover
    } else {
        MessageType::Request
    };
    options.insert(DhcpOption::MessageType(kind));
    options.insert(DhcpOption::ParameterRequestList(vec![
        OptionCode::SubnetMask,
        OptionCode::Router,
        OptionCode::AddressLeaseTime,
        OptionCode::ServerIdentifier,
    ]));
    options.insert(DhcpOption::ClassIdentifier(b"busbar-agent".to_vec()));
    if let Asked::Offered(offer) = asked {
        options.insert(DhcpOption::RequestedIpAddress(offer.address));
        options.insert(DhcpOption::ServerIdentifier(offer.server));
    }
    let mut packet = message.to_vec().unwrap_or_default();
    // RFC 2131 §2, RFC 951: relays and old servers drop what is shorter
    packet.resize(packet.len().max(300), 0);
    packet
}

/// Reads an answer to us: its kind, and what it offers. Every byte of it is foreign.
fn answer(packet: &[u8], xid: u32, mac: Mac) -> Option<(MessageType, Lease)> {
    // dhcproto cuts the address field by the packet's own word for its length, and panics past 16
    if packet.get(2) != Some(&6) {
        return None;
    }
    let message = Message::decode(&mut Decoder::new(packet)).ok()?;
    if message.xid() != xid || message.chaddr().get(..6) != Some(&mac.0[..]) {
        return None;
    }
    let options = message.opts();
    let kind = options.msg_type()?;
    let mask = match options.get(OptionCode::SubnetMask) {
        Some(DhcpOption::SubnetMask(mask)) => u32::from(*mask),
        _ => 0xffff_ff00,
    };
    let server = match options.get(OptionCode::ServerIdentifier) {
        Some(DhcpOption::ServerIdentifier(server)) => *server,
        _ => message.siaddr(),
    };
    let router = match options.get(OptionCode::Router) {
        Some(DhcpOption::Router(routers)) => routers.first().copied().filter(|r| !r.is_unspecified()),
        _ => None,
    };
    let time = match options.get(OptionCode::AddressLeaseTime) {
        Some(DhcpOption::AddressLeaseTime(seconds)) => Duration::from_secs((*seconds).into()).max(LEAST_TIME),
        _ => DEFAULT_TIME,
    };
    let address = message.yiaddr();
    let unusable =
        address.is_unspecified() || address.is_multicast() || address.is_broadcast() || address.is_loopback();
    if kind != MessageType::Nak && unusable {
        return None;
    }
    Some((
        kind,
        Lease {
            address,
            prefix: mask.leading_ones() as u8,
            router,
            server,
            time,
        },
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    const MAC: Mac = Mac([2, 0, 0, 0, 0, 7]);

    fn offer() -> Message {
        let mut message = Message::default();
        message.set_xid(5).set_chaddr(&MAC.0).set_yiaddr([10, 77, 0, 9]);
        message.opts_mut().insert(DhcpOption::MessageType(MessageType::Offer));
        message
            .opts_mut()
            .insert(DhcpOption::SubnetMask([255, 255, 240, 0].into()));
        message
            .opts_mut()
            .insert(DhcpOption::ServerIdentifier([10, 77, 0, 1].into()));
        message
    }

    #[test]
    fn an_offer_to_us_is_read_and_one_to_others_is_not() {
        let packet = offer().to_vec().unwrap();
        let (kind, lease) = answer(&packet, 5, MAC).unwrap();
        assert_eq!(kind, MessageType::Offer);
        assert_eq!(lease.address, Ipv4Addr::new(10, 77, 0, 9));
        assert_eq!((lease.prefix, lease.router, lease.time), (20, None, DEFAULT_TIME));
        assert_eq!(answer(&packet, 6, MAC), None);
        assert_eq!(answer(&packet, 5, Mac([2, 0, 0, 0, 0, 8])), None);
        let mut bad = offer();
        bad.set_yiaddr([255, 255, 255, 255]);
        assert_eq!(answer(&bad.to_vec().unwrap(), 5, MAC), None);
    }

    #[test]
    fn a_request_names_address_and_server() {
        let (_, lease) = answer(&offer().to_vec().unwrap(), 5, MAC).unwrap();
        let packet = ask(MAC, 5, Asked::Offered(&lease));
        let message = Message::decode(&mut Decoder::new(&packet)).unwrap();
        assert!(message.flags().broadcast() && packet.len() >= 300);
        assert_eq!(
            message.opts().get(OptionCode::RequestedIpAddress),
            Some(&DhcpOption::RequestedIpAddress(lease.address))
        );
        let packet = ask(MAC, 5, Asked::Held(&lease));
        let message = Message::decode(&mut Decoder::new(&packet)).unwrap();
        assert_eq!(message.ciaddr(), lease.address);
        assert_eq!(message.opts().get(OptionCode::ServerIdentifier), None);
    }

    proptest! {
        #[test]
        fn no_packet_breaks_the_reader(packet in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = answer(&packet, 5, MAC);
        }
    }
}
