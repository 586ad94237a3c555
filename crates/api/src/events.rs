//! What happened, in order: asked for once, waited for, or streamed.

use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::sse::{Event as Sse, KeepAlive};
use axum::response::{IntoResponse, Response};
use control::House;
use plan::events::Wanted;
use rack::Level;
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
    /// Only with a lower sequence number, and of those the latest: reads back. Not with `wait`.
    before: Option<u64>,
    /// Only these levels, with commas: `warning,error`.
    level: Option<String>,
    /// Only about this machine or place, or a place within it.
    about: Option<String>,
    /// Only what this token did, or `busbar`.
    by: Option<String>,
    /// Only those in which this is written, in capitals or not.
    text: Option<String>,
}

impl Which {
    fn wanted(&self) -> Result<Wanted, Problem> {
        let level = |word: &str| {
            LEVELS
                .iter()
                .find(|(name, _)| *name == word)
                .map(|(_, level)| *level)
                .ok_or_else(|| {
                    let shown: String = word.chars().filter(|c| !c.is_control()).take(40).collect();
                    Problem::new(
                        "BB0101",
                        format!("level: `{shown}` is none of audit, info, warning and error"),
                    )
                })
        };
        let levels = self
            .level
            .as_deref()
            .map(|all| all.split(',').map(level).collect::<Result<_, _>>());
        Ok(Wanted {
            levels: levels.transpose()?,
            about: self.about.clone(),
            by: self.by.clone(),
            text: self.text.as_deref().map(str::to_lowercase),
        })
    }
}

/// Levels as queries name them.
const LEVELS: [(&str, Level); 4] = [
    ("audit", Level::Audit),
    ("info", Level::Info),
    ("warning", Level::Warning),
    ("error", Level::Error),
];

/// Events, oldest first; a stream of them with `Accept: text/event-stream`, which goes on after `Last-Event-ID`.
#[utoipa::path(get, path = "/v1/events", params(Which),
    responses((status = 200, body = [EventView]), (status = "default", body = Problem)))]
pub async fn events(
    Anyone(asks): Anyone,
    State(house): State<House>,
    headers: HeaderMap,
    Query(which): Query<Which>,
) -> Result<Response, Problem> {
    let wanted = which.wanted()?;
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    let last: Option<u64> = text("last-event-id").and_then(|v| v.parse().ok());
    let after = last.or(which.after).unwrap_or(0);
    if text(header::ACCEPT.as_str()).is_some_and(|a| a.contains("text/event-stream")) {
        if which.before.is_some() || wanted != Wanted::default() {
            return Err(Problem::new(
                "BB0101",
                "a stream takes `after` alone: it is of all events",
            ));
        }
        return Ok(stream(house, asks.proof, after));
    }
    let limit = which.limit.unwrap_or(MOST).min(MOST);
    if let Some(before) = which.before {
        if which.wait.is_some() {
            return Err(Problem::new("BB0101", "before, wait: what is past is not waited for"));
        }
        return Ok(Json(house.events_before(before, after, limit, &wanted)).into_response());
    }
    let mut changes = house.changes();
    let mut found = house.events_of(after, limit, &wanted);
    if let Some(wait) = which.wait {
        let _ = timeout(Duration::from_secs(wait.min(WAIT)), async {
            while found.is_empty() {
                changes.changed().await;
                found = house.events_of(after, limit, &wanted);
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
