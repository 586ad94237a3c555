//! A story: a rack, and what happens in it, as an explicit list. It follows from a seed ([`make`]), can be written as one
//! line and read back ([`text`]), and is run by [`crate::city`]. Nothing else decides what happens: a story without
//! events is a rack that works.

mod make;
mod text;

use emulator::faults::Action;
use rack::request::{OutletVerb, Signal};

pub use make::Size;
pub use text::BadStory;

/// A rack and what happens in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Story {
    /// What serials, ids and noise follow from.
    pub seed: u64,
    /// Servers, 1 to [`MOST`].
    pub nodes: u32,
    /// How many of these, the upper ones, have no BMC.
    pub bare: u32,
    /// How long luck is bad, in seconds. What lasts is over by then; then everything must come to rest.
    pub seconds: u64,
    /// What one of the two feeds carries, in hundredths of what all servers on its fullest line draw at most; 0 for the
    /// emulator's own feeds, which are never too small for a few servers.
    pub feed: u32,
    /// Seconds between two readings of a box or a PDU.
    pub readings: u64,
    /// What happens, in any order.
    pub events: Vec<Event>,
}

/// Between two readings, where a story says nothing else.
pub const READINGS: u64 = 600;

impl Story {
    /// Whether nothing goes wrong in it but one PDU after the other: then no breaker may ever trip by itself.
    pub fn is_calm(&self) -> bool {
        self.events.iter().all(|e| match &e.what {
            What::User(Ask::Run { .. } | Ask::Nice { .. }) | What::Work { .. } => true,
            What::Dark { on: Whom::Pdu(_), .. } => true,
            What::Fault {
                on: Whom::Pdu(_),
                action,
                ..
            } => *action == Action::TripBreaker,
            _ => false,
        })
    }

    /// When the last event is over, in seconds from the beginning.
    pub fn over(&self) -> u64 {
        let end = |e: &Event| e.at + e.what.lasts().unwrap_or(0);
        self.events.iter().map(end).max().unwrap_or(0)
    }
}

/// Most servers: one rack's.
pub const MOST: u32 = 40;

/// Something that happens.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// When, in seconds from the beginning.
    pub at: u64,
    /// What.
    pub what: What,
}

/// Whom a fault hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whom {
    /// The server in this unit.
    Unit(u32),
    /// The PDU `a` (0) or `b` (1).
    Pdu(u8),
    /// Everyone.
    All,
}

/// What a BMC says of its server's power that is not so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// It is on.
    On,
    /// It is off.
    Off,
    /// Whatever was so when it was asked first: a cache that is not refreshed.
    Frozen,
}

/// What happens. Times are in seconds.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// A user does something; lost when the daemon is down.
    User(Ask),
    /// A fault of the emulated rack is set, and cleared later.
    Fault {
        /// Whom it hits.
        on: Whom,
        /// Until it is cleared.
        lasts: u64,
        /// What it does.
        action: Action,
        /// How many times at most.
        count: Option<u32>,
    },
    /// Feeds are lost and come back.
    Dark {
        /// Whose.
        on: Whom,
        /// Which of the two, both when absent.
        feed: Option<u8>,
        /// Until they are back.
        lasts: u64,
    },
    /// Servers have work to do, and draw more.
    Work {
        /// Which: a unit, or all.
        on: Whom,
        /// How much, in hundredths of all that they can do.
        percent: u32,
        /// Until it is done.
        lasts: u64,
    },
    /// A BMC says of the power what is not so.
    Lie {
        /// Of which unit.
        unit: u32,
        /// What it says.
        lie: Lie,
        /// Until it tells the truth.
        lasts: u64,
    },
    /// A BMC starts again.
    Reboot {
        /// Of which unit.
        unit: u32,
    },
    /// So many of a hundred BMCs can't be reached: a switch is gone.
    Vanish {
        /// How many of a hundred.
        percent: u32,
        /// Until they are back.
        lasts: u64,
    },
    /// Of a thousand contacts so many go wrong: lost, late, cut off, refused.
    Noise {
        /// How many of a thousand.
        per_mille: u32,
        /// Until the air is clear.
        lasts: u64,
    },
    /// The daemon is killed.
    Die {
        /// At the so manieth contact with the outside from now; at once with 0.
        contact: u64,
        /// Until it is started again.
        down: u64,
    },
    /// The next commits fail, and nothing of them is written.
    StoreBefore {
        /// How many.
        commits: u32,
    },
    /// The next commits are written, and the answer is lost.
    StoreAfter {
        /// How many.
        commits: u32,
    },
    /// The daemon's disk is full: no commit gets through.
    Full {
        /// Until there is room.
        lasts: u64,
    },
    /// Blobs of images can't be read, or end early.
    Blobs {
        /// Until they can.
        lasts: u64,
    },
    /// The daemon's clock steps.
    Clock {
        /// By so many seconds; back when negative.
        by: i64,
    },
    /// The emulator is stopped, and started again with the same disks.
    Restart {
        /// Until it is back.
        down: u64,
    },
}

/// What a user asks for. Machines are numbers: `m3`.
#[derive(Debug, Clone, PartialEq)]
pub enum Ask {
    /// `busbar run`.
    Run {
        /// Which machine.
        machine: u32,
        /// On this unit and no other.
        on: Option<u32>,
        /// How long it may wait for parts.
        wait: u64,
        /// Shed order.
        nice: i8,
    },
    /// `busbar rm`.
    Rm {
        /// Which machine.
        machine: u32,
        /// Without asking its system first.
        force: bool,
    },
    /// `busbar nice`.
    Nice {
        /// Which machine.
        machine: u32,
        /// Shed order.
        nice: i8,
    },
    /// `busbar kill`.
    Signal {
        /// Which machine.
        machine: u32,
        /// What it is told.
        signal: Signal,
    },
    /// `busbar cap`.
    Cap {
        /// Which unit.
        unit: u32,
        /// Watts; lifted when absent.
        watts: Option<u32>,
        /// Undone after so long unless kept.
        trial: Option<u64>,
    },
    /// `busbar bios UNIT Turbo=…`.
    Bios {
        /// Which unit.
        unit: u32,
        /// The setting.
        turbo: bool,
    },
    /// `busbar locate`.
    Light {
        /// Which unit.
        unit: u32,
        /// On or off.
        on: bool,
    },
    /// `busbar outlet`, insisting.
    Outlet {
        /// Which PDU.
        pdu: u8,
        /// Which unit it feeds.
        unit: u32,
        /// What it is told.
        verb: OutletVerb,
    },
    /// `busbar cordon`, or `uncordon`.
    Cordon {
        /// Which unit.
        unit: u32,
        /// Cordoned, or not.
        on: bool,
    },
    /// `busbar arm`, or `disarm`. What nobody disarmed is armed whenever someone runs a machine.
    Arm {
        /// Which unit.
        unit: u32,
        /// Armed, or not.
        on: bool,
    },
    /// `busbar credential rotate`.
    Rotate,
    /// `busbar firmware rollout`, over the whole rack.
    Rollout {
        /// Which: its name is `f3`, its version `3`.
        number: u32,
        /// BIOS, or the BMC itself.
        bios: bool,
        /// How many at once.
        wave: u32,
        /// How many failures stop it.
        failures: u32,
        /// Boxes that a machine holds too.
        in_use: bool,
    },
    /// The same, stopped.
    StopRollout {
        /// Which.
        number: u32,
    },
}

impl What {
    /// How long it lasts, when it does.
    pub fn lasts(&self) -> Option<u64> {
        use What::*;
        match self {
            Fault { lasts, .. } | Dark { lasts, .. } | Lie { lasts, .. } | Vanish { lasts, .. } => Some(*lasts),
            Work { lasts, .. } => Some(*lasts),
            Noise { lasts, .. } | Full { lasts } | Blobs { lasts } => Some(*lasts),
            Restart { down } => Some(*down),
            User(_) | Reboot { .. } | Die { .. } | StoreBefore { .. } | StoreAfter { .. } | Clock { .. } => None,
        }
    }

    /// The highest unit that it is about.
    pub fn unit(&self) -> Option<u32> {
        match self {
            What::User(ask) => ask.unit(),
            What::Fault {
                on: Whom::Unit(unit), ..
            }
            | What::Dark {
                on: Whom::Unit(unit), ..
            }
            | What::Work {
                on: Whom::Unit(unit), ..
            } => Some(*unit),
            What::Lie { unit, .. } | What::Reboot { unit } => Some(*unit),
            _ => None,
        }
    }
}

impl Ask {
    fn unit(&self) -> Option<u32> {
        match self {
            Ask::Run { on, .. } => *on,
            Ask::Cap { unit, .. } | Ask::Bios { unit, .. } | Ask::Light { unit, .. } => Some(*unit),
            Ask::Outlet { unit, .. } | Ask::Cordon { unit, .. } | Ask::Arm { unit, .. } => Some(*unit),
            _ => None,
        }
    }
}
