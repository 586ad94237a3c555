//! Keeping house: arming, cordons, discovery, credentials, tokens, dumps.

use axum::Json;
use axum::body::Body as HttpBody;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use control::House;
use rack::request::{ArmRequest, CredentialRequest, DiscoverRequest, NewToken, NodeView, Role, TokenView};
use rack::{Name, Node, Place};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::auth::{Admin, Operator, Reader};
use crate::extract::{Body, Dry, Nothing, Query, named};
use crate::problem::Problem;

fn views(house: &House, nodes: &[std::sync::Arc<Node>]) -> Vec<NodeView> {
    let mut views: Vec<NodeView> = nodes.iter().map(|n| house.node_view(n)).collect();
    views.sort_by(|a, b| a.node.place.cmp(&b.node.place));
    views
}

/// Lets Busbar write to a place, or stops it; answers with the nodes that changed.
#[utoipa::path(post, path = "/v1/arm", params(Dry), request_body = ArmRequest,
    responses((status = 200, body = [NodeView]), (status = "default", body = Problem)))]
pub async fn arm(
    Admin(who): Admin,
    State(house): State<House>,
    Query(dry): Query<Dry>,
    Body(request): Body<ArmRequest>,
) -> Result<Json<Vec<NodeView>>, Problem> {
    let changed = house.arm(&who, request, dry.dry_run).await?;
    Ok(Json(views(&house, &changed)))
}

/// Takes a node out of use, or puts it back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CordonRequest {
    /// Which node.
    place: Place,
    /// Why; null puts it back.
    why: Option<String>,
}

/// Longest reason of a cordon.
const REASON: usize = 500;

/// Takes a node out of use, or puts it back.
#[utoipa::path(post, path = "/v1/cordon", params(Dry), request_body = CordonRequest,
    responses((status = 200, body = NodeView), (status = "default", body = Problem)))]
pub async fn cordon(
    Operator(who): Operator,
    State(house): State<House>,
    Query(dry): Query<Dry>,
    Body(request): Body<CordonRequest>,
) -> Result<Json<NodeView>, Problem> {
    if request.why.as_ref().is_some_and(|w| w.len() > REASON) {
        return Err(Problem::new(
            "BB0101",
            format!("the reason is longer than {REASON} bytes"),
        ));
    }
    if dry.dry_run {
        let world = house.world();
        let node = world.node_at(&request.place);
        let node = node.ok_or_else(|| Problem::not_found("node", request.place.as_str()).hint("busbar ls"))?;
        return Ok(Json(house.node_view(node)));
    }
    let node = house.cordon(&who, &request.place, request.why).await?;
    Ok(Json(house.node_view(&node)))
}

/// What a discovery found.
#[derive(Debug, Serialize, ToSchema)]
pub struct Discovered {
    /// Nodes.
    nodes: Vec<NodeView>,
    /// What did not answer as it should.
    problems: Vec<String>,
}

/// Looks for BMCs, and watches those that answer.
#[utoipa::path(post, path = "/v1/discover", request_body = DiscoverRequest,
    responses((status = 200, body = Discovered), (status = "default", body = Problem)))]
pub async fn discover(
    Admin(who): Admin,
    State(house): State<House>,
    _: Query<Nothing>,
    Body(request): Body<DiscoverRequest>,
) -> Result<Json<Discovered>, Problem> {
    let (nodes, problems) = house.discover(&who, request).await?;
    Ok(Json(Discovered {
        nodes: views(&house, &nodes),
        problems,
    }))
}

/// Whose certificate to trust anew.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TrustRequest {
    /// A node's place.
    place: Place,
}

/// What is trusted now.
#[derive(Debug, Serialize, ToSchema)]
pub struct Trusted {
    /// SHA-256 of the certificate, in hexadecimal.
    certificate: String,
}

/// Pins the certificate that a node's BMC, or a PDU, shows now.
#[utoipa::path(post, path = "/v1/trust", request_body = TrustRequest,
    responses((status = 200, body = Trusted), (status = "default", body = Problem)))]
pub async fn trust(
    Admin(who): Admin,
    State(house): State<House>,
    _: Query<Nothing>,
    Body(request): Body<TrustRequest>,
) -> Result<Json<Trusted>, Problem> {
    Ok(Json(Trusted {
        certificate: house.trust(&who, &request.place).await?,
    }))
}

/// Names of the credentials; never what is in them.
#[utoipa::path(get, path = "/v1/credentials", responses((status = 200, body = [String]), (status = "default", body = Problem)))]
pub async fn credentials(_: Reader, State(house): State<House>) -> Json<Vec<Name>> {
    Json(house.credentials())
}

/// Seals and stores a credential.
#[utoipa::path(put, path = "/v1/credentials/{name}", params(("name" = String, Path)), request_body = CredentialRequest,
    responses((status = 204), (status = "default", body = Problem)))]
pub async fn set_credential(
    Admin(who): Admin,
    State(house): State<House>,
    _: Query<Nothing>,
    Path(name): Path<String>,
    Body(request): Body<CredentialRequest>,
) -> Result<StatusCode, Problem> {
    house.set_credential(&who, &named(&name)?, request).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Every token, never a secret.
#[utoipa::path(get, path = "/v1/tokens", responses((status = 200, body = [TokenView]), (status = "default", body = Problem)))]
pub async fn tokens(_: Admin, State(house): State<House>) -> Json<Vec<TokenView>> {
    Json(house.tokens())
}

/// A token that someone wants.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenRequest {
    /// Its name.
    name: Name,
    /// What it may do.
    role: Role,
}

/// Makes a token; the only time that its secret is shown.
#[utoipa::path(post, path = "/v1/tokens", request_body = TokenRequest,
    responses((status = 201, body = NewToken), (status = "default", body = Problem)))]
pub async fn make_token(
    Admin(who): Admin,
    State(house): State<House>,
    _: Query<Nothing>,
    Body(request): Body<TokenRequest>,
) -> Result<(StatusCode, Json<NewToken>), Problem> {
    let made = house.make_token(&who, &request.name, request.role).await?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// Revokes a token.
#[utoipa::path(delete, path = "/v1/tokens/{name}", params(("name" = String, Path)),
    responses((status = 204), (status = "default", body = Problem)))]
pub async fn revoke_token(
    Admin(who): Admin,
    State(house): State<House>,
    _: Query<Nothing>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    house.revoke_token(&who, &named(&name)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A backup of everything recorded, as one file.
#[utoipa::path(post, path = "/v1/dump", responses((status = 200), (status = "default", body = Problem)))]
pub async fn dump(
    Admin(who): Admin,
    State(house): State<House>,
    _: Query<Nothing>,
) -> Result<impl IntoResponse, Problem> {
    let failed = |e: std::io::Error| Problem::new("BB0502", format!("the backup can't be written: {e}"));
    // A folder of its own, which only this user can enter and which goes with the last handle of the file.
    let folder = tempfile::tempdir().map_err(failed)?;
    let path = folder.path().join("busbar.backup");
    house.backup(&who, &path).await?;
    let file = tokio::fs::File::open(&path).await.map_err(failed)?;
    let body = HttpBody::from_stream(tokio_util::io::ReaderStream::new(file));
    Ok(([("content-type", "application/octet-stream")], body))
}
