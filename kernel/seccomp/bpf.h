// Classic BPF as seccomp(2) takes it: checking a program, and running it over one system call.
#pragma once

#include <cstdint>
#include <span>

#include "kernel/base/bpf.h"

namespace runsc::kernel {

// struct seccomp_data: what a program can look at.
struct SeccompData {
  int32_t number;
  uint32_t arch;
  uint64_t instruction_pointer;
  uint64_t args[6];
};
static_assert(sizeof(SeccompData) == 64);

// EINVAL: too long or empty, an instruction that seccomp does not allow, a load that is not a word of
// SeccompData, a jump past the end, a way that does not end in a return, a scratch word that is read before
// it is written, a division by the constant 0, a shift by more than 31.
Result<void> bpf_check(std::span<const BpfInstruction> program);

// The program must have passed bpf_check(). Ends after at most as many steps as it has instructions.
uint32_t bpf_run(std::span<const BpfInstruction> program, const SeccompData& data);

}  // namespace runsc::kernel
