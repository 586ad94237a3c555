//! How the racks are, in a few numbers, and what is left of them.

use std::sync::Arc;

use rack::free::FreeView;
use rack::intent::Intent;
use rack::request::{DeviceView, NodeLive};
use rack::setting::CapWish;
use rack::vitals::{Vital, VitalsView};
use rack::{Health, Node, Place, Reading, Unit};

use crate::House;
use crate::house::HouseError;

impl House {
    /// Every box in a few numbers, as people count places.
    pub fn vitals(&self, only: Option<&Place>) -> VitalsView {
        let inside = |p: &Place| only.is_none_or(|o| p.is_in(o));
        let world = self.world();
        let nodes = world.nodes.in_order().filter(|n| inside(&n.place));
        let of_node = |n: &Node, live: &NodeLive| Vital {
            holder: n.holder.clone(),
            power: live.power,
            silent: live.silent.clone(),
            ..self.vital(&n.place, "node", n.health, &live.readings)
        };
        let mut boxes: Vec<Vital> = nodes.map(|n| self.look_at(&n.id, |live| of_node(n, live))).collect();
        let mut devices = self.devices();
        devices.retain(|d| inside(&d.place));
        boxes.extend(
            devices
                .iter()
                .map(|d| self.vital(&d.place, &d.kind, d.health, &d.readings)),
        );
        VitalsView {
            at: self.now(),
            read_seconds: u32::try_from(self.inner.env.config.readings.as_secs()).unwrap_or(u32::MAX),
            boxes,
        }
    }

    /// A box that nobody holds, and what its readings say of it, those that are fresh.
    fn vital(&self, place: &Place, kind: &str, health: Health, readings: &[Reading]) -> Vital {
        let (now, age) = (self.now(), self.reading_age());
        let fresh = |r: &Reading| r.fresh(now, age);
        let named = |name: &str, unit: Unit| Reading::named(readings, name, unit, now, age);
        let highest = |unit: Unit| {
            let all = readings.iter().filter(|r| r.unit == unit);
            all.filter_map(|r| Some((fresh(r)?, &r.name)))
                .max_by(|a, b| a.0.total_cmp(&b.0))
        };
        let hottest = highest(Unit::Celsius);
        Vital {
            place: place.clone(),
            kind: kind.to_owned(),
            holder: None,
            power: None,
            health,
            silent: None,
            watts: named("watts", Unit::Watts),
            inlet: named("inlet", Unit::Celsius),
            hottest: hottest.map(|(v, _)| v),
            hottest_name: hottest.map(|(_, name)| name.clone()),
            fan: highest(Unit::Rpm).map(|(v, _)| v),
            taken: readings.iter().map(|r| r.taken).max(),
        }
    }

    /// What there is, is promised, is used and is left, in one rack or in all.
    pub fn free(&self, only: Option<&Place>) -> Result<FreeView, HouseError> {
        let (now, age) = (self.now(), self.reading_age());
        let world = self.world();
        let inside = |p: &Place| only.is_none_or(|o| p.is_in(o));
        let nodes: Vec<_> = world.nodes.values().filter(|n| inside(&n.place)).collect();
        let intents: Vec<Arc<Intent>> = self.record(|r| {
            let meant = |i: &&Arc<Intent>| inside(&Place::whole(&i.rack));
            r.intents.values().filter(meant).cloned().collect()
        });
        if let Some(place) = only.filter(|_| nodes.is_empty() && intents.is_empty()) {
            return Err(HouseError::NotFound {
                kind: "place",
                name: place.to_string(),
            });
        }
        let cap = |id: &rack::NodeId| {
            self.record(|r| match r.settings.get(id)?.cap? {
                CapWish::Watts(watts) => Some(watts),
                CapWish::Lifted => None,
            })
        };
        let seen = |n: &Arc<rack::Node>| {
            self.look_at(&n.id, |live| {
                let watts = Reading::named(&live.readings, "watts", Unit::Watts, now, age);
                (watts, live.silent.is_some())
            })
        };
        let seen: Vec<plan::free::Seen> = nodes
            .iter()
            .map(|n| {
                let (watts, silent) = seen(n);
                plan::free::Seen {
                    node: n,
                    watts,
                    cap: cap(&n.id),
                    silent,
                }
            })
            .collect();
        let mut devices = self.devices();
        devices.retain(|d| inside(&d.place) && matches!(d.kind.as_str(), "cooling" | "enclosure"));
        let beside: Vec<plan::free::Beside> = devices
            .iter()
            .map(|d| {
                let told = |name: &str| {
                    let mut all = d.readings.iter();
                    all.find(|r| r.name == name && r.unit == Unit::Watts)?.fresh(now, age)
                };
                plan::free::Beside {
                    watts: told("watts"),
                    encloses: d.kind == "enclosure",
                    removes: told("primary-heat"),
                }
            })
            .collect();
        let intents: Vec<&Intent> = intents.iter().map(AsRef::as_ref).collect();
        let devices: Vec<Arc<DeviceView>> = self.record(|r| r.devices.values().cloned().collect());
        let devices: Vec<&DeviceView> = devices.iter().map(AsRef::as_ref).collect();
        Ok(plan::free::free(&seen, &beside, &intents, &devices))
    }
}
