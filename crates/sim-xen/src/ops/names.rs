//! The C names of operations, for counting and for planned failures.

use hypercall::Nr;
use xen_abi::xen as public;
use xen_abi::{domctl, event_channel, grant_table, memory, physdev, sched, sysctl, vcpu, version};

use crate::access;

macro_rules! names {
    ($command:expr; $($module:ident::$constant:ident => $name:literal),* $(,)?) => {
        match $command {
            $($module::$constant => $name,)*
            _ => "unknown",
        }
    };
}

/// # Safety
/// As for [`hypercall::Door::call`].
pub(crate) unsafe fn of(nr: Nr, args: [u64; 5]) -> &'static str {
    let command = args[0] as u32;
    match nr {
        Nr::MULTICALL => "multicall",
        Nr::SET_TIMER_OP => "set_timer_op",
        Nr::MEMORY_OP => names!(command;
            memory::XENMEM_DECREASE_RESERVATION => "XENMEM_decrease_reservation",
            memory::XENMEM_POPULATE_PHYSMAP => "XENMEM_populate_physmap",
            memory::XENMEM_CURRENT_RESERVATION => "XENMEM_current_reservation",
            memory::XENMEM_MAXIMUM_RESERVATION => "XENMEM_maximum_reservation",
            memory::XENMEM_MAXIMUM_GPFN => "XENMEM_maximum_gpfn",
            memory::XENMEM_ADD_TO_PHYSMAP => "XENMEM_add_to_physmap",
            memory::XENMEM_ADD_TO_PHYSMAP_BATCH => "XENMEM_add_to_physmap_batch",
            memory::XENMEM_REMOVE_FROM_PHYSMAP => "XENMEM_remove_from_physmap",
            memory::XENMEM_GET_SHARING_FREED_PAGES => "XENMEM_get_sharing_freed_pages",
            memory::XENMEM_GET_SHARING_SHARED_PAGES => "XENMEM_get_sharing_shared_pages",
            memory::XENMEM_MEMORY_MAP => "XENMEM_memory_map",
            memory::XENMEM_MACHINE_MEMORY_MAP => "XENMEM_machine_memory_map",
            memory::XENMEM_SET_MEMORY_MAP => "XENMEM_set_memory_map",
        ),
        Nr::XEN_VERSION => names!(command;
            version::XENVER_VERSION => "XENVER_version",
            version::XENVER_EXTRAVERSION => "XENVER_extraversion",
            version::XENVER_COMPILE_INFO => "XENVER_compile_info",
            version::XENVER_CAPABILITIES => "XENVER_capabilities",
            version::XENVER_CHANGESET => "XENVER_changeset",
            version::XENVER_PLATFORM_PARAMETERS => "XENVER_platform_parameters",
            version::XENVER_GET_FEATURES => "XENVER_get_features",
            version::XENVER_PAGESIZE => "XENVER_pagesize",
            version::XENVER_COMMANDLINE => "XENVER_commandline",
            version::XENVER_BUILD_ID => "XENVER_build_id",
        ),
        Nr::CONSOLE_IO => names!(command;
            public::CONSOLEIO_WRITE => "CONSOLEIO_write",
            public::CONSOLEIO_READ => "CONSOLEIO_read",
        ),
        Nr::GRANT_TABLE_OP => names!(command;
            grant_table::GNTTABOP_MAP_GRANT_REF => "GNTTABOP_map_grant_ref",
            grant_table::GNTTABOP_UNMAP_GRANT_REF => "GNTTABOP_unmap_grant_ref",
            grant_table::GNTTABOP_COPY => "GNTTABOP_copy",
            grant_table::GNTTABOP_QUERY_SIZE => "GNTTABOP_query_size",
            grant_table::GNTTABOP_SET_VERSION => "GNTTABOP_set_version",
            grant_table::GNTTABOP_GET_VERSION => "GNTTABOP_get_version",
        ),
        Nr::VCPU_OP => names!(command;
            vcpu::VCPUOP_IS_UP => "VCPUOP_is_up",
            vcpu::VCPUOP_GET_RUNSTATE_INFO => "VCPUOP_get_runstate_info",
            vcpu::VCPUOP_SET_PERIODIC_TIMER => "VCPUOP_set_periodic_timer",
            vcpu::VCPUOP_STOP_PERIODIC_TIMER => "VCPUOP_stop_periodic_timer",
            vcpu::VCPUOP_SET_SINGLESHOT_TIMER => "VCPUOP_set_singleshot_timer",
            vcpu::VCPUOP_STOP_SINGLESHOT_TIMER => "VCPUOP_stop_singleshot_timer",
            vcpu::VCPUOP_REGISTER_VCPU_INFO => "VCPUOP_register_vcpu_info",
        ),
        Nr::SCHED_OP => names!(command;
            sched::SCHEDOP_YIELD => "SCHEDOP_yield",
            sched::SCHEDOP_BLOCK => "SCHEDOP_block",
            sched::SCHEDOP_SHUTDOWN => "SCHEDOP_shutdown",
            sched::SCHEDOP_POLL => "SCHEDOP_poll",
            sched::SCHEDOP_REMOTE_SHUTDOWN => "SCHEDOP_remote_shutdown",
            sched::SCHEDOP_WATCHDOG => "SCHEDOP_watchdog",
        ),
        Nr::EVENT_CHANNEL_OP => names!(command;
            event_channel::EVTCHNOP_BIND_INTERDOMAIN => "EVTCHNOP_bind_interdomain",
            event_channel::EVTCHNOP_BIND_VIRQ => "EVTCHNOP_bind_virq",
            event_channel::EVTCHNOP_BIND_PIRQ => "EVTCHNOP_bind_pirq",
            event_channel::EVTCHNOP_CLOSE => "EVTCHNOP_close",
            event_channel::EVTCHNOP_SEND => "EVTCHNOP_send",
            event_channel::EVTCHNOP_STATUS => "EVTCHNOP_status",
            event_channel::EVTCHNOP_ALLOC_UNBOUND => "EVTCHNOP_alloc_unbound",
            event_channel::EVTCHNOP_BIND_IPI => "EVTCHNOP_bind_ipi",
            event_channel::EVTCHNOP_BIND_VCPU => "EVTCHNOP_bind_vcpu",
            event_channel::EVTCHNOP_UNMASK => "EVTCHNOP_unmask",
            event_channel::EVTCHNOP_RESET => "EVTCHNOP_reset",
        ),
        Nr::PHYSDEV_OP => names!(command;
            physdev::PHYSDEVOP_EOI => "PHYSDEVOP_eoi",
            physdev::PHYSDEVOP_IRQ_STATUS_QUERY => "PHYSDEVOP_irq_status_query",
            physdev::PHYSDEVOP_MAP_PIRQ => "PHYSDEVOP_map_pirq",
            physdev::PHYSDEVOP_UNMAP_PIRQ => "PHYSDEVOP_unmap_pirq",
            physdev::PHYSDEVOP_SETUP_GSI => "PHYSDEVOP_setup_gsi",
            physdev::PHYSDEVOP_PCI_MMCFG_RESERVED => "PHYSDEVOP_pci_mmcfg_reserved",
            physdev::PHYSDEVOP_PCI_DEVICE_ADD => "PHYSDEVOP_pci_device_add",
            physdev::PHYSDEVOP_PCI_DEVICE_REMOVE => "PHYSDEVOP_pci_device_remove",
        ),
        Nr::HVM_OP => hvm(command),
        // SAFETY: both take the address of a structure that starts with the command.
        Nr::SYSCTL => unsafe { access::read::<u32>(args[0]) }.map_or("unknown", sysctl),
        // SAFETY: as above.
        Nr::DOMCTL => unsafe { access::read::<u32>(args[0]) }.map_or("unknown", domctl),
        _ => "unknown",
    }
}

fn hvm(command: u32) -> &'static str {
    use xen_abi::hvm::hvm_op;
    names!(command;
        hvm_op::HVMOP_SET_PARAM => "HVMOP_set_param",
        hvm_op::HVMOP_GET_PARAM => "HVMOP_get_param",
        hvm_op::HVMOP_SET_EVTCHN_UPCALL_VECTOR => "HVMOP_set_evtchn_upcall_vector",
    )
}

fn sysctl(command: u32) -> &'static str {
    names!(command;
        sysctl::XEN_SYSCTL_READCONSOLE => "XEN_SYSCTL_readconsole",
        sysctl::XEN_SYSCTL_PHYSINFO => "XEN_SYSCTL_physinfo",
        sysctl::XEN_SYSCTL_SCHED_ID => "XEN_SYSCTL_sched_id",
        sysctl::XEN_SYSCTL_GETDOMAININFOLIST => "XEN_SYSCTL_getdomaininfolist",
        sysctl::XEN_SYSCTL_DEBUG_KEYS => "XEN_SYSCTL_debug_keys",
        sysctl::XEN_SYSCTL_CPUTOPOINFO => "XEN_SYSCTL_cputopoinfo",
        sysctl::XEN_SYSCTL_NUMAINFO => "XEN_SYSCTL_numainfo",
        sysctl::XEN_SYSCTL_CPUPOOL_OP => "XEN_SYSCTL_cpupool_op",
        sysctl::XEN_SYSCTL_SCHEDULER_OP => "XEN_SYSCTL_scheduler_op",
    )
}

fn domctl(command: u32) -> &'static str {
    names!(command;
        domctl::XEN_DOMCTL_CREATEDOMAIN => "XEN_DOMCTL_createdomain",
        domctl::XEN_DOMCTL_DESTROYDOMAIN => "XEN_DOMCTL_destroydomain",
        domctl::XEN_DOMCTL_PAUSEDOMAIN => "XEN_DOMCTL_pausedomain",
        domctl::XEN_DOMCTL_UNPAUSEDOMAIN => "XEN_DOMCTL_unpausedomain",
        domctl::XEN_DOMCTL_RESUMEDOMAIN => "XEN_DOMCTL_resumedomain",
        domctl::XEN_DOMCTL_GETDOMAININFO => "XEN_DOMCTL_getdomaininfo",
        domctl::XEN_DOMCTL_MAX_MEM => "XEN_DOMCTL_max_mem",
        domctl::XEN_DOMCTL_MAX_VCPUS => "XEN_DOMCTL_max_vcpus",
        domctl::XEN_DOMCTL_SHADOW_OP => "XEN_DOMCTL_shadow_op",
        domctl::XEN_DOMCTL_SET_PAGING_MEMPOOL_SIZE => "XEN_DOMCTL_set_paging_mempool_size",
        domctl::XEN_DOMCTL_GET_PAGING_MEMPOOL_SIZE => "XEN_DOMCTL_get_paging_mempool_size",
        domctl::XEN_DOMCTL_GETVCPUINFO => "XEN_DOMCTL_getvcpuinfo",
        domctl::XEN_DOMCTL_GETVCPUAFFINITY => "XEN_DOMCTL_getvcpuaffinity",
        domctl::XEN_DOMCTL_SETVCPUAFFINITY => "XEN_DOMCTL_setvcpuaffinity",
        domctl::XEN_DOMCTL_SCHEDULER_OP => "XEN_DOMCTL_scheduler_op",
        domctl::XEN_DOMCTL_SETDOMAINHANDLE => "XEN_DOMCTL_setdomainhandle",
        domctl::XEN_DOMCTL_SETTIMEOFFSET => "XEN_DOMCTL_settimeoffset",
        domctl::XEN_DOMCTL_SENDTRIGGER => "XEN_DOMCTL_sendtrigger",
        domctl::XEN_DOMCTL_GETVCPUCONTEXT => "XEN_DOMCTL_getvcpucontext",
        domctl::XEN_DOMCTL_GETHVMCONTEXT => "XEN_DOMCTL_gethvmcontext",
        domctl::XEN_DOMCTL_SETHVMCONTEXT => "XEN_DOMCTL_sethvmcontext",
        domctl::XEN_DOMCTL_SETTSCINFO => "XEN_DOMCTL_settscinfo",
    )
}
