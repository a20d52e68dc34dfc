//! Numbers and lists as bytes, and back from bytes that anybody may have written.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::graph::{Graph, Loaded};
use super::{RestoreError, Saved};

/// The largest number that any count, size or generation may have: far from overflowing.
const NUMBER_MAX: u64 = 1 << 62;
/// The largest size in bytes or things.
const SIZE_MAX: u64 = 1 << 40;

/// What is written so far.
#[derive(Default)]
pub(crate) struct Saver<'a> {
    pub(super) out: Vec<u8>,
    /// The nodes that it refers to.
    pub(super) graph: Graph<'a>,
}

/// What is still to be read.
pub(crate) struct Loader<'a> {
    pub(super) rest: &'a [u8],
    /// The nodes that it refers to.
    pub(super) graph: Loaded,
}

/// Appends a number: seven bits a byte, the lowest first.
pub(super) fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Reads what [`put_number`] wrote.
pub(super) fn take_number(rest: &mut &[u8]) -> Result<u64, RestoreError> {
    let mut number = 0;
    for shift in (0..63).step_by(7) {
        let (&byte, tail) = rest.split_first().ok_or(RestoreError::Short)?;
        *rest = tail;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return if number <= NUMBER_MAX { Ok(number) } else { Err(RestoreError::Malformed) };
        }
    }
    Err(RestoreError::Malformed)
}

/// Reads how many things follow: never more than there are bytes, so that no room is made for what is not there.
pub(super) fn take_count(rest: &mut &[u8]) -> Result<usize, RestoreError> {
    let count = take_number(rest)?;
    if count > rest.len() as u64 { Err(RestoreError::Short) } else { Ok(count as usize) }
}

pub(super) fn take_bytes<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], RestoreError> {
    let count = take_count(rest)?;
    let (bytes, tail) = rest.split_at(count);
    *rest = tail;
    Ok(bytes)
}

impl Saved for u64 {
    fn save<'a>(&'a self, to: &mut Saver<'a>) {
        put_number(&mut to.out, *self);
    }

    fn load(from: &mut Loader<'_>) -> Result<Self, RestoreError> {
        take_number(&mut from.rest)
    }
}

macro_rules! smaller_numbers {
    ($($number:ty),*) => {$(
        impl Saved for $number {
            fn save<'a>(&'a self, to: &mut Saver<'a>) {
                put_number(&mut to.out, u64::from(*self));
            }

            fn load(from: &mut Loader<'_>) -> Result<Self, RestoreError> {
                take_number(&mut from.rest)?.try_into().map_err(|_| RestoreError::Malformed)
            }
        }
    )*};
}

smaller_numbers!(u8, u16, u32);

impl Saved for bool {
    fn save<'a>(&'a self, to: &mut Saver<'a>) {
        to.out.push(u8::from(*self));
    }

    fn load(from: &mut Loader<'_>) -> Result<Self, RestoreError> {
        match u8::load(from)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(RestoreError::Malformed),
        }
    }
}

impl Saved for usize {
    fn save<'a>(&'a self, to: &mut Saver<'a>) {
        put_number(&mut to.out, *self as u64);
    }

    fn load(from: &mut Loader<'_>) -> Result<Self, RestoreError> {
        let size = take_number(&mut from.rest)?;
        if size <= SIZE_MAX { Ok(size as usize) } else { Err(RestoreError::Malformed) }
    }
}

impl Saved for isize {
    fn save<'a>(&'a self, to: &mut Saver<'a>) {
        to.out.push(u8::from(*self < 0));
        put_number(&mut to.out, self.unsigned_abs() as u64);
    }

    fn load(from: &mut Loader<'_>) -> Result<Self, RestoreError> {
        let is_negative = bool::load(from)?;
        let size = usize::load(from)?.cast_signed();
        Ok(if is_negative { -size } else { size })
    }
}

impl Saved for String {
    fn save<'a>(&'a self, to: &mut Saver<'a>) {
        put_bytes(&mut to.out, self.as_bytes());
    }

    fn load(from: &mut Loader<'_>) -> Result<Self, RestoreError> {
        let text = core::str::from_utf8(take_bytes(&mut from.rest)?);
        text.map(String::from).map_err(|_| RestoreError::Malformed)
    }
}

impl Saved for Arc<str> {
    fn save<'a>(&'a self, to: &mut Saver<'a>) {
        put_bytes(&mut to.out, self.as_bytes());
    }

    fn load(from: &mut Loader<'_>) -> Result<Self, RestoreError> {
        String::load(from).map(Arc::from)
    }
}

impl Saved for Box<[u8]> {
    fn save<'a>(&'a self, to: &mut Saver<'a>) {
        put_bytes(&mut to.out, self);
    }

    fn load(from: &mut Loader<'_>) -> Result<Self, RestoreError> {
        Ok(take_bytes(&mut from.rest)?.into())
    }
}

impl<T: Saved> Saved for Option<T> {
    fn save<'a>(&'a self, to: &mut Saver<'a>) {
        to.out.push(u8::from(self.is_some()));
        if let Some(value) = self {
            value.save(to);
        }
    }

    fn load(from: &mut Loader<'_>) -> Result<Self, RestoreError> {
        bool::load(from)?.then(|| T::load(from)).transpose()
    }
}

macro_rules! lists {
    ($($list:ident $(($bound:ident))?),*) => {$(
        impl<T: Saved $(+ $bound)?> Saved for $list<T> {
            fn save<'a>(&'a self, to: &mut Saver<'a>) {
                put_number(&mut to.out, self.len() as u64);
                self.iter().for_each(|value| value.save(to));
            }

            fn load(from: &mut Loader<'_>) -> Result<Self, RestoreError> {
                let count = take_count(&mut from.rest)?;
                (0..count).map(|_| T::load(from)).collect()
            }
        }
    )*};
}

lists!(Vec, VecDeque, BTreeSet(Ord));

impl<K: Saved + Ord, V: Saved> Saved for BTreeMap<K, V> {
    fn save<'a>(&'a self, to: &mut Saver<'a>) {
        put_number(&mut to.out, self.len() as u64);
        for (key, value) in self {
            key.save(to);
            value.save(to);
        }
    }

    fn load(from: &mut Loader<'_>) -> Result<Self, RestoreError> {
        let count = take_count(&mut from.rest)?;
        (0..count).map(|_| Ok((K::load(from)?, V::load(from)?))).collect()
    }
}

macro_rules! tuples {
    ($(($($part:ident $at:tt),*)),*) => {$(
        impl<$($part: Saved),*> Saved for ($($part,)*) {
            fn save<'a>(&'a self, to: &mut Saver<'a>) {
                $(self.$at.save(to);)*
            }

            fn load(from: &mut Loader<'_>) -> Result<Self, RestoreError> {
                Ok(($($part::load(from)?,)*))
            }
        }
    )*};
}

tuples!((A 0, B 1), (A 0, B 1, C 2));
