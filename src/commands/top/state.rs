//! What `busbar top` shows and what keys do to it. Nothing here knows a terminal, a clock or the daemon: the time since its start
//! is passed in, and what shall be done comes out as an [`Effect`]. What may be done is decided in [`super::hand`].

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use rack::request::{EventView, Me, Role, Signal, Why};
use rack::vitals::VitalsView;
use rack::{Name, Place};

use super::hand::{Act, Hand};
use super::past::Past;
use super::poll::{News, Wanted};
use super::rows::{Column, Machine, Made, Pane, Row, watts};

/// Events that are kept, newest first.
const EVENTS: usize = 500;
/// Longest filter, in bytes.
const FILTER: usize = 60;
/// Rows that PgUp and PgDn move by.
const PAGE: isize = 10;
/// A terminal where something can be shown at all, and one where nothing is cut off: columns and rows.
pub const LEAST: (u16, u16) = (40, 12);
/// The size that everything fits in: what a multiplexer leaves of 80 by 24.
pub const WHOLE: (u16, u16) = (80, 22);

/// A key, as it is pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// A letter, a digit or another sign.
    Char(char),
    /// Enter.
    Enter,
    /// Escape.
    Escape,
    /// Backspace.
    Backspace,
    /// Tab or right: 1, Shift-Tab or left: -1.
    Turn(isize),
    /// Down: 1, up: -1.
    Step(isize),
    /// PgDn: 1, PgUp: -1.
    Page(isize),
    /// End: 1, Home: -1.
    Far(isize),
    /// Ctrl-C.
    Break,
    /// Any other.
    Other,
}

/// What a key asks for beyond the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    Nothing,
    /// Leave.
    Leave,
    /// Ask the daemon why this is as it is.
    Why(String),
    /// Do this; it was confirmed.
    Do(Act),
}

/// A row that was opened.
#[derive(Debug, Clone)]
pub struct Opened {
    /// What it is about: a name or a place.
    pub about: String,
    /// What is known without asking.
    pub known: Vec<String>,
    /// What the daemon answered; `None` while it has not.
    pub why: Option<Result<Why, String>>,
    /// Lines that are scrolled past.
    pub past: usize,
}

/// Everything that is shown.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// The pane.
    pane: Option<Pane>,
    /// The order, as one of the pane's columns.
    sort: usize,
    /// Whether it is turned round.
    pub reversed: bool,
    /// Whether help is shown.
    pub help: bool,
    /// What rows must hold to be shown.
    pub filter: String,
    /// Whether the filter is being typed.
    pub typing: bool,
    /// The row that is selected, of those shown.
    pub selected: usize,
    /// The first row that is on the screen; kept by who draws.
    pub top: usize,
    /// The selected row's key, once someone chose one: the selection stays with it.
    chosen: Option<String>,
    /// How the racks are.
    pub vitals: Option<VitalsView>,
    /// Machines; `None` before they were asked for.
    pub machines: Option<Vec<Machine>>,
    /// What boxes are made of; `None` before it was asked for.
    pub made: Option<BTreeMap<Place, Made>>,
    /// What happened, newest first; `None` before it was asked for.
    pub events: Option<VecDeque<EventView>>,
    /// The rows that are shown: numbers in the pane's list.
    order: Vec<usize>,
    /// The last hour.
    pub past: Past,
    /// Why the daemon does not answer, when it does not.
    pub lost: Option<String>,
    /// Who asks.
    pub me: Option<Me>,
    /// What keys may do.
    pub hand: Hand,
    /// The row that is opened.
    pub opened: Option<Opened>,
    /// Columns and rows of the terminal, once it was drawn.
    pub size: Option<(u16, u16)>,
    /// How often something was done here, which is looked at anew.
    done: u64,
}

impl State {
    /// The pane.
    pub fn pane(&self) -> Pane {
        self.pane.unwrap_or(Pane::Rack)
    }

    /// What rows are sorted by.
    pub fn sort(&self) -> Column {
        let columns = self.pane().columns();
        columns.get(self.sort).copied().unwrap_or(columns[0])
    }

    /// What the daemon is asked for beside the vitals: what is shown.
    pub fn wanted(&self) -> Wanted {
        let pane = self.pane();
        Wanted {
            machines: pane == Pane::Machines,
            made: matches!(pane, Pane::Machines | Pane::Boxes) || self.hand.armed(),
            events: pane == Pane::Events,
            anew: self.done,
        }
    }

    /// Takes in what the daemon told.
    pub fn see(&mut self, news: News) {
        match news {
            News::Vitals(vitals) => {
                let hot = vitals.boxes.iter().filter_map(|b| b.hottest).reduce(f64::max);
                let point = (watts(&vitals.boxes).0, hot);
                self.past.see(vitals.at, vitals.read_seconds, point);
                self.vitals = Some(vitals);
                self.lost = None;
            }
            News::Machines(machines) => self.machines = Some(machines),
            News::Made(made) => self.made = Some(made),
            News::Events { first, then } => {
                let kept = self.events.get_or_insert_default();
                if first {
                    kept.clear();
                }
                then.into_iter().for_each(|e| kept.push_front(e));
                kept.truncate(EVENTS);
            }
            News::Me(me) => self.me = Some(me),
            News::Trend(trend) => self.past.recall(&trend),
            News::Lost(why) => self.lost = Some(why),
        }
        self.arrange();
    }

    /// Takes in why something is as it is.
    pub fn told(&mut self, about: &str, why: Result<Why, String>) {
        if let Some(opened) = self.opened.as_mut().filter(|o| o.about == about) {
            opened.why = Some(why);
        }
    }

    /// Takes in what became of an act.
    pub fn answered(&mut self, act: &Act, answer: Result<(), String>) {
        self.hand.answered(act, answer);
        self.done += 1;
    }

    /// Takes in how large the terminal is. Where nothing can be shown, nothing may be done.
    pub fn fit(&mut self, columns: u16, rows: u16) {
        self.size = Some((columns, rows));
        if !self.fits() && self.hand.armed() {
            self.hand.off();
        }
    }

    /// Whether the terminal is large enough for anything.
    pub fn fits(&self) -> bool {
        self.size
            .is_none_or(|(columns, rows)| columns >= LEAST.0 && rows >= LEAST.1)
    }

    /// Does what a key means, so long after the start.
    pub fn press(&mut self, key: Key, now: Duration) -> Effect {
        if key != Key::Other {
            self.hand.said = None;
        }
        self.hand.touched(now);
        if key == Key::Break {
            return Effect::Leave;
        }
        if self.hand.asks().is_some() {
            return self.hand.answer(key).map_or(Effect::Nothing, Effect::Do);
        }
        if self.typing {
            self.find(key);
        } else if self.opened.is_some() {
            self.read(key);
        } else if self.help {
            self.help = !matches!(key, Key::Char('?' | 'q') | Key::Escape | Key::Enter);
        } else {
            return self.look(key, now);
        }
        Effect::Nothing
    }

    /// A key while the filter is typed.
    fn find(&mut self, key: Key) {
        match key {
            Key::Enter => self.typing = false,
            Key::Escape => (self.typing, self.filter) = (false, String::new()),
            Key::Backspace => drop(self.filter.pop()),
            Key::Char(c) if self.filter.len() + c.len_utf8() <= FILTER => self.filter.push(c),
            _ => {}
        }
        self.arrange();
    }

    /// A key while a row is opened.
    fn read(&mut self, key: Key) {
        let Some(opened) = &mut self.opened else { return };
        match key {
            Key::Step(by) => opened.past = opened.past.saturating_add_signed(by),
            Key::Page(by) => opened.past = opened.past.saturating_add_signed(by * PAGE),
            Key::Enter | Key::Escape | Key::Char('q') => self.opened = None,
            _ => {}
        }
    }

    /// A key while the rows are looked at.
    fn look(&mut self, key: Key, now: Duration) -> Effect {
        let turn = |at: usize, by: isize, count: usize| (at as isize + by).rem_euclid(count as isize) as usize;
        match key {
            Key::Char('q') => return Effect::Leave,
            Key::Escape if !self.filter.is_empty() => {
                self.filter.clear();
                self.arrange();
            }
            Key::Escape if self.hand.armed() => self.hand.turn(now, None),
            Key::Escape => return Effect::Leave,
            Key::Char('?') => self.help = true,
            Key::Char(c @ '1'..='6') => self.open(Pane::ALL[c as usize - '1' as usize]),
            Key::Turn(by) => {
                let at = Pane::ALL.iter().position(|p| *p == self.pane()).unwrap_or(0);
                self.open(Pane::ALL[turn(at, by, Pane::ALL.len())]);
            }
            Key::Step(by) => self.choose(self.selected.saturating_add_signed(by)),
            Key::Page(by) => self.choose(self.selected.saturating_add_signed(by * PAGE)),
            Key::Far(by) => self.choose(if by < 0 { 0 } else { usize::MAX }),
            Key::Char(c @ ('<' | '>')) => {
                let by = if c == '<' { -1 } else { 1 };
                self.sort = turn(self.sort, by, self.pane().columns().len());
                self.arrange();
            }
            Key::Char('r') => {
                self.reversed = !self.reversed;
                self.arrange();
            }
            Key::Char('/') => self.typing = true,
            Key::Enter => return self.open_row(),
            Key::Char('A') if self.fits() => {
                let who = self.me.as_ref().map(|m| (m.name.to_string(), m.role));
                self.hand.turn(now, who.as_ref());
                // The selection stays with its row from now on.
                self.choose(self.selected);
            }
            Key::Char(c @ ('s' | 'k' | 'c' | 'x')) => self.on_machine(c),
            Key::Char(c @ ('l' | 'L' | 'd')) => self.on_box(c),
            _ => {}
        }
        Effect::Nothing
    }

    /// Each pane opens in the order that one looks for there.
    fn open(&mut self, pane: Pane) {
        self.pane = Some(pane);
        (self.sort, self.reversed, self.selected, self.top, self.chosen) = (0, false, 0, 0, None);
        self.arrange();
    }

    fn choose(&mut self, at: usize) {
        self.selected = at.min(self.order.len().saturating_sub(1));
        self.chosen = self.row(self.selected).map(|r| r.key());
    }

    /// Opens the selected row.
    fn open_row(&mut self) -> Effect {
        let (about, known) = match self.row(self.selected) {
            None => return Effect::Nothing,
            Some(Row::Event(e)) => {
                let e = &e.event;
                let mut known = vec![format!("{} {}: {}", e.at, e.about, e.what)];
                known.extend(e.because.iter().map(|b| format!("  because {b}")));
                known.push(format!("  by {}", e.by));
                (e.about.clone(), known)
            }
            Some(row) => (row.key(), Vec::new()),
        };
        // What the daemon tells of itself has no further reason.
        let ask = about != "busbar";
        self.opened = Some(Opened {
            about: about.clone(),
            known,
            why: None,
            past: 0,
        });
        if ask { Effect::Why(about) } else { Effect::Nothing }
    }

    /// A verb for machines.
    fn on_machine(&mut self, verb: char) {
        let Some(Row::Machine(m)) = self.row(self.selected) else {
            return self.elsewhere("s, k, c and x act on machines: 4 shows them");
        };
        let (name, place): (Name, Option<Place>) = (m.name.clone(), m.status.place.clone());
        let act = match verb {
            's' => Act::Signal(name, Signal::Term),
            'k' => Act::Signal(name, Signal::Kill),
            'c' => Act::Signal(name, Signal::Cont),
            _ => Act::Remove(name),
        };
        self.hand.propose(act, place.as_ref());
    }

    /// A verb for boxes.
    fn on_box(&mut self, verb: char) {
        let Some(Row::Box(b)) = self.row(self.selected) else {
            return self.elsewhere("l, L and d act on boxes: 5 shows them");
        };
        if b.kind != "node" {
            let text = format!("{} is a {}: only servers are lit and cordoned", b.place, b.kind);
            return self.elsewhere(&text);
        }
        let place = b.place.clone();
        let made = self.made.as_ref().and_then(|m| m.get(&place));
        let act = match (verb, made) {
            ('l', _) => Act::Light(place, true),
            ('L', _) => Act::Light(place, false),
            (_, Some(made)) if made.cordoned.is_some() => Act::Uncordon(place),
            (_, Some(_)) => Act::Cordon(place, String::new()),
            (_, None) => {
                let text = format!("whether {place} is cordoned is not known yet; once it is, press d again");
                return self.elsewhere(&text);
            }
        };
        self.hand.propose(act, None);
    }

    /// Says why a verb does nothing here; who is not armed is told that first.
    fn elsewhere(&mut self, text: &str) {
        if self.hand.armed() {
            self.hand.say(false, text);
        } else {
            self.hand.say(false, "read-only: A arms the keys that act");
        }
    }

    /// How many rows are shown.
    pub fn count(&self) -> usize {
        self.order.len()
    }

    /// A row of those shown.
    pub fn row(&self, at: usize) -> Option<Row<'_>> {
        self.listed(*self.order.get(at)?)
    }

    fn listed(&self, at: usize) -> Option<Row<'_>> {
        match self.pane() {
            Pane::Machines => self.machines.as_ref()?.get(at).map(Row::Machine),
            Pane::Events => self.events.as_ref()?.get(at).map(Row::Event),
            _ => self.vitals.as_ref()?.boxes.get(at).map(Row::Box),
        }
    }

    /// Whether the pane's list was told yet.
    pub fn known(&self) -> bool {
        match self.pane() {
            Pane::Machines => self.machines.is_some(),
            Pane::Events => self.events.is_some(),
            _ => self.vitals.is_some(),
        }
    }

    /// Decides which rows are shown, in which order, and finds the selected one again.
    fn arrange(&mut self) {
        let count = match self.pane() {
            Pane::Machines => self.machines.as_ref().map_or(0, Vec::len),
            Pane::Events => self.events.as_ref().map_or(0, VecDeque::len),
            _ => self.vitals.as_ref().map_or(0, |v| v.boxes.len()),
        };
        let (word, none) = (self.filter.to_lowercase(), BTreeMap::new());
        let made = self.made.as_ref().unwrap_or(&none);
        let kept = |at: &usize| word.is_empty() || self.listed(*at).is_some_and(|r| r.holds(&word, made));
        let mut order: Vec<usize> = (0..count).filter(kept).collect();
        let (by, reversed) = (self.sort(), self.reversed);
        order.sort_by(|a, b| match (self.listed(*a), self.listed(*b)) {
            (Some(a), Some(b)) => a.compare(&b, by, reversed),
            _ => std::cmp::Ordering::Equal,
        });
        self.order = order;
        let chosen = self.chosen.as_ref();
        let again = chosen.and_then(|key| (0..self.count()).find(|at| self.row(*at).is_some_and(|r| r.key() == *key)));
        match again {
            Some(at) => self.selected = at,
            // It has gone: what stands in its stead was not chosen by anyone.
            None => {
                self.chosen = None;
                self.selected = self.selected.min(self.count().saturating_sub(1));
            }
        }
    }

    /// Whether who asks may act at all; `None` when it is not known.
    pub fn may_act(&self) -> Option<bool> {
        self.me.as_ref().map(|m| m.role >= Role::Operator)
    }
}
