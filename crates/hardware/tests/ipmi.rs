//! The IPMI driver against `ipmi_sim`, which others wrote, and against a BMC of our own for what that lacks.
#![allow(clippy::unwrap_used)]

#[path = "ipmi/sim.rs"]
mod sim;

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use hardware::ipmi::Udp;
use hardware::{Contact, Credential, Driver, Error, Ipmi, Mode, Permit, Receipt};
use rack::node::BmcAddress;
use rack::{BootTarget, Health, NodeId, PartKind, PowerState, ResetKind, Time};
use sim::Sim;

fn permit() -> Permit {
    Permit::recorded("audit/1".into(), "node-1".parse().unwrap())
}

fn at(url: &str) -> BmcAddress {
    BmcAddress {
        url: url.into(),
        system: "/system".into(),
        manager: None,
        chassis: None,
        credential: "bmc".parse().unwrap(),
        certificate: None,
    }
}

fn login(user: &str, password: &str) -> Credential {
    Credential {
        user: user.into(),
        password: password.into(),
    }
}

fn driver(sim: &Sim, credential: Credential, mode: Mode) -> Ipmi {
    Ipmi::new(
        &format!("ipmi://127.0.0.1:{}", sim.port),
        Arc::new(Udp),
        credential,
        mode,
    )
    .unwrap()
}

/// A driver of a simulator that answers.
async fn ready(sim: &Sim, mode: Mode) -> Ipmi {
    for _ in 0..100 {
        let driver = driver(sim, login("admin", "secret"), mode);
        let answer = driver.power().unwrap().glance(&at(driver.url())).await;
        match answer {
            Err(Error::Unreachable { .. }) => tokio::time::sleep(Duration::from_millis(100)).await,
            other => {
                other.unwrap_or_else(|e| panic!("{e}; the simulator says: {}", sim.file("log")));
                return driver;
            }
        }
    }
    panic!("the simulator does not start: {}", sim.file("log"));
}

#[tokio::test]
async fn a_box_is_discovered_with_identity_parts_and_health() {
    let Some(sim) = Sim::start() else { return };
    let driver = ready(&sim, Mode::Observe).await;
    let (before, begun) = (driver.requests(), std::time::Instant::now());
    let found = driver.discover().await.unwrap();
    println!(
        "discovered in {} requests, {:?}",
        driver.requests() - before,
        begun.elapsed()
    );
    let [system] = found.systems.as_slice() else {
        panic!("{found:?}")
    };
    let id = &system.identity;
    assert_eq!(id.uuid.as_deref(), Some("4c4c4544-0051-4a10-8052-b4c04f4b3732"));
    assert_eq!(
        (id.maker.as_deref(), id.model.as_deref(), id.serial.as_deref()),
        (Some("Maker"), Some("Box 2000"), Some("S-42"))
    );
    assert_eq!(id.bmc_firmware.as_deref(), Some("9.08"));
    assert!(NodeId::from_identity(id.uuid.as_deref(), id.maker.as_deref(), id.serial.as_deref()).is_some());
    assert_eq!(system.power, Some(PowerState::Off));
    assert_eq!(system.health, Health::Warning, "the supply lost its input");
    assert!(system.abilities.reset.contains(&ResetKind::PowerCycle));
    assert!(system.abilities.boot.contains(&BootTarget::Pxe) && system.abilities.console);
    assert!(!system.abilities.cap, "the simulator has no DCMI");
    let told: Vec<_> = system
        .parts
        .iter()
        .map(|p| (p.id.as_str(), p.model.as_deref(), p.health))
        .collect();
    assert_eq!(
        told,
        [
            ("psu1", Some("PSU-1600"), Health::Warning),
            ("fan1", Some("FAN_A"), Health::Unknown),
        ]
    );
    assert!(matches!(system.parts[0].kind, PartKind::Supply { .. }));
    assert_eq!(system.parts[0].serial.as_deref(), Some("PS-7"));
    assert_eq!(found.problems, []);
    assert!(matches!(driver.contact(), Contact::Answers { .. }));
}

#[tokio::test]
async fn sensors_are_read_in_their_units_and_one_that_is_not_scanned_has_no_reading() {
    let Some(sim) = Sim::start() else { return };
    let driver = ready(&sim, Mode::Observe).await;
    let now = Time::from_millis(7);
    let readings = driver
        .sensors()
        .unwrap()
        .readings(&at(driver.url()), now)
        .await
        .unwrap();
    let told: Vec<_> = readings.iter().map(|r| (r.name.as_str(), r.value)).collect();
    assert_eq!(
        told,
        [
            ("watts", Some(420.0)),
            ("inlet", Some(24.0)),
            ("cpu1", Some(61.0)),
            ("fan1", Some(9300.0)),
            ("cpu2", None),
        ]
    );
    let before = driver.requests();
    driver
        .sensors()
        .unwrap()
        .readings(&at(driver.url()), now)
        .await
        .unwrap();
    assert!(
        driver.requests() - before <= 8,
        "records are read once: {}",
        driver.requests() - before
    );
}

#[tokio::test]
async fn power_follows_orders_and_an_order_that_is_done_is_not_sent() {
    let Some(sim) = Sim::start() else { return };
    let driver = ready(&sim, Mode::Act).await;
    let (power, at, permit) = (driver.power().unwrap(), at(driver.url()), permit());
    assert_eq!(
        power.reset(&at, ResetKind::ForceOff, &permit).await.unwrap(),
        Receipt::Done
    );
    assert!(!sim.file("calls").contains("set"), "{}", sim.file("calls"));
    let receipt = power.reset(&at, ResetKind::On, &permit).await.unwrap();
    assert_eq!(receipt, Receipt::Accepted { task: None });
    assert_eq!(power.glance(&at).await.unwrap().power, Some(PowerState::On));
    for (kind, call) in [
        (ResetKind::ForceRestart, "set reset 1"),
        (ResetKind::GracefulShutdown, "set shutdown 1"),
        (ResetKind::ForceOff, "set power 0"),
    ] {
        power.reset(&at, kind, &permit).await.unwrap();
        assert!(sim.file("calls").ends_with(call), "{}", sim.file("calls"));
    }
    assert!(matches!(
        power.reset(&at, ResetKind::ForceRestart, &permit).await.unwrap(),
        Receipt::Blocked { .. }
    ));
    let e = power.reset(&at, ResetKind::PushPowerButton, &permit).await.unwrap_err();
    assert!(matches!(&e, Error::NotOffered { have, .. } if have.len() == 6), "{e}");
    power.reset(&at, ResetKind::On, &permit).await.unwrap();
    let e = power.reset(&at, ResetKind::Nmi, &permit).await.unwrap_err();
    assert!(
        e.to_string()
            .contains("a field of the request is not valid (completion code CCh)"),
        "{e}"
    );
}

#[tokio::test]
async fn a_boot_device_is_set_and_read_back() {
    let Some(sim) = Sim::start() else { return };
    let driver = ready(&sim, Mode::Act).await;
    let (boot, at, permit) = (driver.boot().unwrap(), at(driver.url()), permit());
    for (target, kept) in [
        (BootTarget::Pxe, "pxe"),
        (BootTarget::Cd, "cdrom"),
        (BootTarget::BiosSetup, "bios"),
        (BootTarget::Hdd, "default"),
    ] {
        assert_eq!(boot.set_boot(&at, target, &permit).await.unwrap(), Receipt::Done);
        assert_eq!(sim.file("boot"), kept);
    }
    assert!(matches!(
        boot.set_boot(&at, BootTarget::UefiHttp, &permit).await,
        Err(Error::NotOffered { .. })
    ));
}

#[tokio::test]
async fn what_only_observes_sends_no_order() {
    let Some(sim) = Sim::start() else { return };
    let driver = ready(&sim, Mode::Observe).await;
    let (at, permit) = (at(driver.url()), permit());
    let refused = [
        driver
            .power()
            .unwrap()
            .reset(&at, ResetKind::On, &permit)
            .await
            .unwrap_err(),
        driver.power().unwrap().reset_manager(&at, &permit).await.unwrap_err(),
        driver
            .boot()
            .unwrap()
            .set_boot(&at, BootTarget::Pxe, &permit)
            .await
            .unwrap_err(),
        driver.indicator().unwrap().light(&at, true, &permit).await.unwrap_err(),
        driver
            .caps()
            .unwrap()
            .set_cap(&at, "system", Some(300.0), &permit)
            .await
            .unwrap_err(),
        driver
            .accounts()
            .unwrap()
            .set_password("other", &permit)
            .await
            .unwrap_err(),
        driver.console().unwrap().open(&at, &permit).await.err().unwrap(),
    ];
    for e in refused {
        assert!(matches!(e, Error::NotArmed { .. }), "{e}");
    }
    assert!(!sim.file("calls").contains("set"), "{}", sim.file("calls"));
}

#[tokio::test]
async fn a_wrong_password_is_said_and_not_tried_again_at_once() {
    let Some(sim) = Sim::start() else { return };
    ready(&sim, Mode::Observe).await;
    for (user, password) in [("admin", "wrong"), ("nobody", "secret")] {
        let driver = driver(&sim, login(user, password), Mode::Observe);
        let e = driver.discover().await.unwrap_err();
        assert!(matches!(e, Error::Unauthorized { .. }), "{e}");
        let sent = driver.requests();
        assert!(matches!(driver.discover().await, Err(Error::Unauthorized { .. })));
        assert_eq!(driver.requests(), sent, "BMCs lock accounts");
        assert!(!format!("{e:?}").contains(password));
    }
}

#[tokio::test]
async fn the_log_is_told_newest_first_in_words() {
    let Some(sim) = Sim::start() else { return };
    let driver = ready(&sim, Mode::Observe).await;
    let log = driver.log().unwrap();
    let entries = log.entries(&at(driver.url()), 10).await.unwrap();
    let told: Vec<_> = entries.iter().map(|e| (e.severity, e.message.as_str())).collect();
    assert_eq!(
        told,
        [(Health::Warning, "PS1: input lost"), (Health::Critical, "PS1: failed")]
    );
    assert_eq!(log.entries(&at(driver.url()), 1).await.unwrap().len(), 1);
    assert_eq!(log.entries(&at(driver.url()), 0).await.unwrap(), []);
}

#[tokio::test]
async fn a_password_is_changed_and_the_old_one_is_refused() {
    let Some(sim) = Sim::start() else { return };
    let act = ready(&sim, Mode::Act).await;
    let accounts = act.accounts().unwrap();
    // The simulator loses one of more than sixteen bytes, whoever sets it.
    for new in ["short", "sixteen bytes ok"] {
        assert_eq!(accounts.set_password(new, &permit()).await.unwrap(), Receipt::Done);
        act.discover().await.unwrap();
        let fresh = driver(&sim, login("admin", new), Mode::Observe);
        fresh.power().unwrap().glance(&at(fresh.url())).await.unwrap();
    }
    let old = driver(&sim, login("admin", "secret"), Mode::Observe);
    let e = old.power().unwrap().glance(&at(old.url())).await.unwrap_err();
    assert!(matches!(e, Error::Unauthorized { .. }), "{e}");
    let e = accounts
        .set_password("much longer than a password may be", &permit())
        .await
        .unwrap_err();
    assert!(matches!(e, Error::NotOffered { .. }), "{e}");
}

#[tokio::test]
async fn a_console_carries_both_ways_and_is_given_back() {
    let Some(sim) = Sim::start() else { return };
    let driver = ready(&sim, Mode::Act).await;
    let (console, at, permit) = (driver.console().unwrap(), at(driver.url()), permit());
    let long = "0123456789".repeat(20);
    for text in ["hello", long.as_str()] {
        let mut stream = console.open(&at, &permit).await.unwrap();
        let e = console.open(&at, &permit).await.err().unwrap();
        assert!(e.to_string().contains("open elsewhere"), "{e}");
        stream.input.send(text.to_owned().into()).await.unwrap();
        let mut seen = String::new();
        let complete = |s: &str| s.replace(['[', ']'], "") == text && s.ends_with(']');
        while !complete(&seen) {
            let piece = tokio::time::timeout(Duration::from_secs(20), stream.output.next()).await;
            let piece = piece.unwrap_or_else(|_| panic!("only {seen:?} came")).unwrap();
            seen.push_str(std::str::from_utf8(&piece).unwrap());
        }
        drop(stream.input);
        while stream.output.next().await.is_some() {}
    }
}

#[tokio::test]
async fn a_bmc_may_be_named() {
    let Some(sim) = Sim::start() else { return };
    ready(&sim, Mode::Observe).await;
    let url = format!("ipmi://localhost:{}", sim.port);
    let driver = Ipmi::new(&url, Arc::new(Udp), login("admin", "secret"), Mode::Observe).unwrap();
    driver.power().unwrap().glance(&at(&url)).await.unwrap();
}

#[tokio::test]
async fn an_address_of_another_form_is_refused() {
    for url in ["https://10.0.0.1", "ipmi://", "ipmi://a:b"] {
        assert!(Ipmi::new(url, Arc::new(Udp), login("a", "b"), Mode::Observe).is_err());
    }
}
