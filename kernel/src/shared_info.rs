//! The page that Xen shares with us: pending events and the time.
//!
//! Xen writes to it at any moment, so everything in it is reached through atomics.
//! Source: public/xen.h (`struct shared_info`, `struct vcpu_info`, `struct vcpu_time_info`).

use core::arch::x86_64::_rdtsc;
use core::mem::offset_of;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering, fence};

use xen_abi::xen::{SharedInfo as Layout, VcpuInfo, VcpuTimeInfo};

/// Where our vCPU's clock is.
const TIME: usize = offset_of!(VcpuInfo, time);

/// The mapped page; copies are the same page.
#[derive(Clone, Copy)]
pub struct SharedInfo(NonNull<u8>);

impl SharedInfo {
    /// # Safety
    /// `page` is where Xen's shared info page is mapped, for good.
    pub unsafe fn new(page: NonNull<u8>) -> Self {
        Self(page)
    }

    /// "Some event is pending" for our vCPU.
    pub fn upcall_pending(&self) -> &AtomicU8 {
        // SAFETY: as in `word`.
        unsafe { AtomicU8::from_ptr(self.0.as_ptr().add(offset_of!(VcpuInfo, evtchn_upcall_pending))) }
    }

    /// Which words of [`Self::pending`] have news.
    pub fn pending_words(&self) -> &AtomicU64 {
        self.word(offset_of!(VcpuInfo, evtchn_pending_sel))
    }

    /// The pending bits of ports `64 * index` to `64 * index + 63`.
    ///
    /// # Panics
    /// If `index` is not below 64.
    pub fn pending(&self, index: u32) -> &AtomicU64 {
        assert!(index < 64, "the bitmap has 64 words");
        self.word(offset_of!(Layout, evtchn_pending) + index as usize * size_of::<u64>())
    }

    /// Nanoseconds since Xen started.
    pub fn system_time_ns(&self) -> u64 {
        loop {
            let info = self.time();
            // SAFETY: reads a counter that every 64-bit processor has.
            let tsc = unsafe { _rdtsc() };
            fence(Ordering::Acquire);
            if !info.torn(self.half(TIME + offset_of!(VcpuTimeInfo, version)).load(Ordering::Relaxed)) {
                return info.nanoseconds(tsc);
            }
        }
    }

    /// When system time was 0: nanoseconds since 1970.
    pub fn boot_unix_ns(&self) -> u64 {
        const VERSION: usize = offset_of!(Layout, wc_version);
        loop {
            let version = self.half(VERSION).load(Ordering::Acquire);
            let low = self.half(offset_of!(Layout, wc_sec)).load(Ordering::Relaxed);
            let high = self.half(offset_of!(Layout, wc_sec_hi)).load(Ordering::Relaxed);
            let ns = self.half(offset_of!(Layout, wc_nsec)).load(Ordering::Relaxed);
            fence(Ordering::Acquire);
            // Odd while Xen writes.
            if version & 1 == 0 && self.half(VERSION).load(Ordering::Relaxed) == version {
                let seconds = u64::from(high) << 32 | u64::from(low);
                return seconds.saturating_mul(1_000_000_000).saturating_add(ns.into());
            }
        }
    }

    fn time(&self) -> VcpuTimeInfo {
        let version = self.half(TIME + offset_of!(VcpuTimeInfo, version)).load(Ordering::Acquire);
        let last = self.word(TIME + offset_of!(VcpuTimeInfo, tsc_to_system_mul)).load(Ordering::Relaxed);
        let [m0, m1, m2, m3, shift, flags, p0, p1] = last.to_le_bytes();
        VcpuTimeInfo {
            version,
            pad0: 0,
            tsc_timestamp: self.word(TIME + offset_of!(VcpuTimeInfo, tsc_timestamp)).load(Ordering::Relaxed),
            system_time: self.word(TIME + offset_of!(VcpuTimeInfo, system_time)).load(Ordering::Relaxed),
            tsc_to_system_mul: u32::from_le_bytes([m0, m1, m2, m3]),
            tsc_shift: shift as i8,
            flags,
            pad1: [p0, p1],
        }
    }

    fn word(&self, offset: usize) -> &AtomicU64 {
        // SAFETY: 1. `new`'s caller promised the page for good; all offsets here lie in its first 3136 bytes
        // and are aligned (xen-abi asserts the layout). 2. Xen writes too, but only atomically.
        unsafe { AtomicU64::from_ptr(self.0.as_ptr().add(offset).cast()) }
    }

    fn half(&self, offset: usize) -> &AtomicU32 {
        // SAFETY: as in `word`.
        unsafe { AtomicU32::from_ptr(self.0.as_ptr().add(offset).cast()) }
    }
}
