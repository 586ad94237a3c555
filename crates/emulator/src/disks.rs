//! The drives' contents: sparse files in the rack's folder, or memory.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Granularity of a drive in memory.
const CHUNK: u64 = 64 << 10;

/// Where drives keep their bytes.
#[derive(Debug, Clone)]
pub enum Disks {
    /// Sparse files in this folder.
    Files(PathBuf),
    /// Memory, gone with the rack.
    Memory,
    /// Memory that a rack which is built again finds as it was.
    Kept(Kept),
}

/// Drives that outlive their rack, by name. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Kept(Arc<Mutex<BTreeMap<String, Drive>>>);

/// One drive.
#[derive(Debug, Clone)]
pub struct Drive {
    size: u64,
    store: Store,
}

#[derive(Debug, Clone)]
enum Store {
    File(Arc<File>, PathBuf),
    Memory(Arc<Mutex<BTreeMap<u64, Vec<u8>>>>),
}

impl Disks {
    /// Opens a drive, which is made empty when it is new.
    pub fn open(&self, name: &str, size: u64) -> io::Result<Drive> {
        let store = match self {
            Disks::Memory => Store::Memory(Arc::default()),
            Disks::Kept(kept) => {
                let new = || Drive {
                    size,
                    store: Store::Memory(Arc::default()),
                };
                return Ok(lock(&kept.0).entry(name.to_owned()).or_insert_with(new).clone());
            }
            Disks::Files(folder) => {
                std::fs::create_dir_all(folder)?;
                let path = folder.join(format!("{}.img", name.replace('/', "-")));
                let file = OpenOptions::new()
                    .read(true)
                    .write(true)
                    .create(true)
                    .truncate(false)
                    .open(&path)?;
                if file.metadata()?.len() != size {
                    file.set_len(size)?;
                }
                Store::File(Arc::new(file), path)
            }
        };
        Ok(Drive { size, store })
    }
}

impl Drive {
    /// Capacity in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Its file, if it has one.
    pub fn path(&self) -> Option<&Path> {
        match &self.store {
            Store::File(_, path) => Some(path),
            Store::Memory(_) => None,
        }
    }

    fn within(&self, offset: u64, length: usize) -> io::Result<()> {
        match offset.checked_add(length as u64) {
            Some(end) if end <= self.size => Ok(()),
            _ => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "beyond the end of the drive",
            )),
        }
    }

    /// Reads exactly `length` bytes.
    pub fn read(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        self.within(offset, length)?;
        let mut out = vec![0; length];
        match &self.store {
            Store::File(file, _) => file.read_exact_at(&mut out, offset)?,
            Store::Memory(chunks) => {
                let chunks = lock(chunks);
                for (at, part) in pieces(offset, length) {
                    if let Some(chunk) = chunks.get(&(at / CHUNK)) {
                        let from = (at % CHUNK) as usize;
                        out[part.clone()].copy_from_slice(&chunk[from..from + part.len()]);
                    }
                }
            }
        }
        Ok(out)
    }

    /// Writes all of `data`.
    pub fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.within(offset, data.len())?;
        match &self.store {
            Store::File(file, _) => file.write_all_at(data, offset),
            Store::Memory(chunks) => {
                let mut chunks = lock(chunks);
                for (at, part) in pieces(offset, data.len()) {
                    let chunk = chunks.entry(at / CHUNK).or_insert_with(|| vec![0; CHUNK as usize]);
                    let from = (at % CHUNK) as usize;
                    chunk[from..from + part.len()].copy_from_slice(&data[part]);
                }
                Ok(())
            }
        }
    }

    /// Forgets everything.
    pub fn erase(&self) -> io::Result<()> {
        match &self.store {
            Store::File(file, _) => file.set_len(0).and_then(|()| file.set_len(self.size)),
            Store::Memory(chunks) => {
                lock(chunks).clear();
                Ok(())
            }
        }
    }

    /// Whether every byte is zero. A drive in memory knows without looking at what was never written.
    pub fn is_blank(&self) -> io::Result<bool> {
        if let Store::Memory(chunks) = &self.store {
            return Ok(lock(chunks).values().all(|c| c.iter().all(|b| *b == 0)));
        }
        let mut at = 0;
        while at < self.size {
            let length = CHUNK.min(self.size - at);
            if self.read(at, length as usize)?.iter().any(|b| *b != 0) {
                return Ok(false);
            }
            at += length;
        }
        Ok(true)
    }

    /// Whether syncing waits for a real disk.
    pub fn waits(&self) -> bool {
        matches!(self.store, Store::File(..))
    }

    /// Makes what was written durable.
    pub fn sync(&self) -> io::Result<()> {
        match &self.store {
            Store::File(file, _) => file.sync_data(),
            Store::Memory(_) => Ok(()),
        }
    }

    /// Whether firmware finds a boot sector: 0x55AA at its end (UEFI 2.10 §5.2.1).
    pub fn bootable(&self) -> bool {
        matches!(self.read(0, 512), Ok(sector) if sector[510..] == [0x55, 0xaa])
    }
}

/// A range cut at chunk borders: where on the drive, and which part of the buffer.
fn pieces(offset: u64, length: usize) -> impl Iterator<Item = (u64, std::ops::Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        if done >= length {
            return None;
        }
        let at = offset + done as u64;
        let n = ((CHUNK - at % CHUNK) as usize).min(length - done);
        let part = done..done + n;
        done += n;
        Some((at, part))
    })
}

/// A poisoned lock means that a write panicked; what is there is still the drive.
fn lock<T>(m: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    m.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn kept_drives_are_found_as_they_were() {
        let disks = Disks::Kept(Kept::default());
        let open = |name| disks.clone().open(name, 1 << 20).unwrap();
        open("r1/u1-nvme0n1").write(4096, b"data").unwrap();
        assert_eq!(open("r1/u1-nvme0n1").read(4096, 4).unwrap(), b"data");
        assert!(open("r1/u2-nvme0n1").is_blank().unwrap());
    }

    #[test]
    fn files_and_memory_hold_the_same_bytes_and_forget_them() {
        let folder = tempfile::tempdir().unwrap();
        for disks in [
            Disks::Files(folder.path().into()),
            Disks::Memory,
            Disks::Kept(Kept::default()),
        ] {
            let drive = disks.open("r1/u1-nvme0n1", 1 << 20).unwrap();
            let data: Vec<u8> = (0..150_000u32).map(|i| i as u8).collect();
            drive.write(4096, &data).unwrap();
            assert_eq!(drive.read(4096, data.len()).unwrap(), data);
            assert!(drive.write((1 << 20) - 1, &[1, 2]).is_err());
            assert!(!drive.bootable());
            drive.write(510, &[0x55, 0xaa]).unwrap();
            assert!(drive.bootable());
            drive.erase().unwrap();
            assert!(drive.read(0, 1 << 20).unwrap().iter().all(|b| *b == 0));
        }
    }
}
