//! What is left of a rack: total, reserved, used, free and the largest piece of each resource. Physical, reserved and used
//! are three numbers, and what is not known is said.

use rack::Node;
use rack::free::{FreeRow, FreeView};
use rack::intent::{IntendedBox, Intent};
use rack::request::DeviceView;

use crate::feeds;

/// A node and what is seen of it.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// The node.
    pub node: &'a Node,
    /// Its power, when there is a fresh reading, in watts.
    pub watts: Option<f64>,
    /// Its power cap as it is wanted, in watts.
    pub cap: Option<f64>,
    /// Whether its BMC does not answer.
    pub silent: bool,
}

impl Seen<'_> {
    /// Whether a machine could be placed on it now.
    fn is_free(&self) -> bool {
        !self.silent && crate::place::unfit(self.node).is_empty()
    }
}

/// A box that is no machine and draws power itself; PDUs and shelves pass on what others draw.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Beside {
    /// Its power, when there is a fresh reading, in watts.
    pub watts: Option<f64>,
    /// Whether machines may stand in it, so that what it tells may be what they draw.
    pub encloses: bool,
    /// Heat that it takes away, when it tells, in watts.
    pub removes: Option<f64>,
}

/// What is left of these nodes, which some of these devices feed, and of the racks that are written down.
pub fn free(nodes: &[Seen], beside: &[Beside], intents: &[&Intent], devices: &[&DeviceView]) -> FreeView {
    let busy = "nothing tells how much of it machines really use";
    let memory = |n: &Node| n.memory().0 as f64;
    let rows = vec![
        power(nodes, beside, devices),
        cooling(nodes, beside),
        parts(nodes, "cores", "", |n| f64::from(n.cores()), busy),
        parts(nodes, "memory", "bytes", memory, busy),
        parts(nodes, "gpus", "", |n| f64::from(n.gpus()), busy),
        units(nodes, intents),
    ];
    FreeView { rows }
}

// An empty sum of floats is -0 (`Sum for f64`), which people would read: sums here start at zero.

fn parts(nodes: &[Seen], resource: &str, unit: &str, of: impl Fn(&Node) -> f64, note: &str) -> FreeRow {
    let sum = |keep: &dyn Fn(&Seen) -> bool| {
        nodes
            .iter()
            .filter(|s| keep(s))
            .map(|s| of(s.node))
            .fold(0.0, std::ops::Add::add)
    };
    let largest = nodes
        .iter()
        .filter(|s| s.is_free())
        .map(|s| of(s.node))
        .reduce(f64::max);
    let mut notes = vec![note.to_owned()];
    let silent = nodes.iter().filter(|s| s.silent && s.node.holder.is_none()).count();
    if silent > 0 {
        notes.push(format!("not counted as free: {silent} whose BMC is silent"));
    }
    FreeRow {
        resource: resource.into(),
        unit: unit.into(),
        total: Some(sum(&|_| true)),
        reserved: Some(sum(&|s| s.node.holder.is_some())),
        used: None,
        free: Some(sum(&|s| s.is_free())),
        largest: Some(largest.unwrap_or(0.0)),
        notes,
    }
}

/// Watts that are drawn, by nodes and by what cools them, and how many don't tell theirs.
fn drawn(nodes: &[Seen], beside: &[Beside]) -> (Option<f64>, Vec<String>) {
    let mut known: Vec<f64> = nodes.iter().filter_map(|s| s.watts).collect();
    let missing = nodes.len() - known.len();
    let mut notes = Vec::new();
    if missing > 0 {
        let all = if known.is_empty() {
            "no node has"
        } else {
            "used is more:"
        };
        notes.push(match known.len() {
            0 => format!("{all} a fresh reading of its power"),
            _ => format!(
                "{all} {missing} of {} nodes have no fresh reading of their power",
                nodes.len()
            ),
        });
    }
    let (around, cools): (Vec<&Beside>, Vec<&Beside>) = beside.iter().partition(|b| b.encloses);
    let silent = cools.iter().filter(|b| b.watts.is_none()).count();
    if silent > 0 {
        notes.push(format!(
            "used is more: {silent} coolant units have no fresh reading of their power"
        ));
    }
    known.extend(cools.iter().filter_map(|b| b.watts));
    let around: f64 = around.iter().filter_map(|b| b.watts).fold(0.0, std::ops::Add::add);
    if around > 0.0 {
        notes.push(format!(
            "not counted: {around:.0} W that enclosures tell, as it may be what nodes in them draw"
        ));
    }
    ((!known.is_empty()).then(|| known.iter().sum()), notes)
}

fn power(nodes: &[Seen], beside: &[Beside], devices: &[&DeviceView]) -> FreeRow {
    let (used, mut notes) = drawn(nodes, beside);
    let held: Vec<&Seen> = nodes.iter().filter(|s| s.node.holder.is_some()).collect();
    let capless = held.iter().filter(|s| s.cap.is_none()).count();
    if capless > 0 {
        notes.push(format!("reserved is not known: {capless} held nodes have no power cap"));
    }
    let feeds = feeds::feeds(nodes, devices);
    notes.extend(feeds.notes);
    FreeRow {
        resource: "power".into(),
        unit: "W".into(),
        total: feeds.total,
        reserved: (capless == 0).then(|| held.iter().filter_map(|s| s.cap).fold(0.0, std::ops::Add::add)),
        used,
        free: feeds.free,
        largest: feeds.largest,
        notes,
    }
}

fn cooling(nodes: &[Seen], beside: &[Beside]) -> FreeRow {
    let (used, mut notes) = drawn(nodes, beside);
    let removed: Vec<f64> = beside.iter().filter_map(|b| b.removes).collect();
    if !removed.is_empty() {
        let watts = removed.iter().fold(0.0, std::ops::Add::add);
        notes.push(format!("coolant units take away {watts:.0} W now"));
    }
    notes.push("used is the heat of all power that is drawn; what can be taken away is written down nowhere".into());
    FreeRow {
        resource: "cooling".into(),
        unit: "W".into(),
        total: None,
        reserved: None,
        used,
        free: None,
        largest: None,
        notes,
    }
}

/// Units of one rack as halves, from below: whether something is intended to stand there.
fn taken(intent: &Intent, units: f64) -> Vec<bool> {
    let mut halves = vec![false; (units * 2.0) as usize];
    for b in &intent.boxes {
        if let (Some(from), height) = (b.unit, height(b)) {
            let half = |u: f64| ((u - 1.0) * 2.0).max(0.0) as usize;
            halves
                .iter_mut()
                .take(half(from + height))
                .skip(half(from))
                .for_each(|h| *h = true);
        }
    }
    halves
}

fn height(b: &IntendedBox) -> f64 {
    b.height.unwrap_or(1.0)
}

fn units(nodes: &[Seen], intents: &[&Intent]) -> FreeRow {
    let mut row = FreeRow {
        resource: "rack_units".into(),
        unit: String::new(),
        total: None,
        reserved: None,
        used: None,
        free: None,
        largest: None,
        notes: Vec::new(),
    };
    let known: Vec<(&Intent, f64)> = intents.iter().filter_map(|i| Some((*i, i.units?))).collect();
    if known.is_empty() {
        row.notes.push("no rack's height is written down: busbar import".into());
        return row;
    }
    if known.len() < intents.len() {
        row.notes.push(format!(
            "{} racks are left out: their height is not written down",
            intents.len() - known.len()
        ));
    }
    let (mut total, mut reserved, mut used, mut largest) = (0.0, 0.0, 0.0, 0.0_f64);
    for (intent, units) in known {
        let halves = taken(intent, units);
        total += units;
        reserved += halves.iter().filter(|t| **t).count() as f64 / 2.0;
        let stands = |b: &&IntendedBox| {
            b.unit.is_some()
                && nodes.iter().any(|s| {
                    s.node.place.rack() == intent.rack.as_str() && s.node.place.slot() == Some(b.slot.as_str())
                })
        };
        used += intent
            .boxes
            .iter()
            .filter(stands)
            .map(height)
            .fold(0.0, std::ops::Add::add);
        let longest = halves.split(|t| *t).map(<[bool]>::len).max().unwrap_or(0);
        largest = largest.max(longest as f64 / 2.0);
    }
    row.notes
        .push("reserved is what should stand there, used what was found there and is a node".into());
    FreeRow {
        total: Some(total),
        reserved: Some(reserved),
        used: Some(used),
        free: Some(total - reserved),
        largest: Some(largest),
        ..row
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rack::PartKind;

    use super::*;

    fn node(slot: &str, cores: u32, holder: Option<&str>) -> Node {
        let mut node = crate::lifecycle::tests::node(slot);
        node.holder = holder.map(|h| h.parse().unwrap());
        let mut parts = node.parts.to_vec();
        parts[0].kind = PartKind::Processor { cores, threads: cores };
        node.parts = parts.into();
        node
    }

    fn rows(view: FreeView) -> BTreeMap<String, FreeRow> {
        view.rows.into_iter().map(|r| (r.resource.clone(), r)).collect()
    }

    #[test]
    fn a_held_a_silent_and_a_free_node_are_three_numbers_and_the_unknown_is_none() {
        let (held, silent, spare) = (node("u1", 32, Some("web")), node("u2", 64, None), node("u3", 16, None));
        let seen = |node, watts, silent| Seen {
            node,
            watts,
            cap: None,
            silent,
        };
        let all = [
            seen(&held, Some(300.0), false),
            seen(&silent, None, true),
            seen(&spare, Some(90.0), false),
        ];
        let rows = rows(free(&all, &[], &[], &[]));
        let cores = &rows["cores"];
        assert_eq!(
            (cores.total, cores.reserved, cores.used, cores.free, cores.largest),
            (Some(112.0), Some(32.0), None, Some(16.0), Some(16.0))
        );
        let power = &rows["power"];
        assert_eq!(
            (power.used, power.total, power.reserved, power.free),
            (Some(390.0), None, None, None)
        );
        assert!(
            power.notes.iter().any(|n| n.contains("1 of 3 nodes")),
            "{:?}",
            power.notes
        );
        assert_eq!(rows["rack_units"].total, None);
        assert_eq!(
            free(&all[1..2], &[], &[], &[]).rows[0].used,
            None,
            "no reading is no zero"
        );
    }

    #[test]
    fn what_cools_draws_too_and_what_encloses_is_not_counted_twice() {
        let only = node("u1", 16, None);
        let seen = [Seen {
            node: &only,
            watts: Some(1000.0),
            cap: None,
            silent: false,
        }];
        let beside = |watts, encloses, removes| Beside {
            watts,
            encloses,
            removes,
        };
        let all = [
            beside(Some(150.0), false, Some(900.0)),
            beside(None, false, None),
            beside(Some(1000.0), true, None),
        ];
        let rows = rows(free(&seen, &all, &[], &[]));
        let told = |row: &str, what: &str| rows[row].notes.iter().any(|n| n.contains(what));
        assert_eq!((rows["power"].used, rows["cooling"].used), (Some(1150.0), Some(1150.0)));
        assert!(told("power", "1 coolant units") && told("power", "not counted: 1000 W"));
        assert!(told("cooling", "take away 900 W"), "{:?}", rows["cooling"].notes);
    }

    #[test]
    fn units_are_counted_by_the_half_and_the_largest_gap_is_found() {
        let mut low = IntendedBox::at("u1".parse().unwrap());
        (low.unit, low.height) = (Some(1.0), Some(1.5));
        let mut mid = IntendedBox::at("u5".parse().unwrap());
        (mid.unit, mid.height) = (Some(5.0), Some(2.0));
        let intent = Intent {
            rack: "r1".parse().unwrap(),
            units: Some(10.0),
            boxes: vec![low, mid, IntendedBox::at("pdu".parse().unwrap())],
        };
        let here = node("u1", 1, None);
        let seen = [Seen {
            node: &here,
            watts: None,
            cap: None,
            silent: false,
        }];
        let units = &rows(free(&seen, &[], &[&intent], &[]))["rack_units"];
        assert_eq!(
            (units.total, units.reserved, units.used, units.free, units.largest),
            (Some(10.0), Some(3.5), Some(1.5), Some(6.5), Some(4.0))
        );
    }
}
