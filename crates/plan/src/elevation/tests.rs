use proptest::prelude::*;
use rack::elevation::{By, Class, DrawnBox, Elevation};
use rack::intent::{BoxKind, Face, IntendedBox, Intent};
use rack::node::OutletRef;
use rack::request::{DeviceView, OutletView};
use rack::{Health, Name, Node, Part, PartKind, PowerState, Reading, Time, Unit};

use super::*;

const NOW: i64 = 1_764_000_000_000;
const AGE: Duration = Duration::from_secs(90);

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn node(place: &str) -> Node {
    Node {
        place: place.parse().unwrap(),
        ..crate::lifecycle::tests::node(place.split('/').nth(1).unwrap())
    }
}

fn reading(name: &str, value: Option<f64>, unit: Unit, ago: u64) -> Reading {
    Reading {
        name: name.into(),
        value,
        unit,
        taken: Time::from_millis(NOW - 1000 * ago as i64),
    }
}

fn seen(node: &Node, readings: Vec<Reading>) -> SeenNode<'_> {
    SeenNode {
        node,
        machine: None,
        power: Some(PowerState::On),
        silent: None,
        readings,
        cap: None,
        floor: None,
        shed: None,
    }
}

fn device(place: &str, kind: &str) -> DeviceView {
    DeviceView {
        place: place.parse().unwrap(),
        kind: kind.into(),
        maker: Some("Raritan".into()),
        model: Some("PX3".into()),
        serial: None,
        firmware: None,
        url: String::new(),
        path: String::new(),
        mains: Vec::new(),
        health: Health::Ok,
        readings: vec![reading("watts", Some(500.0), Unit::Watts, 2)],
        outlets: Vec::new(),
    }
}

fn drawn(by: By, nodes: Vec<SeenNode>, devices: Vec<DeviceView>, intent: Option<&Intent>) -> Elevation {
    draw(&Rack {
        name: &name("r1"),
        by,
        at: Time::from_millis(NOW),
        past: false,
        age: AGE,
        nodes,
        devices,
        intent,
    })
}

fn at<'a>(e: &'a Elevation, place: &str) -> &'a DrawnBox {
    let all = e.boxes.iter().chain(&e.feet);
    all.into_iter().find(|b| b.place.as_str() == place).unwrap()
}

fn meant(slot: &str) -> IntendedBox {
    IntendedBox::at(name(slot))
}

#[test]
fn boxes_stand_where_their_slots_say_unless_someone_wrote_otherwise() {
    let nodes: Vec<Node> = [
        "r1/u12",
        "r1/u2",
        "r1/u7-b",
        "r1/u7-a",
        "r1/blade3",
        "r1/u0",
        "r1/u9000",
        "r1/u4x",
    ]
    .into_iter()
    .map(node)
    .collect();
    let intent = Intent {
        boxes: vec![
            IntendedBox {
                unit: Some(20.0),
                height: Some(4.0),
                ..meant("blade3")
            },
            IntendedBox {
                unit: Some(41.0),
                kind: BoxKind::Other,
                name: Some("patch panel".into()),
                ..meant("patch")
            },
            IntendedBox {
                unit: Some(1.0),
                ..meant("u1")
            },
        ],
        ..Intent::of(name("r1"))
    };
    let e = drawn(
        By::Power,
        nodes.iter().map(|n| seen(n, vec![])).collect(),
        vec![],
        Some(&intent),
    );
    let order: Vec<&str> = e.boxes.iter().map(|b| b.place.as_str()).collect();
    assert_eq!(
        order,
        [
            "r1/blade3",
            "r1/patch",
            "r1/u1",
            "r1/u2",
            "r1/u7-a",
            "r1/u7-b",
            "r1/u12"
        ],
        "as people count"
    );
    let feet: Vec<&str> = e.feet.iter().map(|b| b.place.as_str()).collect();
    assert_eq!(
        feet,
        ["r1/u0", "r1/u4x", "r1/u9000"],
        "what names no unit of a rack has none"
    );
    assert_eq!(
        (at(&e, "r1/blade3").unit, at(&e, "r1/blade3").height),
        (Some(20.0), 4.0)
    );
    assert_eq!((at(&e, "r1/u12").unit, at(&e, "r1/u12").height), (Some(12.0), 1.0));
    let sides = ["r1/u7-a", "r1/u7-b"].map(|p| (at(&e, p).column, at(&e, p).columns));
    assert_eq!(sides, [(0, 2), (1, 2)], "side by side");
    assert_eq!(e.units, 42);
    let panel = at(&e, "r1/patch");
    assert_eq!((panel.found, panel.missing.as_deref()), (false, Some("not looked for")));
    assert_eq!(at(&e, "r1/u1").missing.as_deref(), Some("not found"));
    assert!(at(&e, "r1/u2").found);
}

#[test]
fn a_rack_is_as_high_as_written_and_never_less_than_what_stands_in_it() {
    let high = node("r1/u48");
    let low = Intent {
        units: Some(24.0),
        ..Intent::of(name("r1"))
    };
    assert_eq!(drawn(By::Power, vec![], vec![], Some(&low)).units, 24);
    assert_eq!(
        drawn(By::Power, vec![seen(&high, vec![])], vec![], Some(&low)).units,
        48
    );
}

#[test]
fn two_half_depth_boxes_stand_back_to_back_at_full_width() {
    let half = |slot, face| IntendedBox {
        unit: Some(5.0),
        face,
        half_depth: true,
        ..meant(slot)
    };
    let intent = Intent {
        boxes: vec![half("a", Face::Front), half("b", Face::Rear), half("c", Face::Rear)],
        ..Intent::of(name("r1"))
    };
    let e = drawn(By::Power, vec![], vec![], Some(&intent));
    let columns = ["r1/a", "r1/b", "r1/c"].map(|p| (at(&e, p).column, at(&e, p).columns));
    assert_eq!(columns, [(0, 1), (0, 2), (1, 2)]);
}

#[test]
fn what_is_not_read_now_has_no_number_and_says_why() {
    let (fresh, old, failed, silent) = (node("r1/u1"), node("r1/u2"), node("r1/u3"), node("r1/u4"));
    let watts = |value, ago| vec![reading("watts", value, Unit::Watts, ago)];
    let nodes = vec![
        seen(&fresh, watts(Some(366.4), 3)),
        seen(&old, watts(Some(900.0), 91)),
        seen(&failed, watts(None, 3)),
        SeenNode {
            silent: Some("no answer for 6 m".into()),
            power: None,
            ..seen(&silent, vec![])
        },
    ];
    let e = drawn(By::Power, nodes, vec![], None);
    let value = at(&e, "r1/u1").value.as_ref().unwrap();
    assert_eq!(
        (value.number, value.text.as_str(), value.age),
        (Some(366.4), "366 W", Some(3))
    );
    assert_eq!(
        (value.shade, e.legend.high),
        (Some(0.916), Some(400.0)),
        "the old 900 W don't count"
    );
    for place in ["r1/u2", "r1/u3", "r1/u4"] {
        let b = at(&e, place);
        assert_eq!((&b.value, b.missing.as_deref()), (&None, Some("no reading")), "{place}");
    }
    assert_eq!(at(&e, "r1/u4").silent.as_deref(), Some("no answer for 6 m"));
    assert_eq!((e.totals.watts, e.totals.unknown), (Some(366.4), 3));
    assert_eq!(
        drawn(By::Power, vec![seen(&old, vec![])], vec![], None).totals.watts,
        None
    );
}

#[test]
fn age_is_told_of_old_readings_too() {
    let old = node("r1/u2");
    let e = drawn(
        By::Age,
        vec![seen(&old, vec![reading("watts", None, Unit::Watts, 200)])],
        vec![],
        None,
    );
    let value = at(&e, "r1/u2").value.as_ref().unwrap();
    assert_eq!((value.text.as_str(), value.shade), ("3 m", Some(1.0)));
}

#[test]
fn temperatures_have_the_same_colour_in_every_rack() {
    let n = node("r1/u1");
    let readings = vec![
        reading("inlet", Some(30.0), Unit::Celsius, 1),
        reading("cpu1", Some(61.0), Unit::Celsius, 1),
        reading("cpu2", Some(99.0), Unit::Celsius, 600),
    ];
    let e = drawn(By::Inlet, vec![seen(&n, readings.clone())], vec![], None);
    assert_eq!(at(&e, "r1/u1").value.as_ref().unwrap().shade, Some(0.5));
    assert_eq!(e.totals.inlet_max, Some(30.0));
    let e = drawn(By::Hottest, vec![seen(&n, readings)], vec![], None);
    assert_eq!(
        at(&e, "r1/u1").value.as_ref().unwrap().number,
        Some(61.0),
        "not the old 99"
    );
}

#[test]
fn a_share_needs_a_cap() {
    let n = node("r1/u1");
    let watts = || vec![reading("watts", Some(450.0), Unit::Watts, 1)];
    let capped = SeenNode {
        cap: Some(600.0),
        ..seen(&n, watts())
    };
    let e = drawn(By::Share, vec![capped], vec![], None);
    assert_eq!(at(&e, "r1/u1").value.as_ref().unwrap().text, "75 %");
    let e = drawn(By::Share, vec![seen(&n, watts())], vec![], None);
    assert_eq!(at(&e, "r1/u1").missing.as_deref(), Some("no cap"));
}

#[test]
fn use_says_who_has_a_box_or_why_nobody_can() {
    let (mut held, mut cordoned, mut unarmed, free) = (node("r1/u1"), node("r1/u2"), node("r1/u3"), node("r1/u4"));
    held.holder = Some(name("web-1"));
    cordoned.cordoned = Some("smells".into());
    unarmed.armed = false;
    let mut dirty = node("r1/u5");
    dirty.tenancy = rack::Tenancy::Used { by: name("old") };
    let nodes = [&held, &cordoned, &unarmed, &free, &dirty].map(|n| seen(n, vec![]));
    let e = drawn(By::Use, nodes.into(), vec![device("r1/pdu-a", "pdu")], None);
    let told: Vec<(Class, &str)> = e
        .boxes
        .iter()
        .map(|b| b.value.as_ref().unwrap())
        .map(|v| (v.class.unwrap(), v.text.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            (Class::Used, "web-1"),
            (Class::Closed, "cordoned"),
            (Class::Closed, "not armed"),
            (Class::Free, "free"),
            (Class::Closed, "not clean"),
        ]
    );
    let counts: Vec<(Class, u32)> = e.legend.classes.iter().map(|c| (c.class, c.boxes)).collect();
    assert_eq!(counts, [(Class::Used, 1), (Class::Free, 1), (Class::Closed, 3)]);
    assert_eq!((e.legend.low, e.unit.as_str()), (None, ""));
    assert_eq!(e.flanks[0].missing.as_deref(), Some("not a machine"));
}

#[test]
fn firmware_is_compared_with_what_is_wished_else_with_its_like() {
    let with = |place, bios: &str| {
        let mut n = node(place);
        n.identity.model = Some("Two".into());
        n.identity.bios = Some(bios.into());
        n.identity.bmc_firmware = None;
        n
    };
    let nodes = [
        with("r1/u1", "2.1"),
        with("r1/u2", "2.1"),
        with("r1/u3", "2.0"),
        with("r1/u4", "1.0"),
    ];
    let mut wished = meant("u4");
    wished.firmware.insert("bios".into(), "1.0".into());
    let intent = Intent {
        boxes: vec![wished],
        ..Intent::of(name("r1"))
    };
    let like = || nodes.iter().take(3).map(|n| seen(n, vec![])).collect::<Vec<_>>();
    let class = |e: &Elevation, place| at(e, place).value.as_ref().unwrap().class.unwrap();
    let e = drawn(By::Firmware, like(), vec![], None);
    assert_eq!((class(&e, "r1/u1"), class(&e, "r1/u3")), (Class::Ok, Class::Warning));
    let text = &at(&e, "r1/u3").value.as_ref().unwrap().text;
    assert_eq!(text, "BIOS 2.0; others of its model have BIOS 2.1");
    let e = drawn(By::Firmware, vec![seen(&nodes[3], vec![])], vec![], Some(&intent));
    assert_eq!(class(&e, "r1/u4"), Class::Ok);
    let other = with("r1/u4", "1.1");
    let e = drawn(By::Firmware, vec![seen(&other, vec![])], vec![], Some(&intent));
    assert_eq!(class(&e, "r1/u4"), Class::Warning);
}

#[test]
fn a_tall_box_is_coloured_by_what_each_of_its_units_draws() {
    let mut intent = Intent::of(name("r1"));
    let slot = |slot: &str, height| IntendedBox {
        height: Some(height),
        ..IntendedBox::at(slot.parse().unwrap())
    };
    intent.boxes = vec![slot("u1", 1.0), slot("u10", 8.0)];
    let (small, tall) = (node("r1/u1"), node("r1/u10"));
    let watts = |watts| vec![reading("watts", Some(watts), Unit::Watts, 1)];
    let nodes = vec![seen(&small, watts(700.0)), seen(&tall, watts(5600.0))];
    let e = drawn(By::Power, nodes, vec![], Some(&intent));
    let shown = |place| at(&e, place).value.clone().map(|v| (v.number, v.shade));
    assert_eq!(shown("r1/u1"), Some((Some(700.0), Some(0.875))));
    assert_eq!(
        shown("r1/u10"),
        Some((Some(5600.0), Some(0.875))),
        "the number is of all of it"
    );
    assert_eq!(e.legend.high, Some(800.0));
}

#[test]
fn accelerators_are_cells_with_readings_of_their_own() {
    let mut n = node("r1/u1");
    let gpu = |id: &str| Part {
        id: id.into(),
        kind: PartKind::Gpu { memory: None },
        maker: None,
        model: None,
        serial: None,
        firmware: None,
        health: Health::Warning,
    };
    n.parts = vec![gpu("GPU1"), gpu("GPU12")].into();
    let readings = vec![
        reading("gpu1", Some(60.0), Unit::Celsius, 1),
        reading("gpu12", Some(100.0), Unit::Celsius, 1),
    ];
    let cells = |by| {
        at(&drawn(by, vec![seen(&n, readings.clone())], vec![], None), "r1/u1")
            .cells
            .clone()
    };
    let hot: Vec<_> = cells(By::Hottest)
        .into_iter()
        .map(|c| (c.name, c.text, c.shade))
        .collect();
    assert_eq!(
        hot,
        [
            ("GPU1".to_owned(), "60 °C".to_owned(), Some(0.5)),
            ("GPU12".to_owned(), "100 °C".to_owned(), Some(1.0))
        ]
    );
    assert_eq!(cells(By::Power)[0].shade, None, "nobody tells what one draws");
    assert_eq!(cells(By::Health)[0].class, Some(Class::Warning));
}

#[test]
fn pdus_hang_at_the_sides_and_say_what_they_feed() {
    let mut fed = node("r1/u1");
    fed.outlets = vec![OutletRef {
        pdu: "r1/pdu-a".parse().unwrap(),
        outlet: "3".into(),
    }];
    let mut pdu = device("r1/pdu-a", "pdu");
    pdu.outlets = vec![OutletView {
        id: "3".into(),
        label: None,
        power: Some(PowerState::On),
        watts: Some(183.0),
        amps: None,
        switched: true,
    }];
    let devices = vec![
        device("r1/pdu-b", "pdu"),
        pdu,
        device("r1/cdu", "cooling"),
        device("r1/u40", "pdu"),
    ];
    let e = drawn(By::Power, vec![seen(&fed, vec![])], devices, None);
    let flanks: Vec<&str> = e.flanks.iter().map(|f| f.place.as_str()).collect();
    assert_eq!(flanks, ["r1/pdu-a", "r1/pdu-b"]);
    let outlet = &e.flanks[0].outlets[0];
    assert_eq!((outlet.on, outlet.watts), (Some(true), Some(183.0)));
    assert_eq!(outlet.feeds.as_ref().unwrap().as_str(), "r1/u1");
    assert_eq!(e.feet[0].place.as_str(), "r1/cdu");
    assert_eq!(at(&e, "r1/u40").kind, "pdu", "one that lies in a unit");
    assert_eq!(e.totals.watts, None, "what a PDU passes on is not counted twice");
    let watts = e.flanks[0].value.as_ref().unwrap();
    assert_eq!(
        (watts.number, watts.shade),
        (Some(500.0), None),
        "nor does it darken what it feeds"
    );
    assert_eq!(
        at(&e, "r1/cdu").value.as_ref().unwrap().shade,
        Some(500.0 / 600.0).map(|s: f64| (s * 1000.0).round() / 1000.0)
    );
    assert_eq!(
        (e.legend.high, &at(&e, "r1/u40").value.as_ref().unwrap().shade),
        (Some(600.0), &None)
    );
}

#[test]
fn of_the_past_only_readings_are_known() {
    let mut n = node("r1/u1");
    n.holder = Some(name("web-1"));
    let shed = Shed {
        place: n.place.clone(),
        machine: name("web-1"),
        nice: 10,
        cap: Some(250.0),
        stop: None,
        drew: 400.0,
        before: None,
        pdus: Vec::new(),
        because: String::new(),
        since: Time::from_millis(NOW),
        changed: Time::from_millis(NOW),
    };
    let seen = |readings| SeenNode {
        shed: Some(shed.clone()),
        ..seen(&n, readings)
    };
    let now = drawn(By::Power, vec![seen(vec![])], vec![], None);
    assert_eq!(at(&now, "r1/u1").shed.as_ref(), Some(&shed));
    let past = |by| {
        draw(&Rack {
            name: &name("r1"),
            by,
            at: Time::from_millis(NOW),
            past: true,
            age: AGE,
            nodes: vec![seen(vec![reading("watts", Some(300.0), Unit::Watts, 5)])],
            devices: vec![],
            intent: None,
        })
    };
    let e = past(By::Power);
    let b = at(&e, "r1/u1");
    assert_eq!(b.value.as_ref().unwrap().number, Some(300.0));
    assert_eq!((&b.machine, &b.power, &b.health), (&None, &None, &None));
    assert_eq!(b.shed, None);
    for by in [By::Health, By::Use, By::Firmware, By::Share] {
        assert_eq!(at(&past(by), "r1/u1").missing.as_deref(), Some("not kept"), "{by}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Whatever is written down: no box is drawn over another on the same side, and all stand inside the rack.
    #[test]
    fn no_box_covers_another(boxes in prop::collection::vec((2u32..90, 1u32..8, any::<bool>(), any::<bool>()), 0..40)) {
        let boxes = boxes.iter().enumerate().map(|(i, (unit, height, rear, half))| IntendedBox {
            unit: Some(f64::from(*unit) / 2.0),
            height: Some(f64::from(*height) / 2.0),
            face: if *rear { Face::Rear } else { Face::Front },
            half_depth: *half,
            ..meant(&format!("b{i}"))
        });
        let intent = Intent { boxes: boxes.collect(), ..Intent::of(name("r1")) };
        let e = drawn(By::Power, vec![], vec![], Some(&intent));
        prop_assert_eq!(e.boxes.len(), intent.boxes.len());
        // columns are fractions of the width: compared without dividing
        let across = |b: &DrawnBox, c: &DrawnBox| {
            b.column * c.columns < (c.column + 1) * b.columns && c.column * b.columns < (b.column + 1) * c.columns
        };
        for (i, b) in e.boxes.iter().enumerate() {
            prop_assert!(b.column < b.columns);
            prop_assert!(b.unit.unwrap() + b.height - 1.0 <= f64::from(e.units));
            for c in &e.boxes[i + 1..] {
                let (x, y) = (b.unit.unwrap(), c.unit.unwrap());
                let along = x < y + c.height && y < x + b.height;
                let one_side = !b.half_depth || !c.half_depth || b.face == c.face;
                prop_assert!(!(along && one_side && across(b, c)), "{} covers {}", b.place, c.place);
            }
        }
    }
}
