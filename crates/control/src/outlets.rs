//! Outlets of PDUs: switched by hand, and as the rung of the ladder that restarts a box whose BMC hangs.
//!
//! A power cut is "all off, a pause, all on": after a crash in the middle the same act is asked for again, so that no
//! box is left without power.

use std::time::Duration;

use hardware::capability::OutletOrder;
use hardware::{Driver, Error, FoundDevice, Receipt, found};
use rack::node::OutletRef;
use rack::request::{OutletRequest, OutletVerb, Who};
use rack::{Node, NodeId, Place, Time, Unit};

use crate::House;
use crate::house::{HouseError, must_be_armed};
use crate::live::DeviceSight;

/// How long a supply's capacitors hold its box up, with a margin.
const DARK: Duration = Duration::from_secs(10);

/// What was seen of a device, with its time.
pub(crate) fn seen(device: &FoundDevice, now: Time) -> DeviceSight {
    let raw = std::iter::once(("watts".into(), device.watts, Unit::Watts)).chain(device.readings.iter().cloned());
    DeviceSight {
        health: device.health,
        readings: raw.map(|r| found::reading(r, now)).collect(),
        outlets: device.outlets.clone(),
        read: Some(now),
    }
}

impl House {
    /// Switches one outlet by hand. What it feeds must be armed, and free unless `in_use` says that it may go dark.
    pub async fn switch_outlet(&self, who: &Who, request: &OutletRequest, in_use: bool) -> Result<(), HouseError> {
        let world = self.world();
        let here = |n: &&std::sync::Arc<Node>| {
            n.outlets
                .iter()
                .any(|o| o.pdu == request.pdu && o.outlet == request.outlet)
        };
        let Some(fed) = world.nodes.values().find(here) else {
            return Err(HouseError::Policy {
                what: format!(
                    "nobody wrote down what {}/{} feeds, so it could be anything",
                    request.pdu, request.outlet
                ),
                hint: "outlets = [\"pdu-a/3\"] under the box's [[bmc]] in the rack file".into(),
            });
        };
        must_be_armed(fed)?;
        if let Some(holder) = fed
            .holder
            .as_ref()
            .filter(|_| !in_use && request.order != OutletVerb::On)
        {
            return Err(HouseError::Policy {
                what: format!("{} belongs to {holder}, which may lose its power", fed.place),
                hint: "say so with --in-use".into(),
            });
        }
        let order = match request.order {
            OutletVerb::On => OutletOrder::On,
            OutletVerb::Off => OutletOrder::Off,
            OutletVerb::Cycle => OutletOrder::Cycle,
        };
        let outlet = OutletRef {
            pdu: request.pdu.clone(),
            outlet: request.outlet.clone(),
        };
        self.order_outlet(&fed.id, &fed.place, &outlet, order, "asked for", who.name.as_str())
            .await
    }

    /// Cuts the power of a box at all its outlets, and gives it back.
    pub(crate) async fn cycle_outlets_of(&self, node: &Node, because: &str, by: &str) -> Result<(), HouseError> {
        for order in [OutletOrder::Off, OutletOrder::On] {
            for outlet in &node.outlets {
                let sent = self
                    .order_outlet(&node.id, &node.place, outlet, order, because, by)
                    .await;
                match (sent, order) {
                    (Ok(()), _) => {}
                    // One that can't be switched off makes the cut pointless; nothing stays dark for it.
                    (Err(error), OutletOrder::Off) => {
                        self.all_on(node, because, by).await;
                        return Err(error);
                    }
                    (Err(error), _) => return Err(error),
                }
            }
            if order == OutletOrder::Off {
                tokio::time::sleep(DARK).await;
            }
        }
        Ok(())
    }

    async fn all_on(&self, node: &Node, because: &str, by: &str) {
        for outlet in &node.outlets {
            let on = self
                .order_outlet(&node.id, &node.place, outlet, OutletOrder::On, because, by)
                .await;
            if let Err(error) = on {
                tracing::error!(place = %node.place, pdu = %outlet.pdu, outlet = outlet.outlet, %error, "an outlet may be off");
            }
        }
    }

    pub(crate) async fn order_outlet(
        &self,
        node: &NodeId,
        place: &Place,
        outlet: &OutletRef,
        order: OutletOrder,
        because: &str,
        by: &str,
    ) -> Result<(), HouseError> {
        let device = self
            .record(|r| r.devices.get(&outlet.pdu).cloned())
            .ok_or_else(|| HouseError::NotFound {
                kind: "PDU",
                name: outlet.pdu.to_string(),
            })?;
        let driver = self.driver_of_device(&device.url, place).await?;
        let outlets = driver.outlets().ok_or_else(|| Error::lacks(driver.url(), "outlets"))?;
        let what = format!("outlet {}/{} {order:?}", outlet.pdu, outlet.outlet);
        let permit = self.permit(node, place.as_ref(), what, because, by).await?;
        let receipt = outlets.switch(&device.path, &outlet.outlet, order, &permit).await?;
        // What was switched is seen at once, and not only at the next look at the whole PDU.
        if let Ok(now) = outlets.outlets(&device.path).await {
            self.inner.live.see_outlets(&outlet.pdu, now, self.now());
        }
        match receipt {
            Receipt::Done | Receipt::Accepted { .. } => Ok(()),
            Receipt::Blocked { by } => Err(HouseError::Conflict {
                what: format!("{}/{} can't be switched now: {by}", outlet.pdu, outlet.outlet),
            }),
        }
    }

    /// The driver of a PDU. It may be written to for the sake of an armed box that it feeds.
    async fn driver_of_device(&self, url: &str, feeds: &Place) -> Result<std::sync::Arc<dyn Driver>, HouseError> {
        let bmc = self
            .record(|r| r.bmcs.get(&crate::keys::bmc(url)).cloned())
            .ok_or_else(|| HouseError::NotFound {
                kind: "PDU address",
                name: url.to_owned(),
            })?;
        let driver = self.bmc(url, &bmc.credential, bmc.certificate.as_deref()).await?;
        tracing::debug!(url, %feeds, mode = ?driver.mode(), "a PDU is switched");
        Ok(driver)
    }
}
