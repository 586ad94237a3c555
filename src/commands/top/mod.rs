//! `busbar top`: the racks, their machines and what happens, as it moves. Read-only until someone arms it.
//!
//! [`state`] decides what is shown and what keys mean, [`hand`] what they may do, [`rows`] what stands in rows; all three are pure.
//! [`draw`] and [`table`] draw, [`poll`] asks the daemon, and here stand the terminal and the loop between them.

mod draw;
mod hand;
mod past;
mod poll;
mod rows;
mod screen;
mod state;
mod table;

#[cfg(test)]
mod tests;

use std::io;

use anyhow::Result;
use crossterm::event::{Event, EventStream, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use rack::request::Why;
use rack::vitals::VitalsView;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::spark::ascii;
use crate::cli::Cli;
use crate::client::Client;
use crate::output::{self, Table};
use draw::Look;
use hand::Act;
use poll::News;
use rows::watts;
use screen::Screen;
use state::{Effect, Key, State};

/// Shows the racks until someone leaves; without a terminal, once.
pub async fn top(cli: &Cli, client: &Client) -> Result<u8> {
    if cli.json {
        output::json(&client.get("/v1/vitals").await?, false)?;
        return Ok(0);
    }
    let (first, change) = poll::first(client).await?;
    if !output::terminal() {
        output::text(frame(&first));
        return Ok(0);
    }
    let look = Look {
        colour: std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()),
        ascii: ascii(),
    };
    let mut state = State::default();
    state.see(News::Vitals(first));
    // Gives the terminal back on a panic too.
    drop(ratatui::try_init()?);
    let mut terminal = Terminal::new(CrosstermBackend::new(Screen::new(io::stdout())))?;
    let ended = watch(&mut terminal, client, change, &mut state, look).await;
    ratatui::restore();
    ended.map(|()| 0)
}

/// What the daemon answered to a key.
enum Answer {
    Why(String, Result<Why, String>),
    Done(Act, Result<(), String>),
}

async fn watch(
    terminal: &mut Terminal<CrosstermBackend<Screen<io::Stdout>>>,
    client: &Client,
    change: Option<u64>,
    state: &mut State,
    look: Look,
) -> Result<()> {
    let start = Instant::now();
    let (tell, mut told) = mpsc::channel::<Vec<News>>(1);
    let (want, wanted) = watch::channel(state.wanted());
    let polling = poll::poll(client, change, wanted, tell);
    tokio::pin!(polling);
    let apart = state.vitals.as_ref().map_or(1, |v| v.read_seconds.max(1));
    let recalling = poll::recall(client, apart);
    tokio::pin!(recalling);
    let mut recalled = false;
    let mut answers = FuturesUnordered::new();
    let mut keys = EventStream::new();
    let stop = crate::up::told_to_stop();
    tokio::pin!(stop);
    loop {
        terminal.draw(|frame| draw::draw(frame, state, look))?;
        let wish = state.wanted();
        want.send_if_modified(|w| std::mem::replace(w, wish) != wish);
        let off = state.hand.until();
        let idle = async {
            match off {
                Some(until) => tokio::time::sleep_until(start + until).await,
                None => std::future::pending().await,
            }
        };
        let effect = tokio::select! {
            () = &mut stop => return Ok(()),
            () = &mut polling => return Ok(()),
            trend = &mut recalling, if !recalled => {
                recalled = true;
                // Without it the bars begin now; whether the daemon answers is told by the poll.
                if let Ok(trend) = trend {
                    state.see(News::Trend(trend));
                }
                Effect::Nothing
            }
            Some(news) = told.recv() => {
                news.into_iter().for_each(|n| state.see(n));
                Effect::Nothing
            }
            Some(answer) = answers.next() => {
                match answer {
                    Answer::Why(about, why) => state.told(&about, why),
                    Answer::Done(act, done) => state.answered(&act, done),
                }
                Effect::Nothing
            }
            () = idle => {
                state.hand.pass(start.elapsed());
                Effect::Nothing
            }
            event = keys.next() => match event {
                Some(Ok(Event::Key(pressed))) if pressed.kind != KeyEventKind::Release => {
                    state.press(key(&pressed), start.elapsed())
                }
                // a new size is drawn, and nothing else is asked for
                Some(Ok(_)) => Effect::Nothing,
                // the terminal is gone
                Some(Err(_)) | None => return Ok(()),
            },
        };
        match effect {
            Effect::Nothing => {}
            Effect::Leave => return Ok(()),
            Effect::Why(about) => answers.push(ask(client, Ask::Why(about))),
            Effect::Do(act) => answers.push(ask(client, Ask::Do(act))),
        }
    }
}

/// What a key asks of the daemon.
enum Ask {
    Why(String),
    Do(Act),
}

/// Asks it.
async fn ask(client: &Client, ask: Ask) -> Answer {
    match ask {
        Ask::Why(about) => {
            let why = poll::why(client, &about).await;
            Answer::Why(about, why)
        }
        Ask::Do(act) => {
            let done = poll::carry_out(client, &act).await;
            Answer::Done(act, done)
        }
    }
}

fn key(pressed: &KeyEvent) -> Key {
    let control = pressed.modifiers.contains(KeyModifiers::CONTROL);
    match pressed.code {
        KeyCode::Char('c') if control => Key::Break,
        // no other key with Ctrl or Alt means anything
        KeyCode::Char(_) if control || pressed.modifiers.contains(KeyModifiers::ALT) => Key::Other,
        KeyCode::Char(c) => Key::Char(c),
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Escape,
        KeyCode::Backspace => Key::Backspace,
        KeyCode::Tab | KeyCode::Right => Key::Turn(1),
        KeyCode::BackTab | KeyCode::Left => Key::Turn(-1),
        KeyCode::Up => Key::Step(-1),
        KeyCode::Down => Key::Step(1),
        KeyCode::PageUp => Key::Page(-1),
        KeyCode::PageDown => Key::Page(1),
        KeyCode::Home => Key::Far(-1),
        KeyCode::End => Key::Far(1),
        _ => Key::Other,
    }
}

/// One frame as text, for pipes.
fn frame(vitals: &VitalsView) -> String {
    let mut table = Table::new(&[
        "PLACE", "KIND", "POWER", "HELD BY", ">WATTS", ">INLET", ">HOTTEST", "WHERE", "HEALTH",
    ]);
    let number = |v: Option<f64>| v.map_or_else(|| "—".to_owned(), |v| format!("{v:.0}"));
    for b in &vitals.boxes {
        table.row(vec![
            b.place.to_string(),
            b.kind.clone(),
            b.power.map_or_else(|| "?".into(), |p| format!("{p:?}").to_lowercase()),
            b.holder.as_ref().map_or_else(|| "—".into(), ToString::to_string),
            number(b.watts),
            number(b.inlet),
            number(b.hottest),
            b.hottest_name.clone().unwrap_or_default(),
            match &b.silent {
                Some(why) => format!("silent: {why}"),
                None => format!("{:?}", b.health).to_lowercase(),
            },
        ]);
    }
    let (sum, missing) = watts(&vitals.boxes);
    let missing = match missing {
        0 => String::new(),
        n => format!(", {n} nodes tell nothing"),
    };
    let sum = sum.map_or_else(|| "no reading".into(), |w| format!("{w:.0} W"));
    format!("power {sum}{missing}\n{table}")
}
