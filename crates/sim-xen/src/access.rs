//! The caller's memory, by address: what Xen calls guest handles.
//!
//! All functions are unsafe for the same reason: the address is a number that a hypercall brought. Their
//! contract is the door's: the caller of the hypercall vouches for it.

use xen_abi::Errno;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Copies in a value.
///
/// # Safety
/// `address` is null or valid for reading an `A`.
pub(crate) unsafe fn read<A: FromBytes + IntoBytes>(address: u64) -> Result<A, Errno> {
    let mut value = A::new_zeroed();
    // SAFETY: the caller's promise.
    unsafe { read_bytes(address, value.as_mut_bytes())? };
    Ok(value)
}

/// Copies in the `n`-th value of an array.
///
/// # Safety
/// `address` is null or valid for reading `n + 1` values.
pub(crate) unsafe fn read_nth<A: FromBytes + IntoBytes>(address: u64, n: usize) -> Result<A, Errno> {
    // SAFETY: the caller's promise.
    unsafe { read(if address == 0 { 0 } else { address + (n * size_of::<A>()) as u64 }) }
}

/// Copies out a value.
///
/// # Safety
/// `address` is null or valid for writing an `A`.
pub(crate) unsafe fn write<A: IntoBytes + Immutable + ?Sized>(address: u64, value: &A) -> Result<(), Errno> {
    let bytes = value.as_bytes();
    if bytes.is_empty() {
        return Ok(());
    }
    if address == 0 {
        return Err(Errno::EFAULT);
    }
    let to = std::ptr::with_exposed_provenance_mut::<u8>(address as usize);
    // SAFETY: the caller's promise; Xen's copy is not seen by the compiler either.
    unsafe { std::ptr::copy(bytes.as_ptr(), to, bytes.len()) };
    Ok(())
}

/// Copies out the `n`-th value of an array.
///
/// # Safety
/// `address` is null or valid for writing `n + 1` values.
pub(crate) unsafe fn write_nth<A: IntoBytes + Immutable>(
    address: u64,
    n: usize,
    value: &A,
) -> Result<(), Errno> {
    // SAFETY: the caller's promise.
    unsafe { write(if address == 0 { 0 } else { address + (n * size_of::<A>()) as u64 }, value) }
}

/// Copies in bytes.
///
/// # Safety
/// `address` is null or valid for reading so many bytes.
pub(crate) unsafe fn read_bytes(address: u64, into: &mut [u8]) -> Result<(), Errno> {
    if into.is_empty() {
        return Ok(());
    }
    if address == 0 {
        return Err(Errno::EFAULT);
    }
    let from = std::ptr::with_exposed_provenance::<u8>(address as usize);
    // SAFETY: the caller's promise.
    unsafe { std::ptr::copy(from, into.as_mut_ptr(), into.len()) };
    Ok(())
}

/// Copies in `count` values.
///
/// # Safety
/// `address` is null or valid for reading so many values.
pub(crate) unsafe fn read_many<A: FromBytes + IntoBytes>(
    address: u64,
    count: usize,
) -> Result<Vec<A>, Errno> {
    // SAFETY: the caller's promise.
    (0..count).map(|n| unsafe { read_nth(address, n) }).collect()
}
