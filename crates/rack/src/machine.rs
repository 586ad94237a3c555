//! A machine: what someone asked for, and how far it has come.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{Bytes, Image, Name, NodeId, Place, Time};

/// What someone asked for (`ask`, `desired`) and how far it has come (`status`). Users write the first two,
/// `plan::lifecycle` alone decides the third.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Machine {
    /// Unique among machines that aren't released.
    pub name: Name,
    /// Tells it from an earlier machine of the same name.
    #[schema(value_type = String)]
    pub uid: Uuid,
    /// When it was asked for.
    pub created: Time,
    /// What was asked for.
    pub ask: Ask,
    /// What its owner wants of it now.
    pub desired: Desired,
    /// Its owner does not wait for its system to stop on the way out.
    #[serde(default)]
    pub hurry: bool,
    /// How far it has come.
    pub status: Status,
}

/// What a machine should be made of and hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Ask {
    /// The image, fixed by digest when the machine is accepted: a later image of the same name changes nothing.
    pub image: Image,
    /// Only here: a node's place, or a rack.
    #[serde(default)]
    pub on: Option<Place>,
    /// At least this many cores.
    #[serde(default)]
    pub cores: u32,
    /// At least this much memory.
    #[serde(default)]
    pub memory: Bytes,
    /// At least this large a disk; the image's own size when zero.
    #[serde(default)]
    pub disk: Bytes,
    /// At least this many GPUs.
    #[serde(default)]
    pub gpus: u32,
    /// Host name in the metadata; the machine's name when `None`.
    #[serde(default)]
    pub host_name: Option<String>,
    /// Public SSH keys, one `authorized_keys` line each.
    #[serde(default)]
    pub ssh_keys: Vec<String>,
    /// User data for cloud-init, as it is. May hold secrets: never logged, served to this machine alone.
    #[serde(default)]
    pub user_data: Option<String>,
    /// Login name to show; who the image's first user is.
    #[serde(default)]
    pub login: Option<String>,
    /// Shed order: −20 is shed last, 19 first.
    #[serde(default)]
    pub nice: i8,
}

/// What a machine's owner wants of it now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Desired {
    /// Installed and on.
    Running,
    /// Off; asked to stop first.
    Stopped,
    /// Off, at once.
    Killed,
    /// Wiped and given back.
    Released,
}

/// The eleven states of DESIGN.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Accepted, no parts yet.
    Pending,
    /// Parts are bound to it.
    Placed,
    /// Parts are checked and joined.
    Composing,
    /// On its way to the agent over the network.
    Booting,
    /// The image is written, then started.
    Installing,
    /// A login answers.
    Running,
    /// Off by wish.
    Stopped,
    /// On its way out: its system is asked to stop.
    Draining,
    /// Its disks are wiped.
    Wiping,
    /// Given back.
    Released,
    /// Someone must look.
    Held,
}

impl State {
    /// One letter, as `ps` shows it.
    pub fn letter(self) -> char {
        match self {
            State::Pending => 'P',
            State::Placed => 'L',
            State::Composing => 'C',
            State::Booting => 'B',
            State::Installing => 'I',
            State::Running => 'R',
            State::Stopped => 'T',
            State::Draining => 'D',
            State::Wiping => 'W',
            State::Released => 'X',
            State::Held => 'H',
        }
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            State::Pending => "pending",
            State::Placed => "placed",
            State::Composing => "composing",
            State::Booting => "booting",
            State::Installing => "installing",
            State::Running => "running",
            State::Stopped => "stopped",
            State::Draining => "draining",
            State::Wiping => "wiping",
            State::Released => "released",
            State::Held => "held",
        })
    }
}

/// The step inside a state: each is one thing that is made true and then seen to be true, so that it can be tried
/// again after a crash without doing anything twice (invariant I6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Nothing to do but wait for the world or the user.
    Rest,
    /// The BMC is asked whether this is still the box that was recorded.
    Verify,
    /// The power goes off, so that the next boot is ours.
    PowerOff,
    /// The next boot is set to the network.
    SetNetwork,
    /// The power goes on.
    PowerOn,
    /// The agent is awaited.
    AwaitAgent,
    /// The agent writes or wipes.
    Work,
    /// The agent is told to stop; the power is seen to go off.
    Settle,
    /// The next boot is set to the disk.
    SetDisk,
    /// The power goes on again.
    Start,
    /// The installed system is awaited.
    AwaitLogin,
    /// The BMC itself is restarted and awaited.
    ResetBmc,
    /// The power is cut at the outlets that feed the box, and given back; the BMC is awaited.
    CycleOutlets,
}

/// How hard the next try is: the ladder of DESIGN.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rung {
    /// The ordinary way.
    Gentle,
    /// Power forced, another way to boot.
    Hard,
    /// After a reset of the BMC.
    BmcReset,
    /// After the power was cut at the outlets.
    Outlet,
    /// On other parts.
    OtherParts,
}

/// How far a machine has come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// Its state.
    pub state: State,
    /// The step inside it.
    pub stage: Stage,
    /// When the state began.
    pub since: Time,
    /// When the stage began; its deadline counts from here.
    pub stage_since: Time,
    /// When the stage is late.
    pub deadline: Time,
    /// How hard this try is.
    pub rung: Rung,
    /// Tries of this state so far, this one included.
    pub tries: u32,
    /// Why it is as it is, in words (invariant I5).
    pub reason: String,
    /// What the last failure was, if there was one since it last ran.
    pub failure: Option<String>,
    /// The node that it is bound to.
    pub node: Option<NodeId>,
    /// That node's place, for people.
    pub place: Option<Place>,
    /// The disk that holds its system, by kernel name.
    pub disk: Option<String>,
    /// Whether anything may have been written to the disks.
    pub touched: bool,
    /// Its address on the boot network.
    #[schema(value_type = Option<String>)]
    pub address: Option<IpAddr>,
    /// Nodes that failed it; not tried again.
    pub avoid: Vec<NodeId>,
    /// The state that it was held in.
    pub held_from: Option<State>,
    /// Key of the wipe's record of proof.
    pub proof: Option<String>,
    /// Where the seconds went.
    pub timeline: Vec<Phase>,
}

impl Status {
    /// The status of a machine that was accepted at `now` and is placed by `deadline` or held.
    pub fn new(now: Time, deadline: Time) -> Status {
        Status {
            state: State::Pending,
            stage: Stage::Rest,
            since: now,
            stage_since: now,
            deadline,
            rung: Rung::Gentle,
            tries: 1,
            reason: "accepted; waits to be placed".into(),
            failure: None,
            node: None,
            place: None,
            disk: None,
            touched: false,
            address: None,
            avoid: Vec::new(),
            held_from: None,
            proof: None,
            timeline: vec![Phase {
                name: "place".into(),
                began: now,
                ended: None,
                bytes: None,
            }],
        }
    }
}

/// One line of a machine's timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Phase {
    /// `placed`, `firmware`, `write`, `first boot`, …
    pub name: String,
    /// When it began.
    pub began: Time,
    /// When it ended.
    pub ended: Option<Time>,
    /// Bytes moved in it, where bytes are what takes the time.
    pub bytes: Option<Bytes>,
}
