//! The HTTP API: what a client may ask of the house, who may ask it, and how it is answered.
//!
//! It decides nothing: every handler checks the role of who asks, calls one method of [`control::House`], and shows what
//! came of it. OpenAPI 3.1 is generated from the same handlers, so that the two can't part. Start at [`router`];
//! [`problem`] is every way to be refused.

#![allow(
    clippy::result_large_err,
    reason = "a problem is made once for a refused request and moved into its answer; boxing it everywhere says less"
)]

pub mod problem;

mod admin;
mod assets;
mod auth;
mod cat;
mod consoles;
mod drawing;
mod elevation;
mod events;
mod extract;
mod hardware;
mod history;
mod images;
pub mod lab;
mod look;
mod machines;
mod metadata;
mod metrics;
mod power;
mod session;
mod truth;
mod vitals;

#[cfg(test)]
mod house_tests;

use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::Method;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use control::House;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use lab::Lab;
use problem::Problem;

/// Largest body that is taken: the largest real one is a machine with 256 KiB of user data.
const BODY: usize = 1 << 20;
/// Largest intent of a rack: 1,000 boxes with a dozen ports each.
const INTENT: usize = 8 << 20;
/// What an answer may take; a long poll is shorter ([`extract::WAIT`]).
const ANSWER: Duration = Duration::from_secs(75);
/// What adding an image, a discovery of a network or a dump may take.
const LONG_ANSWER: Duration = Duration::from_secs(3600);

fn routes() -> OpenApiRouter<House> {
    OpenApiRouter::new()
        .routes(routes!(elevation::me))
        .routes(routes!(elevation::racks))
        .routes(routes!(elevation::elevation))
        .routes(routes!(power::power))
        .routes(routes!(power::whatif))
        .routes(routes!(look::status))
        .routes(routes!(look::nodes))
        .routes(routes!(look::node))
        .routes(routes!(look::devices))
        .routes(routes!(look::tree))
        .routes(routes!(cat::cat))
        .routes(routes!(history::history))
        .routes(routes!(history::trend))
        .routes(routes!(vitals::vitals))
        .routes(routes!(vitals::free))
        .routes(routes!(look::why))
        .routes(routes!(look::proof))
        .routes(routes!(machines::list, machines::run))
        .routes(routes!(machines::one, machines::release))
        .routes(routes!(machines::signal))
        .routes(routes!(machines::nice))
        .routes(routes!(metadata::metadata))
        .routes(routes!(admin::arm))
        .routes(routes!(admin::cordon))
        .routes(routes!(admin::discover))
        .routes(routes!(admin::trust))
        .routes(routes!(admin::credentials))
        .routes(routes!(admin::set_credential))
        .routes(routes!(hardware::rotate))
        .routes(routes!(hardware::outlet))
        .routes(routes!(hardware::want))
        .routes(routes!(hardware::settings))
        .routes(routes!(hardware::locate))
        .routes(routes!(hardware::log))
        .routes(routes!(consoles::read, consoles::write))
        .routes(routes!(hardware::rollouts, hardware::roll_out))
        .routes(routes!(hardware::stop_rollout))
        .routes(routes!(admin::tokens, admin::make_token))
        .routes(routes!(admin::revoke_token))
        .routes(routes!(admin::dump))
        .routes(routes!(images::list, images::add))
        .routes(routes!(images::remove))
        .routes(routes!(events::events))
        .routes(routes!(truth::fsck))
        .routes(routes!(truth::accept))
        .merge(
            OpenApiRouter::new()
                .routes(routes!(truth::intent, truth::set_intent, truth::drop_intent))
                .layer(DefaultBodyLimit::max(INTENT)),
        )
        .merge(lab::routes())
}

/// The API as OpenAPI 3.1.
pub fn openapi() -> utoipa::openapi::OpenApi {
    let mut api = routes().into_openapi();
    api.info.title = "Busbar".into();
    api.info.version = env!("CARGO_PKG_VERSION").into();
    api.info.description = Some("One rack as one computer. Errors are `application/problem+json` (RFC 9457).".into());
    // Axum marks a parameter that may hold slashes with a star; OpenAPI has no word for it.
    api.paths.paths = std::mem::take(&mut api.paths.paths)
        .into_iter()
        .map(|(path, item)| (path.replace("{*", "{"), item))
        .collect();
    api
}

/// Every route, served from `house` at `port`, after which the browsers' cookie is called; `lab` leads to its emulated rack, once
/// there is one.
pub async fn router(house: House, port: u16, lab: Lab) -> Router {
    let sessions = session::Sessions::at(&house, port).await;
    let (api, _) = routes().split_for_parts();
    api.route("/v1/openapi.json", get(async || axum::Json(openapi())))
        .route("/metrics", get(metrics::metrics))
        .route("/healthz", get(async || "ok\n"))
        .route("/login", get(session::login))
        .route("/logout", post(session::logout))
        .fallback(assets::other)
        .method_not_allowed_fallback(async || Problem::new("BB0405", "this path does not take this method"))
        .layer(DefaultBodyLimit::max(BODY))
        .layer(middleware::from_fn_with_state(house.clone(), bounded))
        .layer(Extension(sessions))
        .layer(Extension(lab))
        .with_state(house)
}

/// Bounds the time of every answer, and says what a browser may do with it.
async fn bounded(State(_): State<House>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let long = request.method() == Method::POST && ["/v1/images", "/v1/discover", "/v1/dump"].contains(&path);
    let long = long || path.ends_with("/rotate");
    let limit = if long { LONG_ANSWER } else { ANSWER };
    let mut answer = match tokio::time::timeout(limit, next.run(request)).await {
        Ok(answer) => answer,
        Err(_) => Problem::new("BB0503", format!("no answer after {} s", limit.as_secs())).into_response(),
    };
    assets::guard(&mut answer);
    answer
}

#[cfg(test)]
mod tests {
    /// The description in the repository is the one that the handlers make. Renew with `BUSBAR_RENEW=1 cargo test -p api`.
    #[test]
    fn the_description_is_current() {
        let made = serde_json::to_string_pretty(&super::openapi()).unwrap() + "\n";
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
        if std::env::var_os("BUSBAR_RENEW").is_some() {
            std::fs::write(file, &made).unwrap();
        }
        let kept = std::fs::read_to_string(file).unwrap_or_default();
        assert!(kept == made, "openapi.json is old: BUSBAR_RENEW=1 cargo test -p api");
    }

    #[test]
    fn no_path_is_described_with_a_star_and_all_are_there() {
        let paths = super::openapi().paths.paths;
        assert!(paths.keys().all(|p| !p.contains('*') && p.starts_with("/v1/")));
        assert!(paths.len() >= 20, "{}", paths.len());
        assert!(paths.contains_key("/v1/nodes/{place}"));
    }
}
