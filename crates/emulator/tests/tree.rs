//! A captured tree served as a live box: over a real socket where sockets matter, by calling the router elsewhere.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use emulator::tree::{Options, router, start};
use emulator::{Credential, Tree};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

const BROKEN: &str = "{\"@odata.id\": \"/redfish/v1/Chassis/1/Odd\", \"Reading\": 7,}";

fn put(folder: &Path, path: &str, body: &str) {
    let at = folder.join(path.trim_matches('/'));
    std::fs::create_dir_all(&at).unwrap();
    std::fs::write(at.join("index.json"), body).unwrap();
}

/// A box with what is common to most: a system with its reset behind an ActionInfo, a chassis with watts, a BMC.
fn write(folder: &Path) {
    let link = |path: &str| json!({"@odata.id": path});
    let files = [
        (
            "/redfish/v1",
            json!({"@odata.id": "/redfish/v1/", "Systems": link("/redfish/v1/Systems"),
                "Links": {"Sessions": link("/redfish/v1/SessionService/Sessions")},
                "ProtocolFeaturesSupported": {"ExpandQuery": {"NoLinks": true, "Levels": true, "MaxLevels": 2}}}),
        ),
        (
            "/redfish/v1/SessionService/Sessions",
            json!({"@odata.id": "/redfish/v1/SessionService/Sessions", "Members": []}),
        ),
        (
            "/redfish/v1/Systems",
            json!({"@odata.id": "/redfish/v1/Systems", "Members": [link("/redfish/v1/Systems/1")]}),
        ),
        (
            "/redfish/v1/Systems/1",
            json!({"@odata.id": "/redfish/v1/Systems/1", "Id": "1", "AssetTag": "", "PowerState": "On",
                "Boot": {"BootSourceOverrideTarget": "None", "BootSourceOverrideEnabled": "Disabled",
                    "BootSourceOverrideTarget@Redfish.AllowableValues": ["None", "Pxe"]},
                "Bios": link("/redfish/v1/Systems/1/Bios"),
                "Links": {"Chassis": [link("/redfish/v1/Chassis/1")]},
                "Actions": {"#ComputerSystem.Reset": {
                    "target": "/redfish/v1/Systems/1/Actions/ComputerSystem.Reset",
                    "@Redfish.ActionInfo": "/redfish/v1/Systems/1/ResetActionInfo"}}}),
        ),
        (
            "/redfish/v1/Systems/1/ResetActionInfo",
            json!({"Parameters": [{"Name": "ResetType", "Required": true,
                "AllowableValues": ["On", "ForceOff", "GracefulShutdown", "PowerCycle", "ForceRestart"]}]}),
        ),
        (
            "/redfish/v1/Systems/1/Bios",
            json!({"Attributes": {"Turbo": "Enabled"},
                "@Redfish.Settings": {"SettingsObject": link("/redfish/v1/Systems/1/Bios/Settings")}}),
        ),
        ("/redfish/v1/Systems/1/Bios/Settings", json!({"Attributes": {}})),
        (
            "/redfish/v1/Chassis/1",
            json!({"@odata.id": "/redfish/v1/Chassis/1", "PowerState": "On",
                "Links": {"ComputerSystems": [link("/redfish/v1/Systems/1")]}}),
        ),
        (
            "/redfish/v1/Chassis/1/Power",
            json!({"PowerControl": [{"PowerConsumedWatts": 412, "PowerLimit": {"LimitInWatts": null}}]}),
        ),
        (
            "/redfish/v1/Managers/1",
            json!({"Actions": {"#Manager.Reset": {"target": "/redfish/v1/Managers/1/Actions/Manager.Reset"}}}),
        ),
        (
            "/redfish/v1/Managers/1/VirtualMedia/Cd",
            json!({"Inserted": false, "Image": null, "Actions": {
                "#VirtualMedia.InsertMedia": {"target": "/redfish/v1/Managers/1/VirtualMedia/Cd/Actions/VirtualMedia.InsertMedia"},
                "#VirtualMedia.EjectMedia": {"target": "/redfish/v1/Managers/1/VirtualMedia/Cd/Actions/VirtualMedia.EjectMedia"}}}),
        ),
        (
            "/redfish/v1/UpdateService",
            json!({"Actions": {"#UpdateService.SimpleUpdate": {
                "target": "/redfish/v1/UpdateService/Actions/UpdateService.SimpleUpdate"}}}),
        ),
        (
            "/redfish/v1/UpdateService/FirmwareInventory/BMC",
            json!({"Version": "1.0"}),
        ),
        (
            "/redfish/v1/Pdu/Outlets/A1",
            json!({"PowerState": "On", "PowerWatts": {"Reading": 88.5}, "Actions": {"#Outlet.PowerControl": {
                "target": "/redfish/v1/Pdu/Outlets/A1/Actions/Outlet.PowerControl",
                "PowerState@Redfish.AllowableValues": ["On", "Off"]}}}),
        ),
        (
            "/redfish/v1/Log",
            json!({"Entries": link("/redfish/v1/Log/Entries"), "Actions": {
                "#LogService.ClearLog": {"target": "/redfish/v1/Log/Actions/LogService.ClearLog"}}}),
        ),
        (
            "/redfish/v1/Log/Entries",
            json!({"Members": [{"Id": "1"}], "Members@odata.count": 1}),
        ),
        (
            "/redfish/v1/Licence",
            json!({"error": {"code": "X.1.0.LicenseRequired", "message": "no licence"}}),
        ),
        ("/redfish/v1/Gone", json!({"error": {"message": "told 410"}})),
    ];
    for (path, body) in files {
        put(folder, path, &body.to_string());
    }
    put(folder, "/redfish/v1/Chassis/1/Odd", BROKEN);
    std::fs::write(folder.join("redfish/v1/Gone/index.status"), "410\n").unwrap();
}

fn options(credential: Option<Credential>) -> Options {
    Options {
        credential,
        speed: 1.0,
        faults: Arc::default(),
        clock: Arc::new(|| rack::Time::from_millis(0)),
    }
}

struct Asked {
    status: StatusCode,
    etag: String,
    location: String,
    bytes: Vec<u8>,
}

impl Asked {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap()
    }

    fn said(&self) -> String {
        let id = self.json()["error"]["@Message.ExtendedInfo"][0]["MessageId"].clone();
        id.as_str().unwrap().rsplit('.').next().unwrap().to_owned()
    }
}

async fn ask(tree: &Arc<Tree>, method: &str, path: &str, body: Value, headers: &[(&str, &str)]) -> Option<Asked> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let answer = router(tree.clone())
        .oneshot(request.body(Body::from(body)).unwrap())
        .await
        .unwrap();
    if answer.extensions().get::<emulator::serve::CloseConnection>().is_some() {
        return None;
    }
    let header = |name: &str| {
        let value = answer.headers().get(name).map(|v| v.to_str().unwrap());
        value.unwrap_or_default().to_owned()
    };
    let (etag, location) = (header("etag"), header("location"));
    Some(Asked {
        status: answer.status(),
        etag,
        location,
        bytes: answer.into_body().collect().await.unwrap().to_bytes().to_vec(),
    })
}

async fn get(tree: &Arc<Tree>, path: &str) -> Value {
    ask(tree, "GET", path, Value::Null, &[]).await.unwrap().json()
}

async fn post(tree: &Arc<Tree>, path: &str, body: Value) -> Asked {
    ask(tree, "POST", path, body, &[]).await.unwrap()
}

async fn patch(tree: &Arc<Tree>, path: &str, body: Value) -> Asked {
    ask(tree, "PATCH", path, body, &[]).await.unwrap()
}

fn tree() -> (tempfile::TempDir, Arc<Tree>) {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    let tree = Tree::open("box", folder.path(), options(None)).unwrap();
    (folder, tree)
}

const SYSTEM: &str = "/redfish/v1/Systems/1";
const RESET: &str = "/redfish/v1/Systems/1/Actions/ComputerSystem.Reset";

#[tokio::test]
async fn what_lies_in_the_folder_is_served_byte_for_byte_even_what_is_no_json() {
    let (_folder, tree) = tree();
    let odd = ask(&tree, "GET", "/redfish/v1/Chassis/1/Odd/", Value::Null, &[])
        .await
        .unwrap();
    assert_eq!((odd.status, odd.bytes.as_slice()), (StatusCode::OK, BROKEN.as_bytes()));
    for (path, status) in [
        ("/redfish/v1/Gone", 410),
        ("/redfish/v1/Licence", 403),
        ("/redfish/v1/Nothing", 404),
        ("/redfish/v1/../../etc/passwd", 404),
    ] {
        let asked = ask(&tree, "GET", path, Value::Null, &[]).await.unwrap();
        assert_eq!(asked.status.as_u16(), status, "{path}");
    }
    let expanded = get(&tree, "/redfish/v1/Systems?$expand=.($levels=1)").await;
    assert_eq!(expanded["Members"][0]["PowerState"], "On");
    let unclaimed = ask(&tree, "GET", "/redfish/v1/Systems?$select=Members", Value::Null, &[]).await;
    assert_eq!(unclaimed.unwrap().status, StatusCode::NOT_IMPLEMENTED);
}

#[tokio::test(start_paused = true)]
async fn a_reset_changes_the_power_state_after_a_while_and_readings_follow() {
    let (_folder, tree) = tree();
    let bad = post(&tree, RESET, json!({"ResetType": "Nmi"})).await;
    assert_eq!(
        (bad.status.as_u16(), bad.said().as_str()),
        (400, "ActionParameterValueNotInList")
    );
    assert_eq!(post(&tree, RESET, json!({})).await.said(), "ActionParameterMissing");
    let watts = "/redfish/v1/Chassis/1/Power";
    assert_eq!(
        post(&tree, RESET, json!({"ResetType": "GracefulShutdown"}))
            .await
            .status,
        204
    );
    assert_eq!(
        get(&tree, SYSTEM).await["PowerState"],
        "On",
        "a system takes a while to stop"
    );
    tokio::time::advance(Duration::from_secs(6)).await;
    assert_eq!(get(&tree, SYSTEM).await["PowerState"], "Off");
    assert_eq!(get(&tree, "/redfish/v1/Chassis/1").await["PowerState"], "Off");
    assert_eq!(get(&tree, watts).await["PowerControl"][0]["PowerConsumedWatts"], 0);
    let restart = post(&tree, RESET, json!({"ResetType": "ForceRestart"})).await;
    assert_eq!(
        (restart.status.as_u16(), restart.said().as_str()),
        (409, "ResourceInUse")
    );
    assert_eq!(post(&tree, RESET, json!({"ResetType": "On"})).await.status, 204);
    tokio::time::advance(Duration::from_secs(3)).await;
    assert_eq!(get(&tree, SYSTEM).await["PowerState"], "On");
    assert_eq!(get(&tree, watts).await["PowerControl"][0]["PowerConsumedWatts"], 412);
}

#[tokio::test(start_paused = true)]
async fn a_patch_is_merged_when_all_of_it_is_good_and_not_at_all_otherwise() {
    let (_folder, tree) = tree();
    for (body, said) in [
        (json!({"Colour": "red"}), "PropertyUnknown"),
        (json!({"AssetTag": "x", "PowerState": "Off"}), "PropertyNotWritable"),
        (json!({"AssetTag": 7}), "PropertyValueTypeError"),
        (
            json!({"Boot": {"BootSourceOverrideTarget": "Floppy"}}),
            "PropertyValueNotInList",
        ),
        (json!({}), "EmptyObject"),
    ] {
        let asked = patch(&tree, SYSTEM, body).await;
        assert_eq!((asked.status.as_u16(), asked.said().as_str()), (400, said));
    }
    let before = ask(&tree, "GET", SYSTEM, Value::Null, &[]).await.unwrap();
    assert_eq!(before.json()["AssetTag"], "");
    let boot = json!({"Boot": {"BootSourceOverrideTarget": "Pxe", "BootSourceOverrideEnabled": "Once"}});
    let tag = [("if-match", before.etag.as_str())];
    let first = ask(&tree, "PATCH", SYSTEM, boot.clone(), &tag).await.unwrap();
    assert_eq!(first.status, 200);
    let again = ask(&tree, "PATCH", SYSTEM, boot, &tag).await.unwrap();
    assert_eq!(again.status, StatusCode::PRECONDITION_FAILED, "the ETag has moved on");

    let settings = "/redfish/v1/Systems/1/Bios/Settings";
    let turbo = json!({"Attributes": {"Turbo": "Disabled"}});
    assert_eq!(
        patch(&tree, settings, json!({"Attributes": {"Nothing": 1}}))
            .await
            .said(),
        "PropertyUnknown"
    );
    assert_eq!(patch(&tree, settings, turbo).await.status, 200);
    let bios = "/redfish/v1/Systems/1/Bios";
    assert_eq!(
        get(&tree, bios).await["Attributes"]["Turbo"],
        "Enabled",
        "it waits for a boot"
    );
    assert_eq!(get(&tree, SYSTEM).await["Boot"]["BootSourceOverrideTarget"], "Pxe");
    post(&tree, RESET, json!({"ResetType": "ForceRestart"})).await;
    tokio::time::advance(Duration::from_secs(3)).await;
    assert_eq!(
        get(&tree, SYSTEM).await["Boot"]["BootSourceOverrideEnabled"],
        "Disabled",
        "once is once"
    );
    assert_eq!(get(&tree, bios).await["Attributes"]["Turbo"], "Disabled");
    let limit = json!({"PowerControl": [{"PowerLimit": {"LimitInWatts": 300}}]});
    let capped = patch(&tree, "/redfish/v1/Chassis/1/Power", limit).await.json();
    assert_eq!(capped["PowerControl"][0]["PowerLimit"]["LimitInWatts"], 300);
    assert_eq!(capped["PowerControl"][0]["PowerConsumedWatts"], 412, "the rest stays");
}

#[tokio::test(start_paused = true)]
async fn media_updates_outlets_logs_and_the_bmc_itself_act_as_they_say() {
    let (_folder, tree) = tree();
    let media = "/redfish/v1/Managers/1/VirtualMedia/Cd";
    let insert = format!("{media}/Actions/VirtualMedia.InsertMedia");
    assert_eq!(post(&tree, &insert, json!({})).await.said(), "ActionParameterMissing");
    assert_eq!(
        post(&tree, &insert, json!({"Image": "http://10.0.0.1/a.iso"}))
            .await
            .status,
        204
    );
    assert_eq!(get(&tree, media).await["Inserted"], true);
    post(&tree, &format!("{media}/Actions/VirtualMedia.EjectMedia"), json!({})).await;
    assert_eq!(get(&tree, media).await["Image"], Value::Null);

    let bmc = "/redfish/v1/UpdateService/FirmwareInventory/BMC";
    let update = "/redfish/v1/UpdateService/Actions/UpdateService.SimpleUpdate";
    let image = json!({"ImageURI": "http://10.0.0.1/bmc-2.1.bin", "Targets": [bmc]});
    let task = post(&tree, update, image).await;
    assert_eq!(task.status, StatusCode::ACCEPTED);
    assert_eq!(get(&tree, &task.location).await["TaskState"], "Running");
    tokio::time::advance(Duration::from_secs(11)).await;
    assert_eq!(get(&tree, &task.location).await["TaskState"], "Completed");
    assert_eq!(get(&tree, bmc).await["Version"], "2.1");

    let outlet = "/redfish/v1/Pdu/Outlets/A1";
    post(
        &tree,
        &format!("{outlet}/Actions/Outlet.PowerControl"),
        json!({"PowerState": "Off"}),
    )
    .await;
    tokio::time::advance(Duration::from_secs(2)).await;
    let off = get(&tree, outlet).await;
    assert_eq!(
        (&off["PowerState"], &off["PowerWatts"]["Reading"]),
        (&json!("Off"), &json!(0))
    );

    post(&tree, "/redfish/v1/Log/Actions/LogService.ClearLog", json!({})).await;
    assert_eq!(get(&tree, "/redfish/v1/Log/Entries").await["Members"], json!([]));
    assert_eq!(
        post(&tree, "/redfish/v1/Log/Actions/LogService.Other", json!({}))
            .await
            .status,
        404
    );

    post(&tree, "/redfish/v1/Managers/1/Actions/Manager.Reset", json!({})).await;
    assert!(
        ask(&tree, "GET", "/redfish/v1", Value::Null, &[]).await.is_none(),
        "it is silent"
    );
    tokio::time::advance(Duration::from_secs(21)).await;
    get(&tree, "/redfish/v1").await;
}

#[tokio::test]
async fn faults_hit_a_tree_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    let options = options(None);
    let faults = options.faults.clone();
    let tree = Tree::open("trees/box", folder.path(), options).unwrap();
    let fault = json!({"on": {"at": "trees/*"}, "action": "status", "code": 503, "count": 1});
    faults.set(serde_json::from_value(fault).unwrap()).unwrap();
    assert_eq!(ask(&tree, "GET", SYSTEM, Value::Null, &[]).await.unwrap().status, 503);
    assert_eq!(ask(&tree, "GET", SYSTEM, Value::Null, &[]).await.unwrap().status, 200);
}

#[tokio::test]
async fn over_a_socket_a_login_opens_a_session_and_a_wrong_password_does_not() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    let credential = Credential {
        user: "ada".into(),
        password: "right".into(),
    };
    let tree = Tree::open("box", folder.path(), options(Some(credential))).unwrap();
    let served = start(&[tree], "127.0.0.1:0".parse().unwrap(), false).await.unwrap();
    let url = format!("http://{}", served.at[0]);
    let _ = rustls::crypto::ring::default_provider().install_default();
    // an HTTP client that is not ours
    let client = reqwest::Client::builder()
        .tls_certs_only([])
        .no_proxy()
        .build()
        .unwrap();
    let system = format!("{url}{SYSTEM}");
    assert_eq!(client.get(&system).send().await.unwrap().status(), 401);
    let basic = client
        .get(&system)
        .basic_auth("ada", Some("right"))
        .send()
        .await
        .unwrap();
    assert_eq!(basic.status(), 200);
    let sessions = format!("{url}/redfish/v1/SessionService/Sessions");
    let login = |password: &str| {
        let body = json!({"UserName": "ada", "Password": password}).to_string();
        client.post(&sessions).body(body).send()
    };
    assert_eq!(login("wrong").await.unwrap().status(), 401);
    let opened = login("right").await.unwrap();
    assert_eq!(opened.status(), 201);
    let token = opened.headers()["x-auth-token"].clone();
    let location = opened.headers()["location"].to_str().unwrap().to_owned();
    let with = client.get(&system).header("x-auth-token", token.clone());
    assert_eq!(with.send().await.unwrap().status(), 200);
    let close = client
        .delete(format!("{url}{location}"))
        .header("x-auth-token", token.clone());
    assert_eq!(close.send().await.unwrap().status(), 204);
    let after = client.get(&system).header("x-auth-token", token);
    assert_eq!(after.send().await.unwrap().status(), 401);
    served.stop().await;
}
