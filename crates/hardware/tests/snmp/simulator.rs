//! snmpsim, with our recordings, those of its authors, and two users.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hardware::Credential;
use hardware::snmp::agent::{Agent, Oid};
use hardware::snmp::udp::UdpAgent;

/// What is served when no context is named, as the driver does: the recording that stands for the engine itself.
const DEFAULT: (&str, &str) = ("self", "apc-spdu");

pub struct Running {
    pub url: String,
    child: Child,
    _folder: tempfile::TempDir,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn community(name: &str) -> Credential {
    user("", name)
}

pub fn user(user: &str, password: &str) -> Credential {
    Credential {
        user: user.into(),
        password: password.into(),
    }
}

/// The one folder below `lib` that is called so.
fn below(venv: &Path, what: &str) -> PathBuf {
    let python = std::fs::read_dir(venv.join("lib"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    python.join("site-packages").join(what)
}

pub async fn start() -> Option<Running> {
    let Some(bin) = std::env::var_os("BUSBAR_SNMPSIM") else {
        eprintln!("SKIPPED: BUSBAR_SNMPSIM names no folder with snmpsim-command-responder");
        return None;
    };
    let bin = PathBuf::from(bin);
    let venv = bin.parent().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snmp");
    for from in [own.clone(), below(venv, "snmpsim_data/data/UPS")] {
        for entry in std::fs::read_dir(from).unwrap() {
            let file = entry.unwrap().path();
            if file.extension().is_some_and(|e| e == "snmprec") {
                std::fs::copy(&file, data.join(file.file_name().unwrap())).unwrap();
            }
        }
    }
    let default = format!("{}.snmprec", DEFAULT.0);
    std::fs::copy(own.join(format!("{}.snmprec", DEFAULT.1)), data.join(default)).unwrap();
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    drop(socket);
    let mut command = Command::new(bin.join("snmpsim-command-responder"));
    command
        .arg("--v3-engine-id=010203040505060809")
        .args(["--v3-user=ops", "--v3-auth-key=authphrase1", "--v3-auth-proto=SHA256"])
        .args(["--v3-priv-key=privphrase1", "--v3-priv-proto=AES"])
        .args(["--v3-user=older", "--v3-auth-key=authphrase1", "--v3-auth-proto=SHA"])
        .args(["--v3-priv-key=authphrase1", "--v3-priv-proto=AES"])
        .arg(format!("--agent-udpv4-endpoint=127.0.0.1:{port}"))
        .arg(format!("--data-dir={}", data.display()))
        .arg(format!("--cache-dir={}", folder.path().join("cache").display()))
        .arg(format!(
            "--variation-modules-dir={}",
            below(venv, "snmpsim/variation").display()
        ));
    if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
        // It does not run as root unless told to.
        command.args(["--process-user=root", "--process-group=root"]);
    }
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let running = Running {
        url: format!("snmp://127.0.0.1:{port}"),
        child,
        _folder: folder,
    };
    let agent = UdpAgent::new("127.0.0.1", port, community("other"));
    let name: [Oid; 1] = ["1.3.6.1.2.1.1.5.0".parse().unwrap()];
    for _ in 0..100 {
        if agent.get(&name).await.is_ok() {
            return Some(running);
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    panic!("snmpsim did not start");
}
