//! A rack as one picture that needs no script: for wikis, mails and printers. [`svg`] draws what `plan::elevation`
//! decided; here it is asked for.

mod palette;
mod svg;

use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG};
use axum::http::request::Parts;
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use control::House;
use rack::intent::Face;
use rack::request::Role;
use ring::digest;
use serde::Deserialize;

use crate::auth::bearer;
use crate::elevation::{Look, matches, tag};
use crate::problem::Problem;

/// What of a rack is drawn, and from where.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Picture {
    by: Option<String>,
    at: Option<String>,
    side: Option<Face>,
}

/// `GET /{rack}.svg?by=power&side=front`: for who may look.
pub fn drawing(house: &House, parts: &Parts, rack: &str) -> Result<Response, Problem> {
    bearer(parts, house, Role::Reader)?;
    let picture: Picture = axum::extract::Query::try_from_uri(&parts.uri)
        .map(|q| q.0)
        .map_err(|e| Problem::new("BB0101", e.body_text()))?;
    let side = picture.side.unwrap_or_default();
    let look = Look {
        by: picture.by,
        at: picture.at,
    };
    let drawn = look.draw(house, rack)?;
    // both sides are of one drawing
    let tag = tag(&drawn).trim_end_matches('"').to_owned() + if side == Face::Front { "-f\"" } else { "-r\"" };
    if matches(&parts.headers, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, [(ETAG, tag)]).into_response());
    }
    let headers: [(HeaderName, String); 3] = [
        (CONTENT_TYPE, "image/svg+xml; charset=utf-8".to_owned()),
        (CONTENT_SECURITY_POLICY, policy()),
        (ETAG, tag),
    ];
    Ok((headers, svg::svg(&drawn, side)).into_response())
}

/// Nothing but the picture's own style, known by its hash (CSP Level 3 §8.3).
fn policy() -> String {
    let hash = STANDARD.encode(digest::digest(&digest::SHA256, svg::STYLE.as_bytes()));
    format!("default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; frame-ancestors 'none'")
}
