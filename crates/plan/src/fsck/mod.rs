//! `fsck`: what is recorded and seen, against what should be. A pure comparison: in go the intent, the nodes and what
//! they were made of when someone last agreed to it; out come findings, each with what to do next.
//!
//! Nothing here is a judgement on what nobody wrote down: a rack without an intent has only its parts and its silent
//! BMCs compared. Start at [`fsck`]; [`parts`] tells what changed in a box, [`cable`] compares names of ports.

pub mod cable;
pub mod parts;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use rack::intent::{Baseline, BoxKind, IntendedBox, Intent};
use rack::request::{DeviceView, NodeLive};
use rack::{Node, NodeId, Part, PartKind, Place, Time};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What is compared.
pub struct Compared<'a> {
    /// A rack, or a place in one.
    pub place: &'a Place,
    /// What that rack should be, when someone wrote it down.
    pub intent: Option<&'a Intent>,
    /// What stands where, in every rack: a box that is missing here may stand elsewhere.
    pub seen: &'a Seen<'a>,
    /// What nodes were made of when someone last agreed.
    pub baselines: &'a dyn Fn(&NodeId) -> Option<Arc<Baseline>>,
    /// When findings were seen first, by key.
    pub since: &'a BTreeMap<String, Time>,
}

/// What stands where: gathered once, however many racks are compared with it.
pub struct Seen<'a> {
    racks: HashMap<&'a str, Boxes<'a>>,
    /// By serial, as [`serial_key`] writes it.
    serials: HashMap<String, &'a Place>,
}

#[derive(Default)]
struct Boxes<'a> {
    nodes: Vec<(&'a Node, NodeLive)>,
    devices: Vec<&'a DeviceView>,
}

impl<'a> Seen<'a> {
    /// Sorts nodes, and every other box, by rack and by serial.
    pub fn new(
        nodes: impl IntoIterator<Item = (&'a Node, NodeLive)>,
        devices: impl IntoIterator<Item = &'a DeviceView>,
    ) -> Seen<'a> {
        let mut seen = Seen {
            racks: HashMap::new(),
            serials: HashMap::new(),
        };
        for (node, live) in nodes {
            seen.add_serial(node.identity.serial.as_deref(), &node.place);
            seen.racks
                .entry(node.place.rack())
                .or_default()
                .nodes
                .push((node, live));
        }
        for device in devices {
            seen.add_serial(device.serial.as_deref(), &device.place);
            seen.racks.entry(device.place.rack()).or_default().devices.push(device);
        }
        seen
    }

    /// Of two boxes with one serial the first counts: a machine comes before what is in it or feeds it.
    fn add_serial(&mut self, serial: Option<&str>, place: &'a Place) {
        if let Some(serial) = serial {
            self.serials.entry(serial_key(serial)).or_insert(place);
        }
    }

    fn nodes(&self, rack: &str) -> &[(&'a Node, NodeLive)] {
        self.racks.get(rack).map_or(&[], |boxes| &boxes.nodes)
    }

    fn devices(&self, rack: &str) -> &[&'a DeviceView] {
        self.racks.get(rack).map_or(&[], |boxes| &boxes.devices)
    }
}

/// Serials that differ in case or in blanks around them are one.
fn serial_key(serial: &str) -> String {
    serial.trim().to_ascii_lowercase()
}

/// What kind of difference it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A box should be there and is not.
    Missing,
    /// A box is there that nobody wrote down.
    Unexpected,
    /// A box stands somewhere else.
    Moved,
    /// The box there is another one: serial, maker or model.
    Identity,
    /// A part was added, removed or replaced.
    Part,
    /// There is less in it than was bought.
    Bill,
    /// Another version.
    Firmware,
    /// A cable ends elsewhere.
    Cable,
    /// Fed by other outlets.
    Outlets,
    /// Its BMC does not answer, so that what is recorded is old.
    Silent,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Finding {
    /// Where.
    pub place: Place,
    /// What kind.
    pub kind: Kind,
    /// What it is about there: a part, a port, a firmware; empty for the box.
    pub subject: String,
    /// The difference in words.
    pub what: String,
    /// When it was seen first.
    pub since: Option<Time>,
    /// What to do.
    pub next: String,
}

impl Finding {
    /// What stays the same while the finding holds, whatever its words.
    pub fn key(&self) -> String {
        let kind = serde_json::to_value(self.kind).unwrap_or_default();
        format!("{} {} {}", self.place, kind.as_str().unwrap_or_default(), self.subject)
    }
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Report {
    /// Boxes that were compared.
    pub compared: usize,
    /// Whether someone wrote down what the rack should be.
    pub intended: bool,
    /// The differences, by place.
    pub findings: Vec<Finding>,
}

/// Compares a place, and all in it.
pub fn fsck(c: &Compared) -> Report {
    let mut report = Report {
        intended: c.intent.is_some(),
        ..Report::default()
    };
    let found = &mut report.findings;
    let (nodes, devices) = (c.seen.nodes(c.place.rack()), c.seen.devices(c.place.rack()));
    for (node, live) in nodes.iter().filter(|(n, _)| n.place.is_in(c.place)) {
        report.compared += 1;
        if let Some(why) = &live.silent {
            let next = format!("busbar doctor; its data are as of {}", node.inventoried);
            let mut f = finding(
                &node.place,
                Kind::Silent,
                "",
                format!("its BMC does not answer: {why}"),
                next,
            );
            f.since = live.seen;
            found.push(f);
        }
        if let Some(base) = (c.baselines)(&node.id) {
            found.extend(changed_parts(node, &base));
        }
    }
    report.compared += devices.iter().filter(|d| d.place.is_in(c.place)).count();
    if let Some(intent) = c.intent {
        for b in &intent.boxes {
            let place = intent.place(b);
            if place.is_in(c.place) {
                compare(c, intent, b, &place, found);
            }
        }
        unexpected(c, intent, found);
    }
    for f in found.iter_mut() {
        f.since = c.since.get(&f.key()).copied().or(f.since);
    }
    found.sort_by_cached_key(|f| (f.place.clone(), f.kind, f.subject.clone()));
    found.dedup_by(|a, b| a.key() == b.key());
    report
}

fn finding(
    place: &Place,
    kind: Kind,
    subject: impl Into<String>,
    what: impl Into<String>,
    next: impl Into<String>,
) -> Finding {
    Finding {
        place: place.clone(),
        kind,
        subject: subject.into(),
        what: what.into(),
        since: None,
        next: next.into(),
    }
}

fn changed_parts<'a>(node: &'a Node, base: &'a Baseline) -> impl Iterator<Item = Finding> + 'a {
    parts::changes(&base.parts, &node.parts).into_iter().map(move |change| {
        let next = format!("busbar fsck {} --accept when it is right", node.place);
        let what = format!("{change}, against what it was made of on {}", base.at);
        finding(&node.place, Kind::Part, change.subject(), what, next)
    })
}

fn same(a: &str, b: &str) -> bool {
    a.trim().eq_ignore_ascii_case(b.trim())
}

fn compare(c: &Compared, intent: &Intent, b: &IntendedBox, place: &Place, found: &mut Vec<Finding>) {
    let here = (c.seen.nodes(place.rack()), c.seen.devices(place.rack()));
    let node = here.0.iter().map(|(n, _)| *n).find(|n| n.place == *place);
    let device = here.1.iter().find(|d| d.place == *place);
    let moved = b
        .serial
        .as_deref()
        .and_then(|s| c.seen.serials.get(&serial_key(s)).copied())
        .filter(|p| *p != place);
    if let Some(elsewhere) = moved {
        let serial = b.serial.as_deref().unwrap_or_default();
        let next = format!("move it back, or write it down at {elsewhere}: busbar import");
        found.push(finding(
            place,
            Kind::Moved,
            "",
            format!("serial {serial} stands at {elsewhere}"),
            next,
        ));
    }
    match (node, device) {
        (None, None) if moved.is_some() || matches!(b.kind, BoxKind::Switch | BoxKind::Other) => {}
        (None, None) => {
            let model = b.model.as_deref().unwrap_or("box");
            let next = match &b.bmc {
                Some(bmc) => format!("busbar discover {bmc} --rack {} --slot {}", intent.rack, b.slot),
                None => "find it: its BMC was never seen".to_owned(),
            };
            found.push(finding(
                place,
                Kind::Missing,
                "",
                format!("no {model} answers here"),
                next,
            ));
        }
        (Some(node), _) => {
            let i = &node.identity;
            identity(b, place, [&i.serial, &i.maker, &i.model], found);
            bill(b, node, found);
            firmware(b, node, found);
            cables(intent, b, node, found);
            outlets(b, node, found);
        }
        (None, Some(d)) => identity(b, place, [&d.serial, &d.maker, &d.model], found),
    }
}

fn identity(b: &IntendedBox, place: &Place, seen: [&Option<String>; 3], found: &mut Vec<Finding>) {
    let wanted = [&b.serial, &b.maker, &b.model];
    for ((label, wanted), seen) in ["serial", "maker", "model"].into_iter().zip(wanted).zip(seen) {
        let (Some(wanted), Some(seen)) = (wanted, seen) else {
            continue;
        };
        // Makers write themselves in many ways (`Dell`, `Dell Inc.`): one within the other is the same.
        let (w, s) = (wanted.to_ascii_lowercase(), seen.trim().to_ascii_lowercase());
        let alike = if label == "serial" {
            w == s
        } else {
            w.contains(&s) || s.contains(&w)
        };
        if !alike {
            let next = "put the right box there, or write this one down: busbar import";
            found.push(finding(
                place,
                Kind::Identity,
                label,
                format!("its {label} is {seen}, not {wanted}"),
                next,
            ));
        }
    }
}

fn bill(b: &IntendedBox, node: &Node, found: &mut Vec<Finding>) {
    let of = |kind: fn(&PartKind) -> bool| node.parts.iter().filter(|p| kind(&p.kind)).count() as u64;
    let modules = of(|k| matches!(k, PartKind::Memory { .. }));
    // A sum that an operating system tells is short of what firmware keeps for itself; modules are not.
    let memory = if modules > 1 {
        node.memory().0
    } else {
        node.memory().0 + node.memory().0 / 15
    };
    let bill = &b.bill;
    let counted = [
        (
            "processors",
            bill.processors.map(u64::from),
            of(|k| matches!(k, PartKind::Processor { .. })),
        ),
        ("cores", bill.cores.map(u64::from), u64::from(node.cores())),
        ("drives", bill.drives.map(u64::from), node.drives().count() as u64),
        ("gpus", bill.gpus.map(u64::from), u64::from(node.gpus())),
        (
            "nics",
            bill.nics.map(u64::from),
            of(|k| matches!(k, PartKind::Nic { .. })),
        ),
        ("memory", bill.memory.map(|m| m.0), memory),
        ("storage", bill.storage.map(|m| m.0), node.storage().0),
    ];
    for (label, wanted, seen) in counted {
        let Some(wanted) = wanted.filter(|w| seen < *w) else {
            continue;
        };
        let what = match label {
            "memory" => format!("{} of memory, not {}", node.memory(), rack::Bytes(wanted)),
            "storage" => format!(
                "{} of storage, not {}",
                rack::Bytes(seen).decimal(),
                rack::Bytes(wanted).decimal()
            ),
            _ => format!("{seen} {label}, not {wanted}"),
        };
        let next = if seen == 0 {
            "its BMC tells of none: a machine's agent tells more".to_owned()
        } else {
            format!("busbar tree {} shows which are seen", node.place)
        };
        found.push(finding(&node.place, Kind::Bill, label, what, next));
    }
}

/// Versions of the firmware that a wish is about.
pub fn versions<'a>(node: &'a Node, wish: &str) -> Vec<(&'a str, Option<&'a str>)> {
    match wish.to_ascii_lowercase().as_str() {
        "bios" if node.identity.bios.is_some() => return vec![("bios", node.identity.bios.as_deref())],
        "bmc" if node.identity.bmc_firmware.is_some() => return vec![("bmc", node.identity.bmc_firmware.as_deref())],
        _ => {}
    }
    let exact = node
        .firmware
        .iter()
        .filter(|f| same(&f.id, wish) || same(&f.name, wish));
    let exact: Vec<_> = exact.map(|f| (f.id.as_str(), f.version.as_deref())).collect();
    if !exact.is_empty() {
        return exact;
    }
    let part = node.parts.iter().find(|p| same(&p.id, wish) && p.firmware.is_some());
    if let Some(part) = part {
        return vec![(part.id.as_str(), part.firmware.as_deref())];
    }
    let wish = wish.to_ascii_lowercase();
    let within = |f: &&rack::node::Firmware| f.name.to_ascii_lowercase().contains(&wish);
    let within = node.firmware.iter().filter(within);
    within.map(|f| (f.id.as_str(), f.version.as_deref())).collect()
}

fn firmware(b: &IntendedBox, node: &Node, found: &mut Vec<Finding>) {
    for (wish, wanted) in &b.firmware {
        let seen = versions(node, wish);
        if seen.is_empty() {
            let what = format!("no firmware `{wish}` is told, so that {wanted} can't be seen");
            found.push(finding(
                &node.place,
                Kind::Firmware,
                wish,
                what,
                format!("busbar firmware ls {}", node.place),
            ));
        }
        for (id, version) in seen.into_iter().filter(|(_, v)| v.is_none_or(|v| !same(v, wanted))) {
            let what = format!("{id} is {}, not {wanted}", version.unwrap_or("of no version"));
            found.push(finding(&node.place, Kind::Firmware, id, what, "busbar firmware update"));
        }
    }
}

fn cables(intent: &Intent, b: &IntendedBox, node: &Node, found: &mut Vec<Finding>) {
    for port in &b.ports {
        let Some(to) = &port.to else { continue };
        let by_mac = |p: &&Part| matches!(p.kind, PartKind::Nic { mac: Some(m), .. } if Some(m) == port.mac);
        let nics = || node.parts.iter().filter(|p| matches!(p.kind, PartKind::Nic { .. }));
        let Some(seen) = nics().find(by_mac).or_else(|| nics().find(|p| same(&p.id, &port.id))) else {
            continue;
        };
        let PartKind::Nic { link, neighbour, .. } = &seen.kind else {
            continue;
        };
        let wanted = format!("{} {}", to.system, to.port);
        match neighbour {
            Some(n) if !cable::ends_at(intent, to, n) => {
                let what = format!("{} is cabled to {} {}, not to {wanted}", port.id, n.system, n.port);
                found.push(finding(
                    &node.place,
                    Kind::Cable,
                    &port.id,
                    what,
                    "move the cable, or write it down: busbar import",
                ));
            }
            None if *link == Some(false) => {
                let what = format!("{} should be cabled to {wanted} and has no link", port.id);
                found.push(finding(&node.place, Kind::Cable, &port.id, what, "look for the cable"));
            }
            // A port that hears nobody may be cabled rightly to something that does not speak.
            _ => {}
        }
    }
}

fn outlets(b: &IntendedBox, node: &Node, found: &mut Vec<Finding>) {
    if b.outlets.is_empty() {
        return;
    }
    let list = |all: &[rack::node::OutletRef]| {
        let mut all: Vec<String> = all.iter().map(|o| format!("{}/{}", o.pdu, o.outlet)).collect();
        all.sort();
        all.join(", ")
    };
    let (wanted, seen) = (list(&b.outlets), list(&node.outlets));
    if wanted != seen {
        let seen = if seen.is_empty() { "no outlet".to_owned() } else { seen };
        let what = format!("fed by {seen} as the rack file says, not by {wanted}");
        found.push(finding(
            &node.place,
            Kind::Outlets,
            "",
            what,
            "make the rack file's `outlets` and the intent agree",
        ));
    }
}

fn unexpected(c: &Compared, intent: &Intent, found: &mut Vec<Finding>) {
    let rack = intent.rack.as_str();
    let nodes = c.seen.nodes(rack).iter();
    let nodes = nodes.map(|(n, _)| (&n.place, &n.identity.model, &n.identity.serial));
    let devices = c.seen.devices(rack).iter();
    let devices = devices.map(|d| (&d.place, &d.model, &d.serial));
    for (place, model, serial) in nodes.chain(devices) {
        let here = place.is_in(c.place);
        let known = place.slot().is_some_and(|s| intent.at(s).is_some());
        // One that was moved here is told at the place that it left.
        let left = serial.as_deref().is_some_and(|s| {
            intent
                .boxes
                .iter()
                .any(|b| b.serial.as_deref().is_some_and(|w| same(w, s)))
        });
        if here && !known && !left {
            let model = model.as_deref().unwrap_or("a box");
            let serial = serial.as_ref().map(|s| format!(", serial {s}")).unwrap_or_default();
            let next = format!("busbar import seen --rack {} writes it down", intent.rack);
            found.push(finding(
                place,
                Kind::Unexpected,
                "",
                format!("{model}{serial}: nobody wrote it down"),
                next,
            ));
        }
    }
}

#[cfg(test)]
mod tests;
