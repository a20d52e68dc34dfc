//! The guests' part of the play.

use xen_abi::arch_x86::save::{HwCpu, HwMtrr};
use xen_abi::memory::E820Entry;
use xen_abi::{DomId, Errno, EvtchnPort, Gfn, GuestPhys, PAGE_SIZE, Pages};

use crate::SimXen;

/// A guest, as seen from inside and by those who look over its shoulder.
#[derive(Clone, Copy)]
pub struct Guest<'s> {
    pub(crate) sim: &'s SimXen,
    pub(crate) id: DomId,
}

impl<'s> Guest<'s> {
    /// Which domain it is.
    #[must_use]
    pub fn id(&self) -> DomId {
        self.id
    }

    /// Reads its memory.
    ///
    /// # Panics
    /// It has no memory there.
    pub fn read(&self, at: GuestPhys, into: &mut [u8]) {
        let mut state = self.sim.state();
        for (gfn, offset, part) in pieces(at, into.len()) {
            let mfn =
                state.machine_frame(self.id, gfn).unwrap_or_else(|| panic!("{} has no {gfn:?}", self.id));
            state.arena.read(mfn, offset, &mut into[part]);
        }
    }

    /// Reads `count` bytes of its memory.
    ///
    /// # Panics
    /// It has no memory there.
    #[must_use]
    pub fn bytes(&self, at: GuestPhys, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.read(at, &mut bytes);
        bytes
    }

    /// Writes its memory.
    ///
    /// # Panics
    /// It has no memory there.
    pub fn write(&self, at: GuestPhys, from: &[u8]) {
        let mut state = self.sim.state();
        for (gfn, offset, part) in pieces(at, from.len()) {
            let mfn =
                state.machine_frame(self.id, gfn).unwrap_or_else(|| panic!("{} has no {gfn:?}", self.id));
            state.arena.write(mfn, offset, &from[part]);
        }
    }

    /// A page of its memory as a ring's memory: the guest's side of a console or store ring.
    #[must_use]
    pub fn page(&self, at: Gfn) -> GuestPage<'s> {
        GuestPage { guest: *self, at }
    }

    /// Has it memory at this frame?
    #[must_use]
    pub fn has(&self, gfn: Gfn) -> bool {
        self.sim.state().machine_frame(self.id, gfn).is_some()
    }

    /// How much memory it has.
    #[must_use]
    pub fn memory(&self) -> Pages {
        self.sim.state().domains.get(&self.id).map_or(Pages(0), |domain| Pages(domain.pages))
    }

    /// The memory map that it reads.
    #[must_use]
    pub fn memory_map(&self) -> Vec<E820Entry> {
        self.sim.state().domains.get(&self.id).map(|domain| domain.memory_map.clone()).unwrap_or_default()
    }

    /// Its parameter `HVM_PARAM_...`; 0 if it was never set.
    #[must_use]
    pub fn param(&self, index: u32) -> u64 {
        let state = self.sim.state();
        state.domains.get(&self.id).and_then(|domain| domain.params.get(&index)).copied().unwrap_or(0)
    }

    /// Notifies the other end of a port of its own.
    ///
    /// # Errors
    /// As `EVTCHNOP_send` would answer the guest.
    pub fn notify(&self, port: EvtchnPort) -> Result<(), Errno> {
        self.sim.state().send(self.id, port)
    }

    /// Binds to a port of another domain.
    ///
    /// # Errors
    /// As `EVTCHNOP_bind_interdomain` would answer the guest.
    pub fn bind(&self, remote: DomId, port: EvtchnPort) -> Result<EvtchnPort, Errno> {
        self.sim.state().bind_interdomain(self.id, remote, port)
    }

    /// Its pending ports, oldest first; they are not any more then.
    #[must_use]
    pub fn take_events(&self) -> Vec<EvtchnPort> {
        self.sim.state().take_events(self.id)
    }

    /// Shuts down: `SHUTDOWN_...`. `VIRQ_DOM_EXC` tells domain 0.
    ///
    /// # Errors
    /// `ESRCH`: it is gone.
    pub fn shutdown(&self, reason: u32) -> Result<(), Errno> {
        self.sim.state().shut_down(self.id, reason)
    }

    /// Gives memory back, its highest pages first, or takes more, as a balloon driver does.
    ///
    /// # Errors
    /// `ESRCH`: it is gone. `ENOMEM`: it may not have so much, or there is no more; it has what it could get.
    pub fn set_memory(&self, wanted: Pages) -> Result<(), Errno> {
        self.sim.state().balloon(self.id, wanted)
    }

    /// Brings a vCPU up or down.
    pub fn set_vcpu(&self, vcpu: usize, up: bool) {
        let mut state = self.sim.state();
        if let Some(vcpu) = state.domains.get_mut(&self.id).and_then(|domain| domain.vcpus.get_mut(vcpu)) {
            vcpu.up = up;
        }
    }

    /// Could it run at this moment: unpaused, with a vCPU that has registers, neither shut down nor dying?
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.sim.state().domains.get(&self.id).is_some_and(|domain| domain.running())
    }

    /// A vCPU runs for so many nanoseconds.
    ///
    /// # Panics
    /// It has no such vCPU.
    pub fn spend(&self, vcpu: usize, nanoseconds: u64) {
        let mut state = self.sim.state();
        let vcpu = state.domains.get_mut(&self.id).and_then(|domain| domain.vcpus.get_mut(vcpu));
        vcpu.expect("it has this vCPU").cpu_time += nanoseconds;
    }

    /// The registers that a vCPU starts with, if they were loaded.
    #[must_use]
    pub fn registers(&self, vcpu: usize) -> Option<HwCpu> {
        let state = self.sim.state();
        state.domains.get(&self.id)?.vcpus.get(vcpu).filter(|vcpu| vcpu.up).map(|vcpu| vcpu.cpu)
    }

    /// The memory types of a vCPU.
    #[must_use]
    pub fn mtrr(&self, vcpu: usize) -> Option<HwMtrr> {
        self.sim.state().domains.get(&self.id)?.vcpus.get(vcpu).map(|vcpu| vcpu.mtrr)
    }

    /// A vCPU runs on a CPU at this moment.
    ///
    /// # Panics
    /// It has no such vCPU.
    pub fn runs(&self, vcpu: usize, cpu: u32) {
        let mut state = self.sim.state();
        let vcpu = &mut state.domain(self.id).expect("it is there").vcpus[vcpu];
        (vcpu.up, vcpu.running, vcpu.processor) = (true, true, cpu);
    }

    /// How many vCPUs it has.
    #[must_use]
    pub fn vcpus(&self) -> usize {
        self.sim.state().domains.get(&self.id).map_or(0, |domain| domain.vcpus.len())
    }

    /// How it sees the TSC: `TSC_MODE_...`.
    #[must_use]
    pub fn tsc_mode(&self) -> u32 {
        self.sim.state().domains.get(&self.id).map_or(0, |domain| domain.tsc_mode)
    }
}

/// The parts of a stretch of memory, frame by frame: frame, offset in it, range of the stretch.
fn pieces(at: GuestPhys, count: usize) -> impl Iterator<Item = (Gfn, usize, std::ops::Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let here = GuestPhys(at.0 + done as u64);
        let length = (PAGE_SIZE - here.offset_in_frame()).min(count - done);
        let range = done..done + length;
        done += length;
        (length > 0).then(|| (here.frame(), here.offset_in_frame(), range))
    })
}

/// A page of a guest's memory, for the guest's end of a ring.
pub struct GuestPage<'s> {
    guest: Guest<'s>,
    at: Gfn,
}

impl GuestPage<'_> {
    fn address(&self, offset: usize) -> GuestPhys {
        GuestPhys(self.at.address().0 + offset as u64)
    }
}

impl ring::Shared for GuestPage<'_> {
    fn load_u32(&self, offset: usize) -> u32 {
        let mut word = [0; 4];
        self.guest.read(self.address(offset), &mut word);
        u32::from_le_bytes(word)
    }

    fn store_u32(&self, offset: usize, value: u32) {
        self.guest.write(self.address(offset), &value.to_le_bytes());
    }

    fn read(&self, offset: usize, into: &mut [u8]) {
        self.guest.read(self.address(offset), into);
    }

    fn write(&self, offset: usize, from: &[u8]) {
        self.guest.write(self.address(offset), from);
    }
}
