//! What the agent stands on: a host with disks, and a daemon that gives orders. Each has two implementations that
//! users run: Linux and the emulated server; a socket and, under the simulation's virtual clock, a direct call.

use std::future::Future as StdFuture;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::Stream;
use rack::agent::{AgentState, FoundDisk, FoundHardware, Order, WipeMethod};

/// A boxed future, so that the seams are object safe.
pub type Future<'a, T> = Pin<Box<dyn StdFuture<Output = T> + Send + 'a>>;

/// What can go wrong on the host.
#[derive(Debug, thiserror::Error)]
#[error("{attempt} on {on}: {source}")]
pub struct HostError {
    /// What was attempted: `write 1 MiB at 4096`.
    pub attempt: String,
    /// On what: `vda`.
    pub on: String,
    /// What the system said.
    pub source: std::io::Error,
}

/// The machine that the agent runs on.
pub trait Host: Send + Sync + 'static {
    /// Tells this boot from every other.
    fn boot_id(&self) -> String;
    /// What the machine is made of, looked at anew each time.
    fn found(&self) -> Future<'_, Result<FoundHardware, HostError>>;
    /// Opens a disk by kernel name for reading and writing, exclusively.
    fn open<'a>(&'a self, disk: &'a FoundDisk) -> Future<'a, Result<Box<dyn Disk>, HostError>>;
    /// Erases a whole disk by the best method that the *device itself* has (sanitize, format, secure erase), best first,
    /// and says which one it was; `Ok(None)` when it has none, so that the caller discards or overwrites.
    fn erase<'a>(&'a self, disk: &'a FoundDisk) -> Future<'a, Result<Option<WipeMethod>, HostError>>;
    /// Makes the kernel forget and read again the partition table, so that the disk is whole for what comes next.
    fn settle<'a>(&'a self, disk: &'a FoundDisk) -> Future<'a, Result<(), HostError>>;
    /// Syncs and switches the machine off. Does not return on a real one.
    fn power_off(&self) -> Future<'_, ()>;
}

/// A disk that is open. Offsets and lengths are multiples of [`BLOCK`], but for the last write of an image
/// and what ends with a disk whose size is not one.
pub trait Disk: Send {
    /// Capacity in bytes.
    fn size(&self) -> u64;
    /// Writes all of `data` at `offset`.
    fn write(&mut self, offset: u64, data: Bytes) -> Future<'_, Result<(), HostError>>;
    /// Reads exactly `length` bytes at `offset`, past any cache of written data.
    fn read(&mut self, offset: u64, length: usize) -> Future<'_, Result<Bytes, HostError>>;
    /// Discards a range; `true` when the device promises that it reads as zeroes from now on.
    fn discard(&mut self, offset: u64, length: u64) -> Future<'_, Result<bool, HostError>>;
    /// Makes everything written durable.
    fn sync(&mut self) -> Future<'_, Result<(), HostError>>;
}

/// Smallest unit that disks are written in.
pub const BLOCK: usize = 4096;

/// What can go wrong in talking to the daemon.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// No answer, or a broken one: ask again.
    #[error("no answer from the daemon: {0}")]
    Unreachable(String),
    /// The daemon does not know this boot any more: there is nothing to do but switch off.
    #[error("the daemon refused this boot: {0}")]
    Refused(String),
}

/// A blob as it arrives.
pub type Blob = Pin<Box<dyn Stream<Item = Result<Bytes, DaemonError>> + Send>>;

/// Who gives the orders.
pub trait Daemon: Send + Sync + 'static {
    /// Posts the state and takes the order that holds now; the daemon may hold the answer back for `wait`.
    fn poll<'a>(&'a self, state: &'a AgentState, wait: Duration) -> Future<'a, Result<Order, DaemonError>>;
    /// Opens a blob at `offset` (HTTP range), so that a broken download goes on where it broke.
    fn blob<'a>(&'a self, path: &'a str, offset: u64) -> Future<'a, Result<Blob, DaemonError>>;
}
