//! Whether an intent can be: what contradicts itself in a rack as it was written down.

use std::collections::{BTreeMap, HashMap};

use super::{BOXES, IntendedBox, Intent, LINES, TEXT, UNITS, tells_apart};
use crate::node::OutletRef;

impl Intent {
    /// What contradicts itself: the box's position in `boxes` where it is about one, and what is wrong. Empty when sound.
    pub fn check(&self) -> Vec<(Option<usize>, String)> {
        let mut wrong = Vec::new();
        if self.boxes.len() > BOXES {
            wrong.push((
                None,
                format!(
                    "{} boxes are more than the {BOXES} that a rack may have",
                    self.boxes.len()
                ),
            ));
            return wrong;
        }
        let top = self.units.unwrap_or(UNITS);
        if !(1.0..=UNITS).contains(&top) {
            wrong.push((None, format!("a rack of {top} units can't be: 1 to {UNITS}")));
        }
        let mut slots: HashMap<&str, usize> = HashMap::new();
        let mut serials: HashMap<String, usize> = HashMap::new();
        let mut fed: BTreeMap<&OutletRef, usize> = BTreeMap::new();
        for (i, b) in self.boxes.iter().enumerate() {
            let mut say = |what: String| wrong.push((Some(i), what));
            b.check(top).into_iter().for_each(&mut say);
            if let Some(other) = slots.insert(b.slot.as_str(), i) {
                say(format!("slot {} is given to boxes {} and {}", b.slot, other + 1, i + 1));
            }
            if let Some(serial) = &b.serial
                && let Some(other) = serials.insert(serial.to_ascii_lowercase(), i)
            {
                say(format!(
                    "serial {} is also that of {}",
                    shown(serial),
                    self.boxes[other].slot
                ));
            }
            for outlet in &b.outlets {
                if let Some(other) = fed.insert(outlet, i).filter(|o| *o != i) {
                    let other = &self.boxes[other].slot;
                    say(format!(
                        "outlet {}/{} also feeds {other}",
                        outlet.pdu,
                        shown(&outlet.outlet)
                    ));
                }
            }
        }
        self.overlaps(&mut wrong);
        wrong
    }

    /// Boxes that take the same units of the same side; two half-depth boxes may stand back to back.
    fn overlaps(&self, wrong: &mut Vec<(Option<usize>, String)>) {
        let mut standing: Vec<(f64, f64, usize)> = self
            .boxes
            .iter()
            .enumerate()
            .filter_map(|(i, b)| b.takes().map(|(from, to)| (from, to, i)))
            .filter(|(from, to, _)| from.is_finite() && to.is_finite() && to > from)
            .collect();
        standing.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.2.cmp(&b.2)));
        for (n, &(from, to, i)) in standing.iter().enumerate() {
            for &(other_from, _, j) in standing[n + 1..].iter().take_while(|o| o.0 < to) {
                let (a, b) = (&self.boxes[i], &self.boxes[j]);
                let back_to_back = a.half_depth && b.half_depth && a.face != b.face;
                // Sleds of one box stand at the same units and say so by the same first unit and height.
                let sleds = from == other_from && a.height == b.height && a.slot != b.slot && a.model == b.model;
                if !back_to_back && !sleds {
                    let (first, second) = (i.min(j), i.max(j));
                    let what = format!(
                        "{} takes unit {other_from}, which {} takes too",
                        self.boxes[second].slot, self.boxes[first].slot
                    );
                    wrong.push((Some(second), what));
                }
            }
        }
    }
}

impl IntendedBox {
    fn check(&self, top: f64) -> Vec<String> {
        let mut wrong = Vec::new();
        let halves = |v: f64| v.is_finite() && (v * 2.0).fract() == 0.0;
        if let Some(u) = self.unit.filter(|u| !halves(*u) || !(1.0..=UNITS).contains(u)) {
            wrong.push(format!("unit {u} can't be: 1 to {UNITS}, whole or half"));
        }
        if let Some(h) = self.height.filter(|h| !halves(*h) || !(0.0..=UNITS).contains(h)) {
            wrong.push(format!("a height of {h} units can't be: 0 to {UNITS}, whole or half"));
        } else if let Some((_, end)) = self.takes().filter(|(_, end)| *end > top + 1.0) {
            wrong.push(format!(
                "{} ends at unit {}, above the rack's {top}",
                self.slot,
                end - 1.0
            ));
        }
        if let Some(s) = self.serial.as_ref().filter(|s| !tells_apart(s)) {
            wrong.push(format!(
                "`{}` is what boards say that have no serial; leave it out",
                shown(s)
            ));
        }
        let texts = [
            &self.name,
            &self.maker,
            &self.model,
            &self.serial,
            &self.asset,
            &self.bmc,
        ];
        let labels = ["name", "maker", "model", "serial", "asset", "bmc"];
        for (text, label) in texts.into_iter().zip(labels) {
            if let Some(why) = text.as_ref().and_then(|t| unfit(t)) {
                wrong.push(format!("the {label} {why}"));
            }
        }
        for (count, label) in [
            (self.firmware.len(), "firmware wishes"),
            (self.outlets.len(), "outlets"),
            (self.ports.len(), "ports"),
        ] {
            if count > LINES {
                wrong.push(format!("{count} {label} are more than the {LINES} that a box may have"));
            }
        }
        let lines = self.firmware.iter().flat_map(|(k, v)| [k, v]);
        let lines = lines.chain(self.outlets.iter().map(|o| &o.outlet));
        let ends = self
            .ports
            .iter()
            .flat_map(|p| p.to.iter().flat_map(|t| [&t.system, &t.port]));
        let lines = lines.chain(self.ports.iter().map(|p| &p.id)).chain(ends);
        wrong.extend(lines.filter_map(|l| unfit(l).map(|why| format!("`{}` {why}", shown(l)))));
        let mut ids: Vec<&str> = self.ports.iter().map(|p| p.id.as_str()).collect();
        ids.sort_unstable();
        if let Some(twice) = ids.windows(2).find(|w| w[0] == w[1]) {
            wrong.push(format!("port {} is named twice", shown(twice[0])));
        }
        wrong
    }
}

/// Why a text is none that a box could carry.
fn unfit(text: &str) -> Option<&'static str> {
    if text.is_empty() || text.trim() != text {
        Some("is empty or has blanks around it")
    } else if text.len() > TEXT {
        Some("is longer than 128 bytes")
    } else if text.chars().any(char::is_control) {
        Some("holds control characters")
    } else {
        None
    }
}

fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intent::Face;

    fn boxed(slot: &str, unit: f64, height: f64) -> IntendedBox {
        IntendedBox {
            unit: Some(unit),
            height: Some(height),
            model: Some(slot.into()),
            ..IntendedBox::at(slot.parse().expect("a name"))
        }
    }

    fn rack(boxes: Vec<IntendedBox>) -> Intent {
        Intent {
            units: Some(42.0),
            boxes,
            ..Intent::of("r1".parse().expect("a name"))
        }
    }

    #[test]
    fn a_rack_that_can_not_be_is_refused_with_the_box_and_the_reason() {
        let serial = |slot: &str, unit, serial: &str| IntendedBox {
            serial: Some(serial.into()),
            ..boxed(slot, unit, 1.0)
        };
        for (boxes, at, why) in [
            (
                vec![boxed("u1", 1.0, 2.0), boxed("u2", 2.0, 1.0)],
                1,
                "which u1 takes too",
            ),
            (
                vec![boxed("u1", 1.0, 1.0), boxed("u1", 3.0, 1.0)],
                1,
                "given to boxes 1 and 2",
            ),
            (vec![boxed("u42", 42.0, 2.0)], 0, "above the rack's 42"),
            (vec![boxed("u1", f64::NAN, 1.0)], 0, "can't be"),
            (vec![boxed("u1", 1.0, -3.0)], 0, "can't be"),
            (vec![boxed("u1", 1.3, 1.0)], 0, "whole or half"),
            (
                vec![serial("u1", 1.0, "A7"), serial("u2", 2.0, "a7")],
                1,
                "also that of u1",
            ),
            (vec![serial("u1", 1.0, "To Be Filled By O.E.M.")], 0, "no serial"),
            (vec![serial("u1", 1.0, "A\u{7}7")], 0, "control characters"),
        ] {
            let wrong = rack(boxes).check();
            assert!(
                wrong.iter().any(|(i, w)| *i == Some(at) && w.contains(why)),
                "{why}: {wrong:?}"
            );
        }
    }

    #[test]
    fn back_to_back_sleds_and_side_mounted_boxes_may_share_units() {
        let half = |slot: &str, face| IntendedBox {
            half_depth: true,
            face,
            ..boxed(slot, 5.0, 1.0)
        };
        let sled = |slot: &str| IntendedBox {
            model: Some("sled".into()),
            ..boxed(slot, 9.0, 2.0)
        };
        let pdu = IntendedBox::at("pdu-a".parse().expect("a name"));
        let boxes = vec![
            half("u5", Face::Front),
            half("u5-rear", Face::Rear),
            sled("n1"),
            sled("n2"),
            pdu,
        ];
        assert_eq!(rack(boxes).check(), []);
    }

    #[test]
    fn what_nobody_wrote_down_takes_no_room_and_survives() {
        let intent = rack(vec![IntendedBox::at("u1".parse().expect("a name"))]);
        let text = serde_json::to_string(&intent).expect("json");
        assert_eq!(text, r#"{"rack":"r1","units":42.0,"boxes":[{"slot":"u1"}]}"#);
        assert_eq!(serde_json::from_str::<Intent>(&text).expect("reads"), intent);
    }
}
