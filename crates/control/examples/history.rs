//! What a day of readings takes in memory: `cargo run --release -p control --example history [BOXES]`.
//!
//! Traces are made as sensors make them: rounded, noisy, with steps of load and looks that fail. Each kind is packed as the
//! daemon packs it, and as zstd at its highest level packs the same differences, block for block.

#![allow(clippy::unwrap_used)]

use std::time::Instant;

use control::history::archive::{Archive, Limits};
use control::history::block::ROWS;
use rack::{Reading, Time, Unit};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Minutes of a day, a look each.
const LOOKS: u32 = 1440;
/// Looks that fail.
const FAILED: f64 = 0.005;
const START: u32 = 1_764_028_800;

/// Name, unit, what it is rounded to, noise in units of that, and whether it follows the load.
const KINDS: [(&str, Unit, f64, f64, f64); 9] = [
    ("watts", Unit::Watts, 1.0, 3.0, 1.0),
    ("watts at rest", Unit::Watts, 1.0, 1.0, 0.0),
    ("inlet", Unit::Celsius, 1.0, 0.2, 0.0),
    ("cpu", Unit::Celsius, 1.0, 0.6, 0.02),
    ("coolant", Unit::Celsius, 0.1, 1.5, 0.0),
    ("fan", Unit::Rpm, 60.0, 1.0, 8.0),
    ("rail", Unit::Volts, 0.031, 0.7, 0.0),
    ("energy", Unit::KilowattHours, 0.1, 0.0, 0.0),
    ("fixed", Unit::Celsius, 1.0, 0.0, 0.0),
];

/// A sum of uniform numbers, near enough to a normal one.
fn noise(random: &mut StdRng) -> f64 {
    (0..6).map(|_| random.random::<f64>() - 0.5).sum::<f64>() * 1.4
}

/// One sensor's day.
fn day(kind: usize, random: &mut StdRng) -> Vec<f64> {
    let (name, _, grain, spread, follows) = KINDS[kind % KINDS.len()];
    let (mut load, mut drift) = (300.0, 0.0);
    let value = |minute: u32| {
        if random.random::<f64>() < 0.01 {
            load = 200.0 + random.random::<f64>() * 400.0;
        }
        drift = 0.95 * drift + noise(random) * spread;
        let energy = if name == "energy" {
            f64::from(minute) * 0.3 / 60.0
        } else {
            0.0
        };
        let told = if spread < 1.0 { drift } else { noise(random) * spread };
        ((50.0 + load * follows + energy) / grain + told).round() * grain
    };
    (0..LOOKS).map(value).collect()
}

fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

fn limits() -> Limits {
    Limits {
        bytes: usize::MAX,
        ..Limits::default()
    }
}

/// Fills an archive with a day of `boxes`, each with the sensors of `kinds`.
fn fill(boxes: u32, kinds: &[usize], random: &mut StdRng) -> (Archive<u32>, f64) {
    let mut archive = Archive::new(limits());
    let mut seconds = 0.0;
    for key in 0..boxes {
        let days: Vec<Vec<f64>> = kinds.iter().map(|k| day(*k, random)).collect();
        for minute in 0..LOOKS {
            if random.random::<f64>() < FAILED {
                continue;
            }
            // a look is never quite on time
            let at = i64::from(START + minute * 60) * 1000 + random.random_range(0..1500);
            let reading = |(i, k): (usize, &usize)| Reading {
                name: format!("{}{i}", KINDS[k % KINDS.len()].0),
                value: Some(days[i][minute as usize]),
                unit: KINDS[k % KINDS.len()].1,
                taken: Time::from_millis(at),
            };
            let readings: Vec<Reading> = kinds.iter().enumerate().map(reading).collect();
            let start = Instant::now();
            archive.note(&key, &readings);
            seconds += start.elapsed().as_secs_f64();
        }
    }
    (archive, seconds)
}

/// The same day by zstd: differences in seven bits a byte, a frame a block.
fn zstd(kind: usize, random: &mut StdRng) -> f64 {
    let thousandths: Vec<i64> = day(kind, random).iter().map(|v| (v * 1000.0).round() as i64).collect();
    let packed = |block: &[i64]| {
        let mut bytes = Vec::new();
        for pair in block.windows(2) {
            let mut left = ((pair[1] - pair[0]) << 1 ^ (pair[1] - pair[0]) >> 63) as u64;
            while left >= 128 {
                bytes.push(left as u8 | 128);
                left >>= 7;
            }
            bytes.push(left as u8);
        }
        zstd::bulk::compress(&bytes, 19).unwrap().len()
    };
    let total: usize = thousandths.chunks(ROWS.into()).map(packed).sum();
    total as f64 / f64::from(LOOKS)
}

fn main() {
    let boxes = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(500);
    let mut random = StdRng::seed_from_u64(1);
    let kib = |bytes: usize| bytes as f64 / 1024.0 / f64::from(boxes);
    // Before anything else is made and freed, or resident memory says nothing.
    let before = resident();
    let (archive, _) = fill(boxes, &(0..20).collect::<Vec<_>>(), &mut random);
    let grown = resident().saturating_sub(before);
    println!(
        "{boxes} boxes of 20 sensors: {:.1} KiB each as counted, {:.1} KiB resident\n",
        kib(archive.bytes()),
        kib(grown)
    );
    drop(archive);
    println!(
        "| sensors a box | bytes a sample | KiB a box, a day | MiB, 17,750 boxes | µs a look |\n|--:|--:|--:|--:|--:|"
    );
    for sensors in [10, 20, 30] {
        let (archive, seconds) = fill(boxes, &(0..sensors).collect::<Vec<_>>(), &mut random);
        let held = archive.holding();
        println!(
            "| {sensors} | {:.3} | {:.1} | {:.0} | {:.1} |",
            held.bytes as f64 / held.samples as f64,
            kib(held.bytes),
            kib(held.bytes) * 17_750.0 / 1024.0,
            seconds * 1e6 / f64::from(boxes * LOOKS)
        );
    }
    println!("\n| sensor | bytes a sample, 16 of it in a box | zstd -19, values alone | ratio |\n|---|--:|--:|--:|");
    for (i, kind) in KINDS.iter().enumerate() {
        let (archive, _) = fill(20, &[i; 16], &mut random);
        let held = archive.holding();
        let (ours, theirs) = (held.bytes as f64 / held.samples as f64, zstd(i, &mut random));
        println!("| {} | {ours:.2} | {theirs:.2} | {:.2} |", kind.0, ours / theirs);
    }
}
