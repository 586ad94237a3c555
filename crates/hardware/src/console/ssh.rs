//! A console behind SSH, as a client. The host key is pinned at first use, like certificates.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use russh::client::{self, KeyboardInteractiveAuthResponse};
use russh::keys::{HashAlg, PublicKeyOrCertificate};
use russh::{Channel, ChannelMsg, Disconnect, MethodKind};
use tokio::net::TcpStream;

use super::{Ends, Why, pair};
use crate::capability::ConsoleStream;
use crate::error::Error;
use crate::permit::Credential;

/// For connecting, key exchange, login and shell together: slow BMCs take 10 s for the key exchange alone.
const OPENING: Duration = Duration::from_secs(40);
/// After so long without a word the server is asked for a sign of life.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// Rounds of questions at login; PAM asks once.
const ROUNDS: usize = 3;
/// Bytes that the server may send ahead: a console's speed needs no more.
const WINDOW: u32 = 128 * 1024;
/// The command that enters the console is typed once the prompt is there, or after so long.
const PROMPT: Duration = Duration::from_secs(3);
/// The size that a serial line has for firmware and kernels.
const COLUMNS: u32 = 80;
/// See [`COLUMNS`].
const ROWS: u32 = 25;

/// Where the console is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Address or name.
    pub host: String,
    /// 22, 2200 or another.
    pub port: u16,
    /// What is typed into the BMC's command line to get to the console; nothing when the port is the console itself.
    pub entry: Option<String>,
}

/// The SHA-256 of a host key: what to expect, and what was seen.
#[derive(Debug, Default)]
pub struct HostKey(Mutex<(Option<String>, Option<String>)>);

impl HostKey {
    /// Only this one from now on; with nothing, the first that is seen.
    pub fn expect(&self, fingerprint: Option<&str>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0 = fingerprint.map(str::to_owned);
    }

    /// The one that is expected: told, or learnt from a login that went well.
    pub fn expected(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    fn check(&self, seen: &str) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.1 = Some(seen.to_owned());
        state.0.as_deref().is_none_or(|expected| expected == seen)
    }

    /// The changed pair, when the one seen last is not the one expected.
    fn changed(&self) -> Option<(String, String)> {
        match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            (Some(expected), Some(seen)) if expected != seen => Some((expected.clone(), seen.clone())),
            _ => None,
        }
    }

    /// The login went well: the key that was seen is the one.
    fn learn(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.0.is_none() {
            state.0 = state.1.clone();
        }
    }
}

struct Handler(Arc<HostKey>);

impl client::Handler for Handler {
    type Error = russh::Error;

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        Ok(match key {
            PublicKeyOrCertificate::PublicKey { key, .. } => {
                self.0.check(&key.fingerprint(HashAlg::Sha256).to_string())
            }
            // none is asked for
            PublicKeyOrCertificate::Certificate(_) => false,
        })
    }
}

/// Opens the console: logs in with `credential`, asks for a terminal and a shell, and enters the console.
///
/// # Errors
/// [`Error::HostKeyChanged`] for another host key than the pinned one, before any password is sent.
pub async fn open(
    target: &Target,
    credential: &Credential,
    host_key: Arc<HostKey>,
    why: Why,
) -> Result<ConsoleStream, Error> {
    let opened = tokio::time::timeout(OPENING, connect(target, credential, host_key)).await;
    let (session, channel) = opened.map_err(|_| Error::Timeout {
        address: address(target),
        path: "a serial console".into(),
        after: OPENING,
    })??;
    let (stream, ends) = pair();
    why.clear();
    let entry = target.entry.clone();
    tokio::spawn(async move {
        // The reason is there before the end is seen.
        let mut ends = ends;
        let end = pump(channel, &mut ends, entry).await;
        why.set(end);
        drop(ends);
        let _ = session.disconnect(Disconnect::ByApplication, "", "en").await;
    });
    Ok(stream)
}

fn address(target: &Target) -> String {
    format!("ssh://{}:{}", target.host, target.port)
}

async fn connect(
    target: &Target,
    credential: &Credential,
    host_key: Arc<HostKey>,
) -> Result<(client::Handle<Handler>, Channel<client::Msg>), Error> {
    let unreachable = |what: &str, why: &dyn std::fmt::Display| Error::Unreachable {
        address: address(target),
        path: "a serial console".into(),
        why: format!("{what}: {why}"),
    };
    let ip = match target.host.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(ip) => ip,
        Err(_) => crate::resolve::first(&target.host)
            .await
            .map_err(|e| unreachable("resolving", &e))?,
    };
    let socket = TcpStream::connect(SocketAddr::new(ip, target.port))
        .await
        .map_err(|e| unreachable("connecting", &e))?;
    let config = client::Config {
        window_size: WINDOW,
        keepalive_interval: Some(KEEPALIVE),
        nodelay: true,
        preferred: preferred(),
        ..client::Config::default()
    };
    let handler = Handler(Arc::clone(&host_key));
    let mut session = client::connect_stream(Arc::new(config), socket, handler)
        .await
        .map_err(|e| match host_key.changed() {
            Some((expected, seen)) => Error::HostKeyChanged {
                address: address(target),
                expected,
                seen,
            },
            None => unreachable("SSH", &e),
        })?;
    if !login(&mut session, credential)
        .await
        .map_err(|e| unreachable("login", &e))?
    {
        return Err(Error::Unauthorized {
            address: address(target),
            path: "a serial console".into(),
        });
    }
    host_key.learn();
    let mut channel = session
        .channel_open_session()
        .await
        .map_err(|e| unreachable("opening a session", &e))?;
    // A service that has no terminals to give may still have the console.
    channel
        .request_pty(true, "vt100", COLUMNS, ROWS, 0, 0, &[])
        .await
        .map_err(|e| unreachable("asking for a terminal", &e))?;
    let _ = answered(&mut channel).await;
    channel
        .request_shell(true)
        .await
        .map_err(|e| unreachable("asking for the console", &e))?;
    match answered(&mut channel).await {
        Some(true) => Ok((session, channel)),
        Some(false) => Err(Error::Rejected {
            address: address(target),
            path: "a serial console".into(),
            status: 0,
            message: "it lets the user in, and gives it no shell".into(),
        }),
        None => Err(unreachable("asking for the console", &"the connection was closed")),
    }
}

/// What BMCs have: firmware of ten years still speaks only group 14 and AES-CTR, so these stay at the end of the list.
fn preferred() -> russh::Preferred {
    let mut preferred = russh::Preferred::default();
    let mut kex = preferred.kex.into_owned();
    for old in [russh::kex::DH_G14_SHA256, russh::kex::DH_G14_SHA1] {
        if !kex.contains(&old) {
            kex.push(old);
        }
    }
    preferred.kex = Cow::Owned(kex);
    preferred
}

/// The answer to a request; nothing when the connection ends.
async fn answered(channel: &mut Channel<client::Msg>) -> Option<bool> {
    loop {
        match channel.wait().await? {
            ChannelMsg::Success => return Some(true),
            ChannelMsg::Failure => return Some(false),
            ChannelMsg::Close => return None,
            _ => {}
        }
    }
}

/// One try with the password, and one by questions and answers where the server wants it so: BMCs lock accounts.
async fn login(session: &mut client::Handle<Handler>, credential: &Credential) -> Result<bool, russh::Error> {
    let plain = session
        .authenticate_password(&credential.user, &credential.password)
        .await?;
    let asks = match plain {
        client::AuthResult::Success => return Ok(true),
        client::AuthResult::Failure { remaining_methods, .. } => {
            // A server that lists `password` has just refused it; to give it once more would count as another failure.
            remaining_methods.contains(&MethodKind::KeyboardInteractive)
                && !remaining_methods.contains(&MethodKind::Password)
        }
    };
    if !asks {
        return Ok(false);
    }
    let mut answer = session
        .authenticate_keyboard_interactive_start(&credential.user, None::<String>)
        .await?;
    for _ in 0..ROUNDS {
        let prompts = match answer {
            KeyboardInteractiveAuthResponse::Success => return Ok(true),
            KeyboardInteractiveAuthResponse::Failure { .. } => return Ok(false),
            KeyboardInteractiveAuthResponse::InfoRequest { prompts, .. } => prompts,
        };
        // Only what is not shown is a password.
        let reply = prompts.iter().map(|p| {
            if p.echo {
                String::new()
            } else {
                credential.password.clone()
            }
        });
        answer = session
            .authenticate_keyboard_interactive_respond(reply.collect())
            .await?;
    }
    Ok(matches!(answer, KeyboardInteractiveAuthResponse::Success))
}

/// Carries bytes both ways until either side ends; tells why.
async fn pump(mut channel: Channel<client::Msg>, ends: &mut Ends, mut entry: Option<String>) -> String {
    let mut pending: Option<Bytes> = None;
    let enter_at = tokio::time::Instant::now() + PROMPT;
    loop {
        tokio::select! {
            message = channel.wait(), if pending.is_none() => match message {
                Some(ChannelMsg::Data { data } | ChannelMsg::ExtendedData { data, .. }) => {
                    pending = Some(data);
                    if let Some(command) = entry.take()
                        && let Err(e) = channel.data_bytes(Bytes::from(format!("{command}\r"))).await
                    {
                        return format!("the console could not be entered: {e}");
                    }
                }
                Some(ChannelMsg::ExitStatus { exit_status }) => return format!("the BMC's shell ended with {exit_status}"),
                Some(ChannelMsg::Eof | ChannelMsg::Close) => return "the BMC closed it".into(),
                Some(_) => {}
                None => return "the connection to the BMC was lost".into(),
            },
            room = ends.output.reserve(), if pending.is_some() => match room {
                Ok(room) => room.send(pending.take().unwrap_or_default()),
                Err(_) => return CLOSED.into(),
            },
            typed = ends.input.recv() => match typed {
                Some(bytes) => if let Err(e) = channel.data_bytes(bytes).await {
                    return format!("the connection to the BMC was lost: {e}");
                },
                None => return CLOSED.into(),
            },
            () = tokio::time::sleep_until(enter_at), if entry.is_some() => {
                if let Some(command) = entry.take()
                    && let Err(e) = channel.data_bytes(Bytes::from(format!("{command}\r"))).await
                {
                    return format!("the console could not be entered: {e}");
                }
            }
        }
    }
}

/// Why a console ends that was given back.
pub(super) const CLOSED: &str = "closed here";
