//! A server that does everything wrong, over real loopback sockets: each wrong ends in a clear, bounded error.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use bytes::Bytes;
use common::bmc;
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
