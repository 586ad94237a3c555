//! Serial consoles: read from an offset on, waited for, typed at.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use control::{ConsoleWait, House};
use rack::console::{ConsoleInput, ConsoleView};
use serde::Deserialize;

use crate::auth::Operator;
use crate::extract::{Body, Nothing, Query, WAIT};
use crate::problem::Problem;

/// What the reader has already.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
pub struct From {
    /// Offset to read from; the oldest byte that is kept when absent.
    from: Option<u64>,
    /// End the wait too when the console opens, closes, or someone else types, since this `Busbar-Change`.
    after: Option<u64>,
    /// Wait at most so many seconds for more.
    wait: Option<u64>,
}

/// What the serial console of a machine, or of the node at a place, printed; at most 64 KiB at a time. Looking makes it be
/// held open for ten minutes. Operators only: a console shows what root sees.
#[utoipa::path(get, path = "/v1/consoles/{*of}", params(("of" = String, Path), From),
    responses((status = 200, body = ConsoleView), (status = "default", body = Problem)))]
pub async fn read(
    Operator(who): Operator,
    State(house): State<House>,
    Path(of): Path<String>,
    Query(from): Query<From>,
) -> Result<impl IntoResponse, Problem> {
    let read = ConsoleWait {
        from: from.from,
        after: from.after,
        wait: Duration::from_secs(from.wait.unwrap_or(0).min(WAIT)),
    };
    let (view, change) = house.console(&who, &of, read).await?;
    Ok(([("busbar-change", change.to_string())], Json(view)))
}

/// Types at a serial console. One terminal at a time has the pen; others are refused with a conflict until they take it.
#[utoipa::path(post, path = "/v1/consoles/{*of}", params(("of" = String, Path)), request_body = ConsoleInput,
    responses((status = 204), (status = "default", body = Problem)))]
pub async fn write(
    Operator(who): Operator,
    State(house): State<House>,
    _: Query<Nothing>,
    Path(of): Path<String>,
    Body(input): Body<ConsoleInput>,
) -> Result<StatusCode, Problem> {
    house.type_at_console(&who, &of, input).await?;
    Ok(StatusCode::NO_CONTENT)
}
