//! The image store.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Json;
use axum::body::{Body as HttpBody, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use control::{AddProgress, House};
use rack::Image;
use rack::request::ImageRequest;
use serde_json::json;
use tokio::sync::mpsc;

use crate::auth::{Operator, Reader};
use crate::extract::{Body, Nothing, Query, named};
use crate::problem::Problem;

/// Lines that wait for a slow reader; progress that does not fit is left out, as newer comes.
const LINES: usize = 16;

/// Every image.
#[utoipa::path(get, path = "/v1/images", responses((status = 200, body = [Image]), (status = "default", body = Problem)))]
pub async fn list(_: Reader, State(house): State<House>) -> Json<Vec<Image>> {
    Json(house.world().images.values().map(|i| Image::clone(i)).collect())
}

/// Adds an image. With `Accept: application/x-ndjson` lines of `{"done","total"}` come first, then `{"image"}` or
/// `{"problem"}`.
#[utoipa::path(post, path = "/v1/images", request_body = ImageRequest,
    responses((status = 201, body = Image), (status = "default", body = Problem)))]
pub async fn add(
    Operator(who): Operator,
    State(house): State<House>,
    _: Query<Nothing>,
    headers: HeaderMap,
    Body(request): Body<ImageRequest>,
) -> Result<Response, Problem> {
    let accept = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok());
    if !accept.is_some_and(|a| a.contains("application/x-ndjson")) {
        let image = house.add_image(&who, request, Arc::new(|_| {})).await?;
        return Ok((StatusCode::CREATED, Json(image)).into_response());
    }
    let (lines, mut read) = mpsc::channel::<String>(LINES);
    let progress = lines.clone();
    // Goes on when the client leaves: the same request again finds what is already there.
    tokio::spawn(async move {
        let told = move |p: AddProgress| {
            let _ = progress.try_send(json!({"done": p.done, "total": p.total}).to_string());
        };
        let last = match house.add_image(&who, request, Arc::new(told)).await {
            Ok(image) => json!({ "image": image }),
            Err(error) => json!({ "problem": Problem::from(error) }),
        };
        let _ = lines.send(last.to_string()).await;
    });
    let stream = futures_util::stream::poll_fn(move |context| {
        read.poll_recv(context)
            .map(|line| line.map(|l| Ok::<_, Infallible>(Bytes::from(l + "\n"))))
    });
    Ok((
        [(header::CONTENT_TYPE, "application/x-ndjson")],
        HttpBody::from_stream(stream),
    )
        .into_response())
}

/// Removes an image.
#[utoipa::path(delete, path = "/v1/images/{name}", params(("name" = String, Path)),
    responses((status = 204), (status = "default", body = Problem)))]
pub async fn remove(
    Operator(who): Operator,
    State(house): State<House>,
    _: Query<Nothing>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    house.remove_image(&who, &named(&name)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
