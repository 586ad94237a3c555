//! The image store over files and layouts: what goes in comes out, once, and nothing that is wrong goes in.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use boot::images::{DISK_RAW, Digest, Error, ImageStore, Source};
use proptest::prelude::*;
use rack::image::Packing;
use rack::{Bytes, Image, Name, Time};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::{Value, json};

struct Place {
    dir: tempfile::TempDir,
    store: ImageStore,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = ImageStore::open(dir.path().join("store")).unwrap();
        Self { dir, store }
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    async fn add(&self, name: &str, source: Source) -> Result<Image, Error> {
        let name: Name = name.parse().unwrap();
        self.store
            .add(&name, source, |_| {}, Time::from_millis(1_764_000_000_000))
            .await
    }

    async fn add_bytes(&self, name: &str, bytes: &[u8]) -> Result<Image, Error> {
        let path = self.file(name, bytes);
        self.add(name, Source::File(path)).await
    }

    fn blobs(&self) -> usize {
        fs::read_dir(self.dir.path().join("store/blobs/sha256"))
            .unwrap()
            .count()
    }

    fn left_over(&self) -> usize {
        fs::read_dir(self.dir.path().join("store/ingest")).unwrap().count()
    }

    fn index(&self) -> Value {
        serde_json::from_slice(&fs::read(self.dir.path().join("store/index.json")).unwrap()).unwrap()
    }
}

/// A disk with a hole in its middle.
fn disk(seed: u64, size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    StdRng::seed_from_u64(seed).fill_bytes(&mut bytes[..size / 3]);
    bytes[size - 1] = 0xaa;
    bytes
}

/// One frame with a checksum.
fn framed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn unpacked(path: &Path) -> Vec<u8> {
    zstd::decode_all(fs::File::open(path).unwrap()).unwrap()
}

#[tokio::test]
async fn a_raw_disk_is_packed_and_comes_out_as_it_went_in() {
    let place = Place::new();
    let raw = disk(1, 5 << 20);
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = told.clone();
    let name: Name = "debian-12".parse().unwrap();
    let source = Source::File(place.file("disk.raw", &raw));
    let image = place
        .store
        .add(
            &name,
            source,
            move |p| tell.lock().unwrap().push(p),
            Time::from_millis(0),
        )
        .await
        .unwrap();
    assert_eq!((image.packing, image.raw), (Packing::Zstd, Bytes(5 << 20)));
    assert_eq!(image.raw_digest, Digest::of(&raw).to_string());
    let path = place.store.blob_path(&image.digest).unwrap();
    let packed = fs::read(&path).unwrap();
    assert_eq!(
        (image.stored.0, &image.digest),
        (packed.len() as u64, &Digest::of(&packed).to_string())
    );
    assert_eq!(unpacked(&path), raw);
    // RFC 8878 §3.1.1.1.1: the head tells that there are a content size and a checksum.
    assert!(packed[4] >> 6 != 0 || packed[4] & 0x20 != 0, "no content size");
    assert!(packed[4] & 0x04 != 0, "no checksum");
    let told = told.lock().unwrap().clone();
    assert!(told.is_sorted_by_key(|p| p.done));
    assert_eq!(
        told.last().map(|p| (p.done, p.total)),
        Some((Bytes(5 << 20), Bytes(5 << 20)))
    );
    assert_eq!(place.store.verify(&image.digest).await.unwrap(), image.stored);
}

#[tokio::test]
async fn the_same_bytes_are_kept_once() {
    let place = Place::new();
    let raw = disk(2, 1 << 20);
    let packed = zstd::encode_all(raw.as_slice(), 9).unwrap();
    let first = place.add_bytes("a", &raw).await.unwrap();
    let second = place.add_bytes("b", &raw).await.unwrap();
    assert_eq!((&first.digest, first.stored), (&second.digest, second.stored));
    // The disk twice named, two manifests, and the empty config.
    assert_eq!(place.blobs(), 4);
    let third = place.add_bytes("c", &packed).await.unwrap();
    assert_eq!(
        third.digest,
        Digest::of(&packed).to_string(),
        "a packed file is kept as it is"
    );
    assert_eq!(third.raw_digest, first.raw_digest);
    let other = Place::new();
    other.add_bytes("c", &packed).await.unwrap();
    let same = other.add_bytes("a", &raw).await.unwrap();
    assert_eq!(
        same.digest, third.digest,
        "a disk that is kept in another packing isn't packed anew"
    );
}

#[tokio::test]
async fn a_packed_file_of_several_frames_is_taken_and_damage_is_refused() {
    let place = Place::new();
    let (a, b) = (disk(3, 1 << 20), disk(4, 512));
    let packed = [framed(&a), framed(&b)].concat();
    let image = place.add_bytes("frames", &packed).await.unwrap();
    assert_eq!(image.raw_digest, Digest::of(&[a, b].concat()).to_string());
    let before = (place.blobs(), place.index());
    let mut flipped = packed.clone();
    flipped[1000] ^= 1;
    let garbage = [packed.as_slice(), b"trailing garbage"].concat();
    for (what, bytes) in [
        ("cut", &packed[..packed.len() - 9]),
        ("flipped", &flipped),
        ("garbage", &garbage),
        ("head", &packed[..6]),
    ] {
        let refused = place.add_bytes(what, bytes).await;
        assert!(matches!(refused, Err(Error::Unpack { .. })), "{what}: {refused:?}");
        assert_eq!(
            (place.blobs(), place.index(), place.left_over()),
            (before.0, before.1.clone(), 0),
            "{what}"
        );
    }
}

#[tokio::test]
async fn what_is_no_disk_is_refused_and_the_answer_says_why() {
    let place = Place::new();
    let odd = zstd::encode_all(&[1u8; 1000][..], 1).unwrap();
    let nothing = zstd::encode_all(&[][..], 1).unwrap();
    let qcow2 = [b"QFI\xfb".as_slice(), &[0; 508]].concat();
    let inside = zstd::encode_all(qcow2.as_slice(), 1).unwrap();
    for (name, bytes, want) in [
        ("empty", &b""[..], "is empty"),
        ("nothing", &nothing, "is empty"),
        ("odd", &[1; 1000], "not a multiple of 512"),
        ("odd-packed", &odd, "not a multiple of 512"),
        ("qcow2", &qcow2, "qemu-img convert -O raw"),
        ("qcow2-packed", &inside, "qemu-img convert -O raw"),
        ("gz", b"\x1f\x8b\x08\0", "gunzip"),
    ] {
        let said = place.add_bytes(name, bytes).await.unwrap_err().to_string();
        assert!(said.contains(want), "{name}: {said}");
    }
    let missing = place.add("x", Source::File(place.dir.path().join("none"))).await;
    assert!(matches!(missing, Err(Error::Read { .. })));
    for odd in [place.dir.path().to_owned(), PathBuf::from("/dev/zero")] {
        assert!(matches!(
            place.add("x", Source::File(odd)).await,
            Err(Error::NotAFile(_))
        ));
    }
    assert_eq!((place.blobs(), place.left_over()), (1, 0));
}

#[tokio::test]
async fn a_layout_is_taken_by_name_and_its_promises_are_checked() {
    let from = Place::new();
    let image = from.add_bytes("one", &disk(5, 1 << 20)).await.unwrap();
    from.add_bytes("two", &disk(6, 1 << 20)).await.unwrap();
    let dir = from.dir.path().join("store");
    let source = |name: Option<&str>| Source::Layout {
        dir: dir.clone(),
        reference: name.map(str::to_owned),
    };
    let place = Place::new();
    let copy = place.add("copy", source(Some("one"))).await.unwrap();
    assert_eq!((&copy.digest, &copy.raw_digest), (&image.digest, &image.raw_digest));
    assert_eq!(place.add("first", source(None)).await.unwrap().digest, image.digest);
    let said = place.add("x", source(Some("three"))).await.unwrap_err().to_string();
    assert!(said.contains("no image named `three`"), "{said}");
    let blob = from.store.blob_path(&image.digest).unwrap();
    let packed = fs::read(&blob).unwrap();
    fs::write(&blob, &packed[..packed.len() - 1]).unwrap();
    assert!(place.add("cut", source(Some("one"))).await.is_err());
    let other = zstd::encode_all(disk(7, 1 << 20).as_slice(), 3).unwrap();
    let sized: Vec<u8> = other
        .into_iter()
        .chain(std::iter::repeat(0))
        .take(packed.len())
        .collect();
    fs::write(&blob, sized).unwrap();
    assert!(place.add("other", source(Some("one"))).await.is_err());
    assert!(from.store.verify(&image.digest).await.is_err());
    assert_eq!(place.left_over(), 0);
}

/// A layout made by hand, with one layer of this type.
fn layout(dir: &Path, kind: &str, bytes: &[u8], size: u64) -> Source {
    fs::create_dir_all(dir.join("blobs/sha256")).unwrap();
    let put = |bytes: &[u8]| {
        let digest = Digest::of(bytes);
        fs::write(dir.join("blobs/sha256").join(digest.hex()), bytes).unwrap();
        digest
    };
    let layers = [json!({"mediaType": kind, "digest": put(bytes), "size": size})];
    let manifest = json!({"schemaVersion": 2, "layers": layers}).to_string();
    let entry = json!({"mediaType": "x", "digest": put(manifest.as_bytes()), "size": manifest.len()});
    let index = json!({"schemaVersion": 2, "manifests": [entry]}).to_string();
    fs::write(dir.join("index.json"), index).unwrap();
    fs::write(dir.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    Source::Layout {
        dir: dir.to_owned(),
        reference: None,
    }
}

#[tokio::test]
async fn a_layers_bytes_tell_what_it_is_and_a_wrong_size_is_refused() {
    let place = Place::new();
    let raw = disk(8, 1 << 20);
    let dir = place.dir.path().join("made");
    let image = place.add("raw", layout(&dir, DISK_RAW, &raw, 1 << 20)).await.unwrap();
    assert_eq!(image.raw_digest, Digest::of(&raw).to_string());
    for wrong in [512, (1 << 20) - 512, (1 << 20) + 512, u64::MAX] {
        let taken = place.add("wrong", layout(&dir, "a/b", &raw, wrong)).await;
        assert!(taken.is_err(), "{wrong}");
    }
    let tar = place
        .add(
            "tar",
            layout(&dir, "application/vnd.oci.image.layer.v1.tar+gzip", &raw, 1 << 20),
        )
        .await;
    assert!(tar.unwrap_err().to_string().contains("container image"));
}

#[tokio::test]
async fn removing_and_collecting_keep_what_is_asked_for() {
    let place = Place::new();
    let one = place.add_bytes("one", &disk(11, 1 << 20)).await.unwrap();
    let two = place.add_bytes("two", &disk(12, 1 << 20)).await.unwrap();
    let moved = place.add_bytes("one", &disk(13, 1 << 20)).await.unwrap();
    assert!(
        place.store.blob_path(&one.digest).is_some(),
        "a predecessor stays: a machine may be reading it"
    );
    assert!(place.store.gc(&["sha256:../x".to_owned()]).await.is_err());
    let freed = place
        .store
        .gc(&[one.digest.clone(), moved.digest.clone()])
        .await
        .unwrap();
    assert!(freed > two.stored);
    assert!(place.store.blob_path(&two.digest).is_none());
    assert_eq!(place.store.verify(&one.digest).await.unwrap(), one.stored);
    assert!(place.store.remove(&moved.digest).await.unwrap());
    assert!(!place.store.remove(&moved.digest).await.unwrap());
    assert_eq!(place.index()["manifests"], json!([]));
    assert!(place.store.blob_path(&one.digest).is_some());
    place.store.gc(&[]).await.unwrap();
    assert_eq!(place.blobs(), 1, "the empty config stays");
}

#[tokio::test]
async fn what_a_crash_left_is_removed_and_the_rest_is_found_again() {
    let place = Place::new();
    let image = place.add_bytes("one", &disk(14, 1 << 20)).await.unwrap();
    let dir = place.dir.path().join("store");
    fs::write(dir.join("ingest/1-1"), b"half").unwrap();
    let again = ImageStore::open(&dir).unwrap();
    assert_eq!(place.left_over(), 0);
    assert!(again.blob_path(&image.digest).is_some());
    fs::write(dir.join("index.json"), b"{").unwrap();
    let said = ImageStore::open(&dir).unwrap_err().to_string();
    assert!(said.contains("move the folder away"), "{said}");
}

#[test]
fn no_digest_leads_out_of_the_store() {
    let place = Place::new();
    for wrong in [
        "",
        "sha256:",
        "../index.json",
        "sha256:../../index.json",
        "/etc/passwd",
        "sha256:\0",
    ] {
        assert_eq!(place.store.blob_path(wrong), None, "{wrong:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_disk_comes_out_as_it_went_in(seed: u64, sectors in 1usize..5000, packed: bool, level in 1i32..6) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let place = Place::new();
            let raw = disk(seed, sectors * 512);
            let bytes = if packed { zstd::encode_all(raw.as_slice(), level).unwrap() } else { raw.clone() };
            let image = place.add_bytes("x", &bytes).await.unwrap();
            assert_eq!(image.raw_digest, Digest::of(&raw).to_string());
            assert_eq!(unpacked(&place.store.blob_path(&image.digest).unwrap()), raw);
        });
    }
}
