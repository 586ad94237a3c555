//! What there is, what is promised, what is used and what is left: `GET /v1/free`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A resource's numbers. Each is null when it is not known: never zero, never a guess.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FreeRow {
    /// `power`, `cooling`, `cores`, `memory`, `gpus`, `rack_units`.
    pub resource: String,
    /// `W`, `bytes`, or nothing where pieces are counted.
    pub unit: String,
    /// What is there.
    pub total: Option<f64>,
    /// What machines were promised.
    pub reserved: Option<f64>,
    /// What is really used now.
    pub used: Option<f64>,
    /// What a new machine could have.
    pub free: Option<f64>,
    /// The most of it in one piece: what one machine, or one box, could have.
    pub largest: Option<f64>,
    /// Why a number is missing, or what is missing in one.
    pub notes: Vec<String>,
}

/// All resources of a rack, or of all racks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FreeView {
    /// One for each resource.
    pub rows: Vec<FreeRow>,
}

/// What an input of a PDU is rated for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Rating {
    /// Amperes of each line, after any de-rating that is required.
    pub amps: f64,
    /// Volts: between two lines where there are several, else of the one; the lowest of a range.
    pub volts: f64,
    /// Lines of alternating current: 1 to 3; 1 for direct current too.
    pub phases: u8,
}

impl Rating {
    /// Watts that it carries at most: of three lines √3 · V · A. For two lines as for one, which is less than some wirings carry
    /// and more than none.
    pub fn watts(&self) -> f64 {
        let lines = if self.phases == 3 { 3_f64.sqrt() } else { 1.0 };
        lines * self.volts * self.amps
    }
}
