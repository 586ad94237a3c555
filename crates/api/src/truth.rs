//! Truth: what a rack should be, and how it differs.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use control::House;
use plan::fsck::Report;
use rack::intent::Intent;
use rack::{Name, Place};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::auth::{Operator, Reader};
use crate::extract::{Body, Dry, Nothing, Query, named};
use crate::problem::Problem;

/// What a rack should be.
#[utoipa::path(get, path = "/v1/racks/{rack}/intent", params(("rack" = String, Path)),
    responses((status = 200, body = Intent), (status = "default", body = Problem)))]
pub async fn intent(_: Reader, State(house): State<House>, Path(rack): Path<String>) -> Result<Json<Intent>, Problem> {
    let rack: Name = named(&rack)?;
    let intent = house.intent(&rack).ok_or_else(|| {
        Problem::not_found("intent of rack", rack.as_str()).hint(format!("busbar import seen --rack {rack}"))
    })?;
    Ok(Json(Intent::clone(&intent)))
}

/// Writes down what a rack should be, in place of what was written before.
#[utoipa::path(put, path = "/v1/racks/{rack}/intent", params(("rack" = String, Path), Dry), request_body = Intent,
    responses((status = 200, body = Intent), (status = "default", body = Problem)))]
pub async fn set_intent(
    Operator(who): Operator,
    State(house): State<House>,
    Path(rack): Path<String>,
    Query(dry): Query<Dry>,
    Body(intent): Body<Intent>,
) -> Result<Json<Intent>, Problem> {
    let rack: Name = named(&rack)?;
    if intent.rack != rack {
        let what = format!("the intent is of rack {}, the path of {rack}", intent.rack);
        return Err(Problem::new("BB0101", what));
    }
    Ok(Json(house.set_intent(&who, intent, dry.dry_run).await?))
}

/// Forgets what a rack should be.
#[utoipa::path(delete, path = "/v1/racks/{rack}/intent", params(("rack" = String, Path)),
    responses((status = 204), (status = "default", body = Problem)))]
pub async fn drop_intent(
    Operator(who): Operator,
    State(house): State<House>,
    Path(rack): Path<String>,
    _: Query<Nothing>,
) -> Result<StatusCode, Problem> {
    house.drop_intent(&who, &named(&rack)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What is compared.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Where {
    /// A rack, or a place in one.
    place: String,
}

/// How a place differs from what it should be.
#[utoipa::path(get, path = "/v1/fsck", params(Where),
    responses((status = 200, body = Report), (status = "default", body = Problem)))]
pub async fn fsck(_: Reader, State(house): State<House>, Query(at): Query<Where>) -> Result<Json<Report>, Problem> {
    let place: Place = named(&at.place)?;
    Ok(Json(house.fsck(&place)?))
}

/// Which boxes' parts are agreed to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptRequest {
    /// A rack, or a place in one.
    place: Place,
}

/// How many boxes were agreed to.
#[derive(Debug, Serialize, ToSchema)]
pub struct Accepted {
    /// Boxes.
    boxes: usize,
}

/// Agrees to what boxes are made of now: changes of parts count from here on.
#[utoipa::path(post, path = "/v1/fsck/accept", request_body = AcceptRequest,
    responses((status = 200, body = Accepted), (status = "default", body = Problem)))]
pub async fn accept(
    Operator(who): Operator,
    State(house): State<House>,
    _: Query<Nothing>,
    Body(request): Body<AcceptRequest>,
) -> Result<Json<Accepted>, Problem> {
    let boxes = house.agree(&who, &request.place).await?;
    Ok(Json(Accepted { boxes }))
}
