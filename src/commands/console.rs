//! `busbar console`: what a serial console printed before you came, then what it prints; on a terminal, what is typed.

use std::io::{IsTerminal as _, Read as _, Write as _};
use std::time::Duration;

use anyhow::Result;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use rack::console::{ConsoleInput, ConsoleLink, ConsoleView};
use reqwest::Method;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::sync::mpsc;

use crate::cli::Cli;
use crate::client::{Client, Failure, fail, read};
use crate::output::{self, plain};

#[derive(Args)]
pub struct ConsoleOptions {
    /// A machine, or a node's place
    pub of: String,
    /// Take the pen from whoever types there now
    #[arg(long, conflicts_with = "read_only")]
    pub take: bool,
    /// Only watch
    #[arg(long)]
    pub read_only: bool,
    /// End after what was recorded, as without a terminal
    #[arg(long)]
    pub no_follow: bool,
    /// Go on as it prints, without a terminal too
    #[arg(long, short, conflicts_with = "no_follow")]
    pub follow: bool,
}

/// Leaves the console: Ctrl-], as telnet and virsh have it.
const LEAVE: u8 = 0x1d;
/// Seconds of one long poll.
const WAIT: u64 = 50;
/// Seconds that a console which is just being opened is waited for.
const OPENING: u64 = 15;
/// Pieces of input that wait for the daemon.
const PIECES: usize = 64;
/// Most that is read from the terminal at once.
const PIECE: usize = 4096;
/// A daemon that is started again is waited for this long.
const AWAY: Duration = Duration::from_secs(120);

/// A console on the daemon.
struct Console<'a> {
    client: &'a Client,
    path: String,
    from: Option<u64>,
    after: Option<u64>,
}

impl Console<'_> {
    async fn next(&mut self, wait: u64) -> Result<ConsoleView> {
        let mut query = format!("?wait={wait}");
        for (key, value) in [("from", self.from), ("after", self.after)] {
            query += &value.map(|v| format!("&{key}={v}")).unwrap_or_default();
        }
        let path = format!("{}{query}", self.path);
        let answer = self.client.send(Method::GET, &path, None, "application/json").await?;
        let change = answer.headers().get("busbar-change").and_then(|v| v.to_str().ok());
        self.after = change.and_then(|v| v.parse().ok());
        let view: ConsoleView = serde_json::from_slice(&read(answer).await?)?;
        self.from = Some(view.next);
        Ok(view)
    }
}

pub async fn console(cli: &Cli, client: &Client, options: &ConsoleOptions) -> Result<u8> {
    let of = &options.of;
    if of.is_empty() || !of.bytes().all(|b| b.is_ascii_alphanumeric() || b"-./".contains(&b)) {
        let what = format!("`{}` is neither a machine nor a place", plain(of));
        return Err(fail("BB0101", what, "busbar ps"));
    }
    let mut console = Console {
        client,
        path: format!("/v1/consoles/{of}"),
        from: None,
        after: None,
    };
    let terminal = std::io::stdout().is_terminal();
    if options.no_follow || !(terminal || options.follow) {
        return recorded(cli, &mut console).await;
    }
    let typing = terminal && std::io::stdin().is_terminal() && !options.read_only && !cli.json;
    // Looked at once before the terminal is changed: what is refused is said as usual.
    let first = console.next(0).await?;
    if !typing {
        return tokio::select! {
            end = watch(cli, &mut console, first, false) => end,
            _ = tokio::signal::ctrl_c() => Ok(0),
        };
    }
    let writer = uuid::Uuid::new_v4().to_string();
    let pen = Pen {
        client,
        path: &console.path.clone(),
        writer: &writer,
    };
    if options.take {
        pen.send(&[], true, false).await?;
    }
    output::note(format!("{}: Ctrl-] leaves; type to take the pen", first.place));
    let raw = Raw::enter()?;
    let keys = keyboard();
    let end = tokio::select! {
        end = watch(cli, &mut console, first, true) => end,
        end = pen.follow(keys) => end,
    };
    let _ = pen.send(&[], false, true).await;
    drop(raw);
    output::note("");
    end
}

/// What was recorded, and no more.
async fn recorded(cli: &Cli, console: &mut Console<'_>) -> Result<u8> {
    let mut view = console.next(0).await?;
    let began = std::time::Instant::now();
    while view.link == ConsoleLink::Opening && view.next == 0 && began.elapsed().as_secs() < OPENING {
        view = console.next(1).await?;
    }
    loop {
        show(cli, &view)?;
        if !view.more {
            break;
        }
        view = console.next(0).await?;
    }
    if !cli.json && view.link != ConsoleLink::Open {
        output::note(state(&view));
    }
    Ok(0)
}

/// Prints as it comes, for ever.
async fn watch(cli: &Cli, console: &mut Console<'_>, first: ConsoleView, raw: bool) -> Result<u8> {
    let mut view = first;
    let mut told = (ConsoleLink::Open, None);
    let mut away: Option<std::time::Instant> = None;
    loop {
        show(cli, &view)?;
        let now = (view.link, view.pen.as_ref().map(|p| (p.by.clone(), p.since)));
        if !cli.json && now.0 != told.0 {
            said(raw, &state(&view));
        }
        told = now;
        view = loop {
            let failed = match console.next(WAIT).await {
                Ok(view) => break view,
                Err(error) => error,
            };
            let gone = failed.downcast_ref::<Failure>().is_some_and(|f| f.0.code == "BB0601");
            if !gone || away.get_or_insert_with(std::time::Instant::now).elapsed() > AWAY {
                return Err(failed);
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
            console.after = None;
        };
        away = None;
    }
}

/// Bytes as they came: a serial console is the terminal's own business.
fn show(cli: &Cli, view: &ConsoleView) -> Result<()> {
    if cli.json {
        return output::json(view, true);
    }
    if view.lost > 0 {
        said(true, &format!("{} bytes are not kept any more", view.lost));
    }
    let mut out = std::io::stdout().lock();
    let written = out.write_all(&STANDARD.decode(&view.data)?).and_then(|()| out.flush());
    match written {
        // A reader that has gone is no error.
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        written => Ok(written?),
    }
}

/// The link in words.
fn state(view: &ConsoleView) -> String {
    let why = view
        .why
        .as_deref()
        .map(|w| format!(": {}", plain(w)))
        .unwrap_or_default();
    let word = match view.link {
        ConsoleLink::Open => "the console is open",
        ConsoleLink::Opening => "the console is being opened",
        ConsoleLink::Closed => "the console is not held open",
        ConsoleLink::Lost => "the console is lost, and tried again",
        ConsoleLink::None => "there is no console",
    };
    format!("{}: {word}{why}", view.place)
}

/// A line of Busbar's own, apart from the console's. A raw terminal needs its carriage returns.
fn said(raw: bool, line: &str) {
    if raw {
        output::note(format!("\r\n[{line}]\r"));
    } else {
        output::note(line);
    }
}

/// The pen of this terminal.
struct Pen<'a> {
    client: &'a Client,
    path: &'a str,
    writer: &'a str,
}

impl Pen<'_> {
    async fn send(&self, bytes: &[u8], take: bool, leave: bool) -> Result<()> {
        let input = ConsoleInput {
            writer: self.writer.to_owned(),
            data: STANDARD.encode(bytes),
            take,
            leave,
        };
        let body = serde_json::to_value(&input)?;
        self.client.call(Method::POST, self.path, Some(body)).await?;
        Ok(())
    }

    /// Types what the keyboard says, until it says to leave. What is refused is said, and watching goes on.
    async fn follow(&self, mut keys: mpsc::Receiver<Vec<u8>>) -> Result<u8> {
        while let Some(mut bytes) = keys.recv().await {
            while let Ok(more) = keys.try_recv() {
                bytes.extend(more);
                if bytes.len() >= PIECE {
                    break;
                }
            }
            let end = bytes.iter().position(|b| *b == LEAVE);
            let typed = &bytes[..end.unwrap_or(bytes.len())];
            if !typed.is_empty()
                && let Err(error) = self.send(typed, false, false).await
            {
                match error.downcast_ref::<Failure>() {
                    Some(failure) => said(true, &plain(&failure.0.detail)),
                    None => return Err(error),
                }
            }
            if end.is_some() {
                break;
            }
        }
        Ok(0)
    }
}

/// What is typed, read on a thread of its own: it ends with the process, as a read from a terminal can't be called off.
fn keyboard() -> mpsc::Receiver<Vec<u8>> {
    let (keys, pressed) = mpsc::channel(PIECES);
    std::thread::spawn(move || {
        let mut buffer = [0; PIECE];
        let mut stdin = std::io::stdin().lock();
        while let Ok(n) = stdin.read(&mut buffer) {
            if n == 0 || keys.blocking_send(buffer[..n].to_vec()).is_err() {
                return;
            }
        }
    });
    pressed
}

/// A terminal that hands every key through; as it was when dropped.
struct Raw(Termios);

impl Raw {
    fn enter() -> Result<Raw> {
        let was = tcgetattr(std::io::stdin())?;
        let mut raw = was.clone();
        raw.make_raw();
        tcsetattr(std::io::stdin(), OptionalActions::Now, &raw)?;
        Ok(Raw(was))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.0);
    }
}
