//! Racks as they are drawn, and who looks.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header::{ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use control::House;
use rack::Name;
use rack::elevation::{By, Elevation};
use rack::request::{Me, RackSummary};
use ring::digest;
use serde::Deserialize;

use crate::auth::{Anyone, Reader};
use crate::extract::{Query, named};
use crate::history::when;
use crate::problem::Problem;

/// Header with the sequence number of the latest event: who follows the events from here on asks for those after it.
const LATEST: &str = "busbar-event";

/// Who asks, what it may do, and until when; `Busbar-Event` is the latest event, to follow the stream from there.
#[utoipa::path(get, path = "/v1/me", responses((status = 200, body = Me), (status = "default", body = Problem)))]
pub async fn me(Anyone(asks): Anyone, State(house): State<House>) -> impl IntoResponse {
    let latest = house.last_event().to_string();
    let me = Me {
        name: asks.who.name,
        role: asks.who.role,
        expires: asks.expires,
        emulator: house.is_emulated(),
    };
    ([(LATEST, latest)], Json(me))
}

/// Every rack, as people count them.
#[utoipa::path(get, path = "/v1/racks", responses((status = 200, body = [RackSummary]), (status = "default", body = Problem)))]
pub async fn racks(_: Reader, State(house): State<House>) -> Json<Vec<RackSummary>> {
    Json(house.all_racks())
}

/// What of a rack is drawn.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
pub struct Look {
    /// What boxes are told apart by: `power`, `share`, `inlet`, `hottest`, `use`, `health`, `age` or `firmware`.
    #[param(value_type = Option<By>)]
    pub by: Option<String>,
    /// A moment of the last day, RFC 3339 or how long ago (`15m`): its readings instead of now's.
    pub at: Option<String>,
}

impl Look {
    /// The rack as it is looked at.
    pub fn draw(&self, house: &House, rack: &str) -> Result<Elevation, Problem> {
        let rack: Name = named(rack)?;
        let by = self.by.as_deref().map(named).transpose()?.unwrap_or_default();
        let at = self.at.as_deref().map(|at| when(at, "at", house.now())).transpose()?;
        Ok(house.elevation(&rack, by, at)?)
    }
}

/// A rack as it is drawn: each box at its units, with one thing that it is told apart by. Answers 304 to the `ETag` of
/// the last answer when nothing but the ages of readings differs. `Busbar-Event` is the latest event before it.
#[utoipa::path(get, path = "/v1/racks/{rack}/elevation", params(("rack" = String, Path), Look),
    responses((status = 200, body = Elevation), (status = 304, description = "nothing changed"), (status = "default", body = Problem)))]
pub async fn elevation(
    _: Reader,
    State(house): State<House>,
    Path(rack): Path<String>,
    Query(look): Query<Look>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    // before the drawing: an event in between is told twice rather than never
    let latest = house.last_event().to_string();
    let drawn = look.draw(&house, &rack)?;
    let tag = tag(&drawn);
    let known = matches(&headers, &tag);
    let headers = [(ETAG, tag), (HeaderName::from_static(LATEST), latest)];
    if known {
        return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    Ok((headers, Json(drawn)).into_response())
}

/// Names a drawing by what is to be seen of it: a weak validator (RFC 9110 §8.8.1), since ages go on by themselves.
pub fn tag(drawn: &Elevation) -> String {
    let mut still = drawn.clone();
    // a moment of the past is what was asked for; now is not
    if !still.past {
        still.at = rack::Time::from_millis(0);
    }
    let values = still
        .boxes
        .iter_mut()
        .chain(&mut still.feet)
        .filter_map(|b| b.value.as_mut());
    let values = values.chain(still.flanks.iter_mut().filter_map(|f| f.value.as_mut()));
    values.for_each(|v| v.age = None);
    let text = serde_json::to_vec(&still).unwrap_or_default();
    hash_tag("W/", &text)
}

/// An entity tag of the SHA-256 of `bytes`.
pub fn hash_tag(weak: &str, bytes: &[u8]) -> String {
    let hash = digest::digest(&digest::SHA256, bytes);
    let short: String = hash.as_ref()[..16].iter().map(|b| format!("{b:02x}")).collect();
    format!("{weak}\"{short}\"")
}

/// Whether the client has this already: weak comparison (RFC 9110 §13.1.2).
pub fn matches(headers: &HeaderMap, tag: &str) -> bool {
    let plain = |t: &str| t.trim().trim_start_matches("W/").to_owned();
    let sent = headers
        .get_all(IF_NONE_MATCH)
        .into_iter()
        .filter_map(|v| v.to_str().ok());
    let mut each = sent.flat_map(|v| v.split(','));
    each.any(|t| t.trim() == "*" || plain(t) == plain(tag))
}
