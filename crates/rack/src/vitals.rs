//! How every box is, in a few numbers: what `busbar top` draws. `GET /v1/vitals`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Health, Name, Place, PowerState, Time};

/// Every box in a few numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct VitalsView {
    /// When it was so.
    pub at: Time,
    /// How often readings are read, in seconds.
    pub read_seconds: u32,
    /// Nodes, then other boxes, as people count places.
    pub boxes: Vec<Vital>,
}

/// One box. A number is null when there is no fresh reading.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Vital {
    /// Where it stands.
    pub place: Place,
    /// `node`, `pdu`, …
    pub kind: String,
    /// Which machine holds it.
    pub holder: Option<Name>,
    /// On or off at its last answer.
    pub power: Option<PowerState>,
    /// Worst health of its parts.
    pub health: Health,
    /// Why its BMC does not answer, when it does not.
    pub silent: Option<String>,
    /// Watts.
    pub watts: Option<f64>,
    /// Inlet temperature in °C.
    pub inlet: Option<f64>,
    /// Its hottest temperature in °C.
    pub hottest: Option<f64>,
    /// Which reading that is.
    pub hottest_name: Option<String>,
    /// Its fastest fan, in revolutions a minute.
    pub fan: Option<f64>,
    /// When its readings were taken.
    pub taken: Option<Time>,
}
