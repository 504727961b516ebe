// Offsets into PerCpu and UserRegs for the assembly of this folder; per_cpu.h checks them.
#pragma once

#define CPU_SELF 0
#define CPU_KERNEL_RSP 8
#define CPU_REGS_END 16
#define CPU_SCRATCH 24
#define CPU_STATE 32
#define CPU_TLB_SEEN 40
#define CPU_WAKE_PENDING 48

#define SPACE_TLB_GENERATION 24

#define REGS_R15 0
#define REGS_R14 8
#define REGS_R13 16
#define REGS_R12 24
#define REGS_RBP 32
#define REGS_RBX 40
#define REGS_R11 48
#define REGS_R10 56
#define REGS_R9 64
#define REGS_R8 72
#define REGS_RAX 80
#define REGS_RCX 88
#define REGS_RDX 96
#define REGS_RSI 104
#define REGS_RDI 112
#define REGS_ORIG_RAX 120
#define REGS_RIP 128
#define REGS_RFLAGS 136
#define REGS_RSP 144
#define REGS_SIZE 152
