//! The two ends of a byte ring.

use core::fmt;

use crate::{Layout, Shared};

/// The peer's indices make no sense: more bytes in the ring than it can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingError {
    /// The consumer's index, as found.
    pub cons: u32,
    /// The producer's index, as found.
    pub prod: u32,
}

impl fmt::Display for RingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ring indices out of range: producer {:#x}, consumer {:#x}", self.prod, self.cons)
    }
}

impl core::error::Error for RingError {}

/// What both ends share: the place, and the sticky error.
#[derive(Debug)]
struct End {
    layout: Layout,
    broken: Option<RingError>,
}

/// One look at both indices, checked.
#[derive(Clone, Copy)]
struct Snapshot {
    cons: u32,
    prod: u32,
    used: u32,
}

impl End {
    fn snapshot(&mut self, shared: &impl Shared) -> Result<Snapshot, RingError> {
        if let Some(error) = self.broken {
            return Err(error);
        }
        let cons = shared.load_u32(self.layout.cons);
        let prod = shared.load_u32(self.layout.prod);
        let used = prod.wrapping_sub(cons);
        if used > self.layout.size {
            let error = RingError { cons, prod };
            self.broken = Some(error);
            return Err(error);
        }
        Ok(Snapshot { cons, prod, used })
    }

    /// Splits `len` bytes from index `start` where the buffer wraps: offset of the first part, and its length.
    /// The rest, if any, begins at the buffer's start.
    fn split(&self, start: u32, len: usize) -> (usize, usize) {
        let at = (start & (self.layout.size - 1)) as usize;
        (self.layout.data + at, len.min(self.layout.size() - at))
    }
}

/// The reading end of a byte ring.
#[derive(Debug)]
pub struct Consumer(End);

impl Consumer {
    /// The reading end of the ring at `layout`. Looks at nothing yet.
    pub const fn new(layout: Layout) -> Self {
        Consumer(End { layout, broken: None })
    }

    /// How many bytes wait.
    ///
    /// # Errors
    /// [`RingError`]: the indices are out of range; from now on always.
    pub fn available(&mut self, shared: &impl Shared) -> Result<usize, RingError> {
        Ok(self.0.snapshot(shared)?.used as usize)
    }

    /// Copies out as many bytes as wait and fit, and gives their room back. Returns how many.
    ///
    /// # Errors
    /// [`RingError`]: the indices are out of range; from now on always. Nothing was read.
    pub fn read(&mut self, shared: &impl Shared, into: &mut [u8]) -> Result<usize, RingError> {
        let now = self.0.snapshot(shared)?;
        let len = into.len().min(now.used as usize);
        if len == 0 {
            return Ok(0);
        }
        let (offset, first) = self.0.split(now.cons, len);
        let (head, tail) = into[..len].split_at_mut(first);
        shared.read(offset, head);
        if !tail.is_empty() {
            shared.read(self.0.layout.data, tail);
        }
        // `len` is at most `used`, a u32.
        shared.store_u32(self.0.layout.cons, now.cons.wrapping_add(len as u32));
        Ok(len)
    }
}

/// The writing end of a byte ring.
#[derive(Debug)]
pub struct Producer(End);

impl Producer {
    /// The writing end of the ring at `layout`. Looks at nothing yet.
    pub const fn new(layout: Layout) -> Self {
        Producer(End { layout, broken: None })
    }

    /// How many bytes there is room for.
    ///
    /// # Errors
    /// [`RingError`]: the indices are out of range; from now on always.
    pub fn room(&mut self, shared: &impl Shared) -> Result<usize, RingError> {
        Ok((self.0.layout.size - self.0.snapshot(shared)?.used) as usize)
    }

    /// Copies in as many bytes as there is room for, and publishes them. Returns how many.
    ///
    /// # Errors
    /// [`RingError`]: the indices are out of range; from now on always. Nothing was written.
    pub fn write(&mut self, shared: &impl Shared, from: &[u8]) -> Result<usize, RingError> {
        let now = self.0.snapshot(shared)?;
        let len = from.len().min((self.0.layout.size - now.used) as usize);
        if len == 0 {
            return Ok(0);
        }
        let (offset, first) = self.0.split(now.prod, len);
        let (head, tail) = from[..len].split_at(first);
        shared.write(offset, head);
        if !tail.is_empty() {
            shared.write(self.0.layout.data, tail);
        }
        // `len` is at most the ring's size, a u32.
        shared.store_u32(self.0.layout.prod, now.prod.wrapping_add(len as u32));
        Ok(len)
    }
}

#[cfg(test)]
mod tests;
