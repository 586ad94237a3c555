//! Times as the API tells them.

use anyhow::{Context, Result};
use serde_json::Value;

/// Seconds since 1970, now.
pub fn now() -> f64 {
    since_1970(jiff::Timestamp::now())
}

/// Seconds since 1970 of a time in a document (RFC 3339).
pub fn seconds(time: &Value) -> Result<f64> {
    let told = time.as_str().and_then(|text| text.parse().ok());
    Ok(since_1970(told.with_context(|| format!("`{time}` is no time"))?))
}

fn since_1970(time: jiff::Timestamp) -> f64 {
    time.as_duration().as_secs_f64()
}
