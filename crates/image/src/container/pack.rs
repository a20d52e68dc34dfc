//! Making containers.

use std::thread;

use super::{BLOCK, HEADER, KIND_SHIFT, Kind, MAGIC, VERSION};

/// Blocks that one thread packs at a time: 1 MiB.
const PORTION: usize = (1 << 20) / BLOCK as usize;

/// A block as it will be stored.
struct Stored {
    kind: Kind,
    bytes: Vec<u8>,
}

/// Packs an image. The same bytes always give the same container.
#[must_use]
pub fn pack(plain: &[u8]) -> Vec<u8> {
    let blocks = pack_blocks(plain);
    let stored_len: usize = blocks.iter().map(|block| block.bytes.len()).sum();
    let mut out = Vec::with_capacity(HEADER + blocks.len() * 8 + stored_len);
    out.extend(MAGIC);
    out.extend(VERSION.to_le_bytes());
    out.extend(BLOCK.to_le_bytes());
    out.extend((plain.len() as u64).to_le_bytes());
    out.extend((blocks.len() as u32).to_le_bytes());
    out.extend([0; 4]);
    let mut end = 0;
    for block in &blocks {
        end += block.bytes.len() as u64;
        out.extend((end | (block.kind as u64) << KIND_SHIFT).to_le_bytes());
    }
    for block in &blocks {
        out.extend_from_slice(&block.bytes);
    }
    out
}

/// Packs all blocks, on all processors. Each block is packed by itself, so the result is the same on any number
/// of them.
fn pack_blocks(plain: &[u8]) -> Vec<Stored> {
    let portions: Vec<&[u8]> = plain.chunks(PORTION * BLOCK as usize).collect();
    let workers = thread::available_parallelism().map_or(1, usize::from).clamp(1, portions.len().max(1));
    let share = portions.len().div_ceil(workers).max(1);
    thread::scope(|scope| {
        let running: Vec<_> = portions
            .chunks(share)
            .map(|share| {
                scope.spawn(move || {
                    share.iter().flat_map(|portion| portion.chunks(BLOCK as usize)).map(pack_block).collect()
                })
            })
            .collect();
        running
            .into_iter()
            .flat_map(|worker| -> Vec<Stored> {
                worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
            .collect()
    })
}

fn pack_block(plain: &[u8]) -> Stored {
    if plain.iter().all(|&byte| byte == 0) {
        return Stored { kind: Kind::Zero, bytes: Vec::new() };
    }
    let packed = lz4_flex::block::compress(plain);
    // One in sixteen is too little to pay for unpacking.
    if packed.len() > plain.len() - plain.len() / 16 || packed.len() >= plain.len() {
        return Stored { kind: Kind::Plain, bytes: plain.to_vec() };
    }
    Stored { kind: Kind::Packed, bytes: packed }
}
