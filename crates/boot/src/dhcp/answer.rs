//! What is answered: a function of the query, the address that the client has, and the settings.

use std::net::Ipv4Addr;

use dhcproto::v4::{DhcpOption, Flags, Message, MessageType, Opcode, OptionCode, UnknownOption};
use dhcproto::{Encodable as _, Encoder};

use super::{Kind, Query};

/// Seconds that an address is given for. Addresses are kept for good; this is how soon a client notices a change.
const LEASE: u32 = 3600;
/// The metadata service's address, on-link wherever the machine is (BOOT: option 121 works for every client seen).
const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);

/// Whether addresses are given, or only where to boot from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Addresses and boot files.
    Server,
    /// Only boot files, beside another DHCP server (PXE 2.1 §2.2, proxyDHCP).
    Proxy,
}

/// Settings of the boot network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Our own address on it.
    pub server: Ipv4Addr,
    /// Length of its prefix.
    pub prefix: u8,
    /// Where boot files and scripts are: `http://10.77.0.1:7480`.
    pub base: String,
    /// What is given.
    pub mode: Mode,
    /// The way out of the network, if there is one. None is made up.
    pub gateway: Option<Ipv4Addr>,
    /// Name servers.
    pub dns: Vec<Ipv4Addr>,
}

impl Config {
    /// A server's settings without a way out of the network.
    pub fn new(server: Ipv4Addr, prefix: u8, base: &str) -> Config {
        Config {
            server,
            prefix,
            base: base.to_owned(),
            mode: Mode::Server,
            gateway: None,
            dns: Vec::new(),
        }
    }

    fn mask(&self) -> u32 {
        u32::MAX.checked_shl(32 - u32::from(self.prefix.min(32))).unwrap_or(0)
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Where it goes.
    pub to: To,
    /// The packet.
    pub bytes: Vec<u8>,
}

/// Where an answer goes (RFC 2131 §4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To {
    /// To everyone on the wire: the client can't take packets for its address yet, and an entry in the neighbour table for
    /// it would need privileges that a broadcast doesn't.
    Broadcast,
    /// To an address that the client has.
    Client(Ipv4Addr),
    /// To where the question came from: a client of port 4011 has an address, and need not say so.
    Sender,
    /// Back through the relay.
    Relay {
        /// Its address.
        address: Ipv4Addr,
        /// To the port that it sent from (RFC 8357) rather than 67.
        same_port: bool,
    },
}

/// The answer to `query` of a client that has the address `lease`, if it gets one.
pub fn answer(config: &Config, query: &Query, lease: Option<Ipv4Addr>) -> Option<Reply> {
    match config.mode {
        Mode::Proxy => proxy(config, query),
        Mode::Server => server(config, query, lease),
    }
}

fn server(config: &Config, query: &Query, lease: Option<Ipv4Addr>) -> Option<Reply> {
    let ours = query.server.is_none_or(|s| s == config.server);
    match query.kind {
        Kind::Discover => give(config, query, MessageType::Offer, lease?),
        // Another server's offer was taken: ours is withdrawn by silence.
        Kind::Request if !ours => None,
        Kind::Request => {
            let asked = if query.ciaddr.is_unspecified() {
                query.requested
            } else {
                Some(query.ciaddr)
            };
            match (lease, asked) {
                // Someone whom we don't know asks for what another server may have given (RFC 2131 §4.3.2).
                (None, _) if query.server.is_none() => None,
                (Some(lease), Some(asked)) if lease == asked => give(config, query, MessageType::Ack, lease),
                _ => Some(refuse(config, query)),
            }
        }
        // Without the address that it says it has, an answer would go to nobody (RFC 2131 §4.3.5).
        Kind::Inform if query.ciaddr.is_unspecified() => None,
        Kind::Inform => {
            let mut message = start(config, query, MessageType::Ack);
            network(config, &mut message);
            finish(query, message, To::Client(query.ciaddr))
        }
        Kind::Decline | Kind::Release => None,
    }
}

fn give(config: &Config, query: &Query, kind: MessageType, lease: Ipv4Addr) -> Option<Reply> {
    let mut message = start(config, query, kind);
    message.set_yiaddr(lease);
    put(&mut message, 51, LEASE.to_be_bytes());
    put(&mut message, 58, (LEASE / 2).to_be_bytes());
    put(&mut message, 59, (LEASE / 8 * 7).to_be_bytes());
    network(config, &mut message);
    boot(config, query, &mut message);
    let to = if query.ciaddr.is_unspecified() {
        To::Broadcast
    } else {
        To::Client(query.ciaddr)
    };
    finish(query, message, to)
}

fn refuse(config: &Config, query: &Query) -> Reply {
    let mut message = start(config, query, MessageType::Nak);
    if !query.giaddr.is_unspecified() {
        // The relay must not send it to the address that is refused (RFC 2131 §4.3.2).
        message.set_flags(Flags::from(query.flags).set_broadcast());
    }
    // A refusal is broadcast, as the client's address may be anyone's (RFC 2131 §4.1).
    finish(query, message, To::Broadcast).expect("a refusal holds nothing that can't be encoded")
}

/// Beside another server: only who netboots and for whom there is a boot file is answered, and no address is given.
fn proxy(config: &Config, query: &Query) -> Option<Reply> {
    boot_file(config, query)?;
    let kind = match (query.kind, query.boot_server) {
        (Kind::Discover, false) => MessageType::Offer,
        // On port 67 an address is asked for, nearly always of the other server: its answer is not ours to give.
        (Kind::Request, false) if query.server == Some(config.server) => MessageType::Ack,
        (Kind::Request, true) if query.server.is_none_or(|s| s == config.server) => MessageType::Ack,
        _ => return None,
    };
    let mut message = start(config, query, kind);
    if !query.http() {
        put(&mut message, 60, b"PXEClient");
    }
    boot(config, query, &mut message);
    let to = if query.boot_server {
        To::Sender
    } else if query.ciaddr.is_unspecified() {
        To::Broadcast
    } else {
        To::Client(query.ciaddr)
    };
    finish(query, message, to)
}

fn start(config: &Config, query: &Query, kind: MessageType) -> Message {
    let none = Ipv4Addr::UNSPECIFIED;
    let ciaddr = if kind == MessageType::Ack { query.ciaddr } else { none };
    let mut message = Message::new_with_id(query.xid, ciaddr, none, none, query.giaddr, &query.mac.0);
    message
        .set_opcode(Opcode::BootReply)
        .set_flags(Flags::from(query.flags));
    message.opts_mut().insert(DhcpOption::MessageType(kind));
    message.opts_mut().insert(DhcpOption::ServerIdentifier(config.server));
    if !query.machine.is_empty() {
        // PXE 2.1 table 2-1: firmware drops an offer without the machine identifier that it sent.
        put(&mut message, 97, query.machine.as_slice());
    }
    message
}

/// What every client should know of the network.
fn network(config: &Config, message: &mut Message) {
    put(message, 1, config.mask().to_be_bytes());
    // Option 121 replaces option 3 for those who know it (RFC 3442), so a way out stands in both.
    let mut routes = vec![32];
    routes.extend(METADATA.octets());
    routes.extend([0; 4]);
    if let Some(gateway) = config.gateway {
        put(message, 3, gateway.octets());
        routes.push(0);
        routes.extend(gateway.octets());
    }
    put(message, 121, routes);
    if !config.dns.is_empty() {
        put(
            message,
            6,
            config.dns.iter().flat_map(|a| a.octets()).collect::<Vec<u8>>(),
        );
    }
}

/// Where a client that netboots goes on.
fn boot(config: &Config, query: &Query, message: &mut Message) {
    let Some(file) = boot_file(config, query) else { return };
    message.set_siaddr(config.server);
    if query.http() {
        // UEFI 2.10 §24.7.3.1: without this class the answer is not for HTTP boot.
        put(message, 60, b"HTTPClient");
    } else if !query.ipxe {
        // PXE 2.1: discovery control bit 3, take the boot file as it is and ask no boot server.
        put(message, 43, [6, 1, 8, 255]);
        put(message, 66, config.server.to_string());
    }
    if query.ipxe {
        // iPXE's `no-pxedhcp`: spares it the wait for a proxy.
        put(message, 175, [176, 1, 1]);
    }
    put(message, 67, file.as_bytes());
    message.set_fname_str(file);
}

/// The boot file for a client that netboots: the script for iPXE, iPXE for firmware. `None` for an architecture that has no
/// kit, and for who doesn't netboot.
pub(super) fn boot_file(config: &Config, query: &Query) -> Option<String> {
    let base = &config.base;
    if query.ipxe {
        return Some(format!("{base}/boot/script"));
    }
    // RFC 4578 §2.1 and IANA's list: 0 BIOS; 7, 9 UEFI x86-64; 16 the same over HTTP. UEFI's HTTP boot takes nothing but a URL
    // (UEFI 2.10 §24.7.3.1), PXE nothing but a name.
    match query.arch {
        _ if !query.netboots() => None,
        Some(16) | None if query.http() => Some(format!("{base}/boot/snponly.efi")),
        _ if query.http() => None,
        Some(0) | None => Some("undionly.kpxe".into()),
        Some(7 | 9) => Some("snponly.efi".into()),
        _ => None,
    }
}

fn finish(query: &Query, mut message: Message, to: To) -> Option<Reply> {
    if !query.relay.is_empty() {
        put(&mut message, 82, query.relay.as_slice());
    }
    let to = if query.giaddr.is_unspecified() {
        to
    } else {
        To::Relay {
            address: query.giaddr,
            same_port: query.relay_port,
        }
    };
    let mut bytes = Vec::with_capacity(512);
    message.encode(&mut Encoder::new(&mut bytes)).ok()?;
    // BOOTP's minimum (RFC 951); some firmware drops what is shorter.
    bytes.resize(bytes.len().max(300), 0);
    Some(Reply { to, bytes })
}

fn put(message: &mut Message, code: u8, data: impl AsRef<[u8]>) {
    let option = UnknownOption::new(OptionCode::from(code), data.as_ref().to_vec());
    message.opts_mut().insert(DhcpOption::Unknown(option));
}
