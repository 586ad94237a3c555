//! Which events are wanted, and which one another follows from.

use std::collections::VecDeque;

use rack::request::EventView;
use rack::{Event, Level};

/// What is wanted of the events; nothing said is all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Only of these levels.
    pub levels: Option<Vec<Level>>,
    /// Only about this, or about places within it.
    pub about: Option<String>,
    /// Only what this token did.
    pub by: Option<String>,
    /// Only those in which this is written; lower case.
    pub text: Option<String>,
}

impl Wanted {
    /// Whether an event is wanted.
    pub fn takes(&self, event: &Event) -> bool {
        let within = |about: &String| {
            let rest = event.about.strip_prefix(about.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let written = |text: &String| {
            let words = [
                Some(&event.about),
                Some(&event.what),
                event.because.as_ref(),
                Some(&event.by),
            ];
            words
                .into_iter()
                .flatten()
                .any(|word| word.to_lowercase().contains(text.as_str()))
        };
        self.levels.as_ref().is_none_or(|levels| levels.contains(&event.level))
            && self.about.as_ref().is_none_or(within)
            && self.by.as_ref().is_none_or(|by| *by == event.by)
            && self.text.as_ref().is_none_or(written)
    }

    /// The first that are wanted after a sequence number, of events in order.
    pub fn first<'a>(
        &'a self,
        all: &'a VecDeque<EventView>,
        after: u64,
        limit: usize,
    ) -> impl Iterator<Item = &'a EventView> {
        let from = all.partition_point(|e| e.sequence <= after);
        all.range(from..).filter(|e| self.takes(&e.event)).take(limit)
    }

    /// The last that are wanted between two sequence numbers, of events in order; the newest first.
    pub fn last<'a>(
        &'a self,
        all: &'a VecDeque<EventView>,
        after: u64,
        before: u64,
        limit: usize,
    ) -> impl Iterator<Item = &'a EventView> {
        let from = all.partition_point(|e| e.sequence <= after);
        let to = all.partition_point(|e| e.sequence < before).max(from);
        let between = all.range(from..to).rev();
        between.filter(|e| self.takes(&e.event)).take(limit)
    }
}

/// The latest event about something, of events from the newest back.
pub fn latest<'a>(mut newest: impl Iterator<Item = &'a EventView>, about: &str) -> Option<&'a EventView> {
    newest.find(|e| e.event.about == about)
}

/// The order of a user that a machine's next step carries out: its latest event, when that is one.
pub fn order<'a>(newest: impl Iterator<Item = &'a EventView>, machine: &str) -> Option<u64> {
    let last = latest(newest, machine)?;
    (last.event.level == Level::Audit && last.event.by != "busbar").then_some(last.sequence)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rack::Time;

    fn event(sequence: u64, level: Level, about: &str, by: &str) -> EventView {
        EventView {
            sequence,
            event: Event {
                at: Time::from_millis(0),
                level,
                about: about.into(),
                what: "reset On".into(),
                because: Some("waits for the Power".into()),
                cause: None,
                by: by.into(),
            },
        }
    }

    #[test]
    fn a_filter_takes_what_it_says() {
        let e = event(1, Level::Audit, "r1/u1", "anna").event;
        let text = |text: &str| Wanted {
            text: Some(text.into()),
            ..Wanted::default()
        };
        let about = |about: &str| Wanted {
            about: Some(about.into()),
            ..Wanted::default()
        };
        assert!(Wanted::default().takes(&e));
        assert!(about("r1").takes(&e) && about("r1/u1").takes(&e));
        assert!(!about("r1/u").takes(&e) && !about("r1/u10").takes(&e) && !about("web-1").takes(&e));
        assert!(text("reset on").takes(&e) && text("the power").takes(&e) && text("ann").takes(&e));
        assert!(!text("off").takes(&e));
        let of = |levels, by: &str| Wanted {
            levels: Some(levels),
            by: Some(by.into()),
            ..Wanted::default()
        };
        assert!(of(vec![Level::Info, Level::Audit], "anna").takes(&e));
        assert!(!of(vec![Level::Info], "anna").takes(&e) && !of(vec![Level::Audit], "ann").takes(&e));
    }

    #[test]
    fn events_are_read_on_and_back() {
        // numbers may be left out: what could not be committed has none
        let all: VecDeque<EventView> = [3, 4, 6, 7, 9]
            .map(|n| event(n, Level::Info, if n == 6 { "r1/u2" } else { "r1/u1" }, "busbar"))
            .into();
        let u1 = Wanted {
            about: Some("r1/u1".into()),
            ..Wanted::default()
        };
        let first = |after, limit| u1.first(&all, after, limit).map(|e| e.sequence).collect::<Vec<_>>();
        let last = |after, before, limit| {
            u1.last(&all, after, before, limit)
                .map(|e| e.sequence)
                .collect::<Vec<_>>()
        };
        assert_eq!(first(0, 9), [3, 4, 7, 9]);
        assert_eq!(first(4, 1), [7]);
        assert_eq!(first(9, 9), [0; 0]);
        assert_eq!(last(0, 9, 2), [7, 4]);
        assert_eq!(last(0, u64::MAX, 9), [9, 7, 4, 3]);
        assert_eq!(last(3, 7, 9), [4]);
        assert_eq!(last(7, 3, 9), [0; 0]);
    }

    #[test]
    fn a_step_follows_from_an_order_only_when_nothing_came_between() {
        let run = event(7, Level::Audit, "web-1", "anna");
        let other = event(8, Level::Audit, "web-2", "bob");
        let step = event(9, Level::Info, "web-1", "busbar");
        assert_eq!(order([&other, &run].into_iter(), "web-1"), Some(7));
        assert_eq!(order([&step, &other, &run].into_iter(), "web-1"), None);
        assert_eq!(order([&other].into_iter(), "web-1"), None);
    }
}
