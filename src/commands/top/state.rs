//! What `busbar top` shows and what keys do to it. Nothing here knows a terminal or a clock.

use std::cmp::Ordering;
use std::collections::VecDeque;

use rack::Health;
use rack::vitals::{Vital, VitalsView};

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

/// How many looks the drawn histories remember.
pub const REMEMBERED: usize = 120;

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
    /// Watts of all nodes, of the latest looks; nothing when none was told.
    pub watts: VecDeque<Option<f64>>,
    /// The hottest part of all, of the latest looks.
    pub hottest: VecDeque<Option<f64>>,
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
            watts: VecDeque::new(),
            hottest: VecDeque::new(),
            lost: None,
        }
    }
}

impl State {
    /// Takes in how the racks are now.
    pub fn see(&mut self, vitals: VitalsView) {
        let remember = |list: &mut VecDeque<Option<f64>>, value| {
            list.push_back(value);
            if list.len() > REMEMBERED {
                list.pop_front();
            }
        };
        remember(&mut self.watts, watts(&vitals.boxes).0);
        let hot = vitals.boxes.iter().filter_map(|b| b.hottest).reduce(f64::max);
        remember(&mut self.hottest, hot);
        self.selected = self.selected.min(vitals.boxes.len().saturating_sub(1));
        self.vitals = Some(vitals);
        self.lost = None;
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
        (0..REMEMBERED + 9).for_each(|_| state.see(vitals()));
        assert_eq!((state.watts.len(), state.watts[0]), (REMEMBERED, Some(508.0)));
    }
}
