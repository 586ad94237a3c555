//! What is taken from a machine so that nothing trips: some of its watts, or all of them. Decided by `plan::pressure`, by the
//! order that users give with `nice`; kept apart from what users want themselves, and given back when there is room.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Name, Place, Time};

/// What is taken from one machine now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Shed {
    /// Where its node stands.
    pub place: Place,
    /// The machine.
    pub machine: Name,
    /// Its shed order when this was decided: −20 is shed last, 19 first.
    pub nice: i8,
    /// Watts that it may draw at most; null when nothing of ours limits it. Whichever is lower holds: this, or the cap that someone
    /// wants.
    pub cap: Option<f64>,
    /// How it is stopped, when a cap is not enough.
    pub stop: Option<Halt>,
    /// Watts that it drew before.
    pub drew: f64,
    /// The cap that its box had before and that nobody had wished through Busbar, in watts: it gets that again.
    pub before: Option<f64>,
    /// The PDUs for whose sake.
    pub pdus: Vec<Place>,
    /// Why, in words.
    pub because: String,
    /// Since when anything is taken from it.
    pub since: Time,
    /// When what is taken last changed.
    pub changed: Time,
}

impl Shed {
    /// Whether all is given back, and only its BMC has not shown that yet.
    pub fn is_over(&self) -> bool {
        self.cap.is_none() && self.stop.is_none()
    }

    /// `stopped`, `capped at 300 W`, `given back`.
    pub fn in_words(&self) -> String {
        match (self.stop, self.cap) {
            (Some(_), _) => "stopped".into(),
            (None, Some(watts)) => format!("capped at {watts:.0} W"),
            (None, None) => "given back".into(),
        }
    }
}

/// How a machine is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Halt {
    /// Its system is asked to.
    Ask,
    /// Its power is cut by its BMC: there is no time to ask.
    Cut,
}
