//! What a machine is told by the metadata service, shown to whoever runs it.

use axum::Json;
use axum::extract::{Path, State};
use control::House;
use rack::metadata::MetadataView;

use crate::auth::Operator;
use crate::extract::{Nothing, Query, named};
use crate::problem::Problem;

/// What a machine would be told now by the metadata service, path by path. User data is held back: it may hold secrets.
/// Operators only.
#[utoipa::path(get, path = "/v1/machines/{name}/metadata", params(("name" = String, Path)),
    responses((status = 200, body = MetadataView), (status = "default", body = Problem)))]
pub async fn metadata(
    _: Operator,
    State(house): State<House>,
    _: Query<Nothing>,
    Path(name): Path<String>,
) -> Result<Json<MetadataView>, Problem> {
    Ok(Json(house.metadata(&named(&name)?)?))
}
