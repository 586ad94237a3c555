//! The image that an emulated rack comes with: a disk that an emulated firmware boots, so that the first `busbar run`
//! needs no download.

use std::io::Write as _;
use std::path::Path;

/// Size of the demonstration disk: large enough to see a progress bar move, small enough for a first minute.
const SIZE: usize = 256 << 20;

/// Writes the demonstration disk: a boot sector with its signature, and then data that does not compress to nothing.
pub fn write(file: &Path) -> std::io::Result<()> {
    let temporary = file.with_extension("new");
    let mut out = std::io::BufWriter::with_capacity(1 << 20, std::fs::File::create(&temporary)?);
    let mut sector = [0u8; 512];
    sector[..32].copy_from_slice(b"Busbar demonstration disk       ");
    // The boot signature that firmware looks for (UEFI 2.10 §5.2.1).
    sector[510..].copy_from_slice(&[0x55, 0xaa]);
    out.write_all(&sector)?;
    // xorshift: the same bytes each time, so that the image has the same digest on every machine. Every other block
    // is zeroes, as on a real disk.
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut block = [0u8; 4096];
    let mut written = sector.len();
    while written < SIZE {
        let mut random = [0u8; 4096];
        if (written / block.len()) % 8 == 0 {
            for word in random.chunks_exact_mut(8) {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                word.copy_from_slice(&state.to_le_bytes());
            }
        }
        block.copy_from_slice(&random);
        let length = block.len().min(SIZE - written);
        out.write_all(&block[..length])?;
        written += length;
    }
    out.into_inner()
        .map_err(std::io::IntoInnerError::into_error)?
        .sync_all()?;
    std::fs::rename(&temporary, file)
}
