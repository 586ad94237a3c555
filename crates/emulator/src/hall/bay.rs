//! What is one box's own in the documents that it shares: its names and numbers, which follow from its place, and its
//! readings, which are asked for when it answers.

use std::sync::Arc;

use serde_json::{Value, json};
use uuid::Uuid;

use super::layout::At;
use super::plants::Plants;
use crate::config::Clock;
use crate::physics::Quantity;
use crate::tree::Fill;

/// What the boxes of a hall have in common.
pub(super) struct Common {
    pub(super) user: Option<String>,
    pub(super) clock: Clock,
    pub(super) plants: Plants,
}

/// One box.
pub(super) struct Bay {
    at: At,
    common: Arc<Common>,
}

impl Bay {
    pub(super) fn new(at: At, common: Arc<Common>) -> Bay {
        Bay { at, common }
    }

    /// A serial number; a DPU has the one that its tray knows it by.
    fn serial(&self, of: &str) -> String {
        let (at, of) = match (of, self.at.dpu) {
            ("", 1..) => (self.at.tray(), format!("dpu{}", self.at.dpu)),
            _ => (self.at, of.to_owned()),
        };
        format!("EMU{:05}{:02}{:04X}", at.rack, at.unit, hash(&of) as u16)
    }

    fn uuid(&self, of: &str) -> Uuid {
        Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("hall {} {of}", self.at.name()).as_bytes())
    }

    /// Locally administered: rack, unit and port have octets of their own, so that no two are alike.
    fn mac(&self, of: &str) -> String {
        let ([_, _, r0, r1], unit) = (self.at.rack.to_be_bytes(), self.at.unit.to_be_bytes()[3]);
        let [p0, p1] = (hash(of) as u16).to_be_bytes();
        format!("02:{r0:02x}:{r1:02x}:{unit:02x}:{p0:02x}:{p1:02x}")
    }

    fn read(&self, what: &str) -> Value {
        let told = quantity(what).and_then(|q| self.common.plants.read(self.at, q));
        // two decimals are more than any of these sensors has
        told.map_or(Value::Null, |v| json!((v * 100.0).round() / 100.0))
    }

    fn leak(&self, n: &str) -> Value {
        let n = n.parse().unwrap_or_default();
        let told = self.common.plants.read(self.at, Quantity::Leak(n));
        json!(match told {
            Some(v) if v >= 2.0 => "Critical",
            Some(v) if v >= 1.0 => "Warning",
            _ => "OK",
        })
    }

    /// Health of a rectifier.
    fn works(&self, n: &str) -> Value {
        let works = n
            .parse()
            .ok()
            .and_then(|n| self.common.plants.read(self.at, Quantity::SupplyWorks(n)));
        json!(if works == Some(0.0) { "Critical" } else { "OK" })
    }

    /// The line before a rectifier.
    fn input(&self, n: &str) -> Value {
        let volts = n
            .parse()
            .ok()
            .and_then(|n| self.common.plants.read(self.at, Quantity::SupplyInputVolts(n)));
        json!(if volts == Some(0.0) { "LossOfInput" } else { "Normal" })
    }
}

impl Fill for Bay {
    fn value(&self, blank: &str) -> Value {
        let (word, of) = blank.split_once('.').unwrap_or((blank, ""));
        match word {
            "read" => self.read(of),
            "leak" => self.leak(of),
            "works" => self.works(of),
            "input" => self.input(of),
            "serial" => json!(self.serial(of)),
            "uuid" => json!(self.uuid(of)),
            "mac" => json!(self.mac(of)),
            "guid" => json!(format!("0x{:016x}", self.uuid(of).as_u64_pair().0)),
            "name" => json!(self.at.slot()),
            "rack" => json!(self.at.rack_name()),
            "address" => json!(self.at.address()),
            "user" => json!(self.common.user),
            "now" => json!((self.common.clock)().to_string()),
            _ => Value::Null,
        }
    }

    fn changed(&self, path: &str, document: &Value) {
        if path.starts_with("/redfish/v1/Systems/")
            && let Some(state) = document["PowerState"].as_str()
        {
            self.common.plants.set_on(self.at, state != "Off");
        }
        let gpu = path
            .split("/Processors/GPU_")
            .nth(1)
            .and_then(|rest| rest.split('/').next());
        if let Some(gpu) = gpu.and_then(|n| n.parse().ok()) {
            let limit = &document["PowerLimitWatts"];
            let held = limit["SetPoint"]
                .as_f64()
                .filter(|_| limit["ControlMode"] != "Disabled");
            self.common.plants.cap(self.at, gpu, held);
        }
    }
}

/// FNV-1a, 64 bits: the same on every machine and in every version.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| {
        (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// A quantity by its name, as documents spell it: `GpuCelsius3`.
pub(super) fn quantity(name: &str) -> Option<Quantity> {
    use Quantity::*;
    let digits = name.trim_start_matches(|c: char| !c.is_ascii_digit());
    let n: u8 = if digits.is_empty() { 0 } else { digits.parse().ok()? };
    Some(match name.strip_suffix(digits)? {
        "TotalWatts" => TotalWatts,
        "SupplyInputWatts" => SupplyInputWatts(n),
        "SupplyOutputWatts" => SupplyOutputWatts(n),
        "SupplyInputVolts" => SupplyInputVolts(n),
        "SupplyInputAmps" => SupplyInputAmps(n),
        "BusVolts" => BusVolts,
        "BusAmps" => BusAmps,
        "CpuCelsius" => CpuCelsius(n),
        "CpuWatts" => CpuWatts(n),
        "GpuCelsius" => GpuCelsius(n),
        "GpuWatts" => GpuWatts(n),
        "GpuMemoryCelsius" => GpuMemoryCelsius(n),
        "GpuMarginKelvin" => GpuMarginKelvin(n),
        "GpuJoules" => GpuJoules(n),
        "InletCelsius" => InletCelsius,
        "FanRpm" => FanRpm(n),
        "FanPercent" => FanPercent,
        "WorkPercent" => WorkPercent,
        "CoolantSupplyCelsius" => CoolantSupplyCelsius,
        "CoolantReturnCelsius" => CoolantReturnCelsius,
        _ => return None,
    })
}
