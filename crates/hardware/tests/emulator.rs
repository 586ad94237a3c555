//! Against sushy-tools over a real socket: its fake driver (one service, several systems, no sessions, odd boot words), and
//! its libvirt driver for BIOS settings and firmware.
//!
//! `BUSBAR_SUSHY` names the `bin` folder of a virtual environment with sushy-tools installed.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::{address, bmc, permit};
use hardware::Driver;
use hardware::capability::FirmwareImage;
use hardware::{Contact, Error, HttpTransport, Mode, Pin, Receipt, TaskState};
use rack::{BootTarget, PowerState, ResetKind};
use serde_json::json;

const SYSTEMS: &str = "SUSHY_EMULATOR_FAKE_DRIVER = True
SUSHY_EMULATOR_FAKE_SYSTEMS = [
 {'uuid': 'da69abcc-dae0-4913-9a7b-d344043097c0', 'name': 'n1', 'power_state': 'Off', 'external_notifier': False,
  'nics': [{'mac': '00:5c:52:31:3a:9c', 'ip': '172.22.0.100'}]},
 {'uuid': 'da69abcc-dae0-4913-9a7b-d344043097c1', 'name': 'n2', 'power_state': 'Off', 'external_notifier': False,
  'nics': [{'mac': '00:5c:52:31:3a:9d', 'ip': '172.22.0.101'}]},
]
";

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// libvirt's own test driver: a machine in memory, with what sushy-tools remembers of it. Its state lasts as long as a
/// connection of the same process is open, so one is kept.
const LIBVIRT: &str = "import libvirt
KEPT = libvirt.open('test:///default')
SUSHY_EMULATOR_LIBVIRT_URI = 'test:///default'
";

async fn start(bin: &Path, folder: &Path, settings: &str) -> (Running, String) {
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let config = folder.join("sushy.conf");
    std::fs::write(&config, settings).unwrap();
    let mut command = Command::new(bin.join("sushy-emulator"));
    command
        .args(["-i", "127.0.0.1", "-p", &port.to_string(), "--config"])
        .arg(&config);
    // It keeps its systems in the temporary folder, so a run would see the state that the last one left.
    command.env("TMPDIR", folder);
    let running = Running(
        command
            .current_dir(folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    for _ in 0..200 {
        if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
            return (running, format!("http://127.0.0.1:{port}"));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("sushy-emulator did not start");
}

#[tokio::test]
async fn two_systems_behind_one_service_are_found_switched_and_netbooted() {
    let Some(bin) = std::env::var_os("BUSBAR_SUSHY") else {
        eprintln!("SKIPPED: BUSBAR_SUSHY names no folder with sushy-emulator");
        return;
    };
    let temp = tempfile::tempdir().unwrap();
    let (_running, url) = start(Path::new(&bin), temp.path(), SYSTEMS).await;
    let bmc = bmc(&url, HttpTransport::new(Pin::Learn).unwrap(), Mode::Observe);
    let found = bmc.discover().await.unwrap();
    println!("{} requests, problems {:#?}", found.requests, found.problems);
    assert_eq!(found.systems.len(), 2);
    assert!(
        found
            .systems
            .iter()
            .all(|s| s.is_machine && s.identity.uuid.is_some() && s.manager.is_some())
    );
    assert!(matches!(bmc.contact(), Contact::Answers { .. }));
    let at = address(&url, &found.systems[0]);
    let other = address(&url, &found.systems[1]);

    assert!(matches!(
        bmc.reset(&at, ResetKind::On, &permit()).await,
        Err(Error::NotArmed { .. })
    ));
    assert_eq!(
        bmc.glance(&at).await.unwrap().power,
        Some(PowerState::Off),
        "observing changed nothing"
    );

    bmc.set_mode(Mode::Act);
    assert_eq!(bmc.set_boot(&at, BootTarget::Pxe, &permit()).await, Ok(Receipt::Done));
    assert_eq!(bmc.glance(&at).await.unwrap().boot, Some(BootTarget::Pxe));
    assert_eq!(
        bmc.glance(&other).await.unwrap().boot,
        Some(BootTarget::Hdd),
        "the other one is untouched"
    );
    assert!(matches!(
        bmc.reset(&at, ResetKind::On, &permit()).await,
        Ok(Receipt::Accepted { .. })
    ));
    let on = async {
        while bmc.glance(&at).await.unwrap().power != Some(PowerState::On) {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), on)
        .await
        .expect("it goes on");
    assert_eq!(
        bmc.reset(&at, ResetKind::On, &permit()).await,
        Ok(Receipt::Done),
        "on when on is done"
    );
    assert!(matches!(
        bmc.reset(&other, ResetKind::ForceRestart, &permit()).await,
        Ok(Receipt::Blocked { .. })
    ));
    assert!(matches!(
        bmc.reset(&at, ResetKind::PowerCycle, &permit()).await,
        Err(Error::NotOffered { .. })
    ));
    assert_eq!(bmc.set_boot(&at, BootTarget::None, &permit()).await, Ok(Receipt::Done));
    assert_eq!(bmc.glance(&at).await.unwrap().boot, Some(BootTarget::Hdd));
}

#[tokio::test]
async fn bios_settings_are_written_and_firmware_is_updated_and_read_back() {
    let Some(bin) = std::env::var_os("BUSBAR_SUSHY") else {
        eprintln!("SKIPPED: BUSBAR_SUSHY names no folder with sushy-emulator");
        return;
    };
    let temp = tempfile::tempdir().unwrap();
    let (_running, url) = start(Path::new(&bin), temp.path(), LIBVIRT).await;
    let bmc = bmc(&url, HttpTransport::new(Pin::Learn).unwrap(), Mode::Act);
    let found = bmc.discover().await.unwrap();
    let system = &found.systems[0];
    let at = address(&url, system);

    let bios = bmc.bios().unwrap();
    let before = bios.settings(&at).await.unwrap();
    assert_eq!(before.now["ProcTurboMode"], "Enabled");
    let wanted = BTreeMap::from([("ProcTurboMode".to_owned(), json!("Disabled"))]);
    let first = bios.set(&at, &wanted, &permit()).await.unwrap();
    assert!(matches!(first, Receipt::Done | Receipt::Accepted { .. }), "{first:?}");
    let after = bios.settings(&at).await.unwrap();
    let shown = after
        .pending
        .get("ProcTurboMode")
        .unwrap_or(&after.now["ProcTurboMode"]);
    assert_eq!(shown, "Disabled");
    assert_eq!(
        after.now["NumCores"], before.now["NumCores"],
        "the others stay as they were"
    );
    assert_eq!(bios.set(&at, &wanted, &permit()).await, Ok(Receipt::Done), "so already");
    let unknown = BTreeMap::from([("Nonsense".to_owned(), json!(1))]);
    assert!(matches!(
        bios.set(&at, &unknown, &permit()).await,
        Err(Error::NotOffered { .. })
    ));

    // No inventory is kept there: the system itself tells its version, and is what is updated.
    let firmware = bmc.firmware().unwrap();
    let versions = firmware.versions().await.unwrap();
    assert_eq!(versions.len(), 1, "{versions:?}");
    assert_eq!(versions, system.firmware);
    assert_eq!(versions[0].version.as_deref(), Some("1.0.0"));
    let image = FirmwareImage::Pull {
        url: "http://127.0.0.1:1/bios.bin".into(),
    };
    let refused = firmware.update(&image, &["BIOS-other".into()], &permit()).await;
    assert!(matches!(refused, Err(Error::NotOffered { .. })), "{refused:?}");
    let targets = [versions[0].id.clone()];
    let Ok(Receipt::Accepted { task: Some(task) }) = firmware.update(&image, &targets, &permit()).await else {
        panic!("the update was not taken");
    };
    assert_eq!(firmware.task(&task).await, Ok(TaskState::Done));
    let updated = firmware.versions().await.unwrap();
    assert_eq!(updated[0].version.as_deref(), Some("1.1.0"), "what is read back counts");
    assert_eq!(updated[0].component(), versions[0].component());
}
