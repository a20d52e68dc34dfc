//! Segments, the interrupt table, and the few instructions that run with interrupts' borrowed time.
//!
//! Interrupts are off except in [`wait`] and [`let_in`], so nothing here needs a lock: a handler notes that something
//! happened and returns, and the executor looks after it is awake. Exceptions are bugs: they panic.

use core::arch::{asm, global_asm};
use core::cell::UnsafeCell;
use core::ops::Range;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use spin::Once;
use x86_64::VirtAddr;
use x86_64::instructions::segmentation::{CS, Segment};
use x86_64::instructions::tables::load_tss;
use x86_64::registers::control::Cr2;
use x86_64::structures::gdt::{Descriptor, GlobalDescriptorTable};
use x86_64::structures::idt::InterruptDescriptorTable;
use x86_64::structures::tss::TaskStateSegment;

use crate::layout;

/// The vector on which Xen tells of pending event channels.
pub const UPCALL_VECTOR: u8 = 0xf0;
/// The vector of the link's UART, where it has one of its own.
pub const UART_VECTOR: u8 = 0xe0;

/// Where a local APIC sends what it took back again.
pub const SPURIOUS_VECTOR: u8 = 0xff;

/// The stack of the double fault handler: the usual one may be what failed.
const FAULT_STACK: usize = 16 << 10;
#[repr(align(16))]
struct FaultStack(UnsafeCell<[u8; FAULT_STACK]>);
// SAFETY: only the processor touches it, and only while it reports a double fault, which never returns.
unsafe impl Sync for FaultStack {}
static EMERGENCY: FaultStack = FaultStack(UnsafeCell::new([0; FAULT_STACK]));

/// Where `vcpu_info.evtchn_upcall_pending` of our vCPU is; the handler clears it.
#[unsafe(no_mangle)]
static UPCALL_PENDING: AtomicU64 = AtomicU64::new(0);
/// The UART's interrupt came since it was last asked for.
#[unsafe(no_mangle)]
static UART_FIRED: AtomicBool = AtomicBool::new(false);

global_asm!(
    ".text",
    // Xen asserts this for as long as the flag is set, so the flag is what must go. Port bits stay.
    ".globl upcall_entry",
    "upcall_entry:",
    "push rax",
    "mov rax, [UPCALL_PENDING]",
    "mov byte ptr [rax], 0",
    "jmp skip_halt",
    ".globl uart_entry",
    "uart_entry:",
    "push rax",
    "mov byte ptr [UART_FIRED], 1",
    "mov eax, 0xfee000b0", // the local APIC's end-of-interrupt register
    "mov dword ptr [rax], 0",
    "jmp skip_halt",
    // Nothing happened, and there is nothing to acknowledge.
    ".globl spurious_entry",
    "spurious_entry:",
    "iretq",
    // `sti` holds interrupts off until `hlt` has begun. That promise is lost somewhere below us (it seems that QEMU's
    // emulation under Xen lets an interrupt in between the two when another one came at that moment): we would halt
    // with its news unread, and Xen would never tell of it again. So who interrupts before the `hlt` returns behind it.
    "skip_halt:",
    "lea rax, [rip + halt]",
    "cmp [rsp + 8], rax",
    "jne 2f",
    "inc qword ptr [rsp + 8]", // `hlt` is one byte
    "2:",
    "pop rax",
    "iretq",
    ".globl halt_until_interrupt",
    "halt_until_interrupt:",
    "sti",
    "halt:",
    "hlt",
    "cli",
    "ret",
);

// One entry an exception: pushes a zero where the processor pushes no error code, then the vector.
global_asm!(
    ".text",
    ".altmacro",
    ".macro exception vector",
    "exception_\\vector:",
    ".if (0x60227d00 >> \\vector) & 1 == 0",
    "push 0",
    ".endif",
    "push \\vector",
    "jmp exception_common",
    ".endm",
    ".set i, 0",
    ".rept 32",
    "exception %i",
    ".set i, i + 1",
    ".endr",
    "exception_common:",
    "mov rdi, [rsp]",
    "mov rsi, [rsp + 8]",
    "mov rdx, [rsp + 16]",
    "mov rcx, [rsp + 40]",
    "and rsp, -16",
    "call exception",
    ".section .rodata",
    ".globl exception_table",
    "exception_table:",
    ".macro exception_pointer vector",
    ".quad exception_\\vector",
    ".endm",
    ".set i, 0",
    ".rept 32",
    "exception_pointer %i",
    ".set i, i + 1",
    ".endr",
    ".text",
);

unsafe extern "C" {
    fn upcall_entry();
    fn uart_entry();
    fn spurious_entry();
    fn halt_until_interrupt();
    static exception_table: [u64; 32];
}

#[unsafe(no_mangle)]
extern "C" fn exception(vector: u64, error: u64, rip: u64, rsp: u64) -> ! {
    let address = Cr2::read_raw();
    if layout::guard().contains(&address) {
        panic!("stack overflow at {rip:#x} (exception {vector}, rsp {rsp:#x})");
    }
    panic!(
        "exception {vector}, error {error:#x}, at {rip:#x}, rsp {rsp:#x}, last fault address {address:#x}"
    );
}

/// Loads our segments and interrupt table in place of the boot ones.
pub fn init() {
    static TSS: Once<TaskStateSegment> = Once::new();
    static GDT: Once<GlobalDescriptorTable> = Once::new();
    static IDT: Once<InterruptDescriptorTable> = Once::new();

    let tss = TSS.call_once(|| {
        let mut tss = TaskStateSegment::new();
        tss.interrupt_stack_table[0] = VirtAddr::from_ptr(EMERGENCY.0.get()) + FAULT_STACK as u64;
        tss
    });
    let mut selectors = None;
    let gdt = GDT.call_once(|| {
        let mut gdt = GlobalDescriptorTable::new();
        let code = gdt.append(Descriptor::kernel_code_segment());
        selectors = Some((code, gdt.append(Descriptor::tss_segment(tss))));
        gdt
    });
    gdt.load();
    let (code, task) = selectors.expect("init runs once, so the closure above has just run");
    // SAFETY: both selectors are of the table just loaded, which lives for ever.
    unsafe {
        CS::set_reg(code);
        load_tss(task);
    }
    IDT.call_once(interrupt_table).load();
}

fn interrupt_table() -> InterruptDescriptorTable {
    // SAFETY: the table is constant, and made by the assembler above.
    let entries = unsafe { &exception_table }.map(VirtAddr::new);
    let mut idt = InterruptDescriptorTable::new();
    macro_rules! set {
        ($($vector:literal $name:ident),+) => {
            // SAFETY: each entry is code of ours that takes exactly what the processor pushes.
            $(unsafe { idt.$name.set_handler_addr(entries[$vector]); })+
        };
    }
    set!(0 divide_error, 1 debug, 2 non_maskable_interrupt, 3 breakpoint, 4 overflow, 5 bound_range_exceeded,
         6 invalid_opcode, 7 device_not_available, 10 invalid_tss, 11 segment_not_present,
         12 stack_segment_fault, 13 general_protection_fault, 14 page_fault, 16 x87_floating_point,
         17 alignment_check, 18 machine_check, 19 simd_floating_point);
    // SAFETY: as above; the stack index is the one filled in by `init`. The handlers save what they use.
    unsafe {
        idt.double_fault.set_handler_addr(entries[8]).set_stack_index(0);
        idt[UPCALL_VECTOR].set_handler_addr(VirtAddr::new(upcall_entry as *const () as u64));
        idt[UART_VECTOR].set_handler_addr(VirtAddr::new(uart_entry as *const () as u64));
        idt[SPURIOUS_VECTOR].set_handler_addr(VirtAddr::new(spurious_entry as *const () as u64));
    }
    idt
}

/// Tells the upcall handler which flag to clear.
///
/// # Safety
/// `flag` is our vCPU's `evtchn_upcall_pending`, mapped for good.
pub unsafe fn set_upcall_flag(flag: *mut u8) {
    UPCALL_PENDING.store(flag as u64, Ordering::Relaxed);
}

/// Whether the UART's own interrupt came since the last call.
pub fn take_uart_fired() -> bool {
    UART_FIRED.swap(false, Ordering::Relaxed)
}

/// The stack on which double faults are told of.
pub fn emergency_stack() -> Range<u64> {
    let bottom = EMERGENCY.0.get() as u64;
    bottom..bottom + FAULT_STACK as u64
}

/// Lets interrupts that wait be handled, while there is work to do. Without this the UART's own interrupt would wait for
/// the next halt, which a long build puts off.
pub fn let_in() {
    // SAFETY: as in `wait`; `sti` takes effect after the `nop`.
    unsafe { asm!("sti", "nop", "cli", options(nostack)) };
}

/// Halts until an interrupt has been handled. Returns with interrupts off.
pub fn wait() {
    // SAFETY: no interrupt gets lost between `sti` and `hlt` (see `skip_halt`). The handlers touch nothing but the two
    // statics above, and the code is a plain function to the compiler.
    unsafe { halt_until_interrupt() };
}
