//! What a service did not answer well, as an [`Error`] that names address and path, with the service's own words.

use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};

use super::{Client, REQUEST_TIMEOUT};
use crate::error::Error;
use crate::redfish::json;
use crate::transport::TransportError;

/// Text taken from an error body.
pub(super) const MESSAGE: usize = 400;

impl Client {
    pub(super) fn status_error(&self, path: &str, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Error {
        let (address, path) = (self.line.url().to_owned(), path.to_owned());
        match status.as_u16() {
            401 => Error::Unauthorized { address, path },
            code @ (429 | 502 | 503 | 504) => {
                let seconds = headers
                    .get(RETRY_AFTER)
                    .and_then(|v| v.to_str().ok()?.trim().parse().ok());
                Error::Busy {
                    address,
                    path,
                    status: code,
                    retry_after: seconds.map(Duration::from_secs),
                }
            }
            code @ 300..=399 => {
                let what = format!("redirects (HTTP {code}) are not followed, as they would take the password along");
                Error::Broken { address, path, what }
            }
            status => Error::Rejected {
                address,
                path,
                status,
                message: message(body),
            },
        }
    }

    pub(super) fn transport_error(&self, path: &str, e: TransportError) -> Error {
        let (address, path) = (self.line.url().to_owned(), path.to_owned());
        match e {
            TransportError::Timeout => Error::Timeout {
                address,
                path,
                after: REQUEST_TIMEOUT,
            },
            TransportError::TooLarge(limit) => Error::TooLarge { address, path, limit },
            TransportError::CertificateChanged { expected, seen } => Error::CertificateChanged {
                address,
                expected,
                seen,
            },
            TransportError::Failed(why) => Error::Unreachable { address, path, why },
        }
    }

    pub(super) fn unreachable(&self, path: &str, why: &str) -> Error {
        Error::Unreachable {
            address: self.line.url().to_owned(),
            path: path.into(),
            why: why.into(),
        }
    }

    /// An answer that can't be understood.
    pub fn broken(&self, path: &str, what: &str) -> Error {
        Error::Broken {
            address: self.line.url().to_owned(),
            path: path.into(),
            what: what.into(),
        }
    }

    /// Something the service does not offer.
    pub fn not_offered(&self, what: &str, have: Vec<String>) -> Error {
        Error::NotOffered {
            address: self.line.url().to_owned(),
            what: what.into(),
            have,
        }
    }
}

/// What the BMC says of its refusal: `error.@Message.ExtendedInfo[].Message` (DSP0266 §8.6), else a piece of text.
fn message(body: &[u8]) -> String {
    let cut = |s: String| {
        s.chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .take(MESSAGE)
            .collect::<String>()
    };
    let Ok(doc) = json::parse(body) else {
        let head = &body[..body.len().min(MESSAGE)];
        let text = cut(String::from_utf8_lossy(head).trim().to_owned());
        return if text.is_empty() {
            "it gave no reason".into()
        } else {
            text
        };
    };
    let error = &doc["error"];
    let infos = || {
        [&error["@Message.ExtendedInfo"], &doc["@Message.ExtendedInfo"]]
            .into_iter()
            .flat_map(json::list)
    };
    let mut said: Vec<String> = infos().filter_map(|m| json::text(&m["Message"])).collect();
    if said.is_empty() {
        said.extend(json::text(&error["message"]));
    }
    if said.is_empty() {
        said.extend(infos().filter_map(|m| json::text(&m["MessageId"])));
    }
    if said.is_empty() {
        "it gave no reason".into()
    } else {
        cut(said.join("; "))
    }
}
