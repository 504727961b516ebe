// ptrace(2): registers, one by one and in sets.
#include "kernel/ptrace/ptrace.h"
#include "kernel/ptrace/registers.h"
#include "kernel/syscalls/ptrace.h"
#include "mm/user_copy.h"

namespace runsc::kernel {

namespace {

// struct user: behind the registers, what nobody has any more, and the debug registers.
constexpr uint64_t kSizeOfUser = 928, kDebugRegisters = 848, kDebugRegistersEnd = 912;
constexpr uint64_t kWord = sizeof(uint64_t);
// DR6 as it reads while nothing happened.
constexpr uint64_t kDr6Reserved = 0xffff0ff0;
constexpr unsigned kDr6 = 6, kDr7 = 7;

constexpr uint32_t kNtPrstatus = 1, kNtPrfpreg = 2, kNtXstate = 0x202;

Result<UserRegsStruct> read_all(Task& task, Task& tracee) {
  UserRegsStruct regs{};
  TRY(in_tracee(task, tracee, [&](Task& t) { regs = user_regs_of(t); }));
  return regs;
}

// The first words of the struct; those before one that is refused are set.
Result<void> write_all(Task& task, Task& tracee, std::span<const uint64_t> words) {
  Result<void> result;
  TRY(in_tracee(task, tracee, [&](Task& t) {
    for (size_t i = 0; i < words.size() && result; ++i) result = set_user_reg(t, i, words[i]);
  }));
  return result;
}

Result<Vec<std::byte>> read_xstate(Task& task, Task& tracee) {
  Result<Vec<std::byte>> image = Errno::nomem;
  TRY(in_tracee(task, tracee, [&](Task& t) { image = xstate_image_of(t); }));
  return image;
}

// There are no breakpoints of the machine to have: as on Linux where all of them are taken.
Result<void> write_debug_register(unsigned n, uint64_t value) {
  if (n == 4 || n == 5) return Errno::io;
  if (value == 0 || n == kDr6) return {};
  constexpr uint64_t kEnableBits = 0xff;
  if (n == kDr7 && !(value & kEnableBits)) return {};
  return Errno::nospc;
}

}  // namespace

Result<void> ptrace_peek_user(Task& task, Task& tracee, uint64_t offset, uint64_t out) {
  if (offset % kWord != 0 || offset >= kSizeOfUser) return Errno::io;
  uint64_t value = 0;
  if (offset < sizeof(UserRegsStruct))
    value = TRY(read_all(task, tracee)).word[offset / kWord];
  else if (offset == kDebugRegisters + kDr6 * kWord)
    value = kDr6Reserved;
  return mm::copy_out(task.mm(), UserPtr<uint64_t>(out), value);
}

Result<void> ptrace_poke_user(Task& task, Task& tracee, uint64_t offset, uint64_t value) {
  if (offset % kWord != 0 || offset >= kSizeOfUser) return Errno::io;
  if (offset >= kDebugRegisters && offset < kDebugRegistersEnd)
    return write_debug_register(static_cast<unsigned>((offset - kDebugRegisters) / kWord), value);
  if (offset >= sizeof(UserRegsStruct)) return Errno::io;
  Result<void> result;
  TRY(in_tracee(task, tracee, [&](Task& t) { result = set_user_reg(t, offset / kWord, value); }));
  return result;
}

Result<void> ptrace_get_regs(Task& task, Task& tracee, uint64_t out) {
  UserRegsStruct regs = TRY(read_all(task, tracee));
  return mm::copy_out_bytes(task.mm(), out, &regs, sizeof regs);
}

Result<void> ptrace_set_regs(Task& task, Task& tracee, uint64_t in) {
  UserRegsStruct regs;
  TRY(mm::copy_in_bytes(task.mm(), &regs, in, sizeof regs));
  return write_all(task, tracee, regs.word);
}

Result<void> ptrace_get_fpregs(Task& task, Task& tracee, uint64_t out) {
  Vec<std::byte> image = TRY(read_xstate(task, tracee));
  strip_to_fxsave(image.span());
  return mm::copy_out_bytes(task.mm(), out, image.data(), kFxsaveSize);
}

Result<void> ptrace_set_fpregs(Task& task, Task& tracee, uint64_t in) {
  std::byte fxsave[kFxsaveSize];
  TRY(mm::copy_in_bytes(task.mm(), fxsave, in, sizeof fxsave));
  Result<void> result;
  TRY(in_tracee(task, tracee, [&](Task& t) { result = set_fxsave(t, fxsave); }));
  return result;
}

namespace {

Result<void> get_set(Task& task, Task& tracee, uint32_t type, uint64_t to, uint64_t size) {
  if (type == kNtPrstatus) {
    UserRegsStruct regs = TRY(read_all(task, tracee));
    return mm::copy_out_bytes(task.mm(), to, &regs, size);
  }
  Vec<std::byte> image = TRY(read_xstate(task, tracee));
  if (type == kNtPrfpreg) strip_to_fxsave(image.span());
  return mm::copy_out_bytes(task.mm(), to, image.data(), size);
}

Result<void> set_set(Task& task, Task& tracee, uint32_t type, uint64_t from, uint64_t size) {
  if (type == kNtPrstatus) {
    UserRegsStruct regs;
    TRY(mm::copy_in_bytes(task.mm(), &regs, from, size));
    return write_all(task, tracee, std::span(regs.word).first(size / kWord));
  }
  // These only whole.
  if (type == kNtPrfpreg) return size == kFxsaveSize ? ptrace_set_fpregs(task, tracee, from) : Errno::inval;
  Vec<std::byte> image;
  TRY(image.resize(arch::boot_info().xsave_size));
  if (size != image.size()) return Errno::fault;
  TRY(mm::copy_in_bytes(task.mm(), image.data(), from, size));
  Result<void> result;
  TRY(in_tracee(task, tracee, [&](Task& t) { result = arch::xstate_load(t.user_state(), image.span()); }));
  return result;
}

}  // namespace

Result<void> ptrace_register_set(Task& task, Task& tracee, uint32_t type, uint64_t iovec, RegisterSet what) {
  struct Iovec {
    uint64_t base, size;
  };
  Iovec v = TRY(mm::copy_in(task.mm(), UserPtr<Iovec>(iovec)));
  uint64_t most = 0;
  switch (type) {
    case kNtPrstatus:
      most = sizeof(UserRegsStruct);
      break;
    case kNtPrfpreg:
      most = kFxsaveSize;
      break;
    case kNtXstate:
      most = arch::boot_info().xsave_size;
      break;
    default:
      return Errno::inval;
  }
  if (v.size % kWord != 0) return Errno::inval;
  if (v.size > most) v.size = most;
  if (what == RegisterSet::get)
    TRY(get_set(task, tracee, type, v.base, v.size));
  else
    TRY(set_set(task, tracee, type, v.base, v.size));
  return mm::copy_out(task.mm(), UserPtr<uint64_t>(iovec + offsetof(Iovec, size)), v.size);
}

}  // namespace runsc::kernel
