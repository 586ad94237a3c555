//! Follows a machine until it rests: a line for each phase, and how far it is.

use std::time::{Duration, Instant};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use rack::request::MachineView;
use rack::{Name, State};

use crate::client::{Client, Failure};
use crate::output::{self, plain};

/// How following ended.
pub enum End {
    /// It rests; `None` when it is gone.
    Rests(Option<Box<MachineView>>),
    /// Time is up; the work goes on.
    Late,
    /// Someone pressed Ctrl-C; the work goes on.
    Detached,
}

/// What is followed, and how.
pub struct Follow {
    /// The state that ends it; being held ends it too.
    pub goal: State,
    /// Longest that it is followed.
    pub limit: Option<Duration>,
    /// Say nothing.
    pub quiet: bool,
    /// Phases that were over before and are not told again.
    pub told: usize,
}

/// Follows `name` until it rests.
pub async fn follow(client: &Client, name: &Name, how: Follow) -> Result<End> {
    let Follow {
        goal,
        limit,
        quiet,
        told,
    } = how;
    let late = async {
        match limit {
            Some(limit) => tokio::time::sleep(limit).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        end = watch(client, name, goal, quiet, told) => end,
        () = late => Ok(End::Late),
        _ = tokio::signal::ctrl_c() => Ok(End::Detached),
    }
}

async fn watch(client: &Client, name: &Name, goal: State, quiet: bool, mut told: usize) -> Result<End> {
    let bar = if quiet || !output::terminal() {
        ProgressBar::hidden()
    } else {
        ProgressBar::new_spinner()
    };
    bar.set_style(ProgressStyle::with_template("{spinner} {msg}")?);
    bar.enable_steady_tick(Duration::from_millis(120));
    let (mut after, mut tenth) = (None, 0);
    // A daemon that is started again is waited for this long.
    const AWAY: Duration = Duration::from_secs(120);
    let mut away: Option<Instant> = None;
    loop {
        let view = match client
            .poll::<MachineView>(&format!("/v1/machines/{name}"), after, 20)
            .await
        {
            Ok((view, change)) => {
                after = change;
                view
            }
            Err(e) => match e.downcast_ref::<Failure>().map(|f| f.0.code.as_str()) {
                Some("BB0301") => return Ok(End::Rests(None)),
                Some("BB0601") if away.get_or_insert_with(Instant::now).elapsed() < AWAY => {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    after = None;
                    continue;
                }
                _ => return Err(e),
            },
        };
        away = None;
        let status = &view.machine.status;
        for phase in status.timeline.iter().skip(told) {
            let Some(ended) = phase.ended else { break };
            told += 1;
            tenth = 0;
            if !quiet {
                let bytes = phase.bytes.map(|b| format!("  {}", b.decimal())).unwrap_or_default();
                let line = format!(
                    " ✓ {:<20} {:>7.1} s{bytes}",
                    plain(&phase.name),
                    ended.since(phase.began).as_secs_f64()
                );
                bar.suspend(|| output::text(line));
            }
        }
        if status.state == goal || matches!(status.state, State::Held | State::Released) {
            bar.finish_and_clear();
            return Ok(End::Rests(Some(Box::new(view))));
        }
        let now = output::now();
        let left = format!(
            "{}, at most {} more",
            output::span(now.since(status.stage_since)),
            output::span(now.until(status.deadline))
        );
        let mut line = format!("{}: {} ({left})", status.state, plain(&status.reason));
        if let Some(p) = view.progress.as_ref().filter(|p| p.total.0 > 0) {
            let share = p.done.0.saturating_mul(10) / p.total.0;
            line = format!(
                "{}: {} of {}, {left}",
                plain(&p.phase),
                p.done.decimal(),
                p.total.decimal()
            );
            if share > tenth && bar.is_hidden() && !quiet {
                tenth = share;
                output::text(format!("   {line}"));
            }
        }
        bar.set_message(line);
    }
}
