//! What Busbar can ask of hardware and tell it, and the driver that does so by Redfish.
//!
//! This crate knows no store, no plan and no control loop, and reads no clock: it turns answers of a BMC into the
//! nouns of `rack`, and orders into requests. It knows no maker either: dialects are told apart by what a service
//! says it offers, so a box that nobody has seen yet works when it keeps to the specification in its own way.
//!
//! Start at [`Bmc`]. Below it: [`client`] (sessions, retries, pace, circuit breaker), [`json`] (tolerant reading),
//! [`transport`] (the seam to the network, where tests and the simulation put their own). Every write takes a
//! [`Permit`], and in [`Mode::Observe`] nothing but `GET` leaves the client: see [`client::Client::send`].

pub mod act;
pub mod boot;
pub mod client;
pub mod crawl;
pub mod device;
pub mod discover;
pub mod error;
pub mod events;
pub mod json;
pub mod pace;
pub mod part;
pub mod permit;
pub mod sensors;
pub mod transport;

use std::sync::Arc;

pub use act::{Receipt, TaskState};
pub use client::Contact;
pub use device::{DeviceKind, FoundDevice, Outlet};
pub use discover::{Found, FoundSystem, Glance, Problem};
pub use error::Error;
pub use events::{EventStream, HardwareEvent};
pub use permit::{Credential, Mode, Permit};
pub use transport::{HttpTransport, Limits, Pin, Transport, TransportError};

/// One Redfish service: the BMC of one box, or of several (a blade chassis, a service for virtual machines).
/// Cheap to share behind an [`Arc`]; all methods take `&self`.
pub struct Bmc {
    client: Arc<client::Client>,
    root: std::sync::Mutex<Option<discover::Root>>,
}

impl Bmc {
    /// A service at `url` (`https://host:port`, no path). Nothing is sent before the first question.
    pub fn new(url: &str, transport: Arc<dyn Transport>, credential: Credential, mode: Mode) -> Bmc {
        Bmc {
            client: Arc::new(client::Client::new(url, transport, credential, mode)),
            root: Default::default(),
        }
    }

    /// Arms or disarms it. Disarmed, nothing but `GET` is sent from the next request on.
    pub fn set_mode(&self, mode: Mode) {
        self.client.set_mode(mode);
    }

    /// Whether it may be written to.
    pub fn mode(&self) -> Mode {
        self.client.mode()
    }

    /// The address it was made for.
    pub fn url(&self) -> &str {
        self.client.url()
    }

    /// Requests that were sent so far.
    pub fn requests(&self) -> u32 {
        self.client.requests()
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

    /// Whether it answers, and since when not.
    pub fn contact(&self) -> Contact {
        self.client.contact()
    }
}
