//! ELF's own structures, of 64 bits and little-endian. Source: the System V ABI.

use alloc::vec::Vec;

use super::Run;
use super::notes::words;
use crate::PAGE;

/// Bytes of the file's header.
pub(super) const FILE_HEADER: u64 = 64;
/// Bytes of a program header.
pub(super) const PROGRAM_HEADER: u64 = 56;
/// As many program headers as this are counted in the first section header.
const PN_XNUM: u64 = 0xffff;
const PT_LOAD: u32 = 1;
const PT_NOTE: u32 = 4;
/// Readable, writable, executable.
const ALL: u32 = 7;

/// What a section is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Progbits = 1,
    Strtab = 3,
    Note = 7,
}

/// A section of the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Section {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) offset: u64,
    pub(super) size: u64,
    pub(super) align: u64,
    /// Bytes of an element, where it is a table.
    pub(super) entry: u64,
}

/// Where headers are, and how many.
#[derive(Clone, Copy, Debug)]
pub(super) struct Places {
    pub(super) programs_at: u64,
    pub(super) programs: u64,
    pub(super) sections_at: u64,
    pub(super) sections: u16,
    /// Which section has the names.
    pub(super) names: u16,
}

pub(super) fn file(places: &Places) -> Vec<u8> {
    let mut out = Vec::with_capacity(FILE_HEADER as usize);
    out.extend(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    for half in [4u16, 62] {
        out.extend(half.to_le_bytes()); // ET_CORE, EM_X86_64
    }
    out.extend(1u32.to_le_bytes()); // EV_CURRENT
    out.extend(words(&[0, places.programs_at, places.sections_at]));
    out.extend(0u32.to_le_bytes());
    let programs = places.programs.min(PN_XNUM) as u16;
    for half in [64u16, 56, programs, 64, places.sections, places.names] {
        out.extend(half.to_le_bytes());
    }
    out
}

/// A program header over notes.
pub(super) fn notes(offset: u64, size: u64) -> Vec<u8> {
    program(PT_NOTE, 0, offset, 0, size, 0, 4)
}

/// A program header over memory.
pub(super) fn memory(run: &Run, offset: u64) -> Vec<u8> {
    let (address, size) = (run.first * PAGE as u64, run.count * PAGE as u64);
    program(PT_LOAD, ALL, offset, address, size, size, PAGE as u64)
}

fn program(kind: u32, flags: u32, offset: u64, address: u64, size: u64, memory: u64, align: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(PROGRAM_HEADER as usize);
    out.extend(kind.to_le_bytes());
    out.extend(flags.to_le_bytes());
    out.extend(words(&[offset, address, address, size, memory, align]));
    out
}

/// All section headers, and the section of their names, whose place and size are filled in: `sections` has it as its
/// first, with its offset.
pub(super) fn sections(sections: &mut [Section], programs: u64) -> (Vec<u8>, Vec<u8>) {
    let mut names = alloc::vec![0];
    let places: Vec<u32> = sections
        .iter()
        .map(|section| {
            let at = names.len() as u32;
            names.extend(section.name.bytes());
            names.push(0);
            at
        })
        .collect();
    if let Some(own) = sections.first_mut() {
        own.size = names.len() as u64;
    }
    // The null section counts program headers that the file's header cannot.
    let more = if programs >= PN_XNUM { programs as u32 } else { 0 };
    let mut out = section(0, 0, 0, 0, more, 0, 0);
    for (of, name) in sections.iter().zip(places) {
        out.extend(section(name, of.kind as u32, of.offset, of.size, 0, of.align, of.entry));
    }
    (names, out)
}

fn section(name: u32, kind: u32, offset: u64, size: u64, info: u32, align: u64, entry: u64) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend(name.to_le_bytes());
    out.extend(kind.to_le_bytes());
    out.extend(words(&[0, 0, offset, size]));
    out.extend(0u32.to_le_bytes());
    out.extend(info.to_le_bytes());
    out.extend(words(&[align, entry]));
    out
}
