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
