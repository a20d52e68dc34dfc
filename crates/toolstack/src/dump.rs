//! Dumping a domain's memory: what is read, in which order, and what becomes of the domain meanwhile.
//!
//! A [`Dump`] is read piece by piece. As long as it exists the domain is held: paused, unless it is to run on or was
//! paused before, and marked in the store. Dropped, at whatever point, it lets go. People who pause or unpause a held domain are
//! obeyed when it is let go.

mod hold;
mod scan;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use hypercall::{Aperture, Door, calls};
use proto::domain::{DomainRef, ShutdownReason};
use proto::dump::{CoreId, DumpError, DumpFailure, DumpPause};
use stream::dump::{Packing, Writer};
use xen_abi::{Errno, Gfn, KiB, PAGE_SIZE, VcpuId};

use crate::errors::told;
use crate::list::Target;
use crate::platform::Platform;
use crate::registry::Stage;
use crate::state;
use crate::toolstack::{Mapping, Toolstack};

use hold::Hold;
pub(crate) use hold::Holds;
use scan::Scan;

/// Dumps that may be under way. Each takes a few hundred KiB of the heap.
pub const MOST_DUMPS: usize = 4;
/// Frames looked at in one piece: 512 KiB at most leave with it.
const WINDOW: u64 = 128;
/// vCPUs whose registers are read in one exit: 40 KiB.
const VCPUS_AT_ONCE: u32 = 8;

/// A dump under way; see the module's page.
pub struct Dump<'t, 'x, M: Door + Aperture, P: Platform<Mapping<'x, M>>> {
    hold: Hold<'t, 'x, M, P>,
    name: String,
    pages: u64,
    /// Until the last record was made.
    writer: Option<Writer>,
    next_vcpu: u32,
    /// How many vCPUs the domain may have.
    vcpus: u32,
    scan: Scan,
    page: Box<[u8; PAGE_SIZE]>,
}

impl<'x, M: Door + Aperture, P: Platform<Mapping<'x, M>>> Toolstack<'x, M, P> {
    /// Begins a dump. Two exits, and one to pause the domain.
    ///
    /// # Errors
    /// See [`DumpError`]. Then nothing has changed.
    pub fn dump(
        &self,
        domain: &DomainRef,
        pause: DumpPause,
        packing: Packing,
    ) -> Result<Dump<'_, 'x, M, P>, DumpError> {
        let target = match self.resolve(domain) {
            Ok(Target::Control) => return Err(DumpError::Privileged),
            Ok(target) => target,
            Err(_) => return Err(DumpError::NotFound),
        };
        let xens = |error| DumpError::Xen(told(error));
        let info = self.xen.domain_info(target.domid()).map_err(|error| match error.errno {
            Errno::ESRCH => DumpError::NotFound,
            _ => xens(error),
        })?;
        let is_dumpable = match state::shutdown_reason(&info) {
            None => true,
            // What a rule for crashes is followed for can be looked at as a crash.
            Some(ShutdownReason::Crash | ShutdownReason::Watchdog | ShutdownReason::Other(_)) => true,
            Some(_) => false,
        };
        if info.dying || !is_dumpable || self.is_dying(target) {
            return Err(DumpError::NotStarted);
        }
        if !info.hvm {
            return Err(DumpError::Paravirtual);
        }
        let last = self.xen.maximum_gfn(target.domid()).map_err(xens)?;
        let (name, known) = self.dumped(target);
        let pauses = pause != DumpPause::Live && info.shutdown.is_none();
        let hold = Hold::take(self, target, pauses.then_some(!info.paused))?;
        log::info!("d{} {name}: dumped, {} pages", target.domid(), info.pages.0);
        Ok(Dump {
            hold,
            name,
            pages: info.pages.0,
            writer: Some(Writer::new(packing)),
            next_vcpu: 0,
            vcpus: info.max_vcpu.map_or(0, |last| last.0 + 1),
            scan: Scan::new(known.as_ref(), last, info.pages),
            page: Box::new([0; PAGE_SIZE]),
        })
    }

    fn is_dying(&self, target: Target) -> bool {
        match target {
            Target::Ours(serial, _) => {
                self.registry.borrow().by_serial(serial).is_none_or(|record| record.stage == Stage::Dying)
            }
            Target::Control | Target::Foreign(_) => false,
        }
    }

    /// A domain's name, and how much memory it may have where we built it.
    fn dumped(&self, target: Target) -> (String, Option<KiB>) {
        let registry = self.registry.borrow();
        match registry.get(target.domid()) {
            Some(record) => (record.name.as_str().into(), Some(KiB(record.config.max_memory_kib))),
            None => (alloc::format!("(unknown-{})", target.domid()), None),
        }
    }
}

impl<'x, M: Door + Aperture, P: Platform<Mapping<'x, M>>> Dump<'_, 'x, M, P> {
    /// The domain's id.
    #[must_use]
    pub fn domid(&self) -> u16 {
        self.hold.target().domid().0
    }

    /// The domain's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many pages the domain had when the dump began.
    #[must_use]
    pub fn pages(&self) -> u64 {
        self.pages
    }

    /// What the domain's core is waited for as, where it is.
    #[must_use]
    pub fn core(&self) -> Option<CoreId> {
        let Target::Ours(serial, _) = self.hold.target() else { return None };
        self.hold.toolstack().awaits_core(serial).then(|| serial.core())
    }

    /// Appends more records to `out`, about half a MiB at most, or none where there was nothing; says whether there is still more.
    ///
    /// At most two exits: whatever is mapped for it is unmapped when this returns.
    pub fn more(&mut self, out: &mut Vec<u8>) -> bool {
        let Some(mut writer) = self.writer.take() else { return false };
        match self.step(&mut writer, out) {
            Ok(true) => {
                self.writer = Some(writer);
                true
            }
            Ok(false) => {
                writer.end(out);
                false
            }
            Err(failure) => {
                log::warn!("d{} {}: not dumped: {failure:?}", self.domid(), self.name);
                // Without a reason it would be a failure all the same.
                writer.fail(&postcard::to_allocvec(&failure).unwrap_or_default(), out);
                false
            }
        }
    }

    /// Lets the domain go on where it was paused for this, though the dump is still held.
    pub fn resume(&mut self) {
        self.hold.resume();
    }

    fn step(&mut self, writer: &mut Writer, out: &mut Vec<u8>) -> Result<bool, DumpFailure> {
        if self.hold.is_gone() {
            return Err(DumpFailure::Destroyed);
        }
        if self.next_vcpu < self.vcpus {
            self.read_vcpus(writer, out)?;
            return Ok(true);
        }
        let Some(frames) = self.scan.next_frames(WINDOW) else {
            // One that somebody else destroyed has just lost its memory: that is no dump of it.
            return match self.hold.is_dying()? {
                true => Err(DumpFailure::Destroyed),
                false => Ok(false),
            };
        };
        let xen = self.hold.toolstack().xen;
        let count = (frames.end - frames.start) as usize;
        let mapped =
            xen.map_present(self.hold.target().domid(), Gfn(frames.start), count).map_err(failure)?;
        for (n, frame) in frames.enumerate() {
            if mapped.read_page(n, &mut self.page) {
                writer.page(frame, &self.page, out);
                self.scan.found();
            }
        }
        writer.flush(out);
        Ok(true)
    }

    fn read_vcpus(&mut self, writer: &mut Writer, out: &mut Vec<u8>) -> Result<(), DumpFailure> {
        let (xen, domid) = (self.hold.toolstack().xen, self.hold.target().domid());
        let end = self.vcpus.min(self.next_vcpu + VCPUS_AT_ONCE);
        let mut batch = xen.batch();
        let tickets: Vec<_> = (self.next_vcpu..end)
            .map(|vcpu| (vcpu, batch.add(calls::domctl::vcpu_context(xen.abi(), domid, VcpuId(vcpu)))))
            .collect();
        let done = batch.issue().map_err(failure)?;
        for (vcpu, ticket) in tickets {
            match done.get(ticket) {
                Ok(registers) => writer.vcpu(vcpu, &registers, out),
                // It was never up, and has no registers.
                Err(error) if [Errno::ENODATA, Errno::EINVAL].contains(&error.errno) => {}
                Err(error) => return Err(failure(error)),
            }
        }
        self.next_vcpu = end;
        Ok(())
    }
}

fn failure(error: hypercall::XenError) -> DumpFailure {
    match error.errno {
        Errno::ESRCH => DumpFailure::Destroyed,
        _ => DumpFailure::Xen(told(error)),
    }
}
