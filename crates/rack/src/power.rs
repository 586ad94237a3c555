//! The one-line diagram of racks (inputs, PDUs, cords, boxes with their watts), and what is forecast from it when something
//! fails. Made by `plan::power` and `plan::whatif`; `GET /v1/racks/{rack}/power` and `GET /v1/whatif`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::free::Rating;
use crate::shed::{Halt, Shed};
use crate::{Health, Name, Place, PowerState, Time};

/// Continuous load that a breaker carries for good, as a share of what it is rated for (NFPA 70, article 210.20(A); the
/// rule of every hall: HARDWARE, "Continuous load ≤ 80 %").
pub const SOFT: f64 = 0.8;

/// Whether there is voltage behind something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Carries {
    /// It was just seen to.
    Yes,
    /// It was just seen not to.
    No,
    /// Nothing tells.
    Unknown,
}

/// What carries the power of a rack, from its PDUs to its boxes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OneLine {
    /// When it was so.
    pub at: Time,
    /// How all of it is, in a sentence or two.
    pub headline: String,
    /// PDUs, as people count them.
    pub pdus: Vec<Pdu>,
    /// Boxes, as people count them.
    pub boxes: Vec<FedBox>,
    /// What is not known of it, in words.
    pub notes: Vec<String>,
}

/// A PDU and what it carries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Pdu {
    /// Where it hangs.
    pub place: Place,
    /// Maker and model, when told.
    pub model: Option<String>,
    /// Whether it was found; one that cords are only written down to was not.
    pub found: bool,
    /// Its health.
    pub health: Health,
    /// Whether anything comes out of it.
    pub carries: Carries,
    /// Watts that it carries now.
    pub watts: Option<f64>,
    /// When that was read.
    pub taken: Option<Time>,
    /// What each of its inputs is rated for; empty when it does not tell that of all.
    pub mains: Vec<Rating>,
    /// Watts that its inputs carry together, when it tells that.
    pub rated: Option<f64>,
    /// Watts that it should carry for good: 80 % of `rated`.
    pub soft: Option<f64>,
    /// Amperes of its lines, when it tells them.
    pub lines: Vec<Line>,
    /// Outlets that it has; null when it tells of none.
    pub outlets: Option<u32>,
    /// Watts that none of the cords written down accounts for; null when that can't be said.
    pub loose: Option<f64>,
    /// PDUs that feed boxes of this one too.
    pub partners: Vec<Place>,
}

/// One line of a PDU's input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Line {
    /// As its reading is called: `ac1-line2-amps`.
    pub name: String,
    /// Amperes now.
    pub amps: Option<f64>,
    /// Amperes that it is rated for, when told.
    pub rated: Option<f64>,
}

/// A box and what feeds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FedBox {
    /// Where it stands.
    pub place: Place,
    /// `server`, `cooling`, …
    pub kind: String,
    /// Maker and model, when told.
    pub model: Option<String>,
    /// The machine that holds it.
    pub machine: Option<Name>,
    /// That machine's state.
    pub state: Option<String>,
    /// That machine's shed order: −20 is shed last, 19 first.
    pub nice: Option<i8>,
    /// On or off at its last answer.
    pub power: Option<PowerState>,
    /// Why its BMC does not answer, when it does not.
    pub silent: Option<String>,
    /// Worst health of its parts.
    pub health: Health,
    /// Watts that it draws.
    pub watts: Option<f64>,
    /// Whether its outlets told that, because it does not itself.
    pub by_outlets: bool,
    /// When it was read.
    pub taken: Option<Time>,
    /// Its power cap in watts, when it has one.
    pub cap: Option<f64>,
    /// The lowest cap that it takes, in watts, when it is known to take any.
    pub floor: Option<f64>,
    /// Whether Busbar may write to it.
    #[serde(default)]
    pub armed: bool,
    /// What is taken from its machine so that nothing trips.
    pub shed: Option<Shed>,
    /// Its supplies.
    pub supplies: Vec<Supply>,
    /// What feeds it, as it was written down.
    pub cords: Vec<Cord>,
}

/// A power supply of a box.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Supply {
    /// The part's id.
    pub id: String,
    /// Watts that it gives at most, when told.
    pub rated: Option<f64>,
    /// Its health.
    pub health: Health,
}

/// A cord between an outlet and a box.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Cord {
    /// The PDU.
    pub pdu: Place,
    /// Its outlet, as it counts.
    pub outlet: String,
    /// Who says so.
    pub source: CordSource,
    /// Whether the box gets power through it.
    pub carries: Carries,
    /// Watts through it; told by the outlet, else reckoned from what the box draws.
    pub watts: Option<f64>,
    /// Whether the outlet told them.
    pub told: bool,
}

/// Who says what an outlet feeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CordSource {
    /// Whoever wrote the rack down.
    Recorded,
    /// Only the label on the outlet, which names the box.
    Label,
}

/// What would come of a failure. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Forecast {
    /// When it was made, from what was read then.
    pub at: Time,
    /// What fails.
    pub fails: Vec<Place>,
    /// What comes of it, in a sentence or two.
    pub headline: String,
    /// Boxes that lose all power, first those with machines.
    pub dies: Vec<Victim>,
    /// Boxes that go on with less to fall back on.
    pub weaker: Vec<Weaker>,
    /// Machines that give up watts by their shed order so that nothing more trips, in the order in which they do.
    #[serde(default)]
    pub sheds: Vec<Given>,
    /// Boxes that notice nothing.
    pub unaffected: u32,
    /// PDUs before and after.
    pub loads: Vec<Load>,
    /// Which load moves where.
    pub moves: Vec<Move>,
    /// What could not be forecast, and why.
    pub unknown: Vec<String>,
    /// What was taken to be so.
    pub assumed: Vec<String>,
}

/// A box that loses all its power.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Victim {
    /// Where it stands.
    pub place: Place,
    /// The machine that dies with it.
    pub machine: Option<Name>,
    /// That machine's state now.
    pub state: Option<String>,
    /// That machine's shed order: −20 is shed last, 19 first.
    pub nice: Option<i8>,
    /// On or off now.
    pub power: Option<PowerState>,
    /// Watts that it draws now.
    pub watts: Option<f64>,
    /// Why.
    pub because: String,
}

/// A machine that would give up watts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Given {
    /// Where it stands.
    pub place: Place,
    /// The machine.
    pub machine: Name,
    /// Its shed order: −20 is shed last, 19 first.
    pub nice: i8,
    /// Watts that it draws now.
    pub watts: f64,
    /// What it would be capped at, in watts; null when it is not.
    pub cap: Option<f64>,
    /// How it would be stopped, when a cap is not enough.
    pub stop: Option<Halt>,
    /// Why.
    pub because: String,
}

/// A box that goes on with fewer inputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Weaker {
    /// Where it stands.
    pub place: Place,
    /// The machine on it.
    pub machine: Option<Name>,
    /// Inputs that are left to it.
    pub left: u32,
    /// Inputs that it has now.
    pub of: u32,
    /// What is left feeds from here.
    pub on: Vec<Place>,
}

/// What becomes of a PDU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It was dark before.
    Dark,
    /// It is what fails.
    Fails,
    /// It is overloaded by what moves to it and trips.
    Trips,
    /// More than its rating would come to it, and what machines give up keeps it from tripping.
    Relieved,
    /// It carries more than 80 % of its rating.
    Soft,
    /// It carries what it carries.
    Fine,
    /// Not enough is known of it.
    Unknown,
}

/// A PDU before and after.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Load {
    /// The PDU.
    pub pdu: Place,
    /// Watts that it is rated for, when told.
    pub rated: Option<f64>,
    /// Watts now.
    pub before: Option<f64>,
    /// Watts when all of it has happened; of one that trips, those that trip it.
    pub after: Option<f64>,
    /// Watts that would come to it if no machine gave up any; null when none does for its sake.
    pub peak: Option<f64>,
    /// Whether more may come than `after` says, because some boxes tell no watts.
    pub at_least: bool,
    /// What becomes of it.
    pub fate: Fate,
    /// In which round of the cascade it trips, counted from 1; null when it does not.
    pub round: Option<u32>,
    /// Seconds until it trips, or would if it were not relieved, by the curve of a hydraulic-magnetic breaker that is cold;
    /// others take longer.
    pub trips_in: Option<f64>,
    /// Why it is so, in words.
    pub because: Option<String>,
}

impl Load {
    /// Share of its rating, 0 to 1 and above, of these watts.
    pub fn share(&self, watts: Option<f64>) -> Option<f64> {
        Some(watts? / self.rated.filter(|r| *r > 0.0)?)
    }
}

/// Load that moves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Move {
    /// From this PDU.
    pub from: Place,
    /// To this one.
    pub to: Place,
    /// Watts.
    pub watts: f64,
}
