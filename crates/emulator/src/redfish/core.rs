//! What every BMC has: sessions, events, tasks.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rack::Time;
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::{Value, json};
use tokio::sync::broadcast;
use tokio::time::Instant;

/// Sessions at once; OpenBMC allows 64, many BMCs far fewer.
const SESSIONS: usize = 32;
/// A session that is not used ends after this, unless set otherwise.
const SESSION_SECONDS: u64 = 1800;
/// Events that are kept for those who come back with `Last-Event-ID`, and entries of the log.
const EVENTS: usize = 64;
/// Tasks that are kept.
const TASKS: usize = 16;

/// A session.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) id: u64,
    pub(crate) user: String,
    token: String,
    used: Instant,
}

/// An event.
#[derive(Debug, Clone)]
pub(crate) struct Happened {
    pub(crate) id: u64,
    pub(crate) at: Time,
    pub(crate) message_id: String,
    pub(crate) text: String,
    pub(crate) origin: String,
}

impl Happened {
    pub(crate) fn event(&self) -> Value {
        json!({
            "@odata.type": "#Event.v1_9_0.Event",
            "Id": self.id.to_string(),
            "Name": "Event",
            "Events": [{
                "EventId": self.id.to_string(),
                "MemberId": "0",
                "EventType": "StatusChange",
                "EventTimestamp": self.at.to_string(),
                "MessageId": self.message_id,
                "Message": self.text,
                "MessageSeverity": "OK",
                "OriginOfCondition": {"@odata.id": self.origin},
            }],
        })
    }
}

/// A task.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) started: Time,
    /// When it is done, on the rack's timer.
    pub(crate) until: Instant,
}

struct Inner {
    next: u64,
    timeout: u64,
    sessions: Vec<Session>,
    events: VecDeque<Happened>,
    tasks: VecDeque<Task>,
}

/// The state of one BMC.
pub(crate) struct BmcCore {
    pub(crate) uuid: uuid::Uuid,
    inner: Mutex<Inner>,
    tx: broadcast::Sender<Happened>,
}

impl BmcCore {
    pub(crate) fn new(serial: &str, seed: u64) -> BmcCore {
        let inner = Inner {
            next: 0,
            timeout: SESSION_SECONDS,
            sessions: Vec::new(),
            events: VecDeque::new(),
            tasks: VecDeque::new(),
        };
        BmcCore {
            uuid: uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, format!("bmc {seed} {serial}").as_bytes()),
            inner: Mutex::new(inner),
            tx: broadcast::channel(EVENTS).0,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let (now, limit) = (Instant::now(), Duration::from_secs(inner.timeout));
        inner.sessions.retain(|s| now.duration_since(s.used) < limit);
        inner
    }

    pub(crate) fn emit(&self, at: Time, message_id: &str, text: &str, origin: &str) {
        let mut inner = self.lock();
        inner.next += 1;
        let event = Happened {
            id: inner.next,
            at,
            message_id: message_id.to_string(),
            text: text.to_string(),
            origin: origin.to_string(),
        };
        if inner.events.len() >= EVENTS {
            inner.events.pop_front();
        }
        inner.events.push_back(event.clone());
        // Err: nobody listens
        let _ = self.tx.send(event);
    }

    /// The kept events after this one, and those to come, without a gap.
    pub(crate) fn subscribe(&self, after: Option<u64>) -> (Vec<Happened>, broadcast::Receiver<Happened>) {
        let inner = self.lock();
        let kept = match after {
            Some(after) => inner.events.iter().filter(|e| e.id > after).cloned().collect(),
            None => Vec::new(),
        };
        (kept, self.tx.subscribe())
    }

    pub(crate) fn events(&self) -> Vec<Happened> {
        self.lock().events.iter().cloned().collect()
    }

    pub(crate) fn clear_events(&self) {
        self.lock().events.clear();
    }

    /// Opens a session: its id and its token. `None` when there are too many.
    pub(crate) fn open(&self, user: &str) -> Option<(u64, String)> {
        let mut random = [0u8; 16];
        SystemRandom::new().fill(&mut random).ok()?;
        let token: String = random.iter().map(|b| format!("{b:02x}")).collect();
        let mut inner = self.lock();
        if inner.sessions.len() >= SESSIONS {
            return None;
        }
        inner.next += 1;
        let id = inner.next;
        inner.sessions.push(Session {
            id,
            user: user.to_string(),
            token: token.clone(),
            used: Instant::now(),
        });
        Some((id, token))
    }

    /// Whether a token is of a session, which goes on by it.
    pub(crate) fn admits(&self, token: &str) -> bool {
        let mut inner = self.lock();
        match inner.sessions.iter_mut().find(|s| s.token == token) {
            Some(session) => {
                session.used = Instant::now();
                true
            }
            None => false,
        }
    }

    pub(crate) fn sessions(&self) -> Vec<Session> {
        self.lock().sessions.clone()
    }

    pub(crate) fn close(&self, id: u64) -> bool {
        let mut inner = self.lock();
        let before = inner.sessions.len();
        inner.sessions.retain(|s| s.id != id);
        before != inner.sessions.len()
    }

    pub(crate) fn forget_sessions(&self) {
        self.lock().sessions.clear();
    }

    pub(crate) fn timeout(&self, set: Option<u64>) -> u64 {
        let mut inner = self.lock();
        if let Some(seconds) = set {
            inner.timeout = seconds;
        }
        inner.timeout
    }

    pub(crate) fn start_task(&self, name: &str, started: Time, until: Instant) -> Task {
        let mut inner = self.lock();
        inner.next += 1;
        let task = Task {
            id: inner.next,
            name: name.to_string(),
            started,
            until,
        };
        if inner.tasks.len() >= TASKS {
            inner.tasks.pop_front();
        }
        inner.tasks.push_back(task.clone());
        task
    }

    pub(crate) fn tasks(&self) -> Vec<Task> {
        self.lock().tasks.iter().cloned().collect()
    }
}
