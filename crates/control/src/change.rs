//! Commits a step of the life cycle: machine, node, proof and event in one transaction, or nothing.

use std::sync::Arc;

use plan::Step;
use plan::lifecycle::NodeChange;
use rack::agent::DiskWipe;
use rack::{Event, Level, Machine, Name, Node, NodeId, Place, Tenancy, Time};
use serde::{Deserialize, Serialize};
use store::Txn;

use crate::House;
use crate::keys;

/// The record of proof that a node's disks were wiped after a machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Proof {
    /// Whose data it was.
    pub machine: Name,
    /// That machine's uid.
    pub uid: uuid::Uuid,
    /// Which node.
    pub node: NodeId,
    /// Where it stands.
    pub place: Place,
    /// When it was proven.
    pub at: Time,
    /// Disk by disk.
    pub disks: Vec<DiskWipe>,
}

impl House {
    /// Commits `step` for `machine`, as it is in the snapshot that the step was made from.
    pub(crate) async fn commit_step(&self, machine: &Arc<Machine>, step: &Step) -> Result<(), store::Error> {
        let mut after = Machine::clone(machine);
        after.status = step.status.clone();
        if let Some(desired) = step.desired {
            after.desired = desired;
        }
        let key = keys::machine(&machine.name);
        let mut txn = Txn::new().check(&key, self.unchanged(&key));
        if let Some(change) = &step.node {
            txn = self.node_change(txn, machine, &mut after, change)?;
        }
        txn = txn.put(&key, &after)?;
        if let Some((level, what)) = &step.event {
            let event = Event {
                because: after.status.failure.clone().filter(|f| !what.contains(f.as_str())),
                cause: self.record(|r| plan::events::order(r.events.iter().rev(), machine.name.as_str())),
                ..self.event(*level, &machine.name, what.clone())
            };
            txn = self.tell(txn, &event)?;
        }
        let moved = after.status.stage != machine.status.stage || after.status.state != machine.status.state;
        self.commit(txn).await?;
        if moved && let Some(id) = after.status.node.as_ref().or(machine.status.node.as_ref()) {
            self.inner.live.update(id, |s| s.last = None);
        }
        Ok(())
    }

    fn node_change(
        &self,
        mut txn: Txn,
        machine: &Machine,
        after: &mut Machine,
        change: &NodeChange,
    ) -> Result<Txn, store::Error> {
        let id = match change {
            NodeChange::Hold(id) => Some(id),
            _ => machine.status.node.as_ref(),
        };
        let world = self.world();
        let Some(node) = id.and_then(|id| world.nodes.get(id)) else {
            return Ok(txn);
        };
        let key = keys::node(&node.id);
        let mut node = Node::clone(node);
        match change {
            NodeChange::Hold(_) => node.holder = Some(machine.name.clone()),
            NodeChange::NewBoot => node.boots += 1,
            NodeChange::Use => {
                node.tenancy = Tenancy::Used {
                    by: machine.name.clone(),
                }
            }
            NodeChange::Free => node.holder = None,
            NodeChange::Cordon(why) => {
                node.holder = None;
                node.cordoned = Some(why.clone());
                txn = self.tell(
                    txn,
                    &self.event(Level::Warning, &node.place, format!("cordoned: {why}")),
                )?;
            }
            NodeChange::Wiped(disks) => {
                let proof = Proof {
                    machine: machine.name.clone(),
                    uid: machine.uid,
                    node: node.id.clone(),
                    place: node.place.clone(),
                    at: self.now(),
                    disks: disks.clone(),
                };
                let at = keys::proof(machine);
                txn = txn.put(&at, &proof)?;
                after.status.proof = Some(at.clone());
                node.tenancy = Tenancy::Wiped { proof: at };
            }
        }
        txn.check(&key, self.unchanged(&key)).put(&key, &node)
    }
}
