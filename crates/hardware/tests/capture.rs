//! A capture over a real socket equals the tree that is served; redacted, a tree is found to have the same parts.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use common::{Folder, bmc, credential, unpack};
use hardware::redfish::capture::{self, Options, capture, redact};
use hardware::redfish::client::Client;
use hardware::{Found, HttpTransport, Mode, Pin};
use rack::PartKind;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

/// Serves a folder over HTTP, `index.status` beside `index.json`; notes what was asked.
async fn serve(folder: std::path::PathBuf) -> (String, Arc<std::sync::Mutex<Vec<String>>>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked: Arc<std::sync::Mutex<Vec<String>>> = Arc::default();
    let notes = asked.clone();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (folder, notes) = (folder.clone(), notes.clone());
            tokio::spawn(async move {
                let mut stream = BufReader::new(stream);
                let mut line = String::new();
                while stream.read_line(&mut line).await.is_ok_and(|n| n > 0) {
                    let request = std::mem::take(&mut line);
                    let mut header = String::new();
                    while stream.read_line(&mut header).await.is_ok_and(|n| n > 2) {
                        header.clear();
                    }
                    let path = request.split(' ').nth(1).unwrap().to_owned();
                    notes.lock().unwrap().push(request.trim().to_owned());
                    // the second page of a collection lies beside the first
                    let at = path.trim_matches('/').replace('?', "/");
                    let at = folder.join(at);
                    let status = std::fs::read_to_string(at.join("index.status"));
                    let (status, body) = match std::fs::read(at.join("index.json")) {
                        Ok(body) => (status.map_or("200".to_owned(), |s| s.trim().to_owned()), body),
                        Err(_) => ("404".to_owned(), b"{}".to_vec()),
                    };
                    let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n", body.len());
                    stream.write_all(&[head.as_bytes(), &body].concat()).await.unwrap();
                }
            });
        }
    });
    (url, asked)
}

fn put(folder: &Path, path: &str, body: &str) {
    let at = folder.join(path.trim_matches('/'));
    std::fs::create_dir_all(&at).unwrap();
    std::fs::write(at.join("index.json"), body).unwrap();
}

/// Every file, by its path in the folder.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(at) = open.pop() {
        for entry in std::fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().display().to_string();
                found.insert(name, std::fs::read_to_string(path).unwrap());
            }
        }
    }
    found
}

fn write(folder: &Path) {
    let link = |path: &str| json!({"@odata.id": path});
    for (path, body) in [
        (
            "/redfish/v1",
            json!({"Systems": link("/redfish/v1/Systems/"), "Registries": link("/redfish/v1/Registries"),
                "EventService": {"ServerSentEventUri": "/redfish/v1/SSE"}}),
        ),
        (
            "/redfish/v1/Systems",
            json!({"Members": [link("/redfish/v1/Systems/1")]}),
        ),
        (
            "/redfish/v1/Systems/1",
            json!({"SerialNumber": "J900ABCD", "Again": link("/redfish/v1/Systems/1#/Boot"), "Log": link("/redfish/v1/Systems/1/LogServices/SEL"),
                "Bad": link("/redfish/v1/Bad"), "Broken": link("/redfish/v1/Broken"),
                "Actions": {"#ComputerSystem.Reset": {"target": "/redfish/v1/Systems/1/Actions/ComputerSystem.Reset",
                    "@Redfish.ActionInfo": "/redfish/v1/Systems/1/ResetActionInfo"}}}),
        ),
        ("/redfish/v1/Systems/1/ResetActionInfo", json!({"Parameters": []})),
        (
            "/redfish/v1/Systems/1/LogServices/SEL",
            json!({"Entries": link("/redfish/v1/Systems/1/LogServices/SEL/Entries")}),
        ),
        (
            "/redfish/v1/Systems/1/LogServices/SEL/Entries",
            json!({"Members": [link("/redfish/v1/Systems/1/LogServices/SEL/Entries/1")]}),
        ),
        (
            "/redfish/v1/Systems/1/LogServices/SEL/Entries/1",
            json!({"Message": "m"}),
        ),
        (
            "/redfish/v1/Registries",
            json!({"Members": [link("/redfish/v1/Registries/Base")]}),
        ),
        ("/redfish/v1/Bad", json!({"error": {"message": "licence"}})),
    ] {
        put(folder, path, &body.to_string());
    }
    put(
        folder,
        "/redfish/v1/Broken",
        "{\"a\": [1,2,], \"x\": {\"@odata.id\": \"/redfish/v1/Behind\",}}",
    );
    put(folder, "/redfish/v1/Behind", "{ \"odd\" :   true}");
    std::fs::write(folder.join("redfish/v1/Bad/index.status"), "403\n").unwrap();
}

fn options(folder: &Path) -> Options {
    Options {
        folder: folder.to_owned(),
        schemas: false,
        resources: capture::RESOURCES,
        bytes: capture::BYTES,
        time: Duration::from_secs(600),
    }
}

fn client(url: &str) -> Client {
    let transport = HttpTransport::new(Pin::Learn).unwrap();
    Client::new(url, Arc::new(transport), credential(), Mode::Observe)
}

#[tokio::test]
async fn a_capture_equals_the_tree_and_a_second_run_asks_only_for_what_is_missing() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(from.path());
    let (url, asked) = serve(from.path().to_owned()).await;
    let captured = capture(&client(&url), &options(to.path()), &|_| {}).await.unwrap();
    assert_eq!(files(to.path()), files(from.path()));
    assert_eq!(captured.unfinished, None);
    assert_eq!(captured.failed, [("/redfish/v1/Bad".to_owned(), "HTTP 403".to_owned())]);
    let first = std::mem::take(&mut *asked.lock().unwrap());
    assert!(first.iter().all(|r| r.starts_with("GET ")), "{first:?}");
    for never in ["/SSE", "Actions/", "Registries/Base"] {
        assert!(!first.iter().any(|r| r.contains(never)), "{never} in {first:?}");
    }
    std::fs::remove_dir_all(to.path().join("redfish/v1/Behind")).unwrap();
    let again = capture(&client(&url), &options(to.path()), &|_| {}).await.unwrap();
    assert_eq!(files(to.path()), files(from.path()));
    assert_eq!(again.progress.known + 1, again.progress.kept);
    let second: Vec<String> = asked
        .lock()
        .unwrap()
        .iter()
        .filter(|r| !r.contains("odata") && !r.contains("metadata") && !r.contains("/redfish "))
        .cloned()
        .collect();
    assert_eq!(second, ["GET /redfish/v1/Behind HTTP/1.1"]);
}

#[tokio::test]
async fn bounds_end_a_capture_which_another_run_completes() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(from.path());
    let (url, _) = serve(from.path().to_owned()).await;
    let mut few = options(to.path());
    few.resources = 4;
    let captured = capture(&client(&url), &few, &|_| {}).await.unwrap();
    assert!(captured.unfinished.is_some_and(|u| u.contains("4 resources")));
    assert!(files(to.path()).len() < files(from.path()).len());
    capture(&client(&url), &options(to.path()), &|_| {}).await.unwrap();
    assert_eq!(files(to.path()), files(from.path()));
}

#[tokio::test]
async fn what_does_not_answer_is_an_error_and_leaves_nothing() {
    let to = tempfile::tempdir().unwrap();
    let refused = capture(&client("http://127.0.0.1:9"), &options(to.path()), &|_| {}).await;
    assert!(refused.is_err());
    assert!(files(to.path()).is_empty());
}

/// How many there are of what: systems, machines, parts by kind, devices, outlets.
fn shape(found: &Found) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    let mut one = |what: String| *counts.entry(what).or_default() += 1;
    for system in &found.systems {
        one(format!("machine {}", system.is_machine));
        for part in &system.parts {
            let kind = match part.kind {
                PartKind::Processor { .. } => "processor",
                PartKind::Memory { .. } => "memory",
                PartKind::Drive { .. } => "drive",
                PartKind::Nic { .. } => "nic",
                PartKind::Gpu { .. } => "gpu",
                PartKind::Supply { .. } => "supply",
                _ => "other",
            };
            one(kind.to_owned());
        }
    }
    for device in &found.devices {
        one(format!("{:?} with {} outlets", device.kind, device.outlets.len()));
    }
    counts
}

#[tokio::test(start_paused = true)]
async fn a_redacted_tree_has_the_same_parts_and_none_of_the_serials() {
    let Some(trees) = unpack() else { return };
    for entry in std::fs::read_dir(trees.path()).unwrap() {
        let from = entry.unwrap().path();
        let name = from.file_name().unwrap().to_string_lossy().into_owned();
        let to = tempfile::tempdir().unwrap();
        let hidden = redact::tree(&from, to.path(), [9; 32]).unwrap();
        let find = async |folder: &Path| {
            bmc("https://bmc.test", Folder::new(folder), Mode::Observe)
                .discover()
                .await
                .unwrap()
        };
        let (before, after) = (find(&from).await, find(to.path()).await);
        assert_eq!(shape(&before), shape(&after), "{name}");
        println!("{name}: {} values hidden", hidden.len());
        let all: String = files(to.path()).into_values().collect::<String>().to_ascii_lowercase();
        for system in &before.systems {
            for serial in system.identity.serial.iter().chain(&system.identity.uuid) {
                let serial = serial.to_ascii_lowercase();
                let telling = serial.len() >= 6
                    && !serial.chars().all(|c| matches!(c, '0' | '-' | 'f'))
                    && serial != "0123456789";
                assert!(!telling || !all.contains(&serial), "{name}: {serial} is still there");
            }
        }
        let pair = before.systems.iter().zip(&after.systems);
        for (a, b) in pair {
            assert_eq!(
                (&a.identity.maker, &a.identity.model),
                (&b.identity.maker, &b.identity.model),
                "{name}"
            );
        }
    }
}
