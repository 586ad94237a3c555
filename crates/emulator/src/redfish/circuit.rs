//! The mains of a PDU or a shelf (DSP0268 `Circuit`).

use serde_json::{Value, json};

use super::sensor::tell;
use super::{fine, round};
use crate::emulated::Emulated;
use crate::physics::{BoxId, Quantity as Q};

/// The inlet, with the phases that it has: of one, the plain readings; of three, those of each line.
pub(super) fn mains(rack: &Emulated, of: BoxId, phases: u8) -> Value {
    let sense = |what| rack.sense(of, what);
    // a PDU's controller answers while its inlet is dark, and says so
    let fed = (0..phases).all(|n| sense(Q::PhaseVolts(n)).is_none_or(|volts| volts > 1.0));
    let mut mains = json!({
        "@odata.type": "#Circuit.v1_7_0.Circuit",
        "Id": "AC1", "Name": "Mains", "CircuitType": "Mains", "VoltageType": "AC",
        "Status": if fed { fine() } else { json!({"State": "Enabled", "Health": "Critical"}) },
        "PhaseWiringType": if phases == 3 { "ThreePhase5Wire" } else { "OnePhase3Wire" },
    });
    let (amps, volts) = (|n| sense(Q::PhaseAmps(n)), |n| sense(Q::PhaseVolts(n)).map(round));
    tell(&mut mains, [("PowerWatts", sense(Q::TotalWatts).map(round))]);
    if phases == 3 {
        let lines = ["Line1", "Line2", "Line3"].into_iter().zip(0..);
        let mut all = json!({});
        tell(&mut all, lines.map(|(line, n)| (line, amps(n))));
        mains["PolyPhaseCurrentAmps"] = all;
        let lines = ["Line1ToNeutral", "Line2ToNeutral", "Line3ToNeutral"]
            .into_iter()
            .zip(0..);
        let mut all = json!({});
        tell(&mut all, lines.map(|(line, n)| (line, volts(n))));
        mains["PolyPhaseVoltage"] = all;
    } else {
        tell(&mut mains, [("CurrentAmps", amps(0)), ("Voltage", volts(0))]);
    }
    mains
}
