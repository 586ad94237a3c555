//! Looking: what stands in the racks, what is read of it, and why it is as it is.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use control::House;
use rack::request::{DeviceView, NodeLive, NodeView, Summary, Why};
use rack::{Node, Place, Time};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::auth::Reader;
use crate::extract::{Poll, Query, named};
use crate::problem::Problem;

/// A node without a copy of it.
#[derive(Serialize)]
struct Seen<'a> {
    #[serde(flatten)]
    node: &'a Node,
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
    let world = house.world();
    let mut all: Vec<&Node> = world.nodes.values().map(AsRef::as_ref).collect();
    all.sort_by_cached_key(|n| n.place.natural());
    let seen: Vec<Seen> = all
        .into_iter()
        .map(|node| Seen {
            node,
            live: house.live(&node.id),
        })
        .collect();
    let body = serde_json::to_vec(&seen).map_err(|e| Problem::new("BB0502", e.to_string()))?;
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
    Json(sorted_devices(&house))
}

fn sorted_devices(house: &House) -> Vec<DeviceView> {
    let mut all = house.devices();
    all.sort_by_cached_key(|d| d.place.natural());
    all
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
    let mut nodes: Vec<NodeView> = world.nodes.values().map(|n| house.node_view(n)).collect();
    nodes.sort_by_cached_key(|n| n.node.place.natural());
    let held = |n: &NodeView| {
        n.node
            .holder
            .as_ref()
            .map(|h| (n.node.place.to_string(), h.to_string()))
    };
    Json(Tree {
        held: nodes.iter().filter_map(held).collect(),
        nodes,
        devices: sorted_devices(&house),
    })
}

/// One value.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub struct One {
    /// What was asked for.
    pub path: String,
    /// The value; null says that there was no reading.
    #[schema(value_type = Object)]
    pub value: Value,
    /// What it counts in.
    pub unit: Option<String>,
    /// When it was taken, when it is a reading.
    pub taken: Option<Time>,
}

/// One number or property: `r1/u12/watts`, `r1/u12/identity/model`, `r1/u12/disk0/kind/size`.
#[utoipa::path(get, path = "/v1/cat/{*path}", params(("path" = String, Path)),
    responses((status = 200, body = One), (status = "default", body = Problem)))]
pub async fn cat(_: Reader, State(house): State<House>, Path(path): Path<String>) -> Result<Json<One>, Problem> {
    let missing = || Problem::not_found("value", &path).hint("busbar cat PLACE shows everything of it");
    let mut steps = path.splitn(3, '/');
    let (rack, slot) = (steps.next().unwrap_or_default(), steps.next().unwrap_or_default());
    let rest = steps.next().unwrap_or_default();
    let place: Place = named(&format!("{rack}/{slot}"))?;
    let world = house.world();
    if let Some(node) = world.node_at(&place) {
        let view = house.node_view(node);
        let json = serde_json::to_value(&view).map_err(|e| Problem::new("BB0502", e.to_string()))?;
        return lookup(&path, rest, &view.live.readings, json)
            .map(Json)
            .ok_or_else(missing);
    }
    let device = house
        .devices()
        .into_iter()
        .find(|d| d.place == place)
        .ok_or_else(missing)?;
    let json = serde_json::to_value(&device).map_err(|e| Problem::new("BB0502", e.to_string()))?;
    lookup(&path, rest, &device.readings, json)
        .map(Json)
        .ok_or_else(missing)
}

/// A reading by its name (`psu1/watts` is also `psu1`), else a part's property, else the node's.
fn lookup(path: &str, rest: &str, readings: &[rack::Reading], json: Value) -> Option<One> {
    let plain = |value: Value| One {
        path: path.to_owned(),
        value,
        unit: None,
        taken: None,
    };
    if rest.is_empty() {
        return Some(plain(json));
    }
    let unit_of = |r: &rack::Reading, last: &str| serde_json::to_value(r.unit).ok().is_some_and(|u| u == last);
    let reading = readings.iter().find(|r| r.name == rest).or_else(|| {
        let (part, unit) = rest.rsplit_once('/')?;
        readings.iter().find(|r| r.name == part && unit_of(r, unit))
    });
    if let Some(r) = reading {
        return Some(One {
            path: path.to_owned(),
            value: r.value.map_or(Value::Null, Value::from),
            unit: Some(r.unit.to_string()),
            taken: Some(r.taken),
        });
    }
    let (first, within) = rest.split_once('/').unwrap_or((rest, ""));
    let part = json["parts"]
        .as_array()
        .and_then(|all| all.iter().find(|p| p["id"] == first));
    let (start, steps) = part.map_or((&json, rest), |p| (p, within));
    let mut steps = steps.split('/').filter(|s| !s.is_empty());
    steps.try_fold(start, |v, s| v.get(s)).cloned().map(plain)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_as_reading_part_or_property() {
        let reading = rack::Reading {
            name: "psu1".into(),
            value: None,
            unit: rack::Unit::Watts,
            taken: Time::from_millis(5),
        };
        let json = serde_json::json!({"armed": true, "parts": [{"id": "disk0", "kind": {"size": 7}}]});
        let find = |rest| lookup("p", rest, std::slice::from_ref(&reading), json.clone()).map(|o| (o.value, o.taken));
        assert_eq!(find("psu1/watts"), Some((Value::Null, Some(Time::from_millis(5)))));
        assert_eq!(find("disk0/kind/size"), Some((7.into(), None)));
        assert_eq!(find("armed"), Some((true.into(), None)));
        assert_eq!(find("psu2/watts"), None);
    }
}
