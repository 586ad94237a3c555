//! Writing down a rack as it is seen: the first intent of a rack that nobody described, and what an export tells others.

use rack::intent::{Bill, BoxKind, IntendedBox, Intent, Port, UNITS, tells_apart};
use rack::request::DeviceView;
use rack::{Bytes, Name, Node, PartKind};

/// The intent of `rack` with what is seen written over it. Boxes that are not seen stay as they were written down, and so
/// does what no BMC can tell: units, heights, asset tags, wanted versions.
pub fn adopt(rack: &Name, before: Option<&Intent>, nodes: &[&Node], devices: &[&DeviceView]) -> Intent {
    let mut intent = before.cloned().unwrap_or_else(|| Intent::of(rack.clone()));
    for node in nodes.iter().filter(|n| n.place.rack() == rack.as_str()) {
        let Some(b) = slot(&mut intent, node.place.slot()) else {
            continue;
        };
        see(b, [&node.identity.serial, &node.identity.maker, &node.identity.model]);
        b.kind = BoxKind::Server;
        b.bmc = Some(node.bmc.url.clone());
        b.bill = bill(node);
        if !node.outlets.is_empty() {
            b.outlets.clone_from(&node.outlets);
        }
        ports(b, node);
    }
    for device in devices.iter().filter(|d| d.place.rack() == rack.as_str()) {
        let Some(b) = slot(&mut intent, device.place.slot()) else {
            continue;
        };
        see(b, [&device.serial, &device.maker, &device.model]);
        b.kind = if device.kind == "pdu" {
            BoxKind::Pdu
        } else {
            BoxKind::Other
        };
        b.bmc = Some(device.url.clone()).filter(|u| !u.is_empty());
    }
    intent.sort();
    intent
}

fn slot<'a>(intent: &'a mut Intent, slot: Option<&str>) -> Option<&'a mut IntendedBox> {
    let slot: Name = slot?.parse().ok()?;
    let at = match intent.boxes.iter().position(|b| b.slot == slot) {
        Some(at) => at,
        None => {
            let unit = unit_of(&slot).filter(|u| *u <= intent.units.unwrap_or(UNITS));
            intent.boxes.push(IntendedBox {
                unit,
                ..IntendedBox::at(slot)
            });
            intent.boxes.len() - 1
        }
    };
    intent.boxes.get_mut(at)
}

/// The unit that a slot is called after: `u12`, `u12.5`.
pub fn unit_of(slot: &Name) -> Option<f64> {
    let unit: f64 = slot.as_str().strip_prefix('u')?.parse().ok()?;
    ((1.0..=UNITS).contains(&unit) && (unit * 2.0).fract() == 0.0).then_some(unit)
}

fn see(b: &mut IntendedBox, [serial, maker, model]: [&Option<String>; 3]) {
    let fit = |s: &Option<String>| {
        let s = s.as_ref()?.trim();
        let fits = !s.is_empty() && s.len() <= rack::intent::TEXT && !s.chars().any(char::is_control);
        fits.then(|| s.to_owned())
    };
    if let Some(s) = fit(serial).filter(|s| tells_apart(s)) {
        b.serial = Some(s);
    }
    b.maker = fit(maker).or(b.maker.take());
    b.model = fit(model).or(b.model.take());
}

/// What a node is made of.
pub fn bill(node: &Node) -> Bill {
    let of = |kind: fn(&PartKind) -> bool| node.parts.iter().filter(|p| kind(&p.kind)).count() as u32;
    let some = |n: u32| Some(n).filter(|n| *n > 0);
    let size = |n: u64| Some(Bytes(n)).filter(|b| b.0 > 0);
    Bill {
        processors: some(of(|k| matches!(k, PartKind::Processor { .. }))),
        cores: some(node.cores()),
        memory: size(node.memory().0),
        drives: some(of(|k| matches!(k, PartKind::Drive { .. }))),
        storage: size(node.storage().0),
        gpus: some(node.gpus()),
        nics: some(of(|k| matches!(k, PartKind::Nic { .. }))),
    }
}

/// Ports as they are seen; one that hears nobody keeps the cable that was written down.
fn ports(b: &mut IntendedBox, node: &Node) {
    for part in &node.parts {
        let PartKind::Nic { mac, neighbour, .. } = &part.kind else {
            continue;
        };
        let known = b.ports.iter().position(|p| mac.is_some() && p.mac == *mac);
        let known = known.or_else(|| b.ports.iter().position(|p| p.id == part.id));
        match known.and_then(|i| b.ports.get_mut(i)) {
            Some(port) => {
                port.mac = mac.or(port.mac);
                port.to = neighbour.clone().or(port.to.take());
            }
            None => b.ports.push(Port {
                id: part.id.clone(),
                mac: *mac,
                to: neighbour.clone(),
            }),
        }
    }
}
