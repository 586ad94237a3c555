//! What can be broken in this rack, and where: every action, in words, with what it takes and the places that take it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::emulated::{Bmc, Emulated};
use crate::faults::Action;
use crate::physics::act::MOST_LEAK;
use crate::physics::gear::Gear;
use crate::physics::plant::Thing;
use crate::physics::{Plant, Quantity, Readings as _};

/// Something that can be broken here, as `GET /kinds` lists it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FaultKind {
    /// A fault's `action`: `pull_cable`.
    pub action: String,
    /// A few words.
    pub title: String,
    /// What comes of it, in a sentence.
    pub effect: String,
    /// Where it happens.
    pub part: FaultPart,
    /// What it takes besides a place.
    pub parameters: Vec<Parameter>,
    /// Where it can be set; never empty.
    pub at: Vec<Spot>,
}

/// Where a fault happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FaultPart {
    /// In what carries power and heat; it holds until it is cleared.
    Plant,
    /// In a BMC, when it is asked something.
    Bmc,
    /// In a machine: its firmware, its disks, its network.
    Machine,
}

/// Something that a fault takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = FaultParameter)]
pub struct Parameter {
    /// Its field: `supply`.
    pub name: String,
    /// What it counts in: `ms`, `l/min`, `bytes`; empty where it counts nothing.
    pub unit: String,
    /// Whether its values are those that each place lists, [`Spot::values`]; else it is a number.
    pub listed: bool,
    /// A number to begin with.
    pub usual: Option<f64>,
    /// Smallest number.
    pub least: Option<f64>,
    /// Largest number.
    pub most: Option<f64>,
    /// Whether it may be left out; of a listed one, that means all of them.
    pub optional: bool,
}

/// A place that can be hit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = FaultSpot)]
pub struct Spot {
    /// As a fault names it: `r1/u3`, `pdu-a`.
    pub place: String,
    /// Values of the parameter that is listed: the numbers of its supplies, the names of its sensors.
    pub values: Vec<String>,
}

/// What each action is called, what comes of it, and an example of it.
type Told = (Action, &'static str, &'static str);

/// Every action. The test `no_action_is_left_out` compares it with what can be read.
fn every() -> Vec<Told> {
    use Action::*;
    let sensor = String::new();
    vec![
        (
            PullCable { supply: 0 },
            "Pull a power cable",
            "That supply has no input: the box lives on its others, and is dead without one.",
        ),
        (
            FailSupply { supply: 0 },
            "Break a supply",
            "It gives nothing any more; the others carry its share.",
        ),
        (
            FailFan { fan: None },
            "Stop fans",
            "Less air goes through, or none: chips get hotter, slow down, and at last the box switches itself off.",
        ),
        (
            TripBreaker,
            "Trip its breaker",
            "Everything behind it is dark until it is closed again.",
        ),
        (
            LoseFeed,
            "Lose the feed",
            "No voltage comes in: PDUs and boxes that hang on it alone are dark.",
        ),
        (
            StopPump { pump: None },
            "Stop pumps",
            "Coolant moves slower or not at all, and what it cools gets hot within seconds.",
        ),
        (
            StopCooling,
            "Stop the cooling",
            "Nothing takes its heat any more: it warms up, and everything that breathes or drinks it.",
        ),
        (
            Leak { litres_per_minute: 1.0 },
            "Spring a leak",
            "Coolant is lost: detectors get moist, then wet, and once too little is left the pumps run dry.",
        ),
        (
            DriftSensor {
                sensor,
                per_hour: 0.0,
                offset: 0.0,
            },
            "Make a sensor lie",
            "What the BMC tells is beside the truth; the box itself is as it was.",
        ),
        (
            Hang,
            "Hang the BMC",
            "It takes requests and answers none: the box is silent, what runs on it goes on.",
        ),
        (
            Vanish,
            "Take the BMC off the network",
            "It takes connections and says no word on them.",
        ),
        (Delay { millis: 2000 }, "Slow the BMC down", "Every answer comes late."),
        (
            Status { code: 503 },
            "Let the BMC answer errors",
            "Every request is answered with this HTTP status.",
        ),
        (
            Reset,
            "Let the BMC drop connections",
            "Connections are closed without an answer.",
        ),
        (
            BrokenJson,
            "Garble the BMC's answers",
            "Answers end in the middle of their JSON.",
        ),
        (
            HugeBody { bytes: 64 << 20 },
            "Let the BMC answer endlessly",
            "Answers are far larger than any document.",
        ),
        (
            WrongPassword,
            "Change the BMC's password",
            "The right password is refused; the box can't be looked at or switched.",
        ),
        (IgnoreReset, "Ignore power commands", "It takes them and does nothing."),
        (
            StuckPost,
            "Get stuck in the self test",
            "The next start never gets past it.",
        ),
        (DropDhcp, "Lose DHCP replies", "Firmware that netboots gets no address."),
        (
            DiskError,
            "Break the disk",
            "The next write fails, and an installation with it.",
        ),
        (
            SlowDisk { millis: 200 },
            "Slow the disk down",
            "Each write takes longer, and so does an installation.",
        ),
        (
            LosePower,
            "Lose all power",
            "At its BMC's next request all cables are as if they fell out.",
        ),
    ]
}

fn listed(name: &str, optional: bool) -> Parameter {
    Parameter {
        listed: true,
        optional,
        ..number(name, "", (None, None), None)
    }
}

fn number(name: &str, unit: &str, (least, most): (Option<f64>, Option<f64>), usual: Option<f64>) -> Parameter {
    Parameter {
        name: name.to_owned(),
        unit: unit.to_owned(),
        listed: false,
        usual,
        least,
        most,
        optional: false,
    }
}

/// What it takes.
fn parameters(action: &Action) -> Vec<Parameter> {
    use Action::*;
    let millis = |usual: u64| number("millis", "ms", (Some(0.0), None), Some(usual as f64));
    match action {
        PullCable { .. } | FailSupply { .. } => vec![listed("supply", false)],
        FailFan { .. } => vec![listed("fan", true)],
        StopPump { .. } => vec![listed("pump", true)],
        Leak { litres_per_minute } => {
            let range = (Some(0.1), Some(MOST_LEAK));
            vec![number("litres_per_minute", "l/min", range, Some(*litres_per_minute))]
        }
        DriftSensor { .. } => vec![
            listed("sensor", false),
            number("per_hour", "an hour", (None, None), Some(0.0)),
            number("offset", "at once", (None, None), Some(10.0)),
        ],
        Delay { millis: usual } | SlowDisk { millis: usual } => vec![millis(*usual)],
        Status { code } => vec![number("code", "", (Some(400.0), Some(599.0)), Some(f64::from(*code)))],
        HugeBody { bytes } => vec![number("bytes", "bytes", (Some(1.0), None), Some(*bytes as f64))],
        Vanish | Hang | Reset | BrokenJson | WrongPassword | IgnoreReset | DropDhcp | DiskError | StuckPost
        | LosePower | StopCooling | TripBreaker | LoseFeed => Vec::new(),
    }
}

/// Where it can be set.
fn spots(rack: &Emulated, action: &Action) -> Vec<Spot> {
    use Action::*;
    let plain = |place: &str| Spot {
        place: place.to_owned(),
        values: Vec::new(),
    };
    if action.physical() {
        return rack.physics(|b| {
            let all = b.plant.all();
            let named = all.filter(|id| !b.plant.name_of(*id).is_empty());
            let hit = named.filter_map(|id| {
                let values = in_plant(&b.plant, id, action)?;
                let place = b.plant.name_of(id).to_owned();
                Some(Spot { place, values })
            });
            hit.collect()
        });
    }
    match action {
        // a rack's own boxes only hang
        Vanish => Vec::new(),
        DropDhcp | DiskError | SlowDisk { .. } if rack.config.machines.is_some() => Vec::new(),
        DropDhcp | DiskError | SlowDisk { .. } | IgnoreReset | StuckPost => {
            rack.servers.iter().map(|s| plain(&s.spec.place)).collect()
        }
        _ => {
            let servers = (0..rack.servers.len()).filter(|i| rack.servers[*i].spec.bmc.is_some());
            let equipment = (0..rack.equipment.len()).map(Bmc::Equipment);
            let boxes = servers.map(Bmc::Server).chain(equipment);
            // a PDU has no cables of its own to fall out
            let pdus = (0..rack.pdus.len()).filter(|_| *action != LosePower).map(Bmc::Pdu);
            boxes.chain(pdus).map(|bmc| plain(rack.name(bmc))).collect()
        }
    }
}

fn numbers(count: u8) -> Option<Vec<String>> {
    (count > 0).then(|| (0..count).map(|n| n.to_string()).collect())
}

/// The values that are listed for something of the plant; `None` when it can't be hit so.
fn in_plant(plant: &Plant, id: crate::physics::BoxId, action: &Action) -> Option<Vec<String>> {
    use Action::*;
    let kind = plant.kind(id);
    let thing = plant.what(id)?;
    let gear = match thing {
        Thing::Gear(n) => Some(&plant.gear().get(usize::from(n))?.gear),
        _ => None,
    };
    // a loop, or the coolant unit whose pumps move it
    let circuit = match thing {
        Thing::Circuit(n) => Some(n),
        Thing::Body(_) => plant.body(id)?.pumps,
        Thing::Gear(_) => None,
    };
    let circuit = circuit.and_then(|n| plant.circuits().get(usize::from(n)));
    match action {
        PullCable { .. } => numbers(kind?.supply.count),
        FailSupply { .. } => match gear {
            Some(Gear::Shelf { count, .. }) => numbers(*count),
            _ => numbers(kind?.supply.count),
        },
        FailFan { .. } => numbers(kind?.fans),
        StopPump { .. } => numbers(circuit?.pumps.as_ref()?.count),
        StopCooling => circuit.map(|_| Vec::new()),
        Leak { .. } => circuit?.pumps.as_ref().map(|_| Vec::new()),
        TripBreaker => {
            let has = matches!(gear?, Gear::Breaker { .. } | Gear::Pdu | Gear::Shelf { .. });
            (has && plant.breaker_before(plant.name_of(id)).is_some()).then(Vec::new)
        }
        LoseFeed => matches!(gear?, Gear::Source { .. }).then(Vec::new),
        DriftSensor { .. } => {
            let all = sensors().filter(|name| Quantity::named(name).is_some_and(|q| plant.read(id, q).is_some()));
            Some(all.collect::<Vec<_>>()).filter(|all| !all.is_empty())
        }
        _ => None,
    }
}

/// Names of quantities that people watch.
fn sensors() -> impl Iterator<Item = String> {
    const PLAIN: [&str; 8] = [
        "InletCelsius",
        "ExhaustCelsius",
        "TotalWatts",
        "DimmCelsius",
        "CoolantSupplyCelsius",
        "CoolantReturnCelsius",
        "CoolantFlow",
        "CoolantPressure",
    ];
    const COUNTED: [(&str, u8); 3] = [("CpuCelsius", 2), ("GpuCelsius", 8), ("FanRpm", 4)];
    let counted = COUNTED
        .into_iter()
        .flat_map(|(name, n)| (0..n).map(move |i| format!("{name}{i}")));
    PLAIN.into_iter().map(str::to_owned).chain(counted)
}

pub(super) async fn kinds(State(rack): State<Arc<Emulated>>) -> Json<Vec<FaultKind>> {
    let all = every().into_iter().filter_map(|(action, title, effect)| {
        let at = spots(&rack, &action);
        let word = serde_json::to_value(&action).ok()?["action"].as_str()?.to_owned();
        (!at.is_empty()).then(|| FaultKind {
            action: word,
            title: title.to_owned(),
            effect: effect.to_owned(),
            part: match (action.physical(), action.inside_machine()) {
                (true, _) => FaultPart::Plant,
                (_, Some(_)) => FaultPart::Machine,
                _ => FaultPart::Bmc,
            },
            parameters: parameters(&action),
            at,
        })
    });
    Json(all.collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn no_action_is_left_out() {
        // the reader says which ones it knows
        let known = serde_json::from_str::<Action>(r#"{"action":"nothing"}"#).unwrap_err();
        let known = known.to_string();
        let known: Vec<&str> = known.split('`').skip(3).step_by(2).collect();
        let mut told: Vec<String> = Vec::new();
        for (action, ..) in every() {
            let action = serde_json::to_value(action).unwrap();
            let mut fields: Vec<String> = action.as_object().unwrap().keys().cloned().collect();
            fields.retain(|f| f != "action");
            let action: Action = serde_json::from_value(action.clone()).unwrap();
            let mut takes: Vec<String> = parameters(&action).into_iter().map(|p| p.name).collect();
            takes.sort();
            fields.sort();
            assert_eq!(takes, fields, "{action:?}");
            told.push(
                serde_json::to_value(action).unwrap()["action"]
                    .as_str()
                    .unwrap()
                    .to_owned(),
            );
        }
        assert!(known.len() > 20, "{known:?}");
        let missing: Vec<&&str> = known.iter().filter(|k| !told.iter().any(|t| t == **k)).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
