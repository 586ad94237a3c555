//! The boot services on their sockets: DHCP, TFTP, HTTP, metadata.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use boot::dhcp;
use boot::http::Kit;
use control::rackfile::RackFile;
use control::secrets::Secrets;
use control::{BootNetwork, House};
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{edge, emulated, near, now, upper_half};
use crate::cli::{DhcpMode, UpOptions};

/// Where clouds serve metadata, and every image looks.
const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);

/// The network that machines boot from.
#[derive(Clone)]
pub struct Network {
    /// Addresses.
    pub addresses: BootNetwork,
    /// Where boot files are: `http://10.77.0.1:7480`.
    pub base: String,
    /// Where they are listened for.
    pub listen: SocketAddr,
    /// The interface; none on an emulated rack, whose network is the loopback.
    pub interface: Option<String>,
    /// Where relays send DHCP, on an emulated rack.
    pub relay: SocketAddr,
}

impl Network {
    /// The network that the options ask for, if they ask for one.
    pub fn choose(options: &UpOptions, racks: &[RackFile]) -> Result<Option<Network>> {
        let port = near(options.listen.port(), 80);
        let (mut addresses, listen) = if let Some(interface) = &options.interface {
            let (server, prefix) = edge::interface_address(interface)?;
            (
                upper_half(server, prefix),
                options.boot_listen.unwrap_or(SocketAddr::from((server, port))),
            )
        } else if options.emulate {
            let here = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            (
                emulated::network(options.listen.port()),
                options.boot_listen.unwrap_or(here),
            )
        } else {
            return Ok(None);
        };
        if let Some(told) = racks.iter().find_map(|r| r.network.as_ref()) {
            (addresses.first, addresses.last) = (told.first, told.last);
        }
        let relay = SocketAddr::from((Ipv4Addr::LOCALHOST, near(options.listen.port(), 82)));
        let base = format!("http://{listen}");
        Ok(Some(Network {
            addresses,
            base,
            listen,
            interface: options.interface.clone(),
            relay,
        }))
    }

    fn dhcp(&self, mode: dhcp::Mode) -> dhcp::Config {
        dhcp::Config {
            mode,
            ..dhcp::Config::new(self.addresses.server, self.addresses.prefix, &self.base)
        }
    }
}

/// Starts what the network needs, on the runtime that this runs on.
pub async fn start(
    network: Network,
    dhcp: DhcpMode,
    kit: Kit,
    house: House,
    secrets: Arc<Secrets>,
    stop: CancellationToken,
) -> Result<JoinSet<()>> {
    let mut services = JoinSet::new();
    let desk: Arc<dyn boot::desk::Desk> = Arc::new(house);
    let key = || boot::metadata::TokenKey::new(&secrets.metadata_key(), now);
    let boot_app = boot::http::router(Arc::clone(&desk), kit.clone());
    let app = boot_app.merge(boot::metadata::router(Arc::clone(&desk), key()));
    let listener = TcpListener::bind(network.listen).await.with_context(|| {
        format!(
            "boot files can't be served on {}; choose another with --boot-listen",
            network.listen
        )
    })?;
    let limits = boot::serve::Limits::default();
    services.spawn(boot::serve::serve(listener, None, app, limits, stop.clone()));

    let Some(interface) = &network.interface else {
        let socket = UdpSocket::bind(network.relay)
            .await
            .with_context(|| format!("DHCP relays can't be served on {}", network.relay))?;
        services.spawn(dhcp::run(
            dhcp::Sockets::Relay(socket),
            desk,
            network.dhcp(dhcp::Mode::Server),
            stop.clone(),
        ));
        return Ok(services);
    };
    let mode = match dhcp {
        DhcpMode::Server => Some(dhcp::Mode::Server),
        DhcpMode::Proxy => Some(dhcp::Mode::Proxy),
        DhcpMode::Off => None,
    };
    if let Some(mode) = mode {
        let sockets = dhcp::bind(interface, mode)?;
        services.spawn(dhcp::run(sockets, Arc::clone(&desk), network.dhcp(mode), stop.clone()));
        let tftp = boot::tftp::bind(network.addresses.server).await?;
        services.spawn(boot::tftp::run(tftp, kit.tftp_files(), stop.clone()));
    }
    let metadata = metadata_listener(interface).await?;
    let app = boot::metadata::router(desk, key());
    services.spawn(boot::serve::serve(metadata, None, app, limits, stop));
    Ok(services)
}

/// The listener at 169.254.169.254. The address is added to the interface when it isn't there yet.
async fn metadata_listener(interface: &str) -> Result<TcpListener> {
    let at = SocketAddr::from((METADATA, 80));
    let first = match TcpListener::bind(at).await {
        Ok(listener) => return Ok(listener),
        Err(error) => error,
    };
    let added = tokio::process::Command::new("ip")
        .args(["address", "add", "169.254.169.254/32", "dev", interface])
        .stdin(std::process::Stdio::null())
        .output()
        .await;
    let hint = format!(
        "the metadata service can't listen on {at} ({first}); add the address: ip address add {METADATA}/32 dev {interface}"
    );
    let added = added.with_context(|| hint.clone())?;
    anyhow::ensure!(
        added.status.success(),
        "{hint}: {}",
        String::from_utf8_lossy(&added.stderr).trim()
    );
    TcpListener::bind(at).await.with_context(|| hint)
}

/// What machines boot: built in this folder, unless another is named or it is there already.
pub async fn kit(network: &Network, options: &UpOptions, own: &Path) -> Result<Kit> {
    if network.interface.is_none() && options.kit.is_none() {
        // Emulated firmware starts the agent's own code: kernel and initramfs only have to be there.
        return Ok(Kit::in_memory(
            b"stands for a kernel on an emulated rack",
            b"stands for an initramfs on an emulated rack",
        ));
    }
    let folder = options.kit.clone().unwrap_or_else(|| own.to_owned());
    if options.kit.is_none() {
        tracing::info!(folder = %folder.display(), "the boot kit is built, or found in order");
        let spec = agent::kit::KitSpec {
            out: folder.clone(),
            binary: std::env::current_exe().context("finding this program's own file")?,
            kernel: match options.vms {
                Some(_) => agent::kit::Kernel::DebianCloud,
                None => agent::kit::Kernel::Debian,
            },
            strip: true,
        };
        tokio::task::spawn_blocking(move || agent::kit::build(&spec)).await??;
    }
    Ok(Kit::load(&folder)?)
}
