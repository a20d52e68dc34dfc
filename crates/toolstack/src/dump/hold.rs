//! The hold on a domain that is dumped.

use alloc::vec::Vec;
use core::cell::RefCell;

use hypercall::{Aperture, Door};
use proto::dump::{DumpError, DumpFailure};
use xen_abi::Errno;

use crate::errors::told;
use crate::layout;
use crate::list::Target;
use crate::platform::Platform;
use crate::toolstack::{Mapping, Toolstack};

use super::MOST_DUMPS;

/// The node that tells of a dump under way, below a domain's `/vm`: xend's.
const IN_PROGRESS: &str = "xend/dumpcore_in_progress";

/// The domains that are dumped.
#[derive(Debug, Default)]
pub(crate) struct Holds(RefCell<Vec<Held>>);

/// A domain that is dumped.
#[derive(Clone, Copy, Debug)]
struct Held {
    target: Target,
    /// Paused as long as it is held: whether it shall run when it is let go.
    runs_later: Option<bool>,
}

impl Holds {
    /// Notes that a domain is to run or not, where it is paused for a dump; says whether it is.
    pub(crate) fn defer(&self, target: Target, runs: bool) -> bool {
        let mut holds = self.0.borrow_mut();
        let later = holds.iter_mut().find(|held| held.target == target).and_then(|h| h.runs_later.as_mut());
        later.map(|later| *later = runs).is_some()
    }

    fn enter(&self, held: Held) -> Result<(), DumpError> {
        let mut holds = self.0.borrow_mut();
        if holds.iter().any(|other| other.target == held.target) {
            return Err(DumpError::UnderWay);
        }
        if holds.len() >= MOST_DUMPS {
            return Err(DumpError::TooMany { limit: MOST_DUMPS as u16 });
        }
        holds.push(held);
        Ok(())
    }

    /// A domain is paused no more for a dump; says whether it was, and is to run.
    fn end_pause(&self, target: Target) -> bool {
        let mut holds = self.0.borrow_mut();
        let held = holds.iter_mut().find(|held| held.target == target);
        held.and_then(|held| held.runs_later.take()) == Some(true)
    }

    fn leave(&self, target: Target) {
        self.0.borrow_mut().retain(|held| held.target != target);
    }
}

/// One domain held; dropped: let go.
pub(super) struct Hold<'t, 'x, M: Door + Aperture, P: Platform<Mapping<'x, M>>> {
    toolstack: &'t Toolstack<'x, M, P>,
    target: Target,
}

impl<'t, 'x, M: Door + Aperture, P: Platform<Mapping<'x, M>>> Hold<'t, 'x, M, P> {
    /// Holds a domain; `pause`: paused meanwhile, and whether it ran.
    pub(super) fn take(
        toolstack: &'t Toolstack<'x, M, P>,
        target: Target,
        pause: Option<bool>,
    ) -> Result<Self, DumpError> {
        toolstack.dumps.enter(Held { target, runs_later: None })?;
        // From here on dropping it undoes it.
        let hold = Hold { toolstack, target };
        if pause == Some(true) {
            toolstack.xen.pause_domain(target.domid()).map_err(|error| DumpError::Xen(told(error)))?;
        }
        hold.set_pause(pause);
        hold.mark(true);
        Ok(hold)
    }

    fn set_pause(&self, pause: Option<bool>) {
        let mut holds = self.toolstack.dumps.0.borrow_mut();
        if let Some(held) = holds.iter_mut().find(|held| held.target == self.target) {
            held.runs_later = pause;
        }
    }

    pub(super) fn toolstack(&self) -> &'t Toolstack<'x, M, P> {
        self.toolstack
    }

    pub(super) fn target(&self) -> Target {
        self.target
    }

    /// Says whether we destroyed the domain, or are about to. No exit.
    pub(super) fn is_gone(&self) -> bool {
        self.toolstack.is_dying(self.target)
    }

    /// Says whether anybody did. One exit.
    pub(super) fn is_dying(&self) -> Result<bool, DumpFailure> {
        match self.toolstack.xen.domain_info(self.target.domid()) {
            Ok(info) => Ok(info.dying),
            Err(error) if error.errno == Errno::ESRCH => Ok(true),
            Err(error) => Err(DumpFailure::Xen(told(error))),
        }
    }

    /// Lets the domain run again, where it did before or somebody wanted it to meanwhile.
    pub(super) fn resume(&self) {
        let runs = self.toolstack.dumps.end_pause(self.target);
        if !runs || self.is_gone() {
            return;
        }
        if let Err(error) = self.toolstack.xen.unpause_domain(self.target.domid()) {
            log::error!("d{}: stays paused after its dump: {error}", self.target.domid());
        }
    }

    /// Tells in the store whether a dump is under way. What we did not build has nothing there.
    fn mark(&self, is_under_way: bool) {
        let Target::Ours(serial, domid) = self.target else { return };
        let registry = self.toolstack.registry.borrow();
        let Some(record) = registry.by_serial(serial) else { return };
        let node = layout::vm_node(record.uuid, IN_PROGRESS, "True");
        let mut store = self.toolstack.store.borrow_mut();
        let told = store.control(|tree| match is_under_way {
            true => layout::write(tree, &[node]),
            false => tree.rm(&node.path),
        });
        if let Err(error) = told {
            log::warn!("d{domid}: xenstore does not tell of its dump: {error}");
        }
    }
}

impl<'x, M: Door + Aperture, P: Platform<Mapping<'x, M>>> Drop for Hold<'_, 'x, M, P> {
    fn drop(&mut self) {
        self.resume();
        self.mark(false);
        self.toolstack.dumps.leave(self.target);
    }
}
