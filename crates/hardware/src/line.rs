//! What every client keeps of its device, whatever it speaks: the address, whether it may be written to, how much was
//! asked, whether it answers.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::time::Instant;

use crate::found::Contact;
use crate::pace::Breaker;
use crate::permit::Mode;
use crate::tally::{Outcome, Tally};

/// The line to one device.
pub struct Line {
    url: String,
    armed: AtomicBool,
    requests: AtomicU32,
    tally: OnceLock<Arc<dyn Tally>>,
    /// Stops asking a device that does not answer.
    pub breaker: Breaker,
}

impl Line {
    /// A line to the device at `url`; nothing is sent.
    pub fn new(url: &str, mode: Mode) -> Line {
        Line {
            url: url.to_owned(),
            armed: AtomicBool::new(mode == Mode::Act),
            requests: AtomicU32::new(0),
            tally: OnceLock::new(),
            breaker: Breaker::default(),
        }
    }

    /// The address it was made for.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whether the device may be written to.
    pub fn mode(&self) -> Mode {
        if self.armed.load(Ordering::SeqCst) {
            Mode::Act
        } else {
            Mode::Observe
        }
    }

    /// Arms or disarms it.
    pub fn set_mode(&self, mode: Mode) {
        self.armed.store(mode == Mode::Act, Ordering::SeqCst);
    }

    /// Requests sent so far.
    pub fn requests(&self) -> u32 {
        self.requests.load(Ordering::Relaxed)
    }

    /// One more request leaves.
    pub fn count(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Has exchanges counted by someone from now on; the first one who asks for that does.
    pub fn counted_by(&self, tally: Arc<dyn Tally>) {
        let _ = self.tally.set(tally);
    }

    /// An exchange that began then has ended.
    pub fn ended(&self, began: Instant, outcome: Outcome) {
        if let Some(tally) = self.tally.get() {
            tally.exchanged(began.elapsed(), outcome);
        }
    }

    /// Whether the device answers, and since when not.
    pub fn contact(&self) -> Contact {
        match self.breaker.state() {
            (_, Some((since, why))) => Contact::Silent { since, why },
            (Some(at), None) => Contact::Answers { at },
            (None, None) => Contact::Unknown,
        }
    }
}

/// Host and port of `SCHEME://host[:port]`, where the host is a name, an IPv4 address or an IPv6 one in brackets
/// (RFC 3986 §3.2.2). `None` when it is anything else: a user, a path, a port that is none.
pub fn host_and_port(url: &str, scheme: &str, usual: u16) -> Option<(String, u16)> {
    let rest = url.strip_prefix(scheme)?.strip_prefix("://")?.trim_end_matches('/');
    let (host, port) = match rest.strip_prefix('[') {
        Some(v6) => {
            let (host, port) = v6.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            let port = (!port.is_empty()).then(|| port.strip_prefix(':'));
            (host, port.map_or(Some(None), |p| p.map(Some))?)
        }
        None => {
            let (host, port) = rest.split_once(':').map_or((rest, None), |(h, p)| (h, Some(p)));
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
            if host.is_empty() || !host.chars().all(plain) {
                return None;
            }
            (host, port)
        }
    };
    let port = port.map_or(Some(usual), |p| p.parse().ok())?;
    (port != 0).then(|| (host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_perhaps_a_port() {
        let read = |url| host_and_port(url, "ipmi", 623).map(|(host, port)| format!("{host} {port}"));
        for (url, is) in [
            ("ipmi://10.0.0.7", "10.0.0.7 623"),
            ("ipmi://10.0.0.7:9001/", "10.0.0.7 9001"),
            ("ipmi://[fd00::7]", "fd00::7 623"),
            ("ipmi://[fd00::7]:9001", "fd00::7 9001"),
            ("ipmi://bmc-7.rack", "bmc-7.rack 623"),
        ] {
            assert_eq!(read(url).as_deref(), Some(is), "{url}");
        }
        for bad in [
            "http://h",
            "ipmi:/h",
            "ipmi://",
            "ipmi://a:b",
            "ipmi://a:",
            "ipmi://a/b",
            "ipmi://[x]",
            "ipmi://[::1]x",
            "ipmi://[::1]:",
            "ipmi://a:0",
            "ipmi://h:70000",
            "ipmi://u@h",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
