#![allow(clippy::unwrap_used)]

use std::collections::VecDeque;
use std::sync::Mutex;

use proptest::prelude::*;
use rack::agent::{Order, Work};

use super::*;
use crate::memory::{Manners, MemoryDaemon, MemoryHost};

const DISK: usize = 5 << 20;

fn sha(bytes: &[u8]) -> String {
    format!("sha256:{}", hex(&Sha256::digest(bytes)))
}

fn image(blob: &[u8], raw: &[u8], packing: Packing) -> Image {
    Image {
        path: "/blob".into(),
        digest: sha(blob),
        stored: blob.len() as u64,
        packing,
        raw_digest: sha(raw),
        raw: raw.len() as u64,
    }
}

fn packed(raw: &[u8], packing: Packing) -> Vec<u8> {
    match packing {
        Packing::Raw => raw.to_vec(),
        Packing::Zstd => zstd::encode_all(raw, 1).unwrap(),
    }
}

fn dirty() -> Vec<u8> {
    vec![0xa5; DISK]
}

fn noise(length: usize, seed: u8) -> Vec<u8> {
    (0..length)
        .map(|n| {
            if n / 70_000 % 2 == 0 {
                0
            } else {
                (n as u8).wrapping_mul(31).wrapping_add(seed)
            }
        })
        .collect()
}

/// Runs the future with timers that take no time.
fn simulate<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(future)
}

fn run(host: &MemoryHost, daemon: &MemoryDaemon, image: &Image) -> Result<Outcome, Failure> {
    simulate(install(host, daemon, image, None, &Progress::default()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_chunking_and_any_breaks_give_the_right_disk(
        length in 1usize..(3 << 20),
        seed: u8,
        zstd: bool,
        chunks in proptest::collection::vec(1usize..200_000, 1..5),
        breaks in proptest::collection::vec(0usize..(3 << 20), 0..6),
    ) {
        let packing = if zstd { Packing::Zstd } else { Packing::Raw };
        let raw = noise(length, seed);
        let blob = packed(&raw, packing);
        let image = image(&blob, &raw, packing);
        // small chunks of a large blob only make the test slow
        let chunks = chunks.into_iter().map(|c| c.max(blob.len() / 500)).collect();
        let daemon = MemoryDaemon { blob, chunks, breaks: Mutex::new(breaks), ..MemoryDaemon::default() };
        let host = MemoryHost::with([("vda", dirty(), Manners::default())]);
        run(&host, &daemon, &image).unwrap();
        let disk = host.bytes("vda");
        prop_assert!(disk[..length] == raw[..]);
        let end = length.max(PIECE);
        prop_assert!(disk[length..end].iter().all(|b| *b == 0), "the first MiB holds nothing of before");
        prop_assert!(disk[end..DISK - PIECE].iter().all(|b| *b == 0xa5));
        let platter = host.disks["vda"].lock().unwrap();
        prop_assert!(platter.head_was_clear, "the head is written last");
        prop_assert_eq!(platter.unsynced, 0);
    }

    #[test]
    fn a_blob_that_is_not_what_was_ordered_is_never_installed_and_never_boots(
        length in 1usize..(2 << 20),
        zstd: bool,
        at: prop::sample::Index,
        flip in 1u8..,
        which in 0u8..5,
    ) {
        let packing = if zstd { Packing::Zstd } else { Packing::Raw };
        let raw = noise(length, 3);
        let mut blob = packed(&raw, packing);
        let mut image = image(&blob, &raw, packing);
        match which {
            0 => { let at = at.index(blob.len()); blob[at] ^= flip; }
            1 => image.raw_digest = sha(b"another"),
            2 => image.digest = sha(b"another"),
            3 => image.raw += 1,
            _ => image.raw = (image.raw - 1).max(1) + u64::from(image.raw == 1),
        }
        let daemon = MemoryDaemon { blob, ..MemoryDaemon::default() };
        let host = MemoryHost::with([("vda", dirty(), Manners::default())]);
        let failure = run(&host, &daemon, &image).unwrap_err();
        prop_assert!(!failure.again, "{}", failure);
        prop_assert!(host.bytes("vda")[..PIECE].iter().all(|b| *b == 0));
        prop_assert_eq!(daemon.opened.lock().unwrap().len(), 2, "it was copied twice before that was said");
    }
}

#[test]
fn a_blob_that_unpacks_without_end_is_stopped_at_the_ordered_size() {
    let blob = packed(&vec![0; 64 << 20], Packing::Zstd);
    let mut image = image(&blob, &[1], Packing::Zstd);
    image.raw = 2 << 20;
    let daemon = MemoryDaemon {
        blob,
        ..MemoryDaemon::default()
    };
    let host = MemoryHost::with([("vda", dirty(), Manners::default())]);
    let failure = run(&host, &daemon, &image).unwrap_err();
    assert!(failure.error.contains("more than 2097152 bytes"), "{failure}");
    assert!(
        host.bytes("vda")[2 << 20..DISK - PIECE].iter().all(|b| *b == 0xa5),
        "nothing is written past the image"
    );
}

#[test]
fn a_download_that_never_goes_on_is_given_up_and_may_be_tried_again() {
    let raw = noise(1 << 20, 1);
    let image = image(&raw, &raw, Packing::Raw);
    let daemon = MemoryDaemon {
        blob: raw,
        breaks: Mutex::new(vec![500_000; 20]),
        ..MemoryDaemon::default()
    };
    let host = MemoryHost::with([("vda", dirty(), Manners::default())]);
    let failure = run(&host, &daemon, &image).unwrap_err();
    assert!(
        failure.again && failure.error.contains("byte 500000 of 1048576"),
        "{failure}"
    );
    let opened = daemon.opened.lock().unwrap();
    assert_eq!(opened[0], 0);
    assert!(opened[1..].iter().all(|at| *at == 500_000), "{opened:?}");
    assert_eq!(opened.len() as u32, 1 + TRIES);
}

#[test]
fn a_disk_that_fails_while_it_is_written_is_named_and_never_boots() {
    let raw = noise(3 << 20, 1);
    let image = image(&raw, &raw, Packing::Raw);
    let daemon = MemoryDaemon {
        blob: raw,
        ..MemoryDaemon::default()
    };
    // the last MiB is cleared before: only an image that reaches the bad part fails there
    let manners = Manners {
        bad_from: Some(2 << 20),
        ..Manners::default()
    };
    let host = MemoryHost::with([("vda", dirty(), manners)]);
    let failure = run(&host, &daemon, &image).unwrap_err();
    assert!(failure.error.contains("medium error"), "{failure}");
    assert!(host.bytes("vda")[..PIECE].iter().all(|b| *b == 0));
}

#[test]
fn the_smallest_disk_that_fits_is_chosen_unless_one_is_named() {
    let host = MemoryHost::with([
        ("a", vec![0; 3 << 20], Manners::default()),
        ("b", vec![0; 2 << 20], Manners::default()),
        ("c", vec![0; 1 << 20], Manners::default()),
    ]);
    let disks = simulate(host.found()).unwrap().disks;
    assert_eq!(choose(&disks, None, (1 << 20) + 1).unwrap().name, "b");
    assert_eq!(choose(&disks, Some("a"), 5).unwrap().name, "a");
    for (named, raw, told) in [
        (None, 4 << 20, "a 3.1 MB, b 2.1 MB, c 1.0 MB"),
        (
            Some("c"),
            2 << 20,
            "c is too small: it has 1.0 MB (1048576 bytes), the image needs 2.1 MB (2097152 bytes)",
        ),
        (Some("z"), 5, "there is no disk z: found a, b, c"),
    ] {
        let failure = choose(&disks, named, raw).unwrap_err();
        assert!(!failure.again && failure.error.contains(told), "{failure}");
    }
}

fn order(id: &str, image: &Image) -> Order {
    Order::Install {
        id: id.into(),
        path: image.path.clone(),
        digest: image.digest.clone(),
        stored: rack::Bytes(image.stored),
        packing: image.packing,
        raw_digest: image.raw_digest.clone(),
        raw: rack::Bytes(image.raw),
        disk: None,
    }
}

#[test]
fn the_agent_outlasts_a_deaf_daemon_installs_once_and_switches_off() {
    let raw = noise(1 << 20, 1);
    let image = image(&raw, &raw, Packing::Raw);
    let daemon = MemoryDaemon {
        orders: Mutex::new(VecDeque::from([order("one", &image)])),
        blob: raw,
        deaf: Mutex::new(30),
        breaks: Mutex::new(vec![10, 20]),
        ..MemoryDaemon::default()
    };
    let host = MemoryHost::with([("vda", dirty(), Manners::default())]);
    simulate(crate::run(&host, &daemon));
    assert!(*host.off.lock().unwrap());
    let states = daemon.states.lock().unwrap();
    assert_eq!(states[0], Work::Ready);
    assert!(
        matches!(&states[1], Work::Busy { order, .. } if order == "one"),
        "{states:?}"
    );
    assert!(
        matches!(states.last(), Some(Work::Done { order, .. }) if order == "one"),
        "{states:?}"
    );
    assert_eq!(
        daemon.opened.lock().unwrap().len(),
        3,
        "installed once, over two breaks"
    );
}

#[test]
fn an_order_that_still_stands_after_it_was_done_is_not_done_again() {
    let raw = noise(1 << 20, 1);
    let image = image(&raw, &raw, Packing::Raw);
    // the same id three times: the daemon takes a "done" for each
    let orders = VecDeque::from([order("one", &image), order("one", &image), order("one", &image)]);
    let daemon = MemoryDaemon {
        orders: Mutex::new(orders),
        blob: raw,
        ..MemoryDaemon::default()
    };
    let host = MemoryHost::with([("vda", dirty(), Manners::default())]);
    simulate(crate::run(&host, &daemon));
    assert_eq!(daemon.opened.lock().unwrap().len(), 1);
}

#[test]
fn a_daemon_that_refuses_the_boot_switches_the_machine_off() {
    let daemon = MemoryDaemon {
        refuses: true,
        ..MemoryDaemon::default()
    };
    let host = MemoryHost::with([("vda", dirty(), Manners::default())]);
    simulate(crate::run(&host, &daemon));
    assert!(*host.off.lock().unwrap());
    assert_eq!(*daemon.polls.lock().unwrap(), 1);
    assert_eq!(host.bytes("vda"), dirty());
}

#[test]
fn an_idle_agent_asks_no_more_than_the_daemon_holds_it() {
    let daemon = MemoryDaemon {
        orders: Mutex::new(VecDeque::from([Order::Wait])),
        ..MemoryDaemon::default()
    };
    let host = MemoryHost::with([("vda", dirty(), Manners::default())]);
    simulate(async { timeout(Duration::from_secs(250), crate::run(&host, &daemon)).await }).unwrap_err();
    assert!((9..=11).contains(&*daemon.polls.lock().unwrap()), "{:?}", daemon.polls);
}
