//! How exchanges with devices end, for whoever counts them.

use std::time::Duration;

use crate::error::Error;

/// How an exchange with a device ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It answered with success.
    Ok,
    /// It refused: 4xx of HTTP, a completion code of IPMI, an error status of SNMP; or it did not take the login.
    Refused,
    /// It failed: 5xx of HTTP, busy in IPMI.
    Failed,
    /// No answer in time.
    Timeout,
    /// No connection, another certificate, too large an answer, or none that can be understood.
    Unreachable,
}

impl Outcome {
    /// Every one.
    pub const ALL: [Outcome; 5] = [
        Outcome::Ok,
        Outcome::Refused,
        Outcome::Failed,
        Outcome::Timeout,
        Outcome::Unreachable,
    ];

    /// One word.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Ok => "ok",
            Outcome::Refused => "refused",
            Outcome::Failed => "failed",
            Outcome::Timeout => "timeout",
            Outcome::Unreachable => "unreachable",
        }
    }

    /// What a login came to.
    pub fn of<T>(result: &Result<T, Error>) -> Outcome {
        match result {
            Ok(_) => Outcome::Ok,
            Err(Error::Timeout { .. }) => Outcome::Timeout,
            Err(Error::Busy { .. }) => Outcome::Failed,
            Err(Error::Unauthorized { .. } | Error::Rejected { .. } | Error::NotOffered { .. }) => Outcome::Refused,
            Err(_) => Outcome::Unreachable,
        }
    }
}

/// Who counts exchanges.
pub trait Tally: Send + Sync {
    /// One ended so, after so long.
    fn exchanged(&self, took: Duration, outcome: Outcome);
}
