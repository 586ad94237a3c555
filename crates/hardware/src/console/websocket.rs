//! A console behind a WebSocket (RFC 6455), on a connection that was upgraded already: bytes in binary or text messages.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::{client::generate_key, derive_accept_key};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::ssh::CLOSED;
use super::{Ends, Why, pair};
use crate::capability::ConsoleStream;
use crate::transport::Upgraded;

/// Largest message: a BMC that replays its whole log in one sends 128 KiB.
const MESSAGE: usize = 1 << 20;
/// Bytes that wait to be written.
const WRITE: usize = 1 << 20;
/// Silence after which the BMC is asked for a sign of life.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// Silence after which the BMC is gone.
const GONE: Duration = Duration::from_secs(95);

/// A key for the request, and what the answer must show for it (RFC 6455 §4.1).
pub fn key() -> (String, String) {
    let key = generate_key();
    let accept = derive_accept_key(key.as_bytes());
    (key, accept)
}

/// The console on an upgraded connection. Without `interactive`, what is typed is dropped.
pub async fn open(io: Upgraded, interactive: bool, why: Why) -> ConsoleStream {
    let mut config = WebSocketConfig::default();
    config.max_message_size = Some(MESSAGE);
    config.max_frame_size = Some(MESSAGE);
    config.max_write_buffer_size = WRITE;
    let socket = WebSocketStream::from_raw_socket(io, Role::Client, Some(config)).await;
    let (stream, ends) = pair();
    why.clear();
    tokio::spawn(async move {
        // The reason is there before the end is seen.
        let mut ends = ends;
        let end = pump(socket, &mut ends, interactive).await;
        why.set(end);
    });
    stream
}

async fn pump(mut socket: WebSocketStream<Upgraded>, ends: &mut Ends, interactive: bool) -> String {
    let mut pending: Option<Bytes> = None;
    let (mut heard, mut next) = (tokio::time::Instant::now(), tokio::time::Instant::now() + KEEPALIVE);
    let lost = |e: Error| format!("the connection to the BMC was lost: {e}");
    loop {
        tokio::select! {
            message = socket.next(), if pending.is_none() => {
                heard = tokio::time::Instant::now();
                match message {
                    Some(Ok(Message::Binary(bytes))) => pending = Some(bytes),
                    Some(Ok(Message::Text(text))) => pending = Some(text.into()),
                    Some(Ok(Message::Close(frame))) => {
                        let said = frame.map(|f| f.reason.to_string()).filter(|r| !r.is_empty());
                        let said = said.map(|r| format!(": {}", plain(&r))).unwrap_or_default();
                        return format!("the BMC closed it{said}");
                    }
                    Some(Ok(_)) => {}
                    Some(Err(e)) => return lost(e),
                    None => return "the BMC closed it".into(),
                }
            },
            room = ends.output.reserve(), if pending.is_some() => match room {
                Ok(room) => {
                    heard = tokio::time::Instant::now();
                    room.send(pending.take().unwrap_or_default());
                }
                Err(_) => break,
            },
            typed = ends.input.recv() => match typed {
                Some(bytes) if interactive => if let Err(e) = socket.send(Message::Binary(bytes)).await {
                    return lost(e);
                },
                Some(_) => {}
                None => break,
            },
            () = tokio::time::sleep_until(next) => {
                next += KEEPALIVE;
                if heard.elapsed() > GONE && pending.is_none() {
                    return format!("the BMC said nothing for {} s, not even when asked", GONE.as_secs());
                }
                if let Err(e) = socket.send(Message::Ping(Bytes::new())).await {
                    return lost(e);
                }
            }
        }
    }
    let _ = tokio::time::timeout(Duration::from_secs(2), socket.close(None)).await;
    CLOSED.into()
}

/// A reason in words without control characters.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(120).collect()
}
