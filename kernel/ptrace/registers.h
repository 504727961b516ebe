// The registers of a task as ptrace(2) and core dumps show them. Only for the current task, which a tracer
// reaches by an errand.
#pragma once

#include <cstdint>
#include <span>

#include "kernel/base/vec.h"
#include "kernel/task.h"

namespace runsc::kernel {

// struct user_regs_struct, in words.
inline constexpr size_t kUserRegsWords = 27;
struct UserRegsStruct {
  uint64_t word[kUserRegsWords];
};
UserRegsStruct user_regs_of(Task& task);
// EIO: a segment or a base that cannot be had.
Result<void> set_user_reg(Task& task, size_t index, uint64_t value);

inline constexpr size_t kFxsaveSize = 512;
// The XSAVE image with what the kernel says of it in the bytes left to software; ENOMEM.
Result<Vec<std::byte>> xstate_image_of(Task& task);
// struct user_fpregs_struct, into its first bytes.
void strip_to_fxsave(std::span<std::byte> image);
// EINVAL: MXCSR; ENOMEM.
Result<void> set_fxsave(Task& task, std::span<const std::byte> fxsave);

}  // namespace runsc::kernel
