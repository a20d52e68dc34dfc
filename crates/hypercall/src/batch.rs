//! Many calls in one multicall: one exit.

use alloc::vec::Vec;
use core::marker::PhantomData;

use xen_abi::Errno;
use xen_abi::xen::{MulticallEntry, Nr};

use crate::call::{Call, RawCall, Reply};
use crate::{Door, Xen, XenError};

/// Calls that are collected and then issued together, in order.
///
/// Xen carries on after a call that fails. What must not happen after a failure belongs in a later batch.
pub struct Batch<'x, M> {
    xen: &'x Xen<M>,
    calls: Vec<RawCall>,
}

/// The claim to one call's answer in [`Done`].
pub struct Ticket<T> {
    index: usize,
    decode: fn(&Reply<'_>) -> T,
    answer: PhantomData<fn() -> T>,
}

/// The answers of a batch.
pub struct Done {
    calls: Vec<RawCall>,
    answers: Vec<i64>,
}

impl<'x, M: Door> Batch<'x, M> {
    pub(crate) fn new(xen: &'x Xen<M>) -> Self {
        Batch { xen, calls: Vec::new() }
    }

    /// Adds a call; its answer will be found under the ticket.
    pub fn add<T>(&mut self, call: Call<T>) -> Ticket<T> {
        self.calls.push(call.raw);
        Ticket { index: self.calls.len() - 1, decode: call.decode, answer: PhantomData }
    }

    /// How many calls are in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.calls.len()
    }

    /// Is nothing in it?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Issues all calls in one exit; none if the batch is empty.
    ///
    /// # Errors
    /// The multicall itself was refused; then Xen has done nothing of it. Whether each call succeeded is
    /// told by [`Done`].
    pub fn issue(mut self) -> Result<Done, XenError> {
        let mut entries: Vec<MulticallEntry> = self.calls.iter_mut().map(entry).collect();
        if !entries.is_empty() {
            // SAFETY: the entries are calls whose memory belongs to `self.calls`, which stays as it is until
            // Xen is done.
            unsafe { self.xen.multicall(&mut entries)? };
        }
        let answers = entries.iter().map(|entry| entry.result as i64).collect();
        Ok(Done { calls: self.calls, answers })
    }
}

fn entry(call: &mut RawCall) -> MulticallEntry {
    let mut args = [0; 6];
    args[..5].copy_from_slice(&call.registers());
    MulticallEntry { op: call.nr.0, result: 0, args }
}

impl<M: Door> Xen<M> {
    /// Issues the entries in one exit; the answers are in them afterwards.
    ///
    /// # Safety
    /// Each entry is a hypercall of which every address, and every one it leads to, is valid for what that
    /// hypercall reads and writes.
    pub(crate) unsafe fn multicall(&self, entries: &mut [MulticallEntry]) -> Result<(), XenError> {
        self.count(entries.len() as u64);
        let address = entries.as_mut_ptr().expose_provenance() as u64;
        // SAFETY: the entries are ours, and the caller vouches for what they lead to.
        let answer = unsafe { self.machine().call(Nr::MULTICALL, [address, entries.len() as u64, 0, 0, 0]) };
        match Errno::from_answer(answer) {
            Ok(_) => Ok(()),
            Err(errno) => Err(XenError { op: "multicall", errno }),
        }
    }
}

impl Done {
    /// The answer of one call.
    ///
    /// # Errors
    /// What Xen answered to it, with its name.
    ///
    /// # Panics
    /// The ticket is of another, longer batch.
    pub fn get<T>(&self, ticket: Ticket<T>) -> Result<T, XenError> {
        let raw = &self.calls[ticket.index];
        match Errno::from_answer(self.answers[ticket.index]) {
            Ok(value) => Ok((ticket.decode)(&Reply { value, raw })),
            Err(errno) => Err(XenError { op: raw.name, errno }),
        }
    }

    /// Did all succeed? Answers the first failure.
    ///
    /// # Errors
    /// What Xen answered to the first call that failed, with its name.
    pub fn all(&self) -> Result<(), XenError> {
        for (raw, &answer) in self.calls.iter().zip(&self.answers) {
            Errno::from_answer(answer).map_err(|errno| XenError { op: raw.name, errno })?;
        }
        Ok(())
    }
}
