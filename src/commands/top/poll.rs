//! What the daemon is asked, and how often: by long poll, at once when something changed, and never so often that this process
//! takes more than a small share of a core.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use rack::history::TrendView;
use rack::request::{DeviceView, EventView, Me, Why};
use rack::vitals::VitalsView;
use rack::{Node, Place};
use rustix::time::{ClockId, clock_gettime};
use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};

use super::hand::Act;
use super::past::REMEMBERED;
use super::rows::{Machine, Made};
use crate::client::{Client, Failure, fail};
use crate::commands::look;
use crate::output;

/// Longest wait of one poll, in seconds.
const WAIT: u64 = 30;
/// Longest that an answer takes which is not waited for.
const ANSWER: Duration = Duration::from_secs(20);
/// Updates come no closer than this: ten a second are more than can be read.
const CLOSEST: Duration = Duration::from_millis(100);
/// And not further apart, whatever one takes.
const FURTHEST: Duration = Duration::from_secs(10);
/// An update that takes so much CPU time is followed by a pause so many times as long: at most a thirty-third of a core.
const SHARE: u32 = 32;
/// What boxes are made of is asked again after this.
const MADE: Duration = Duration::from_secs(10);
/// After a failure the daemon is asked again after this.
const LOST: Duration = Duration::from_secs(1);
/// Events of one answer, by the API's own bound, and answers until the newest is reached: the daemon keeps 10,000.
const EVENTS: usize = 1000;
const ANSWERS: usize = 20;

/// What is asked for beside the vitals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wanted {
    /// Machines.
    pub machines: bool,
    /// What boxes are made of.
    pub made: bool,
    /// What happened.
    pub events: bool,
    /// Counts up when everything is to be asked anew.
    pub anew: u64,
}

/// Something that the daemon told.
#[derive(Debug, Clone)]
pub enum News {
    /// How the racks are.
    Vitals(VitalsView),
    /// Every machine.
    Machines(Vec<Machine>),
    /// What every box is made of.
    Made(BTreeMap<Place, Made>),
    /// What happened, oldest first.
    Events {
        /// Whether what was told before is void.
        first: bool,
        /// The events.
        then: Vec<EventView>,
    },
    /// Who asks.
    Me(Me),
    /// How the racks were.
    Trend(TrendView),
    /// It does not answer, for this reason.
    Lost(String),
}

/// How long updates are apart when the last one took so much CPU time.
fn apart(spent: Duration) -> Duration {
    (spent * SHARE).clamp(CLOSEST, FURTHEST)
}

/// CPU time of this process.
fn spent() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let (seconds, nanoseconds) = (time.tv_sec.try_into(), time.tv_nsec.try_into());
    Duration::new(seconds.unwrap_or(0), nanoseconds.unwrap_or(0))
}

/// Asks whenever something changed or something else is wanted, until nobody listens.
pub async fn poll(
    client: &Client,
    after: Option<u64>,
    mut wanted: watch::Receiver<Wanted>,
    tell: mpsc::Sender<Vec<News>>,
) {
    let mut poll = Poll {
        client,
        after,
        last: None,
        made: None,
        me: false,
    };
    let mut before = spent();
    // What is wanted at first is asked for at once.
    wanted.mark_changed();
    loop {
        let vitals = tokio::select! {
            vitals = poll.vitals() => Some(vitals),
            turned = wanted.changed() => match turned {
                Ok(()) => None,
                Err(_) => return,
            },
        };
        let began = Instant::now();
        let wish = *wanted.borrow_and_update();
        let mut news = Vec::new();
        let told = poll.round(vitals, wish, &mut news).await;
        let lost = told.is_err();
        if let Err(error) = told {
            poll.after = None;
            // a daemon that starts again may count its events anew
            poll.last = None;
            news.push(News::Lost(format!("{error:#}")));
        }
        if tell.send(news).await.is_err() {
            return;
        }
        let now = spent();
        let pause = if lost { LOST } else { apart(now.saturating_sub(before)) };
        before = now;
        sleep_until(began + pause.min(CLOSEST)).await;
        tokio::select! {
            () = sleep_until(began + pause) => {}
            turned = wanted.changed() => match turned {
                Ok(()) => wanted.mark_changed(),
                Err(_) => return,
            },
        }
    }
}

/// What was asked so far.
struct Poll<'a> {
    client: &'a Client,
    /// The change that the vitals are as of.
    after: Option<u64>,
    /// The last event that was told.
    last: Option<u64>,
    /// When it was asked what boxes are made of, and for which wish.
    made: Option<(Instant, u64)>,
    /// Whether it is known who asks.
    me: bool,
}

impl Poll<'_> {
    /// How the racks are, once something changed.
    async fn vitals(&self) -> Result<(VitalsView, Option<u64>)> {
        let asked = self.client.poll("/v1/vitals", self.after, WAIT);
        timeout(Duration::from_secs(WAIT) + ANSWER, asked)
            .await
            .unwrap_or_else(|_| Err(late("/v1/vitals")))
    }

    /// Everything else that is wanted and due.
    async fn round(
        &mut self,
        vitals: Option<Result<(VitalsView, Option<u64>)>>,
        wish: Wanted,
        news: &mut Vec<News>,
    ) -> Result<()> {
        if let Some(vitals) = vitals {
            let (vitals, change) = vitals?;
            self.after = change;
            news.push(News::Vitals(vitals));
        }
        if !self.me
            && let Ok(me) = get(self.client, "/v1/me").await
        {
            self.me = true;
            news.push(News::Me(me));
        }
        if wish.machines {
            let mut machines: Vec<Machine> = get(self.client, "/v1/machines").await?;
            machines.retain(|m| m.status.state != rack::State::Released);
            news.push(News::Machines(machines));
        }
        let due = |(at, anew): (Instant, u64)| at.elapsed() >= MADE || anew != wish.anew;
        if wish.made && self.made.is_none_or(due) {
            let nodes: Vec<Node> = get(self.client, "/v1/nodes").await?;
            let devices: Vec<DeviceView> = get(self.client, "/v1/devices").await?;
            let nodes = nodes.iter().map(|n| (n.place.clone(), Made::node(n)));
            let devices = devices.iter().map(|d| (d.place.clone(), Made::device(d)));
            news.push(News::Made(devices.chain(nodes).collect()));
            self.made = Some((Instant::now(), wish.anew));
        }
        if wish.events {
            self.events(news).await?;
        }
        Ok(())
    }

    /// What happened since it was asked last.
    async fn events(&mut self, news: &mut Vec<News>) -> Result<()> {
        for _ in 0..ANSWERS {
            let after = self.last.unwrap_or(0);
            let path = format!("/v1/events?after={after}&limit={EVENTS}");
            let then: Vec<EventView> = get(self.client, &path).await?;
            let first = self.last.is_none();
            self.last = Some(then.last().map_or(after, |e| e.sequence));
            let more = then.len() == EVENTS;
            if first || !then.is_empty() {
                news.push(News::Events { first, then });
            }
            if !more {
                break;
            }
        }
        Ok(())
    }
}

fn late(path: &str) -> anyhow::Error {
    fail("BB0503", format!("no answer to {path} in time"), "busbar doctor")
}

/// How the racks are now, and the change that this is as of.
pub async fn first(client: &Client) -> Result<(VitalsView, Option<u64>)> {
    let asked = timeout(ANSWER, client.poll("/v1/vitals", None, 0)).await;
    asked.unwrap_or_else(|_| Err(late("/v1/vitals")))
}

/// An answer, in time.
async fn get<T: DeserializeOwned>(client: &Client, path: &str) -> Result<T> {
    match timeout(ANSWER, client.poll(path, None, 0)).await {
        Ok(answer) => Ok(answer?.0),
        Err(_) => Err(late(path)),
    }
}

/// Why something is as it is, or in words why that is not known.
pub async fn why(client: &Client, about: &str) -> Result<Why, String> {
    let asked = async { Ok(serde_json::from_value(look::asked(client, about).await?)?) };
    match timeout(ANSWER, asked).await {
        Ok(answer) => answer.map_err(in_words),
        Err(_) => Err(in_words(late("busbar why"))),
    }
}

/// Does what was confirmed; the problem in words when it was refused.
pub async fn carry_out(client: &Client, act: &Act) -> Result<(), String> {
    let (method, path, body) = act.request();
    match timeout(ANSWER, client.call(method, &path, body)).await {
        Ok(answer) => answer.map(drop).map_err(in_words),
        Err(_) => {
            let what = format!("no answer to `{}` in time; it may still be done", act.command());
            Err(in_words(fail("BB0503", what, "busbar dmesg")))
        }
    }
}

/// What went wrong, as the command line says it.
fn in_words(error: anyhow::Error) -> String {
    match error.downcast::<Failure>() {
        Ok(failure) => output::problem(&failure.0),
        Err(error) => format!("{error:#}"),
    }
}

/// How the racks were before this began, in steps as long as readings are apart.
pub async fn recall(client: &Client, apart: u32) -> Result<TrendView> {
    let back = u64::from(apart) * u64::from(REMEMBERED - 1);
    get(client, &format!("/v1/history?from={back}s&step={apart}")).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_long_comes_less_often() {
        let millis = |spent: u64| apart(Duration::from_millis(spent)).as_millis();
        assert_eq!([0, 1, 3, 10, 100, 9999].map(millis), [100, 100, 100, 320, 3200, 10_000]);
        // below a twentieth of a core, whatever an update takes
        for spent in (0..300).map(Duration::from_millis) {
            assert!(spent * 20 < apart(spent), "{spent:?}");
        }
    }
}
