// Entry of a PVH guest: 32-bit protected mode, no paging, ebx = hvm_start_info. Leaves for 64-bit mode with the
// first 4 GiB mapped one to one in 2 MiB pages, and calls guest_main(start_info) on a stack of 16 KiB.

    .section .note.Xen, "a", @note
    .align 4
    .long 4, 4, 18              // sizes of name and descriptor; XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .long _start

    .text
    .code32
    .globl _start
_start:
    cld
    mov edi, offset directories
    mov eax, 0x83               // present, writable, 2 MiB
    mov ecx, 4 * 512
1:  mov dword ptr [edi], eax
    mov dword ptr [edi + 4], 0
    add eax, 0x200000
    add edi, 8
    dec ecx
    jnz 1b

    mov edi, offset pointers
    mov eax, offset directories + 3
    mov ecx, 4
2:  mov dword ptr [edi], eax
    add eax, 0x1000
    add edi, 8
    dec ecx
    jnz 2b

    mov eax, offset pointers + 3
    mov dword ptr [root], eax
    mov eax, offset root
    mov cr3, eax

    mov eax, cr4
    or eax, 0x20                // PAE
    mov cr4, eax
    mov ecx, 0xc0000080         // EFER
    rdmsr
    or eax, 0x100               // long mode
    wrmsr
    mov eax, cr0
    or eax, 0x80000000          // paging
    mov cr0, eax

    mov esp, offset stack_top
    lgdt [gdt_pointer]
    push 8
    mov eax, offset long_mode
    push eax
    retf

    .code64
long_mode:
    xor eax, eax
    mov ds, eax
    mov es, eax
    mov ss, eax
    mov edi, ebx
    call guest_main
    ud2

    .section .rodata.start, "a", @progbits
    .align 8
gdt:
    .quad 0
    .quad 0x00209a0000000000    // 64-bit code
gdt_pointer:
    .word gdt_pointer - gdt - 1
    .long gdt

    .section .bss.start, "aw", @nobits
    .align 4096
root:
    .skip 4096
pointers:
    .skip 4096
directories:
    .skip 4 * 4096
stack:
    .skip 4 * 4096
stack_top:
