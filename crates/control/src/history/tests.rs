use proptest::prelude::*;
use rack::{Reading, Time, Unit};

use super::archive::{Archive, Limits, float};
use super::block::{ROWS, Rows, Sensor};
use super::fold::Steps;
use super::trend::latest;

/// A day that starts at a round time.
const DAY: u32 = 1_764_028_800;

fn at(seconds: u32) -> Time {
    Time::from_millis(i64::from(seconds) * 1000)
}

fn reading(name: &str, value: Option<f64>, seconds: u32) -> Reading {
    Reading {
        name: name.into(),
        value,
        unit: Unit::Watts,
        taken: at(seconds),
    }
}

fn watts(name: &str) -> Sensor {
    Sensor {
        name: name.into(),
        unit: Unit::Watts,
    }
}

/// Everything of one sensor.
fn all(archive: &Archive<u32>, name: &str) -> Vec<(u32, Option<f64>)> {
    let track = archive.track(&1).unwrap_or_default();
    let rows = track.rows(&watts(name), 0, u32::MAX);
    rows.times
        .into_iter()
        .zip(rows.values.into_iter().map(|v| v.map(float)))
        .collect()
}

const SMALL: Limits = Limits {
    age: 86_400,
    bytes: 1 << 20,
    boxes: 100,
    sensors: 16,
};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever sensors come, go and fail: each value comes back at its time, and nothing else does.
    #[test]
    fn what_went_in_comes_out(looks in prop::collection::vec(
        (1..400_u32, prop::collection::btree_map(0..6_u8, prop::option::of(-900_000..900_000_i32), 0..5)), 0..300))
    {
        let mut archive = Archive::new(Limits { age: u32::MAX, ..SMALL });
        let mut told: Vec<Vec<(u32, Option<f64>)>> = vec![Vec::new(); 6];
        let mut now = DAY;
        for (apart, look) in looks {
            now += apart;
            let readings: Vec<Reading> = look
                .iter()
                .map(|(n, v)| reading(&format!("s{n}"), v.map(|v| f64::from(v) / 1000.0), now))
                .collect();
            archive.note(&1, &readings);
            for (n, v) in &look {
                told[usize::from(*n)].push((now, v.map(|v| f64::from(v) / 1000.0)));
            }
        }
        for (n, told) in told.into_iter().enumerate() {
            // A row without the sensor, and one in which it has no reading, are both no reading.
            let told: Vec<_> = told.into_iter().filter(|(_, v)| v.is_some()).collect();
            let kept: Vec<_> = all(&archive, &format!("s{n}")).into_iter().filter(|(_, v)| v.is_some()).collect();
            prop_assert_eq!(kept, told);
        }
    }

    /// Boxes that make up names, send the largest numbers and never stop: bytes, boxes and columns stay in their bounds.
    #[test]
    fn whatever_comes_it_stays_in_its_bounds(looks in prop::collection::vec(
        (0..40_u32, 0..200_u32, prop::collection::vec((any::<u16>(), prop::num::f64::ANY), 0..30)), 0..400))
    {
        let limits = Limits { age: 5_000, bytes: 64 << 10, boxes: 20, sensors: 8 };
        let mut archive = Archive::new(limits);
        let mut now = DAY;
        for (key, apart, look) in looks {
            now += apart;
            let named = |(n, v): &(u16, f64)| reading(&format!("{}{n}", "x".repeat(usize::from(n % 200))), Some(*v), now);
            archive.note(&key, &look.iter().map(named).collect::<Vec<_>>());
            prop_assert!(archive.bytes() <= limits.bytes, "{}", archive.bytes());
            prop_assert!(archive.boxes() <= limits.boxes);
        }
        for key in 0..40 {
            let track = archive.track(&key).unwrap_or_default();
            prop_assert!(track.first().is_none_or(|t| t <= now));
        }
        // What is counted as it goes is what a count anew finds.
        let counted = archive.bytes();
        archive.sweep(at(DAY), |_| true);
        prop_assert!(archive.bytes() <= counted);
        archive.sweep(at(now + limits.age + 1), |_| true);
        prop_assert_eq!((archive.boxes(), archive.bytes()), (0, 0));
    }

    /// Steps neither lose nor invent values.
    #[test]
    fn steps_have_every_value_once(
        rows in prop::collection::vec((1..300_u32, prop::option::of(-5_000..5_000_i32)), 0..200), step in 1..4000_u32)
    {
        let mut archive = Archive::new(Limits { age: u32::MAX, ..SMALL });
        let mut now = DAY;
        let mut values = Vec::new();
        for (apart, value) in rows {
            now += apart;
            values.extend(value.map(f64::from));
            archive.note(&1, &[reading("w", value.map(f64::from), now)]);
        }
        let steps = Steps::over(DAY, now + 1, Some(step), 30);
        let track = archive.track(&1).unwrap_or_default();
        let place = "r1/u1".parse().expect("is a place");
        let view = steps.fold(place, "w", Unit::Watts, &track.rows(&watts("w"), steps.from, steps.to()));
        prop_assert_eq!(view.samples.iter().sum::<u32>() as usize, values.len());
        for i in 0..steps.count as usize {
            prop_assert_eq!(view.mean[i].is_some(), view.samples[i] > 0);
            if let (Some(min), Some(mean), Some(max)) = (view.min[i], view.mean[i], view.max[i]) {
                prop_assert!(min <= mean + 0.001 && mean <= max + 0.001);
            }
        }
        let highest = view.max.iter().flatten().copied().reduce(f64::max);
        prop_assert_eq!(highest, values.iter().copied().reduce(f64::max));
    }
}

#[test]
fn a_gap_stays_a_gap_and_no_value_is_made_up_for_it() {
    let mut archive = Archive::new(SMALL);
    archive.note(&1, &[reading("w", Some(400.0), DAY)]);
    archive.note(&1, &[reading("w", None, DAY + 60)]);
    // no answer for an hour
    archive.note(&1, &[reading("w", Some(410.0), DAY + 3660)]);
    let steps = Steps::over(DAY, DAY + 3661, Some(60), 60);
    let rows = archive.track(&1).unwrap().rows(&watts("w"), steps.from, steps.to());
    let view = steps.fold("r1/u1".parse().unwrap(), "w", Unit::Watts, &rows);
    assert_eq!(
        (view.mean[0], view.mean[1], view.mean[61]),
        (Some(400.0), None, Some(410.0))
    );
    assert!(view.mean[1..61].iter().all(Option::is_none));
    assert_eq!((view.missed[0], view.missed[1], view.missed[2]), (0, 1, 0));
    assert_eq!(view.last, Some((at(DAY + 3660), 410.0)));
}

#[test]
fn a_reading_that_is_older_than_its_look_is_none_and_a_look_that_is_known_is_no_second_one() {
    let mut archive = Archive::new(SMALL);
    archive.note(&1, &[reading("a", Some(1.0), DAY), reading("b", Some(2.0), DAY - 500)]);
    archive.note(&1, &[reading("a", Some(1.0), DAY)]);
    assert_eq!(all(&archive, "a"), [(DAY, Some(1.0))]);
    assert_eq!(all(&archive, "b"), [(DAY, None)]);
}

#[test]
fn a_clock_that_is_set_back_leaves_a_gap_or_takes_back_what_it_told() {
    let mut archive = Archive::new(SMALL);
    for minute in 0..200 {
        archive.note(&1, &[reading("w", Some(f64::from(minute)), DAY + minute * 60)]);
    }
    let last = DAY + 199 * 60;
    archive.note(&1, &[reading("w", Some(7.0), last - 20)]);
    assert_eq!(
        all(&archive, "w").len(),
        200,
        "a small step back is a look that is not kept"
    );
    archive.note(&1, &[reading("w", Some(8.0), DAY + 7000)]);
    let kept = all(&archive, "w");
    assert_eq!(kept.last(), Some(&(DAY + 7000, Some(8.0))));
    assert!(kept.is_sorted_by(|a, b| a.0 < b.0), "times only go up");
    assert!(kept.len() > usize::from(ROWS), "what was told before stays");
}

#[test]
fn old_rows_gone_boxes_and_renamed_sensors_give_their_memory_back() {
    let mut archive = Archive::new(SMALL);
    for minute in 0..3000 {
        let name = if minute < 1000 { "fan-1" } else { "fan1" };
        archive.note(&1, &[reading(name, Some(f64::from(minute % 7)), DAY + minute * 60)]);
        archive.note(&2, &[reading("w", Some(1.0), DAY + minute * 60)]);
    }
    let now = DAY + 3000 * 60;
    let oldest = archive.track(&1).unwrap().first().unwrap();
    assert!(oldest > now - SMALL.age - 60 * (u32::from(ROWS) + 1), "{oldest}");
    assert_eq!(archive.track(&1).unwrap().sensors(), [watts("fan1")]);
    let both = archive.bytes();
    archive.sweep(at(now), |key| *key == 1);
    assert!(archive.track(&2).is_none() && archive.bytes() < both);
    archive.sweep(at(now + SMALL.age + 1), |_| true);
    assert_eq!(
        archive.bytes(),
        0,
        "a box that tells no more is forgotten when its last row is old"
    );
}

#[test]
fn boxes_of_a_kind_share_their_names() {
    let mut archive = Archive::new(SMALL);
    let look = |n: u32| {
        (0..10)
            .map(|i| reading(&format!("sensor-{i}"), Some(1.0), DAY + n))
            .collect::<Vec<_>>()
    };
    archive.note(&1, &look(0));
    let one = archive.bytes();
    archive.note(&2, &look(1));
    assert!(archive.bytes() < one * 2 - 100, "{one} {}", archive.bytes());
}

#[test]
fn steps_are_round_and_not_finer_than_readings_are_apart() {
    let steps = Steps::over(DAY + 17, DAY + 3600, None, 30);
    assert_eq!((steps.step, steps.from), (30, DAY));
    assert_eq!(Steps::over(DAY, DAY + 86_400, None, 30).step, 600);
    assert_eq!(Steps::over(DAY, DAY + 60, Some(1), 30).count, 60);
}

#[test]
fn a_moment_shows_what_was_last_told_before_it_while_that_was_fresh() {
    let mut archive = Archive::new(SMALL);
    let look = |seconds, watts, inlet| {
        let mut all = vec![reading("watts", watts, seconds)];
        all.extend(Option::map(inlet, |v| reading("inlet", Some(v), seconds)));
        all
    };
    // enough rows for packed blocks and an open one
    for n in 0..200 {
        archive.note(&1, &look(DAY + n * 30, Some(f64::from(n)), None));
    }
    archive.note(&1, &look(DAY + 6_000, None, Some(21.5)));
    let track = archive.track(&1).unwrap();
    let at = |seconds| {
        let told = track.at(at(seconds), 90);
        let one = |name: &str| told.iter().find(|r| r.name == name).cloned();
        (one("watts"), one("inlet"))
    };
    let (watts, inlet) = at(DAY + 45);
    assert_eq!(
        watts,
        Some(reading("watts", Some(1.0), DAY + 30)),
        "not what came after"
    );
    assert_eq!(inlet, None);
    assert_eq!(at(DAY + 30).0.unwrap().value, Some(1.0), "a moment includes itself");
    let (watts, inlet) = at(DAY + 6_010);
    assert_eq!(
        watts.unwrap().value,
        None,
        "it answered that there is none, which is not the value before"
    );
    assert_eq!(inlet.unwrap().value, Some(21.5));
    assert_eq!(at(DAY - 1), (None, None));
    assert_eq!(at(DAY + 6_091), (None, None), "nothing was told for too long");
}

#[test]
fn a_value_holds_until_it_is_too_old_or_the_sensor_says_none() {
    let rows = Rows {
        times: vec![DAY - 30, DAY + 10, DAY + 15, DAY + 130],
        values: vec![Some(1_000), Some(2_000), Some(3_000), None],
    };
    let steps = |from| Steps {
        from,
        step: 30,
        count: 6,
    };
    let held = latest(&steps(DAY), &rows, 60);
    assert_eq!(held, [Some(3.0), Some(3.0), Some(3.0), None, None, None]);
    // one from before the first step holds in it
    let held = latest(&steps(DAY - 20), &rows, 60);
    assert_eq!(held[..2], [Some(1.0), Some(3.0)]);
    assert_eq!(latest(&steps(DAY), &Rows::default(), 60), [None; 6]);
}
