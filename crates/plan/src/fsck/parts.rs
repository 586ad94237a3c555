//! What changed in a box: parts by their serials, firmware by its versions, cables by what they hear. For events (before
//! and after one look) and for `fsck` (what someone agreed to, and now).

use std::collections::BTreeMap;
use std::fmt;

use rack::intent::{Baseline, tells_apart};
use rack::{Node, Part, PartKind};

/// Most changes that one event tells: a box whose BMC forgot its inventory changes in hundreds of places at once.
const TOLD: usize = 12;

/// One part's change.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// It is new.
    Added(Part),
    /// It is gone.
    Removed(Part),
    /// Another one is in its place.
    Replaced {
        /// What was there.
        before: Part,
        /// What is there now.
        after: Part,
    },
}

impl Change {
    /// The part's id.
    pub fn subject(&self) -> &str {
        match self {
            Change::Added(p) | Change::Removed(p) => &p.id,
            Change::Replaced { before, .. } => &before.id,
        }
    }

    /// Whether something was taken away.
    pub fn is_loss(&self) -> bool {
        !matches!(self, Change::Added(_))
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Added(p) => write!(f, "{} was added: {}", p.id, told(p)),
            Change::Removed(p) => write!(f, "{} is gone: {}", p.id, told(p)),
            Change::Replaced { before, after } => {
                write!(f, "{} was replaced: {} by {}", before.id, told(before), told(after))
            }
        }
    }
}

/// A part in words: model or size, and serial.
fn told(p: &Part) -> String {
    let what = match (&p.model, &p.kind) {
        (Some(model), _) => model.clone(),
        (None, PartKind::Memory { size }) => format!("{size} of memory"),
        (None, PartKind::Drive { size, .. }) => format!("a drive of {}", size.decimal()),
        (None, PartKind::Nic { mac: Some(mac), .. }) => format!("port {mac}"),
        (None, kind) => label(kind).to_owned(),
    };
    match &p.serial {
        Some(serial) => format!("{what}, serial {serial}"),
        None => what,
    }
}

/// The kind of a part in a word.
pub fn label(kind: &PartKind) -> &'static str {
    match kind {
        PartKind::Processor { .. } => "processor",
        PartKind::Memory { .. } => "memory",
        PartKind::Drive { .. } => "drive",
        PartKind::Nic { .. } => "nic",
        PartKind::Gpu { .. } => "gpu",
        PartKind::Pcie => "pcie",
        PartKind::Supply { .. } => "supply",
        PartKind::Fan => "fan",
        PartKind::LeakDetector => "leak detector",
    }
}

/// What a part is known by wherever it sits: its serial, for a port its address.
fn lasting(p: &Part) -> Option<(&'static str, String)> {
    let serial = p
        .serial
        .as_ref()
        .filter(|s| tells_apart(s))
        .map(|s| s.trim().to_ascii_lowercase());
    let id = match p.kind {
        PartKind::Nic { mac: Some(mac), .. } => Some(mac.to_string()),
        _ => serial,
    };
    id.map(|id| (label(&p.kind), id))
}

/// Whether the part at a position is another one. What is not told on either side is no difference.
fn differs(a: &Part, b: &Part) -> bool {
    let other = |a: &Option<String>, b: &Option<String>| a.is_some() && b.is_some() && a != b;
    let size = match (&a.kind, &b.kind) {
        (PartKind::Memory { size: x }, PartKind::Memory { size: y })
        | (PartKind::Drive { size: x, .. }, PartKind::Drive { size: y, .. }) => x != y && x.0 > 0 && y.0 > 0,
        (PartKind::Processor { cores: x, .. }, PartKind::Processor { cores: y, .. }) => x != y && *x > 0 && *y > 0,
        (PartKind::Nic { mac: Some(x), .. }, PartKind::Nic { mac: Some(y), .. }) => x != y,
        _ => false,
    };
    size || other(&a.serial, &b.serial) || other(&a.model, &b.model)
}

/// What changed from `before` to `after`. A part that is found again by its serial in another position is no change:
/// firmware counts positions anew as it likes.
pub fn changes(before: &[Part], after: &[Part]) -> Vec<Change> {
    let mut left: Vec<Option<&Part>> = after.iter().map(Some).collect();
    let mut by_serial: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    let mut by_place: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (i, p) in after.iter().enumerate() {
        if let Some(id) = lasting(p) {
            by_serial.entry(id).or_default().push(i);
        }
        by_place.entry((label(&p.kind), p.id.as_str())).or_default().push(i);
    }
    let mut unmatched = Vec::new();
    for p in before {
        let again = lasting(p).and_then(|id| by_serial.get(&id)?.iter().copied().find(|i| left[*i].is_some()));
        match again {
            Some(i) => left[i] = None,
            None => unmatched.push(p),
        }
    }
    let mut all = Vec::new();
    for p in unmatched {
        let here = by_place.get(&(label(&p.kind), p.id.as_str()));
        let here = here.and_then(|all| all.iter().copied().find(|i| left[*i].is_some()));
        match here.and_then(|i| left[i].take()) {
            Some(now) if differs(p, now) => all.push(Change::Replaced {
                before: p.clone(),
                after: now.clone(),
            }),
            Some(_) => {}
            None => all.push(Change::Removed(p.clone())),
        }
    }
    all.extend(left.into_iter().flatten().cloned().map(Change::Added));
    all
}

/// The baseline with kinds of parts that it has none of: what an agent saw later than the BMC is no change.
pub fn completed(base: &Baseline, node: &Node) -> Option<Baseline> {
    let new: Vec<Part> = node
        .parts
        .iter()
        .filter(|p| !base.parts.iter().any(|b| label(&b.kind) == label(&p.kind)))
        .cloned()
        .collect();
    if new.is_empty() {
        return None;
    }
    let mut after = base.clone();
    after.parts.extend(new);
    Some(after)
}

/// What a new look at a node changed, in words, and whether something was taken away. Empty when nothing did that
/// is worth telling.
pub fn told_changes(before: &Node, after: &Node) -> (Vec<String>, bool) {
    let parts = changes(&before.parts, &after.parts);
    let loss = parts.iter().any(Change::is_loss);
    let mut all: Vec<String> = parts.iter().map(ToString::to_string).collect();
    all.extend(firmware_changes(before, after));
    all.extend(cable_changes(before, after));
    if all.len() > TOLD {
        let more = all.len() - TOLD;
        all.truncate(TOLD);
        all.push(format!("and {more} more changes"));
    }
    (all, loss)
}

fn firmware_changes(before: &Node, after: &Node) -> Vec<String> {
    let all = |n: &Node| -> BTreeMap<String, String> {
        let of = |id: &str, v: &Option<String>| v.clone().map(|v| (id.to_owned(), v));
        let own = [of("bios", &n.identity.bios), of("bmc", &n.identity.bmc_firmware)];
        let parts = n.parts.iter().map(|p| of(&p.id, &p.firmware));
        // A wildcard for what the identity tells already: the same version under another name is one change.
        let listed = n.firmware.iter().map(|f| of(&f.id, &f.version));
        own.into_iter().chain(parts).chain(listed).flatten().collect()
    };
    let (old, new) = (all(before), all(after));
    let mut told: Vec<String> = Vec::new();
    let mut seen: Vec<(&String, &String)> = Vec::new();
    // The box's own names come first, so that the same step of a listed item is not told twice.
    let own = ["bios", "bmc"].into_iter().map(str::to_owned);
    let ids: Vec<String> = own
        .chain(new.keys().filter(|k| *k != "bios" && *k != "bmc").cloned())
        .collect();
    for id in &ids {
        if let (Some(from), Some(to)) = (old.get(id), new.get(id))
            && from != to
            && !seen.contains(&(from, to))
        {
            seen.push((from, to));
            told.push(format!("firmware {id} went from {from} to {to}"));
        }
    }
    told
}

fn cable_changes(before: &Node, after: &Node) -> Vec<String> {
    let heard = |n: &Node| -> BTreeMap<String, String> {
        let one = |p: &Part| match &p.kind {
            PartKind::Nic { neighbour: Some(n), .. } => Some((p.id.clone(), format!("{} {}", n.system, n.port))),
            _ => None,
        };
        n.parts.iter().filter_map(one).collect()
    };
    let (old, new) = (heard(before), heard(after));
    let moved = |(id, to): (&String, &String)| {
        let from = old.get(id).filter(|from| *from != to)?;
        Some(format!("the cable of {id} went from {from} to {to}"))
    };
    new.iter().filter_map(moved).collect()
}
