//! An operation as it will be issued: registers, argument structure, buffers, and how to read the answer.
//!
//! This is where the ABI is trusted. An [`Op`] pairs a hypercall with its argument type, once; from then on
//! the pair cannot come apart. A [`Call`] owns every byte that Xen will read or write, so that issuing it is
//! safe.

use alloc::vec::Vec;
use core::marker::PhantomData;

use xen_abi::xen::Nr;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Words of the longest argument structure, `struct xen_domctl`.
const ARG_WORDS: usize = 18;

/// An operation with its arguments, ready to be issued by [`Xen::run`](crate::Xen::run) or
/// [`Batch::add`](crate::Batch::add).
pub struct Call<T> {
    pub(crate) raw: RawCall,
    pub(crate) decode: fn(&Reply<'_>) -> T,
}

/// The part of a [`Call`] that does not depend on its answer's type.
///
/// Invariant: once the addresses are filled in by [`registers`](Self::registers), the registers are valid arguments of hypercall `nr`:
/// all memory that Xen will touch for it belongs to `arg` or `buffers`.
pub(crate) struct RawCall {
    pub(crate) name: &'static str,
    pub(crate) nr: Nr,
    registers: [u64; 5],
    /// Which register takes the address of `arg`.
    arg_register: Option<usize>,
    arg: [u64; ARG_WORDS],
    buffers: Vec<Buffer>,
}

/// Memory beside the argument structure, and where its address belongs.
pub(crate) struct Buffer {
    place: Place,
    words: Vec<u64>,
}

/// Where the address of a buffer belongs.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    /// In this register.
    Register(usize),
    /// In the argument structure, this many bytes from its start.
    Argument(usize),
}

impl Buffer {
    /// A buffer that Xen reads (and may write).
    pub(crate) fn of<A: IntoBytes + Immutable + ?Sized>(place: Place, content: &A) -> Self {
        let bytes = content.as_bytes();
        let mut words = alloc::vec![0u64; bytes.len().div_ceil(8)];
        words.as_mut_bytes()[..bytes.len()].copy_from_slice(bytes);
        Buffer { place, words }
    }

    /// A buffer of zeroes for `count` elements that Xen writes. More than there can be memory for is not made smaller, which Xen
    /// would not know: the allocation fails.
    pub(crate) fn room_for<A>(place: Place, count: usize) -> Self {
        Self::room(place, count.saturating_mul(size_of::<A>()))
    }

    /// A buffer of zeroes that Xen writes.
    pub(crate) fn room(place: Place, bytes: usize) -> Self {
        Buffer { place, words: alloc::vec![0u64; bytes.div_ceil(8)] }
    }
}

impl RawCall {
    /// The registers, with the addresses of the call's own memory as it lies now.
    ///
    /// Good until the call moves or is changed. Provenance is exposed, since Xen (or a simulated one) gets
    /// at the memory by number.
    pub(crate) fn registers(&mut self) -> [u64; 5] {
        let mut registers = self.registers;
        for buffer in &mut self.buffers {
            let address = buffer.words.as_mut_ptr().expose_provenance() as u64;
            match buffer.place {
                Place::Register(n) => registers[n] = address,
                Place::Argument(at) => {
                    self.arg.as_mut_bytes()[at..at + 8].copy_from_slice(address.as_bytes())
                }
            }
        }
        if let Some(n) = self.arg_register {
            registers[n] = self.arg.as_mut_ptr().expose_provenance() as u64;
        }
        registers
    }
}

/// What Xen answered: a number that is no error, and what it wrote.
pub(crate) struct Reply<'a> {
    pub(crate) value: u64,
    pub(crate) raw: &'a RawCall,
}

impl Reply<'_> {
    /// The argument structure as Xen left it.
    pub(crate) fn arg<A: FromBytes>(&self) -> A {
        self.arg_at(0)
    }

    /// A structure inside the argument structure, as Xen left it.
    pub(crate) fn arg_at<A: FromBytes>(&self, offset: usize) -> A {
        const { assert!(size_of::<A>() <= ARG_WORDS * 8) };
        let bytes = &self.raw.arg.as_bytes()[offset..offset + size_of::<A>()];
        A::read_from_bytes(bytes).unwrap_or_else(|_| A::new_zeroed())
    }

    /// The bytes of a buffer as Xen left them, rounded up to whole words.
    pub(crate) fn buffer(&self, n: usize) -> &[u8] {
        self.raw.buffers[n].words.as_bytes()
    }

    /// The first `count` elements of a buffer, as many as there are room for.
    pub(crate) fn elements<A: FromBytes>(&self, n: usize, count: usize) -> impl Iterator<Item = A> {
        self.buffer(n).chunks_exact(size_of::<A>()).take(count).filter_map(|b| A::read_from_bytes(b).ok())
    }
}

/// A hypercall with a sub-operation, whose argument structure is an `A` without guest handles.
pub(crate) struct Op<A> {
    name: &'static str,
    nr: Nr,
    command: u32,
    argument: PhantomData<fn(A)>,
}

impl<A: FromBytes + IntoBytes + Immutable> Op<A> {
    /// Pairs a hypercall with its argument.
    ///
    /// # Safety
    /// Hypercall `nr` with `command` takes the address of one `A` in its second register, and touches no
    /// other memory of ours, whatever is in it.
    pub(crate) const unsafe fn new(name: &'static str, nr: Nr, command: u32) -> Self {
        Op { name, nr, command, argument: PhantomData }
    }

    /// The call with this argument.
    pub(crate) fn call<T>(&self, argument: A, decode: fn(&Reply<'_>) -> T) -> Call<T> {
        // SAFETY: who made the operation promised that the argument is all there is.
        unsafe { Call::structured(self.name, self.nr, Some(self.command), &argument, Vec::new(), decode) }
    }
}

impl<T> Call<T> {
    /// A call that passes registers and buffers, without an argument structure.
    ///
    /// # Safety
    /// With these registers, and the buffers' addresses filled in, Xen touches nothing but the buffers,
    /// within their lengths.
    pub(crate) unsafe fn plain(
        name: &'static str,
        nr: Nr,
        registers: [u64; 5],
        buffers: Vec<Buffer>,
        decode: fn(&Reply<'_>) -> T,
    ) -> Self {
        let raw = RawCall { name, nr, registers, arg_register: None, arg: [0; ARG_WORDS], buffers };
        Call { raw, decode }
    }

    /// A call that passes the address of an argument structure: in its first register, or in its second after
    /// a sub-operation.
    ///
    /// # Safety
    /// Hypercall `nr` (with `command`) takes the address of one `A` there. With this argument, and the
    /// buffers' addresses filled in, Xen touches nothing but the argument and the buffers, within their
    /// lengths.
    pub(crate) unsafe fn structured<A: IntoBytes + Immutable>(
        name: &'static str,
        nr: Nr,
        command: Option<u32>,
        argument: &A,
        buffers: Vec<Buffer>,
        decode: fn(&Reply<'_>) -> T,
    ) -> Self {
        const { assert!(size_of::<A>() <= ARG_WORDS * 8) };
        let mut arg = [0; ARG_WORDS];
        arg.as_mut_bytes()[..size_of::<A>()].copy_from_slice(argument.as_bytes());
        let mut registers = [0; 5];
        registers[0] = u64::from(command.unwrap_or(0));
        let arg_register = Some(usize::from(command.is_some()));
        Call { raw: RawCall { name, nr, registers, arg_register, arg, buffers }, decode }
    }

    /// The operation's C name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.raw.name
    }
}

/// The decoder of an operation that answers nothing.
pub(crate) fn nothing(_: &Reply<'_>) {}
