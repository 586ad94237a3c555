//! What an agent is told, and whether a netbooting machine gets an agent at all: both follow from the machine alone, so
//! that they are the same after any restart.

use rack::{Machine, Order, Stage, State};

/// Whether the node of `machine` should start the boot kit when it netboots now, rather than its own disk.
pub fn netboots(machine: &Machine) -> bool {
    matches!(machine.status.state, State::Booting | State::Installing | State::Wiping)
        && matches!(machine.status.stage, Stage::PowerOn | Stage::AwaitAgent | Stage::Work)
}

/// The id of the order that holds in [`Stage::Work`]: another try is another order.
pub fn order_id(machine: &Machine) -> String {
    let verb = if machine.status.state == State::Wiping {
        "wipe"
    } else {
        "install"
    };
    format!("{verb}-{}-{}", machine.uid.simple(), machine.status.tries)
}

/// The order that holds for the agent on the node of `machine`.
pub fn order(machine: &Machine) -> Order {
    let image = &machine.ask.image;
    match (machine.status.state, machine.status.stage) {
        (State::Installing, Stage::Work) => Order::Install {
            id: order_id(machine),
            path: format!("/agent/v1/blob/{}", image.digest),
            digest: image.digest.clone(),
            stored: image.stored,
            packing: image.packing,
            raw_digest: image.raw_digest.clone(),
            raw: image.raw,
            disk: None,
        },
        (State::Wiping, Stage::Work) => Order::Wipe { id: order_id(machine) },
        (_, Stage::Settle) => Order::PowerOff,
        _ => Order::Wait,
    }
}
