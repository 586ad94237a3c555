//! Racks as they are drawn: what is recorded and seen of one, now or at a moment of the last day, handed to
//! `plan::elevation`.

use std::collections::HashMap;

use plan::elevation::{Rack, SeenNode, draw};
use rack::elevation::{By, Elevation};
use rack::request::{DeviceView, RackSummary};
use rack::setting::{CapView, CapWish};
use rack::shed::Shed;
use rack::{Name, Node, NodeId, Place, Reading, Time};

use crate::House;
use crate::house::HouseError;

impl House {
    /// Every rack in which something stands or should, as people count them.
    pub fn all_racks(&self) -> Vec<RackSummary> {
        let mut racks = self.rack_summaries();
        let meant: Vec<Name> = self.record(|r| r.intents.keys().cloned().collect());
        for name in meant {
            if !racks.iter().any(|r| r.name == name) {
                racks.push(self.empty_rack(name));
            }
        }
        racks.sort_by_cached_key(|r| Place::whole(&r.name));
        racks
    }

    /// Whether any rack here is made of software.
    pub fn is_emulated(&self) -> bool {
        !self.inner.env.config.emulated.is_empty()
    }

    /// One rack as it is drawn; with `past`, with the readings of that moment instead of now's.
    pub fn elevation(&self, name: &Name, by: By, past: Option<Time>) -> Result<Elevation, HouseError> {
        let world = self.world();
        let whole = Place::whole(name);
        let nodes: Vec<&Node> = world
            .nodes
            .in_order()
            .map(AsRef::as_ref)
            .filter(|n| n.place.is_in(&whole))
            .collect();
        let mut devices = self.devices_where(|p| p.is_in(&whole));
        let intent = self.record(|r| r.intents.get(name).cloned());
        if nodes.is_empty() && devices.is_empty() && intent.is_none() {
            return Err(HouseError::NotFound {
                kind: "rack",
                name: name.to_string(),
            });
        }
        let nodes = match past {
            None => nodes.into_iter().map(|n| self.seen_node(&world, n)).collect(),
            Some(at) => {
                let mut then = self.readings_at(&whole, at);
                devices = devices.into_iter().map(|d| of_the_past(d, &mut then)).collect();
                let mut seen = |node| SeenNode {
                    node,
                    machine: None,
                    power: None,
                    silent: None,
                    readings: then.remove(&node.place).unwrap_or_default(),
                    cap: None,
                    floor: None,
                    shed: None,
                };
                nodes.into_iter().map(&mut seen).collect()
            }
        };
        Ok(draw(&Rack {
            name,
            by,
            at: past.unwrap_or_else(|| self.now()),
            past: past.is_some(),
            age: self.reading_age(),
            nodes,
            devices,
            intent: intent.as_deref(),
        }))
    }

    /// The power cap of a node in watts: what is wanted, else what was last seen in force; what is taken from its machine
    /// so that nothing trips, when that is less.
    pub(crate) fn cap_of(&self, node: &NodeId) -> Option<f64> {
        let shed = self.record(|r| r.world.sheds.get(node)?.cap);
        let wanted = self.wished_cap(node);
        shed.map_or(wanted, |shed| Some(wanted.map_or(shed, |w| w.min(shed))))
    }

    fn wished_cap(&self, node: &NodeId) -> Option<f64> {
        match self.record(|r| r.settings.get(node)?.cap) {
            Some(CapWish::Watts(watts)) => Some(watts),
            Some(CapWish::Lifted) => None,
            None => self.inner.live.peek(node, |sight| {
                let system = sight.settings.caps.iter().find(|c| c.id == "system");
                system.and_then(CapView::holds)
            }),
        }
    }

    pub(crate) fn seen_node<'a>(&self, world: &'a rack::World, node: &'a Node) -> SeenNode<'a> {
        let cap = self.cap_of(&node.id);
        self.inner.live.peek(&node.id, |sight| SeenNode {
            node,
            machine: world.holder_of(node).map(AsRef::as_ref),
            power: sight.view.power,
            silent: sight.view.silent.clone(),
            readings: sight.view.readings.clone(),
            cap,
            floor: floor(&sight.settings.caps),
            shed: world.sheds.get(&node.id).map(|s| Shed {
                place: node.place.clone(),
                ..s.as_ref().clone()
            }),
        })
    }

    /// What each box in a place last told before a moment, while that was fresh.
    fn readings_at(&self, inside: &Place, at: Time) -> HashMap<Place, Vec<Reading>> {
        let age = u32::try_from(self.reading_age().as_secs()).unwrap_or(u32::MAX);
        self.tracks(inside)
            .into_iter()
            .map(|(place, track)| (place, track.at(at, age)))
            .collect()
    }
}

/// The lowest cap of a whole box that can be set.
fn floor(caps: &[CapView]) -> Option<f64> {
    let system = caps.iter().find(|c| c.id == "system" && c.writable)?;
    system.lowest.filter(|w| *w > 0.0)
}

fn of_the_past(device: DeviceView, then: &mut HashMap<Place, Vec<Reading>>) -> DeviceView {
    DeviceView {
        readings: then.remove(&device.place).unwrap_or_default(),
        ..device
    }
}
