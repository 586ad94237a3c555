//! A rack as it is drawn: where each box stands and what is shown of it. Whoever draws it decides nothing more.
//!
//! [`place`](mod@place) is geometry: units from what is written down, else from the slot's own name, and columns for boxes that share
//! a unit. [`value`] is what is shown of a box: a number with its place on the palette, or a class; never a number that
//! nobody measured just now (invariant I7).

mod place;
#[cfg(test)]
mod tests;
mod value;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use rack::elevation::{By, Cell, ClassLabel, DrawnBox, DrawnOutlet, DrawnValue, Elevation, Flank, Legend, Totals};
use rack::intent::{BoxKind, Face, IntendedBox, Intent};
use rack::request::DeviceView;
use rack::shed::Shed;
use rack::{Identity, Machine, Name, Node, PartKind, Place, PowerState, Reading, State, Time, Unit};

use value::{Scale, Shown};

/// Height of a rack of which nobody wrote one down.
const UNITS: u32 = 42;

/// What is drawn.
pub struct Rack<'a> {
    /// The rack.
    pub name: &'a Name,
    /// What its boxes are told apart by.
    pub by: By,
    /// As of when.
    pub at: Time,
    /// Whether that is a moment of the past, of which readings alone are kept.
    pub past: bool,
    /// How old a reading may be that is shown.
    pub age: Duration,
    /// What can become machines.
    pub nodes: Vec<SeenNode<'a>>,
    /// What can't.
    pub devices: Vec<DeviceView>,
    /// What was written down.
    pub intent: Option<&'a Intent>,
}

/// A node and what is seen of it.
pub struct SeenNode<'a> {
    /// The node.
    pub node: &'a Node,
    /// The machine that holds it.
    pub machine: Option<&'a Machine>,
    /// On or off at the last answer.
    pub power: Option<PowerState>,
    /// Why its BMC does not answer, when it does not.
    pub silent: Option<String>,
    /// Its readings.
    pub readings: Vec<Reading>,
    /// Its power cap in watts, when it has one.
    pub cap: Option<f64>,
    /// The lowest cap that it takes, in watts, when it is known to take any.
    pub floor: Option<f64>,
    /// What is taken from its machine so that nothing trips.
    pub shed: Option<Shed>,
}

/// Where and how a rack's boxes are drawn.
pub fn draw(rack: &Rack) -> Elevation {
    let intended: BTreeMap<&str, &IntendedBox> = rack
        .intent
        .iter()
        .flat_map(|i| &i.boxes)
        .map(|b| (b.slot.as_str(), b))
        .collect();
    let meant = |place: &Place| place.slot().and_then(|s| intended.get(s).copied());
    let like = value::versions_of_models(rack);
    let context = value::Context { rack, like: &like };
    let mut all: Vec<(DrawnBox, Shown, Vec<CellShown>)> = Vec::new();
    let mut flanks: Vec<(Flank, Shown)> = Vec::new();
    for seen in &rack.nodes {
        let meant = meant(&seen.node.place);
        all.push((
            server(rack, seen, meant),
            context.of_node(seen, meant),
            cells(&context, seen),
        ));
    }
    let feeds = fed(rack);
    for device in &rack.devices {
        let meant = meant(&device.place);
        let shown = context.of_device(device);
        if is_flank(&device.place, &device.kind, meant) {
            flanks.push((flank(rack, device, &feeds), shown));
        } else {
            all.push((other(rack, device, meant), shown, Vec::new()));
        }
    }
    // what is written down and was found is there already
    let nodes = rack.nodes.iter().map(|n| &n.node.place);
    let slots: HashSet<&str> = nodes
        .chain(rack.devices.iter().map(|d| &d.place))
        .filter_map(Place::slot)
        .collect();
    for meant in rack.intent.iter().flat_map(|i| &i.boxes) {
        if slots.contains(meant.slot.as_str()) {
            continue;
        }
        let place = Place::new(rack.name, &meant.slot);
        let shown = Shown::Missing(absent(meant.kind));
        if is_flank(&place, meant.kind.as_str(), Some(meant)) {
            flanks.push((intended_flank(place, meant), shown));
        } else {
            all.push((intended_box(place, meant), shown, Vec::new()));
        }
    }
    all.sort_by(|(a, ..), (b, ..)| a.place.cmp(&b.place));
    flanks.sort_by(|(a, _), (b, _)| a.place.cmp(&b.place));

    let shown = || all.iter().map(|(_, s, _)| s).chain(flanks.iter().map(|(_, s)| s));
    let shaded = all.iter().filter(|(b, ..)| !passes_on(rack.by, &b.kind));
    let numbers = shaded.filter_map(|(b, s, _)| Some(s.number()? / spread(rack.by, b)));
    let scale = Scale::of(rack.by, rack.age, numbers);
    let classes = classes(rack.by, shown());
    let (mut boxes, mut feet) = (Vec::new(), Vec::new());
    for (mut drawn, shown, cells) in all {
        (drawn.value, drawn.missing) = shown.value(&scale, spread(rack.by, &drawn), rack.at);
        unshade(rack.by, &drawn.kind, &mut drawn.value);
        drawn.cells = cells.into_iter().map(|c| c.cell(&scale, rack.at)).collect();
        if drawn.unit.is_some() { &mut boxes } else { &mut feet }.push(drawn);
    }
    place::columns(&mut boxes);
    let flanks = flanks
        .into_iter()
        .map(|(mut flank, shown)| {
            (flank.value, flank.missing) = shown.value(&scale, 1.0, rack.at);
            unshade(rack.by, &flank.kind, &mut flank.value);
            flank
        })
        .collect();
    Elevation {
        rack: rack.name.clone(),
        units: place::height(rack.intent.and_then(|i| i.units), &boxes),
        by: rack.by,
        unit: value::unit(rack.by).to_owned(),
        at: rack.at,
        past: rack.past,
        legend: Legend {
            low: (!rack.by.is_classed()).then_some(scale.low),
            high: (!rack.by.is_classed()).then_some(scale.high),
            label: value::label(rack.by).to_owned(),
            classes,
        },
        boxes,
        flanks,
        feet,
        totals: totals(rack),
    }
}

/// A PDU hangs at the side, unless someone wrote down that it lies in a unit, or its slot says so.
fn is_flank(place: &Place, kind: &str, meant: Option<&IntendedBox>) -> bool {
    kind == "pdu" && place::of(place, meant).is_none()
}

/// Units of height over which what a box draws is spread: what is told apart by colour is how densely power is drawn, as a box of eight
/// units draws what eight do. Everything else is of a box as it is.
fn spread(by: By, of: &DrawnBox) -> f64 {
    if by == By::Power { of.height.max(1.0) } else { 1.0 }
}

/// Whether what a box draws is what others draw: on one palette with them it would leave them all dark.
fn passes_on(by: By, kind: &str) -> bool {
    by == By::Power && matches!(kind, "pdu" | "power-shelf" | "transfer-switch")
}

/// Takes the place on the palette from what has none there; its number stays.
fn unshade(by: By, kind: &str, value: &mut Option<DrawnValue>) {
    if passes_on(by, kind)
        && let Some(value) = value
    {
        value.shade = None;
    }
}

fn absent(kind: BoxKind) -> &'static str {
    match kind {
        BoxKind::Other | BoxKind::Switch => "not looked for",
        BoxKind::Server | BoxKind::Pdu => "not found",
    }
}

/// Maker and model in one text, without saying the maker twice.
pub(crate) fn model(maker: Option<&str>, model: Option<&str>) -> Option<String> {
    match (maker, model) {
        (Some(maker), Some(model)) if !model.to_lowercase().contains(&maker.to_lowercase()) => {
            Some(format!("{maker} {model}"))
        }
        (maker, model) => model.or(maker).map(str::to_owned),
    }
}

/// A box at its place, with nothing known of it.
fn blank(place: Place, kind: &str, meant: Option<&IntendedBox>) -> DrawnBox {
    let (unit, height) = match place::of(&place, meant) {
        Some((unit, height)) => (Some(unit), height),
        None => (None, meant.and_then(|m| m.height).unwrap_or(1.0)),
    };
    DrawnBox {
        unit,
        height,
        face: meant.map_or(Face::Front, |m| m.face),
        half_depth: meant.is_some_and(|m| m.half_depth),
        column: 0,
        columns: 1,
        kind: kind.to_owned(),
        model: meant.and_then(|m| model(m.maker.as_deref(), m.model.as_deref())),
        name: meant.and_then(|m| m.name.clone()),
        found: true,
        machine: None,
        state: None,
        held: None,
        shed: None,
        power: None,
        health: None,
        silent: None,
        armed: false,
        cordoned: None,
        value: None,
        missing: None,
        cells: Vec::new(),
        place,
    }
}

fn server(rack: &Rack, seen: &SeenNode, meant: Option<&IntendedBox>) -> DrawnBox {
    let node = seen.node;
    let Identity { maker, model: of, .. } = &node.identity;
    let now = !rack.past;
    let held = |m: &Machine| (m.status.state == State::Held).then(|| m.status.reason.clone());
    let blank = blank(node.place.clone(), "server", meant);
    DrawnBox {
        model: model(maker.as_deref(), of.as_deref()).or(blank.model.clone()),
        machine: node.holder.clone().filter(|_| now),
        state: seen.machine.filter(|_| now).map(|m| m.status.state.to_string()),
        held: seen.machine.filter(|_| now).and_then(held),
        shed: seen.shed.clone().filter(|_| now),
        power: seen.power.filter(|_| now),
        health: now.then_some(node.health),
        silent: seen.silent.clone().filter(|_| now),
        armed: node.armed,
        cordoned: node.cordoned.clone().filter(|_| now),
        ..blank
    }
}

fn other(rack: &Rack, device: &DeviceView, meant: Option<&IntendedBox>) -> DrawnBox {
    let blank = blank(device.place.clone(), &device.kind, meant);
    DrawnBox {
        model: model(device.maker.as_deref(), device.model.as_deref()).or(blank.model.clone()),
        health: (!rack.past).then_some(device.health),
        ..blank
    }
}

fn intended_box(place: Place, meant: &IntendedBox) -> DrawnBox {
    DrawnBox {
        found: false,
        ..blank(place, meant.kind.as_str(), Some(meant))
    }
}

/// What each outlet feeds, as it was written down: with the boxes, else with the nodes.
fn fed<'a>(rack: &'a Rack) -> HashMap<(&'a Place, &'a str), Place> {
    let mut all = HashMap::new();
    for meant in rack.intent.iter().flat_map(|i| &i.boxes) {
        let at = |o: &'a rack::node::OutletRef| ((&o.pdu, o.outlet.as_str()), Place::new(rack.name, &meant.slot));
        all.extend(meant.outlets.iter().map(at));
    }
    for node in &rack.nodes {
        let at = |o: &'a rack::node::OutletRef| ((&o.pdu, o.outlet.as_str()), node.node.place.clone());
        all.extend(node.node.outlets.iter().map(at));
    }
    all
}

fn flank(rack: &Rack, device: &DeviceView, feeds: &HashMap<(&Place, &str), Place>) -> Flank {
    let now = !rack.past;
    let outlets = device.outlets.iter().map(|o| DrawnOutlet {
        outlet: o.id.clone(),
        label: o.label.clone(),
        on: o.power.filter(|_| now).map(|p| p == PowerState::On),
        feeds: feeds.get(&(&device.place, o.id.as_str())).cloned(),
        watts: o.watts.filter(|_| now),
    });
    Flank {
        place: device.place.clone(),
        kind: device.kind.clone(),
        model: model(device.maker.as_deref(), device.model.as_deref()),
        found: true,
        health: now.then_some(device.health),
        value: None,
        missing: None,
        outlets: outlets.collect(),
    }
}

fn intended_flank(place: Place, meant: &IntendedBox) -> Flank {
    Flank {
        place,
        kind: meant.kind.as_str().to_owned(),
        model: model(meant.maker.as_deref(), meant.model.as_deref()),
        found: false,
        health: None,
        value: None,
        missing: None,
        outlets: Vec::new(),
    }
}

/// An accelerator of a box, and what is known of itself.
struct CellShown {
    name: String,
    shown: Shown,
}

impl CellShown {
    fn cell(self, scale: &Scale, at: Time) -> Cell {
        let (value, _) = self.shown.value(scale, 1.0, at);
        Cell {
            name: self.name,
            kind: "gpu".to_owned(),
            shade: value.as_ref().and_then(|v| v.shade),
            class: value.as_ref().and_then(|v| v.class),
            text: value.map(|v| v.text).unwrap_or_default(),
        }
    }
}

fn cells(context: &value::Context, seen: &SeenNode) -> Vec<CellShown> {
    let gpus = seen
        .node
        .parts
        .iter()
        .filter(|p| matches!(p.kind, PartKind::Gpu { .. }));
    gpus.map(|part| CellShown {
        name: part.id.clone(),
        shown: context.of_part(seen, part),
    })
    .collect()
}

/// The classes that are there, each with its boxes.
fn classes<'a>(by: By, shown: impl Iterator<Item = &'a Shown>) -> Vec<ClassLabel> {
    let mut counts: BTreeMap<rack::elevation::Class, u32> = BTreeMap::new();
    if by.is_classed() {
        for class in shown.filter_map(Shown::class) {
            *counts.entry(class).or_default() += 1;
        }
    }
    let label = |(class, boxes)| ClassLabel {
        class,
        label: value::class_label(by, class).to_owned(),
        boxes,
    };
    counts.into_iter().map(label).collect()
}

fn totals(rack: &Rack) -> Totals {
    let fresh = |n: &SeenNode, name, unit| Reading::named(&n.readings, name, unit, rack.at, rack.age);
    let watts: Vec<f64> = rack
        .nodes
        .iter()
        .filter_map(|n| fresh(n, "watts", Unit::Watts))
        .collect();
    let unknown = rack.nodes.len() - watts.len();
    Totals {
        unknown: u32::try_from(unknown).unwrap_or(u32::MAX),
        watts: watts.into_iter().reduce(|a, b| a + b),
        inlet_max: rack
            .nodes
            .iter()
            .filter_map(|n| fresh(n, "inlet", Unit::Celsius))
            .reduce(f64::max),
    }
}
