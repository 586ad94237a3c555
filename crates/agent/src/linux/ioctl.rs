//! The calls to the kernel that have no safe wrapper: NVMe admin commands and the re-read of a partition table. The only
//! `unsafe` code of the agent.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::io;
use std::os::fd::AsFd;

use rustix::ioctl::{Ioctl, IoctlOutput, NoArg, Opcode, ioctl, opcode};

/// `struct nvme_passthru_cmd` of `linux/nvme_ioctl.h`, and its buffer beside it.
#[repr(C)]
#[derive(Default)]
struct Passthru {
    opcode: u8,
    flags: u8,
    reserved: u16,
    namespace: u32,
    cdw2: u32,
    cdw3: u32,
    metadata: u64,
    address: u64,
    metadata_length: u32,
    length: u32,
    cdw10: u32,
    cdw11: u32,
    cdw12: u32,
    cdw13: u32,
    cdw14: u32,
    cdw15: u32,
    timeout_ms: u32,
    result: u32,
}

/// An NVMe admin command without its buffer.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Admin {
    pub(super) opcode: u8,
    pub(super) namespace: u32,
    pub(super) cdw10: u32,
    pub(super) timeout_ms: u32,
}

struct Call<'a>(&'a mut Passthru);

// SAFETY: the opcode is NVME_IOCTL_ADMIN_CMD, `_IOWR('N', 0x41, struct nvme_passthru_cmd)`, and `as_ptr` gives a pointer
// to just that structure (its size is asserted below), which lives as long as the call. The kernel writes to it and to
// the buffer that `address` and `length` describe, hence IS_MUTATING.
unsafe impl Ioctl for Call<'_> {
    /// The NVMe status: 0 is success.
    type Output = i32;
    const IS_MUTATING: bool = true;

    fn opcode(&self) -> Opcode {
        opcode::read_write::<Passthru>(b'N', 0x41)
    }

    fn as_ptr(&mut self) -> *mut c_void {
        std::ptr::from_mut(self.0).cast()
    }

    unsafe fn output_from_ptr(out: IoctlOutput, _: *mut c_void) -> rustix::io::Result<i32> {
        Ok(out)
    }
}

const _: () = assert!(size_of::<Passthru>() == 72);

/// Sends an admin command; the device fills `buffer`. An NVMe status that is not success is an error.
pub(super) fn admin(device: impl AsFd, command: Admin, buffer: &mut [u8]) -> io::Result<()> {
    let mut passthru = Passthru {
        opcode: command.opcode,
        namespace: command.namespace,
        cdw10: command.cdw10,
        timeout_ms: command.timeout_ms,
        address: if buffer.is_empty() {
            0
        } else {
            buffer.as_mut_ptr() as u64
        },
        length: buffer.len() as u32,
        ..Passthru::default()
    };
    // SAFETY: `address` and `length` describe `buffer`, which is borrowed mutably until after the call; the kernel copies to
    // it before the call returns and keeps no pointer. `Call` is what its opcode says.
    let status = unsafe { ioctl(device, Call(&mut passthru)) }?;
    if status != 0 {
        return Err(io::Error::other(format!(
            "NVMe status {status:#x} to opcode {:#x}",
            command.opcode
        )));
    }
    Ok(())
}

/// Reads a disk's partition table anew: `BLKRRPART`, `_IO(0x12, 95)`.
pub(super) fn read_partitions(device: impl AsFd) -> io::Result<()> {
    // SAFETY: BLKRRPART takes no argument and touches no memory of ours.
    Ok(unsafe { ioctl(device, NoArg::<{ opcode::none(0x12, 95) }>::new()) }?)
}
