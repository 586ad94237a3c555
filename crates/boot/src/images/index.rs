//! A layout's files (image-spec `image-layout.md`): reading any, and writing our own. Documents are replaced whole.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Value, json};

use super::error::{reading, writing};
use super::oci::{self, ARTIFACT, DEPTH_MAX, DOCUMENT_MAX, Descriptor, EMPTY_CONFIG, Index, MANIFEST, Manifest, Next};
use super::{Digest, Error, open_file};

const LAYOUT: &str = "oci-layout";
const INDEX: &str = "index.json";

/// The folder of blobs.
pub(super) fn blobs(dir: &Path) -> PathBuf {
    dir.join("blobs").join("sha256")
}

/// The file of a blob.
pub(super) fn blob(dir: &Path, digest: &Digest) -> PathBuf {
    blobs(dir).join(digest.hex())
}

/// Makes our layout's documents where they are missing.
pub(super) fn prepare(dir: &Path) -> Result<(), Error> {
    if dir.join(LAYOUT).exists() {
        check_layout(dir)?;
    } else {
        replace(dir, &dir.join(LAYOUT), br#"{"imageLayoutVersion":"1.0.0"}"#)?;
    }
    if dir.join(INDEX).exists() {
        read(dir)?;
    } else {
        replace(dir, &dir.join(INDEX), &written(&Index::empty()))?;
    }
    let config = blob(dir, &Digest::of(EMPTY_CONFIG));
    if config.exists() {
        Ok(())
    } else {
        replace(dir, &config, EMPTY_CONFIG)
    }
}

/// Finds the disk of an image in somebody's layout.
pub(super) fn find_layer(dir: &Path, reference: Option<&str>) -> Result<Descriptor, Error> {
    check_layout(dir)?;
    let what = dir.display().to_string();
    let mut bytes = document(&dir.join(INDEX))?;
    let mut name = reference;
    for _ in 0..DEPTH_MAX {
        match oci::follow(&bytes, name.take(), &what)? {
            Next::Disk(layer) => return Ok(layer),
            Next::Document(next) => {
                oci::bounded(&next, &what)?;
                bytes = document(&blob(dir, &next.digest))?;
                next.check(&bytes, &what)?;
            }
        }
    }
    Err(Error::NotADisk {
        what,
        why: "its indexes are nested too deeply".to_owned(),
    })
}

/// Our index.
pub(super) fn read(dir: &Path) -> Result<Index, Error> {
    let path = dir.join(INDEX);
    serde_json::from_slice(&document(&path)?).map_err(|e| Error::NotADisk {
        what: path.display().to_string(),
        why: format!("it is not an OCI index ({e}); move the folder away to start an empty store"),
    })
}

/// The kept disk whose unpacked bytes have this digest.
pub(super) fn with_raw_digest(dir: &Path, index: &Index, raw: &Digest) -> Option<Descriptor> {
    let raw = raw.to_string();
    index
        .manifests
        .iter()
        .filter_map(|entry| layer_of(dir, entry).ok())
        .find(|layer| layer.annotations.get(oci::RAW_DIGEST) == Some(&raw) && blob(dir, &layer.digest).is_file())
}

/// Adds an image under its name, in place of what had it.
pub(super) fn put(dir: &Path, mut index: Index, manifest: &Manifest) -> Result<(), Error> {
    let bytes = written(manifest);
    let mut entry = Descriptor::new(MANIFEST, Digest::of(&bytes), bytes.len() as u64);
    entry.artifact_type = Some(ARTIFACT.to_owned());
    entry.annotations = manifest.annotations.clone();
    replace(dir, &blob(dir, &entry.digest), &bytes)?;
    index
        .manifests
        .retain(|e| e.annotations.get(oci::REF_NAME) != entry.annotations.get(oci::REF_NAME));
    index.manifests.push(entry);
    replace(dir, &dir.join(INDEX), &written(&index))
}

/// What an index refers to after some of its images went.
pub(super) struct Retained {
    /// Blobs that are still referred to.
    pub(super) kept: BTreeSet<Digest>,
    /// Manifests that went.
    pub(super) gone: Vec<Digest>,
}

/// Drops the images whose disk isn't to be kept, and those that lead to none.
pub(super) fn retain(dir: &Path, keep: impl Fn(&Digest) -> bool) -> Result<Retained, Error> {
    let mut index = read(dir)?;
    let mut retained = Retained {
        kept: [Digest::of(EMPTY_CONFIG)].into(),
        gone: Vec::new(),
    };
    index.manifests.retain(|entry| match layer_of(dir, entry) {
        Ok(layer) if keep(&layer.digest) => {
            retained.kept.extend([entry.digest.clone(), layer.digest]);
            true
        }
        _ => {
            retained.gone.push(entry.digest.clone());
            false
        }
    });
    if !retained.gone.is_empty() {
        replace(dir, &dir.join(INDEX), &written(&index))?;
    }
    Ok(retained)
}

/// Removes a blob; returns the bytes that this freed.
pub(super) fn drop_blob(dir: &Path, digest: &Digest) -> Result<u64, Error> {
    let path = blob(dir, digest);
    let Ok(metadata) = fs::metadata(&path) else {
        return Ok(0);
    };
    fs::remove_file(&path).map_err(writing(&path))?;
    Ok(metadata.len())
}

/// Removes every blob but these; returns the bytes that this freed.
pub(super) fn sweep(dir: &Path, kept: &BTreeSet<Digest>) -> Result<u64, Error> {
    let folder = blobs(dir);
    let mut freed = 0;
    for entry in fs::read_dir(&folder).map_err(reading(&folder))? {
        let name = entry.map_err(reading(&folder))?.file_name();
        // What isn't named by a digest isn't ours to remove.
        let digest = name
            .to_str()
            .and_then(|hex| format!("sha256:{hex}").parse::<Digest>().ok());
        if let Some(digest) = digest.filter(|d| !kept.contains(d)) {
            freed += drop_blob(dir, &digest)?;
        }
    }
    Ok(freed)
}

/// Makes a folder's names durable.
pub(super) fn sync(folder: &Path) -> Result<(), Error> {
    File::open(folder).and_then(|f| f.sync_all()).map_err(writing(folder))
}

fn layer_of(dir: &Path, entry: &Descriptor) -> Result<Descriptor, Error> {
    let path = blob(dir, &entry.digest);
    let what = path.display().to_string();
    let bytes = document(&path)?;
    entry.check(&bytes, &what)?;
    match oci::follow(&bytes, None, &what)? {
        Next::Disk(layer) => Ok(layer),
        Next::Document(_) => Err(Error::NotADisk {
            what,
            why: "it is an index".to_owned(),
        }),
    }
}

fn check_layout(dir: &Path) -> Result<(), Error> {
    let path = dir.join(LAYOUT);
    let told: Value = serde_json::from_slice(&document(&path)?).unwrap_or_default();
    let version = told["imageLayoutVersion"].as_str().unwrap_or_default();
    if version.starts_with("1.") {
        return Ok(());
    }
    let why = format!("{} is not version 1 of an OCI layout", json!(version));
    Err(Error::NotADisk {
        what: path.display().to_string(),
        why,
    })
}

fn document(path: &Path) -> Result<Vec<u8>, Error> {
    let (file, size) = open_file(path)?;
    let mut bytes = Vec::new();
    file.take(DOCUMENT_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(reading(path))?;
    if bytes.len() as u64 > DOCUMENT_MAX {
        let why = format!("it has {size} bytes; a manifest has at most {DOCUMENT_MAX}");
        return Err(Error::NotADisk {
            what: path.display().to_string(),
            why,
        });
    }
    Ok(bytes)
}

fn written(document: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec_pretty(document).expect("documents are maps with text as keys")
}

/// Replaces a file such that a crash leaves the old one or the new one.
fn replace(dir: &Path, path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let folder = path.parent().unwrap_or(dir);
    // Where the next start removes it, should this one not end well.
    let temporary = dir.join("ingest").join(path.file_name().unwrap_or_default());
    let write = || {
        let mut file = File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    };
    write().map_err(writing(path))?;
    sync(folder)
}
