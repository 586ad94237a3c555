//! The boot desk: machines' own questions, answered from the record. Implements [`boot::desk::Desk`].

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use boot::desk::{Caller, Desk, DeskError, Future, Instance, NextBoot};
use rack::agent::AgentState;
use rack::metadata::MetadataView;
use rack::node::AddressLease;
use rack::{Mac, Machine, Name, Node, Order, Stage, State};
use store::{Expect, Txn};

use crate::House;
use crate::house::HouseError;
use crate::keys;

impl House {
    /// The node that a caller is, by the most certain of what it says.
    fn caller(&self, caller: &Caller) -> Option<Arc<Node>> {
        self.record(|r| {
            let leased = match caller.address {
                Some(IpAddr::V4(a)) => r.addresses.get(&a).copied(),
                _ => None,
            };
            let by_mac = |mac: Mac| r.world.nodes.values().find(|n| n.macs().any(|m| m == mac));
            let same = |a: &Option<String>, b: &Option<String>| match (a, b) {
                (Some(a), Some(b)) => !a.is_empty() && a.eq_ignore_ascii_case(b),
                _ => false,
            };
            caller
                .mac
                .and_then(by_mac)
                .or_else(|| leased.and_then(by_mac))
                .or_else(|| r.world.nodes.values().find(|n| same(&n.identity.uuid, &caller.uuid)))
                .or_else(|| {
                    let mut with_serial = r
                        .world
                        .nodes
                        .values()
                        .filter(|n| same(&n.identity.serial, &caller.serial));
                    // Two boxes with one serial number are told apart by nothing here: neither is taken.
                    with_serial.next().filter(|_| with_serial.next().is_none())
                })
                .cloned()
        })
    }

    /// The machine that a caller is.
    fn calling_machine(&self, caller: &Caller) -> Option<(Arc<Node>, Arc<Machine>)> {
        let node = self.caller(caller)?;
        let machine = self.world().holder_of(&node).cloned()?;
        Some((node, machine))
    }

    /// Notes a node's address on the boot network.
    fn note_address(&self, node: &Node, address: Option<IpAddr>) {
        let Some(address) = address else { return };
        let news = self.inner.live.sight(&node.id).address != Some(address);
        if news {
            self.inner.live.update(&node.id, |s| s.address = Some(address));
            if let Some(holder) = &node.holder {
                self.inner.live.wake(holder);
            }
        }
    }

    /// Notes the address of the node that has this MAC. A renewal tells it too, after the daemon was restarted.
    fn note_lease(&self, mac: Mac, address: Option<Ipv4Addr>) {
        let Some(address) = address else { return };
        let caller = Caller {
            mac: Some(mac),
            ..Caller::default()
        };
        if let Some(node) = self.caller(&caller) {
            self.note_address(&node, Some(IpAddr::V4(address)));
        }
    }

    async fn give_address(&self, mac: Mac) -> Result<Option<Ipv4Addr>, DeskError> {
        let Some(network) = &self.inner.env.config.network else {
            return Ok(None);
        };
        for _ in 0..crate::house::ATTEMPTS {
            let (had, free) = self.record(|r| {
                let had = r.leases.get(&mac).copied();
                let range = u32::from(network.first)..=u32::from(network.last);
                let free = range
                    .map(Ipv4Addr::from)
                    .find(|a| *a != network.server && !r.addresses.contains_key(a));
                (had, free)
            });
            let (Some(address), None) = (free, had) else {
                return Ok(had);
            };
            let lease = AddressLease {
                mac,
                address: IpAddr::V4(address),
                given: self.now(),
            };
            let txn = Txn::new()
                .check(keys::lease(mac), Expect::Absent)
                .check(keys::address(address), Expect::Absent)
                .put(keys::lease(mac), &lease)
                .and_then(|t| t.put(keys::address(address), &mac))
                .map_err(|e| DeskError::Later(e.to_string()))?;
            let made_from = self.inner.revision.number();
            match self.commit(txn).await {
                Ok(_) => return Ok(Some(address)),
                Err(store::Error::Conflict { .. }) => self.catch_up(made_from).await,
                Err(error) => return Err(DeskError::Later(error.to_string())),
            }
        }
        Err(DeskError::Later("addresses are being given out all the time".into()))
    }

    /// What `machine` is told of itself when it asks from `address`, or from where it was last seen; else why nothing.
    fn instance_at(&self, node: &Node, machine: &Machine, address: Option<IpAddr>) -> Result<Instance, String> {
        let state = machine.status.state;
        if !matches!(
            state,
            State::Installing | State::Booting | State::Running | State::Draining
        ) {
            return Err(format!("{} is {state}: its system does not run", machine.name));
        }
        let Some(IpAddr::V4(address)) = address.or(machine.status.address) else {
            return Err("it has no address on the boot network yet".into());
        };
        let mac = self
            .mac_of(address)
            .or_else(|| node.macs().next())
            .ok_or("no network port of its node tells its address")?;
        let network = self.inner.env.config.network.as_ref();
        Ok(Instance {
            id: format!("i-{}", &machine.uid.simple().to_string()[..17]),
            host_name: machine
                .ask
                .host_name
                .clone()
                .unwrap_or_else(|| machine.name.to_string()),
            ssh_keys: machine.ask.ssh_keys.clone(),
            user_data: machine.ask.user_data.clone(),
            mac,
            address,
            prefix: network.map_or(24, |n| n.prefix),
            zone: node.place.rack().to_owned(),
            place: node.place.to_string(),
            image: machine.ask.image.name.to_string(),
        })
    }

    /// What a machine would be told of itself now, for people: user data is held back.
    pub fn metadata(&self, name: &Name) -> Result<MetadataView, HouseError> {
        let world = self.world();
        let machine = world.machines.get(name).ok_or_else(|| HouseError::NotFound {
            kind: "machine",
            name: name.to_string(),
        })?;
        let told = world
            .node_of(machine)
            .ok_or_else(|| format!("{name} is on no node now"))
            .and_then(|node| self.instance_at(node, machine, None));
        let (files, silent) = match &told {
            Ok(instance) => (boot::metadata::preview(instance), None),
            Err(why) => (Vec::new(), Some(why.clone())),
        };
        Ok(MetadataView {
            machine: name.clone(),
            address: told.ok().map(|instance| IpAddr::V4(instance.address)),
            silent,
            files,
        })
    }

    /// The node and machine of a boot's token, if that boot is still the one that is expected.
    fn boot_of(&self, token: &str) -> Result<(Arc<Node>, Arc<Machine>), DeskError> {
        let refused = |why: &str| DeskError::Refused(why.to_owned());
        let (id, boot) = self
            .inner
            .env
            .secrets
            .boot_of(token)
            .ok_or_else(|| refused("the token is not one of ours"))?;
        let world = self.world();
        let node = world
            .nodes
            .get(&id)
            .ok_or_else(|| refused("the node is no longer known"))?;
        if node.boots != boot {
            return Err(refused("the node was booted again since"));
        }
        let machine = world
            .holder_of(node)
            .ok_or_else(|| refused("no machine holds the node"))?;
        let expected = plan::order::netboots(machine) || machine.status.stage == Stage::Settle;
        if !expected {
            return Err(refused("its machine does not wait for an agent"));
        }
        Ok((Arc::clone(node), Arc::clone(machine)))
    }
}

impl Desk for House {
    fn lease(&self, mac: Mac) -> Future<'_, Result<Option<Ipv4Addr>, DeskError>> {
        Box::pin(async move {
            let address = self.give_address(mac).await?;
            self.note_lease(mac, address);
            Ok(address)
        })
    }

    fn lease_of(&self, mac: Mac) -> Option<Ipv4Addr> {
        let address = self.record(|r| r.leases.get(&mac).copied());
        self.note_lease(mac, address);
        address
    }

    fn mac_of(&self, address: Ipv4Addr) -> Option<Mac> {
        self.record(|r| r.addresses.get(&address).copied())
    }

    fn next_boot(&self, caller: &Caller) -> NextBoot {
        let Some((node, machine)) = self.calling_machine(caller) else {
            return NextBoot::Disk {
                why: "no machine of Busbar's is on this node".into(),
            };
        };
        self.note_address(&node, caller.address);
        if plan::order::netboots(&machine) {
            NextBoot::Agent {
                token: self.inner.env.secrets.boot_token(&node.id, node.boots),
            }
        } else {
            NextBoot::Disk {
                why: format!("{} is {}", machine.name, machine.status.state),
            }
        }
    }

    fn instance(&self, caller: &Caller) -> Option<Arc<Instance>> {
        let (node, machine) = self.calling_machine(caller)?;
        self.instance_at(&node, &machine, caller.address).ok().map(Arc::new)
    }

    fn metadata_seen(&self, caller: &Caller) {
        if let Some(node) = self.caller(caller) {
            self.note_address(&node, caller.address);
        }
    }

    fn poll<'a>(
        &'a self,
        token: &'a str,
        from: Option<IpAddr>,
        state: AgentState,
        wait: Duration,
    ) -> Future<'a, Result<Order, DeskError>> {
        Box::pin(async move {
            let (node, machine) = self.boot_of(token)?;
            self.note_address(&node, from);
            self.agent_spoke(&node, &machine, state).await;
            let deadline = tokio::time::Instant::now() + wait;
            let mut changes = self.changes();
            loop {
                changes.borrow_and_update();
                let (_, machine) = self.boot_of(token)?;
                let order = plan::order::order(&machine);
                let known = self.has_its_order(&node, &order);
                if (order != Order::Wait && !known) || tokio::time::Instant::now() >= deadline {
                    return Ok(order);
                }
                let _ = tokio::time::timeout_at(deadline, changes.changed()).await;
            }
        })
    }

    fn blob(&self, token: &str, digest: &str) -> Result<PathBuf, DeskError> {
        let (_, machine) = self.boot_of(token)?;
        if machine.ask.image.digest != digest {
            return Err(DeskError::Refused("this boot does not install that image".into()));
        }
        let images = self
            .inner
            .env
            .images
            .as_ref()
            .ok_or_else(|| DeskError::Missing("image store".into()))?;
        images
            .blob_path(digest)
            .ok_or_else(|| DeskError::Missing(format!("blob {digest}")))
    }
}
