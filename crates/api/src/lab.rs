//! The lab: what an emulated rack is in truth, and bad luck, work and pace for it. Offered by a daemon whose rack is emulated,
//! and passed on to the rack's control endpoint, which is spoken to as it would be from another host.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use axum::Json;
use axum::extract::{DefaultBodyLimit, FromRequestParts, Path, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use control::House;
use emulator::Fault;
use emulator::control::client::{Client, Error};
use emulator::control::{Cleared, FaultKind, LoadRequest, Loaded, PaceStatus, RackStatus};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::{Operator, Reader};
use crate::extract::{Body, Nothing, Query};
use crate::problem::Problem;

/// Largest request: a load of a day in seconds, as CSV.
const BODY: usize = 8 << 20;

/// The way to the emulated rack, known once it has started.
#[derive(Debug, Clone, Default)]
pub struct Lab(Arc<OnceLock<SocketAddr>>);

impl Lab {
    /// Leads to the control endpoint that answers there, for good.
    pub fn open(&self, control: SocketAddr) {
        let _ = self.0.set(control);
    }
}

/// The emulated rack of a request; refused where there is none.
struct Rack(Client);

impl FromRequestParts<House> for Rack {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, house: &House) -> Result<Self, Problem> {
        let at = parts.extensions.get::<Lab>().and_then(|lab| lab.0.get());
        match at {
            Some(at) => Ok(Rack(Client::new(*at))),
            None if house.is_emulated() => {
                Err(Problem::new("BB0601", "the emulated rack is still starting").hint("busbar emulate ls"))
            }
            None => {
                let what = "there is no lab: the rack of this daemon is real";
                Err(Problem::new("BB0301", what).hint("busbar up --emulate"))
            }
        }
    }
}

/// What the rack answered instead, as ours.
fn refused(error: Error) -> Problem {
    let text = error.to_string();
    let (code, hint) = match error {
        Error::Lost(_) => ("BB0501", "busbar doctor"),
        Error::Late(_) => ("BB0503", "busbar emulate ls"),
        Error::Refused(StatusCode::NOT_FOUND, _) => ("BB0301", "busbar emulate ls"),
        Error::Refused(StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY, _) => {
            ("BB0101", "busbar emulate ls")
        }
        Error::Refused(..) => ("BB0502", "busbar emulate ls"),
    };
    // what it says may quote what was sent
    let text: String = text.chars().filter(|c| !c.is_control()).take(1000).collect();
    Problem::new(code, text).hint(hint)
}

pub(crate) fn routes() -> OpenApiRouter<House> {
    OpenApiRouter::new()
        .routes(routes!(rack))
        .routes(routes!(kinds))
        .routes(routes!(faults, set, clear_all))
        .routes(routes!(clear))
        .routes(routes!(load))
        .routes(routes!(speed))
        .routes(routes!(step))
        .layer(DefaultBodyLimit::max(BODY))
}

/// The emulated rack as it stands, in truth: boxes with their watts and heat, feeds, coolant. 404 where the rack is real.
#[utoipa::path(get, path = "/v1/lab/rack", responses((status = 200, body = RackStatus), (status = "default", body = Problem)))]
async fn rack(_: Reader, Rack(rack): Rack, _: Query<Nothing>) -> Result<Json<RackStatus>, Problem> {
    rack.rack().await.map(Json).map_err(refused)
}

/// What can be broken in the emulated rack: each fault in words, with what it takes and the places that take it.
#[utoipa::path(get, path = "/v1/lab/faults/kinds", responses((status = 200, body = [FaultKind]), (status = "default", body = Problem)))]
async fn kinds(_: Reader, Rack(rack): Rack, _: Query<Nothing>) -> Result<Json<Vec<FaultKind>>, Problem> {
    rack.kinds().await.map(Json).map_err(refused)
}

/// Faults that are set.
#[utoipa::path(get, path = "/v1/lab/faults", responses((status = 200, body = [Fault]), (status = "default", body = Problem)))]
async fn faults(_: Reader, Rack(rack): Rack, _: Query<Nothing>) -> Result<Json<Vec<Fault>>, Problem> {
    rack.faults().await.map(Json).map_err(refused)
}

/// Sets a fault; answers with it and its number.
#[utoipa::path(post, path = "/v1/lab/faults", request_body = Fault,
    responses((status = 201, body = Fault), (status = "default", body = Problem)))]
async fn set(
    Operator(who): Operator,
    State(house): State<House>,
    Rack(rack): Rack,
    _: Query<Nothing>,
    Body(fault): Body<Fault>,
) -> Result<(StatusCode, Json<Fault>), Problem> {
    let told = serde_json::to_value(&fault).unwrap_or_default();
    let action = told["action"].as_str().unwrap_or_default();
    house
        .note_lab(&who, about(&fault.on.at), &format!("lab: fault {action}"))
        .await?;
    let set = rack.set(&fault).await.map_err(refused)?;
    Ok((StatusCode::CREATED, Json(set)))
}

/// Clears every fault, and undoes what they did.
#[utoipa::path(delete, path = "/v1/lab/faults", responses((status = 200, body = Cleared), (status = "default", body = Problem)))]
async fn clear_all(
    Operator(who): Operator,
    State(house): State<House>,
    Rack(rack): Rack,
    _: Query<Nothing>,
) -> Result<Json<Cleared>, Problem> {
    house.note_lab(&who, about(""), "lab: all faults cleared").await?;
    rack.clear(None).await.map(Json).map_err(refused)
}

/// Clears a fault, and undoes what it did.
#[utoipa::path(delete, path = "/v1/lab/faults/{id}", params(("id" = u64, Path)),
    responses((status = 200, body = Cleared), (status = "default", body = Problem)))]
async fn clear(
    Operator(who): Operator,
    State(house): State<House>,
    Rack(rack): Rack,
    _: Query<Nothing>,
    Path(id): Path<String>,
) -> Result<Json<Cleared>, Problem> {
    let id: u64 = id
        .parse()
        .map_err(|_| Problem::not_found("fault", &id).hint("busbar emulate faults"))?;
    house
        .note_lab(&who, about(""), &format!("lab: fault {id} cleared"))
        .await?;
    rack.clear(Some(id)).await.map(Json).map_err(refused)
}

/// What boxes are asked to do once something runs on them: a share of full load, a pattern, or a trace.
#[utoipa::path(put, path = "/v1/lab/load", request_body = LoadRequest,
    responses((status = 200, body = Loaded), (status = "default", body = Problem)))]
async fn load(
    Operator(who): Operator,
    State(house): State<House>,
    Rack(rack): Rack,
    _: Query<Nothing>,
    Body(load): Body<LoadRequest>,
) -> Result<Json<Loaded>, Problem> {
    let what = load.load.as_deref().unwrap_or("of a trace");
    house
        .note_lab(&who, about(&load.at), &format!("lab: load {what}"))
        .await?;
    rack.load(&load).await.map(Json).map_err(refused)
}

/// How many times faster than real the rack shall run.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SpeedRequest {
    /// 0 stands still until it is stepped.
    speed: f64,
}

/// How far the rack is put forward.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct StepRequest {
    /// Seconds of the rack's time.
    seconds: f64,
}

/// Lets the rack run faster or slower than real time, or stand still.
#[utoipa::path(put, path = "/v1/lab/speed", request_body = SpeedRequest,
    responses((status = 200, body = PaceStatus), (status = "default", body = Problem)))]
async fn speed(
    Operator(who): Operator,
    State(house): State<House>,
    Rack(rack): Rack,
    _: Query<Nothing>,
    Body(SpeedRequest { speed }): Body<SpeedRequest>,
) -> Result<Json<PaceStatus>, Problem> {
    house.note_lab(&who, about(""), &format!("lab: speed {speed}")).await?;
    let pace = PaceStatus { seconds: 0.0, speed };
    rack.speed(&pace).await.map(Json).map_err(refused)
}

/// Puts the rack forward at once, so that what takes an hour is seen now.
#[utoipa::path(post, path = "/v1/lab/step", request_body = StepRequest,
    responses((status = 200, body = PaceStatus), (status = "default", body = Problem)))]
async fn step(
    Operator(who): Operator,
    State(house): State<House>,
    Rack(rack): Rack,
    _: Query<Nothing>,
    Body(StepRequest { seconds }): Body<StepRequest>,
) -> Result<Json<PaceStatus>, Problem> {
    house
        .note_lab(&who, about(""), &format!("lab: step {seconds} s"))
        .await?;
    let pace = PaceStatus { seconds, speed: 0.0 };
    rack.step(&pace).await.map(Json).map_err(refused)
}

/// What the audit log says that it is about.
fn about(at: &str) -> &str {
    if at.is_empty() { "the emulated rack" } else { at }
}
