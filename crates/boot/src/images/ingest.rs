//! Taking bytes in: one pass in constant memory that reads, checks, hashes, packs and writes, into a file beside the
//! blobs that becomes one by being renamed. A crash leaves only such files, which the next start removes.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;
use zstd::stream::{read::Decoder, write::Encoder};

use super::digest::Hasher;
use super::disk::{self, LIMITS, Limits, Packed};
use super::error::{reading, writing};
use super::oci::Descriptor;
use super::{Digest, Error, Progress, index};

/// Bytes handled at once.
pub(super) const CHUNK: usize = 1 << 20;
/// Chunks on their way to the thread that hashes.
const CHUNKS_TO_HASH: usize = 4;
/// Compression level: beyond 3, packing takes much longer and images shrink by less than a tenth.
const LEVEL: i32 = 3;
/// Threads that compress; each takes some 20 MB, and a daemon has other work.
const PACKERS_MAX: usize = 8;

/// What a source must turn out to be.
pub(super) enum Expect {
    /// Whatever it is.
    Anything,
    /// What a manifest promised.
    Layer(Descriptor),
}

/// A disk in a temporary file, checked and on stable storage.
pub(super) struct Taken {
    pub(super) file: Temporary,
    pub(super) digest: Digest,
    pub(super) stored: u64,
    pub(super) raw_digest: Digest,
    pub(super) raw: u64,
    /// Whether the packing is ours, and so may be exchanged for another.
    pub(super) packed_here: bool,
}

/// Makes the folders, and removes what a crash left.
pub(super) fn prepare(dir: &Path) -> Result<(), Error> {
    let ingest = dir.join("ingest");
    for folder in [index::blobs(dir), ingest.clone()] {
        fs::create_dir_all(&folder).map_err(writing(&folder))?;
    }
    for entry in fs::read_dir(&ingest).map_err(reading(&ingest))? {
        let path = entry.map_err(reading(&ingest))?.path();
        fs::remove_file(&path).map_err(writing(&path))?;
    }
    Ok(())
}

/// A file that is removed unless it becomes a blob.
pub(super) struct Temporary {
    path: PathBuf,
    file: File,
}

impl Temporary {
    fn new(dir: &Path) -> Result<Self, Error> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = dir.join("ingest").join(format!("{}-{number}", std::process::id()));
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(writing(&path))?;
        Ok(Self { path, file })
    }

    /// Makes it the blob of this digest; when there is one of the same size already, that one stays.
    pub(super) fn commit(self, dir: &Path, digest: &Digest) -> Result<(), Error> {
        let blob = index::blob(dir, digest);
        let size = self.file.metadata().map_err(reading(&self.path))?.len();
        if fs::metadata(&blob).is_ok_and(|kept| kept.len() == size) {
            return Ok(());
        }
        fs::rename(&self.path, &blob).map_err(writing(&blob))?;
        index::sync(&index::blobs(dir))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // After a rename there is nothing of this name. Should it fail otherwise, the next start removes it.
        let _ = fs::remove_file(&self.path);
    }
}

/// Reads `size` bytes from `source`, and keeps the disk that they hold in a temporary file.
pub(super) fn take(
    dir: &Path,
    source: impl Read,
    size: u64,
    expect: Expect,
    what: &Path,
    progress: &dyn Fn(Progress),
) -> Result<Taken, Error> {
    take_within(LIMITS, dir, source, size, expect, what, progress)
}

fn take_within(
    limits: Limits,
    dir: &Path,
    source: impl Read,
    size: u64,
    expect: Expect,
    what: &Path,
    progress: &dyn Fn(Progress),
) -> Result<Taken, Error> {
    let told = what.display().to_string();
    if size == 0 {
        return Err(Error::Empty(told));
    }
    let mut source = Incoming {
        source,
        done: 0,
        size,
        progress,
    };
    let mut head = vec![0; disk::HEAD];
    let filled = fill(&mut source, &mut head).map_err(reading(what))?;
    head.truncate(filled);
    let packed = disk::sniff(&head, &told)?;
    let temporary = Temporary::new(dir)?;
    let mut out = Hashed::new(&temporary.file);
    let path = temporary.path.clone();
    let (raw_digest, raw) = match packed {
        Packed::No => {
            if size > limits.most {
                return Err(Error::Bomb {
                    what: told,
                    limit: limits.most,
                });
            }
            disk::whole(size, &told)?;
            pack(&mut head.as_slice().chain(&mut source), &mut out, size, what, &path)?
        }
        Packed::Zstd => {
            let mut tee = Tee {
                source: head.as_slice().chain(&mut source),
                out: &mut out,
                read: 0,
                failed: None,
            };
            let unpacked = unpack(&mut tee, limits, what);
            match tee.failed.take() {
                Some(Failed::Read(e)) => return Err(reading(what)(e)),
                Some(Failed::Write(e)) => return Err(writing(&path)(e)),
                None => unpacked?,
            }
        }
    };
    let found = source.done;
    if found != size {
        return Err(Error::WrongSize {
            what: told,
            wanted: size,
            found,
        });
    }
    let (digest, stored) = (out.hash.finish(), out.written);
    if let Expect::Layer(layer) = expect {
        let found = if packed == Packed::No { &raw_digest } else { &digest };
        if *found != layer.digest {
            return Err(Error::WrongDigest {
                what: told,
                wanted: layer.digest,
                found: found.clone(),
            });
        }
    }
    temporary.file.sync_all().map_err(writing(&path))?;
    let packed_here = packed == Packed::No;
    Ok(Taken {
        file: temporary,
        digest,
        stored,
        raw_digest,
        raw,
        packed_here,
    })
}

/// Packs a raw disk, while another thread hashes it; returns its digest and size.
fn pack(source: &mut impl Read, out: impl Write, size: u64, what: &Path, path: &Path) -> Result<(Digest, u64), Error> {
    let workers = thread::available_parallelism().map_or(1, usize::from).min(PACKERS_MAX);
    let start = || -> io::Result<_> {
        let mut encoder = Encoder::new(out, LEVEL)?;
        encoder.include_checksum(true)?;
        encoder.include_contentsize(true)?;
        encoder.set_pledged_src_size(Some(size))?;
        encoder.multithread(u32::try_from(workers).unwrap_or(1))?;
        Ok(encoder)
    };
    let mut encoder = start().map_err(writing(path))?;
    let mut pool = Pool::default();
    let (raw_digest, raw) = hashed(|chunks| {
        let mut raw = 0;
        loop {
            let mut chunk = pool.chunk();
            let filled = fill(source, &mut chunk).map_err(reading(what))?;
            chunk.truncate(filled);
            raw += filled as u64;
            if raw > size || (filled == 0 && raw != size) {
                return Err(Error::WrongSize {
                    what: what.display().to_string(),
                    wanted: size,
                    found: raw,
                });
            }
            if filled == 0 {
                return Ok(raw);
            }
            let chunk = pool.lend(chunk);
            // The hasher only goes away by panicking, which the scope then passes on.
            let _ = chunks.send(chunk.clone());
            encoder.write_all(&chunk).map_err(writing(path))?;
        }
    })?;
    encoder
        .finish()
        .and_then(|mut out| out.flush())
        .map_err(writing(path))?;
    Ok((raw_digest, raw))
}

/// Unpacks a stream to nowhere, to learn the disk's digest and size.
fn unpack(packed: &mut Tee<impl Read, impl Write>, limits: Limits, what: &Path) -> Result<(Digest, u64), Error> {
    let told = what.display().to_string();
    let broken = |source| Error::Unpack {
        what: told.clone(),
        source,
    };
    let mut decoder = Decoder::with_buffer(BufReader::with_capacity(CHUNK, packed)).map_err(broken)?;
    decoder.window_log_max(limits.window_log).map_err(broken)?;
    let mut pool = Pool::default();
    let (raw_digest, raw) = hashed(|chunks| {
        let mut raw = 0;
        loop {
            let mut chunk = pool.chunk();
            let filled = fill(&mut decoder, &mut chunk).map_err(broken)?;
            if filled == 0 {
                return Ok(raw);
            }
            chunk.truncate(filled);
            if raw == 0 {
                disk::disk(&chunk, &told)?;
            }
            raw += filled as u64;
            let limit = limits.allowed(decoder.get_ref().get_ref().read);
            if raw > limit {
                return Err(Error::Bomb {
                    what: told.clone(),
                    limit,
                });
            }
            let _ = chunks.send(pool.lend(chunk));
        }
    })?;
    disk::whole(raw, &told)?;
    Ok((raw_digest, raw))
}

/// Runs `work`, which sends chunks that a second thread hashes.
fn hashed<T>(work: impl FnOnce(&SyncSender<Bytes>) -> Result<T, Error>) -> Result<(Digest, T), Error> {
    let (chunks, received) = sync_channel::<Bytes>(CHUNKS_TO_HASH);
    thread::scope(|scope| {
        let hasher = scope.spawn(move || {
            let mut hash = Hasher::new();
            received.iter().for_each(|chunk| hash.update(&chunk));
            hash.finish()
        });
        let done = work(&chunks);
        drop(chunks);
        let digest = hasher.join().map_err(|_| Error::Stopped)?;
        done.map(|value| (digest, value))
    })
}

/// Chunks that are used again once nobody reads them: new memory costs more than what is done with it.
#[derive(Default)]
struct Pool(VecDeque<Bytes>);

impl Pool {
    fn chunk(&mut self) -> BytesMut {
        // By then the oldest has been hashed: the channel holds fewer than were lent since.
        let oldest = (self.0.len() > CHUNKS_TO_HASH + 1)
            .then(|| self.0.pop_front())
            .flatten();
        match oldest.map(Bytes::try_into_mut) {
            Some(Ok(mut chunk)) => {
                chunk.resize(CHUNK, 0);
                chunk
            }
            _ => BytesMut::zeroed(CHUNK),
        }
    }

    fn lend(&mut self, chunk: BytesMut) -> Bytes {
        let chunk = chunk.freeze();
        self.0.push_back(chunk.clone());
        chunk
    }
}

/// Reads until the buffer is full or the source ends.
fn fill(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match source.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}

/// A source that is counted. It stops one byte past its size, so that a longer one is noticed but never read on.
struct Incoming<'a, R> {
    source: R,
    done: u64,
    size: u64,
    progress: &'a dyn Fn(Progress),
}

impl<R: Read> Read for Incoming<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.size.saturating_add(1).saturating_sub(self.done);
        let most = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let n = self.source.read(&mut buffer[..most])?;
        let before = self.done / CHUNK as u64;
        self.done += n as u64;
        if self.done / CHUNK as u64 != before || (n > 0 && self.done == self.size) {
            let (done, total) = (rack::Bytes(self.done), rack::Bytes(self.size));
            (self.progress)(Progress { done, total });
        }
        Ok(n)
    }
}

/// Writes on what is read, and remembers which side failed: the decoder between would make both look alike.
struct Tee<R, W> {
    source: R,
    out: W,
    read: u64,
    failed: Option<Failed>,
}

enum Failed {
    Read(io::Error),
    Write(io::Error),
}

impl<R: Read, W: Write> Read for Tee<R, W> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = match self.source.read(buffer) {
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => return Err(e),
            Err(e) => {
                self.failed = Some(Failed::Read(e));
                return Err(io::ErrorKind::Other.into());
            }
        };
        if let Err(e) = self.out.write_all(&buffer[..n]) {
            self.failed = Some(Failed::Write(e));
            return Err(io::ErrorKind::Other.into());
        }
        self.read += n as u64;
        Ok(n)
    }
}

/// Hashes what it writes.
struct Hashed<W> {
    out: W,
    hash: Hasher,
    written: u64,
}

impl<W> Hashed<W> {
    fn new(out: W) -> Self {
        Self {
            out,
            hash: Hasher::new(),
            written: 0,
        }
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.out.write(bytes)?;
        self.hash.update(&bytes[..n]);
        self.written += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Carries a download to the thread that takes it in.
pub(super) fn channel(capacity: usize) -> (mpsc::Sender<Bytes>, impl Read + Send + 'static) {
    let (sender, receiver) = mpsc::channel(capacity);
    (
        sender,
        Received {
            receiver,
            rest: Bytes::new(),
        },
    )
}

struct Received {
    receiver: mpsc::Receiver<Bytes>,
    rest: Bytes,
}

impl Read for Received {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() {
            match self.receiver.blocking_recv() {
                Some(chunk) => self.rest = chunk,
                None => return Ok(0),
            }
        }
        let n = self.rest.len().min(buffer.len());
        buffer[..n].copy_from_slice(&self.rest.split_to(n));
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn take_bytes(bytes: &[u8], limits: Limits) -> Result<(Digest, u64), Error> {
        let dir = tempfile::tempdir().unwrap();
        prepare(dir.path()).unwrap();
        let size = bytes.len() as u64;
        let taken = take_within(
            limits,
            dir.path(),
            bytes,
            size,
            Expect::Anything,
            Path::new("x"),
            &|_| {},
        );
        let result = taken.map(|t| (t.raw_digest.clone(), t.raw));
        assert_eq!(
            fs::read_dir(dir.path().join("ingest")).unwrap().count(),
            0,
            "nothing is left behind"
        );
        result
    }

    #[test]
    fn a_bomb_is_stopped_while_it_unpacks() {
        let bomb = zstd::encode_all(io::repeat(0).take(16 << 20), 3).unwrap();
        let limits = Limits {
            free: 4 << 20,
            ..LIMITS
        };
        assert!(
            matches!(take_bytes(&bomb, limits), Err(Error::Bomb { .. })),
            "{} bytes",
            bomb.len()
        );
        assert_eq!(take_bytes(&bomb, LIMITS).unwrap().1, 16 << 20);
        let small = Limits {
            most: 8 << 20,
            ..LIMITS
        };
        assert!(matches!(take_bytes(&bomb, small), Err(Error::Bomb { .. })));
    }

    #[test]
    fn a_full_disk_is_told_as_such() {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let noise: Vec<u8> = (0..CHUNK as u32)
            .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
            .collect();
        let path = Path::new("blob");
        let packed = pack(&mut noise.as_slice(), &full, CHUNK as u64, Path::new("x"), path);
        assert!(matches!(packed, Err(Error::Full(_))), "{packed:?}");
        let noise = zstd::encode_all(noise.as_slice(), 1).unwrap();
        let mut tee = Tee {
            source: noise.as_slice(),
            out: &full,
            read: 0,
            failed: None,
        };
        assert!(unpack(&mut tee, LIMITS, Path::new("x")).is_err());
        assert!(matches!(tee.failed, Some(Failed::Write(e)) if e.kind() == io::ErrorKind::StorageFull));
    }

    #[test]
    fn a_window_that_takes_too_much_memory_is_refused() {
        let mut encoder = Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(26).unwrap();
        encoder.write_all(&vec![0; 1 << 20]).unwrap();
        let packed = encoder.finish().unwrap();
        let small = Limits {
            window_log: 20,
            ..LIMITS
        };
        assert!(matches!(take_bytes(&packed, small), Err(Error::Unpack { .. })));
        assert!(take_bytes(&packed, LIMITS).is_ok());
    }

    #[test]
    fn a_source_that_is_longer_than_told_is_not_read_on() {
        let dir = tempfile::tempdir().unwrap();
        prepare(dir.path()).unwrap();
        for (told, endless) in [(512u64, true), (1024, false)] {
            let source = io::repeat(0).take(if endless { u64::MAX } else { 512 });
            let taken = take(dir.path(), source, told, Expect::Anything, Path::new("x"), &|_| {});
            assert!(matches!(taken.err(), Some(Error::WrongSize { .. })), "{told}");
        }
    }
}
