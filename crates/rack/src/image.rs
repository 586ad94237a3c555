//! An image: the bytes of a bootable disk, known by digest.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Bytes, Name, Time};

/// A bootable disk image in the image store. The stored blob is what travels; `raw` is what lands on the disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Image {
    /// What users call it.
    pub name: Name,
    /// `sha256:…` of the stored blob.
    pub digest: String,
    /// Size of the stored blob.
    pub stored: Bytes,
    /// How the blob is packed.
    pub packing: Packing,
    /// `sha256:…` of the unpacked disk.
    pub raw_digest: String,
    /// Size of the unpacked disk: the smallest disk that it fits on.
    pub raw: Bytes,
    /// Where it came from: a file name or a registry reference; for people.
    pub source: String,
    /// When it was added.
    pub added: Time,
}

/// How an image's blob is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Packing {
    /// The disk's own bytes.
    Raw,
    /// Zstandard (RFC 8878).
    Zstd,
}
