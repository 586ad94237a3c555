//! Connections to BMCs: one for each service, shared by everything that talks to it, with the service's own limits.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use hardware::{Credential, Driver, Mode};
use rack::request::CredentialRequest;
use rack::{Name, Node};

use crate::House;
use crate::env::Dial;
use crate::house::HouseError;
use crate::keys;
use crate::secrets::Sealed;
use crate::targets;

/// What a connection was made from: when any of it changes, another one is made.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Made {
    credential: Name,
    sealed: Option<Sealed>,
    certificate: Option<String>,
}

/// Connections by URL.
type Open = HashMap<String, (Made, Arc<dyn Driver>)>;

/// Every connection.
pub(crate) struct Fleet {
    dial: Arc<dyn Dial>,
    open: Mutex<Open>,
}

impl Fleet {
    pub fn new(dial: Arc<dyn Dial>) -> Fleet {
        Fleet {
            dial,
            open: Mutex::default(),
        }
    }

    /// Lets every open connection only read, but those to services that `may` be written to. What is under way on one, a long inventory, say,
    /// must not log in anew once nothing behind it is armed any more.
    pub fn observe(&self, may: impl Fn(&str) -> bool) {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        for (url, (_, bmc)) in open.iter().filter(|(url, _)| !may(url)) {
            tracing::trace!(url, "only reads from now on");
            bmc.set_mode(Mode::Observe);
        }
    }

    /// Closes the connection to a service.
    pub fn close(&self, url: &str) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(url);
    }
}

impl House {
    /// The connection to a node's BMC. It only reads unless something behind it is armed.
    pub(crate) async fn bmc_of(&self, node: &Node) -> Result<Arc<dyn Driver>, HouseError> {
        self.bmc(&node.bmc.url, &node.bmc.credential, node.bmc.certificate.as_deref())
            .await
    }

    /// The connection to the service at `url`.
    pub(crate) async fn bmc(
        &self,
        url: &str,
        credential: &Name,
        certificate: Option<&str>,
    ) -> Result<Arc<dyn Driver>, HouseError> {
        let stored = self.record(|r| r.credentials.get(credential).cloned());
        if stored.is_none() && targets::needs_login(url) {
            return Err(HouseError::Policy {
                what: format!("there is no credential `{credential}` to log in to {url} with"),
                hint: format!("busbar credential set {credential} --user USER"),
            });
        }
        let sealed = stored.map(|stored| {
            let moved = stored.moved.contains(&keys::bmc(url));
            let next = stored.next.as_ref().filter(|_| moved);
            next.unwrap_or(&stored.sealed).clone()
        });
        let made = Made {
            credential: credential.clone(),
            sealed,
            certificate: certificate.map(str::to_owned),
        };
        let mode = if self.record(|r| r.may_write_to(url)) {
            Mode::Act
        } else {
            Mode::Observe
        };
        let mut open = self.inner.fleet.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, bmc)) = open.get(url).filter(|(m, _)| *m == made) {
            bmc.set_mode(mode);
            return Ok(Arc::clone(bmc));
        }
        let secret = match &made.sealed {
            Some(sealed) => self.open_credential(credential, sealed)?,
            None => CredentialRequest {
                user: String::new(),
                password: String::new(),
            },
        };
        let bmc = self.connect(url, certificate, secret, mode)?;
        open.insert(url.to_owned(), (made, Arc::clone(&bmc)));
        Ok(bmc)
    }

    /// What is sealed in a credential.
    pub(crate) fn open_credential(&self, name: &Name, sealed: &Sealed) -> Result<CredentialRequest, HouseError> {
        let again = format!("busbar credential set {name} --user USER");
        let plain = self
            .inner
            .env
            .secrets
            .open_sealed(&keys::credential(name), sealed)
            .map_err(|e| HouseError::Policy {
                what: e.to_string(),
                hint: again.clone(),
            })?;
        serde_json::from_slice(&plain).map_err(|_| HouseError::Policy {
            what: format!("the credential `{name}` is damaged"),
            hint: again,
        })
    }

    /// A driver of its own for the service at `url`, by the protocol that its URL names.
    pub(crate) fn connect(
        &self,
        url: &str,
        certificate: Option<&str>,
        secret: CredentialRequest,
        mode: Mode,
    ) -> Result<Arc<dyn Driver>, HouseError> {
        let login = Credential {
            user: secret.user,
            password: secret.password,
        };
        let dial = &self.inner.fleet.dial;
        dial.driver(url, certificate, login, mode)
            .map_err(HouseError::Unreachable)
    }
}
