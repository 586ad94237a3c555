//! Starting the rack on its sockets, and stopping it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::task::JoinSet;

use crate::config::{Config, StartError};
use crate::emulated::Emulated;
use crate::tree::Tree;

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

/// Where the n-th captured tree answers, apart from the addresses of servers and PDUs.
pub fn tree_address(n: usize) -> Option<Ipv4Addr> {
    let unit = u8::try_from(n + 1).ok().filter(|u| *u < 255)?;
    Some(Ipv4Addr::new(127, 11, 1, unit))
}

impl Emulated {
    /// Builds the rack and answers on its sockets until the handle is stopped or dropped.
    pub async fn start(config: Config) -> Result<Handle, StartError> {
        Emulated::start_beside(config, |_| Ok(Vec::new())).await
    }

    /// The same, with boxes made of captured trees beside it: at [`tree_address`], on the same port, hit by the same faults.
    pub async fn start_beside(
        config: Config,
        trees: impl FnOnce(&Emulated) -> Result<Vec<Arc<Tree>>, crate::tree::BadTree>,
    ) -> Result<Handle, StartError> {
        let tls = config
            .tls
            .then(|| crate::serve::certificate(config.state.as_deref()))
            .transpose()?;
        let rack = Emulated::build(config.clone())?;
        let mut addresses = rack.addresses();
        let trees = trees(&rack)?;
        let at = |n: usize| tree_address(n).ok_or(StartError::TooManyTrees);
        let by_address = trees.into_iter().enumerate();
        let by_address: Vec<(Ipv4Addr, Arc<Tree>)> = by_address
            .map(|(n, tree)| Ok((at(n)?, tree)))
            .collect::<Result<_, StartError>>()?;
        addresses.extend(by_address.iter().map(|(at, _)| *at));
        rack.set_trees(by_address.into_iter().map(|(at, tree)| (at.into(), tree)).collect());
        let (listeners, port) = crate::serve::listen(config.port, &addresses)?;
        let control = match config.control {
            Some(at) => Some(
                tokio::net::TcpListener::bind(at)
                    .await
                    .map_err(|source| StartError::Listen { at, source })?,
            ),
            None => None,
        };
        let router = crate::redfish::router(rack.clone());
        let mut tasks = JoinSet::new();
        for listener in listeners {
            tasks.spawn(crate::serve::serve(listener, tls.clone(), router.clone()));
        }
        if rack.servers.iter().any(|s| s.spec.bmc.is_none()) {
            let socket = crate::wake::listen(port).await?;
            tasks.spawn(crate::wake::serve(socket, rack.clone()));
        }
        // the next port, or any: Redfish tells which
        let beside = port.checked_add(1).unwrap_or(0);
        let servers: Vec<Ipv4Addr> = rack
            .servers
            .iter()
            .filter(|s| s.spec.gpus > 0)
            .filter_map(|s| s.spec.bmc)
            .collect();
        if !servers.is_empty() {
            let (listeners, port) =
                crate::serve::listen(beside, &servers).or_else(|_| crate::serve::listen(0, &servers))?;
            let ssh = crate::console::ssh_config(config.state.as_deref())?;
            let _ = rack.ssh.set(port);
            for listener in listeners {
                tasks.spawn(crate::console::serve(listener, ssh.clone(), rack.clone()));
            }
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
