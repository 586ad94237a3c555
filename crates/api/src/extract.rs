//! Queries, bodies and paths, refused with a problem that names the field.

use std::time::Duration;

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use control::House;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::problem::Problem;

/// Longest wait of a long poll, in seconds.
pub const WAIT: u64 = 55;

/// A JSON body; unknown fields are refused by the types.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest<House> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, house: &House) -> Result<Self, Problem> {
        let bytes = axum::body::Bytes::from_request(request, house).await.map_err(|e| {
            let code = if e.status() == 413 { "BB0102" } else { "BB0101" };
            Problem::new(code, e.body_text())
        })?;
        parse(&bytes).map(Body)
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|e| {
        let path = e.path().to_string();
        let inner = e.into_inner();
        // Bodies may hold passwords, so only the place and kind of a syntax error is told.
        Problem::new("BB0101", format!("the body at `{path}`: {inner}"))
    })?;
    json.end()
        .map_err(|e| Problem::new("BB0101", format!("the body: {e}")))?;
    Ok(value)
}

/// The query; unknown fields are refused by the types.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<House> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &House) -> Result<Self, Problem> {
        axum::extract::Query::try_from_uri(&parts.uri)
            .map(|q| Query(q.0))
            .map_err(|e| Problem::new("BB0101", e.body_text()))
    }
}

/// Reads a name or place from a path.
pub fn named<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|e: T::Err| Problem::new("BB0101", e.to_string()))
}

/// A long poll on a list.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
pub struct Poll {
    /// Answer at once unless nothing changed since this `Busbar-Change`.
    pub after: Option<u64>,
    /// Wait at most so many seconds for a change.
    pub wait: Option<u64>,
}

impl Poll {
    /// Waits as asked; answers with the count that the list is then as of.
    pub async fn wait(&self, house: &House) -> u64 {
        let mut changes = house.changes();
        if let (Some(after), Some(wait)) = (self.after, self.wait) {
            let limit = Duration::from_secs(wait.min(WAIT));
            // A daemon that started again counts anew: any other number is a change.
            let _ = tokio::time::timeout(limit, changes.wait_for(|now| now != after)).await;
        }
        changes.borrow_and_update()
    }
}

/// No query: a write that can't be tried dry refuses `dry_run` rather than be done.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// Whether to only say what would happen.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
pub struct Dry {
    /// Change nothing.
    pub dry_run: bool,
}

#[cfg(test)]
mod tests {
    use rack::request::RunRequest;

    #[test]
    fn a_body_is_refused_with_the_path_of_its_field() {
        let problem = super::parse::<RunRequest>(br#"{"ssh_keys":["a",7]}"#).unwrap_err();
        assert!(problem.detail.contains("ssh_keys[1]"), "{}", problem.detail);
        assert!(super::parse::<RunRequest>(br#"{"colour":1}"#).is_err());
        assert!(super::parse::<RunRequest>(b"{} {}").is_err());
    }
}
