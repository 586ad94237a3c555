use std::net::Ipv4Addr;

use dhcproto::v4::{DhcpOption, Message, MessageType, OptionCode};
use dhcproto::{Decodable as _, Decoder};
use proptest::prelude::*;
use rack::Mac;

use super::*;

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const LEASE: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 100);
const MAC: Mac = Mac([0x52, 0x54, 0, 1, 2, 3]);

fn config() -> Config {
    Config::new(SERVER, 24, "http://10.77.0.1:7480")
}

/// A client's packet by hand, as firmware writes it.
fn packet(kind: u8, options: &[(u8, &[u8])]) -> Vec<u8> {
    let mut p = vec![0; 240];
    p[..4].copy_from_slice(&[1, 1, 6, 0]);
    p[4..8].copy_from_slice(&[0xde, 0xad, 0xbe, 0xef]);
    p[28..34].copy_from_slice(&MAC.0);
    p[236..240].copy_from_slice(&[99, 130, 83, 99]);
    p.extend([53, 1, kind]);
    for (code, data) in options {
        p.extend([*code, data.len() as u8]);
        p.extend(*data);
    }
    p.push(255);
    p
}

fn ask(packet: &[u8], lease: Option<Ipv4Addr>) -> Option<(To, Message)> {
    let query = parse(packet).expect("parses");
    let reply = answer(&config(), &query, lease)?;
    Some((
        reply.to,
        Message::decode(&mut Decoder::new(&reply.bytes)).expect("decodes"),
    ))
}

fn option(message: &Message, code: u8) -> Option<Vec<u8>> {
    use dhcproto::{Encodable as _, Encoder};
    let option: &DhcpOption = message.opts().get(OptionCode::from(code))?;
    let mut bytes = Vec::new();
    option.encode(&mut Encoder::new(&mut bytes)).expect("encodes");
    Some(bytes[2..].to_vec())
}

fn kind(message: &Message) -> MessageType {
    message.opts().msg_type().expect("every answer has a type")
}

#[test]
fn firmware_gets_ipxe_and_ipxe_gets_the_script() {
    let class: &[u8] = b"PXEClient:Arch:00000:UNDI:002001";
    for (options, file) in [
        (vec![(60u8, class), (93, &[0u8, 0][..])], "undionly.kpxe"),
        (vec![(60, class), (93, &[0, 7])], "snponly.efi"),
        (
            vec![(60, b"HTTPClient:Arch:00016"), (93, &[0, 16])],
            "http://10.77.0.1:7480/boot/snponly.efi",
        ),
        (
            vec![(60, class), (93, &[0, 7]), (175, &[177, 1, 1])],
            "http://10.77.0.1:7480/boot/script",
        ),
        (
            vec![(60, class), (93, &[0, 0]), (77, b"iPXE")],
            "http://10.77.0.1:7480/boot/script",
        ),
    ] {
        let (to, offer) = ask(&packet(1, &options), Some(LEASE)).expect("an offer");
        assert_eq!(
            (to, kind(&offer), offer.yiaddr()),
            (To::Broadcast, MessageType::Offer, LEASE)
        );
        assert_eq!(option(&offer, 67).as_deref(), Some(file.as_bytes()));
        assert_eq!(offer.siaddr(), SERVER);
    }
    let http = ask(
        &packet(1, &[(60, b"HTTPClient:Arch:00016"), (93, &[0, 16])]),
        Some(LEASE),
    )
    .expect("an offer")
    .1;
    assert_eq!(option(&http, 60).as_deref(), Some(&b"HTTPClient"[..]));
}

#[test]
fn an_ordinary_client_gets_an_address_and_the_way_to_its_metadata_but_no_boot_file() {
    let offer = ask(&packet(1, &[]), Some(LEASE)).expect("an offer").1;
    assert_eq!(option(&offer, 121), Some(vec![32, 169, 254, 169, 254, 0, 0, 0, 0]));
    assert_eq!(option(&offer, 1), Some(vec![255, 255, 255, 0]));
    assert_eq!(option(&offer, 3), None, "no way out is made up");
    assert_eq!(option(&offer, 67), None);
    assert_eq!(ask(&packet(1, &[]), None), None, "no address, no offer");
}

#[test]
fn a_request_is_acknowledged_refused_or_left_to_another_server() {
    let ip = |a: Ipv4Addr| a.octets();
    let other = Ipv4Addr::new(10, 77, 0, 2);
    let wrong = Ipv4Addr::new(192, 168, 1, 5);
    for (options, lease, want) in [
        (
            vec![(50, ip(LEASE)), (54, ip(SERVER))],
            Some(LEASE),
            Some(MessageType::Ack),
        ),
        (vec![(50, ip(LEASE))], Some(LEASE), Some(MessageType::Ack)),
        (vec![(50, ip(wrong))], Some(LEASE), Some(MessageType::Nak)),
        (
            vec![(50, ip(wrong)), (54, ip(SERVER))],
            Some(LEASE),
            Some(MessageType::Nak),
        ),
        (vec![(50, ip(LEASE)), (54, ip(other))], Some(LEASE), None),
        (vec![(50, ip(wrong))], None, None),
    ] {
        let options: Vec<(u8, &[u8])> = options.iter().map(|(c, d)| (*c, &d[..])).collect();
        assert_eq!(
            ask(&packet(3, &options), lease).map(|(_, m)| kind(&m)),
            want,
            "{options:?}"
        );
    }
    let mut renewal = packet(3, &[]);
    renewal[12..16].copy_from_slice(&LEASE.octets());
    let (to, ack) = ask(&renewal, Some(LEASE)).expect("an answer");
    assert_eq!((to, kind(&ack)), (To::Client(LEASE), MessageType::Ack));
}

#[test]
fn a_relay_gets_its_information_and_its_port_back() {
    let mut relayed = packet(1, &[(82, &[1, 2, 7, 7, 19, 2, 0, 0])]);
    relayed[24..28].copy_from_slice(&[127, 77, 0, 1]);
    let (to, offer) = ask(&relayed, Some(LEASE)).expect("an offer");
    assert_eq!(
        to,
        To::Relay {
            address: Ipv4Addr::new(127, 77, 0, 1),
            same_port: true
        }
    );
    assert_eq!(option(&offer, 82), Some(vec![1, 2, 7, 7, 19, 2, 0, 0]));
}

#[test]
fn a_proxy_gives_no_addresses_and_answers_only_who_netboots() {
    let proxy = Config {
        mode: Mode::Proxy,
        ..config()
    };
    let ordinary = parse(&packet(1, &[])).expect("parses");
    assert_eq!(answer(&proxy, &ordinary, None), None);
    let query = parse(&packet(1, &[(60, b"PXEClient"), (93, &[0, 7])])).expect("parses");
    let reply = answer(&proxy, &query, None).expect("an offer");
    let offer = Message::decode(&mut Decoder::new(&reply.bytes)).expect("decodes");
    assert!(offer.yiaddr().is_unspecified());
    assert_eq!(option(&offer, 60).as_deref(), Some(&b"PXEClient"[..]));
    assert_eq!(option(&offer, 67).as_deref(), Some(&b"snponly.efi"[..]));
}

#[test]
fn a_proxy_offers_nothing_to_who_it_has_no_file_for_and_leaves_requests_to_who_is_named() {
    let proxy = Config {
        mode: Mode::Proxy,
        ..config()
    };
    let other = [10, 77, 0, 2];
    let ours = SERVER.octets();
    let (discover, request) = (1u8, 3u8);
    for (sent, arch, server, boot_server, want) in [
        (discover, 7u8, None, false, Some(MessageType::Offer)),
        (discover, 11, None, false, None),
        (discover, 16, None, false, None),
        (request, 7, None, false, None),
        (request, 7, Some(other), false, None),
        (request, 7, Some(ours), false, Some(MessageType::Ack)),
        (request, 7, None, true, Some(MessageType::Ack)),
        (request, 7, Some(ours), true, Some(MessageType::Ack)),
        (request, 7, Some(other), true, None),
        (request, 11, None, true, None),
        (discover, 7, None, true, None),
    ] {
        let arch = [0, arch];
        let mut options: Vec<(u8, &[u8])> = vec![(60, b"PXEClient"), (93, &arch)];
        options.extend(server.as_ref().map(|s| (54, &s[..])));
        let query = Query {
            boot_server,
            ..parse(&packet(sent, &options)).expect("parses")
        };
        let reply = answer(&proxy, &query, None);
        let got = reply.as_ref().map(|r| {
            let message = Message::decode(&mut Decoder::new(&r.bytes)).expect("decodes");
            assert_eq!(option(&message, 67).as_deref(), Some(&b"snponly.efi"[..]));
            kind(&message)
        });
        assert_eq!(got, want, "{sent} {arch:?} {server:?} {boot_server}");
        if boot_server {
            assert!(reply.is_none_or(|r| r.to == To::Sender));
        }
    }
}

#[test]
fn http_boot_gets_a_url_and_pxe_never_does() {
    const URL: Option<&[u8]> = Some(b"http://10.77.0.1:7480/boot/snponly.efi");
    let (http, pxe): (&[u8], &[u8]) = (b"HTTPClient:Arch:00016", b"PXEClient:Arch:00016");
    for (class, arch, want) in [
        (http, Some([0u8, 16]), URL),
        (http, None, URL),
        (http, Some([0, 7]), None),
        (http, Some([0, 19]), None),
        (pxe, Some([0, 16]), None),
        (pxe, Some([0, 11]), None),
        (pxe, None, Some(b"undionly.kpxe")),
    ] {
        let mut options = vec![(60, class)];
        options.extend(arch.as_ref().map(|a| (93, &a[..])));
        let offer = ask(&packet(1, &options), Some(LEASE)).expect("an offer").1;
        assert_eq!(option(&offer, 67).as_deref(), want, "{options:?}");
    }
}

#[test]
fn a_machine_identifier_comes_back_as_it_was_sent() {
    let machine = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
    let offer = ask(&packet(1, &[(97, &machine)]), Some(LEASE)).expect("an offer").1;
    assert_eq!(option(&offer, 97).as_deref(), Some(&machine[..]));
    let without = ask(&packet(1, &[]), Some(LEASE)).expect("an offer").1;
    assert_eq!(option(&without, 97), None);
}

#[test]
fn a_refusal_that_goes_through_a_relay_is_broadcast_behind_it() {
    let mut relayed = packet(3, &[(50, &[192, 168, 1, 5]), (54, &SERVER.octets())]);
    let (_, direct) = ask(&relayed, Some(LEASE)).expect("a refusal");
    assert!(!direct.flags().broadcast());
    relayed[24..28].copy_from_slice(&[127, 77, 0, 1]);
    let (to, nak) = ask(&relayed, Some(LEASE)).expect("a refusal");
    assert_eq!(kind(&nak), MessageType::Nak);
    assert!(nak.flags().broadcast() && matches!(to, To::Relay { .. }));
}

#[test]
fn who_asks_for_settings_without_an_address_gets_no_answer() {
    let mut inform = packet(8, &[]);
    assert_eq!(ask(&inform, None), None);
    inform[12..16].copy_from_slice(&LEASE.octets());
    let (to, ack) = ask(&inform, None).expect("an answer");
    assert_eq!((to, kind(&ack)), (To::Client(LEASE), MessageType::Ack));
    assert!(ack.yiaddr().is_unspecified());
}

#[test]
fn what_is_no_clients_packet_is_named() {
    let good = packet(1, &[]);
    let with = |at: usize, byte: u8| {
        let mut p = good.clone();
        p[at] = byte;
        parse(&p)
    };
    assert_eq!(parse(&good[..200]), Err(Bad::Length));
    assert_eq!(with(0, 2), Err(Bad::Reply));
    assert_eq!(with(2, 16), Err(Bad::Hardware));
    assert_eq!(with(3, 200), Err(Bad::Hops));
    assert_eq!(with(236, 0), Err(Bad::Cookie));
    assert_eq!(with(242, 2), Err(Bad::Kind));
    assert_eq!(with(241, 200), Err(Bad::Truncated));
}

proptest! {
    #[test]
    fn no_packet_panics_and_every_answer_is_the_askers(bytes in prop::collection::vec(any::<u8>(), 0..600), lease: bool) {
        check(&bytes, lease);
    }

    #[test]
    fn a_mutated_packet_is_answered_the_same_each_time(
        flips in prop::collection::vec((0usize..260, any::<u8>()), 0..8), which in 0u8..9, lease: bool,
    ) {
        let mut bytes = packet(which, &[(60, b"PXEClient"), (93, &[0, 7]), (97, &[0; 17])]);
        for (at, byte) in flips {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        check(&bytes, lease);
    }
}

fn check(bytes: &[u8], lease: bool) {
    let Ok(query) = parse(bytes) else { return };
    let lease = lease.then_some(LEASE);
    let first = answer(&config(), &query, lease);
    assert_eq!(
        first,
        answer(&config(), &query, lease),
        "a retransmission is answered the same"
    );
    if let Some(reply) = first {
        let message = Message::decode(&mut Decoder::new(&reply.bytes)).expect("every answer decodes");
        assert_eq!((message.xid(), message.chaddr()), (query.xid, &query.mac.0[..]));
    }
}
