//! What readings were over time, as it is asked for and answered: `GET /v1/history/{place or place/reading}`, and for all boxes
//! together `GET /v1/history`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Place, Time, Unit};

/// Readings of one or more boxes in equal steps of time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HistoryView {
    /// Start of the first step: a multiple of the step since the Unix epoch.
    pub from: Time,
    /// End of the last step.
    pub to: Time,
    /// Length of a step, in seconds.
    pub step_seconds: u32,
    /// How long rows are kept, in seconds, while the memory for them lasts.
    pub kept_seconds: u32,
    /// How often readings are read, in seconds: of shorter steps some have none.
    pub read_seconds: u32,
    /// One for each reading.
    pub series: Vec<SeriesView>,
}

/// One reading over time. The lists have a value for each step; null says that there was no reading in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SeriesView {
    /// The box.
    pub place: Place,
    /// The reading's name.
    pub name: String,
    /// What it counts in.
    pub unit: Unit,
    /// Lowest value of each step.
    pub min: Vec<Option<f64>>,
    /// Mean of the values of each step.
    pub mean: Vec<Option<f64>>,
    /// Highest value of each step.
    pub max: Vec<Option<f64>>,
    /// How many values each step has.
    pub samples: Vec<u32>,
    /// How many times in each step the box answered that there is no reading.
    pub missed: Vec<u32>,
    /// The last value and when it was taken, as far as it lies in the time asked for.
    pub last: Option<(Time, f64)>,
}

/// What all boxes together drew and how hot the hottest was, in equal steps of time. The lists have a value for each step: the
/// latest that was known in it, null when there was none or all were too old.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TrendView {
    /// Start of the first step: a multiple of the step since the Unix epoch.
    pub from: Time,
    /// Length of a step, in seconds.
    pub step_seconds: u32,
    /// Watts of the nodes that told theirs.
    pub watts: Vec<Option<f64>>,
    /// The hottest temperature of any box, in °C.
    pub hottest: Vec<Option<f64>>,
}
