//! The supplies of a box, and the rectifiers of a shelf, which are the same to Redfish (DSP0268 `PowerSupply`).

use serde_json::{Value, json};

use super::sensor::{JOULES_A_KWH, tell};
use super::{at, collection, fine, round};
use crate::emulated::{Bmc, Emulated};
use crate::physics::{BoxId, Quantity as Q};

const SUPPLIES: &str = "/redfish/v1/Chassis/1/PowerSubsystem/PowerSupplies";

/// Those of one box.
pub(super) struct Supplies<'a> {
    pub(super) rack: &'a Emulated,
    /// Who answers for them.
    pub(super) bmc: Bmc,
    /// What has them, in the plant.
    pub(super) body: BoxId,
    /// `PSU`, `Rectifier`.
    pub(super) name: &'static str,
    /// Serial number of the box.
    pub(super) serial: &'a str,
    pub(super) count: u8,
    /// What each can give.
    pub(super) watts: f64,
}

impl Supplies<'_> {
    fn sense(&self, what: Q) -> Option<f64> {
        self.rack.sense(self.body, what)
    }

    /// `OK` while it has input and is whole.
    fn status(&self, n: u8) -> Value {
        match self.sense(Q::SupplyWorks(n)) {
            Some(works) if works > 0.5 => fine(),
            _ => json!({"State": "UnavailableOffline", "Health": "Critical"}),
        }
    }

    /// What is below `…/PowerSubsystem/PowerSupplies`.
    pub(super) fn get(&self, segments: &[&str]) -> Option<Value> {
        let number = |id: &str| id.parse::<u8>().ok().filter(|n| *n < self.count);
        let name = self.name;
        Some(match segments {
            [] => collection(
                "PowerSupplyCollection",
                "Power Supplies",
                (0..self.count).map(|n| format!("{SUPPLIES}/{n}")),
            ),
            [id] => {
                let n = number(id)?;
                let part = format!("PSU{n}");
                json!({
                    "@odata.type": "#PowerSupply.v1_5_0.PowerSupply",
                    "Id": id, "Name": format!("{name} {n}"), "PowerSupplyType": "AC", "PowerCapacityWatts": self.watts,
                    "SerialNumber": format!("{}P{n}", self.serial), "Model": format!("Emulated {name}"),
                    "Manufacturer": "Busbar", "FirmwareVersion": super::update::version(self.rack, self.bmc, &part),
                    "Status": self.status(n), "Metrics": at(format!("{SUPPLIES}/{n}/Metrics")),
                })
            }
            [id, "Metrics"] => {
                let n = number(id)?;
                let mut metrics = json!({
                    "@odata.type": "#PowerSupplyMetrics.v1_1_0.PowerSupplyMetrics",
                    "Id": "Metrics", "Name": format!("{name} {n} Metrics"), "Status": self.status(n),
                });
                let readings = [
                    ("InputPowerWatts", self.sense(Q::SupplyInputWatts(n)).map(round)),
                    ("InputVoltage", self.sense(Q::SupplyInputVolts(n)).map(round)),
                    ("OutputPowerWatts", self.sense(Q::SupplyOutputWatts(n)).map(round)),
                    ("EnergykWh", self.sense(Q::SupplyJoules(n)).map(|j| j / JOULES_A_KWH)),
                ];
                tell(&mut metrics, readings);
                metrics
            }
            _ => return None,
        })
    }
}
