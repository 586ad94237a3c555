//! The seam to the emulated rack: how it is built, lost and built again, and what is done to its power. Everything else
//! reaches it as it would reach metal, over [`crate::wires`].

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, OnceLock};

use control::env::{Clock as _, TimerClock};
use emulator::Emulated;
use emulator::faults::{Action, Fault, Selector};

use crate::story::{Story, What, Whom};

/// What every BMC lets in at first; a word that stands nowhere else, so that it is known wherever it leaks (I10).
pub const USER: &str = "admin";
pub const PASSWORD: &str = "Sesam-0ffne-dich";
/// The port that every BMC answers on.
pub const PORT: u16 = 8443;

/// A rack, and what it is built anew from.
pub struct Rig {
    story: Story,
    kept: emulator::disks::Kept,
    /// Power states and accounts; there only when the emulator is restarted in this story, as it is a file.
    state: Option<tempfile::TempDir>,
    clock: TimerClock,
    net: OnceLock<Arc<dyn emulator::net::Net>>,
    rack: Mutex<Option<Arc<Emulated>>>,
    /// Faults that are set, by the event that set them.
    faults: Mutex<Vec<(usize, Fault)>>,
}

impl Rig {
    /// A rack that is not built yet. `clock` is its own: no step of the daemon's clock moves it.
    pub fn new(story: &Story, clock: TimerClock) -> Rig {
        let restarts = story.events.iter().any(|e| matches!(e.what, What::Restart { .. }));
        Rig {
            story: story.clone(),
            kept: Default::default(),
            state: restarts.then(|| tempfile::tempdir().expect("a folder for what survives a restart")),
            clock,
            net: OnceLock::new(),
            rack: Mutex::default(),
            faults: Mutex::default(),
        }
    }

    /// The rack, unless it is down.
    pub fn rack(&self) -> Option<Arc<Emulated>> {
        self.rack.lock().expect("nothing panics under this lock").clone()
    }

    /// Builds the rack, for the first time or again, on this network.
    pub fn start(&self, net: Arc<dyn emulator::net::Net>) {
        let net = Arc::clone(self.net.get_or_init(|| net));
        let clock = self.clock;
        let config = emulator::Config {
            layout: layout(&self.story),
            port: PORT,
            tls: false,
            disks: emulator::disks::Disks::Kept(self.kept.clone()),
            state: self.state.as_ref().map(|dir| dir.path().join("rack.json")),
            speed: 1.0,
            seed: self.story.seed,
            relay: Ipv4Addr::new(127, 77, 0, 1),
            metadata: "http://127.0.0.1:7480".into(),
            net,
            credential: emulator::Credential {
                user: USER.into(),
                password: PASSWORD.into(),
            },
            control: None,
            machines: None,
            clock: Arc::new(move || clock.now()),
        };
        let rack = Emulated::build(config).expect("the rack can be built");
        for (_, fault) in self.faults.lock().expect("nothing panics under this lock").iter_mut() {
            fault.id = rack.faults.set(fault.clone()).map_or(0, |set| set.id);
        }
        feed_all(&rack);
        *self.rack.lock().expect("nothing panics under this lock") = Some(rack);
    }

    /// The emulator's process is gone.
    pub fn stop(&self) {
        if let Some(rack) = self.rack.lock().expect("nothing panics under this lock").take() {
            rack.stop();
        }
    }

    /// An event that is done to the rack begins.
    pub fn begins(&self, event: usize, what: &What) {
        let Some(rack) = self.rack() else { return };
        match what {
            What::Fault { on, action, count, .. } => {
                let on = Selector {
                    at: selector(*on),
                    ..Selector::default()
                };
                let fault = Fault {
                    id: 0,
                    on,
                    action: action.clone(),
                    count: *count,
                    hits: 0,
                    since: None,
                };
                if let Ok(set) = rack.faults.set(fault) {
                    self.faults
                        .lock()
                        .expect("nothing panics under this lock")
                        .push((event, set));
                }
            }
            What::Dark { on, feed, .. } => feeds(&rack, *on, *feed, false),
            What::Reboot { unit } => with_server(&rack, *unit, |i| rack.reset_bmc(i)),
            What::Restart { .. } => self.stop(),
            _ => {}
        }
    }

    /// What lasts is over.
    pub fn ends(&self, event: usize, what: &What) {
        let mut faults = self.faults.lock().expect("nothing panics under this lock");
        let gone = faults
            .iter()
            .position(|(by, _)| *by == event)
            .map(|at| faults.remove(at));
        drop(faults);
        if let (What::Restart { .. }, None) = (what, self.rack())
            && let Some(net) = self.net.get()
        {
            return self.start(Arc::clone(net));
        }
        let Some(rack) = self.rack() else { return };
        if let Some((_, fault)) = gone {
            rack.faults.clear(Some(fault.id));
        }
        match what {
            What::Dark { on, feed, .. } => feeds(&rack, *on, *feed, true),
            // a box that lost its power gets it again
            What::Fault {
                on,
                action: Action::LosePower,
                ..
            } => feeds(&rack, *on, None, true),
            _ => {}
        }
    }

    /// Luck turns: no faults, and every cord is in.
    pub fn mend(&self) {
        self.faults.lock().expect("nothing panics under this lock").clear();
        if let (None, Some(net)) = (self.rack(), self.net.get()) {
            self.start(Arc::clone(net));
        }
        if let Some(rack) = self.rack() {
            rack.faults.clear(None);
            feed_all(&rack);
        }
    }
}

fn selector(on: Whom) -> String {
    match on {
        Whom::Unit(unit) => format!("r1/u{unit}"),
        Whom::Pdu(0) => "pdu-a".into(),
        Whom::Pdu(_) => "pdu-b".into(),
        Whom::All => String::new(),
    }
}

fn with_server(rack: &Emulated, unit: u32, act: impl FnOnce(usize)) {
    if let Some(i) = rack.find(&format!("r1/u{unit}")) {
        act(i);
    }
}

/// Whether a supply hangs on anything: a box without a BMC hangs on the first PDU alone.
fn is_corded(rack: &Emulated, i: usize, supply: usize) -> bool {
    supply == 0 || rack.servers[i].spec.bmc.is_some()
}

fn feed(rack: &Emulated, i: usize, supply: usize, on: bool) {
    rack.feed(i, supply, on && is_corded(rack, i, supply));
}

fn feed_all(rack: &Emulated) {
    for i in 0..rack.servers.len() {
        (0..2).for_each(|supply| feed(rack, i, supply, true));
    }
}

/// Feeds lost or back: of one server, of everything behind a PDU, of the rack.
fn feeds(rack: &Emulated, on: Whom, which: Option<u8>, up: bool) {
    let supplies = |which: Option<u8>| (0..2).filter(move |s| which.is_none_or(|w| usize::from(w) == *s));
    match on {
        Whom::Unit(unit) => with_server(rack, unit, |i| supplies(which).for_each(|s| feed(rack, i, s, up))),
        Whom::Pdu(pdu) => (0..rack.servers.len()).for_each(|i| feed(rack, i, usize::from(pdu), up)),
        Whom::All => (0..rack.servers.len()).for_each(|i| supplies(which).for_each(|s| feed(rack, i, s, up))),
    }
}

/// Small servers: what is simulated is the life cycle, not the copying of bytes.
fn layout(story: &Story) -> emulator::RackLayout {
    let mut layout = emulator::RackLayout::of(story.nodes - story.bare);
    layout.bare_servers = story.bare;
    layout.pdus = 2;
    layout.build.dimms = 1;
    layout.build.nvme_gb = 1;
    layout.build.sata_gb = 0;
    layout
}
