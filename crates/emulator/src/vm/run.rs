//! The life of a machine: boots one after the other, each a QEMU, until it is off.

use std::io;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::sync::{mpsc, oneshot};

use super::line::{arguments, order};
use super::monitor::{Ended, Monitor};
use super::usage::Usage;
use super::{Machines, Tell};
use crate::emulated::Emulated;
use crate::life::{From, self_test};
use crate::model::Activity;

/// Between two looks at how busy it is: what a second does is seen in the next.
const LOOK: Duration = Duration::from_secs(1);
/// A box that is held back runs and stands still by turns of this length.
const TURN: Duration = Duration::from_millis(100);
/// Less than this is not held back: what sensors tell is no finer.
const NOTABLE: f64 = 0.02;
/// What is typed waits so long for a machine that does not take it.
const TYPED: Duration = Duration::from_secs(1);
/// What QEMU says of itself is kept to this length.
const SAID: usize = 2000;

/// Lives until it is aborted or the machine is off.
pub(crate) async fn live(rack: Arc<Emulated>, i: usize, machines: Arc<Machines>, mut from: From) {
    loop {
        self_test(&rack, i, from).await;
        from = From::Post;
        let boot = crate::life::take_boot(&rack, i);
        let Some(order) = order(&boot) else {
            rack.say(i, format!("firmware: {} is nothing that it can boot", boot.target));
            rack.set_activity(i, Activity::Stays);
            return;
        };
        let ended = boot_once(&rack, i, &machines, order).await;
        rack.set_machine_load(i, 0.0);
        match ended {
            Ok(Ended::Restart) => rack.set_activity(i, Activity::Post),
            Ok(Ended::Off) => return rack.off(i, false),
            Ok(Ended::Other) => {
                rack.say(i, "QEMU has ended");
                return rack.off(i, false);
            }
            Err(e) => {
                let place = &rack.servers[i].spec.place;
                tracing::warn!(%place, "its QEMU: {e}");
                rack.say(i, format!("QEMU: {e}"));
                return rack.off(i, false);
            }
        }
    }
}

/// A QEMU that runs. It is killed, and its disks are free again, once this is dropped and the kernel has taken it away.
struct Running {
    pid: u32,
    gone: oneshot::Receiver<()>,
    _leave: oneshot::Sender<()>,
}

/// Takes the disks, starts QEMU, and looks after it until it is gone.
async fn start(rack: &Emulated, i: usize, machines: &Machines, command: Command) -> io::Result<(Running, Pipes)> {
    let taken = Arc::clone(&rack.servers[i].slot.taken).lock_owned().await;
    let mut child = machines.start.start(command).await?;
    let pid = child.id().ok_or(io::ErrorKind::NotFound)?;
    let pipes = Pipes {
        typed: child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?,
        printed: child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?,
        said: child.stderr.take().ok_or(io::ErrorKind::BrokenPipe)?,
    };
    let (leave, left) = oneshot::channel::<()>();
    let (ended, gone) = oneshot::channel();
    tokio::spawn(async move {
        tokio::select! {
            _ = child.wait() => {}
            _ = left => {
                // Err: it has ended by itself
                let _ = child.kill().await;
            }
        }
        drop(taken);
        let _ = ended.send(());
    });
    let running = Running {
        pid,
        gone,
        _leave: leave,
    };
    Ok((running, pipes))
}

/// Its pipes.
struct Pipes {
    typed: ChildStdin,
    printed: ChildStdout,
    said: ChildStderr,
}

async fn boot_once(
    rack: &Arc<Emulated>,
    i: usize,
    machines: &Machines,
    order: super::line::Order,
) -> io::Result<Ended> {
    let server = &rack.servers[i];
    let tap = machines.taps.get(i).ok_or_else(|| io::Error::other("it has no port"))?;
    let socket = machines.monitor(&server.spec.place).map_err(io::Error::other)?;
    let mut told = server.slot.listen();
    let mut command = Command::new("setpriv");
    // whatever ends this process ends its machines: nobody else knows of them
    command.args(["--pdeathsig", "KILL", "--"]).arg(&machines.program);
    command.args(arguments(&server.spec, &server.drives, tap, order, &socket));
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.kill_on_drop(true);
    let (mut running, pipes) = start(rack, i, machines, command).await?;
    rack.set_activity(i, Activity::Virtual);
    let Pipes {
        mut typed,
        mut printed,
        said,
    } = pipes;
    let said = tokio::spawn(heard(said));
    let mut keys = server.serial.connect();
    let cpus = server.spec.build.processors();
    let busy = busy(rack, i, running.pid, cpus);
    let (asked, mut ask) = mpsc::channel(1);
    let watched = watch(&socket, &mut ask);
    tokio::pin!(busy, watched);
    let mut again = false;
    let mut buffer = vec![0; 4096];
    let (mut open, mut known) = (true, None);
    loop {
        tokio::select! {
            read = printed.read(&mut buffer), if open => match read {
                Ok(n) if n > 0 => server.serial.printed(&buffer[..n]),
                _ => open = false,
            },
            Some(bytes) = keys.recv() => put(&mut typed, bytes).await,
            Some(Tell::Button { again: wanted }) = told.recv() => {
                again = wanted;
                // Err: it is told already, or no longer there
                let _ = asked.try_send("system_powerdown");
            }
            ended = &mut watched, if known.is_none() => known = Some(ended),
            () = &mut busy => {}
            _ = &mut running.gone, if !open => break,
        }
    }
    server.serial.disconnect();
    // what the monitor said last may still be on its way
    let ended = match known {
        Some(ended) => ended,
        None => tokio::time::timeout(LOOK, watched).await.unwrap_or(Ok(Ended::Other)),
    };
    let said = said.await.unwrap_or_default();
    match ended {
        Ok(Ended::Off) if again => Ok(Ended::Restart),
        Ok(Ended::Other) | Err(_) if !said.is_empty() => Err(io::Error::other(said)),
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(Ended::Other),
        ended => ended,
    }
}

/// What it complains of, when it ends.
async fn heard(mut said: ChildStderr) -> String {
    let mut text = Vec::new();
    let mut buffer = vec![0; 1024];
    while let Ok(n @ 1..) = said.read(&mut buffer).await {
        text.extend(&buffer[..n]);
        let over = text.len().saturating_sub(SAID);
        text.drain(..over);
    }
    String::from_utf8_lossy(&text).trim().replace('\n', "; ")
}

async fn put(typed: &mut ChildStdin, bytes: Bytes) {
    // Err: nobody reads, as on a line without flow control
    let _ = tokio::time::timeout(TYPED, typed.write_all(&bytes)).await;
}

/// Passes on what is asked, and waits for why it ends.
async fn watch(socket: &Path, ask: &mut mpsc::Receiver<&'static str>) -> io::Result<Ended> {
    let mut monitor = Monitor::open(socket).await?;
    loop {
        tokio::select! {
            ended = monitor.end() => return ended,
            Some(command) = ask.recv() => monitor.tell(command).await?,
        }
    }
}

/// Tells the plant how busy it is, and holds it back as far as its box is. Never ends.
async fn busy(rack: &Arc<Emulated>, i: usize, pid: u32, cpus: u32) {
    let mut usage = Usage::of(pid, cpus);
    let held = Held::new(pid);
    let mut looked: Option<Instant> = None;
    loop {
        if looked.is_none_or(|at| at.elapsed() >= LOOK) {
            let now = Instant::now();
            looked = Some(now);
            if let Some(share) = usage.since(now) {
                rack.set_machine_load(i, share);
            }
        }
        let does = rack.machine_work(i).clamp(0.05, 1.0);
        if does > 1.0 - NOTABLE {
            tokio::time::sleep(LOOK.saturating_sub(looked.map_or(LOOK, |at| at.elapsed()))).await;
        } else {
            tokio::time::sleep(TURN.mul_f64(does)).await;
            held.stop();
            tokio::time::sleep(TURN.mul_f64(1.0 - does)).await;
            held.go();
        }
    }
}

/// A process that stands still now and then. One that is killed while it does needs no more.
struct Held(Option<rustix::process::Pid>);

impl Held {
    fn new(pid: u32) -> Held {
        Held(i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw))
    }

    fn signal(&self, signal: rustix::process::Signal) {
        if let Some(pid) = self.0 {
            // Err: it has just ended
            let _ = rustix::process::kill_process(pid, signal);
        }
    }

    fn stop(&self) {
        self.signal(rustix::process::Signal::STOP);
    }

    fn go(&self) {
        self.signal(rustix::process::Signal::CONT);
    }
}
