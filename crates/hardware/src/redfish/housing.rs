//! Which chassis a system stands in: the one whose power and temperatures are its own, and every board and backplane
//! of its box. Links say so on some services; on others they lead to a board, to several boxes, or nowhere.

use serde_json::Value;

use crate::redfish::crawl::{Crawl, Resource};
use crate::redfish::json::{last, leads, link, links};
use crate::redfish::part::absent;

/// Rank from which a chassis is a box, and not a board in one.
pub const RANK_BOX: u8 = 2;
/// Steps from a board up to its box; a loop ends here.
const STEPS: usize = 8;

/// The chassis of one system.
#[derive(Default)]
pub struct Housing {
    /// Where its power and its temperatures are read.
    pub main: Option<Resource>,
    /// Every chassis of its box, the main one first.
    pub all: Vec<Resource>,
    /// Whether other machines stand in the main one too: its supplies and fans are nobody's then.
    pub shared: bool,
}

/// How likely the power and the temperatures of a whole server are read from this chassis.
pub fn rank(chassis: &Value) -> u8 {
    match chassis["ChassisType"].as_str() {
        Some("RackMount" | "Blade" | "Sled" | "StandAlone" | "Tower" | "Shelf") => 4,
        Some("Enclosure" | "Drawer" | "StorageEnclosure") => 3,
        None | Some("Other" | "Module") => 1,
        Some(_) => 0,
    }
}

/// Whether it is a piece of a box by its type: what is plugged in, not what it is plugged into.
pub fn inside(chassis: &Value) -> bool {
    matches!(
        chassis["ChassisType"].as_str(),
        Some("Blade" | "Sled" | "Card" | "Cartridge" | "Module" | "Component" | "Expansion" | "Zone" | "Cell")
    )
}

fn has(chassis: &Value, name: &str, path: &str) -> bool {
    links(chassis, name).iter().filter_map(link).any(|l| l == path)
}

/// The systems that a chassis says it holds, other than `mine`, among `machines`.
pub fn others<'a>(chassis: &Value, mine: &str, machines: &'a [String]) -> Vec<&'a String> {
    let holds: Vec<String> = links(chassis, "ComputerSystems").iter().filter_map(link).collect();
    machines.iter().filter(|m| *m != mine && holds.contains(m)).collect()
}

/// The housing of the system at `path`, one of `machines` or none, among all chassis of the service.
pub async fn of(crawl: &Crawl<'_>, path: &str, doc: &Value, machines: &[String], every: &[Resource]) -> Housing {
    let machine = machines.iter().any(|m| m == path);
    let alone = machine && machines.len() == 1;
    let linked: Vec<Resource> = crawl
        .all(links(doc, "Chassis"))
        .await
        .into_iter()
        .filter(|(_, c)| !absent(c))
        .collect();
    let present: Vec<&Resource> = every.iter().filter(|(_, c)| !absent(c)).collect();
    let best = |of: &[&Resource]| of.iter().rev().max_by_key(|c| rank(&c.1)).map(|c| Resource::clone(c));
    let mut main = linked.iter().max_by_key(|c| rank(&c.1)).cloned();
    // Composed of blocks in several chassis, it is in none of them.
    let composed = matches!(doc["SystemType"].as_str(), Some("Composed" | "Virtual" | "OS"));
    if main.is_none() && !composed {
        let naming: Vec<&Resource> = present
            .iter()
            .copied()
            .filter(|c| has(&c.1, "ComputerSystems", path))
            .collect();
        let namesake = || present.iter().copied().find(|c| last(&c.0) == last(path)).cloned();
        main = best(&naming).or_else(|| namesake().filter(|_| !alone));
    }
    // With one machine only, every chassis is its own: the link may lead to a board in it, or nowhere.
    if alone && main.as_ref().is_none_or(|c| rank(&c.1) < RANK_BOX) {
        main = best(&present).filter(|b| rank(&b.1) >= RANK_BOX).or(main);
    }
    if main.is_none() && machine && present.len() == 1 {
        main = present.first().copied().cloned();
    }
    if machine && let Some(board) = main.take_if(|c| rank(&c.1) < RANK_BOX) {
        main = Some(box_of(board, path, alone, &present));
    }
    let mine = |c: &Resource| {
        let named = linked.iter().any(|l| l.0 == c.0) || has(&c.1, "ComputerSystems", path);
        alone || named && others(&c.1, path, machines).is_empty()
    };
    let mut all: Vec<Resource> = main.iter().cloned().collect();
    for chassis in linked.iter().chain(present.iter().copied()) {
        if mine(chassis) && all.iter().all(|a| a.0 != chassis.0) {
            all.push(chassis.clone());
        }
    }
    let shared = main
        .as_ref()
        .is_some_and(|(p, c)| !others(c, path, machines).is_empty() || holds_boxes(p, path, machines, &present));
    Housing { main, all, shared }
}

/// Whether several machines share a chassis that names none of them, as the only one there is.
fn holds_boxes(main: &str, path: &str, machines: &[String], present: &[&Resource]) -> bool {
    machines.len() > 1
        && machines.iter().any(|m| m == path)
        && present.len() == 1
        && present
            .iter()
            .all(|c| c.0 == main && links(&c.1, "ComputerSystems").is_empty())
}

/// From a board up to what contains it, as long as it still holds this system and nothing says otherwise.
fn box_of(board: Resource, path: &str, alone: bool, present: &[&Resource]) -> Resource {
    let mut at = board;
    for _ in 0..STEPS {
        let up = leads(&at.1, "ContainedBy").and_then(|up| present.iter().find(|c| c.0 == up));
        match up {
            Some(up) if alone || has(&up.1, "ComputerSystems", path) => at = Resource::clone(up),
            _ => break,
        }
    }
    at
}
