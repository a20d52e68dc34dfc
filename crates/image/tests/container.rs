//! Containers: what goes in comes out, from anywhere; what is damaged is refused.

use image::container::{BLOCK, pack};
use image::{Container, ContainerError, ReadAt, ReadError};
use proptest::prelude::*;

const SIZE: usize = BLOCK as usize;

/// Bytes of which some blocks pack well, some do not, and some are zero.
fn mixed(len: usize) -> Vec<u8> {
    let mut state = 1u32;
    (0..len)
        .map(|at| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            match at / SIZE % 3 {
                0 => (state >> 24) as u8,
                1 => 0,
                _ => (at / 100) as u8,
            }
        })
        .collect()
}

fn unpacked(container: &[u8]) -> Vec<u8> {
    let mut reader = Container::parse(container).unwrap().reader();
    let mut out = vec![0xaa; reader.plain_len() as usize];
    reader.read_at(0, &mut out).unwrap();
    out
}

#[test]
fn what_was_packed_is_unpacked() {
    for len in [0, 1, SIZE - 1, SIZE, SIZE + 1, 7 * SIZE + 77] {
        let plain = mixed(len);
        assert!(unpacked(&pack(&plain)) == plain, "{len} bytes");
    }
}

#[test]
fn packing_never_makes_an_image_much_longer() {
    let plain = mixed(SIZE); // random bytes
    assert!(pack(&plain).len() <= plain.len() + 40);
    assert!(pack(&vec![0; 100 * SIZE]).len() <= 32 + 100 * 8);
}

#[test]
fn zeroes_that_are_not_stored_are_known() {
    let container = pack(&mixed(6 * SIZE));
    let reader = Container::parse(&container).unwrap().reader();
    let size = SIZE as u64;
    assert!(reader.is_zero(size, size) && reader.is_zero(size + 5, 10));
    assert!(!reader.is_zero(size - 1, 2) && !reader.is_zero(size, size + 1));
    assert!(!reader.is_zero(size, 0) && !reader.is_zero(6 * size, 1) && !reader.is_zero(u64::MAX, 2));
}

#[test]
fn reading_behind_the_end_is_refused() {
    let container = pack(&mixed(100));
    let mut reader = Container::parse(&container).unwrap().reader();
    for (offset, len) in [(0, 101), (100, 1), (u64::MAX, 1), (u64::MAX - 1, 5)] {
        let refused = reader.read_at(offset, &mut vec![0; len]);
        assert!(matches!(refused, Err(ReadError::OutOfRange { len: 100, .. })), "{len} at {offset}");
    }
    assert_eq!(reader.read_at(100, &mut []), Ok(()));
}

#[test]
fn every_cut_is_noticed() {
    let container = pack(&mixed(3 * SIZE));
    for len in (0..200).chain([container.len() - 1]) {
        assert!(Container::parse(&container[..len]).is_err(), "{len} bytes");
    }
    let longer = [&container[..], b"x"].concat();
    assert!(matches!(Container::parse(&longer), Err(ContainerError::Length { .. })));
}

#[test]
fn each_bad_header_has_its_own_error() {
    let good = pack(&mixed(2 * SIZE));
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        Container::parse(&bytes).map(|_| ()).unwrap_err()
    };
    assert_eq!(with(0, b'N'), ContainerError::NotContainer);
    assert_eq!(with(8, 9), ContainerError::Version { found: 9 });
    assert_eq!(with(12, 1), ContainerError::Header);
    assert_eq!(with(24, 1), ContainerError::Header);
    assert_eq!(with(39, 0xc0), ContainerError::Block { block: 0 });
    assert_eq!(Container::parse(b"").map(|_| ()), Err(ContainerError::NotContainer));
}

#[test]
fn damaged_packed_bytes_are_an_error_when_they_are_read() {
    let plain: Vec<u8> = (0..SIZE).map(|at| (at / 100) as u8).collect();
    let mut container = pack(&plain);
    let start = 32 + 8;
    container[start..].fill(0xff);
    let mut reader = Container::parse(&container).unwrap().reader();
    let damaged = ReadError::Damaged(ContainerError::Block { block: 0 });
    assert_eq!(reader.read_at(0, &mut vec![0; SIZE]), Err(damaged));
    assert_eq!(reader.read_at(1, &mut [0; 10]), Err(damaged));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_part_can_be_read(parts in prop::collection::vec((0..5 * SIZE, 0..2 * SIZE), 1..20)) {
        let plain = mixed(5 * SIZE + 1234);
        let container = pack(&plain);
        let mut reader = Container::parse(&container).unwrap().reader();
        for (start, len) in parts {
            let end = (start + len).min(plain.len());
            let mut out = vec![0xaa; end - start];
            reader.read_at(start as u64, &mut out).unwrap();
            prop_assert!(out == plain[start..end]);
        }
    }

    #[test]
    fn any_bytes_can_be_parsed_and_read(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = pack(&mixed(3 * SIZE));
        bytes.drain(80..bytes.len() - 300);
        // Half of the changes hit header and table.
        for (n, (at, byte)) in changes.into_iter().enumerate() {
            let range = if n % 2 == 0 { 60 } else { bytes.len() };
            bytes[at.index(range)] = byte;
        }
        if let Ok(container) = Container::parse(&bytes) {
            let mut out = vec![0; 3 * SIZE];
            let _ = container.reader().read_at(0, &mut out);
        }
    }
}
