//! What a stream of bytes is, by its first bytes; and how far one may unpack. Pure.

use super::Error;

/// Bytes that are looked at: up to the mark of a tar archive at 257.
pub(super) const HEAD: usize = 512;

/// The smallest unit of a disk.
pub(super) const SECTOR: u64 = 512;

/// How a stream of bytes holds a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packed {
    /// As it is.
    No,
    /// In frames of Zstandard.
    Zstd,
}

const CONVERT: &str = "run `qemu-img convert -O raw IMAGE disk.raw` and add disk.raw";

/// Formats that are told apart to say what to do, each by the bytes that it begins with.
const FORMATS: [(&[u8], &str, &str); 8] = [
    (b"QFI\xfb", "qcow2", CONVERT),
    (
        b"\x1f\x8b",
        "packed with gzip",
        "run `gunzip IMAGE.gz` and add what it leaves",
    ),
    (
        b"\xfd7zXZ\0",
        "packed with xz",
        "run `unxz IMAGE.xz` and add what it leaves",
    ),
    (
        b"BZh",
        "packed with bzip2",
        "run `bunzip2 IMAGE.bz2` and add what it leaves",
    ),
    (b"PK\x03\x04", "a zip archive", "unzip it and add the disk inside"),
    (b"KDMV", "VMDK", CONVERT),
    (b"# Disk DescriptorFile", "VMDK", CONVERT),
    (b"vhdxfile", "VHDX", CONVERT),
];

/// Tells what the stream with this head is.
pub(super) fn sniff(head: &[u8], what: &str) -> Result<Packed, Error> {
    let refuse = |format, advice| {
        Err(Error::Format {
            what: what.to_owned(),
            format,
            advice,
        })
    };
    if let Some((_, format, advice)) = FORMATS.iter().find(|(magic, ..)| head.starts_with(magic)) {
        return refuse(format, advice);
    }
    match head {
        // RFC 8878 §3.1.1 and §3.1.2: a frame, or a skippable one, with which seekable files may begin.
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Ok(Packed::Zstd),
        _ => disk(head, what).map(|()| Packed::No),
    }
}

/// Refuses what can't be the head of an unpacked disk.
pub(super) fn disk(head: &[u8], what: &str) -> Result<(), Error> {
    let refuse = |format, advice| {
        Err(Error::Format {
            what: what.to_owned(),
            format,
            advice,
        })
    };
    if head.get(257..262) == Some(b"ustar") {
        return refuse(
            "a tar archive",
            "unpack it and add the disk inside; a container image is not a disk",
        );
    }
    if head.starts_with(b"QFI\xfb") {
        return refuse("qcow2", CONVERT);
    }
    Ok(())
}

/// Checks the size of an unpacked disk.
pub(super) fn whole(size: u64, what: &str) -> Result<(), Error> {
    if size == 0 {
        Err(Error::Empty(what.to_owned()))
    } else if !size.is_multiple_of(SECTOR) {
        Err(Error::NotSectors {
            what: what.to_owned(),
            size,
        })
    } else {
        Ok(())
    }
}

/// How much a stream may unpack to: against files that are small, and made to keep a daemon busy for days.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// The largest disk.
    pub(super) most: u64,
    /// Up to here any ratio is fine: an empty disk packs 32,000 to one, and this much is hashed in a minute.
    pub(super) free: u64,
    /// Beyond, at most this many bytes for each packed one.
    pub(super) ratio: u64,
    /// Largest window, as a power of two: what unpacking takes in memory. 128 MiB is what `zstd` allows by default.
    pub(super) window_log: u32,
}

/// What holds for every image.
pub(super) const LIMITS: Limits = Limits {
    most: 8 << 40,
    free: 64 << 30,
    ratio: 1_000,
    window_log: 27,
};

impl Limits {
    /// The most that `packed` bytes may have unpacked to.
    pub(super) fn allowed(&self, packed: u64) -> u64 {
        packed.saturating_mul(self.ratio).max(self.free).min(self.most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_told_apart_with_what_to_run() {
        for (head, want) in [
            (&b"QFI\xfb\0\0\0\x03"[..], "qemu-img convert -O raw"),
            (b"\x1f\x8b\x08", "gunzip"),
            (b"\xfd7zXZ\0\0", "unxz"),
        ] {
            let said = sniff(head, "x.img").err().map(|e| e.to_string()).unwrap_or_default();
            assert!(said.starts_with("x.img is ") && said.contains(want), "{said}");
        }
        let mut tar = [0; HEAD];
        tar[257..262].copy_from_slice(b"ustar");
        assert!(sniff(&tar, "x").is_err());
        assert!(matches!(sniff(&[0x28, 0xb5, 0x2f, 0xfd, 0], "x"), Ok(Packed::Zstd)));
        assert!(matches!(sniff(&[0x5e, 0x2a, 0x4d, 0x18], "x"), Ok(Packed::Zstd)));
        assert!(matches!(sniff(&[0; HEAD], "x"), Ok(Packed::No)));
        assert!(matches!(sniff(&[], "x"), Ok(Packed::No)));
    }

    #[test]
    fn a_small_file_may_hold_a_large_empty_disk_but_not_an_endless_one() {
        assert_eq!(LIMITS.allowed(0), 64 << 30);
        assert_eq!(LIMITS.allowed(1 << 30), 1_000 << 30);
        assert_eq!(LIMITS.allowed(u64::MAX), 8 << 40);
    }
}
