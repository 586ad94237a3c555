//! Reading a file without reading its holes: most of a fresh disk image is one, and filling the page cache with its
//! zeros takes longer than hashing them.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;

use rustix::fs::{SeekFrom, seek};

/// A file that is read from its start, holes as zeros.
pub(super) struct Sparse {
    file: File,
    at: u64,
    size: u64,
    /// The stretch of data at or after `at`; before it lies a hole.
    data: std::ops::Range<u64>,
}

impl Sparse {
    pub(super) fn new(file: File, size: u64) -> Self {
        Self {
            file,
            at: 0,
            size,
            data: 0..0,
        }
    }

    /// Where the file's next data lies; all of the rest, on a filesystem that can't tell.
    fn next_data(&self) -> std::ops::Range<u64> {
        let from = match seek(&self.file, SeekFrom::Data(self.at)) {
            Ok(from) => from.clamp(self.at, self.size),
            Err(rustix::io::Errno::NXIO) => return self.size..self.size,
            Err(_) => return self.at..self.size,
        };
        let to = seek(&self.file, SeekFrom::Hole(from)).map_or(self.size, |to| to.min(self.size));
        from..to.max(from)
    }
}

impl Read for Sparse {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at < self.size && self.at >= self.data.end {
            self.data = self.next_data();
        }
        let upto = |end: u64| usize::try_from(end - self.at).unwrap_or(usize::MAX).min(buffer.len());
        let n = if self.at < self.data.start {
            let n = upto(self.data.start);
            buffer[..n].fill(0);
            n
        } else if self.at < self.data.end {
            let n = upto(self.data.end);
            self.file.read_at(&mut buffer[..n], self.at)?
        } else {
            // Past the size that was told: whether it grew is the caller's to notice.
            self.file.read_at(buffer, self.at)?
        };
        self.at += n as u64;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::{Seek as _, Write as _};

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn a_file_with_holes_reads_as_any_other(pieces in proptest::collection::vec((0u64..600_000, 0usize..9_000), 0..6), tail in 0u64..300_000) {
            let mut file = tempfile::tempfile().unwrap();
            for (hole, data) in pieces {
                file.seek(io::SeekFrom::Current(hole.cast_signed())).unwrap();
                file.write_all(&vec![7; data]).unwrap();
            }
            let size = file.stream_position().unwrap() + tail;
            file.set_len(size).unwrap();
            file.rewind().unwrap();
            let mut want = Vec::new();
            file.read_to_end(&mut want).unwrap();
            let mut read = Vec::new();
            Sparse::new(file, size).read_to_end(&mut read).unwrap();
            prop_assert!(want == read);
        }
    }
}
