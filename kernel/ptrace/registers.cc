#include "kernel/ptrace/registers.h"

#include "kernel/signal/frame.h"

namespace runsc::kernel {

namespace {

// Places in struct user_regs_struct behind those that arch::UserRegs begins with.
enum Place : size_t { kRip = 16, kCs, kFlags, kRsp, kSs, kFsBase, kGsBase, kDs, kGs = kUserRegsWords - 1 };
constexpr uint64_t kUserCs = 0x33, kUserSs = 0x2b;
constexpr uint64_t kTrapFlag = 0x100;
// CF PF AF ZF SF TF DF OF NT RF AC: what a tracer may change.
constexpr uint64_t kSettableFlags = 0x54dd5;

static_assert(offsetof(arch::UserRegs, rip) == kRip * sizeof(uint64_t));

void set_flags(Task& task, uint64_t value) {
  arch::UserRegs& r = task.regs();
  r.rflags = (r.rflags & ~kSettableFlags) | (value & kSettableFlags);
  if (value & kTrapFlag)
    task.ptrace.forced_trap = false;  // from now on the program's own
  else if (task.ptrace.forced_trap)
    r.rflags |= kTrapFlag;
}

}  // namespace

UserRegsStruct user_regs_of(Task& task) {
  const arch::UserRegs& r = task.regs();
  UserRegsStruct u{};
  __builtin_memcpy(u.word, &r, (kRip + 1) * sizeof(uint64_t));
  u.word[kCs] = kUserCs;
  u.word[kFlags] = task.ptrace.forced_trap ? r.rflags & ~kTrapFlag : r.rflags;
  u.word[kRsp] = r.rsp;
  u.word[kSs] = kUserSs;
  u.word[kFsBase] = arch::fs_base(task.user_state());
  u.word[kGsBase] = arch::gs_base(task.user_state());
  return u;
}

Result<void> set_user_reg(Task& task, size_t index, uint64_t value) {
  arch::UserRegs& r = task.regs();
  switch (index) {
    case kCs:
      return value == kUserCs ? Result<void>() : Errno::io;
    case kSs:
      return value == kUserSs ? Result<void>() : Errno::io;
    case kFlags:
      set_flags(task, value);
      return {};
    case kRsp:
      r.rsp = value;
      return {};
    case kFsBase:
    case kGsBase:
      if (value >= arch::kUserEnd) return Errno::io;
      index == kFsBase ? arch::set_fs_base(task.user_state(), value)
                       : arch::set_gs_base(task.user_state(), value);
      return {};
    default:
      break;
  }
  if (index >= kDs) return value == 0 ? Result<void>() : Errno::io;  // only null data segments
  __builtin_memcpy(reinterpret_cast<std::byte*>(&r) + index * sizeof value, &value, sizeof value);
  return {};
}

Result<Vec<std::byte>> xstate_image_of(Task& task) {
  Vec<std::byte> image;
  TRY(image.resize(arch::boot_info().xsave_size));
  arch::xstate_save(task.user_state(), image.span());
  const uint64_t xcr0 = arch::boot_info().xcr0;
  __builtin_memset(image.data() + kSwBytesOffset, 0, kFxsaveSize - kSwBytesOffset);
  __builtin_memcpy(image.data() + kSwBytesOffset, &xcr0, sizeof xcr0);
  return image;
}

void strip_to_fxsave(std::span<std::byte> image) {
  __builtin_memset(image.data() + kSwBytesOffset, 0, kFxsaveSize - kSwBytesOffset);
}

Result<void> set_fxsave(Task& task, std::span<const std::byte> fxsave) {
  Vec<std::byte> image = TRY(xstate_image_of(task));
  __builtin_memcpy(image.data(), fxsave.data(), kSwBytesOffset);
  uint64_t in_use = 0;
  constexpr uint64_t kX87AndSse = 3;
  __builtin_memcpy(&in_use, image.data() + kFxsaveSize, sizeof in_use);
  in_use |= kX87AndSse;
  __builtin_memcpy(image.data() + kFxsaveSize, &in_use, sizeof in_use);
  return arch::xstate_load(task.user_state(), image.span());
}

}  // namespace runsc::kernel
