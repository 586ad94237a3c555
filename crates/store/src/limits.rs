//! The bounds of what a store takes, and the checks which hold every input to them.

use crate::{Error, Expect, Txn, Write};
use serde::de::IgnoredAny;
use std::collections::BTreeSet;

/// Longest key, in bytes. Room for a kind and a long name; short enough to stay inside one database page.
pub const KEY_BYTES_MAX: usize = 512;
/// Largest value, in bytes. Objects are records; images, logs and telemetry live elsewhere.
pub const VALUE_BYTES_MAX: usize = 1 << 20;
/// Most writes in one transaction. Also what the low ten bits of a history row's id can number.
pub const TXN_WRITES_MAX: usize = 1 << 10;
/// Most checks in one transaction.
pub const TXN_CHECKS_MAX: usize = 1 << 12;
/// Most bytes of keys and values that one transaction may write: what one commit may hold in memory.
pub const TXN_BYTES_MAX: usize = 16 << 20;
/// How many of the last revisions a watch can resume from: minutes of a busy rack, days of a quiet one.
pub const HISTORY_REVISIONS_MAX: u64 = 10_000;
/// Most bytes of history kept, whatever the number of revisions: large values must not fill the disk with their past.
pub const HISTORY_BYTES_MAX: u64 = 256 << 20;
/// Highest revision: every revision is exact as a JSON number (2^53), and a history row's id fits 63 bits.
pub(crate) const REVISION_MAX: u64 = (1 << 53) - 1;

/// What a row costs beside its bytes, so that a flood of tiny rows is bounded too.
const ROW_BYTES: usize = 64;

fn invalid(what: impl Into<String>, reason: impl Into<String>) -> Error {
    Error::Invalid {
        what: what.into(),
        reason: reason.into(),
    }
}

/// What of a hostile string may be shown in an error.
fn shown(text: &str) -> String {
    text.chars().take(80).flat_map(char::escape_default).collect()
}

fn printable(text: &str) -> bool {
    text.bytes().all(|byte| (0x20..=0x7e).contains(&byte))
}

pub(crate) fn key(key: &str) -> Result<(), Error> {
    if key.is_empty() || key.len() > KEY_BYTES_MAX {
        return Err(invalid(
            format!("key {:?}", shown(key)),
            format!("it has {} bytes; use 1 to {KEY_BYTES_MAX}", key.len()),
        ));
    }
    if !printable(key) {
        return Err(invalid(format!("key {:?}", shown(key)), "use printable ASCII only"));
    }
    match key.split_once('/') {
        Some((kind, name)) if !kind.is_empty() && !name.is_empty() => Ok(()),
        _ => Err(invalid(format!("key {:?}", shown(key)), "write it as kind/name")),
    }
}

pub(crate) fn prefix(prefix: &str) -> Result<(), Error> {
    if prefix.len() <= KEY_BYTES_MAX && printable(prefix) {
        return Ok(());
    }
    Err(invalid(
        format!("prefix {:?}", shown(prefix)),
        format!("use at most {KEY_BYTES_MAX} bytes of printable ASCII"),
    ))
}

/// The first key after all that start with `prefix`: printable ASCII leaves room above its last byte.
pub(crate) fn prefix_end(prefix: &str) -> Option<String> {
    let (last, head) = prefix.as_bytes().split_last()?;
    let mut end = String::from_utf8_lossy(head).into_owned();
    end.push(char::from(last + 1));
    Some(end)
}

pub(crate) fn value(key: &str, value: &[u8]) -> Result<(), Error> {
    if value.len() > VALUE_BYTES_MAX {
        return Err(invalid(
            format!("value of {}", shown(key)),
            format!("it has {} bytes; the most is {VALUE_BYTES_MAX}", value.len()),
        ));
    }
    // A value that isn't JSON would only be found by whoever reads it, long after the writer has gone.
    serde_json::from_slice::<IgnoredAny>(value)
        .map(drop)
        .map_err(|e| invalid(format!("value of {}", shown(key)), format!("it is not JSON: {e}")))
}

/// Holds a transaction to every bound; returns the bytes that it will hold in memory.
pub(crate) fn txn(txn: &Txn) -> Result<usize, Error> {
    if txn.writes.len() > TXN_WRITES_MAX || txn.checks.len() > TXN_CHECKS_MAX {
        return Err(invalid(
            format!(
                "transaction of {} checks and {} writes",
                txn.checks.len(),
                txn.writes.len()
            ),
            format!("the most is {TXN_CHECKS_MAX} checks and {TXN_WRITES_MAX} writes; split it"),
        ));
    }
    let mut bytes = 0;
    for check in &txn.checks {
        key(&check.key)?;
        bytes += check.key.len() + ROW_BYTES;
        if matches!(check.expect, Expect::At(0)) {
            return Err(invalid(
                format!("check of {}", shown(&check.key)),
                "no object has revision 0; to ask that it is not there, expect it Absent",
            ));
        }
    }
    let mut written = BTreeSet::new();
    for write in &txn.writes {
        key(write.key())?;
        bytes += write.key().len() + ROW_BYTES;
        if let Write::Put { key, value: json } = write {
            value(key, json)?;
            bytes += json.len();
        }
        if !written.insert(write.key()) {
            return Err(invalid(
                format!("transaction writing {} twice", shown(write.key())),
                "write each key once, with its last value",
            ));
        }
        if bytes > TXN_BYTES_MAX {
            return Err(invalid(
                "transaction",
                format!("it writes more than {TXN_BYTES_MAX} bytes; split it"),
            ));
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn keys_are_kind_and_name_in_printable_ascii() {
        for good in ["m/a", "machine/web 1", "a/b/c", &format!("k/{}", "x".repeat(510))] {
            key(good).unwrap();
        }
        for bad in [
            "",
            "machine",
            "/a",
            "a/",
            "m/\n",
            "m/\u{e9}",
            "m/\u{7f}",
            &format!("k/{}", "x".repeat(511)),
        ] {
            assert!(matches!(key(bad), Err(Error::Invalid { .. })), "{bad:?}");
        }
    }

    #[test]
    fn a_prefix_ends_before_the_first_key_that_does_not_start_with_it() {
        assert_eq!(prefix_end(""), None);
        assert_eq!(prefix_end("machine/").as_deref(), Some("machine0"));
        assert_eq!(prefix_end("m~").as_deref(), Some("m\u{7f}"));
    }

    #[test]
    fn a_transaction_is_held_to_its_bounds() {
        let put = |key: &str, value: &[u8]| Txn {
            checks: vec![],
            writes: vec![Write::Put {
                key: key.into(),
                value: value.into(),
            }],
        };
        txn(&put("a/b", b"{}")).unwrap();
        let mut big = vec![b' '; VALUE_BYTES_MAX + 1];
        big[0] = b'1';
        txn(&put("a/b", &big[..VALUE_BYTES_MAX])).unwrap();
        let refused = [
            put("a/b", b"{"),
            put("a/b", b""),
            put("a/b", &big),
            Txn::new().delete("a/b").delete("a/b"),
            Txn::new().check("a/b", Expect::At(0)),
            (0..=TXN_WRITES_MAX).fold(Txn::new(), |txn, i| txn.delete(format!("a/{i}"))),
            (0..=TXN_CHECKS_MAX).fold(Txn::new(), |txn, i| txn.check(format!("a/{i}"), Expect::Any)),
            Txn {
                checks: vec![],
                writes: (0..17)
                    .map(|i| Write::Put {
                        key: format!("a/{i}"),
                        value: big[..VALUE_BYTES_MAX].to_vec(),
                    })
                    .collect(),
            },
        ];
        for case in refused {
            assert!(matches!(txn(&case), Err(Error::Invalid { .. })), "{case:?}");
        }
    }
}
