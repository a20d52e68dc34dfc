//! The index arithmetic of small rings, all of it: every pair of indices about every place where numbers wrap, and every length.
//!
//! What is expected is computed another way, in numbers that do not wrap: byte `n` of the stream lies at `n` modulo the ring's size.

use ring::testing::Memory;
use ring::{Consumer, Layout, Producer, RingError, Shared};

/// The ring's bytes come after one byte that is not its own, and before some more.
const DATA: usize = 9;
const CONS: usize = 0;
const PROD: usize = 4;
const PAGE: usize = 64;

/// Where indices are looked at: about zero (and so about the end of u32), and about the change of sign.
const BASES: [u32; 2] = [0, 1 << 31];

/// Every index within so many ring sizes of a base. Miri takes ten thousand times as long, and gets less.
const AROUND: u32 = if cfg!(miri) { 1 } else { 3 };

fn indices(size: u32) -> impl Iterator<Item = u32> {
    BASES.into_iter().flat_map(move |base| {
        (0..size * AROUND * 2).map(move |at| base.wrapping_sub(size * AROUND).wrapping_add(at))
    })
}

/// Every state of a ring of this size, each with every length of a buffer.
fn every_state(size: u32, mut check: impl FnMut(u32, u32, usize)) {
    for cons in indices(size) {
        for prod in indices(size) {
            for len in 0..=size as usize + 2 {
                check(cons, prod, len);
            }
        }
    }
}

/// How many bytes lie between the two indices, as numbers that do not wrap. More than the ring holds: None.
fn used(cons: u32, prod: u32, size: u32) -> Option<u64> {
    let (cons, prod) = (u64::from(cons), u64::from(prod));
    let distance = if prod >= cons { prod - cons } else { prod + (1 << 32) - cons };
    (distance <= u64::from(size)).then_some(distance)
}

fn slot(index: u32, by: u64, size: u32) -> usize {
    DATA + ((u64::from(index) + by) % (1 << 32) % u64::from(size)) as usize
}

fn page(cons: u32, prod: u32) -> (Memory, [u8; PAGE]) {
    let memory = Memory::new(PAGE);
    let fill: Vec<u8> = (0..PAGE as u8).map(|at| at | 0x80).collect();
    memory.write(0, &fill);
    memory.store_u32(CONS, cons);
    memory.store_u32(PROD, prod);
    let mut bytes = [0; PAGE];
    memory.read(0, &mut bytes);
    (memory, bytes)
}

fn set(page: &mut [u8; PAGE], at: usize, index: u32) {
    page[at..at + 4].copy_from_slice(&index.to_le_bytes());
}

fn check_page(memory: &Memory, expected: &[u8; PAGE], what: &str) {
    let mut bytes = [0; PAGE];
    memory.read(0, &mut bytes);
    assert_eq!(&bytes, expected, "{what}");
}

/// The sizes of the rings.
const SIZES: &[u32] = if cfg!(miri) { &[1, 2] } else { &[1, 2, 4, 8] };

#[test]
fn reading_takes_the_bytes_that_are_there_and_moves_one_index() {
    for &size in SIZES {
        let layout = Layout::new(DATA, size, CONS, PROD);
        every_state(size, |cons, prod, len| {
            let what = format!("size {size}, cons {cons:#x}, prod {prod:#x}, {len} bytes");
            let (memory, mut expected) = page(cons, prod);
            let mut into = vec![0; len];
            let mut reader = Consumer::new(layout);
            let done = reader.read(&memory, &mut into);
            match used(cons, prod, size) {
                None => {
                    assert_eq!(done, Err(RingError { cons, prod }), "{what}");
                    assert_eq!(reader.available(&memory), Err(RingError { cons, prod }), "{what}: for ever");
                    assert!(into.iter().all(|byte| *byte == 0), "{what}");
                }
                Some(used) => {
                    let count = used.min(len as u64);
                    assert_eq!(done, Ok(count as usize), "{what}");
                    assert_eq!(reader.available(&memory), Ok((used - count) as usize), "{what}");
                    let there = (0..count).map(|by| expected[slot(cons, by, size)]);
                    assert!(there.eq(into[..count as usize].iter().copied()), "{what}");
                    assert!(into[count as usize..].iter().all(|byte| *byte == 0), "{what}");
                    set(&mut expected, CONS, ((u64::from(cons) + count) % (1 << 32)) as u32);
                }
            }
            check_page(&memory, &expected, &what);
        });
    }
}

#[test]
fn writing_fills_the_room_that_is_there_and_moves_one_index() {
    for &size in SIZES {
        let layout = Layout::new(DATA, size, CONS, PROD);
        every_state(size, |cons, prod, len| {
            let what = format!("size {size}, cons {cons:#x}, prod {prod:#x}, {len} bytes");
            let (memory, mut expected) = page(cons, prod);
            let from: Vec<u8> = (1..=len as u8).collect();
            let mut writer = Producer::new(layout);
            let done = writer.write(&memory, &from);
            match used(cons, prod, size) {
                None => {
                    assert_eq!(done, Err(RingError { cons, prod }), "{what}");
                    assert_eq!(writer.room(&memory), Err(RingError { cons, prod }), "{what}: for ever");
                }
                Some(used) => {
                    let room = u64::from(size) - used;
                    let count = room.min(len as u64);
                    assert_eq!(done, Ok(count as usize), "{what}");
                    assert_eq!(writer.room(&memory), Ok((room - count) as usize), "{what}");
                    for by in 0..count {
                        expected[slot(prod, by, size)] = from[by as usize];
                    }
                    set(&mut expected, PROD, ((u64::from(prod) + count) % (1 << 32)) as u32);
                }
            }
            check_page(&memory, &expected, &what);
        });
    }
}
