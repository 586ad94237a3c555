//! A server's serial line: what firmware, agent and system print on it, who listens at its BMC, and the login that an
//! installed system has on it. As on a real line nothing is repeated: who was not there has missed it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{broadcast, mpsc, watch};

/// Bytes that are kept for the control endpoint.
const KEPT: usize = 32 << 10;
/// Pieces that wait for a slow listener; then it loses some, as on a line without flow control.
const PIECES: usize = 1024;
/// Listeners at once; BMCs have few.
pub(crate) const LISTENERS: usize = 4;
/// Longest name that is typed at a login.
const NAME: usize = 64;

/// A serial line.
pub(crate) struct Serial {
    inner: Mutex<Inner>,
    out: broadcast::Sender<Bytes>,
    hangups: watch::Sender<u64>,
}

#[derive(Default)]
struct Inner {
    kept: VecDeque<u8>,
    getty: Option<Getty>,
    /// A machine takes what is typed, and echoes by itself.
    machine: Option<mpsc::Sender<Bytes>>,
}

/// What waits at the other end of the line.
struct Getty {
    host: String,
    name: String,
    /// The name was given, and what is typed now is not echoed.
    password: bool,
}

/// Someone listens; given back when dropped.
pub(crate) struct Listener {
    /// What is printed from now on.
    pub(crate) printed: broadcast::Receiver<Bytes>,
    /// Changes when the BMC hangs up.
    pub(crate) hangup: watch::Receiver<u64>,
}

impl Serial {
    pub(crate) fn new() -> Serial {
        Serial {
            inner: Mutex::default(),
            out: broadcast::channel(PIECES).0,
            hangups: watch::Sender::new(0),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn print(&self, inner: &mut Inner, bytes: Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        inner.kept.extend(&bytes);
        let over = inner.kept.len().saturating_sub(KEPT);
        inner.kept.drain(..over);
        // Err: nobody listens
        let _ = self.out.send(bytes.into());
    }

    /// A line of what runs. Whatever waited for a login is gone.
    pub(crate) fn say(&self, line: &str) {
        let mut inner = self.lock();
        let start = if inner.getty.take().is_some() { "\r\n" } else { "" };
        self.print(&mut inner, format!("{start}{line}\r\n").into_bytes());
    }

    /// A system waits for a login.
    pub(crate) fn prompt(&self, host: &str) {
        let host = if host.is_empty() { "localhost" } else { host };
        let mut inner = self.lock();
        inner.getty = Some(Getty {
            host: host.to_owned(),
            name: String::new(),
            password: false,
        });
        self.print(&mut inner, format!("\r\n{host} login: ").into_bytes());
    }

    /// A machine is at the other end: what is typed from now on.
    pub(crate) fn connect(&self) -> mpsc::Receiver<Bytes> {
        let (keys, typed) = mpsc::channel(PIECES);
        let mut inner = self.lock();
        inner.getty = None;
        inner.machine = Some(keys);
        typed
    }

    /// It is there no more.
    pub(crate) fn disconnect(&self) {
        self.lock().machine = None;
    }

    /// What it printed.
    pub(crate) fn printed(&self, bytes: &[u8]) {
        self.print(&mut self.lock(), bytes.to_vec());
    }

    /// What is typed: taken by a machine, echoed by a login, lost where nothing listens.
    pub(crate) fn typed(&self, bytes: &[u8]) {
        let mut inner = self.lock();
        if let Some(machine) = &inner.machine {
            // Err: it reads slower than is typed, and loses some
            let _ = machine.try_send(Bytes::copy_from_slice(bytes));
            return;
        }
        let Some(mut getty) = inner.getty.take() else { return };
        let mut echo = Vec::new();
        bytes.iter().for_each(|b| getty.key(*b, &mut echo));
        inner.getty = Some(getty);
        self.print(&mut inner, echo);
    }

    /// The last lines that were printed.
    pub(crate) fn lines(&self, most: usize) -> Vec<String> {
        let bytes: Vec<u8> = self.lock().kept.iter().copied().collect();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().filter(|l| !l.trim().is_empty()).collect();
        let skip = lines.len().saturating_sub(most);
        lines[skip..].iter().map(|l| (*l).to_owned()).collect()
    }

    /// Listens; nothing when too many do.
    pub(crate) fn listen(&self) -> Option<Listener> {
        let _one = self.lock();
        (self.out.receiver_count() < LISTENERS).then(|| Listener {
            printed: self.out.subscribe(),
            hangup: self.hangups.subscribe(),
        })
    }

    /// Whoever listens is gone: the BMC restarts, or has lost its power.
    pub(crate) fn hang_up(&self) {
        self.hangups.send_modify(|n| *n += 1);
    }
}

impl Getty {
    /// One key, and what is printed for it. Nobody is ever let in: the system is made of nothing but its login.
    fn key(&mut self, key: u8, echo: &mut Vec<u8>) {
        match key {
            b'\r' | b'\n' if self.password => {
                *self = Getty {
                    host: std::mem::take(&mut self.host),
                    name: String::new(),
                    password: false,
                };
                echo.extend(format!("\r\nLogin incorrect\r\n\r\n{} login: ", self.host).into_bytes());
            }
            b'\r' | b'\n' if self.name.is_empty() => echo.extend(format!("\r\n{} login: ", self.host).into_bytes()),
            b'\r' | b'\n' => {
                self.password = true;
                echo.extend(b"\r\nPassword: ");
            }
            _ if self.password => {}
            0x7f | 0x08 => echo.extend(self.name.pop().map_or(&b""[..], |_| b"\x08 \x08")),
            b' '..=b'~' if self.name.len() < NAME => {
                self.name.push(char::from(key));
                echo.push(key);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_echoes_the_name_and_not_the_password() {
        let line = Serial::new();
        line.typed(b"lost\r");
        line.say("GRUB loading");
        line.prompt("web-1");
        line.typed(b"roox\x7ft\r");
        line.typed(b"hunter2\r");
        let lines = line.lines(9);
        assert_eq!(lines[0], "GRUB loading");
        assert!(lines[1].starts_with("web-1 login: roo"), "{lines:?}");
        assert_eq!(lines[2..], ["Password: ", "Login incorrect", "web-1 login: "]);
        line.say("systemd-shutdown");
        line.typed(b"nobody listens");
        assert_eq!(line.lines(1), ["systemd-shutdown"]);
        let mut machine = line.connect();
        line.printed(b"SeaBIOS\r\n");
        line.typed(b"x");
        assert_eq!(machine.try_recv().as_deref(), Ok(&b"x"[..]));
        assert_eq!(line.lines(1), ["SeaBIOS"]);
        line.disconnect();
        line.typed(b"y");
        assert!(machine.try_recv().is_err());
    }

    #[test]
    fn few_may_listen_and_places_are_given_back() {
        let line = Serial::new();
        let all: Vec<_> = (0..LISTENERS).filter_map(|_| line.listen()).collect();
        assert!(all.len() == LISTENERS && line.listen().is_none());
        drop(all);
        assert!(line.listen().is_some());
    }
}
