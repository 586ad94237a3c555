//! What happened, in numbers.

use std::collections::BTreeMap;

use emulator::faults::Action;

use crate::story::{Ask, What};

/// What happened in a story, or in many.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Stories.
    pub stories: u64,
    /// Seconds of racks' time, and the same for each node.
    pub seconds: u64,
    /// Seconds times nodes.
    pub node_seconds: u64,
    /// Contacts with the outside, and those that went wrong because of noise.
    pub contacts: u64,
    /// Contacts that went wrong.
    pub faults: u64,
    /// Contacts before luck turned.
    pub lived: u64,
    /// Deaths of the daemon.
    pub crashes: u64,
    /// Revisions of the store.
    pub commits: u64,
    /// Machines that were accepted.
    pub accepted: u64,
    /// Boxes that were written to.
    pub installs: u64,
    /// Wipes that were proven, and those of boxes without a BMC.
    pub wipes: u64,
    /// Wipes of boxes without a BMC.
    pub bare: u64,
    /// What users asked while there was no daemon to hear it.
    pub unheard: u64,
    /// What users asked, done and refused.
    pub done: u64,
    /// What was refused, or failed.
    pub refused: u64,
    /// Machines that were capped so that nothing trips.
    pub capped: u64,
    /// Machines that were stopped so that nothing trips.
    pub stopped: u64,
    /// Stories in which anything was taken from a machine.
    pub shedding: u64,
    /// Breakers that tripped by themselves.
    pub tripped: u64,
    /// Longest time until everything was at rest, in seconds.
    pub rest: u64,
    /// Events by kind.
    pub events: BTreeMap<&'static str, u64>,
    /// How often each invariant was looked at.
    pub looks: BTreeMap<&'static str, u64>,
}

impl Tally {
    /// Adds another one.
    pub fn add(&mut self, other: &Tally) {
        let Tally {
            stories,
            seconds,
            node_seconds,
            contacts,
            faults,
            lived,
            crashes,
            commits,
            ..
        } = other;
        let Tally {
            accepted,
            installs,
            wipes,
            bare,
            unheard,
            done,
            refused,
            capped,
            stopped,
            shedding,
            tripped,
            rest,
            events,
            looks,
            ..
        } = other;
        self.stories += stories;
        self.seconds += seconds;
        self.node_seconds += node_seconds;
        self.contacts += contacts;
        self.faults += faults;
        self.lived += lived;
        self.crashes += crashes;
        self.commits += commits;
        self.accepted += accepted;
        self.installs += installs;
        self.wipes += wipes;
        self.bare += bare;
        self.unheard += unheard;
        self.done += done;
        self.refused += refused;
        self.capped += capped;
        self.stopped += stopped;
        self.shedding += shedding;
        self.tripped += tripped;
        self.rest = self.rest.max(*rest);
        for (kind, times) in events {
            *self.events.entry(kind).or_default() += times;
        }
        for (id, times) in looks {
            *self.looks.entry(id).or_default() += times;
        }
    }

    /// Days of racks' time.
    pub fn rack_days(&self) -> f64 {
        self.seconds as f64 / 86_400.0
    }
}

impl What {
    /// The word that it begins with.
    pub fn kind(&self) -> &'static str {
        match self {
            What::User(Ask::Run { .. }) => "run",
            What::User(Ask::Rm { .. }) => "rm",
            What::User(Ask::Nice { .. }) => "nice",
            What::User(Ask::Signal { .. }) => "signal",
            What::User(Ask::Cap { .. }) => "cap",
            What::User(Ask::Bios { .. }) => "bios",
            What::User(Ask::Light { .. }) => "light",
            What::User(Ask::Outlet { .. }) => "outlet",
            What::User(Ask::Cordon { .. }) => "cordon",
            What::User(Ask::Arm { .. }) => "arm",
            What::User(Ask::Rotate) => "rotate",
            What::User(Ask::Rollout { .. }) => "rollout",
            What::User(Ask::StopRollout { .. }) => "stop rollout",
            What::Fault {
                action: Action::TripBreaker,
                ..
            } => "breaker trips",
            What::Fault { .. } => "fault of a box",
            What::Dark { .. } => "feed lost",
            What::Work { .. } => "work",
            What::Lie { .. } => "BMC lies",
            What::Reboot { .. } => "BMC reboots",
            What::Vanish { .. } => "BMCs vanish",
            What::Noise { .. } => "noise",
            What::Die { .. } => "daemon killed",
            What::StoreBefore { .. } => "store fails before",
            What::StoreAfter { .. } => "store fails after",
            What::Full { .. } => "disk full",
            What::Blobs { .. } => "image damaged",
            What::Clock { .. } => "clock steps",
            What::Restart { .. } => "emulator restarts",
        }
    }
}
