//! Typed reads: an object's JSON as a Rust value.

use crate::{Error, Object, Revision, Store};
use serde::de::DeserializeOwned;

/// The object under `key` as `T`, with the revision to check against when writing it back.
///
/// # Errors
/// [`Error::Decode`] when the value has another shape; whatever [`Store::get`] answers.
pub async fn get_as<T: DeserializeOwned>(store: &dyn Store, key: &str) -> Result<Option<(Revision, T)>, Error> {
    let Some(object) = store.get(key).await? else {
        return Ok(None);
    };
    Ok(Some((object.revision, object.decode()?)))
}

/// Every object under `prefix` as `(key, revision, T)`, ordered by key, and the revision to watch from.
///
/// # Errors
/// [`Error::Decode`] for the first value of another shape; whatever [`Store::list`] answers.
pub async fn list_as<T: DeserializeOwned>(
    store: &dyn Store,
    prefix: &str,
) -> Result<(Revision, Vec<(String, Revision, T)>), Error> {
    let (revision, objects) = store.list(prefix).await?;
    let typed = objects.into_iter().map(|object| {
        let value = object.decode()?;
        Ok((object.key, object.revision, value))
    });
    Ok((revision, typed.collect::<Result<_, Error>>()?))
}

impl Object {
    /// The value as `T`.
    ///
    /// # Errors
    /// [`Error::Decode`] when it has another shape.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.value).map_err(|e| Error::Decode {
            key: self.key.clone(),
            revision: self.revision,
            // The message may quote the value, which may be secret: the category and place say enough.
            reason: format!("{:?} error at line {} column {}", e.classify(), e.line(), e.column()),
        })
    }
}
