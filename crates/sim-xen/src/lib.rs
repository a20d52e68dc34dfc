//! A simulated Xen, for tests on a Linux host.
//!
//! [`SimXen`] is a [`Door`](hypercall::Door) that decodes the very bytes that would reach Xen, and an
//! [`Aperture`](hypercall::Aperture) whose mappings are real: guest memory lies in a file of memory, and
//! mapping a frame maps that page of the file, so that two mappings of one frame show the same bytes.
//!
//! * It speaks as any release from 4.14 to 4.22 ([`SimXen::release`]), and refuses other interface versions.
//! * It answers wrong use with the errors of the real one, as read in Xen's source.
//! * It fails on demand: [`SimXen::fail_nth`], [`SimXen::fail_next`], [`SimXen::fail_late`], [`SimXen::fail_element`].
//! * It counts: [`SimXen::exits`], [`SimXen::count`].
//! * It tells what was left behind: [`SimXen::snapshot`], [`SimXen::assert_clean`].
//! * It plays the guests' part: [`SimXen::guest`].
//!
//! What it does not do: run any guest code, schedule, or keep a domain from doing what only domain 0 may.
//! The only caller is domain 0.

mod access;
mod arena;
mod config;
mod context;
mod domain;
mod faults;
mod guest;
mod leaks;
mod ops;
mod ports;
mod state;

use std::ptr::NonNull;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hypercall::{Aperture, Door, Nr, Sites};
use xen_abi::{DomId, Errno, EvtchnPort, Gfn, Pages, Virq};

pub use config::Config;
pub use guest::{Guest, GuestPage};
pub use leaks::Snapshot;

use arena::Window;
use state::State;

/// The simulated Xen, as domain 0 sees it. Use it by reference: `Xen::probe(&sim)`.
pub struct SimXen {
    window: Window,
    state: Mutex<State>,
    sites: Sites,
}

impl Default for SimXen {
    fn default() -> Self {
        Self::new(Config::default())
    }
}

impl SimXen {
    /// A host as configured, with nothing but domain 0.
    ///
    /// # Panics
    /// The real host has no memory file or no address space to give.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let window = Window::new(config.aperture);
        let state = Mutex::new(State::new(config, &window));
        SimXen { window, state, sites: Sites::new() }
    }

    /// A default host with Xen 4.`minor`.
    #[must_use]
    pub fn release(minor: u16) -> Self {
        Self::new(Config { minor, ..Config::default() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A test that panicked while it held the lock has failed; others shall still tell what they see.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A guest's side of things.
    #[must_use]
    pub fn guest(&self, id: DomId) -> Guest<'_> {
        Guest { sim: self, id }
    }

    /// All domains, dying ones too, without domain 0.
    #[must_use]
    pub fn domains(&self) -> Vec<DomId> {
        self.state().domains.keys().copied().filter(|id| id.0 != 0).collect()
    }

    /// Free memory of the host.
    #[must_use]
    pub fn free_memory(&self) -> Pages {
        Pages(self.state().free_pages())
    }

    /// The ports of domain 0 that are pending, oldest first; they are not any more then.
    #[must_use]
    pub fn take_events(&self) -> Vec<EvtchnPort> {
        self.state().take_events(DomId(0))
    }

    /// Destroys a domain, as if somebody else with the right had.
    ///
    /// # Errors
    /// `ESRCH`: there is none.
    pub fn destroy(&self, id: DomId) -> Result<(), Errno> {
        self.state().destroy(id)
    }

    /// Raises a global virtual interrupt.
    pub fn raise(&self, virq: Virq) {
        self.state().raise(virq);
    }

    /// When domain 0's timer will fire, if it is set.
    #[must_use]
    pub fn timer(&self) -> Option<u64> {
        self.state().timer
    }

    /// What domain 0 has written to Xen's console so far.
    #[must_use]
    pub fn console_output(&self) -> Vec<u8> {
        self.state().console.output.clone()
    }

    /// Adds to Xen's console ring, as if Xen had printed it.
    pub fn print(&self, text: &[u8]) {
        let mut state = self.state();
        let most = state.config.console_ring;
        state.console.print(text, most);
    }

    /// Types on Xen's console.
    pub fn type_on_console(&self, text: &[u8]) {
        let mut state = self.state();
        state.console.input.extend(text);
        state.raise(xen_abi::xen::VIRQ_CONSOLE);
    }

    /// Debug keys that were pressed.
    #[must_use]
    pub fn debug_keys(&self) -> Vec<u8> {
        self.state().debug_keys.clone()
    }

    /// Why domain 0 shut down, if it did: `SHUTDOWN_...`.
    #[must_use]
    pub fn host_shutdown(&self) -> Option<u32> {
        self.state().host_shutdown
    }

    /// Sets the memory limit of domain 0.
    pub fn limit_own_memory(&self, limit: Pages) {
        if let Some(own) = self.state().domains.get_mut(&DomId(0)) {
            own.max_pages = limit.0;
        }
    }
}

// SAFETY: decodes `args` as Xen would; all that it writes is what Xen would write there. Each simulated Xen has its sites.
unsafe impl Door for SimXen {
    unsafe fn call(&self, nr: Nr, args: [u64; 5]) -> i64 {
        // SAFETY: the caller's promise is passed on.
        unsafe { ops::enter(&mut self.state(), &self.window, nr, args) }
    }

    fn sites(&self) -> &Sites {
        &self.sites
    }
}

// SAFETY: `FrameRanges` lends no frame twice; a window's address belongs to one frame, is one row, and shows what
// is mapped there as soon as it is.
unsafe impl Aperture for SimXen {
    fn reserve(&self, pages: usize) -> Option<Gfn> {
        let mut state = self.state();
        let first = state.aperture.reserve(pages)?;
        state.lent += pages;
        Some(first)
    }

    fn release(&self, first: Gfn, pages: usize) {
        let mut state = self.state();
        state.check_unmapped(first, pages);
        state.lent -= pages;
        state.aperture.release(first, pages);
    }

    fn address(&self, gfn: Gfn) -> NonNull<u8> {
        self.window.address(gfn)
    }
}
