//! The one-line diagram of racks and forecasts from it: what is recorded and seen, handed to `plan::power` and
//! `plan::whatif`. Nothing is changed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use plan::power::{SeenDevice, Sight, one_line};
use plan::pressure::Rules;
use plan::whatif::{Unfailable, whatif};
use rack::intent::Intent;
use rack::power::{Forecast, OneLine};
use rack::{Name, Node, Place};

use crate::House;
use crate::house::HouseError;

/// What can fail in a forecast, as it is named when there is none such.
pub const FAILABLE: &str = "PDU, outlet, box or supply";
/// Most places that fail at once in one question.
pub const FAILS: usize = 64;

impl House {
    /// The one-line diagram of a rack: its boxes, its PDUs, and PDUs of other racks that feed them.
    pub fn one_line(&self, rack: &Name) -> Result<OneLine, HouseError> {
        let whole = Place::whole(rack);
        let found = self.one_line_of(Some(&whole));
        let is_meant = self.record(|r| r.intents.contains_key(rack));
        if found.pdus.is_empty() && found.boxes.is_empty() && !is_meant {
            return Err(HouseError::NotFound {
                kind: "rack",
                name: rack.to_string(),
            });
        }
        Ok(found)
    }

    /// What would come of it if all of these failed at once, wherever they are. `pdu-a` is the one PDU of that name.
    pub fn whatif(&self, fails: &[Place]) -> Result<Forecast, HouseError> {
        let line = self.one_line_of(None);
        let fails: Vec<Place> = fails.iter().map(|p| full(&line, p)).collect::<Result<_, _>>()?;
        whatif(&line, &fails, &self.rules()).map_err(|refused| match refused {
            Unfailable::Unknown(place) => HouseError::NotFound {
                kind: FAILABLE,
                name: place.to_string(),
            },
            other => HouseError::Invalid {
                what: other.to_string(),
            },
        })
    }

    /// How much is too much for a PDU, and how long it takes to see that and to act: readings come once in their period, and a
    /// few seconds pass until a cap holds.
    pub(crate) fn rules(&self) -> Rules {
        Rules {
            react: self.inner.env.config.readings + Duration::from_secs(5),
            ..Rules::default()
        }
    }

    /// Of one rack, or of all.
    pub(crate) fn one_line_of(&self, whole: Option<&Place>) -> OneLine {
        let inside = |p: &Place| whole.is_none_or(|w| p.is_in(w));
        let world = self.world();
        // boxes beside the rack that hang on its PDUs carry weight there
        let hangs = |n: &Node| n.outlets.iter().any(|o| inside(&o.pdu));
        let nodes: Vec<&Node> = world
            .nodes
            .in_order()
            .map(AsRef::as_ref)
            .filter(|n| inside(&n.place) || hangs(n))
            .collect();
        let intents: Vec<Arc<Intent>> = self.record(|r| {
            let meant = |i: &&Arc<Intent>| inside(&Place::whole(&i.rack));
            r.intents.values().filter(meant).cloned().collect()
        });
        let beside: BTreeSet<&Place> = nodes.iter().flat_map(|n| &n.outlets).map(|o| &o.pdu).collect();
        let devices = self.devices_where(|p| inside(p) || beside.contains(p));
        let seen = devices.into_iter().map(|view| SeenDevice {
            outlets_read: self.inner.live.device(&view.place).read,
            view,
        });
        one_line(&Sight {
            at: self.now(),
            age: self.reading_age(),
            nodes: nodes.into_iter().map(|n| self.seen_node(&world, n)).collect(),
            devices: seen.collect(),
            intents: intents.iter().map(AsRef::as_ref).collect(),
        })
    }
}

/// `pdu-a` written out, when one PDU alone is called so and no rack is.
fn full(line: &OneLine, place: &Place) -> Result<Place, HouseError> {
    let all = || line.pdus.iter().map(|p| &p.place);
    let is_rack = all().chain(line.boxes.iter().map(|b| &b.place)).any(|p| p.is_in(place));
    if place.slot().is_some() || is_rack {
        return Ok(place.clone());
    }
    let called: Vec<&Place> = all().filter(|p| p.slot() == Some(place.as_ref())).collect();
    match called.as_slice() {
        [] => Ok(place.clone()),
        [one] => Ok((*one).clone()),
        [one, other, ..] => Err(HouseError::Invalid {
            what: format!("`{place}` could be {one} or {other}: write it out"),
        }),
    }
}
