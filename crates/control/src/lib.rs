//! The loops: watch → plan → act.
//!
//! A loop has no input but the world: it wakes on a change or a timer, reads the snapshot, asks `plan`, acts through
//! `hardware` and `boot`, and writes what it saw to `store`. A crash at any line is harmless, as the next wake-up sees
//! the same world. Start at [`house::House`], which the API talks to.

pub mod house;
