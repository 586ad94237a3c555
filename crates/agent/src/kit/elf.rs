//! Reads a kernel module's own description: the section `.modinfo` of a 64-bit little-endian ELF file.

/// The `key=value` strings of a module; `None` when the file is not one.
pub(super) fn module_info(file: &[u8]) -> Option<Vec<(String, String)>> {
    if file.get(..6)? != b"\x7fELF\x02\x01" {
        return None;
    }
    // ELF-64 header: section headers at 0x28, their size at 0x3a, count at 0x3c, index of the names at 0x3e
    let headers = number(file, 0x28, 8)?;
    let (size, count, names) = (number(file, 0x3a, 2)?, number(file, 0x3c, 2)?, number(file, 0x3e, 2)?);
    let section = |n: usize| -> Option<(usize, &[u8])> {
        let at = headers.checked_add(n.checked_mul(size)?)?;
        let (offset, length) = (
            number(file, at.checked_add(0x18)?, 8)?,
            number(file, at.checked_add(0x20)?, 8)?,
        );
        // a section without bytes in the file (.bss) may claim any length
        let content = file.get(offset..offset.checked_add(length)?).unwrap_or_default();
        Some((number(file, at, 4)?, content))
    };
    let (_, table) = section(names)?;
    let info = (0..count)
        .filter_map(section)
        .find(|(name, _)| table.get(*name..).is_some_and(|rest| rest.starts_with(b".modinfo\0")))?;
    let strings = info
        .1
        .split(|b| *b == 0)
        .filter_map(|s| std::str::from_utf8(s).ok()?.split_once('='));
    Some(
        strings
            .map(|(key, value)| (key.to_string(), value.to_string()))
            .collect(),
    )
}

fn number(file: &[u8], at: usize, length: usize) -> Option<usize> {
    let bytes = file.get(at..at.checked_add(length)?)?;
    usize::try_from(bytes.iter().rev().fold(0u64, |n, b| n << 8 | u64::from(*b))).ok()
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    /// A module that holds nothing but a description.
    pub(in crate::kit) fn module(info: &str) -> Vec<u8> {
        let names = b"\0.modinfo\0.shstrtab\0";
        let mut file = b"\x7fELF\x02\x01".to_vec();
        file.resize(64, 0);
        let info_at = file.len();
        file.extend_from_slice(info.as_bytes());
        let names_at = file.len();
        file.extend_from_slice(names);
        let headers = file.len() as u64;
        for (name, at, length) in [(0u32, 0, 0), (1, info_at, info.len()), (10, names_at, names.len())] {
            let mut header = [0u8; 64];
            header[..4].copy_from_slice(&name.to_le_bytes());
            header[0x18..0x20].copy_from_slice(&(at as u64).to_le_bytes());
            header[0x20..0x28].copy_from_slice(&(length as u64).to_le_bytes());
            file.extend_from_slice(&header);
        }
        file[0x28..0x30].copy_from_slice(&headers.to_le_bytes());
        file[0x3a..0x40].copy_from_slice(&[64, 0, 3, 0, 2, 0]);
        file
    }

    #[test]
    fn a_module_tells_its_aliases() {
        let info = module_info(&module("license=GPL\0alias=pci:v*\0depends=a,b\0")).unwrap();
        assert!(info.contains(&("alias".to_string(), "pci:v*".to_string())), "{info:?}");
        assert_eq!(info.len(), 3);
        assert_eq!(module_info(b"#!/bin/sh"), None);
    }

    proptest! {
        #[test]
        fn no_file_breaks_the_reader(at in 0usize..64, byte: u8, cut in 0usize..300) {
            let mut file = module("depends=a\0");
            file[at] = byte;
            file.truncate(cut);
            let _ = module_info(&file);
        }
    }
}
