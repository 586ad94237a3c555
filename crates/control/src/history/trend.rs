//! What all boxes together drew, and how hot the hottest was.

use std::ops::Add;

use rack::history::TrendView;
use rack::{Time, Unit};

use super::archive::float;
use super::block::Rows;
use super::fold::Steps;
use super::{Ask, Of, steps};
use crate::House;
use crate::house::HouseError;

/// Most steps of an answer. Each costs something for each box.
const STEPS: u32 = 240;

/// How values of two boxes become one.
type Join = fn(f64, f64) -> f64;

impl House {
    /// Watts of all nodes and the hottest temperature of all boxes over time, as [`House::vitals`] told them then. It goes
    /// through what every box told, which takes a while in a hall.
    pub fn trend(&self, ask: &Ask) -> Result<TrendView, HouseError> {
        let seconds = |d: std::time::Duration| u32::try_from(d.as_secs()).unwrap_or(u32::MAX);
        let (history, apart) = (&self.inner.history, seconds(self.inner.env.config.readings));
        let steps = steps(ask, self.now(), history.limits.age, apart)?;
        if steps.count > STEPS {
            let what = format!(
                "{} steps of {} s, and an answer has {STEPS} at most: ask for a shorter time or longer steps",
                steps.count, steps.step
            );
            return Err(HouseError::Invalid { what });
        }
        let mut boxes: Vec<Of> = self.world().nodes.keys().cloned().map(Of::Node).collect();
        self.record(|r| boxes.extend(r.devices.keys().cloned().map(Of::Device)));
        let age = seconds(self.reading_age());
        let mut watts = vec![None; steps.count as usize];
        let mut hottest = watts.clone();
        for of in boxes {
            let Some(track) = history.with(|a| a.track(&of)) else {
                continue;
            };
            for sensor in track.sensors() {
                // PDUs tell of the same watts.
                let is_power = sensor.unit == Unit::Watts && &*sensor.name == "watts" && matches!(of, Of::Node(_));
                let (all, join): (&mut Vec<Option<f64>>, Join) = match sensor.unit {
                    _ if is_power => (&mut watts, f64::add),
                    Unit::Celsius => (&mut hottest, f64::max),
                    _ => continue,
                };
                let rows = track.rows(&sensor, steps.from.saturating_sub(age), steps.to());
                for (so_far, value) in all.iter_mut().zip(latest(&steps, &rows, age)) {
                    *so_far = [*so_far, value].into_iter().flatten().reduce(join);
                }
            }
        }
        Ok(TrendView {
            from: Time::from_millis(i64::from(steps.from) * 1000),
            step_seconds: steps.step,
            watts,
            hottest,
        })
    }
}

/// The latest value that was known in each step; none once it is older than `age` seconds, or after one that was none.
pub fn latest(steps: &Steps, rows: &Rows, age: u32) -> Vec<Option<f64>> {
    let mut rows = rows.times.iter().zip(&rows.values).peekable();
    let mut last = None;
    let step = |n: u32| {
        let start = steps.from + n * steps.step;
        while let Some((at, value)) = rows.next_if(|(at, _)| **at < start + steps.step) {
            last = value.map(|v| (*at, float(v)));
        }
        last.filter(|(at, _)| start.saturating_sub(*at) <= age).map(|(_, v)| v)
    };
    (0..steps.count).map(step).collect()
}
