#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::memory::{Manners, MemoryHost};

const DISK: usize = (4 << 20) + 4096 + 512;

fn run(host: &MemoryHost) -> Result<Vec<DiskWipe>, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    match runtime.block_on(wipe(host, "order-1", &Progress::default()))? {
        Outcome::Wiped { disks } => Ok(disks),
        other => panic!("{other:?}"),
    }
}

fn manners() -> impl Strategy<Value = Manners> {
    let erase = prop_oneof![
        Just(None),
        any::<bool>().prop_map(|truly| Some((WipeMethod::NvmeFormat, truly))),
        any::<bool>().prop_map(|truly| Some((WipeMethod::NvmeSanitize, truly))),
    ];
    let discard = prop_oneof![Just(None), Just(Some(true)), Just(Some(false))];
    // in the first or the last MiB, where every byte is read back
    let stuck = prop_oneof![
        Just(None),
        (0usize..1 << 20).prop_map(Some),
        (DISK - (1 << 20)..DISK).prop_map(Some)
    ];
    (erase, discard, stuck).prop_map(|(erase, discard, stuck)| Manners {
        erase,
        discard,
        stuck,
        bad_from: None,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_wipe_of_any_content_on_any_disk_ends_clean_or_says_that_it_did_not(
        manners in manners(),
        fill in 1u8..=254,
        from in 0usize..DISK,
        length in 1usize..DISK,
    ) {
        let mut bytes = vec![0; DISK];
        bytes[from..(from + length).min(DISK)].fill(fill);
        let stuck = manners.stuck.is_some_and(|n| bytes[n] != 0);
        let host = MemoryHost::with([("a", bytes, manners), ("b", vec![7; 8192], Manners::default())]);
        let result = run(&host);
        if stuck {
            prop_assert!(matches!(&result, Err(f) if !f.again && f.error.starts_with("a ")), "{:?}", result);
        } else {
            let disks = result.unwrap();
            prop_assert_eq!(disks.len(), 2);
            prop_assert!(disks.iter().all(|d| d.clean && d.samples > 0));
            prop_assert_eq!(disks[1].method, WipeMethod::Overwrite);
        }
        prop_assert!(host.bytes("b").iter().all(|b| *b == 0), "one bad disk keeps no other from being wiped");
    }

    #[test]
    fn samples_lie_within_the_disk_cover_both_ends_and_every_stretch(size in 1u64..(1 << 44), seed: [u8; 32]) {
        let size = size / 512 * 512 + 512;
        let places = places(size, &seed);
        prop_assert!(places.iter().all(|(at, length)| *length > 0 && at + length <= size && at % 4096 == 0));
        let covers = |at: u64| places.iter().any(|(from, length)| (*from..from + length).contains(&at));
        prop_assert!(covers(0) && covers(size - 1) && covers(size.saturating_sub(33 * 512)));
        // any run of a hundredth of the disk is met
        if size > 1 << 30 {
            for n in 0..100 {
                let (from, to) = (size / 100 * n, size / 100 * (n + 1));
                prop_assert!(places.iter().any(|(at, _)| (from..to).contains(at)), "stretch {}", n);
            }
        }
    }
}

#[test]
fn the_record_names_the_method_that_left_the_disk_clean() {
    let lies = |truly| Some((WipeMethod::NvmeFormat, truly));
    for (erase, discard, want) in [
        (lies(true), None, WipeMethod::NvmeFormat),
        (lies(false), Some(true), WipeMethod::Discard),
        (lies(false), Some(false), WipeMethod::Overwrite),
        (None, Some(true), WipeMethod::Discard),
        (None, None, WipeMethod::Overwrite),
    ] {
        let manners = Manners {
            erase,
            discard,
            ..Manners::default()
        };
        let host = MemoryHost::with([("a", vec![9; DISK], manners)]);
        let disks = run(&host).unwrap();
        assert_eq!(disks[0].method, want, "{manners:?}");
        assert!(host.bytes("a").iter().all(|b| *b == 0));
        assert_eq!(disks[0].size.0, DISK as u64);
    }
}

#[test]
fn samples_are_elsewhere_for_another_order_and_the_same_for_the_same() {
    let at = |order: &str| places(1 << 40, &seed(order, "sda"));
    assert_eq!(at("a"), at("a"));
    assert_ne!(at("a"), at("b"));
}
