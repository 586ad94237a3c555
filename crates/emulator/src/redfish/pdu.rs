//! A rack PDU: outlet n feeds one supply of server n. Its watts are the sum of what the supplies draw.

use serde_json::{Value, json};

use super::{at, collection, fine, round};
use crate::emulated::Emulated;

/// At each outlet that is on.
const VOLTS: f64 = 230.0;
const P: &str = "/redfish/v1/PowerEquipment/RackPDUs/1";

pub(super) fn get(rack: &Emulated, i: usize, segments: &[&str]) -> Option<Value> {
    let spec = &rack.pdus[i].spec;
    let outlet = |n: usize| {
        let view = rack.view(n);
        (
            view.fed[spec.feeds],
            view.draw.input[spec.feeds],
            view.physics.joules[spec.feeds],
        )
    };
    Some(match segments {
        [] => json!({
            "@odata.type": "#PowerEquipment.v1_2_0.PowerEquipment",
            "Id": "PowerEquipment", "Name": "Power Equipment", "Status": fine(),
            "RackPDUs": at("/redfish/v1/PowerEquipment/RackPDUs"),
        }),
        ["RackPDUs"] => collection("PowerDistributionCollection", "Rack PDUs", [P.to_string()]),
        ["RackPDUs", "1"] => json!({
            "@odata.type": "#PowerDistribution.v1_3_0.PowerDistribution",
            "Id": "1", "Name": spec.name, "EquipmentType": "RackPDU", "Manufacturer": "Busbar", "Model": "Emulated PDU",
            "SerialNumber": spec.serial, "FirmwareVersion": super::update::version(rack, crate::emulated::Bmc::Pdu(i), "BMC"), "Status": fine(),
            "Outlets": at(format!("{P}/Outlets")), "Metrics": at(format!("{P}/Metrics")),
            "Links": {"ManagedBy": [at("/redfish/v1/Managers/BMC")]},
        }),
        ["RackPDUs", "1", "Metrics"] => {
            let all: Vec<_> = (0..rack.servers.len()).map(outlet).collect();
            json!({
                "@odata.type": "#PowerDistributionMetrics.v1_3_0.PowerDistributionMetrics",
                "Id": "Metrics", "Name": "PDU Metrics",
                "PowerWatts": {"Reading": round(all.iter().map(|o| o.1).sum())},
                "EnergykWh": {"Reading": all.iter().map(|o| o.2).sum::<f64>() / 3_600_000.0},
            })
        }
        ["RackPDUs", "1", "Outlets"] => collection(
            "OutletCollection",
            "Outlets",
            (0..rack.servers.len()).map(|n| format!("{P}/Outlets/{}", n + 1)),
        ),
        ["RackPDUs", "1", "Outlets", id] => {
            let n = number(rack, id)?;
            let (fed, watts, joules) = outlet(n);
            json!({
                "@odata.type": "#Outlet.v1_4_0.Outlet",
                "Id": id, "Name": format!("Outlet {id}"), "UserLabel": rack.servers[n].spec.place,
                "PowerState": if fed { "On" } else { "Off" }, "PowerEnabled": fed, "OutletType": "IEC_60320_C13",
                "PowerWatts": {"Reading": round(watts)}, "EnergykWh": {"Reading": joules / 3_600_000.0},
                "Voltage": {"Reading": if fed { VOLTS } else { 0.0 }},
                "CurrentAmps": {"Reading": (watts / VOLTS * 1000.0).round() / 1000.0},
                "Status": fine(),
                "Actions": {"#Outlet.PowerControl": {
                    "target": format!("{P}/Outlets/{id}/Actions/Outlet.PowerControl"),
                    "PowerState@Redfish.AllowableValues": ["On", "Off", "PowerCycle"],
                }},
            })
        }
        _ => return None,
    })
}

/// The server that an outlet feeds.
pub(super) fn number(rack: &Emulated, id: &str) -> Option<usize> {
    id.parse::<usize>()
        .ok()?
        .checked_sub(1)
        .filter(|n| *n < rack.servers.len())
}
