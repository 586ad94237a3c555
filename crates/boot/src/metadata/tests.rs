#![allow(clippy::unwrap_used)]

use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use axum::body::Body;
use http::Request;
use http_body_util::BodyExt as _;
use proptest::prelude::*;
use rack::agent::{AgentState, Order};
use rack::{Mac, Time};
use tower::ServiceExt as _;

use super::*;
use crate::desk::{DeskError, Future, NextBoot};

/// The machine at 10.77.0.`n`.
pub(super) fn instance(n: u8) -> Instance {
    Instance {
        id: format!("i-{n:017x}"),
        host_name: format!("web-{n}"),
        ssh_keys: vec![format!("ssh-ed25519 AAAA{n} a@b"), "ssh-ed25519 BBBB c@d".to_owned()],
        user_data: Some(format!("#cloud-config\npassword: secret-of-{n}\n")),
        mac: Mac([0x52, 0x54, 0, 0, 0, n]),
        address: Ipv4Addr::new(10, 77, 0, n),
        prefix: 24,
        zone: "r1".to_owned(),
        place: "r1/u12".to_owned(),
        image: "debian-12".to_owned(),
    }
}

/// Knows the machines at 10.77.0.1 to 9, and counts who was seen.
#[derive(Default)]
struct NineMachines {
    seen: Mutex<Vec<Caller>>,
}

impl Desk for NineMachines {
    fn lease(&self, _: Mac) -> Future<'_, Result<Option<Ipv4Addr>, DeskError>> {
        Box::pin(async { Ok(None) })
    }
    fn mac_of(&self, _: Ipv4Addr) -> Option<Mac> {
        None
    }
    fn next_boot(&self, _: &Caller) -> NextBoot {
        NextBoot::Disk { why: String::new() }
    }
    fn instance(&self, caller: &Caller) -> Option<Arc<Instance>> {
        match caller.address? {
            IpAddr::V4(v4) if v4.octets()[..3] == [10, 77, 0] && (1..=9).contains(&v4.octets()[3]) => {
                Some(Arc::new(instance(v4.octets()[3])))
            }
            _ => None,
        }
    }
    fn metadata_seen(&self, caller: &Caller) {
        self.seen.lock().unwrap().push(caller.clone());
    }
    fn poll<'a>(
        &'a self,
        _: &'a str,
        _: Option<IpAddr>,
        _: AgentState,
        _: Duration,
    ) -> Future<'a, Result<Order, DeskError>> {
        Box::pin(async { Err(DeskError::Refused("not here".to_owned())) })
    }
    fn blob(&self, _: &str, _: &str) -> Result<PathBuf, DeskError> {
        Err(DeskError::Missing("blob".to_owned()))
    }
}

/// The service, and one caller's view of it.
struct From9 {
    desk: Arc<NineMachines>,
    router: axum::Router,
    remote: SocketAddr,
}

impl From9 {
    fn at(remote: &str) -> Self {
        let desk = Arc::new(NineMachines::default());
        let key = TokenKey::new(&[1; 32], || Time::from_millis(1_000_000));
        let router = router(desk.clone(), key);
        Self {
            desk,
            router,
            remote: format!("{remote}:40000").parse().unwrap(),
        }
    }

    async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> (StatusCode, HeaderMap, String) {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Body::empty()).unwrap();
        let local = "169.254.169.254:80".parse().unwrap();
        request.extensions_mut().insert(Peer {
            local,
            remote: self.remote,
        });
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = answer.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (parts.status, parts.headers, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn token(&self) -> String {
        let (status, headers, token) = self.ask("PUT", TOKEN_PATH, &[(TOKEN_TTL, "21600")]).await;
        assert_eq!(status, 200);
        assert_eq!(headers[TOKEN_TTL], "21600");
        token
    }

    async fn read(&self, path: &str) -> (u16, String) {
        let token = self.token().await;
        let (status, _, body) = self.ask("GET", path, &[(TOKEN, &token)]).await;
        (status.as_u16(), body)
    }
}

#[tokio::test]
async fn a_token_is_asked_for_as_on_ec2() {
    let nine = From9::at("10.77.0.9");
    for ttl in ["0", "21601", "-1", "1.5", "", "x", "99999999999999999999"] {
        let (status, ..) = nine.ask("PUT", TOKEN_PATH, &[(TOKEN_TTL, ttl)]).await;
        assert_eq!(status, 400, "{ttl}");
    }
    assert_eq!(nine.ask("PUT", TOKEN_PATH, &[]).await.0, 400);
    let forwarded = [(TOKEN_TTL, "60"), ("X-Forwarded-For", "10.77.0.9")];
    assert_eq!(nine.ask("PUT", TOKEN_PATH, &forwarded).await.0, 403);
    let (status, headers, _) = nine.ask("GET", TOKEN_PATH, &[]).await;
    assert_eq!(
        (status.as_u16(), &headers[header::ALLOW]),
        (405, &HeaderValue::from_static("PUT"))
    );
}

#[tokio::test]
async fn without_a_good_token_nothing_is_told() {
    let nine = From9::at("10.77.0.9");
    let other = From9::at("10.77.0.8").token().await;
    for path in [
        "/",
        "/latest",
        "/latest/",
        "/latest/meta-data/instance-id",
        "/2021-03-23/user-data",
        "/latest/nothing",
    ] {
        for token in [None, Some("nonsense"), Some(other.as_str())] {
            let headers: Vec<_> = token.map(|t| (TOKEN, t)).into_iter().collect();
            let (status, _, body) = nine.ask("GET", path, &headers).await;
            assert_eq!(status, 401, "{path} {token:?}");
            assert!(!body.contains("i-0") && !body.contains("secret"), "{body}");
        }
    }
    assert!(nine.desk.seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn every_version_tells_the_same() {
    let nine = From9::at("10.77.0.9");
    let listed = nine.read("/").await.1;
    assert_eq!(listed.lines().collect::<Vec<_>>(), VERSIONS);
    for version in VERSIONS {
        let id = nine.read(&format!("/{version}/meta-data/instance-id")).await;
        assert_eq!(id, (200, "i-00000000000000009".to_owned()), "{version}");
    }
    assert_eq!(nine.read("/2021-03-24/meta-data/").await.0, 404);
    assert_eq!(nine.read("/latest/user-data").await.1, instance(9).user_data.unwrap());
    assert_eq!(
        nine.desk.seen.lock().unwrap().last().unwrap().address,
        Some(nine.remote.ip())
    );
}

#[tokio::test]
async fn only_reading_is_allowed_and_the_answer_says_so() {
    let nine = From9::at("10.77.0.9");
    let token = nine.token().await;
    for (method, path) in [
        ("POST", "/latest/meta-data/"),
        ("DELETE", "/"),
        ("PUT", "/latest/user-data"),
        ("PATCH", "/nocloud/user-data"),
    ] {
        let (status, headers, _) = nine.ask(method, path, &[(TOKEN, &token)]).await;
        assert_eq!(
            (status.as_u16(), &headers[header::ALLOW]),
            (405, &HeaderValue::from_static("GET, HEAD")),
            "{method}"
        );
    }
    assert_eq!(
        nine.ask("HEAD", "/latest/meta-data/mac", &[(TOKEN, &token)]).await.0,
        200
    );
}

#[tokio::test]
async fn a_subtree_is_told_as_json_to_whoever_asks_for_it() {
    let nine = From9::at("10.77.0.9");
    let token = nine.token().await;
    let headers = [(TOKEN, token.as_str()), ("accept", "application/json")];
    let (status, _, body) = nine.ask("GET", "/latest/meta-data/public-keys", &headers).await;
    let read: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (status.as_u16(), read),
        (200, json!({"0": {"openssh-key": instance(9).ssh_keys.join("\n")}}))
    );
}

#[tokio::test]
async fn a_seed_is_told_without_a_token_but_not_through_a_proxy() {
    let nine = From9::at("10.77.0.9");
    for file in ["meta-data", "user-data", "vendor-data", "network-config"] {
        let path = format!("/nocloud/{file}");
        assert_eq!(nine.ask("GET", &path, &[]).await.0, 200, "{file}");
        assert_eq!(
            nine.ask("GET", &path, &[("X-Forwarded-For", "1.2.3.4")]).await.0,
            403,
            "{file}"
        );
    }
    assert_eq!(nine.ask("GET", "/nocloud/other", &[]).await.0, 404);
    assert_eq!(nine.desk.seen.lock().unwrap().len(), 4);
}

#[tokio::test]
async fn a_caller_on_a_socket_of_both_families_is_known_too() {
    let nine = From9::at("[::ffff:10.77.0.9]");
    assert_eq!(nine.read("/latest/meta-data/local-ipv4").await.1, "10.77.0.9");
}

#[tokio::test]
async fn a_stranger_learns_nothing() {
    let stranger = From9::at("10.77.0.77");
    let mut bodies = Vec::new();
    for path in [
        "/",
        "/latest/meta-data/",
        "/latest/user-data",
        "/nocloud/user-data",
        "/nocloud/x",
    ] {
        let (status, headers, body) = stranger.ask("GET", path, &[]).await;
        assert_eq!(status, 404, "{path}");
        assert_eq!(headers[header::CONTENT_TYPE], "application/problem+json");
        bodies.push(body);
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "every path answers a stranger alike");
    assert_eq!(stranger.ask("PUT", TOKEN_PATH, &[(TOKEN_TTL, "60")]).await.0, 404);
}

fn paths() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("latest".to_owned()),
        Just("2021-03-23".to_owned()),
        Just("meta-data".to_owned()),
        Just("user-data".to_owned()),
        Just("nocloud".to_owned()),
        Just("public-keys".to_owned()),
        Just("network/interfaces/macs/52:54:00:00:00:08".to_owned()),
        Just("..".to_owned()),
        Just("%2e%2e".to_owned()),
        Just("10.77.0.8".to_owned()),
        "[a-zA-Z0-9%._~:@!$&'()*+,;=-]{0,12}",
    ];
    proptest::collection::vec(part, 0..8).prop_map(|parts| format!("/{}", parts.join("/")))
}

proptest! {
    #[test]
    fn no_path_panics_or_tells_of_another_machine(path in paths(), json: bool) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        prop_assume!(path.parse::<Uri>().is_ok());
        runtime.block_on(async {
            let nine = From9::at("10.77.0.9");
            let token = nine.token().await;
            let accept = if json { "application/json" } else { "*/*" };
            let headers = [(TOKEN, token.as_str()), ("accept", accept)];
            let (status, _, body) = nine.ask("GET", &path, &headers).await;
            assert!([200, 404, 405].contains(&status.as_u16()), "{path}: {status}");
            assert!(!body.contains("secret-of-8") && !body.contains("AAAA8") && !body.contains("i-00000000000000008"));
        });
    }
}
