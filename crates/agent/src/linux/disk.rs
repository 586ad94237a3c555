//! A block device, past the page cache: what is written is measured at the disk's own speed, and what is read back
//! comes from the disk.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::sync::Arc;

use bytes::Bytes;
use rustix::fs::{FallocateFlags, OFlags, fallocate};
use rustix::io::Errno;

use crate::install::{Aligned, PIECE};
use crate::seam::{BLOCK, Disk, Future, HostError};

/// An open block device, exclusively ours.
pub(super) struct LinuxDisk {
    file: Arc<File>,
    name: String,
    size: u64,
}

impl LinuxDisk {
    pub(super) fn open(name: &str, size: u64) -> io::Result<LinuxDisk> {
        // O_EXCL on a block device: nobody else has it mounted or open so
        let flags = (OFlags::DIRECT | OFlags::EXCL).bits() as i32;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(flags)
            .open(format!("/dev/{name}"))?;
        Ok(LinuxDisk {
            file: Arc::new(file),
            name: name.to_string(),
            size,
        })
    }

    fn run<T: Send + 'static>(
        &self,
        attempt: String,
        act: impl FnOnce(&File) -> io::Result<T> + Send + 'static,
    ) -> Future<'static, Result<T, HostError>> {
        let file = self.file.clone();
        let on = self.name.clone();
        Box::pin(async move {
            let done = tokio::task::spawn_blocking(move || act(&file)).await;
            let done = done.unwrap_or_else(|e| Err(io::Error::other(e)));
            done.map_err(|source| HostError { attempt, on, source })
        })
    }
}

impl Disk for LinuxDisk {
    fn size(&self) -> u64 {
        self.size
    }

    fn write(&mut self, offset: u64, data: Bytes) -> Future<'_, Result<(), HostError>> {
        let size = self.size;
        self.run(format!("write {} bytes at {offset}", data.len()), move |file| {
            write(file, size, offset, &data)
        })
    }

    fn read(&mut self, offset: u64, length: usize) -> Future<'_, Result<Bytes, HostError>> {
        self.run(format!("read {length} bytes at {offset}"), move |file| {
            let mut all = Vec::new();
            let mut at = 0;
            while at < length {
                let take = PIECE.min(length - at);
                let part = read(file, offset + at as u64, take)?;
                if take == length {
                    return Ok(part);
                }
                all.extend_from_slice(&part);
                at += take;
            }
            Ok(Bytes::from(all))
        })
    }

    /// `FALLOC_FL_PUNCH_HOLE` on a block device is a write of zeroes that may unmap, with no fallback: it works only where the
    /// device promises zeroes (`blkdev_fallocate` in the kernel's `block/fops.c`).
    fn discard(&mut self, offset: u64, length: u64) -> Future<'_, Result<bool, HostError>> {
        self.run(
            format!("discard {length} bytes at {offset}"),
            move |file| match fallocate(
                file,
                FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE,
                offset,
                length,
            ) {
                Ok(()) => Ok(true),
                Err(Errno::OPNOTSUPP | Errno::INVAL) => Ok(false),
                Err(e) => Err(e.into()),
            },
        )
    }

    fn sync(&mut self) -> Future<'_, Result<(), HostError>> {
        self.run("sync".to_string(), |file| file.sync_data())
    }
}

fn read(file: &File, offset: u64, length: usize) -> io::Result<Bytes> {
    let mut buffer = Aligned::new();
    let start = buffer.start;
    buffer.bytes.resize(start + length, 0);
    file.read_exact_at(&mut buffer.bytes[start..], offset)?;
    Ok(buffer.freeze())
}

/// Direct I/O wants memory, offset and length in whole blocks; the end of an image may not be one.
fn write(file: &File, size: u64, offset: u64, data: &Bytes) -> io::Result<()> {
    let mut at = offset;
    for part in data.chunks(PIECE) {
        let end = at + part.len() as u64;
        let whole = part.len().is_multiple_of(BLOCK) || end == size;
        if whole && (part.as_ptr() as usize).is_multiple_of(BLOCK) {
            file.write_all_at(part, at)?;
        } else {
            let mut buffer = Aligned::new();
            let start = buffer.start;
            buffer.bytes.extend_from_slice(part);
            let padded = if whole {
                part.len()
            } else {
                part.len().next_multiple_of(BLOCK).min((size - at) as usize)
            };
            if padded > part.len() {
                // what follows the image in its last block stays as it is
                let begin = (part.len() / BLOCK) * BLOCK;
                let block = read(file, at + begin as u64, padded - begin)?;
                buffer.bytes.extend_from_slice(&block[part.len() - begin..]);
            }
            file.write_all_at(&buffer.bytes[start..], at)?;
        }
        at = end;
    }
    Ok(())
}
