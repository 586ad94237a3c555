//! What hangs on a feed, at most.

use std::collections::BTreeMap;

use super::Reader;
use super::form::File;
use crate::describe::{Cord, Described, Shelf};

impl Reader<'_> {
    /// At full load and with everything whole, no feed may carry more than its breaker.
    pub(super) fn amps(&mut self, file: &File, d: &Described) {
        let mut watts = vec![0.0; d.feeds.len()];
        let mut on_bus: BTreeMap<&str, f64> = BTreeMap::new();
        for b in &d.boxes {
            let pumps =
                b.on.filter(|_| b.moves)
                    .map_or(0.0, |l| d.loops[l].pump_watts * f64::from(d.loops[l].pumps));
            let full = b.kind.wall().1 + pumps;
            for cord in &b.cords {
                let part = full / b.cords.len() as f64;
                match cord {
                    Cord::Outlet(pdu, _) => watts[d.pdus[*pdu].feed] += part,
                    Cord::Bus(bus) => *on_bus.entry(bus).or_default() += part,
                }
            }
        }
        for (n, s) in d.shelves.iter().enumerate() {
            let all: Vec<&Shelf> = d.shelves.iter().filter(|o| o.bus == s.bus).collect();
            let bus = on_bus.get(s.bus.as_str()).copied().unwrap_or_default();
            let can: f64 = all.iter().map(|s| s.watts * f64::from(s.rectifiers)).sum();
            if bus > can {
                let why = format!(
                    "the boxes on the bus bar `{}` draw up to {bus:.0} W, its shelves give {can:.0} W: {:.0} W more of \
                     rectifiers, or fewer boxes",
                    s.bus,
                    bus - can
                );
                self.wrong(file.shelves[n].name.span(), why);
            }
            watts[s.feed] += (bus / all.len() as f64 + 17.0 * f64::from(s.rectifiers)) / 0.96;
        }
        for (n, (feed, watts)) in d.feeds.iter().zip(watts).enumerate() {
            let can = feed.volts * f64::from(feed.phases) * feed.amps;
            let amps = watts / (feed.volts * f64::from(feed.phases));
            if watts > can {
                let why = format!(
                    "`{}` carries {:.0} A a phase, and what hangs on it draws up to {amps:.1} A ({watts:.0} W of {can:.0} W): \
                     a feed of {:.0} A holds it within 80 %, or take {:.0} W off it",
                    feed.name,
                    feed.amps,
                    (amps / 0.8).ceil(),
                    watts - can
                );
                self.wrong(file.feeds[n].amps.span(), why);
            }
        }
    }
}
