//! From answers of a BMC to the nouns of `rack`: the one system behind it, and what it is made of.

use std::sync::atomic::Ordering;

use rack::node::{Abilities, Firmware};
use rack::{Health, Identity, Part, PartKind};

use crate::error::Error;
use crate::found::{Found, FoundSystem, Problem};
use crate::ipmi::client::{Client, Patience};
use crate::ipmi::fru::Fru;
use crate::ipmi::repository::{self, Repository};
use crate::ipmi::sdr::{self, Sensor, State, entity, kind};
use crate::ipmi::{chassis, command, dcmi, sensors};

/// FRU devices read of one box.
const FRUS: usize = 32;
/// Sensors whose state is read at a discovery.
const STATES: usize = 512;
/// Paths of the only system, its chassis and its manager: IPMI has no names for them.
pub const SYSTEM: &str = "/system";
/// See [`SYSTEM`].
pub const CHASSIS: &str = "/chassis";
/// See [`SYSTEM`].
pub const MANAGER: &str = "/bmc";

/// What the box says it is.
pub async fn identity(client: &Client) -> Result<Identity, Error> {
    let id = client.get(command::DEVICE_ID, &[]).await?;
    let mut guid = None;
    // The BMC's own GUID stands in where a box has none, as it stays with the board.
    for command in [command::SYSTEM_GUID, command::DEVICE_GUID] {
        let answer = client.ask(command, &[]).await?;
        if answer.code == 0 && guid.is_none() {
            guid = answer.data.get(..16).and_then(uuid);
        }
    }
    let fru = repository::fru(client, 0).await?;
    Ok(Identity {
        uuid: guid,
        serial: fru.serial,
        maker: fru.maker,
        model: fru.model,
        bios: None,
        bmc_firmware: version(&id),
    })
}

/// Firmware revision out of Get Device ID (§20.1): major in binary, minor in BCD.
fn version(id: &[u8]) -> Option<String> {
    Some(format!("{}.{:02x}", id.get(2)? & 0x7f, id.get(3)?))
}

/// A GUID in the text that the system itself and other tools show. The specification wants it backwards (§20.8); most
/// BMCs answer it as SMBIOS stores it, some as RFC 4122 writes it: version and variant tell which, in that order of
/// likelihood. Nothing for a filler.
fn uuid(bytes: &[u8]) -> Option<String> {
    let raw: [u8; 16] = bytes.try_into().ok()?;
    if raw.iter().all(|b| *b == raw[0]) {
        return None;
    }
    let mut smbios = raw;
    smbios[..4].reverse();
    smbios[4..6].reverse();
    smbios[6..8].reverse();
    let mut backwards = raw;
    backwards.reverse();
    let told = |u: &[u8; 16]| (1..=5).contains(&(u[6] >> 4)) && u[8] & 0xc0 == 0x80;
    let best = [smbios, backwards, raw].into_iter().find(told).unwrap_or(smbios);
    let hex: String = best.iter().map(|b| format!("{b:02x}")).collect();
    let part = |from: usize, to: usize| hex.get(from..to);
    Some(format!(
        "{}-{}-{}-{}-{}",
        part(0, 8)?,
        part(8, 12)?,
        part(12, 16)?,
        part(16, 20)?,
        part(20, 32)?
    ))
}

/// Everything behind the BMC.
pub async fn discover(client: &Client, identity: Identity, repository: &Repository) -> Result<Found, Error> {
    client.no_dcmi.store(false, Ordering::Relaxed);
    let mut patience = Patience::default();
    let status = chassis::status(client).await?;
    let boot = patience
        .forgive(command::GET_BOOT, chassis::boot(client).await)?
        .flatten();
    let caps = patience
        .forgive(command::DCMI_GET_LIMIT, dcmi::caps(client).await)?
        .unwrap_or_default();
    let console = client.ask(command::SOL_PARAMETERS, &[0x0e, 1, 0, 0]).await;
    let console = patience.forgive(command::SOL_PARAMETERS, console)?;
    let mut states: Vec<(&Sensor, State)> = Vec::new();
    for sensor in repository
        .sensors
        .iter()
        .filter(|s| s.owner == sensors::BMC)
        .take(STATES)
    {
        let state = sensors::state(client, sensor).await;
        let state = patience.forgive(command::SENSOR_READING, state)?.flatten();
        states.extend(state.map(|state| (sensor, state)));
    }
    let elsewhere = repository.sensors.iter().filter(|s| s.owner != sensors::BMC).count();
    if elsewhere > 0 {
        patience.problems.push(Problem {
            path: command::SENSOR_READING.name.into(),
            what: format!("{elsewhere} sensors belong to other controllers than the BMC and are not read"),
        });
    }
    if repository.lost > 0 {
        patience.problems.push(Problem {
            path: command::GET_SDR.name.into(),
            what: format!("{} sensor records could not be read", repository.lost),
        });
    }
    let mut frus = Vec::new();
    let known = |l: &&sdr::Locator| l.owner == sensors::BMC && l.device != 0;
    for locator in repository.parts.iter().filter(known).take(FRUS) {
        let fru = repository::fru(client, locator.device).await;
        let fru = patience.forgive(command::READ_FRU, fru)?.unwrap_or_default();
        frus.push((locator.entity, locator.instance, fru));
    }
    let is_on = status.power == rack::PowerState::On;
    let parts = parts(&states, &frus, is_on);
    let leaves = states.iter().map(|(s, state)| leaf(s, *state, is_on));
    let health = leaves.chain([status.health]).max().unwrap_or_default();
    let firmware = identity.bmc_firmware.clone().map(|v| Firmware {
        id: "bmc".into(),
        name: "BMC".into(),
        version: Some(v),
        updateable: false,
    });
    Ok(Found {
        systems: vec![FoundSystem {
            identity,
            abilities: Abilities {
                reset: chassis::RESETS.to_vec(),
                boot: boot.map(|_| chassis::TARGETS.to_vec()).unwrap_or_default(),
                boot_once: boot.is_some(),
                virtual_media: false,
                manager_reset: true,
                cap: !caps.is_empty(),
                indicator: true,
                console: console.is_some_and(|c| c.code == 0 && c.data.get(1).is_some_and(|on| on & 1 != 0)),
                no_bmc: false,
            },
            parts,
            health,
            power: Some(status.power),
            system: SYSTEM.into(),
            manager: Some(MANAGER.into()),
            chassis: Some(CHASSIS.into()),
            is_machine: true,
            firmware: firmware.into_iter().collect(),
        }],
        devices: Vec::new(),
        problems: patience.problems,
        requests: client.line.requests(),
    })
}

/// Health of one sensor. Fans stand still, and rails are low, in a box that is off: that says nothing.
fn leaf(sensor: &Sensor, state: State, is_on: bool) -> Health {
    let idle = !is_on && sensor.analog.is_some() && sensor.kind != kind::TEMPERATURE;
    if idle || sdr::is_absent(sensor, state) {
        return Health::Unknown;
    }
    sdr::health(sensor, state)
}

/// Supplies and fans, as sensors and FRU information tell of them.
fn parts(states: &[(&Sensor, State)], frus: &[(u8, u8, Fru)], is_on: bool) -> Vec<Part> {
    let mut supplies: Vec<u8> = Vec::new();
    let by_sensor = states
        .iter()
        .filter(|(s, _)| s.entity == entity::SUPPLY)
        .map(|(s, _)| s.instance);
    let by_fru = frus
        .iter()
        .filter(|f| f.0 == entity::SUPPLY && !f.2.is_empty())
        .map(|f| f.1);
    for instance in by_sensor.chain(by_fru) {
        if !supplies.contains(&instance) {
            supplies.push(instance);
        }
    }
    let of = |instance: u8| {
        let mine = move |(s, _): &&(&Sensor, State)| s.entity == entity::SUPPLY && s.instance == instance;
        states.iter().filter(mine)
    };
    supplies.sort_unstable();
    supplies.retain(|instance| !of(*instance).any(|(s, state)| sdr::is_absent(s, *state)));
    let mut out: Vec<Part> = (1..)
        .zip(supplies)
        .map(|(n, instance): (u32, u8)| {
            let fru = frus
                .iter()
                .find(|f| f.0 == entity::SUPPLY && f.1 == instance)
                .map(|f| f.2.clone());
            let fru = fru.unwrap_or_default();
            Part {
                id: format!("psu{n}"),
                kind: PartKind::Supply {
                    watts: fru.watts.map(f64::from),
                },
                maker: fru.maker,
                model: fru.model,
                serial: fru.serial,
                firmware: None,
                health: of(instance)
                    .map(|(s, state)| leaf(s, *state, is_on))
                    .max()
                    .unwrap_or_default(),
            }
        })
        .collect();
    let fans = states.iter().filter(|(s, _)| s.kind == kind::FAN && s.analog.is_some());
    out.extend((1..).zip(fans).map(|(n, (s, state)): (u32, &(&Sensor, State))| Part {
        id: format!("fan{n}"),
        kind: PartKind::Fan,
        maker: None,
        model: Some(s.name.clone()).filter(|n| !n.is_empty()),
        serial: None,
        firmware: None,
        health: leaf(s, *state, is_on),
    }));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guid_is_shown_as_the_system_shows_it() {
        let text = "12345678-9abc-4ef0-8123-456789abcdef";
        let plain = [
            0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0x4e, 0xf0, 0x81, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
        ];
        let smbios = [
            0x78, 0x56, 0x34, 0x12, 0xbc, 0x9a, 0xf0, 0x4e, 0x81, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
        ];
        let mut backwards = plain;
        backwards.reverse();
        for bytes in [smbios, plain, backwards] {
            assert_eq!(uuid(&bytes).as_deref(), Some(text), "{bytes:02x?}");
        }
        assert_eq!(uuid(&[0xff; 16]), None);
        assert_eq!(uuid(&[0; 15]), None);
    }

    #[test]
    fn a_firmware_revision_is_binary_then_decimal() {
        assert_eq!(version(&[0x20, 0x01, 0x81, 0x65]).as_deref(), Some("1.65"));
        assert_eq!(version(&[0x20]), None);
    }
}
