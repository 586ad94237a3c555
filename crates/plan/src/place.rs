//! Where a machine lives: the first, simple placement. A node fits when it is armed, free, clean, known to answer and
//! large enough; the tightest fit wins, so that large nodes stay whole for those who need them.

use rack::invariants::may_be_given;
use rack::{Ask, Bytes, Health, Node, NodeId, Place, World};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Why a machine was not placed: every candidate, and what ruled it out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema, thiserror::Error)]
#[error("{headline}")]
pub struct Refusal {
    /// In one line.
    pub headline: String,
    /// Every candidate with what ruled it out, nearest to fitting first.
    pub candidates: Vec<RuledOut>,
    /// The cheapest changes that would make it fit, as commands or words.
    pub fits_if: Vec<String>,
}

/// A candidate that did not fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RuledOut {
    /// Where it stands.
    pub place: Place,
    /// What ruled it out, all of it.
    pub because: Vec<Constraint>,
}

/// A constraint that rules a node out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(tag = "constraint", rename_all = "snake_case")]
pub enum Constraint {
    /// Not the place that was asked for.
    Elsewhere,
    /// It failed this machine before.
    Avoided,
    /// Nobody armed it.
    NotArmed,
    /// Another machine holds it.
    Held {
        /// Which.
        by: String,
    },
    /// Its disks hold a machine's data that was not proven wiped.
    NotWiped {
        /// Whose.
        of: String,
    },
    /// Taken out of use.
    Cordoned {
        /// Why.
        why: String,
    },
    /// A part of it is critical.
    Unhealthy,
    /// It can't be told to boot from the network or to switch on and off.
    NotBootable,
    /// Too few cores.
    Cores {
        /// What it has.
        has: u32,
    },
    /// Too little memory.
    Memory {
        /// What it has.
        has: Bytes,
    },
    /// No disk that is large enough.
    Disk {
        /// Its largest.
        largest: Bytes,
        /// What is needed.
        needs: Bytes,
    },
    /// Too few GPUs.
    Gpus {
        /// What it has.
        has: u32,
    },
}

impl std::fmt::Display for Constraint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Constraint::Elsewhere => f.write_str("not where it was asked for"),
            Constraint::Avoided => f.write_str("failed this machine before"),
            Constraint::NotArmed => f.write_str("not armed"),
            Constraint::Held { by } => write!(f, "held by {by}"),
            Constraint::NotWiped { of } => write!(f, "holds data of {of}, not proven wiped"),
            Constraint::Cordoned { why } => write!(f, "cordoned: {why}"),
            Constraint::Unhealthy => f.write_str("a part is critical"),
            Constraint::NotBootable => f.write_str("its BMC offers no power control or no network boot"),
            Constraint::Cores { has } => write!(f, "{has} cores"),
            Constraint::Memory { has } => write!(f, "{has} of memory"),
            Constraint::Disk { largest, needs } => {
                write!(f, "largest disk is {}, needs {}", largest.decimal(), needs.decimal())
            }
            Constraint::Gpus { has } => write!(f, "{has} GPUs"),
        }
    }
}

/// The node for `ask`, or why there is none. `avoid` are nodes that failed it before.
pub fn place(world: &World, ask: &Ask, avoid: &[NodeId]) -> Result<NodeId, Box<Refusal>> {
    let mut ruled_out = Vec::new();
    let mut best: Option<(u64, &Node)> = None;
    for node in world.nodes.values() {
        let because = constraints(node, ask, avoid);
        if because.is_empty() {
            let room = spare(node, ask);
            if best.is_none_or(|(least, n)| rank(room, node) < rank(least, n)) {
                best = Some((room, node));
            }
        } else {
            ruled_out.push(RuledOut {
                place: node.place.clone(),
                because,
            });
        }
    }
    match best {
        Some((_, node)) => Ok(node.id.clone()),
        None => Err(Box::new(refusal(ask, ruled_out))),
    }
}

/// How many nodes `ask` could be placed on now.
pub fn fitting(world: &World, ask: &Ask, avoid: &[NodeId]) -> usize {
    let fits = |n: &&std::sync::Arc<Node>| constraints(n, ask, avoid).is_empty();
    world.nodes.values().filter(fits).count()
}

/// Everything that keeps any machine off `node`; empty for one that is free to be given out.
pub fn unfit(node: &Node) -> Vec<Constraint> {
    let mut found = Vec::new();
    if !node.armed {
        found.push(Constraint::NotArmed);
    }
    if let Some(by) = &node.holder {
        found.push(Constraint::Held { by: by.to_string() });
    } else if let rack::Tenancy::Used { by } = &node.tenancy
        && !may_be_given(node)
    {
        found.push(Constraint::NotWiped { of: by.to_string() });
    }
    if let Some(why) = &node.cordoned {
        found.push(Constraint::Cordoned { why: why.clone() });
    }
    if is_broken(node) {
        found.push(Constraint::Unhealthy);
    }
    if !bootable(node) {
        found.push(Constraint::NotBootable);
    }
    found
}

/// Everything that keeps `ask` off `node`; empty when it fits.
pub fn constraints(node: &Node, ask: &Ask, avoid: &[NodeId]) -> Vec<Constraint> {
    let mut found = Vec::new();
    if ask.on.as_ref().is_some_and(|on| !node.place.is_in(on)) {
        found.push(Constraint::Elsewhere);
    }
    if avoid.contains(&node.id) {
        found.push(Constraint::Avoided);
    }
    found.extend(unfit(node));
    if node.cores() < ask.cores {
        found.push(Constraint::Cores { has: node.cores() });
    }
    if node.memory() < ask.memory {
        found.push(Constraint::Memory { has: node.memory() });
    }
    let needs = ask.disk.max(ask.image.raw);
    let largest = largest_drive(node);
    // A BMC that sees no drive at all says nothing of the disks: the agent finds out, and says so if it is too small.
    if largest.is_some_and(|l| l < needs) {
        found.push(Constraint::Disk {
            largest: largest.unwrap_or_default(),
            needs,
        });
    }
    if node.gpus() < ask.gpus {
        found.push(Constraint::Gpus { has: node.gpus() });
    }
    found
}

/// Whether something is broken that a machine would miss. One supply of several is not: they are there so that one may fail, and a rack that
/// lost a feed still has to run what is asked for. The box's health says it all the same.
fn is_broken(node: &Node) -> bool {
    let is_supply = |part: &&rack::Part| matches!(part.kind, rack::PartKind::Supply { .. });
    let critical: Vec<&rack::Part> = node.parts.iter().filter(|p| p.health == Health::Critical).collect();
    let only_supplies = !critical.is_empty() && critical.iter().all(is_supply);
    let another = node.parts.iter().filter(is_supply).any(|p| p.health == Health::Ok);
    node.health == Health::Critical && !(only_supplies && another)
}

fn bootable(node: &Node) -> bool {
    use rack::{BootTarget, ResetKind};
    let a = &node.abilities;
    // A box without a BMC asks the network at each start, and may be off already: what it lacks shows as it is used.
    if a.no_bmc {
        return a.reset.contains(&ResetKind::On);
    }
    let boots = a
        .boot
        .iter()
        .any(|t| matches!(t, BootTarget::Pxe | BootTarget::UefiHttp));
    boots && a.reset.contains(&ResetKind::On) && a.reset.contains(&ResetKind::ForceOff)
}

fn largest_drive(node: &Node) -> Option<Bytes> {
    node.drives()
        .filter_map(|p| {
            if let rack::PartKind::Drive { size, .. } = p.kind {
                Some(size)
            } else {
                None
            }
        })
        .max()
}

/// The least is taken. Of what can be watched and switched there is always the choice first.
fn rank(room: u64, node: &Node) -> (bool, u64, &Place) {
    (node.abilities.no_bmc, room, &node.place)
}

/// How much is left over, in gibibytes of memory with cores and GPUs weighed as what a node loses with them.
fn spare(node: &Node, ask: &Ask) -> u64 {
    const CORE: u64 = 8;
    const GPU: u64 = 4096;
    let memory = node.memory().0.saturating_sub(ask.memory.0) >> 30;
    memory
        + CORE * u64::from(node.cores().saturating_sub(ask.cores))
        + GPU * u64::from(node.gpus().saturating_sub(ask.gpus))
}

fn refusal(ask: &Ask, mut ruled_out: Vec<RuledOut>) -> Refusal {
    ruled_out.sort_by_cached_key(|r| (r.because.len(), r.because.first().cloned(), r.place.clone()));
    let asked = ruled_out.iter().any(|r| !r.because.contains(&Constraint::Elsewhere));
    let headline = match (&ask.on, ruled_out.is_empty()) {
        (_, true) => "no node is known yet".to_owned(),
        (Some(on), _) if !asked => format!("there is no node at {on}"),
        (Some(on), _)
            if ruled_out
                .iter()
                .filter(|r| !r.because.contains(&Constraint::Elsewhere))
                .count()
                == 1 =>
        {
            let only = ruled_out.iter().find(|r| !r.because.contains(&Constraint::Elsewhere));
            let why: Vec<String> = only.iter().flat_map(|r| &r.because).map(ToString::to_string).collect();
            format!("{on} can't be given out: {}", why.join(", "))
        }
        _ => format!("no node fits {}", wish(ask)),
    };
    let fits_if = suggestions(&ruled_out);
    Refusal {
        headline,
        candidates: ruled_out,
        fits_if,
    }
}

/// The wish in words: `8 cores, 64G of memory, 2 GPUs`.
fn wish(ask: &Ask) -> String {
    let mut words = Vec::new();
    if ask.cores > 0 {
        words.push(format!("{} cores", ask.cores));
    }
    if ask.memory.0 > 0 {
        words.push(format!("{} of memory", ask.memory));
    }
    if ask.gpus > 0 {
        words.push(format!("{} GPUs", ask.gpus));
    }
    words.push(format!("a disk of {}", ask.disk.max(ask.image.raw).decimal()));
    words.join(", ")
}

/// For nodes that one single constraint keeps out: what would lift it. Cheapest first, three at the most.
fn suggestions(ruled_out: &[RuledOut]) -> Vec<String> {
    const MOST: usize = 3;
    let mut found: Vec<(u8, String)> = Vec::new();
    if ruled_out.is_empty() {
        found.push((
            0,
            "busbar discover ADDRESS --rack r1    finds nodes by the addresses of their BMCs".into(),
        ));
    }
    for r in ruled_out {
        let [only] = r.because.as_slice() else { continue };
        let p = &r.place;
        found.push(match only {
            Constraint::NotArmed => (0, format!("busbar arm {}", p.rack())),
            Constraint::Cores { has } => (1, format!("--cores {has}    now, on {p}")),
            Constraint::Memory { has } => (1, format!("--memory {has}    now, on {p}")),
            Constraint::Gpus { has } => (1, format!("--gpu {has}    now, on {p}")),
            Constraint::Elsewhere => (2, format!("--on {p}    now")),
            Constraint::Held { by } => (3, format!("busbar rm {by}    frees {p}")),
            Constraint::Cordoned { .. } => (3, format!("busbar uncordon {p}    puts it back into use")),
            Constraint::NotWiped { of } => (3, format!("busbar rm {of}    wipes {p} and proves it")),
            _ => continue,
        });
    }
    found.sort();
    // the same change helps on many nodes: it is said once, for the first of them
    let change = |s: &str| s.split("    ").next().map(str::to_owned);
    found.dedup_by(|a, b| change(&a.1) == change(&b.1));
    found.into_iter().map(|(_, s)| s).take(MOST).collect()
}

#[cfg(test)]
mod tests {
    use rack::{Part, PartKind};

    use super::*;

    fn part(id: &str, kind: PartKind, health: Health) -> Part {
        Part {
            id: id.into(),
            maker: None,
            model: None,
            serial: None,
            firmware: None,
            kind,
            health,
        }
    }

    #[test]
    fn a_supply_of_several_may_fail_and_nothing_else() {
        let supply = |id: &str, health| part(id, PartKind::Supply { watts: None }, health);
        let unfit = |parts: Vec<Part>| {
            let mut node = crate::lifecycle::tests::node("u1");
            node.health = Health::Critical;
            node.parts = parts.into();
            super::unfit(&node)
        };
        let (ok, critical) = (Health::Ok, Health::Critical);
        assert_eq!(unfit(vec![supply("psu0", critical), supply("psu1", ok)]), []);
        for parts in [
            vec![],
            vec![supply("psu0", critical)],
            vec![supply("psu0", critical), supply("psu1", critical)],
            vec![
                supply("psu0", critical),
                supply("psu1", ok),
                part("fan0", PartKind::Fan, critical),
            ],
            vec![supply("psu1", ok), part("fan0", PartKind::Fan, critical)],
        ] {
            assert_eq!(unfit(parts), [Constraint::Unhealthy]);
        }
    }
}
