//! Opens the console of a system in the best way that works: what the service offers, one after another.

use std::sync::Arc;

use http::{HeaderValue, Method};
use rack::node::BmcAddress;

use super::console::{Offer, offers};
use super::{Redfish, json};
use crate::capability::{Answer, Console, ConsoleStream};
use crate::console::ssh::{self, HostKey};
use crate::console::{Why, websocket};
use crate::error::Error;
use crate::ipmi::Ipmi;
use crate::ipmi::udp::Udp;
use crate::permit::{Mode, Permit};

/// What is kept between two consoles.
#[derive(Debug, Default)]
pub(super) struct State {
    host_key: Arc<HostKey>,
    why: Why,
}

impl Console for Redfish {
    fn open<'a>(&'a self, at: &'a BmcAddress, permit: &'a Permit) -> Answer<'a, ConsoleStream> {
        Box::pin(self.open_console(at, permit))
    }

    fn ended(&self) -> Option<String> {
        self.console.why.get()
    }

    fn host_key(&self) -> Option<String> {
        self.console.host_key.expected()
    }

    fn expect_host_key(&self, fingerprint: Option<&str>) {
        self.console.host_key.expect(fingerprint);
    }
}

impl Redfish {
    /// The ways to the console of a system.
    pub async fn console_offers(&self, at: &BmcAddress) -> Result<Vec<Offer>, Error> {
        let system = self.client.get(&at.system).await?.body;
        if system["SerialConsole"].is_object() {
            return Ok(offers(&system, None, None));
        }
        let Some(path) = &at.manager else {
            return Ok(Vec::new());
        };
        let manager = self.client.get(path).await?.body;
        // Only for its ports; the usual ones do without it.
        let protocols = match json::link(&manager["NetworkProtocol"]) {
            Some(path) => self.client.get(&path).await.ok().map(|a| a.body),
            None => None,
        };
        Ok(offers(&system, Some(&manager), protocols.as_ref()))
    }

    async fn open_console(&self, at: &BmcAddress, permit: &Permit) -> Result<ConsoleStream, Error> {
        // Opening a console is a session on the BMC, and a keystroke there acts on the machine (invariant I4).
        if self.client.line.mode() == Mode::Observe {
            return Err(Error::NotArmed {
                address: self.client.line.url().to_owned(),
                method: "opening".into(),
                path: "the serial console".into(),
            });
        }
        let offers = self.console_offers(at).await?;
        let mut failed = None;
        for offer in &offers {
            tracing::info!(bmc = %self.client.line.url(), %offer, audit = permit.key(), node = %permit.node(), "console opens");
            match self.open_offer(at, offer, permit).await {
                Ok(stream) => return Ok(stream),
                // These are answers: another way would only hide them, and count as another failed login.
                Err(
                    error @ (Error::HostKeyChanged { .. }
                    | Error::CertificateChanged { .. }
                    | Error::Unauthorized { .. }),
                ) => {
                    return Err(error);
                }
                Err(error) => {
                    tracing::debug!(bmc = %self.client.line.url(), %offer, %error, "this way to the console does not work");
                    failed.get_or_insert(error);
                }
            }
        }
        Err(failed.unwrap_or_else(|| {
            self.client
                .not_offered("a serial console", offers.iter().map(ToString::to_string).collect())
        }))
    }

    async fn open_offer(&self, at: &BmcAddress, offer: &Offer, permit: &Permit) -> Result<ConsoleStream, Error> {
        match offer {
            Offer::WebSocket { path, interactive } => {
                let (key, accept) = websocket::key();
                let headers = [
                    (http::header::CONNECTION, HeaderValue::from_static("Upgrade")),
                    (http::header::UPGRADE, HeaderValue::from_static("websocket")),
                    (http::header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13")),
                    (
                        http::header::SEC_WEBSOCKET_KEY,
                        HeaderValue::from_str(&key).unwrap_or_else(|_| HeaderValue::from_static("")),
                    ),
                ];
                let (head, io) = self.client.upgrade(Method::GET, path, headers).await?;
                let shown = head.headers.get(http::header::SEC_WEBSOCKET_ACCEPT);
                if shown.and_then(|v| v.to_str().ok()) != Some(accept.as_str()) {
                    return Err(self
                        .client
                        .broken(path, "the WebSocket's key was not answered (RFC 6455 §4.1)"));
                }
                Ok(websocket::open(io, *interactive, self.console.why.clone()).await)
            }
            Offer::Ssh { port, entry } => {
                let target = ssh::Target {
                    host: self.host(),
                    port: *port,
                    entry: entry.clone(),
                };
                let (key, why) = (Arc::clone(&self.console.host_key), self.console.why.clone());
                ssh::open(&target, &self.client.credential(), key, why).await
            }
            Offer::Ipmi { port } => {
                let url = format!("ipmi://{}:{port}", self.host());
                let mut ipmi = Ipmi::new(&url, Arc::new(Udp), self.client.credential(), Mode::Act)?;
                ipmi.why = self.console.why.clone();
                Console::open(&ipmi, at, permit).await
            }
        }
    }

    /// The host of the service, with the brackets of IPv6.
    fn host(&self) -> String {
        let rest = self
            .client
            .line
            .url()
            .split_once("://")
            .map_or(self.client.line.url(), |(_, rest)| rest);
        let authority = rest.split('/').next().unwrap_or(rest);
        match authority.rfind(':') {
            Some(colon) if !authority.ends_with(']') => authority[..colon].to_owned(),
            _ => authority.to_owned(),
        }
    }
}
