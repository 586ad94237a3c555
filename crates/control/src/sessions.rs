//! Browsers' logins, kept over a restart of the daemon. Only fingerprints are kept, as of tokens. Whose sessions live is decided
//! by `api::session`, which holds them in memory; nothing else reads these, so nothing waits until the record shows them.

use rack::Time;
use serde::{Deserialize, Serialize};
use store::Txn;

use crate::House;
use crate::keys;

/// A session as it is stored, by the fingerprint of its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredSession {
    /// Fingerprint of the token that it was made with.
    pub token: String,
    /// When.
    pub made: Time,
}

impl House {
    /// Every session that is kept, by the fingerprint of its secret. One that can't be read is nobody's.
    pub async fn kept_sessions(&self) -> Result<Vec<(String, Option<StoredSession>)>, store::Error> {
        let (_, objects) = self.inner.env.store.list(&keys::session("")).await?;
        let kept = objects.into_iter().filter_map(|object| {
            let mark = object.key.strip_prefix(&keys::session(""))?.to_owned();
            Some((mark, serde_json::from_slice(&object.value).ok()))
        });
        Ok(kept.collect())
    }

    /// Keeps a session, if there is one, and forgets others.
    pub async fn keep_sessions(
        &self,
        new: Option<(&str, &StoredSession)>,
        gone: &[String],
    ) -> Result<(), store::Error> {
        let mut txn = Txn::new();
        for mark in gone {
            txn = txn.delete(keys::session(mark));
        }
        if let Some((mark, session)) = new {
            txn = txn.put(keys::session(mark), session)?;
        }
        self.commit_unshown(txn).await.map(drop)
    }
}
