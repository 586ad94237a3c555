//! Who may write: credentials, the mode of a driver, and the proof that a write stands in the audit log.

use std::fmt;

use rack::NodeId;

/// User and password of a BMC. Never printed; overwritten when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// User name.
    pub user: String,
    /// Password.
    pub password: String,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("user", &self.user)
            .field("password", &"(hidden)")
            .finish()
    }
}

impl Drop for Credential {
    fn drop(&mut self) {
        // Best effort without `unsafe`: zeros are written over the same buffer, as the length stays the same.
        let mut bytes = std::mem::take(&mut self.password).into_bytes();
        bytes.iter_mut().for_each(|b| *b = 0);
        std::hint::black_box(&bytes);
    }
}

/// What may be sent to a BMC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Nothing but `GET`: not even a session, as making one is a `POST`.
    Observe,
    /// Reads, and writes that carry a [`Permit`].
    Act,
}

/// Proof that a write was recorded before it is sent. Only the audit log's keeper should make one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permit {
    key: String,
    node: NodeId,
}

impl Permit {
    /// The write stands in the audit log under `audit_key`, and is meant for `node`.
    pub fn recorded(audit_key: String, node: NodeId) -> Permit {
        Permit { key: audit_key, node }
    }

    /// Key of the record.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The node the write is for.
    pub fn node(&self) -> &NodeId {
        &self.node
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_printed() {
        let c = Credential {
            user: "admin".into(),
            password: "hunter2".into(),
        };
        assert!(!format!("{c:?}").contains("hunter2"));
    }
}
