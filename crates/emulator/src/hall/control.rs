//! The control endpoint of a hall: faults, and which boxes they hit. JSON over a loopback port of its own; what is read and
//! written is what a rack's endpoint has ([`crate::control`]).

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{delete, get};
use axum::{Json, Router};

use super::Hall;
use crate::control::{Cleared, Problem};
use crate::faults::Fault;

type All = State<Arc<Hall>>;
type Bad = (StatusCode, Json<Problem>);

/// The endpoint's routes.
pub(super) fn router(hall: Arc<Hall>) -> Router {
    Router::new()
        .route("/faults", get(list).post(set).delete(clear_all))
        .route("/faults/{id}", delete(clear))
        .route("/faults/{id}/boxes", get(hit))
        .with_state(hall)
}

fn bad(status: StatusCode, detail: String) -> Bad {
    (status, Json(Problem { detail }))
}

async fn list(State(hall): All) -> Json<Vec<Fault>> {
    Json(hall.faults())
}

async fn set(State(hall): All, Json(fault): Json<Fault>) -> Result<Json<Fault>, Bad> {
    let set = hall.set_fault(fault);
    set.map(Json).map_err(|e| bad(StatusCode::CONFLICT, e.to_string()))
}

async fn clear_all(State(hall): All) -> Json<Cleared> {
    Json(Cleared {
        cleared: hall.clear_faults(None),
    })
}

async fn clear(State(hall): All, Path(id): Path<u64>) -> Result<Json<Cleared>, Bad> {
    match hall.clear_faults(Some(id)) {
        0 => Err(bad(StatusCode::NOT_FOUND, format!("there is no fault {id}"))),
        cleared => Ok(Json(Cleared { cleared })),
    }
}

/// What a fault names.
async fn hit(State(hall): All, Path(id): Path<u64>) -> Result<Json<Vec<String>>, Bad> {
    let faults = hall.faults();
    let fault = faults.iter().find(|f| f.id == id);
    let fault = fault.ok_or_else(|| bad(StatusCode::NOT_FOUND, format!("there is no fault {id}")))?;
    Ok(Json(hall.hit(fault)))
}
