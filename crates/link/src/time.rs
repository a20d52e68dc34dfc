//! Time, as it is passed in: this crate has no clock.

use core::ops::{Add, Sub};

/// Microseconds: a moment since some fixed start, or a span between two moments.
///
/// Any steady clock will do (system time of the vCPU, `CLOCK_MONOTONIC`); the two ends never compare theirs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Micros(pub u64);

impl Micros {
    /// A span of so many milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis * 1_000)
    }

    /// The span from `earlier` to here; none at all if `earlier` is later.
    pub const fn since(self, earlier: Self) -> Self {
        Self(self.0.saturating_sub(earlier.0))
    }

    /// This span doubled `times` times, `limit` at most.
    pub(crate) fn doubled(self, times: u32, limit: Self) -> Self {
        Self(self.0.saturating_mul(1 << times.min(20)).min(limit.0))
    }
}

impl Add for Micros {
    type Output = Self;

    fn add(self, span: Self) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl Sub for Micros {
    type Output = Self;

    fn sub(self, span: Self) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}
