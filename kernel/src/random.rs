//! Random bits for ids: they must differ between boots and calls; nothing secret is made of them.

use core::arch::x86_64::_rdtsc;
use core::sync::atomic::{AtomicU64, Ordering};

use x86_64::instructions::random::RdRand;

/// Fills `out`.
pub fn fill(out: &mut [u8]) {
    for chunk in out.chunks_mut(8) {
        chunk.copy_from_slice(&next().to_le_bytes()[..chunk.len()]);
    }
}

/// 64 bits, from the processor's generator where it has one, and from its cycle counter in any case.
pub fn next() -> u64 {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    // SAFETY: reads a counter that every 64-bit processor has.
    let cycles = unsafe { _rdtsc() };
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let hardware = RdRand::new().and_then(RdRand::get_u64).unwrap_or(0);
    mix(cycles ^ mix(count)) ^ hardware
}

/// Spreads every bit of `x` over the whole word (the finalizer of SplitMix64).
const fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
