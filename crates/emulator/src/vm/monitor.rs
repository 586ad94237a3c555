//! The control socket of a QEMU: its monitor protocol (QMP), of which two commands and one event are needed.

use std::io;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

/// From a process's start to its socket, on a host that does much else.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks for it.
const BETWEEN: Duration = Duration::from_millis(20);
/// Longest line that is taken.
const LINE: u64 = 64 << 10;

/// Why a machine ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// Its system switched it off.
    Off,
    /// Its system restarted it.
    Restart,
    /// QEMU was told to end, or broke.
    Other,
}

/// A machine's monitor.
pub(super) struct Monitor {
    read: BufReader<OwnedReadHalf>,
    write: OwnedWriteHalf,
    line: Vec<u8>,
}

impl Monitor {
    /// Waits for the socket, and is introduced.
    pub(super) async fn open(path: &Path) -> io::Result<Monitor> {
        let opened = tokio::time::timeout(PATIENCE, async {
            let stream = loop {
                match UnixStream::connect(path).await {
                    Ok(stream) => break stream,
                    Err(_) => tokio::time::sleep(BETWEEN).await,
                }
            };
            let (read, write) = stream.into_split();
            let mut monitor = Monitor {
                read: BufReader::new(read),
                write,
                line: Vec::new(),
            };
            // it introduces itself, and takes nothing else before this
            monitor.next().await?;
            monitor.tell("qmp_capabilities").await?;
            Ok(monitor)
        });
        opened.await.map_err(|_| {
            io::Error::new(
                io::ErrorKind::TimedOut,
                format!("its control socket did not answer within {} s", PATIENCE.as_secs()),
            )
        })?
    }

    /// Tells it to do something; whether it did is not waited for.
    pub(super) async fn tell(&mut self, command: &str) -> io::Result<()> {
        let line = json!({"execute": command}).to_string() + "\n";
        self.write.write_all(line.as_bytes()).await
    }

    /// The next thing that it says; nothing that was read is lost when this is dropped.
    async fn next(&mut self) -> io::Result<Value> {
        use tokio::io::AsyncReadExt as _;
        loop {
            let room = LINE.saturating_sub(self.line.len() as u64);
            let read = (&mut self.read).take(room).read_until(b'\n', &mut self.line).await?;
            if self.line.ends_with(b"\n") {
                let value = serde_json::from_slice(&self.line).map_err(io::Error::other);
                self.line.clear();
                return value;
            }
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Waits for the event that tells why it ends.
    pub(super) async fn end(&mut self) -> io::Result<Ended> {
        loop {
            if let Some(ended) = ended(&self.next().await?) {
                return Ok(ended);
            }
        }
    }
}

/// What `SHUTDOWN` says. With `-no-reboot` a restart is one, of the reason `guest-reset`.
fn ended(said: &Value) -> Option<Ended> {
    if said["event"] != "SHUTDOWN" {
        return None;
    }
    Some(match said["data"]["reason"].as_str() {
        Some("guest-shutdown") => Ended::Off,
        Some("guest-reset" | "guest-panic") => Ended::Restart,
        _ => Ended::Other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_is_told_from_a_stop() {
        let event = |reason: &str| json!({"event": "SHUTDOWN", "data": {"guest": true, "reason": reason}});
        assert_eq!(ended(&event("guest-shutdown")), Some(Ended::Off));
        assert_eq!(ended(&event("guest-reset")), Some(Ended::Restart));
        assert_eq!(ended(&event("host-signal")), Some(Ended::Other));
        assert_eq!(ended(&json!({"event": "RESUME"})), None);
        assert_eq!(ended(&json!({"return": {}})), None);
    }
}
