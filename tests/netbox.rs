//! Import and export against a NetBox made of software: lists, filters, pages, nested objects and cables in the shapes
//! that NetBox 4.7 answers. The real one is tried by `cargo xtask netbox`.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::{Json, Router, routing::any};
use common::Rack;
use serde_json::{Value, json};

/// Most objects of one answer, fewer than are asked for.
const PAGE: usize = 3;

#[derive(Default)]
struct Lists {
    all: BTreeMap<String, Vec<Value>>,
    next: i64,
    writes: usize,
}

type Shared = Arc<Mutex<Lists>>;

/// The list that a field's id is of.
const OF: &[(&str, &str)] = &[
    ("site", "dcim/sites"),
    ("rack", "dcim/racks"),
    ("role", "dcim/device-roles"),
    ("manufacturer", "dcim/manufacturers"),
    ("device_type", "dcim/device-types"),
    ("device", "dcim/devices"),
];

impl Lists {
    fn nested(&self, list: &str, id: &Value) -> Value {
        let found = self
            .all
            .get(list)
            .and_then(|all| all.iter().find(|o| o["id"] == *id))
            .unwrap();
        let mut brief = json!({"id": id, "url": format!("/api/{list}/{id}/")});
        for field in ["name", "slug", "model", "manufacturer"] {
            if let Some(value) = found.get(field) {
                brief[field] = value.clone();
            }
        }
        brief
    }

    fn write(&mut self, object: &mut Value, body: &Value) {
        self.writes += 1;
        for (field, value) in body.as_object().unwrap() {
            let list = OF.iter().find(|(f, _)| f == field).map(|(_, l)| *l);
            object[field] = match list {
                Some(list) => self.nested(list, value),
                None if ["status", "face", "type"].contains(&field.as_str()) => json!({"value": value, "label": value}),
                None => value.clone(),
            };
        }
    }

    fn connect(&mut self, cable: &Value) {
        let lists = HashMap::from([
            ("dcim.interface", "dcim/interfaces"),
            ("dcim.powerport", "dcim/power-ports"),
            ("dcim.poweroutlet", "dcim/power-outlets"),
        ]);
        let end = |side: &str| {
            let end = &cable[side][0];
            (lists[end["object_type"].as_str().unwrap()], end["object_id"].clone())
        };
        let ends = [end("a_terminations"), end("b_terminations")];
        for (from, to) in [(0, 1), (1, 0)] {
            let far = self.all[ends[to].0].iter().find(|o| o["id"] == ends[to].1).unwrap();
            let far = json!([{"id": far["id"], "name": far["name"], "device": far["device"]}]);
            let near = self
                .all
                .get_mut(ends[from].0)
                .unwrap()
                .iter_mut()
                .find(|o| o["id"] == ends[from].1)
                .unwrap();
            near["connected_endpoints"] = far;
            near["cable"] = json!({"id": cable["id"], "url": "x"});
        }
    }

    fn fits(&self, object: &Value, filter: &str, value: &str) -> bool {
        let text = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
        match filter {
            "limit" | "offset" | "exclude" => true,
            // The rack of a component is that of its device.
            "rack_id" if object.get("rack").is_none() => {
                let devices = self.all.get("dcim/devices").into_iter().flatten();
                devices
                    .filter(|d| d["id"] == object["device"]["id"])
                    .any(|d| text(&d["rack"]["id"]) == value)
            }
            "site" => object["site"]["slug"] == value,
            "device" => object["device"]["name"] == value,
            filter => match filter.strip_suffix("_id") {
                Some(field) => text(&object[field]["id"]) == value,
                None => text(&object[filter]) == value,
            },
        }
    }
}

/// Whether an object is the one that a path ends with.
fn is(object: &Value, id: &str) -> bool {
    object["id"].as_i64() == id.parse().ok()
}

async fn serve(
    State(lists): State<Shared>,
    method: Method,
    Path(path): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
    body: Option<Json<Value>>,
) -> (StatusCode, Json<Value>) {
    if headers.get("authorization").is_none_or(|a| a != "Token s3cret") {
        return (StatusCode::FORBIDDEN, Json(json!({"detail": "Invalid token"})));
    }
    let mut lists = lists.lock().unwrap();
    let path = path.trim_end_matches('/').to_owned();
    match method {
        Method::GET => {
            let all = lists.all.get(&path).cloned().unwrap_or_default();
            let found: Vec<Value> = all
                .into_iter()
                // a filter that is there twice takes what fits either
                .filter(|o| {
                    let fits = |name: &String| query.iter().any(|(f, v)| f == name && lists.fits(o, f, v));
                    query.iter().all(|(f, _)| fits(f))
                })
                .collect();
            let offset = query
                .iter()
                .find(|(f, _)| f == "offset")
                .map_or(0, |(_, v)| v.parse().unwrap());
            let page: Vec<Value> = found.iter().skip(offset).take(PAGE).cloned().collect();
            (
                StatusCode::OK,
                Json(json!({"count": found.len(), "next": null, "results": page})),
            )
        }
        Method::POST => {
            lists.next += 1;
            let mut made = json!({"id": lists.next, "cable": null, "connected_endpoints": null});
            if path == "dcim/devices" {
                made["local_context_data"] = Value::Null;
                made["serial"] = json!("");
            }
            lists.write(&mut made, &body.unwrap().0);
            lists.all.entry(path.clone()).or_default().push(made.clone());
            if path == "dcim/cables" {
                lists.connect(&made);
            }
            (StatusCode::CREATED, Json(made))
        }
        Method::PATCH => {
            let (list, id) = path.rsplit_once('/').unwrap();
            let at = lists.all[list].iter().position(|o| is(o, id)).unwrap();
            let mut object = lists.all[list][at].clone();
            lists.write(&mut object, &body.unwrap().0);
            lists.all.get_mut(list).unwrap()[at] = object.clone();
            (StatusCode::OK, Json(object))
        }
        Method::DELETE => {
            lists.writes += 1;
            let (list, id) = path.rsplit_once('/').unwrap();
            lists.all.get_mut(list).unwrap().retain(|o| !is(o, id));
            (StatusCode::NO_CONTENT, Json(Value::Null))
        }
        _ => (StatusCode::METHOD_NOT_ALLOWED, Json(Value::Null)),
    }
}

/// Serves for as long as the test runs.
fn netbox() -> (String, Shared) {
    let lists = Shared::default();
    let router = Router::new()
        .route("/api/{*path}", any(serve))
        .with_state(lists.clone());
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, router).await.unwrap();
        });
    });
    (url, lists)
}

#[test]
fn what_is_exported_is_imported_as_it_was_and_never_sent_twice() {
    let rack = Rack::start(2, 50.0);
    let (url, lists) = netbox();
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "s3cret\n").unwrap();
    let token = token.to_str().unwrap();
    let call = |verb: &str, more: &[&str]| {
        let at = [
            verb,
            "netbox",
            &url,
            "--netbox-token-file",
            token,
            "--rack",
            "r1",
            "--site",
            "lab",
        ];
        rack.with(&[&at[..], more].concat())
    };
    let count = |text: &str, sign: char| text.lines().filter(|l| l.starts_with(sign)).count();
    let writes = || lists.lock().unwrap().writes;

    rack.busbar("import seen --rack r1").ok();
    let plan = call("export", &["--dry-run"]).ok().out;
    assert!(count(&plan, '+') > 10 && writes() == 0, "{plan}");
    let done = call("export", &[]).ok().out;
    assert_eq!((count(&done, '+'), writes()), (count(&plan, '+'), count(&plan, '+')));
    assert!(done.contains("cable r1/pdu-a/1 to u1"), "{done}");
    let again = call("export", &[]).ok().out;
    assert!(again.contains("created 0, changed 0, deleted 0; notes 3"), "{again}");
    assert!(
        again.contains("NetBox has no such port"),
        "the switch is not in NetBox: {again}"
    );

    let before = rack.busbar("export csv --rack r1").ok().out;
    let same = call("import", &[]).ok().out;
    assert!(same.contains("0 changes"), "{same}");
    assert_eq!(rack.busbar("export csv --rack r1").ok().out, before);

    // Others change a serial and add a device; it is told, and deleted only when asked for.
    {
        let mut lists = lists.lock().unwrap();
        let devices = lists.all.get_mut("dcim/devices").unwrap();
        let u1 = devices.iter_mut().find(|d| d["name"] == "r1-u1").unwrap();
        u1["serial"] = json!("SWAPPED");
        let mut spare = u1.clone();
        (spare["id"], spare["name"], spare["position"]) = (json!(900), json!("spare"), json!(40.0));
        (spare["local_context_data"], spare["serial"]) = (Value::Null, json!("SPARE"));
        devices.push(spare);
    }
    let changed = call("import", &["--dry-run"]).ok().out;
    assert!(
        changed.contains("~ u1 serial:") && changed.contains("+ u40 server"),
        "{changed}"
    );
    let kept = call("export", &[]).ok().out;
    assert!(
        kept.contains("changed 1, deleted 0") && kept.contains("device spare stands in NetBox only"),
        "{kept}"
    );
    let pruned = call("export", &["--prune"]).ok().out;
    assert!(
        pruned.contains("- device spare") && pruned.contains("deleted 1"),
        "{pruned}"
    );

    std::fs::write(token, "wrong").unwrap();
    let refused = call("import", &[]);
    assert!(refused.code == 1 && refused.err.contains("403"), "{refused:?}");
    let nowhere = rack.with(&[
        "import",
        "netbox",
        "http://127.0.0.1:9",
        "--netbox-token-file",
        token,
        "--rack",
        "r1",
    ]);
    assert_eq!(nowhere.code, 9, "{nowhere:?}");
}
