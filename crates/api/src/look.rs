//! Looking: what stands in the racks, what is read of it, and why it is as it is.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use control::House;
use rack::request::{DeviceView, NodeLive, NodeView, Summary, Why};
use rack::{Node, Place};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::auth::Reader;
use crate::extract::{Poll, Query, named};
use crate::problem::Problem;

/// Bytes of a list that are written at once.
const CHUNK: usize = 64 << 10;

/// A node without a copy of it.
#[derive(Serialize)]
struct Seen<'a> {
    #[serde(flatten)]
    node: &'a Node,
    unfit: Vec<String>,
    live: NodeLive,
}

/// What the daemon says of itself.
#[utoipa::path(get, path = "/v1/status", responses((status = 200, body = Summary), (status = "default", body = Problem)))]
pub async fn status(_: Reader, State(house): State<House>) -> Json<Summary> {
    Json(house.summary())
}

/// Every node, as people count places.
#[utoipa::path(get, path = "/v1/nodes", params(Poll),
    responses((status = 200, body = [NodeView]), (status = "default", body = Problem)))]
pub async fn nodes(
    _: Reader,
    State(house): State<House>,
    Query(poll): Query<Poll>,
) -> Result<impl IntoResponse, Problem> {
    let change = poll.wait(&house).await;
    // Written as it is read: the first of 20,000 nodes does not wait for the last, and none is copied.
    let places: Vec<Arc<Node>> = house.world().nodes.in_order().cloned().collect();
    let mut rest = places.into_iter();
    let mut text = Some(b"[".to_vec());
    let body = Body::from_stream(futures_util::stream::iter(std::iter::from_fn(move || {
        let mut chunk = text.take()?;
        loop {
            let Some(node) = rest.next() else {
                chunk.push(b']');
                return Some(serde_json::Result::Ok(chunk));
            };
            if chunk.last() != Some(&b'[') {
                chunk.push(b',');
            }
            let seen = Seen {
                node: &node,
                unfit: house.unfit(&node),
                live: house.live(&node.id),
            };
            if let Err(error) = serde_json::to_writer(&mut chunk, &seen) {
                // the answer ends in the middle, and the client sees that it is not whole
                return Some(Err(error));
            }
            if chunk.len() > CHUNK {
                text = Some(Vec::with_capacity(CHUNK * 5 / 4));
                return Some(Ok(chunk));
            }
        }
    })));
    Ok((
        [
            ("content-type", "application/json".to_owned()),
            ("busbar-change", change.to_string()),
        ],
        body,
    ))
}

/// One node.
#[utoipa::path(get, path = "/v1/nodes/{*place}", params(("place" = String, Path)),
    responses((status = 200, body = NodeView), (status = "default", body = Problem)))]
pub async fn node(_: Reader, State(house): State<House>, Path(place): Path<String>) -> Result<Json<NodeView>, Problem> {
    let place: Place = named(&place)?;
    let world = house.world();
    let node = world
        .node_at(&place)
        .ok_or_else(|| Problem::not_found("node", place.as_str()).hint("busbar ls"))?;
    Ok(Json(house.node_view(node)))
}

/// PDUs and other boxes that are no machine.
#[utoipa::path(get, path = "/v1/devices", responses((status = 200, body = [DeviceView]), (status = "default", body = Problem)))]
pub async fn devices(_: Reader, State(house): State<House>) -> Json<Vec<DeviceView>> {
    Json(house.devices())
}

/// Everything that stands in the racks, and who holds it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Tree {
    /// Nodes.
    nodes: Vec<NodeView>,
    /// Other boxes.
    devices: Vec<DeviceView>,
    /// Machines by the place of their node.
    held: BTreeMap<String, String>,
}

/// Racks, boxes and parts.
#[utoipa::path(get, path = "/v1/tree", responses((status = 200, body = Tree), (status = "default", body = Problem)))]
pub async fn tree(_: Reader, State(house): State<House>) -> Json<Tree> {
    let world = house.world();
    let nodes: Vec<NodeView> = world.nodes.in_order().map(|n| house.node_view(n)).collect();
    let held = |n: &NodeView| {
        n.node
            .holder
            .as_ref()
            .map(|h| (n.node.place.to_string(), h.to_string()))
    };
    Json(Tree {
        held: nodes.iter().filter_map(held).collect(),
        nodes,
        devices: house.devices(),
    })
}

/// Why a machine or a place is as it is.
#[utoipa::path(get, path = "/v1/why/{*about}", params(("about" = String, Path)),
    responses((status = 200, body = Why), (status = "default", body = Problem)))]
pub async fn why(_: Reader, State(house): State<House>, Path(about): Path<String>) -> Result<Json<Why>, Problem> {
    Ok(Json(house.why(&about)?))
}

/// A record of proof of a wipe.
#[utoipa::path(get, path = "/v1/proofs/{*key}", params(("key" = String, Path)),
    responses((status = 200, body = Object), (status = "default", body = Problem)))]
pub async fn proof(_: Reader, State(house): State<House>, Path(key): Path<String>) -> Result<Json<Value>, Problem> {
    let key = if key.starts_with("proof/") {
        key
    } else {
        format!("proof/{key}")
    };
    Ok(Json(house.proof(&key).await?))
}
