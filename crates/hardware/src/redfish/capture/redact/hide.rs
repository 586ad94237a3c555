//! What must not be told, and what stands for it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ring::hmac;

use super::{rules, shape};

/// Shorter values can't be told from ordinary words and numbers, and tell as little.
const SHORTEST: usize = 4;
/// From this length on a value is replaced inside longer words too.
const INSIDE: usize = 6;
/// Values learned from one tree.
const MOST: usize = 200_000;
/// Longest value; longer ones are texts, which are searched for what they contain.
const LONGEST: usize = 256;
/// Tries to find a replacement that nothing else has.
const TRIES: u32 = 64;

/// How a value's characters are replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// Digits by digits, letters by letters.
    Word,
    /// Hexadecimal digits by such: UUIDs, MAC addresses.
    Hex,
    Ipv4,
    Ipv6,
}

#[derive(Debug, Clone)]
struct Stand {
    shape: Shape,
    /// In lower case; the case of what is replaced is put back.
    replacement: String,
}

/// Values with their replacements. It prints none of them.
pub struct Hidden {
    key: hmac::Key,
    values: BTreeSet<String>,
    public: BTreeSet<String>,
    stands: BTreeMap<String, Stand>,
    /// Values by their first bytes, longest first.
    starts: HashMap<[u8; SHORTEST], Vec<String>>,
}

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hidden")
            .field("values", &self.values.len())
            .finish_non_exhaustive()
    }
}

impl Hidden {
    /// Nothing is hidden yet.
    pub(super) fn new(salt: [u8; 32]) -> Hidden {
        Hidden {
            key: hmac::Key::new(hmac::HMAC_SHA256, &salt),
            values: BTreeSet::new(),
            public: BTreeSet::new(),
            stands: BTreeMap::new(),
            starts: HashMap::new(),
        }
    }

    /// How many values are hidden.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Hides a value, unless it is one that everybody has.
    pub(super) fn add(&mut self, value: &str) {
        let value = value.trim().to_ascii_lowercase();
        let usual = rules().usual.contains(&value)
            || value
                .chars()
                .all(|c| matches!(c, '0' | 'f' | ':' | '-' | '.' | ' ' | 'x'))
            || matches!(value.parse::<std::net::IpAddr>(), Ok(a) if a.is_loopback() || a.is_unspecified());
        let fits = (SHORTEST..=LONGEST).contains(&value.len()) && value.is_ascii() && !usual;
        // a link tells nothing but where it leads, and its parts are looked at on their own
        if !fits || value.starts_with("/redfish") || self.values.len() >= MOST {
            return;
        }
        if shape_of(&value) == Shape::Hex {
            let bare: String = value.chars().filter(char::is_ascii_hexdigit).collect();
            if value.len() == 17 {
                let by = |by: &str| {
                    let pairs: Vec<&str> = (0..6).map(|i| &bare[2 * i..2 * i + 2]).collect();
                    pairs.join(by)
                };
                self.values.extend([by(":"), by("-")]);
            }
            self.values.insert(bare);
        }
        self.values.insert(value);
    }

    /// Never hides this value.
    pub(super) fn leave(&mut self, value: &str) {
        if self.public.len() < MOST {
            self.public.insert(value.trim().to_ascii_lowercase());
        }
    }

    /// Finds a replacement for each value. To be called once, when all are known.
    pub(super) fn settle(&mut self) {
        let mut taken = BTreeSet::new();
        let mut values = std::mem::take(&mut self.values);
        values.retain(|v| !self.public.contains(v));
        for value in &values {
            let shape = shape_of(value);
            let secret = match shape {
                Shape::Hex => value.chars().filter(char::is_ascii_hexdigit).collect(),
                _ => value.clone(),
            };
            for round in 0..TRIES {
                let made = self.make(value, &secret, shape, round);
                let known = |v: &String| v.len() >= SHORTEST && made.contains(v.as_str());
                // forms of one address share their digits, so they must not be kept apart
                let apart = shape == Shape::Hex || !taken.contains(&made);
                if (apart && !values.contains(&made) && !(values.len() < 5_000 && values.iter().any(known)))
                    || round + 1 == TRIES
                {
                    taken.insert(made.clone());
                    self.stands.insert(
                        value.clone(),
                        Stand {
                            shape,
                            replacement: made,
                        },
                    );
                    break;
                }
            }
        }
        for value in &values {
            if let Some(start) = value.as_bytes().first_chunk::<SHORTEST>() {
                self.starts.entry(*start).or_default().push(value.clone());
            }
        }
        for list in self.starts.values_mut() {
            list.sort_by_key(|v| std::cmp::Reverse(v.len()));
        }
        self.values = values;
    }

    fn make(&self, value: &str, secret: &str, shape: Shape, round: u32) -> String {
        let mut block = Vec::new();
        let mut bytes = (0u32..).flat_map(|n| {
            let tag = hmac::sign(&self.key, format!("{round} {n} {secret}").as_bytes());
            tag.as_ref().to_vec()
        });
        let mut next = || bytes.next().unwrap_or_default();
        match shape {
            Shape::Ipv4 => {
                block.extend_from_slice(format!("10.{}.{}.{}", next(), next(), 1 + next() % 254).as_bytes());
            }
            Shape::Ipv6 => {
                let mut group = || format!("{:02x}{:02x}", next(), next());
                let text = format!("fd00::{}:{}:{}", group(), group(), group());
                block.extend_from_slice(text.as_bytes());
            }
            Shape::Hex => {
                let mut digits = 0;
                for c in value.bytes() {
                    let digit = b"0123456789abcdef"[usize::from(next() % 16)];
                    match c.is_ascii_hexdigit() {
                        // locally administered and not a group's (IEEE 802), as it is no maker's any more
                        true if digits == 1 => block.push(b"26ae"[usize::from(digit % 4)]),
                        true => block.push(digit),
                        false => block.push(c),
                    }
                    if c.is_ascii_hexdigit() {
                        digits += 1;
                    }
                }
                // separators took bytes of the stream: the forms of one address must have the same digits
                if value.len() != secret.len() {
                    let bare = self.make(secret, secret, Shape::Hex, round);
                    let mut bare = bare.bytes();
                    for c in block.iter_mut().filter(|c| c.is_ascii_hexdigit()) {
                        *c = bare.next().unwrap_or(b'0');
                    }
                }
            }
            Shape::Word => {
                for c in value.bytes() {
                    let n = next();
                    block.push(match c {
                        b'0'..=b'9' => b'0' + n % 10,
                        b'a'..=b'z' => b'a' + n % 26,
                        other => other,
                    });
                }
            }
        }
        String::from_utf8(block).unwrap_or_default()
    }

    /// The text with everything hidden replaced; `None` when there is nothing to replace.
    pub fn replace(&self, text: &str) -> Option<String> {
        let low = text.to_ascii_lowercase();
        let bytes = low.as_bytes();
        let mut out = String::with_capacity(text.len());
        let (mut at, mut copied) = (0, 0);
        while at + SHORTEST <= bytes.len() {
            let start = bytes[at..].first_chunk::<SHORTEST>();
            let candidates = start.and_then(|s| self.starts.get(s));
            let hit = candidates
                .into_iter()
                .flatten()
                .find(|v| bytes[at..].starts_with(v.as_bytes()) && self.stands_alone(v, bytes, at));
            match hit {
                Some(value) => {
                    let end = at + value.len();
                    out.push_str(&text[copied..at]);
                    out.push_str(&self.stands[value].like(&text[at..end]));
                    (at, copied) = (end, end);
                }
                None => at += 1,
            }
        }
        if copied == 0 {
            return None;
        }
        out.push_str(&text[copied..]);
        Some(out)
    }

    /// Whether a value found here is itself, and not a piece of a longer word.
    fn stands_alone(&self, value: &str, bytes: &[u8], at: usize) -> bool {
        let address = matches!(self.stands[value].shape, Shape::Ipv4 | Shape::Ipv6);
        if value.len() >= INSIDE && !address {
            return true;
        }
        let part = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_alphanumeric());
        let before = at.checked_sub(1).and_then(|i| bytes.get(i));
        let end = at + value.len();
        let goes_on = address && bytes.get(end) == Some(&b'.') && bytes.get(end + 1).is_some_and(u8::is_ascii_digit);
        !part(before) && !part(bytes.get(end)) && !goes_on
    }
}

impl Stand {
    /// The replacement in the case of what it replaces.
    fn like(&self, was: &str) -> String {
        match self.shape {
            Shape::Word => {
                let pairs = was.chars().zip(self.replacement.chars());
                pairs
                    .map(|(old, new)| {
                        if old.is_ascii_uppercase() {
                            new.to_ascii_uppercase()
                        } else {
                            new
                        }
                    })
                    .collect()
            }
            _ if was.bytes().any(|b| b.is_ascii_uppercase()) => self.replacement.to_ascii_uppercase(),
            _ => self.replacement.clone(),
        }
    }
}

fn shape_of(value: &str) -> Shape {
    let hex = |c: char| c.is_ascii_hexdigit() || matches!(c, ':' | '-');
    match value.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V4(_)) => Shape::Ipv4,
        Ok(std::net::IpAddr::V6(_)) => Shape::Ipv6,
        Err(_) if shape::is_id(value) && value.chars().all(hex) => Shape::Hex,
        Err(_) => Shape::Word,
    }
}
