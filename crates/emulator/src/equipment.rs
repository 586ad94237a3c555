//! What answers on the network beside servers and PDUs, of a described rack: coolant units, shelves of rectifiers, and
//! boxes that hold what no machine runs on. Plain data; serials and addresses follow from the description and the seed.

use std::net::Ipv4Addr;

use crate::describe::{As, Described, Loop, Shelf};
use crate::layout::derived;
use crate::physics::kinds::Kind;

/// The first network of their addresses, 127.10.251.0/24: above those of servers, which are in networks of racks.
const NETWORK: u8 = 251;
/// Addresses that are given out in each network.
const IN_NETWORK: usize = 250;
/// What there are addresses for: 127.10.251.1 to 127.10.254.250.
pub const MOST_EQUIPMENT: usize = IN_NETWORK * (u8::MAX - NETWORK) as usize;

/// What a box is for.
#[derive(Debug, Clone, PartialEq)]
pub enum Job {
    /// Moves a loop, or the fluid of a tank, through an exchanger to facility water.
    Cooling {
        /// The unit itself.
        kind: Kind,
        /// What it moves.
        moves: Loop,
    },
    /// Rectifiers that feed a bus bar.
    Shelf {
        /// Its rectifiers.
        shelf: Shelf,
        /// Phases of its input: 1 or 3.
        phases: u8,
    },
    /// Holds something that is not managed here: accelerators, memory, drives, switch chips.
    Enclosure(Kind),
}

/// One such box.
#[derive(Debug, Clone, PartialEq)]
pub struct EquipmentSpec {
    /// As the plant and faults know it: `r1/cdu`, `shelf-1`.
    pub name: String,
    /// Where it stands: `r1/cdu`, `r1/shelf-1`.
    pub place: String,
    /// Where it answers.
    pub bmc: Ipv4Addr,
    /// Serial number.
    pub serial: String,
    /// What it is for.
    pub job: Job,
}

impl EquipmentSpec {
    /// The kind of box that it is; a shelf is none.
    pub fn kind(&self) -> Option<&Kind> {
        match &self.job {
            Job::Cooling { kind, .. } | Job::Enclosure(kind) => Some(kind),
            Job::Shelf { .. } => None,
        }
    }

    /// Product name.
    pub fn model(&self) -> String {
        match &self.job {
            Job::Cooling { .. } => "Emulated CDU".into(),
            Job::Shelf { .. } => "Emulated power shelf".into(),
            Job::Enclosure(kind) => format!("Emulated {}", kind.name),
        }
    }

    /// How many supplies or rectifiers it has, and what each can give, in watts.
    pub fn supplies(&self) -> (u8, f64) {
        match &self.job {
            Job::Shelf { shelf, .. } => (shelf.rectifiers, shelf.watts),
            Job::Cooling { kind, .. } | Job::Enclosure(kind) => (kind.supply.count, kind.supply.capacity),
        }
    }
}

/// How many a description has.
pub fn count(described: &Described) -> usize {
    described.shelves.len() + described.boxes.iter().filter(|b| b.as_ == As::Managed).count()
}

/// Those of a description, boxes first, each with an address; no more than there are addresses for.
pub fn build(described: &Described, seed: u64) -> Vec<EquipmentSpec> {
    let managed = described.boxes.iter().filter(|b| b.as_ == As::Managed);
    let boxes = managed.map(|b| {
        let moves = b.on.filter(|_| b.moves).and_then(|n| described.loops.get(n));
        let job = match moves {
            Some(moves) => Job::Cooling {
                kind: b.kind,
                moves: moves.clone(),
            },
            None => Job::Enclosure(b.kind),
        };
        (b.place.clone(), b.place.clone(), job)
    });
    let shelves = described.shelves.iter().map(|s| {
        let job = Job::Shelf {
            shelf: s.clone(),
            phases: described.feeds[s.feed].phases,
        };
        (s.name.clone(), format!("{}/{}", described.name, s.name), job)
    });
    let spec = |(n, (name, place, job)): (usize, (String, String, Job))| {
        let id = derived(seed, &place).simple().to_string().to_uppercase();
        let octet = |n: usize| u8::try_from(n).ok();
        Some(EquipmentSpec {
            bmc: Ipv4Addr::new(
                127,
                10,
                NETWORK.checked_add(octet(n / IN_NETWORK)?)?,
                octet(n % IN_NETWORK + 1)?,
            ),
            serial: format!("EQ{}", &id[..10]),
            name,
            place,
            job,
        })
    };
    boxes
        .chain(shelves)
        .take(MOST_EQUIPMENT)
        .enumerate()
        .filter_map(spec)
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::HashSet;

    use super::*;
    use crate::layout::RackLayout;

    fn of(rack: &str) -> Vec<EquipmentSpec> {
        build(&RackLayout::named(rack).unwrap().describe(), 1)
    }

    #[test]
    fn everything_in_a_rack_that_is_managed_and_no_server_has_a_place_and_an_address_of_its_own() {
        let all = of("nvl72");
        let addresses: HashSet<Ipv4Addr> = all.iter().map(|e| e.bmc).collect();
        let places: HashSet<&str> = all.iter().map(|e| e.place.as_str()).collect();
        // nine switch trays, a coolant unit, eight shelves
        assert_eq!((all.len(), addresses.len(), places.len()), (18, 18, 18));
        assert!(places.contains("r1/cdu") && places.contains("r1/shelf-8"));
        assert!(matches!(of("immersion").as_slice(), [only] if matches!(only.job, Job::Cooling { .. })));
        assert_eq!(of("composable").len(), 4);
        assert!(of("home-lab").is_empty(), "a home lab's switch has no controller");
    }

    #[test]
    fn the_last_address_is_still_one() {
        let mut described = (*RackLayout::named("nvl72").unwrap().describe()).clone();
        let shelf = described.shelves[0].clone();
        described.shelves = vec![shelf; MOST_EQUIPMENT + 10];
        let all = build(&described, 1);
        assert_eq!(all.len(), MOST_EQUIPMENT);
        assert_eq!(all.last().unwrap().bmc, Ipv4Addr::new(127, 10, 254, 250));
        let layout = RackLayout {
            described: Some(described.into()),
            ..RackLayout::default()
        };
        assert!(layout.check().unwrap_err().to_string().contains("managed = false"));
    }
}
