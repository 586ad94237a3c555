//! The nouns: objects, transactions and what they change.
//!
//! `Debug` shows sizes and never values: a value may hold a secret, and a transaction ends up in logs.

use crate::Error;
use serde::Serialize;
use std::fmt;
use std::sync::Arc;

/// Numbers the commits, from 1; 0 is before the first commit.
pub type Revision = u64;

/// A value under a key, as of its last write.
#[derive(Clone, PartialEq, Eq)]
pub struct Object {
    /// `kind/name`.
    pub key: String,
    /// The commit that last wrote it.
    pub revision: Revision,
    /// JSON.
    pub value: Arc<[u8]>,
}

/// What a transaction relies on for a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Expect {
    /// Whatever is there, or nothing.
    Any,
    /// Nothing is there.
    Absent,
    /// The object is there, last written by this commit.
    At(Revision),
}

/// A precondition on a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// `kind/name`.
    pub key: String,
    /// What must hold when the transaction commits.
    pub expect: Expect,
}

/// One change that a transaction makes.
#[derive(Clone, PartialEq, Eq)]
pub enum Write {
    /// Sets the value, whether or not the key is there.
    Put {
        /// `kind/name`.
        key: String,
        /// JSON.
        value: Vec<u8>,
    },
    /// Removes the key; no change if it is not there.
    Delete {
        /// `kind/name`.
        key: String,
    },
}

/// Checks and writes that commit together or not at all. Each key is written at most once.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Txn {
    /// What must hold.
    pub checks: Vec<Check>,
    /// What changes.
    pub writes: Vec<Write>,
}

/// One key's change in a commit.
#[derive(Clone, PartialEq, Eq)]
pub struct Change {
    /// The commit.
    pub revision: Revision,
    /// `kind/name`.
    pub key: String,
    /// The new value; `None`: deleted.
    pub value: Option<Arc<[u8]>>,
}

/// One commit, with its changes in the order in which the transaction wrote them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The commit.
    pub revision: Revision,
    /// At least one.
    pub changes: Vec<Change>,
}

impl Txn {
    /// A transaction that checks and changes nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Commits only if `key` is as expected.
    #[must_use]
    pub fn check(mut self, key: impl Into<String>, expect: Expect) -> Self {
        self.checks.push(Check {
            key: key.into(),
            expect,
        });
        self
    }

    /// Sets `key` to `value`, as JSON.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the value can't be written as JSON (such as a map whose keys are not strings).
    pub fn put(mut self, key: impl Into<String>, value: &(impl Serialize + ?Sized)) -> Result<Self, Error> {
        let key = key.into();
        let value = serde_json::to_vec(value).map_err(|e| Error::Invalid {
            what: format!("value of {}", key.escape_default()),
            reason: format!("it can't be written as JSON: {e}"),
        })?;
        self.writes.push(Write::Put { key, value });
        Ok(self)
    }

    /// Removes `key`.
    #[must_use]
    pub fn delete(mut self, key: impl Into<String>) -> Self {
        self.writes.push(Write::Delete { key: key.into() });
        self
    }
}

impl Write {
    /// The key that is written.
    #[must_use]
    pub fn key(&self) -> &str {
        match self {
            Write::Put { key, .. } | Write::Delete { key } => key,
        }
    }
}

impl Check {
    /// Whether it holds for an object that was last written at `found`.
    pub(crate) fn judge(&self, found: Option<Revision>) -> Result<(), Error> {
        let holds = match self.expect {
            Expect::Any => true,
            Expect::Absent => found.is_none(),
            Expect::At(revision) => found == Some(revision),
        };
        if holds {
            return Ok(());
        }
        Err(Error::Conflict {
            key: self.key.clone(),
            expected: self.expect,
            found,
        })
    }
}

impl Batch {
    /// What it holds in memory, for the bounds on buffers.
    pub(crate) fn bytes(&self) -> usize {
        self.changes
            .iter()
            .map(|change| change.key.len() + change.value.as_ref().map_or(0, |v| v.len()))
            .sum()
    }
}

impl fmt::Display for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expect::Any => f.write_str("anything"),
            Expect::Absent => f.write_str("nothing"),
            Expect::At(revision) => write!(f, "revision {revision}"),
        }
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Object({} @{}, {} bytes)", self.key, self.revision, self.value.len())
    }
}

impl fmt::Debug for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Write::Put { key, value } => write!(f, "Put({key}, {} bytes)", value.len()),
            Write::Delete { key } => write!(f, "Delete({key})"),
        }
    }
}

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "Change({} @{}, {} bytes)", self.key, self.revision, value.len()),
            None => write!(f, "Change({} @{}, deleted)", self.key, self.revision),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn debug_output_never_shows_a_value() {
        let txn = Txn::new().put("token/a", "hunter2").unwrap();
        let value: Arc<[u8]> = Arc::from(&b"\"hunter2\""[..]);
        let object = Object {
            key: "token/a".into(),
            revision: 1,
            value: value.clone(),
        };
        let change = Change {
            revision: 1,
            key: "token/a".into(),
            value: Some(value),
        };
        let shown = format!("{txn:?} {object:?} {change:?}");
        assert!(shown.contains("token/a") && !shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn a_conflict_names_the_key_and_both_revisions() {
        let check = Check {
            key: "part/a".into(),
            expect: Expect::At(3),
        };
        let shown = check.judge(Some(7)).unwrap_err().to_string();
        assert_eq!(
            shown,
            "part/a has changed: expected revision 3, found revision 7; read it again and decide anew"
        );
        let shown = Check {
            key: "part/a".into(),
            expect: Expect::At(3),
        }
        .judge(None)
        .unwrap_err()
        .to_string();
        assert!(shown.contains("found nothing"), "{shown}");
    }
}
