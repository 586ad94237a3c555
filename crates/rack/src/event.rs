//! Events: what happened, in order, with its cause; and the audit log, which is a kind of event.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Time;

/// How loud an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// A write to hardware or by a user: the audit log (invariant I4).
    Audit,
    /// The ordinary course of things.
    Info,
    /// Something to look at.
    Warning,
    /// Something failed.
    Error,
}

/// One line of `busbar dmesg`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// When.
    pub at: Time,
    /// How loud.
    pub level: Level,
    /// What it is about: a machine's name, a place, or `busbar`.
    pub about: String,
    /// What happened, in words; never a secret.
    pub what: String,
    /// Why, when something else was the cause.
    pub because: Option<String>,
    /// Number of the event that it follows from, where that is recorded: of a write for a machine, what told of the machine's state
    /// then; of a machine's step, the order of a user that it carries out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<u64>,
    /// Who did it: a token's name, or `busbar`.
    pub by: String,
}
