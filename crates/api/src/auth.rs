//! Who asks: the bearer token or the browser's session, and the role that a route needs.

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use control::House;
use control::secrets::fingerprint;
use rack::request::{Role, Who};

use crate::problem::Problem;
use crate::session::{self, LoggedIn, Proof, Sessions};

/// Who bears the request's token, else whose session its cookie is of.
pub fn asks(parts: &Parts, house: &House) -> Result<LoggedIn, Problem> {
    let missing = |what: &str| Problem::new("BB0201", what).hint("busbar token show-context --link");
    let Some(sent) = parts.headers.get(header::AUTHORIZATION) else {
        let none = || missing("the request bears no token");
        let sessions = parts.extensions.get::<Sessions>().ok_or_else(none)?;
        let secret = sessions.cookie(&parts.headers).ok_or_else(none)?;
        session::must_be_meant(&parts.method, &parts.headers)?;
        return sessions
            .who(house, secret)
            .ok_or_else(|| missing("the session has ended"));
    };
    let (scheme, token) = sent
        .to_str()
        .ok()
        .and_then(|s| s.split_once(' '))
        .ok_or_else(|| missing("the request bears no token"))?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(missing("the request bears no token"));
    }
    let mark = fingerprint(token.trim());
    let who = house
        .who_is(&mark)
        .ok_or_else(|| missing("the token is not known here"))?;
    Ok(LoggedIn {
        who,
        expires: None,
        proof: Proof::Token(mark),
    })
}

/// Who asks, when its role is enough.
pub fn bearer(parts: &Parts, house: &House, needs: Role) -> Result<Who, Problem> {
    let who = asks(parts, house)?.who;
    if who.role < needs {
        let what = format!("`{}` is a {:?}, this needs {needs:?}", who.name, who.role).to_lowercase();
        return Err(Problem::new("BB0202", what).hint("busbar token make NAME --role ROLE"));
    }
    Ok(who)
}

macro_rules! role {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        // Who only looks is not asked for a name.
        #[allow(dead_code)]
        pub struct $name(pub Who);

        impl FromRequestParts<House> for $name {
            type Rejection = Problem;

            async fn from_request_parts(parts: &mut Parts, house: &House) -> Result<Self, Problem> {
                bearer(parts, house, Role::$name).map($name)
            }
        }
    };
}

role!(
    /// May look.
    Reader
);
role!(
    /// May run machines.
    Operator
);
role!(
    /// May do everything.
    Admin
);

/// Anyone who is known here, and until when.
pub struct Anyone(pub LoggedIn);

impl FromRequestParts<House> for Anyone {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, house: &House) -> Result<Self, Problem> {
        asks(parts, house).map(Anyone)
    }
}
