//! Writes an image to a disk: download ∥ unpack ∥ hash ∥ write, in constant memory.
//!
//! Nothing is skipped: zero runs of the image are written as zeroes, as the disk may hold old data. The first MiB
//! of the disk (and the last, where a stale backup GPT may sit) is cleared before anything else, and the image's first
//! MiB is written *last*, once both digests were right and all else is durable: a disk that is half written, for
//! whatever reason, never boots. On a disk larger than the image the backup GPT header stays where the image has it;
//! the installed system moves it when it grows its root (growpart, systemd-repart).

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use rack::agent::{FoundDisk, Outcome};
use rack::image::Packing;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tracing::{info, warn};
use zstd::stream::raw::{Decoder, InBuffer, Operation, OutBuffer};

pub use crate::progress::{Failure, Progress};
use crate::seam::{BLOCK, Daemon, DaemonError, Disk, Host, HostError};

/// What is written at once, and what is held back of the image's start: holds an MBR and the whole primary GPT.
pub const PIECE: usize = 1 << 20;
/// Pieces between two stages: evens out a disk that stutters; with `PIECE`, 4 MiB for each stage.
const PIECES: usize = 4;
/// Chunks of the download that wait to be unpacked (a socket gives 8 to 256 KiB each).
const CHUNKS: usize = 16;
/// What is unpacked between two awaits: a millisecond or so.
const SCRATCH: usize = 256 << 10;
/// Tries to go on with a download that bring not one byte, before it is given up.
const TRIES: u32 = 8;
/// Backoff between such tries: doubles from the first to the last; about two minutes in all.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// A download that brings nothing for so long is taken for broken.
const STALL: Duration = Duration::from_secs(30);
/// Whole copies when a digest is wrong: a second one tells a bad transfer from a bad source.
const COPIES: u32 = 2;

/// An image as ordered.
#[derive(Debug, Clone)]
pub struct Image {
    /// Where the daemon serves the blob.
    pub path: String,
    /// `sha256:…` of the blob.
    pub digest: String,
    /// Size of the blob.
    pub stored: u64,
    /// How it is packed.
    pub packing: Packing,
    /// `sha256:…` of the disk's bytes.
    pub raw_digest: String,
    /// Size on the disk.
    pub raw: u64,
}

/// Why a copy failed.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("{0}")]
    Host(#[from] HostError),
    #[error("the download of {path} broke at byte {at} of {stored} and did not go on: {why}")]
    Broken {
        path: String,
        at: u64,
        stored: u64,
        why: String,
    },
    #[error("the image is not what was ordered: {0}")]
    Wrong(String),
}

impl Fault {
    fn failure(self) -> Failure {
        match self {
            Fault::Host(e) => e.into(),
            Fault::Broken { .. } => Failure::passing(self.to_string()),
            Fault::Wrong(_) => Failure::lasting(format!("{self}; twice: check the image at its source")),
        }
    }
}

/// Installs an image on the named disk, or on the smallest that it fits on.
pub async fn install(
    host: &dyn Host,
    daemon: &dyn Daemon,
    image: &Image,
    named: Option<&str>,
    progress: &Progress,
) -> Result<Outcome, Failure> {
    let began = Instant::now();
    if image.raw == 0 || image.stored == 0 {
        return Err(Failure::lasting("the ordered image is empty"));
    }
    let found = host.found().await?;
    let target = choose(&found.disks, named, image.raw)?;
    let mut disk = host.open(target).await?;
    if disk.size() < image.raw {
        return Err(too_small(&target.name, disk.size(), image.raw));
    }
    info!("writing to {} ({})", target.name, rack::Bytes(disk.size()).decimal());
    clear_ends(disk.as_mut()).await?;
    let mut copy = 0;
    let head = loop {
        copy += 1;
        progress.begin("write", image.raw);
        match copy_once(daemon, image, disk.as_mut(), progress).await {
            Ok(head) => break head,
            Err(e @ Fault::Wrong(_)) if copy < COPIES => warn!("{e}; copying again"),
            Err(e) => return Err(e.failure()),
        }
    };
    progress.begin("sync", image.raw);
    disk.sync().await?;
    disk.write(0, head).await?;
    disk.sync().await?;
    drop(disk);
    host.settle(target).await?;
    Ok(Outcome::Installed {
        disk: target.name.clone(),
        written: rack::Bytes(image.raw),
        millis: began.elapsed().as_millis() as u64,
    })
}

/// The disk to write to.
pub fn choose<'a>(disks: &'a [FoundDisk], named: Option<&str>, raw: u64) -> Result<&'a FoundDisk, Failure> {
    if let Some(name) = named {
        let disk = disks.iter().find(|d| d.name == name).ok_or_else(|| {
            let all: Vec<_> = disks.iter().map(|d| d.name.as_str()).collect();
            Failure::lasting(format!("there is no disk {name}: found {}", list(&all)))
        })?;
        return if disk.size.0 < raw {
            Err(too_small(&disk.name, disk.size.0, raw))
        } else {
            Ok(disk)
        };
    }
    // the name breaks ties, so that the choice is the same each time
    disks
        .iter()
        .filter(|d| d.size.0 >= raw)
        .min_by_key(|d| (d.size, &d.name))
        .ok_or_else(|| {
            let all: Vec<_> = disks
                .iter()
                .map(|d| format!("{} {}", d.name, d.size.decimal()))
                .collect();
            Failure::lasting(format!(
                "no disk holds {}: found {}",
                rack::Bytes(raw).decimal(),
                list(&all)
            ))
        })
}

fn list<S: AsRef<str>>(all: &[S]) -> String {
    if all.is_empty() {
        return "none".to_string();
    }
    all.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join(", ")
}

fn too_small(name: &str, size: u64, raw: u64) -> Failure {
    let (size, raw) = (rack::Bytes(size), rack::Bytes(raw));
    Failure::lasting(format!(
        "{name} is too small: it has {} ({} bytes), the image needs {} ({} bytes)",
        size.decimal(),
        size.0,
        raw.decimal(),
        raw.0
    ))
}

/// Clears the first and the last MiB: neither an old system nor half of a new one is found there.
async fn clear_ends(disk: &mut dyn Disk) -> Result<(), HostError> {
    let size = disk.size();
    let first = size.min(PIECE as u64) as usize;
    disk.write(0, zeroes().slice(..first)).await?;
    let last = size.saturating_sub(PIECE as u64) / BLOCK as u64 * BLOCK as u64;
    // rounding down may leave a little more than a MiB
    let mut at = last;
    while at < size {
        let length = (size - at).min(PIECE as u64) as usize;
        disk.write(at, zeroes().slice(..length)).await?;
        at += length as u64;
    }
    disk.sync().await
}

/// A MiB of zeroes at an address that direct I/O takes.
pub(crate) fn zeroes() -> Bytes {
    let mut piece = Aligned::new();
    piece.bytes.resize(piece.start + PIECE, 0);
    piece.freeze()
}

/// One download of the whole image onto the disk, but for its first MiB, which is returned.
async fn copy_once(
    daemon: &dyn Daemon,
    image: &Image,
    disk: &mut dyn Disk,
    progress: &Progress,
) -> Result<Bytes, Fault> {
    let (chunks, chunked) = channel(CHUNKS);
    let (pieces, pieced) = channel(PIECES);
    let (hashed, hashes) = channel(PIECES);
    // own tasks, so that they run on other processors; a set, so that they end with this future
    let mut stages = JoinSet::new();
    stages.spawn(unpack(image.packing, image.digest.clone(), chunked, pieces));
    stages.spawn(hash(image.raw_digest.clone(), pieced, hashed));
    let (fetched, written) = tokio::join!(fetch(daemon, image, chunks), write(disk, image.raw, hashes, progress));
    fetched?;
    let mut wrong = None;
    while let Some(stage) = stages.join_next().await {
        match stage {
            Ok(Ok(())) => {}
            Ok(Err(e)) => wrong = wrong.or(Some(e)),
            Err(e) => wrong = wrong.or(Some(Fault::Wrong(format!("a stage of the copy died: {e}")))),
        }
    }
    // a disk that fails ends the other stages early: it is the cause
    let head = match written {
        Err(e @ Fault::Host(_)) => return Err(e),
        other => other,
    };
    match wrong {
        Some(e) => Err(e),
        None => head,
    }
}

/// Downloads the blob, going on where it broke. Ends quietly when nobody listens: who stopped listening says why.
async fn fetch(daemon: &dyn Daemon, image: &Image, to: Sender<Bytes>) -> Result<(), Fault> {
    let mut at = 0u64;
    let mut barren = 0;
    let mut backoff = BACKOFF.0;
    loop {
        let before = at;
        let why = match timeout(STALL, daemon.blob(&image.path, at)).await {
            Err(_) => "no answer".to_string(),
            Ok(Err(e)) => e.to_string(),
            Ok(Ok(mut blob)) => loop {
                match timeout(STALL, blob.next()).await {
                    Err(_) => break format!("nothing came for {} s", STALL.as_secs()),
                    Ok(None) => break "it ended early".to_string(),
                    Ok(Some(Err(DaemonError::Unreachable(e) | DaemonError::Refused(e)))) => break e,
                    Ok(Some(Ok(chunk))) => {
                        at += chunk.len() as u64;
                        if at > image.stored {
                            return Err(Fault::Wrong(format!("the blob is longer than {} bytes", image.stored)));
                        }
                        if to.send(chunk).await.is_err() || at == image.stored {
                            return Ok(());
                        }
                    }
                }
            },
        };
        if at > before {
            (barren, backoff) = (0, BACKOFF.0);
        } else {
            barren += 1;
        }
        if barren == TRIES {
            return Err(Fault::Broken {
                path: image.path.clone(),
                at,
                stored: image.stored,
                why,
            });
        }
        warn!(
            "the download broke at byte {at} of {} ({why}); going on in {} s",
            image.stored,
            backoff.as_secs()
        );
        sleep(backoff).await;
        backoff = (backoff * 2).min(BACKOFF.1);
    }
}

/// Hashes the stored bytes and unpacks them into pieces. Never holds more than a piece, whatever the blob claims to
/// unpack to.
async fn unpack(packing: Packing, digest: String, mut from: Receiver<Bytes>, to: Sender<Bytes>) -> Result<(), Fault> {
    let mut sha = Sha256::new();
    let mut pieces = Pieces {
        piece: Aligned::new(),
        to,
    };
    let bad = |e: std::io::Error| Fault::Wrong(format!("the blob is not Zstandard: {e}"));
    let mut decoder = Decoder::new().map_err(bad)?;
    let mut scratch = vec![0u8; SCRATCH];
    while let Some(chunk) = from.recv().await {
        sha.update(&chunk);
        if packing == Packing::Raw {
            if !pieces.push(&chunk).await {
                return Ok(());
            }
            continue;
        }
        let mut used = 0;
        loop {
            let (read, made) = {
                let mut input = InBuffer::around(&chunk[used..]);
                let mut output = OutBuffer::around(&mut scratch[..]);
                decoder.run(&mut input, &mut output).map_err(bad)?;
                (input.pos(), output.pos())
            };
            used += read;
            if !pieces.push(&scratch[..made]).await {
                return Ok(());
            }
            // an output that was not filled means that the decoder holds nothing back
            if used == chunk.len() && made < SCRATCH {
                break;
            }
        }
    }
    pieces.flush().await;
    compare("the blob", &digest, sha)
}

/// Hashes what goes to the disk on its way.
async fn hash(digest: String, mut from: Receiver<Bytes>, to: Sender<Bytes>) -> Result<(), Fault> {
    let mut sha = Sha256::new();
    while let Some(piece) = from.recv().await {
        sha.update(&piece);
        if to.send(piece).await.is_err() {
            return Ok(());
        }
    }
    compare("the unpacked image", &digest, sha)
}

fn compare(what: &str, want: &str, sha: Sha256) -> Result<(), Fault> {
    let got = format!("sha256:{}", hex(&sha.finalize()));
    if got == want {
        return Ok(());
    }
    Err(Fault::Wrong(format!("{what} is {got}, not {want}")))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Writes pieces in order, and keeps the first.
async fn write(disk: &mut dyn Disk, raw: u64, mut from: Receiver<Bytes>, progress: &Progress) -> Result<Bytes, Fault> {
    let mut at = 0u64;
    let mut head = None;
    while let Some(piece) = from.recv().await {
        let length = piece.len() as u64;
        if at + length > raw {
            return Err(Fault::Wrong(format!("it unpacks to more than {raw} bytes")));
        }
        match head {
            None => head = Some(piece),
            Some(_) => disk.write(at, piece).await?,
        }
        at += length;
        progress.at(at);
    }
    match head {
        Some(head) if at == raw => Ok(head),
        _ => Err(Fault::Wrong(format!("it unpacks to {at} bytes, not {raw}"))),
    }
}

/// Collects bytes into pieces of [`PIECE`]; the last may be shorter.
struct Pieces {
    piece: Aligned,
    to: Sender<Bytes>,
}

impl Pieces {
    /// Whether anyone still listens.
    async fn push(&mut self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            let take = self.piece.room().min(bytes.len());
            self.piece.bytes.extend_from_slice(&bytes[..take]);
            bytes = &bytes[take..];
            if self.piece.room() == 0 && !self.flush().await {
                return false;
            }
        }
        true
    }

    async fn flush(&mut self) -> bool {
        let piece = std::mem::replace(&mut self.piece, Aligned::new()).freeze();
        piece.is_empty() || self.to.send(piece).await.is_ok()
    }
}

/// A buffer of one piece that starts at a multiple of [`BLOCK`] in memory, as direct I/O asks for.
pub(crate) struct Aligned {
    pub(crate) bytes: Vec<u8>,
    pub(crate) start: usize,
}

impl Aligned {
    pub(crate) fn new() -> Aligned {
        let mut bytes: Vec<u8> = Vec::with_capacity(PIECE + BLOCK);
        let start = bytes.as_ptr().align_offset(BLOCK).min(BLOCK);
        bytes.resize(start, 0);
        Aligned { bytes, start }
    }

    fn room(&self) -> usize {
        PIECE - (self.bytes.len() - self.start)
    }

    /// What was collected, still aligned: the vector never grew past its capacity, so it never moved.
    pub(crate) fn freeze(self) -> Bytes {
        Bytes::from(self.bytes).slice(self.start..)
    }
}

#[cfg(test)]
#[path = "install_tests.rs"]
mod tests;
