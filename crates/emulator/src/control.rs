//! The control endpoint: what the rack is and does, its faults, loads and pace. JSON over a loopback port of its own; the
//! types here are what clients read and write.

pub mod client;
mod kinds;
mod requests;
mod status;

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use kinds::{FaultKind, FaultPart, Parameter, Spot};
pub use requests::faults;
pub use status::{BoxStatus, CircuitStatus, GearStatus, RackStatus};

use crate::emulated::{Emulated, MOST_SPEED, MOST_STEP};
use crate::faults::Fault;
use crate::model::{Activity, Power};
use crate::physics::load::Trace;

/// Largest body of a request: a trace of a day in seconds.
const MOST_BODY: usize = 8 << 20;

/// One server, as `GET /servers` lists it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServerStatus {
    /// `r1/u1`.
    pub place: String,
    /// Where its BMC answers, if it has one.
    pub bmc: Option<std::net::Ipv4Addr>,
    /// Power state.
    pub power: Power,
    /// What runs.
    pub activity: Activity,
    /// Watts at the wall.
    pub watts: f64,
    /// Processor temperature.
    pub celsius: f64,
    /// Its address on the boot network.
    pub address: Option<std::net::Ipv4Addr>,
    /// The last lines of its serial console; only for `GET /servers?console=true`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub console: Vec<String>,
}

/// How many faults were cleared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Cleared {
    /// How many.
    pub cleared: usize,
}

/// `PUT /load`: what boxes are asked to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoadRequest {
    /// Place, with `*` for anything.
    pub at: String,
    /// `0.8`, `idle`, `training`, `inference`; absent with `csv`.
    #[serde(default)]
    pub load: Option<String>,
    /// Lines of `second,load`.
    #[serde(default)]
    pub csv: Option<String>,
}

/// What it was set on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Loaded {
    /// Places.
    pub places: Vec<String>,
}

/// `PUT /speed` and `POST /step`, and what they answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PaceStatus {
    /// The rack's seconds since it was started.
    #[serde(default)]
    pub seconds: f64,
    /// How many times faster than real; 0 stands still.
    #[serde(default)]
    pub speed: f64,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// For people.
    pub detail: String,
}

#[derive(Deserialize)]
struct Wanted {
    #[serde(default)]
    console: bool,
}

type Rack = State<Arc<Emulated>>;
type Bad = (StatusCode, Json<Problem>);

/// The endpoint's routes.
pub fn router(rack: Arc<Emulated>) -> Router {
    Router::new()
        .route("/faults", get(list).post(set).delete(clear_all))
        .route("/faults/{id}", axum::routing::delete(clear))
        .route("/kinds", get(kinds::kinds))
        .route("/servers", get(servers))
        .route("/rack", get(status::rack))
        .route("/load", put(load))
        .route("/speed", put(speed))
        .route("/step", post(step))
        .layer(axum::extract::DefaultBodyLimit::max(MOST_BODY))
        .with_state(rack)
}

fn bad(status: StatusCode, detail: impl ToString) -> Bad {
    let detail = detail.to_string();
    (status, Json(Problem { detail }))
}

async fn list(State(rack): Rack) -> Json<Vec<Fault>> {
    Json(rack.faults.list())
}

async fn set(State(rack): Rack, Json(fault): Json<Fault>) -> Result<Json<Fault>, Bad> {
    rack.set_fault(fault)
        .map(Json)
        .map_err(|e| bad(StatusCode::CONFLICT, e))
}

async fn clear_all(State(rack): Rack) -> Json<Cleared> {
    Json(Cleared {
        cleared: rack.clear_faults(None),
    })
}

async fn clear(State(rack): Rack, Path(id): Path<u64>) -> Result<Json<Cleared>, Bad> {
    match rack.clear_faults(Some(id)) {
        0 => Err(bad(StatusCode::NOT_FOUND, format!("there is no fault {id}"))),
        cleared => Ok(Json(Cleared { cleared })),
    }
}

async fn load(State(rack): Rack, Json(request): Json<LoadRequest>) -> Result<Json<Loaded>, Bad> {
    let trace = match (&request.load, &request.csv) {
        (Some(load), None) => Trace::named(load, rack.config.seed),
        (None, Some(csv)) => Trace::replay(csv),
        _ => return Err(bad(StatusCode::BAD_REQUEST, "a load is told by `load` or by `csv`")),
    };
    let trace = trace.map_err(|e| bad(StatusCode::BAD_REQUEST, e))?;
    let places = rack
        .set_load(&request.at, &trace)
        .map_err(|e| bad(StatusCode::NOT_FOUND, e))?;
    Ok(Json(Loaded { places }))
}

async fn speed(State(rack): Rack, Json(wanted): Json<PaceStatus>) -> Result<Json<PaceStatus>, Bad> {
    if !(0.0..=MOST_SPEED).contains(&wanted.speed) {
        let detail = format!("a rack runs at 0 to {MOST_SPEED} times real time, not {}", wanted.speed);
        return Err(bad(StatusCode::BAD_REQUEST, detail));
    }
    rack.set_speed(wanted.speed);
    Ok(pace(&rack))
}

async fn step(State(rack): Rack, Json(wanted): Json<PaceStatus>) -> Result<Json<PaceStatus>, Bad> {
    if !(wanted.seconds > 0.0 && wanted.seconds <= MOST_STEP) {
        let detail = format!(
            "a step is longer than 0 and at most {MOST_STEP} s, not {}",
            wanted.seconds
        );
        return Err(bad(StatusCode::BAD_REQUEST, detail));
    }
    rack.step(wanted.seconds).await;
    Ok(pace(&rack))
}

fn pace(rack: &Emulated) -> Json<PaceStatus> {
    Json(PaceStatus {
        seconds: rack.seconds(),
        speed: rack.speed(),
    })
}

async fn servers(State(rack): Rack, Query(wanted): Query<Wanted>) -> Json<Vec<ServerStatus>> {
    let all = (0..rack.servers.len()).map(|i| {
        let view = rack.view(i);
        ServerStatus {
            place: rack.servers[i].spec.place.clone(),
            bmc: rack.servers[i].spec.bmc,
            power: view.power,
            activity: view.activity,
            watts: view.draw.total(),
            celsius: view.physics.cpu,
            address: view.address,
            console: if wanted.console { rack.console(i) } else { Vec::new() },
        }
    });
    Json(all.collect())
}
