//! The boot kit in a real virtual machine: `BUSBAR_TEST_QEMU=1 cargo test -p agent --test qemu`.
//!
//! Builds a kit around `examples/init.rs` (or the program that `BUSBAR_TEST_INIT` names), boots it under QEMU with three disks on three buses, and plays the daemon.
#![allow(clippy::unwrap_used)]

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use agent::kit::{COMMAND_LINE, Kernel, KitSpec, build};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use rack::Bytes;
use rack::agent::{AgentState, DiskWipe, FoundHardware, Order, Outcome, WipeMethod, Work};
use rack::image::Packing;
use rack::node::DriveBus;
use sha2::{Digest, Sha256};

const TOKEN: &str = "token-of-this-boot";
/// Long enough for software emulation on a busy machine.
const LIMIT: Duration = Duration::from_secs(300);
const DISK: u64 = 256 << 20;
const IMAGE: usize = (24 << 20) + 1536;

#[derive(Default)]
struct Book {
    orders: VecDeque<Order>,
    hardware: Option<FoundHardware>,
    outcomes: Vec<Outcome>,
    failures: Vec<String>,
    reports: Vec<String>,
    blob: Vec<u8>,
    opened: u32,
}

type Shared = Arc<Mutex<Book>>;

fn allowed(headers: &HeaderMap) -> bool {
    headers
        .get("authorization")
        .is_some_and(|v| v == &format!("Bearer {TOKEN}"))
}

async fn poll(State(book): State<Shared>, headers: HeaderMap, Json(state): Json<AgentState>) -> Response {
    if !allowed(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let mut book = book.lock().unwrap();
    book.hardware = Some(state.hardware);
    let current = book.orders.front().and_then(|o| o.id().map(str::to_string));
    match state.work {
        Work::Busy { phase, done, total, .. } => book.reports.push(format!("{phase} {}/{}", done.0, total.0)),
        Work::Done { order, outcome } if Some(&order) == current.as_ref() => {
            book.outcomes.push(outcome);
            book.orders.pop_front();
        }
        Work::Failed { order, error, .. } if Some(&order) == current.as_ref() => {
            book.failures.push(error);
            book.orders.pop_front();
        }
        _ => {}
    }
    Json(book.orders.front().cloned().unwrap_or(Order::PowerOff)).into_response()
}

/// Serves the blob; the first answer breaks in the middle.
async fn blob(State(book): State<Shared>, headers: HeaderMap) -> Response {
    if !allowed(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let mut book = book.lock().unwrap();
    book.opened += 1;
    let from: usize = headers
        .get("range")
        .and_then(|v| v.to_str().ok()?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok())
        .unwrap_or(0);
    let rest = book.blob[from..].to_vec();
    let size = book.blob.len();
    if book.opened == 1 {
        let half = rest[..rest.len() / 2].to_vec();
        let broken = futures_util::stream::iter([Ok(half), Err(std::io::Error::other("cable pulled"))]);
        return Body::from_stream(broken).into_response();
    }
    if from == 0 {
        return rest.into_response();
    }
    (
        StatusCode::PARTIAL_CONTENT,
        [("content-range", format!("bytes {from}-{}/{size}", size - 1))],
        rest,
    )
        .into_response()
}

struct Machine(Child);

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn init_program() -> PathBuf {
    if let Some(path) = std::env::var_os("BUSBAR_TEST_INIT") {
        return path.into();
    }
    // tests lie in …/deps, examples beside them
    let deps = std::env::current_exe().unwrap();
    let init = deps.parent().unwrap().parent().unwrap().join("examples/init");
    assert!(init.exists(), "run `cargo build -p agent --examples` first");
    init
}

/// Bytes that look like a system: data, runs of zeroes, an end that is no multiple of a block.
fn image() -> Vec<u8> {
    let mut random = 7u64;
    let mut image = vec![0u8; IMAGE];
    for (n, byte) in image.iter_mut().enumerate() {
        if n >> 20 & 1 == 0 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = (random >> 56) as u8;
        }
    }
    image
}

fn install(id: &str, disk: &str, blob: &[u8], image: &[u8]) -> Order {
    let digest = |bytes: &[u8]| {
        let hex: String = Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect();
        format!("sha256:{hex}")
    };
    Order::Install {
        id: id.to_string(),
        path: "/agent/v1/blob".to_string(),
        digest: digest(blob),
        stored: Bytes(blob.len() as u64),
        packing: Packing::Zstd,
        raw_digest: digest(image),
        raw: Bytes(image.len() as u64),
        disk: Some(disk.to_string()),
    }
}

/// A disk full of an earlier owner's data.
fn dirty_disk(path: &Path) {
    let mut file = File::create(path).unwrap();
    let data = vec![0xa5u8; 1 << 20];
    for _ in 0..DISK >> 20 {
        file.write_all(&data).unwrap();
    }
}

fn start(kit: &Path, folder: &Path, port: u16) -> Machine {
    let log = File::create(folder.join("console.log")).unwrap();
    let disk = |n: &str| {
        format!(
            "id={n},if=none,format=raw,file={},discard=unmap",
            folder.join(n).display()
        )
    };
    let child = Command::new("qemu-system-x86_64")
        .args([
            "-machine",
            "q35",
            "-accel",
            "tcg",
            "-cpu",
            "max",
            "-smp",
            "2",
            "-m",
            "768",
            "-nographic",
            "-no-reboot",
        ])
        .arg("-kernel")
        .arg(kit.join("kernel"))
        .arg("-initrd")
        .arg(kit.join("initrd"))
        .arg("-append")
        .arg(format!(
            "{COMMAND_LINE} busbar.url=http://10.0.2.2:{port} busbar.token={TOKEN} BOOTIF=01-52-54-00-12-34-56"
        ))
        .args([
            "-netdev",
            "user,id=n0",
            "-device",
            "virtio-net-pci,netdev=n0,mac=52:54:00:12:34:56",
        ])
        .args(["-drive", &disk("vda"), "-device", "virtio-blk-pci,drive=vda,serial=V1"])
        .args(["-drive", &disk("nvme0n1"), "-device", "nvme,drive=nvme0n1,serial=N1"])
        .args([
            "-drive",
            &disk("sda"),
            "-device",
            "ide-hd,bus=ide.0,drive=sda,serial=S1",
        ])
        .args([
            "-smbios",
            "type=1,uuid=11111111-2222-3333-4444-555555555555,serial=box-7,manufacturer=Acme,product=One",
        ])
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap();
    Machine(child)
}

async fn run_to_power_off(mut machine: Machine, folder: &Path) {
    let wait = async {
        while machine.0.try_wait().unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let ended = tokio::time::timeout(LIMIT, wait).await;
    let console = fs::read_to_string(folder.join("console.log")).unwrap_or_default();
    assert!(
        ended.is_ok(),
        "the machine did not switch off; its console said:\n{console}"
    );
    assert!(!console.contains(TOKEN), "the token is on the console:\n{console}");
    eprintln!("{console}");
}

async fn serve(book: &Shared) -> u16 {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let limit = axum::extract::DefaultBodyLimit::max(1 << 20);
    let app = Router::new()
        .route("/agent/v1/poll", post(poll))
        .route("/agent/v1/blob", get(blob));
    let app = app.layer(limit).with_state(book.clone());
    tokio::spawn(async move { axum::serve(listener, app).await });
    port
}

fn wiped(outcome: &Outcome) -> &[DiskWipe] {
    let Outcome::Wiped { disks } = outcome else {
        panic!("{outcome:?}")
    };
    disks
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_is_inventoried_installed_on_every_bus_wiped_and_switched_off() {
    if std::env::var_os("BUSBAR_TEST_QEMU").is_none() {
        eprintln!("SKIPPED: set BUSBAR_TEST_QEMU=1 to boot the kit in QEMU");
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let folder = root.path();
    let kernel = std::env::var_os("BUSBAR_TEST_KERNEL_DEB").map_or(Kernel::Debian, |p| Kernel::Deb(p.into()));
    let spec = KitSpec {
        out: folder.join("kit"),
        binary: init_program(),
        kernel,
        strip: true,
    };
    let kit = tokio::task::spawn_blocking(move || build(&spec).unwrap())
        .await
        .unwrap();
    for name in ["vda", "nvme0n1", "sda"] {
        dirty_disk(&folder.join(name));
    }
    let image = image();
    let blob = zstd::encode_all(&image[..], 3).unwrap();
    let mut orders: VecDeque<_> = ["vda", "nvme0n1", "sda"]
        .iter()
        .map(|d| install(&format!("install-{d}"), d, &blob, &image))
        .collect();
    let mut wrong = install("wrong", "vda", &blob, &image);
    if let Order::Install { raw_digest, .. } = &mut wrong {
        *raw_digest = format!("sha256:{}", "0".repeat(64));
    }
    orders.push_front(wrong);
    let book: Shared = Arc::new(Mutex::new(Book {
        orders,
        blob,
        ..Book::default()
    }));
    let port = serve(&book).await;

    run_to_power_off(start(&kit.folder, folder, port), folder).await;
    {
        let book = book.lock().unwrap();
        let found = book.hardware.clone().unwrap();
        assert_eq!(found.uuid.as_deref(), Some("11111111-2222-3333-4444-555555555555"));
        assert_eq!(
            (found.serial.as_deref(), found.maker.as_deref()),
            (Some("box-7"), Some("Acme"))
        );
        let disks: Vec<_> = found
            .disks
            .iter()
            .map(|d| (d.name.as_str(), d.bus, d.serial.as_deref()))
            .collect();
        let want = [
            ("nvme0n1", DriveBus::Nvme, Some("N1")),
            ("sda", DriveBus::Sata, Some("S1")),
            ("vda", DriveBus::Virtio, Some("V1")),
        ];
        assert_eq!(disks, want);
        assert_eq!((found.nics.len(), found.nics[0].link), (1, true));
        assert!(
            found.threads == 2 && !found.pci.is_empty() && found.memory.0 > 500 << 20,
            "{found:?}"
        );
        assert_eq!(book.failures.len(), 1, "{:?}", book.failures);
        assert!(book.failures[0].contains("not sha256:0000"), "{:?}", book.failures);
        assert_eq!(book.outcomes.len(), 3);
        for outcome in &book.outcomes {
            eprintln!("{outcome:?}");
        }
        assert!(book.opened >= 5, "the broken download went on: {}", book.opened);
    }
    for name in ["vda", "nvme0n1", "sda"] {
        let mut disk = Vec::new();
        File::open(folder.join(name))
            .unwrap()
            .take(IMAGE as u64 + 4096)
            .read_to_end(&mut disk)
            .unwrap();
        assert!(disk[..IMAGE] == image[..], "{name} does not hold the image");
        assert!(
            disk[IMAGE..IMAGE + 4].iter().all(|b| *b == 0xa5),
            "{name}: what follows the image was touched"
        );
    }

    // a second boot wipes
    book.lock().unwrap().orders = VecDeque::from([Order::Wipe {
        id: "wipe-1".to_string(),
    }]);
    book.lock().unwrap().outcomes.clear();
    run_to_power_off(start(&kit.folder, folder, port), folder).await;
    let book = book.lock().unwrap();
    let disks = wiped(&book.outcomes[0]);
    for disk in disks {
        eprintln!("{disk:?}");
        assert!(disk.clean && disk.samples > 1000, "{disk:?}");
        let method = match disk.disk.as_str() {
            "vda" => WipeMethod::Discard,
            "nvme0n1" => WipeMethod::NvmeFormat,
            _ => WipeMethod::Overwrite,
        };
        assert_eq!(disk.method, method, "{}", disk.disk);
        let mut file = File::open(folder.join(&disk.disk)).unwrap();
        file.seek(SeekFrom::Start(0)).unwrap();
        let mut all = Vec::new();
        file.read_to_end(&mut all).unwrap();
        assert_eq!(all.len() as u64, DISK);
        assert!(all.iter().all(|b| *b == 0), "{} still holds data", disk.disk);
    }
    assert_eq!(disks.len(), 3);
}
