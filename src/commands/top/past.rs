//! The last steps of time, drawn as bars above every pane.

use std::collections::BTreeMap;

use rack::Time;
use rack::history::TrendView;

/// How many steps are remembered, each as long as readings are apart.
pub const REMEMBERED: u32 = 120;

/// What is drawn of one step: watts of all nodes, and the hottest temperature of all boxes.
pub type Point = (Option<f64>, Option<f64>);

/// The latest steps of time, by their number since the Unix epoch.
#[derive(Debug, Clone, Default)]
pub struct Past(BTreeMap<i64, Point>);

impl Past {
    /// Takes in how it was at a time; steps are so many seconds long.
    pub fn see(&mut self, at: Time, seconds: u32, point: Point) {
        let step = number(at, seconds);
        // What comes after now was before the clock went back.
        self.0.retain(|at, _| *at < step);
        self.0.insert(step, point);
        self.forget();
    }

    /// Takes in how the racks were before anyone looked. What was seen since holds.
    pub fn recall(&mut self, trend: &TrendView) {
        let first = number(trend.from, trend.step_seconds);
        let last = self.0.last_key_value().map_or(i64::MAX, |(step, _)| *step);
        let points = trend.watts.iter().copied().zip(trend.hottest.iter().copied());
        for (step, point) in (first..last).zip(points) {
            self.0.entry(step).or_insert(point);
        }
        self.forget();
    }

    fn forget(&mut self) {
        if let Some((last, _)) = self.0.last_key_value() {
            self.0 = self.0.split_off(&(last - i64::from(REMEMBERED) + 1));
        }
    }

    /// The latest steps, oldest first; nothing where nothing was seen.
    pub fn drawn(&self, pick: fn(Point) -> Option<f64>) -> Vec<Option<f64>> {
        let ends = self.0.first_key_value().zip(self.0.last_key_value());
        let Some(((first, _), (last, _))) = ends else {
            return Vec::new();
        };
        let point = |step| self.0.get(&step).copied().and_then(pick);
        (*first..=*last).map(point).collect()
    }
}

/// Which step of this length a time lies in.
fn number(time: Time, seconds: u32) -> i64 {
    time.as_millis().div_euclid(i64::from(seconds.max(1)) * 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Point = (Some(508.0), None);

    fn at(seconds: i64) -> Time {
        Time::from_millis(seconds * 1000)
    }

    fn watts(past: &Past) -> Vec<Option<f64>> {
        past.drawn(|p| p.0)
    }

    #[test]
    fn what_was_before_is_drawn_with_its_gaps_and_what_is_seen_holds() {
        let mut past = Past::default();
        let trend = |from: i64, watts: &[Option<f64>]| TrendView {
            from: at(from),
            step_seconds: 30,
            watts: watts.to_vec(),
            hottest: vec![None; watts.len()],
        };
        past.recall(&trend(6000, &[]));
        assert_eq!(watts(&past), []);
        past.see(at(6095), 30, NOW);
        past.see(at(6119), 30, NOW);
        assert_eq!(watts(&past), [Some(508.0)], "one step, however often it is looked at");
        past.recall(&trend(6000, &[Some(1.0), None, Some(3.0), Some(4.0), Some(5.0)]));
        assert_eq!(watts(&past), [Some(1.0), None, Some(3.0), Some(508.0)]);
        past.see(at(6185), 30, NOW);
        let gap = [Some(1.0), None, Some(3.0), Some(508.0), None, None, Some(508.0)];
        assert_eq!(watts(&past), gap);
        past.see(at(6035), 30, NOW);
        assert_eq!(watts(&past), [Some(1.0), Some(508.0)], "the clock went back");
        past.see(at(9_000_000), 30, NOW);
        assert_eq!(watts(&past), [Some(508.0)], "an hour is remembered");
    }

    #[test]
    fn no_more_is_remembered_than_is_said() {
        let mut past = Past::default();
        (0..i64::from(REMEMBERED) + 9).for_each(|step| past.see(at(step * 30), 30, NOW));
        assert_eq!(watts(&past), vec![Some(508.0); REMEMBERED as usize]);
    }
}
