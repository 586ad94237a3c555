//! The rack's life in simulated time: the house, the store and an emulated rack in one thread under a virtual clock. BMCs
//! hang, lie, reboot and answer late, feeds fail, disks fill, the store fails before and after a commit, the clock steps,
//! the daemon dies at any await, and users ask for things meanwhile. The invariants hold after every commit; once luck
//! turns, everything comes to rest, and every machine can be given back with its disks proven wiped.
//!
//! What happens is a [`Story`], an explicit list that follows from a seed. [`run`] tells it; a story that fails does so
//! every time, and [`shrink()`] finds a small one that fails in the same way, as one line. [`campaign`] tells many.
//! Start at [`city`]. Nothing here is part of the product; it knows every floor up to `control` and has no double of any.

pub mod campaign;
pub mod city;
mod dice;
mod quiet;
mod rest;
mod rig;
pub mod shrink;
pub mod story;
mod tally;
mod truth;
mod users;
mod weather;
mod wires;

pub use city::{Outcome, run, run_with};
pub use shrink::shrink;
pub use story::{Size, Story};
pub use tally::Tally;
pub use truth::Broken;
