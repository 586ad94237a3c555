//! A server's whole way over real sockets: DHCP through the relay, UEFI HTTP boot, iPXE's script, the agent installing an
//! image, then the installed system with its metadata and login banner.
#![allow(clippy::unwrap_used)]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::extract::{ConnectInfo, State};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use emulator::disks::Disks;
use emulator::model::{Activity, Power};
use emulator::net::RealNet;
use emulator::{Config, Credential, Emulated, RackLayout};
use rack::agent::{AgentState, Order, Work};
use rack::image::Packing;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream, UdpSocket};

const LEASE: Ipv4Addr = Ipv4Addr::new(127, 77, 0, 9);
const LOGIN: u16 = 22_622;

fn image() -> Vec<u8> {
    let mut image = vec![7u8; 1 << 20];
    image[510..512].copy_from_slice(&[0x55, 0xaa]);
    image
}

fn order() -> Order {
    let hex: String = ring::digest::digest(&ring::digest::SHA256, &image())
        .as_ref()
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    let digest = format!("sha256:{hex}");
    Order::Install {
        id: "o1".into(),
        path: "/blob".into(),
        digest: digest.clone(),
        stored: rack::Bytes(1 << 20),
        packing: Packing::Raw,
        raw_digest: digest,
        raw: rack::Bytes(1 << 20),
        disk: None,
    }
}

struct Daemon {
    at: SocketAddr,
    installed: AtomicBool,
}

async fn script(State(daemon): State<Arc<Daemon>>, ConnectInfo(from): ConnectInfo<SocketAddr>) -> String {
    assert_eq!(from.ip(), LEASE, "asked from the leased address");
    format!(
        "#!ipxe\nkernel k quiet busbar.url=http://{} busbar.token=t || exit\ninitrd i\nboot\n",
        daemon.at
    )
}

async fn poll(State(daemon): State<Arc<Daemon>>, Json(state): Json<AgentState>) -> Json<Order> {
    assert_eq!(state.hardware.serial.as_deref().map(|s| &s[..3]), Some("EMU"));
    match state.work {
        Work::Done { .. } => {
            daemon.installed.store(true, Ordering::SeqCst);
            Json(Order::PowerOff)
        }
        Work::Failed { error, .. } => panic!("{error}"),
        _ => Json(order()),
    }
}

/// Answers DISCOVER with OFFER and REQUEST with ACK, as a server in relay mode.
async fn dhcp(socket: UdpSocket, at: SocketAddr) {
    let mut p = [0u8; 1500];
    loop {
        let (n, from) = socket.recv_from(&mut p).await.unwrap();
        let has = |code: u8| p[240..n].windows(2).any(|w| w[0] == code && w[1] > 0);
        let file = if has(175) {
            format!("http://{at}/boot.ipxe")
        } else {
            format!("http://{at}/ipxe.efi")
        };
        let kind = if p[242] == 1 { 2 } else { 5 };
        let mut reply = p[..240].to_vec();
        reply[0] = 2;
        reply[16..20].copy_from_slice(&LEASE.octets());
        reply.extend([53, 1, kind, 54, 4, 127, 0, 0, 1, 67, file.len() as u8]);
        reply.extend(file.as_bytes());
        reply.push(255);
        socket.send_to(&reply, from).await.unwrap();
    }
}

async fn until(mut holds: impl FnMut() -> bool, rack: &Emulated) {
    for _ in 0..1000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("did not come about; console: {:#?}", rack.console(0));
}

#[tokio::test]
async fn a_server_netboots_installs_boots_its_disk_and_lets_one_in() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let daemon = Arc::new(Daemon {
        at,
        installed: AtomicBool::new(false),
    });
    let routes = Router::new()
        .route("/ipxe.efi", get(|| async { "MZ" }))
        .route("/boot.ipxe", get(script))
        .route("/k", get(|| async { "kernel" }))
        .route("/i", get(|| async { "initrd" }))
        .route("/agent/v1/poll", post(poll))
        .route("/blob", get(|| async { image() }))
        .route("/nocloud/meta-data", get(|| async { "instance-id: i-1\n" }))
        .route("/nocloud/user-data", get(|| async { "" }))
        .route("/latest/api/token", put(|| async { "token" }))
        .route("/latest/meta-data/instance-id", get(|| async { "i-1" }))
        .route("/latest/meta-data/local-hostname", get(|| async { "web-1" }))
        .with_state(daemon.clone());
    let service = routes.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let relay_mode = socket.local_addr().unwrap();
    tokio::spawn(dhcp(socket, at));

    let folder = tempfile::tempdir().unwrap();
    let config = Config {
        layout: RackLayout::of(1),
        port: 0,
        tls: false,
        disks: Disks::Files(folder.path().join("disks")),
        state: Some(folder.path().join("power.json")),
        speed: 200.0,
        seed: 7,
        relay: Ipv4Addr::LOCALHOST,
        metadata: format!("http://{at}"),
        net: Arc::new(RealNet {
            dhcp: relay_mode,
            login_port: LOGIN,
        }),
        credential: Credential {
            user: "u".into(),
            password: "p".into(),
        },
        control: None,
        machines: None,
        clock: Arc::new(|| rack::Time::from_millis(0)),
    };
    let rack = Emulated::build(config.clone()).unwrap();
    rack.reset(0, "On").unwrap();
    until(
        || daemon.installed.load(Ordering::SeqCst) && rack.view(0).power == Power::Off,
        &rack,
    )
    .await;
    assert!(rack.servers[0].drives[0].bootable());
    assert_eq!(rack.servers[0].drives[0].read(0, 1 << 20).unwrap(), image());

    rack.reset(0, "On").unwrap();
    until(|| rack.view(0).activity == Activity::Os, &rack).await;
    assert_eq!(rack.view(0).host_name, "web-1");
    let banner = async || {
        let mut text = String::new();
        TcpStream::connect((LEASE, LOGIN))
            .await
            .unwrap()
            .read_to_string(&mut text)
            .await
            .unwrap();
        text
    };
    assert!(banner().await.starts_with("SSH-2.0-"));

    // the process ends and starts again: the system goes on
    rack.stop();
    tokio::time::sleep(Duration::from_millis(50)).await;
    drop(rack);
    let rack = Emulated::build(config).unwrap();
    until(|| rack.view(0).activity == Activity::Os, &rack).await;
    assert!(banner().await.starts_with("SSH-2.0-"));
    rack.reset(0, "GracefulShutdown").unwrap();
    until(|| rack.view(0).power == Power::Off, &rack).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(
        TcpStream::connect((LEASE, LOGIN)).await.is_err(),
        "its login port closed with it"
    );
}
