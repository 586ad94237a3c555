//! The rack as it stands, in truth: what `busbar emulate ls` shows.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::emulated::Emulated;
use crate::model::Activity;
use crate::physics::circuit::{AIR, Circuit};
use crate::physics::gear::{Gear, Piece};
use crate::physics::{BoxId, Plant, Quantity as Q, Readings};

/// The rack, as `GET /rack` tells it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RackStatus {
    /// What it is.
    pub about: String,
    /// Its seconds since it was started.
    pub seconds: f64,
    /// How many times faster than real it runs.
    pub speed: f64,
    /// Its boxes.
    pub boxes: Vec<BoxStatus>,
    /// Feeds, PDUs, shelves, breakers: whatever has a name.
    pub gear: Vec<GearStatus>,
    /// Room, loops, tanks.
    pub circuits: Vec<CircuitStatus>,
    /// Faults that are set.
    pub faults: usize,
}

/// A box.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BoxStatus {
    /// `r1/u3`.
    pub place: String,
    /// Its kind.
    pub kind: String,
    /// What runs on it, of a server.
    pub activity: Option<Activity>,
    /// Whether it is on.
    pub on: bool,
    /// Supplies with input, and all.
    pub fed: (u8, u8),
    /// Of each supply, whether it has input and is whole.
    pub supplies: Vec<bool>,
    /// Whether heat has switched it off.
    pub too_hot: bool,
    /// Chips whose clocks are halved.
    pub throttled: usize,
    /// Watts at the wall.
    pub watts: f64,
    /// Air in.
    pub inlet: f64,
    /// Air out.
    pub exhaust: Option<f64>,
    /// Hottest chip.
    pub hottest: Option<f64>,
    /// Fans, percent of full speed.
    pub fans: Option<f64>,
    /// Share of full load that is done, percent.
    pub work: f64,
    /// What it is asked to do when something runs on it: `idle`, `training`, `0.3`.
    pub load: String,
}

/// A piece of gear.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GearStatus {
    /// Its name.
    pub name: String,
    /// `source`, `breaker`, `pdu`, `shelf`, …
    pub what: String,
    /// Whether there is voltage behind it.
    pub live: bool,
    /// Watts into it.
    pub watts: f64,
    /// Amps of the phase that carries most.
    pub amps: f64,
    /// Amps that it carries, of a breaker.
    pub rated: Option<f64>,
    /// Heat memory, percent, of a breaker; charge, of what has a battery.
    pub percent: Option<f64>,
    /// The breaker that protects it, or itself.
    pub breaker: Option<String>,
    /// Boxes that hang on it, by one supply at least.
    pub behind: Vec<String>,
    /// Those of them that would be without input if it went dark now.
    pub last: Vec<String>,
}

/// Air or coolant that goes round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CircuitStatus {
    /// Its name.
    pub name: String,
    /// What it sends out, °C.
    pub cold: f64,
    /// What comes back, °C.
    pub hot: f64,
    /// Heat that its cooler takes, W.
    pub removed: f64,
    /// m³/s of air, l/min of liquid.
    pub flow: f64,
    /// Litres of a liquid.
    pub litres: Option<f64>,
}

pub(super) async fn rack(State(rack): State<Arc<Emulated>>) -> Json<RackStatus> {
    let activities: Vec<Activity> = (0..rack.servers.len()).map(|i| rack.state(i).activity).collect();
    let activity = |of: BoxId| rack.servers.iter().position(|s| s.body == of).map(|i| activities[i]);
    let (boxes, gear, circuits) = rack.physics(|b| {
        let p = &b.plant;
        let boxes = p.all().filter_map(|of| box_status(p, of, activity(of))).collect();
        let gear = p
            .gear()
            .iter()
            .filter(|g| !g.name.is_empty())
            .map(|g| gear_status(p, g))
            .collect();
        (boxes, gear, p.circuits().iter().map(circuit_status).collect())
    });
    Json(RackStatus {
        about: rack.config.layout.describe().about.clone(),
        seconds: rack.seconds(),
        speed: rack.speed(),
        boxes,
        gear,
        circuits,
        faults: rack.faults.list().len(),
    })
}

fn box_status(p: &Plant, of: BoxId, activity: Option<Activity>) -> Option<BoxStatus> {
    let (body, kind) = p.body(of).zip(p.kind(of))?;
    let chips = p.chips(of);
    let supplies = p.supplies(of);
    Some(BoxStatus {
        place: p.name_of(of).to_owned(),
        kind: kind.name.to_owned(),
        activity,
        on: body.on,
        fed: (supplies.iter().filter(|s| s.fed).count() as u8, supplies.len() as u8),
        supplies: supplies.iter().map(|s| s.fed && !s.failed).collect(),
        too_hot: body.too_hot,
        throttled: chips.iter().filter(|c| c.throttled).count(),
        watts: body.into,
        inlet: body.inlet,
        exhaust: p.read(of, Q::ExhaustCelsius),
        hottest: chips.iter().map(|c| c.die).reduce(f64::max),
        fans: p.read(of, Q::FanPercent),
        work: body.work * 100.0,
        load: body.trace.word(),
    })
}

fn gear_status(p: &Plant, piece: &Piece) -> GearStatus {
    let (behind, last) = p.hang_on(&piece.name);
    let (what, rated, percent) = match &piece.gear {
        Gear::Source { .. } => ("source", None, None),
        Gear::Transfer { .. } => ("transfer switch", None, None),
        Gear::Ups { .. } => ("ups", None, None),
        Gear::Breaker {
            amps, heat, tripped, ..
        } => {
            let heat = heat.iter().fold(0.0f64, |a, b| a.max(*b)) * 100.0;
            (
                if *tripped { "breaker, tripped" } else { "breaker" },
                Some(*amps),
                Some(heat),
            )
        }
        Gear::Pdu => ("pdu", None, None),
        Gear::Outlet { .. } => ("outlet", None, None),
        Gear::Shelf { .. } => ("shelf", None, None),
        Gear::Bus => ("bus bar", None, None),
    };
    let charge = piece.battery().map(|b| b.joules / b.full * 100.0);
    GearStatus {
        name: piece.name.clone(),
        what: what.to_owned(),
        live: piece.live,
        watts: piece.watts(),
        amps: (0..3).map(|n| piece.amps(n)).fold(0.0, f64::max),
        rated,
        percent: percent.or(charge),
        breaker: p.breaker_before(&piece.name).map(str::to_owned),
        behind,
        last,
    }
}

fn circuit_status(c: &Circuit) -> CircuitStatus {
    let moved = c.flow / c.heat;
    CircuitStatus {
        name: c.name.clone(),
        cold: c.cold,
        hot: c.hot,
        removed: c.cooler.taking,
        flow: if c.heat == AIR { moved } else { moved * 60.0 },
        litres: c.pumps.as_ref().map(|_| c.litres()),
    }
}
