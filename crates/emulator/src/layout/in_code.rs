//! The rack that is made in code: so many servers of each kind, from below, between two feeds.

use super::{FOR_SERVERS, GPU_BOX, RackLayout, UNITS};
use crate::describe::{As, BoxAt, Cord, Described, Feed, Pdu, Room};
use crate::physics::breaker::Curve;
use crate::physics::kinds::{Kind, SERVER_2S, SERVER_8GPU, SERVER_BARE};
use crate::physics::load::Trace;

/// What one feed carries alone, as a share of what all boxes draw at full power. Racks are sold for less than the sum of their
/// nameplates: Frontier's draw three fifths of their peak on average, and swing by a third of it within 15 s (24 h of 25 coolant
/// units, HewlettPackard/sustain-lc). So both feeds carry everything, and one alone everything but the hardest work.
const ONE_FEED: f64 = 0.65;
/// Amps of the smallest feed that racks have: 11 kW by three phases of 230 V.
const LEAST_AMPS: f64 = 16.0;

/// A server in its place, of a rack that is made in code.
pub(super) struct Stand {
    pub(super) rack: u32,
    unit: u32,
    height: u32,
    kind: Kind,
}

impl RackLayout {
    /// Where its servers stand, from below: plain ones, those with accelerators, those without a BMC.
    pub(super) fn stand(&self) -> Vec<Stand> {
        let kinds = [
            (self.servers, SERVER_2S, 1),
            (
                self.gpu_servers,
                Kind {
                    gpus: self.build.gpus.min(16) as u8,
                    ..SERVER_8GPU
                },
                GPU_BOX,
            ),
            (self.bare_servers, SERVER_BARE, 1),
        ];
        let (mut rack, mut free) = (1, 1);
        let mut all = Vec::new();
        for (count, kind, height) in kinds {
            for _ in 0..count {
                if free + height - 1 > FOR_SERVERS {
                    (rack, free) = (rack + 1, 1);
                }
                all.push(Stand {
                    rack,
                    unit: free,
                    height,
                    kind,
                });
                free += height;
            }
        }
        all
    }

    /// Two feeds that carry everything together, a PDU or a strip on each, and outlet n of both for server n.
    pub(super) fn in_code(&self) -> Described {
        let stand = self.stand();
        let all = stand.len();
        let racks = f64::from(stand.last().map_or(1, |s| s.rack));
        let boxes: Vec<BoxAt> = stand
            .into_iter()
            .enumerate()
            .map(|(i, s)| BoxAt {
                place: format!("r{}/u{}", s.rack, s.unit),
                unit: Some(s.unit),
                height: s.height,
                kind: s.kind,
                cords: vec![Cord::Outlet(0, i), Cord::Outlet(1, i)],
                on: None,
                moves: false,
                load: Trace::Constant(0.0),
                as_: As::of(&s.kind),
            })
            .collect();
        let watts: f64 = boxes.iter().map(|b| b.kind.wall().1).sum();
        let amps = (ONE_FEED * watts / 3.0 / 230.0).max(LEAST_AMPS).ceil();
        let letter = |n: usize| (b'a' + n as u8) as char;
        let feed = |n: usize| Feed {
            name: format!("feed-{}", letter(n)),
            volts: 230.0,
            phases: 3,
            amps,
            // rack PDUs have these, and what-if reckons by them
            curve: Curve::Hydraulic,
            transfer: None,
            ups: None,
        };
        let pdu = |n: usize| {
            let managed = n < usize::from(self.pdus);
            Pdu {
                name: format!("{}-{}", if managed { "pdu" } else { "strip" }, letter(n)),
                feed: n,
                outlets: all,
                branches: 0,
                branch_amps: amps,
                managed,
            }
        };
        Described {
            name: "r1".into(),
            about: String::new(),
            units: UNITS,
            room: Room {
                celsius: self.inlet_celsius,
                cubic_metres: 60.0 * racks,
                steel: 500.0 * racks,
                cooling: 1.5 * watts + 2000.0,
                restart: 150.0,
            },
            door: None,
            loops: Vec::new(),
            feeds: vec![feed(0), feed(1)],
            pdus: vec![pdu(0), pdu(1)],
            shelves: Vec::new(),
            boxes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::physics::{Quantity, Readings as _};

    /// What each of two feeds carries, as a share of its rating, when all boxes have had this load for an hour; what one
    /// carries when the other has just gone; and the seconds until that trips, at most an hour.
    fn feeds(plain: u32, gpus: u32, load: f64) -> (f64, f64, f64) {
        let layout = RackLayout {
            gpu_servers: gpus,
            ..RackLayout::of(plain)
        };
        let described = layout.describe();
        let mut made = described.plant();
        for id in &made.boxes {
            made.plant.set_on(*id, true);
            made.plant.set_load(*id, Trace::Constant(load));
        }
        made.plant.advance(3600.0);
        let pdu = made.plant.find("pdu-a").expect("it answers");
        let rated = described.feeds[0].amps * described.feeds[0].volts * 3.0;
        let share = |plant: &crate::physics::Plant| plant.read(pdu, Quantity::TotalWatts).expect("it meters") / rated;
        let both = share(&made.plant);
        made.plant.trip("feed-b-breaker", true).expect("it has a breaker");
        made.plant.settle();
        let one = share(&made.plant);
        let mut seconds = 0.0;
        while made.plant.gives(pdu) && seconds < 3600.0 {
            made.plant.advance(1.0);
            seconds += 1.0;
        }
        (both, one, seconds)
    }

    #[test]
    fn two_feeds_carry_everything_and_one_alone_everything_but_the_hardest_work() {
        for (plain, gpus) in [(9, 1), (10, 1), (31, 1), (40, 0), (40, 10), (0, 5)] {
            let (both, one, seconds) = feeds(plain, gpus, 1.0);
            assert!(both < 0.8, "{plain} + {gpus}: {both} of each feed");
            assert!((1.35..1.55).contains(&one), "{plain} + {gpus}: {one} of one feed");
            // not so soon that nobody can act, not so late that nobody has to
            assert!((10.0..120.0).contains(&seconds), "{plain} + {gpus}: {seconds} s");
            let (_, one, seconds) = feeds(plain, gpus, 0.0);
            assert!(
                one < 0.5 && seconds == 3600.0,
                "{plain} + {gpus}: {one} of one feed at rest"
            );
        }
    }

    #[test]
    fn a_few_servers_never_need_the_second_feed() {
        let (_, one, seconds) = feeds(9, 0, 1.0);
        assert!(one < 0.85 && seconds == 3600.0, "{one}");
        let described = RackLayout::machines(2).describe();
        assert_eq!(described.feeds[0].amps, LEAST_AMPS);
    }
}
