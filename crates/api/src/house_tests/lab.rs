//! The lab: refused where the rack is real, and passed on with roles and the audit log where it is not.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Method, Request};
use emulator::faults::Faults;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::{Desk, desk};

async fn ask(desk: &Desk, method: Method, path: &str, token: &str, body: Option<Value>) -> (u16, Value) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", format!("Bearer {token}"))
        .body(body.map_or_else(Body::empty, |b| Body::from(b.to_string())));
    let answer = desk.app.clone().oneshot(request.unwrap()).await.unwrap();
    let status = answer.status().as_u16();
    let bytes = axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap_or_default())
}

/// The routes of faults of an emulator, on a port of its own; what is written down is seen.
async fn emulated(desk: &Desk) -> Arc<Faults> {
    let house = desk.house.clone();
    tokio::spawn(async move { house.run_loops().await });
    let faults = Arc::new(Faults::default());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    desk.lab.open(listener.local_addr().unwrap());
    let router = emulator::control::faults(Arc::clone(&faults));
    tokio::spawn(async move { axum::serve(listener, router).await });
    faults
}

#[tokio::test]
async fn a_real_rack_has_no_lab() {
    let desk = desk().await;
    for (method, path) in [
        (Method::GET, "rack"),
        (Method::GET, "faults/kinds"),
        (Method::DELETE, "faults"),
    ] {
        let (status, problem) = ask(&desk, method, &format!("/v1/lab/{path}"), "admin", None).await;
        assert_eq!((status, &problem["code"]), (404, &"BB0301".into()), "{path}");
        assert!(problem["detail"].as_str().unwrap().contains("real"), "{problem}");
    }
    let (status, _) = ask(&desk, Method::GET, "/v1/lab/rack", "nobody", None).await;
    assert_eq!(status, 401, "who may not look is told nothing");
}

#[tokio::test]
async fn faults_are_set_by_operators_and_written_down() {
    let desk = desk().await;
    let faults = emulated(&desk).await;
    let hang = json!({"on": {"at": "r1/u1"}, "action": "hang"});
    let path = "/v1/lab/faults";
    let (status, problem) = ask(&desk, Method::POST, path, "reader", Some(hang.clone())).await;
    assert_eq!((status, &problem["code"]), (403, &"BB0202".into()));
    assert!(faults.list().is_empty());
    let before = desk.house.last_event();
    let (status, set) = ask(&desk, Method::POST, path, "admin", Some(hang)).await;
    assert_eq!((status, &set["action"], &set["id"]), (201, &"hang".into(), &1.into()));
    assert!(desk.house.last_event() > before, "the audit log hears of it");
    let (status, all) = ask(&desk, Method::GET, path, "reader", None).await;
    assert_eq!((status, all.as_array().unwrap().len()), (200, 1));
    let (status, cleared) = ask(&desk, Method::DELETE, &format!("{path}/1"), "admin", None).await;
    assert_eq!((status, &cleared["cleared"]), (200, &1.into()));
}

#[tokio::test]
async fn what_the_rack_says_no_to_is_a_problem_of_ours() {
    let desk = desk().await;
    emulated(&desk).await;
    let path = "/v1/lab/faults";
    let cases = [
        (Method::POST, path, Some(json!({"action": "explode"})), 400, "BB0101"),
        (
            Method::POST,
            path,
            Some(json!({"action": "stop_cooling"})),
            500,
            "BB0502",
        ),
        (Method::DELETE, "/v1/lab/faults/7", None, 404, "BB0301"),
        (Method::DELETE, "/v1/lab/faults/x", None, 404, "BB0301"),
        (Method::DELETE, "/v1/lab/faults?dry_run=true", None, 400, "BB0101"),
        (
            Method::PUT,
            "/v1/lab/speed",
            Some(json!({"speed": 1, "seconds": 1})),
            400,
            "BB0101",
        ),
    ];
    for (method, path, body, status, code) in cases {
        let (got, problem) = ask(&desk, method, path, "admin", body).await;
        assert_eq!(
            (got, problem["code"].as_str().unwrap()),
            (status, code),
            "{path}: {problem}"
        );
        assert!(problem["hint"].is_string() || code == "BB0101", "{problem}");
    }
}

#[tokio::test]
async fn a_rack_that_does_not_answer_is_said() {
    let desk = desk().await;
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    desk.lab.open(gone.local_addr().unwrap());
    drop(gone);
    let (status, problem) = ask(&desk, Method::GET, "/v1/lab/rack", "reader", None).await;
    assert_eq!((status, &problem["code"]), (502, &"BB0501".into()), "{problem}");
}
