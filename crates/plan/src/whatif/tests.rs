use proptest::prelude::*;
use rack::power::{Carries, Cord, CordSource, Fate, FedBox, Load, Pdu, Supply};
use rack::{Health, Time};

use super::*;

pub(crate) fn place(text: &str) -> Place {
    text.parse().unwrap()
}

pub(crate) fn pdu(name: &str, watts: Option<f64>, rated: Option<f64>) -> Pdu {
    Pdu {
        place: place(&format!("r1/{name}")),
        model: None,
        found: true,
        health: Health::Ok,
        carries: Carries::Yes,
        watts,
        taken: None,
        mains: vec![],
        rated,
        soft: rated.map(|r| 0.8 * r),
        lines: vec![],
        outlets: None,
        loose: Some(0.0),
        partners: vec![],
    }
}

pub(crate) fn cord(pdu: &str, outlet: &str, watts: Option<f64>) -> Cord {
    Cord {
        pdu: place(&format!("r1/{pdu}")),
        outlet: outlet.into(),
        source: CordSource::Recorded,
        carries: Carries::Yes,
        watts,
        told: watts.is_some(),
    }
}

pub(crate) fn fed(slot: &str, machine: Option<&str>, cords: Vec<Cord>) -> FedBox {
    let watts = cords.iter().map(|c| c.watts).try_fold(0.0, |sum, w| Some(sum + w?));
    FedBox {
        place: place(&format!("r1/{slot}")),
        kind: "server".into(),
        model: None,
        machine: machine.map(|m| m.parse().unwrap()),
        state: machine.map(|_| "running".into()),
        nice: machine.map(|_| 0),
        power: None,
        silent: None,
        health: Health::Ok,
        watts,
        by_outlets: false,
        taken: None,
        cap: None,
        floor: None,
        armed: true,
        shed: None,
        supplies: vec![],
        cords,
    }
}

/// PDUs carry what their cords do.
pub(crate) fn line(mut pdus: Vec<Pdu>, boxes: Vec<FedBox>) -> OneLine {
    for pdu in pdus.iter_mut().filter(|p| p.watts.is_none()) {
        let cords = boxes.iter().flat_map(|b| &b.cords).filter(|c| c.pdu == pdu.place);
        pdu.watts = cords.map(|c| c.watts).try_fold(0.0, |sum, w| Some(sum + w?));
    }
    OneLine {
        at: Time::from_millis(0),
        headline: String::new(),
        pdus,
        boxes,
        notes: vec![],
    }
}

fn of<'a>(forecast: &'a Forecast, pdu: &str) -> &'a Load {
    forecast
        .loads
        .iter()
        .find(|l| l.pdu.as_ref() == format!("r1/{pdu}"))
        .unwrap()
}

fn foretell(line: &OneLine, fails: &[Place]) -> Result<Forecast, Unfailable> {
    whatif(line, fails, &Rules::default())
}

fn fail(line: &OneLine, what: &str) -> Forecast {
    let all: Vec<Place> = what.split_whitespace().map(|p| place(&format!("r1/{p}"))).collect();
    foretell(line, &all).unwrap()
}

fn small() -> OneLine {
    line(
        vec![pdu("pdu-a", None, Some(1000.0)), pdu("pdu-b", None, Some(1000.0))],
        vec![
            fed(
                "u1",
                Some("web-1"),
                vec![cord("pdu-a", "1", Some(220.0)), cord("pdu-b", "1", Some(180.0))],
            ),
            fed("u2", Some("db-1"), vec![cord("pdu-a", "2", Some(150.0))]),
            fed("u3", None, vec![cord("pdu-a", "3", Some(10.0))]),
            fed("u4", Some("web-2"), vec![cord("pdu-b", "4", Some(300.0))]),
            fed("u5", Some("off-1"), vec![]),
        ],
    )
}

#[test]
fn who_hangs_on_it_alone_dies_and_who_has_another_input_moves_there() {
    let forecast = fail(&small(), "pdu-a");
    let dies: Vec<&str> = forecast.dies.iter().map(|v| v.place.as_ref()).collect();
    assert_eq!(dies, ["r1/u2", "r1/u3"]);
    assert_eq!(forecast.dies[0].because, "r1/pdu-a is its only input");
    assert_eq!(
        (forecast.weaker.len(), forecast.weaker[0].left, forecast.unaffected),
        (1, 1, 1)
    );
    let b = of(&forecast, "pdu-b");
    assert_eq!((b.before, b.after, b.fate), (Some(480.0), Some(700.0), Fate::Fine));
    assert_eq!(
        (of(&forecast, "pdu-a").after, of(&forecast, "pdu-a").fate),
        (Some(0.0), Fate::Fails)
    );
    assert_eq!((forecast.moves[0].watts, forecast.moves.len()), (220.0, 1));
    assert_eq!(
        forecast.headline,
        "1 machine dies: db-1; 1 box without one goes dark too. 1 box goes on with one input. \
         r1/pdu-b goes from 48 to 70 % of its rating."
    );
    assert_eq!(
        forecast.unknown,
        ["whether they notice: nobody wrote down what feeds r1/u5"]
    );
}

#[test]
fn an_outlet_a_supply_and_a_box_fail_alone() {
    let mut line = small();
    assert_eq!(fail(&line, "pdu-a/2").dies[0].place, place("r1/u2"));
    let forecast = fail(&line, "u1");
    assert_eq!(
        (of(&forecast, "pdu-a").after, of(&forecast, "pdu-b").after),
        (Some(160.0), Some(300.0))
    );
    assert_eq!(
        (forecast.dies.len(), forecast.moves.len()),
        (1, 0),
        "what a dead box drew goes nowhere"
    );
    let refused = |line: &OneLine, what: &str| foretell(line, &[place(what)]).unwrap_err().to_string();
    assert_eq!(
        refused(&line, "r1/u1/psu0"),
        "r1/u1 has no supply `psu0`: its BMC tells of none"
    );
    let supply = |id: &str, rated| Supply {
        id: id.into(),
        rated: Some(rated),
        health: Health::Ok,
    };
    line.boxes[0].supplies = vec![supply("psu0", 300.0), supply("psu1", 300.0)];
    let forecast = fail(&line, "u1/psu1");
    assert_eq!(
        forecast.dies[0].because,
        "it draws 400 W, and what is left of its supplies gives 300 W"
    );
    line.boxes[0].supplies = vec![supply("psu0", 500.0), supply("psu1", 500.0)];
    let forecast = fail(&line, "u1/psu1");
    assert_eq!((forecast.dies.len(), of(&forecast, "pdu-a").after), (0, Some(560.0)));
    line.boxes[0].supplies = vec![supply("psu0", 380.0), supply("psu1", 380.0)];
    line.boxes[0].supplies[1].health = Health::Critical;
    let unknown = fail(&line, "pdu-b").unknown;
    assert!(
        unknown.iter().any(|n| n.ends_with("at its limit is r1/u1")),
        "{unknown:?}"
    );
    assert!(
        unknown.iter().any(|n| n.ends_with("a supply is not well: r1/u1")),
        "{unknown:?}"
    );
    line.boxes[0].supplies.push(supply("psu2", 500.0));
    assert!(refused(&line, "r1/u1/psu1").contains("3 supplies and 2 cords"));
    assert_eq!(
        refused(&line, "r1/pdu-z"),
        "there is no `r1/pdu-z` in the one-line diagram"
    );
    assert_eq!(
        refused(&line, "r1/pdu-a/99"),
        "there is no `r1/pdu-a/99` in the one-line diagram"
    );
    assert!(refused(&line, "r1").ends_with("say what of it fails: r1/pdu-a and r1/pdu-b"));
}

#[test]
fn what_moves_trips_the_next_and_the_forecast_goes_on() {
    let both = |slot: &str, a: &str, b: &str, watts: f64| {
        fed(
            slot,
            Some(slot),
            vec![cord(a, slot, Some(watts / 2.0)), cord(b, slot, Some(watts / 2.0))],
        )
    };
    let line = line(
        vec![
            pdu("pdu-a", None, Some(1000.0)),
            pdu("pdu-b", None, Some(1000.0)),
            pdu("pdu-c", None, Some(5000.0)),
        ],
        vec![
            both("u1", "pdu-a", "pdu-b", 1400.0),
            both("u2", "pdu-b", "pdu-c", 400.0),
            fed("u3", Some("u3"), vec![cord("pdu-c", "3", Some(50.0))]),
        ],
    );
    let forecast = fail(&line, "pdu-a");
    let b = of(&forecast, "pdu-b");
    assert_eq!((b.fate, b.round, b.after), (Fate::Trips, Some(1), Some(1600.0)));
    assert!(
        (b.trips_in.unwrap() - 14.9).abs() < 0.2,
        "HARDWARE.md: 1.6 trips in 15 s: {b:?}"
    );
    let dies: Vec<&str> = forecast.dies.iter().map(|v| v.place.as_ref()).collect();
    assert_eq!(dies, ["r1/u1"]);
    assert_eq!(forecast.dies[0].because, "its inputs are gone: r1/pdu-a and r1/pdu-b");
    assert_eq!((of(&forecast, "pdu-c").after, forecast.weaker.len()), (Some(450.0), 1));
    assert!(
        forecast
            .headline
            .contains("r1/pdu-b trips at 160 % of its rating, in 15 s or more."),
        "{}",
        forecast.headline
    );
    assert!(
        forecast.assumed.iter().any(|a| a.contains("hydraulic-magnetic")),
        "{forecast:?}"
    );
}

#[test]
fn what_is_not_known_is_said_and_not_counted() {
    let mut line = small();
    line.boxes[0].cords[0].watts = None;
    line.boxes[0].watts = None;
    line.pdus[0].loose = Some(80.0);
    line.pdus[1].rated = None;
    let forecast = fail(&line, "pdu-a");
    let b = of(&forecast, "pdu-b");
    assert_eq!((b.after, b.at_least, b.fate), (Some(480.0), true, Fate::Unknown));
    for said in [
        "how much moves with r1/u1: nothing tells what they draw",
        "what becomes of 80 W of r1/pdu-a that no cord accounts for",
    ] {
        assert!(
            forecast.unknown.iter().any(|n| n == said),
            "{said}: {:?}",
            forecast.unknown
        );
    }
    // a cord that was seen to carry nothing is nothing to fall back on
    let mut line = small();
    line.boxes[0].cords[1].carries = Carries::No;
    let dies = fail(&line, "pdu-a").dies;
    assert_eq!((dies.len(), &dies[0].place), (3, &place("r1/u1")));
    line.boxes[0].cords[1].carries = Carries::Unknown;
    let forecast = fail(&line, "pdu-a");
    assert_eq!(forecast.dies.len(), 2);
    assert!(
        forecast
            .assumed
            .iter()
            .any(|a| a.contains("r1/pdu-b carries: it was not seen")),
        "{forecast:?}"
    );
}

/// PDUs, and boxes each with cords to some of them.
fn racks() -> impl Strategy<Value = OneLine> {
    let boxes = prop::collection::vec(
        (
            prop::collection::btree_map(0usize..4, 1.0..900.0_f64, 1..4),
            prop::option::of((-20i8..=19, prop::option::of(1.0..900.0_f64))),
        ),
        1..20,
    );
    (prop::collection::vec(prop::option::of(200.0..20_000.0_f64), 4), boxes).prop_map(|(rated, boxes)| {
        let name = |n: usize| format!("pdu-{n}");
        let pdus = rated.iter().enumerate().map(|(n, r)| pdu(&name(n), None, *r)).collect();
        type Held = Option<(i8, Option<f64>)>;
        let one = |(n, (cords, held)): (usize, (std::collections::BTreeMap<usize, f64>, Held))| {
            let cords = cords
                .into_iter()
                .map(|(p, w)| cord(&name(p), &n.to_string(), Some(w)))
                .collect();
            FedBox {
                nice: held.map(|(nice, _)| nice),
                floor: held.and_then(|(_, floor)| floor),
                ..fed(&format!("u{n}"), held.map(|_| format!("m{n}")).as_deref(), cords)
            }
        };
        line(pdus, boxes.into_iter().enumerate().map(one).collect())
    })
}

/// The same without anyone who may be asked to give up watts.
fn unarmed(mut line: OneLine) -> OneLine {
    line.boxes.iter_mut().for_each(|b| b.armed = false);
    line
}

fn names(forecast: &Forecast) -> std::collections::BTreeSet<Place> {
    forecast.dies.iter().map(|v| v.place.clone()).collect()
}

proptest! {
    #[test]
    fn failing_nothing_changes_nothing(line in racks()) {
        let forecast = foretell(&line, &[]).unwrap();
        prop_assert!(forecast.dies.is_empty() && forecast.weaker.is_empty() && forecast.moves.is_empty());
        for load in &forecast.loads {
            prop_assert_eq!(load.before, load.after);
        }
    }

    #[test]
    fn watts_are_conserved_over_those_that_survive(line in racks(), n in 0usize..4) {
        let forecast = foretell(&line, &[line.pdus[n].place.clone()]).unwrap();
        let dead = names(&forecast);
        let given = |p: &Place| forecast.sheds.iter().find(|g| g.place == *p).map_or(0.0, |g| g.watts - g.cap.unwrap_or(0.0));
        let alive: f64 = line.boxes.iter().filter(|b| !dead.contains(&b.place)).filter_map(|b| Some(b.watts? - given(&b.place))).sum();
        let carried: f64 = forecast.loads.iter().filter(|l| !matches!(l.fate, Fate::Fails | Fate::Trips)).filter_map(|l| l.after).sum();
        prop_assert!((alive - carried).abs() < 1e-6 * alive.max(1.0), "{} of the boxes, {} of the PDUs", alive, carried);
        for load in forecast.loads.iter().filter(|l| l.fate != Fate::Trips && l.fate != Fate::Fails) {
            let over = load.after > load.rated.or(load.after) && load.after > load.before.map(|w| w + 1.0);
            prop_assert!(!over, "{:?} is left standing over its rating", load);
        }
    }

    #[test]
    fn what_machines_give_up_kills_nobody_and_is_given_in_order(line in racks(), n in 0usize..4) {
        let fails = [line.pdus[n].place.clone()];
        let (helped, alone) = (foretell(&line, &fails).unwrap(), foretell(&unarmed(line.clone()), &fails).unwrap());
        prop_assert!(names(&helped).is_subset(&names(&alone)));
        prop_assert!(alone.sheds.is_empty());
        let nice: Vec<i8> = helped.sheds.iter().map(|g| g.nice).collect();
        prop_assert!(nice.is_sorted_by(|a, b| a >= b));
        for load in helped.loads.iter().filter(|l| l.fate == Fate::Relieved) {
            prop_assert!(load.peak > load.rated && (load.after <= load.rated || load.after <= load.before), "{load:?}");
        }
    }

    #[test]
    fn a_higher_rating_never_kills_more(line in racks(), n in 0usize..4, more in 0usize..4, by in 1.0..10.0_f64) {
        let line = unarmed(line);
        let mut better = line.clone();
        better.pdus[more].rated = better.pdus[more].rated.map(|r| r * by);
        let fails = [line.pdus[n].place.clone()];
        let (before, after) = (foretell(&line, &fails).unwrap(), foretell(&better, &fails).unwrap());
        prop_assert!(names(&after).is_subset(&names(&before)));
    }

    // a further cord may bring the load that trips the next PDU: where none trips, it only helps
    #[test]
    fn another_cord_never_kills_more_where_nothing_trips(line in racks(), n in 0usize..4, b in any::<prop::sample::Index>(), to in 0usize..4) {
        let mut line = line;
        line.pdus.iter_mut().for_each(|p| p.rated = None);
        let mut better = line.clone();
        let b = b.index(better.boxes.len());
        better.boxes[b].cords.push(cord(&format!("pdu-{to}"), "99", Some(5.0)));
        let fails = [line.pdus[n].place.clone()];
        prop_assert!(names(&foretell(&better, &fails).unwrap()).is_subset(&names(&foretell(&line, &fails).unwrap())));
    }

    #[test]
    fn failing_more_kills_no_fewer(line in racks(), n in 0usize..4, m in 0usize..4) {
        let line = unarmed(line);
        let one = foretell(&line, &[line.pdus[n].place.clone()]).unwrap();
        let two = foretell(&line, &[line.pdus[n].place.clone(), line.pdus[m].place.clone()]).unwrap();
        prop_assert!(names(&one).is_subset(&names(&two)));
    }
}
