//! The host: domains, memory, console.

use std::collections::{BTreeMap, VecDeque};

use hypercall::FrameRanges;
use xen_abi::domctl::{XEN_DOMCTL_CDF_HAP, XEN_DOMCTL_CDF_HVM};
use xen_abi::xen::{DOMID_SELF, VIRQ_CON_RING, VIRQ_DOM_EXC};
use xen_abi::{DomId, Errno, Gfn, Mfn, Pages};

use crate::arena::{Arena, Window};
use crate::config::Config;
use crate::domain::{DEFAULT_SHARE, DOMAIN_OVERHEAD, Domain, Frame, VCPU_OVERHEAD, Vcpu};
use crate::faults::{Counts, Faults};
use crate::ops::Pool;
use crate::ports::Ports;

pub(crate) struct State {
    pub(crate) config: Config,
    pub(crate) arena: Arena,
    pub(crate) domains: BTreeMap<DomId, Domain>,
    pub(crate) pools: BTreeMap<u32, Pool>,
    /// The identifier given last; the search for a free one starts behind it.
    pub(crate) rover: u16,
    pub(crate) aperture: FrameRanges,
    pub(crate) lent: usize,
    pub(crate) faults: Faults,
    pub(crate) counts: Counts,
    pub(crate) console: Console,
    pub(crate) debug_keys: Vec<u8>,
    pub(crate) timer: Option<u64>,
    pub(crate) host_shutdown: Option<u32>,
    pub(crate) in_multicall: bool,
    /// PCI functions that domain 0 has told of: segment, bus, function.
    pub(crate) pci: Vec<(u16, u8, u8)>,
}

#[derive(Default)]
pub(crate) struct Console {
    /// What domain 0 wrote.
    pub(crate) output: Vec<u8>,
    /// What was typed and not read yet.
    pub(crate) input: VecDeque<u8>,
    /// The ring: all that is in it.
    pub(crate) ring: VecDeque<u8>,
    /// The index of the ring's first byte.
    pub(crate) start: u32,
}

impl Console {
    /// Adds to the ring, which keeps the last `most` bytes.
    pub(crate) fn print(&mut self, text: &[u8], most: usize) {
        self.ring.extend(text);
        let excess = self.ring.len().saturating_sub(most);
        self.ring.drain(..excess);
        self.start = self.start.wrapping_add(excess as u32);
    }
}

impl State {
    pub(crate) fn new(config: Config, window: &Window) -> Self {
        let mut arena = Arena::new(config.memory);
        let memory = (0..config.own.0).filter_map(|n| {
            let mfn = arena.allocate(1)?;
            Some((Gfn(n), Frame::Own { mfn, mapped: 0 }))
        });
        let memory: BTreeMap<Gfn, Frame> = memory.collect();
        assert_eq!(memory.len() as u64, config.own.0, "the host has no room for domain 0");
        let own = Domain {
            pages: config.own.0,
            handle: [0; 16],
            ssidref: 0,
            flags: XEN_DOMCTL_CDF_HVM | XEN_DOMCTL_CDF_HAP,
            emulation: 0,
            cpupool: 0,
            max_vcpus: 1,
            vcpus: vec![Vcpu { up: true, ..Vcpu::new() }],
            pauses: 0,
            shutdown: None,
            dying: false,
            max_pages: u64::from(u32::MAX),
            memory,
            memory_map: Vec::new(),
            params: BTreeMap::new(),
            ports: Ports::new(4095),
            pool: 0,
            tsc_mode: 0,
            time_offset: 0,
            share: DEFAULT_SHARE,
            max_grant_frames: 64,
            grant_version: 1,
            grant_table: None,
            started: true,
        };
        State {
            arena,
            domains: BTreeMap::from([(DomId(0), own)]),
            pools: Pool::at_boot(&config),
            rover: 0,
            aperture: FrameRanges::new(window.frames()),
            lent: 0,
            faults: Faults::default(),
            counts: Counts::default(),
            console: Console::default(),
            debug_keys: Vec::new(),
            timer: None,
            host_shutdown: None,
            in_multicall: false,
            pci: Vec::new(),
            config,
        }
    }

    /// Xen's own pages for domains and vCPUs, and the pools.
    fn overhead(&self) -> u64 {
        let guests = self.domains.iter().filter(|(id, _)| id.0 != 0);
        guests.map(|(_, d)| DOMAIN_OVERHEAD + d.vcpus.len() as u64 * VCPU_OVERHEAD + d.pool).sum()
    }

    /// Pages that are free.
    pub(crate) fn free_pages(&self) -> u64 {
        self.arena.free_pages.saturating_sub(self.overhead())
    }

    /// A domain, dying ones too.
    pub(crate) fn domain(&mut self, id: DomId) -> Result<&mut Domain, Errno> {
        let id = self.own_if_self(id);
        self.domains.get_mut(&id).ok_or(Errno::ESRCH)
    }

    /// A domain that is not dying.
    pub(crate) fn living(&mut self, id: DomId) -> Result<&mut Domain, Errno> {
        let domain = self.domain(id)?;
        if domain.dying { Err(Errno::ESRCH) } else { Ok(domain) }
    }

    pub(crate) fn own_if_self(&self, id: DomId) -> DomId {
        if id == DOMID_SELF { DomId(0) } else { id }
    }

    /// The machine frame behind a guest frame of a domain's own memory.
    pub(crate) fn machine_frame(&mut self, id: DomId, gfn: Gfn) -> Option<Mfn> {
        match self.domain(id).ok()?.memory.get(&gfn)? {
            Frame::Own { mfn, .. } | Frame::Grants { mfn, .. } => Some(*mfn),
            Frame::Foreign(..) | Frame::Special => None,
        }
    }

    /// Stops a domain, as if it or its watchdog had.
    pub(crate) fn shut_down(&mut self, id: DomId, reason: u32) -> Result<(), Errno> {
        if id.0 == 0 {
            self.host_shutdown = Some(reason);
            return Ok(());
        }
        let domain = self.living(id)?;
        if domain.shutdown.is_none() {
            domain.shutdown = Some(reason);
            self.raise(VIRQ_DOM_EXC);
        }
        Ok(())
    }

    /// What `XEN_DOMCTL_destroydomain` does. The domain stays, dying, while others map its pages.
    pub(crate) fn destroy(&mut self, id: DomId) -> Result<(), Errno> {
        if id.0 == 0 {
            return Err(Errno::EINVAL);
        }
        let domain = self.domain(id)?;
        domain.dying = true;
        domain.pauses = domain.pauses.max(1);
        domain.pool = 0;
        for port in domain.ports.open.keys().copied().collect::<Vec<_>>() {
            self.close(id, port)?;
        }
        self.reap(id);
        Ok(())
    }

    /// Frees what a dying domain has that nobody maps; forgets the domain when that is all.
    pub(crate) fn reap(&mut self, id: DomId) {
        let Some(domain) = self.domains.get_mut(&id).filter(|domain| domain.dying) else { return };
        let mut freed: Vec<Mfn> = Vec::new();
        domain.memory.retain(|_, frame| match frame {
            Frame::Own { mapped: 1.., .. } | Frame::Grants { mapped: 1.., .. } => true,
            Frame::Own { mfn, .. } => {
                freed.push(*mfn);
                false
            }
            Frame::Foreign(..) | Frame::Grants { .. } | Frame::Special => false,
        });
        domain.pages -= freed.len() as u64;
        let gone = domain.memory.is_empty();
        if gone {
            freed.extend(domain.grant_table.take());
        }
        for (first, count) in runs(freed) {
            self.arena.scrub(first, count);
            self.arena.free(first, count);
        }
        if gone {
            self.domains.remove(&id);
        }
        self.raise(VIRQ_DOM_EXC);
    }

    /// Has a guest give memory back, its highest pages first, or take more.
    pub(crate) fn balloon(&mut self, id: DomId, wanted: Pages) -> Result<(), Errno> {
        while self.living(id)?.pages > wanted.0 {
            let domain = self.living(id)?;
            // What others have mapped stays.
            let own = |(gfn, frame): (&Gfn, &Frame)| match frame {
                Frame::Own { mfn, mapped: 0 } => Some((*gfn, *mfn)),
                _ => None,
            };
            let (gfn, mfn) = domain.memory.iter().rev().find_map(own).ok_or(Errno::EBUSY)?;
            domain.memory.remove(&gfn);
            domain.pages -= 1;
            self.arena.free(mfn, 1);
        }
        let mut next = Gfn(0);
        while self.living(id)?.pages < wanted.0 {
            let domain = self.living(id)?;
            if domain.pages >= domain.max_pages || self.free_pages() == 0 {
                return Err(Errno::ENOMEM);
            }
            let mfn = self.arena.allocate(1).ok_or(Errno::ENOMEM)?;
            let domain = self.living(id)?;
            while domain.memory.contains_key(&next) {
                next = next.offset(1);
            }
            domain.memory.insert(next, Frame::Own { mfn, mapped: 0 });
            domain.pages += 1;
        }
        Ok(())
    }

    /// Demands that nothing is at frames of the aperture.
    pub(crate) fn check_unmapped(&self, first: Gfn, pages: usize) {
        let left = self.domains[&DomId(0)].memory.range(first..first.offset(pages as u64)).next();
        assert!(left.is_none(), "released while still mapped: {left:?}");
    }

    /// Prints on Xen's console.
    pub(crate) fn print(&mut self, text: &[u8]) {
        self.console.print(text, self.config.console_ring);
        self.raise(VIRQ_CON_RING);
    }
}

/// Groups frames that follow each other.
pub(crate) fn runs(mut frames: Vec<Mfn>) -> Vec<(Mfn, u64)> {
    frames.sort_unstable();
    let mut runs: Vec<(Mfn, u64)> = Vec::new();
    for frame in frames {
        match runs.last_mut() {
            Some((first, count)) if first.0 + *count == frame.0 => *count += 1,
            _ => runs.push((frame, 1)),
        }
    }
    runs
}
