//! The memory that a ring lives in.

/// Memory shared with a peer who may change it at any time.
///
/// The offsets that this crate passes come from [`crate::Layout`] alone, never from the peer, so an implementer may treat
/// one outside the memory as a bug (and panic). Index offsets are multiples of four.
///
/// An implementer never makes a reference into the memory: it uses volatile or atomic accesses, since the
/// other side writes at any moment.
pub trait Shared {
    /// Loads a little-endian word with acquire ordering: what the peer wrote before storing this value is
    /// visible to every later [`read`](Self::read).
    fn load_u32(&self, offset: usize) -> u32;

    /// Stores a little-endian word with release ordering: every earlier [`write`](Self::write) is visible to, and every
    /// earlier [`read`](Self::read) done before, whoever sees this value.
    fn store_u32(&self, offset: usize, value: u32);

    /// Copies bytes out, once.
    fn read(&self, offset: usize, into: &mut [u8]);

    /// Copies bytes in.
    fn write(&self, offset: usize, from: &[u8]);
}

impl<T: Shared + ?Sized> Shared for &T {
    fn load_u32(&self, offset: usize) -> u32 {
        (**self).load_u32(offset)
    }

    fn store_u32(&self, offset: usize, value: u32) {
        (**self).store_u32(offset, value);
    }

    fn read(&self, offset: usize, into: &mut [u8]) {
        (**self).read(offset, into);
    }

    fn write(&self, offset: usize, from: &[u8]) {
        (**self).write(offset, from);
    }
}
