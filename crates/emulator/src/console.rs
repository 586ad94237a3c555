//! Serial consoles as BMCs offer them: a WebSocket at [`PATH`], as OpenBMC has it, and SSH on a port of its own, whose user
//! and password are the BMC's. GPU servers offer SSH and the others the WebSocket, so that a rack has both.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use axum::extract::FromRequestParts as _;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::IntoResponse as _;
use bytes::Bytes;
use http::StatusCode;
use http::request::Parts;
use ring::rand::{SecureRandom as _, SystemRandom};
use russh::keys::ssh_key::private::Ed25519Keypair;
use russh::server::{Auth, ChannelOpenHandle, Msg, Session};
use russh::{Channel, ChannelId, MethodKind, MethodSet, Pty};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::sync::broadcast::error::RecvError;

use crate::config::StartError;
use crate::emulated::{Bmc, Emulated};
use crate::redfish::{Answer, error};
use crate::serial::{LISTENERS, Listener};

/// Where the WebSocket is; bmcweb's own path.
pub(crate) const PATH: &str = "/console0";
/// Longest message that is typed.
const MESSAGE: usize = 64 << 10;
/// SSH connections at once, over all BMCs.
const CONNECTIONS: usize = 256;
/// Wrong passwords of one connection.
const ATTEMPTS: usize = 3;

/// The port of SSH, known once it listens.
pub(crate) type Port = OnceLock<u16>;

fn by_ssh(rack: &Emulated, i: usize) -> Option<u16> {
    rack.ssh.get().copied().filter(|_| rack.servers[i].spec.gpus > 0)
}

/// `ComputerSystem.SerialConsole`.
pub(crate) fn offered(rack: &Emulated, i: usize) -> Value {
    match by_ssh(rack, i) {
        Some(port) => json!({
            "MaxConcurrentSessions": LISTENERS,
            "SSH": {"ServiceEnabled": true, "Port": port, "SharedWithManagerCLI": false},
        }),
        None => json!({
            "MaxConcurrentSessions": LISTENERS,
            "WebSocket": {"ServiceEnabled": true, "ConsoleURI": PATH, "Interactive": true},
        }),
    }
}

/// The next piece that a listener is to see; nothing when it is over.
async fn next(listener: &mut Listener) -> Option<Bytes> {
    loop {
        tokio::select! {
            piece = listener.printed.recv() => match piece {
                Ok(piece) => return Some(piece),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            },
            _ = listener.hangup.changed() => return None,
        }
    }
}

/// The WebSocket of a server, for whom the BMC lets in.
pub(crate) async fn websocket(rack: &Arc<Emulated>, i: usize, mut parts: Parts) -> Answer {
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &()).await;
    let upgrade = upgrade.map_err(|e| e.into_response())?;
    let full = || {
        let text = "All sessions of the serial console are taken.";
        error(StatusCode::SERVICE_UNAVAILABLE, "SessionLimitExceeded", text, &[])
    };
    let listener = rack.servers[i].serial.listen().ok_or_else(full)?;
    let rack = Arc::clone(rack);
    let upgrade = upgrade.max_message_size(MESSAGE).max_frame_size(MESSAGE);
    Ok(upgrade.on_upgrade(move |socket| carry(rack, i, socket, listener)))
}

async fn carry(rack: Arc<Emulated>, i: usize, mut socket: WebSocket, mut listener: Listener) {
    loop {
        tokio::select! {
            piece = next(&mut listener) => {
                let Some(piece) = piece else { break };
                if socket.send(Message::Binary(piece)).await.is_err() {
                    return;
                }
            }
            message = socket.recv() => match message {
                Some(Ok(Message::Binary(bytes))) => rack.servers[i].serial.typed(&bytes),
                Some(Ok(Message::Text(text))) => rack.servers[i].serial.typed(text.as_bytes()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => {}
            },
        }
    }
}

/// The SSH host key of all BMCs, kept beside the rack's state like their certificate.
fn host_key(state: Option<&Path>) -> Result<russh::keys::PrivateKey, StartError> {
    let bad = |e: &dyn std::fmt::Display| StartError::Certificate(e.to_string());
    let kept = state.map(|s| s.with_extension("ssh-seed"));
    let known = kept.as_ref().and_then(|path| std::fs::read(path).ok());
    let seed: [u8; 32] = match known.and_then(|bytes| bytes.try_into().ok()) {
        Some(seed) => seed,
        None => {
            let mut seed = [0; 32];
            SystemRandom::new().fill(&mut seed).map_err(|e| bad(&e))?;
            if let Some(path) = kept {
                std::fs::write(path, seed).map_err(|e| bad(&e))?;
            }
            seed
        }
    };
    Ok(Ed25519Keypair::from_seed(&seed).into())
}

/// How the BMCs speak SSH.
pub(crate) fn ssh_config(state: Option<&Path>) -> Result<Arc<russh::server::Config>, StartError> {
    Ok(Arc::new(russh::server::Config {
        methods: MethodSet::from(&[MethodKind::Password][..]),
        keys: vec![host_key(state)?],
        max_auth_attempts: ATTEMPTS,
        // no wait here would slow anything but the rack's own owner down
        auth_rejection_time: std::time::Duration::ZERO,
        nodelay: true,
        ..russh::server::Config::default()
    }))
}

/// Accepts SSH for ever.
pub(crate) async fn serve(listener: TcpListener, config: Arc<russh::server::Config>, rack: Arc<Emulated>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut open = tokio::task::JoinSet::new();
    loop {
        while open.try_join_next().is_some() {}
        let Ok(place) = places.clone().acquire_owned().await else {
            return;
        };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            continue;
        };
        let asked = stream.local_addr().map(|at: SocketAddr| rack.at(at.ip()));
        let Ok(Some(bmc @ Bmc::Server(i))) = asked else {
            continue;
        };
        if by_ssh(&rack, i).is_none() || !rack.answers(bmc) {
            continue;
        }
        let door = Door {
            rack: Arc::clone(&rack),
            i,
            shell: None,
        };
        let config = Arc::clone(&config);
        open.spawn(async move {
            let _place = place;
            if let Ok(session) = russh::server::run_stream(config, stream, door).await {
                // Err: the caller went away
                let _ = session.await;
            }
        });
    }
}

/// One SSH connection to a BMC; its shell is the console.
struct Door {
    rack: Arc<Emulated>,
    i: usize,
    shell: Option<ChannelId>,
}

impl russh::server::Handler for Door {
    type Error = russh::Error;

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, russh::Error> {
        let account = self.rack.servers[self.i].core.login(user, password);
        Ok(match account.is_some_and(|a| a.may(&["Systems", "1"])) {
            true => Auth::Accept,
            false => Auth::reject(),
        })
    }

    async fn channel_open_session(
        &mut self,
        _: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        reply.accept().await;
        Ok(())
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _: &str,
        _: u32,
        _: u32,
        _: u32,
        _: u32,
        _: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        session.channel_success(channel)
    }

    async fn shell_request(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), russh::Error> {
        let listener = self.rack.servers[self.i].serial.listen();
        let Some(mut listener) = listener.filter(|_| self.shell.is_none()) else {
            return session.channel_failure(channel);
        };
        self.shell = Some(channel);
        session.channel_success(channel)?;
        let handle = session.handle();
        self.rack.spawn(async move {
            while let Some(piece) = next(&mut listener).await {
                if handle.data(channel, piece).await.is_err() {
                    return;
                }
            }
            let _ = handle.close(channel).await;
            let goodbye = (String::new(), "en".to_owned());
            let _ = handle
                .disconnect(russh::Disconnect::ByApplication, goodbye.0, goodbye.1)
                .await;
        });
        Ok(())
    }

    async fn data(&mut self, channel: ChannelId, data: &[u8], _: &mut Session) -> Result<(), russh::Error> {
        if self.shell == Some(channel) {
            self.rack.servers[self.i].serial.typed(data);
        }
        Ok(())
    }
}
