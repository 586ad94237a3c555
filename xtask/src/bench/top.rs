//! What `busbar top` takes over SSH, while its daemon has something new more than ten times a second: CPU time of its process
//! and of the SSH server's, against the core that they run on.
//!
//! Through Debian's OpenSSH server on a port of its own, as whoever runs this. Frames are counted in what comes out: each
//! begins by hiding the cursor.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::{Daemon, NODES, Row, found};
use crate::command::output;
use crate::daemon::{Home, free, until};
use crate::debian::{install_also, is_root};
use crate::process::{Process, used};

/// The small rack.
const FEW: usize = 10;
/// How long is measured, and how long is waited before that for what only a start takes.
const MEASURED: Duration = Duration::from_secs(60);
const SETTLED: Duration = Duration::from_secs(10);
/// Changes of the daemon in a second, made by hand.
const CHANGES: usize = 20;
/// What each frame begins with: the cursor is hidden (DECTCEM).
const FRAME: &[u8] = b"\x1b[?25l";
/// OpenSSH's server, by its whole path, as it wants to be started.
const SSHD: &str = "/usr/sbin/sshd";
/// Panes that are measured: the first, and the one in which every change is seen.
const PANES: [(&str, &str); 2] = [("1", "rack"), ("6", "events")];

/// All rows.
pub fn cost(binary: &Path, folder: &Path, rows: &mut Vec<Row>, notes: &mut Vec<String>) -> Result<()> {
    install_also(&[
        (
            "openssh-server",
            "what `busbar top` is measured through; its own service is not used",
        ),
        ("openssh-client", "to log in there"),
        ("procps", "finds the processes of a login"),
    ])?;
    let server = Server::start(&crate::daemon::emptied(&folder.join("ssh"))?)?;
    for nodes in [FEW, NODES] {
        let folder = crate::daemon::emptied(&folder.join(format!("top-{nodes}")))?;
        let daemon = Daemon::start(binary, &folder, &["--nodes", &nodes.to_string(), "--speed", "50"])?;
        found(&daemon, nodes, Instant::now())?;
        for (key, pane) in PANES {
            measure(&server, &daemon, nodes, (key, pane), rows, notes)?;
        }
    }
    Ok(())
}

fn measure(
    server: &Server,
    daemon: &Daemon,
    nodes: usize,
    (key, pane): (&str, &str),
    rows: &mut Vec<Row>,
    notes: &mut Vec<String>,
) -> Result<()> {
    let times = CHANGES * usize::try_from((SETTLED + MEASURED + SETTLED).as_secs())?;
    let change = format!(
        "rate = \"{CHANGES}/s\"\nheader = \"Content-Type: application/json\"\n\
         data = \"{{\\\"place\\\": \\\"r1/u1\\\", \\\"why\\\": \\\"measured\\\"}}\"\n"
    );
    thread::scope(|scope| -> Result<()> {
        let changing = scope.spawn(|| daemon.home.ask("/v1/cordon", times, &change));
        let mut login = server.login(&daemon.home)?;
        login.says(key)?;
        thread::sleep(SETTLED);
        let before = login.cpu(server)?;
        let (frames, bytes) = login.seen();
        let (began, first) = (Instant::now(), events(&daemon.home)?);
        thread::sleep(MEASURED);
        let wall = began.elapsed().as_secs_f64();
        let after = login.cpu(server)?;
        let (more, last) = (login.seen(), events(&daemon.home)?);
        login.leave()?;
        let per = |n: u64| n as f64 / wall;
        let (top, ssh) = (after.0 - before.0, after.1 - before.1);
        let note = format!(
            "`busbar top`, {nodes} nodes, {pane}: {:.1} changes by hand and {:.1} frames a second, {:.1} kB/s",
            per(last - first),
            per(more.0 - frames),
            per(more.1 - bytes) / 1e3
        );
        eprintln!("{note}; {:.2} s and {:.2} s of CPU time in {wall:.1} s", top, ssh);
        notes.push(note);
        for (what, ours) in [
            ("busbar top", after.0 - before.0),
            ("its SSH session", after.1 - before.1),
        ] {
            rows.push(Row {
                what: format!("{what}, {nodes} nodes, pane {pane}, CPU time"),
                ours,
                limit: wall,
                unit: "s",
                yardstick: "one core for as long".to_owned(),
                command: "ssh -tt 127.0.0.1 busbar top; /proc/PID/stat",
            });
        }
        match changing.join() {
            Ok(changed) => changed.map(drop),
            Err(_) => bail!("who changes something broke"),
        }
    })
}

/// The number of the newest event.
fn events(home: &Home) -> Result<u64> {
    let mut last = 0;
    loop {
        let some: Vec<Value> = serde_json::from_str(&home.ask(&format!("/v1/events?after={last}"), 1, "")?)?;
        match some.last() {
            Some(event) => last = event["sequence"].as_u64().context("an event has a number")?,
            None => return Ok(last),
        }
    }
}

/// An SSH server for this user alone.
struct Server {
    process: Process,
    port: u16,
    key: std::path::PathBuf,
}

impl Server {
    fn start(folder: &Path) -> Result<Server> {
        let (host, key) = (folder.join("host"), folder.join("key"));
        for file in [&host, &key] {
            let mut make = Command::new("ssh-keygen");
            output(make.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(file))?;
        }
        let port = free()?;
        let config = folder.join("sshd_config");
        let text = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\nPidFile none\n\
             PermitRootLogin prohibit-password\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPrintMotd no\n",
            host.display(),
            key.with_extension("pub").display()
        );
        fs::write(&config, text)?;
        if is_root() {
            // where it locks itself up before a login, as root
            fs::create_dir_all("/run/sshd")?;
        }
        let mut server = Command::new(SSHD);
        let process = Process::start("sshd", folder, server.args(["-D", "-e", "-f"]).arg(&config))?;
        let server = Server { process, port, key };
        until("the SSH server", || output(server.ssh().arg("true")).is_ok())?;
        Ok(server)
    }

    fn ssh(&self) -> Command {
        let mut ssh = Command::new("ssh");
        ssh.args(["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]);
        ssh.args(["-o", "LogLevel=ERROR", "-o", "BatchMode=yes", "-F", "none", "-i"]);
        ssh.arg(&self.key).args(["-p", &self.port.to_string(), "127.0.0.1"]);
        ssh
    }

    /// `busbar top` in a terminal of 80 by 24.
    fn login(&self, home: &Home) -> Result<Login> {
        let set: Vec<String> = home
            .environment()
            .iter()
            .map(|(n, v)| format!("{n}={}", v.display()))
            .collect();
        let line = format!(
            "stty cols 80 rows 24; exec env TERM=xterm LC_ALL=C.UTF-8 {} {} top",
            set.join(" "),
            home.binary.display()
        );
        let mut ssh = Command::new("ssh");
        ssh.arg("-tt").args(self.ssh().get_args()).arg(line);
        let mut child = ssh.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut out = child.stdout.take().context("ssh has an output")?;
        let seen = Arc::new((AtomicU64::new(0), AtomicU64::new(0)));
        let counted = Arc::clone(&seen);
        thread::spawn(move || {
            let (mut buffer, mut rest) = ([0; 16 << 10], Vec::new());
            while let Ok(n @ 1..) = out.read(&mut buffer) {
                rest.extend_from_slice(&buffer[..n]);
                let frames = rest.windows(FRAME.len()).filter(|w| *w == FRAME).count();
                counted.0.fetch_add(frames as u64, Ordering::Relaxed);
                counted.1.fetch_add(n as u64, Ordering::Relaxed);
                // a mark may be cut in two, and is counted once
                rest.drain(..rest.len().saturating_sub(FRAME.len() - 1));
            }
        });
        let login = Login { child, seen };
        until("`busbar top`", || login.seen().0 > 0)?;
        Ok(login)
    }
}

/// `busbar top`, over SSH; it ends with the value.
struct Login {
    child: Child,
    seen: Arc<(AtomicU64, AtomicU64)>,
}

impl Login {
    /// Frames and bytes so far.
    fn seen(&self) -> (u64, u64) {
        (self.seen.0.load(Ordering::Relaxed), self.seen.1.load(Ordering::Relaxed))
    }

    fn says(&mut self, keys: &str) -> Result<()> {
        let input = self.child.stdin.as_mut().context("ssh has an input")?;
        input.write_all(keys.as_bytes())?;
        Ok(input.flush()?)
    }

    /// Seconds of CPU time so far: of `busbar top`, and of the server's processes for this login.
    fn cpu(&self, server: &Server) -> Result<(f64, f64)> {
        let (mut top, mut ssh) = (None, 0.0);
        let mut parents = vec![server.process.id()];
        while let Some(parent) = parents.pop() {
            // none: an error, as by its manual
            let children = output(Command::new("pgrep").args(["-P", &parent.to_string()])).unwrap_or_default();
            for child in children.split_whitespace() {
                let child: u32 = child.parse()?;
                let name = fs::read_to_string(format!("/proc/{child}/comm"))?;
                let cpu = used(child)?.cpu;
                if name.trim() == "busbar" {
                    top = Some(cpu);
                } else {
                    ssh += cpu;
                }
                parents.push(child);
            }
        }
        Ok((top.context("`busbar top` does not run")?, ssh))
    }

    fn leave(mut self) -> Result<()> {
        self.says("q")?;
        let ended = until("the end of `busbar top`", || {
            matches!(self.child.try_wait(), Ok(Some(_)))
        });
        ended?;
        let status = self.child.wait()?;
        ensure!(status.success(), "`busbar top` ended with {status}");
        Ok(())
    }
}

impl Drop for Login {
    fn drop(&mut self) {
        // Err: it has ended already
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
