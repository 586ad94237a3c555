//! How the racks are, in a few numbers, and what is left of them.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use control::House;
use rack::free::FreeView;
use rack::vitals::VitalsView;
use rack::{Name, Place};
use serde::Deserialize;

use crate::auth::Reader;
use crate::extract::{Poll, Query};
use crate::problem::Problem;

/// Which rack.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
pub struct Inside {
    /// Only this rack.
    #[param(value_type = Option<String>)]
    rack: Option<Name>,
}

impl Inside {
    fn place(&self) -> Option<Place> {
        self.rack.as_ref().map(Place::whole)
    }
}

/// Every box in a few numbers; with `after` and `wait`, once something changed.
#[utoipa::path(get, path = "/v1/vitals", params(Poll),
    responses((status = 200, body = VitalsView), (status = "default", body = Problem)))]
pub async fn vitals(_: Reader, State(house): State<House>, Query(poll): Query<Poll>) -> impl IntoResponse {
    let change = poll.wait(&house).await;
    ([("busbar-change", change.to_string())], Json(house.vitals(None)))
}

/// What there is, is promised, is used and is left; null where it is not known.
#[utoipa::path(get, path = "/v1/free", params(Inside),
    responses((status = 200, body = FreeView), (status = "default", body = Problem)))]
pub async fn free(
    _: Reader,
    State(house): State<House>,
    Query(inside): Query<Inside>,
) -> Result<Json<FreeView>, Problem> {
    Ok(Json(house.free(inside.place().as_ref())?))
}
