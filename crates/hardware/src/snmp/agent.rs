//! The seam: what is asked of an SNMP agent, in values of our own, so that tests and a simulation can bring theirs.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::str::FromStr;

/// Longest OID (RFC 2578 §3.5).
const LONGEST: usize = 128;

/// The name of an object: numbers, compared one by one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Oid(Vec<u32>);

impl Oid {
    /// From numbers; none when there are fewer than two or more than RFC 2578 §3.5 allows.
    pub fn new(numbers: Vec<u32>) -> Option<Oid> {
        (2..=LONGEST).contains(&numbers.len()).then_some(Oid(numbers))
    }

    /// The numbers.
    pub fn numbers(&self) -> &[u32] {
        &self.0
    }

    /// The object at `index` below this one.
    pub fn at(&self, index: &[u32]) -> Oid {
        Oid([self.0.as_slice(), index].concat())
    }

    /// What follows `start`; none when it lies elsewhere.
    pub fn after(&self, start: &Oid) -> Option<&[u32]> {
        self.0.strip_prefix(start.0.as_slice())
    }

    /// Whether it names one value and no column of a table: the instance of a scalar is 0 (RFC 2578 §7.1).
    pub fn is_scalar(&self) -> bool {
        self.0.last() == Some(&0)
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&dotted(&self.0))
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Oid {
    type Err = String;

    fn from_str(text: &str) -> Result<Oid, String> {
        let numbers: Result<Vec<u32>, _> = text.split('.').map(str::parse).collect();
        numbers
            .ok()
            .and_then(Oid::new)
            .ok_or_else(|| format!("`{text}` is no OID"))
    }
}

impl<'de> serde::Deserialize<'de> for Oid {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Oid, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

/// An index as it is written.
pub fn dotted(numbers: &[u32]) -> String {
    let words: Vec<String> = numbers.iter().map(u32::to_string).collect();
    words.join(".")
}

/// What an object holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Integers, gauges, counters, time ticks.
    Number(i64),
    /// Octets; mostly text.
    Octets(Vec<u8>),
    /// The name of another object.
    Name(Oid),
    /// `noSuchObject`, `noSuchInstance`, null, or of a type that says nothing here: no reading.
    Missing,
    /// `endOfMibView`.
    End,
}

impl Value {
    /// The number; also one that is written as text, as some agents do.
    pub fn number(&self) -> Option<i64> {
        match self {
            Value::Number(n) => Some(*n),
            Value::Octets(bytes) => std::str::from_utf8(bytes).ok()?.trim().parse().ok(),
            _ => None,
        }
    }

    /// The text, cleaned as all texts of devices are.
    pub fn text(&self) -> Option<String> {
        let raw = match self {
            Value::Octets(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Value::Number(n) => n.to_string(),
            _ => return None,
        };
        crate::redfish::json::text(&serde_json::Value::String(raw))
    }

    /// Whether bit `n` of a `BITS` is set; the first bit is the highest of the first octet (RFC 3417 §8).
    pub fn bit(&self, n: u32) -> bool {
        let Value::Octets(bytes) = self else { return false };
        bytes
            .get(n as usize / 8)
            .is_some_and(|octet| octet & (0x80 >> (n % 8)) != 0)
    }
}

/// Why an agent gave no answer that could be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// Nothing came back.
    #[error("{0}")]
    Silent(String),
    /// It does not know the user, or not with these passphrases.
    #[error("it refused the user or its passphrases ({0})")]
    Refused(String),
    /// What came back is no SNMP, or not an answer to what was asked.
    #[error("{0}")]
    Broken(String),
    /// It said no (RFC 3416 §3, `error-status`).
    #[error("error status {status} ({name})", name = status_name(*.status))]
    Status {
        /// `error-status`.
        status: u32,
    },
}

/// The name of an `error-status` (RFC 3416 §3).
pub fn status_name(status: u32) -> &'static str {
    const NAMES: [&str; 19] = [
        "noError",
        "tooBig",
        "noSuchName",
        "badValue",
        "readOnly",
        "genErr",
        "noAccess",
        "wrongType",
        "wrongLength",
        "wrongEncoding",
        "wrongValue",
        "noCreation",
        "inconsistentValue",
        "resourceUnavailable",
        "commitFailed",
        "undoFailed",
        "authorizationError",
        "notWritable",
        "inconsistentName",
    ];
    NAMES.get(status as usize).copied().unwrap_or("unknown")
}

/// Objects and what they hold.
pub type Bindings = Vec<(Oid, Value)>;

/// A future of this seam.
pub type Reply<'a> = Pin<Box<dyn Future<Output = Result<Bindings, Trouble>> + Send + 'a>>;

/// An SNMP agent. It is asked one thing at a time: the agents in PDUs drop what comes while they are busy.
pub trait Agent: Send + Sync {
    /// The values of `oids`, in that order.
    fn get<'a>(&'a self, oids: &'a [Oid]) -> Reply<'a>;
    /// The object after `oid`.
    fn get_next<'a>(&'a self, oid: &'a Oid) -> Reply<'a>;
    /// Up to `most` objects after `oid`.
    fn get_bulk<'a>(&'a self, oid: &'a Oid, most: u32) -> Reply<'a>;
    /// Writes an integer. Sent once and never again, as an order to restart an outlet must not come twice.
    fn set<'a>(&'a self, oid: &'a Oid, value: i64) -> Reply<'a>;
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_oid_is_read_compared_and_taken_apart() {
        let column: Oid = "1.3.6.1.4.1.318".parse().unwrap();
        let cell: Oid = "1.3.6.1.4.1.318.10.2".parse().unwrap();
        assert_eq!(cell.after(&column), Some([10, 2].as_slice()));
        assert_eq!(column.after(&cell), None);
        assert!(
            "1.3.6.1.4.1.318.9.7".parse::<Oid>().unwrap() < cell,
            "numbers, not text"
        );
        for bad in ["", "1", ".1.3", "1.3.x", "1.3.4294967296", "1.-3"] {
            assert!(bad.parse::<Oid>().is_err(), "{bad}");
        }
        assert!(Oid::new(vec![1; LONGEST + 1]).is_none());
    }

    #[test]
    fn values_are_read_as_what_they_mean() {
        assert_eq!(Value::Octets(b" 42 ".to_vec()).number(), Some(42));
        assert_eq!(Value::Octets(b"web\x1b[31m-1\0".to_vec()).text().unwrap(), "web[31m-1");
        assert_eq!(Value::Octets(b"N/A".to_vec()).text(), None);
        let bits = Value::Octets(vec![0b1010_0000, 0b1000_0000]);
        let set: Vec<u32> = (0..20).filter(|n| bits.bit(*n)).collect();
        assert_eq!(set, [0, 2, 8]);
        assert_eq!(Value::Missing.number(), None);
    }
}
