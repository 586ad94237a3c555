//! A point in time, as an argument: nothing below the edge asks a clock.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A point in time with millisecond precision, written as RFC 3339 in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(jiff::Timestamp);

impl Time {
    /// The time that lies `millis` milliseconds after the Unix epoch; clamped to the years that can be written.
    pub fn from_millis(millis: i64) -> Self {
        let clamped = millis.clamp(
            jiff::Timestamp::MIN.as_millisecond(),
            jiff::Timestamp::MAX.as_millisecond(),
        );
        Self(jiff::Timestamp::from_millisecond(clamped).expect("clamped to the valid range"))
    }

    /// Milliseconds since the Unix epoch.
    pub fn as_millis(self) -> i64 {
        self.0.as_millisecond()
    }

    /// Time passed since `earlier`; zero when `earlier` lies in the future (a clock that stepped back).
    pub fn since(self, earlier: Time) -> Duration {
        Duration::from_millis((self.as_millis() - earlier.as_millis()).max(0).unsigned_abs())
    }

    /// Whether `then` lies at most `limit` back. What lies in the future, since the clock stepped back, is of no known age:
    /// it does not.
    pub fn within(self, then: Time, limit: Duration) -> bool {
        then <= self && self.since(then) <= limit
    }

    /// Time left until `later`; zero when it has passed.
    pub fn until(self, later: Time) -> Duration {
        later.since(self)
    }
}

impl std::ops::Add<Duration> for Time {
    type Output = Time;
    fn add(self, d: Duration) -> Time {
        Time::from_millis(
            self.as_millis()
                .saturating_add(i64::try_from(d.as_millis()).unwrap_or(i64::MAX)),
        )
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::str::FromStr for Time {
    type Err = jiff::Error;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Ok(Self::from_millis(s.parse::<jiff::Timestamp>()?.as_millisecond()))
    }
}

impl utoipa::PartialSchema for Time {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .format(Some(utoipa::openapi::SchemaFormat::KnownFormat(
                utoipa::openapi::KnownFormat::DateTime,
            )))
            .into()
    }
}

impl utoipa::ToSchema for Time {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_stepped_back_gives_no_negative_age() {
        let t = Time::from_millis(1_000);
        assert_eq!(t.since(Time::from_millis(5_000)), Duration::ZERO);
        assert_eq!((t + Duration::from_secs(4)).since(t), Duration::from_secs(4));
    }

    #[test]
    fn is_written_as_rfc_3339() {
        let t = Time::from_millis(1_764_000_000_000);
        assert_eq!(t.to_string(), "2025-11-24T16:00:00Z");
        assert_eq!(t.to_string().parse::<Time>().expect("round trip"), t);
    }
}
