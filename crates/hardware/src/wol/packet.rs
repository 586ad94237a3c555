//! The magic packet (AMD, Magic Packet Technology, publication 20213), and where it goes.

use std::net::{Ipv4Addr, SocketAddrV4};

use rack::Mac;

/// Where magic packets are sent when no port is named: nothing answers at the discard port (RFC 863), and the port of the
/// sleeping box looks at any.
pub const PORT: u16 = 9;
/// How often the address stands in a packet.
const REPEATS: usize = 16;

/// Whom to wake, and where the packet goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// The network port that listens while the box sleeps.
    pub mac: Mac,
    /// A broadcast address that reaches it: a sleeping port has no address of its own.
    pub to: SocketAddrV4,
}

/// Reads `wol://MAC`, `wol://MAC/ADDRESS` or `wol://MAC/ADDRESS:PORT`.
///
/// # Errors
/// Says how it is written.
pub fn target(url: &str) -> Result<Target, String> {
    let bad = || {
        "a box that is woken over the network is wol://52-54-00-12-34-56, or with the broadcast address of its network: \
         wol://52-54-00-12-34-56/10.77.0.255"
            .to_owned()
    };
    let rest = url.strip_prefix("wol://").ok_or_else(bad)?;
    let (mac, to) = rest.split_once('/').map_or((rest, None), |(m, t)| (m, Some(t)));
    let mac: Mac = mac.parse().map_err(|_| bad())?;
    // The first bit sent of an address says that it is a group's (IEEE 802, clause 8.2): no port has such a one.
    if mac.0[0] & 1 == 1 || mac.0 == [0; 6] {
        return Err(format!("{mac} is no network port's own address; {}", bad()));
    }
    let to = match to {
        None => SocketAddrV4::new(Ipv4Addr::BROADCAST, PORT),
        Some(to) => to
            .parse()
            .or_else(|_| to.parse().map(|a| SocketAddrV4::new(a, PORT)))
            .map_err(|_| bad())?,
    };
    Ok(Target { mac, to })
}

/// Six bytes of ones, the address sixteen times, and the SecureOn password if the port wants one.
pub fn magic(mac: Mac, password: Option<[u8; 6]>) -> Vec<u8> {
    let mut packet = vec![0xff; 6];
    packet.extend(mac.0.repeat(REPEATS));
    packet.extend(password.into_iter().flatten());
    packet
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: Mac = Mac([0x52, 0x54, 0x00, 0x12, 0x34, 0x56]);

    #[test]
    fn a_magic_packet_is_six_ones_and_the_address_sixteen_times() {
        let packet = magic(MAC, None);
        assert_eq!(packet.len(), 102);
        assert_eq!(packet[..6], [0xff; 6]);
        assert!(packet[6..].chunks(6).all(|c| c == MAC.0));
        let secured = magic(MAC, Some([1, 2, 3, 4, 5, 6]));
        assert_eq!(secured[..102], packet[..]);
        assert_eq!(secured[102..], [1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn a_target_names_the_port_and_may_name_the_way_to_it() {
        for (url, to) in [
            ("wol://52-54-00-12-34-56", "255.255.255.255:9"),
            ("wol://525400123456/10.77.0.255", "10.77.0.255:9"),
            ("wol://52:54:00:12:34:56/10.77.0.255:7", "10.77.0.255:7"),
        ] {
            let t = target(url).unwrap_or_else(|e| panic!("{url}: {e}"));
            assert_eq!((t.mac, t.to.to_string().as_str()), (MAC, to), "{url}");
        }
        for url in [
            "wol://",
            "wol://10.0.0.1",
            "wol://52-54-00-12-34",
            "wol://52-54-00-12-34-56/lan",
            "wol://ff-ff-ff-ff-ff-ff",
            "wol://00-00-00-00-00-00",
            "https://52-54-00-12-34-56",
        ] {
            assert!(target(url).expect_err(url).contains("wol://52-54"), "{url}");
        }
    }
}
