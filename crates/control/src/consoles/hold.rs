//! The loop that holds consoles open. Which ones is decided from the record alone, so that a crash or a lost connection
//! changes nothing but what was printed meanwhile.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use hardware::{Driver, Error, Permit};
use rack::{Node, NodeId, Time};
use store::{Expect, Txn};
use tokio::task::JoinSet;

use super::ring::Spool;
use super::{ASKED, Link, Recording, StoredHostKey, lock};
use crate::{House, keys};

/// Pause after the first failure; doubles up to [`LONGEST`].
const FIRST: Duration = Duration::from_secs(5);
/// Longest pause: a BMC is back some minutes after its update.
const LONGEST: Duration = Duration::from_secs(600);
/// A console that stayed open for so long was no failure.
const STEADY: Duration = Duration::from_secs(60);
/// A box without a console may have one after a firmware update.
const NONE: Duration = Duration::from_secs(6 * 3600);
/// How often a refused login is looked at for another credential, certificate or host key.
const CHANGED: Duration = Duration::from_secs(2);
/// Between two looks at which consoles are wanted, however fast the record changes.
const THROTTLE: Duration = Duration::from_millis(500);
/// Longest reason that is shown.
const WHY: usize = 400;

/// Holds consoles open, for ever.
pub(crate) async fn run(house: House) -> Result<(), store::Error> {
    let most = house.inner.env.config.consoles;
    if most == 0 {
        return std::future::pending().await;
    }
    let consoles = &house.inner.consoles;
    let mut revisions = house.revisions();
    let mut held: HashSet<NodeId> = HashSet::new();
    let mut tasks: JoinSet<NodeId> = JoinSet::new();
    loop {
        revisions.borrow_and_update();
        let looked = tokio::time::Instant::now();
        let wanted = choose(&house, most);
        let ids: HashSet<&NodeId> = wanted.iter().map(|n| &n.id).collect();
        forget(&house, &ids);
        for node in &wanted {
            let recording = house.recording(&node.id).await;
            recording.wanted.send_if_modified(|w| !std::mem::replace(w, true));
            if held.insert(node.id.clone()) {
                let (house, id) = (house.clone(), node.id.clone());
                tasks.spawn(async move {
                    hold(&house, &id, &recording).await;
                    id
                });
            }
        }
        tokio::select! {
            Some(ended) = tasks.join_next(), if !tasks.is_empty() => {
                let id = ended.map_err(|panic| store::Error::Unavailable {
                    what: "hold a console open".into(),
                    reason: format!("its task ended: {panic}"),
                })?;
                held.remove(&id);
            }
            () = consoles.poke.notified() => {}
            () = revisions.changed() => tokio::time::sleep_until(looked + THROTTLE).await,
            () = tokio::time::sleep(ASKED / 10) => {}
        }
    }
}

/// The nodes whose consoles are to be open: those that someone looks at, then those that a machine holds.
fn choose(house: &House, most: usize) -> Vec<Arc<Node>> {
    let (world, now) = (house.world(), house.now());
    let recordings = lock(&house.inner.consoles.recordings);
    let mut wanted: Vec<(bool, &Arc<Node>)> = Vec::new();
    for node in world.nodes.values().filter(|n| n.armed) {
        let state = recordings.get(&node.id).map(|r| lock(&r.now));
        let looked_at = state.as_ref().is_some_and(|s| s.looked_at(now));
        let none = state.is_some_and(|s| matches!(&s.link, Link::None(_, until) if now < *until));
        if !none && (looked_at || node.holder.is_some()) {
            wanted.push((!looked_at, node));
        }
    }
    wanted.sort_by_key(|(unseen, node)| (*unseen, &node.id));
    wanted
        .into_iter()
        .take(most)
        .map(|(_, node)| Arc::clone(node))
        .collect()
}

/// Lets go of consoles that are not wanted any more; what they printed stays on disk.
fn forget(house: &House, wanted: &HashSet<&NodeId>) {
    let now = house.now();
    let mut recordings = lock(&house.inner.consoles.recordings);
    recordings.retain(|id, recording| {
        if wanted.contains(id) {
            return true;
        }
        recording.wanted.send_if_modified(|w| std::mem::replace(w, false));
        let state = lock(&recording.now);
        let written = matches!(state.link, Link::Closed) && house.console_file(id).is_some();
        // one handle here, so that nobody reads it
        !written || state.looked_at(now) || Arc::strong_count(recording) > 1
    });
}

/// Why a console is not open any more.
enum Ended {
    /// It is not wanted.
    Unwanted,
    /// The box has none.
    None(String),
    /// Nothing that time alone would change: the login, the certificate or the host key is refused by this driver.
    Refused(String, Arc<dyn Driver>),
    /// Anything else.
    Broke(String),
}

/// Holds one console open until it is not wanted.
async fn hold(house: &House, id: &NodeId, recording: &Recording) {
    let mut spool = Spool::new(house.console_file(id));
    let (mut permit, mut pause) = (None, FIRST);
    let mut wanted = recording.wanted.subscribe();
    loop {
        recording.set_link(Link::Opening);
        let began = house.now();
        let ended = tokio::select! {
            ended = session(house, id, recording, &mut spool, &mut permit) => ended,
            _ = wanted.wait_for(|w| !w) => Ended::Unwanted,
        };
        recording.change(|now| now.input = None);
        let why = match &ended {
            Ended::Unwanted => return recording.set_link(Link::Closed),
            Ended::None(why) => return recording.set_link(Link::None(why.clone(), house.now() + NONE)),
            Ended::Refused(why, _) | Ended::Broke(why) => why.chars().take(WHY).collect::<String>(),
        };
        tracing::info!(node = %id, why, "a serial console is not open");
        recording.set_link(Link::Lost(why));
        if house.now().since(began) >= STEADY {
            pause = FIRST;
        }
        let until = house.now() + pause;
        tokio::select! {
            () = settle(house, id, recording, &ended, until) => {}
            _ = wanted.wait_for(|w| !w) => return recording.set_link(Link::Closed),
        }
        pause = (pause * 2).min(LONGEST);
    }
}

/// Waits until a console is worth another try.
async fn settle(house: &House, id: &NodeId, recording: &Recording, ended: &Ended, until: Time) {
    let Ended::Refused(_, driver) = ended else {
        tokio::time::sleep(FIRST).await;
        let rest = house.now().until(until);
        let _ = tokio::time::timeout(rest, recording.again.notified()).await;
        return;
    };
    // BMCs lock accounts, so that a refusal is not tried against: a driver made anew was made from something else.
    let deadline = tokio::time::Instant::now() + LONGEST;
    while tokio::time::Instant::now() < deadline {
        tokio::time::sleep(CHANGED).await;
        let Some(node) = house.world().nodes.get(id).cloned() else {
            return;
        };
        match house.bmc_of(&node).await {
            Ok(now) if Arc::ptr_eq(&now, driver) => {}
            _ => return,
        }
    }
}

/// Opens the console and records it until it ends.
async fn session(
    house: &House,
    id: &NodeId,
    recording: &Recording,
    spool: &mut Spool,
    permit: &mut Option<Permit>,
) -> Ended {
    let Some(node) = house.world().nodes.get(id).cloned() else {
        return Ended::Broke("the node is gone".into());
    };
    begin_record(house, &node, recording, spool).await;
    let driver = match house.bmc_of(&node).await {
        Ok(driver) => driver,
        Err(error) => return Ended::Broke(error.to_string()),
    };
    let Some(console) = driver.console() else {
        return Ended::None(Error::lacks(driver.url(), "a serial console").to_string());
    };
    let known = house.record(|r| r.host_keys.get(&keys::service(&node.bmc.url)).cloned());
    if let Some(known) = &known {
        console.expect_host_key(Some(&known.fingerprint));
    }
    let permit = match permit {
        Some(permit) => permit,
        None => {
            let asked = lock(&recording.now).asked.clone();
            let looked = asked.filter(|(at, _)| house.now().since(*at) < ASKED);
            let (because, by) = match (&looked, &node.holder) {
                (Some((_, name)), _) => ("someone looks at it".to_owned(), name.to_string()),
                (None, Some(machine)) => (format!("{machine} is recorded"), "busbar".into()),
                (None, None) => ("it is recorded".to_owned(), "busbar".into()),
            };
            let what = "serial console is held open".into();
            match house.permit(id, node.place.as_ref(), what, &because, &by).await {
                Ok(given) => permit.insert(given),
                Err(error) => return Ended::Broke(error.to_string()),
            }
        }
    };
    let mut stream = match console.open(&node.bmc, permit).await {
        Ok(stream) => stream,
        Err(error @ Error::NotOffered { .. }) => return Ended::None(error.to_string()),
        Err(error @ (Error::Unauthorized { .. } | Error::HostKeyChanged { .. } | Error::CertificateChanged { .. })) => {
            return Ended::Refused(error.to_string(), Arc::clone(&driver));
        }
        Err(error) => return Ended::Broke(error.to_string()),
    };
    if known.is_none()
        && let Some(fingerprint) = console.host_key()
        && let Err(error) = house.learn_host_key(&node, fingerprint).await
    {
        return Ended::Broke(error.to_string());
    }
    recording.change(|now| now.input = Some(stream.input.clone()));
    recording.set_link(Link::Open);
    let mut world = house.revisions();
    loop {
        tokio::select! {
            piece = stream.output.next() => {
                let Some(piece) = piece else { break };
                recording.change(|now| now.ring.push(&piece));
                spool.append(&piece, || recording.copy()).await;
            }
            // Another machine may take the node while its console stays open.
            () = world.changed() => {
                world.borrow_and_update();
                if let Some(node) = house.world().nodes.get(id) {
                    begin_record(house, node, recording, spool).await;
                }
            }
        }
    }
    Ended::Broke(console.ended().unwrap_or_else(|| "the BMC closed it".into()))
}

/// The record is of the machine that holds the node; another's begins empty.
async fn begin_record(house: &House, node: &Node, recording: &Recording, spool: &mut Spool) {
    let world = house.world();
    let machine = node.holder.as_ref().and_then(|h| world.machines.get(h)).map(|m| m.uid);
    let Some(machine) = machine.filter(|m| lock(&recording.now).machine != Some(*m)) else {
        return;
    };
    recording.change(|now| {
        if now.machine.is_some() {
            now.ring.clear();
        }
        now.machine = Some(machine);
    });
    let (ring, machine) = recording.copy();
    spool.rewrite(ring, machine).await;
}

impl Recording {
    fn copy(&self) -> (super::Ring, Option<uuid::Uuid>) {
        let now = lock(&self.now);
        (now.ring.clone(), now.machine)
    }
}

impl House {
    /// Stores the host key that a service's console was first seen with. One that was stored meanwhile stays.
    async fn learn_host_key(&self, node: &Node, fingerprint: String) -> Result<(), store::Error> {
        let key = keys::host_key(&node.bmc.url);
        let what = format!("its console's host key is {fingerprint} from now on");
        let txn = Txn::new()
            .check(&key, Expect::Absent)
            .put(&key, &StoredHostKey { fingerprint })?;
        let event = self.event(rack::Level::Info, &node.place, what);
        match self.commit(self.tell(txn, &event)?).await {
            Ok(_) | Err(store::Error::Conflict { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
