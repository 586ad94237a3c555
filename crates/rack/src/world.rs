//! The snapshot that decisions are made from.

use std::sync::Arc;

use imbl::OrdMap;

use crate::{Image, Machine, Name, Node, NodeId, Place};

/// Everything that is recorded, at one revision. Cheap to clone, and to change while clones are read: maps and objects are
/// shared.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// The store's revision that this is the state of.
    pub revision: u64,
    /// Nodes by identity.
    pub nodes: OrdMap<NodeId, Arc<Node>>,
    /// Machines by name, released ones included until they are forgotten.
    pub machines: OrdMap<Name, Arc<Machine>>,
    /// Images by name.
    pub images: OrdMap<Name, Arc<Image>>,
}

impl World {
    /// The node that stands at `place`.
    pub fn node_at(&self, place: &Place) -> Option<&Arc<Node>> {
        self.nodes.values().find(|n| n.place == *place)
    }

    /// The node that a machine is bound to.
    pub fn node_of(&self, machine: &Machine) -> Option<&Arc<Node>> {
        machine.status.node.as_ref().and_then(|id| self.nodes.get(id))
    }

    /// The machine that holds a node.
    pub fn holder_of(&self, node: &Node) -> Option<&Arc<Machine>> {
        node.holder.as_ref().and_then(|name| self.machines.get(name))
    }
}
