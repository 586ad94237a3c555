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
