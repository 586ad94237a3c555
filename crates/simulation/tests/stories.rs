//! Stories that failed once, each as the line that it printed, and the proof that a story that fails shrinks.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;

use simulation::story::{Ask, Event, What};
use simulation::{Broken, Size, Story, run, run_with, shrink};
use store::memory::Memory;
use store::{Error, Future, Object, Revision, Store, Txn, Watch};

/// Lines that begin with `#` say what was wrong.
#[test]
fn what_failed_once_fails_no_more() {
    for line in include_str!("stories.txt").lines() {
        if !line.is_empty() && !line.starts_with('#') {
            assert_eq!(run(&line.parse().unwrap()).broken, None, "{line}");
        }
    }
}

/// A store that says that it has written what it has not: a disk that lies about its cache.
struct Liar(Memory);

impl Store for Liar {
    fn get<'a>(&'a self, key: &'a str) -> Future<'a, Result<Option<Object>, Error>> {
        self.0.get(key)
    }
    fn list<'a>(&'a self, prefix: &'a str) -> Future<'a, Result<(Revision, Vec<Object>), Error>> {
        self.0.list(prefix)
    }
    fn commit(&self, txn: Txn) -> Future<'_, Result<Revision, Error>> {
        Box::pin(async move {
            match self.0.commit(txn).await {
                Err(Error::Unavailable { .. }) => Ok(0),
                other => other,
            }
        })
    }
    fn watch(&self, from: Revision) -> Future<'_, Result<Watch, Error>> {
        self.0.watch(from)
    }
    fn backup<'a>(&'a self, to: &'a Path) -> Future<'a, Result<(), Error>> {
        self.0.backup(to)
    }
}

fn with_liar(story: &Story) -> Option<Broken> {
    run_with(story, |store| Arc::new(Liar(store))).broken
}

/// Of everything that happens in an hour, a disk that is full and a user who runs something are left; the line that is
/// printed fails in the same way, and only on the store that lies.
#[test]
fn a_failing_story_shrinks_to_what_it_takes() {
    let mut story = Story::of_seed(5, 1, Size::Of(3));
    let run_it = Ask::Run {
        machine: 90,
        on: None,
        wait: 600,
        nice: 0,
    };
    story.events.push(Event {
        at: 1000,
        what: What::Full { lasts: 400 },
    });
    story.events.push(Event {
        at: 1100,
        what: What::User(run_it.clone()),
    });
    story.events.sort_by_key(|e| e.at);
    assert!(story.events.len() > 10, "{story}");

    let broken = with_liar(&story).unwrap();
    assert_eq!(broken.id, "I6", "{broken}");
    let small = shrink(&story, &broken, with_liar);
    let kinds: Vec<&What> = small.story.events.iter().map(|e| &e.what).collect();
    let is_run = |what: &&&What| matches!(what, What::User(Ask::Run { .. }));
    let is_store = |what: &&&What| matches!(what, What::Full { .. } | What::StoreBefore { .. });
    assert_eq!(kinds.len(), 2, "{}", small.story);
    assert_eq!(kinds.iter().filter(is_run).count(), 1, "{}", small.story);
    assert_eq!(kinds.iter().filter(is_store).count(), 1, "{}", small.story);
    assert!(
        small.story.nodes < story.nodes && small.story.seconds < story.seconds,
        "{}",
        small.story
    );

    let line = small.story.to_string();
    assert!(line.len() < 200 && !line.contains('\n'), "{line}");
    let handed_on: Story = line.parse().unwrap();
    assert_eq!(with_liar(&handed_on), Some(small.broken));
    assert_eq!(run(&handed_on).broken, None, "{line}");
}
