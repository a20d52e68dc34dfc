/*
 * The first instructions: from PVH's 32-bit protected mode to 64-bit Rust.
 *
 * On entry (docs/misc/pvh): ebx is the physical address of hvm_start_info, paging is off, segments
 * are flat, interrupts are off, and nothing else is promised. The first 4 GiB are mapped one to
 * one, writable and executable, for as long as it takes paging.rs to build the real tables.
 */

    .section .note.Xen, "a", @note
    .align 4
    .long 4                     /* name size */
    .long 4                     /* descriptor size */
    .long 18                    /* XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .long start32

    .section .text.start, "ax"
    .code32
    .globl start32
start32:
    cld
    cli
    mov esp, offset stack_top

    /* Domain 0's memory is not scrubbed by Xen. */
    mov edi, offset bss_start
    mov ecx, offset bss_end
    sub ecx, edi
    shr ecx, 2
    xor eax, eax
    rep stosd

    /* 2048 entries of 2 MiB each: present, writable, large. */
    mov edi, offset boot_directories
    mov eax, 0x83
    xor edx, edx
    mov ecx, 2048
2:  mov [edi], eax
    mov [edi + 4], edx
    add edi, 8
    add eax, 0x200000
    adc edx, 0
    loop 2b

    mov edi, offset boot_pointers
    mov eax, offset boot_directories + 3
    mov ecx, 4
3:  mov [edi], eax
    add edi, 8
    add eax, 0x1000
    loop 3b

    mov eax, offset boot_pointers + 3
    mov [boot_root], eax

    mov eax, cr4
    or eax, 0x20                /* PAE */
    mov cr4, eax
    mov eax, offset boot_root
    mov cr3, eax
    mov ecx, 0xc0000080         /* EFER: long mode, no-execute */
    rdmsr
    or eax, 0x900
    wrmsr
    mov eax, cr0
    or eax, 0x80010001          /* paging, write protection for ring 0, protected mode */
    mov cr0, eax

    lgdt [boot_gdt_pointer]
    /* The assembler has no 32-bit far jump in this syntax. */
    push 0x08
    mov eax, offset start64
    push eax
    retf

    .code64
start64:
    xor eax, eax
    mov ds, eax
    mov es, eax
    mov fs, eax
    mov gs, eax
    mov ss, eax
    mov rsp, offset stack_top
    xor ebp, ebp
    mov edi, ebx
    call kernel_entry
    ud2

    .section .rodata.start, "a"
    .align 8
boot_gdt:
    .quad 0
    .quad 0x00af9b000000ffff    /* 64-bit code */
boot_gdt_end:
boot_gdt_pointer:
    .word boot_gdt_end - boot_gdt - 1
    .long boot_gdt

    .section .bss.start, "aw", @nobits
    .align 4096
boot_root:
    .skip 4096
boot_pointers:
    .skip 4096
boot_directories:
    .skip 4 * 4096

    .text
