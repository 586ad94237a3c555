//! What the PDUs of a rack can carry.
//!
//! PDUs that feed the same node are on two sides, A and B, and each side must carry everything alone when the other fails: of
//! what they are rated for, only the smaller side is there to be used. Who is on which side follows from the cords that are
//! written down, and from no name. PDUs that share no node with others are counted for themselves.

use std::collections::{BTreeMap, BTreeSet};

use rack::Place;
use rack::request::DeviceView;

use crate::free::Seen;

/// What is known of the power that PDUs can carry, in watts.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Feeds {
    /// What is there to be used.
    pub total: Option<f64>,
    /// What is neither promised nor drawn.
    pub free: Option<f64>,
    /// The most of it behind one pair of sides.
    pub largest: Option<f64>,
    /// Why a number is missing, and what the others mean.
    pub notes: Vec<String>,
}

/// PDUs without a rating that are named.
const TOLD: usize = 3;

/// PDUs that carry loads together.
struct Group<'a> {
    sides: [BTreeSet<&'a Place>; 2],
    /// Nodes, by their place in the list.
    nodes: Vec<usize>,
}

/// What the PDUs that feed these nodes can carry.
pub(crate) fn feeds(nodes: &[Seen], devices: &[&DeviceView]) -> Feeds {
    let mut found = Feeds::default();
    let cords: Vec<BTreeSet<&Place>> = nodes
        .iter()
        .map(|s| s.node.outlets.iter().map(|o| &o.pdu).collect())
        .collect();
    if cords.iter().all(BTreeSet::is_empty) {
        let what = "total and free are not known: nobody wrote down which PDU feeds what";
        found.notes.push(what.into());
        return found;
    }
    let groups = match groups(&cords) {
        Ok(groups) => groups,
        Err(node) => {
            let place = &nodes[node].node.place;
            let what = format!("total and free are not known: the cords of {place} do not make two sides of PDUs");
            found.notes.push(what);
            return found;
        }
    };
    let pdus = groups.iter().flat_map(|g| g.sides.iter().flatten().copied());
    let unrated: Vec<&Place> = pdus.filter(|pdu| rated(pdu, devices).is_none()).collect();
    if !unrated.is_empty() {
        let some: Vec<String> = unrated.iter().take(TOLD).map(ToString::to_string).collect();
        let more = if unrated.len() > TOLD { ", …" } else { "" };
        let what = format!(
            "total and free are not known: no rating is told by {}{more}",
            some.join(", ")
        );
        found.notes.push(what);
        return found;
    }
    let carried = |side: &BTreeSet<&Place>| {
        let each = side.iter().filter_map(|pdu| rated(pdu, devices));
        each.fold(0.0, std::ops::Add::add)
    };
    let usable: Vec<f64> = groups
        .iter()
        .map(|g| {
            let [a, b] = g.sides.each_ref().map(carried);
            if g.sides[1].is_empty() { a } else { a.min(b) }
        })
        .collect();
    let all = usable.iter().copied().fold(0.0, std::ops::Add::add);
    found.total = Some(all);
    found.notes.push(
        "total is what the smaller of two redundant sides of PDUs carries alone, by the ratings that they tell".into(),
    );
    left(nodes, &cords, &groups, &usable, &mut found);
    found
}

/// Watts that the inputs of a PDU carry together, when it tells that.
fn rated(pdu: &Place, devices: &[&DeviceView]) -> Option<f64> {
    let known = devices.iter().find(|d| d.place == *pdu)?;
    let watts = known.mains.iter().map(rack::free::Rating::watts);
    (!known.mains.is_empty()).then(|| watts.fold(0.0, std::ops::Add::add))
}

/// What is left of each group, when all that it carries is known.
fn left(nodes: &[Seen], cords: &[BTreeSet<&Place>], groups: &[Group], usable: &[f64], found: &mut Feeds) {
    let loose = cords.iter().filter(|c| c.is_empty()).count();
    if loose > 0 {
        let what = format!(
            "free is not known: nobody wrote down what feeds {loose} of {} nodes",
            nodes.len()
        );
        found.notes.push(what);
        return;
    }
    // A machine may draw up to its cap, whatever it draws now; a box that nobody holds draws what it draws.
    let claim = |s: &Seen| if s.node.holder.is_some() { s.cap } else { s.watts };
    let unknown = nodes.iter().filter(|s| claim(s).is_none()).count();
    if unknown > 0 {
        let what = format!("free is not known: {unknown} nodes have neither a power cap nor, unheld, a reading");
        found.notes.push(what);
        return;
    }
    let (mut free, mut largest) = (0.0, 0.0_f64);
    for (group, usable) in groups.iter().zip(usable) {
        let claimed = group.nodes.iter().filter_map(|n| claim(&nodes[*n]));
        let rest = usable - claimed.fold(0.0, std::ops::Add::add);
        if rest < 0.0 {
            let one = group.sides[0].first().map(ToString::to_string).unwrap_or_default();
            let what = format!("{:.0} W more are promised than one side of {one} carries alone", -rest);
            found.notes.push(what);
        }
        free += rest.max(0.0);
        largest = largest.max(rest);
    }
    (found.free, found.largest) = (Some(free), Some(largest.max(0.0)));
}

/// Which PDUs carry loads together, and on which sides; or a node whose cords allow no two sides.
fn groups<'a>(cords: &[BTreeSet<&'a Place>]) -> Result<Vec<Group<'a>>, usize> {
    let mut of_pdu: BTreeMap<&'a Place, Vec<usize>> = BTreeMap::new();
    for (node, pdus) in cords.iter().enumerate() {
        for pdu in pdus {
            of_pdu.entry(*pdu).or_default().push(node);
        }
    }
    let mut side: BTreeMap<&'a Place, usize> = BTreeMap::new();
    let mut groups = Vec::new();
    for first in of_pdu.keys() {
        if side.contains_key(first) {
            continue;
        }
        let mut group = Group {
            sides: [BTreeSet::new(), BTreeSet::new()],
            nodes: Vec::new(),
        };
        let mut met = BTreeSet::new();
        let mut next = vec![(*first, 0)];
        while let Some((pdu, on)) = next.pop() {
            if side.insert(pdu, on).is_some() {
                continue;
            }
            group.sides[on].insert(pdu);
            for node in &of_pdu[pdu] {
                met.insert(*node);
                for other in cords[*node].iter().filter(|o| **o != pdu) {
                    match side.get(other) {
                        Some(seen) if *seen == on => return Err(*node),
                        Some(_) => {}
                        None => next.push((*other, 1 - on)),
                    }
                }
            }
        }
        group.nodes = met.into_iter().collect();
        groups.push(group);
    }
    Ok(groups)
}

#[cfg(test)]
mod tests {
    use rack::Node;
    use rack::free::Rating;
    use rack::node::OutletRef;

    use super::*;

    fn node(slot: &str, held: bool, pdus: &[&str]) -> Node {
        let mut node = crate::lifecycle::tests::node(slot);
        node.holder = held.then(|| "web".parse().unwrap());
        node.outlets = pdus
            .iter()
            .map(|pdu| OutletRef {
                pdu: pdu.parse().unwrap(),
                outlet: slot.into(),
            })
            .collect();
        node
    }

    fn pdu(place: &str, amps: Option<f64>) -> DeviceView {
        let mut view: DeviceView = serde_json::from_value(serde_json::json!({
            "place": place, "kind": "pdu", "readings": [],
        }))
        .unwrap();
        view.mains = amps
            .map(|amps| Rating {
                amps,
                volts: 230.0,
                phases: 1,
            })
            .into_iter()
            .collect();
        view
    }

    fn told(nodes: &[(&Node, Option<f64>, Option<f64>)], pdus: &[DeviceView]) -> Feeds {
        let seen: Vec<Seen> = nodes
            .iter()
            .map(|(node, watts, cap)| Seen {
                node,
                watts: *watts,
                cap: *cap,
                silent: false,
            })
            .collect();
        feeds(&seen, &pdus.iter().collect::<Vec<_>>())
    }

    #[test]
    fn of_two_sides_only_the_smaller_is_there_to_be_used() {
        let (one, two) = (
            node("u1", true, &["r1/pdu-a", "r1/pdu-b"]),
            node("u2", false, &["r1/pdu-a", "r1/pdu-b"]),
        );
        let pdus = [pdu("r1/pdu-a", Some(16.0)), pdu("r1/pdu-b", Some(10.0))];
        let seen = told(&[(&one, Some(300.0), Some(600.0)), (&two, Some(50.0), None)], &pdus);
        assert_eq!(
            (seen.total, seen.free, seen.largest),
            (Some(2300.0), Some(1650.0), Some(1650.0))
        );
        assert!(seen.notes[0].contains("smaller of two redundant sides"), "{seen:?}");
        // who holds it without a cap could draw anything
        let seen = told(&[(&one, Some(300.0), None), (&two, Some(50.0), None)], &pdus);
        assert_eq!((seen.total, seen.free, seen.largest), (Some(2300.0), None, None));
        // more is promised than there is
        let seen = told(&[(&one, None, Some(5000.0)), (&two, Some(0.0), None)], &pdus);
        assert_eq!((seen.free, seen.largest), (Some(0.0), Some(0.0)));
        assert!(seen.notes.iter().any(|n| n.contains("2700 W more")), "{seen:?}");
    }

    #[test]
    fn what_a_pdu_does_not_tell_stays_unknown_and_so_does_what_hangs_on_nothing_written_down() {
        let both = node("u1", false, &["r1/pdu-a", "r1/pdu-b"]);
        let loose = node("u2", false, &[]);
        let pdus = [pdu("r1/pdu-a", Some(16.0)), pdu("r1/pdu-b", None)];
        let seen = told(&[(&both, Some(50.0), None)], &pdus);
        assert_eq!((seen.total, seen.free), (None, None));
        assert!(seen.notes[0].contains("no rating is told by r1/pdu-b"), "{seen:?}");
        let seen = told(&[(&both, Some(50.0), None)], &pdus[..1]);
        assert_eq!(seen.total, None, "one that was never found tells nothing either");
        let pdus = [pdu("r1/pdu-a", Some(16.0)), pdu("r1/pdu-b", Some(16.0))];
        let seen = told(&[(&both, Some(50.0), None), (&loose, Some(50.0), None)], &pdus);
        assert_eq!((seen.total, seen.free), (Some(3680.0), None));
        assert!(
            seen.notes.iter().any(|n| n.contains("what feeds 1 of 2 nodes")),
            "{seen:?}"
        );
        assert_eq!(told(&[(&loose, Some(50.0), None)], &pdus).total, None);
    }

    #[test]
    fn pairs_add_up_single_cords_count_for_themselves_and_three_sides_are_none() {
        let pdus: Vec<DeviceView> = ["a1", "b1", "a2", "b2", "c"]
            .iter()
            .map(|name| pdu(&format!("r1/pdu-{name}"), Some(10.0)))
            .collect();
        let (one, two, alone) = (
            node("u1", false, &["r1/pdu-a1", "r1/pdu-b1"]),
            node("u2", false, &["r1/pdu-a2", "r1/pdu-b2"]),
            node("u3", false, &["r1/pdu-c"]),
        );
        let seen = told(
            &[
                (&one, Some(100.0), None),
                (&two, Some(200.0), None),
                (&alone, Some(300.0), None),
            ],
            &pdus,
        );
        assert_eq!(
            (seen.total, seen.free, seen.largest),
            (Some(6900.0), Some(6300.0), Some(2200.0))
        );
        // a node between both pairs makes one of them: two PDUs on each side
        let across = node("u4", false, &["r1/pdu-a1", "r1/pdu-b2"]);
        let all = [
            (&one, Some(0.0), None),
            (&two, Some(0.0), None),
            (&across, Some(0.0), None),
        ];
        assert_eq!(told(&all, &pdus).total, Some(4600.0));
        let three = node("u5", false, &["r1/pdu-a1", "r1/pdu-b1", "r1/pdu-c"]);
        let seen = told(&[(&three, Some(0.0), None)], &pdus);
        assert_eq!(seen.total, None);
        assert!(seen.notes[0].contains("the cords of r1/u5"), "{seen:?}");
    }
}
