//! What someone wants of a box beyond machines: a power cap, firmware settings. Wished once, kept up: a BMC that loses
//! a cap gets it again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{NodeId, Place, Time};

/// What is wanted of one node. What is absent is left as it is.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Settings {
    /// The node.
    #[schema(value_type = String)]
    pub node: Option<NodeId>,
    /// Its power cap.
    pub cap: Option<CapWish>,
    /// A cap that is on trial: undone by itself unless it is kept.
    pub trial: Option<Trial>,
    /// BIOS attributes and their values, from the next boot on.
    #[schema(value_type = Object)]
    pub bios: BTreeMap<String, serde_json::Value>,
}

/// A wish for a power cap.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CapWish {
    /// At most so many watts.
    Watts(f64),
    /// No cap.
    Lifted,
}

/// A change that is undone by itself.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Trial {
    /// When it is undone.
    pub until: Time,
    /// What held before; nothing says that there was no wish, and the cap is lifted.
    pub before: Option<CapWish>,
}

/// Changes what is wanted: `POST /v1/settings`. What is absent stays as it is.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SettingsRequest {
    /// A node's place. Required.
    pub place: Option<Place>,
    /// The cap.
    pub cap: Option<CapWish>,
    /// Undo the cap after so many seconds, unless it is kept.
    pub try_seconds: Option<u64>,
    /// Keep what is on trial.
    pub keep: bool,
    /// BIOS attributes to want; null takes a wish back.
    #[schema(value_type = Object)]
    pub bios: BTreeMap<String, serde_json::Value>,
}

/// What is wanted, and how far it is.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct SettingsView {
    /// What is wanted.
    pub wanted: Settings,
    /// The caps that the box shows.
    pub caps: Vec<CapView>,
    /// BIOS attributes as they are; empty until they were read.
    #[schema(value_type = Object)]
    pub bios: BTreeMap<String, serde_json::Value>,
    /// BIOS attributes that hold from the next boot on.
    #[schema(value_type = Object)]
    pub pending: BTreeMap<String, serde_json::Value>,
    /// Why a wish is not fulfilled, in words; empty when all hold or wait for the next boot.
    pub unfulfilled: Vec<String>,
}

/// A limit on watts, as the box shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CapView {
    /// `system`, or a part of it.
    pub id: String,
    /// Watts in force; nothing when there is no limit.
    pub watts: Option<f64>,
    /// Lowest that it takes, in watts.
    pub lowest: Option<f64>,
    /// Highest that it takes, in watts.
    pub highest: Option<f64>,
    /// Whether it can be set.
    pub writable: bool,
}

impl CapView {
    /// Watts that it holds its box to. A box that has no other way to lift its limit is set to its highest, which holds it to
    /// nothing.
    pub fn holds(&self) -> Option<f64> {
        self.watts.filter(|w| self.highest.is_none_or(|most| *w < most))
    }
}

/// One line of a box's own log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogLine {
    /// As the box counts it.
    pub id: String,
    /// When, by the box's clock.
    pub at: Option<Time>,
    /// How bad.
    pub severity: crate::Health,
    /// In words.
    pub message: String,
}
