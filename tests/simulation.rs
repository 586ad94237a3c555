//! The rack's life in simulated time, from seeds (`crates/simulation`). More of it, and faster, is `cargo xtask simulate`.
//!
//! A failing seed prints itself: `BUSBAR_SEED=N cargo test --test simulation` tells it alone, exactly as it was.
//! `BUSBAR_SEEDS=N` sets how many are told.

use std::sync::atomic::{AtomicU64, Ordering};

use simulation::{Outcome, Size, Story, Tally, run};

/// Seeds in an ordinary run.
const SEEDS: u64 = 100;
/// Threads that tell stories side by side; each is a thread of its own kind and shares nothing.
const SIDE_BY_SIDE: usize = 2;

/// Small racks and short stories: what is sampled here is everything that can meet.
fn story(seed: u64) -> Story {
    Story::of_seed(seed, 1, Size::Of(3))
}

/// Tells stories side by side until there are no more.
fn tell(stories: u64, story: impl Fn(u64) -> Story + Sync, seen: impl Fn(u64, Outcome) + Sync) {
    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= stories {
                        return;
                    }
                    let story = story(n);
                    let outcome = run(&story);
                    if let Some(broken) = &outcome.broken {
                        panic!("{broken}\ncargo xtask simulate --story '{story}'");
                    }
                    seen(n, outcome);
                }
            });
        }
    });
}

#[test]
fn no_seed_breaks_an_invariant_or_loses_a_machine() {
    let number = |name: &str| std::env::var(name).ok().and_then(|v| v.parse::<u64>().ok());
    if let Some(seed) = number("BUSBAR_SEED") {
        return tell(1, |_| story(seed), |_, outcome| println!("seed {seed}: {outcome:?}"));
    }
    let seeds = number("BUSBAR_SEEDS").unwrap_or(SEEDS);
    let tally = std::sync::Mutex::new(Tally::default());
    tell(seeds, story, |_, outcome| {
        tally.lock().expect("no one panics here").add(&outcome.tally)
    });
    let tally = tally.into_inner().expect("every thread has ended");
    println!("{seeds} seeds: {tally:?}");
    // A simulation in which nothing happens proves nothing.
    for (what, times, least) in [
        ("crashes", tally.crashes, seeds / 4),
        ("installs", tally.installs, seeds / 2),
        ("wipes", tally.wipes, seeds / 2),
        ("boxes without a BMC", tally.bare, seeds / 20),
        ("disturbed contacts", tally.faults, seeds / 2),
    ] {
        assert!(times > least, "too few {what}: {tally:?}");
    }
}

/// The same story is the same to the last commit, and so is the one that is read back from its line: what makes a failing
/// seed a test case.
#[test]
fn a_story_replays_exactly() {
    for seed in [3, 17] {
        for story in [story(seed), Story::of_seed(seed, 2, Size::Of(9))] {
            let line = story.to_string();
            let again: Story = line.parse().expect("a story is read back");
            assert_eq!(run(&story), run(&again), "{line}");
        }
    }
}

/// One ordinary life with the daemon killed at its n-th contact with the outside, for every n there is.
#[test]
fn a_crash_at_every_await_loses_nothing() {
    let whole = run(&Story::one_life(None)).tally;
    assert!(
        whole.lived > 50 && whole.installs == 1 && whole.wipes == 1,
        "not a whole life: {whole:?}"
    );
    tell(
        whole.lived,
        |n| Story::one_life(Some(n + 1)),
        |n, outcome| {
            assert_eq!(outcome.tally.crashes, 1, "contact {}", n + 1);
        },
    );
}
