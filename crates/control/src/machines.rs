//! The loop that carries machines through their lives. One task for each machine that isn't released: it asks
//! `plan::next`, commits what the machine becomes, then does what is to be done, and sleeps until something changes.

use std::collections::HashSet;
use std::time::Duration;

use plan::lifecycle::{Act, Observed};
use rack::{Name, NodeId, State};
use tokio::task::JoinSet;

use crate::House;
use crate::live::Sight;

/// Starts a task for each machine as it appears, and ends with the house.
pub async fn run(house: House) -> Result<(), store::Error> {
    let mut tended: HashSet<Name> = HashSet::new();
    let mut tasks: JoinSet<Name> = JoinSet::new();
    let mut revisions = house.revisions();
    loop {
        let world = house.world();
        for (name, machine) in &world.machines {
            if machine.status.state != State::Released && tended.insert(name.clone()) {
                tasks.spawn(tend(house.clone(), name.clone()));
            }
        }
        tokio::select! {
            biased;
            Some(ended) = tasks.join_next(), if !tasks.is_empty() => match ended {
                Ok(name) => {
                    house.inner.live.retire(&name);
                    tended.remove(&name);
                }
                Err(panic) => return Err(store::Error::Unavailable {
                    what: "tend a machine".into(),
                    reason: format!("its loop ended: {panic}"),
                }),
            },
            () = revisions.changed() => {}
        }
    }
}

/// Wakes the tasks that the change of an object concerns.
pub(crate) fn wake_for(house: &House, key: &str) {
    let live = &house.inner.live;
    match key.split_once('/') {
        Some(("machine", name)) => {
            if let Ok(name) = name.parse() {
                live.wake(&name);
            }
        }
        Some(("node" | "shed", id)) => {
            let Ok(id) = id.parse::<NodeId>() else { return };
            let world = house.world();
            match world.nodes.get(&id).and_then(|n| n.holder.as_ref()) {
                Some(holder) => live.wake(holder),
                None => wake_pending(house),
            }
        }
        _ => {}
    }
}

/// A node may have become free: whoever waits for parts looks again.
fn wake_pending(house: &House) {
    for (name, machine) in &house.world().machines {
        if machine.status.state == State::Pending {
            house.inner.live.wake(name);
        }
    }
}

/// Wakes every task.
pub(crate) fn wake_all(house: &House) {
    for name in house.world().machines.keys() {
        house.inner.live.wake(name);
    }
}

/// How long a store that can't be written is left alone.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// Tends one machine until it is released.
async fn tend(house: House, name: Name) -> Name {
    let waker = house.inner.live.waker(&name);
    // What was done last without anything having changed since: not done again before the next wake-up.
    let mut just: Option<Act> = None;
    loop {
        let world = house.world();
        let Some(machine) = world.machines.get(&name) else {
            return name;
        };
        if machine.status.state == State::Released {
            return name;
        }
        let now = house.now();
        let sight = machine
            .status
            .node
            .as_ref()
            .map(|id| house.inner.live.sight(id))
            .unwrap_or_default();
        let node = world.node_of(machine);
        let observed = observe(&sight, node.map_or(0, |n| n.boots));
        let step = plan::next(&world, machine, &observed, &house.inner.env.config.policy, now);

        if step.status != machine.status || step.desired.is_some() || step.node.is_some() {
            match house.commit_step(machine, &step).await {
                Ok(()) => just = None,
                Err(store::Error::Conflict { .. }) => house.catch_up(world.revision).await,
                Err(error) => {
                    tracing::warn!(machine = %name, %error, "the machine's state can't be written; it is tried again");
                    tokio::time::sleep(STORE_PAUSE).await;
                }
            }
            continue;
        }
        if let (Some(act), Some(node)) = (step.act, node)
            && just != Some(act)
        {
            house.act(machine, node, act, &sight).await;
            just = Some(act);
            continue;
        }
        just = None;
        let sleep = step.wake.map(|at| now.until(at));
        tokio::select! {
            biased;
            () = waker.notified() => {}
            () = tokio::time::sleep(sleep.unwrap_or_default()), if sleep.is_some() => {}
        }
    }
}

/// What `plan` is shown of what is seen: an agent of an earlier boot is none.
fn observe(sight: &Sight, boots: u64) -> Observed<'_> {
    Observed {
        seen: sight.seen,
        silent: sight.view.silent.as_deref(),
        last: sight.last.as_ref(),
        agent: sight
            .agent
            .as_ref()
            .filter(|(_, _, boot)| *boot == boots)
            .map(|(state, at, _)| (state, *at)),
        login: sight.login,
        address: sight.address,
    }
}
