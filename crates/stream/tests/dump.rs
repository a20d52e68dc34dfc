//! Dumps on their way: what goes in comes out, and nothing that comes harms who reads.

use proptest::prelude::*;
use stream::dump::{BLOCK_PAGES, BadDump, MAX_FRAME, Packing, Reader, Record, Writer};
use stream::{PAGE, REGISTERS};

/// A record that owns its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Owned {
    Vcpu(u32, Vec<u8>),
    Pages(u64, Vec<u8>),
    Zeroes(u64, u64),
    End,
    Failed(Vec<u8>),
}

fn owned(record: Record<'_>) -> Owned {
    match record {
        Record::Vcpu { id, registers } => Owned::Vcpu(id, registers.to_vec()),
        Record::Pages { first, bytes } => Owned::Pages(first, bytes.to_vec()),
        Record::Zeroes { first, count } => Owned::Zeroes(first, count),
        Record::End => Owned::End,
        Record::Failed(reason) => Owned::Failed(reason.to_vec()),
    }
}

/// Reads what came in pieces of `piece` bytes.
fn read(bytes: &[u8], piece: usize) -> Result<Vec<Owned>, BadDump> {
    let mut reader = Reader::default();
    let mut records = Vec::new();
    for part in bytes.chunks(piece) {
        reader.push(part);
        while let Some(record) = reader.next_record()? {
            records.push(owned(record));
        }
    }
    Ok(records)
}

/// A page that is not zero, and that lz4 can make shorter.
fn page(seed: u8) -> [u8; PAGE] {
    std::array::from_fn(|n| if n % 64 == 0 { seed } else { 0 })
}

const ZERO: [u8; PAGE] = [0; PAGE];

#[test]
fn pages_in_a_row_travel_together_and_zeroes_as_a_number() {
    for packing in [Packing::Plain, Packing::Lz4] {
        let mut out = Vec::new();
        let mut writer = Writer::new(packing);
        writer.vcpu(3, &[7; REGISTERS], &mut out);
        for frame in 0..40 {
            let bytes = if (18..30).contains(&frame) { ZERO } else { page(frame as u8 + 1) };
            writer.page(frame, &bytes, &mut out);
        }
        writer.page(0x10_0000, &page(9), &mut out);
        writer.page(0x10_0002, &ZERO, &mut out);
        writer.end(&mut out);
        let block = |frames: std::ops::Range<u64>| {
            Owned::Pages(frames.start, frames.flat_map(|frame| page(frame as u8 + 1)).collect())
        };
        let expected = [
            Owned::Vcpu(3, vec![7; REGISTERS]),
            block(0..BLOCK_PAGES as u64),
            block(16..18),
            Owned::Zeroes(18, 12),
            block(30..40),
            Owned::Pages(0x10_0000, page(9).to_vec()),
            Owned::Zeroes(0x10_0002, 1),
            Owned::End,
        ];
        for piece in [1 << 20, 100_000, 4096, 7] {
            assert_eq!(read(&out, piece).as_deref(), Ok(&expected[..]), "{packing:?} in pieces of {piece}");
        }
        if packing == Packing::Lz4 {
            assert!(out.len() < 10_000, "{} bytes are not packed", out.len());
        }
    }
}

#[test]
fn a_flush_leaves_nothing_waiting() {
    let mut out = Vec::new();
    let mut writer = Writer::new(Packing::Plain);
    for (frame, bytes) in [(0, page(1)), (1, ZERO)] {
        writer.page(frame, &bytes, &mut out);
        writer.flush(&mut out);
    }
    assert_eq!(read(&out, 64).unwrap(), [Owned::Pages(0, page(1).to_vec()), Owned::Zeroes(1, 1)]);
}

#[test]
fn a_failure_is_the_last_word_and_its_reason_is_short() {
    let mut out = Vec::new();
    let mut writer = Writer::new(Packing::Plain);
    writer.page(0, &page(1), &mut out);
    writer.fail(&[1; 5000], &mut out);
    assert_eq!(read(&out, 64).unwrap(), [Owned::Failed(vec![1; stream::dump::MAX_REASON])]);
    out.push(0);
    assert_eq!(read(&out, 1 << 20), Err(BadDump::AfterEnd));
}

/// A header, as whoever lies would write it.
fn header(kind: u8, packing: u8, len: u32, first: u64, count: u64) -> Vec<u8> {
    let mut header = vec![kind, packing, 0, 0];
    header.extend(len.to_le_bytes());
    header.extend(first.to_le_bytes());
    header.extend(count.to_le_bytes());
    header
}

#[test]
fn what_makes_no_sense_is_refused_before_it_is_waited_for() {
    let refused = |bytes: &[u8]| read(bytes, bytes.len()).unwrap_err();
    assert_eq!(refused(&header(0, 0, 0, 0, 0)), BadDump::UnknownKind(0));
    assert_eq!(refused(&header(6, 0, 0, 0, 0)), BadDump::UnknownKind(6));
    assert_eq!(refused(&header(2, 2, 0, 0, 0)), BadDump::UnknownKind(2));
    assert_eq!(refused(&header(2, 0, 65537, 0, 16)), BadDump::BadLength(65537), "longer than a block");
    assert_eq!(refused(&header(1, 0, u32::MAX, 0, 0)), BadDump::BadLength(u32::MAX as usize));
    assert_eq!(refused(&header(4, 0, 1, 0, 0)), BadDump::BadLength(1));
    assert_eq!(refused(&header(2, 0, 0, 0, 1)), BadDump::BadLength(0), "a page without bytes");
    assert_eq!(refused(&header(3, 0, 0, 5, 0)), BadDump::BadFrames { first: 5, count: 0 });
    assert_eq!(refused(&header(3, 0, 0, 1, u64::MAX)), BadDump::BadFrames { first: 1, count: u64::MAX });
    assert_eq!(refused(&header(3, 0, 0, MAX_FRAME, 1)), BadDump::BadFrames { first: MAX_FRAME, count: 1 });
    let twice = [header(3, 0, 0, 4, 2), header(3, 0, 0, 5, 1)].concat();
    assert_eq!(refused(&twice), BadDump::BadFrames { first: 5, count: 1 });
    let garbage = [header(2, 1, 4, 0, 1), vec![0xff; 4]].concat();
    assert_eq!(refused(&garbage), BadDump::BadPacking);
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..600), piece in 1usize..100) {
        let _ = read(&bytes, piece);
    }

    #[test]
    fn any_change_of_a_dump_is_read_or_refused(at in 0usize..1000, to in any::<u8>()) {
        let mut out = Vec::new();
        let mut writer = Writer::new(Packing::Lz4);
        writer.page(0, &page(1), &mut out);
        writer.page(7, &ZERO, &mut out);
        writer.end(&mut out);
        let at = at % out.len();
        out[at] = to;
        let _ = read(&out, 50);
    }

    #[test]
    fn whatever_pages_there_are_come_out_in_order(kinds in prop::collection::vec(0u8..3, 0..80)) {
        let mut out = Vec::new();
        let mut writer = Writer::new(Packing::Lz4);
        let mut expected = Vec::new();
        for (frame, kind) in (0u64..).zip(kinds) {
            let bytes = match kind { 0 => continue, 1 => ZERO, _ => page(frame as u8 | 1) };
            writer.page(frame, &bytes, &mut out);
            expected.push((frame, bytes));
        }
        writer.end(&mut out);
        let mut seen = Vec::new();
        for record in read(&out, 999).unwrap() {
            match record {
                Owned::Pages(first, bytes) => {
                    seen.extend((first..).zip(bytes.chunks(PAGE).map(|p| <[u8; PAGE]>::try_from(p).unwrap())));
                }
                Owned::Zeroes(first, count) => seen.extend((first..first + count).map(|frame| (frame, ZERO))),
                Owned::Vcpu(..) | Owned::End | Owned::Failed(_) => {}
            }
        }
        prop_assert!(seen == expected);
    }
}
