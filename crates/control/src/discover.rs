//! Discovery: a BMC's address becomes nodes, each known by what it is and not by where it answered.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::StreamExt as _;
use hardware::{DeviceKind, Found, FoundDevice, FoundSystem};
use rack::node::{BmcAddress, Parts};
use rack::request::{DeviceView, DiscoverRequest, Who};
use rack::{Event, Level, Node, NodeId, Part, PartKind, Place, ResetKind, Tenancy, World};
use store::Txn;

use crate::House;
use crate::history::Of;
use crate::house::HouseError;
use crate::no_bmc::must_have_bmc;
use crate::record::WatchedBmc;
use crate::{keys, outlets, rackfile, standing, targets};

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
        nodes.sort_by(|a: &Arc<Node>, b| a.place.cmp(&b.place));
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
        let (nodes, odd) = self.record_found(&key, &bmc, &found).await?;
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
            .chain(odd)
            .collect();
        Ok(Discovered { nodes, problems })
    }

    /// Records what was found; answers with the nodes, and with what was odd about them.
    async fn record_found(
        &self,
        key: &str,
        bmc: &WatchedBmc,
        found: &Found,
    ) -> Result<(Vec<Arc<Node>>, Vec<String>), HouseError> {
        self.transact(|world| {
            let mut txn = Txn::new();
            if self.record(|r| r.bmcs.get(key).is_none_or(|known| **known != *bmc)) {
                txn = txn.check(key, self.unchanged(key)).put(key, bmc)?;
            }
            let (mut nodes, mut odd) = (Vec::new(), Vec::new());
            let mut taken: BTreeSet<Place> = BTreeSet::new();
            let machines: Vec<&FoundSystem> = found.systems.iter().filter(|s| s.is_machine).collect();
            let identities = standing::identities(world, &bmc.url, &machines);
            for (system, (id, why)) in machines.iter().zip(identities) {
                let known = world.nodes.get(&id);
                let place = standing::of_node(world, bmc, &id, system, machines.len(), &taken);
                taken.insert(place.clone());
                odd.extend(why.map(|why| format!("{place} {why}")));
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
            txn = self.devices_found(txn, world, bmc, &found.devices, taken)?;
            Ok((txn, (nodes, odd)))
        })
        .await
    }

    /// Records devices, each at a place of its own, and forgets the places that they left.
    fn devices_found(
        &self,
        mut txn: Txn,
        world: &World,
        bmc: &WatchedBmc,
        devices: &[FoundDevice],
        mut taken: BTreeSet<Place>,
    ) -> Result<Txn, HouseError> {
        let mut left = BTreeSet::new();
        for device in devices {
            let place = self.record(|r| {
                let mine = |d: &&Arc<DeviceView>| d.url == bmc.url && d.path == device.path;
                let before = r.devices.values().find(mine).map(|d| &d.place);
                left.extend(before.cloned());
                let known = |place: &Place| r.devices.get(place).map(AsRef::as_ref);
                standing::of_device(world, bmc, device, known, before, &taken)
            });
            txn = self.device(txn, bmc, &place, device)?;
            taken.insert(place);
        }
        for place in left.difference(&taken) {
            txn = txn.delete(keys::device(place));
        }
        Ok(txn)
    }

    fn device(&self, txn: Txn, bmc: &WatchedBmc, place: &Place, device: &FoundDevice) -> Result<Txn, HouseError> {
        let seen = outlets::seen(device, self.now());
        self.inner.history.note(&Of::Device(place.clone()), &seen.readings);
        self.inner.live.see_device(place, seen);
        let view = DeviceView {
            place: place.clone(),
            kind: kind_name(device.kind).to_owned(),
            maker: device.identity.maker.clone(),
            model: device.identity.model.clone(),
            serial: device.identity.serial.clone(),
            firmware: device.identity.bmc_firmware.clone(),
            url: bmc.url.clone(),
            path: device.path.clone(),
            mains: device.mains.clone(),
            health: rack::Health::Unknown,
            readings: Vec::new(),
            outlets: Vec::new(),
        };
        let key = keys::device(place);
        if self.record(|r| r.devices.get(place).is_some_and(|d| **d == view)) {
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
        let (mut identity, mut parts) = (system.identity.clone(), Parts::from(system.parts.clone()));
        if let Some(known) = known.filter(|_| system.abilities.no_bmc) {
            // Whatever is known of such a box, its agent told.
            (identity, parts) = (known.identity.clone(), known.parts.clone());
        } else if let Some(known) = known {
            keep_what_only_the_agent_saw(&mut parts, &known.parts);
        }
        let outlets = match known {
            _ if !bmc.outlets.is_empty() => bmc.outlets.clone(),
            Some(known) if !known.outlets.is_empty() => known.outlets.clone(),
            _ => self.outlets_intended(&place),
        };
        let mut abilities = system.abilities.clone();
        if abilities.no_bmc && !outlets.is_empty() {
            abilities.reset.push(ResetKind::ForceOff);
        }
        Node {
            id,
            place,
            identity,
            bmc: BmcAddress {
                url: bmc.url.clone(),
                system: system.system.clone(),
                manager: system.manager.clone(),
                chassis: system.chassis.clone(),
                credential: bmc.credential.clone(),
                certificate: bmc.certificate.clone(),
            },
            health: system.health,
            abilities,
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
            None if node.abilities.no_bmc => {
                format!(
                    "known by its network port {}: no BMC, its agent will tell the rest",
                    node.bmc.system
                )
            }
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

    /// Forgets the pinned certificate of the service behind a node or another box, and pins the one that it shows now.
    pub async fn trust(&self, who: &Who, place: &Place) -> Result<String, HouseError> {
        let url = match self.record(|r| r.devices.get(place).map(|d| d.url.clone())) {
            Some(url) => url,
            None => {
                let node = self.node_at(place)?;
                must_have_bmc(&node, "certificate to trust")?;
                node.bmc.url.clone()
            }
        };
        let shown = self
            .inner
            .env
            .dial
            .certificate(&url)
            .await
            .map_err(HouseError::Unreachable)?;
        let host_key = keys::host_key(&url);
        let known = self.record(|r| r.host_keys.get(&keys::service(&url)).cloned());
        let Some(shown) = shown else {
            let known = known.ok_or_else(|| HouseError::Invalid {
                what: format!("{url} does not speak TLS"),
            })?;
            let event = self.audit(who, place, "trusts the next host key of its console");
            self.commit(self.tell(Txn::new().delete(host_key), &event)?).await?;
            self.inner.fleet.close(&url);
            return Ok(format!("the next host key instead of {}", known.fingerprint));
        };
        let key = keys::bmc(&url);
        self.transact(|world| {
            // The console's host key goes with the certificate: a controller that was replaced has both anew.
            let mut txn = Txn::new().delete(&host_key);
            for n in world.nodes.values().filter(|n| n.bmc.url == url) {
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
        self.inner.fleet.close(&url);
        Ok(shown)
    }
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
