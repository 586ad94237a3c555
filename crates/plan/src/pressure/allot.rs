//! Who gives up how much: caps from the lowest priority on, and stops where all caps together are not enough.

use std::cmp::Reverse;

/// Watts less that are no change worth a write.
const LEAST: f64 = 1.0;

/// Something that may not carry more than it should.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Limit {
    /// Watts that it carries, or would; as if all its lines carried what the fullest does.
    pub load: f64,
    /// Watts to which that is brought.
    pub aim: f64,
    /// Watts above which caps are not enough and machines are stopped; none when only caps are worth it.
    pub cut: Option<f64>,
}

/// A machine that can give up watts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Item {
    /// Its shed order: −20 last, 19 first.
    pub nice: i8,
    /// Watts that it draws, or would if it were left alone.
    pub draw: f64,
    /// Watts that it draws at its lowest cap, when it can be capped.
    pub floor: Option<f64>,
    /// Whether it can be stopped.
    pub stoppable: bool,
    /// The limits that it weighs on, and with what share of its watts.
    pub weighs: Vec<(usize, f64)>,
}

impl Item {
    fn on(&self, limit: usize) -> f64 {
        self.weighs
            .iter()
            .filter(|(l, _)| *l == limit)
            .map(|(_, share)| share)
            .fold(0.0, |a, b| a + b)
    }

    /// Watts that it draws with what it is left with.
    pub fn left_with(&self, allotted: Allot) -> f64 {
        match allotted {
            Allot::Full => self.draw,
            Allot::Cap(watts) => watts,
            Allot::Stop => 0.0,
        }
    }

    fn lowest(&self) -> f64 {
        self.floor.map_or(self.draw, |f| f.min(self.draw))
    }
}

/// What a machine is left with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Allot {
    /// All that it draws.
    Full,
    /// At most so many watts.
    Cap(f64),
    /// Nothing.
    Stop,
}

/// What each item is left with so that every limit is kept, if that can be.
pub(crate) fn allot(items: &[Item], limits: &[Limit]) -> Vec<Allot> {
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by_key(|i| Reverse(items[*i].nice));
    let stopped = stops(items, limits, &order);
    let mut level: Vec<f64> = (0..items.len())
        .map(|i| if stopped[i] { 0.0 } else { items[i].draw })
        .collect();
    for (l, limit) in limits.iter().enumerate() {
        let mut over = load(items, limit, l, &level) - limit.aim;
        for class in order.chunk_by(|a, b| items[*a].nice == items[*b].nice) {
            if over <= 0.0 {
                break;
            }
            let room = |i: usize| (level[i] - items[i].lowest()).max(0.0);
            let can = |i: &usize| !stopped[*i] && items[*i].on(l) > 0.0;
            let possible = class
                .iter()
                .filter(|i| can(i))
                .map(|i| room(*i) * items[*i].on(l))
                .fold(0.0, |a, b| a + b);
            if possible <= 0.0 {
                continue;
            }
            // within one priority each gives up the same part of what it can
            let part = (over / possible).min(1.0);
            let given: Vec<(usize, f64)> = class.iter().filter(|i| can(i)).map(|i| (*i, part * room(*i))).collect();
            for (i, watts) in given {
                level[i] -= watts;
            }
            over -= part * possible;
        }
    }
    let left = |i: usize| match (stopped[i], items[i].draw - level[i]) {
        (true, _) => Allot::Stop,
        (false, given) if given >= LEAST => Allot::Cap(level[i].floor().max(items[i].lowest())),
        _ => Allot::Full,
    };
    (0..items.len()).map(left).collect()
}

/// What a limit carries when each item draws its level.
pub(crate) fn load(items: &[Item], limit: &Limit, l: usize, level: &[f64]) -> f64 {
    let less = |i: usize| (items[i].draw - level[i]) * items[i].on(l);
    limit.load - (0..items.len()).map(less).fold(0.0, |a, b| a + b)
}

/// The fewest that must stop, in their order, when all others draw their least.
fn stops(items: &[Item], limits: &[Limit], order: &[usize]) -> Vec<bool> {
    let mut stopped = vec![false; items.len()];
    let mut level: Vec<f64> = items.iter().map(Item::lowest).collect();
    let over = |level: &[f64]| -> Vec<usize> {
        let too_much = |l: &usize| {
            limits[*l]
                .cut
                .is_some_and(|cut| load(items, &limits[*l], *l, level) > cut)
        };
        (0..limits.len()).filter(too_much).collect()
    };
    for class in order.chunk_by(|a, b| items[*a].nice == items[*b].nice) {
        let mut mine = Vec::new();
        loop {
            let over = over(&level);
            let relief = |i: usize| over.iter().map(|l| items[i].on(*l) * level[i]).fold(0.0, |a, b| a + b);
            let next = class
                .iter()
                .copied()
                .filter(|i| items[*i].stoppable && !stopped[*i] && relief(*i) > 0.0);
            let Some(next) = next.max_by(|a, b| relief(*a).total_cmp(&relief(*b))) else {
                break;
            };
            (stopped[next], level[next]) = (true, 0.0);
            mine.push(next);
        }
        if !over(&level).is_empty() {
            continue;
        }
        // the largest came first: what a smaller one of the same priority gave may not be needed any more
        for i in mine {
            level[i] = items[i].lowest();
            match over(&level).is_empty() {
                true => stopped[i] = false,
                false => level[i] = 0.0,
            }
        }
        break;
    }
    stopped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn item(nice: i8, draw: f64, floor: Option<f64>) -> Item {
        Item {
            nice,
            draw,
            floor,
            stoppable: true,
            weighs: vec![(0, 1.0)],
        }
    }

    fn limit(load: f64, rated: f64) -> Limit {
        Limit {
            load,
            aim: 0.85 * rated,
            cut: Some(rated),
        }
    }

    #[test]
    fn the_lowest_priority_is_capped_first_and_equals_give_equal_parts() {
        let items = [
            item(-10, 600.0, Some(300.0)),
            item(0, 600.0, Some(300.0)),
            item(19, 600.0, Some(300.0)),
            item(19, 300.0, Some(250.0)),
        ];
        let full = allot(&items, &[limit(2100.0, 2500.0)]);
        assert_eq!(full, [Allot::Full; 4]);
        let some = allot(&items, &[limit(2100.0, 2264.7)]);
        assert_eq!(some, [Allot::Full, Allot::Full, Allot::Cap(449.0), Allot::Cap(274.0)]);
        let more = allot(&items, &[limit(2100.0, 1900.0)]);
        assert_eq!(
            more,
            [Allot::Full, Allot::Cap(465.0), Allot::Cap(300.0), Allot::Cap(250.0)]
        );
    }

    #[test]
    fn nothing_is_stopped_while_caps_are_enough_and_then_as_few_as_can_be() {
        let items = [
            item(0, 600.0, Some(300.0)),
            item(10, 600.0, Some(300.0)),
            item(10, 200.0, None),
        ];
        // at their lowest they draw 800 W
        assert_eq!(
            allot(&items, &[limit(1400.0, 800.0)]),
            [Allot::Cap(300.0), Allot::Cap(300.0), Allot::Full]
        );
        let one = allot(&items, &[limit(1400.0, 790.0)]);
        assert_eq!(one, [Allot::Cap(471.0), Allot::Stop, Allot::Full]);
        assert_eq!(allot(&items, &[limit(1400.0, 100.0)]), [Allot::Stop; 3]);
        // what is only ahead of its time stops nobody
        let ahead = Limit {
            cut: None,
            ..limit(1400.0, 100.0)
        };
        assert_eq!(
            allot(&items, &[ahead]),
            [Allot::Cap(300.0), Allot::Cap(300.0), Allot::Full]
        );
    }

    #[test]
    fn who_does_not_weigh_on_what_is_full_gives_nothing() {
        let mut other = item(19, 600.0, Some(300.0));
        other.weighs = vec![(1, 1.0)];
        let items = [item(-20, 600.0, Some(300.0)), other];
        let limits = [limit(600.0, 500.0), limit(600.0, 2000.0)];
        assert_eq!(allot(&items, &limits), [Allot::Cap(425.0), Allot::Full]);
    }

    prop_compose! {
        fn any_item(limits: usize)(
            nice in -20i8..=19, draw in 10.0..1000.0f64, floor in prop::option::of(5.0..1200.0f64), stoppable: bool,
            shares in prop::collection::vec(0.0..1.0f64, limits),
        ) -> Item {
            let weighs = shares.into_iter().enumerate().filter(|(_, s)| *s > 0.3).collect();
            Item { nice, draw, floor, stoppable, weighs }
        }
    }

    proptest! {
        #[test]
        fn every_limit_is_kept_when_it_can_be_and_no_higher_priority_gives_before_a_lower(
            items in prop::collection::vec(any_item(3), 0..12),
            rated in prop::collection::vec(50.0..4000.0f64, 3), rest in 0.0..500.0f64,
        ) {
            let carried = |l: usize| rest + items.iter().map(|i| i.draw * i.on(l)).fold(0.0, |a, b| a + b);
            let limits: Vec<Limit> = rated.iter().enumerate().map(|(l, r)| limit(carried(l), *r)).collect();
            let out = allot(&items, &limits);
            let level: Vec<f64> = items.iter().zip(&out).map(|(i, a)| i.left_with(*a)).collect();
            for (i, item) in items.iter().enumerate() {
                prop_assert!(level[i] <= item.draw);
                prop_assert!(out[i] == Allot::Stop || level[i] >= item.lowest());
                prop_assert!(out[i] != Allot::Stop || item.stoppable);
            }
            for (l, limit) in limits.iter().enumerate() {
                let mine = |i: &usize| items[*i].on(l) > 0.0;
                let after = load(&items, limit, l, &level);
                // over the aim only with everybody at the least, over the rating only with everybody stopped
                for i in (0..items.len()).filter(mine) {
                    prop_assert!(after <= limit.aim + LEAST * items.len() as f64 || level[i] <= items[i].lowest() + LEAST);
                    prop_assert!(after <= rated[l] + LEAST * items.len() as f64 || out[i] == Allot::Stop || !items[i].stoppable);
                }
                for (a, b) in (0..items.len()).filter(mine).flat_map(|a| (0..items.len()).filter(mine).map(move |b| (a, b))) {
                    let only = |i: usize| items[i].weighs.len() == 1;
                    if items[a].nice < items[b].nice && only(a) && only(b) {
                        if out[a] == Allot::Stop {
                            prop_assert!(out[b] == Allot::Stop || !items[b].stoppable, "{a} stops before {b}");
                        }
                        if matches!(out[a], Allot::Cap(_)) {
                            prop_assert!(level[b] <= items[b].lowest() + 1.0, "{a} is capped before {b}");
                        }
                    }
                }
            }
        }
    }
}
