//! `capture`: what a box answers, written down; `emulate --tree`: such a folder served as a live box. Neither needs a daemon.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result};
use control::env::Random as _;
use hardware::redfish::capture::{self as captures, CaptureError, Captured, Options, redact};
use hardware::redfish::client::Client;
use hardware::{HttpTransport, Mode, Pin};
use serde_json::{Value, json};

use super::keep::password;
use crate::cli::{CaptureOptions, Cli, TreeOptions};
use crate::client::fail;
use crate::output::{self, plain};
use crate::up::edge::SystemRandom;

/// What is said of a capture, beside it.
const NOTE: &str = "PROVENANCE.json";
/// Failures that are noted.
const FAILURES: usize = 1_000;

pub async fn capture(cli: &Cli, options: &CaptureOptions) -> Result<u8> {
    let url = url(&options.address);
    let host = url
        .split("://")
        .nth(1)
        .unwrap_or(&url)
        .replace([':', '[', ']', '/'], "-");
    // a folder's name tells the address too, so a redacted one has none
    let named = if options.redact {
        "capture".to_owned()
    } else {
        format!("capture-{host}")
    };
    let folder = options.output.clone().unwrap_or_else(|| named.into());
    // values are hidden when all are known: until then they lie in a folder beside, which nobody else can read
    let raw = if options.redact {
        beside(&folder)
    } else {
        folder.clone()
    };
    if options.redact && !raw.exists() && folder.join("redfish").exists() {
        let what = format!("{} holds a finished capture already", folder.display());
        return Err(fail("BB0402", what, "busbar capture ADDRESS --redact --output OTHER"));
    }
    let credential = hardware::Credential {
        user: options.user.clone(),
        password: password(options.password_file.as_deref())?,
    };
    let transport = HttpTransport::new(Pin::Learn).map_err(|e| fail("BB0502", e.to_string(), "busbar doctor"))?;
    let client = Client::new(&url, Arc::new(transport), credential, Mode::Observe);
    let since = Instant::now();
    let bar = if output::terminal() && !cli.json {
        indicatif::ProgressBar::new_spinner()
    } else {
        indicatif::ProgressBar::hidden()
    };
    let asked = Options {
        folder: raw.clone(),
        schemas: options.schemas,
        resources: options.resources,
        bytes: captures::BYTES,
        time: options.time,
    };
    let told = |p: captures::Progress| {
        bar.set_message(format!(
            "{} resources, {} waiting, {} kB",
            p.kept,
            p.waiting,
            p.bytes / 1000
        ));
        bar.tick();
    };
    let captured = captures::capture(&client, &asked, &told).await;
    bar.finish_and_clear();
    let captured = captured.map_err(|e| refused(e, &raw))?;

    let mut note = note(&raw, &captured, since.elapsed().as_secs_f64());
    if options.redact {
        let mut salt = [0; 32];
        SystemRandom.fill(&mut salt);
        let hidden = redact::tree(&raw, &folder, salt)?;
        note = serde_json::from_str(&hidden.replace(&note.to_string()).unwrap_or_else(|| note.to_string()))?;
        note["redacted"] = json!(hidden.len());
        if captured.unfinished.is_none() {
            std::fs::remove_dir_all(&raw).with_context(|| format!("removing {}", raw.display()))?;
        }
    }
    std::fs::write(folder.join(NOTE), serde_json::to_vec_pretty(&note)?)?;
    if cli.json {
        let mut answer = note;
        answer["folder"] = json!(folder);
        output::json(&answer, false)?;
    } else {
        say(&folder, &raw, &captured, &note, options.redact);
    }
    // partly done: it can be gone on with
    Ok(if captured.unfinished.is_some() { 7 } else { 0 })
}

fn say(folder: &Path, raw: &Path, captured: &Captured, note: &Value, redacted: bool) {
    let text = |name: &str| note[name].as_str().unwrap_or("?").to_owned();
    output::text(format!(
        "{} {}, {}: {} resources in {}, {} requests, {:.1} s",
        plain(&text("maker")),
        plain(&text("model")),
        plain(&text("firmware")),
        captured.progress.kept,
        folder.display(),
        captured.requests,
        note["seconds"].as_f64().unwrap_or_default(),
    ));
    if !captured.failed.is_empty() {
        output::text(format!("{} answered with an error: see {NOTE}", captured.failed.len()));
    }
    if redacted {
        let hidden = &note["redacted"];
        output::text(format!(
            "{hidden} values are replaced; look through it before you pass it on"
        ));
    }
    if let Some(why) = &captured.unfinished {
        output::note(format!("Not whole: {why}. The same command goes on where it was."));
        if redacted {
            output::note(format!("Until then {} holds what is not redacted.", raw.display()));
        }
    }
    output::text(format!("busbar emulate --tree {}", folder.display()));
}

/// `https://`, unless it says otherwise.
fn url(address: &str) -> String {
    match address.contains("://") {
        true => address.trim_end_matches('/').to_owned(),
        false => format!("https://{}", address.trim_end_matches('/')),
    }
}

fn beside(folder: &Path) -> PathBuf {
    let mut name = folder.file_name().unwrap_or_default().to_owned();
    name.push(".unredacted");
    folder.with_file_name(name)
}

fn refused(error: CaptureError, raw: &Path) -> anyhow::Error {
    // nothing was had: an empty folder would only be in the way
    let _ = std::fs::remove_dir(raw);
    match error {
        CaptureError::Service(e) => fail(
            "BB0501",
            e.to_string(),
            "busbar capture https://ADDRESS:PORT --user USER",
        ),
        other => fail("BB0502", other.to_string(), "busbar capture ADDRESS --output FOLDER"),
    }
}

/// What was captured, of what, when, and what failed.
fn note(folder: &Path, captured: &Captured, seconds: f64) -> Value {
    let read = |path: &str| -> Value {
        let at = folder.join(path.trim_matches('/')).join("index.json");
        let body = std::fs::read(at).unwrap_or_default();
        hardware::redfish::json::parse(&body).unwrap_or_default()
    };
    let root = read("/redfish/v1");
    let first = |collection: &str| -> Value {
        let members = root[collection]["@odata.id"].as_str().map(&read).unwrap_or_default();
        members["Members"][0]["@odata.id"]
            .as_str()
            .map(&read)
            .unwrap_or_default()
    };
    let (system, manager, chassis) = (first("Systems"), first("Managers"), first("Chassis"));
    let any = |values: [&Value; 3]| {
        values
            .iter()
            .find(|v| v.is_string())
            .map_or(Value::Null, |v| (*v).clone())
    };
    let failed = captured.failed.iter().take(FAILURES);
    json!({
        "kind": "capture",
        "by": concat!("busbar ", env!("CARGO_PKG_VERSION")),
        "maker": any([&system["Manufacturer"], &chassis["Manufacturer"], &root["Vendor"]]),
        "model": any([&system["Model"], &chassis["Model"], &root["Product"]]),
        "firmware": any([&manager["FirmwareVersion"], &chassis["FirmwareVersion"], &root["RedfishVersion"]]),
        "date": output::now().to_string(),
        "resources": captured.progress.kept,
        "requests": captured.requests,
        "seconds": (seconds * 10.0).round() / 10.0,
        "unfinished": captured.unfinished,
        "failed": failed.map(|(path, why)| json!({"path": path, "why": why})).collect::<Vec<_>>(),
    })
}

/// Serves trees until it is told to stop.
pub async fn serve(cli: &Cli, options: &TreeOptions) -> Result<u8> {
    let credential = match &options.user {
        Some(user) => Some(emulator::Credential {
            user: user.clone(),
            password: password(options.password_file.as_deref())?,
        }),
        None => None,
    };
    let mut trees = Vec::new();
    for folder in &options.tree {
        let name = tree_name(folder);
        let how = emulator::tree::Options {
            credential: credential.clone(),
            speed: options.speed,
            faults: Arc::default(),
            clock: Arc::new(output::now),
        };
        let tree = emulator::Tree::open(&name, folder, how);
        trees.push(tree.map_err(|e| fail("BB0301", e.to_string(), "busbar emulate --tree FOLDER"))?);
    }
    let served = emulator::tree::start(&trees, options.listen, options.tls)
        .await
        .map_err(|e| {
            fail(
                "BB0502",
                e.to_string(),
                "busbar emulate --tree FOLDER --listen 127.0.0.1:8010",
            )
        })?;
    let scheme = if options.tls { "https" } else { "http" };
    let url = |at: &SocketAddr| format!("{scheme}://{at}");
    for (tree, at) in trees.iter().zip(&served.at) {
        if cli.json {
            output::json(
                &json!({"tree": tree.name(), "url": url(at), "resources": tree.resources()}),
                true,
            )?;
        } else {
            output::text(format!(
                " {}   {}, {} resources",
                url(at),
                tree.name(),
                tree.resources()
            ));
        }
    }
    if let (false, Some(at)) = (cli.json, served.at.first()) {
        output::text(format!(" try   busbar discover {}", url(at)));
    }
    crate::up::told_to_stop().await;
    served.stop().await;
    Ok(0)
}

/// The name of a tree: its folder's, as far as that is a name.
pub fn tree_name(folder: &Path) -> String {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let name = folder
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .to_ascii_lowercase();
    let clean: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(60)
        .collect();
    match clean.trim_matches('-') {
        "" => "tree".to_owned(),
        name => name.to_owned(),
    }
}
