//! Outlets of a PDU (DSP0268 `Outlet`): listed with what they draw, switched, read back.

use std::time::Duration;

use rack::PowerState;
use serde_json::{Value, json};

use crate::capability::OutletOrder;
use crate::error::Error;
use crate::found::{Outlet, Receipt};
use crate::permit::Permit;
use crate::redfish::act::receipt;
use crate::redfish::crawl::Crawl;
use crate::redfish::json::{link, texts};
use crate::redfish::{Redfish, device, discover};

/// Looks after an outlet was switched: relays of old PDUs follow one another with seconds between them.
const READ_BACKS: u32 = 8;
const READ_BACK_PAUSE: Duration = Duration::from_secs(1);
/// Between off and on where the PDU has no cycle of its own.
const DARK: Duration = Duration::from_secs(10);

impl Redfish {
    async fn outlet_documents(&self, path: &str) -> Result<Vec<(String, Value)>, Error> {
        let root = self.root().await?;
        let doc = self.client.get(path).await?.body;
        let crawl = Crawl::new(&self.client, &root);
        let members = crawl.members(&doc, "Outlets").await;
        Ok(members.into_iter().map(|(p, d)| (p, Value::clone(&d))).collect())
    }

    /// See [`crate::capability::Outlets::outlets`].
    pub async fn outlets(&self, path: &str) -> Result<Vec<Outlet>, Error> {
        let all = self.outlet_documents(path).await?;
        Ok(all.iter().map(|(p, d)| device::outlet(p, d)).collect())
    }

    /// See [`crate::capability::Outlets::switch`].
    pub async fn switch_outlet(
        &self,
        path: &str,
        id: &str,
        order: OutletOrder,
        permit: &Permit,
    ) -> Result<Receipt, Error> {
        let all = self.outlet_documents(path).await?;
        let Some((at, doc)) = all.iter().find(|(p, d)| device::outlet(p, d).id == id) else {
            let have = all.iter().map(|(p, d)| device::outlet(p, d).id).take(64).collect();
            return Err(self.client.not_offered(&format!("an outlet `{id}`"), have));
        };
        let action = &doc["Actions"]["#Outlet.PowerControl"];
        let Some(target) = link(&action["target"]) else {
            return Err(self.client.not_offered(&format!("switching outlet `{id}`"), Vec::new()));
        };
        let listed = texts(&action["PowerState@Redfish.AllowableValues"]);
        let cycles = listed.iter().any(|l| l == "PowerCycle");
        match order {
            OutletOrder::On => self.turn(at, doc, &target, PowerState::On, permit).await,
            OutletOrder::Off => self.turn(at, doc, &target, PowerState::Off, permit).await,
            OutletOrder::Cycle if cycles => {
                let body = json!({"PowerState": "PowerCycle"});
                Ok(receipt(&self.client.post(&target, &body, permit).await?))
            }
            OutletOrder::Cycle => {
                self.turn(at, doc, &target, PowerState::Off, permit).await?;
                tokio::time::sleep(DARK).await;
                let dark = self.client.get(at).await?.body;
                self.turn(at, &dark, &target, PowerState::On, permit).await
            }
        }
    }

    async fn turn(
        &self,
        at: &str,
        doc: &Value,
        target: &str,
        wanted: PowerState,
        permit: &Permit,
    ) -> Result<Receipt, Error> {
        if discover::power_state(doc) == Some(wanted) {
            return Ok(Receipt::Done);
        }
        let word = if wanted == PowerState::On { "On" } else { "Off" };
        let answer = self.client.post(target, &json!({ "PowerState": word }), permit).await?;
        for look in 0..READ_BACKS {
            if look > 0 {
                tokio::time::sleep(READ_BACK_PAUSE).await;
            }
            if discover::power_state(&self.client.get(at).await?.body) == Some(wanted) {
                return Ok(Receipt::Done);
            }
        }
        match receipt(&answer) {
            Receipt::Accepted { task: Some(task) } => Ok(Receipt::Accepted { task: Some(task) }),
            _ => Err(self.client.broken(at, "it took the order but its state did not change")),
        }
    }
}
