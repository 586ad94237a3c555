//! Verbs for boxes: outlets, caps and firmware settings, lights, logs, firmware, passwords.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use control::House;
use rack::Place;
use rack::request::{OutletRequest, Rotated};
use rack::rollout::{Rollout, RolloutRequest};
use rack::setting::{LogLine, Settings, SettingsRequest, SettingsView};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::auth::{Admin, Operator, Reader};
use crate::extract::{Body, Dry, Nothing, Query, named};
use crate::problem::Problem;

/// Whether what a machine uses may go dark.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
pub struct InUse {
    /// A box that a machine holds may lose its power.
    in_use: bool,
}

/// Switches an outlet of a PDU.
#[utoipa::path(post, path = "/v1/outlets", params(InUse), request_body = OutletRequest,
    responses((status = 204), (status = "default", body = Problem)))]
pub async fn outlet(
    Operator(who): Operator,
    State(house): State<House>,
    Query(use_): Query<InUse>,
    Body(request): Body<OutletRequest>,
) -> Result<StatusCode, Problem> {
    house.switch_outlet(&who, &request, use_.in_use).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What is looked at.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
pub struct Depth {
    /// Every BIOS attribute too.
    bios: bool,
}

/// What is wanted of a box, and how it is: read from its BMC now.
#[utoipa::path(get, path = "/v1/settings/{*place}", params(("place" = String, Path), Depth),
    responses((status = 200, body = SettingsView), (status = "default", body = Problem)))]
pub async fn settings(
    _: Reader,
    State(house): State<House>,
    Path(place): Path<String>,
    Query(depth): Query<Depth>,
) -> Result<Json<SettingsView>, Problem> {
    let place: Place = named(&place)?;
    Ok(Json(house.settings(&place, depth.bios).await?))
}

/// Changes what is wanted of a box.
#[utoipa::path(post, path = "/v1/settings", params(Dry), request_body = SettingsRequest,
    responses((status = 200, body = Settings), (status = "default", body = Problem)))]
pub async fn want(
    Operator(who): Operator,
    State(house): State<House>,
    Query(dry): Query<Dry>,
    Body(request): Body<SettingsRequest>,
) -> Result<Json<Settings>, Problem> {
    Ok(Json(house.want(&who, request, dry.dry_run).await?))
}

/// Which box is to be found.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LocateRequest {
    /// A node's place.
    place: Place,
    /// Light it, or put the light out.
    on: bool,
}

/// Lights a box for whoever stands in the aisle.
#[utoipa::path(post, path = "/v1/locate", request_body = LocateRequest,
    responses((status = 204), (status = "default", body = Problem)))]
pub async fn locate(
    Operator(who): Operator,
    State(house): State<House>,
    _: Query<Nothing>,
    Body(request): Body<LocateRequest>,
) -> Result<StatusCode, Problem> {
    house.locate(&who, &request.place, request.on).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// How much of a log.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
pub struct Most {
    /// At most so many lines; 50 when absent.
    most: Option<usize>,
}

/// The newest lines of the log that a box keeps itself, newest first.
#[utoipa::path(get, path = "/v1/logs/{*place}", params(("place" = String, Path), Most),
    responses((status = 200, body = [LogLine]), (status = "default", body = Problem)))]
pub async fn log(
    _: Reader,
    State(house): State<House>,
    Path(place): Path<String>,
    Query(most): Query<Most>,
) -> Result<Json<Vec<LogLine>>, Problem> {
    let place: Place = named(&place)?;
    Ok(Json(house.box_log(&place, most.most.unwrap_or(50)).await?))
}

/// Every firmware rollout.
#[utoipa::path(get, path = "/v1/rollouts", responses((status = 200, body = [Rollout]), (status = "default", body = Problem)))]
pub async fn rollouts(_: Reader, State(house): State<House>) -> Json<Vec<Rollout>> {
    Json(house.rollouts().iter().map(|r| Rollout::clone(r)).collect())
}

/// Updates firmware on many boxes.
#[utoipa::path(post, path = "/v1/rollouts", params(Dry), request_body = RolloutRequest,
    responses((status = 202, body = Rollout), (status = "default", body = Problem)))]
pub async fn roll_out(
    Admin(who): Admin,
    State(house): State<House>,
    Query(dry): Query<Dry>,
    Body(request): Body<RolloutRequest>,
) -> Result<(StatusCode, Json<Rollout>), Problem> {
    let rollout = house.roll_out(&who, request, dry.dry_run).await?;
    let status = if dry.dry_run {
        StatusCode::OK
    } else {
        StatusCode::ACCEPTED
    };
    Ok((status, Json(rollout)))
}

/// Starts nothing more of a rollout.
#[utoipa::path(delete, path = "/v1/rollouts/{name}", params(("name" = String, Path)),
    responses((status = 204), (status = "default", body = Problem)))]
pub async fn stop_rollout(
    Admin(who): Admin,
    State(house): State<House>,
    _: Query<Nothing>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    house.stop_rollout(&who, &named(&name)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Gives every BMC that shares a credential a new password.
#[utoipa::path(post, path = "/v1/credentials/{name}/rotate", params(("name" = String, Path)),
    responses((status = 200, body = Rotated), (status = "default", body = Problem)))]
pub async fn rotate(
    Admin(who): Admin,
    State(house): State<House>,
    _: Query<Nothing>,
    Path(name): Path<String>,
) -> Result<Json<Rotated>, Problem> {
    Ok(Json(house.rotate(&who, &named(&name)?).await?))
}
