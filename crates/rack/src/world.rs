//! The snapshot that decisions are made from.

use std::ops::Deref;
use std::sync::Arc;

use imbl::OrdMap;

use crate::shed::Shed;
use crate::{Image, Machine, Name, Node, NodeId, Place};

/// Everything that is recorded, at one revision. Cheap to clone, and to change while clones are read: maps and objects are
/// shared.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// The store's revision that this is the state of.
    pub revision: u64,
    /// Nodes by identity.
    pub nodes: Nodes,
    /// Machines by name, released ones included until they are forgotten.
    pub machines: OrdMap<Name, Arc<Machine>>,
    /// Images by name.
    pub images: OrdMap<Name, Arc<Image>>,
    /// What is taken from machines so that nothing trips, by their nodes.
    pub sheds: OrdMap<NodeId, Arc<Shed>>,
}

/// Nodes by identity, and in the order in which people count places.
#[derive(Debug, Clone, Default)]
pub struct Nodes {
    by_id: OrdMap<NodeId, Arc<Node>>,
    by_place: OrdMap<(Place, NodeId), Arc<Node>>,
}

impl Nodes {
    /// Keeps a node instead of the one of this identity, which is handed back.
    pub fn insert(&mut self, id: NodeId, node: Arc<Node>) -> Option<Arc<Node>> {
        let before = self.remove(&id);
        self.by_place
            .insert((node.place.clone(), id.clone()), Arc::clone(&node));
        self.by_id.insert(id, node);
        before
    }

    /// Forgets a node.
    pub fn remove(&mut self, id: &NodeId) -> Option<Arc<Node>> {
        let before = self.by_id.remove(id)?;
        self.by_place.remove(&(before.place.clone(), id.clone()));
        Some(before)
    }

    /// The node that stands at a place.
    pub fn at(&self, place: &Place) -> Option<&Arc<Node>> {
        // no identity is less than the empty one
        let from = (place.clone(), NodeId::least());
        let (_, node) = self.by_place.range(from..).next()?;
        Some(node).filter(|n| n.place == *place)
    }

    /// Every node, as people count places.
    pub fn in_order(&self) -> impl Iterator<Item = &Arc<Node>> {
        self.by_place.values()
    }
}

impl Deref for Nodes {
    type Target = OrdMap<NodeId, Arc<Node>>;

    fn deref(&self) -> &Self::Target {
        &self.by_id
    }
}

impl World {
    /// The node that stands at `place`.
    pub fn node_at(&self, place: &Place) -> Option<&Arc<Node>> {
        self.nodes.at(place)
    }

    /// The node that a machine is bound to.
    pub fn node_of(&self, machine: &Machine) -> Option<&Arc<Node>> {
        machine.status.node.as_ref().and_then(|id| self.nodes.get(id))
    }

    /// What is taken from a machine so that nothing trips.
    pub fn shed_of(&self, machine: &Machine) -> Option<&Arc<Shed>> {
        let shed = self.sheds.get(machine.status.node.as_ref()?)?;
        (shed.machine == machine.name).then_some(shed)
    }

    /// The machine that holds a node.
    pub fn holder_of(&self, node: &Node) -> Option<&Arc<Machine>> {
        node.holder.as_ref().and_then(|name| self.machines.get(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::tests::NODE;

    #[test]
    fn a_node_is_found_where_it_stands_and_nowhere_else() {
        let mut nodes = Nodes::default();
        let id = |text: &str| text.parse::<NodeId>().unwrap();
        for (name, place) in [
            ("a", "r1/u12"),
            ("b", "r1/u2"),
            ("c", "r10/u1"),
            ("d", "r2/u1"),
            ("e", "r1/u02"),
        ] {
            let node = Node {
                id: id(name),
                place: place.parse().unwrap(),
                ..serde_json::from_str(NODE).unwrap()
            };
            nodes.insert(node.id.clone(), Arc::new(node));
        }
        let order: Vec<&str> = nodes.in_order().map(|n| n.place.as_str()).collect();
        assert_eq!(order, ["r1/u02", "r1/u2", "r1/u12", "r2/u1", "r10/u1"]);
        let at = |nodes: &Nodes, place: &str| nodes.at(&place.parse().unwrap()).map(|n| n.id.to_string());
        assert_eq!(at(&nodes, "r1/u2").as_deref(), Some("b"));
        assert_eq!(at(&nodes, "r1/u02").as_deref(), Some("e"));
        assert_eq!(at(&nodes, "r1"), None);
        assert_eq!(at(&nodes, "r99/u1"), None);
        let moved = Node {
            place: "r3/u7".parse().unwrap(),
            ..Node::clone(&nodes[&id("b")])
        };
        let before = nodes.clone();
        nodes.insert(id("b"), Arc::new(moved));
        assert_eq!(at(&nodes, "r1/u2"), None);
        assert_eq!(at(&nodes, "r3/u7").as_deref(), Some("b"));
        nodes.remove(&id("b"));
        assert_eq!(
            (at(&nodes, "r3/u7"), nodes.len(), nodes.in_order().count()),
            (None, 4, 4)
        );
        assert_eq!(at(&before, "r1/u2").as_deref(), Some("b"), "a clone stays as it was");
    }
}
