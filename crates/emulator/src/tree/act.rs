//! Actions: what a resource's `Actions` name at their `target`, with parameters checked as the tree itself says.

use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde_json::{Value, json};

use super::Tree;
use super::power::{Later, Refused, link};
use crate::redfish::{error, missing, plain, put};

type Answer = Result<Response, Response>;

/// What an update takes.
const UPDATE: std::time::Duration = std::time::Duration::from_secs(10);

/// An action that a resource offers.
struct Offered {
    /// The resource.
    owner: String,
    /// `ComputerSystem.Reset`.
    name: String,
    /// Its entry in `Actions`.
    entry: Value,
}

fn done() -> Answer {
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn bad(message: &str, text: &str, arguments: &[&str]) -> Response {
    error(StatusCode::BAD_REQUEST, message, text, arguments)
}

impl Tree {
    pub(super) fn act(&self, path: &str, body: &Value) -> Answer {
        let action = self.offered(path).ok_or_else(|| missing(path))?;
        self.check(&action, body)?;
        let owner = action.owner.as_str();
        let word = |name: &str| body[name].as_str().unwrap_or_default();
        match action.name.as_str() {
            "ComputerSystem.Reset" | "Chassis.Reset" | "Drive.Reset" | "Processor.Reset" | "PowerSupply.Reset" => {
                let kind = match word("ResetType") {
                    // DSP0268: a service picks its own default, and that is a restart
                    "" => "ForceRestart",
                    kind => kind,
                };
                let systems = self.linked(owner, "ComputerSystems");
                let reset = match action.name.as_str() {
                    "Chassis.Reset" if !systems.is_empty() => systems.iter().try_for_each(|s| self.reset(s, kind)),
                    _ => self.reset(owner, kind),
                };
                self.reset_answer(kind, reset)
            }
            "Manager.Reset" => {
                self.reset_bmc();
                done()
            }
            "VirtualMedia.InsertMedia" => {
                let image = word("Image");
                if !image.contains("://") && !image.starts_with("//") || image.len() > 2048 {
                    let text = format!("The value {image} for the parameter Image is not a URI.");
                    return Err(bad(
                        "ActionParameterValueFormatError",
                        &text,
                        &[image, "Image", &action.name],
                    ));
                }
                let name = image.rsplit('/').next().unwrap_or_default().to_owned();
                let protected = body["WriteProtected"].as_bool().unwrap_or(true);
                self.change(owner, |d| {
                    d["Image"] = json!(image);
                    d["ImageName"] = json!(name);
                    d["Inserted"] = json!(true);
                    d["ConnectedVia"] = json!("URI");
                    d["WriteProtected"] = json!(protected);
                });
                done()
            }
            "VirtualMedia.EjectMedia" => {
                self.change(owner, |d| {
                    d["Image"] = Value::Null;
                    d["ImageName"] = Value::Null;
                    d["Inserted"] = json!(false);
                    d["ConnectedVia"] = json!("NotConnected");
                });
                done()
            }
            "Outlet.PowerControl" | "OutletGroup.PowerControl" => self.outlet(owner, word("PowerState")),
            "LogService.ClearLog" => {
                let entries = self.document(owner).and_then(|d| link(&d["Entries"]));
                if let Some(entries) = entries {
                    self.change(&entries, |d| {
                        d["Members"] = json!([]);
                        d["Members@odata.count"] = json!(0);
                    });
                }
                done()
            }
            "UpdateService.SimpleUpdate" => self.update(body, word("ImageURI")),
            "ManagerAccount.ChangePassword" => {
                let user = self
                    .shown(owner)
                    .and_then(|d| d["UserName"].as_str().map(str::to_owned));
                if let Some(user) = user {
                    self.set_password(&user, word("NewPassword"));
                }
                done()
            }
            _ => done(),
        }
    }

    fn reset_answer(&self, kind: &str, reset: Result<(), Refused>) -> Answer {
        match reset {
            Ok(()) => done(),
            Err(Refused::NotNow(state)) => {
                let text = format!("The reset {kind} can't be done while the power state is {state}.");
                Err(error(StatusCode::CONFLICT, "ResourceInUse", &text, &[]))
            }
            Err(Refused::Busy) => {
                let text = "More is under way than this service keeps track of.";
                let status = StatusCode::SERVICE_UNAVAILABLE;
                Err(error(status, "ServiceTemporarilyUnavailable", text, &["10"]))
            }
        }
    }

    fn outlet(&self, path: &str, state: &str) -> Answer {
        let outlets = match self.document(path) {
            Some(d) if path.contains("/OutletGroups/") => d["Links"]["Outlets"]
                .as_array()
                .map(|l| l.iter().filter_map(link).collect())
                .unwrap_or_default(),
            _ => vec![path.to_owned()],
        };
        for outlet in outlets {
            let reset = match state {
                "On" => self.reset(&outlet, "On"),
                "Off" => self.reset(&outlet, "ForceOff"),
                "PowerCycle" => self.reset(&outlet, "PowerCycle"),
                _ => {
                    let text = format!("The value {state} for the parameter PowerState is not in the list.");
                    return Err(bad(
                        "ActionParameterValueNotInList",
                        &text,
                        &[state, "PowerState", "PowerControl"],
                    ));
                }
            };
            self.reset_answer(state, reset)?;
        }
        done()
    }

    /// A task that ends; the targets then show the version that the file's name tells, if it tells one.
    fn update(&self, body: &Value, image: &str) -> Answer {
        if !image.contains("://") {
            let text = format!("The value {image} for the parameter ImageURI is not a URI.");
            return Err(bad(
                "ActionParameterValueFormatError",
                &text,
                &[image, "ImageURI", "SimpleUpdate"],
            ));
        }
        if let Some(version) = version_in(image) {
            let targets = body["Targets"].as_array().cloned().unwrap_or_default();
            let set = targets.iter().filter_map(Value::as_str).filter_map(|target| {
                let at = super::files::canonical(target).to_owned();
                self.document(&at)?.get("Version")?;
                Some((UPDATE, Later::Set(at, "Version", json!(version))))
            });
            let steps = set.collect();
            self.reset_answer("update", self.later(steps))?;
        }
        let until = tokio::time::Instant::now() + self.scaled(UPDATE);
        let task = self.core.start_task("Update", (self.options.clock)(), until);
        let at = format!("{}/{}", self.shape.tasks, task.id);
        let mut response = plain(&self.task(&at).unwrap_or_default());
        *response.status_mut() = StatusCode::ACCEPTED;
        put(&mut response, header::LOCATION, &at);
        Ok(response)
    }

    /// A task that was started here, as a document.
    pub(super) fn task(&self, path: &str) -> Option<Value> {
        let id: u64 = path.strip_prefix(&self.shape.tasks)?.strip_prefix('/')?.parse().ok()?;
        let task = self.core.tasks().into_iter().find(|t| t.id == id)?;
        let running = tokio::time::Instant::now() < task.until;
        let (state, percent, text) = match running {
            true => ("Running", 50, "TaskStarted"),
            false => ("Completed", 100, "TaskCompletedOK"),
        };
        Some(json!({
            "@odata.id": path,
            "@odata.type": "#Task.v1_7_4.Task",
            "Id": id.to_string(),
            "Name": task.name,
            "TaskState": state,
            "TaskStatus": "OK",
            "PercentComplete": percent,
            "StartTime": task.started.to_string(),
            "Messages": [{"MessageId": format!("TaskEvent.1.0.{text}"), "Message": format!("The task is {state}.")}],
        }))
    }

    /// The action whose target is this path.
    fn offered(&self, path: &str) -> Option<Offered> {
        let (owner, _) = path.split_once("/Actions/")?;
        let document = self.document(owner)?;
        let actions = document["Actions"].as_object()?;
        let oem = actions.get("Oem").and_then(Value::as_object);
        // makers put their own actions under Oem, some under one more object with their name
        let nested = oem.into_iter().flatten().filter_map(|(_, v)| v.as_object()).flatten();
        let all = actions.iter().chain(oem.into_iter().flatten()).chain(nested);
        for (key, entry) in all {
            let target = entry["target"].as_str().map(super::files::canonical);
            if target == Some(path) && key.starts_with('#') {
                return Some(Offered {
                    owner: owner.to_owned(),
                    name: key.trim_start_matches('#').to_owned(),
                    entry: entry.clone(),
                });
            }
        }
        None
    }

    /// Checks parameters against `X@Redfish.AllowableValues` and `@Redfish.ActionInfo` (DSP0266 §9.4).
    fn check(&self, action: &Offered, body: &Value) -> Result<(), Response> {
        let given = body.as_object().cloned().unwrap_or_default();
        let info = action.entry["@Redfish.ActionInfo"]
            .as_str()
            .and_then(|p| self.document(p));
        let parameters = info.map(|i| i["Parameters"].as_array().cloned().unwrap_or_default());
        let parameters = parameters.unwrap_or_default();
        for p in parameters.iter().filter(|p| p["Required"] == true) {
            let name = p["Name"].as_str().unwrap_or_default();
            if !given.contains_key(name) {
                return Err(lacking(&action.name, name));
            }
        }
        let must = match action.name.as_str() {
            "VirtualMedia.InsertMedia" => "Image",
            "UpdateService.SimpleUpdate" => "ImageURI",
            "Outlet.PowerControl" | "OutletGroup.PowerControl" => "PowerState",
            "ManagerAccount.ChangePassword" => "NewPassword",
            _ => "",
        };
        if !must.is_empty() && !given.contains_key(must) {
            return Err(lacking(&action.name, must));
        }
        for (name, value) in &given {
            let inline = action.entry[format!("{name}@Redfish.AllowableValues")].as_array();
            let told = parameters.iter().find(|p| p["Name"] == name.as_str());
            let list = inline.or_else(|| told.and_then(|p| p["AllowableValues"].as_array()));
            let Some(list) = list.filter(|l| !l.is_empty()) else {
                continue;
            };
            if value.is_string() && !list.contains(value) {
                let text =
                    format!("The value {value} for the parameter {name} is not in the list of acceptable values.");
                let value = value.to_string();
                return Err(bad(
                    "ActionParameterValueNotInList",
                    &text,
                    &[&value, name, &action.name],
                ));
            }
        }
        Ok(())
    }

    /// Whether a path is the target of an action.
    pub(super) fn is_action(&self, path: &str) -> bool {
        self.offered(path).is_some()
    }
}

fn lacking(action: &str, name: &str) -> Response {
    let text = format!("The action {action} requires the parameter {name} to be present in the request body.");
    bad("ActionParameterMissing", &text, &[action, name])
}

/// The version in the name of a file: `bios-2.19.1.bin` → `2.19.1`.
fn version_in(uri: &str) -> Option<String> {
    let name = uri.split('?').next()?.rsplit('/').next()?;
    let words = name.split(|c: char| !c.is_ascii_digit() && c != '.');
    let word = words.map(|w| w.trim_matches('.')).find(|w| w.contains('.'))?;
    Some(word.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    #[test]
    fn a_version_is_found_in_the_name_of_a_file() {
        for (uri, want) in [
            ("http://10.0.0.1/fw/bios-2.19.1.bin", Some("2.19.1")),
            ("http://10.0.0.1/fw/bios.bin", None),
            ("https://x/bmc_24.10-3.fwpkg?sig=1.2", Some("24.10")),
        ] {
            assert_eq!(super::version_in(uri).as_deref(), want, "{uri}");
        }
    }
}
