//! Every decision, as a pure function from an immutable snapshot.
//!
//! In goes a [`rack::World`], a wish and a time; out comes what to do, or a refusal that names each candidate and what
//! ruled it out. No I/O, no async, no clock, no randomness: a decision can be printed, tested and made again.
//! Start at [`lifecycle::next`] for the machine's life and at [`place::place`] for where it lives.

pub mod adopt;
pub mod elevation;
pub mod events;
mod feeds;
pub mod filter;
pub mod free;
pub mod fsck;
pub mod lifecycle;
pub mod near;
pub mod order;
pub mod place;
pub mod policy;
pub mod power;
pub mod pressure;
pub mod rollout;
pub mod settings;
pub mod whatif;
pub mod why;

pub use lifecycle::{Act, Observed, Step, next};
pub use place::{Refusal, place};
pub use policy::Policy;
