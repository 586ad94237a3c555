//! What happened, in order: asked for once, waited for, or streamed.

use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::sse::{Event as Sse, KeepAlive};
use axum::response::{IntoResponse, Response};
use control::House;
use rack::request::EventView;
use serde::Deserialize;
use tokio::time::timeout;

use crate::auth::Anyone;
use crate::extract::{Query, WAIT};
use crate::problem::Problem;
use crate::session::Proof;

/// Most events of one answer.
const MOST: usize = 1000;

/// Which events.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
pub struct Which {
    /// Only with a higher sequence number.
    after: Option<u64>,
    /// At most so many.
    limit: Option<usize>,
    /// Wait at most so many seconds for the first.
    wait: Option<u64>,
}

/// Events, oldest first; a stream of them with `Accept: text/event-stream`, which goes on after `Last-Event-ID`.
#[utoipa::path(get, path = "/v1/events", params(Which),
    responses((status = 200, body = [EventView]), (status = "default", body = Problem)))]
pub async fn events(
    Anyone(asks): Anyone,
    State(house): State<House>,
    headers: HeaderMap,
    Query(which): Query<Which>,
) -> Result<Response, Problem> {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    let last: Option<u64> = text("last-event-id").and_then(|v| v.parse().ok());
    let after = last.or(which.after).unwrap_or(0);
    if text(header::ACCEPT.as_str()).is_some_and(|a| a.contains("text/event-stream")) {
        return Ok(stream(house, asks.proof, after));
    }
    let limit = which.limit.unwrap_or(MOST).min(MOST);
    let mut changes = house.changes();
    let mut found = house.events(after, limit);
    if let Some(wait) = which.wait {
        let _ = timeout(Duration::from_secs(wait.min(WAIT)), async {
            while found.is_empty() {
                changes.changed().await;
                found = house.events(after, limit);
            }
        })
        .await;
    }
    Ok(Json(found).into_response())
}

/// How long a stream may outlive what its reader was recognised by.
const RECOGNISED: Duration = Duration::from_secs(5);

/// Ends when the reader's token is revoked or the session has ended.
fn stream(house: House, proof: Proof, after: u64) -> Response {
    let changes = house.changes();
    let start = (house, changes, after, std::collections::VecDeque::<EventView>::new());
    let stream = futures_util::stream::unfold(
        (start, proof),
        |((house, mut changes, mut after, mut ready), proof)| async move {
            loop {
                if !proof.holds(&house) {
                    return None;
                }
                if let Some(event) = ready.pop_front() {
                    after = event.sequence;
                    let data = serde_json::to_string(&event).unwrap_or_default();
                    let sse = Sse::default().id(after.to_string()).event("event").data(data);
                    return Some((Ok::<_, Infallible>(sse), ((house, changes, after, ready), proof)));
                }
                ready.extend(house.events(after, MOST));
                if ready.is_empty() {
                    let _ = timeout(RECOGNISED, changes.changed()).await;
                }
            }
        },
    );
    axum::response::Sse::new(stream)
        .keep_alive(KeepAlive::default())
        .into_response()
}
