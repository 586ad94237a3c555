//! Stories that failed once, each as the line that it printed, and the proof that a story that fails shrinks.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;

use simulation::story::{Ask, What};
use simulation::{Broken, Story, run, run_with, shrink};
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

/// Half an hour in which much happens.
const EVERYTHING: &str = "seed=5 nodes=4 bare=1 seconds=1800; 90 run m1 wait=600; 200 fault u2 300 hang; 300 noise 20 200; \
    400 cap u1 600; 500 reboot u3; 600 die +3 down=5; 650 light u1 true; 700 dark u2 both 60; 850 rotate; 1000 full 400; \
    1100 run m9 wait=600; 1150 cordon u3 true; 1500 vanish 50 100";

/// Of everything that happens in it, a disk that is full and a user who runs something are left; the line that is
/// printed fails in the same way, and only on the store that lies.
#[test]
fn a_failing_story_shrinks_to_what_it_takes() {
    let story: Story = EVERYTHING.parse().unwrap();
    let broken = with_liar(&story).unwrap();
    assert_eq!(broken.id, "I6", "{broken}");
    let small = shrink(&story, &broken, simulation::campaign::SHRINKING, with_liar);
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
