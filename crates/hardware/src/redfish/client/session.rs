//! Who the client is to its service: user and password in each request, or a session; and the brakes that keep a BMC from
//! locking an account, or from running out of sessions, because of us.

use std::sync::PoisonError;
use std::time::Duration;

use base64::Engine as _;
use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderValue, Method};
use serde_json::json;
use tokio::time::Instant;

use super::{Client, JSON, is_root};
use crate::error::Error;
use crate::permit::{Credential, Mode};
use crate::transport::Limits;

/// After user and password were refused, nothing is asked for so long: BMCs lock accounts that fail too often.
pub const LOCKOUT_PAUSE: Duration = Duration::from_secs(60);
/// Refusals in a row after which a password that was good once counts as wrong: BMCs lock accounts after three to five.
pub const REFUSALS: u32 = 3;
/// After a new session did not help, or was not to be had, none is made for so long: most BMCs have four to sixteen, and
/// keep each for half an hour.
pub const SESSION_PAUSE: Duration = Duration::from_secs(60);
/// Tries of one request: many are under way at one time, so the session of the second may be over as well.
pub const ROUNDS: u32 = 4;
/// Where sessions are made (DSP0266 §13.3.4.2).
const SESSIONS: &str = "/redfish/v1/SessionService/Sessions";

#[derive(Clone)]
pub(super) enum Session {
    Unknown,
    Token { token: HeaderValue, uri: Option<String> },
    Basic,
}

/// What is remembered of refusals.
#[derive(Default)]
pub(super) struct Brakes {
    /// User and password were good once.
    known: bool,
    /// Refusals of user and password since they were good.
    refused: u32,
    /// Nothing is asked before.
    locked_until: Option<Instant>,
    /// No session is made before.
    no_session_until: Option<Instant>,
}

fn ahead(until: Option<Instant>) -> bool {
    until.is_some_and(|t| Instant::now() < t)
}

impl Client {
    /// What it logs in with; for what a service offers beside HTTP.
    pub fn credential(&self) -> Credential {
        self.credential.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The user it logs in as.
    pub fn user(&self) -> String {
        self.credential().user.clone()
    }

    /// Logs in with another password from now on; answers with the one before. Sessions of the old one go on where the
    /// service lets them, and are not relied on.
    pub fn use_password(&self, new: &str) -> String {
        let mut credential = self.credential.lock().unwrap_or_else(PoisonError::into_inner);
        let old = std::mem::replace(&mut credential.password, new.to_owned());
        drop(credential);
        let known = self.brakes().known;
        *self.brakes() = Brakes {
            known,
            ..Brakes::default()
        };
        if let Ok(mut session) = self.session.try_lock() {
            *session = Session::Unknown;
        }
        old
    }

    fn brakes(&self) -> std::sync::MutexGuard<'_, Brakes> {
        self.brakes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// User and password are good.
    pub(super) fn accepted(&self) {
        let mut brakes = self.brakes();
        brakes.known = true;
        brakes.refused = 0;
    }

    /// A request was refused for good. By a session that was just made it says nothing of the password, which made it, and
    /// the next session would not help either; otherwise it counts, and at [`REFUSALS`] nothing is asked for a while. A
    /// password that never was good has one try only.
    pub(super) fn refused(&self, by_session: bool) {
        let mut brakes = self.brakes();
        if by_session {
            if !ahead(brakes.no_session_until) {
                brakes.no_session_until = Some(Instant::now() + SESSION_PAUSE);
            }
        } else {
            brakes.refused = brakes.refused.saturating_add(1);
        }
        if !brakes.known || brakes.refused >= REFUSALS {
            brakes.locked_until = Some(Instant::now() + LOCKOUT_PAUSE);
        }
    }

    /// Whether user and password were ever accepted.
    pub(super) fn is_known(&self) -> bool {
        self.brakes().known
    }

    /// Whether it is worth trying again after a session was refused: another was made since, or `may_end` it, and it is
    /// forgotten.
    pub(super) async fn renew(&self, used: &HeaderValue, may_end: bool) -> bool {
        let mut session = self.session.lock().await;
        match &*session {
            Session::Token { token, .. } if token == used => {
                if !may_end || ahead(self.brakes().no_session_until) {
                    return false;
                }
                *session = Session::Unknown;
                true
            }
            _ => true,
        }
    }

    /// Adds user and password, or the token of a session, which is returned.
    pub(super) async fn authorize(
        &self,
        request: &mut http::Request<Bytes>,
        path: &str,
    ) -> Result<Option<HeaderValue>, Error> {
        if ahead(self.brakes().locked_until) {
            return Err(Error::Unauthorized {
                address: self.line.url().to_owned(),
                path: path.into(),
            });
        }
        if self.line.mode() == Mode::Act && !is_root(path) {
            let mut session = self.session.lock().await;
            if matches!(*session, Session::Unknown) && !ahead(self.brakes().no_session_until) {
                *session = self.login().await?;
            }
            if let Session::Token { token, .. } = &*session {
                request.headers_mut().insert("X-Auth-Token", token.clone());
                return Ok(Some(token.clone()));
            }
        }
        request.headers_mut().insert(AUTHORIZATION, self.basic());
        Ok(None)
    }

    fn basic(&self) -> HeaderValue {
        let credential = self.credential();
        let pair = format!("{}:{}", credential.user, credential.password);
        let text = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair));
        let mut value = HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("Basic"));
        value.set_sensitive(true);
        value
    }

    /// Makes a session (DSP0266 §13.3.4). A service without sessions, or with none left, is spoken to with user and
    /// password in each request.
    async fn login(&self) -> Result<Session, Error> {
        let credential = self.credential();
        let body = json!({"UserName": credential.user, "Password": credential.password});
        let request = self.request(Method::POST, SESSIONS, JSON, body.to_string().into())?;
        match self.send(request, SESSIONS).await {
            Ok(answer) => {
                let Some(mut token) = answer.headers.get("X-Auth-Token").cloned() else {
                    return Ok(Session::Basic);
                };
                token.set_sensitive(true);
                Ok(Session::Token {
                    token,
                    uri: answer.location(),
                })
            }
            // A refused login may be a service with basic authentication only: the request itself will tell.
            Err(Error::Rejected { .. } | Error::Broken { .. } | Error::Unauthorized { .. }) => Ok(Session::Basic),
            // No session is left (`SessionLimitExceeded` is a 503, DSP0268 Base registry), or it is really busy, as the
            // request itself will tell.
            Err(Error::Busy { .. }) => {
                self.brakes().no_session_until = Some(Instant::now() + SESSION_PAUSE);
                Ok(Session::Unknown)
            }
            Err(e) => Err(e),
        }
    }
}

impl Drop for Client {
    /// Gives the session back, best effort: most BMCs have four to sixteen.
    fn drop(&mut self) {
        let Session::Token { token, uri: Some(uri) } = self.session.get_mut().clone() else {
            return;
        };
        let (Ok(runtime), Mode::Act) = (tokio::runtime::Handle::try_current(), self.line.mode()) else {
            return;
        };
        let Ok(mut request) = self.request(Method::DELETE, &uri, JSON, Bytes::new()) else {
            return;
        };
        request.headers_mut().insert("X-Auth-Token", token);
        let transport = self.transport.clone();
        runtime.spawn(async move {
            let limits = Limits {
                timeout: Duration::from_secs(5),
                body: 1 << 16,
            };
            let _ = transport.send(request, limits).await;
        });
    }
}
