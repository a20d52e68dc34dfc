//! Parameters of HVM and PVH domains. Source: public/hvm/params.h.

constants! {
    /// How events reach the guest; see `HVM_PARAM_CALLBACK_TYPE_...`.
    HVM_PARAM_CALLBACK_IRQ: u32 = 0;
    /// The frame of the xenstore ring.
    HVM_PARAM_STORE_PFN: u32 = 1;
    /// The guest's port for xenstore.
    HVM_PARAM_STORE_EVTCHN: u32 = 2;
    /// Physical address extension may be used.
    HVM_PARAM_PAE_ENABLED: u32 = 4;
    /// The address of identity page tables for a vCPU without paging (VMX without unrestricted guest).
    HVM_PARAM_IDENT_PT: u32 = 12;
    /// How missed timer ticks are made up for.
    HVM_PARAM_TIMER_MODE: u32 = 10;
    /// The frame of the console ring.
    HVM_PARAM_CONSOLE_PFN: u32 = 17;
    /// The guest's port for the console.
    HVM_PARAM_CONSOLE_EVTCHN: u32 = 18;
    /// Nested virtualisation (up to 4.14).
    HVM_PARAM_NESTEDHVM: u32 = 24;
    /// Why the guest is shut down when it triple faults.
    HVM_PARAM_TRIPLE_FAULT_REASON: u32 = 31;
    /// The address and size of a TSS for virtual 8086 mode.
    HVM_PARAM_VM86_TSS_SIZED: u32 = 37;
    /// How many parameters there are.
    HVM_NR_PARAMS: u32 = 39;

    /// In the top byte of the callback parameter: an interrupt line.
    HVM_PARAM_CALLBACK_TYPE_GSI: u32 = 0;
    /// In the top byte of the callback parameter: a PCI interrupt pin.
    HVM_PARAM_CALLBACK_TYPE_PCI_INTX: u32 = 1;
    /// In the top byte of the callback parameter: a vector, in the low byte.
    HVM_PARAM_CALLBACK_TYPE_VECTOR: u32 = 2;
}
