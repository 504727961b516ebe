// Guarded accesses; the table at the end tells the fault handler where each goes on.
    .text
    .macro function name
    .globl \name
    .type \name, @function
\name:
    .endm

function runsc_guarded_copy
    movq %rdx, %rcx
.Lcopy:
    rep movsb
.Lcopy_end:
    movq %rcx, %rax
    ret

function runsc_guarded_zero
    movq %rsi, %rcx
    xorl %eax, %eax
.Lzero:
    rep stosb
.Lzero_end:
    movq %rcx, %rax
    ret

function runsc_guarded_load32
.Lload:
    movl (%rdi), %eax
    movl %eax, (%rsi)
    movl $1, %eax
    ret

function runsc_guarded_cmpxchg32
    movl %esi, %eax
.Lcmpxchg:
    lock cmpxchgl %edx, (%rdi)
    movl %eax, (%rcx)
    movl $1, %eax
    ret

.Lfailed:
    xorl %eax, %eax
    ret

    .section .data.rel.ro, "aw", @progbits
    .balign 8
    .globl runsc_guarded_table
    .globl runsc_guarded_table_end
runsc_guarded_table:
    .quad .Lcopy, .Lcopy_end
    .quad .Lzero, .Lzero_end
    .quad .Lload, .Lfailed
    .quad .Lcmpxchg, .Lfailed
runsc_guarded_table_end:

    .section .note.GNU-stack, "", @progbits
