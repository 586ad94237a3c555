//! What hangs on a piece of gear, and what would be dark without it.

use super::gear::{Gear, GearId};
use super::plant::{Plant, Thing};
use super::quantity::Readings as _;

impl Plant {
    /// Boxes with a supply behind the piece of gear of this name; and those of them that have input now and would have none
    /// if the piece went dark. What has a battery holds up what is behind it.
    pub fn hang_on(&self, name: &str) -> (Vec<String>, Vec<String>) {
        let Some(Thing::Gear(piece)) = self.find(name).and_then(|id| self.thing(id)) else {
            return Default::default();
        };
        let (mut behind, mut last) = (Vec::new(), Vec::new());
        for of in self.all() {
            let supplies = self.supplies(of);
            let homes = || supplies.iter().filter_map(|s| s.home);
            if !homes().any(|home| self.is_behind(home, piece)) {
                continue;
            }
            behind.push(self.name_of(of).to_owned());
            let fed = || supplies.iter().filter(|s| s.fed && !s.failed);
            let stays = fed().filter_map(|s| s.gear).any(|gear| self.lives_without(gear, piece));
            if fed().next().is_some() && !stays {
                last.push(self.name_of(of).to_owned());
            }
        }
        (behind, last)
    }

    fn is_behind(&self, id: GearId, piece: GearId) -> bool {
        id == piece
            || self.gear[usize::from(id)]
                .parents
                .iter()
                .any(|p| self.is_behind(*p, piece))
    }

    fn lives_without(&self, id: GearId, piece: GearId) -> bool {
        let it = &self.gear[usize::from(id)];
        if id == piece || !it.live {
            return false;
        }
        matches!(it.gear, Gear::Source { .. })
            || it.battery().is_some()
            || it.parents.iter().any(|p| self.lives_without(*p, piece))
    }
}
