//! Serial consoles: recorded while they are wanted, read with scroll-back, typed at by one at a time.
//!
//! **Which are wanted.** The console of every armed node that a machine holds, from its placement until it is given back:
//! what a kernel said last is wanted after it died, so it must have been recorded before anybody looked. Besides, for
//! [`ASKED`], any armed node's whose console someone looks at. At most [`crate::Config::consoles`] at once, those that are
//! looked at first.
//!
//! **Read or act.** Opening a console is a session on the BMC, which often has only one to give, so it is an act: only
//! where armed, and in the audit log before it is done (invariant I4). One line stands for the whole time that it is held
//! open, reconnects included. Looking at what is recorded reads nothing from the box and needs no arming. Taking the pen is
//! an act of its own, with its own line; what is typed is in no log, as passwords are typed there.
//!
//! **What is kept.** [`ring::KEPT`] bytes of each node, with offsets that only grow: in memory, and in `consoles/` of the
//! state folder, so that a restart of the daemon loses only what is printed meanwhile. The next machine on a node begins
//! with an empty record: nobody reads what another's system has said.
//!
//! **Whose console.** An SSH host key is learnt at the first login that goes well, stored, and expected from then on;
//! `House::trust` forgets it.
//!
//! Here is what the API asks; [`hold`] is the loop, [`ring`] the record.

mod hold;
mod ring;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use rack::console::{ConsoleInput, ConsoleLink, ConsolePen, ConsoleView};
use rack::request::Who;
use rack::{Name, Node, NodeId, Place, Time};
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, mpsc, watch};
use uuid::Uuid;

use crate::House;
use crate::house::{HouseError, must_be_armed};

pub(crate) use hold::run;
use ring::Ring;

/// How long a console is held open after someone last looked.
pub const ASKED: Duration = Duration::from_secs(10 * 60);
/// A pen that wrote nothing for so long is free: its owner went home.
const PEN: Duration = Duration::from_secs(10 * 60);
/// Bytes of one answer; a long record is read in some.
const ANSWER: usize = 64 << 10;
/// Bytes that are typed at once: a pasted script.
const TYPED: usize = 16 << 10;
/// Longest name of a writer.
const WRITER: usize = 64;
/// Longest that typing waits for a slow line: 16 KiB take 14 s at 9600 baud.
const PATIENCE: Duration = Duration::from_secs(20);

/// The SSH host key that a service's console is known by, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredHostKey {
    /// `SHA256:…`
    pub fingerprint: String,
}

/// Every console that is recorded or was looked at lately.
#[derive(Default)]
pub(crate) struct Consoles {
    recordings: Mutex<HashMap<NodeId, Arc<Recording>>>,
    /// Wakes the loop: someone looks at a console that is not held open.
    poke: Notify,
}

/// One console.
pub(crate) struct Recording {
    now: Mutex<Now>,
    /// Counts with everything that a reader may wait for.
    changed: watch::Sender<u64>,
    /// Whether it is to be held open.
    wanted: watch::Sender<bool>,
    /// Ends a pause between two tries.
    again: Notify,
}

#[derive(Default)]
struct Now {
    ring: Ring,
    machine: Option<Uuid>,
    link: Link,
    /// Counts with the link and the pen, and not with what is printed.
    states: u64,
    pen: Option<Pen>,
    input: Option<mpsc::Sender<Bytes>>,
    asked: Option<(Time, Name)>,
}

#[derive(Default)]
enum Link {
    #[default]
    Closed,
    Opening,
    Open,
    Lost(String),
    /// Until then nobody asks again: firmware may be updated.
    None(String, Time),
}

struct Pen {
    by: Name,
    writer: String,
    since: Time,
    used: Time,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Recording {
    fn new(ring: Ring, machine: Option<Uuid>) -> Recording {
        let now = Now {
            ring,
            machine,
            ..Now::default()
        };
        Recording {
            now: Mutex::new(now),
            changed: watch::Sender::new(0),
            wanted: watch::Sender::new(false),
            again: Notify::new(),
        }
    }

    /// Changes it and tells whoever waits. Nothing is awaited in `change`.
    fn change<R>(&self, change: impl FnOnce(&mut Now) -> R) -> R {
        let result = change(&mut lock(&self.now));
        self.changed.send_modify(|n| *n = n.wrapping_add(1));
        result
    }

    fn set_link(&self, link: Link) {
        self.change(|now| {
            now.link = link;
            now.states = now.states.wrapping_add(1);
        });
    }
}

impl Now {
    fn looked_at(&self, at: Time) -> bool {
        self.asked.as_ref().is_some_and(|(asked, _)| at.since(*asked) < ASKED)
    }

    fn pen(&self, at: Time) -> Option<&Pen> {
        self.pen.as_ref().filter(|p| at.since(p.used) < PEN)
    }

    fn view(&self, place: &Place, from: Option<u64>, at: Time) -> ConsoleView {
        let piece = self.ring.read(from, ANSWER);
        let next = piece.from + piece.bytes.len() as u64;
        let (link, why) = match &self.link {
            Link::Closed => (ConsoleLink::Closed, None),
            Link::Opening => (ConsoleLink::Opening, None),
            Link::Open => (ConsoleLink::Open, None),
            Link::Lost(why) => (ConsoleLink::Lost, Some(why.clone())),
            Link::None(why, _) => (ConsoleLink::None, Some(why.clone())),
        };
        ConsoleView {
            place: place.clone(),
            link,
            why,
            pen: self.pen(at).map(|p| ConsolePen {
                by: p.by.clone(),
                since: p.since,
            }),
            from: piece.from,
            next,
            lost: piece.lost,
            more: next < self.ring.end(),
            data: STANDARD.encode(&piece.bytes),
        }
    }
}

/// What a reader has already, and how long it waits for more.
#[derive(Debug, Clone, Copy, Default)]
pub struct ConsoleWait {
    /// Offset to read from; the oldest that is kept without one.
    pub from: Option<u64>,
    /// The count of the last answer: a link or a pen that changes ends the wait too.
    pub after: Option<u64>,
    /// How long to wait for either.
    pub wait: Duration,
}

impl House {
    /// What a console printed, and the count to wait on next. Who looks at it makes it be held open for [`ASKED`], where
    /// that is allowed.
    pub async fn console(&self, who: &Who, of: &str, read: ConsoleWait) -> Result<(ConsoleView, u64), HouseError> {
        let node = self.console_node(of)?;
        let recording = self.recording(&node.id).await;
        let mut changed = recording.changed.subscribe();
        if node.armed {
            let attaches = read.after.is_none();
            self.ask(&recording, who, attaches);
        } else if lock(&recording.now).ring.is_empty() {
            // There is nothing to show, and it may not be opened.
            must_be_armed(&node)?;
        }
        let ready = |now: &Now| {
            let from = read.from.unwrap_or(0);
            (now.ring.end() > from && !now.ring.is_empty()) || read.after.is_some_and(|after| after != now.states)
        };
        let wait = async { while !ready(&lock(&recording.now)) && changed.changed().await.is_ok() {} };
        let _ = tokio::time::timeout(read.wait, wait).await;
        let now = lock(&recording.now);
        Ok((now.view(&node.place, read.from, self.now()), now.states))
    }

    /// Types at a console. The first who does has the pen; others are refused until it is given back, taken, or unused
    /// for [`PEN`].
    pub async fn type_at_console(&self, who: &Who, of: &str, input: ConsoleInput) -> Result<(), HouseError> {
        let node = self.console_node(of)?;
        must_be_armed(&node)?;
        let invalid = |what: &str| HouseError::Invalid { what: what.to_owned() };
        if input.writer.is_empty() || input.writer.len() > WRITER {
            return Err(invalid("`writer` is 1 to 64 bytes long"));
        }
        let bytes = STANDARD
            .decode(&input.data)
            .map_err(|_| invalid("`data` is not base64"))?;
        if bytes.len() > TYPED {
            return Err(invalid("more than 16 KiB are typed at once; send it in pieces"));
        }
        let recording = self.recording(&node.id).await;
        self.ask(&recording, who, false);
        let mine = |pen: &Pen| pen.by == who.name && pen.writer == input.writer;
        let held = |now: &Now, at: Time| match now.pen(at) {
            Some(pen) if mine(pen) => Ok(true),
            Some(pen) if !input.take => Err(HouseError::Conflict {
                what: format!(
                    "{} types at {} since {}; take the pen over with --take",
                    pen.by, node.place, pen.since
                ),
            }),
            _ => Ok(false),
        };
        if !held(&lock(&recording.now), self.now())? {
            if input.leave && bytes.is_empty() {
                return Ok(());
            }
            let what = "types at the serial console".into();
            self.permit(&node.id, node.place.as_ref(), what, "asked for", who.name.as_str())
                .await?;
            let at = self.now();
            recording.change(|now| {
                // Someone else may have been faster while this one's line was written.
                held(now, at)?;
                now.pen = Some(Pen {
                    by: who.name.clone(),
                    writer: input.writer.clone(),
                    since: at,
                    used: at,
                });
                now.states = now.states.wrapping_add(1);
                Ok::<(), HouseError>(())
            })?;
        }
        if !bytes.is_empty() {
            let line = {
                let mut now = lock(&recording.now);
                let at = self.now();
                if let Some(pen) = now.pen.as_mut().filter(|p| mine(p)) {
                    pen.used = at;
                }
                now.input.clone().ok_or_else(|| now.not_open(&node.place))?
            };
            let typed = tokio::time::timeout(PATIENCE, line.send(bytes.into())).await;
            if !matches!(typed, Ok(Ok(()))) {
                let place = &node.place;
                return Err(HouseError::Unreachable(format!(
                    "the serial console of {place} takes no input"
                )));
            }
        }
        if input.leave {
            recording.change(|now| {
                now.pen = None;
                now.states = now.states.wrapping_add(1);
            });
        }
        Ok(())
    }

    /// The node of a machine, or at a place.
    fn console_node(&self, of: &str) -> Result<Arc<Node>, HouseError> {
        let missing = || HouseError::NotFound {
            kind: "machine or place",
            name: of.chars().take(80).collect(),
        };
        let world = self.world();
        if let Some(machine) = of.parse::<Name>().ok().and_then(|n| world.machines.get(&n)) {
            let node = machine.status.node.as_ref().and_then(|id| world.nodes.get(id));
            return node.cloned().ok_or_else(|| HouseError::Conflict {
                what: format!("{of} is on no node now"),
            });
        }
        let place: Place = of.parse().map_err(|_| missing())?;
        world.node_at(&place).cloned().ok_or_else(missing)
    }

    /// Someone looks.
    fn ask(&self, recording: &Recording, who: &Who, attaches: bool) {
        let at = self.now();
        let fresh = {
            let mut now = lock(&recording.now);
            now.asked = Some((at, who.name.clone()));
            if attaches && let Link::None(_, until) = &mut now.link {
                *until = at;
            }
            !*recording.wanted.borrow()
        };
        if fresh {
            self.inner.consoles.poke.notify_one();
        } else if attaches {
            recording.again.notify_one();
        }
    }

    /// The record of a node, read from disk the first time.
    async fn recording(&self, node: &NodeId) -> Arc<Recording> {
        let known = |all: &HashMap<NodeId, Arc<Recording>>| all.get(node).cloned();
        if let Some(recording) = known(&lock(&self.inner.consoles.recordings)) {
            return recording;
        }
        let (ring, machine) = match self.console_file(node) {
            Some(path) => ring::load(&path).await,
            None => Default::default(),
        };
        let mut all = lock(&self.inner.consoles.recordings);
        let made = || Arc::new(Recording::new(ring, machine));
        Arc::clone(all.entry(node.clone()).or_insert_with(made))
    }

    fn console_file(&self, node: &NodeId) -> Option<PathBuf> {
        let config = &self.inner.env.config;
        let kept = config.consoles > 0 && !config.state.as_os_str().is_empty();
        kept.then(|| config.state.join("consoles").join(format!("{node}.console")))
    }
}

impl Now {
    fn not_open(&self, place: &Place) -> HouseError {
        let why = match &self.link {
            Link::Lost(why) | Link::None(why, _) => format!(": {why}"),
            _ => String::new(),
        };
        HouseError::Unreachable(format!("the serial console of {place} is not open now{why}"))
    }
}
