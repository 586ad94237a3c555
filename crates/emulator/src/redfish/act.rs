//! What can be changed: actions, PATCH, sessions.

use std::sync::Arc;

use axum::response::IntoResponse;
use http::{Method, StatusCode, header};
use serde_json::Value;

use super::{Answer, accounts, document, error, events, missing, plain, put, update};
use crate::emulated::{Bmc, Emulated, RESETS, Refused};

/// Seconds that an outlet stays off in a power cycle.
const CYCLE: f64 = 5.0;

/// The methods of a path, for `Allow`.
pub(super) fn allowed(bmc: Bmc, segments: &[&str]) -> &'static str {
    match segments {
        // of what is no server nothing is set
        ["Chassis" | "Systems", ..] if !matches!(bmc, Bmc::Server(_)) => "GET, HEAD",
        s if is_action(s) => "POST",
        ["SessionService", "Sessions"] => "GET, HEAD, POST",
        ["SessionService", "Sessions", "Members"] => "POST",
        ["SessionService", "Sessions", _] | ["EventService", "Subscriptions", _] => "GET, HEAD, DELETE",
        ["AccountService", "Accounts"]
        | ["EventService", "Subscriptions"]
        | ["Systems", "1", "Storage", "1", "Volumes"] => "GET, HEAD, POST",
        ["AccountService", "Accounts", _] => "GET, HEAD, PATCH, DELETE",
        ["Chassis", "1"]
        | ["Chassis", "1", "Power" | "EnvironmentMetrics"]
        | ["Systems", "1", "Processors", _, "EnvironmentMetrics"] => "GET, HEAD, PATCH",
        ["Systems", "1"] | ["Systems", "1", "Bios", "Settings"] | ["SessionService"] => "GET, HEAD, PATCH",
        _ => "GET, HEAD",
    }
}

/// Whether a path is that of an action which some BMC here has.
pub(super) fn is_action(segments: &[&str]) -> bool {
    matches!(
        segments,
        ["Systems", "1", "Actions", "ComputerSystem.Reset"]
            | ["UpdateService", "upload"]
            | ["UpdateService", "Actions", "UpdateService.SimpleUpdate"]
            | ["Systems", "1", "LogServices", "SEL", "Actions", "LogService.ClearLog"]
            | ["Managers", "BMC", "Actions", "Manager.Reset"]
            | [
                "Managers",
                "BMC",
                "VirtualMedia",
                "Cd",
                "Actions",
                "VirtualMedia.InsertMedia" | "VirtualMedia.EjectMedia"
            ]
            | [
                "PowerEquipment",
                "RackPDUs",
                "1",
                "Outlets",
                _,
                "Actions",
                "Outlet.PowerControl"
            ]
    )
}

pub(super) fn done() -> Answer {
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) fn wrong(property: &str, value: &Value) -> axum::response::Response {
    let text = format!("The value '{value}' for the property {property} is not a value that is taken.");
    error(
        StatusCode::BAD_REQUEST,
        "PropertyValueNotInList",
        &text,
        &[&value.to_string(), property],
    )
}

fn read_only(property: &str) -> axum::response::Response {
    let text = format!("The property {property} is read-only.");
    error(StatusCode::BAD_REQUEST, "PropertyNotWritable", &text, &[property])
}

pub(super) fn unknown(property: &str) -> axum::response::Response {
    let text = format!("The property {property} is not in the list of valid properties.");
    error(StatusCode::BAD_REQUEST, "PropertyUnknown", &text, &[property])
}

pub(super) fn lacking(property: &str) -> axum::response::Response {
    let text = format!("The property {property} is required and was not given.");
    error(StatusCode::BAD_REQUEST, "PropertyMissing", &text, &[property])
}

pub(super) fn word<'a>(body: &'a Value, key: &str) -> Result<&'a str, axum::response::Response> {
    match &body[key] {
        Value::Null => Err(lacking(key)),
        Value::String(text) => Ok(text),
        other => Err(wrong(key, other)),
    }
}

pub(super) fn act(
    rack: &Arc<Emulated>,
    bmc: Bmc,
    method: &Method,
    path: &str,
    segments: &[&str],
    body: Value,
    by: Option<&super::accounts::Account>,
) -> Answer {
    let core = rack.core(bmc);
    match (method.as_str(), segments, bmc) {
        ("POST", ["SessionService", "Sessions", ..], _) => {
            let (user, password) = (word(&body, "UserName")?, word(&body, "Password")?);
            let refused = rack
                .faults
                .inside(rack.name(bmc), |a| *a == crate::Action::WrongPassword)
                .is_some();
            if refused || core.login(user, password).is_none() {
                let text = "The user name or password is not right.";
                return Err(error(
                    StatusCode::UNAUTHORIZED,
                    "ResourceAtUriUnauthorized",
                    text,
                    &[path, text],
                ));
            }
            let Some((id, token)) = core.open(user) else {
                let text = "The session could not be opened: there are as many as this service has room for.";
                return Err(error(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "SessionLimitExceeded",
                    text,
                    &[],
                ));
            };
            let at = format!("/redfish/v1/SessionService/Sessions/{id}");
            let mut response = plain(&document(rack, bmc, &at).unwrap_or_default());
            *response.status_mut() = StatusCode::CREATED;
            put(&mut response, header::LOCATION, &at);
            put(&mut response, header::HeaderName::from_static("x-auth-token"), &token);
            Ok(response)
        }
        ("DELETE", ["SessionService", "Sessions", id], _) => match id.parse() {
            Ok(id) if core.close(id) => done(),
            _ => Err(missing(path)),
        },
        (_, ["AccountService", "Accounts"], _) => accounts::act(rack, bmc, method, path, None, &body, by),
        (_, ["AccountService", "Accounts", id], _) => accounts::act(rack, bmc, method, path, Some(id), &body, by),
        ("POST", ["EventService", "Subscriptions"], _) => events::add(rack, bmc, &body),
        ("DELETE", ["EventService", "Subscriptions", id], _) => events::remove(rack, bmc, id, path),
        ("POST", ["UpdateService", "Actions", _], _) => update::simple(rack, bmc, &body),
        ("PATCH", ["Chassis", "1"], Bmc::Server(i)) => {
            patch_system(rack, i, path, &body, &["AssetTag", "LocationIndicatorActive"])?;
            Ok(plain(&document(rack, bmc, path).unwrap_or_default()))
        }
        ("PATCH", ["Chassis" | "Systems", "1", .., "Power" | "EnvironmentMetrics"], Bmc::Server(i)) => {
            super::limits::patch(rack, i, path, segments, &body)
        }
        ("POST", ["Systems", "1", "Storage", "1", "Volumes"], Bmc::Server(_)) => {
            let text =
                "The drives hang directly on the processor: each has its one volume already, and none can be joined.";
            Err(error(StatusCode::CONFLICT, "ResourceInUse", text, &[]))
        }
        ("PATCH", ["SessionService"], _) => {
            let seconds = body["SessionTimeout"].as_u64().filter(|s| (30..=86_400).contains(s));
            core.timeout(Some(
                seconds.ok_or_else(|| wrong("SessionTimeout", &body["SessionTimeout"]))?,
            ));
            done()
        }
        ("PATCH", ["Systems", "1"], Bmc::Server(i)) => {
            patch_system(rack, i, path, &body, &["AssetTag", "LocationIndicatorActive", "Boot"])?;
            Ok(plain(&document(rack, bmc, path).unwrap_or_default()))
        }
        ("PATCH", ["Systems", "1", "Bios", "Settings"], Bmc::Server(i)) => {
            let turbo = &body["Attributes"]["Turbo"];
            rack.state(i).turbo[1] = turbo.as_bool().ok_or_else(|| wrong("Turbo", turbo))?;
            done()
        }
        ("POST", ["Systems", "1", "Actions", _], Bmc::Server(i)) => {
            let kind = word(&body, "ResetType")?;
            match rack.reset(i, kind) {
                Ok(()) => done(),
                Err(Refused::Unknown) => {
                    let text = format!("The reset type {kind} is none of {}.", RESETS.join(", "));
                    let arguments = [kind, "ResetType", "ComputerSystem.Reset"];
                    Err(error(
                        StatusCode::BAD_REQUEST,
                        "ActionParameterValueNotInList",
                        &text,
                        &arguments,
                    ))
                }
                Err(Refused::NotNow) => {
                    let state = rack.view(i).power.word();
                    let text = format!("The reset {kind} can't be done while the power state is {state}.");
                    Err(error(StatusCode::CONFLICT, "ResourceInUse", &text, &[]))
                }
            }
        }
        ("POST", ["Systems", "1", "LogServices", ..], Bmc::Server(_)) => {
            core.clear_log();
            done()
        }
        ("POST", ["Managers", "BMC", "Actions", _], Bmc::Server(i)) => {
            let kind = body["ResetType"].as_str().unwrap_or("ForceRestart");
            if !matches!(kind, "ForceRestart" | "GracefulRestart") {
                return Err(wrong("ResetType", &body["ResetType"]));
            }
            super::update::restart(rack, bmc, i)
        }
        ("POST", ["Managers", "BMC", "VirtualMedia", _, "Actions", action], Bmc::Server(i)) => {
            if *action == "VirtualMedia.EjectMedia" {
                rack.state(i).media = None;
                return done();
            }
            let image = word(&body, "Image")?;
            if !image.contains("://") || image.len() > 2048 {
                return Err(wrong("Image", &body["Image"]));
            }
            rack.state(i).media = Some(image.to_string());
            done()
        }
        ("POST", ["PowerEquipment", _, _, "Outlets", id, ..], Bmc::Pdu(p)) => {
            let n = super::pdu::number(rack, p, id).ok_or_else(|| missing(path))?;
            // the outlet is there: it has just been looked up
            let set = move |rack: &Emulated, on| drop(rack.set_outlet(p, n, on));
            match word(&body, "PowerState")? {
                "On" => set(rack, true),
                "Off" => set(rack, false),
                "PowerCycle" => {
                    set(rack, false);
                    let rack = rack.clone();
                    rack.clone().spawn(async move {
                        rack.pause(CYCLE).await;
                        set(&rack, true);
                    });
                }
                _ => return Err(wrong("PowerState", &body["PowerState"])),
            }
            done()
        }
        _ => Err(missing(path)),
    }
}

/// Checks everything before it changes anything.
fn patch_system(
    rack: &Emulated,
    i: usize,
    path: &str,
    body: &Value,
    writable: &[&str],
) -> Result<(), axum::response::Response> {
    let map = body.as_object().filter(|m| !m.is_empty());
    let map = map.ok_or_else(|| {
        error(
            StatusCode::BAD_REQUEST,
            "EmptyObject",
            "There is nothing to change.",
            &[],
        )
    })?;
    let view = rack.view(i);
    let (mut boot, mut tag, mut led) = (view.boot, view.tag, view.led);
    for (key, value) in map.iter().filter(|(k, _)| !k.starts_with('@')) {
        match (key.as_str(), value) {
            (key, _) if !writable.contains(&key) => {
                let known = document(rack, Bmc::Server(i), path).is_some_and(|d| !d[key].is_null());
                return Err(if known { read_only(key) } else { unknown(key) });
            }
            ("AssetTag", Value::String(text)) if text.len() <= 128 => tag = text.clone(),
            ("LocationIndicatorActive", Value::Bool(lit)) => led = *lit,
            ("Boot", Value::Object(wanted)) => {
                for (key, value) in wanted {
                    let text = value.as_str().unwrap_or_default();
                    match key.as_str() {
                        "BootSourceOverrideTarget" if super::system::targets(&rack.servers[i].spec).contains(&text) => {
                            boot.target = text.into()
                        }
                        "BootSourceOverrideEnabled" if matches!(text, "Disabled" | "Once" | "Continuous") => {
                            boot.enabled = text.into();
                        }
                        "BootSourceOverrideMode" if text == super::system::mode(&rack.servers[i].spec) => {}
                        "HttpBootUri" if value.is_null() || text.starts_with("http") && text.len() <= 2048 => {
                            boot.uri = text.into();
                        }
                        _ => return Err(wrong(key, value)),
                    }
                }
            }
            _ => return Err(wrong(key, value)),
        }
    }
    if boot.enabled == "Disabled" {
        boot.target = "None".into();
    }
    {
        let mut state = rack.state(i);
        (state.boot, state.tag, state.led) = (boot, tag, led);
    }
    rack.save();
    let core = &rack.servers[i].core;
    let text = "One or more resource properties have changed.";
    core.emit((rack.config.clock)(), "ResourceEvent.1.3.ResourceChanged", text, path);
    Ok(())
}
