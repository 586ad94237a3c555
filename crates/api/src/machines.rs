//! Machines: asked for, shown, told, given back.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use control::House;
use rack::Name;
use rack::request::{MachineView, RunRequest, Signal};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::auth::{Operator, Reader};
use crate::extract::{Body, Dry, Poll, Query, named};
use crate::problem::Problem;

/// Every machine that isn't forgotten, by place and then by name.
#[utoipa::path(get, path = "/v1/machines", params(Poll),
    responses((status = 200, body = [MachineView]), (status = "default", body = Problem)))]
pub async fn list(_: Reader, State(house): State<House>, Query(poll): Query<Poll>) -> impl IntoResponse {
    let change = poll.wait(&house).await;
    let world = house.world();
    let mut names: Vec<&Name> = world.machines.keys().collect();
    names.sort_by_cached_key(|n| {
        let place = world.machines[*n].status.place.as_ref();
        (place.is_none(), place.cloned(), n.to_string())
    });
    let all: Vec<MachineView> = names.into_iter().filter_map(|n| house.machine_view(n)).collect();
    ([("busbar-change", change.to_string())], Json(all))
}

/// Asks for a machine.
#[utoipa::path(post, path = "/v1/machines", params(Dry), request_body = RunRequest,
    responses((status = 201, body = MachineView), (status = 200, body = MachineView), (status = "default", body = Problem)))]
pub async fn run(
    Operator(who): Operator,
    State(house): State<House>,
    Query(dry): Query<Dry>,
    Body(request): Body<RunRequest>,
) -> Result<(StatusCode, Json<MachineView>), Problem> {
    let view = house.run(&who, request, dry.dry_run).await?;
    let status = if dry.dry_run {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    Ok((status, Json(view)))
}

fn show(house: &House, name: &Name) -> Result<MachineView, Problem> {
    house
        .machine_view(name)
        .ok_or_else(|| Problem::not_found("machine", name.as_str()).hint("busbar ps"))
}

/// One machine.
#[utoipa::path(get, path = "/v1/machines/{name}", params(("name" = String, Path), Poll),
    responses((status = 200, body = MachineView), (status = "default", body = Problem)))]
pub async fn one(
    _: Reader,
    State(house): State<House>,
    Path(name): Path<String>,
    Query(poll): Query<Poll>,
) -> Result<impl IntoResponse, Problem> {
    let name = named(&name)?;
    let change = poll.wait(&house).await;
    Ok(([("busbar-change", change.to_string())], Json(show(&house, &name)?)))
}

/// How to give a machine back.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
pub struct Leave {
    /// Don't wait for its system to stop.
    force: bool,
    /// Change nothing.
    dry_run: bool,
}

/// Wipes a machine and gives its parts back.
#[utoipa::path(delete, path = "/v1/machines/{name}", params(("name" = String, Path), Leave),
    responses((status = 202, body = MachineView), (status = "default", body = Problem)))]
pub async fn release(
    Operator(who): Operator,
    State(house): State<House>,
    Path(name): Path<String>,
    Query(leave): Query<Leave>,
) -> Result<(StatusCode, Json<MachineView>), Problem> {
    let name = named(&name)?;
    if leave.dry_run {
        return Ok((StatusCode::OK, Json(show(&house, &name)?)));
    }
    Ok((
        StatusCode::ACCEPTED,
        Json(house.release(&who, &name, leave.force).await?),
    ))
}

/// A power verb.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignalRequest {
    /// Which.
    signal: Signal,
}

/// Sends a machine a power verb.
#[utoipa::path(post, path = "/v1/machines/{name}/signal", params(("name" = String, Path), Dry), request_body = SignalRequest,
    responses((status = 202, body = MachineView), (status = "default", body = Problem)))]
pub async fn signal(
    Operator(who): Operator,
    State(house): State<House>,
    Path(name): Path<String>,
    Query(dry): Query<Dry>,
    Body(request): Body<SignalRequest>,
) -> Result<(StatusCode, Json<MachineView>), Problem> {
    let name = named(&name)?;
    let view = house.signal_or_check(&who, &name, request.signal, dry.dry_run).await?;
    let status = if dry.dry_run {
        StatusCode::OK
    } else {
        StatusCode::ACCEPTED
    };
    Ok((status, Json(view)))
}

/// A shed order.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NiceRequest {
    /// −20 is shed last, 19 first.
    nice: i8,
}

/// Changes a machine's shed order: who gives up watts first when a PDU would trip.
#[utoipa::path(post, path = "/v1/machines/{name}/nice", params(("name" = String, Path), Dry), request_body = NiceRequest,
    responses((status = 200, body = MachineView), (status = "default", body = Problem)))]
pub async fn nice(
    Operator(who): Operator,
    State(house): State<House>,
    Path(name): Path<String>,
    Query(dry): Query<Dry>,
    Body(request): Body<NiceRequest>,
) -> Result<Json<MachineView>, Problem> {
    let name = named(&name)?;
    Ok(Json(house.renice(&who, &name, request.nice, dry.dry_run).await?))
}
