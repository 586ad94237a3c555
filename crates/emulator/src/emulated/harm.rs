//! Faults of the rack: those of its plant are done when they are set (or, for lost power, when a request comes), and undone
//! when they are cleared.

use super::Emulated;
use super::bench::Bench;
use crate::faults::{Action, Fault};
use crate::harm::{BadFault, Tally, clear, harm, set};
use crate::physics::Readings as _;
use crate::physics::act::NoSuch;

impl Emulated {
    /// Sets a fault, and does it if it is one of the plant's.
    pub fn set_fault(&self, mut fault: Fault) -> Result<Fault, BadFault> {
        if self.config.machines.is_some()
            && let Some(word) = fault.action.inside()
        {
            let why = "servers are machines of QEMU here, whose disks and network are their own; pull a cable, fail a fan, \
                       trip a breaker, hang a BMC instead";
            return Err(BadFault::NotHere(word, why));
        }
        if let Some(gear) = self.gear_at(&fault.on.at) {
            fault.on.at = gear;
        }
        fault.since = Some((self.config.clock)());
        set(&self.faults, fault, |fault, on| self.harm(fault, on))
    }

    /// What the plant calls the gear that is known elsewhere by its place: `pdu-a` for `r1/pdu-a`. None for everything else.
    fn gear_at(&self, at: &str) -> Option<String> {
        let (rack, gear) = at.split_once('/')?;
        let here = |place: &str| place.split_once('/').is_some_and(|(of, _)| of == rack);
        self.physics(|Bench { plant, .. }| {
            let known = plant.find(at).is_none() && plant.find(gear).is_some();
            (known && self.servers.iter().any(|s| here(&s.spec.place))).then(|| gear.to_owned())
        })
    }

    /// Clears one fault, or all, and undoes what they did to the plant; says how many.
    pub fn clear_faults(&self, id: Option<u64>) -> usize {
        let (cleared, gone) = clear(&self.faults, id, |fault, on| self.harm(fault, on));
        for fault in gone.iter().filter(|f| f.action == Action::LosePower && f.hits > 0) {
            let servers = self.servers.iter().map(|s| (&s.spec.place, s.body));
            let others = self.equipment.iter().map(|e| (&e.spec.name, e.body));
            let hit = servers.chain(others).filter(|(name, _)| fault.on.names(name));
            hit.for_each(|(_, of)| self.feed_all(of, true));
        }
        cleared
    }

    /// Does or undoes a fault on everything in the plant that its selector names.
    fn harm(&self, fault: &Fault, on: bool) -> Result<(), NoSuch> {
        self.physics(|Bench { plant, sensors }| {
            let all: Vec<String> = plant.all().map(|id| plant.name_of(id).to_owned()).collect();
            let mut tally = Tally::default();
            for name in all.iter().filter(|name| fault.on.names(name)) {
                tally.note(harm(plant, sensors, name, &fault.action, on));
            }
            tally.end(|| {
                NoSuch(format!(
                    "there is no `{}` in this rack; there are {}",
                    fault.on.at,
                    plant.some_names()
                ))
            })
        })
    }
}
