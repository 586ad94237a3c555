//! The image store against a registry: Debian's `docker-registry` with `skopeo` as the other client, and, for what a
//! sound registry never does (break off, lie, ask for a token), a server in this file.
//!
//! The first needs `apt-get install docker-registry skopeo`, and is skipped without them.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::body::Body;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use boot::images::{DISK_ZSTD, Digest, Error, ImageStore, Login, Source};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use rack::{Image, Time};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::json;

fn disk(seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; 3 << 20];
    StdRng::seed_from_u64(seed).fill_bytes(&mut bytes[..1 << 20]);
    bytes
}

async fn add(store: &ImageStore, source: Source) -> Result<Image, Error> {
    store
        .add(&"debian-12".parse().unwrap(), source, |_| {}, Time::from_millis(0))
        .await
}

async fn pull(store: &ImageStore, reference: &str, login: Option<Login>) -> Result<Image, Error> {
    let reference = reference.parse().unwrap();
    add(
        store,
        Source::Registry {
            reference,
            login,
            plain: false,
        },
    )
    .await
}

/// User `busbar`, password `s3cret`.
const HTPASSWD: &str = "busbar:$2y$04$abcdefghijklmnopqrstuuLZYjhNQAOdpbzt4WxWlUHjv1wsyH5DG\n";

struct DebianRegistry {
    child: Child,
    host: String,
    _dir: tempfile::TempDir,
}

impl Drop for DebianRegistry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn installed(program: &str) -> bool {
    let found = Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok();
    if !found {
        eprintln!("SKIPPED: `{program}` is not installed (apt-get install docker-registry skopeo)");
    }
    found
}

async fn debian_registry(login: bool) -> DebianRegistry {
    let dir = tempfile::tempdir().unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let mut config = json!({
        "version": 0.1,
        "log": {"level": "error"},
        "storage": {"filesystem": {"rootdirectory": dir.path().join("data")}},
        "http": {"addr": free.to_string()},
    });
    if login {
        fs::write(dir.path().join("htpasswd"), HTPASSWD).unwrap();
        config["auth"] = json!({"htpasswd": {"realm": "test", "path": dir.path().join("htpasswd")}});
    }
    let path = dir.path().join("config.yml");
    fs::write(&path, config.to_string()).unwrap();
    let child = Command::new("docker-registry")
        .arg("serve")
        .arg(path)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    for _ in 0..200 {
        if tokio::net::TcpStream::connect(free).await.is_ok() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    DebianRegistry {
        child,
        host: free.to_string(),
        _dir: dir,
    }
}

fn skopeo(arguments: &[&str]) -> Output {
    let output = Command::new("skopeo").args(arguments).output().unwrap();
    assert!(
        output.status.success(),
        "skopeo {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

async fn filled(dir: &Path, seed: u64) -> (ImageStore, Image) {
    let store = ImageStore::open(dir.join("store")).unwrap();
    let path = dir.join("disk.raw");
    fs::write(&path, disk(seed)).unwrap();
    let image = add(&store, Source::File(path)).await.unwrap();
    (store, image)
}

#[tokio::test]
async fn skopeo_reads_the_layout_and_carries_an_image_to_a_registry_and_back() {
    if !installed("skopeo") || !installed("docker-registry") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (_, image) = filled(dir.path(), 1).await;
    let layout = format!("oci:{}:debian-12", dir.path().join("store").display());
    let manifest = skopeo(&["inspect", "--raw", &layout]).stdout;
    assert!(String::from_utf8(manifest.clone()).unwrap().contains(&image.digest));

    let registry = debian_registry(false).await;
    let pushed = format!("docker://{}/disks/debian:12", registry.host);
    skopeo(&[
        "copy",
        "--dest-tls-verify=false",
        "--preserve-digests",
        &layout,
        &pushed,
    ]);
    let other = ImageStore::open(dir.path().join("other")).unwrap();
    let pulled = pull(&other, &format!("{}/disks/debian:12", registry.host), None)
        .await
        .unwrap();
    assert_eq!(
        (&pulled.digest, &pulled.raw_digest, pulled.raw),
        (&image.digest, &image.raw_digest, image.raw)
    );
    let by_digest = format!("{}/disks/debian@{}", registry.host, Digest::of(&manifest));
    assert_eq!(pull(&other, &by_digest, None).await.unwrap().digest, image.digest);
    let missing = pull(&other, &format!("{}/disks/debian:13", registry.host), None).await;
    assert!(matches!(missing, Err(Error::Status { status: 404, .. })), "{missing:?}");

    // And a layout that skopeo wrote.
    let back = dir.path().join("back");
    skopeo(&[
        "copy",
        "--src-tls-verify=false",
        &pushed,
        &format!("oci:{}:d", back.display()),
    ]);
    let third = ImageStore::open(dir.path().join("third")).unwrap();
    let taken = add(
        &third,
        Source::Layout {
            dir: back,
            reference: Some("d".to_owned()),
        },
    )
    .await
    .unwrap();
    assert_eq!(taken.digest, image.digest);
}

#[tokio::test]
async fn debians_registry_is_shown_a_login_when_it_asks() {
    if !installed("skopeo") || !installed("docker-registry") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (_, image) = filled(dir.path(), 2).await;
    let registry = debian_registry(true).await;
    let layout = format!("oci:{}:debian-12", dir.path().join("store").display());
    let to = format!("docker://{}/d:1", registry.host);
    skopeo(&[
        "copy",
        "--dest-tls-verify=false",
        "--dest-creds=busbar:s3cret",
        &layout,
        &to,
    ]);
    let store = ImageStore::open(dir.path().join("other")).unwrap();
    let reference = format!("{}/d:1", registry.host);
    let login = |password: &str| {
        Some(Login {
            user: "busbar".to_owned(),
            password: password.to_owned(),
        })
    };
    assert!(matches!(pull(&store, &reference, None).await, Err(Error::Login(_))));
    assert!(matches!(
        pull(&store, &reference, login("wrong")).await,
        Err(Error::Login(_))
    ));
    assert_eq!(
        pull(&store, &reference, login("s3cret")).await.unwrap().digest,
        image.digest
    );
}

/// What the registry in this file does wrong.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    /// Each answer breaks off after [`PIECE`] bytes.
    BreaksOff,
    /// Only the first does, and ranges are not known.
    BreaksOffOnce,
    WrongBytes,
    TooLong,
    TooShort,
    HugeManifest,
}

struct Faulty {
    fault: Fault,
    blob: Vec<u8>,
    asked: AtomicU32,
    host: String,
}

const PIECE: usize = 400_000;

impl Faulty {
    fn manifest(&self) -> String {
        let layer = json!({"mediaType": DISK_ZSTD, "digest": Digest::of(&self.blob), "size": self.blob.len()});
        json!({"schemaVersion": 2, "layers": [layer]}).to_string()
    }
}

fn granted(headers: &HeaderMap) -> bool {
    headers
        .get(header::AUTHORIZATION)
        .is_some_and(|v| v == "Bearer granted")
}

async fn token(Query(asked): Query<Vec<(String, String)>>, headers: HeaderMap) -> Response {
    let scope = asked
        .iter()
        .any(|(name, value)| name == "scope" && value == "repository:a/b:pull");
    let basic = headers.get(header::AUTHORIZATION).is_some_and(|v| v == "Basic dTpw");
    match scope && basic {
        true => Json(json!({"token": "granted"})).into_response(),
        false => StatusCode::FORBIDDEN.into_response(),
    }
}

fn challenge(faulty: &Faulty) -> Response {
    let bearer = format!("Bearer realm=\"http://{}/token\",service=\"test\"", faulty.host);
    (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, bearer)]).into_response()
}

/// The tag leads to an index, whose entry leads to the manifest.
async fn manifest(
    State(faulty): State<Arc<Faulty>>,
    axum::extract::Path(place): axum::extract::Path<String>,
    headers: HeaderMap,
) -> Response {
    if !granted(&headers) {
        return challenge(&faulty);
    }
    let manifest = faulty.manifest();
    if place != "1" {
        return manifest.into_response();
    }
    let size = if faulty.fault == Fault::HugeManifest {
        1 << 40
    } else {
        manifest.len()
    };
    let entry = json!({"mediaType": "x", "digest": Digest::of(manifest.as_bytes()), "size": size});
    json!({"schemaVersion": 2, "manifests": [entry]})
        .to_string()
        .into_response()
}

/// Redirects, as registries with a store of objects do.
async fn blob(State(faulty): State<Arc<Faulty>>, headers: HeaderMap) -> Response {
    if !granted(&headers) {
        return challenge(&faulty);
    }
    (
        StatusCode::TEMPORARY_REDIRECT,
        [(header::LOCATION, "/objects/1?signature=secret")],
    )
        .into_response()
}

async fn object(State(faulty): State<Arc<Faulty>>, headers: HeaderMap) -> Response {
    let asked = faulty.asked.fetch_add(1, Ordering::Relaxed);
    let mut bytes = faulty.blob.clone();
    let range = headers
        .get(header::RANGE)
        .and_then(|v| v.to_str().ok()?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    match faulty.fault {
        Fault::WrongBytes => bytes[1 << 19] ^= 1,
        Fault::TooLong => bytes.push(0),
        Fault::TooShort => bytes.truncate(bytes.len() - 1),
        _ => {}
    }
    let from: usize = if faulty.fault == Fault::BreaksOffOnce {
        0
    } else {
        range.unwrap_or(0)
    };
    let whole = bytes.len();
    let breaks = faulty.fault == Fault::BreaksOff || (faulty.fault == Fault::BreaksOffOnce && asked == 0);
    let rest = Bytes::from(bytes).slice(from.min(whole)..);
    let body = if breaks && rest.len() > PIECE {
        let piece = Ok::<_, std::io::Error>(rest.slice(..PIECE));
        // Time for the piece to leave before the connection goes.
        let cut = async {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            Err(std::io::Error::other("cut"))
        };
        let pieces = futures_util::stream::iter([piece]);
        Body::from_stream(futures_util::StreamExt::chain(pieces, futures_util::stream::once(cut)))
    } else {
        Body::from(rest)
    };
    match from {
        0 => body.into_response(),
        _ => {
            let range = format!("bytes {from}-{}/{whole}", whole - 1);
            (StatusCode::PARTIAL_CONTENT, [(header::CONTENT_RANGE, range)], body).into_response()
        }
    }
}

async fn pull_from_faulty(fault: Fault) -> (Result<Image, Error>, u32) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let blob_bytes = zstd::encode_all(disk(3).as_slice(), 1).unwrap();
    let faulty = Arc::new(Faulty {
        fault,
        blob: blob_bytes,
        asked: AtomicU32::new(0),
        host: host.clone(),
    });
    let router = Router::new()
        .route("/token", get(token))
        .route("/v2/a/b/manifests/{place}", get(manifest))
        .route("/v2/a/b/blobs/{digest}", get(blob))
        .route("/objects/1", get(object))
        .with_state(faulty.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let dir = tempfile::tempdir().unwrap();
    let store = ImageStore::open(dir.path()).unwrap();
    let login = Login {
        user: "u".to_owned(),
        password: "p".to_owned(),
    };
    let pulled = pull(&store, &format!("{host}/a/b:1"), Some(login)).await;
    if let Ok(image) = &pulled {
        store.verify(&image.digest).await.unwrap();
        assert_eq!(image.raw_digest, Digest::of(&disk(3)).to_string());
    }
    assert_eq!(fs::read_dir(dir.path().join("ingest")).unwrap().count(), 0);
    (pulled, faulty.asked.load(Ordering::Relaxed))
}

#[tokio::test]
async fn a_token_is_fetched_an_index_followed_and_a_redirect_too() {
    let (pulled, asked) = pull_from_faulty(Fault::None).await;
    assert_eq!((pulled.is_ok(), asked), (true, 1), "{pulled:?}");
}

#[tokio::test]
async fn a_download_that_breaks_off_is_taken_up_where_it_was() {
    let (pulled, asked) = pull_from_faulty(Fault::BreaksOff).await;
    assert!(pulled.is_ok() && asked >= 3, "{pulled:?} after {asked}");
    let (pulled, asked) = pull_from_faulty(Fault::BreaksOffOnce).await;
    assert_eq!((pulled.is_ok(), asked), (true, 2), "{pulled:?}");
}

#[tokio::test]
async fn a_registry_that_lies_is_not_believed() {
    for (fault, name) in [
        (Fault::WrongBytes, "wrong bytes"),
        (Fault::TooLong, "too long"),
        (Fault::HugeManifest, "huge manifest"),
    ] {
        let (pulled, _) = pull_from_faulty(fault).await;
        let error = pulled.expect_err(name);
        assert!(!format!("{error:?}").contains("signature"), "{error:?}");
        assert!(!matches!(error, Error::Stopped), "{name}: {error:?}");
    }
}

#[tokio::test]
async fn a_blob_that_stays_short_is_given_up() {
    let (pulled, asked) = pull_from_faulty(Fault::TooShort).await;
    assert!(pulled.is_err() && asked < 10, "{pulled:?} after {asked}");
}
