//! Amounts of memory, each with its unit in its type. Conversions are named methods; those that round say how.

use core::fmt;

/// log2 of a page's size.
pub const PAGE_SHIFT: u32 = 12;
/// Bytes of a page.
pub const PAGE_SIZE: usize = 1 << PAGE_SHIFT;

macro_rules! units {
    ($($(#[$attribute:meta])* $name:ident, $suffix:literal;)*) => {$(
        $(#[$attribute])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!("{} ", $suffix), self.0)
            }
        }
    )*};
}

units! {
    /// An amount in bytes.
    Bytes, "B";
    /// An amount in units of 1024 bytes.
    KiB, "KiB";
    /// An amount in pages of 4096 bytes.
    Pages, "pages";
}

impl Bytes {
    /// The pages that hold this much: rounded up.
    #[must_use]
    pub const fn pages_up(self) -> Pages {
        Pages(self.0.div_ceil(PAGE_SIZE as u64))
    }
}

impl KiB {
    /// The same in bytes; the largest number where it does not fit.
    #[must_use]
    pub const fn bytes(self) -> Bytes {
        Bytes(self.0.saturating_mul(1024))
    }

    /// The pages that hold this much: rounded up.
    #[must_use]
    pub const fn pages_up(self) -> Pages {
        Pages(self.0.div_ceil(4))
    }
}

impl Pages {
    /// The same in bytes; the largest number where it does not fit.
    #[must_use]
    pub const fn bytes(self) -> Bytes {
        Bytes(self.0.saturating_mul(PAGE_SIZE as u64))
    }

    /// The same in KiB; the largest number where it does not fit.
    #[must_use]
    pub const fn kib(self) -> KiB {
        KiB(self.0.saturating_mul(4))
    }
}
