//! The rack over real sockets, asked by a client that is not ours; and its times under a paused clock.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use emulator::disks::Disks;
use emulator::model::{Activity, Power};
use emulator::net::{Future, Net, NetError};
use emulator::{Action, Config, Credential, Emulated, Fault, Handle, RackLayout, Selector};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

/// Nobody is there: firmware gets no answer.
struct Nobody;

impl Net for Nobody {
    fn dhcp(&self, _: Ipv4Addr, _: Vec<u8>) -> Future<'_, Option<Vec<u8>>> {
        Box::pin(async { None })
    }
    fn http(
        &self,
        from: Ipv4Addr,
        _: http::Request<bytes::Bytes>,
    ) -> Future<'_, Result<http::Response<axum::body::Body>, NetError>> {
        Box::pin(async move {
            Err(NetError {
                attempt: "ask".into(),
                from,
                why: "nobody".into(),
            })
        })
    }
    fn login(&self, from: Ipv4Addr) -> Future<'_, Result<Box<dyn Send + Sync>, NetError>> {
        Box::pin(async move {
            Err(NetError {
                attempt: "listen".into(),
                from,
                why: "nobody".into(),
            })
        })
    }
}

fn config() -> Config {
    Config {
        layout: RackLayout::default(),
        port: 0,
        tls: true,
        disks: Disks::Memory,
        state: None,
        speed: 1.0,
        seed: 1,
        relay: Ipv4Addr::LOCALHOST,
        metadata: "http://127.0.0.1:1".into(),
        net: Arc::new(Nobody),
        credential: Credential {
            user: "admin".into(),
            password: "secret".into(),
        },
        control: Some(([127, 0, 0, 1], 0).into()),
        machines: None,
        clock: Arc::new(|| rack::Time::from_millis(1_700_000_000_000)),
    }
}

async fn up() -> (Handle, Client) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder()
        .tls_danger_accept_invalid_certs(true)
        .no_proxy()
        .build()
        .unwrap();
    (Emulated::start(config()).await.unwrap(), client)
}

fn url(handle: &Handle, bmc: Ipv4Addr, path: &str) -> String {
    format!("https://{bmc}:{}{path}", handle.port)
}

async fn get(handle: &Handle, client: &Client, bmc: Ipv4Addr, path: &str) -> Value {
    let answer = client
        .get(url(handle, bmc, path))
        .basic_auth("admin", Some("secret"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::OK, "{path}");
    answer.json().await.unwrap()
}

fn links(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            if let Some(Value::String(path)) = map.get("@odata.id") {
                into.insert(path.split('#').next().unwrap().to_string());
            }
            map.values().for_each(|v| links(v, into));
        }
        Value::Array(items) => items.iter().for_each(|v| links(v, into)),
        _ => {}
    }
}

const SYSTEM: &str = "/redfish/v1/Systems/1";

#[tokio::test]
async fn every_link_of_a_server_a_gpu_box_and_a_pdu_leads_somewhere() {
    let (handle, client) = up().await;
    let all = handle.rack.addresses();
    assert_eq!(all.len(), 12);
    for (bmc, least) in [(all[0], 60), (all[9], 75), (all[10], 25)] {
        let mut todo = BTreeSet::from(["/redfish/v1/".to_string()]);
        let mut seen = BTreeSet::new();
        while let Some(path) = todo.pop_first() {
            if !seen.insert(path.clone()) {
                continue;
            }
            let document = get(&handle, &client, bmc, &path).await;
            assert_eq!(document["@odata.id"], json!(path));
            let kind = document["@odata.type"].as_str().unwrap();
            assert!(kind.starts_with('#'), "{path}");
            if !kind.ends_with("Collection") && path != "/redfish/v1/" {
                assert_eq!(document["Id"].as_str(), path.rsplit('/').next(), "{path}");
            }
            links(&document, &mut todo);
        }
        assert!(seen.len() >= least, "{bmc}: {}", seen.len());
    }
    handle.stop().await;
}

#[tokio::test]
async fn doors_open_to_passwords_and_tokens_only() {
    let (handle, client) = up().await;
    let bmc = handle.rack.addresses()[0];
    let status = |r: reqwest::Response| r.status();
    assert_eq!(
        status(client.get(url(&handle, bmc, "/redfish/v1/")).send().await.unwrap()),
        StatusCode::OK
    );
    let system = url(&handle, bmc, SYSTEM);
    assert_eq!(
        status(client.get(&system).send().await.unwrap()),
        StatusCode::UNAUTHORIZED
    );
    let sessions = url(&handle, bmc, "/redfish/v1/SessionService/Sessions");
    let wrong = client
        .post(&sessions)
        .json(&json!({"UserName": "admin", "Password": "x"}))
        .send()
        .await
        .unwrap();
    assert_eq!(status(wrong), StatusCode::UNAUTHORIZED);
    let right = client
        .post(&sessions)
        .json(&json!({"UserName": "admin", "Password": "secret"}))
        .send()
        .await
        .unwrap();
    assert_eq!(right.status(), StatusCode::CREATED);
    let token = right.headers()["x-auth-token"].to_str().unwrap().to_string();
    let session = right.headers()["location"].to_str().unwrap().to_string();
    let ask = || client.get(&system).header("x-auth-token", &token).send();
    assert_eq!(status(ask().await.unwrap()), StatusCode::OK);
    let close = client
        .delete(url(&handle, bmc, &session))
        .header("x-auth-token", &token)
        .send()
        .await
        .unwrap();
    assert_eq!(status(close), StatusCode::NO_CONTENT);
    assert_eq!(status(ask().await.unwrap()), StatusCode::UNAUTHORIZED);
    handle.stop().await;
}

#[tokio::test]
async fn changes_ask_for_the_right_etag_and_wrong_methods_are_told_the_right_ones() {
    let (handle, client) = up().await;
    let bmc = handle.rack.addresses()[1];
    let system = url(&handle, bmc, SYSTEM);
    let tag = {
        let r = client
            .get(&system)
            .basic_auth("admin", Some("secret"))
            .send()
            .await
            .unwrap();
        r.headers()["etag"].to_str().unwrap().to_string()
    };
    let patch = |body: Value| {
        let r = client.patch(&system).basic_auth("admin", Some("secret"));
        r.header("if-match", &tag).json(&body).send()
    };
    let boot = json!({"Boot": {"BootSourceOverrideTarget": "UefiHttp", "BootSourceOverrideEnabled": "Once"}});
    assert_eq!(patch(boot.clone()).await.unwrap().status(), StatusCode::OK);
    assert_eq!(patch(boot).await.unwrap().status(), StatusCode::PRECONDITION_FAILED);
    assert_eq!(
        get(&handle, &client, bmc, SYSTEM).await["Boot"]["BootSourceOverrideTarget"],
        "UefiHttp"
    );
    let wrong = client
        .delete(&system)
        .basic_auth("admin", Some("secret"))
        .send()
        .await
        .unwrap();
    assert_eq!(
        (wrong.status(), &wrong.headers()["allow"]),
        (StatusCode::METHOD_NOT_ALLOWED, &"GET, HEAD, PATCH".parse().unwrap())
    );
    let expanded = get(&handle, &client, bmc, "/redfish/v1/Systems?$expand=.($levels=2)").await;
    assert_eq!(
        expanded["Members"][0]["Processors"]["Members"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    handle.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_writers_who_saw_the_same_version_exactly_one_writes() {
    let (handle, client) = up().await;
    let system = url(&handle, handle.rack.addresses()[1], SYSTEM);
    let ask = |r: reqwest::RequestBuilder| r.basic_auth("admin", Some("secret")).send();
    for round in 0..150 {
        let seen = ask(client.get(&system)).await.unwrap();
        let tag = seen.headers()["etag"].to_str().unwrap().to_string();
        let writers: Vec<_> = (0..8)
            .map(|n| {
                let body = json!({"AssetTag": format!("{round}-{n}")});
                tokio::spawn(ask(client.patch(&system).header("if-match", &tag).json(&body)))
            })
            .collect();
        let mut accepted = 0;
        for writer in writers {
            accepted += usize::from(writer.await.unwrap().unwrap().status() == StatusCode::OK);
        }
        assert_eq!(accepted, 1, "round {round}");
    }
    handle.stop().await;
}

#[tokio::test]
async fn a_fault_hits_as_often_as_it_was_set_to_and_a_power_change_is_an_event() {
    let (handle, client) = up().await;
    let bmc = handle.rack.addresses()[0];
    let control = format!("http://{}/faults", handle.control.unwrap());
    let fault = Fault {
        id: 0,
        on: Selector {
            at: "r1/u1".into(),
            ..Selector::default()
        },
        action: Action::Status { code: 503 },
        count: Some(1),
        hits: 0,
        since: None,
    };
    assert!(
        client
            .post(&control)
            .json(&fault)
            .send()
            .await
            .unwrap()
            .status()
            .is_success()
    );
    let ask = || {
        client
            .get(url(&handle, bmc, SYSTEM))
            .basic_auth("admin", Some("secret"))
            .send()
    };
    assert_eq!(ask().await.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(ask().await.unwrap().status(), StatusCode::OK);
    let mut events = client
        .get(url(&handle, bmc, "/redfish/v1/EventService/SSE"))
        .basic_auth("admin", Some("secret"))
        .send()
        .await
        .unwrap();
    assert!(handle.rack.reset(0, "On").is_ok());
    let chunk = events.chunk().await.unwrap().unwrap();
    let text = String::from_utf8(chunk.to_vec()).unwrap();
    assert!(text.contains("PoweringOn") && text.contains("id: "), "{text}");
    handle.stop().await;
}

#[tokio::test(start_paused = true)]
async fn resets_follow_the_table_and_take_their_time() {
    let rack = Emulated::build(config()).unwrap();
    let seconds = |s: u64| tokio::time::sleep(Duration::from_secs(s));
    for kind in ["GracefulShutdown", "ForceRestart", "PowerCycle"] {
        assert!(rack.reset(0, kind).is_err(), "{kind} while off");
    }
    assert!(rack.reset(0, "Nonsense").is_err());
    assert_eq!(rack.reset(0, "ForceOff"), Ok(()));
    assert_eq!(rack.reset(0, "On"), Ok(()));
    assert_eq!(rack.view(0).power, Power::PoweringOn);
    seconds(4).await;
    assert_eq!((rack.view(0).power, rack.view(0).activity), (Power::On, Activity::Post));
    assert_eq!(rack.reset(0, "On"), Ok(()));
    // nobody answers DHCP: firmware gives up and stays
    seconds(300).await;
    assert_eq!(rack.view(0).activity, Activity::Stays);
    assert_eq!(rack.reset(0, "GracefulShutdown"), Ok(()));
    seconds(60).await;
    assert_eq!(rack.view(0).power, Power::On, "firmware does not listen to ACPI");
    assert_eq!(rack.reset(0, "ForceOff"), Ok(()));
    assert_eq!(rack.view(0).power, Power::Off);
    rack.reset_bmc(0);
    assert!(!rack.answers(emulator::emulated::Bmc::Server(0)));
    seconds(31).await;
    assert!(rack.answers(emulator::emulated::Bmc::Server(0)));
}

#[tokio::test(start_paused = true)]
async fn a_system_on_the_disk_runs_stops_when_asked_and_the_feeds_add_up() {
    let rack = Emulated::build(config()).unwrap();
    rack.servers[2].drives[0].write(510, &[0x55, 0xaa]).unwrap();
    rack.reset(2, "On").unwrap();
    tokio::time::sleep(Duration::from_secs(400)).await;
    assert_eq!(rack.view(2).activity, Activity::Os);
    let view = rack.view(2);
    assert!(view.draw.total() > 200.0 && view.physics.cpu > 35.0);
    let before = rack.view(2).physics.joules;
    tokio::time::sleep(Duration::from_secs(10)).await;
    let after = rack.view(2).physics.joules;
    assert!(
        (after[0] - before[0] - view.draw.input[0] * 10.0).abs() < 20.0,
        "energy is power times time"
    );
    rack.feed(2, 0, false);
    assert_eq!(rack.view(2).draw.input[0], 0.0);
    rack.reset(2, "GracefulShutdown").unwrap();
    assert_eq!(rack.view(2).power, Power::PoweringOff);
    tokio::time::sleep(Duration::from_secs(9)).await;
    assert_eq!(rack.view(2).power, Power::Off);
}

#[tokio::test(start_paused = true)]
async fn a_box_that_loses_its_power_has_it_again_once_the_fault_is_cleared_even_when_it_has_run_out() {
    let (handle, client) = up().await;
    let rack = &handle.rack;
    let bmc = rack.addresses()[0];
    for count in [None, Some(1)] {
        let fault = Fault {
            id: 0,
            on: Selector {
                at: rack.servers[0].spec.place.clone(),
                ..Selector::default()
            },
            action: Action::LosePower,
            count,
            hits: 0,
            since: None,
        };
        let id = rack.set_fault(fault).unwrap().id;
        assert!(rack.live(0), "it has not been asked yet");
        assert!(client.get(url(&handle, bmc, "/redfish/v1")).send().await.is_err());
        assert_eq!((rack.live(0), rack.live(1)), (false, true));
        // its outlets were on all the while: switching them does not plug it in
        rack.set_outlet(0, 0, true).unwrap();
        assert!(!rack.live(0));
        assert_eq!(rack.clear_faults(Some(id)), 1);
        assert!(rack.live(0));
        assert_eq!(rack.view(0).fed, vec![true, true]);
        // its BMC starts
        tokio::time::sleep(Duration::from_secs(31)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_override_for_once_is_used_up_by_the_next_boot_and_a_continuous_one_stays() {
    let (handle, client) = up().await;
    let bmc = handle.rack.addresses()[0];
    for (enabled, left) in [("Once", "Disabled"), ("Continuous", "Continuous")] {
        let body = json!({"Boot": {"BootSourceOverrideTarget": "BiosSetup", "BootSourceOverrideEnabled": enabled}});
        let patch = client
            .patch(url(&handle, bmc, SYSTEM))
            .basic_auth("admin", Some("secret"))
            .json(&body);
        assert_eq!(patch.send().await.unwrap().status(), StatusCode::OK);
        handle.rack.reset(0, "On").unwrap();
        tokio::time::sleep(Duration::from_secs(35)).await;
        assert_eq!(
            handle.rack.view(0).activity,
            Activity::Stays,
            "in setup, without asking the network"
        );
        assert_eq!(handle.rack.view(0).boot.enabled, left);
        handle.rack.reset(0, "ForceOff").unwrap();
    }
    handle.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_thousand_servers_are_one_parameter_and_each_has_its_own_address_and_serial() {
    let rack = Emulated::build(Config {
        layout: RackLayout::of(1000),
        ..config()
    })
    .unwrap();
    let addresses: BTreeSet<_> = rack.addresses().into_iter().collect();
    let serials: BTreeSet<_> = rack.servers.iter().map(|s| &s.spec.serial).collect();
    let macs: BTreeSet<_> = rack.servers.iter().flat_map(|s| s.spec.macs.clone()).collect();
    assert_eq!((addresses.len(), serials.len(), macs.len()), (1002, 1000, 2000));
}

#[tokio::test]
async fn a_pdu_reads_what_its_outlets_add_up_to_and_an_outlet_takes_a_supply_away() {
    let (handle, client) = up().await;
    let (server, pdu) = (handle.rack.addresses()[0], handle.rack.addresses()[10]);
    handle.rack.reset(0, "On").unwrap();
    let outlets = "/redfish/v1/PowerEquipment/RackPDUs/1/Outlets";
    let off = client
        .post(url(&handle, pdu, &format!("{outlets}/2/Actions/Outlet.PowerControl")))
        .basic_auth("admin", Some("secret"))
        .json(&json!({"PowerState": "Off"}));
    assert_eq!(off.send().await.unwrap().status(), StatusCode::NO_CONTENT);
    let mut sum = 0.0;
    for n in 1..=10 {
        let outlet = get(&handle, &client, pdu, &format!("{outlets}/{n}")).await;
        assert_eq!(outlet["PowerState"], if n == 2 { "Off" } else { "On" });
        sum += outlet["PowerWatts"]["Reading"].as_f64().unwrap();
    }
    let metrics = get(&handle, &client, pdu, "/redfish/v1/PowerEquipment/RackPDUs/1/Metrics").await;
    let whole = metrics["PowerWatts"]["Reading"].as_f64().unwrap();
    // each figure is rounded to a tenth, and fans turn meanwhile
    assert!(whole > 100.0 && (whole - sum).abs() < 5.0, "{whole} {sum}");
    let supply = get(&handle, &client, server, "/redfish/v1/Chassis/1/Power").await;
    assert!(supply["PowerControl"][0]["PowerConsumedWatts"].as_f64().unwrap() > 150.0);
    handle.stop().await;
}
