//! Every typed call, against the simulated Xen of every release: what goes in arrives, what comes out is
//! decoded.

mod common;

use common::{RELEASES, on_every_release, small};
use hypercall::calls::domctl::{Affinity, Pin};
use hypercall::calls::evtchn::PirqSharing;
use hypercall::calls::grant;
use hypercall::calls::physdev::{PciAddress, Trigger};
use hypercall::calls::sysctl::AfterReading;
use hypercall::calls::vcpu::PastDeadline;
use hypercall::{Capabilities, CreateDomain, EvtchnState, Scheduler, ShutdownReason, Xen, XenError};
use sim_xen::{Config, SimXen};
use xen_abi::domctl::{SchedCredit, SchedCredit2, TSC_MODE_NEVER_EMULATE, XEN_DOMCTL_SENDTRIGGER_NMI};
use xen_abi::grant_table::GrantStatus;
use xen_abi::hvm::params::{HVM_PARAM_CONSOLE_PFN, HVM_PARAM_STORE_EVTCHN};
use xen_abi::memory::{E820_RAM, E820Entry};
use xen_abi::xen::{DOMID_SELF, VIRQ_CONSOLE, VIRQ_DOM_EXC, VIRQ_TIMER};
use xen_abi::{Bytes, DomId, Errno, EvtchnPort, Gfn, GrantRef, KiB, Pages, VcpuId, Virq};

const NOBODY: DomId = DomId(77);
const V0: VcpuId = VcpuId(0);

fn errno<T: std::fmt::Debug>(result: Result<T, XenError>) -> Errno {
    result.unwrap_err().errno
}

#[test]
fn a_domain_is_what_was_asked_for_in_every_layout() {
    on_every_release(|sim, xen| {
        let handle = *b"0123456789abcdef";
        let wish = CreateDomain { ssidref: 3, relaxed_msrs: true, ..CreateDomain::pvh(handle, 3) };
        let domain = xen.create_domain(&wish).unwrap();
        let id = domain.id();
        assert_eq!(id, DomId(1));
        xen.max_vcpus(id, 3).unwrap();
        let info = xen.domain_info(id).unwrap();
        assert_eq!((info.id, info.handle, info.ssidref, info.cpupool), (id, handle, 3, 0));
        assert_eq!(info.max_vcpu, Some(VcpuId(2)));
        assert!(info.hvm && info.hap && info.paused && !info.dying && !info.xenstore);
        assert_eq!((info.shutdown, info.pages), (None, Pages(0)));
        assert_eq!(xen.run(grant::size(id)).unwrap(), Ok((1, 64)));
        drop(domain);
        assert_eq!(errno(xen.domain_info(id)), Errno::ESRCH);
        assert_eq!(sim.domains(), []);
    });
}

#[test]
fn a_wish_that_cannot_be_is_refused() {
    on_every_release(|_, xen| {
        for wish in [
            CreateDomain::pvh([0; 16], 0),
            CreateDomain::pvh([0; 16], 129),
            CreateDomain { emulation: hypercall::Emulation::empty(), ..small() },
            CreateDomain { flags: hypercall::CreateFlags::HAP, ..small() },
            CreateDomain { flags: small().flags | hypercall::CreateFlags::IOMMU, ..small() },
        ] {
            let error = xen.create_domain(&wish).err().expect("an error");
            assert_eq!(error.to_string(), "XEN_DOMCTL_createdomain: EINVAL (invalid argument)");
        }
    });
}

#[test]
fn identifiers_are_not_reused_at_once() {
    on_every_release(|_, xen| {
        let first = xen.create_domain(&small()).unwrap();
        assert_eq!(first.id(), DomId(1));
        first.abandon().unwrap();
        assert_eq!(xen.create_domain(&small()).unwrap().id(), DomId(2));
    });
}

#[test]
fn all_domains_are_listed_however_many_there_are() {
    on_every_release(|_, xen| {
        let many: Vec<_> = (0..300).map(|_| xen.create_domain(&small()).unwrap()).collect();
        let exits = xen.counters().exits;
        let infos = xen.domain_infos().unwrap();
        assert_eq!(xen.counters().exits - exits, 3);
        assert!(infos.iter().map(|info| info.id.0).eq(0..=300));
        assert!(infos[0].running && infos[1..].iter().all(|info| info.paused && info.hvm));
        drop(many);
        assert_eq!(xen.domain_infos().unwrap().len(), 1);
    });
}

#[test]
fn pauses_are_counted() {
    on_every_release(|sim, xen| {
        let id = common::runnable(xen);
        let guest = sim.guest(id);
        assert!(!guest.is_running());
        xen.unpause_domain(id).unwrap();
        assert!(guest.is_running());
        xen.pause_domain(id).unwrap();
        xen.pause_domain(id).unwrap();
        xen.unpause_domain(id).unwrap();
        assert!(xen.domain_info(id).unwrap().paused);
        xen.unpause_domain(id).unwrap();
        assert!(!xen.domain_info(id).unwrap().paused);
        assert_eq!(errno(xen.unpause_domain(id)), Errno::EINVAL);
        assert_eq!(errno(xen.pause_domain(DomId(0))), Errno::EINVAL);
        assert_eq!(errno(xen.pause_domain(NOBODY)), Errno::ESRCH);
    });
}

#[test]
fn the_end_of_a_domain_is_told_with_its_reason() {
    on_every_release(|sim, xen| {
        let port = xen.evtchn_bind_virq(VIRQ_DOM_EXC, V0).unwrap();
        let id = common::runnable(xen);
        xen.unpause_domain(id).unwrap();
        assert_eq!(sim.take_events(), []);
        xen.remote_shutdown(id, ShutdownReason::CRASH).unwrap();
        assert_eq!(sim.take_events(), [port]);
        assert_eq!(xen.domain_info(id).unwrap().shutdown, Some(ShutdownReason::CRASH));
        xen.resume_domain(id).unwrap();
        assert_eq!(xen.domain_info(id).unwrap().shutdown, None);
        xen.destroy_domain(id).unwrap();
        assert_eq!(sim.take_events(), [port]);
        assert_eq!(errno(xen.destroy_domain(id)), Errno::ESRCH);
        assert_eq!(errno(xen.destroy_domain(DomId(0))), Errno::EINVAL);
    });
}

#[test]
fn vcpus_are_as_many_as_the_domain_was_made_for() {
    on_every_release(|_, xen| {
        let domain = xen.create_domain(&CreateDomain::pvh([0; 16], 2)).unwrap();
        assert_eq!(errno(xen.max_vcpus(domain.id(), 3)), Errno::EINVAL);
        assert_eq!(errno(xen.vcpu_info(domain.id(), V0)), Errno::ESRCH);
        xen.max_vcpus(domain.id(), 2).unwrap();
        let state = xen.vcpu_info(domain.id(), VcpuId(1)).unwrap();
        assert!(!state.online && !state.running);
        assert_eq!(errno(xen.vcpu_info(domain.id(), VcpuId(2))), Errno::EINVAL);
    });
}

#[test]
fn the_paging_pool_is_set_by_whatever_command_the_release_has() {
    on_every_release(|sim, xen| {
        let domain = xen.create_domain(&small()).unwrap();
        let free = sim.free_memory();
        xen.set_paging_pool(domain.id(), Bytes(2 << 20)).unwrap();
        assert_eq!(xen.paging_pool(domain.id()).unwrap(), Bytes(2 << 20));
        assert_eq!(free.0 - sim.free_memory().0, 512);
        let old = xen.abi().release() < 17;
        assert_eq!(sim.count("XEN_DOMCTL_shadow_op"), if old { 2 } else { 0 });
        assert_eq!(sim.count("XEN_DOMCTL_set_paging_mempool_size"), u64::from(!old));
        assert_eq!(errno(xen.set_paging_pool(domain.id(), Bytes(1 << 40))), Errno::ENOMEM);
    });
}

#[test]
fn memory_is_given_up_to_the_limit_and_taken_back() {
    on_every_release(|sim, xen| {
        let domain = xen.create_domain(&small()).unwrap();
        let id = domain.id();
        let frames: Vec<Gfn> = Gfn(0).range(Pages(10)).collect();
        let none = xen.populate(id, 0, &frames).unwrap_err();
        assert_eq!((none.done, none.error.errno), (0, Errno::ENOMEM));

        xen.max_mem(id, KiB(4 * 518)).unwrap();
        assert_eq!(xen.maximum_reservation(id).unwrap(), Pages(518));
        xen.populate(id, 9, &[Gfn(512)]).unwrap();
        let some = xen.populate(id, 0, &frames).unwrap_err();
        assert_eq!((some.done, some.error.op), (6, "XENMEM_populate_physmap"));
        assert_eq!(some.to_string(), "XENMEM_populate_physmap: ENOMEM (out of memory), after 6 extents");
        assert_eq!(xen.current_reservation(id).unwrap(), Pages(518));
        assert_eq!(xen.maximum_gfn(id).unwrap(), Gfn(1023));
        assert_eq!(xen.domain_info(id).unwrap().pages, Pages(518));

        let some = xen.depopulate(id, 0, &frames).unwrap_err();
        assert_eq!(some.done, 6);
        assert_eq!(sim.guest(id).memory(), Pages(512));
        assert_eq!(xen.populate(NOBODY, 0, &frames).unwrap_err().error.errno, Errno::ESRCH);
    });
}

#[test]
fn long_lists_of_extents_go_in_parts() {
    let sim = SimXen::release(17);
    let xen = Xen::probe(&sim).unwrap();
    let domain = xen.create_domain(&small()).unwrap();
    xen.max_mem(domain.id(), KiB(4 * 5000)).unwrap();
    let frames: Vec<Gfn> = Gfn(0).range(Pages(5000)).collect();
    xen.populate(domain.id(), 0, &frames).unwrap();
    assert_eq!(sim.count("XENMEM_populate_physmap"), 3);
    sim.fail_element("XENMEM_decrease_reservation", 5, Errno::ENOMEM);
    assert_eq!(xen.depopulate(domain.id(), 0, &frames).unwrap_err().done, 5);
}

#[test]
fn safe_calls_leave_our_own_memory_alone() {
    on_every_release(|sim, xen| {
        let before = sim.snapshot();
        assert!(xen.populate(DOMID_SELF, 0, &[Gfn(1 << 21)]).is_err());
        assert!(xen.depopulate(DOMID_SELF, 0, &[Gfn(0)]).is_err());
        sim.assert_clean(&before);
    });
}

#[test]
fn memory_maps_travel_whole() {
    on_every_release(|sim, xen| {
        let domain = xen.create_domain(&small()).unwrap();
        let map = [E820Entry::new(0, 0xa_0000, E820_RAM), E820Entry::new(1 << 33, 5 << 32, 2)];
        xen.set_memory_map(domain.id(), &map).unwrap();
        assert_eq!(sim.guest(domain.id()).memory_map(), map);
        assert_eq!(errno(xen.set_memory_map(domain.id(), &[map[0]; 129])), Errno::EINVAL);
        let own = xen.memory_map(8).unwrap();
        assert_eq!(own, [E820Entry::new(0, 16 << 20, E820_RAM)]);
        assert_eq!(xen.machine_memory_map(8).unwrap()[0].size(), 512 << 20);
    });
}

#[test]
fn parameters_and_modes_are_kept() {
    on_every_release(|sim, xen| {
        let domain = xen.create_domain(&small()).unwrap();
        let id = domain.id();
        xen.max_vcpus(id, 1).unwrap();
        xen.set_hvm_param(id, HVM_PARAM_CONSOLE_PFN, 0xfeff9).unwrap();
        assert_eq!(xen.hvm_param(id, HVM_PARAM_CONSOLE_PFN).unwrap(), 0xfeff9);
        assert_eq!(sim.guest(id).param(HVM_PARAM_CONSOLE_PFN), 0xfeff9);
        assert_eq!(xen.hvm_param(id, HVM_PARAM_STORE_EVTCHN).unwrap(), 0);
        assert_eq!(errno(xen.set_hvm_param(id, 1000, 0)), Errno::EINVAL);
        xen.set_tsc_mode(id, TSC_MODE_NEVER_EMULATE).unwrap();
        assert_eq!(sim.guest(id).tsc_mode(), TSC_MODE_NEVER_EMULATE);
        xen.set_handle(id, [9; 16]).unwrap();
        assert_eq!(xen.domain_info(id).unwrap().handle, [9; 16]);
        xen.set_time_offset(id, -3600).unwrap();
        xen.send_trigger(id, XEN_DOMCTL_SENDTRIGGER_NMI, 0).unwrap();
        assert_eq!(errno(xen.send_trigger(id, XEN_DOMCTL_SENDTRIGGER_NMI, 1)), Errno::ESRCH);
    });
}

#[test]
fn registers_are_loaded_into_vcpus_that_exist() {
    on_every_release(|sim, xen| {
        let domain = xen.create_domain(&small()).unwrap();
        let id = domain.id();
        let start = common::start_at(0x10_0000);
        assert_eq!(errno(xen.set_hvm_context(id, &start)), Errno::EINVAL);
        xen.max_vcpus(id, 1).unwrap();
        assert!(sim.guest(id).registers(0).is_none());
        xen.set_hvm_context(id, &start).unwrap();
        assert_eq!(sim.guest(id).registers(0).unwrap().rip, 0x10_0000);

        let whole = xen.hvm_context(id).unwrap();
        xen.set_hvm_context(id, &whole).unwrap();
        assert_eq!(errno(xen.set_hvm_context(id, &whole[..whole.len() - 8])), Errno::ENODATA);
        assert_eq!(errno(xen.set_hvm_context(id, &whole[..4])), Errno::ENODATA);
        let too_little = hypercall::calls::domctl::hvm_context(xen.abi(), id, whole.len() - 8);
        assert_eq!(errno(xen.run(too_little)), Errno::ENOSPC);
        assert_eq!(errno(xen.hvm_context(DomId(0))), Errno::EINVAL);
    });
}

#[test]
fn vcpus_run_where_they_may_and_as_much_as_they_shall() {
    on_every_release(|_, xen| {
        let domain = xen.create_domain(&small()).unwrap();
        let id = domain.id();
        xen.max_vcpus(id, 1).unwrap();
        let all = Affinity { hard: vec![0b11], soft: vec![0b11] };
        assert_eq!(xen.vcpu_affinity(id, V0, 2).unwrap(), all);
        xen.set_vcpu_affinity(id, V0, &Pin::hard(&[0b10, 0xff])).unwrap();
        assert_eq!(xen.vcpu_affinity(id, V0, 2).unwrap(), Affinity { hard: vec![0b10], soft: vec![0b11] });
        xen.set_vcpu_affinity(id, V0, &Pin { hard: None, soft: Some(&[0b01]) }).unwrap();
        assert_eq!(xen.vcpu_affinity(id, V0, 2).unwrap(), Affinity { hard: vec![0b10], soft: vec![0b01] });
        for impossible in [Pin::hard(&[0, 0xff]), Pin::hard(&[]), Pin { hard: None, soft: None }] {
            assert_eq!(errno(xen.set_vcpu_affinity(id, V0, &impossible)), Errno::EINVAL);
        }
        assert_eq!(errno(xen.set_vcpu_affinity(id, VcpuId(1), &Pin::hard(&[1]))), Errno::EINVAL);

        assert_eq!(xen.scheduler().unwrap(), Scheduler::CREDIT2);
        assert_eq!(xen.credit2(id).unwrap().weight, 256);
        xen.set_credit2(id, SchedCredit2 { weight: 512, cap: 0 }).unwrap();
        let SchedCredit2 { weight, cap } = xen.credit2(id).unwrap();
        assert_eq!((weight, cap), (512, 0));
        assert_eq!(errno(xen.credit(id)), Errno::EINVAL);
        assert_eq!(errno(xen.set_credit(id, SchedCredit { weight: 1, cap: 0 })), Errno::EINVAL);
    });
}

#[test]
fn event_channels_connect_notify_and_close() {
    on_every_release(|sim, xen| {
        let domain = xen.create_domain(&small()).unwrap();
        let id = domain.id();
        let guest = sim.guest(id);
        let theirs = xen.evtchn_alloc_unbound(id, DOMID_SELF).unwrap();
        let state = |dom, port| xen.evtchn_status(dom, port).unwrap().state;
        assert_eq!(state(id, theirs), EvtchnState::Unbound(DomId(0)));
        let ours = xen.evtchn_bind_interdomain(id, theirs).unwrap();
        assert_eq!(state(id, theirs), EvtchnState::Interdomain(DomId(0), ours));
        assert_eq!(state(DomId(0), ours), EvtchnState::Interdomain(id, theirs));
        // Binding makes the binder look once.
        assert_eq!(sim.take_events(), [ours]);

        xen.evtchn_send(ours).unwrap();
        xen.evtchn_send(ours).unwrap();
        assert_eq!(guest.take_events(), [theirs]);
        guest.notify(theirs).unwrap();
        assert_eq!(sim.take_events(), [ours]);
        xen.evtchn_unmask(ours).unwrap();
        xen.evtchn_bind_vcpu(ours, V0).unwrap();

        xen.evtchn_close(ours).unwrap();
        assert_eq!(state(id, theirs), EvtchnState::Unbound(DomId(0)));
        assert_eq!(state(DomId(0), ours), EvtchnState::Closed);
        assert_eq!(errno(xen.evtchn_close(ours)), Errno::EINVAL);
        assert_eq!(errno(xen.evtchn_send(ours)), Errno::EINVAL);
        assert_eq!(errno(xen.evtchn_bind_interdomain(id, EvtchnPort(9))), Errno::EINVAL);
        assert_eq!(errno(xen.evtchn_alloc_unbound(NOBODY, DOMID_SELF)), Errno::ESRCH);
        xen.evtchn_reset(id).unwrap();
        assert_eq!(state(id, theirs), EvtchnState::Closed);
    });
}

#[test]
fn interrupts_become_ports() {
    on_every_release(|sim, xen| {
        let virq = xen.evtchn_bind_virq(VIRQ_CONSOLE, V0).unwrap();
        assert_eq!(xen.evtchn_status(DOMID_SELF, virq).unwrap().state, EvtchnState::Virq(2));
        assert_eq!(errno(xen.evtchn_bind_virq(VIRQ_CONSOLE, V0)), Errno::EEXIST);
        assert_eq!(errno(xen.evtchn_bind_virq(Virq(24), V0)), Errno::EINVAL);
        assert_eq!(errno(xen.evtchn_bind_virq(VIRQ_TIMER, VcpuId(1))), Errno::ENOENT);
        sim.raise(VIRQ_CONSOLE);
        assert_eq!(sim.take_events(), [virq]);

        assert_eq!(xen.physdev_map_gsi(DOMID_SELF, 3).unwrap(), 3);
        let pirq = xen.evtchn_bind_pirq(3, PirqSharing::Exclusive).unwrap();
        assert_eq!(xen.evtchn_status(DOMID_SELF, pirq).unwrap().state, EvtchnState::Pirq(3));
        assert_eq!(errno(xen.evtchn_bind_pirq(3, PirqSharing::Shared)), Errno::EEXIST);
        assert!(!xen.physdev_needs_eoi(3).unwrap());
        xen.physdev_eoi(3).unwrap();
        xen.physdev_setup_gsi(3, Trigger::EdgeHigh).unwrap();
        xen.physdev_unmap_pirq(DOMID_SELF, 3).unwrap();

        let ipi = xen.evtchn_bind_ipi(V0).unwrap();
        assert_eq!(xen.evtchn_status(DOMID_SELF, ipi).unwrap().state, EvtchnState::Ipi);
        xen.evtchn_send(ipi).unwrap();
        assert_eq!(sim.take_events(), [ipi]);
    });
}

#[test]
fn devices_are_told_of() {
    on_every_release(|_, xen| {
        let at = PciAddress { segment: 0, bus: 0, devfn: 4 << 3 };
        xen.physdev_mmcfg_reserved(0xe000_0000, 0, 0, 255).unwrap();
        assert_eq!(errno(xen.physdev_pci_device_remove(at)), Errno::ENODEV);
        xen.physdev_pci_device_add(at).unwrap();
        xen.physdev_pci_device_remove(at).unwrap();
    });
}

#[test]
fn the_host_tells_of_itself() {
    on_every_release(|sim, xen| {
        let info = xen.host_info().unwrap();
        assert_eq!((info.total, info.free), (Pages(512 << 8), sim.free_memory()));
        assert_eq!((info.cpus, info.max_cpu, info.nodes, info.cpu_khz), (2, 1, 1, 2_000_000));
        assert_eq!(info.capabilities, Capabilities::HVM | Capabilities::HAP);
        assert_eq!(xen.free_memory().unwrap(), info.free);
        let topology = xen.cpu_topology(8).unwrap();
        assert!(topology.iter().map(|cpu| cpu.core).eq([Some(0), Some(1)]));
        assert_eq!(xen.cpu_topology(1).unwrap().len(), 1, "as Xen does: without a word about the others");
        let nodes = xen.node_memory(4).unwrap();
        assert_eq!((nodes.len(), nodes[0].total), (1, Bytes(512 << 20)));
        assert_eq!(nodes[0].distances, [10]);
        xen.debug_keys(b"qr").unwrap();
        assert_eq!(sim.debug_keys(), b"qr");
    });
}

#[test]
fn xen_tells_its_version() {
    on_every_release(|_, xen| {
        assert_eq!(xen.version().unwrap(), (4, xen.abi().minor));
        assert_eq!(xen.extra_version().unwrap(), ".0-sim");
        assert_eq!(xen.page_size().unwrap(), 4096);
        assert!(xen.capabilities().unwrap().starts_with("xen-3.0-x86_64 hvm-3.0-x86_32"));
        assert_eq!(xen.changeset().unwrap(), "simulated");
        assert_eq!(xen.command_line().unwrap(), "console=com1 dom0=pvh");
        let compiled = xen.compile_info().unwrap();
        assert_eq!((compiled.compiler.as_str(), compiled.by.as_str()), ("rustc", "sim"));
        assert_eq!(compiled.domain, "nanodom");
        assert!(compiled.date.starts_with("Sun"));
        assert_ne!(xen.features(0).unwrap() & 1 << xen_abi::version::XENFEAT_DOM0, 0);
        assert_eq!(errno(xen.features(7)), Errno::EINVAL);
        assert_eq!(xen.virt_start().unwrap(), 0xffff_8000_0000_0000);
    });
}

#[test]
fn the_console_is_read_where_reading_stopped() {
    on_every_release(|sim, xen| {
        sim.print(b"(XEN) one\n");
        let first = xen.read_console(None, 4, AfterReading::Keep).unwrap();
        assert_eq!(first.text, b"(XEN");
        let second = xen.read_console(Some(first.next), 100, AfterReading::Keep).unwrap();
        assert_eq!(second.text, b") one\n");
        assert_eq!(xen.read_console(Some(second.next), 100, AfterReading::Clear).unwrap().text, b"");
        xen.console_write(b"hello").unwrap();
        assert_eq!(xen.read_console(None, 100, AfterReading::Keep).unwrap().text, b"hello");
        assert_eq!(sim.console_output(), b"hello");

        let port = xen.evtchn_bind_virq(VIRQ_CONSOLE, V0).unwrap();
        sim.type_on_console(b"list\n");
        assert_eq!(sim.take_events(), [port]);
        assert_eq!(xen.console_read(3).unwrap(), b"lis");
        assert_eq!(xen.console_read(100).unwrap(), b"t\n");
        assert_eq!(xen.console_read(100).unwrap(), b"");
    });
}

#[test]
fn timers_and_sleep() {
    on_every_release(|sim, xen| {
        xen.stop_periodic_timer(V0).unwrap();
        assert_eq!(errno(xen.set_periodic_timer(V0, 10)), Errno::EINVAL);
        xen.set_periodic_timer(V0, 10_000_000).unwrap();
        xen.set_timer(5_000_000).unwrap();
        assert_eq!(sim.timer(), Some(5_000_000));
        xen.set_timer(0).unwrap();
        assert_eq!(sim.timer(), None);
        xen.set_singleshot_timer(V0, 7, PastDeadline::Fire).unwrap();
        assert_eq!(sim.timer(), Some(7));
        xen.stop_singleshot_timer(V0).unwrap();
        assert_eq!(errno(xen.stop_singleshot_timer(VcpuId(1))), Errno::ENOENT);
        assert!(xen.vcpu_is_up(V0).unwrap());
        assert!(xen.vcpu_runstate(V0).unwrap().is_some());
        xen.set_upcall_vector(V0, 0x20).unwrap();
        xen.sched_yield().unwrap();
        xen.sched_block().unwrap();
        let port = xen.evtchn_bind_virq(VIRQ_TIMER, V0).unwrap();
        xen.sched_poll(&[port], 0).unwrap();
        assert_eq!(errno(xen.sched_poll(&[EvtchnPort(99)], 0)), Errno::EINVAL);
        let watchdog = xen.watchdog(0, 10).unwrap();
        xen.watchdog(watchdog, 0).unwrap();
        xen.shutdown(ShutdownReason::REBOOT).unwrap();
        assert_eq!(sim.host_shutdown(), Some(ShutdownReason::REBOOT.0));
    });
}

#[test]
fn grants_answer_a_status_for_each_element() {
    on_every_release(|_, xen| {
        let domain = xen.create_domain(&small()).unwrap();
        // SAFETY: the frame is not populated, and nothing becomes of it: nothing was granted.
        let map = |dom| unsafe { grant::map(dom, GrantRef(8), grant::Access::Write, Gfn(1 << 20)) };
        assert_eq!(xen.run(map(domain.id())).unwrap(), Err(GrantStatus::BAD_GNTREF));
        assert_eq!(xen.run(map(NOBODY)).unwrap(), Err(GrantStatus::BAD_DOMAIN));
        // SAFETY: there is no such mapping.
        let unmap = unsafe { grant::unmap(grant::Handle(1), Gfn(1 << 20)) };
        assert_eq!(xen.run(unmap).unwrap(), Err(GrantStatus::BAD_HANDLE));
        xen.run(grant::set_version(2)).unwrap();
        assert_eq!(xen.run(grant::version(DomId(0))).unwrap(), 2);
        assert_eq!(errno(xen.run(grant::set_version(3))), Errno::EINVAL);
    });
}

#[test]
fn a_release_refuses_the_interfaces_of_others() {
    let sim = SimXen::new(Config { minor: 20, ..Config::default() });
    let xen = Xen::probe(&sim).unwrap();
    for release in RELEASES {
        let other = SimXen::release(release);
        let abi = Xen::probe(&other).unwrap().abi();
        let answer = xen.run(hypercall::calls::domctl::pause_domain(abi, NOBODY));
        let expected = if abi.domctl == xen.abi().domctl { Errno::ESRCH } else { Errno::EACCES };
        assert_eq!(errno(answer), expected);
        let answer = xen.run(hypercall::calls::sysctl::scheduler(abi));
        assert_eq!(answer.is_ok(), abi.sysctl == xen.abi().sysctl);
    }
}

/// What a safe call may do to our own memory, it may do to any reference.
#[test]
fn our_own_memory_is_not_given_away_under_any_of_our_names() {
    on_every_release(|_, xen| {
        for own in [DomId(0), xen_abi::xen::DOMID_SELF] {
            assert!(xen.depopulate(own, 0, &[Gfn(0)]).is_err());
            assert!(xen.populate(own, 0, &[Gfn(0)]).is_err());
            assert!(xen.run(hypercall::calls::memory::depopulate(own, 0, &[Gfn(0)])).is_err());
            assert!(xen.run(hypercall::calls::memory::populate(own, 0, &[Gfn(0)])).is_err());
        }
    });
}
