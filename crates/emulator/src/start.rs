//! Starting the rack on its sockets, and stopping it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::task::JoinSet;

use crate::config::{Config, StartError};
use crate::emulated::Emulated;

/// A rack that runs.
pub struct Handle {
    /// The rack.
    pub rack: Arc<Emulated>,
    /// The port that BMCs answer on.
    pub port: u16,
    /// Where the control endpoint answers.
    pub control: Option<SocketAddr>,
    tasks: JoinSet<()>,
}

impl Handle {
    /// Stops the rack and its sockets.
    pub async fn stop(mut self) {
        self.rack.stop();
        self.tasks.shutdown().await;
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // lives hold the rack: without this they would go on for ever
        self.rack.stop();
    }
}

impl Emulated {
    /// Builds the rack and answers on its sockets until the handle is stopped or dropped.
    pub async fn start(config: Config) -> Result<Handle, StartError> {
        let tls = config
            .tls
            .then(|| crate::serve::certificate(config.state.as_deref()))
            .transpose()?;
        let mut addresses: Vec<Ipv4Addr> = config.layout.build_servers(config.seed).iter().map(|s| s.bmc).collect();
        addresses.extend(config.layout.build_pdus(config.seed).iter().map(|p| p.bmc));
        let (listeners, port) = crate::serve::listen(config.port, &addresses)?;
        let control = match config.control {
            Some(at) => Some(
                tokio::net::TcpListener::bind(at)
                    .await
                    .map_err(|source| StartError::Listen { at, source })?,
            ),
            None => None,
        };
        let rack = Emulated::build(config)?;
        let router = crate::redfish::router(rack.clone());
        let mut tasks = JoinSet::new();
        for listener in listeners {
            tasks.spawn(crate::serve::serve(listener, tls.clone(), router.clone()));
        }
        let control_at = control.as_ref().and_then(|l| l.local_addr().ok());
        if let Some(listener) = control {
            tasks.spawn(crate::serve::serve(
                listener,
                None,
                crate::control::router(rack.clone()),
            ));
        }
        Ok(Handle {
            rack,
            port,
            control: control_at,
            tasks,
        })
    }
}
