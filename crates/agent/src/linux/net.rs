//! Brings the network up: the port that the machine booted from first, every port when that one has no answer.

use std::fs;
use std::net::Ipv4Addr;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use rack::Mac;
use tracing::{info, warn};

use super::dhcp::{self, Lease};
use super::inventory::text;
use super::netlink;

/// How long the boot port alone is tried: a switch port with spanning tree forwards after 30 s, most at once.
const BOOT_PORT: Duration = Duration::from_secs(40);
/// Between two tries of a port, and two looks for ports.
const PAUSE: Duration = Duration::from_secs(2);

#[derive(Debug, Clone)]
struct Port {
    name: String,
    index: u32,
    mac: Mac,
}

/// Returns when a port has an address; tries for ever, and says so.
pub(super) fn up(boot: Option<Mac>) {
    if let Ok(index) = text("/sys/class/net/lo/ifindex").unwrap_or_default().parse() {
        let _ = netlink::link_up(index);
    }
    let (told, leases) = channel();
    let mut tried: Vec<String> = Vec::new();
    let mut first = boot;
    loop {
        let ports = ports();
        if ports.is_empty() {
            warn!("no network port found yet");
        }
        for port in &ports {
            let wanted = first.is_none_or(|mac| mac == port.mac);
            if wanted && !tried.contains(&port.name) {
                tried.push(port.name.clone());
                let (port, told) = (port.clone(), told.clone());
                thread::spawn(move || hold(&port, &told));
            }
        }
        let wait = if first.is_some() && !tried.is_empty() {
            BOOT_PORT
        } else {
            PAUSE
        };
        if let Ok((name, address)) = leases.recv_timeout(wait) {
            info!("{name} has {address}");
            return;
        }
        if let Some(mac) = first.take() {
            warn!("the boot port {mac} got no address: trying every port");
        }
    }
}

/// Gets an address for a port, and keeps it.
fn hold(port: &Port, told: &Sender<(String, Ipv4Addr)>) {
    if let Err(e) = netlink::link_up(port.index) {
        warn!("cannot bring {} up: {e}", port.name);
    }
    let mut held: Option<Lease> = None;
    loop {
        let xid = random();
        let got = match &held {
            Some(lease) => dhcp::renew(&port.name, port.mac, xid, lease),
            None => dhcp::lease(&port.name, port.mac, xid),
        };
        match got {
            Ok(Some(lease)) => {
                configure(port, &lease);
                // the first one wins; nobody listens to the others
                let _ = told.send((port.name.clone(), lease.address));
                let half = lease.time / 2;
                held = Some(lease);
                thread::sleep(half);
            }
            Ok(None) => {
                warn!("no DHCP answer on {}", port.name);
                held = None;
                thread::sleep(PAUSE);
            }
            Err(e) => {
                warn!("DHCP on {}: {e}", port.name);
                thread::sleep(PAUSE);
            }
        }
    }
}

fn configure(port: &Port, lease: &Lease) {
    if let Err(e) = netlink::address(port.index, lease.address, lease.prefix) {
        warn!("cannot give {} to {}: {e}", lease.address, port.name);
    }
    if let Some(router) = lease.router
        && let Err(e) = netlink::route(port.index, Ipv4Addr::UNSPECIFIED, 0, Some(router))
    {
        warn!("cannot route through {router}: {e}");
    }
}

fn ports() -> Vec<Port> {
    let mut all: Vec<Port> = fs::read_dir("/sys/class/net")
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.path().join("device").exists())
        .filter_map(|entry| {
            let path = entry.path();
            Some(Port {
                name: entry.file_name().into_string().ok()?,
                index: text(path.join("ifindex"))?.parse().ok()?,
                mac: text(path.join("address"))?.parse().ok()?,
            })
        })
        .collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

fn random() -> u32 {
    let mut bytes = [0u8; 4];
    // without entropy yet, the default still works on a link of our own
    let _ = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::NONBLOCK);
    u32::from_ne_bytes(bytes)
}
