//! Redfish (DSP0266), as real BMCs speak it.
//!
//! Below [`Redfish`]: [`client`] (sessions, retries, pace, circuit breaker), [`json`] (tolerant reading), [`crawl`]
//! (walking resources), [`discover`] and [`part`] (from resources to nouns), and one file for each capability.

mod accelerators;
pub mod accounts;
pub mod act;
pub mod bios;
pub mod boot;
pub mod boot_order;
pub mod caps;
pub mod capture;
pub mod client;
pub mod console;
mod console_driver;
pub mod crawl;
pub mod device;
pub mod discover;
mod driver;
pub mod events;
pub mod firmware;
pub mod housing;
pub mod indicator;
pub mod inventory;
pub mod json;
pub mod log;
pub mod network;
pub mod outlets;
pub mod part;
pub mod quirks;
pub mod sensors;
mod sources;
pub mod system;

use std::sync::Arc;

use crate::error::Error;
use crate::permit::{Credential, Mode};
use crate::transport::Transport;

/// One Redfish service: the BMC of one box, or of several (a blade chassis, a service for virtual machines).
/// Cheap to share behind an [`Arc`]; all methods take `&self`.
pub struct Redfish {
    client: Arc<client::Client>,
    root: std::sync::Mutex<Option<discover::Root>>,
    console: console_driver::State,
    /// Which sensors are worth asking for, by chassis.
    sensors: std::sync::Mutex<std::collections::HashMap<String, sources::Plan>>,
}

impl Redfish {
    /// A service at `url` (`https://host:port`, no path). Nothing is sent before the first question.
    pub fn new(url: &str, transport: Arc<dyn Transport>, credential: Credential, mode: Mode) -> Redfish {
        Redfish {
            client: Arc::new(client::Client::new(url, transport, credential, mode)),
            root: Default::default(),
            console: Default::default(),
            sensors: Default::default(),
        }
    }

    /// The root of the service as it is now.
    async fn fresh_root(&self) -> Result<discover::Root, Error> {
        let root = Arc::new(self.client.get("/redfish/v1/").await?.body);
        *self.root.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(root.clone());
        Ok(root)
    }

    /// The root of the service as it was read first; it tells what the service offers.
    async fn root(&self) -> Result<discover::Root, Error> {
        let known = self
            .root
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone();
        match known {
            Some(root) => Ok(root),
            None => self.fresh_root().await,
        }
    }
}
