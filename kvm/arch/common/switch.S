// Switching kernel stacks: only what the C calling convention makes the callee keep. The control words of x87 and
// SSE are kept by it too, but no code of the sentry changes them.
    .text
    .globl runsc_switch_stack
    .type runsc_switch_stack, @function
runsc_switch_stack:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
    .size runsc_switch_stack, . - runsc_switch_stack

    .globl runsc_context_start
    .type runsc_context_start, @function
runsc_context_start:
    movq %r13, %rdi
    xorl %ebp, %ebp
    callq *%r12
    ud2
    .size runsc_context_start, . - runsc_context_start

    .section .note.GNU-stack, "", @progbits
