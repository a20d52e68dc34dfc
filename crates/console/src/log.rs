//! The last bytes of an endless stream.

use alloc::collections::VecDeque;

/// By how many bytes a log grows.
const STEP: usize = 4096;

/// A log that keeps the newest bytes, up to its limit.
#[derive(Debug, Default)]
pub(crate) struct Log {
    bytes: VecDeque<u8>,
    /// How many bytes came before those that are kept.
    start: u64,
}

impl Log {
    /// Where the oldest kept byte is in the stream: how many were lost.
    pub(crate) fn start(&self) -> u64 {
        self.start
    }

    /// Where the next byte will be: how many came in all.
    pub(crate) fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Adds bytes; the oldest make room once there are `limit`.
    pub(crate) fn push(&mut self, new: &[u8], limit: usize) {
        let skipped = new.len().saturating_sub(limit);
        let kept = &new[skipped..];
        let excess = (self.bytes.len() + kept.len()).saturating_sub(limit);
        self.bytes.drain(..excess);
        self.start += (excess + skipped) as u64;
        if self.bytes.capacity() < self.bytes.len() + kept.len() {
            // In small steps, so that what counts as used (`len`) is what is used. Doubling would take up to twice that.
            let target = (self.bytes.len() + kept.len()).next_multiple_of(STEP).min(limit);
            self.bytes.reserve_exact(target - self.bytes.len());
        }
        self.bytes.extend(kept);
    }

    /// Copies bytes from position `at` of the stream, which is kept or the end. Returns how many.
    pub(crate) fn copy(&self, at: u64, into: &mut [u8]) -> usize {
        let skip = at.saturating_sub(self.start) as usize;
        let (front, back) = self.bytes.as_slices();
        let mut done = 0;
        for part in
            [front.get(skip..).unwrap_or_default(), &back[skip.saturating_sub(front.len()).min(back.len())..]]
        {
            let len = part.len().min(into.len() - done);
            into[done..done + len].copy_from_slice(&part[..len]);
            done += len;
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_takes_hardly_more_memory_than_it_has_bytes() {
        let mut log = Log::default();
        for _ in 0..100 {
            log.push(&[0; 512], 64 << 10);
            assert!(log.bytes.capacity() <= log.len() + STEP, "{} for {}", log.bytes.capacity(), log.len());
        }
    }

    proptest! {
        #[test]
        fn it_keeps_the_newest_bytes_and_knows_where_they_are(
            pushes in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 0..30),
            limit in 1usize..60,
            len in 0usize..80,
            offset in 0u64..80,
        ) {
            let mut log = Log::default();
            let mut all: Vec<u8> = Vec::new();
            for bytes in pushes {
                log.push(&bytes, limit);
                all.extend(&bytes);
                prop_assert_eq!(log.end(), all.len() as u64);
                prop_assert_eq!(log.len(), all.len().min(limit));
                let at = (log.start() + offset).min(log.end());
                let mut got = vec![0; len];
                let n = log.copy(at, &mut got);
                prop_assert_eq!(n, len.min(all.len() - at as usize));
                prop_assert_eq!(&got[..n], &all[at as usize..at as usize + n]);
            }
        }
    }
}
