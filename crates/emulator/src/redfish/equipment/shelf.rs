//! A shelf of rectifiers (DSP0268 `PowerDistribution`): its input, what it gives to the bus bar, its rectifiers.

use serde_json::{Value, json};

use super::super::sensor::{JOULES_A_KWH, tell};
use super::super::{at, circuit, collection, fine, round};
use crate::describe::Shelf;
use crate::emulated::{Bmc, Emulated};
use crate::physics::Quantity as Q;

const S: &str = "/redfish/v1/PowerEquipment/PowerShelves/1";

pub(super) fn get(rack: &Emulated, i: usize, shelf: &Shelf, phases: u8, segments: &[&str]) -> Option<Value> {
    let it = &rack.equipment[i];
    let spec = &it.spec;
    let sense = |what| rack.sense(it.body, what);
    Some(match segments {
        [] => json!({
            "@odata.type": "#PowerEquipment.v1_2_0.PowerEquipment",
            "Id": "PowerEquipment", "Name": "Power Equipment", "Status": fine(),
            "PowerShelves": at("/redfish/v1/PowerEquipment/PowerShelves"),
        }),
        ["PowerShelves"] => collection("PowerDistributionCollection", "Power Shelves", [S.to_string()]),
        ["PowerShelves", "1"] => json!({
            "@odata.type": "#PowerDistribution.v1_3_0.PowerDistribution",
            "Id": "1", "Name": spec.name, "EquipmentType": "PowerShelf", "Manufacturer": "Busbar", "Model": spec.model(),
            "SerialNumber": spec.serial, "Status": super::state(rack, i),
            "FirmwareVersion": super::super::update::version(rack, Bmc::Equipment(i), "BMC"),
            "Mains": at(format!("{S}/Mains")), "Branches": at(format!("{S}/Branches")),
            "Metrics": at(format!("{S}/Metrics")),
            "Links": {
                "Chassis": [at("/redfish/v1/Chassis/1")], "ManagedBy": [at("/redfish/v1/Managers/BMC")],
            },
        }),
        ["PowerShelves", "1", "Metrics"] => {
            let mut metrics = json!({
                "@odata.type": "#PowerDistributionMetrics.v1_3_0.PowerDistributionMetrics",
                "Id": "Metrics", "Name": "Shelf Metrics",
            });
            let readings = [
                ("PowerWatts", sense(Q::TotalWatts).map(round)),
                ("EnergykWh", sense(Q::TotalJoules).map(|j| j / JOULES_A_KWH)),
            ];
            tell(&mut metrics, readings);
            metrics
        }
        ["PowerShelves", "1", "Mains"] => collection("CircuitCollection", "Mains", [format!("{S}/Mains/AC1")]),
        ["PowerShelves", "1", "Mains", "AC1"] => circuit::mains(rack, it.body, phases),
        ["PowerShelves", "1", "Branches"] => collection("CircuitCollection", "Outputs", [format!("{S}/Branches/DC")]),
        ["PowerShelves", "1", "Branches", "DC"] => {
            let mut output = json!({
                "@odata.type": "#Circuit.v1_7_0.Circuit",
                "Id": "DC", "Name": format!("Bus bar {}", shelf.bus), "CircuitType": "Bus", "VoltageType": "DC",
                "NominalVoltage": "DC48V", "Status": fine(),
            });
            let watts: Option<f64> = (0..shelf.rectifiers).map(|n| sense(Q::SupplyOutputWatts(n))).sum();
            let readings = [
                ("Voltage", sense(Q::BusVolts).map(round)),
                ("CurrentAmps", sense(Q::BusAmps).map(round)),
                ("PowerWatts", watts.map(round)),
            ];
            tell(&mut output, readings);
            output
        }
        _ => return None,
    })
}
