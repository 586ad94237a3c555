//! The loop that listens: BMCs that tell of events themselves are looked at as they speak, and polled less often.
//!
//! What broke, and what is whole again, shows in an inventory, which is read seldom: such an event makes it due
//! (`Live::outdate`). Polling is the base, events the bonus: a stream that ends costs nothing but the bonus. After a break it goes on behind
//! the last event that was read, where the BMC keeps them (DSP0266 §13.5).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use hardware::{Error, HardwareEvent};
use rack::{Health, Level, Node, NodeId, Place, Time};
use store::Txn;
use tokio::task::JoinSet;

use crate::House;

/// Age from which an inventory is read again when a BMC is first listened to.
const UNHEARD: Duration = Duration::from_secs(600);
/// How often the loop looks for BMCs that it does not listen to yet.
const EVERY: Duration = Duration::from_secs(10);
/// Pause after a stream that broke; doubles up to [`LONGEST`].
const FIRST: Duration = Duration::from_secs(10);
/// Longest pause after a stream that broke.
const LONGEST: Duration = Duration::from_secs(600);
/// A BMC without a stream may have one after a firmware update.
const NONE: Duration = Duration::from_secs(6 * 3600);
/// Events of one BMC that are told in a minute; a BMC in a storm has its own log.
const TOLD: u32 = 10;

/// When a BMC is asked for its stream again, and how long the pause after that is.
struct Again {
    at: Time,
    pause: Duration,
}

/// Listens, for ever.
pub async fn run(house: House) -> Result<(), store::Error> {
    let most = house.inner.env.config.streams;
    if most == 0 {
        return std::future::pending().await;
    }
    let mut open: HashSet<String> = HashSet::new();
    let mut again: HashMap<String, Again> = HashMap::new();
    let mut last: HashMap<String, String> = HashMap::new();
    let mut streams: JoinSet<(String, Ended)> = JoinSet::new();
    loop {
        let now = house.now();
        let world = house.world();
        for node in world.nodes.values() {
            let url = &node.bmc.url;
            let due = again.get(url).is_none_or(|a| now >= a.at);
            if streams.len() >= most
                || open.contains(url)
                || !due
                || house.inner.live.peek(&node.id, |s| s.view.silent.is_some())
            {
                continue;
            }
            open.insert(url.clone());
            let after = last.get(url).cloned();
            let (house, node) = (house.clone(), Arc::clone(node));
            streams.spawn(async move {
                let ended = listen(&house, &node, after).await;
                (node.bmc.url.clone(), ended)
            });
        }
        tokio::select! {
            biased;
            Some(ended) = streams.join_next(), if !streams.is_empty() => {
                let (url, ended) = ended.map_err(|panic| store::Error::Unavailable {
                    what: "listen to a BMC".into(),
                    reason: format!("its loop ended: {panic}"),
                })?;
                open.remove(&url);
                let before = again.get(&url).map_or(FIRST, |a| a.pause);
                let pause = match ended.why {
                    Why::NotOffered => NONE,
                    Why::Broke if ended.heard > 0 => FIRST,
                    Why::Broke => (before * 2).min(LONGEST),
                };
                again.insert(url.clone(), Again { at: house.now() + pause, pause: pause.min(LONGEST) });
                if let Some(id) = ended.last {
                    last.insert(url, id);
                }
            }
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// How a stream ended.
struct Ended {
    why: Why,
    heard: u64,
    last: Option<String>,
}

enum Why {
    NotOffered,
    Broke,
}

/// Reads one BMC's stream until it ends.
async fn listen(house: &House, node: &Node, mut last: Option<String>) -> Ended {
    let ended = |why, heard, last| Ended { why, heard, last };
    let Ok(bmc) = house.bmc_of(node).await else {
        return ended(Why::Broke, 0, last);
    };
    let Some(events) = bmc.events() else {
        return ended(Why::NotOffered, 0, last);
    };
    let mut stream = match events.stream(last.as_deref()).await {
        Ok(stream) => stream,
        Err(Error::NotOffered { .. } | Error::Rejected { .. }) => return ended(Why::NotOffered, 0, last),
        Err(error) => {
            tracing::debug!(url = bmc.url(), %error, "no event stream");
            return ended(Why::Broke, 0, last);
        }
    };
    let behind = |house: &House| -> Vec<NodeId> {
        let world = house.world();
        let mine = world.nodes.values().filter(|n| n.bmc.url == node.bmc.url);
        mine.map(|n| n.id.clone()).collect()
    };
    mark(house, &behind(house), true);
    // What was told while nobody listened, as before this process began, is not told again: what is recorded may be wrong by now. A box that
    // was just read is taken at its word.
    if last.is_none() && house.now().since(node.inventoried) >= UNHEARD {
        house.inner.live.outdate(&node.bmc.url);
    }
    let (mut heard, mut told, mut minute) = (0, 0, house.now());
    let mut known = (house.world().revision, behind(house));
    while let Some(event) = stream.next().await {
        heard += 1;
        if event.id.is_some() {
            last.clone_from(&event.id);
        }
        // A thousand BMCs that speak at once must not each search a thousand nodes for every word.
        let revision = house.world().revision;
        if known.0 != revision {
            known = (revision, behind(house));
        }
        for id in &known.1 {
            house.inner.live.note(id, |s| s.poked = true);
        }
        let outdates = match health(&event) {
            Health::Unknown => false,
            Health::Ok => house.worst_behind(&node.bmc.url, &known.1) > Health::Ok,
            Health::Warning | Health::Critical => true,
        };
        if outdates {
            house.inner.live.outdate(&node.bmc.url);
            known.1.iter().for_each(|id| house.hurry_feeds(id));
        }
        let now = house.now();
        if now.since(minute) >= Duration::from_secs(60) {
            (told, minute) = (0, now);
        }
        if let Some((level, what)) = worth_telling(&event)
            && told < TOLD
        {
            told += 1;
            let event = house.event(level, &node.place, what);
            if let Ok(txn) = house.tell(Txn::new(), &event) {
                let _ = house.commit(txn).await;
            }
        }
    }
    mark(house, &behind(house), false);
    ended(Why::Broke, heard, last)
}

fn mark(house: &House, nodes: &[NodeId], told: bool) {
    for id in nodes {
        house.inner.live.note(id, |s| s.told = told);
    }
}

impl House {
    /// The worst health that is recorded of what one service answers for: its nodes, and devices beside them.
    fn worst_behind(&self, url: &str, nodes: &[NodeId]) -> Health {
        let world = self.world();
        let nodes = nodes.iter().filter_map(|id| world.nodes.get(id)).map(|n| n.health);
        let places: Vec<Place> = self.record(|r| {
            let mine = r.devices.values().filter(|d| d.url == url);
            mine.map(|d| d.place.clone()).collect()
        });
        let devices = places.iter().map(|place| self.inner.live.device(place).health);
        nodes.chain(devices).max().unwrap_or_default()
    }
}

/// The health that an event tells of: by its severity (`MessageSeverity` of DSP0268 `Event`), or where a service leaves
/// that out by the name of its message (`ResourceStatusChangedCritical` and the like, DSP2065 `ResourceEvent`).
fn health(event: &HardwareEvent) -> Health {
    let named = event.message_id.as_deref().unwrap_or_default();
    let said = match event.severity.as_deref() {
        Some(severity) => severity,
        None => named
            .rsplit_once("ResourceStatusChanged")
            .map_or("", |(_, health)| health),
    };
    match said {
        "OK" => Health::Ok,
        "Warning" => Health::Warning,
        "Critical" => Health::Critical,
        _ => Health::Unknown,
    }
}

/// What of a BMC's event is told: what is bad. That something changed is seen by looking.
fn worth_telling(event: &HardwareEvent) -> Option<(Level, String)> {
    /// Longest message that is told.
    const LONGEST: usize = 300;
    let level = match health(event) {
        Health::Critical => Level::Error,
        Health::Warning => Level::Warning,
        Health::Ok | Health::Unknown => return None,
    };
    let said = event.message.clone().or_else(|| event.message_id.clone())?;
    Some((
        level,
        format!("its BMC says: {}", said.chars().take(LONGEST).collect::<String>()),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_bad_is_told() {
        let event = |severity: &str| HardwareEvent {
            severity: Some(severity.into()),
            message: Some("Fan 3 failed".into()),
            id: None,
            message_id: None,
            origin: None,
        };
        assert!(worth_telling(&event("OK")).is_none());
        let (level, what) = worth_telling(&event("Critical")).expect("it is bad");
        assert_eq!((level, what.as_str()), (Level::Error, "its BMC says: Fan 3 failed"));
    }
    #[test]
    fn the_health_is_the_severity_or_else_the_name_of_the_message() {
        for (severity, id, expected) in [
            (Some("Critical"), None, Health::Critical),
            (
                Some("OK"),
                Some("ResourceEvent.1.3.ResourceStatusChangedCritical"),
                Health::Ok,
            ),
            (
                None,
                Some("ResourceEvent.1.0.ResourceStatusChangedWarning"),
                Health::Warning,
            ),
            (None, Some("ResourceEvent.1.3.ResourceStatusChangedOK"), Health::Ok),
            (None, Some("ResourceEvent.1.0.ResourceChanged"), Health::Unknown),
            (Some("Informational"), None, Health::Unknown),
            (None, None, Health::Unknown),
        ] {
            let event = HardwareEvent {
                severity: severity.map(str::to_owned),
                message: None,
                id: None,
                message_id: id.map(str::to_owned),
                origin: None,
            };
            assert_eq!(health(&event), expected, "{severity:?} {id:?}");
        }
    }
}
