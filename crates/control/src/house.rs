//! The house: what the API and the loops share.

use std::path::Path;
use std::sync::Arc;

use rack::request::{
    ArmRequest, CredentialRequest, DeviceView, DiscoverRequest, EventView, ImageRequest, MachineView, NewToken,
    NodeLive, Progress, Role, RunRequest, Signal, Summary, TokenView, Who, Why,
};
use rack::{Image, Name, Node, NodeId, Place, World};

/// Why a request was not done.
#[derive(Debug, thiserror::Error)]
pub enum HouseError {
    /// There is no such thing.
    #[error("there is no {kind} `{name}`")]
    NotFound {
        /// `machine`, `image`, `place`, …
        kind: &'static str,
        /// What was asked for.
        name: String,
    },
    /// It does not fit.
    #[error("{0}")]
    Refused(Box<plan::Refusal>),
    /// Someone else changed it meanwhile, or the name is taken.
    #[error("{what}")]
    Conflict {
        /// What collided.
        what: String,
    },
    /// The request makes no sense.
    #[error("{what}")]
    Invalid {
        /// What is wrong with it.
        what: String,
    },
    /// Policy forbids it: not armed, in use, wrong role.
    #[error("{what}")]
    Policy {
        /// What forbids it.
        what: String,
        /// The command that would change that.
        hint: String,
    },
    /// Hardware did not answer.
    #[error("{0}")]
    Unreachable(String),
    /// The state could not be written.
    #[error("the state can't be written: {0}")]
    Store(#[from] store::Error),
    /// It was tried and failed.
    #[error("{what}")]
    Failed {
        /// What was tried, on what, and how it failed.
        what: String,
        /// What to do next.
        hint: String,
    },
}

/// How far adding an image has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddProgress {
    /// Bytes read.
    pub done: u64,
    /// Bytes in all, when known.
    pub total: Option<u64>,
}

/// The house. Cheap to clone.
#[derive(Clone)]
pub struct House {}

#[allow(unused_variables, clippy::unused_async)]
impl House {
    /// The snapshot that decisions are made from.
    pub fn world(&self) -> Arc<World> {
        unimplemented!()
    }

    /// Counts up with each change of the world or of what is seen; for long polls.
    pub fn changes(&self) -> tokio::sync::watch::Receiver<u64> {
        unimplemented!()
    }

    /// What is seen of a node now.
    pub fn live(&self, node: &NodeId) -> NodeLive {
        unimplemented!()
    }

    /// A machine as it is shown; user data left out.
    pub fn machine_view(&self, name: &Name) -> Option<MachineView> {
        unimplemented!()
    }

    /// Every PDU and other box that is no machine.
    pub fn devices(&self) -> Vec<DeviceView> {
        unimplemented!()
    }

    /// How far the agent of a machine is.
    pub fn progress(&self, machine: &Name) -> Option<Progress> {
        unimplemented!()
    }

    /// Events after a sequence number, oldest first.
    pub fn events(&self, after: u64, limit: usize) -> Vec<EventView> {
        unimplemented!()
    }

    /// Who bears this token.
    pub fn who(&self, bearer: &str) -> Option<Who> {
        unimplemented!()
    }

    /// The daemon in short, with its checks.
    pub async fn summary(&self) -> Summary {
        unimplemented!()
    }

    /// Accepts a machine; with `dry_run` only says where it would go.
    pub async fn run(&self, who: &Who, request: RunRequest, dry_run: bool) -> Result<MachineView, HouseError> {
        unimplemented!()
    }

    /// Wants a machine wiped and given back. Repeating it is harmless.
    pub async fn release(&self, who: &Who, name: &Name, force: bool) -> Result<MachineView, HouseError> {
        unimplemented!()
    }

    /// A power verb.
    pub async fn signal(&self, who: &Who, name: &Name, signal: Signal) -> Result<MachineView, HouseError> {
        unimplemented!()
    }

    /// Arms or disarms a place; answers with the nodes that it changed.
    pub async fn arm(&self, who: &Who, request: ArmRequest, dry_run: bool) -> Result<Vec<Arc<Node>>, HouseError> {
        unimplemented!()
    }

    /// Takes a node out of use, or (`why` is `None`) puts it back.
    pub async fn cordon(&self, who: &Who, place: &Place, why: Option<String>) -> Result<Arc<Node>, HouseError> {
        unimplemented!()
    }

    /// Discovers BMCs now and keeps watching them; answers with the nodes found, and problems in words.
    pub async fn discover(
        &self,
        who: &Who,
        request: DiscoverRequest,
    ) -> Result<(Vec<Arc<Node>>, Vec<String>), HouseError> {
        unimplemented!()
    }

    /// Seals and stores a credential.
    pub async fn set_credential(&self, who: &Who, name: &Name, request: CredentialRequest) -> Result<(), HouseError> {
        unimplemented!()
    }

    /// Names of the credentials.
    pub async fn credentials(&self) -> Result<Vec<Name>, HouseError> {
        unimplemented!()
    }

    /// Forgets the pinned certificate of a place's BMC and pins the one that it shows now.
    pub async fn trust(&self, who: &Who, place: &Place) -> Result<String, HouseError> {
        unimplemented!()
    }

    /// Adds an image; `progress` is called as it goes.
    pub async fn add_image(
        &self,
        who: &Who,
        request: ImageRequest,
        progress: Arc<dyn Fn(AddProgress) + Send + Sync>,
    ) -> Result<Image, HouseError> {
        unimplemented!()
    }

    /// Removes an image that no machine needs.
    pub async fn remove_image(&self, who: &Who, name: &Name) -> Result<(), HouseError> {
        unimplemented!()
    }

    /// Makes a token.
    pub async fn make_token(&self, who: &Who, name: &Name, role: Role) -> Result<NewToken, HouseError> {
        unimplemented!()
    }

    /// Every token.
    pub async fn tokens(&self) -> Result<Vec<TokenView>, HouseError> {
        unimplemented!()
    }

    /// Revokes a token.
    pub async fn revoke_token(&self, who: &Who, name: &Name) -> Result<(), HouseError> {
        unimplemented!()
    }

    /// Why a machine or a place is as it is.
    pub fn why(&self, about: &str) -> Result<Why, HouseError> {
        unimplemented!()
    }

    /// A proof of a wipe by its key.
    pub async fn proof(&self, key: &str) -> Result<serde_json::Value, HouseError> {
        unimplemented!()
    }

    /// Writes a backup of everything to one file.
    pub async fn backup(&self, who: &Who, to: &Path) -> Result<(), HouseError> {
        unimplemented!()
    }
}
