//! A host, its disks and a daemon in memory, with faults: for the tests of the generic agent.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use rack::agent::{AgentState, FoundDisk, FoundHardware, Order, WipeMethod, Work};
use rack::node::DriveBus;

use crate::seam::{Blob, Daemon, DaemonError, Disk, Future, Host, HostError};

/// How a disk answers to being erased.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Manners {
    /// `Host::erase`: says it did, and whether it truly does.
    pub(crate) erase: Option<(WipeMethod, bool)>,
    /// `Disk::discard`: promises zeroes, and whether that is true.
    pub(crate) discard: Option<bool>,
    /// This byte keeps its value whatever is written.
    pub(crate) stuck: Option<usize>,
    /// Writes at or after this byte fail.
    pub(crate) bad_from: Option<u64>,
}

#[derive(Debug, Default)]
pub(crate) struct Platter {
    pub(crate) bytes: Vec<u8>,
    pub(crate) manners: Manners,
    /// Bytes written since the last sync: a power cut may lose them.
    pub(crate) unsynced: u64,
    /// What the first MiB held each time something was written elsewhere.
    pub(crate) head_was_clear: bool,
}

#[derive(Debug, Default)]
pub(crate) struct MemoryHost {
    pub(crate) disks: BTreeMap<String, Arc<Mutex<Platter>>>,
    pub(crate) off: Mutex<bool>,
}

impl MemoryHost {
    pub(crate) fn with(disks: impl IntoIterator<Item = (&'static str, Vec<u8>, Manners)>) -> MemoryHost {
        let disks = disks.into_iter().map(|(name, bytes, manners)| {
            let platter = Platter {
                bytes,
                manners,
                unsynced: 0,
                head_was_clear: true,
            };
            (name.to_string(), Arc::new(Mutex::new(platter)))
        });
        MemoryHost {
            disks: disks.collect(),
            off: Mutex::new(false),
        }
    }

    pub(crate) fn bytes(&self, name: &str) -> Vec<u8> {
        self.disks[name].lock().unwrap().bytes.clone()
    }
}

impl Host for MemoryHost {
    fn boot_id(&self) -> String {
        "boot-1".to_string()
    }

    fn found(&self) -> Future<'_, Result<FoundHardware, HostError>> {
        let disks = self.disks.iter().map(|(name, platter)| FoundDisk {
            name: name.clone(),
            size: rack::Bytes(platter.lock().unwrap().bytes.len() as u64),
            bus: DriveBus::Virtio,
            model: None,
            serial: None,
            rotational: false,
        });
        let found = FoundHardware {
            disks: disks.collect(),
            ..FoundHardware::default()
        };
        Box::pin(async { Ok(found) })
    }

    fn open<'a>(&'a self, disk: &'a FoundDisk) -> Future<'a, Result<Box<dyn Disk>, HostError>> {
        let disk = MemoryDisk(self.disks[&disk.name].clone());
        Box::pin(async { Ok(Box::new(disk) as Box<dyn Disk>) })
    }

    fn erase<'a>(&'a self, disk: &'a FoundDisk) -> Future<'a, Result<Option<WipeMethod>, HostError>> {
        let mut platter = self.disks[&disk.name].lock().unwrap();
        let method = platter.manners.erase.map(|(method, truly)| {
            if truly {
                platter.fill(0);
            }
            method
        });
        Box::pin(async move { Ok(method) })
    }

    fn settle<'a>(&'a self, _: &'a FoundDisk) -> Future<'a, Result<(), HostError>> {
        Box::pin(async { Ok(()) })
    }

    fn power_off(&self) -> Future<'_, ()> {
        *self.off.lock().unwrap() = true;
        Box::pin(async {})
    }
}

impl Platter {
    fn put(&mut self, at: usize, data: &[u8]) {
        let stuck = self.manners.stuck.map(|n| (n, self.bytes[n]));
        self.bytes[at..at + data.len()].copy_from_slice(data);
        if let Some((n, value)) = stuck {
            self.bytes[n] = value;
        }
    }

    fn fill(&mut self, value: u8) {
        let all = vec![value; self.bytes.len()];
        self.put(0, &all);
    }
}

struct MemoryDisk(Arc<Mutex<Platter>>);

impl Disk for MemoryDisk {
    fn size(&self) -> u64 {
        self.0.lock().unwrap().bytes.len() as u64
    }

    fn write(&mut self, offset: u64, data: Bytes) -> Future<'_, Result<(), HostError>> {
        let mut platter = self.0.lock().unwrap();
        if platter
            .manners
            .bad_from
            .is_some_and(|bad| offset + data.len() as u64 > bad)
        {
            let source = std::io::Error::other("medium error");
            return Box::pin(async {
                Err(HostError {
                    attempt: "write".into(),
                    on: "disk".into(),
                    source,
                })
            });
        }
        if offset > 0 {
            let head = platter.bytes.len().min(1 << 20);
            platter.head_was_clear &= platter.bytes[..head].iter().all(|b| *b == 0);
        }
        platter.unsynced += data.len() as u64;
        platter.put(offset as usize, &data);
        Box::pin(async { Ok(()) })
    }

    fn read(&mut self, offset: u64, length: usize) -> Future<'_, Result<Bytes, HostError>> {
        let from = offset as usize;
        let data = Bytes::copy_from_slice(&self.0.lock().unwrap().bytes[from..from + length]);
        Box::pin(async { Ok(data) })
    }

    fn discard(&mut self, offset: u64, length: u64) -> Future<'_, Result<bool, HostError>> {
        let mut platter = self.0.lock().unwrap();
        let promised = platter.manners.discard;
        if promised == Some(true) {
            platter.put(offset as usize, &vec![0; length as usize]);
        }
        Box::pin(async move { Ok(promised.is_some()) })
    }

    fn sync(&mut self) -> Future<'_, Result<(), HostError>> {
        self.0.lock().unwrap().unsynced = 0;
        Box::pin(async { Ok(()) })
    }
}

/// A daemon that gives orders from a list: each holds until the agent reports its end, then the next.
#[derive(Debug, Default)]
pub(crate) struct MemoryDaemon {
    pub(crate) orders: Mutex<VecDeque<Order>>,
    pub(crate) blob: Vec<u8>,
    /// Sizes of the chunks that a blob comes in, over and over.
    pub(crate) chunks: Vec<usize>,
    /// The stream breaks at each of these bytes, once.
    pub(crate) breaks: Mutex<Vec<usize>>,
    /// Polls that fail first.
    pub(crate) deaf: Mutex<u32>,
    pub(crate) states: Mutex<Vec<Work>>,
    pub(crate) polls: Mutex<u32>,
    /// Blob requests, and from which byte.
    pub(crate) opened: Mutex<Vec<u64>>,
    /// Refuses every boot.
    pub(crate) refuses: bool,
}

impl Daemon for MemoryDaemon {
    fn poll<'a>(&'a self, state: &'a AgentState, wait: Duration) -> Future<'a, Result<Order, DaemonError>> {
        *self.polls.lock().unwrap() += 1;
        if self.refuses {
            return Box::pin(async { Err(DaemonError::Refused("unknown boot".into())) });
        }
        let mut deaf = self.deaf.lock().unwrap();
        if *deaf > 0 {
            *deaf -= 1;
            return Box::pin(async { Err(DaemonError::Unreachable("connection refused".into())) });
        }
        let mut orders = self.orders.lock().unwrap();
        self.states.lock().unwrap().push(state.work.clone());
        let ended = match &state.work {
            Work::Done { order, .. } | Work::Failed { order, .. } => Some(order.as_str()),
            _ => None,
        };
        if ended.is_some() && orders.front().is_some_and(|o| o.id() == ended) {
            orders.pop_front();
        }
        let order = orders.front().cloned().unwrap_or(Order::PowerOff);
        Box::pin(async move {
            if order == Order::Wait {
                tokio::time::sleep(wait).await;
            }
            Ok(order)
        })
    }

    fn blob<'a>(&'a self, _: &'a str, offset: u64) -> Future<'a, Result<Blob, DaemonError>> {
        self.opened.lock().unwrap().push(offset);
        let from = offset as usize;
        let mut breaks = self.breaks.lock().unwrap();
        let stop = breaks.iter().position(|at| *at >= from).map(|n| breaks.remove(n));
        let mut rest = &self.blob[from..stop.unwrap_or(self.blob.len()).min(self.blob.len())];
        let mut parts = Vec::new();
        let mut sizes = self.chunks.iter().cycle();
        while !rest.is_empty() {
            let take = sizes.next().map_or(rest.len(), |n| (*n).clamp(1, rest.len()));
            parts.push(Ok(Bytes::copy_from_slice(&rest[..take])));
            rest = &rest[take..];
        }
        if stop.is_some() {
            parts.push(Err(DaemonError::Unreachable("connection reset".into())));
        }
        Box::pin(async move { Ok(Box::pin(stream::iter(parts)) as Blob) })
    }
}
