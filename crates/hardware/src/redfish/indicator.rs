//! The light that shows someone in the aisle which box it is: `LocationIndicatorActive`, else the older `IndicatorLED`.

use rack::node::BmcAddress;
use serde_json::{Value, json};

use crate::error::Error;
use crate::found::Receipt;
use crate::permit::Permit;
use crate::redfish::Redfish;
use crate::redfish::json::truth;

/// Whether the light that a resource has is on; nothing when it has none.
fn lit(doc: &Value) -> Option<bool> {
    truth(&doc["LocationIndicatorActive"]).or(match doc["IndicatorLED"].as_str() {
        Some("Lit" | "Blinking") => Some(true),
        Some("Off") => Some(false),
        _ => None,
    })
}

/// Whether a resource has a light at all.
pub(crate) fn has_light(doc: &Value) -> bool {
    doc.get("LocationIndicatorActive").is_some_and(|v| !v.is_null())
        || doc["IndicatorLED"].as_str().is_some_and(|s| s != "Unknown")
}

fn bodies(doc: &Value, on: bool) -> Vec<Value> {
    let mut out = Vec::new();
    if doc.get("LocationIndicatorActive").is_some() {
        out.push(json!({ "LocationIndicatorActive": on }));
    }
    if doc.get("IndicatorLED").is_some() {
        let words: &[&str] = if on { &["Blinking", "Lit"] } else { &["Off"] };
        out.extend(words.iter().map(|w| json!({ "IndicatorLED": w })));
    }
    out
}

impl Redfish {
    /// The resource with the light: the system, else its chassis.
    async fn light_of(&self, at: &BmcAddress) -> Result<(String, Value), Error> {
        for path in [Some(&at.system), at.chassis.as_ref()].into_iter().flatten() {
            let doc = self.client.get(path).await?.body;
            if has_light(&doc) {
                return Ok((path.clone(), doc));
            }
        }
        Err(self.client.not_offered("a light to be found by", Vec::new()))
    }

    /// See [`crate::capability::Indicator::is_lit`].
    pub async fn is_lit(&self, at: &BmcAddress) -> Result<Option<bool>, Error> {
        Ok(lit(&self.light_of(at).await?.1))
    }

    /// See [`crate::capability::Indicator::light`].
    pub async fn light(&self, at: &BmcAddress, on: bool, permit: &Permit) -> Result<Receipt, Error> {
        let (path, doc) = self.light_of(at).await?;
        if lit(&doc) == Some(on) {
            return Ok(Receipt::Done);
        }
        let mut refused = self
            .client
            .broken(&path, "it took the order but its light shows the same");
        for body in bodies(&doc, on) {
            let fresh = self.client.get(&path).await?;
            match self.client.patch(&path, &body, fresh.etag().as_deref(), permit).await {
                Ok(answer) => {
                    if lit(&self.client.get(&path).await?.body) == Some(on) {
                        return Ok(Receipt::Done);
                    }
                    if answer.status == http::StatusCode::ACCEPTED {
                        return Ok(crate::redfish::act::receipt(&answer));
                    }
                }
                Err(e @ Error::Rejected { .. }) => refused = e,
                Err(e) => return Err(e),
            }
        }
        Err(refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newer_property_is_written_first() {
        let both = json!({"LocationIndicatorActive": false, "IndicatorLED": "Off"});
        assert_eq!(bodies(&both, true)[0], json!({"LocationIndicatorActive": true}));
        let old = json!({"IndicatorLED": "Lit"});
        assert_eq!(lit(&old), Some(true));
        assert_eq!(bodies(&old, false), [json!({"IndicatorLED": "Off"})]);
        assert!(!has_light(
            &json!({"IndicatorLED": null, "LocationIndicatorActive": null})
        ));
    }
}
