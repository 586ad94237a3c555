//! A firmware update over many boxes: in waves, with a budget of failures, each version read back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Name, NodeId, Place, Time};

/// What is to be updated: `POST /v1/rollouts`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RolloutRequest {
    /// Its name.
    pub name: Name,
    /// Where each BMC fetches the image from: `http://` or `https://`.
    pub image: String,
    /// Which firmware, as `busbar firmware ls` shows it.
    pub component: String,
    /// The version that must be read back afterwards.
    pub version: String,
    /// Racks or nodes.
    pub places: Vec<Place>,
    /// How many at once.
    #[serde(default = "one")]
    pub wave: u32,
    /// How many failures stop it.
    #[serde(default = "one")]
    pub failures: u32,
    /// Nodes that a machine holds too.
    #[serde(default)]
    pub in_use: bool,
}

fn one() -> u32 {
    1
}

/// A rollout as it is recorded and shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Rollout {
    /// What is wanted.
    pub ask: RolloutRequest,
    /// When it was asked for.
    pub created: Time,
    /// Who asked.
    pub by: String,
    /// Why it was stopped, when it was.
    pub stopped: Option<String>,
    /// Each node, and how far it is.
    #[schema(value_type = Object)]
    pub nodes: BTreeMap<NodeId, Update>,
}

/// One node's update.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Update {
    /// Where the node stands.
    pub place: Place,
    /// How far it is.
    pub state: UpdateState,
    /// Since when.
    pub since: Time,
}

/// How far an update is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum UpdateState {
    /// Its turn has not come.
    Waiting,
    /// The BMC was told, or is about to be.
    Sent {
        /// Path of the BMC's task, once it gave one.
        task: Option<String>,
    },
    /// The BMC is done; the new version is not read back yet.
    Applied {
        /// Whether the box was restarted to make it hold.
        restarted: bool,
    },
    /// The version was read back.
    Done,
    /// It had the version already.
    Current,
    /// It went wrong.
    Failed {
        /// Why.
        why: String,
    },
    /// Left out.
    Skipped {
        /// Why.
        why: String,
    },
}

impl UpdateState {
    /// Whether nothing more happens to it.
    pub fn is_over(&self) -> bool {
        matches!(
            self,
            UpdateState::Done | UpdateState::Current | UpdateState::Failed { .. } | UpdateState::Skipped { .. }
        )
    }

    /// Whether it is under way.
    pub fn is_under_way(&self) -> bool {
        matches!(self, UpdateState::Sent { .. } | UpdateState::Applied { .. })
    }
}

impl Rollout {
    /// Whether nothing more happens.
    pub fn is_over(&self) -> bool {
        self.nodes
            .values()
            .all(|u| u.state.is_over() || (self.stopped.is_some() && u.state == UpdateState::Waiting))
    }
}
