//! What is in a rack and is no server: PDUs, power shelves, transfer switches, cooling units, bare enclosures.

use rack::free::Rating;
use rack::{Identity, Unit};
use serde_json::Value;

use crate::found::{DeviceKind, FoundDevice, Outlet, Raw};
use crate::redfish::crawl::{Crawl, Resource};
use crate::redfish::housing::inside as plugged_in;
use crate::redfish::json::{at, last, leads, links, list, number, serial, text, uuid};
use crate::redfish::{inventory, part};

const EQUIPMENT: [(&str, &str, DeviceKind); 8] = [
    ("PowerEquipment", "RackPDUs", DeviceKind::RackPdu),
    ("PowerEquipment", "FloorPDUs", DeviceKind::FloorPdu),
    ("PowerEquipment", "PowerShelves", DeviceKind::PowerShelf),
    ("PowerEquipment", "TransferSwitches", DeviceKind::TransferSwitch),
    ("ThermalEquipment", "CDUs", DeviceKind::Cooling),
    ("ThermalEquipment", "CoolingUnits", DeviceKind::Cooling),
    ("ThermalEquipment", "HeatExchangers", DeviceKind::Cooling),
    ("ThermalEquipment", "ImmersionUnits", DeviceKind::Cooling),
];

/// Most power that one device is believed to pass or draw; a figure above is its mistake.
const MOST_WATTS: f64 = 10_000_000.0;
/// And most of any other quantity, in the unit that it is told in.
const MOST: f64 = 1e9;

/// All devices of a service.
pub async fn equipment(crawl: &Crawl<'_>, root: &Value) -> Vec<FoundDevice> {
    let mut out = Vec::new();
    for service in ["PowerEquipment", "ThermalEquipment"] {
        let Some((_, doc)) = crawl.follow(root, service).await else {
            continue;
        };
        for (_, collection, kind) in EQUIPMENT.iter().filter(|e| e.0 == service) {
            for (path, member) in crawl.members(&doc, collection).await {
                let mut device = device(&path, &member, *kind);
                device.watts = watts(crawl, &member).await;
                inside(crawl, &member, &mut device).await;
                for (path, outlet) in crawl.members(&member, "Outlets").await {
                    device.outlets.push(self::outlet(&path, &outlet));
                }
                out.push(device);
            }
        }
    }
    out
}

/// Chassis as devices, for a service that has nothing else to show. Those inside another are left out, and so is what is
/// plugged into a box that is there too; its health counts for the box. One box under two names is one device.
pub async fn enclosures(crawl: &Crawl<'_>, every: &[Resource]) -> Vec<FoundDevice> {
    let mut out: Vec<FoundDevice> = Vec::new();
    let outer = |(_, c): &&Resource| leads(c, "ContainedBy").is_none() && !part::absent(c);
    let boxes: Vec<&Resource> = every.iter().filter(outer).filter(|(_, c)| !plugged_in(c)).collect();
    let pieces: Vec<&Resource> = every.iter().filter(outer).filter(|(_, c)| plugged_in(c)).collect();
    let lone = boxes.is_empty();
    for (path, chassis) in if lone { &pieces } else { &boxes } {
        let mut device = device(path, chassis, DeviceKind::Enclosure);
        let supplies = supplies(crawl, chassis).await;
        if !supplies.is_empty() && is_shelf(chassis) {
            device.kind = DeviceKind::PowerShelf;
        }
        device.health = supplies.into_iter().fold(device.health, Ord::max);
        device.readings = crate::redfish::sensors::chassis(crawl, path, chassis, None).await;
        device.watts = device.readings.remove(0).1;
        let i = &device.identity;
        let twin = |d: &&mut FoundDevice| {
            i.serial.is_some()
                && (&d.identity.serial, &d.identity.maker, &d.identity.model) == (&i.serial, &i.maker, &i.model)
        };
        let tells = |d: &FoundDevice| (d.kind != DeviceKind::Enclosure, d.watts.is_some(), d.readings.len());
        match out.iter_mut().find(twin) {
            Some(known) => {
                let health = known.health.max(device.health);
                if tells(&device) > tells(known) {
                    *known = device;
                }
                known.health = health;
            }
            None => out.push(device),
        }
    }
    if let ([only], false) = (out.as_mut_slice(), lone) {
        only.health = pieces.iter().fold(only.health, |h, (_, p)| h.max(part::health(p)));
    }
    out
}

/// Whether a chassis with supplies feeds others, and not only itself.
fn is_shelf(chassis: &Value) -> bool {
    let named = ["Name", "Model", "Id"]
        .iter()
        .filter_map(|n| text(&chassis[*n]))
        .any(|n| {
            let plain: String = n.chars().filter(char::is_ascii_alphanumeric).collect();
            plain.to_ascii_lowercase().contains("powershelf")
        });
    named || chassis["ChassisType"] == "Shelf"
}

/// Health of the supplies that are there.
async fn supplies(crawl: &Crawl<'_>, chassis: &Value) -> Vec<rack::Health> {
    let mut found = Vec::new();
    if let Some((_, subsystem)) = crawl.follow(chassis, "PowerSubsystem").await {
        found = crawl.members(&subsystem, "PowerSupplies").await;
    }
    found
        .iter()
        .filter(|(_, s)| !part::absent(s))
        .map(|(_, s)| part::health(s))
        .collect()
}

fn device(path: &str, doc: &Value, kind: DeviceKind) -> FoundDevice {
    FoundDevice {
        kind,
        name: text(&doc["Name"]).unwrap_or_else(|| last(path).to_owned()),
        path: path.to_owned(),
        identity: Identity {
            uuid: uuid(&doc["UUID"]),
            serial: serial(&doc["SerialNumber"]),
            maker: text(&doc["Manufacturer"]),
            model: text(&doc["Model"]),
            bios: None,
            bmc_firmware: text(&doc["FirmwareVersion"]),
        },
        health: part::health(doc),
        watts: None,
        readings: Vec::new(),
        outlets: Vec::new(),
        mains: Vec::new(),
    }
}

/// Leaves of a device: pumps, detectors, supplies, mains. Their health is the device's, and what they measure is told.
async fn inside(crawl: &Crawl<'_>, doc: &Value, device: &mut FoundDevice) {
    let mut health = device.health;
    for name in ["Pumps", "Filters", "Reservoirs", "PowerSupplies"] {
        for (path, leaf) in crawl.members(doc, name).await {
            health = health.max(part::health(&leaf));
            device.readings.extend(turns_or_holds(&path, &leaf));
        }
    }
    // Supplies and, in newer schemas, leak detectors are in the chassis; a group of detectors shows what each tells.
    let chassis = match device.kind {
        DeviceKind::Cooling | DeviceKind::PowerShelf => crawl.all(links(doc, "Chassis")).await,
        _ => Vec::new(),
    };
    for (_, chassis) in chassis {
        if doc["PowerSupplies"].is_null() {
            health = supplies(crawl, &chassis).await.into_iter().fold(health, Ord::max);
        }
        for detector in inventory::leak_detectors(crawl, &chassis).await {
            health = health.max(detector.health);
        }
    }
    if let Some((_, detection)) = crawl.follow(doc, "LeakDetection").await {
        let groups = list(&detection["LeakDetectorGroups"]).iter();
        let shown = groups.flat_map(|g| list(&g["Detectors"]));
        for detector in shown.filter_map(|d| part::leak_detector("", d)) {
            health = health.max(detector.health);
        }
        for (path, detector) in crawl.members(&detection, "LeakDetectors").await {
            if let Some(detector) = part::leak_detector(&path, &detector) {
                health = health.max(detector.health);
            }
        }
    }
    for (name, side) in [
        ("PrimaryCoolantConnectors", "primary"),
        ("SecondaryCoolantConnectors", "secondary"),
    ] {
        let connectors = crawl.members(doc, name).await;
        for (n, (_, connector)) in connectors.iter().enumerate() {
            health = health.max(part::health(connector));
            let side = if n == 0 {
                side.to_owned()
            } else {
                format!("{side}{}", n + 1)
            };
            device.readings.extend(coolant(&side, connector));
        }
    }
    // What a shelf gives to its bus bar is a branch; those of a PDU are many, and their sum is known. What matters of each is
    // whether its breaker holds.
    let outputs: &[&str] = match device.kind {
        DeviceKind::PowerShelf => &["Mains", "Feeders", "Branches"],
        _ => &["Mains", "Feeders"],
    };
    for name in outputs {
        let circuits = crawl.members(doc, name).await;
        // Inputs of a transfer switch stand in for each other, and its outlets hang on one at a time.
        if *name == "Mains" && matches!(device.kind, DeviceKind::RackPdu | DeviceKind::FloorPdu) {
            let all: Option<Vec<Rating>> = circuits.iter().map(|(_, circuit)| rating(circuit)).collect();
            device.mains = all.unwrap_or_default();
        }
        for (path, circuit) in circuits {
            health = health.max(of_circuit(&circuit));
            device
                .readings
                .extend(electric(&last(&path).to_ascii_lowercase(), &circuit));
        }
    }
    if device.kind != DeviceKind::PowerShelf {
        for (_, branch) in crawl.members(doc, "Branches").await {
            health = health.max(of_circuit(&branch));
        }
    }
    device.health = health;
}

/// Health of a circuit. One whose breaker has tripped feeds nothing, whatever its status says (DSP0268 `Circuit`,
/// `BreakerState`); one that someone switched off is as it should be.
fn of_circuit(circuit: &Value) -> rack::Health {
    match circuit["BreakerState"].as_str() {
        Some("Tripped") if !part::absent(circuit) => rack::Health::Critical,
        _ => part::health(circuit),
    }
}

/// How fast a pump turns, or how full a reservoir is.
fn turns_or_holds(path: &str, doc: &Value) -> Vec<Raw> {
    let plain = |what: &str| {
        let id = last(path).to_ascii_lowercase();
        let own: String = id.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
        // `1` says nothing beside other leaves
        match own.starts_with(what) {
            true => own,
            false => format!("{what}{own}"),
        }
    };
    let told = |at: &Value, name: String, unit| measured(at).filter(|v| *v >= 0.0).map(|v| (name, Some(v), unit));
    let pump = &doc["PumpSpeedPercent"];
    let turns = told(&pump["SpeedRPM"], plain("pump"), Unit::Rpm);
    let turns = turns.or_else(|| told(&pump["Reading"], plain("pump"), Unit::Percent));
    let level = &doc["FluidLevelPercent"]["Reading"];
    let level = told(level, format!("{}-level", plain("reservoir")), Unit::Percent);
    turns.into_iter().chain(level).collect()
}

/// A coolant connector's measured values; those that it does not tell are left out.
fn coolant(side: &str, doc: &Value) -> Vec<Raw> {
    let mut out = Vec::new();
    for (property, name, unit) in [
        ("SupplyTemperatureCelsius", "supply", Unit::Celsius),
        ("ReturnTemperatureCelsius", "return", Unit::Celsius),
        ("FlowLitersPerMinute", "flow", Unit::LitresPerMinute),
        ("SupplyPressurekPa", "supply-pressure", Unit::Kilopascals),
        ("ReturnPressurekPa", "return-pressure", Unit::Kilopascals),
        ("DeltaPressurekPa", "delta-pressure", Unit::Kilopascals),
    ] {
        if !doc[property].is_null() {
            out.push((
                format!("{side}-{name}"),
                measured(at(doc, &format!("{property}/Reading"))),
                unit,
            ));
        }
    }
    let heat = measured(at(doc, "HeatRemovedkW/Reading"))
        .map(|kw| kw * 1000.0)
        .filter(|w| w.abs() < MOST_WATTS);
    out.extend(heat.map(|w| (format!("{side}-heat"), Some(w), Unit::Watts)));
    out
}

/// A circuit's measured values.
fn electric(id: &str, doc: &Value) -> Vec<Raw> {
    let mut out = Vec::new();
    for (property, name, unit) in [
        ("CurrentAmps", "amps", Unit::Amperes),
        ("Voltage", "volts", Unit::Volts),
        ("PowerWatts", "watts", Unit::Watts),
        ("EnergykWh", "energy", Unit::KilowattHours),
    ] {
        let most = if unit == Unit::Watts { MOST_WATTS } else { MOST };
        if let Some(value) = measured(at(doc, &format!("{property}/Reading"))).filter(|v| v.abs() < most) {
            out.push((format!("{id}-{name}"), Some(value), unit));
        }
    }
    let phases = doc["PolyPhaseCurrentAmps"].as_object().into_iter().flatten();
    for (phase, excerpt) in phases {
        if let Some(amps) = measured(&excerpt["Reading"]) {
            let phase: String = phase
                .to_ascii_lowercase()
                .chars()
                .filter(char::is_ascii_alphanumeric)
                .take(16)
                .collect();
            out.push((format!("{id}-{phase}-amps"), Some(amps), Unit::Amperes));
        }
    }
    out
}

/// What a circuit is rated for (`Circuit.v1_9_0`): its amperes are de-rated already, and of a range of volts the lowest is
/// sure. Nothing when one of the three is not told.
fn rating(doc: &Value) -> Option<Rating> {
    let amps = measured(&doc["RatedCurrentAmps"]).filter(|a| *a > 0.0)?;
    let nominal = text(&doc["NominalVoltage"])?;
    let (direct, rest) = match nominal.strip_prefix("DC") {
        Some(rest) => (true, rest.trim_start_matches("Neg")),
        None => (false, nominal.strip_prefix("AC")?),
    };
    // `AC208V`, `AC200To240V`, `DCNeg48V`, `DC1_8V`; `AC240AndDC380V` is 200 to 240 V, `AC277AndDC380V` 200 to 277 V
    let digits: String = rest.chars().take_while(|c| c.is_ascii_digit() || *c == '_').collect();
    let volts = if rest.contains("And") {
        200.0
    } else {
        digits.replace('_', ".").parse().ok().filter(|v| *v > 0.0)?
    };
    let phases = match text(&doc["PhaseWiringType"]).as_deref() {
        _ if direct => 1,
        Some("OnePhase3Wire" | "OneOrTwoPhase3Wire") => 1,
        Some("TwoPhase3Wire" | "TwoPhase4Wire") => 2,
        Some("ThreePhase4Wire" | "ThreePhase5Wire") => 3,
        _ => return None,
    };
    Some(Rating { amps, volts, phases })
}

/// From the device's own metrics, or from those of the chassis that it is.
async fn watts(crawl: &Crawl<'_>, doc: &Value) -> Option<f64> {
    if let Some((_, metrics)) = crawl.follow(doc, "Metrics").await
        && let Some(watts) = ["PowerWatts", "InputPowerWatts", "OutputPowerWatts"]
            .iter()
            .find_map(|n| positive(&metrics[*n]))
    {
        return Some(watts);
    }
    for (path, chassis) in crawl.all(links(doc, "Chassis")).await {
        let readings = crate::redfish::sensors::chassis(crawl, &path, &chassis, None).await;
        if let Some(watts) = readings.into_iter().find(|r| r.0 == "watts").and_then(|r| r.1) {
            return Some(watts);
        }
    }
    None
}

/// Watts of a `SensorExcerpt` or a bare number; zero is no reading, and what nobody has built is none either.
pub fn positive(value: &Value) -> Option<f64> {
    let told = number(&value["Reading"]).or_else(|| number(value));
    told.filter(|w| *w > 0.0 && *w < MOST_WATTS)
}

/// A quantity that can be believed.
fn measured(value: &Value) -> Option<f64> {
    number(value).filter(|n| n.abs() < MOST)
}

/// One outlet.
pub(crate) fn outlet(path: &str, doc: &Value) -> Outlet {
    Outlet {
        id: text(&doc["Id"]).unwrap_or_else(|| last(path).to_owned()),
        label: text(&doc["UserLabel"]),
        power: crate::redfish::discover::power_state(doc),
        // An outlet with nothing plugged in draws zero, and means it.
        watts: measured(at(doc, "PowerWatts/Reading")).filter(|w| (0.0..MOST_WATTS).contains(w)),
        amps: measured(at(doc, "CurrentAmps/Reading")).filter(|a| *a >= 0.0),
        switched: doc["Actions"]["#Outlet.PowerControl"].is_object(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_rating_is_known_when_amperes_volts_and_phases_are() {
        let of = |amps: f64, volts: &str, wiring: &str| {
            let doc = json!({"RatedCurrentAmps": amps, "NominalVoltage": volts, "PhaseWiringType": wiring});
            rating(&doc).map(|r| (r.phases, r.watts().round()))
        };
        for (amps, volts, wiring, is) in [
            (32.0, "AC230V", "OnePhase3Wire", Some((1, 7360.0))),
            (24.0, "AC208V", "TwoPhase3Wire", Some((2, 4992.0))),
            (32.0, "AC400V", "ThreePhase5Wire", Some((3, 22170.0))),
            (40.0, "AC200To240V", "ThreePhase5Wire", Some((3, 13856.0))),
            (10.0, "AC277AndDC380V", "OnePhase3Wire", Some((1, 2000.0))),
            (100.0, "DCNeg48V", "", Some((1, 4800.0))),
            (10.0, "DC1_8V", "", Some((1, 18.0))),
            (0.0, "AC230V", "OnePhase3Wire", None),
            (32.0, "AC230V", "", None),
            (32.0, "230", "OnePhase3Wire", None),
            (32.0, "ACV", "OnePhase3Wire", None),
        ] {
            assert_eq!(of(amps, volts, wiring), is, "{amps} {volts} {wiring}");
        }
        assert_eq!(rating(&json!({})), None);
    }
}
