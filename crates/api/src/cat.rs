//! One value of anything: a node's or another box's property, part, reading, firmware or outlet, by a path as people say
//! it. What is not there is answered with what is nearest.

use axum::Json;
use axum::extract::{Path, State};
use control::House;
use rack::{Place, Time};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::auth::Reader;
use crate::extract::named;
use crate::problem::Problem;

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

/// One number or property: `r1/u12/watts`, `r1/u12/serial`, `r1/u12/disk0/size`, `r1/u12/firmware/BMC/version`,
/// `r1/pdu-a/outlet3/watts`.
#[utoipa::path(get, path = "/v1/cat/{*path}", params(("path" = String, Path)),
    responses((status = 200, body = One), (status = "default", body = Problem)))]
pub async fn cat(_: Reader, State(house): State<House>, Path(path): Path<String>) -> Result<Json<One>, Problem> {
    let mut steps = path.splitn(3, '/');
    let (rack, slot) = (steps.next().unwrap_or_default(), steps.next().unwrap_or_default());
    let rest = steps.next().unwrap_or_default();
    let place: Place = named(&format!("{rack}/{slot}"))?;
    let world = house.world();
    let failed = |e: serde_json::Error| Problem::new("BB0502", e.to_string());
    let (json, readings) = if let Some(node) = world.node_at(&place) {
        let view = house.node_view(node);
        (serde_json::to_value(&view).map_err(failed)?, view.live.readings)
    } else if let Some(device) = house.devices().into_iter().find(|d| d.place == place) {
        (serde_json::to_value(&device).map_err(failed)?, device.readings)
    } else {
        let devices = house.devices();
        let nodes = world.nodes.values().map(|n| n.place.as_str());
        let near = plan::near::nearest(place.as_str(), nodes.chain(devices.iter().map(|d| d.place.as_str())));
        return Err(missing("place", place.as_str(), near.map(|n| format!("{n}/{rest}"))));
    };
    lookup(&path, rest, &readings, &json)
        .map(Json)
        .map_err(|near| missing("value", &path, near.map(|n| format!("{place}/{n}"))))
}

fn missing(kind: &str, name: &str, near: Option<String>) -> Problem {
    let problem = Problem::not_found(kind, name).hint("busbar tree PLACE shows everything of it");
    let Some(near) = near else { return problem };
    let near = near.trim_end_matches('/').to_owned();
    Problem {
        detail: format!("{}; did you mean {near}?", problem.detail),
        hint: Some(format!("busbar cat {near}")),
        ..problem
    }
}

/// Where a step may lead without being said.
const UNSAID: [&str; 3] = ["identity", "kind", "live"];
/// Names in the path of an error are compared with at most so many.
const NAMES: usize = 4096;

/// A reading by its name (`psu1/watts` is also `psu1`), else a property step by step; else the nearest path.
fn lookup(path: &str, rest: &str, readings: &[rack::Reading], json: &Value) -> Result<One, Option<String>> {
    let unit_of = |r: &rack::Reading, last: &str| serde_json::to_value(r.unit).ok().is_some_and(|u| u == last);
    let reading = readings.iter().find(|r| r.name == rest).or_else(|| {
        let (part, unit) = rest.rsplit_once('/')?;
        readings.iter().find(|r| r.name == part && unit_of(r, unit))
    });
    if let Some(r) = reading {
        return Ok(One {
            path: path.to_owned(),
            value: r.value.map_or(Value::Null, Value::from),
            unit: Some(r.unit.to_string()),
            taken: Some(r.taken),
        });
    }
    let (mut at, mut said) = (json, String::new());
    for step in rest.split('/').filter(|s| !s.is_empty()) {
        let Some(next) = go(at, step) else {
            let mut names = names(at);
            if said.is_empty() {
                names.extend(readings.iter().map(|r| r.name.clone()));
            }
            let near = plan::near::nearest(step, names.iter().take(NAMES).map(String::as_str));
            return Err(near.map(|n| format!("{said}{n}")));
        };
        said += &format!("{step}/");
        at = next;
    }
    Ok(One {
        path: path.to_owned(),
        value: at.clone(),
        unit: None,
        taken: None,
    })
}

/// What a member of a list is called.
fn called(member: &Value) -> impl Iterator<Item = &str> {
    ["id", "name", "outlet"].into_iter().filter_map(|f| member[f].as_str())
}

/// One step: a property, a member of a list by its id or name, a part, firmware or outlet of a box, or a property of what
/// need not be said.
fn go<'a>(at: &'a Value, step: &str) -> Option<&'a Value> {
    let same = |m: &&Value, name: &str| called(m).any(|n| n.eq_ignore_ascii_case(name));
    let member = |list: &'a Value, name: &str| list.as_array()?.iter().find(|m| same(m, name));
    if let Some(direct) = at.get(step) {
        return Some(direct);
    }
    if at.is_array() {
        let number = || at.get(step.parse::<usize>().ok()?);
        return member(at, step).or_else(number);
    }
    let outlet = || {
        member(
            at.get("outlets")?,
            step.strip_prefix("outlet").filter(|n| !n.is_empty())?,
        )
    };
    let unsaid = || UNSAID.iter().find_map(|u| at.get(u)?.get(step));
    member(at.get("parts").unwrap_or(&Value::Null), step)
        .or_else(outlet)
        .or_else(unsaid)
        .or_else(|| member(at.get("firmware")?, step))
}

/// Every step that leads on.
fn names(at: &Value) -> Vec<String> {
    let keys = |v: &Value| {
        v.as_object()
            .map(|o| o.keys().cloned().collect::<Vec<_>>())
            .unwrap_or_default()
    };
    let members = |v: &Value| -> Vec<String> {
        v.as_array()
            .into_iter()
            .flatten()
            .filter_map(|m| called(m).next().map(str::to_owned))
            .collect()
    };
    // Of two that are equally near, a member is rather meant than its list.
    let outlets = at.get("outlets").map(members).unwrap_or_default().into_iter();
    let mut all: Vec<String> = outlets.map(|o| format!("outlet{o}")).collect();
    all.extend(keys(at));
    all.extend(members(at));
    all.extend(UNSAID.iter().filter_map(|u| at.get(u)).flat_map(keys));
    all.extend(at.get("parts").map(members).unwrap_or_default());
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_found_as_people_say_it_and_a_slip_is_answered_with_the_nearest() {
        let reading = rack::Reading {
            name: "psu1".into(),
            value: None,
            unit: rack::Unit::Watts,
            taken: Time::from_millis(5),
        };
        let json = serde_json::json!({"armed": true, "identity": {"serial": "S1"},
            "parts": [{"id": "disk0", "serial": "D0", "kind": {"size": 7}}],
            "firmware": [{"id": "BMC", "name": "Controller", "version": "6.1"}],
            "outlets": [{"id": "3", "watts": 41}]});
        let find = |rest| lookup("p", rest, std::slice::from_ref(&reading), &json);
        for (rest, value) in [
            ("psu1/watts", Value::Null),
            ("psu1", Value::Null),
            ("armed", true.into()),
            ("serial", "S1".into()),
            ("identity/serial", "S1".into()),
            ("disk0/kind/size", 7.into()),
            ("disk0/size", 7.into()),
            ("DISK0/serial", "D0".into()),
            ("firmware/bmc/version", "6.1".into()),
            ("outlet3/watts", 41.into()),
            ("outlets/3/watts", 41.into()),
            ("parts/0/id", "disk0".into()),
        ] {
            assert_eq!(find(rest).map(|o| o.value), Ok(value), "{rest}");
        }
        for (rest, near) in [
            ("serail", Some("serial")),
            ("disk1/size", Some("disk0")),
            ("disk0/seriol", Some("disk0/serial")),
            ("psu2/watts", Some("psu1")),
            ("outlet4/watts", Some("outlet3")),
            ("colour", None),
        ] {
            assert_eq!(find(rest), Err(near.map(str::to_owned)), "{rest}");
        }
    }
}
