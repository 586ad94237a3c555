//! Faults as data: who and what they hit, what happens, how many times. Those of requests and of machines happen when
//! they are met; those of the plant hold from when they are set until they are cleared (`emulated::harm`). A file of them
//! is read by [`mod@file`].

pub mod file;

use std::sync::Mutex;

use serde::{Deserialize, Serialize};

/// Most faults that are held at once.
const MOST: usize = 256;

/// What a fault hits.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Selector {
    /// Place, or name of a PDU, a feed, a shelf, a loop, with `*` for anything: `r1/u3`, `r1/*`, `pdu-a`. Everything when
    /// empty.
    pub at: String,
    /// HTTP method; every one when empty.
    pub method: String,
    /// Prefix of the path.
    pub path: String,
}

/// What happens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// Takes the request and does not answer; once the fault is cleared, the connection breaks, as after a restart.
    Hang,
    /// Answers later.
    Delay {
        /// By so many milliseconds of real time.
        millis: u64,
    },
    /// Answers with this status and an error body.
    Status {
        /// 400-599.
        code: u16,
    },
    /// Closes the connection without an answer.
    Reset,
    /// Answers with JSON that ends in the middle.
    BrokenJson,
    /// Answers with a body of so many bytes.
    HugeBody {
        /// Its size.
        bytes: u64,
    },
    /// Refuses the right password.
    WrongPassword,
    /// Takes a reset and does nothing.
    IgnoreReset,
    /// A DHCP reply is lost on its way.
    DropDhcp,
    /// A write to a disk fails.
    DiskError,
    /// Each write to a disk takes longer.
    SlowDisk {
        /// By so many milliseconds of the rack's time.
        millis: u64,
    },
    /// The self test never ends.
    StuckPost,
    /// Loses all power at once, at the next request that it gets.
    LosePower,
    /// A power cable is pulled out of a box.
    PullCable {
        /// Which supply, from 0.
        supply: u8,
    },
    /// A supply of a box, or a rectifier of a shelf, breaks.
    FailSupply {
        /// Which, from 0.
        supply: u8,
    },
    /// Fans of a box stand still.
    FailFan {
        /// Which, from 0; all when absent.
        #[serde(default)]
        fan: Option<u8>,
    },
    /// Pumps of a loop stand still.
    StopPump {
        /// Which, from 0; all when absent.
        #[serde(default)]
        pump: Option<u8>,
    },
    /// What cools a room, a loop or a tank stops.
    StopCooling,
    /// The breaker of a PDU or a feed trips.
    TripBreaker,
    /// A feed has no voltage.
    LoseFeed,
    /// A loop leaks.
    Leak {
        /// Litres a minute.
        litres_per_minute: f64,
    },
    /// A sensor of a BMC tells more and more beside the truth.
    DriftSensor {
        /// The quantity: `InletCelsius`, `GpuCelsius3`.
        sensor: String,
        /// Units an hour.
        #[serde(default)]
        per_hour: f64,
        /// Units at once.
        #[serde(default)]
        offset: f64,
    },
}

impl Action {
    /// Whether it is something that happens to the plant, and holds until it is cleared.
    pub fn physical(&self) -> bool {
        use Action::*;
        matches!(
            self,
            PullCable { .. }
                | FailSupply { .. }
                | FailFan { .. }
                | StopPump { .. }
                | StopCooling
                | TripBreaker
                | LoseFeed
                | Leak { .. }
                | DriftSensor { .. }
        )
    }

    /// Whether it acts on a request to the BMC, rather than inside the machine.
    fn on_request(&self) -> bool {
        use Action::*;
        matches!(
            self,
            Hang | Delay { .. } | Status { .. } | Reset | BrokenJson | HugeBody { .. } | WrongPassword | LosePower
        )
    }
}

/// One fault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// Given when it is set.
    #[serde(default)]
    pub id: u64,
    /// What it hits.
    #[serde(default)]
    pub on: Selector,
    /// What happens.
    #[serde(flatten)]
    pub action: Action,
    /// How many times; until it is cleared when absent.
    #[serde(default)]
    pub count: Option<u32>,
    /// How many times it has happened.
    #[serde(default)]
    pub hits: u64,
}

/// Too many faults.
#[derive(Debug, thiserror::Error)]
#[error("{MOST} faults are set already: clear some first")]
pub struct TooMany;

/// The faults that are set.
#[derive(Debug, Default)]
pub struct Faults {
    inner: Mutex<(u64, Vec<Fault>)>,
    cleared: tokio::sync::Notify,
}

impl Faults {
    fn lock(&self) -> std::sync::MutexGuard<'_, (u64, Vec<Fault>)> {
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Sets one, and gives it its id.
    pub fn set(&self, mut fault: Fault) -> Result<Fault, TooMany> {
        let mut inner = self.lock();
        if inner.1.len() >= MOST {
            return Err(TooMany);
        }
        inner.0 += 1;
        fault.id = inner.0;
        fault.hits = 0;
        inner.1.push(fault.clone());
        Ok(fault)
    }

    /// Those that are set, also when they have run out.
    pub fn list(&self) -> Vec<Fault> {
        self.lock().1.clone()
    }

    /// Clears one, or all; says how many.
    pub fn clear(&self, id: Option<u64>) -> usize {
        let mut inner = self.lock();
        let before = inner.1.len();
        inner.1.retain(|f| id.is_some_and(|id| f.id != id));
        self.cleared.notify_waiters();
        before - inner.1.len()
    }

    /// Waits until nothing makes `at` hang any more.
    pub async fn hangs(&self, at: &str) {
        loop {
            let cleared = self.cleared.notified();
            if !self
                .lock()
                .1
                .iter()
                .any(|f| f.action == Action::Hang && glob(&f.on.at, at))
            {
                return;
            }
            cleared.await;
        }
    }

    fn take(&self, matches: impl Fn(&Fault) -> bool) -> Option<Action> {
        let mut inner = self.lock();
        let fault = inner.1.iter_mut().find(|f| f.count != Some(0) && matches(f))?;
        if let Some(count) = &mut fault.count {
            *count -= 1;
        }
        fault.hits += 1;
        Some(fault.action.clone())
    }

    /// The fault for a request, counted.
    pub fn on_request(&self, at: &str, method: &str, path: &str) -> Option<Action> {
        self.take(|f| {
            f.action.on_request()
                && glob(&f.on.at, at)
                && (f.on.method.is_empty() || f.on.method.eq_ignore_ascii_case(method))
                && path.starts_with(&f.on.path)
        })
    }

    /// A fault inside a machine, counted.
    pub fn inside(&self, at: &str, which: impl Fn(&Action) -> bool) -> Option<Action> {
        self.take(|f| which(&f.action) && glob(&f.on.at, at))
    }
}

/// `*` stands for any run of characters; an empty pattern for everything.
pub fn glob(pattern: &str, text: &str) -> bool {
    if pattern.is_empty() {
        return true;
    }
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn globs_match_places() {
        for (p, t, want) in [
            ("", "x", true),
            ("r1/*", "r1/u3", true),
            ("r1/u1", "r1/u10", false),
            ("*u1*0", "r1/u10", true),
            ("pdu-*", "r1/u1", false),
        ] {
            assert_eq!(glob(p, t), want, "{p} {t}");
        }
    }

    #[test]
    fn a_fault_happens_as_often_as_it_was_asked_for() {
        let faults = Faults::default();
        let fault: Fault =
            serde_json::from_str(r#"{"on":{"at":"r1/u1","path":"/redfish"},"action":"status","code":503,"count":2}"#)
                .unwrap();
        let id = faults.set(fault).unwrap().id;
        let hit = || faults.on_request("r1/u1", "GET", "/redfish/v1/");
        assert_eq!(faults.on_request("r1/u2", "GET", "/redfish/v1/"), None);
        assert_eq!((hit().is_some(), hit().is_some(), hit().is_some()), (true, true, false));
        assert_eq!(faults.list()[0].hits, 2);
        assert_eq!(faults.clear(Some(id)), 1);
        let toml: Fault = toml::from_str("action = \"hang\"\n[on]\nat = \"r1/*\"\n").unwrap();
        assert_eq!(toml.action, Action::Hang);
    }

    #[tokio::test]
    async fn a_hang_lasts_until_it_is_cleared() {
        let faults = std::sync::Arc::new(Faults::default());
        let set = |text: &str| faults.set(serde_json::from_str(text).unwrap()).unwrap().id;
        let id = set(r#"{"on":{"at":"r1/u1"},"action":"hang"}"#);
        let other = set(r#"{"on":{"at":"r1/u2"},"action":"hang"}"#);
        faults.hangs("r1/u3").await;
        let waits = tokio::spawn({
            let faults = std::sync::Arc::clone(&faults);
            async move { faults.hangs("r1/u1").await }
        });
        tokio::task::yield_now().await;
        faults.clear(Some(other));
        tokio::task::yield_now().await;
        assert!(!waits.is_finished());
        faults.clear(Some(id));
        waits.await.unwrap();
    }
}
