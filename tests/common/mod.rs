//! A daemon with an emulated rack, started as a user starts it: the real binary, a folder and a port of its own.

#![allow(clippy::unwrap_used, dead_code)]

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use serde_json::Value;

/// The binary.
pub const BUSBAR: &str = env!("CARGO_BIN_EXE_busbar");
/// The BMC password of the emulated rack.
pub const PASSWORD: &str = "emulated";
/// What a command may take before the test gives up: generous, as it only ends what hangs.
const PATIENCE: Duration = Duration::from_secs(300);

/// What a command answered.
#[derive(Debug)]
pub struct Answer {
    pub out: String,
    pub err: String,
    pub code: i32,
}

impl Answer {
    /// The answer, which must be success.
    #[track_caller]
    pub fn ok(self) -> Answer {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    /// The answer as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }
}

/// A folder, a port, and a daemon in them.
pub struct Rack {
    pub folder: tempfile::TempDir,
    pub port: u16,
    args: Vec<String>,
    child: Option<Child>,
}

/// A base whose derived ports are free too: boot, emulator control, DHCP relay, BMCs.
fn port() -> u16 {
    // Tests of one process count up, by more than the derived ports lie apart; processes start apart.
    const STEP: u16 = 3;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let start = 20_000 + (std::process::id() % 80) as u16 * 100;
        let at = start + NEXT.fetch_add(STEP, Ordering::SeqCst);
        let tcp = |p: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, p)).is_ok();
        let bmc = TcpListener::bind(("127.10.1.1", at + 1043)).is_ok();
        let relay = UdpSocket::bind((Ipv4Addr::LOCALHOST, at + 82)).is_ok();
        // Machines' addresses follow from the port's last two digits, and their login port is fixed.
        let login = TcpListener::bind((Ipv4Addr::new(127, 100 + (at % 100) as u8, 0, 10), 2222)).is_ok();
        if [at, at + 80, at + 81].into_iter().all(tcp) && bmc && relay && login {
            return at;
        }
    }
}

impl Rack {
    /// A rack of `nodes` servers; `speed` times as fast as a real one.
    pub fn start(nodes: u32, speed: f64) -> Rack {
        Rack::start_in(tempfile::tempdir().unwrap(), nodes, speed)
    }

    /// The same, with more said to the daemon.
    pub fn start_with(nodes: u32, speed: f64, more: &[&str]) -> Rack {
        let nodes = nodes.to_string();
        let all = [&["--nodes", &nodes], more].concat();
        Rack::start_as(tempfile::tempdir().unwrap(), speed, &all)
    }

    /// The rack that a description says.
    pub fn described(text: &str, speed: f64) -> Rack {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("described.toml");
        std::fs::write(&file, text).unwrap();
        Rack::start_as(folder, speed, &["--emulate-rack", file.to_str().unwrap()])
    }

    /// The same, on a state folder that is there already.
    pub fn start_in(folder: tempfile::TempDir, nodes: u32, speed: f64) -> Rack {
        Rack::start_as(folder, speed, &["--nodes", &nodes.to_string()])
    }

    fn start_as(folder: tempfile::TempDir, speed: f64, more: &[&str]) -> Rack {
        let port = port();
        let args = [
            "up",
            "--emulate",
            "--speed",
            &speed.to_string(),
            "--listen",
            &format!("127.0.0.1:{port}"),
        ];
        let mut rack = Rack {
            folder,
            port,
            args: args.iter().chain(more).map(|a| (*a).to_owned()).collect(),
            child: None,
        };
        rack.up();
        rack
    }

    /// `busbar`, as the daemon is.
    pub fn command(&self) -> Command {
        let mut command = Command::new(BUSBAR);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("BUSBAR_STATE", self.folder.path().join("state"))
            .env("BUSBAR_CONTEXT", self.folder.path().join("context.json"))
            .stdin(Stdio::null());
        command
    }

    /// Starts the daemon and waits until it greets.
    pub fn up(&mut self) {
        let open = |name: &str| {
            let path = self.folder.path().join(name);
            std::fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)
                .unwrap()
        };
        let greeting = self.folder.path().join("out");
        let _ = std::fs::remove_file(&greeting);
        let child = self
            .command()
            .args(&self.args)
            .env("RUST_LOG", "debug")
            .env("NO_COLOR", "1")
            .stdout(open("out"))
            .stderr(open("log"))
            .spawn()
            .unwrap();
        self.child = Some(child);
        self.until("the daemon greets", || {
            std::fs::read_to_string(&greeting).is_ok_and(|t| t.contains(" try "))
        });
    }

    /// What the daemon said at its start.
    pub fn greeting(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("out")).unwrap()
    }

    /// What the daemon logged, at debug level.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.folder.path().join("log")).unwrap()).into_owned()
    }

    /// The daemon's process.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Runs `busbar` with these words.
    pub fn busbar(&self, words: &str) -> Answer {
        self.with(&words.split_whitespace().collect::<Vec<_>>())
    }

    /// Runs `busbar` with these arguments.
    pub fn with(&self, args: &[&str]) -> Answer {
        self.run(self.command().args(args))
    }

    /// Runs `busbar` with this on its standard input.
    pub fn fed(&self, words: &str, input: &str) -> Answer {
        let file = self.folder.path().join(format!("input-{}", words.len()));
        std::fs::write(&file, input).unwrap();
        let mut command = self.command();
        self.run(
            command
                .args(words.split_whitespace())
                .stdin(std::fs::File::open(file).unwrap()),
        )
    }

    /// Runs `busbar` with another token.
    pub fn as_token(&self, token: &str, words: &str) -> Answer {
        self.run(self.command().env("BUSBAR_TOKEN", token).args(words.split_whitespace()))
    }

    fn run(&self, command: &mut Command) -> Answer {
        let Output { stdout, stderr, status } = command.output().unwrap();
        Answer {
            out: String::from_utf8(stdout).unwrap(),
            err: String::from_utf8(stderr).unwrap(),
            code: status.code().unwrap_or(-1),
        }
    }

    /// Waits until something is so.
    #[track_caller]
    pub fn until(&self, what: &str, mut so: impl FnMut() -> bool) {
        let since = std::time::Instant::now();
        while !so() {
            assert!(since.elapsed() < PATIENCE, "never: {what}\n{}", tail(&self.log()));
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The context file, which holds the token and the certificate.
    pub fn context(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.folder.path().join("context.json")).unwrap()).unwrap()
    }

    /// A request to the API as any client sends it: status, headers, body.
    pub fn api(&self, method: &str, path: &str, token: Option<&str>, body: Vec<u8>) -> Reply {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let context = self.context();
        let ca = reqwest::Certificate::from_pem(context["ca_pem"].as_str().unwrap().as_bytes()).unwrap();
        let url = format!("{}{path}", context["url"].as_str().unwrap());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let client = reqwest::Client::builder()
                .tls_certs_only([ca])
                .no_proxy()
                // what is answered is what was asked for
                .redirect(reqwest::redirect::Policy::none())
                .build()
                .unwrap();
            let mut request = client.request(method.parse().unwrap(), url).timeout(PATIENCE);
            if let Some(token) = token {
                request = request.bearer_auth(token);
            }
            if !body.is_empty() {
                request = request.header("content-type", "application/json").body(body);
            }
            let answer = request.send().await.unwrap();
            let header = |name: &str| {
                let value = answer.headers().get(name).map(|v| v.to_str().unwrap().to_owned());
                value.unwrap_or_default()
            };
            let (status, kind, challenge) = (
                answer.status().as_u16(),
                header("content-type"),
                header("www-authenticate"),
            );
            Reply {
                status,
                kind,
                challenge,
                body: answer.text().await.unwrap(),
            }
        })
    }

    /// The admin's token.
    pub fn token(&self) -> String {
        self.context()["token"].as_str().unwrap().to_owned()
    }

    /// Every file under the state folder, apart from the emulated disks.
    pub fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        fn walk(folder: &Path, into: &mut Vec<(PathBuf, Vec<u8>)>) {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.is_dir() && !path.ends_with("emulator") && !path.ends_with("images") {
                    walk(&path, into);
                } else if let Ok(bytes) = std::fs::read(&path) {
                    into.push((path, bytes));
                }
            }
        }
        let mut all = Vec::new();
        walk(&self.folder.path().join("state"), &mut all);
        all
    }
}

impl Drop for Rack {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// An answer of the API.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub kind: String,
    pub challenge: String,
    pub body: String,
}

/// The last of a log.
pub fn tail(log: &str) -> &str {
    let start = log.len().saturating_sub(4000);
    log.get(start..).unwrap_or(log)
}
