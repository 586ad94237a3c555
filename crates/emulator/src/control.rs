//! The control endpoint: faults, and what the servers do. JSON over a loopback port of its own; the types here are what
//! clients read and write.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use crate::emulated::Emulated;
use crate::faults::Fault;
use crate::model::{Activity, Power};

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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cleared {
    /// How many.
    pub cleared: usize,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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

/// The endpoint's routes.
pub fn router(rack: Arc<Emulated>) -> Router {
    Router::new()
        .route("/faults", get(list).post(set).delete(clear_all))
        .route("/faults/{id}", axum::routing::delete(clear))
        .route("/servers", get(servers))
        .with_state(rack)
}

async fn list(State(rack): Rack) -> Json<Vec<Fault>> {
    Json(rack.faults.list())
}

async fn set(State(rack): Rack, Json(fault): Json<Fault>) -> Result<Json<Fault>, (StatusCode, Json<Problem>)> {
    let set = rack.faults.set(fault);
    set.map(Json)
        .map_err(|e| (StatusCode::CONFLICT, Json(Problem { detail: e.to_string() })))
}

async fn clear_all(State(rack): Rack) -> Json<Cleared> {
    Json(Cleared {
        cleared: rack.faults.clear(None),
    })
}

async fn clear(State(rack): Rack, Path(id): Path<u64>) -> Result<Json<Cleared>, (StatusCode, Json<Problem>)> {
    match rack.faults.clear(Some(id)) {
        0 => Err((
            StatusCode::NOT_FOUND,
            Json(Problem {
                detail: format!("there is no fault {id}"),
            }),
        )),
        cleared => Ok(Json(Cleared { cleared })),
    }
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
