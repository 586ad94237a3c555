//! From a story that fails to a small one that fails in the same way: events are taken out as delta debugging does
//! (Zeller, Hildebrandt 2002), then hours, nodes, and what lasts are made less.

use std::time::{Duration, Instant};

use crate::story::{Event, Story, What, Whom};
use crate::truth::Broken;

/// Tries that a shrinking takes at most: each is a whole story.
pub const TRIES: usize = 400;

/// A small story, and what is broken in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Small {
    /// The story.
    pub story: Story,
    /// What is broken.
    pub broken: Broken,
    /// Stories that were told to find it.
    pub tries: usize,
}

/// Shrinks a story that `tell` finds broken, for as long as `lasts`. `tell` tells a story and says what is broken in it.
pub fn shrink(story: &Story, broken: &Broken, lasts: Duration, tell: impl Fn(&Story) -> Option<Broken>) -> Small {
    let small = Small {
        story: story.clone(),
        broken: broken.clone(),
        tries: 0,
    };
    let mut search = Search {
        small,
        until: Instant::now() + lasts,
        tell,
    };
    loop {
        let before = search.small.story.clone();
        search.events();
        search.hours();
        search.nodes();
        search.times();
        if search.small.story == before || search.over() {
            return search.small;
        }
    }
}

struct Search<F> {
    small: Small,
    until: Instant,
    tell: F,
}

impl<F: Fn(&Story) -> Option<Broken>> Search<F> {
    fn over(&self) -> bool {
        self.small.tries >= TRIES || Instant::now() >= self.until
    }

    /// Takes the story if it fails in the same way.
    fn takes(&mut self, story: Story) -> bool {
        if self.over() || story == self.small.story {
            return false;
        }
        self.small.tries += 1;
        let Some(broken) = (self.tell)(&story).filter(|b| b.id == self.small.broken.id) else {
            return false;
        };
        (self.small.story, self.small.broken) = (story, broken);
        true
    }

    fn events(&mut self) {
        let mut size = self.small.story.events.len().div_ceil(2).max(1);
        loop {
            let mut from = 0;
            while from < self.small.story.events.len() {
                let mut story = self.small.story.clone();
                let to = (from + size).min(story.events.len());
                story.events.drain(from..to);
                if !self.takes(story) {
                    from += size;
                }
            }
            if size == 1 {
                return;
            }
            size = size.div_ceil(2);
        }
    }

    /// Luck turns as soon as the last event is over, or half as late.
    fn hours(&mut self) {
        let end = |e: &Event| e.at + e.what.lasts().unwrap_or(0);
        let last = self.small.story.events.iter().map(end).max().unwrap_or(0);
        for seconds in [last + 1, last + 600, last + 3600, self.small.story.seconds / 2] {
            if seconds < self.small.story.seconds
                && self.takes(Story {
                    seconds,
                    ..self.small.story.clone()
                })
            {
                return;
            }
        }
    }

    fn nodes(&mut self) {
        let used = self
            .small
            .story
            .events
            .iter()
            .filter_map(|e| e.what.unit())
            .max()
            .unwrap_or(1);
        let now = self.small.story.nodes;
        for nodes in [used, used + 1, used + 2, now / 2, now.saturating_sub(1)] {
            if nodes >= used.max(1) && nodes < now {
                let bare = self.small.story.bare.min(nodes - 1);
                if self.takes(Story {
                    nodes,
                    bare,
                    ..self.small.story.clone()
                }) {
                    break;
                }
            }
        }
        if self.small.story.bare > 0 {
            self.takes(Story {
                bare: 0,
                ..self.small.story.clone()
            });
        }
    }

    /// What lasts, lasts half as long; what hits everyone, hits one.
    fn times(&mut self) {
        for i in 0..self.small.story.events.len() {
            loop {
                let mut story = self.small.story.clone();
                if !less(&mut story.events[i].what) || !self.takes(story) {
                    break;
                }
            }
            let mut story = self.small.story.clone();
            if let What::Fault { on, .. } | What::Dark { on, .. } | What::Work { on, .. } = &mut story.events[i].what
                && *on == Whom::All
            {
                *on = Whom::Unit(1);
                self.takes(story);
            }
        }
    }
}

/// Halves what can be halved; false when nothing can.
fn less(what: &mut What) -> bool {
    let halve = |n: &mut u64, least: u64| {
        let was = *n;
        *n = (was / 2).max(least);
        *n < was
    };
    match what {
        What::Fault { lasts, .. } | What::Dark { lasts, .. } | What::Lie { lasts, .. } | What::Vanish { lasts, .. } => {
            halve(lasts, 10)
        }
        What::Work { lasts, .. } => halve(lasts, 10),
        What::Noise { lasts, .. } | What::Full { lasts } | What::Blobs { lasts } => halve(lasts, 10),
        What::Restart { down } => halve(down, 1),
        What::Die { down, .. } => halve(down, 1),
        What::StoreBefore { commits } | What::StoreAfter { commits } => {
            let was = *commits;
            *commits = (was / 2).max(1);
            *commits < was
        }
        What::User(_) | What::Reboot { .. } | What::Clock { .. } => false,
    }
}
