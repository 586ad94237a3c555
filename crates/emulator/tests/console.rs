//! The emulated BMCs' serial consoles over real sockets: OpenSSH's client at the one, a handshake of RFC 6455 at the other.

#![allow(clippy::unwrap_used)]

use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use emulator::{Config, Credential, Emulated, Handle, RackLayout};
use rack::Time;
use std::io::{Read as _, Write as _};

/// Only ends what hangs.
const PATIENCE: Duration = Duration::from_secs(60);

async fn start(state: Option<std::path::PathBuf>) -> Handle {
    let config = Config {
        layout: RackLayout {
            gpu_servers: 1,
            ..RackLayout::of(1)
        },
        port: 0,
        tls: false,
        disks: emulator::disks::Disks::Memory,
        state,
        speed: 20.0,
        seed: 1,
        relay: Ipv4Addr::LOCALHOST,
        metadata: "http://127.0.0.1:1".into(),
        net: Arc::new(emulator::net::RealNet {
            // nobody answers there: firmware says so on its console
            dhcp: (Ipv4Addr::LOCALHOST, 9).into(),
            login_port: 0,
        }),
        credential: Credential {
            user: "admin".into(),
            password: "emulated".into(),
        },
        control: None,
        machines: None,
        clock: Arc::new(|| Time::from_millis(0)),
    };
    Emulated::start(config).await.unwrap()
}

fn auth(user: &str, password: &str) -> String {
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    format!("Authorization: Basic {pair}\r\n")
}

/// The status line, and whatever text comes until `wanted` does.
fn websocket(at: (Ipv4Addr, u16), auth: &str, wanted: &str, then: impl FnOnce()) -> String {
    let mut socket = TcpStream::connect(at).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let request = format!("GET /console0 HTTP/1.1\r\nHost: bmc\r\n{head}{key}{auth}\r\n");
    socket.write_all(request.as_bytes()).unwrap();
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    let mut then = Some(then);
    loop {
        let n = socket.read(&mut buffer).unwrap();
        seen.extend_from_slice(&buffer[..n]);
        let text = String::from_utf8_lossy(&seen).into_owned();
        if text.contains("\r\n\r\n")
            && let Some(then) = then.take()
        {
            then();
        }
        if n == 0 || text.contains(wanted) {
            return text;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_is_opened_for_who_may_and_carries_what_the_firmware_says() {
    let rack = start(None).await;
    let (at, emulated) = (
        (rack.rack.servers[0].spec.bmc.unwrap(), rack.port),
        Arc::clone(&rack.rack),
    );
    tokio::task::spawn_blocking(move || {
        let refused = websocket(at, &auth("admin", "wrong"), "\r\n\r\n", || {});
        assert!(refused.starts_with("HTTP/1.1 401"), "{refused}");
        let on = || emulated.reset(0, "On").unwrap();
        let said = websocket(at, &auth("admin", "emulated"), "self test", on);
        assert!(said.starts_with("HTTP/1.1 101"), "{said}");
        // RFC 6455 §1.3 has this very key with this answer.
        assert!(said.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{said}");
        assert!(said.contains("Busbar emulated firmware"), "{said}");
    })
    .await
    .unwrap();
    rack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn openssh_logs_in_to_a_console_and_its_host_key_stays_the_same() {
    if Command::new("ssh").arg("-V").output().is_err() {
        eprintln!("SKIPPED: there is no ssh");
        return;
    }
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().unwrap();
    let ask = folder.path().join("ask");
    std::fs::write(&ask, "#!/bin/sh\necho emulated\n").unwrap();
    std::fs::set_permissions(&ask, PermissionsExt::from_mode(0o700)).unwrap();
    let known = folder.path().join("known_hosts");
    for strict in ["accept-new", "yes"] {
        let rack = start(Some(folder.path().join("state.json"))).await;
        let gpu = rack.rack.servers.iter().position(|s| s.spec.gpus > 0).unwrap();
        let url = format!(
            "http://{}:{}/redfish/v1/Systems/1",
            rack.rack.servers[gpu].spec.bmc.unwrap(),
            rack.port
        );
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let asked = client.get(url).basic_auth("admin", Some("emulated")).send().await;
        let system: serde_json::Value = asked.unwrap().json().await.unwrap();
        let port = system["SerialConsole"]["SSH"]["Port"].as_u64().unwrap();
        let mut command = Command::new("ssh");
        command
            .args(["-tt", "-p", &port.to_string(), "-o", "NumberOfPasswordPrompts=1"])
            .args(["-o", &format!("StrictHostKeyChecking={strict}")])
            .args(["-o", &format!("UserKnownHostsFile={}", known.display())])
            // the port is another in each run
            .args(["-o", "HostKeyAlias=bmc", "-F", "none"])
            .arg(format!("admin@{}", rack.rack.servers[gpu].spec.bmc.unwrap()))
            .env("SSH_ASKPASS", &ask)
            .env("SSH_ASKPASS_REQUIRE", "force")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut ssh = command.spawn().unwrap();
        let (mut out, seen) = (ssh.stdout.take().unwrap(), Arc::new(std::sync::Mutex::new(Vec::new())));
        let shown = Arc::clone(&seen);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = out.read(&mut buffer) {
                shown.lock().unwrap().extend_from_slice(&buffer[..n]);
            }
        });
        let since = Instant::now();
        let shows = |what: &str| String::from_utf8_lossy(&seen.lock().unwrap()).contains(what);
        while !shows("Busbar emulated firmware") {
            assert!(since.elapsed() < PATIENCE, "{:?}", ssh.wait_with_output());
            // whoever comes late has missed it, so it is said until someone is there
            rack.rack
                .reset(gpu, "PowerCycle")
                .or_else(|_| rack.rack.reset(gpu, "On"))
                .unwrap();
            tokio::time::sleep(Duration::from_millis(700)).await;
        }
        // A BMC that restarts hangs up.
        rack.rack.reset_bmc(gpu);
        while ssh.try_wait().unwrap().is_none() {
            assert!(since.elapsed() < PATIENCE, "it is still open");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        rack.stop().await;
    }
}
