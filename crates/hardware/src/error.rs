//! What can go wrong between Busbar and a BMC, said so that someone knows what to do next.

use std::time::Duration;

/// A question or an order that failed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// No answer from the address.
    #[error("{address} can't be reached for {path}: {why}; check its power, cabling and address")]
    Unreachable {
        /// The BMC.
        address: String,
        /// What was asked.
        path: String,
        /// What the network said.
        why: String,
    },
    /// The BMC took too long.
    #[error("{address} did not answer {path} within {} s; it may be busy or restarting", after.as_secs())]
    Timeout {
        /// The BMC.
        address: String,
        /// What was asked.
        path: String,
        /// How long was waited.
        after: Duration,
    },
    /// User or password are wrong.
    #[error("{address} refused user and password at {path}; set the right ones with `busbar credential set`")]
    Unauthorized {
        /// The BMC.
        address: String,
        /// What was asked.
        path: String,
    },
    /// The BMC asks for patience.
    #[error("{address} is too busy for {path} (HTTP {status}); ask again later")]
    Busy {
        /// The BMC.
        address: String,
        /// What was asked.
        path: String,
        /// 429, 502, 503 or 504.
        status: u16,
        /// `Retry-After`, when told.
        retry_after: Option<Duration>,
    },
    /// The answer can't be understood.
    #[error("{address} gave a broken answer at {path}: {what}; a newer BMC firmware may help")]
    Broken {
        /// The BMC.
        address: String,
        /// What was asked.
        path: String,
        /// What is wrong with the answer.
        what: String,
    },
    /// The answer is larger than anything sensible.
    #[error("{address} answered {path} with more than {limit} bytes; it was cut off")]
    TooLarge {
        /// The BMC.
        address: String,
        /// What was asked.
        path: String,
        /// The bound.
        limit: usize,
    },
    /// Another certificate than the first time.
    #[error(
        "{address} shows certificate {seen} instead of {expected}; if it was replaced on purpose, run `busbar trust` for its place"
    )]
    CertificateChanged {
        /// The BMC.
        address: String,
        /// SHA-256 it was known by.
        expected: String,
        /// SHA-256 it shows now.
        seen: String,
    },
    /// Another SSH host key than the first time.
    #[error(
        "{address} shows host key {seen} instead of {expected}, so no password was sent; if it was replaced on purpose, run `busbar trust` for its place"
    )]
    HostKeyChanged {
        /// The BMC's SSH service.
        address: String,
        /// SHA-256 it was known by.
        expected: String,
        /// SHA-256 it shows now.
        seen: String,
    },
    /// The driver only observes.
    #[error("{address} is observed only, so {method} {path} was not sent; run `busbar arm` for its node first")]
    NotArmed {
        /// The BMC.
        address: String,
        /// The method that was held back.
        method: String,
        /// What it would have changed.
        path: String,
    },
    /// The BMC does not offer it.
    #[error("{address} does not offer {what}; it offers: {}", if have.is_empty() { "nothing".to_owned() } else { have.join(", ") })]
    NotOffered {
        /// The BMC.
        address: String,
        /// What was wanted.
        what: String,
        /// What there is.
        have: Vec<String>,
    },
    /// The BMC said no.
    #[error("{address} rejected {path}{}: {message}", if *status == 0 { String::new() } else { format!(" (HTTP {status})") })]
    Rejected {
        /// The BMC.
        address: String,
        /// What was asked.
        path: String,
        /// HTTP status; 0 where the protocol is another.
        status: u16,
        /// From `@Message.ExtendedInfo` (DSP0266 §8.6), else a short piece of the body.
        message: String,
    },
}

impl Error {
    /// A capability that the device at `address` does not have at all.
    pub fn lacks(address: &str, what: &str) -> Error {
        Error::NotOffered {
            address: address.into(),
            what: what.into(),
            have: Vec::new(),
        }
    }

    /// Whether the same question may work later with nothing changed.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Error::Unreachable { .. } | Error::Timeout { .. } | Error::Busy { .. }
        )
    }

    /// HTTP status, when the BMC gave one.
    pub fn status(&self) -> Option<u16> {
        match self {
            Error::Rejected { status, .. } | Error::Busy { status, .. } => Some(*status).filter(|s| *s != 0),
            Error::Unauthorized { .. } => Some(401),
            _ => None,
        }
    }
}
