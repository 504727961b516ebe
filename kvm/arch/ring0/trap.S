// User code in and out. runsc_enter_user is a function that returns at the trap.
#include "kvm/arch/ring0/per_cpu_offsets.h"

#define USER_SS 0x2b
#define USER_CS 0x33
#define FLAG_IF 0x200
// All but CF PF AF ZF SF IF DF OF NT AC ID and the fixed bit 1.
#define FLAGS_NOT_SYSRET (0xffffffff & ~(0x1 | 0x4 | 0x10 | 0x40 | 0x80 | 0x200 | 0x400 | 0x800 | 0x4000 | 0x40000 | 0x200000 | 2))
#define FEATURE_SMAP 2

// enum CpuShared::State
#define STATE_KERNEL 0
#define STATE_USER 1

// enum TrapKind
#define KIND_PAGE_FAULT 1
#define KIND_EXCEPTION 2
#define KIND_INTERRUPT 3
#define KIND_BUS_ERROR 4

    .text

    .macro save_callee_saved
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    .endm

    .macro restore_callee_saved
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    .endm

// Trap runsc::arch::run_user(UserState& rdi, UserSpace& rsi, UserRegs& rdx), the way of registers as a system call left
// them. Anything else is left to runsc_run_user_slow, which begins anew.
    .globl _ZN5runsc4arch8run_userERNS0_9UserStateERNS0_9UserSpaceERNS0_8UserRegsE
    .type _ZN5runsc4arch8run_userERNS0_9UserStateERNS0_9UserSpaceERNS0_8UserRegsE, @function
_ZN5runsc4arch8run_userERNS0_9UserStateERNS0_9UserSpaceERNS0_8UserRegsE:
    // SYSRET takes RIP from RCX and RFLAGS from R11. It faults in ring 0 on a RIP that is not canonical; it cannot set
    // RF, TF is left to IRET, and it would give IOPL, VIF and VIP to user code.
    movq REGS_RIP(%rdx), %rcx
    cmpq REGS_RCX(%rdx), %rcx
    jne .Lslow
    movq %rcx, %rax
    shrq $47, %rax
    jnz .Lslow
    movq REGS_RFLAGS(%rdx), %r11
    cmpq REGS_R11(%rdx), %r11
    jne .Lslow
    movl %r11d, %eax
    andl $(FLAG_IF | FLAGS_NOT_SYSRET), %eax
    cmpl $FLAG_IF, %eax
    jne .Lslow
    // XCHG is a full fence: whoever wakes us or changes translations stores first and looks at the state then; we say
    // that we leave and look then. One of the two sees the other.
    movq %gs:CPU_STATE, %r8
    movl $STATE_USER, %eax
    xchgl %eax, (%r8)
    cmpl $0, %gs:CPU_WAKE_PENDING
    jne .Lslow
    movq SPACE_TLB_GENERATION(%rsi), %rax
    cmpq %gs:CPU_TLB_SEEN, %rax
    jne .Lslow
    save_callee_saved
    movq %rsp, %gs:CPU_KERNEL_RSP
    leaq REGS_SIZE(%rdx), %rax
    movq %rax, %gs:CPU_REGS_END
    movq REGS_R15(%rdx), %r15
    movq REGS_R14(%rdx), %r14
    movq REGS_R13(%rdx), %r13
    movq REGS_R12(%rdx), %r12
    movq REGS_RBP(%rdx), %rbp
    movq REGS_RBX(%rdx), %rbx
    movq REGS_R10(%rdx), %r10
    movq REGS_R9(%rdx), %r9
    movq REGS_R8(%rdx), %r8
    movq REGS_RAX(%rdx), %rax
    movq REGS_RSI(%rdx), %rsi
    movq REGS_RDI(%rdx), %rdi
    movq REGS_RSP(%rdx), %rsp
    movq REGS_RDX(%rdx), %rdx
    swapgs
    sysretq
.Lslow:
    jmp runsc_run_user_slow

// Trap runsc_enter_user(UserRegs* rdi): rip is a user address, rflags are sanitized, interrupts are off.
    .globl runsc_enter_user
    .type runsc_enter_user, @function
runsc_enter_user:
    save_callee_saved
    movq %rsp, %gs:CPU_KERNEL_RSP
    leaq REGS_SIZE(%rdi), %rax
    movq %rax, %gs:CPU_REGS_END
    pushq $USER_SS
    pushq REGS_RSP(%rdi)
    pushq REGS_RFLAGS(%rdi)
    pushq $USER_CS
    pushq REGS_RIP(%rdi)
    movq REGS_R15(%rdi), %r15
    movq REGS_R14(%rdi), %r14
    movq REGS_R13(%rdi), %r13
    movq REGS_R12(%rdi), %r12
    movq REGS_RBP(%rdi), %rbp
    movq REGS_RBX(%rdi), %rbx
    movq REGS_R11(%rdi), %r11
    movq REGS_R10(%rdi), %r10
    movq REGS_R9(%rdi), %r9
    movq REGS_R8(%rdi), %r8
    movq REGS_RAX(%rdi), %rax
    movq REGS_RCX(%rdi), %rcx
    movq REGS_RDX(%rdi), %rdx
    movq REGS_RSI(%rdi), %rsi
    movq REGS_RDI(%rdi), %rdi
    swapgs
    iretq
    .size runsc_enter_user, . - runsc_enter_user

// SYSCALL: RCX = RIP, R11 = RFLAGS, RSP and GS still user code's, interrupts masked by SFMASK. The pushes fill UserRegs
// from its end; only #DB, NMI and #MC could come in between, and they have stacks of their own.
    .globl runsc_syscall_entry
runsc_syscall_entry:
    swapgs
    movq %rsp, %gs:CPU_SCRATCH
    movq %gs:CPU_REGS_END, %rsp
    pushq %gs:CPU_SCRATCH
    pushq %r11
    pushq %rcx
    pushq %rax
    pushq %rdi
    pushq %rsi
    pushq %rdx
    pushq %rcx
    pushq %rax
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %gs:CPU_KERNEL_RSP, %rsp
    // Stores are seen in order: what the kernel does now is not seen before this.
    movq %gs:CPU_STATE, %rax
    movl $STATE_KERNEL, (%rax)
    restore_callee_saved
    xorl %eax, %eax     // TrapKind::syscall
    xorl %edx, %edx
    ret

// SYSCALL from compatibility mode: there is no 32-bit code segment to come from.
    .globl runsc_compat_entry
runsc_compat_entry:
    ud2

// Exceptions and interrupts. Every stub leaves: vector, error code, RIP, CS, RFLAGS, RSP, SS.
    .macro stub vector, has_error=0
    .balign 16
    .if \has_error == 0
    pushq $0
    .endif
    pushq $\vector
    jmp .Lcommon
    .endm

    .globl runsc_vectors
    .balign 16
runsc_vectors:
    .set v, 0
    .rept 33
    .if v == 8 || (v >= 10 && v <= 14) || v == 17 || v == 21 || v == 29 || v == 30
    stub v, 1
    .else
    stub v, 0
    .endif
    .set v, v + 1
    .endr

    .balign 16
.Lcommon:
    cld
    testb $3, 24(%rsp)
    jz .Lfrom_kernel
    swapgs
    movq %rdi, %gs:CPU_SCRATCH
    movq %gs:CPU_REGS_END, %rdi
    subq $REGS_SIZE, %rdi
    movq %r15, REGS_R15(%rdi)
    movq %r14, REGS_R14(%rdi)
    movq %r13, REGS_R13(%rdi)
    movq %r12, REGS_R12(%rdi)
    movq %rbp, REGS_RBP(%rdi)
    movq %rbx, REGS_RBX(%rdi)
    movq %r11, REGS_R11(%rdi)
    movq %r10, REGS_R10(%rdi)
    movq %r9, REGS_R9(%rdi)
    movq %r8, REGS_R8(%rdi)
    movq %rax, REGS_RAX(%rdi)
    movq %rcx, REGS_RCX(%rdi)
    movq %rdx, REGS_RDX(%rdi)
    movq %rsi, REGS_RSI(%rdi)
    movq %gs:CPU_SCRATCH, %rax
    movq %rax, REGS_RDI(%rdi)
    movq $-1, REGS_ORIG_RAX(%rdi)
    movq 16(%rsp), %rax
    movq %rax, REGS_RIP(%rdi)
    movq 32(%rsp), %rax
    movq %rax, REGS_RFLAGS(%rdi)
    movq 40(%rsp), %rax
    movq %rax, REGS_RSP(%rdi)
    // AC came along from user code and would let ring 0 at user pages.
    testl $FEATURE_SMAP, runsc_cpu_features(%rip)
    jz 1f
    clac
1:
    // Trap: kind, vector << 8, error << 32; address.
    movl (%rsp), %ecx
    movl 8(%rsp), %eax
    shlq $32, %rax
    leaq .Lkinds(%rip), %rdx
    movzbl (%rdx, %rcx), %esi
    orq %rsi, %rax
    xorl %edx, %edx
    cmpl $KIND_PAGE_FAULT, %esi
    jne 2f
    movq %cr2, %rdx
2:
    shll $8, %ecx
    orq %rcx, %rax
    movq %gs:CPU_STATE, %rdi
    movl $STATE_KERNEL, (%rdi)
    cmpl $KIND_INTERRUPT, %esi
    jne 3f
    // Taken before the caller looks at what it was woken for, hence no plain store.
    xorl %ecx, %ecx
    xchgl %ecx, %gs:CPU_WAKE_PENDING
3:
    movq %gs:CPU_KERNEL_RSP, %rsp
    restore_callee_saved
    ret

.Lfrom_kernel:
    cmpl $2, (%rsp)
    je .Lignore         // NMI: nothing here asks for one. GS may be user code's, so nothing is touched
    cmpl $1, (%rsp)
    je .Lsingle_step
    cmpl $8, (%rsp)
    je .Ldouble_fault
.Lreport:
    pushq %rax
    pushq %rcx
    pushq %rdx
    pushq %rsi
    pushq %rdi
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, %rdi
    // The interrupted stack may be at any multiple of 8.
    movq %rsp, %rbp
    andq $-16, %rsp
    call runsc_kernel_exception
    movq %rbp, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rdi
    popq %rsi
    popq %rdx
    popq %rcx
    popq %rax
.Lignore:
    addq $16, %rsp
    iretq

.Lsingle_step:          // TF that user code left behind across SYSCALL: not ours
    btrq $8, 32(%rsp)
    jmp .Lignore

.Ldouble_fault:         // does not return: the per-CPU block stands above the frame (cpu_setup.cc)
    movq 56(%rsp), %rax
    movq %rax, %rdx
    shrq $32, %rdx
    movl $0xc0000101, %ecx
    wrmsr
    jmp .Lreport

    .section .rodata
.Lkinds:
    .set v, 0
    .rept 33
    .if v == 14
    .byte KIND_PAGE_FAULT
    .elseif v == 18
    .byte KIND_BUS_ERROR
    .elseif v == 2 || v == 32
    .byte KIND_INTERRUPT
    .else
    .byte KIND_EXCEPTION
    .endif
    .set v, v + 1
    .endr

    .section .note.GNU-stack, "", @progbits
