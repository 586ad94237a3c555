//! What is recorded, in memory: the store's objects as types, kept current by its watch. Reads never touch the disk.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::Ipv4Addr;
use std::sync::Arc;

use imbl::OrdMap;
use rack::intent::{Baseline, Drift, Intent};
use rack::node::{AddressLease, OutletRef};
use rack::request::{DeviceView, EventView, Role, TokenView};
use rack::rollout::Rollout;
use rack::setting::Settings;
use rack::{Event, Mac, Name, Node, NodeId, Place, Time, World};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use store::{Batch, Change, Revision};

use crate::armed::Armed;
use crate::consoles::StoredHostKey;
use crate::secrets::Sealed;

/// Events that are kept; older ones leave with each new one.
pub const EVENTS: u64 = 10_000;

/// A BMC that is watched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchedBmc {
    /// `https://host:port`.
    pub url: String,
    /// The rack that it stands in.
    pub rack: Name,
    /// Slots by the UUID or serial of the system that stands there; `*` is for whichever is the only one.
    pub slots: BTreeMap<String, Name>,
    /// The credential to use.
    pub credential: Name,
    /// The certificate that it showed first.
    pub certificate: Option<String>,
    /// PDU outlets that feed the box behind it.
    #[serde(default)]
    pub outlets: Vec<OutletRef>,
}

/// A credential as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredCredential {
    /// Its name.
    pub name: Name,
    /// User name and password as JSON, sealed.
    pub sealed: Sealed,
    /// The same with the password that follows it, while a rotation is under way.
    #[serde(default)]
    pub next: Option<Sealed>,
    /// Keys of the BMCs that have the next password already.
    #[serde(default)]
    pub moved: BTreeSet<String>,
}

/// A token as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredToken {
    /// Its name.
    pub name: Name,
    /// What it may do.
    pub role: Role,
    /// When it was made.
    pub created: Time,
    /// SHA-256 of its secret.
    pub fingerprint: String,
}

impl From<&StoredToken> for TokenView {
    fn from(t: &StoredToken) -> TokenView {
        TokenView {
            name: t.name.clone(),
            role: t.role,
            created: t.created,
        }
    }
}

/// Everything that is recorded.
#[derive(Debug, Clone, Default)]
pub struct Record {
    /// What decisions are made from.
    pub world: Arc<World>,
    /// Revision of each object's last write, by key.
    pub revisions: HashMap<String, Revision>,
    /// SSH host keys of consoles, by service.
    pub host_keys: BTreeMap<String, Arc<StoredHostKey>>,
    /// BMCs that are watched, by key.
    pub bmcs: BTreeMap<String, Arc<WatchedBmc>>,
    /// Devices that are no machines.
    pub devices: BTreeMap<Place, Arc<DeviceView>>,
    /// What is wanted of nodes beyond machines.
    pub settings: BTreeMap<NodeId, Arc<Settings>>,
    /// What racks should be.
    pub intents: BTreeMap<Name, Arc<Intent>>,
    /// Since when racks are not.
    pub drifts: BTreeMap<Name, Arc<Drift>>,
    /// What nodes were made of when someone last agreed.
    pub baselines: BTreeMap<NodeId, Arc<Baseline>>,
    /// Firmware rollouts.
    pub rollouts: BTreeMap<Name, Arc<Rollout>>,
    /// Credentials.
    pub credentials: BTreeMap<Name, Arc<StoredCredential>>,
    /// Tokens by fingerprint.
    pub tokens: HashMap<String, Arc<StoredToken>>,
    /// Address leases.
    pub leases: HashMap<Mac, Ipv4Addr>,
    /// Whose each address is.
    pub addresses: HashMap<Ipv4Addr, Mac>,
    /// The latest events, oldest first.
    pub events: VecDeque<EventView>,
    /// What may be written to.
    pub(crate) armed: Armed,
}

impl Record {
    /// The record of a store as it was listed at `revision`.
    pub fn of(revision: Revision, objects: Vec<store::Object>) -> Record {
        let mut record = Record::default();
        for object in objects {
            record.change(&Change {
                revision: object.revision,
                key: object.key,
                value: Some(object.value),
            });
        }
        Arc::make_mut(&mut record.world).revision = revision;
        record
    }

    /// Applies one commit. An object that can't be read is left out and told: one bad document never costs the rest.
    pub fn apply(&mut self, batch: &Batch) {
        for change in &batch.changes {
            self.change(change);
        }
        Arc::make_mut(&mut self.world).revision = batch.revision;
    }

    /// Applies one object's change.
    pub fn change(&mut self, change: &Change) {
        match change.value {
            Some(_) => self.revisions.insert(change.key.clone(), change.revision),
            None => self.revisions.remove(&change.key),
        };
        let Some((kind, name)) = change.key.split_once('/') else {
            return;
        };
        let value = change.value.as_deref();
        match kind {
            "node" => self.node(name, value),
            "machine" => keep(&mut Arc::make_mut(&mut self.world).machines, name, value),
            "image" => keep(&mut Arc::make_mut(&mut self.world).images, name, value),
            "shed" => keep(&mut Arc::make_mut(&mut self.world).sheds, name, value),
            "device" => keep(&mut self.devices, name, value),
            "setting" => keep(&mut self.settings, name, value),
            "intent" => keep(&mut self.intents, name, value),
            "drift" => keep(&mut self.drifts, name, value),
            "baseline" => self.baseline(name, value),
            "rollout" => keep(&mut self.rollouts, name, value),
            "hostkey" => keep(&mut self.host_keys, name, value),
            "credential" => keep(&mut self.credentials, name, value),
            "bmc" => match value.and_then(|v| read(&change.key, v)) {
                Some(bmc) => drop(self.bmcs.insert(change.key.clone(), Arc::new(bmc))),
                None => drop(self.bmcs.remove(&change.key)),
            },
            "token" => {
                self.tokens.retain(|_, t| t.name.as_str() != name);
                if let Some(token) = value.and_then(|v| read::<StoredToken>(&change.key, v)) {
                    self.tokens.insert(token.fingerprint.clone(), Arc::new(token));
                }
            }
            "lease" => self.lease(name, value),
            "event" => self.event(&change.key, name, value),
            _ => {}
        }
    }

    fn node(&mut self, name: &str, value: Option<&[u8]>) {
        let nodes = &mut Arc::make_mut(&mut self.world).nodes;
        let Ok(id) = name.parse::<NodeId>() else { return };
        let before = match value.and_then(|v| read::<Node>(name, v)) {
            Some(mut node) => {
                if let Some(agreed) = self.baselines.get(&id) {
                    node.parts.share(&agreed.parts);
                }
                self.armed.add(&node);
                nodes.insert(id, Arc::new(node))
            }
            None => nodes.remove(&id),
        };
        if let Some(before) = before {
            self.armed.take(&before);
        }
    }

    fn baseline(&mut self, name: &str, value: Option<&[u8]>) {
        let Ok(id) = name.parse::<NodeId>() else { return };
        match value.and_then(|v| read::<Baseline>(name, v)) {
            Some(mut agreed) => {
                if let Some(node) = self.world.nodes.get(&id) {
                    agreed.parts.share(&node.parts);
                }
                self.baselines.insert(id, Arc::new(agreed));
            }
            None => drop(self.baselines.remove(&id)),
        }
    }

    fn lease(&mut self, name: &str, value: Option<&[u8]>) {
        let Ok(mac) = name.parse::<Mac>() else { return };
        if let Some(old) = self.leases.remove(&mac) {
            self.addresses.remove(&old);
        }
        let lease = value.and_then(|v| read::<AddressLease>(name, v));
        if let Some(std::net::IpAddr::V4(address)) = lease.map(|l| l.address) {
            self.leases.insert(mac, address);
            self.addresses.insert(address, mac);
        }
    }

    fn event(&mut self, key: &str, name: &str, value: Option<&[u8]>) {
        let Ok(sequence) = name.parse::<u64>() else { return };
        let Some(event) = value.and_then(|v| read::<Event>(key, v)) else {
            if self.events.front().is_some_and(|e| e.sequence <= sequence) {
                self.events.pop_front();
            }
            return;
        };
        // Concurrent commits may land out of the order of their numbers.
        let at = self
            .events
            .iter()
            .rposition(|e| e.sequence < sequence)
            .map_or(0, |i| i + 1);
        self.events.insert(at, EventView { sequence, event });
        while self.events.len() as u64 > EVENTS {
            self.events.pop_front();
        }
    }
}

/// Objects of one kind, by what their key names.
trait Kept<K, V> {
    fn put(&mut self, key: K, object: Arc<V>);
    fn forget(&mut self, key: &K);
}

impl<K: Ord, V> Kept<K, V> for BTreeMap<K, Arc<V>> {
    fn put(&mut self, key: K, object: Arc<V>) {
        self.insert(key, object);
    }
    fn forget(&mut self, key: &K) {
        self.remove(key);
    }
}

impl<K: Ord + Clone, V> Kept<K, V> for OrdMap<K, Arc<V>> {
    fn put(&mut self, key: K, object: Arc<V>) {
        self.insert(key, object);
    }
    fn forget(&mut self, key: &K) {
        self.remove(key);
    }
}

/// Keeps or drops an object that is known by the name in its key.
fn keep<K, V>(map: &mut impl Kept<K, V>, name: &str, value: Option<&[u8]>)
where
    K: std::str::FromStr,
    V: DeserializeOwned,
{
    let Ok(key) = name.parse::<K>() else { return };
    match value.and_then(|v| read(name, v)) {
        Some(object) => map.put(key, Arc::new(object)),
        None => map.forget(&key),
    }
}

fn read<T: DeserializeOwned>(key: &str, value: &[u8]) -> Option<T> {
    serde_json::from_slice(value)
        .map_err(|error| tracing::error!(key, %error, "an object in the store can't be read and is left out"))
        .ok()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::standing::tests::{node, system};

    pub fn change(key: &str, value: Option<&impl Serialize>) -> Change {
        Change {
            revision: 1,
            key: key.into(),
            value: value.map(|v| serde_json::to_vec(v).unwrap().into()),
        }
    }

    #[test]
    fn what_was_agreed_to_takes_no_room_beside_what_is_recorded() {
        let mut record = Record::default();
        let id: NodeId = "n1".parse().unwrap();
        let mut server = node(&id, "https://a", &system("/1", None, None));
        let part = |id: &str| rack::Part {
            id: id.into(),
            kind: rack::PartKind::Processor { cores: 8, threads: 16 },
            maker: None,
            model: None,
            serial: None,
            firmware: None,
            health: rack::Health::Ok,
        };
        server.parts = vec![part("cpu1"), part("cpu2")].into();
        let agreed = Baseline {
            parts: server.parts.clone(),
            at: Time::from_millis(1),
        };
        let shared = |r: &Record| r.world.nodes[&id].parts.is_shared_with(&r.baselines[&id].parts);
        record.change(&change("node/n1", Some(&server)));
        record.change(&change("baseline/n1", Some(&agreed)));
        assert!(shared(&record));
        server.parts.push(part("cpu3"));
        record.change(&change("node/n1", Some(&server)));
        assert!(!shared(&record));
        assert_eq!(record.baselines[&id].parts.len(), 2);
        server.parts.pop();
        record.change(&change("node/n1", Some(&server)));
        assert!(shared(&record), "it is as it was agreed to again");
    }
}
