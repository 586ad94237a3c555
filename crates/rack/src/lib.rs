//! The nouns of a rack and nothing else: nodes and their parts, machines, images, readings, and the words that
//! the floors above exchange about them.
//!
//! This crate knows no I/O, no async, no clock and no randomness: a time or an id is always an argument. It is the
//! vocabulary of the store, of the API and of the agent's wire protocol, so a change here is a change of all three.
//! Start at [`node::Node`] and [`machine::Machine`]; [`invariants`] says what must always hold between them.

pub mod agent;
pub mod console;
pub mod elevation;
pub mod event;
pub mod free;
pub mod history;
pub mod image;
pub mod intent;
pub mod invariants;
pub mod machine;
pub mod metadata;
pub mod name;
pub mod node;
pub mod power;
pub mod reading;
pub mod request;
pub mod rollout;
pub mod setting;
pub mod shed;
pub mod time;
pub mod units;
pub mod vitals;
pub mod world;

pub use agent::{AgentState, Order};
pub use event::{Event, Level};
pub use image::Image;
pub use machine::{Ask, Desired, Machine, Stage, State, Status};
pub use name::{Mac, Name, NodeId, Place};
pub use node::{BootTarget, Health, Identity, Node, Part, PartKind, PowerState, ResetKind, Tenancy};
pub use reading::{Reading, Unit};
pub use time::Time;
pub use units::{Bytes, Celsius, Watts};
pub use world::World;
