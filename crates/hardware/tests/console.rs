//! Serial consoles against real peers: OpenSSH's `sshd`, and a WebSocket server that is not ours to speak for.
//!
//! `BUSBAR_SSHD=user:password@127.0.0.1:2299` names an sshd to log in to with a password, whose shell echoes what is typed;
//! without it that test is skipped, out loud.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use hardware::capability::ConsoleStream;
use hardware::console::ssh::{self, HostKey, Target};
use hardware::console::{Why, websocket};
use hardware::{Credential, Error};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

/// Only ends what hangs.
const PATIENCE: Duration = Duration::from_secs(60);

async fn until(console: &mut ConsoleStream, wanted: &str) -> String {
    let mut seen = Vec::new();
    let read = async {
        while let Some(piece) = console.output.next().await {
            seen.extend_from_slice(&piece);
            if String::from_utf8_lossy(&seen).contains(wanted) {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, read).await.unwrap();
    let text = String::from_utf8_lossy(&seen).into_owned();
    assert!(text.contains(wanted), "{text:?}");
    text
}

fn sshd() -> Option<(Target, Credential)> {
    let Ok(told) = std::env::var("BUSBAR_SSHD") else {
        eprintln!("SKIPPED: BUSBAR_SSHD=user:password@address:port names no sshd");
        return None;
    };
    let (login, at) = told.rsplit_once('@').unwrap();
    let (user, password) = login.split_once(':').unwrap();
    let (host, port) = at.rsplit_once(':').unwrap();
    let target = Target {
        host: host.into(),
        port: port.parse().unwrap(),
        entry: None,
    };
    Some((
        target,
        Credential {
            user: user.into(),
            password: password.into(),
        },
    ))
}

#[tokio::test]
async fn a_console_behind_openssh_echoes_pins_its_key_and_says_why_it_ended() {
    let Some((mut target, credential)) = sshd() else { return };
    let (key, why) = (Arc::new(HostKey::default()), Why::default());
    target.entry = Some("echo entered-$((40+2))".into());
    let mut console = ssh::open(&target, &credential, key.clone(), why.clone()).await.unwrap();
    until(&mut console, "entered-42").await;
    console
        .input
        .send(Bytes::from_static(b"echo typed-$((40+3))\r"))
        .await
        .unwrap();
    until(&mut console, "typed-43").await;
    console.input.send(Bytes::from_static(b"exit 7\r")).await.unwrap();
    let rest = async { while console.output.next().await.is_some() {} };
    tokio::time::timeout(PATIENCE, rest).await.unwrap();
    let pinned = key.expected().unwrap();
    assert!(pinned.starts_with("SHA256:"), "{pinned}");
    assert!(why.get().is_some());

    let again = ssh::open(&target, &credential, key.clone(), why.clone()).await;
    assert!(again.is_ok(), "the same key is taken again");
    key.expect(Some("SHA256:another"));
    let refused = ssh::open(&target, &credential, key, why.clone()).await.err().unwrap();
    assert!(
        matches!(refused, Error::HostKeyChanged { ref seen, .. } if *seen == pinned),
        "{refused}"
    );

    let wrong = Credential {
        user: credential.user.clone(),
        password: "wrong".into(),
    };
    let key = Arc::new(HostKey::default());
    let refused = ssh::open(&target, &wrong, key.clone(), why).await.err().unwrap();
    assert!(matches!(refused, Error::Unauthorized { .. }), "{refused}");
    assert_eq!(key.expected(), None, "a failed login teaches no key");
}

#[tokio::test]
async fn endless_garbage_is_carried_and_the_console_can_be_closed_in_the_middle() {
    let Some((target, credential)) = sshd() else { return };
    let key = Arc::new(HostKey::default());
    let mut console = ssh::open(&target, &credential, key, Why::default()).await.unwrap();
    console
        .input
        .send(Bytes::from_static(b"cat /dev/urandom\r"))
        .await
        .unwrap();
    let mut read = 0;
    while read < 4 << 20 {
        read += tokio::time::timeout(PATIENCE, console.output.next())
            .await
            .unwrap()
            .unwrap()
            .len();
    }
    drop(console);
}

#[tokio::test]
async fn a_websocket_carries_any_bytes_both_ways_and_tells_the_reason_of_its_end() {
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let why = Why::default();
    let mut peer = WebSocketStream::from_raw_socket(theirs, Role::Server, None).await;
    let mut console = websocket::open(Box::new(ours), true, why.clone()).await;
    let garbage = Bytes::from_static(b"\x1b[2J\x00\xff\xfe login: ");
    peer.send(Message::Binary(garbage.clone())).await.unwrap();
    assert_eq!(console.output.next().await.unwrap(), garbage);
    peer.send(Message::text("text too")).await.unwrap();
    assert_eq!(console.output.next().await.unwrap(), "text too");
    console.input.send(Bytes::from_static(b"root\r")).await.unwrap();
    assert_eq!(
        peer.next().await.unwrap().unwrap(),
        Message::Binary(Bytes::from_static(b"root\r"))
    );
    peer.close(None).await.unwrap();
    assert!(console.output.next().await.is_none());
    assert_eq!(why.get().as_deref(), Some("the BMC closed it"));
}
