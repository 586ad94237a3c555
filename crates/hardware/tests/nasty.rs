//! A server that does everything wrong, over real loopback sockets: each wrong ends in a clear, bounded error.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use bytes::Bytes;
use common::bmc;
use common::tree::{Canned, PARTS, SYSTEM, healthy};
use hardware::Driver;
use hardware::transport::{Limits, Transport};
use hardware::{Contact, Error, HttpTransport, Mode, Pin, TransportError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[derive(Clone, Copy)]
enum Wrong {
    Hang,
    Drip,
    Busy,
    Reset,
    BrokenJson,
    Html,
    Huge,
    Endless,
    Redirect,
    Members,
    Password,
}

async fn answer(mut socket: TcpStream, wrong: Wrong) -> std::io::Result<()> {
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(socket.read_u8().await?);
        }
        let text = String::from_utf8_lossy(&head).into_owned();
        let path = text
            .split(' ')
            .nth(1)
            .unwrap_or_default()
            .split('?')
            .next()
            .unwrap_or_default()
            .to_owned();
        let (status, body) = match wrong {
            Wrong::Hang => return std::future::pending().await,
            Wrong::Reset => return Ok(()),
            Wrong::Drip => {
                socket
                    .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
                    .await?;
                loop {
                    socket.write_all(b" ").await?;
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
            Wrong::Huge => {
                socket
                    .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n{")
                    .await?;
                return std::future::pending().await;
            }
            Wrong::Endless => {
                socket
                    .write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                    .await?;
                let chunk = [b"10000\r\n".as_slice(), &[b' '; 65536], b"\r\n"].concat();
                loop {
                    socket.write_all(&chunk).await?;
                }
            }
            Wrong::Busy => ("503 Busy\r\nRetry-After: 3600", String::new()),
            Wrong::Redirect => ("302 Found\r\nLocation: http://127.0.0.1:1/redfish/v1/", String::new()),
            Wrong::BrokenJson => ("200 OK", "{\"Systems\": {\"@odata.id\": ".into()),
            Wrong::Html => ("200 OK\r\nContent-Type: text/html", "<html>Welcome</html>".into()),
            Wrong::Password => ("401 Unauthorized", "{}".into()),
            Wrong::Members if path.ends_with("/v1/") => (
                "200 OK",
                "{\"Systems\": {\"@odata.id\": \"/redfish/v1/Systems\"}, \"Name\": \"x\"}".into(),
            ),
            Wrong::Members if path == "/redfish/v1/Systems" => {
                let members: Vec<String> = (0..1_000_000)
                    .map(|i| format!("{{\"@odata.id\":\"/redfish/v1/Systems/{i}\"}}"))
                    .collect();
                // A million whole links pass the body bound; a third of them fits.
                ("200 OK", format!("{{\"Members\": [{}]}}", members[..300_000].join(",")))
            }
            Wrong::Members => ("404 Not Found", "{}".into()),
        };
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len());
        socket.write_all(head.as_bytes()).await?;
        socket.write_all(body.as_bytes()).await?;
    }
}

async fn serve(wrong: Wrong) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(answer(socket, wrong));
        }
    });
    url
}

async fn discover(wrong: Wrong) -> Error {
    let url = serve(wrong).await;
    let bmc = bmc(&url, HttpTransport::new(Pin::Learn).unwrap(), Mode::Observe);
    let error = bmc.discover().await.expect_err("nothing can be found there");
    assert!(error.to_string().contains(&url), "the error names the address: {error}");
    error
}

#[tokio::test]
async fn each_wrong_answer_is_a_clear_error() {
    assert!(matches!(discover(Wrong::Busy).await, Error::Busy { retry_after: Some(d), .. } if d.as_secs() == 3600));
    assert!(matches!(discover(Wrong::Reset).await, Error::Unreachable { .. }));
    assert!(matches!(discover(Wrong::BrokenJson).await, Error::Broken { .. }));
    assert!(matches!(discover(Wrong::Html).await, Error::Broken { .. }));
    assert!(matches!(discover(Wrong::Huge).await, Error::TooLarge { .. }));
    assert!(matches!(discover(Wrong::Endless).await, Error::TooLarge { .. }));
    assert!(matches!(discover(Wrong::Redirect).await, Error::Broken { .. }));
}

#[tokio::test]
async fn hanging_and_dripping_servers_are_cut_off_in_time() {
    for wrong in [Wrong::Hang, Wrong::Drip] {
        let url = serve(wrong).await;
        let request = http::Request::get(format!("{url}/redfish/v1/"))
            .body(Bytes::new())
            .unwrap();
        let limits = Limits {
            timeout: Duration::from_millis(300),
            body: 1 << 20,
        };
        let result = HttpTransport::new(Pin::Learn).unwrap().send(request, limits).await;
        assert_eq!(result.expect_err("it never answers"), TransportError::Timeout);
    }
}

#[tokio::test]
async fn a_wrong_password_is_tried_once_and_not_until_the_account_is_locked() {
    let url = serve(Wrong::Password).await;
    let bmc = bmc(&url, HttpTransport::new(Pin::Learn).unwrap(), Mode::Observe);
    for _ in 0..10 {
        assert!(matches!(bmc.discover().await, Err(Error::Unauthorized { .. })));
    }
    assert_eq!(bmc.requests(), 1);
}

#[tokio::test]
async fn a_flood_of_members_is_cut_and_said_so() {
    let url = serve(Wrong::Members).await;
    let bmc = bmc(&url, HttpTransport::new(Pin::Learn).unwrap(), Mode::Observe);
    let found = bmc.discover().await.unwrap();
    assert!(found.requests < 600, "{}", found.requests);
    assert!(found.problems.iter().any(|p| p.what.contains("more than")));
}

#[tokio::test]
async fn a_dead_address_becomes_silent_and_is_not_pressed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let bmc = bmc(&url, HttpTransport::new(Pin::Learn).unwrap(), Mode::Observe);
    assert!(bmc.discover().await.is_err());
    assert!(matches!(bmc.contact(), Contact::Silent { .. }));
    let before = bmc.requests();
    assert!(bmc.discover().await.is_err());
    assert_eq!(bmc.requests(), before, "the breaker is open");
}

#[tokio::test(start_paused = true)]
async fn resources_that_never_answer_cost_minutes_and_nothing_but_themselves() {
    let mut service = Canned::of(&healthy());
    let lost = ["Memory/dimm1", "Memory/dimm4", "Storage/s/Drives/d2"];
    service.hanging.extend(lost.iter().map(|p| format!("{SYSTEM}/{p}")));
    let metrics = "/redfish/v1/PowerEquipment/RackPDUs/1/Metrics";
    service.hanging.insert(metrics.into());
    let bmc = bmc("https://bmc.test", service, Mode::Observe);
    let start = tokio::time::Instant::now();
    let found = bmc.discover().await.unwrap();
    assert_eq!(found.systems[0].parts.len(), PARTS - lost.len(), "{:?}", found.problems);
    assert_eq!(found.devices[0].outlets.len(), 2);
    assert_eq!(found.problems.len(), lost.len() + 1);
    assert!(
        found.problems.iter().all(|p| p.what.contains("did not answer")),
        "{:?}",
        found.problems
    );
    // Each is tried three times for 30 s.
    assert!(start.elapsed() < Duration::from_secs(4 * 95), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_service_of_which_nothing_but_the_root_answers_is_given_up() {
    let mut service = Canned::of(&healthy());
    let all: Vec<String> = service
        .texts
        .keys()
        .filter(|p| p.as_str() != "/redfish/v1")
        .cloned()
        .collect();
    service.hanging.extend(all);
    let bmc = bmc("https://bmc.test", service, Mode::Observe);
    let start = tokio::time::Instant::now();
    assert!(matches!(bmc.discover().await, Err(Error::Timeout { .. })));
    assert!(start.elapsed() < Duration::from_secs(100), "{:?}", start.elapsed());
    assert!(bmc.requests() < 8, "{}", bmc.requests());
}

#[tokio::test(start_paused = true)]
async fn an_inventory_has_an_end_in_time_and_in_memory() {
    // Members without end, each of which hangs: the time is up at last.
    let mut service = Canned::of(&healthy());
    let memory = format!("{SYSTEM}/Memory");
    let links: Vec<String> = (0..400)
        .map(|i| format!("{{\"@odata.id\": \"{memory}/{i}\"}}"))
        .collect();
    let collection = format!("{{\"Members\": [{}]}}", links.join(",")).into_bytes();
    service.texts.insert(memory.clone(), collection.clone());
    service.hanging.extend((0..400).map(|i| format!("{memory}/{i}")));
    let slow = bmc("https://bmc.test", service, Mode::Observe);
    let start = tokio::time::Instant::now();
    let found = slow.discover().await.unwrap();
    assert!(
        found
            .problems
            .iter()
            .any(|p| p.what.contains("the time for one inventory was up"))
    );
    assert!(
        start.elapsed() < Duration::from_secs(600 + 16 * 105),
        "{:?}",
        start.elapsed()
    );
    assert!(found.problems.len() <= 200 && found.requests < 1_000);

    // Small text that is large in memory, many times.
    let mut service = Canned::of(&healthy());
    service.texts.insert(memory.clone(), collection);
    let swelling = format!(
        "{{\"CapacityMiB\": 1024, \"x\": [{}{{}}]}}",
        "{\"\":{\"\":0}},".repeat(16_000)
    );
    for i in 0..400 {
        service
            .texts
            .insert(format!("{memory}/{i}"), swelling.clone().into_bytes());
    }
    let found = bmc("https://bmc.test", service, Mode::Observe)
        .discover()
        .await
        .unwrap();
    assert!(
        found
            .problems
            .iter()
            .any(|p| p.what.contains("larger than anything sensible")),
        "{:?}",
        found.problems
    );
    let modules = found.systems[0]
        .parts
        .iter()
        .filter(|p| matches!(p.kind, rack::PartKind::Memory { .. }))
        .count();
    assert!((2..100).contains(&modules), "{modules}");
}
