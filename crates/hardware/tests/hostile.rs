//! A healthy service with one thing wrong in it, over real loopback sockets: what is wrong is named, costs a bounded number
//! of requests, and nothing is lost of what the rest says.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::bmc;
use common::tree::{CHASSIS, Door, PARTS, SYSTEM, Service, Tree, Wrong, healthy};
use futures_util::StreamExt;
use hardware::{Contact, Driver, Error, Found, HttpTransport, Mode, Pin, Redfish};
use rack::Time;
use serde_json::{Value, json};
use tokio::net::TcpListener;

fn open(url: &str, mode: Mode) -> Redfish {
    bmc(url, HttpTransport::new(Pin::Learn).unwrap(), mode)
}

async fn discover(service: Service) -> (Found, std::sync::Arc<Service>) {
    let (url, service) = service.serve().await;
    let found = open(&url, Mode::Observe).discover().await.unwrap();
    (found, service)
}

/// Everything of the healthy tree, but for `lost` parts.
fn whole_but(found: &Found, lost: usize, what: &str) {
    assert_eq!(found.systems.len(), 1, "{what}");
    assert_eq!(
        found.systems[0].parts.len(),
        PARTS - lost,
        "{what}: {:?}",
        found.problems
    );
    assert_eq!(found.systems[0].firmware.len(), 2, "{what}");
    assert_eq!(found.systems[0].identity.bmc_firmware.as_deref(), Some("2.3"), "{what}");
    assert_eq!(found.devices.len(), 1, "{what}");
    assert_eq!(
        (found.devices[0].outlets.len(), found.devices[0].watts),
        (2, Some(1200.0)),
        "{what}"
    );
}

/// Requests that the healthy tree takes.
async fn usual() -> u32 {
    let (found, _) = discover(Service::new(healthy())).await;
    whole_but(&found, 0, "healthy");
    assert!(found.problems.is_empty(), "{:?}", found.problems);
    found.requests
}

#[tokio::test]
async fn one_bad_member_is_named_and_costs_nothing_but_itself() {
    let usual = usual().await;
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to: &'static str = format!(
        "302 Found\r\nLocation: http://{}/redfish/v1/",
        elsewhere.local_addr().unwrap()
    )
    .leak();
    let ok = "200 OK\r\nContent-Type: application/json";
    let path = format!("{SYSTEM}/Memory/dimm2");
    let around: &'static str = format!("301 Moved\r\nLocation: {path}").leak();
    let answer = |status, body: &[u8]| Wrong::Answer(status, body.to_vec());
    let headers: &'static str = format!("200 OK{}", "\r\nX: y".repeat(500)).leak();
    let flood = format!("{{\"CapacityMiB\":1{}}}", ",\"\":0".repeat(200_000));
    let cases = [
        (
            "a login page",
            answer("200 OK\r\nContent-Type: text/html", b"<html>Login</html>"),
            "not JSON",
        ),
        (
            "a packed body",
            answer("200 OK\r\nContent-Encoding: gzip", b"\x1f\x8b\x08\0\0\0\0\0\0\x03"),
            "gzip",
        ),
        ("100 MB", answer(ok, &vec![b' '; 100 << 20]), "more than 16777216 bytes"),
        (
            "endless chunks",
            Wrong::Endless(ok, vec![b' '; 65_536]),
            "more than 16777216 bytes",
        ),
        ("a redirect elsewhere", answer(to, b""), "redirects"),
        ("a redirect to itself", answer(around, b""), "redirects"),
        ("depth", answer(ok, &b"{\"a\":".repeat(100_000)), "not JSON"),
        (
            "a flood of values",
            answer(ok, flood.as_bytes()),
            "more than 200000 values",
        ),
        ("nothing", answer(ok, b""), "empty"),
        ("a list", answer(ok, b"[{}]"), "no object"),
        ("null", answer(ok, b"null"), "no object"),
        ("half a document", answer(ok, b"{\"CapacityMiB\": 327"), "not JSON"),
        ("a lost resource", answer("404 Not Found", b"{}"), "HTTP 404"),
        (
            "a crash",
            answer("500 Oops", b"Traceback \x1b[31m (most recent call last)"),
            "HTTP 500",
        ),
        ("a refusal", answer("401 Unauthorized", b"{}"), "refused"),
        (
            "patience",
            answer("503 Busy\r\nRetry-After: 18446744073709551615", b""),
            "too busy",
        ),
        (
            "a cut body",
            Wrong::Cut(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{\"CapacityMiB\": "),
            "can't be reached",
        ),
        ("no HTTP", Wrong::Cut(b"SSH-2.0-OpenSSH_9.6\r\n"), "can't be reached"),
        ("a reset", Wrong::Cut(b""), "can't be reached"),
        ("a bomb of headers", answer(headers, b"{}"), "can't be reached"),
    ];
    let path = &path;
    let all = cases.into_iter().map(|(what, wrong, told)| async move {
        let (found, _) = discover(Service::new(healthy()).with(path, wrong)).await;
        whole_but(&found, 1, what);
        assert!(found.requests <= usual + 3, "{what}: {} requests", found.requests);
        let told_of: Vec<&str> = found.problems.iter().map(|p| p.what.as_str()).collect();
        assert_eq!(found.problems.len(), 1, "{what}: {told_of:?}");
        assert_eq!(found.problems[0].path, *path, "{what}");
        assert!(found.problems[0].what.contains(told), "{what}: {told_of:?}");
        assert!(!told_of[0].contains('\x1b') && told_of[0].len() < 1000, "{what}");
    });
    // At once, as most of the time is spent waiting between tries.
    futures_util::future::join_all(all).await;
    let visit = tokio::time::timeout(Duration::from_millis(20), elsewhere.accept()).await;
    assert!(visit.is_err(), "nobody was sent elsewhere");
}

#[tokio::test]
async fn the_last_thing_that_was_asked_for_can_be_lost_without_the_bmc_counting_as_silent() {
    // Nothing else is in flight when it fails three times in a row.
    let path = "/redfish/v1/PowerEquipment/RackPDUs/1/Metrics";
    let (url, service) = Service::new(healthy()).with(path, Wrong::Cut(b"")).serve().await;
    let bmc = open(&url, Mode::Observe);
    let found = bmc.discover().await.unwrap();
    assert_eq!((found.devices[0].outlets.len(), found.devices[0].watts), (2, None));
    assert_eq!(found.problems.len(), 1, "{:?}", found.problems);
    assert!(matches!(bmc.contact(), Contact::Answers { .. }));
    assert_eq!(service.times(path), 3);
}

#[tokio::test]
async fn documents_that_are_only_odd_are_read() {
    let (system, power) = (SYSTEM.to_owned(), format!("{CHASSIS}/Power"));
    let tree = healthy();
    let text = tree[&system].to_string();
    let odd = |s: String| Wrong::Answer("200 OK\r\nContent-Type: text/plain", s.into_bytes());
    // The name that counts comes last; before it what no parser likes.
    let strange = text.replacen('{', "\u{feff}{\"PowerState\": 7, \"Huge\": 1e999, \"Long\": 99999999999999999999999999999999, \"Not\": NaN, \"Half\": \"\\ud800\", \"Slash\": \"C:\\x\",", 1);
    let mut strange = Wrong::Answer("200 OK", strange.replace("\"S1\"", "\"S\u{1}\"").into_bytes());
    if let Wrong::Answer(_, body) = &mut strange {
        let at = body.windows(7).position(|w| w == b"Contoso").unwrap();
        body[at] = 0xff;
    }
    let watts = odd("{\"PowerControl\": [{\"PowerConsumedWatts\": 7, \"PowerConsumedWatts\": \"412 W\",}],}".into());
    let (url, _) = Service::new(tree)
        .with(&system, strange)
        .with(&power, watts)
        .serve()
        .await;
    let bmc = open(&url, Mode::Observe);
    let found = bmc.discover().await.unwrap();
    let s = &found.systems[0];
    assert_eq!(
        (s.power, s.identity.serial.as_deref()),
        (Some(rack::PowerState::On), Some("SN1"))
    );
    assert_eq!(s.identity.maker.as_deref(), Some("\u{fffd}ontoso"));
    let readings = bmc
        .readings(&common::address(&url, s), Time::from_millis(0))
        .await
        .unwrap();
    assert_eq!(readings[0].value, Some(412.0));
}

fn members(tree: &mut Tree, path: &str, links: &[&str]) {
    let more = links.iter().map(|l| json!({"@odata.id": l}));
    tree.get_mut(path).unwrap()["Members"]
        .as_array_mut()
        .unwrap()
        .extend(more);
}

#[tokio::test]
async fn cycles_cost_nothing_and_lose_nothing() {
    let usual = usual().await;
    let mut tree = healthy();
    let memory = format!("{SYSTEM}/Memory");
    members(
        &mut tree,
        &memory,
        &[
            &memory,
            SYSTEM,
            "/redfish/v1",
            "/redfish/v1/Systems",
            &format!("{memory}/dimm1/"),
            "http://evil/redfish/v1",
            "/redfish/%2e%2e/x",
        ],
    );
    members(
        &mut tree,
        "/redfish/v1/Systems",
        &["/redfish/v1/Systems", "/redfish/v1/Systems/"],
    );
    tree.get_mut(CHASSIS).unwrap()["Links"]["Contains"] = json!([{"@odata.id": CHASSIS}]);
    tree.get_mut(&memory).unwrap()["Members@odata.nextLink"] = memory.clone().into();
    let processors = format!("{SYSTEM}/Processors");
    tree.get_mut(&processors).unwrap()["Members@odata.nextLink"] = format!("{processors}?$skip=1").into();
    let (found, service) = discover(Service::new(tree)).await;
    whole_but(&found, 0, "cycles");
    assert!(found.requests <= usual + 2, "{}", found.requests);
    for path in [memory.clone(), format!("{processors}?$skip=1")] {
        let circle = found
            .problems
            .iter()
            .find(|p| p.path == path && p.what.contains("circle"));
        assert!(circle.is_some(), "{:?}", found.problems);
        assert_eq!(service.times(&path), 1);
    }
    assert!(
        found
            .problems
            .iter()
            .any(|p| p.path == memory && p.what.starts_with("3 members"))
    );
}

#[tokio::test]
async fn a_million_members_are_cut_in_one_page_and_in_many() {
    let path = format!("{SYSTEM}/Memory");
    let page = |from: usize, n: usize| {
        let links: Vec<String> = (from..from + n)
            .map(|i| format!("{{\"@odata.id\":\"{path}/{i}\"}}"))
            .collect();
        format!(
            "{{\"Members\":[{}],\"Members@odata.nextLink\":\"{path}?$skip={}\"}}",
            links.join(","),
            from + n
        )
        .into_bytes()
    };
    let ok = |body| Wrong::Answer("200 OK", body);
    // In one page it is larger than any document, at 300,000 it has too many values, and both leave the rest alone.
    for (n, told) in [
        (1_000_000, "more than 16777216 bytes"),
        (300_000, "more than 512 members"),
    ] {
        let (found, _) = discover(Service::new(healthy()).with(&path, ok(page(0, n)))).await;
        whole_but(&found, 4, told);
        assert!(found.requests < 700, "{}", found.requests);
        assert!(
            found.problems.iter().any(|p| p.path == path && p.what.contains(told)),
            "{:?}",
            found.problems[0]
        );
    }
    let mut service = Service::new(healthy());
    for n in 0..200 {
        let at = if n == 0 {
            path.clone()
        } else {
            format!("{path}?$skip={}", n * 5)
        };
        service = service.with(&at, ok(page(n * 5, 5)));
    }
    let (found, service) = discover(service).await;
    whole_but(&found, 4, "pages");
    assert!(found.problems.iter().any(|p| p.what.contains("more than 32 pages")));
    assert_eq!(service.times(&format!("{path}?$skip=160")), 0);
}

#[tokio::test]
async fn sessions_that_end_under_way_are_made_anew_and_nothing_is_lost() {
    let (url, service) = Service::new(healthy()).serve().await;
    *service.door.lock().unwrap() = Door::Sessions(20);
    let bmc = open(&url, Mode::Act);
    let found = bmc.discover().await.unwrap();
    whole_but(&found, 0, "sessions");
    assert!(found.problems.is_empty(), "{:?}", found.problems);
    let logins = service.times("/redfish/v1/SessionService/Sessions");
    assert!((2..=1 + found.requests as usize / 20).contains(&logins), "{logins}");
}

#[tokio::test]
async fn a_session_that_never_helps_is_not_made_again_and_again() {
    let memory = format!("{SYSTEM}/Memory");
    let refuse =
        |service: Service, id: &str| service.with(&format!("{memory}/{id}"), Wrong::Answer("401 No", b"{}".to_vec()));
    let service = ["dimm1", "dimm2", "dimm3", "dimm4"]
        .iter()
        .fold(Service::new(healthy()), |s, id| refuse(s, id));
    *service.door.lock().unwrap() = Door::Sessions(1_000);
    let (url, service) = service.serve().await;
    let found = open(&url, Mode::Act).discover().await.unwrap();
    whole_but(&found, 4, "refused");
    assert_eq!(found.problems.len(), 4, "{:?}", found.problems);
    let logins = service.times("/redfish/v1/SessionService/Sessions");
    assert_eq!(logins, 2, "one at the start, one to see whether it helps");
}

#[tokio::test]
async fn a_service_with_no_session_left_is_spoken_to_by_password() {
    let service = Service::new(healthy());
    *service.door.lock().unwrap() = Door::Full;
    let (url, service) = service.serve().await;
    let found = open(&url, Mode::Act).discover().await.unwrap();
    whole_but(&found, 0, "no sessions");
    assert_eq!(service.times("/redfish/v1/SessionService/Sessions"), 1);
}

#[tokio::test]
async fn a_password_that_was_changed_is_not_tried_until_the_account_is_locked() {
    let (url, service) = Service::new(healthy()).serve().await;
    let bmc = open(&url, Mode::Observe);
    let found = bmc.discover().await.unwrap();
    let at = common::address(&url, &found.systems[0]);
    *service.door.lock().unwrap() = Door::Closed;
    let before = bmc.requests();
    for _ in 0..20 {
        assert!(matches!(bmc.glance(&at).await, Err(Error::Unauthorized { .. })));
    }
    assert_eq!(bmc.requests() - before, hardware::redfish::client::session::REFUSALS);
}

#[tokio::test]
async fn clocks_that_are_wrong_change_nothing() {
    for date in [
        "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n",
        "Date: Fri, 31 Dec 9999 23:59:59 GMT\r\n",
        "Date: yesterday\r\n",
    ] {
        let mut tree = healthy();
        let entries = format!("{SYSTEM}/LogServices/SEL/Entries");
        let times = [
            "1970-01-01T00:00:00Z",
            "2999-12-31T23:59:59Z",
            "99999-01-01T00:00:00Z",
            "0000-00-00T00:00:00",
            "soon",
        ];
        let odd = times.iter().enumerate().map(|(i, at)| json!({"@odata.id": format!("{entries}/x{i}"), "Id": format!("x{i}"), "Created": at, "Message": "odd"}));
        let all: Vec<Value> = (1..=2)
            .map(|i| tree[&format!("{entries}/{i}")].clone())
            .chain(odd)
            .collect();
        tree.get_mut(&entries).unwrap()["Members"] = all.into();
        let mut service = Service::new(tree);
        service.headers = date;
        let (url, _) = service.serve().await;
        let bmc = open(&url, Mode::Observe);
        let found = bmc.discover().await.unwrap();
        whole_but(&found, 0, date);
        let log = bmc
            .log_entries(&common::address(&url, &found.systems[0]), 50)
            .await
            .unwrap();
        assert_eq!(log.len(), 7, "{log:?}");
        let dated: Vec<&str> = log.iter().filter(|e| e.at.is_some()).map(|e| e.id.as_str()).collect();
        assert_eq!(dated, ["x1", "2", "1"], "a clock that was never set gives no time");
    }
}

#[tokio::test]
async fn an_event_stream_of_rubbish_ends_or_goes_on_and_what_is_good_in_it_is_read() {
    let good =
        b"id: 9\ndata: {\"Events\": [{\"MessageId\": \"A.1.B\", \"EventTimestamp\": \"1970-01-01T00:00:00Z\"}]}\n\n";
    let chunk = [
        b"\xff\xfe\0data: {\"Events\": 7}\n\ndata: [[[[\n\nretry: 99999999999999999999\n\n".as_slice(),
        good,
    ]
    .concat();
    let service = Service::new(healthy()).with(
        "/redfish/v1/EventService/SSE",
        Wrong::Endless("200 OK\r\nContent-Type: text/event-stream", chunk),
    );
    let (url, _) = service.serve().await;
    let mut events = open(&url, Mode::Observe).events(Some("8\r\nX-Evil: 1")).await.unwrap();
    for _ in 0..50 {
        let event = events.next().await.unwrap();
        assert_eq!(
            (event.id.as_deref(), event.message_id.as_deref()),
            (Some("9"), Some("A.1.B"))
        );
    }
    let page = Wrong::Answer("200 OK\r\nContent-Type: text/html", b"<html>Login</html>\n\n".to_vec());
    let (url, _) = Service::new(healthy())
        .with("/redfish/v1/EventService/SSE", page)
        .serve()
        .await;
    let mut events = open(&url, Mode::Observe).events(None).await.unwrap();
    let next = tokio::time::timeout(Duration::from_secs(5), events.next()).await;
    assert_eq!(next, Ok(None));
}
