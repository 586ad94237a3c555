//! cloud-init as the client of the metadata service: its own data sources crawl, over a socket, and must understand
//! what the instance says, without one answer that they didn't expect.
//!
//! Skipped unless `BUSBAR_CLOUD_INIT` names a folder with cloud-init's package unpacked. To get it on Debian:
//!
//! ```text
//! apt-get download cloud-init && dpkg -x cloud-init_*.deb cloud-init
//! python3 -m venv cloud-init/venv
//! cloud-init/venv/bin/pip install pyyaml requests jinja2 configobj oauthlib jsonschema jsonpatch netifaces
//! BUSBAR_CLOUD_INIT=$PWD/cloud-init cargo test -p boot --test metadata_cloud_init
//! ```
//!
//! Without `venv` in the folder, the system's `python3` is used, which then needs those modules.
#![allow(clippy::unwrap_used)]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{ConnectInfo, Request};
use axum::middleware::{Next, from_fn};
use boot::desk::{Caller, Desk, DeskError, Future, Instance, NextBoot};
use boot::metadata::{Peer, TokenKey, router};
use rack::agent::{AgentState, Order};
use rack::{Mac, Time};
use serde_json::{Value, json};

struct OneMachine(Arc<Instance>);

impl Desk for OneMachine {
    fn lease(&self, _: Mac) -> Future<'_, Result<Option<Ipv4Addr>, DeskError>> {
        Box::pin(async { Ok(None) })
    }
    fn mac_of(&self, _: Ipv4Addr) -> Option<Mac> {
        None
    }
    fn next_boot(&self, _: &Caller) -> NextBoot {
        NextBoot::Disk { why: String::new() }
    }
    fn instance(&self, caller: &Caller) -> Option<Arc<Instance>> {
        (caller.address == Some(IpAddr::V4(Ipv4Addr::LOCALHOST))).then(|| self.0.clone())
    }
    fn metadata_seen(&self, _: &Caller) {}
    fn poll<'a>(
        &'a self,
        _: &'a str,
        _: Option<IpAddr>,
        _: AgentState,
        _: Duration,
    ) -> Future<'a, Result<Order, DeskError>> {
        Box::pin(async { Err(DeskError::Refused("not here".to_owned())) })
    }
    fn blob(&self, _: &str, _: &str) -> Result<PathBuf, DeskError> {
        Err(DeskError::Missing("blob".to_owned()))
    }
}

fn instance(user_data: Option<&str>, ssh_keys: &[&str]) -> Instance {
    Instance {
        id: "i-0123456789abcdef0".to_owned(),
        host_name: "web-3".to_owned(),
        ssh_keys: ssh_keys.iter().map(ToString::to_string).collect(),
        user_data: user_data.map(str::to_owned),
        mac: Mac([0x52, 0x54, 0, 0x12, 0x34, 0x56]),
        address: Ipv4Addr::new(10, 77, 0, 9),
        prefix: 16,
        zone: "r1".to_owned(),
        place: "r1/u12".to_owned(),
        image: "debian-12".to_owned(),
    }
}

/// Serves the instance on a loopback port and returns what cloud-init made of it; `None` when it isn't here.
async fn ask(instance: Instance) -> Option<Value> {
    let Some(package) = std::env::var_os("BUSBAR_CLOUD_INIT").map(PathBuf::from) else {
        eprintln!("SKIPPED: set BUSBAR_CLOUD_INIT to an unpacked package of cloud-init (see the head of this file)");
        return None;
    };
    let venv = package.join("venv/bin/python3");
    let python = if venv.exists() { venv } else { PathBuf::from("python3") };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let local = listener.local_addr().unwrap();
    let key = TokenKey::new(&[3; 32], || Time::from_millis(1_764_000_000_000));
    let app = router(Arc::new(OneMachine(Arc::new(instance))), key).layer(from_fn(
        move |ConnectInfo(remote): ConnectInfo<SocketAddr>, mut request: Request, next: Next| {
            request.extensions_mut().insert(Peer { local, remote });
            next.run(request)
        },
    ));
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/metadata_cloud_init.py");
    let output = tokio::process::Command::new(python)
        .arg(script)
        .arg(format!("http://{local}"))
        .env("PYTHONPATH", package.join("usr/lib/python3/dist-packages"))
        .env("no_proxy", "127.0.0.1")
        .output()
        .await
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    Some(serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {told}")))
}

fn assert_each_asked_once_and_answered(asked: &Value, but: &[(&str, u64)]) {
    let asked = asked.as_array().unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for request in asked {
        let path = request[1].as_str().unwrap();
        let status = request[2].as_u64().unwrap();
        let want = but.iter().find(|(p, _)| *p == path).map_or(200, |(_, status)| *status);
        assert_eq!(status, want, "{request}");
        // The version probe asks for the id once before the crawl does.
        assert!(
            seen.insert(path) || path.ends_with("/instance-id"),
            "asked again: {request}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cloud_init_reads_the_whole_instance_in_both_dialects() {
    let user_data = "#cloud-config\nhostname: web-3\nruncmd: [[echo, \"ü\"]]\n";
    let keys = ["ssh-ed25519 AAAA a@b", "ssh-rsa BBBB c@d"];
    let Some(read) = ask(instance(Some(user_data), &keys)).await else {
        return;
    };
    assert_each_asked_once_and_answered(&read["ec2_asked"], &[]);
    assert_eq!(read["ec2_asked"][0], json!(["PUT", "/latest/api/token", 200]));
    let ec2 = &read["ec2"];
    assert_eq!(ec2["_metadata_api_version"], "2021-03-23");
    assert_eq!(ec2["user-data"], user_data);
    let data = &ec2["meta-data"];
    for (key, want) in [
        ("instance-id", "i-0123456789abcdef0"),
        ("local-hostname", "web-3"),
        ("local-ipv4", "10.77.0.9"),
        ("mac", "52:54:00:12:34:56"),
        ("ami-id", "debian-12"),
    ] {
        assert_eq!(data[key], want, "{key}");
    }
    assert_eq!(
        data["placement"],
        json!({"availability-zone": "r1", "host-id": "r1/u12", "region": "r1"})
    );
    assert_eq!(read["ec2_keys"], json!(keys));
    let port = &data["network"]["interfaces"]["macs"]["52:54:00:12:34:56"];
    assert_eq!(port["device-number"], "0");
    assert_eq!(port["local-ipv4s"], "10.77.0.9");
    assert_eq!(port["subnet-ipv4-cidr-block"], "10.77.0.0/16");
    let document = &ec2["dynamic"]["instance-identity"]["document"];
    assert_eq!(document["instanceId"], "i-0123456789abcdef0");
    assert_eq!(document["privateIp"], "10.77.0.9");

    assert_each_asked_once_and_answered(&read["nocloud_asked"], &[]);
    let seed = &read["nocloud"];
    assert_eq!(seed[0]["instance-id"], "i-0123456789abcdef0");
    assert_eq!(seed[0]["local-hostname"], "web-3");
    assert_eq!(seed[0]["public-keys"], json!(keys));
    assert_eq!(seed[1], user_data);
}

#[tokio::test(flavor = "multi_thread")]
async fn cloud_init_reads_an_instance_without_keys_and_user_data() {
    let Some(read) = ask(instance(None, &[])).await else {
        return;
    };
    assert_each_asked_once_and_answered(&read["ec2_asked"], &[("/2021-03-23/user-data", 404)]);
    assert_eq!(read["ec2"]["meta-data"]["instance-id"], "i-0123456789abcdef0");
    assert_eq!(read["ec2_keys"], json!([]));
    assert_each_asked_once_and_answered(&read["nocloud_asked"], &[]);
    assert_eq!(read["nocloud"][1], "#cloud-config\n{}\n");
}
