//! The routes of faults alone, for what has BMCs and no single plant: those that are met by requests.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};

use super::{Bad, Cleared, bad};
use crate::faults::{Fault, Faults};

/// The routes.
pub fn faults(faults: Arc<Faults>) -> Router {
    Router::new()
        .route("/faults", get(list).post(set).delete(clear_all))
        .route("/faults/{id}", axum::routing::delete(clear))
        .with_state(faults)
}

async fn list(State(faults): State<Arc<Faults>>) -> Json<Vec<Fault>> {
    Json(faults.list())
}

async fn set(State(faults): State<Arc<Faults>>, Json(fault): Json<Fault>) -> Result<Json<Fault>, Bad> {
    if fault.action.physical() || fault.action.inside_machine().is_some() {
        let why = "nothing here takes this fault: only those that a request to a BMC meets";
        return Err(bad(StatusCode::CONFLICT, why));
    }
    faults.set(fault).map(Json).map_err(|e| bad(StatusCode::CONFLICT, e))
}

async fn clear_all(State(faults): State<Arc<Faults>>) -> Json<Cleared> {
    Json(Cleared {
        cleared: faults.clear(None),
    })
}

async fn clear(State(faults): State<Arc<Faults>>, Path(id): Path<u64>) -> Result<Json<Cleared>, Bad> {
    match faults.clear(Some(id)) {
        0 => Err(bad(StatusCode::NOT_FOUND, format!("there is no fault {id}"))),
        cleared => Ok(Json(Cleared { cleared })),
    }
}
