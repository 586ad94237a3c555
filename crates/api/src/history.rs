//! What readings were over the last day.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use control::House;
use control::history::Ask;
use rack::history::{HistoryView, TrendView};
use rack::{Place, Time};
use serde::Deserialize;
use tokio::sync::Semaphore;

use crate::auth::Reader;
use crate::extract::{Query, named};
use crate::problem::Problem;

/// Which part of the history.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
pub struct Span {
    /// From when: RFC 3339, or how long ago (`90s`, `15m`, `8h`, `1d`); a day ago when absent.
    from: Option<String>,
    /// Until when, in the same way; now when absent.
    to: Option<String>,
    /// Length of a step: seconds, or `15m`; chosen for some 240 steps when absent.
    step: Option<String>,
    /// Only readings of this name; the last step of the path does the same for one box.
    reading: Option<String>,
}

/// Readings of a box (`r1/u12`), one of them (`r1/u12/watts`), or one of every box of a rack (`r1?reading=watts`), in steps
/// with their lowest, mean and highest value; null where there was none.
#[utoipa::path(get, path = "/v1/history/{*of}", params(("of" = String, Path), Span),
    responses((status = 200, body = HistoryView), (status = "default", body = Problem)))]
pub async fn history(
    _: Reader,
    State(house): State<House>,
    Path(of): Path<String>,
    Query(span): Query<Span>,
) -> Result<Json<HistoryView>, Problem> {
    let (place, last) = split(&of);
    let place: Place = named(place)?;
    if let (Some(path), Some(query)) = (last, &span.reading)
        && path != query
    {
        let what = format!("the path names the reading `{path}`, the query another");
        return Err(Problem::new("BB0101", what));
    }
    let reading = last.map(str::to_owned).or(span.reading);
    let ask = ask(&house, reading, [&span.from, &span.to, &span.step])?;
    Ok(Json(house.history(&place, &ask)?))
}

/// Which part of the trend.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
pub struct Reach {
    /// From when: RFC 3339, or how long ago (`90s`, `15m`, `8h`, `1d`); a day ago when absent.
    from: Option<String>,
    /// Until when, in the same way; now when absent.
    to: Option<String>,
    /// Length of a step: seconds, or `15m`; chosen for some 240 steps when absent, which is the most.
    step: Option<String>,
}

/// Watts of all nodes together and the hottest temperature of all boxes, in steps; null where nothing was known.
#[utoipa::path(get, path = "/v1/history", params(Reach),
    responses((status = 200, body = TrendView), (status = "default", body = Problem)))]
pub async fn trend(
    _: Reader,
    State(house): State<House>,
    Query(reach): Query<Reach>,
) -> Result<Json<TrendView>, Problem> {
    /// In a hall it takes a core for a second: others wait for their turn, and the API goes on meanwhile.
    static TURN: Semaphore = Semaphore::const_new(1);
    let ask = ask(&house, None, [&reach.from, &reach.to, &reach.step])?;
    let broke = |what: String| Problem::new("BB0502", format!("the trend was not made: {what}"));
    let _turn = TURN.acquire().await.map_err(|e| broke(e.to_string()))?;
    let made = tokio::task::spawn_blocking(move || house.trend(&ask)).await;
    Ok(Json(made.map_err(|e| broke(e.to_string()))??))
}

/// What is asked, as text: from, to and step.
fn ask(house: &House, reading: Option<String>, [from, to, step]: [&Option<String>; 3]) -> Result<Ask, Problem> {
    let now = house.now();
    let time = |text: &Option<String>, field| text.as_deref().map(|t| when(t, field, now)).transpose();
    Ok(Ask {
        reading,
        from: time(from, "from")?,
        to: time(to, "to")?,
        step: step.as_deref().map(seconds).transpose()?,
    })
}

/// A place, and the name of a reading when the path goes on.
fn split(of: &str) -> (&str, Option<&str>) {
    let cut = of.match_indices('/').nth(1).map(|(at, _)| at);
    match cut {
        Some(at) => (&of[..at], Some(&of[at + 1..]).filter(|r| !r.is_empty())),
        None => (of, None),
    }
}

/// `90s`, `15m`, `8h`, `1d`; plain numbers are seconds.
fn span(text: &str) -> Option<Duration> {
    let cut = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..cut].parse().ok()?;
    let factor = match &text[cut..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    number.checked_mul(factor).map(Duration::from_secs)
}

fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(40).collect()
}

/// A time that is written out, or how long ago it was.
pub fn when(text: &str, field: &str, now: Time) -> Result<Time, Problem> {
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    let ago = span(text).and_then(|ago| i64::try_from(ago.as_millis()).ok());
    ago.map(|ago| Time::from_millis(now.as_millis().saturating_sub(ago)))
        .ok_or_else(|| {
            let what = format!(
                "{field}: `{}` is neither a time such as 2026-11-24T13:00:00Z nor how long ago, such as 15m",
                shown(text)
            );
            Problem::new("BB0101", what)
        })
}

fn seconds(text: &str) -> Result<u32, Problem> {
    let step = span(text).and_then(|s| u32::try_from(s.as_secs()).ok());
    step.ok_or_else(|| {
        let what = format!("step: `{}` is no length of time: write 60, 90s, 15m or 1h", shown(text));
        Problem::new("BB0101", what)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_rack_a_box_or_one_reading_of_it() {
        for (of, place, reading) in [
            ("r1", "r1", None),
            ("r1/u1", "r1/u1", None),
            ("r1/u1/", "r1/u1", None),
            ("r1/u1/watts", "r1/u1", Some("watts")),
            ("r1/u1/psu1/watts", "r1/u1", Some("psu1/watts")),
        ] {
            assert_eq!(split(of), (place, reading), "{of}");
        }
    }

    #[test]
    fn times_are_absolute_or_ago_and_anything_else_is_named() {
        let now = Time::from_millis(10_000_000);
        assert_eq!(when("15m", "from", now).unwrap().as_millis(), 10_000_000 - 900_000);
        assert_eq!(when("1970-01-01T00:00:01Z", "from", now).unwrap().as_millis(), 1000);
        for bad in ["", "yesterday", "-5m", "5x", "99999999999999999999d"] {
            let problem = when(bad, "from", now).unwrap_err();
            assert!(problem.detail.starts_with("from: "), "{bad}: {}", problem.detail);
        }
        assert_eq!(seconds("1h").unwrap(), 3600);
        assert!(seconds("5000000000").is_err());
    }
}
