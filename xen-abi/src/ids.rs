//! Names of things: domains, virtual CPUs, ports, frames. No arithmetic between two kinds; what the frame
//! words mean is in `xen/include/xen/mm.h` of Xen's source.

use core::fmt;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::units::{PAGE_SHIFT, Pages};

macro_rules! ids {
    ($($(#[$attribute:meta])* $name:ident($inner:ident), $prefix:literal;)*) => {$(
        $(#[$attribute])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
        #[repr(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{:#x}"), self.0)
            }
        }
    )*};
}

ids! {
    /// A virtual CPU of a domain.
    VcpuId(u32), "v";
    /// An event channel's port, as numbered in the domain that owns it.
    EvtchnPort(u32), "port ";
    /// A grant table entry, as numbered in the domain that grants.
    GrantRef(u32), "grant ";
    /// A virtual interrupt line (`VIRQ_...`).
    Virq(u32), "virq ";
    /// A guest frame: a page of a guest's physical address space.
    Gfn(u64), "gfn ";
    /// A machine frame: a page of the host's memory.
    Mfn(u64), "mfn ";
    /// A frame as a paravirtual guest numbers its own memory; in a translated guest the same as a [`Gfn`].
    Pfn(u64), "pfn ";
    /// An address in a guest's physical address space.
    GuestPhys(u64), "phys ";
}

/// A domain.
#[derive(
    Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(transparent)]
pub struct DomId(pub u16);

impl fmt::Debug for DomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "d{}", self.0)
    }
}

impl fmt::Display for DomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl Gfn {
    /// The frame `pages` further on.
    #[must_use]
    pub const fn offset(self, pages: u64) -> Self {
        Gfn(self.0.wrapping_add(pages))
    }

    /// The address of the frame's first byte.
    #[must_use]
    pub const fn address(self) -> GuestPhys {
        GuestPhys(self.0 << PAGE_SHIFT)
    }

    /// The frames from this one on.
    pub fn range(self, count: Pages) -> impl ExactSizeIterator<Item = Gfn> + Clone {
        (0..count.0 as usize).map(move |n| self.offset(n as u64))
    }
}

impl GuestPhys {
    /// The frame that holds this address.
    #[must_use]
    pub const fn frame(self) -> Gfn {
        Gfn(self.0 >> PAGE_SHIFT)
    }

    /// The distance from its frame's first byte.
    #[must_use]
    pub const fn offset_in_frame(self) -> usize {
        (self.0 & ((1 << PAGE_SHIFT) - 1)) as usize
    }
}
