//! A box without a BMC: what stands around it tells of its power, and its outlets are its switch.
//!
//! Evidence, the most certain first: outlets that are all off (then it is off); the agent or the login that is speaking
//! (then it is on); what it draws, where that is far enough from what a sleeping box draws. Nothing of these: unknown, which
//! is `None` and never a guess (invariant I7).

use std::time::Duration;

use hardware::capability::OutletOrder;
use rack::node::OutletRef;
use rack::request::OutletView;
use rack::{Node, PowerState, Reading, ResetKind, Stage, Unit};

use crate::House;
use crate::house::HouseError;

/// A box that sleeps and listens to its network port draws up to some watts (a running one of the smallest draws 6 W, a PDU
/// meters within a few): below, it is off; above the second, on; between them nothing is said.
const ASLEEP: f64 = 5.0;
const AWAKE: f64 = 15.0;
/// What was read of an outlet so lately is not read again: many boxes hang on one PDU.
const OUTLETS_AGE: Duration = Duration::from_secs(3);
/// The agent asks at least this often, with a margin (its long poll takes 25 s).
const AGENT_AGE: Duration = Duration::from_secs(45);
/// A login that does not introduce itself in this time does not.
const LOGIN: Duration = Duration::from_secs(3);
/// A PDU that takes longer to tell of its outlets tells nothing: what was seen of them before is not taken for now.
const PDU: Duration = Duration::from_secs(15);
/// A network port needs some seconds of standby power until it listens.
const STANDBY: Duration = Duration::from_secs(5);

/// What the outlets of a box show.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Fed {
    /// Whether all of them are known to be off.
    dark: bool,
    /// Whether all of them are known to be on.
    lit: bool,
    /// Watts through them, when all are metered.
    watts: Option<f64>,
}

impl Fed {
    /// Of all outlets; one that was not seen is `None`.
    fn by(outlets: &[Option<OutletView>]) -> Fed {
        let all = |power| {
            !outlets.is_empty()
                && outlets
                    .iter()
                    .all(|o| o.as_ref().is_some_and(|o| o.power == Some(power)))
        };
        let watts = outlets.iter().map(|o| o.as_ref()?.watts);
        Fed {
            dark: all(PowerState::Off),
            lit: all(PowerState::On),
            watts: watts.sum::<Option<f64>>().filter(|_| !outlets.is_empty()),
        }
    }

    /// What they say of the box, given whether something on it speaks.
    fn power(self, speaks: bool) -> Option<PowerState> {
        match self.watts {
            _ if self.dark => Some(PowerState::Off),
            _ if speaks => Some(PowerState::On),
            Some(w) if w >= AWAKE => Some(PowerState::On),
            Some(w) if w <= ASLEEP => Some(PowerState::Off),
            _ => None,
        }
    }
}

/// Refuses what only a BMC does.
pub(crate) fn must_have_bmc(node: &Node, what: &str) -> Result<(), HouseError> {
    if !node.abilities.no_bmc {
        return Ok(());
    }
    Err(HouseError::Policy {
        what: format!("{} has no BMC, so there is no {what}", node.place),
        hint: format!("busbar why {}", node.place),
    })
}

impl House {
    /// What is known of the power of a box without BMC now.
    pub(crate) async fn power_around(&self, node: &Node) -> Option<PowerState> {
        let fed = self.fed(node).await;
        match fed.power(false) {
            Some(PowerState::On) => Some(PowerState::On),
            quiet if fed.dark => quiet,
            _ => fed.power(self.speaks(node).await),
        }
    }

    /// Watts through the outlets of a box without BMC.
    pub(crate) async fn watts_around(&self, node: &Node) -> Reading {
        let value = self.fed(node).await.watts;
        // As old as the oldest of what it is the sum of.
        let read = node.outlets.iter().filter_map(|o| self.inner.live.device(&o.pdu).read);
        Reading {
            name: "watts".into(),
            value,
            unit: Unit::Watts,
            taken: read.min().unwrap_or_else(|| self.now()),
        }
    }

    /// Whether the agent or the login speaks, where the machine's stage lets it be expected: an agent that was told to stop
    /// proves nothing by what it said before.
    async fn speaks(&self, node: &Node) -> bool {
        let Some(machine) = self.world().holder_of(node).cloned() else {
            return false;
        };
        let now = self.now();
        let sight = self.inner.live.sight(&node.id);
        match machine.status.stage {
            Stage::AwaitAgent | Stage::Work => sight
                .agent
                .is_some_and(|(_, at, boot)| boot == node.boots && now.within(at, AGENT_AGE)),
            // The address is its system's own only once there is a system.
            Stage::Rest | Stage::PowerOff if machine.status.disk.is_some() => {
                let Some(address) = sight.address.or(machine.status.address) else {
                    return false;
                };
                let login = self.inner.env.probe.login(address);
                tokio::time::timeout(LOGIN, login).await.unwrap_or(false)
            }
            _ => false,
        }
    }

    /// Its outlets as they are now, or were a moment ago.
    async fn fed(&self, node: &Node) -> Fed {
        let mut seen = Vec::new();
        for outlet in &node.outlets {
            seen.push(self.outlet(outlet).await);
        }
        Fed::by(&seen)
    }

    async fn outlet(&self, at: &OutletRef) -> Option<OutletView> {
        let old = |read: Option<rack::Time>| read.is_none_or(|t| !self.now().within(t, OUTLETS_AGE));
        if old(self.inner.live.device(&at.pdu).read) {
            let device = self.record(|r| r.devices.get(&at.pdu).cloned())?;
            let bmc = self.record(|r| r.bmcs.get(&crate::keys::bmc(&device.url)).cloned())?;
            let driver = self.bmc(&device.url, &bmc.credential, bmc.certificate.as_deref()).await;
            let driver = driver.ok()?;
            let reading = driver.outlets()?.outlets(&device.path);
            let outlets = tokio::time::timeout(PDU, reading).await.ok()?.ok()?;
            self.inner.live.see_outlets(&at.pdu, outlets, self.now());
        }
        let seen = self.inner.live.device(&at.pdu).outlets;
        seen.into_iter().find(|o| o.id == at.outlet)
    }

    /// Switches a box without BMC as far as its outlets can: off is all outlets off. `None` where a wake-up must follow, or is
    /// all there is.
    pub(crate) async fn power_at_outlets(
        &self,
        node: &Node,
        kind: ResetKind,
        because: &str,
    ) -> Option<Result<(), HouseError>> {
        let order = match kind {
            ResetKind::ForceOff => OutletOrder::Off,
            ResetKind::On => OutletOrder::On,
            _ => return None,
        };
        if node.outlets.is_empty() || (order == OutletOrder::On && self.fed(node).await.lit) {
            return None;
        }
        for outlet in &node.outlets {
            let sent = self
                .order_outlet(&node.id, &node.place, outlet, order, because, "busbar")
                .await;
            if let Err(error) = sent {
                return Some(Err(error));
            }
        }
        if order == OutletOrder::Off {
            return Some(Ok(()));
        }
        tokio::time::sleep(STANDBY).await;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outlet(power: PowerState, watts: Option<f64>) -> Option<OutletView> {
        Some(OutletView {
            id: "1".into(),
            label: None,
            power: Some(power),
            watts,
            amps: None,
            switched: true,
        })
    }

    #[test]
    fn a_box_is_off_or_on_only_when_something_proves_it() {
        use PowerState::{Off, On};
        for (outlets, speaks, power, why) in [
            (vec![], false, None, "nothing is known of a box without outlets"),
            (vec![], true, Some(On), "what speaks is on"),
            (
                vec![outlet(Off, None), outlet(Off, None)],
                true,
                Some(Off),
                "no power is off, whatever was said",
            ),
            (
                vec![outlet(Off, None), outlet(On, None)],
                false,
                None,
                "one supply is enough",
            ),
            (
                vec![outlet(On, None)],
                false,
                None,
                "an outlet that is on feeds a sleeping box too",
            ),
            (vec![outlet(On, Some(2.0))], false, Some(Off), "this is standby"),
            (
                vec![outlet(On, Some(2.0))],
                true,
                Some(On),
                "a very small box that speaks",
            ),
            (vec![outlet(On, Some(9.0))], false, None, "too close to tell"),
            (
                vec![outlet(On, Some(30.0)), outlet(On, Some(28.0))],
                false,
                Some(On),
                "this is work",
            ),
            (
                vec![outlet(On, Some(1.0)), outlet(On, None)],
                false,
                None,
                "the other one may carry it",
            ),
            (
                vec![outlet(On, Some(1.0)), None],
                false,
                None,
                "the other one was not seen",
            ),
        ] {
            assert_eq!(Fed::by(&outlets).power(speaks), power, "{why}");
        }
    }
}
