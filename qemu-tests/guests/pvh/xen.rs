//! Hypercalls through Xen's hypercall page, which fits AMD and Intel alike.
//! Source: public/xen.h, sched.h, event_channel.h, hvm/params.h, memory.h.

use core::arch::asm;
use core::arch::x86_64::__cpuid;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// `HVM_PARAM_STORE_PFN`.
pub const STORE_PFN: u32 = 1;
/// `HVM_PARAM_STORE_EVTCHN`.
pub const STORE_EVTCHN: u32 = 2;
/// `HVM_PARAM_CONSOLE_PFN`.
pub const CONSOLE_PFN: u32 = 17;
/// `HVM_PARAM_CONSOLE_EVTCHN`.
pub const CONSOLE_EVTCHN: u32 = 18;

/// `SHUTDOWN_poweroff`.
pub const POWEROFF: u32 = 0;
/// `SHUTDOWN_reboot`.
pub const REBOOT: u32 = 1;
/// `SHUTDOWN_crash`.
pub const CRASH: u32 = 3;

const MEMORY_OP: u64 = 12;
const SCHED_OP: u64 = 29;
const EVENT_CHANNEL_OP: u64 = 32;
const HVM_OP: u64 = 34;
const DOMID_SELF: u16 = 0x7ff0;

/// Where `shared_info` goes: below 4 GiB and above all of this guest's memory.
const SHARED_INFO: u64 = 0xff00_0000;
/// Of `struct shared_info`: `evtchn_pending`, behind 32 `vcpu_info` of 64 bytes.
const PENDING: u64 = 32 * 64;

#[repr(C, align(4096))]
struct Page(UnsafeCell<[u8; 4096]>);

// SAFETY: Xen writes it once, before the first call through it; there is one vCPU.
unsafe impl Sync for Page {}

static HYPERCALL_PAGE: Page = Page(UnsafeCell::new([0; 4096]));
static IS_READY: AtomicBool = AtomicBool::new(false);

/// Has Xen write the hypercall page and map `shared_info`.
fn prepare() {
    // Xen's leaves begin at 0x40000000, or 0x100 higher each where it imitates others as well.
    let base = (0x4000_0000u32..0x4001_0000).step_by(0x100).find(|leaf| __cpuid(*leaf).ebx == 0x566e_6558);
    let Some(base) = base else { panic!("no Xen") };
    let msr = __cpuid(base + 2).ebx;
    let page = HYPERCALL_PAGE.0.get() as u64;
    // SAFETY: the MSR is Xen's own, and the page is ours to be written. Memory is mapped one to one.
    unsafe { asm!("wrmsr", in("ecx") msr, in("eax") page as u32, in("edx") (page >> 32) as u32) };
    IS_READY.store(true, Ordering::Relaxed);

    #[repr(C)]
    struct AddToPhysmap {
        domid: u16,
        size: u16,
        space: u32,
        index: u64,
        gpfn: u64,
    }
    let place = AddToPhysmap { domid: DOMID_SELF, size: 0, space: 0, index: 0, gpfn: SHARED_INFO >> 12 };
    if call(MEMORY_OP, 7, &raw const place as u64) != 0 {
        panic!("no shared_info");
    }
}

fn call(nr: u64, first: u64, second: u64) -> i64 {
    let entry = HYPERCALL_PAGE.0.get() as u64 + nr * 32;
    let result;
    // SAFETY: the page holds Xen's stubs; `second` is the address of a live argument, which Xen alone touches.
    unsafe {
        asm!("call {}", in(reg) entry, inout("rdi") first => _, inout("rsi") second => _, lateout("rax") result);
    }
    result
}

fn hypercall(nr: u64, first: u64, second: u64) -> i64 {
    if !IS_READY.load(Ordering::Relaxed) {
        prepare();
    }
    call(nr, first, second)
}

/// Reads one of this domain's HVM parameters.
pub fn param(index: u32) -> u64 {
    #[repr(C)]
    struct Param {
        domid: u16,
        pad: u16,
        index: u32,
        value: UnsafeCell<u64>,
    }
    let param = Param { domid: DOMID_SELF, pad: 0, index, value: UnsafeCell::new(0) };
    if hypercall(HVM_OP, 1, &raw const param as u64) != 0 {
        panic!("no such parameter");
    }
    param.value.into_inner()
}

/// Sends an event to the other end of `port`.
pub fn notify(port: u32) {
    hypercall(EVENT_CHANNEL_OP, 4, &raw const port as u64);
}

/// Sleeps until an event comes on `port`, or returns at once where one has come since the last time.
pub fn wait(port: u32) {
    #[repr(C)]
    struct Poll {
        ports: u64,
        nr_ports: u32,
        pad: u32,
        timeout: u64,
    }
    let poll = Poll { ports: &raw const port as u64, nr_ports: 1, pad: 0, timeout: 0 };
    hypercall(SCHED_OP, 3, &raw const poll as u64);
    let word = (SHARED_INFO + PENDING + u64::from(port) / 64 * 8) as *mut u64;
    // SAFETY: `shared_info` is mapped there since the first hypercall, and its words are only used atomically.
    unsafe { AtomicU64::from_ptr(word) }.fetch_and(!(1 << (port % 64)), Ordering::AcqRel);
}

/// Ends this domain with one of the reasons above.
pub fn shutdown(reason: u32) -> ! {
    loop {
        hypercall(SCHED_OP, 2, &raw const reason as u64);
    }
}
