//! A rack as it should be, and each way in which it is not.

use rack::intent::Port;
use rack::node::{DriveBus, Firmware, Neighbour, OutletRef};
use rack::{Bytes, Health};

use super::*;

fn part(id: &str, kind: PartKind, serial: Option<&str>) -> Part {
    Part {
        id: id.into(),
        kind,
        maker: None,
        model: Some("M1".into()),
        serial: serial.map(Into::into),
        firmware: None,
        health: Health::Ok,
    }
}

fn nic(neighbour: Option<(&str, &str)>) -> PartKind {
    PartKind::Nic {
        mac: Some("02:00:00:00:00:01".parse().expect("a mac")),
        link: Some(true),
        mbps: None,
        neighbour: neighbour.map(|(system, port)| Neighbour {
            system: system.into(),
            port: port.into(),
        }),
    }
}

fn drive(id: &str, serial: &str) -> Part {
    let size = Bytes(1 << 40);
    part(
        id,
        PartKind::Drive {
            size,
            bus: DriveBus::Nvme,
        },
        Some(serial),
    )
}

fn node() -> Node {
    let mut n = crate::lifecycle::tests::node("u1");
    n.place = "r1/u1".parse().expect("a place");
    n.identity.serial = Some("S1".into());
    n.identity.maker = Some("Contoso Inc.".into());
    n.identity.bmc_firmware = Some("1.2".into());
    n.parts = vec![
        part("cpu1", PartKind::Processor { cores: 32, threads: 64 }, None),
        part("dimm1", PartKind::Memory { size: Bytes::gib(64) }, Some("D1")),
        part("dimm2", PartKind::Memory { size: Bytes::gib(64) }, Some("D2")),
        drive("disk0", "X0"),
        drive("disk1", "X1"),
        part("nic1", nic(Some(("sw1.lab", "Ethernet1/7"))), None),
    ]
    .into();
    n.firmware = vec![Firmware {
        id: "NIC.1".into(),
        name: "Ethernet Controller".into(),
        version: Some("22.1".into()),
        updateable: true,
    }];
    n.outlets = vec![OutletRef {
        pdu: "r1/pdu-a".parse().expect("a place"),
        outlet: "3".into(),
    }];
    n
}

fn intended(n: &Node) -> Intent {
    let mut intent = crate::adopt::adopt(&"r1".parse().expect("a name"), None, &[n], &[]);
    intent.boxes[0].firmware.insert("bmc".into(), "1.2".into());
    intent.boxes[0].firmware.insert("ethernet".into(), "22.1".into());
    intent.boxes[0].ports[0] = Port {
        id: "eno1".into(),
        to: Some(Neighbour {
            system: "sw1".into(),
            port: "Eth1/7".into(),
        }),
        ..intent.boxes[0].ports[0].clone()
    };
    intent
}

fn check(intent: Option<&Intent>, nodes: &[Node], base: &Node) -> Vec<(Kind, String)> {
    let baseline = Arc::new(Baseline {
        parts: base.parts.clone(),
        at: Time::from_millis(0),
    });
    let seen = Seen::new(nodes.iter().map(|n| (n, NodeLive::default())), []);
    let place = "r1".parse().expect("a place");
    let report = fsck(&Compared {
        place: &place,
        intent,
        seen: &seen,
        baselines: &|id| (*id == base.id).then(|| baseline.clone()),
        since: &BTreeMap::new(),
    });
    report.findings.into_iter().map(|f| (f.kind, f.what)).collect()
}

#[test]
fn a_rack_that_is_as_it_should_be_has_no_finding() {
    let n = node();
    assert_eq!(check(Some(&intended(&n)), std::slice::from_ref(&n), &n), []);
}

#[test]
fn each_difference_is_one_finding_of_its_kind() {
    let base = node();
    let intent = intended(&base);
    type Case = (fn(&mut Node), Kind, &'static str);
    let cases: Vec<Case> = vec![
        (
            |n| n.identity.serial = Some("S2".into()),
            Kind::Identity,
            "its serial is S2, not S1",
        ),
        (
            |n| n.identity.bmc_firmware = Some("1.1".into()),
            Kind::Firmware,
            "bmc is 1.1, not 1.2",
        ),
        (|n| n.firmware.clear(), Kind::Firmware, "no firmware `ethernet` is told"),
        (
            |n| n.firmware[0].version = Some("9".into()),
            Kind::Firmware,
            "NIC.1 is 9, not 22.1",
        ),
        (
            |n| n.parts[5].kind = nic(Some(("sw1", "Ethernet1/8"))),
            Kind::Cable,
            "not to sw1 Eth1/7",
        ),
        (
            |n| n.parts[5].kind = nic(Some(("sw2", "Ethernet1/7"))),
            Kind::Cable,
            "is cabled to sw2",
        ),
        (|n| n.outlets.clear(), Kind::Outlets, "not by r1/pdu-a/3"),
        (
            |n| n.parts[3].serial = Some("X9".into()),
            Kind::Part,
            "disk0 was replaced: M1, serial X0 by M1, serial X9",
        ),
        (
            |n| n.parts.push(drive("disk2", "X2")),
            Kind::Part,
            "disk2 was added: M1, serial X2",
        ),
    ];
    for (change, kind, what) in cases {
        let mut n = node();
        change(&mut n);
        let found = check(Some(&intent), &[n], &base);
        assert!(
            found.len() == 1 && found[0].0 == kind && found[0].1.contains(what),
            "{what}: {found:?}"
        );
    }
}

#[test]
fn a_lost_module_is_told_as_part_and_as_less_than_was_bought() {
    let base = node();
    let mut n = node();
    n.parts.remove(2);
    let found = check(Some(&intended(&base)), &[n], &base);
    let kinds: Vec<Kind> = found.iter().map(|f| f.0).collect();
    assert_eq!(kinds, [Kind::Part, Kind::Bill], "{found:?}");
    assert!(
        found[0].1.contains("dimm2 is gone") && found[1].1 == "64G of memory, not 128G",
        "{found:?}"
    );
}

#[test]
fn parts_that_are_only_counted_anew_are_no_change() {
    let base = node();
    let mut n = node();
    n.parts.swap(3, 4);
    (n.parts[3].id, n.parts[4].id) = ("disk0".into(), "disk1".into());
    assert_eq!(check(None, &[n], &base), []);
}

#[test]
fn a_box_that_moved_is_one_finding_where_it_should_be_and_none_where_it_is() {
    let base = node();
    let intent = intended(&base);
    let mut n = node();
    n.place = "r1/u9".parse().expect("a place");
    let found = check(Some(&intent), &[n], &base);
    assert_eq!(found, [(Kind::Moved, "serial S1 stands at r1/u9".into())]);
    assert_eq!(check(Some(&intent), &[], &base)[0].0, Kind::Missing);
    let mut other = node();
    other.place = "r1/u2".parse().expect("a place");
    other.identity.serial = Some("Z".into());
    let found = check(Some(&intent), &[base.clone(), other], &base);
    assert_eq!(
        found[0],
        (Kind::Unexpected, format!("{}, serial Z: nobody wrote it down", "a box")).clone(),
        "{found:?}"
    );
}

#[test]
fn an_event_says_what_changed_with_serials_and_versions_and_is_bounded() {
    let before = node();
    let mut after = node();
    after.parts[3].serial = Some("X9".into());
    after.identity.bmc_firmware = Some("1.3".into());
    after.parts[5].kind = nic(Some(("sw2", "Ethernet1/7")));
    let (told, loss) = parts::told_changes(&before, &after);
    assert!(loss);
    assert_eq!(
        told,
        [
            "disk0 was replaced: M1, serial X0 by M1, serial X9",
            "firmware bmc went from 1.2 to 1.3",
            "the cable of nic1 went from sw1.lab Ethernet1/7 to sw2 Ethernet1/7"
        ]
    );
    after
        .parts
        .extend((0..500).map(|i| drive(&format!("d{i}"), &format!("Y{i}"))));
    assert_eq!(parts::told_changes(&before, &after).0.len(), 13);
    assert_eq!(parts::told_changes(&before, &before), (vec![], false));
}
