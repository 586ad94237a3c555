//! From rows to steps of equal length.

use rack::Unit;
use rack::history::SeriesView;
use rack::{Place, Time};

use super::archive::float;
use super::block::Rows;

/// The steps that are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steps {
    /// Start of the first one, in seconds since the Unix epoch; a multiple of `step`.
    pub from: u32,
    /// Length, in seconds; not zero.
    pub step: u32,
    /// How many.
    pub count: u32,
}

/// Steps that people read.
const ROUND: [u32; 13] = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];
/// Steps of an answer when nobody says how long they should be.
const WANTED: u32 = 240;

impl Steps {
    /// The steps that cover `from..to`. Without `step`, as many as a drawing shows, none shorter than readings are apart.
    pub fn over(from: u32, to: u32, step: Option<u32>, apart: u32) -> Steps {
        let span = to.saturating_sub(from);
        let longest = ROUND[ROUND.len() - 1];
        let fits = |s: &&u32| **s >= apart && span.div_ceil(**s) <= WANTED;
        let chosen = || ROUND.iter().find(fits).copied().unwrap_or(longest.max(apart));
        let step = step.unwrap_or_else(chosen).max(1);
        let from = from / step * step;
        Steps {
            from,
            step,
            count: to.saturating_sub(from).div_ceil(step),
        }
    }

    /// End of the last step.
    pub fn to(&self) -> u32 {
        self.from.saturating_add(self.step.saturating_mul(self.count))
    }

    /// Folds rows into the steps.
    pub fn fold(&self, place: Place, name: &str, unit: Unit, rows: &Rows) -> SeriesView {
        let n = self.count as usize;
        let mut low: Vec<Option<i64>> = vec![None; n];
        let mut high = low.clone();
        let mut sum = vec![0.0; n];
        let (mut samples, mut missed) = (vec![0_u32; n], vec![0_u32; n]);
        let mut last = None;
        for (at, value) in rows.times.iter().zip(&rows.values) {
            let Some(i) = at
                .checked_sub(self.from)
                .map(|s| (s / self.step) as usize)
                .filter(|i| *i < n)
            else {
                continue;
            };
            let Some(v) = *value else {
                missed[i] += 1;
                continue;
            };
            low[i] = Some(low[i].map_or(v, |l| l.min(v)));
            high[i] = Some(high[i].map_or(v, |h| h.max(v)));
            sum[i] += float(v);
            samples[i] += 1;
            last = Some((Time::from_millis(i64::from(*at) * 1000), float(v)));
        }
        let mean = sum.iter().zip(&samples);
        // as fine as the values are kept: more digits would be noise
        let fine = |v: f64| (v * 1000.0).round() / 1000.0;
        SeriesView {
            place,
            name: name.to_owned(),
            unit,
            mean: mean.map(|(s, n)| (*n > 0).then(|| fine(s / f64::from(*n)))).collect(),
            min: low.into_iter().map(|v| v.map(float)).collect(),
            max: high.into_iter().map(|v| v.map(float)).collect(),
            samples,
            missed,
            last,
        }
    }
}
