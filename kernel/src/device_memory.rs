//! A device's memory as something to share: the lab's inter-VM shared memory.

use core::ops::Range;
use core::ptr;
use core::sync::atomic::{AtomicU32, Ordering, fence};

use ring::Shared;

/// Memory that another program writes to at the same time.
pub struct DeviceMemory {
    base: u64,
    len: usize,
}

impl DeviceMemory {
    /// # Safety
    /// `range` is mapped for good, and nobody in this kernel holds a reference into it.
    pub unsafe fn new(range: Range<u64>) -> Self {
        Self { base: range.start, len: (range.end - range.start) as usize }
    }

    fn word(&self, offset: usize) -> &AtomicU32 {
        assert!(offset.is_multiple_of(4) && offset + 4 <= self.len, "rings stay within their memory");
        // SAFETY: checked above; `new`'s caller promised the rest.
        unsafe { AtomicU32::from_ptr((self.base as usize + offset) as *mut u32) }
    }
}

impl Shared for DeviceMemory {
    fn load_u32(&self, offset: usize) -> u32 {
        self.word(offset).load(Ordering::Acquire)
    }

    fn store_u32(&self, offset: usize, value: u32) {
        self.word(offset).store(value, Ordering::Release);
    }

    fn read(&self, offset: usize, into: &mut [u8]) {
        assert!(offset <= self.len && into.len() <= self.len - offset, "rings stay within their memory");
        fence(Ordering::Acquire);
        // SAFETY: 1. Checked above. 2. The other side may write meanwhile; the copy is then garbage, which
        // the reader checks like everything from outside. The intrinsic takes the bytes as they are.
        unsafe {
            ptr::copy_nonoverlapping(
                (self.base as usize + offset) as *const u8,
                into.as_mut_ptr(),
                into.len(),
            )
        };
    }

    fn write(&self, offset: usize, from: &[u8]) {
        assert!(offset <= self.len && from.len() <= self.len - offset, "rings stay within their memory");
        // SAFETY: as in `read`.
        unsafe {
            ptr::copy_nonoverlapping(from.as_ptr(), (self.base as usize + offset) as *mut u8, from.len())
        };
        fence(Ordering::Release);
    }
}
