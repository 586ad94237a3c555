//! I3's second half and what follows it: a PDU is lost while its rack works, and the breaker of the other one holds.

use simulation::{Story, Tally, run};

/// Racks of 3 to 9 servers, whose feeds carry alone 35 to 65 % of what all can draw.
const SEEDS: u64 = 10;

/// Tells these stories; what is broken in any ends the test.
fn tell(stories: impl Iterator<Item = Story>) -> Tally {
    let mut all = Tally::default();
    for story in stories {
        let outcome = run(&story);
        assert_eq!(outcome.broken, None, "cargo xtask simulate --story '{story}'");
        all.add(&outcome.tally);
    }
    all
}

#[test]
fn no_breaker_trips_when_a_pdu_is_lost_and_all_is_given_back_when_it_returns() {
    let all = tell((0..SEEDS).map(|seed| Story::of_loss(seed, None)));
    assert!(all.looks["I3"] > SEEDS && all.looks["I9"] > SEEDS, "{:?}", all.looks);
    assert!(
        all.capped > SEEDS && all.stopped > 0,
        "{} capped, {} stopped",
        all.capped,
        all.stopped
    );
    assert_eq!(all.tripped, 0);
}

#[test]
fn a_daemon_that_dies_in_the_middle_of_it_leaves_nobody_capped_or_stopped() {
    let all = tell((0..SEEDS).map(|seed| Story::of_loss(seed, Some(seed * 4))));
    assert!(
        all.crashes > 0 && all.capped > SEEDS,
        "{} deaths, {} capped",
        all.crashes,
        all.capped
    );
}
