//! A node's name and value, in as little memory as can be had.
//!
//! Most are short: they lie in the node itself, or in one piece of memory that says nothing of its length or of who shares it. A copy of
//! such a text is a copy. Long ones are shared by all versions of the node, so that a snapshot does not double them.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Ordering;

/// The longest text that lies in the node.
const TINY: usize = 13;
/// The sizes of texts with memory of their own: what allocators hand out in steps of 16 bytes, less what they keep for themselves.
const SMALL: usize = 24;
const MEDIUM: usize = 40;
const LARGE: usize = 56;

/// Name, then value. The smaller forms have `len` bytes of both, and nuls after them.
#[derive(Clone, Debug)]
pub(crate) enum Text {
    Tiny { name_len: u8, len: u8, bytes: [u8; TINY] },
    Small { name_len: u8, len: u8, bytes: Box<[u8; SMALL]> },
    Medium { name_len: u8, len: u8, bytes: Box<[u8; MEDIUM]> },
    Large { name_len: u8, len: u8, bytes: Box<[u8; LARGE]> },
    Long { name_len: u16, all: Arc<Box<[u8]>> },
}

impl Text {
    /// `name` is part of a legal path, so its length fits.
    pub(crate) fn new(name: &[u8], value: &[u8]) -> Self {
        Text::short(name, value).unwrap_or_else(|| {
            let mut all = Vec::with_capacity(name.len() + value.len());
            all.extend_from_slice(name);
            all.extend_from_slice(value);
            Text::Long { name_len: name.len() as u16, all: Arc::new(all.into()) }
        })
    }

    /// The text whose first `name_len` bytes are the name. None: there are not so many.
    pub(crate) fn from_shared(all: &Arc<Box<[u8]>>, name_len: u16) -> Option<Self> {
        let (name, value) = all.split_at_checked(usize::from(name_len))?;
        Some(Text::short(name, value).unwrap_or_else(|| Text::Long { name_len, all: all.clone() }))
    }

    fn short(name: &[u8], value: &[u8]) -> Option<Self> {
        let all = name.len() + value.len();
        if all > LARGE {
            return None;
        }
        let (name_len, len) = (name.len() as u8, all as u8);
        Some(if all <= TINY {
            Text::Tiny { name_len, len, bytes: joined(name, value) }
        } else if all <= SMALL {
            Text::Small { name_len, len, bytes: Box::new(joined(name, value)) }
        } else if all <= MEDIUM {
            Text::Medium { name_len, len, bytes: Box::new(joined(name, value)) }
        } else {
            Text::Large { name_len, len, bytes: Box::new(joined(name, value)) }
        })
    }

    /// Name and value in one, and the name's length.
    fn parts(&self) -> (&[u8], usize) {
        let (bytes, name_len, len): (&[u8], _, _) = match self {
            Text::Tiny { name_len, len, bytes } => (bytes, name_len, len),
            Text::Small { name_len, len, bytes } => (&**bytes, name_len, len),
            Text::Medium { name_len, len, bytes } => (&**bytes, name_len, len),
            Text::Large { name_len, len, bytes } => (&**bytes, name_len, len),
            Text::Long { name_len, all } => return (all, usize::from(*name_len)),
        };
        (&bytes[..usize::from(*len)], usize::from(*name_len))
    }

    /// Name and value in one.
    pub(crate) fn all(&self) -> &[u8] {
        self.parts().0
    }

    pub(crate) fn name(&self) -> &[u8] {
        let (all, name_len) = self.parts();
        &all[..name_len]
    }

    pub(crate) fn value(&self) -> &[u8] {
        let (all, name_len) = self.parts();
        &all[name_len..]
    }

    pub(crate) fn name_len(&self) -> u16 {
        match self {
            Text::Tiny { name_len, .. }
            | Text::Small { name_len, .. }
            | Text::Medium { name_len, .. }
            | Text::Large { name_len, .. } => u16::from(*name_len),
            Text::Long { name_len, .. } => *name_len,
        }
    }

    /// How the name compares with another.
    #[inline]
    pub(crate) fn cmp_name(&self, other: &Key<'_>) -> Ordering {
        let (head, name_len) = match self {
            Text::Tiny { name_len, bytes, .. } => (head(bytes), *name_len),
            Text::Small { name_len, bytes, .. } => (head(&**bytes), *name_len),
            Text::Medium { name_len, bytes, .. } => (head(&**bytes), *name_len),
            Text::Large { name_len, bytes, .. } => (head(&**bytes), *name_len),
            Text::Long { .. } => return self.name().cmp(other.name),
        };
        match masked(head, usize::from(name_len)).cmp(&other.head) {
            // Names have no nuls, so that shorter ones are equal.
            Ordering::Equal if usize::from(name_len).max(other.name.len()) > HEAD => {
                self.name().cmp(other.name)
            }
            order => order,
        }
    }
}

/// How much of a name is compared at once.
const HEAD: usize = size_of::<u64>();

/// A name to be looked for.
#[derive(Clone, Copy)]
pub(crate) struct Key<'a> {
    pub(crate) name: &'a [u8],
    /// Its first bytes as a number that compares as they do.
    head: u64,
}

impl<'a> Key<'a> {
    #[inline]
    pub(crate) fn new(name: &'a [u8]) -> Self {
        let head = match name.first_chunk() {
            Some(head) => u64::from_be_bytes(*head),
            None => {
                let number = name.iter().fold(0, |number, &byte| number << 8 | u64::from(byte));
                // A shift by all 64 bits is none.
                number.checked_shl(8 * (HEAD - name.len()) as u32).unwrap_or(0)
            }
        };
        Key { name, head }
    }
}

/// The first bytes of a text that has as many.
#[inline]
fn head(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |head| u64::from_be_bytes(*head))
}

/// The first bytes of a text without those after its name.
#[inline]
fn masked(head: u64, name_len: usize) -> u64 {
    if name_len < HEAD { head & !(u64::MAX >> (8 * name_len)) } else { head }
}

fn joined<const N: usize>(name: &[u8], value: &[u8]) -> [u8; N] {
    let mut bytes = [0; N];
    let (front, back) = bytes.split_at_mut(name.len());
    front.copy_from_slice(name);
    back[..value.len()].copy_from_slice(value);
    bytes
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_of_every_length_are_kept_whole() {
        for name_len in 0..70 {
            for value_len in 0..70 {
                let (name, value) = (vec![b'n'; name_len], vec![b'v'; value_len]);
                let text = Text::new(&name, &value);
                let shared = Arc::new(text.all().into());
                for text in [text.clone(), Text::from_shared(&shared, name_len as u16).unwrap()] {
                    assert_eq!((text.name(), text.value()), (&name[..], &value[..]));
                    assert_eq!(usize::from(text.name_len()), name_len);
                }
                assert!(Text::from_shared(&shared, (name_len + value_len + 1) as u16).is_none());
            }
        }
    }

    proptest! {
        #[test]
        fn names_compare_as_bytes_do(
            a in prop::collection::vec(1u8..4, 0..12),
            b in prop::collection::vec(1u8..4, 0..12),
            value_len in 0usize..60,
        ) {
            let text = Text::new(&a, &vec![0xff; value_len]);
            prop_assert_eq!(text.cmp_name(&Key::new(&b)), a.cmp(&b));
            prop_assert_eq!(text.cmp_name(&Key::new(&a)), Ordering::Equal);
        }
    }
}
