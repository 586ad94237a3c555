//! What is done about a box whose caps or firmware settings are not as someone wants them.

use std::collections::BTreeMap;

use rack::Time;
use rack::setting::{CapView, CapWish, Settings};
use rack::shed::Shed;
use serde_json::Value;

/// Caps closer than this are the same: BMCs round.
const SAME: f64 = 1.0;

/// What is done about a cap.
#[derive(Debug, Clone, PartialEq)]
pub enum CapStep {
    /// It is as wanted.
    Fine,
    /// It is set to this; nothing lifts it.
    Set(Option<f64>),
    /// It can't be.
    Impossible(String),
}

/// The cap that is kept up: the lower of what someone wants and what is taken so that nothing trips; what held before when
/// that is given back.
pub fn kept_cap(wanted: Option<CapWish>, shed: Option<&Shed>) -> Option<CapWish> {
    let Some(shed) = shed else { return wanted };
    match (shed.cap, wanted) {
        (Some(shed), Some(CapWish::Watts(wanted))) => Some(CapWish::Watts(wanted.min(shed))),
        (Some(shed), _) => Some(CapWish::Watts(shed)),
        (None, Some(wanted)) => Some(wanted),
        (None, None) => Some(shed.before.map_or(CapWish::Lifted, CapWish::Watts)),
    }
}

/// What is done about the cap of a box, and why what someone wants of it can't be, when it can't. That keeps no watts from being
/// taken from its machine, or from being given back.
pub fn step(wanted: Option<CapWish>, shed: Option<&Shed>, seen: &[CapView]) -> (CapStep, Option<String>) {
    let cap = |wish: Option<CapWish>| wish.map_or(CapStep::Fine, |wish| cap(wish, seen));
    match cap(kept_cap(wanted, shed)) {
        CapStep::Impossible(why) if wanted.is_some() && shed.is_some() => (cap(kept_cap(None, shed)), Some(why)),
        step => (step, None),
    }
}

/// What is done about the cap of the whole box.
pub fn cap(wish: CapWish, seen: &[CapView]) -> CapStep {
    let Some(cap) = seen.iter().find(|c| c.id == "system") else {
        return CapStep::Impossible("this box has no power cap".into());
    };
    let wanted = match wish {
        CapWish::Lifted => None,
        CapWish::Watts(w) => Some(w),
    };
    let same = match (cap.watts, wanted) {
        (None, None) => true,
        (Some(_), None) => cap.holds().is_none(),
        (Some(now), Some(wanted)) => (now - wanted).abs() < SAME,
        _ => false,
    };
    if same {
        return CapStep::Fine;
    }
    if !cap.writable {
        return CapStep::Impossible("this box shows its power cap but does not let it be set".into());
    }
    let too_low = wanted.zip(cap.lowest).filter(|(w, low)| w < low);
    let too_high = wanted.zip(cap.highest).filter(|(w, high)| w > high);
    if let Some((w, bound)) = too_low.or(too_high) {
        let range = format!(
            "{:.0} to {:.0} W",
            cap.lowest.unwrap_or(0.0),
            cap.highest.unwrap_or(f64::INFINITY)
        );
        return CapStep::Impossible(format!("{w:.0} W is beyond {bound:.0} W: this box takes {range}"));
    }
    CapStep::Set(wanted)
}

/// The attributes that are neither as wanted nor going to be.
pub fn bios(
    wanted: &BTreeMap<String, Value>,
    now: &BTreeMap<String, Value>,
    pending: &BTreeMap<String, Value>,
) -> BTreeMap<String, Value> {
    let missing = |(name, value): &(&String, &Value)| pending.get(*name).or_else(|| now.get(*name)) != Some(*value);
    wanted
        .iter()
        .filter(missing)
        .map(|(n, v)| (n.clone(), v.clone()))
        .collect()
}

/// The wishes after a trial that was not kept in time; nothing when there is none to end.
pub fn after_trial(settings: &Settings, now: Time) -> Option<Settings> {
    let trial = settings.trial.filter(|t| now >= t.until)?;
    Some(Settings {
        cap: Some(trial.before.unwrap_or(CapWish::Lifted)),
        trial: None,
        ..settings.clone()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn seen(watts: Option<f64>) -> Vec<CapView> {
        vec![CapView {
            id: "system".into(),
            watts,
            lowest: Some(300.0),
            highest: Some(900.0),
            writable: true,
        }]
    }

    #[test]
    fn a_cap_is_set_only_while_it_differs_and_only_within_its_range() {
        for (wish, now, step) in [
            (CapWish::Watts(600.0), Some(600.4), CapStep::Fine),
            (CapWish::Watts(600.0), None, CapStep::Set(Some(600.0))),
            (CapWish::Watts(600.0), Some(500.0), CapStep::Set(Some(600.0))),
            (CapWish::Lifted, Some(500.0), CapStep::Set(None)),
            (CapWish::Lifted, None, CapStep::Fine),
            (CapWish::Lifted, Some(900.0), CapStep::Fine),
            (CapWish::Watts(900.0), Some(900.0), CapStep::Fine),
        ] {
            assert_eq!(cap(wish, &seen(now)), step);
        }
        for wish in [CapWish::Watts(200.0), CapWish::Watts(1000.0)] {
            assert!(matches!(cap(wish, &seen(None)), CapStep::Impossible(why) if why.contains("300 to 900 W")));
        }
        assert!(matches!(cap(CapWish::Lifted, &[]), CapStep::Impossible(_)));
    }

    #[test]
    fn a_wish_that_cannot_be_keeps_no_watts_from_being_taken_or_given_back() {
        let shed = |cap| Shed {
            place: "r1/u1".parse().expect("a place"),
            machine: "m1".parse().expect("a name"),
            nice: 0,
            cap,
            stop: None,
            drew: 600.0,
            before: None,
            pdus: Vec::new(),
            because: String::new(),
            since: Time::from_millis(0),
            changed: Time::from_millis(0),
        };
        let watts = |w| Some(CapWish::Watts(w));
        for (wanted, taken, now, set, told) in [
            (watts(5000.0), None, Some(400.0), CapStep::Set(None), true),
            (watts(100.0), Some(400.0), None, CapStep::Set(Some(400.0)), true),
            (watts(500.0), Some(400.0), None, CapStep::Set(Some(400.0)), false),
            (watts(350.0), Some(400.0), None, CapStep::Set(Some(350.0)), false),
            (watts(350.0), None, Some(300.0), CapStep::Set(Some(350.0)), false),
            (None, None, Some(400.0), CapStep::Set(None), false),
        ] {
            let (step, cannot) = step(wanted, Some(&shed(taken)), &seen(now));
            assert_eq!((step, cannot.is_some()), (set, told), "{wanted:?}, {taken:?}");
        }
        assert!(matches!(
            step(watts(5000.0), None, &seen(None)),
            (CapStep::Impossible(_), None)
        ));
    }

    #[test]
    fn an_attribute_that_waits_for_the_next_boot_is_not_set_again() {
        let map = |v: Value| serde_json::from_value::<BTreeMap<String, Value>>(v).expect("a map");
        let wanted = map(json!({"A": "On", "B": 2, "C": true}));
        let left = bios(
            &wanted,
            &map(json!({"A": "On", "B": 1, "C": false})),
            &map(json!({"B": 2})),
        );
        assert_eq!(left, map(json!({"C": true})));
        // What is pending overrules what is.
        assert_eq!(
            bios(&map(json!({"A": 1})), &map(json!({"A": 1})), &map(json!({"A": 2}))),
            map(json!({"A": 1}))
        );
    }

    #[test]
    fn a_trial_ends_by_itself_and_only_when_its_time_is_up() {
        let at = Time::from_millis;
        let trial = rack::setting::Trial {
            until: at(1000),
            before: Some(CapWish::Watts(700.0)),
        };
        let settings = Settings {
            cap: Some(CapWish::Watts(500.0)),
            trial: Some(trial),
            ..Settings::default()
        };
        assert_eq!(after_trial(&settings, at(999)), None);
        let after = after_trial(&settings, at(1000)).expect("it ends");
        assert_eq!((after.cap, after.trial), (Some(CapWish::Watts(700.0)), None));
    }
}
