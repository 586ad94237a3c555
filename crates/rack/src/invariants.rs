//! What must always hold (DESIGN.md, invariants), as code. Checked after every transition of every simulated run.

use crate::{Machine, Node, State, Tenancy, Time, World};

/// A broken invariant: which, and on what.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{id} broken: {what}")]
pub struct Violation {
    /// `I1`, `I2`, …
    pub id: &'static str,
    /// On what, in words.
    pub what: String,
}

/// Every violation in `world` at `now`. `grace` is how much later than a deadline the loop that watches it may wake.
pub fn check(world: &World, now: Time, grace: std::time::Duration) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut broken = |id, what| found.push(Violation { id, what });
    for node in world.nodes.values() {
        one_holder(world, node, &mut broken);
    }
    for machine in world.machines.values() {
        one_node(world, machine, &mut broken);
        given_clean(world, machine, &mut broken);
        waits_with_reason(machine, now, grace, &mut broken);
    }
    found
}

/// Whether giving `node` to a new machine keeps I2.
pub fn may_be_given(node: &Node) -> bool {
    matches!(node.tenancy, Tenancy::Fresh | Tenancy::Wiped { .. })
}

/// I1, seen from the node: its holder exists, is not gone, and holds it in turn.
fn one_holder(world: &World, node: &Node, broken: &mut impl FnMut(&'static str, String)) {
    let Some(name) = &node.holder else { return };
    match world.machines.get(name) {
        None => broken("I1", format!("{} is held by {name}, which does not exist", node.place)),
        Some(m) if m.status.node.as_ref() != Some(&node.id) => {
            broken(
                "I1",
                format!(
                    "{} is held by {name}, which is bound to {:?}",
                    node.place, m.status.node
                ),
            );
        }
        Some(m) if m.status.state == State::Released => {
            broken(
                "I1",
                format!("{} is still held by {name}, which is released", node.place),
            );
        }
        Some(_) => {}
    }
}

/// I1, seen from the machine: the node that it is bound to names it as its holder, so no other can.
fn one_node(world: &World, machine: &Machine, broken: &mut impl FnMut(&'static str, String)) {
    let Some(id) = &machine.status.node else {
        if !matches!(machine.status.state, State::Pending | State::Released | State::Held) {
            broken(
                "I1",
                format!("{} is {} without a node", machine.name, machine.status.state),
            );
        }
        return;
    };
    if world.nodes.get(id).and_then(|n| n.holder.as_ref()) != Some(&machine.name) {
        broken(
            "I1",
            format!("{} is bound to {id}, which it does not hold", machine.name),
        );
    }
}

/// I2: a node whose data is another machine's is never bound, and what may hold data says whose.
fn given_clean(world: &World, machine: &Machine, broken: &mut impl FnMut(&'static str, String)) {
    let Some(node) = world.node_of(machine) else {
        return;
    };
    match &node.tenancy {
        Tenancy::Used { by } if *by != machine.name => {
            broken(
                "I2",
                format!("{} was given to {} with the data of {by}", node.place, machine.name),
            );
        }
        Tenancy::Fresh | Tenancy::Wiped { .. } if machine.status.touched => {
            broken(
                "I2",
                format!(
                    "{} may hold data of {} but is recorded as clean",
                    node.place, machine.name
                ),
            );
        }
        _ => {}
    }
}

/// I5: nothing waits without a reason, and nothing waits past its deadline.
fn waits_with_reason(
    machine: &Machine,
    now: Time,
    grace: std::time::Duration,
    broken: &mut impl FnMut(&'static str, String),
) {
    let status = &machine.status;
    if status.reason.is_empty() {
        broken("I5", format!("{} is {} without a reason", machine.name, status.state));
    }
    let rests = matches!(
        status.state,
        State::Running | State::Stopped | State::Released | State::Held
    );
    if !rests && now > status.deadline + grace {
        broken(
            "I5",
            format!(
                "{} is {} past its deadline {}",
                machine.name, status.state, status.deadline
            ),
        );
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::{Name, NodeId};

    pub const NODE: &str = r#"{
        "id": "n1", "place": "r1/u1", "identity": {"uuid": null, "serial": null, "maker": null, "model": null, "bios": null, "bmc_firmware": null},
        "bmc": {"url": "https://10.0.0.1", "system": "/redfish/v1/Systems/1", "manager": null, "chassis": null, "credential": "default", "certificate": null},
        "parts": [], "health": "ok", "armed": true, "holder": "web-1", "tenancy": {"data": "used", "by": "web-1"}, "cordoned": null, "boots": 1,
        "abilities": {"reset": [], "boot": [], "boot_once": true, "virtual_media": false, "manager_reset": false},
        "discovered": "2026-01-01T00:00:00Z", "inventoried": "2026-01-01T00:00:00Z"
    }"#;
    const MACHINE: &str = r#"{
        "name": "web-1", "uid": "00000000-0000-0000-0000-000000000001", "created": "2026-01-01T00:00:00Z", "desired": "running",
        "ask": {"image": {"name": "debian-13", "digest": "sha256:a", "stored": 1, "packing": "raw", "raw_digest": "sha256:a", "raw": 1, "source": "f", "added": "2026-01-01T00:00:00Z"}},
        "status": {"state": "installing", "stage": "work", "since": "2026-01-01T00:00:00Z", "stage_since": "2026-01-01T00:00:00Z", "deadline": "2026-01-01T01:00:00Z",
            "rung": "gentle", "tries": 1, "reason": "writes", "failure": null, "node": "n1", "place": "r1/u1", "disk": null, "touched": true, "address": null,
            "avoid": [], "held_from": null, "proof": null, "timeline": []}
    }"#;

    /// A world in order, with one thing changed in it.
    fn broken(change: impl Fn(&mut Node, &mut Machine)) -> Vec<&'static str> {
        let mut node: Node = serde_json::from_str(NODE).expect("a node");
        let mut machine: Machine = serde_json::from_str(MACHINE).expect("a machine");
        change(&mut node, &mut machine);
        let mut world = World::default();
        world.nodes.insert(node.id.clone(), Arc::new(node));
        world.machines.insert(machine.name.clone(), Arc::new(machine));
        let now: Time = "2026-01-01T00:30:00Z".parse().expect("a time");
        let mut ids: Vec<&str> = check(&world, now, Duration::from_secs(60))
            .into_iter()
            .map(|v| v.id)
            .collect();
        ids.dedup();
        ids
    }

    #[test]
    fn a_world_in_order_breaks_nothing_and_each_disorder_is_found() {
        let name = |s: &str| s.parse::<Name>().expect("a name");
        assert_eq!(broken(|_, _| {}), Vec::<&str>::new());
        assert_eq!(
            broken(|n, _| n.holder = Some(name("other"))),
            ["I1"],
            "held by who does not exist"
        );
        assert_eq!(
            broken(|n, _| n.holder = None),
            ["I1"],
            "bound to a node that it does not hold"
        );
        assert_eq!(
            broken(|_, m| m.status.node = None),
            ["I1"],
            "holds a node that it is not bound to"
        );
        assert_eq!(
            broken(|_, m| m.status.node = "n2".parse::<NodeId>().ok()),
            ["I1"],
            "bound to another node"
        );
        assert_eq!(
            broken(|_, m| m.status.state = State::Released),
            ["I1"],
            "released and still holding"
        );
        assert_eq!(
            broken(|n, _| n.tenancy = Tenancy::Used { by: name("old") }),
            ["I2"],
            "given with another's data"
        );
        assert_eq!(
            broken(|n, _| n.tenancy = Tenancy::Fresh),
            ["I2"],
            "written to and recorded as clean"
        );
        assert_eq!(broken(|_, m| m.status.reason.clear()), ["I5"], "waits without a reason");
        assert_eq!(
            broken(|_, m| m.status.deadline = m.created),
            ["I5"],
            "waits past its deadline"
        );
    }
}
