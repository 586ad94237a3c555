//! `busbar top`: the racks, their watts and their heat, as they move. [`state`] decides, [`draw`] draws, and here stand the
//! terminal, the keys and the daemon, asked by long poll.

mod draw;
mod state;

use std::time::Duration;

use anyhow::Result;
use crossterm::event::{Event, EventStream, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use futures_util::StreamExt as _;
use rack::history::TrendView;
use rack::vitals::VitalsView;
use tokio::sync::mpsc;

use super::spark::ascii;
use crate::cli::Cli;
use crate::client::Client;
use crate::output::{self, Table};
use draw::Look;
use state::{Key, Pane, REMEMBERED, State, watts};

/// Longest wait of one poll, in seconds.
const WAIT: u64 = 30;
/// A rack of 1,000 nodes changes all the time; more often than this can't be read.
const PAUSE: Duration = Duration::from_secs(1);

/// Shows the racks until someone leaves; without a terminal, once.
pub async fn top(cli: &Cli, client: &Client) -> Result<u8> {
    if cli.json {
        output::json(&client.get("/v1/vitals").await?, false)?;
        return Ok(0);
    }
    let (first, change): (VitalsView, _) = client.poll("/v1/vitals", None, WAIT).await?;
    if !output::terminal() {
        output::text(frame(&first));
        return Ok(0);
    }
    let look = Look {
        colour: std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()),
        ascii: ascii(),
    };
    let mut state = State::default();
    state.see(first);
    // Gives the terminal back on a panic too.
    let mut terminal = ratatui::try_init()?;
    let ended = watch(&mut terminal, client, change, &mut state, look).await;
    ratatui::restore();
    ended.map(|()| 0)
}

async fn watch(
    terminal: &mut ratatui::DefaultTerminal,
    client: &Client,
    change: Option<u64>,
    state: &mut State,
    look: Look,
) -> Result<()> {
    let (tell, mut told) = mpsc::channel::<Result<VitalsView>>(1);
    let polling = poll(client, change, tell);
    tokio::pin!(polling);
    let apart = state.vitals.as_ref().map_or(1, |v| v.read_seconds.max(1));
    let recalling = recall(client, apart);
    tokio::pin!(recalling);
    let mut recalled = false;
    let mut keys = EventStream::new();
    let stop = crate::up::told_to_stop();
    tokio::pin!(stop);
    loop {
        terminal.draw(|frame| draw::draw(frame, state, look))?;
        tokio::select! {
            () = &mut stop => return Ok(()),
            () = &mut polling => return Ok(()),
            trend = &mut recalling, if !recalled => {
                recalled = true;
                // Without it the bars begin now; whether the daemon answers is told by the poll.
                if let Ok(trend) = trend {
                    state.recall(&trend);
                }
            }
            Some(seen) = told.recv() => match seen {
                Ok(vitals) => state.see(vitals),
                Err(error) => state.lost = Some(error.to_string()),
            },
            event = keys.next() => match event {
                Some(Ok(Event::Key(pressed))) => {
                    if let Some(key) = meaning(&pressed)
                        && !state.press(key)
                    {
                        return Ok(());
                    }
                }
                // a new size is drawn, and nothing else is asked for
                Some(Ok(_)) => {}
                // the terminal is gone
                Some(Err(_)) | None => return Ok(()),
            },
        }
    }
}

/// How the racks were before this began, in steps as long as readings are apart.
async fn recall(client: &Client, apart: u32) -> Result<TrendView> {
    let back = u64::from(apart) * u64::from(REMEMBERED - 1);
    let answer = client.get(&format!("/v1/history?from={back}s&step={apart}")).await?;
    Ok(serde_json::from_value(answer)?)
}

/// Asks again whenever something changed, for ever.
async fn poll(client: &Client, mut after: Option<u64>, tell: mpsc::Sender<Result<VitalsView>>) {
    loop {
        tokio::time::sleep(PAUSE).await;
        let answer = client.poll::<VitalsView>("/v1/vitals", after, WAIT).await;
        let seen = answer.map(|(vitals, change)| {
            after = change;
            vitals
        });
        if tell.send(seen).await.is_err() {
            return;
        }
    }
}

fn meaning(pressed: &KeyEvent) -> Option<Key> {
    if pressed.kind == KeyEventKind::Release {
        return None;
    }
    const PAGE: isize = 10;
    Some(match pressed.code {
        KeyCode::Char('c') if pressed.modifiers.contains(KeyModifiers::CONTROL) => Key::Quit,
        KeyCode::Char('q') | KeyCode::Esc => Key::Quit,
        KeyCode::Char('?' | 'h') => Key::Help,
        KeyCode::Char('1') => Key::Go(Pane::Rack),
        KeyCode::Char('2') => Key::Go(Pane::Power),
        KeyCode::Char('3') => Key::Go(Pane::Heat),
        KeyCode::Tab | KeyCode::Right => Key::Turn(1),
        KeyCode::BackTab | KeyCode::Left => Key::Turn(-1),
        KeyCode::Up | KeyCode::Char('k') => Key::Move(-1),
        KeyCode::Down | KeyCode::Char('j') => Key::Move(1),
        KeyCode::PageUp => Key::Move(-PAGE),
        KeyCode::PageDown => Key::Move(PAGE),
        KeyCode::Home => Key::Move(isize::MIN),
        KeyCode::End => Key::Move(isize::MAX),
        KeyCode::Char('s') => Key::Sort,
        KeyCode::Char('r') => Key::Reverse,
        _ => return None,
    })
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
