//! What the owner of a described rack would write down of it: what stands in which units, and what feeds it.

use std::collections::BTreeMap;

use rack::intent::{BoxKind, IntendedBox, Intent};
use rack::node::OutletRef;
use rack::{Name, Place};

use super::{As, BoxAt, Cord, Described};

/// What each of its racks should be. A name that is none, which only a description made by hand can have, is left out.
pub fn of(described: &Described) -> Vec<Intent> {
    let mut racks: BTreeMap<Name, Intent> = BTreeMap::new();
    let mut add = |place: &str, b: &dyn Fn(IntendedBox) -> IntendedBox| {
        let (rack, slot) = place.split_once('/')?;
        let rack: Name = rack.parse().ok()?;
        let intent = racks.entry(rack.clone()).or_insert_with(|| Intent {
            units: Some(f64::from(described.units)),
            ..Intent::of(rack)
        });
        intent.boxes.push(b(IntendedBox::at(slot.parse().ok()?)));
        Some(())
    };
    let beside = |name: &str| format!("{}/{name}", described.name);
    for b in &described.boxes {
        add(&b.place, &|at| IntendedBox {
            kind: kind(b),
            unit: b.unit.map(f64::from),
            height: b.unit.map(|_| f64::from(b.height)),
            // nothing else will ever say what it is
            model: (b.as_ == As::Load).then(|| b.kind.name.to_owned()),
            outlets: b.cords.iter().filter_map(|cord| outlet(described, cord)).collect(),
            ..at
        });
    }
    for shelf in &described.shelves {
        add(&beside(&shelf.name), &|at| IntendedBox {
            kind: BoxKind::Other,
            unit: shelf.unit.map(f64::from),
            ..at
        });
    }
    // a strip of sockets answers nobody, and hangs where no unit is
    for pdu in described.pdus.iter().filter(|p| p.managed) {
        add(&beside(&pdu.name), &|at| IntendedBox {
            kind: BoxKind::Pdu,
            ..at
        });
    }
    racks
        .into_values()
        .map(|mut intent| {
            intent.sort();
            intent
        })
        .collect()
}

fn kind(b: &BoxAt) -> BoxKind {
    match b.as_ {
        As::Server | As::Bare => BoxKind::Server,
        As::Managed | As::Load if b.kind.name.contains("switch") => BoxKind::Switch,
        As::Managed | As::Load => BoxKind::Other,
    }
}

fn outlet(described: &Described, cord: &Cord) -> Option<OutletRef> {
    let Cord::Outlet(pdu, n) = cord else { return None };
    let pdu = described.pdus.get(*pdu).filter(|p| p.managed)?;
    let at: Place = format!("{}/{}", described.name, pdu.name).parse().ok()?;
    Some(OutletRef {
        pdu: at,
        outlet: (n + 1).to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RackLayout;
    use crate::describe::RACKS;

    #[test]
    fn what_would_be_written_down_of_every_rack_can_be() {
        for name in RACKS.map(|(name, _)| name) {
            let layout = RackLayout::named(name).expect("a rack that comes with Busbar");
            for intent in of(&layout.describe()) {
                assert_eq!(intent.check(), [], "{name}");
                let none = intent.boxes.iter().filter(|b| b.unit.is_none());
                let beside: Vec<&str> = none.map(|b| b.slot.as_str()).collect();
                assert!(
                    beside.iter().all(|s| s.starts_with("pdu") || *s == "pump"),
                    "{name}: {beside:?}"
                );
            }
        }
    }

    #[test]
    fn a_rack_made_in_code_stands_from_below_and_goes_on_in_the_next() {
        for (plain, gpus, bare) in [(9, 1, 1), (35, 1, 0), (40, 1, 2), (0, 11, 3), (100, 0, 0)] {
            let layout = RackLayout {
                gpu_servers: gpus,
                bare_servers: bare,
                ..RackLayout::of(plain)
            };
            layout.check().expect("a small one");
            let all = of(&layout.describe());
            for intent in &all {
                assert_eq!(intent.check(), [], "{plain} {gpus} {bare}: {}", intent.rack);
            }
            let servers = all.iter().flat_map(|i| &i.boxes);
            let servers = servers.filter(|b| b.kind == BoxKind::Server).count();
            assert_eq!(servers as u32, plain + gpus + bare);
        }
        let usual = of(&RackLayout::default().describe());
        let [r1] = usual.as_slice() else { panic!("{usual:?}") };
        let at = |slot: &str| r1.at(slot).map(|b| (b.unit, b.height, b.outlets.len()));
        assert_eq!(at("u9"), Some((Some(9.0), None, 2)));
        assert_eq!(at("u10"), Some((Some(10.0), Some(8.0), 2)));
        assert_eq!((r1.units, r1.boxes.len()), (Some(42.0), 12));
    }
}
