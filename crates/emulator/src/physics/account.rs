//! The books: what came in, what went out, what is stored. Each is told by its own meter, so that they can be compared.

use super::plant::Plant;

/// The books of a plant, joules.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Account {
    /// Through the sources' meters since the start.
    pub came: f64,
    /// Through the coolers', the door's and the leaks' since the start, and what gear elsewhere lost.
    pub went: f64,
    /// In dies, sinks, boards, air, steel, coolant (above 0 °C) and batteries now.
    pub stored: f64,
}

impl Plant {
    /// The books as they stand.
    pub fn account(&self) -> Account {
        let sources = self.gear.iter().filter(|p| p.parents.is_empty());
        let circuits: f64 = self.circuits.iter().map(|c| c.removed + c.leaked).sum();
        let door = self.door.as_ref().map_or(0.0, |d| d.removed);
        let mut stored: f64 = self.circuits.iter().map(super::circuit::Circuit::stored).sum();
        for body in &self.bodies {
            let kind = &self.kinds[usize::from(body.kind)];
            stored += kind.board_store * body.board;
            let first = body.chips as usize;
            for (n, chip) in self.chips[first..first + usize::from(kind.cpus + kind.gpus)]
                .iter()
                .enumerate()
            {
                stored += chip.stored(if n < usize::from(kind.cpus) {
                    &kind.cpu
                } else {
                    &kind.gpu
                });
            }
        }
        stored += self
            .gear
            .iter()
            .filter_map(|p| p.battery())
            .map(|b| b.joules)
            .sum::<f64>();
        Account {
            came: sources.map(|p| p.joules).sum(),
            went: circuits + door + self.outside,
            stored,
        }
    }
}
