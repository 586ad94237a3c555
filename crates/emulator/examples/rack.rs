//! An emulated rack alone, for tools that ask Redfish (DMTF's validators, Prometheus): `rack PORT [https|http] [RACK]`, HTTP
//! unless told otherwise, password `emulated`; RACK is a description's name or file. Machines find no daemon on it.

use std::net::Ipv4Addr;
use std::sync::Arc;

use emulator::disks::Disks;
use emulator::net::RealNet;
use emulator::{Config, Credential, Emulated, RackLayout};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port = std::env::args().nth(1).ok_or("give a port")?.parse()?;
    let tls = std::env::args().nth(2).is_some_and(|a| a == "https");
    let layout = match std::env::args().nth(3) {
        Some(name) => RackLayout::named(&name)?,
        None => RackLayout::default(),
    };
    let config = Config {
        layout,
        port,
        tls,
        disks: Disks::Memory,
        state: None,
        speed: 10.0,
        seed: 1,
        relay: Ipv4Addr::LOCALHOST,
        metadata: "http://127.0.0.1:1".into(),
        net: Arc::new(RealNet {
            dhcp: ([127, 0, 0, 1], 1).into(),
            login_port: 2222,
        }),
        credential: Credential {
            user: "admin".into(),
            password: "emulated".into(),
        },
        control: None,
        machines: None,
        clock: Arc::new(|| rack::Time::from_millis(jiff::Timestamp::now().as_millisecond())),
    };
    let handle = Emulated::start(config).await?;
    for address in handle.rack.addresses() {
        println!(
            "{}://{address}:{}/redfish/v1/",
            if tls { "https" } else { "http" },
            handle.port
        );
    }
    tokio::signal::ctrl_c().await?;
    handle.stop().await;
    Ok(())
}
