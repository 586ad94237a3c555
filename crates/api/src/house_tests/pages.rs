//! What is drawn, what is served, and what a browser may do with it.

use std::sync::atomic::Ordering;

use axum::http::{Method, Request, StatusCode};

use super::{NOON, Reply, desk};

#[tokio::test]
async fn an_elevation_that_did_not_change_is_not_sent_again() {
    let desk = desk().await;
    let bearer = ("authorization", "Bearer reader");
    let path = "/v1/racks/r1/elevation?by=power";
    let first = desk.get(path, &[bearer]).await;
    assert_eq!(first.json()["boxes"][0]["place"], "r1/panel");
    let tag = first.header("etag").to_owned();
    assert!(tag.starts_with("W/\""), "{tag}");
    desk.clock.0.store(NOON + 1000, Ordering::Relaxed);
    let again = desk
        .get(path, &[bearer, ("if-none-match", &format!("\"x\", {tag}"))])
        .await;
    assert_eq!((again.status, again.body.len()), (StatusCode::NOT_MODIFIED, 0));
    assert_eq!(again.header("etag"), tag);
    assert!(!again.header("busbar-event").is_empty());
    let other = desk
        .get("/v1/racks/r1/elevation?by=health", &[bearer, ("if-none-match", &tag)])
        .await;
    assert_eq!(other.status, StatusCode::OK);
    for (path, status) in [
        ("/v1/racks/r1/elevation?by=colour", 400),
        ("/v1/racks/r1/elevation?at=yesterday", 400),
        ("/v1/racks/r1/elevation?from=1h", 400),
        ("/v1/racks/R1/elevation", 400),
        ("/v1/racks/r2/elevation", 404),
        ("/r2.svg", 404),
        ("/r1.svg?side=top", 400),
    ] {
        assert_eq!(desk.get(path, &[bearer]).await.status.as_u16(), status, "{path}");
    }
}

#[tokio::test]
async fn a_picture_is_well_formed_whatever_boxes_call_themselves() {
    let desk = desk().await;
    assert_eq!(desk.get("/r1.svg", &[]).await.status, StatusCode::UNAUTHORIZED);
    for by in rack::elevation::By::ALL {
        for side in ["front", "rear"] {
            let path = format!("/r1.svg?by={by}&side={side}");
            let answer = desk.get(&path, &[("authorization", "Bearer reader")]).await;
            assert_eq!(
                (answer.status, answer.header("content-type")),
                (StatusCode::OK, "image/svg+xml; charset=utf-8")
            );
            let policy = answer.header("content-security-policy");
            assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
            let text = answer.text();
            let tree = roxmltree::Document::parse(&text).unwrap_or_else(|e| panic!("{path}: {e}\n{text}"));
            let names: Vec<&str> = tree.descendants().map(|n| n.tag_name().name()).collect();
            assert!(!names.contains(&"script"));
            assert!(
                tree.descendants()
                    .flat_map(|n| n.attributes())
                    .all(|a| !a.name().starts_with("on") && a.name() != "style")
            );
            assert!(!text.contains('\u{202e}') && !text.contains('\u{1b}'));
            // the hostile name is there, as text
            let titles: String = tree
                .descendants()
                .filter(|n| n.has_tag_name("title"))
                .filter_map(|n| n.text())
                .collect();
            assert!(titles.contains("\"><script>alert(1)</script>&"), "{titles}");
        }
    }
}

#[tokio::test]
async fn every_answer_says_what_a_browser_may_do_with_it() {
    let desk = desk().await;
    let assets = crate::assets::Assets::built();
    let built: Vec<String> = assets.names().map(|n| format!("/{n}")).collect();
    let fixed = [
        "/",
        "/v1/me",
        "/v1/openapi.json",
        "/healthz",
        "/login?token=admin",
        "/nothing.js",
    ]
    .map(str::to_owned);
    for path in built.iter().chain(&fixed) {
        let answer = desk.get(path, &[]).await;
        let policy = answer.header("content-security-policy");
        assert!(
            policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{path}: {policy}"
        );
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
        assert!(!answer.header("cache-control").is_empty(), "{path}");
    }
}

fn parts(method: Method, path: &str, headers: &[(&str, &str)]) -> axum::http::request::Parts {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

#[tokio::test]
async fn files_are_served_by_their_names_and_pages_by_having_none() {
    let desk = desk().await;
    let page = format!("<!doctype html>{}", "busbar ".repeat(200));
    let files = [
        ("index.html", page.as_str()),
        ("assets/index-Bx1.js", "1"),
        ("favicon.svg", "<svg/>"),
        (".gitkeep", ""),
    ];
    let files = files
        .into_iter()
        .map(|(n, b)| (n.to_owned(), axum::body::Bytes::from(b.to_owned())));
    let assets = crate::assets::Assets::of(files);
    let ask = async |method: Method, path: &str, headers: &[(&str, &str)]| {
        let answer = crate::assets::serve(&assets, &desk.house, &parts(method, path, headers)).await;
        let (parts, body) = answer.into_parts();
        Reply {
            status: parts.status,
            headers: parts.headers,
            body: axum::body::to_bytes(body, 1 << 20).await.unwrap().to_vec(),
        }
    };
    for path in ["/", "/r1", "/machines/web-1", "/index.html"] {
        let answer = ask(Method::GET, path, &[]).await;
        assert_eq!((answer.status, answer.text()), (StatusCode::OK, page.clone()), "{path}");
        assert_eq!(
            (answer.header("content-type"), answer.header("cache-control")),
            ("text/html; charset=utf-8", "no-cache")
        );
    }
    let script = ask(Method::GET, "/assets/index-Bx1.js", &[("accept-encoding", "gzip")]).await;
    assert_eq!(script.header("cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(
        (script.header("content-encoding"), script.text().as_str()),
        ("", "1"),
        "no smaller when packed"
    );
    assert_eq!(ask(Method::GET, "/favicon.svg", &[]).await.text(), "<svg/>");

    let packed = ask(Method::GET, "/", &[("accept-encoding", "br, gzip;q=0.8")]).await;
    assert_eq!(packed.header("content-encoding"), "gzip");
    let mut plain = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&packed.body[..]), &mut plain).unwrap();
    assert_eq!(plain, page);
    let refused = ask(Method::GET, "/", &[("accept-encoding", "gzip;q=0")]).await;
    assert_eq!(refused.header("content-encoding"), "");
    assert_ne!(
        packed.header("etag"),
        refused.header("etag"),
        "one tag for each encoding"
    );
    let tag = refused.header("etag").to_owned();
    let known = ask(Method::GET, "/", &[("if-none-match", &tag)]).await;
    assert_eq!((known.status, known.body.len()), (StatusCode::NOT_MODIFIED, 0));
    assert_eq!(ask(Method::HEAD, "/", &[]).await.body.len(), 0);

    for (method, path, status) in [
        (Method::GET, "/v1/nothing", 404),
        (Method::GET, "/v1", 404),
        (Method::GET, "/missing.js", 404),
        (Method::GET, "/assets/../index.html", 404),
        (Method::GET, "/assets/..%2findex.html", 404),
        (Method::GET, "/../Cargo.toml", 404),
        (Method::GET, "//etc/passwd.txt", 404),
        (Method::GET, "/.gitkeep", 404),
        (Method::POST, "/", 405),
        (Method::POST, "/r1.svg", 405),
    ] {
        let answer = ask(method, path, &[]).await;
        assert_eq!(answer.status.as_u16(), status, "{path}");
        assert!(!answer.text().contains("doctype"), "{path}");
    }
}

#[tokio::test]
async fn a_filter_of_events_that_means_nothing_is_named() {
    let desk = desk().await;
    let bearer = ("authorization", "Bearer reader");
    let get = async |query: &str| desk.get(&format!("/v1/events{query}"), &[bearer]).await;
    let told = get("?level=audit,error&about=r1&by=anna&text=x&before=9&limit=2").await;
    assert_eq!((told.status, told.json()), (StatusCode::OK, serde_json::json!([])));
    for (query, word) in [
        ("?level=loud", "loud"),
        ("?before=9&wait=1", "wait"),
        ("?colour=red", "colour"),
    ] {
        let answer = get(query).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
        assert!(answer.text().contains(word), "{query}: {}", answer.text());
    }
    let stream = [bearer, ("accept", "text/event-stream")];
    let refused = desk.get("/v1/events?level=error", &stream).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
}
