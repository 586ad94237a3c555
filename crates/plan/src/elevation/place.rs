//! Where boxes stand: units, and columns of those that share one.

use rack::Place;
use rack::elevation::DrawnBox;
use rack::intent::{self, IntendedBox};

use super::UNITS;

/// The lowest unit of a box and how many it takes: as written down, else as its slot's name says (`u12`, `u12-a`).
pub(super) fn of(place: &Place, meant: Option<&IntendedBox>) -> Option<(f64, f64)> {
    let height = meant.and_then(|m| m.height).unwrap_or(1.0);
    if let Some(unit) = meant.and_then(|m| m.unit) {
        return Some((unit, height));
    }
    let rest = place.slot()?.strip_prefix('u')?;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    // `u12`, `u12-a` and `u12.3`, but not `u12x`, which is some name
    if !rest[digits..].is_empty() && !rest[digits..].starts_with(['-', '.']) {
        return None;
    }
    let unit: u32 = rest[..digits].parse().ok()?;
    // no rack is higher: what says so is a name, not a unit
    (1.0..=intent::UNITS)
        .contains(&f64::from(unit))
        .then_some((f64::from(unit), height))
}

/// Height of the rack: as written down, else the usual one; never less than what stands in it.
pub(super) fn height(told: Option<f64>, boxes: &[DrawnBox]) -> u32 {
    let top = boxes
        .iter()
        .filter_map(|b| Some(b.unit? + b.height - 1.0))
        .fold(1.0, f64::max);
    let least = told.unwrap_or(f64::from(UNITS));
    // at most the highest unit and the highest box, both bounded
    least.max(top).ceil() as u32
}

fn meet(a: &DrawnBox, b: &DrawnBox) -> bool {
    let (Some(from), Some(other)) = (a.unit, b.unit) else {
        return false;
    };
    let overlap = from < other + b.height && other < from + a.height;
    let one_side = a.half_depth && b.half_depth && a.face != b.face;
    overlap && !one_side
}

/// Gives boxes that share units a column each, so that none is drawn over another. Those that meet, directly or through
/// others, have columns of one width.
pub(super) fn columns(boxes: &mut [DrawnBox]) {
    let mut groups = Groups((0..boxes.len()).collect());
    for i in 0..boxes.len() {
        let mut taken = vec![false; i + 1];
        for j in (0..i).filter(|j| meet(&boxes[i], &boxes[*j])) {
            // a box has no higher column than boxes before it
            taken[boxes[j].column as usize] = true;
            groups.join(i, j);
        }
        boxes[i].column = (0u32..)
            .zip(taken)
            .find(|(_, taken)| !taken)
            .map_or(0, |(column, _)| column);
    }
    let mut widths = vec![1; boxes.len()];
    for (i, b) in boxes.iter().enumerate() {
        let width = &mut widths[groups.of(i)];
        *width = (b.column + 1).max(*width);
    }
    for (i, b) in boxes.iter_mut().enumerate() {
        b.columns = widths[groups.of(i)];
    }
}

/// Which boxes hang together: each points to another of its group, up to one that stands for all.
struct Groups(Vec<usize>);

impl Groups {
    fn of(&mut self, mut i: usize) -> usize {
        while self.0[i] != i {
            self.0[i] = self.0[self.0[i]];
            i = self.0[i];
        }
        i
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.of(a), self.of(b));
        self.0[a] = b;
    }
}
