//! Wipes every disk and reads back samples for proof.
//!
//! For each disk the best method first: what the device itself erases with, then a discard that it promises to read
//! as zeroes, then zeroes written over everything. After each method samples are read back; a method that left
//! anything falls to the next, and the record names the one after which the disk was clean. The names are those of NIST
//! SP 800-88 Rev. 1: the device's own methods are Purge, discard and overwrite are Clear. ATA Security Erase is not
//! among them: a drive that loses power under it stays locked with a password.

use futures_util::StreamExt;
use futures_util::stream;
use rack::agent::{DiskWipe, FoundDisk, Outcome, WipeMethod};
use sha2::{Digest, Sha256};
use tokio::time::Instant;
use tracing::{info, warn};

use crate::install::{PIECE, zeroes};
use crate::progress::{Failure, Progress};
use crate::seam::{BLOCK, Disk, Future, Host, HostError};

/// Disks wiped at once: a disk box has dozens, each as slow as its own platters; each takes a few MiB of memory.
const AT_ONCE: usize = 16;
/// Samples beside the first and the last MiB: one somewhere in each of so many equal stretches. Data that covers a
/// hundredth of the disk in one run is hit always; scattered over it, in all but one of 29,000 runs.
const SAMPLES: u64 = 1024;
/// What is discarded at once: long enough for speed, short enough to report progress.
const SLICE: u64 = 1 << 30;

/// Wipes every disk. `order` seeds the places of the samples, so that a run can be repeated but not foreseen.
pub async fn wipe(host: &dyn Host, order: &str, progress: &Progress) -> Result<Outcome, Failure> {
    let found = host.found().await?;
    let total = found.disks.iter().map(|d| d.size.0).sum();
    progress.begin("wipe", total);
    let jobs = found
        .disks
        .iter()
        .map(|disk| -> Future<'_, _> { Box::pin(wipe_disk(host, disk, order, progress)) });
    let jobs: Vec<_> = jobs.collect();
    let all: Vec<_> = stream::iter(jobs).buffered(AT_ONCE).collect().await;
    // every disk is tried, then the first failure counts
    let disks = all.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(Outcome::Wiped { disks })
}

async fn wipe_disk(host: &dyn Host, found: &FoundDisk, order: &str, progress: &Progress) -> Result<DiskWipe, Failure> {
    let began = Instant::now();
    let own = match host.erase(found).await {
        Ok(own) => own,
        Err(e) => {
            warn!("{e}; wiping {} another way", found.name);
            None
        }
    };
    let mut disk = host.open(found).await?;
    for method in own.into_iter().chain([WipeMethod::Discard, WipeMethod::Overwrite]) {
        match method {
            WipeMethod::Discard => match discard(disk.as_mut()).await {
                Ok(true) => {}
                Ok(false) => continue,
                Err(e) => {
                    warn!("{e}; overwriting {}", found.name);
                    continue;
                }
            },
            WipeMethod::Overwrite => overwrite(disk.as_mut(), progress).await?,
            WipeMethod::NvmeSanitize | WipeMethod::NvmeFormat | WipeMethod::AtaSecureErase => {}
        }
        disk.sync().await?;
        let proof = read_back(disk.as_mut(), &seed(order, &found.name)).await?;
        if let Some(at) = proof.dirty {
            warn!("{} still holds data at byte {at} after {method:?}", found.name);
            continue;
        }
        if method != WipeMethod::Overwrite {
            progress.add(disk.size());
        }
        let size = rack::Bytes(disk.size());
        drop(disk);
        host.settle(found).await?;
        info!("{} is clean: {method:?}, {} samples", found.name, proof.samples);
        return Ok(DiskWipe {
            disk: found.name.clone(),
            model: found.model.clone(),
            serial: found.serial.clone(),
            size,
            method,
            samples: proof.samples,
            sampled: rack::Bytes(proof.bytes),
            clean: true,
            millis: began.elapsed().as_millis() as u64,
        });
    }
    Err(Failure::lasting(format!(
        "{} (serial {}) still holds data after zeroes were written over all of it: take it out",
        found.name,
        found.serial.as_deref().unwrap_or("not told")
    )))
}

/// Discards everything. `true` when the device promised zeroes for every slice.
async fn discard(disk: &mut dyn Disk) -> Result<bool, HostError> {
    let size = disk.size();
    let mut at = 0;
    while at < size {
        let length = SLICE.min(size - at);
        if !disk.discard(at, length).await? {
            return Ok(false);
        }
        at += length;
    }
    Ok(true)
}

async fn overwrite(disk: &mut dyn Disk, progress: &Progress) -> Result<(), HostError> {
    let size = disk.size();
    let zeroes = zeroes();
    let mut at = 0;
    while at < size {
        let length = (PIECE as u64).min(size - at);
        disk.write(at, zeroes.slice(..length as usize)).await?;
        at += length;
        progress.add(length);
    }
    Ok(())
}

struct Proof {
    samples: u32,
    bytes: u64,
    /// Where the first sample that holds data begins.
    dirty: Option<u64>,
}

/// Reads the first and last MiB (there are the boot records and both GPTs) and [`SAMPLES`] blocks in between.
async fn read_back(disk: &mut dyn Disk, seed: &[u8; 32]) -> Result<Proof, HostError> {
    let mut proof = Proof {
        samples: 0,
        bytes: 0,
        dirty: None,
    };
    for (at, length) in places(disk.size(), seed) {
        let sample = disk.read(at, length as usize).await?;
        proof.samples += 1;
        proof.bytes += length;
        if !erased(&sample) {
            proof.dirty = Some(at);
            break;
        }
    }
    Ok(proof)
}

/// All zeroes, or all ones as erased flash may read.
fn erased(sample: &[u8]) -> bool {
    sample.iter().all(|b| *b == 0) || sample.iter().all(|b| *b == 0xff)
}

/// Where samples are read: offset and length, in rising order of kind; all within `size`.
fn places(size: u64, seed: &[u8; 32]) -> Vec<(u64, u64)> {
    let (block, piece) = (BLOCK as u64, PIECE as u64);
    if size <= 2 * piece {
        let pieces = (0..size).step_by(PIECE).map(|at| (at, piece.min(size - at)));
        return pieces.collect();
    }
    let last = (size - piece) / block * block;
    let mut all = vec![(0, piece), (last, (size - last).min(piece))];
    if size - last > piece {
        all.push((last + piece, size - last - piece));
    }
    let blocks = size / block;
    let count = SAMPLES.min(blocks);
    let mut random = u64::from_le_bytes(seed[..8].try_into().expect("eight bytes"));
    for n in 0..count {
        let (from, to) = (blocks * n / count, blocks * (n + 1) / count);
        all.push(((from + split_mix(&mut random) % (to - from)) * block, block));
    }
    all
}

fn seed(order: &str, disk: &str) -> [u8; 32] {
    Sha256::digest(format!("{order}\0{disk}")).into()
}

/// SplitMix64 (Steele, Lea, Flood 2014): an even spread is all that is asked of it.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
#[path = "wipe_tests.rs"]
mod tests;
