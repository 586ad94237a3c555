//! The machine's life in simulated time: the house, the store and an emulated rack in one thread under a virtual clock,
//! driven by one seed. BMCs hang, lie, reset and answer late; DHCP replies and disks fail; the store fails before and
//! after a commit; the daemon dies at any await. The invariants hold after every commit, and once luck turns, every
//! machine can be given back with its disks proven wiped.
//!
//! A failing seed prints itself: `BUSBAR_SEED=N cargo test --test simulation` runs it alone, exactly as it was.
//! `BUSBAR_SEEDS=N` sets how many are run.

mod city;
mod faults;
mod links;
mod truth;

use std::sync::atomic::{AtomicU64, Ordering};

/// Seeds in an ordinary run.
const SEEDS: u64 = 1_000;
/// Threads that run seeds side by side; each seed is a thread of its own kind and shares nothing.
const SIDE_BY_SIDE: usize = 2;

#[test]
fn no_seed_breaks_an_invariant_or_loses_a_machine() {
    let number = |name: &str| std::env::var(name).ok().and_then(|v| v.parse::<u64>().ok());
    if let Some(seed) = number("BUSBAR_SEED") {
        let story = city::run(seed);
        println!("seed {seed}: {story:?}");
        return;
    }
    let seeds = number("BUSBAR_SEEDS").unwrap_or(SEEDS);
    let next = AtomicU64::new(0);
    let totals = std::sync::Mutex::new(city::Story::default());
    std::thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds {
                        return;
                    }
                    let story = std::panic::catch_unwind(|| city::run(seed)).unwrap_or_else(|_| {
                        panic!("seed {seed} failed: BUSBAR_SEED={seed} cargo test --test simulation -- --nocapture")
                    });
                    totals.lock().expect("no seed panics while it adds up").add(&story);
                }
            });
        }
    });
    let totals = totals.into_inner().expect("every thread has ended");
    println!("{seeds} seeds: {totals:?}");
    // A simulation in which nothing happens proves nothing.
    assert!(totals.crashes > seeds / 2, "too few crashes: {totals:?}");
    assert!(totals.installs > seeds / 2, "too few installs: {totals:?}");
    assert!(totals.wipes > seeds / 2, "too few wipes: {totals:?}");
    assert!(totals.bare > seeds / 10, "too few boxes without a BMC: {totals:?}");
    assert!(totals.faults > seeds, "too few faults: {totals:?}");
}

/// The same seed is the same story, to the last commit: what makes a failing seed a test case.
#[test]
fn a_seed_replays_exactly() {
    for seed in [3, 17] {
        assert_eq!(city::run(seed), city::run(seed));
    }
}

/// One ordinary life with the daemon killed at its n-th contact with the outside, for every n there is.
#[test]
fn a_crash_at_every_await_loses_nothing() {
    let whole = city::run_with_crash_at(None);
    assert!(
        whole.lived > 50 && whole.installs == 1 && whole.wipes == 1,
        "not a whole life: {whole:?}"
    );
    let next = AtomicU64::new(1);
    std::thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n > whole.lived {
                        return;
                    }
                    let story = std::panic::catch_unwind(|| city::run_with_crash_at(Some(n)))
                        .unwrap_or_else(|_| panic!("a crash at contact {n} of {} broke it", whole.lived));
                    assert_eq!(story.crashes, 1, "contact {n}");
                }
            });
        }
    });
}
