// Accesses that may fault: each has an entry in the fix-up table, {instruction, where to go on}. What is left to copy is
// told by rcx (words) and rdx (bytes behind them).
    .text
    .macro fixup at, to
    .pushsection .runsc_fixups, "a", @progbits
    .quad \at, \to
    .popsection
    .endm
    .macro function name
    .balign 16
    .globl \name
    .type \name, @function
\name:
    .endm

// size_t runsc_copy_raw(void* rdi, const void* rsi, size_t rdx): bytes not copied.
function runsc_copy_raw
    movq %rdx, %rcx
    shrq $3, %rcx
    andl $7, %edx
    cmpq $8, %rcx
    ja .Lcopy_long
    testl %ecx, %ecx
    jz .Lcopy_bytes
.Lcopy_load:
    movq (%rsi), %rax
.Lcopy_store:
    movq %rax, (%rdi)
    addq $8, %rsi
    addq $8, %rdi
    decl %ecx
    jnz .Lcopy_load
.Lcopy_bytes:
    testl %edx, %edx
    jz .Lcopy_done
    movl %edx, %ecx
.Lcopy_rest:
    rep movsb
.Lcopy_rest_end:
    movq %rcx, %rax
    ret
.Lcopy_done:
    xorl %eax, %eax
    ret
.Lcopy_long:
    rep movsq
    jmp .Lcopy_bytes
.Lcopy_faulted:         // byte by byte up to the very first that cannot be reached
    leaq (%rdx, %rcx, 8), %rcx
    jmp .Lcopy_rest
    fixup .Lcopy_load, .Lcopy_faulted
    fixup .Lcopy_store, .Lcopy_faulted
    fixup .Lcopy_long, .Lcopy_faulted
    fixup .Lcopy_rest, .Lcopy_rest_end

// size_t runsc_zero_raw(void* rdi, size_t rsi): bytes not zeroed.
function runsc_zero_raw
    movq %rsi, %rcx
    shrq $3, %rcx
    movl %esi, %edx
    andl $7, %edx
    xorl %eax, %eax
.Lzero_words:
    rep stosq
    movl %edx, %ecx
.Lzero_rest:
    rep stosb
.Lzero_rest_end:
    movq %rcx, %rax
    ret
.Lzero_faulted:
    leaq (%rdx, %rcx, 8), %rcx
    jmp .Lzero_rest
    fixup .Lzero_words, .Lzero_faulted
    fixup .Lzero_rest, .Lzero_rest_end

// int runsc_load32_raw(const void* rdi, uint32_t* rsi): 1, or 0 when it faults.
function runsc_load32_raw
.Lload:
    movl (%rdi), %eax
    movl %eax, (%rsi)
    movl $1, %eax
    ret
    fixup .Lload, .Lfailed

// int runsc_cmpxchg32_raw(void* rdi, uint32_t expected esi, uint32_t desired edx, uint32_t* old rcx)
function runsc_cmpxchg32_raw
    movl %esi, %eax
.Lcmpxchg:
    lock cmpxchgl %edx, (%rdi)
    movl %eax, (%rcx)
    movl $1, %eax
    ret
    fixup .Lcmpxchg, .Lfailed

.Lfailed:
    xorl %eax, %eax
    ret

// What the compiler calls (it may do so for any copy of its own).
function memcpy
    movq %rdi, %rax
    movq %rdx, %rcx
    shrq $3, %rcx
    andl $7, %edx
    rep movsq
    movl %edx, %ecx
    rep movsb
    ret

function memmove
    movq %rdi, %rax
    subq %rsi, %rax
    cmpq %rdx, %rax     // unsigned: only a destination inside the source must go backwards
    jae memcpy
    movq %rdi, %rax
    leaq -1(%rdi, %rdx), %rdi
    leaq -1(%rsi, %rdx), %rsi
    movq %rdx, %rcx
    std
    rep movsb
    cld
    ret

function memset
    movq %rdi, %r8
    movzbl %sil, %eax
    movabsq $0x0101010101010101, %rcx
    imulq %rcx, %rax
    movq %rdx, %rcx
    shrq $3, %rcx
    andl $7, %edx
    rep stosq
    movl %edx, %ecx
    rep stosb
    movq %r8, %rax
    ret

function memcmp
    xorl %eax, %eax
    movq %rdx, %rcx
    cmpq %rcx, %rcx     // equal when there is nothing to compare
    repe cmpsb
    je 1f
    movzbl -1(%rdi), %eax
    movzbl -1(%rsi), %ecx
    subl %ecx, %eax
1:  ret

function strlen
    xorl %eax, %eax
1:  cmpb $0, (%rdi, %rax)
    je 2f
    incq %rax
    jmp 1b
2:  ret

    .section .note.GNU-stack, "", @progbits
