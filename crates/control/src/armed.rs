//! What may be written to, and for whose sake.
//!
//! A service with nodes behind it is written to when one of them is armed. A box that is no machine has nobody to arm: a PDU is
//! written to for the sake of an armed node that it feeds, and one that feeds nothing which is recorded belongs to its
//! rack, which is armed when all its nodes are.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use rack::request::DeviceView;
use rack::{Node, Place};

use crate::record::Record;

/// How many nodes there are of each kind. Kept with the record, as every look at a box asks.
#[derive(Debug, Clone, Default)]
pub(crate) struct Armed {
    /// Armed ones by URL.
    urls: HashMap<String, usize>,
    /// Armed ones by the PDUs that feed them, each outlet counted.
    pdus: HashMap<Place, usize>,
    /// All of them in the same way.
    fed: HashMap<Place, usize>,
    /// Armed ones by rack.
    racks: HashMap<String, usize>,
    /// Others by rack.
    others: HashMap<String, usize>,
}

fn more<K: Hash + Eq>(counts: &mut HashMap<K, usize>, key: K) {
    *counts.entry(key).or_default() += 1;
}

fn less<K: Hash + Eq>(counts: &mut HashMap<K, usize>, key: K) {
    if let Some(count) = counts.get_mut(&key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&key);
        }
    }
}

impl Armed {
    /// Counts a node.
    pub fn add(&mut self, node: &Node) {
        let rack = node.place.rack().to_owned();
        if node.armed {
            more(&mut self.urls, node.bmc.url.clone());
            more(&mut self.racks, rack);
        } else {
            more(&mut self.others, rack);
        }
        for outlet in &node.outlets {
            more(&mut self.fed, outlet.pdu.clone());
            if node.armed {
                more(&mut self.pdus, outlet.pdu.clone());
            }
        }
    }

    /// Counts it no more; it is as it was when it was counted.
    pub fn take(&mut self, node: &Node) {
        let rack = node.place.rack().to_owned();
        if node.armed {
            less(&mut self.urls, node.bmc.url.clone());
            less(&mut self.racks, rack);
        } else {
            less(&mut self.others, rack);
        }
        for outlet in &node.outlets {
            less(&mut self.fed, outlet.pdu.clone());
            if node.armed {
                less(&mut self.pdus, outlet.pdu.clone());
            }
        }
    }

    /// Whether a box that is no machine may be written to for the sake of its whole rack.
    fn with_its_rack(&self, device: &DeviceView) -> bool {
        let rack = device.place.rack();
        !self.fed.contains_key(&device.place) && self.racks.contains_key(rack) && !self.others.contains_key(rack)
    }
}

impl Record {
    /// The PDUs that feed a node, as far as they are known.
    pub fn pdus_of<'a>(&'a self, node: &'a Node) -> impl Iterator<Item = &'a Arc<DeviceView>> {
        node.outlets.iter().filter_map(|o| self.devices.get(&o.pdu))
    }

    fn devices_at<'a>(&'a self, url: &'a str) -> impl Iterator<Item = &'a Arc<DeviceView>> {
        self.devices.values().filter(move |d| d.url == url)
    }

    /// Whether the service at `url` may be written to.
    pub fn may_write_to(&self, url: &str) -> bool {
        let armed = &self.armed;
        let feeds = |d: &Arc<DeviceView>| armed.pdus.contains_key(&d.place);
        // without an armed node there is nobody for whose sake anything is written to
        armed.urls.contains_key(url)
            || !armed.urls.is_empty() && (self.devices_at(url).any(feeds) || self.is_with_its_rack(url))
    }

    fn is_with_its_rack(&self, url: &str) -> bool {
        let mut here = self.devices_at(url).peekable();
        here.peek().is_some() && here.all(|d| self.armed.with_its_rack(d))
    }

    /// An armed node for whose sake the service at `url` may be written to, and the place that is written to: the node itself, or
    /// a box that feeds it or stands in its rack.
    pub fn armed_behind(&self, url: &str) -> Option<(Arc<Node>, Place)> {
        let armed = || self.world.nodes.in_order().filter(|n| n.armed);
        if let Some(own) = armed().find(|n| n.bmc.url == url) {
            return Some((Arc::clone(own), own.place.clone()));
        }
        let device = self.devices_at(url).next()?;
        let fed = armed().find(|n| self.pdus_of(n).any(|d| d.url == url));
        let beside = || armed().find(|n| n.place.rack() == device.place.rack());
        let node = fed.or_else(|| beside().filter(|_| self.is_with_its_rack(url)))?;
        Some((Arc::clone(node), device.place.clone()))
    }

    /// Where something must be armed before the service at `url` is written to: what it feeds, else its rack. Nothing where no
    /// node stands that could be.
    pub fn to_arm_for(&self, url: &str, rack: &str) -> Option<Place> {
        let find = |is: &dyn Fn(&Node) -> bool| self.world.nodes.in_order().find(|n| is(n));
        let fed = find(&|n| self.pdus_of(n).any(|d| d.url == url));
        let whole = || find(&|n| n.place.rack() == rack)?.place.rack().parse().ok();
        fed.map(|n| n.place.clone()).or_else(whole)
    }
}

#[cfg(test)]
mod tests {
    use rack::NodeId;
    use rack::node::OutletRef;

    use super::*;
    use crate::record::tests::change;
    use crate::standing::tests::{node, system};

    #[test]
    fn what_may_be_written_to_follows_what_is_armed_and_what_feeds_it() {
        let mut record = Record::default();
        let may = |record: &Record| (record.may_write_to("https://a"), record.may_write_to("snmp://pdu"));
        let id: NodeId = "n1".parse().unwrap();
        let mut server = node(&id, "https://a", &system("/1", None, None));
        let pdu: Place = "r1/pdu-a".parse().unwrap();
        server.outlets = ["1", "2"]
            .map(|outlet| OutletRef {
                pdu: pdu.clone(),
                outlet: outlet.into(),
            })
            .into();
        let device = serde_json::json!({
            "place": pdu, "kind": "rack_pdu", "url": "snmp://pdu", "path": "/", "readings": [],
        });
        record.change(&change("device/r1/pdu-a", Some(&device)));
        record.change(&change("node/n1", Some(&server)));
        assert_eq!(record.devices.len(), 1);
        assert_eq!(may(&record), (false, false));
        server.armed = true;
        // written twice, it counts once
        record.change(&change("node/n1", Some(&server)));
        record.change(&change("node/n1", Some(&server)));
        assert_eq!(may(&record), (true, true));
        server.bmc.url = "https://b".into();
        server.place = "r2/u1".parse().unwrap();
        server.outlets.clear();
        record.change(&change("node/n1", Some(&server)));
        assert_eq!(may(&record), (false, false));
        assert!(record.may_write_to("https://b"));
        record.change(&change("node/n1", None::<&Node>));
        assert!(!record.may_write_to("https://b"));
    }

    #[test]
    fn a_pdu_that_feeds_nothing_recorded_belongs_to_its_rack_which_is_armed_when_all_of_it_is() {
        let mut record = Record::default();
        let device = serde_json::json!({
            "place": "r1/pdu-a", "kind": "rack_pdu", "url": "https://pdu", "path": "/", "readings": [],
        });
        record.change(&change("device/r1/pdu-a", Some(&device)));
        let stand = |record: &mut Record, name: &str, place: &str, armed: bool, outlet: Option<&str>| {
            let id: NodeId = name.parse().unwrap();
            let server = Node {
                place: place.parse().unwrap(),
                armed,
                outlets: outlet
                    .map(|outlet| OutletRef {
                        pdu: "r1/pdu-a".parse().unwrap(),
                        outlet: outlet.into(),
                    })
                    .into_iter()
                    .collect(),
                ..node(&id, &format!("https://{name}"), &system("/1", None, None))
            };
            record.change(&change(&format!("node/{name}"), Some(&server)));
        };
        let sake = |record: &Record| {
            let behind = record.armed_behind("https://pdu");
            assert_eq!(behind.is_some(), record.may_write_to("https://pdu"));
            behind.map(|(node, place)| format!("{place} for {}", node.place))
        };
        let to_arm = |record: &Record| record.to_arm_for("https://pdu", "r1").map(|p| p.to_string());
        assert_eq!((sake(&record), to_arm(&record)), (None, None));
        stand(&mut record, "n1", "r1/u1", true, None);
        assert_eq!(sake(&record).as_deref(), Some("r1/pdu-a for r1/u1"));
        stand(&mut record, "n2", "r1/u2", false, None);
        assert_eq!((sake(&record), to_arm(&record)), (None, Some("r1".into())));
        stand(&mut record, "n2", "r2/u2", false, None);
        assert!(sake(&record).is_some());
        // now it feeds someone who is not armed, in whichever rack
        stand(&mut record, "n2", "r2/u2", false, Some("1"));
        assert_eq!((sake(&record), to_arm(&record)), (None, Some("r2/u2".into())));
        stand(&mut record, "n2", "r2/u2", true, Some("1"));
        assert_eq!(sake(&record).as_deref(), Some("r1/pdu-a for r2/u2"));
        record.change(&change("node/n1", None::<&Node>));
        record.change(&change("node/n2", None::<&Node>));
        assert_eq!((sake(&record), to_arm(&record)), (None, None));
    }
}
