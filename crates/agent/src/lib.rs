//! What runs on a machine: the first process of the boot kit.
//!
//! [`run()`] is the agent itself: it asks the daemon, carries out one order at a time ([`install`], [`wipe`]) and knows
//! nothing of Linux, HTTP or the daemon's reasons; it stands on [`seam`]. [`linux`] is the real machine below it
//! ([`init`] is what the kernel starts), [`http`] the real daemon above it. [`kit`] builds what machines netboot: a
//! kernel and an initramfs with this program in it. Start reading at `run.rs`.

pub mod http;
pub mod install;
pub mod kit;
pub mod linux;
mod progress;
mod run;
pub mod seam;
pub mod wipe;

#[cfg(test)]
mod memory;

pub use linux::init;
pub use run::run;
