//! IPMI 2.0 over LAN, for boxes without Redfish.
//!
//! Below [`Ipmi`]: [`packet`], [`crypt`], [`sdr`] and [`fru`] are pure, and read what anyone may send; [`udp`] is the
//! edge to the network and to randomness, which a simulation replaces; [`session`] opens sessions and [`client`] keeps
//! one; [`command`] lists all that is ever sent. Then one file for each capability. Chapters in comments are those of
//! the IPMI specification, second generation, v2.0 rev. 1.1.

mod account;
pub mod chassis;
pub mod client;
pub mod command;
pub mod crypt;
mod dcmi;
mod discover;
mod driver;
pub mod fru;
pub mod packet;
mod repository;
pub mod sdr;
pub mod sel;
mod sensors;
pub mod session;
mod sol;
pub mod udp;

use std::sync::{Arc, Mutex, PoisonError};

use rack::Identity;

use crate::console::Why;
use crate::error::Error;
use crate::permit::{Credential, Mode};
use crate::tally::Tally;
use repository::Repository;
pub use udp::{Datagrams, Udp};

/// One BMC that speaks IPMI 2.0. Cheap to share behind an [`Arc`]; all methods take `&self`.
pub struct Ipmi {
    client: Arc<client::Client>,
    /// As told in the session of that number.
    identity: Mutex<Option<(u32, Identity)>>,
    repository: Mutex<Option<Arc<Repository>>>,
    /// Why its console ended.
    pub(crate) why: Why,
}

impl Ipmi {
    /// A BMC at `url` (`ipmi://host[:port]`; an address, or a name). Nothing is sent before the first question. Fails
    /// when the URL has another form.
    pub fn new(url: &str, datagrams: Arc<dyn Datagrams>, credential: Credential, mode: Mode) -> Result<Ipmi, Error> {
        Ok(Ipmi {
            client: Arc::new(client::Client::new(url, datagrams, credential, mode)?),
            identity: Mutex::new(None),
            repository: Mutex::new(None),
            why: Why::default(),
        })
    }

    /// Has its exchanges counted.
    pub fn counted_by(self, tally: Arc<dyn Tally>) -> Ipmi {
        self.client.line.counted_by(tally);
        self
    }

    /// What the box says it is, asked anew.
    async fn fresh_identity(&self) -> Result<Identity, Error> {
        let identity = discover::identity(&self.client).await?;
        *lock(&self.identity) = Some((self.client.sessions(), identity.clone()));
        Ok(identity)
    }

    /// What the box says it is, asked once in each session.
    async fn identity(&self) -> Result<Identity, Error> {
        let session = self.client.sessions();
        let known = lock(&self.identity).clone().filter(|(asked, _)| *asked == session);
        match known {
            Some((_, identity)) => Ok(identity),
            None => self.fresh_identity().await,
        }
    }

    async fn fresh_repository(&self) -> Result<Arc<Repository>, Error> {
        let read = match repository::read(&self.client).await {
            Ok(read) => read,
            // A box without sensor records still is one that can be switched.
            Err(Error::Rejected { message, .. }) => {
                tracing::debug!(bmc = %self.client.line.url(), %message, "no sensor records");
                Repository::default()
            }
            Err(e) => return Err(e),
        };
        let read = Arc::new(read);
        *lock(&self.repository) = Some(read.clone());
        Ok(read)
    }

    /// Its sensor records, read again when the BMC says that they have changed.
    async fn repository(&self) -> Result<Arc<Repository>, Error> {
        let Some(known) = lock(&self.repository).clone() else {
            return self.fresh_repository().await;
        };
        match repository::stamp(&self.client).await {
            Ok(stamp) if stamp == known.stamp => Ok(known),
            Ok(_) => self.fresh_repository().await,
            Err(Error::Rejected { .. }) => Ok(known),
            Err(e) => Err(e),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
