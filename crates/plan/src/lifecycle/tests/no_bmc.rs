//! Boxes without a BMC: woken, never asked; cut at their outlets, or shut down by hand.

use super::*;

impl Lab {
    /// The same world with boxes that have no BMC, at outlets that switch and do not meter, or at none.
    pub(super) fn without_bmc(nodes: usize, outlets: bool) -> Lab {
        let mut lab = Lab::new(nodes);
        let all: Vec<Arc<Node>> = lab.world.nodes.values().cloned().collect();
        for (n, node) in all.iter().enumerate() {
            let outlet = rack::node::OutletRef {
                pdu: "r1/pdu-a".parse().expect("a place"),
                outlet: n.to_string(),
            };
            let mut bare = Node::clone(node);
            bare.outlets = outlets.then_some(outlet).into_iter().collect();
            bare.abilities = Abilities {
                reset: vec![ResetKind::On],
                no_bmc: true,
                ..Abilities::default()
            };
            lab.world.nodes.insert(node.id.clone(), Arc::new(bare));
        }
        lab
    }
}

#[test]
fn a_box_without_bmc_comes_up_is_stopped_and_is_given_back_wiped() {
    let mut lab = Lab::without_bmc(1, true);
    assert!(
        lab.until(300, |m| m.status.state == State::Running),
        "{:?}",
        lab.machine().status
    );
    assert_eq!(lab.data, Some(lab.name.clone()));
    lab.desire(Desired::Stopped);
    assert!(
        lab.until(50, |m| m.status.state == State::Stopped),
        "{:?}",
        lab.machine().status
    );
    lab.desire(Desired::Running);
    assert!(
        lab.until(50, |m| m.status.state == State::Running),
        "{:?}",
        lab.machine().status
    );
    lab.desire(Desired::Released);
    assert!(
        lab.until(300, |m| m.status.state == State::Released),
        "{:?}",
        lab.machine().status
    );
    assert_eq!(lab.data, None);
    assert_eq!(lab.machine().status.tries, 1, "nothing had to be tried twice");
}

#[test]
fn a_box_that_nothing_can_switch_off_is_wiped_once_someone_shut_it_down() {
    let mut lab = Lab::without_bmc(1, false);
    // It was off when it was armed; nothing told so, and the agent that came up proved it.
    lab.power_off();
    assert!(
        lab.until(300, |m| m.status.state == State::Running),
        "{:?}",
        lab.machine().status
    );

    // A stop is not believed before it is seen, and here nothing can show it.
    lab.desire(Desired::Stopped);
    assert!(
        lab.until(300, |m| m.desired == Desired::Running),
        "{:?}",
        lab.machine().status
    );
    assert!(lab.machine().status.reason.contains("by hand") || lab.machine().status.reason.contains("did not stop"));

    // While it runs on, no agent comes up, and it is held with its data: never given back.
    lab.desire(Desired::Released);
    assert!(
        lab.until(3_000, |m| m.status.state == State::Held),
        "{:?}",
        lab.machine().status
    );
    assert!(lab.data.is_some());

    lab.power_off();
    let machine = lab.machine();
    let status = retry(&machine, &lab.policy, Duration::ZERO, lab.now);
    lab.set(Machine { status, ..machine });
    assert!(
        lab.until(300, |m| m.status.state == State::Released),
        "{:?}",
        lab.machine().status
    );
    assert_eq!(lab.data, None);
}
