//! The kinds of boxes of a hall, and the documents that all boxes of a kind share.

use std::sync::Arc;

use crate::tree::{BadTemplate, Shape};

/// What a BMC manages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Two processors, four accelerators, liquid at the chips.
    ComputeTray,
    /// A card with processors of its own, in a compute tray.
    Dpu,
    /// Two switches of the scale-up network.
    SwitchTray,
    /// Six rectifiers that feed the rack's bus bar.
    PowerShelf,
}

/// The documents of every kind.
#[derive(Clone)]
pub struct Shapes {
    all: [Arc<Shape>; 4],
}

const SERVICES: &str = include_str!("services.json");

impl Shapes {
    /// Reads what is written beside this file.
    pub fn read() -> Result<Shapes, BadTemplate> {
        let read = |text| Shape::read(&[SERVICES, text]);
        Ok(Shapes {
            all: [
                read(include_str!("compute-tray.json"))?,
                read(include_str!("dpu.json"))?,
                read(include_str!("switch-tray.json"))?,
                read(include_str!("power-shelf.json"))?,
            ],
        })
    }

    /// The documents of a kind.
    pub fn of(&self, kind: Kind) -> &Arc<Shape> {
        &self.all[match kind {
            Kind::ComputeTray => 0,
            Kind::Dpu => 1,
            Kind::SwitchTray => 2,
            Kind::PowerShelf => 3,
        }]
    }

    /// Bytes that all documents take in memory, about.
    pub fn size(&self) -> usize {
        self.all.iter().map(|s| s.size()).sum()
    }
}
