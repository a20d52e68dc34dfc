//! The sending end.

use alloc::vec::Vec;

use super::{BLOCK_PAGES, END, FAILED, HEADER, MAX_REASON, PAGES, VCPU, ZEROES};
use crate::PAGE;

/// How bodies travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// As they are: where bytes are cheaper than the processor's time.
    Plain,
    /// As lz4 blocks, where that makes them shorter.
    Lz4,
}

/// Makes records. Holds one block at most: pages in a row leave together.
#[derive(Debug)]
pub struct Writer {
    packing: Packing,
    /// Pages that wait for their record.
    block: Vec<u8>,
    /// The first of them.
    block_first: u64,
    /// Zeroes that wait for their record: the first frame, and how many.
    zeroes: Option<(u64, u64)>,
}

impl Writer {
    /// A sender that has said nothing yet.
    #[must_use]
    pub fn new(packing: Packing) -> Self {
        Writer { packing, block: Vec::new(), block_first: 0, zeroes: None }
    }

    /// Appends the registers of a vCPU.
    pub fn vcpu(&mut self, id: u32, registers: &[u8], out: &mut Vec<u8>) {
        record(out, VCPU, self.packing, u64::from(id), 0, registers);
    }

    /// Takes a page; frames ascend. What leaves for it now is appended.
    pub fn page(&mut self, frame: u64, bytes: &[u8; PAGE], out: &mut Vec<u8>) {
        if is_zero(bytes) {
            self.flush_block(out);
            match &mut self.zeroes {
                Some((first, count)) if *first + *count == frame => *count += 1,
                _ => {
                    self.flush_zeroes(out);
                    self.zeroes = Some((frame, 1));
                }
            }
            return;
        }
        self.flush_zeroes(out);
        let next = self.block_first + (self.block.len() / PAGE) as u64;
        if next != frame || self.block.len() == BLOCK_PAGES * PAGE {
            self.flush_block(out);
        }
        if self.block.is_empty() {
            self.block_first = frame;
        }
        self.block.extend_from_slice(bytes);
    }

    /// Appends what waits.
    pub fn flush(&mut self, out: &mut Vec<u8>) {
        self.flush_zeroes(out);
        self.flush_block(out);
    }

    /// Appends what waits, and that this was all.
    pub fn end(mut self, out: &mut Vec<u8>) {
        self.flush(out);
        record(out, END, Packing::Plain, 0, 0, &[]);
    }

    /// Appends that nothing more comes, and why; a reason longer than [`MAX_REASON`] is cut.
    pub fn fail(self, reason: &[u8], out: &mut Vec<u8>) {
        record(out, FAILED, Packing::Plain, 0, 0, &reason[..reason.len().min(MAX_REASON)]);
    }

    fn flush_block(&mut self, out: &mut Vec<u8>) {
        if !self.block.is_empty() {
            let count = (self.block.len() / PAGE) as u64;
            record(out, PAGES, self.packing, self.block_first, count, &self.block);
            self.block.clear();
        }
    }

    fn flush_zeroes(&mut self, out: &mut Vec<u8>) {
        if let Some((first, count)) = self.zeroes.take() {
            record(out, ZEROES, Packing::Plain, first, count, &[]);
        }
    }
}

fn is_zero(page: &[u8; PAGE]) -> bool {
    // In steps that are left early, and that the compiler makes wide.
    page.as_chunks::<64>().0.iter().all(|part| part.iter().fold(0, |all, byte| all | byte) == 0)
}

fn record(out: &mut Vec<u8>, kind: u8, packing: Packing, first: u64, count: u64, body: &[u8]) {
    let packed = match packing {
        Packing::Plain => None,
        Packing::Lz4 => Some(lz4_flex::block::compress(body)).filter(|packed| packed.len() < body.len()),
    };
    let stored = packed.as_deref().unwrap_or(body);
    out.reserve(HEADER + stored.len());
    out.extend([kind, u8::from(packed.is_some()), 0, 0]);
    out.extend((stored.len() as u32).to_le_bytes());
    out.extend(first.to_le_bytes());
    out.extend(count.to_le_bytes());
    out.extend(stored);
}
