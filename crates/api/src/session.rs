//! Browsers log in once, by a link that holds a token, and then show a cookie. A session is a random secret of which the
//! fingerprint is kept, bound to the token that it was made with: it dies with it, with a logout, and after twelve hours. It
//! outlives the daemon: sessions are read when it starts, and written when one is opened or ended.
//!
//! The cookie is sent by the browser whoever wrote the page, so it is no proof that the user meant a request. What changes
//! anything must bear a header that no page of another origin can send without being asked first (Fetch §3.2, CORS
//! preflight), and an `Origin`, when sent, that is our own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::header::{COOKIE, HOST, LOCATION, ORIGIN, SET_COOKIE};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::IntoResponse;
use control::secrets::fingerprint;
use control::sessions::StoredSession;
use control::{House, HouseError};
use rack::Time;
use rack::request::Who;
use serde::Deserialize;

use crate::extract::Query;
use crate::problem::Problem;

/// How long a session lasts.
const LASTS: Duration = Duration::from_secs(12 * 3600);
/// Sessions at once; the oldest goes when there is one more. Who can make one can do all that its token may.
const MOST: usize = 1024;
/// What only a page of our own can send with a request that its user did not see.
const PROOF: (&str, &str) = ("x-busbar", "console");

/// What someone was recognised by, for answers that go on for long.
#[derive(Clone)]
pub enum Proof {
    /// The fingerprint of a token.
    Token(String),
    /// The secret of a session.
    Session(Sessions, String),
}

impl Proof {
    /// Whether it is still good.
    pub fn holds(&self, house: &House) -> bool {
        match self {
            Proof::Token(mark) => house.who_is(mark).is_some(),
            Proof::Session(sessions, secret) => sessions.who(house, secret).is_some(),
        }
    }
}

/// Who asks.
#[derive(Clone)]
pub struct LoggedIn {
    /// The bearer of the token.
    pub who: Who,
    /// When the session ends; a token does not.
    pub expires: Option<Time>,
    /// What they were recognised by.
    pub proof: Proof,
}

/// Every session of one daemon.
#[derive(Clone)]
pub struct Sessions {
    /// The cookie's name. Cookies know no ports (RFC 6265 §8.5): two daemons on one host would log each other's users out.
    cookie: Arc<str>,
    all: Arc<Mutex<All>>,
}

#[derive(Default)]
struct All {
    /// By the fingerprint of the secret.
    live: HashMap<String, StoredSession>,
    /// Those that have ended and are in the store still.
    gone: Vec<String>,
}

impl All {
    fn end(&mut self, mark: &str) {
        if self.live.remove(mark).is_some() {
            self.gone.push(mark.to_owned());
        }
    }

    /// Ends those that are too old, and of the rest the oldest until there is room for one more.
    fn make_room(&mut self, now: Time, most: usize) {
        let old = |(mark, s): (&String, &StoredSession)| (!now.within(s.made, LASTS)).then(|| mark.clone());
        let old: Vec<String> = self.live.iter().filter_map(old).collect();
        old.iter().for_each(|mark| self.end(mark));
        while self.live.len() >= most
            && let Some(oldest) = self
                .live
                .iter()
                .min_by_key(|(_, s)| s.made)
                .map(|(mark, _)| mark.clone())
        {
            self.end(&oldest);
        }
    }
}

impl Sessions {
    /// Those of the daemon that listens at `port`, as they were when it was last up.
    pub async fn at(house: &House, port: u16) -> Sessions {
        let mut all = All::default();
        let kept = house.kept_sessions().await.unwrap_or_else(|error| {
            tracing::warn!(%error, "browsers have to log in again: their sessions can't be read");
            Vec::new()
        });
        // those that are over end when they are shown, or when there is one more
        for (mark, session) in kept {
            match session {
                Some(session) => drop(all.live.insert(mark, session)),
                None => all.gone.push(mark),
            }
        }
        Sessions {
            cookie: format!("busbar-{port}").into(),
            all: Arc::new(Mutex::new(all)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, All> {
        // what a panic elsewhere leaves is whole: an entry is added or removed at once
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Logs in by a token: the session's secret, or nothing when the token is not known.
    pub async fn open(&self, house: &House, token: &str) -> Option<String> {
        self.open_at_most(house, token, MOST).await
    }

    /// The same with another bound.
    pub async fn open_at_most(&self, house: &House, token: &str, most: usize) -> Option<String> {
        let token = fingerprint(token);
        house.who_is(&token)?;
        let (secret, made) = (house.new_secret(), house.now());
        let (mark, session) = (fingerprint(&secret), StoredSession { token, made });
        {
            let mut all = self.lock();
            all.make_room(made, most);
            all.live.insert(mark.clone(), session.clone());
        }
        // a full disk keeps nobody from looking what is wrong
        if let Err(error) = self.write(house, Some((&mark, &session))).await {
            tracing::warn!(%error, "a browser's session is not kept over a restart");
        }
        Some(secret)
    }

    /// Writes what has changed.
    async fn write(&self, house: &House, new: Option<(&str, &StoredSession)>) -> Result<(), store::Error> {
        let gone = self.lock().gone.clone();
        if new.is_none() && gone.is_empty() {
            return Ok(());
        }
        house.keep_sessions(new, &gone).await?;
        self.lock().gone.retain(|mark| !gone.contains(mark));
        Ok(())
    }

    /// Who this secret stands for, as long as its session and its token live.
    pub fn who(&self, house: &House, secret: &str) -> Option<LoggedIn> {
        let mark = fingerprint(secret);
        let mut all = self.lock();
        let session = all.live.get(&mark)?;
        let lasts = house.now().within(session.made, LASTS);
        let who = house.who_is(&session.token).filter(|_| lasts);
        let expires = Some(session.made + LASTS);
        if who.is_none() {
            all.end(&mark);
        }
        let proof = || Proof::Session(self.clone(), secret.to_owned());
        who.map(|who| LoggedIn {
            who,
            expires,
            proof: proof(),
        })
    }

    /// Ends a session. After an error it has ended too, but may be back when the daemon starts anew.
    pub async fn close(&self, house: &House, secret: &str) -> Result<(), store::Error> {
        self.lock().end(&fingerprint(secret));
        self.write(house, None).await
    }

    /// The session's secret in a request's cookies (RFC 6265 §4.2.1).
    pub fn cookie<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let all = headers.get_all(COOKIE).into_iter();
        let pairs = all.filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(';'));
        let mut ours = pairs
            .filter_map(|p| p.trim().split_once('='))
            .filter(|(name, _)| *name == &*self.cookie);
        ours.next().map(|(_, value)| value)
    }

    /// The cookie as it is set; without a secret it is taken away.
    fn set(&self, secret: Option<&str>) -> String {
        let (value, age) = secret.map_or(("", 0), |s| (s, LASTS.as_secs()));
        let name = &self.cookie;
        format!("{name}={value}; Path=/; Max-Age={age}; HttpOnly; Secure; SameSite=Strict")
    }
}

/// Refuses what another site may have made a browser send.
pub fn must_be_meant(method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    if method.is_safe() {
        return Ok(());
    }
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    if text(PROOF.0) != Some(PROOF.1) {
        let what = "a request with the console's cookie that changes something needs the header `X-Busbar: console`";
        return Err(Problem::new("BB0203", what));
    }
    // an origin that can't be read is not ours
    let Some(origin) = headers.get(ORIGIN) else {
        return Ok(());
    };
    let host = origin
        .to_str()
        .ok()
        .and_then(|o| o.split_once("://"))
        .map(|(_, host)| host);
    if host.is_none() || host != text(HOST.as_str()) {
        return Err(Problem::new(
            "BB0203",
            "the request comes from a page of another origin",
        ));
    }
    Ok(())
}

/// The link that logs in.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    token: String,
}

/// Logs a browser in and takes the token out of its address bar.
pub async fn login(
    State(house): State<House>,
    Extension(sessions): Extension<Sessions>,
    Query(link): Query<Link>,
) -> Result<impl IntoResponse, Problem> {
    let secret = sessions.open(&house, &link.token).await.ok_or_else(|| {
        Problem::new(
            "BB0201",
            "the token in this link is not known here: it may have been revoked",
        )
        .hint("busbar token show-context --link")
    })?;
    Ok((
        StatusCode::SEE_OTHER,
        [(LOCATION, "/".to_owned()), (SET_COOKIE, sessions.set(Some(&secret)))],
    ))
}

/// Ends the session of the cookie, if there is one.
pub async fn logout(
    State(house): State<House>,
    Extension(sessions): Extension<Sessions>,
    method: Method,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Problem> {
    must_be_meant(&method, &headers)?;
    if let Some(secret) = sessions.cookie(&headers) {
        sessions.close(&house, secret).await.map_err(HouseError::from)?;
    }
    Ok((StatusCode::NO_CONTENT, [(SET_COOKIE, sessions.set(None))]))
}
