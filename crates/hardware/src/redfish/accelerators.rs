//! What each accelerator of a machine says of its own watts and heat (DSP0268 `Processor`, `EnvironmentMetrics`). Those of
//! a baseboard that is a system of its own are not asked: they are many requests away, and its own BMC's matter.

use serde_json::Value;

use crate::found::Raw;
use crate::redfish::crawl::{Crawl, Resource, is_whole};
use crate::redfish::device::positive;
use crate::redfish::json::{last, leads, link, list, number};
use crate::redfish::part;
use rack::{PartKind, Unit};

/// Most accelerators of one machine that are asked: one request each at every poll.
const MOST: usize = 16;

/// An accelerator that tells of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accelerator {
    /// The id of its part, after which its readings are called.
    id: String,
    /// Where its metrics are.
    metrics: String,
}

/// The accelerators of the system at `path` that tell of themselves.
pub async fn find(crawl: &Crawl<'_>, path: &str) -> Vec<Accelerator> {
    let Some(system) = crawl.read(path).await else {
        return Vec::new();
    };
    let Some((_, collection)) = crawl.follow(&system, "Processors").await else {
        return Vec::new();
    };
    let members = list(&collection["Members"]);
    let processors = if crawl.expands() || members.iter().any(is_whole) {
        crawl.members(&system, "Processors").await
    } else {
        // what is called a CPU is none: a box of many sockets is not asked for each
        let others = members.iter().filter(|m| !link(m).is_some_and(|p| is_cpu(&p)));
        crawl.all(&others.cloned().collect::<Vec<Value>>()).await
    };
    let accelerator = |(path, doc): &Resource| {
        let part = part::processor(path, doc).filter(|p| matches!(p.kind, PartKind::Gpu { .. }))?;
        Some((part, leads(doc, "EnvironmentMetrics")?))
    };
    let (mut parts, metrics): (Vec<_>, Vec<_>) = processors.iter().filter_map(accelerator).take(MOST).unzip();
    part::tell_apart(&mut parts);
    parts
        .into_iter()
        .zip(metrics)
        .map(|(part, metrics)| Accelerator { id: part.id, metrics })
        .collect()
}

fn is_cpu(path: &str) -> bool {
    last(path).to_ascii_lowercase().starts_with("cpu")
}

/// What they tell now: `gpu0` in °C and `gpu0-watts`. Of one that does not answer there is nothing.
pub async fn read(crawl: &Crawl<'_>, known: &[Accelerator]) -> Vec<Raw> {
    let paths: Vec<Value> = known.iter().map(|a| Value::String(a.metrics.clone())).collect();
    let answers = crawl.all(&paths).await;
    let of = |path: &str| known.iter().find(|a| a.metrics == path);
    answers
        .iter()
        .filter_map(|(path, doc)| Some(told(&of(path)?.id, doc)))
        .flatten()
        .collect()
}

/// A reading that is null is one without a value; what is not told at all is none.
fn told(id: &str, metrics: &Value) -> Vec<Raw> {
    let reading = |excerpt: &Value| number(excerpt).or_else(|| number(&excerpt["Reading"]));
    let mut out = Vec::new();
    if !metrics["TemperatureCelsius"].is_null() {
        // 0 and -1 are what is told of a chip that is off
        let celsius = reading(&metrics["TemperatureCelsius"]);
        let celsius = celsius.filter(|c| *c > -50.0 && *c < 200.0 && *c != 0.0 && *c != -1.0);
        out.push((id.to_owned(), celsius, Unit::Celsius));
    }
    if !metrics["PowerWatts"].is_null() {
        out.push((format!("{id}-watts"), positive(&metrics["PowerWatts"]), Unit::Watts));
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_chip_that_is_off_has_readings_without_a_value() {
        let on = json!({"PowerWatts": {"Reading": 412.5}, "TemperatureCelsius": {"Reading": 61}});
        let off = json!({"PowerWatts": {"Reading": 0}, "TemperatureCelsius": {"Reading": null}});
        let named = |celsius, watts| {
            vec![
                ("gpu0".to_owned(), celsius, Unit::Celsius),
                ("gpu0-watts".to_owned(), watts, Unit::Watts),
            ]
        };
        assert_eq!(told("gpu0", &on), named(Some(61.0), Some(412.5)));
        assert_eq!(told("gpu0", &off), named(None, None));
        assert_eq!(told("gpu0", &json!({"EnergykWh": {"Reading": 3}})), []);
    }
}
