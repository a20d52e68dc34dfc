//! The little of ELF64 that checking a linked program takes.

/// `PT_LOAD`.
const LOAD: u32 = 1;

/// How long a program's file is without what is never loaded (symbols, debug information): headers and the contents
/// of its `PT_LOAD` segments. `None` where `file` is no ELF64 file.
pub(crate) fn loaded_size(file: &[u8]) -> Option<u64> {
    if !file.starts_with(b"\x7fELF\x02") {
        return None;
    }
    let table = usize::try_from(u64::from_le_bytes(file.get(32..40)?.try_into().ok()?)).ok()?;
    let half = |at: usize| Some(usize::from(u16::from_le_bytes(file.get(at..at + 2)?.try_into().ok()?)));
    let (entry, count) = (half(54)?, half(56)?);
    let mut end = (table + entry * count) as u64;
    for n in 0..count {
        let header = file.get(table + n * entry..table + (n + 1) * entry)?;
        let word = |at: usize| Some(u64::from_le_bytes(header.get(at..at + 8)?.try_into().ok()?));
        if header.get(..4)? == LOAD.to_le_bytes() {
            end = end.max(word(8)?.checked_add(word(32)?)?);
        }
    }
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_without_its_symbols_is_smaller_than_its_file() {
        let file = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let size = loaded_size(&file).unwrap();
        assert!(size > 100_000 && size < file.len() as u64, "{size} of {}", file.len());
    }

    #[test]
    fn what_is_no_elf_file_or_ends_early_has_no_size() {
        let file = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert_eq!(loaded_size(b"#!/bin/sh"), None);
        assert_eq!(loaded_size(&file[..70]), None);
    }
}
