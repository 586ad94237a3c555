//! One BMC as something that answers commands: its session, opened when needed and again when it expired; one request
//! in flight; the circuit breaker; and the one gate that keeps [`Mode::Observe`] honest.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::error::Error;
use crate::found::Problem;
use crate::ipmi::command::Command;
use crate::ipmi::crypt::Suite;
use crate::ipmi::packet::{Response, completion};
use crate::ipmi::session::{Refused, Session, privilege};
use crate::ipmi::udp::{Channel, DEADLINE, Datagrams, Lost};
use crate::line::{Line, host_and_port};
use crate::permit::{Credential, Mode, Permit};
use crate::tally::Outcome;

/// The port of RMCP (§13.1.2).
pub const PORT: u16 = 623;
/// A session that was idle for so long counts as gone: BMCs close theirs after 60 s (§6.12.15).
pub const IDLE: Duration = Duration::from_secs(50);
/// After user and password were refused, nothing is asked for so long: BMCs lock accounts that fail too often.
pub const LOCKOUT_PAUSE: Duration = Duration::from_secs(60);
/// Tries while the BMC says that it is busy (completion code C0h).
pub const BUSY_TRIES: u32 = 4;
/// Between them.
pub const BUSY_PAUSE: Duration = Duration::from_millis(250);
/// Silences that [`Patience`] has, fewer than the circuit breaker: each costs two openings' time.
const SILENCES: u32 = 2;
/// Problems told of one box.
const PROBLEMS: usize = 64;
const BUSY: u8 = 0xc0;
/// Tried in this order.
const SUITES: [Suite; 2] = [Suite::Seventeen, Suite::Three];

/// Opening a session, as errors name it.
const OPENING: &str = "the opening of a session";

/// A channel and the session on it.
pub struct Link {
    /// The socket.
    pub channel: Box<dyn Channel>,
    /// What runs on it.
    pub session: Session,
    used: Instant,
    armed: bool,
}

/// One BMC.
pub struct Client {
    /// What is kept of every device.
    pub line: Line,
    host: String,
    port: u16,
    datagrams: Arc<dyn Datagrams>,
    credential: Mutex<Credential>,
    link: tokio::sync::Mutex<Option<Link>>,
    suite: Mutex<Option<Suite>>,
    locked_out: Mutex<Option<Instant>>,
    sessions: AtomicU32,
    /// Sequence of the piece of serial data sent last: BMCs exist that remember it past the console's end, and would
    /// take the first piece of the next console for a repeated one.
    pub typed: std::sync::atomic::AtomicU8,
    /// Whether it was found to have no power reading of DCMI; a discovery asks again.
    pub no_dcmi: AtomicBool,
}

impl Client {
    /// A client for the BMC at `url`. Nothing is sent before the first question.
    pub fn new(url: &str, datagrams: Arc<dyn Datagrams>, credential: Credential, mode: Mode) -> Result<Client, Error> {
        let (host, port) = host_and_port(url, "ipmi", PORT).ok_or_else(|| Error::Unreachable {
            address: url.into(),
            path: OPENING.into(),
            why: "not an address of the form ipmi://host[:port]".into(),
        })?;
        Ok(Client {
            line: Line::new(url.trim_end_matches('/'), mode),
            host,
            port,
            datagrams,
            credential: Mutex::new(credential),
            link: tokio::sync::Mutex::new(None),
            suite: Mutex::new(None),
            locked_out: Mutex::new(None),
            sessions: AtomicU32::new(0),
            typed: Default::default(),
            no_dcmi: AtomicBool::new(false),
        })
    }

    /// Sessions opened so far: what was read of a box stays true within one, as its keys hold for one BMC only.
    pub fn sessions(&self) -> u32 {
        self.sessions.load(Ordering::Relaxed)
    }

    /// Packets and randomness.
    pub fn datagrams(&self) -> Arc<dyn Datagrams> {
        self.datagrams.clone()
    }

    /// The credential in use.
    pub fn credential(&self) -> Credential {
        lock(&self.credential).clone()
    }

    /// Uses another one from the next session on.
    pub fn set_credential(&self, credential: Credential) {
        *lock(&self.credential) = credential;
        *lock(&self.locked_out) = None;
    }

    /// Asks for something; sends it again while no answer comes.
    pub async fn ask(&self, command: Command, data: &[u8]) -> Result<Response, Error> {
        self.ask_lun(command, 0, data).await
    }

    /// Asks a logical unit of the BMC.
    pub async fn ask_lun(&self, command: Command, lun: u8, data: &[u8]) -> Result<Response, Error> {
        self.send(command, lun, data, false).await
    }

    /// Asks; any completion code but "done" is an error.
    pub async fn get(&self, command: Command, data: &[u8]) -> Result<Vec<u8>, Error> {
        let answer = self.ask(command, data).await?;
        self.accepted(command, answer)
    }

    /// Orders something: it is carried out once at most. A timeout leaves open whether it was: observe.
    pub async fn order(&self, command: Command, data: &[u8], permit: &Permit) -> Result<Response, Error> {
        tracing::info!(bmc = %self.line.url(), command = command.name, audit = permit.key(), node = %permit.node(), "order");
        self.send(command, 0, data, true).await
    }

    /// The data of an answer that says "done".
    pub fn accepted(&self, command: Command, answer: Response) -> Result<Vec<u8>, Error> {
        match answer.code {
            0 => Ok(answer.data),
            code => Err(self.rejected(command, code)),
        }
    }

    /// The gate of invariant I4: nothing passes but what reads, unless the driver is armed.
    pub fn gate(&self, command: Command) -> Result<(), Error> {
        if command.reads || self.line.mode() == Mode::Act {
            return Ok(());
        }
        Err(Error::NotArmed {
            address: self.line.url().to_owned(),
            method: "command".into(),
            path: command.name.into(),
        })
    }

    async fn send(&self, command: Command, lun: u8, data: &[u8], once: bool) -> Result<Response, Error> {
        self.gate(command)?;
        self.line
            .breaker
            .admit(Instant::now())
            .map_err(|why| self.unreachable(command.name, &why))?;
        let mut place = self.link.lock().await;
        let mut busy = 0;
        loop {
            let armed = self.line.mode() == Mode::Act;
            let usable = |l: &Link| l.used.elapsed() < IDLE && (l.armed || !armed);
            let fresh = !place.as_ref().is_some_and(usable);
            if fresh {
                if let Some(mut old) = place.take() {
                    old.session.close(&*old.channel, &*self.datagrams).await;
                }
                *place = Some(self.connect().await?);
            }
            let link = place.as_mut().expect("opened above");
            // Cancelled in between, a session is in an unknown state; it is put back only when the answer came.
            self.line.count();
            let began = Instant::now();
            let answer = link
                .session
                .ask(&*link.channel, &*self.datagrams, command, lun, data, once)
                .await;
            self.line.ended(began, outcome(&answer));
            match answer {
                Ok(answer) => {
                    link.used = Instant::now();
                    self.line.breaker.answered(link.used);
                    if answer.code == BUSY && busy < BUSY_TRIES {
                        busy += 1;
                        tokio::time::sleep(BUSY_PAUSE).await;
                        continue;
                    }
                    return Ok(answer);
                }
                // The BMC may have restarted and forgotten the session: a fresh one tells. An order is not sent again.
                Err(lost) => {
                    *place = None;
                    if !fresh && !once {
                        continue;
                    }
                    let error = self.lost(command.name, &lost);
                    self.line.breaker.failed(Instant::now(), &error.to_string());
                    return Err(error);
                }
            }
        }
    }

    /// Opens a session on a channel of its own.
    async fn connect(&self) -> Result<Link, Error> {
        self.locked_out()?;
        match self.link().await {
            Ok(link) => Ok(link),
            Err(e) => {
                if e.is_transient() {
                    self.line.breaker.failed(Instant::now(), &e.to_string());
                } else {
                    self.line.breaker.answered(Instant::now());
                }
                Err(e)
            }
        }
    }

    fn locked_out(&self) -> Result<(), Error> {
        if lock(&self.locked_out).is_some_and(|until| Instant::now() < until) {
            return Err(self.unauthorized());
        }
        Ok(())
    }

    /// A session beside the driver's own; the serial console needs one.
    pub async fn link(&self) -> Result<Link, Error> {
        self.locked_out()?;
        self.line.count();
        let began = Instant::now();
        let opened = self.log_in().await;
        self.line.ended(began, Outcome::of(&opened));
        opened
    }

    async fn log_in(&self) -> Result<Link, Error> {
        let armed = self.line.mode() == Mode::Act;
        let privileges: &[u8] = if armed {
            &[privilege::ADMINISTRATOR, privilege::OPERATOR]
        } else {
            &[privilege::OPERATOR, privilege::USER]
        };
        let credential = self.credential();
        let known = *lock(&self.suite);
        let suites = known.as_ref().map_or(&SUITES[..], std::slice::from_ref);
        let channel = self
            .datagrams
            .connect(&self.host, self.port)
            .await
            .map_err(|e| self.unreachable(OPENING, &e.to_string()))?;
        match Session::negotiate(&*channel, &*self.datagrams, &credential, suites, privileges).await {
            Ok(session) => {
                *lock(&self.suite) = Some(session.suite());
                self.sessions.fetch_add(1, Ordering::Relaxed);
                tracing::debug!(bmc = %self.line.url(), suite = ?session.suite(), "session opened");
                Ok(Link {
                    channel,
                    session,
                    used: Instant::now(),
                    armed,
                })
            }
            Err(refused) => {
                // Other firmware may know other suites.
                *lock(&self.suite) = None;
                Err(match refused {
                    Refused::Lost(lost) => self.lost(OPENING, &lost),
                    Refused::Credentials => {
                        *lock(&self.locked_out) = Some(Instant::now() + LOCKOUT_PAUSE);
                        self.unauthorized()
                    }
                    Refused::Privilege => Error::NotOffered {
                        address: self.line.url().to_owned(),
                        what: "this account enough privilege; make it an administrator of the LAN channel".into(),
                        have: Vec::new(),
                    },
                    Refused::Crossed => Error::Rejected {
                        address: self.line.url().to_owned(),
                        path: OPENING.into(),
                        status: 0,
                        message: "it finds the proof of the password wrong, though its own is right".into(),
                    },
                    Refused::Suite => self.lacks("cipher suite 17 or 3"),
                    Refused::NotOffered(what) => self.lacks(what),
                    Refused::Other(message) => Error::Rejected {
                        address: self.line.url().to_owned(),
                        path: OPENING.into(),
                        status: 0,
                        message,
                    },
                })
            }
        }
    }

    /// Forgets the session: the next request opens another.
    pub async fn hang_up(&self) {
        if let Some(mut old) = self.link.lock().await.take() {
            old.session.close(&*old.channel, &*self.datagrams).await;
        }
    }

    fn unauthorized(&self) -> Error {
        Error::Unauthorized {
            address: self.line.url().to_owned(),
            path: OPENING.into(),
        }
    }

    fn unreachable(&self, path: &str, why: &str) -> Error {
        Error::Unreachable {
            address: self.line.url().to_owned(),
            path: path.into(),
            why: why.into(),
        }
    }

    /// No answer came.
    pub fn lost(&self, path: &str, lost: &Lost) -> Error {
        match lost {
            Lost::Silence(_) => Error::Timeout {
                address: self.line.url().to_owned(),
                path: path.into(),
                after: DEADLINE,
            },
            Lost::Network(e) => self.unreachable(path, &e.to_string()),
        }
    }

    /// The BMC said no.
    pub fn rejected(&self, command: Command, code: u8) -> Error {
        self.rejected_as(command, code, completion(code))
    }

    /// The BMC said no with a code of that command alone.
    pub fn rejected_as(&self, command: Command, code: u8, words: &str) -> Error {
        Error::Rejected {
            address: self.line.url().to_owned(),
            path: command.name.into(),
            status: 0,
            message: format!("{words} (completion code {code:02X}h)"),
        }
    }

    /// The answer can't be understood.
    pub fn broken(&self, command: Command, what: &str) -> Error {
        Error::Broken {
            address: self.line.url().to_owned(),
            path: command.name.into(),
            what: what.into(),
        }
    }

    /// It has no such thing.
    pub fn lacks(&self, what: &str) -> Error {
        Error::lacks(self.line.url(), what)
    }
}

/// What may stay unanswered of a long reading before it is given up: BMCs exist that are silent about a command, or a
/// sensor, that they don't like, and answer all others.
pub struct Patience {
    left: u32,
    /// What was let pass.
    pub problems: Vec<Problem>,
}

impl Default for Patience {
    fn default() -> Self {
        Patience {
            left: SILENCES,
            problems: Vec::new(),
        }
    }
}

impl Patience {
    /// The answer; or none for a refusal, a broken answer, or a silence that there is patience for.
    pub fn forgive<T>(&mut self, command: Command, result: Result<T, Error>) -> Result<Option<T>, Error> {
        match result {
            Ok(answer) => Ok(Some(answer)),
            Err(Error::Timeout { .. }) if self.left == 0 => result.map(Some),
            Err(e @ (Error::Timeout { .. } | Error::Rejected { .. } | Error::Broken { .. })) => {
                if matches!(e, Error::Timeout { .. }) {
                    self.left -= 1;
                }
                if self.problems.len() < PROBLEMS {
                    self.problems.push(Problem {
                        path: command.name.into(),
                        what: e.to_string(),
                    });
                }
                Ok(None)
            }
            Err(e) => Err(e),
        }
    }
}

impl Drop for Client {
    /// BMCs have few sessions: the one in use is given back, as far as that can be done without waiting.
    fn drop(&mut self) {
        if let (Some(mut link), Ok(runtime)) = (self.link.get_mut().take(), tokio::runtime::Handle::try_current()) {
            let datagrams = self.datagrams.clone();
            runtime.spawn(async move { link.session.close(&*link.channel, &*datagrams).await });
        }
    }
}

fn outcome(answer: &Result<Response, Lost>) -> Outcome {
    match answer {
        Ok(Response { code: 0, .. }) => Outcome::Ok,
        Ok(Response { code: BUSY, .. }) => Outcome::Failed,
        Ok(_) => Outcome::Refused,
        Err(Lost::Silence(_)) => Outcome::Timeout,
        Err(Lost::Network(_)) => Outcome::Unreachable,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
