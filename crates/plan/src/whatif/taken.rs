//! What a failure takes by itself.

use std::collections::{BTreeMap, BTreeSet};

use rack::Place;
use rack::power::{FedBox, OneLine};

/// PDUs, cords and boxes that are gone, by their places in the lists.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Taken {
    /// PDUs, with the round of the cascade that took them; 0 for what fails by itself.
    pub pdus: BTreeMap<usize, u32>,
    /// Cords: a box, and the cord's place in its list.
    pub cords: BTreeSet<(usize, usize)>,
    /// Boxes that fail by themselves.
    pub boxes: BTreeSet<usize>,
}

/// Why something can't be failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfailable {
    /// Nothing stands there.
    #[error("there is no `{0}` in the one-line diagram")]
    Unknown(Place),
    /// It is a rack.
    #[error("{0} is a whole rack: say what of it fails: {1}")]
    Rack(Place, String),
    /// The box has no such supply.
    #[error("{at} has no supply `{supply}`: {has}")]
    NoSupply {
        /// The box.
        at: Place,
        /// What was asked for.
        supply: String,
        /// What it has.
        has: String,
    },
    /// Nobody knows which cord feeds the supply.
    #[error("{at} has {supplies} supplies and {cords} cords written down: which feeds {supply} is not known")]
    Unmatched {
        /// The box.
        at: Place,
        /// The supply.
        supply: String,
        /// Supplies.
        supplies: usize,
        /// Cords.
        cords: usize,
    },
}

/// What these failures take, and what had to be taken to be so.
pub(super) fn taken(line: &OneLine, fails: &[Place]) -> Result<(Taken, Vec<String>), Unfailable> {
    let mut taken = Taken::default();
    let mut assumed = Vec::new();
    for place in fails {
        if let Some(n) = line.pdus.iter().position(|p| p.place == *place) {
            taken.pdus.insert(n, 0);
        } else if let Some(n) = line.boxes.iter().position(|b| b.place == *place) {
            taken.boxes.insert(n);
        } else if let Some((pdu, outlet)) =
            split(place).filter(|(pdu, _)| line.pdus.iter().any(|p| p.place.as_ref() == *pdu))
        {
            let before = taken.cords.len();
            for (b, fed) in line.boxes.iter().enumerate() {
                for (c, cord) in fed.cords.iter().enumerate() {
                    if cord.pdu.as_ref() == pdu && cord.outlet.eq_ignore_ascii_case(outlet) {
                        taken.cords.insert((b, c));
                    }
                }
            }
            if taken.cords.len() == before {
                return Err(Unfailable::Unknown(place.clone()));
            }
        } else if let Some((at, part)) = split(place)
            && let Some(b) = line.boxes.iter().position(|b| b.place.as_ref() == at)
        {
            taken.cords.insert((b, cord_of(&line.boxes[b], part)?));
            assumed.push(format!(
                "{place} hangs on the cord that is written down at its place in the list of {at}'s cords"
            ));
        } else if place.slot().is_none() && has_rack(line, place) {
            let pdus = line.pdus.iter().filter(|p| p.place.is_in(place)).map(|p| &p.place);
            return Err(Unfailable::Rack(place.clone(), crate::power::named(pdus)));
        } else {
            return Err(Unfailable::Unknown(place.clone()));
        }
    }
    Ok((taken, assumed))
}

fn has_rack(line: &OneLine, rack: &Place) -> bool {
    let all = line
        .pdus
        .iter()
        .map(|p| &p.place)
        .chain(line.boxes.iter().map(|b| &b.place));
    all.into_iter().any(|p| p.is_in(rack))
}

/// `r1/u3/psu1` as the box and its part.
fn split(place: &Place) -> Option<(&str, &str)> {
    let text: &str = place.as_ref();
    let (of, part) = text.rsplit_once('/')?;
    of.contains('/').then_some((of, part))
}

/// The cord of a supply: the one at its place in the list, when there are as many.
fn cord_of(fed: &FedBox, part: &str) -> Result<usize, Unfailable> {
    let found = fed.supplies.iter().position(|s| s.id.eq_ignore_ascii_case(part));
    let Some(n) = found else {
        let all: Vec<&str> = fed.supplies.iter().map(|s| s.id.as_str()).collect();
        return Err(Unfailable::NoSupply {
            at: fed.place.clone(),
            supply: part.to_owned(),
            has: if all.is_empty() {
                "its BMC tells of none".into()
            } else {
                format!("it has {}", all.join(", "))
            },
        });
    };
    if fed.supplies.len() != fed.cords.len() {
        return Err(Unfailable::Unmatched {
            at: fed.place.clone(),
            supply: part.to_owned(),
            supplies: fed.supplies.len(),
            cords: fed.cords.len(),
        });
    }
    Ok(n)
}
