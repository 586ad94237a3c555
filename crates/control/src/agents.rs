//! What agents tell: noted, and what the BMC could not see of the hardware is added to the node.

use rack::agent::{AgentState, FoundHardware, FoundNic, Work};
use rack::node::{Part, PartKind};
use rack::{Bytes, Health, Level, Machine, Node, Order};
use store::Txn;

use crate::House;
use crate::keys;

impl House {
    /// Notes an agent's state and wakes the machine's loop.
    pub(crate) async fn agent_spoke(&self, node: &Node, machine: &Machine, state: AgentState) {
        let now = self.now();
        let first = self
            .inner
            .live
            .sight(&node.id)
            .agent
            .is_none_or(|(_, _, boot)| boot != node.boots);
        if first && let Some(after) = completed(node, &state.hardware) {
            let key = keys::node(&node.id);
            let what = "the agent found hardware that the BMC does not tell of";
            let txn = Txn::new()
                .check(&key, self.unchanged(&key))
                .put(&key, &after)
                .and_then(|t| self.tell(t, &self.event(Level::Info, &node.place, what)));
            // A conflict means that someone else wrote the node: the next boot finds the same again.
            if let Ok(txn) = txn {
                let _ = self.commit(txn).await;
            }
        }
        let boots = node.boots;
        self.inner
            .live
            .update(&node.id, |s| s.agent = Some((state, now, boots)));
        self.inner.live.wake(&machine.name);
    }

    /// Whether the agent already works on `order`, so that its long poll need not be answered at once.
    pub(crate) fn has_its_order(&self, node: &Node, order: &Order) -> bool {
        let Some((state, _, _)) = self.inner.live.sight(&node.id).agent else {
            return false;
        };
        let has = match &state.work {
            Work::Busy { order, .. } | Work::Done { order, .. } | Work::Failed { order, .. } => Some(order.as_str()),
            Work::Ready => None,
        };
        has.is_some() && has == order.id()
    }
}

/// The node with what only the agent sees: drives, memory, ports. `None` when the BMC told of all kinds itself.
fn completed(node: &Node, found: &FoundHardware) -> Option<Node> {
    let mut after = node.clone();
    let part = |id: String, kind| Part {
        id,
        kind,
        maker: None,
        model: None,
        serial: None,
        firmware: None,
        health: Health::Unknown,
    };
    if node.drives().next().is_none() {
        after.parts.extend(found.disks.iter().map(|d| Part {
            model: d.model.clone(),
            serial: d.serial.clone(),
            ..part(
                d.name.clone(),
                PartKind::Drive {
                    size: d.size,
                    bus: d.bus,
                },
            )
        }));
    }
    if node.memory() == Bytes(0) && found.memory.0 > 0 {
        after
            .parts
            .push(part("memory".into(), PartKind::Memory { size: found.memory }));
    }
    // A BMC that tells of ports tells of all; the port that a box without one is woken by is just the one that is known.
    if node.macs().next().is_none() || node.abilities.no_bmc {
        let new = |n: &&FoundNic| node.macs().all(|known| known != n.mac);
        let ports = found.nics.iter().filter(new).map(|n| {
            part(
                n.name.clone(),
                PartKind::Nic {
                    mac: Some(n.mac),
                    link: Some(n.link),
                    mbps: None,
                    neighbour: None,
                },
            )
        });
        after.parts.extend(ports);
    }
    if node.cores() == 0 && found.threads > 0 {
        after.parts.push(part(
            "cpus".into(),
            PartKind::Processor {
                cores: found.threads,
                threads: found.threads,
            },
        ));
    }
    if node.abilities.no_bmc {
        let who = &mut after.identity;
        for (ours, seen) in [
            (&mut who.uuid, &found.uuid),
            (&mut who.serial, &found.serial),
            (&mut who.maker, &found.maker),
            (&mut who.model, &found.model),
        ] {
            *ours = seen.clone().or(ours.take());
        }
    }
    (after.parts != node.parts || after.identity != node.identity).then_some(after)
}
