//! One agent, asked with patience: circuit breaker, the gate of [`Mode::Observe`], walks that end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::error::Error;
use crate::found::{Contact, Problem};
use crate::line::Line;
use crate::permit::{Mode, Permit};
use crate::snmp::agent::{Agent, Bindings, Oid, Reply, Trouble, Value};
use crate::tally::Outcome;

/// Objects asked for at once in a walk. Twenty rows of text fit into one Ethernet frame, and agents cut what does not.
const BULK: u32 = 20;
/// Scalars asked for at once; some agents refuse more with `tooBig`.
const BATCH: usize = 10;
/// Rows taken of one column: eight linked units of 54 outlets with eight sensors each have 3,456.
pub const ROWS: usize = 4096;
/// For all walks of one question. The largest recording, 24 outlets, takes 60 requests.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// What was read: by column, by index. A scalar has the empty index.
#[derive(Debug, Default)]
pub struct Cells {
    columns: BTreeMap<Oid, BTreeMap<Vec<u32>, Value>>,
}

impl Cells {
    /// The rows of a column.
    pub fn column(&self, oid: &Oid) -> impl Iterator<Item = (&Vec<u32>, &Value)> {
        self.columns.get(oid).into_iter().flatten()
    }

    /// One cell; a scalar whatever the index.
    pub fn cell(&self, oid: &Oid, index: &[u32]) -> Option<&Value> {
        let index = if oid.is_scalar() { &[] } else { index };
        self.columns.get(oid)?.get(index)
    }
}

/// The client of one agent.
pub struct Client {
    /// What is kept of every device.
    pub line: Line,
    agent: Box<dyn Agent>,
    /// Whether `GETBULK` works; found out at the first walk.
    no_bulk: AtomicBool,
}

impl Client {
    pub(super) fn new(url: &str, agent: Box<dyn Agent>, mode: Mode) -> Client {
        Client {
            line: Line::new(url, mode),
            agent,
            no_bulk: AtomicBool::new(false),
        }
    }

    /// Lets a question pass, and takes down what became of it.
    async fn ask(&self, what: &Oid, reply: Reply<'_>) -> Result<Bindings, Failed> {
        if let Err(why) = self.line.breaker.admit(Instant::now()) {
            return Err(Failed::Fatal(self.unreachable(what, why)));
        }
        self.line.count();
        let began = Instant::now();
        let answer = reply.await;
        let outcome = match &answer {
            Ok(_) => Outcome::Ok,
            Err(Trouble::Status { .. } | Trouble::Refused(_)) => Outcome::Refused,
            Err(Trouble::Silent(_)) => Outcome::Timeout,
            Err(Trouble::Broken(_)) => Outcome::Unreachable,
        };
        self.line.ended(began, outcome);
        match &answer {
            Ok(_) | Err(Trouble::Status { .. } | Trouble::Refused(_)) => self.line.breaker.answered(Instant::now()),
            Err(t) => self.line.breaker.failed(Instant::now(), &t.to_string()),
        }
        answer.map_err(|t| match t {
            Trouble::Status { status } => Failed::Status(status),
            Trouble::Silent(why) => Failed::Fatal(self.unreachable(what, why)),
            Trouble::Refused(why) => {
                tracing::debug!(address = self.line.url(), why, "refused");
                Failed::Fatal(Error::Unauthorized {
                    address: self.line.url().to_owned(),
                    path: what.to_string(),
                })
            }
            Trouble::Broken(what_is_wrong) => Failed::Fatal(self.broken(what, &what_is_wrong)),
        })
    }

    fn unreachable(&self, what: &Oid, why: String) -> Error {
        Error::Unreachable {
            address: self.line.url().to_owned(),
            path: what.to_string(),
            why,
        }
    }

    pub(super) fn broken(&self, path: &Oid, what: &str) -> Error {
        Error::Broken {
            address: self.line.url().to_owned(),
            path: path.to_string(),
            what: what.to_owned(),
        }
    }

    pub(super) fn not_offered(&self, what: &str, have: Vec<String>) -> Error {
        Error::NotOffered {
            address: self.line.url().to_owned(),
            what: what.to_owned(),
            have,
        }
    }

    fn said_no(&self, oid: &Oid, status: u32) -> Error {
        match status {
            // noAccess, authorizationError: the community or user may read only.
            6 | 16 => Error::Unauthorized {
                address: self.line.url().to_owned(),
                path: oid.to_string(),
            },
            _ => Error::Rejected {
                address: self.line.url().to_owned(),
                path: oid.to_string(),
                status: 0,
                message: Trouble::Status { status }.to_string(),
            },
        }
    }

    /// The values of some scalars, or single cells. One that is not there costs nothing, nor does one that the agent
    /// refuses: SNMPv1 agents behind a proxy fail the whole question then.
    pub(super) async fn get(&self, oids: &[Oid]) -> Result<Bindings, Error> {
        let mut out = Vec::new();
        for batch in oids.chunks(BATCH) {
            let Some(first) = batch.first() else { continue };
            match self.ask(first, self.agent.get(batch)).await {
                // An agent may mix up the order, or answer with something else.
                Ok(got) => out.extend(got.into_iter().filter(|(oid, _)| batch.contains(oid))),
                Err(Failed::Fatal(e)) => return Err(e),
                Err(Failed::Status(status)) if batch.len() == 1 => {
                    tracing::debug!(address = self.line.url(), %first, status, "no reading");
                }
                Err(Failed::Status(_)) => {
                    for oid in batch {
                        match self.ask(oid, self.agent.get(std::slice::from_ref(oid))).await {
                            Ok(got) => out.extend(got.into_iter().filter(|(o, _)| o == oid)),
                            Err(Failed::Fatal(e)) => return Err(e),
                            Err(Failed::Status(_)) => {}
                        }
                    }
                }
            }
        }
        Ok(out)
    }

    /// One value; none when there is none.
    pub(super) async fn value(&self, oid: &Oid) -> Result<Value, Error> {
        let got = self.get(std::slice::from_ref(oid)).await?;
        Ok(got.into_iter().next().map_or(Value::Missing, |(_, v)| v))
    }

    /// Whether there is anything below `oid`.
    pub(super) async fn exists(&self, oid: &Oid) -> Result<bool, Error> {
        match self.ask(oid, self.agent.get_next(oid)).await {
            Ok(got) => Ok(got
                .first()
                .is_some_and(|(o, v)| o.after(oid).is_some() && *v != Value::End)),
            Err(Failed::Status(_)) => Ok(false),
            Err(Failed::Fatal(e)) => Err(e),
        }
    }

    /// Reads scalars and columns. What fails below becomes a problem; an error is what concerns the agent itself
    /// before anything was read.
    pub(super) async fn read(&self, wanted: BTreeSet<Oid>) -> Result<(Cells, Vec<Problem>), Error> {
        let deadline = Instant::now() + DEADLINE;
        let (scalars, columns): (Vec<Oid>, Vec<Oid>) = wanted.into_iter().partition(Oid::is_scalar);
        let mut cells = Cells::default();
        let mut problems = Vec::new();
        for (oid, value) in self.get(&scalars).await? {
            cells.columns.entry(oid).or_default().insert(Vec::new(), value);
        }
        for column in columns {
            let rows = cells.columns.entry(column.clone()).or_default();
            let failed = match self.walk(&column, deadline, rows).await {
                Ok(None) => continue,
                Ok(Some(what)) => what,
                Err(e @ Error::Unauthorized { .. }) => return Err(e),
                Err(e) => e.to_string(),
            };
            problems.push(Problem {
                path: column.to_string(),
                what: failed,
            });
        }
        if cells.columns.values().all(BTreeMap::is_empty)
            && let (Contact::Silent { why, .. }, Some(first)) = (self.line.contact(), cells.columns.keys().next())
        {
            return Err(self.unreachable(first, why));
        }
        Ok((cells, problems))
    }

    /// Walks one column; tells why it ended early, when it did. What was read until then stays.
    async fn walk(
        &self,
        column: &Oid,
        deadline: Instant,
        rows: &mut BTreeMap<Vec<u32>, Value>,
    ) -> Result<Option<String>, Error> {
        let mut at = column.clone();
        loop {
            if Instant::now() > deadline {
                return Ok(Some(format!("not read within {} s", DEADLINE.as_secs())));
            }
            let bulk = !self.no_bulk.load(Ordering::Relaxed);
            let reply = if bulk {
                self.agent.get_bulk(&at, BULK)
            } else {
                self.agent.get_next(&at)
            };
            let got = match self.ask(&at, reply).await {
                Ok(got) => got,
                Err(Failed::Fatal(e)) => return Err(e),
                Err(Failed::Status(_)) if bulk => {
                    self.no_bulk.store(true, Ordering::Relaxed);
                    continue;
                }
                // noSuchName is how SNMPv1 says that there is no more (RFC 1157 §4.1.3).
                Err(Failed::Status(2)) => return Ok(None),
                Err(Failed::Status(status)) => return Ok(Some(Trouble::Status { status }.to_string())),
            };
            if got.is_empty() {
                return Ok(None);
            }
            for (oid, value) in got {
                let Some(index) = oid.after(column).map(<[u32]>::to_vec) else {
                    return Ok(None);
                };
                if value == Value::End {
                    return Ok(None);
                }
                if oid <= at {
                    return Ok(Some(format!("its table goes back from {at} to {oid}")));
                }
                if rows.len() >= ROWS {
                    return Ok(Some(format!("more than {ROWS} rows; the others are left out")));
                }
                at = oid;
                if value != Value::Missing {
                    rows.insert(index, value);
                }
            }
        }
    }

    /// Writes an integer, once.
    pub(super) async fn set(&self, oid: &Oid, value: i64, permit: &Permit) -> Result<(), Error> {
        if self.line.mode() != Mode::Act {
            return Err(Error::NotArmed {
                address: self.line.url().to_owned(),
                method: "SET".into(),
                path: oid.to_string(),
            });
        }
        tracing::info!(address = self.line.url(), %oid, value, audit = permit.key(), "SNMP SET");
        match self.ask(oid, self.agent.set(oid, value)).await {
            Ok(_) => Ok(()),
            Err(Failed::Fatal(e)) => Err(e),
            Err(Failed::Status(status)) => Err(self.said_no(oid, status)),
        }
    }
}

/// How a question failed.
enum Failed {
    /// The agent is not to be talked to.
    Fatal(Error),
    /// It answers, but not this.
    Status(u32),
}
