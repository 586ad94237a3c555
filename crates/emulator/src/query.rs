//! Query parameters (DSP0266 §7.3), as far as a service's root claims them; others are refused, as real services do.
//! One for the emulated boxes and the captured trees: each says what it claims and where its documents are.

// an answer that refuses is as large as one that grants
#![allow(clippy::result_large_err)]

use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};

use crate::redfish::error;

/// Documents that one answer may hold; a larger expansion stays links beyond it.
const EXPANDED: usize = 2_000;

/// What a root claims.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Claims {
    links: bool,
    no_links: bool,
    all: bool,
    levels: u64,
    select: bool,
    pages: bool,
}

/// Deepest `$expand` that any service here offers.
pub(crate) const LEVELS: u64 = 6;

impl Claims {
    /// Whatever there is to claim.
    pub(crate) const ALL: Claims = Claims {
        links: true,
        no_links: true,
        all: true,
        levels: LEVELS,
        select: true,
        pages: true,
    };

    pub(crate) fn of(root: &Value) -> Claims {
        let features = &root["ProtocolFeaturesSupported"];
        let expand = &features["ExpandQuery"];
        let yes = |v: &Value| *v == json!(true);
        let levels = match yes(&expand["Levels"]) {
            true => expand["MaxLevels"].as_u64().unwrap_or(1).clamp(1, LEVELS),
            false => 1,
        };
        Claims {
            links: yes(&expand["Links"]),
            no_links: yes(&expand["NoLinks"]),
            all: yes(&expand["ExpandAll"]),
            levels,
            select: yes(&features["SelectQuery"]),
            // there is no claim for `$top` and `$skip` in older schemas: whoever pages can be asked for pages
            pages: features["TopSkipQuery"] != json!(false) && features.is_object(),
        }
    }
}

/// Shapes a document as the query asks. `Ok(false)` when there was nothing to do and the bytes may be served as they lie.
pub(crate) fn shape(
    claims: Claims,
    at: &dyn Fn(&str) -> Option<Value>,
    document: &mut Value,
    query: &str,
) -> Result<bool, Response> {
    let mut shaped = false;
    for pair in query.split('&').filter(|p| !p.is_empty()) {
        let plain = pair
            .replace("%24", "$")
            .replace("%28", "(")
            .replace("%29", ")")
            .replace("%3D", "=")
            .replace("%2C", ",");
        let (key, value) = plain.split_once('=').unwrap_or((&plain, ""));
        let bad = || {
            let text = format!("The value {value} for the query parameter {key} is not of a form that is taken.");
            error(
                StatusCode::BAD_REQUEST,
                "QueryParameterValueFormatError",
                &text,
                &[value, key],
            )
        };
        match key {
            "$expand" if claims.links || claims.no_links || claims.all => {
                let (kind, rest) = value.split_at_checked(1).ok_or_else(bad)?;
                let offered = match kind {
                    "." => claims.no_links,
                    "~" => claims.links,
                    "*" => claims.all,
                    _ => false,
                };
                let levels = match rest {
                    "" => 1,
                    _ => rest
                        .strip_prefix("($levels=")
                        .and_then(|r| r.strip_suffix(')'))
                        .and_then(|n| n.parse::<u64>().ok())
                        .ok_or_else(bad)?,
                };
                if !offered || levels == 0 || levels > claims.levels {
                    return Err(bad());
                }
                let mut left = EXPANDED;
                expand(at, document, kind, levels, true, &mut left);
            }
            "$select" if claims.select => {
                let wanted: Vec<&str> = value.split(',').map(|w| w.split('/').next().unwrap_or(w)).collect();
                if let Some(map) = document.as_object_mut() {
                    map.retain(|k, _| k.starts_with("@odata.") || wanted.contains(&k.as_str()));
                }
            }
            "$skip" if claims.pages => {
                let n: usize = value.parse().map_err(|_| bad())?;
                if let Some(members) = document.get_mut("Members").and_then(Value::as_array_mut) {
                    members.drain(..n.min(members.len()));
                }
            }
            "$top" if claims.pages => {
                let n: usize = value.parse().map_err(|_| bad())?;
                if let Some(members) = document.get_mut("Members").and_then(Value::as_array_mut) {
                    members.truncate(n);
                }
            }
            // what does not begin with `$` and is not known is passed over (DSP0266 §7.3)
            k if !k.starts_with('$') => continue,
            k => {
                let text = format!("The query parameter {k} is not supported.");
                let status = StatusCode::NOT_IMPLEMENTED;
                return Err(error(status, "QueryNotSupportedOnResource", &text, &[]));
            }
        }
        shaped = true;
    }
    Ok(shaped)
}

/// `.` expands what is subordinate, `~` what stands in `Links`, `*` both (DSP0266 §7.3.1).
fn expand(at: &dyn Fn(&str) -> Option<Value>, value: &mut Value, kind: &str, levels: u64, top: bool, left: &mut usize) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|v| expand(at, v, kind, levels, false, left)),
        Value::Object(map) => {
            if !top && map.len() == 1 {
                if let Some(Value::String(path)) = map.get("@odata.id")
                    && !path.contains('#')
                    && *left > 0
                    && let Some(mut document) = at(path)
                {
                    *left -= 1;
                    if levels > 1 {
                        expand(at, &mut document, kind, levels - 1, true, left);
                    }
                    *value = document;
                }
                return;
            }
            for (key, v) in map.iter_mut() {
                if key == "Links" && kind == "." || kind == "~" && key != "Links" && top {
                    continue;
                }
                expand(at, v, kind, levels, false, left);
            }
        }
        _ => {}
    }
}
