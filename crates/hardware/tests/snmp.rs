//! Rack PDUs: each family from a recording, once played in memory and once by snmpsim over UDP; real devices as snmpsim's
//! authors recorded them; orders read back; agents that lie.
//!
//! `BUSBAR_SNMPSIM` names the `bin` folder of a virtual environment with snmpsim and snmpsim-data installed. The recordings in
//! `tests/snmp` are our own, in values and shape as the makers' MIBs have them.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "snmp/played.rs"]
mod played;
#[path = "snmp/simulator.rs"]
mod simulator;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::permit;
use hardware::capability::{Driver, OutletOrder};
use hardware::{Contact, Credential, Error, Found, FoundDevice, Mode, Outcome, Pdu, Receipt, Tally};
use played::Played;
use rack::{Health, PowerState, Time};

fn played(name: &str, mode: Mode) -> (Pdu, Played) {
    let agent = Played::recording(name);
    (Pdu::with_agent("snmp://played", Box::new(agent.clone()), mode), agent)
}

#[derive(Default)]
struct Counted(Mutex<Vec<Outcome>>);

impl Tally for Counted {
    fn exchanged(&self, _: Duration, outcome: Outcome) {
        self.0.lock().unwrap().push(outcome);
    }
}

#[tokio::test]
async fn each_question_is_counted_by_how_it_ended() {
    let (pdu, agent) = played("apc-rpdu", Mode::Observe);
    agent.refuse_bulk();
    let tally = Arc::new(Counted::default());
    let pdu = pdu.counted_by(tally.clone());
    pdu.discover().await.unwrap();
    let counted = tally.0.lock().unwrap().clone();
    let of = |outcome| counted.iter().filter(|o| **o == outcome).count();
    assert_eq!(counted.len(), pdu.requests() as usize);
    assert!(of(Outcome::Ok) > 10, "{counted:?}");
    assert_eq!(of(Outcome::Ok) + of(Outcome::Refused), counted.len());
    assert!(of(Outcome::Refused) >= 1, "it knows no GETBULK: {counted:?}");
}

async fn found(name: &str) -> Found {
    let found = played(name, Mode::Observe).0.discover().await.unwrap();
    assert_eq!(found.problems, [], "{name}");
    found
}

fn reading(device: &FoundDevice, name: &str) -> Option<f64> {
    let found = device.readings.iter().find(|r| r.0 == name)?;
    found.1.map(|v| (v * 1000.0).round() / 1000.0)
}

/// `id label power watts amps switched`, an outlet a line.
fn outlets(device: &FoundDevice) -> Vec<String> {
    let show = |o: &hardware::Outlet| {
        let number = |n: Option<f64>| n.map_or("-".into(), |n| format!("{:.3}", n).trim_end_matches('0').to_owned());
        format!(
            "{} {} {} {}W {}A {}",
            o.id,
            o.label.as_deref().unwrap_or("-"),
            o.power.map_or("-".into(), |p| format!("{p:?}")),
            number(o.watts),
            number(o.amps),
            if o.switched { "switched" } else { "fixed" }
        )
    };
    device.outlets.iter().map(show).collect()
}

struct Expected {
    recording: &'static str,
    /// Maker, model, serial, firmware, name, path.
    identity: [&'static str; 6],
    health: Health,
    watts: Option<f64>,
    readings: &'static [(&'static str, f64)],
    outlets: &'static [&'static str],
}

const FAMILIES: &[Expected] = &[
    Expected {
        recording: "apc-rpdu",
        identity: ["APC", "AP7900", "ZA0000000001", "v3.9.2", "rack-7-left", "pdu"],
        health: Health::Unknown,
        watts: Some(1380.0),
        readings: &[("phase1-amps", 6.1), ("bank1-amps", 4.0), ("bank2-amps", 2.1)],
        outlets: &[
            "1 web-1 A On -W 1.2A switched",
            "2 web-2 A On -W 0.A switched",
            "3 spare Off -W 0.A switched",
        ],
    },
    Expected {
        recording: "apc-spdu",
        identity: ["APC", "AP9212", "ZB0000000001", "v2.2.0", "rack-1-old", "pdu"],
        health: Health::Unknown,
        watts: None,
        readings: &[],
        outlets: &[
            "1 gw-1 On -W -A switched",
            "2 gw-2 On -W -A switched",
            "3 lamp Off -W -A switched",
        ],
    },
    Expected {
        recording: "raritan-px2",
        identity: [
            "Raritan",
            "PX3-5190R",
            "ZD00000001",
            "3.4.0.5-43740",
            "row2 rack9 B",
            "pdu/1",
        ],
        health: Health::Unknown,
        watts: Some(1688.0),
        readings: &[
            ("kwh", 5501.234),
            ("inlet1-amps", 7.412),
            ("inlet1-volts", 229.0),
            ("breaker1-amps", 4.1),
            ("breaker2-amps", 3.312),
        ],
        outlets: &[
            "1 gpu-1 On 702.W 3.12A switched",
            "2 - Off 0.W 0.A switched",
            "3 switch On 90.W 0.41A fixed",
        ],
    },
    Expected {
        recording: "servertech-sentry3",
        identity: [
            "Server Technology",
            "CW-24V2-L30M",
            "ZF0000001",
            "Sentry Switched CDU Version 7.1c",
            "TowerA",
            "pdu/1",
        ],
        health: Health::Ok,
        watts: Some(1403.0),
        readings: &[
            ("kwh", 882.0),
            ("infeed1-amps", 3.62),
            ("infeed1-volts", 209.3),
            ("infeed1-watts", 701.0),
            ("infeed2-watts", 702.0),
        ],
        outlets: &["AA1 db-1 On 310.W 1.5A switched", "AB1 db-2 - 310.W 1.5A switched"],
    },
    Expected {
        recording: "eaton-epdu",
        identity: ["Eaton", "EMAB03", "ZG00000001", "02.00.0051", "rack-12-A", "pdu/0"],
        health: Health::Unknown,
        watts: Some(1120.0),
        readings: &[
            ("kwh", 9876.543),
            ("phase1.1-amps", 5.21),
            ("phase1.1-volts", 230.12),
            ("group1-amps", 2.6),
        ],
        outlets: &[
            "A1 stor-1 On 280.W 1.3A switched",
            "A2 stor-2 Off 0.W 0.A switched",
            "A3 fixed On 280.W 1.3A fixed",
        ],
    },
    Expected {
        recording: "vertiv-geist",
        identity: ["Vertiv", "VP4556V", "ZH00000001", "5.10.4", "row5 A", "pdu/1"],
        health: Health::Unknown,
        watts: Some(2211.0),
        readings: &[
            ("kwh", 1234.567),
            ("phase1-volts", 231.0),
            ("phase1-amps", 9.63),
            ("breaker1-amps", 4.8),
        ],
        outlets: &[
            "Outlet 1 mgmt On 120.W 0.55A switched",
            "Outlet 2 tape Off 120.W 0.55A switched",
            "Outlet 3 cycling PoweringOn 120.W 0.55A switched",
        ],
    },
    Expected {
        recording: "cyberpower-epdu",
        identity: ["CyberPower", "PDU41005", "ZI0000000001", "1.09", "shelf", "pdu"],
        health: Health::Unknown,
        watts: Some(722.0),
        readings: &[
            ("kwh", 881.2),
            ("phase1-amps", 3.4),
            ("phase1-volts", 230.1),
            ("bank1-amps", 2.0),
        ],
        outlets: &["1 nas On 320.W 1.5A switched", "2 tv Off 320.W 1.5A switched"],
    },
    Expected {
        recording: "aten-pe",
        identity: ["Aten", "PE8216G", "-", "1.5.149", "lab bench", "pdu"],
        health: Health::Unknown,
        watts: Some(702.1),
        readings: &[("input1-amps", 3.12), ("input1-volts", 229.8), ("bank1-amps", 3.12)],
        outlets: &[
            "1 out 1 On 68.W 0.3A switched",
            "2 - On 68.W 0.3A switched",
            "3 out 3 On 68.W 0.3A fixed",
            "4 out 4 On -W 0.3A switched",
            "5 out 5 On 68.W 0.3A switched",
            "6 out 6 On 68.W 0.3A switched",
            "7 out 7 On 68.W 0.3A switched",
            "8 out 8 On 68.W 0.3A switched",
            "9 out 9 On 68.W 0.3A switched",
            "10 out 10 Off 68.W 0.3A switched",
        ],
    },
];

#[tokio::test]
async fn each_family_is_read_with_the_right_scales_and_units() {
    for e in FAMILIES {
        let found = found(e.recording).await;
        assert_eq!(found.devices.len(), 1, "{}", e.recording);
        let d = &found.devices[0];
        let i = &d.identity;
        let text = |t: &Option<String>| t.clone().unwrap_or_else(|| "-".into());
        assert_eq!(
            [
                text(&i.maker),
                text(&i.model),
                text(&i.serial),
                text(&i.bmc_firmware),
                d.name.clone(),
                d.path.clone()
            ],
            e.identity,
            "{}",
            e.recording
        );
        assert_eq!((d.health, d.watts), (e.health, e.watts), "{}", e.recording);
        for (name, value) in e.readings {
            assert_eq!(
                reading(d, name),
                Some(*value),
                "{} {name}: {:?}",
                e.recording,
                d.readings
            );
        }
        assert!(!e.readings.is_empty() || d.readings.is_empty(), "{}", e.recording);
        assert_eq!(outlets(d), e.outlets, "{}", e.recording);
    }
}

#[tokio::test]
async fn linked_units_are_devices_of_their_own_behind_one_address() {
    let apc = found("apc-rpdu2-linked").await.devices;
    assert_eq!(apc.len(), 2);
    assert_eq!((apc[0].watts, apc[1].watts), (Some(2310.0), Some(4120.0)));
    assert_eq!((apc[0].health, apc[1].health), (Health::Ok, Health::Warning));
    assert_eq!(apc[1].identity.serial.as_deref(), Some("ZC0000000002"));
    assert_eq!(reading(&apc[1], "kwh"), Some(5123.4));
    assert_eq!(
        outlets(&apc[1]),
        ["1 node-3 Off 600.W 2.7A switched", "2 node-4 - 800.W 3.6A fixed"],
        "the fourth one is only metered"
    );

    let sentry = found("servertech-sentry4").await.devices;
    assert_eq!(sentry.len(), 2);
    assert_eq!(
        (sentry[0].watts, sentry[1].watts),
        (Some(2940.0), None),
        "-1 is no reading"
    );
    assert_eq!((sentry[0].health, sentry[1].health), (Health::Ok, Health::Critical));
    assert_eq!(reading(&sentry[0], "line1.2-amps"), Some(4.12));
    assert_eq!(reading(&sentry[1], "phase1.3-volts"), Some(230.2));
    assert_eq!(
        outlets(&sentry[1]),
        [
            "BA1 B-node-1 On 301.W 1.36A switched",
            "BA2 B-node-2 On 301.W 1.36A fixed"
        ]
    );
}

#[tokio::test]
async fn what_a_unit_measures_now_always_has_its_watts() {
    let now = Time::from_millis(1_000);
    let (pdu, _) = played("servertech-sentry4", Mode::Observe);
    let readings = pdu.readings("pdu/2", now).await.unwrap();
    let watts = readings.iter().find(|r| r.name == "watts").unwrap();
    assert_eq!((watts.value, watts.taken), (None, now));
    assert!(matches!(
        pdu.readings("pdu/9", now).await,
        Err(Error::NotOffered { .. })
    ));
}

/// Recording, unit, outlet, the object that is written, what turns it off, where its state is and what is off there.
const SWITCHED: &[(&str, &str, &str, &str, i64, &str, i64)] = &[
    (
        "apc-rpdu",
        "pdu",
        "1",
        "318.1.1.12.3.3.1.1.4.1",
        2,
        "318.1.1.12.3.5.1.1.4.1",
        2,
    ),
    (
        "apc-spdu",
        "pdu",
        "1",
        "318.1.1.4.4.2.1.3.1",
        2,
        "318.1.1.4.4.2.1.3.1",
        2,
    ),
    (
        "apc-rpdu2-linked",
        "pdu/1",
        "2",
        "318.1.1.26.9.2.4.1.5.2",
        2,
        "318.1.1.26.9.2.3.1.5.2",
        1,
    ),
    (
        "raritan-px2",
        "pdu/1",
        "1",
        "13742.6.4.1.2.1.2.1.1",
        0,
        "13742.6.4.1.2.1.3.1.1",
        8,
    ),
    (
        "servertech-sentry4",
        "pdu/2",
        "BA1",
        "1718.4.1.8.5.1.2.2.1.1",
        2,
        "1718.4.1.8.3.1.1.2.1.1",
        2,
    ),
    (
        "servertech-sentry3",
        "pdu/1",
        "AA1",
        "1718.3.2.3.1.11.1.1.1",
        2,
        "1718.3.2.3.1.5.1.1.1",
        0,
    ),
    (
        "eaton-epdu",
        "pdu/0",
        "A1",
        "534.6.6.7.6.6.1.3.0.1",
        0,
        "534.6.6.7.6.6.1.2.0.1",
        0,
    ),
    (
        "vertiv-geist",
        "pdu/1",
        "Outlet 1",
        "21239.5.2.3.5.1.6.1",
        4,
        "21239.5.2.3.5.1.4.1",
        2,
    ),
    (
        "cyberpower-epdu",
        "pdu",
        "1",
        "3808.1.1.3.3.3.1.1.4.1",
        2,
        "3808.1.1.3.3.5.1.1.4.1",
        2,
    ),
    (
        "aten-pe",
        "pdu",
        "9",
        "21317.1.3.2.2.2.2.11.0",
        1,
        "21317.1.3.2.2.2.1.5.1.2.9",
        1,
    ),
];

#[tokio::test(start_paused = true)]
async fn an_outlet_is_switched_by_the_object_of_its_family_and_read_back() {
    for (recording, unit, id, written, order, state, off) in SWITCHED {
        let (pdu, agent) = played(recording, Mode::Act);
        agent.follow(written, state, *order, *off);
        let done = pdu.switch_outlet(unit, id, OutletOrder::Off, &permit()).await;
        assert_eq!(done, Ok(Receipt::Done), "{recording}");
        assert_eq!(agent.writes(), [(played::oid(written), *order)], "{recording}");
        let again = pdu.switch_outlet(unit, id, OutletOrder::Off, &permit()).await;
        assert_eq!(again, Ok(Receipt::Done), "{recording}");
        assert_eq!(
            agent.writes().len(),
            1,
            "{recording}: nothing is sent for what is so already"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_outlet_is_restarted_by_the_pdu_itself_and_only_once() {
    let (pdu, agent) = played("vertiv-geist", Mode::Act);
    let got = pdu
        .switch_outlet("pdu/1", "Outlet 1", OutletOrder::Cycle, &permit())
        .await;
    assert_eq!(got, Ok(Receipt::Accepted { task: None }));
    assert_eq!(agent.writes(), [(played::oid("21239.5.2.3.5.1.6.1"), 6)]);
}

#[tokio::test(start_paused = true)]
async fn an_order_that_changes_nothing_is_told() {
    let (pdu, _) = played("apc-rpdu", Mode::Act);
    let got = pdu.switch_outlet("pdu", "1", OutletOrder::Off, &permit()).await;
    assert!(
        matches!(&got, Err(Error::Broken { what, .. }) if what.contains("did not change")),
        "{got:?}"
    );
}

#[tokio::test]
async fn nothing_is_written_while_observing_nor_to_what_is_fixed_unknown_or_ambiguous() {
    let (pdu, agent) = played("raritan-px2", Mode::Observe);
    for order in [OutletOrder::Off, OutletOrder::Cycle] {
        let got = pdu.switch_outlet("pdu/1", "1", order, &permit()).await;
        assert!(matches!(got, Err(Error::NotArmed { .. })), "{got:?}");
    }
    pdu.set_mode(Mode::Act);
    for id in ["3", "4", ""] {
        let got = pdu.switch_outlet("pdu/1", id, OutletOrder::Off, &permit()).await;
        assert!(matches!(got, Err(Error::NotOffered { .. })), "{id}: {got:?}");
    }
    agent.put("13742.6.3.5.3.1.2.1.2", "1");
    let got = pdu.switch_outlet("pdu/1", "1", OutletOrder::Off, &permit()).await;
    assert!(
        matches!(got, Err(Error::NotOffered { .. })),
        "two are called so: {got:?}"
    );
    assert!(agent.writes().is_empty());
}

#[tokio::test]
async fn what_is_no_pdu_is_told_with_its_own_words() {
    let got = played("other", Mode::Observe)
        .0
        .discover()
        .await
        .unwrap_err()
        .to_string();
    assert!(
        got.contains("Linux nas 6.1") && got.contains("1.3.6.1.4.1.8072.3.2.10"),
        "{got}"
    );
}

#[tokio::test]
async fn a_table_that_goes_back_or_never_ends_costs_only_itself() {
    let (pdu, agent) = played("eaton-epdu", Mode::Observe);
    agent.loop_at("534.6.6.7.6.4.1.3");
    let found = pdu.discover().await.unwrap();
    assert_eq!(found.problems.len(), 1, "{:?}", found.problems);
    assert!(found.problems[0].what.contains("goes back"), "{:?}", found.problems);
    assert_eq!(found.devices[0].watts, Some(1120.0));
    assert_eq!(found.devices[0].outlets.len(), 3);

    let (pdu, agent) = played("eaton-epdu", Mode::Observe);
    agent.endless_at("534.6.6.7.6.4.1.3");
    let found = pdu.discover().await.unwrap();
    assert!(
        found.problems[0].what.contains("more than 4096 rows"),
        "{:?}",
        found.problems
    );
    assert!(found.requests < 300, "{}", found.requests);
}

#[tokio::test]
async fn an_agent_without_getbulk_is_walked_step_by_step() {
    let (pdu, agent) = played("cyberpower-epdu", Mode::Observe);
    agent.refuse_bulk();
    let slow = pdu.discover().await.unwrap();
    assert_eq!(
        (slow.devices, slow.problems),
        (found("cyberpower-epdu").await.devices, Vec::new())
    );
}

#[tokio::test]
async fn over_udp_the_same_is_found_as_in_memory() {
    let Some(sim) = simulator::start().await else { return };
    for e in FAMILIES
        .iter()
        .map(|e| e.recording)
        .chain(["apc-rpdu2-linked", "servertech-sentry4"])
    {
        let pdu = Pdu::new(&sim.url, simulator::community(e), Mode::Observe).unwrap();
        let over = pdu.discover().await.unwrap();
        assert_eq!(
            (over.devices, over.problems),
            (found(e).await.devices, Vec::new()),
            "{e}"
        );
        assert!(matches!(pdu.contact(), Contact::Answers { .. }));
    }
}

#[tokio::test]
async fn real_devices_are_found_as_they_were_recorded() {
    let Some(sim) = simulator::start().await else { return };
    // Recording, model, serial, watts, outlets, outlets with watts.
    for (recording, model, serial, watts, outlets, metered) in [
        ("apc-8641", "AP8641", "3F3452A52295", 1210.0, 24, 24),
        ("apc-8932", "AP8932", "3F503A169043", 160.0, 24, 0),
        ("apc-7902b", "AP7902B", "5A1551F39430", 192.0, 16, 0),
    ] {
        let pdu = Pdu::new(&sim.url, simulator::community(recording), Mode::Observe).unwrap();
        let found = pdu.discover().await.unwrap();
        println!(
            "{recording}: {} requests, {:?}",
            found.requests, found.devices[0].readings
        );
        assert_eq!(found.problems, [], "{recording}");
        let d = &found.devices[0];
        assert_eq!(d.identity.model.as_deref(), Some(model));
        assert_eq!(d.identity.serial.as_deref(), Some(serial));
        assert_eq!(d.watts, Some(watts), "{recording}");
        assert_eq!(d.outlets.len(), outlets, "{recording}");
        assert!(d.outlets.iter().all(|o| o.switched && o.power.is_some()), "{recording}");
        assert_eq!(
            d.outlets.iter().filter(|o| o.watts.is_some()).count(),
            metered,
            "{recording}"
        );
        assert!(reading(d, "phase1-amps").is_some_and(|a| a > 1.0), "{recording}");
    }
}

#[tokio::test]
async fn version_three_works_with_both_digests_and_says_when_it_does_not() {
    let Some(sim) = simulator::start().await else { return };
    for (user, password) in [("ops", "authphrase1::privphrase1"), ("older", "authphrase1")] {
        let pdu = Pdu::new(&sim.url, simulator::user(user, password), Mode::Observe).unwrap();
        let found = pdu.discover().await.unwrap();
        assert_eq!(found.devices[0].identity.model.as_deref(), Some("AP9212"), "{user}");
    }
    for (user, password) in [
        ("ops", "wrongphrase::privphrase1"),
        ("nobody", "authphrase1"),
        ("ops", "short"),
    ] {
        let pdu = Pdu::new(&sim.url, simulator::user(user, password), Mode::Observe).unwrap();
        let got = pdu.discover().await;
        assert!(matches!(got, Err(Error::Unauthorized { .. })), "{user}: {got:?}");
        assert!(!got.unwrap_err().to_string().contains(password));
    }
}

#[tokio::test]
async fn a_wrong_community_is_told_within_the_deadline() {
    let Some(sim) = simulator::start().await else { return };
    let pdu = Pdu::new(&sim.url, simulator::community("no-such"), Mode::Observe).unwrap();
    let got = pdu.discover().await.unwrap_err().to_string();
    assert!(got.contains("community") && !got.contains("no-such"), "{got}");
}

#[tokio::test]
async fn an_outlet_is_switched_over_udp() {
    let Some(sim) = simulator::start().await else { return };
    let pdu = Pdu::new(&sim.url, simulator::community("apc-spdu"), Mode::Act).unwrap();
    for (order, power) in [(OutletOrder::Off, PowerState::Off), (OutletOrder::On, PowerState::On)] {
        assert_eq!(pdu.switch_outlet("pdu", "2", order, &permit()).await, Ok(Receipt::Done));
        let outlets = pdu.outlets("pdu").await.unwrap();
        assert_eq!(outlets[1].power, Some(power));
        assert_eq!(outlets[0].power, Some(PowerState::On), "the others stay");
    }
}

#[tokio::test]
async fn an_agent_that_answers_garbage_is_given_up_and_later_only_probed() {
    for answer in [
        b"HTTP/1.1 200 OK\r\n\r\n".as_slice(),
        &[0x30, 0x82, 0xff, 0xff, 0x02],
        &[0xff; 1400],
        &[],
    ] {
        let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let url = format!("snmp://{}", socket.local_addr().unwrap());
        let liar = tokio::spawn(async move {
            let mut buffer = [0; 2048];
            while let Ok((_, peer)) = socket.recv_from(&mut buffer).await {
                let _ = socket.send_to(answer, peer).await;
            }
        });
        let credential = Credential {
            user: String::new(),
            password: "public".into(),
        };
        let pdu = Pdu::new(&url, credential, Mode::Observe).unwrap();
        for _ in 0..3 {
            let got = pdu.discover().await;
            assert!(matches!(got, Err(Error::Broken { .. })), "{got:?}");
        }
        assert!(matches!(pdu.contact(), Contact::Silent { .. }));
        let asked = pdu.requests();
        assert!(pdu.discover().await.is_err());
        assert_eq!(pdu.requests(), asked, "not asked again at once");
        liar.abort();
    }
}
