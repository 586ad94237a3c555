//! Names and addresses of things: what a user types, checked once, at the border.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, de};
use utoipa::ToSchema;

/// Why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not a {kind}: {rule}")]
pub struct BadName {
    given: String,
    kind: &'static str,
    rule: &'static str,
}

fn bad(given: &str, kind: &'static str, rule: &'static str) -> BadName {
    BadName {
        given: given.chars().filter(|c| !c.is_control()).take(80).collect(),
        kind,
        rule,
    }
}

macro_rules! checked_string {
    ($name:ident) => {
        impl $name {
            /// The text as it was checked.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                String::deserialize(d)?.parse().map_err(de::Error::custom)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

/// The name of a machine, an image, a rack or a credential: a DNS label in lower case (RFC 1123 §2.1), which may also
/// hold dots, so that `debian-13` and `rocky-9.4` are both fine. At most 63 characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(transparent)]
pub struct Name(String);
checked_string!(Name);

impl FromStr for Name {
    type Err = BadName;

    fn from_str(s: &str) -> Result<Self, BadName> {
        const RULE: &str = "use 1 to 63 of a-z, 0-9, `-` and `.`, starting and ending with a letter or digit";
        let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
        let fits = s.len() <= 63 && edge(s.chars().next()) && edge(s.chars().next_back());
        if fits && s.chars().all(inner) && !s.contains("..") {
            Ok(Name(s.to_owned()))
        } else {
            Err(bad(s, "name", RULE))
        }
    }
}

/// Where something stands: a rack, or a rack and a position in it (`r1`, `r1/u12`, `r1/pdu-a`, `r1/u12/psu1`).
///
/// Places are ordered as people count: `r1/u2` before `r1/u12`, `c2-dpu1` before `c10-dpu1`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(transparent)]
pub struct Place(String);
checked_string!(Place);

impl Place {
    /// The position `slot` in `rack`.
    pub fn new(rack: &Name, slot: &Name) -> Place {
        Place(format!("{rack}/{slot}"))
    }

    /// A rack as a place.
    pub fn whole(rack: &Name) -> Place {
        Place(rack.to_string())
    }

    /// The rack that this place is in.
    pub fn rack(&self) -> &str {
        self.0.split('/').next().unwrap_or_default()
    }

    /// The position in the rack, when this is more than a whole rack.
    pub fn slot(&self) -> Option<&str> {
        self.0.split('/').nth(1)
    }

    /// Whether this place is `other` or lies inside it.
    pub fn is_in(&self, other: &Place) -> bool {
        self == other || self.0.strip_prefix(&other.0).is_some_and(|rest| rest.starts_with('/'))
    }
}

impl Ord for Place {
    fn cmp(&self, other: &Self) -> Ordering {
        let (mut ours, mut theirs) = (self.0.split('/'), other.0.split('/'));
        loop {
            let order = match (ours.next(), theirs.next()) {
                (Some(a), Some(b)) => counted(a).cmp(counted(b)),
                // places that count alike (`u1`, `u01`) are still two
                (a, b) => return a.is_some().cmp(&b.is_some()).then_with(|| self.0.cmp(&other.0)),
            };
            if order.is_ne() {
                return order;
            }
        }
    }
}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Words, each with the number behind it.
fn counted(segment: &str) -> impl Iterator<Item = (&str, u64)> {
    let mut rest = segment;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let word = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let digits = rest[word..].find(|c: char| !c.is_ascii_digit());
        let end = digits.map_or(rest.len(), |d| word + d);
        let found = (&rest[..word], rest[word..end].parse().unwrap_or(0));
        rest = &rest[end..];
        Some(found)
    })
}

impl FromStr for Place {
    type Err = BadName;

    fn from_str(s: &str) -> Result<Self, BadName> {
        const RULE: &str = "write it like r1, r1/u12 or r1/u12/psu1";
        let parts: Vec<&str> = s.split('/').collect();
        if (1..=3).contains(&parts.len()) && parts.iter().all(|p| p.parse::<Name>().is_ok()) {
            Ok(Place(s.to_owned()))
        } else {
            Err(bad(s, "place", RULE))
        }
    }
}

/// The lasting identity of a node: its UUID where the BMC tells one, else maker and serial. Never a path or an
/// address, as both move with firmware and cabling (HARDWARE: same box, other firmware).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(transparent)]
pub struct NodeId(String);
checked_string!(NodeId);

impl FromStr for NodeId {
    type Err = BadName;

    fn from_str(s: &str) -> Result<Self, BadName> {
        let ok = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
        if !s.is_empty() && s.len() <= 96 && s.chars().all(ok) {
            Ok(NodeId(s.to_owned()))
        } else {
            Err(bad(s, "node id", "use 1 to 96 of a-z, 0-9, `-` and `.`"))
        }
    }
}

impl NodeId {
    /// What comes before every identity.
    pub(crate) fn least() -> NodeId {
        NodeId(String::new())
    }

    /// The id for what a BMC says of itself; `None` when it says nothing that could tell two boxes apart.
    pub fn from_identity(uuid: Option<&str>, maker: Option<&str>, serial: Option<&str>) -> Option<NodeId> {
        let telling = |s: &&str| {
            let t = s.trim().to_ascii_lowercase();
            let distinct = t
                .chars()
                .filter(|c| c.is_ascii_alphanumeric())
                .collect::<std::collections::BTreeSet<_>>();
            distinct.len() > 1
                && ![
                    "null",
                    "none",
                    "unknown",
                    "n/a",
                    "na",
                    "default string",
                    "to be filled by o.e.m.",
                ]
                .contains(&t.as_str())
        };
        let clean = |s: &str| -> String {
            let lower = s.trim().to_ascii_lowercase();
            let mapped: String = lower
                .chars()
                .map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '-' })
                .take(47)
                .collect();
            mapped.trim_matches('-').to_owned()
        };
        if let Some(uuid) = uuid.filter(telling) {
            return clean(uuid).parse().ok();
        }
        let serial = serial.filter(telling)?;
        format!("{}.{}", clean(maker.unwrap_or("unknown")), clean(serial))
            .parse()
            .ok()
    }
}

/// An Ethernet address, written in lower case with colons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ToSchema)]
#[schema(value_type = String, example = "52:54:00:12:34:56")]
pub struct Mac(pub [u8; 6]);

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl FromStr for Mac {
    type Err = BadName;

    fn from_str(s: &str) -> Result<Self, BadName> {
        let err = || {
            bad(
                s,
                "MAC address",
                "write six hexadecimal bytes, such as 52:54:00:12:34:56",
            )
        };
        let digits: Vec<u8> = s
            .bytes()
            .filter(|b| !matches!(b, b':' | b'-' | b'.'))
            .map(|b| (b as char).to_digit(16).map(|d| d as u8).ok_or_else(err))
            .collect::<Result<_, _>>()?;
        let bytes: [u8; 12] = digits.try_into().map_err(|_| err())?;
        Ok(Mac(std::array::from_fn(|i| bytes[2 * i] << 4 | bytes[2 * i + 1])))
    }
}

impl Serialize for Mac {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Mac {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_dns_labels_with_dots() {
        for good in ["web-3", "rocky-9.4", "a", "r1"] {
            assert!(good.parse::<Name>().is_ok(), "{good}");
        }
        for wrong in ["", "-a", "a-", "A", "a b", "a..b", "ä", "a/b", &"x".repeat(64)] {
            assert!(wrong.parse::<Name>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn places_nest_and_sort_as_people_count() {
        let at = |s: &str| s.parse::<Place>().expect("a place");
        assert!(at("r1/u12").is_in(&at("r1")));
        assert!(!at("r12/u1").is_in(&at("r1")));
        let order = [
            "r1",
            "r1/c2",
            "r1/c2-dpu1",
            "r1/c10",
            "r1/c10-dpu2",
            "r1/u02",
            "r1/u2",
            "r1/u12/psu1",
            "r1-a/u1",
            "r2/u1",
            "r10/u1",
        ];
        for (i, a) in order.iter().enumerate() {
            for (j, b) in order.iter().enumerate() {
                assert_eq!(at(a).cmp(&at(b)), i.cmp(&j), "{a} {b}");
            }
        }
        assert_eq!(at("r1/u12/psu1").slot(), Some("u12"));
        assert!("r1/../u1".parse::<Place>().is_err());
    }

    #[test]
    fn identity_is_uuid_then_serial_and_never_a_filler() {
        let id = |u, m, s| NodeId::from_identity(u, m, s).map(|i| i.to_string());
        assert_eq!(id(Some("4C4C4544-0051"), None, None).as_deref(), Some("4c4c4544-0051"));
        assert_eq!(
            id(Some("NULL"), Some("Dell Inc."), Some("ABC 123")).as_deref(),
            Some("dell-inc.abc-123")
        );
        assert_eq!(id(Some("00000000-0000-0000-0000-000000000000"), None, Some("0")), None);
        assert_eq!(id(None, None, Some("To be filled by O.E.M.")), None);
    }

    proptest! {
        #[test]
        fn no_text_makes_a_parser_panic(s in ".{0,200}") {
            let _ = s.parse::<Name>();
            let _ = s.parse::<Place>();
            let _ = s.parse::<Mac>();
            let _ = NodeId::from_identity(Some(&s), Some(&s), Some(&s));
        }

        #[test]
        fn a_mac_reads_back_as_written(bytes: [u8; 6]) {
            prop_assert_eq!(Mac(bytes).to_string().parse::<Mac>(), Ok(Mac(bytes)));
        }
    }
}
