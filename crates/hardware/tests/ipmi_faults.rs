//! The IPMI driver under a clock that stands still, against a BMC of our own: lost packets, restarts, suite 17, DCMI.
#![allow(clippy::unwrap_used)]

#[path = "ipmi/bmc.rs"]
mod bmc;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bmc::{Bmc, Wire, padded};
use futures_util::StreamExt as _;
use hardware::ipmi::crypt::Suite;
use hardware::{Contact, Credential, Driver, Error, Ipmi, Mode, Outcome, Permit, Receipt, Tally};
use rack::node::BmcAddress;
use rack::{BootTarget, PowerState, ResetKind, Time};

fn permit() -> Permit {
    Permit::recorded("audit/1".into(), "node-1".parse().unwrap())
}

fn at() -> BmcAddress {
    BmcAddress {
        url: "ipmi://10.0.0.7".into(),
        system: "/system".into(),
        manager: None,
        chassis: None,
        credential: "bmc".parse().unwrap(),
        certificate: None,
    }
}

fn driver(bmc: Bmc, mode: Mode) -> (Ipmi, Arc<Mutex<Bmc>>) {
    let bmc = Arc::new(Mutex::new(bmc));
    let credential = Credential {
        user: "admin".into(),
        password: "secret".into(),
    };
    let wire = Arc::new(Wire(bmc.clone()));
    (Ipmi::new("ipmi://10.0.0.7", wire, credential, mode).unwrap(), bmc)
}

async fn power(driver: &Ipmi) -> Result<Option<PowerState>, Error> {
    Ok(driver.power().unwrap().glance(&at()).await?.power)
}

#[tokio::test(start_paused = true)]
async fn suite_17_is_taken_before_3_and_3_where_17_is_unknown() {
    for suites in [vec![Suite::Seventeen], vec![Suite::Three]] {
        let (driver, _) = driver(Bmc { suites, ..Bmc::new() }, Mode::Observe);
        assert_eq!(power(&driver).await.unwrap(), Some(PowerState::On));
    }
    let (driver, _) = driver(
        Bmc {
            suites: vec![],
            ..Bmc::new()
        },
        Mode::Observe,
    );
    let e = power(&driver).await.unwrap_err();
    assert!(e.to_string().contains("does not offer cipher suite 17 or 3"), "{e}");
}

#[tokio::test(start_paused = true)]
async fn no_single_lost_packet_costs_more_than_time() {
    for n in 1..=8 {
        for (lose, hush) in [(vec![n], vec![]), (vec![], vec![n])] {
            let (driver, _) = driver(
                Bmc {
                    lose,
                    hush,
                    ..Bmc::new()
                },
                Mode::Observe,
            );
            assert_eq!(power(&driver).await.unwrap(), Some(PowerState::On), "packet {n}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_to_an_order_is_looked_for_and_the_order_not_repeated() {
    let (driver, bmc) = driver(
        Bmc {
            on: false,
            ..Bmc::new()
        },
        Mode::Act,
    );
    power(&driver).await.unwrap();
    bmc.lock().unwrap().mute = vec![(0, 2)];
    let receipt = driver.power().unwrap().reset(&at(), ResetKind::On, &permit()).await;
    assert_eq!(receipt.unwrap(), Receipt::Done);
    let orders = bmc.lock().unwrap().done.iter().filter(|c| **c == (0, 2)).count();
    assert_eq!(orders, 1, "carried out once");
    // A cycle leaves no trace that could be looked for: its end is open, and said so.
    bmc.lock().unwrap().mute = vec![(0, 2)];
    let e = driver
        .power()
        .unwrap()
        .reset(&at(), ResetKind::PowerCycle, &permit())
        .await;
    assert!(matches!(e, Err(Error::Timeout { .. })), "{e:?}");
    let orders = bmc.lock().unwrap().done.iter().filter(|c| **c == (0, 2)).count();
    assert_eq!(orders, 2);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_the_bmc_forgot_is_opened_again() {
    let (driver, bmc) = driver(Bmc::new(), Mode::Observe);
    power(&driver).await.unwrap();
    bmc.lock().unwrap().restart();
    assert_eq!(power(&driver).await.unwrap(), Some(PowerState::On));
    // One that was idle for long is not even tried.
    tokio::time::advance(Duration::from_secs(120)).await;
    bmc.lock().unwrap().restart();
    let before = tokio::time::Instant::now();
    power(&driver).await.unwrap();
    assert_eq!(before.elapsed(), Duration::ZERO);
}

#[derive(Default)]
struct Counted(Mutex<Vec<Outcome>>);

impl Tally for Counted {
    fn exchanged(&self, _: Duration, outcome: Outcome) {
        self.0.lock().unwrap().push(outcome);
    }
}

#[tokio::test(start_paused = true)]
async fn each_exchange_and_each_login_is_counted_by_how_it_ended() {
    let counted = async |bmc: Bmc| {
        let (driver, _) = driver(bmc, Mode::Observe);
        let tally = Arc::new(Counted::default());
        let driver = driver.counted_by(tally.clone());
        let _ = power(&driver).await;
        let counted = tally.0.lock().unwrap().clone();
        assert_eq!(counted.len(), driver.requests() as usize);
        counted
    };
    let well = counted(Bmc::new()).await;
    assert_eq!(well[..2], [Outcome::Ok; 2], "a login, and what it asked");
    assert!(
        well.iter().all(|o| matches!(o, Outcome::Ok | Outcome::Refused)),
        "{well:?}"
    );
    let stranger = Bmc {
        password: padded("another"),
        ..Bmc::new()
    };
    assert_eq!(counted(stranger).await, [Outcome::Refused]);
    let deaf = Bmc {
        deaf: vec![(0, 1)],
        ..Bmc::new()
    };
    assert!(counted(deaf).await.contains(&Outcome::Timeout));
    let dead = Bmc {
        dead: true,
        ..Bmc::new()
    };
    assert_eq!(counted(dead).await, [Outcome::Timeout]);
}

#[tokio::test(start_paused = true)]
async fn a_dead_bmc_is_left_alone_and_found_again() {
    let (driver, bmc) = driver(
        Bmc {
            dead: true,
            ..Bmc::new()
        },
        Mode::Observe,
    );
    for _ in 0..3 {
        assert!(matches!(power(&driver).await, Err(Error::Timeout { .. })));
    }
    assert!(matches!(driver.contact(), Contact::Silent { .. }));
    let sent = driver.requests();
    assert!(matches!(power(&driver).await, Err(Error::Unreachable { .. })));
    assert_eq!(driver.requests(), sent);
    bmc.lock().unwrap().dead = false;
    tokio::time::advance(Duration::from_secs(60)).await;
    power(&driver).await.unwrap();
    assert!(matches!(driver.contact(), Contact::Answers { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_lesser_privilege_does_until_it_does_not() {
    let (driver, _) = driver(Bmc { most: 2, ..Bmc::new() }, Mode::Observe);
    power(&driver).await.unwrap();
    driver.set_mode(Mode::Act);
    let e = driver
        .power()
        .unwrap()
        .reset(&at(), ResetKind::ForceOff, &permit())
        .await
        .unwrap_err();
    assert!(e.to_string().contains("privilege"), "{e}");
}

#[tokio::test(start_paused = true)]
async fn watts_come_from_dcmi_and_zero_is_no_reading() {
    let (driver, bmc) = driver(
        Bmc {
            unsteady: 3,
            ..Bmc::new()
        },
        Mode::Observe,
    );
    let sensors = driver.sensors().unwrap();
    let told = |readings: Vec<rack::Reading>| readings.into_iter().map(|r| (r.name, r.value)).collect::<Vec<_>>();
    let readings = told(sensors.readings(&at(), Time::from_millis(0)).await.unwrap());
    assert_eq!(readings, [("watts".into(), Some(412.0)), ("inlet".into(), None)]);
    bmc.lock().unwrap().watts = 0;
    let readings = told(sensors.readings(&at(), Time::from_millis(0)).await.unwrap());
    assert_eq!(readings[0], ("watts".into(), None));
}

#[tokio::test(start_paused = true)]
async fn a_bmc_that_is_silent_about_one_command_still_tells_the_rest() {
    let bmc = || Bmc {
        deaf: vec![(0x2c, 2), (0x2c, 3)],
        ..Bmc::new()
    };
    let (driver, _) = driver(bmc(), Mode::Observe);
    let found = driver.discover().await.unwrap();
    assert_eq!(found.systems[0].power, Some(PowerState::On));
    let told: Vec<_> = found.problems.iter().map(|p| p.path.as_str()).collect();
    assert_eq!(told, ["Get Power Limit"]);
    let readings = driver
        .sensors()
        .unwrap()
        .readings(&at(), Time::from_millis(0))
        .await
        .unwrap();
    let names: Vec<_> = readings.iter().map(|r| r.name.as_str()).collect();
    assert_eq!(names, ["watts", "inlet"]);
    let begun = tokio::time::Instant::now();
    driver
        .sensors()
        .unwrap()
        .readings(&at(), Time::from_millis(0))
        .await
        .unwrap();
    assert_eq!(begun.elapsed(), Duration::ZERO, "it is not waited for again");
}

#[tokio::test(start_paused = true)]
async fn a_limit_is_set_put_in_force_read_back_and_lifted() {
    let (driver, bmc) = driver(Bmc::new(), Mode::Act);
    let caps = driver.caps().unwrap();
    assert_eq!(caps.caps(&at()).await.unwrap()[0].watts, None);
    assert_eq!(
        caps.set_cap(&at(), "system", Some(350.0), &permit()).await.unwrap(),
        Receipt::Done
    );
    assert_eq!(bmc.lock().unwrap().limit, (true, 350));
    assert_eq!(caps.caps(&at()).await.unwrap()[0].watts, Some(350.0));
    let e = caps.set_cap(&at(), "system", Some(100.0), &permit()).await.unwrap_err();
    assert!(e.to_string().contains("out of its range (completion code 84h)"), "{e}");
    assert!(caps.set_cap(&at(), "gpu0", Some(300.0), &permit()).await.is_err());
    assert_eq!(
        caps.set_cap(&at(), "system", None, &permit()).await.unwrap(),
        Receipt::Done
    );
    assert!(!bmc.lock().unwrap().limit.0);
}

#[tokio::test(start_paused = true)]
async fn a_boot_device_keeps_the_firmware_s_mode_and_is_cleared() {
    let (driver, bmc) = driver(
        Bmc {
            boot: [0xe0, 0x08, 0, 0, 0],
            ..Bmc::new()
        },
        Mode::Act,
    );
    let glance = || async { driver.power().unwrap().glance(&at()).await.unwrap().boot };
    assert_eq!(glance().await, Some(BootTarget::Hdd));
    let boot = driver.boot().unwrap();
    assert_eq!(
        boot.set_boot(&at(), BootTarget::Pxe, &permit()).await.unwrap(),
        Receipt::Done
    );
    assert_eq!(
        bmc.lock().unwrap().boot,
        [0xa0, 0x04, 0, 0, 0],
        "once, by EFI as before"
    );
    assert_eq!(glance().await, Some(BootTarget::Pxe));
    assert_eq!(
        boot.set_boot(&at(), BootTarget::None, &permit()).await.unwrap(),
        Receipt::Done
    );
    assert_eq!(glance().await, Some(BootTarget::None));
}

#[tokio::test(start_paused = true)]
async fn the_light_goes_on_and_out() {
    let (driver, bmc) = driver(Bmc::new(), Mode::Act);
    let light = driver.indicator().unwrap();
    for on in [true, false] {
        assert_eq!(light.light(&at(), on, &permit()).await.unwrap(), Receipt::Done);
        assert_eq!(light.is_lit(&at()).await.unwrap(), Some(on));
        assert_eq!(bmc.lock().unwrap().lit, on);
    }
}

#[tokio::test(start_paused = true)]
async fn a_password_of_twenty_bytes_is_set_even_when_the_answer_is_lost() {
    let (driver, bmc) = driver(Bmc::new(), Mode::Act);
    let accounts = driver.accounts().unwrap();
    let new = "a password of 20 byt";
    assert_eq!(accounts.set_password(new, &permit()).await.unwrap(), Receipt::Done);
    assert_eq!(bmc.lock().unwrap().password, padded(new));
    bmc.lock().unwrap().mute = vec![(6, 0x47)];
    assert_eq!(accounts.set_password("short", &permit()).await.unwrap(), Receipt::Done);
    power(&driver).await.unwrap();
    assert_eq!(bmc.lock().unwrap().password, padded("short"));
}

#[tokio::test(start_paused = true)]
async fn the_bmc_itself_is_restarted() {
    let (driver, bmc) = driver(Bmc::new(), Mode::Act);
    let receipt = driver.power().unwrap().reset_manager(&at(), &permit()).await.unwrap();
    assert_eq!(receipt, Receipt::Accepted { task: None });
    assert!(bmc.lock().unwrap().done.contains(&(6, 2)));
}

const TYPED: &str = "the quick brown fox jumps over the lazy dog";

/// Types [`TYPED`], and tells what came back until the console is closed.
async fn echo(bmc: Bmc) -> (String, Arc<Mutex<Bmc>>) {
    let (driver, bmc) = driver(bmc, Mode::Act);
    let mut stream = driver.console().unwrap().open(&at(), &permit()).await.unwrap();
    stream.input.send(TYPED.into()).await.unwrap();
    let mut seen = Vec::new();
    while seen.len() < TYPED.len() {
        seen.extend(stream.output.next().await.expect("the console ended"));
    }
    drop(stream.input);
    while let Some(more) = stream.output.next().await {
        seen.extend(more);
    }
    (String::from_utf8(seen).unwrap(), bmc)
}

#[tokio::test(start_paused = true)]
async fn a_console_loses_and_doubles_nothing_whatever_packet_is_lost() {
    for n in 0..30 {
        let (lose, hush) = if n % 2 == 0 {
            (vec![n, n + 1], vec![])
        } else {
            (vec![], vec![n, n + 1])
        };
        let (seen, bmc) = echo(Bmc {
            lose,
            hush,
            ..Bmc::new()
        })
        .await;
        assert_eq!(seen, TYPED, "packets {n}, {}", n + 1);
        let bmc = bmc.lock().unwrap();
        assert_eq!(String::from_utf8_lossy(&bmc.typed), TYPED);
        assert!(!bmc.console, "it is given back");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_bmc_does_not_take_of_a_piece_is_sent_again() {
    let (seen, bmc) = echo(Bmc {
        takes: vec![255, 1, 0, 255, 3],
        ..Bmc::new()
    })
    .await;
    assert_eq!(seen, TYPED);
    assert_eq!(String::from_utf8_lossy(&bmc.lock().unwrap().typed), TYPED);
}

#[tokio::test(start_paused = true)]
async fn a_console_stays_open_in_silence_and_ends_when_the_bmc_is_gone() {
    let (driver, bmc) = driver(Bmc::new(), Mode::Act);
    let mut stream = driver.console().unwrap().open(&at(), &permit()).await.unwrap();
    let quiet = tokio::time::timeout(Duration::from_secs(600), stream.output.next()).await;
    assert!(quiet.is_err(), "kept alive");
    bmc.lock().unwrap().dead = true;
    assert_eq!(stream.output.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_driver_that_is_disarmed_types_no_more() {
    let (driver, bmc) = driver(Bmc::new(), Mode::Act);
    let mut stream = driver.console().unwrap().open(&at(), &permit()).await.unwrap();
    driver.set_mode(Mode::Observe);
    stream.input.send("reboot".into()).await.unwrap();
    assert_eq!(stream.output.next().await, None);
    assert_eq!(bmc.lock().unwrap().typed, b"");
}

/// The BMC above shares its arithmetic with the driver: here someone else's console checks it, and so the driver's.
#[test]
fn ipmitool_agrees_with_the_arithmetic_of_both_suites() {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port().to_string();
    std::thread::spawn(move || {
        let mut bmc = Bmc::new();
        let mut buffer = [0; 1500];
        while let Ok((n, peer)) = socket.recv_from(&mut buffer) {
            if let Some(answer) = bmc.answer(&buffer[..n]) {
                socket.send_to(&answer, peer).unwrap();
            }
        }
    });
    for suite in ["17", "3"] {
        let run = std::process::Command::new("ipmitool")
            .args(["-I", "lanplus", "-C", suite, "-H", "127.0.0.1", "-p", &port])
            .args(["-U", "admin", "-P", "secret", "mc", "info"])
            .output();
        let Ok(run) = run else {
            eprintln!("SKIPPED: ipmitool is not installed; install the Debian package ipmitool");
            return;
        };
        let said = String::from_utf8_lossy(&run.stdout);
        let complaint = String::from_utf8_lossy(&run.stderr);
        assert!(said.contains("Firmware Revision         : 2.31"), "{said}{complaint}");
    }
}
