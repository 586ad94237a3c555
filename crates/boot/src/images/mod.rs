//! The image store: disk images by digest, kept as an OCI image layout (image-spec v1.1, `image-layout.md`) in a folder
//! that other tools (skopeo, ORAS, crane) read too.
//!
//! It takes an image from a file, from a layout or from a registry, checks every byte of it, and keeps it packed. It
//! may not know machines or installs: those ask for the path of a blob. Start at [`ImageStore::add`]; how bytes are
//! taken in is in `ingest` and `disk`, what a manifest may say in `oci`, the registry client in `registry`.
//!
//! A disk image as an artifact has one layer, the disk. Its media type is [`DISK_ZSTD`] or [`DISK_RAW`] when written
//! here; when read, any single layer is taken and its own bytes tell what it is, as tools disagree on types.

mod digest;
mod disk;
mod error;
mod index;
mod ingest;
mod oci;
mod reference;
mod registry;
mod sparse;

use std::fmt;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rack::image::{Image, Packing};
use rack::{Bytes, Name, Time};

pub use digest::Digest;
pub use error::Error;
pub use oci::{ARTIFACT, DISK_RAW, DISK_ZSTD};
pub use reference::{BadReference, Reference};

use error::reading;
use ingest::{Expect, Taken};
use oci::{Descriptor, Manifest};
use sparse::Sparse;

/// Chunks of a download on their way to the thread that writes them; each is at most a network read (16 KiB to 1 MiB).
const CHUNKS_IN_FLIGHT: usize = 16;

/// Where an image comes from.
#[derive(Debug, Clone)]
pub enum Source {
    /// A raw disk, or one packed with Zstandard; its first bytes tell which.
    File(PathBuf),
    /// A folder with an OCI image layout.
    Layout {
        /// The folder.
        dir: PathBuf,
        /// Which of its images, by `org.opencontainers.image.ref.name`; without it, the first.
        reference: Option<String>,
    },
    /// A registry that speaks the OCI distribution API.
    Registry {
        /// Which image.
        reference: Reference,
        /// Who asks, where the registry wants to know.
        login: Option<Login>,
        /// Without TLS. A registry on a loopback address is always asked without.
        plain: bool,
    },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::File(path) => path.display().fmt(f),
            Source::Layout { dir, reference: None } => write!(f, "oci:{}", dir.display()),
            Source::Layout {
                dir,
                reference: Some(name),
            } => write!(f, "oci:{}:{name}", dir.display()),
            Source::Registry { reference, .. } => reference.fmt(f),
        }
    }
}

/// A user of a registry.
#[derive(Clone)]
pub struct Login {
    /// Name.
    pub user: String,
    /// Password or token. Secret.
    pub password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// How far an image has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes read from the source.
    pub done: Bytes,
    /// Bytes that the source has.
    pub total: Bytes,
}

/// Images on disk. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ImageStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    dir: PathBuf,
    /// Held while the index and the set of blobs change; never while bytes stream in.
    changes: Mutex<()>,
}

impl ImageStore {
    /// Opens the store in a folder, which is made when it isn't there; removes what a crash left half done.
    ///
    /// # Errors
    /// When the folder can't be written, or holds something that is not an OCI layout.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Self, Error> {
        let dir = dir.into();
        ingest::prepare(&dir)?;
        index::prepare(&dir)?;
        let changes = Mutex::new(());
        Ok(Self {
            inner: Arc::new(Inner { dir, changes }),
        })
    }

    /// Takes an image in. The same bytes give the same digest and are kept once; a name that is used already moves to
    /// the new image, whose predecessor stays until [`ImageStore::gc`].
    ///
    /// # Errors
    /// Says what is wrong with the source and what to do; nothing is left behind.
    pub async fn add(
        &self,
        name: &Name,
        source: Source,
        progress: impl Fn(Progress) + Send + Sync + 'static,
        now: Time,
    ) -> Result<Image, Error> {
        let told = source.to_string();
        let store = self.clone();
        let taken = match source {
            Source::File(path) => blocking(move || store.take_file(&path, &progress)).await?,
            Source::Layout { dir, reference } => {
                blocking(move || {
                    let layer = index::find_layer(&dir, reference.as_deref())?;
                    let path = index::blob(&dir, &layer.digest);
                    let (file, size) = open_file(&path)?;
                    let file = Sparse::new(file, size);
                    ingest::take(
                        &store.inner.dir,
                        file,
                        layer.size,
                        Expect::Layer(layer),
                        &path,
                        &progress,
                    )
                })
                .await?
            }
            Source::Registry {
                reference,
                login,
                plain,
            } => {
                let registry = registry::Registry::new(reference, login, plain)?;
                let layer = registry.find_layer().await?;
                let (chunks, reader) = ingest::channel(CHUNKS_IN_FLIGHT);
                let label = PathBuf::from(&told);
                let expected = layer.clone();
                let taking = blocking(move || {
                    let size = expected.size;
                    ingest::take(
                        &store.inner.dir,
                        reader,
                        size,
                        Expect::Layer(expected),
                        &label,
                        &progress,
                    )
                });
                let (fetched, taken) = tokio::join!(registry.fetch(&layer, chunks), taking);
                // When taking fails, fetching sees a closed channel; and when fetching fails, taking sees a short input.
                // The first cause is the one to tell.
                match (fetched, taken) {
                    (Ok(()), taken) => taken?,
                    (Err(Error::Stopped), Err(e)) => return Err(e),
                    (Err(e), _) => return Err(e),
                }
            }
        };
        let store = self.clone();
        let name = name.clone();
        blocking(move || store.keep(&name, taken, told, now)).await
    }

    fn take_file(&self, path: &Path, progress: &dyn Fn(Progress)) -> Result<Taken, Error> {
        let (file, size) = open_file(path)?;
        let file = Sparse::new(file, size);
        ingest::take(&self.inner.dir, file, size, Expect::Anything, path, progress)
    }

    fn keep(&self, name: &Name, taken: Taken, source: String, added: Time) -> Result<Image, Error> {
        let _changes = self.lock();
        let known = index::read(&self.inner.dir)?;
        // Packing is done here, so another packing of the same disk that is kept already serves as well.
        let twin = taken
            .packed_here
            .then(|| index::with_raw_digest(&self.inner.dir, &known, &taken.raw_digest));
        let (digest, stored) = match twin.flatten() {
            Some(layer) => (layer.digest, layer.size),
            None => {
                let kept = (taken.digest.clone(), taken.stored);
                taken.file.commit(&self.inner.dir, &taken.digest)?;
                kept
            }
        };
        let image = Image {
            name: name.clone(),
            digest: digest.to_string(),
            stored: Bytes(stored),
            packing: Packing::Zstd,
            raw_digest: taken.raw_digest.to_string(),
            raw: Bytes(taken.raw),
            source,
            added,
        };
        index::put(&self.inner.dir, known, &Manifest::of_image(&image, &digest))?;
        Ok(image)
    }

    /// The file of a blob, when it is kept. Only ever a path inside the store, whatever is asked for.
    pub fn blob_path(&self, digest: &str) -> Option<PathBuf> {
        let path = index::blob(&self.inner.dir, &digest.parse().ok()?);
        path.is_file().then_some(path)
    }

    /// Reads a blob again and compares; returns its size.
    ///
    /// # Errors
    /// When the digest is malformed, the blob is missing, or its bytes have changed.
    pub async fn verify(&self, digest: &str) -> Result<Bytes, Error> {
        let digest: Digest = digest.parse()?;
        let path = index::blob(&self.inner.dir, &digest);
        blocking(move || {
            let (mut file, size) = open_file(&path)?;
            let mut hash = digest::Hasher::new();
            let mut buffer = vec![0; ingest::CHUNK];
            loop {
                match file.read(&mut buffer).map_err(reading(&path))? {
                    0 => break,
                    n => hash.update(&buffer[..n]),
                }
            }
            let found = hash.finish();
            if found == digest {
                Ok(Bytes(size))
            } else {
                Err(Error::WrongDigest {
                    what: path.display().to_string(),
                    wanted: digest,
                    found,
                })
            }
        })
        .await
    }

    /// Removes the image with this blob under all its names; returns whether there was one.
    ///
    /// # Errors
    /// When the digest is malformed or the folder can't be written.
    pub async fn remove(&self, digest: &str) -> Result<bool, Error> {
        let digest: Digest = digest.parse()?;
        let store = self.clone();
        blocking(move || {
            let _changes = store.lock();
            let retained = index::retain(&store.inner.dir, |layer| *layer != digest)?;
            for manifest in &retained.gone {
                index::drop_blob(&store.inner.dir, manifest)?;
            }
            Ok(index::drop_blob(&store.inner.dir, &digest)? > 0)
        })
        .await
    }

    /// Removes every blob that isn't named here; returns how many bytes that freed. An image that is just being added
    /// isn't touched, but one that was added must be among those kept: record it before the next call.
    ///
    /// # Errors
    /// When a digest is malformed (nothing is removed then) or the folder can't be written.
    pub async fn gc(&self, keep: &[String]) -> Result<Bytes, Error> {
        let keep = keep.iter().map(|d| d.parse()).collect::<Result<Vec<Digest>, _>>()?;
        let store = self.clone();
        blocking(move || {
            let _changes = store.lock();
            let mut kept = index::retain(&store.inner.dir, |layer| keep.contains(layer))?.kept;
            kept.extend(keep);
            index::sweep(&store.inner.dir, &kept).map(Bytes)
        })
        .await
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        // It guards files, which are replaced whole: a panic leaves none of them half written.
        self.inner.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(Error::Stopped))
}

fn open_file(path: &Path) -> Result<(fs::File, u64), Error> {
    // Asked before opening: opening a pipe would wait for its writer.
    let metadata = fs::metadata(path).map_err(reading(path))?;
    if !metadata.is_file() {
        return Err(Error::NotAFile(path.to_owned()));
    }
    Ok((fs::File::open(path).map_err(reading(path))?, metadata.len()))
}

/// The descriptor of a disk, with what only its unpacking tells.
fn describe(image: &Image, digest: &Digest) -> Descriptor {
    let kind = match image.packing {
        Packing::Zstd => DISK_ZSTD,
        Packing::Raw => DISK_RAW,
    };
    let mut layer = Descriptor::new(kind, digest.clone(), image.stored.0);
    layer
        .annotations
        .insert(oci::RAW_DIGEST.to_owned(), image.raw_digest.clone());
    layer
        .annotations
        .insert(oci::RAW_SIZE.to_owned(), image.raw.0.to_string());
    layer
}
