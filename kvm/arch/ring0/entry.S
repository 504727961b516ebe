// First instructions of a CPU: boot_protocol.h says what it finds. CPU 0 has a stack in the image; it makes those of the
// others, who wait for it.
    .section .text.entry, "ax", @progbits
    .globl runsc_entry
runsc_entry:
    testl %esi, %esi
    jnz .Lother_cpu
    leaq runsc_boot_stack_end(%rip), %rsp
    xorl %ebp, %ebp
    call runsc_boot_main
    ud2
.Lother_cpu:
    pause
    // Stored last by CPU 0: what it points to is complete (stores are seen in order).
    movq runsc_cpu_stacks(%rip), %rax
    testq %rax, %rax
    jz .Lother_cpu
    movq (%rax, %rsi, 8), %rsp
    xorl %ebp, %ebp
    movl %esi, %edi
    call runsc_cpu_main
    ud2

    .bss
    .balign 16
runsc_boot_stack:
    .skip 32768
runsc_boot_stack_end:

    .section .note.GNU-stack, "", @progbits
