//! Bytes in are bytes out, whatever the interleaving; hostile indices are caught and touch nothing else.

use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::layout::{console, vchan, xenstore};
use crate::testing::Memory;

const LAYOUTS: [Layout; 5] =
    [xenstore::REQ, xenstore::RSP, console::IN, console::OUT, Layout::new(64, 8, 0, 4)];

fn set(memory: &Memory, layout: Layout, cons: u32, prod: u32) {
    memory.store_u32(layout.cons, cons);
    memory.store_u32(layout.prod, prod);
}

#[test]
fn an_empty_ring_gives_nothing_and_a_full_one_takes_nothing() {
    let memory = Memory::new(4096);
    let (mut reader, mut writer) = (Consumer::new(xenstore::REQ), Producer::new(xenstore::REQ));
    let mut buf = [0; 2000];
    assert_eq!(reader.read(&memory, &mut buf), Ok(0));
    assert_eq!(writer.write(&memory, &[7; 2000]), Ok(1024));
    assert_eq!(writer.room(&memory), Ok(0));
    assert_eq!(writer.write(&memory, &[8]), Ok(0));
    assert_eq!(reader.available(&memory), Ok(1024));
    assert_eq!(reader.read(&memory, &mut buf), Ok(1024));
    assert!(buf[..1024].iter().all(|&b| b == 7));
}

#[test]
fn an_error_stays_when_the_peer_repairs_its_indices() {
    let memory = Memory::new(4096);
    set(&memory, xenstore::REQ, 0, 1025);
    let (mut reader, mut writer) = (Consumer::new(xenstore::REQ), Producer::new(xenstore::REQ));
    let error = RingError { cons: 0, prod: 1025 };
    assert_eq!(reader.read(&memory, &mut [0; 4]), Err(error));
    assert_eq!(writer.room(&memory), Err(error));
    set(&memory, xenstore::REQ, 0, 4);
    assert_eq!(reader.read(&memory, &mut [0; 4]), Err(error));
    assert_eq!(writer.write(&memory, &[0; 4]), Err(error));
    assert_eq!(Consumer::new(xenstore::REQ).available(&memory), Ok(4));
}

#[test]
fn a_ring_that_was_zeroed_while_idle_goes_on() {
    let memory = Memory::new(4096);
    let (mut reader, mut writer) = (Consumer::new(console::OUT), Producer::new(console::OUT));
    writer.write(&memory, b"loader").unwrap();
    reader.read(&memory, &mut [0; 6]).unwrap();
    set(&memory, console::OUT, 0, 0);
    writer.write(&memory, b"kernel").unwrap();
    let mut buf = [0; 6];
    assert_eq!(reader.read(&memory, &mut buf), Ok(6));
    assert_eq!(&buf, b"kernel");
}

#[test]
fn a_megabyte_vchan_ring_works_across_the_wrap_of_its_indices() {
    let layout = vchan::left(20, 4096);
    let memory = Memory::new(4096 + (1 << 20));
    let start = u32::MAX - 1000;
    set(&memory, layout, start, start);
    let (mut reader, mut writer) = (Consumer::new(layout), Producer::new(layout));
    let sent: Vec<u8> = (0..1 << 20).map(|i: u32| (i % 251) as u8).collect();
    assert_eq!(writer.write(&memory, &sent), Ok(1 << 20));
    let mut got = vec![0; 1 << 20];
    assert_eq!(reader.read(&memory, &mut got), Ok(1 << 20));
    assert!(got == sent);
}

proptest! {
    #[test]
    fn bytes_out_are_bytes_in_for_any_interleaving(
        which in 0..LAYOUTS.len(),
        start in any::<u32>(),
        steps in prop::collection::vec((any::<bool>(), 0usize..2100), 1..60),
    ) {
        let layout = LAYOUTS[which];
        let memory = Memory::new(4096);
        set(&memory, layout, start, start);
        let (mut reader, mut writer) = (Consumer::new(layout), Producer::new(layout));
        let mut model: VecDeque<u8> = VecDeque::new();
        let mut next = 0u8;
        for (is_write, len) in steps {
            if is_write {
                let bytes: Vec<u8> = (0..len).map(|i| next.wrapping_add(i as u8)).collect();
                let took = writer.write(&memory, &bytes).unwrap();
                prop_assert_eq!(took, len.min(layout.size() - model.len()));
                model.extend(&bytes[..took]);
                next = next.wrapping_add(took as u8);
            } else {
                let mut buf = vec![0; len];
                let got = reader.read(&memory, &mut buf).unwrap();
                prop_assert_eq!(got, len.min(model.len()));
                let expected: Vec<u8> = model.drain(..got).collect();
                prop_assert_eq!(&buf[..got], &expected[..]);
            }
            prop_assert_eq!(reader.available(&memory).unwrap(), model.len());
        }
    }

    #[test]
    fn any_indices_are_an_error_or_stay_inside_the_ring(
        which in 0..LAYOUTS.len(), cons in any::<u32>(), distance in prop_oneof![0u32..5000, any::<u32>()], len in 0usize..3000,
    ) {
        let layout = LAYOUTS[which];
        let memory = Memory::new(4096);
        let prod = cons.wrapping_add(distance);
        set(&memory, layout, cons, prod);
        let mut buf = vec![0; len];
        let read = Consumer::new(layout).read(&memory, &mut buf);
        prop_assert_eq!(read.is_err(), distance > layout.size);
        set(&memory, layout, cons, prod);
        let wrote = Producer::new(layout).write(&memory, &vec![0xff; len]);
        prop_assert_eq!(wrote.is_err(), distance > layout.size);
        set(&memory, layout, 0, 0);
        let mut page = vec![0; 4096];
        memory.read(0, &mut page);
        let inside = layout.data..layout.data + layout.size();
        prop_assert!(page.iter().enumerate().all(|(at, &b)| b == 0 || inside.contains(&at)));
    }
}
