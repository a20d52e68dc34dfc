//! Xen's clock: from the TSC to nanoseconds, as public/xen.h describes at `struct vcpu_time_info`.

use crate::xen::VcpuTimeInfo;

impl VcpuTimeInfo {
    /// Was Xen writing when this copy was made, or between two looks at `version`?
    ///
    /// A reader copies `version`, then the rest, then `version` again; the copy is good if both are even
    /// and equal.
    #[must_use]
    pub const fn torn(&self, version_after: u32) -> bool {
        self.version & 1 != 0 || self.version != version_after
    }

    /// Nanoseconds since the host started, at the moment when the TSC was `tsc`.
    ///
    /// A TSC before the last update (another CPU's, say) counts as the update itself: time never runs back
    /// behind `system_time`. The distance is taken modulo 2^64: a domain's TSC starts near 0 when the domain does, so
    /// that the first updates lie before 0.
    #[must_use]
    pub const fn nanoseconds(&self, tsc: u64) -> u64 {
        let delta = tsc.wrapping_sub(self.tsc_timestamp);
        let delta = if (delta as i64) < 0 { 0 } else { delta };
        self.system_time.wrapping_add(self.scale(delta))
    }

    /// Ticks of the TSC in a second: the inverse of the scale.
    ///
    /// 0 where Xen has not filled in the scale yet.
    #[must_use]
    pub const fn tsc_hz(&self) -> u64 {
        if self.tsc_to_system_mul == 0 {
            return 0;
        }
        let hz = (1_000_000_000u128 << 32) / self.tsc_to_system_mul as u128;
        let shift = clamp(self.tsc_shift);
        (if shift >= 0 { hz >> shift } else { hz << -shift }) as u64
    }

    const fn scale(&self, ticks: u64) -> u64 {
        let shift = clamp(self.tsc_shift);
        let ticks = if shift >= 0 { (ticks as u128) << shift } else { (ticks as u128) >> -shift };
        ((ticks.wrapping_mul(self.tsc_to_system_mul as u128)) >> 32) as u64
    }
}

/// Shifts beyond what any Xen writes (and what would overflow) count as the largest sensible one.
const fn clamp(shift: i8) -> i32 {
    let shift = shift as i32;
    if shift > 31 {
        31
    } else if shift < -31 {
        -31
    } else {
        shift
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A 2 GHz clock: half a nanosecond a tick.
    fn two_ghz(shift: i8, mul: u32) -> VcpuTimeInfo {
        VcpuTimeInfo {
            version: 4,
            pad0: 0,
            tsc_timestamp: 1_000,
            system_time: 5_000_000_000,
            tsc_to_system_mul: mul,
            tsc_shift: shift,
            flags: 1,
            pad1: [0; 2],
        }
    }

    #[test]
    fn ticks_become_nanoseconds_whichever_way_the_shift_goes() {
        for info in [two_ghz(0, 1 << 31), two_ghz(-1, 0xffff_ffff), two_ghz(1, 1 << 30)] {
            let later = info.nanoseconds(1_000 + 2_000_000_000);
            assert!((6_000_000_000 - later) <= 1, "{later}");
        }
    }

    #[test]
    fn a_tsc_from_before_the_update_gives_the_time_of_the_update() {
        assert_eq!(two_ghz(0, 1 << 31).nanoseconds(1), 5_000_000_000);
    }

    #[test]
    fn an_update_from_before_the_domains_tsc_began_counts_backwards() {
        let info = VcpuTimeInfo { tsc_timestamp: 0u64.wrapping_sub(2_000), ..two_ghz(0, 1 << 31) };
        assert_eq!(info.nanoseconds(0), 5_000_001_000);
    }

    #[test]
    fn the_frequency_is_the_inverse_of_the_scale() {
        assert_eq!(two_ghz(0, 1 << 31).tsc_hz(), 2_000_000_000);
        assert_eq!(two_ghz(1, 1 << 30).tsc_hz(), 2_000_000_000);
        assert_eq!(two_ghz(0, 0).tsc_hz(), 0);
    }

    #[test]
    fn a_copy_made_while_xen_wrote_is_torn() {
        let mut info = two_ghz(0, 1 << 31);
        assert!(!info.torn(4));
        assert!(info.torn(6));
        info.version = 5;
        assert!(info.torn(5));
    }

    #[test]
    fn absurd_shifts_do_not_panic() {
        for shift in [i8::MIN, -64, 64, i8::MAX] {
            let _ = two_ghz(shift, u32::MAX).nanoseconds(u64::MAX);
            let _ = two_ghz(shift, u32::MAX).tsc_hz();
        }
    }
}
