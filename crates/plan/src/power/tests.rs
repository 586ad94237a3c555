use rack::free::Rating;
use rack::intent::IntendedBox;
use rack::node::OutletRef;
use rack::power::CordSource;
use rack::request::OutletView;
use rack::{Node, PowerState};

use super::*;

const NOW: i64 = 1_764_000_000_000;
const AGE: Duration = Duration::from_secs(90);

fn reading(name: &str, value: Option<f64>, unit: Unit, ago: i64) -> Reading {
    Reading {
        name: name.into(),
        value,
        unit,
        taken: Time::from_millis(NOW - 1000 * ago),
    }
}

fn node(slot: &str, cords: &[(&str, &str)]) -> Node {
    let mut node = crate::lifecycle::tests::node(slot);
    node.outlets = cords
        .iter()
        .map(|(pdu, outlet)| OutletRef {
            pdu: pdu.parse().unwrap(),
            outlet: (*outlet).into(),
        })
        .collect();
    node
}

fn seen(node: &Node, watts: Option<f64>) -> SeenNode<'_> {
    SeenNode {
        node,
        machine: None,
        power: Some(PowerState::On),
        silent: None,
        readings: vec![reading("watts", watts, Unit::Watts, 2)],
        cap: None,
        floor: None,
        shed: None,
    }
}

fn outlet(id: &str, watts: Option<f64>, on: bool) -> OutletView {
    OutletView {
        id: id.into(),
        label: None,
        power: Some(if on { PowerState::On } else { PowerState::Off }),
        watts,
        amps: None,
        switched: true,
    }
}

fn device(place: &str, watts: Option<f64>, outlets: Vec<OutletView>) -> SeenDevice {
    let mut view: DeviceView =
        serde_json::from_value(serde_json::json!({"place": place, "kind": "pdu", "readings": []})).unwrap();
    view.readings = vec![reading("watts", watts, Unit::Watts, 2)];
    view.mains = vec![Rating {
        amps: 10.0,
        volts: 230.0,
        phases: 1,
    }];
    view.outlets = outlets;
    SeenDevice {
        view,
        outlets_read: Some(Time::from_millis(NOW - 2000)),
    }
}

fn drawn(nodes: Vec<SeenNode>, devices: Vec<SeenDevice>, intents: Vec<&Intent>) -> OneLine {
    one_line(&Sight {
        at: Time::from_millis(NOW),
        age: AGE,
        nodes,
        devices,
        intents,
    })
}

fn pdu_of<'a>(line: &'a OneLine, place: &str) -> &'a Pdu {
    line.pdus.iter().find(|p| p.place.as_ref() == place).unwrap()
}

#[test]
fn cords_carry_what_outlets_tell_and_what_is_left_of_the_box_else() {
    let (told, half, alone) = (
        node("u1", &[("r1/pdu-a", "1"), ("r1/pdu-b", "1")]),
        node("u2", &[("r1/pdu-a", "2"), ("r1/pdu-b", "2")]),
        node("u3", &[("r1/pdu-b", "3")]),
    );
    let a = device(
        "r1/pdu-a",
        Some(500.0),
        vec![outlet("1", Some(330.0), true), outlet("2", Some(100.0), true)],
    );
    let b = device(
        "r1/pdu-b",
        Some(480.0),
        vec![
            outlet("1", Some(270.0), true),
            outlet("2", None, true),
            outlet("3", None, true),
        ],
    );
    let line = drawn(
        vec![seen(&told, Some(590.0)), seen(&half, Some(210.0)), seen(&alone, None)],
        vec![a, b],
        vec![],
    );
    let watts: Vec<Vec<Option<f64>>> = line
        .boxes
        .iter()
        .map(|b| b.cords.iter().map(|c| c.watts).collect())
        .collect();
    assert_eq!(
        watts,
        [
            vec![Some(330.0), Some(270.0)],
            vec![Some(100.0), Some(110.0)],
            vec![None]
        ]
    );
    let a = pdu_of(&line, "r1/pdu-a");
    assert_eq!((a.rated, a.soft, a.loose), (Some(2300.0), Some(1840.0), Some(70.0)));
    assert_eq!(pdu_of(&line, "r1/pdu-b").loose, None, "one of its cords tells nothing");
    assert_eq!(a.partners[0].as_ref(), "r1/pdu-b");
    assert!(
        line.notes
            .iter()
            .any(|n| n == "70 W of r1/pdu-a go where nobody wrote a cord down"),
        "{:?}",
        line.notes
    );
    assert!(
        line.notes.iter().any(|n| n == "no watts are told of r1/u3"),
        "{:?}",
        line.notes
    );
    assert_eq!(
        line.headline,
        "The fullest is r1/pdu-a, at 22 % of its rating. 2 of 3 boxes have power from two PDUs or more."
    );
}

#[test]
fn a_tripped_pdu_and_a_pulled_plug_carry_nothing_and_an_old_reading_is_none() {
    let both = |slot| node(slot, &[("r1/pdu-a", &slot[1..]), ("r1/pdu-b", &slot[1..])]);
    let (one, two) = (both("u1"), both("u2"));
    let dark = || {
        device(
            "r1/pdu-a",
            None,
            vec![outlet("1", Some(0.0), false), outlet("2", Some(0.0), false)],
        )
    };
    let live = || {
        device(
            "r1/pdu-b",
            Some(610.0),
            vec![outlet("1", Some(610.0), true), outlet("2", Some(0.0), true)],
        )
    };
    let line = drawn(
        vec![seen(&one, Some(600.0)), seen(&two, None)],
        vec![dark(), live()],
        vec![],
    );
    assert_eq!(pdu_of(&line, "r1/pdu-a").carries, Carries::No);
    assert_eq!(
        pdu_of(&line, "r1/pdu-a").watts,
        Some(0.0),
        "known to carry nothing, which a missing reading is not"
    );
    let carries: Vec<Carries> = line.boxes[0].cords.iter().map(|c| c.carries).collect();
    assert_eq!(carries, [Carries::No, Carries::Yes]);
    assert!(
        line.headline.starts_with("r1/pdu-a carries nothing."),
        "{}",
        line.headline
    );
    // a plug that is out, seen by what the other cord carries
    let a = device(
        "r1/pdu-a",
        Some(300.0),
        vec![outlet("1", Some(0.0), true), outlet("2", Some(6.0), true)],
    );
    let line = drawn(
        vec![seen(&one, Some(600.0)), seen(&two, Some(6.0))],
        vec![a, live()],
        vec![],
    );
    assert_eq!(line.boxes[0].cords[0].carries, Carries::No);
    assert_eq!(
        line.boxes[1].cords[1].carries,
        Carries::Yes,
        "6 W say nothing of the other cord"
    );
    assert!(
        line.notes
            .iter()
            .any(|n| n.starts_with("nothing flows from r1/pdu-a/1 to r1/u1")),
        "{:?}",
        line.notes
    );
    // and one whose only live input has no plug in it
    let silent = SeenNode {
        silent: Some("no answer".into()),
        ..seen(&two, None)
    };
    let line = drawn(vec![silent], vec![dark(), live()], vec![]);
    let carries: Vec<Carries> = line.boxes[0].cords.iter().map(|c| c.carries).collect();
    assert_eq!(carries, [Carries::No, Carries::No]);
    assert!(line.headline.contains("r1/u2 has no power."), "{}", line.headline);
    // the PDU does not answer any more
    let mut old = dark();
    old.outlets_read = Some(Time::from_millis(NOW - 200_000));
    old.view.readings = vec![reading("watts", Some(900.0), Unit::Watts, 200)];
    let line = drawn(vec![seen(&one, Some(600.0))], vec![old, live()], vec![]);
    let a = pdu_of(&line, "r1/pdu-a");
    assert_eq!((a.carries, a.watts), (Carries::Unknown, None));
    assert_eq!(line.boxes[0].cords[0].carries, Carries::Unknown);
}

#[test]
fn cords_come_from_the_box_then_from_what_should_be_there_then_from_labels() {
    let (own, meant, labelled, loose) = (
        node("u1", &[("r1/pdu-a", "1")]),
        node("u2", &[]),
        node("u3", &[]),
        node("u4", &[]),
    );
    let to = |slot: &str, outlet: &str| IntendedBox {
        outlets: vec![OutletRef {
            pdu: "r1/pdu-a".parse().unwrap(),
            outlet: outlet.into(),
        }],
        ..IntendedBox::at(slot.parse().unwrap())
    };
    let mut switch = to("u40", "7");
    switch.kind = BoxKind::Switch;
    let intent = Intent {
        boxes: vec![to("u1", "9"), to("u2", "2"), switch],
        ..Intent::of("r1".parse().unwrap())
    };
    let with = |id: &str, label: &str| OutletView {
        label: Some(label.into()),
        ..outlet(id, Some(50.0), true)
    };
    let pdu = device(
        "r1/pdu-a",
        Some(250.0),
        vec![
            with("1", "r1/u4x"),
            with("2", "u1"),
            with("3", "u3"),
            with("7", "core switch"),
        ],
    );
    let nodes = [&own, &meant, &labelled, &loose].map(|n| seen(n, Some(50.0)));
    let line = drawn(nodes.into(), vec![pdu], vec![&intent]);
    let cords: Vec<Vec<(&str, CordSource)>> = line
        .boxes
        .iter()
        .map(|b| b.cords.iter().map(|c| (c.outlet.as_str(), c.source)).collect())
        .collect();
    assert_eq!(
        cords,
        [
            vec![("1", CordSource::Recorded)],
            vec![("2", CordSource::Recorded)],
            vec![("3", CordSource::Label)],
            vec![],
            vec![("7", CordSource::Recorded)],
        ]
    );
    let switch = &line.boxes[4];
    assert_eq!(
        (switch.kind.as_str(), switch.watts, switch.by_outlets),
        ("switch", Some(50.0), true)
    );
    assert!(
        line.notes.iter().any(|n| n == "nobody wrote down what feeds r1/u4"),
        "{:?}",
        line.notes
    );
}

#[test]
fn what_nobody_wrote_down_and_nobody_tells_is_said() {
    let none = node("u1", &[]);
    let line = drawn(vec![seen(&none, Some(100.0))], vec![], vec![]);
    assert_eq!(line.headline, "No PDU was found here, and no cord is written down.");
    assert!(
        line.notes[0].starts_with("nobody wrote down which PDU feeds what"),
        "{:?}",
        line.notes
    );
    let lost = node("u1", &[("r1/pdu-a", "1"), ("r1/pdu-b", "44")]);
    let mut b = device("r1/pdu-b", None, vec![outlet("1", None, true)]);
    b.view.mains.clear();
    let line = drawn(vec![seen(&lost, Some(100.0))], vec![b], vec![]);
    assert!(!pdu_of(&line, "r1/pdu-a").found);
    for said in [
        "r1/u1 is written down at outlet 44 of r1/pdu-b, which has none of that name",
        "cords are written down to what was not found: r1/pdu-a",
        "no rating is told by r1/pdu-b",
        "no watts are told by r1/pdu-b",
    ] {
        assert!(line.notes.iter().any(|n| n == said), "{said}: {:?}", line.notes);
    }
}

#[test]
fn what_moved_between_two_readings_counts_once() {
    let both = node("u1", &[("r1/pdu-a", "1"), ("r1/pdu-b", "1")]);
    let through = |b_read: i64| {
        let a = device("r1/pdu-a", Some(700.0), vec![outlet("1", Some(700.0), true)]);
        let b = SeenDevice {
            outlets_read: Some(Time::from_millis(NOW - 1000 * b_read)),
            ..device("r1/pdu-b", Some(350.0), vec![outlet("1", Some(350.0), true)])
        };
        let line = drawn(vec![seen(&both, Some(700.0))], vec![a, b], vec![]);
        line.boxes[0]
            .cords
            .iter()
            .filter_map(|c| c.watts)
            .fold(0.0, |a, b| a + b)
    };
    assert!(
        (through(25) - 700.0).abs() < 1e-9,
        "pdu-b was read before its load moved to pdu-a"
    );
    assert!(
        (through(2) - 1050.0).abs() < 1e-9,
        "meters that were read together differ, and are believed"
    );
}
