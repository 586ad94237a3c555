//! Discovery: a BMC's address becomes nodes, each known by what it is and not by where it answered.

use std::sync::Arc;

use futures_util::StreamExt as _;
use hardware::{DeviceKind, Found, FoundDevice, FoundSystem};
use rack::node::BmcAddress;
use rack::request::{DeviceView, DiscoverRequest, Who};
use rack::{Event, Level, Name, Node, NodeId, Part, PartKind, Place, Tenancy, World};
use store::Txn;

use crate::House;
use crate::house::HouseError;
use crate::record::WatchedBmc;
use crate::{keys, outlets, rackfile, targets};

/// What came of discovering one service.
#[derive(Debug, Default)]
pub(crate) struct Discovered {
    /// The nodes behind it.
    pub nodes: Vec<Arc<Node>>,
    /// What did not answer as it should, in words.
    pub problems: Vec<String>,
}

impl House {
    /// Discovers BMCs now and keeps watching those that answer; answers with the nodes found, and problems in words.
    pub async fn discover(
        &self,
        who: &Who,
        request: DiscoverRequest,
    ) -> Result<(Vec<Arc<Node>>, Vec<String>), HouseError> {
        let mut urls = Vec::new();
        for target in &request.targets {
            urls.extend(targets::urls(target).map_err(|what| HouseError::Invalid { what })?);
        }
        if urls.is_empty() || urls.len() > targets::TARGETS {
            let what = format!("{} addresses were named; name 1 to {}", urls.len(), targets::TARGETS);
            return Err(HouseError::Invalid { what });
        }
        if request.slot.is_some() && urls.len() > 1 {
            return Err(HouseError::Invalid {
                what: "a slot is for one address".into(),
            });
        }
        let rack = request
            .rack
            .clone()
            .unwrap_or_else(|| "r1".parse().expect("`r1` is a name"));
        let credential = request.credential.clone().unwrap_or_else(rackfile::default_credential);
        let event = self.audit(who, &rack, format!("discover {}", request.targets.join(" ")));
        self.commit(self.tell(Txn::new(), &event)?).await?;
        let watched = urls.into_iter().map(|url| WatchedBmc {
            url,
            rack: rack.clone(),
            slots: request.slot.iter().map(|s| ("*".to_owned(), s.clone())).collect(),
            credential: credential.clone(),
            certificate: None,
            outlets: Vec::new(),
        });
        self.discover_all(watched.collect()).await
    }

    /// Discovers services side by side, each kept in the store once it has answered.
    pub async fn discover_all(&self, watched: Vec<WatchedBmc>) -> Result<(Vec<Arc<Node>>, Vec<String>), HouseError> {
        let at_once = self.inner.env.config.at_once;
        let each = watched
            .into_iter()
            .map(|bmc| async move { (bmc.url.clone(), self.discover_one(bmc).await) });
        let mut results = futures_util::stream::iter(each).buffer_unordered(at_once);
        let (mut nodes, mut problems) = (Vec::new(), Vec::new());
        while let Some((url, result)) = results.next().await {
            match result {
                Ok(found) => {
                    nodes.extend(found.nodes);
                    problems.extend(found.problems);
                }
                Err(HouseError::Store(error)) => return Err(error.into()),
                Err(error) => problems.push(format!("{url}: {error}")),
            }
        }
        nodes.sort_by_key(|n: &Arc<Node>| n.place.natural());
        Ok((nodes, problems))
    }

    /// Notes a rack file's BMCs, to be discovered by the inventory loop as they answer.
    pub async fn watch_bmcs(&self, watched: Vec<WatchedBmc>) -> Result<(), HouseError> {
        for bmc in watched {
            let key = keys::bmc(&bmc.url);
            self.transact(|_| {
                let known = self.record(|r| r.bmcs.get(&key).cloned());
                let after = WatchedBmc {
                    certificate: known.as_ref().and_then(|k| k.certificate.clone()),
                    ..bmc.clone()
                };
                if known.is_some_and(|k| *k == after) {
                    return Ok((Txn::new(), ()));
                }
                Ok((Txn::new().check(&key, self.unchanged(&key)).put(&key, &after)?, ()))
            })
            .await?;
        }
        Ok(())
    }

    /// Discovers one service and records what is behind it.
    pub(crate) async fn discover_one(&self, mut bmc: WatchedBmc) -> Result<Discovered, HouseError> {
        let key = keys::bmc(&bmc.url);
        if let Some(known) = self.record(|r| r.bmcs.get(&key).cloned()) {
            bmc.certificate = known.certificate.clone();
            if bmc.slots.is_empty() {
                bmc.slots.clone_from(&known.slots);
            }
            if bmc.outlets.is_empty() {
                bmc.outlets.clone_from(&known.outlets);
            }
        }
        if bmc.certificate.is_none() && bmc.url.starts_with("https:") {
            bmc.certificate = self
                .inner
                .env
                .dial
                .certificate(&bmc.url)
                .await
                .map_err(HouseError::Unreachable)?;
        }
        let connection = self.bmc(&bmc.url, &bmc.credential, bmc.certificate.as_deref()).await?;
        let found = connection.discover().await?;
        let nodes = self.record_found(&key, &bmc, &found).await?;
        let now = self.now();
        for node in &nodes {
            self.inner.live.update(&node.id, |s| {
                s.view.seen = Some(now);
                s.view.silent = None;
            });
        }
        let problems = found
            .problems
            .iter()
            .map(|p| format!("{}{}: {}", bmc.url, p.path, p.what))
            .collect();
        Ok(Discovered { nodes, problems })
    }

    async fn record_found(&self, key: &str, bmc: &WatchedBmc, found: &Found) -> Result<Vec<Arc<Node>>, HouseError> {
        self.transact(|world| {
            let mut txn = Txn::new();
            if self.record(|r| r.bmcs.get(key).is_none_or(|known| **known != *bmc)) {
                txn = txn.check(key, self.unchanged(key)).put(key, bmc)?;
            }
            let mut nodes = Vec::new();
            let mut taken: Vec<Place> = Vec::new();
            let machines: Vec<&FoundSystem> = found.systems.iter().filter(|s| s.is_machine).collect();
            for system in &machines {
                let id = identity(system, &bmc.url, &nodes);
                let known = world.nodes.get(&id);
                let place = place_for(world, bmc, &id, system, machines.len(), &taken);
                taken.push(place.clone());
                let node = Arc::new(self.node(bmc, known, id, place, system));
                let same = known.is_some_and(|k| {
                    Node {
                        inventoried: k.inventoried,
                        ..Node::clone(&node)
                    } == **k
                });
                if !same {
                    let node_key = keys::node(&node.id);
                    txn = txn
                        .check(&node_key, self.unchanged(&node_key))
                        .put(&node_key, node.as_ref())?;
                    txn = self.tell(txn, &self.found_event(known.map(AsRef::as_ref), &node))?;
                }
                nodes.push(if same { known.map_or(node, Arc::clone) } else { node });
            }
            let mut slots: Vec<Name> = Vec::new();
            for device in &found.devices {
                let slot = device_slot(bmc, device, found.devices.len(), &slots);
                txn = self.device(txn, bmc, device, &slot)?;
                slots.push(slot);
            }
            Ok((txn, nodes))
        })
        .await
    }

    fn device(&self, txn: Txn, bmc: &WatchedBmc, device: &FoundDevice, slot: &Name) -> Result<Txn, HouseError> {
        let place = Place::new(&bmc.rack, slot);
        self.inner.live.see_device(&place, outlets::seen(device, self.now()));
        let view = DeviceView {
            place: place.clone(),
            kind: kind_name(device.kind).to_owned(),
            maker: device.identity.maker.clone(),
            model: device.identity.model.clone(),
            serial: device.identity.serial.clone(),
            firmware: device.identity.bmc_firmware.clone(),
            url: bmc.url.clone(),
            path: device.path.clone(),
            health: rack::Health::Unknown,
            readings: Vec::new(),
            outlets: Vec::new(),
        };
        let key = keys::device(&place);
        if self.record(|r| r.devices.get(&place).is_some_and(|d| **d == view)) {
            return Ok(txn);
        }
        Ok(txn.check(&key, self.unchanged(&key)).put(&key, &view)?)
    }

    fn node(
        &self,
        bmc: &WatchedBmc,
        known: Option<&Arc<Node>>,
        id: NodeId,
        place: Place,
        system: &FoundSystem,
    ) -> Node {
        let now = self.now();
        let mut parts = system.parts.clone();
        if let Some(known) = known {
            keep_what_only_the_agent_saw(&mut parts, &known.parts);
        }
        let outlets = match known {
            _ if !bmc.outlets.is_empty() => bmc.outlets.clone(),
            Some(known) if !known.outlets.is_empty() => known.outlets.clone(),
            _ => self.outlets_intended(&place),
        };
        Node {
            id,
            place,
            identity: system.identity.clone(),
            bmc: BmcAddress {
                url: bmc.url.clone(),
                system: system.system.clone(),
                manager: system.manager.clone(),
                chassis: system.chassis.clone(),
                credential: bmc.credential.clone(),
                certificate: bmc.certificate.clone(),
            },
            health: system.health,
            abilities: system.abilities.clone(),
            parts,
            armed: known.is_some_and(|k| k.armed),
            holder: known.and_then(|k| k.holder.clone()),
            tenancy: known.map_or(Tenancy::Fresh, |k| k.tenancy.clone()),
            cordoned: known.and_then(|k| k.cordoned.clone()),
            boots: known.map_or(0, |k| k.boots),
            outlets,
            firmware: system.firmware.clone(),
            discovered: known.map_or(now, |k| k.discovered),
            inventoried: now,
        }
    }

    fn found_event(&self, known: Option<&Node>, node: &Node) -> Event {
        let mut level = Level::Info;
        let mut changed = Vec::new();
        if let Some(k) = known {
            let (told, loss) = plan::fsck::parts::told_changes(k, node);
            changed = told;
            if loss {
                level = Level::Warning;
            }
            if k.health != node.health {
                changed.push(format!("its health went from {:?} to {:?}", k.health, node.health));
            }
        }
        let what = match known {
            None => format!(
                "discovered: {} {}, {} cores, {} of memory",
                node.identity.maker.as_deref().unwrap_or("unknown maker"),
                node.identity.model.as_deref().unwrap_or("unknown model"),
                node.cores(),
                node.memory()
            ),
            Some(k) if k.bmc.url != node.bmc.url => format!("its BMC moved from {} to {}", k.bmc.url, node.bmc.url),
            Some(k) if k.place != node.place => format!("moved here from {}", k.place),
            Some(_) if !changed.is_empty() => changed.join("; "),
            Some(k) if k.identity != node.identity => "what it says of itself changed".to_owned(),
            Some(_) => "details of its inventory changed".to_owned(),
        };
        self.event(level, &node.place, what)
    }

    /// Forgets the pinned certificate of a place's BMC and pins the one that it shows now.
    pub async fn trust(&self, who: &Who, place: &Place) -> Result<String, HouseError> {
        let node = self.node_at(place)?;
        let shown = self
            .inner
            .env
            .dial
            .certificate(&node.bmc.url)
            .await
            .map_err(HouseError::Unreachable)?;
        let shown = shown.ok_or_else(|| HouseError::Invalid {
            what: format!("{} does not speak TLS", node.bmc.url),
        })?;
        let key = keys::bmc(&node.bmc.url);
        self.transact(|world| {
            let mut txn = Txn::new();
            for n in world.nodes.values().filter(|n| n.bmc.url == node.bmc.url) {
                let mut after = Node::clone(n);
                after.bmc.certificate = Some(shown.clone());
                let key = keys::node(&n.id);
                txn = txn.check(&key, self.unchanged(&key)).put(&key, &after)?;
            }
            if let Some(bmc) = self.record(|r| r.bmcs.get(&key).cloned()) {
                let after = WatchedBmc {
                    certificate: Some(shown.clone()),
                    ..WatchedBmc::clone(&bmc)
                };
                txn = txn.check(&key, self.unchanged(&key)).put(&key, &after)?;
            }
            Ok((
                self.tell(txn, &self.audit(who, place, format!("trusts the certificate {shown}")))?,
                (),
            ))
        })
        .await?;
        self.inner.fleet.close(&node.bmc.url);
        Ok(shown)
    }
}

/// What a box is known by. One that says nothing of itself, or the same as one `before` it behind the same service, is known
/// by its address: moved, it is another one.
fn identity(system: &FoundSystem, url: &str, before: &[Arc<Node>]) -> NodeId {
    let i = &system.identity;
    let told = NodeId::from_identity(i.uuid.as_deref(), i.maker.as_deref(), i.serial.as_deref());
    // An identity is cut where it is long: of two systems whose addresses begin alike, the second has its own end in front.
    let (_, end) = system.system.rsplit_once('/').unwrap_or_default();
    let addresses = [format!("{url}{}", system.system), format!("{end}-{url}")];
    let by_address = addresses
        .iter()
        .filter_map(|a| NodeId::from_identity(None, Some("at"), Some(a)));
    let by_number = (1u32..).filter_map(|n| NodeId::from_identity(None, Some("at"), Some(&format!("{n}-{url}"))));
    told.into_iter()
        .chain(by_address)
        .chain(by_number)
        .find(|id| before.iter().all(|n| n.id != *id))
        .expect("there are more numbers than systems")
}

/// Where a device stands: as its owner wrote, if the service has no other; else that with the device's own name behind it,
/// and a number behind a name that is `taken`.
fn device_slot(bmc: &WatchedBmc, device: &FoundDevice, of: usize, taken: &[Name]) -> Name {
    let written = bmc.slots.get("*");
    let own = slot_name(&device.name);
    let base = match (written, &own) {
        (Some(slot), _) if of == 1 => slot.to_string(),
        (Some(slot), Some(own)) => format!("{slot}-{own}"),
        (Some(slot), None) => slot.to_string(),
        (None, Some(own)) => own.to_string(),
        (None, None) => "device".to_owned(),
    };
    let numbered = (2u32..).map(|n| format!("{}-{n}", base.chars().take(SLOT).collect::<String>()));
    std::iter::once(base.clone())
        .chain(numbered)
        .filter_map(|text| slot_name(&text))
        .find(|slot| !taken.contains(slot))
        .expect("there are more numbers than devices")
}

/// Where a system stands: as its owner wrote, else where it was known to, else the next free number of its rack.
fn place_for(world: &World, bmc: &WatchedBmc, id: &NodeId, system: &FoundSystem, of: usize, taken: &[Place]) -> Place {
    let told = [system.identity.uuid.as_ref(), system.identity.serial.as_ref()]
        .into_iter()
        .flatten()
        .find_map(|k| bmc.slots.get(&k.to_ascii_lowercase()))
        .or_else(|| bmc.slots.get("*").filter(|_| of == 1));
    let free = |place: &Place| !taken.contains(place) && world.node_at(place).is_none_or(|n| n.id == *id);
    if let Some(place) = told.map(|slot| Place::new(&bmc.rack, slot)).filter(free) {
        return place;
    }
    if let Some(known) = world.nodes.get(id).filter(|n| free(&n.place)) {
        return known.place.clone();
    }
    (1u32..)
        .filter_map(|n| format!("n{n}").parse::<Name>().ok())
        .map(|slot| Place::new(&bmc.rack, &slot))
        .find(free)
        .expect("there are more numbers than nodes")
}

/// A BMC that tells of no drives, memory or ports does not take away what the agent found.
fn keep_what_only_the_agent_saw(parts: &mut Vec<Part>, known: &[Part]) {
    let kinds: [fn(&PartKind) -> bool; 4] = [
        |k| matches!(k, PartKind::Drive { .. }),
        |k| matches!(k, PartKind::Memory { .. }),
        |k| matches!(k, PartKind::Nic { .. }),
        |k| matches!(k, PartKind::Processor { .. }),
    ];
    for kind in kinds {
        if !parts.iter().any(|p| kind(&p.kind)) {
            parts.extend(known.iter().filter(|p| kind(&p.kind)).cloned());
        }
    }
}

/// What a device is called in paths and tables.
fn kind_name(kind: DeviceKind) -> &'static str {
    match kind {
        DeviceKind::RackPdu | DeviceKind::FloorPdu => "pdu",
        DeviceKind::PowerShelf => "power-shelf",
        DeviceKind::TransferSwitch => "transfer-switch",
        DeviceKind::Cooling => "cooling",
        DeviceKind::Enclosure => "enclosure",
    }
}

/// Letters of a slot's name that is made of others, so that a number still fits behind them.
const SLOT: usize = 50;

/// A slot's name out of whatever a device calls itself.
fn slot_name(text: &str) -> Option<Name> {
    let mapped: String = text
        .to_ascii_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(60)
        .collect();
    mapped.trim_matches('-').parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn devices_of_one_service_stand_at_places_of_their_own() {
        let bmc = WatchedBmc {
            url: "https://10.0.0.9".into(),
            rack: "r1".parse().unwrap(),
            slots: [("*".to_owned(), "shelf".parse().unwrap())].into_iter().collect(),
            credential: "bench".parse().unwrap(),
            certificate: None,
            outlets: Vec::new(),
        };
        let device = |name: &str| FoundDevice {
            kind: DeviceKind::PowerShelf,
            name: name.into(),
            path: format!("/redfish/v1/PowerEquipment/PowerShelves/{name}"),
            identity: Default::default(),
            health: rack::Health::Unknown,
            watts: None,
            readings: Vec::new(),
            outlets: Vec::new(),
        };
        assert_eq!(device_slot(&bmc, &device("Left"), 1, &[]).as_str(), "shelf");
        let long = "x".repeat(90);
        let mut taken: Vec<Name> = Vec::new();
        for name in ["Left", "Right", "Left", "", &long, &long] {
            let slot = device_slot(&bmc, &device(name), 6, &taken);
            assert!(!taken.contains(&slot), "{slot}");
            taken.push(slot);
        }
        assert_eq!(taken[0].as_str(), "shelf-left");
        assert_eq!(taken[2].as_str(), "shelf-left-2");
        assert_eq!(taken[3].as_str(), "shelf");
    }
}
