//! Servers without a BMC listen to the rack's network while they are off: a magic packet with their address switches them on
//! (AMD, Magic Packet Technology, publication 20213). The rack's network is loopback's broadcast address.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use rack::Mac;
use tokio::net::UdpSocket;

use crate::config::StartError;
use crate::emulated::Emulated;
use crate::model::Power;

/// What a broadcast on the rack's network is sent to.
pub const BROADCAST: Ipv4Addr = Ipv4Addr::new(127, 255, 255, 255);
/// Larger than any wake-up; the rest of a longer packet is not looked at.
const PACKET: usize = 512;

/// Opens the rack's network.
pub(crate) async fn listen(port: u16) -> Result<UdpSocket, StartError> {
    let at = SocketAddr::from((BROADCAST, port));
    UdpSocket::bind(at)
        .await
        .map_err(|source| StartError::Listen { at, source })
}

/// Listens for ever.
pub(crate) async fn serve(socket: UdpSocket, rack: Arc<Emulated>) {
    let mut packet = [0; PACKET];
    loop {
        match socket.recv(&mut packet).await {
            Ok(length) => {
                if let Some(mac) = called(&packet[..length]) {
                    rack.wake(mac);
                }
            }
            // an ICMP error of someone else's packet: the next one is no worse for it
            Err(e) => tracing::debug!("the rack's network: {e}"),
        }
    }
}

/// Whose magic packet this is: six bytes of ones and an address sixteen times, anywhere in it.
pub fn called(packet: &[u8]) -> Option<Mac> {
    const REPEATS: usize = 16;
    packet.windows(6 + 6 * REPEATS).find_map(|window| {
        let (ones, addresses) = window.split_at(6);
        let mac: [u8; 6] = addresses[..6].try_into().ok()?;
        let called = ones == [0xff; 6] && addresses.chunks(6).all(|a| a == mac);
        called.then_some(Mac(mac))
    })
}

impl Emulated {
    /// A magic packet for this address went over the rack's network.
    pub fn wake(self: &Arc<Self>, mac: Mac) {
        let asleep = |i: &usize| {
            let spec = &self.servers[*i].spec;
            let state = self.state(*i);
            spec.bmc.is_none() && spec.macs[0] == mac && state.power == Power::Off
        };
        // its port listens while it has input
        if let Some(i) = (0..self.servers.len()).find(asleep).filter(|i| self.live(*i)) {
            self.say(i, "woken over the network");
            self.power_on(i);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_magic_packet_is_found_wherever_it_stands_and_nothing_else_is_one() {
        let mac = Mac([0x02, 1, 2, 3, 4, 5]);
        let mut packet = vec![0xff; 6];
        packet.extend(mac.0.repeat(16));
        assert_eq!(called(&packet), Some(mac));
        // With something before it, a SecureOn password behind it, or one more byte of ones.
        assert_eq!(called(&[b"wake".as_slice(), &packet, &[7; 6]].concat()), Some(mac));
        assert_eq!(called(&[[0xff].as_slice(), &packet].concat()), Some(mac));
        for broken in [&packet[..101], &packet[1..], b"".as_slice()] {
            assert_eq!(called(broken), None);
        }
        packet[60] ^= 1;
        assert_eq!(called(&packet), None);
    }
}
