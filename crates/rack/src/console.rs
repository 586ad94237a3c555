//! A node's serial console as the API shows it: what was recorded, from an offset on, and who may type.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Name, Place, Time};

/// How the recorder stands to the BMC's console.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConsoleLink {
    /// Nobody wants it held open: what is shown was recorded earlier.
    Closed,
    /// It is being opened.
    Opening,
    /// It is open, and recorded.
    Open,
    /// It could not be opened, or was lost; it is tried again.
    Lost,
    /// The box offers none.
    None,
}

/// Who types, one at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConsolePen {
    /// Name of the token.
    pub by: Name,
    /// Since when.
    pub since: Time,
}

/// A piece of what a console printed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConsoleView {
    /// The node's place.
    pub place: Place,
    /// Whether it is open.
    pub link: ConsoleLink,
    /// Why it is not, when it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Who types.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pen: Option<ConsolePen>,
    /// Offset of the first byte of `data`, counted from the first that was ever recorded.
    pub from: u64,
    /// Offset to go on from.
    pub next: u64,
    /// Bytes that were asked for and are no longer kept.
    pub lost: u64,
    /// Whether more is there already.
    pub more: bool,
    /// What it printed, in base64: any bytes, as they came.
    pub data: String,
}

/// Something typed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsoleInput {
    /// Any name that tells this terminal from others with the same token; the pen is its own.
    pub writer: String,
    /// What is typed, in base64; with nothing, only the pen is asked for.
    #[serde(default)]
    pub data: String,
    /// Take the pen from whoever has it.
    #[serde(default)]
    pub take: bool,
    /// Give the pen back afterwards.
    #[serde(default)]
    pub leave: bool,
}
