//! The heat of a breaker, as far as it can be told from what it carried. Only the breaker knows its own curve: that of a
//! hydraulic-magnetic one, as in rack PDUs, is taken, which of all common curves trips soonest near its rating.

use std::time::Duration;

use rack::Time;

/// `dD/dt = (m^10 − 1)/1626 s` over the rating; it trips at D = 1 (fitted to Dynamo, ISCA 2016, figure 3: 10 % over lasts 17 min,
/// 40 % a minute).
const POWER: i32 = 10;
const SECONDS: f64 = 1626.0;
/// Below its rating heat leaves with this time constant, in seconds.
const COOLING: f64 = 600.0;
/// The heat of a breaker that is first seen above its rating: for how long it has been is not known.
const UNSEEN: f64 = 0.5;

/// Seconds until a cold breaker trips at this share of its rating; infinite when it never does.
pub(crate) fn seconds_to_trip(share: f64) -> f64 {
    if share > 1.0 {
        SECONDS / (share.powi(POWER) - 1.0)
    } else {
        f64::INFINITY
    }
}

/// The share of its rating that a cold breaker carries for so long before it trips.
pub(crate) fn carried_for(time: Duration) -> f64 {
    (1.0 + SECONDS / time.as_secs_f64().max(1.0)).powf(1.0 / f64::from(POWER))
}

/// What is known of a breaker's heat.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Heat {
    /// 0 when cold, 1 when it trips.
    heat: f64,
    share: f64,
    at: Time,
}

impl Heat {
    /// Of a breaker that is seen for the first time.
    pub fn first(share: f64, at: Time) -> Heat {
        let heat = if share > 1.0 { UNSEEN } else { 0.0 };
        Heat { heat, share, at }
    }

    /// After it carried what it was last seen to carry until now, when it is seen to carry this share.
    pub fn then(self, share: f64, at: Time) -> Heat {
        let seconds = at.since(self.at).as_secs_f64();
        // between two looks the higher of both is taken
        let over = self.share.max(share);
        let heat = if over > 1.0 {
            (self.heat + seconds / seconds_to_trip(over)).min(1.0)
        } else {
            self.heat * (-seconds / COOLING).exp()
        };
        Heat { heat, share, at }
    }

    /// Time until it trips if it goes on so; none when it never does.
    pub fn left(self) -> Option<Duration> {
        let cold = seconds_to_trip(self.share);
        cold.is_finite()
            .then(|| Duration::from_secs_f64(((1.0 - self.heat) * cold).max(0.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Time {
        Time::from_millis(seconds * 1000)
    }

    #[test]
    fn it_trips_when_the_published_curve_does_and_what_it_carries_for_a_time_is_its_inverse() {
        for (share, seconds) in [(1.1, 1020.0), (1.4, 58.0), (1.6, 14.9)] {
            let told = seconds_to_trip(share);
            assert!((told / seconds - 1.0).abs() < 0.03, "{share}: {told}");
            assert!((carried_for(Duration::from_secs_f64(told)) - share).abs() < 1e-9);
        }
        assert_eq!(seconds_to_trip(1.0), f64::INFINITY);
    }

    #[test]
    fn heat_is_gathered_over_the_rating_leaves_below_it_and_is_not_known_at_first_sight() {
        let cold = Heat::first(0.5, at(0)).then(1.4, at(1)).then(1.4, at(30));
        let left = cold.left().expect("it trips").as_secs_f64();
        assert!((25.0..35.0).contains(&left), "{left}");
        assert_eq!(cold.then(0.9, at(31)).left(), None);
        let rested = cold.then(0.5, at(31)).then(0.5, at(3631)).then(1.4, at(3632));
        assert!(rested.left().expect("it trips").as_secs() > 50);
        let unseen = Heat::first(1.4, at(0)).left().expect("it trips").as_secs_f64();
        assert!((28.0..30.0).contains(&unseen), "{unseen}");
        assert_eq!(cold.then(1.4, at(4000)).left(), Some(Duration::ZERO));
    }
}
