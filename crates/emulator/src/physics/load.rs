//! What a box is asked to do over time: a share of full load, 0 to 1, as a function of the seconds since it began.

use std::sync::Arc;

/// What a box is asked to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Trace {
    /// The same for ever.
    Constant(f64),
    /// From each second on, its load; from the start again after `period` seconds, if any.
    Steps {
        /// `(second, load)`, rising.
        steps: Arc<[(f64, f64)]>,
        /// When it begins again.
        period: Option<f64>,
    },
    /// A training job: all its accelerators compute and then exchange gradients, step by step and all at once, which is
    /// the saw-tooth that whole machines draw (Frontier, OLCF: 15 s samples swing between about 40 and 95 % of full); now
    /// and then it writes a checkpoint.
    Training {
        /// Seconds of one step.
        step: f64,
        /// Share of it that computes.
        computes: f64,
        /// Seconds between checkpoints.
        checkpoint_every: f64,
        /// Seconds that one takes.
        checkpoint: f64,
    },
    /// Answering people: a day's wave, and bursts over it.
    Inference {
        /// Mean at the quietest hour.
        least: f64,
        /// At the busiest.
        most: f64,
        /// What the bursts follow from.
        seed: u64,
    },
}

/// Seconds of one burst of [`Trace::Inference`].
const BURST: f64 = 5.0;
const DAY: f64 = 86_400.0;
/// Rows that a replayed file may have.
const MOST_ROWS: usize = 200_000;

/// A trace that can't be read.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum BadTrace {
    /// Not a number, and no trace's name.
    #[error(
        "`{0}` is no load: write 0 to 1, `training`, `inference`, `idle`, or the lines of a CSV with `second,load`"
    )]
    Unknown(String),
    /// Out of range.
    #[error("a load is a share of full load, 0 to 1, not {0}")]
    Range(f64),
    /// A line of a file.
    #[error("line {line}: {why}; a line is `second,load`, seconds rising, load from 0 to 1")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// A file without lines, or with too many.
    #[error("a trace has 1 to {MOST_ROWS} lines, not {0}")]
    Rows(usize),
}

impl Trace {
    /// A number, or a trace by its name: `0.8`, `training`, `inference`, `idle`, `full`.
    pub fn named(text: &str, seed: u64) -> Result<Trace, BadTrace> {
        match text.trim() {
            "idle" => Ok(Trace::Constant(0.0)),
            "full" => Ok(Trace::Constant(1.0)),
            "training" => Ok(Trace::Training {
                step: 12.0,
                computes: 0.75,
                checkpoint_every: 1800.0,
                checkpoint: 40.0,
            }),
            "inference" => Ok(Trace::Inference {
                least: 0.15,
                most: 0.7,
                seed,
            }),
            number => match number.parse::<f64>() {
                Ok(n) if (0.0..=1.0).contains(&n) => Ok(Trace::Constant(n)),
                Ok(n) => Err(BadTrace::Range(n)),
                Err(_) => Err(BadTrace::Unknown(number.chars().take(40).collect())),
            },
        }
    }

    /// A replay: lines of `second,load`, with a heading or without, which begins again after its last line.
    pub fn replay(text: &str) -> Result<Trace, BadTrace> {
        let mut steps: Vec<(f64, f64)> = Vec::new();
        for (n, line) in text.lines().enumerate() {
            let line = line.trim();
            let bad = |why: String| BadTrace::Line { line: n + 1, why };
            if line.is_empty() || line.starts_with('#') || (n == 0 && line.starts_with(|c: char| c.is_alphabetic())) {
                continue;
            }
            let (second, load) = line.split_once(',').ok_or_else(|| bad("no comma".into()))?;
            let number = |t: &str| t.trim().parse::<f64>().ok().filter(|n| n.is_finite());
            let second = number(second).ok_or_else(|| bad(format!("`{}` is no number", short(second))))?;
            let load = number(load).ok_or_else(|| bad(format!("`{}` is no number", short(load))))?;
            if !(0.0..=1.0).contains(&load) {
                return Err(bad(format!("a load of {load}")));
            }
            if second < 0.0 || steps.last().is_some_and(|last| last.0 >= second) {
                return Err(bad(format!("second {second} does not come after the line before")));
            }
            if steps.len() == MOST_ROWS {
                return Err(BadTrace::Rows(text.lines().count()));
            }
            steps.push((second, load));
        }
        let last = steps.last().ok_or(BadTrace::Rows(0))?.0;
        // the last line lasts as long as the one before it
        let before = steps.len().checked_sub(2).map_or(last - 1.0, |n| steps[n].0);
        Ok(Trace::Steps {
            period: Some(2.0 * last - before).filter(|p| *p > 0.0),
            steps: steps.into(),
        })
    }

    /// What it is called by: `idle`, `training`, `0.3`, `replay`.
    pub fn word(&self) -> String {
        match self {
            Trace::Constant(0.0) => "idle".into(),
            Trace::Constant(1.0) => "full".into(),
            Trace::Constant(load) => load.to_string(),
            Trace::Steps { .. } => "replay".into(),
            Trace::Training { .. } => "training".into(),
            Trace::Inference { .. } => "inference".into(),
        }
    }

    /// The load at this second.
    pub fn at(&self, second: f64) -> f64 {
        match self {
            Trace::Constant(load) => *load,
            Trace::Steps { steps, period } => {
                let t = period.map_or(second, |p| second.rem_euclid(p));
                let after = steps.partition_point(|(s, _)| *s <= t);
                after.checked_sub(1).map_or(0.0, |n| steps[n].1)
            }
            Trace::Training {
                step,
                computes,
                checkpoint_every,
                checkpoint,
            } => {
                if second.rem_euclid(*checkpoint_every) >= checkpoint_every - checkpoint {
                    0.1
                } else if second.rem_euclid(*step) < step * computes {
                    0.95
                } else {
                    0.4
                }
            }
            Trace::Inference { least, most, seed } => {
                // quietest at the start, busiest half a day later
                let wave = 0.5 - 0.5 * (second / DAY * std::f64::consts::TAU).cos();
                let burst = unit(*seed, (second / BURST) as u64);
                let mean = least + (most - least) * wave;
                // most of the time a little under the mean, and now and then well over it
                (mean * (0.85 + 0.6 * burst.powi(4))).clamp(0.0, 1.0)
            }
        }
    }

    /// Seconds from this one on in which it stays the same.
    pub fn holds(&self, second: f64) -> f64 {
        let until = |period: f64, edge: f64| {
            let t = second.rem_euclid(period);
            if t < edge { edge - t } else { period - t }
        };
        let left = match self {
            Trace::Constant(_) => f64::INFINITY,
            Trace::Steps { steps, period } => {
                let t = period.map_or(second, |p| second.rem_euclid(p));
                let next = steps.partition_point(|(s, _)| *s <= t);
                steps
                    .get(next)
                    .map(|s| s.0)
                    .or(*period)
                    .map_or(f64::INFINITY, |next| next - t)
            }
            Trace::Training {
                step,
                computes,
                checkpoint_every,
                checkpoint,
            } => until(*step, step * computes).min(until(*checkpoint_every, checkpoint_every - checkpoint)),
            Trace::Inference { .. } => until(BURST, BURST),
        };
        // an edge that rounding left just ahead
        left.max(1e-3)
    }
}

fn short(text: &str) -> String {
    text.trim().chars().take(40).collect()
}

/// A number from 0 to 1 that follows from two others (splitmix64).
pub(crate) fn unit(seed: u64, n: u64) -> f64 {
    let mut z = seed
        .wrapping_add(n.wrapping_mul(0x9e37_79b9_7f4a_7c15))
        .wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_trace_holds_as_long_as_it_says() {
        let replay = Trace::replay("second,load\n0,0.2\n10,0.9\n30,0.1\n").unwrap();
        assert_eq!(
            [0.0, 9.9, 10.0, 31.0, 50.0, 60.0].map(|t| replay.at(t)),
            [0.2, 0.2, 0.9, 0.1, 0.2, 0.9]
        );
        for trace in [
            replay,
            Trace::named("training", 1).unwrap(),
            Trace::named("inference", 1).unwrap(),
        ] {
            let mut t = 0.0;
            while t < 4000.0 {
                let holds = trace.holds(t);
                let same = [0.0, 0.5, 0.99].map(|part| trace.at(t + part * holds.min(4000.0)));
                if !matches!(trace, Trace::Inference { .. }) {
                    assert!(same.iter().all(|s| *s == same[0]), "{trace:?} at {t}: {same:?}");
                }
                assert!((0.0..=1.0).contains(&same[0]));
                t += holds.max(0.01);
            }
        }
    }

    #[test]
    fn a_file_with_errors_is_refused_with_its_line() {
        for (text, line) in [
            ("0,0.5\n1", 2),
            ("0,1.5", 1),
            ("a,b\n0,x", 2),
            ("0,0\n0,1", 2),
            ("0,0\n1,NaN", 2),
        ] {
            match Trace::replay(text) {
                Err(BadTrace::Line { line: n, .. }) => assert_eq!(n, line, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
        assert!(matches!(Trace::replay(""), Err(BadTrace::Rows(0))));
        assert!(Trace::named("much", 0).is_err() && Trace::named("1.1", 0).is_err());
    }
}
