//! What stands in the rows of `busbar top`, what they can be sorted by, and which of them a filter keeps.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::time::Duration;

use rack::request::{DeviceView, EventView, Progress};
use rack::shed::Shed;
use rack::vitals::Vital;
use rack::{Health, Level, Name, Node, Place, State as Stands, Time};
use serde::Deserialize;

use crate::commands::ps;

/// Which part of the rack is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pane {
    /// Every box, as it is now.
    Rack,
    /// Who draws what.
    Power,
    /// Who is how hot.
    Heat,
    /// What `busbar ps` shows.
    Machines,
    /// What the boxes are made of, and whether they may be used.
    Boxes,
    /// What `busbar dmesg` shows, newest first.
    Events,
}

impl Pane {
    /// In order.
    pub const ALL: [Pane; 6] = [
        Pane::Rack,
        Pane::Power,
        Pane::Heat,
        Pane::Machines,
        Pane::Boxes,
        Pane::Events,
    ];

    /// Its title.
    pub fn title(self) -> &'static str {
        match self {
            Pane::Rack => "rack",
            Pane::Power => "power",
            Pane::Heat => "heat",
            Pane::Machines => "machines",
            Pane::Boxes => "boxes",
            Pane::Events => "events",
        }
    }

    /// What its rows can be sorted by; by the first when it opens.
    pub fn columns(self) -> &'static [Column] {
        use Column::{Fan, Health, Holder, Hottest, Image, Inlet, Name, Nice, Place, State, Time, Watts};
        match self {
            Pane::Rack => &[Place, Watts, Inlet, Hottest, Health],
            Pane::Power => &[Watts, Place, Holder, Health],
            Pane::Heat => &[Hottest, Inlet, Fan, Place],
            Pane::Machines => &[Place, Name, State, Nice, Watts, Inlet, Image],
            Pane::Boxes => &[Place, Holder, Watts, Health],
            Pane::Events => &[Time],
        }
    }
}

/// What rows are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// As people count.
    Place,
    /// By the alphabet.
    Name,
    /// By the letter that `ps` shows.
    State,
    /// Shed last comes first.
    Nice,
    /// By the alphabet.
    Image,
    /// The machine that holds it, by the alphabet.
    Holder,
    /// Most watts first.
    Watts,
    /// Hottest part first.
    Hottest,
    /// Warmest inlet first.
    Inlet,
    /// Fastest fan first.
    Fan,
    /// Worst first.
    Health,
    /// Newest first.
    Time,
}

impl Column {
    /// Its name.
    pub fn title(self) -> &'static str {
        match self {
            Column::Place => "place",
            Column::Name => "name",
            Column::State => "state",
            Column::Nice => "nice",
            Column::Image => "image",
            Column::Holder => "holder",
            Column::Watts => "watts",
            Column::Hottest => "hottest",
            Column::Inlet => "inlet",
            Column::Fan => "fan",
            Column::Health => "health",
            Column::Time => "time",
        }
    }
}

/// A machine as far as it is shown: the rest of a machine's document is not read, as it is ten times as long.
#[derive(Debug, Clone, Deserialize)]
pub struct Machine {
    /// Its name.
    pub name: Name,
    /// What was asked for.
    pub ask: Asked,
    /// How far it has come.
    pub status: Status,
    /// What its agent does now.
    pub progress: Option<Progress>,
    /// Watts of its node, when there is a fresh reading.
    pub watts: Option<f64>,
    /// Inlet temperature of its node in °C, when there is a fresh reading.
    pub inlet: Option<f64>,
    /// What is taken from it so that nothing trips.
    #[serde(default)]
    pub shed: Option<Shed>,
}

/// What is shown of what was asked for.
#[derive(Debug, Clone, Deserialize)]
pub struct Asked {
    /// The image.
    pub image: Image,
    /// Shed order.
    pub nice: i8,
}

/// What is shown of an image.
#[derive(Debug, Clone, Deserialize)]
pub struct Image {
    /// Its name.
    pub name: Name,
}

/// What is shown of how far a machine has come.
#[derive(Debug, Clone, Deserialize)]
pub struct Status {
    /// Its state.
    pub state: Stands,
    /// Since when.
    pub since: Time,
    /// Why it is so.
    pub reason: String,
    /// Where its node stands.
    pub place: Option<Place>,
}

impl Machine {
    /// What `ps` says behind its row, when so much time has passed since its state began.
    pub fn note(&self, passed: Duration) -> String {
        let status = &self.status;
        ps::note(
            self.progress.as_ref(),
            status.state,
            &status.reason,
            self.shed.as_ref(),
            passed,
        )
    }
}

/// What hardly ever changes of a box.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Made {
    /// `64c 256G + 2 gpu`, or the model of what is no node.
    pub of: String,
    /// Whether Busbar may write to it; `None` for what is no node.
    pub armed: Option<bool>,
    /// Why nothing new is placed on it.
    pub cordoned: Option<String>,
    /// It has no BMC.
    pub bare: bool,
}

impl Made {
    /// Of a node.
    pub fn node(node: &Node) -> Made {
        Made {
            of: ps::parts(node),
            armed: Some(node.armed),
            cordoned: node.cordoned.clone(),
            bare: node.abilities.no_bmc,
        }
    }

    /// Of another box.
    pub fn device(device: &DeviceView) -> Made {
        Made {
            of: device.model.clone().unwrap_or_default(),
            ..Made::default()
        }
    }

    /// What `ls` says behind its row.
    pub fn note(&self) -> String {
        match &self.cordoned {
            Some(why) => format!("cordoned: {why}"),
            None if self.bare => "no BMC".into(),
            None => String::new(),
        }
    }
}

/// One row.
#[derive(Debug, Clone, Copy)]
pub enum Row<'a> {
    /// A box.
    Box(&'a Vital),
    /// A machine.
    Machine(&'a Machine),
    /// Something that happened.
    Event(&'a EventView),
}

impl Row<'_> {
    /// What tells it from the others; for a box and a machine, what the command line takes.
    pub fn key(&self) -> String {
        match self {
            Row::Box(b) => b.place.to_string(),
            Row::Machine(m) => m.name.to_string(),
            Row::Event(e) => e.sequence.to_string(),
        }
    }

    fn number(&self, by: Column) -> Option<f64> {
        match (self, by) {
            (Row::Box(b), Column::Watts) => b.watts,
            (Row::Box(b), Column::Inlet) => b.inlet,
            (Row::Box(b), Column::Hottest) => b.hottest,
            (Row::Box(b), Column::Fan) => b.fan,
            (Row::Box(b), Column::Health) => Some(rank(b)),
            (Row::Machine(m), Column::Watts) => m.watts,
            (Row::Machine(m), Column::Inlet) => m.inlet,
            (Row::Machine(m), Column::Nice) => Some(-f64::from(m.ask.nice)),
            _ => None,
        }
    }

    fn text(&self, by: Column) -> Option<String> {
        match (self, by) {
            (Row::Box(b), Column::Holder) => b.holder.as_ref().map(ToString::to_string),
            (Row::Machine(m), Column::Name) => Some(m.name.to_string()),
            (Row::Machine(m), Column::State) => Some(m.status.state.letter().to_string()),
            (Row::Machine(m), Column::Image) => Some(m.ask.image.name.to_string()),
            _ => None,
        }
    }

    /// Which comes first. What is not known comes last, whichever way round.
    pub fn compare(&self, other: &Row, by: Column, reversed: bool) -> Ordering {
        let turned = |order: Ordering| if reversed { order.reverse() } else { order };
        fn known<T>(a: Option<T>, b: Option<T>, order: impl Fn(&T, &T) -> Ordering) -> Ordering {
            match (&a, &b) {
                (Some(a), Some(b)) => order(a, b),
                (a, b) => b.is_some().cmp(&a.is_some()),
            }
        }
        match by {
            Column::Place => known(self.place(), other.place(), |a, b| turned(a.cmp(b))),
            Column::Name | Column::State | Column::Image | Column::Holder => {
                known(self.text(by), other.text(by), |a, b| turned(a.cmp(b)))
            }
            Column::Time => match (self, other) {
                (Row::Event(a), Row::Event(b)) => turned(b.sequence.cmp(&a.sequence)),
                _ => Ordering::Equal,
            },
            _ => known(self.number(by), other.number(by), |a, b| turned(b.total_cmp(a))),
        }
    }

    /// Where it stands.
    pub fn place(&self) -> Option<&Place> {
        match self {
            Row::Box(b) => Some(&b.place),
            Row::Machine(m) => m.status.place.as_ref(),
            Row::Event(_) => None,
        }
    }

    /// Whether any of its words holds this one, which is in lower case.
    pub fn holds(&self, word: &str, made: &BTreeMap<Place, Made>) -> bool {
        let has = |text: &str| text.to_lowercase().contains(word);
        match self {
            Row::Box(b) => {
                let made = made.get(&b.place);
                has(b.place.as_str())
                    || has(&b.kind)
                    || b.holder.as_ref().is_some_and(|h| has(h.as_str()))
                    || b.silent.as_ref().is_some_and(|s| has("silent") || has(s))
                    || b.hottest_name.as_ref().is_some_and(|n| has(n))
                    || made.is_some_and(|m| has(&m.of) || has(&m.note()))
            }
            Row::Machine(m) => {
                has(m.name.as_str())
                    || has(m.ask.image.name.as_str())
                    || has(&m.status.state.to_string())
                    || m.status.place.as_ref().is_some_and(|p| has(p.as_str()))
            }
            Row::Event(e) => {
                let e = &e.event;
                has(&e.about)
                    || has(&e.what)
                    || has(&e.by)
                    || has(level(e.level))
                    || e.because.as_ref().is_some_and(|b| has(b))
            }
        }
    }
}

/// A level in a word.
pub fn level(level: Level) -> &'static str {
    match level {
        Level::Audit => "audit",
        Level::Info => "info",
        Level::Warning => "warning",
        Level::Error => "error",
    }
}

/// How much a box needs a look.
fn rank(b: &Vital) -> f64 {
    match (b.silent.is_some(), b.health) {
        (_, Health::Critical) => 3.0,
        (true, _) => 2.0,
        (_, Health::Warning) => 1.0,
        _ => 0.0,
    }
}

/// Watts of all nodes that tell them, and how many don't. PDUs tell of the same watts, so they are left out.
pub fn watts(boxes: &[Vital]) -> (Option<f64>, usize) {
    let nodes: Vec<&Vital> = boxes.iter().filter(|b| b.kind == "node").collect();
    let known: Vec<f64> = nodes.iter().filter_map(|b| b.watts).collect();
    let sum = (!known.is_empty()).then(|| known.iter().sum());
    (sum, nodes.len() - known.len())
}
