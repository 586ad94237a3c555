//! PATCH: merged into the resource when every property is known, writable, of its type, and among what is allowed.

use axum::response::Response;
use http::StatusCode;
use serde_json::{Map, Value};

use super::Tree;
use crate::redfish::error;

/// What a service keeps for itself (DSP0266 §9, and the schemas of what is here).
const READ_ONLY: [&str; 13] = [
    "Id",
    "Name",
    "Description",
    "Status",
    "PowerState",
    "Actions",
    "Members",
    "SerialNumber",
    "UUID",
    "Manufacturer",
    "Model",
    "PartNumber",
    "FirmwareVersion",
];

impl Tree {
    /// Checks everything, then changes everything.
    pub(super) fn patch(&self, path: &str, body: &Value) -> Result<(), Response> {
        let wanted = body
            .as_object()
            .filter(|m| !m.is_empty())
            .ok_or_else(|| bad("EmptyObject", "There is nothing to change.", &[]))?;
        let document = self.document(path).unwrap_or_default();
        let mut merged = document.clone();
        let known = self.attributes(path);
        merge(&mut merged, wanted, known.as_ref(), "")?;
        if let Some(Value::Object(attributes)) = wanted.get("Attributes").filter(|_| known.is_some()) {
            let mut state = self.lock();
            let pending = state.settings.entry(path.to_owned()).or_default();
            pending.extend(attributes.clone());
        }
        if let Some(Value::String(password)) = wanted.get("Password")
            && let Some(user) = self.shown(path).unwrap_or_default()["UserName"].as_str()
        {
            self.set_password(user, password);
        }
        self.change(path, |d| *d = merged);
        let text = "One or more resource properties have changed.";
        self.emit("ResourceEvent.1.3.ResourceChanged", text, path);
        Ok(())
    }

    /// What may be set through a settings object whose own attributes are empty until something is: those of the resource
    /// that it belongs to.
    fn attributes(&self, path: &str) -> Option<Map<String, Value>> {
        let owner = self.shape.settings_of.get(path)?;
        self.document(owner)?["Attributes"].as_object().cloned()
    }
}

fn bad(message: &str, text: &str, arguments: &[&str]) -> Response {
    error(StatusCode::BAD_REQUEST, message, text, arguments)
}

fn merge(
    into: &mut Value,
    wanted: &Map<String, Value>,
    known: Option<&Map<String, Value>>,
    within: &str,
) -> Result<(), Response> {
    for (key, value) in wanted {
        let at = if within.is_empty() {
            key.clone()
        } else {
            format!("{within}/{key}")
        };
        if key.starts_with('@') {
            // annotations such as @odata.id tell the service nothing and change nothing
            continue;
        }
        if within.is_empty() && READ_ONLY.contains(&key.as_str()) {
            let text = format!("The property {key} is a read-only property and cannot be assigned a value.");
            return Err(bad("PropertyNotWritable", &text, &[key]));
        }
        let shape = match (into.get(key), known.filter(|_| within == "Attributes")) {
            (Some(now), _) => now.clone(),
            (None, Some(known)) if known.contains_key(key) => known[key].clone(),
            (None, Some(_)) if within == "Attributes" => return Err(unknown(&at)),
            (None, Some(_)) | (None, None) if key == "Attributes" && known.is_some() => Value::Object(Map::new()),
            // a password is never shown, so a capture can't tell that it may be set
            (None, _) if key == "Password" && into.get("UserName").is_some() => Value::Null,
            (None, _) => return Err(unknown(&at)),
        };
        allowed(into, key, value)?;
        match (&shape, value) {
            (Value::Object(_), Value::Object(inner)) => {
                let mut merged = shape.clone();
                merge(&mut merged, inner, known, &at)?;
                into[key.as_str()] = merged;
            }
            (Value::Array(now), Value::Array(new)) => {
                let mut merged = now.clone();
                elements(&mut merged, new, &at)?;
                into[key.as_str()] = Value::Array(merged);
            }
            _ if key == "Password" => into["Password"] = Value::Null,
            _ if same_type(&shape, value) => into[key.as_str()] = value.clone(),
            _ => {
                let text = format!("The value {value} for the property {at} is of a different type than it accepts.");
                return Err(bad("PropertyValueTypeError", &text, &[&value.to_string(), &at]));
            }
        }
    }
    Ok(())
}

/// An array is replaced, but objects in it are merged place by place: `{}` leaves one, `null` removes it (§8.6.3).
fn elements(now: &mut Vec<Value>, new: &[Value], at: &str) -> Result<(), Response> {
    let mut out = Vec::with_capacity(new.len());
    for (i, value) in new.iter().enumerate() {
        match (now.get(i), value) {
            (_, Value::Null) => {}
            (Some(old @ Value::Object(_)), Value::Object(inner)) => {
                let mut merged = old.clone();
                merge(&mut merged, inner, None, &format!("{at}/{i}"))?;
                out.push(merged);
            }
            _ => out.push(value.clone()),
        }
    }
    if new.iter().all(Value::is_object) {
        out.extend(now.iter().skip(new.len()).cloned());
    }
    *now = out;
    Ok(())
}

fn unknown(at: &str) -> Response {
    let text = format!("The property {at} is not in the list of valid properties for the resource.");
    bad("PropertyUnknown", &text, &[at])
}

/// `null` may become any plain value; what is plain may become null.
fn same_type(now: &Value, new: &Value) -> bool {
    matches!(
        (now, new),
        (
            Value::Null,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)
        ) | (Value::Bool(_) | Value::Number(_) | Value::String(_), Value::Null)
            | (Value::Bool(_), Value::Bool(_))
            | (Value::Number(_), Value::Number(_))
            | (Value::String(_), Value::String(_))
    )
}

/// `X@Redfish.AllowableValues`, and `AllowableMin`/`AllowableMax` beside a set point.
fn allowed(beside: &Value, key: &str, value: &Value) -> Result<(), Response> {
    if let Some(list) = beside
        .get(format!("{key}@Redfish.AllowableValues"))
        .and_then(Value::as_array)
        && !list.is_empty()
        && value.is_string()
        && !list.contains(value)
    {
        let text = format!("The value {value} for the property {key} is not in the list of acceptable values.");
        return Err(bad("PropertyValueNotInList", &text, &[&value.to_string(), key]));
    }
    let range = |name: &str| beside.get(name).and_then(Value::as_f64);
    if matches!(key, "SetPoint" | "PowerLimitWatts")
        && let Some(n) = value.as_f64()
        && (range("AllowableMin").is_some_and(|low| n < low) || range("AllowableMax").is_some_and(|high| n > high))
    {
        let text = format!("The value {value} for the property {key} is not in the supported range.");
        return Err(bad("PropertyValueOutOfRange", &text, &[&value.to_string(), key]));
    }
    Ok(())
}
