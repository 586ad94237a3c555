//! Logging in, what a session may do, and how it ends.

use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use futures_util::StreamExt as _;
use rack::request::{Role, Who};
use serde_json::Value;
use tower::ServiceExt as _;

use super::{HOST, NOON, PORT, desk};

#[tokio::test]
async fn a_link_logs_in_as_often_as_its_token_works_and_shows_no_secret() {
    let desk = desk().await;
    for _ in 0..2 {
        let answer = desk.get("/login?token=admin", &[]).await;
        let set = answer.header("set-cookie");
        for word in ["HttpOnly", "Secure", "SameSite=Strict", "Path=/", "Max-Age=43200"] {
            assert!(set.split("; ").any(|w| w == word), "{word}: {set}");
        }
        assert!(!set.contains("admin"), "the cookie is not the token");
        let me = desk
            .get(
                "/v1/me",
                &[(
                    "cookie",
                    &format!("a=b; busbar-7401=of-another-daemon; {}", answer.cookie()),
                )],
            )
            .await
            .json();
        assert_eq!(
            (&me["name"], &me["role"], &me["emulator"]),
            (&"admin".into(), &"admin".into(), &false.into())
        );
        assert_eq!(me["expires"], "2025-11-26T00:00:00Z");
    }
    let me = desk.get("/v1/me", &[("authorization", "Bearer reader")]).await.json();
    assert_eq!((&me["name"], &me["expires"]), (&"reader".into(), &Value::Null));
    for wrong in ["/login?token=nobody", "/login?token=", "/login"] {
        let answer = desk.get(wrong, &[]).await;
        assert!(
            answer.status.is_client_error() && answer.header("set-cookie").is_empty(),
            "{wrong}"
        );
    }
    let nobody = desk.get("/v1/me", &[]).await;
    assert_eq!(
        (nobody.status, nobody.json()["hint"].as_str()),
        (StatusCode::UNAUTHORIZED, Some("busbar token show-context --link"))
    );
}

#[tokio::test]
async fn a_session_ends_after_twelve_hours_and_at_logout() {
    let desk = desk().await;
    let cookie = desk.login("admin").await;
    let me = async || desk.get("/v1/me", &[("cookie", &cookie)]).await.status;
    desk.clock.0.store(NOON + 12 * 3_600_000, Ordering::Relaxed);
    assert_eq!(me().await, StatusCode::OK);
    desk.clock.0.store(NOON + 12 * 3_600_000 + 1, Ordering::Relaxed);
    assert_eq!(me().await, StatusCode::UNAUTHORIZED);
    // set back again: what has ended stays so
    desk.clock.0.store(NOON, Ordering::Relaxed);
    assert_eq!(me().await, StatusCode::UNAUTHORIZED);

    let cookie = desk.login("admin").await;
    let sent = [("cookie", cookie.as_str()), ("x-busbar", "console")];
    let bare = desk.ask(Method::POST, "/logout", &sent[..1]).await;
    assert_eq!(
        bare.status,
        StatusCode::FORBIDDEN,
        "another site may not log anyone out"
    );
    let out = desk.ask(Method::POST, "/logout", &sent).await;
    assert_eq!(out.status, StatusCode::NO_CONTENT);
    assert!(out.header("set-cookie").starts_with("busbar-7400=; ") && out.header("set-cookie").contains("Max-Age=0"));
    assert_eq!(desk.get("/v1/me", &sent).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_session_dies_with_its_token() {
    let desk = desk().await;
    let house = desk.house.clone();
    let loops = tokio::spawn(async move { house.run_loops().await });
    let cookie = desk.login("reader").await;
    let other = desk.login("admin").await;
    let admin = Who {
        name: "admin".parse().unwrap(),
        role: Role::Admin,
    };
    desk.house
        .revoke_token(&admin, &"reader".parse().unwrap())
        .await
        .unwrap();
    assert_eq!(
        desk.get("/v1/me", &[("cookie", &cookie)]).await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(desk.get("/v1/me", &[("cookie", &other)]).await.status, StatusCode::OK);
    loops.abort();
}

#[tokio::test]
async fn a_cookie_changes_nothing_without_the_header_or_from_another_origin() {
    let desk = desk().await;
    let cookie = desk.login("admin").await;
    let ours = format!("https://{HOST}");
    let path = "/v1/tokens/nobody";
    for (why, more, status) in [
        ("no header", &[][..], 403),
        ("another header", &[("x-busbar", "page")][..], 403),
        (
            "another origin",
            &[("x-busbar", "console"), ("origin", "https://evil.example")][..],
            403,
        ),
        (
            "another port",
            &[("x-busbar", "console"), ("origin", "https://rack.example")][..],
            403,
        ),
        (
            "no origin at all",
            &[("x-busbar", "console"), ("origin", "null")][..],
            403,
        ),
        ("header, no origin", &[("x-busbar", "console")][..], 404),
        (
            "header, our origin",
            &[("x-busbar", "console"), ("origin", ours.as_str())][..],
            404,
        ),
    ] {
        let mut headers = vec![("cookie", cookie.as_str())];
        headers.extend(more);
        let answer = desk.ask(Method::DELETE, path, &headers).await;
        assert_eq!(answer.status.as_u16(), status, "{why}: {}", answer.text());
    }
    // who bears a token is no browser that was tricked
    let bearer = desk
        .ask(Method::DELETE, path, &[("authorization", "Bearer admin")])
        .await;
    assert_eq!(bearer.status, StatusCode::NOT_FOUND);
    // and a bad token is not made good by a cookie beside it
    let both = [("authorization", "Bearer wrong"), ("cookie", cookie.as_str())];
    assert_eq!(desk.get("/v1/me", &both).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_session_may_do_what_its_token_may() {
    let desk = desk().await;
    let cookie = desk.login("reader").await;
    let sent = [("cookie", cookie.as_str()), ("x-busbar", "console")];
    assert_eq!(desk.get("/v1/racks", &sent).await.status, StatusCode::OK);
    let refused = desk.ask(Method::DELETE, "/v1/tokens/nobody", &sent).await;
    assert_eq!(
        (refused.status, refused.json()["code"].as_str()),
        (StatusCode::FORBIDDEN, Some("BB0202"))
    );
}

#[tokio::test]
async fn sessions_are_bounded_and_the_oldest_goes_first() {
    let desk = desk().await;
    let sessions = crate::session::Sessions::at(&desk.house, PORT).await;
    // 255 secrets differ here: the random bytes of a test count up
    let first = sessions.open(&desk.house, "admin").await.unwrap();
    desk.clock.0.store(NOON + 1, Ordering::Relaxed);
    assert!(sessions.open_at_most(&desk.house, "admin", 3).await.is_some());
    assert!(sessions.open_at_most(&desk.house, "admin", 3).await.is_some());
    assert!(sessions.who(&desk.house, &first).is_some());
    let last = sessions.open_at_most(&desk.house, "admin", 3).await.unwrap();
    assert!(sessions.who(&desk.house, &first).is_none());
    assert!(sessions.who(&desk.house, &last).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_events_ends_with_its_session() {
    let desk = desk().await;
    let cookie = desk.login("admin").await;
    let request = Request::get("/v1/events")
        .header("accept", "text/event-stream")
        .header("cookie", &cookie);
    let answer = desk
        .app
        .clone()
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let mut stream = answer.into_body().into_data_stream();
    let sent = [("cookie", cookie.as_str()), ("x-busbar", "console")];
    let minute = std::time::Duration::from_secs(60);
    let alive = tokio::time::timeout(minute, async { while stream.next().await.is_some() {} }).await;
    assert!(alive.is_err(), "it goes on while its session does");
    desk.ask(Method::POST, "/logout", &sent).await;
    let ended = tokio::time::timeout(minute, async { while stream.next().await.is_some() {} }).await;
    assert!(ended.is_ok());
}

#[tokio::test]
async fn what_a_machine_is_told_is_not_for_readers() {
    let desk = desk().await;
    let ask = async |token: &str| {
        let bearer = format!("Bearer {token}");
        let answer = desk
            .get("/v1/machines/web-1/metadata", &[("authorization", &bearer)])
            .await;
        (answer.status, answer.json()["code"].as_str().map(str::to_owned))
    };
    assert_eq!(ask("reader").await, (StatusCode::FORBIDDEN, Some("BB0202".into())));
    assert_eq!(ask("admin").await, (StatusCode::NOT_FOUND, Some("BB0301".into())));
}

#[tokio::test]
async fn a_session_outlives_the_daemon_and_what_has_ended_does_not_come_back() {
    use crate::session::Sessions;
    let desk = desk().await;
    let again = async || Sessions::at(&desk.house, PORT).await;
    let sessions = again().await;
    let mut all = Vec::new();
    for token in ["admin", "reader", "admin"] {
        all.push(sessions.open(&desk.house, token).await.unwrap());
    }
    let who = |sessions: &Sessions| {
        all.iter()
            .map(|s| sessions.who(&desk.house, s).is_some())
            .collect::<Vec<_>>()
    };
    sessions.close(&desk.house, &all[2]).await.unwrap();
    let restarted = again().await;
    assert_eq!(who(&restarted), [true, true, false]);
    let it = restarted.who(&desk.house, &all[1]).unwrap();
    assert_eq!((it.who.name.as_str(), it.who.role), ("reader", Role::Reader));
    // neither the secrets nor the tokens lie in the store
    let kept = format!("{:?}", desk.house.kept_sessions().await.unwrap());
    assert!(all.iter().all(|secret| !kept.contains(secret.as_str())));

    desk.clock.0.store(NOON + 12 * 3_600_000 + 1, Ordering::Relaxed);
    assert_eq!(who(&restarted), [false, false, false]);
    // the next who logs in takes what is over out of the store
    let next = restarted.open(&desk.house, "admin").await.unwrap();
    let kept = desk.house.kept_sessions().await.unwrap();
    assert_eq!(kept.len(), 1);
    assert!(again().await.who(&desk.house, &next).is_some());
}
