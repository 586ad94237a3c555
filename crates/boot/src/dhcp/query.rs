//! What a DHCP packet asks. Every byte may be hostile: nothing is indexed without a check.

use std::net::Ipv4Addr;

use rack::Mac;

/// Options start behind the fixed part and the magic cookie (RFC 2131 §3).
const OPTIONS: usize = 240;
const COOKIE: [u8; 4] = [99, 130, 83, 99];
/// The largest packet that is looked at: what fits an Ethernet frame.
pub const LARGEST: usize = 1500;
/// A packet that was relayed more often runs in a circle (RFC 1542 §4.1.1).
const HOPS: u8 = 16;

/// Why a packet is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Bad {
    /// Shorter than the fixed part, or longer than a frame.
    #[error("its length is not a DHCP packet's")]
    Length,
    /// A reply, not a request.
    #[error("it is a reply")]
    Reply,
    /// Not Ethernet.
    #[error("its hardware address is not Ethernet's")]
    Hardware,
    /// No magic cookie: BOOTP or garbage.
    #[error("it has no DHCP options")]
    Cookie,
    /// An option runs over the end.
    #[error("an option runs over the packet's end")]
    Truncated,
    /// No message type, or one that only servers send.
    #[error("its message type is not a client's")]
    Kind,
    /// It was relayed too often.
    #[error("it was relayed too often")]
    Hops,
}

/// What a client wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Who can give me an address?
    Discover,
    /// I take this one.
    Request,
    /// This one is used by someone else.
    Decline,
    /// I don't need it any more.
    Release,
    /// I have an address, what else should I know?
    Inform,
}

/// A client's packet, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Whose.
    pub mac: Mac,
    /// What it wants.
    pub kind: Kind,
    /// Names the exchange.
    pub xid: u32,
    /// Flags, of which broadcast is bit 15.
    pub flags: u16,
    /// The address that it uses already.
    pub ciaddr: Ipv4Addr,
    /// The relay that it came through.
    pub giaddr: Ipv4Addr,
    /// Option 50.
    pub requested: Option<Ipv4Addr>,
    /// Option 54: the server whose offer it takes.
    pub server: Option<Ipv4Addr>,
    /// Option 60: vendor class.
    pub class: Vec<u8>,
    /// Option 93: client system architecture (RFC 4578 §2.1), the first one.
    pub arch: Option<u16>,
    /// Option 97: machine identifier, as it came.
    pub machine: Vec<u8>,
    /// Option 82: relay information, given back as it came (RFC 3046 §2.2).
    pub relay: Vec<u8>,
    /// Whether the relay wants its answers at the port it sent from (RFC 8357).
    pub relay_port: bool,
    /// Whether iPXE asks: option 175, or user class `iPXE`.
    pub ipxe: bool,
    /// Whether it came to port 4011, where a proxy's clients ask for their boot file (PXE 2.1 §2.2.3). The socket tells.
    pub boot_server: bool,
}

impl Query {
    /// Whether the client is firmware or a boot loader on its way over the network.
    pub fn netboots(&self) -> bool {
        self.ipxe || self.class.starts_with(b"PXEClient") || self.http()
    }

    /// Whether the client is UEFI HTTP boot.
    pub fn http(&self) -> bool {
        self.class.starts_with(b"HTTPClient")
    }
}

/// Reads a packet.
pub fn parse(packet: &[u8]) -> Result<Query, Bad> {
    if !(OPTIONS..=LARGEST).contains(&packet.len()) {
        return Err(Bad::Length);
    }
    let [op, htype, hlen, hops] = [packet[0], packet[1], packet[2], packet[3]];
    if op != 1 {
        return Err(Bad::Reply);
    }
    if htype != 1 || hlen != 6 {
        return Err(Bad::Hardware);
    }
    if hops > HOPS {
        return Err(Bad::Hops);
    }
    if packet[236..OPTIONS] != COOKIE {
        return Err(Bad::Cookie);
    }
    let address = |at: usize| Ipv4Addr::new(packet[at], packet[at + 1], packet[at + 2], packet[at + 3]);
    let mac: [u8; 6] = packet[28..34].try_into().map_err(|_| Bad::Length)?;
    let mut query = Query {
        mac: Mac(mac),
        kind: Kind::Discover,
        xid: u32::from_be_bytes([packet[4], packet[5], packet[6], packet[7]]),
        flags: u16::from_be_bytes([packet[10], packet[11]]),
        ciaddr: address(12),
        giaddr: address(24),
        requested: None,
        server: None,
        class: Vec::new(),
        arch: None,
        machine: Vec::new(),
        relay: Vec::new(),
        relay_port: false,
        ipxe: false,
        boot_server: false,
    };
    let mut kind = None;
    for option in Options(&packet[OPTIONS..]) {
        let (code, data) = option?;
        let ip = || <[u8; 4]>::try_from(data).ok().map(Ipv4Addr::from);
        match code {
            50 => query.requested = ip(),
            53 => kind = data.first().copied(),
            54 => query.server = ip(),
            60 => query.class = data.to_vec(),
            77 => query.ipxe |= data.windows(4).any(|w| w == b"iPXE"),
            82 => {
                query.relay = data.to_vec();
                query.relay_port = Options(data).any(|sub| matches!(sub, Ok((19, _))));
            }
            93 => query.arch = data.get(..2).map(|b| u16::from_be_bytes([b[0], b[1]])),
            97 => query.machine = data.to_vec(),
            175 => query.ipxe = true,
            _ => {}
        }
    }
    query.kind = match kind {
        Some(1) => Kind::Discover,
        Some(3) => Kind::Request,
        Some(4) => Kind::Decline,
        Some(7) => Kind::Release,
        Some(8) => Kind::Inform,
        _ => return Err(Bad::Kind),
    };
    Ok(query)
}

/// Options one after the other: code, length, data; 0 pads, 255 ends (RFC 2132 §2).
struct Options<'a>(&'a [u8]);

impl<'a> Iterator for Options<'a> {
    type Item = Result<(u8, &'a [u8]), Bad>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match *self.0 {
                [] | [255, ..] => return None,
                [0, ref rest @ ..] => self.0 = rest,
                [code, length, ref rest @ ..] if rest.len() >= usize::from(length) => {
                    let (data, rest) = rest.split_at(usize::from(length));
                    self.0 = rest;
                    return Some(Ok((code, data)));
                }
                _ => {
                    self.0 = &[];
                    return Some(Err(Bad::Truncated));
                }
            }
        }
    }
}
