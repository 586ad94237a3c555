//! Faults as data: who and what they hit, what happens, how many times. Those of requests and of machines happen when
//! they are met; those of the plant hold from when they are set until they are cleared (`emulated::harm`). A file of them
//! is read by [`mod@file`].

pub mod file;

use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Most faults that are held at once.
const MOST: usize = 256;

/// What a fault hits.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = FaultSelector)]
pub struct Selector {
    /// Place, or name of a PDU, a feed, a shelf, a loop, with `*` for anything: `r1/u3`, `r1/*`, `pdu-a`. Everything when
    /// empty.
    pub at: String,
    /// HTTP method; every one when empty.
    pub method: String,
    /// Prefix of the path.
    pub path: String,
    /// Only one in so many of those that the rest names: always the same ones, spread evenly. All of them at 0 and 1.
    pub one_in: u32,
}

impl Selector {
    /// Whether it names this box.
    pub fn names(&self, at: &str) -> bool {
        glob(&self.at, at) && (self.one_in < 2 || spread(at).is_multiple_of(self.one_in.into()))
    }
}

/// A number that follows from a name alone and differs between names that differ little: FNV-1a, mixed once more, as its
/// lowest bits alone follow the last letters.
fn spread(name: &str) -> u64 {
    let h = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| {
        (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)
    });
    (h ^ h >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32
}

/// What happens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "action", rename_all = "snake_case")]
#[schema(as = FaultAction)]
pub enum Action {
    /// Is not there: takes connections and never says a word on them, not even TLS's. Told by a hall's boxes only; others
    /// hang.
    Vanish,
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
    /// Loses all power at once, at the next request that it gets, as if its cables fell out; once the fault is cleared,
    /// they are back.
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

    /// Its name, if it happens to what an emulated machine does with its disks and its network.
    pub fn inside(&self) -> Option<&'static str> {
        match self {
            Action::DropDhcp => Some("drop_dhcp"),
            Action::DiskError => Some("disk_error"),
            Action::SlowDisk { .. } => Some("slow_disk"),
            _ => None,
        }
    }

    /// Its name, if it happens inside a machine: in its firmware, its agent, or its disks.
    pub(crate) fn inside_machine(&self) -> Option<&'static str> {
        match self {
            Action::IgnoreReset => Some("ignore_reset"),
            Action::StuckPost => Some("stuck_post"),
            _ => self.inside(),
        }
    }

    /// Whether it acts on a request to the BMC, rather than inside the machine.
    fn on_request(&self) -> bool {
        use Action::*;
        matches!(
            self,
            Vanish
                | Hang
                | Delay { .. }
                | Status { .. }
                | Reset
                | BrokenJson
                | HugeBody { .. }
                | WrongPassword
                | LosePower
        )
    }
}

/// One fault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
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
    /// When it was set, of a rack that keeps that; what is sent is not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<rack::Time>,
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
        self.lasts(at, |a| matches!(a, Action::Hang | Action::Vanish)).await;
    }

    /// Waits until no such fault hits `at` any more.
    pub async fn lasts(&self, at: &str, such: impl Fn(&Action) -> bool + Send) {
        loop {
            let cleared = self.cleared.notified();
            if !self.lock().1.iter().any(|f| such(&f.action) && f.on.names(at)) {
                return;
            }
            cleared.await;
        }
    }

    /// Whether `at` is as if it were not there.
    pub fn vanished(&self, at: &str) -> bool {
        let inner = self.lock();
        inner.1.iter().any(|f| f.action == Action::Vanish && f.on.names(at))
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
                && f.on.names(at)
                && (f.on.method.is_empty() || f.on.method.eq_ignore_ascii_case(method))
                && path.starts_with(&f.on.path)
        })
    }

    /// A fault inside a machine, counted.
    pub fn inside(&self, at: &str, which: impl Fn(&Action) -> bool) -> Option<Action> {
        self.take(|f| which(&f.action) && f.on.names(at))
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
    fn one_in_ten_is_one_in_ten_and_always_the_same() {
        let tenth = Selector {
            at: "r*/*".into(),
            one_in: 10,
            ..Selector::default()
        };
        let names: Vec<String> = (1..=100)
            .flat_map(|r| (1..=71).map(move |u| format!("r{r}/c{u}")))
            .collect();
        let hit: Vec<&String> = names.iter().filter(|n| tenth.names(n)).collect();
        assert!((600..820).contains(&hit.len()), "{} of {}", hit.len(), names.len());
        assert!(hit.iter().all(|n| tenth.names(n)) && !tenth.names("pdu-a"));
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
