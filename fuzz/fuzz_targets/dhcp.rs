//! Any packet: no panic, and what is answered is a reply to the one who asked.
#![no_main]

use std::net::Ipv4Addr;

use boot::dhcp::{Config, Mode, answer, parse};
use dhcproto::v4::Message;
use dhcproto::{Decodable as _, Decoder};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|packet: &[u8]| {
    let Ok(mut query) = parse(packet) else { return };
    let mut config = Config::new(Ipv4Addr::new(10, 77, 0, 1), 24, "http://10.77.0.1:7480");
    for mode in [Mode::Server, Mode::Proxy] {
        config.mode = mode;
        for lease in [None, Some(Ipv4Addr::new(10, 77, 0, 100))] {
            for boot_server in [false, true] {
                query.boot_server = boot_server;
                let Some(reply) = answer(&config, &query, lease) else { continue };
                let message = Message::decode(&mut Decoder::new(&reply.bytes)).expect("every answer decodes");
                assert_eq!((message.xid(), message.chaddr()), (query.xid, &query.mac.0[..]));
            }
        }
    }
});
