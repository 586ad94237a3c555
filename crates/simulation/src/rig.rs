//! The seam to the emulated rack: how it is built, lost and built again, and what is done to its power. Everything else
//! reaches it as it would reach metal, over [`crate::wires`].

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use control::env::{Clock as _, TimerClock};
use emulator::Emulated;
use emulator::faults::{Action, Fault, Selector};
use emulator::physics::load::Trace;

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
    /// Work that there is to do, by the event that brought it: for whom, in hundredths of what they can.
    work: Mutex<BTreeMap<usize, (Whom, u32)>>,
    /// Breakers that tripped by themselves and were closed again.
    tripped: AtomicU64,
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
            work: Mutex::default(),
            tripped: AtomicU64::default(),
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
            fault.id = set(&rack, fault.clone()).map_or(0, |set| set.id);
        }
        feed_all(&rack);
        self.give_work(&rack);
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
        if let What::Work { on, percent, .. } = what {
            self.change_work(|work| _ = work.insert(event, (*on, *percent)));
        }
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
                if let Ok(set) = set(&rack, fault) {
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
        if matches!(what, What::Work { .. }) {
            self.change_work(|work| _ = work.remove(&event));
        }
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
            if fault.action.physical() {
                rack.clear_faults(Some(fault.id));
            } else {
                rack.faults.clear(Some(fault.id));
            }
        }
        // whoever sees to the power sees to breakers that tripped too
        if matches!(what, What::Work { .. } | What::Dark { .. }) {
            self.close(&rack);
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
        self.change_work(BTreeMap::clear);
        if let (None, Some(net)) = (self.rack(), self.net.get()) {
            self.start(Arc::clone(net));
        }
        if let Some(rack) = self.rack() {
            rack.clear_faults(None);
            self.close(&rack);
            feed_all(&rack);
        }
    }

    fn change_work(&self, change: impl FnOnce(&mut BTreeMap<usize, (Whom, u32)>)) {
        change(&mut self.work.lock().expect("nothing panics under this lock"));
        if let Some(rack) = self.rack() {
            self.give_work(&rack);
        }
    }

    /// Each server does the most of what it was given.
    fn give_work(&self, rack: &Emulated) {
        let work = self.work.lock().expect("nothing panics under this lock");
        for (i, server) in rack.servers.iter().enumerate() {
            let mine = |on: Whom| match on {
                Whom::Unit(unit) => rack.find(&format!("r1/u{unit}")) == Some(i),
                Whom::Pdu(_) | Whom::All => true,
            };
            let most = work.values().filter(|(on, _)| mine(*on)).map(|(_, percent)| *percent);
            let load = Trace::Constant(f64::from(most.max().unwrap_or(0).min(100)) / 100.0);
            // it stands in the rack
            let _ = rack.set_load(&server.spec.place, &load);
        }
    }

    fn close(&self, rack: &Emulated) {
        self.tripped.fetch_add(rack.tripped().len() as u64, Ordering::Relaxed);
        rack.close_tripped();
    }

    /// Someone closes the breakers that tripped by themselves.
    pub fn close_tripped(&self) {
        if let Some(rack) = self.rack() {
            self.close(&rack);
        }
    }

    /// Breakers that tripped by themselves and were not closed yet.
    pub fn open_breakers(&self) -> Vec<String> {
        self.rack().map(|rack| rack.tripped()).unwrap_or_default()
    }

    /// How many breakers tripped by themselves.
    pub fn tripped(&self) -> u64 {
        self.tripped.load(Ordering::Relaxed) + self.open_breakers().len() as u64
    }
}

/// Sets a fault; one of the plant's is done there.
fn set(rack: &Emulated, fault: Fault) -> Result<Fault, emulator::BadFault> {
    if fault.action.physical() {
        rack.set_fault(fault)
    } else {
        Ok(rack.faults.set(fault)?)
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
    if story.feed > 0 {
        let mut described = emulator::describe::Described::clone(&layout.describe());
        // a box without a BMC hangs on one feed with all that it draws
        let percent = if story.bare > 0 { story.feed.max(65) } else { story.feed };
        let most = described.boxes.iter().map(|b| b.kind.wall().1).fold(0.0, f64::max);
        for feed in &mut described.feeds {
            // outlets hang on the lines in turn
            let on_the_fullest = f64::from(story.nodes.div_ceil(feed.phases.into()));
            let amps = f64::from(percent) / 100.0 * most * on_the_fullest / feed.volts;
            feed.amps = (amps * 10.0).ceil() / 10.0;
        }
        layout.described = Some(Arc::new(described));
    }
    layout
}
