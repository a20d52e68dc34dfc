//! The lab's shared memory, as the client's end of two vchan rings: images go in by the left one, dumps come out by the right one.
//!
//! The file is the backing of an `ivshmem-plain` device: page 0 is libxenvchan's `struct vchan_interface`, the left ring
//! (1 MiB, order 20) follows at 4096, behind it the right one (512 KiB). The host is the client, so the left ring is ours to write. An upload takes up the ring as it
//! finds it; the control domain empties it before it asks for one, so that a broken upload leaves nothing behind.

use std::ffi::c_void;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use ring::{Layout, Shared, layout};
use rustix::fs::{FlockOperation, flock};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// The ring's size is 1 << 20.
pub const ORDER: u32 = 20;
/// Where the ring's bytes are.
const DATA: usize = 4096;

/// The left ring: ours to write.
pub const RING: Layout = layout::vchan::left(ORDER, DATA);
/// The right ring, behind it: ours to read. Its size is 1 << 19.
pub const DOWNLOADS: Layout = layout::vchan::right(19, DATA + (1 << ORDER));

/// A mapped file.
#[derive(Debug)]
pub struct SharedMemory {
    base: NonNull<u8>,
    len: usize,
    /// Holds the turn, where it was taken.
    file: File,
}

impl SharedMemory {
    /// Maps a lab's file.
    ///
    /// # Errors
    /// It cannot be opened, or is too short for the ring.
    pub fn open(path: &Path) -> io::Result<SharedMemory> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let len = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
        if len < DATA + RING.size() + DOWNLOADS.size() {
            return Err(io::Error::other(format!("{} is too short for its rings", path.display())));
        }
        // SAFETY: a fresh mapping at an address of the kernel's choice overlaps nothing of ours. The file stays as long as
        // it is: the keeper made it, and QEMU never shortens it.
        let base = unsafe {
            mmap(std::ptr::null_mut(), len, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED, &file, 0)?
        };
        let base = NonNull::new(base.cast()).ok_or_else(|| io::Error::other("mmap gave a null pointer"))?;
        Ok(SharedMemory { base, len, file })
    }

    /// Takes the one turn that there is, until this is dropped or the program is killed; false while another has it.
    ///
    /// # Errors
    /// The file system has no locks.
    pub fn take_turn(&self) -> io::Result<bool> {
        match flock(&self.file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(true),
            Err(rustix::io::Errno::AGAIN) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// The bytes from `offset` on, as cells that the machine may change at any time.
    fn cells(&self, offset: usize, len: usize) -> &[AtomicU8] {
        assert!(
            offset.checked_add(len).is_some_and(|end| end <= self.len),
            "the ring lies within the mapping"
        );
        // SAFETY: 1. The range is within the mapping (asserted), which lives as long as `self`. 2. `AtomicU8` has the size
        // and alignment of a byte, and may be changed by others while it is borrowed.
        unsafe { std::slice::from_raw_parts(self.base.as_ptr().add(offset).cast(), len) }
    }

    fn word(&self, offset: usize) -> &AtomicU32 {
        assert!(offset.is_multiple_of(4) && offset + 4 <= self.len, "an index lies within the mapping");
        // SAFETY: as in `cells`; the mapping begins at a page, so a multiple of four is aligned.
        unsafe { &*self.base.as_ptr().add(offset).cast() }
    }
}

impl Drop for SharedMemory {
    fn drop(&mut self) {
        // SAFETY: exactly what `open` mapped, and every borrow of it has ended.
        let _ = unsafe { munmap(self.base.as_ptr().cast::<c_void>(), self.len) };
    }
}

impl Shared for SharedMemory {
    fn load_u32(&self, offset: usize) -> u32 {
        u32::from_le(self.word(offset).load(Ordering::Acquire))
    }

    fn store_u32(&self, offset: usize, value: u32) {
        self.word(offset).store(value.to_le(), Ordering::Release);
    }

    fn read(&self, offset: usize, into: &mut [u8]) {
        let cells = self.cells(offset, into.len());
        for (byte, cell) in into.iter_mut().zip(cells) {
            *byte = cell.load(Ordering::Relaxed);
        }
    }

    fn write(&self, offset: usize, from: &[u8]) {
        // Byte by byte would cost milliseconds for a large image; a copy does not.
        let cells = self.cells(offset, from.len());
        // SAFETY: 1. `cells` checked the range. 2. The source is a slice of ours and cannot overlap a mapping that nobody else in
        // this process has. 3. The machine on the other side may read meanwhile; it looks at these bytes
        // only after the index is stored with release ordering.
        unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), cells.as_ptr().cast_mut().cast(), from.len()) };
    }
}

#[cfg(test)]
mod tests {
    use ring::{Consumer, Producer};

    use super::*;

    #[test]
    fn what_one_mapping_writes_another_reads_round_the_end_of_the_ring() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("shm");
        std::fs::File::create(&path).unwrap().set_len(2 << 20).unwrap();
        let (host, machine) = (SharedMemory::open(&path).unwrap(), SharedMemory::open(&path).unwrap());
        let (mut producer, mut consumer) = (Producer::new(RING), Consumer::new(RING));
        let mut sent = 0u8;
        let mut seen = 0u8;
        for _ in 0..5 {
            let bytes: Vec<u8> = (0..700_001)
                .map(|_| {
                    sent = sent.wrapping_add(1);
                    sent
                })
                .collect();
            assert_eq!(producer.write(&host, &bytes), Ok(bytes.len()));
            let mut back = vec![0; bytes.len()];
            assert_eq!(consumer.read(&machine, &mut back), Ok(back.len()));
            assert!(back.iter().all(|byte| {
                seen = seen.wrapping_add(1);
                *byte == seen
            }));
        }
    }

    #[test]
    fn a_file_that_is_too_short_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("shm");
        std::fs::File::create(&path).unwrap().set_len(1 << 20).unwrap();
        assert!(SharedMemory::open(&path).is_err());
    }
}
