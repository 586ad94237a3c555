//! The real clock, network and randomness that the house stands on.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use control::env::{Dial, Future, Probe, Random};
use control::meters::{Exchanges, Metered, Meters, Protocol};
use hardware::transport::{HttpTransport, Limits, Pin, Transport};
use hardware::{Credential, Driver, Ipmi, Mode, Pdu, Redfish, Tally, Wol};
use tokio::io::AsyncReadExt as _;

/// Drivers by protocol: Redfish over TLS with the certificate pinned at first use, IPMI, SNMP and wake-ups over UDP.
#[derive(Default)]
pub struct Dialer {
    meters: Arc<Meters>,
}

impl Dial for Dialer {
    fn driver(
        &self,
        url: &str,
        pin: Option<&str>,
        credential: Credential,
        mode: Mode,
    ) -> Result<Arc<dyn Driver>, String> {
        let failed = |e: hardware::Error| e.to_string();
        let count = |protocol| -> Arc<dyn Tally> { Arc::<Exchanges>::clone(self.meters.exchanges(protocol)) };
        match url.split("://").next() {
            Some("ipmi") => {
                let udp = Arc::new(hardware::ipmi::udp::Udp);
                let ipmi = Ipmi::new(url, udp, credential, mode).map_err(failed)?;
                Ok(Arc::new(ipmi.counted_by(count(Protocol::Ipmi))))
            }
            Some("wol") => Ok(Arc::new(
                Wol::new(url, Arc::new(hardware::wol::Udp), credential, mode).map_err(failed)?,
            )),
            Some("snmp") => {
                let pdu = Pdu::new(url, credential, mode).map_err(failed)?;
                Ok(Arc::new(pdu.counted_by(count(Protocol::Snmp))))
            }
            _ => {
                let pin = pin.map_or(Pin::Learn, |p| Pin::Expect(p.to_owned()));
                let transport = HttpTransport::new(pin).map_err(|e| format!("{url}: {e}"))?;
                let transport = Metered::new(transport, &self.meters);
                Ok(Arc::new(Redfish::new(url, Arc::new(transport), credential, mode)))
            }
        }
    }

    fn meters(&self) -> Option<Arc<Meters>> {
        Some(Arc::clone(&self.meters))
    }

    fn certificate<'a>(&'a self, url: &'a str) -> Future<'a, Result<Option<String>, String>> {
        /// The service root answers without a password (DSP0266), so a look at it shows the certificate.
        const LIMITS: Limits = Limits {
            timeout: Duration::from_secs(20),
            body: 256 * 1024,
        };
        Box::pin(async move {
            let transport = HttpTransport::new(Pin::Learn).map_err(|e| e.to_string())?;
            let request = http::Request::get(format!("{url}/redfish/v1/"))
                .body(Bytes::new())
                .map_err(|e| format!("{url} is not an address: {e}"))?;
            transport.send(request, LIMITS).await.map_err(|e| e.to_string())?;
            Ok(transport.fingerprint())
        })
    }
}

/// Looks whether an SSH server introduces itself; from inside the machines' own network, where they have one.
pub struct SshProbe(pub Option<tokio::runtime::Handle>);

impl Probe for SshProbe {
    fn login(&self, address: IpAddr) -> Future<'_, bool> {
        let introduced = introduces(SocketAddr::new(address, login_port(address)));
        match &self.0 {
            Some(inside) => {
                let introduced = inside.spawn(introduced);
                Box::pin(async move { introduced.await.unwrap_or(false) })
            }
            None => Box::pin(introduced),
        }
    }
}

async fn introduces(at: SocketAddr) -> bool {
    let Ok(mut stream) = tokio::net::TcpStream::connect(at).await else {
        return false;
    };
    let mut start = [0; 4];
    // RFC 4253 §4.2: the server's first line begins with its protocol's version.
    stream.read_exact(&mut start).await.is_ok() && &start == b"SSH-"
}

/// Where a login answers: an emulated server stands on a loopback address, where port 22 is not its own to open.
pub fn login_port(address: IpAddr) -> u16 {
    if address.is_loopback() { EMULATED_LOGIN } else { 22 }
}

/// The login port of emulated servers.
pub const EMULATED_LOGIN: u16 = 2222;

/// The system's randomness.
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) {
        use ring::rand::SecureRandom as _;
        ring::rand::SystemRandom::new()
            .fill(bytes)
            .expect("the kernel gives random bytes");
    }
}

/// The address and prefix length of a network interface.
pub fn interface_address(name: &str) -> anyhow::Result<(Ipv4Addr, u8)> {
    let all = if_addrs::get_if_addrs()?;
    let link_local = |a: Ipv4Addr| a.is_link_local();
    let found = all.iter().filter(|i| i.name == name).find_map(|i| match &i.addr {
        if_addrs::IfAddr::V4(a) if !link_local(a.ip) => Some((a.ip, a.prefixlen)),
        _ => None,
    });
    found.ok_or_else(|| {
        let mut names: Vec<&str> = all.iter().map(|i| i.name.as_str()).collect();
        names.dedup();
        anyhow::anyhow!("interface {name} has no IPv4 address (here are: {}); give it one first: ip addr add 10.77.0.1/24 dev {name}", names.join(", "))
    })
}
