//! What the documents of a layout and of a registry say (image-spec v1.1: `descriptor.md`, `manifest.md`,
//! `image-index.md`), and the choice of the one disk that they lead to. Pure: documents in, descriptor out.

use std::collections::BTreeMap;

use rack::Image;
use serde::{Deserialize, Serialize};

use super::{Digest, Error, describe};

/// Type of the artifact that an image is.
pub const ARTIFACT: &str = "application/vnd.busbar.disk.v1";
/// Media type of a disk packed with Zstandard.
pub const DISK_ZSTD: &str = "application/vnd.busbar.disk.v1.raw+zstd";
/// Media type of a disk's own bytes.
pub const DISK_RAW: &str = "application/vnd.busbar.disk.v1.raw";

pub(super) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
pub(super) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const EMPTY: &str = "application/vnd.oci.empty.v1+json";

/// Annotation of an index's entry: the name of an image.
pub(super) const REF_NAME: &str = "org.opencontainers.image.ref.name";
const CREATED: &str = "org.opencontainers.image.created";
/// Annotation of a layer: the digest of the unpacked disk.
pub(super) const RAW_DIGEST: &str = "dev.busbar.disk.raw.digest";
/// Annotation of a layer: the size of the unpacked disk.
pub(super) const RAW_SIZE: &str = "dev.busbar.disk.raw.size";

/// Longest index or manifest that is read: registries take at most 4 MiB (distribution-spec §Pushing Manifests).
pub(super) const DOCUMENT_MAX: u64 = 4 << 20;
/// Indexes inside indexes that are followed: one for the layout, one for platforms.
pub(super) const DEPTH_MAX: usize = 3;
/// What a config is that says nothing (`manifest.md` §Guidance for an Empty Descriptor).
pub(super) const EMPTY_CONFIG: &[u8] = b"{}";

/// A reference to a blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    pub(super) media_type: String,
    pub(super) digest: Digest,
    pub(super) size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) artifact_type: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) annotations: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) platform: Option<Platform>,
}

/// What an entry of an index is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Platform {
    architecture: String,
    os: String,
}

/// A layout's or registry's list of manifests.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Index {
    schema_version: u32,
    #[serde(default = "index_type")]
    media_type: String,
    #[serde(default)]
    pub(super) manifests: Vec<Descriptor>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
}

fn index_type() -> String {
    INDEX.to_owned()
}

/// One image: its disk is the layer.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Manifest {
    schema_version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    media_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    artifact_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Vec<Descriptor>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) annotations: BTreeMap<String, String>,
}

/// Where a document leads.
pub(super) enum Next {
    /// To another document.
    Document(Descriptor),
    /// To the disk.
    Disk(Descriptor),
}

impl Descriptor {
    pub(super) fn new(media_type: &str, digest: Digest, size: u64) -> Self {
        Self {
            media_type: media_type.to_owned(),
            digest,
            size,
            artifact_type: None,
            annotations: BTreeMap::new(),
            platform: None,
        }
    }

    /// Checks a document against what pointed to it.
    pub(super) fn check(&self, bytes: &[u8], what: &str) -> Result<(), Error> {
        let found = bytes.len() as u64;
        if found != self.size {
            return Err(Error::WrongSize {
                what: what.to_owned(),
                wanted: self.size,
                found,
            });
        }
        let found = Digest::of(bytes);
        if found != self.digest {
            return Err(Error::WrongDigest {
                what: what.to_owned(),
                wanted: self.digest.clone(),
                found,
            });
        }
        Ok(())
    }
}

impl Index {
    pub(super) fn empty() -> Self {
        Self {
            schema_version: 2,
            media_type: index_type(),
            manifests: Vec::new(),
            annotations: BTreeMap::new(),
        }
    }

    /// The entry of this name, or the first; among entries for several platforms, the one for this machine's kind.
    pub(super) fn choose(&self, name: Option<&str>, what: &str) -> Result<Descriptor, Error> {
        let none = |why: &str| Error::NotADisk {
            what: what.to_owned(),
            why: why.to_owned(),
        };
        let mut entries = self.manifests.iter();
        let chosen = match name {
            Some(name) => entries.find(|e| e.annotations.get(REF_NAME).is_some_and(|n| n == name)),
            None => entries
                .clone()
                .find(|e| e.platform.as_ref().is_some_and(Platform::is_ours))
                .or_else(|| entries.find(|e| e.platform.is_none()))
                .or(self.manifests.first()),
        };
        chosen.cloned().ok_or_else(|| match name {
            Some(name) => none(&format!("it has no image named `{name}`")),
            None => none("it has no images"),
        })
    }
}

impl Platform {
    fn is_ours(&self) -> bool {
        let ours = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        self.os == "linux" && self.architecture == ours
    }
}

impl Manifest {
    /// The manifest of an image, as it is written here.
    pub(super) fn of_image(image: &Image, digest: &Digest) -> Self {
        let annotations = [
            (REF_NAME.to_owned(), image.name.to_string()),
            (CREATED.to_owned(), image.added.to_string()),
        ];
        Self {
            schema_version: 2,
            media_type: Some(MANIFEST.to_owned()),
            artifact_type: Some(ARTIFACT.to_owned()),
            config: Some(Descriptor::new(
                EMPTY,
                Digest::of(EMPTY_CONFIG),
                EMPTY_CONFIG.len() as u64,
            )),
            layers: vec![describe(image, digest)],
            annotations: annotations.into(),
        }
    }

    /// The one disk among its layers.
    pub(super) fn disk(&self, what: &str) -> Result<&Descriptor, Error> {
        let refuse = |why: String| {
            Err(Error::NotADisk {
                what: what.to_owned(),
                why,
            })
        };
        let ours = |l: &&Descriptor| l.media_type == DISK_ZSTD || l.media_type == DISK_RAW;
        let layer = match (self.layers.iter().find(ours), self.layers.as_slice()) {
            (Some(layer), _) => layer,
            (None, [only]) => only,
            (None, layers) => {
                return refuse(format!(
                    "it has {} layers, where a disk image has one: it is a container image, or of another kind",
                    layers.len()
                ));
            }
        };
        if layer.media_type.contains("tar+") || layer.media_type.contains("tar.gzip") {
            return refuse(format!(
                "its layer is {}: it is a container image, not a disk",
                layer.media_type
            ));
        }
        Ok(layer)
    }
}

/// Reads a document and says where it leads. A document is what it holds, whatever type it claims; one that claims to
/// be both kinds is refused, as that is how two readers are shown two images (CVE-2021-41190).
pub(super) fn follow(bytes: &[u8], name: Option<&str>, what: &str) -> Result<Next, Error> {
    let bad = |why: String| Error::NotADisk {
        what: what.to_owned(),
        why,
    };
    let value: serde_json::Value =
        serde_json::from_slice(bytes).map_err(|e| bad(format!("it is not a manifest ({e})")))?;
    let malformed = |e: serde_json::Error| bad(format!("its manifest is malformed ({e})"));
    match (value.get("manifests").is_some(), value.get("layers").is_some()) {
        (true, false) => {
            let index: Index = serde_json::from_value(value).map_err(malformed)?;
            index.choose(name, what).map(Next::Document)
        }
        (false, true) => {
            let manifest: Manifest = serde_json::from_value(value).map_err(malformed)?;
            manifest.disk(what).cloned().map(Next::Disk)
        }
        (true, true) => Err(bad("its manifest claims to be an index too".to_owned())),
        (false, false) => Err(bad("its manifest has neither layers nor manifests".to_owned())),
    }
}

/// Checks the size that a descriptor promises before anything of that size is read.
pub(super) fn bounded(document: &Descriptor, what: &str) -> Result<(), Error> {
    if document.size <= DOCUMENT_MAX {
        return Ok(());
    }
    let why = format!(
        "a manifest of {} bytes is refused: at most {DOCUMENT_MAX}",
        document.size
    );
    Err(Error::NotADisk {
        what: what.to_owned(),
        why,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn layer(kind: &str) -> Value {
        json!({"mediaType": kind, "digest": Digest::of(kind.as_bytes()), "size": 1})
    }

    fn disk_of(layers: &[&str]) -> Result<String, String> {
        let layers: Vec<Value> = layers.iter().map(|k| layer(k)).collect();
        let manifest = json!({"schemaVersion": 2, "layers": layers}).to_string();
        match follow(manifest.as_bytes(), None, "x") {
            Ok(Next::Disk(d)) => Ok(d.media_type),
            Ok(Next::Document(_)) => Err("an index".to_owned()),
            Err(e) => Err(e.to_string()),
        }
    }

    #[test]
    fn the_one_disk_is_chosen_and_a_container_image_is_refused() {
        assert_eq!(
            disk_of(&["application/octet-stream"]).unwrap(),
            "application/octet-stream"
        );
        assert_eq!(disk_of(&["text/plain", DISK_ZSTD]).unwrap(), DISK_ZSTD);
        for container in [
            &["application/vnd.oci.image.layer.v1.tar+gzip"][..],
            &["application/vnd.docker.image.rootfs.diff.tar.gzip"],
            &["a/b", "c/d"],
        ] {
            assert!(
                disk_of(container).unwrap_err().contains("container image"),
                "{container:?}"
            );
        }
        assert!(disk_of(&[]).is_err());
    }

    #[test]
    fn an_index_leads_by_name_then_to_our_platform() {
        let entry = |name: &str, arch: &str| {
            let mut e = layer(name);
            e["annotations"] = json!({REF_NAME: name});
            e["platform"] = json!({"os": "linux", "architecture": arch});
            e
        };
        let index =
            json!({"schemaVersion": 2, "manifests": [entry("a", "s390x"), entry("b", "amd64"), entry("c", "arm64")]});
        let lead = |name| match follow(index.to_string().as_bytes(), name, "x") {
            Ok(Next::Document(d)) => Some(d.media_type),
            _ => None,
        };
        assert_eq!(lead(Some("c")).as_deref(), Some("c"));
        assert_eq!(lead(Some("d")), None);
        if std::env::consts::ARCH == "x86_64" {
            assert_eq!(lead(None).as_deref(), Some("b"));
        }
    }

    #[test]
    fn a_document_that_is_two_kinds_at_once_is_refused() {
        let both = json!({"schemaVersion": 2, "manifests": [layer("a")], "layers": [layer("b")]}).to_string();
        assert!(follow(both.as_bytes(), None, "x").is_err());
        let traversal = both.replace("sha256:", "sha256:../");
        assert!(follow(traversal.as_bytes(), None, "x").is_err());
    }

    proptest! {
        #[test]
        fn no_document_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = follow(&bytes, None, "x");
        }
    }
}
