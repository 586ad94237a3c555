//! What may be done to a server over Redfish changes the server: limits, firmware, accounts, subscriptions, outlets.
#![allow(clippy::unwrap_used)]

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use emulator::disks::Disks;
use emulator::emulated::Bmc;
use emulator::model::Activity;
use emulator::net::{Future, Net, NetError};
use emulator::{Config, Credential, Emulated, Handle, RackLayout};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

/// A web server with two images, that also takes events; nobody else is there.
#[derive(Default)]
struct Web {
    events: std::sync::Mutex<Vec<Value>>,
}

impl Net for Web {
    fn dhcp(&self, _: Ipv4Addr, _: Vec<u8>) -> Future<'_, Option<Vec<u8>>> {
        Box::pin(async { None })
    }
    fn http(
        &self,
        _: Ipv4Addr,
        request: http::Request<bytes::Bytes>,
    ) -> Future<'_, Result<http::Response<Body>, NetError>> {
        let (status, text) = match request.uri().path() {
            "/bios" => (200, "busbar-firmware BIOS E2.0.0\nbytes"),
            "/bmc" => (200, "busbar-firmware BMC 2.0.0"),
            "/other" => (200, "<html>"),
            "/events" => {
                let event = serde_json::from_slice(request.body()).unwrap();
                self.events.lock().unwrap().push(event);
                (204, "")
            }
            _ => (404, ""),
        };
        let answer = http::Response::builder().status(status).body(Body::from(text)).unwrap();
        Box::pin(async move { Ok(answer) })
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

struct Bench {
    handle: Handle,
    client: Client,
    web: Arc<Web>,
}

impl Bench {
    async fn up() -> Bench {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let web = Arc::new(Web::default());
        let config = Config {
            layout: RackLayout::default(),
            port: 0,
            tls: false,
            disks: Disks::Memory,
            state: None,
            speed: 1.0,
            seed: 1,
            relay: Ipv4Addr::LOCALHOST,
            metadata: "http://127.0.0.1:1".into(),
            net: web.clone(),
            credential: Credential {
                user: "admin".into(),
                password: "secret".into(),
            },
            control: None,
            machines: None,
            clock: Arc::new(|| rack::Time::from_millis(1_700_000_000_000)),
        };
        // a leap of the clock closes idle connections: none is used twice
        let client = Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap();
        let handle = Emulated::start(config).await.unwrap();
        Bench { handle, client, web }
    }

    async fn ask(&self, who: usize, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
        self.ask_as(("admin", "secret"), who, method, path, body).await
    }

    async fn ask_as(
        &self,
        login: (&str, &str),
        who: usize,
        method: Method,
        path: &str,
        body: Value,
    ) -> (StatusCode, Value) {
        let bmc = self.handle.rack.addresses()[who];
        let url = format!("http://{bmc}:{}/redfish/v1/{path}", self.handle.port);
        let request = self.client.request(method, url).basic_auth(login.0, Some(login.1));
        let request = if body.is_null() { request } else { request.json(&body) };
        let answer = request.send().await.unwrap();
        let status = answer.status();
        (status, answer.json().await.unwrap_or_default())
    }

    async fn get(&self, who: usize, path: &str) -> Value {
        let (status, value) = self.ask(who, Method::GET, path, Value::Null).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        value
    }
}

async fn seconds(n: u64) {
    tokio::time::sleep(Duration::from_secs(n)).await;
}

#[tokio::test(start_paused = true)]
async fn a_power_limit_is_held_in_both_dialects_and_lifted_again() {
    let bench = Bench::up().await;
    let rack = &bench.handle.rack;
    rack.servers[0].drives[0].write(510, &[0x55, 0xaa]).unwrap();
    rack.reset(0, "On").unwrap();
    seconds(10).await;
    assert_eq!(rack.view(0).activity, Activity::Post);
    let free = rack.view(0).draw.total();
    let metrics = bench.get(0, "Chassis/1/EnvironmentMetrics").await;
    let least = metrics["PowerLimitWatts"]["AllowableMin"].as_f64().unwrap();
    assert!(least < free, "{least} {free}");
    let body = json!({"PowerLimitWatts": {"SetPoint": least, "ControlMode": "Automatic"}});
    let (status, now) = bench.ask(0, Method::PATCH, "Chassis/1/EnvironmentMetrics", body).await;
    assert_eq!(
        (status, &now["PowerLimitWatts"]["SetPoint"]),
        (StatusCode::OK, &json!(least))
    );
    assert!(rack.view(0).draw.total() <= least);
    let power = bench.get(0, "Chassis/1/Power").await;
    assert_eq!(power["PowerControl"][0]["PowerLimit"]["LimitInWatts"], json!(least));
    for (path, body) in [
        (
            "Chassis/1/EnvironmentMetrics",
            json!({"PowerLimitWatts": {"SetPoint": 1}}),
        ),
        ("Chassis/1/EnvironmentMetrics", json!({"PowerLimitWatts": {}})),
        (
            "Chassis/1/Power",
            json!({"PowerControl": [{"PowerLimit": {"LimitInWatts": 1e9}}]}),
        ),
        ("Chassis/1/Power", json!({"Other": 1})),
    ] {
        let (status, _) = bench.ask(0, Method::PATCH, path, body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
    }
    let body = json!({"PowerControl": [{"PowerLimit": {"LimitInWatts": null}}]});
    assert_eq!(
        bench.ask(0, Method::PATCH, "Chassis/1/Power", body).await.0,
        StatusCode::OK
    );
    assert!(rack.view(0).draw.total() > least);
    let gpu = "Systems/1/Processors/GPU7/EnvironmentMetrics";
    let body = json!({"PowerLimitWatts": {"SetPoint": 200}});
    assert_eq!(bench.ask(9, Method::PATCH, gpu, body.clone()).await.0, StatusCode::OK);
    assert_eq!(rack.view(9).physics.gpu_caps[7], Some(200.0));
    let none = "Systems/1/Processors/GPU99999999/EnvironmentMetrics";
    assert_eq!(bench.ask(9, Method::PATCH, none, body).await.0, StatusCode::NOT_FOUND);
    bench.handle.stop().await;
}

#[tokio::test(start_paused = true)]
async fn firmware_changes_when_it_was_fetched_and_flashed_and_the_bios_when_it_booted() {
    let bench = Bench::up().await;
    let update = "UpdateService/Actions/UpdateService.SimpleUpdate";
    let image = |name: &str| json!({"ImageURI": format!("http://10.0.0.1/{name}"), "TransferProtocol": "HTTP"});
    let bios = "UpdateService/FirmwareInventory/BIOS";
    let (status, task) = bench.ask(0, Method::POST, update, image("bios")).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let task = format!("TaskService/Tasks/{}", task["Id"].as_str().unwrap());
    let (status, _) = bench.ask(0, Method::POST, update, image("bios")).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "one at a time");
    seconds(20).await;
    let half = bench.get(0, &task).await;
    assert_eq!(half["TaskState"], "Running");
    assert!((40..=60).contains(&half["PercentComplete"].as_u64().unwrap()), "{half}");
    seconds(30).await;
    assert_eq!(bench.get(0, &task).await["TaskState"], "Pending");
    assert_eq!(bench.get(0, bios).await["Version"], "E1.0.0");
    bench.handle.rack.reset(0, "On").unwrap();
    seconds(5).await;
    assert_eq!(bench.get(0, &task).await["TaskState"], "Completed");
    assert_eq!(bench.get(0, bios).await["Version"], "E2.0.0");
    assert_eq!(bench.get(0, "Systems/1").await["BiosVersion"], "E2.0.0");
    for name in ["other", "nothing"] {
        let (_, task) = bench.ask(0, Method::POST, update, image(name)).await;
        seconds(1).await;
        let task = bench
            .get(0, &format!("TaskService/Tasks/{}", task["Id"].as_str().unwrap()))
            .await;
        assert_eq!(task["TaskState"], "Exception", "{name}");
    }
    let (status, _) = bench.ask(1, Method::POST, update, image("bmc")).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    seconds(45).await;
    assert!(!bench.handle.rack.answers(Bmc::Server(1)), "it restarts");
    seconds(40).await;
    assert_eq!(bench.get(1, "Managers/BMC").await["FirmwareVersion"], "2.0.0");
    bench.handle.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_changed_password_shuts_the_old_one_out_and_roles_bound_what_is_done() {
    let bench = Bench::up().await;
    let account = "AccountService/Accounts/1";
    let new = json!({"UserName": "eye", "Password": "look", "RoleId": "ReadOnly"});
    let (status, _) = bench.ask(0, Method::POST, "AccountService/Accounts", new).await;
    assert_eq!(status, StatusCode::CREATED);
    let eye = ("eye", "look");
    let (status, _) = bench.ask_as(eye, 0, Method::GET, "Systems/1", Value::Null).await;
    assert_eq!(status, StatusCode::OK);
    let reset = ("Systems/1/Actions/ComputerSystem.Reset", json!({"ResetType": "On"}));
    let (status, _) = bench.ask_as(eye, 0, Method::POST, reset.0, reset.1).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let up = json!({"RoleId": "Administrator"});
    let (status, _) = bench
        .ask_as(eye, 0, Method::PATCH, "AccountService/Accounts/2", up)
        .await;
    assert_eq!(status, StatusCode::FORBIDDEN, "nobody raises himself");
    let (status, _) = bench.ask(0, Method::DELETE, account, Value::Null).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "the last administrator stays");
    let (status, said) = bench.ask(0, Method::PATCH, account, json!({"Password": "other"})).await;
    assert_eq!(status, StatusCode::OK);
    assert!(!said.to_string().contains("other"));
    let (status, _) = bench.ask(0, Method::GET, "Systems/1", Value::Null).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let (status, _) = bench
        .ask_as(("admin", "other"), 0, Method::GET, "Systems/1", Value::Null)
        .await;
    assert_eq!(status, StatusCode::OK);
    bench.handle.stop().await;
}

#[tokio::test(start_paused = true)]
async fn subscribers_are_pushed_what_happens_and_the_log_keeps_it_until_it_is_cleared() {
    let bench = Bench::up().await;
    let body = json!({"Destination": "http://10.0.0.1/events", "Protocol": "Redfish", "Context": "mine"});
    let (status, made) = bench.ask(0, Method::POST, "EventService/Subscriptions", body).await;
    assert_eq!(status, StatusCode::CREATED);
    bench.handle.rack.feed(0, 1, false);
    seconds(1).await;
    let told = bench.web.events.lock().unwrap().clone();
    assert_eq!((told.len(), &told[0]["Context"]), (1, &json!("mine")));
    assert_eq!(told[0]["Events"][0]["MessageSeverity"], "Critical");
    let gone = format!("EventService/Subscriptions/{}", made["Id"].as_str().unwrap());
    let (status, _) = bench.ask(0, Method::DELETE, &gone, Value::Null).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    bench.handle.rack.feed(0, 1, true);
    seconds(1).await;
    assert_eq!(bench.web.events.lock().unwrap().len(), 1);
    let log = "Systems/1/LogServices/SEL";
    assert_eq!(bench.get(0, &format!("{log}/Entries")).await["Members@odata.count"], 2);
    let clear = format!("{log}/Actions/LogService.ClearLog");
    let (status, _) = bench.ask(0, Method::POST, &clear, json!({})).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(bench.get(0, &format!("{log}/Entries")).await["Members@odata.count"], 0);
    bench.handle.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_server_and_its_bmc_die_with_their_last_outlet_and_the_bmc_boots_after_it() {
    let bench = Bench::up().await;
    let rack = &bench.handle.rack;
    rack.reset(0, "On").unwrap();
    seconds(5).await;
    let outlet = "PowerEquipment/RackPDUs/1/Outlets/1";
    let control = format!("{outlet}/Actions/Outlet.PowerControl");
    let amps = bench.get(10, outlet).await["CurrentAmps"]["Reading"].as_f64().unwrap();
    assert!((amps * 230.0 - rack.view(0).draw.input[0]).abs() < 5.0, "{amps}");
    let (status, _) = bench
        .ask(10, Method::POST, &control, json!({"PowerState": "Off"}))
        .await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert!(
        rack.answers(Bmc::Server(0)) && rack.view(0).draw.total() > 100.0,
        "one feed is enough"
    );
    bench
        .ask(11, Method::POST, &control, json!({"PowerState": "PowerCycle"}))
        .await;
    assert_eq!(rack.view(0).draw.total(), 0.0);
    assert!(!rack.answers(Bmc::Server(0)));
    seconds(10).await;
    assert!(!rack.answers(Bmc::Server(0)), "it boots");
    seconds(30).await;
    assert_eq!(bench.get(0, "Systems/1").await["PowerState"], "Off");
    bench.handle.stop().await;
}
