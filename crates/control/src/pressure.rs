//! The loop that sees to it that no PDU trips: whenever one is read, `plan::pressure` says who gives up watts and who gets them
//! back, and that is recorded. It writes to no hardware: caps are kept by [`crate::settings`], and machines are stopped and started
//! by [`crate::machines`], both woken by the record. What hangs on the PDU that is too full is read every few seconds until
//! it is not.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hardware::Driver;
use plan::power::unequal;
use plan::pressure::{Memory, decide};
use rack::shed::Shed;
use rack::{Event, Level, Name, Node, NodeId, Place};
use store::Txn;
use tokio::time::Instant;

use crate::House;
use crate::keys;
use crate::settings::shown;

/// Between a reading and what is decided from it: PDUs that share their boxes are read at the same time, and what one of them lost is
/// on the other.
const TOGETHER: Duration = Duration::from_millis(300);
/// How long PDUs are read every few seconds after something hinted at trouble.
const HURRY: Duration = Duration::from_secs(10);
/// How often a box is asked which caps it takes, and when it did not answer.
const ASK: (Duration, Duration) = (Duration::from_secs(3600), Duration::from_secs(300));

/// Watches over PDUs, for ever.
pub async fn run(house: House) -> Result<(), store::Error> {
    let mut read = house.inner.live.power();
    let mut memories: BTreeMap<String, Memory> = BTreeMap::new();
    let mut helpless: BTreeSet<Place> = BTreeSet::new();
    loop {
        read.changed().await;
        tokio::time::sleep(TOGETHER).await;
        for rack in house.inner.live.racks_read() {
            if !house.could_be_tight(&rack) {
                memories.remove(&rack);
                continue;
            }
            let Ok(name) = rack.parse::<Name>() else { continue };
            let memory = memories.entry(rack).or_default();
            if let Err(error) = house.relieve(&name, memory, &mut helpless).await {
                tracing::warn!(rack = %name, %error, "what is taken from machines can't be written; it is decided again");
            }
        }
    }
}

impl House {
    /// Whether anything of a rack may be too full, or is taken from its machines. Of what is far from that no diagram is made.
    fn could_be_tight(&self, rack: &str) -> bool {
        let here = |p: &Place| p.rack() == rack;
        let taken = self
            .world()
            .sheds
            .values()
            .any(|s| here(&s.place) || s.pdus.iter().any(here));
        let act = self.rules().act;
        taken
            || self.record(|r| {
                let pdus = r.devices.values().filter(|d| d.kind == "pdu" && d.place.rack() == rack);
                let (mut carried, mut least, mut most) = (0.0, f64::INFINITY, 1.0_f64);
                for pdu in pdus {
                    let rated = pdu.mains.iter().map(rack::free::Rating::watts).fold(0.0, |a, b| a + b);
                    if rated > 0.0 {
                        least = rated.min(least);
                    }
                    most = most.max(unequal(&self.inner.live.lines_of(&pdu.place)));
                    carried += self.inner.live.watts_of(&pdu.place).unwrap_or(rated);
                }
                carried * most > act * least
            })
    }

    /// Decides for one rack, and records it.
    async fn relieve(
        &self,
        rack: &Name,
        memory: &mut Memory,
        helpless: &mut BTreeSet<Place>,
    ) -> Result<(), store::Error> {
        let line = self.one_line_of(Some(&Place::whole(rack)));
        let decision = decide(&line, memory, &self.rules());
        if decision.tight {
            line.pdus.iter().for_each(|pdu| self.hurry_pdu(&pdu.place));
        }
        let mut txn = Txn::new();
        let world = self.world();
        for shed in &decision.sheds {
            let Some(node) = world.node_at(&shed.place) else {
                continue;
            };
            txn = self.take(txn, node, shed.clone())?;
        }
        let inside = |p: &Place| p.rack() == rack.as_str();
        for pdu in decision.helpless.iter().filter(|p| !helpless.contains(*p)) {
            let what = "it carries more than it is rated for, and no machine on an armed box can give up enough";
            let event = self.event(Level::Error, pdu, what);
            txn = self.tell(txn, &event)?;
        }
        let news = !decision.sheds.is_empty() || decision.helpless.iter().any(|p| !helpless.contains(p));
        helpless.retain(|p| !inside(p));
        helpless.extend(decision.helpless);
        if !news {
            return Ok(());
        }
        match self.commit(txn).await {
            Ok(_) => Ok(()),
            // someone changed one of them in this very moment: the next reading decides anew
            Err(store::Error::Conflict { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Adds what is taken from a node's machine, or given back, to a transaction.
    fn take(&self, txn: Txn, node: &Node, mut shed: Shed) -> Result<Txn, store::Error> {
        let key = keys::shed(&node.id);
        let world = self.world();
        let before = world.sheds.get(&node.id);
        // the cap that a record still stands for is none that the box had
        if before.is_none() {
            let wished = self.record(|r| r.settings.get(&node.id).is_some_and(|s| s.cap.is_some()));
            shed.before = self.cap_of(&node.id).filter(|_| !wished);
        }
        let (had_stop, had_cap) = (before.and_then(|b| b.stop), before.and_then(|b| b.cap));
        let gave = match (had_stop, shed.stop, had_cap, shed.cap) {
            (Some(_), None, _, None) => Some("may start again: there is power for it".to_owned()),
            (Some(_), None, _, Some(_)) => {
                Some(format!("may start again, {}: there is power for that", shed.in_words()))
            }
            (_, _, Some(_), None) => Some("its cap is lifted: there is power for it".to_owned()),
            (_, _, Some(had), Some(cap)) if cap > had => {
                Some(format!("its cap is raised to {cap:.0} W: there is power for that"))
            }
            _ => None,
        };
        let event = match gave {
            Some(what) => self.event(Level::Info, &shed.machine, what),
            None => Event {
                because: Some(shed.because.clone()),
                ..self.event(
                    Level::Warning,
                    &shed.machine,
                    format!("{}, it drew {:.0} W", shed.in_words(), shed.drew),
                )
            },
        };
        let txn = txn.check(&key, self.unchanged(&key));
        // what was never capped has no cap to be lifted
        let txn = match before {
            Some(before) if shed.is_over() && before.cap.is_none() => txn.delete(&key),
            _ => txn.put(&key, &shed)?,
        };
        self.tell(txn, &event)
    }

    /// PDUs that feed a node are read every few seconds for a while.
    pub(crate) fn hurry_feeds(&self, node: &NodeId) {
        let world = self.world();
        let outlets = world.nodes.get(node).map(|n| n.outlets.as_slice()).unwrap_or_default();
        outlets.iter().for_each(|o| self.hurry_pdu(&o.pdu));
    }

    fn hurry_pdu(&self, pdu: &Place) {
        if let Some(url) = self.record(|r| r.devices.get(pdu).map(|d| d.url.clone())) {
            self.inner.live.hurry(&url, HURRY);
        }
    }

    /// Asks a box whose machine may have to give up watts which caps it takes: when they are needed there is no time.
    pub(crate) async fn learn_caps(&self, node: &Node, bmc: &dyn Driver) {
        let may_give = node.armed && node.holder.is_some() && !node.outlets.is_empty();
        let is_due = |s: &crate::live::Sight| {
            let after = if s.settings.caps.is_empty() { ASK.1 } else { ASK.0 };
            s.caps_asked.is_none_or(|at| at.elapsed() >= after)
        };
        if !may_give || !self.inner.live.peek(&node.id, is_due) {
            return;
        }
        let Some(caps) = bmc.caps() else { return };
        self.inner.live.note(&node.id, |s| s.caps_asked = Some(Instant::now()));
        match caps.caps(&node.bmc).await {
            Ok(caps) => self.inner.live.update(&node.id, |s| s.settings.caps = shown(caps)),
            Err(error) => tracing::debug!(place = %node.place, %error, "which caps it takes is not known"),
        }
    }
}
