//! The event service: a stream of server-sent events for whoever asks, and subscriptions that events are pushed to
//! (DSP0266 §12). Each open stream is a subscription too: deleting it closes the stream, closing it deletes it.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::Arc;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, Request, StatusCode, header};
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;

use super::act::{done, word, wrong};
use super::core::Happened;
use super::{Answer, KEEP_ALIVE, at, collection, document, error, fine, missing, plain, put};
use crate::emulated::{Bmc, Emulated};

const SUBSCRIPTIONS: &str = "/redfish/v1/EventService/Subscriptions";
/// How often a push is tried again, and seconds between.
const RETRIES: u32 = 3;
const RETRY_SECONDS: f64 = 5.0;
/// Longest context and destination.
const LONGEST: usize = 1024;

pub(super) fn get(rack: &Emulated, bmc: Bmc, segments: &[&str]) -> Option<Value> {
    let core = rack.core(bmc);
    Some(match segments {
        [] => json!({
            "@odata.type": "#EventService.v1_10_0.EventService",
            "Id": "EventService", "Name": "Event Service", "Status": fine(), "ServiceEnabled": true,
            "DeliveryRetryAttempts": RETRIES, "DeliveryRetryIntervalSeconds": RETRY_SECONDS as u32,
            "EventFormatTypes": ["Event"], "RegistryPrefixes": ["Base", "ResourceEvent"],
            "ServerSentEventUri": "/redfish/v1/EventService/SSE", "Subscriptions": at(SUBSCRIPTIONS),
        }),
        ["Subscriptions"] => {
            let all = core.subscriptions();
            let paths = all.iter().map(|s| format!("{SUBSCRIPTIONS}/{}", s.id));
            collection("EventDestinationCollection", "Subscriptions", paths)
        }
        ["Subscriptions", id] => {
            let found = core.subscriptions().into_iter().find(|s| s.id.to_string() == *id)?;
            json!({
                "@odata.type": "#EventDestination.v1_14_0.EventDestination",
                "Id": id, "Name": "Event Subscription", "Context": found.context, "Protocol": "Redfish",
                "Destination": found.destination, "EventFormatType": "Event", "Status": fine(),
                "SubscriptionType": if found.destination.is_some() { "RedfishEvent" } else { "SSE" },
            })
        }
        _ => return None,
    })
}

/// One event as a subscriber gets it.
fn told(event: &Happened, context: &str) -> Value {
    let mut value = event.event();
    value["Context"] = json!(context);
    value
}

/// Takes the subscription away when its stream ends.
struct Open {
    rack: Arc<Emulated>,
    bmc: Bmc,
    id: u64,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.rack.core(self.bmc).unsubscribe(self.id);
    }
}

/// The stream, from after `Last-Event-ID` on as far as events are kept.
pub(super) fn stream(rack: &Arc<Emulated>, bmc: Bmc, headers: &HeaderMap) -> Answer {
    let last = headers.get("last-event-id").and_then(|v| v.to_str().ok());
    let core = rack.core(bmc);
    let (kept, live) = core.subscribe(last.and_then(|v| v.parse().ok()));
    let context = "server-sent events".to_string();
    let (id, stop) = core.add_subscription(context.clone(), None).ok_or_else(full)?;
    let rack = rack.clone();
    let state = (VecDeque::from(kept), live, stop, Open { rack, bmc, id });
    let all = stream::unfold(state, move |(mut kept, mut live, mut stop, open)| {
        let context = context.clone();
        async move {
            let event = match kept.pop_front() {
                Some(event) => event,
                None => loop {
                    let heard = tokio::select! {
                        biased;
                        // the other end is dropped with the subscription
                        _ = stop.changed() => return None,
                        heard = live.recv() => heard,
                    };
                    match heard {
                        Ok(event) => break event,
                        // the reader was too slow: it goes on with what is left
                        Err(RecvError::Lagged(_)) => {}
                        Err(RecvError::Closed) => return None,
                    }
                },
            };
            let text = told(&event, &context).to_string();
            let out = Event::default().id(event.id.to_string()).data(text);
            Some((Ok::<_, Infallible>(out), (kept, live, stop, open)))
        }
    });
    let keep = KeepAlive::new().interval(KEEP_ALIVE);
    Ok(Sse::new(all).keep_alive(keep).into_response())
}

fn full() -> Response {
    let text = "There are as many subscriptions as this service has room for.";
    error(
        StatusCode::SERVICE_UNAVAILABLE,
        "EventSubscriptionLimitExceeded",
        text,
        &[],
    )
}

/// A new subscription with a destination.
pub(super) fn add(rack: &Arc<Emulated>, bmc: Bmc, body: &Value) -> Answer {
    let destination = word(body, "Destination")?;
    let scheme = destination.starts_with("http://") || destination.starts_with("https://");
    if !scheme || destination.len() > LONGEST {
        return Err(wrong("Destination", &body["Destination"]));
    }
    if word(body, "Protocol")? != "Redfish" {
        return Err(wrong("Protocol", &body["Protocol"]));
    }
    let format = &body["EventFormatType"];
    if !format.is_null() && format != "Event" {
        return Err(wrong("EventFormatType", format));
    }
    let context = match &body["Context"] {
        Value::Null => String::new(),
        Value::String(text) if text.len() <= LONGEST => text.clone(),
        other => return Err(wrong("Context", other)),
    };
    let core = rack.core(bmc);
    let (_, mut live) = core.subscribe(None);
    let added = core.add_subscription(context.clone(), Some(destination.to_string()));
    let (id, mut stop) = added.ok_or_else(full)?;
    let (from, to) = (rack.address(bmc), destination.to_string());
    let pushing = Arc::clone(rack);
    rack.spawn(async move {
        loop {
            let heard = tokio::select! {
                biased;
                _ = stop.changed() => return,
                heard = live.recv() => heard,
            };
            match heard {
                Ok(event) => push(&pushing, from, &to, &told(&event, &context)).await,
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            }
        }
    });
    let path = format!("{SUBSCRIPTIONS}/{id}");
    let mut response = plain(&document(rack, bmc, &path).unwrap_or_default());
    *response.status_mut() = StatusCode::CREATED;
    put(&mut response, header::LOCATION, &path);
    Ok(response)
}

async fn push(rack: &Emulated, from: Ipv4Addr, to: &str, event: &Value) {
    for attempt in 0..=RETRIES {
        if attempt > 0 {
            rack.pause(RETRY_SECONDS).await;
        }
        let request = Request::post(to).header("content-type", "application/json");
        let Ok(request) = request.body(Bytes::from(event.to_string())) else {
            return;
        };
        if let Ok(answer) = rack.config.net.http(from, request).await
            && answer.status().is_success()
        {
            return;
        }
    }
    tracing::debug!("an event could not be delivered to a subscriber, and is dropped");
}

pub(super) fn remove(rack: &Emulated, bmc: Bmc, id: &str, path: &str) -> Answer {
    match id.parse() {
        Ok(id) if rack.core(bmc).unsubscribe(id) => done(),
        _ => Err(missing(path)),
    }
}
