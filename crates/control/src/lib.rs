//! The loops: watch → plan → act.
//!
//! A loop has no input but the world: it wakes on a change or a timer, reads the snapshot, asks `plan`, acts through
//! `hardware` and `boot`, and writes what it saw to `store`. A crash at any line is harmless, as the next wake-up sees
//! the same world: what must outlive the process is in the store before anything is done about it, and what is only in
//! memory ([`live`]) is seen again by looking.
//!
//! Start at [`house::House`], which the API talks to and which owns the loops; then [`machines`], the loop that carries
//! a machine through its life. Everything that differs under the simulation's virtual clock is passed in: [`env::Env`].

mod act;
mod agents;
mod armed;
mod bell;
mod change;
pub mod consoles;
pub mod desk;
mod discover;
mod doctor;
mod drift;
mod elevation;
pub mod env;
mod events;
mod fleet;
pub mod history;
pub mod house;
mod images;
mod inventory;
pub mod keys;
mod lab;
mod live;
mod machines;
pub mod meters;
mod no_bmc;
mod outlets;
pub mod power;
mod pressure;
pub mod rackfile;
pub mod record;
mod requests;
mod rollouts;
mod rotate;
pub mod secrets;
pub mod sessions;
mod settings;
mod standing;
mod targets;
mod tokens;
mod verbs;
mod vitals;

pub use bell::Listener;
pub use consoles::ConsoleWait;
pub use env::{BootNetwork, Config, Env};
pub use house::{AddProgress, House, HouseError};
