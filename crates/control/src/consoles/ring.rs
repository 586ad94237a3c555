//! What a console printed, bounded: in memory a ring with absolute offsets, on disk a file that outlives the daemon.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt as _;
use uuid::Uuid;

/// Bytes that are kept of each node: an install and some reboots, or a kernel's last words with all that led to them.
pub const KEPT: usize = 256 << 10;
/// A file is written anew when it holds twice what is kept, so that appending is cheap and its size bounded.
const FILE: u64 = 2 * KEPT as u64;
/// Longest first line of a file.
const HEAD: usize = 512;

/// The latest bytes, each with its place in all that was ever printed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ring {
    bytes: VecDeque<u8>,
    start: u64,
}

/// A piece of a [`Ring`].
#[derive(Debug, PartialEq, Eq)]
pub struct Piece {
    /// Offset of its first byte.
    pub from: u64,
    /// Bytes before it that were asked for and are gone.
    pub lost: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl Ring {
    /// Offset behind the last byte.
    pub fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Adds bytes; the oldest leave.
    pub fn push(&mut self, bytes: &[u8]) {
        let kept = &bytes[bytes.len().saturating_sub(KEPT)..];
        let over = (self.bytes.len() + kept.len()).saturating_sub(KEPT);
        self.bytes.drain(..over);
        self.bytes.extend(kept);
        self.start += (over + bytes.len() - kept.len()) as u64;
    }

    /// Forgets what is kept; offsets go on.
    pub fn clear(&mut self) {
        self.start = self.end();
        self.bytes = VecDeque::new();
    }

    /// At most `most` bytes from an offset on; from the oldest without one. An offset that was never reached is answered
    /// with the end: the reader goes on from there.
    pub fn read(&self, from: Option<u64>, most: usize) -> Piece {
        let asked = from.unwrap_or(self.start);
        let from = asked.clamp(self.start, self.end());
        let skip = usize::try_from(from - self.start).unwrap_or(usize::MAX);
        Piece {
            from,
            lost: from.saturating_sub(asked),
            bytes: self.bytes.iter().skip(skip).take(most).copied().collect(),
        }
    }
}

/// First line of a file.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    start: u64,
    machine: Option<Uuid>,
}

/// What a file holds: the ring, and the machine that it is of.
pub async fn load(path: &Path) -> (Ring, Option<Uuid>) {
    let Ok(bytes) = tokio::fs::read(path).await else {
        return Default::default();
    };
    let Some(line) = bytes.iter().take(HEAD).position(|b| *b == b'\n') else {
        return Default::default();
    };
    let Ok(head) = serde_json::from_slice::<Head>(&bytes[..line]) else {
        return Default::default();
    };
    let mut ring = Ring {
        start: head.start,
        ..Ring::default()
    };
    ring.push(&bytes[line + 1..]);
    (ring, head.machine)
}

/// The file of one console. What can't be written is kept in memory all the same, and said once.
pub struct Spool {
    path: Option<PathBuf>,
    file: Option<(tokio::fs::File, u64)>,
    complained: bool,
}

impl Spool {
    /// A file at `path`; none without one.
    pub fn new(path: Option<PathBuf>) -> Spool {
        Spool {
            path,
            file: None,
            complained: false,
        }
    }

    /// Appends what was just pushed to `ring`, or writes the whole ring when the file is new or has grown too large.
    pub async fn append(&mut self, bytes: &[u8], ring: impl FnOnce() -> (Ring, Option<Uuid>)) {
        if let Some((file, size)) = self.file.as_mut().filter(|(_, size)| *size < FILE) {
            *size += bytes.len() as u64;
            let written = async {
                file.write_all(bytes).await?;
                file.flush().await
            };
            match written.await {
                Ok(()) => return,
                Err(error) => self.complain(&error),
            }
        }
        let (ring, machine) = ring();
        self.rewrite(ring, machine).await;
    }

    /// Writes the whole ring, in place of what was there.
    pub async fn rewrite(&mut self, ring: Ring, machine: Option<Uuid>) {
        let Some(path) = self.path.clone() else { return };
        match write(&path, ring, machine).await {
            Ok(file) => self.file = Some(file),
            Err(error) => {
                self.file = None;
                self.complain(&error);
            }
        }
    }

    fn complain(&mut self, error: &std::io::Error) {
        if !self.complained {
            let path = self.path.as_deref().map(|p| p.display().to_string());
            tracing::warn!(path, %error, "what a console prints can't be written down; it is kept in memory only");
        }
        self.complained = true;
    }
}

/// Whole or not at all, and for its owner's eyes only: a console shows what root sees.
async fn write(path: &Path, mut ring: Ring, machine: Option<Uuid>) -> std::io::Result<(tokio::fs::File, u64)> {
    let folder = path.parent().unwrap_or(Path::new("."));
    tokio::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .await?;
    let new = path.with_extension("new");
    let mut options = tokio::fs::OpenOptions::new();
    options.create(true).write(true).truncate(true).mode(0o600);
    let mut file = options.open(&new).await?;
    let head = Head {
        start: ring.start,
        machine,
    };
    let mut text = serde_json::to_vec(&head)?;
    text.push(b'\n');
    text.extend_from_slice(ring.bytes.make_contiguous());
    file.write_all(&text).await?;
    file.flush().await?;
    tokio::fs::rename(&new, path).await?;
    Ok((file, text.len() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_is_too_slow_is_told_what_it_lost_and_one_that_is_ahead_goes_on_from_the_end() {
        let mut ring = Ring::default();
        ring.push(b"abc");
        let piece = |from, lost, bytes: &[u8]| Piece {
            from,
            lost,
            bytes: bytes.to_vec(),
        };
        assert_eq!(ring.read(None, 2), piece(0, 0, b"ab"));
        assert_eq!(ring.read(Some(2), 9), piece(2, 0, b"c"));
        ring.push(&vec![b'x'; KEPT]);
        assert_eq!((ring.end(), ring.bytes.len()), (KEPT as u64 + 3, KEPT));
        assert_eq!(ring.read(Some(1), 1), piece(3, 2, b"x"));
        assert_eq!(ring.read(Some(u64::MAX), 9), piece(ring.end(), 0, b""));
        let mut long = vec![b'y'; 3 * KEPT];
        long.push(b'z');
        ring.push(&long);
        assert_eq!(ring.end(), 4 * KEPT as u64 + 4);
        assert_eq!(ring.read(Some(ring.end() - 2), 9).bytes, b"yz");
        let end = ring.end();
        ring.clear();
        assert_eq!(ring.read(Some(end - 2), 9), piece(end, 2, b""));
    }

    #[tokio::test]
    async fn a_file_is_read_back_as_it_was_and_stays_bounded() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("consoles/n1");
        let machine = Some(Uuid::from_u128(7));
        let (mut ring, mut spool) = (Ring::default(), Spool::new(Some(path.clone())));
        for n in 0..40u32 {
            let bytes = vec![b'a' + (n % 26) as u8; 40_000];
            ring.push(&bytes);
            let now = ring.clone();
            spool.append(&bytes, || (now, machine)).await;
            let size = std::fs::metadata(&path).expect("a file").len();
            assert!(size <= FILE + 40_000 + HEAD as u64, "{size}");
        }
        assert!(load(&path).await == (ring.clone(), machine), "it is read back");
        let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&path).expect("a file"));
        assert_eq!(mode & 0o777, 0o600);
        std::fs::write(&path, b"garbage").expect("written");
        assert!(load(&path).await == (Ring::default(), None), "garbage is nothing");
    }
}
