use rack::power::{Line, Pdu};

use super::*;
use crate::whatif::tests::{cord, fed, line, pdu, place};

/// Seconds after the beginning.
fn at(seconds: i64) -> Time {
    Time::from_millis(1_000_000 + seconds * 1000)
}

/// A machine with one cord to pdu-b.
fn machine(slot: &str, nice: i8, watts: f64, floor: Option<f64>) -> FedBox {
    FedBox {
        nice: Some(nice),
        floor,
        ..fed(slot, Some(&format!("m-{slot}")), vec![cord("pdu-b", slot, Some(watts))])
    }
}

/// pdu-b of 2,000 W with these behind it.
fn rack(boxes: Vec<FedBox>) -> OneLine {
    line(vec![pdu("pdu-b", None, Some(2000.0))], boxes)
}

/// The same with 2,100 W behind it, of which u1's are given up first.
fn full() -> OneLine {
    rack(vec![
        machine("u1", 10, 1200.0, Some(300.0)),
        machine("u2", -10, 900.0, Some(300.0)),
    ])
}

/// The lines of a PDU that draw so many amperes of 4.
fn lines(amps: [f64; 3]) -> Vec<Line> {
    let one = |(n, amps): (usize, f64)| Line {
        name: format!("ac1-line{}-amps", n + 1),
        amps: Some(amps),
        rated: Some(4.0),
    };
    amps.into_iter().enumerate().map(one).collect()
}

/// What becomes of a rack: what is decided is recorded, and boxes keep to it after a while.
struct Run {
    line: OneLine,
    /// What each would draw if nothing were taken from it.
    wants: Vec<f64>,
    memory: Memory,
    now: i64,
    /// Boxes do what they are told.
    obedient: bool,
}

impl Run {
    fn of(line: OneLine) -> Run {
        let wants = line.boxes.iter().map(|b| watts(b).expect("it draws")).collect();
        Run {
            line,
            wants,
            memory: Memory::default(),
            now: 0,
            obedient: true,
        }
    }

    /// Goes on for so many seconds; what was decided last.
    fn go(&mut self, seconds: i64) -> Vec<Shed> {
        let mut last = Vec::new();
        for _ in 0..seconds {
            self.now += 1;
            self.draw();
            self.line.at = at(self.now);
            let decision = decide(&self.line, &mut self.memory, &Rules::default());
            for shed in &decision.sheds {
                let b = self
                    .line
                    .boxes
                    .iter_mut()
                    .find(|b| b.place == shed.place)
                    .expect("it is there");
                b.shed = (!shed.is_over()).then(|| shed.clone());
            }
            if !decision.sheds.is_empty() {
                last = decision.sheds;
            }
        }
        last
    }

    /// Boxes keep to what was taken five seconds ago.
    fn draw(&mut self) {
        let mut sum = 0.0;
        for (fed, wants) in self.line.boxes.iter_mut().zip(&self.wants) {
            let shed = fed
                .shed
                .as_ref()
                .filter(|s| self.obedient && at(self.now).since(s.changed) >= Duration::from_secs(5));
            let stopped = shed.is_some_and(|s| s.stop.is_some());
            let cap = shed
                .and_then(|s| s.cap)
                .unwrap_or(f64::MAX)
                .max(fed.floor.unwrap_or(*wants));
            let watts = if stopped { 10.0 } else { wants.min(cap) };
            fed.state = Some(if stopped { "stopped" } else { "running" }.into());
            (fed.watts, fed.cords[0].watts) = (Some(watts), Some(watts));
            sum += watts;
        }
        for pdu in self.line.pdus.iter_mut().filter(|p| p.carries == Carries::Yes) {
            pdu.watts = Some(sum);
        }
    }

    fn carried(&self) -> f64 {
        self.line.boxes.iter().filter_map(|b| b.watts).sum()
    }

    fn shed(&self, slot: &str) -> Option<&Shed> {
        let fed = self
            .line
            .boxes
            .iter()
            .find(|b| b.place == place(&format!("r1/{slot}")))?;
        fed.shed.as_ref()
    }
}

#[test]
fn below_nine_tenths_nothing_is_taken_and_above_the_lowest_priority_is_capped() {
    let mut calm = Run::of(rack(vec![
        machine("u1", 10, 900.0, Some(300.0)),
        machine("u2", -10, 880.0, Some(300.0)),
    ]));
    assert!(calm.go(600).is_empty());
    let mut run = Run::of(full());
    run.go(1);
    let shed = run.shed("u1").expect("it is capped").clone();
    assert_eq!((shed.cap, shed.stop, shed.drew), (Some(800.0), None, 1200.0));
    assert_eq!(shed.because, "r1/pdu-b carries 105 % of its rating");
    assert_eq!((shed.since, shed.pdus), (at(1), vec![place("r1/pdu-b")]));
    assert!(run.go(3600).is_empty(), "it keeps to that, and all is well");
    assert!(run.shed("u2").is_none());
    assert!((run.carried() - 1700.0).abs() < 1.0);
}

#[test]
fn what_was_taken_is_given_back_after_a_minute_as_much_as_fits() {
    let mut run = Run::of(full());
    run.go(60);
    run.wants[1] = 700.0;
    run.go(59);
    assert_eq!(run.shed("u1").and_then(|s| s.cap), Some(800.0));
    run.go(5);
    assert_eq!(run.shed("u1").and_then(|s| s.cap), Some(1000.0));
    run.wants[1] = 300.0;
    run.go(70);
    assert_eq!(run.shed("u1"), None);
    assert!((run.carried() - 1500.0).abs() < 1.0);
}

#[test]
fn machines_stop_only_where_caps_are_not_enough_and_start_again_one_by_one_the_highest_first() {
    let boxes = vec![
        machine("u1", 19, 900.0, Some(800.0)),
        machine("u2", 5, 900.0, Some(800.0)),
        machine("u3", -20, 900.0, Some(800.0)),
    ];
    let mut run = Run::of(rack(boxes));
    run.go(2);
    let stopped = run.shed("u1").expect("it is stopped").clone();
    assert_eq!(stopped.stop, Some(Halt::Cut), "at 135 % there is no time to ask");
    assert_eq!(run.shed("u2").and_then(|s| s.cap), Some(800.0));
    assert_eq!((run.shed("u2").and_then(|s| s.stop), run.shed("u3")), (None, None));
    run.go(600);
    assert!(
        run.shed("u1").is_some_and(|s| s.stop.is_some()),
        "there is no room for it"
    );
    run.wants = vec![900.0, 300.0, 300.0];
    run.go(299);
    assert!(run.shed("u1").is_some_and(|s| s.stop.is_some()));
    run.go(120);
    assert_eq!((run.shed("u1"), run.shed("u2")), (None, None));
}

#[test]
fn a_breaker_that_has_time_lets_a_system_be_asked_and_one_that_takes_too_long_is_cut() {
    let mut run = Run::of(rack(vec![machine("u1", 0, 2100.0, None)]));
    run.memory.pdus.insert(
        place("r1/pdu-b"),
        Watched {
            heat: Heat::first(0.5, at(0)),
            calm: None,
        },
    );
    run.obedient = false;
    run.go(1);
    assert_eq!(run.shed("u1").and_then(|s| s.stop), Some(Halt::Ask));
    run.go(3000);
    assert_eq!(run.shed("u1").and_then(|s| s.stop), Some(Halt::Cut));
}

#[test]
fn a_cap_that_is_not_kept_counts_for_nothing() {
    let mut run = Run::of(rack(vec![
        machine("u1", 10, 1300.0, Some(300.0)),
        machine("u2", -10, 900.0, Some(300.0)),
    ]));
    run.obedient = false;
    run.go(10);
    assert_eq!((run.shed("u1").and_then(|s| s.stop), run.shed("u2")), (None, None));
    run.go(15);
    assert!(run.shed("u2").is_some(), "the next one has to give");
}

#[test]
fn who_is_not_armed_or_silent_gives_nothing_and_whoever_can_not_help_is_told() {
    let unarmed = FedBox {
        armed: false,
        ..machine("u1", 19, 1100.0, Some(300.0))
    };
    let silent = FedBox {
        silent: Some("no answer".into()),
        ..machine("u2", 19, 1100.0, Some(300.0))
    };
    let mut line = rack(vec![unarmed, silent]);
    line.at = at(1);
    let decision = decide(&line, &mut Memory::default(), &Rules::default());
    assert_eq!((decision.sheds.len(), decision.helpless), (0, vec![place("r1/pdu-b")]));
}

#[test]
fn a_pdu_that_tells_nothing_takes_nothing_and_gives_nothing_back() {
    let mut run = Run::of(full());
    run.go(60);
    run.wants[1] = 300.0;
    let dark = |pdu: &mut Pdu| pdu.carries = Carries::No;
    run.line.pdus.iter_mut().for_each(dark);
    run.go(600);
    assert_eq!(run.shed("u1").and_then(|s| s.cap), Some(800.0));
}

#[test]
fn what_a_box_may_draw_more_is_given_back_as_if_all_of_it_came_on_the_fullest_line() {
    let given = |amps: [f64; 3]| {
        let mut run = Run::of(full());
        run.go(60);
        run.wants[1] = 600.0;
        run.line.pdus[0].lines = lines(amps);
        run.go(70);
        run.shed("u1").and_then(|s| s.cap)
    };
    // 300 W are free of 1,700; on one line of three there is room for a third of that
    assert_eq!(given([2.0, 2.0, 2.0]), Some(1100.0));
    let uneven = given([2.12, 2.0, 1.88]).expect("it is capped still");
    assert!((850.0..900.0).contains(&uneven), "{uneven}");
}

#[test]
fn what_was_held_back_for_the_lines_follows_as_soon_as_the_last_step_has_shown() {
    let mut run = Run::of(full());
    run.go(60);
    run.wants[1] = 300.0;
    run.line.pdus[0].lines = lines([2.12, 2.0, 1.88]);
    let mut raised = Vec::new();
    for _ in 0..120 {
        if !run.go(1).is_empty() {
            raised.push(run.now);
        }
    }
    assert_eq!(run.shed("u1"), None);
    // a minute until the first, and no other between two than a cap takes to hold
    assert!(raised.len() > 1 && raised[0] >= 120, "{raised:?}");
    assert!(raised.windows(2).all(|w| w[1] - w[0] == 15), "{raised:?}");
    // what is lowered in between waits for the whole minute again
    run.line.pdus[0].lines = lines([2.0; 3]);
    run.wants[1] = 900.0;
    run.go(10);
    let before = run.shed("u1").and_then(|s| s.cap);
    assert_eq!(before, Some(800.0));
    run.wants[1] = 300.0;
    run.go(55);
    assert_eq!(run.shed("u1").and_then(|s| s.cap), before);
}

#[test]
fn a_changed_order_is_followed_without_waiting_for_trouble() {
    let mut run = Run::of(rack(vec![
        machine("u1", 10, 1200.0, Some(300.0)),
        machine("u2", 0, 900.0, Some(300.0)),
    ]));
    run.go(60);
    assert!(run.shed("u2").is_none());
    run.line.boxes[0].nice = Some(-5);
    run.go(1);
    assert_eq!(run.shed("u2").and_then(|s| s.cap), Some(500.0));
    run.go(120);
    assert_eq!(
        (run.shed("u1"), run.shed("u2").and_then(|s| s.cap)),
        (None, Some(500.0))
    );
}

#[test]
fn a_record_whose_machine_is_gone_is_given_back() {
    let mut run = Run::of(full());
    run.go(60);
    run.line.boxes[0].machine = None;
    let given = run.go(1);
    assert_eq!((given.len(), given[0].is_over()), (1, true));
}

#[test]
fn what_would_trip_at_once_if_another_failed_is_capped_ahead() {
    let both = |slot: &str, nice: i8, watts: f64| FedBox {
        nice: Some(nice),
        floor: Some(100.0),
        ..fed(
            slot,
            Some(&format!("m-{slot}")),
            vec![
                cord("pdu-a", slot, Some(watts / 2.0)),
                cord("pdu-b", slot, Some(watts / 2.0)),
            ],
        )
    };
    let two = |watts: f64| {
        let pdus = vec![pdu("pdu-a", None, Some(2000.0)), pdu("pdu-b", None, Some(2000.0))];
        let mut line = line(pdus, vec![both("u1", 10, watts), both("u2", -10, watts)]);
        for (n, other) in [(0, "pdu-b"), (1, "pdu-a")] {
            line.pdus[n].partners = vec![place(&format!("r1/{other}"))];
        }
        line.at = at(1);
        decide(&line, &mut Memory::default(), &Rules::default())
    };
    // 130 % for the one that is left: it carries that for two minutes
    assert!(two(1300.0).sheds.is_empty());
    let decision = two(1600.0);
    let [shed] = decision.sheds.as_slice() else {
        panic!("{decision:?}")
    };
    assert_eq!((&shed.place, shed.stop), (&place("r1/u1"), None));
    assert!(
        shed.because.starts_with("r1/pdu-") && shed.because.contains("would carry 160 % of its rating without r1/pdu-")
    );
    let left = 1600.0 + shed.cap.expect("a cap");
    assert!(
        (left / 2000.0 - (Rules::default().ahead() - 0.05)).abs() < 0.01,
        "{left}"
    );
}

#[test]
fn who_does_not_draw_what_it_is_left_with_gets_it_back_though_it_once_drew_more() {
    let mut run = Run::of(full());
    run.go(60);
    assert!(run.shed("u1").is_some());
    // what it drew does not fit any more, and it has nothing to do
    run.wants = vec![400.0, 1250.0];
    run.go(240);
    assert!(run.shed("u1").is_some(), "a pause is no end");
    run.go(120);
    assert_eq!(run.shed("u1"), None);
}

#[test]
fn a_pdu_is_as_full_as_the_fullest_of_its_lines() {
    let one = |amps: [f64; 3]| {
        let mut line = rack(vec![machine("u1", 0, 1000.0, Some(300.0))]);
        line.pdus[0].watts = Some(1000.0);
        line.pdus[0].lines = lines(amps);
        decide(&line, &mut Memory::default(), &Rules::default()).sheds
    };
    assert_eq!(one([1.5, 1.5, 1.5]), []);
    let sheds = one([4.0, 1.0, 1.0]);
    assert_eq!(sheds[0].cap, Some(700.0));
    assert!(
        sheds[0]
            .because
            .contains("the fullest line of r1/pdu-b carries 100 % of its rating"),
        "{}",
        sheds[0].because
    );
}

#[test]
fn a_clock_that_steps_back_a_day_keeps_nothing_back_for_a_day() {
    let mut run = Run::of(full());
    run.now = 200_000;
    run.go(60);
    assert!(run.shed("u1").is_some());
    run.now -= 86_400;
    run.wants = vec![400.0, 900.0];
    run.go(600);
    assert_eq!(run.shed("u1"), None);
}
