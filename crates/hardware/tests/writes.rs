//! What leaves the driver when it writes, and what never does: recorded by a scripted service.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use common::{bmc, permit};
use hardware::Driver;
use hardware::transport::{Future, Limits, Transport, TransportError};
use hardware::{Error, Mode, Receipt};
use http::{Method, Request, Response};
use rack::node::BmcAddress;
use rack::{BootTarget, ResetKind};
use serde_json::{Value, json};

const SYSTEM: &str = "/redfish/v1/Systems/1";

#[derive(Default)]
struct State {
    log: Vec<String>,
    power: String,
    target: String,
    etag: u32,
    token: u32,
    /// The next reset is done, but its answer is lost.
    lose_reset: bool,
    /// Someone else changes the system before the next PATCH.
    race: bool,
    /// Its tag covers readings: it is another one at each look and each write.
    restless: bool,
}

#[derive(Clone, Default)]
struct Service(Arc<Mutex<State>>);

fn reply(status: u16, headers: &[(&str, String)], body: Value) -> Response<Bytes> {
    let mut builder = Response::builder().status(status);
    for (name, value) in headers {
        builder = builder.header(*name, value);
    }
    builder.body(Bytes::from(body.to_string())).unwrap()
}

impl Transport for Service {
    fn send(&self, request: Request<Bytes>, _: Limits) -> Future<'_, Result<Response<Bytes>, TransportError>> {
        Box::pin(async move {
            let mut s = self.0.lock().unwrap();
            let (method, path) = (request.method().clone(), request.uri().path().to_owned());
            s.log.push(format!("{method} {path}"));
            let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
            let header = |name: &str| {
                request
                    .headers()
                    .get(name)
                    .and_then(|v| v.to_str().ok())
                    .map(str::to_owned)
            };
            if path.ends_with("/Sessions") {
                s.token += 1;
                return Ok(reply(
                    201,
                    &[
                        ("X-Auth-Token", format!("t{}", s.token)),
                        ("Location", format!("{path}/1")),
                    ],
                    json!({}),
                ));
            }
            let authorized =
                header("X-Auth-Token").map_or(header("Authorization").is_some(), |t| t == format!("t{}", s.token));
            if !authorized {
                return Ok(reply(401, &[], json!({})));
            }
            match (method, path.as_str()) {
                (Method::GET, SYSTEM) => {
                    let doc = json!({
                        "PowerState": s.power,
                        "Boot": {"BootSourceOverrideTarget": s.target, "BootSourceOverrideEnabled": if s.target == "None" { "Disabled" } else { "Once" },
                            "BootSourceOverrideTarget@Redfish.AllowableValues": ["None", "Pxe", "Hdd"]},
                        "Actions": {"#ComputerSystem.Reset": {"target": format!("{SYSTEM}/Actions/ComputerSystem.Reset"),
                            "ResetType@Redfish.AllowableValues": ["On", "ForceOff"]}},
                    });
                    Ok(reply(200, &[("ETag", format!("\"{}\"", s.etag))], doc))
                }
                (Method::PATCH, SYSTEM) => {
                    if std::mem::take(&mut s.race) || s.restless {
                        s.etag += 1;
                    }
                    let wanted = header("If-Match").unwrap_or_default();
                    if wanted != "*" && wanted != format!("\"{}\"", s.etag) {
                        return Ok(reply(412, &[], json!({})));
                    }
                    s.etag += 1;
                    s.target = body["Boot"]["BootSourceOverrideTarget"]
                        .as_str()
                        .unwrap_or("None")
                        .to_owned();
                    Ok(reply(200, &[], json!({})))
                }
                (Method::POST, _) => {
                    s.power = if body["ResetType"] == "On" { "On" } else { "Off" }.into();
                    if std::mem::take(&mut s.lose_reset) {
                        return Err(TransportError::Timeout);
                    }
                    Ok(reply(
                        202,
                        &[("Location", "https://bmc.test/redfish/v1/TaskService/Tasks/9".into())],
                        json!({}),
                    ))
                }
                _ => Ok(reply(404, &[], json!({}))),
            }
        })
    }
}

fn service() -> Service {
    let service = Service::default();
    *service.0.lock().unwrap() = State {
        power: "Off".into(),
        target: "None".into(),
        ..State::default()
    };
    service
}

fn node() -> BmcAddress {
    BmcAddress {
        url: "https://bmc.test".into(),
        system: SYSTEM.into(),
        manager: Some("/redfish/v1/Managers/1".into()),
        chassis: None,
        credential: "lab".parse().unwrap(),
        certificate: None,
    }
}

fn writes(service: &Service) -> Vec<String> {
    service
        .0
        .lock()
        .unwrap()
        .log
        .iter()
        .filter(|l| !l.starts_with("GET"))
        .cloned()
        .collect()
}

#[tokio::test(start_paused = true)]
async fn an_observing_driver_sends_nothing_but_get() {
    let service = service();
    let bmc = bmc("https://bmc.test", service.clone(), Mode::Observe);
    let at = node();
    assert!(bmc.glance(&at).await.is_ok());
    assert!(matches!(
        bmc.reset(&at, ResetKind::On, &permit()).await,
        Err(Error::NotArmed { .. })
    ));
    assert!(matches!(
        bmc.set_boot(&at, BootTarget::Pxe, &permit()).await,
        Err(Error::NotArmed { .. })
    ));
    assert!(bmc.reset_manager(&at, &permit()).await.is_err());
    assert!(bmc.insert_media(&at, "http://x/y.iso", &permit()).await.is_err());
    assert!(bmc.eject_media(&at, "", &permit()).await.is_err());
    drop(bmc);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(writes(&service), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn disarming_holds_back_the_next_write() {
    let service = service();
    let bmc = bmc("https://bmc.test", service.clone(), Mode::Act);
    assert!(bmc.reset(&node(), ResetKind::On, &permit()).await.is_ok());
    bmc.set_mode(Mode::Observe);
    let before = writes(&service);
    assert!(matches!(
        bmc.reset(&node(), ResetKind::ForceOff, &permit()).await,
        Err(Error::NotArmed { .. })
    ));
    assert_eq!(writes(&service), before);
}

#[tokio::test(start_paused = true)]
async fn a_session_is_made_once_renewed_when_it_ends_and_given_back() {
    let service = service();
    let bmc = bmc("https://bmc.test", service.clone(), Mode::Act);
    for _ in 0..3 {
        bmc.glance(&node()).await.unwrap();
    }
    assert_eq!(writes(&service).len(), 1, "one login");
    service.0.lock().unwrap().token += 1;
    bmc.glance(&node()).await.unwrap();
    assert_eq!(writes(&service).len(), 2, "one more");
    drop(bmc);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(writes(&service)[2], "DELETE /redfish/v1/SessionService/Sessions/1");
}

#[tokio::test(start_paused = true)]
async fn a_reset_names_its_task_and_is_not_repeated_when_its_answer_is_lost() {
    let service = service();
    let bmc = bmc("https://bmc.test", service.clone(), Mode::Act);
    let task = Some("/redfish/v1/TaskService/Tasks/9".to_owned());
    assert_eq!(
        bmc.reset(&node(), ResetKind::On, &permit()).await,
        Ok(Receipt::Accepted { task })
    );
    service.0.lock().unwrap().lose_reset = true;
    assert_eq!(
        bmc.reset(&node(), ResetKind::ForceOff, &permit()).await,
        Ok(Receipt::Done),
        "observed"
    );
    let resets = writes(&service).iter().filter(|w| w.contains("Reset")).count();
    assert_eq!(resets, 2);
    assert!(matches!(
        bmc.reset(&node(), ResetKind::PowerCycle, &permit()).await,
        Err(Error::NotOffered { .. })
    ));
}

#[tokio::test(start_paused = true)]
async fn a_change_in_between_costs_one_more_patch() {
    let service = service();
    let bmc = bmc("https://bmc.test", service.clone(), Mode::Act);
    service.0.lock().unwrap().race = true;
    assert_eq!(
        bmc.set_boot(&node(), BootTarget::Pxe, &permit()).await,
        Ok(Receipt::Done)
    );
    assert_eq!(writes(&service).iter().filter(|w| w.starts_with("PATCH")).count(), 2);
    assert_eq!(
        bmc.set_boot(&node(), BootTarget::Pxe, &permit()).await,
        Ok(Receipt::Done),
        "set already"
    );
    assert_eq!(
        bmc.set_boot(&node(), BootTarget::None, &permit()).await,
        Ok(Receipt::Done)
    );
    assert_eq!(service.0.lock().unwrap().target, "None");
}

#[tokio::test(start_paused = true)]
async fn a_tag_that_never_stands_still_keeps_nobody_from_writing() {
    let service = service();
    let bmc = bmc("https://bmc.test", service.clone(), Mode::Act);
    service.0.lock().unwrap().restless = true;
    assert_eq!(
        bmc.set_boot(&node(), BootTarget::Pxe, &permit()).await,
        Ok(Receipt::Done)
    );
    assert_eq!(writes(&service).iter().filter(|w| w.starts_with("PATCH")).count(), 3);
    assert_eq!(service.0.lock().unwrap().target, "Pxe");
}
