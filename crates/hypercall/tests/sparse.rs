//! Memory of another domain with holes in it.

mod common;

use common::{on_every_release, runnable, small};
use sim_xen::SimXen;
use xen_abi::arch_x86::xen::VcpuGuestContext;
use xen_abi::{DomId, Errno, Gfn, GuestPhys, KiB, PAGE_SIZE, VcpuId};
use zerocopy::FromBytes;

/// A committed domain with memory at frames 0, 1 and 5.
fn holed(sim: &SimXen, xen: &hypercall::Xen<&SimXen>) -> DomId {
    let id = xen.create_domain(&small()).unwrap().commit();
    xen.max_mem(id, KiB(64)).unwrap();
    xen.populate(id, 0, &[Gfn(0), Gfn(1), Gfn(5)]).unwrap();
    sim.guest(id).write(GuestPhys(5 * 4096 + 9), b"word");
    id
}

#[test]
fn what_is_there_is_read_and_what_is_not_is_told() {
    on_every_release(|sim, xen| {
        let id = holed(sim, xen);
        let before = sim.snapshot();
        sim.reset_counts();
        let pages = xen.map_present(id, Gfn(1), 8).unwrap();
        assert_eq!(sim.exits(), 1);
        let there: Vec<usize> = (0..10).filter(|&n| pages.is_there(n)).collect();
        assert_eq!(there, [0, 4]);
        let mut page = [0x11; PAGE_SIZE];
        assert!(!pages.read_page(1, &mut page));
        assert_eq!(page, [0x11; PAGE_SIZE]);
        assert!(pages.read_page(4, &mut page));
        assert_eq!(&page[8..14], b"\0word\0");
        drop(pages);
        assert_eq!(sim.exits(), 2);
        assert_eq!(sim.count("XENMEM_remove_from_physmap"), 2);
        sim.assert_clean(&before);
        sim.reset_counts();
        drop(xen.map_present(id, Gfn(100), 2048).unwrap());
        assert_eq!(sim.exits(), 1, "nothing was there to be unmapped");
        sim.assert_clean(&before);
    });
}

#[test]
fn a_domain_that_is_gone_is_no_hole_and_leaves_nothing_mapped() {
    on_every_release(|sim, xen| {
        let id = holed(sim, xen);
        let errno = |dom, first, count| xen.map_present(dom, first, count).err().map(|error| error.errno);
        let before = sim.snapshot();
        assert_eq!(errno(DomId(99), Gfn(0), 4), Some(Errno::ESRCH));
        assert_eq!(errno(id, Gfn(0), 0), Some(Errno::EINVAL));
        assert_eq!(errno(id, Gfn(0), 2049), Some(Errno::EINVAL));
        sim.fail_element("XENMEM_add_to_physmap_batch", 1, Errno::ENOMEM);
        assert_eq!(errno(id, Gfn(0), 8), Some(Errno::ENOMEM));
        sim.fail_next("XENMEM_add_to_physmap_batch", Errno::EFAULT);
        assert_eq!(errno(id, Gfn(0), 8), Some(Errno::EFAULT));
        // Xen had come some way.
        sim.fail_late("XENMEM_add_to_physmap_batch", Errno::EFAULT);
        assert_eq!(errno(id, Gfn(0), 8), Some(Errno::EFAULT));
        sim.fail_late("XENMEM_add_to_physmap_batch", Errno::EFAULT);
        assert_eq!(
            xen.map_foreign(id, &[Gfn(0), Gfn(1)]).err().map(|error| error.errno),
            Some(Errno::EFAULT)
        );
        sim.assert_clean(&before);
        let new = xen.create_domain(&small()).unwrap();
        assert_eq!(errno(new.id(), Gfn(0), 4), Some(Errno::EBUSY), "its bytes may be borrowed");
    });
}

#[test]
fn a_vcpus_registers_are_those_that_it_was_given() {
    on_every_release(|_, xen| {
        let id = runnable(xen);
        let registers = VcpuGuestContext::read_from_bytes(&xen.vcpu_context(id, VcpuId(0)).unwrap()).unwrap();
        assert_eq!(registers.user_regs[16], 0x10_0000, "rip");
        let errno = |dom, vcpu| xen.vcpu_context(dom, VcpuId(vcpu)).err().map(|error| error.errno);
        assert_eq!(errno(id, 1), Some(Errno::EINVAL));
        assert_eq!(errno(DomId(99), 0), Some(Errno::ESRCH));
        let down = xen.create_domain(&small()).unwrap();
        xen.max_vcpus(down.id(), 1).unwrap();
        assert_eq!(errno(down.id(), 0), Some(Errno::ENODATA), "it was never up");
    });
}
