//! What can go wrong with an image, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use super::Digest;

/// Why an image wasn't taken in, or not found sound.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not `sha256:` and 64 hexadecimal digits.
    #[error("`{0}` is not a digest: write sha256: and 64 hexadecimal digits in lower case")]
    BadDigest(String),
    /// A file can't be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The store can't be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No space left on the store's disk.
    #[error("no space left for {}: remove an image that no machine uses, or give the store a bigger disk", .0.display())]
    Full(PathBuf),
    /// A folder, a pipe or a device.
    #[error("{} is not a regular file: give a disk image, or a folder with an OCI layout", .0.display())]
    NotAFile(PathBuf),
    /// No bytes.
    #[error("{0} is empty")]
    Empty(String),
    /// A known format which disks aren't written from.
    #[error("{what} is {format}, not a raw disk: {advice}")]
    Format {
        /// Which source.
        what: String,
        /// What it is.
        format: &'static str,
        /// What to run.
        advice: &'static str,
    },
    /// Not whole sectors.
    #[error("{what} unpacks to {size} bytes, which is not a multiple of 512: it is cut short, or not a disk")]
    NotSectors {
        /// Which source.
        what: String,
        /// Its size.
        size: u64,
    },
    /// It grew or shrank under way, or the source told another size.
    #[error("{what} should have {wanted} bytes and has {found}: it was cut short or changed while it was read")]
    WrongSize {
        /// Which source.
        what: String,
        /// As told.
        wanted: u64,
        /// As read.
        found: u64,
    },
    /// Its bytes aren't those that were promised.
    #[error("{what} should be {wanted} and is {found}: fetch it again")]
    WrongDigest {
        /// Which source.
        what: String,
        /// As promised.
        wanted: Digest,
        /// As read.
        found: Digest,
    },
    /// Damaged, cut short, or followed by something else.
    #[error("{what} is not sound Zstandard: it is damaged, cut short, or something follows it (`zstd -t` tells)")]
    Unpack {
        /// Which source.
        what: String,
        /// What the decoder says.
        source: io::Error,
    },
    /// It unpacks to more than any disk that is meant.
    #[error(
        "{what} unpacks to more than {limit} bytes: it is made to fill disks, or packed too well to tell it from that"
    )]
    Bomb {
        /// Which source.
        what: String,
        /// Where unpacking stopped.
        limit: u64,
    },
    /// The layout's or registry's documents don't lead to a disk.
    #[error("{what}: {why}")]
    NotADisk {
        /// Which source.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// The registry wants to know who asks.
    #[error("{0} wants a login, or refuses the one it was shown")]
    Login(String),
    /// The registry answers with an error.
    #[error("{url} answers {status}: check the name and tag, and that the registry is up")]
    Status {
        /// What was asked for.
        url: String,
        /// Its answer.
        status: u16,
    },
    /// The registry can't be reached, or breaks off.
    #[error("cannot fetch {url}")]
    Fetch {
        /// What was asked for.
        url: String,
        /// Why.
        source: reqwest::Error,
    },
    /// The daemon is going down.
    #[error("stopped while an image was being added; add it again")]
    Stopped,
}

/// Names the file that couldn't be read.
pub(super) fn reading(path: &Path) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Read {
        path: path.to_owned(),
        source,
    }
}

/// Names the file that couldn't be written; a full disk is told apart, as its remedy is another.
pub(super) fn writing(path: &Path) -> impl FnOnce(io::Error) -> Error {
    move |source| match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::Full(path.to_owned()),
        _ => Error::Write {
            path: path.to_owned(),
            source,
        },
    }
}
