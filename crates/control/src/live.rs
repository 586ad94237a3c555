//! What is seen now and kept in memory only: power, readings, agents, logins. Lost with the process and seen again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use plan::lifecycle::{Attempt, Seen};
use rack::request::{NodeLive, OutletView};
use rack::setting::{Settings, SettingsView};
use rack::{AgentState, Health, Name, NodeId, Place, Reading, Time, Unit};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::bell::{Bell, Listener};

/// What is seen of one node.
#[derive(Debug, Clone, Default)]
pub struct Sight {
    /// What users are shown.
    pub view: NodeLive,
    /// The last look at the BMC.
    pub seen: Option<Seen>,
    /// The last act sent in the machine's present stage.
    pub last: Option<Attempt>,
    /// The agent, when it last spoke, and of which boot it is.
    pub agent: Option<(AgentState, Time, u64)>,
    /// When the login last answered.
    pub login: Option<Time>,
    /// Address on the boot network.
    pub address: Option<IpAddr>,
    /// When readings were last read, and the inventory.
    pub read: Option<Instant>,
    /// Caps and firmware settings as last seen, and why a wish is not fulfilled.
    pub settings: SettingsView,
    /// The wishes that were last tended to, with what was taken so that nothing trips.
    pub kept: Option<Settings>,
    /// When they were last looked at.
    pub tended: Option<Time>,
    /// When the caps that it takes were last asked for.
    pub caps_asked: Option<Instant>,
    /// Its BMC tells of changes itself, so that polling may be slow.
    pub told: bool,
    /// Its BMC told of something: it is looked at as soon as there is a place.
    pub poked: bool,
    /// When its power was last seen to change.
    pub turned: Option<Time>,
}

/// What is seen of a device that is no machine.
#[derive(Debug, Clone, Default)]
pub struct DeviceSight {
    /// Worst health of its parts.
    pub health: Health,
    /// Its readings.
    pub readings: Vec<Reading>,
    /// Its outlets.
    pub outlets: Vec<OutletView>,
    /// When the outlets were read.
    pub read: Option<Time>,
}

/// What is seen of everything, and who wants to know.
pub struct Live {
    sights: Mutex<HashMap<NodeId, Sight>>,
    devices: Mutex<HashMap<Place, DeviceSight>>,
    wakers: Mutex<HashMap<Name, Arc<Notify>>>,
    /// Services whose inventory is no longer true, as their BMC says, and when it last said so.
    outdated: Mutex<HashMap<String, Instant>>,
    /// Services that are read every few seconds until then.
    hurried: Mutex<BTreeMap<String, Instant>>,
    /// Racks whose PDUs were read since they were last looked at.
    racks: Mutex<BTreeSet<String>>,
    power: Arc<Bell>,
    changes: Arc<Bell>,
}

impl Default for Live {
    fn default() -> Self {
        Live {
            sights: Mutex::default(),
            devices: Mutex::default(),
            wakers: Mutex::default(),
            outdated: Mutex::default(),
            hurried: Mutex::default(),
            racks: Mutex::default(),
            power: Bell::new(0),
            changes: Bell::new(0),
        }
    }
}

/// A lock that a panic elsewhere does not take from the rest of the house: what it guards is replaced whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Live {
    /// What is seen of `node`, copied.
    pub fn sight(&self, node: &NodeId) -> Sight {
        lock(&self.sights).get(node).cloned().unwrap_or_default()
    }

    /// Looks at what is seen of `node` without a copy. Nothing is awaited under the lock.
    pub fn peek<R>(&self, node: &NodeId, look: impl FnOnce(&Sight) -> R) -> R {
        match lock(&self.sights).get(node) {
            Some(sight) => look(sight),
            None => look(&Sight::default()),
        }
    }

    /// Only what users are shown of `node`.
    pub fn view(&self, node: &NodeId) -> NodeLive {
        lock(&self.sights).get(node).map(|s| s.view.clone()).unwrap_or_default()
    }

    /// Changes what is seen of `node`. Nothing is awaited under the lock.
    pub fn update<R>(&self, node: &NodeId, change: impl FnOnce(&mut Sight) -> R) -> R {
        let result = self.note(node, change);
        self.bump();
        result
    }

    /// The same for what only the loops want to know: whoever waits for a change is not woken.
    pub fn note<R>(&self, node: &NodeId, change: impl FnOnce(&mut Sight) -> R) -> R {
        change(lock(&self.sights).entry(node.clone()).or_default())
    }

    /// Forgets what was seen of nodes and devices that are gone.
    pub fn keep_only(&self, node: impl Fn(&NodeId) -> bool, device: impl Fn(&Place) -> bool) {
        lock(&self.sights).retain(|id, _| node(id));
        lock(&self.devices).retain(|place, _| device(place));
    }

    /// Notes what is seen of a device.
    pub fn see_device(&self, place: &Place, seen: DeviceSight) {
        lock(&self.devices).insert(place.clone(), seen);
        self.powered(place);
        self.bump();
    }

    /// Notes the outlets of a device, and leaves the rest as it was.
    pub fn see_outlets(&self, place: &Place, outlets: Vec<OutletView>, now: Time) {
        let mut devices = lock(&self.devices);
        let seen = devices.entry(place.clone()).or_default();
        (seen.outlets, seen.read) = (outlets, Some(now));
        drop(devices);
        self.powered(place);
        self.bump();
    }

    fn powered(&self, place: &Place) {
        lock(&self.racks).insert(place.rack().to_owned());
        self.power.count();
    }

    /// Counts up as devices are read.
    pub(crate) fn power(&self) -> Listener {
        self.power.listen()
    }

    /// Racks of which a device was read since this was last asked.
    pub fn racks_read(&self) -> BTreeSet<String> {
        std::mem::take(&mut *lock(&self.racks))
    }

    /// The service at `url` is read every few seconds for so long.
    pub fn hurry(&self, url: &str, time: Duration) {
        let mut hurried = lock(&self.hurried);
        let until = hurried.entry(url.to_owned()).or_insert_with(Instant::now);
        *until = (*until).max(Instant::now() + time);
    }

    /// Services that are read every few seconds now.
    pub fn hurried(&self) -> Vec<String> {
        let mut hurried = lock(&self.hurried);
        hurried.retain(|_, until| *until > Instant::now());
        hurried.keys().cloned().collect()
    }

    /// Watts of a device at its last reading, however old.
    pub fn watts_of(&self, place: &Place) -> Option<f64> {
        let devices = lock(&self.devices);
        let readings = &devices.get(place)?.readings;
        readings.iter().find(|r| r.name == "watts")?.value
    }

    /// Amperes of its lines at its last reading, however old.
    pub fn lines_of(&self, place: &Place) -> Vec<f64> {
        let devices = lock(&self.devices);
        let readings = devices.get(place).map(|d| d.readings.as_slice()).unwrap_or_default();
        let lines = readings
            .iter()
            .filter(|r| r.unit == Unit::Amperes && r.name.contains("-line"));
        lines.filter_map(|r| r.value).collect()
    }

    /// What is seen of a device.
    pub fn device(&self, place: &Place) -> DeviceSight {
        lock(&self.devices).get(place).cloned().unwrap_or_default()
    }

    /// Notes that what is recorded of the service at `url` is no longer true.
    pub fn outdate(&self, url: &str) {
        lock(&self.outdated).insert(url.to_owned(), Instant::now());
    }

    /// Whether what is recorded of the service at `url` is known to be no longer true.
    pub fn is_outdated(&self, url: &str) -> bool {
        lock(&self.outdated).contains_key(url)
    }

    /// Notes that the service at `url` was read whole from `began` on. What it said since then may not have been in it.
    pub fn renewed(&self, url: &str, began: Instant) {
        let mut outdated = lock(&self.outdated);
        if outdated.get(url).is_some_and(|at| *at < began) {
            outdated.remove(url);
        }
    }

    /// Forgets what services said that are gone.
    pub fn keep_services(&self, watched: impl Fn(&str) -> bool) {
        lock(&self.outdated).retain(|url, _| watched(url));
        lock(&self.hurried).retain(|url, _| watched(url));
    }

    /// What wakes the loop that tends `machine`.
    pub fn waker(&self, machine: &Name) -> Arc<Notify> {
        Arc::clone(lock(&self.wakers).entry(machine.clone()).or_default())
    }

    /// Wakes the loop that tends `machine`.
    pub fn wake(&self, machine: &Name) {
        if let Some(waker) = lock(&self.wakers).get(machine) {
            waker.notify_one();
        }
    }

    /// No loop tends `machine` any more.
    pub fn retire(&self, machine: &Name) {
        lock(&self.wakers).remove(machine);
    }

    /// Tells everyone who waits for any change.
    pub fn bump(&self) {
        self.changes.count();
    }

    /// Counts up with each change.
    pub(crate) fn changes(&self) -> Listener {
        self.changes.listen()
    }
}
