//! What every BMC has: sessions, accounts, events and who is told them, tasks, versions of firmware.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rack::Time;
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::{Value, json};
use tokio::sync::{broadcast, watch};
use tokio::time::Instant;

use super::accounts::Account;

/// Sessions at once; OpenBMC allows 64, many BMCs far fewer.
const SESSIONS: usize = 32;
/// A session that is not used ends after this, unless set otherwise.
const SESSION_SECONDS: u64 = 1800;
/// Events that are kept for those who come back with `Last-Event-ID`, and entries of the log.
const EVENTS: usize = 64;
/// Events that wait for one slow reader; each place takes memory for as long as anybody listens.
const WAITING: usize = 16;
/// Tasks that are kept.
const TASKS: usize = 16;
/// Subscriptions and open streams at once.
const SUBSCRIPTIONS: usize = 16;

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
    /// `OK`, `Warning` or `Critical`.
    pub(crate) severity: &'static str,
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
                "MessageSeverity": self.severity,
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
    /// What it is at.
    pub(crate) stage: Stage,
    begun: Instant,
    /// When it is done, on the rack's timer.
    pub(crate) until: Instant,
}

/// What a task is at.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Stage {
    /// Until its time is over.
    Timed,
    /// Loads an image.
    Fetching,
    /// Done but for the next boot.
    Waiting,
    /// Done.
    Done,
    /// It came to nothing.
    Failed(String),
}

impl Task {
    /// Its `TaskState`, and how far it is in percent.
    pub(crate) fn progress(&self) -> (&'static str, u32) {
        match self.stage {
            Stage::Fetching => ("Running", 0),
            Stage::Waiting => ("Pending", 100),
            Stage::Done => ("Completed", 100),
            Stage::Failed(_) => ("Exception", 100),
            Stage::Timed => {
                let (gone, whole) = (self.begun.elapsed(), self.until - self.begun);
                if gone >= whole {
                    return ("Completed", 100);
                }
                ("Running", (gone.as_secs_f64() / whole.as_secs_f64() * 100.0) as u32)
            }
        }
    }

    /// Whether it is an update that still writes.
    pub(crate) fn updates(&self) -> bool {
        self.name == "Update" && self.progress().0 == "Running"
    }
}

/// Who is told events: an open stream, or a destination.
#[derive(Debug, Clone)]
pub(crate) struct Subscription {
    pub(crate) id: u64,
    pub(crate) context: String,
    pub(crate) destination: Option<String>,
    /// Dropped with the subscription: whoever serves it ends.
    _stop: std::sync::Arc<watch::Sender<()>>,
}

struct Inner {
    next: u64,
    timeout: u64,
    sessions: Vec<Session>,
    accounts: Vec<Account>,
    events: VecDeque<Happened>,
    log: VecDeque<Happened>,
    subscriptions: Vec<Subscription>,
    tasks: VecDeque<Task>,
    versions: BTreeMap<String, String>,
    staged: BTreeMap<String, (String, u64)>,
    /// Made for the first who listens: it takes memory, and nobody listens to most of a hall.
    tx: Option<broadcast::Sender<Happened>>,
}

/// The state of one BMC.
pub(crate) struct BmcCore {
    pub(crate) uuid: uuid::Uuid,
    inner: Mutex<Inner>,
    writing: Mutex<()>,
}

impl BmcCore {
    pub(crate) fn new(serial: &str, seed: u64) -> BmcCore {
        let inner = Inner {
            next: 0,
            timeout: SESSION_SECONDS,
            sessions: Vec::new(),
            accounts: Vec::new(),
            events: VecDeque::new(),
            log: VecDeque::new(),
            subscriptions: Vec::new(),
            tasks: VecDeque::new(),
            versions: BTreeMap::new(),
            staged: BTreeMap::new(),
            tx: None,
        };
        BmcCore {
            uuid: uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, format!("bmc {seed} {serial}").as_bytes()),
            inner: Mutex::new(inner),
            writing: Mutex::new(()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let (now, limit) = (Instant::now(), Duration::from_secs(inner.timeout));
        inner.sessions.retain(|s| now.duration_since(s.used) < limit);
        inner
    }

    /// Writes are done one after the other, each together with the look at its precondition (RFC 9110 §13.2.1).
    pub(crate) fn one_writes(&self) -> MutexGuard<'_, ()> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn emit(&self, at: Time, message_id: &str, text: &str, origin: &str) {
        self.tell(at, "OK", message_id, text, origin);
    }

    pub(crate) fn tell(&self, at: Time, severity: &'static str, message_id: &str, text: &str, origin: &str) {
        let mut inner = self.lock();
        inner.next += 1;
        let event = Happened {
            id: inner.next,
            at,
            message_id: message_id.to_string(),
            text: text.to_string(),
            origin: origin.to_string(),
            severity,
        };
        if inner.log.len() >= EVENTS {
            inner.log.pop_front();
        }
        inner.log.push_back(event.clone());
        if inner.events.len() >= EVENTS {
            inner.events.pop_front();
        }
        inner.events.push_back(event.clone());
        if let Some(tx) = &inner.tx {
            // Err: nobody listens any more
            let _ = tx.send(event);
        }
    }

    /// The kept events after this one, and those to come, without a gap.
    pub(crate) fn subscribe(&self, after: Option<u64>) -> (Vec<Happened>, broadcast::Receiver<Happened>) {
        let mut inner = self.lock();
        let kept = match after {
            Some(after) => inner.events.iter().filter(|e| e.id > after).cloned().collect(),
            None => Vec::new(),
        };
        let tx = inner.tx.get_or_insert_with(|| broadcast::channel(WAITING).0);
        (kept, tx.subscribe())
    }

    /// The log, the oldest first.
    pub(crate) fn log(&self) -> Vec<Happened> {
        self.lock().log.iter().cloned().collect()
    }

    pub(crate) fn clear_log(&self) {
        self.lock().log.clear();
    }

    /// A subscription's id, and what ends with it. `None` when there are too many.
    pub(crate) fn add_subscription(
        &self,
        context: String,
        destination: Option<String>,
    ) -> Option<(u64, watch::Receiver<()>)> {
        let mut inner = self.lock();
        if inner.subscriptions.len() >= SUBSCRIPTIONS {
            return None;
        }
        inner.next += 1;
        let id = inner.next;
        let (stop, stopped) = watch::channel(());
        inner.subscriptions.push(Subscription {
            id,
            context,
            destination,
            _stop: stop.into(),
        });
        Some((id, stopped))
    }

    pub(crate) fn subscriptions(&self) -> Vec<Subscription> {
        self.lock().subscriptions.clone()
    }

    pub(crate) fn unsubscribe(&self, id: u64) -> bool {
        let mut inner = self.lock();
        let before = inner.subscriptions.len();
        inner.subscriptions.retain(|s| s.id != id);
        before != inner.subscriptions.len()
    }

    /// Lets in this user too, with the initial password.
    pub(crate) fn with_administrator(self, user: &str, password: &str) -> BmcCore {
        self.lock().accounts.push(Account {
            id: 1,
            user: user.to_string(),
            password: password.to_string(),
            role: "Administrator".to_string(),
            enabled: true,
        });
        self
    }

    pub(crate) fn accounts(&self) -> Vec<Account> {
        self.lock().accounts.clone()
    }

    /// The accounts from now on. Sessions of who is gone, or must not log in any more, end.
    pub(crate) fn set_accounts(&self, accounts: Vec<Account>) {
        let mut inner = self.lock();
        inner
            .sessions
            .retain(|s| accounts.iter().any(|a| a.user == s.user && a.enabled));
        inner.accounts = accounts;
    }

    /// Who this password lets in.
    pub(crate) fn login(&self, user: &str, password: &str) -> Option<Account> {
        let inner = self.lock();
        let mut all = inner.accounts.iter();
        all.find(|a| a.enabled && a.user == user && a.password == password)
            .cloned()
    }

    /// Whose session a token is, which goes on by it.
    pub(crate) fn by_token(&self, token: &str) -> Option<Account> {
        if !self.admits(token) {
            return None;
        }
        let inner = self.lock();
        let user = &inner.sessions.iter().find(|s| s.token == token)?.user;
        inner.accounts.iter().find(|a| a.user == *user).cloned()
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
            stage: Stage::Timed,
            begun: Instant::now(),
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

    pub(crate) fn set_stage(&self, id: u64, stage: Stage) {
        if let Some(task) = self.lock().tasks.iter_mut().find(|t| t.id == id) {
            task.stage = stage;
        }
    }

    /// A task's time begins now.
    pub(crate) fn restart_task(&self, id: u64, until: Instant) {
        if let Some(task) = self.lock().tasks.iter_mut().find(|t| t.id == id) {
            (task.begun, task.until) = (Instant::now(), until);
        }
    }

    /// The version that a part was updated to.
    pub(crate) fn version(&self, part: &str) -> Option<String> {
        self.lock().versions.get(part).cloned()
    }

    pub(crate) fn set_version(&self, part: &str, version: String) {
        self.lock().versions.insert(part.to_string(), version);
    }

    /// A version that waits for the next boot, and the task that waits with it.
    pub(crate) fn stage_version(&self, part: &str, version: String, task: u64) {
        let before = self.lock().staged.insert(part.to_string(), (version, task));
        if let Some((_, task)) = before {
            self.set_stage(task, Stage::Failed("A later update took its place.".to_string()));
        }
        self.set_stage(task, Stage::Waiting);
    }

    pub(crate) fn apply_staged(&self) {
        let staged = std::mem::take(&mut self.lock().staged);
        for (part, (version, task)) in staged {
            self.set_version(&part, version);
            self.set_stage(task, Stage::Done);
        }
    }
}
