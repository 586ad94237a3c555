//! What the house sends: requests to BMCs and PDUs, and packets that wake.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use hardware::transport::{Limits, Transport, TransportError};
use hardware::wol::{Heard, Shout};
use tower::ServiceExt as _;

use super::Wires;
use crate::rig::PORT;
use crate::story::Lie;
use crate::truth::audit;
use crate::weather::{Fate, Met};

/// The resource that tells of a server's power.
const SYSTEM: &str = "/redfish/v1/Systems/1";
/// Largest answer of an emulated BMC.
const ANSWER: usize = 4 << 20;

fn failed(why: &str) -> TransportError {
    TransportError::Failed(why.to_owned())
}

impl Wires {
    async fn ask_bmc(
        &self,
        address: Ipv4Addr,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let bmcs = self.bmcs().ok_or_else(|| failed("connection refused"))?;
        let (mut head, body) = request.into_parts();
        let path = head.uri.path_and_query().map_or("/", |p| p.as_str()).to_owned();
        let is_read = head.method == http::Method::GET;
        head.uri = path.parse().map_err(|_| failed("no path"))?;
        let mut request = http::Request::from_parts(head, Body::from(body));
        request.extensions_mut().insert(emulator::serve::Peer {
            local: SocketAddr::from((address, PORT)),
            remote: SocketAddr::from(([127, 0, 0, 1], 40_000)),
        });
        let response = bmcs.oneshot(request).await.map_err(|e| failed(&e.to_string()))?;
        if response
            .extensions()
            .get::<emulator::serve::CloseConnection>()
            .is_some()
        {
            return Err(failed("connection reset"));
        }
        let (head, body) = response.into_parts();
        let body = axum::body::to_bytes(body, ANSWER)
            .await
            .map_err(|e| failed(&e.to_string()))?;
        let response = http::Response::from_parts(head, body);
        Ok(if is_read {
            self.lied(address, path, response)
        } else {
            response
        })
    }

    /// The answer of a BMC that does not tell the truth about its server's power.
    fn lied(&self, address: Ipv4Addr, path: String, mut response: http::Response<Bytes>) -> http::Response<Bytes> {
        let unit = address.octets()[3];
        let Some((event, lie)) = self.weather.lie(unit.into()) else {
            return response;
        };
        if !path.starts_with(SYSTEM) || !response.status().is_success() {
            return response;
        }
        let word = match lie {
            Lie::Frozen => return self.with(|i| i.frozen.entry((event, path)).or_insert(response).clone()),
            Lie::On => "On",
            Lie::Off => "Off",
        };
        if let Ok(mut document) = serde_json::from_slice::<serde_json::Value>(response.body())
            && let Some(power) = document.get_mut("PowerState")
        {
            *power = word.into();
            *response.body_mut() = document.to_string().into();
        }
        response
    }
}

impl Transport for Wires {
    fn send(
        &self,
        request: http::Request<Bytes>,
        limits: Limits,
    ) -> hardware::transport::Future<'_, Result<http::Response<Bytes>, TransportError>> {
        Box::pin(async move {
            let lost = || failed("connection reset");
            let host = request.uri().host().and_then(|h| h.parse().ok());
            let address: Ipv4Addr = host.ok_or_else(|| failed("no such host"))?;
            self.audit(|witness| audit::request(witness, &request));
            let fate = self.contact(Met::Bmc(address));
            let gone = self.weather.is_gone(address);
            if fate == Fate::Fine && !gone {
                // the common case without a timer of its own: what hangs is the emulated BMC, and it says so
                let work = self.ask_bmc(address, request);
                return tokio::time::timeout(limits.timeout, work)
                    .await
                    .unwrap_or(Err(TransportError::Timeout));
            }
            let work = async {
                match fate {
                    Fate::DieBefore => self.die().await,
                    _ if gone => std::future::pending().await,
                    Fate::Lost => return Err(lost()),
                    Fate::Late(millis) => tokio::time::sleep(Duration::from_millis(millis)).await,
                    Fate::Status(code) => {
                        let response = http::Response::builder().status(code).body(Bytes::from_static(b"{}"));
                        return response.map_err(|_| lost());
                    }
                    Fate::Fine | Fate::Broken | Fate::DieAfter => {}
                }
                let mut response = self.ask_bmc(address, request).await?;
                if fate == Fate::DieAfter {
                    self.die().await;
                }
                if fate == Fate::Broken {
                    let half = response.body().len() / 2;
                    *response.body_mut() = response.body().slice(..half);
                }
                Ok(response)
            };
            tokio::time::timeout(limits.timeout, work)
                .await
                .unwrap_or(Err(TransportError::Timeout))
        })
    }
}

impl Shout for Wires {
    /// A packet that is lost looks like any other to whoever sent it.
    fn shout<'a>(&'a self, packet: &'a [u8], _to: SocketAddrV4) -> Heard<'a> {
        Box::pin(async move {
            let Some(mac) = emulator::wake::called(packet) else {
                return Ok(());
            };
            self.audit(|witness| audit::wake(witness, mac));
            let fate = self.contact(Met::Port(mac));
            match fate {
                Fate::DieBefore => self.die().await,
                Fate::Lost | Fate::Broken => return Ok(()),
                Fate::Status(_) => return Err(std::io::ErrorKind::NetworkUnreachable.into()),
                Fate::Late(millis) => tokio::time::sleep(Duration::from_millis(millis)).await,
                Fate::Fine | Fate::DieAfter => {}
            }
            if let Some(rack) = self.rig.rack() {
                rack.wake(mac);
            }
            if fate == Fate::DieAfter {
                self.die().await;
            }
            Ok(())
        })
    }
}
