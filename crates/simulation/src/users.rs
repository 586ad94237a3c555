//! Users: what a first start does, and what the story says that they ask for. Each waits for an answer beside the others.

use std::pin::Pin;
use std::time::Duration;

use control::record::WatchedBmc;
use control::{House, HouseError};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use rack::node::OutletRef;
use rack::request::{ArmRequest, CredentialRequest, OutletRequest, Role, RunRequest, Who};
use rack::rollout::RolloutRequest;
use rack::setting::{CapWish, SettingsRequest};
use rack::{Name, Place};
use tokio::sync::mpsc;

use crate::city::{City, images};
use crate::rig::{PASSWORD, PORT, USER};
use crate::story::Ask;
use crate::wires::FIRMWARE;

/// Between two tries of what a first start does.
const AGAIN: Duration = Duration::from_secs(30);

type Work<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// Whatever is asked, is asked of this house, for ever.
pub async fn at_work(city: &City, house: &House, asked: &mut mpsc::UnboundedReceiver<Ask>) {
    let mut work: FuturesUnordered<Work<'_>> = FuturesUnordered::new();
    work.push(Box::pin(set_up(city, house)));
    loop {
        tokio::select! {
            biased;
            Some(()) = work.next(), if !work.is_empty() => {}
            ask = asked.recv() => match ask {
                Some(ask) => work.push(Box::pin(grant(city, house, ask))),
                None => return std::future::pending().await,
            },
        }
    }
}

/// What a first start does: credential, image, BMCs. Safe to repeat.
pub async fn set_up(city: &City, house: &House) {
    while first_start(city, house).await.is_err() {
        tokio::time::sleep(AGAIN).await;
    }
}

async fn first_start(city: &City, house: &House) -> Result<(), HouseError> {
    if house.credentials().is_empty() {
        let login = CredentialRequest {
            user: USER.into(),
            password: PASSWORD.into(),
        };
        house.set_credential(&who(), &credential(), login).await?;
    }
    let image = &images().1;
    if !house.world().images.contains_key(&image.name) {
        house.record_image(&who(), image).await?;
    }
    match city.rig.rack() {
        Some(rack) => house.watch_bmcs(watched(&rack)).await,
        None => Err(HouseError::Unreachable("the rack is down".into())),
    }
}

/// The rack file: every BMC, and what hangs on which outlet.
fn watched(rack: &emulator::Emulated) -> Vec<WatchedBmc> {
    let line = |url: String, slot: &str| WatchedBmc {
        outlets: Vec::new(),
        url,
        rack: "r1".parse().expect("a name"),
        slots: [("*".to_owned(), slot.parse().expect("a name"))].into(),
        credential: credential(),
        certificate: None,
    };
    let mut watched = Vec::new();
    for (i, server) in rack.servers.iter().enumerate() {
        // A box without a BMC hangs on the first PDU alone.
        let pdus = if server.spec.bmc.is_some() {
            &rack.pdus[..]
        } else {
            &rack.pdus[..1]
        };
        let outlet = |pdu: &emulator::emulated::Pdu| OutletRef {
            pdu: place(&pdu.spec.name),
            outlet: (i + 1).to_string(),
        };
        let url = match server.spec.bmc {
            Some(address) => format!("http://{address}:{PORT}"),
            None => format!("wol://{}", server.spec.macs[0]),
        };
        let outlets = pdus.iter().map(outlet).collect();
        watched.push(WatchedBmc {
            outlets,
            ..line(url, &format!("u{}", i + 1))
        });
    }
    let pdu = |p: &emulator::emulated::Pdu| line(format!("http://{}:{PORT}", p.spec.bmc), &p.spec.name);
    watched.extend(rack.pdus.iter().map(pdu));
    watched
}

pub fn who() -> Who {
    Who {
        name: "sim".parse().expect("a name"),
        role: Role::Admin,
    }
}

fn credential() -> Name {
    "default".parse().expect("a name")
}

/// The place of this slot.
pub fn place(slot: &str) -> Place {
    format!("r1/{slot}").parse().expect("a place")
}

fn at(unit: u32) -> Place {
    place(&format!("u{unit}"))
}

fn name(prefix: char, number: u32) -> Name {
    format!("{prefix}{number}").parse().expect("a name")
}

/// Does what a user asks, and checks what the answer must not do.
async fn grant(city: &City, house: &House, ask: Ask) {
    let result = do_it(city, house, &ask).await;
    city.count(|t| if result.is_ok() { t.done += 1 } else { t.refused += 1 });
    shown(city, house);
}

async fn do_it(city: &City, house: &House, ask: &Ask) -> Result<(), HouseError> {
    let who = who();
    match ask {
        Ask::Run {
            machine,
            on,
            wait,
            nice,
        } => {
            arm(city, house).await;
            let request = RunRequest {
                name: Some(name('m', *machine)),
                on: on.map(at),
                image: Some(images().1.name.clone()),
                wait_seconds: *wait,
                nice: *nice,
                ..RunRequest::default()
            };
            let view = house.run(&who, request, false).await?;
            city.witness(|w| w.accepted.insert(view.machine.name));
            Ok(())
        }
        Ask::Rm { machine, force } => house.release(&who, &name('m', *machine), *force).await.map(drop),
        Ask::Nice { machine, nice } => house.renice(&who, &name('m', *machine), *nice, false).await.map(drop),
        Ask::Signal { machine, signal } => house.signal(&who, &name('m', *machine), *signal).await.map(drop),
        Ask::Cap { unit, watts, trial } => {
            let cap = Some(watts.map_or(CapWish::Lifted, |w| CapWish::Watts(w.into())));
            let place = Some(at(*unit));
            let request = SettingsRequest {
                place,
                cap,
                try_seconds: *trial,
                ..SettingsRequest::default()
            };
            house.want(&who, request, false).await.map(drop)
        }
        Ask::Bios { unit, turbo } => {
            let bios = [("Turbo".to_owned(), serde_json::Value::from(*turbo))].into();
            let request = SettingsRequest {
                place: Some(at(*unit)),
                bios,
                ..SettingsRequest::default()
            };
            house.want(&who, request, false).await.map(drop)
        }
        Ask::Light { unit, on } => house.locate(&who, &at(*unit), *on).await,
        Ask::Outlet { pdu, unit, verb } => {
            let pdu = place(if *pdu == 0 { "pdu-a" } else { "pdu-b" });
            let request = OutletRequest {
                pdu,
                outlet: unit.to_string(),
                order: *verb,
            };
            house.switch_outlet(&who, &request, true).await
        }
        Ask::Cordon { unit, on } => house
            .cordon(&who, &at(*unit), on.then(|| "someone looks".into()))
            .await
            .map(drop),
        Ask::Arm { unit, on } => {
            city.disarmed(|d| if *on { d.remove(unit) } else { d.insert(*unit) });
            house
                .arm(
                    &who,
                    ArmRequest {
                        place: at(*unit),
                        armed: *on,
                    },
                    false,
                )
                .await
                .map(drop)
        }
        Ask::Rotate => house.rotate(&who, &credential()).await.map(drop),
        Ask::Rollout {
            number,
            bios,
            wave,
            failures,
            in_use,
        } => {
            let (component, version) = if *bios {
                ("BIOS", format!("E2.{number}"))
            } else {
                ("BMC", format!("2.{number}"))
            };
            let request = RolloutRequest {
                name: name('f', *number),
                image: format!("{FIRMWARE}{component}/{version}"),
                component: component.into(),
                version,
                places: vec!["r1".parse().expect("a place")],
                wave: *wave,
                failures: *failures,
                in_use: *in_use,
            };
            house.roll_out(&who, request, false).await.map(drop)
        }
        Ask::StopRollout { number } => house.stop_rollout(&who, &name('f', *number)).await,
    }
}

/// Arming is a user's act too: whatever has been discovered by now, and nobody disarmed.
pub async fn arm(city: &City, house: &House) {
    let disarmed = city.disarmed(|d| d.clone());
    let unarmed: Vec<Place> = house
        .world()
        .nodes
        .values()
        .filter(|n| !n.armed)
        .map(|n| n.place.clone())
        .collect();
    for place in unarmed {
        if !disarmed.iter().any(|unit| at(*unit) == place) {
            let _ = house.arm(&who(), ArmRequest { place, armed: true }, false).await;
        }
    }
}

/// I7: what is not known is not shown, and no reading is shown past its age.
fn shown(city: &City, house: &House) {
    let world = house.world();
    for node in world.nodes.values() {
        let live = house.live(&node.id);
        let so = live.silent.is_none() || live.power.is_none();
        city.verdict.holds("I7", so, || {
            format!("{} is silent, and said to be {:?}", node.place, live.power)
        });
    }
    for machine in world.machines.values() {
        let (Some(view), Some(id)) = (house.machine_view(&machine.name), &machine.status.node) else {
            continue;
        };
        let now = house.now();
        let fresh = house.live(id).readings.iter().any(|r| now.since(r.taken) <= AGE);
        let so = fresh || (view.watts.is_none() && view.inlet.is_none());
        city.verdict
            .holds("I7", so, || format!("{} shows old readings", machine.name));
    }
}

/// Three times as often as readings are read.
const AGE: Duration = Duration::from_secs(1800);
