//! What a client may ask for, and what it is shown beyond the stored objects: the words of the API that the command
//! line and the daemon share.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::shed::Shed;
use crate::{Bytes, Event, Image, Machine, Name, Node, Place, PowerState, Reading, Time};

/// A machine that someone wants: `POST /v1/machines`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RunRequest {
    /// Its name; one is made from the image's when absent.
    pub name: Option<Name>,
    /// Name of an image in the image store. Required.
    pub image: Option<Name>,
    /// Only here: a node's place, or a rack.
    pub on: Option<Place>,
    /// At least this many cores.
    pub cores: u32,
    /// At least this much memory, in bytes.
    pub memory: Bytes,
    /// At least this large a disk, in bytes.
    pub disk: Bytes,
    /// At least this many GPUs.
    pub gpus: u32,
    /// Host name; the machine's name when absent.
    pub host_name: Option<String>,
    /// `authorized_keys` lines.
    pub ssh_keys: Vec<String>,
    /// User data for cloud-init.
    pub user_data: Option<String>,
    /// The image's login user, for the command that is shown at the end.
    pub login: Option<String>,
    /// Shed order, −20 to 19.
    pub nice: i8,
    /// How long it may wait for parts, in seconds. With 0 it is refused at once when it doesn't fit now.
    pub wait_seconds: u64,
}

/// A power verb for a machine: `POST /v1/machines/{name}/signal`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// Ask the system to stop, then switch off.
    Term,
    /// Switch off at once.
    Kill,
    /// Switch on; on a held machine: try again from the beginning of what failed.
    Cont,
}

/// BMCs to discover: `POST /v1/discover`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DiscoverRequest {
    /// The rack that they stand in.
    pub rack: Option<Name>,
    /// Addresses (`10.0.0.5`, `10.0.0.5:8000`, `https://bmc7:8443`), ranges (`10.0.0.5-20`) or networks (`10.0.0.0/26`).
    pub targets: Vec<String>,
    /// Name of the credential to use.
    pub credential: Option<Name>,
    /// The slot of the only system found there, when one address is given.
    pub slot: Option<Name>,
}

/// A BMC credential: `PUT /v1/credentials/{name}`. It can be written and replaced but never read back.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CredentialRequest {
    /// User name.
    pub user: String,
    /// Password. Sealed before it is stored.
    pub password: String,
}

impl std::fmt::Debug for CredentialRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CredentialRequest")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// Arms or disarms a place: `POST /v1/arm`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ArmRequest {
    /// A rack or a node's place.
    pub place: Place,
    /// Whether Busbar may write to it from now on.
    pub armed: bool,
}

/// Where an image comes from: `POST /v1/images`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImageRequest {
    /// What to call it.
    pub name: Name,
    /// A path on the daemon's machine (a disk, raw or zstd; an OCI layout folder) or `registry/name:tag`.
    pub source: String,
}

/// A node as it is shown: recorded, and seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NodeView {
    /// What is recorded.
    #[serde(flatten)]
    pub node: Node,
    /// Why no machine would be placed on it now, in words; empty for one that is free. Whether its BMC answers is in `live`.
    pub unfit: Vec<String>,
    /// What is seen.
    pub live: NodeLive,
}

/// What is seen of a node now: kept in memory only.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct NodeLive {
    /// Power state at the last answer.
    pub power: Option<PowerState>,
    /// When its BMC last answered.
    pub seen: Option<Time>,
    /// Why its BMC doesn't answer, when it doesn't.
    pub silent: Option<String>,
    /// Readings, each with its time.
    pub readings: Vec<Reading>,
}

/// A machine as it is shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MachineView {
    /// What is recorded. User data is left out of every answer.
    #[serde(flatten)]
    pub machine: Machine,
    /// What its agent does now.
    pub progress: Option<Progress>,
    /// Watts of its node, when there is a fresh reading.
    pub watts: Option<f64>,
    /// Inlet temperature of its node, when there is a fresh reading.
    pub inlet: Option<f64>,
    /// Power state of its node at the last answer.
    pub power: Option<PowerState>,
    /// Power cap of its node in watts: what is wanted, else what was last seen in force; nothing when there is none.
    #[serde(default)]
    pub cap: Option<f64>,
    /// What is taken from it so that nothing trips, when anything is.
    #[serde(default)]
    pub shed: Option<Shed>,
    /// What its node is made of.
    #[serde(default)]
    pub made_of: Option<MadeOf>,
    /// Seconds that a phase of its timeline may take in one try, by the phase's name; what waits for parts has no entry.
    #[serde(default)]
    pub budgets: std::collections::BTreeMap<String, u64>,
}

/// What a node is made of, in a few numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MadeOf {
    /// Cores of all sockets.
    pub cores: u32,
    /// Memory in bytes.
    pub memory: Bytes,
    /// GPUs.
    pub gpus: u32,
    /// Drives that its BMC tells of, together, in bytes.
    pub storage: Bytes,
}

impl From<&Node> for MadeOf {
    fn from(node: &Node) -> MadeOf {
        MadeOf {
            cores: node.cores(),
            memory: node.memory(),
            gpus: node.gpus(),
            storage: node.storage(),
        }
    }
}

/// How far an agent is with its work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Progress {
    /// `write`, `wipe`, …
    pub phase: String,
    /// Bytes done.
    pub done: Bytes,
    /// Bytes in all.
    pub total: Bytes,
    /// When the agent said so.
    pub at: Time,
}

/// Why something is as it is: `GET /v1/why/{name or place}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Why {
    /// What was asked about.
    pub about: String,
    /// What is, in one line.
    pub headline: String,
    /// Because of what, most direct first.
    pub because: Vec<String>,
    /// What will happen next by itself, and when at the latest.
    pub next: Vec<String>,
    /// Commands that change it.
    pub ways_out: Vec<String>,
}

/// An event with its place in the order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventView {
    /// Counts up by one.
    pub sequence: u64,
    /// The event.
    #[serde(flatten)]
    pub event: Event,
}

/// A PDU or another box that is read but is no machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DeviceView {
    /// Where it stands.
    pub place: Place,
    /// `pdu`, …
    pub kind: String,
    /// Maker, when told.
    pub maker: Option<String>,
    /// Model, when told.
    pub model: Option<String>,
    /// Serial, when told.
    pub serial: Option<String>,
    /// Firmware version, when told.
    #[serde(default)]
    pub firmware: Option<String>,
    /// Address of the service that answers for it.
    #[serde(default)]
    pub url: String,
    /// Its path there.
    #[serde(default)]
    pub path: String,
    /// What each input of a PDU is rated for; empty when it does not tell that of all.
    #[serde(default)]
    pub mains: Vec<crate::free::Rating>,
    /// Worst health of its parts.
    #[serde(default)]
    pub health: crate::Health,
    /// Readings.
    pub readings: Vec<Reading>,
    /// Its outlets, when it has some.
    #[serde(default)]
    pub outlets: Vec<OutletView>,
}

/// One outlet of a PDU as it was last seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OutletView {
    /// As the PDU counts it.
    pub id: String,
    /// What someone wrote on it.
    pub label: Option<String>,
    /// Whether it is switched on.
    pub power: Option<PowerState>,
    /// Watts drawn.
    pub watts: Option<f64>,
    /// Amperes drawn.
    pub amps: Option<f64>,
    /// Whether it can be switched.
    pub switched: bool,
}

/// What a rotation of a credential came to: `POST /v1/credentials/{name}/rotate`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Rotated {
    /// BMCs that have the new password.
    pub done: Vec<String>,
    /// BMCs that still have the old one, each with the reason; ask again to go on.
    pub left: Vec<String>,
}

/// Switches an outlet: `POST /v1/outlets`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OutletRequest {
    /// Where the PDU stands.
    pub pdu: Place,
    /// The outlet.
    pub outlet: String,
    /// What it is told.
    pub order: OutletVerb,
}

/// What an outlet is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutletVerb {
    /// Power on.
    On,
    /// Power off.
    Off,
    /// Off, a pause, on.
    Cycle,
}

/// Who asks: the bearer of a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Who {
    /// The token's name.
    pub name: Name,
    /// What it may do.
    pub role: Role,
}

/// Who asks: `GET /v1/me`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Me {
    /// The token's name.
    pub name: Name,
    /// What it may do.
    pub role: Role,
    /// When the session ends; null for who bears a token, which does not.
    pub expires: Option<Time>,
    /// Whether any rack here is made of software.
    pub emulator: bool,
}

/// What a token may do; each includes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Look.
    Reader,
    /// Run, stop and release machines; add images.
    Operator,
    /// Everything: arm, credentials, tokens, dump.
    Admin,
}

/// A token as it is listed: never its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenView {
    /// Its name.
    pub name: Name,
    /// What it may do.
    pub role: Role,
    /// When it was made.
    pub created: Time,
}

/// A token that was just made: the only time that its secret is shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewToken {
    /// What is listed of it.
    #[serde(flatten)]
    pub token: TokenView,
    /// The secret, to be sent as `Authorization: Bearer …`.
    pub secret: String,
}

/// What the daemon says of itself: `GET /v1/status`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Summary {
    /// Busbar's version.
    pub version: String,
    /// Racks with their numbers of nodes: (name, nodes, armed, emulated).
    pub racks: Vec<RackSummary>,
    /// Machines by state.
    pub machines: std::collections::BTreeMap<String, u32>,
    /// Images.
    pub images: Vec<Image>,
    /// Revision of the store.
    pub revision: u64,
    /// The daemon's checks: what `busbar doctor` shows.
    pub checks: Vec<Check>,
}

/// One rack in the summary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RackSummary {
    /// Its name.
    pub name: Name,
    /// Whether it is made of software.
    pub emulated: bool,
    /// Nodes in it.
    pub nodes: u32,
    /// Nodes that may be written to.
    pub armed: u32,
    /// Nodes that are free to be given out.
    pub free: u32,
    /// Nodes whose BMC doesn't answer.
    pub silent: u32,
    /// Other devices: PDUs.
    pub devices: u32,
}

/// One check of `busbar doctor`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Check {
    /// What was checked.
    pub name: String,
    /// How it went.
    pub verdict: Verdict,
    /// What was found.
    pub found: String,
    /// What to do, when it isn't fine.
    pub hint: Option<String>,
}

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Fine.
    Ok,
    /// Works, but look.
    Warning,
    /// Doesn't work.
    Failed,
}
