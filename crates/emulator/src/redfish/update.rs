//! The update service: firmware of each part, and updates of it. An image is fetched over HTTP or pushed; its first line
//! says `busbar-firmware COMPONENT VERSION`. BIOS runs the new version from the next boot on, the BMC by restarting.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::act::{word, wrong};
use super::core::{BmcCore, Stage, Task};
use super::{Answer, at, collection, document, error, fine, plain, put};
use crate::emulated::{BMC_RESET, Bmc, Emulated};

const U: &str = "/redfish/v1/UpdateService";
/// Where images are pushed to.
pub(super) const PUSH: &str = "/redfish/v1/UpdateService/upload";
/// Largest image; real ones are 16-64 MiB, and none of these needs to be.
const IMAGE: usize = 64 << 20;
/// Seconds that writing to flash takes.
const FLASH: f64 = 40.0;
/// Longest URI, version, and list of targets.
const LONGEST: usize = 2048;
const VERSION: usize = 64;

/// A part with firmware: its id, its name, and what it came with.
fn parts(rack: &Emulated, bmc: Bmc) -> Vec<(String, String, &'static str)> {
    let i = match bmc {
        Bmc::Server(i) => i,
        Bmc::Pdu(_) => return vec![("BMC".into(), "PDU Firmware".into(), "1.0.0")],
        Bmc::Equipment(i) => {
            let mut parts = vec![("BMC".into(), "Controller Firmware".into(), "1.0.0")];
            let supplies = 0..rack.equipment[i].spec.supplies().0;
            parts.extend(supplies.map(|n| (format!("PSU{n}"), format!("Supply {n} Firmware"), "1.0")));
            return parts;
        }
    };
    let mut parts = vec![
        ("BMC".into(), "BMC Firmware".into(), "1.0.0"),
        ("BIOS".into(), "System Firmware".into(), "E1.0.0"),
        ("NIC".into(), "Network Adapter Firmware".into(), "1.0"),
    ];
    parts.extend((0..2).map(|n| (format!("PSU{n}"), format!("PSU {n} Firmware"), "1.0")));
    let drives = 0..rack.servers[i].spec.drives.len();
    parts.extend(drives.map(|n| (format!("Drive{n}"), format!("Drive {n} Firmware"), "1.0")));
    parts
}

/// What runs on a part.
pub(super) fn version(rack: &Emulated, bmc: Bmc, part: &str) -> String {
    let came = parts(rack, bmc).into_iter().find(|p| p.0 == part);
    let set = rack.core(bmc).version(part);
    set.unwrap_or_else(|| came.map_or("", |p| p.2).to_string())
}

pub(super) fn get(rack: &Emulated, bmc: Bmc, segments: &[&str]) -> Option<Value> {
    Some(match segments {
        [] => json!({
            "@odata.type": "#UpdateService.v1_12_0.UpdateService",
            "Id": "UpdateService", "Name": "Update Service", "Status": fine(), "ServiceEnabled": true,
            "MaxImageSizeBytes": IMAGE, "MultipartHttpPushUri": PUSH,
            "FirmwareInventory": at(format!("{U}/FirmwareInventory")),
            "Actions": {"#UpdateService.SimpleUpdate": {
                "target": format!("{U}/Actions/UpdateService.SimpleUpdate"),
                "TransferProtocol@Redfish.AllowableValues": ["HTTP"],
            }},
        }),
        ["FirmwareInventory"] => collection(
            "SoftwareInventoryCollection",
            "Firmware",
            parts(rack, bmc)
                .iter()
                .map(|p| format!("{U}/FirmwareInventory/{}", p.0)),
        ),
        ["FirmwareInventory", id] => {
            let (id, name, _) = parts(rack, bmc).into_iter().find(|p| p.0 == *id)?;
            json!({
                "@odata.type": "#SoftwareInventory.v1_10_0.SoftwareInventory",
                "Version": version(rack, bmc, &id), "Id": id, "Name": name, "Updateable": true,
                "Manufacturer": "Busbar", "Status": fine(),
            })
        }
        _ => return None,
    })
}

/// The parts that the targets name; none for whatever the image is for.
fn targets(rack: &Emulated, bmc: Bmc, value: &Value) -> Result<Vec<String>, Response> {
    let all = parts(rack, bmc);
    let bad = || wrong("Targets", value);
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Array(paths) if paths.len() <= all.len() => {
            let part = |path: &Value| {
                let path = path.as_str().and_then(|p| p.strip_prefix(U));
                let id = path.and_then(|p| p.strip_prefix("/FirmwareInventory/"));
                let id = id.filter(|id| all.iter().any(|p| p.0 == *id));
                id.map(str::to_string).ok_or_else(bad)
            };
            paths.iter().map(part).collect()
        }
        _ => Err(bad()),
    }
}

/// A task for an update, unless one runs already.
fn begin(rack: &Emulated, bmc: Bmc) -> Result<Task, Response> {
    let core = rack.core(bmc);
    if core.tasks().iter().any(Task::updates) {
        let text = "Another update is in progress.";
        return Err(error(StatusCode::SERVICE_UNAVAILABLE, "UpdateInProgress", text, &[]));
    }
    let task = core.start_task("Update", (rack.config.clock)(), Instant::now());
    core.set_stage(task.id, Stage::Fetching);
    Ok(task)
}

fn accepted(rack: &Emulated, bmc: Bmc, task: &Task) -> Answer {
    let path = format!("/redfish/v1/TaskService/Tasks/{}", task.id);
    let mut response = plain(&document(rack, bmc, &path).unwrap_or_default());
    *response.status_mut() = StatusCode::ACCEPTED;
    put(&mut response, header::LOCATION, &path);
    Ok(response)
}

/// `SimpleUpdate`: the BMC fetches the image itself.
pub(super) fn simple(rack: &Arc<Emulated>, bmc: Bmc, body: &Value) -> Answer {
    let uri = word(body, "ImageURI")?.to_string();
    let protocol = &body["TransferProtocol"];
    if !protocol.is_null() && protocol != "HTTP" {
        return Err(wrong("TransferProtocol", protocol));
    }
    if !uri.starts_with("http://") || uri.len() > LONGEST {
        return Err(wrong("ImageURI", &body["ImageURI"]));
    }
    let targets = targets(rack, bmc, &body["Targets"])?;
    let task = begin(rack, bmc)?;
    let (working, id) = (rack.clone(), task.id);
    rack.spawn(async move {
        let image = fetch(&working, bmc, &uri).await;
        flash(&working, bmc, id, &targets, image).await;
    });
    accepted(rack, bmc, &task)
}

async fn fetch(rack: &Emulated, bmc: Bmc, uri: &str) -> Result<Bytes, String> {
    let request = Request::get(uri).body(Bytes::new()).map_err(|e| e.to_string())?;
    let answer = rack.config.net.http(rack.address(bmc), request).await;
    let answer = answer.map_err(|e| format!("The image could not be fetched: {e}"))?;
    if !answer.status().is_success() {
        return Err(format!("The image could not be fetched: {}", answer.status()));
    }
    let body = http_body_util::Limited::new(answer.into_body(), IMAGE).collect().await;
    Ok(body
        .map_err(|_| "The image ended early, or is larger than MaxImageSizeBytes.".to_string())?
        .to_bytes())
}

/// What an image says that it is.
fn label(image: &[u8]) -> Option<(String, String)> {
    let line = image.split(|b| *b == b'\n').next().filter(|l| l.len() <= LONGEST)?;
    let mut words = std::str::from_utf8(line).ok()?.split_whitespace();
    if words.next() != Some("busbar-firmware") {
        return None;
    }
    let (part, version) = (words.next()?, words.next()?);
    (words.next().is_none() && version.len() <= VERSION).then(|| (part.to_string(), version.to_string()))
}

async fn flash(rack: &Arc<Emulated>, bmc: Bmc, task: u64, targets: &[String], image: Result<Bytes, String>) {
    let core = rack.core(bmc);
    let checked = image.and_then(|image| {
        let (part, version) = label(&image).ok_or("The image is not one of this maker's.")?;
        let known = parts(rack, bmc).iter().any(|p| p.0 == part);
        if !known || (!targets.is_empty() && !targets.contains(&part)) {
            return Err(format!("The image is for {part}, which is not among the targets."));
        }
        Ok((part, version))
    });
    let (part, version) = match checked {
        Ok(checked) => checked,
        Err(why) => return core.set_stage(task, Stage::Failed(why)),
    };
    core.restart_task(task, Instant::now() + rack.scaled(FLASH));
    core.set_stage(task, Stage::Timed);
    rack.pause(FLASH).await;
    match (part.as_str(), bmc) {
        ("BIOS", _) => core.stage_version(&part, version, task),
        ("BMC", Bmc::Server(i)) => {
            core.set_version(&part, version);
            rack.reset_bmc(i);
        }
        _ => core.set_version(&part, version),
    }
    let text = format!("Firmware of {part} was updated.");
    core.emit(
        (rack.config.clock)(),
        "ResourceEvent.1.3.ResourceChanged",
        &text,
        &format!("{U}/FirmwareInventory/{part}"),
    );
}

/// A push: `multipart/form-data` with `UpdateParameters` (JSON) and `UpdateFile` (DSP0266 §12.11).
pub(super) async fn push(rack: &Arc<Emulated>, bmc: Bmc, headers: &HeaderMap, body: Body) -> Answer {
    let bad = |text: &str| error(StatusCode::BAD_REQUEST, "GeneralError", text, &[]);
    let body = http_body_util::Limited::new(body, IMAGE).collect().await.map_err(|_| {
        let text = "The supplied payload is too large.";
        error(StatusCode::PAYLOAD_TOO_LARGE, "PayloadTooLarge", text, &[])
    })?;
    let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
    let boundary = kind.filter(|k| k.starts_with("multipart/form-data")).and_then(|k| {
        let boundary = k.split(';').find_map(|p| p.trim().strip_prefix("boundary="))?;
        Some(boundary.trim_matches('"').to_string()).filter(|b| (1..=70).contains(&b.len()))
    });
    let boundary = boundary.ok_or_else(|| {
        let text = "multipart/form-data is needed here.";
        error(StatusCode::UNSUPPORTED_MEDIA_TYPE, "GeneralError", text, &[])
    })?;
    let body = body.to_bytes();
    let part = |name: &str| multipart(&body, &boundary, name);
    let parameters = part("UpdateParameters").ok_or_else(|| bad("The part UpdateParameters is missing."))?;
    let parameters: Value =
        serde_json::from_slice(&parameters).map_err(|_| bad("The part UpdateParameters is not JSON."))?;
    let image = part("UpdateFile").ok_or_else(|| bad("The part UpdateFile is missing."))?;
    let targets = targets(rack, bmc, &parameters["Targets"])?;
    let task = begin(rack, bmc)?;
    let (working, id) = (rack.clone(), task.id);
    rack.spawn(async move { flash(&working, bmc, id, &targets, Ok(image)).await });
    accepted(rack, bmc, &task)
}

fn find(within: &[u8], what: &[u8]) -> Option<usize> {
    within.windows(what.len()).position(|w| w == what)
}

/// The content of the part with this name (RFC 7578).
fn multipart(body: &Bytes, boundary: &str, name: &str) -> Option<Bytes> {
    let opening = format!("--{boundary}\r\n");
    let closing = format!("\r\n--{boundary}");
    let mut from = find(body, opening.as_bytes())? + opening.len();
    loop {
        let head = find(&body[from..], b"\r\n\r\n")? + from;
        let start = head + 4;
        let end = find(&body[head + 2..], closing.as_bytes())? + head + 2;
        let heading = String::from_utf8_lossy(&body[from..head]);
        if heading.contains(&format!("name=\"{name}\"")) || heading.contains(&format!("name={name};")) {
            return Some(body.slice(start.min(end)..end));
        }
        from = end + closing.len();
        from += body[from..].starts_with(b"\r\n").then_some(2)?;
    }
}

pub(super) fn task(rack: &Emulated, bmc: Bmc, id: &str) -> Option<Value> {
    let task = rack.core(bmc).tasks().into_iter().find(|t| t.id.to_string() == id)?;
    let (state, percent) = task.progress();
    let messages = match &task.stage {
        Stage::Failed(why) => {
            json!([{"MessageId": "Base.1.18.GeneralError", "Message": why, "MessageSeverity": "Critical"}])
        }
        Stage::Waiting => json!([{
            "MessageId": "Base.1.18.ResetRequired", "Message": "The new version runs from the next boot on.",
            "MessageArgs": ["/redfish/v1/Systems/1/Actions/ComputerSystem.Reset", "ForceRestart"], "MessageSeverity": "Warning",
        }]),
        _ => json!([]),
    };
    Some(json!({
        "@odata.type": "#Task.v1_7_0.Task",
        "Id": id, "Name": task.name, "StartTime": task.started.to_string(), "TaskState": state,
        "TaskStatus": if state == "Exception" { "Critical" } else { "OK" },
        "PercentComplete": percent, "Messages": messages,
    }))
}

/// The BMC starts again, and a task says when it has.
pub(super) fn restart(rack: &Emulated, bmc: Bmc, i: usize) -> Answer {
    let until = Instant::now() + rack.scaled(BMC_RESET);
    let task = rack.core(bmc).start_task("Manager reset", (rack.config.clock)(), until);
    rack.reset_bmc(i);
    accepted(rack, bmc, &task)
}

/// What boots, boots the firmware that waits for it.
pub(crate) fn booted(core: &BmcCore) {
    core.apply_staged();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_form_are_found_by_name_and_broken_forms_have_none() {
        let form = "--x\r\nContent-Disposition: form-data; name=\"UpdateParameters\"\r\n\r\n{}\r\n\
                    --x\r\nContent-Disposition: form-data; name=\"UpdateFile\"; filename=\"a\"\r\n\r\nab\r\ncd\r\n--x--\r\n";
        let body = Bytes::from(form);
        assert_eq!(multipart(&body, "x", "UpdateParameters").as_deref(), Some(&b"{}"[..]));
        assert_eq!(multipart(&body, "x", "UpdateFile").as_deref(), Some(&b"ab\r\ncd"[..]));
        assert_eq!(multipart(&body, "x", "Other"), None);
        for cut in 0..form.len() {
            let _ = multipart(&body.slice(..cut), "x", "UpdateFile");
        }
    }

    #[test]
    fn an_image_says_what_it_is_in_its_first_line() {
        let is = |text: &str| label(text.as_bytes());
        assert_eq!(is("busbar-firmware BIOS E2\nrest"), Some(("BIOS".into(), "E2".into())));
        for bad in [
            "",
            "busbar-firmware BIOS",
            "other BIOS E2",
            "busbar-firmware BIOS E2 x",
            "\u{0}\n",
        ] {
            assert_eq!(is(bad), None, "{bad}");
        }
    }
}
