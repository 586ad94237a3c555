//! What `busbar top` shows and what keys do to it. Nothing here knows a terminal or a clock.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use rack::history::TrendView;
use rack::vitals::{Vital, VitalsView};
use rack::{Health, Time};

/// Which part of the rack is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pane {
    /// Every box.
    Rack,
    /// Who draws what.
    Power,
    /// Who is how hot.
    Heat,
}

impl Pane {
    /// In order.
    pub const ALL: [Pane; 3] = [Pane::Rack, Pane::Power, Pane::Heat];

    /// Its title.
    pub fn title(self) -> &'static str {
        match self {
            Pane::Rack => "rack",
            Pane::Power => "power",
            Pane::Heat => "heat",
        }
    }
}

/// What boxes are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// As people count.
    Place,
    /// Most watts first.
    Watts,
    /// Hottest part first.
    Hottest,
    /// Warmest inlet first.
    Inlet,
    /// Worst first.
    Health,
}

impl Sort {
    const ALL: [Sort; 5] = [Sort::Place, Sort::Watts, Sort::Hottest, Sort::Inlet, Sort::Health];

    /// Its name.
    pub fn title(self) -> &'static str {
        match self {
            Sort::Place => "place",
            Sort::Watts => "watts",
            Sort::Hottest => "hottest",
            Sort::Inlet => "inlet",
            Sort::Health => "health",
        }
    }
}

/// What a key means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// Leave.
    Quit,
    /// Show or hide what keys do.
    Help,
    /// The next pane, or the one before.
    Turn(isize),
    /// This pane.
    Go(Pane),
    /// Move the selection by so many rows.
    Move(isize),
    /// Sort by the next column.
    Sort,
    /// Turn the order round.
    Reverse,
}

/// How many steps the drawn histories remember, each as long as readings are apart.
pub const REMEMBERED: u32 = 120;

/// What is drawn of one step: watts of all nodes, and the hottest temperature of all boxes.
pub type Point = (Option<f64>, Option<f64>);

/// Everything that is shown.
#[derive(Debug, Clone)]
pub struct State {
    /// The pane.
    pub pane: Pane,
    /// The order.
    pub sort: Sort,
    /// Whether it is turned round.
    pub reversed: bool,
    /// Whether help is shown.
    pub help: bool,
    /// The row that is selected, of those shown.
    pub selected: usize,
    /// How the racks are.
    pub vitals: Option<VitalsView>,
    /// The latest steps of time, by their number since the Unix epoch.
    points: BTreeMap<i64, Point>,
    /// Why the daemon does not answer, when it does not.
    pub lost: Option<String>,
}

impl Default for State {
    fn default() -> Self {
        State {
            pane: Pane::Rack,
            sort: Sort::Place,
            reversed: false,
            help: false,
            selected: 0,
            vitals: None,
            points: BTreeMap::new(),
            lost: None,
        }
    }
}

impl State {
    /// Takes in how the racks are now.
    pub fn see(&mut self, vitals: VitalsView) {
        let hot = vitals.boxes.iter().filter_map(|b| b.hottest).reduce(f64::max);
        let step = number(vitals.at, vitals.read_seconds);
        // What comes after now was before the clock went back.
        self.points.retain(|at, _| *at < step);
        self.points.insert(step, (watts(&vitals.boxes).0, hot));
        self.forget();
        self.selected = self.selected.min(vitals.boxes.len().saturating_sub(1));
        self.vitals = Some(vitals);
        self.lost = None;
    }

    /// Takes in how the racks were before anyone looked. What was seen since holds.
    pub fn recall(&mut self, trend: &TrendView) {
        let first = number(trend.from, trend.step_seconds);
        let last = self.points.last_key_value().map_or(i64::MAX, |(step, _)| *step);
        let points = trend.watts.iter().copied().zip(trend.hottest.iter().copied());
        for (step, point) in (first..last).zip(points) {
            self.points.entry(step).or_insert(point);
        }
        self.forget();
    }

    fn forget(&mut self) {
        if let Some((last, _)) = self.points.last_key_value() {
            self.points = self.points.split_off(&(last - i64::from(REMEMBERED) + 1));
        }
    }

    /// The latest steps, oldest first; nothing where nothing was seen.
    pub fn drawn(&self, pick: fn(Point) -> Option<f64>) -> Vec<Option<f64>> {
        let ends = self.points.first_key_value().zip(self.points.last_key_value());
        let Some(((first, _), (last, _))) = ends else {
            return Vec::new();
        };
        let point = |step| self.points.get(&step).copied().and_then(pick);
        (*first..=*last).map(point).collect()
    }

    /// Does what a key means; false when it means to leave.
    pub fn press(&mut self, key: Key) -> bool {
        let step = |at: usize, by: isize, count: usize| (at as isize + by).rem_euclid(count as isize) as usize;
        match key {
            Key::Quit if self.help => self.help = false,
            Key::Quit => return false,
            Key::Help => self.help = !self.help,
            Key::Turn(by) => {
                let at = Pane::ALL.iter().position(|p| *p == self.pane).unwrap_or(0);
                self.open(Pane::ALL[step(at, by, Pane::ALL.len())]);
            }
            Key::Go(pane) => self.open(pane),
            Key::Move(by) => {
                let last = self.rows().len().saturating_sub(1);
                self.selected = self.selected.saturating_add_signed(by).min(last);
            }
            Key::Sort => {
                let at = Sort::ALL.iter().position(|s| *s == self.sort).unwrap_or(0);
                self.sort = Sort::ALL[step(at, 1, Sort::ALL.len())];
                self.selected = 0;
            }
            Key::Reverse => self.reversed = !self.reversed,
        }
        true
    }

    /// Each pane opens in the order that one looks for there.
    fn open(&mut self, pane: Pane) {
        self.pane = pane;
        self.sort = match pane {
            Pane::Rack => Sort::Place,
            Pane::Power => Sort::Watts,
            Pane::Heat => Sort::Hottest,
        };
        (self.reversed, self.selected) = (false, 0);
    }

    /// The boxes of the pane, in its order. What is not known comes last, whichever way round.
    pub fn rows(&self) -> Vec<&Vital> {
        let Some(vitals) = &self.vitals else {
            return Vec::new();
        };
        let mut rows: Vec<&Vital> = vitals.boxes.iter().collect();
        let most = |a: Option<f64>, b: Option<f64>| match (a, b) {
            (Some(a), Some(b)) if self.reversed => a.total_cmp(&b),
            (Some(a), Some(b)) => b.total_cmp(&a),
            (a, b) => b.is_some().cmp(&a.is_some()),
        };
        let turned = |order: Ordering| if self.reversed { order.reverse() } else { order };
        match self.sort {
            // They come in this order.
            Sort::Place if self.reversed => rows.reverse(),
            Sort::Place => {}
            Sort::Watts => rows.sort_by(|a, b| most(a.watts, b.watts)),
            Sort::Hottest => rows.sort_by(|a, b| most(a.hottest, b.hottest)),
            Sort::Inlet => rows.sort_by(|a, b| most(a.inlet, b.inlet)),
            Sort::Health => rows.sort_by(|a, b| turned(rank(b).cmp(&rank(a)))),
        }
        rows
    }
}

/// Which step of this length a time lies in.
fn number(time: Time, seconds: u32) -> i64 {
    time.as_millis().div_euclid(i64::from(seconds.max(1)) * 1000)
}

/// How much a box needs a look.
fn rank(b: &Vital) -> u8 {
    match (b.silent.is_some(), b.health) {
        (_, Health::Critical) => 3,
        (true, _) => 2,
        (_, Health::Warning) => 1,
        _ => 0,
    }
}

/// Watts of all nodes that tell them, and how many don't. PDUs tell of the same watts, so they are left out.
pub fn watts(boxes: &[Vital]) -> (Option<f64>, usize) {
    let nodes: Vec<&Vital> = boxes.iter().filter(|b| b.kind == "node").collect();
    let known: Vec<f64> = nodes.iter().filter_map(|b| b.watts).collect();
    let sum = (!known.is_empty()).then(|| known.iter().sum());
    (sum, nodes.len() - known.len())
}

#[cfg(test)]
pub mod tests {
    use rack::{PowerState, Time};

    use super::*;

    /// A rack of four.
    pub fn vitals() -> VitalsView {
        let one = |place: &str, kind: &str, watts, hottest, health| Vital {
            place: place.parse().unwrap(),
            kind: kind.into(),
            holder: (place == "r1/u1").then(|| "web".parse().unwrap()),
            power: Some(PowerState::On),
            health,
            silent: (place == "r1/u3").then(|| "no answer".into()),
            watts,
            inlet: Some(22.0),
            hottest,
            hottest_name: Some("cpu1".into()),
            fan: Some(7200.0),
            taken: None,
        };
        VitalsView {
            at: Time::from_millis(0),
            read_seconds: 30,
            boxes: vec![
                one("r1/u1", "node", Some(412.0), Some(55.0), Health::Ok),
                one("r1/u2", "node", Some(96.0), Some(71.0), Health::Critical),
                one("r1/u3", "node", None, None, Health::Ok),
                one("r1/pdu-a", "pdu", Some(520.0), None, Health::Ok),
            ],
        }
    }

    fn places(state: &State) -> Vec<&str> {
        state.rows().iter().map(|b| b.place.slot().unwrap()).collect()
    }

    #[test]
    fn panes_open_in_their_order_and_the_unknown_is_last_either_way() {
        let mut state = State::default();
        state.see(vitals());
        assert_eq!(places(&state), ["u1", "u2", "u3", "pdu-a"]);
        state.press(Key::Go(Pane::Power));
        assert_eq!(places(&state), ["pdu-a", "u1", "u2", "u3"]);
        state.press(Key::Reverse);
        assert_eq!(places(&state), ["u2", "u1", "pdu-a", "u3"]);
        state.press(Key::Turn(1));
        assert_eq!(places(&state)[..2], ["u2", "u1"]);
        state.press(Key::Turn(1));
        assert_eq!((state.pane, state.sort), (Pane::Rack, Sort::Place));
        for _ in 0..4 {
            state.press(Key::Sort);
        }
        assert_eq!(
            (state.sort, places(&state)[0], places(&state)[1]),
            (Sort::Health, "u2", "u3")
        );
    }

    #[test]
    fn the_selection_stays_inside_and_leaving_help_does_not_leave_all() {
        let mut state = State::default();
        assert!(state.press(Key::Move(5)) && state.selected == 0);
        state.see(vitals());
        state.press(Key::Move(100));
        assert_eq!(state.selected, 3);
        state.press(Key::Move(-100));
        assert_eq!(state.selected, 0);
        state.press(Key::Help);
        assert!(state.press(Key::Quit) && !state.help);
        assert!(!state.press(Key::Quit));
    }

    #[test]
    fn watts_are_those_of_nodes_and_the_missing_are_counted() {
        assert_eq!(watts(&vitals().boxes), (Some(508.0), 1));
        assert_eq!(watts(&[]), (None, 0));
        let mut state = State::default();
        for step in 0..i64::from(REMEMBERED) + 9 {
            let at = Time::from_millis(step * 30_000);
            state.see(VitalsView { at, ..vitals() });
        }
        let drawn = state.drawn(|p| p.0);
        assert_eq!((drawn.len(), drawn[0]), (REMEMBERED as usize, Some(508.0)));
    }

    #[test]
    fn what_was_before_is_drawn_with_its_gaps_and_what_is_seen_holds() {
        let mut state = State::default();
        let seen = |seconds: i64| VitalsView {
            at: Time::from_millis(seconds * 1000),
            ..vitals()
        };
        let trend = |from: i64, watts: &[Option<f64>]| TrendView {
            from: Time::from_millis(from * 1000),
            step_seconds: 30,
            watts: watts.to_vec(),
            hottest: vec![None; watts.len()],
        };
        let drawn = |state: &State| state.drawn(|p| p.0);
        state.recall(&trend(6000, &[]));
        assert_eq!(drawn(&state), []);
        state.see(seen(6095));
        state.see(seen(6119));
        assert_eq!(drawn(&state), [Some(508.0)], "one step, however often it is looked at");
        state.recall(&trend(6000, &[Some(1.0), None, Some(3.0), Some(4.0), Some(5.0)]));
        assert_eq!(drawn(&state), [Some(1.0), None, Some(3.0), Some(508.0)]);
        state.see(seen(6185));
        let gap = [Some(1.0), None, Some(3.0), Some(508.0), None, None, Some(508.0)];
        assert_eq!(drawn(&state), gap);
        state.see(seen(6035));
        assert_eq!(drawn(&state), [Some(1.0), Some(508.0)], "the clock went back");
        state.see(seen(9_000_000));
        assert_eq!(drawn(&state), [Some(508.0)], "an hour is remembered");
    }
}
