//! Watts, inlet, CPU temperatures and fans out of a BMC's sensors, named as those of every other box.
//!
//! One rule above all: zero watts, or a sensor that is not scanned, is "no reading", never zero.

use rack::{Reading, Time, Unit};

use crate::error::Error;
use crate::found::{Raw, reading};
use crate::ipmi::client::{Client, Patience};
use crate::ipmi::repository::Repository;
use crate::ipmi::sdr::{Analog, Factors, Sensor, State, entity, kind};
use crate::ipmi::{command, dcmi};

/// Most power that one box is believed to draw; a reading above is a sensor's mistake.
const MOST_WATTS: f64 = 1_000_000.0;
/// Sensors read for readings of one box.
const MOST: usize = 128;
/// The BMC itself, as the owner of a sensor.
pub const BMC: u8 = 0x20;

/// What a sensor's reading is used as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Use {
    /// Watts of the whole box.
    Total,
    /// Watts into, or out of, one supply.
    Supply,
    /// A reading of this name.
    Named(String),
}

/// Which sensors are read, and as what.
pub fn chosen(sensors: &[Sensor]) -> Vec<(Use, &Sensor, Analog)> {
    let mut out: Vec<(Use, &Sensor, Analog)> = Vec::new();
    let mut fans = 0;
    for sensor in sensors.iter().filter(|s| s.owner == BMC) {
        let Some(analog) = sensor.analog else { continue };
        let lower = sensor.name.to_ascii_lowercase();
        let has = |words: &[&str]| words.iter().any(|w| lower.contains(w));
        let used = match (analog.counts(), sensor.kind) {
            (Some(Unit::Watts), _) if sensor.entity == entity::SUPPLY && !has(&["total", "system"]) => {
                (!has(&["max", "rated", "limit"])).then_some(Use::Supply)
            }
            (Some(Unit::Watts), _) => {
                let part = has(&[
                    "cpu", "proc", "mem", "dimm", "gpu", "fan", "hdd", "pcie", "ps1", "ps2", "psu",
                ]);
                let whole = has(&[
                    "total",
                    "system",
                    "sys",
                    "chassis",
                    "node",
                    "consumption",
                    "power meter",
                    "input power",
                ]);
                (whole && !part).then_some(Use::Total)
            }
            (Some(Unit::Celsius), _) => temperature(sensor, &lower).map(Use::Named),
            (Some(Unit::Rpm | Unit::Percent), kind::FAN) => {
                fans += 1;
                Some(Use::Named(format!("fan{fans}")))
            }
            _ => None,
        };
        if let Some(used) = used {
            out.push((used, sensor, analog));
        }
    }
    // One inlet is enough; the first is the box's own on those that have several.
    let mut inlet = false;
    out.retain(|(used, ..)| *used != Use::Named("inlet".into()) || !std::mem::replace(&mut inlet, true));
    // Both sides of a supply are told by some: what goes in counts.
    let goes_in = |s: &Sensor| {
        let lower = s.name.to_ascii_lowercase();
        ["in ", "input", "pin", "_in", "-in"].iter().any(|w| lower.contains(w)) || lower.ends_with("in")
    };
    if out.iter().any(|(used, s, _)| *used == Use::Supply && goes_in(s)) {
        out.retain(|(used, s, _)| *used != Use::Supply || goes_in(s));
    }
    out.truncate(MOST);
    let mut seen = std::collections::HashSet::new();
    for (used, ..) in &mut out {
        if let Use::Named(name) = used {
            let base = name.clone();
            let mut n = 2;
            while !seen.insert(name.clone()) {
                *name = format!("{base}.{n}");
                n += 1;
            }
        }
    }
    out
}

/// The two temperatures that anything is decided by.
fn temperature(sensor: &Sensor, lower: &str) -> Option<String> {
    let has = |words: &[&str]| words.iter().any(|w| lower.contains(w));
    // A margin is no temperature; a regulator's or a module's is not its processor's.
    if has(&[
        "margin", "delta", "tjmax", "tcontrol", "limit", "vr", "dimm", "mem", "gpu", "dts",
    ]) {
        return None;
    }
    if entity::INLET.contains(&sensor.entity) || has(&["inlet", "ambient", "intake"]) {
        return Some("inlet".into());
    }
    let processor = entity::PROCESSOR.contains(&sensor.entity);
    if !processor && !has(&["cpu"]) {
        return None;
    }
    let slug = lower.replace("temperature", "").replace("temp", "");
    let slug: String = slug.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
    // Some name all of them "Temp", and tell them apart by their entity.
    Some(if slug.is_empty() {
        format!("cpu{}", sensor.instance & 0x7f)
    } else {
        slug
    })
}

/// What a sensor says now; nothing when it gives no reading, or the BMC can't read it.
pub async fn state(client: &Client, sensor: &Sensor) -> Result<Option<State>, Error> {
    let answer = client
        .ask_lun(command::SENSOR_READING, sensor.lun, &[sensor.number])
        .await?;
    Ok((answer.code == 0).then(|| State::read(&answer.data)).flatten())
}

/// The value of a state; a non-linear sensor is asked for its factors at this reading.
pub async fn value(client: &Client, sensor: &Sensor, analog: Analog, state: State) -> Result<Option<f64>, Error> {
    let mut factors = analog.factors;
    if analog.is_non_linear() {
        let data = [sensor.number, state.raw];
        let answer = client.ask_lun(command::SENSOR_FACTORS, sensor.lun, &data).await?;
        match answer.data.get(1..).and_then(Factors::read) {
            Some(read) if answer.code == 0 => factors = read,
            _ => return Ok(None),
        }
    }
    Ok(analog.value(state.raw, factors))
}

/// The readings of a box. The first is `watts`, with a value or without.
pub async fn readings(client: &Client, repository: &Repository, now: Time) -> Result<Vec<Reading>, Error> {
    let mut patience = Patience::default();
    let told = dcmi::watts(client).await;
    let mut watts = patience.forgive(command::DCMI_POWER, told)?.flatten();
    let (mut supplies, mut out): (Vec<Option<f64>>, Vec<Raw>) = (Vec::new(), Vec::new());
    for (used, sensor, analog) in chosen(&repository.sensors) {
        // DCMI told already.
        if watts.is_some() && !matches!(used, Use::Named(_)) {
            continue;
        }
        let read = async {
            match state(client, sensor).await? {
                Some(state) => value(client, sensor, analog, state).await,
                None => Ok(None),
            }
        };
        let value = patience.forgive(command::SENSOR_READING, read.await)?.flatten();
        match used {
            Use::Total => watts = watts.or(sane(value)),
            Use::Supply => supplies.push(sane(value)),
            Use::Named(name) => {
                let unit = analog.counts().unwrap_or(Unit::Percent);
                out.push((name, value.filter(|v| plausible(*v, unit)), unit));
            }
        }
    }
    // Supplies sum up to the box only when each of them told.
    let sum = || {
        let all: Option<Vec<f64>> = supplies.iter().copied().collect();
        all.filter(|v| !v.is_empty()).map(|v| v.iter().sum())
    };
    out.insert(0, ("watts".into(), watts.or_else(|| sane(sum())), Unit::Watts));
    Ok(out.into_iter().map(|r| reading(r, now)).collect())
}

fn sane(watts: Option<f64>) -> Option<f64> {
    watts.filter(|w| *w > 0.0 && *w < MOST_WATTS)
}

/// A running box at exactly 0 °C, or past 200: no sensor there.
fn plausible(value: f64, unit: Unit) -> bool {
    match unit {
        Unit::Celsius => value > -50.0 && value < 200.0 && value != 0.0,
        _ => value >= 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sensor(name: &str, unit: u8, entity: u8, kind: u8) -> Sensor {
        let factors = Factors {
            m: 1,
            b: 0,
            b_exp: 0,
            r_exp: 0,
        };
        Sensor {
            owner: BMC,
            lun: 0,
            number: 1,
            entity,
            instance: 0x62,
            kind,
            reading: 1,
            name: name.into(),
            analog: Some(Analog {
                format: 0,
                percent: false,
                unit,
                curve: 0,
                factors,
            }),
        }
    }

    fn names(sensors: &[Sensor]) -> Vec<String> {
        let name = |u| match u {
            Use::Named(n) => n,
            other => format!("{other:?}"),
        };
        chosen(sensors).into_iter().map(|(u, ..)| name(u)).collect()
    }

    #[test]
    fn sensors_are_named_as_on_every_other_box() {
        let box_ = [
            sensor("Inlet Temp", 1, 7, 1),
            sensor("Front Ambient", 1, 0x37, 1),
            sensor("CPU1 Temp", 1, 3, 1),
            sensor("Temp", 1, 3, 1),
            sensor("CPU1 DTS Margin", 1, 3, 1),
            sensor("P1 DIMM A Temp", 1, 0x20, 1),
            sensor("Pwr Consumption", 6, 7, 3),
            sensor("CPU Power", 6, 3, 3),
            sensor("PS1 Input Power", 6, 0x0a, 8),
            sensor("PS1 Output Power", 6, 0x0a, 8),
            sensor("FAN_A", 18, 0x1d, 4),
            sensor("FAN_B", 18, 0x1d, 4),
            sensor("12V", 4, 7, 2),
        ];
        assert_eq!(
            names(&box_),
            ["inlet", "cpu1", "cpu98", "Total", "Supply", "fan1", "fan2"]
        );
    }

    #[test]
    fn two_sensors_of_one_name_stay_two_readings() {
        let two = [sensor("CPU Temp", 1, 3, 1), sensor("CPU Temp", 1, 3, 1)];
        assert_eq!(names(&two), ["cpu", "cpu.2"]);
    }

    #[test]
    fn zero_watts_is_no_reading() {
        assert_eq!(sane(Some(0.0)), None);
        assert_eq!(sane(Some(614.0)), Some(614.0));
        assert!(!plausible(0.0, Unit::Celsius));
    }
}
