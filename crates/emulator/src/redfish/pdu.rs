//! A rack PDU: its outlets and its mains, metered.

use serde_json::{Value, json};

use super::sensor::JOULES_A_KWH;
use super::{at, collection, fine, round};
use crate::emulated::Emulated;
use crate::physics::Quantity as Q;

const P: &str = "/redfish/v1/PowerEquipment/RackPDUs/1";

pub(super) fn get(rack: &Emulated, i: usize, segments: &[&str]) -> Option<Value> {
    let pdu = &rack.pdus[i];
    let spec = &pdu.spec;
    let sense = |what| rack.sense(pdu.body, what);
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
            "Mains": at(format!("{P}/Mains")), "Branches": at(format!("{P}/Branches")),
            "Outlets": at(format!("{P}/Outlets")), "Metrics": at(format!("{P}/Metrics")),
            "Links": {"ManagedBy": [at("/redfish/v1/Managers/BMC")]},
        }),
        ["RackPDUs", "1", "Metrics"] => json!({
            "@odata.type": "#PowerDistributionMetrics.v1_3_0.PowerDistributionMetrics",
            "Id": "Metrics", "Name": "PDU Metrics",
            "PowerWatts": {"Reading": sense(Q::TotalWatts).map(round)},
            "EnergykWh": {"Reading": sense(Q::TotalJoules).map(|j| j / JOULES_A_KWH)},
        }),
        ["RackPDUs", "1", "Mains"] => collection("CircuitCollection", "Mains", [format!("{P}/Mains/AC1")]),
        ["RackPDUs", "1", "Mains", "AC1"] => {
            let mut mains = super::circuit::mains(rack, pdu.body, spec.phases);
            mains["RatedCurrentAmps"] = json!(spec.amps);
            if let Some(nominal) = nominal(spec.phases, spec.volts) {
                mains["NominalVoltage"] = json!(nominal);
            }
            mains
        }
        ["RackPDUs", "1", "Branches"] => collection(
            "CircuitCollection",
            "Branches",
            (0..spec.branches.len()).map(|n| format!("{P}/Branches/{}", n + 1)),
        ),
        ["RackPDUs", "1", "Branches", id] => {
            let n = id.parse::<u8>().ok()?.checked_sub(1)?;
            let rated = spec.branches.get(usize::from(n))?;
            let closed = sense(Q::BranchClosed(n))? > 0.5;
            json!({
                "@odata.type": "#Circuit.v1_7_0.Circuit",
                "Id": id, "Name": format!("Branch {id}"), "CircuitType": "Branch", "RatedCurrentAmps": rated,
                "BreakerState": if closed { "Normal" } else { "Tripped" },
                "CurrentAmps": {"Reading": sense(Q::BranchAmps(n))},
                "Status": if closed { fine() } else { json!({"State": "Enabled", "Health": "Critical"}) },
            })
        }
        ["RackPDUs", "1", "Outlets"] => collection(
            "OutletCollection",
            "Outlets",
            (0..spec.outlets.len()).map(|n| format!("{P}/Outlets/{}", n + 1)),
        ),
        ["RackPDUs", "1", "Outlets", id] => {
            let n = number(rack, i, id)?;
            let o = u16::try_from(n).ok();
            let sense = |what: fn(u16) -> Q| o.and_then(|n| sense(what(n)));
            let live = sense(Q::OutletLive)? > 0.5;
            json!({
                "@odata.type": "#Outlet.v1_4_0.Outlet",
                "Id": id, "Name": format!("Outlet {id}"), "UserLabel": spec.outlets[n].as_deref().unwrap_or("free"),
                "PowerState": if live { "On" } else { "Off" }, "PowerEnabled": live, "OutletType": "IEC_60320_C13",
                "PowerWatts": {"Reading": sense(Q::OutletWatts).map(round)},
                "EnergykWh": {"Reading": sense(Q::OutletJoules).map(|j| j / JOULES_A_KWH)},
                "Voltage": {"Reading": sense(Q::OutletVolts).map(round)},
                "CurrentAmps": {"Reading": sense(Q::OutletAmps)},
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

/// How a `Circuit` names its mains' voltage (DSP0268): between phases where there are three.
fn nominal(phases: u8, volts: f64) -> Option<&'static str> {
    let is = |low: f64, high: f64| (low..=high).contains(&volts);
    match phases {
        3 if is(115.0, 122.0) => Some("AC208V"),
        3 if is(220.0, 240.0) => Some("AC400V"),
        3 if is(270.0, 280.0) => Some("AC480V"),
        1 if is(110.0, 125.0) => Some("AC120V"),
        1 if is(200.0, 210.0) => Some("AC208V"),
        1 if is(220.0, 235.0) => Some("AC230V"),
        1 if is(236.0, 245.0) => Some("AC240V"),
        _ => None,
    }
}

/// The outlet of this number, from 0.
pub(super) fn number(rack: &Emulated, pdu: usize, id: &str) -> Option<usize> {
    id.parse::<usize>()
        .ok()?
        .checked_sub(1)
        .filter(|n| *n < rack.pdus[pdu].spec.outlets.len())
}
