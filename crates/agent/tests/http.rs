//! The agent's HTTP client against a daemon on a socket.
#![allow(clippy::unwrap_used)]

use std::net::Ipv4Addr;
use std::time::Duration;

use agent::http::HttpDaemon;
use agent::seam::{Daemon, DaemonError};
use axum::Router;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use rack::agent::{AgentState, FoundHardware, Order, Work};

const BLOB: &[u8] = b"0123456789";

async fn answer(uri: Uri, headers: HeaderMap) -> Response {
    if headers.get("authorization").is_none_or(|v| v != "Bearer good") {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    match uri.path() {
        "/agent/v1/poll" if uri.query() == Some("wait=7") => r#"{"order":"power_off"}"#.into_response(),
        "/agent/v1/poll" => "x".repeat(1 << 20).into_response(),
        "/blob" => match headers.get("range").and_then(|v| v.to_str().ok()) {
            Some("bytes=4-") => (
                StatusCode::PARTIAL_CONTENT,
                [("content-range", "bytes 4-9/10")],
                &BLOB[4..],
            )
                .into_response(),
            // a server that ignores where it should begin
            Some("bytes=5-") => {
                (StatusCode::PARTIAL_CONTENT, [("content-range", "bytes 0-9/10")], BLOB).into_response()
            }
            _ => BLOB.into_response(),
        },
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn daemon(token: &str) -> HttpDaemon {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
    HttpDaemon::bound(&url, token, Some(Ipv4Addr::new(127, 0, 0, 9).into())).unwrap()
}

fn state() -> AgentState {
    let (boot_id, version) = ("b".to_string(), "0".to_string());
    AgentState {
        boot_id,
        version,
        hardware: FoundHardware::default(),
        work: Work::Ready,
    }
}

async fn bytes(daemon: &HttpDaemon, offset: u64) -> Result<Vec<u8>, DaemonError> {
    let parts: Vec<_> = daemon.blob("/blob", offset).await?.collect().await;
    let parts = parts.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(parts.concat())
}

#[tokio::test]
async fn an_order_is_taken_and_a_blob_goes_on_where_it_broke() {
    let daemon = daemon("good").await;
    assert_eq!(
        daemon.poll(&state(), Duration::from_secs(7)).await.unwrap(),
        Order::PowerOff
    );
    assert_eq!(bytes(&daemon, 0).await.unwrap(), BLOB);
    assert_eq!(bytes(&daemon, 4).await.unwrap(), BLOB[4..]);
    let wrong = bytes(&daemon, 5).await.unwrap_err();
    assert!(
        matches!(&wrong, DaemonError::Unreachable(e) if e.contains("asked for bytes from 5")),
        "{wrong}"
    );
    let ignored = bytes(&daemon, 6).await.unwrap_err();
    assert!(
        matches!(&ignored, DaemonError::Unreachable(e) if e.contains("200")),
        "{ignored}"
    );
}

#[tokio::test]
async fn an_answer_without_end_is_cut_and_a_strange_token_is_refused() {
    let endless = daemon("good").await.poll(&state(), Duration::ZERO).await.unwrap_err();
    assert!(
        matches!(&endless, DaemonError::Unreachable(e) if e.contains("longer than 65536")),
        "{endless}"
    );
    let refused = daemon("bad").await.poll(&state(), Duration::ZERO).await.unwrap_err();
    assert!(matches!(refused, DaemonError::Refused(_)), "{refused}");
}

#[tokio::test]
async fn the_token_goes_to_the_daemon_alone_and_is_never_printed() {
    let daemon = daemon("good").await;
    assert!(!format!("{daemon:?}").contains("good"));
    for path in ["http://127.0.0.1:1/blob", "//127.0.0.1:1/blob"] {
        assert!(
            matches!(daemon.blob(path, 0).await.err(), Some(DaemonError::Refused(_))),
            "{path}"
        );
    }
}

#[test]
fn a_daemon_by_name_is_told_apart_from_one_by_address() {
    let error = HttpDaemon::new("http://busbar.example:7480", "t")
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("busbar.example") && error.contains("not an IP address"),
        "{error}"
    );
    assert!(HttpDaemon::new("http://[fe80::1]:7480", "t").is_ok());
}
