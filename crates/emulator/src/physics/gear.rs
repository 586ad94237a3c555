//! The electrical tree: sources, transfer switches, uninterruptible supplies, breakers, PDUs, outlets, shelves and bus bars.
//!
//! Pieces stand in one list, parents before children. Once a step their life is passed down and their watts are passed
//! up; what a piece loses on the way is heat that is accounted for where it stands.

use super::breaker::Curve;

/// A piece's place in the list.
pub type GearId = u16;

/// Which phases a piece hangs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phases {
    /// One, 0 to 2.
    One(u8),
    /// All three alike.
    Three,
}

impl Phases {
    /// Whether it hangs on this one, from 0.
    pub fn has(self, phase: u8) -> bool {
        match self {
            Phases::One(mine) => mine % 3 == phase,
            Phases::Three => phase < 3,
        }
    }
}

/// A battery.
#[derive(Debug, Clone, PartialEq)]
pub struct Battery {
    /// Joules in it.
    pub joules: f64,
    /// When it is full.
    pub full: f64,
    /// Watts that it is charged with, at most.
    pub charge: f64,
    /// Whether it carries the load.
    pub carries: bool,
}

/// What a piece is.
#[derive(Debug, Clone, PartialEq)]
pub enum Gear {
    /// The utility, or a generator: where energy comes in.
    Source {
        /// Whether there is any.
        on: bool,
    },
    /// A transfer switch: takes the first of its parents that lives, and stays with it while it does.
    Transfer {
        /// Which one it takes now.
        takes: u8,
        /// Milliseconds that it is open on the way.
        millis: f64,
        /// Whether it has changed over since it was last asked.
        moved: bool,
    },
    /// An uninterruptible supply. Its losses heat the electrical room.
    Ups {
        /// What it can give for ever.
        capacity: f64,
        /// `input = (output + fixed) / gain`.
        fixed: f64,
        /// See `fixed`.
        gain: f64,
        /// Its battery.
        battery: Battery,
        /// How much of its overload window is used up, 0 to 1; at 1 it switches off.
        overload: f64,
        /// Whether it has switched off.
        off: bool,
    },
    /// A breaker, one pole or three.
    Breaker {
        /// What it carries, amps a phase.
        amps: f64,
        /// How it trips.
        curve: Curve,
        /// Heat memory of each phase.
        heat: [f64; 3],
        /// Whether it has tripped.
        tripped: bool,
    },
    /// A PDU: what hangs on it is one thing to look at.
    Pdu,
    /// A switched outlet.
    Outlet {
        /// Whether it is on.
        on: bool,
    },
    /// A shelf of rectifiers: three phases in, a bus bar out. Its losses heat the rack's air.
    Shelf {
        /// Rectifiers.
        count: u8,
        /// Which have failed.
        failed: u8,
        /// What each can give.
        capacity: f64,
        /// Of each: `input = (output + fixed) / gain`.
        fixed: f64,
        /// See `fixed`.
        gain: f64,
        /// A battery on its bus bar side.
        battery: Option<Battery>,
        /// Whether it has given up under too much load.
        off: bool,
    },
    /// A bus bar: its living parents share the load.
    Bus,
}

/// A piece in its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Piece {
    /// Its name, empty when nobody asks for it.
    pub name: String,
    /// What feeds it; two for a transfer switch, several for a bus bar.
    pub parents: Vec<GearId>,
    /// What it is.
    pub gear: Gear,
    /// Phases of its input.
    pub phases: Phases,
    /// Volts of a phase to neutral, of its input.
    pub volts: f64,
    /// Whether it has voltage behind it.
    pub live: bool,
    /// Whether it has voltage before it.
    pub fed: bool,
    /// Watts into it, by phase.
    pub into: [f64; 3],
    /// Watts out of it.
    pub out: f64,
    /// Joules into it since the start.
    pub joules: f64,
    /// Watts that it loses.
    pub lost: f64,
}

/// Over its capacity an uninterruptible supply lasts 10 s at 133 % and a second at 150 % (seconds to switch-off).
fn ups_window(share: f64) -> f64 {
    if share <= 1.0 {
        f64::INFINITY
    } else if share <= 1.33 {
        // a minute just over it, 10 s at a third over
        60.0 - (share - 1.0) / 0.33 * 50.0
    } else {
        1.0
    }
}

/// A shelf gives up above this share of what its rectifiers can give.
const SHELF_MOST: f64 = 1.1;
/// A battery is charged with this share kept as heat.
const CHARGE_LOSS: f64 = 0.05;

impl Piece {
    /// A piece with this name and these parents.
    pub fn new(name: &str, gear: Gear, parents: &[GearId], phases: Phases, volts: f64) -> Piece {
        Piece {
            name: name.to_owned(),
            parents: parents.to_vec(),
            gear,
            phases,
            volts,
            live: false,
            fed: false,
            into: [0.0; 3],
            out: 0.0,
            joules: 0.0,
            lost: 0.0,
        }
    }

    /// Watts into it.
    pub fn watts(&self) -> f64 {
        self.into.iter().sum()
    }

    /// Amps of one phase.
    pub fn amps(&self, phase: usize) -> f64 {
        self.into[phase] / self.volts
    }

    /// The battery, if it has one.
    pub fn battery(&self) -> Option<&Battery> {
        match &self.gear {
            Gear::Ups { battery, .. } => Some(battery),
            Gear::Shelf { battery, .. } => battery.as_ref(),
            _ => None,
        }
    }

    fn battery_mut(&mut self) -> Option<&mut Battery> {
        match &mut self.gear {
            Gear::Ups { battery, .. } => Some(battery),
            Gear::Shelf { battery, .. } => battery.as_mut(),
            _ => None,
        }
    }

    /// Whether there is voltage behind it, given which of its parents live.
    pub fn wake(&mut self, parents: impl Fn(GearId) -> bool) {
        let any = self.parents.iter().any(|p| parents(*p));
        self.fed = any;
        self.live = match &mut self.gear {
            Gear::Source { on } => {
                self.fed = *on;
                *on
            }
            Gear::Transfer { takes, moved, .. } => {
                let held = self.parents.get(usize::from(*takes)).is_some_and(|p| parents(*p));
                if !held && let Some(other) = self.parents.iter().position(|p| parents(*p)) {
                    *takes = other as u8;
                    *moved = true;
                }
                any
            }
            Gear::Ups { battery, off, .. } => {
                battery.carries = !any && battery.joules > 0.0 && !*off;
                !*off && (any || battery.carries)
            }
            Gear::Breaker { tripped, .. } => any && !*tripped,
            Gear::Outlet { on } => any && *on,
            Gear::Shelf {
                battery,
                off,
                count,
                failed,
                ..
            } => {
                // it tries again once its input was gone
                *off &= any;
                let any = any && failed.count_ones() < u32::from(*count);
                let mut carries = false;
                if let Some(b) = battery {
                    b.carries = !any && b.joules > 0.0 && !*off;
                    carries = b.carries;
                }
                !*off && (any || carries)
            }
            Gear::Pdu | Gear::Bus => any,
        };
    }

    /// Turns what is drawn behind it (by phase) into what it draws.
    pub fn draw(&mut self, behind: [f64; 3]) {
        self.out = behind.iter().sum();
        let out = self.out;
        self.lost = 0.0;
        let spread = |watts: f64, phases: Phases| match phases {
            Phases::One(n) => {
                let mut all = [0.0; 3];
                all[usize::from(n % 3)] = watts;
                all
            }
            Phases::Three => [watts / 3.0; 3],
        };
        self.into = match &self.gear {
            _ if !self.live => {
                self.out = 0.0;
                [0.0; 3]
            }
            Gear::Ups {
                fixed, gain, battery, ..
            } => {
                let before = (out + fixed) / gain;
                let charge = charging(battery);
                self.lost = before - out + charge * CHARGE_LOSS;
                if battery.carries {
                    self.lost = before - out;
                    [0.0; 3]
                } else if out > 0.0 {
                    // as its output leans on the phases, so does its input
                    behind.map(|w| w / out * (before + charge))
                } else {
                    spread(before + charge, self.phases)
                }
            }
            Gear::Shelf {
                count,
                failed,
                fixed,
                gain,
                battery,
                ..
            } => {
                let working = f64::from(u32::from(*count) - failed.count_ones());
                let carries = battery.as_ref().is_some_and(|b| b.carries);
                let charge = battery.as_ref().map_or(0.0, charging);
                if carries {
                    [0.0; 3]
                } else {
                    let before = (out + charge + working * fixed) / gain;
                    self.lost = before - out - charge * (1.0 - CHARGE_LOSS);
                    spread(before, self.phases)
                }
            }
            Gear::Outlet { .. } => spread(out, self.phases),
            _ => behind,
        };
    }

    /// Seconds until something happens to it if all stays as it is.
    pub fn event_in(&self) -> f64 {
        match &self.gear {
            Gear::Breaker { amps, curve, heat, .. } if self.live => (0..3)
                .map(|n| curve.seconds_to_trip(heat[n], self.amps(n) / amps))
                .fold(f64::INFINITY, f64::min),
            Gear::Ups {
                battery,
                overload,
                capacity,
                ..
            } if self.live => {
                let window = ups_window(self.out / capacity) * (1.0 - overload);
                if battery.carries {
                    window.min(battery.joules / (self.out + self.lost).max(1e-9))
                } else {
                    window
                }
            }
            Gear::Shelf { battery: Some(b), .. } if b.carries => b.joules / self.out.max(1e-9),
            _ => f64::INFINITY,
        }
    }

    /// Lets `seconds` pass; says what happened to it, if anything.
    pub fn step(&mut self, seconds: f64) -> Option<&'static str> {
        self.joules += self.watts() * seconds;
        let (out, lost, live) = (self.out, self.lost, self.live);
        let shares = [0, 1, 2].map(|n| self.amps(n));
        if let Some(b) = self.battery_mut() {
            if b.carries {
                b.joules = (b.joules - (out + lost) * seconds).max(0.0);
                // what rounding leaves is no charge
                if b.joules < 1e-6 {
                    b.joules = 0.0;
                }
            } else if live {
                b.joules += charging(b) * (1.0 - CHARGE_LOSS) * seconds;
            }
        }
        match &mut self.gear {
            Gear::Breaker {
                amps,
                curve,
                heat,
                tripped,
            } => {
                for (heat, now) in heat.iter_mut().zip(shares) {
                    let share = if live { now / *amps } else { 0.0 };
                    let at_once = live && curve.seconds_to_trip(*heat, share) == 0.0;
                    *heat = curve.after(*heat, share, seconds);
                    if live && (at_once || *heat >= 1.0 - 1e-9) {
                        *tripped = true;
                    }
                }
                (live && *tripped).then_some("tripped")
            }
            Gear::Ups {
                capacity,
                overload,
                off,
                battery,
                ..
            } => {
                let window = ups_window(out / *capacity);
                *overload = if window.is_finite() {
                    *overload + seconds / window
                } else {
                    *overload * (-seconds / 60.0).exp()
                };
                if live && *overload >= 1.0 - 1e-9 {
                    *off = true;
                    return Some("switched off, overloaded");
                }
                (battery.carries && battery.joules == 0.0).then_some("battery empty")
            }
            Gear::Shelf {
                count,
                failed,
                capacity,
                off,
                battery,
                ..
            } => {
                let working = f64::from(u32::from(*count) - failed.count_ones());
                if live && out > working * *capacity * SHELF_MOST {
                    *off = true;
                    return Some("switched off, overloaded");
                }
                let empty = battery.as_ref().is_some_and(|b| b.carries && b.joules == 0.0);
                empty.then_some("battery empty")
            }
            _ => None,
        }
    }
}

/// Watts that go into a battery from outside: slower as it fills, so that it is never overfilled.
fn charging(b: &Battery) -> f64 {
    if b.carries {
        0.0
    } else {
        // the last percent takes its time: a thousandth of what is missing in a second
        b.charge.min((b.full - b.joules).max(0.0) / 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shelf_loses_what_raps_says() {
        let gear = Gear::Shelf {
            count: 6,
            failed: 0,
            capacity: 5500.0,
            fixed: 17.0,
            gain: 0.96,
            battery: None,
            off: false,
        };
        let mut shelf = Piece::new("s", gear, &[0], Phases::Three, 240.0);
        shelf.wake(|_| true);
        shelf.draw([24_000.0, 0.0, 0.0]);
        assert!((shelf.watts() - (24_000.0 + 6.0 * 17.0) / 0.96).abs() < 1e-9);
        assert!((shelf.watts() - shelf.out - shelf.lost).abs() < 1e-9);
        assert_eq!(shelf.into[0], shelf.into[2]);
    }

    #[test]
    fn an_overloaded_ups_lasts_as_long_as_its_window() {
        let gear = Gear::Ups {
            capacity: 10_000.0,
            fixed: 100.0,
            gain: 0.96,
            battery: Battery {
                joules: 3e6,
                full: 3e6,
                charge: 500.0,
                carries: false,
            },
            overload: 0.0,
            off: false,
        };
        let mut ups = Piece::new("ups", gear, &[0], Phases::Three, 230.0);
        ups.wake(|_| true);
        ups.draw([13_300.0 / 3.0; 3]);
        assert!((ups.event_in() - 10.0).abs() < 1e-9, "{}", ups.event_in());
        assert_eq!(ups.step(9.9), None);
        assert!(ups.step(0.2).is_some());
        ups.wake(|_| true);
        assert!(!ups.live);
    }
}
