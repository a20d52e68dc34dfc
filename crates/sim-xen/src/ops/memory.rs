//! Memory of domains. Source: public/memory.h.

use xen_abi::memory::{
    self as abi, AddToPhysmap, AddToPhysmapBatch, E820_RAM, E820Entry, ForeignMemoryMap, MemoryMap,
    MemoryReservation, RemoveFromPhysmap,
};
use xen_abi::{DomId, Errno, Gfn, Mfn};

use super::{Answer, Request};
use crate::access::{read, read_many, read_nth, write, write_nth};
use crate::arena::Window;
use crate::domain::Frame;
use crate::state::State;

/// log2 of the pages of the largest extent that domain 0 may ask for.
const MAX_ORDER: u32 = 18;
/// Entries of the longest memory map: `E820MAX`.
const MAX_MAP: u32 = 128;
const US: DomId = DomId(0);

/// # Safety
/// As for [`hypercall::Door::call`].
pub(super) unsafe fn handle(mut request: Request<'_>) -> Answer {
    let [command, address, ..] = request.args;
    // SAFETY: each operation takes the structure that public/memory.h pairs with it.
    unsafe {
        match command as u32 {
            abi::XENMEM_POPULATE_PHYSMAP => populate(&mut request, read(address)?),
            abi::XENMEM_DECREASE_RESERVATION => decrease(&mut request, read(address)?),
            abi::XENMEM_CURRENT_RESERVATION => Ok(request.state.domain(read(address)?)?.pages),
            abi::XENMEM_MAXIMUM_RESERVATION => Ok(request.state.domain(read(address)?)?.max_pages),
            abi::XENMEM_MAXIMUM_GPFN => {
                let memory = &request.state.domain(read(address)?)?.memory;
                Ok(memory.last_key_value().map_or(0, |(gfn, _)| gfn.0))
            }
            abi::XENMEM_ADD_TO_PHYSMAP => add(&mut request, read(address)?),
            abi::XENMEM_ADD_TO_PHYSMAP_BATCH => add_batch(&mut request, read(address)?),
            abi::XENMEM_REMOVE_FROM_PHYSMAP => {
                let RemoveFromPhysmap { domid, gpfn, .. } = read(address)?;
                remove(request.state, request.window, domid, gpfn).map(|()| 0)
            }
            abi::XENMEM_SET_MEMORY_MAP => {
                let ForeignMemoryMap { domid, map, .. } = read(address)?;
                if map.nr_entries > MAX_MAP {
                    return Err(Errno::EINVAL);
                }
                let entries: Vec<E820Entry> = read_many(map.buffer, map.nr_entries as usize)?;
                request.state.living(domid)?.memory_map = entries;
                Ok(0)
            }
            abi::XENMEM_MEMORY_MAP => {
                let ram = request.state.config.own.bytes().0;
                answer_map(address, &[E820Entry::new(0, ram, E820_RAM)])
            }
            abi::XENMEM_MACHINE_MEMORY_MAP => {
                let ram = request.state.config.memory.bytes().0;
                answer_map(address, &[E820Entry::new(0, ram, E820_RAM)])
            }
            _ => Err(Errno::ENOSYS),
        }
    }
}

/// # Safety
/// `address` is a memory map's.
unsafe fn answer_map(address: u64, map: &[E820Entry]) -> Answer {
    // SAFETY: the caller's promise.
    unsafe {
        let mut arg: MemoryMap = read(address)?;
        let count = map.len().min(arg.nr_entries as usize);
        for (n, entry) in map.iter().take(count).enumerate() {
            write_nth(arg.buffer, n, entry)?;
        }
        arg.nr_entries = count as u32;
        write(address, &arg)?;
    }
    Ok(0)
}

/// # Safety
/// The list in `arg` is as long as it says.
unsafe fn populate(request: &mut Request<'_>, arg: MemoryReservation) -> Answer {
    let Request { state, window, op, .. } = request;
    state.living(arg.domid)?;
    let mut done = 0;
    if arg.extent_order > MAX_ORDER {
        return Ok(done);
    }
    let stop = state.faults.element(op, arg.nr_extents as usize).map(|(n, _)| n as u64);
    while done < arg.nr_extents && stop != Some(done) {
        // SAFETY: the caller's promise.
        let Ok(gfn) = (unsafe { read_nth(arg.extent_start, done as usize) }) else { break };
        if !populate_extent(state, window, arg.domid, gfn, 1 << arg.extent_order) {
            break;
        }
        done += 1;
    }
    Ok(done)
}

fn populate_extent(state: &mut State, window: &Window, dom: DomId, first: Gfn, pages: u64) -> bool {
    let dom = state.own_if_self(dom);
    let Ok(domain) = state.living(dom) else { return false };
    if domain.pages + pages > domain.max_pages || state.free_pages() < pages {
        return false;
    }
    let Some(Mfn(mfn)) = state.arena.allocate(pages) else { return false };
    if dom == US && window.frames().contains(&first) {
        window.map(&state.arena, first, Mfn(mfn), pages);
    }
    let Ok(domain) = state.living(dom) else { return false };
    for n in 0..pages {
        let old = domain.memory.insert(first.offset(n), Frame::Own { mfn: Mfn(mfn + n), mapped: 0 });
        // Xen keeps the old page for the domain, out of its reach. Nobody means to do that, so a test shall see it.
        assert!(old.is_none(), "{:?} of d{dom} was populated already", first.offset(n));
    }
    domain.pages += pages;
    true
}

/// # Safety
/// The list in `arg` is as long as it says.
unsafe fn decrease(request: &mut Request<'_>, arg: MemoryReservation) -> Answer {
    let Request { state, window, op, .. } = request;
    state.living(arg.domid)?;
    let mut done = 0;
    if arg.extent_order > MAX_ORDER {
        return Ok(done);
    }
    let stop = state.faults.element(op, arg.nr_extents as usize).map(|(n, _)| n as u64);
    'extents: while done < arg.nr_extents && stop != Some(done) {
        // SAFETY: the caller's promise.
        let Ok(first) = (unsafe { read_nth::<Gfn>(arg.extent_start, done as usize) }) else { break };
        for n in 0..1 << arg.extent_order {
            if give_back(state, window, arg.domid, first.offset(n)).is_err() {
                break 'extents;
            }
        }
        done += 1;
    }
    Ok(done)
}

/// Takes a domain's own page. Its content stays: Xen scrubs what dying domains leave, not what living ones give.
fn give_back(state: &mut State, window: &Window, dom: DomId, gfn: Gfn) -> Result<(), Errno> {
    let dom = state.own_if_self(dom);
    let domain = state.domain(dom)?;
    match domain.memory.get(&gfn) {
        Some(Frame::Own { mfn, mapped: 0 }) => {
            let mfn = *mfn;
            domain.memory.remove(&gfn);
            domain.pages -= 1;
            state.arena.free(mfn, 1);
            if dom == US && window.frames().contains(&gfn) {
                window.unmap(gfn, 1);
            }
            Ok(())
        }
        Some(Frame::Own { .. }) => Err(Errno::EBUSY),
        _ => Err(Errno::ENOENT),
    }
}

fn add(request: &mut Request<'_>, arg: AddToPhysmap) -> Answer {
    let Request { state, window, .. } = request;
    match arg.space {
        abi::XENMAPSPACE_SHARED_INFO => {
            if arg.idx != 0 {
                return Err(Errno::EINVAL);
            }
            let _ = remove(state, window, arg.domid, arg.gpfn);
            state.living(arg.domid)?.memory.insert(arg.gpfn, Frame::Special);
            Ok(0)
        }
        abi::XENMAPSPACE_GRANT_TABLE => add_grants(state, &arg),
        _ => Err(Errno::EOPNOTSUPP),
    }
}

/// Makes a domain's grant table appear in its memory. Only the first frame is simulated.
fn add_grants(state: &mut State, arg: &AddToPhysmap) -> Answer {
    if arg.idx != 0 || state.own_if_self(arg.domid) == US {
        return Err(Errno::EINVAL);
    }
    let mfn = match state.living(arg.domid)?.grant_table {
        Some(mfn) => mfn,
        None => {
            let mfn = state.arena.allocate(1).ok_or(Errno::ENOMEM)?;
            state.arena.scrub(mfn, 1);
            mfn
        }
    };
    let domain = state.living(arg.domid)?;
    domain.grant_table = Some(mfn);
    let old = domain.memory.insert(arg.gpfn, Frame::Grants { mfn, mapped: 0 });
    assert!(old.is_none(), "{:?} of d{} is in use already", arg.gpfn, arg.domid);
    Ok(0)
}

/// # Safety
/// The lists in `arg` are as long as it says.
unsafe fn add_batch(request: &mut Request<'_>, arg: AddToPhysmapBatch) -> Answer {
    let Request { state, window, op, .. } = request;
    if u32::from(arg.space) != abi::XENMAPSPACE_GMFN_FOREIGN {
        return Err(Errno::EOPNOTSUPP);
    }
    if state.own_if_self(arg.domid) != US {
        return Err(Errno::EPERM);
    }
    let count = usize::from(arg.size);
    let fail = state.faults.element(op, count);
    let mut mapped: Vec<(Gfn, Mfn)> = Vec::with_capacity(count);
    for n in 0..count {
        // SAFETY: the caller's promise.
        let (page, at): (Gfn, Gfn) = unsafe { (read_nth(arg.idxs, n)?, read_nth(arg.gpfns, n)?) };
        let result = match fail {
            Some((which, errno)) if which == n => Err(errno),
            _ => add_foreign(state, arg.u, page, at),
        };
        let error: i32 = match result {
            Ok(mfn) => {
                mapped.push((at, mfn));
                0
            }
            Err(errno) => -i32::from(errno.0),
        };
        // SAFETY: the caller's promise.
        unsafe { write_nth(arg.errs, n, &error)? };
    }
    map_runs(state, window, &mapped);
    Ok(0)
}

fn add_foreign(state: &mut State, dom: DomId, page: Gfn, at: Gfn) -> Result<Mfn, Errno> {
    if state.own_if_self(dom) == US {
        // Xen answers EPERM for ourselves by name, EINVAL by number.
        return Err(if dom == US { Errno::EINVAL } else { Errno::EPERM });
    }
    let domain = state.domain(dom)?;
    if domain.dying {
        return Err(Errno::EINVAL);
    }
    let Some(Frame::Own { mfn, mapped } | Frame::Grants { mfn, mapped }) = domain.memory.get_mut(&page)
    else {
        return Err(Errno::EINVAL);
    };
    *mapped += 1;
    let mfn = *mfn;
    let own = &mut state.domain(US)?.memory;
    assert!(!own.contains_key(&at), "{at:?} is in use already");
    own.insert(at, Frame::Foreign(dom, page));
    Ok(mfn)
}

/// Maps what was added, in as few pieces as possible.
fn map_runs(state: &State, window: &Window, mapped: &[(Gfn, Mfn)]) {
    let follows = |a: &(Gfn, Mfn), b: &(Gfn, Mfn)| a.0.0 + 1 == b.0.0 && a.1.0 + 1 == b.1.0;
    for run in mapped.chunk_by(follows) {
        let (at, mfn) = run[0];
        if window.frames().contains(&at) {
            window.map(&state.arena, at, mfn, run.len() as u64);
        }
    }
}

fn remove(state: &mut State, window: &Window, dom: DomId, at: Gfn) -> Result<(), Errno> {
    let dom = state.own_if_self(dom);
    let memory = &mut state.domain(dom)?.memory;
    match memory.get(&at).copied() {
        None => return Err(Errno::ENOENT),
        Some(Frame::Special | Frame::Grants { mapped: 0, .. }) => {
            memory.remove(&at);
        }
        // In Xen the frame goes and the mapping stays. Here the frame stays too, to know what is mapped.
        Some(Frame::Grants { .. }) => {}
        // The page stays the domain's, out of its reach: memory is lost until the domain ends. Nobody means
        // to do that, so a test shall see it.
        Some(Frame::Own { .. }) => panic!("{at:?} of d{dom} is its own memory"),
        Some(Frame::Foreign(owner, page)) => {
            memory.remove(&at);
            if let Ok(domain) = state.domain(owner)
                && let Some(Frame::Own { mapped, .. } | Frame::Grants { mapped, .. }) =
                    domain.memory.get_mut(&page)
            {
                *mapped -= 1;
            }
            if state.domain(owner).is_ok_and(|domain| domain.dying) {
                state.reap(owner);
            }
        }
    }
    if dom == US && window.frames().contains(&at) {
        window.unmap(at, 1);
    }
    Ok(())
}
