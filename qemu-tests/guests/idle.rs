//! The smallest guest: no stack, no console, no store, no interrupt. What creating it costs is the toolstack's
//! work and Xen's, nothing else.
#![no_std]
#![no_main]

#[path = "pvh/die.rs"]
mod die;

core::arch::global_asm!(
    r#"
    .section .note.Xen, "a", @note
    .align 4
    .long 4, 4, 18              // sizes of name and descriptor; XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .long _start

    .text
    .code32
    .globl _start
_start:
    sti                         // halting with interrupts off would power the domain off
1:  hlt
    jmp 1b
    .code64
    "#
);
