//! What must hold, checked against the physical truth and not only against what is recorded.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use control::env::{Clock as _, TimerClock};
use futures_util::FutureExt as _;
use rack::{Tenancy, Time, World};
use store::{Store as _, memory::Memory};

/// How much later than a deadline a loop may wake: a late answer from a BMC, and a pause after a store error.
const GRACE: Duration = Duration::from_secs(180);

/// I4, seen from the wire: no write is sent to a node that isn't armed, and none that is not in the audit log by then.
#[derive(Clone)]
pub struct Audit {
    store: Memory,
    clock: Arc<OnceLock<TimerClock>>,
}

/// An act is over in a minute; a line of the log that is older is no permit for what is sent now.
const PERMIT: Duration = Duration::from_secs(61);

/// Where the rack's PDU answers.
const PDU: &str = "127.10.1.200";

impl Audit {
    pub fn new(store: Memory) -> Audit {
        Audit {
            store,
            clock: Arc::default(),
        }
    }

    /// The clock that events are dated by.
    pub fn clock(&self, clock: TimerClock) {
        let _ = self.clock.set(clock);
    }

    /// A request leaves for a BMC.
    pub fn request(&self, request: &http::Request<bytes::Bytes>) {
        if request.method() == http::Method::GET {
            return;
        }
        let (path, host) = (request.uri().path(), request.uri().host().unwrap_or_default());
        // An outlet is switched for the sake of the box that it feeds, and a session is opened for any.
        let fed = path
            .split_once("/Outlets/")
            .and_then(|(_, rest)| rest.split('/').next());
        let unit = fed.or_else(|| host.rsplit('.').next()).unwrap_or_default();
        let place = format!("r1/u{unit}");
        let at_pdu = host == PDU;
        let session = path.contains("/SessionService");
        let armed = self.nodes().iter().any(|n| {
            let meant = n.place.as_str() == place || (at_pdu && session && !n.outlets.is_empty());
            meant && n.armed
        });
        assert!(
            armed,
            "I4 broken: {} {path} to {place}, which is not armed",
            request.method()
        );
        let what = match path {
            _ if session => return,
            _ if fed.is_some() => "outlet r1/pdu-a/",
            p if p.ends_with("/ComputerSystem.Reset") => "reset ",
            p if p.ends_with("/Manager.Reset") => "reset of the BMC",
            _ => "next boot ",
        };
        assert!(
            self.recorded(&place, what),
            "I4 broken: {} {path} to {place} is not in the audit log",
            request.method()
        );
    }

    /// A wake-up leaves for the network port with this address.
    pub fn wake(&self, mac: rack::Mac) {
        let nodes = self.nodes();
        let node = nodes.iter().find(|n| n.macs().any(|m| m == mac));
        let place = node.filter(|n| n.armed).map(|n| n.place.to_string());
        let place = place.unwrap_or_else(|| panic!("I4 broken: {mac} is woken, and is of no armed node"));
        assert!(
            self.recorded(&place, "reset "),
            "I4 broken: the wake-up of {place} is not in the audit log"
        );
    }

    fn nodes(&self) -> Vec<rack::Node> {
        self.objects("node/")
    }

    /// Whether the audit log says lately that something like this is done about a place.
    fn recorded(&self, place: &str, what: &str) -> bool {
        let now = self
            .clock
            .get()
            .expect("the clock is set before anything is sent")
            .now();
        self.objects::<rack::Event>("event/").into_iter().rev().any(|e| {
            let fresh = now.since(e.at) <= PERMIT;
            e.level == rack::Level::Audit && e.about == place && e.what.starts_with(what) && fresh
        })
    }

    fn objects<T: serde::de::DeserializeOwned>(&self, prefix: &str) -> Vec<T> {
        let listed = self
            .store
            .list(prefix)
            .now_or_never()
            .expect("memory answers at once")
            .expect("memory answers");
        listed
            .1
            .iter()
            .map(|o| o.decode().expect("objects are what they were written as"))
            .collect()
    }
}

/// Follows every commit and checks the invariants after each.
pub struct Witness {
    record: control::record::Record,
    /// Commits seen, installs begun and wipes proven, for the story.
    pub commits: u64,
    pub installs: u64,
    pub wipes: u64,
    /// Those of the box without a BMC.
    pub bare: u64,
    /// Machines whose install order may be carried out, by node: whose data its disks may hold.
    used: BTreeMap<rack::NodeId, rack::Name>,
}

impl Witness {
    pub fn new() -> Witness {
        let record = control::record::Record::default();
        Witness {
            record,
            commits: 0,
            installs: 0,
            wipes: 0,
            bare: 0,
            used: BTreeMap::new(),
        }
    }

    /// What is recorded now.
    pub fn world(&self) -> Arc<World> {
        Arc::clone(&self.record.world)
    }

    /// Sees one commit.
    pub fn see(&mut self, batch: &store::Batch, now: Time, rack: &emulator::Emulated) {
        self.commits += 1;
        self.record.apply(batch);
        let world = self.world();
        let broken = rack::invariants::check(&world, now, GRACE);
        assert!(broken.is_empty(), "{broken:?} after revision {}", batch.revision);
        for node in world.nodes.values() {
            self.data(node, rack);
        }
    }

    /// I2 against the disks themselves: what is recorded as clean holds nothing.
    fn data(&mut self, node: &rack::Node, rack: &emulator::Emulated) {
        let before = self.used.get(&node.id).cloned();
        match (&node.tenancy, before) {
            (Tenancy::Used { by }, None) => {
                self.installs += 1;
                self.used.insert(node.id.clone(), by.clone());
            }
            (Tenancy::Used { by }, Some(owner)) => {
                assert_eq!(*by, owner, "I2 broken: {} changed hands unwiped", node.place);
            }
            (Tenancy::Wiped { .. }, Some(owner)) => {
                let i = rack.find(node.place.as_str()).expect("the node stands in the rack");
                let blank = |d: &emulator::disks::Drive| d.is_blank().expect("memory reads");
                let clean = rack.servers[i].drives.iter().all(blank);
                assert!(
                    clean,
                    "I2 broken: {} is proven wiped and holds data of {owner}",
                    node.place
                );
                self.wipes += 1;
                self.bare += u64::from(node.abilities.no_bmc);
                self.used.remove(&node.id);
            }
            (Tenancy::Fresh, Some(owner)) => panic!("I2 broken: {} forgot that it held data of {owner}", node.place),
            _ => {}
        }
    }
}

/// I6: everything that was accepted is there.
pub async fn all_there(store: &Memory, accepted: &[rack::Name]) {
    for name in accepted {
        let found = store.get(&format!("machine/{name}")).await.expect("memory reads");
        assert!(found.is_some(), "I6 broken: {name} was accepted and is lost");
    }
}
