//! All of a core file but its pages, piece by piece.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::headers::{self, Kind, PROGRAM_HEADER, Places, Section};
use super::{CoreFile, PAGES_AT, Run, XenVersion, notes};
use crate::{PAGE, REGISTERS};

/// Bytes of a piece, about.
const PIECE: usize = 64 << 10;
/// Bytes of an entry of `.xen_pfn`.
const ENTRY: u64 = 8;

/// Bytes, and where in the file they belong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// From the file's start.
    pub offset: u64,
    /// What belongs there.
    pub bytes: Vec<u8>,
}

/// The pieces that follow the pages, in order; last of all the file's header.
#[derive(Clone, Debug)]
pub struct Tail {
    before: VecDeque<Piece>,
    runs: Vec<Run>,
    /// The next frame number to be told.
    frames: Cursor,
    /// The next program header.
    programs: Cursor,
    after: VecDeque<Piece>,
    len: u64,
}

/// How far a table has been told.
#[derive(Clone, Copy, Debug)]
struct Cursor {
    /// Where in the file it goes on.
    offset: u64,
    run: usize,
    /// Frames that were told: of this run, or before it.
    frames: u64,
}

impl Tail {
    pub(super) fn new(file: CoreFile, xen: &XenVersion<'_>) -> Self {
        let CoreFile { vcpus, runs, pages } = file;
        let pages_len = pages * PAGE as u64;
        let registers_at = PAGES_AT + pages_len;
        let registers_len = (vcpus.len() * REGISTERS) as u64;
        let mut registers = Vec::with_capacity(registers_len as usize);
        let mut notes = notes::of_xen(vcpus.len(), pages, xen);
        let xens_len = notes.len() as u64;
        for (id, of_vcpu) in vcpus {
            registers.extend(*of_vcpu);
            notes.extend(notes::of_vcpu(id, &of_vcpu));
        }
        let notes_len = notes.len() as u64;

        let notes_at = registers_at + registers_len;
        let frames_at = (notes_at + notes_len).next_multiple_of(8);
        let frames_len = pages * ENTRY;
        let programs_at = frames_at + frames_len;
        let nr_programs = 1 + runs.len() as u64;
        let names_at = programs_at + nr_programs * PROGRAM_HEADER;

        let section =
            |name, kind, offset, size, align, entry| Section { name, kind, offset, size, align, entry };
        let mut sections = [
            section(".shstrtab", Kind::Strtab, names_at, 0, 0, 0),
            section(".note.Xen", Kind::Note, notes_at, xens_len, 4, 0),
            section(".xen_prstatus", Kind::Progbits, registers_at, registers_len, 8, REGISTERS as u64),
            section(".xen_pages", Kind::Progbits, PAGES_AT, pages_len, PAGE as u64, PAGE as u64),
            section(".xen_pfn", Kind::Progbits, frames_at, frames_len, ENTRY, ENTRY),
            section(".note.cpus", Kind::Note, notes_at + xens_len, notes_len - xens_len, 4, 0),
        ];
        let nr_sections = sections.len() as u16 + 1;
        let (names, section_headers) = headers::sections(&mut sections, nr_programs);
        let sections_at = (names_at + names.len() as u64).next_multiple_of(8);
        let len = sections_at + section_headers.len() as u64;
        let header = headers::file(&Places {
            programs_at,
            programs: nr_programs,
            sections_at,
            sections: nr_sections,
            names: 1,
        });
        let over_notes = headers::notes(notes_at, notes_len);
        let piece = |offset, bytes| Piece { offset, bytes };
        Tail {
            before: [piece(registers_at, registers), piece(notes_at, notes), piece(programs_at, over_notes)]
                .into(),
            runs,
            frames: Cursor { offset: frames_at, run: 0, frames: 0 },
            programs: Cursor { offset: programs_at + PROGRAM_HEADER, run: 0, frames: 0 },
            after: [piece(names_at, names), piece(sections_at, section_headers), piece(0, header)].into(),
            len,
        }
    }

    /// How long the file is in the end.
    #[must_use]
    pub fn file_len(&self) -> u64 {
        self.len
    }

    /// More of `.xen_pfn`.
    fn more_frames(&mut self) -> Option<Piece> {
        let at = &mut self.frames;
        let mut bytes = Vec::new();
        while let Some(run) = self.runs.get(at.run).filter(|_| bytes.len() < PIECE) {
            let some = (run.count - at.frames).min(((PIECE - bytes.len()) as u64).div_ceil(ENTRY));
            let first = run.first + at.frames;
            bytes.extend((first..first + some).flat_map(u64::to_le_bytes));
            at.frames += some;
            if at.frames == run.count {
                (at.run, at.frames) = (at.run + 1, 0);
            }
        }
        piece_at(&mut at.offset, bytes)
    }

    /// More program headers over memory.
    fn more_programs(&mut self) -> Option<Piece> {
        let at = &mut self.programs;
        let mut bytes = Vec::new();
        while let Some(run) = self.runs.get(at.run).filter(|_| bytes.len() < PIECE) {
            bytes.extend(headers::memory(run, PAGES_AT + at.frames * PAGE as u64));
            (at.run, at.frames) = (at.run + 1, at.frames + run.count);
        }
        piece_at(&mut at.offset, bytes)
    }
}

/// Bytes as the next piece of a table; none if there are none.
fn piece_at(at: &mut u64, bytes: Vec<u8>) -> Option<Piece> {
    let offset = *at;
    *at += bytes.len() as u64;
    (!bytes.is_empty()).then_some(Piece { offset, bytes })
}

impl Iterator for Tail {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        let before = self.before.pop_front();
        before
            .or_else(|| self.more_frames())
            .or_else(|| self.more_programs())
            .or_else(|| self.after.pop_front())
    }
}
