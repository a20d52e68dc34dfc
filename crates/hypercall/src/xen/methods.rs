//! One method an operation: the calls of [`calls`](crate::calls), issued alone.

use alloc::string::String;
use alloc::vec::Vec;

use xen_abi::domctl::{SchedCredit, SchedCredit2, SchedRtds};
use xen_abi::memory::E820Entry;
use xen_abi::sysctl::{Credit2Schedule, CreditSchedule};
use xen_abi::vcpu::RunstateInfo;
use xen_abi::{Bytes, DomId, EvtchnPort, Gfn, KiB, Pages, VcpuId, Virq};

use crate::calls::domctl::{Affinity, Pin};
use crate::calls::evtchn::PirqSharing;
use crate::calls::physdev::{PciAddress, Trigger};
use crate::calls::sysctl::AfterReading;
use crate::calls::vcpu::PastDeadline;
use crate::{
    CompileInfo, ConsoleText, CpuPool, CpuTopology, Door, EvtchnStatus, HostInfo, NodeMemory, Scheduler,
    ShutdownReason, VcpuState, Xen, XenError, calls,
};

macro_rules! methods {
    ($($module:ident::$call:ident as $name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {
        impl<M: Door> Xen<M> {$(
            #[doc = concat!("See [`calls::", stringify!($module), "::", stringify!($call), "`].")]
            ///
            /// # Errors
            /// What Xen answered, with the operation's name.
            pub fn $name(&self $(, $argument: $type)*) -> Result<$answer, XenError> {
                self.run(calls::$module::$call($($argument),*))
            }
        )*}
    };
}

/// As `methods`, for calls that depend on the release.
macro_rules! versioned {
    ($($module:ident::$call:ident as $name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {
        impl<M: Door> Xen<M> {$(
            #[doc = concat!("See [`calls::", stringify!($module), "::", stringify!($call), "`].")]
            ///
            /// # Errors
            /// What Xen answered, with the operation's name.
            pub fn $name(&self $(, $argument: $type)*) -> Result<$answer, XenError> {
                self.run(calls::$module::$call(self.abi() $(, $argument)*))
            }
        )*}
    };
}

methods! {
    evtchn::alloc_unbound as evtchn_alloc_unbound(dom: DomId, remote: DomId) -> EvtchnPort;
    evtchn::bind_interdomain as evtchn_bind_interdomain(remote: DomId, port: EvtchnPort) -> EvtchnPort;
    evtchn::bind_virq as evtchn_bind_virq(virq: Virq, vcpu: VcpuId) -> EvtchnPort;
    evtchn::bind_pirq as evtchn_bind_pirq(pirq: u32, sharing: PirqSharing) -> EvtchnPort;
    evtchn::bind_ipi as evtchn_bind_ipi(vcpu: VcpuId) -> EvtchnPort;
    evtchn::bind_vcpu as evtchn_bind_vcpu(port: EvtchnPort, vcpu: VcpuId) -> ();
    evtchn::close as evtchn_close(port: EvtchnPort) -> ();
    evtchn::send as evtchn_send(port: EvtchnPort) -> ();
    evtchn::status as evtchn_status(dom: DomId, port: EvtchnPort) -> EvtchnStatus;
    evtchn::unmask as evtchn_unmask(port: EvtchnPort) -> ();
    evtchn::reset as evtchn_reset(dom: DomId) -> ();

    hvm::param as hvm_param(dom: DomId, index: u32) -> u64;
    hvm::set_param as set_hvm_param(dom: DomId, index: u32, value: u64) -> ();
    hvm::set_upcall_vector as set_upcall_vector(vcpu: VcpuId, vector: u8) -> ();

    sched::yield_now as sched_yield() -> ();
    sched::block as sched_block() -> ();
    sched::poll as sched_poll(ports: &[EvtchnPort], deadline: u64) -> ();
    sched::shutdown as shutdown(reason: ShutdownReason) -> ();
    sched::remote_shutdown as remote_shutdown(dom: DomId, reason: ShutdownReason) -> ();
    sched::watchdog as watchdog(id: u32, seconds: u32) -> u32;
    sched::set_timer as set_timer(deadline: u64) -> ();

    vcpu::stop_periodic_timer as stop_periodic_timer(vcpu: VcpuId) -> ();
    vcpu::set_periodic_timer as set_periodic_timer(vcpu: VcpuId, nanoseconds: u64) -> ();
    vcpu::set_singleshot_timer as set_singleshot_timer(vcpu: VcpuId, deadline: u64, past: PastDeadline) -> ();
    vcpu::stop_singleshot_timer as stop_singleshot_timer(vcpu: VcpuId) -> ();
    vcpu::is_up as vcpu_is_up(vcpu: VcpuId) -> bool;
    vcpu::runstate as vcpu_runstate(vcpu: VcpuId) -> Option<RunstateInfo>;

    version::version as version() -> (u16, u16);
    version::page_size as page_size() -> u64;
    version::extra_version as extra_version() -> String;
    version::capabilities as capabilities() -> String;
    version::changeset as changeset() -> String;
    version::command_line as command_line() -> String;
    version::compile_info as compile_info() -> CompileInfo;
    version::features as features(submap: u32) -> u32;
    version::virt_start as virt_start() -> u64;

    console::write as console_write(text: &[u8]) -> ();
    console::read as console_read(most: usize) -> Vec<u8>;

    physdev::eoi as physdev_eoi(pirq: u32) -> ();
    physdev::needs_eoi as physdev_needs_eoi(pirq: u32) -> bool;
    physdev::map_gsi as physdev_map_gsi(dom: DomId, gsi: u32) -> u32;
    physdev::unmap_pirq as physdev_unmap_pirq(dom: DomId, pirq: u32) -> ();
    physdev::setup_gsi as physdev_setup_gsi(gsi: u32, trigger: Trigger) -> ();
    physdev::mmcfg_reserved as physdev_mmcfg_reserved(address: u64, segment: u16, first: u8, last: u8) -> ();
    physdev::pci_device_add as physdev_pci_device_add(at: PciAddress) -> ();
    physdev::pci_device_remove as physdev_pci_device_remove(at: PciAddress) -> ();

    memory::set_memory_map as set_memory_map(dom: DomId, map: &[E820Entry]) -> ();
    memory::memory_map as memory_map(most: usize) -> Vec<E820Entry>;
    memory::machine_memory_map as machine_memory_map(most: usize) -> Vec<E820Entry>;
    memory::current_reservation as current_reservation(dom: DomId) -> Pages;
    memory::maximum_reservation as maximum_reservation(dom: DomId) -> Pages;
    memory::maximum_gfn as maximum_gfn(dom: DomId) -> Gfn;
}

versioned! {
    domctl::destroy_domain as destroy_domain(dom: DomId) -> ();
    domctl::pause_domain as pause_domain(dom: DomId) -> ();
    domctl::resume_domain as resume_domain(dom: DomId) -> ();
    domctl::max_vcpus as max_vcpus(dom: DomId, count: u32) -> ();
    domctl::max_mem as max_mem(dom: DomId, most: KiB) -> ();
    domctl::set_paging_pool as set_paging_pool(dom: DomId, size: Bytes) -> ();
    domctl::paging_pool as paging_pool(dom: DomId) -> Bytes;
    domctl::set_tsc_mode as set_tsc_mode(dom: DomId, mode: u32) -> ();
    domctl::set_handle as set_handle(dom: DomId, handle: [u8; 16]) -> ();
    domctl::set_time_offset as set_time_offset(dom: DomId, seconds: i64) -> ();
    domctl::send_trigger as send_trigger(dom: DomId, trigger: u32, vcpu: u32) -> ();
    domctl::vcpu_context as vcpu_context(dom: DomId, vcpu: VcpuId) -> Vec<u8>;
    domctl::vcpu_info as vcpu_info(dom: DomId, vcpu: VcpuId) -> VcpuState;
    domctl::vcpu_affinity as vcpu_affinity(dom: DomId, vcpu: VcpuId, cpus: u32) -> Affinity;
    domctl::set_vcpu_affinity as set_vcpu_affinity(dom: DomId, vcpu: VcpuId, wish: &Pin<'_>) -> ();
    domctl::credit as credit(dom: DomId) -> SchedCredit;
    domctl::set_credit as set_credit(dom: DomId, wish: SchedCredit) -> ();
    domctl::credit2 as credit2(dom: DomId) -> SchedCredit2;
    domctl::set_credit2 as set_credit2(dom: DomId, wish: SchedCredit2) -> ();
    domctl::rtds as rtds(dom: DomId, first: VcpuId, count: u32) -> Vec<SchedRtds>;
    domctl::set_rtds as set_rtds(dom: DomId, wishes: &[(VcpuId, SchedRtds)]) -> u32;
    domctl::set_hvm_context as set_hvm_context(dom: DomId, records: &[u8]) -> ();

    sysctl::host_info as host_info() -> HostInfo;
    sysctl::scheduler as scheduler() -> Scheduler;
    sysctl::read_console as read_console(from: Option<u32>, room: usize, after: AfterReading) -> ConsoleText;
    sysctl::debug_keys as debug_keys(keys: &[u8]) -> ();
    sysctl::cpu_topology as cpu_topology(most: usize) -> Vec<CpuTopology>;
    sysctl::node_memory as node_memory(most: usize) -> Vec<NodeMemory>;
    sysctl::create_cpupool as create_cpupool(scheduler: Scheduler) -> u32;
    sysctl::destroy_cpupool as destroy_cpupool(pool: u32) -> ();
    sysctl::cpupool_from as cpupool_from(from: u32, most: u32) -> CpuPool;
    sysctl::free_cpus as free_cpus(most: u32) -> Vec<u32>;
    sysctl::cpupool_add_cpu as cpupool_add_cpu(pool: u32, cpu: u32) -> ();
    sysctl::cpupool_remove_cpu as cpupool_remove_cpu(pool: u32, cpu: u32) -> ();
    sysctl::cpupool_move_domain as cpupool_move_domain(pool: u32, dom: DomId) -> ();
    sysctl::credit_schedule as credit_schedule(pool: u32) -> CreditSchedule;
    sysctl::set_credit_schedule as set_credit_schedule(pool: u32, wish: CreditSchedule) -> ();
    sysctl::credit2_schedule as credit2_schedule(pool: u32) -> Credit2Schedule;
    sysctl::set_credit2_schedule as set_credit2_schedule(pool: u32, wish: Credit2Schedule) -> ();
}
