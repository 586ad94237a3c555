//! A measured value with its age: a reading is never used past its age (invariant I7).

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Time;

/// What a reading counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// W
    Watts,
    /// °C
    Celsius,
    /// revolutions a minute
    Rpm,
    /// share of a whole, 0 to 100
    Percent,
    /// V
    Volts,
    /// A
    Amperes,
    /// l/min
    LitresPerMinute,
    /// kPa
    Kilopascals,
    /// kWh
    KilowattHours,
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unit::Watts => "W",
            Unit::Celsius => "°C",
            Unit::Rpm => "rpm",
            Unit::Percent => "%",
            Unit::Volts => "V",
            Unit::Amperes => "A",
            Unit::LitresPerMinute => "l/min",
            Unit::Kilopascals => "kPa",
            Unit::KilowattHours => "kWh",
        })
    }
}

/// One sensor's value. `None` says that the sensor gave no reading: never zero, never the last good value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Reading {
    /// `watts`, `inlet`, `cpu1`, `fan3`: unique on its node, and the last step of its path.
    pub name: String,
    /// The value in `unit`, if there was one.
    pub value: Option<f64>,
    /// The unit of `value`.
    pub unit: Unit,
    /// When the BMC answered it.
    pub taken: Time,
}

impl Reading {
    /// The value, when it is no older than `limit` at `now`.
    pub fn fresh(&self, now: Time, limit: Duration) -> Option<f64> {
        self.value.filter(|_| now.within(self.taken, limit))
    }

    /// The value of this name and unit among the readings of a box, when it is no older than `limit` at `now`.
    pub fn named(all: &[Reading], name: &str, unit: Unit, now: Time, limit: Duration) -> Option<f64> {
        let found = all.iter().find(|r| r.name == name && r.unit == unit)?;
        found.fresh(now, limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_reading_is_no_reading() {
        let t = Time::from_millis(0);
        let r = Reading {
            name: "watts".into(),
            value: Some(412.0),
            unit: Unit::Watts,
            taken: t,
        };
        assert_eq!(
            r.fresh(t + Duration::from_secs(30), Duration::from_secs(30)),
            Some(412.0)
        );
        assert_eq!(r.fresh(t + Duration::from_secs(31), Duration::from_secs(30)), None);
        let named = |name, unit, after| {
            Reading::named(std::slice::from_ref(&r), name, unit, t + after, Duration::from_secs(30))
        };
        assert_eq!(named("watts", Unit::Watts, Duration::ZERO), Some(412.0));
        assert_eq!(named("watts", Unit::Percent, Duration::ZERO), None);
        assert_eq!(named("inlet", Unit::Watts, Duration::ZERO), None);
        assert_eq!(named("watts", Unit::Watts, Duration::from_secs(31)), None);
    }
}
