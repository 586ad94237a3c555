//! Firmware in waves: which boxes are updated next, and when to stop.

use std::time::Duration;

use rack::rollout::{Rollout, UpdateState};
use rack::{NodeId, Time, World};

/// For one box, from the order to the version read back: the slowest BMCs take half an hour to flash and restart.
pub const DEADLINE: Duration = Duration::from_secs(3600);
/// How long a BMC that is done may take to show the new version before its box is restarted once.
pub const SHOWS: Duration = Duration::from_secs(120);

/// What a rollout does next.
#[derive(Debug, Clone, PartialEq)]
pub enum RolloutStep {
    /// A box changes its state without anything being sent.
    Becomes(NodeId, UpdateState),
    /// A box's turn has come.
    Start(NodeId),
    /// Its budget of failures is spent: nothing new is started.
    Stop(String),
}

/// What `rollout` does next, most urgent first. Empty when it only waits, or is over.
pub fn next(rollout: &Rollout, world: &World, now: Time) -> Vec<RolloutStep> {
    let mut steps = Vec::new();
    for (id, update) in &rollout.nodes {
        if !update.state.is_under_way() {
            continue;
        }
        if update.since > now {
            // The clock stepped back: how long it has been so is not known, and is counted from here.
            steps.push(RolloutStep::Becomes(id.clone(), update.state.clone()));
        } else if now.since(update.since) > DEADLINE {
            let why = format!("not done after {} min", DEADLINE.as_secs() / 60);
            steps.push(RolloutStep::Becomes(id.clone(), UpdateState::Failed { why }));
        }
    }
    let failed = rollout
        .nodes
        .values()
        .filter(|u| matches!(u.state, UpdateState::Failed { .. }))
        .count()
        + steps
            .iter()
            .filter(|s| matches!(s, RolloutStep::Becomes(_, UpdateState::Failed { .. })))
            .count();
    if rollout.stopped.is_some() {
        return steps;
    }
    if failed >= rollout.ask.failures.max(1) as usize {
        steps.push(RolloutStep::Stop(format!(
            "{failed} of {} failed, and {} may",
            rollout.nodes.len(),
            rollout.ask.failures.max(1) - 1
        )));
        return steps;
    }
    let under_way = rollout.nodes.values().filter(|u| u.state.is_under_way()).count();
    let mut room = (rollout.ask.wave.max(1) as usize).saturating_sub(under_way);
    for (id, update) in &rollout.nodes {
        if update.state != UpdateState::Waiting {
            continue;
        }
        let skip = |why: String| RolloutStep::Becomes(id.clone(), UpdateState::Skipped { why });
        let Some(node) = world.nodes.get(id) else {
            steps.push(skip("it is no longer known".into()));
            continue;
        };
        let Some(firmware) = node.firmware.iter().find(|f| f.component() == rollout.ask.component) else {
            steps.push(skip(format!("it has no firmware `{}`", rollout.ask.component)));
            continue;
        };
        if firmware.version.as_deref() == Some(rollout.ask.version.as_str()) {
            steps.push(RolloutStep::Becomes(id.clone(), UpdateState::Current));
            continue;
        }
        if !node.armed {
            steps.push(skip(format!("it is not armed: busbar arm {}", node.place)));
            continue;
        }
        if let Some(holder) = node.holder.as_ref().filter(|_| !rollout.ask.in_use) {
            steps.push(skip(format!("{holder} uses it, and nobody said --in-use")));
            continue;
        }
        if room > 0 {
            room -= 1;
            steps.push(RolloutStep::Start(id.clone()));
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use rack::rollout::{RolloutRequest, Update};
    use std::sync::Arc;

    fn world(n: usize) -> World {
        let mut world = World::default();
        for i in 0..n {
            let mut node = crate::lifecycle::tests::node(&format!("u{i}"));
            node.firmware = vec![rack::node::Firmware {
                id: "bios".into(),
                name: "BIOS".into(),
                version: Some("1".into()),
                updateable: true,
            }];
            world.nodes.insert(node.id.clone(), Arc::new(node));
        }
        world
    }

    fn rollout(world: &World, wave: u32, failures: u32) -> Rollout {
        let update = |place: &rack::Place| Update {
            place: place.clone(),
            state: UpdateState::Waiting,
            since: Time::from_millis(0),
        };
        Rollout {
            ask: RolloutRequest {
                name: "bios-2".parse().expect("a name"),
                image: "http://10.0.0.1/bios.bin".into(),
                component: "bios".into(),
                version: "2".into(),
                places: Vec::new(),
                wave,
                failures,
                in_use: false,
            },
            created: Time::from_millis(0),
            by: "anna".into(),
            stopped: None,
            nodes: world
                .nodes
                .iter()
                .map(|(id, n)| (id.clone(), update(&n.place)))
                .collect(),
        }
    }

    fn set(rollout: &mut Rollout, n: usize, state: UpdateState) {
        if let Some(update) = rollout.nodes.values_mut().nth(n) {
            update.state = state;
        }
    }

    fn started(steps: &[RolloutStep]) -> usize {
        steps.iter().filter(|s| matches!(s, RolloutStep::Start(_))).count()
    }

    #[test]
    fn a_wave_is_never_larger_than_asked_for() {
        let world = world(5);
        let mut r = rollout(&world, 2, 1);
        assert_eq!(started(&next(&r, &world, Time::from_millis(1))), 2);
        set(&mut r, 0, UpdateState::Sent { task: None });
        assert_eq!(started(&next(&r, &world, Time::from_millis(1))), 1);
        set(&mut r, 1, UpdateState::Applied { restarted: false });
        assert_eq!(started(&next(&r, &world, Time::from_millis(1))), 0);
    }

    #[test]
    fn failures_beyond_the_budget_stop_it() {
        let world = world(5);
        let mut r = rollout(&world, 2, 2);
        set(&mut r, 0, UpdateState::Failed { why: "x".into() });
        assert_eq!(started(&next(&r, &world, Time::from_millis(1))), 2);
        set(&mut r, 1, UpdateState::Sent { task: None });
        let late = Time::from_millis(0) + DEADLINE + Duration::from_secs(1);
        let steps = next(&r, &world, late);
        assert!(matches!(
            &steps[..],
            [
                RolloutStep::Becomes(_, UpdateState::Failed { .. }),
                RolloutStep::Stop(_)
            ]
        ));
    }

    #[test]
    fn a_clock_that_stepped_back_moves_no_deadline_away() {
        let world = world(2);
        let mut r = rollout(&world, 1, 1);
        let sent = UpdateState::Sent { task: None };
        set(&mut r, 0, sent.clone());
        let first = r.nodes.values_mut().next().expect("one");
        first.since = Time::from_millis(0) + Duration::from_secs(86_400);
        let now = Time::from_millis(1);
        let steps = next(&r, &world, now);
        assert!(
            matches!(&steps[..], [RolloutStep::Becomes(_, state)] if *state == sent),
            "it is counted from here: {steps:?}"
        );
    }

    #[test]
    fn what_a_machine_uses_is_left_out_unless_told() {
        let mut world = world(3);
        let ids: Vec<NodeId> = world.nodes.keys().cloned().collect();
        let change = |world: &mut World, n: usize, f: &dyn Fn(&mut rack::Node)| {
            let mut node = rack::Node::clone(&world.nodes[&ids[n]]);
            f(&mut node);
            world.nodes.insert(ids[n].clone(), Arc::new(node));
        };
        change(&mut world, 0, &|n| n.holder = Some("web-1".parse().expect("a name")));
        change(&mut world, 1, &|n| n.firmware[0].version = Some("2".into()));
        change(&mut world, 2, &|n| n.armed = false);
        let mut r = rollout(&world, 3, 1);
        let steps = next(&r, &world, Time::from_millis(1));
        assert!(matches!(&steps[0], RolloutStep::Becomes(_, UpdateState::Skipped { why }) if why.contains("web-1")));
        assert!(matches!(&steps[1], RolloutStep::Becomes(_, UpdateState::Current)));
        assert!(matches!(&steps[2], RolloutStep::Becomes(_, UpdateState::Skipped { why }) if why.contains("arm")));
        r.ask.in_use = true;
        assert_eq!(started(&next(&r, &world, Time::from_millis(1))), 1);
    }
}
