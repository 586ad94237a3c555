//! Writes an initramfs: cpio in the "newc" form (kernel: `Documentation/driver-api/early-userspace/buffer-format.rst`).
//! Every entry has time 0 and owner 0, so that the same content gives the same bytes.

/// An archive in the making.
#[derive(Default)]
pub(super) struct Archive {
    bytes: Vec<u8>,
    entries: u32,
}

impl Archive {
    /// Adds a folder; parents come first.
    pub(super) fn folder(&mut self, path: &str) {
        self.entry(path, 0o040_755, &[]);
    }

    /// Adds a file.
    pub(super) fn file(&mut self, path: &str, mode: u32, content: &[u8]) {
        self.entry(path, 0o100_000 | mode, content);
    }

    /// The archive's bytes.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, &[]);
        self.bytes
    }

    fn entry(&mut self, path: &str, mode: u32, content: &[u8]) {
        self.entries += 1;
        let length = u32::try_from(content.len()).expect("a file of a boot kit is far below 4 GiB");
        // inode, mode, uid, gid, links, mtime, size, device (2), of special (2), name length with its NUL, checksum
        let name = path.len() as u32 + 1;
        let fields = [self.entries, mode, 0, 0, 1, 0, length, 0, 0, 0, 0, name, 0];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes.extend_from_slice(format!("{field:08X}").as_bytes());
        }
        self.bytes.extend_from_slice(path.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn an_archive_is_laid_out_as_the_kernel_reads_it() {
        let mut archive = Archive::default();
        archive.folder("a");
        archive.file("a/b", 0o644, b"hello");
        let bytes = archive.finish();
        assert_eq!(&bytes[..22], b"07070100000001000041ED");
        assert_eq!(bytes.len() % 4, 0);
        // header 110 and "a\0" are 112; the second entry: 110 and "a/b\0" are 114, padded to 116, then "hello" padded to 8
        assert_eq!(&bytes[112..118], b"070701");
        assert_eq!(&bytes[112 + 116..112 + 121], b"hello");
        assert_eq!(&bytes[112 + 124..112 + 130], b"070701");
    }
}
