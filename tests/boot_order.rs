//! Boxes whose boot order is all that can be set, served as live ones from trees, over sockets: the network is put first for
//! an installation and the disk again after it, and doing either twice or after a crash changes nothing more.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;

use emulator::Tree;
use emulator::tree::{Options, Served};
use hardware::{Credential, Driver, Error, HttpTransport, Mode, Permit, Pin, Receipt, Redfish};
use rack::BootTarget;
use rack::node::BmcAddress;
use serde_json::{Value, json};

async fn serve(folder: &Path) -> (Served, Arc<Tree>, Redfish) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let options = Options {
        credential: None,
        speed: 1000.0,
        faults: Arc::default(),
        clock: Arc::new(|| rack::Time::from_millis(0)),
    };
    let tree = Tree::open("box", folder, options).unwrap();
    let trees = [Arc::clone(&tree)];
    let served = emulator::tree::start(&trees, "127.0.0.1:0".parse().unwrap(), false)
        .await
        .unwrap();
    let url = format!("http://{}", served.at[0]);
    let redfish = driver(&url);
    (served, tree, redfish)
}

fn driver(url: &str) -> Redfish {
    let login = Credential {
        user: "root".into(),
        password: "any".into(),
    };
    Redfish::new(url, Arc::new(HttpTransport::new(Pin::Learn).unwrap()), login, Mode::Act)
}

fn permit() -> Permit {
    Permit::recorded("audit@1".into(), "n1".parse().unwrap())
}

async fn found(redfish: &Redfish) -> (BmcAddress, Vec<BootTarget>) {
    let found = redfish.discover().await.unwrap();
    let system = found.systems.into_iter().find(|s| s.is_machine).unwrap();
    let at = BmcAddress {
        url: redfish.url().to_owned(),
        system: system.system,
        manager: system.manager,
        chassis: system.chassis,
        credential: "default".parse().unwrap(),
        certificate: None,
    };
    (at, system.abilities.boot)
}

async fn set(redfish: &Redfish, at: &BmcAddress, target: BootTarget) -> Result<Receipt, Error> {
    redfish.boot().unwrap().set_boot(at, target, &permit()).await
}

async fn order(at: &BmcAddress) -> Vec<String> {
    let client = reqwest::Client::builder()
        .tls_certs_only([])
        .no_proxy()
        .build()
        .unwrap();
    let url = format!("{}{}", at.url, at.system);
    let answer = client.get(url).basic_auth("root", Some("any")).send().await.unwrap();
    let system: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    let names = system["Boot"]["BootOrder"].as_array().unwrap();
    names.iter().map(|n| n.as_str().unwrap().to_owned()).collect()
}

fn put(folder: &Path, path: &str, doc: &Value) {
    let at = folder.join(path.trim_matches('/'));
    std::fs::create_dir_all(&at).unwrap();
    std::fs::write(at.join("index.json"), doc.to_string()).unwrap();
}

/// A box with a disk, two ways to the network, and a shell.
fn write(folder: &Path) {
    const S: &str = "/redfish/v1/Systems/1";
    let link = |path: &str| json!({"@odata.id": path});
    let options = ["Boot0001", "Boot0002", "Boot0003", "Boot0004"];
    let paths = [
        "HD(1,GPT,C8939A3A-C7D1-41AC-916A-9EBEDDF8BBE9)/\\EFI\\debian",
        "PciRoot(0x3)/MAC(0040A6833A52,0x1)/IPv6(::)",
        "PciRoot(0x3)/MAC(0040A6833A52,0x1)/IPv4(0.0.0.0,0x0,DHCP)",
        "VenMedia(5023B95C-DB26-429B-A648-BD47664C8012)",
    ];
    put(
        folder,
        "/redfish/v1",
        &json!({"@odata.id": "/redfish/v1/", "Systems": link("/redfish/v1/Systems")}),
    );
    put(folder, "/redfish/v1/Systems", &json!({"Members": [link(S)]}));
    put(
        folder,
        S,
        &json!({"@odata.id": S, "Id": "1", "UUID": "4c4c4544-0051-4810-8035-b3c04f4b3732", "PowerState": "On",
            "Boot": {"BootOrder": options, "BootOptions": link(&format!("{S}/BootOptions"))},
            "Actions": {"#ComputerSystem.Reset": {"target": format!("{S}/Actions/ComputerSystem.Reset"),
                "ResetType@Redfish.AllowableValues": ["On", "ForceOff"]}}}),
    );
    let members: Vec<Value> = options.iter().map(|o| link(&format!("{S}/BootOptions/{o}"))).collect();
    put(folder, &format!("{S}/BootOptions"), &json!({"Members": members}));
    for (option, path) in options.iter().zip(paths) {
        let at = format!("{S}/BootOptions/{option}");
        put(
            folder,
            &at,
            &json!({"@odata.id": at, "Id": option, "BootOptionReference": option, "UefiDevicePath": path}),
        );
    }
}

#[tokio::test]
async fn the_network_is_put_first_and_the_disk_again_by_the_order_alone() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    let (_served, _tree, redfish) = serve(folder.path()).await;
    let (at, boots) = found(&redfish).await;
    assert_eq!(boots, [BootTarget::Pxe, BootTarget::Hdd]);
    let own = order(&at).await;

    assert_eq!(set(&redfish, &at, BootTarget::Hdd).await, Ok(Receipt::Done));
    assert_eq!(order(&at).await, own, "what is so already is not written");
    assert_eq!(set(&redfish, &at, BootTarget::Pxe).await, Ok(Receipt::Done));
    let network = ["Boot0003", "Boot0001", "Boot0002", "Boot0004"];
    assert_eq!(order(&at).await, network);

    // Whoever died here knows nothing of what was: the same two orders lead on from what is there.
    let after_a_crash = driver(redfish.url());
    assert_eq!(set(&after_a_crash, &at, BootTarget::Pxe).await, Ok(Receipt::Done));
    assert_eq!(order(&at).await, network);
    assert_eq!(set(&after_a_crash, &at, BootTarget::Hdd).await, Ok(Receipt::Done));
    assert_eq!(order(&at).await[0], "Boot0001");

    let refused = set(&redfish, &at, BootTarget::UefiHttp).await.unwrap_err();
    assert!(matches!(refused, Error::NotOffered { .. }), "{refused}");
}

/// A blade as it was captured: ten ways to the network, a shell, no disk, and no override.
#[tokio::test]
async fn a_captured_blade_without_overrides_boots_from_the_network() {
    let Some(corpus) = std::env::var_os("BUSBAR_CORPUS") else {
        eprintln!("SKIPPED: BUSBAR_CORPUS names no folder with redfish-trees.tar.xz");
        return;
    };
    let name = "hpe-cray-ex235a-mi250x-node";
    let folder = tempfile::tempdir().unwrap();
    let unpacked = std::process::Command::new("tar")
        .arg("xJf")
        .arg(Path::new(&corpus).join("redfish-trees.tar.xz"))
        .arg("-C")
        .arg(folder.path())
        .args(["--wildcards", &format!("*{name}*")])
        .status()
        .unwrap();
    assert!(unpacked.success());
    let (_served, _tree, redfish) = serve(&folder.path().join(name)).await;
    let (at, boots) = found(&redfish).await;
    assert_eq!(boots, [BootTarget::Pxe], "there is no disk to boot from yet");
    let own = order(&at).await;
    assert_eq!(set(&redfish, &at, BootTarget::Pxe).await, Ok(Receipt::Done));
    assert_eq!(order(&at).await, own, "the network is first already");

    // Someone put the shell first, where nothing would ever come up.
    let shell_first: Vec<&String> = own.last().into_iter().chain(&own[..own.len() - 1]).collect();
    let client = reqwest::Client::builder()
        .tls_certs_only([])
        .no_proxy()
        .build()
        .unwrap();
    let body = json!({"Boot": {"BootOrder": shell_first}}).to_string();
    let patched = client
        .patch(format!("{}{}", at.url, at.system))
        .basic_auth("root", Some("any"))
        .header("content-type", "application/json")
        .body(body)
        .send()
        .await
        .unwrap();
    assert!(patched.status().is_success(), "{}", patched.status());
    assert_eq!(set(&redfish, &at, BootTarget::Pxe).await, Ok(Receipt::Done));
    let now = order(&at).await;
    assert!(now[0].ends_with("PXE-IP4") && now.len() == own.len(), "{now:?}");
    // Without a disk's option the network stays first, and what answers there sends the machine on.
    assert_eq!(set(&redfish, &at, BootTarget::Hdd).await, Ok(Receipt::Done));
    assert_eq!(order(&at).await, now);
}
