//! What happens in the story of a seed. Stories differ in how much happens at all, so that some are all but quiet and in
//! some everything meets.

use emulator::faults::Action;
use rack::request::{OutletVerb, Signal};

use super::{Ask, Event, Lie, MOST, READINGS, Story, What, Whom};
use crate::city::GIVEN_BACK;
use crate::dice::Dice;

/// How many servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// So many.
    Of(u32),
    /// Small racks and large ones.
    Any,
}

/// Nothing happens before the rack is discovered.
const BEGIN: u64 = 60;
/// Out of reach of the longest fault, at the end.
const HOUR: u64 = 3600;

impl Story {
    /// The story of a seed: `hours` of bad luck.
    pub fn of_seed(seed: u64, hours: u64, size: Size) -> Story {
        let mut dice = Dice::new(seed ^ 0x5eed_0f57_0123);
        let nodes = match size {
            Size::Of(nodes) => nodes.clamp(1, MOST),
            Size::Any => dice.of(&[1, 2, 3, 3, 4, 6, 9, 14, 24, MOST]),
        };
        let bare = if nodes > 1 {
            dice.below(3).min(u64::from(nodes / 3).max(1)) as u32
        } else {
            0
        };
        let seconds = hours.max(1) * HOUR;
        let mut maker = Maker {
            dice,
            nodes,
            machines: nodes + 2,
            rollouts: 0,
            seconds,
            events: Vec::new(),
        };
        maker.users();
        maker.luck();
        maker.dice = Dice::new(seed ^ 0x3a77_0f57_0123);
        let (feed, readings) = maker.power();
        let mut events = maker.events;
        events.sort_by_key(|e| e.at);
        Story {
            seed,
            nodes,
            bare,
            seconds,
            feed,
            readings,
            events,
        }
    }

    /// A rack in which nothing goes wrong but that there is work to do and one of its PDUs is lost, after which the other one
    /// must carry everything, or its breaker trips. `dies`: and the daemon is killed at its so manieth contact after that.
    pub fn of_loss(seed: u64, dies: Option<u64>) -> Story {
        let mut dice = Dice::new(seed ^ 0x10_55ed);
        let nodes = dice.of(&[3, 4, 5, 6, 9]);
        let feed = dice.of(&[65, 50, 40, 35]);
        let event = |at, what| Event { at, what };
        let run = |machine: u32, nice| Ask::Run {
            machine,
            on: None,
            wait: 1800,
            nice,
        };
        let mut events: Vec<Event> = (1..=nodes)
            .map(|m| event(90, What::User(run(m, dice.of(&[-20, -5, 0, 0, 10, 19])))))
            .collect();
        // by then all of them run
        let begin = 1500;
        let lasts = 1500 + dice.below(600);
        for unit in 1..=nodes {
            let percent = 60 + dice.below(41) as u32;
            let on = Whom::Unit(unit);
            events.push(event(begin, What::Work { on, percent, lasts }));
        }
        if dice.below(2) == 0 {
            let (machine, nice) = (1 + dice.below(nodes.into()) as u32, dice.of(&[-20, 0, 19]));
            events.push(event(begin + 600, What::User(Ask::Nice { machine, nice })));
        }
        // what could move is known, and capped ahead, before it moves
        let lost = begin + 120 + dice.below(240);
        let on = Whom::Pdu(dice.below(2) as u8);
        let lasts = 60 + dice.below(1200);
        let count = None;
        let action = Action::TripBreaker;
        events.push(event(
            lost,
            What::Fault {
                on,
                lasts,
                action,
                count,
            },
        ));
        events.extend(dies.map(|contact| event(lost, What::Die { contact, down: 20 })));
        events.sort_by_key(|e| e.at);
        let mut story = Story {
            seed,
            nodes,
            bare: 0,
            seconds: 0,
            feed,
            readings: 30,
            events,
        };
        story.seconds = story.over() + GIVEN_BACK;
        story
    }

    /// One machine's whole life without faults, from discovery to the wipe, but for a daemon that dies at its `n`-th
    /// contact with the outside.
    pub fn one_life(n: Option<u64>) -> Story {
        let event = |at, what| Event { at, what };
        let mut events = vec![
            event(
                60,
                What::User(Ask::Run {
                    machine: 1,
                    on: None,
                    wait: 600,
                    nice: 0,
                }),
            ),
            event(
                300,
                What::User(Ask::Rm {
                    machine: 1,
                    force: false,
                }),
            ),
        ];
        events.extend(n.map(|contact| event(0, What::Die { contact, down: 7 })));
        Story {
            seed: 1,
            nodes: 3,
            bare: 1,
            seconds: 600,
            feed: 0,
            readings: READINGS,
            events,
        }
    }
}

struct Maker {
    dice: Dice,
    nodes: u32,
    machines: u32,
    rollouts: u32,
    seconds: u64,
    events: Vec<Event>,
}

impl Maker {
    fn at(&mut self) -> u64 {
        BEGIN + self.dice.below(self.seconds - BEGIN)
    }

    fn event(&mut self, at: u64, what: What) {
        let at = at.min(self.seconds);
        self.events.push(Event { at, what });
    }

    fn unit(&mut self) -> u32 {
        1 + self.dice.below(u64::from(self.nodes)) as u32
    }

    fn machine(&mut self) -> u32 {
        1 + self.dice.below(u64::from(self.machines)) as u32
    }

    /// So many in an hour, or in ten: a number of events.
    fn often(&mut self, in_ten_hours: u64) -> u64 {
        let mean = in_ten_hours * self.seconds / (10 * HOUR);
        mean + self.dice.below(mean.max(1) + 1)
    }

    /// A time that is long or short, but most often short.
    fn lasts(&mut self, most: u64) -> u64 {
        let most = self.dice.of(&[60, most / 8, most / 2, most]).max(10);
        5 + self.dice.below(most)
    }

    fn users(&mut self) {
        let busy = self.dice.of(&[10, 30, 80]) + u64::from(self.nodes);
        self.event(
            90,
            What::User(Ask::Run {
                machine: 1,
                on: None,
                wait: 600,
                nice: 0,
            }),
        );
        for _ in 0..self.often(busy) {
            let at = self.at();
            let ask = self.ask();
            self.event(at, What::User(ask));
        }
    }

    fn ask(&mut self) -> Ask {
        match self.dice.below(24) {
            0..=8 => Ask::Run {
                machine: self.machine(),
                on: (self.dice.below(4) == 0).then(|| self.unit()),
                wait: self.dice.of(&[0, 600, 7200]),
                nice: self.dice.of(&[-20, 0, 0, 19]),
            },
            9..=12 => Ask::Rm {
                machine: self.machine(),
                force: self.dice.below(2) == 0,
            },
            13..=15 => {
                let signal = self.dice.of(&[Signal::Term, Signal::Kill, Signal::Cont, Signal::Cont]);
                Ask::Signal {
                    machine: self.machine(),
                    signal,
                }
            }
            16 => {
                let watts = self.dice.of(&[None, Some(350), Some(600), Some(100_000)]);
                let trial = self.dice.of(&[None, None, Some(300)]).filter(|_| watts.is_some());
                Ask::Cap {
                    unit: self.unit(),
                    watts,
                    trial,
                }
            }
            17 => Ask::Bios {
                unit: self.unit(),
                turbo: self.dice.below(2) == 0,
            },
            18 => Ask::Light {
                unit: self.unit(),
                on: self.dice.below(2) == 0,
            },
            19 => {
                let verb = self.dice.of(&[OutletVerb::On, OutletVerb::Off, OutletVerb::Cycle]);
                Ask::Outlet {
                    pdu: self.dice.below(2) as u8,
                    unit: self.unit(),
                    verb,
                }
            }
            20 => Ask::Cordon {
                unit: self.unit(),
                on: self.dice.below(2) == 0,
            },
            21 => Ask::Arm {
                unit: self.unit(),
                on: self.dice.below(2) == 0,
            },
            22 => Ask::Rotate,
            _ if self.rollouts > 0 && self.dice.below(4) == 0 => Ask::StopRollout { number: self.rollouts },
            _ => {
                self.rollouts += 1;
                Ask::Rollout {
                    number: self.rollouts,
                    bios: self.dice.below(2) == 0,
                    wave: self.dice.of(&[1, 3, 100]),
                    failures: self.dice.of(&[1, 5]),
                    in_use: self.dice.below(2) == 0,
                }
            }
        }
    }

    fn luck(&mut self) {
        let bad = self.dice.of(&[0, 4, 15, 40]);
        for _ in 0..self.often(bad * (2 + u64::from(self.nodes) / 8) / 2) {
            let at = self.at();
            let fault = self.box_fault();
            self.event(at, fault);
        }
        for _ in 0..self.often(bad) {
            let at = self.at();
            let what = self.house_fault();
            self.event(at, what);
        }
        // In many racks the network is never quite well.
        let per_mille = self.dice.of(&[0, 0, 5, 20, 60]);
        if bad > 0 && per_mille > 0 {
            let lasts = self.seconds;
            self.event(BEGIN, What::Noise { per_mille, lasts });
        }
        // The daemon dies at moments when something is going on, and at any other.
        let deadly = self.dice.of(&[0, 3, 20]);
        for _ in 0..self.often(deadly) {
            let asked: Vec<u64> = self.events.iter().map(|e| e.at).collect();
            let at = if self.dice.below(3) == 0 {
                self.at()
            } else {
                self.dice.of(&asked) + self.dice.below(300)
            };
            let contact = self.dice.of(&[0, 3, 20, 100]);
            let contact = self.dice.below(contact + 1);
            let down = 1 + self.dice.below(30);
            self.event(at, What::Die { contact, down });
        }
    }

    /// Feeds that are too small for all that there is to do, work, and PDUs that are lost while it is done.
    fn power(&mut self) -> (u32, u64) {
        let feed = self.dice.of(&[0, 65, 65, 50, 40, 35]);
        let readings = self.dice.of(&[READINGS, 60, 60]);
        let busy = self.dice.of(&[0, 4, 12]);
        for _ in 0..self.often(busy) {
            let at = self.at();
            let on = match self.dice.below(3) {
                0 => Whom::Unit(self.unit()),
                _ => Whom::All,
            };
            let percent = self.dice.of(&[40, 60, 80, 100]);
            let lasts = 300 + self.lasts(3 * HOUR);
            self.event(at, What::Work { on, percent, lasts });
            if self.dice.below(2) == 0 {
                let at = at + self.dice.below(1200);
                let on = Whom::Pdu(self.dice.below(2) as u8);
                let lasts = 60 + self.lasts(2 * HOUR);
                let what = match self.dice.below(3) {
                    0 => What::Dark { on, feed: None, lasts },
                    _ => What::Fault {
                        on,
                        lasts,
                        action: Action::TripBreaker,
                        count: None,
                    },
                };
                self.event(at, what);
            }
        }
        for _ in 0..self.often(busy) {
            let at = self.at();
            let (machine, nice) = (self.machine(), self.dice.of(&[-20, -5, 0, 5, 19]));
            self.event(at, What::User(Ask::Nice { machine, nice }));
        }
        (feed, readings)
    }

    fn box_fault(&mut self) -> What {
        let unit = self.unit();
        let lasts = self.lasts(2 * HOUR);
        match self.dice.below(20) {
            0 => What::Reboot { unit },
            1 => What::Lie {
                unit,
                lie: self.dice.of(&[Lie::On, Lie::Off, Lie::Frozen]),
                lasts: lasts.min(1800),
            },
            2..=3 => What::Dark {
                on: Whom::Unit(unit),
                feed: self.dice.of(&[Some(0), Some(1), None]),
                lasts,
            },
            4 => What::Dark {
                on: Whom::Pdu(self.dice.below(2) as u8),
                feed: None,
                lasts,
            },
            _ => {
                let on = match self.dice.below(12) {
                    0 => Whom::All,
                    1 => Whom::Pdu(self.dice.below(2) as u8),
                    _ => Whom::Unit(unit),
                };
                let (action, count) = self.action();
                What::Fault {
                    on,
                    lasts,
                    action,
                    count,
                }
            }
        }
    }

    fn action(&mut self) -> (Action, Option<u32>) {
        let some = Some(1 + self.dice.below(3) as u32);
        match self.dice.below(13) {
            0 | 1 => (Action::Hang, None),
            2 => (
                Action::Delay {
                    millis: 1 + self.dice.below(40_000),
                },
                None,
            ),
            3 => (
                Action::Status {
                    code: self.dice.of(&[500, 503, 404, 400]),
                },
                None,
            ),
            4 => (Action::Reset, None),
            5 => (Action::BrokenJson, None),
            6 => (Action::WrongPassword, None),
            7 => (Action::IgnoreReset, some),
            8 => (Action::DropDhcp, some),
            9 => (Action::DiskError, some),
            10 => (Action::SlowDisk { millis: 500 }, None),
            11 => (Action::StuckPost, Some(1)),
            _ => (Action::LosePower, Some(1)),
        }
    }

    fn house_fault(&mut self) -> What {
        let lasts = self.lasts(HOUR);
        match self.dice.below(12) {
            0..=2 => What::Noise {
                per_mille: self.dice.of(&[5, 20, 60, 200]),
                lasts,
            },
            3 | 4 => What::StoreBefore {
                commits: 1 + self.dice.below(20) as u32,
            },
            5 | 6 => What::StoreAfter {
                commits: 1 + self.dice.below(5) as u32,
            },
            7 => What::Full { lasts },
            8 => What::Blobs { lasts },
            9 => What::Vanish {
                percent: self.dice.of(&[50, 50, 100]),
                lasts,
            },
            10 => What::Clock {
                by: self.dice.of(&[-5, -60, -1800, -86_400, 5]),
            },
            _ => What::Restart {
                down: 1 + self.dice.below(300),
            },
        }
    }
}
